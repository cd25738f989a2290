//! One scenario, against a server that runs, or against one that is started here and the bare servers beside it.
//!
//! Not here: how the load is carried out ([`crate::engine`]).

use super::Verdict;
use crate::engine::conductor::{self, Aim, Means};
use crate::failure::Failure;
use crate::fleet::{self, Account, Recruiting, Registration};
use crate::outcome::{Moment, Outcome};
use crate::process::open_files_max;
use crate::report::text;
use crate::scenario::{Pace, Scenario};
use crate::server::Server;
use crate::target::{self, Floor, Folder};
use crate::user::basic_auth;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Sessions of other things in this process and in the server: files of the store, sockets that listen, logs.
const FILES_KEPT: u64 = 500;

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

/// What changes a scenario, and where it is carried out.
#[derive(Debug, Args)]
pub struct Run {
    /// A server that runs; without it one is started here
    #[arg(long)]
    url: Option<String>,
    /// The process of the server at --url, when it runs on this machine: its processor time and memory are measured
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// The server's binary [default: rill beside this program]
    #[arg(long, conflicts_with = "url")]
    server: Option<PathBuf>,
    /// An argument more for the server that is started here
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// Which servers are loaded [default: all, or the one at --url]
    #[arg(long, value_enum)]
    target: Option<TargetKind>,
    /// How often everything is done; figures are compared within a round
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Where the started servers keep their data [default: the system's folder for temporary files]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Sessions
    #[arg(long)]
    sessions: Option<usize>,
    /// Sessions that connect; the others are members that are away
    #[arg(long)]
    online: Option<usize>,
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
    /// The length of each message
    #[arg(long)]
    message_bytes: Option<usize>,
    /// Seconds of load before it is measured
    #[arg(long)]
    warm_up: Option<f64>,
    /// Seconds that are measured
    #[arg(long)]
    measure: Option<f64>,
    /// Threads that carry the sessions
    #[arg(long, default_value_t = 2)]
    generators: usize,
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
    /// Writes all outcomes as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
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
        let scenario = self.changed(scenario);
        scenario.check()?;
        check_files(scenario.online())?;
        let folder = Folder::make(self.folder.as_deref())?;
        let mut outcomes = Vec::new();
        let mut delivery_bytes = 0;
        for _ in 0..self.rounds.max(1) {
            self.round(&scenario, &folder, &mut delivery_bytes, &mut outcomes)?;
        }
        if let Some(path) = &self.json {
            let bytes = serde_json::to_vec(&outcomes).map_err(|error| Failure::Io(error.to_string()))?;
            std::fs::write(path, bytes)?;
        }
        writeln!(std::io::stdout(), "{}", text::ratios(&outcomes))?;
        Ok(verdict(&outcomes))
    }

