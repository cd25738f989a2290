//! Alarms: effects that are carried when their time has come.
//!
//! An alarm is an entry of the outbox like any other, so it outlives a crash, and its target may leave memory meanwhile. Here
//! is the clock of those that wait: one for each member of a conversation at most, since a later one takes the place of an
//! earlier one. Not here: what becomes of it when it rings (`conversation::rules`).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use rill_proto::id::AccountId;

use crate::conversation::rows::decode;
use crate::effect::Effect;
use crate::store::{Aggregate, EffectId, OutboxEntry};

/// How the bytes of an alarm begin: most entries are none, and need not be read to know it.
const BEGINNING: &[u8] = br#"{"effect":"ring","#;

/// Whom an alarm concerns, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Alarm {
    of: Of,
    /// Unix seconds.
    pub(crate) at: i64,
}

/// A conversation and its member.
type Of = (Aggregate, AccountId);

impl Alarm {
    /// The alarm that an entry is, if it is one.
    pub(crate) fn of(entry: &OutboxEntry) -> Option<Self> {
        if !entry.payload.starts_with(BEGINNING) {
            return None;
        }
        match decode(&entry.payload) {
            Ok(Effect::Ring { viewer, at }) => Some(Self { of: (entry.target, viewer), at }),
            Ok(_) | Err(_) => None,
        }
    }
}

/// The alarms that wait.
#[derive(Default)]
pub(crate) struct Alarms(Mutex<Clock>);

#[derive(Default)]
struct Clock {
    waiting: HashMap<Of, (i64, OutboxEntry)>,
    order: BTreeSet<(i64, Of)>,
}

impl Alarms {
    /// Sets an alarm. Of two for the same member the one that was decided later counts; the other is answered, to be settled.
    pub(crate) fn set(&self, alarm: Alarm, entry: OutboxEntry) -> Option<EffectId> {
        let mut clock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Alarm { of, at } = alarm;
        let newest = clock.waiting.get(&of).map(|(_, known)| known.id.version);
        if newest.is_some_and(|newest| newest > entry.id.version) {
            return Some(entry.id);
        }
        clock.order.insert((at, of));
        let (was_at, replaced) = clock.waiting.insert(of, (at, entry))?;
        if was_at != at {
            clock.order.remove(&(was_at, of));
        }
        Some(replaced.id)
    }

    /// None waits any more.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Clock::default();
    }

    /// Takes those whose time has come.
    pub(crate) fn ring(&self, now: i64) -> Vec<OutboxEntry> {
        let mut clock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rung = Vec::new();
        while let Some((_, of)) = clock.order.first().copied().filter(|(at, _)| *at <= now) {
            clock.order.pop_first();
            rung.extend(clock.waiting.remove(&of).map(|(_, entry)| entry));
        }
        rung
    }
}

#[cfg(test)]
mod tests {
    use rill_proto::id::ConversationId;
    use uuid::Uuid;

    use super::*;
    use crate::conversation::rows::encode;

    const HERE: Aggregate = Aggregate::Conversation(ConversationId(Uuid::from_u128(7)));
    const BOB: AccountId = AccountId(Uuid::from_u128(2));
    const CAROL: AccountId = AccountId(Uuid::from_u128(3));

    fn entry(version: u64, effect: &Effect) -> OutboxEntry {
        let id = EffectId { source: HERE, version, index: 0 };
        OutboxEntry { id, target: HERE, payload: encode(effect) }
    }

    fn set(alarms: &Alarms, version: u64, viewer: AccountId, at: i64) -> Option<u64> {
        let entry = entry(version, &Effect::Ring { viewer, at });
        alarms.set(Alarm::of(&entry).unwrap(), entry).map(|id| id.version)
    }

    fn rung(alarms: &Alarms, now: i64) -> Vec<u64> {
        alarms.ring(now).iter().map(|entry| entry.id.version).collect()
    }

    #[test]
    fn an_entry_is_known_by_how_it_begins() {
        let ring = entry(1, &Effect::Ring { viewer: BOB, at: 5 });
        assert_eq!(Alarm::of(&ring), Some(Alarm { of: (HERE, BOB), at: 5 }));
        assert_eq!(Alarm::of(&entry(1, &Effect::Attached { uploads: Vec::new() })), None);
    }

    #[test]
    fn alarms_ring_in_their_time_and_once() {
        let alarms = Alarms::default();
        assert_eq!(set(&alarms, 1, BOB, 20), None);
        assert_eq!(set(&alarms, 2, CAROL, 10), None);
        assert!(rung(&alarms, 9).is_empty());
        assert_eq!(rung(&alarms, 10), [2]);
        assert_eq!(rung(&alarms, 30), [1]);
        assert!(rung(&alarms, 99).is_empty());
    }

    #[test]
    fn a_member_has_one_alarm_the_one_that_was_decided_last() {
        let alarms = Alarms::default();
        assert_eq!(set(&alarms, 1, BOB, 20), None);
        assert_eq!(set(&alarms, 3, BOB, 10), Some(1), "earlier or later does not matter");
        assert_eq!(set(&alarms, 2, BOB, 5), Some(2), "it was decided before the one that waits");
        assert_eq!(set(&alarms, 4, BOB, 10), Some(3));
        assert_eq!(rung(&alarms, 99), [4]);
        assert!(rung(&alarms, 99).is_empty());
    }
}
