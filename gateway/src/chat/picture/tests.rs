//! The merge rules, one test each.

use serde_json::json;
use uuid::Uuid;

use super::*;

const CONV: &str = "00000000-0000-0000-0000-0000000000c1";
const ME: &str = "00000000-0000-0000-0000-00000000000a";
const BOB: &str = "00000000-0000-0000-0000-00000000000b";

fn id(text: &str) -> AccountId {
    AccountId(Uuid::parse_str(text).unwrap())
}

fn conv_id() -> ConversationId {
    ConversationId(Uuid::parse_str(CONV).unwrap())
}

fn init() -> Value {
    json!({
        "mk_rec_type": "conv", "conversation_id": CONV, "is_init": true, "mk_init_mode": "ic_full", "topic": "",
        "default_topic": "Bob", "members": [ME, BOB], "can_post": true, "inbox_time": 10.5, "unread_count": 2,
        "last_message_nr": 3, "show_message_nr": 3, "join_message_nr": 1, "read_message_nr": 1, "fw_message_nr": 3,
        "bw_message_nr": 1,
    })
}

fn message(nr: u64, body: &str) -> Value {
    json!({
        "mk_rec_type": "message", "conversation_id": CONV, "message_nr": nr, "account_id": BOB, "message": body,
        "mk_message_type": "text", "mk_message_state": "urn:fleep:message:mk_message_state:plain",
        "posted_time": 1_500_000_000, "lock_account_id": null, "tags": [],
    })
}

fn activity(who: &str, fields: Value) -> Value {
    let mut record = json!({ "mk_rec_type": "activity", "conversation_id": CONV, "account_id": who });
    record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    record
}

struct Seen {
    picture: Picture,
    now: Instant,
}

impl Seen {
    fn after(records: &[Value]) -> Self {
        let mut seen = Self { picture: Picture::new(id(ME)), now: Instant::now() };
        records.iter().for_each(|record| seen.apply(record));
        seen
    }

    fn apply(&mut self, record: &Value) {
        self.picture.apply(record, self.now);
    }

    fn conv(&self) -> &Conversation {
        self.picture.conversation(conv_id()).unwrap()
    }
}

