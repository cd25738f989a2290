//! How long a node that goes keeps people waiting, and that one that was put out changes nothing more.
//!
//! `RILL_FAULTS_FULL=40` makes forty rounds of it, to be run by themselves (`--test-threads 1 outage`). Not here: faults while everybody writes (`faults`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rill_loadtest::session::{Event, Session};
use rill_loadtest::socket::Socket;

use crate::faults::FULL_RUN;
use crate::many::{Many, end};
use crate::world::{assert_like_a_fresh_sync, await_fact, create, percentile, post, text_of};

/// Conversations: about a third is each node's.
const ROOMS: usize = 24;

/// How often a node is stopped past its end, until it comes to try: nearly always it does at once.
const TRIED_AT_MOST: usize = 3;

/// How long a conversation may be without an owner whose node died.
const TAKEOVER_MAX: Duration = Duration::from_secs(5);

/// How long one may be whose node ends in an orderly way. Held to in the long run, which has the machine for itself.
const HAND_OVER_MAX: Duration = Duration::from_secs(1);

/// How long a node may take to be ready again, on a machine that also compiles.
const HEAL_WAIT: Duration = Duration::from_secs(60);

/// What a server says that cannot carry out something just now.
const UNAVAILABLE: u64 = 503;

/// The pause before that is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Rounds of the long run.
fn full_rounds() -> Option<usize> {
    std::env::var(FULL_RUN).ok()?.parse().ok()
}

fn rounds() -> usize {
    full_rounds().unwrap_or(1)
}

fn rooms(socket: &mut Socket) -> Vec<String> {
    (0..ROOMS).map(|number| create(socket, &format!("Room {number}"), &[])).collect()
}

fn posts(rooms: &[String], text: &str) -> VecDeque<Event> {
    rooms.iter().map(|room| Event::new("message:add_plain", text_of(room, text))).collect()
}

/// Posts to all of them at once, and tries again what cannot be carried out just now. Answers how long each took at most, and how
/// many were tried again.
fn post_to_all(socket: &mut Socket, rooms: &[String], text: &str) -> (Vec<Duration>, usize) {
    let begun = Instant::now();
    let mut waiting = posts(rooms, text);
    for event in &waiting {
        socket.submit_events(std::slice::from_ref(event)).unwrap();
    }
    let (mut took, mut again) = (Vec::new(), 0);
    while let Some(event) = waiting.pop_front() {
        let answer = socket.answer(event.client_req_id).unwrap();
        if answer.status_code() == UNAVAILABLE {
            again += 1;
            std::thread::sleep(AGAIN_AFTER);
            socket.submit_events(std::slice::from_ref(&event)).unwrap();
            waiting.push_back(event);
            continue;
        }
        assert!(answer.is_done(), "{:?}", answer.request);
        took.push(begun.elapsed());
    }
    (took, again)
}

fn tell(what: &str, took: &[Duration]) -> Duration {
    let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|share| percentile(took, share));
    println!("{what}: {} events, p50 {p50:.1?}, p99 {p99:.1?}, longest {longest:.1?}", took.len());
    p99
}

#[test]
fn what_a_dead_node_owned_is_served_again_before_long() {
    let mut many = Many::start(3);
    let mut ann = many.person(0).connect(0).unwrap();
    let rooms = rooms(&mut ann);
    let mut took = Vec::new();
    for round in 0..rounds() {
        let victim = 1 + round % 2;
        many.cluster.nodes[victim].kill9().unwrap();
        took.extend(post_to_all(&mut ann, &rooms, "is anybody there?").0);
        many.cluster.nodes[victim].restart().unwrap();
        many.cluster.await_ready(HEAL_WAIT).unwrap();
    }
    let p99 = tell(&format!("takeover, {} nodes killed", rounds()), &took);
    assert!(p99 < TAKEOVER_MAX, "{p99:?}");
    assert_numbers(&mut ann, &rooms, 1 + rounds() as u64);
    many.assert_no_panics();
}

