//! The merge rules, and one doctored stream for each kind of violation.

use super::*;

const C: &str = "c0";
const ME: &str = "a0";

fn record(value: Value) -> Record {
    value.as_object().cloned().unwrap()
}

fn conv(fields: Value) -> Record {
    let mut conv =
        record(json!({"mk_rec_type": "conv", "conversation_id": C, "profile_id": ME, "join_message_nr": 1}));
    conv.extend(record(fields));
    conv
}

/// A message that is the `nr`th of a conversation with a create message and then one text after the other.
fn message(nr: u64) -> Record {
    let (inbox, kind) = if nr == 1 { (0, "create") } else { (nr - 1, "text") };
    record(json!({
        "mk_rec_type": "message", "conversation_id": C, "message_nr": nr, "prev_message_nr": nr - 1, "inbox_nr": inbox,
        "mk_message_type": kind, "account_id": ME, "posted_time": 1000 + nr, "message": format!("text {nr}"), "tags": [],
    }))
}

fn revision(nr: u64, slot: u64, text: &str) -> Record {
    let mut revision = message(nr);
    revision.insert("flow_message_nr".into(), slot.into());
    revision.insert("message".into(), text.into());
    revision
}

fn created() -> Picture {
    let mut picture = Picture::at(0);
    let init = conv(json!({
        "is_init": true, "mk_init_mode": "ic_full", "fw_message_nr": 1, "bw_message_nr": 1, "last_message_nr": 1,
        "show_message_nr": 1, "read_message_nr": 1, "unread_count": 0, "can_post": true,
    }));
    picture.apply_frame(&[init, message(1)], Some(10));
    picture
}

fn header(last: u64, show: u64, read: u64, unread: u64) -> Record {
    conv(
        json!({"last_message_nr": last, "show_message_nr": show, "read_message_nr": read, "unread_count": unread}),
    )
}

/// The verdict without the unread count, for streams that bring no header after their messages.
fn verdict(picture: &Picture) -> Vec<Violation> {
    picture.verify().into_iter().filter(|violation| !matches!(violation, Violation::Unread { .. })).collect()
}

fn gap(from: u64, to: u64) -> Violation {
    Violation::Gap { conversation_id: C.into(), from, to }
}

#[test]
fn a_live_stream_without_fault_is_acquitted() {
    let mut picture = created();
    picture.apply_frame(&[header(2, 2, 1, 1), message(2)], Some(11));
    picture.apply_frame(&[header(3, 2, 1, 1), revision(2, 3, "edited")], Some(12));
    picture.apply_frame(
        &[header(4, 4, 1, 2), {
            let mut m = message(4);
            m["prev_message_nr"] = 2.into();
            m
        }],
        Some(13),
    );
    assert_eq!(picture.verify(), []);
    assert_eq!(text(picture.message(C, 2).unwrap(), "message"), "edited");
    assert_eq!(picture.horizon(), 13);
}

#[test]
fn a_record_twice_is_harmless() {
    let mut picture = created();
    for _ in 0..2 {
        picture.apply_frame(&[header(2, 2, 1, 1), message(2)], Some(11));
        picture.apply_frame(&[header(3, 2, 1, 1), revision(2, 3, "edited")], Some(12));
    }
    picture.violations.retain(|violation| !matches!(violation, Violation::HorizonFell { .. }));
    assert_eq!(picture.verify(), []);
}

#[test]
fn a_skipped_slot_is_a_gap() {
    let mut picture = created();
    picture.apply_frame(&[message(2), message(5)], Some(11));
    assert!(picture.verify().contains(&gap(3, 4)));
}

#[test]
fn a_slot_that_only_the_header_knows_is_a_gap() {
    let mut picture = created();
    picture.apply_frame(&[header(3, 3, 1, 2), message(2)], Some(11));
    assert!(picture.verify().contains(&gap(3, 3)));
}

#[test]
fn a_gap_that_a_header_shows_is_none() {
    let mut picture = created();
    let shown =
        conv(json!({"fw_message_nr": 1, "last_message_nr": 40, "show_message_nr": 40, "read_message_nr": 1}));
    picture.apply_frame(&[shown], Some(11));
    picture.apply_frame(&[message(41)], Some(12));
    assert_eq!(picture.verify(), []);
}

