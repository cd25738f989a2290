//! A server process under test: start, kill, end, restart on the same data, and what it logged.
//!
//! Not here: anything that speaks the protocol. The arguments are those of `rill serve`.

use crate::failure::Failure;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a start may take: recovery of the store after a kill included, on a machine that also compiles.
const START_WAIT: Duration = Duration::from_secs(60);

/// How long an orderly end may take before it counts as hanging: the drain plus the last appends.
const END_WAIT: Duration = Duration::from_secs(60);

/// How often a child that is to end is looked at: too seldom to cost anything, often enough not to slow a test.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// The line by which the server says that it is ready.
const READY: &str = "listening on http://";

/// How much of the log an error quotes: its end tells what went wrong.
const QUOTED_LINES_MAX: usize = 40;

/// A running `rill serve`. It is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    data_dir: PathBuf,
    extra_args: Vec<OsString>,
    log: PathBuf,
    child: Child,
    address: String,
}

impl Server {
    /// Starts the server on a free port of 127.0.0.1 and waits until it is ready. Its log goes to a file beside `data_dir`, which may be
    /// missing (the server creates it), and is appended to by restarts.
    pub fn start<A: AsRef<OsStr>>(binary: &Path, data_dir: &Path, extra_args: &[A]) -> Result<Self, Failure> {
        Self::start_at(binary, "127.0.0.1:0", data_dir, extra_args)
    }

