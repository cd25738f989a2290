//! Conversations that were touched once and left idle cost no memory.
//!
//! Not here: what loading one again takes.

use std::time::{Duration, Instant};

use rill_loadtest::record::{Record, list, number};
use rill_loadtest::session::Event;
use rill_loadtest::user::User;
use serde_json::json;

use crate::world::{World, await_fact};

/// How many are touched, as a quick check and in the full run.
const QUICK: usize = 20_000;
const FULL: usize = 100_000;
/// Asks for the full run.
const FULL_RUN: &str = "RILL_TEST_FULL";
/// The first measurement.
const FEW: usize = 1_000;
/// People who create them, so that no account's own list of conversations is what is measured.
const PEOPLE: usize = 20;
/// Events of one call: as many as one may have.
const BATCH: usize = 100;
/// Long enough after the last touch for the owners' clocks to come round, on a busy machine.
const IDLE_WAIT: Duration = Duration::from_secs(60);
/// What touching many for the first time may cost. It does cost something (some 55 MB for 100,000) that touching them again
/// does not; where it goes is not known. Reading the whole store once before the first measurement does not take it away,
/// so the store's cache of what it read is not the answer, or not all of it.
const FIRST_TOUCH_BYTES: u64 = 96 * 1024 * 1024;
/// What touching all of them once more may cost: nothing, but an allocator is not exact.
const NOISE_BYTES: u64 = 16 * 1024 * 1024;

#[test]
fn conversations_left_idle_cost_no_memory() {
    let total = if std::env::var_os(FULL_RUN).is_some() { FULL } else { QUICK };
    let mut world = World::start_alone(&["--idle-ms", "500"]);
    let people: Vec<User> = (0..PEOPLE).map(|n| world.person(&format!("Author{n}"))).collect();
    let start = Instant::now();
    let ids = create_all(&people, total);
    let seconds = start.elapsed().as_secs_f64();
    let created = resident_when_idle(&world);
    // A fresh process, so that the store's buffers for what was just written are not what is measured.
    assert!(world.server.terminate().unwrap().success());
    world.server.restart().unwrap();
    touch(&people, &ids, FEW / PEOPLE);
    let few = resident_when_idle(&world);
    touch(&people, &ids, total);
    let many = resident_when_idle(&world);
    touch(&people, &ids, total);
    let again = resident_when_idle(&world);
    println!(
        "passivation: {total} created in {seconds:.1} s, then {} KiB resident; started again, {} KiB after touching {FEW}, \
         {} KiB after all, {} KiB after all once more",
        created / 1024,
        few / 1024,
        many / 1024,
        again / 1024
    );
    assert!(world.metric("passivations") >= 2 * total as u64, "each was in memory and has left it");
    assert!(many <= few + FIRST_TOUCH_BYTES, "{} bytes more after many than after few", many - few);
    assert!(again <= many + NOISE_BYTES, "{} bytes more each time", again - many);
    world.assert_no_errors();
}

/// The resident memory when no conversation and no account is in memory.
fn resident_when_idle(world: &World) -> u64 {
    await_fact("idle server", IDLE_WAIT, || {
        world.metric("conversations_active") == 0 && world.metric("accounts_active") == 0
    });
    world.server.resident_bytes().unwrap()
}

/// Creates conversations, two people at a time, and gives everybody's.
fn create_all(people: &[User], total: usize) -> Vec<Vec<String>> {
    let each = total / people.len();
    let create = |user: &User| {
        let events: Vec<Event> =
            (0..each).map(|n| Event::new("conv:create", json!({"topic": format!("Number {n}")}))).collect();
        let requests = events.chunks(BATCH).flat_map(|batch| store(user, batch));
        let id = |request: Record| request["identifier"]["conversation_id"].as_str().unwrap().to_owned();
        requests.map(id).collect::<Vec<String>>()
    };
    std::thread::scope(|scope| {
        let halves = people.chunks(people.len() / 2);
        let threads: Vec<_> =
            halves.map(|half| scope.spawn(move || half.iter().map(create).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

/// Asks for the first so many conversations of each person.
fn touch(people: &[User], ids: &[Vec<String>], each: usize) {
    for (user, ids) in people.iter().zip(ids) {
        let get = |id: &String| Event::new("conv:get", json!({ "conversation_id": id }));
        let events: Vec<Event> = ids.iter().take(each).map(get).collect();
        events.chunks(BATCH).for_each(|batch| drop(store(user, batch)));
    }
}

/// Submits events that must all be carried out, and gives their request records.
fn store(user: &User, events: &[Event]) -> Vec<Record> {
    let to_json = |event: &Event| json!({"client_req_id": event.client_req_id, "mk_event_type": event.urn, "params": event.params});
    let stream: Vec<_> = events.iter().map(to_json).collect();
    let answer =
        user.http_post("/api/event/store", json!({ "stream": stream })).unwrap().ok("event/store").unwrap();
    let requests = list(&answer.json, "requests");
    let done = requests.iter().filter(|request| number(request, "status_code") == Some(200)).count();
    assert_eq!(done, events.len(), "{}", answer.body.chars().take(500).collect::<String>());
    requests
}

#[test]
fn a_conversation_that_was_idle_is_as_it_was() {
    let world = World::start(&["--idle-ms", "200"]);
    let mut ann = world.person("Ann").connect(0).unwrap();
    let room = crate::world::create(&mut ann, "Asleep", &[]);
    for number in 2..10 {
        assert_eq!(crate::world::post(&mut ann, &room, "before"), number);
    }
    await_fact("idle conversation", IDLE_WAIT, || world.metric("conversations_active") == 0);
    assert_eq!(crate::world::post(&mut ann, &room, "after"), 10);
    crate::world::assert_like_a_fresh_sync(&mut ann);
    world.assert_no_errors();
}
