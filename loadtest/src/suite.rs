//! The suite: every figure that Rill is held to, one after the other, in one report.
//!
//! Owns: the order of the chapters and what they have in common. A chapter that cannot be carried out is told as a fault and does not keep
//! the others from it. Not here: how a load goes ([`crate::engine`]), how the report looks ([`crate::report`]).

mod codec;
mod cross_node;
mod fill;
mod growth;
mod latency;
mod memory;
mod saturation;
mod size;
mod storm;

use crate::command::show;
use crate::engine::conductor::Aim;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::report::{Bar, Figure, Report};
use crate::scenario::Scenario;
use crate::workshop::Workshop;
pub use size::Size;
use std::time::Instant;

/// A suite that is under way.
#[derive(Debug)]
pub struct Suite {
    workshop: Workshop,
    size: Size,
    /// The server that runs already; without one they are started here.
    aim: Option<Aim>,
    report: Report,
    /// Events a second that 200 × 5 came to at saturation: half of them is the rate of another chapter.
    saturated: Option<f64>,
}

/// A part of the suite, by its name: how many accounts it wants to find, and what it does.
type Chapter = (&'static str, fn(&Size) -> usize, fn(&mut Suite) -> Result<(), Failure>);

/// All of them. Those that need a quiet store come before the one that fills it; the cross-node chapter has accounts of its own.
const CHAPTERS: [Chapter; 10] = [
    ("memory of sessions", |size| size.sessions, memory::measure),
    ("one room at saturation", |size| size.room, saturation::one_room),
    ("many rooms at saturation", Size::in_rooms, saturation::many_rooms),
    ("durable messages", |size| size.pairs * saturation::PAIR, saturation::durable),
    ("latency at half of saturation", Size::in_rooms, latency::measure),
    ("reconnect storm", |size| size.dropped + storm::KEEPERS, storm::measure),
    ("hot room", |size| size.hot.0, saturation::hot_room),
    ("growth", Size::in_rooms, growth::measure),
    ("cross-node", |_| 0, cross_node::measure),
    ("reading an event", |_| 0, codec::measure),
];

/// Accounts that these chapters together want.
fn accounts(chapters: &[Chapter], size: &Size) -> usize {
    chapters.iter().map(|(_, wanted, _)| wanted(size)).max().unwrap_or(0)
}

impl Suite {
    /// One that has not begun. With an aim it loads the server there, and what wants a server of its own is left out.
    pub fn new(workshop: Workshop, size: Size, aim: Option<Aim>) -> Result<Self, Failure> {
        let mut report = Report::new(Machine::here(workshop.folder())?);
        report.server_version = match &aim {
            Some(aim) => format!("the server at {}", aim.base_url),
            None => workshop.server_version()?,
        };
        report.is_short = size.is_short;
        Ok(Self { workshop, size, aim, report, saturated: None })
    }

    /// Measures everything, or the chapters whose names contain one of these words.
    pub fn carry_out(mut self, only: &[String]) -> Result<Report, Failure> {
        let begun = Instant::now();
        let tell = |what: &str| eprintln!("suite, {:.0} s: {what}", begun.elapsed().as_secs_f64());
        let is_wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word.as_str()));
        let chapters: Vec<Chapter> = CHAPTERS.into_iter().filter(|(name, ..)| is_wanted(name)).collect();
        let accounts = accounts(&chapters, &self.size);
        let files = self.report.machine.open_files_max;
        tell(&format!("{accounts} accounts; {files} files may be open in a process"));
        match &self.aim {
            Some(aim) => self.workshop.prepare_at(aim, accounts)?,
            None => self.workshop.prepare(accounts)?,
        }
        self.report.only = only.to_vec();
        for (name, _, chapter) in chapters {
            tell(name);
            if let Err(failure) = chapter(&mut self) {
                eprintln!("suite: {name}: {failure}");
                self.report.faults.push(format!("{name}: {failure}"));
            }
        }
        self.report.took_s = begun.elapsed().as_secs_f64();
        Ok(self.report)
    }

    /// One run of a scenario against Rill.
    fn load(&mut self, scenario: &Scenario) -> Result<Outcome, Failure> {
        let outcome = match &self.aim {
            Some(aim) => self.workshop.against_aim(scenario, aim)?,
            None => self.workshop.against_server(scenario, &[])?,
        };
        self.keep(outcome)
    }

    /// One run of a scenario against servers that run.
    fn load_at(&mut self, scenario: &Scenario, aim: &Aim) -> Result<Outcome, Failure> {
        let outcome = self.workshop.against_aim(scenario, aim)?;
        self.keep(outcome)
    }

    fn keep(&mut self, outcome: Outcome) -> Result<Outcome, Failure> {
        show(&outcome)?;
        self.report.outcomes.push(outcome.clone());
        Ok(outcome)
    }

    /// Tells a figure.
    fn tell(&mut self, name: &str, value: Option<f64>, unit: &str, bar: Option<Bar>, note: String) {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        self.report.figures.push(Figure { name, value, unit, bar, note });
    }
}

/// The one in the middle; none of none.
fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// What has to be said of figures that come from a run that was not clean.
fn caveat(outcomes: &[&Outcome]) -> String {
    if outcomes.iter().all(|outcome| outcome.is_clean()) {
        return "every delivery verified".to_owned();
    }
    "NOT CLEAN: promises were broken, see the runs".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_makes_the_accounts_that_its_chapters_want() {
        assert_eq!(accounts(&CHAPTERS, &Size::full(20_000)), 15_000);
        assert_eq!(accounts(&CHAPTERS, &Size::full(4_096)), 10_020);
        assert_eq!(accounts(&CHAPTERS[1..5], &Size::full(20_000)), 1_000);
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median([3.0, 1.0, f64::NAN, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
    }
}
