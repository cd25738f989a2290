//! The session: one connection of an account (a socket, or the HTTP calls made with one login token).
//!
//! Owned here: the order in which a client's frames are carried out, its rate, and its long polls. It owns no socket (its
//! lane's sink has that) and no state of any account or conversation.
//!
//! Order (websocket.md, "Frames from the client"): frames with one event go out at once; their owners' mailboxes keep
//! their order. A frame with several events runs alone: it begins when everything before it is answered, each run of
//! events for the same owner goes out together, and the next run waits for the answers of the one before.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, SpawnHandle};
use bytes::Bytes;
use rill_proto::envelope::Submission;
use rill_proto::event::{self, ClientEvent, my_section};
use rill_proto::id::RequestId;
use rill_proto::record::{self, request::Request};
use rill_proto::refusal::Refusal;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::account;
use crate::account::login::Login;
use crate::hub::{CloseCode, Hub, Item, Kind, Sink};
use crate::node::Node;
use crate::presence::Lane;

mod http;
mod rate;

pub use http::HttpSink;
pub use rate::{EVENTS_BURST_MAX, EVENTS_PER_SECOND_MAX};

/// How many events of one session may wait to be dispatched. More than a client needs who waits for answers now and
/// then, and a megabyte of ordinary messages. Full: the socket is not read until answers have left.
pub const FRAMES_UNDER_WAY_MAX: usize = 256;

/// How long a poll waits for something new: clients give up after 80 s and expect an answer within 75 (protocol.md §1.4).
pub const POLL_WAIT: Duration = Duration::from_secs(60);

/// An HTTP session without a call for so long is forgotten; its next poll catches up from its horizon.
pub const HTTP_IDLE: Duration = Duration::from_secs(120);

/// How many sessions of a worker catch up at once after the nodes have agreed anew, and how long the next ones wait: some
/// ten thousand sessions do it within three seconds.
const RENEWED_AT_ONCE: usize = 500;
const RENEWAL_STEP: Duration = Duration::from_millis(150);

/// The session of one client.
pub struct Session {
    node: Arc<Node>,
    hub: Rc<RefCell<Hub>>,
    lane: Lane,
    http: Option<Rc<RefCell<http::Responses>>>,
    frames: VecDeque<Frame>,
    running: Option<Running>,
    next_frame: u64,
    rate: rate::Rate,
    poll_timer: Option<SpawnHandle>,
    last_call: Instant,
    /// What the client wanted to be left out when it last began to listen.
    skip_hidden: bool,
}

/// A client frame: its events, in order.
struct Frame {
    number: u64,
    events: VecDeque<Submission>,
}

impl Frame {
    /// It has several events, or one whose answer comes from several owners.
    fn runs_alone(&self) -> bool {
        let several_owners =
            |submission: &Submission| submission.event.as_ref().is_ok_and(has_several_owners);
        self.events.len() > 1 || self.events.iter().any(several_owners)
    }
}

/// Whether other owners have a part in the answer to an event of somebody's own account.
fn has_several_owners(event: &ClientEvent) -> bool {
    match event {
        ClientEvent::Account(event) => matches!(event, event::account::Event::SyncConversations(_)),
        ClientEvent::Contact(event) => matches!(event, event::contact::Event::SyncActivity(_)),
        ClientEvent::MySection(event) => match event {
            my_section::Event::TaskArchiveAll(_)
            | my_section::Event::TaskArchiveDone(_)
            | my_section::Event::TaskDelete(_)
            | my_section::Event::TaskSync(_) => true,
            my_section::Event::TaskAdd(_)
            | my_section::Event::TaskRename(_)
            | my_section::Event::TaskSetPosition(_) => false,
        },
        ClientEvent::Label(_) | ClientEvent::Task(_) => true,
        ClientEvent::Conv(_)
        | ClientEvent::Message(_)
        | ClientEvent::MyMessage(_)
        | ClientEvent::Organisation(_)
        | ClientEvent::Section(_)
        | ClientEvent::Team(_) => false,
    }
}

