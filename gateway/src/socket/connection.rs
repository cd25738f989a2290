//! One socket: what it has been told and not taken, how long it has been silent, and how it ends.
//!
//! A connection is written to by whoever has something for it (the hub, the clock, its own reading), never waiting: what
//! the kernel does not take is kept, and a task finishes it. So the task that reads never waits for a client that does
//! not. The hub calls a sink while it is borrowed; nothing here calls the hub back from such a call.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::net::Shutdown;
use std::ops::Range;
use std::rc::{Rc, Weak};
use std::time::Duration;

use actix::Addr;
use rill_actors::account::login::Login;
use rill_actors::hub::{CloseCode, Sink};
use rill_actors::presence::Lane;
use rill_actors::session::{End, FRAMES_UNDER_WAY_MAX, Session};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::Sockets;
use super::outgoing::{Opcode, Outgoing, frame_in_place, put_frame};
use crate::config::Config;
use crate::worker::Seat;

/// How many bytes of pongs may wait for a client. One that sends pings and does not read is not read any further.
const CONTROL_BYTES_MAX: usize = 4 * 1024;

/// The longest reason of a close frame (RFC 6455 §5.5: 125 bytes, of which the code takes two).
const REASON_BYTES_MAX: usize = 123;

/// Why a socket is closed (websocket.md, "Closing").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(super) enum Goodbye {
    /// Not a WebSocket frame.
    Protocol = 1002,
    /// A binary frame.
    Binary = 1003,
    /// Text that is not UTF-8.
    NotUtf8 = 1007,
    /// The account was closed or the session logged out.
    Policy = 1008,
    /// A message above the limit.
    TooLarge = 1009,
    /// An internal fault.
    Fault = 1011,
    /// The node is draining.
    Draining = 1012,
    /// The node is overloaded.
    Overloaded = 1013,
    /// None of the forms.
    BadFrame = 4400,
    /// A wrong ticket.
    WrongTicket = 4401,
    /// No hello, or no answer to pings.
    TimedOut = 4408,
    /// Sends too fast or reads too slowly.
    TooFast = 4429,
}

impl From<CloseCode> for Goodbye {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::Policy => Self::Policy,
            CloseCode::Fault => Self::Fault,
            CloseCode::Draining => Self::Draining,
            CloseCode::Overloaded => Self::Overloaded,
            CloseCode::TooFast => Self::TooFast,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// No hello yet.
    Greeting,
    Open,
    /// A close frame is on its way; at the given moment patience ends.
    Closing {
        deadline_ms: u64,
    },
    Gone,
}

/// One socket.
pub(super) struct Connection {
    key: u64,
    me: Weak<Connection>,
    pub(super) stream: TcpStream,
    pub(super) sockets: Rc<Sockets>,
    pub(super) login: Login,
    phase: Cell<Phase>,
    session: OnceCell<(Addr<Session>, Lane)>,
    outgoing: RefCell<Outgoing>,
    /// A task finishes what is in `outgoing`.
    is_writing: Cell<bool>,
    /// When the client last took something, while something is in `outgoing`.
    moved_ms: Cell<u64>,
    /// When the client was last heard; in the beginning, when it came.
    heard_ms: Cell<u64>,
    is_pinged: Cell<bool>,
    /// Client frames that are not answered yet.
    under_way: Cell<usize>,
    /// The reading may go on.
    resumed: Notify,
    _seat: Seat,
}

