//! A session over one WebSocket (websocket.md), blocking, with a time-out on everything.
//!
//! Not here: what the records mean ([`crate::picture`]).

use crate::failure::Failure;
use crate::picture::Picture;
use crate::record::{self, Record};
use crate::session::{ANSWER_WAIT, Answer, Event, Session};
use crate::user::{API_VERSION, User};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use tungstenite::client::ClientRequestBuilder;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame as RawFrame};
use tungstenite::protocol::{Message, WebSocket, WebSocketConfig};
use uuid::Uuid;

/// How long connecting, the upgrade and the whole sync may take.
pub const OPEN_WAIT: Duration = Duration::from_secs(30);

/// How long one write may block before the server counts as not reading.
const WRITE_WAIT: Duration = Duration::from_secs(10);

/// What one connection holds of buffers: tungstenite takes 128 KiB twice unless told otherwise, too much for thousands of sessions.
const BUFFER_BYTES: usize = 4 * 1024;

/// One frame from the server, in whichever of its forms.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The request records of an answer; empty on a push.
    pub requests: Vec<Record>,
    /// The records, in the order in which they are to be applied.
    pub stream: Vec<Record>,
    /// The horizon after this frame.
    pub event_horizon: Option<i64>,
    /// Present on sync frames; 1.0 on the last of them.
    pub sync_progress: Option<f64>,
    /// The frame as it came.
    pub raw: Value,
}

impl Frame {
    /// Reads a frame's text.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let raw: Value = serde_json::from_str(text)
            .map_err(|error| Failure::Broken(format!("a frame is not JSON ({error}): {text}")))?;
        Ok(Self {
            requests: record::list(&raw, "requests"),
            stream: record::list(&raw, "stream"),
            event_horizon: raw.get("event_horizon").and_then(Value::as_i64),
            sync_progress: raw.get("sync_progress").and_then(Value::as_f64),
            raw,
        })
    }
}

/// An open WebSocket of a user, with the picture of what came over it.
#[derive(Debug)]
pub struct Socket {
    user: User,
    web: WebSocket<TcpStream>,
    picture: Picture,
    answers: HashMap<String, Answer>,
    /// Pings sent by [`Session::settle`], so that no pong is taken for another's.
    pings: i64,
}

impl Socket {
    /// Upgrades to a WebSocket and says nothing yet. A refused upgrade is a [`Failure::Http`] with its status.
    pub fn open(user: &User, picture: Picture) -> Result<Self, Failure> {
        let cookie = format!("token_id={}", user.token_id);
        let web = upgrade(user.base_url(), &[("Cookie", &cookie)])?;
        Ok(Self { user: user.clone(), web, picture, answers: HashMap::new(), pings: 0 })
    }

    /// Sends the hello with the picture's horizon.
    pub fn hello(&mut self, poll_flags: &[&str]) -> Result<(), Failure> {
        self.picture.begin_connection();
        let hello = json!({
            "ticket": self.user.ticket, "api_version": API_VERSION,
            "event_horizon": self.picture.horizon(), "poll_flags": poll_flags,
        });
        self.send_text(&hello.to_string())
    }