/// The frame that runs now, alone.
struct Running {
    frame: Frame,
    next_index: u16,
    outstanding: usize,
}

/// One event on its way to its owner.
#[derive(Message, Clone, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Submit {
    /// Who asked; the caller is the lane's account.
    pub lane: Lane,
    /// Which of its frames.
    pub frame: u64,
    /// Which event of the frame.
    pub index: u16,
    /// Makes a retry safe.
    pub request_id: RequestId,
    /// What is asked for.
    #[serde(deserialize_with = "crate::border::crossing::event")]
    pub event: ClientEvent,
}

impl Submit {
    /// The request record of an outcome of this event.
    #[must_use]
    pub fn record(&self, outcome: Result<&serde_json::Value, &Refusal>) -> Bytes {
        record(Some(self.request_id), None, self.event.urn(), outcome, None)
    }

    /// The request record of a page of a list: `sync_cursor` is JSON text, or null after the last page.
    #[must_use]
    pub fn page_record(&self, identifier: &serde_json::Value, sync_cursor: &serde_json::Value) -> Bytes {
        record(Some(self.request_id), None, self.event.urn(), Ok(identifier), Some(sync_cursor))
    }

    /// The answer to this event.
    #[must_use]
    pub fn answer(&self, outcome: Result<&serde_json::Value, &Refusal>) -> Item {
        let request = self.record(outcome);
        Item::Answer {
            lane: self.lane.clone(),
            frame: self.frame,
            index: self.index,
            told: 0,
            request,
            pieces: Vec::new(),
        }
    }
}

fn record(
    id: Option<RequestId>,
    echo: Option<&str>,
    urn: &str,
    outcome: Result<&serde_json::Value, &Refusal>,
    sync_cursor: Option<&serde_json::Value>,
) -> Bytes {
    let id = id.map(|id| id.to_string());
    let refusal = outcome.err();
    record::complete(&Request {
        client_req_id: id.as_deref().or(echo),
        mk_event_type: Some(urn),
        status_code: Some(refusal.map_or(200, |refusal| refusal.status)),
        error_id: refusal.map(|refusal| refusal.error_id),
        error_message: refusal.map(|refusal| refusal.error_message.as_str()),
        identifier: outcome.ok(),
        sync_cursor,
        conversation_id: None,
        result_message_nr: None,
    })
    .into()
}

/// The client asks to be told everything after a horizon, and then whatever happens.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Listen {
    /// The last horizon that it has applied; 0 for none.
    pub horizon: u64,
    /// Leave archived conversations out of an initial sync.
    pub skip_hidden: bool,
}

/// Events of one client frame.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Events(pub Vec<Submission>);

/// Events of one `event/store` call, and where its response goes.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct StoreCall {
    /// The events.
    pub stream: Vec<Submission>,
    /// Gets the response's body.
    pub reply: oneshot::Sender<Bytes>,
}

/// A long poll, and where its response goes.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct PollCall {
    /// The last horizon that the client has applied; below zero in the middle of an initial sync.
    pub horizon: i64,
    /// Wait for something new.
    pub wait: bool,
    /// Leave archived conversations out of an initial sync.
    pub skip_hidden: bool,
    /// Gets the response's body.
    pub reply: oneshot::Sender<Bytes>,
}

/// Answers have been put into the lane. Each names its frame: by the time it is read another one may run.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub enum Answered {
    /// An event of a frame that runs alone.
    Event(u64),
    /// A frame, and no other is under way.
    Frame(u64),
}

/// Something may be missing: the session is to catch up from what its client was told.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Renew {
    /// Its place among the sessions of its worker: not all of them begin at once.
    pub place: usize,
}

/// The session has caught up: whatever waited for that goes out.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Level;

