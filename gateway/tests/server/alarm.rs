//! A snooze ends in its time, whatever happens to the server meanwhile.

use rill_loadtest::record::{flag, number};
use rill_loadtest::session::Session;
use serde_json::json;

use crate::world::{FACT_WAIT, World, await_fact, create};

/// Long enough to do something before it ends, short enough to wait for.
const SNOOZE_S: i64 = 2;

/// Whether the session holds a header that says so.
fn await_muted(session: &mut dyn Session, conversation_id: &str, is_muted: bool) {
    let what = format!("is_muted {is_muted}");
    let mut is_so = |picture: &rill_loadtest::picture::Picture| {
        picture.conv(conversation_id).is_some_and(|conv| flag(conv, "is_muted") == is_muted)
    };
    session.wait_for(&what, FACT_WAIT, &mut is_so).unwrap();
}

#[test]
fn a_snooze_ends_in_a_conversation_that_has_left_the_memory() {
    let world = World::start(&["--idle-ms", "100"]);
    let alice = world.person("Alice");
    let mut session = alice.connect(0).unwrap();
    let id = create(&mut session, "Tea", &[]);
    let params = json!({"conversation_id": id, "snooze_interval": SNOOZE_S});
    session.request("conv:mute_until", params).unwrap().done().unwrap();
    await_fact("passivation", FACT_WAIT, || world.metric("conversations_active") == 0);
    assert!(flag(session.picture().conv(&id).unwrap(), "is_muted"), "it has not ended yet");
    await_muted(&mut session, &id, false);
    world.assert_no_errors();
}

#[test]
fn a_snooze_ends_after_a_crash_whether_its_time_came_before_or_after() {
    for is_late in [false, true] {
        let mut world = World::start(&[]);
        let alice = world.person("Alice");
        let mut session = alice.connect(0).unwrap();
        let id = create(&mut session, "Tea", &[]);
        let params = json!({"conversation_id": id, "snooze_interval": SNOOZE_S});
        let answer = session.request("conv:mute_until", params).unwrap().done().unwrap();
        let until = answer.records("conv").find_map(|conv| number(conv, "snooze_time")).unwrap();
        world.server.kill9().unwrap();
        if is_late {
            let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
            await_fact("the end of the snooze", FACT_WAIT, || now() > until);
        }
        world.server.restart().unwrap();
        let mut session = alice.at(&world.server.url()).reconnect(session.abandon()).unwrap();
        await_muted(&mut session, &id, false);
        let fresh = alice.at(&world.server.url()).connect(0).unwrap();
        let conv = fresh.picture().conv(&id).unwrap();
        assert_eq!(number(conv, "snooze_time"), Some(0));
    }
}
