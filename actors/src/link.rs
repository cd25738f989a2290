//! How nodes that share one store will speak to one another: the rules of it, without any wire.
//!
//! Owned here: who is taken for alive, who owns what, how far sessions may be told to be (`membership`), and how a lost
//! frame is noticed (`numbering`). Not here yet: what carries the frames. Until that stands, one server at a time serves a
//! store, and nothing but the tests calls this.

pub mod membership;
pub mod numbering;

use std::collections::BTreeSet;

use crate::store::{Aggregate, Epoch};

/// Nodes that have agreed on who they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// Rises with each agreement.
    pub round: u64,
    /// Who they are.
    pub nodes: BTreeSet<Epoch>,
}

impl View {
    /// Who owns an aggregate.
    #[must_use]
    pub fn owner(&self, aggregate: Aggregate) -> Epoch {
        let _ = aggregate;
        self.nodes.first().copied().unwrap_or(0)
    }
}
