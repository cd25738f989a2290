//! WebSockets on raw TCP streams: an upgrade request comes in, a [`Session`](rill_actors::session::Session) with a
//! [`Sink`](rill_actors::hub::Sink) comes out.
//!
//! Owned here: the sockets of one worker and their clock. The way in is `upgrade`; one socket is `connection`; its loop
//! is `reading`; `incoming` and `outgoing` are the frames, pure. Another implementation of sockets would offer the same
//! two things: a service for upgrade requests ([`serve`]) and [`Sockets`].
//!
//! Why not `WebsocketContext`: it costs 11 KB and more for each idle client, and an actor in it stands still while its
//! client does not read, so that a slow reader could be neither timed out nor closed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rill_actors::hub::Hub;

use crate::worker::Shared;
use connection::{Connection, Goodbye};

mod connection;
mod incoming;
mod outgoing;
mod reading;
mod upgrade;

pub(crate) use upgrade::serve;

/// How often a worker looks at the clocks of its sockets. Times are kept to a second; ten thousand sockets cost it some
/// 100 µs.
const TICK: Duration = Duration::from_secs(1);

/// How much is read at once, into a buffer that all sockets of a worker use in turn. Most reads are a few hundred bytes;
/// a client that sends a large message needs sixteen turns for it, between which the others have theirs.
const READ_BYTES: usize = 64 * 1024;

/// The sockets of one worker.
pub(crate) struct Sockets {
    shared: Arc<Shared>,
    /// The hub's sinks lead back here, so this must not keep it.
    hub: Weak<RefCell<Hub>>,
    /// A connection is its reading's; it takes itself out when that ends.
    open: RefCell<HashMap<u64, Weak<Connection>>>,
    next_key: Cell<u64>,
    /// Bytes that were just read; empty between two turns.
    read: RefCell<BytesMut>,
    started: Instant,
    /// Milliseconds since the start, as of the last tick.
    now_ms: Cell<u64>,
}

impl Sockets {
    /// The sockets of a worker, none so far, and the task that keeps their clocks.
    pub(crate) fn start(shared: &Arc<Shared>, hub: &Rc<RefCell<Hub>>) -> Rc<Self> {
        let sockets = Rc::new(Self {
            shared: Arc::clone(shared),
            hub: Rc::downgrade(hub),
            open: RefCell::default(),
            next_key: Cell::new(0),
            read: RefCell::new(BytesMut::with_capacity(READ_BYTES)),
            started: Instant::now(),
            now_ms: Cell::new(0),
        });
        let ticking = Rc::clone(&sockets);
        actix_rt::spawn(async move {
            let mut interval = actix_rt::time::interval(TICK);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                interval.tick().await;
                ticking.tick();
            }
        });
        sockets
    }

    /// The time now. `now_ms` is that of the last tick: up to a second less, and free to read.
    fn exact_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn tick(&self) {
        let now_ms = self.exact_ms();
        self.now_ms.set(now_ms);
        for connection in self.open.borrow().values().filter_map(Weak::upgrade) {
            connection.tick(now_ms, &self.shared.config);
        }
    }

    /// Closes every socket with 1012. Each is told another moment to come back, so that they do not come all at once.
    pub(crate) fn drain(&self) {
        let open = self.open.borrow();
        let spread_ms = u64::from(self.shared.config.drain_ms);
        for (at, connection) in open.values().filter_map(Weak::upgrade).enumerate() {
            let wait_ms = spread_ms * at as u64 / open.len() as u64;
            connection.close(Goodbye::Draining, &wait_ms.to_string());
        }
    }

    fn next_key(&self) -> u64 {
        let key = self.next_key.get();
        self.next_key.set(key + 1);
        key
    }
}
