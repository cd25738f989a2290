//! The table of events is the official catalogue, no more and no less, field by field.

use std::collections::BTreeMap;

use rill_proto::event::{EventSpec, catalogue};
use rill_proto::field::ParamSpec;
use serde_json::{Map, Value};

const OFFICIAL: &str = include_str!("fixtures/events.json");

fn official() -> Vec<Value> {
    serde_json::from_str(OFFICIAL).expect("the fixture is JSON")
}

fn has_words(description: Option<&Value>) -> bool {
    description.and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

/// The differences between an official map of params and ours, each as a readable line.
fn compare_params(
    path: &str,
    official: &Map<String, Value>,
    ours: &[ParamSpec],
    differences: &mut Vec<String>,
) {
    let official_names: Vec<&str> = official.keys().map(String::as_str).collect();
    let our_names: Vec<&str> = ours.iter().map(|param| param.name).collect();
    let mut sorted = our_names.clone();
    sorted.sort_unstable();
    // serde_json's map is sorted by name, so that the order is compared apart, in `order_of_params`.
    if official_names != sorted {
        differences.push(format!(
            "{path}: the catalogue has the params {official_names:?}, the table has {our_names:?}"
        ));
        return;
    }
    for param in ours {
        compare_param(&format!("{path}.{}", param.name), &official[param.name], param, differences);
    }
}

fn compare_param(path: &str, official: &Value, ours: &ParamSpec, differences: &mut Vec<String>) {
    let mut known = Map::new();
    known.insert("type".into(), ours.kind.to_string().into());
    if let Some(default) = ours.default {
        known.insert("default".into(), default.into());
    }
    if let Some(max_len) = ours.max_len {
        known.insert("max_len".into(), max_len.into());
    }
    if !ours.options.is_empty() {
        known.insert("options".into(), ours.options.into());
    }
    if ours.ignore {
        known.insert("ignore".into(), true.into());
    }
    let mut rest = official.as_object().expect("a param is an object").clone();
    let nested = rest.remove("params");
    let description = rest.remove("description");
    if rest != known {
        differences.push(format!(
            "{path}: the catalogue has {}, the table has {}",
            Value::Object(rest),
            Value::Object(known)
        ));
    }
    if has_words(description.as_ref()) && ours.doc.is_empty() {
        differences.push(format!("{path}: the catalogue describes it, the table does not"));
    }
    let none = Map::new();
    let nested =
        nested.as_ref().map_or(&none, |nested| nested.as_object().expect("nested params are an object"));
    compare_params(path, nested, ours.params, differences);
}

#[test]
fn every_declaration_equals_the_catalogue() {
    let ours: BTreeMap<&str, &EventSpec> = catalogue().map(|event| (event.urn, event)).collect();
    let official = official();
    let mut differences = Vec::new();
    for event in &official {
        let urn = event["mk_event_type"].as_str().expect("an event has a URN");
        let Some(declared) = ours.get(urn) else {
            differences.push(format!("{urn}: not in the table"));
            continue;
        };
        if declared.doc.is_empty() {
            differences.push(format!("{urn}: the table says nothing about it"));
        }
        compare_params(
            urn,
            event["params"].as_object().expect("params are an object"),
            declared.params,
            &mut differences,
        );
    }
    for urn in ours.keys() {
        if !official.iter().any(|event| event["mk_event_type"] == **urn) {
            differences.push(format!("{urn}: not in the catalogue"));
        }
    }
    assert!(differences.is_empty(), "the table differs from the catalogue:\n{}", differences.join("\n"));
    assert_eq!(ours.len(), 162);
    assert_eq!(catalogue().count(), 162, "an event is declared twice");
    assert_eq!(official.len(), 162);
}

#[test]
fn events_and_params_stand_in_the_order_of_the_catalogue() {
    fn walk(text: &mut &str, name: &str, nested: &[ParamSpec]) {
        let key = format!("\"{name}\": {{");
        let at = text.find(&key).unwrap_or_else(|| panic!("{name} does not follow in the catalogue's order"));
        *text = &text[at + key.len()..];
        for param in nested {
            walk(text, param.name, param.params);
        }
    }
    let mut rest = OFFICIAL;
    for event in catalogue() {
        let urn = format!("\"mk_event_type\": \"{}\"", event.urn);
        let at = rest
            .find(&urn)
            .unwrap_or_else(|| panic!("{} does not follow in the catalogue's order", event.urn));
        rest = &rest[at + urn.len()..];
        let end = rest.find("mk_event_type").unwrap_or(rest.len());
        let mut own = &rest[..end];
        for param in event.params {
            walk(&mut own, param.name, param.params);
        }
    }
}

#[test]
fn a_types_name_is_its_urn_in_camel_case() {
    for event in catalogue() {
        let verb = event.urn.splitn(5, ':').nth(4).expect("a URN has five parts");
        let name: String = verb
            .split(['_', ':'])
            .flat_map(|word| word[..1].to_uppercase().chars().chain(word[1..].chars()).collect::<Vec<_>>())
            .collect();
        assert_eq!(event.name, name, "{}", event.urn);
    }
}
