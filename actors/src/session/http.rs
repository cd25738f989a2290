//! The responses that HTTP callers wait for: one for each `event/store` call, and at most one poll.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::hub::{CloseCode, Sink};

/// Callers who wait.
#[derive(Default)]
pub(super) struct Responses {
    answers: HashMap<u64, oneshot::Sender<Bytes>>,
    poll: Option<(i64, oneshot::Sender<Bytes>)>,
}

impl Responses {
    pub(super) fn expect_answer(&mut self, frame: u64, reply: oneshot::Sender<Bytes>) {
        self.answers.insert(frame, reply);
    }

    pub(super) fn wait(&mut self, horizon: i64, reply: oneshot::Sender<Bytes>) {
        self.poll = Some((horizon, reply));
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.poll.is_some()
    }

    /// Nothing new: the same horizon, an empty stream (protocol.md §1.4).
    pub(super) fn give_up(&mut self) {
        if let Some((horizon, reply)) = self.poll.take() {
            let body = format!("{{\"stream\":[],\"event_horizon\":{horizon}}}");
            // A caller who has gone away is no loss: his next poll says how far he got.
            let _gone = reply.send(body.into());
        }
    }
}

/// The sink of an HTTP session's lane.
pub struct HttpSink {
    responses: Rc<RefCell<Responses>>,
}

impl HttpSink {
    pub(super) fn new(responses: Rc<RefCell<Responses>>) -> Self {
        Self { responses }
    }
}

impl Sink for HttpSink {
    fn is_ready(&self) -> bool {
        self.responses.borrow().is_waiting()
    }

    fn send(&mut self, bytes: &mut [u8], frames: &[Range<usize>]) {
        let poll = self.responses.borrow_mut().poll.take();
        if let (Some((_, reply)), Some(frame)) = (poll, frames.first()) {
            let _gone = reply.send(Bytes::copy_from_slice(&bytes[frame.clone()]));
        }
    }

    fn answer(&mut self, frame: u64, body: &[u8]) {
        if let Some(reply) = self.responses.borrow_mut().answers.remove(&frame) {
            let _gone = reply.send(Bytes::copy_from_slice(body));
        }
    }

    fn resume(&mut self) {}

    fn close(&mut self, code: CloseCode, _: &str) {
        let mut responses = self.responses.borrow_mut();
        match code {
            CloseCode::Draining => responses.give_up(),
            // Nobody knows whether there is something new: who answers him asks again, and finds out whether he still may.
            CloseCode::Policy | CloseCode::Fault | CloseCode::Overloaded | CloseCode::TooFast => {
                drop(responses.poll.take());
            }
        }
    }
}
