//! Which accounts are online, and through which lanes: those of this node, and those that other nodes have told of.
//!
//! A lane registers before its session asks for anything, and is dead from the moment its socket is gone; whoever holds
//! a dead lane drops it when he meets it. Not here: how the nodes tell each other (`border`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use dashmap::DashMap;
use rill_proto::id::AccountId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::Epoch;

/// The way to one live session: the worker whose hub holds its lane, and the place there. Cheap to clone, good to send.
#[derive(Clone, Debug)]
pub struct Lane(Arc<Place>);

#[derive(Debug)]
struct Place {
    alive: AtomicBool,
    name: LaneName,
    account_id: AccountId,
    token: Uuid,
    /// How many syncs have begun: what was subscribed during an earlier one counts no more.
    syncs: AtomicU32,
    /// The sync in which it was told everything, so that whoever becomes active may tell it at once.
    live: AtomicU32,
    /// The sync from which on it is level with the view of the nodes, and the last one that it has been through.
    needed: AtomicU32,
    done: AtomicU32,
}

/// What tells a lane from all others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct LaneName {
    /// The other node whose lane it is; none where it is one of this node.
    pub home: Option<Epoch>,
    /// The worker there whose hub holds it.
    pub worker: u16,
    /// Its place in that hub; never used twice.
    pub key: u64,
}

impl Lane {
    /// A lane that its hub has just opened, for a session that logged in with a token (its name, not itself).
    #[must_use]
    pub fn new(worker: u16, key: u64, account_id: AccountId, token: Uuid) -> Self {
        Self::named(LaneName { home: None, worker, key }, account_id, token)
    }

    /// A lane, of this node or of another one.
    #[must_use]
    pub fn named(name: LaneName, account_id: AccountId, token: Uuid) -> Self {
        Self(Arc::new(Place {
            alive: AtomicBool::new(true),
            name,
            account_id,
            token,
            syncs: AtomicU32::new(0),
            live: AtomicU32::new(0),
            needed: AtomicU32::new(0),
            done: AtomicU32::new(0),
        }))
    }

    /// What tells it from all others.
    #[must_use]
    pub fn name(&self) -> LaneName {
        self.0.name
    }

    /// The other node whose lane it is, if it is not one of this node.
    #[must_use]
    pub fn home(&self) -> Option<Epoch> {
        self.0.name.home
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
        self.0.name.worker
    }

    /// Its place in that hub; never used twice.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.0.name.key
    }

    /// Whether its session still exists.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.alive.load(Ordering::Acquire)
    }

    /// A sync begins: until it is complete, only conversations that have been visited tell this lane anything.
    #[must_use]
    pub fn begin_sync(&self) -> u32 {
        self.0.syncs.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Its own node says which sync is under way there.
    pub fn heard_of_sync(&self, number: u32) {
        self.0.syncs.fetch_max(number, Ordering::AcqRel);
    }

    /// Which sync is, or was last, under way.
    #[must_use]
    pub fn sync(&self) -> u32 {
        self.0.syncs.load(Ordering::Acquire)
    }

    /// Every conversation has been visited in this sync or has nothing to say.
    pub fn go_live(&self, number: u32) {
        self.0.live.fetch_max(number, Ordering::AcqRel);
    }

    /// Whether whoever becomes active tells this lane without a visit.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let live = self.0.live.load(Ordering::Acquire);
        live > 0 && live == self.sync()
    }

    /// The nodes have agreed anew: what was subscribed counts no more from now on, and its session sends nothing out before it has
    /// caught up, or the answer would tell of what came after something that it has missed.
    pub fn fall_behind(&self) {
        // Behind first: nobody is to find the subscriptions gone and the answers still coming.
        self.0.needed.store(u32::MAX, Ordering::Release);
        self.0.needed.store(self.begin_sync(), Ordering::Release);
    }

    /// It has been told everything in a sync, or had nothing to be told.
    pub fn catch_up(&self, number: u32) {
        self.0.done.fetch_max(number, Ordering::AcqRel);
    }

    /// Whether it has to catch up first.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.0.done.load(Ordering::Acquire) < self.0.needed.load(Ordering::Acquire)
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
        let mut lanes = self.lanes.entry(lane.account_id()).or_default();
        if !lanes.contains(&lane) {
            lanes.push(lane);
        }
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

    /// What other nodes told of their sessions counts no more: they tell again.
    pub fn forget_others(&self) {
        self.lanes.retain(|_, lanes| {
            lanes.iter().filter(|lane| lane.home().is_some()).for_each(Lane::bury);
            lanes.retain(Lane::is_alive);
            !lanes.is_empty()
        });
    }

    /// How many accounts are online.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.lanes.len()
    }
}
