//! Writes the viewer part of a record field by field into the buffer of a frame, without a JSON tree and without an
//! allocation of its own: a busy conversation writes one for every viewer of every message.
//!
//! Keys are our own literals and need no escaping; texts of people go through `serde_json`.

use serde::Serialize;
use uuid::Uuid;

/// Digits of the largest `u64`.
const DIGITS_MAX: usize = 20;

/// Goes on with an object that was left open.
pub(super) struct Fields<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Fields<'o> {
    /// Goes on in `out`, which ends with an open object that has at least one field.
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    fn key(&mut self, key: &'static str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub(super) fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        write_digits(value, self.out);
    }

    pub(super) fn number_if(&mut self, key: &'static str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    pub(super) fn signed(&mut self, key: &'static str, value: i64) {
        self.key(key);
        if value < 0 {
            self.out.push(b'-');
        }
        write_digits(value.unsigned_abs(), self.out);
    }

    pub(super) fn flag(&mut self, key: &'static str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(super) fn flag_if(&mut self, key: &'static str, value: Option<bool>) {
        if let Some(value) = value {
            self.flag(key, value);
        }
    }

    pub(super) fn null(&mut self, key: &'static str) {
        self.key(key);
        self.out.extend_from_slice(b"null");
    }

    pub(super) fn id(&mut self, key: &'static str, id: Uuid) {
        self.key(key);
        write_id(id, self.out);
    }

    pub(super) fn ids(&mut self, key: &'static str, ids: impl Iterator<Item = Uuid>) {
        self.key(key);
        self.out.push(b'[');
        for (place, id) in ids.enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            write_id(id, self.out);
        }
        self.out.push(b']');
    }

    /// Writes a word of a closed set, none of which needs escaping.
    pub(super) fn word(&mut self, key: &'static str, word: &'static str) {
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
    }

    /// Anything that is not worth a writer of its own: texts, classificators, lists of texts.
    pub(super) fn value<V: Serialize + ?Sized>(&mut self, key: &'static str, value: &V) {
        self.key(key);
        serde_json::to_writer(&mut *self.out, value).expect("writing texts into memory cannot fail");
    }

    /// Writes JSON that needs no escaping, as it stands.
    pub(super) fn literal(&mut self, fields: &'static str) {
        self.out.extend_from_slice(fields.as_bytes());
    }

    /// Ends the object.
    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}

fn write_id(id: Uuid, out: &mut Vec<u8>) {
    let mut text = Uuid::encode_buffer();
    out.push(b'"');
    out.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
    out.push(b'"');
}

fn write_digits(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; DIGITS_MAX];
    let mut at = DIGITS_MAX;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).expect("a digit fits in a byte");
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_json_numbers() {
        for value in [0, 9, 10, 99, 100, 4_294_967_296, u64::MAX] {
            let mut out = Vec::new();
            write_digits(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn fields_go_on_where_an_open_object_stopped() {
        let mut out = br#"{"a":1"#.to_vec();
        let mut fields = Fields::new(&mut out);
        fields.signed("b", i64::MIN);
        fields.number_if("c", None);
        fields.flag_if("d", Some(true));
        fields.null("e");
        fields.ids("f", [Uuid::nil(), Uuid::max()].into_iter());
        fields.value("g", "\"quoted\"\n");
        fields.close();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"a":1,"b":-9223372036854775808,"d":true,"e":null,"#,
                r#""f":["00000000-0000-0000-0000-000000000000","ffffffff-ffff-ffff-ffff-ffffffffffff"],"#,
                r#""g":"\"quoted\"\n"}"#
            )
        );
    }
}
