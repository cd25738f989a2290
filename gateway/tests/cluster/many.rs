//! A cluster of a test's own, and people on it.
//!
//! Not here: faults, and any expectation.

use std::path::Path;

use rill_loadtest::cluster::Cluster;
use rill_loadtest::user::User;
use tempfile::TempDir;

use crate::world::{BINARY, NAME, PASSWORD};

/// What every node is told: to close soon whoever is connected when it ends, and its name.
const ARGS: [&str; 4] = [NAME[0], NAME[1], "--drain-ms", "1000"];

/// Running nodes with folders of their own.
pub(crate) struct Many {
    pub(crate) cluster: Cluster,
    _folder: TempDir,
}

impl Many {
    pub(crate) fn start(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(Path::new(BINARY), folder.path(), count, &ARGS).unwrap();
        Self { cluster, _folder: folder }
    }

    /// A person who registered at one node, by turns, and is logged in there.
    pub(crate) fn person(&self, number: usize) -> User {
        let node = &self.cluster.nodes[number % self.cluster.nodes.len()];
        let email = format!("person{number}@example.com");
        User::register(&node.url(), &email, PASSWORD, &format!("Person{number}")).unwrap()
    }

    /// No node has panicked. What they say of the faults that they met is no matter.
    pub(crate) fn assert_no_panics(&self) {
        let lines = self.cluster.nodes.iter().flat_map(|node| node.error_lines().unwrap());
        let panics: Vec<String> = lines.filter(|line| line.contains("panicked at")).collect();
        assert!(panics.is_empty(), "{panics:#?}");
    }
}
