//! What other owners' rules may ask of a team, read from its rows as they are stored; it wakes no owner.

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::id::{AccountId, ConversationId, TeamId};

use super::roster::Roster;
use super::rows::load;
use super::state::State;
use super::{Configure, Create};
use crate::store::{Aggregate, Store, StoreFault};

/// A team in the eyes of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sight {
    /// Who is in it, and whose it is.
    pub roster: Roster,
    /// Its admins.
    pub admins: BTreeSet<AccountId>,
    /// Whoever has its link may join.
    pub is_autojoin: bool,
    /// The conversations that have it.
    pub conversations: BTreeMap<ConversationId, bool>,
    /// Conversations that it was made with, and that have not said yet that they have it.
    pub promised: BTreeSet<ConversationId>,
}

impl Sight {
    /// As it is; `None` when it does not exist.
    #[must_use]
    pub fn of(state: &State) -> Option<Self> {
        let head = state.head.as_ref()?;
        let conversations = state.conversations.iter().map(|(id, place)| (*id, place.is_there));
        let promised = state.conversations.iter().filter(|(_, place)| place.is_promised());
        Some(Self {
            roster: Roster::of(state)?,
            admins: state.admins().collect(),
            is_autojoin: head.is_autojoin,
            conversations: conversations.collect(),
            promised: promised.map(|(id, _)| *id).collect(),
        })
    }

    /// As whoever makes it wants it to be, in the eyes of its conversations.
    #[must_use]
    pub fn wanted(id: TeamId, creator: AccountId, wanted: &Create) -> Self {
        let members = wanted.account_ids.iter().copied().chain([creator]);
        let roster = Roster {
            team_id: id,
            team_name: wanted.team_name.clone(),
            members: members.collect(),
            kicked: BTreeSet::new(),
            organisation_id: wanted.organisation_id,
            is_deleted: false,
            version: 1,
        };
        Self {
            roster,
            admins: BTreeSet::from([creator]),
            is_autojoin: wanted.is_autojoin,
            conversations: BTreeMap::new(),
            promised: wanted.conversations.iter().map(|(id, _)| *id).collect(),
        }
    }

    /// As it is after somebody has configured it, in the eyes of its conversations.
    #[must_use]
    pub fn configured(mut self, by: AccountId, wanted: &Configure) -> Self {
        let roster = &mut self.roster;
        roster.members.extend(&wanted.add_account_ids);
        let gone = [&wanted.remove_account_ids[..], &wanted.kick_account_ids].concat();
        roster.members.retain(|id| !gone.contains(id));
        self.admins.extend(&wanted.add_admin_ids);
        self.admins.retain(|id| !gone.contains(id) && !wanted.remove_admin_ids.contains(id));
        match (wanted.is_managed, roster.organisation_id) {
            (Some(false), _) => roster.organisation_id = None,
            (Some(true), None) => {
                roster.organisation_id = wanted.organisation_id;
                self.admins = BTreeSet::from([by]);
            }
            (Some(true), Some(_)) | (None, _) => {}
        }
        roster.is_deleted |= wanted.is_deleted;
        self
    }

    /// Whether somebody is in it.
    #[must_use]
    pub fn is_member(&self, id: AccountId) -> bool {
        self.roster.members.contains(&id)
    }

    /// Whether somebody is in it, or one of its admins.
    #[must_use]
    pub fn is_member_or_admin(&self, id: AccountId) -> bool {
        self.is_member(id) || self.admins.contains(&id)
    }
}

/// A team as it is stored; `None` when there is none.
///
/// # Errors
/// The store cannot be read.
pub async fn sight(store: &dyn Store, id: TeamId) -> Result<Option<Sight>, StoreFault> {
    match store.load(Aggregate::Team(id)).await? {
        Some(loaded) => Ok(Sight::of(&load(id, &loaded)?)),
        None => Ok(None),
    }
}
