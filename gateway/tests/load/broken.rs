//! Builds of the server that drop, double, reorder or miscount one record in 10,000: each is convicted, and without a fault it is
//! acquitted.
//!
//! Not here: what the faults are made of, which is the server's feature `broken`.

use crate::{BINARY, harness};
use rill_loadtest::command::Verdict;
use rill_loadtest::engine::tally::Counts;
use rill_loadtest::report::Report;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// How often somebody was found guilty.
type Guilt = fn(&Counts) -> u64;

/// Each fault, and what it must be convicted of. A dropped or reordered message shows in more than one count.
const FAULTS: [(&str, Guilt); 4] = [
    ("drop", |counts| counts.gaps + counts.lost),
    ("double", |counts| counts.doubled),
    ("reorder", |counts| counts.reorders),
    ("miscount", |counts| counts.drifts),
];

/// Some 35,000 records on a slow machine: the fault strikes at least twice.
const LOAD: &str = "rooms --rooms 10 --members 10 --saturate --warm-up 0.3 --measure 4 --plain";

pub(crate) fn a_server_that_breaks_a_promise_is_convicted() {
    let folder = tempfile::tempdir().unwrap();
    let broken = build(folder.path());
    let counts = load(&folder, &broken, "");
    assert_eq!(counts.violations(), 0, "a server without a fault is acquitted: {counts:?}");
    assert!(counts.records > 20_000, "a fault has to have its chance: {} records", counts.records);
    for (fault, guilt) in FAULTS {
        let counts = load(&folder, &broken, fault);
        assert!(guilt(&counts) > 0, "{fault} is not convicted: {counts:?}");
    }
}

/// What the harness counts on a server with that fault; its verdict must say the same.
fn load(folder: &TempDir, broken: &Path, fault: &str) -> Counts {
    let server = script(folder.path(), broken, fault);
    let json = folder.path().join(format!("{fault}.json"));
    let (json, server) = (json.to_str().unwrap(), server.to_str().unwrap());
    let where_to = ["--target", "server", "--stall", "5", "--json", json, "--server", server];
    let verdict = harness(&LOAD.split(' ').chain(where_to).collect::<Vec<_>>());
    let wanted = if fault.is_empty() { Verdict::Clean } else { Verdict::NotClean };
    assert_eq!(verdict, wanted, "with fault {fault:?}");
    Report::read(json.as_ref()).unwrap().outcomes[0].tally.counts.clone()
}

/// A program that is the server with a fault.
fn script(folder: &Path, broken: &Path, fault: &str) -> PathBuf {
    let path = folder.join(format!("rill-{fault}"));
    let text = format!("#!/bin/sh\nRILL_BROKEN={fault} exec {} \"$@\"\n", broken.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Builds the server with the feature and takes a copy; then the ordinary one stands in its place again. What both have in common is not
/// built twice.
fn build(folder: &Path) -> PathBuf {
    cargo(&["--features", "rill-gateway/broken"]);
    let copy = folder.join("rill-broken");
    std::fs::copy(BINARY, &copy).unwrap();
    cargo(&[]);
    copy
}

/// Builds as the test itself was built.
fn cargo(features: &[&str]) {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut cargo = Command::new(program);
    cargo.args(["test", "--quiet", "--workspace", "--no-run", "--test", "load"]).args(features);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
}
