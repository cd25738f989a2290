//! Asking for a password without showing it.
//!
//! Owns the raw mode for the time of the question. The password is never echoed, not even as stars.

use std::io::{IsTerminal, Write, stderr, stdin};

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use super::input::{Edit, Line};

/// Asks on the terminal; `None` when there is none, or the person does not answer.
pub(crate) fn asked(prompt: &str) -> std::io::Result<Option<String>> {
    if !stdin().is_terminal() {
        return Ok(None);
    }
    write!(stderr(), "{prompt}")?;
    stderr().flush()?;
    enable_raw_mode()?;
    let typed = typed();
    disable_raw_mode()?;
    writeln!(stderr())?;
    typed
}

fn typed() -> std::io::Result<Option<String>> {
    let mut line = Line::default();
    loop {
        let Event::Key(key) = crossterm::event::read()? else {
            continue;
        };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match (key.modifiers.contains(KeyModifiers::CONTROL), key.code) {
            (true, KeyCode::Char('c' | 'd')) | (false, KeyCode::Esc) => return Ok(None),
            (true, KeyCode::Char('u')) => line.edit(Edit::Clear),
            (false, KeyCode::Enter) => return Ok(Some(line.take()).filter(|password| !password.is_empty())),
            (false, KeyCode::Backspace) => line.edit(Edit::Backspace),
            (false, KeyCode::Char(character)) => line.insert(character.encode_utf8(&mut [0; 4])),
            _ => {}
        }
    }
}
