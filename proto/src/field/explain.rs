//! Says what is wrong with params that could not be read, by walking their declarations. Not on the fast path.

use serde_json::{Map, Value};

use super::{Kind, ParamSpec, Timestamp, echo};
use crate::refusal::Refusal;

/// The refusal that names the first param that is wrong, what is wrong with it and what is allowed.
/// `error` is what the fast path said; it is repeated if the walk finds nothing (a member that is there twice, say).
pub(crate) fn explain(params: &str, specs: &[ParamSpec], error: &serde_json::Error) -> Refusal {
    let members = match serde_json::from_str(params) {
        Ok(Value::Object(members)) => members,
        Ok(value) => {
            return Refusal::malformed("params", format_args!("{}, an object is wanted", describe(&value)));
        }
        Err(error) => return Refusal::malformed("params", error),
    };
    walk("params", &members, specs)
        .err()
        .unwrap_or_else(|| Refusal::malformed("params", echo(&error.to_string())))
}

fn walk(path: &str, members: &Map<String, Value>, specs: &[ParamSpec]) -> Result<(), Refusal> {
    for spec in specs {
        let path = format!("{path}.{}", spec.name);
        match members.get(spec.name) {
            Some(Value::Null) | None if spec.default.is_some() => {}
            Some(Value::Null) => return Err(Refusal::malformed(&path, "null, but it is mandatory")),
            None => return Err(Refusal::malformed(&path, "missing, but it is mandatory")),
            Some(_) if spec.ignore => {}
            Some(value) => check(&path, value, spec.kind, spec)?,
        }
    }
    Ok(())
}

fn check(path: &str, value: &Value, kind: Kind, spec: &ParamSpec) -> Result<(), Refusal> {
    match (kind, value) {
        (Kind::Text, Value::String(text)) => check_text(path, text, spec),
        (Kind::List(of), Value::Array(items)) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check(&format!("{path}[{index}]"), item, *of, spec)),
        (Kind::Object | Kind::Cursor, Value::Object(members)) => {
            if matches!(kind, Kind::Cursor) && members.is_empty() {
                return Ok(());
            }
            walk(path, members, spec.params)
        }
        (Kind::Cursor, Value::String(text)) => match serde_json::from_str(text) {
            Ok(members @ Value::Object(_)) => check(path, &members, kind, spec),
            Ok(_) | Err(_) => {
                Err(Refusal::malformed(path, format_args!("'{}', {} is wanted", echo(text), wanted(kind))))
            }
        },
        (Kind::Uuid, Value::String(text)) if uuid::Uuid::try_parse(text).is_ok() => Ok(()),
        (Kind::TimestampTz, Value::String(text)) if Timestamp::parse(text).is_some() => Ok(()),
        (Kind::BigInt, Value::Number(number)) if number.is_i64() => Ok(()),
        (Kind::Float | Kind::TimestampTz, Value::Number(_)) | (Kind::Boolean, Value::Bool(_)) => Ok(()),
        (kind, value) => {
            Err(Refusal::malformed(path, format_args!("{}, {} is wanted", describe(value), wanted(kind))))
        }
    }
}

fn check_text(path: &str, text: &str, spec: &ParamSpec) -> Result<(), Refusal> {
    if !spec.options.is_empty() && !spec.options.contains(&text) {
        let what = format!("'{}' is not one of {}", echo(text), spec.options.join(", "));
        return Err(Refusal::malformed(path, what));
    }
    let chars = text.chars().count();
    match spec.max_len {
        Some(max) if chars > max => {
            let what = format!("{} characters, at most {} are allowed", grouped(chars), grouped(max));
            Err(Refusal::malformed(path, what))
        }
        Some(_) | None => Ok(()),
    }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::BigInt => "a whole number of 64 bits",
        Kind::Boolean => "true or false",
        Kind::Cursor => "a text that holds a JSON object",
        Kind::Float => "a number",
        Kind::Object => "an object",
        Kind::Text => "a text",
        Kind::TimestampTz => "a time (unix seconds or text)",
        Kind::Uuid => "a UUID",
        Kind::List(_) => "a list",
    }
}

/// Names a value's type, and the value itself where it is short by nature.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => echo(&number.to_string()).into(),
        Value::String(text) => format!("'{}'", echo(text)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// A number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
