//! Tasks: what makes one, whose it is, and where it stands (conversations.md §9.1, §9.2, §10).
//!
//! Not here: the sections themselves (`section`).

use rill_proto::classificator::MessageState;
use rill_proto::event::message;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::board::{List, Place, Task};
use crate::conversation::rules::draft::{Draft, Post, number};
use crate::conversation::rules::message::{Writing, write};
use crate::conversation::rules::{Decision, Facts, Judged, board, body, revision, standing};
use crate::conversation::state::{Member, MessageKind, SectionSubtype, State};

/// How many assignees a task has: more than a task that is anybody's, and few enough that its record stays short.
const ASSIGNEES_MAX: usize = 100;

/// `message:add_todo`.
pub(super) fn add_todo(
    state: &State,
    caller: AccountId,
    event: &message::AddTodo,
    facts: &Facts,
) -> Judged<Decision> {
    let writing = Writing {
        message: &event.message,
        subject: event.subject.as_deref(),
        attachment_urls: event.attachment_urls.as_deref(),
        reply_to: None,
    };
    let (mut draft, nr) = write(state, caller, &writing, facts)?;
    draft.post_as(nr, MessageState::Todo)?;
    let assignee_ids = assignees(state, event.assignee_ids.as_deref())?;
    if !assignee_ids.is_empty() {
        draft.amend(nr, |message| message.extras_mut().assigner_id = Some(caller))?;
        assign(&mut draft, nr, assignee_ids)?;
    }
    draft.finish(event.from_message_nr)
}

/// `message:set_todo`.
pub(super) fn set_todo(
    state: &State,
    caller: AccountId,
    event: &message::SetTodo,
    facts: &Facts,
) -> Judged<Decision> {
    revision::turn(state, caller, event.message_nr, MessageState::Todo, event.from_message_nr, facts)
}

/// `message:set_done`, which is told in a message of its own where the conversation is set to do so.
pub(super) fn set_done(
    state: &State,
    caller: AccountId,
    event: &message::SetDone,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    if message.state == MessageState::Done {
        return draft.finish(event.from_message_nr);
    }
    draft.turn(message.message_nr, MessageState::Done)?;
    if draft.head.settings.has_done_notifications {
        let told = body::TaskCompleted {
            task_message_nr: message.message_nr,
            sysmsg_text: "{author} completed a task.".to_owned(),
        };
        let message = body::text(&told);
        draft.post(MessageKind::TaskCompleted, Post { message, ..Post::default() })?;
    }
    draft.finish(event.from_message_nr)
}

/// `message:set_assignees`: who is named is it, and nobody else. What is no task becomes one when somebody is named.
pub(super) fn set_assignees(
    state: &State,
    caller: AccountId,
    event: &message::SetAssignees,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    let nr = message.message_nr;
    let assignee_ids = assignees(state, event.assignee_ids.as_deref())?;
    let task = draft.place(nr).and_then(Place::task);
    if assignee_ids == task.map_or(&[][..], |task| &task.assignee_ids) {
        return draft.finish(event.from_message_nr);
    }
    if task.is_some() {
        draft.revise(nr, |_| {})?;
    } else {
        draft.turn(nr, MessageState::Todo)?;
    }
    draft.amend(nr, |message| message.extras_mut().assigner_id = Some(caller))?;
    assign(&mut draft, nr, assignee_ids)?;
    draft.finish(event.from_message_nr)
}

