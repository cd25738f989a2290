//! The sections of the task board (conversations.md §10). They take no slots; the tasks that move with them do.

use rill_proto::event::section::{self, Event};
use rill_proto::id::{AccountId, SectionId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use crate::conversation::board::{List, Place, Task, put_behind};
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged, board, standing, task};
use crate::conversation::state::{Section, SectionSubtype, State};
use crate::effect::{Effect, Sweep};
use crate::store::Aggregate;
use crate::weight::Weight;

/// How many sections a board ever has. Deleted ones count: their rows tell whoever was away that they are gone.
const SECTIONS_MAX: usize = 1_000;

/// How many tasks one decision moves; what is left is moved by the next ones. As many as a reconnect is told one by one.
const SWEEP_TASKS: usize = 50;

/// Decides an event on a section.
pub(super) fn decide(state: &State, caller: AccountId, event: &Event, facts: &Facts) -> Judged<Decision> {
    match event {
        Event::TaskAdd(event) => add(state, caller, event, facts),
        Event::TaskArchiveAll(event) => archive(state, caller, event.section_id, Sweep::ArchiveAll, facts),
        Event::TaskArchiveDone(event) => archive(state, caller, event.section_id, Sweep::ArchiveDone, facts),
        Event::TaskDelete(event) => delete(state, caller, event.section_id, facts),
        Event::TaskRename(event) => rename(state, caller, event, facts),
        Event::TaskSetPosition(event) => set_position(state, caller, event, facts),
        Event::TaskSync(event) => board::sync_tasks(state, caller, event, facts),
    }
}

/// `section:task:add`: behind another section, or last.
fn add(state: &State, caller: AccountId, event: &section::TaskAdd, facts: &Facts) -> Judged<Decision> {
    let (head, _) = standing::member(state, caller)?;
    let name = title(&event.section_name)?;
    if state.sections.len() >= SECTIONS_MAX {
        return Err(Refusal::invalid_state("The task board has too many sections.").into());
    }
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let order = order(state, None);
    let last = order.last().map(|(_, section_id)| *section_id);
    let behind = previous(state, event.prev_section_id)?.or(last);
    let weight = put(&mut draft, &order, behind)?;
    let number = state.sections.len();
    let section_id =
        SectionId(Uuid::new_v5(&state.conversation_id.0, format!("section:{number}").as_bytes()));
    let (subtype, stamp) = (SectionSubtype::User, facts.stamp);
    draft.put_section(section_id, Section { name, subtype, weight, is_deleted: false, stamp });
    tell(draft, section_id)
}

/// `section:task:rename`.
fn rename(state: &State, caller: AccountId, event: &section::TaskRename, facts: &Facts) -> Judged<Decision> {
    let (head, _) = standing::member(state, caller)?;
    let section = live(state, event.section_id)?;
    let name = title(&event.section_name)?;
    if section.subtype == SectionSubtype::Archived {
        return Err(Refusal::invalid_state("The archive keeps its name.").into());
    }
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if section.name != name {
        draft.put_section(event.section_id, Section { name, stamp: facts.stamp, ..section.clone() });
    }
    tell(draft, event.section_id)
}

/// `section:task:set_position`: behind another section, or first behind the default one.
fn set_position(
    state: &State,
    caller: AccountId,
    event: &section::TaskSetPosition,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, _) = standing::member(state, caller)?;
    let section_id = event.section_id;
    let section = made_by_a_member(state, section_id)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let default = draft.section(SectionSubtype::Default)?;
    let behind = previous(state, event.prev_section_id)?.unwrap_or(default);
    if behind == section_id {
        let text = "a section is not put behind itself";
        return Err(Refusal::invalid_call("prev_section_id", text).into());
    }
    let all = order(state, None);
    let is_there = all.windows(2).any(|pair| pair[0].1 == behind && pair[1].1 == section_id);
    if !is_there {
        let weight = put(&mut draft, &order(state, Some(section_id)), Some(behind))?;
        draft.put_section(section_id, Section { weight, stamp: facts.stamp, ..section.clone() });
    }
    tell(draft, section_id)
}

