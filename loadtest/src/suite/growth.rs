//! Whether a message costs the same, and memory stays, however much is stored.
//!
//! Not here: making the stored conversations ([`super::fill`]).

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::saturation::FIVE;
use super::{Suite, caveat, fill, median};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::process::Usage;
use crate::report::Bar;
use crate::scenario::{Pace, Scenario};
use crate::server::Server;

/// What a message may cost more, and what memory may be more, when a thousand times as much is stored.
const MORE: f64 = 1.1;

/// How often both are loaded in turn.
const TURNS: usize = 2;

/// Conversations in which messages are stored before.
const LONG_CONVERSATIONS: usize = 20;

/// A server has come to rest that used less than this of a core for so long: what was stored has been merged, which is part of what storing
/// it costs. It is not waited for longer than that.
const AT_REST: f64 = 0.05;
const LOOKED_AT: Duration = Duration::from_secs(2);
const REST_WAIT: Duration = Duration::from_secs(60);

/// A conversation leaves memory soon while they are made by the hundred thousand.
const FILL_ARGS: [&str; 2] = ["--idle-ms", "2000"];

pub(super) fn measure(suite: &mut Suite) -> Result<(), Failure> {
    messages(suite)?;
    if suite.aim.is_none() {
        return conversations(suite);
    }
    let (few, many) = suite.size.stored;
    let note = "wants servers of its own".to_owned();
    suite.tell(&conversations_name(few, many), None, "×", Some(Bar::AtMost(MORE)), note);
    Ok(())
}

fn conversations_name(few: usize, many: usize) -> String {
    format!("growth: cost per message with {many} conversations stored, to {few}")
}

fn conversations(suite: &mut Suite) -> Result<(), Failure> {
    let (few, many) = suite.size.stored;
    let scenario = Scenario {
        name: "grown".into(),
        conversations: suite.size.rooms,
        members: FIVE,
        writers: FIVE,
        pace: Pace::Saturate { in_flight: 1 },
        warm_up_s: suite.size.warm_up_s,
        measure_s: suite.size.measure_s,
        ..Scenario::bundled("rooms")?
    };
    let (mut small, _) = grown(suite, few)?;
    let (mut large, stored) = grown(suite, many)?;
    let mut pairs = Vec::new();
    for _ in 0..suite.size.rounds.min(TURNS) {
        let with_few = suite.workshop.against_this(&scenario, &mut small)?;
        let with_few = suite.keep(named(with_few, few))?;
        let with_many = suite.workshop.against_this(&scenario, &mut large)?;
        pairs.push((with_few, suite.keep(named(with_many, stored))?));
    }
    let ratio = |of: fn(&Outcome) -> Option<f64>| {
        median(
            pairs.iter().filter_map(move |(few, many)| of(few).zip(of(many)).map(|(few, many)| many / few)),
        )
    };
    let cpu = ratio(Outcome::cpu_per_100k_deliveries);
    let memory = ratio(|outcome| outcome.window.resident_bytes.map(|bytes| bytes as f64));
    let mb = |of: &Outcome| of.window.resident_bytes.unwrap_or(0) as f64 / 1e6;
    let last = pairs.last().map_or((0.0, 0.0), |(few, many)| (mb(few), mb(many)));
    let all: Vec<&Outcome> = pairs.iter().flat_map(|(few, many)| [few, many]).collect();
    let reached = if stored < many { format!("{many} were wanted, {}", caveat(&all)) } else { caveat(&all) };
    suite.tell(&conversations_name(few, stored), cpu, "×", Some(Bar::AtMost(MORE)), reached);
    let note = format!("{:.0} MB against {:.0} MB, each process started on what is stored", last.1, last.0);
    let name = "growth: memory of the server under the same load, with as many stored";
    suite.tell(name, memory, "×", Some(Bar::AtMost(MORE)), note);
    for server in [small, large] {
        let data = server.data_dir().to_owned();
        drop(server);
        // What cannot be removed goes with the workshop's folder.
        drop(std::fs::remove_dir_all(data));
    }
    Ok(())
}

/// A server that was started on so many stored conversations, and how many they are.
fn grown(suite: &Suite, conversations: usize) -> Result<(Server, usize), Failure> {
    let mut server = suite.workshop.server(&FILL_ARGS)?;
    let made = fill::fill(&server.url(), suite.workshop.accounts(), conversations, suite.size.fill_s)?;
    await_rest(&server)?;
    // A fresh process, so that the store's buffers for what was just written are not what is measured.
    let status = server.terminate()?;
    if !status.success() {
        return Err(Failure::Process(format!("ended with {status}")));
    }
    server.restart()?;
    await_rest(&server)?;
    Ok((server, made))
}

fn await_rest(server: &Server) -> Result<(), Failure> {
    let begun = Instant::now();
    while begun.elapsed() < REST_WAIT {
        let before = Usage::of(server.pid())?.cpu_s();
        sleep(LOOKED_AT);
        let used = Usage::of(server.pid())?.cpu_s() - before;
        if used < AT_REST * LOOKED_AT.as_secs_f64() {
            break;
        }
    }
    Ok(())
}

/// With what was stored in the name of the run.
fn named(mut outcome: Outcome, stored: usize) -> Outcome {
    outcome.scenario.name = format!("grown-{stored}");
    outcome
}

fn messages(suite: &mut Suite) -> Result<(), Failure> {
    let (few, many) = suite.size.messages;
    let scenario = |stored: f64| -> Result<Scenario, Failure> {
        Ok(Scenario {
            name: format!("long-{stored:.0}"),
            conversations: LONG_CONVERSATIONS,
            members: FIVE,
            writers: FIVE,
            stored,
            pace: Pace::Open { rate: suite.size.growth_rate },
            warm_up_s: suite.size.warm_up_s.min(1.0),
            measure_s: suite.size.measure_s,
            ..Scenario::bundled("rooms")?
        })
    };
    let (short, long) = (scenario(few)?, scenario(many)?);
    let mut pairs = Vec::new();
    for _ in 0..suite.size.rounds.min(TURNS) {
        pairs.push((suite.load(&short)?, suite.load(&long)?));
    }
    let ratios = pairs.iter().filter_map(|(short, long)| {
        let (short, long) = short.cpu_per_100k_deliveries().zip(long.cpu_per_100k_deliveries())?;
        Some(long / short)
    });
    let value = median(ratios);
    let all: Vec<&Outcome> = pairs.iter().flat_map(|(short, long)| [short, long]).collect();
    let note = format!(
        "{LONG_CONVERSATIONS} conversations of {FIVE}, {:.0} messages/s in both; {}",
        suite.size.growth_rate,
        caveat(&all)
    );
    let name = format!("growth: cost per message in conversations of {many:.0} messages, to {few:.0}");
    suite.tell(&name, value, "×", Some(Bar::AtMost(MORE)), note);
    Ok(())
}
