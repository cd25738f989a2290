//! The `conv` record of each kind of viewer.

use super::*;
use crate::account::label::SystemLabel;

fn numbers(record: &Value, keys: [&str; 10]) -> Vec<u64> {
    keys.iter().map(|key| record[key].as_u64().unwrap_or_else(|| panic!("{key} in {record}"))).collect()
}

const COUNTERS: [&str; 10] = [
    "last_message_nr",
    "show_message_nr",
    "last_inbox_nr",
    "join_message_nr",
    "send_message_nr",
    "read_message_nr",
    "read_inbox_nr",
    "unread_count",
    "inbox_message_nr",
    "inbox_time",
];

#[test]
fn a_header_has_each_members_own_numbers() {
    let state = conversation();
    let news = News::Header(UPDATE);
    let alice = told(&state, ALICE, &news).unwrap();
    assert_eq!(numbers(&alice, COUNTERS), [6, 6, 4, 1, 1, 6, 4, 0, 6, 1_006]);
    assert_eq!((&alice["profile_id"], &alice["is_mark_unread"]), (&json!(id(1)), &json!(false)));
    assert_eq!(alice["teams"], json!([id(0x7E)]));
    let bob = told(&state, BOB, &news).unwrap();
    assert_eq!(numbers(&bob, COUNTERS), [6, 6, 4, 1, 1, 0, 0, 4, 2, 1_006]);
    assert_eq!(bob.get("is_mark_unread"), None);
    assert_eq!(bob.as_object().unwrap().len(), 30, "key set U without the mark");
}

#[test]
fn an_ex_members_header_stands_still() {
    let charlie = told(&conversation(), CHARLIE, &News::Header(FULL)).unwrap();
    assert_eq!(numbers(&charlie, COUNTERS), [5, 5, 3, 1, 5, 5, 3, 0, 4, 1_004]);
    assert_eq!((&charlie["can_post"], &charlie["teams"]), (&json!(false), &json!([])));
    assert_eq!(charlie["last_message_time"], 1_005);
    assert_eq!((&charlie["members"], &charlie["leavers"]), (&json!([id(1), id(2)]), &json!([id(3)])));
}

#[test]
fn two_without_a_topic_are_a_dialog_and_carry_its_label() {
    let mut state = conversation();
    let alice = told(&state, ALICE, &News::Header(FULL)).unwrap();
    assert_eq!(alice["label_ids"], json!([SystemLabel::OneToOne.id(ALICE)]));
    assert_eq!((&alice["default_topic"], &alice["default_members"]), (&json!("Bob Brown"), &json!([id(2)])));
    let bob = told(&state, BOB, &News::Header(UPDATE)).unwrap();
    assert_eq!(bob["label_ids"], json!([SystemLabel::OneToOne.id(BOB)]), "his own label");
    let charlie = told(&state, CHARLIE, &News::Header(FULL)).unwrap();
    assert_eq!(charlie["label_ids"], json!([]), "an ex-member has no dialog");

    state.fold(&Change::Head(Head { topic: "Trip".to_owned(), ..head() }));
    let alice = told(&state, ALICE, &News::Header(FULL)).unwrap();
    assert_eq!((&alice["label_ids"], &alice["default_members"]), (&json!([]), &json!([])));
    assert_eq!(alice.get("default_topic"), None);
}

#[test]
fn three_without_a_topic_are_called_by_their_first_names_as_the_viewer_knows_them() {
    let mut state = conversation();
    state.fold(&Change::Member(CHARLIE, member("Charlie Chaplin", 2)));
    let alice = told(&state, ALICE, &News::Header(FULL)).unwrap();
    assert_eq!(alice["default_topic"], "Bob and Charlie");
    assert_eq!(alice["default_members"], json!([id(2), id(3)]));
    assert_eq!(alice["label_ids"], json!([]));

    let row = ContactRow { contact_name: Some("Sir Charles".to_owned()), ..ContactRow::default() };
    let book = [(CHARLIE, row)].into_iter().collect();
    let alice = told_with(&state, ALICE, &News::Header(FULL), &book).unwrap();
    assert_eq!(alice["default_topic"], "Bob and Sir");
}

