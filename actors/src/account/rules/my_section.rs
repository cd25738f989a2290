//! The events on the sections of the own board (accounts.md §7.6).

use rill_proto::classificator::MySectionSubtype;
use rill_proto::event::my_section::{self, Event, TaskCursor};
use rill_proto::id::{MessageId, SectionId};
use rill_proto::refusal::Refusal;
use serde_json::json;

use super::board::{Draft, section};
use super::{Decision, Facts};
use crate::account::board::record::Told;
use crate::account::board::{Board, SECTIONS_MAX, Section, Task, What};
use crate::effect::Assignment;
use crate::weight::Weight;

/// Decides an event on a section of the own board.
///
/// # Errors
/// What the request record says.
pub(super) fn decide(board: &Board, event: &Event, facts: &Facts) -> Result<Decision, Refusal> {
    match event {
        Event::TaskAdd(event) => add(board, event, facts),
        Event::TaskRename(event) => rename(board, event, facts),
        Event::TaskSetPosition(event) => set_position(board, event, facts),
        Event::TaskDelete(event) => delete(board, event.section_id, facts),
        Event::TaskArchiveAll(event) => put_away(board, event.section_id, facts, |_| true),
        Event::TaskArchiveDone(event) => put_away(board, event.section_id, facts, is_done),
        Event::TaskSync(event) => sync(board, event),
    }
}

fn about(draft: Draft<'_>, id: SectionId) -> Decision {
    draft.finish(json!({ "section_id": id }))
}

fn name(given: &str) -> Result<String, Refusal> {
    let name = given.trim();
    if name.is_empty() {
        return Err(Refusal::invalid_call("section_name", "a name is needed, blanks alone are none"));
    }
    Ok(name.to_owned())
}

fn no_archive(section: &Section, what: &str) -> Result<(), Refusal> {
    if section.subtype == MySectionSubtype::Archived {
        return Err(Refusal::invalid_state(what));
    }
    Ok(())
}

/// The sections that can be moved, in the order in which they are shown.
fn movable(board: &Board) -> Vec<(SectionId, Weight)> {
    let shown = board.shown_sections().into_iter();
    let movable = shown.filter(|(_, section)| section.subtype != MySectionSubtype::Archived);
    movable.map(|(id, section)| (id, section.weight)).collect()
}

/// Gives a section the place behind another one (`None`: the first), or all of them new ones when there is no room.
fn put_behind(draft: &mut Draft<'_>, id: SectionId, section: Section, prev: Option<SectionId>) {
    let mut others = movable(draft.board);
    others.retain(|(other, _)| *other != id);
    let place = prev.and_then(|prev| others.iter().position(|(other, _)| *other == prev));
    let place = place.map_or(0, |at| at + 1);
    let next = others.get(place).map(|(_, weight)| *weight);
    let weight = match place.checked_sub(1) {
        None => Some(Weight::above(next)),
        // The archive stands below all of them.
        Some(at) => Weight::behind(others[at].1, next).filter(|weight| *weight > Weight::LAST),
    };
    if let Some(weight) = weight {
        return draft.put_section(id, Section { weight, ..section });
    }
    let mut order: Vec<SectionId> = others.into_iter().map(|(other, _)| other).collect();
    order.insert(place, id);
    for (other, weight) in order.iter().zip(Weight::anew(order.len())) {
        if *other == id {
            draft.put_section(id, Section { weight, ..section.clone() });
        } else if let Some(known) = draft.board.section(*other).filter(|known| known.weight != weight) {
            draft.put_section(*other, Section { weight, ..known.clone() });
        }
    }
}