/// The connection is gone.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct End;

impl Session {
    /// A session on a socket; the sink writes to it. To be called on the worker's thread.
    pub fn on_socket(
        node: Arc<Node>,
        hub: Rc<RefCell<Hub>>,
        login: &Login,
        sink: Box<dyn Sink>,
    ) -> (Addr<Self>, Lane) {
        Self::open(node, hub, login, Kind::Socket, sink, None)
    }

    /// The session of an HTTP client. To be called on a worker's thread; its messages may come from any.
    pub fn on_http(node: Arc<Node>, hub: Rc<RefCell<Hub>>, login: &Login) -> (Addr<Self>, Lane) {
        let responses = Rc::new(RefCell::new(http::Responses::default()));
        let sink = Box::new(HttpSink::new(Rc::clone(&responses)));
        Self::open(node, hub, login, Kind::Http, sink, Some(responses))
    }

    fn open(
        node: Arc<Node>,
        hub: Rc<RefCell<Hub>>,
        login: &Login,
        kind: Kind,
        sink: Box<dyn Sink>,
        http: Option<Rc<RefCell<http::Responses>>>,
    ) -> (Addr<Self>, Lane) {
        node.metrics.sessions_opened.add(1);
        let mut opened = None;
        let addr = Self::create(|ctx| {
            ctx.set_mailbox_capacity(FRAMES_UNDER_WAY_MAX);
            let lane = hub.borrow_mut().open(login, kind, ctx.address(), sink);
            opened = Some(lane.clone());
            Self {
                node,
                hub,
                lane,
                http,
                frames: VecDeque::new(),
                running: None,
                next_frame: 0,
                rate: rate::Rate::new(Instant::now()),
                poll_timer: None,
                last_call: Instant::now(),
                skip_hidden: false,
            }
        });
        (addr, opened.expect("the context is made before `create` returns"))
    }

    fn listen(&mut self, horizon: u64, skip_hidden: bool) {
        let number = self.hub.borrow_mut().sync(&self.lane, horizon);
        self.skip_hidden = skip_hidden;
        self.catch_up(number, horizon, skip_hidden);
    }

    fn catch_up(&self, number: u32, horizon: u64, skip_hidden: bool) {
        self.node.arrive(&self.lane);
        let sync = account::Sync { lane: self.lane.clone(), number, horizon, skip_hidden };
        if self.node.to_account(self.lane.account_id(), sync).is_err() {
            let reason = format!("{}", OVERLOADED_RETRY.as_millis());
            self.node.inboxes.put_on_worker(Item::Close(self.lane.clone(), CloseCode::Overloaded, reason));
        }
    }

    /// Answers the poll that waits.
    fn give_up(&self) {
        self.hub.borrow_mut().tell_progress(&self.lane);
        if let Some(http) = &self.http {
            http.borrow_mut().give_up();
        }
    }

    fn accept(&mut self, number: u64, stream: Vec<Submission>) {
        self.frames.push_back(Frame { number, events: stream.into() });
        self.go_on();
    }

    fn number(&mut self) -> u64 {
        self.next_frame += 1;
        self.next_frame
    }

    fn go_on(&mut self) {
        while self.running.is_none() && !self.lane.is_behind() {
            let Some(frame) = self.frames.front() else { return };
            let alone = frame.runs_alone();
            if alone && self.hub.borrow().under_way(&self.lane) > 0 {
                return;
            }
            let Some(mut frame) = self.frames.pop_front() else {
                return;
            };
            self.hub.borrow_mut().submitted(&self.lane, frame.number, frame.events.len(), alone);
            if alone {
                self.running = Some(Running { frame, next_index: 0, outstanding: 0 });
                self.run();
            } else if let Some(submission) = frame.events.pop_front() {
                self.dispatch(frame.number, 0, submission);
            }
        }
    }