#[test]
fn facts_follow_the_head_and_the_members() {
    let mut state = conversation();
    let organisation_id = OrganisationId(Uuid::from_u128(0x0F));
    state.fold(&Change::Head(Head {
        topic: "Trip".to_owned(),
        settings: Settings {
            mk_conv_type: ConvType::List,
            is_disclose: Some(true),
            organisation_id: Some(organisation_id),
            admins: vec![ALICE],
            ..Settings::default()
        },
        ..head()
    }));
    let mut guest = member("guest@example.org", 3);
    guest.profile.status = AccountStatus::New;
    guest.standing = Standing::Passive;
    guest.alert_level = AlertLevel::Passive;
    state.fold(&Change::Member(AccountId(Uuid::from_u128(4)), guest));

    let record = told(&state, ALICE, &News::Header(FULL)).unwrap();
    assert_eq!((&record["topic"], &record["mk_conv_type"]), (&json!("Trip"), &json!("cct_list")));
    assert_eq!((&record["is_list"], &record["is_managed"]), (&json!(true), &json!(true)));
    assert_eq!((&record["is_disclose"], record.get("is_autojoin")), (&json!(true), None));
    assert_eq!((&record["admins"], &record["organisation_id"]), (&json!([id(1)]), &json!(organisation_id)));
    assert_eq!((&record["guests"], &record["passive"]), (&json!([id(4)]), &json!([id(4)])));
    assert_eq!(
        (&record["has_email_subject"], &record["members"]),
        (&json!(true), &json!([id(1), id(2), id(4)]))
    );

    let guest = told(&state, AccountId(Uuid::from_u128(4)), &News::Header(UPDATE)).unwrap();
    assert_eq!((&guest["is_muted"], &guest["mk_alert_level"]), (&json!(true), &json!("passive")));
}

#[test]
fn an_init_header_has_links_edges_and_the_mode() {
    let header = Header { keys: Keys::Init(InitMode::Full), fw: Some(6), bw: Some(1), is_reset: true };
    let record = told(&conversation(), BOB, &News::Header(header)).unwrap();
    assert_eq!(record["autojoin_url"], "https://rill.example/chat/0000000000000000000000000000000c");
    let cmail = record["cmail"].as_str().unwrap();
    assert!(
        cmail.starts_with("conv.") && cmail.ends_with("@rill.example") && cmail.len() == 5 + 14 + 13,
        "{cmail}"
    );
    assert_eq!((&record["fw_message_nr"], &record["bw_message_nr"]), (&json!(6), &json!(1)));
    assert_eq!((&record["mk_init_mode"], &record["is_init"]), (&json!("ic_full"), &json!(true)));
    assert_eq!((&record["is_reset"], &record["begin_message_nr"]), (&json!(true), &json!(1)));
}

#[test]
fn labels_names_those_that_the_owner_sets_himself() {
    let mut state = conversation();
    let label_ids = vec![LabelId(Uuid::from_u128(0xB)), SystemLabel::Starred.id(BOB)];
    let label_names = Some(vec!["Work".to_owned(), "starred".to_owned()]);
    let bob = Member { label_ids: label_ids.clone(), label_names, ..member("Bob Brown", 1) };
    state.fold(&Change::Member(BOB, bob));
    let record = told(&state, BOB, &News::Header(FULL)).unwrap();
    assert_eq!(record["labels"], json!(["Work", "starred"]));
    assert_eq!(record["label_ids"], json!([label_ids[0], label_ids[1], SystemLabel::OneToOne.id(BOB)]));
}

#[test]
fn a_timed_snooze_mutes_until_its_alarm_has_rung() {
    let mut state = conversation();
    let snoozed = |snooze_time| Member { snooze_time, ..member("Bob Brown", 1) };
    state.fold(&Change::Member(BOB, snoozed(7)));
    assert!(view(&state, BOB, UPDATE).unwrap().is_muted);
    state.fold(&Change::Member(BOB, snoozed(0)));
    assert!(!view(&state, BOB, UPDATE).unwrap().is_muted);
}

#[test]
fn the_passive_are_named_in_the_order_in_which_they_came() {
    let mut state = conversation();
    let mut change = |nr: u128, place: u32, standing: Standing| {
        let row = Member { standing, ..member(&format!("Number {nr}"), place) };
        state.fold(&Change::Member(AccountId(Uuid::from_u128(nr)), row));
        told(&state, ALICE, &News::Header(UPDATE)).unwrap()["passive"].clone()
    };
    change(4, 5, Standing::Passive);
    assert_eq!(change(5, 4, Standing::Passive), json!([id(5), id(4)]));
    assert_eq!(change(5, 4, Standing::Active), json!([id(4)]), "who is active again is named no more");
    assert_eq!(change(4, 5, Standing::Left), json!([]));
}
