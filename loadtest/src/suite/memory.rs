//! What a session costs in memory: idle, and after a burst.
//!
//! Not here: what its traffic costs in processor time.

use std::time::Duration;

use super::{Suite, caveat};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::Bar;
use crate::scenario::{Pace, Scenario, Shape};

/// Members of each room of the burst, of whom some write.
const ROOM: usize = 100;
const WRITERS: usize = 10;

/// Messages that come to each session.
const MESSAGES: f64 = 100.0;

/// Seconds for which nothing happens and it is looked at.
const LOOKED_AT_S: f64 = 1.0;

/// What an idle session may cost, and one after the burst, in KB of 1,000 bytes.
const IDLE_KB: f64 = 4.0;
const BURST_KB: f64 = 5.0;

pub(super) fn measure(suite: &mut Suite) -> Result<(), Failure> {
    let (sessions, hold_s) = (suite.size.sessions, suite.size.hold_s);
    let files = suite.report.machine.open_files_max;
    let idle = Scenario {
        sessions,
        pace: Pace::Idle,
        warm_up_s: hold_s,
        measure_s: LOOKED_AT_S,
        ..Scenario::bundled("idle")?
    };
    // Else what is held of accounts that have just registered would count as the server's own.
    std::thread::sleep(Duration::from_secs_f64(hold_s));
    let outcome = suite.load(&idle)?;
    let note = |outcome: &Outcome| {
        format!("{sessions} sessions, {files} open files in a process; {}", caveat(&[outcome]))
    };
    let text = format!(
        "after {hold_s:.0} s, when the owners of the accounts have left memory for want of work; {}",
        note(&outcome)
    );
    let (fresh, idle) = (outcome.connected, outcome.window.resident_bytes);
    let fresh = kb_per_session(&outcome, fresh.map(|usage| usage.resident_bytes));
    let idle = kb_per_session(&outcome, idle);
    suite.tell("memory per idle session", idle, "KB", Some(Bar::AtMost(IDLE_KB)), text);
    let text =
        "the owner of its account has just been brought into memory, and stays for a minute".to_owned();
    suite.tell("memory per session that has just connected", fresh, "KB", None, text);
    let burst = Scenario {
        conversations: sessions / ROOM,
        members: ROOM,
        writers: WRITERS,
        shape: Shape::Burst { messages: MESSAGES / WRITERS as f64, rest_s: hold_s },
        warm_up_s: LOOKED_AT_S,
        ..Scenario::bundled("burst")?
    };
    let outcome = suite.load(&burst)?;
    let text = format!("{hold_s:.0} s later; rooms of {ROOM}; {}", note(&outcome));
    suite.tell(
        "memory per session after a burst of 100 messages to each",
        kb_per_session(&outcome, outcome.window.resident_bytes),
        "KB",
        Some(Bar::AtMost(BURST_KB)),
        text,
    );
    Ok(())
}

/// All that the server has grown by since before anybody connected.
fn kb_per_session(outcome: &Outcome, resident_bytes: Option<u64>) -> Option<f64> {
    let (before, after) = outcome.idle.zip(resident_bytes)?;
    Some((after as f64 - before.resident_bytes as f64) / outcome.scenario.online() as f64 / 1000.0)
}
