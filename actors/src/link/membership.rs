//! Which nodes there are, and the views that they agree on. Pure: the clock, what was heard and what the store said are
//! given; what is to be done comes out as [`Action`]s, in order.
//!
//! A node is named by the epoch that the store gave to its opening: no two openings share one, and a later one is higher.
//! Each node *proposes*: a set of nodes, in a round. It says so in every beat. Where all nodes of a set have been heard to
//! propose that set in the same round, the view is *installed*. Rounds:
//!
//! 1. Whoever changes his set, misses a frame, or is asked to, proposes a round above all that he has heard of.
//! 2. Whoever hears of a higher round with his own set takes it over. Whoever hears of another set reads the store.
//! 3. Nobody proposes two sets in one round. So two installed views of one round that share a node are the same; and nodes
//!    that have never heard of each other use different rounds, since they begin with their epochs.
//! 4. Everything between nodes belongs to one round, under which frames are numbered from 1. A beat tells how many its
//!    sender has sent. What is missing makes a new round, and everybody reads the store then.
//!
//! Members are the open epochs of the store. Once a view stands, an epoch that nobody of it has heard of is left alone: its
//! node is still starting, or has no link, and cannot have a view without them. Nobody leaves the set before the store has ended his epoch.
//!
//! Why no session misses anything, however long views differ:
//!
//! 1. A watermark counts only when it was announced under the view that the receiver has installed, and has not left, and after
//!    every frame that was sent before it. So the horizon stands still below everything that was decided under a view
//!    that one does not know yet.
//! 2. A view needs the consent of everybody in it. He gives it by a beat, before which he freezes his horizon, and brings to rest
//!    what the view gives to another node: whoever owns that next reads all of it. So whatever is
//!    stamped under the new view is above all that was told under the old ones: stamps are above every watermark that was heard.
//! 3. Who is put out has not consented. What he may have told meanwhile was announced by the others before. Only a view of one
//!    node needs nobody's announcement. It has a lease, which ends before anybody can have put it out.
//! 4. Whenever a view is installed, each live session catches up from the horizon that it was told.
//!
//! Why nobody is put out wrongly by somebody who cannot hear: a node judges others only while it has heard its own beats
//! for as long as it waits for theirs. One that is cut off, and all of them when the link is down, leave the view as it is.
//!
//! Not here: what waits to be sent (`outbox`), how it travels (`carrier`), the horizon itself (`horizon`), and that appends of an ended
//! epoch are refused (the store).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::view::View;
use crate::store::{Epoch, Stamp};

/// How often a node says that it lives. Also how old a watermark gets at most: what a client that comes back is told
/// again grows with it.
pub const BEAT_EVERY: Duration = Duration::from_millis(250);

/// Who has not been heard for so long is put out. Eight beats: a pause of a loaded machine is shorter, and together with
/// the loading of what is taken over it leaves room below the five seconds that a takeover may last.
pub const SILENT_MAX: Duration = Duration::from_secs(2);

/// The same for one who was never heard by a node that joins, or that hears again: he may be starting, or coming back, as well.
pub(super) const UNHEARD_MAX: Duration = Duration::from_secs(4);

/// A node that has not heard itself for so long does not hear the others either.
const DEAF_AFTER: Duration = Duration::from_secs(1);

/// How often the store is asked who is there, when nothing gives a reason to.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How soon it is asked again while there is doubt: some beats of a loaded cluster, and next to nothing for the store.
const DOUBT_EVERY: Duration = Duration::from_millis(100);

/// A node whose store has not answered for so long falls silent, so that others take over what it cannot serve.
const STORE_SILENT_MAX: Duration = Duration::from_secs(2);

/// How far, in microseconds, a view of one node runs ahead of the watermark with which it last heard itself, or knew from the
/// store that it was alone. Whoever puts it out has waited for `SILENT_MAX` since, and stamps by his own clock: clocks of one
/// cluster may be a second apart.
const LEASE_US: Stamp = 1_000_000;

/// How many bytes of frames are kept for a round that others have installed and this node has not yet. It is about to: one beat is
/// missing.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// How many epochs that have ended, or that the store has not spoken of yet, are remembered. More than a cluster has nodes.
const NAMES_MAX: usize = 256;

