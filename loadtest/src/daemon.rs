//! A server of a test's own beside the one under test: in a temporary folder, ended with the test.
//!
//! A guardian process ends it and removes the folder should the test be killed. Not here: which server, and how it is asked whether it is
//! ready.

use crate::failure::Failure;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a start may take, recovery after a kill included, on a machine that also compiles.
const START_WAIT: Duration = Duration::from_secs(60);

/// How often it is looked whether the server is ready.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until whoever started it is gone, then ends the server and removes the folder.
const GUARDIAN: &str = "read -r _; kill -KILL \"$(cat \"$0/pid\" 2>/dev/null)\" 2>/dev/null; rm -rf \"$0\"";

/// Keeps the folders of one process apart.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A running server. It is ended, and its folder removed, when this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    folder: PathBuf,
    server: Child,
    guardian: Child,
}

impl Daemon {
    /// Starts what `command` makes of its folder, and waits until it is ready.
    pub(crate) fn start(
        name: &'static str,
        command: impl FnOnce(&Path) -> Result<Command, Failure>,
        is_ready: impl Fn() -> bool,
    ) -> Result<Self, Failure> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("rill-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let guardian = guard(GUARDIAN, &folder)?;
        let server = serve(name, &folder, command(&folder)?, is_ready)?;
        Ok(Self { name, folder, server, guardian })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill9(&mut self) -> Result<(), Failure> {
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    /// Starts it again after [`Daemon::kill9`].
    pub(crate) fn restart(&mut self, command: Command, is_ready: impl Fn() -> bool) -> Result<(), Failure> {
        self.server = serve(self.name, &self.folder, command, is_ready)?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // What cannot be ended here is the guardian's.
        drop(self.server.kill());
        drop(self.server.wait());
        drop(self.guardian.stdin.take());
        drop(self.guardian.wait());
    }
}

fn serve(name: &str, folder: &Path, command: Command, is_ready: impl Fn() -> bool) -> Result<Child, Failure> {
    let server = launch(command, folder)?;
    std::fs::write(folder.join("pid"), server.id().to_string())?;
    await_ready(name, folder, server, is_ready)
}

/// Starts what runs `script` with the folder as `$0`: it reads a line, which never comes, until this process is gone.
pub(crate) fn guard(script: &str, folder: &Path) -> Result<Child, Failure> {
    let mut guardian = Command::new("sh");
    guardian.args(["-c", script]).arg(folder).stdin(Stdio::piped()).process_group(0);
    Ok(guardian.spawn()?)
}

/// Starts a server that writes to the log in its folder.
pub(crate) fn launch(mut command: Command, folder: &Path) -> Result<Child, Failure> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    Ok(command.spawn()?)
}

/// Waits until a server that was launched is ready.
pub(crate) fn await_ready(
    name: &str,
    folder: &Path,
    mut server: Child,
    is_ready: impl Fn() -> bool,
) -> Result<Child, Failure> {
    let start = Instant::now();
    while !is_ready() {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        if let Some(status) = server.try_wait()? {
            return Err(Failure::Process(format!("{name} ended with {status}:\n{}", log())));
        }
        if start.elapsed() > START_WAIT {
            drop(server.kill());
            return Err(Failure::timed_out(format!("{name}; its log:\n{}", log()), START_WAIT));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(server)
}
