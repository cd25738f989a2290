//! The team: a named set of accounts, and the conversations that have it (accounts.md §8).
//!
//! A conversation decides whether it has a team; the team decides who is in it, and tells its conversations. Here are the
//! orders of the HTTP calls that no event twins; the actor is in [`crate::group`].

use rill_proto::id::{AccountId, ConversationId, LabelId, OrganisationId, TeamId};

use crate::account::employment::team_label_id;
use serde::{Deserialize, Serialize};

pub mod comparison;
pub mod record;
pub mod roster;
pub mod rows;
mod rules;
pub mod sight;
pub mod state;

/// The owner of one team.
pub type Team = crate::group::Office<state::State>;

/// How many are in one team: as many as may be in one conversation, which all of them join.
pub const MEMBERS_MAX: usize = 1_000;

/// What an HTTP call asks of a team.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Order {
    /// To show itself, to whoever may know it, or through a conversation that has it.
    Sync {
        /// The conversation.
        conversation_id: Option<ConversationId>,
    },
    /// To show itself to an admin of the organisation that manages it.
    Survey {
        /// The organisation.
        organisation_id: OrganisationId,
    },
    /// To come to be.
    Create(Box<Create>),
    /// To be otherwise.
    Configure(Box<Configure>),
    /// To take in whoever has its link.
    Autojoin,
}

/// A team that is to be (accounts.md §8.5).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Create {
    /// Its name.
    pub team_name: String,
    /// Who is in it, its creator aside.
    pub account_ids: Vec<AccountId>,
    /// Whoever has its link may join.
    pub is_autojoin: bool,
    /// The creator's organisation manages it; where nothing is said, it does so if he is in one.
    pub is_managed: Option<bool>,
    /// Everybody in the organisation is in it.
    pub is_org_wide: bool,
    /// Its admin makes it for this organisation.
    pub organisation_id: Option<OrganisationId>,
    /// Conversations that are to have it from its beginning on, and what they are called.
    pub conversations: Vec<(ConversationId, String)>,
}

/// What somebody wants to be otherwise in a team. It is done in this order, and each part is one change.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Configure {
    /// Who comes in.
    pub add_account_ids: Vec<AccountId>,
    /// Who leaves it.
    pub remove_account_ids: Vec<AccountId>,
    /// Who leaves it together with what he could read.
    pub kick_account_ids: Vec<AccountId>,
    /// Its name.
    pub team_name: Option<String>,
    /// Whoever has its link may join.
    pub is_autojoin: Option<bool>,
    /// Who becomes an admin.
    pub add_admin_ids: Vec<AccountId>,
    /// Who is an admin no more.
    pub remove_admin_ids: Vec<AccountId>,
    /// The caller's organisation manages it.
    pub is_managed: Option<bool>,
    /// Everybody in the organisation is in it.
    pub is_org_wide: Option<bool>,
    /// It goes.
    pub is_deleted: bool,
    /// An admin does it for this organisation.
    pub organisation_id: Option<OrganisationId>,
}

/// What an HTTP call asks of a team, and for whom.
pub type Call = crate::group::Order<Order>;

/// The id of an account's label for a team.
#[must_use]
pub fn label_id(account_id: AccountId, team_id: TeamId) -> LabelId {
    team_label_id(account_id, team_id)
}
