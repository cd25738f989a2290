//! A frame is read whole, event by event, whatever a client sends; only text of no known form is bad as a whole.

use proptest::prelude::*;
use rill_proto::envelope::{BadFrame, ClientFrame, EventStore, Poll, Submission, Submit, SubmitFrame};
use rill_proto::event::{ClientEvent, conv};
use rill_proto::id::{ConversationId, RequestId};
use rill_proto::limits::{ECHO_CHARS_MAX, EVENTS_PER_FRAME_MAX};
use serde_json::{Value, json};

const ID: &str = "9f6e1c1e-5c0b-4a8e-8f3f-0a1b2c3d4e5f";

fn events(frame: &str) -> Vec<Submission> {
    match ClientFrame::parse(frame) {
        Ok(ClientFrame::Events(events)) => events,
        other => panic!("{other:?}"),
    }
}

fn leave() -> Value {
    json!({"client_req_id": ID, "mk_event_type": "urn:fleep:client:conv:leave", "params": {"conversation_id": ID}})
}

#[test]
fn the_three_forms_are_told_apart() {
    let Ok(ClientFrame::Hello(hello)) = ClientFrame::parse(r#"{"ticket": "t"}"#) else { panic!() };
    assert_eq!((hello.ticket.as_str(), hello.api_version, hello.event_horizon), ("t", None, 0));
    assert!(hello.poll_flags.is_empty());
    let full = r#" {"ticket": "t", "api_version": 4, "event_horizon": 7, "poll_flags": ["skip_hidden"], "more": {}} "#;
    let Ok(ClientFrame::Hello(hello)) = ClientFrame::parse(full) else { panic!() };
    assert_eq!((hello.api_version, hello.event_horizon), (Some(4), 7));
    assert_eq!(hello.poll_flags, ["skip_hidden"]);
    assert_eq!(ClientFrame::parse(r#"{"ping": 17}"#), Ok(ClientFrame::Ping(17.into())));
    assert_eq!(ClientFrame::parse(r#"{"stream": []}"#), Ok(ClientFrame::Events(Vec::new())));
    assert_eq!(ClientFrame::parse(r#"{"ticket": 5, "stream": []}"#), Ok(ClientFrame::Events(Vec::new())));
}

#[test]
fn text_of_no_form_is_a_bad_frame() {
    for text in ["", "{", "{\"ping\": 1} x", "{\"stream\": [}", "nul", "{\"stream\": [{\"a\": }]}"] {
        assert!(matches!(ClientFrame::parse(text), Err(BadFrame::NotJson { .. })), "{text}");
    }
    for text in [
        "[]",
        "7",
        "{}",
        "{\"stream\": null}",
        "{\"stream\": {}}",
        "{\"stream\": [], \"ping\": 1}",
        "{\"ping\": 1, \"ticket\": \"t\"}",
        "{\"ping\": \"1\"}",
        "{\"ticket\": 1}",
        "{\"ticket\": \"t\", \"event_horizon\": \"x\"}",
        "[\"t\", 4, 0, []]",
    ] {
        assert_eq!(ClientFrame::parse(text), Err(BadFrame::UnknownForm), "{text}");
    }
    let longest = BadFrame::NotJson { line: usize::MAX, column: usize::MAX }.to_string();
    assert!(longest.len() <= 123, "a close reason has at most 123 bytes");
}

#[test]
fn a_bad_event_spoils_no_other() {
    let bad = [
        (json!(5), "event: invalid type: integer `5`, expected an object"),
        (
            json!([ID, "urn:fleep:client:conv:leave", {"conversation_id": ID}]),
            "event: invalid type: sequence",
        ),
        (json!({}), "mk_event_type: missing or not a text, but it is mandatory"),
        (json!({"mk_event_type": 3}), "mk_event_type: missing or not a text, but it is mandatory"),
        (json!({"mk_event_type": "urn:x"}), "mk_event_type: 'urn:x' is not an event"),
        (json!({"mk_event_type": "urn:fleep:client:conv:get"}), "params.conversation_id: missing"),
        (json!({"mk_event_type": "urn:fleep:client:conv:get", "params": [ID]}), "params: a list"),
        (
            json!({"mk_event_type": "urn:fleep:client:conv:get", "params": {"conversation_id": 1}}),
            "params.conversation_id: 1",
        ),
    ];
    for (bad, expected) in bad {
        let events = events(&json!({"stream": [leave(), bad, leave()]}).to_string());
        assert_eq!(events.len(), 3);
        let refusal = events[1].event.as_ref().unwrap_err();
        assert_eq!((refusal.status, refusal.error_id), (400, "invalid_call"));
        assert!(refusal.error_message.starts_with(expected), "{refusal}");
        for good in [&events[0], &events[2]] {
            assert_eq!(good.client_req_id, Some(RequestId(ID.parse().unwrap())));
            assert_eq!(good.mk_event_type, "urn:fleep:client:conv:leave");
            assert!(good.event.is_ok());
        }
    }
}

#[test]
fn a_client_req_id_may_be_absent_and_a_bad_one_is_repeated() {
    let with = |id: Value| {
        let mut event = leave();
        event["client_req_id"] = id;
        events(&json!({"stream": [event]}).to_string()).remove(0)
    };
    let absent = with(Value::Null);
    assert!(absent.event.is_ok() && absent.client_req_id.is_none() && absent.client_req_id_echo.is_none());
    let bad = with(json!("a\"b"));
    assert_eq!(bad.client_req_id_echo.as_deref(), Some("a\"b"));
    assert_eq!(bad.mk_event_type, "urn:fleep:client:conv:leave");
    assert_eq!(bad.event.unwrap_err().error_message, "client_req_id: 'a\"b' is not a UUID");
    assert_eq!(with(json!(12)).client_req_id_echo.as_deref(), Some("12"));
    let long = with("é".repeat(100_000).into());
    assert_eq!(long.client_req_id_echo.unwrap().chars().count(), ECHO_CHARS_MAX);
}

#[test]
fn an_event_without_params_needs_none() {
    let events = events(r#"{"stream": [{"mk_event_type": "urn:fleep:client:account:delete"}]}"#);
    assert!(events[0].event.is_ok());
}

#[test]
fn a_frame_holds_a_bounded_number_of_events() {
    let frame = |count: usize, event: &str| format!(r#"{{"stream": [{}]}}"#, vec![event; count].join(","));
    for event in ["{}", "7"] {
        assert_eq!(events(&frame(EVENTS_PER_FRAME_MAX, event)).len(), EVENTS_PER_FRAME_MAX);
        let over = ClientFrame::parse(&frame(EVENTS_PER_FRAME_MAX + 1, event));
        assert_eq!(over, Err(BadFrame::TooManyEvents));
    }
    assert_eq!(EventStore::parse(&frame(500_000, "{}")), Err(BadFrame::TooManyEvents));
}

#[test]
fn deep_nesting_neither_overflows_the_stack_nor_closes() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(ClientFrame::parse(&deep).is_err());
        assert!(ClientFrame::parse(&open.repeat(300_000)).is_err());
        assert!(ClientFrame::parse(&format!(r#"{{"ticket": {deep}}}"#)).is_err());
        let neighbours = format!(
            r#"{{"deep": {deep}, "stream": [{deep}, {{"mk_event_type": "urn:fleep:client:conv:get", "params": {deep}}},
                {{"mk_event_type": "urn:fleep:client:conv:pin:sync", "params": {{"conversation_id": "{ID}", "sync_cursor": {deep}}}}},
                {{"mk_event_type": "urn:fleep:client:conv:pin:sync", "params": {{"conversation_id": "{ID}", "sync_cursor": {}}}}}, {}]}}"#,
            Value::from(deep.as_str()),
            leave()
        );
        let outcomes: Vec<bool> = events(&neighbours).iter().map(|event| event.event.is_ok()).collect();
        assert_eq!(outcomes, [false, false, false, false, true]);
    }
}

#[test]
fn the_http_bodies_carry_the_same() {
    let store =
        EventStore::parse(&json!({"ticket": "t", "api_version": 4, "stream": [leave(), 1]}).to_string())
            .unwrap();
    assert_eq!((store.ticket.as_str(), store.api_version, store.stream.len()), ("t", Some(4), 2));
    assert!(store.stream[0].event.is_ok() && store.stream[1].event.is_err());
    assert_eq!(EventStore::parse("{\"stream\": []}").unwrap().ticket, "");
    assert_eq!(EventStore::parse("{\"ticket\": \"t\"}"), Err(BadFrame::UnknownForm));

    let poll = Poll::parse(r#"{"ticket": "t", "wait": null, "poll_flags": null}"#).unwrap();
    assert_eq!((poll.event_horizon, poll.wait, poll.api_version), (0, true, None));
    assert!(!Poll::parse(r#"{"ticket": "t", "event_horizon": 9, "wait": false}"#).unwrap().wait);
    assert_eq!(Poll::parse("[]"), Err(BadFrame::UnknownForm));
}

#[test]
fn what_a_client_writes_is_what_the_server_reads() {
    let client_req_id = RequestId(ID.parse().unwrap());
    let event = ClientEvent::Conv(conv::Event::Leave(conv::Leave {
        conversation_id: ConversationId(ID.parse().unwrap()),
    }));
    let frame = SubmitFrame { stream: &[Submit { client_req_id, event: &event }] };
    let read = events(&serde_json::to_string(&frame).unwrap()).remove(0);
    assert_eq!((read.client_req_id, read.event), (Some(client_req_id), Ok(event)));
}

proptest! {
    /// Cut, overwritten and lengthened frames are read or refused; nothing panics.
    #[test]
    fn mangled_frames_never_panic(
        at in any::<prop::sample::Index>(),
        cut in 0..40_usize,
        put in ".{0,20}|[\\[\\]{}\",:0-9a-z\\\\]{0,20}",
    ) {
        let frame = json!({"ticket": "t", "stream": [leave(), {"mk_event_type": "urn:fleep:client:message:add_plain",
            "params": {"conversation_id": ID, "message": "héllo \u{1F600}\n", "attachment_urls": ["a"]}}]}).to_string();
        let mut chars: Vec<char> = frame.chars().collect();
        let start = at.index(chars.len());
        let end = (start + cut).min(chars.len());
        chars.splice(start..end, put.chars());
        let mangled: String = chars.into_iter().collect();
        let _ = ClientFrame::parse(&mangled);
        let _ = EventStore::parse(&mangled);
        let _ = Poll::parse(&mangled);
    }
}
