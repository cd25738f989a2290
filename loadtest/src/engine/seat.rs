//! One connection of the load: its socket, how far it is, and what has been left over of reading and writing.
//!
//! Owns: the handshake and the partial frames. A quiet connection holds no buffer. Not here: what the frames say
//! ([`super::generator`]).

use super::frame;
use super::room::View;
use crate::fleet::Account;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Connections from one source address to one server: below the kernel's 28,000 ephemeral ports, with room for those that are being
/// forgotten.
const CONNECTIONS_PER_ADDRESS: usize = 20_000;

/// The head of an HTTP answer that is no upgrade is quoted up to here.
const QUOTED_BYTES_MAX: usize = 300;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not connected, and not meant to be.
    Away,
    /// The upgrade has not been answered.
    Upgrading,
    /// Upgraded; the sync has not ended.
    Syncing,
    /// In sync.
    Live,
    /// Ended although it was not meant to.
    Lost,
}

/// One session's connection.
#[derive(Debug)]
pub(super) struct Seat {
    /// Which session of the scenario it is.
    pub(super) session: u32,
    pub(super) stage: Stage,
    /// The last horizon that was applied.
    pub(super) horizon: i64,
    /// When the connection was begun, in microseconds of the process's clock.
    pub(super) begun_us: u64,
    /// It has been in sync before.
    pub(super) was_live: bool,
    /// It does not read for now, or did not for a while: the server may close it for that.
    pub(super) is_slow: bool,
    pub(super) was_slow: bool,
    pub(super) views: Vec<View>,
    stream: Option<TcpStream>,
    /// What the kernel did not take.
    unsent: Vec<u8>,
    /// The part of a frame that has arrived.
    rest: Vec<u8>,
}

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The server closed it with this code.
    Closed(u16),
    Broken(String),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl Seat {
    pub(super) fn new(session: u32) -> Self {
        Self {
            session,
            stage: Stage::Away,
            horizon: 0,
            begun_us: 0,
            was_live: false,
            is_slow: false,
            was_slow: false,
            views: Vec::new(),
            stream: None,
            unsent: Vec::new(),
            rest: Vec::new(),
        }
    }

    /// Begins to connect.
    pub(super) fn connect(
        &mut self,
        server: SocketAddr,
        registry: &Registry,
        token: Token,
    ) -> Result<(), Ended> {
        let mut stream = TcpStream::from_std(begin(server, self.session as usize)?);
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        self.stage = Stage::Upgrading;
        Ok(())
    }

    /// Queues the upgrade request; it leaves when the connection stands.
    pub(super) fn ask_upgrade(&mut self, host: &str, account: &Account) {
        let request = format!(
            "GET /api/ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cmlsbC1sb2FkdGVzdC0xNg==\r\nCookie: token_id={}\r\n\r\n",
            account.token_id
        );
        self.unsent.extend_from_slice(request.as_bytes());
    }

    /// Queues a text frame and sends what the kernel takes.
    pub(super) fn send(&mut self, text: &str, key: u32) -> Result<(), Ended> {
        frame::put_text(&mut self.unsent, text.as_bytes(), key);
        self.flush()
    }

    /// Answers a ping.
    pub(super) fn pong(&mut self, payload: &[u8], key: u32) -> Result<(), Ended> {
        frame::put_pong(&mut self.unsent, payload, key);
        self.flush()
    }

    /// Sends what waits, as far as the kernel takes it.
    pub(super) fn flush(&mut self) -> Result<(), Ended> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        while !self.unsent.is_empty() {
            match stream.write(&self.unsent) {
                Ok(0) => return Err(Ended::Broken("the connection takes nothing".into())),
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if is_later(&error) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.unsent.capacity() > 0 {
            self.unsent = Vec::new();
        }
        Ok(())
    }

    /// Reads once into `scratch`, behind what was left over. The length of what is there, and whether more may wait.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> Result<(usize, bool), Ended> {
        let Some(stream) = &mut self.stream else {
            return Ok((0, false));
        };
        let kept = self.rest.len();
        scratch[..kept].copy_from_slice(&self.rest);
        loop {
            match stream.read(&mut scratch[kept..]) {
                Ok(0) => return Err(Ended::Closed(1006)),
                Ok(read) => {
                    self.rest = Vec::new();
                    // A stream socket that gave less than it could has no more; what comes later is announced again.
                    return Ok((kept + read, kept + read == scratch.len()));
                }
                Err(error) if is_later(&error) => return Ok((0, false)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Keeps the part of a frame for the next time.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.rest = rest.to_vec();
    }

    /// How much is kept: a frame that is larger than the reader's scratch needs a larger one.
    pub(super) fn kept(&self) -> usize {
        self.rest.len()
    }

    /// Closes with 1000, as far as the kernel takes it, and hangs up.
    pub(super) fn close(&mut self, key: u32) {
        frame::put_close(&mut self.unsent, key);
        // Whoever hangs up does not mind that the goodbye was lost.
        let _ = self.flush();
        self.hang_up();
        self.stage = Stage::Away;
    }

    /// Drops the connection without a word.
    pub(super) fn hang_up(&mut self) {
        self.stream = None;
        self.unsent = Vec::new();
        self.rest = Vec::new();
    }

    /// The view of a room, if the session has one.
    pub(super) fn view(&self, room: u32) -> Option<usize> {
        // Rooms are met in the order of their numbers nearly always; a session is in few.
        self.views.iter().position(|view| view.room == room)
    }
}

/// What the server answered to the upgrade: the length of its head when it is the right one.
pub(super) fn upgraded(bytes: &[u8]) -> Result<Option<usize>, Ended> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    if bytes.starts_with(b"HTTP/1.1 101") {
        return Ok(Some(end + 4));
    }
    let quoted = String::from_utf8_lossy(&bytes[..bytes.len().min(QUOTED_BYTES_MAX)]).into_owned();
    Err(Ended::Broken(format!("the upgrade was refused: {quoted}")))
}

/// Begins a connection. To a server on this machine each 20,000 sessions have a source address of their own. The first of them have the
/// one that the system gives them: where it is asked for an address and any port, it looks through all that were closed a minute ago.
fn begin(server: SocketAddr, session: usize) -> io::Result<std::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let IpAddr::V4(address) = server.ip()
        && address.is_loopback()
        && session >= CONNECTIONS_PER_ADDRESS
    {
        let last = u8::try_from(session / CONNECTIONS_PER_ADDRESS + 1).unwrap_or(u8::MAX);
        let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
        socket.bind(&from.into())?;
    }
    match socket.connect(&server.into()) {
        Ok(()) => {}
        Err(error) if is_later(&error) || error.raw_os_error() == Some(IN_PROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

/// `EINPROGRESS` on Linux: the connection is being made.
const IN_PROGRESS: i32 = 115;

fn is_later(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.raw_os_error() == Some(IN_PROGRESS)
}
