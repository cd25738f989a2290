//! Reading fields of records without trusting them.
//!
//! Every reader gives `None` for a field that is missing or of another type, so an odd record changes nothing instead
//! of ending the program. Not here: what a field means.

use rill_proto::id::{AccountId, ConversationId};
use serde_json::Value;
use uuid::Uuid;

/// A text field.
pub(crate) fn text<'a>(record: &'a Value, key: &str) -> Option<&'a str> {
    record.get(key)?.as_str()
}

/// A number that is not negative, whole.
pub(crate) fn number(record: &Value, key: &str) -> Option<u64> {
    record.get(key)?.as_u64()
}

/// A time or another number that may have a fraction.
pub(crate) fn decimal(record: &Value, key: &str) -> Option<f64> {
    record.get(key)?.as_f64()
}

/// A truth value.
pub(crate) fn flag(record: &Value, key: &str) -> Option<bool> {
    record.get(key)?.as_bool()
}

/// A uuid field.
pub(crate) fn uuid(record: &Value, key: &str) -> Option<Uuid> {
    Uuid::parse_str(text(record, key)?).ok()
}

/// An account's id.
pub(crate) fn account(record: &Value, key: &str) -> Option<AccountId> {
    uuid(record, key).map(AccountId)
}

/// A list of account ids; entries that are none are left out.
pub(crate) fn accounts(record: &Value, key: &str) -> Option<Vec<AccountId>> {
    let ids = record.get(key)?.as_array()?;
    Some(ids.iter().filter_map(|id| Some(AccountId(Uuid::parse_str(id.as_str()?).ok()?))).collect())
}

/// `conversation_id`.
pub(crate) fn conversation(record: &Value) -> Option<ConversationId> {
    uuid(record, "conversation_id").map(ConversationId)
}