    /// Reads frames until the one with `sync_progress` 1.0. The whole sync is one batch to the picture.
    pub fn read_sync(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        self.picture.begin_batch();
        loop {
            let left = OPEN_WAIT.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Failure::timed_out("end of the sync", OPEN_WAIT));
            }
            let frame = self.read_frame(left)?;
            let Some(progress) = frame.sync_progress else {
                return Err(Failure::Broken(format!("a live frame inside the sync: {}", frame.raw)));
            };
            self.picture.apply_all(&frame.stream, frame.event_horizon);
            if progress >= 1.0 {
                self.picture.end_batch();
                return Ok(());
            }
        }
    }

    /// Sends one event and does not wait.
    pub fn submit(&mut self, urn: &str, params: Value) -> Result<Uuid, Failure> {
        let event = Event::new(urn, params);
        self.submit_events(std::slice::from_ref(&event))?;
        Ok(event.client_req_id)
    }

    /// Sends several events as one client frame and does not wait.
    pub fn submit_frame(&mut self, events: Vec<(&str, Value)>) -> Result<Vec<Uuid>, Failure> {
        let events: Vec<Event> = events.into_iter().map(|(urn, params)| Event::new(urn, params)).collect();
        self.submit_events(&events)?;
        Ok(events.iter().map(|event| event.client_req_id).collect())
    }

    /// As [`Self::submit_frame`], with the caller's own `client_req_id`s.
    pub fn submit_events(&mut self, events: &[Event]) -> Result<(), Failure> {
        self.send_text(&submission(events))
    }

    /// Waits for the answer to a submitted event, applying every frame on the way. An answer that came earlier is still here.
    pub fn answer(&mut self, client_req_id: Uuid) -> Result<Answer, Failure> {
        let id = client_req_id.to_string();
        let start = Instant::now();
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return Ok(answer);
            }
            let left = ANSWER_WAIT.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Failure::timed_out(format!("answer to request {id}"), ANSWER_WAIT));
            }
            match self.next_frame(left) {
                Err(failure) if failure.is_time_out() => {}
                other => drop(other?),
            }
        }
    }

    /// Waits for the next frame of the server and applies it. Answers are kept for [`Self::answer`] too.
    pub fn next_frame(&mut self, timeout: Duration) -> Result<Frame, Failure> {
        let frame = self.read_frame(timeout)?;
        self.picture.apply_frame(&frame.stream, frame.event_horizon);
        for request in &frame.requests {
            let answer = Answer { request: request.clone(), stream: frame.stream.clone() };
            self.answers.insert(answer.client_req_id().to_owned(), answer);
        }
        Ok(frame)
    }

    /// Sends any text as a text frame.
    pub fn send_text(&mut self, text: &str) -> Result<(), Failure> {
        self.send(Message::text(text))
    }

    /// Sends a binary frame, which the server refuses with 1003.
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.send(Message::binary(bytes.to_vec()))
    }

    /// Sends any bytes as a text frame, UTF-8 or not.
    pub fn send_bytes_as_text(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.send(Message::Frame(RawFrame::message(bytes.to_vec(), OpCode::Data(Data::Text), true)))
    }

    /// Sends a WebSocket ping.
    pub fn ping(&mut self) -> Result<(), Failure> {
        self.send(Message::Ping(tungstenite::Bytes::from_static(b"rill")))
    }

    /// Sends the ping frame of the protocol and waits for its pong, applying what comes in between.
    pub fn ping_pong(&mut self, number: i64) -> Result<(), Failure> {
        self.send_text(&json!({"ping": number}).to_string())?;
        let start = Instant::now();
        loop {
            let left = ANSWER_WAIT.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Failure::timed_out("pong", ANSWER_WAIT));
            }
            if self.next_frame(left)?.raw.get("pong").and_then(Value::as_i64) == Some(number) {
                return Ok(());
            }
        }
    }

    /// Reads until the server closes and gives the close code and reason; 1006 when it hung up without a close frame.
    pub fn wait_closed(&mut self, within: Duration) -> Result<(u16, String), Failure> {
        let start = Instant::now();
        loop {
            let left = within.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Failure::timed_out("close by the server", within));
            }
            match self.next_frame(left) {
                Err(Failure::Closed { code, reason }) => return Ok((code, reason)),
                Err(failure) if !failure.is_time_out() => return Err(failure),
                Err(_) | Ok(_) => {}
            }
        }
    }

    /// Closes with 1000 and hands the picture back, for [`User::reconnect`].
    #[must_use]
    pub fn close(mut self) -> Picture {
        // A connection that is gone already is closed enough.
        let normal = CloseFrame { code: 1000.into(), reason: "".into() };
        if self.web.close(Some(normal)).is_ok()
            && self.web.get_ref().set_read_timeout(Some(WRITE_WAIT)).is_ok()
        {
            while self.web.read().is_ok() {}
        }
        self.picture
    }

    /// Drops the connection without a close frame, as a lost network does, and hands the picture back.
    #[must_use]
    pub fn abandon(self) -> Picture {
        self.picture
    }

    fn send(&mut self, message: Message) -> Result<(), Failure> {
        let Err(error) = self.web.send(message) else { return Ok(()) };
        let failure = broke(error, "room to write", WRITE_WAIT);
        if failure.is_time_out() {
            return Err(failure);
        }
        // Before it hung up the server may have said why, which nobody has read yet. What it told before that is told again.
        self.web.get_ref().set_read_timeout(Some(WRITE_WAIT))?;
        while let Ok(message) = self.web.read() {
            if let Message::Close(frame) = message {
                return Err(closed(frame));
            }
        }
        Err(failure)
    }

    fn read_frame(&mut self, timeout: Duration) -> Result<Frame, Failure> {
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            // A zero time-out would mean "for ever" to the operating system.
            self.web.get_ref().set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.web.read().map_err(|error| broke(error, "frame", timeout))? {
                Message::Text(text) => return Frame::parse(&text),
                Message::Close(frame) => return Err(closed(frame)),
                Message::Binary(_) => return Err(Failure::Broken("the server sent a binary frame".into())),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
            if left.is_zero() {
                return Err(Failure::timed_out("frame", timeout));
            }
        }
    }
}

