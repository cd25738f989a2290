//! Params are read into typed events, or refused by a message that names the param, what is wrong and what is allowed.

use proptest::prelude::*;
use rill_proto::classificator::{ConvType, InitMode};
use rill_proto::event::{ClientEvent, EventSpec, Owner, account, catalogue, contact, conv, label, message};
use rill_proto::field::{Cursor, Kind, Limit, ParamSpec, Text, Timestamp};
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::refusal::Refusal;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

const ID: &str = "9f6e1c1e-5c0b-4a8e-8f3f-0a1b2c3d4e5f";

fn id() -> Uuid {
    ID.parse().expect("ID is a UUID")
}

fn decode_text(name: &str, params: &str) -> Result<ClientEvent, Refusal> {
    let params = RawValue::from_string(params.to_owned()).expect("the test gives JSON");
    ClientEvent::decode(&format!("urn:fleep:client:{name}"), &params)
}

fn decode(name: &str, params: Value) -> Result<ClientEvent, Refusal> {
    decode_text(name, &params.to_string())
}

fn refused(name: &str, params: Value) -> String {
    let refusal = decode(name, params).expect_err("a refusal");
    assert_eq!((refusal.status, refusal.error_id), (400, "invalid_call"));
    refusal.error_message
}

#[test]
fn absent_and_null_are_the_default_and_unknown_params_are_passed_over() {
    let expected = ClientEvent::Message(message::Event::AddPlain(message::AddPlain {
        conversation_id: ConversationId(id()),
        message: Text::new("").unwrap(),
        subject: None,
        attachment_urls: None,
        from_message_nr: None,
        reply_to_message_nr: None,
    }));
    assert_eq!(decode("message:add_plain", json!({"conversation_id": ID})), Ok(expected.clone()));
    let nulls = json!({"conversation_id": ID, "message": null, "subject": null, "attachment_urls": null,
        "from_message_nr": null, "reply_to_message_nr": null, "colour": [{"deep": 1}]});
    assert_eq!(decode("message:add_plain", nulls), Ok(expected));

    let Ok(ClientEvent::Conv(conv::Event::Create(create))) = decode("conv:create", json!({})) else {
        panic!()
    };
    assert_eq!(create.mk_conv_type, ConvType::Default);
    assert!(!create.is_managed && create.topic.is_empty() && create.account_ids.is_none());
    let Ok(ClientEvent::Conv(conv::Event::Fork(fork))) = decode("conv:fork", json!({"conversation_id": ID}))
    else {
        panic!()
    };
    assert_eq!(fork.mk_conv_type, ConvType::NoMail);
    let Ok(ClientEvent::Account(account::Event::SyncConversations(sync))) =
        decode("account:sync_conversations", json!({"conversation_ids": [ID]}))
    else {
        panic!()
    };
    assert_eq!(sync.mk_init_mode, InitMode::Header);
}

#[test]
fn a_refusal_names_the_param_what_is_wrong_and_what_is_allowed() {
    let long = "x".repeat(307_201);
    for (name, params, expected) in [
        ("message:add_plain", json!({}), "params.conversation_id: missing, but it is mandatory"),
        (
            "message:add_plain",
            json!({"conversation_id": null}),
            "params.conversation_id: null, but it is mandatory",
        ),
        (
            "message:add_plain",
            json!({"conversation_id": "x"}),
            "params.conversation_id: 'x', a UUID is wanted",
        ),
        (
            "message:add_plain",
            json!({"conversation_id": ID, "message": long}),
            "params.message: 307,201 characters, at most 307,200 are allowed",
        ),
        (
            "message:add_plain",
            json!({"conversation_id": ID, "message": {"a": 1}}),
            "params.message: an object, a text is wanted",
        ),
        (
            "message:add_plain",
            json!({"conversation_id": ID, "attachment_urls": ["a", 7]}),
            "params.attachment_urls[1]: 7, a text is wanted",
        ),
        (
            "conv:create",
            json!({"mk_conv_type": "x"}),
            "params.mk_conv_type: 'x' is not one of cct_list, cct_no_mail, cct_default",
        ),
        ("conv:create", json!({"is_list": "true"}), "params.is_list: 'true', true or false is wanted"),
        ("conv:create", json!({"account_ids": ID}), &format!("params.account_ids: '{ID}', a list is wanted")),
        ("conv:create", json!({"account_ids": [null]}), "params.account_ids[0]: null, a UUID is wanted"),
        ("conv:set_writing", json!([ID]), "params: a list, an object is wanted"),
        (
            "conv:mark_read",
            json!({"conversation_id": ID, "show_message_nr": 1.5}),
            "params.show_message_nr: 1.5, a whole number of 64 bits is wanted",
        ),
        (
            "conv:mark_read",
            json!({"conversation_id": ID, "show_message_nr": u64::MAX}),
            "params.show_message_nr: 18446744073709551615, a whole number of 64 bits is wanted",
        ),
        (
            "conv:pin:sync",
            json!({"conversation_id": ID, "sync_cursor": "{\"conversation_id\": 1}"}),
            "params.sync_cursor.conversation_id: 1, a UUID is wanted",
        ),
        (
            "conv:pin:sync",
            json!({"conversation_id": ID, "sync_cursor": "[]"}),
            "params.sync_cursor: '[]', a text that holds a JSON object is wanted",
        ),
        (
            "conv:sync_files:2",
            json!({"conversation_id": ID, "file_sync_state": {"limit": {}, "sync_cursor": "{}"}}),
            "params.file_sync_state.limit.message_nr: missing, but it is mandatory",
        ),
        (
            "contact:import",
            json!({"contacts": [{"email": "a@b"}, {"name": "B"}]}),
            "params.contacts[1].email: missing, but it is mandatory",
        ),
    ] {
        assert_eq!(refused(name, params), expected);
    }
}

