//! The account's own board: its sections, where the private tasks and the conversations' tasks assigned to it stand, and
//! its canned responses (accounts.md §6 and §7).
//!
//! In memory is where everything stands, some hundred bytes a task, as memberships are; what private tasks and canned
//! responses say is not: a [`Text`] is a row of its own that is read when a record of it is made. Built-in sections have
//! ids that follow from the account's, and no row until something of them is changed.
//!
//! A conversation's task stands here from the effect that assigns it ([`Effect::Assigned`](crate::effect::Effect)) to the
//! one that takes it away. Its `message` record stays the conversation's to make; each of the account's sessions is given
//! the [`Placements`], and whoever writes such a record for it puts the place in. Not here: the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use rill_proto::classificator::MySectionSubtype;
use rill_proto::id::{AccountId, ConversationId, MessageId, SectionId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::effect::Assignment;
use crate::file::File;
use crate::store::Stamp;
use crate::weight::Weight;

pub mod record;
#[cfg(test)]
mod tests;

/// How many tasks may stand on a board unless the operator says otherwise, the conversations' among them: more than anybody has to do, and two megabytes of
/// memory. A private one more is refused; an assigned one more stands on its conversation's board only.
pub const TASKS_MAX: usize = 20_000;

/// How many sections of his own an account's owner may have: more than a screen shows.
pub const SECTIONS_MAX: usize = 100;

/// How many canned responses an account may have: more than anybody finds his way in.
pub const CANNED_MAX: usize = 1_000;

/// How many tasks and sections that are gone are remembered, so that a session that comes back is told. A session that
/// was away for longer shows the oldest of them until it starts afresh.
pub const GONE_MAX: usize = 10_000;

/// A section.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// Which one it is.
    pub subtype: MySectionSubtype,
    /// Where it stands; the archive stands last.
    pub weight: Weight,
    /// It is gone.
    #[serde(default)]
    pub is_deleted: bool,
    /// When it last changed; 0 for a built-in one as it was made.
    pub stamp: Stamp,
}

/// Where a task stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The section.
    pub section_id: SectionId,
    /// Where in it; no two tasks of a section have the same.
    pub weight: Weight,
}

/// A task on the board, or a canned response.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// What it is.
    pub what: What,
    /// Where it stands; nowhere for a canned response and for what is gone.
    #[serde(default)]
    pub place: Option<Place>,
    /// The section that an archived one came from.
    #[serde(default)]
    pub from: Option<SectionId>,
    /// How much the files of a private one take.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// When anything of it last changed.
    pub stamp: Stamp,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What stands on a board.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A private task.
    Private {
        /// It is done.
        is_done: bool,
        /// Since when it says what it says.
        store_time: Stamp,
    },
    /// A canned response.
    Canned {
        /// Its name, in a form that is short and does not know big letters from small.
        name: Uuid,
        /// As of a private task.
        store_time: Stamp,
    },
    /// It was private, and was deleted.
    Deleted,
    /// A conversation's task.
    Assigned {
        /// The conversation.
        conversation_id: ConversationId,
        /// Its number there.
        message_nr: u64,
        /// What it is there.
        state: Assignment,
        /// The stamp of the conversation's last word on it: an older one says nothing new.
        version: Stamp,
    },
}

/// What a private task or a canned response says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Text {
    /// Message XML.
    pub message: String,
    /// The name of a canned response.
    #[serde(default)]
    pub canned_name: Option<String>,
    /// Unix seconds.
    pub posted_time: i64,
    /// Unix seconds of the last change.
    #[serde(default)]
    pub edited_time: Option<i64>,
    /// Its files, those that are gone among them.
    #[serde(default)]
    pub files: Vec<File>,
    /// Since when it says so; the task's row says the same, or this one has been overtaken.
    pub store_time: Stamp,
}

impl Task {
    /// Since when a private task or a canned response says what it says.
    #[must_use]
    pub fn store_time(&self) -> Option<Stamp> {
        match self.what {
            What::Private { store_time, .. } | What::Canned { store_time, .. } => Some(store_time),
            What::Deleted | What::Assigned { .. } => None,
        }
    }

    /// It is no more than a memory of something.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self.what {
            What::Deleted => true,
            What::Assigned { .. } => self.place.is_none(),
            What::Private { .. } | What::Canned { .. } => false,
        }
    }
}

/// Where the conversations' tasks stand on an account's board, by their ids; `None` for those that are gone from it.
pub type Placements = BTreeMap<MessageId, Option<Place>>;

