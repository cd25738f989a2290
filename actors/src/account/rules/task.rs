//! The events on the places of tasks of either kind on the own board, and what a conversation says of a task that is
//! assigned to the account (accounts.md §7.3 and §7.5).

use rill_proto::event::task::{self, Event};
use rill_proto::id::{ConversationId, MessageId};
use rill_proto::refusal::Refusal;
use serde_json::Value;

use super::board::{Draft, section};
use super::my_message::about;
use super::{Decision, Facts};
use crate::account::board::{Board, Place, Task, What};
use crate::effect::Assignment;
use crate::store::Stamp;
use crate::weight::Weight;

/// Decides an event on the place of a task.
///
/// # Errors
/// What the request record says.
pub(super) fn decide(board: &Board, event: &Event, facts: &Facts) -> Result<Decision, Refusal> {
    let mut draft = Draft::new(board, facts);
    let id = match event {
        Event::Archive(event) => {
            let (task, _) = standing(board, event.message_id)?;
            draft.archive(event.message_id, task);
            event.message_id
        }
        Event::Unarchive(event) => {
            let (task, _) = standing(board, event.message_id)?;
            draft.unarchive(event.message_id, task);
            event.message_id
        }
        Event::SetPosition(event) => {
            set_position(&mut draft, event)?;
            event.message_id
        }
    };
    Ok(about(draft, id))
}

/// A task that stands on the board, and where.
///
/// # Errors
/// 430.
fn standing(board: &Board, id: MessageId) -> Result<(&Task, Place), Refusal> {
    let task = board.task(id).ok_or_else(|| Refusal::not_found("Message"))?;
    task.place.map(|place| (task, place)).ok_or_else(|| Refusal::not_found("Message"))
}

fn set_position(draft: &mut Draft<'_>, event: &task::SetPosition) -> Result<(), Refusal> {
    let (board, id, section_id) = (draft.board, event.message_id, event.section_id);
    let (task, now) = standing(board, id)?;
    section(board, section_id)?;
    let prev = match event.prev_message_id {
        None => None,
        Some(prev) if prev == id => {
            return Err(Refusal::invalid_call("prev_message_id", "a task cannot stand behind itself"));
        }
        Some(prev) => {
            let place = board.task(prev).and_then(|task| task.place);
            let place = place.filter(|place| place.section_id == section_id).ok_or_else(|| {
                Refusal::invalid_call("prev_message_id", "no task of this id stands in the section")
            })?;
            Some((prev, place.weight))
        }
    };
    let mut below =
        board.tasks_of(section_id, prev.map(|(_, weight)| weight)).filter(|(_, other)| *other != id);
    let next = below.next().map(|(weight, _)| weight);
    let is_behind = prev.is_none_or(|(_, weight)| weight > now.weight);
    if now.section_id == section_id && is_behind && next.is_none_or(|next| now.weight > next) {
        draft.tell_task(id);
        return Ok(());
    }
    let weight = match prev {
        None => Some(Weight::above(next)),
        Some((_, weight)) => Weight::behind(weight, next),
    };
    let archived_id = board.archived_id();
    let from = match (section_id == archived_id, now.section_id == archived_id) {
        (true, true) => task.from,
        (true, false) => Some(now.section_id),
        (false, _) => None,
    };
    let moved = Task { from, ..task.clone() };
    match weight {
        Some(weight) => draft.put_task(id, Task { place: Some(Place { section_id, weight }), ..moved }),
        None => {
            renumber(draft, id, &moved, Place { section_id, weight: now.weight }, prev.map(|(prev, _)| prev))
        }
    }
    Ok(())
}

/// Gives all tasks of a section new weights, with one of them behind another.
fn renumber(draft: &mut Draft<'_>, id: MessageId, moved: &Task, to: Place, prev: Option<MessageId>) {
    let board = draft.board;
    let others = board.tasks_of(to.section_id, None).map(|(_, other)| other).filter(|other| *other != id);
    let mut order: Vec<MessageId> = others.collect();
    let at = prev.and_then(|prev| order.iter().position(|other| *other == prev)).map_or(0, |at| at + 1);
    order.insert(at, id);
    for (other, weight) in order.iter().zip(Weight::anew(order.len())) {
        let place = Some(Place { weight, ..to });
        if *other == id {
            draft.put_task(id, Task { place, ..moved.clone() });
        } else if let Some(task) = board.task(*other).filter(|task| task.place != place) {
            draft.put_task(*other, Task { place, ..task.clone() });
        }
    }
}

/// What a conversation says of a task: [`Effect::Assigned`](crate::effect::Effect).
#[derive(Clone, Copy)]
pub(super) struct Assigned {
    pub(super) conversation_id: ConversationId,
    pub(super) message_nr: u64,
    pub(super) message_id: MessageId,
    pub(super) state: Assignment,
    pub(super) is_unheard: bool,
    pub(super) version: Stamp,
}

