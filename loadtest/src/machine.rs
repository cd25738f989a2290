//! The machine that a load ran on, as far as figures depend on it.
//!
//! Linux, by `/proc`. Not here: processes ([`crate::process`]).

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many syncs are timed: enough for a median, fewer than anybody would wait for.
const SYNCS: usize = 100;

/// What one sync writes: about a message's rows.
const SYNC_BYTES: usize = 1024;

/// How often a sync is taken beside a run: often enough for a median, too seldom to slow the run.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);

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
    let took = (0..SYNCS).map(|_| append(&mut file)).collect::<Result<_, _>>()?;
    drop(file);
    std::fs::remove_file(path)?;
    Ok(median_us(took))
}

/// One append with its sync.
fn append(file: &mut File) -> Result<Duration, Failure> {
    let begun = Instant::now();
    file.write_all(&[b'x'; SYNC_BYTES])?;
    file.sync_data()?;
    Ok(begun.elapsed())
}

fn median_us(mut took: Vec<Duration>) -> u64 {
    took.sort_unstable();
    took.get(took.len() / 2).map_or(0, |middle| u64::try_from(middle.as_micros()).unwrap_or(u64::MAX))
}

/// Times syncs while something else goes on: what the machine's disk takes during a run, not before it.
#[derive(Debug)]
pub struct SyncProbe {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl SyncProbe {
    /// Begins, with a file of its own in the given folder.
    pub fn start(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("sync.beside");
        let mut file = File::create(&path)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut took = Vec::new();
            while !over.load(Ordering::Relaxed)
                && let Ok(one) = append(&mut file)
            {
                took.push(one);
                std::thread::sleep(PROBE_INTERVAL);
            }
            // What is left goes with the folder.
            drop(std::fs::remove_file(path));
            took
        });
        Ok(Self { is_over, thread })
    }

    /// Ends, and says the median in microseconds; 0 when no sync came to an end.
    #[must_use]
    pub fn median_us(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        median_us(self.thread.join().unwrap_or_default())
    }
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

    #[test]
    fn syncs_are_timed_beside_something_else() {
        let probe = SyncProbe::start(&std::env::temp_dir()).unwrap();
        std::thread::sleep(PROBE_INTERVAL * 3);
        assert!(probe.median_us() > 0);
    }
}