fn add(board: &Board, event: &my_section::TaskAdd, facts: &Facts) -> Result<Decision, Refusal> {
    let name = name(&event.section_name)?;
    let movable = movable(board);
    let prev = match event.prev_section_id {
        None => movable.last().map(|(id, _)| *id),
        Some(prev) => {
            no_archive(section(board, prev)?, "Nothing stands behind the archive.")?;
            Some(prev)
        }
    };
    // The default one is not the owner's.
    if movable.len() > SECTIONS_MAX {
        return Err(Refusal::no_permission(format!("You have {SECTIONS_MAX} sections, no more fit.")));
    }
    let id = SectionId(facts.fresh);
    let mut draft = Draft::new(board, facts);
    let subtype = MySectionSubtype::User;
    let new = Section { name, subtype, weight: Weight::LAST, is_deleted: false, stamp: facts.stamp };
    put_behind(&mut draft, id, new, prev);
    Ok(about(draft, id))
}

fn rename(board: &Board, event: &my_section::TaskRename, facts: &Facts) -> Result<Decision, Refusal> {
    let id = event.section_id;
    let known = section(board, id)?;
    no_archive(known, "The archive keeps its name.")?;
    let name = name(&event.section_name)?;
    let mut draft = Draft::new(board, facts);
    if known.name == name {
        draft.tell_section(id);
    } else {
        draft.put_section(id, Section { name, ..known.clone() });
    }
    Ok(about(draft, id))
}

fn set_position(
    board: &Board,
    event: &my_section::TaskSetPosition,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    let (id, prev) = (event.section_id, event.prev_section_id);
    let known = section(board, id)?;
    no_archive(known, "The archive stays the last section.")?;
    if let Some(prev) = prev {
        no_archive(section(board, prev)?, "Nothing stands behind the archive.")?;
        if prev == id {
            return Err(Refusal::invalid_call("prev_section_id", "a section cannot stand behind itself"));
        }
    }
    let mut draft = Draft::new(board, facts);
    let order = movable(board);
    let at = order.iter().position(|(other, _)| *other == id);
    let before = at.and_then(|at| at.checked_sub(1)).map(|at| order[at].0);
    if before == prev {
        draft.tell_section(id);
    } else {
        put_behind(&mut draft, id, known.clone(), prev);
    }
    Ok(about(draft, id))
}

/// The tasks of a section from its last to its first, so that they keep their order when each goes on top of a section.
fn upwards(board: &Board, id: SectionId) -> Vec<(MessageId, &Task)> {
    let tasks = board.tasks_of(id, None);
    let mut upwards: Vec<_> = tasks.filter_map(|(_, id)| board.task(id).map(|task| (id, task))).collect();
    upwards.reverse();
    upwards
}

fn delete(board: &Board, id: SectionId, facts: &Facts) -> Result<Decision, Refusal> {
    let known = section(board, id)?;
    if known.subtype != MySectionSubtype::User {
        return Err(Refusal::invalid_state("Every board has this section."));
    }
    let mut draft = Draft::new(board, facts);
    draft.put_section(id, Section { is_deleted: true, ..known.clone() });
    for (task_id, task) in upwards(board, id) {
        let place = Some(draft.top(board.default_id()));
        draft.put_task(task_id, Task { place, ..task.clone() });
    }
    Ok(about(draft, id))
}

fn is_done(task: &Task) -> bool {
    match task.what {
        What::Private { is_done, .. } => is_done,
        What::Assigned { state, .. } => state == Assignment::Done,
        What::Canned { .. } | What::Deleted => false,
    }
}

fn put_away(
    board: &Board,
    id: SectionId,
    facts: &Facts,
    is_meant: impl Fn(&Task) -> bool,
) -> Result<Decision, Refusal> {
    no_archive(section(board, id)?, "What lies in the archive is archived.")?;
    let mut draft = Draft::new(board, facts);
    for (task_id, task) in upwards(board, id).into_iter().filter(|(_, task)| is_meant(task)) {
        draft.archive(task_id, task);
    }
    draft.tell_section(id);
    Ok(about(draft, id))
}

