//! `rill-loadtest`: loads a server, verifies what it sends, measures, compares.
//!
//! Not here: all of that; this is the command line's beginning.

use clap::Parser;
use rill_loadtest::command::Command;
use std::process::ExitCode;

/// Loads a Rill server and verifies that nothing is lost, doubled, reordered or miscounted. Exit status: 0 clean, 1 not clean, 2 could not
/// run, 3 no verdict (the load itself was the bottleneck).
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Options::parse().command.carry_out() {
        Ok(verdict) => ExitCode::from(verdict.exit_status()),
        Err(failure) => {
            eprintln!("rill-loadtest: {failure}");
            ExitCode::from(2)
        }
    }
}
