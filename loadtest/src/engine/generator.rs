//! A generator: one thread that connects, writes and reads the sessions of its share.
//!
//! Owns: the loop, the orders and the clockwork of what is due. Not here: its connections ([`super::lines`]), what it says
//! ([`super::speech`]), what a frame brings ([`super::intake`]), the judgement ([`super::room`]).

use super::arrivals::{Arrivals, Dice};
use super::lines::Lines;
use super::room::Rooms;
use super::seat::{Seat, Stage};
use super::shared::{Harvest, Order, Shared, locked};
use super::speech::{Expected, Pending, Writer};
use super::tally::{Tally, Times};
use crate::failure::Failure;
use crate::scenario::{Kind, Pace};
use mio::Events;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;
use uuid::Uuid;

/// The longest a generator sleeps: it also has to notice its orders.
const POLL_WAIT: Duration = Duration::from_millis(5);

/// Readiness reports taken at once: few enough that what arrives first is not stamped with the time of what arrives last.
const EVENTS_MAX: usize = 256;

/// How often what deliveries took lately is handed over, in microseconds.
const RECENT_US: u64 = 200_000;

/// One thread's work.
#[derive(Debug)]
pub(super) struct Generator {
    pub(super) shared: Arc<Shared>,
    pub(super) index: u32,
    orders: Receiver<Order>,
    pub(super) lines: Lines,
    /// The first session of the share.
    first: usize,
    pub(super) seats: Vec<Seat>,
    pub(super) rooms: Rooms,
    /// The id of each conversation that a writer of the share needs.
    pub(super) conversation_ids: HashMap<u32, Uuid>,
    pub(super) writers: Vec<Writer>,
    /// How many writers there are in all generators.
    writers_everywhere: usize,
    pub(super) to_create: VecDeque<u32>,
    pub(super) creating: usize,
    pub(super) pending: HashMap<u32, (u32, Pending)>,
    pub(super) next_sequence: u32,
    /// Those among them that were sent again.
    pub(super) repeated: HashSet<u32>,
    /// What is waited for to arrive at others, by room, author and kind.
    pub(super) expected: HashMap<(u32, Uuid, Kind), Expected>,
    pub(super) dice: Dice,
    arrivals: Option<Arrivals>,
    /// When the next session is to come and go.
    churn: Option<Arrivals>,
    /// Sessions that are still to be dropped, and when the next one is.
    hang_ups: VecDeque<(u64, u32)>,
    pub(super) begin_us: u64,
    measured: Range<u64>,
    pub(super) pace: Pace,
    pub(super) is_loading: bool,
    pub(super) may_end: bool,
    /// The frame that is being taken in may bring again what has come before.
    pub(super) is_repeating: bool,
    pub(super) tally: Tally,
    pub(super) recent: Times,
    pub(super) answer_times: HashMap<Kind, Times>,
    pub(super) delivery_times: HashMap<Kind, Times>,
    recent_us: u64,
    busy_us: u64,
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
            lines: Lines::new()?,
            first: share.start,
            seats: share.map(|session| Seat::new(session as u32)).collect(),
            rooms: Rooms::default(),
            conversation_ids: HashMap::new(),
            writers: Vec::new(),
            writers_everywhere: 0,
            to_create: VecDeque::new(),
            creating: 0,
            pending: HashMap::new(),
            next_sequence: index,
            repeated: HashSet::new(),
            expected: HashMap::new(),
            dice: Dice::new(u64::from(index)),
            arrivals: None,
            churn: None,
            hang_ups: VecDeque::new(),
            begin_us: 0,
            measured: 0..0,
            pace: Pace::Idle,
            is_loading: false,
            may_end: false,
            is_repeating: false,
            tally: Tally::default(),
            recent: Times::default(),
            answer_times: HashMap::new(),
            delivery_times: HashMap::new(),
            recent_us: 0,
            busy_us: 0,
            shared,
        })
    }

    /// Works until told to stop.
    pub(super) fn run(mut self) -> Result<Harvest, Failure> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let awake_us = self.now_us();
            loop {
                match self.orders.try_recv() {
                    Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Ok(self.into_harvest()),
                    Ok(order) => self.obey(order),
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.open_some();
            self.create_some();
            self.drop_some();
            let wait = self.send_due();
            self.hand_over(awake_us);
            self.account_for(awake_us);
            self.lines.wait(&mut events, wait)?;
            let begun_us = self.now_us();
            for event in &events {
                self.serve(event.token().0, event.is_read_closed());
            }
            self.account_for(begun_us);
        }
    }

    pub(super) fn now_us(&self) -> u64 {
        self.shared.clock.now_us()
    }

    /// Books the time since then as work.
    fn account_for(&mut self, since_us: u64) {
        let now_us = self.now_us();
        if self.measured.contains(&now_us) {
            self.busy_us += now_us - since_us;
            self.tally.turns.record(now_us - since_us);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Connect => {
                // Whoever was not there when his conversations were created is shown them by his first sync.
                for id in self.shared.known_ids() {
                    self.rooms.room(id);
                }
                let is_away = |place: &u32| self.seats[*place as usize].stage == Stage::Away;
                let away = (0..self.seats.len() as u32).filter(is_away).collect();
                self.may_end = false;
                self.lines.to_open = away;
            }
            Order::ConnectFounders => {
                let founders = self.shared.scenario.founders().into_iter();
                let here = founders.filter_map(|session| self.place(session));
                self.lines.to_open = here.map(|place| place as u32).collect();
            }
            Order::Create => {
                let scenario = &self.shared.scenario;
                let here = |conversation: &u32| {
                    let first = scenario.online_members(*conversation as usize).next();
                    first.is_some_and(|session| self.place(session).is_some())
                };
                self.to_create = (0..scenario.conversations as u32).filter(here).collect();
                self.writers_everywhere =
                    (0..scenario.conversations).map(|place| scenario.writers(place).count()).sum();
                self.writers = self.writers_here();
            }
            Order::Activate => (0..self.writers.len() as u32).for_each(|writer| self.activate(writer)),
            Order::Load { begin_us, measured, pace, quota } => self.begin(begin_us, measured, pace, quota),
            Order::Stall => {
                let from = self.shared.scenario.online() - self.shared.scenario.slow;
                self.seats.iter_mut().for_each(|seat| seat.is_slow = seat.session as usize >= from);
            }
            Order::Cease => {
                self.is_loading = false;
                (self.arrivals, self.churn) = (None, None);
                for place in 0..self.seats.len() {
                    // What came while it did not read was announced then, and is not announced again.
                    if std::mem::take(&mut self.seats[place].is_slow) {
                        self.seats[place].was_slow = true;
                        self.serve(place, true);
                    }
                }
            }
            Order::HangUp { over_us } => self.plan_hang_ups(over_us),
            Order::ExpectEnd => self.may_end = true,
            Order::Stop => {}
        }
    }

    fn begin(&mut self, begin_us: u64, measured: Range<u64>, pace: Pace, quota: Option<f64>) {
        (self.begin_us, self.measured, self.pace, self.is_loading) = (begin_us, measured, pace, true);
        let seed = u64::from(self.index);
        for writer in &mut self.writers {
            writer.set_quota(quota);
        }
        match pace {
            Pace::Idle => {}
            Pace::Open { rate } => {
                let share = self.writers.len() as f64 / self.writers_everywhere.max(1) as f64;
                self.arrivals = Arrivals::new(begin_us, rate * share, seed);
            }
            Pace::Saturate { in_flight } => {
                for writer in 0..self.writers.len() as u32 {
                    (0..in_flight).for_each(|_| self.say(writer, self.now_us()));
                }
            }
        }
        let scenario = &self.shared.scenario;
        let share = self.seats.len() as f64 / scenario.online() as f64;
        self.churn = Arrivals::new(begin_us, scenario.churn * share, seed + 1_000_000);
    }

    /// Where a session sits, if it belongs to the share.
    pub(super) fn place(&self, session: usize) -> Option<usize> {
        session.checked_sub(self.first).filter(|place| *place < self.seats.len())
    }

    fn writers_here(&self) -> Vec<Writer> {
        let scenario = &self.shared.scenario;
        let of = |conversation: usize| {
            let seats = scenario.writers(conversation).filter_map(|session| self.place(session));
            seats.map(move |seat| Writer::new(seat as u32, conversation as u32))
        };
        (0..scenario.conversations).flat_map(of).collect()
    }

    fn plan_hang_ups(&mut self, over_us: u64) {
        let keepers = self.shared.scenario.keepers;
        let goes = |place: &usize| {
            self.seats[*place].session as usize >= keepers && self.seats[*place].stage == Stage::Live
        };
        let going: Vec<usize> = (0..self.seats.len()).filter(goes).collect();
        let (now_us, step_us) = (self.now_us(), over_us / going.len().max(1) as u64);
        let times = going.into_iter().zip(0_u64..);
        self.hang_ups = times.map(|(place, nth)| (now_us + nth * step_us, place as u32)).collect();
    }

    /// Drops the connections whose time has come, and lets sessions come and go.
    fn drop_some(&mut self) {
        let now_us = self.now_us();
        while let Some((due_us, place)) = self.hang_ups.front().copied()
            && due_us <= now_us
        {
            self.hang_ups.pop_front();
            self.hang_up(place as usize);
        }
        while self.churn.as_ref().is_some_and(|churn| churn.next_us() <= now_us) {
            self.churn.as_mut().map(Arrivals::take);
            let place = self.dice.below(self.seats.len());
            let seat = &self.seats[place];
            if seat.stage == Stage::Live && seat.session as usize >= self.shared.scenario.keepers {
                self.hang_up(place);
                self.lines.to_open.push_back(place as u32);
            }
        }
    }

    /// Sends what is due and says how long nothing more will be.
    fn send_due(&mut self) -> Duration {
        while let Some(due_us) = self.arrivals.as_ref().map(Arrivals::next_us) {
            let now_us = self.now_us();
            if due_us > now_us {
                return Duration::from_micros(due_us - now_us).min(POLL_WAIT);
            }
            self.arrivals.as_mut().map(Arrivals::take);
            if self.measured.contains(&due_us) {
                self.tally.lateness.record(now_us - due_us);
            }
            if !self.writers.is_empty() {
                let writer = self.dice.below(self.writers.len());
                self.say(writer as u32, due_us);
            }
        }
        POLL_WAIT
    }

    pub(super) fn is_measured(&self, intended_us: u64) -> bool {
        self.measured.contains(&intended_us)
    }

    /// Now and then: what deliveries took lately goes to whoever watches.
    fn hand_over(&mut self, now_us: u64) {
        if now_us < self.recent_us + RECENT_US {
            return;
        }
        self.recent_us = now_us;
        locked(&self.shared.recent).add(&self.recent);
        self.recent.clear();
        if !self.is_loading {
            self.shared.raise_tops(self.rooms.all.iter().map(|room| (room.id, room.top())));
            self.shared.set_lag(self.index, self.lag());
        }
    }

    /// Slots that sessions lack of what others have.
    fn lag(&self) -> u64 {
        let live = self.seats.iter().filter(|seat| seat.stage == Stage::Live);
        let views = live.flat_map(|seat| &seat.views);
        views
            .map(|view| {
                let room = &self.rooms.all[view.room as usize];
                let top = self.shared.top(room.id).max(room.top());
                u64::from(top.saturating_sub(view.edge())) + view.missing()
            })
            .sum()
    }

    fn into_harvest(mut self) -> Harvest {
        for (_, (_, pending)) in self.pending.drain() {
            self.tally.counts.unanswered += u64::from(pending.is_event());
        }
        self.judge();
        for place in 0..self.seats.len() {
            let key = self.dice.key();
            self.seats[place].close(key);
        }
        let named = |(kind, times): (Kind, Times)| (kind.name().to_owned(), times);
        self.tally.answers = self.answer_times.drain().map(named).collect();
        self.tally.deliveries = self.delivery_times.drain().map(named).collect();
        let measured_us = (self.measured.end - self.measured.start).max(1);
        self.tally.busy_share = self.busy_us as f64 / measured_us as f64;
        let digests = self.rooms.all.iter().map(|room| (room.id, room.top(), room.digest())).collect();
        Harvest { tally: self.tally, digests }
    }
}