/// Those of the named who are members, in the order of their joining; each once.
fn assignees(state: &State, named: Option<&[AccountId]>) -> Result<Vec<AccountId>, Refusal> {
    let named = named.unwrap_or_default();
    if named.len() > ASSIGNEES_MAX {
        let text = format!("at most {ASSIGNEES_MAX} accounts have a task together");
        return Err(Refusal::invalid_call("assignee_ids", text));
    }
    let member = |id: &AccountId| state.members.get(id).filter(|member| member.is_present());
    let mut found: Vec<(u32, AccountId)> =
        named.iter().filter_map(|id| member(id).map(|member: &Member| (member.place, *id))).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

fn assign(draft: &mut Draft<'_>, nr: u64, assignee_ids: Vec<AccountId>) -> Result<(), Refusal> {
    let task = draft.place(nr).and_then(Place::task).cloned();
    let place = task.map(|task| Place::Task(Task { assignee_ids, ..task }));
    draft.put_place(nr, place)
}

/// `message:archive`: on top of the archive.
pub(super) fn archive(
    state: &State,
    caller: AccountId,
    event: &message::Archive,
    facts: &Facts,
) -> Judged<Decision> {
    file_away(state, caller, event.message_nr, true, event.from_message_nr, facts)
}

/// `message:unarchive`: on top of the default section.
pub(super) fn unarchive(
    state: &State,
    caller: AccountId,
    event: &message::Unarchive,
    facts: &Facts,
) -> Judged<Decision> {
    file_away(state, caller, event.message_nr, false, event.from_message_nr, facts)
}

/// Brings a task into the archive, or out of it; nothing happens when it is there.
fn file_away(
    state: &State,
    caller: AccountId,
    message_nr: i64,
    is_archived: bool,
    from_message_nr: Option<i64>,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, message_nr, facts)?;
    let task = task_of(&draft, message.message_nr)?;
    if state.is_archive(task.section_id) != is_archived {
        let subtype = if is_archived { SectionSubtype::Archived } else { SectionSubtype::Default };
        to_the_top(&mut draft, message.message_nr, task, subtype)?;
    }
    draft.finish(from_message_nr)
}

/// Moves a task on top of the archive or the default section, in a revision of its own.
///
/// # Errors
/// [`Stop::Needs`](super::Stop::Needs) when the message is not in memory.
pub(super) fn to_the_top(draft: &mut Draft<'_>, nr: u64, task: Task, subtype: SectionSubtype) -> Judged<()> {
    let section_id = draft.section(subtype)?;
    let place = draft.at_the_top(section_id, task);
    draft.revise(nr, |_| {})?;
    Ok(draft.put_place(nr, Some(place))?)
}

/// `message:task:set_position`: behind another task of a section, or first in it. Into the archive and out of it is archiving
/// and taking back.
pub(super) fn set_position(
    state: &State,
    caller: AccountId,
    event: &message::TaskSetPosition,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    let task = task_of(&draft, message.message_nr)?;
    let section_id = event.section_id;
    let known = state.sections.get(&section_id).filter(|section| !section.is_deleted);
    known.ok_or_else(|| Refusal::not_found("Section"))?;
    let since = if task.section_id == section_id { task.since } else { draft.head.last_message_nr + 1 };
    let weight = draft.on_top(List::Tasks(section_id));
    let place = Place::Task(Task { section_id, weight, since, ..task });
    board::put(&mut draft, message.message_nr, place, number(event.prev_message_nr))?;
    draft.finish(event.from_message_nr)
}