fn sync(board: &Board, event: &my_section::TaskSync) -> Result<Decision, Refusal> {
    let id = event.section_id;
    section(board, id)?;
    let cursor = event.sync_cursor.0.as_ref();
    if cursor.is_some_and(|cursor| cursor.section_id != id) {
        return Err(Refusal::invalid_call("sync_cursor", "it belongs to another section"));
    }
    let below = cursor.and_then(|cursor| cursor.task_weight).and_then(Weight::given);
    let mut rest = board.tasks_of(id, below);
    let page: Vec<(Weight, MessageId)> = rest.by_ref().take(event.limit.get()).collect();
    let last = page.last().filter(|_| rest.next().is_some());
    let sync_cursor = last.map(|(weight, _)| {
        let cursor = TaskCursor { section_id: id, task_weight: Some(weight.get()) };
        serde_json::to_string(&cursor).expect("an id and a number are always JSON")
    });
    let mut news: Vec<Told> = page.into_iter().map(|(_, id)| Told::Task(id)).collect();
    news.push(Told::Section { id, sync_cursor });
    Ok(Decision { board: news, identifier: json!({ "section_id": id }), ..Decision::default() })
}

#[cfg(test)]
mod tests {
    use rill_proto::event::my_section::TaskCursor;
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use crate::account::board::record::Told;
    use crate::account::rules::board_replay::*;
    use crate::effect::Assignment;

    #[test]
    fn every_board_has_a_default_section_and_an_archive() {
        let replay = Replay::alice();
        assert_eq!(replay.sections(), ["To Do", "Archived"]);
        let told: Vec<Told> = replay.state.board.sections_since(0).into_iter().map(Told::section).collect();
        let records = replay.records(&told);
        assert_eq!((&records[0]["weight"], &records[1]["weight"]), (&json!(4_294_967_296_i64), &json!(0)));
        assert_eq!(records[0]["mk_section_subtype"], "urn:fleep:my_section:mk_section_subtype:default");
        assert!(replay.state.board.sections_since(1).is_empty(), "they are as they always were");
    }

    #[test]
    fn a_new_section_stands_last_before_the_archive_or_behind_the_one_that_is_named() {
        let mut replay = Replay::alice();
        let first = replay.section(" First ", None);
        assert_eq!(replay.state.board.section(first).unwrap().weight.get(), 4_294_901_760.0);
        replay.section("Second", None);
        replay.section("Between", Some(first));
        replay.section("Above", Some(replay.default_id()));
        assert_eq!(replay.sections(), ["To Do", "Above", "First", "Between", "Second", "Archived"]);
    }

    #[test]
    fn sections_are_moved_and_numbered_anew_when_there_is_no_room() {
        let mut replay = Replay::alice();
        let (a, b) = (replay.section("a", None), replay.section("b", None));
        let default_id = replay.default_id();
        replay.ask(move_section(b, None)).unwrap();
        assert_eq!(replay.sections(), ["b", "To Do", "a", "Archived"]);
        assert!(replay.ask(move_section(b, None)).unwrap().changes.is_empty(), "it is the first");
        assert!(replay.ask(move_section(a, Some(default_id))).unwrap().changes.is_empty());
        let mut told = 1;
        for turn in 0..40 {
            let moved = if turn % 2 == 0 { a } else { default_id };
            told = told.max(replay.ask(move_section(moved, Some(b))).unwrap().board.len());
        }
        assert_eq!(told, 3, "all that moved are told");
        assert_eq!(replay.sections(), ["b", "To Do", "a", "Archived"]);
    }

    #[test]
    fn the_archive_stays_where_it_is_and_keeps_its_name() {
        let mut replay = Replay::alice();
        let (archived, default_id) = (replay.archived_id(), replay.default_id());
        for event in [
            move_section(archived, None),
            move_section(default_id, Some(archived)),
            rename(archived, "Bin"),
            archive_all(archived),
            archive_done(archived),
            delete_section(archived),
            delete_section(default_id),
            rename(default_id, "  "),
            move_section(default_id, Some(default_id)),
        ] {
            assert_eq!(replay.ask(event).unwrap_err().status, 400);
        }
        replay.ask(rename(default_id, "Now")).unwrap();
        assert_eq!(replay.sections(), ["Now", "Archived"]);
        assert!(replay.ask(rename(default_id, " Now ")).unwrap().changes.is_empty());
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let mut replay = Replay::alice();
        let gone = replay.section("gone", None);
        replay.ask(delete_section(gone)).unwrap();
        let default_id = replay.default_id();
        for event in [
            rename(gone, "x"),
            move_section(gone, None),
            move_section(default_id, Some(gone)),
            delete_section(gone),
            archive_all(gone),
            archive_done(gone),
            sync(gone, None, 20),
        ] {
            assert_eq!(replay.ask(event), Err(Refusal::not_found("Section")));
        }
    }

