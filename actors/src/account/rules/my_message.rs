//! The events on private tasks and canned responses, and the files in them (accounts.md §6 and §7.4).

use rill_proto::event::my_message::{self, Event};
use rill_proto::id::MessageId;
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

use super::board::Draft;
use super::{Decision, Facts, Judged, Need, Stop};
use crate::account::board::{Board, CANNED_MAX, Task, Text, What};
use crate::account::state::State;
use crate::account::upload;
use crate::file::body::{render, with_files};
use crate::file::{Attached, Attaching, File, Host, bytes_of, check_urls};

/// Decides an event on a private task or a canned response.
///
/// # Errors
/// What the request record says, or what must be read first.
pub(super) fn decide(state: &State, event: &Event, facts: &Facts) -> Judged<Decision> {
    let board = &state.board;
    match event {
        Event::AddCanned(event) => add_canned(state, event, facts),
        Event::AddTodo(event) => add_todo(state, event, facts),
        Event::Archive(event) => {
            let (mut draft, task) = private(board, event.message_id, facts)?;
            draft.archive(event.message_id, task);
            Ok(about(draft, event.message_id))
        }
        Event::Unarchive(event) => {
            let (mut draft, task) = private(board, event.message_id, facts)?;
            draft.unarchive(event.message_id, task);
            Ok(about(draft, event.message_id))
        }
        Event::SetDone(event) => set_done(board, event.message_id, true, facts),
        Event::SetTodo(event) => set_done(board, event.message_id, false, facts),
        Event::Delete(event) => delete(board, event.message_id, facts),
        Event::Edit(event) => {
            let files = Some(event.attachment_urls.as_deref().unwrap_or_default());
            revise(state, event.message_id, Some(&event.message), files, facts)
        }
        Event::EditBody(event) => revise(state, event.message_id, Some(&event.message), None, facts),
        Event::EditAttachments(event) => {
            let files = Some(event.attachment_urls.as_deref().unwrap_or_default());
            revise(state, event.message_id, None, files, facts)
        }
        Event::EditCanned(event) => edit_canned(state, event, facts),
    }
}

pub(super) fn about(draft: Draft<'_>, id: MessageId) -> Decision {
    draft.finish(json!({ "message_id": id }))
}

/// A private task that is there, and a draft of what becomes of it.
///
/// # Errors
/// 430 for what is not the caller's or is on his board from a conversation, 400 for what is no task.
fn private<'a>(board: &'a Board, id: MessageId, facts: &'a Facts) -> Result<(Draft<'a>, &'a Task), Refusal> {
    let task = board.task(id).ok_or_else(|| Refusal::not_found("Message"))?;
    match task.what {
        What::Private { .. } => Ok((Draft::new(board, facts), task)),
        What::Canned { .. } => Err(Refusal::invalid_state("A canned response is no task.")),
        What::Deleted => Err(Refusal::invalid_state("The task has been deleted.")),
        What::Assigned { .. } => Err(Refusal::not_found("Message")),
    }
}

/// What was read of a text.
///
/// # Errors
/// It must be read first.
fn text_of<'a>(task: &Task, id: MessageId, facts: &'a Facts) -> Judged<&'a Text> {
    let read = facts.texts.get(&id).filter(|text| Some(text.store_time) == task.store_time());
    read.ok_or_else(|| Stop::Needs(Need::Texts(vec![id])))
}

/// The files of a private message once the urls replace all of them.
///
/// # Errors
/// 400 for an url that cannot be one or too many of them, 430 for one that names nothing that the caller may see, or what
/// must be looked up first.
fn attach(
    state: &State,
    id: MessageId,
    earlier: &[File],
    urls: &[String],
    facts: &Facts,
) -> Judged<Attached> {
    check_urls(urls)?;
    let host = Host::Private { message_id: id };
    let attaching = Attaching { host, earlier, caller: state.account_id, now: facts.now };
    let is_missing = |url: &&String| attaching.own(url).is_none() && !facts.files.contains_key(*url);
    let missing: Vec<String> = urls.iter().filter(is_missing).cloned().collect();
    if !missing.is_empty() {
        return Err(Stop::Needs(Need::Files(missing)));
    }
    Ok(attaching.replace(urls, |url| facts.files.get(url).cloned().flatten())?)
}

