//! What other owners' rules may ask of a team, read from its rows as they are stored; it wakes no owner.

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::id::{AccountId, ConversationId, TeamId};

use super::roster::Roster;
use super::rows::load;
use super::state::State;
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
}

impl Sight {
    /// As it is; `None` when it does not exist.
    #[must_use]
    pub fn of(state: &State) -> Option<Self> {
        let head = state.head.as_ref()?;
        let conversations = state.conversations.iter().map(|(id, place)| (*id, place.is_there));
        Some(Self {
            roster: Roster::of(state)?,
            admins: state.admins().collect(),
            is_autojoin: head.is_autojoin,
            conversations: conversations.collect(),
        })
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
