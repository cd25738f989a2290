//! A reader: one thread that writes and reads the sockets of its share of the sessions.
//!
//! Owns: the sockets and what each was sent. Not here: the judgement ([`super::ledger`]), the plan ([`super::Plan`]).

use super::Plan;
use super::ledger::{Answered, EXAMPLES_MAX, Ledger};
use super::wire::{self, FrameIn, RequestIn};
use crate::failure::Failure;
use crate::socket::{Socket, closed};
use hdrhistogram::Histogram;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tungstenite::protocol::{Message, WebSocket};
use uuid::Uuid;

/// The longest a reader sleeps: it also has to notice the start and the stop.
const POLL_WAIT: Duration = Duration::from_millis(10);

/// Readiness reports taken at once.
const EVENTS_MAX: usize = 1024;

/// Latencies above ten minutes are all the same.
const LATENCY_US_MAX: u64 = 600_000_000;

/// The second phase: where to write and from when.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) conversation_ids: Vec<String>,
    pub(super) begin: Instant,
}

/// What the readers and the watching thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    /// The account of each session.
    pub(super) accounts: Vec<String>,
    conversation_ids: Mutex<Vec<String>>,
    pub(super) created: AtomicUsize,
    pub(super) start: OnceLock<Start>,
    pub(super) stop: AtomicBool,
    sent: AtomicU64,
    answered: AtomicU64,
    /// Messages that have nothing more to wait for: answered, refused, or lost with their session.
    closed: AtomicU64,
    delivered: AtomicU64,
}

impl Shared {
    pub(super) fn new(plan: Plan, accounts: Vec<String>) -> Self {
        let conversation_ids = Mutex::new(vec![String::new(); plan.conversations]);
        Self {
            plan,
            accounts,
            conversation_ids,
            created: AtomicUsize::new(0),
            start: OnceLock::new(),
            stop: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
        }
    }

    pub(super) fn conversation_ids(&self) -> Vec<String> {
        self.conversation_ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Conversations created, messages sent, answered, delivered.
    pub(super) fn progress(&self) -> [u64; 4] {
        let created = self.created.load(Ordering::Relaxed) as u64;
        let counts = [&self.sent, &self.answered, &self.delivered].map(|count| count.load(Ordering::Relaxed));
        [created, counts[0], counts[1], counts[2]]
    }

    /// True when every message has its outcome and every answered one has reached every member.
    pub(super) fn is_settled(&self) -> bool {
        let [_, _, answered, delivered] = self.progress();
        self.closed.load(Ordering::Relaxed) == self.plan.messages_total() as u64
            && delivered >= answered * self.plan.members as u64
    }
}

/// What a reader brings home.
#[derive(Debug)]
pub(super) struct Harvest {
    pub(super) ledgers: HashMap<(usize, String), Ledger>,
    pub(super) answered: Vec<Answered>,
    pub(super) refusals: Vec<String>,
    pub(super) disconnects: Vec<String>,
    pub(super) sent: u64,
    pub(super) unanswered: u64,
    /// When the last message of the run arrived, after the start.
    pub(super) last_us: u64,
    pub(super) answer_us: Histogram<u64>,
    pub(super) delivery_us: Histogram<u64>,
    pub(super) late_us: Histogram<u64>,
}

impl Default for Harvest {
    fn default() -> Self {
        // Three digits: more precise than any two runs are alike.
        let empty =
            Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are constants that fit");
        Self {
            ledgers: HashMap::new(),
            answered: Vec::new(),
            refusals: Vec::new(),
            disconnects: Vec::new(),
            sent: 0,
            unanswered: 0,
            last_us: 0,
            answer_us: empty.clone(),
            delivery_us: empty.clone(),
            late_us: empty,
        }
    }
}

impl Harvest {
    pub(super) fn merge(&mut self, other: Self) {
        self.ledgers.extend(other.ledgers);
        self.answered.extend(other.answered);
        self.refusals.extend(other.refusals);
        self.disconnects.extend(other.disconnects);
        self.sent += other.sent;
        self.unanswered += other.unanswered;
        self.last_us = self.last_us.max(other.last_us);
        let pairs = [
            (&mut self.answer_us, other.answer_us),
            (&mut self.delivery_us, other.delivery_us),
            (&mut self.late_us, other.late_us),
        ];
        for (sum, part) in pairs {
            sum.add(part).expect("all histograms have the same bounds");
        }
    }

