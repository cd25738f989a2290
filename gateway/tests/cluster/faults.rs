//! Everybody writes on three nodes behind HAProxy while faults come one after the other: nothing that was answered is lost, doubled or
//! out of place, and everybody's picture is whole in the end.
//!
//! What is drawn is drawn from `RILL_TEST_SEED`. `RILL_FAULTS=Store,Unstore` names the only faults that come. `RILL_FAULTS_FULL=4` makes
//! the long run of it, with 60 people and each fault four times. Not here: one writer, and the accounts that are drawn up in the end,
//! which the crash runs of one server have as well.

#[path = "../server/crash/audit.rs"]
mod audit;
#[path = "../server/crash/writer.rs"]
mod writer;

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rill_loadtest::failure::Failure;
use rill_loadtest::user::User;
use rill_loadtest::valve::Valve;

use crate::many::{Many, end};
use crate::rng::Rng;
use crate::world::{await_fact, create};
use writer::{Progress, Surroundings, Writer, shallow_differences};

/// For the long run: how often each fault comes.
pub(crate) const FULL_RUN: &str = "RILL_FAULTS_FULL";

/// Names the only faults that come, separated by commas: to look for the one that breaks something.
const CHOSEN: &str = "RILL_FAULTS";

/// Nodes: as few as leave a majority when one is away.
const NODES: usize = 3;

/// Every fourth person polls.
const POLLS_EVERY: usize = 4;

/// How many of the people are in each conversation.
const MEMBERS: usize = 6;

/// So many events are answered between two faults, after everybody has come back: something is under way.
const GOING: u64 = 40;

/// How far a clock goes wrong.
const HOUR_S: i64 = 3_600;

/// How long the whole may take to be whole again, on a machine that also compiles.
const HEAL_WAIT: Duration = Duration::from_secs(90);

/// How much happens.
struct Size {
    people: usize,
    conversations: usize,
    /// How often each fault comes by itself.
    each: usize,
    /// How many pairs of faults come at once.
    pairs: usize,
    /// How long a node stands still at most.
    pause_max_s: usize,
    /// How long a writer waits between two frames at most: what is written in the long run is compared with as well.
    write_pause_max_ms: usize,
}

const QUICK: Size =
    Size { people: 12, conversations: 6, each: 1, pairs: 1, pause_max_s: 4, write_pause_max_ms: 100 };
const FULL: Size =
    Size { people: 60, conversations: 30, each: 1, pairs: 1, pause_max_s: 30, write_pause_max_ms: 8_000 };

/// How it goes.
#[derive(Default)]
struct Course {
    progress: Progress,
    /// So many people have lost their connections and are on their way back.
    away: AtomicUsize,
}

/// What happens to the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// A node is killed and started again.
    Kill,
    /// A node stands still for a while, and goes on.
    Pause,
    /// A node is asked to end, and started again.
    Drain,
    /// All nodes are, one after the other.
    Roll,
    /// Redis is killed and started again.
    Redis,
    /// PostgreSQL is.
    Store,
    /// A node is cut off from Redis, and so from the others, for a while.
    Unlink,
    /// A node is cut off from PostgreSQL for a while.
    Unstore,
    /// A node's cable is pulled, and plugged in again after a while.
    Cable,
    /// A node's clock goes an hour forwards or backwards, and after a while back.
    Clock,
    /// Some people do not read for a while.
    Sleep,
}

const FAULTS: [Fault; 11] = [
    Fault::Kill,
    Fault::Pause,
    Fault::Drain,
    Fault::Roll,
    Fault::Redis,
    Fault::Store,
    Fault::Unlink,
    Fault::Unstore,
    Fault::Cable,
    Fault::Clock,
    Fault::Sleep,
];