/// How many rounds an epoch has before it would reach those of the next: one a second for a century.
const ROUNDS_PER_EPOCH: u64 = 1 << 32;

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Beat {
    /// Who says it.
    pub(super) from: Epoch,
    /// Whom it proposes.
    pub(super) nodes: BTreeSet<Epoch>,
    /// In which round.
    pub(super) round: u64,
    /// Whether it consents to that: whatever it gives to another node has come to rest.
    pub(super) consents: bool,
    /// Whether it has ever had a view.
    pub(super) has_view: bool,
    /// Everything with a stamp up to this has been sent to whoever is to hear of it.
    pub(super) watermark: Stamp,
    /// The number of the last frame that it has sent to each, under this round.
    pub(super) sent: BTreeMap<Epoch, u64>,
}

/// Letters on their way from one node to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    /// Who sends them.
    pub(super) from: Epoch,
    /// Under which round.
    pub(super) round: u64,
    /// From 1 in each round, for each pair of nodes.
    pub(super) number: u64,
    /// In the order in which they were handed over.
    pub(super) letters: Vec<Bytes>,
}

/// What a node has to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Ask the store which epochs are open.
    Ask,
    /// End an epoch in the store: its node is silent.
    Fence(Epoch),
    /// Something that was sent to this node was lost. A new round follows.
    Gap,
    /// The view, if there is one, is left: freeze the horizon, drop what waits, count frames from 1.
    Leave(View),
    /// Say at once what is proposed now.
    Beat,
    /// Everybody has agreed.
    Install(Arc<View>),
    /// Letters that came under the installed view.
    Deliver(Epoch, Vec<Bytes>),
    /// Everything up to this stamp has been delivered. The own watermark is not counted in.
    Announced(Stamp),
    /// This node's epoch has ended. Nothing follows.
    Stop,
}

/// What is known of another node of the proposed set.
#[derive(Clone, Debug)]
struct Peer {
    /// When it was last heard, or when it came into the set.
    heard: Instant,
    /// How long it may be silent.
    patience: Duration,
    beat: Option<Beat>,
    /// The number of its last frame under the proposed round.
    received: u64,
    /// What it sent under the proposed round, which is not installed yet.
    kept: Vec<Bytes>,
}

/// When a node heard itself.
#[derive(Clone, Copy, Debug)]
struct Hearing {
    /// The first time after which no long pause followed.
    since: Instant,
    last: Instant,
}

/// The nodes as one of them sees them.
#[derive(Debug)]
pub(super) struct Membership {
    me: Epoch,
    /// Empty until the store has answered for the first time.
    proposal: View,
    installed: Option<Arc<View>>,
    peers: BTreeMap<Epoch, Peer>,
    /// Heard, and not in the set.
    strangers: BTreeMap<Epoch, Beat>,
    ended: BTreeSet<Epoch>,
    hearing: Option<Hearing>,
    /// The watermark of the own beat that came back under what is proposed now.
    echoed: Option<Stamp>,
    /// The link was cut while this round was proposed: what was sent under it may be lost.
    cut: Option<u64>,
    /// What the proposal gives to another node has come to rest here.
    consents: bool,
    /// No round above it has been heard of.
    highest: u64,
    kept_bytes: usize,
    /// Which strangers were known when the store was asked, while it has not answered.
    asking: Option<BTreeSet<Epoch>>,
    asked: Option<Instant>,
    answered: Option<Instant>,
    doubt: bool,
    fencing: BTreeSet<Epoch>,
    is_over: bool,
    actions: VecDeque<Action>,
}

