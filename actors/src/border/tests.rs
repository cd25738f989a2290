//! What crosses comes out as it went in, and what was lent comes back. Not here: nodes that really speak (`gateway/tests`).

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, ConversationId, RequestId};
use rill_proto::refusal::Refusal;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::crossing::at;
use super::order::Order;
use super::parcel::Parcel;
use super::{Border, Carrier, Gate, Letter, Place};
use crate::account::login::AskOwnContact;
use crate::border::reply::Caller;
use crate::conversation::{Part, Peek, Token};
use crate::hub::Item;
use crate::link::View;
use crate::piece::Piece;
use crate::presence::{Lane, LaneName};
use crate::session::Submit;
use crate::store::{Aggregate, Epoch, Stamp};
use crate::watermark::Watermark;

const ANN: AccountId = AccountId(Uuid::from_u128(1));

/// The border of a node of which nothing else is there.
fn border(me: Epoch) -> Arc<Border> {
    Border::of(Weak::new(), me)
}

fn cross(letter: &Letter, from: &Arc<Border>, to: &Arc<Border>) -> Letter {
    let written = at(from, to.me(), || postcard::to_stdvec(letter).unwrap());
    at(to, from.me(), || postcard::from_bytes(&written).unwrap())
}

fn lane(border: &Border, key: u64) -> Lane {
    let lane = Lane::new(0, key, ANN, Uuid::from_u128(7));
    border.opened(&lane);
    lane
}

fn submit(lane: &Lane, frame: u64) -> Submit {
    let params = serde_json::value::to_raw_value(&serde_json::json!({
        "conversation_id": Uuid::from_u128(9), "message": "hello"
    }));
    let event = ClientEvent::decode("urn:fleep:client:message:add_plain", &params.unwrap()).unwrap();
    Submit { lane: lane.clone(), frame, index: 0, request_id: RequestId(Uuid::from_u128(5)), event }
}

/// Counts the letters.
#[derive(Default)]
struct Sent(AtomicUsize);

impl Carrier for Sent {
    fn send(&self, _: Epoch, _: Bytes) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn send_all(&self, _: Bytes) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn horizon(&self) -> Stamp {
        0
    }

    fn renew(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Says when it is dropped.
#[derive(Debug)]
struct Watched(Option<oneshot::Sender<()>>);

impl Part for Watched {}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.take().map(|dropped| dropped.send(()));
    }
}

fn peek(lane: &Lane) -> (Letter, oneshot::Receiver<()>) {
    let (dropped, is_dropped) = oneshot::channel();
    let token: Token = Arc::new(Watched(Some(dropped)));
    let mode = rill_proto::classificator::InitMode::Full;
    let peek = Peek { lane: lane.clone(), frame: 1, mode, token };
    (Letter::Order(Aggregate::Account(ANN), peek.into()), is_dropped)
}

#[test]
fn a_lane_is_a_stand_in_elsewhere_and_itself_at_home() {
    let (one, two) = (border(1), border(2));
    let lane = lane(&one, 4);
    let _ = lane.begin_sync();
    let Letter::Syncing(there) = cross(&Letter::Syncing(lane.clone()), &one, &two) else { unreachable!() };
    assert_eq!(there.name(), LaneName { home: Some(1), worker: 0, key: 4 });
    assert_eq!((there.account_id(), there.sync()), (ANN, 1));
    let Letter::Syncing(again) = cross(&Letter::Syncing(lane.clone()), &one, &two) else { unreachable!() };
    assert_eq!(there, again, "one lane has one stand-in");
    let Letter::Syncing(back) = cross(&Letter::Syncing(there), &two, &one) else { unreachable!() };
    assert_eq!(back, lane);
}

#[test]
fn a_lane_that_is_gone_is_dead_when_it_comes_back() {
    let (one, two) = (border(1), border(2));
    let lane = lane(&one, 4);
    let there = cross(&Letter::Syncing(lane.clone()), &one, &two);
    one.own.remove(&lane.name());
    let Letter::Syncing(back) = cross(&there, &two, &one) else { unreachable!() };
    assert!(!back.is_alive());
}

