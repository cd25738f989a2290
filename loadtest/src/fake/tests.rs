//! The client and the load against the fake server: what is sound is acquitted, each broken promise is convicted.

use super::{Fault, start};
use crate::engine::conductor::{self, Aim, Means};
use crate::engine::tally::Counts;
use crate::failure::Failure;
use crate::fleet::{self, Recruiting, Registration};
use crate::outcome::Outcome;
use crate::picture::{Picture, Violation};
use crate::report::text;
use crate::scenario::{Pace, Scenario};
use crate::session::{Event, Session};
use crate::socket::Socket;
use crate::user::User;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(10);

fn user(url: &str, name: &str) -> User {
    User::register(url, &format!("{name}@example.com"), "a password", name).unwrap()
}

/// Creates a conversation with the other session and says some texts in it.
fn chat(mine: &mut dyn Session, other: &User, texts: u64) -> String {
    let created =
        mine.request("conv:create", json!({"account_ids": [other.account_id]})).unwrap().done().unwrap();
    let id = created.conversation_id().to_owned();
    for text in 0..texts {
        let params = json!({"conversation_id": id, "message": format!("text {text}")});
        let said = mine.request("message:add_plain", params).unwrap().done().unwrap();
        assert_eq!(said.message_nr(), Some(text + 2));
    }
    id
}

/// The same scenario on either transport: one writes, the other receives, and a third that comes later loads everything.
fn scenario(mut mine: impl Session, mut theirs: impl Session, mut late: impl FnMut() -> Box<dyn Session>) {
    let other = theirs.user().clone();
    let id = chat(&mut mine, &other, 9);
    theirs.wait_for("message 10", WAIT, &mut |picture| picture.message(&id, 10).is_some()).unwrap();
    assert_eq!(theirs.picture().verify(), []);
    mine.settle().unwrap();
    assert_eq!(mine.picture().verify(), []);
    let mut late = late();
    assert!(late.picture().message(&id, 1).is_none());
    Picture::complete(late.as_mut()).unwrap();
    assert!(late.picture().message(&id, 1).is_some());
    assert_eq!(late.picture().verify(), []);
    assert_eq!(theirs.picture().difference(late.picture()), Vec::<String>::new());
    let refused = mine.request("conv:unheard_of", json!({})).unwrap();
    assert_eq!((refused.status_code(), refused.error_id()), (501, "not_supported"));
    assert!(matches!(refused.done(), Err(Failure::Refused { status_code: 501, .. })));
}

#[test]
fn a_scenario_plays_over_sockets() {
    let url = start(Fault::None);
    let (ann, ben) = (user(&url, "ann"), user(&url, "ben"));
    scenario(ann.connect(0).unwrap(), ben.connect(0).unwrap(), || Box::new(ben.connect(0).unwrap()));
}

#[test]
fn a_scenario_plays_over_long_poll_and_across() {
    let url = start(Fault::None);
    let (ann, ben) = (user(&url, "ann"), user(&url, "ben"));
    let polled = || -> Box<dyn Session> { Box::new(ben.poll_session().unwrap()) };
    scenario(ann.poll_session().unwrap(), ben.poll_session().unwrap(), polled);
    let url = start(Fault::None);
    let (ann, ben) = (user(&url, "ann"), user(&url, "ben"));
    let polled = || -> Box<dyn Session> { Box::new(ben.poll_session().unwrap()) };
    scenario(ann.poll_session().unwrap(), ben.connect(0).unwrap(), polled);
}

#[test]
fn an_answer_by_http_may_be_ahead_of_the_poll() {
    let url = start(Fault::None);
    let (ann, ben) = (user(&url, "ann"), user(&url, "ben"));
    let (mut mine, mut theirs) = (ann.poll_session().unwrap(), ben.connect(0).unwrap());
    let id = chat(&mut mine, &ben, 1);
    mine.settle().unwrap();
    let say = |session: &mut dyn Session| {
        let params = json!({"conversation_id": id, "message": "at once"});
        session.request("message:add_plain", params).unwrap().done().unwrap();
    };
    say(&mut theirs);
    say(&mut mine);
    assert!(mine.picture().message(&id, 3).is_none() && mine.picture().message(&id, 4).is_some());
    mine.settle().unwrap();
    assert_eq!(mine.picture().verify(), []);
    assert_eq!(mine.picture().messages(&id).count(), 4);
}

#[test]
fn one_frame_of_many_events_is_answered_in_order() {
    let url = start(Fault::None);
    let (ann, ben) = (user(&url, "ann"), user(&url, "ben"));
    let mut socket = ann.connect(0).unwrap();
    let id = chat(&mut socket, &ben, 1);
    let say = |text: &str| Event::new("message:add_plain", json!({"conversation_id": id, "message": text}));
    let answers =
        socket.request_events(&[say("a"), Event::new("conv:nothing", json!({})), say("b")]).unwrap();
    let numbers: Vec<_> = answers.iter().map(|answer| (answer.status_code(), answer.message_nr())).collect();
    assert_eq!(numbers, [(200, Some(3)), (501, None), (200, Some(4))]);
    socket.ping_pong(17).unwrap();
    socket.ping().unwrap();
    assert!(socket.next_frame(Duration::from_millis(20)).unwrap_err().is_time_out());
}

