//! The JSON of the `conv` record, frozen: the exact key sets, explicit nulls, and the numbers of a documented trace.

use std::collections::BTreeSet;
use std::sync::Arc;

use rill_proto::classificator::{AlertLevel, ConvType, InitMode};
use rill_proto::id::{AccountId, ConversationId, LabelId, OrganisationId, TeamId};
use rill_proto::record::conv::{Facts, Full, Init, Links, Named, Pins, Shared, View};
use rill_proto::record::open;
use serde_json::{Value, json};
use uuid::Uuid;

/// Key set U (conversations.md §5.1).
const UPDATE: [&str; 31] = [
    "conversation_id",
    "export_files",
    "export_progress",
    "has_done_notifications",
    "has_pinboard",
    "has_task_archive",
    "has_taskboard",
    "inbox_message_nr",
    "inbox_time",
    "is_automute",
    "is_list",
    "is_mark_unread",
    "is_muted",
    "join_message_nr",
    "label_ids",
    "last_inbox_nr",
    "last_message_nr",
    "last_message_time",
    "mk_alert_level",
    "mk_rec_type",
    "passive",
    "pending",
    "profile_id",
    "read_inbox_nr",
    "read_message_nr",
    "send_message_nr",
    "show_message_nr",
    "snooze_interval",
    "snooze_time",
    "teams",
    "unread_count",
];

/// What key set F adds to U.
const FULL: [&str; 14] = [
    "admins",
    "can_post",
    "creator_id",
    "default_members",
    "guests",
    "has_email_subject",
    "is_managed",
    "is_premium",
    "leavers",
    "members",
    "mk_conv_type",
    "organisation_id",
    "topic",
    "topic_message_nr",
];

/// What key set N adds to F.
const INIT: [&str; 9] = [
    "autojoin_url",
    "begin_message_nr",
    "bw_message_nr",
    "cmail",
    "fw_message_nr",
    "is_full",
    "is_init",
    "is_tiny",
    "mk_init_mode",
];

fn account(nr: u128) -> AccountId {
    AccountId(Uuid::from_u128(nr))
}

fn conversation() -> ConversationId {
    ConversationId(Uuid::from_u128(0xC))
}

fn id(nr: u128) -> String {
    Uuid::from_u128(nr).to_string()
}

fn parse(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).expect("records are UTF-8");
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    for key in value.as_object().expect("a record is an object").keys() {
        assert_eq!(text.matches(&format!("\"{key}\":")).count(), 1, "{key} comes once in {text}");
    }
    value
}

fn keys(record: &Value) -> BTreeSet<&str> {
    record.as_object().expect("a record is an object").keys().map(String::as_str).collect()
}

fn shared_update() -> Shared<'static> {
    Shared {
        conversation_id: conversation(),
        has_done_notifications: false,
        has_pinboard: false,
        has_taskboard: false,
        has_task_archive: false,
        is_list: false,
        passive: vec![],
        pending: vec![],
        facts: None,
        links: None,
        pins: None,
    }
}

fn shared_full() -> Shared<'static> {
    let facts = Facts {
        topic: "",
        topic_message_nr: 1,
        creator_id: account(1),
        members: vec![account(1), account(2)],
        leavers: vec![],
        guests: vec![],
        admins: &[],
        mk_conv_type: ConvType::Default,
        has_email_subject: false,
        is_managed: false,
        is_premium: false,
        organisation_id: None,
        is_autojoin: None,
        is_disclose: None,
        is_url_preview_disabled: None,
        is_admin_write_only: None,
        default_call_room: None,
    };
    Shared { facts: Some(facts), ..shared_update() }
}

fn shared_init() -> Shared<'static> {
    let links = Links { autojoin_url: "https://host/chat/KEY".to_owned(), cmail: "conv.x@host".to_owned() };
    Shared { links: Some(links), ..shared_full() }
}

