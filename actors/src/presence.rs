//! Which accounts are online on this node, and through which lanes.
//!
//! A lane registers before its session asks for anything, and is dead from the moment its socket is gone; whoever holds
//! a dead lane drops it when he meets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use dashmap::DashMap;
use rill_proto::id::AccountId;
use uuid::Uuid;

/// The way to one live session: the worker whose hub holds its lane, and the place there. Cheap to clone, good to send.
#[derive(Clone, Debug)]
pub struct Lane(Arc<Place>);

#[derive(Debug)]
struct Place {
    alive: AtomicBool,
    worker: u16,
    key: u64,
    account_id: AccountId,
    token: Uuid,
    /// How many syncs have begun: what was subscribed during an earlier one counts no more.
    syncs: AtomicU32,
    /// It has been told everything, so that whoever becomes active may tell it at once.
    live: AtomicBool,
}

impl Lane {
    /// A lane that its hub has just opened, for a session that logged in with a token (its name, not itself).
    #[must_use]
    pub fn new(worker: u16, key: u64, account_id: AccountId, token: Uuid) -> Self {
        Self(Arc::new(Place {
            alive: AtomicBool::new(true),
            worker,
            key,
            account_id,
            token,
            syncs: AtomicU32::new(0),
            live: AtomicBool::new(false),
        }))
    }

    /// The name of the login token.
    #[must_use]
    pub fn token(&self) -> Uuid {
        self.0.token
    }

    /// Whose session it is.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.0.account_id
    }

    /// The worker whose hub holds it.
    #[must_use]
    pub fn worker(&self) -> u16 {
        self.0.worker
    }

    /// Its place in that hub; never used twice.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.0.key
    }

    /// A number that no other lane of the node has had.
    #[must_use]
    pub fn key_of_node(&self) -> u64 {
        self.0.key << 16 | u64::from(self.0.worker)
    }

    /// Whether its session still exists.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.alive.load(Ordering::Acquire)
    }

    /// A sync begins: until it is complete, only conversations that have been visited tell this lane anything.
    #[must_use]
    pub fn begin_sync(&self) -> u32 {
        self.0.live.store(false, Ordering::Release);
        self.0.syncs.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Which sync is, or was last, under way.
    #[must_use]
    pub fn sync(&self) -> u32 {
        self.0.syncs.load(Ordering::Acquire)
    }

    /// Every conversation has been visited or has nothing to say.
    pub fn go_live(&self) {
        self.0.live.store(true, Ordering::Release);
    }

    /// Whether whoever becomes active tells this lane without a visit.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.0.live.load(Ordering::Acquire)
    }

    /// Its session is gone, or is about to go.
    pub fn bury(&self) {
        self.0.alive.store(false, Ordering::Release);
    }
}

impl PartialEq for Lane {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Lane {}

/// Accounts and their lanes.
#[derive(Debug, Default)]
pub struct Presence {
    lanes: DashMap<AccountId, Vec<Lane>>,
    /// When those were last active whose accounts have not made it durable yet, in Unix seconds.
    activity: DashMap<AccountId, i64>,
}

impl Presence {
    /// A session came; from now on whoever becomes active finds its lane.
    pub fn arrive(&self, lane: Lane) {
        self.lanes.entry(lane.account_id()).or_default().push(lane);
    }

    /// A session went.
    pub fn depart(&self, lane: &Lane) {
        lane.bury();
        if let Some(mut lanes) = self.lanes.get_mut(&lane.account_id()) {
            lanes.retain(Lane::is_alive);
        }
        self.lanes.remove_if(&lane.account_id(), |_, lanes| lanes.is_empty());
    }

    /// The live lanes of an account.
    #[must_use]
    pub fn of(&self, account_id: AccountId) -> Vec<Lane> {
        self.lanes
            .get(&account_id)
            .map(|lanes| lanes.iter().filter(|lane| lane.is_alive()).cloned().collect())
            .unwrap_or_default()
    }

    /// An account posts or reads.
    pub fn note_activity(&self, account_id: AccountId, now: i64) {
        self.activity.insert(account_id, now);
    }

    /// When an account was last active, as far as memory knows.
    #[must_use]
    pub fn activity(&self, account_id: AccountId) -> Option<i64> {
        self.activity.get(&account_id).map(|time| *time)
    }

    /// It is durable that an account was active then.
    pub fn forget_activity(&self, account_id: AccountId, time: i64) {
        self.activity.remove_if(&account_id, |_, known| *known <= time);
    }

    /// How many accounts are online.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.lanes.len()
    }
}
