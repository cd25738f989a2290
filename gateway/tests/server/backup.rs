//! `rill backup` beside a running server, and a server on what `rill restore` makes of it.
//!
//! Not here: the copy's format and damaged copies, which are the store's.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rill_loadtest::picture::Picture;
use rill_loadtest::record::number;
use rill_loadtest::server::Server;
use rill_loadtest::session::Session;

use crate::world::{BINARY, FACT_WAIT, NAME, World, assert_like_a_fresh_sync, await_fact, create, post};

fn rill(command: &str, file: &Path, data: &Path) -> Output {
    Command::new(BINARY).arg(command).arg(file).arg("--data").arg(data).output().unwrap()
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_backup_of_a_quiet_server_restores_to_the_same_sync() {
    let world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let mut session = ann.connect(0).unwrap();
    let room = create(&mut session, "Kept", &[&bea]);
    for n in 2..60 {
        assert_eq!(post(&mut session, &room, &format!("message {n}")), n);
    }
    let edit = serde_json::json!({"conversation_id": room, "message_nr": 5, "message": "edited"});
    session.request("message:edit", edit).unwrap().done().unwrap();
    let bytes = vec![7; 700_000];
    let uploaded = ann.upload("seven.bin", &bytes).unwrap().json["files"][0]["upload_url"].clone();
    let sent = serde_json::json!({"conversation_id": room, "message": "look", "attachment_urls": [uploaded]});
    let sent = session.request("message:add_plain", sent).unwrap();
    let file_url = sent.stream.iter().find_map(|record| record.get("file_url")).unwrap().as_str().unwrap();
    let (file, data) = (world.path("copy"), world.path("restored"));
    assert_done(&rill("backup", &file, world.server.data_dir()));
    assert_done(&rill("restore", &file, &data));
    let again = rill("restore", &file, &data);
    assert_eq!(again.status.code(), Some(1), "a folder that is in use is not overwritten");
    let mut restored = Server::start(Path::new(BINARY), &data, &NAME).unwrap();
    for user in [&ann, &bea] {
        // Tokens are kept as well, so nobody has to log in again.
        let (mut here, mut there) = (user.connect(0).unwrap(), user.at(&restored.url()).connect(0).unwrap());
        Picture::complete(&mut here).unwrap();
        Picture::complete(&mut there).unwrap();
        assert_eq!(here.picture().difference(there.picture()), Vec::<String>::new());
        assert_eq!(there.picture().verify(), Vec::new());
    }
    let read = bea.at(&restored.url()).get(file_url, &[]).unwrap();
    assert!(read.bytes == bytes, "the files are in the copy");
    // And it goes on from there.
    let mut there = ann.at(&restored.url()).connect(0).unwrap();
    assert_eq!(post(&mut there, &room, "on the copy"), 62);
    assert!(restored.terminate().unwrap().success());
    assert_eq!(restored.error_lines().unwrap(), Vec::<String>::new());
    world.assert_no_errors();
}

#[test]
fn a_backup_under_load_holds_everything_answered_before_it_and_is_whole() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    let room = create(&mut session, "Busy", &[]);
    let (answered, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (file, data) = (world.path("copy"), world.path("restored"));
    let before = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                answered.store(post(&mut session, &room, "on and on"), Ordering::Relaxed);
            }
        });
        await_fact("load", FACT_WAIT, || answered.load(Ordering::Relaxed) > 100);
        let before = answered.load(Ordering::Relaxed);
        assert_done(&rill("backup", &file, world.server.data_dir()));
        is_over.store(true, Ordering::Relaxed);
        writing.join().unwrap();
        before
    });
    let after = answered.into_inner();
    assert_done(&rill("restore", &file, &data));
    let restored = Server::start(Path::new(BINARY), &data, &NAME).unwrap();
    let mut there = ann.at(&restored.url()).connect(0).unwrap();
    assert_like_a_fresh_sync(&mut there);
    let last = number(there.picture().conv(&room).unwrap(), "last_message_nr").unwrap();
    println!("backup: {before} answered before, {last} in the copy, {after} answered in the end");
    assert!((before..=after).contains(&last), "{before} <= {last} <= {after}");
    assert_eq!(there.picture().messages(&room).count() as u64, last);
    world.assert_no_errors();
}

#[test]
fn a_backup_needs_a_store_and_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let output = rill("backup", &folder.path().join("copy"), &missing);
    assert_eq!(output.status.code(), Some(1));
    assert!(!missing.exists(), "no empty store was made by mistake");
    let world = World::start(&[]);
    let nowhere = folder.path().join("no/such/folder/copy");
    let output = rill("backup", &nowhere, world.server.data_dir());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
    let rubbish = folder.path().join("rubbish");
    std::fs::write(&rubbish, "no backup").unwrap();
    let output = rill("restore", &rubbish, &folder.path().join("new"));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}
