//! What follows from keys and answers.

use std::time::Duration;

use rill_proto::id::AccountId;
use uuid::Uuid;

use super::*;
use crate::chat::input::Edit;

const ME: &str = "00000000-0000-0000-0000-00000000000a";
const BOB: &str = "00000000-0000-0000-0000-00000000000b";
const ONE: &str = "00000000-0000-0000-0000-0000000000c1";
const TWO: &str = "00000000-0000-0000-0000-0000000000c2";

struct Seat {
    desk: Desk,
    picture: Picture,
    now: Instant,
}

impl Seat {
    /// Two conversations, the first with messages 1 (system), 2 (Bob), 3 and 4 (mine), all read; the link is live.
    fn taken() -> Self {
        let me = AccountId(Uuid::parse_str(ME).unwrap());
        let mut seat = Self { desk: Desk::new(), picture: Picture::new(me), now: Instant::now() };
        for (conv, time) in [(ONE, 20), (TWO, 10)] {
            seat.hear(json!({
                "mk_rec_type": "conv", "conversation_id": conv, "is_init": true, "mk_init_mode": "ic_full",
                "topic": conv, "members": [ME, BOB], "can_post": true, "inbox_time": time, "last_message_nr": 4,
                "show_message_nr": 4, "join_message_nr": 1, "read_message_nr": 4, "fw_message_nr": 4,
                "bw_message_nr": 1,
            }));
        }
        for (nr, author, state) in [(1, ME, "system"), (2, BOB, "plain"), (3, ME, "plain"), (4, ME, "plain")]
        {
            seat.hear(json!({
                "mk_rec_type": "message", "conversation_id": ONE, "message_nr": nr, "account_id": author,
                "message": format!("<msg><p>text {nr}</p></msg>"), "mk_message_type": "text",
                "mk_message_state": format!("urn:fleep:message:mk_message_state:{state}"),
            }));
        }
        seat.desk.link_changed(Link::Live);
        seat.ticked();
        seat
    }

    fn hear(&mut self, record: Value) {
        self.picture.apply(&record, self.now);
    }

    fn does(&mut self, action: Action) -> Vec<Outgoing> {
        assert!(self.desk.act(action, &self.picture, self.now));
        self.desk.take_out()
    }

    fn types(&mut self, text: &str) -> Vec<Outgoing> {
        text.chars().flat_map(|character| self.does(Action::Type(character))).collect()
    }

    fn ticked(&mut self) -> Vec<Outgoing> {
        self.desk.tick(&self.picture, self.now);
        self.desk.take_out()
    }

    fn later(&mut self, by: Duration) -> Vec<Outgoing> {
        self.now += by;
        self.ticked()
    }

    fn answer(&mut self, outgoing: &Outgoing, status: u64, identifier: Value) -> Vec<Outgoing> {
        let request = json!({
            "mk_rec_type": "request", "client_req_id": outgoing.id, "status_code": status,
            "error_message": if status == 200 { Value::Null } else { json!("Not so.") }, "identifier": identifier,
        });
        self.desk.answered(&request, &[]);
        self.desk.take_out()
    }

    fn chosen(&self) -> String {
        self.desk.chosen.map(|id| id.to_string()).unwrap_or_default()
    }
}

fn names(events: &[Outgoing]) -> Vec<&str> {
    events.iter().map(|outgoing| outgoing.event).collect()
}

#[test]
fn enter_sends_the_line_and_empties_it() {
    let mut seat = Seat::taken();
    assert_eq!(names(&seat.types("hi")), ["conv:set_writing"]);
    let sent = seat.does(Action::Enter);
    assert_eq!(names(&sent), ["message:add_plain"]);
    assert_eq!(sent[0].params, json!({ "conversation_id": ONE, "message": "hi" }));
    assert_eq!(seat.desk.line().text(), "");
    assert_eq!(seat.desk.sending.len(), 1);
    seat.answer(&sent[0], 200, json!({}));
    assert!(seat.desk.sending.is_empty());
    assert_eq!(names(&seat.does(Action::Enter)), [""; 0], "a blank line is no message");
}

#[test]
fn a_refused_text_comes_back_and_the_refusal_is_told() {
    let mut seat = Seat::taken();
    seat.types("hi");
    let sent = seat.does(Action::Enter);
    seat.answer(&sent[0], 431, Value::Null);
    assert_eq!(seat.desk.line().text(), "hi");
    assert_eq!(seat.desk.notice, "Refused: Not so. (message:add_plain)");
}