/// T13: the author's header after his one post.
fn author_after_one_post() -> View {
    View {
        profile_id: account(1),
        last_message_nr: 2,
        show_message_nr: 2,
        last_message_time: 1_500_000_000,
        last_inbox_nr: 1,
        join_message_nr: 1,
        send_message_nr: 1,
        read_message_nr: 2,
        read_inbox_nr: 1,
        unread_count: 0,
        inbox_message_nr: 2,
        inbox_time: 1_500_000_000,
        is_mark_unread: Some(false),
        mk_alert_level: AlertLevel::Default,
        is_muted: false,
        is_automute: false,
        snooze_interval: 0,
        snooze_time: 0,
        label_ids: vec![],
        teams: vec![],
        hide_message_nr: None,
        my_message_nr: None,
        delete_message_nr: None,
        disclose_message_nr: None,
        is_deleted: false,
        no_notifications: None,
        fw_message_nr: None,
        bw_message_nr: None,
        is_reset: false,
        full: None,
    }
}

fn names() -> Option<Arc<[Named]>> {
    let named = |nr, name: &str| Named { account_id: account(nr), display_name: name.to_owned() };
    Some(Arc::new([named(1, "Alice Adams"), named(2, "Bob \"B\" Brown")]))
}

fn full_view(named: Option<Arc<[Named]>>, mode: Option<InitMode>) -> View {
    let init = mode.map(|mode| Init { mode, begin_message_nr: 1 });
    let full = Full { can_post: true, named, labels: None, init };
    View { full: Some(Box::new(full)), ..author_after_one_post() }
}

fn written(shared: &Shared<'_>, view: &View) -> Value {
    let mut out = open(shared);
    view.write(|_| None, &mut out);
    parse(&out)
}

#[test]
fn conv_update_has_the_31_keys_and_the_numbers_of_t13() {
    let record = written(&shared_update(), &author_after_one_post());
    assert_eq!(keys(&record), UPDATE.into_iter().collect());
    assert_eq!(
        record,
        json!({
            "mk_rec_type": "conv", "conversation_id": id(0xC), "profile_id": id(1),
            "inbox_message_nr": 2, "join_message_nr": 1, "last_message_nr": 2, "last_inbox_nr": 1,
            "read_message_nr": 2, "read_inbox_nr": 1, "send_message_nr": 1, "show_message_nr": 2,
            "unread_count": 0, "is_mark_unread": false, "is_muted": false, "is_automute": false,
            "inbox_time": 1_500_000_000, "last_message_time": 1_500_000_000,
            "mk_alert_level": "default", "snooze_interval": 0, "snooze_time": 0,
            "label_ids": [], "teams": [], "passive": [], "pending": [],
            "export_files": [], "export_progress": "1",
            "has_done_notifications": false, "has_pinboard": false, "has_taskboard": false,
            "has_task_archive": false, "is_list": false,
        })
    );
}

#[test]
fn conv_update_leaves_out_is_mark_unread_until_the_member_has_acted() {
    let view = View { is_mark_unread: None, ..author_after_one_post() };
    let record = written(&shared_update(), &view);
    let expected: BTreeSet<&str> = UPDATE.into_iter().filter(|key| *key != "is_mark_unread").collect();
    assert_eq!(keys(&record), expected);
}

#[test]
fn conv_optional_fields_are_there_only_when_set() {
    let view = View {
        hide_message_nr: Some(0),
        my_message_nr: Some(3),
        delete_message_nr: Some(4),
        disclose_message_nr: Some(2),
        is_deleted: true,
        no_notifications: Some(false),
        fw_message_nr: Some(5),
        bw_message_nr: Some(1),
        is_reset: true,
        label_ids: vec![LabelId(Uuid::from_u128(7)), LabelId(Uuid::from_u128(8))],
        teams: vec![TeamId(Uuid::from_u128(9))],
        snooze_interval: -3,
        mk_alert_level: AlertLevel::UntilRead,
        ..author_after_one_post()
    };
    let record = written(&shared_update(), &view);
    assert_eq!(record["hide_message_nr"], 0);
    assert_eq!(record["my_message_nr"], 3);
    assert_eq!(record["delete_message_nr"], 4);
    assert_eq!(record["disclose_message_nr"], 2);
    assert_eq!((&record["is_deleted"], &record["no_notifications"]), (&json!(true), &json!(false)));
    assert_eq!(record["fw_message_nr"], 5);
    assert_eq!(record["bw_message_nr"], 1);
    assert_eq!(record["is_reset"], true);
    assert_eq!(record["label_ids"], json!([id(7), id(8)]));
    assert_eq!(record["teams"], json!([id(9)]));
    assert_eq!(record["snooze_interval"], -3);
    assert_eq!(record["mk_alert_level"], "until_read");
    assert_eq!(keys(&record).len(), UPDATE.len() + 9);
}

