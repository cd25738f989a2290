//! The loop of one socket: read, decode, hand over.
//!
//! Frames are decoded on the worker that owns the socket. A client with too many frames under way is not read until
//! answers have left; what it has sent by then waits in the connection's own buffer or in the kernel.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::SendError;
use bytes::BytesMut;
use rill_actors::session::{Events, Listen, Session};
use rill_proto::envelope::{ClientFrame, Hello};
use rill_proto::limits::FRAME_BYTES_MAX;
use tokio::io::Interest;
use uuid::Uuid;

use super::READ_BYTES;
use super::connection::{Connection, Goodbye, Phase, SocketSink};
use super::incoming::{Incoming, Said, Violation};
use super::outgoing::Opcode;
use crate::http::event::SKIP_HIDDEN;

/// How long to wait for a session whose mailbox is full: its next turn empties it.
const SESSION_WAIT: Duration = Duration::from_millis(1);

/// Reads a socket until it ends. `early` came together with the handshake.
pub(super) async fn read(connection: Rc<Connection>, mut early: BytesMut) {
    let mut incoming = Incoming::new(FRAME_BYTES_MAX);
    let mut turn = take_in(&connection, &mut incoming, &mut early);
    drop(early);
    loop {
        turn = match turn {
            Turn::Read => match read_some(&connection, &mut incoming).await {
                Some(turn) => turn,
                None => break,
            },
            Turn::Paused => {
                connection.resumed().await;
                take_in(&connection, &mut incoming, &mut BytesMut::new())
            }
            Turn::Full(events) => {
                actix_rt::time::sleep(SESSION_WAIT).await;
                match hand_over(&connection, events) {
                    Some(events) => Turn::Full(events),
                    None => take_in(&connection, &mut incoming, &mut BytesMut::new()),
                }
            }
        };
        if connection.phase() == Phase::Gone {
            break;
        }
    }
    connection.gone();
}

/// What comes next.
enum Turn {
    Read,
    Paused,
    /// The session's mailbox was full; these come first.
    Full(Events),
}