/// A message without a text and without a file says nothing.
fn says_something(text: &str, files: &[File]) -> Result<(), Refusal> {
    if text.trim().is_empty() && files.iter().all(|file| file.is_deleted) {
        return Err(Refusal::invalid_call("message", "a text or a file is needed"));
    }
    Ok(())
}

/// Makes a private task or a canned response.
fn make(
    state: &State,
    what: What,
    (message, canned_name): (&str, Option<String>),
    urls: Option<&[String]>,
    facts: &Facts,
) -> Judged<Decision> {
    let id = MessageId(facts.fresh);
    let Attached { files, uploads } = attach(state, id, &[], urls.unwrap_or_default(), facts)?;
    says_something(message, &files)?;
    let mut draft = Draft::new(&state.board, facts);
    let place = matches!(what, What::Private { .. }).then(|| draft.top(state.board.default_id()));
    let bytes = bytes_of(&files);
    draft.use_up(upload::attached(state, &uploads, facts).changes);
    draft.put_text(
        id,
        Some(Text {
            message: render(message, &files).xml,
            canned_name,
            posted_time: facts.now,
            edited_time: None,
            files,
            store_time: facts.stamp,
        }),
    );
    draft.put_task(id, Task { what, place, from: None, bytes, stamp: facts.stamp });
    Ok(about(draft, id))
}

fn add_todo(state: &State, event: &my_message::AddTodo, facts: &Facts) -> Judged<Decision> {
    if state.board.tasks_standing() >= facts.tasks_max {
        let what = format!("Your board holds {} tasks, no more fit.", facts.tasks_max);
        return Err(Refusal::no_permission(what).into());
    }
    let what = What::Private { is_done: false, store_time: facts.stamp };
    make(state, what, (&event.message, None), event.attachment_urls.as_deref(), facts)
}

fn set_done(board: &Board, id: MessageId, done: bool, facts: &Facts) -> Judged<Decision> {
    let (mut draft, task) = private(board, id, facts)?;
    match task.what {
        What::Private { is_done, store_time } if is_done != done => {
            draft.put_task(id, Task { what: What::Private { is_done: done, store_time }, ..task.clone() });
        }
        What::Private { .. } | What::Canned { .. } | What::Deleted | What::Assigned { .. } => {
            draft.tell_task(id);
        }
    }
    Ok(about(draft, id))
}

/// Its files go with it, and their records with its own.
fn delete(board: &Board, id: MessageId, facts: &Facts) -> Judged<Decision> {
    let task = board.task(id).ok_or_else(|| Refusal::not_found("Message"))?;
    let mut draft = Draft::new(board, facts);
    match task.what {
        What::Private { .. } | What::Canned { .. } => {
            draft.put_text(id, None);
            let what = What::Deleted;
            draft.put_task(id, Task { what, place: None, from: None, bytes: 0, stamp: facts.stamp });
        }
        What::Deleted => draft.tell_task(id),
        What::Assigned { .. } => return Err(Refusal::not_found("Message").into()),
    }
    Ok(about(draft, id))
}

/// Replaces what a private task says, its files or both.
fn revise(
    state: &State,
    id: MessageId,
    message: Option<&str>,
    urls: Option<&[String]>,
    facts: &Facts,
) -> Judged<Decision> {
    let (mut draft, task) = private(&state.board, id, facts)?;
    let before = text_of(task, id, facts)?;
    let is_done = matches!(task.what, What::Private { is_done: true, .. });
    let what = What::Private { is_done, store_time: facts.stamp };
    replace(state, &mut draft, (id, before, what), (message, before.canned_name.as_deref()), urls, facts)?;
    Ok(about(draft, id))
}

/// Gives a message another text, another name, other files; what is not given stays.
fn replace(
    state: &State,
    draft: &mut Draft<'_>,
    (id, before, what): (MessageId, &Text, What),
    (message, canned_name): (Option<&str>, Option<&str>),
    urls: Option<&[String]>,
    facts: &Facts,
) -> Judged<()> {
    let Attached { files, uploads } = match urls {
        Some(urls) => attach(state, id, &before.files, urls, facts)?,
        None => Attached { files: before.files.clone(), uploads: Vec::new() },
    };
    let xml = match message {
        Some(message) => {
            says_something(message, &files)?;
            render(message, &files).xml
        }
        None => with_files(&before.message, &files),
    };
    let canned_name = canned_name.map(str::to_owned);
    if xml == before.message && files == before.files && canned_name == before.canned_name {
        draft.tell_task(id);
        return Ok(());
    }
    let Some(task) = state.board.task(id) else { return Ok(()) };
    let bytes = bytes_of(&files);
    draft.use_up(upload::attached(state, &uploads, facts).changes);
    draft.put_text(
        id,
        Some(Text {
            message: xml,
            canned_name,
            posted_time: before.posted_time,
            edited_time: Some(facts.now),
            files,
            store_time: facts.stamp,
        }),
    );
    draft.put_task(id, Task { what, bytes, ..task.clone() });
    Ok(())
}

