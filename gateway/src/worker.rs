//! What all threads of the gateway share, and what each worker thread has for itself.
//!
//! A worker is one of the server's threads: it serves its connections, holds the hub of their sessions, and shares
//! nothing mutable with the others. Not here: what is done for a connection.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix::Addr;
use rill_actors::account::login::Login;
use rill_actors::border::order::HttpCall;
use rill_actors::hub::{CloseCode, Hub};
use rill_actors::link::Link;
use rill_actors::node::Node;
use rill_actors::presence::Lane;
use rill_actors::session::Session;
use tokio::sync::{Semaphore, mpsc, watch};
use uuid::Uuid;

use crate::cluster::{self, Calls};
use crate::config::Config;
use crate::http::search::SEARCHES_MAX;
use crate::http::upload::Uploading;
use crate::password::Hasher;
use crate::socket::Sockets;
use crate::velocity::Velocity;

/// What all threads share.
pub(crate) struct Shared {
    /// The owners of state.
    pub(crate) node: Arc<Node>,
    /// The way to the other nodes, where there are any.
    pub(crate) link: Option<Arc<Link>>,
    /// Settings.
    pub(crate) config: Config,
    /// Passwords.
    pub(crate) hasher: Hasher,
    /// How often one caller may do what.
    pub(crate) velocity: Velocity,
    /// Open sockets.
    pub(crate) seats: Arc<Seats>,
    /// Uploads under way.
    pub(crate) uploading: Arc<Uploading>,
    /// The sessions of HTTP clients, by the name of their token.
    http_sessions: Mutex<HttpSessions>,
    /// Cloned by every poll for as long as it waits, so that they are counted.
    pub(crate) polls: Arc<()>,
    /// The turns of searches.
    pub(crate) searches: Arc<Semaphore>,
    stage: watch::Sender<Stage>,
    /// HTTP calls that other nodes pass on, until a worker takes them.
    calls: Mutex<Option<mpsc::Receiver<HttpCall>>>,
    /// Numbers of hubs that no worker has.
    free_numbers: Mutex<Vec<u16>>,
}

/// How far a server is on its way out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stage {
    /// It is not.
    Serving,
    /// Every worker closes its sessions; calls are answered.
    Draining,
    /// Connections end after the call that is under way.
    Stopping,
}

#[derive(Default)]
struct HttpSessions {
    by_token: HashMap<(Uuid, Purpose), HttpSession>,
    /// Dead ones are swept out when there are so many.
    sweep_at: usize,
}

/// What a session of an HTTP client is for: whoever listens for notifications does not take a poll's place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Purpose {
    /// Its calls and its polls.
    Calls,
    /// `account/listen`.
    Listening,
}

/// The session of one HTTP client, and its lane.
#[derive(Clone)]
pub(crate) struct HttpSession {
    /// Takes its calls.
    pub(crate) addr: Addr<Session>,
    /// What it is told goes here.
    pub(crate) lane: Lane,
}

/// Below so many sessions dead ones are not worth a sweep.
const SWEEP_FROM: usize = 64;

impl Shared {
    /// Nothing is served yet.
    pub(crate) fn new(node: Arc<Node>, config: Config, hasher: Hasher, link: Option<Arc<Link>>) -> Arc<Self> {
        let workers = u16::try_from(node.inboxes.workers()).unwrap_or(u16::MAX);
        let calls = node.border().map(|border| {
            let (door, calls) = Calls::channel();
            border.open_door(Arc::new(door));
            calls
        });
        Arc::new(Self {
            seats: Arc::new(Seats { taken: AtomicUsize::new(0), max: config.connections_max }),
            uploading: Arc::default(),
            velocity: Velocity::default(),
            node,
            link,
            config,
            hasher,
            http_sessions: Mutex::default(),
            polls: Arc::default(),
            searches: Arc::new(Semaphore::new(SEARCHES_MAX)),
            stage: watch::Sender::new(Stage::Serving),
            calls: Mutex::new(calls),
            free_numbers: Mutex::new((0..workers).rev().collect()),
        })
    }