/// A task is put on the board, follows its conversation's archive, or goes. Its owner's own places are kept otherwise.
pub(super) fn assigned(board: &Board, said: Assigned, facts: &Facts) -> Decision {
    let Assigned { conversation_id, message_nr, message_id: id, state, is_unheard, version } = said;
    let known = board.task(id);
    let before = match known.map(|known| known.what) {
        None => Assignment::Gone,
        Some(What::Assigned { version: known, .. }) if known >= version => return Decision::default(),
        Some(What::Assigned { state, .. }) => state,
        // Ids are the conversation's to give, and none is ever given twice.
        Some(What::Private { .. } | What::Canned { .. } | What::Deleted) => return Decision::default(),
    };
    let what = What::Assigned { conversation_id, message_nr, state, version };
    let task = match known {
        Some(known) => Task { what, ..known.clone() },
        None => Task { what, place: None, from: None, bytes: 0, stamp: facts.stamp },
    };
    let mut draft = Draft::new(board, facts);
    let was_archived = before == Assignment::ArchivedInConversation;
    match (state, task.place) {
        (Assignment::Gone, None) => draft.put_task_silently(id, task),
        (Assignment::Gone, Some(_)) => draft.put_task(id, Task { place: None, from: None, ..task }),
        (_, None) if board.tasks_standing() >= facts.tasks_max => draft.put_task_silently(id, task),
        // Whatever of it changed, nobody else tells the account's sessions.
        (_, Some(_)) if is_unheard && was_archived == (state == Assignment::ArchivedInConversation) => {
            draft.put_task(id, task);
        }
        (Assignment::ArchivedInConversation, _) => {
            draft.put_task_silently(id, task.clone());
            draft.archive(id, &task);
        }
        (Assignment::Todo | Assignment::Done, None) => {
            let place = Some(draft.top(board.default_id()));
            draft.put_task(id, Task { place, ..task });
        }
        (Assignment::Todo | Assignment::Done, Some(_)) if was_archived => {
            draft.put_task_silently(id, task.clone());
            draft.unarchive(id, &task);
        }
        (Assignment::Todo | Assignment::Done, Some(_)) => draft.put_task_silently(id, task),
    }
    draft.finish(Value::Null)
}

#[cfg(test)]
mod tests {
    use rill_proto::id::SectionId;
    use serde_json::json;
    use uuid::Uuid;

    use crate::account::board::record::Told;
    use crate::account::rules::board_replay::*;
    use crate::effect::Assignment;

    #[test]
    fn a_task_of_a_conversation_that_is_not_heard_is_told_again() {
        let mut replay = Replay::alice();
        let task = Told::Task(of_conversation(3));
        assert_eq!(replay.hear(3, Assignment::Todo, 1).board, std::slice::from_ref(&task));
        assert!(replay.hear(3, Assignment::Done, 2).board.is_empty(), "the conversation says so");
        for (state, version) in [
            (Assignment::Done, 3),
            (Assignment::ArchivedInConversation, 4),
            (Assignment::ArchivedInConversation, 5),
            (Assignment::Todo, 6),
        ] {
            let told = replay.hear_as(3, state, version, true).board;
            assert_eq!(told, std::slice::from_ref(&task), "{state:?}");
        }
        assert!(replay.hear_as(3, Assignment::Todo, 6, true).board.is_empty(), "it was said already");
    }

    #[test]
    fn a_task_is_put_first_behind_another_or_last() {
        let mut replay = Replay::alice();
        let id = replay.default_id();
        let (c, b, a) = (replay.task("c"), replay.task("b"), replay.task("a"));
        replay.ask(move_task(a, id, Some(b))).unwrap();
        assert_eq!(replay.standing(id), ["b", "a", "c"]);
        assert_eq!(replay.weight(a), (replay.weight(b) + replay.weight(c)) / 2.0);
        replay.ask(move_task(b, id, Some(c))).unwrap();
        assert_eq!(replay.standing(id), ["a", "c", "b"]);
        replay.ask(move_task(b, id, None)).unwrap();
        assert_eq!(replay.standing(id), ["b", "a", "c"]);
        for (task, prev) in [(b, None), (a, Some(b)), (c, Some(a))] {
            assert!(replay.ask(move_task(task, id, prev)).unwrap().changes.is_empty(), "it stands there");
        }
    }

    #[test]
    fn a_full_place_numbers_the_section_anew_and_tells_all_that_moved() {
        let mut replay = Replay::alice();
        let id = replay.default_id();
        let (c, b, a) = (replay.task("c"), replay.task("b"), replay.task("a"));
        let mut told = 1;
        for turn in 0..40 {
            let moved = if turn % 2 == 0 { c } else { b };
            told = told.max(replay.ask(move_task(moved, id, Some(a))).unwrap().board.len());
        }
        assert_eq!(told, 2, "the first has its weight already");
        assert_eq!(replay.standing(id), ["a", "b", "c"]);
    }

