//! Where scenarios are played: one server, or several nodes among which their people are spread.

use crate::complaint::Complaint;
use crate::elsewhere;
use rill_loadtest::cluster::Cluster;
use rill_loadtest::failure::Failure;
use rill_loadtest::server::Server;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Owners leave memory as soon as nobody has asked them for so many milliseconds: in the middle of scenarios, wherever they pause.
const NAP: [&str; 2] = ["--idle-ms", "60"];

/// How many seconds files are kept where an organisation wants them deleted: as long as a scenario can wait.
const KEPT: [&str; 2] = ["--files-kept-s", "2"];

/// How many tasks a board holds: more than any other scenario puts there.
const FULL: [&str; 2] = ["--board-tasks-max", "200"];

/// Nodes have one name for all; nobody goes there.
const NAME: [&str; 2] = ["--public-url", "http://chat.example.org"];

/// How long nodes may take to agree on who they are, those before them having been killed.
const JOIN_WAIT: Duration = Duration::from_secs(60);

/// The servers of a run.
pub(crate) struct Ground {
    servers: Servers,
    next: AtomicUsize,
}

enum Servers {
    One(Box<Server>),
    Several(Box<Cluster>),
}

impl Ground {
    /// Starts so many nodes.
    pub(crate) fn start(folder: &Path, nodes: usize) -> Result<Self, Failure> {
        let binary = Path::new(env!("CARGO_BIN_EXE_rill"));
        let settings = [elsewhere::SETTING, NAP, KEPT, FULL].concat();
        let servers = if nodes < 2 {
            Servers::One(Box::new(Server::start(binary, folder, &settings)?))
        } else {
            std::fs::create_dir_all(folder)?;
            let cluster = Cluster::start(binary, folder, nodes, &[&settings[..], &NAME].concat())?;
            // What is durable after a power failure is not asked here, and takes time.
            cluster.postgres.sql("ALTER SYSTEM SET fsync = off")?;
            cluster.postgres.sql("SELECT pg_reload_conf()")?;
            Servers::Several(Box::new(cluster))
        };
        Ok(Self { servers, next: AtomicUsize::new(0) })
    }

    fn nodes(&self) -> &[Server] {
        match &self.servers {
            Servers::One(server) => std::slice::from_ref(server),
            Servers::Several(cluster) => &cluster.nodes,
        }
    }

    /// Kills every node with `kill -9`, and starts them again.
    pub(crate) fn restart(&mut self) -> Result<(), Failure> {
        match &mut self.servers {
            Servers::One(server) => server.restart(),
            Servers::Several(cluster) => {
                cluster.nodes.iter_mut().try_for_each(Server::restart)?;
                cluster.await_ready(JOIN_WAIT)
            }
        }
    }

    /// The next node in turn: whoever is with one another in a scenario is on different ones.
    pub(crate) fn url(&self) -> String {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.nodes()[turn % self.nodes().len()].url()
    }

    /// Where letters lie: each node puts its own down.
    pub(crate) fn letters(&self) -> Vec<PathBuf> {
        self.nodes().iter().map(|node| node.data_dir().join("mail")).collect()
    }

    /// No node has logged an error.
    pub(crate) fn is_clean(&self) -> Result<(), Complaint> {
        for node in self.nodes() {
            let errors = node.error_lines()?;
            if !errors.is_empty() {
                return Err(Complaint::new("no error in the server's log", errors.join("\n")));
            }
        }
        Ok(())
    }
}
