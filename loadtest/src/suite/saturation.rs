//! What deliveries cost when a server is given as much as it takes, and how much that is.
//!
//! Not here: latencies, which at saturation say how long the queue is ([`super::latency`]).

use super::{Suite, caveat, median};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::Bar;
use crate::scenario::{Pace, Scenario};

/// Members of a small conversation, of a pair.
pub(super) const FIVE: usize = 5;
pub(super) const PAIR: usize = 2;

/// Who writes in the one room, and how much each keeps unanswered: 64 messages under way, more than which makes no server faster.
const ROOM_WRITERS: usize = 16;
const ROOM_IN_FLIGHT: usize = 4;

/// The same where 200 conversations of five write, and where 500 pairs do.
const ROOMS_IN_FLIGHT: usize = 1;
const PAIRS_IN_FLIGHT: usize = 4;

/// Who writes in the hot room. Few enough that a message is out before the next comes: its cost is wanted, not the queue's.
const HOT_WRITERS: usize = 4;

/// The bars: CPU seconds for 100,000 deliveries, and how they stand to the floor of the same round.
const ROOM_CPU_S: f64 = 0.20;
const ROOM_RATIO: f64 = 1.7;
const ROOMS_CPU_S: f64 = 1.0;
const DURABLE_PER_S: f64 = 25_000.0;
const HOT_RATIO: f64 = 1.2;

/// Rill and both floors, with the same load and as many bytes for each delivery.
struct Round {
    rill: Outcome,
    floor: Outcome,
    logged: Outcome,
}

impl Suite {
    fn saturated(&self, name: &str, conversations: usize, members: usize) -> Result<Scenario, Failure> {
        Ok(Scenario {
            name: name.to_owned(),
            conversations,
            members,
            writers: members,
            pace: Pace::Saturate { in_flight: ROOMS_IN_FLIGHT },
            warm_up_s: self.size.warm_up_s,
            measure_s: self.size.measure_s,
            ..Scenario::bundled("rooms")?
        })
    }

    fn rounds(&mut self, scenario: &Scenario) -> Result<Vec<Round>, Failure> {
        let mut rounds = Vec::new();
        for _ in 0..self.size.rounds {
            let rill = self.load(scenario)?;
            let bytes = rill.bytes_per_delivery() as usize;
            let floor = self.workshop.against_floor(scenario, bytes, false)?;
            let floor = self.keep(floor)?;
            let logged = self.workshop.against_floor(scenario, bytes, true)?;
            let logged = self.keep(logged)?;
            rounds.push(Round { rill, floor, logged });
        }
        Ok(rounds)
    }
}

/// The median over the rounds.
fn middle(rounds: &[Round], value: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
    median(rounds.iter().filter_map(value))
}

fn cpu(of: &Outcome) -> Option<f64> {
    of.cpu_per_100k_deliveries()
}

fn ratio(of: &Outcome, to: &Outcome) -> Option<f64> {
    cpu(of).zip(cpu(to)).map(|(of, to)| of / to)
}

/// What the floors of the rounds came to.
fn floors(rounds: &[Round]) -> String {
    let said = |value: Option<f64>| value.map_or("not measured".to_owned(), |value| format!("{value:.3} s"));
    let bare = said(middle(rounds, |round| cpu(&round.floor)));
    let logged = said(middle(rounds, |round| cpu(&round.logged)));
    let to_logged = middle(rounds, |round| ratio(&round.rill, &round.logged));
    let times = to_logged.map_or(String::new(), |times| format!(", of which it is {times:.2} ×"));
    format!("floor {bare}, floor with a synced log {logged}{times}")
}

fn all_rill(rounds: &[Round]) -> String {
    caveat(&rounds.iter().map(|round| &round.rill).collect::<Vec<_>>())
}

