//! A cluster of a test's own, and people on it.
//!
//! Not here: faults, and any expectation.

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rill_loadtest::cluster::{Cluster, Site};
use rill_loadtest::namespace::Namespace;
use rill_loadtest::proxy::Proxy;
use rill_loadtest::server::Server;
use rill_loadtest::user::User;
use tempfile::TempDir;

use crate::world::{BINARY, NAME, PASSWORD};

/// What every node is told: to close soon whoever is connected when it ends, and its name.
const ARGS: [&str; 4] = [NAME[0], NAME[1], "--drain-ms", "1000"];

/// What moves the clocks of whoever is started with it.
const CLOCK: &str = include_str!("clock.c");

/// Starts a node whose wall clock a file beside its folder moves, in the network namespace that another one enters. How much time passes
/// stays as it is.
const APART: &str = r#"#!/bin/sh
[ -e "$5.clock" ] || head -c 8 /dev/zero >"$5.clock"
exec $(cat "$5.enter") env RILL_TEST_CLOCK="$5.clock" LD_PRELOAD="#;

/// Where a node listens in a namespace of its own.
const PORT: u16 = 8080;

/// What a process is asked to end with.
const SIGTERM: i32 = 15;

/// Running nodes with folders of their own.
pub(crate) struct Many {
    pub(crate) cluster: Cluster,
    /// In front of the nodes, where there is one.
    proxy: Option<Proxy>,
    /// By node, where this process may make them.
    namespaces: Option<Vec<Namespace>>,
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
        Self { cluster, proxy: None, namespaces: None, folder, _turn: Some(turn) }
    }

    /// Nodes behind a proxy that can be cut off, and whose clocks can be moved. Each has a network namespace of its own; where this process
    /// may not make them, all are on the loopback.
    pub(crate) fn start_apart(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = (0..count).map(|_| Namespace::make()).collect::<Result<Vec<_>, _>>();
        let namespaces = match made {
            Ok(namespaces) => Some(namespaces),
            Err(failure) => {
                println!(
                    "no network namespaces can be made here, so that valves stand in for cables: {failure}"
                );
                None
            }
        };
        let sites: Vec<Site> = (0..count)
            .map(|node| {
                let namespace = namespaces.as_ref().map(|namespaces| &namespaces[node]);
                let enter = namespace.map(Namespace::enter).unwrap_or_default();
                std::fs::write(folder.path().join(format!("node{node}.enter")), enter).unwrap();
                let apart =
                    |of: &Namespace| Site { listen: (of.there(), PORT).into(), valves: of.here().into() };
                namespace.map_or_else(|| Site::loopback().unwrap(), apart)
            })
            .collect();
        let binary = binary_apart(folder.path());
        let cluster = Cluster::start_with_valves(&binary, folder.path(), &sites, &ARGS).unwrap();
        let proxy = Some(Proxy::start(&cluster.nodes).unwrap());
        Self { cluster, proxy, namespaces, folder, _turn: None }
    }

    /// A node's cable is pulled: it reaches nobody, and nobody reaches it.
    pub(crate) fn pull(&self, node: usize) {
        match &self.namespaces {
            Some(namespaces) => namespaces[node].pull().unwrap(),
            None => self.cluster.valves[node].close(),
        }
    }

    /// And plugged in again.
    pub(crate) fn plug_in(&self, node: usize) {
        match &self.namespaces {
            Some(namespaces) => namespaces[node].plug_in().unwrap(),
            None => self.cluster.valves[node].open(),
        }
    }

    /// Where clients come.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.proxy.as_ref().map_or_else(|| self.cluster.urls(), |proxy| vec![proxy.url()])
    }

    /// Moves a node's wall clock by so many seconds against the true one.
    pub(crate) fn set_clock(&self, node: usize, seconds: i64) {
        let file = self.folder.path().join(format!("node{node}.clock"));
        // In its place, since it is mapped; eight bytes are written as one.
        let file = OpenOptions::new().write(true).open(file).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
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

/// Asks a node to end, and waits until it has.
pub(crate) fn end(node: &mut Server) {
    let ended = node.terminate().unwrap();
    // A node that stood still may learn only now that it was put out. Between the one and the other that it becomes, the signal ends
    // it by itself.
    assert!(ended.success() || ended.signal() == Some(SIGTERM), "{ended}");
}

/// Something that starts a node with a clock and a network of its own.
fn binary_apart(folder: &Path) -> PathBuf {
    let [source, library, script] = ["clock.c", "clock.so", "node"].map(|name| folder.join(name));
    std::fs::write(&source, CLOCK).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).args([&library, &source]);
    let compiled = compiler.output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    std::fs::write(&script, format!("{APART}{} {BINARY} \"$@\"\n", library.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}