#[test]
fn no_fault_of_a_cluster_loses_doubles_or_misplaces_an_answered_event() {
    let size = size();
    let begin = Instant::now();
    let mut many = Many::start_apart(NODES);
    let mut rng = Rng::printed("faults");
    let people: Vec<User> = (0..size.people).map(|number| many.person(number)).collect();
    for number in 0..size.conversations {
        let members: Vec<&User> = (1..MEMBERS).map(|n| &people[(number * 2 + n) % size.people]).collect();
        let founder = &people[number * 2 % size.people];
        create(&mut founder.connect(0).unwrap(), &format!("Conversation {number}"), &members);
    }
    let mut writers = writers(&many, &people, &size, &mut rng);
    let course = Course::default();
    let injected = std::thread::scope(|scope| {
        for writer in &mut writers {
            scope.spawn(|| live(writer, &course));
        }
        let injected = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            disturb(&mut many, &course, &mut rng, &size)
        }));
        // Or the writers would go on for ever.
        course.progress.is_over.store(true, Ordering::Relaxed);
        injected.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    await_equal_pictures(&mut writers);
    audit::draw_up(&mut writers).assert_clean(&format!("faults at {}: {injected} injected", commit()), begin);
    many.assert_no_panics();
}

/// What is tested, as far as this is a checkout.
fn commit() -> String {
    let described = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let described = described.ok().filter(|output| output.status.success());
    let text = described.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "no commit".to_owned(), |text| format!("commit {}", text.trim()))
}

fn size() -> Size {
    let Ok(each) = std::env::var(FULL_RUN) else { return QUICK };
    let each = each.parse().unwrap_or_else(|_| panic!("{FULL_RUN} is to say how often each fault comes"));
    Size { each, pairs: each, ..FULL }
}

fn writers(many: &Many, people: &[User], size: &Size, rng: &mut Rng) -> Vec<Writer> {
    let ids: Vec<String> = people.iter().map(|user| user.account_id.clone()).collect();
    let writer = |(n, user): (usize, &User)| {
        let polls = n % POLLS_EVERY == 2;
        let is_orderly = chosen().iter().all(|fault| matches!(fault, Fault::Drain | Fault::Roll));
        let may_end = if is_orderly { may_end_in_order } else { may_end };
        let around = Surroundings {
            urls: many.urls(),
            may_end,
            may_be_unavailable: true,
            pause_max_ms: size.write_pause_max_ms,
        };
        Writer::new(n, user.clone(), polls, rng.split(), ids.clone(), around)
    };
    people.iter().enumerate().map(writer).collect()
}

/// How a connection may end in a cluster: with its node, because its node ends, or because its client was not reading.
fn may_end(failure: &Failure) -> bool {
    is_away(failure) || matches!(failure.close_code(), Some(1006 | 1012 | 1013 | 4429))
}

/// The same where nodes do nothing but end and start again.
fn may_end_in_order(failure: &Failure) -> bool {
    is_away(failure) || failure.close_code() == Some(1012)
}

/// Nobody is there just now who could be asked. The proxy says so of a node that is gone while it is asked, when it knows of no other one
/// that is ready yet.
fn is_away(failure: &Failure) -> bool {
    matches!(failure, Failure::Io(_) | Failure::TimedOut { .. } | Failure::Http { status: 502 | 503, .. })
}

/// One writer's life. It ends whatever happens, so nothing in it panics.
fn live(writer: &mut Writer, Course { progress, away }: &Course) {
    while !progress.is_over.load(Ordering::Relaxed) {
        writer.write_until_it_breaks(progress);
        if !progress.is_over.load(Ordering::Relaxed) {
            away.fetch_add(1, Ordering::Relaxed);
            writer.come_back();
            away.fetch_sub(1, Ordering::Relaxed);
        }
    }
    writer.come_to_rest();
}

/// Injects one fault after the other. Answers how many.
fn disturb(many: &mut Many, course: &Course, rng: &mut Rng, size: &Size) -> usize {
    let chosen = chosen();
    let mut faults: Vec<Vec<Fault>> = Vec::new();
    for _ in 0..size.each {
        faults.extend(chosen.iter().map(|fault| vec![*fault]));
    }
    for _ in 0..size.pairs {
        faults.push(vec![*rng.pick(&chosen), *rng.pick(&chosen)]);
    }
    let mut count = 0;
    for faults in faults {
        await_going(course);
        let start = Instant::now();
        for fault in &faults {
            inject(*fault, many, &course.progress, rng, size);
        }
        let injected = start.elapsed();
        many.cluster.await_ready(HEAL_WAIT).unwrap();
        println!("faults: {faults:?} took {injected:.1?}, all ready after {:.1?}", start.elapsed());
        count += faults.len();
    }
    await_going(course);
    count
}

