//! What the operating system says about a process and about this one's bounds.
//!
//! Linux, by `/proc`. Not here: what a server says about itself.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};

/// `/proc` counts processor time in hundredths of a second on every Linux that there is (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used so far and holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor seconds in its own code.
    pub user_s: f64,
    /// Processor seconds in the kernel on its behalf.
    pub system_s: f64,
    /// Resident memory.
    pub resident_bytes: u64,
}

impl Usage {
    /// Of the process with this id.
    pub fn of(pid: u32) -> Result<Self, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in brackets, may have spaces; what follows it has not.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
        let (Some(user), Some(system)) = (ticks(11), ticks(12)) else {
            return Err(Failure::Process(format!("has an odd stat: {stat}")));
        };
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        let resident_bytes = kib.ok_or_else(|| Failure::Process("tells no VmRSS".into()))? * 1024;
        Ok(Self { user_s: user / TICKS_PER_SECOND, system_s: system / TICKS_PER_SECOND, resident_bytes })
    }

    /// Of the process with this id, of those that it has started, and of those among them that have ended.
    pub fn with_children(pid: u32) -> Result<Self, Failure> {
        let mut all = Self::of(pid)?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ended =
            |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        all.user_s += ended(13) / TICKS_PER_SECOND;
        all.system_s += ended(14) / TICKS_PER_SECOND;
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            // One that has ended since is counted with its parent the next time.
            let of = Self::of(child).unwrap_or_default();
            all.user_s += of.user_s;
            all.system_s += of.system_s;
            all.resident_bytes += of.resident_bytes;
        }
        Ok(all)
    }

    /// Processor seconds altogether.
    #[must_use]
    pub fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// How many files this process may have open: the bound in force, raised to the highest that the system allows.
#[must_use]
pub fn open_files_max() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let bounds = getrlimit(Resource::Nofile);
    if bounds.current < bounds.maximum {
        // Where it cannot be raised the old bound stays in force, and that is what is told.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: bounds.maximum, maximum: bounds.maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let before = Usage::of(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while Usage::of(std::process::id()).unwrap().cpu_s() <= before.cpu_s() {
            sum = (0..1_000_000).fold(sum, u64::wrapping_add);
        }
        assert!(Usage::with_children(std::process::id()).unwrap().cpu_s() > before.cpu_s());
        assert!(before.resident_bytes > 100_000);
        assert!(open_files_max() >= 256);
    }
}
