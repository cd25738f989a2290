//! The thread that owns the socket.
//!
//! Owns connecting, the hello, the pings, the waiting between tries, and the outbox. It knows frames, not what they
//! mean: records go to the person's side as they came. Both channels are bounded: a person's side that does not keep up
//! stops the reading, and so the sender. Not here: the login calls (`login`), the picture.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use rill_proto::id::RequestId;
use serde::Deserialize;
use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error as WsError, HandshakeError, Message, WebSocket};

use super::backoff::{Backoff, asked_wait};
use super::login::{Credentials, LoginError, Pass, Server};
use super::outbox::{Answer, Outbox, Outgoing, UNANSWERED_MAX};

/// Frames on their way to the screen: several screens full of traffic, yet a stuck terminal costs little.
const NEWS_MAX: usize = 256;

/// How long one read may wait, so that what was typed leaves soon although reading and writing share a thread.
const READ_WAIT: Duration = Duration::from_millis(20);

/// A server that does not answer a connect, a handshake or a write for this long is not there.
const SERVER_WAIT: Duration = Duration::from_secs(10);

/// After this long without a frame the server is asked whether it is there.
const PING_AFTER: Duration = Duration::from_secs(20);

/// After this long without a frame, a ping among them unanswered, the connection counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(45);

/// A server that answers no close for this long is left without one.
const GOODBYE_WAIT: Duration = Duration::from_millis(500);

/// What the person's side asks of the connection.
#[derive(Debug)]
pub(crate) enum Command {
    /// Carry an event to the server, sooner or later.
    Store(Outgoing),
    /// Close and end the thread.
    Leave,
}

/// What the connection tells the person's side.
#[derive(Debug)]
pub(crate) enum News {
    /// The link is in another state.
    Link(Link),
    /// A frame came.
    Frame(Frame),
    /// These events were given up and get no answer, because of this.
    GivenUp(Vec<RequestId>, String),
}

/// The state of the link to the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Link {
    /// A connection is being made.
    Connecting,
    /// The sync is under way, this far (0 to 1).
    Syncing(f64),
    /// Frames are live.
    Live,
    /// Lost for this reason; the next try is at this time.
    Waiting(Instant, String),
    /// Over for this reason; there will be no other try.
    Ended(String),
}

/// A frame from the server (websocket.md, Frames from the server). Whatever a frame lacks is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Frame {
    /// Request records.
    pub(crate) requests: Vec<Value>,
    /// Records.
    pub(crate) stream: Vec<Value>,
    /// Everything up to here has been sent.
    pub(crate) event_horizon: Option<i64>,
    /// Present while a sync is under way.
    pub(crate) sync_progress: Option<f64>,
}

/// The two ends that the person's side holds.
pub(crate) struct Line {
    /// Towards the server; `try_send`, for a screen must never wait for a network.
    pub(crate) commands: SyncSender<Command>,
    /// From the server.
    pub(crate) news: Receiver<News>,
}

/// Starts the thread with a session that is logged in already.
pub(crate) fn start(server: Server, credentials: Credentials, pass: Pass) -> std::io::Result<Line> {
    let (commands, commands_end) = sync_channel(UNANSWERED_MAX);
    let (news_end, news) = sync_channel(NEWS_MAX);
    let connection = Connection {
        server,
        credentials,
        pass: Some(pass),
        commands: commands_end,
        news: news_end,
        outbox: Outbox::default(),
        backoff: Backoff::default(),
        event_horizon: 0,
    };
    std::thread::Builder::new().name("rill-chat-socket".to_owned()).spawn(move || connection.run())?;
    Ok(Line { commands, news })
}

struct Connection {
    server: Server,
    credentials: Credentials,
    /// Missing while a new login is due.
    pass: Option<Pass>,
    commands: Receiver<Command>,
    news: SyncSender<News>,
    outbox: Outbox,
    backoff: Backoff,
    event_horizon: i64,
}

/// How a connection, or the attempt at one, ended.
enum End {
    /// The person left.
    Left,
    /// It may be tried again, after `wait` where the server named one.
    Lost { reason: String, wait: Option<Duration> },
    /// Trying again would not help.
    Over(String),
}