#[test]
fn the_pen_moves_at_most_every_ten_seconds_and_is_laid_down_with_the_last_character() {
    let mut seat = Seat::taken();
    assert_eq!(names(&seat.types("abc")), ["conv:set_writing"]);
    seat.later(Duration::from_secs(10));
    assert_eq!(names(&seat.types("d")), ["conv:set_writing"]);
    assert_eq!(names(&seat.does(Action::Edit(Edit::Left))), [""; 0]);
    assert_eq!(names(&seat.does(Action::Edit(Edit::Clear))), ["conv:end_writing"]);
    assert_eq!(names(&seat.types("e")), ["conv:set_writing"]);
}

#[test]
fn a_pen_is_not_moved_while_the_link_is_down() {
    let mut seat = Seat::taken();
    seat.desk.link_changed(Link::Waiting(seat.now, "gone".to_owned()));
    assert_eq!(names(&seat.types("abc")), [""; 0]);
    assert_eq!(names(&seat.does(Action::Enter)), ["message:add_plain"], "a message waits instead");
}

#[test]
fn up_edits_my_newest_message_and_down_leaves_it() {
    let mut seat = Seat::taken();
    let events = seat.does(Action::EditOlder);
    assert_eq!(names(&events), ["message:set_editing"]);
    assert_eq!(events[0].params["message_nr"], 4);
    assert_eq!(seat.desk.line().text(), "text 4");
    let events = seat.does(Action::EditOlder);
    assert_eq!(names(&events), ["message:end_editing", "message:set_editing"]);
    assert_eq!(seat.desk.line().text(), "text 3");
    assert_eq!(names(&seat.does(Action::EditOlder)), [""; 0], "Bob's and the system's are not mine");
    seat.does(Action::EditNewer);
    assert_eq!(names(&seat.does(Action::EditNewer)), ["message:end_editing"]);
    assert!(matches!(seat.desk.mode, Mode::Write));
}

#[test]
fn an_edit_is_stored_with_enter_and_dropped_with_escape() {
    let mut seat = Seat::taken();
    seat.types("draft");
    seat.does(Action::EditOlder);
    assert_eq!(names(&seat.types("!")), [""; 0], "an edit moves no pen");
    let events = seat.does(Action::Enter);
    assert_eq!(names(&events), ["message:edit_body"]);
    assert_eq!(events[0].params, json!({ "conversation_id": ONE, "message_nr": 4, "message": "text 4!" }));
    assert_eq!(seat.desk.line().text(), "draft");
    seat.does(Action::EditOlder);
    assert_eq!(names(&seat.does(Action::Escape)), ["message:end_editing"]);
    seat.does(Action::EditOlder);
    seat.does(Action::Edit(Edit::Clear));
    assert_eq!(names(&seat.does(Action::Enter)), [""; 0], "nothing is no text");
}

#[test]
fn a_message_that_somebody_else_edits_is_left_alone() {
    let mut seat = Seat::taken();
    seat.hear(
        json!({ "mk_rec_type": "lock", "conversation_id": ONE, "message_nr": 4, "lock_account_id": BOB }),
    );
    assert_eq!(names(&seat.does(Action::EditOlder)), [""; 0]);
    assert!(seat.desk.notice.contains("is editing message 4"));
    seat.hear(json!({ "mk_rec_type": "lock", "conversation_id": ONE, "message_nr": 4 }));
    let lock = seat.does(Action::EditOlder);
    seat.answer(&lock[0], 431, Value::Null);
    assert!(matches!(seat.desk.mode, Mode::Write), "the other was faster");
}

#[test]
fn an_edit_lock_is_renewed() {
    let mut seat = Seat::taken();
    seat.does(Action::EditOlder);
    assert_eq!(names(&seat.later(Duration::from_secs(19))), [""; 0]);
    assert_eq!(names(&seat.later(Duration::from_secs(1))), ["message:set_editing"]);
}

#[test]
fn what_is_shown_is_activated_and_read_and_activated_again_in_time() {
    let mut seat = Seat::taken();
    assert_eq!(seat.chosen(), ONE, "the newest is opened by itself");
    assert_eq!(names(&seat.ticked()), [""; 0]);
    seat.hear(
        json!({ "mk_rec_type": "conv", "conversation_id": ONE, "last_message_nr": 5, "show_message_nr": 5 }),
    );
    seat.hear(
        json!({ "mk_rec_type": "message", "conversation_id": ONE, "message_nr": 5, "account_id": BOB }),
    );
    let events = seat.ticked();
    assert_eq!(names(&events), ["message:mark_read"]);
    assert_eq!(events[0].params, json!({ "conversation_id": ONE, "message_nr": 5 }));
    assert_eq!(names(&seat.ticked()), [""; 0]);
    assert_eq!(names(&seat.later(Duration::from_secs(540))), ["conv:activate"]);
    seat.desk.link_changed(Link::Waiting(seat.now, String::new()));
    assert_eq!(names(&seat.ticked()), [""; 0]);
    seat.desk.link_changed(Link::Live);
    assert_eq!(names(&seat.ticked()), ["conv:activate", "message:mark_read"]);
}

