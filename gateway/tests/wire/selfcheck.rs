//! That the scenarios can fail: the reader refuses what is no scenario, and the matcher what does not match.
//!
//! Not here: anything that needs a server.

use crate::complaint::Complaint;
use crate::keys::Shape;
use crate::pattern::Names;
use crate::script::Script;
use crate::{Promise, value};
use serde_json::{Map, Value, json};

/// What needs no server.
type Check = fn() -> Result<(), Complaint>;

/// What is shown of the runner itself.
pub(crate) fn promises() -> Vec<Promise> {
    let checks: [(&str, Check); 4] = [
        ("a line outside of the grammar is no scenario", nonsense_is_refused),
        ("a record that differs does not match", differences_are_seen),
        ("a name is bound only by a whole match", binding_is_whole),
        ("a key too many or too few is seen", key_sets_are_exact),
    ];
    let promise = |(name, check): (&str, Check)| Promise {
        name: format!("the runner: {name}"),
        proof: Box::new(move |_| check().map(|()| Vec::new())),
    };
    checks.into_iter().map(promise).collect()
}

fn expect(is_so: bool, what: &str) -> Result<(), Complaint> {
    if is_so { Ok(()) } else { Err(Complaint::new(what, "not so")) }
}

fn nonsense_is_refused() -> Result<(), Complaint> {
    let head = "# Something.\npeople alice bob\n";
    for line in [
        "carol> conv:create {}",
        "alice> conv:create",
        "alice> conv:create {} x",
        "alice> conv:create {\"topic\": \"}",
        "alice> conv:create {}\nalice> conv:create {}",
        "alice> POST team/create",
        "alice> POST team/create {}\nalice> POST team/create {}",
        "→ two hundred",
        "alice dances",
        "alice no times> conv:create {}",
        "alice header $c wide 3",
        "alice holds $c two",
        "alice< conv {} having x",
        "picture alice",
    ] {
        let is_refused = Script::parse("x", &format!("{head}{line}\n")).is_err();
        expect(is_refused, &format!("{line} to be refused"))?;
    }
    expect(Script::parse("x", "people alice\n").is_err(), "a promise to be missed")?;
    let whole = Script::parse("x", &format!("{head}alice> conv:create {{}}\n  # still the line\n"));
    expect(whole.is_err(), "a continuation to belong to its line")
}

fn object(text: &str) -> Result<Value, Complaint> {
    let read = value::read(text).map_err(|error| Complaint::new(text, error))?;
    Ok(read.0)
}

fn matches(names: &mut Names, pattern: &str, got: &Value) -> Result<bool, Complaint> {
    let none = Map::new();
    Ok(names.record(&object(pattern)?, got.as_object().unwrap_or(&none)).is_ok())
}

fn differences_are_seen() -> Result<(), Complaint> {
    let got = json!({"a": 1, "b": ["x", "y"], "c": {"d": 1}, "e": null, "f": "say @{no}"});
    for (pattern, is_match) in [
        ("{}", true),
        (r#"{"a": 1}"#, true),
        (r#"{"a": 2}"#, false),
        (r#"{"a": "1"}"#, false),
        (r#"{"b": ["y", "x"]}"#, true),
        (r#"{"b": ["y"]}"#, false),
        (r#"{"c": {}}"#, false),
        (r#"{"c": {"d": 1}}"#, true),
        (r#"{"c": {"d": *}}"#, true),
        (r#"{"e": null}"#, true),
        (r#"{"e": absent}"#, false),
        (r#"{"g": absent}"#, true),
        (r#"{"g": *}"#, false),
        (r#"{"g": null}"#, false),
        ("{\"a\": `1`}", false),
    ] {
        expect(matches(&mut Names::default(), pattern, &got)? == is_match, pattern)?;
    }
    Ok(())
}

fn binding_is_whole() -> Result<(), Complaint> {
    let mut names = Names::default();
    let pattern = r#"{"a": $x, "b": $x}"#;
    expect(!matches(&mut names, pattern, &json!({"a": 1, "b": 2}))?, "two values not to be one")?;
    expect(matches(&mut names, pattern, &json!({"a": 3, "b": 3}))?, "nothing to have been bound")?;
    expect(!matches(&mut names, pattern, &json!({"a": 4, "b": 4}))?, "3 to have been bound")?;
    expect(names.text("nr ${x}")? == "nr 3", "a text to be filled in")
}

fn key_sets_are_exact() -> Result<(), Complaint> {
    let record = json!({"mk_rec_type": "conv", "conversation_id": "c"});
    let short = record.as_object().cloned().unwrap_or_default();
    expect(Shape::Update.check(&short).is_err(), "missing keys to be seen")
}
