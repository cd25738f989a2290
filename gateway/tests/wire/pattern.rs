//! What the special words of a scenario stand for: filling them in, and matching what came against them.
//!
//! Not here: how they are written ([`crate::value`]).

use crate::complaint::Complaint;
use crate::value::MARK;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A person as scenarios name him.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) account_id: String,
    pub(crate) email: String,
}

/// What names stand for at a point of a scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) people: BTreeMap<String, Identity>,
    bound: BTreeMap<String, Value>,
}

impl Names {
    /// Says what a name stands for.
    pub(crate) fn bind(&mut self, name: &str, value: Value) {
        self.bound.insert(name.to_owned(), value);
    }

    /// Replaces every special word; a name that stands for nothing yet is a mistake of the scenario.
    pub(crate) fn fill(&self, pattern: &Value) -> Result<Value, Complaint> {
        Ok(match pattern {
            Value::String(text) => match text.strip_prefix(MARK) {
                Some(word) => self.word(word)?,
                None => Value::from(self.text(text)?),
            },
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.fill(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let filled = fields.iter().map(|(key, value)| Ok((key.clone(), self.fill(value)?)));
                Value::Object(filled.collect::<Result<Map<_, _>, Complaint>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => pattern.clone(),
        })
    }

    fn word(&self, word: &str) -> Result<Value, Complaint> {
        if let Some(person) = word.strip_prefix('@') {
            return self.person(person).map(Value::from);
        }
        if let Some(name) = word.strip_prefix('$') {
            return self
                .bound
                .get(name)
                .cloned()
                .ok_or_else(|| Complaint::new(format!("${name} to stand for something"), "nothing so far"));
        }
        let count = word.strip_prefix("text(").and_then(|rest| rest.strip_suffix(')'));
        if let Some(count) = count.and_then(|count| count.parse().ok()) {
            return Ok(Value::from("x".repeat(count)));
        }
        Err(Complaint::new("a value", word))
    }

    fn person(&self, word: &str) -> Result<&str, Complaint> {
        let (name, is_email) = match word.strip_suffix(".email") {
            Some(name) => (name, true),
            None => (word, false),
        };
        let person = self.people.get(name);
        let person = person.ok_or_else(|| Complaint::new(format!("a person called {name}"), "nobody"))?;
        Ok(if is_email { &person.email } else { &person.account_id })
    }

    /// A text with its `@{…}` and `${…}` replaced.
    pub(crate) fn text(&self, text: &str) -> Result<String, Complaint> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = ["@{", "${"].iter().filter_map(|sign| rest.find(sign)).min() {
            let end = rest[at..].find('}').map(|end| at + end);
            let end = end.ok_or_else(|| Complaint::new("a closing brace", rest))?;
            filled.push_str(&rest[..at]);
            let word = format!("{}{}", &rest[at..=at], &rest[at + 2..end]);
            let value = self.word(&word)?;
            filled.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            rest = &rest[end + 1..];
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Matches a record; what is said for the first time is bound only when all of it fits.
    pub(crate) fn record(&mut self, pattern: &Value, got: &Map<String, Value>) -> Result<(), Complaint> {
        let mut tried = self.clone();
        let no_fields = Map::new();
        for (key, wanted) in pattern.as_object().unwrap_or(&no_fields) {
            tried.field(key, wanted, got.get(key))?;
        }
        *self = tried;
        Ok(())
    }

    /// Matches a whole value; an object has no other fields than the pattern's.
    pub(crate) fn whole(&mut self, pattern: &Value, got: &Value) -> Result<(), Complaint> {
        let mut tried = self.clone();
        tried.value("", pattern, got)?;
        *self = tried;
        Ok(())
    }

    fn field(&mut self, path: &str, wanted: &Value, got: Option<&Value>) -> Result<(), Complaint> {
        let is_absent = wanted.as_str().and_then(|text| text.strip_prefix(MARK)) == Some("absent");
        match (is_absent, got) {
            (true, None) => Ok(()),
            (true, Some(value)) => Err(Complaint::new(format!("no {path}"), format!("{path} {value}"))),
            (false, None) => Err(Complaint::new(format!("{path} {}", show(wanted)), format!("no {path}"))),
            (false, Some(value)) => self.value(path, wanted, value),
        }
    }

    fn value(&mut self, path: &str, wanted: &Value, got: &Value) -> Result<(), Complaint> {
        if let Some(word) = wanted.as_str().and_then(|text| text.strip_prefix(MARK)) {
            if word == "*" {
                return Ok(());
            }
            if let Some(name) = word.strip_prefix('$')
                && !self.bound.contains_key(name)
            {
                self.bound.insert(name.to_owned(), got.clone());
                return Ok(());
            }
        }
        match (wanted, got) {
            (Value::Object(wanted), Value::Object(got)) => {
                for (key, value) in wanted {
                    self.field(&format!("{path}.{key}"), value, got.get(key))?;
                }
                let strange = got.keys().find(|key| !wanted.contains_key(*key));
                strange.map_or(Ok(()), |key| {
                    let value = &got[key];
                    Err(Complaint::new(format!("no {path}.{key}"), format!("{path}.{key} {value}")))
                })
            }
            (Value::Array(wanted), Value::Array(got))
                if wanted.len() == got.len() && wanted.iter().any(Value::is_object) =>
            {
                let mut pairs = wanted.iter().zip(got).enumerate();
                pairs.try_for_each(|(at, (wanted, got))| self.value(&format!("{path}[{at}]"), wanted, got))
            }
            (Value::Array(_), Value::Array(_)) => {
                let filled = self.fill(wanted)?;
                equal(path, &sorted(&filled), &sorted(got))
            }
            _ => equal(path, &self.fill(wanted)?, got),
        }
    }
}

fn equal(path: &str, wanted: &Value, got: &Value) -> Result<(), Complaint> {
    let is_same = match (wanted, got) {
        // 5 and 5.0 are one number to a JavaScript client.
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => wanted == got,
    };
    if is_same {
        return Ok(());
    }
    Err(Complaint::new(format!("{path} {wanted}"), format!("{path} {got}")))
}

/// A list of texts is a set (protocol.md §3.1).
fn sorted(list: &Value) -> Value {
    let mut sorted = list.clone();
    if let Value::Array(items) = &mut sorted
        && items.iter().all(Value::is_string)
    {
        items.sort_by_key(ToString::to_string);
    }
    sorted
}

/// A pattern as it is written.
pub(crate) fn show(pattern: &Value) -> String {
    pattern.to_string().replace("\\u0001", "")
}
