//! The commands of `rill-loadtest` and their flags.
//!
//! Not here: what they do ([`run`], [`crate::floor`], [`crate::report`]).

mod run;

use crate::failure::Failure;
use crate::floor;
use clap::Subcommand;
pub use run::{Run, TargetKind};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Holds sessions: what an idle one costs
    Idle(Run),
    /// Conversations in which members write
    Rooms(Run),
    /// Carries out a scenario file
    Play {
        /// The file (TOML).
        file: PathBuf,
        /// What changes it.
        #[command(flatten)]
        run: Run,
    },
    /// Serves as the bare server that others are held against
    Floor {
        /// Where it listens.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Every delivery is filled up to so many bytes.
        #[arg(long, default_value_t = 0)]
        delivery_bytes: usize,
        /// What is sent is appended to this file and synced before it leaves.
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
            Self::Rooms(run) => run.carry_out_bundled("rooms"),
            Self::Play { file, run } => run.carry_out_file(&file),
            Self::Floor { listen, delivery_bytes, log } => {
                floor::serve(&floor::Plan { listen, delivery_bytes, log })?;
                Ok(Verdict::Clean)
            }
        }
    }
}
