//! One scenario, against a server that runs, or against one that is started here and the bare servers beside it.
//!
//! Not here: how the load is carried out ([`crate::engine`]), how the result is shown ([`crate::report`]).

use super::Verdict;
use crate::engine::conductor::Aim;
use crate::failure::Failure;
use crate::fleet::Registration;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::report::{Report, html, text};
use crate::scenario::{Pace, Scenario, Shape};
use crate::user::basic_auth;
use crate::workshop::{Custom, Workshop};
use clap::Args;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which servers a run loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TargetKind {
    /// Rill alone.
    Server,
    /// The bare server alone.
    Floor,
    /// The bare server with a log that is synced before anything leaves.
    FloorLog,
    /// Rill, then both floors with the same bytes: the ratios are what counts.
    All,
}

/// Where and how a load is carried out.
#[derive(Debug, Args)]
pub struct Place {
    /// The server's binary, for servers that are started here [default: rill beside this program]
    #[arg(long, env = "RILL_LOADTEST_SERVER")]
    server: Option<PathBuf>,
    /// An argument more for the server that is started here
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// Where the started servers keep their data [default: the system's folder for temporary files]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Threads that carry the sessions, in each process
    #[arg(long, default_value_t = 2)]
    generators: usize,
    /// Processes that carry the sessions
    #[arg(long, default_value_t = 1)]
    processes: usize,
    /// Waits here for the processes, which are started elsewhere: rill-loadtest join ADDRESS
    #[arg(long, value_name = "ADDRESS")]
    gather: Option<SocketAddr>,
    /// Begins the names of the accounts; that of an earlier run uses its accounts again [default: random]
    #[arg(long)]
    prefix: Option<String>,
    /// The password of every account
    #[arg(
        long,
        env = "RILL_LOADTEST_PASSWORD",
        default_value = "load-test-password",
        hide_env_values = true
    )]
    password: String,
    /// Registers by the provisioning call with this user instead of the open registration
    #[arg(long, env = "RILL_SYS_USER", requires = "sys_password")]
    sys_user: Option<String>,
    /// The password of the provisioning call
    #[arg(long, env = "RILL_SYS_PASSWORD", hide_env_values = true)]
    sys_password: Option<String>,
    /// Threads that register; the server hashes passwords slowly on purpose
    #[arg(long, default_value_t = 4)]
    registrars: usize,
    /// Seconds without any progress after which what is missing counts as lost
    #[arg(long, default_value_t = 30)]
    stall: u64,
    /// Shows a line for each phase instead of the live view
    #[arg(long)]
    plain: bool,
    /// Writes the report as JSON to this file
    #[arg(long)]
    pub(super) json: Option<PathBuf>,
    /// Writes the report as one page with plots to this file
    #[arg(long)]
    pub(super) html: Option<PathBuf>,
}

impl Place {
    pub(super) fn workshop(&self) -> Result<Workshop, Failure> {
        let registration = match (&self.sys_user, &self.sys_password) {
            (Some(user), Some(password)) => Registration::Provisioned { basic: basic_auth(user, password) },
            (None, _) | (_, None) => Registration::Open,
        };
        Workshop::open(Custom {
            binary: self.server.clone(),
            server_args: self.server_arg.clone(),
            folder: self.folder.clone(),
            prefix: self.prefix.clone(),
            password: self.password.clone(),
            registration,
            registrars: self.registrars,
            generators: self.generators,
            processes: self.processes,
            gather: self.gather,
            stall: Duration::from_secs(self.stall),
            is_plain: self.plain,
        })
    }

    /// Writes a report to where it is wanted.
    pub(super) fn keep(&self, report: &Report) -> Result<(), Failure> {
        if let Some(path) = &self.json {
            std::fs::write(path, report.json()?)?;
        }
        if let Some(path) = &self.html {
            std::fs::write(path, html::page(report))?;
        }
        Ok(())
    }
}

/// What changes a scenario.
#[derive(Debug, Args)]
pub struct Change {
    /// Sessions
    #[arg(long)]
    sessions: Option<usize>,
    /// Sessions that connect; the others are members that are away
    #[arg(long)]
    online: Option<usize>,
    /// Sessions that keep their connections in a storm
    #[arg(long)]
    keepers: Option<usize>,
    /// Sessions that do not read while the load is on
    #[arg(long)]
    slow: Option<usize>,
    /// Sessions a second that lose their connection and come back
    #[arg(long)]
    churn: Option<f64>,
    /// Conversations
    #[arg(long, visible_alias = "conversations")]
    rooms: Option<usize>,
    /// Members of each conversation
    #[arg(long)]
    members: Option<usize>,
    /// Members of each conversation that write
    #[arg(long)]
    writers: Option<usize>,
    /// Events a second over everything, at times fixed in advance
    #[arg(long, conflicts_with = "saturate")]
    rate: Option<f64>,
    /// As fast as the server goes: each writer keeps --in-flight events unanswered
    #[arg(long)]
    saturate: bool,
    /// Unanswered events of each writer in each of his conversations, with --saturate
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
    /// Changes that each session misses in a storm
    #[arg(long)]
    missed: Option<f64>,
    /// Seconds over which a storm drops its sessions; 0 means all at once
    #[arg(long)]
    drop_over: Option<f64>,
    /// The length of each message
    #[arg(long)]
    message_bytes: Option<usize>,
    /// Seconds of load before it is measured
    #[arg(long)]
    warm_up: Option<f64>,
    /// Seconds that are measured
    #[arg(long)]
    measure: Option<f64>,
}

