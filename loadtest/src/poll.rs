//! A session over HTTP: `event/store` to submit, `account/poll` to receive (protocol.md §1.4, §1.5).
//!
//! Not here: what the records mean ([`crate::picture`]).

use crate::failure::Failure;
use crate::picture::Picture;
use crate::record::{self, Record};
use crate::session::{ANSWER_WAIT, Answer, Event, Session};
use crate::user::User;
use serde_json::{Value, json};
use std::time::Duration;

/// A poll is answered within 75 s; what takes longer than this is lost.
pub const POLL_WAIT: Duration = Duration::from_secs(80);

/// Answers after which a sync counts as endless: with ten conversations each they would be more than any test has.
const SYNC_CHUNKS_MAX: usize = 100_000;

/// A long-poll session of a user, with the picture of what came by it.
#[derive(Debug)]
pub struct PollSession {
    user: User,
    picture: Picture,
}

impl PollSession {
    pub(crate) fn new(user: &User, mut picture: Picture) -> Self {
        picture.begin_connection();
        Self { user: user.clone(), picture }
    }

    /// Polls until the horizon is above 0 and the progress complete: the initial sync or the catch-up, as one batch to the picture.
    pub fn poll_sync(&mut self) -> Result<(), Failure> {
        self.poll_within(false, POLL_WAIT).map(drop)
    }

    /// One call of `account/poll`; with `wait` the server answers when something is new, or after up to 75 s.
    pub fn poll(&mut self, wait: bool) -> Result<Vec<Record>, Failure> {
        self.poll_within(wait, POLL_WAIT)
    }

    /// Ends the session and hands the picture back, for [`User::poll_again`].
    #[must_use]
    pub fn close(self) -> Picture {
        self.picture
    }

    /// One answer, or all of a sync, which the server begins anew where the session has moved to another node. One that breaks off
    /// half-way is no batch yet: whoever asks again is told the rest.
    fn poll_within(&mut self, wait: bool, within: Duration) -> Result<Vec<Record>, Failure> {
        self.picture.begin_batch();
        let (mut records, mut progress) = self.poll_once(wait, within)?;
        for _ in 0..SYNC_CHUNKS_MAX {
            if self.picture.horizon() > 0 && progress.is_none_or(|progress| progress >= 1.0) {
                self.picture.end_batch();
                return Ok(records);
            }
            let (more, now) = self.poll_once(false, POLL_WAIT)?;
            records.extend(more);
            progress = now;
        }
        Err(Failure::Broken(format!("a sync did not end within {SYNC_CHUNKS_MAX} polls")))
    }

    fn poll_once(&mut self, wait: bool, within: Duration) -> Result<(Vec<Record>, Option<f64>), Failure> {
        let path = "/api/account/poll";
        let body = json!({"event_horizon": self.picture.horizon(), "wait": wait});
        let answer = self.user.http_post_within(path, body, within)?.ok(path)?;
        let Some(horizon) = answer.json.get("event_horizon").and_then(Value::as_i64) else {
            return Err(Failure::Broken(format!("{path} answered without event_horizon: {}", answer.body)));
        };
        let records = record::list(&answer.json, "stream");
        if horizon == 0 && self.picture.horizon() > 0 {
            // The horizon was too old to be replayed: everything is thrown away and fetched anew.
            self.picture.reset();
        }
        let progress = answer.json.get("sync_progress").and_then(Value::as_f64);
        if progress.is_some() {
            self.picture.begin_connection();
        }
        self.picture.apply_all(&records, Some(horizon));
        Ok((records, progress))
    }
}

impl Session for PollSession {
    fn user(&self) -> &User {
        &self.user
    }

    fn picture(&self) -> &Picture {
        &self.picture
    }

    fn request_events(&mut self, events: &[Event]) -> Result<Vec<Answer>, Failure> {
        let path = "/api/event/store";
        let stream: Vec<Value> = events.iter().map(Event::to_json).collect();
        let answer = self.user.http_post_within(path, json!({ "stream": stream }), ANSWER_WAIT)?.ok(path)?;
        let requests = record::list(&answer.json, "requests");
        if requests.len() != events.len() {
            return Err(Failure::Broken(format!(
                "{} request records for {} events: {}",
                requests.len(),
                events.len(),
                answer.body
            )));
        }
        let stream = record::list(&answer.json, "stream");
        // The answer's records are ahead of what the poll has brought, so they say nothing about the flow's order, and its horizon
        // must not be taken either: other people's records below it have not been seen yet.
        self.picture.apply_ahead(&stream);
        Ok(requests.into_iter().map(|request| Answer { request, stream: stream.clone() }).collect())
    }

    fn settle(&mut self) -> Result<(), Failure> {
        while !self.poll(false)?.is_empty() {}
        Ok(())
    }

    fn receive(&mut self, wait: Duration) -> Result<Vec<Record>, Failure> {
        // A poll given up half-way loses nothing: the same horizon is asked for again.
        match self.poll_within(true, wait) {
            Err(failure) if failure.is_time_out() => Ok(Vec::new()),
            other => other,
        }
    }
}
