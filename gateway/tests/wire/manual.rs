//! Holds the scenarios to the manual (`proto/EVENTS.md`), and the manual to the scenarios.
//!
//! Owns: that an answer brings what its event is said to bring, and is refused for nothing else; that each event is shown to be carried
//! out and to be refused. Not here: what the records say, which are the scenarios' lines.

use crate::complaint::Complaint;
use crate::keys::Shape;
use crate::script::{Deed, Script};
use rill_loadtest::record::{self, Record};
use rill_loadtest::session::{Answer, URN_PREFIX};
use rill_proto::event::{EventSpec, catalogue};
use rill_proto::manual::By;
use serde_json::Value;
use std::collections::BTreeSet;

/// What any event may be refused for.
const ANY: [(u64, &str); 3] = [(400, "invalid_call"), (429, "rate_limited"), (503, "unavailable")];

/// What a forward sync brings, which is the answer where a `from_message_nr` is given.
const FORWARD: &str = "contact? conv(U|F) message? file?";

/// Where a batch of pins ends.
const PIN_EDGES: [&str; 2] = ["pin_cursor", "pin_sync_state"];

/// A word of [`rill_proto::manual::Manual::answer`].
struct Part {
    kind: &'static str,
    /// The key sets that a `conv` may have; any when it names none.
    shapes: Vec<Shape>,
    /// Keys of a batch's edge, which are in no key set.
    edges: &'static [&'static str],
}

fn parts(answer: &'static str) -> Vec<Part> {
    let part = |word: &'static str| {
        let word = word.trim_end_matches('?');
        let (kind, shapes) = word.split_once('(').unwrap_or((word, ""));
        let shapes = shapes.trim_end_matches(')').split('|').filter_map(Shape::named).collect();
        Part { kind, shapes, edges: &[] }
    };
    answer.split_whitespace().map(part).collect()
}

/// The event of a name with or without the common prefix.
fn spec(urn: &str) -> Option<&'static EventSpec> {
    let name = urn.strip_prefix(URN_PREFIX).unwrap_or(urn);
    catalogue().find(|event| event.urn.strip_prefix(URN_PREFIX) == Some(name))
}

/// An answer is one that the manual speaks of. A repetition is answered with the records as they are now, whatever they were.
pub(crate) fn allows(urn: &str, params: &Value, is_repeat: bool, answer: &Answer) -> Result<(), Complaint> {
    let Some(event) = spec(urn) else {
        return Ok(());
    };
    if !answer.is_done() {
        let refusal = (answer.status_code(), answer.error_id());
        let may = refusals(event).into_iter().chain(ANY).any(|known| known == refusal);
        let said = || format!("a refusal of {} that the manual names", event.urn);
        return if may { Ok(()) } else { Err(Complaint::new(said(), format!("{refusal:?}"))) };
    }
    let identifier = answer.request.get("identifier").and_then(Value::as_object);
    let keys: BTreeSet<&str> = identifier.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    if !keys.iter().copied().eq(event.manual.identifier.split_whitespace().collect::<BTreeSet<_>>()) {
        let wanted = format!("the identifier of {} to have {}", event.urn, event.manual.identifier);
        return Err(Complaint::new(wanted, format!("{keys:?}")));
    }
    let is_forward = params.get("from_message_nr").is_some_and(Value::is_number);
    let mut parts = parts(if is_forward { FORWARD } else { event.manual.answer });
    // The files of a message follow it wherever it is told of.
    if parts.iter().any(|part| part.kind == "message") && parts.iter().all(|part| part.kind != "file") {
        parts.push(Part { kind: "file", shapes: Vec::new(), edges: &[] });
    }
    if answer.stream.len() == 1 {
        // Where all is as it was asked to be, nothing of the facts is news (conversations.md §5.1).
        parts
            .iter_mut()
            .for_each(|part| part.shapes.extend(part.shapes.contains(&Shape::Full).then_some(Shape::Update)));
    }
    if event.urn.ends_with("conv:pin:sync") {
        parts.iter_mut().for_each(|part| part.edges = &PIN_EDGES);
    }
    for record in &answer.stream {
        fits(event, &parts, record, is_repeat)?;
    }
    in_order(event, &parts, &answer.stream)
}

