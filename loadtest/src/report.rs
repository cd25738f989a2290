//! What is shown of outcomes: as text, as JSON, as a page with plots, as a comparison.
//!
//! Owns: the report's schema. Not here: how the figures come about ([`crate::engine`], [`crate::outcome`]).

pub mod compare;
pub mod html;
pub mod markdown;
mod plot;
pub mod text;

use crate::failure::Failure;
use crate::machine::Machine;
use crate::outcome::Outcome;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Raised when a field of the JSON report changes its meaning or vanishes; new fields do not raise it.
pub const REPORT_SCHEMA: u32 = 2;

/// One figure with what it is held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its value; none when it could not be measured.
    pub value: Option<f64>,
    /// What the value counts.
    pub unit: String,
    /// What it must not exceed, or not fall below; none when it is only told.
    pub bar: Option<Bar>,
    /// What else is to be known about it.
    pub note: String,
}

/// The bound of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
}

impl Figure {
    /// Whether it meets its bar; none without a bar or a value.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let (value, bar) = self.value.zip(self.bar)?;
        Some(match bar {
            Bar::AtMost(most) => value <= most,
            Bar::AtLeast(least) => value >= least,
        })
    }

    /// How it stands to its bar, in a word.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match (self.is_met(), self.value) {
            (Some(true), _) => "reached",
            (Some(false), _) => "missed",
            (None, None) => "not measured",
            (None, Some(_)) => "",
        }
    }

    /// Its value and its bar as text; the bar is empty when there is none.
    #[must_use]
    pub fn said(&self) -> (String, String) {
        let short = compare::short;
        let value = self.value.map_or("–".to_owned(), |value| format!("{} {}", short(value), self.unit));
        let bar = self.bar.map_or(String::new(), |bar| match bar {
            Bar::AtMost(most) => format!("≤ {}", short(most)),
            Bar::AtLeast(least) => format!("≥ {}", short(least)),
        });
        (value, bar)
    }
}

/// Several runs on one machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_SCHEMA`].
    pub schema_version: u32,
    /// This program's version.
    pub version: String,
    /// When it was begun, in seconds since the epoch.
    pub begun_s: u64,
    /// What was measured, as it calls itself; empty but in a suite.
    #[serde(default)]
    pub server_version: String,
    /// Whether a suite was but a look at everything.
    #[serde(default)]
    pub is_short: bool,
    /// The words by which chapters of a suite were chosen; empty where all were carried out.
    #[serde(default)]
    pub only: Vec<String>,
    /// How long a suite took, in seconds.
    #[serde(default)]
    pub took_s: f64,
    /// Where.
    pub machine: Machine,
    /// What is held against bars; empty but in a suite.
    #[serde(default)]
    pub figures: Vec<Figure>,
    /// What of a suite could not be carried out, and why.
    #[serde(default)]
    pub faults: Vec<String>,
    /// The runs.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// One without any run yet.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            schema_version: REPORT_SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            begun_s: now.as_secs(),
            server_version: String::new(),
            is_short: false,
            only: Vec::new(),
            took_s: 0.0,
            machine,
            figures: Vec::new(),
            faults: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// As JSON.
    pub fn json(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self).map_err(|error| Failure::Io(error.to_string()))
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |reason: String| Failure::Plan(format!("{}: {reason}", path.display()));
        let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let report: Self = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if report.schema_version != REPORT_SCHEMA {
            return Err(wrong(format!("its schema is {}, not {REPORT_SCHEMA}", report.schema_version)));
        }
        Ok(report)
    }
}
