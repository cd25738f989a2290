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
/// The store's cache of what it read fills up to its bound, of many conversations sooner than of few: small, so that it
/// is full after few and not what is measured.
const CACHE_MIB: &str = "2";
/// What touching many may cost beyond touching few: nothing, but the pages of an allocator do not come and go one by one.
const NOISE_BYTES: u64 = 4 * 1024 * 1024;

#[test]
fn conversations_left_idle_cost_no_memory() {
    let total = if std::env::var_os(FULL_RUN).is_some() { FULL } else { QUICK };
    let mut world = World::start_alone(&["--idle-ms", "200", "--store-cache-mib", CACHE_MIB]);
    let people: Vec<User> = (0..PEOPLE).map(|n| world.person(&format!("Author{n}"))).collect();
    let start = Instant::now();
    let ids = create_all(&people, total);
    let seconds = start.elapsed().as_secs_f64();
    await_idle(&world);
    let created = world.server.resident_bytes().unwrap();
    // A fresh process, so that the store's buffers for what was just written are not what is measured.
    assert!(world.server.terminate().unwrap().success());
    world.server.restart().unwrap();
    let few = resident_after_touching(&world, &people, &ids, FEW);
    let many = resident_after_touching(&world, &people, &ids, total);
    println!(
        "passivation: {total} created in {seconds:.1} s, then {} KiB resident; started again, {} KiB after touching {FEW}, \
         {} KiB after touching {total}",
        created / 1024,
        few / 1024,
        many / 1024,
    );
    assert!(world.metric("passivations") >= total as u64, "each was in memory and has left it");
    assert!(many <= few + NOISE_BYTES, "{} bytes more after many than after few", many - few);
    world.assert_no_errors();
}

/// The resident memory after so many conversations were touched, [`FEW`] at a time, and left idle.
///
/// The next are touched when those are idle: what is measured is how many there are, not how many are awake at once (an
/// allocator keeps the pages that its busiest moment took).
fn resident_after_touching(world: &World, people: &[User], ids: &[Vec<String>], total: usize) -> u64 {
    for slice in 0..total / FEW {
        for (user, ids) in people.iter().zip(ids) {
            touch(user, ids.chunks(FEW / PEOPLE).nth(slice).unwrap());
        }
        await_idle(world);
    }
    world.server.resident_bytes().unwrap()
}

/// No conversation and no account is in memory.
fn await_idle(world: &World) {
    await_fact("idle server", IDLE_WAIT, || {
        world.metric("conversations_active") == 0 && world.metric("accounts_active") == 0
    });
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

/// Asks for conversations of a person.
fn touch(user: &User, ids: &[String]) {
    let get = |id: &String| Event::new("conv:get", json!({ "conversation_id": id }));
    let events: Vec<Event> = ids.iter().map(get).collect();
    events.chunks(BATCH).for_each(|batch| drop(store(user, batch)));
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

#[test]
fn ids_that_somebody_makes_up_cost_memory_for_a_moment_only() {
    let world = World::start(&[]);
    let user = world.person("Ann");
    let id = || uuid::Uuid::new_v4().to_string();
    let mut events: Vec<Event> =
        (0..BATCH - 1).map(|_| Event::new("conv:get", json!({ "conversation_id": id() }))).collect();
    let account_ids: Vec<String> = (0..500).map(|_| id()).collect();
    events.push(Event::new("contact:sync_activity", json!({ "account_ids": account_ids })));
    let to_json = |event: &Event| json!({"client_req_id": event.client_req_id, "mk_event_type": event.urn, "params": event.params});
    let stream: Vec<_> = events.iter().map(to_json).collect();
    user.http_post("/api/event/store", json!({ "stream": stream })).unwrap().ok("event/store").unwrap();
    assert!(
        world.metric("activations") >= (events.len() + account_ids.len()) as u64 - 1,
        "each had an owner"
    );
    // Her own account stays for the minute that an account stays by default.
    await_fact("forgotten ids", Duration::from_secs(20), || {
        world.metric("conversations_active") == 0 && world.metric("accounts_active") <= 1
    });
    world.assert_no_errors();
}