#[test]
fn conv_full_adds_the_facts_and_names_the_others_while_there_is_no_topic() {
    let record = written(&shared_full(), &full_view(names(), None));
    assert_eq!(keys(&record), UPDATE.into_iter().chain(FULL).chain(["default_topic"]).collect());
    assert_eq!(record["organisation_id"], Value::Null);
    assert_eq!(record["members"], json!([id(1), id(2)]));
    assert_eq!(record["default_members"], json!([id(2)]));
    assert_eq!(record["default_topic"], "Bob \"B\" Brown");
    assert_eq!(record["mk_conv_type"], "cct_default");
}

#[test]
fn conv_full_with_a_topic_has_no_default_topic_and_no_default_members() {
    let record = written(&shared_full(), &full_view(None, None));
    assert_eq!(keys(&record), UPDATE.into_iter().chain(FULL).collect());
    assert_eq!(record["default_members"], json!([]));
}

#[test]
fn conv_default_topic_has_the_name_that_the_viewer_gave() {
    let mut out = open(&shared_full());
    full_view(names(), None).write(|of| (of == account(2)).then_some("Bobby"), &mut out);
    assert_eq!(parse(&out)["default_topic"], "Bobby");
}

#[test]
fn conv_full_has_settings_and_labels_only_when_set() {
    let mut shared = shared_full();
    let facts = shared.facts.as_mut().unwrap();
    facts.is_autojoin = Some(true);
    facts.is_disclose = Some(true);
    facts.is_url_preview_disabled = Some(true);
    facts.is_admin_write_only = Some(true);
    facts.default_call_room = Some("Tea room");
    facts.organisation_id = Some(OrganisationId(Uuid::from_u128(5)));
    let mut view = full_view(names(), None);
    view.full.as_mut().unwrap().labels = Some(vec!["starred".to_owned()]);
    let record = written(&shared, &view);
    for key in ["is_autojoin", "is_disclose", "is_url_preview_disabled", "is_admin_write_only"] {
        assert_eq!(record[key], true, "{key}");
    }
    assert_eq!((&record["labels"], &record["default_call_room"]), (&json!(["starred"]), &json!("Tea room")));
    assert_eq!(record["organisation_id"], id(5));
}

#[test]
fn conv_init_full_adds_the_init_keys_and_two_nulls() {
    let view =
        View { fw_message_nr: Some(2), bw_message_nr: Some(1), ..full_view(None, Some(InitMode::Full)) };
    let record = written(&Shared { pins: Some(Pins::default()), ..shared_init() }, &view);
    let pins = ["pin_cursor", "pin_sync_state"];
    assert_eq!(keys(&record), UPDATE.into_iter().chain(FULL).chain(INIT).chain(pins).collect());
    assert_eq!(keys(&record).len(), 31 + 14 + 9 + 2);
    assert_eq!(record["pin_cursor"], Value::Null);
    assert_eq!(record["pin_sync_state"], Value::Null);
    assert_eq!(
        (&record["mk_init_mode"], &record["is_init"], &record["is_full"], &record["is_tiny"]),
        (&json!("ic_full"), &json!(true), &json!(true), &json!(false))
    );
}

#[test]
fn conv_init_header_says_no_edges_and_tiny_says_tiny() {
    let header = written(&shared_init(), &full_view(None, Some(InitMode::Header)));
    let edges = ["fw_message_nr", "bw_message_nr"];
    let expected = UPDATE.into_iter().chain(FULL).chain(INIT).filter(|key| !edges.contains(key));
    assert_eq!(keys(&header), expected.collect());
    assert_eq!((&header["is_tiny"], &header["is_full"]), (&json!(false), &json!(true)));

    let view =
        View { fw_message_nr: Some(2), bw_message_nr: Some(2), ..full_view(None, Some(InitMode::Tiny)) };
    let tiny = written(&shared_init(), &view);
    assert_eq!(keys(&tiny), UPDATE.into_iter().chain(FULL).chain(INIT).collect());
    assert_eq!((&tiny["is_tiny"], &tiny["is_init"]), (&json!(true), &json!(true)));
}
