//! No event that can be decoded makes a rule panic, whatever its numbers are, and none leaves a state that a reload would not
//! find: random params, most of them of what there is, the rest at the ends of their types.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rill_proto::event::{ClientEvent, EventSpec, Owner, catalogue};
use rill_proto::field::{Kind, ParamSpec};
use serde_json::{Map, Value, json};

use crate::conversation::rules::replay::*;

/// What the choices of one value are made of.
type Choice = prop::sample::Index;

/// A number: small ones name slots.
const NUMBERS: [i64; 12] = [i64::MIN, i64::MIN + 1, -7, -1, 0, 1, 2, 3, 4, 9, i64::MAX - 1, i64::MAX];

/// A weight; JSON knows no others.
const FLOATS: [f64; 7] = [0.0, -1.0, 0.1, 4_294_967_296.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE];

const TEXTS: [&str; 9] =
    ["", " ", "x", "@bob @alice", "<msg>", "*_~`", "\u{0}\u{1f9c0}", ":soup:", "https://a.b/c?d=e#f"];

fn value(spec: &ParamSpec, kind: Kind, known: &[Value], choose: &mut dyn FnMut(usize) -> usize) -> Value {
    match kind {
        Kind::BigInt => NUMBERS[choose(NUMBERS.len())].into(),
        Kind::Boolean => (choose(2) == 1).into(),
        Kind::Float => FLOATS[choose(FLOATS.len())].into(),
        Kind::TimestampTz => [0.0, -1.0, 1.5, 1e18, -1e18][choose(5)].into(),
        Kind::Text if !spec.options.is_empty() => spec.options[choose(spec.options.len())].into(),
        Kind::Text => TEXTS[choose(TEXTS.len())].into(),
        Kind::Uuid if spec.name.ends_with("conversation_id") && choose(8) > 0 => json!(CONVERSATION),
        Kind::Uuid => known[choose(known.len())].clone(),
        Kind::Object => params(spec.params, known, choose).into(),
        Kind::Cursor => Value::Object(params(spec.params, known, choose)).to_string().into(),
        Kind::List(of) => (0..choose(4)).map(|_| value(spec, *of, known, choose)).collect(),
    }
}

fn params(
    specs: &[ParamSpec],
    known: &[Value],
    choose: &mut dyn FnMut(usize) -> usize,
) -> Map<String, Value> {
    let mut given = Map::new();
    for spec in specs {
        if spec.default.is_none() || choose(2) == 1 {
            given.insert(spec.name.to_owned(), value(spec, spec.kind, known, choose));
        }
    }
    given
}

/// An event of this conversation, if the choices make one.
fn made(spec: &EventSpec, replay: &Replay, choices: &[Choice]) -> Option<ClientEvent> {
    let accounts = NAMES.iter().map(|(id, _)| json!(id)).chain([json!(CLOSED), json!(NOBODY)]);
    let known: Vec<Value> = accounts.chain(replay.state.sections.keys().map(|id| json!(id))).collect();
    let mut next = choices.iter().cycle();
    let mut choose = |count: usize| next.next().map_or(0, |choice| choice.index(count));
    let params = Value::Object(params(spec.params, &known, &mut choose));
    let params = serde_json::value::to_raw_value(&params).unwrap();
    let event = ClientEvent::decode(spec.urn, &params).ok()?;
    (event.owner() == Owner::Conversation(CONVERSATION)).then_some(event)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_can_be_asked_for_makes_a_rule_panic(
        asked in prop::collection::vec(
            (0..NAMES.len(), any::<Choice>(), prop::collection::vec(any::<Choice>(), 8..24)),
            1..80,
        ),
    ) {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.slots_max = 20_000;
        let mut horizons = BTreeMap::new();
        let events: Vec<&EventSpec> = catalogue().collect();
        for (who, which, choices) in asked {
            // Messages and boards, half of the time, so that there is something to be bent.
            let post = |verb| events.iter().find(|event| event.urn.ends_with(verb));
            let verb = ["message:add_plain", "message:add_pinned", "message:add_todo"][choices[0].index(3)];
            let chosen = if choices[1].index(2) == 0 { post(verb) } else { Some(which.get(&events)) };
            let Some(event) = chosen.and_then(|spec| made(spec, &replay, &choices)) else {
                continue;
            };
            // Refused or carried out: either is an answer.
            drop(replay.ask(NAMES[who].0, event));
            let horizon = horizons.insert(who, replay.stamp).unwrap_or(0);
            replay.catch_up(NAMES[who].0, horizon);
        }
    }
}
