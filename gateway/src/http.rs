//! HTTP calls: what all of them have in common, from the body to the session.
//!
//! A call is thin: it checks who asks, hands events to the same [`Session`](rill_actors::session::Session) that a socket
//! has, and puts the outcome into the form that its clients know. Not here: rules.

use std::pin::Pin;
use std::rc::Rc;

use actix::prelude::SendError;
use actix_web::dev::Payload;
use actix_web::http::header::ContentType;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use rill_actors::account::login::{Login, OrderReply, login_of};
use rill_actors::session::StoreCall;
use rill_proto::envelope::Submission;
use rill_proto::limits::FRAME_BYTES_MAX;
use rill_proto::refusal::Refusal;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::credentials;
use crate::refuse::Refused;
use crate::worker::{HttpSession, Purpose, Worker};

pub(crate) mod account;
pub(crate) mod avatar;
pub(crate) mod business;
mod contact;
pub(crate) mod conversation;
pub(crate) mod enrolment;
pub(crate) mod event;
pub(crate) mod file;
pub(crate) mod label;
pub(crate) mod legacy;
pub(crate) mod letter;
pub(crate) mod listen;
pub(crate) mod markup;
pub(crate) mod message;
pub(crate) mod page;
mod range;
mod registration;
pub(crate) mod search;
mod settings;
pub(crate) mod sys;
pub(crate) mod team;
pub(crate) mod upload;

/// How many turns an owner or a session gets whose actor ended just when it was asked.
const TRIES_MAX: u32 = 3;

/// One call as it came.
pub(crate) struct Call {
    /// The worker that serves it.
    pub(crate) worker: Rc<Worker>,
    /// What came with it.
    pub(crate) request: HttpRequest,
    /// The body: UTF-8; `{}` when there was none.
    pub(crate) text: String,
}

impl FromRequest for Call {
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refused>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move {
            let worker = worker_of(&request)?;
            if !worker.shared.node.is_open() {
                return Err(Refused::unavailable("This node has not joined the others yet."));
            }
            let unreadable = |_| Refused::bad_request("The body cannot be read.");
            let payload = payload.await.map_err(unreadable)?;
            let body = payload.to_bytes_limited(FRAME_BYTES_MAX).await;
            let body = body.map_err(|_| Refused::too_large())?.map_err(unreadable)?;
            let text =
                String::from_utf8(body.into()).map_err(|_| Refused::bad_request("The body is not UTF-8."))?;
            let text = if text.trim().is_empty() { "{}".to_owned() } else { text };
            Ok(Self { worker, request, text })
        })
    }
}

/// The worker that serves a request.
pub(crate) fn worker_of(request: &HttpRequest) -> Result<Rc<Worker>, Refused> {
    let worker = request.app_data::<Rc<Worker>>().cloned();
    worker.ok_or_else(|| Refused::unavailable("This thread serves no calls."))
}

impl Call {
    /// The body as the parameters of this call.
    pub(crate) fn params<T: DeserializeOwned>(&self) -> Result<T, Refused> {
        serde_json::from_str(&self.text).map_err(|error| Refused::bad_request(error.to_string()))
    }

    /// The last part of the path, which must be an id.
    pub(crate) fn path_id(&self) -> Result<Uuid, Refused> {
        let id = self.request.match_info().get("id").and_then(|id| Uuid::try_parse(id).ok());
        id.ok_or_else(|| Refused::bad_request("The path ends with an id."))
    }

    /// Who asks: the token must be valid, and the ticket must be its own.
    pub(crate) async fn admit(&self, ticket: &str) -> Result<Login, Refused> {
        admit(&self.worker, &self.request, ticket).await
    }

    /// Who asks, by the ticket in the body.
    pub(crate) async fn admit_by_body(&self) -> Result<Login, Refused> {
        #[derive(serde::Deserialize)]
        struct Ticket<'a> {
            #[serde(borrow)]
            ticket: Option<&'a RawValue>,
        }
        let body: Ticket<'_> =
            serde_json::from_str(&self.text).map_err(|error| Refused::bad_request(error.to_string()))?;
        let ticket = body.ticket.and_then(|ticket| serde_json::from_str::<String>(ticket.get()).ok());
        self.admit(&ticket.unwrap_or_default()).await
    }
}

impl Worker {
    /// Submits events and waits for the outcome: the body of an `event/store` answer.
    pub(crate) async fn store(&self, login: &Login, stream: Vec<Submission>) -> Result<Bytes, Refused> {
        self.store_for(Purpose::Calls, login, stream).await
    }

    /// [`Worker::store`], through one of the caller's sessions.
    pub(crate) async fn store_for(
        &self,
        purpose: Purpose,
        login: &Login,
        stream: Vec<Submission>,
    ) -> Result<Bytes, Refused> {
        let (reply, answer) = oneshot::channel();
        self.to_session_for(purpose, login, StoreCall { stream, reply })?;
        answer.await.map_err(|_| Refusal::unavailable().into())
    }

    /// Gives a message to the caller's session.
    pub(crate) fn to_session<M>(&self, login: &Login, message: M) -> Result<HttpSession, Refused>
    where
        M: actix::Message<Result = ()> + Send + 'static,
        rill_actors::session::Session: actix::Handler<M>,
    {
        self.to_session_for(Purpose::Calls, login, message)
    }

    /// Gives a message to one of the caller's sessions.
    pub(crate) fn to_session_for<M>(
        &self,
        purpose: Purpose,
        login: &Login,
        message: M,
    ) -> Result<HttpSession, Refused>
    where
        M: actix::Message<Result = ()> + Send + 'static,
        rill_actors::session::Session: actix::Handler<M>,
    {
        let mut message = message;
        for _ in 0..TRIES_MAX {
            let session = self.http_session_for(purpose, login);
            match session.addr.try_send(message) {
                Ok(()) => return Ok(session),
                Err(SendError::Full(_)) => break,
                Err(SendError::Closed(back)) => message = back,
            }
        }
        Err(Refusal::unavailable().into())
    }
}

/// Whose token a request carries. Enough to read what an address names; whatever changes something needs the ticket too.
pub(crate) async fn whose(worker: &Worker, request: &HttpRequest) -> Result<Login, Refused> {
    let token_id = credentials::token(request.headers()).ok_or_else(Refused::expired_token)?;
    login_of(&worker.shared.node, token_id).await?.ok_or_else(Refused::expired_token)
}

/// Who asks: the token must be valid, and the ticket must be its own.
pub(crate) async fn admit(worker: &Worker, request: &HttpRequest, ticket: &str) -> Result<Login, Refused> {
    let login = whose(worker, request).await?;
    if login.admits(&worker.shared.node, ticket) { Ok(login) } else { Err(Refused::expired_token()) }
}

/// Gives an order to an account, and waits for what becomes of it.
pub(crate) async fn order<T>(
    send: impl FnOnce(OrderReply<T>) -> Result<(), rill_actors::node::Unreachable>,
) -> Result<T, Refused> {
    let (reply, answer) = OrderReply::channel();
    send(reply)?;
    match answer.await {
        Ok(outcome) => outcome.map_err(Refused::from),
        Err(_) => Err(Refusal::unavailable().into()),
    }
}

/// An answer that is JSON already.
pub(crate) fn json(body: impl Into<Bytes>) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).body(body.into())
}
