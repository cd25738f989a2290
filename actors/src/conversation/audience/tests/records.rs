//! All other records: who may see them, and in which form.

use super::*;

#[test]
fn a_stranger_is_told_nothing() {
    let mut state = conversation();
    let section_id = SectionId(Uuid::from_u128(5));
    state.fold(&Change::Section(section_id, to_do()));
    for news in [
        News::Header(UPDATE),
        said(text(2), None),
        News::Activity(BOB),
        News::Contact(BOB),
        News::Section(section_id),
        News::Lock { message_nr: 2, holder: None },
    ] {
        assert!(!may_see(&state, STRANGER, &news), "{news:?}");
        assert!(piece(&encoded(&state, &news).unwrap(), &state, STRANGER).is_none(), "{news:?}");
    }
    assert_eq!(view(&state, STRANGER, FULL), None);
}

#[test]
fn a_conversation_that_does_not_exist_has_no_records() {
    let state = State::new(ConversationId(Uuid::from_u128(0xC)));
    assert!(encoded(&state, &News::Header(UPDATE)).is_none());
    assert!(encoded(&state, &News::Activity(BOB)).is_none());
    assert!(!may_see(&state, ALICE, &News::Header(UPDATE)));
}

#[test]
fn a_message_carries_its_lock_and_its_viewer() {
    let state = conversation();
    let record = told(&state, BOB, &said(text(2), None)).unwrap();
    assert_eq!((&record["profile_id"], &record["lock_account_id"]), (&json!(id(2)), &json!(id(2))));
    assert_eq!((record.get("flow_message_nr"), &record["tags"]), (None, &json!([])));
    let record = told(&state, ALICE, &said(text(3), Some(6))).unwrap();
    assert_eq!((&record["profile_id"], &record["lock_account_id"]), (&json!(id(1)), &Value::Null));
    assert_eq!(record["flow_message_nr"], 6);
}

#[test]
fn flow_message_nr_is_the_newss_and_not_the_rows() {
    let revised = Message { flow_message_nr: Some(5), ..text(2) };
    let record = told(&conversation(), ALICE, &said(revised, None)).unwrap();
    assert_eq!(record.get("flow_message_nr"), None);
}

#[test]
fn a_message_is_seen_within_the_spans_of_the_viewer() {
    let mut state = conversation();
    state.fold(&Change::Member(
        BOB,
        Member { begin_message_nr: 4, join_message_nr: 4, ..member("Bob Brown", 1) },
    ));
    let sees = |viewer, news: &News| told(&state, viewer, news).is_some();
    assert!(
        !sees(BOB, &said(text(3), None)) && sees(BOB, &said(text(4), None)),
        "from the message that added him"
    );
    assert!(sees(CHARLIE, &said(text(5), None)) && !sees(CHARLIE, &said(text(6), None)), "up to his leaving");
    assert!(
        sees(CHARLIE, &said(text(2), None)) && !sees(CHARLIE, &said(text(2), Some(6))),
        "no later revision"
    );
    let pinned = Message { state: MessageState::Pinned, ..text(6) };
    assert!(!sees(CHARLIE, &said(pinned, None)), "boards are closed to an ex-member");
    let pinned = Message { state: MessageState::Pinned, ..text(2) };
    assert!(sees(BOB, &said(pinned, None)), "and open to every present member");
}

#[test]
fn activity_is_of_others_and_for_present_members() {
    let state = conversation();
    let record = told(&state, ALICE, &News::Activity(BOB)).unwrap();
    assert_eq!(
        record,
        json!({
            "mk_rec_type": "activity", "conversation_id": id(0xC), "account_id": id(2),
            "join_message_nr": 1, "is_writing": true,
        })
    );
    let record = told(&state, BOB, &News::Activity(ALICE)).unwrap();
    assert_eq!((&record["is_writing"], &record["read_message_nr"]), (&json!(false), &json!(6)));
    let mut unread = conversation();
    unread.members.get_mut(&ALICE).unwrap().shown_read_nr = Some(9);
    let record = told(&unread, BOB, &News::Activity(ALICE)).unwrap();
    assert_eq!(record["read_message_nr"], 9, "what the others knew before she moved it back");
    assert_eq!(told(&state, BOB, &News::Activity(BOB)), None, "not one's own");
    assert_eq!(told(&state, CHARLIE, &News::Activity(BOB)), None, "not for an ex-member");
}

#[test]
fn a_contact_has_the_viewers_name_and_list_fields() {
    let state = conversation();
    let record = told(&state, ALICE, &News::Contact(BOB)).unwrap();
    assert_eq!(
        record,
        json!({
            "mk_rec_type": "contact", "account_id": id(2), "display_name": "Bob Brown",
            "email": "bob.brown@example.org", "fleep_address": "bob brown", "mk_account_status": "active",
            "organisation_id": null, "dialog_id": null, "is_hidden_for_add": false, "sort_rank": 0,
        })
    );
    let row = ContactRow {
        contact_name: Some("Bobby".to_owned()),
        dialog_id: Some(state.conversation_id),
        sort_rank: 4,
        ..ContactRow::default()
    };
    let book = [(BOB, row)].into_iter().collect();
    let record = told_with(&state, ALICE, &News::Contact(BOB), &book).unwrap();
    assert_eq!((&record["display_name"], &record["full_name"]), (&json!("Bobby"), &json!("Bob Brown")));
    assert_eq!((&record["dialog_id"], &record["sort_rank"]), (&json!(id(0xC)), &json!(4)));
    assert!(told(&state, CHARLIE, &News::Contact(BOB)).is_some(), "an ex-member still knows him");
    assert_eq!(told(&state, BOB, &News::Contact(BOB)), None, "nobody is his own contact");
}

#[test]
fn sections_and_locks_are_for_present_members() {
    let mut state = conversation();
    let section_id = SectionId(Uuid::from_u128(5));
    assert!(encoded(&state, &News::Section(section_id)).is_none());
    state.fold(&Change::Section(section_id, to_do()));
    let record = told(&state, BOB, &News::Section(section_id)).unwrap();
    assert_eq!((&record["name"], &record["weight"]), (&json!("To Do"), &json!(4_294_967_296_u64)));
    assert_eq!(record["mk_section_subtype"], "urn:fleep:section:mk_section_subtype:default");
    assert_eq!(told(&state, CHARLIE, &News::Section(section_id)), None);

    let lock = News::Lock { message_nr: 2, holder: Some(ALICE) };
    let record = told(&state, BOB, &lock).unwrap();
    assert_eq!((&record["message_nr"], &record["lock_account_id"]), (&json!(2), &json!(id(1))));
    assert_eq!(told(&state, CHARLIE, &lock), None);
    let free = told(&state, BOB, &News::Lock { message_nr: 2, holder: None }).unwrap();
    assert_eq!(free["lock_account_id"], Value::Null);
}

#[test]
fn a_batch_is_encoded_once_and_shared() {
    let state = conversation();
    let template = encoded(&state, &News::Header(UPDATE)).unwrap();
    let (Some(Piece::Conv { shared: one, .. }), Some(Piece::Conv { shared: other, .. })) =
        (piece(&template, &state, ALICE), piece(&template, &state, BOB))
    else {
        panic!("two headers");
    };
    assert_eq!(one.as_ptr(), other.as_ptr());
}
