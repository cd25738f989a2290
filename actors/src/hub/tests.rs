//! A hub over a node, with one lane whose session says nothing by itself.

use std::cell::Cell;
use std::ops::Range;

use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, ConversationId, RequestId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::*;
use crate::account::profile::Profile;
use crate::blobs::Folder;
use crate::conversation::audience::Site;
use crate::conversation::fanout::{Stage, Subscribers};
use crate::conversation::rules::{Facts, decide};
use crate::conversation::soft::SoftState;
use crate::conversation::state::State;
use crate::file::fetch::{Busy, Done, Fetch, Order};
use crate::letter::Letter;
use crate::node::{Node, Settings};
use crate::outside::{Mail, Outcome, Outside, Passwords, Undelivered};
use crate::session::Submit;
use crate::store::embedded::Embedded;

/// Takes frames when it is told to.
#[derive(Clone, Default)]
struct Shelf {
    is_open: Rc<Cell<bool>>,
    frames: Rc<RefCell<Vec<String>>>,
}

impl Sink for Shelf {
    fn is_ready(&self) -> bool {
        self.is_open.get()
    }

    fn send(&mut self, bytes: &mut [u8], frames: &[Range<usize>]) {
        let texts = frames.iter().map(|frame| String::from_utf8(bytes[frame.clone()].to_vec()).unwrap());
        self.frames.borrow_mut().extend(texts);
    }

    fn answer(&mut self, _: u64, _: &[u8]) {}

    fn resume(&mut self) {}

    fn close(&mut self, _: CloseCode, _: &str) {}
}

/// Nobody logs in here.
struct NoPasswords;

impl Passwords for NoPasswords {
    fn hash(&self, _: String) -> Outcome<Result<String, Refusal>> {
        Box::pin(std::future::ready(Err(Refusal::unavailable())))
    }

    fn verify(&self, _: String, _: String) -> Outcome<Result<bool, Refusal>> {
        Box::pin(std::future::ready(Err(Refusal::unavailable())))
    }
}

/// Nor is anything fetched.
struct NoFiles;

impl Fetch for NoFiles {
    fn begin(&self, _: Order, _: Done) -> Result<(), Busy> {
        Err(Busy)
    }
}

/// Nor is anything mailed.
struct NoMail;

impl Mail for NoMail {
    fn deliver(&self, _: Letter) -> Outcome<Result<(), Undelivered>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A node with one lane, whose session says nothing by itself.
struct Place {
    node: Arc<Node>,
    hub: Rc<RefCell<Hub>>,
    lane: Lane,
    shelf: Shelf,
    session: Addr<Session>,
}

impl Place {
    fn open(folder: &std::path::Path, account_id: AccountId) -> Self {
        let store = Embedded::open(folder).unwrap();
        let blobs = Arc::new(Folder::open(folder).unwrap());
        let (fetch, passwords, mail) = (Arc::new(NoFiles), Arc::new(NoPasswords), Arc::new(NoMail));
        let outside = Outside { blobs, fetch, passwords, mail };
        let inboxes = Inboxes::new(1);
        let site = Site { public_url: String::new(), mail_host: String::new() };
        let arbiters = vec![actix::Arbiter::current()];
        let node = Node::new(store, Arc::clone(&inboxes), site, Settings::default(), outside, arbiters);
        let hub = Hub::start(0, &node);
        let login = Login { account_id, token: Uuid::nil(), ticket: Uuid::nil() };
        let shelf = Shelf::default();
        let sink = Box::new(shelf.clone());
        let (session, lane) = Session::on_socket(Arc::clone(&node), Rc::clone(&hub), &login, sink);
        let number = hub.borrow_mut().sync(&lane, 0);
        node.inboxes.put_on_worker(Item::Live(lane.clone(), number, node.watermark.current()));
        Self { node, hub, lane, shelf, session }
    }

    fn put(&self, item: Item) {
        self.node.inboxes.put_on_worker(item);
    }

