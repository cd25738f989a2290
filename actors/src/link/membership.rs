//! Which nodes there are, who of them owns what, and how far everybody may be told to be. Pure: the clock, what was heard
//! and what the store said are given.
//!
//! A node is named by the epoch that the store gave to its opening: no two openings share one, and a later one is higher.
//! A node's *view* is the set of epochs that it takes for alive. Every beat carries its sender's view, so that all can see
//! whether they agree.
//!
//! Why no session misses anything when views differ for a while:
//!
//! 1. A watermark counts only when it was announced under the view that the receiver has itself. Whatever another node
//!    appends under a later view has a higher stamp than the watermark that it announced last under the earlier one. So
//!    the horizon stands still below everything that was decided under a view that one does not know yet.
//! 2. Nobody leaves a view before the store has ended his epoch. From then on no append of his takes effect, so the
//!    horizon may pass him.
//! 3. Whenever a view has become everybody's, each live session catches up from the horizon that it was told.
//!
//! Why nobody is put out wrongly by somebody who cannot hear: a node judges others only while it hears its own beats come
//! back. One that is cut off, and all of them when the link is down, leave the view as it is.
//!
//! Not here: how beats travel (`link`), and that appends of an ended epoch are refused (the store).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::{Aggregate, Epoch, Stamp};

/// How often a node says that it lives. Also how old a watermark gets at most: what a client that comes back is told
/// again grows with it.
pub const BEAT_EVERY: Duration = Duration::from_millis(250);

/// Who has not been heard for so long is put out. Eight beats: a pause of a loaded machine is shorter, and together with
/// the loading of what is taken over it leaves room below the five seconds that a takeover may last.
pub const SILENT_MAX: Duration = Duration::from_secs(2);

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Beat {
    /// Whom it takes for alive, itself included.
    pub view: BTreeSet<Epoch>,
    /// Everything with a stamp up to this has been sent to whoever is to hear of it.
    pub watermark: Stamp,
}

/// What is known of another node.
#[derive(Clone, Debug)]
struct Peer {
    heard: Instant,
    beat: Option<Beat>,
}

/// The nodes as one of them sees them.
#[derive(Clone, Debug)]
pub struct Membership {
    me: Epoch,
    peers: BTreeMap<Epoch, Peer>,
    /// When it last heard itself.
    echo: Option<Instant>,
    /// The lowest that the horizon may be: it never goes back.
    told: Stamp,
}

impl Membership {
    /// A node that has just opened the store: all whose epochs have not ended may be alive, until they are silent.
    #[must_use]
    pub fn new(me: Epoch, open: impl IntoIterator<Item = Epoch>, now: Instant) -> Self {
        let others = open.into_iter().filter(|epoch| *epoch != me);
        let peers = others.map(|epoch| (epoch, Peer { heard: now, beat: None })).collect();
        Self { me, peers, echo: None, told: 0 }
    }

    /// This node.
    #[must_use]
    pub fn me(&self) -> Epoch {
        self.me
    }

    /// Whom it takes for alive.
    #[must_use]
    pub fn view(&self) -> BTreeSet<Epoch> {
        self.peers.keys().copied().chain([self.me]).collect()
    }

    /// A beat came in. Answers whether the view has grown.
    ///
    /// A newcomer is taken in whatever he says: he has looked into the store before he beats. One whose epoch has ended
    /// can say what he likes; he is taken in, is found silent, and is put out again, and changes nothing meanwhile.
    pub fn heard(&mut self, from: Epoch, beat: Beat, now: Instant) -> bool {
        if from == self.me {
            self.echo = Some(now);
            return false;
        }
        let is_new = !self.peers.contains_key(&from);
        self.peers.insert(from, Peer { heard: now, beat: Some(beat) });
        is_new
    }

    /// Those who have been silent for too long: their epochs are to be ended in the store, and then they are
    /// [put out](Membership::put_out). Nobody, while this node does not hear itself.
    #[must_use]
    pub fn silent(&self, now: Instant) -> Vec<Epoch> {
        let hears = self.echo.is_some_and(|echo| now.duration_since(echo) < SILENT_MAX / 2);
        let silent = |peer: &Peer| now.duration_since(peer.heard) >= SILENT_MAX;
        let silent = self.peers.iter().filter(|(_, peer)| hears && silent(peer));
        silent.map(|(epoch, _)| *epoch).collect()
    }

    /// The store has ended an epoch: its node is no more.
    pub fn put_out(&mut self, epoch: Epoch) {
        self.peers.remove(&epoch);
    }

    /// Whether everybody in the view has said that it is his view too.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        let view = self.view();
        self.peers.values().all(|peer| peer.beat.as_ref().is_some_and(|beat| beat.view == view))
    }

    /// How far every session may be told to be, given this node's own watermark: the lowest that anybody in an agreed view
    /// has announced. It stands still while views differ, and never goes back.
    pub fn horizon(&mut self, own: Stamp) -> Stamp {
        if self.is_agreed() {
            let announced = self.peers.values().filter_map(|peer| peer.beat.as_ref());
            let lowest = announced.map(|beat| beat.watermark).min().map_or(own, |lowest| lowest.min(own));
            self.told = self.told.max(lowest);
        }
        self.told
    }

    /// Who owns an aggregate under this view: the node with the highest draw (rendezvous hashing), so that a node that
    /// comes or goes moves only what is, or was, its own.
    #[must_use]
    pub fn owner(&self, aggregate: Aggregate) -> Epoch {
        owner_among(self.peers.keys().copied().chain([self.me]), aggregate).unwrap_or(self.me)
    }
}

