//! What an event on a section moves beyond one decision is moved to the end, whatever becomes of the process.
//!
//! Not here: the rules of boards, which are in the scenarios.

use rill_loadtest::picture::Picture;
use rill_loadtest::record::{Record, flag, number, text};
use rill_loadtest::session::{Event, Session};
use serde_json::{Value, json};

use crate::world::{FACT_WAIT, World, assert_like_a_fresh_sync, create};

/// Three decisions' worth.
const TASKS: usize = 130;
/// As many events as one frame may have.
const BATCH: usize = 100;

/// Posts so many tasks, and gives the section that they are in.
fn post_tasks(session: &mut dyn Session, conversation_id: &str) -> String {
    let event = |n: usize| {
        let params = json!({"conversation_id": conversation_id, "message": n.to_string()});
        Event::new("message:add_todo", params)
    };
    let events: Vec<Event> = (0..TASKS).map(event).collect();
    for batch in events.chunks(BATCH) {
        for answer in session.request_events(batch).unwrap() {
            answer.done().unwrap();
        }
    }
    let task = session.picture().message(conversation_id, 2).unwrap();
    text(task, "section_id").to_owned()
}

fn tasks<'a>(picture: &'a Picture, conversation_id: &str) -> Vec<&'a Record> {
    let mut tasks: Vec<&Record> =
        picture.messages(conversation_id).filter(|message| message.contains_key("task_weight")).collect();
    let weight = |task: &Record| task.get("task_weight").and_then(Value::as_f64).unwrap_or(0.0);
    tasks.sort_by(|one, other| weight(other).total_cmp(&weight(one)));
    tasks
}

fn numbers(picture: &Picture, conversation_id: &str) -> Vec<u64> {
    tasks(picture, conversation_id).into_iter().filter_map(|task| number(task, "message_nr")).collect()
}

fn await_all_archived(session: &mut dyn Session, conversation_id: &str) {
    let mut all_archived = |picture: &Picture| {
        let tasks = tasks(picture, conversation_id);
        tasks.len() == TASKS && tasks.iter().all(|task| flag(task, "is_archived"))
    };
    session.wait_for("every task in the archive", FACT_WAIT, &mut all_archived).unwrap();
}

#[test]
fn every_task_of_a_long_section_is_archived_in_order_and_everybody_is_told() {
    let world = World::start(&[]);
    let (ann, bob) = (world.person("Ann"), world.person("Bob"));
    let (mut of_ann, mut of_bob) = (ann.connect(0).unwrap(), bob.connect(0).unwrap());
    let id = create(&mut of_ann, "Boards", &[&bob]);
    let section_id = post_tasks(&mut of_ann, &id);
    let before = numbers(of_ann.picture(), &id);
    let params = json!({"conversation_id": id, "section_id": section_id});
    of_ann.request("section:task:archive_all", params.clone()).unwrap().done().unwrap();
    let newer = json!({"conversation_id": id, "message": "one more"});
    of_ann.request("message:add_plain", newer).unwrap().done().unwrap();
    await_all_archived(&mut of_ann, &id);
    await_all_archived(&mut of_bob, &id);
    assert_eq!(numbers(of_bob.picture(), &id), before, "they keep their order");
    for session in [&mut of_ann, &mut of_bob] {
        assert_like_a_fresh_sync(session);
    }
    world.assert_no_errors();
}

#[test]
fn what_was_begun_before_a_crash_is_brought_to_its_end() {
    let mut world = World::start(&[]);
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    let id = create(&mut session, "Boards", &[]);
    let section_id = post_tasks(&mut session, &id);
    let params = json!({"conversation_id": id, "section_id": section_id});
    session.request("section:task:archive_all", params).unwrap().done().unwrap();
    world.server.kill9().unwrap();
    world.server.restart().unwrap();
    let mut session = ann.reconnect(session.close()).unwrap();
    session.settle().unwrap();
    Picture::complete(&mut session).unwrap();
    await_all_archived(&mut session, &id);
    let last = session.picture().conv(&id).and_then(|conv| number(conv, "last_message_nr"));
    assert_eq!(last, Some(1 + 2 * TASKS as u64), "each took one slot, and none a second");
    assert_like_a_fresh_sync(&mut session);
    world.assert_no_errors();
}