/// Waits for bytes and takes them in. `None` at the end.
async fn read_some(connection: &Rc<Connection>, incoming: &mut Incoming) -> Option<Turn> {
    connection.stream.readable().await.ok()?;
    let mut buffer = connection.sockets.read.borrow_mut();
    buffer.clear();
    buffer.reserve(READ_BYTES);
    let mut count = None;
    let result = connection.stream.try_io(Interest::READABLE, || {
        let read = connection.stream.try_read_buf(&mut *buffer)?;
        count = Some(read);
        // What leaves room has emptied the socket. Told so, the runtime waits for the kernel before it tries again.
        if read < READ_BYTES { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    });
    match (count, result) {
        (Some(0), _) => None,
        (Some(_), _) => {
            connection.heard();
            Some(take_in(connection, incoming, &mut buffer))
        }
        (None, Ok(())) => Some(Turn::Read),
        (None, Err(error)) => {
            let may_go_on = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            may_go_on.then_some(Turn::Read)
        }
    }
}

/// Decodes what was read, and acts on it as far as the client may go on.
fn take_in(connection: &Rc<Connection>, incoming: &mut Incoming, read: &mut BytesMut) -> Turn {
    incoming.join(read);
    let turn = loop {
        if matches!(connection.phase(), Phase::Closing { .. } | Phase::Gone) {
            // Only the end is waited for.
            read.clear();
            *incoming = Incoming::new(FRAME_BYTES_MAX);
            break Turn::Read;
        }
        if connection.is_paused() {
            break Turn::Paused;
        }
        match incoming.next(read) {
            Ok(Some(said)) => {
                if let Some(events) = hear(connection, said) {
                    break Turn::Full(events);
                }
            }
            Ok(None) => break Turn::Read,
            Err(violation) => violated(connection, violation),
        }
    };
    incoming.keep(read);
    turn
}

fn violated(connection: &Connection, violation: Violation) {
    match violation {
        Violation::Protocol(what) => connection.close(Goodbye::Protocol, what),
        Violation::Binary => connection.close(Goodbye::Binary, "frames are text"),
        Violation::NotUtf8 => connection.close(Goodbye::NotUtf8, "text is UTF-8"),
        Violation::TooLarge => {
            connection.close(Goodbye::TooLarge, &format!("a frame has at most {FRAME_BYTES_MAX} bytes"));
        }
    }
}

/// Acts on one message; gives events back that the session cannot take yet.
fn hear(connection: &Rc<Connection>, said: Said) -> Option<Events> {
    match said {
        Said::Ping(payload) => connection.control(Opcode::Pong, &payload),
        Said::Pong => {}
        Said::Close(reason) => connection.close_back(reason.map(|reason| reason.code.into())),
        Said::Text(text) => match std::str::from_utf8(&text).map(ClientFrame::parse) {
            Err(_) => violated(connection, Violation::NotUtf8),
            Ok(Err(bad)) => connection.close(Goodbye::BadFrame, &bad.to_string()),
            Ok(Ok(frame)) => return act(connection, frame),
        },
    }
    None
}

fn act(connection: &Rc<Connection>, frame: ClientFrame) -> Option<Events> {
    match (connection.phase(), frame) {
        (Phase::Greeting, ClientFrame::Hello(hello)) => greet(connection, &hello),
        (Phase::Greeting, ClientFrame::Ping(_) | ClientFrame::Events(_)) => {
            connection.close(Goodbye::BadFrame, "the first frame is the hello");
        }
        (Phase::Open, ClientFrame::Ping(number)) => {
            connection.control(Opcode::Text, format!("{{\"pong\":{number}}}").as_bytes());
        }
        (Phase::Open, ClientFrame::Events(stream)) => {
            connection.submitted();
            return hand_over(connection, Events(stream));
        }
        (Phase::Open, ClientFrame::Hello(_)) => connection.close(Goodbye::BadFrame, "hello was said already"),
        (Phase::Closing { .. } | Phase::Gone, _) => {}
    }
    None
}

/// Opens the session, if the ticket belongs to the token.
fn greet(connection: &Rc<Connection>, hello: &Hello) {
    let sockets = &connection.sockets;
    let node = &sockets.shared.node;
    if !connection.login.admits(node, &hello.ticket) {
        connection.close(Goodbye::WrongTicket, "the ticket does not belong to the token");
        return;
    }
    // Without its hub the worker is on its way out.
    let Some(hub) = sockets.hub.upgrade() else { return };
    let sink = Box::new(SocketSink(Rc::clone(connection)));
    let (session, lane) = Session::on_socket(Arc::clone(node), hub, &connection.login, sink);
    let listen = Listen {
        horizon: u64::try_from(hello.event_horizon).unwrap_or(0),
        skip_hidden: hello.poll_flags.iter().any(|flag| flag == SKIP_HIDDEN),
    };
    let told = session.try_send(listen);
    connection.greeted(session, lane);
    if let Err(error) = told {
        fault(connection, "a new session does not listen", error);
    }
}

/// Gives events to the session; they come back when its mailbox is full.
fn hand_over(connection: &Connection, events: Events) -> Option<Events> {
    let session = connection.session()?;
    match session.try_send(events) {
        Ok(()) => None,
        Err(SendError::Full(events)) => Some(events),
        Err(SendError::Closed(_)) => {
            if connection.phase() == Phase::Open {
                fault(connection, "a session ended before its socket", "its mailbox is closed");
            }
            None
        }
    }
}

fn fault(connection: &Connection, what: &str, error: impl std::fmt::Display) {
    let correlation_id = Uuid::new_v4();
    let account_id = connection.login.account_id;
    tracing::error!(%correlation_id, %account_id, %error, "{what}");
    connection.close(Goodbye::Fault, &format!("internal fault, correlation id {correlation_id}"));
}
