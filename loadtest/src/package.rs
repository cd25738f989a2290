//! What a test needs of Debian's packages: installed where it is missing.
//!
//! Not here: what it is needed for.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Sees to it that what a package brings is there. Answers with what is to be done where it cannot be installed.
pub fn install(package: &str, is_there: impl Fn() -> bool) -> Result<(), String> {
    /// One after the other: whoever comes second finds it there.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _turn = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut said = String::new();
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", package]] {
        if is_there() {
            return Ok(());
        }
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        match apt.env("DEBIAN_FRONTEND", "noninteractive").output() {
            Ok(output) => said.push_str(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => said.push_str(&error.to_string()),
        }
    }
    if is_there() {
        return Ok(());
    }
    Err(format!(
        "{package} is missing, and apt-get could not install it: do that, then run this again. It said: {said}"
    ))
}

/// Whether a program is there, which says so when it is asked in this way.
pub fn runs(program: &str, question: &str) -> bool {
    Command::new(program).arg(question).output().is_ok_and(|output| output.status.success())
}
