//! What the generators of one process and whoever conducts them share: the plan, the orders, the progress.
//!
//! Not here: what is done with them ([`super::generator`], [`super::conductor`]).

use crate::fleet::Account;
use crate::scenario::{Pace, Scenario};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

use super::tally::Times;

/// A server: where it is, and the value of the `Host` header.
pub(super) type Address = (SocketAddr, String);

/// What every generator of a process knows.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) scenario: Scenario,
    pub(super) accounts: Vec<Account>,
    server: Address,
    /// Where those connect who do not write, and who writes; none when all connect to the same.
    readers: Option<(Address, HashSet<usize>)>,
    /// What distinguishes this run's texts from an earlier run's: letters and digits.
    pub(super) run: String,
    /// The same for its `client_req_id`s.
    pub(super) run_key: u64,
    /// How many generators there are, in all processes.
    pub(super) generators: u32,
    pub(super) clock: Clock,
    pub(super) progress: Progress,
    /// Deliveries since the last look, for the live view and the curve over time.
    pub(super) recent: Mutex<Times>,
    conversation_ids: Mutex<Vec<Option<Uuid>>>,
    /// Those that were created here and not told to the conductor yet.
    announced: Mutex<Vec<(u32, Uuid)>>,
    /// The highest slot of each conversation that any generator's session was sent, as of its last look.
    tops: Mutex<HashMap<Uuid, u32>>,
    /// What each generator's sessions lack, as of its last look; none since it was asked to cease.
    lags: Mutex<HashMap<u32, u64>>,
}

/// What a run is made with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Founding {
    pub(super) scenario: Scenario,
    pub(super) accounts: Vec<Account>,
    pub(super) server: Address,
    pub(super) readers: Option<Address>,
    pub(super) run_key: u64,
    pub(super) generators: u32,
}

impl Shared {
    pub(super) fn new(founding: Founding) -> Self {
        let Founding { scenario, accounts, server, readers, run_key, generators } = founding;
        let writers = || (0..scenario.conversations).flat_map(|of| scenario.writers(of)).collect();
        Self {
            readers: readers.map(|readers| (readers, writers())),
            run: format!("r{run_key:x}"),
            conversation_ids: Mutex::new(vec![None; scenario.conversations]),
            announced: Mutex::default(),
            scenario,
            accounts,
            server,
            run_key,
            generators,
            clock: Clock::start(),
            progress: Progress::default(),
            recent: Mutex::default(),
            tops: Mutex::default(),
            lags: Mutex::default(),
        }
    }

    /// Where a session connects.
    pub(super) fn server_of(&self, session: u32) -> &Address {
        match &self.readers {
            Some((readers, writers)) if !writers.contains(&(session as usize)) => readers,
            _ => &self.server,
        }
    }

    /// A conversation was created here.
    pub(super) fn announce(&self, conversation: u32, id: Uuid) {
        self.learn(conversation, id);
        locked(&self.announced).push((conversation, id));
    }

    /// A conversation has its id.
    pub(super) fn learn(&self, conversation: u32, id: Uuid) {
        locked(&self.conversation_ids)[conversation as usize] = Some(id);
    }

    pub(super) fn take_announced(&self) -> Vec<(u32, Uuid)> {
        std::mem::take(&mut *locked(&self.announced))
    }

    /// The conversations that have been created.
    pub(super) fn known_ids(&self) -> Vec<Uuid> {
        locked(&self.conversation_ids).iter().copied().flatten().collect()
    }

    pub(super) fn conversation_id(&self, conversation: u32) -> Option<Uuid> {
        locked(&self.conversation_ids)[conversation as usize]
    }

    pub(super) fn raise_tops(&self, tops: impl Iterator<Item = (Uuid, u32)>) {
        let mut known = locked(&self.tops);
        for (id, top) in tops {
            let held = known.entry(id).or_default();
            *held = top.max(*held);
        }
    }

    pub(super) fn tops(&self) -> Vec<(Uuid, u32)> {
        locked(&self.tops).iter().map(|(id, top)| (*id, *top)).collect()
    }

    pub(super) fn top(&self, id: Uuid) -> u32 {
        locked(&self.tops).get(&id).copied().unwrap_or(0)
    }