#[test]
fn superseded_revisions_may_be_jumped_by_the_header_of_the_same_batch_only() {
    let mut jumped = created();
    jumped.apply_frame(&[message(2)], Some(11));
    let mut stuck = jumped.clone();
    let jump = conv(json!({"fw_message_nr": 4, "last_message_nr": 4, "show_message_nr": 2}));
    jumped.apply_frame(&[revision(2, 4, "twice edited"), jump.clone()], Some(12));
    assert_eq!(verdict(&jumped), []);
    stuck.apply_frame(&[revision(2, 4, "twice edited")], Some(12));
    stuck.apply_frame(&[jump], Some(13));
    assert!(verdict(&stuck).contains(&gap(3, 3)));
}

/// Slot 3 was announced and did not come, slot 4 did.
fn with_an_unseen_slot() -> Picture {
    let mut picture = created();
    picture.apply_frame(&[header(2, 2, 1, 1), message(2)], Some(11));
    picture.apply_frame(&[header(3, 2, 1, 1)], Some(12));
    let four = message_behind(4, 2);
    picture.apply_frame(&[header(4, 4, 1, 2), four], Some(13));
    picture
}

fn message_behind(nr: u64, before: u64) -> Record {
    let mut record = message(nr);
    record.insert("prev_message_nr".into(), before.into());
    record
}

#[test]
fn an_announced_slot_that_does_not_come_is_a_gap_until_a_load_passes_it() {
    let mut picture = with_an_unseen_slot();
    assert!(verdict(&picture).contains(&gap(3, 3)));
    let loaded = conv(json!({"fw_message_nr": 4, "last_message_nr": 4, "show_message_nr": 4}));
    picture.apply_frame(&[loaded, message_behind(4, 2)], Some(14));
    assert_eq!(verdict(&picture), [], "it was a slot of something that the viewer may not see");
}

#[test]
fn a_load_that_overtook_the_poll_passes_the_last_slot_as_well() {
    let mut picture = created();
    picture.apply_frame(&[header(2, 2, 1, 1), message(2)], Some(11));
    picture.apply_frame(&[header(3, 2, 1, 1)], Some(12));
    assert_eq!(verdict(&picture), [gap(3, 3)]);
    picture.apply_ahead(&[conv(json!({"fw_message_nr": 3, "last_message_nr": 3, "show_message_nr": 2}))]);
    assert_eq!(verdict(&picture), []);
}

#[test]
fn an_announced_slot_that_a_load_brings_was_lost() {
    let mut picture = with_an_unseen_slot();
    let loaded = conv(json!({"fw_message_nr": 4, "last_message_nr": 4, "show_message_nr": 4}));
    picture.apply_frame(&[loaded, revision(2, 3, "edited"), message_behind(4, 2)], Some(14));
    assert!(verdict(&picture).contains(&gap(3, 3)));
}

#[test]
fn a_sync_may_replay_behind_the_news_and_shows_messages_as_they_are() {
    let mut picture = created();
    picture.apply_frame(&[message(2)], Some(11));
    picture.begin_connection();
    let mut edited = message(2);
    edited.insert("message".into(), "<msg><p>edited</p></msg>".into());
    picture.apply_frame(
        &[revision(2, 4, "edited"), edited, message_behind(3, 2), revision(2, 4, "edited")],
        Some(12),
    );
    assert_eq!(verdict(&picture), []);
}

#[test]
fn the_tiny_form_holds_nothing_but_the_inbox_message() {
    let mut picture = created();
    let tiny = json!({"is_init": true, "is_tiny": true, "fw_message_nr": 9, "bw_message_nr": 4, "last_message_nr": 9,
        "show_message_nr": 9, "read_message_nr": 3, "unread_count": 6});
    picture.apply_frame(&[conv(tiny), message(4)], Some(11));
    assert_eq!(picture.verify(), []);
    assert_eq!(picture.next_load(C).map(|(urn, _)| urn), Some("conv:sync_initial"));
}

