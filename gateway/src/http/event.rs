//! `event/store` and `account/poll`: the pair that carries over HTTP what a socket carries (protocol.md §1.4, §1.5).

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use rill_actors::session::PollCall;
use rill_proto::envelope::{EventStore, Poll};
use tokio::sync::oneshot;

use super::{Call, json};
use crate::refuse::Refused;
use crate::routes::post;

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
    Ok(json(call.store(&login, body.stream).await?))
}

async fn poll(call: Call) -> Result<HttpResponse, Refused> {
    let body = Poll::parse(&call.text)?;
    let login = call.admit(&body.ticket).await?;
    if call.worker.shared.is_draining() {
        // The polls that waited were answered; whoever comes now must not come again at once.
        return Err(Refused::unavailable("This server is about to stop."));
    }
    let (reply, answer) = oneshot::channel();
    let skip_hidden = body.poll_flags.iter().any(|flag| flag == SKIP_HIDDEN);
    call.to_session(&login, PollCall { horizon: body.event_horizon, wait: body.wait, skip_hidden, reply })?;
    let _waiting = std::sync::Arc::clone(&call.worker.shared.polls);
    match answer.await {
        Ok(answer) => Ok(json(with_constants(&answer))),
        // The session has ended. Unless the login has as well, the next poll catches up from the same horizon.
        Err(_) => {
            call.admit(&body.ticket).await?;
            Ok(json(nothing_new(body.event_horizon)))
        }
    }
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
