//! What an older call was given: the conversation that its path names, and its body.
//!
//! Null says as much as absent. Not here: limits of values, which the events have.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::plan::Step;
use crate::refuse::Refused;

/// How many addresses one call may name. Each is looked up by itself; a longer list is a mailing, not a conversation.
const EMAILS_MAX: usize = 100;

/// The path's id and the body's values.
pub(crate) struct Given {
    /// The conversation, where the path names one.
    pub(crate) id: Option<Uuid>,
    body: Map<String, Value>,
}

impl Given {
    pub(crate) fn new(id: Option<Uuid>, mut body: Map<String, Value>) -> Self {
        body.retain(|_, value| !value.is_null());
        Self { id, body }
    }

    /// The same, of a conversation that its path does not name as such.
    pub(crate) fn on(self, conversation_id: Uuid) -> Self {
        Self { id: Some(conversation_id), ..self }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.body.contains_key(key)
    }

    /// A value as it came.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.body.get(key)
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>, Refused> {
        self.typed(key, "a text", Value::as_str)
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Refused> {
        self.typed(key, "a whole number", Value::as_i64)
    }

    pub(crate) fn weight(&self, key: &str) -> Result<Option<f64>, Refused> {
        self.typed(key, "a number", Value::as_f64)
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Refused> {
        self.typed(key, "true or false", Value::as_bool)
    }

    pub(crate) fn id(&self, key: &str) -> Result<Option<Uuid>, Refused> {
        self.typed(key, "an id", |value| Uuid::try_parse(value.as_str()?).ok())
    }

    /// The texts of a list; none when it is absent.
    pub(crate) fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, Refused> {
        self.typed(key, "a list of texts", |value| value.as_array()?.iter().map(Value::as_str).collect())
    }

    /// The ids of a list; empty when it is absent.
    pub(crate) fn ids(&self, key: &str) -> Result<Vec<Uuid>, Refused> {
        let ids = self.typed(key, "a list of ids", |value| {
            let texts = value.as_array()?.iter().map(Value::as_str);
            texts.map(|text| Uuid::try_parse(text?).ok()).collect::<Option<Vec<Uuid>>>()
        });
        Ok(ids?.unwrap_or_default())
    }

    /// The addresses of a `To:` line.
    pub(crate) fn emails(&self, key: &str) -> Result<Vec<String>, Refused> {
        let found = addresses(self.text(key)?.unwrap_or_default());
        if found.len() > EMAILS_MAX {
            return Err(Refused::bad_request(format!("{key}: at most {EMAILS_MAX} addresses.")));
        }
        Ok(found)
    }

    /// An event on the conversation that the path names.
    pub(crate) fn event(&self, urn: &'static str) -> Step<'_> {
        Step::new(self, urn, self.id)
    }

    /// An event on the conversation and the message that the call's earlier events made or changed.
    pub(crate) fn follow(&self, urn: &'static str) -> Step<'_> {
        Step::new(self, urn, None).following()
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let read =
            |value| read(value).ok_or_else(|| Refused::bad_request(format!("{key}: {kind} is needed.")));
        self.body.get(key).map(read).transpose()
    }
}

/// The addresses of a `To:` line: between commas, each with a name or not.
fn addresses(line: &str) -> Vec<String> {
    let bare = |one: &str| match (one.rfind('<'), one.rfind('>')) {
        (Some(open), Some(close)) if open < close => one[open + 1..close].trim().to_lowercase(),
        (_, _) => one.trim().to_lowercase(),
    };
    line.split([',', ';', '\n']).map(bare).filter(|address| !address.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Given, addresses};

    #[test]
    fn a_to_line_has_names_or_not() {
        let line = "Ada <ada@Example.org>, bob@example.org,, \"C\" <c@example.org>";
        assert_eq!(addresses(line), ["ada@example.org", "bob@example.org", "c@example.org"]);
        assert!(addresses(" ").is_empty());
        assert_eq!(addresses("a> <b"), ["a> <b"]);
    }

    #[test]
    fn a_value_of_another_type_is_refused_by_its_name() {
        let body = json!({"text": "t", "number": 3, "null": null, "ids": ["x"], "texts": ["a", 1]});
        let given = Given::new(None, body.as_object().cloned().unwrap());
        assert_eq!(given.text("text").unwrap(), Some("t"));
        assert_eq!((given.number("number").unwrap(), given.number("null").unwrap()), (Some(3), None));
        assert!(!given.has("null"));
        for refused in
            [given.text("number").map(|_| ()), given.ids("ids").map(|_| ()), given.texts("texts").map(|_| ())]
        {
            assert!(refused.unwrap_err().body().contains("is needed."));
        }
        assert!(given.ids("absent").unwrap().is_empty());
    }
}
