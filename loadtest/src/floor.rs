//! The floor: a bare server that does the least that anybody could, for comparison on the same machine in the same run.
//!
//! It accepts, shakes hands, and writes the same bytes to everybody in the room, with one write for all that waits. No store, no actors,
//! no rules; with a log, what is sent is appended and synced in batches before it leaves. It understands just as much of the protocol as
//! the load sends. Not here: anything that should be fast elsewhere.

mod connection;
mod log;
mod world;

use crate::failure::Failure;
use connection::Connection;
use log::Log;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::SockRef;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use world::World;

/// The listener's token; connections have their place in the list.
const LISTENER: Token = Token(usize::MAX);

/// The log's.
const SYNCED: Token = Token(usize::MAX - 1);

/// Readiness reports taken at once.
const EVENTS_MAX: usize = 1024;

/// What one read takes at most.
const SCRATCH_BYTES: usize = 256 * 1024;

/// What the kernel holds for a client that does not read. With more, a client that is behind would be sent fewer, larger writes than any
/// real server sends, and the floor would be lower than it is.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// What a floor is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// A delivery is filled up to so many bytes: what the server under comparison sent.
    pub delivery_bytes: usize,
    /// What is sent is appended to this file and synced before it leaves.
    pub log: Option<PathBuf>,
}

/// Serves until the process ends. Says where it listens as `rill serve` does.
pub fn serve(plan: &Plan) -> Result<(), Failure> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(plan.listen)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let waker = Arc::new(Waker::new(poll.registry(), SYNCED)?);
    let log = plan.log.as_ref().map(|path| Log::start(path, waker)).transpose()?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    let mut floor = Floor {
        connections: Vec::new(),
        world: World::new(plan.delivery_bytes),
        log,
        scratch: vec![0; SCRATCH_BYTES],
    };
    let mut events = Events::with_capacity(EVENTS_MAX);
    loop {
        if let Err(error) = poll.poll(&mut events, None)
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error.into());
        }
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(&listener, &poll)?,
                SYNCED => {}
                Token(place) => floor.serve(place),
            }
        }
        floor.publish();
    }
}

struct Floor {
    connections: Vec<Connection>,
    world: World,
    log: Option<Log>,
    scratch: Vec<u8>,
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> Result<(), Failure> {
        loop {
            match listener.accept() {
                Ok((mut stream, _)) => {
                    stream.set_nodelay(true)?;
                    SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES)?;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(self.connections.len()), interest)?;
                    self.connections.push(Connection::new(stream));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn serve(&mut self, place: usize) {
        let Self { connections, world, scratch, .. } = self;
        let connection = &mut connections[place];
        connection.flush();
        connection.read(scratch, &mut |account, text, answer| world.take(place, account, text, answer));
    }

    /// What the rooms have been told goes out: at once, or when the log has it.
    fn publish(&mut self) {
        if let Some(log) = &mut self.log {
            if log.is_syncing() {
                return;
            }
            self.world.send_synced(&mut self.connections);
            if self.world.has_news() {
                log.sync(self.world.news());
                self.world.release();
            }
        } else {
            self.world.release();
            self.world.send_synced(&mut self.connections);
        }
    }
}