pub(super) fn one_room(suite: &mut Suite) -> Result<(), Failure> {
    let members = suite.size.room;
    let scenario = Scenario {
        writers: ROOM_WRITERS.min(members),
        pace: Pace::Saturate { in_flight: ROOM_IN_FLIGHT },
        ..suite.saturated("room", 1, members)?
    };
    let rounds = suite.rounds(&scenario)?;
    let note = format!("median of {} rounds; {}; {}", rounds.len(), floors(&rounds), all_rill(&rounds));
    let name = format!("CPU per 100,000 deliveries, room of {members} at saturation, durable and numbered");
    let value = middle(&rounds, |round| cpu(&round.rill));
    suite.tell(&name, value, "s", Some(Bar::AtMost(ROOM_CPU_S)), note);
    let value = middle(&rounds, |round| ratio(&round.rill, &round.floor));
    let note = "against the bare floor of the same round, which stores nothing".to_owned();
    suite.tell("the same as a multiple of the floor", value, "×", Some(Bar::AtMost(ROOM_RATIO)), note);
    Ok(())
}

pub(super) fn many_rooms(suite: &mut Suite) -> Result<(), Failure> {
    let conversations = suite.size.rooms;
    let scenario = suite.saturated("rooms", conversations, FIVE)?;
    let rounds = suite.rounds(&scenario)?;
    let of = |round: &Round| Some(round.rill.events_per_second());
    suite.saturated = middle(&rounds, of);
    let rate = suite.saturated.unwrap_or(0.0);
    let note = format!(
        "median of {} rounds, {rate:.0} messages/s; {}; {}",
        rounds.len(),
        floors(&rounds),
        all_rill(&rounds)
    );
    let name = format!(
        "CPU per 100,000 deliveries, {conversations} rooms of {FIVE} at saturation, durable and numbered"
    );
    let value = middle(&rounds, |round| cpu(&round.rill));
    suite.tell(&name, value, "s", Some(Bar::AtMost(ROOMS_CPU_S)), note);
    let value = middle(&rounds, |round| ratio(&round.rill, &round.floor));
    suite.tell("the same as a multiple of the floor, for many rooms", value, "×", None, String::new());
    Ok(())
}

pub(super) fn durable(suite: &mut Suite) -> Result<(), Failure> {
    let conversations = suite.size.pairs;
    let scenario = Scenario {
        writers: 1,
        pace: Pace::Saturate { in_flight: PAIRS_IN_FLIGHT },
        ..suite.saturated("pairs", conversations, PAIR)?
    };
    let outcome = suite.load(&scenario)?;
    let rate = outcome.events_per_second();
    let cores = outcome.window.cpu_s.map(|cpu| cpu / outcome.window.seconds);
    let by_core = cores.map_or(String::new(), |cores| {
        format!(
            "while the server had {cores:.2} cores and the load the rest; {:.0} for each CPU second of the server; ",
            rate / cores
        )
    });
    let name = format!("durable messages per second, {conversations} conversations of {PAIR}");
    let note = format!("{by_core}{}", caveat(&[&outcome]));
    suite.tell(&name, Some(rate), "messages/s", Some(Bar::AtLeast(DURABLE_PER_S)), note);
    Ok(())
}

pub(super) fn hot_room(suite: &mut Suite) -> Result<(), Failure> {
    let (members, online) = suite.size.hot;
    let room = |suite: &Suite, name: &str, members: usize| -> Result<Scenario, Failure> {
        let scenario = suite.saturated(name, 1, members)?;
        Ok(Scenario { sessions: members, online, writers: HOT_WRITERS, ..scenario })
    };
    let large = room(suite, "hot-room", members)?;
    let small = room(suite, "hot-room-all-online", online)?;
    let mut pairs = Vec::new();
    for _ in 0..suite.size.rounds.min(2) {
        pairs.push((suite.load(&large)?, suite.load(&small)?));
    }
    let ratios = pairs.iter().filter_map(|(large, small)| ratio(large, small));
    let value = median(ratios);
    let told = |of: Option<f64>| of.map_or("not measured".to_owned(), |cpu| format!("{cpu:.3} s"));
    let outcomes: Vec<&Outcome> = pairs.iter().flat_map(|(large, small)| [large, small]).collect();
    let note = format!(
        "CPU per 100,000 deliveries {} against {}; {}",
        told(median(pairs.iter().filter_map(|(large, _)| cpu(large)))),
        told(median(pairs.iter().filter_map(|(_, small)| cpu(small)))),
        caveat(&outcomes),
    );
    let name = format!(
        "hot room: cost per message with {members} members, {online} online, to {online} × {online} online"
    );
    suite.tell(&name, value, "×", Some(Bar::AtMost(HOT_RATIO)), note);
    Ok(())
}