/// The name of a canned response, and its form for comparing.
///
/// # Errors
/// 400 for a blank one, 431 for one that another has.
fn name_of(board: &Board, name: &str, id: MessageId) -> Result<(String, Uuid), Refusal> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Refusal::invalid_call("canned_name", "a name is needed, blanks alone are none"));
    }
    let key = board.name_key(name);
    if board.canned_named(key).is_some_and(|holder| holder != id) {
        return Err(Refusal::no_permission("Another canned response has this name."));
    }
    Ok((name.to_owned(), key))
}

fn add_canned(state: &State, event: &my_message::AddCanned, facts: &Facts) -> Judged<Decision> {
    let board = &state.board;
    let (canned_name, name) = name_of(board, &event.canned_name, MessageId(facts.fresh))?;
    if board.canned_count() >= CANNED_MAX {
        let text = format!("You have {CANNED_MAX} canned responses, no more fit.");
        return Err(Refusal::no_permission(text).into());
    }
    let what = What::Canned { name, store_time: facts.stamp };
    make(state, what, (&event.message, Some(canned_name)), event.attachment_urls.as_deref(), facts)
}

fn edit_canned(state: &State, event: &my_message::EditCanned, facts: &Facts) -> Judged<Decision> {
    let (board, id) = (&state.board, event.message_id);
    let task = board.task(id).ok_or_else(|| Refusal::not_found("Message"))?;
    match task.what {
        What::Canned { .. } => {}
        What::Private { .. } | What::Deleted => {
            return Err(Refusal::invalid_state("This is no canned response.").into());
        }
        What::Assigned { .. } => return Err(Refusal::not_found("Message").into()),
    }
    let (canned_name, name) = name_of(board, &event.canned_name, id)?;
    let before = text_of(task, id, facts)?;
    let mut draft = Draft::new(board, facts);
    let what = What::Canned { name, store_time: facts.stamp };
    let urls = Some(event.attachment_urls.as_deref().unwrap_or_default());
    let said = (Some(&*event.message), Some(&*canned_name));
    replace(state, &mut draft, (id, before, what), said, urls, facts)?;
    Ok(about(draft, id))
}

#[cfg(test)]
mod tests {
    use rill_proto::id::MessageId;
    use rill_proto::refusal::Refusal;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::account::board::record::Told;
    use crate::account::board::{Place, TASKS_MAX, Task};
    use crate::account::rules::board_replay::*;
    use crate::account::upload;
    use crate::effect::Assignment;
    use crate::weight::Weight;

    #[test]
    fn new_tasks_stand_on_top_of_the_default_section() {
        let mut replay = Replay::alice();
        let (first, second) = (replay.task("first"), replay.task("second"));
        assert_eq!(replay.standing(replay.default_id()), ["second", "first"]);
        assert_eq!((replay.weight(first), replay.weight(second)), (4_294_967_296.0, 4_295_032_832.0));
        let record = &replay.records(&[Told::Task(second)])[0];
        assert_eq!(record["message"], "<msg><p>second</p></msg>");
        assert_eq!(record["mk_message_state"], "urn:fleep:my_message:mk_message_state:todo");
        assert_eq!(record["section_id"], json!(replay.default_id()));
        assert_eq!((record.get("edited_time"), record.get("canned_name")), (None, None));
    }

    #[test]
    fn a_task_needs_a_text() {
        let mut replay = Replay::alice();
        let task = replay.task("text");
        for event in [add_todo("  \n"), edit_body(task, " ")] {
            assert_eq!(replay.ask(event).unwrap_err().status, 400);
        }
    }

