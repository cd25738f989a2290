//! The JSON of a scenario, with its names and wildcards, turned into JSON that serde reads.
//!
//! A special word becomes a text that begins with [`MARK`], which no wire text does. Not here: what the words mean ([`crate::pattern`]).

use serde_json::Value;

/// Begins the texts that stand for a special word.
pub(crate) const MARK: char = '\u{1}';

/// Reads one object from the beginning of `text`; the second part is what follows it.
pub(crate) fn read(text: &str) -> Result<(Value, &str), String> {
    let mut json = String::new();
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => {
                let end = end_of_string(rest).ok_or("a text without an end")?;
                json.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            '`' => {
                let end = rest[1..].find('`').ok_or("a text in backticks without an end")? + 1;
                json.push_str(&Value::from(&rest[1..end]).to_string());
                rest = &rest[end + 1..];
                continue;
            }
            '@' | '$' | '*' | 'a'..='z' => {
                let end = rest[1..]
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "_.()".contains(c)))
                    .map_or(rest.len(), |end| end + 1);
                let word = &rest[..end];
                if matches!(word, "true" | "false" | "null") {
                    json.push_str(word);
                } else {
                    json.push_str(&Value::from(format!("{MARK}{word}")).to_string());
                }
                rest = &rest[end..];
                continue;
            }
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.checked_sub(1).ok_or("a bracket too many")?,
            _ => {}
        }
        json.push(first);
        rest = &rest[first.len_utf8()..];
        if depth == 0 && !json.trim().is_empty() {
            break;
        }
    }
    let value = serde_json::from_str(&json).map_err(|error| format!("{error} in {json}"))?;
    Ok((value, rest))
}

/// The place behind the closing quote of the string that `text` begins with.
fn end_of_string(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}
