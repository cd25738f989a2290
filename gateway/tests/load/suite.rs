//! The suite, in its short form.
//!
//! What is asserted is that everything was run, verified and written down. No time is: the machine may be compiling.

use crate::{BINARY, harness};
use rill_loadtest::command::Verdict;
use rill_loadtest::report::Report;

/// Figures that may lack a value: they are refused when the load itself was late.
const MAY_LACK: [&str; 2] = ["p99", "the same against 4 ×"];

/// Runs of the short suite: idle, burst, two saturations with two floors each, pairs, half rate, storm, two hot rooms, growth in
/// conversations and in messages, one node and two. Behind them come conversations without anybody on a node, until one is not that node's.
const RUNS: usize = 19;

pub(crate) fn a_short_suite_measures_everything_and_verifies_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (json, html, text) = (path("suite.json"), path("suite.html"), path("REPORT.md"));
    let place = ["--server", BINARY, "--folder", folder.path().to_str().unwrap()];
    let words = ["suite", "--short", "--plain", "--json", &json, "--html", &html, "--report", &text];
    let verdict = harness(&[words.as_slice(), &place].concat());
    let report = Report::read(json.as_ref()).unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    assert_eq!(verdict, Verdict::Clean);
    assert!(report.outcomes.len() > RUNS, "{} runs", report.outcomes.len());
    for outcome in &report.outcomes {
        assert!(outcome.is_clean(), "{} against {}", outcome.scenario.name, outcome.target);
        assert!(outcome.scenario.name == "idle" || outcome.tally.counts.deliveries > 0);
    }
    let markdown = std::fs::read_to_string(&text).unwrap();
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("<svg") && markdown.contains("A short run"));
    for figure in &report.figures {
        let may_lack = MAY_LACK.iter().any(|begin| figure.name.starts_with(begin));
        assert!(may_lack || figure.value.is_some(), "{} has no value: {}", figure.name, figure.note);
        assert!(markdown.contains(&figure.name), "{} is not written down", figure.name);
    }
    let barred = report.figures.iter().filter(|figure| figure.bar.is_some()).count();
    assert_eq!(barred, 19, "each row of what is promised has its figures");
}
