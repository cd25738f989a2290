//! The pinboard, and back to plain (conversations.md §9.1, §10).

use rill_proto::classificator::MessageState;
use rill_proto::event::message;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::board::{List, Place};
use crate::conversation::rules::draft::number;
use crate::conversation::rules::message::{Writing, write};
use crate::conversation::rules::{Decision, Facts, Judged, board, revision, standing};
use crate::conversation::state::State;

/// `message:add_pinned`.
pub(super) fn add_pinned(
    state: &State,
    caller: AccountId,
    event: &message::AddPinned,
    facts: &Facts,
) -> Judged<Decision> {
    let writing = Writing {
        message: &event.message,
        subject: event.subject.as_deref(),
        attachment_urls: event.attachment_urls.as_deref(),
        reply_to: None,
    };
    let (mut draft, nr) = write(state, caller, &writing, facts)?;
    draft.post_as(nr, MessageState::Pinned)?;
    draft.finish(event.from_message_nr)
}

/// `message:set_pinned`: on top of the pinboard; a task is one no longer.
pub(super) fn set_pinned(
    state: &State,
    caller: AccountId,
    event: &message::SetPinned,
    facts: &Facts,
) -> Judged<Decision> {
    revision::turn(state, caller, event.message_nr, MessageState::Pinned, event.from_message_nr, facts)
}

/// `message:set_unpinned`.
pub(super) fn set_unpinned(
    state: &State,
    caller: AccountId,
    event: &message::SetUnpinned,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    match message.state {
        MessageState::Unpinned => {}
        MessageState::Pinned => drop(draft.turn(message.message_nr, MessageState::Unpinned)?),
        MessageState::Plain
        | MessageState::Todo
        | MessageState::Done
        | MessageState::Deleted
        | MessageState::System => return Err(not_pinned().into()),
    }
    draft.finish(event.from_message_nr)
}

/// `message:set_plain`: off the boards.
pub(super) fn set_plain(
    state: &State,
    caller: AccountId,
    event: &message::SetPlain,
    facts: &Facts,
) -> Judged<Decision> {
    revision::turn(state, caller, event.message_nr, MessageState::Plain, event.from_message_nr, facts)
}

/// `message:pin:set_position`: behind another pin, or first.
pub(super) fn set_position(
    state: &State,
    caller: AccountId,
    event: &message::PinSetPosition,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    if message.state != MessageState::Pinned {
        return Err(not_pinned().into());
    }
    let place = Place::Pin { weight: draft.on_top(List::Pins) };
    board::put(&mut draft, message.message_nr, place, number(event.prev_message_nr))?;
    draft.finish(event.from_message_nr)
}

