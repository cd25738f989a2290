//! Every event has its scenario, under its own name.
//!
//! Not here: the catalogue (proto has it), and what a scenario must show of its event ([`crate::manual`]).

use crate::complaint::Complaint;
use rill_loadtest::session::URN_PREFIX;
use rill_proto::event::catalogue;

/// Folders of scenarios that belong to no single event: the documents' traces, and the HTTP calls that no event twins.
const NO_EVENTS: [&str; 2] = ["traces/", "calls/"];

/// Every event of the catalogue has a scenario, and every scenario an event.
pub(crate) fn are_whole(stems: &[String]) -> Result<(), Complaint> {
    let known: Vec<String> = catalogue().map(|event| stem(event.urn)).collect();
    let lacking = known.iter().filter(|event| !stems.contains(event));
    let mut wrong: Vec<String> = lacking.map(|event| format!("{event} has no scenario")).collect();
    let stray = stems.iter().filter(|scenario| {
        !NO_EVENTS.iter().any(|folder| scenario.starts_with(folder)) && !known.contains(scenario)
    });
    wrong.extend(stray.map(|scenario| format!("{scenario}.txt belongs to no event")));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Complaint::new("each event once", wrong.join("\n")))
}

/// The scenario of an event: `conv/create`, `section/task.add`.
pub(crate) fn stem(urn: &str) -> String {
    let name = urn.strip_prefix(URN_PREFIX).unwrap_or(urn);
    let (noun, verb) = name.split_once(':').unwrap_or((name, ""));
    format!("{noun}/{}", verb.replace(':', "."))
}