/// # Errors
/// 400 for what is no task.
fn task_of(draft: &Draft<'_>, nr: u64) -> Result<Task, Refusal> {
    let task = draft.place(nr).and_then(Place::task).cloned();
    task.ok_or_else(|| Refusal::invalid_state("The message is not a task."))
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::MessageState;
    use rill_proto::id::AccountId;
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use super::ASSIGNEES_MAX;
    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{News, Reach};

    fn assign(nr: u64, whom: &[AccountId]) -> rill_proto::event::ClientEvent {
        event("message:set_assignees", json!({"message_nr": nr, "assignee_ids": whom}))
    }

    fn assignees(replay: &Replay, nr: u64) -> Vec<AccountId> {
        replay.state.board.get(nr).unwrap().task().unwrap().assignee_ids.clone()
    }

    #[test]
    fn a_task_is_posted_to_the_top_of_the_default_section() {
        let mut replay = Replay::with(&[BOB]);
        let params = json!({"message": "do", "assignee_ids": [BOB, JIL, BOB]});
        let decision = replay.ask(ALICE, event("message:add_todo", params)).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2"]);
        assert_eq!(effects(&decision), ["bob task 2 Todo"]);
        assert_eq!(assignees(&replay, 2), [BOB], "members only, each once");
        let extras = replay.message(2).extras();
        assert_eq!((extras.tasked_account_id, extras.assigner_id), (Some(ALICE), Some(ALICE)));
        replay.put_up(BOB, "add_todo");
        assert_eq!(replay.tasks(replay.default_section()), [3, 2]);
        assert_eq!(replay.message(3).extras().assigner_id, None);
        let boards = replay.state.boards();
        assert!(boards.has_taskboard && !boards.has_task_archive && !boards.has_pinboard);
    }

    #[test]
    fn done_and_todo_keep_the_place() {
        let mut replay = Replay::with(&[BOB]);
        replay.put_up(ALICE, "add_todo");
        replay.put_up(ALICE, "add_todo");
        let decision = replay.turn(BOB, "set_done", 2).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 4"]);
        assert_eq!(replay.tasks(replay.default_section()), [3, 2]);
        assert!(replay.turn(BOB, "set_done", 2).unwrap().changes.is_empty());
        replay.turn(BOB, "set_todo", 2).unwrap();
        assert_eq!(replay.tasks(replay.default_section()), [3, 2]);
        replay.turn(BOB, "set_plain", 2).unwrap();
        replay.turn(BOB, "set_todo", 2).unwrap();
        assert_eq!(replay.tasks(replay.default_section()), [2, 3], "again at the top");
        assert_eq!(replay.message(2).extras().tasked_account_id, Some(BOB));
    }

    #[test]
    fn where_it_is_told_the_completion_is_a_message_behind_the_revision() {
        let mut replay = Replay::with(&[BOB]);
        replay.put_up(ALICE, "add_todo");
        replay.state.head.as_mut().unwrap().settings.has_done_notifications = true;
        let decision = replay.judge_only(BOB, on("set_done", 2)).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3", "message 4"]);
        let others = ["conv Update", "message 2 flow 3", "message 4", "activity bob"];
        assert_eq!(told(&decision, Reach::Others), others);
        let Some(News::Message { message: told, flow: None }) = decision.answer.last() else {
            panic!("the answer ends with the system message")
        };
        let body = r#"{"task_message_nr":2,"sysmsg_text":"{author} completed a task."}"#;
        assert_eq!((told.message.as_str(), told.inbox_nr, told.state), (body, -1, MessageState::System));
        assert_eq!(decision.identifier["message_nr"], 2);
    }

    #[test]
    fn assignees_are_replaced_and_each_is_told_what_changes_for_him() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.put_up(ALICE, "add_todo");
        let decision = replay.ask(ALICE, assign(2, &[CHARLIE, BOB])).unwrap();
        assert_eq!(effects(&decision), ["bob task 2 Todo", "charlie task 2 Todo"]);
        assert_eq!(assignees(&replay, 2), [BOB, CHARLIE], "in the order of their joining");
        assert!(replay.ask(BOB, assign(2, &[BOB, CHARLIE])).unwrap().changes.is_empty());
        assert_eq!(
            effects(&replay.turn(BOB, "set_done", 2).unwrap()),
            ["bob task 2 Done", "charlie task 2 Done"]
        );
        let decision = replay.ask(BOB, assign(2, &[CHARLIE])).unwrap();
        assert_eq!(effects(&decision), ["bob task 2 Gone"]);
        assert_eq!(replay.message(2).extras().assigner_id, Some(BOB));
        let archived = replay.turn(ALICE, "archive", 2).unwrap();
        assert_eq!(effects(&archived), ["charlie task 2 ArchivedInConversation"]);
        assert_eq!(effects(&replay.turn(ALICE, "unarchive", 2).unwrap()), ["charlie task 2 Done"]);
        assert_eq!(effects(&replay.turn(ALICE, "set_pinned", 2).unwrap()), ["charlie task 2 Gone"]);
        assert!(effects(&replay.turn(ALICE, "set_todo", 2).unwrap()).is_empty(), "its assignees are gone");
        replay.ask(ALICE, assign(2, &[BOB])).unwrap();
        let nobody = event("message:set_assignees", json!({"message_nr": 2}));
        assert_eq!(effects(&replay.ask(ALICE, nobody).unwrap()), ["bob task 2 Gone"]);
        replay.ask(ALICE, assign(2, &[BOB])).unwrap();
        assert_eq!(effects(&replay.ask(CHARLIE, delete(2)).unwrap()), ["bob task 2 Gone"]);
    }

    #[test]
    fn naming_somebody_makes_a_message_a_task_and_naming_nobody_does_not() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        assert!(replay.ask(ALICE, assign(2, &[])).unwrap().changes.is_empty());
        assert!(replay.ask(ALICE, assign(2, &[JIL])).unwrap().changes.is_empty(), "nobody who is a member");
        let decision = replay.ask(ALICE, assign(2, &[BOB])).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3"]);
        assert_eq!(replay.message(2).state, MessageState::Todo);
        let many: Vec<AccountId> = (0..=ASSIGNEES_MAX as u128).map(account).collect();
        assert_eq!(replay.ask(ALICE, assign(2, &many)).unwrap_err().status, 400);
    }

    #[test]
    fn who_goes_loses_his_tasks_and_who_comes_back_has_them_again() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(ALICE, set_topic("no dialog")).unwrap();
        replay.put_up(ALICE, "add_todo");
        replay.ask(ALICE, assign(3, &[BOB, CHARLIE])).unwrap();
        let gone = replay.ask(BOB, leave()).unwrap();
        assert_eq!(effects(&gone), ["bob task 3 Gone"]);
        assert!(replay.state.members[&BOB].frozen.as_ref().unwrap().boards.has_taskboard);
        assert_eq!(effects(&replay.turn(ALICE, "set_done", 3).unwrap()), ["charlie task 3 Done"]);
        let removed = replay.ask(ALICE, remove(&[CHARLIE])).unwrap();
        assert_eq!(effects(&removed), ["charlie task 3 Gone"]);
        let back = replay.ask(ALICE, add(&[BOB])).unwrap();
        assert!(effects(&back).contains(&"bob task 3 Done".to_owned()), "{:?}", effects(&back));
    }

    #[test]
    fn the_archive_is_a_section_and_its_tasks_go_there_and_back_to_the_top() {
        let mut replay = Replay::with(&[BOB]);
        for _ in 0..3 {
            replay.put_up(ALICE, "add_todo");
        }
        let (default, archive) = (replay.default_section(), replay.archive());
        let decision = replay.turn(BOB, "archive", 2).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 5"]);
        assert!(replay.turn(BOB, "archive", 2).unwrap().changes.is_empty());
        replay.turn(BOB, "archive", 4).unwrap();
        assert_eq!((replay.tasks(archive), replay.tasks(default)), (vec![4, 2], vec![3]));
        replay.turn(BOB, "set_done", 2).unwrap();
        assert_eq!(replay.tasks(archive), [4, 2], "done is one thing, archived another");
        assert!(replay.state.boards().has_task_archive);
        replay.turn(BOB, "unarchive", 2).unwrap();
        assert_eq!((replay.tasks(archive), replay.tasks(default)), (vec![4], vec![2, 3]));
        assert!(replay.turn(BOB, "unarchive", 2).unwrap().changes.is_empty());
        replay.post(ALICE, "no task");
        let plain = replay.head().last_message_nr;
        for verb in ["archive", "unarchive"] {
            assert_eq!(replay.turn(BOB, verb, plain).unwrap_err().status, 400);
        }
    }

    #[test]
    fn a_task_is_moved_within_its_section_and_into_others() {
        let mut replay = Replay::with(&[BOB]);
        for _ in 0..3 {
            replay.put_up(ALICE, "add_todo");
        }
        let (default, archive, other) =
            (replay.default_section(), replay.archive(), replay.add_section("Other"));
        let moved = |nr: u64, section_id, prev: u64| {
            event(
                "message:task:set_position",
                json!({"message_nr": nr, "section_id": section_id, "prev_message_nr": prev}),
            )
        };
        replay.ask(BOB, moved(2, default, 4)).unwrap();
        assert_eq!(replay.tasks(default), [4, 2, 3]);
        assert!(replay.ask(BOB, moved(2, default, 4)).unwrap().changes.is_empty());
        replay.ask(BOB, moved(2, other, 0)).unwrap();
        replay.ask(BOB, moved(4, other, 2)).unwrap();
        assert_eq!((replay.tasks(default), replay.tasks(other)), (vec![3], vec![2, 4]));
        assert_eq!((replay.weight(2), replay.weight(4)), (4_294_967_296.0, 4_294_901_760.0));
        replay.ask(BOB, moved(2, archive, 0)).unwrap();
        assert!(replay.state.boards().has_task_archive, "into the archive is archiving");
        let unknown = rill_proto::id::SectionId(uuid::Uuid::nil());
        assert_eq!(replay.ask(BOB, moved(3, unknown, 0)), Err(Refusal::not_found("Section")));
        assert_eq!(replay.ask(BOB, moved(3, other, 2)), Err(Refusal::not_found("Previous message")));
        assert_eq!(replay.ask(BOB, moved(3, other, 3)).unwrap_err().status, 400);
        assert_eq!(replay.ask(BOB, moved(1, other, 0)).unwrap_err().status, 400);
        replay.put_up(BOB, "add_pinned");
        let pin = replay.head().last_message_nr;
        assert_eq!(replay.ask(BOB, moved(pin, other, 0)).unwrap_err().status, 400, "it is no task");
        assert_eq!(replay.ask(BOB, moved(99, other, 0)), Err(Refusal::not_found("Message")));
    }
}
