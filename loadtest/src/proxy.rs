//! An HAProxy of a test's own in front of some nodes, set as `deploy/haproxy.cfg` says, ended with the test.
//!
//! The binary is the system's, installed from Debian's packages where it is missing. Not here: who comes through it.

use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::package;
use crate::server::Server;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// What operators are given.
const SETTINGS: &str = include_str!("../../deploy/haproxy.cfg");

/// What the lines begin with that name the nodes.
const NODE_LINE: &str = "    server rill-";

/// Clients at most: more than any test has.
const CLIENTS_MAX: &str = "1000";

/// A running HAProxy. It is ended, and its folder removed, when this is dropped or the process ends.
#[derive(Debug)]
pub struct Proxy {
    _daemon: Daemon,
    port: u16,
}

impl Proxy {
    /// Starts one in front of these; installs it first where there is none.
    pub fn start(nodes: &[Server]) -> Result<Self, Failure> {
        static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
        let install = || package::install("haproxy", || package::runs("haproxy", "-v"));
        INSTALLED.get_or_init(install).clone().map_err(Failure::Process)?;
        // Somebody else may take them before HAProxy does: then HAProxy says so.
        let free = [TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?];
        let [port, figures] = [free[0].local_addr()?.port(), free[1].local_addr()?.port()];
        drop(free);
        let settings = settings(nodes.iter().map(Server::url));
        let command = |folder: &Path| {
            let file = folder.join("haproxy.cfg");
            std::fs::write(&file, settings)?;
            let mut command = Command::new("haproxy");
            command.arg("-f").arg(file).env("RILL_PROXY_MAXCONN", CLIENTS_MAX);
            command.env("RILL_PROXY_BIND", format!("127.0.0.1:{port}"));
            command.env("RILL_PROXY_STATS_BIND", format!("127.0.0.1:{figures}"));
            Ok(command)
        };
        let daemon = Daemon::start("proxy", command, || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(Self { _daemon: daemon, port })
    }

    /// Where clients come.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The settings with these nodes in place of those that they name.
fn settings(urls: impl Iterator<Item = String>) -> String {
    let line = |(number, url): (usize, String)| {
        format!("{NODE_LINE}{} {}", number + 1, url.trim_start_matches("http://"))
    };
    let nodes = urls.enumerate().map(line).collect::<Vec<_>>().join("\n");
    let mut lines: Vec<&str> = SETTINGS.lines().collect();
    let place = lines.iter().position(|line| line.starts_with(NODE_LINE)).unwrap_or(lines.len());
    lines.retain(|line| !line.starts_with(NODE_LINE));
    lines.insert(place, &nodes);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_of_a_test_stand_in_the_place_of_those_that_the_settings_name() {
        let text = settings(["http://127.0.0.1:1", "http://127.0.0.1:2"].map(str::to_owned).into_iter());
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(NODE_LINE)).collect();
        assert_eq!(lines, ["    server rill-1 127.0.0.1:1", "    server rill-2 127.0.0.1:2"]);
        assert_eq!(text.lines().count(), SETTINGS.lines().count() - 1);
    }
}
