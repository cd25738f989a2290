//! The organisation ("business"): who is in it, what it manages, its settings and its changelog (accounts.md §9).
//!
//! The account alone decides which organisation it is in; an organisation asks, and takes the answer. Here are the orders of
//! the HTTP calls that no event twins; the actor is in [`crate::group`].

use rill_proto::id::AccountId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub mod changelog;
pub mod holdings;
pub mod record;
pub mod rows;
mod rules;
pub mod sight;
pub mod state;

/// The owner of one organisation.
pub type Organisation = crate::group::Office<state::State>;

/// How many have a row in one organisation: everybody who was ever invited. An append that tells all of them is a few
/// megabytes.
pub const MEMBERS_MAX: usize = 10_000;

/// What an HTTP call asks of an organisation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Order {
    /// To come to be; the founder has it as his already.
    Found {
        /// Its name.
        organisation_name: String,
    },
    /// To show itself.
    Sync,
    /// To change who is in it, and its name.
    Configure(Box<Configure>),
    /// To take in whoever has joined; his account has decided that already.
    Admit {
        /// The invitation that he has answered.
        reminder_id: Uuid,
    },
    /// To show its changelog, the newest first.
    Changelog {
        /// Only what is older than this version.
        version_nr: Option<u64>,
    },
    /// To show what it owes.
    Billing,
    /// To close.
    Close,
}

/// What an admin wants to be otherwise (accounts.md §9.2). It is done in this order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Configure {
    /// Its name.
    pub organisation_name: Option<String>,
    /// Who is invited.
    pub add_account_ids: Vec<AccountId>,
    /// Who is sent the invitation again.
    pub reinvite_account_ids: Vec<AccountId>,
    /// Who becomes an admin.
    pub add_admin_ids: Vec<AccountId>,
    /// Who is an admin no more.
    pub remove_admin_ids: Vec<AccountId>,
    /// Who leaves it, and stays where he is.
    pub remove_account_ids: Vec<AccountId>,
    /// Who leaves it, and all that it manages.
    pub kick_account_ids: Vec<AccountId>,
    /// Whose account is closed.
    pub close_account_ids: Vec<AccountId>,
    /// Who is locked out.
    pub suspend_account_ids: Vec<AccountId>,
    /// Who is let in again.
    pub activate_account_ids: Vec<AccountId>,
}

/// What an HTTP call asks of an organisation, and for whom.
pub type Call = crate::group::Order<Order>;

/// Whoever names an account a few times means it once.
#[must_use]
pub fn distinct(ids: &[AccountId]) -> Vec<AccountId> {
    let set: std::collections::BTreeSet<AccountId> = ids.iter().copied().collect();
    set.into_iter().collect()
}