    #[test]
    fn the_tasks_of_a_deleted_section_go_to_the_top_of_the_default_one_in_their_order() {
        let mut replay = Replay::alice();
        let section = replay.section("Later", None);
        for text in ["three", "two", "one"] {
            let task = replay.task(text);
            replay.ask(move_task(task, section, None)).unwrap();
        }
        replay.task("stays");
        let horizon = replay.stamp;
        replay.ask(delete_section(section)).unwrap();
        assert_eq!(replay.standing(replay.default_id()), ["one", "two", "three", "stays"]);
        assert_eq!(replay.sections(), ["To Do", "Archived"]);
        assert_eq!(replay.state.board.sections_since(horizon), [section], "who comes back learns of it");
        assert!(!replay.state.board.sections_since(0).contains(&section), "who begins does not");
    }

    #[test]
    fn a_section_is_put_away_as_a_whole_or_as_far_as_it_is_done() {
        let mut replay = Replay::alice();
        let (one, two) = (replay.task("one"), replay.task("two"));
        replay.hear(7, Assignment::Done, 1);
        replay.task("three");
        replay.ask(set_done(one)).unwrap();
        replay.ask(archive_done(replay.default_id())).unwrap();
        assert_eq!(replay.standing(replay.archived_id()), ["7", "one"]);
        replay.ask(archive_all(replay.default_id())).unwrap();
        assert_eq!(replay.standing(replay.archived_id()), ["three", "two", "7", "one"]);
        replay.ask(unarchive(two)).unwrap();
        assert_eq!(replay.standing(replay.default_id()), ["two"]);
    }

    #[test]
    fn a_section_is_read_in_batches_from_the_top() {
        let mut replay = Replay::alice();
        for text in ["e", "d", "c", "b", "a"] {
            replay.task(text);
        }
        let id = replay.default_id();
        let (mut cursor, mut seen, mut batches) = (None, Vec::new(), 0);
        loop {
            let decision = replay.ask(sync(id, cursor, 2)).unwrap();
            let records = replay.records(&decision.board);
            let (section, tasks) = records.split_last().unwrap();
            seen.extend(tasks.iter().map(|task| task["message"].as_str().unwrap().to_owned()));
            batches += 1;
            match section["sync_cursor"].as_str() {
                Some(text) => cursor = Some(serde_json::from_str(text).unwrap()),
                None => break,
            }
        }
        assert_eq!(batches, 3);
        assert_eq!(seen, ["a", "b", "c", "d", "e"].map(|text| format!("<msg><p>{text}</p></msg>")));
        let other = TaskCursor { section_id: replay.archived_id(), task_weight: None };
        assert_eq!(replay.ask(sync(id, Some(other), 2)).unwrap_err().status, 400);
    }

    #[test]
    fn many_that_move_at_once_are_told_without_their_texts() {
        use crate::account::board::record::WHOLE_MAX;
        let mut replay = Replay::alice();
        for _ in 0..=WHOLE_MAX {
            replay.task("a long text");
        }
        let decision = replay.ask(archive_all(replay.default_id())).unwrap();
        let records = replay.records(&decision.board);
        assert_eq!(records.len(), WHOLE_MAX + 2);
        assert!(records[0].get("message").is_none());
        assert_eq!(records[0]["section_id"], json!(replay.archived_id()));
    }
}
