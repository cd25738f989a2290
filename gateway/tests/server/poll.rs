//! The long poll's horizon, in all the ways in which clients loop (protocol.md §1.4).
//!
//! Not here: what the records say.

use std::time::{Duration, Instant};

use rill_loadtest::picture::Picture;
use rill_loadtest::record::{Record, kind, list, text};
use rill_loadtest::session::{Event, Session};
use rill_loadtest::user::User;
use serde_json::{Value, json};

use crate::world::{FACT_WAIT, World, assert_like_a_fresh_sync, create, post, text_of};

/// Conversations of the person who polls: more than one chunk of a sync.
const CONVERSATIONS: usize = 25;
/// Polls after which a loop counts as endless.
const POLLS_MAX: usize = 200;
/// By when an idle poll must be answered.
const POLL_LIMIT: Duration = Duration::from_secs(75);

#[derive(Debug)]
struct Polled {
    horizon: i64,
    stream: Vec<Record>,
    body: Value,
}

fn poll(user: &User, horizon: i64, wait: bool) -> Polled {
    let body = json!({"event_horizon": horizon, "wait": wait});
    let answer =
        user.http_post_within("/api/account/poll", body, POLL_LIMIT).unwrap().ok("account/poll").unwrap();
    let horizon = answer.json["event_horizon"].as_i64().expect("each answer has a horizon");
    Polled { horizon, stream: list(&answer.json, "stream"), body: answer.json }
}

/// Polls from 0 on until `is_over`, which is given the horizon sent and the horizon returned.
fn sync(user: &User, wait: bool, is_over: impl Fn(i64, i64) -> bool) -> (Picture, usize) {
    let mut picture = Picture::at(0);
    picture.begin_batch();
    let mut horizon = 0;
    for count in 1..=POLLS_MAX {
        let polled = poll(user, horizon, wait);
        picture.apply_all(&polled.stream, Some(polled.horizon));
        if is_over(horizon, polled.horizon) {
            picture.end_batch();
            return (picture, count);
        }
        horizon = polled.horizon;
    }
    panic!("no end of the initial sync within {POLLS_MAX} polls");
}

fn with_conversations(world: &World) -> User {
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    for number in 0..CONVERSATIONS {
        let room = create(&mut session, &format!("Conversation {number}"), &[]);
        post(&mut session, &room, "something");
    }
    ann
}

#[test]
fn an_initial_sync_ends_for_every_loop_that_clients_make() {
    let world = World::start(&[]);
    let ann = with_conversations(&world);
    let fresh = ann.connect(0).unwrap();
    // Until the horizon is above 0, never waiting; the same, asking to wait from the first poll on; until it repeats.
    let (above, count) = sync(&ann, false, |_, returned| returned > 0);
    let (waiting, _) = sync(&ann, true, |_, returned| returned > 0);
    let (repeated, _) = sync(&ann, false, |sent, returned| sent == returned);
    println!("poll: initial sync of {CONVERSATIONS} conversations in {count} polls");
    for picture in [above, waiting, repeated] {
        assert_eq!(picture.difference(fresh.picture()), Vec::<String>::new());
        assert_eq!(picture.verify(), Vec::new());
    }
    world.assert_no_errors();
}

#[test]
fn a_poll_with_nothing_new_returns_the_same_horizon() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let (picture, _) = sync(&ann, false, |_, returned| returned > 0);
    let horizon = picture.horizon();
    for _ in 0..3 {
        let polled = poll(&ann, horizon, false);
        assert_eq!((polled.horizon, polled.stream.len()), (horizon, 0));
        assert!(polled.body.get("limit_time").is_some() && polled.body.get("static_version").is_some());
    }
    world.assert_no_errors();
}

#[test]
fn an_idle_poll_is_answered_in_time_with_the_same_horizon() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let (picture, _) = sync(&ann, false, |sent, returned| sent == returned);
    let start = Instant::now();
    let polled = poll(&ann, picture.horizon(), true);
    println!("poll: an idle poll was answered after {:?}", start.elapsed());
    assert_eq!((polled.horizon, polled.stream.len()), (picture.horizon(), 0));
    assert!(start.elapsed() > Duration::from_secs(1), "it waited");
    world.assert_no_errors();
}

#[test]
fn a_waiting_poll_ends_with_the_first_news() {
    let world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let mut writer = bea.connect(0).unwrap();
    let room = create(&mut writer, "News", &[&ann]);
    let (mut picture, _) = sync(&ann, false, |sent, returned| sent == returned);
    for number in 2..12 {
        let horizon = picture.horizon();
        let polled = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| poll(&ann, horizon, true));
            assert_eq!(post(&mut writer, &room, "news"), number);
            waiting.join().unwrap()
        });
        // The news may be ahead of what is certain everywhere, so the horizon need not rise with them.
        assert!(polled.horizon >= horizon && !polled.stream.is_empty(), "{polled:?}");
        picture.apply_frame(&polled.stream, Some(polled.horizon));
        // The header may come in a poll of its own, the message must not be missing after the next.
        let rest = poll(&ann, picture.horizon(), false);
        picture.apply_frame(&rest.stream, Some(rest.horizon));
        assert!(picture.message(&room, number).is_some(), "message {number} came");
    }
    assert_eq!(picture.verify(), Vec::new());
    world.assert_no_errors();
}

#[test]
fn an_old_horizon_replays_what_came_after_it() {
    let mut world = World::start(&[]);
    let ann = world.person("Ann");
    let mut session = ann.poll_session().unwrap();
    session.settle().unwrap();
    let before = session.picture().clone();
    let room = create(&mut session, "Replay", &[]);
    for number in 2..10 {
        assert_eq!(post(&mut session, &room, "again"), number);
    }
    assert_like_a_fresh_sync(&mut session);
    // An answer may have been lost on its way: the same horizon brings the same again, also from another process.
    for round in 0..3 {
        if round == 2 {
            world.server.kill9().unwrap();
            world.server.restart().unwrap();
        }
        let mut late = ann.poll_again(before.clone()).unwrap();
        late.settle().unwrap();
        assert_like_a_fresh_sync(&mut late);
        assert_eq!(late.picture().messages(&room).count(), 9, "round {round}");
    }
    world.assert_no_errors();
}

#[test]
fn the_request_record_comes_last_of_what_the_request_caused() {
    let world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let mut session = ann.poll_session().unwrap();
    let room = create(&mut session, "Barrier", &[&bea]);
    session.settle().unwrap();
    for number in 2..12 {
        let event = Event::new("message:add_plain", text_of(&room, "barrier"));
        session.request_events(std::slice::from_ref(&event)).unwrap();
        let start = Instant::now();
        let mut stream = Vec::new();
        let id = event.client_req_id.to_string();
        let is_request = |record: &Record| kind(record) == "request" && text(record, "client_req_id") == id;
        while !stream.iter().any(is_request) {
            assert!(start.elapsed() < FACT_WAIT, "no request record by poll: {stream:?}");
            stream.extend(session.receive(FACT_WAIT).unwrap());
        }
        let place = stream.iter().position(is_request).unwrap();
        let message = |record: &Record| {
            rill_loadtest::record::flow_nr(record) == Some(number) && kind(record) == "message"
        };
        assert!(stream[..place].iter().any(message), "the effect comes before it: {stream:?}");
        session.settle().unwrap();
    }
    world.assert_no_errors();
}
