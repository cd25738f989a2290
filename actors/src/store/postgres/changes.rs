//! What a batch of appends comes to: a verdict for each, and one change for each row and key that any of them touches.
//!
//! Pure: what the database holds is given. Not here: how the changes are written (`writer`), and which claims are granted
//! (`claims`).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::queue::{Batch, Verdict};
use crate::store::{Aggregate, Append, AppendError, EffectId, RowKey, Stamp, StoreFault, claims, keys};

/// A key's holder: since when, and what stands there.
pub(super) type Held = Option<(Stamp, Bytes)>;

/// What the database holds of what a batch touches.
#[derive(Default)]
pub(super) struct Found {
    /// Versions of the aggregates that exist.
    pub(super) versions: BTreeMap<Aggregate, u64>,
    /// Holders of the keys that are held.
    pub(super) holders: BTreeMap<Vec<u8>, (Stamp, Bytes)>,
}

/// What was and what is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Change<T> {
    pub(super) found: T,
    pub(super) now: T,
}

/// The writes of a batch, each key once and in order: two who write the same rows take their locks alike.
#[derive(Default, Debug)]
pub(super) struct Changes {
    pub(super) versions: BTreeMap<Aggregate, Change<u64>>,
    pub(super) holders: BTreeMap<Vec<u8>, Change<Held>>,
    /// `None` is a removal.
    pub(super) rows: BTreeMap<(Aggregate, RowKey), Option<Bytes>>,
    pub(super) outbox: Vec<(EffectId, Aggregate, Bytes)>,
    pub(super) settled: Vec<EffectId>,
    /// The highest stamp of the admitted appends.
    pub(super) stamp: Stamp,
    /// How many requests they claim.
    pub(super) requests: usize,
}

impl Changes {
    /// Nothing is to be written.
    pub(super) fn are_none(&self) -> bool {
        self.versions.is_empty() && self.settled.is_empty()
    }
}

/// The unique keys that an append names, as bytes. One that no store takes is left out: its append is refused for it.
pub(super) fn uniques(append: &Append) -> impl Iterator<Item = Vec<u8>> {
    let claimed = append.claim.iter().map(|(key, _)| key);
    claimed.chain(&append.release).filter_map(|key| keys::unique(key).ok())
}

/// Judges the appends of a batch one after the other, each against what is found and what those before it change.
pub(super) fn judge(batch: &Batch, found: &Found) -> Result<(Vec<Verdict>, Changes), StoreFault> {
    let mut changes = Changes { settled: batch.settled().collect(), ..Changes::default() };
    let mut verdicts = Vec::new();
    for append in batch.appends() {
        verdicts.push(admit(append, found, &mut changes)?);
    }
    Ok((verdicts, changes))
}

fn admit(append: &Append, found: &Found, changes: &mut Changes) -> Result<Verdict, StoreFault> {
    let stored = found.versions.get(&append.aggregate).copied().unwrap_or_default();
    let now = changes.versions.get(&append.aggregate).map_or(stored, |change| change.now);
    if now != append.expected_version {
        return Ok(Err(AppendError::Moved { expected: append.expected_version, found: now }));
    }
    let held = |unique: &[u8]| match changes.holders.get(unique) {
        Some(change) => Ok(change.now.clone()),
        None => Ok(found.holders.get(unique).cloned()),
    };
    if let Some(refused) = claims::refused(append, held)? {
        return Ok(Err(refused));
    }
    write(append, stored, found, changes)?;
    Ok(Ok(()))
}

fn write(append: &Append, stored: u64, found: &Found, changes: &mut Changes) -> Result<(), StoreFault> {
    let owner = append.aggregate;
    let version = append.expected_version + 1;
    changes.versions.entry(owner).or_insert(Change { found: stored, now: stored }).now = version;
    for key in &append.remove {
        changes.rows.insert((owner, *key), None);
    }
    for (key, value) in &append.put {
        changes.rows.insert((owner, *key), Some(value.clone()));
    }
    let mut hold = |unique: Vec<u8>, held: Held| match changes.holders.get_mut(&unique) {
        Some(change) => change.now = held,
        None => {
            let found = found.holders.get(&unique).cloned();
            changes.holders.insert(unique, Change { found, now: held });
        }
    };
    for key in &append.release {
        hold(keys::unique(key)?, None);
    }
    for (key, value) in &append.claim {
        hold(keys::unique(key)?, Some((append.stamp, value.clone())));
        changes.requests += usize::from(claims::is_request(key));
    }
    for (index, (target, payload)) in (0..).zip(&append.outbox) {
        changes.outbox.push((EffectId { source: owner, version, index }, *target, payload.clone()));
    }
    changes.stamp = changes.stamp.max(append.stamp);
    Ok(())
}