    /// The first refusals and lost sessions, in words.
    pub(super) fn examples(&self) -> impl Iterator<Item = String> + '_ {
        self.refusals.iter().chain(&self.disconnects).take(EXAMPLES_MAX).cloned()
    }
}

/// What a session is to do when nothing of it is under way.
#[derive(Debug, Clone, Copy)]
enum Work {
    Create { conversation: usize },
    Write { sequence: usize },
}

/// What an answer is waited for.
#[derive(Debug, Clone, Copy)]
enum Pending {
    Creation { conversation: usize },
    Message { sequence: usize, intended_us: u64 },
}

/// One session of the share.
#[derive(Debug)]
struct Seat {
    session: usize,
    web: WebSocket<TcpStream>,
    is_open: bool,
    in_flight: HashMap<Uuid, Pending>,
    /// What is yet to be done, one after the other.
    queue: VecDeque<Work>,
    ledgers: HashMap<String, Ledger>,
}

/// One thread's work.
#[derive(Debug)]
pub(super) struct Reader {
    shared: Arc<Shared>,
    poll: Poll,
    seats: Vec<Seat>,
    /// At a given rate: what is due when, in microseconds after the start, and from which seat; soonest first.
    due: VecDeque<(u64, usize, usize)>,
    is_started: bool,
    harvest: Harvest,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, share: Vec<(usize, Socket)>) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let mut seats = Vec::with_capacity(share.len());
        for (place, (session, socket)) in share.into_iter().enumerate() {
            let web = socket.into_web();
            web.get_ref().set_nonblocking(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut SourceFd(&web.get_ref().as_raw_fd()), Token(place), interest)?;
            let (queue, ledgers) = (VecDeque::new(), HashMap::new());
            seats.push(Seat { session, web, is_open: true, in_flight: HashMap::new(), queue, ledgers });
        }
        let (due, harvest) = (VecDeque::new(), Harvest::default());
        Ok(Self { shared, poll, seats, due, is_started: false, harvest })
    }

    /// Creates, writes and reads until told to stop.
    pub(super) fn run(mut self) -> Result<Harvest, Failure> {
        self.queue_creations();
        for place in 0..self.seats.len() {
            self.send_next(place);
        }
        // What the sync left in a socket's own buffer is announced by no readiness.
        for place in 0..self.seats.len() {
            self.serve(place);
        }
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !self.shared.stop.load(Ordering::Relaxed) {
            let wait = self.send_due();
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            for event in &events {
                self.serve(event.token().0);
            }
        }
        Ok(self.into_harvest())
    }

    fn into_harvest(mut self) -> Harvest {
        for seat in &mut self.seats {
            let is_message = |pending: &&Pending| matches!(pending, Pending::Message { .. });
            self.harvest.unanswered += seat.in_flight.values().filter(is_message).count() as u64;
            let ledgers = seat.ledgers.drain().map(|(id, ledger)| ((seat.session, id), ledger));
            self.harvest.ledgers.extend(ledgers);
        }
        self.harvest
    }

    /// Each conversation is created by its first member.
    fn queue_creations(&mut self) {
        let places = self.places();
        let plan = &self.shared.plan;
        for conversation in 0..plan.conversations {
            if let Some(place) = places.get(&plan.session_of(conversation, 0)) {
                self.seats[*place].queue.push_back(Work::Create { conversation });
            }
        }
    }

    /// Where in this share a session sits.
    fn places(&self) -> HashMap<usize, usize> {
        self.seats.iter().enumerate().map(|(place, seat)| (seat.session, place)).collect()
    }

    /// Lays out what this share has to write, once the conversations stand.
    fn prepare(&mut self) {
        self.is_started = true;
        let places = self.places();
        let plan = &self.shared.plan;
        for sequence in 0..plan.messages_total() {
            let Some(place) = places.get(&plan.author_of(sequence)) else {
                continue;
            };
            match plan.rate {
                Some(rate) => self.due.push_back(((sequence as f64 * 1e6 / rate) as u64, *place, sequence)),
                None => self.seats[*place].queue.push_back(Work::Write { sequence }),
            }
        }
    }

    /// Sends what is due and says how long nothing more will be.
    fn send_due(&mut self) -> Duration {
        let shared = Arc::clone(&self.shared);
        let Some(start) = shared.start.get() else {
            return POLL_WAIT;
        };
        if let Some(ahead) = start.begin.checked_duration_since(Instant::now()) {
            return ahead.min(POLL_WAIT);
        }
        if !self.is_started {
            self.prepare();
            for place in 0..self.seats.len() {
                self.send_next(place);
            }
        }
        while let Some((due_us, place, sequence)) = self.due.front().copied() {
            let now_us = micros(start.begin.elapsed());
            if due_us > now_us {
                return Duration::from_micros(due_us - now_us).min(POLL_WAIT);
            }
            self.due.pop_front();
            record(&mut self.harvest.late_us, now_us - due_us);
            self.send_message(place, sequence, due_us);
        }
        POLL_WAIT
    }

    /// The seat's next work is begun as soon as nothing of it is under way.
    fn send_next(&mut self, place: usize) {
        if !self.seats[place].in_flight.is_empty() {
            return;
        }
        match self.seats[place].queue.pop_front() {
            Some(Work::Create { conversation }) => self.create(place, conversation),
            Some(Work::Write { sequence }) => {
                let begin = self.shared.start.get().map(|start| start.begin);
                let now_us = begin.map_or(0, |begin| micros(begin.elapsed()));
                self.send_message(place, sequence, now_us);
            }
            None => {}
        }
    }

    fn create(&mut self, place: usize, conversation: usize) {
        let shared = Arc::clone(&self.shared);
        let others = (1..shared.plan.members).map(|member| shared.plan.session_of(conversation, member));
        let account_ids: Vec<&str> = others.map(|session| shared.accounts[session].as_str()).collect();
        let params = json!({"topic": format!("load {conversation}"), "account_ids": account_ids});
        self.submit(place, "conv:create", &params, Pending::Creation { conversation });
    }

    fn send_message(&mut self, place: usize, sequence: usize, intended_us: u64) {
        let shared = Arc::clone(&self.shared);
        let Some(start) = shared.start.get() else {
            return;
        };
        let text = wire::message_text(&shared.plan.run, sequence, intended_us);
        let conversation_id = &start.conversation_ids[shared.plan.conversation_of(sequence)];
        let params = json!({"conversation_id": conversation_id, "message": text});
        if self.seats[place].is_open {
            self.harvest.sent += 1;
            shared.sent.fetch_add(1, Ordering::Relaxed);
        }
        self.submit(place, "message:add_plain", &params, Pending::Message { sequence, intended_us });
    }

    fn submit(&mut self, place: usize, urn: &str, params: &serde_json::Value, pending: Pending) {
        let seat = &mut self.seats[place];
        let id = Uuid::new_v4();
        seat.in_flight.insert(id, pending);
        if !seat.is_open {
            self.give_up(place);
            return;
        }
        match seat.web.send(Message::text(wire::event(id, urn, params))) {
            Ok(()) => {}
            // The frame is in the socket's buffer and goes out when there is room.
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.disconnect(place, error.to_string()),
        }
    }

    /// Writes what is left in the buffer and reads until there is nothing more.
    fn serve(&mut self, place: usize) {
        while self.seats[place].is_open {
            let web = &mut self.seats[place].web;
            let read = match web.flush() {
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => web.read(),
                Err(error) => Err(error),
                Ok(()) => web.read(),
            };
            match read {
                Ok(Message::Text(text)) => self.take(place, &text),
                Ok(Message::Close(frame)) => self.disconnect(place, closed(frame).to_string()),
                Ok(Message::Binary(_)) => self.disconnect(place, "a binary frame came".to_owned()),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => self.disconnect(place, error.to_string()),
            }
        }
    }

    fn take(&mut self, place: usize, text: &str) {
        let frame: FrameIn = match serde_json::from_str(text) {
            Ok(frame) => frame,
            Err(error) => return self.disconnect(place, format!("a frame cannot be read ({error}): {text}")),
        };
        let shared = Arc::clone(&self.shared);
        let now_us = shared.start.get().map_or(0, |start| micros(start.begin.elapsed()));
        let seat = &mut self.seats[place];
        for record_in in frame.stream {
            let (Some(id), Some(nr)) = (record_in.conversation_id, record_in.message_nr) else {
                continue;
            };
            if record_in.mk_rec_type != "message" {
                continue;
            }
            // A revision's slot brings no message of the run; the load itself revises nothing.
            let told = if record_in.flow_message_nr.is_none_or(|flow| flow == nr) {
                record_in.message.and_then(|message| wire::read_text(&shared.plan.run, &message))
            } else {
                None
            };
            let slot = record_in.flow_message_nr.unwrap_or(nr);
            let is_new = seat.ledgers.entry(id).or_default().book(slot, told.map(|(sequence, _)| sequence));
            if let Some((sequence, intended_us)) = told.filter(|_| is_new) {
                shared.delivered.fetch_add(1, Ordering::Relaxed);
                self.harvest.last_us = now_us;
                if shared.plan.author_of(sequence as usize) != seat.session {
                    record(&mut self.harvest.delivery_us, now_us.saturating_sub(intended_us));
                }
            }
        }
        for request in frame.requests {
            self.take_answer(place, request, now_us);
        }
    }

    fn take_answer(&mut self, place: usize, request: RequestIn, now_us: u64) {
        let Some(pending) = self.seats[place].in_flight.remove(&request.client_req_id) else {
            return;
        };
        let is_done = request.status_code == 200;
        if !is_done {
            let (status, error_id) = (request.status_code, &request.error_id);
            self.harvest.refusals.push(format!("{pending:?} was refused with {status} {error_id}"));
        }
        match pending {
            Pending::Creation { conversation } if is_done => {
                let mut ids = self.shared.conversation_ids.lock().unwrap_or_else(PoisonError::into_inner);
                ids[conversation] = request.identifier.conversation_id;
                self.shared.created.fetch_add(1, Ordering::Relaxed);
            }
            Pending::Creation { .. } => {}
            Pending::Message { sequence, intended_us } => {
                if is_done {
                    let sequence = u32::try_from(sequence).expect("the plan's check bounds it");
                    self.harvest
                        .answered
                        .push(Answered { sequence, message_nr: request.identifier.message_nr });
                    self.shared.answered.fetch_add(1, Ordering::Relaxed);
                    record(&mut self.harvest.answer_us, now_us.saturating_sub(intended_us));
                }
                self.shared.closed.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.send_next(place);
    }

    fn disconnect(&mut self, place: usize, why: String) {
        let seat = &mut self.seats[place];
        seat.is_open = false;
        self.harvest.disconnects.push(format!("session {} was lost: {why}", seat.session));
        self.give_up(place);
    }

    /// What is under way and what was still to be written by a lost session has no outcome any more.
    fn give_up(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        let is_message = |pending: &&Pending| matches!(pending, Pending::Message { .. });
        let is_write = |work: &&Work| matches!(work, Work::Write { .. });
        let under_way =
            seat.in_flight.values().filter(is_message).count() + seat.queue.iter().filter(is_write).count();
        seat.in_flight.clear();
        seat.queue.clear();
        self.harvest.unanswered += under_way as u64;
        self.shared.closed.fetch_add(under_way as u64, Ordering::Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn record(histogram: &mut Histogram<u64>, us: u64) {
    histogram.saturating_record(us);
}
