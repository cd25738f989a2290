//! What is written down of an organisation's changes (accounts.md §9.5), for its admins.

use rill_proto::id::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Who did it.
    pub account_id: AccountId,
    /// What was done.
    pub event_type: String,
    /// With what.
    pub event_data: Map<String, Value>,
    /// Unix seconds.
    pub event_time: i64,
}

impl Entry {
    /// Of something that somebody does himself: what it says names him.
    #[must_use]
    pub fn of(account_id: AccountId, event_type: &str, data: Value, now: i64) -> Self {
        let mut entry = Self::without_actor(account_id, event_type, data, now);
        entry.event_data.insert("account_id".to_owned(), Value::from(account_id.0.to_string()));
        entry
    }

    /// Of something about somebody: what it says names him otherwise.
    #[must_use]
    pub fn without_actor(account_id: AccountId, event_type: &str, data: Value, now: i64) -> Self {
        let event_data = if let Value::Object(data) = data { data } else { Map::new() };
        Self { account_id, event_type: event_type.to_owned(), event_data, event_time: now }
    }
}