#[test]
fn a_token_stays_until_the_other_node_says_that_it_has_dropped_it() {
    let (one, two) = (border(1), border(2));
    let (letter, mut is_dropped) = peek(&lane(&one, 4));
    let there = cross(&letter, &one, &two);
    drop(letter);
    assert!(is_dropped.try_recv().is_err(), "the other node holds it");
    assert_eq!(super::lock(&one.tokens).with.len(), 1);
    drop(there);
    let number = *super::lock(&one.tokens).with.keys().next().unwrap();
    assert!(super::lock(&one.tokens).take(number, 3).is_none(), "node 3 was not lent it");
    drop(super::lock(&one.tokens).take(number, 2));
    assert!(is_dropped.try_recv().is_ok());
}

#[test]
fn a_part_that_is_lost_is_not_given_back_as_if_it_were_done() {
    let (one, two) = (border(1), border(2));
    let sent = Arc::new(Sent::default());
    two.open(Arc::clone(&sent) as _);
    for (is_lost, given_back) in [(true, 0), (false, 1)] {
        let (letter, _is_dropped) = peek(&lane(&one, 4));
        let Letter::Order(_, Order::Peek(peek)) = cross(&letter, &one, &two) else { unreachable!() };
        if is_lost {
            Order::Peek(peek).lose();
        } else {
            drop(peek);
        }
        assert_eq!(sent.0.load(Ordering::Relaxed), given_back, "lost: {is_lost}");
    }
}

#[test]
fn an_order_crosses_as_it_is_and_its_outcome_comes_back() {
    let (one, two) = (border(1), border(2));
    let (reply, mut outcome) = Caller::channel();
    let letter = Letter::Order(Aggregate::Account(ANN), AskOwnContact { reply }.into());
    let Letter::Order(aggregate, Order::Own(AskOwnContact { .. })) = cross(&letter, &one, &two) else {
        unreachable!()
    };
    assert_eq!(aggregate, Aggregate::Account(ANN));
    let refused = Err::<(), _>(Refusal::not_found("Account"));
    let written = serde_json::to_vec(&refused).unwrap();
    let (number, (_, waiting)) = super::lock(&one.replies).with.drain().next().unwrap();
    assert_eq!(number, 1);
    waiting(&written);
    assert_eq!(outcome.try_recv().unwrap().unwrap_err(), Refusal::not_found("Account"));
}

#[test]
fn an_event_crosses_as_it_is() {
    let (one, two) = (border(1), border(2));
    let sent = submit(&lane(&one, 4), 3);
    let letter = Letter::Order(Aggregate::Account(ANN), sent.clone().into());
    let Letter::Order(_, Order::Submit(came)) = cross(&letter, &one, &two) else { unreachable!() };
    assert_eq!((came.frame, came.index, came.request_id), (3, 0, sent.request_id));
    assert_eq!(came.event, sent.event);
}

#[test]
fn what_belongs_to_an_earlier_sync_is_dropped_at_home_and_answers_are_not() {
    let (one, two) = (border(1), border(2));
    let lane = lane(&one, 4);
    let there = cross(&Letter::Syncing(lane.clone()), &one, &two);
    let Letter::Syncing(stand_in) = there else { unreachable!() };
    let records = vec![Piece::Shared(Bytes::from("{}"))];
    let news = || Letter::Parcel(Parcel::pack(Item::Pieces(stand_in.clone(), records.clone())));
    let arrive = |letter: &Letter| {
        let Letter::Parcel(parcel) = cross(letter, &two, &one) else { unreachable!() };
        parcel.unpack(&one.own).len()
    };
    assert_eq!(arrive(&news()), 1);
    let _ = lane.begin_sync();
    assert_eq!(arrive(&news()), 0, "the sync that has begun tells it");
    let (request, pieces) = (Bytes::from("{}"), records.clone());
    let answer = Item::Answer { lane: stand_in.clone(), frame: 1, index: 0, told: 0, request, pieces };
    assert_eq!(arrive(&Letter::Parcel(Parcel::pack(answer))), 1);
}

#[test]
fn events_are_kept_in_their_order_until_each_is_answered_once() {
    let one = border(1);
    let lane = lane(&one, 4);
    for frame in [1, 2, 3, 2] {
        one.keep(&submit(&lane, frame));
    }
    assert!(one.pending.answered(&lane, 2, 0));
    assert!(!one.pending.answered(&lane, 2, 0), "it has been answered");
    let frames = |number| one.pending.after(number).into_iter().map(|(_, it)| it.frame).collect::<Vec<_>>();
    assert_eq!(frames(0), [1, 3]);
    assert_eq!(frames(1), [3]);
    lane.bury();
    assert_eq!(frames(0), [] as [u64; 0], "nobody waits any more");
}

