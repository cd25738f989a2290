//! `rill-loadtest`: connects sessions, sends, waits until everything is everywhere, verifies, reports.
//!
//! Not here: all of that ([`rill_loadtest::load`]); this is the command line.

use clap::Parser;
use rill_loadtest::load::{self, Plan, Registration};
use rill_loadtest::report::Report;
use rill_loadtest::user::basic_auth;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Loads a Rill server and verifies that nothing is lost, doubled or reordered. Exit status: 0 clean, 1 not clean, 2 could not run.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Sessions, each of an account of its own.
    #[arg(long, default_value_t = 20)]
    sessions: usize,
    /// Conversations to create.
    #[arg(long, default_value_t = 10)]
    conversations: usize,
    /// Members of each conversation.
    #[arg(long, default_value_t = 5)]
    members: usize,
    /// Messages in each conversation, written by its members in turn.
    #[arg(long, default_value_t = 50)]
    messages: usize,
    /// Messages a second over all conversations, open loop: the times are fixed in advance and latency counts from them. Without it each
    /// session writes its next message when its last one is answered.
    #[arg(long)]
    rate: Option<f64>,
    /// Begins the names of the accounts; that of an earlier run uses its accounts again. Random unless given.
    #[arg(long)]
    prefix: Option<String>,
    /// The password of every account.
    #[arg(
        long,
        env = "RILL_LOADTEST_PASSWORD",
        default_value = "load-test-password",
        hide_env_values = true
    )]
    password: String,
    /// Registers by the provisioning call with this user instead of the open registration.
    #[arg(long, env = "RILL_SYS_USER", requires = "sys_password")]
    sys_user: Option<String>,
    /// The password of the provisioning call.
    #[arg(long, env = "RILL_SYS_PASSWORD", hide_env_values = true)]
    sys_password: Option<String>,
    /// Threads that register and log in; the server hashes passwords slowly on purpose.
    #[arg(long, default_value_t = 2)]
    registrars: usize,
    /// Threads that read and write the sockets.
    #[arg(long, default_value_t = 2)]
    readers: usize,
    /// Seconds without any progress after which what is missing counts as lost.
    #[arg(long, default_value_t = 30)]
    stall: u64,
    /// Writes the report as JSON to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Options {
    fn plan(&self) -> Plan {
        let random = || uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
        let registration = match (&self.sys_user, &self.sys_password) {
            (Some(user), Some(password)) => Registration::Provisioned { basic: basic_auth(user, password) },
            _ => Registration::Open,
        };
        Plan {
            base_url: self.url.trim_end_matches('/').to_owned(),
            sessions: self.sessions,
            conversations: self.conversations,
            members: self.members,
            messages: self.messages,
            rate: self.rate,
            run: random(),
            prefix: self.prefix.clone().unwrap_or_else(random),
            password: self.password.clone(),
            registration,
            registrars: self.registrars,
            readers: self.readers,
            stall: Duration::from_secs(self.stall),
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let plan = options.plan();
    let report = match load::run(&plan, &mut |line| eprintln!("{line}")) {
        Ok(report) => report,
        Err(failure) => {
            eprintln!("rill-loadtest: {failure}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = write(&report, options.json.as_deref()) {
        eprintln!("rill-loadtest: the report cannot be written: {error}");
        return ExitCode::from(2);
    }
    if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write(report: &Report, json: Option<&Path>) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{report}")?;
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_vec_pretty(report)?)?;
    }
    Ok(())
}
