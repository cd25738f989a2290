//! The machine that a load ran on, as far as figures depend on it.
//!
//! Linux, by `/proc`. Not here: processes ([`crate::process`]).

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// How many syncs are timed: enough for a median, fewer than anybody would wait for.
const SYNCS: usize = 100;

/// What one sync writes: about a message's rows.
const SYNC_BYTES: usize = 1024;

/// What a figure depends on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, as it calls itself.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory.
    pub memory_bytes: u64,
    /// The kernel.
    pub kernel: String,
    /// Files that a process may have open.
    pub open_files_max: u64,
    /// The median of what a small append with a sync takes where the servers' data lie, in microseconds.
    pub sync_us: u64,
    /// The load of the machine over the last minute, when it was looked at: other programs' work is in every figure.
    pub load_average: f64,
}

impl Machine {
    /// This one. Syncs are timed in the given folder.
    pub fn here(folder: &Path) -> Result<Self, Failure> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':'))
                .map_or(String::new(), |(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let memory_kib = memory.trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0);
        let load = read("/proc/loadavg");
        Ok(Self {
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory_kib * 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            open_files_max: crate::process::open_files_max(),
            sync_us: sync_us(folder)?,
            load_average: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        })
    }
}

/// The median of what an append with a sync takes.
pub fn sync_us(folder: &Path) -> Result<u64, Failure> {
    let path = folder.join("sync.probe");
    let mut file = File::create(&path)?;
    let bytes = [b'x'; SYNC_BYTES];
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    drop(file);
    std::fs::remove_file(path)?;
    took.sort_unstable();
    Ok(u64::try_from(took[SYNCS / 2].as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::here(&std::env::temp_dir()).unwrap();
        assert!(machine.cores > 0 && machine.memory_bytes > 1 << 20 && !machine.kernel.is_empty());
        assert!(machine.open_files_max > 0);
    }
}
