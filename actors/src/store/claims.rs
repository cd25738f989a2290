//! Which claims of unique keys are granted; the same for every store.
//!
//! Deliberately not here: how a store finds the holder of a key, and how it keeps two from claiming at once.

use bytes::Bytes;

use super::{Append, AppendError, REQUEST_MEMORY_US, Stamp, StoreFault, UniqueKey, keys};

/// What stands in the way of an append whose version fits: the first claim that cannot be granted, a key that no store
/// takes, or more consequences than can be numbered. `held` says when a key was claimed and what stands there, with what
/// earlier appends of the same batch did to it. The outer error is the engine's.
pub(super) fn refused(
    append: &Append,
    mut held: impl FnMut(&[u8]) -> Result<Option<(Stamp, Bytes)>, StoreFault>,
) -> Result<Option<AppendError>, StoreFault> {
    for key in &append.release {
        if let Err(fault) = keys::unique(key) {
            return Ok(Some(fault.into()));
        }
    }
    for (place, (key, wanted)) in append.claim.iter().enumerate() {
        let unique = match keys::unique(key) {
            Ok(unique) => unique,
            Err(fault) => return Ok(Some(fault.into())),
        };
        let earlier = append.claim[..place].iter().find(|(earlier, _)| earlier == key);
        let held = match earlier {
            Some((_, value)) => Some(value.clone()),
            None if append.release.contains(key) => None,
            None => held(&unique)?
                .and_then(|(claimed, value)| (!is_forgotten(key, claimed, append.stamp)).then_some(value)),
        };
        if let Some(value) = held
            && (is_request(key) || value != *wanted)
        {
            return Ok(Some(AppendError::Claimed { key: key.clone(), value }));
        }
    }
    if u16::try_from(append.outbox.len()).is_err() {
        let fault = StoreFault(format!("{} consequences in one append", append.outbox.len()));
        return Ok(Some(fault.into()));
    }
    Ok(None)
}

/// Whether a claim made at `claimed` no longer counts at `now`.
pub(super) fn is_forgotten(key: &UniqueKey, claimed: Stamp, now: Stamp) -> bool {
    is_request(key) && claimed.saturating_add(REQUEST_MEMORY_US) <= now
}

/// Whether a key is one of those that are forgotten.
pub(super) fn is_request(key: &UniqueKey) -> bool {
    match key {
        UniqueKey::Request(..) => true,
        UniqueKey::Email(_) | UniqueKey::Address(_) | UniqueKey::Token(_) | UniqueKey::Device(_) => false,
    }
}