#[test]
fn a_record_that_comes_twice_stands_once() {
    let records = [init(), message(2, "<msg><p>a</p></msg>"), message(3, "b")];
    let mut seen = Seen::after(&records);
    let before = format!("{:?}", seen.conv());
    records[1..].iter().for_each(|record| seen.apply(record));
    assert_eq!(format!("{:?}", seen.conv()), before);
    assert_eq!(seen.conv().flow().map(|message| message.nr).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_missing_field_leaves_the_old_value() {
    let mut seen = Seen::after(&[init(), message(3, "text")]);
    seen.apply(&json!({ "mk_rec_type": "conv", "conversation_id": CONV, "unread_count": 0 }));
    seen.apply(&json!({
        "mk_rec_type": "message", "conversation_id": CONV, "message_nr": 3, "edited_time": 1_500_000_001,
    }));
    assert_eq!((seen.conv().unread_count, seen.conv().last_message_nr), (0, 3));
    assert_eq!(seen.picture.title(seen.conv()), "Bob");
    let message = &seen.conv().messages[&3];
    assert_eq!((message.body.as_str(), message.edited_time), ("text", Some(1_500_000_001)));
}

#[test]
fn an_init_starts_the_conversation_afresh() {
    let mut seen = Seen::after(&[init(), message(3, "b"), activity(BOB, json!({ "read_message_nr": 3 }))]);
    assert!(!seen.conv().is_partial);
    let mut header = init();
    header["mk_init_mode"] = json!("ic_header");
    seen.apply(&header);
    assert!(seen.conv().messages.is_empty() && seen.conv().activity.is_empty() && seen.conv().is_partial);
}

#[test]
fn a_deleted_message_keeps_its_place_and_loses_its_text() {
    let mut seen = Seen::after(&[init(), message(3, "b")]);
    seen.apply(&json!({
        "mk_rec_type": "message", "conversation_id": CONV, "message_nr": 3, "flow_message_nr": 4, "message": "",
        "mk_message_state": "urn:fleep:message:mk_message_state:deleted", "tags": ["is_deleted"],
    }));
    assert!(seen.conv().messages[&3].is_deleted() && seen.conv().messages[&3].body.is_empty());
}

#[test]
fn the_forward_edge_moves_over_slots_in_a_row_only() {
    let mut seen = Seen::after(&[init()]);
    let header =
        |last: u64| json!({ "mk_rec_type": "conv", "conversation_id": CONV, "last_message_nr": last });
    seen.apply(&header(4));
    assert_eq!(seen.conv().newer_from(), Some(3));
    let mut revision = message(2, "again");
    revision["flow_message_nr"] = json!(4);
    seen.apply(&revision);
    assert_eq!((seen.conv().fw, seen.conv().newer_from()), (Some(4), None));
    seen.apply(&header(6));
    seen.apply(&message(6, "past a hole"));
    assert_eq!(seen.conv().newer_from(), Some(4));
    assert_eq!(seen.conv().newest(), Some(6));
}

#[test]
fn older_messages_are_to_be_had_down_to_the_joining() {
    let mut seen = Seen::after(&[init()]);
    assert_eq!(seen.conv().older_from(), None);
    seen.apply(
        &json!({ "mk_rec_type": "conv", "conversation_id": CONV, "bw_message_nr": 7, "join_message_nr": 2 }),
    );
    assert_eq!(seen.conv().older_from(), Some(7));
}

#[test]
fn a_pen_ends_when_the_server_says_so_or_after_its_time_or_with_the_message() {
    let mut seen = Seen::after(&[init(), activity(BOB, json!({ "is_writing": true }))]);
    assert_eq!(seen.conv().writers(seen.now), [id(BOB)]);
    assert_eq!(seen.conv().writers(seen.now + PEN_LASTS), []);
    seen.apply(&activity(BOB, json!({ "is_writing": false })));
    assert_eq!(seen.conv().writers(seen.now), []);
    seen.apply(&activity(BOB, json!({ "is_writing": true })));
    seen.apply(&message(4, "said"));
    assert_eq!(seen.conv().writers(seen.now), []);
    seen.apply(&activity(BOB, json!({ "is_writing": true })));
    seen.picture.forget_fleeting();
    assert_eq!(seen.conv().writers(seen.now), []);
}

#[test]
fn ones_own_activity_is_not_shown_to_oneself() {
    let mine = activity(ME, json!({ "is_writing": true, "read_message_nr": 3 }));
    let seen = Seen::after(&[init(), message(3, "b"), mine]);
    assert_eq!(seen.conv().writers(seen.now), []);
    assert!(seen.conv().readers().is_empty());
}

#[test]
fn a_read_mark_stands_under_the_message_where_the_horizon_is() {
    let mut seen = Seen::after(&[init(), message(2, "a"), message(5, "b")]);
    assert!(seen.conv().readers().is_empty());
    for (horizon, under) in [(2, 2), (4, 2), (5, 5)] {
        seen.apply(&activity(BOB, json!({ "read_message_nr": horizon })));
        assert_eq!(seen.conv().readers(), BTreeMap::from([(under, vec![id(BOB)])]), "{horizon}");
    }
    // A pen says nothing about reading.
    seen.apply(&activity(BOB, json!({ "is_writing": true })));
    assert_eq!(seen.conv().readers().len(), 1);
    seen.apply(&json!({ "mk_rec_type": "conv", "conversation_id": CONV, "members": [ME] }));
    assert!(seen.conv().readers().is_empty(), "somebody who left");
}

#[test]
fn a_lock_comes_with_a_lock_record_or_a_message_and_goes_when_the_field_is_missing() {
    let mut seen = Seen::after(&[init(), message(3, "b")]);
    let lock =
        json!({ "mk_rec_type": "lock", "conversation_id": CONV, "message_nr": 3, "lock_account_id": BOB });
    let unlock = json!({ "mk_rec_type": "lock", "conversation_id": CONV, "message_nr": 3 });
    seen.apply(&lock);
    assert_eq!(seen.conv().messages[&3].locked_by, Some(id(BOB)));
    seen.apply(&unlock);
    assert_eq!(seen.conv().messages[&3].locked_by, None);
    seen.apply(&lock);
    seen.apply(&message(3, "b2"));
    assert_eq!(seen.conv().messages[&3].locked_by, None);
}

#[test]
fn the_list_is_newest_first_without_the_archived_and_the_deleted() {
    let mut seen = Seen::after(&[]);
    for (last, time) in [("1", 5.0), ("2", 7.25), ("3", 7.5)] {
        let conversation = format!("00000000-0000-0000-0000-00000000000{last}");
        seen.apply(&json!({
            "mk_rec_type": "conv", "conversation_id": conversation, "topic": last, "inbox_time": time,
            "show_message_nr": 4,
        }));
    }
    let titles = |seen: &Seen| {
        let list = seen.picture.list();
        list.into_iter().map(|conv| seen.picture.title(conv)).collect::<Vec<_>>()
    };
    assert_eq!(titles(&seen), ["3", "2", "1"]);
    let of = |last: &str, field: &str, value: Value| {
        let conversation = format!("00000000-0000-0000-0000-00000000000{last}");
        json!({ "mk_rec_type": "conv", "conversation_id": conversation, field: value })
    };
    seen.apply(&of("3", "hide_message_nr", json!(4)));
    seen.apply(&of("1", "is_deleted", json!(true)));
    assert_eq!(titles(&seen), ["2"]);
    seen.apply(&of("3", "show_message_nr", json!(5)));
    assert_eq!(titles(&seen), ["3", "2"]);
}

#[test]
fn names_come_from_contacts_and_an_unknown_one_is_the_start_of_its_id() {
    let mut seen = Seen::after(&[init()]);
    assert_eq!(seen.picture.name(id(BOB)), "00000000");
    seen.apply(&json!({ "mk_rec_type": "contact", "account_id": BOB, "display_name": "Bob" }));
    seen.apply(&json!({ "mk_rec_type": "contact", "account_id": BOB, "dialog_id": null }));
    assert_eq!(seen.picture.name(id(BOB)), "Bob");
}

#[test]
fn the_messages_kept_are_bounded_and_the_oldest_go() {
    let mut seen = Seen::after(&[init()]);
    for nr in 1..=MESSAGES_MAX as u64 + 5 {
        seen.apply(&message(nr, "x"));
    }
    assert_eq!(seen.conv().messages.len(), MESSAGES_MAX);
    assert_eq!(seen.conv().older_from(), Some(6));
    // What somebody scrolled to stays until something newer comes.
    seen.apply(&message(5, "x"));
    assert_eq!(seen.conv().messages.len(), MESSAGES_MAX + 1);
}

#[test]
fn odd_records_change_nothing() {
    let mut seen = Seen::after(&[init(), message(3, "b")]);
    let before = format!("{:?}", seen.picture);
    for odd in [
        json!(null),
        json!([]),
        json!("conv"),
        json!({}),
        json!({ "mk_rec_type": 5 }),
        json!({ "mk_rec_type": "moonwalk", "conversation_id": CONV }),
        json!({ "mk_rec_type": "conv" }),
        json!({ "mk_rec_type": "conv", "conversation_id": "no uuid" }),
        json!({ "mk_rec_type": "conv", "conversation_id": CONV, "members": 3, "topic": [], "unread_count": -1 }),
        json!({ "mk_rec_type": "message", "conversation_id": CONV }),
        json!({ "mk_rec_type": "message", "conversation_id": CONV, "message_nr": 0 }),
        json!({ "mk_rec_type": "message", "conversation_id": CONV, "message_nr": 3, "message": {}, "tags": 1 }),
        json!({ "mk_rec_type": "activity", "conversation_id": CONV }),
        json!({ "mk_rec_type": "lock", "conversation_id": CONV, "message_nr": 99, "lock_account_id": BOB }),
        json!({ "mk_rec_type": "contact", "account_id": BOB, "display_name": "" }),
    ] {
        seen.apply(&odd);
        assert_eq!(format!("{:?}", seen.picture), before, "{odd}");
    }
}
