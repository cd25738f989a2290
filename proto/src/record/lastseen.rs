//! `lastseen`: when an account was last active (protocol.md §3.5).

use serde::Serialize;

use crate::id::AccountId;

/// The answer for one account; those that never were active have none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "lastseen")]
pub struct Lastseen {
    /// Key.
    pub account_id: AccountId,
    /// Unix seconds at which it last posted or read.
    pub activity_time: i64,
}
