//! The same `client_req_id` has its effect once, however often, over whatever, and across a crash.
//!
//! Not here: the rules of single events.

use std::collections::BTreeSet;
use std::sync::Barrier;

use rill_loadtest::record::{Record, list};
use rill_loadtest::session::{Event, Session};
use rill_loadtest::socket::Socket;
use rill_loadtest::user::User;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{PASSWORD, World, assert_like_a_fresh_sync, create, text_of};

/// How often everything is sent.
const TIMES: usize = 50;
const SOCKETS: usize = 5;

/// What an answer says: its status and what it identifies.
fn outcome(request: &Record) -> String {
    let field = |key: &str| request.get(key).unwrap_or(&Value::Null);
    format!("{} {}", field("status_code"), field("identifier"))
}

/// The request record that `event/store` answers with.
fn by_http(user: &User, event: &Event) -> Record {
    let event =
        json!({"client_req_id": event.client_req_id, "mk_event_type": event.urn, "params": event.params});
    let answer =
        user.http_post("/api/event/store", json!({"stream": [event]})).unwrap().ok("event/store").unwrap();
    list(&answer.json, "requests").remove(0)
}

/// Sends one event many times at once, over sockets and HTTP; each time with other params when `vary` changes them.
fn send_everywhere(
    users: &[User],
    event: &Event,
    vary: &(dyn Fn(usize, &mut Value) + Sync),
) -> BTreeSet<String> {
    let senders = SOCKETS * 2;
    let start = Barrier::new(senders);
    let send = |sender: usize| {
        let user = &users[sender % users.len()];
        let mut socket = (sender < SOCKETS).then(|| user.connect(0).unwrap());
        start.wait();
        let mut outcomes = Vec::new();
        for time in 0..TIMES / senders {
            let mut copy = event.clone();
            vary(sender * TIMES + time, &mut copy.params);
            outcomes.push(match &mut socket {
                Some(socket) => outcome(&socket.request_events(&[copy]).unwrap()[0].request),
                None => outcome(&by_http(user, &copy)),
            });
        }
        outcomes
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..senders).map(|sender| scope.spawn(move || send(sender))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn two_logins(world: &World) -> Vec<User> {
    let ann = world.person("Ann");
    let again = User::login(&world.server.url(), &ann.email, PASSWORD).unwrap();
    vec![ann, again]
}

#[test]
fn one_request_id_has_one_effect_however_often_it_comes() {
    let mut world = World::start(&[]);
    let users = two_logins(&world);
    let mut session = users[0].connect(0).unwrap();
    let room = create(&mut session, "Once", &[]);
    let event = Event::new("message:add_plain", text_of(&room, "once"));
    let outcomes = send_everywhere(&users, &event, &|_, _| {});
    assert_eq!(outcomes.len(), 1, "all answers are the same: {outcomes:?}");
    let first = outcomes.first().unwrap().clone();
    assert!(first.starts_with("200 ") && first.contains(&room), "{first}");
    // Other params are another matter only with another id.
    let outcomes =
        send_everywhere(&users, &event, &|time, params| params["message"] = json!(format!("other {time}")));
    assert_eq!(outcomes, BTreeSet::from([first.clone()]));
    world.server.kill9().unwrap();
    world.server.restart().unwrap();
    let outcomes = send_everywhere(&users, &event, &|_, _| {});
    assert_eq!(outcomes, BTreeSet::from([first]));
    let mut session = users[0].reconnect(session.abandon()).unwrap();
    assert_like_a_fresh_sync(&mut session);
    let texts: Vec<_> = session.picture().messages(&room).collect();
    assert_eq!(texts.len(), 2, "the creation and one message: {texts:?}");
    println!("once: {} copies, 1 effect", 3 * TIMES);
    world.assert_no_errors();
}

#[test]
fn a_conversation_is_created_once_and_edited_once() {
    let mut world = World::start(&[]);
    let users = two_logins(&world);
    let created = Event::new("conv:create", json!({"topic": "Once"}));
    let outcomes =
        send_everywhere(&users, &created, &|time, params| params["topic"] = json!(format!("Topic {time}")));
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    let mut session = users[0].connect(0).unwrap();
    let room = session.picture().conversation_ids();
    assert_eq!(room.len(), 1, "one conversation: {room:?}");
    let number = crate::world::post(&mut session, &room[0], "first");
    let edit = json!({"conversation_id": room[0], "message_nr": number, "message": "second"});
    let edited = Event::new("message:edit", edit);
    let outcomes = send_everywhere(&users, &edited, &|_, _| {});
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    world.server.kill9().unwrap();
    world.server.restart().unwrap();
    for event in [created, edited] {
        let outcomes = send_everywhere(&users, &event, &|_, _| {});
        assert!(outcomes.len() == 1 && outcomes.first().unwrap().starts_with("200 "), "{outcomes:?}");
    }
    let fresh = users[0].connect(0).unwrap();
    let conv = fresh.picture().conv(&room[0]).unwrap();
    assert_eq!(
        rill_loadtest::record::number(conv, "last_message_nr"),
        Some(number + 1),
        "one revision: {conv:?}"
    );
    world.assert_no_errors();
}

#[test]
fn request_ids_of_two_accounts_have_nothing_to_do_with_each_other() {
    let world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let (mut ann_session, mut bea_session) = (ann.connect(0).unwrap(), bea.connect(0).unwrap());
    let room = create(&mut ann_session, "Shared", &[&bea]);
    let id = Uuid::new_v4();
    let number = |session: &mut Socket, text: &str| {
        let event = Event::with_id(id, "message:add_plain", text_of(&room, text));
        session.request_events(&[event]).unwrap().remove(0).done().unwrap().message_nr()
    };
    assert_eq!(number(&mut ann_session, "from Ann"), Some(2));
    assert_eq!(number(&mut bea_session, "from Bea"), Some(3));
    assert_eq!(number(&mut ann_session, "from Ann"), Some(2));
    world.assert_no_errors();
}

#[test]
fn a_refusal_is_not_remembered() {
    let mut world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let (mut owner, mut guest) = (ann.connect(0).unwrap(), bea.connect(0).unwrap());
    let room = create(&mut owner, "Closed", &[]);
    let event = Event::new("message:add_plain", text_of(&room, "let me in"));
    let ask = |guest: &mut Socket| guest.request_events(std::slice::from_ref(&event)).unwrap().remove(0);
    assert_eq!(ask(&mut guest).status_code(), 431);
    assert_eq!(ask(&mut guest).status_code(), 431);
    let add = json!({"conversation_id": room, "account_ids": [bea.account_id]});
    owner.request("conv:add_members", add).unwrap().done().unwrap();
    let number = ask(&mut guest).done().unwrap().message_nr();
    assert_eq!(number, ask(&mut guest).done().unwrap().message_nr());
    world.server.kill9().unwrap();
    world.server.restart().unwrap();
    let mut guest = bea.reconnect(guest.abandon()).unwrap();
    assert_eq!(number, ask(&mut guest).done().unwrap().message_nr());
    assert_like_a_fresh_sync(&mut guest);
    world.assert_no_errors();
}

#[test]
fn one_frame_may_hold_the_same_event_twice() {
    let world = World::start(&[]);
    let mut ann = world.person("Ann").connect(0).unwrap();
    let room = create(&mut ann, "Twice", &[]);
    let event = Event::new("message:add_plain", text_of(&room, "twice"));
    ann.submit_events(&[event.clone(), event.clone()]).unwrap();
    let answers = loop {
        let frame = ann.next_frame(crate::world::FACT_WAIT).unwrap();
        if !frame.requests.is_empty() {
            break frame.requests;
        }
    };
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].get("identifier"), answers[1].get("identifier"));
    assert_like_a_fresh_sync(&mut ann);
    assert_eq!(ann.picture().messages(&room).count(), 2);
}
