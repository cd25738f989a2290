//! Judges appends against the store plus what is pending, and turns the admitted ones into writes.
//!
//! Owned here: version checks, the memory of requests. Runs on the writer thread only. Deliberately not here:
//! which claims are granted (`claims`), when things are committed and who is told (`writer`).

use std::collections::HashMap;
use std::ops::Bound;

use super::engine::{Engine, Space, fault};
use super::keys;
use super::pending::Pending;
use crate::store::claims;
use crate::store::{Aggregate, Append, AppendError, EffectId, REQUEST_MEMORY_US, RowKey, Stamp, StoreFault};

/// Versions that each of the two halves of the cache remembers: aggregates in active use, at about 50 bytes each. One
/// that is not among them costs a read.
const VERSIONS_PER_HALF_MAX: usize = 32 * 1024;

/// After so many new requests old ones are swept: seldom enough that finding the place costs nothing.
const SWEEP_AFTER_CLAIMS: usize = 256;

/// Old requests swept for each new one, so that a backlog shrinks whatever the load is.
const SWEPT_PER_CLAIM: usize = 2;

/// Where the last stamp stands in the meta keyspace.
pub(super) const LAST_STAMP_KEY: &[u8] = b"last_stamp";

/// The state of the judge between appends.
#[derive(Default)]
pub(super) struct Admission {
    /// Versions seen lately.
    young: HashMap<Aggregate, u64>,
    /// Versions seen before those; dropped as a whole when `young` is full.
    old: HashMap<Aggregate, u64>,
    /// Requests claimed since the last sweep.
    claims: usize,
    /// Those of this batch, with the keys of their holders.
    claimed: Vec<(Stamp, Vec<u8>)>,
    /// Everything before this key of the time index is swept, so its tombstones need not be read again.
    swept: Vec<u8>,
}

impl Admission {
    /// Checks an append, and when it may happen puts its writes into `pending`. The outer error is the engine's.
    pub(super) fn admit(
        &mut self,
        engine: &Engine,
        pending: &mut Pending,
        append: &Append,
    ) -> Result<Result<(), AppendError>, StoreFault> {
        let found = self.version(engine, append.aggregate)?;
        if found != append.expected_version {
            return Ok(Err(AppendError::Moved { expected: append.expected_version, found }));
        }
        let held = |unique: &[u8]| {
            let holder = pending.get(engine, Space::Uniques, unique)?;
            holder.map(|value| keys::parse_holder(&value)).transpose()
        };
        if let Some(refused) = claims::refused(append, held)? {
            return Ok(Err(refused));
        }
        self.write(pending, append)?;
        self.remember(append.aggregate, append.expected_version + 1);
        Ok(Ok(()))
    }

    fn version(&mut self, engine: &Engine, aggregate: Aggregate) -> Result<u64, StoreFault> {
        if let Some(version) = self.young.get(&aggregate) {
            return Ok(*version);
        }
        let version = match self.old.get(&aggregate) {
            Some(version) => *version,
            // What is pending is always in the cache or was committed: a batch is far smaller than half the cache.
            None => stored_version(engine, aggregate)?,
        };
        self.remember(aggregate, version);
        Ok(version)
    }

    fn remember(&mut self, aggregate: Aggregate, version: u64) {
        if self.young.len() >= VERSIONS_PER_HALF_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(aggregate, version);
    }

    fn write(&mut self, pending: &mut Pending, append: &Append) -> Result<(), StoreFault> {
        let version = append.expected_version + 1;
        for key in &append.remove {
            pending.remove(space_of(*key), keys::row(append.aggregate, *key));
        }
        for (key, value) in &append.put {
            pending.put(space_of(*key), keys::row(append.aggregate, *key), value.clone());
        }
        for key in &append.release {
            pending.remove(Space::Uniques, keys::unique(key)?);
        }
        for (key, value) in &append.claim {
            let unique = keys::unique(key)?;
            if claims::is_request(key) {
                self.claimed.push((append.stamp, unique.clone()));
                self.claims += 1;
            }
            pending.put(Space::Uniques, unique, keys::holder(append.stamp, value));
        }
        for (index, (target, payload)) in (0..).zip(&append.outbox) {
            let id = EffectId { source: append.aggregate, version, index };
            pending.put(Space::Outbox, keys::effect(id), keys::consequence(*target, payload));
        }
        pending.put(Space::Rows, keys::version(append.aggregate), keys::number(version));
        Ok(())
    }

    /// Notes when the requests of this batch were claimed, all in one row; and now and then forgets a portion of those that are too old at
    /// `now`.
    pub(super) fn finish(
        &mut self,
        engine: &Engine,
        pending: &mut Pending,
        now: Stamp,
    ) -> Result<(), StoreFault> {
        // The youngest one names the row: when it is old enough to be forgotten, all of them are.
        if let Some(youngest) = self.claimed.iter().max() {
            let others = self.claimed.iter().filter(|claim| *claim != youngest);
            let (key, value) = keys::request_times(youngest, others);
            pending.put(Space::RequestTimes, key, value);
        }
        self.claimed.clear();
        self.sweep(engine, pending, now)
    }

    fn sweep(&mut self, engine: &Engine, pending: &mut Pending, now: Stamp) -> Result<(), StoreFault> {
        if self.claims < SWEEP_AFTER_CLAIMS {
            return Ok(());
        }
        let portion = std::mem::take(&mut self.claims) * SWEPT_PER_CLAIM;
        let Some(oldest_kept) = (now + 1).checked_sub(REQUEST_MEMORY_US) else {
            return Ok(());
        };
        let end = oldest_kept.to_be_bytes().to_vec();
        if self.swept >= end {
            return Ok(());
        }
        let range = (Bound::Included(self.swept.clone()), Bound::Excluded(end));
        let mut swept = 0;
        for entry in engine.space(Space::RequestTimes).range(range) {
            let (key, value) = entry.into_inner().map_err(fault)?;
            for (claimed, unique) in keys::parse_request_times(&key, &value)? {
                // A request that was claimed anew after its memory ran out is in a younger row as well.
                let holder = pending.get(engine, Space::Uniques, unique)?;
                let holder = holder.map(|value| keys::parse_holder(&value)).transpose()?;
                if holder.is_some_and(|(stamp, _)| stamp == claimed) {
                    pending.remove(Space::Uniques, unique.to_vec());
                }
                swept += 1;
            }
            pending.remove(Space::RequestTimes, key.to_vec());
            self.swept = [&key[..], &[0]].concat();
            if swept >= portion {
                break;
            }
        }
        Ok(())
    }
}

/// The version that the engine holds; 0 for an aggregate that does not exist.
pub(super) fn stored_version(engine: &Engine, aggregate: Aggregate) -> Result<u64, StoreFault> {
    engine.get(Space::Rows, &keys::version(aggregate))?.map_or(Ok(0), |value| keys::parse_number(&value))
}

/// The keyspace of a row.
pub(super) fn space_of(key: RowKey) -> Space {
    if key.is_loaded() { Space::Rows } else { Space::Slots }
}
