//! The screen as lines of text.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use rill_proto::id::AccountId;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

use super::*;
use crate::chat::input::Action;

const ME: &str = "00000000-0000-0000-0000-00000000000a";
const BOB: &str = "00000000-0000-0000-0000-00000000000b";
const CONV: &str = "00000000-0000-0000-0000-0000000000c1";

struct Shown {
    desk: Desk,
    picture: Picture,
    now: Instant,
}

impl Shown {
    fn new(records: &[Value]) -> Self {
        let now = Instant::now();
        let mut picture = Picture::new(AccountId(Uuid::parse_str(ME).unwrap()));
        records.iter().for_each(|record| picture.apply(record, now));
        let mut desk = Desk::new();
        desk.link_changed(Link::Live);
        desk.tick(&picture, now);
        let ids: Vec<_> = desk.take_out().into_iter().map(|outgoing| outgoing.id).collect();
        desk.given_up(&ids, "");
        Self { desk, picture, now }
    }

    fn lines(&mut self, columns: u16, rows: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        let mut drawn = Drawn::default();
        terminal.draw(|frame| drawn = draw(frame, &self.desk, &self.picture, self.now)).unwrap();
        self.desk.drawn(drawn);
        let buffer = terminal.backend().buffer();
        let row = |y| (0..columns).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..rows).map(|y| row(y).trim_end().to_owned()).collect()
    }

    fn act(&mut self, action: Action) {
        assert!(self.desk.act(action, &self.picture, self.now));
    }
}

fn conv(topic: &str) -> Value {
    json!({
        "mk_rec_type": "conv", "conversation_id": CONV, "is_init": true, "mk_init_mode": "ic_full", "topic": topic,
        "members": [ME, BOB], "can_post": true, "inbox_time": 1, "unread_count": 2, "last_message_nr": 4,
        "show_message_nr": 4, "join_message_nr": 1, "read_message_nr": 4, "fw_message_nr": 4, "bw_message_nr": 1,
    })
}

fn message(nr: u64, author: &str, state: &str, body: &str) -> Value {
    json!({
        "mk_rec_type": "message", "conversation_id": CONV, "message_nr": nr, "account_id": author, "message": body,
        "mk_message_type": if state == "system" { "create" } else { "text" },
        "mk_message_state": format!("urn:fleep:message:mk_message_state:{state}"),
        "posted_time": 1_500_000_000 + nr * 60, "tags": [],
    })
}

fn a_talk() -> Vec<Value> {
    let mut edited = message(3, ME, "plain", "<msg><p>Yes, and it is a rather long text</p></msg>");
    edited["edited_time"] = json!(1_500_000_999);
    let mut locked = message(2, BOB, "plain", "<msg><p>Lunch?</p></msg>");
    locked["lock_account_id"] = json!(BOB);
    vec![
        json!({ "mk_rec_type": "contact", "account_id": ME, "display_name": "Ann" }),
        json!({ "mk_rec_type": "contact", "account_id": BOB, "display_name": "Bob" }),
        conv("Lunch"),
        message(1, ME, "system", &json!({ "members": [BOB], "topic": "Lunch" }).to_string()),
        locked,
        edited,
        message(4, BOB, "deleted", ""),
        json!({
            "mk_rec_type": "activity", "conversation_id": CONV, "account_id": BOB, "is_writing": true,
            "read_message_nr": 3,
        }),
    ]
}

#[test]
fn a_talk_is_shown_with_its_marks_its_lock_its_readers_and_its_pen() {
    let mut shown = Shown::new(&a_talk());
    shown.desk.event_horizon = 17;
    assert_eq!(
        shown.lines(60, 18),
        [
            "┌ Conversations ───┐┌ Lunch · 2 members ───────────────────┐",
            "│Lunch            2││── 14 July 2017 ──                    │",
            "│                  ││    1 Ann started the conversation    │",
            "│                  ││      with Bob: “Lunch”. 02:41        │",
            "│                  ││    2 Bob 02:42 ✎ Bob is editing this │",
            "│                  ││      Lunch?                          │",
            "│                  ││    3 Ann 02:43 (edited)              │",
            "│                  ││      Yes, and it is a rather long    │",
            "│                  ││      text                            │",
            "│                  ││      ✓ Bob                           │",
            "│                  ││    4 Bob 02:44 (deleted)             │",
            "│                  ││                                      │",
            "│                  ││Bob is writing…                       │",
            "└──────────────────┘└──────────────────────────────────────┘",
            "┌ Message ─────────────────────────────────────────────────┐",
            "│                                                          │",
            "└──────────────────────────────────────────────────────────┘",
            "connected · horizon 17",
        ]
    );
}

