//! Nodes, a Redis and a store that are played, with a clock that only steps. Everything is drawn from one seed.
//!
//! Each node has one session, whose picture is what it was told. Whatever is durable with a stamp up to a session's horizon has to be in
//! its picture: that is what the views, the rounds and the horizon are for. Not here: which faults happen (`simulation`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::link::format::Said;
use crate::link::horizon::Horizon;
use crate::link::membership::{Action, BEAT_EVERY, Beat, Frame, Membership};
use crate::link::outbox::{Outbox, QUEUE_BYTES_MAX};
use crate::link::view::View;
use crate::store::{Epoch, Stamp};
use crate::watermark::{Issued, Watermark};

/// How far the clock goes in one step.
pub(super) const STEP: Duration = Duration::from_millis(10);

/// The wall clock at the beginning.
const BEGINNING_US: u64 = 1_000_000_000_000;

/// A small generator (splitmix64).
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }
}

#[derive(Clone)]
enum Message {
    Said(Said),
    Frame(Epoch, Frame),
}

enum Asked {
    Open(Stamp),
    Fence(Epoch),
    /// Not the store: what a round's proposal gives to other nodes comes to rest.
    Rest(u64),
}

/// A change that is under way to the store.
struct Change {
    due: u64,
    id: u64,
    stamp: Issued,
    is_durable: Option<bool>,
}

pub(super) struct Node {
    pub(super) epoch: Epoch,
    /// Its wall clock is so much ahead, or behind.
    skew_us: i64,
    membership: Membership,
    outbox: Outbox,
    watermark: Arc<Watermark>,
    horizon: Horizon,
    /// What Redis has for it, in order.
    inbox: VecDeque<Message>,
    /// What it has for Redis.
    outgoing: VecDeque<Message>,
    pub(super) paused_until: u64,
    pub(super) cut_until: u64,
    is_up: bool,
    was_up: bool,
    asked: Vec<(u64, Asked)>,
    beat_due: bool,
    last_beat: Option<Instant>,
    changes: Vec<Change>,
    /// Durable, and not in the session's picture.
    missing: BTreeSet<(Stamp, u64)>,
    told: Stamp,
    sequence: BTreeMap<Epoch, u64>,
    received: BTreeMap<Epoch, u64>,
    pub(super) is_over: bool,
}