#[test]
fn a_node_that_ends_keeps_nobody_waiting_and_no_event_fails() {
    let mut many = Many::start(3);
    let mut ann = many.person(0).connect(0).unwrap();
    let rooms = rooms(&mut ann);
    let (mut took, mut again, mut times) = (Vec::new(), 0, 0);
    let mut ends = Vec::new();
    for round in 0..rounds() {
        let victim = &mut many.cluster.nodes[1 + round % 2];
        std::thread::scope(|scope| {
            let begun = Instant::now();
            let end = scope.spawn(move || {
                assert!(victim.terminate().unwrap().success());
                begun.elapsed()
            });
            while !end.is_finished() {
                let (each, tried) = post_to_all(&mut ann, &rooms, "still there?");
                took.extend(each);
                (again, times) = (again + tried, times + 1);
            }
            ends.push(end.join().unwrap());
        });
        many.cluster.nodes[1 + round % 2].restart().unwrap();
        many.cluster.await_ready(HEAL_WAIT).unwrap();
    }
    tell(&format!("hand-over, {} nodes ended in {ends:.1?}", rounds()), &took);
    let longest = percentile(&took, 1.0);
    assert!(longest < if full_rounds().is_some() { HAND_OVER_MAX } else { TAKEOVER_MAX }, "{longest:?}");
    assert_eq!(again, 0, "nothing had to be tried again");
    assert_numbers(&mut ann, &rooms, 1 + times);
    many.assert_no_panics();
}

#[test]
fn a_node_that_stood_still_past_its_end_writes_nothing_when_it_goes_on() {
    // One that is told of its end before it comes to try shows nothing.
    let tries = (0..TRIED_AT_MOST).any(|_| tries_to_write_past_its_end());
    assert!(tries, "in {TRIED_AT_MOST} runs it has tried, and was refused");
}

/// Whether it has tried. It has written nothing in any case.
fn tries_to_write_past_its_end() -> bool {
    let many = Many::start(3);
    let (late, others) = (&many.cluster.nodes[0], &many.cluster.nodes[1]);
    let ann = many.person(0);
    let mut at_late = ann.connect(0).unwrap();
    let mut elsewhere = ann.at(&others.url()).connect(0).unwrap();
    let rooms = rooms(&mut elsewhere);
    for room in &rooms {
        // Whoever owns it has it in memory, at this version.
        post(&mut at_late, room, "here I am");
    }
    late.stand_still().unwrap();
    let asleep = posts(&rooms, "written while it stood still");
    for event in &asleep {
        at_late.submit_events(std::slice::from_ref(event)).unwrap();
    }
    // Of the others only the epoch tells that it is not their owner any more.
    let (written, left_alone) = rooms.split_at(ROOMS / 2);
    post_to_all(&mut elsewhere, written, "it is gone");
    late.signal("CONT").unwrap();
    let log = || std::fs::read_to_string(late.log_path()).unwrap();
    await_fact("word that it was put out", HEAL_WAIT, || log().contains("put out"));
    many.cluster.await_ready(HEAL_WAIT).unwrap();
    let has_tried = log().contains("of the store is over");
    assert_numbers(&mut elsewhere, written, 3);
    assert_numbers(&mut elsewhere, left_alone, 2);

    for event in &asleep {
        // What had no effect has it once.
        elsewhere.request_events(std::slice::from_ref(event)).unwrap().remove(0).done().unwrap();
    }
    assert_numbers(&mut elsewhere, written, 4);
    assert_numbers(&mut elsewhere, left_alone, 3);
    many.assert_no_panics();
    has_tried
}

#[test]
fn a_node_that_is_asked_to_end_when_it_was_put_out_ends_and_does_not_begin_again() {
    let mut many = Many::start(3);
    let mut elsewhere = many.person(1).connect(0).unwrap();
    let rooms = rooms(&mut elsewhere);
    let late = &mut many.cluster.nodes[0];
    late.stand_still().unwrap();
    // All are answered when the others have put it out.
    post_to_all(&mut elsewhere, &rooms, "it is gone");
    late.signal("CONT").unwrap();
    let log = late.log_path();
    let is_going = || std::fs::read_to_string(log).unwrap().contains("breaking off");
    await_fact("word that it breaks off", HEAL_WAIT, is_going);
    end(late);
    many.assert_no_panics();
}

/// The messages of each are 1, 2, 3, … to the last, whoever looks.
fn assert_numbers(session: &mut Socket, rooms: &[String], last: u64) {
    assert_like_a_fresh_sync(session);
    for room in rooms {
        let messages = || session.picture().messages(room);
        let numbers: Vec<u64> = messages().filter_map(|message| message["message_nr"].as_u64()).collect();
        let texts: Vec<_> = messages().map(|message| &message["message"]).collect();
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "{room}: {texts:#?}");
    }
}
