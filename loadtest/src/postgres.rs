//! A PostgreSQL of a test's own: in a temporary folder, reached over a Unix socket, with fsync on, ended with the test.
//!
//! The binaries are the system's. PostgreSQL refuses to run as root, so root gives it to `postgres` or `nobody`. A guardian
//! process ends it and removes the folder should the test be killed. Not here: any use of the database but `psql`.

use crate::daemon::{await_ready, guard, launch};
use crate::failure::Failure;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often it is looked whether what was killed is gone.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// The name of its socket.
pub const SOCKET: &str = ".s.PGSQL.5432";

/// Whom root starts it as, the first of them that there is.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// Waits until whoever started it is gone, then ends the server and removes the folder.
const GUARDIAN: &str = "read -r _; pid=$(head -n 1 \"$0/data/postmaster.pid\" 2>/dev/null) && kill -QUIT \"$pid\"; \
                        sleep 0.2; rm -rf \"$0\"";

/// Keeps the folders of one process apart.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A running PostgreSQL. It is ended, and its folder removed, when this is dropped or the process ends.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    user: Option<(u32, u32)>,
    server: Child,
    guardian: Child,
}

impl Postgres {
    /// Makes a database and starts its server.
    pub fn start() -> Result<Self, Failure> {
        let bin = binaries()?;
        let user = if rustix::process::geteuid().is_root() { Some(unprivileged()?) } else { None };
        let name = format!("rill-pg-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid))?;
        }
        let guardian = guard(GUARDIAN, &folder)?;
        let data = folder.join("data");
        let mut initdb = as_user(&bin.join("initdb"), user);
        initdb.arg("-D").arg(&data).args([
            "-U",
            "rill",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        let made = initdb.current_dir(&folder).output()?;
        if !made.status.success() {
            return Err(Failure::Process(format!("initdb: {}", String::from_utf8_lossy(&made.stderr))));
        }
        let server = serve(&bin, &folder, user)?;
        Ok(Self { bin, folder, user, server, guardian })
    }

    /// Where the database is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres:///postgres?user=rill&host={}", self.folder.display())
    }

    /// Where it is by a way that begins at a port.
    #[must_use]
    pub fn url_at(address: IpAddr, port: u16) -> String {
        format!("postgres://rill@{address}:{port}/postgres")
    }

    /// The folder of its socket.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its process, which has started those that serve connections.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// A part of the database with tables of its own, by a name of letters and digits.
    pub fn part(&self, name: &str) -> Result<String, Failure> {
        self.sql(&format!("CREATE SCHEMA IF NOT EXISTS {name}"))?;
        Ok(format!("{}&options=-csearch_path%3D{name}", self.url()))
    }

    /// Runs a statement by `psql` and gives the rows, their columns separated by bars.
    pub fn sql(&self, statement: &str) -> Result<String, Failure> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.arg("-h")
            .arg(&self.folder)
            .args(["-U", "rill", "-d", "postgres", "-X", "-A", "-t", "-q", "-c", statement]);
        let output = psql.output()?;
        if !output.status.success() {
            return Err(Failure::Process(format!("psql: {}", String::from_utf8_lossy(&output.stderr))));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Kills the processes that serve connections, as `kill -9` does. The server notices, throws all others out and recovers
    /// by itself.
    pub fn kill_backends(&self) -> Result<(), Failure> {
        let backends = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' \
                        AND pid <> pg_backend_pid()";
        for pid in self.sql(backends)?.lines() {
            // One that has ended by itself is no less gone.
            kill(pid, "KILL")?;
        }
        Ok(())
    }

    /// Kills the server and everything that belongs to it, as `kill -9` does.
    pub fn kill9(&mut self) -> Result<(), Failure> {
        let pid = self.server.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        self.server.kill()?;
        self.server.wait()?;
        for child in children.split_whitespace() {
            kill(child, "KILL")?;
            while Path::new(&format!("/proc/{child}")).exists() {
                std::thread::sleep(LOOK_INTERVAL);
            }
        }
        Ok(())
    }

    /// Ends the server as an operator does who does not wait for clients.
    pub fn stop(&mut self) -> Result<(), Failure> {
        kill(&self.server.id().to_string(), "INT")?;
        self.server.wait()?;
        Ok(())
    }

    /// Starts it again after [`Postgres::kill9`] or [`Postgres::stop`].
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.server = serve(&self.bin, &self.folder, self.user)?;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // What cannot be ended here is the guardian's.
        drop(kill(&self.server.id().to_string(), "QUIT"));
        drop(self.server.wait());
        drop(self.guardian.stdin.take());
        drop(self.guardian.wait());
    }
}

fn kill(pid: &str, signal: &str) -> Result<(), Failure> {
    Command::new("kill").arg(format!("-{signal}")).arg(pid).stderr(Stdio::null()).status()?;
    Ok(())
}

/// The newest installed version, or what the path finds.
fn binaries() -> Result<PathBuf, Failure> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    versions.pop().map(|(_, bin)| bin).or(on_path).ok_or_else(|| {
        Failure::Process(
            "PostgreSQL is not installed here: apt-get install postgresql, then run this again".into(),
        )
    })
}

/// User and group that the server runs as when this is root.
fn unprivileged() -> Result<(u32, u32), Failure> {
    let passwd = std::fs::read_to_string("/etc/passwd")?;
    let find = |name: &&str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(*name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let missing =
        || Failure::Process(format!("PostgreSQL does not run as root, and there is none of {USERS:?}"));
    USERS.iter().find_map(find).ok_or_else(missing)
}

fn as_user(program: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn serve(bin: &Path, folder: &Path, user: Option<(u32, u32)>) -> Result<Child, Failure> {
    let data = folder.join("data");
    let mut command = as_user(&bin.join("postgres"), user);
    command.arg("-D").arg(&data).arg("-k").arg(folder).args(["-c", "listen_addresses="]).current_dir(folder);
    // Left over from a server that was killed: it must not pass for the new one's.
    drop(std::fs::remove_file(data.join("postmaster.pid")));
    let is_ready = || {
        let state = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        state.lines().nth(7).is_some_and(|state| state.trim() == "ready")
    };
    await_ready("PostgreSQL", folder, launch(command, folder)?, is_ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_lives_through_kills_and_leaves_nothing_behind() {
        let mut postgres = Postgres::start().unwrap();
        postgres.part("one").unwrap();
        postgres.sql("CREATE TABLE one.kept AS SELECT 7 AS n").unwrap();
        assert_eq!(postgres.sql("SHOW fsync").unwrap(), "on");
        postgres.kill9().unwrap();
        assert!(postgres.sql("SELECT 1").is_err());
        postgres.restart().unwrap();
        postgres.stop().unwrap();
        postgres.restart().unwrap();
        assert_eq!(postgres.sql("SELECT n FROM one.kept").unwrap(), "7");
        let folder = postgres.folder.clone();
        drop(postgres);
        assert!(!folder.exists());
    }
}
