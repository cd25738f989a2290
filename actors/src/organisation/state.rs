//! An organisation as its owner holds it: the rows, and `fold`, the only way in which they change.

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::classificator::{OrganisationFlag, OrganisationStatus, StaffStatus};
use rill_proto::id::{AccountId, ConversationId, OrganisationId, TeamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::changelog::Entry;
use crate::store::Stamp;

/// The organisation's own facts; one row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub founder_id: AccountId,
    /// At work or closed.
    pub status: OrganisationStatus,
    /// The settings that are on.
    #[serde(default)]
    pub flags: BTreeSet<OrganisationFlag>,
    /// Rises with every change that is logged, and with a few that are not.
    pub version_nr: u64,
    /// When anything that the header says last changed.
    pub stamp: Stamp,
}

/// Somebody's place in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Invited, at work, gone, …
    pub status: StaffStatus,
    /// He is, or will be when he is active, an admin.
    #[serde(default)]
    pub is_admin: bool,
    /// Who invited him; `None` for the founder.
    #[serde(default)]
    pub inviter_id: Option<AccountId>,
    /// The invitation that he may answer.
    #[serde(default)]
    pub reminder_id: Option<Uuid>,
    /// Unix seconds of his latest invitations, within the hour.
    #[serde(default)]
    pub invited: Vec<i64>,
    /// When the row last changed.
    pub stamp: Stamp,
}

/// Something that it manages, or did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Charge {
    /// It manages it now.
    pub is_managed: bool,
    /// Of the newest change that was told of it: an older one says nothing new.
    pub version: Stamp,
}

/// One new row value, or (`None`) a row that goes.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The head.
    Head(Head),
    /// A member.
    Member(AccountId, Member),
    /// An entry of the changelog, by its version; not held in memory.
    Entry(u64, Entry),
    /// A team.
    Team(TeamId, Charge),
    /// A conversation.
    Conversation(ConversationId, Charge),
}

/// Everything that an active organisation holds in memory.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    /// Its id.
    pub id: OrganisationId,
    /// Its own facts; `None` while it does not exist.
    pub head: Option<Head>,
    /// Everybody who was ever asked into it.
    pub members: BTreeMap<AccountId, Member>,
    /// Teams that it manages, or did.
    pub teams: BTreeMap<TeamId, Charge>,
    /// Conversations that it manages, or did.
    pub conversations: BTreeMap<ConversationId, Charge>,
}

impl State {
    /// One that does not exist yet.
    #[must_use]
    pub fn new(id: OrganisationId) -> Self {
        Self {
            id,
            head: None,
            members: BTreeMap::new(),
            teams: BTreeMap::new(),
            conversations: BTreeMap::new(),
        }
    }

    /// Puts one change in.
    pub fn fold(&mut self, change: &Change) {
        match change {
            Change::Head(head) => self.head = Some(head.clone()),
            Change::Member(id, member) => {
                self.members.insert(*id, member.clone());
            }
            Change::Entry(..) => {}
            Change::Team(id, charge) => {
                self.teams.insert(*id, *charge);
            }
            Change::Conversation(id, charge) => {
                self.conversations.insert(*id, *charge);
            }
        }
    }

    /// Whether it is open and somebody is an active member of it.
    #[must_use]
    pub fn is_active(&self, id: AccountId) -> bool {
        self.members.get(&id).is_some_and(|member| member.status == StaffStatus::Active)
    }

    /// Whether it is open and somebody is an active admin of it.
    #[must_use]
    pub fn is_admin(&self, id: AccountId) -> bool {
        self.is_active(id) && self.members.get(&id).is_some_and(|member| member.is_admin)
    }

    /// Its active members.
    pub fn active(&self) -> impl Iterator<Item = AccountId> + '_ {
        let active = self.members.iter().filter(|(_, member)| member.status == StaffStatus::Active);
        active.map(|(id, _)| *id)
    }
}