fn not_pinned() -> Refusal {
    Refusal::invalid_state("The message is not pinned.")
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::MessageState;
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{Reach, Soft};

    #[test]
    fn a_pin_is_a_message_of_its_own_on_top_of_the_pinboard() {
        let mut replay = Replay::with(&[BOB]);
        let posted = replay.ask(ALICE, event("message:add_pinned", json!({"message": "one"}))).unwrap();
        assert_eq!(lines(&posted.answer), ["conv Update", "message 2"]);
        assert_eq!(told(&posted, Reach::Others), ["conv Update", "message 2", "activity alice"]);
        let message = replay.message(2);
        assert_eq!((message.state, message.inbox_nr), (MessageState::Pinned, 1));
        assert_eq!((message.extras().pinned_account_id, message.edited_time), (Some(ALICE), None));
        assert_eq!(replay.put_up(BOB, "add_pinned"), 3);
        assert_eq!((replay.weight(2), replay.weight(3)), (4_294_967_296.0, 4_295_032_832.0));
        assert!(replay.state.boards().has_pinboard);
    }

    #[test]
    fn pinning_takes_a_slot_and_says_who_did_it() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        let decision = replay.turn(BOB, "set_pinned", 2).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Update", "message 2 flow 3"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Update", "message 2 flow 3"]);
        assert_eq!(decision.identifier["message_nr"], 2);
        let message = replay.message(2);
        assert_eq!(message.edit_account_id, Some(BOB));
        assert_eq!(message.extras().pinned_account_id, Some(BOB));
        assert!(replay.turn(BOB, "set_pinned", 2).unwrap().changes.is_empty(), "it is pinned already");
        let bob = replay.counters(BOB);
        assert_eq!((bob.last, bob.show, bob.read), (3, 2, 0), "a revision marks nothing read");
    }

    #[test]
    fn states_follow_the_diagram() {
        let mut replay = Replay::with(&[]);
        replay.post(ALICE, "one");
        for (verb, state) in [
            ("set_pinned", MessageState::Pinned),
            ("set_unpinned", MessageState::Unpinned),
            ("set_pinned", MessageState::Pinned),
            ("set_todo", MessageState::Todo),
            ("set_done", MessageState::Done),
            ("set_pinned", MessageState::Pinned),
            ("set_plain", MessageState::Plain),
            ("set_done", MessageState::Done),
            ("set_todo", MessageState::Todo),
            ("set_plain", MessageState::Plain),
        ] {
            replay.turn(ALICE, verb, 2).unwrap();
            assert_eq!(replay.message(2).state, state, "{verb}");
        }
    }

    #[test]
    fn a_pin_is_moved_behind_another_or_to_the_top() {
        let mut replay = Replay::with(&[]);
        for _ in 0..4 {
            replay.put_up(ALICE, "add_pinned");
        }
        assert_eq!(replay.pins(), [5, 4, 3, 2]);
        let moved = |nr: u64, prev: u64| {
            event("message:pin:set_position", json!({"message_nr": nr, "prev_message_nr": prev}))
        };
        let decision = replay.ask(ALICE, moved(2, 5)).unwrap();
        assert_eq!(
            lines(&decision.answer),
            ["conv Update", "message 2 flow 6"],
            "the moved one alone is told"
        );
        assert_eq!(replay.pins(), [5, 2, 4, 3]);
        assert_eq!(replay.weight(2), 4_295_131_136.0);
        replay.ask(ALICE, moved(5, 3)).unwrap();
        assert_eq!(replay.pins(), [2, 4, 3, 5]);
        replay.ask(ALICE, moved(3, 0)).unwrap();
        assert_eq!(replay.pins(), [3, 2, 4, 5]);
        assert!(replay.ask(ALICE, moved(4, 2)).unwrap().changes.is_empty(), "it is there already");
        assert!(replay.ask(ALICE, moved(3, 0)).unwrap().changes.is_empty(), "it is first already");
        replay.post(ALICE, "plain");
        let plain = replay.head().last_message_nr;
        for prev in [1, 6, 99, plain] {
            assert_eq!(replay.ask(ALICE, moved(3, prev)), Err(Refusal::not_found("Previous message")));
        }
        assert_eq!(replay.ask(ALICE, moved(3, 3)).unwrap_err().status, 400);
        assert_eq!(replay.ask(ALICE, moved(plain, 3)).unwrap_err().status, 400);
    }

    #[test]
    fn where_there_is_no_room_the_neighbours_give_way_and_are_told_as_well() {
        let mut replay = Replay::with(&[BOB]);
        for _ in 0..3 {
            replay.put_up(ALICE, "add_pinned");
        }
        replay.slots_max = 10;
        let mut behind = [2, 3];
        for _ in 0..30 {
            let params = json!({"message_nr": behind[0], "prev_message_nr": 4});
            let decision = replay.ask(ALICE, event("message:pin:set_position", params)).unwrap();
            behind.reverse();
            assert_eq!(replay.pins()[..2], [4, behind[1]]);
            let news = lines(&decision.answer);
            if news.len() > 2 {
                assert_eq!(news.len(), 4, "both of the others: {news:?}");
                return;
            }
        }
        panic!("there is always room");
    }

    #[test]
    fn a_member_who_came_later_sees_pins_and_is_told_when_they_go() {
        let mut replay = Replay::with(&[BOB]);
        let pin = replay.put_up(ALICE, "add_pinned");
        replay.ask(ALICE, add(&[DON])).unwrap();
        assert!(!replay.state.members[&DON].sees(pin));
        let form = ["contact alice", "contact bob", "conv Init(Full) fw 3 bw 3", "message 3"];
        let boards = ["section", "section", "message 2"];
        assert_eq!(lines(&replay.catch_up(DON, 0))[..7], [&form[..], &boards].concat());
        replay.ask(DON, edit(2, "by somebody who came later")).unwrap();
        let horizon = replay.stamp;
        let decision = replay.turn(ALICE, "set_plain", pin).unwrap();
        assert_eq!(told(&decision, Reach::Others), ["conv Update", "message 2 flow 5", "withdrawn 2 flow 5"]);
        replay.ask(ALICE, edit(2, "none of Don's business")).unwrap();
        assert_eq!(lines(&replay.catch_up(DON, horizon)), ["conv Update", "withdrawn 2 flow 5"]);
        assert_eq!(
            lines(&replay.catch_up(BOB, horizon)),
            ["conv Update", "message 2 flow 5", "message 2 flow 6"]
        );
        assert_eq!(replay.turn(DON, "set_pinned", 2), Err(Refusal::not_found("Message")));
    }

    #[test]
    fn a_change_of_state_frees_the_lock_of_the_one_who_makes_it_and_of_nobody_else() {
        let mut replay = Replay::with(&[BOB]);
        let pin = replay.put_up(ALICE, "add_pinned");
        replay.ask(BOB, set_editing(2)).unwrap();
        assert!(replay.turn(ALICE, "set_todo", pin).unwrap().soft.is_empty());
        let decision = replay.turn(BOB, "set_done", pin).unwrap();
        assert_eq!(decision.soft, [Soft::Unlock(pin)]);
        assert_eq!(told(&decision, Reach::Activated), ["lock 2 free"]);
    }

    #[test]
    fn what_cannot_be_pinned_is_refused() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.post(ALICE, "one");
        replay.post(ALICE, "two");
        replay.ask(ALICE, delete(3)).unwrap();
        replay.ask(CHARLIE, leave()).unwrap();
        for verb in ["set_pinned", "set_unpinned", "set_plain", "set_todo", "set_done"] {
            for (nr, status) in [(1, 400), (3, 400), (4, 430), (99, 430)] {
                assert_eq!(replay.turn(ALICE, verb, nr).unwrap_err().status, status, "{verb} {nr}");
            }
            assert_eq!(replay.turn(CHARLIE, verb, 2), Err(Refusal::has_left()));
            assert_eq!(replay.turn(JIL, verb, 2), Err(Refusal::not_member()));
        }
        assert_eq!(replay.turn(ALICE, "set_unpinned", 2).unwrap_err().status, 400, "it is not pinned");
        let head = replay.state.head.as_mut().unwrap();
        head.settings.is_admin_write_only = Some(true);
        head.settings.admins = vec![ALICE];
        for verb in ["set_pinned", "set_plain", "set_todo", "set_done"] {
            assert_eq!(replay.judge_only(BOB, on(verb, 2)).unwrap_err().status, 431, "{verb}");
        }
        replay.judge_only(ALICE, on("set_pinned", 2)).unwrap();
    }
}
