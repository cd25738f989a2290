//! Servers that break a promise on purpose, for the test that shows that the load harness convicts them.
//!
//! Compiled with the feature `broken` alone, which is in no build that serves anybody. `RILL_BROKEN` names the fault: `drop`, `double`,
//! `reorder` (messages) or `miscount` (the unread counter of a header); it strikes one record in [`ONE_IN`]. Without the variable all is
//! well.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use rill_proto::id::AccountId;
use rill_proto::record::conv::View;

use crate::piece::Piece;

/// How seldom a fault strikes.
const ONE_IN: u64 = 10_000;

/// What is broken.
static FAULT: LazyLock<String> = LazyLock::new(|| std::env::var("RILL_BROKEN").unwrap_or_default());

static RECORDS: AtomicU64 = AtomicU64::new(0);
static IS_DUE: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Messages that wait for the one that overtakes them, by viewer.
    static HELD: RefCell<HashMap<AccountId, Piece>> = RefCell::default();
}

/// What is written in place of a record: mostly itself.
pub(super) fn in_place_of(piece: &Piece, viewer: AccountId) -> Vec<Piece> {
    if RECORDS.fetch_add(1, Ordering::Relaxed) % ONE_IN == ONE_IN - 1 {
        IS_DUE.store(true, Ordering::Relaxed);
    }
    let is_message = matches!(piece, Piece::Message(..));
    let held = if is_message { HELD.with_borrow_mut(|held| held.remove(&viewer)) } else { None };
    let mut written = match (FAULT.as_str(), piece) {
        ("drop", Piece::Message(..)) if strikes() => Vec::new(),
        ("double", Piece::Message(..)) if strikes() => vec![piece.clone(), piece.clone()],
        ("reorder", Piece::Message(..)) if held.is_none() && strikes() => {
            HELD.with_borrow_mut(|held| held.insert(viewer, piece.clone()));
            Vec::new()
        }
        ("miscount", Piece::Conv { shared, view }) if strikes() => {
            let view = View { unread_count: view.unread_count + 1, ..View::clone(view) };
            vec![Piece::Conv { shared: shared.clone(), view: Arc::new(view) }]
        }
        _ => vec![piece.clone()],
    };
    written.extend(held);
    written
}

fn strikes() -> bool {
    IS_DUE.swap(false, Ordering::Relaxed)
}
