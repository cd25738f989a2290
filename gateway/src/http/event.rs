//! `event/store` and `account/poll`: the pair that carries over HTTP what a socket carries (protocol.md §1.4, §1.5).

use std::rc::Rc;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use rill_actors::account::login::Login;
use rill_actors::session::PollCall;
use rill_proto::envelope::{EventStore, Poll};
use rill_proto::refusal::Refusal;
use tokio::sync::oneshot;

use super::{Call, json};
use crate::cluster;
use crate::refuse::Refused;
use crate::routes::post;
use crate::worker::Worker;

/// Leaves an initial sync's archived conversations out (protocol.md §1.4).
pub(crate) const SKIP_HIDDEN: &str = "skip_hidden";

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/event/store", store));
    config.service(post("/api/account/poll", poll));
}

async fn store(call: Call) -> Result<HttpResponse, Refused> {
    let body = EventStore::parse(&call.text)?;
    let login = call.admit(&body.ticket).await?;
    if body.stream.is_empty() {
        return Ok(json(r#"{"requests":[],"stream":[]}"#));
    }
    let worker = &call.worker;
    if worker.shared.node.border().is_none() {
        return Ok(json(worker.store(&login, body.stream).await?));
    }
    let answer = cluster::call(&worker.shared.node, &login, &call.text, false).await;
    Ok(json(answer.ok_or_else(Refusal::unavailable)?))
}

/// Carries out an `event/store` call of somebody who was let in.
pub(crate) async fn submit(worker: &Rc<Worker>, login: &Login, text: &str) -> Result<Bytes, Refused> {
    worker.store(login, EventStore::parse(text)?.stream).await
}

async fn poll(call: Call) -> Result<HttpResponse, Refused> {
    let body = Poll::parse(&call.text)?;
    let login = call.admit(&body.ticket).await?;
    let shared = &call.worker.shared;
    if shared.is_draining() {
        // The polls that waited were answered; whoever comes now must not come again at once.
        return Err(Refused::unavailable("This server is about to stop."));
    }
    let _waiting = Arc::clone(&shared.polls);
    let answer = match shared.node.border() {
        None => Some(wait(&call.worker, &login, &call.text).await?),
        Some(_) => cluster::call(&shared.node, &login, &call.text, true).await,
    };
    match answer.filter(|answer| !answer.is_empty()) {
        Some(answer) => Ok(json(with_constants(&answer))),
        // The session has ended. Unless the login has as well, the next poll catches up from the same horizon.
        None => {
            call.admit(&body.ticket).await?;
            Ok(json(nothing_new(body.event_horizon)))
        }
    }
}

/// What a poll of somebody who was let in is answered with; nothing when his session ends first.
pub(crate) async fn wait(worker: &Rc<Worker>, login: &Login, text: &str) -> Result<Bytes, Refused> {
    let body = Poll::parse(text)?;
    let (reply, answer) = oneshot::channel();
    let skip_hidden = body.poll_flags.iter().any(|flag| flag == SKIP_HIDDEN);
    worker
        .to_session(login, PollCall { horizon: body.event_horizon, wait: body.wait, skip_hidden, reply })?;
    Ok(answer.await.unwrap_or_default())
}

/// What every poll's answer ends with: messages of any age are shown, and there is no web client to be reloaded.
const CONSTANTS: &[u8] = br#","limit_time":0,"static_version":"1"}"#;

fn with_constants(answer: &Bytes) -> Vec<u8> {
    [answer.strip_suffix(b"}").unwrap_or(answer), CONSTANTS].concat()
}

fn nothing_new(horizon: i64) -> Vec<u8> {
    with_constants(&format!(r#"{{"stream":[],"event_horizon":{horizon}}}"#).into())
}

#[cfg(test)]
mod tests {
    use super::nothing_new;

    #[test]
    fn an_empty_poll_has_all_of_its_fields() {
        let body: serde_json::Value = serde_json::from_slice(&nothing_new(-3)).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"stream": [], "event_horizon": -3, "limit_time": 0, "static_version": "1"})
        );
    }
}
