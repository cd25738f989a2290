//! The rules of the membership, one by one: node 1 as it sees nodes 2 and 3.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::link::membership::{Action, BEAT_EVERY, Beat, Frame, Membership, SILENT_MAX, UNHEARD_MAX};
use crate::link::view::View;
use crate::store::{Epoch, Stamp};

/// Node 1, its clock, and what it was told to do since it was last looked at.
struct One {
    node: Membership,
    now: Instant,
}

impl One {
    /// A node that has asked the store, and was answered that these are open.
    fn of(open: &[Epoch]) -> Self {
        let mut one = Self { node: Membership::new(1), now: Instant::now() };
        one.node.tick(one.now);
        assert_eq!(one.did(), [Action::Ask]);
        one.answer(open);
        one
    }

    /// A node with a view of these.
    fn with_view(nodes: &[Epoch]) -> Self {
        let mut one = Self::of(nodes);
        one.all_beat(nodes, 100);
        assert!(one.did().iter().any(|action| matches!(action, Action::Install(_))));
        one
    }

    fn did(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.node.next_action()).collect()
    }

    fn answer(&mut self, open: &[Epoch]) {
        self.node.store_answered(open.to_vec(), 0, self.now);
    }

    fn round(&self) -> u64 {
        self.node.proposal(self.now).map_or(0, |proposal| proposal.round)
    }

    fn nodes(&self) -> BTreeSet<Epoch> {
        self.node.proposal(self.now).map_or_else(BTreeSet::new, |proposal| proposal.nodes.clone())
    }

    fn beat(&mut self, from: Epoch, nodes: &[Epoch], round: u64, watermark: Stamp) {
        self.beat_with(from, nodes, round, watermark, 0);
    }

    /// A beat of somebody who has sent so many frames to node 1.
    fn beat_with(&mut self, from: Epoch, nodes: &[Epoch], round: u64, watermark: Stamp, sent: u64) {
        let (nodes, sent) = (nodes.iter().copied().collect(), [(1, sent)].into());
        let beat = Beat { from, nodes, round, consents: true, has_view: true, watermark, sent };
        self.node.beat_heard(beat, self.now);
    }

    /// All of them say what node 1 proposes, and consent to it.
    fn all_beat(&mut self, nodes: &[Epoch], watermark: Stamp) {
        self.node.prepared(self.round());
        nodes.iter().for_each(|from| self.beat(*from, nodes, self.round(), watermark));
    }

    fn frame(&mut self, from: Epoch, round: u64, number: u64) {
        self.node.frame_heard(Frame { from, round, number, letters: vec![Bytes::from("x")] }, self.now);
    }

    /// So much time passes, in which only these beat, and the store says that these are open.
    fn pass(&mut self, time: Duration, beating: &[Epoch], open: &[Epoch]) -> Vec<Action> {
        let mut did = Vec::new();
        let (end, nodes): (_, Vec<Epoch>) = (self.now + time, self.nodes().into_iter().collect());
        while self.now < end {
            self.now += BEAT_EVERY;
            beating.iter().for_each(|from| self.beat(*from, &nodes, self.round(), 100));
            self.node.tick(self.now);
            for action in self.did() {
                if action == Action::Ask {
                    self.answer(open);
                }
                did.push(action);
            }
        }
        did
    }
}

fn fenced(did: &[Action]) -> Vec<Epoch> {
    did.iter()
        .filter_map(|action| if let Action::Fence(epoch) = action { Some(*epoch) } else { None })
        .collect()
}

fn is_left(did: &[Action]) -> bool {
    did.iter().any(|action| matches!(action, Action::Leave(_)))
}

fn announced(did: &[Action]) -> Option<Stamp> {
    did.iter()
        .rev()
        .find_map(|action| if let Action::Announced(stamp) = action { Some(*stamp) } else { None })
}

#[test]
fn a_view_is_installed_when_all_have_consented_and_this_node_has_heard_itself() {
    let mut one = One::of(&[1, 2, 3]);
    let round = one.round();
    assert!(matches!(&one.did()[..], [Action::Leave(view), Action::Beat] if view.nodes == [1, 2, 3].into()));
    assert!(!one.node.consents(), "what it gives to others is still under way");
    one.node.prepared(round - 1);
    assert!(one.did().is_empty(), "that was for another round");
    one.node.prepared(round);
    assert_eq!(one.did(), [Action::Beat]);
    assert!(one.node.consents());
    one.beat(2, &[1, 2, 3], round, 100);
    one.beat(3, &[1, 2, 3], round, 100);
    assert!(one.did().is_empty(), "what it says may not come through");
    one.beat(1, &[1, 2, 3], round, 100);
    let view = View { round, nodes: [1, 2, 3].into() };
    assert!(matches!(&one.did()[..], [Action::Install(all), Action::Announced(100)] if **all == view));
    assert!(one.node.stands() && one.node.is_settled(one.now));
}

