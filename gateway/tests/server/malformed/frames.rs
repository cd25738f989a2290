//! Frames that no client should send, each with what websocket.md makes of it.
//!
//! Not here: sending them.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::rng::Rng;

/// How deep brackets are nested: past what a reader that recurses can stand.
const DEEP: usize = 200_000;

/// What goes over the wire.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    Text(String),
    /// As a text frame, whatever they are.
    Bytes(Vec<u8>),
    Binary(Vec<u8>),
}

/// What becomes of a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Expected {
    /// The statuses of its request records, in order.
    Answered(Vec<u64>),
    /// The connection goes on.
    Ignored,
    /// The connection ends with this code.
    Closed(u16),
}

/// A frame and what is to become of it.
#[derive(Clone, Debug)]
pub(super) struct Malformed {
    pub(super) name: String,
    pub(super) sent: Sent,
    pub(super) expected: Expected,
}

fn malformed(name: &str, sent: Sent, expected: Expected) -> Malformed {
    Malformed { name: name.to_owned(), sent, expected }
}

fn event(urn: &str, params: &Value) -> Value {
    json!({"client_req_id": Uuid::new_v4(), "mk_event_type": format!("urn:fleep:client:{urn}"), "params": params})
}

fn frame(events: &[Value]) -> String {
    json!({ "stream": events }).to_string()
}

fn post(room: &str, message: &str) -> Value {
    event("message:add_plain", &json!({"conversation_id": room, "message": message}))
}

/// A good frame, cut anywhere.
pub(super) fn cut(room: &str, rng: &mut Rng) -> Malformed {
    let whole = frame(&[post(room, "cut"), event("conv:get", &json!({"conversation_id": room}))]);
    let end = rng.below(whole.len());
    malformed(&format!("cut after {end} bytes"), Sent::Text(whole[..end].to_owned()), Expected::Closed(4400))
}

/// One event that is refused between two that are not.
pub(super) fn good_bad_good(room: &str) -> String {
    frame(&[post(room, "first"), event("message:add_plain", &json!({"message": 2})), post(room, "third")])
}

/// Every kind once.
pub(super) fn all(room: &str) -> Vec<Malformed> {
    let mut kinds = no_frames();
    kinds.extend(bad_bytes());
    kinds.extend(other_forms());
    kinds.extend(bad_events(room));
    kinds.extend(bad_values(room));
    kinds
}

/// Text that is no JSON object.
fn no_frames() -> Vec<Malformed> {
    let deep_lists = "[".repeat(DEEP);
    let deep_objects = "{\"stream\":".repeat(DEEP / 10);
    let texts = [
        ("an empty text", ""),
        ("blanks", " \n\t "),
        ("null", "null"),
        ("a list", "[]"),
        ("a number", "17"),
        ("a text", "\"stream\""),
        ("words", "hello, server"),
        ("two objects", "{} {}"),
        ("a pong and rubbish", "{\"ping\": 1}}"),
        ("single quotes", "{'ping': 1}"),
        ("a comment", "{\"ping\": 1 /* one */}"),
        ("a comma too many", "{\"ping\": 1,}"),
        ("deep lists", &deep_lists),
        ("deep objects", &deep_objects),
        ("a control character", "{\"stream\": [\"\u{1}\"]}"),
        ("half a surrogate", "{\"ticket\": \"\\ud800\"}"),
    ];
    texts.map(|(name, text)| malformed(name, Sent::Text(text.to_owned()), Expected::Closed(4400))).into()
}

/// What is wrong below JSON.
fn bad_bytes() -> Vec<Malformed> {
    let large = format!("{{\"stream\": \"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let utf8 = |bytes: &[u8]| Sent::Bytes([b"{\"ping\": \"", bytes, b"\"}"].concat());
    vec![
        malformed("two mebibytes", Sent::Text(large), Expected::Closed(1009)),
        malformed("bytes that are no UTF-8", Sent::Bytes(vec![0xFF, 0xFE, 0x80]), Expected::Closed(1007)),
        malformed("an overlong encoding", utf8(&[0xC0, 0xAF]), Expected::Closed(1007)),
        malformed("an encoded surrogate", utf8(&[0xED, 0xA0, 0x80]), Expected::Closed(1007)),
        malformed("a character cut off", utf8(&[0xE2, 0x82]), Expected::Closed(1007)),
        malformed("an empty binary frame", Sent::Binary(Vec::new()), Expected::Closed(1003)),
        malformed("JSON as binary", Sent::Binary(b"{\"ping\": 1}".to_vec()), Expected::Closed(1003)),
        malformed("a large binary frame", Sent::Binary(vec![0; 100_000]), Expected::Closed(1003)),
    ]
}

