//! The numeric traces of conversations.md §2.4, step by step, with every number of their tables.

use rill_proto::classificator::{InitMode, MessageState};
use serde_json::json;

use crate::conversation::counters::Counters;
use crate::conversation::rules::Reach;
use crate::conversation::rules::replay::*;

/// The numbers that the tables have for a viewer.
macro_rules! shows {
    ($replay:expr, $who:expr, $($number:ident $value:expr),+ $(,)?) => {{
        let numbers: Counters = $replay.counters($who);
        $(assert_eq!(numbers.$number, $value, "{} of {:?}: {numbers:?}", stringify!($number), $who);)+
    }};
}

/// The first four rows of T1: the creation, three posts, and what Alice and Bob see of them.
fn t1_three_posts() -> Replay {
    let mut replay = Replay::nothing();
    let decision = replay.ask(ALICE, create("", &[BOB, CHARLIE])).unwrap();
    shows!(replay, ALICE, join 1, begin 1, send 1, read 1, show 1, inbox_message_nr 1, last 1, last_inbox 0);
    shows!(replay, ALICE, read_inbox 0, unread 0, is_mark_unread Some(false), can_post true);
    let init = "conv Init(Full) fw 1 bw 1";
    let answer = ["contact bob", "contact charlie", init, "message 1", "section", "section"];
    assert_eq!(lines(&decision.answer), answer);

    for text in ["one", "two", "three"] {
        replay.post(ALICE, text);
    }
    shows!(replay, ALICE, join 1, send 1, read 4, show 4, inbox_message_nr 4, last 4, last_inbox 3, unread 0);
    shows!(replay, ALICE, is_mark_unread Some(false));
    shows!(replay, BOB, join 1, begin 1, send 1, read 0, show 4, inbox_message_nr 2, last 4, last_inbox 3);
    shows!(replay, BOB, unread 3, is_mark_unread None);
    let poll = lines(&replay.catch_up(BOB, 0));
    assert!(poll.contains(&"conv Init(Full) fw 4 bw 1".to_owned()), "{poll:?}");

    replay.ask(BOB, mark_read(4, None, None)).unwrap();
    shows!(replay, BOB, join 1, send 1, read 4, show 4, inbox_message_nr 4, last 4, last_inbox 3, unread 0);
    shows!(replay, BOB, is_mark_unread Some(false));
    replay
}

#[test]
fn t1_three_posts_reading_unreading_leaving_and_coming_back() {
    let mut replay = t1_three_posts();
    replay.ask(CHARLIE, conv_mark_read(4, None, None)).unwrap();
    shows!(replay, CHARLIE, join 1, begin 1, send 1, read 4, show 4, inbox_message_nr 4, last 4, last_inbox 3);
    shows!(replay, CHARLIE, unread 0, is_mark_unread Some(false));
    let tiny = lines(&replay.conv_sync(CHARLIE, InitMode::Tiny).unwrap());
    assert!(tiny.contains(&"conv Init(Tiny) fw 4 bw 4".to_owned()), "{tiny:?}");

    replay.ask(CHARLIE, set_read(1, None, None)).unwrap();
    shows!(replay, CHARLIE, join 1, send 1, read 1, show 4, inbox_message_nr 2, last 4, last_inbox 3, unread 3);
    shows!(replay, CHARLIE, is_mark_unread Some(true));

    replay.ask(CHARLIE, leave()).unwrap();
    shows!(replay, CHARLIE, join 1, send 5, read 5, show 5, inbox_message_nr 4, last 5, last_inbox 3, unread 0);
    shows!(replay, CHARLIE, is_mark_unread Some(false), can_post false);
    assert_eq!(replay.message(5).inbox_nr, -3);
    assert_eq!(replay.message(5).message, "");

    assert_eq!(replay.post(ALICE, "without him"), 6);
    assert_eq!(replay.message(6).inbox_nr, 4);
    let horizon = replay.stamp;
    let decision = replay.ask(ALICE, add(&[CHARLIE])).unwrap();
    // While he was away, the other two had a conversation of two without a topic.
    let dialog_ends = ["alice dialog bob false", "bob dialog alice false"];
    assert_eq!(effects(&decision), [&["charlie joined by alice"], &dialog_ends[..]].concat());
    assert_eq!(replay.message(7).inbox_nr, -4);
    assert_eq!(replay.post(ALICE, "with him"), 8);
    assert_eq!(replay.message(8).inbox_nr, 5);
    shows!(replay, ALICE, join 1, send 1, read 8, show 8, inbox_message_nr 8, last 8, last_inbox 5, unread 0);
    shows!(replay, ALICE, is_mark_unread Some(false));
    shows!(replay, CHARLIE, join 1, begin 7, send 7, read 6, show 8, inbox_message_nr 8, last 8, last_inbox 5);
    shows!(replay, CHARLIE, unread 1, is_mark_unread Some(false), can_post true);

    let poll = lines(&replay.catch_up(CHARLIE, horizon));
    let messages =
        ["message 1", "message 2", "message 3", "message 4", "message 5", "message 7", "message 8"];
    let told: Vec<_> = poll.iter().filter(|line| line.starts_with("message")).collect();
    assert!(poll.contains(&"conv Init(Full) fw 8 bw 1".to_owned()), "{poll:?}");
    assert_eq!(told, messages, "slot 6 is not his");
}

