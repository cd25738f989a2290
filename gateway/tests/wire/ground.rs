//! Where scenarios are played: one server, or several nodes among which their people are spread.
//!
//! Not here: how nodes are started.

use crate::complaint::Complaint;
use rill_loadtest::server::Server;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The servers of a run.
pub(crate) struct Ground {
    /// At least one.
    pub(crate) nodes: Vec<Server>,
    next: AtomicUsize,
}

impl Ground {
    pub(crate) fn of(nodes: Vec<Server>) -> Self {
        Self { nodes, next: AtomicUsize::new(0) }
    }

    /// The next node in turn: whoever is with one another in a scenario is on different ones.
    pub(crate) fn url(&self) -> String {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.nodes[turn % self.nodes.len()].url()
    }

    /// Where letters lie: each node puts its own down.
    pub(crate) fn letters(&self) -> Vec<PathBuf> {
        self.nodes.iter().map(|node| node.data_dir().join("mail")).collect()
    }

    /// No node has logged an error.
    pub(crate) fn is_clean(&self) -> Result<(), Complaint> {
        for node in &self.nodes {
            let errors = node.error_lines()?;
            if !errors.is_empty() {
                return Err(Complaint::new("no error in the server's log", errors.join("\n")));
            }
        }
        Ok(())
    }
}