    #[test]
    fn a_board_that_is_full_takes_no_more() {
        let mut replay = Replay::alice();
        let first = replay.task("one");
        let task = replay.state.board.task(first).cloned().unwrap();
        replay.state.board.fold_task(first, None);
        for (nr, weight) in Weight::anew(TASKS_MAX).enumerate() {
            let place = task.place.map(|place| Place { weight, ..place });
            let id = MessageId(Uuid::from_u128(nr as u128));
            replay.state.board.fold_task(id, Some(&Task { place, ..task.clone() }));
        }
        assert_eq!(replay.state.board.tasks_standing(), TASKS_MAX);
        assert_eq!(replay.ask(add_todo("more")).unwrap_err().status, 431);
    }

    #[test]
    fn an_edit_keeps_place_state_and_time_of_posting() {
        let mut replay = Replay::alice();
        let task = replay.task("one");
        replay.ask(set_done(task)).unwrap();
        let before = replay.records(&[Told::Task(task)]).remove(0);
        replay.ask(edit_body(task, "two")).unwrap();
        let after = replay.records(&[Told::Task(task)]).remove(0);
        for key in ["section_id", "task_weight", "mk_message_state", "posted_time"] {
            assert_eq!(before[key], after[key]);
        }
        assert_eq!(after["message"], "<msg><p>two</p></msg>");
        assert!(before.get("edited_time").is_none() && after["edited_time"].is_i64());
        let stamp = replay.stamp;
        assert!(replay.ask(edit_body(task, "two")).unwrap().changes.is_empty(), "it says so already");
        assert!(replay.state.board.tasks_since(stamp).is_empty());
    }

    #[test]
    fn done_and_back_changes_nothing_but_the_state() {
        let mut replay = Replay::alice();
        let (task, _) = (replay.task("one"), replay.task("two"));
        let place = replay.place(task);
        for (event, state) in [(set_done(task), "done"), (set_done(task), "done"), (set_todo(task), "todo")] {
            replay.ask(event).unwrap();
            let record = &replay.records(&[Told::Task(task)])[0];
            assert_eq!(record["mk_message_state"], format!("urn:fleep:my_message:mk_message_state:{state}"));
            assert_eq!(replay.place(task), place);
        }
    }

    #[test]
    fn what_was_put_away_comes_back_on_top_of_where_it_was() {
        let mut replay = Replay::alice();
        let section = replay.section("Later", None);
        let (one, two) = (replay.task("one"), replay.task("two"));
        replay.ask(move_task(one, section, None)).unwrap();
        replay.ask(archive(one)).unwrap();
        replay.ask(archive(two)).unwrap();
        assert_eq!(replay.standing(replay.archived_id()), ["two", "one"]);
        assert!(replay.ask(archive(two)).unwrap().changes.is_empty(), "it is put away already");
        let other = replay.task("other");
        replay.ask(move_task(other, section, None)).unwrap();
        replay.ask(unarchive(one)).unwrap();
        assert_eq!(replay.standing(section), ["one", "other"]);
        assert!(replay.ask(unarchive(one)).unwrap().changes.is_empty(), "it is back already");

        // Its section is gone: the default one takes it.
        replay.ask(archive(one)).unwrap();
        replay.ask(delete_section(section)).unwrap();
        replay.ask(unarchive(one)).unwrap();
        assert_eq!(replay.standing(replay.default_id()), ["one", "other"]);
    }

    #[test]
    fn a_deleted_task_is_off_the_board_and_said_to_be_gone() {
        let mut replay = Replay::alice();
        let task = replay.task("one");
        let horizon = replay.stamp;
        replay.ask(delete(task)).unwrap();
        assert!(replay.standing(replay.default_id()).is_empty());
        assert_eq!(replay.state.board.tasks_since(horizon), [task]);
        let record = &replay.records(&[Told::Task(task)])[0];
        assert_eq!((&record["message"], &record["section_id"]), (&Value::from(""), &Value::Null));
        assert!(replay.ask(delete(task)).unwrap().changes.is_empty(), "once more is no error");
        for event in [edit_body(task, "two"), set_done(task), archive(task), unarchive(task)] {
            assert_eq!(replay.ask(event).unwrap_err().status, 400);
        }
    }

