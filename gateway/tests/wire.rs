//! The wire scenarios: `wire/<noun>/<verb>.txt` says what an event does, played against a real server over a WebSocket and again over
//! long poll.
//!
//! Owns: finding the scenarios, playing them side by side, the report. It has a `main` of its own (`harness = false`), because a scenario
//! is a file and not a function, and because the server has to end with the run. Not here: the grammar's reading ([`script`]), its
//! meaning ([`play`]).
//!
//! # The grammar
//!
//! The first comment is the promise that the report prints. A line that begins with a blank goes on with the one before it.
//!
//! | line | meaning |
//! | --- | --- |
//! | `people alice bob alice.phone` | who is there, each a fresh account and connected; `alice.phone` is one more login of alice |
//! | `alice> conv:create {…}` | submits an event and waits for its answer |
//! | `alice again> conv:create {…}` | the same with the `client_req_id` of alice's last event |
//! | `alice 9 times> conv:create {…}` | submits it nine times, and looks at the last answer; those before it must be 200 |
//! | `alice> POST team/sync/${t} {…}` | makes the HTTP call below `/api/`, with alice's token and ticket, and waits for its answer |
//! | `→ 200 {…}` | the outcome of the event above, and its `identifier` in full; a line that every event needs |
//! | `→ 200 {…} cursor $next` | the same, and the `sync_cursor` that it goes on from; `null` at the end of a list |
//! | `alice> PUT a.txt "…"` | uploads a file of that name and content |
//! | `alice> GET ${url}` | reads a path |
//! | `→ 200`, `→ 200 {…}` | the outcome of the call above, and fields of its body (of an upload, those of the file; of a reading, `body`, `content_type`, `disposition`); `alice<` lines take its records: `header`, `headers`, `matches`, `conversations`, `contacts`, `stream` |
//! | `→ 431 has_left` | the same for a refusal: its `error_id`, and perhaps a part of its message in backticks |
//! | `alice< conv F {…} has a b lacks c` | the next record of the answer |
//! | `alice< nothing` | the answer holds no further record |
//! | `bob<< message {…}` | bob is pushed that record, after those that the lines above took; others may lie in between |
//! | `bob<< nothing` | nothing is left that bob was pushed: shown by a question to each conversation's owner that comes back behind it all |
//! | `all settle` | everybody takes in what is under way, and forgets it |
//! | `bob disconnects`, `bob connects`, `bob reconnects` | with the horizon that he has |
//! | `bob is mailed $link` | the newest letter to him comes to have a link, and the name stands for what it carries |
//! | `bob is cut off` | his login has ended: his socket is closed with 1008, his polls are answered with 401 |
//! | `bob is gone` | the same, and for good: his account is closed, and he has no picture in the end |
//! | `bob header $c read 4 unread 0` | the header in bob's picture comes to say this; the words are those of [`keys::WORDS`] |
//! | `bob holds $c 1 2 4` | bob's picture comes to hold exactly these messages |
//! | `bob loads everything` | asks for what his picture lacks, forward and backward |
//! | `picture bob equals fresh sync` | what bob was sent comes to the same as an initial sync |
//!
//! A record matches when it has every field of the pattern with an equal value. `@bob` is his account id, `@bob.email` his address;
//! `$c` is any value the first time, which it stands for from then on; `*` is any value; `absent` says that there is no such field;
//! `text(9)` is a text of nine letters; a text in backticks needs no escapes. Inside of texts it is `@{bob}` and `${c}`, and `${elsewhere}` is
//! a web server from which files can be fetched. Lists of texts
//! are sets. `U`, `F` and `N` after `conv` ask for that key set exactly (conversations.md §5.1).
//!
//! `cargo test -p rill-gateway --test wire -- --nodes 3` plays them on nodes that share a PostgreSQL and a Redis: whoever meets in a
//! scenario is on different nodes, and what they have in common is owned by any of them.
//!
//! Every scenario ends with each person's picture compared to a fresh sync, whether it says so or not. When all have ended, the
//! server is killed with `kill -9` and started again, and everybody's pictures are compared once more ([`remains`]).

