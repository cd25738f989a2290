//! Conversations by the hundred thousand, made as fast as a server takes them.
//!
//! Over `event/store`, a hundred to a call. Not here: what is measured with them ([`super::growth`]).

use crate::failure::Failure;
use crate::fleet::Account;
use crate::user::http_post;
use rill_proto::limits::EVENTS_PER_FRAME_MAX;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Callers at once: more than two cores can serve, so that none of them waits for a disk.
const CALLERS: usize = 8;

/// What a call that was carried out says for each of its events.
const DONE: &str = "\"status_code\":200";

/// Makes so many conversations, of one member each, spread over the accounts, or as many as can be made in so many seconds. How many they
/// are.
pub(super) fn fill(
    base_url: &str,
    accounts: &[Account],
    wanted: usize,
    most_s: f64,
) -> Result<usize, Failure> {
    let (next, made, begun) = (AtomicUsize::new(0), AtomicUsize::new(0), Instant::now());
    let most = Duration::from_secs_f64(most_s);
    let call = || -> Result<(), Failure> {
        while begun.elapsed() < most {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let first = at * EVENTS_PER_FRAME_MAX;
            if first >= wanted {
                break;
            }
            let events = EVENTS_PER_FRAME_MAX.min(wanted - first);
            // From the last account backwards: the first ones carry the loads.
            let account = &accounts[accounts.len() - 1 - at % accounts.len()];
            create(base_url, account, first, events)?;
            made.fetch_add(events, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        let ended = callers.into_iter().map(|caller| {
            caller.join().map_err(|_| Failure::Broken("a caller's thread panicked".into())).flatten()
        });
        ended.collect::<Vec<_>>().into_iter().collect::<Result<(), Failure>>()
    })?;
    Ok(made.into_inner())
}

fn create(base_url: &str, account: &Account, first: usize, events: usize) -> Result<(), Failure> {
    let path = "/api/event/store";
    let event = |number: usize| {
        json!({
            "client_req_id": Uuid::new_v4(), "mk_event_type": "urn:fleep:client:conv:create",
            "params": {"topic": format!("Stored {number}")},
        })
    };
    let stream: Vec<_> = (first..first + events).map(event).collect();
    let cookie = format!("token_id={}", account.token_id);
    let body = json!({"ticket": account.ticket, "stream": stream});
    let answer = http_post(base_url, path, &[("Cookie", &cookie)], &body)?.ok(path)?;
    let done = answer.body.matches(DONE).count();
    if done < events {
        let said: String = answer.body.chars().take(500).collect();
        return Err(Failure::Broken(format!("{done} of {events} conversations were made: {said}")));
    }
    Ok(())
}