/// The board.
#[derive(Clone, PartialEq, Debug)]
pub struct Board {
    account_id: AccountId,
    sections: BTreeMap<SectionId, Section>,
    tasks: BTreeMap<MessageId, Task>,
    /// What stands where; the same as the tasks say.
    order: BTreeMap<Place, MessageId>,
    /// Canned responses by the time of their text, which no two share.
    canned: BTreeMap<Stamp, MessageId>,
    names: BTreeMap<Uuid, MessageId>,
    gone_tasks: BTreeSet<(Stamp, MessageId)>,
    gone_sections: BTreeSet<(Stamp, SectionId)>,
    placements: Arc<Placements>,
    bytes: u64,
}

/// The id of a built-in section of an account; `None` for those that its owner makes.
#[must_use]
pub fn built_in(account_id: AccountId, subtype: MySectionSubtype) -> Option<SectionId> {
    let name: &[u8] = match subtype {
        MySectionSubtype::Default => b"section:default",
        MySectionSubtype::Archived => b"section:archived",
        MySectionSubtype::User => return None,
    };
    Some(SectionId(Uuid::new_v5(&account_id.0, name)))
}

impl Board {
    /// The board of an account that has done nothing with it.
    #[must_use]
    pub fn new(account_id: AccountId) -> Self {
        let made = |subtype, name: &str, weight| {
            let section = Section { name: name.to_owned(), subtype, weight, is_deleted: false, stamp: 0 };
            built_in(account_id, subtype).map(|id| (id, section))
        };
        let default = made(MySectionSubtype::Default, "To Do", Weight::FIRST);
        let archived = made(MySectionSubtype::Archived, "Archived", Weight::LAST);
        Self {
            account_id,
            sections: default.into_iter().chain(archived).collect(),
            tasks: BTreeMap::new(),
            order: BTreeMap::new(),
            canned: BTreeMap::new(),
            names: BTreeMap::new(),
            gone_tasks: BTreeSet::new(),
            gone_sections: BTreeSet::new(),
            placements: Arc::default(),
            bytes: 0,
        }
    }

    /// The section in which new tasks stand.
    #[must_use]
    pub fn default_id(&self) -> SectionId {
        built_in(self.account_id, MySectionSubtype::Default).expect("it is built in")
    }

    /// The section of what was put away.
    #[must_use]
    pub fn archived_id(&self) -> SectionId {
        built_in(self.account_id, MySectionSubtype::Archived).expect("it is built in")
    }

    /// A section, deleted or not.
    #[must_use]
    pub fn section(&self, id: SectionId) -> Option<&Section> {
        self.sections.get(&id)
    }

    /// Sections that are not deleted, in the order in which they are shown.
    #[must_use]
    pub fn shown_sections(&self) -> Vec<(SectionId, &Section)> {
        let live = self.sections.iter().filter(|(_, section)| !section.is_deleted);
        let mut shown: Vec<_> = live.map(|(id, section)| (*id, section)).collect();
        shown.sort_by_key(|(_, section)| std::cmp::Reverse(section.weight));
        shown
    }

    /// The sections that changed after a stamp, deleted ones among them; all that there are for a stamp of 0.
    #[must_use]
    pub fn sections_since(&self, horizon: Stamp) -> Vec<SectionId> {
        let mut changed: Vec<_> = self
            .sections
            .iter()
            .filter(|(_, section)| if horizon == 0 { !section.is_deleted } else { section.stamp > horizon })
            .collect();
        changed.sort_by_key(|(_, section)| std::cmp::Reverse(section.weight));
        changed.into_iter().map(|(id, _)| *id).collect()
    }

    /// A task, a canned response, or what is remembered of one.
    #[must_use]
    pub fn task(&self, id: MessageId) -> Option<&Task> {
        self.tasks.get(&id)
    }

    /// What changed after a stamp, oldest change first.
    #[must_use]
    pub fn tasks_since(&self, horizon: Stamp) -> Vec<MessageId> {
        let changed = self.tasks.iter().filter(|(_, task)| task.stamp > horizon);
        let mut changed: Vec<_> = changed.map(|(id, task)| (task.stamp, *id)).collect();
        changed.sort_unstable();
        changed.into_iter().map(|(_, id)| id).collect()
    }