/// `section:task:delete`: its tasks come to the top of the default section, in their order.
fn delete(state: &State, caller: AccountId, section_id: SectionId, facts: &Facts) -> Judged<Decision> {
    let (head, _) = standing::member(state, caller)?;
    let section = made_by_a_member(state, section_id)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    draft.put_section(section_id, Section { is_deleted: true, stamp: facts.stamp, ..section.clone() });
    let until = draft.head.last_message_nr;
    sweep(&mut draft, section_id, Sweep::Vacate, until)?;
    tell(draft, section_id)
}

/// `section:task:archive_all` and `section:task:archive_done`.
fn archive(
    state: &State,
    caller: AccountId,
    section_id: SectionId,
    what: Sweep,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, _) = standing::member(state, caller)?;
    if live(state, section_id)?.subtype == SectionSubtype::Archived {
        return Err(Refusal::invalid_state("What is in the archive is archived.").into());
    }
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let until = draft.head.last_message_nr;
    sweep(&mut draft, section_id, what, until)?;
    tell(draft, section_id)
}

/// Goes on with what [`Effect::Sweep`] says is not done yet.
///
/// # Errors
/// [`Stop::Needs`](super::Stop::Needs) with the messages that are not in memory.
pub(super) fn go_on(
    state: &State,
    by: AccountId,
    section_id: SectionId,
    what: Sweep,
    until: u64,
    facts: &Facts,
) -> Judged<Decision> {
    let Some(head) = &state.head else {
        return Ok(Decision::default());
    };
    let mut draft = Draft::new(state, head.clone(), by, facts);
    sweep(&mut draft, section_id, what, until)?;
    draft.finish(None)
}

/// Moves tasks out of a section, from the lowest up so that their order stays, each in a revision of its own: those that came
/// into it by a slot up to `until`, not more than a decision takes. An effect for this conversation itself tells of the rest.
fn sweep(draft: &mut Draft<'_>, section_id: SectionId, what: Sweep, until: u64) -> Judged<()> {
    let state = draft.state;
    let subtype = match what {
        Sweep::ArchiveAll | Sweep::ArchiveDone => SectionSubtype::Archived,
        Sweep::Vacate => SectionSubtype::Default,
    };
    let all = state.board.descending(List::Tasks(section_id));
    let tasks = all.filter_map(|(_, nr)| Some((nr, state.board.get(nr).and_then(Place::task)?)));
    let concerned = |task: &Task| task.since <= until && (task.is_done || what != Sweep::ArchiveDone);
    let mut tasks: Vec<(u64, Task)> =
        tasks.filter(|(_, task)| concerned(task)).map(|(nr, task)| (nr, task.clone())).collect();
    tasks.reverse();
    let rest = tasks.split_off(tasks.len().min(SWEEP_TASKS));
    draft.facts.have_slots(state, tasks.iter().map(|(nr, _)| *nr))?;
    for (nr, task) in tasks {
        task::to_the_top(draft, nr, task, subtype)?;
    }
    if !rest.is_empty() {
        let effect = Effect::Sweep { section_id, what, until, by: draft.caller };
        draft.effects.push((Aggregate::Conversation(state.conversation_id), effect));
    }
    Ok(())
}

/// The board from its first section to its last, the archive below all of them left out.
fn order(state: &State, without: Option<SectionId>) -> Vec<(Weight, SectionId)> {
    let shown = state.sections.iter().filter(|(id, section)| {
        !section.is_deleted && section.subtype != SectionSubtype::Archived && Some(**id) != without
    });
    let mut order: Vec<(Weight, SectionId)> = shown.map(|(id, section)| (section.weight, *id)).collect();
    order.sort_unstable_by(|one, other| other.cmp(one));
    order
}

