//! Which bytes a row names: every file that is still there, whoever's row it is.
//!
//! Rows are JSON, and whatever holds the bytes of a file holds a [`Content`](super::Content): it is found by its shape, so
//! that a new kind of row needs nothing here. A row that is no JSON names whatever looks like it.

use std::collections::HashSet;

use serde_json::Value;

use super::Digest;

/// Before every digest in a row. Within a text its quotes would be escaped.
const BEFORE: &[u8] = b"\"sha256\":\"";

/// How many characters a digest has.
const DIGITS: usize = 64;

/// Adds the digests that a row names.
pub fn digests(row: &[u8], found: &mut HashSet<Digest>) {
    if row.windows(BEFORE.len()).all(|window| window != BEFORE) {
        return;
    }
    match serde_json::from_slice(row) {
        Ok(value) => of_value(&value, found),
        Err(_) => of_bytes(row, found),
    }
}

fn of_value(value: &Value, found: &mut HashSet<Digest>) {
    match value {
        Value::Object(fields) => {
            let is_gone = fields.get("is_deleted") == Some(&Value::Bool(true));
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("sha256", Value::String(digest)) => found.extend(digest.parse::<Digest>()),
                    // The bytes of a file that is gone are nobody's.
                    ("content", _) if is_gone => {}
                    (_, value) => of_value(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| of_value(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn of_bytes(row: &[u8], found: &mut HashSet<Digest>) {
    for (at, window) in row.windows(BEFORE.len()).enumerate() {
        let digits = row.get(at + BEFORE.len()..at + BEFORE.len() + DIGITS).filter(|_| window == BEFORE);
        let digest = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<Digest>().ok());
        found.extend(digest);
    }
}

#[cfg(test)]
mod tests {
    use rill_proto::id::AccountId;
    use uuid::Uuid;

    use super::*;
    use crate::file::{Content, File};

    fn digest(nr: u8) -> Digest {
        Digest([nr; 32])
    }

    fn file(nr: u8, is_deleted: bool) -> File {
        let content = Content { sha256: digest(nr), size: 1, file_type: "text/plain".into(), picture: None };
        File {
            attachment_id: Uuid::nil(),
            account_id: AccountId(Uuid::nil()),
            name: "a".into(),
            content,
            posted_time: 1,
            is_deleted,
            deleter_id: None,
        }
    }

    fn named(row: &[u8]) -> HashSet<Digest> {
        let mut found = HashSet::new();
        digests(row, &mut found);
        found
    }

    #[test]
    fn a_row_names_the_files_that_are_there_and_not_those_that_are_gone() {
        let row = serde_json::json!({"message": "x", "files": [file(1, false), file(2, true)], "other": file(3, false)});
        assert_eq!(named(&serde_json::to_vec(&row).unwrap()), HashSet::from([digest(1), digest(3)]));
        let text = serde_json::json!({ "message": format!("\"sha256\":\"{}\"", digest(4)) });
        assert_eq!(named(&serde_json::to_vec(&text).unwrap()), HashSet::new(), "somebody only says so");
        assert_eq!(named(b"nothing of that kind"), HashSet::new());
    }

    #[test]
    fn what_cannot_be_read_names_all_that_it_may() {
        let row = serde_json::to_vec(&file(5, true)).unwrap();
        assert_eq!(named(&row[..row.len() - 1]), HashSet::from([digest(5)]));
    }
}