impl End {
    fn lost(reason: impl ToString) -> Self {
        Self::Lost { reason: reason.to_string(), wait: None }
    }
}

type Socket = WebSocket<TcpStream>;

impl Connection {
    fn run(mut self) {
        loop {
            let Err(end) = self.connect_and_talk();
            let dropped = self.outbox.connection_lost();
            if !dropped.is_empty() && self.tell(News::GivenUp(dropped, String::new())).is_err() {
                return;
            }
            match end {
                End::Left => return,
                End::Over(reason) => {
                    // The person's side may read the reason for as long as it likes: it ends when that side leaves.
                    let _ = self.tell(News::Link(Link::Ended(reason)));
                    while !matches!(self.commands.recv(), Ok(Command::Leave) | Err(_)) {}
                    return;
                }
                End::Lost { reason, wait } => {
                    if self.wait(reason, wait).is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn connect_and_talk(&mut self) -> Result<std::convert::Infallible, End> {
        self.tell(News::Link(Link::Connecting))?;
        let pass = self.logged_in()?;
        let mut socket = self.open(&pass)?;
        let hello = json!({
            "ticket": pass.ticket,
            "api_version": 4,
            "event_horizon": self.event_horizon,
            "poll_flags": ["skip_hidden"],
        });
        socket.send(Message::text(hello.to_string())).map_err(End::lost)?;
        self.talk(&mut socket)
    }

    fn logged_in(&mut self) -> Result<Pass, End> {
        if let Some(pass) = &self.pass {
            return Ok(pass.clone());
        }
        let pass = self.server.login(&self.credentials).map_err(|error| match error {
            LoginError::Refused(reason) => End::Over(reason),
            LoginError::Fault(reason) => End::lost(reason),
        })?;
        self.pass = Some(pass.clone());
        Ok(pass)
    }

    fn open(&mut self, pass: &Pass) -> Result<Socket, End> {
        let mut request =
            self.server.socket_url().into_client_request().map_err(|error| End::Over(error.to_string()))?;
        let cookie = format!("token_id={}", pass.token_id);
        let cookie = cookie.parse().map_err(|_| End::lost("the server's token is no cookie"))?;
        request.headers_mut().insert("Cookie", cookie);
        let stream = reach(&self.server.host_and_port()).map_err(End::lost)?;
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => {
                socket.get_ref().set_read_timeout(Some(READ_WAIT)).map_err(End::lost)?;
                Ok(socket)
            }
            Err(HandshakeError::Interrupted(_)) => Err(End::lost("the server does not answer")),
            Err(HandshakeError::Failure(WsError::Http(response))) => {
                // A token that is not known any more is no reason to stop: the password may still be right.
                if response.status().as_u16() == 401 {
                    self.pass = None;
                }
                Err(End::lost(format!("the server answers {}", response.status())))
            }
            Err(HandshakeError::Failure(error)) => Err(End::lost(error)),
        }
    }

    fn talk(&mut self, socket: &mut Socket) -> Result<std::convert::Infallible, End> {
        let mut is_live = false;
        let mut heard = Instant::now();
        let mut asked = heard;
        loop {
            if let Err(end) = self.take_commands() {
                self.say_goodbye(socket, is_live);
                return Err(end);
            }
            while is_live && let Some(frame) = self.outbox.next_frame(Instant::now()) {
                socket.send(Message::text(frame)).map_err(End::lost)?;
            }
            if heard.elapsed() > PING_AFTER && asked.elapsed() > PING_AFTER {
                asked = Instant::now();
                socket.send(Message::text(r#"{"ping":1}"#)).map_err(End::lost)?;
            }
            if heard.elapsed() > DEAD_AFTER {
                return Err(End::lost("nothing heard from the server"));
            }
            match socket.read() {
                Ok(Message::Text(text)) => {
                    heard = Instant::now();
                    is_live |= self.take_frame(&text)?;
                }
                Ok(Message::Close(close)) => return Err(self.closed(close)),
                Ok(_) => heard = Instant::now(),
                Err(WsError::Io(error)) if is_timeout(&error) => {}
                Err(error) => return Err(End::lost(error)),
            }
        }
    }

    /// Sends what was asked for before leaving, and closes. Best effort: the server sees the connection end either way.
    fn say_goodbye(&mut self, socket: &mut Socket, is_live: bool) {
        while is_live && let Some(frame) = self.outbox.next_frame(Instant::now()) {
            if socket.write(Message::text(frame)).is_err() {
                return;
            }
        }
        let _ = socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }));
        // A socket dropped with frames unread is reset, and a reset can overtake what was sent.
        let until = Instant::now() + GOODBYE_WAIT;
        while Instant::now() < until {
            match socket.read() {
                Ok(_) => {}
                Err(WsError::Io(error)) if is_timeout(&error) => {}
                Err(_) => return,
            }
        }
    }

    fn take_commands(&mut self) -> Result<(), End> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Store(outgoing)) => self.store(outgoing)?,
                Ok(Command::Leave) | Err(TryRecvError::Disconnected) => return Err(End::Left),
                Err(TryRecvError::Empty) => return Ok(()),
            }
        }
    }

    fn store(&mut self, outgoing: Outgoing) -> Result<(), End> {
        match self.outbox.push(outgoing) {
            Ok(()) => Ok(()),
            Err(back) => self.tell(News::GivenUp(vec![back.id], "Too much waits to be sent.".to_owned())),
        }
    }

    /// Passes a frame on. True when it says that frames are live from here on.
    fn take_frame(&mut self, text: &str) -> Result<bool, End> {
        // A frame that is none of ours is passed over: a newer server may send more than this client knows.
        let Ok(mut frame) = serde_json::from_str::<Frame>(text) else {
            return Ok(false);
        };
        let now = Instant::now();
        frame.requests.retain(|request| self.outbox.answered(request, now) == Answer::Settled);
        let horizon = frame.event_horizon.filter(|horizon| *horizon > self.event_horizon);
        let progress = frame.sync_progress;
        self.tell(News::Frame(frame))?;
        // Only now: the person's side applies frames in order, so whatever is presented later has been applied.
        self.event_horizon = horizon.unwrap_or(self.event_horizon);
        let Some(progress) = progress else {
            return Ok(false);
        };
        if progress < 1.0 {
            self.tell(News::Link(Link::Syncing(progress)))?;
            return Ok(false);
        }
        self.backoff.reset();
        self.tell(News::Link(Link::Live))?;
        Ok(true)
    }

    fn closed(&mut self, close: Option<CloseFrame>) -> End {
        let Some(close) = close else {
            return End::lost("the server closed the connection");
        };
        let (code, reason) = (u16::from(close.code), close.reason.as_str());
        match code {
            // The session or its ticket is no good any more; the password may be.
            1008 | 4401 => self.pass = None,
            1009 => {
                if let Some(event) = self.outbox.give_up_largest() {
                    let told =
                        self.tell(News::GivenUp(vec![event.id], "Too large for the server.".to_owned()));
                    if let Err(end) = told {
                        return end;
                    }
                }
            }
            _ => {}
        }
        End::Lost { reason: format!("{code} {reason}").trim_end().to_owned(), wait: asked_wait(code, reason) }
    }

    /// Sits the time out between two tries, and goes on collecting what the person asks for.
    fn wait(&mut self, reason: String, asked: Option<Duration>) -> Result<(), End> {
        let until = Instant::now() + self.backoff.next_wait(asked, random());
        self.tell(News::Link(Link::Waiting(until, reason)))?;
        loop {
            match self.commands.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Command::Store(outgoing)) => self.store(outgoing)?,
                Ok(Command::Leave) | Err(RecvTimeoutError::Disconnected) => return Err(End::Left),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
            }
        }
    }

    fn tell(&self, news: News) -> Result<(), End> {
        self.news.send(news).map_err(|_| End::Left)
    }
}

fn reach(host_and_port: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the server's name has no address");
    for address in host_and_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, SERVER_WAIT) {
            Ok(stream) => {
                // Small frames must not wait for the acknowledgement of the ones before.
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(SERVER_WAIT))?;
                stream.set_write_timeout(Some(SERVER_WAIT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// 0 to 1. Without a source of randomness the jitter is lost, nothing else.
fn random() -> f64 {
    getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
