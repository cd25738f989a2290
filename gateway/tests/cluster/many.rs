//! A cluster of a test's own, and people on it.
//!
//! Not here: faults, and any expectation.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rill_loadtest::cluster::Cluster;
use rill_loadtest::package;
use rill_loadtest::user::User;
use tempfile::TempDir;

use crate::world::{BINARY, NAME, PASSWORD};

/// What every node is told: to close soon whoever is connected when it ends, and its name.
const ARGS: [&str; 4] = [NAME[0], NAME[1], "--drain-ms", "1000"];

/// Moves the clocks of whoever is started with it.
const FAKETIME: &str = "faketime/libfaketime.so.1";

/// Starts a node whose wall clock a file beside its folder moves. How much time passes stays as it is.
const WITH_CLOCK: &str = r#"#!/bin/sh
echo +0 > "$5.clock"
export FAKETIME_TIMESTAMP_FILE="$5.clock" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
LD_PRELOAD="#;

/// Running nodes with folders of their own.
pub(crate) struct Many {
    pub(crate) cluster: Cluster,
    folder: TempDir,
    /// One after the other, beside that with the faults: two cores carry no more nodes than that.
    _turn: Option<MutexGuard<'static, ()>>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Many {
    pub(crate) fn start(count: usize) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::start(Path::new(BINARY), folder.path(), count, &ARGS).unwrap();
        Self { cluster, folder, _turn: Some(turn) }
    }

    /// Nodes that can be cut off, and whose clocks can be moved where that is wanted.
    pub(crate) fn start_apart(count: usize, with_clocks: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binary =
            if with_clocks { binary_with_clock(folder.path()) } else { Path::new(BINARY).to_owned() };
        let cluster = Cluster::start_with_valves(&binary, folder.path(), count, &ARGS).unwrap();
        Self { cluster, folder, _turn: None }
    }

    /// Moves a node's wall clock by so many seconds against the true one.
    pub(crate) fn set_clock(&self, node: usize, seconds: i64) {
        let file = self.folder.path().join(format!("node{node}.clock"));
        let whole = file.with_extension("next");
        std::fs::write(&whole, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(whole, file).unwrap();
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

/// Something that starts a node with a clock of its own.
fn binary_with_clock(folder: &Path) -> PathBuf {
    let library = || {
        let libraries = std::fs::read_dir("/usr/lib").unwrap().flatten();
        libraries.map(|folder| folder.path().join(FAKETIME)).find(|library| library.exists())
    };
    package::install("libfaketime", || library().is_some()).unwrap();
    let (script, library) = (folder.join("node"), library().unwrap());
    std::fs::write(&script, format!("{WITH_CLOCK}{} exec {BINARY} \"$@\"\n", library.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}