impl Membership {
    /// A node that has just opened the store, and asks it at once who else is there.
    pub(super) fn new(me: Epoch) -> Self {
        let highest = me.saturating_mul(ROUNDS_PER_EPOCH);
        Self {
            me,
            proposal: View { round: 0, nodes: BTreeSet::new() },
            installed: None,
            peers: BTreeMap::new(),
            strangers: BTreeMap::new(),
            ended: BTreeSet::new(),
            hearing: None,
            echoed: None,
            cut: None,
            consents: false,
            highest,
            kept_bytes: 0,
            asking: None,
            asked: None,
            answered: None,
            doubt: true,
            fencing: BTreeSet::new(),
            is_over: false,
            actions: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What this node proposes, and says in its beats; `None`: it is silent, because its store does not answer, or it is over.
    pub(super) fn proposal(&self, now: Instant) -> Option<&View> {
        let is_answered =
            self.answered.is_some_and(|answered| now.duration_since(answered) < STORE_SILENT_MAX);
        (is_answered && !self.is_over && !self.proposal.nodes.is_empty()).then_some(&self.proposal)
    }

    /// The view that was installed last.
    pub(super) fn installed(&self) -> Option<&Arc<View>> {
        self.installed.as_ref()
    }

    /// Whether the installed view is still the proposed one.
    pub(super) fn stands(&self) -> bool {
        !self.is_over && self.installed.as_ref().is_some_and(|view| view.round == self.proposal.round)
    }

    /// Whether it stands, is spoken for, and this node hears what is said.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.stands() && self.proposal(now).is_some() && self.hears(now)
    }

    fn hears(&self, now: Instant) -> bool {
        self.hearing.is_some_and(|hearing| now.duration_since(hearing.last) < DEAF_AFTER)
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.is_over {
            return;
        }
        if let Some(hearing) = self.hearing.filter(|_| self.hears(now) && self.proposal(now).is_some()) {
            for (epoch, peer) in &self.peers {
                let silence = now.saturating_duration_since(peer.heard.max(hearing.since));
                if silence >= peer.patience && self.fencing.insert(*epoch) {
                    self.actions.push_back(Action::Fence(*epoch));
                }
            }
        }
        self.look(now);
    }

    /// Asks the store, when there is reason to.
    fn look(&mut self, now: Instant) {
        let wait = if self.doubt { DOUBT_EVERY } else { PROBE_EVERY };
        let is_due = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= wait);
        if is_due && self.asking.is_none() && !self.is_over {
            self.asking = Some(self.strangers.keys().copied().collect());
            self.asked = Some(now);
            self.doubt = false;
            self.actions.push_back(Action::Ask);
        }
    }

    /// The store is to be asked without delay.
    fn look_at_once(&mut self, now: Instant) {
        self.doubt = true;
        self.asked = None;
        self.look(now);
    }

    /// What the proposal of a round gives to other nodes has come to rest here.
    pub(super) fn prepared(&mut self, round: u64) {
        if !self.is_over && round == self.proposal.round && !self.consents {
            self.consents = true;
            self.actions.push_back(Action::Beat);
            self.settle();
        }
    }

    /// It has not come to rest in time: the others are better off without this node.
    pub(super) fn stuck(&mut self, round: u64) {
        if !self.is_over && round == self.proposal.round && !self.consents {
            tracing::error!(round, "what is to move does not come to rest");
            self.is_over = true;
            self.actions.push_back(Action::Stop);
        }
    }

    /// Whether this node consents to what it proposes.
    pub(super) fn consents(&self) -> bool {
        self.consents
    }

    /// A beat came in, this node's own or another's.
    pub(super) fn beat_heard(&mut self, beat: Beat, now: Instant) {
        if self.is_over || self.ended.contains(&beat.from) {
            return;
        }
        if beat.from == self.me {
            return self.echo_heard(&beat, now);
        }
        let Some(peer) = self.peers.get_mut(&beat.from) else {
            remember(&mut self.strangers, beat.from, beat);
            self.doubt = true;
            return self.look(now);
        };
        (peer.heard, peer.patience) = (now, SILENT_MAX);
        self.highest = self.highest.max(beat.round);
        let is_mine = beat.nodes == self.proposal.nodes;
        let is_missing = beat.sent.get(&self.me).is_some_and(|sent| *sent > peer.received);
        let round = beat.round;
        peer.beat = Some(beat);
        if !is_mine {
            self.doubt = true;
            return self.look(now);
        }
        if round > self.proposal.round {
            self.propose(self.proposal.nodes.clone(), round, now);
        } else if round == self.proposal.round && is_missing {
            self.miss(now);
        } else {
            self.settle();
        }
    }

    /// This node has heard itself.
    fn echo_heard(&mut self, beat: &Beat, now: Instant) {
        let goes_on = self.hearing.filter(|_| self.hears(now));
        if goes_on.is_none() {
            // The link was away: the others come back to it at their own pace.
            self.peers.values_mut().for_each(|peer| peer.patience = UNHEARD_MAX);
        }
        self.hearing = Some(Hearing { since: goes_on.map_or(now, |hearing| hearing.since), last: now });
        if beat.round == self.proposal.round {
            self.echoed = Some(beat.watermark);
        }
        if let Some(round) = self.cut.take()
            && round == self.proposal.round
        {
            return self.miss(now);
        }
        self.settle();
    }

