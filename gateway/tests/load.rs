//! The load harness against the real server: the suite runs, and a server that breaks a promise is convicted.
//!
//! It has a `main` of its own (`harness = false`), because the suite starts the bare servers that Rill is held against as further processes
//! of its own program. Not here: any figure, which a busy machine would spoil.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that fails here says so")]

#[path = "load/broken.rs"]
mod broken;
#[path = "wire/chosen.rs"]
mod chosen;
#[path = "load/suite.rs"]
mod suite;

use clap::Parser;
use rill_loadtest::command::{Command, Verdict};
use std::process::ExitCode;
use std::time::Instant;

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_rill");

/// What the harness is told.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

/// The tests, one after the other: each has the machine for itself.
const TESTS: [(&str, fn()); 2] = [
    (
        "a_short_suite_measures_everything_and_verifies_it",
        suite::a_short_suite_measures_everything_and_verifies_it,
    ),
    ("a_server_that_breaks_a_promise_is_convicted", broken::a_server_that_breaks_a_promise_is_convicted),
];

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == "floor") {
        return ExitCode::from(Options::parse().command.carry_out().unwrap().exit_status());
    }
    let chosen = TESTS.into_iter().filter(|(name, _)| chosen::is_wanted(name));
    if std::env::args().any(|argument| argument == "--list") {
        chosen.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    for (name, test) in chosen {
        println!("\nrunning {name}");
        let begun = Instant::now();
        // A panic ends the program with its message and a status that is no success.
        test();
        println!("{name} ... ok ({} s)", begun.elapsed().as_secs());
    }
    ExitCode::SUCCESS
}

/// Runs the harness as its command line does.
fn harness(words: &[&str]) -> Verdict {
    let options = Options::parse_from(["rill-loadtest"].iter().chain(words));
    options.command.carry_out().unwrap()
}
