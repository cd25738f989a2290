//! The events that have no scenario: listed in `PENDING`, refused by the server, and never more of them.
//!
//! Not here: the catalogue (proto has it).

use crate::complaint::Complaint;
use crate::play;
use rill_loadtest::server::Server;
use rill_loadtest::session::{Session, URN_PREFIX};
use rill_proto::event::catalogue;
use rill_proto::field::{Kind, ParamSpec};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// An id that belongs to nothing.
const NOBODYS_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Folders of scenarios that belong to no single event: the documents' traces, and the HTTP calls that no event twins.
const NO_EVENTS: [&str; 2] = ["traces/", "calls/"];

/// Every event of the catalogue is either pending or has a scenario; the list is sorted and names nothing else.
pub(crate) fn is_divided(list: &Path, stems: &[String]) -> Result<(), Complaint> {
    let pending = read(list)?;
    if !pending.is_sorted() {
        return Err(Complaint::new("a sorted list", pending.join("\n")));
    }
    let listed: BTreeSet<&str> = pending.iter().map(String::as_str).collect();
    let mut wrong: Vec<String> = Vec::new();
    for event in catalogue() {
        let has_scenario = stems.iter().any(|known| *known == stem(event.urn));
        match (has_scenario, listed.contains(event.urn)) {
            (true, true) => wrong.push(format!("{} has a scenario and is pending", event.urn)),
            (false, false) => wrong.push(format!("{} has neither scenario nor line", event.urn)),
            (true, false) | (false, true) => {}
        }
    }
    let known: BTreeSet<&str> = catalogue().map(|event| event.urn).collect();
    wrong.extend(listed.difference(&known).map(|urn| format!("{urn} is no event")));
    if listed.len() != pending.len() {
        wrong.push("a line stands twice".into());
    }
    let stray = stems.iter().filter(|scenario| {
        !NO_EVENTS.iter().any(|folder| scenario.starts_with(folder))
            && !known.iter().any(|urn| stem(urn) == **scenario)
    });
    wrong.extend(stray.map(|scenario| format!("{scenario}.txt belongs to no event")));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Complaint::new("each event once", wrong.join("\n")))
}

/// Every pending event, well formed, is answered 501; one that is carried out has to leave the list.
pub(crate) fn is_refused(server: &Server, list: &Path) -> Result<(), Complaint> {
    let user = play::register(server, "alice")?;
    let mut session = user.connect(0)?;
    let created = session.request("conv:create", json!({}))?.done()?;
    let conversation_id = created.conversation_id().to_owned();
    let mut wrong = Vec::new();
    for urn in read(list)? {
        let Some(event) = catalogue().find(|event| event.urn == urn) else {
            continue;
        };
        let params = minimal(event.params, &conversation_id, &user.account_id);
        let answer = session.request(&urn, params)?;
        if (answer.status_code(), answer.error_id()) != (501, "not_supported") {
            wrong.push(Value::Object(answer.request).to_string());
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Complaint::new("501 not_supported", wrong.join("\n")))
}

fn read(list: &Path) -> Result<Vec<String>, Complaint> {
    let text =
        std::fs::read_to_string(list).map_err(|error| Complaint::new("the list", error.to_string()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// The scenario of an event: `conv/create`, `section/task.add`.
pub(crate) fn stem(urn: &str) -> String {
    let name = urn.strip_prefix(URN_PREFIX).unwrap_or(urn);
    let (noun, verb) = name.split_once(':').unwrap_or((name, ""));
    format!("{noun}/{}", verb.replace(':', "."))
}

/// The params that have to be there, with values that are well formed.
fn minimal(params: &[ParamSpec], conversation_id: &str, account_id: &str) -> Value {
    let mandatory = params.iter().filter(|param| param.default.is_none());
    let given = mandatory.map(|param| {
        let value = match param.kind {
            Kind::BigInt => json!(1),
            Kind::Boolean => json!(true),
            Kind::Float => json!(1.0),
            Kind::Object => minimal(param.params, conversation_id, account_id),
            Kind::Cursor => json!(minimal(param.params, conversation_id, account_id).to_string()),
            Kind::Text => json!(param.options.first().copied().unwrap_or("x")),
            Kind::TimestampTz => json!(1_500_000_000),
            Kind::List(_) => json!([]),
            Kind::Uuid => json!(match param.name {
                "conversation_id" => conversation_id,
                "account_id" => account_id,
                _ => NOBODYS_ID,
            }),
        };
        (param.name.to_owned(), value)
    });
    Value::Object(given.collect::<Map<_, _>>())
}