fn chosen() -> Vec<Fault> {
    let Ok(names) = std::env::var(CHOSEN) else { return FAULTS.into() };
    let chosen = |fault: &Fault| names.split(',').any(|name| name == format!("{fault:?}"));
    let chosen: Vec<Fault> = FAULTS.into_iter().filter(chosen).collect();
    assert!(!chosen.is_empty(), "{CHOSEN} is to name some of {FAULTS:?}");
    chosen
}

fn await_going(Course { progress, away }: &Course) {
    let answered = || progress.answered.load(Ordering::Relaxed);
    await_fact("everybody back", HEAL_WAIT, || away.load(Ordering::Relaxed) == 0);
    let before = answered();
    await_fact("events that are answered", HEAL_WAIT, || answered() >= before + GOING);
}

fn inject(fault: Fault, many: &mut Many, progress: &Progress, rng: &mut Rng, size: &Size) {
    let place = rng.below(NODES);
    let cluster = &mut many.cluster;
    match fault {
        Fault::Clock => {
            many.set_clock(place, if rng.below(2) == 0 { HOUR_S } else { -HOUR_S });
            pause(rng, size.pause_max_s * 1_000);
            many.set_clock(place, 0);
        }
        Fault::Cable => {
            many.pull(place);
            pause(rng, size.pause_max_s * 1_000);
            many.plug_in(place);
        }
        Fault::Unlink => cut(&cluster.valves[place].redis, rng, size),
        Fault::Unstore => cut(&cluster.valves[place].postgres, rng, size),
        Fault::Kill => {
            cluster.nodes[place].kill9().unwrap();
            pause(rng, 3_000);
            cluster.nodes[place].restart().unwrap();
        }
        Fault::Pause => {
            cluster.nodes[place].stand_still().unwrap();
            pause(rng, size.pause_max_s * 1_000);
            cluster.nodes[place].signal("CONT").unwrap();
        }
        Fault::Drain => {
            end(&mut cluster.nodes[place]);
            cluster.nodes[place].restart().unwrap();
        }
        Fault::Roll => {
            for place in 0..NODES {
                end(&mut cluster.nodes[place]);
                cluster.nodes[place].restart().unwrap();
                cluster.await_ready(HEAL_WAIT).unwrap();
            }
        }
        Fault::Redis => {
            cluster.redis.kill9().unwrap();
            pause(rng, 2_000);
            cluster.redis.restart().unwrap();
        }
        Fault::Store => {
            cluster.postgres.kill9().unwrap();
            // Long enough, now and then, for what is being written to be given up.
            pause(rng, 2 * size.pause_max_s * 1_000);
            cluster.postgres.restart().unwrap();
        }
        Fault::Sleep => {
            progress.tired.fetch_add(3, Ordering::Relaxed);
            await_fact("people who are asleep", HEAL_WAIT, || progress.tired.load(Ordering::Relaxed) == 0);
        }
    }
}

fn cut(valve: &Valve, rng: &mut Rng, size: &Size) {
    valve.close();
    pause(rng, size.pause_max_s * 1_000);
    valve.open();
}

/// No guess at when something is done: how long a fault lasts is random on purpose.
fn pause(rng: &mut Rng, up_to_ms: usize) {
    std::thread::sleep(Duration::from_millis(rng.below(up_to_ms) as u64));
}

/// All that was asked for has been answered, and the nodes are whole: now everybody has what there is before long.
fn await_equal_pictures(writers: &mut [Writer]) {
    std::thread::scope(|scope| {
        for writer in writers {
            scope.spawn(|| {
                let start = Instant::now();
                loop {
                    let lines = match shallow_differences(writer) {
                        Ok(lines) => lines,
                        // A node may only now find out that it was put out.
                        Err(failure) => {
                            writer.hang_up(&failure);
                            writer.come_back();
                            vec![failure.to_string()]
                        }
                    };
                    if lines.is_empty() {
                        return;
                    }
                    if start.elapsed() > HEAL_WAIT {
                        let name = writer.name();
                        let lines =
                            lines.iter().take(3).map(|line| format!("{name} after {HEAL_WAIT:?}: {line}"));
                        return writer.violations.extend(lines);
                    }
                    // What other nodes have told is on its way.
                    if let Some(session) = writer.session() {
                        drop(session.receive(Duration::from_millis(100)));
                    }
                }
            });
        }
    });
}