#[test]
fn who_does_not_come_to_rest_keeps_nobody_from_a_view() {
    let mut one = One::of(&[1, 2]);
    let round = one.round();
    one.did();
    one.node.stuck(round - 1);
    assert!(one.did().is_empty(), "that was for another round");
    one.node.stuck(round);
    assert_eq!(one.did(), [Action::Stop]);
    assert!(one.node.proposal(one.now).is_none(), "it is silent, so that the others put it out");

    let mut other = One::of(&[1, 2]);
    let round = other.round();
    other.node.prepared(round);
    other.did();
    other.node.stuck(round);
    assert!(other.did().is_empty(), "it had come to rest");
}

#[test]
fn a_higher_round_of_the_same_nodes_is_taken_over_and_another_set_is_looked_up() {
    let mut one = One::with_view(&[1, 2]);
    let round = one.round();
    one.beat(2, &[1, 2], round + 5, 100);
    assert!(is_left(&one.did()));
    assert_eq!(one.round(), round + 5);
    one.beat(2, &[1, 2], round, 100);
    assert_eq!(one.round(), round + 5, "nobody goes back");
    one.now += BEAT_EVERY;
    one.beat(2, &[1, 2, 4], round + 6, 100);
    assert_eq!(one.did(), [Action::Ask]);
    one.answer(&[1, 2, 4]);
    assert_eq!((one.round(), one.nodes()), (round + 6, [1, 2, 4].into()), "there is such a round already");
}

#[test]
fn who_changes_his_set_takes_a_round_above_all_that_he_has_heard() {
    let mut one = One::with_view(&[1, 2, 3]);
    let round = one.round();
    one.beat(2, &[1, 2, 3], round + 7, 100);
    one.now += SILENT_MAX;
    one.node.tick(one.now);
    one.answer(&[1, 2]);
    assert_eq!((one.round(), one.nodes()), (round + 8, [1, 2].into()));
}

#[test]
fn an_open_epoch_is_no_member_before_it_is_heard_of_once_a_view_stands() {
    let mut one = One::with_view(&[1, 2]);
    let did = one.pass(Duration::from_secs(6), &[1, 2], &[1, 2, 9]);
    assert!(!is_left(&did) && fenced(&did).is_empty(), "9 may have no link: {did:?}");
    one.now += BEAT_EVERY;
    one.beat(9, &[1, 2, 9], one.round() + 1, 100);
    assert_eq!(one.did(), [Action::Ask]);
    one.answer(&[1, 2, 9]);
    assert_eq!(one.nodes(), [1, 2, 9].into());
}

#[test]
fn a_stranger_whose_epoch_has_ended_is_asked_about_once() {
    let mut one = One::with_view(&[1, 2]);
    one.now += BEAT_EVERY;
    one.beat(9, &[1, 2, 9], one.round() + 9, 100);
    assert_eq!(one.did(), [Action::Ask]);
    one.answer(&[1, 2]);
    let round = one.round();
    one.now += BEAT_EVERY;
    one.beat(9, &[1, 2, 9], round + 9, 100);
    assert!(one.did().is_empty());
    assert_eq!(one.round(), round);
}

#[test]
fn the_silent_are_put_out_by_whoever_hears_himself_and_after_the_store_has_said_so() {
    let mut one = One::with_view(&[1, 2, 3]);
    let did = one.pass(SILENT_MAX - BEAT_EVERY, &[1, 2], &[1, 2, 3]);
    assert!(fenced(&did).is_empty());
    let did = one.pass(BEAT_EVERY, &[1, 2], &[1, 2, 3]);
    assert_eq!(fenced(&did), [3]);
    assert_eq!(one.nodes(), [1, 2, 3].into(), "it has not ended yet");
    one.node.ended(3, one.now);
    assert_eq!(one.did(), [Action::Ask]);
    one.answer(&[1, 2]);
    assert_eq!(one.nodes(), [1, 2].into());
}

#[test]
fn who_does_not_hear_himself_judges_nobody_and_begins_to_wait_when_he_does() {
    let mut one = One::with_view(&[1, 2, 3]);
    assert!(fenced(&one.pass(SILENT_MAX * 5, &[], &[1, 2, 3])).is_empty(), "the link may be down");
    let did = one.pass(UNHEARD_MAX - BEAT_EVERY, &[1, 2], &[1, 2, 3]);
    assert!(
        fenced(&did).is_empty(),
        "what he missed is not their silence, and they come back at their own pace"
    );
    assert_eq!(fenced(&one.pass(BEAT_EVERY * 2, &[1, 2], &[1, 2, 3])), [3]);
}

#[test]
fn one_that_was_never_heard_is_waited_for_longer() {
    let mut one = One::of(&[1, 2]);
    assert!(fenced(&one.pass(UNHEARD_MAX - BEAT_EVERY, &[1], &[1, 2])).is_empty());
    assert_eq!(fenced(&one.pass(BEAT_EVERY * 2, &[1], &[1, 2])), [2]);
}

