//! The highest rate at which a server still meets an objective.
//!
//! Not here: a single rate's run ([`crate::engine`]).

use super::Verdict;
use super::run::{Run, show};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::report::Report;
use crate::scenario::{Pace, Scenario};
use clap::Args;
use std::io::Write;

/// A rate that was kept by less than this share of its events was not kept.
const KEPT_SHARE_MIN: f64 = 0.98;

/// Raises the rate step by step.
#[derive(Debug, Args)]
pub struct FindMax {
    /// The factor from one rate to the next
    #[arg(long, default_value_t = 1.5)]
    factor: f64,
    /// The objective: the 99th percentile of deliveries, in milliseconds
    #[arg(long, default_value_t = 50.0)]
    p99_ms: f64,
    /// Rates to try at most
    #[arg(long, default_value_t = 12)]
    steps: usize,
    #[command(flatten)]
    run: Run,
}

impl FindMax {
    pub(super) fn carry_out(&self) -> Result<Verdict, Failure> {
        let scenario = self.run.change.apply(Scenario::bundled("find-max")?);
        let Pace::Open { mut rate } = scenario.pace else {
            return Err(Failure::Plan("a rate is raised, so that it must be an open loop".into()));
        };
        if self.factor <= 1.0 {
            return Err(Failure::Plan("the factor is above 1".into()));
        }
        let mut workshop = self.run.place.workshop()?;
        let mut report = Report::new(Machine::here(workshop.folder())?);
        if self.run.url().is_none() {
            workshop.prepare(scenario.sessions())?;
        }
        let (mut met, mut broken) = (None, None);
        for _ in 0..self.steps {
            let step = Scenario { pace: Pace::Open { rate }, ..scenario.clone() };
            let outcome = match self.run.url() {
                Some(url) => workshop.against_aim(&step, &self.run.aim(url))?,
                None => workshop.against_server(&step, &[])?,
            };
            show(&outcome)?;
            broken = self.breaks(&outcome, rate);
            report.outcomes.push(outcome);
            if broken.is_some() {
                break;
            }
            met = Some(rate);
            rate *= self.factor;
        }
        self.run.place.keep(&report)?;
        let highest = met.map_or("none".to_owned(), |rate| format!("{rate:.0} events/s"));
        let why =
            broken.map_or("no rate that was tried broke it".to_owned(), |why| format!("at {rate:.0}: {why}"));
        writeln!(
            std::io::stdout(),
            "highest rate with deliveries p99 <= {} ms: {highest}; {why}",
            self.p99_ms
        )?;
        // The last rate is meant to break; whatever is wrong before that is wrong.
        let before = report.outcomes.len().saturating_sub(1);
        Ok(Verdict::of(&report.outcomes[..before]))
    }

    /// Why a run does not meet the objective.
    fn breaks(&self, outcome: &Outcome, rate: f64) -> Option<String> {
        if !outcome.is_clean() {
            return Some("it was not clean".to_owned());
        }
        if let Some(why) = outcome.spoilt_by() {
            return Some(why);
        }
        let p99_ms = outcome.tally.all_deliveries().percentile(99.0) as f64 / 1000.0;
        if p99_ms > self.p99_ms {
            return Some(format!("p99 was {p99_ms:.1} ms"));
        }
        let kept = outcome.events_per_second();
        (kept < rate * KEPT_SHARE_MIN).then(|| format!("only {kept:.0} events/s were answered"))
    }
}
