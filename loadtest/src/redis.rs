//! A Redis of a test's own: on a free port, in a temporary folder, keeping nothing, ended with the test.
//!
//! The binary is the system's, installed from Debian's packages where it is missing. A guardian process ends it and removes the folder should the test be killed. Not here: any use of it.

use crate::failure::Failure;
use crate::package;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a start may take on a machine that also compiles. It is a matter of milliseconds.
const START_WAIT: Duration = Duration::from_secs(30);

/// How often it is looked whether the server is ready.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until whoever started it is gone, then ends the server and removes the folder.
const GUARDIAN: &str = "read -r _; kill -KILL \"$(cat \"$0/pid\" 2>/dev/null)\" 2>/dev/null; rm -rf \"$0\"";

/// Keeps the folders of one process apart.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A running Redis. It is ended, and its folder removed, when this is dropped or the process ends.
#[derive(Debug)]
pub struct Redis {
    folder: PathBuf,
    port: u16,
    server: Child,
    guardian: Child,
}

impl Redis {
    /// Starts one; installs it first where there is none.
    pub fn start() -> Result<Self, Failure> {
        static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
        INSTALLED.get_or_init(installed).clone().map_err(Failure::Process)?;
        let name = format!("rill-redis-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        let mut guardian = Command::new("sh");
        guardian.args(["-c", GUARDIAN]).arg(&folder).stdin(Stdio::piped()).process_group(0);
        let guardian = guardian.spawn()?;
        // Somebody else may take it before Redis does: then Redis says so.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let server = serve(&folder, port)?;
        Ok(Self { folder, port, server, guardian })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port on this machine.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, as `kill -9` does.
    pub fn kill9(&mut self) -> Result<(), Failure> {
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    /// Starts it again after [`Redis::kill9`], where it was.
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.server = serve(&self.folder, self.port)?;
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // What cannot be ended here is the guardian's.
        drop(self.server.kill());
        drop(self.server.wait());
        drop(self.guardian.stdin.take());
        drop(self.guardian.wait());
    }
}

fn serve(folder: &Path, port: u16) -> Result<Child, Failure> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]).arg(port.to_string());
    command
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    let mut server = command.spawn()?;
    std::fs::write(folder.join("pid"), server.id().to_string())?;
    let start = Instant::now();
    while !answers(port) {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        if let Some(status) = server.try_wait()? {
            return Err(Failure::Process(format!("Redis ended with {status}:\n{}", log())));
        }
        if start.elapsed() > START_WAIT {
            drop(server.kill());
            return Err(Failure::timed_out(format!("Redis; its log:\n{}", log()), START_WAIT));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(server)
}

/// Sees to it that the binary is there.
fn installed() -> Result<(), String> {
    let is_there =
        || Command::new("redis-server").arg("--version").output().is_ok_and(|it| it.status.success());
    package::install("redis-server", is_there)
}

fn answers(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(START_WAIT))?;
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
        let (folder, port) = (redis.folder.clone(), redis.port);
        drop(redis);
        assert!(!folder.exists() && !answers(port));
    }
}