#[test]
fn a_late_slot_is_a_reorder() {
    let mut across_frames = created();
    across_frames.apply_frame(&[message(3)], Some(11));
    across_frames.apply_frame(&[message(2)], Some(12));
    let late = Violation::Reordered { conversation_id: C.into(), slot: 2 };
    assert!(across_frames.verify().contains(&late));
    let mut within_a_frame = created();
    within_a_frame.apply_frame(&[message(3), message(2)], Some(11));
    assert_eq!(within_a_frame.verify(), [late]);
}

#[test]
fn one_number_for_two_contents_is_a_double() {
    let mut picture = created();
    picture.apply_frame(&[message(2)], Some(11));
    let mut another_text = picture.clone();
    let mut again = message(2);
    again["message"] = "something else".into();
    another_text.apply_frame(&[again], Some(12));
    let double = |is_same_slot| Violation::Doubled { conversation_id: C.into(), message_nr: 2, is_same_slot };
    assert_eq!(verdict(&another_text), [double(true)]);

    let mut another_author = picture.clone();
    let mut stolen = revision(2, 3, "edited");
    stolen["account_id"] = "a1".into();
    another_author.apply_frame(&[stolen], Some(12));
    assert_eq!(verdict(&another_author), [double(false)]);

    picture.apply_frame(&[revision(2, 3, "edited")], Some(12));
    picture.apply_frame(&[revision(2, 3, "edited otherwise")], Some(13));
    assert_eq!(verdict(&picture), [double(true)]);
}

#[test]
fn a_slot_that_comes_again_says_what_its_last_revision_says() {
    let mut picture = created();
    picture.apply_frame(&[message(2)], Some(11));
    picture.apply_frame(&[revision(2, 3, "edited")], Some(12));
    let mut replayed = message(2);
    replayed["message"] = "edited again".into();
    picture.apply_frame(&[replayed, revision(2, 3, "edited again")], Some(13));
    let double = Violation::Doubled { conversation_id: C.into(), message_nr: 2, is_same_slot: true };
    assert_eq!(verdict(&picture), [double], "no revision says so");
    picture.apply_frame(&[revision(2, 4, "edited again")], Some(14));
    assert_eq!(verdict(&picture), []);
}

#[test]
fn a_falling_horizon_is_convicted() {
    let mut picture = created();
    picture.apply_frame(&[], Some(9));
    assert_eq!(picture.verify(), [Violation::HorizonFell { from: 10, to: 9 }]);
    let mut moved = created();
    moved.begin_connection();
    moved.apply_frame(&[], Some(9));
    assert_eq!(moved.verify(), []);
    let mut initial = Picture::at(0);
    for chunk in [-1, -2, 40] {
        initial.apply_frame(&[], Some(chunk));
    }
    assert_eq!(initial.verify(), []);
}

#[test]
fn a_wrong_unread_count_is_convicted() {
    let mut picture = created();
    picture.apply_frame(&[header(3, 3, 1, 1), message(2), message(3)], Some(11));
    assert_eq!(picture.verify(), [Violation::Unread { conversation_id: C.into(), said: 1, counted: 2 }]);
    picture.apply_frame(&[header(3, 3, 2, 1)], Some(12));
    assert_eq!(picture.verify(), []);
}

#[test]
fn a_missing_message_is_seen_by_its_neighbour_and_by_the_header() {
    let missing = Violation::Missing { conversation_id: C.into(), message_nr: 2 };
    let mut picture = created();
    // The slot was taken, but by another message's revision; nothing brought message 2.
    picture.apply_frame(&[revision(1, 2, "x"), message(3)], Some(11));
    assert_eq!(verdict(&picture), std::slice::from_ref(&missing));
    let mut picture = created();
    picture.apply_frame(&[header(2, 2, 2, 0), revision(1, 2, "x")], Some(11));
    assert_eq!(verdict(&picture), [missing]);
}

