//! The connection to Redis: the only place that names it.
//!
//! Everything goes over one connection, so what one node says arrives in the order in which it said it: Redis passes on what
//! one connection publishes in order, and writes to each subscriber in order. The connection is made again for ever. Redis
//! keeps nothing for us: whatever is on the way when it is lost, is lost, and noticed by its numbers.
//!
//! Not here: what is in the messages, and what a loss means (`task`, `membership`).

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo, PushKind,
    RedisResult, Value,
};
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use super::{Config, LinkError};
use crate::store::Epoch;

/// Batches under way at once: while one is on the way, the next is written.
const IN_FLIGHT_MAX: usize = 4;

/// How long Redis may take to answer a batch before the connection counts as lost. The library's own half second is less
/// than a busy machine takes at times.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// How long a connection may take until it is subscribed.
const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// The pause before a connection is made again, at first and at most. A restart of Redis takes a fraction of a second.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);

/// How many bytes may wait between the connection and the link's task. Some seconds' worth of a full link: a task that is so
/// far behind gets on faster from the store. What comes while it is full is dropped, and missed by its number.
const HEARD_BYTES_MAX: usize = 64 << 20;

/// Something to be published.
#[derive(Debug)]
pub(super) struct Published {
    /// One node, or all.
    pub(super) to: Option<Epoch>,
    pub(super) bytes: Vec<u8>,
}

/// What goes out at once, in order.
pub(super) type Batch = Vec<Published>;

/// What comes from the connection, in order.
#[derive(Debug)]
pub(super) enum Event {
    /// The connection stands, and this node hears what is said from here on.
    Up,
    /// It is lost.
    Down,
    /// Redis has taken a batch.
    Taken,
    /// Something said to all.
    Said(Bytes),
    /// Something said to this node alone.
    Told(Bytes),
}

/// The names of the channels.
#[derive(Debug)]
struct Channels {
    prefix: String,
    beat: String,
    own: String,
}

impl Channels {
    fn new(prefix: &str, me: Epoch) -> Self {
        let own = format!("{prefix}:to:{me}");
        Self { prefix: prefix.to_owned(), beat: format!("{prefix}:beat"), own }
    }

    fn to(&self, to: Option<Epoch>) -> String {
        to.map_or_else(|| self.beat.clone(), |epoch| format!("{}:to:{epoch}", self.prefix))
    }
}

/// Carries batches to Redis, and from there whatever is said to all or to this node.
pub(super) struct Carrier {
    client: Client,
    channels: Arc<Channels>,
    batches: mpsc::Receiver<Batch>,
    events: mpsc::UnboundedSender<Event>,
    /// The bytes of messages that wait in `events`.
    waiting: Arc<AtomicUsize>,
}

/// How a connection ended.
enum End {
    /// Nobody hands over batches any more.
    Over,
    Lost(String),
}

impl Carrier {
    /// # Errors
    /// The URL is none.
    pub(super) fn new(
        config: &Config,
        me: Epoch,
        batches: mpsc::Receiver<Batch>,
        events: mpsc::UnboundedSender<Event>,
        waiting: Arc<AtomicUsize>,
    ) -> Result<Self, LinkError> {
        let unusable = |error: redis::RedisError| LinkError::Url(error.to_string());
        let info = config.redis_url.as_str().into_connection_info().map_err(unusable)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        // A beat is small, and must not wait for another to share its packet with.
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        let client = Client::open(info).map_err(unusable)?;
        let channels = Arc::new(Channels::new(&config.prefix, me));
        Ok(Self { client, channels, batches, events, waiting })
    }

