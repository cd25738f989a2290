//! The flow of one conversation as a client follows it: which slots were seen, which the server showed as a gap to load.
//!
//! Not here: the messages themselves ([`super::Picture`]) and what is wrong with them ([`super::judge`]).

use crate::record::{Record, flag, number};

/// The cursors of one conversation (conversations.md §1.1).
#[derive(Debug, Clone, Default)]
pub(super) struct Flow {
    /// Every slot up to here was seen live, or a header showed it as not yet loaded. Nothing may be skipped after it.
    edge: Option<u64>,
    /// `fw_message_nr`, moved on by each next slot: everything is held up to here.
    forward: Option<u64>,
    /// `bw_message_nr`: everything is held down to here.
    backward: Option<u64>,
    /// Slots that were skipped live, as inclusive spans: whatever comes of them later comes too late.
    skipped: Vec<(u64, u64)>,
    /// Spans skipped in the batch under way, the slots of it that came late, and the highest `fw_message_nr` that its headers gave.
    skipped_now: Vec<(u64, u64)>,
    late_now: Vec<u64>,
    shown_now: u64,
    /// The highest `last_message_nr` of any header.
    announced: u64,
    /// Spans that a header announced and that did not come: slots of messages that the viewer may not see, if the next load
    /// forward passes them without bringing anything, and lost ones if it does.
    unseen: Vec<(u64, u64)>,
    /// Slots among them that came in the batch under way.
    lost_now: Vec<(u64, u64)>,
    /// The highest `fw_message_nr` of any header.
    loaded: u64,
}

/// What a batch convicts: nothing that a header of the same batch showed as a gap to load.
#[derive(Debug, Default)]
pub(super) struct Breaks {
    /// Inclusive spans of slots that were skipped.
    pub(super) gaps: Vec<(u64, u64)>,
    /// Slots that came after a later one.
    pub(super) late: Vec<u64>,
}

impl Flow {
    pub(super) fn forward(&self) -> Option<u64> {
        self.forward
    }

    pub(super) fn backward(&self) -> Option<u64> {
        self.backward
    }

    /// Every slot up to here was seen live or has been loaded.
    pub(super) fn edge(&self) -> Option<u64> {
        self.edge.map(|edge| edge.max(self.loaded))
    }

    /// True when no slot up to the newest one known is missing.
    pub(super) fn is_whole_forward(&self) -> bool {
        self.forward.is_some() && self.forward >= self.edge
    }

    pub(super) fn begin_batch(&mut self) {
        self.shown_now = 0;
    }

    /// The batch is a sync: only what is missing at its end counts, since news from meanwhile may come before what is replayed.
    pub(super) fn forgive_order(&mut self) {
        self.late_now.clear();
        self.lost_now.clear();
    }

    /// What was skipped or late in this batch and not shown by one of its headers.
    pub(super) fn end_batch(&mut self) -> Breaks {
        let shown = std::mem::take(&mut self.shown_now);
        let mut breaks =
            Breaks { gaps: std::mem::take(&mut self.skipped_now), late: std::mem::take(&mut self.late_now) };
        breaks.gaps.retain(|(_, to)| *to > shown);
        breaks.late.retain(|slot| *slot > shown);
        self.skipped.extend(&breaks.gaps);
        breaks.gaps.append(&mut self.lost_now);
        self.unseen.retain(|(_, to)| *to > self.loaded);
        breaks
    }

    /// What was announced, did not come, and was not loaded since.
    pub(super) fn unseen(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.unseen.iter().copied().filter(|(_, to)| *to > self.loaded)
    }

    /// A header came. With `fw_message_nr` it says which slots the client is to load itself. One that overtook the stream
    /// says nothing about what has been seen live.
    pub(super) fn header(&mut self, conv: &Record, is_init: bool, is_in_flow: bool) {
        let (fw, bw) = (number(conv, "fw_message_nr"), number(conv, "bw_message_nr"));
        self.announced = self.announced.max(number(conv, "last_message_nr").unwrap_or(0));
        // The tiny form brings the inbox message alone, so nothing is held from there to the end.
        let is_tiny = is_init && flag(conv, "is_tiny");
        if !is_tiny {
            self.loaded = self.loaded.max(fw.unwrap_or(0));
        }
        if is_init {
            (self.forward, self.backward) = if is_tiny { (None, None) } else { (fw, bw) };
            self.skipped.clear();
            self.unseen.clear();
        } else {
            self.forward = fw.max(self.forward);
            self.backward = match (bw, self.backward) {
                (Some(new), Some(old)) => Some(new.min(old)),
                (new, old) => new.or(old),
            };
        }
        if is_in_flow && (is_init || fw.is_some()) {
            let last = number(conv, "last_message_nr").max(fw);
            self.edge = self.edge.max(last);
            self.shown_now = self.shown_now.max(fw.unwrap_or(0));
        }
    }

    /// A slot came in the flow.
    pub(super) fn slot(&mut self, slot: u64) {
        let edge = *self.edge.get_or_insert(slot);
        if slot > edge {
            if slot > edge + 1 {
                let span = (edge + 1, slot - 1);
                if slot <= self.announced + 1 { self.unseen.push(span) } else { self.skipped_now.push(span) }
            }
            self.edge = Some(slot);
        }
        self.advance(slot);
        self.lost(slot);
        let was_skipped_now = take_out(&mut self.skipped_now, slot);
        if take_out(&mut self.skipped, slot) || was_skipped_now {
            self.late_now.push(slot);
        }
    }

    /// A slot that was announced and did not come was closed then, and is no loss if it comes now.
    pub(super) fn forgive(&mut self, slot: u64) {
        take_out(&mut self.unseen, slot);
    }

    /// A slot came ahead of the flow.
    pub(super) fn slot_ahead(&mut self, slot: u64) {
        self.advance(slot);
        self.lost(slot);
    }

    /// A slot that was announced and did not come is there after all.
    fn lost(&mut self, slot: u64) {
        if take_out(&mut self.unseen, slot) {
            self.lost_now.push((slot, slot));
        }
    }

    fn advance(&mut self, slot: u64) {
        if let Some(forward) = self.forward
            && slot == forward + 1
        {
            self.forward = Some(slot);
        }
    }
}

/// Takes a slot out of the spans and says whether it was in one.
fn take_out(spans: &mut Vec<(u64, u64)>, slot: u64) -> bool {
    let Some(place) = spans.iter().position(|(from, to)| (*from..=*to).contains(&slot)) else {
        return false;
    };
    let (from, to) = spans.swap_remove(place);
    let rests = [(from, slot.saturating_sub(1)), (slot + 1, to)];
    spans.extend(rests.into_iter().filter(|(from, to)| from <= to));
    true
}