impl Session for Socket {
    fn user(&self) -> &User {
        &self.user
    }

    fn picture(&self) -> &Picture {
        &self.picture
    }

    fn request_events(&mut self, events: &[Event]) -> Result<Vec<Answer>, Failure> {
        self.submit_events(events)?;
        events.iter().map(|event| self.answer(event.client_req_id)).collect()
    }

    fn settle(&mut self) -> Result<(), Failure> {
        self.pings += 1;
        self.ping_pong(self.pings)
    }

    fn receive(&mut self, wait: Duration) -> Result<Vec<Record>, Failure> {
        match self.next_frame(wait) {
            Ok(frame) => Ok(frame.stream),
            Err(failure) if failure.is_time_out() => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }
}

/// The text of a client frame.
#[must_use]
pub fn submission(events: &[Event]) -> String {
    json!({"stream": events.iter().map(Event::to_json).collect::<Vec<_>>()}).to_string()
}

/// Connects to `GET /api/ws` with the given headers, which need not be right.
pub fn upgrade(base_url: &str, headers: &[(&str, &str)]) -> Result<WebSocket<TcpStream>, Failure> {
    let Some(host) = base_url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')) else {
        return Err(Failure::Io(format!("{base_url} is no http:// address; this client speaks no TLS")));
    };
    let host_and_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address = host_and_port.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| Failure::Io(format!("{host} has no address")))?;
    let stream = TcpStream::connect_timeout(&address, OPEN_WAIT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(OPEN_WAIT))?;
    stream.set_write_timeout(Some(WRITE_WAIT))?;
    let uri = format!("ws://{host}/api/ws").parse();
    let uri = uri.map_err(|error| Failure::Io(format!("{base_url} is no address: {error}")))?;
    let mut request = ClientRequestBuilder::new(uri);
    for (name, value) in headers {
        request = request.with_header(*name, *value);
    }
    let config = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
    match tungstenite::client::client_with_config(request, stream, Some(config)) {
        Ok((web, _)) => Ok(web),
        Err(tungstenite::HandshakeError::Interrupted(_)) => Err(Failure::timed_out("upgrade", OPEN_WAIT)),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
            let body =
                response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            Err(Failure::Http { path: "/api/ws".into(), status: response.status().as_u16(), body })
        }
        Err(tungstenite::HandshakeError::Failure(error)) => Err(broke(error, "upgrade", OPEN_WAIT)),
    }
}

/// The failure behind a close frame; 1005 stands for one without a code.
pub(crate) fn closed(frame: Option<CloseFrame>) -> Failure {
    let (code, reason) = frame.map_or((1005, String::new()), |f| (f.code.into(), f.reason.to_string()));
    Failure::Closed { code, reason }
}

fn broke(error: tungstenite::Error, what: &str, wait: Duration) -> Failure {
    if let tungstenite::Error::Io(io) = &error
        && matches!(io.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
    {
        return Failure::timed_out(what, wait);
    }
    // Whoever is killed sends no close frame; to the client that is the same fact as a reset.
    Failure::Closed { code: 1006, reason: error.to_string() }
}