#[test]
fn records_merge_key_by_key_and_an_init_drops_the_messages() {
    let mut picture = created();
    picture.apply_frame(&[message(2), conv(json!({"topic": "tea"}))], None);
    assert_eq!(text(picture.conv(C).unwrap(), "topic"), "tea");
    assert_eq!(number(picture.conv(C).unwrap(), "read_message_nr"), Some(1));
    let both_ends = conv(json!({"fw_message_nr": 9, "bw_message_nr": 9, "last_message_nr": 9}));
    picture.apply_frame(&[both_ends, message(9)], None);
    assert_eq!(picture.messages(C).count(), 1);
    assert_eq!(text(picture.conv(C).unwrap(), "topic"), "tea");
}

#[test]
fn a_missing_lock_owner_means_unlocked() {
    let mut picture = created();
    let owner = |picture: &Picture| picture.message(C, 1).unwrap()["lock_account_id"].clone();
    let lock = |owner: Value| {
        let mut lock = record(json!({"mk_rec_type": "lock", "conversation_id": C, "message_nr": 1}));
        lock.extend(owner.as_object().cloned().unwrap());
        lock
    };
    picture.apply(&lock(json!({"lock_account_id": "a1"})));
    assert_eq!(owner(&picture), "a1");
    picture.apply(&lock(json!({})));
    assert_eq!(owner(&picture), Value::Null);
    picture.apply(&lock(json!({"lock_account_id": "a1"})));
    picture.apply(&message(1));
    assert_eq!(owner(&picture), Value::Null);
}

#[test]
fn a_deleted_conversation_and_a_removed_label_vanish() {
    let mut picture = created();
    picture.apply(&record(json!({"mk_rec_type": "label", "label_id": "l", "label": "x"})));
    picture.apply(&record(json!({"mk_rec_type": "label", "label_id": "l", "mk_label_status": "removed"})));
    picture.apply(&conv(json!({"is_deleted": true})));
    assert_eq!(picture.conversation_ids(), Vec::<String>::new());
    assert_eq!(picture.messages(C).count(), 0);
    assert_eq!(picture.records("label").count(), 0);
}

#[test]
fn an_answer_that_overtakes_the_poll_is_no_gap() {
    let mut picture = created();
    picture.apply_ahead(&[header(3, 3, 3, 0), message(3)]);
    picture.apply_frame(&[message(2), message(3), header(3, 3, 3, 0)], Some(11));
    assert_eq!(picture.verify(), []);
}

#[test]
fn pictures_differ_by_state_and_by_nothing_else() {
    let activity = |fields: Value| {
        let mut activity =
            record(json!({"mk_rec_type": "activity", "conversation_id": C, "account_id": "a1"}));
        activity.extend(record(fields));
        activity
    };
    let mut lived = created();
    lived.apply_frame(&[header(2, 2, 1, 1), message(2), conv(json!({"label_ids": ["x", "y"]}))], Some(11));
    lived.apply_frame(&[header(3, 2, 1, 1), revision(2, 3, "edited")], Some(12));
    lived.apply(&activity(json!({"is_writing": true})));
    lived.apply(&record(
        json!({"mk_rec_type": "lock", "conversation_id": C, "message_nr": 1, "lock_account_id": "a1"}),
    ));

    let mut fresh = Picture::at(0);
    let mut edited = message(2);
    edited["message"] = "edited".into();
    let mut init = header(3, 2, 1, 1);
    init.extend(record(json!({
        "is_init": true, "mk_init_mode": "ic_header", "fw_message_nr": 3, "bw_message_nr": 1, "can_post": true,
        "label_ids": ["y", "x"], "topic": "",
    })));
    fresh.apply_frame(&[init, message(1), edited], Some(12));
    assert_eq!(lived.difference(&fresh), Vec::<String>::new());

    fresh.apply(&activity(json!({"read_message_nr": 2})));
    fresh.apply(&conv(json!({"topic": "tea", "read_message_nr": 2})));
    let mut lines = lived.difference(&fresh);
    lines.sort();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].contains("activity") && lines[1].contains("read_message_nr") && lines[2].contains("topic"),
        "{lines:?}"
    );
}
