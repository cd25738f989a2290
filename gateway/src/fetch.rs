//! Fetching files from elsewhere, for accounts that name an url.
//!
//! This is a door through which a stranger could make our own network answer him. So: only http and https, no proxy of
//! the environment, no cookies; every address is judged right before it is connected to ([`guard`]), that of each
//! redirect as well; times, sizes and redirects are bounded; what went wrong is told in words that say nothing of us.
//! Not here: for whom it is, and what becomes of the outcome (the account).

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rill_actors::blobs::Blobs;
use rill_actors::file::fetch::{Busy, Done, Fetch, Order, Outcome};
use rill_actors::file::inspect;
use ureq::Agent;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, RustlsConnector, TcpConnector};

use crate::config::Networks;

mod guard;

use guard::Guard;

/// How many files are fetched at once. They wait for networks most of the time; each takes a thread and its buffers.
const AT_ONCE: usize = 8;

/// How many orders wait for their turn. More come again later.
const WAITING_MAX: usize = 256;

/// How often a server may send us on.
const REDIRECTS_MAX: u32 = 5;

/// How long a name may take to be resolved, and a server to take the connection.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// How long a server may take to begin its answer.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// How long a file may take in all: the largest within the time that a line of 100 megabits needs for it, and a little.
const WHOLE_WAIT: Duration = Duration::from_secs(120);

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// Fetches with a few threads of its own.
pub(crate) struct Fetcher {
    orders: SyncSender<(Order, Done)>,
}

/// What a thread needs.
struct Hand {
    agent: Agent,
    blobs: Arc<dyn Blobs>,
    bytes_max: u64,
}

impl Fetcher {
    /// Starts the threads. They end with the process: whatever they had not finished is ordered again.
    pub(crate) fn start(blobs: Arc<dyn Blobs>, networks: Networks, bytes_max: u64) -> std::io::Result<Self> {
        let (orders, waiting) = sync_channel::<(Order, Done)>(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let hand = Arc::new(Hand { agent: agent(networks), blobs, bytes_max });
        for _ in 0..AT_ONCE {
            let (waiting, hand) = (Arc::clone(&waiting), Arc::clone(&hand));
            std::thread::Builder::new().name("fetch".to_owned()).spawn(move || {
                while let Some((order, done)) = next(&waiting) {
                    // A server that makes our client panic shall not take the thread with it.
                    let fetched = catch_unwind(AssertUnwindSafe(|| hand.fetch(&order)));
                    done(fetched.unwrap_or_else(|_| Err("The server cannot be understood.".to_owned())));
                }
            })?;
        }
        Ok(Self { orders })
    }
}

fn next(waiting: &Mutex<Receiver<(Order, Done)>>) -> Option<(Order, Done)> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl Fetch for Fetcher {
    fn begin(&self, order: Order, done: Done) -> Result<(), Busy> {
        match self.orders.try_send((order, done)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Busy),
        }
    }
}

/// A client that connects to nothing that its guard refuses.
fn agent(networks: Networks) -> Agent {
    let config = Agent::config_builder()
        // One of the environment would connect for us, to wherever it is told.
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(REDIRECTS_MAX)
        .max_redirects_will_error(true)
        .max_idle_connections(0)
        .timeout_resolve(Some(CONNECT_WAIT))
        .timeout_connect(Some(CONNECT_WAIT))
        .timeout_recv_response(Some(ANSWER_WAIT))
        .timeout_global(Some(WHOLE_WAIT))
        .user_agent(concat!("Rill/", env!("CARGO_PKG_VERSION")))
        .build();
    let connector = TcpConnector::default().chain(RustlsConnector::default());
    Agent::with_parts(config, connector, Guard::new(DefaultResolver::default(), networks))
}

impl Hand {
    fn fetch(&self, order: &Order) -> Outcome {
        let begun = Instant::now();
        let outcome = self.try_fetch(order);
        match &outcome {
            Ok(content) => {
                tracing::debug!(size = content.size, time = ?begun.elapsed(), "a file was fetched");
            }
            Err(why) => tracing::debug!(why, time = ?begun.elapsed(), "a file was not fetched"),
        }
        outcome
    }

    fn try_fetch(&self, order: &Order) -> Outcome {
        let response = self.agent.get(&order.file_url).call().map_err(|error| words(&error))?;
        if response.status().as_u16() != 200 {
            return Err(format!("The server answered {}.", response.status().as_u16()));
        }
        let bytes_max = order.bytes_max.min(self.bytes_max);
        let too_large = || format!("The file has more than {bytes_max} bytes.");
        let mut body = response.into_body();
        if body.content_length().is_some_and(|length| length > bytes_max) {
            return Err(too_large());
        }
        let ours = |error: std::io::Error| {
            tracing::error!(%error, "a file that is fetched cannot be kept");
            "The file cannot be kept now.".to_owned()
        };
        let mut incoming = self.blobs.begin().map_err(ours)?;
        let mut reader = body.as_reader();
        let mut buffer = vec![0; READ_BYTES];
        let mut size = 0;
        loop {
            let count = reader.read(&mut buffer).map_err(|error| words(&ureq::Error::from(error)))?;
            if count == 0 {
                break;
            }
            size += count as u64;
            if size > bytes_max {
                return Err(too_large());
            }
            incoming.write(&buffer[..count]).map_err(ours)?;
        }
        let kept = incoming.keep().map_err(ours)?;
        Ok(inspect(kept.sha256, kept.size, &order.name, &kept.head))
    }
}

/// What went wrong, for people.
#[expect(clippy::wildcard_enum_match_arm, reason = "the client's list is open-ended")]
fn words(error: &ureq::Error) -> String {
    let text = match error {
        ureq::Error::Io(io) if guard::is_refusal(io) => "This address is not fetched from.",
        ureq::Error::Timeout(_) => "The server took too long.",
        ureq::Error::HostNotFound => "There is no such host.",
        ureq::Error::TooManyRedirects => "The server redirects too often.",
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "The address cannot be read.",
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => "The server's certificate cannot be trusted.",
        _ => "The server cannot be reached.",
    };
    text.to_owned()
}
