//! Several server processes over one PostgreSQL and one Redis, all of them a test's own.
//!
//! Each node has a data folder of its own; the folder of files is shared. Signals, kills and restarts are those of [`Server`],
//! [`Redis`] and [`Postgres`]. Not here: who connects to which node.

use crate::failure::Failure;
use crate::postgres::{Postgres, SOCKET};
use crate::redis::Redis;
use crate::server::Server;
use crate::valve::Valve;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
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

impl Valves {
    /// Nothing passes any more.
    pub fn close(&self) {
        self.redis.close();
        self.postgres.close();
    }

    /// Everything passes.
    pub fn open(&self) {
        self.redis.open();
        self.postgres.open();
    }
}

/// Where a node is that may be cut off.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Where it is to listen; known before the start, since one that was put out begins again by itself, and is to be found again.
    pub listen: SocketAddr,
    /// Where it finds its valves.
    pub valves: IpAddr,
}

impl Site {
    /// On this machine's loopback.
    pub fn loopback() -> Result<Self, Failure> {
        let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Ok(Self { listen, valves: listen.ip() })
    }
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
        let sites = (0..count).map(|_| Site::loopback()).collect::<Result<Vec<_>, _>>()?;
        let direct = |cluster: &mut Self, _| Ok([cluster.postgres.url(), cluster.redis.url()]);
        Self::begin(binary, folder, &sites, extra_args, direct)
    }

    /// The same with valves, a node at each site: each can be cut off from the others and from the store.
    pub fn start_with_valves(
        binary: &Path,
        folder: &Path,
        sites: &[Site],
        extra_args: &[&str],
    ) -> Result<Self, Failure> {
        let by_valves = |cluster: &mut Self, Site { valves: from, .. }| {
            let valves = Valves {
                redis: Valve::to_port(from, cluster.redis.port())?,
                postgres: Valve::to_socket(from, cluster.postgres.folder().join(SOCKET))?,
            };
            let link = format!("redis://{from}:{}", valves.redis.port());
            let store = Postgres::url_at(from, valves.postgres.port());
            cluster.valves.push(valves);
            Ok([store, link])
        };
        Self::begin(binary, folder, sites, extra_args, by_valves)
    }

    /// Starts them; `ways` makes each node's way to the store and to the others.
    fn begin(
        binary: &Path,
        folder: &Path,
        sites: &[Site],
        extra_args: &[&str],
        ways: impl Fn(&mut Self, Site) -> Result<[String; 2], Failure>,
    ) -> Result<Self, Failure> {
        let (postgres, redis) = (Postgres::start()?, Redis::start()?);
        let mut cluster =
            Self { nodes: Vec::with_capacity(sites.len()), valves: Vec::new(), redis, postgres };
        for site in sites {
            let ways = ways(&mut cluster, *site)?;
            cluster.add_node(binary, folder, *site, &ways, extra_args)?;
        }
        cluster.await_ready(READY_WAIT * 60)?;
        Ok(cluster)
    }

    fn add_node(
        &mut self,
        binary: &Path,
        folder: &Path,
        site: Site,
        [store, link]: &[String; 2],
        extra_args: &[&str],
    ) -> Result<(), Failure> {
        let files = folder.join("files").display().to_string();
        let shared = ["--store", store, "--redis", link, "--files-folder", &files];
        let args: Vec<&str> = shared.iter().chain(extra_args).copied().collect();
        let data = folder.join(format!("node{}", self.nodes.len()));
        self.nodes.push(Server::start_at(binary, &site.listen.to_string(), &data, &args)?);
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
