//! How the process starts, does not start, and ends.
//!
//! Not here: ends that nobody asked for ([`crate::crash`]).

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rill_loadtest::session::Session;

use crate::world::{BINARY, FACT_WAIT, World, assert_like_a_fresh_sync, await_fact, create, post};

/// Runs the binary to its end, which must come by itself.
fn run(args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    let mut child = command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > FACT_WAIT {
            child.kill().unwrap();
            panic!("rill {args:?} did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// It does not start: one line that names what is in the way, nothing on standard output, and the status.
fn assert_refused(args: &[&str], status: i32, names: &str) {
    let output = run(args);
    let said = String::from_utf8_lossy(&output.stderr);
    println!("ends: rill {} → {}", args.join(" "), said.trim_end());
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert_eq!(output.stdout, b"", "nothing is ready");
    assert_eq!(said.trim_end().lines().count(), 1, "one line: {said}");
    assert!(said.contains(names), "{said:?} names {names:?}");
}

#[test]
fn a_second_process_on_the_same_folder_does_not_start() {
    let world = World::start(&[]);
    let data = world.server.data_dir().to_str().unwrap();
    assert_refused(&["serve", "--listen", "127.0.0.1:0", "--data", data], 1, data);
    world.person("Ann").connect(0).unwrap();
    world.assert_no_errors();
}

#[test]
fn a_port_in_use_is_said() {
    let world = World::start(&[]);
    let url = world.server.url();
    let address = url.strip_prefix("http://").unwrap();
    let data = world.path("other");
    assert_refused(&["serve", "--listen", address, "--data", data.to_str().unwrap()], 1, address);
}

#[test]
fn an_address_that_is_none_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert_refused(&["serve", "--listen", "nowhere", "--data", data.to_str().unwrap()], 1, "nowhere");
}

#[test]
fn a_bad_setting_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let data = folder.path().join("data");
    let with = |config: &str, names: &str| {
        assert_refused(&["serve", "--data", data.to_str().unwrap(), "--config", config], 2, names);
    };
    with(&file("unknown.toml", "listen = \"127.0.0.1:0\"\nlisten_to = 1\n"), "listen_to");
    with(&file("type.toml", "listen = 7\n"), "line 1");
    with(&file("rubbish.toml", "=\n"), "rubbish.toml");
    with(&file("half.toml", "sys_user = \"ops\"\n"), "sys_user");
    with(folder.path().join("missing.toml").to_str().unwrap(), "missing.toml");
    assert!(!data.exists(), "nothing was made");
    assert_eq!(run(&["serve", "--no-such-flag"]).status.code(), Some(2));
    assert_eq!(run(&["serve", "--idle-ms", "soon"]).status.code(), Some(2));
}

#[test]
fn a_foreign_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious.txt");
    std::fs::write(&precious, "mine").unwrap();
    let data = folder.path().to_str().unwrap();
    assert_refused(&["serve", "--listen", "127.0.0.1:0", "--data", data], 1, data);
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was added");
    let file = precious.to_str().unwrap();
    assert_refused(&["serve", "--listen", "127.0.0.1:0", "--data", file], 1, file);
}

#[test]
fn sigterm_sends_everybody_away_and_ends_with_success() {
    let mut world = World::start(&["--drain-ms", "3000"]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let (mut writer, mut reader) = (ann.connect(0).unwrap(), bea.connect(0).unwrap());
    let room = create(&mut writer, "Drain", &[&bea]);
    for number in 2..50 {
        assert_eq!(post(&mut writer, &room, "before the end"), number);
    }
    world.server.signal("TERM").unwrap();
    // The sockets are not read yet, so the server is still about to stop: that is what readiness has to say.
    await_fact("failing readiness", FACT_WAIT, || !matches!(world.get("/readyz"), Ok((200, _))));
    for socket in [&mut writer, &mut reader] {
        let (code, reason) = socket.wait_closed(FACT_WAIT).unwrap();
        assert_eq!(code, 1012, "{reason}");
        let _reconnect_after_ms: u64 = reason.parse().expect("the reason is a number of milliseconds");
    }
    let status = world.ended();
    assert_eq!(status, Some(0));
    world.server.restart().unwrap();
    let mut back = bea.reconnect(reader.abandon()).unwrap();
    assert_eq!(back.picture().messages(&room).count(), 49);
    assert_like_a_fresh_sync(&mut back);
    assert_eq!(post(&mut back, &room, "after"), 50);
    world.assert_no_errors();
}

#[test]
fn sigterm_answers_a_waiting_poll() {
    let mut world = World::start(&["--drain-ms", "2000"]);
    let ann = world.person("Ann");
    let mut poll = ann.poll_session().unwrap();
    poll.settle().unwrap();
    let horizon = poll.picture().horizon();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let records = poll.poll(true).unwrap();
            (records, poll.picture().horizon())
        });
        await_fact("waiting poll", FACT_WAIT, || world.metric("polls_waiting") > 0);
        world.server.signal("TERM").unwrap();
        let (records, after) = waiting.join().unwrap();
        assert_eq!((records.len(), after), (0, horizon), "nothing was new");
    });
    assert_eq!(world.ended(), Some(0));
    world.assert_no_errors();
}
