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

/// A part of the suite.
type Chapter = fn(&mut Suite) -> Result<(), Failure>;

/// All of them. Those that need a quiet store come before the one that fills it.
const CHAPTERS: [(&str, Chapter); 10] = [
    ("memory of sessions", memory::measure),
    ("one room at saturation", saturation::one_room),
    ("many rooms at saturation", saturation::many_rooms),
    ("durable messages", saturation::durable),
    ("latency at half of saturation", latency::measure),
    ("reconnect storm", storm::measure),
    ("hot room", saturation::hot_room),
    ("growth", growth::measure),
    ("cross-node", cross_node::measure),
    ("reading an event", codec::measure),
];

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
        tell(&format!(
            "{} accounts; {} files may be open in a process",
            self.size.accounts(),
            self.report.machine.open_files_max
        ));
        match &self.aim {
            Some(aim) => self.workshop.prepare_at(aim, self.size.accounts())?,
            None => self.workshop.prepare(self.size.accounts())?,
        }
        let is_wanted = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word.as_str()));
        for (name, chapter) in CHAPTERS.into_iter().filter(|(name, _)| is_wanted(name)) {
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
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median([3.0, 1.0, f64::NAN, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
    }
}