    /// Until nobody hands over batches any more.
    pub(super) async fn run(mut self) {
        let mut pause = AGAIN_AFTER;
        let mut is_told = false;
        while !self.batches.is_closed() {
            let cut = Arc::new(Notify::new());
            let lost = match timeout(CONNECT_WAIT, self.connect(&cut)).await {
                Ok(Ok(connection)) => {
                    pause = AGAIN_AFTER;
                    is_told = false;
                    self.say(Event::Up);
                    let end = self.serve(&connection, &cut).await;
                    drop(connection);
                    self.say(Event::Down);
                    match end {
                        End::Over => return,
                        End::Lost(reason) => reason,
                    }
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("it does not answer within {CONNECT_WAIT:?}"),
            };
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(reason = lost, "Redis is away; it is tried again");
            }
            sleep(pause).await;
            pause = (pause * 2).min(AGAIN_AFTER_MAX);
        }
    }

    fn say(&self, event: Event) {
        // Whoever listened is gone, and the batches with him.
        let _ = self.events.send(event);
    }

    /// A connection that is subscribed.
    async fn connect(&self, cut: &Arc<Notify>) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WAIT))
            .set_response_timeout(Some(ANSWER_WAIT))
            .set_push_sender(self.listener(Arc::clone(cut)));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(&[&self.channels.beat, &self.channels.own]).await?;
        Ok(connection)
    }

    /// Passes on what Redis pushes.
    fn listener(&self, cut: Arc<Notify>) -> impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static {
        let (events, waiting, channels) =
            (self.events.clone(), Arc::clone(&self.waiting), Arc::clone(&self.channels));
        move |info| {
            if info.kind == PushKind::Disconnection {
                cut.notify_one();
            }
            let mut data = info.data.into_iter();
            let (Some(Value::BulkString(channel)), Some(Value::BulkString(bytes))) =
                (data.next(), data.next())
            else {
                return Ok(());
            };
            if info.kind != PushKind::Message || waiting.load(Ordering::Relaxed) > HEARD_BYTES_MAX {
                return Ok(());
            }
            waiting.fetch_add(bytes.len(), Ordering::Relaxed);
            let is_own = channel == channels.own.as_bytes();
            let message = Bytes::from(bytes);
            events.send(if is_own { Event::Told(message) } else { Event::Said(message) }).map_err(drop)
        }
    }

    /// Publishes until the connection is lost.
    async fn serve(&mut self, connection: &MultiplexedConnection, cut: &Notify) -> End {
        let mut in_flight = InFlight(VecDeque::new());
        loop {
            tokio::select! {
                () = cut.notified() => return End::Lost("the connection was closed".to_owned()),
                taken = poll_fn(|cx| in_flight.poll(cx)), if !in_flight.0.is_empty() => match taken {
                    Ok(_) => self.say(Event::Taken),
                    Err(error) => return End::Lost(error.to_string()),
                },
                batch = self.batches.recv(), if in_flight.0.len() < IN_FLIGHT_MAX => match batch {
                    Some(batch) => in_flight.0.push_back(Box::pin(publish(connection.clone(), self.pipeline(batch)))),
                    None => return End::Over,
                },
            }
        }
    }

    fn pipeline(&self, batch: Batch) -> Pipeline {
        let mut pipeline = Pipeline::with_capacity(batch.len());
        for published in batch {
            pipeline.cmd("PUBLISH").arg(self.channels.to(published.to)).arg(published.bytes);
        }
        pipeline
    }
}

async fn publish(mut connection: MultiplexedConnection, pipeline: Pipeline) -> Taken {
    let count = pipeline.cmd_iter().count();
    connection.send_packed_commands(&pipeline, 0, count).await
}

/// What Redis says to a batch.
type Taken = RedisResult<Vec<Value>>;

/// Batches that Redis has not answered, in order.
struct InFlight(VecDeque<Pin<Box<dyn Future<Output = Taken> + Send>>>);

impl InFlight {
    /// A batch is handed to the connection when it is polled for the first time: so they are polled from the front.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Taken> {
        for at in 0..self.0.len() {
            if let Poll::Ready(taken) = self.0[at].as_mut().poll(cx) {
                drop(self.0.remove(at));
                return Poll::Ready(taken);
            }
        }
        Poll::Pending
    }
}
