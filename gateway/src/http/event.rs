//! `event/store` and `account/poll`: the pair that carries over HTTP what a socket carries (protocol.md §1.4, §1.5).

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use rill_actors::account::login::Login;
use rill_actors::session::PollCall;
use rill_proto::envelope::{EventStore, Poll};
use rill_proto::refusal::Refusal;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

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
    let mut answer = ask(&call, &login, &call.text).await?;
    let until = Instant::now() + LOST_WAIT;
    // Nobody knows whether there is something new: it is begun anew from the same horizon, unless the login has ended.
    while answer.is_empty() {
        call.admit(&body.ticket).await?;
        if shared.is_draining() {
            answer = to_begin_anew(body.event_horizon).into();
            break;
        }
        if Instant::now() > until {
            return Err(Refused::unavailable("The nodes of this server do not agree just now."));
        }
        sleep(AGAIN_INTERVAL).await;
        answer = ask(&call, &login, &at_once(&body)).await?;
    }
    Ok(json(with_constants(&answer)))
}

/// How long a poll is begun anew whose session was lost: another node has it after a takeover. Then the caller has to come again.
const LOST_WAIT: Duration = Duration::from_secs(10);

/// How soon.
const AGAIN_INTERVAL: Duration = Duration::from_millis(100);

/// The same poll by somebody who does not wait: his time may have gone by already.
fn at_once(poll: &Poll) -> String {
    serde_json::json!({"event_horizon": poll.event_horizon, "wait": false, "poll_flags": poll.poll_flags})
        .to_string()
}

/// The answer to a poll whose session is lost while its node is on its way out: the next one begins a sync elsewhere.
fn to_begin_anew(horizon: i64) -> String {
    format!(r#"{{"stream":[],"event_horizon":{horizon},"sync_progress":0.00}}"#)
}

/// What a poll is answered with, wherever its session is; nothing when that has been lost.
async fn ask(call: &Call, login: &Login, text: &str) -> Result<Bytes, Refused> {
    let node = &call.worker.shared.node;
    match node.border() {
        None => wait(&call.worker, login, text).await,
        Some(_) => Ok(cluster::call(node, login, text, true).await.unwrap_or_default()),
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
