//! `rill`: one program for the server, the terminal client and the operator's commands.
//!
//! Owned here: the command line and the exit status: 0 well, 1 the environment is in the way, 2 it was called wrongly.

use std::fmt::Display;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Flags};
use crate::serve::ServeError;

mod backup;
mod chat;
mod cluster;
mod collect;
mod config;
mod credentials;
mod fetch;
mod health;
mod http;
mod mail;
mod metrics;
mod notify;
mod password;
mod refuse;
mod routes;
mod serve;
mod shutdown;
mod socket;
mod store;
mod velocity;
mod worker;

/// Deliveries are many small allocations, made on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where the store is when nothing else is said; the same as of the setting `data`.
const DATA: &str = "data";

/// A chat server that speaks the Fleep client protocol. Without a command it serves.
#[derive(Parser)]
#[command(name = "rill", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Flags,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT
    Serve(Box<Flags>),
    /// Chat in the terminal
    Chat(chat::ChatArgs),
    /// Make a consistent copy of the store and its files in one file, while a server uses it or not
    Backup {
        /// The file
        file: PathBuf,
        /// Folder of the store
        #[arg(long, env = "RILL_DATA", default_value = DATA)]
        data: PathBuf,
        /// Where the store is when it is not that folder
        #[arg(long, env = "RILL_STORE", hide_env_values = true, default_value = "")]
        store: String,
    },
    /// Make a store and its files from a copy
    Restore {
        /// The file
        file: PathBuf,
        /// Folder for the store; missing or empty
        #[arg(long, env = "RILL_DATA", default_value = DATA)]
        data: PathBuf,
        /// Where the store is when it is not that folder
        #[arg(long, env = "RILL_STORE", hide_env_values = true, default_value = "")]
        store: String,
    },
    /// Copy the store of a folder, which no server uses, into an empty PostgreSQL
    MigrateStore {
        /// Folder of the store
        #[arg(long, env = "RILL_DATA", default_value = DATA)]
        data: PathBuf,
        /// Where it is to go: postgres://USER:PASSWORD@HOST/DATABASE
        #[arg(long, env = "RILL_STORE", hide_env_values = true)]
        store: String,
    },
    /// Ask a server whether it is ready: exit status 0 when /readyz says 200, 1 and one line otherwise
    Health(health::HealthArgs),
    /// Print the version
    Version,
}

fn main() -> ExitCode {
    let CommandLine { command, serve } = CommandLine::parse();
    match command {
        None => run(serve),
        Some(Command::Serve(flags)) => run(*flags),
        Some(Command::Chat(args)) => done(chat::run(args)),
        Some(Command::Backup { file, data, store }) => {
            done(backup::back_up(&data, &file, &store).map(|note| {
                // The copy is made; whoever closed the stream does not want to know.
                let _ = note.map(|note| writeln!(std::io::stderr(), "rill: {note}"));
            }))
        }
        Some(Command::Restore { file, data, store }) => done(backup::bring_back(&file, &data, &store)),
        Some(Command::MigrateStore { data, store }) => done(store::migrate(&data, &store)),
        Some(Command::Health(args)) => done(health::ask(args)),
        Some(Command::Version) => {
            // Whoever closed the stream does not want to know.
            let _ = writeln!(std::io::stdout(), "rill {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}

fn run(flags: Flags) -> ExitCode {
    match Config::read(flags).map(serve::serve) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // Nothing of what it knew is good any more: it begins again, in the same process.
        Ok(Err(error @ ServeError::PutOut)) => fail(begin_again(&error), 1),
        Ok(Err(error @ ServeError::Log(_))) => fail(error, 2),
        Ok(Err(error)) => fail(error, 1),
        Err(error) => fail(error, 2),
    }
}

/// Replaces this process by a fresh one of the same command line. Answers only when that cannot be done.
fn begin_again(error: &ServeError) -> String {
    // Standard error may be gone; it begins again all the same.
    let _ = writeln!(std::io::stderr(), "rill: {error}; it begins again");
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    let unable = match (std::env::current_exe(), name) {
        (Ok(program), Some(name)) => std::process::Command::new(program).arg0(name).args(arguments).exec(),
        (Err(error), _) => error,
        (Ok(_), None) => std::io::Error::other("the command line is empty"),
    };
    format!("{error}, and it cannot begin again: {unable}")
}

fn done<E: Display>(outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error, 1),
    }
}

fn fail(error: impl Display, status: u8) -> ExitCode {
    // Standard error may be gone; the status still tells.
    let _ = writeln!(std::io::stderr(), "rill: {error}");
    ExitCode::from(status)
}
