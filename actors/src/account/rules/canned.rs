//! The list of canned responses (accounts.md §6). Not here: how one is made and changed.

use rill_proto::event::contact::{CannedCursor, SyncCanned};
use rill_proto::field::Timestamp;
use serde_json::{Value, json};

use super::Decision;
use crate::account::board::record::Told;
use crate::account::state::State;

/// `contact:sync_canned`: the next of them, newest first.
pub(super) fn sync(state: &State, event: &SyncCanned) -> Decision {
    let before = event.sync_cursor.0.as_ref().map(|cursor| u64::try_from(cursor.store_time.0).unwrap_or(0));
    let mut rest = state.board.canned_before(before);
    let page: Vec<_> = rest.by_ref().take(event.limit.get()).collect();
    let last = page.last().filter(|_| rest.next().is_some());
    let sync_cursor = last.map(|(store_time, message_id)| {
        let store_time = Timestamp(i64::try_from(*store_time).unwrap_or(i64::MAX));
        let cursor = CannedCursor { message_id: *message_id, store_time };
        serde_json::to_string(&cursor).expect("an id and a number are always JSON")
    });
    Decision {
        board: page.into_iter().map(|(_, id)| Told::Task(id)).collect(),
        identifier: json!({ "account_id": state.account_id }),
        sync_cursor: Some(sync_cursor.map_or(Value::Null, Value::from)),
        ..Decision::default()
    }
}