    /// All frames that leave when the sink can take them.
    fn frames(&self) -> String {
        self.shelf.is_open.set(true);
        self.hub.borrow_mut().ready(&self.lane);
        self.shelf.is_open.set(false);
        std::mem::take(&mut *self.shelf.frames.borrow_mut()).concat()
    }
}

#[test]
fn no_frame_tells_a_horizon_that_passes_over_what_lies_in_the_inbox() {
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let place = Place::open(folder.path(), AccountId(Uuid::nil()));
        let piece = |text: &'static str| vec![Piece::Shared(Bytes::from(text))];
        place.put(Item::Pieces(place.lane.clone(), piece("\"first\"")));
        place.hub.borrow_mut().pass();

        let issued = place.node.issue();
        let stamp = issued.stamp();
        place.put(Item::Pieces(place.lane.clone(), piece("\"second\"")));
        drop(issued);
        let frames = place.frames();
        assert!(frames.contains(&stamp.to_string()), "the horizon has risen: {frames}");
        assert!(frames.contains("second"), "and nothing up to it is missing: {frames}");
    });
}

/// What the member is told when the other one, who has created their conversation, says so many things.
fn said(place: &Place, times: usize) -> Vec<Item> {
    const CREATOR: AccountId = AccountId(Uuid::from_u128(1));
    let id = ConversationId(Uuid::from_u128(0xc));
    let member = place.lane.account_id();
    let event = |urn: &str, params: serde_json::Value| {
        let params = serde_json::value::to_raw_value(&params).unwrap();
        ClientEvent::decode(&format!("urn:fleep:client:{urn}"), &params).unwrap()
    };
    let create = event("conv:create", serde_json::json!({"account_ids": [member]}));
    let post = || event("message:add_plain", serde_json::json!({"conversation_id": id, "message": "hm"}));
    let profiles = [CREATOR, member].map(|id| (id, Some(Profile::of_address("a@example.com"))));
    let mut facts = Facts { now: 1, stamp: 1, profiles: profiles.into(), ..Facts::default() };
    let (mut state, mut subscribers) = (State::new(id), Subscribers::default());
    subscribers.add(place.lane.clone(), place.lane.sync(), 1);
    let mut items = Vec::new();
    for event in std::iter::once(create).chain((0..times).map(|_| post())) {
        let decision = decide(&state, CREATOR, &event, &facts).unwrap();
        decision.changes.iter().for_each(|change| state.fold(change));
        let (soft, site) = (SoftState::default(), &place.node.site);
        let presence = &place.node.presence;
        let stage = Stage { state: &state, subscribers: &subscribers, presence, soft: &soft, site, now: 1 };
        let told = stage.items(CREATOR, None, &decision.news);
        items.extend(told.into_iter().filter(|_| facts.stamp > 1));
        facts.stamp += 1;
    }
    items
}