    /// Sends out the next run of events for one owner.
    fn run(&mut self) {
        let mut owner = None;
        while !self.lane.is_behind() {
            let Some(running) = &mut self.running else { return };
            let Some(next) = running.frame.events.front() else {
                return;
            };
            let next_owner = next.event.as_ref().ok().map(ClientEvent::owner);
            if running.outstanding > 0 && next_owner != owner {
                return;
            }
            owner = next_owner;
            let Some(submission) = running.frame.events.pop_front() else {
                return;
            };
            let (number, index) = (running.frame.number, running.next_index);
            running.next_index += 1;
            running.outstanding += 1;
            self.dispatch(number, index, submission);
        }
    }

    fn dispatch(&mut self, frame: u64, index: u16, submission: Submission) {
        if let Err((refused, event)) = self.send(frame, index, &submission) {
            self.node.metrics.events_refused.add(1);
            let urn = event.as_deref().unwrap_or(&submission.mk_event_type);
            let echo = submission.client_req_id_echo.as_deref();
            let request = record(submission.client_req_id, echo, urn, Err(&refused), None);
            let (lane, pieces) = (self.lane.clone(), Vec::new());
            self.node.inboxes.put_on_worker(Item::Answer { lane, frame, index, told: 0, request, pieces });
        }
    }

    fn send(
        &mut self,
        frame: u64,
        index: u16,
        submission: &Submission,
    ) -> Result<(), (Refusal, Option<String>)> {
        match self.rate.take(Instant::now()) {
            rate::Verdict::Fine => {}
            rate::Verdict::Warned => return Err((Refusal::rate_limited(), None)),
            rate::Verdict::Enough => {
                let reason = "fast sender: more events than this session may send".to_owned();
                self.node.inboxes.put_on_worker(Item::Close(self.lane.clone(), CloseCode::TooFast, reason));
                return Err((Refusal::rate_limited(), None));
            }
        }
        let event = submission.event.clone().map_err(|refusal| (refusal, None))?;
        let Some(request_id) = submission.client_req_id else {
            return Err((Refusal::invalid_call("client_req_id", "a UUID is needed"), None));
        };
        let caller = self.lane.account_id();
        if shows_activity(&event) {
            self.node.note_activity(caller);
        }
        let submit = Submit { lane: self.lane.clone(), frame, index, request_id, event };
        self.node.submit(submit).map_err(|_| (Refusal::unavailable(), None))
    }
}

/// Whether whoever asks for this reads or writes just now (accounts.md §2.1, `activity_time`).
fn shows_activity(event: &ClientEvent) -> bool {
    match event {
        ClientEvent::Message(event) => !matches!(
            event,
            event::message::Event::LoadContext(_)
                | event::message::Event::LoadNext(_)
                | event::message::Event::LoadPrevious(_)
        ),
        ClientEvent::Conv(event) => matches!(
            event,
            event::conv::Event::Create(_)
                | event::conv::Event::Fork(_)
                | event::conv::Event::MarkRead(_)
                | event::conv::Event::SetReadMessageNr(_)
        ),
        ClientEvent::Account(_)
        | ClientEvent::Contact(_)
        | ClientEvent::Label(_)
        | ClientEvent::MyMessage(_)
        | ClientEvent::MySection(_)
        | ClientEvent::Organisation(_)
        | ClientEvent::Section(_)
        | ClientEvent::Task(_)
        | ClientEvent::Team(_) => false,
    }
}

/// When a client that met an overloaded node may come back.
const OVERLOADED_RETRY: Duration = Duration::from_secs(2);

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if self.http.is_some() {
            ctx.run_interval(HTTP_IDLE / 4, |session, ctx| {
                let waits = session.http.as_ref().is_some_and(|http| http.borrow().is_waiting());
                if !waits && session.last_call.elapsed() > HTTP_IDLE {
                    ctx.stop();
                }
            });
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        let account_id = self.lane.account_id();
        self.node.depart(&self.lane);
        let activity = self.node.presence.activity(account_id);
        if let Some(activity_time) = activity.filter(|_| self.node.presence.of(account_id).is_empty()) {
            // Who is too busy now is told when the next of its sessions goes.
            let _busy = self.node.to_account(account_id, account::Rested { activity_time });
            if let Some(border) = self.node.border() {
                border.rested(&self.node, account_id, activity_time);
            }
        }
        self.hub.borrow_mut().close(&self.lane);
    }
}

