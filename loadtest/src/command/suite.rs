//! The suite and the retelling of its report.
//!
//! Not here: what is measured ([`crate::suite`]), how it is written down ([`crate::report`]).

use super::Verdict;
use super::run::Place;
use crate::engine::conductor::Aim;
use crate::failure::Failure;
use crate::process::open_files_max;
use crate::report::{Report, html, markdown, text};
use crate::suite::{self, Size};
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the report of a full suite belongs, seen from the repository's top.
const REPORT: &str = "loadtest/REPORT.md";

/// Every figure that Rill is held to. A missed bar is told and is no failure; a broken promise, and what could not be carried out, make the
/// exit status 1.
#[derive(Debug, Args)]
pub struct Suite {
    /// A look at everything in two minutes, whose figures are no verdict
    #[arg(long)]
    short: bool,
    /// A server that runs; without it they are started here. What wants a server of its own is left out
    #[arg(long)]
    url: Option<String>,
    /// The process of the server at --url, when it runs on this machine: its processor time and memory are measured
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Only the chapters whose names contain this (memory, one room, many rooms, durable, latency, storm, hot, growth, cross-node, reading); may be repeated
    #[arg(long, value_name = "WORD")]
    only: Vec<String>,
    /// Writes the report as text to this file [default: loadtest/REPORT.md, of a full suite in a folder that has loadtest/]
    #[arg(long)]
    report: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

impl Suite {
    pub(super) fn carry_out(&self) -> Result<Verdict, Failure> {
        let size = if self.short { Size::short() } else { Size::full(open_files_max()) };
        let aim = self.url.as_ref().map(|url| {
            let base_url = url.trim_end_matches('/').to_owned();
            Aim::new("rill", base_url, self.pid)
        });
        let report = suite::Suite::new(self.place.workshop()?, size, aim)?.carry_out(&self.only)?;
        self.place.keep(&report)?;
        if let Some(path) = self.report() {
            std::fs::write(path, markdown::page(&report))?;
        }
        writeln!(std::io::stdout(), "{}", text::figures(&report))?;
        Ok(verdict(&report))
    }

    fn report(&self) -> Option<&Path> {
        let usual = Path::new(REPORT);
        let is_usual = !self.short && self.only.is_empty() && usual.parent().is_some_and(Path::is_dir);
        self.report.as_deref().or(is_usual.then_some(usual))
    }
}

/// A suite is clean when everything was carried out and no promise broken. Where the load was the bottleneck the figure says so itself.
fn verdict(report: &Report) -> Verdict {
    if report.faults.is_empty() && report.outcomes.iter().all(|outcome| outcome.is_clean()) {
        return Verdict::Clean;
    }
    Verdict::NotClean
}

/// A report in its other forms.
#[derive(Debug, Args)]
pub struct Retell {
    /// The report (JSON)
    json: PathBuf,
    /// Writes it as text to this file
    #[arg(long)]
    report: Option<PathBuf>,
    /// Writes it as one page with plots to this file
    #[arg(long)]
    html: Option<PathBuf>,
}

impl Retell {
    pub(super) fn carry_out(&self) -> Result<Verdict, Failure> {
        let report = Report::read(&self.json)?;
        if let Some(path) = &self.report {
            std::fs::write(path, markdown::page(&report))?;
        }
        if let Some(path) = &self.html {
            std::fs::write(path, html::page(&report))?;
        }
        if self.report.is_none() && self.html.is_none() {
            write!(std::io::stdout(), "{}", markdown::page(&report))?;
        }
        Ok(verdict(&report))
    }
}