    /// A frame came in.
    pub(super) fn frame_heard(&mut self, frame: Frame, now: Instant) {
        // Of an older round: lost with it. A later one cannot be: its sender waits for this node's consent.
        if self.is_over || frame.round != self.proposal.round {
            return;
        }
        let stands = self.stands();
        let Some(peer) = self.peers.get_mut(&frame.from) else { return };
        (peer.heard, peer.patience) = (now, SILENT_MAX);
        if frame.number != peer.received + 1 {
            return self.miss(now);
        }
        peer.received = frame.number;
        if stands {
            return self.actions.push_back(Action::Deliver(frame.from, frame.letters));
        }
        self.kept_bytes += frame.letters.iter().map(Bytes::len).sum::<usize>();
        peer.kept.extend(frame.letters);
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.miss(now);
        }
    }

    /// Something came in that cannot be read: it may have been anything.
    pub(super) fn noise_heard(&mut self, now: Instant) {
        if !self.is_over {
            self.miss(now);
        }
    }

    /// A node said that it has ended its own epoch, or an epoch was ended here.
    pub(super) fn ended(&mut self, epoch: Epoch, now: Instant) {
        self.fencing.remove(&epoch);
        if self.peers.contains_key(&epoch) {
            self.look_at_once(now);
        }
    }

    /// An epoch could not be ended: it is tried again.
    pub(super) fn not_ended(&mut self, epoch: Epoch) {
        self.fencing.remove(&epoch);
    }

    /// The link was made again. What was said meanwhile is lost.
    pub(super) fn reconnected(&mut self) {
        self.cut = Some(self.proposal.round);
        self.hearing = None;
    }

    /// Somebody noticed that something was lost. Where another round is proposed already it will do.
    pub(super) fn renew(&mut self, now: Instant) {
        if self.stands() {
            self.propose_above(self.proposal.nodes.clone(), now);
        }
    }

    /// What waited to be sent was dropped: the proposed round is spoiled.
    pub(super) fn spoil(&mut self, now: Instant) {
        if !self.is_over && !self.proposal.nodes.is_empty() {
            self.propose_above(self.proposal.nodes.clone(), now);
        }
    }

    /// The store was asked and cannot answer.
    pub(super) fn store_failed(&mut self) {
        self.asking = None;
        self.doubt = true;
    }

    /// The store was asked, when the own watermark was `watermark`, and these are the open epochs.
    pub(super) fn store_answered(&mut self, open: Vec<Epoch>, watermark: Stamp, now: Instant) {
        let asked = self.asking.take().unwrap_or_default();
        if self.is_over {
            return;
        }
        let open: BTreeSet<Epoch> = open.into_iter().collect();
        if !open.contains(&self.me) {
            self.is_over = true;
            self.actions.clear();
            return self.actions.push_back(Action::Stop);
        }
        self.answered = Some(now);
        let gone: BTreeSet<Epoch> = asked.iter().chain(self.peers.keys()).copied().collect();
        for epoch in gone.difference(&open) {
            self.strangers.remove(epoch);
            self.forget(*epoch);
        }
        let is_alone = open.len() == 1;
        let nodes = self.members(open);
        if nodes != self.proposal.nodes {
            self.propose_anew(nodes, now);
        } else if is_alone && self.stands() {
            self.actions.push_back(Action::Announced(watermark.saturating_add(LEASE_US)));
        }
        self.look(now);
    }

    /// Who of the open epochs belongs to the set.
    fn members(&self, mut open: BTreeSet<Epoch>) -> BTreeSet<Epoch> {
        let beats = || self.peers.values().filter_map(|peer| peer.beat.as_ref());
        let views =
            beats().chain(self.strangers.values()).filter(|beat| beat.has_view && open.contains(&beat.from));
        let mut known: BTreeSet<Epoch> = views.flat_map(|beat| beat.nodes.iter().copied()).collect();
        if self.installed.is_none() && known.is_empty() {
            return open;
        }
        known.insert(self.me);
        known.extend(self.strangers.keys());
        known.extend(beats().map(|beat| beat.from));
        if self.installed.is_some() {
            known.extend(&self.proposal.nodes);
        }
        open.retain(|epoch| known.contains(epoch));
        open
    }

    fn forget(&mut self, epoch: Epoch) {
        self.ended.insert(epoch);
        if self.ended.len() > NAMES_MAX {
            self.ended.pop_first();
        }
    }

    /// Something was lost on the way here.
    fn miss(&mut self, now: Instant) {
        if self.proposal.nodes.is_empty() {
            return;
        }
        self.actions.push_back(Action::Gap);
        self.propose_above(self.proposal.nodes.clone(), now);
    }

    fn propose_above(&mut self, nodes: BTreeSet<Epoch>, now: Instant) {
        self.propose(nodes, self.highest.saturating_add(1), now);
    }

    /// Another set: in the round in which somebody proposes it already, if there is none above.
    fn propose_anew(&mut self, nodes: BTreeSet<Epoch>, now: Instant) {
        let peers = self.peers.values().filter_map(|peer| peer.beat.as_ref());
        let beats = || peers.clone().chain(self.strangers.values()).filter(|beat| nodes.contains(&beat.from));
        let highest = beats().map(|beat| beat.round).max().unwrap_or(0).max(self.highest);
        let is_there = beats().any(|beat| beat.nodes == nodes && beat.round == highest);
        self.highest = highest;
        if is_there && highest > self.proposal.round {
            self.propose(nodes, highest, now);
        } else {
            self.propose_above(nodes, now);
        }
    }

    fn propose(&mut self, nodes: BTreeSet<Epoch>, round: u64, now: Instant) {
        let mut before = std::mem::take(&mut self.peers);
        for epoch in nodes.iter().copied().filter(|epoch| *epoch != self.me) {
            let beat = self.strangers.remove(&epoch);
            let patience = if beat.is_some() { SILENT_MAX } else { UNHEARD_MAX };
            let peer = before.remove(&epoch);
            let mut peer = peer.unwrap_or(Peer { heard: now, patience, beat, received: 0, kept: Vec::new() });
            (peer.received, peer.kept) = (0, Vec::new());
            self.peers.insert(epoch, peer);
        }
        self.fencing.retain(|epoch| !before.contains_key(epoch));
        self.highest = self.highest.max(round);
        (self.kept_bytes, self.echoed, self.consents) = (0, None, false);
        self.proposal = View { round, nodes };
        self.actions.push_back(Action::Leave(self.proposal.clone()));
        self.actions.push_back(Action::Beat);
    }

    /// Whether everybody, this node included, was last heard to propose what it proposes.
    fn is_agreed(&self) -> bool {
        let agrees = |peer: &Peer| {
            peer.beat.as_ref().is_some_and(|beat| {
                beat.consents && beat.round == self.proposal.round && beat.nodes == self.proposal.nodes
            })
        };
        self.echoed.is_some() && self.consents && self.peers.values().all(agrees)
    }

    /// Installs what all have agreed on, and passes on what they announce under it.
    fn settle(&mut self) {
        if !self.is_agreed() {
            return;
        }
        if !self.stands() {
            let view = Arc::new(self.proposal.clone());
            self.installed = Some(Arc::clone(&view));
            self.actions.push_back(Action::Install(view));
            for (epoch, peer) in &mut self.peers {
                let kept = std::mem::take(&mut peer.kept);
                if !kept.is_empty() {
                    self.actions.push_back(Action::Deliver(*epoch, kept));
                }
            }
        }
        let announced = self.peers.values().filter_map(|peer| peer.beat.as_ref()).map(|beat| beat.watermark);
        let alone = || self.echoed.map(|echoed| echoed.saturating_add(LEASE_US));
        if let Some(lowest) = announced.min().or_else(alone) {
            self.actions.push_back(Action::Announced(lowest));
        }
    }
}

/// Keeps a beat of somebody unknown, among not too many.
fn remember(strangers: &mut BTreeMap<Epoch, Beat>, from: Epoch, beat: Beat) {
    strangers.insert(from, beat);
    if strangers.len() > NAMES_MAX {
        strangers.pop_first();
    }
}
