//! The report of a load run, as text and as JSON.
//!
//! Not here: how the figures come about ([`crate::load`]).

use hdrhistogram::Histogram;
use serde::Serialize;
use std::fmt;

/// Raised when a field of the JSON report changes its meaning or vanishes; new fields do not raise it.
pub const REPORT_SCHEMA: u32 = 1;

/// Latencies in microseconds. All zero when nothing was measured.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    /// Measurements.
    pub count: u64,
    /// The median.
    pub p50_us: u64,
    /// The 99th percentile.
    pub p99_us: u64,
    /// The highest.
    pub max_us: u64,
}

impl Latency {
    /// The figures of a histogram.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        Self {
            count: histogram.len(),
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |us: u64| us as f64 / 1000.0;
        let (p50, p99, max) = (ms(self.p50_us), ms(self.p99_us), ms(self.max_us));
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms ({} measured)", self.count)
    }
}

/// What a run did, how fast, and what was wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`REPORT_SCHEMA`].
    pub schema_version: u32,
    /// Sessions connected.
    pub sessions: usize,
    /// Conversations written in.
    pub conversations: usize,
    /// Members of each.
    pub members: usize,
    /// The intended messages a second; none when each answer called for the next message.
    pub rate_intended: Option<f64>,
    /// Messages sent.
    pub sent: u64,
    /// Messages answered with status 200.
    pub answered: u64,
    /// Events answered otherwise.
    pub refused: u64,
    /// Messages without an answer.
    pub unanswered: u64,
    /// Sessions that ended before the run did.
    pub disconnected: u64,
    /// Messages received, each author's own among them.
    pub deliveries: u64,
    /// Records that came again unchanged, which the protocol allows.
    pub repeats: u64,
    /// Numbers that nobody was sent.
    pub gaps: u64,
    /// One number with two contents, or one message under two numbers.
    pub doubles: u64,
    /// Numbers that came after a higher one.
    pub reorders: u64,
    /// Answered messages that did not reach a member, counted per member.
    pub missing: u64,
    /// From the first intended time to the last delivery.
    pub seconds: f64,
    /// Answered messages a second.
    pub messages_per_second: f64,
    /// Deliveries a second.
    pub deliveries_per_second: f64,
    /// From a message's intended time to its answer.
    pub answer: Latency,
    /// From a message's intended time to its arrival at each other member.
    pub delivery: Latency,
    /// How late the harness itself sent; part of the two above.
    pub lateness: Latency,
    /// The first few of what was wrong, in words.
    pub examples: Vec<String>,
}

impl Report {
    /// Broken promises.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.gaps + self.doubles + self.reorders + self.missing
    }

    /// True when no promise was broken, every message was answered and every session lived: what a healthy server is to show.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations() + self.refused + self.unanswered + self.disconnected == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sessions, conversations, members, sent, answered, refused, unanswered, disconnected, ..
        } = self;
        writeln!(f, "{sessions} sessions, {conversations} conversations of {members} members")?;
        writeln!(f, "sent {sent}, answered {answered}, refused {refused}, unanswered {unanswered}")?;
        writeln!(
            f,
            "sessions lost {disconnected}, deliveries {}, repeats {}",
            self.deliveries, self.repeats
        )?;
        let Self { gaps, doubles, reorders, missing, .. } = self;
        writeln!(f, "gaps {gaps}, doubles {doubles}, reorders {reorders}, missing {missing}")?;
        writeln!(
            f,
            "{:.1} messages/s, {:.1} deliveries/s over {:.2} s{}",
            self.messages_per_second,
            self.deliveries_per_second,
            self.seconds,
            self.rate_intended.map(|rate| format!(" (intended {rate} messages/s)")).unwrap_or_default(),
        )?;
        writeln!(f, "answer:   {}", self.answer)?;
        writeln!(f, "delivery: {}", self.delivery)?;
        writeln!(f, "harness late by: {}", self.lateness)?;
        for example in &self.examples {
            writeln!(f, "! {example}")?;
        }
        write!(f, "{}", if self.is_clean() { "clean" } else { "NOT CLEAN" })
    }
}