#[test]
fn a_node_whose_epoch_has_ended_stops_once_and_a_node_without_its_store_is_silent() {
    let mut one = One::with_view(&[1, 2]);
    assert!(one.node.proposal(one.now + SILENT_MAX).is_none(), "the store has not answered for so long");
    one.now += SILENT_MAX;
    one.node.tick(one.now);
    assert_eq!(one.did(), [Action::Ask]);
    one.node.store_failed();
    one.now += BEAT_EVERY;
    one.node.tick(one.now);
    assert_eq!(one.did(), [Action::Ask], "it is asked again");
    one.answer(&[2]);
    assert_eq!(one.did(), [Action::Stop]);
    one.beat(2, &[2], one.round() + 9, 100);
    one.node.tick(one.now + SILENT_MAX);
    one.answer(&[2]);
    assert!(one.did().is_empty() && !one.node.stands());
}

#[test]
fn a_frame_that_is_missing_makes_a_new_round_whoever_tells() {
    let tells: [fn(&mut One, u64); 3] = [
        |one, round| one.frame(2, round, 3),
        |one, round| one.beat_with(2, &[1, 2], round, 900, 2),
        |one, _| one.node.noise_heard(one.now),
    ];
    for tell in tells {
        let mut one = One::with_view(&[1, 2]);
        let round = one.round();
        one.frame(2, round, 1);
        assert_eq!(one.did(), [Action::Deliver(2, vec![Bytes::from("x")])]);
        one.beat_with(2, &[1, 2], round, 200, 1);
        assert_eq!(one.did(), [Action::Announced(200)], "nothing is missing");
        tell(&mut one, round);
        let did = one.did();
        assert!(did[0] == Action::Gap && is_left(&did) && announced(&did).is_none(), "{did:?}");
        assert_eq!(one.round(), round + 1);
        one.frame(2, round, 2);
        assert!(one.did().is_empty(), "the old round is lost");
    }
}

#[test]
fn frames_of_a_round_that_others_have_installed_already_wait_for_it() {
    let mut one = One::of(&[1, 2]);
    let round = one.round();
    one.node.prepared(round);
    one.did();
    one.beat(2, &[1, 2], round, 100);
    one.frame(2, round, 1);
    one.frame(2, round, 2);
    one.beat_with(2, &[1, 2], round, 300, 2);
    assert!(one.did().is_empty());
    one.beat(1, &[1, 2], round, 100);
    let letters = ["x", "x"].map(Bytes::from);
    assert!(
        matches!(&one.did()[..], [Action::Install(_), Action::Deliver(2, got), Action::Announced(300)] if *got == letters)
    );
}

#[test]
fn the_horizon_is_the_lowest_watermark_and_stands_while_views_differ() {
    let mut one = One::with_view(&[1, 2, 3]);
    let round = one.round();
    one.beat(2, &[1, 2, 3], round, 300);
    assert_eq!(announced(&one.did()), Some(100), "node 3 has announced no more");
    one.beat(3, &[1, 2, 3], round, 200);
    assert_eq!(announced(&one.did()), Some(200));
    one.beat(2, &[1, 2], round + 1, 900);
    one.beat(3, &[1, 2, 3], round, 900);
    assert_eq!(announced(&one.did()), None, "node 2 is about to have another view");
}

#[test]
fn a_view_of_one_runs_ahead_of_its_beats_by_a_lease() {
    let mut one = One::with_view(&[1]);
    one.beat(1, &[1], one.round(), 5_000_000);
    assert_eq!(announced(&one.did()), Some(6_000_000));
    one.now += SILENT_MAX;
    one.node.tick(one.now);
    one.node.store_answered(vec![1], 7_000_000, one.now);
    assert_eq!(announced(&one.did()), Some(8_000_000), "the store says that nobody else is there");
    one.now += SILENT_MAX;
    one.node.tick(one.now);
    one.node.store_answered(vec![1, 2], 9_000_000, one.now);
    assert_eq!(announced(&one.did()), None, "somebody has come who may put this one out");
}

#[test]
fn a_reconnect_makes_a_new_round_unless_one_has_come_since() {
    let mut one = One::with_view(&[1, 2]);
    let round = one.round();
    one.node.reconnected();
    assert!(!one.node.is_settled(one.now));
    assert!(one.did().is_empty(), "nobody hears it yet");
    one.beat(1, &[1, 2], round, 100);
    assert_eq!(one.round(), round + 1);
    one.node.reconnected();
    one.beat(2, &[1, 2], round + 2, 100);
    one.beat(1, &[1, 2], round + 2, 100);
    assert_eq!(one.round(), round + 2, "what was lost was lost before it");
}

#[test]
fn whoever_asks_for_a_new_round_gets_one_and_not_two() {
    let mut one = One::with_view(&[1, 2]);
    let round = one.round();
    one.node.renew(one.now);
    one.node.renew(one.now);
    assert_eq!(one.round(), round + 1);
    one.node.spoil(one.now);
    assert_eq!(one.round(), round + 2, "what was to be sent under it was dropped");
}
