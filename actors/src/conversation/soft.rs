//! What a conversation remembers in memory only: pens, editing locks, and who listens to them (conversations.md §8;
//! websocket.md, promise 6). A restart forgets it, and nobody is told late.

use std::collections::BTreeMap;

use rill_proto::id::AccountId;
use rill_proto::limits::{ACTIVATION_MS, EDIT_LOCK_MS, PEN_MS};

use super::rules::Soft;
use crate::presence::Lane;

const PEN_S: i64 = PEN_MS as i64 / 1000;
const LOCK_S: i64 = EDIT_LOCK_MS as i64 / 1000;
const ACTIVATION_S: i64 = ACTIVATION_MS as i64 / 1000;

/// Pens, locks and activations, each with the unix second at which it ends.
#[derive(Debug, Default)]
pub struct SoftState {
    pens: BTreeMap<AccountId, i64>,
    locks: BTreeMap<u64, (AccountId, i64)>,
    activated: Vec<(Lane, i64)>,
}

/// What has ended by itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Expired {
    /// Accounts that do not write any more.
    pub pens: Vec<AccountId>,
    /// Messages that nobody edits any more.
    pub locks: Vec<u64>,
}

impl SoftState {
    /// Applies what a decision said, for the session that asked (`None`: nobody did).
    pub fn apply(&mut self, soft: &[Soft], lane: Option<&Lane>, now: i64) {
        for change in soft {
            match change {
                Soft::Activate => {
                    let Some(lane) = lane else { continue };
                    self.activated.retain(|(known, _)| known != lane && known.is_alive());
                    self.activated.push((lane.clone(), now + ACTIVATION_S));
                }
                Soft::Pen(account_id) => {
                    self.pens.insert(*account_id, now + PEN_S);
                }
                Soft::PenOff(account_id) => {
                    self.pens.remove(account_id);
                }
                Soft::Lock(message_nr, account_id) => {
                    self.locks.insert(*message_nr, (*account_id, now + LOCK_S));
                }
                Soft::Unlock(message_nr) => {
                    self.locks.remove(message_nr);
                }
            }
        }
    }

    /// Takes out what has ended.
    pub fn expire(&mut self, now: i64) -> Expired {
        let pens =
            self.pens.extract_if(.., |_, until| *until <= now).map(|(account_id, _)| account_id).collect();
        let locks = self.locks.extract_if(.., |_, (_, until)| *until <= now).map(|(nr, _)| nr).collect();
        self.activated.retain(|(lane, until)| *until > now && lane.is_alive());
        Expired { pens, locks }
    }

    /// When the next pen or lock ends, in unix seconds.
    #[must_use]
    pub fn next_end(&self) -> Option<i64> {
        let locks = self.locks.values().map(|(_, until)| *until);
        self.pens.values().copied().chain(locks).min()
    }

    /// Nobody writes or edits, so that nothing is lost when the conversation leaves the memory.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.pens.is_empty() && self.locks.is_empty() && self.activated.is_empty()
    }

    /// Pens and when they end.
    #[must_use]
    pub fn pens(&self) -> &BTreeMap<AccountId, i64> {
        &self.pens
    }

    /// Who edits which message.
    #[must_use]
    pub fn locks(&self) -> BTreeMap<u64, AccountId> {
        self.locks.iter().map(|(nr, (account_id, _))| (*nr, *account_id)).collect()
    }

    /// The sessions that hear pens and locks.
    pub fn activated(&self, now: i64) -> impl Iterator<Item = &Lane> {
        self.activated.iter().filter(move |(_, until)| *until > now).map(|(lane, _)| lane)
    }
}