#[test]
fn what_the_walk_cannot_find_is_refused_in_the_words_of_the_parser() {
    let twice = format!(r#"{{"conversation_id": "{ID}", "conversation_id": "{ID}"}}"#);
    let refusal = decode_text("conv:leave", &twice).unwrap_err();
    assert!(refusal.error_message.starts_with("params: duplicate field `conversation_id`"), "{refusal}");
    let surrogate = format!(r#"{{"conversation_id": "{ID}", "topic": "\ud800"}}"#);
    let refusal = decode_text("conv:set_topic", &surrogate).unwrap_err();
    assert_eq!((refusal.status, refusal.error_id), (400, "invalid_call"));
}

#[test]
fn a_limit_counts_characters_and_not_bytes() {
    let name = "õ".repeat(128);
    assert!(decode("account:set_name", json!({"name": name})).is_ok());
    assert_eq!(
        refused("account:set_name", json!({"name": format!("{name}a")})),
        "params.name: 129 characters, at most 128 are allowed"
    );
}

#[test]
fn what_people_write_is_not_in_the_debug_form() {
    let event =
        decode("account:change_password", json!({"password": "pw-new", "old_password": "pw-old"})).unwrap();
    assert!(!format!("{event:?}").contains("pw-"));
}

#[test]
fn an_unknown_urn_is_refused() {
    for urn in [
        "urn:fleep:client:conv:explode",
        "urn:fleep:client:conv",
        "urn:fleep:client:fish:get",
        "conv:get",
        "",
    ] {
        let refusal = ClientEvent::decode(urn, RawValue::NULL).unwrap_err();
        assert_eq!(refusal.status, 400);
        assert_eq!(refusal.error_message, format!("mk_event_type: '{urn}' is not an event"));
    }
}

#[test]
fn a_batch_size_is_never_refused() {
    let limit = |limit: &str| match decode_text("contact:sync", &format!(r#"{{"limit": {limit}}}"#)) {
        Ok(ClientEvent::Contact(contact::Event::Sync(sync))) => sync.limit.get(),
        other => panic!("{other:?}"),
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (given, expected) in [
        ("7", 7),
        ("0", 1),
        ("-9", 1),
        ("101", 100),
        ("18446744073709551615", 100),
        ("2.9", 2),
        ("1e300", 100),
        ("\"30\"", 30),
        ("\"many\"", 100),
        ("null", 100),
        ("true", 100),
        ("{\"a\": [1]}", 100),
        (deep.as_str(), 100),
    ] {
        assert_eq!(limit(given), expected, "{}", &given[..given.len().min(40)]);
    }
    let Ok(ClientEvent::Label(label::Event::SyncConversations(sync))) =
        decode("label:sync_conversations", json!({"label_id": ID}))
    else {
        panic!()
    };
    assert_eq!(sync.limit, Limit::default());
    assert_eq!(sync.limit.get(), 30);
}

#[test]
fn a_cursor_is_a_text_or_an_object_and_the_empty_one_is_none() {
    let cursor = |cursor: Value| match decode("contact:sync_canned", json!({"sync_cursor": cursor})) {
        Ok(ClientEvent::Contact(contact::Event::SyncCanned(sync))) => sync.sync_cursor,
        other => panic!("{other:?}"),
    };
    let at =
        Cursor(Some(contact::CannedCursor { message_id: id().into(), store_time: Timestamp(1_500_000) }));
    assert_eq!(cursor(json!({"message_id": ID, "store_time": 1.5}).to_string().into()), at);
    assert_eq!(cursor(json!({"message_id": ID, "store_time": "1970-01-01 00:00:01.5+00"})), at);
    assert_eq!(
        serde_json::to_value(&at).unwrap(),
        Value::from(format!(r#"{{"message_id":"{ID}","store_time":1.5}}"#))
    );
    for none in [json!("{}"), json!({}), json!(null)] {
        assert_eq!(cursor(none), Cursor(None));
    }
}

#[test]
fn an_event_knows_whose_turn_it_takes() {
    let owner = |name: &str, params: Value| decode(name, params).unwrap().owner();
    let conversation = Owner::Conversation(ConversationId(id()));
    assert_eq!(owner("conv:create", json!({})), Owner::NewConversation);
    assert_eq!(owner("conv:fork", json!({"conversation_id": ID})), Owner::NewConversation);
    assert_eq!(
        owner("section:task:archive_all", json!({"conversation_id": ID, "section_id": ID})),
        conversation
    );
    assert_eq!(owner("message:set_done", json!({"conversation_id": ID, "message_nr": 1})), conversation);
    assert_eq!(owner("contact:get", json!({"account_id": ID})), Owner::Caller);
    assert_eq!(owner("contact:get_dialog", json!({"account_id": ID})), Owner::Dialog(AccountId(id())));
    assert_eq!(owner("task:archive", json!({"message_id": ID})), Owner::Caller);
    assert_eq!(owner("team:get", json!({"team_id": ID})), Owner::Team(id().into()));
    assert_eq!(owner("organisation:get", json!({"organisation_id": ID})), Owner::Organisation(id().into()));
}

/// A value that a param takes; `deep` gives defaulted params a value as well.
fn good(spec: &ParamSpec, kind: Kind, deep: bool) -> Value {
    match kind {
        Kind::BigInt => 17.into(),
        Kind::Boolean => true.into(),
        Kind::Float | Kind::TimestampTz => 1.5.into(),
        Kind::Text => spec.options.first().copied().unwrap_or("text").into(),
        Kind::Uuid => ID.into(),
        Kind::Object => good_params(spec.params, deep),
        Kind::Cursor => good_params(spec.params, deep).to_string().into(),
        Kind::List(of) => vec![good(spec, *of, deep); 2].into(),
    }
}

fn good_params(specs: &[ParamSpec], deep: bool) -> Value {
    let given = specs.iter().filter(|spec| deep || spec.default.is_none());
    Value::Object(
        given.map(|spec| (spec.name.to_owned(), good(spec, spec.kind, deep))).collect::<Map<_, _>>(),
    )
}

fn decode_spec(event: &EventSpec, params: &Value) -> Result<ClientEvent, Refusal> {
    decode(event.urn.strip_prefix("urn:fleep:client:").expect("every URN has the prefix"), params.clone())
}

#[test]
fn every_event_is_read_with_all_and_with_only_its_mandatory_params_and_written_as_it_was_read() {
    for spec in catalogue() {
        for deep in [false, true] {
            let event = decode_spec(spec, &good_params(spec.params, deep)).unwrap();
            assert_eq!(event.urn(), spec.urn);
            let written = serde_json::to_value(&event).unwrap();
            assert_eq!(written["mk_event_type"], spec.urn);
            assert_eq!(decode_spec(spec, &written["params"]), Ok(event), "{}", spec.urn);
        }
    }
}

#[test]
fn every_mandatory_param_of_every_event_is_missed_and_every_wrong_type_is_named() {
    for spec in catalogue() {
        for param in spec.params {
            let mut params = good_params(spec.params, true);
            params[param.name] = Value::Null;
            let outcome = decode_spec(spec, &params);
            match outcome {
                Ok(_) => assert!(param.default.is_some(), "{}: {}", spec.urn, param.name),
                Err(refusal) => {
                    assert!(param.default.is_none(), "{}: {refusal}", spec.urn);
                    let expected = format!("params.{}: null, but it is mandatory", param.name);
                    assert_eq!(refusal.error_message, expected);
                }
            }
            params[param.name] = json!([[]]);
            match decode_spec(spec, &params) {
                Ok(_) => assert!(param.ignore, "{}: {}", spec.urn, param.name),
                Err(refusal) => assert!(
                    refusal.error_message.starts_with(&format!("params.{}", param.name))
                        && refusal.error_message.ends_with("is wanted"),
                    "{refusal}"
                ),
            }
        }
    }
}

/// Any JSON, often with a name or a value that some event knows.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(Value::from(ID)),
        Just(Value::from("{\"conversation_id\": 3}")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name =
            prop_oneof![Just("conversation_id".to_owned()), Just("message_nr".to_owned()), "[a-z_]{0,6}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// A param that is replaced by anything is either taken or refused by its name: the walk finds what the parser refused.
    #[test]
    fn a_mangled_param_is_taken_or_named(event in 0..162_usize, param in any::<prop::sample::Index>(), value in any_json()) {
        let spec = catalogue().nth(event).unwrap();
        prop_assume!(!spec.params.is_empty());
        let param = param.get(spec.params);
        let mut params = good_params(spec.params, true);
        params[param.name] = value;
        if let Err(refusal) = decode_spec(spec, &params) {
            prop_assert!(refusal.error_message.starts_with(&format!("params.{}", param.name)), "{refusal}");
        }
    }
}
