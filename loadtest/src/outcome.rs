//! What one run of one scenario against one target came to.
//!
//! Not here: how it is shown ([`crate::report`]), and what makes a figure good enough.

use crate::engine::shared::Snapshot;
use crate::engine::tally::Tally;
use crate::process::Usage;
use crate::scenario::{Pace, Scenario};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A generator that was at work for so much of the time was the bottleneck, or may have been.
const BUSY_SHARE_MAX: f64 = 0.9;

/// A generator that sent or read so much later than it should, at the 99th percentile, spoils latencies.
const LATE_US_MAX: u64 = 5_000;

/// How a run stood at one moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Moment {
    /// Seconds since the run began.
    pub at_s: f64,
    /// What was under way.
    pub phase: String,
    /// The counters.
    pub progress: Snapshot,
    /// The server's process, when it is on this machine.
    pub usage: Option<Usage>,
    /// The median of what deliveries took since the moment before, in microseconds.
    pub p50_us: u64,
    /// Their 99th percentile.
    pub p99_us: u64,
}

/// The measured part of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Window {
    /// How long it was.
    pub seconds: f64,
    /// Events sent in it.
    pub sent: u64,
    /// Events answered in it.
    pub answered: u64,
    /// Slots that reached a session in it.
    pub deliveries: u64,
    /// Bytes received in it.
    pub bytes: u64,
    /// Processor seconds of the server in it.
    pub cpu_s: Option<f64>,
    /// Those among them in the server's own code.
    pub cpu_user_s: Option<f64>,
    /// The server's memory at its end.
    pub resident_bytes: Option<u64>,
}

/// What one run came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// What was done.
    pub scenario: Scenario,
    /// To whom.
    pub target: String,
    /// By how many generators.
    pub generators: usize,
    /// In how many processes.
    pub processes: usize,
    /// Whether everything sent was answered and everywhere in the end.
    pub is_settled: bool,
    /// The server before anybody connected.
    pub idle: Option<Usage>,
    /// The server with all sessions connected and all conversations created.
    pub connected: Option<Usage>,
    /// The measured part.
    pub window: Window,
    /// What the scenario's shape adds: the server's own counters over a storm, how long a drain took.
    pub figures: BTreeMap<String, f64>,
    /// What was counted and measured.
    pub tally: Tally,
    /// The curves over time.
    pub series: Vec<Moment>,
}

impl Outcome {
    /// Processor seconds of the server for 100,000 deliveries.
    #[must_use]
    pub fn cpu_per_100k_deliveries(&self) -> Option<f64> {
        let deliveries = self.window.deliveries;
        self.window.cpu_s.filter(|_| deliveries > 0).map(|cpu_s| cpu_s * 1e5 / deliveries as f64)
    }

    /// Bytes received for each delivery.
    #[must_use]
    pub fn bytes_per_delivery(&self) -> f64 {
        self.window.bytes as f64 / self.window.deliveries.max(1) as f64
    }

    /// Events answered a second.
    #[must_use]
    pub fn events_per_second(&self) -> f64 {
        self.window.answered as f64 / self.window.seconds.max(f64::EPSILON)
    }

    /// Deliveries a second.
    #[must_use]
    pub fn deliveries_per_second(&self) -> f64 {
        self.window.deliveries as f64 / self.window.seconds.max(f64::EPSILON)
    }

    /// Memory of the server for each session, counted from before anybody connected.
    #[must_use]
    pub fn bytes_per_session(&self) -> Option<f64> {
        let (idle, connected) = self.idle.zip(self.connected)?;
        let grown = connected.resident_bytes as f64 - idle.resident_bytes as f64;
        Some(grown / self.scenario.online() as f64)
    }

    /// True when every promise was kept, every event answered and every session alive.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.is_settled && self.tally.is_clean()
    }

    /// Why the figures say more about the generators than about the server; none when they do not.
    #[must_use]
    pub fn spoilt_by(&self) -> Option<String> {
        let Tally { lateness, turns, busy_share, .. } = &self.tally;
        if *busy_share > BUSY_SHARE_MAX {
            let share = busy_share * 100.0;
            return Some(format!(
                "a generator was at work for {share:.0} % of the time: give it more threads or processes"
            ));
        }
        if matches!(self.scenario.pace, Pace::Open { .. }) {
            let late_us = lateness.percentile(99.0).max(turns.percentile(99.0));
            if late_us > LATE_US_MAX {
                let ms = late_us as f64 / 1000.0;
                return Some(format!(
                    "a generator was {ms:.1} ms late (p99): its own lag is part of the latencies"
                ));
            }
        }
        None
    }
}
