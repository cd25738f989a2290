//! `EVENTS.md` is made of the table of events, and is as fresh as it.
//!
//! `RILL_WRITE_DOCS=1 cargo test -p rill-proto --test manual` writes it. Not here: whether the server does what it says; the
//! wire scenarios hold it to that.

use std::collections::BTreeSet;
use std::fmt::Write;

use rill_proto::event::{ClientEvent, EventSpec, catalogue};
use rill_proto::field::{Kind, ParamSpec};
use rill_proto::manual::By;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/EVENTS.md");

const HEAD: &str = "# Events

Everything that a client can ask for, 162 events. This file is made of the table in `proto/src/event/`; change it there, then
`RILL_WRITE_DOCS=1 cargo test -p rill-proto --test manual`.

An event is `{\"client_req_id\": UUID, \"mk_event_type\": NAME, \"params\": {…}}` in the `stream` of a frame or of an `event/store`
call. It is answered with a `request` record: `status_code` 200 and the `identifier` of what it is about, or another status with
`error_id` and `error_message`; and with records, which are upserts. A repeat of a `client_req_id` within 24 hours has no second
effect and is answered with the first outcome and the records as they are now.

* A param without a default is mandatory; `null` stands for the default. Texts are bounded in characters. A list's `limit` is moved
  into its range and never refused. A cursor is the JSON text that the list's last batch brought; `null` begins.
* Every event may be refused with 400 `invalid_call` (a param is missing or out of its limits; the message names it), 429
  `rate_limited`, 503 `unavailable` (nothing happened; try again). What is listed here comes on top.
* Answers name kinds of records. A `?` means that it may be missing, or come several times. `conv` has three key sets: U an
  update, F all facts, N what a fresh client needs. The files of a message follow it wherever it is told of, named or not.
* Where a `from_message_nr` is given, the answer is a forward sync from there: every slot above it that the caller may see.
* Where others are told, it is their own form of the record, by push or poll; only those who may see it are told.

## Who may ask

| who | that is |
| --- | --- |
";

/// An id that says what it is the id of.
fn id(name: &str) -> &'static str {
    match name {
        "account_id" | "account_ids" | "assignee_ids" => "ac000000-0000-4000-8000-000000000001",
        "conversation_id" | "conversation_ids" | "copy_conversation_id" | "acv_conv_id" => {
            "c0000000-0000-4000-8000-000000000001"
        }
        "section_id" => "5ec00000-0000-4000-8000-000000000001",
        "prev_section_id" => "5ec00000-0000-4000-8000-000000000002",
        "team_id" | "team_ids" => "7ea00000-0000-4000-8000-000000000001",
        "organisation_id" => "06900000-0000-4000-8000-000000000001",
        "label_id" | "label_ids" => "1abe0000-0000-4000-8000-000000000001",
        "message_id" => "3e550000-0000-4000-8000-000000000001",
        "prev_message_id" => "3e550000-0000-4000-8000-000000000002",
        other => panic!("no example of an id called {other}"),
    }
}

fn text(name: &str) -> &'static str {
    match name {
        "message" => "Soup at noon?",
        "topic" => "Lunch",
        "subject" => "About lunch",
        "section_name" => "Later",
        "canned_name" => "Greeting",
        "email" => "bob@example.org",
        "name" => "Bob",
        "phone_nr" => "+372 5555 5555",
        "file_url" => "https://example.org/menu.pdf",
        "file_name" => "menu.pdf",
        "file_origin" => "web",
        "upload_id" => "upload-1",
        "attachment_urls" => "/upload/AAAA/menu.pdf",
        "client_flag" => "show_onboarding",
        "client_settings" => "{\"theme\":\"dark\"}",
        "device_token" => "4f1c",
        "mk_push_new_message" => "first",
        "password" => "a new long password",
        "old_password" => "the old long password",
        "status_emoji" => ":soup:",
        "status_message" => "Out for lunch",
        "reaction" => ":soup:",
        "default_call_room" => "https://example.org/room",
        other => panic!("no example of a text called {other}"),
    }
}

fn number(name: &str) -> i64 {
    match name {
        "snooze_interval" => 3600,
        "sleep_interval" => 1,
        "sort_rank" => 8,
        "file_size" => 48_213,
        "limit" => 20,
        _ => 7,
    }
}

fn example_of(param: &ParamSpec, kind: Kind) -> Value {
    match kind {
        Kind::Uuid => id(param.name).into(),
        Kind::BigInt => number(param.name).into(),
        Kind::Boolean => true.into(),
        Kind::Float => 4_294_967_296.0.into(),
        Kind::TimestampTz => 1_793_884_812.5.into(),
        Kind::Text => param.options.first().copied().unwrap_or_else(|| text(param.name)).into(),
        Kind::Cursor => Value::Object(members(param.params)).to_string().into(),
        Kind::Object => members(param.params).into(),
        Kind::List(of) => vec![example_of(param, *of)].into(),
    }
}

fn members(params: &[ParamSpec]) -> Map<String, Value> {
    params.iter().map(|param| (param.name.to_owned(), example_of(param, param.kind))).collect()
}

/// The params of an example: all that are mandatory, and of the others those that say what the event is for.
fn params_of(event: &EventSpec) -> Map<String, Value> {
    let is_shown = |param: &&ParamSpec| {
        let has_texts = matches!(param.kind, Kind::Text | Kind::List(_)) && param.options.is_empty();
        param.default.is_none() || (has_texts && param.name != "upload_id")
    };
    event
        .params
        .iter()
        .filter(is_shown)
        .map(|param| (param.name.to_owned(), example_of(param, param.kind)))
        .collect()
}

