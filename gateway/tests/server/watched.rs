//! What watches over a server is told: a service manager by its socket, a container by `rill health`.
//!
//! Not here: the socket's protocol beyond what a server says of its life, which is `notify`'s own.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rill_loadtest::postgres::Postgres;
use rill_loadtest::server::Server;

use crate::world::{BINARY, FACT_WAIT, World, await_fact};

/// How long the manager of these tests waits for a sign of life, in microseconds: it comes every 50 ms.
const PATIENCE_US: &str = "100000";

/// What a service manager is told next.
fn hears(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 64];
    let size = manager.recv(&mut bytes).expect("the server says something in time");
    String::from_utf8(bytes[..size].to_vec()).unwrap()
}

/// A server that a manager started which listens in this folder.
fn start(folder: &Path, args: &[&str]) -> (Child, UnixDatagram) {
    let path = folder.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(FACT_WAIT)).unwrap();
    let mut command = Command::new(BINARY);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--drain-ms", "100", "--data"])
        .arg(folder.join("data"));
    command.args(args).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", PATIENCE_US);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    (command.spawn().unwrap(), socket)
}

#[test]
fn a_service_manager_hears_of_a_servers_whole_life() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, manager) = start(folder.path(), &[]);
    let (mut readies, mut signs) = (0, 0);
    while readies == 0 || signs < 3 {
        match hears(&manager).as_str() {
            "READY=1" => readies += 1,
            "WATCHDOG=1" => signs += 1,
            other => panic!("{other:?} is told by a server that begins"),
        }
    }
    assert_eq!(readies, 1);
    let killed = Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(killed.success());
    await_fact("word of the end", FACT_WAIT, || match hears(&manager).as_str() {
        "WATCHDOG=1" => false,
        last => {
            assert_eq!(last, "STOPPING=1");
            true
        }
    });
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_whose_store_was_taken_over_does_not_say_that_it_is_to_stop() {
    let postgres = Postgres::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = ["--store", &postgres.url()];
    let (mut earlier, manager) = start(folder.path(), &store);
    while hears(&manager) != "READY=1" {}
    let _later = Server::start(Path::new(BINARY), &folder.path().join("later"), &store).unwrap();
    manager.set_nonblocking(true).unwrap();
    await_fact("end of the earlier server", FACT_WAIT, || {
        let mut bytes = [0; 64];
        while let Ok(size) = manager.recv(&mut bytes) {
            assert_eq!(&bytes[..size], b"WATCHDOG=1");
        }
        earlier.try_wait().unwrap().is_some()
    });
    assert_eq!(earlier.wait().unwrap().code(), Some(1), "a manager starts it again");
}

fn health(url: &str) -> Output {
    Command::new(BINARY).args(["health", "--url", url]).output().unwrap()
}

#[test]
fn health_tells_by_its_status_whether_a_server_is_ready() {
    let mut world = World::start(&["--drain-ms", "3000"]);
    let url = world.server.url();
    let well = health(&url);
    assert_eq!((well.status.code(), well.stdout, well.stderr), (Some(0), vec![], vec![]));
    // Its socket is not read, so the server waits for it.
    let reader = world.person("Ann").connect(0).unwrap();
    world.server.signal("TERM").unwrap();
    await_fact("failing health", FACT_WAIT, || health(&url).status.code() == Some(1));
    let draining = String::from_utf8(health(&url).stderr).unwrap();
    assert!(draining.contains("/readyz is not ready: it answers 503"), "{draining}");
    assert_eq!(draining.lines().count(), 1, "{draining}");
    drop(reader);
    assert_eq!(world.ended(), Some(0));
    let gone = health(&url);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8(gone.stderr).unwrap().contains("cannot be asked"));
}