fn fits(event: &EventSpec, parts: &[Part], record: &Record, is_repeat: bool) -> Result<(), Complaint> {
    let kind = record::kind(record);
    let Some(part) = parts.iter().find(|part| part.kind == kind) else {
        let got = Value::Object(record.clone()).to_string();
        return Err(Complaint::new(format!("{} to bring no {kind}", event.urn), got));
    };
    let mut record = record.clone();
    // The edge of a batch of pins travels on the header, whatever that is.
    record.retain(|key, _| !part.edges.contains(&key.as_str()));
    let judged: Vec<_> = part.shapes.iter().map(|shape| shape.check(&record)).collect();
    match judged.into_iter().reduce(|judged, next| judged.or(next)) {
        Some(Err(complaint)) if !is_repeat => Err(complaint),
        Some(_) | None => Ok(()),
    }
}

/// Kinds of records come for the first time in the manual's order.
fn in_order(event: &EventSpec, parts: &[Part], stream: &[Record]) -> Result<(), Complaint> {
    let mut first: Vec<usize> = Vec::new();
    for record in stream {
        let place = parts.iter().position(|part| part.kind == record::kind(record));
        first.extend(place.filter(|place| !first.contains(place)));
    }
    if first.is_sorted() {
        return Ok(());
    }
    let kinds: Vec<&str> = first.iter().map(|place| parts[*place].kind).collect();
    Err(Complaint::new(format!("{} to bring {}", event.urn, event.manual.answer), format!("{kinds:?}")))
}

/// What an event may be refused for beside [`ANY`]: what its manual lists, and the lack of a right.
fn refusals(event: &'static EventSpec) -> Vec<(u64, &'static str)> {
    let listed = event.manual.refused.split("; ").filter_map(|words| {
        let (status, rest) = words.split_once(' ')?;
        Some((status.parse().ok()?, rest.split_once(':')?.0))
    });
    let rights: &[(u64, &str)] = match event.manual.by {
        By::Account | By::Anybody | By::TeamViewer => &[],
        By::Viewer => &[(431, "not_member")],
        By::Member => &[(431, "not_member"), (431, "has_left")],
        By::Writer | By::Manager | By::TeamManager | By::Admin | By::Employee | By::Editor => {
            &[(431, "not_member"), (431, "has_left"), (431, "business_logic")]
        }
        By::OrganisationAdmin => &[(403, "forbidden")],
    };
    listed.chain(rights.iter().copied()).collect()
}

/// Every event is carried out in the scenarios, and refused unless there is nothing to refuse it for.
pub(crate) fn is_shown(scripts: &[Script]) -> Result<(), Complaint> {
    let (mut done, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for script in scripts {
        for pair in script.steps.windows(2) {
            let Deed::Ask { urn, .. } = &pair[0].deed else {
                continue;
            };
            let urn = urn.strip_prefix(URN_PREFIX).unwrap_or(urn);
            if matches!(pair[1].deed, Deed::Done { .. }) {
                done.insert(urn);
            } else if matches!(pair[1].deed, Deed::Refused { .. }) {
                refused.insert(urn);
            }
        }
    }
    let mut missing = Vec::new();
    for event in catalogue() {
        let name = event.urn.strip_prefix(URN_PREFIX).unwrap_or(event.urn);
        // Without the params that an event must have it is malformed.
        let may_be_refused = event.params.iter().any(|param| param.default.is_none());
        if !done.contains(name) {
            missing.push(format!("{name} is never carried out"));
        }
        if may_be_refused && !refused.contains(name) {
            missing.push(format!("{name} is never refused"));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Complaint::new(
        "a scenario in which each event is carried out and one in which it is refused",
        missing.join("\n"),
    ))
}