fn identifier_of(event: &EventSpec) -> Map<String, Value> {
    let value = |key: &str| match key {
        "message_nr" => json!(number(key)),
        "upload_id" => json!(text(key)),
        _ => json!(id(key)),
    };
    event.manual.identifier.split_whitespace().map(|key| (key.to_owned(), value(key))).collect()
}

fn limits_of(param: &ParamSpec) -> String {
    let mut limits = Vec::new();
    if !param.options.is_empty() {
        let options: Vec<String> = param.options.iter().map(|option| format!("`{option}`")).collect();
        limits.push(options.join(", "));
    } else if let Some(max_len) = param.max_len {
        limits.push(format!("at most {max_len} characters"));
    }
    if !param.params.is_empty() {
        let names: Vec<String> =
            param.params.iter().map(|inner| format!("`{}` {}", inner.name, inner.kind)).collect();
        limits.push(format!("of {}", names.join(", ")));
    }
    if !param.doc.is_empty() {
        limits.push(param.doc.trim_end_matches('.').to_owned());
    }
    limits.join("; ")
}

fn write_event(out: &mut String, event: &EventSpec) -> std::fmt::Result {
    let name = event.urn.trim_start_matches("urn:fleep:client:");
    writeln!(out, "\n### {name}\n\n{}\n", event.doc)?;
    if !event.params.is_empty() {
        writeln!(out, "| param | type | default | limits |\n| --- | --- | --- | --- |")?;
        for param in event.params {
            let default = match param.default {
                None => "mandatory".to_owned(),
                Some("NULL") => "null".to_owned(),
                Some("") => "\"\"".to_owned(),
                Some(default) => format!("`{default}`"),
            };
            writeln!(out, "| {} | {} | {default} | {} |", param.name, param.kind, limits_of(param))?;
        }
        writeln!(out)?;
    }
    let manual = &event.manual;
    writeln!(out, "* Who: {}.", manual.by.name())?;
    let answer = if manual.answer.is_empty() { "no record" } else { manual.answer };
    writeln!(out, "* Answer: {answer}.")?;
    let others = if manual.others.is_empty() { "nobody" } else { manual.others };
    writeln!(out, "* Told: {others}.")?;
    if !manual.system.is_empty() {
        writeln!(out, "* System messages: {}.", manual.system.replace(' ', ", "))?;
    }
    if !manual.refused.is_empty() {
        writeln!(out, "* Refused: {}.", manual.refused)?;
    }
    let request_id = "6f1c0000-0000-4000-8000-000000000001";
    let asked = json!({"client_req_id": request_id, "mk_event_type": event.urn, "params": params_of(event)});
    let done = json!({
        "mk_rec_type": "request", "client_req_id": request_id, "mk_event_type": event.urn, "status_code": 200,
        "identifier": identifier_of(event),
    });
    writeln!(out, "\n```text\n→ {asked}\n← {done}\n```")
}

fn manual() -> String {
    let mut out = HEAD.to_owned();
    for by in By::ALL {
        writeln!(out, "| {} | {} |", by.name(), by.meaning()).expect("a string takes all");
    }
    let mut noun = "";
    for event in catalogue() {
        let of = event.urn.split(':').nth(3).expect("a URN has five parts");
        if of != noun {
            writeln!(out, "\n## {of}").expect("a string takes all");
            noun = of;
        }
        write_event(&mut out, event).expect("a string takes all");
    }
    out
}

#[test]
fn the_manual_is_as_fresh_as_the_table() {
    let manual = manual();
    if std::env::var_os("RILL_WRITE_DOCS").is_some() {
        std::fs::write(PATH, &manual).expect("the manual can be written");
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    let stale = manual.lines().zip(written.lines()).position(|(now, then)| now != then);
    assert!(
        manual == written,
        "proto/EVENTS.md is stale from line {}: RILL_WRITE_DOCS=1 cargo test -p rill-proto --test manual",
        stale.unwrap_or(written.lines().count()) + 1
    );
}

#[test]
fn every_example_is_an_event() {
    for event in catalogue() {
        let params = RawValue::from_string(Value::Object(params_of(event)).to_string()).expect("it is JSON");
        let decoded = ClientEvent::decode(event.urn, &params);
        assert_eq!(decoded.as_ref().map(ClientEvent::urn), Ok(event.urn), "{params}");
    }
}

#[test]
fn the_manual_names_records_and_ids_that_there_are() {
    let kinds: BTreeSet<&str> = [
        "activity",
        "contact",
        "conv",
        "file",
        "label",
        "lastseen",
        "lock",
        "message",
        "my_message",
        "my_section",
        "org_header",
        "preview",
        "section",
        "team",
        "upload",
    ]
    .into();
    for event in catalogue() {
        let manual = &event.manual;
        assert!(!manual.identifier.is_empty(), "{}: what is it about?", event.urn);
        for kind in manual.kinds() {
            assert!(kinds.contains(kind), "{}: {kind} is no record", event.urn);
        }
        let is_written = |text: &str| !text.ends_with(['.', ' ', ';']);
        for text in [manual.answer, manual.others, manual.refused, manual.system] {
            assert!(is_written(text), "{}: {text}", event.urn);
        }
    }
}