    #[test]
    fn tasks_of_conversations_and_of_nobody_are_not_found() {
        let mut replay = Replay::alice();
        replay.hear(7, Assignment::Todo, 1);
        for id in [of_conversation(7), of_conversation(8)] {
            for event in [
                edit_body(id, "two"),
                set_done(id),
                archive(id),
                unarchive(id),
                delete(id),
                edit_canned(id, "a", "b"),
            ] {
                assert_eq!(replay.ask(event), Err(Refusal::not_found("Message")));
            }
        }
    }

    #[test]
    fn files_stand_in_the_body_count_and_go_when_they_are_not_named_any_more() {
        let mut replay = Replay::alice();
        let urls = [replay.upload("a.txt", 100), replay.upload("b.txt", 20)];
        let task = replay.task_with("", &urls);
        assert!(replay.state.uploads.values().all(|upload| upload.is_attached));
        assert_eq!((replay.state.board.bytes(), upload::used(&replay.state)), (120, 120));
        assert_eq!(upload::own_stamp(&replay.state), replay.stamp, "the own record says so");
        let records = replay.records(&[Told::Task(task)]);
        assert_eq!((records.len(), &records[1]["mk_rec_type"]), (3, &Value::from("file")));
        assert!(records[0]["message"].as_str().unwrap().contains(">b.txt</file>"));
        let kept = records[2]["file_url"].as_str().unwrap().to_owned();

        replay.ask(edit_attachments(task, std::slice::from_ref(&kept))).unwrap();
        let records = replay.records(&[Told::Task(task)]);
        let gone: Vec<&Value> = records[1..].iter().map(|file| &file["is_deleted"]).collect();
        assert_eq!((gone, replay.state.board.bytes()), (vec![&json!(false), &json!(true)], 20));

        replay.ask(edit_body(task, "with a text")).unwrap();
        let message = &replay.records(&[Told::Task(task)])[0]["message"];
        assert!(message.as_str().unwrap().starts_with("<msg><p>with a text</p><file "));
        assert!(replay.ask(edit_body(task, "")).is_ok(), "the file says something");
        replay.ask(edit_attachments(task, &[])).unwrap();
        assert_eq!(replay.state.board.bytes(), 0);
        let nothing = edit_attachments(task, &["/upload/AAAAAAAAAAAAAAAAAAAAAA/x".to_owned()]);
        assert_eq!(replay.ask(nothing), Err(Refusal::not_found("File")));
        assert_eq!(replay.ask(edit_attachments(task, &["x".to_owned()])).unwrap_err().status, 400);

        let other = replay.task_with("two", &urls[..1]);
        assert_eq!(replay.state.board.bytes(), 100, "an upload may be attached more than once");
        replay.ask(delete(other)).unwrap();
        assert_eq!(replay.state.board.bytes(), 0);
    }

    #[test]
    fn a_canned_response_is_on_no_board_and_its_name_is_its_own() {
        let mut replay = Replay::alice();
        let decision = replay.ask(add_canned(" Hello ", "How do you do?")).unwrap();
        let id = serde_json::from_value(decision.identifier["message_id"].clone()).unwrap();
        let record = &replay.records(&[Told::Task(id)])[0];
        assert_eq!((&record["canned_name"], &record["section_id"]), (&Value::from("Hello"), &Value::Null));
        assert_eq!(record["mk_message_state"], "urn:fleep:my_message:mk_message_state:canned");
        assert!(replay.standing(replay.default_id()).is_empty());
        assert_eq!(replay.ask(add_canned("hELLO", "again")).unwrap_err().status, 431);
        assert_eq!(replay.ask(add_canned("  ", "again")).unwrap_err().status, 400);
        assert_eq!(replay.ask(add_canned("Bye", " ")).unwrap_err().status, 400);
        for event in [set_done(id), set_todo(id), archive(id), unarchive(id), edit_body(id, "two")] {
            assert_eq!(replay.ask(event).unwrap_err().status, 400);
        }
        assert_eq!(replay.ask(put_away(id)), Err(Refusal::not_found("Message")));

        replay.ask(add_canned("Bye", "Farewell")).unwrap();
        assert_eq!(replay.ask(edit_canned(id, "BYE", "x")).unwrap_err().status, 431);
        replay.ask(edit_canned(id, "HELLO", "Good day")).unwrap();
        replay.ask(delete(id)).unwrap();
        replay.ask(add_canned("hello", "free again")).unwrap();
        let task = replay.task("one");
        assert_eq!(replay.ask(edit_canned(task, "One", "x")).unwrap_err().status, 400);
    }
}
