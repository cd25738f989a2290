//! Keys become actions, and a line of text is edited.
//!
//! Owns the key map and the editing line. Pure. Not here: what an action does (`desk`).

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// The longest text that the server takes (conversations.md §5, protocol.md §5.2), in characters.
pub(crate) const MESSAGE_CHARS_MAX: usize = 307_200;

/// What the person asked for with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Put a character into the line.
    Type(char),
    /// Put pasted text into the line.
    Paste(String),
    /// Change the line or move in it.
    Edit(Edit),
    /// Send, or answer the question.
    Enter,
    /// Leave what is under way.
    Escape,
    /// Edit the message before: the newest of one's own first.
    EditOlder,
    /// Edit the message after, or leave editing.
    EditNewer,
    /// Mark the message above.
    SelectOlder,
    /// Mark the message below.
    SelectNewer,
    /// Scroll towards the past, loading what is missing.
    PageUp,
    /// Scroll towards the present.
    PageDown,
    /// Go to the conversation below in the list.
    NextConversation,
    /// Go to the conversation above in the list.
    PreviousConversation,
    /// Begin a conversation.
    NewConversation,
    /// Add people to this conversation.
    AddMembers,
    /// Change the topic.
    SetTopic,
    /// Delete the marked message.
    DeleteMessage,
    /// Show or hide the keys.
    Help,
    /// End the program.
    Leave,
}

/// A change within the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Delete the character before the cursor.
    Backspace,
    /// Delete the character at the cursor.
    Delete,
    /// Delete the word before the cursor.
    DeleteWord,
    /// Delete the whole line.
    Clear,
    /// One character to the left.
    Left,
    /// One character to the right.
    Right,
    /// To the start.
    Home,
    /// To the end.
    End,
}

/// The action behind a terminal event, if it has one.
pub(crate) fn action(event: &Event) -> Option<Action> {
    if let Event::Paste(text) = event {
        return Some(Action::Paste(text.clone()));
    }
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    key_action(*key)
}

fn key_action(key: KeyEvent) -> Option<Action> {
    let (control, alt, shift) = (
        key.modifiers.contains(KeyModifiers::CONTROL),
        key.modifiers.contains(KeyModifiers::ALT),
        key.modifiers.contains(KeyModifiers::SHIFT),
    );
    // The tuple keeps the table one line per key; what is not in it means nothing here.
    Some(match (control, alt || shift, key.code) {
        (true, _, KeyCode::Char(letter)) => return control_action(letter),
        (true, _, KeyCode::Up) => Action::PreviousConversation,
        (true, _, KeyCode::Down) => Action::NextConversation,
        (false, true, KeyCode::Up) => Action::SelectOlder,
        (false, true, KeyCode::Down) => Action::SelectNewer,
        (false, true, KeyCode::Enter) => Action::Type('\n'),
        (_, _, KeyCode::Up) => Action::EditOlder,
        (_, _, KeyCode::Down) => Action::EditNewer,
        (_, _, KeyCode::Enter) => Action::Enter,
        (_, _, KeyCode::Esc) => Action::Escape,
        (_, true, KeyCode::Tab) | (_, _, KeyCode::BackTab) => Action::PreviousConversation,
        (_, _, KeyCode::Tab) => Action::NextConversation,
        (_, _, KeyCode::PageUp) => Action::PageUp,
        (_, _, KeyCode::PageDown) => Action::PageDown,
        (_, _, KeyCode::F(1)) => Action::Help,
        (_, _, KeyCode::Backspace) => Action::Edit(Edit::Backspace),
        (_, _, KeyCode::Delete) => Action::Edit(Edit::Delete),
        (_, _, KeyCode::Left) => Action::Edit(Edit::Left),
        (_, _, KeyCode::Right) => Action::Edit(Edit::Right),
        (_, _, KeyCode::Home) => Action::Edit(Edit::Home),
        (_, _, KeyCode::End) => Action::Edit(Edit::End),
        (false, _, KeyCode::Char(character)) if !alt => Action::Type(character),
        _ => return None,
    })
}

fn control_action(letter: char) -> Option<Action> {
    Some(match letter.to_ascii_lowercase() {
        'c' => Action::Leave,
        'n' => Action::NewConversation,
        'a' => Action::AddMembers,
        't' => Action::SetTopic,
        'd' => Action::DeleteMessage,
        // Terminals without an own code for Alt-Enter can still begin a new line.
        'j' => Action::Type('\n'),
        'u' => Action::Edit(Edit::Clear),
        'w' => Action::Edit(Edit::DeleteWord),
        _ => return None,
    })
}

/// A text that is being typed, with its cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    text: String,
    /// A byte position on a character's edge.
    cursor: usize,
}

