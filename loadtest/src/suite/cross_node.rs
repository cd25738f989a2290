//! What a second node costs: whoever writes is on one, whoever reads is on the other.
//!
//! Held against the same load with everybody on one node, over a PostgreSQL and a Redis of their own each. Not here: how nodes are started
//! ([`crate::cluster`]), what faults among them do, which has tests of its own.

use super::saturation::FIVE;
use super::{Suite, caveat, median};
use crate::cluster::Cluster;
use crate::engine::conductor::{Aim, Beside};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::Bar;
use crate::scenario::{Pace, Scenario};

/// The bars: CPU seconds more for 10,000 messages, and how often as much for a delivered message.
const EXTRA_CPU_S: f64 = 1.0;
const RATIO: f64 = 1.6;

/// What the messages are counted in.
const MESSAGES: f64 = 10_000.0;

/// How often both are loaded in turn.
const TURNS: usize = 2;

/// Conversations that are tried at most while a node has nobody, one after the other. Each belongs to either node with the same chance, so
/// that one in 4,096 suites finds none that belongs to the other node.
const ALONE: usize = 12;

/// Messages of such a conversation that its writer keeps unanswered.
const ALONE_IN_FLIGHT: usize = 4;

/// What a node counts that is told something by another one.
const LETTERS: &str = "node 2: rill_link_letters_received_total";

/// The letters that the second node got in that run.
fn heard(outcome: &Outcome) -> Option<f64> {
    outcome.figures.get(LETTERS).copied()
}

pub(super) fn measure(suite: &mut Suite) -> Result<(), Failure> {
    if suite.aim.is_some() {
        tell_nothing(suite, "wants servers of its own");
        return Ok(());
    }
    let measured = sites(suite).and_then(|(one, two)| {
        costs(suite, &one, &two)?;
        alone(suite, &two)
    });
    if measured.is_err() {
        tell_nothing(suite, "could not be carried out");
    }
    measured
}

/// One node and two nodes, and accounts at both.
fn sites(suite: &mut Suite) -> Result<(Cluster, Cluster), Failure> {
    let accounts = suite.size.rooms * FIVE;
    let mut site = |nodes| {
        let cluster = suite.workshop.cluster(nodes)?;
        suite.workshop.prepare_at(&aim(&cluster), accounts)?;
        Ok::<Cluster, Failure>(cluster)
    };
    Ok((site(1)?, site(2)?))
}

/// Writers come to the first node, readers to the last.
fn aim(cluster: &Cluster) -> Aim {
    let mut aim = Aim::new("rill", cluster.nodes[0].url(), Some(cluster.nodes[0].pid()));
    let beside =
        |name: &str, pid: u32, base_url: Option<String>| Beside { name: name.to_owned(), pid, base_url };
    for (node, nr) in cluster.nodes.iter().zip(1..).skip(1) {
        aim.readers_url = Some(node.url());
        aim.beside.push(beside(&format!("node {nr}"), node.pid(), Some(node.url())));
    }
    aim.beside.push(beside("redis", cluster.redis.pid(), None));
    aim.beside.push(beside("postgres", cluster.postgres.pid(), None));
    aim
}

/// CPU seconds for 10,000 messages.
#[derive(Clone, Copy)]
struct Cost {
    /// Of the nodes and Redis.
    nodes: f64,
    postgres: f64,
}

impl Cost {
    fn of(outcome: &Outcome) -> Option<Self> {
        let beside = |name: &str| outcome.figures.get(&format!("{name}: cpu_s")).copied();
        let nodes = outcome.window.cpu_s? + beside("redis")? + beside("node 2").unwrap_or(0.0);
        let answered = outcome.window.answered;
        let each = |cpu_s: f64| cpu_s * MESSAGES / answered as f64;
        (answered > 0).then(|| Self { nodes: each(nodes), postgres: each(beside("postgres").unwrap_or(0.0)) })
    }
}

fn name_of(what: &str) -> String {
    format!("cross-node: {what}")
}

fn extra_name(rooms: usize) -> String {
    name_of(&format!(
        "extra CPU of all processes per 10,000 messages, writers of {rooms} × {FIVE} on one node, readers on the other"
    ))
}

const RATIO_NAME: &str = "CPU per delivered message, two nodes to one";
const ALONE_NAME: &str = "letters that a node without members gets of a conversation that is not its own";

fn tell_nothing(suite: &mut Suite, why: &str) {
    let rooms = suite.size.rooms;
    for (name, unit, bar) in [
        (extra_name(rooms), "s", EXTRA_CPU_S),
        (name_of(RATIO_NAME), "×", RATIO),
        (name_of(ALONE_NAME), "letters", 0.0),
    ] {
        if !suite.report.figures.iter().any(|figure| figure.name == name) {
            suite.tell(&name, None, unit, Some(Bar::AtMost(bar)), why.to_owned());
        }
    }
}