#[test]
fn t2_mentions_follow_edits_and_deletion() {
    let mut replay = Replay::nothing();
    let (meg, ben) = (DON, BOB);
    replay.ask(ALICE, create("", &[])).unwrap();
    replay.ask(ALICE, add(&[meg, ben])).unwrap();
    assert_eq!(replay.body(1)["members"], json!([meg, ben]));
    assert_eq!(replay.post(ALICE, "@don"), 3);
    shows!(replay, meg, join 1, begin 1, send 1, read 0, show 3, inbox_message_nr 3, last 3, last_inbox 1);
    shows!(replay, meg, unread 1, my_message_nr Some(3));
    assert_eq!(replay.head().topic_message_nr, 2);
    let poll = lines(&replay.catch_up(meg, 0));
    assert!(poll.contains(&"conv Init(Full) fw 3 bw 1".to_owned()), "{poll:?}");

    replay.ask(ALICE, edit(3, "@bob")).unwrap();
    shows!(replay, ben, last 4, show 3, inbox_message_nr 3, unread 1, my_message_nr Some(3));
    shows!(replay, meg, my_message_nr Some(0));
    let poll = lines(&replay.catch_up(ben, 0));
    assert!(poll.contains(&"conv Init(Full) fw 4 bw 1".to_owned()), "{poll:?}");

    replay.ask(ALICE, delete(3)).unwrap();
    shows!(replay, ben, last 5, my_message_nr Some(0));
    let deleted = replay.message(3);
    assert_eq!((deleted.message.as_str(), deleted.state), ("", MessageState::Deleted));
    assert_eq!((deleted.inbox_nr, deleted.prev_message_nr), (1, 1));
}

#[test]
fn t3_an_addition_is_merged_and_a_removal_is_not() {
    let mut replay = Replay::with(&[]);
    let decision = replay.ask(ALICE, add(&[BOB])).unwrap();
    shows!(replay, ALICE, last 2, read 1, show 1);
    let create = replay.message(1);
    assert_eq!((create.message_nr, create.flow_message_nr), (1, Some(2)));
    assert_eq!(create.edit_account_id, Some(ALICE));
    assert_eq!(replay.body(1)["members"], json!([BOB]));
    assert_eq!(lines(&decision.answer), ["contact bob", "conv Full", "message 1 flow 2", "activity bob"]);
    shows!(replay, BOB, join 1);

    let decision = replay.ask(ALICE, remove(&[BOB])).unwrap();
    shows!(replay, ALICE, last 3, read 3, show 3);
    assert_eq!(replay.head().topic_message_nr, 2);
    assert_eq!(replay.present(), [ALICE]);
    assert!(!replay.counters(BOB).can_post);
    assert_eq!(lines(&decision.answer), ["conv Full", "message 3"]);
    let bob = told(&decision, Reach::Account(BOB));
    assert_eq!(bob, ["conv Init(Full) fw 3 bw 3 reset", "message 3"]);
    shows!(replay, BOB, send 3, last 3, show 3, read 0, can_post false);
}

#[test]
fn t3_whoever_is_alone_may_leave() {
    let mut replay = Replay::with(&[]);
    let decision = replay.ask(ALICE, leave()).unwrap();
    shows!(replay, ALICE, last 2, read 2, show 2, send 2, inbox_message_nr 1, can_post false);
    assert!(replay.present().is_empty());
    assert_eq!(lines(&decision.answer), ["conv Full", "message 2"]);
    assert_eq!(told(&decision, Reach::Own), ["conv Full", "message 2"]);
}

#[test]
fn t4_who_is_added_after_posts_begins_there() {
    let mut replay = Replay::with(&[]);
    for text in ["one", "two", "three"] {
        replay.post(ALICE, text);
    }
    replay.ask(ALICE, add(&[DON])).unwrap();
    assert_eq!(replay.message(5).inbox_nr, -3);
    shows!(replay, DON, join 5, begin 5, send 5, read 4, unread 0, inbox_message_nr 5, last 5, last_inbox 3);
    shows!(replay, ALICE, last 5, read 5, show 5, inbox_message_nr 4, last_inbox 3);
    replay.post(DON, "hello");
    replay.ask(ALICE, add(&[JIL])).unwrap();
    shows!(replay, JIL, join 7, begin 7, read 6, unread 0, inbox_message_nr 7);
}

#[test]
fn t10_a_topic_is_merged_into_the_creation() {
    let mut replay = Replay::with(&[]);
    replay.ask(ALICE, set_topic("Harvest")).unwrap();
    shows!(replay, ALICE, last 2, read 1, show 1, inbox_message_nr 1, unread 0);
    assert_eq!(replay.head().topic_message_nr, 2);
    assert_eq!(replay.head().topic, "Harvest");
    assert_eq!(replay.body(1)["topic"], "Harvest");
}

#[test]
fn t13_an_author_has_read_his_own_message() {
    let mut replay = Replay::with(&[BOB, CHARLIE]);
    replay.post(ALICE, "hello");
    shows!(replay, ALICE, inbox_message_nr 2, join 1, last 2, last_inbox 1, read 2, read_inbox 1, send 1, show 2);
    shows!(replay, ALICE, unread 0, is_mark_unread Some(false));
}

#[test]
fn times_are_those_of_the_messages_that_the_numbers_name() {
    let mut replay = Replay::with(&[BOB]);
    let created = replay.now;
    shows!(replay, BOB, inbox_time created, last_message_time created);
    replay.post(ALICE, "hello");
    let posted = replay.now;
    replay.ask(BOB, leave()).unwrap();
    let left = replay.now;
    replay.post(ALICE, "without him");
    shows!(replay, BOB, inbox_time posted, last_message_time left);
    shows!(replay, ALICE, inbox_time replay.now, last_message_time replay.now);
    replay.ask(ALICE, add(&[BOB])).unwrap();
    shows!(replay, BOB, inbox_time replay.now, inbox_message_nr 5);
}