#[test]
fn the_pen_vanishes_by_itself() {
    let mut shown = Shown::new(&a_talk());
    assert!(shown.lines(60, 18).concat().contains("Bob is writing…"));
    shown.now += Duration::from_secs(30);
    assert!(!shown.lines(60, 18).concat().contains("writing"));
}

#[test]
fn the_newest_rows_are_shown_and_a_page_up_shows_the_ones_before() {
    let texts = (1..=30).map(|nr| message(nr, BOB, "plain", &format!("<msg><p>text {nr}</p></msg>")));
    let mut shown = Shown::new(&[vec![conv("Long")], texts.collect()].concat());
    let screen = shown.lines(60, 14).concat();
    assert!(screen.contains("text 30") && !screen.contains("text 20"));
    for _ in 0..3 {
        shown.act(Action::PageUp);
        shown.lines(60, 14);
    }
    let screen = shown.lines(60, 14).concat();
    assert!(screen.contains("text 21") && !screen.contains("text 30"), "{screen}");
    for _ in 0..20 {
        shown.act(Action::PageUp);
        shown.lines(60, 14);
    }
    let screen = shown.lines(60, 14).concat();
    assert!(screen.contains("14 July 2017") && screen.contains("text 1 "), "{screen}");
    shown.act(Action::Escape);
    assert!(shown.lines(60, 14).concat().contains("text 30"));
}

#[test]
fn a_marked_message_comes_into_sight() {
    let texts = (1..=30).map(|nr| message(nr, BOB, "plain", &format!("<msg><p>text {nr}</p></msg>")));
    let mut shown = Shown::new(&[vec![conv("Long")], texts.collect()].concat());
    for _ in 0..12 {
        shown.lines(60, 14);
        shown.act(Action::SelectOlder);
    }
    assert_eq!(shown.desk.selected, Some(19));
    assert!(shown.lines(60, 14).concat().contains("text 19"));
}

#[test]
fn the_status_names_the_wait_and_the_refusal() {
    let mut shown = Shown::new(&a_talk());
    shown
        .desk
        .link_changed(Link::Waiting(shown.now + Duration::from_millis(2100), "1012 draining".to_owned()));
    shown.desk.notice = "Refused: no.".to_owned();
    let status = shown.lines(90, 12).pop().unwrap();
    assert_eq!(status, "reconnecting in 3 s (1012 draining) · horizon 0 · Refused: no.");
}

#[test]
fn a_question_and_an_edit_say_what_the_line_is_for() {
    let mut shown = Shown::new(&a_talk());
    shown.act(Action::EditOlder);
    let screen = shown.lines(70, 18);
    assert!(screen[14].contains("Editing message 3"), "{screen:#?}");
    assert!(screen[15].contains("Yes, and it is a rather long text"));
    shown.act(Action::DeleteMessage);
    assert!(shown.lines(70, 18)[14].contains("Delete message 3?"));
}

#[test]
fn the_input_grows_and_then_scrolls_with_the_cursor() {
    let mut shown = Shown::new(&a_talk());
    shown.act(Action::Paste((1..=9).map(|nr| format!("row {nr}\n")).collect()));
    shown.act(Action::Type('x'));
    let screen = shown.lines(60, 20);
    assert!(screen[13].contains("row 6") && screen[17].starts_with("│x"), "{screen:#?}");
}

#[test]
fn the_keys_are_shown_over_everything() {
    let mut shown = Shown::new(&[]);
    assert!(shown.lines(80, 24).concat().contains("No conversation yet"));
    shown.act(Action::Help);
    let screen = shown.lines(80, 24).concat();
    assert!(KEYS.iter().all(|(key, _)| screen.contains(key)));
}

#[test]
fn a_text_that_is_not_confirmed_yet_stands_at_the_end() {
    let mut shown = Shown::new(&a_talk());
    shown.act(Action::Paste("on its way".to_owned()));
    shown.act(Action::Enter);
    let screen = shown.lines(60, 18).concat();
    assert!(screen.contains("on its way (sending)") && screen.contains("unanswered"), "{screen}");
}

#[test]
fn no_size_is_too_small() {
    let mut shown = Shown::new(&a_talk());
    shown.act(Action::Paste("some text to wrap".to_owned()));
    for (columns, rows) in [(1, 1), (2, 2), (3, 3), (5, 5), (10, 4), (4, 10), (300, 3)] {
        shown.lines(columns, rows);
        shown.act(Action::PageUp);
        shown.act(Action::PageDown);
    }
    shown.act(Action::Help);
    shown.lines(1, 1);
}