#![allow(clippy::print_stdout, reason = "the report of a test run goes to standard output")]

#[path = "wire/chosen.rs"]
mod chosen;
#[path = "wire/compare.rs"]
mod compare;
#[path = "wire/complaint.rs"]
mod complaint;
#[expect(dead_code, reason = "it counts for the tests of the process")]
#[path = "wire/elsewhere.rs"]
mod elsewhere;
#[path = "wire/ground.rs"]
mod ground;
#[path = "wire/history.rs"]
mod history;
#[path = "wire/keys.rs"]
mod keys;
#[path = "wire/letter.rs"]
mod letter;
#[path = "wire/manual.rs"]
mod manual;
#[path = "wire/pattern.rs"]
mod pattern;
#[path = "wire/person.rs"]
mod person;
#[path = "wire/play.rs"]
mod play;
#[path = "wire/remains.rs"]
mod remains;
#[expect(dead_code, reason = "the tests of the process draw their own seeds")]
#[path = "server/rng.rs"]
mod rng;
#[path = "wire/script.rs"]
mod script;
#[path = "wire/selfcheck.rs"]
mod selfcheck;
#[path = "wire/stems.rs"]
mod stems;
#[path = "wire/value.rs"]
mod value;

use complaint::Complaint;
use ground::Ground;
use person::Transport;
use remains::Remains;
use rill_loadtest::metrics;
use script::Script;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

/// How many scenarios are played side by side. They mostly wait, and more than two cores' worth of them fills the waits.
const SIDE_BY_SIDE: usize = 4;

/// How a promise is shown; scenarios leave something behind.
type Proof = dyn Fn(&Ground) -> Result<Vec<Remains>, Complaint> + Send + Sync;

/// One thing to be shown.
struct Promise {
    name: String,
    proof: Box<Proof>,
}

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let (mut promises, broken) = promises(&folder);
    promises.retain(|promise| chosen::is_wanted(&promise.name));
    if std::env::args().any(|arg| arg == "--list") {
        promises.iter().for_each(|promise| println!("{}: test", promise.name));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} promises of the wire", promises.len() + broken.len());
    let mut failed = broken;
    if !promises.is_empty() {
        failed.extend(keep(&promises));
    }
    for (name, complaint) in &failed {
        println!("\n---- {name} ----\n{complaint}");
    }
    println!("\n{} broken, {} in all\n", failed.len(), promises.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everything that this run is to show, and the scenarios that cannot be read.
fn promises(folder: &Path) -> (Vec<Promise>, Vec<(String, Complaint)>) {
    let (mut promises, mut broken) = (selfcheck::promises(), Vec::new());
    let files = scenario_files(folder);
    let mut scripts = Vec::new();
    for (stem, path) in &files {
        let script = match Script::read(path) {
            Ok(script) => script,
            Err(complaint) => {
                broken.push((stem.clone(), complaint));
                continue;
            }
        };
        scripts.push(script.clone());
        for transport in [Transport::WebSocket, Transport::LongPoll] {
            let script = script.clone();
            promises.push(Promise {
                name: format!("{stem}: {} (over {transport})", script.promise),
                proof: Box::new(move |ground| play::play(ground, &script, transport)),
            });
        }
    }
    promises.extend(history::seeds().map(|seed| Promise {
        name: format!("history {seed}: the counters are those of the formulas, and nobody's picture differs from a fresh one"),
        proof: Box::new(move |ground| history::play(ground, seed)),
    }));
    let stems: Vec<String> = files.into_keys().collect();
    promises.push(Promise {
        name: "the catalogue: every event has its scenario".into(),
        proof: Box::new(move |_| stems::are_whole(&stems).map(|()| Vec::new())),
    });
    promises.push(Promise {
        name: "the manual: every event is carried out in the scenarios, and refused".into(),
        proof: Box::new(move |_| manual::is_shown(&scripts).map(|()| Vec::new())),
    });
    (promises, broken)
}

/// The scenarios by their stem, `<noun>/<verb>`.
fn scenario_files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut files = BTreeMap::new();
    let nouns = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for noun in nouns.map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let scenarios = std::fs::read_dir(&noun).into_iter().flatten().flatten();
        for path in scenarios.map(|entry| entry.path()) {
            let (Some(noun), Some(verb)) = (noun.file_name(), path.file_stem()) else {
                continue;
            };
            if path.extension().is_some_and(|extension| extension == "txt") {
                let stem = format!("{}/{}", noun.to_string_lossy(), verb.to_string_lossy());
                files.insert(stem, path);
            }
        }
    }
    files
}

