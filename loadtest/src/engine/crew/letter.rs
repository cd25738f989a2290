//! What processes of one load say to each other: one JSON object a line.
//!
//! Not here: the connection ([`super::far`]).

use crate::engine::shared::{Founding, Harvest, Order, Snapshot};
use crate::engine::tally::Times;
use crate::failure::Failure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::net::TcpStream;
use uuid::Uuid;

/// From the conductor to a process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Down {
    /// Raise so many generators, from this number on.
    Found {
        founding: Box<Founding>,
        first: usize,
        count: usize,
    },
    Order(Order),
    Learn(Vec<(u32, Uuid)>),
    Tops(Vec<(Uuid, u32)>),
}

/// From a process to the conductor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Up {
    /// How it stands.
    Report(Box<Report>),
    /// What its generators bring; nothing follows.
    Harvest(Vec<Harvest>),
    /// Why they bring nothing; nothing follows.
    Failed(String),
}

/// How a process stands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) snapshot: Snapshot,
    /// What deliveries took since the report before.
    pub(super) recent: Times,
    pub(super) lag: Option<u64>,
    /// How often it has been told to cease: the lag is that after the last time.
    pub(super) ceases: u32,
    pub(super) announced: Vec<(u32, Uuid)>,
    pub(super) tops: Vec<(Uuid, u32)>,
}

/// Sends one.
pub(super) fn send<T: Serialize>(to: &mut TcpStream, letter: &T) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(letter).map_err(|error| Failure::Io(error.to_string()))?;
    line.push(b'\n');
    Ok(to.write_all(&line)?)
}

/// Reads one line.
pub(super) fn read<T: DeserializeOwned>(line: &str) -> Result<T, Failure> {
    serde_json::from_str(line)
        .map_err(|error| Failure::Broken(format!("a process of the load says what cannot be read ({error})")))
}
