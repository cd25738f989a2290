//! `kill -9` while everybody writes, twenty times over: nothing that was answered is lost, doubled or out of place. The same
//! on a store in PostgreSQL, in short.
//!
//! Not here: one writer ([`writer`]) and the accounts that are drawn up in the end ([`audit`]).

#[path = "crash/audit.rs"]
mod audit;
#[path = "crash/writer.rs"]
mod writer;

use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rill_loadtest::failure::Failure;
use rill_loadtest::postgres::Postgres;
use rill_loadtest::user::User;

use crate::rng::Rng;
use crate::world::{FACT_WAIT, World, create};
use writer::{Progress, Surroundings, Writer, shallow_differences};

const PEOPLE: usize = 8;
const CONVERSATIONS: usize = 6;
/// How many of the people begin in each conversation; the others are added on the way.
const FOUNDERS: usize = 5;
const ROUNDS: usize = 20;
/// The server's part is the same on either store, and the store has crash tests of its own.
const ROUNDS_ON_POSTGRES: usize = 2;
/// Every third person polls.
const POLLS_EVERY: usize = 3;
/// The process dies so many milliseconds after a round got going.
const LIFE_MS: (usize, usize) = (200, 900);
/// A round is going when so many of its events were answered.
const GOING: u64 = 20;

/// What the rounds share.
struct Rounds {
    count: usize,
    barrier: Barrier,
    progress: Progress,
}

#[test]
fn no_crash_loses_doubles_or_misplaces_an_answered_event() {
    crash(World::start_alone(&[]), ROUNDS, "crash");
}

#[test]
fn no_crash_on_postgresql_loses_doubles_or_misplaces_an_answered_event() {
    let postgres = Postgres::start().unwrap();
    crash(World::start_alone(&["--store", &postgres.url()]), ROUNDS_ON_POSTGRES, "crash-postgres");
}

fn crash(mut world: World, count: usize, name: &str) {
    let begin = Instant::now();
    let mut rng = Rng::printed(name);
    let people: Vec<User> = (0..PEOPLE).map(|n| world.person(&format!("Person{n}"))).collect();
    for number in 0..CONVERSATIONS {
        let members: Vec<&User> = (1..FOUNDERS).map(|n| &people[(number + n) % PEOPLE]).collect();
        create(&mut people[number].connect(0).unwrap(), &format!("Conversation {number}"), &members);
    }
    let ids: Vec<String> = people.iter().map(|user| user.account_id.clone()).collect();
    let writer = |(n, user): (usize, &User)| {
        let urls = vec![world.server.url()];
        let around = Surroundings { urls, may_end: is_death, may_be_unavailable: false, pause_max_ms: 0 };
        Writer::new(n, user.clone(), n % POLLS_EVERY == 2, rng.split(), ids.clone(), around)
    };
    let mut writers: Vec<Writer> = people.iter().enumerate().map(writer).collect();
    let rounds = Rounds { count, barrier: Barrier::new(PEOPLE + 1), progress: Progress::default() };
    std::thread::scope(|scope| {
        for writer in &mut writers {
            scope.spawn(|| live(writer, &rounds));
        }
        for round in 1..=rounds.count {
            kill_once(&mut world, &rounds, &mut rng, round);
        }
    });
    audit::draw_up(&mut writers).assert_clean(&format!("{name}: {count} rounds"), begin);
    world.assert_no_errors();
}

/// One writer's part of all rounds. It must come to each barrier whatever happens, so nothing in it panics.
fn live(writer: &mut Writer, rounds: &Rounds) {
    for round in 1..=rounds.count {
        rounds.barrier.wait();
        writer.write_until_it_breaks(&rounds.progress);
        writer.come_to_rest();
        rounds.barrier.wait();
        // All that was asked for has been answered to everybody: now the pictures must be equal.
        let lines = shallow_differences(writer).unwrap_or_else(|failure| vec![failure.to_string()]);
        let name = writer.name();
        writer.violations.extend(lines.into_iter().map(|line| format!("{name} after round {round}: {line}")));
    }
}

/// True when the connection ended as it does when the process is killed, or is not there.
fn is_death(failure: &Failure) -> bool {
    matches!(failure, Failure::Io(_)) || failure.close_code() == Some(1006)
}

fn kill_once(world: &mut World, rounds: &Rounds, rng: &mut Rng, round: usize) {
    let before = rounds.progress.answered.load(Ordering::Relaxed);
    rounds.barrier.wait();
    let start = Instant::now();
    while rounds.progress.answered.load(Ordering::Relaxed) < before + GOING && start.elapsed() < FACT_WAIT {
        std::thread::yield_now();
    }
    let life = Duration::from_millis((LIFE_MS.0 + rng.below(LIFE_MS.1 - LIFE_MS.0)) as u64);
    // No guess at when something is done: the moment is random on purpose.
    std::thread::sleep(life);
    let killed = Instant::now();
    world.server.kill9().unwrap();
    let answered = rounds.progress.answered.load(Ordering::Relaxed) - before;
    world.server.restart().unwrap();
    println!(
        "crash: round {round}, {answered} answered, dead after {life:?}, back after {:?}",
        killed.elapsed()
    );
    rounds.barrier.wait();
}