/// How many nodes the run is to have: `--nodes 3`.
fn nodes() -> usize {
    let arguments: Vec<String> = std::env::args().collect();
    let after = arguments.iter().position(|argument| argument == "--nodes").map(|at| at + 1);
    after.and_then(|at| arguments.get(at)?.parse().ok()).unwrap_or(1)
}

/// Shows all of them against one server, or several nodes, and says which failed.
fn keep(promises: &[Promise]) -> Vec<(String, Complaint)> {
    let start = |what: &str, error: String| vec![(what.to_owned(), Complaint::new("a server", error))];
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return start("a temporary folder", error.to_string()),
    };
    let mut ground = match Ground::start(&folder.path().join("data"), nodes()) {
        Ok(ground) => ground,
        Err(failure) => return start("the servers", failure.to_string()),
    };
    let played = side_by_side(promises.iter().collect(), |promise| {
        let start = Instant::now();
        let outcome = (promise.proof)(&ground);
        let word = if outcome.is_ok() { "ok" } else { "BROKEN" };
        println!("{} ... {word} ({} ms)", promise.name, start.elapsed().as_millis());
        outcome.map_err(|complaint| (promise.name.clone(), complaint))
    });
    let (mut remains, mut failed) = (Vec::new(), Vec::new());
    for outcome in played {
        match outcome {
            Ok(left) => remains.extend(left),
            Err(failure) => failed.push(failure),
        }
    }
    failed.extend(outlive_a_crash(&mut ground, remains));
    failed
}

/// Kills the server, starts it again, and says of whom it has lost something.
fn outlive_a_crash(ground: &mut Ground, remains: Vec<Remains>) -> Vec<(String, Complaint)> {
    let name = "kill -9: every scenario's end is still there, and every client catches up with it";
    let start = Instant::now();
    let slept = match metrics::scrape(&ground.url()) {
        Ok(metrics) => metrics.get("rill_passivations_total").copied().unwrap_or(0.0),
        Err(failure) => return vec![(name.to_owned(), failure.into())],
    };
    if let Err(failure) = ground.restart() {
        return vec![(name.to_owned(), failure.into())];
    }
    let (people, restarted) = (remains.len(), start.elapsed().as_millis());
    let compared = side_by_side(remains, Remains::outlive_the_crash);
    let pictures: usize = compared.iter().flatten().sum();
    let mut failed: Vec<_> =
        compared.into_iter().filter_map(|outcome| Some((name.to_owned(), outcome.err()?))).collect();
    failed.extend(ground.is_clean().err().map(|complaint| (name.to_owned(), complaint)));
    let word = if failed.is_empty() { "ok" } else { "BROKEN" };
    println!(
        "{name} ... {word} ({pictures} pictures of {people} people compared; owners had left memory {slept} times; {restarted} ms to start again, {} ms in all)",
        start.elapsed().as_millis()
    );
    failed
}

/// Does something with each, a few at a time; the outcomes come in the order in which they are ready.
fn side_by_side<T: Send, R: Send>(items: Vec<T>, deed: impl Fn(T) -> R + Sync) -> Vec<R> {
    let (left, done) = (Mutex::new(items.into_iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    // A poisoned lock means that a thread panicked, which the scope passes on.
                    let Some(item) = left.lock().ok().and_then(|mut left| left.next()) else {
                        return;
                    };
                    let outcome = deed(item);
                    if let Ok(mut done) = done.lock() {
                        done.push(outcome);
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_default()
}