fn costs(suite: &mut Suite, one: &Cluster, two: &Cluster) -> Result<(), Failure> {
    let rooms = suite.size.rooms;
    let scenario = |name: &str| -> Result<Scenario, Failure> {
        Ok(Scenario {
            name: name.to_owned(),
            conversations: rooms,
            members: FIVE,
            writers: 1,
            pace: Pace::Open { rate: suite.size.cross_rate },
            warm_up_s: suite.size.warm_up_s,
            measure_s: suite.size.measure_s,
            ..Scenario::bundled("rooms")?
        })
    };
    let (here, there) = (scenario("one-node")?, scenario("two-nodes")?);
    let mut pairs = Vec::new();
    for _ in 0..suite.size.rounds.min(TURNS) {
        pairs.push((suite.load_at(&here, &aim(one))?, suite.load_at(&there, &aim(two))?));
    }
    let costs: Vec<(Cost, Cost)> =
        pairs.iter().filter_map(|(here, there)| Some((Cost::of(here)?, Cost::of(there)?))).collect();
    let all: Vec<&Outcome> = pairs.iter().flat_map(|(here, there)| [here, there]).collect();
    let middle = |values: Vec<f64>| median(values).unwrap_or(f64::NAN);
    let of = |cost: fn(&Cost) -> f64| {
        let here = middle(costs.iter().map(|(here, _)| cost(here)).collect());
        let there = middle(costs.iter().map(|(_, there)| cost(there)).collect());
        format!("{there:.2} s against {here:.2} s")
    };
    let note = format!(
        "{}, of the nodes and Redis; PostgreSQL had {} beside; {:.0} messages/s, open loop; {}",
        of(|cost| cost.nodes),
        of(|cost| cost.postgres),
        suite.size.cross_rate,
        caveat(&all)
    );
    let extra = median(costs.iter().map(|(here, there)| there.nodes - here.nodes));
    suite.tell(&extra_name(rooms), extra, "s", Some(Bar::AtMost(EXTRA_CPU_S)), note);
    let each = |outcome: &Outcome| {
        let messages = outcome.window.answered as f64;
        Some(Cost::of(outcome)?.nodes * messages / outcome.window.deliveries.max(1) as f64)
    };
    let ratio = median(pairs.iter().filter_map(|(here, there)| Some(each(there)? / each(here)?)));
    let note = "the nodes and Redis".to_owned();
    suite.tell(&name_of(RATIO_NAME), ratio, "×", Some(Bar::AtMost(RATIO)), note);
    Ok(())
}

/// Conversations one after the other whose members are all on the first node, until enough of them belong to it. Of those that belong to
/// the second it has to hear; of the others it must hear nothing.
fn alone(suite: &mut Suite, two: &Cluster) -> Result<(), Failure> {
    let aim = Aim { readers_url: None, ..aim(two) };
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for nr in 1..=ALONE {
        if others.len() >= suite.size.rounds {
            break;
        }
        let scenario = Scenario {
            name: format!("node-without-members-{nr}"),
            conversations: 1,
            members: FIVE,
            writers: 1,
            pace: Pace::Saturate { in_flight: ALONE_IN_FLIGHT },
            warm_up_s: suite.size.warm_up_s.min(0.5),
            measure_s: suite.size.measure_s.min(1.0),
            ..Scenario::bundled("rooms")?
        };
        let outcome = suite.load_at(&scenario, &aim)?;
        // A conversation of its own tells it of each message; the window and the look at the counters differ by a few.
        let is_own = heard(&outcome).is_some_and(|letters| letters * 2.0 >= outcome.window.answered as f64);
        if is_own { own.push(outcome) } else { others.push(outcome) }
    }
    let sum = |of: &[Outcome]| of.iter().filter_map(heard).sum::<f64>();
    let messages: u64 = others.iter().map(|outcome| outcome.window.answered).sum();
    let value = others.iter().all(|outcome| heard(outcome).is_some()) && !others.is_empty();
    let note = format!(
        "{messages} messages in {} conversations; {} others belong to it, though nobody is there, and sent it {:.0} letters; {}",
        others.len(),
        own.len(),
        sum(&own),
        caveat(&own.iter().chain(&others).collect::<Vec<_>>())
    );
    suite.tell(&name_of(ALONE_NAME), value.then(|| sum(&others)), "letters", Some(Bar::AtMost(0.0)), note);
    Ok(())
}
