//! A generator: one thread that connects, writes and reads the sessions of its share.
//!
//! Owns: the loop and the clockwork of what is due. Not here: what a frame brings ([`super::intake`]), one connection
//! ([`super::seat`]), the judgement ([`super::room`]).

use super::arrivals::Arrivals;
use super::frame::{self, Incoming};
use super::room::Rooms;
use super::seat::{self, Ended, Seat, Stage};
use super::shared::{Harvest, Order, Shared};
use super::tally::{Tally, Times};
use super::wire;
use crate::failure::Failure;
use crate::scenario::{Kind, Pace};
use crate::user::API_VERSION;
use mio::{Events, Poll, Token};
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// The longest a generator sleeps: it also has to notice its orders.
const POLL_WAIT: Duration = Duration::from_millis(5);

/// Readiness reports taken at once: few enough that what arrives first is not stamped with the time of what arrives last.
const EVENTS_MAX: usize = 256;

/// Connections that are being opened at once: enough to keep a server busy, few enough for its backlog.
const OPENING_MAX: usize = 128;

/// Conversations that are being created at once.
const CREATING_MAX: usize = 16;

/// What one read takes at most. A sync's frames are up to 256 KB; larger ones make it grow.
const SCRATCH_BYTES: usize = 512 * 1024;

/// Below so much room behind what was left over, the scratch grows.
const SCRATCH_ROOM_MIN: usize = 64 * 1024;

/// How often the time that deliveries took lately is handed over, in microseconds.
const RECENT_US: u64 = 200_000;

/// What an answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pending {
    Creation { conversation: u32 },
    Event { kind: Kind, intended_us: u64, writer: u32 },
}

/// Who writes where: a seat and one of its conversations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer {
    pub(super) seat: u32,
    pub(super) conversation: u32,
}

/// One thread's work.
#[derive(Debug)]
pub(super) struct Generator {
    pub(super) shared: Arc<Shared>,
    index: u32,
    orders: Receiver<Order>,
    poll: Poll,
    /// The first session of the share.
    first: usize,
    pub(super) seats: Vec<Seat>,
    pub(super) rooms: Rooms,
    /// The id of each conversation that a writer of the share needs.
    pub(super) conversation_ids: HashMap<u32, Uuid>,
    writers: Vec<Writer>,
    arrivals: Option<Arrivals>,
    pub(super) begin_us: u64,
    measured: Range<u64>,
    is_loading: bool,
    pub(super) pending: HashMap<u32, (u32, Pending)>,
    next_sequence: u32,
    mask: u32,
    to_open: VecDeque<u32>,
    opening: usize,
    to_create: VecDeque<u32>,
    creating: usize,
    pub(super) tally: Tally,
    pub(super) recent: Times,
    pub(super) post_deliveries: Times,
    answer_times: HashMap<Kind, Times>,
    recent_us: u64,
    busy_us: u64,
    scratch: Vec<u8>,
}