    fn round(
        &self,
        scenario: &Scenario,
        folder: &Folder,
        delivery_bytes: &mut usize,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Failure> {
        let kind = self.target.unwrap_or(if self.url.is_some() || scenario.pace == Pace::Idle {
            TargetKind::Server
        } else {
            TargetKind::All
        });
        if matches!(kind, TargetKind::Server | TargetKind::All) {
            let outcome = self.against_server(scenario, folder)?;
            *delivery_bytes = outcome.bytes_per_delivery() as usize;
            self.show(&outcome)?;
            outcomes.push(outcome);
        }
        for (wanted, has_log) in [(TargetKind::Floor, false), (TargetKind::FloorLog, true)] {
            if kind == wanted || kind == TargetKind::All {
                let floor = Floor::start(folder.path(), *delivery_bytes, has_log)?;
                let outcome = self.against(scenario, &floor.aim(), Registration::None)?;
                self.show(&outcome)?;
                outcomes.push(outcome);
            }
        }
        Ok(())
    }

    fn against_server(&self, scenario: &Scenario, folder: &Folder) -> Result<Outcome, Failure> {
        let registration = match (&self.sys_user, &self.sys_password) {
            (Some(user), Some(password)) => Registration::Provisioned { basic: basic_auth(user, password) },
            _ => Registration::Open,
        };
        if let Some(url) = &self.url {
            let base_url = url.trim_end_matches('/').to_owned();
            let aim = Aim { name: "rill".to_owned(), base_url, pid: self.pid };
            return self.against(scenario, &aim, registration);
        }
        let binary = target::binary(self.server.as_deref())?;
        let data = folder.path().join(Uuid::new_v4().simple().to_string());
        let server = Server::start(&binary, &data, &self.server_arg)?;
        self.against(scenario, &target::aim(&server), registration)
    }

    fn against(
        &self,
        scenario: &Scenario,
        aim: &Aim,
        registration: Registration,
    ) -> Result<Outcome, Failure> {
        let accounts = Arc::new(self.recruit(scenario, aim, registration)?);
        let (generators, stall) = (self.generators, Duration::from_secs(self.stall));
        let means = Means { accounts, generators, stall };
        let mut phase = String::new();
        conductor::run(scenario, aim, &means, &mut |now, moment| tell(&aim.name, &mut phase, now, moment))
    }

    fn recruit(
        &self,
        scenario: &Scenario,
        aim: &Aim,
        registration: Registration,
    ) -> Result<Vec<Account>, Failure> {
        let prefix =
            self.prefix.clone().unwrap_or_else(|| Uuid::new_v4().simple().to_string()[..12].to_owned());
        let recruiting = Recruiting {
            base_url: aim.base_url.clone(),
            prefix,
            password: self.password.clone(),
            registration,
            threads: self.registrars.max(1),
        };
        let sessions = scenario.sessions();
        fleet::recruit(&recruiting, 0..sessions, &mut |ready| {
            if ready % 500 == 0 {
                eprintln!("{}: {ready} of {sessions} accounts ready", aim.name);
            }
        })
    }

    fn changed(&self, mut scenario: Scenario) -> Scenario {
        let set = |field: &mut usize, value: Option<usize>| *field = value.unwrap_or(*field);
        set(&mut scenario.sessions, self.sessions);
        set(&mut scenario.online, self.online);
        set(&mut scenario.conversations, self.rooms);
        set(&mut scenario.members, self.members);
        set(&mut scenario.writers, self.writers);
        set(&mut scenario.message_bytes, self.message_bytes);
        scenario.warm_up_s = self.warm_up.unwrap_or(scenario.warm_up_s);
        scenario.measure_s = self.measure.unwrap_or(scenario.measure_s);
        if let Some(rate) = self.rate {
            scenario.pace = Pace::Open { rate };
        }
        if self.saturate {
            scenario.pace = Pace::Saturate { in_flight: self.in_flight };
        }
        scenario
    }

    fn show(&self, outcome: &Outcome) -> Result<(), Failure> {
        Ok(writeln!(std::io::stdout(), "{}", text::outcome(outcome))?)
    }
}

/// Says on standard error how a run goes: each phase, and each second of it.
fn tell(name: &str, phase: &mut String, now: &str, moment: &Moment) {
    if phase != now {
        now.clone_into(phase);
        let progress = &moment.progress;
        eprintln!(
            "{name}: {now} ({} live, {} sent, {} deliveries)",
            progress.live, progress.sent, progress.deliveries
        );
    }
}

/// Refuses more connections than files may be open.
fn check_files(sessions: usize) -> Result<(), Failure> {
    let most = open_files_max();
    if sessions as u64 + FILES_KEPT > most {
        let wanted = "use several processes, or raise the limit (ulimit -n)";
        return Err(Failure::Plan(format!(
            "{sessions} sessions, but {most} open files in a process: {wanted}"
        )));
    }
    Ok(())
}

fn verdict(outcomes: &[Outcome]) -> Verdict {
    if outcomes.iter().any(|outcome| !outcome.is_clean()) {
        return Verdict::NotClean;
    }
    let is_closed = |outcome: &&Outcome| matches!(outcome.scenario.pace, Pace::Saturate { .. });
    if outcomes.iter().filter(|outcome| !is_closed(outcome)).any(|outcome| outcome.spoilt_by().is_some()) {
        return Verdict::None;
    }
    Verdict::Clean
}
