//! The order in which events take effect and in which everybody hears of it (websocket.md, promises 2 and 3).
//!
//! Not here: order across a crash ([`crate::crash`]).

use rill_loadtest::record::{Record, flow_nr, kind, text};
use rill_loadtest::session::{Event, Session};
use rill_loadtest::socket::{Frame, Socket};
use rill_loadtest::user::User;
use serde_json::json;

use crate::world::{FACT_WAIT, PASSWORD, World, assert_like_a_fresh_sync, await_message, create, text_of};

/// Events under way at once.
const PIPELINED: usize = 500;

/// Reads frames until one of them satisfies the condition; gives all of them.
fn frames_until(socket: &mut Socket, mut is_last: impl FnMut(&Frame) -> bool) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        let frame = socket.next_frame(FACT_WAIT).unwrap();
        let ends = is_last(&frame);
        frames.push(frame);
        if ends {
            return frames;
        }
    }
}

fn is_answer_to(frame: &Frame, id: &str) -> bool {
    frame.requests.iter().any(|request| text(request, "client_req_id") == id)
}

/// The bodies of the texts among some messages, in their order.
fn texts<'a>(messages: impl Iterator<Item = &'a Record>) -> Vec<String> {
    let texts = messages.filter(|message| text(message, "mk_message_type") == "text");
    let plain = |message: &Record| {
        let body = text(message, "message").trim_start_matches("<msg><p>");
        body.trim_end_matches("</p></msg>").to_owned()
    };
    texts.map(plain).collect()
}

#[test]
fn five_hundred_pipelined_events_take_effect_in_their_order() {
    let world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let (mut writer, mut reader) = (ann.connect(0).unwrap(), bea.connect(0).unwrap());
    let room = create(&mut writer, "Row", &[&bea]);
    // Who comes to know of a conversation is shown its first unread messages and where they end; what follows is live.
    await_message(&mut reader, &room, 1);
    // Single events and frames of several, mixed.
    let mut ids = Vec::new();
    let mut number = 0;
    while number < PIPELINED {
        let size = [1, 1, 3, 1, 7][number % 5].min(PIPELINED - number);
        let event = |n: usize| Event::new("message:add_plain", text_of(&room, &format!("n{}", number + n)));
        let events: Vec<Event> = (0..size).map(event).collect();
        ids.extend(events.iter().map(|event| event.client_req_id));
        writer.submit_events(&events).unwrap();
        number += size;
    }
    for (place, id) in ids.into_iter().enumerate() {
        let answer = writer.answer(id).unwrap().done().unwrap();
        assert_eq!(answer.message_nr(), Some(place as u64 + 2));
    }
    await_message(&mut reader, &room, PIPELINED as u64 + 1);
    let wanted: Vec<String> = (0..PIPELINED).map(|n| format!("n{n}")).collect();
    assert_eq!(texts(writer.picture().messages(&room)), wanted);
    assert_eq!(texts(reader.picture().messages(&room)), wanted);
    for session in [&mut writer, &mut reader] {
        assert_like_a_fresh_sync(session);
    }
    println!("order: {PIPELINED} pipelined events in order");
    world.assert_no_errors();
}

#[test]
fn the_effect_of_an_own_event_comes_no_later_than_its_answer() {
    let world = World::start(&[]);
    let mut ann = world.person("Ann").connect(0).unwrap();
    let room = create(&mut ann, "Own", &[]);
    for number in 2..100 {
        let event = Event::new("message:add_plain", text_of(&room, "effect"));
        ann.submit_events(std::slice::from_ref(&event)).unwrap();
        let id = event.client_req_id.to_string();
        let frames = frames_until(&mut ann, |frame| is_answer_to(frame, &id));
        let is_there = |record: &Record| kind(record) == "message" && flow_nr(record) == Some(number);
        assert!(frames.iter().any(|frame| frame.stream.iter().any(is_there)), "{frames:?}");
    }
    world.assert_no_errors();
}

#[test]
fn events_of_one_frame_are_carried_out_in_their_order_over_two_conversations() {
    let world = World::start(&[]);
    let mut ann = world.person("Ann").connect(0).unwrap();
    let rooms = [create(&mut ann, "One", &[]), create(&mut ann, "Two", &[])];
    for round in 0..20_u64 {
        let of =
            |n: usize| Event::new("message:add_plain", text_of(&rooms[n % 2], &format!("r{round} n{n}")));
        let events: Vec<Event> = (0..8).map(of).collect();
        ann.submit_events(&events).unwrap();
        let last = events[7].client_req_id.to_string();
        let frames = frames_until(&mut ann, |frame| is_answer_to(frame, &last));
        let answer = frames.last().unwrap();
        let answered: Vec<&str> =
            answer.requests.iter().map(|request| text(request, "client_req_id")).collect();
        let sent: Vec<String> = events.iter().map(|event| event.client_req_id.to_string()).collect();
        assert_eq!(answered, sent, "a request record for each event, in order");
        let stream: Vec<&Record> = frames.iter().flat_map(|frame| &frame.stream).collect();
        let order: Vec<String> = (0..8).map(|n| format!("r{round} n{n}")).collect();
        assert_eq!(texts(stream.into_iter().filter(|record| kind(record) == "message")), order);
    }
    assert_like_a_fresh_sync(&mut ann);
    world.assert_no_errors();
}

#[test]
fn a_conversation_can_be_used_in_the_frame_that_creates_another() {
    let world = World::start(&[]);
    let mut ann = world.person("Ann").connect(0).unwrap();
    let room = create(&mut ann, "First", &[]);
    let events = [
        Event::new("message:add_plain", text_of(&room, "before")),
        Event::new("conv:create", json!({"topic": "Second"})),
        Event::new("message:add_plain", text_of(&room, "after")),
    ];
    let answers = ann.request_events(&events).unwrap();
    let numbers: Vec<_> = answers.into_iter().map(|answer| answer.done().unwrap().message_nr()).collect();
    assert_eq!((numbers[0], numbers[2]), (Some(2), Some(3)));
    assert_like_a_fresh_sync(&mut ann);
}

#[test]
fn a_second_session_of_the_account_gets_every_change() {
    let world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let again = User::login(&world.server.url(), &ann.email, PASSWORD).unwrap();
    let mut session = ann.connect(0).unwrap();
    let (mut second, mut polled) = (again.connect(0).unwrap(), again.poll_session().unwrap());
    let room = create(&mut session, "Both", &[&bea]);
    let there = |params: serde_json::Value| {
        let mut params = params;
        params["conversation_id"] = json!(room);
        params
    };
    let steps = [
        ("message:add_plain", json!({"message": "first"})),
        ("message:add_plain", json!({"message": "second"})),
        ("message:edit", json!({"message_nr": 2, "message": "first, better"})),
        ("message:delete", json!({"message_nr": 3})),
        ("conv:set_topic", json!({"topic": "Both of us"})),
        ("conv:mark_unread", json!({"inbox_message_nr": 2})),
        ("conv:mark_read", json!({"show_message_nr": 6})),
        ("conv:remove_members", json!({"account_ids": [bea.account_id]})),
        ("conv:add_members", json!({"account_ids": [bea.account_id]})),
    ];
    for (urn, params) in steps {
        session.request(urn, there(params)).unwrap().done().unwrap();
    }
    session.request("account:set_name", json!({"name": "Ann Again"})).unwrap().done().unwrap();
    for other in [&mut session as &mut dyn Session, &mut second, &mut polled] {
        assert_like_a_fresh_sync(other);
    }
    world.assert_no_errors();
}