    #[test]
    fn moving_into_the_archive_puts_away_and_moving_out_brings_back() {
        let mut replay = Replay::alice();
        let (archived, default_id) = (replay.archived_id(), replay.default_id());
        let section = replay.section("Later", None);
        let task = replay.task("one");
        replay.ask(move_task(task, section, None)).unwrap();
        replay.ask(move_task(task, archived, None)).unwrap();
        replay.ask(put_back(task)).unwrap();
        assert_eq!(replay.standing(section), ["one"], "the archive knows where it came from");
        replay.ask(put_away(task)).unwrap();
        replay.ask(move_task(task, default_id, None)).unwrap();
        replay.ask(put_away(task)).unwrap();
        replay.ask(put_back(task)).unwrap();
        assert_eq!(replay.standing(default_id), ["one"]);
    }

    #[test]
    fn what_is_not_there_is_not_found_and_the_one_before_must_stand_there() {
        let mut replay = Replay::alice();
        let (id, archived) = (replay.default_id(), replay.archived_id());
        let (task, other) = (replay.task("one"), replay.task("two"));
        let nowhere = SectionId(Uuid::from_u128(99));
        for event in [
            put_away(of_conversation(1)),
            put_back(of_conversation(1)),
            move_task(of_conversation(1), id, None),
            move_task(task, nowhere, None),
        ] {
            assert_eq!(replay.ask(event).unwrap_err().status, 430);
        }
        for prev in [task, of_conversation(1), other] {
            assert_eq!(replay.ask(move_task(task, archived, Some(prev))).unwrap_err().status, 400);
        }
    }

    #[test]
    fn a_conversations_task_stands_on_the_board_of_its_assignee_and_goes_with_its_assignment() {
        let mut replay = Replay::alice();
        let id = replay.default_id();
        replay.task("own");
        replay.hear(7, Assignment::Todo, 1);
        replay.hear(8, Assignment::Todo, 1);
        assert_eq!(replay.standing(id), ["8", "7", "own"]);
        let places = replay.state.board.placements();
        assert_eq!(places[&of_conversation(7)], replay.place(of_conversation(7)));

        let horizon = replay.stamp;
        replay.hear(7, Assignment::Gone, 2);
        assert_eq!(replay.standing(id), ["8", "own"]);
        assert_eq!(
            replay.state.board.placements()[&of_conversation(7)],
            None,
            "it is taken back with a null"
        );
        assert_eq!(replay.state.board.tasks_since(horizon), [of_conversation(7)]);
        assert_eq!(replay.ask(put_away(of_conversation(7))).unwrap_err().status, 430);

        replay.hear(7, Assignment::Todo, 3);
        assert_eq!(replay.standing(id), ["7", "8", "own"], "it comes back on top");
    }

    #[test]
    fn an_older_word_and_the_same_word_again_change_nothing() {
        let mut replay = Replay::alice();
        replay.hear(7, Assignment::Gone, 5);
        for version in [4, 5] {
            assert!(replay.hear(7, Assignment::Todo, version).changes.is_empty());
        }
        replay.hear(7, Assignment::Todo, 6);
        replay.hear(7, Assignment::Done, 7);
        assert!(replay.hear(7, Assignment::Todo, 6).changes.is_empty());
    }

    #[test]
    fn done_in_the_conversation_keeps_the_place_and_tells_nothing() {
        let mut replay = Replay::alice();
        replay.hear(7, Assignment::Todo, 1);
        replay.hear(8, Assignment::Todo, 1);
        let horizon = replay.stamp;
        assert!(replay.hear(7, Assignment::Done, 2).board.is_empty());
        assert_eq!(replay.standing(replay.default_id()), ["8", "7"]);
        assert!(replay.state.board.tasks_since(horizon).is_empty());
    }

    #[test]
    fn the_conversations_archive_moves_it_and_the_own_archive_is_the_owners() {
        let mut replay = Replay::alice();
        let (id, archived) = (replay.default_id(), replay.archived_id());
        let section = replay.section("Later", None);
        replay.hear(7, Assignment::Todo, 1);
        replay.ask(move_task(of_conversation(7), section, None)).unwrap();
        replay.hear(7, Assignment::ArchivedInConversation, 2);
        assert_eq!(replay.standing(archived), ["7"]);
        replay.hear(7, Assignment::Done, 3);
        assert_eq!(replay.standing(section), ["7"]);
        replay.ask(put_away(of_conversation(7))).unwrap();
        replay.hear(7, Assignment::Todo, 4);
        assert_eq!(replay.standing(archived), ["7"], "only the conversation's archive is undone with it");
        replay.hear(8, Assignment::ArchivedInConversation, 1);
        assert_eq!(replay.standing(archived), ["8", "7"]);
        replay.hear(8, Assignment::Todo, 2);
        assert_eq!(replay.standing(id), ["8"]);
    }

    #[test]
    fn conversations_are_asked_for_their_messages() {
        use crate::account::board::record::{Texts, records};
        let mut replay = Replay::alice();
        let task = replay.task("own");
        replay.hear(7, Assignment::Todo, 1);
        let news = [Told::Task(of_conversation(7)), Told::Task(task)];
        let records = records(&replay.state.board, &news, &Texts::new());
        assert_eq!(records.shows[&CONVERSATION], [(7, of_conversation(7))]);
        assert_eq!(records.pieces.len(), 1);
        assert_eq!(replay.records(&news)[0]["message_id"], json!(task));
    }
}