#[test]
fn a_session_comes_back_with_its_picture() {
    let url = start(Fault::None);
    let (ann, ben) = (user(&url, "ann"), user(&url, "ben"));
    let mut writer = ann.connect(0).unwrap();
    let mut reader = ben.connect(0).unwrap();
    let id = chat(&mut writer, &ben, 2);
    reader.wait_for("message 3", WAIT, &mut |picture| picture.message(&id, 3).is_some()).unwrap();
    let picture = reader.abandon();
    for text in ["while", "away"] {
        writer
            .request("message:add_plain", json!({"conversation_id": id, "message": text}))
            .unwrap()
            .done()
            .unwrap();
    }
    let reader = ben.reconnect(picture).unwrap();
    assert_eq!(reader.picture().messages(&id).count(), 5);
    assert_eq!(reader.picture().verify(), []);
    let picture = reader.close();
    assert_eq!(ben.poll_again(picture).unwrap().picture().verify(), []);
}

#[test]
fn refusals_and_closes_have_their_codes() {
    let url = start(Fault::None);
    let ann = user(&url, "ann");
    assert!(matches!(User::login(&url, "nobody@example.com", "x"), Err(Failure::Http { status: 431, .. })));
    let mut stranger = ann.clone();
    stranger.token_id = "wrong".into();
    assert!(matches!(stranger.connect(0), Err(Failure::Http { status: 401, .. })));
    let mut forger = ann.clone();
    forger.ticket = "wrong".into();
    assert_eq!(forger.connect(0).unwrap_err().close_code(), Some(4401));
    let closed_by = |send: fn(&mut Socket) -> Result<(), Failure>| {
        let mut socket = ann.connect(0).unwrap();
        send(&mut socket).unwrap();
        socket.wait_closed(WAIT).unwrap().0
    };
    assert_eq!(closed_by(|socket| socket.send_text("[]")), 4400);
    assert_eq!(closed_by(|socket| socket.send_binary(b"x")), 1003);
    assert_eq!(closed_by(|socket| socket.send_bytes_as_text(&[0xff])), 1006);
}

#[test]
fn a_lost_push_is_seen_by_the_picture() {
    let url = start(Fault::Drop);
    let (ann, ben) = (user(&url, "ann"), user(&url, "ben"));
    let mut reader = ben.connect(0).unwrap();
    let id = chat(&mut ann.connect(0).unwrap(), &ben, 6);
    reader.wait_for("message 7", WAIT, &mut |picture| picture.message(&id, 7).is_some()).unwrap();
    let gap = Violation::Gap { conversation_id: id, from: 5, to: 5 };
    assert!(reader.picture().verify().contains(&gap));
}

fn load(fault: Fault, pace: Pace) -> Outcome {
    load_online(fault, pace, 0)
}

/// A load of which only so many sessions are online.
fn load_online(fault: Fault, pace: Pace, online: usize) -> Outcome {
    let scenario = Scenario {
        name: "fake".into(),
        conversations: 4,
        members: 3,
        sessions: 6,
        online,
        pace,
        warm_up_s: 0.1,
        measure_s: 0.4,
        ..Scenario::default()
    };
    let base_url = start(fault);
    let recruiting = Recruiting {
        base_url: base_url.clone(),
        prefix: "load".into(),
        password: "a password".into(),
        registration: Registration::Open,
        threads: 2,
    };
    let accounts = fleet::recruit(&recruiting, 0..scenario.sessions(), &mut |_| {}).unwrap();
    let aim = Aim::new("fake", base_url, None);
    let (generators, stall) = (2, Duration::from_millis(400));
    let means = Means { accounts: Arc::new(accounts), generators, processes: Vec::new(), stall };
    conductor::run(&scenario, &aim, means, None, &mut |_| {}).unwrap()
}

const CLOSED: Pace = Pace::Saturate { in_flight: 1 };

#[test]
fn a_load_on_a_sound_server_is_clean_in_either_loop() {
    for pace in [CLOSED, Pace::Open { rate: 400.0 }] {
        let outcome = load(Fault::None, pace);
        assert!(outcome.is_clean(), "{}", text::outcome(&outcome));
        let counts = &outcome.tally.counts;
        assert!(counts.sent > 10 && counts.answered == counts.sent, "{counts:?}");
        // Each conversation's first slot is its creation.
        assert_eq!(counts.deliveries, (counts.sent + 4) * 3);
        assert!(outcome.window.deliveries > 0 && outcome.tally.all_deliveries().count() > 0);
    }
}

#[test]
fn who_connects_after_his_conversations_were_created_is_verified_from_his_first_sync_on() {
    let outcome = load_online(Fault::None, CLOSED, 5);
    let counts = &outcome.tally.counts;
    assert!(outcome.is_clean() && counts.answered > 10, "{}", text::outcome(&outcome));
    let outcome = load_online(Fault::Drop, CLOSED, 5);
    assert!(outcome.tally.counts.gaps > 0 && !outcome.is_clean(), "{}", text::outcome(&outcome));
}

#[test]
fn each_broken_promise_is_convicted_by_the_load() {
    let convicted = |fault: Fault, of: fn(&Counts) -> u64| {
        let outcome = load(fault, CLOSED);
        let shown = text::outcome(&outcome);
        assert!(of(&outcome.tally.counts) > 0 && !outcome.is_clean(), "{fault:?}: {shown}");
    };
    convicted(Fault::Drop, |counts| counts.gaps);
    convicted(Fault::Swap, |counts| counts.reorders);
    convicted(Fault::Twice, |counts| counts.conflicts);
    convicted(Fault::Repeat, |counts| counts.doubled);
    convicted(Fault::Close, |counts| counts.disconnected);
}