    pub(super) fn forget_lags(&self) {
        locked(&self.lags).clear();
    }

    pub(super) fn set_lag(&self, generator: u32, lag: u64) {
        locked(&self.lags).insert(generator, lag);
    }

    /// What all sessions lack; none until every generator of this process has looked.
    pub(super) fn lag(&self, generators: usize) -> Option<u64> {
        let lags = locked(&self.lags);
        (lags.len() == generators).then(|| lags.values().sum())
    }

    /// What deliveries took since the last call.
    pub(super) fn take_recent(&self) -> Times {
        std::mem::take(&mut *locked(&self.recent))
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What generators are told to do. Times are microseconds since the epoch, so that processes can agree on them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Connect all sessions of the share that are away. What they had sent without an answer is sent again.
    Connect,
    /// Connect those of the share who create the conversations, and nobody else.
    ConnectFounders,
    /// Create the conversations that begin in the share.
    Create,
    /// Have every writer ask for the activity of his conversations.
    Activate,
    /// Send, measure what is meant for the given span.
    Load { begin_us: u64, measured: Range<u64>, pace: Pace, quota: Option<f64> },
    /// Let some sessions stop reading, as the scenario says.
    Stall,
    /// Send nothing more; everybody reads again.
    Cease,
    /// Drop the connections of all but the keepers, without a word, spread over so many microseconds.
    HangUp { over_us: u64 },
    /// The server is about to end: it may close sessions with 1012.
    ExpectEnd,
    /// Say what is missing now, close, end.
    Stop,
}

macro_rules! progress {
    ($(#[doc = $doc:literal] $name:ident),+ $(,)?) => {
        /// Numbers that generators raise while they work.
        #[derive(Debug, Default)]
        pub(super) struct Progress {
            $(pub(super) $name: AtomicU64,)+
        }

        /// What they were at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Snapshot {
            $(#[doc = $doc] pub $name: u64,)+
        }

        impl std::iter::Sum for Snapshot {
            fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
                parts.fold(Self::default(), |sum, part| Self { $($name: sum.$name + part.$name,)+ })
            }
        }

        impl Progress {
            pub(super) fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

progress! {
    #[doc = "Sessions in sync."]
    live,
    #[doc = "Sessions that ended although they were not meant to."]
    lost,
    #[doc = "Sessions that the server closed as the scenario expects it."]
    let_go,
    #[doc = "Conversations created."]
    created,
    #[doc = "Sessions that were shown a conversation, over all conversations."]
    joined,
    #[doc = "Events sent."]
    sent,
    #[doc = "Events answered, with success or without."]
    answered,
    #[doc = "Events answered without success."]
    refused,
    #[doc = "Slots that reached a session."]
    deliveries,
    #[doc = "Bytes received."]
    bytes,
    #[doc = "Events that wait for their answer."]
    pending,
}

/// The process's clock: the wall's at its start, and steady from there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    started_us: u64,
}

impl Clock {
    pub(super) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { started: Instant::now(), started_us: micros(wall) }
    }

    /// Microseconds since the epoch.
    pub(super) fn now_us(&self) -> u64 {
        self.started_us + micros(self.started.elapsed())
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What a generator brings home.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Harvest {
    pub(super) tally: super::tally::Tally,
    /// The highest slot and the digest of each conversation, as the generator's sessions saw it.
    pub(super) digests: Vec<(Uuid, u32, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_and_readers_may_connect_to_servers_of_their_own() {
        let scenario = Scenario { conversations: 2, members: 3, writers: 1, ..Scenario::default() };
        let server = |port: u16| (SocketAddr::from(([127, 0, 0, 1], port)), format!("127.0.0.1:{port}"));
        let founding = |readers| Founding {
            scenario: scenario.clone(),
            accounts: Vec::new(),
            server: server(1),
            readers,
            run_key: 1,
            generators: 1,
        };
        let ports =
            |shared: &Shared| (0..6).map(|session| shared.server_of(session).0.port()).collect::<Vec<_>>();
        assert_eq!(ports(&Shared::new(founding(None))), [1, 1, 1, 1, 1, 1]);
        assert_eq!(ports(&Shared::new(founding(Some(server(2))))), [1, 2, 2, 1, 2, 2]);
    }
}