fn owner_among(nodes: impl Iterator<Item = Epoch>, aggregate: Aggregate) -> Option<Epoch> {
    nodes.max_by_key(|epoch| (draw(*epoch, aggregate), *epoch))
}

/// The same on every machine and in every version: nodes must not disagree on it.
fn draw(node: Epoch, aggregate: Aggregate) -> [u8; 32] {
    let (kind, id) = match aggregate {
        Aggregate::Conversation(id) => (b'c', id.0),
        Aggregate::Account(id) => (b'a', id.0),
        Aggregate::Team(id) => (b't', id.0),
        Aggregate::Organisation(id) => (b'o', id.0),
    };
    let hash =
        Sha256::new().chain_update(node.to_be_bytes()).chain_update([kind]).chain_update(id.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use rill_proto::id::ConversationId;
    use uuid::Uuid;

    use super::*;

    fn beat(view: &[Epoch], watermark: Stamp) -> Beat {
        Beat { view: view.iter().copied().collect(), watermark }
    }

    /// Node 1 of the nodes 1, 2 and 3, which agree; and the moment.
    fn three() -> (Membership, Instant) {
        let now = Instant::now();
        let mut one = Membership::new(1, [1, 2, 3], now);
        for from in [1, 2, 3] {
            one.heard(from, beat(&[1, 2, 3], 100), now);
        }
        (one, now)
    }

    fn aggregate(number: u128) -> Aggregate {
        Aggregate::Conversation(ConversationId(Uuid::from_u128(number)))
    }

    #[test]
    fn whoever_is_open_in_the_store_is_alive_until_he_is_silent() {
        let now = Instant::now();
        let mut one = Membership::new(1, [1, 2], now);
        assert_eq!(one.view(), [1, 2].into());
        assert!(!one.is_agreed(), "nobody has said so yet");
        one.heard(1, beat(&[1, 2], 0), now + SILENT_MAX);
        assert_eq!(one.silent(now + SILENT_MAX), [2]);
        one.put_out(2);
        assert!(one.is_agreed(), "a view of one needs nobody else");
    }

    #[test]
    fn who_does_not_hear_himself_judges_nobody() {
        let (one, now) = three();
        assert_eq!(one.silent(now + SILENT_MAX), [] as [Epoch; 0], "the link may be down");
        let (mut one, now) = three();
        one.heard(1, beat(&[1, 2, 3], 100), now + SILENT_MAX);
        assert_eq!(one.silent(now + SILENT_MAX), [2, 3]);
    }

    #[test]
    fn the_horizon_is_the_lowest_watermark_of_an_agreed_view() {
        let (mut one, now) = three();
        one.heard(2, beat(&[1, 2, 3], 150), now);
        assert_eq!(one.horizon(200), 100, "node 3 has announced no more");
        one.heard(3, beat(&[1, 2, 3], 300), now);
        assert_eq!(one.horizon(200), 150);
        assert_eq!(one.horizon(120), 150, "it never goes back");
    }

    #[test]
    fn the_horizon_stands_while_views_differ() {
        let (mut one, now) = three();
        assert_eq!(one.horizon(100), 100);
        one.heard(2, beat(&[1, 2], 900), now);
        one.heard(3, beat(&[1, 2, 3], 900), now);
        assert_eq!(one.horizon(900), 100, "node 2 has put out node 3 and may have taken over what it owned");
        one.put_out(3);
        assert_eq!(one.horizon(900), 900);
    }

    #[test]
    fn a_newcomer_holds_the_horizon_until_he_agrees() {
        let (mut one, now) = three();
        assert_eq!(one.horizon(100), 100);
        assert!(one.heard(4, beat(&[1, 2, 3, 4], 500), now), "the view has grown");
        for from in [2, 3] {
            one.heard(from, beat(&[1, 2, 3], 500), now);
        }
        assert_eq!(one.horizon(500), 100);
        for from in [2, 3] {
            one.heard(from, beat(&[1, 2, 3, 4], 600), now);
        }
        assert_eq!(one.horizon(700), 500);
    }

    #[test]
    fn everybody_draws_the_same_owner_and_a_leaving_node_moves_only_its_own() {
        let now = Instant::now();
        let nodes = [1, 2, 3].map(|me| Membership::new(me, [1, 2, 3], now));
        let mut counts = BTreeMap::<Epoch, usize>::new();
        let mut without = nodes[0].clone();
        without.put_out(3);
        for number in 0..3_000 {
            let owners = nodes.each_ref().map(|node| node.owner(aggregate(number)));
            assert!(owners.iter().all(|owner| *owner == owners[0]));
            *counts.entry(owners[0]).or_default() += 1;
            if owners[0] != 3 {
                assert_eq!(without.owner(aggregate(number)), owners[0]);
            }
        }
        assert!(counts.values().all(|count| (800..1_200).contains(count)), "a third each: {counts:?}");
    }
}
