//! A team as its owner holds it: the rows, and `fold`, the only way in which they change.

use std::collections::BTreeMap;

use rill_proto::id::{AccountId, ConversationId, OrganisationId, TeamId};
use serde::{Deserialize, Serialize};

use crate::store::Stamp;

/// The team's own facts; one row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Its name.
    pub name: String,
    /// The organisation that manages it.
    #[serde(default)]
    pub organisation_id: Option<OrganisationId>,
    /// Unix seconds since when.
    #[serde(default)]
    pub managed_time: Option<i64>,
    /// Whoever comes into the organisation comes into it.
    #[serde(default)]
    pub is_org_wide: bool,
    /// Whoever has its link may join.
    #[serde(default)]
    pub is_autojoin: bool,
    /// It is gone.
    #[serde(default)]
    pub is_deleted: bool,
    /// Rises with every change.
    pub version_nr: u64,
    /// When anything of it last changed.
    pub stamp: Stamp,
}

/// Somebody who is in it, or was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Member {
    /// He is in it.
    pub is_present: bool,
    /// He configures it, where an organisation manages it; he need not be in it.
    #[serde(default)]
    pub is_admin: bool,
    /// The organisation's invitation to him is unanswered.
    #[serde(default)]
    pub is_pending: bool,
    /// He was put out together with what he could read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_kicked: bool,
    /// When the row last changed.
    pub stamp: Stamp,
}

/// A conversation that has it, or had.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// It has it.
    pub is_there: bool,
    /// What the conversation was called then.
    #[serde(default)]
    pub topic: String,
    /// Of the newest change that was told of it; 0 while the conversation has told none.
    pub version: Stamp,
}

impl Place {
    /// Of a conversation that the team was made with.
    #[must_use]
    pub fn promised(topic: &str) -> Self {
        Self { is_there: false, topic: topic.to_owned(), version: 0 }
    }

    /// The conversation has not said anything yet.
    #[must_use]
    pub fn is_promised(&self) -> bool {
        self.version == 0
    }
}

/// One new row value.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The head.
    Head(Head),
    /// A member.
    Member(AccountId, Member),
    /// A conversation.
    Place(ConversationId, Place),
}

/// Everything that an active team holds in memory.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    /// Its id.
    pub id: TeamId,
    /// Its own facts; `None` while it does not exist.
    pub head: Option<Head>,
    /// Everybody who is in it, or was.
    pub members: BTreeMap<AccountId, Member>,
    /// Conversations that have it, or had.
    pub conversations: BTreeMap<ConversationId, Place>,
}

impl State {
    /// One that does not exist yet.
    #[must_use]
    pub fn new(id: TeamId) -> Self {
        Self { id, head: None, members: BTreeMap::new(), conversations: BTreeMap::new() }
    }

    /// Puts one change in.
    pub fn fold(&mut self, change: &Change) {
        match change {
            Change::Head(head) => self.head = Some(head.clone()),
            Change::Member(id, member) => {
                self.members.insert(*id, *member);
            }
            Change::Place(id, place) => {
                self.conversations.insert(*id, place.clone());
            }
        }
    }

    /// Whether somebody is in it.
    #[must_use]
    pub fn is_present(&self, id: AccountId) -> bool {
        self.members.get(&id).is_some_and(|member| member.is_present)
    }

    /// Everybody in it.
    pub fn present(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.members.iter().filter(|(_, member)| member.is_present).map(|(id, _)| *id)
    }

    /// Its admins.
    pub fn admins(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.members.iter().filter(|(_, member)| member.is_admin).map(|(id, _)| *id)
    }
}
