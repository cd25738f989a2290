//! What came of requests, by `client_req_id` (websocket.md, promise 5): the newest in memory, so that a retry that follows
//! at once costs no read, and so that one whose append is still under way is known. The store has all.

use std::collections::{HashMap, VecDeque};

use rill_proto::id::{AccountId, RequestId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::APPENDS_UNDER_WAY_MAX;

/// How many outcomes are remembered in memory: no fewer than may be under way.
const OUTCOMES_MAX: usize = APPENDS_UNDER_WAY_MAX;

/// What is kept under a `client_req_id`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// `identifier` of the first answer.
    pub identifier: Value,
}

/// Outcomes of the newest requests.
#[derive(Default)]
pub(crate) struct Outcomes {
    known: HashMap<(AccountId, RequestId), Outcome>,
    order: VecDeque<(AccountId, RequestId)>,
}

impl Outcomes {
    pub(crate) fn put(&mut self, key: (AccountId, RequestId), outcome: Outcome) {
        self.known.insert(key, outcome);
        self.order.push_back(key);
        if self.order.len() > OUTCOMES_MAX {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
    }

    pub(crate) fn get(&self, key: (AccountId, RequestId)) -> Option<&Outcome> {
        self.known.get(&key)
    }
}
