//! The servers that a run measures and starts itself: Rill, and the bare servers that it is held against.
//!
//! Owns: their processes and their folder, which goes with them. Not here: what is measured ([`crate::engine`]), the bare server's inside
//! ([`crate::floor`]).

use crate::engine::conductor::Aim;
use crate::failure::Failure;
use crate::server::{Server, spawn_ready};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A bare server, with a log or without one.
#[derive(Debug)]
pub struct Floor {
    child: Child,
    url: String,
    has_log: bool,
}

impl Floor {
    /// Starts one as a process of its own, so that its processor time is its own too.
    pub fn start(folder: &Path, delivery_bytes: usize, has_log: bool) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["floor", "--listen", "127.0.0.1:0", "--delivery-bytes"])
            .arg(delivery_bytes.to_string());
        if has_log {
            command.arg("--log").arg(folder.join("floor.log"));
        }
        let (child, address) = spawn_ready(command, &folder.join("floor.stderr"))?;
        Ok(Self { child, url: format!("http://{address}"), has_log })
    }

    /// Where it is to be loaded.
    #[must_use]
    pub fn aim(&self) -> Aim {
        let name = if self.has_log { "floor-log" } else { "floor" };
        Aim::new(name, self.url.clone(), Some(self.child.id()))
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It holds nothing that would have to be put away.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where a Rill that was started here is to be loaded.
#[must_use]
pub fn aim(server: &Server) -> Aim {
    Aim::new("rill", server.url(), Some(server.pid()))
}

/// The server's binary: the one given, or the one beside this program's.
pub fn binary(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let beside = std::env::current_exe()?.with_file_name("rill");
    if beside.is_file() {
        return Ok(beside);
    }
    let wanted = "build it with `cargo build --release -p rill-gateway`, or give --server FILE or --url URL";
    Err(Failure::Plan(format!("there is no {}; {wanted}", beside.display())))
}

/// A folder for what servers write, removed in the end.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one below the given folder, or below the system's for temporary files.
    pub fn make(below: Option<&Path>) -> Result<Self, Failure> {
        let below = below.map_or_else(std::env::temp_dir, Path::to_owned);
        let path = below.join(format!("rill-loadtest-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own tidying.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
