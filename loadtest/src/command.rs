//! The commands of `rill-loadtest` and their flags.
//!
//! Not here: what they do ([`run`], [`find_max`], [`crate::floor`], [`crate::report`]).

mod find_max;
mod run;
mod suite;

use crate::engine::crew;
use crate::failure::Failure;
use crate::floor;
use crate::outcome::Outcome;
use crate::report::{Report, compare};
use crate::scenario::Pace;
use clap::Subcommand;
pub use find_max::FindMax;
pub(crate) use run::show;
pub use run::{Change, Place, Run, TargetKind};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
pub use suite::{Retell, Suite};

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Holds sessions: what an idle one costs
    Idle(Run),
    /// Holds sessions, sends them a burst, holds them again: what does it leave behind?
    Burst(Run),
    /// Conversations in which members write
    Rooms(Run),
    /// A working day: messages, edits, pens, locks, read marks, tasks, reactions, syncs, people who come and go
    Mixed(Run),
    /// One conversation of very many members, few of them online
    HotRoom(Run),
    /// Pens, locks and read marks, and people who come and go
    Presence(Run),
    /// All sessions lose their connections and come back at once
    Reconnect(Run),
    /// Some sessions stop reading
    SlowReaders(Run),
    /// The server ends in the middle and is started again
    Drain(Run),
    /// The mixed load for hours
    Soak(Run),
    /// Raises the rate until an objective breaks
    FindMax(FindMax),
    /// Every figure that Rill is held to: measures, holds against the bars, writes REPORT.md
    Suite(Suite),
    /// Tells a report (JSON) again: as REPORT.md, as a page with plots
    Report(Retell),
    /// Carries out a scenario file
    Play {
        /// The file (TOML)
        file: PathBuf,
        /// What changes it.
        #[command(flatten)]
        run: Run,
    },
    /// Holds one report against another
    Compare {
        /// The earlier report (JSON)
        before: PathBuf,
        /// The later one
        after: PathBuf,
    },
    /// Carries a share of a load that another process conducts
    Join {
        /// Where the conductor gathers its processes
        address: SocketAddr,
    },
    /// Serves as the bare server that others are held against
    Floor {
        /// Where it listens
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Every delivery is filled up to so many bytes
        #[arg(long, default_value_t = 0)]
        delivery_bytes: usize,
        /// What is sent is appended to this file and synced before it leaves
        #[arg(long)]
        log: Option<PathBuf>,
    },
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was wrong.
    Clean,
    /// A promise was broken, an event refused or a session lost.
    NotClean,
    /// The load was the bottleneck: its figures say nothing about the server.
    None,
}

impl Verdict {
    /// That of several runs.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        if outcomes.iter().any(|outcome| !outcome.is_clean()) {
            return Self::NotClean;
        }
        // A closed loop makes no claim about latencies, and its processor time is the server's whoever is the bottleneck.
        let is_open = |outcome: &&Outcome| !matches!(outcome.scenario.pace, Pace::Saturate { .. });
        if outcomes.iter().filter(is_open).any(|outcome| outcome.spoilt_by().is_some()) {
            return Self::None;
        }
        Self::Clean
    }

    /// The process's exit status.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::NotClean => 1,
            Self::None => 3,
        }
    }
}

impl Command {
    /// Does it.
    pub fn carry_out(self) -> Result<Verdict, Failure> {
        match self {
            Self::Idle(run) => run.carry_out_bundled("idle"),
            Self::Burst(run) => run.carry_out_bundled("burst"),
            Self::Rooms(run) => run.carry_out_bundled("rooms"),
            Self::Mixed(run) => run.carry_out_bundled("mixed"),
            Self::HotRoom(run) => run.carry_out_bundled("hot-room"),
            Self::Presence(run) => run.carry_out_bundled("presence"),
            Self::Reconnect(run) => run.carry_out_bundled("reconnect"),
            Self::SlowReaders(run) => run.carry_out_bundled("slow-readers"),
            Self::Drain(run) => run.carry_out_bundled("drain"),
            Self::Soak(run) => run.carry_out_bundled("soak"),
            Self::FindMax(find) => find.carry_out(),
            Self::Suite(suite) => suite.carry_out(),
            Self::Report(retell) => retell.carry_out(),
            Self::Play { file, run } => run.carry_out_file(&file),
            Self::Compare { before, after } => {
                let lines = compare::lines(&Report::read(&before)?, &Report::read(&after)?);
                writeln!(std::io::stdout(), "{lines}")?;
                Ok(Verdict::Clean)
            }
            Self::Join { address } => crew::join(address).map(|()| Verdict::Clean),
            Self::Floor { listen, delivery_bytes, log } => {
                floor::serve(&floor::Plan { listen, delivery_bytes, log })?;
                Ok(Verdict::Clean)
            }
        }
    }
}