    /// How many HTTP clients have a session that lives.
    pub(crate) fn http_sessions(&self) -> usize {
        let sessions = self.http_sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.by_token.values().filter(|session| session.addr.connected()).count()
    }

    /// Whether the server is on its way out: no session begins.
    pub(crate) fn is_draining(&self) -> bool {
        *self.stage.borrow() > Stage::Serving
    }

    /// The server goes on to its next stage.
    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    /// Ends when the server has come to a stage.
    pub(crate) fn reached(&self, stage: Stage) -> impl Future<Output = ()> + use<> {
        let mut now = self.stage.subscribe();
        async move {
            // The sender is gone only when the process ends.
            let _ended = now.wait_for(|now| *now >= stage).await;
        }
    }
}

/// Bounds how many sockets are open at once.
pub(crate) struct Seats {
    taken: AtomicUsize,
    max: usize,
}

/// One open socket, for as long as it lives.
pub(crate) struct Seat(Arc<Seats>);

impl Seats {
    /// A place for one more socket, if there is one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Seat> {
        let seat = Seat(Arc::clone(self));
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.max).then_some(seat)
    }

    /// How many sockets are open.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What one worker thread has.
pub(crate) struct Worker {
    /// What all threads share.
    pub(crate) shared: Arc<Shared>,
    /// The lanes of this worker's sessions.
    pub(crate) hub: Rc<RefCell<Hub>>,
    /// The sockets of this worker.
    pub(crate) sockets: Rc<Sockets>,
}

thread_local! {
    static HERE: OnceCell<Rc<Worker>> = const { OnceCell::new() };
}

impl Worker {
    /// The worker of this thread; made when it is asked for first. `None` when there are more threads than hubs.
    pub(crate) fn here(shared: &Arc<Shared>) -> Option<Rc<Self>> {
        HERE.with(|here| {
            if here.get().is_none() {
                let worker = Self::start(shared)?;
                // Nobody else can have set it: the cell is this thread's.
                let _ = here.set(worker);
            }
            here.get().cloned()
        })
    }

    fn start(shared: &Arc<Shared>) -> Option<Rc<Self>> {
        let number = shared.free_numbers.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let node = &shared.node;
        let hub = Hub::start(number, node);
        let sockets = Sockets::start(shared, &hub);
        let worker = Rc::new(Self { shared: Arc::clone(shared), hub, sockets });
        if let Some(calls) = shared.calls.lock().unwrap_or_else(PoisonError::into_inner).take() {
            actix_rt::spawn(cluster::take_calls(Rc::clone(&worker), calls));
        }
        let (drained, leaving) = (shared.reached(Stage::Draining), Rc::clone(&worker));
        actix_rt::spawn(async move {
            drained.await;
            leaving.sockets.drain();
            leaving.hub.borrow_mut().close_all(CloseCode::Draining, "0");
        });
        Some(worker)
    }

    /// The session of an HTTP client's calls; opened here when there is none that lives.
    pub(crate) fn http_session(&self, login: &Login) -> HttpSession {
        self.http_session_for(Purpose::Calls, login)
    }

    /// One of the sessions of an HTTP client; opened here when there is none that lives.
    pub(crate) fn http_session_for(&self, purpose: Purpose, login: &Login) -> HttpSession {
        let mut sessions = self.shared.http_sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (login.token, purpose);
        if let Some(session) = sessions.by_token.get(&key).filter(|session| session.addr.connected()) {
            return session.clone();
        }
        if sessions.by_token.len() >= sessions.sweep_at.max(SWEEP_FROM) {
            sessions.by_token.retain(|_, session| session.addr.connected());
            sessions.sweep_at = sessions.by_token.len() * 2;
        }
        let (addr, lane) = Session::on_http(Arc::clone(&self.shared.node), Rc::clone(&self.hub), login);
        let session = HttpSession { addr, lane };
        sessions.by_token.insert(key, session.clone());
        session
    }
}