/// The weight behind another section; others make room where there is none.
fn put(draft: &mut Draft<'_>, order: &[(Weight, SectionId)], behind: Option<SectionId>) -> Judged<Weight> {
    let moved = put_behind(order, behind).ok_or_else(|| Refusal::not_found("Section"))?;
    let (state, stamp) = (draft.state, draft.facts.stamp);
    for (section_id, weight) in moved.others {
        if let Some(section) = state.sections.get(&section_id) {
            draft.put_section(section_id, Section { weight, stamp, ..section.clone() });
            draft.sections_told.push(section_id);
        }
    }
    Ok(moved.weight)
}

fn tell(mut draft: Draft<'_>, section_id: SectionId) -> Judged<Decision> {
    draft.sections_told.push(section_id);
    let mut decision = draft.finish(None)?;
    decision.identifier["section_id"] = section_id.to_string().into();
    Ok(decision)
}

/// # Errors
/// `not_found` when there is none, or none any more.
fn live(state: &State, section_id: SectionId) -> Result<&Section, Refusal> {
    let section = state.sections.get(&section_id).filter(|section| !section.is_deleted);
    section.ok_or_else(|| Refusal::not_found("Section"))
}

/// # Errors
/// As [`live`], and 400 for the two that every board has.
fn made_by_a_member(state: &State, section_id: SectionId) -> Result<&Section, Refusal> {
    let section = live(state, section_id)?;
    match section.subtype {
        SectionSubtype::User => Ok(section),
        SectionSubtype::Default | SectionSubtype::Archived => {
            Err(Refusal::invalid_state("This section stays where it is."))
        }
    }
}

/// The section behind which another is to come.
///
/// # Errors
/// As [`live`], and 400 for the archive, which is last.
fn previous(state: &State, given: Option<SectionId>) -> Result<Option<SectionId>, Refusal> {
    let Some(section_id) = given else {
        return Ok(None);
    };
    if live(state, section_id)?.subtype == SectionSubtype::Archived {
        return Err(Refusal::invalid_call("prev_section_id", "nothing comes behind the archive"));
    }
    Ok(Some(section_id))
}