impl Line {
    /// A line that holds `text`, with the cursor behind it.
    pub(crate) fn holding(text: String) -> Self {
        Self { cursor: text.len(), text }
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub(crate) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Whether nothing but blanks stands in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Takes the text out and leaves the line empty.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Puts text in at the cursor. Control characters other than tab and line end are dropped, as the server would;
    /// what does not fit into a message is dropped as well.
    pub(crate) fn insert(&mut self, text: &str) {
        let room = MESSAGE_CHARS_MAX.saturating_sub(self.text.chars().count());
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let kept =
            text.chars().filter(|character| !character.is_control() || matches!(character, '\n' | '\t'));
        let kept: String = kept.take(room).collect();
        self.text.insert_str(self.cursor, &kept);
        self.cursor += kept.len();
    }

    /// Carries out one change.
    pub(crate) fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Backspace => self.remove_from(self.before()),
            Edit::Delete => self.text.replace_range(self.cursor..self.after(), ""),
            Edit::DeleteWord => {
                let kept = self.before_cursor().trim_end();
                let start = kept.char_indices().rev().find(|(_, character)| character.is_whitespace());
                self.remove_from(start.map_or(0, |(at, character)| at + character.len_utf8()));
            }
            Edit::Clear => drop(self.take()),
            Edit::Left => self.cursor = self.before(),
            Edit::Right => self.cursor = self.after(),
            Edit::Home => self.cursor = 0,
            Edit::End => self.cursor = self.text.len(),
        }
    }

    fn remove_from(&mut self, start: usize) {
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }

    fn before(&self) -> usize {
        self.before_cursor().char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        let next = self.text[self.cursor..].chars().next();
        self.cursor + next.map_or(0, char::len_utf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
        action(&Event::Key(KeyEvent::new(code, modifiers)))
    }

    #[test]
    fn every_key_of_the_help_has_its_action() {
        let (none, control, shift) = (KeyModifiers::NONE, KeyModifiers::CONTROL, KeyModifiers::SHIFT);
        for (code, modifiers, expected) in [
            (KeyCode::Enter, none, Action::Enter),
            (KeyCode::Enter, KeyModifiers::ALT, Action::Type('\n')),
            (KeyCode::Esc, none, Action::Escape),
            (KeyCode::Up, none, Action::EditOlder),
            (KeyCode::Down, none, Action::EditNewer),
            (KeyCode::Up, KeyModifiers::ALT, Action::SelectOlder),
            (KeyCode::Down, shift, Action::SelectNewer),
            (KeyCode::Up, control, Action::PreviousConversation),
            (KeyCode::Down, control, Action::NextConversation),
            (KeyCode::Tab, none, Action::NextConversation),
            (KeyCode::BackTab, shift, Action::PreviousConversation),
            (KeyCode::PageUp, none, Action::PageUp),
            (KeyCode::PageDown, none, Action::PageDown),
            (KeyCode::F(1), none, Action::Help),
            (KeyCode::Char('n'), control, Action::NewConversation),
            (KeyCode::Char('a'), control, Action::AddMembers),
            (KeyCode::Char('t'), control, Action::SetTopic),
            (KeyCode::Char('d'), control, Action::DeleteMessage),
            (KeyCode::Char('C'), control | shift, Action::Leave),
            (KeyCode::Char('Ä'), shift, Action::Type('Ä')),
        ] {
            assert_eq!(pressed(code, modifiers), Some(expected), "{code:?} {modifiers:?}");
        }
        assert_eq!(pressed(KeyCode::Char('z'), control), None);
        assert_eq!(pressed(KeyCode::F(9), none), None);
    }

    #[test]
    fn a_released_key_does_nothing_and_a_paste_is_one_action() {
        let mut key = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        key.kind = KeyEventKind::Release;
        assert_eq!(action(&Event::Key(key)), None);
        assert_eq!(action(&Event::Paste("a\nb".to_owned())), Some(Action::Paste("a\nb".to_owned())));
        assert_eq!(action(&Event::Resize(1, 1)), None);
    }

    #[test]
    fn the_cursor_steps_over_whole_characters() {
        let mut line = Line::holding("aä😀".to_owned());
        line.edit(Edit::Left);
        line.edit(Edit::Left);
        assert_eq!(line.before_cursor(), "a");
        line.insert("ß");
        line.edit(Edit::Delete);
        assert_eq!((line.text(), line.before_cursor()), ("aß😀", "aß"));
        line.edit(Edit::Backspace);
        line.edit(Edit::End);
        line.edit(Edit::Right);
        assert_eq!(line.before_cursor(), "a😀");
        line.edit(Edit::Home);
        line.edit(Edit::Backspace);
        line.edit(Edit::Left);
        assert_eq!((line.text(), line.before_cursor()), ("a😀", ""));
    }

    #[test]
    fn a_word_and_the_line_can_be_deleted() {
        let mut line = Line::holding("one two  ".to_owned());
        line.edit(Edit::DeleteWord);
        assert_eq!(line.text(), "one ");
        line.edit(Edit::Clear);
        assert!(line.is_blank() && line.text().is_empty());
        line.edit(Edit::DeleteWord);
    }

    #[test]
    fn pasted_text_keeps_its_lines_and_loses_its_control_characters() {
        let mut line = Line::default();
        line.insert("a\r\nb\x1b[31m\tc\r");
        assert_eq!(line.text(), "a\nb[31m\tc\n");
        line.insert(&"x".repeat(MESSAGE_CHARS_MAX));
        assert_eq!(line.text().chars().count(), MESSAGE_CHARS_MAX);
    }
}
