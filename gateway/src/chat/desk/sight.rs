//! Which messages are in sight: pages, and the mark that moves from message to message.
//!
//! Owns the turning of pages, counted in the rows that the view says it has drawn. Not here: how a message becomes rows.

use super::Desk;
use crate::chat::picture::Picture;

/// One row of the message column: the row of which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The message's number.
    pub(crate) message_nr: u64,
    /// The row within it.
    pub(crate) row: usize,
}

/// What the view has drawn of the messages, so that a page is what the person saw as a page.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    /// Every row there is, top to bottom.
    pub(crate) rows: Vec<Place>,
    /// The first row on the screen.
    pub(crate) top: usize,
    /// The row behind the last one on the screen.
    pub(crate) bottom: usize,
}

impl Desk {
    /// What the view has drawn.
    pub(crate) fn drawn(&mut self, drawn: Drawn) {
        self.drawn = drawn;
    }

    pub(super) fn select(&mut self, picture: &Picture, older: bool) {
        let Some(shown) = self.shown(picture) else { return };
        let mut numbers =
            shown.flow().filter(|message| !message.is_system() && !message.is_deleted()).map(|m| m.nr);
        let at = self.selected;
        self.selected = if older {
            numbers.rfind(|nr| at.is_none_or(|at| *nr < at)).or(at)
        } else {
            numbers.find(|nr| at.is_some_and(|at| *nr > at))
        };
        if let Some(nr) = self.selected {
            self.show_message(nr);
        } else {
            self.anchor = None;
        }
    }

    pub(super) fn show_message(&mut self, nr: u64) {
        let on_screen = self.drawn.rows.get(self.drawn.top..self.drawn.bottom).unwrap_or_default();
        if !on_screen.iter().any(|place| place.message_nr == nr) {
            self.anchor = Some(Place { message_nr: nr, row: usize::MAX });
        }
    }

    pub(super) fn page_up(&mut self, picture: &Picture) {
        let height = self.drawn.bottom - self.drawn.top;
        if self.drawn.top <= height {
            self.load_older(picture);
        }
        // One row stays, to show where the last page ended.
        let bottom = self.drawn.bottom.saturating_sub(height.saturating_sub(1)).max(height);
        if self.drawn.top > 0 {
            self.anchor = bottom.checked_sub(1).and_then(|last| self.drawn.rows.get(last)).copied();
        }
    }

    pub(super) fn page_down(&mut self) {
        let height = self.drawn.bottom - self.drawn.top;
        let bottom = self.drawn.bottom + height.saturating_sub(1).max(1);
        let last = if bottom >= self.drawn.rows.len() { None } else { self.drawn.rows.get(bottom - 1) };
        self.anchor = last.copied();
    }
}