#[derive(Default, Debug)]
pub(super) struct Counts {
    pub(super) views: u64,
    pub(super) letters: u64,
    pub(super) changes: u64,
    pub(super) gaps: u64,
    pub(super) fences: u64,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) step: u64,
    beginning: Instant,
    pub(super) nodes: Vec<Node>,
    open: BTreeSet<Epoch>,
    last_epoch: Epoch,
    last_stamp: BTreeMap<Epoch, Stamp>,
    store_away_until: u64,
    next_id: u64,
    installed: BTreeMap<u64, BTreeSet<Epoch>>,
    pub(super) counts: Counts,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng(seed),
            step: 0,
            beginning: Instant::now(),
            nodes: Vec::new(),
            open: BTreeSet::new(),
            last_epoch: 0,
            last_stamp: BTreeMap::new(),
            store_away_until: 0,
            next_id: 0,
            installed: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    fn now(&self) -> Instant {
        self.beginning + STEP * u32::try_from(self.step).unwrap()
    }

    /// A node opens the store.
    pub(super) fn join(&mut self) {
        self.last_epoch += 1;
        let epoch = self.last_epoch;
        self.open.insert(epoch);
        let last = self.last_stamp.values().copied().max().unwrap_or(0);
        let watermark = Watermark::new(last);
        self.nodes.push(Node {
            epoch,
            skew_us: i64::try_from(self.rng.below(800_000)).unwrap() - 400_000,
            membership: Membership::new(epoch),
            outbox: Outbox::default(),
            horizon: Horizon::new(Arc::clone(&watermark)),
            watermark,
            inbox: VecDeque::new(),
            outgoing: VecDeque::new(),
            paused_until: 0,
            // It comes to Redis a while after.
            cut_until: self.step + self.rng.below(60),
            is_up: false,
            was_up: false,
            asked: Vec::new(),
            beat_due: false,
            last_beat: None,
            changes: Vec::new(),
            missing: BTreeSet::new(),
            told: 0,
            sequence: BTreeMap::new(),
            received: BTreeMap::new(),
            is_over: false,
        });
    }

    /// A node is no more. Its epoch stays open.
    pub(super) fn kill(&mut self, place: usize) {
        self.nodes.remove(place);
    }

    /// A node says goodbye.
    pub(super) fn leave(&mut self, place: usize) {
        let node = self.nodes.remove(place);
        self.open.remove(&node.epoch);
        self.publish(Message::Said(Said::Bye(node.epoch)));
    }

    /// The store answers nothing for a while.
    pub(super) fn take_store_away(&mut self, steps: u64) {
        self.store_away_until = self.step + steps;
    }

    /// Everybody's connection is lost, each for its own time.
    pub(super) fn restart_redis(&mut self) {
        for place in 0..self.nodes.len() {
            self.nodes[place].cut_until = self.step + 1 + self.rng.below(150);
        }
    }

    /// A message that Redis has for a node gets lost.
    pub(super) fn lose(&mut self, place: usize) {
        let waiting = self.nodes[place].inbox.len() as u64;
        if waiting > 0 {
            let at = usize::try_from(self.rng.below(waiting)).unwrap();
            self.nodes[place].inbox.remove(at);
        }
    }

    /// More than is kept is sent to everybody.
    pub(super) fn flood(&mut self, place: usize) {
        let flood = Bytes::from(vec![0; QUEUE_BYTES_MAX + 1]);
        self.nodes[place].outbox.push_all(&flood);
    }

    pub(super) fn renew(&mut self, place: usize) {
        let now = self.now();
        self.nodes[place].membership.renew(now);
    }

    /// A node that has a view begins to change something.
    pub(super) fn change(&mut self, place: usize) {
        let (due, now_us) = (self.step + self.rng.below(8), self.clock(place));
        self.next_id += 1;
        let node = &mut self.nodes[place];
        if node.membership.installed().is_some() && node.paused_until <= self.step {
            let stamp = node.watermark.issue(now_us);
            let (epoch, issued) = (node.epoch, stamp.stamp());
            node.changes.push(Change { due, id: self.next_id, stamp, is_durable: None });
            let told = self.nodes.iter().map(|node| node.told).max().unwrap_or(0);
            assert!(issued > told || !self.open.contains(&epoch), "{epoch} stamps {issued}, {told} was told");
        }
    }

    fn clock(&self, place: usize) -> u64 {
        let micros = u64::try_from(STEP.as_micros()).unwrap() * self.step;
        (BEGINNING_US + micros).saturating_add_signed(self.nodes[place].skew_us)
    }

    fn publish(&mut self, message: Message) {
        for node in self.nodes.iter_mut().filter(|node| node.is_up) {
            if !matches!(&message, Message::Frame(to, _) if *to != node.epoch) {
                node.inbox.push_back(message.clone());
            }
        }
    }

    /// The clock goes one step on.
    pub(super) fn advance(&mut self) {
        self.step += 1;
        for place in 0..self.nodes.len() {
            self.connect(place);
            self.make_durable(place);
            let node = &mut self.nodes[place];
            // Redis takes what a node had sent before it stood still.
            let taken: Vec<_> = if node.is_up { node.outgoing.drain(..).collect() } else { Vec::new() };
            taken.into_iter().for_each(|message| self.publish(message));
        }
        for place in 0..self.nodes.len() {
            if self.nodes[place].paused_until <= self.step && !self.nodes[place].is_over {
                self.check_horizon(place);
                self.run(place);
                self.check_horizon(place);
            }
        }
    }

    fn connect(&mut self, place: usize) {
        let (step, node) = (self.step, &mut self.nodes[place]);
        if node.cut_until > step {
            node.is_up = false;
            node.inbox.clear();
            node.outgoing.clear();
        } else if !node.is_up && node.paused_until <= step {
            (node.is_up, node.beat_due) = (true, true);
            if std::mem::replace(&mut node.was_up, true) {
                node.membership.reconnected();
            }
        }
    }

    /// The store commits what is due, of whoever's epoch is open, also of a node that stands still.
    fn make_durable(&mut self, place: usize) {
        let (epoch, step) = (self.nodes[place].epoch, self.step);
        let is_open = self.open.contains(&epoch);
        if self.store_away_until > step {
            return;
        }
        let mut durable = Vec::new();
        for change in &mut self.nodes[place].changes {
            if change.due <= step && change.is_durable.is_none() {
                change.is_durable = Some(is_open);
                if is_open {
                    durable.push((change.stamp.stamp(), change.id));
                }
            }
        }
        for change in durable {
            self.counts.changes += 1;
            let last = self.last_stamp.entry(epoch).or_default();
            *last = change.0.max(*last);
            for node in &mut self.nodes {
                node.missing.insert(change);
            }
        }
    }

    fn run(&mut self, place: usize) {
        let order = self.rng.below(3);
        for turn in 0..3 {
            match (turn + order) % 3 {
                0 => self.hear(place),
                1 => self.answer(place),
                _ => {
                    let now = self.now();
                    self.nodes[place].membership.tick(now);
                    self.act(place);
                }
            }
        }
        self.tell_changes(place);
        if self.rng.one_in(2) {
            self.compose(place);
        }
    }

    fn hear(&mut self, place: usize) {
        for _ in 0..self.rng.below(6) {
            let now = self.now();
            let node = &mut self.nodes[place];
            match node.inbox.pop_front() {
                Some(Message::Said(Said::Beat(beat))) => {
                    node.watermark.observe(beat.watermark);
                    node.membership.beat_heard(beat, now);
                }
                Some(Message::Said(Said::Bye(epoch))) => node.membership.ended(epoch, now),
                Some(Message::Frame(_, frame)) => node.membership.frame_heard(frame, now),
                None => return,
            }
            self.act(place);
        }
    }

    fn answer(&mut self, place: usize) {
        let (now, step) = (self.now(), self.step);
        let due = std::mem::take(&mut self.nodes[place].asked);
        for (at, asked) in due {
            if at > step {
                self.nodes[place].asked.push((at, asked));
                continue;
            }
            let is_away = self.store_away_until > step;
            let highest = self.last_stamp.values().copied().max().unwrap_or(0);
            let node = &mut self.nodes[place];
            match asked {
                Asked::Rest(round) => node.membership.prepared(round),
                Asked::Open(_) if is_away => node.membership.store_failed(),
                Asked::Fence(epoch) if is_away => node.membership.not_ended(epoch),
                Asked::Open(watermark) => {
                    let open = self.open.iter().copied().collect();
                    node.membership.store_answered(open, watermark, now);
                }
                Asked::Fence(epoch) => {
                    self.counts.fences += u64::from(self.open.remove(&epoch));
                    node.watermark.observe(highest);
                    node.membership.ended(epoch, now);
                }
            }
            self.act(place);
        }
    }

    /// Those whose change has become durable hear of it.
    fn tell_changes(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        let (done, waiting) =
            std::mem::take(&mut node.changes).into_iter().partition(|change| change.is_durable.is_some());
        node.changes = waiting;
        let done: Vec<Change> = done;
        for change in done.into_iter().filter(|change| change.is_durable == Some(true)) {
            node.missing.remove(&(change.stamp.stamp(), change.id));
            let others: Vec<Epoch> = node.sequence.keys().copied().collect();
            for to in others {
                let next = node.sequence[&to] + 1;
                let round = node.outbox.push(to, letter(change.stamp.stamp(), change.id, next));
                if round != 0 {
                    node.sequence.insert(to, next);
                }
            }
        }
    }

    fn compose(&mut self, place: usize) {
        let (now, now_us) = (self.now(), self.clock(place));
        if !self.nodes[place].is_up || self.nodes[place].is_over {
            return;
        }
        let (watermark, frames) = loop {
            let node = &mut self.nodes[place];
            node.watermark.tick(now_us);
            let watermark = node.watermark.current();
            if !node.outbox.has_overflowed() {
                break (node.outbox.announced(watermark), node.outbox.frames(node.epoch));
            }
            node.membership.spoil(now);
            self.act(place);
        };
        let node = &mut self.nodes[place];
        node.outgoing.extend(frames.into_iter().map(|(to, frame)| Message::Frame(to, frame)));
        let is_due = node.beat_due || node.last_beat.is_none_or(|last| now - last >= BEAT_EVERY);
        if let Some(View { round, nodes }) = node.membership.proposal(now).cloned().filter(|_| is_due) {
            let has_view = node.membership.installed().is_some();
            let sent = node.outbox.sent();
            let consents = node.membership.consents();
            let beat = Beat { from: node.epoch, nodes, round, consents, has_view, watermark, sent };
            node.outgoing.push_back(Message::Said(Said::Beat(beat)));
            (node.beat_due, node.last_beat) = (false, Some(now));
        }
    }

    fn act(&mut self, place: usize) {
        while let Some(action) = self.nodes[place].membership.next_action() {
            let due = self.step + self.rng.below(4);
            let node = &mut self.nodes[place];
            match action {
                Action::Ask => node.asked.push((due, Asked::Open(node.watermark.current()))),
                Action::Fence(epoch) => node.asked.push((due, Asked::Fence(epoch))),
                Action::Gap => self.counts.gaps += 1,
                Action::Leave(proposal) => {
                    node.horizon.freeze();
                    let others = proposal.nodes.iter().copied().filter(|epoch| *epoch != node.epoch);
                    node.sequence = others.clone().map(|epoch| (epoch, 0)).collect();
                    node.outbox.begin(proposal.round, others, node.watermark.current());
                    node.outgoing.retain(|message| matches!(message, Message::Said(_)));
                    node.asked.push((due, Asked::Rest(proposal.round)));
                }
                Action::Beat => node.beat_due = true,
                Action::Install(view) => self.install(place, &view),
                Action::Deliver(from, letters) => self.deliver(place, from, &letters),
                Action::Announced(lowest) => node.horizon.raise(lowest),
                Action::Stop => {
                    assert!(!self.open.contains(&node.epoch), "{} was stopped and is open", node.epoch);
                    node.horizon.freeze();
                    node.is_over = true;
                }
            }
        }
    }

    fn install(&mut self, place: usize, view: &View) {
        self.counts.views += 1;
        let node = &mut self.nodes[place];
        assert!(view.nodes.contains(&node.epoch));
        let same = self.installed.entry(view.round).or_insert_with(|| view.nodes.clone());
        assert_eq!(*same, view.nodes, "one round has one set");
        // The session catches up from the store.
        node.missing.clear();
        node.received.clear();
        node.outbox.open();
    }

    fn deliver(&mut self, place: usize, from: Epoch, letters: &[Bytes]) {
        let node = &mut self.nodes[place];
        assert!(node.membership.stands(), "letters come under the view that is installed");
        for letter in letters {
            self.counts.letters += 1;
            if letter.len() != 24 {
                continue;
            }
            let number = |at: usize| u64::from_be_bytes(letter[at..at + 8].try_into().unwrap());
            let last = node.received.entry(from).or_default();
            assert_eq!(number(16), *last + 1, "letters of a round come in order and without a gap");
            *last += 1;
            node.missing.remove(&(number(0), number(8)));
        }
    }

    /// What a session was told is true, whatever its node knows of the others.
    fn check_horizon(&mut self, place: usize) {
        let node = &self.nodes[place];
        let told = node.horizon.current();
        assert!(told >= node.told, "the horizon went back");
        if let Some((stamp, id)) = node.missing.first() {
            assert!(
                *stamp > told,
                "node {} was told {told}, and has missed change {id} of {stamp}",
                node.epoch
            );
        }
        self.nodes[place].told = told;
    }

    /// What there is to say against everybody being one and up to date.
    pub(super) fn complaint(&self) -> Option<String> {
        let living: BTreeSet<Epoch> =
            self.nodes.iter().filter(|node| !node.is_over).map(|node| node.epoch).collect();
        for node in self.nodes.iter().filter(|node| !node.is_over) {
            let view = node.membership.installed();
            if !node.membership.is_settled(self.now()) || view.is_none_or(|view| view.nodes != living) {
                return Some(format!("{} has {view:?} of {living:?}", node.epoch));
            }
            if !node.missing.is_empty() {
                return Some(format!("{} has missed {:?}", node.epoch, node.missing));
            }
        }
        let of = |node: &Node| node.membership.installed().map(|view| view.round);
        let rounds: BTreeSet<_> = self.nodes.iter().filter(|node| !node.is_over).map(of).collect();
        (rounds.len() > 1).then(|| format!("rounds {rounds:?}"))
    }
}

fn letter(stamp: Stamp, id: u64, sequence: u64) -> Bytes {
    Bytes::from([stamp.to_be_bytes(), id.to_be_bytes(), sequence.to_be_bytes()].concat())
}
