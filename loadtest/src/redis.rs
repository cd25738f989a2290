//! A Redis of a test's own: on a free port, in a temporary folder, keeping nothing, ended with the test.
//!
//! The binary is the system's, installed from Debian's packages where it is missing. Not here: any use of it.

use crate::daemon::Daemon;
use crate::failure::Failure;
use crate::package;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// How long it may take to answer before it counts as not ready.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// A running Redis. It is ended, and its folder removed, when this is dropped or the process ends.
#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
    port: u16,
}

impl Redis {
    /// Starts one; installs it first where there is none.
    pub fn start() -> Result<Self, Failure> {
        static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
        let install = || package::install("redis-server", || package::runs("redis-server", "--version"));
        INSTALLED.get_or_init(install).clone().map_err(Failure::Process)?;
        // Somebody else may take it before Redis does: then Redis says so.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let daemon = Daemon::start("redis", |folder| Ok(command(folder, port)), || answers(port))?;
        Ok(Self { daemon, port })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// Its port on this machine.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, as `kill -9` does.
    pub fn kill9(&mut self) -> Result<(), Failure> {
        self.daemon.kill9()
    }

    /// Starts it again after [`Redis::kill9`], where it was.
    pub fn restart(&mut self) -> Result<(), Failure> {
        let command = command(self.daemon.folder(), self.port);
        self.daemon.restart(command, || answers(self.port))
    }
}

fn command(folder: &Path, port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port.to_string());
    command.arg("--dir").arg(folder);
    command
}

fn answers(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        Ok::<bool, std::io::Error>(&answer == b"+PONG\r\n")
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_lives_through_a_kill_and_leaves_nothing_behind() {
        let mut redis = Redis::start().unwrap();
        let url = redis.url();
        redis.kill9().unwrap();
        assert!(!answers(redis.port));
        redis.restart().unwrap();
        assert!(answers(redis.port));
        assert_eq!(redis.url(), url);
        let (folder, port) = (redis.daemon.folder().to_owned(), redis.port);
        drop(redis);
        assert!(!folder.exists() && !answers(port));
    }
}