/// JSON objects that are none of the forms, or a form that may not come now.
fn other_forms() -> Vec<Malformed> {
    let too_many = frame(&(0..101).map(|_| json!({})).collect::<Vec<_>>());
    let endless = format!("{{\"ping\": {}}}", "9".repeat(400));
    let texts = [
        ("no member", "{}"),
        ("unknown members", "{\"hello\": 1}"),
        ("a stream that is a number", "{\"stream\": 3}"),
        ("a stream that is an object", "{\"stream\": {}}"),
        ("a stream that is null", "{\"stream\": null}"),
        ("a ping that is a text", "{\"ping\": \"1\"}"),
        ("a ping that is null", "{\"ping\": null}"),
        ("a ping beyond all numbers", "{\"ping\": 1e999}"),
        ("a ping of 400 digits", &endless),
        ("events and a ping", "{\"stream\": [], \"ping\": 1}"),
        ("a member twice", "{\"ping\": 1, \"ping\": 2}"),
        ("a ticket that is a number", "{\"ticket\": 7}"),
        ("hello for the second time", "{\"ticket\": \"x\", \"api_version\": 4, \"event_horizon\": 0}"),
        ("101 events", &too_many),
    ];
    texts.map(|(name, text)| malformed(name, Sent::Text(text.to_owned()), Expected::Closed(4400))).into()
}

/// Frames of the right form: the events in them are refused, one by one, and the connection stays.
fn bad_events(room: &str) -> Vec<Malformed> {
    let no_id = json!({"mk_event_type": "urn:fleep:client:conv:get", "params": {"conversation_id": room}});
    let mut odd_id = post(room, "x");
    odd_id["client_req_id"] = json!("not a uuid");
    let mut number_id = post(room, "x");
    number_id["client_req_id"] = json!(5);
    let mut no_urn = post(room, "x");
    no_urn["mk_event_type"] = Value::Null;
    let mut list_params = post(room, "x");
    list_params["params"] = json!([1, 2]);
    let (good, bad) = (event("conv:get", &json!({"conversation_id": room})), json!("no object"));
    let of = |name: &str, events: &[Value], statuses: &[u64]| {
        malformed(name, Sent::Text(frame(events)), Expected::Answered(statuses.to_vec()))
    };
    let hundred = vec![json!({}); 100];
    vec![
        of("an empty stream", &[], &[]),
        of("an event that is a number", &[json!(3)], &[400]),
        of("an event that is null", &[Value::Null], &[400]),
        of("an event that is a list", &[json!([])], &[400]),
        of("an empty event", &[json!({})], &[400]),
        of("no client_req_id", &[no_id], &[400]),
        of("a client_req_id that is no UUID", &[odd_id], &[400]),
        of("a client_req_id that is a number", &[number_id], &[400]),
        of("no URN", &[no_urn], &[400]),
        of("params that are a list", &[list_params], &[400]),
        of("an unknown URN", &[event("message:explode", &json!({}))], &[400]),
        of(
            "another family's URN",
            &[json!({"client_req_id": Uuid::new_v4(), "mk_event_type": "urn:x", "params": {}})],
            &[400],
        ),
        of("a URN of a hundred thousand letters", &[event(&"x".repeat(100_000), &json!({}))], &[400]),
        of("a bad event between good ones", &[good.clone(), bad, good], &[200, 400, 200]),
        of("a hundred bad events", &hundred, &[400; 100]),
    ]
}

/// Events whose params are wrong.
fn bad_values(room: &str) -> Vec<Malformed> {
    let nobody = Uuid::nil().to_string();
    let add = |params: Value| event("message:add_plain", &params);
    let of = |name: &str, event: Value, status: u64| {
        malformed(name, Sent::Text(frame(&[event])), Expected::Answered(vec![status]))
    };
    let nested = format!(
        "{{\"stream\":[{{\"client_req_id\":\"{}\",\"mk_event_type\":\"urn:fleep:client:conv:create\",\"params\":{{\"topic\":{}{}}}}}]}}",
        Uuid::new_v4(),
        "[".repeat(DEEP),
        "]".repeat(DEEP)
    );
    let huge = format!(
        "{{\"stream\":[{{\"client_req_id\":\"{}\",\"mk_event_type\":\"urn:fleep:client:conv:mark_read\",\"params\":{{\"conversation_id\":\"{room}\",\"show_message_nr\":1e400}}}}]}}",
        Uuid::new_v4()
    );
    let seen =
        |number: Value| event("conv:mark_read", &json!({"conversation_id": room, "show_message_nr": number}));
    vec![
        of("a text that is a number", add(json!({"conversation_id": room, "message": 5})), 400),
        of("a text that is a list", add(json!({"conversation_id": room, "message": ["x"]})), 400),
        of("a text too long", add(json!({"conversation_id": room, "message": "x".repeat(307_201)})), 400),
        of("no conversation", add(json!({"message": "x"})), 400),
        of("a conversation that is null", add(json!({"conversation_id": null, "message": "x"})), 400),
        of("a conversation that is no UUID", add(json!({"conversation_id": "abc", "message": "x"})), 400),
        of("a conversation that is not there", add(json!({"conversation_id": nobody, "message": "x"})), 431),
        of("a number that is a text", seen(json!("seven")), 400),
        of("a number with a fraction", seen(json!(1.5)), 400),
        of("a number beyond 64 bits", seen(json!(1e30)), 400),
        of("ids that are one text", event("conv:create", &json!({"account_ids": "x"})), 400),
        of("an option that is none", event("conv:create", &json!({"mk_conv_type": "cct_round"})), 400),
        of("a switch that is a text", event("conv:create", &json!({"is_autojoin": "perhaps"})), 400),
        malformed("params nested deeply", Sent::Text(nested), Expected::Answered(vec![400])),
        malformed("a number beyond all numbers", Sent::Text(huge), Expected::Answered(vec![400])),
    ]
}