#[test]
fn switching_lays_the_pen_down_keeps_the_draft_and_activates_the_other() {
    let mut seat = Seat::taken();
    seat.types("draft");
    assert_eq!(names(&seat.does(Action::NextConversation)), ["conv:end_writing"]);
    assert_eq!((seat.chosen().as_str(), seat.desk.line().text()), (TWO, ""));
    assert_eq!(names(&seat.ticked()), ["conv:activate"]);
    seat.does(Action::NextConversation);
    assert_eq!((seat.chosen().as_str(), seat.desk.line().text()), (ONE, "draft"));
    seat.does(Action::PreviousConversation);
    assert_eq!(seat.chosen(), TWO);
}

#[test]
fn a_header_without_messages_is_filled_and_a_hole_is_loaded_once() {
    let mut seat = Seat::taken();
    let tiny =
        json!({ "mk_rec_type": "conv", "conversation_id": ONE, "is_init": true, "mk_init_mode": "ic_tiny" });
    seat.hear(tiny);
    let events = seat.ticked();
    assert_eq!(names(&events), ["conv:sync_initial"]);
    seat.answer(&events[0], 200, json!({}));
    seat.hear(json!({
        "mk_rec_type": "conv", "conversation_id": ONE, "last_message_nr": 9, "fw_message_nr": 6, "is_init": true,
        "mk_init_mode": "ic_full", "read_message_nr": 9,
    }));
    assert_eq!(names(&seat.ticked()), [""; 0], "the messages may be on their way");
    let events = seat.later(Duration::from_millis(500));
    assert_eq!(names(&events), ["conv:sync_forward"]);
    assert_eq!(events[0].params, json!({ "conversation_id": ONE, "fw_message_nr": 6 }));
    seat.answer(&events[0], 200, json!({}));
    assert_eq!(
        names(&seat.later(Duration::from_secs(5))),
        [""; 0],
        "an answer that helps nothing is not asked for again"
    );
}

#[test]
fn a_new_conversation_looks_people_up_and_is_opened() {
    let mut seat = Seat::taken();
    seat.does(Action::NewConversation);
    seat.types("b@x.org, c@x.org b@x.org");
    assert_eq!(names(&seat.does(Action::Enter)), [""; 0]);
    seat.types("Lunch");
    let lookups = seat.does(Action::Enter);
    assert_eq!(names(&lookups), ["contact:lookup_by_email"; 2]);
    assert_eq!(lookups[0].params, json!({ "email": "b@x.org" }));
    assert_eq!(names(&seat.answer(&lookups[1], 200, json!({ "account_id": ME }))), [""; 0]);
    let created = seat.answer(&lookups[0], 200, json!({ "account_id": BOB }));
    assert_eq!(names(&created), ["conv:create"]);
    assert_eq!(created[0].params, json!({ "topic": "Lunch", "account_ids": [ME, BOB] }));
    seat.answer(&created[0], 200, json!({ "conversation_id": TWO }));
    assert_eq!(seat.chosen(), TWO);
}

#[test]
fn one_refused_address_ends_the_invitation() {
    let mut seat = Seat::taken();
    seat.does(Action::AddMembers);
    seat.types("b@x.org nonsense");
    let lookups = seat.does(Action::Enter);
    seat.answer(&lookups[1], 400, Value::Null);
    assert_eq!(names(&seat.answer(&lookups[0], 200, json!({ "account_id": BOB }))), [""; 0]);
    assert!(seat.desk.notice.starts_with("Refused"));
}

#[test]
fn members_are_added_and_the_topic_is_changed() {
    let mut seat = Seat::taken();
    seat.does(Action::AddMembers);
    seat.types("b@x.org");
    let lookups = seat.does(Action::Enter);
    let added = seat.answer(&lookups[0], 200, json!({ "account_id": BOB }));
    assert_eq!(names(&added), ["conv:add_members"]);
    assert_eq!(added[0].params, json!({ "conversation_id": ONE, "account_ids": [BOB] }));
    seat.does(Action::SetTopic);
    assert_eq!(seat.desk.line().text(), ONE, "the old topic stands there");
    seat.does(Action::Edit(Edit::Clear));
    seat.types("New");
    assert_eq!(seat.does(Action::Enter)[0].params, json!({ "conversation_id": ONE, "topic": "New" }));
}

