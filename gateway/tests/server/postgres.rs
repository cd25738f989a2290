//! A server on a store in PostgreSQL: how one gets there from a folder, and who serves when two are started.
//!
//! Not here: what the store promises (the contract), and kills of the server (`crash`).

use std::path::Path;
use std::process::{Command, Output};

use rill_loadtest::picture::Picture;
use rill_loadtest::postgres::Postgres;
use rill_loadtest::server::Server;
use rill_loadtest::session::Session;

use crate::world::{BINARY, NAME, World, assert_like_a_fresh_sync, create, post};

fn migrate(data: &Path, url: &str) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("migrate-store").arg("--data").arg(data).args(["--store", url]).output().unwrap()
}

/// What a command said that ended with 1 and one line.
fn refusal(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn a_folder_that_moves_into_postgresql_gives_every_client_the_same_picture() {
    let mut world = World::start(&[]);
    let postgres = Postgres::start().unwrap();
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let mut session = ann.connect(0).unwrap();
    let room = create(&mut session, "Moved", &[&bea]);
    for n in 2..60 {
        assert_eq!(post(&mut session, &room, &format!("message {n}")), n);
    }
    let edit = serde_json::json!({"conversation_id": room, "message_nr": 5, "message": "edited"});
    session.request("message:edit", edit).unwrap().done().unwrap();
    let mut before = [&ann, &bea].map(|user| user.connect(0).unwrap());
    before.iter_mut().for_each(|session| Picture::complete(session).unwrap());
    let data = world.server.data_dir().to_owned();
    assert!(refusal(&migrate(&data, &postgres.url())).contains("in use"), "while it serves it is left alone");
    assert!(world.server.terminate().unwrap().success());

    let moved = migrate(&data, &postgres.url());
    assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stderr));
    let said = String::from_utf8_lossy(&moved.stdout).into_owned();
    println!("migrate-store: {}", said.lines().next().unwrap());
    assert!(said.starts_with("copied and verified: ") && said.contains("sha256"), "{said}");
    assert!(refusal(&migrate(&data, &postgres.url())).contains("not empty"));

    let url = postgres.url();
    let args = [&NAME[..], &["--store", &url]].concat();
    let mut server = Server::start(Path::new(BINARY), &data, &args).unwrap();
    for (user, here) in [&ann, &bea].into_iter().zip(&before) {
        // Tokens move as well, so nobody has to log in again.
        let mut there = user.at(&server.url()).connect(0).unwrap();
        Picture::complete(&mut there).unwrap();
        assert_eq!(here.picture().difference(there.picture()), Vec::<String>::new());
        assert_eq!(there.picture().verify(), Vec::new());
    }
    let mut there = ann.at(&server.url()).connect(0).unwrap();
    assert_eq!(post(&mut there, &room, "on PostgreSQL"), 61);
    assert_like_a_fresh_sync(&mut there);
    assert!(server.terminate().unwrap().success());
    assert_eq!(server.error_lines().unwrap(), Vec::<String>::new());
}

#[test]
fn a_copy_of_a_store_in_postgresql_is_left_to_its_own_tools() {
    let world = World::start(&[]);
    for command in ["backup", "restore"] {
        let mut rill = Command::new(BINARY);
        rill.arg(command).arg(world.path("copy")).env("RILL_STORE", "postgres://db/rill");
        assert!(refusal(&rill.output().unwrap()).contains("pg_dump"));
    }
    assert!(!world.path("copy").exists());
}

#[test]
fn of_two_servers_on_one_store_the_later_one_serves_and_the_earlier_one_ends() {
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    let mut world = World::start(&["--store", &url, "--drain-ms", "100"]);
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    let room = create(&mut session, "Handed over", &[]);
    let args = [&NAME[..], &["--store", &url]].concat();
    let mut later = Server::start(Path::new(BINARY), &world.path("later"), &args).unwrap();
    assert_eq!(world.ended(), Some(1));
    let mut there = ann.at(&later.url()).connect(0).unwrap();
    assert_eq!(post(&mut there, &room, "goes on"), 2);
    assert!(later.terminate().unwrap().success());
    assert_eq!(later.error_lines().unwrap(), Vec::<String>::new());
}
