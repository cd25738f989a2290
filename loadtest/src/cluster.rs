//! Several server processes over one PostgreSQL and one Redis, all of them a test's own.
//!
//! Each node has a data folder of its own; the folder of files is shared. Signals, kills and restarts are those of [`Server`],
//! [`Redis`] and [`Postgres`]. Not here: who connects to which node.

use crate::failure::Failure;
use crate::postgres::{Postgres, SOCKET};
use crate::redis::Redis;
use crate::server::Server;
use crate::valve::Valve;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often it is looked whether all nodes are ready.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How long a node may take to say whether it is ready. One that stands still says nothing.
const READY_WAIT: Duration = Duration::from_secs(1);

/// What lies between a node and what all of them share.
#[derive(Debug)]
pub struct Valves {
    /// On the way to Redis, and so to the other nodes.
    pub redis: Valve,
    /// On the way to the store.
    pub postgres: Valve,
}

/// A running cluster. Everything ends when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes, in the order in which they were started.
    pub nodes: Vec<Server>,
    /// By node. None in a cluster without.
    pub valves: Vec<Valves>,
    /// How they speak to each other.
    pub redis: Redis,
    /// Their store.
    pub postgres: Postgres,
}

impl Cluster {
    /// Starts so many nodes below `folder`, each with `extra_args`, and waits until all are ready.
    pub fn start(binary: &Path, folder: &Path, count: usize, extra_args: &[&str]) -> Result<Self, Failure> {
        let direct = |cluster: &mut Self, _| Ok([cluster.postgres.url(), cluster.redis.url()]);
        Self::begin(binary, folder, count, extra_args, direct)
    }

    /// The same with valves: each node can be cut off from the others and from the store.
    pub fn start_with_valves(
        binary: &Path,
        folder: &Path,
        count: usize,
        extra_args: &[&str],
    ) -> Result<Self, Failure> {
        let by_valves = |cluster: &mut Self, number| {
            let socket = folder.join(format!("store{number}"));
            let valves = Valves {
                redis: Valve::to_port(cluster.redis.port())?,
                postgres: Valve::to_socket(&socket, SOCKET, cluster.postgres.folder())?,
            };
            let link = format!("redis://127.0.0.1:{}", valves.redis.port());
            cluster.valves.push(valves);
            Ok([Postgres::url_in(&socket), link])
        };
        Self::begin(binary, folder, count, extra_args, by_valves)
    }

    /// Starts them; `ways` makes each node's way to the store and to the others.
    fn begin(
        binary: &Path,
        folder: &Path,
        count: usize,
        extra_args: &[&str],
        ways: impl Fn(&mut Self, usize) -> Result<[String; 2], Failure>,
    ) -> Result<Self, Failure> {
        let (postgres, redis) = (Postgres::start()?, Redis::start()?);
        let mut cluster = Self { nodes: Vec::with_capacity(count), valves: Vec::new(), redis, postgres };
        for number in 0..count {
            let ways = ways(&mut cluster, number)?;
            cluster.add_node(binary, folder, number, &ways, extra_args)?;
        }
        cluster.await_ready(READY_WAIT * 60)?;
        Ok(cluster)
    }

    fn add_node(
        &mut self,
        binary: &Path,
        folder: &Path,
        number: usize,
        [store, link]: &[String; 2],
        extra_args: &[&str],
    ) -> Result<(), Failure> {
        let files = folder.join("files").display().to_string();
        let shared = ["--store", store, "--redis", link, "--files-folder", &files];
        let args: Vec<&str> = shared.iter().chain(extra_args).copied().collect();
        // Known before the start: a node that was put out begins again by itself, and is to be found again.
        let listen = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string();
        let data = folder.join(format!("node{number}"));
        self.nodes.push(Server::start_at(binary, &listen, &data, &args)?);
        Ok(())
    }

    /// Where the nodes are.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }

    /// Waits until every node says that it is ready.
    pub fn await_ready(&self, within: Duration) -> Result<(), Failure> {
        let start = Instant::now();
        for node in &self.nodes {
            while !is_ready(node) {
                if start.elapsed() > within {
                    let log = std::fs::read_to_string(node.log_path()).unwrap_or_default();
                    let end: Vec<&str> = log.lines().rev().take(20).collect();
                    let what =
                        format!("readiness of {}; its log ends, last line first, with {end:#?}", node.url());
                    return Err(Failure::timed_out(what, within));
                }
                std::thread::sleep(LOOK_INTERVAL);
            }
        }
        Ok(())
    }
}

/// Whether a node says that it is ready.
#[must_use]
pub fn is_ready(node: &Server) -> bool {
    let agent = ureq::Agent::config_builder().max_idle_connections(0).timeout_global(Some(READY_WAIT));
    agent.build().new_agent().get(format!("{}/readyz", node.url())).call().is_ok()
}