    /// The tasks of a section from its first to its last, those below a weight only when one is given.
    pub fn tasks_of(
        &self,
        section_id: SectionId,
        below: Option<Weight>,
    ) -> impl Iterator<Item = (Weight, MessageId)> {
        let from = Bound::Included(Place { section_id, weight: Weight::LOWEST });
        let to = match below {
            Some(weight) => Bound::Excluded(Place { section_id, weight }),
            None => Bound::Included(Place { section_id, weight: Weight::HIGHEST }),
        };
        self.order.range((from, to)).rev().map(|(place, id)| (place.weight, *id))
    }

    /// The weight on top of a section.
    #[must_use]
    pub fn top_of(&self, section_id: SectionId) -> Option<Weight> {
        self.tasks_of(section_id, None).next().map(|(weight, _)| weight)
    }

    /// How many tasks stand on it.
    #[must_use]
    pub fn tasks_standing(&self) -> usize {
        self.order.len()
    }

    /// Canned responses, newest first, those before a place of the list only when one is given.
    pub fn canned_before(&self, before: Option<Stamp>) -> impl Iterator<Item = (Stamp, MessageId)> {
        self.canned.range(..before.unwrap_or(Stamp::MAX)).rev().map(|(store_time, id)| (*store_time, *id))
    }

    /// How many canned responses there are.
    #[must_use]
    pub fn canned_count(&self) -> usize {
        self.canned.len()
    }

    /// The canned response of a name.
    #[must_use]
    pub fn canned_named(&self, name: Uuid) -> Option<MessageId> {
        self.names.get(&name).copied()
    }

    /// A name as [`What::Canned`] has it.
    #[must_use]
    pub fn name_key(&self, name: &str) -> Uuid {
        Uuid::new_v5(&self.account_id.0, name.to_lowercase().as_bytes())
    }

    /// What is remembered of tasks that are gone and is to be forgotten once so many more are.
    pub fn forgettable_tasks(&self, more: usize) -> impl Iterator<Item = MessageId> {
        let count = (self.gone_tasks.len() + more).saturating_sub(GONE_MAX);
        self.gone_tasks.iter().take(count).map(|(_, id)| *id)
    }

    /// As [`Board::forgettable_tasks`], of sections.
    pub fn forgettable_sections(&self, more: usize) -> impl Iterator<Item = SectionId> {
        let count = (self.gone_sections.len() + more).saturating_sub(GONE_MAX);
        self.gone_sections.iter().take(count).map(|(_, id)| *id)
    }

    /// How much the files of private tasks and canned responses take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the conversations' tasks stand.
    #[must_use]
    pub fn placements(&self) -> &Arc<Placements> {
        &self.placements
    }

    /// Puts a section in, or forgets one.
    pub(super) fn fold_section(&mut self, id: SectionId, section: Option<&Section>) {
        if let Some(before) = self.sections.remove(&id) {
            self.gone_sections.remove(&(before.stamp, id));
        }
        if let Some(section) = section {
            if section.is_deleted {
                self.gone_sections.insert((section.stamp, id));
            }
            self.sections.insert(id, section.clone());
        }
    }

    /// Puts a task in, or forgets one.
    pub(super) fn fold_task(&mut self, id: MessageId, task: Option<&Task>) {
        if let Some(before) = self.tasks.remove(&id) {
            self.bytes -= before.bytes;
            self.unlist(id, &before);
        }
        if let Some(task) = task {
            self.list(id, task);
            self.bytes += task.bytes;
            self.tasks.insert(id, task.clone());
        }
    }

    fn unlist(&mut self, id: MessageId, task: &Task) {
        // Two tasks may change places in one decision; the place may be another one's by now.
        if let Some(place) = task.place
            && self.order.get(&place) == Some(&id)
        {
            self.order.remove(&place);
        }
        self.gone_tasks.remove(&(task.stamp, id));
        match task.what {
            What::Canned { name, store_time } => {
                self.canned.remove(&store_time);
                if self.names.get(&name) == Some(&id) {
                    self.names.remove(&name);
                }
            }
            What::Assigned { .. } => drop(Arc::make_mut(&mut self.placements).remove(&id)),
            What::Private { .. } | What::Deleted => {}
        }
    }

    fn list(&mut self, id: MessageId, task: &Task) {
        if let Some(place) = task.place {
            self.order.insert(place, id);
        }
        if task.is_gone() {
            self.gone_tasks.insert((task.stamp, id));
        }
        match task.what {
            What::Canned { name, store_time } => {
                self.canned.insert(store_time, id);
                self.names.insert(name, id);
            }
            What::Assigned { .. } => {
                Arc::make_mut(&mut self.placements).insert(id, task.place);
            }
            What::Private { .. } | What::Deleted => {}
        }
    }
}
