//! What the words of a table stand for in one world, and what a record says once the words stand in it again: two equal
//! worlds say the same then.
//!
//! Not here: which record is compared with which.

use std::collections::{BTreeMap, BTreeSet};

use rill_loadtest::record::{Record, kind, text};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Unix seconds lie between these while this is used; weights and counters do not.
const TIMES: std::ops::Range<f64> = 1.6e9..3.0e9;

/// Stamps in microseconds lie between these.
const STAMPS: std::ops::Range<f64> = 1.6e15..3.0e15;

/// Names of ids and addresses.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    values: BTreeMap<String, String>,
    /// Teams and organisations that were told of: telling of one again does not make it the last.
    told_of: BTreeSet<String>,
}

impl Names {
    /// A word stands for a value from now on.
    pub(crate) fn bind(&mut self, word: &str, value: &str) {
        self.values.insert(word.to_owned(), value.to_owned());
    }

    /// What a word stands for.
    pub(crate) fn value(&self, word: &str) -> &str {
        self.values.get(word).unwrap_or_else(|| panic!("{word} stands for nothing"))
    }

    /// Names what has a name of its own: sections and labels; the newest team and the newest organisation.
    pub(crate) fn learn(&mut self, record: &Record) {
        match kind(record) {
            "section" | "my_section" => {
                self.bind(&format!("$section.{}", text(record, "name")), text(record, "section_id"));
            }
            // Each member of a team has a label of its name.
            "label" if !text(record, "label").is_empty() && !record.contains_key("team_id") => {
                self.bind(&format!("$label.{}", text(record, "label")), text(record, "label_id"));
            }
            "team" => self.bind_new("$team", text(record, "team_id")),
            "org_header" => self.bind_new("$org", text(record, "organisation_id")),
            _ => {}
        }
    }

    fn bind_new(&mut self, word: &str, id: &str) {
        if self.told_of.insert(id.to_owned()) {
            self.bind(word, id);
        }
    }

    /// The text with the values of its words.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        // A longer word may begin with a shorter one.
        let mut words: Vec<_> = self.values.iter().collect();
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        for (word, value) in words {
            filled = filled.replace(word.as_str(), value);
        }
        assert!(!filled.contains("\"@") && !filled.contains("\"$"), "a word stands for nothing: {filled}");
        filled
    }

    /// The record with words in the place of values, and without what no two worlds have in common.
    pub(crate) fn general(&self, record: &Record) -> Value {
        let mut by_value: Vec<(String, &str)> = Vec::new();
        for (word, value) in &self.values {
            by_value.push((value.clone(), word));
            if let Ok(id) = Uuid::try_parse(value) {
                by_value.push((id.simple().to_string(), word));
            }
        }
        let fields = record.iter().filter(|(key, _)| key.as_str() != "cmail");
        Value::Object(fields.map(|(key, value)| (key.clone(), general(value, &by_value))).collect())
    }
}

fn general(value: &Value, words: &[(String, &str)]) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) => {
            let is_time = number.as_f64().is_some_and(|of| TIMES.contains(&of) || STAMPS.contains(&of));
            if is_time { "a time".into() } else { value.clone() }
        }
        Value::String(text) => {
            let named = words.iter().fold(text.clone(), |text, (value, word)| text.replace(value, word));
            without_ids(&named).into()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| general(item, words)).collect();
            // A list of texts is a set (protocol.md §3.1), and that of a team is in the order of ids.
            if items.iter().all(Value::is_string) {
                items.sort_by_key(ToString::to_string);
            }
            items.into()
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), general(value, words)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

/// The text with "an id" for every id in it, and "a time" for every time in a text of JSON.
fn without_ids(text: &str) -> String {
    let mut rest = text;
    let mut general = String::new();
    while let Some(first) = rest.chars().next() {
        let id = [36, 32]
            .into_iter()
            .find(|length| rest.get(..*length).is_some_and(|part| Uuid::try_parse(part).is_ok()));
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let is_time = rest[..digits]
            .parse::<f64>()
            .is_ok_and(|number| TIMES.contains(&number) || STAMPS.contains(&number));
        if let Some(length) = id {
            general.push_str("an id");
            rest = &rest[length..];
        } else if is_time {
            general.push_str("a time");
            rest = &rest[digits..];
        } else {
            let length = digits.max(first.len_utf8());
            general.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    general
}