    /// The same where it is told to listen: one that begins again by itself, in the same process, is found there again.
    pub fn start_at<A: AsRef<OsStr>>(
        binary: &Path,
        listen: &str,
        data_dir: &Path,
        extra_args: &[A],
    ) -> Result<Self, Failure> {
        let extra_args: Vec<OsString> = extra_args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        let mut log = data_dir.as_os_str().to_owned();
        log.push(".log");
        let log = PathBuf::from(log);
        let (child, address) = spawn(binary, data_dir, &extra_args, listen, &log)?;
        Ok(Self { binary: binary.to_owned(), data_dir: data_dir.to_owned(), extra_args, log, child, address })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder of its data.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    pub fn kill9(&mut self) -> Result<(), Failure> {
        // On Unix this is SIGKILL; a child that is gone already is no failure.
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end by SIGTERM and waits for its exit status.
    pub fn terminate(&mut self) -> Result<ExitStatus, Failure> {
        self.signal("TERM")?;
        self.wait()
    }

    /// Waits for the exit status of one that was asked to end.
    pub fn wait(&mut self) -> Result<ExitStatus, Failure> {
        let start = Instant::now();
        while start.elapsed() < END_WAIT {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        Err(Failure::timed_out(format!("end; its log ends with\n{}", self.log_end()), END_WAIT))
    }

    /// Sends it a signal by name (`TERM`, `STOP`, `CONT`), by the `kill` command: the standard library knows SIGKILL only.
    pub fn signal(&self, name: &str) -> Result<(), Failure> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status()?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::Process(format!("{} did not take SIG{name}: {status}", self.pid())))
    }

    /// Stops it by SIGSTOP and waits until all of its threads stand still: on a busy machine some of them go on for a while.
    pub fn stand_still(&self) -> Result<(), Failure> {
        self.signal("STOP")?;
        let start = Instant::now();
        while !self.is_still()? {
            if start.elapsed() > END_WAIT {
                return Err(Failure::timed_out("threads that stand still", END_WAIT));
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    fn is_still(&self) -> Result<bool, Failure> {
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.pid()))? {
            let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
            // The state follows the name, which stands in brackets.
            if !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('T') {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Starts it again on the same data and the same port, after it was killed or has ended. One that still runs is killed first.
    pub fn restart(&mut self) -> Result<(), Failure> {
        if self.child.try_wait()?.is_none() {
            self.kill9()?;
        }
        let listen = self.address.clone();
        (self.child, self.address) =
            spawn(&self.binary, &self.data_dir, &self.extra_args, &listen, &self.log)?;
        Ok(())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| Failure::Process("tells no VmRSS".into()))
    }

    /// The file with everything that it wrote to standard error, all starts included.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The lines that it logged at level ERROR, and every panic. A test without expected faults asserts that there are none.
    pub fn error_lines(&self) -> Result<Vec<String>, Failure> {
        let log = String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned();
        let is_error =
            |line: &&str| line.split_whitespace().any(|word| word == "ERROR") || line.contains("panicked at");
        Ok(log.lines().filter(is_error).map(str::to_owned).collect())
    }

    fn log_end(&self) -> String {
        quote(&self.log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and a child that has ended is what is wanted.
        drop(self.kill9());
    }
}

fn spawn(
    binary: &Path,
    data_dir: &Path,
    extra_args: &[OsString],
    listen: &str,
    log: &Path,
) -> Result<(Child, String), Failure> {
    let mut command = Command::new(binary);
    command.arg("serve").arg("--listen").arg(listen).arg("--data").arg(data_dir).args(extra_args);
    spawn_ready(command, log)
}

/// Starts any server that says where it listens as `rill serve` does, and waits until it has said so.
pub(crate) fn spawn_ready(mut command: Command, log: &Path) -> Result<(Child, String), Failure> {
    let stderr: File = OpenOptions::new().create(true).append(true).open(log)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let mut child = command
        .spawn()
        .map_err(|error| Failure::Process(format!("{} {error}", command.get_program().display())))?;
    match await_ready(&mut child, log) {
        Ok(address) => Ok((child, address)),
        Err(failure) => {
            // A child that does not get ready must not stay behind.
            drop(child.kill());
            drop(child.wait());
            Err(failure)
        }
    }
}

/// Reads standard output up to the line that names the address. The rest of the output is drained, so that the child never blocks on it.
fn await_ready(child: &mut Child, log: &Path) -> Result<String, Failure> {
    let stdout = child.stdout.take().ok_or_else(|| Failure::Process("has no standard output".into()))?;
    let (ready, when_ready) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(place) = line.find(READY) {
                let address = line[place + READY.len()..].trim().trim_end_matches('/').to_owned();
                // The other side is gone when it has given up waiting.
                drop(ready.send(address));
            }
        }
    });
    match when_ready.recv_timeout(START_WAIT) {
        Ok(address) => Ok(address),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(Failure::timed_out(format!("line {READY:?}; the log ends with\n{}", quote(log)), START_WAIT))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let status = child.wait()?;
            Err(Failure::Process(format!(
                "ended with {status} before it was ready; its log ends with\n{}",
                quote(log)
            )))
        }
    }
}

fn quote(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(QUOTED_LINES_MAX)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A shell script in the server's place. A folder of its own per test keeps them apart.
    fn script(name: &str, body: &str) -> (PathBuf, PathBuf) {
        let dir = std::env::temp_dir().join(format!("rill-server-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let binary = dir.join("rill");
        std::fs::write(&binary, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        (binary, dir)
    }

    const NO_ARGS: [&str; 0] = [];

    #[test]
    fn a_server_is_started_killed_restarted_and_ended() {
        let body = "echo \"2026 ERROR started with $*\" >&2\ntrap 'exit 0' TERM\necho listening on http://127.0.0.1:4711\n\
                    while :; do sleep 0.01; done";
        let (binary, dir) = script("life", body);
        let mut server = Server::start(&binary, &dir.join("data"), &["--config", "x.toml"]).unwrap();
        assert_eq!(server.url(), "http://127.0.0.1:4711");
        assert!(server.resident_bytes().unwrap() > 0);
        server.kill9().unwrap();
        server.restart().unwrap();
        assert!(server.terminate().unwrap().success());
        let starts = server.error_lines().unwrap();
        assert_eq!(starts.len(), 2);
        assert!(
            starts[0].contains("serve --listen 127.0.0.1:0 --data") && starts[0].ends_with("--config x.toml")
        );
        assert!(starts[1].contains("--listen 127.0.0.1:4711"), "{starts:?}");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_server_that_ends_at_once_is_quoted() {
        let (binary, dir) = script("dead", "echo the port is taken >&2; exit 2");
        let failure = Server::start(&binary, &dir.join("data"), &NO_ARGS).unwrap_err().to_string();
        assert!(failure.contains("the port is taken") && failure.contains('2'), "{failure}");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_dropped_server_is_dead() {
        let (binary, dir) = script("drop", "echo listening on http://127.0.0.1:1\nexec sleep 600");
        let server = Server::start(&binary, &dir.join("data"), &NO_ARGS).unwrap();
        let pid = server.pid();
        drop(server);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
