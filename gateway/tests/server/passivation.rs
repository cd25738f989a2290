//! Conversations that were touched once and left idle cost no memory.
//!
//! Not here: what loading one again takes.

use std::time::{Duration, Instant};

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
/// What the process may have more after many than after few: the store's write buffers and its index of files, which have
/// bounds of their own, whatever the number of conversations.
const STORE_BYTES: u64 = 160 * 1024 * 1024;

#[test]
fn conversations_left_idle_cost_no_memory() {
    let total = if std::env::var_os(FULL_RUN).is_some() { FULL } else { QUICK };
    let world = World::start_alone(&["--idle-ms", "500"]);
    let people: Vec<User> = (0..PEOPLE).map(|n| world.person(&format!("Author{n}"))).collect();
    let (few, few_seconds) = touch(&world, &people, FEW);
    let (many, many_seconds) = touch(&world, &people, total - FEW);
    let grown = many.saturating_sub(few);
    println!(
        "passivation: {FEW} conversations in {few_seconds:.1} s, then {} KiB resident; {total} in {many_seconds:.1} s more, then {} KiB; {} bytes each",
        few / 1024,
        many / 1024,
        grown / (total - FEW) as u64
    );
    assert!(world.metric("passivations") >= total as u64, "each was in memory and has left it");
    assert!(grown <= STORE_BYTES, "{grown} bytes more");
    world.assert_no_errors();
}

/// Creates conversations, waits until nothing of them is in memory, and gives the resident memory and the seconds it took.
fn touch(world: &World, people: &[User], count: usize) -> (u64, f64) {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for half in people.chunks(PEOPLE / 2) {
            scope.spawn(move || create_in_turn(half, count / 2));
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    await_fact("idle server", IDLE_WAIT, || world.metric("conversations_active") == 0);
    (world.server.resident_bytes().unwrap(), seconds)
}

fn create_in_turn(people: &[User], count: usize) {
    for batch in 0..count.div_ceil(BATCH) {
        let topic = format!("Batch {batch}");
        let size = BATCH.min(count - batch * BATCH);
        let events: Vec<Event> =
            (0..size).map(|_| Event::new("conv:create", json!({ "topic": topic }))).collect();
        let stream: Vec<_> = events
            .iter()
            .map(|event| {
                json!({"client_req_id": event.client_req_id, "mk_event_type": event.urn, "params": event.params})
            })
            .collect();
        let user = &people[batch % people.len()];
        let answer = user
            .http_post("/api/event/store", json!({ "stream": stream }))
            .unwrap()
            .ok("event/store")
            .unwrap();
        let requests = rill_loadtest::record::list(&answer.json, "requests");
        let done =
            requests.iter().filter(|r| rill_loadtest::record::number(r, "status_code") == Some(200)).count();
        assert_eq!(done, size, "{}", answer.body.chars().take(500).collect::<String>());
    }
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