impl Change {
    pub(super) fn apply(&self, mut scenario: Scenario) -> Scenario {
        let set = |field: &mut usize, value: Option<usize>| *field = value.unwrap_or(*field);
        set(&mut scenario.sessions, self.sessions);
        set(&mut scenario.online, self.online);
        set(&mut scenario.keepers, self.keepers);
        set(&mut scenario.slow, self.slow);
        set(&mut scenario.conversations, self.rooms);
        set(&mut scenario.members, self.members);
        set(&mut scenario.writers, self.writers);
        set(&mut scenario.message_bytes, self.message_bytes);
        scenario.churn = self.churn.unwrap_or(scenario.churn);
        scenario.warm_up_s = self.warm_up.unwrap_or(scenario.warm_up_s);
        scenario.measure_s = self.measure.unwrap_or(scenario.measure_s);
        if let Some(rate) = self.rate {
            scenario.pace = Pace::Open { rate };
        }
        if self.saturate {
            scenario.pace = Pace::Saturate { in_flight: self.in_flight };
        }
        if let Shape::Storm { missed, over_s } = &mut scenario.shape {
            *missed = self.missed.unwrap_or(*missed);
            *over_s = self.drop_over.unwrap_or(*over_s);
        }
        scenario
    }
}

/// A scenario, where it is carried out, and what changes it.
#[derive(Debug, Args)]
pub struct Run {
    /// A server that runs; without it one is started here
    #[arg(long)]
    url: Option<String>,
    /// The process of the server at --url, when it runs on this machine: its processor time and memory are measured
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Which servers are loaded [default: all, or the one at --url]
    #[arg(long, value_enum)]
    target: Option<TargetKind>,
    /// How often everything is done; figures are compared within a round
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    #[command(flatten)]
    pub(super) change: Change,
    #[command(flatten)]
    pub(super) place: Place,
}

impl Run {
    /// Carries out a bundled scenario.
    pub fn carry_out_bundled(&self, name: &str) -> Result<Verdict, Failure> {
        self.carry_out(Scenario::bundled(name)?)
    }

    /// Carries out a scenario file.
    pub fn carry_out_file(&self, path: &Path) -> Result<Verdict, Failure> {
        self.carry_out(Scenario::read(path)?)
    }

    fn carry_out(&self, scenario: Scenario) -> Result<Verdict, Failure> {
        let scenario = self.change.apply(scenario);
        scenario.check()?;
        let mut workshop = self.place.workshop()?;
        let mut report = Report::new(Machine::here(workshop.folder())?);
        if self.url.is_none() && matches!(self.target_kind(&scenario), TargetKind::Server | TargetKind::All) {
            workshop.prepare(scenario.sessions())?;
        }
        let mut delivery_bytes = 0;
        for _ in 0..self.rounds.max(1) {
            self.round(&scenario, &workshop, &mut delivery_bytes, &mut report.outcomes)?;
        }
        self.place.keep(&report)?;
        writeln!(std::io::stdout(), "{}", text::ratios(&report.outcomes))?;
        Ok(Verdict::of(&report.outcomes))
    }

    /// The target that is meant when none is named: the floors have no shapes and one kind of event.
    fn target_kind(&self, scenario: &Scenario) -> TargetKind {
        let is_simple = scenario.shape == Shape::Steady && scenario.mix.len() == 1 && scenario.slow == 0;
        let is_held_against = self.url.is_none() && is_simple && scenario.pace != Pace::Idle;
        let usual = if is_held_against { TargetKind::All } else { TargetKind::Server };
        self.target.unwrap_or(usual)
    }

    fn round(
        &self,
        scenario: &Scenario,
        workshop: &Workshop,
        delivery_bytes: &mut usize,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Failure> {
        let kind = self.target_kind(scenario);
        if matches!(kind, TargetKind::Server | TargetKind::All) {
            let outcome = match &self.url {
                Some(url) => workshop.against_aim(scenario, &self.aim(url))?,
                None => workshop.against_server(scenario, &[])?,
            };
            *delivery_bytes = outcome.bytes_per_delivery() as usize;
            show(&outcome)?;
            outcomes.push(outcome);
        }
        for (wanted, has_log) in [(TargetKind::Floor, false), (TargetKind::FloorLog, true)] {
            if kind == wanted || kind == TargetKind::All {
                let outcome = workshop.against_floor(scenario, *delivery_bytes, has_log)?;
                show(&outcome)?;
                outcomes.push(outcome);
            }
        }
        Ok(())
    }

    pub(super) fn aim(&self, url: &str) -> Aim {
        let base_url = url.trim_end_matches('/').to_owned();
        Aim::new("rill", base_url, self.pid)
    }

    pub(super) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

/// Prints an outcome.
pub(crate) fn show(outcome: &Outcome) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout(), "{}\n", text::outcome(outcome))?)
}
