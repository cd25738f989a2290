//! How nodes that share one store speak to one another: views that they agree on, and letters under them.
//!
//! Owned here: the handle that the rest of the server holds, and what it is told. How it works: who is there and what they
//! agree on (`membership`), who owns what (`view`), how far sessions may be told to be (`horizon`), what waits to be sent
//! (`outbox`), the bytes (`format`), the way over Redis (`carrier`), and what holds all of that together (`task`).
//!
//! Not here: what is in a letter. Nothing in a letter may be its only copy: a letter that is lost is lost, and whoever waited for it is
//! told a new view.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};

use self::horizon::Horizon;
use self::outbox::Outbox;
use crate::store::{Epoch, Stamp, Store};
use crate::watermark::Watermark;

mod carrier;
mod format;
mod horizon;
mod membership;
mod metrics;
mod outbox;
mod task;
mod view;

#[cfg(test)]
mod tests;

pub use self::membership::{BEAT_EVERY, SILENT_MAX};
pub use self::metrics::LinkMetrics;
pub use self::view::View;

/// Where the link is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// As in `redis://user:password@host:port`; Redis 6 or newer.
    pub redis_url: String,
    /// What the names of all channels begin with, so that several clusters can share a Redis.
    pub prefix: String,
}

/// What channel names begin with unless something else is wanted.
pub const PREFIX: &str = "rill";

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The setting does not say where Redis is.
    #[error("the URL of Redis cannot be used: {0}")]
    Url(String),
    /// The system has no more threads.
    #[error("the link's thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Who is told what the link brings. Called on the link's own thread, one call at a time: it is not to be kept waiting, since it
/// also says that this node lives.
pub trait Receiver: Send + Sync + 'static {
    /// Letters of one node, in the order in which it sent them, all sent under the view that is installed here.
    fn letters(&self, from: Epoch, letters: Vec<Bytes>);

    /// A view is proposed. This node agrees once what comes back has ended: whatever it gives to another node is in the store then.
    fn prepare(&self, next: Arc<View>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Everybody has agreed on a view: a new set of nodes, or a new round of the same. Whatever was under way between nodes under
    /// earlier rounds is lost. Every change that another node made and told about under them is in the store by now.
    ///
    /// The horizon rises above what it was only after this has returned.
    fn installed(&self, view: Arc<View>);

    /// The store has ended this node's epoch: it must stop. Told once, and nothing follows.
    fn fenced(&self);
}

/// This node's end of the link. Dropping the last handle ends it without a goodbye, as a crash would.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Leave>,
}

/// The order to leave; answered when that is done.
type Leave = oneshot::Sender<()>;

/// What the handle and the task share.
#[derive(Debug)]
struct Shared {
    me: Epoch,
    outbox: Mutex<Outbox>,
    /// Something waits for the task.
    wake: Notify,
    renew: AtomicBool,
    horizon: Horizon,
    view: RwLock<Arc<View>>,
    is_joined: AtomicBool,
    is_settled: AtomicBool,
    metrics: LinkMetrics,
}

impl Link {
    /// Begins to look for the other nodes of the store. A Redis that cannot be reached is waited for.
    ///
    /// Called right after the store was joined: nodes that start a cluster together wait for each other only for a while.
    ///
    /// # Errors
    /// The URL is none, or there is no thread to be had.
    pub async fn start(
        config: Config,
        store: Arc<dyn Store>,
        watermark: Arc<Watermark>,
        receiver: Arc<dyn Receiver>,
    ) -> Result<Arc<Self>, LinkError> {
        let me = store.epoch();
        let shared = Arc::new(Shared {
            me,
            outbox: Mutex::default(),
            wake: Notify::new(),
            renew: AtomicBool::new(false),
            horizon: Horizon::new(Arc::clone(&watermark)),
            view: RwLock::new(Arc::new(View { round: 0, nodes: [me].into() })),
            is_joined: AtomicBool::new(false),
            is_settled: AtomicBool::new(false),
            metrics: LinkMetrics::default(),
        });
        let (orders, ordered) = mpsc::channel(1);
        task::start(&config, Arc::clone(&shared), store, watermark, receiver, ordered)?;
        Ok(Arc::new(Self { shared, orders }))
    }

    /// This node.
    #[must_use]
    pub fn me(&self) -> Epoch {
        self.shared.me
    }

    /// The view that was installed last; round 0 with this node alone before the first.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.shared.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a view was installed, and this node has neither left the cluster since nor been put out. A round that is
    /// under way changes nothing in that.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.shared.is_joined.load(Ordering::Acquire)
    }

    /// Whether the installed view is the one that everybody still proposes, as far as is known here, and this node hears
    /// what is said.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.shared.is_settled.load(Ordering::Acquire)
    }

    /// Sends a letter, without waiting. Answers the round that it is sent under, or 0 where it was dropped: the node is not in the
    /// view, or too much waits for it already (a new round follows).
    ///
    /// That round may be above the installed view's: a letter that is sent while a view is about to be installed is sent under that
    /// one, and is not lost when it is installed.
    pub fn send(&self, to: Epoch, letter: Bytes) -> u64 {
        let round = self.outbox().push(to, letter);
        self.shared.wake.notify_one();
        round
    }

    /// Sends a letter to every other node of the view. Answers as [`Link::send`] does.
    pub fn send_all(&self, letter: Bytes) -> u64 {
        let round = self.outbox().push_all(&letter);
        self.shared.wake.notify_one();
        round
    }

    fn outbox(&self) -> std::sync::MutexGuard<'_, Outbox> {
        self.shared.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a new round, because something was lost. Nothing happens where one is under way already: whatever was lost was lost
    /// before it.
    pub fn renew(&self) {
        self.shared.renew.store(true, Ordering::Release);
        self.shared.wake.notify_one();
    }

    /// How far sessions here may be told to be: everything with a stamp up to this has been handed to this node's hubs, or will be read
    /// from the store by whoever is told that a view is installed.
    ///
    /// In a view of several nodes it follows their beats; in a view of one it follows the own watermark.
    #[must_use]
    pub fn horizon(&self) -> Stamp {
        self.shared.horizon.current()
    }

    /// Counters.
    #[must_use]
    pub fn metrics(&self) -> &LinkMetrics {
        &self.shared.metrics
    }

    /// This node is about to leave, and what it does for others may be lost from now on: nobody is told more than he may have been
    /// told by now, until the others have a view without it and everybody catches up.
    pub fn hold(&self) {
        self.shared.horizon.end();
        self.outbox().end(self.shared.horizon.own());
    }

    /// Leaves the cluster: what waits is sent, the own epoch is ended in the store, and the others are told, so that they take
    /// over at once. Nothing is received any more.
    pub async fn leave(&self) {
        let (tell, told) = oneshot::channel();
        if self.orders.send(tell).await.is_ok() {
            // The task ends by itself when it has left, or has left already.
            let _ = told.await;
        }
    }
}