#[test]
fn a_lane_that_is_behind_skips_the_headers_that_a_later_one_makes_superfluous() {
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let place = Place::open(folder.path(), AccountId(Uuid::from_u128(2)));
        place.frames();
        let count = |frames: &str, kind: &str| frames.matches(&format!(r#""mk_rec_type":"{kind}""#)).count();
        said(&place, 3).into_iter().for_each(|item| place.put(item));
        let frames = place.frames();
        assert_eq!((count(&frames, "message"), count(&frames, "conv")), (3, 3), "{frames}");
        said(&place, 20).into_iter().for_each(|item| place.put(item));
        let frames = place.frames();
        assert_eq!((count(&frames, "message"), count(&frames, "conv")), (20, 1), "{frames}");
        let (before, header) = frames.rsplit_once(r#""mk_rec_type":"conv""#).unwrap();
        assert!(header.contains(r#""last_message_nr":21,"#), "the last one is told: {header}");
        assert!(count(before, "message") >= 19, "and stands where it stood: {frames}");
    });
}

#[test]
fn a_lane_that_has_to_wait_keeps_its_own_part_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let place = Place::open(folder.path(), AccountId(Uuid::from_u128(2)));
        place.frames();
        let items = said(&place, 3);
        let shared = items.iter().filter_map(|item| {
            let Item::Fanout(fanout) = item else { return None };
            Some(Arc::downgrade(fanout))
        });
        let shared: Vec<_> = shared.collect();
        assert_eq!(shared.len(), 3);
        items.into_iter().for_each(|item| place.put(item));
        assert!(shared.iter().all(|fanout| fanout.strong_count() == 1), "they lie in the inbox");
        place.hub.borrow_mut().pass();
        assert!(shared.iter().all(|fanout| fanout.strong_count() == 0), "the parts of all lanes are let go");
        let frames = place.frames();
        let read = |number: u64| frames.contains(&format!(r#""unread_count":{number},"#));
        assert!(frames.contains(&place.lane.account_id().to_string()) && read(1) && read(3), "{frames}");
    });
}

/// A lane beside that of the place, whose sink takes everything.
struct Line {
    lane: Lane,
    queue: Queue,
    shelf: Shelf,
}

impl Line {
    fn new(place: &Place, kind: Kind) -> Self {
        let lane = Lane::new(0, 99, AccountId(Uuid::from_u128(2)), Uuid::nil());
        let shelf = Shelf::default();
        shelf.is_open.set(true);
        let queue = Queue::new(lane.clone(), kind, place.session.clone(), Box::new(shelf.clone()));
        Self { lane, queue, shelf }
    }

    /// A socket's, which has been told everything up to 100, and the number of that sync.
    fn live(place: &Place) -> (Self, u32) {
        let mut line = Self::new(place, Kind::Socket);
        let number = line.queue.sync(0);
        line.queue.live(number, 100);
        line.flush(100);
        (line, number)
    }

    /// The frames that leave under a watermark.
    fn flush(&mut self, watermark: Stamp) -> Vec<serde_json::Value> {
        self.queue.flush(watermark, &mut Vec::new(), &mut Vec::new());
        let frames = std::mem::take(&mut *self.shelf.frames.borrow_mut());
        frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
    }

    /// The horizon of the only frame that leaves when something new is told.
    fn told(&mut self, watermark: Stamp) -> i64 {
        self.queue.pieces(vec![Piece::Shared(Bytes::from("{}"))]);
        let frames = self.flush(watermark);
        assert_eq!(frames.len(), 1, "{frames:?}");
        frames[0]["event_horizon"].as_i64().unwrap()
    }
}

#[test]
fn no_two_answers_to_polls_tell_the_same_horizon_and_none_tells_too_much() {
    const REACHED: Stamp = 5_000_000;
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let place = Place::open(folder.path(), AccountId(Uuid::nil()));
        let mut line = Line::new(&place, Kind::Http);
        let number = line.queue.sync(0);
        line.queue.live(number, REACHED);
        let first = line.flush(REACHED);
        let mut last = first[0]["event_horizon"].as_i64().unwrap();
        assert_eq!(first[0]["sync_progress"], 1.0);
        for _ in 0..3 {
            let next = line.told(REACHED);
            assert!(next > last && next <= REACHED as i64, "{last}, then {next}");
            assert_eq!(line.queue.expected_horizon(), Some(next));
            last = next;
        }
        assert!(line.told(REACHED + 1_000_000) > REACHED as i64, "it goes on");
    });
}

#[test]
fn a_poll_that_is_told_to_come_again_begins_anew_and_is_not_told_that_a_sync_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let place = Place::open(folder.path(), AccountId(Uuid::nil()));
        let mut line = Line::new(&place, Kind::Http);
        let number = line.queue.sync(0);
        line.queue.tell_progress();
        let part = line.flush(100);
        assert_eq!(part, [serde_json::json!({"stream": [], "event_horizon": -1, "sync_progress": 0.0})]);
        assert_eq!(line.queue.expected_horizon(), Some(-1), "the next one goes on");
        line.queue.live(number, 100);
        line.flush(100);
        assert!(line.queue.expected_horizon().is_some());

        // Another node's session may tell the next horizon, and this one would take it for its own.
        line.lane.fall_behind();
        line.queue.call_to_renew(0);
        assert!(!line.lane.is_behind(), "it has nothing to catch up with");
        assert_eq!(line.queue.expected_horizon(), None);
        for code in [CloseCode::Overloaded, CloseCode::Fault, CloseCode::TooFast] {
            line.queue.end(code, "");
            assert_eq!(line.queue.expected_horizon(), None);
            let number = line.queue.sync(100);
            line.queue.live(number, 200);
            assert_eq!(line.flush(200).len(), 1, "whoever comes again after {code:?} is told");
        }
        line.queue.end(CloseCode::Policy, "");
        let number = line.queue.sync(100);
        line.queue.live(number, 200);
        assert_eq!(line.flush(200).len(), 0, "a login that has ended is told nothing");
    });
}