#[test]
fn while_nobody_knows_what_was_appended_nothing_is_done_and_nobody_is_told_more() {
    let one = border(1);
    let sent = Arc::new(Sent::default());
    one.open(Arc::clone(&sent) as _);
    one.change(|gate| gate.view = Some(Arc::new(View { round: 1, nodes: [1].into() })));
    let here = || matches!(one.place(Aggregate::Account(ANN)), Place::Here);
    assert!(here());
    let watermark = Watermark::new(100);
    one.doubt(vec![watermark.issue(200)]);
    assert!(!here(), "an answer would tell of what came after it");
    assert_eq!(sent.0.load(Ordering::Relaxed), 1, "the nodes are asked to agree anew");
    watermark.tick(300);
    assert!(watermark.current() < 200);
    drop(std::mem::take(&mut *super::lock(&one.doubtful)));
    assert!(watermark.current() >= 300, "everybody catches up from below it");
}

#[test]
fn nothing_is_done_for_whom_the_next_view_gives_to_another_node() {
    let view =
        |nodes: &[Epoch]| Arc::new(View { round: 1, nodes: nodes.iter().copied().collect::<BTreeSet<_>>() });
    let of =
        |gate: &Gate, number| gate.place(1, Aggregate::Conversation(ConversationId(Uuid::from_u128(number))));
    let mut gate = Gate::default();
    assert!((0..50).all(|number| matches!(of(&gate, number), Place::Between)), "it has not joined");
    gate.view = Some(view(&[1]));
    assert!((0..50).all(|number| matches!(of(&gate, number), Place::Here)));
    gate.next = Some(view(&[1, 2]));
    let stays = (0..50).filter(|number| matches!(of(&gate, *number), Place::Here)).count();
    assert!((10..40).contains(&stays), "about half of them stay: {stays}");
    gate = Gate { view: gate.next.take(), ..gate };
    let here = (0..50).filter(|number| matches!(of(&gate, *number), Place::Here)).count();
    assert_eq!(here, stays);
    gate.is_closed = true;
    assert!((0..50).all(|number| matches!(of(&gate, number), Place::Between)));
}

/// What is let in of an answer, which names the sync in which its owner has told everything.
fn let_in(border: &Border, lane: &Lane, told: u32) -> Option<Item> {
    let (lane, request) = (lane.clone(), Bytes::from("{}"));
    let pieces = vec![Piece::Shared(Bytes::from("{}"))];
    border.let_in(Item::Answer { lane, frame: 1, index: 0, told, request, pieces })
}

#[test]
fn of_an_event_that_was_sent_twice_the_first_answer_counts() {
    let one = border(1);
    let lane = lane(&one, 4);
    one.keep(&submit(&lane, 1));
    assert!(matches!(let_in(&one, &lane, 0), Some(Item::Answer { .. })));
    assert!(let_in(&one, &lane, 0).is_none());
    assert!(
        matches!(let_in(&one, &lane, 3), Some(Item::Pieces(..))),
        "the first may have been a fault, and nobody else tells the session what it has changed itself"
    );
}

#[test]
fn who_has_to_catch_up_hears_answers_only_of_owners_who_have_told_him_everything() {
    let one = border(1);
    let lane = lane(&one, 4);
    one.keep(&submit(&lane, 1));
    lane.fall_behind();
    assert!(let_in(&one, &lane, 0).is_none(), "it would tell of what came after something that was missed");
    assert!(one.let_in(Item::Part(lane.clone(), 1, Vec::new())).is_none());
    assert_eq!(one.pending.of(&lane).len(), 1, "the event is sent again");
    assert!(matches!(let_in(&one, &lane, 2), Some(Item::Answer { .. })));
    lane.catch_up(lane.sync());
    one.keep(&submit(&lane, 1));
    assert!(one.let_in(Item::Part(lane.clone(), 1, Vec::new())).is_some());
    assert!(matches!(let_in(&one, &lane, 0), Some(Item::Answer { .. })));
}