/// # Errors
/// 400 for a name that says nothing.
fn title(given: &str) -> Result<String, Refusal> {
    let name = given.trim();
    if name.is_empty() {
        Err(Refusal::invalid_call("section_name", "a section needs a name"))
    } else {
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use rill_proto::refusal::Refusal;
    use serde_json::json;
    use uuid::Uuid;

    use super::{SWEEP_TASKS, SectionId};
    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;
    use crate::effect::Effect;

    fn named(name: &str, section_id: SectionId) -> rill_proto::event::ClientEvent {
        event(name, json!({ "section_id": section_id }))
    }

    fn names(replay: &Replay) -> Vec<String> {
        replay.sections().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_section_comes_last_or_behind_another_and_everybody_is_told() {
        let mut replay = Replay::with(&[BOB]);
        let decision =
            replay.ask(ALICE, event("section:task:add", json!({"section_name": " One "}))).unwrap();
        assert_eq!(lines(&decision.answer), ["section"]);
        assert_eq!(told(&decision, Reach::Own), ["section"]);
        assert_eq!(told(&decision, Reach::Others), ["section"]);
        let one = replay.add_section("Two");
        assert_eq!(replay.head().last_message_nr, 1, "sections take no slot");
        replay
            .ask(
                BOB,
                event(
                    "section:task:add",
                    json!({"section_name": "Three", "prev_section_id": replay.default_section()}),
                ),
            )
            .unwrap();
        let expected = [
            ("To Do", 4_294_967_296.0),
            ("Three", 4_294_934_528.0),
            ("One", 4_294_901_760.0),
            ("Two", 4_294_836_224.0),
            ("Archived", 0.0),
        ];
        assert_eq!(replay.sections(), expected.map(|(name, weight)| (name.to_owned(), weight)));
        replay
            .ask(BOB, event("section:task:add", json!({"section_name": "Four", "prev_section_id": one})))
            .unwrap();
        assert_eq!(names(&replay), ["To Do", "Three", "One", "Two", "Four", "Archived"]);
    }

    #[test]
    fn a_section_is_renamed_and_moved() {
        let mut replay = Replay::with(&[BOB]);
        let (one, two) = (replay.add_section("One"), replay.add_section("Two"));
        let rename =
            |id, name: &str| event("section:task:rename", json!({"section_id": id, "section_name": name}));
        replay.ask(BOB, rename(one, "Eins")).unwrap();
        replay.ask(BOB, rename(replay.default_section(), "Zu tun")).unwrap();
        assert_eq!(names(&replay), ["Zu tun", "Eins", "Two", "Archived"]);
        assert!(replay.ask(BOB, rename(one, "Eins")).unwrap().changes.is_empty());
        let moved = |id, prev: Option<SectionId>| {
            event("section:task:set_position", json!({"section_id": id, "prev_section_id": prev}))
        };
        replay.ask(BOB, moved(two, None)).unwrap();
        assert_eq!(names(&replay), ["Zu tun", "Two", "Eins", "Archived"]);
        assert!(replay.ask(BOB, moved(two, None)).unwrap().changes.is_empty());
        let decision = replay.ask(BOB, moved(two, Some(one))).unwrap();
        assert_eq!(decision.identifier["section_id"], two.to_string());
        assert_eq!(names(&replay), ["Zu tun", "Eins", "Two", "Archived"]);
        let (default, archive, unknown) =
            (replay.default_section(), replay.archive(), SectionId(Uuid::nil()));
        for (event, status) in [
            (rename(archive, "x"), 400),
            (rename(one, " "), 400),
            (rename(unknown, "x"), 430),
            (moved(default, None), 400),
            (moved(archive, None), 400),
            (moved(one, Some(one)), 400),
            (moved(one, Some(archive)), 400),
            (moved(one, Some(unknown)), 430),
            (moved(unknown, None), 430),
        ] {
            assert_eq!(replay.ask(BOB, event).unwrap_err().status, status);
        }
    }

    #[test]
    fn a_deleted_section_leaves_its_tasks_to_the_default_one() {
        let mut replay = Replay::with(&[BOB]);
        let one = replay.add_section("One");
        for _ in 0..3 {
            let nr = replay.put_up(ALICE, "add_todo");
            let params = json!({"message_nr": nr, "section_id": one, "prev_message_nr": 0});
            replay.ask(ALICE, event("message:task:set_position", params)).unwrap();
        }
        replay.put_up(ALICE, "add_todo");
        replay.slots_max = 3;
        let horizon = replay.stamp;
        let decision = replay.ask(BOB, named("section:task:delete", one)).unwrap();
        let told_of =
            ["section", "conv Update", "message 2 flow 9", "message 4 flow 10", "message 6 flow 11"];
        assert_eq!(lines(&decision.answer), told_of);
        assert_eq!(told(&decision, Reach::Others), told_of);
        assert_eq!(replay.tasks(replay.default_section()), [6, 4, 2, 8], "on top, in their order");
        assert_eq!(names(&replay), ["To Do", "Archived"]);
        assert!(lines(&replay.catch_up(ALICE, horizon)).contains(&"section".to_owned()));
        let form = lines(&replay.catch_up(ALICE, 0));
        assert_eq!(form.iter().filter(|line| *line == "section").count(), 2, "{form:?}");
        assert_eq!(replay.ask(BOB, named("section:task:delete", one)), Err(Refusal::not_found("Section")));
        for section_id in [replay.default_section(), replay.archive()] {
            assert_eq!(replay.ask(BOB, named("section:task:delete", section_id)).unwrap_err().status, 400);
        }
        let two = replay.add_section("Two");
        assert_ne!(one, two);
    }

    #[test]
    fn the_done_tasks_of_a_section_are_archived_or_all() {
        let mut replay = Replay::with(&[BOB]);
        for _ in 0..3 {
            replay.put_up(ALICE, "add_todo");
        }
        replay.turn(ALICE, "set_done", 2).unwrap();
        replay.turn(ALICE, "set_done", 4).unwrap();
        replay.slots_max = 2;
        let (default, archive) = (replay.default_section(), replay.archive());
        let decision = replay.ask(BOB, named("section:task:archive_done", default)).unwrap();
        assert_eq!(
            lines(&decision.answer),
            ["section", "conv Update", "message 2 flow 7", "message 4 flow 8"]
        );
        assert_eq!((replay.tasks(default), replay.tasks(archive)), (vec![3], vec![4, 2]));
        let nothing = replay.ask(BOB, named("section:task:archive_done", default)).unwrap();
        assert!(nothing.changes.is_empty() && nothing.news.is_empty());
        assert_eq!(lines(&nothing.answer), ["section"]);
        replay.ask(BOB, named("section:task:archive_all", default)).unwrap();
        assert_eq!((replay.tasks(default), replay.tasks(archive)), (vec![], vec![3, 4, 2]));
        for verb in ["archive_all", "archive_done"] {
            let name = format!("section:task:{verb}");
            assert_eq!(replay.ask(BOB, named(&name, archive)).unwrap_err().status, 400);
            assert_eq!(replay.ask(BOB, named(&name, SectionId(Uuid::nil()))).unwrap_err().status, 430);
        }
    }

    #[test]
    fn what_is_too_much_for_one_decision_goes_on_by_itself_and_touches_nothing_newer() {
        let mut replay = Replay::with(&[BOB]);
        let count = SWEEP_TASKS + 3;
        for _ in 0..count {
            replay.put_up(ALICE, "add_todo");
        }
        replay.slots_max = SWEEP_TASKS as u64;
        let (default, archive) = (replay.default_section(), replay.archive());
        let before = replay.tasks(default);
        let decision = replay.ask(BOB, named("section:task:archive_all", default)).unwrap();
        assert_eq!(effects(&decision), ["itself sweeps on ArchiveAll"]);
        assert_eq!(lines(&decision.answer).len(), 2 + SWEEP_TASKS);
        let newer = replay.put_up(ALICE, "add_todo");
        let (_, effect) = decision.effects.first().unwrap().clone();
        let rest = replay.go_on(&effect);
        assert_eq!(told(&rest, Reach::Own).len(), 1 + 3);
        assert_eq!(told(&rest, Reach::Others).len(), 1 + 3);
        assert!(rest.effects.is_empty());
        assert_eq!((replay.tasks(default), replay.tasks(archive)), (vec![newer], before));
        assert!(replay.go_on(&effect).changes.is_empty(), "carried twice, applied once");
        assert!(matches!(effect, Effect::Sweep { by: BOB, .. }));
    }

    #[test]
    fn who_is_no_member_has_no_sections() {
        let mut replay = Replay::with(&[BOB]);
        let one = replay.add_section("One");
        replay.ask(BOB, leave()).unwrap();
        for name in ["archive_all", "archive_done", "delete", "set_position", "sync"] {
            let event = named(&format!("section:task:{name}"), one);
            assert_eq!(replay.ask(JIL, event.clone()), Err(Refusal::not_member()), "{name}");
            assert_eq!(replay.ask(BOB, event), Err(Refusal::has_left()), "{name}");
        }
        let add = event("section:task:add", json!({"section_name": "x"}));
        assert_eq!(replay.ask(BOB, add), Err(Refusal::has_left()));
        let rename = event("section:task:rename", json!({"section_id": one, "section_name": "x"}));
        assert_eq!(replay.ask(BOB, rename), Err(Refusal::has_left()));
    }
}
