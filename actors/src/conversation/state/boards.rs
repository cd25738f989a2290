//! What the boards leave in the state: what messages remember of them, and what headers say of them (conversations.md §10).
//!
//! Not here: who stands where (`board`).

use std::collections::BTreeMap;

use rill_proto::id::{AccountId, MessageId, SectionId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Member, Message, SectionSubtype, State};
use crate::conversation::board::List;

/// What few messages have. Where the boards are concerned, it says what was; what is, is said by the message's place.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Extras {
    /// Who pinned it, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_account_id: Option<AccountId>,
    /// Who made it a task, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasked_account_id: Option<AccountId>,
    /// Who said whose task it is, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigner_id: Option<AccountId>,
    /// The slot that took it off the boards the last time: who does not see the message in the flow is told so by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_message_nr: Option<u64>,
    /// It was unpinned once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_unpinned: bool,
    /// Who reacted how; empty when all were taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactions: Option<BTreeMap<String, Vec<AccountId>>>,
    /// Somebody marked it as spam, or took that back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_spam: Option<bool>,
}

impl Message {
    /// Its extras, which may be none.
    #[must_use]
    pub fn extras(&self) -> &Extras {
        const NONE: &Extras = &Extras {
            pinned_account_id: None,
            tasked_account_id: None,
            assigner_id: None,
            closed_message_nr: None,
            was_unpinned: false,
            reactions: None,
            is_spam: None,
        };
        self.extras.as_deref().unwrap_or(NONE)
    }

    /// Its extras, to be changed.
    pub fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }
}

/// Whether there is anything on the boards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Boards {
    /// There is a pinned message.
    #[serde(default)]
    pub has_pinboard: bool,
    /// There is a task that is not archived.
    #[serde(default)]
    pub has_taskboard: bool,
    /// There is an archived task.
    #[serde(default)]
    pub has_task_archive: bool,
}

impl State {
    /// The global id of a message: it follows from the conversation's.
    #[must_use]
    pub fn message_id(&self, message_nr: u64) -> MessageId {
        let name = format!("message:{message_nr}");
        MessageId(Uuid::new_v5(&self.conversation_id.0, name.as_bytes()))
    }

    /// What is on the boards.
    #[must_use]
    pub fn boards(&self) -> Boards {
        let mut boards = Boards::default();
        for list in self.board.lists() {
            match list {
                List::Pins => boards.has_pinboard = true,
                List::Tasks(section_id) if self.is_archive(section_id) => boards.has_task_archive = true,
                List::Tasks(_) => boards.has_taskboard = true,
            }
        }
        boards
    }

    /// Whether a section is the one of archived tasks.
    #[must_use]
    pub fn is_archive(&self, section_id: SectionId) -> bool {
        self.sections.get(&section_id).is_some_and(|section| section.subtype == SectionSubtype::Archived)
    }

    /// Whether the member sees the message: in the flow, or since it lies on a board that is open to every present member
    /// (conversations.md §4.3).
    #[must_use]
    pub fn shows(&self, member: &Member, message_nr: u64) -> bool {
        member.sees(message_nr) || (member.is_present() && self.board.get(message_nr).is_some())
    }
}
