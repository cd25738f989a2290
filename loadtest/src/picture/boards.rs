//! The boards of a conversation as a client loads them: an init form brings the first pins and no tasks, and what happens
//! afterwards comes by the flow.
//!
//! Not here: the flow ([`super::flow`]).

use super::Picture;
use crate::failure::Failure;
use crate::record::{Record, flag, text};
use crate::session::Session;
use serde_json::{Value, json};

/// What an init form did not bring.
#[derive(Debug, Clone, Default)]
pub(super) struct Unloaded {
    /// Where the pins go on.
    pin_cursor: Option<String>,
    /// There are tasks.
    has_tasks: bool,
}

impl Picture {
    /// Notes what a header says about the boards.
    pub(super) fn note_boards(&mut self, conversation_id: &str, conv: &Record) {
        let is_whole_form = text(conv, "mk_init_mode") == "ic_full";
        if !is_whole_form && !conv.contains_key("pin_cursor") {
            return;
        }
        let unloaded = self.unloaded.entry(conversation_id.to_owned()).or_default();
        unloaded.pin_cursor = conv.get("pin_cursor").and_then(Value::as_str).map(str::to_owned);
        if is_whole_form {
            unloaded.has_tasks = flag(conv, "has_taskboard") || flag(conv, "has_task_archive");
        }
    }

    fn pin_cursor(&self, conversation_id: &str) -> Option<String> {
        self.unloaded.get(conversation_id)?.pin_cursor.clone()
    }

    fn section_ids(&self, conversation_id: &str) -> Vec<String> {
        let sections =
            self.records("section").filter(|section| text(section, "conversation_id") == conversation_id);
        sections.map(|section| text(section, "section_id").to_owned()).collect()
    }
}

/// Whether a message lies on a board, by its tags.
pub(super) fn is_shared(message: &Record) -> bool {
    let tags = message.get("tags").and_then(Value::as_array);
    tags.is_some_and(|tags| tags.iter().any(|tag| tag == "is_shared"))
}

/// Whether a message lies on a board, or is gone, by which it may have left one.
pub(super) fn was_shared(message: &Record) -> bool {
    is_shared(message) || text(message, "mk_message_state").ends_with(":deleted")
}

/// Loads what is still to be loaded, for a member.
pub(super) fn complete(session: &mut dyn Session, conversation_id: &str) -> Result<(), Failure> {
    let is_member = session.picture().conv(conversation_id).is_some_and(|conv| flag(conv, "can_post"));
    if !is_member {
        return Ok(());
    }
    while let Some(cursor) = session.picture().pin_cursor(conversation_id) {
        let params = json!({"conversation_id": conversation_id, "sync_cursor": cursor});
        session.request("conv:pin:sync", params)?.done()?;
        if session.picture().pin_cursor(conversation_id).is_some_and(|next| next == cursor) {
            return Err(Failure::Broken(format!("conv:pin:sync stands still at {cursor}")));
        }
    }
    let has_tasks = session.picture().unloaded.get(conversation_id).is_some_and(|left| left.has_tasks);
    if has_tasks {
        for section_id in session.picture().section_ids(conversation_id) {
            complete_section(session, conversation_id, &section_id)?;
        }
    }
    Ok(())
}

fn complete_section(
    session: &mut dyn Session,
    conversation_id: &str,
    section_id: &str,
) -> Result<(), Failure> {
    let mut cursor = Value::Null;
    loop {
        let params =
            json!({"conversation_id": conversation_id, "section_id": section_id, "sync_cursor": cursor});
        session.request("section:task:sync", params)?.done()?;
        let section = session.picture().record("section", section_id);
        let next = section.and_then(|section| section.get("sync_cursor")).cloned().unwrap_or(Value::Null);
        if next.is_null() {
            return Ok(());
        }
        if next == cursor {
            return Err(Failure::Broken(format!("section:task:sync stands still at {cursor}")));
        }
        cursor = next;
    }
}