impl Handler<Listen> for Session {
    type Result = ();

    fn handle(&mut self, listen: Listen, _: &mut Self::Context) {
        self.listen(listen.horizon, listen.skip_hidden);
    }
}

impl Handler<Events> for Session {
    type Result = ();

    fn handle(&mut self, Events(stream): Events, _: &mut Self::Context) {
        let number = self.number();
        self.accept(number, stream);
    }
}

impl Handler<StoreCall> for Session {
    type Result = ();

    fn handle(&mut self, call: StoreCall, _: &mut Self::Context) {
        self.last_call = Instant::now();
        let number = self.number();
        if let Some(http) = &self.http {
            http.borrow_mut().expect_answer(number, call.reply);
        }
        self.accept(number, call.stream);
    }
}

impl Handler<PollCall> for Session {
    type Result = ();

    fn handle(&mut self, call: PollCall, ctx: &mut Self::Context) {
        self.last_call = Instant::now();
        let Some(http) = self.http.clone() else { return };
        let expected = self.hub.borrow().expected_horizon(&self.lane);
        // What it expects says nothing any more once the nodes agree anew.
        let in_step = expected == Some(call.horizon) && !self.lane.is_behind();
        self.give_up();
        if !in_step {
            self.listen(u64::try_from(call.horizon).unwrap_or(0), call.skip_hidden);
        }
        if let Some(timer) = self.poll_timer.take() {
            ctx.cancel_future(timer);
        }
        http.borrow_mut().wait(call.horizon, call.reply);
        self.hub.borrow_mut().ready(&self.lane);
        // In the middle of a sync "nothing new" would look like its end.
        let syncing = !in_step || call.horizon <= 0 || self.hub.borrow().is_syncing(&self.lane);
        if !http.borrow().is_waiting() {
            return;
        }
        if call.wait || syncing {
            self.poll_timer = Some(ctx.run_later(POLL_WAIT, |session, _| session.give_up()));
        } else {
            self.give_up();
        }
    }
}

impl Handler<Answered> for Session {
    type Result = ();

    fn handle(&mut self, answered: Answered, _: &mut Self::Context) {
        match answered {
            Answered::Event(frame) => {
                if let Some(running) = self.running.as_mut().filter(|running| running.frame.number == frame) {
                    running.outstanding -= 1;
                    if running.outstanding == 0 {
                        self.run();
                    }
                }
            }
            Answered::Frame(frame) => {
                self.running.take_if(|running| running.frame.number == frame);
                self.go_on();
            }
        }
    }
}

impl Handler<Renew> for Session {
    type Result = ();

    fn handle(&mut self, Renew { place }: Renew, ctx: &mut Self::Context) {
        let step = u32::try_from(place / RENEWED_AT_ONCE).unwrap_or(u32::MAX);
        ctx.run_later(RENEWAL_STEP.saturating_mul(step), |session, _| {
            let renewed = session.hub.borrow_mut().renew(&session.lane);
            if let Some((number, horizon)) = renewed {
                session.catch_up(number, horizon, session.skip_hidden);
            }
        });
    }
}

impl Handler<Level> for Session {
    type Result = ();

    fn handle(&mut self, _: Level, _: &mut Self::Context) {
        if let Some(border) = self.node.border() {
            border.resume(&self.node, &self.lane);
        }
        self.run();
        self.go_on();
    }
}

impl Handler<End> for Session {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
