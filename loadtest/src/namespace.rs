//! A network namespace of a test's own: who runs in it has one cable, and that can be pulled.
//!
//! Made by `ip`, which only root may ask for that. The cable leads to this machine and no further: it is a network of two addresses, and
//! the namespace has no other way out. Not here: who runs in it.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::daemon::guard;
use crate::failure::Failure;
use crate::package;

/// Waits until whoever made it is gone, then ends it, and with it the cable.
const GUARDIAN: &str = "read -r _; ip netns delete \"$0\"";

/// What the cable is called inside.
const CABLE: &str = "cable";

/// The networks of two addresses each in 10.213.0.0/16.
const NETWORKS: u32 = 1 << 14;

/// A namespace. It is gone when this is dropped or the process ends, and whoever runs in it has no network any more.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    network: u32,
    guardian: Child,
}

impl Namespace {
    /// Makes one.
    pub fn make() -> Result<Self, Failure> {
        /// Keeps the namespaces of one process apart.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
        let install = || package::install("iproute2", || package::runs("ip", "-V"));
        INSTALLED.get_or_init(install).clone().map_err(Failure::Process)?;
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (name, outside) = (format!("rill-{process}-{number}"), format!("rl{process}n{number}"));
        ip(&["netns", "add", &name])?;
        let guardian = guard(GUARDIAN, Path::new(&name))?;
        let namespace =
            Self { name, network: process.wrapping_mul(4).wrapping_add(number) % NETWORKS, guardian };
        let [here, there] = [namespace.here(), namespace.there()].map(|address| format!("{address}/30"));
        ip(&["link", "add", &outside, "type", "veth", "peer", "name", CABLE, "netns", &namespace.name])?;
        ip(&["address", "add", &here, "dev", &outside])?;
        ip(&["link", "set", &outside, "up"])?;
        namespace.inside(&["address", "add", &there, "dev", CABLE])?;
        namespace.inside(&["link", "set", "lo", "up"])?;
        namespace.plug_in()?;
        Ok(namespace)
    }

    /// This machine's end of the cable.
    #[must_use]
    pub fn here(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// The other one.
    #[must_use]
    pub fn there(&self) -> Ipv4Addr {
        self.address(2)
    }

    /// What a command begins with that runs inside.
    #[must_use]
    pub fn enter(&self) -> String {
        format!("ip netns exec {}", self.name)
    }

    /// Nothing passes any more.
    pub fn pull(&self) -> Result<(), Failure> {
        self.inside(&["link", "set", CABLE, "down"])
    }

    /// Everything passes.
    pub fn plug_in(&self) -> Result<(), Failure> {
        self.inside(&["link", "set", CABLE, "up"])
    }

    fn address(&self, end: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(Ipv4Addr::new(10, 213, 0, 0).to_bits() + self.network * 4 + end)
    }

    fn inside(&self, arguments: &[&str]) -> Result<(), Failure> {
        ip(&[&["-netns", &self.name], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What cannot be removed goes with the machine.
        drop(self.guardian.stdin.take());
        drop(self.guardian.wait());
    }
}

fn ip(arguments: &[&str]) -> Result<(), Failure> {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::Process(format!("ip {}: {}", arguments.join(" "), said.trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    #[test]
    #[expect(clippy::print_stdout, reason = "says why it shows nothing")]
    fn nothing_passes_a_cable_that_is_pulled() {
        let namespace = match Namespace::make() {
            Ok(namespace) => namespace,
            Err(failure) => return println!("no network namespace can be made here: {failure}"),
        };
        let listener = TcpListener::bind((namespace.here(), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let enters = || {
            let mut words = namespace.enter();
            words.push_str(&format!(" timeout 1 bash -c 'exec 3<>/dev/tcp/{}/{port}'", namespace.here()));
            Command::new("sh").args(["-c", &words]).output().unwrap().status.success()
        };
        assert!(enters());
        namespace.pull().unwrap();
        assert!(!enters());
        let there = (namespace.there(), port).into();
        assert!(TcpStream::connect_timeout(&there, Duration::from_millis(100)).is_err());
        namespace.plug_in().unwrap();
        assert!(enters());
        let name = namespace.name.clone();
        drop(namespace);
        let left = Command::new("ip").args(["netns", "list"]).output().unwrap();
        assert!(!String::from_utf8_lossy(&left.stdout).contains(&name));
    }
}