impl Connection {
    /// A socket whose handshake is done.
    pub(super) fn open(sockets: &Rc<Sockets>, stream: TcpStream, login: Login, seat: Seat) -> Rc<Self> {
        let key = sockets.next_key();
        // Counted from the last tick, the time for the hello would end up to a second too early.
        let now_ms = sockets.exact_ms();
        let connection = Rc::new_cyclic(|me| Self {
            key,
            me: me.clone(),
            stream,
            sockets: Rc::clone(sockets),
            login,
            phase: Cell::new(Phase::Greeting),
            session: OnceCell::new(),
            outgoing: RefCell::default(),
            is_writing: Cell::new(false),
            moved_ms: Cell::new(now_ms),
            heard_ms: Cell::new(now_ms),
            is_pinged: Cell::new(false),
            under_way: Cell::new(0),
            resumed: Notify::new(),
            _seat: seat,
        });
        sockets.open.borrow_mut().insert(key, Rc::downgrade(&connection));
        connection
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// The hello was accepted. From now on the session's frames come through the sink.
    pub(super) fn greeted(&self, session: Addr<Session>, lane: Lane) {
        self.phase.set(Phase::Open);
        // It is called once, in the phase that it ends.
        let _ = self.session.set((session, lane));
    }

    pub(super) fn session(&self) -> Option<&Addr<Session>> {
        self.session.get().map(|(session, _)| session)
    }

    /// Bytes came.
    pub(super) fn heard(&self) {
        self.heard_ms.set(self.sockets.now_ms.get());
        self.is_pinged.set(false);
    }

    /// A client frame was handed to the session.
    pub(super) fn submitted(&self) {
        self.under_way.set(self.under_way.get() + 1);
    }

    /// Whether the client must wait before it is read again.
    pub(super) fn is_paused(&self) -> bool {
        self.phase.get() == Phase::Open
            && (self.under_way.get() >= FRAMES_UNDER_WAY_MAX
                || self.outgoing.borrow().control_bytes() > CONTROL_BYTES_MAX)
    }

    /// Waits until something has changed that may end a pause.
    pub(super) async fn resumed(&self) {
        self.resumed.notified().await;
    }

    /// Sends a frame ahead of the data that waits.
    pub(super) fn control(&self, opcode: Opcode, payload: &[u8]) {
        if matches!(self.phase.get(), Phase::Greeting | Phase::Open) {
            self.outgoing.borrow_mut().put_control(opcode, payload);
            self.push_out();
        }
    }

    /// Says goodbye, once: the close frame follows what waits; a slow reader's queue is dropped instead.
    pub(super) fn close(&self, why: Goodbye, reason: &str) {
        let payload = [&(why as u16).to_be_bytes()[..], clip(reason).as_bytes()].concat();
        self.count(why);
        self.close_with(&payload, why == Goodbye::TooFast);
    }

    /// Answers the client's goodbye with its own code.
    pub(super) fn close_back(&self, code: Option<u16>) {
        let payload = code.map(u16::to_be_bytes);
        self.close_with(payload.as_ref().map_or(&[], |code| &code[..]), false);
    }

    fn close_with(&self, payload: &[u8], drops_queue: bool) {
        if matches!(self.phase.get(), Phase::Closing { .. } | Phase::Gone) {
            return;
        }
        let grace_ms = u64::from(self.sockets.shared.config.close_grace_ms);
        self.phase.set(Phase::Closing { deadline_ms: self.sockets.exact_ms() + grace_ms });
        let mut frame = Vec::new();
        put_frame(&mut frame, Opcode::Close, payload);
        let mut outgoing = self.outgoing.borrow_mut();
        if drops_queue {
            outgoing.drop_queue();
        }
        outgoing.put_data(&frame, 0);
        drop(outgoing);
        self.end_session();
        self.resumed.notify_one();
        self.push_out();
    }

    fn count(&self, why: Goodbye) {
        let metrics = &self.sockets.shared.node.metrics;
        match why {
            Goodbye::Protocol
            | Goodbye::Binary
            | Goodbye::NotUtf8
            | Goodbye::TooLarge
            | Goodbye::BadFrame => {
                metrics.sessions_malformed.add(1);
            }
            Goodbye::TimedOut => metrics.sessions_timed_out.add(1),
            Goodbye::TooFast => metrics.sessions_too_fast.add(1),
            Goodbye::Policy
            | Goodbye::Fault
            | Goodbye::Draining
            | Goodbye::Overloaded
            | Goodbye::WrongTicket => {}
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "twice in a session's life at most, and it must not be lost"
    )]
    fn end_session(&self) {
        if let Some((session, lane)) = self.session.get() {
            lane.bury();
            session.do_send(End);
        }
    }

    /// The reading has ended: nothing more can come.
    pub(super) fn gone(&self) {
        self.phase.set(Phase::Gone);
        self.end_session();
        // The task that writes, if there is one, finds the stream shut and ends. A stream that is shut already is fine.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
        self.sockets.open.borrow_mut().remove(&self.key);
    }

    /// Patience is over: what the client has not taken is thrown away, by the kernel as well.
    fn abort(&self) {
        let socket = SockRef::from(&self.stream);
        // A socket that cannot be told is gone already.
        let _ = socket.set_linger(Some(Duration::ZERO));
        let _ = socket.shutdown(Shutdown::Both);
        self.phase.set(Phase::Gone);
        self.resumed.notify_one();
    }

    /// A second has passed.
    pub(super) fn tick(&self, now_ms: u64, config: &Config) {
        let silent_ms = now_ms.saturating_sub(self.heard_ms.get());
        let stuck_ms = now_ms.saturating_sub(self.moved_ms.get());
        let is_stuck = !self.outgoing.borrow().is_empty();
        let (ping_after_ms, ping_wait_ms) = (u64::from(config.ping_after_ms), u64::from(config.ping_wait_ms));
        match self.phase.get() {
            Phase::Greeting if silent_ms >= u64::from(config.hello_wait_ms) => {
                self.close(Goodbye::TimedOut, "no hello in time");
            }
            Phase::Open if is_stuck => {
                if stuck_ms >= u64::from(config.slow_reader_ms) {
                    self.close(Goodbye::TooFast, "slow reader: nothing was taken for too long");
                }
            }
            // Nothing is read from a client that is paused, so its silence says nothing.
            Phase::Open if self.is_paused() => {}
            Phase::Open if self.is_pinged.get() => {
                if silent_ms >= ping_after_ms + ping_wait_ms {
                    self.close(Goodbye::TimedOut, "no answer to pings");
                }
            }
            Phase::Open if silent_ms >= ping_after_ms => {
                self.is_pinged.set(true);
                self.control(Opcode::Ping, b"");
            }
            Phase::Closing { deadline_ms } if now_ms >= deadline_ms => self.abort(),
            Phase::Greeting | Phase::Open | Phase::Closing { .. } | Phase::Gone => {}
        }
    }

    /// Writes what the kernel takes, and sees to it that the rest follows.
    fn push_out(&self) {
        if self.is_writing.get() {
            return;
        }
        match self.write_some() {
            Written::All => self.all_written(),
            Written::Some => self.finish_later(),
            Written::Broken => self.abort(),
        }
    }

    fn write_some(&self) -> Written {
        let mut outgoing = self.outgoing.borrow_mut();
        while !outgoing.is_empty() {
            match self.stream.try_write(outgoing.next()) {
                Ok(bytes) => {
                    outgoing.wrote(bytes);
                    self.moved_ms.set(self.sockets.now_ms.get());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Written::Some,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Written::Broken,
            }
        }
        Written::All
    }

    fn all_written(&self) {
        if matches!(self.phase.get(), Phase::Closing { .. }) {
            // The client sees the end after the close frame; it is read until it ends too, or patience does.
            let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
        }
    }

    fn finish_later(&self) {
        if let Some(me) = self.me.upgrade()
            && !self.is_writing.replace(true)
        {
            self.moved_ms.set(self.sockets.now_ms.get());
            actix_rt::spawn(finish(me));
        }
    }
}

enum Written {
    All,
    Some,
    Broken,
}

/// Writes the rest as the client takes it, and lets the hub go on when all has gone.
async fn finish(connection: Rc<Connection>) {
    loop {
        if connection.stream.writable().await.is_err() {
            connection.abort();
            break;
        }
        match connection.write_some() {
            Written::Some => continue,
            Written::Broken => {
                connection.abort();
                break;
            }
            Written::All => {}
        }
        connection.resumed.notify_one();
        if connection.phase.get() == Phase::Open
            && let (Some((_, lane)), Some(hub)) = (connection.session.get(), connection.sockets.hub.upgrade())
        {
            hub.borrow_mut().ready(lane);
        }
        if connection.outgoing.borrow().is_empty() {
            connection.all_written();
            break;
        }
    }
    connection.is_writing.set(false);
}

/// Cuts a reason to what a close frame holds.
fn clip(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

/// The hub's way to a socket.
pub(super) struct SocketSink(pub(super) Rc<Connection>);

impl Sink for SocketSink {
    fn is_ready(&self) -> bool {
        self.0.phase.get() == Phase::Open && self.0.outgoing.borrow().is_empty()
    }

    fn send(&mut self, bytes: &mut [u8], frames: &[Range<usize>]) {
        if self.0.phase.get() != Phase::Open {
            return;
        }
        let all = frame_in_place(bytes, frames);
        let framed = &bytes[all];
        let written = match self.0.stream.try_write(framed) {
            Ok(written) => written,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
            Err(_) => {
                self.0.abort();
                return;
            }
        };
        if written < framed.len() {
            self.0.outgoing.borrow_mut().put_data(framed, written);
            self.0.finish_later();
        }
    }

    fn answer(&mut self, _: u64, _: &[u8]) {}

    fn resume(&mut self) {
        let before = self.0.under_way.get();
        self.0.under_way.set(before.saturating_sub(1));
        if before >= FRAMES_UNDER_WAY_MAX {
            self.0.resumed.notify_one();
        }
    }

    fn close(&mut self, code: CloseCode, reason: &str) {
        self.0.close(code.into(), reason);
    }
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn reasons_are_cut_between_characters() {
        assert_eq!(clip("short"), "short");
        assert_eq!(clip(&"a".repeat(200)).len(), 123);
        assert_eq!(clip(&"ä".repeat(100)).len(), 122);
    }
}