#[test]
fn a_marked_message_is_deleted_after_a_question() {
    let mut seat = Seat::taken();
    seat.does(Action::DeleteMessage);
    assert!(seat.desk.notice.starts_with("Mark a message first"));
    seat.does(Action::SelectOlder);
    seat.does(Action::SelectOlder);
    seat.does(Action::SelectOlder);
    seat.does(Action::SelectOlder);
    assert_eq!(seat.desk.selected, Some(2), "a system message cannot be marked");
    seat.does(Action::DeleteMessage);
    assert_eq!(names(&seat.does(Action::Escape)), [""; 0]);
    seat.does(Action::DeleteMessage);
    let events = seat.does(Action::Enter);
    assert_eq!(names(&events), ["message:delete"]);
    assert_eq!(events[0].params, json!({ "conversation_id": ONE, "message_nr": 2 }));
}

#[test]
fn a_page_up_at_the_top_loads_older_messages_once() {
    let mut seat = Seat::taken();
    seat.hear(json!({ "mk_rec_type": "conv", "conversation_id": ONE, "bw_message_nr": 2 }));
    let rows: Vec<Place> = (2..=4).map(|message_nr| Place { message_nr, row: 0 }).collect();
    seat.desk.drawn(Drawn { rows, top: 0, bottom: 3 });
    let events = seat.does(Action::PageUp);
    assert_eq!(names(&events), ["conv:sync_backward"]);
    assert_eq!(events[0].params, json!({ "conversation_id": ONE, "bw_message_nr": 2 }));
    assert_eq!(names(&seat.does(Action::PageUp)), [""; 0]);
}

#[test]
fn pages_turn_by_a_screen_less_one_row() {
    let mut seat = Seat::taken();
    let rows: Vec<Place> = (0..100).map(|row| Place { message_nr: 4, row }).collect();
    seat.desk.drawn(Drawn { rows: rows.clone(), top: 90, bottom: 100 });
    seat.does(Action::PageUp);
    assert_eq!(seat.desk.anchor, Some(rows[90]));
    assert_eq!(names(&seat.ticked()), [""; 0]);
    seat.desk.drawn(Drawn { rows: rows.clone(), top: 81, bottom: 91 });
    seat.does(Action::PageDown);
    assert_eq!(seat.desk.anchor, None);
    seat.desk.drawn(Drawn { rows: rows.clone(), top: 3, bottom: 13 });
    seat.does(Action::PageUp);
    assert_eq!(seat.desk.anchor, Some(rows[9]), "the top is the end");
}

#[test]
fn leaving_lets_go_of_the_lock_and_the_pen() {
    let mut seat = Seat::taken();
    seat.types("x");
    seat.does(Action::EditOlder);
    assert!(!seat.desk.act(Action::Leave, &seat.picture, seat.now));
    assert_eq!(names(&seat.desk.take_out()), ["message:end_editing", "conv:end_writing"]);
}

#[test]
fn leaving_with_a_text_under_way_has_to_be_asked_for_twice() {
    let mut seat = Seat::taken();
    seat.types("x");
    seat.does(Action::Enter);
    seat.does(Action::Leave);
    seat.does(Action::Escape);
    seat.does(Action::Leave);
    assert!(seat.desk.notice.starts_with("A text is not confirmed yet"));
    assert!(!seat.desk.act(Action::Leave, &seat.picture, seat.now));
}

#[test]
fn no_key_does_harm_on_an_empty_desk() {
    let me = AccountId(Uuid::parse_str(ME).unwrap());
    let mut seat = Seat { desk: Desk::new(), picture: Picture::new(me), now: Instant::now() };
    for action in [
        Action::Type('x'),
        Action::Enter,
        Action::EditOlder,
        Action::EditNewer,
        Action::SelectOlder,
        Action::SelectNewer,
        Action::PageUp,
        Action::PageDown,
        Action::NextConversation,
        Action::PreviousConversation,
        Action::AddMembers,
        Action::SetTopic,
        Action::DeleteMessage,
        Action::Help,
        Action::Escape,
    ] {
        assert_eq!(names(&seat.does(action)), [""; 0]);
    }
}