impl Generator {
    pub(super) fn new(
        shared: Arc<Shared>,
        index: u32,
        share: Range<usize>,
        orders: Receiver<Order>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            index,
            orders,
            poll: Poll::new()?,
            first: share.start,
            seats: share.map(|session| Seat::new(session as u32)).collect(),
            rooms: Rooms::default(),
            conversation_ids: HashMap::new(),
            writers: Vec::new(),
            arrivals: None,
            begin_us: 0,
            measured: 0..0,
            is_loading: false,
            pending: HashMap::new(),
            next_sequence: index,
            mask: 0x9E37_79B9,
            to_open: VecDeque::new(),
            opening: 0,
            to_create: VecDeque::new(),
            creating: 0,
            tally: Tally::default(),
            recent: Times::default(),
            post_deliveries: Times::default(),
            answer_times: HashMap::new(),
            recent_us: 0,
            busy_us: 0,
            scratch: vec![0; SCRATCH_BYTES],
            shared,
        })
    }

    /// Works until told to stop.
    pub(super) fn run(mut self) -> Result<Harvest, Failure> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let awake_us = self.shared.clock.now_us();
            match self.orders.try_recv() {
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Ok(self.into_harvest()),
                Ok(order) => self.obey(order),
                Err(TryRecvError::Empty) => {}
            }
            self.open_some();
            self.create_some();
            let wait = self.send_due();
            self.hand_over(awake_us);
            self.account_for(awake_us);
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error.into());
            }
            let begun_us = self.shared.clock.now_us();
            for event in &events {
                self.serve(event.token().0);
            }
            self.account_for(begun_us);
        }
    }

    /// Books the time since then as work.
    fn account_for(&mut self, since_us: u64) {
        let now_us = self.shared.clock.now_us();
        if self.measured.contains(&now_us) {
            self.busy_us += now_us - since_us;
            self.tally.turns.record(now_us - since_us);
        }
    }

    fn obey(&mut self, order: Order) {
        let scenario = &self.shared.scenario;
        match order {
            Order::Connect => {
                let away = self.seats.iter().enumerate().filter(|(_, seat)| seat.stage == Stage::Away);
                self.to_open = away.map(|(place, _)| place as u32).collect();
            }
            Order::Create => {
                let here = |conversation: &u32| {
                    let first = scenario.online_members(*conversation as usize).next();
                    first.is_some_and(|session| self.place(session).is_some())
                };
                self.to_create = (0..scenario.conversations as u32).filter(here).collect();
                self.writers = self.writers_here();
            }
            Order::Load { begin_us, measured } => {
                (self.begin_us, self.measured, self.is_loading) = (begin_us, measured, true);
                match scenario.pace {
                    Pace::Idle => {}
                    Pace::Open { rate } => {
                        let all: usize =
                            (0..scenario.conversations).map(|place| scenario.writers(place).count()).sum();
                        let share = self.writers.len() as f64 / all as f64;
                        self.arrivals = Arrivals::new(begin_us, rate * share, u64::from(self.index));
                    }
                    Pace::Saturate { in_flight } => {
                        for writer in 0..self.writers.len() as u32 {
                            (0..in_flight).for_each(|_| self.say(writer, self.shared.clock.now_us()));
                        }
                    }
                }
            }
            Order::Cease => {
                self.is_loading = false;
                self.arrivals = None;
            }
            Order::Stop => {}
        }
    }

    /// Where a session sits, if it belongs to the share.
    pub(super) fn place(&self, session: usize) -> Option<usize> {
        session.checked_sub(self.first).filter(|place| *place < self.seats.len())
    }

    fn writers_here(&self) -> Vec<Writer> {
        let scenario = &self.shared.scenario;
        let of = |conversation: usize| {
            let seats = scenario.writers(conversation).filter_map(|session| self.place(session));
            seats.map(move |seat| Writer { seat: seat as u32, conversation: conversation as u32 })
        };
        (0..scenario.conversations).flat_map(of).collect()
    }

    fn open_some(&mut self) {
        while self.opening < OPENING_MAX
            && let Some(place) = self.to_open.pop_front()
        {
            let (registry, server) = (self.poll.registry(), self.shared.server);
            let seat = &mut self.seats[place as usize];
            seat.begun_us = self.shared.clock.now_us();
            self.opening += 1;
            let account = &self.shared.accounts[seat.session as usize];
            seat.ask_upgrade(&self.shared.host, account);
            if let Err(ended) = seat.connect(server, registry, Token(place as usize)) {
                self.end(place as usize, &ended);
            }
        }
    }

    fn create_some(&mut self) {
        while self.creating < CREATING_MAX
            && let Some(conversation) = self.to_create.pop_front()
        {
            self.creating += 1;
            let shared = Arc::clone(&self.shared);
            let scenario = &shared.scenario;
            let creator = scenario.online_members(conversation as usize).next();
            let Some(place) = creator.and_then(|session| self.place(session)) else {
                continue;
            };
            let members = (0..scenario.members).map(|at| scenario.session_of(conversation as usize, at));
            let others = members.filter(|session| Some(*session) != creator);
            let account_ids: Vec<Uuid> = others.map(|session| shared.accounts[session].account_id).collect();
            let params = json!({"topic": format!("load {conversation}"), "account_ids": account_ids});
            self.submit(place, "conv:create", &params.to_string(), Pending::Creation { conversation });
        }
    }

    /// A creation has its outcome.
    pub(super) fn created(&mut self, conversation: u32, id: Option<Uuid>) {
        self.creating -= 1;
        if let Some(id) = id {
            self.conversation_ids.insert(conversation, id);
            self.shared.announce(conversation, id);
            self.shared.progress.created.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends what is due and says how long nothing more will be.
    fn send_due(&mut self) -> Duration {
        while let Some(due_us) = self.arrivals.as_ref().map(Arrivals::next_us) {
            let now_us = self.shared.clock.now_us();
            if due_us > now_us {
                return Duration::from_micros(due_us - now_us).min(POLL_WAIT);
            }
            let Some(chosen) = self.arrivals.as_mut().map(Arrivals::take) else {
                break;
            };
            if self.measured.contains(&due_us) {
                self.tally.lateness.record(now_us - due_us);
            }
            if !self.writers.is_empty() {
                self.say((chosen % self.writers.len() as u64) as u32, due_us);
            }
        }
        POLL_WAIT
    }

    /// A writer says something.
    pub(super) fn say(&mut self, writer: u32, intended_us: u64) {
        let Writer { seat, conversation } = self.writers[writer as usize];
        let shared = Arc::clone(&self.shared);
        let Some(id) = self.conversation_id(conversation) else {
            return;
        };
        let told = wire::Told {
            sequence: self.next_sequence,
            intended_us: intended_us.saturating_sub(self.begin_us),
        };
        let text = wire::message_text(&shared.run, told, shared.scenario.message_bytes);
        let params = format!(r#"{{"conversation_id":"{id}","message":"{text}"}}"#);
        let pending = Pending::Event { kind: Kind::Post, intended_us, writer };
        if self.seats[seat as usize].stage == Stage::Live {
            self.tally.counts.sent += 1;
            shared.progress.sent.fetch_add(1, Ordering::Relaxed);
        }
        self.submit(seat as usize, "message:add_plain", &params, pending);
    }

    fn conversation_id(&mut self, conversation: u32) -> Option<Uuid> {
        if let Some(id) = self.conversation_ids.get(&conversation) {
            return Some(*id);
        }
        let id = self.shared.conversation_id(conversation)?;
        self.conversation_ids.insert(conversation, id);
        Some(id)
    }

    fn submit(&mut self, place: usize, urn: &str, params: &str, pending: Pending) {
        if self.seats[place].stage != Stage::Live {
            return;
        }
        let sequence = self.next_sequence;
        self.next_sequence = self.next_sequence.wrapping_add(self.shared.generators);
        let id = wire::request_id(self.shared.run_key, sequence);
        self.pending.insert(sequence, (place as u32, pending));
        self.shared.progress.pending.fetch_add(1, Ordering::Relaxed);
        let key = self.mask();
        if let Err(ended) = self.seats[place].send(&wire::event(id, urn, params), key) {
            self.end(place, &ended);
        }
    }

    /// An event has its answer.
    pub(super) fn answered(&mut self, writer: u32) {
        if self.is_loading && matches!(self.shared.scenario.pace, Pace::Saturate { .. }) {
            self.say(writer, self.shared.clock.now_us());
        }
    }

    /// Where the answers to a kind of event are booked.
    pub(super) fn answer_times(&mut self, kind: Kind) -> &mut Times {
        self.answer_times.entry(kind).or_default()
    }

    pub(super) fn is_measured(&self, intended_us: u64) -> bool {
        self.measured.contains(&intended_us)
    }

    /// A key for the next frame (xorshift).
    pub(super) fn mask(&mut self) -> u32 {
        self.mask ^= self.mask << 13;
        self.mask ^= self.mask >> 17;
        self.mask ^= self.mask << 5;
        self.mask
    }

    /// Writes what is left and reads until there is nothing more.
    fn serve(&mut self, place: usize) {
        let mut scratch = std::mem::take(&mut self.scratch);
        if let Err(ended) = self.exchange(place, &mut scratch) {
            self.end(place, &ended);
        }
        self.scratch = scratch;
    }

    fn exchange(&mut self, place: usize, scratch: &mut Vec<u8>) -> Result<(), Ended> {
        self.seats[place].flush()?;
        loop {
            let wanted = self.seats[place].kept() + SCRATCH_ROOM_MIN;
            if scratch.len() < wanted {
                scratch.resize(wanted * 2, 0);
            }
            let (length, may_be_more) = self.seats[place].read(scratch)?;
            if length > 0 {
                self.take_in(place, &scratch[..length])?;
            }
            if !may_be_more {
                return Ok(());
            }
        }
    }

    fn take_in(&mut self, place: usize, bytes: &[u8]) -> Result<(), Ended> {
        let mut at = 0;
        if self.seats[place].stage == Stage::Upgrading {
            match seat::upgraded(bytes)? {
                Some(length) => at = length,
                None => {
                    self.seats[place].keep(bytes);
                    return Ok(());
                }
            }
            self.greet(place)?;
        }
        loop {
            let next = frame::next(&bytes[at..]).map_err(|bad| Ended::Broken(bad.0.to_owned()))?;
            let Some((incoming, length)) = next else {
                if at < bytes.len() {
                    self.seats[place].keep(&bytes[at..]);
                }
                return Ok(());
            };
            at += length;
            match incoming {
                Incoming::Text(text) => {
                    self.tally.counts.frames += 1;
                    self.tally.counts.bytes += length as u64;
                    self.shared.progress.bytes.fetch_add(length as u64, Ordering::Relaxed);
                    self.take(place, text)?;
                }
                Incoming::Ping(payload) => {
                    let key = self.mask();
                    self.seats[place].pong(payload, key)?;
                }
                Incoming::Pong => {}
                Incoming::Close(code) => return Err(Ended::Closed(code)),
            }
        }
    }

    fn greet(&mut self, place: usize) -> Result<(), Ended> {
        let seat = &mut self.seats[place];
        let account = &self.shared.accounts[seat.session as usize];
        let hello = json!({
            "ticket": account.ticket, "api_version": API_VERSION, "event_horizon": seat.horizon,
            "poll_flags": ["skip_hidden"],
        });
        seat.stage = Stage::Syncing;
        let key = self.mask();
        self.seats[place].send(&hello.to_string(), key)
    }

    /// A session's sync is complete.
    pub(super) fn came_live(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        seat.stage = Stage::Live;
        self.opening -= 1;
        self.tally.connects.record(self.shared.clock.now_us() - seat.begun_us);
        self.shared.progress.live.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection ended although it was not meant to.
    fn end(&mut self, place: usize, ended: &Ended) {
        let seat = &mut self.seats[place];
        match seat.stage {
            Stage::Away | Stage::Lost => return,
            Stage::Upgrading | Stage::Syncing => self.opening -= 1,
            Stage::Live => drop(self.shared.progress.live.fetch_sub(1, Ordering::Relaxed)),
        }
        seat.stage = Stage::Lost;
        seat.hang_up();
        self.shared.progress.lost.fetch_add(1, Ordering::Relaxed);
        self.tally.counts.disconnected += 1;
        let session = seat.session;
        self.tally.example(match ended {
            Ended::Closed(code) => format!("session {session} was closed with {code}"),
            Ended::Broken(why) => format!("session {session} was lost: {why}"),
        });
        self.give_up(place as u32);
    }

    /// What a lost session waits for has no outcome any more.
    fn give_up(&mut self, place: u32) {
        let before = self.pending.len();
        let lost: Vec<u32> = self
            .pending
            .iter()
            .filter(|(_, (seat, _))| *seat == place)
            .map(|(sequence, _)| *sequence)
            .collect();
        for sequence in lost {
            if let Some((_, Pending::Creation { .. })) = self.pending.remove(&sequence) {
                self.creating -= 1;
            } else {
                self.tally.counts.unanswered += 1;
            }
        }
        self.shared.progress.pending.fetch_sub((before - self.pending.len()) as u64, Ordering::Relaxed);
    }

    /// Now and then: what deliveries took lately goes to whoever watches.
    fn hand_over(&mut self, now_us: u64) {
        if now_us < self.recent_us + RECENT_US {
            return;
        }
        self.recent_us = now_us;
        self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner).add(&self.recent);
        self.recent.clear();
        if !self.is_loading {
            self.shared.raise_tops(self.rooms.all.iter().map(|room| (room.id, room.top())));
            self.shared.set_lag(self.index, self.lag());
        }
    }

    /// Slots that sessions lack of what others here have.
    fn lag(&self) -> u64 {
        let live = self.seats.iter().filter(|seat| seat.stage == Stage::Live);
        let views = live.flat_map(|seat| &seat.views);
        views
            .map(|view| {
                let top = self.shared.top(self.rooms.all[view.room as usize].id);
                let top = top.max(self.rooms.all[view.room as usize].top());
                u64::from(top.saturating_sub(view.edge())) + view.missing()
            })
            .sum()
    }

    fn into_harvest(mut self) -> Harvest {
        for (_, (_, pending)) in self.pending.drain() {
            self.tally.counts.unanswered += u64::from(matches!(pending, Pending::Event { .. }));
        }
        self.judge();
        for place in 0..self.seats.len() {
            let key = self.mask();
            self.seats[place].close(key);
        }
        let named = |(kind, times): (Kind, Times)| (kind.name().to_owned(), times);
        self.tally.answers = self.answer_times.drain().map(named).collect();
        if self.post_deliveries.count() > 0 {
            self.tally.deliveries.insert(Kind::Post.name().to_owned(), self.post_deliveries);
        }
        let measured_us = (self.measured.end - self.measured.start).max(1);
        self.tally.busy_share = self.busy_us as f64 / measured_us as f64;
        let digests = self.rooms.all.iter().map(|room| (room.id, room.top(), room.digest())).collect();
        Harvest { tally: self.tally, digests }
    }
}
