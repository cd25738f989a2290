//! The way in: what is checked before a request becomes a socket (websocket.md, "Opening").
//!
//! Upgrade requests do not pass the routes of HTTP; the checks that both make are the same functions.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use actix_codec::Framed;
use actix_http::body::BodySize;
use actix_http::h1::{Codec, Message};
use actix_http::header::{CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use actix_http::{HttpMessage, Request, Response, StatusCode, ws};
use actix_web::ResponseError;
use bytes::Bytes;
use rill_actors::account::login::{Login, login_of};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::reading::read;
use crate::credentials;
use crate::refuse::Refused;
use crate::routes::segments;
use crate::worker::{Seat, Shared, Worker};

/// The subprotocol that is echoed when it is offered.
const SUBPROTOCOL: &str = "fleep.v4.json";

/// What the kernel holds for a client that does not read; it doubles the number. More would only hide for longer that
/// the client is slow, and a thousand such clients must not take the machine's memory.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Serves one upgrade request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    request: Request,
    framed: Framed<TcpStream, Codec>,
) -> Result<(), Infallible> {
    if let Err(error) = upgrade(shared, request, framed).await {
        // The client went before it was answered.
        tracing::debug!(%error, "an upgrade ended early");
    }
    Ok(())
}

async fn upgrade(
    shared: Arc<Shared>,
    request: Request,
    mut framed: Framed<TcpStream, Codec>,
) -> io::Result<()> {
    let admitted = match Worker::here(&shared) {
        Some(worker) => admit(&shared, &request).await.map(|admitted| (worker, admitted)),
        None => Err(Refused::unavailable("This thread serves no sockets.")),
    };
    let (worker, (login, seat)) = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => return refuse(framed, &refused).await,
    };
    let response = match ws::handshake(request.head()) {
        Ok(mut response) => {
            if offers_subprotocol(&request) {
                response.insert_header((SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL)));
            }
            response.finish().drop_body()
        }
        Err(error) => return refuse(framed, &Refused::bad_request(error.to_string())).await,
    };
    let message = Message::Item((response, BodySize::None));
    Pin::new(&mut framed).write(message)?;
    flush(&mut framed).await?;
    let parts = framed.into_parts();
    prepare(&parts.io)?;
    let connection = Connection::open(&worker.sockets, parts.io, login, seat);
    // A task of its own: the one that served the request holds the buffers of HTTP for as long as it runs.
    actix_rt::spawn(read(connection, parts.read_buf));
    Ok(())
}

async fn admit(shared: &Shared, request: &Request) -> Result<(Login, Seat), Refused> {
    let (path, headers) = (request.path(), request.headers());
    if !segments(path).eq(["api", "ws"]) {
        return Err(Refused::unknown_method(path));
    }
    if shared.is_draining() {
        return Err(Refused::unavailable("This server is about to stop."));
    }
    if !shared.node.is_open() {
        return Err(Refused::unavailable("This node has not joined the others yet."));
    }
    let token_id = credentials::token(headers).ok_or_else(Refused::expired_token)?;
    let login = login_of(&shared.node, token_id).await?.ok_or_else(Refused::expired_token)?;
    if !credentials::is_origin_allowed(headers, &shared.config.origins.0) {
        return Err(Refused::foreign_origin());
    }
    let seat = shared
        .seats
        .take()
        .ok_or_else(|| Refused::unavailable("This server has no place for another socket."))?;
    Ok((login, seat))
}

fn offers_subprotocol(request: &Request) -> bool {
    request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offered| offered.trim() == SUBPROTOCOL)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Without it small frames wait up to 40 ms for the client's acknowledgement of the one before.
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_send_buffer_size(SEND_BUFFER_BYTES)
}

async fn refuse(mut framed: Framed<TcpStream, Codec>, refused: &Refused) -> io::Result<()> {
    let body = Bytes::from(refused.body());
    let status = StatusCode::from_u16(refused.status_code().as_u16()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = Response::with_body(status, ());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.head_mut().set_connection_type(actix_http::ConnectionType::Close);
    let head = Message::Item((response, BodySize::Sized(body.len() as u64)));
    Pin::new(&mut framed).write(head)?;
    Pin::new(&mut framed).write(Message::<(Response<()>, BodySize)>::Chunk(Some(body)))?;
    Pin::new(&mut framed).write(Message::<(Response<()>, BodySize)>::Chunk(None))?;
    flush(&mut framed).await
}

async fn flush(framed: &mut Framed<TcpStream, Codec>) -> io::Result<()> {
    std::future::poll_fn(|cx| Pin::new(&mut *framed).flush::<Message<(Response<()>, BodySize)>>(cx)).await
}