#[test]
fn an_event_that_is_answered_while_it_is_sent_again_is_answered_once() {
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let place = Place::open(folder.path(), AccountId(Uuid::nil()));
        let border = place.node.join();
        let params = serde_json::value::to_raw_value(&serde_json::json!({
            "conversation_id": Uuid::from_u128(9), "message": "hello"
        }));
        let params = params.unwrap();
        let event = ClientEvent::decode("urn:fleep:client:message:add_plain", &params).unwrap();
        let (lane, request_id) = (place.lane.clone(), RequestId(Uuid::from_u128(5)));
        let submit = Submit { lane, frame: 1, index: 0, request_id, event };
        let answer = || submit.answer(Err(&Refusal::unavailable()));
        place.node.submit(submit.clone()).unwrap();
        assert!(border.let_in(answer()).is_some());
        place.node.submit_again(submit.clone()).unwrap();
        assert!(border.let_in(answer()).is_none(), "nobody waits for it any more");
    });
}

#[test]
fn when_the_nodes_agree_anew_the_horizon_stands_until_the_session_has_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let place = Place::open(folder.path(), AccountId(Uuid::nil()));
        let (mut line, number) = Line::live(&place);
        assert_eq!(line.told(200), 200);

        line.lane.fall_behind();
        line.queue.call_to_renew(0);
        assert!(line.lane.is_behind());
        assert_eq!(line.told(300), 200, "something may be missing");
        let (renewed, base) = line.queue.renew().unwrap();
        assert_eq!(base, 200, "it catches up from what it was told");
        line.queue.live(number, 400);
        assert_eq!(line.told(400), 200, "the end of an earlier sync says nothing");
        assert!(line.lane.is_behind());
        line.queue.live(renewed, 500);
        assert!(!line.lane.is_behind());
        line.flush(500);
        assert_eq!(line.told(600), 600);

        let begun = line.queue.sync(600);
        line.lane.fall_behind();
        line.queue.live(begun, 700);
        assert_eq!(line.told(700), 600, "parts of a sync that was under way may have been lost");
    });
}

#[test]
fn what_is_held_for_an_answer_is_let_go_when_the_nodes_agree_anew() {
    let folder = tempfile::tempdir().unwrap();
    actix::System::new().block_on(async {
        let place = Place::open(folder.path(), AccountId(Uuid::nil()));
        let (mut line, _) = Line::live(&place);
        let answer = |line: &mut Line, index, text: &'static str| {
            line.queue.answer(7, index, Bytes::from(text), vec![Piece::Shared(Bytes::from("\"news\""))]);
        };
        line.queue.submitted(7, 2, true);
        answer(&mut line, 0, "\"first\"");
        assert_eq!(line.flush(200).len(), 0, "the frame's answers leave together");

        line.lane.fall_behind();
        line.queue.call_to_renew(0);
        let pushed = line.flush(200);
        assert_eq!(pushed[0]["stream"], serde_json::json!(["news"]), "what catches up comes behind it");
        assert!(pushed[0].get("requests").is_none());
        answer(&mut line, 1, "\"second\"");
        let rest = line.flush(200);
        assert_eq!(rest[0]["stream"], serde_json::json!(["news"]));
        assert_eq!(rest[1]["requests"], serde_json::json!(["first", "second"]), "{rest:?}");
    });
}
