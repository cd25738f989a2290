//! The door through which the server fetches files for others: what it must never reach, and what it must not lose.
//!
//! Not here: the events themselves, which are the scenarios' part; single addresses, which are the guard's.

use std::time::Duration;

use rill_loadtest::record::{Record, text};
use rill_loadtest::session::Session;
use rill_loadtest::socket::Socket;
use serde_json::json;

use crate::elsewhere::{ALLOWED, Elsewhere, SETTING};
use crate::world::{FACT_WAIT, World, assert_like_a_fresh_sync, await_fact};

/// Asks for a file and waits for what comes of it.
fn fetched(session: &mut Socket, url: &str) -> Record {
    let upload_id = url.to_owned();
    ask(session, url, &upload_id);
    outcome(session, &upload_id)
}

fn ask(session: &mut Socket, url: &str, upload_id: &str) {
    let params = json!({"file_url": url, "file_name": "", "upload_id": upload_id});
    session.request("account:upload_external", params).unwrap().done().unwrap();
}

fn outcome(session: &mut Socket, upload_id: &str) -> Record {
    outcome_in(session, "", upload_id)
}

/// What comes of a file that was asked for in a conversation.
fn outcome_in(session: &mut Socket, conversation_id: &str, upload_id: &str) -> Record {
    let key = format!("{conversation_id}/{upload_id}");
    session
        .wait_for(&format!("outcome of {upload_id}"), Duration::from_secs(60), &mut |picture| {
            picture.record("upload", &key).is_some_and(|upload| text(upload, "status") != "pending")
        })
        .unwrap();
    session.picture().record("upload", &key).unwrap().clone()
}

fn assert_fails(session: &mut Socket, url: &str, why: &str) {
    let upload = fetched(session, url);
    assert_eq!((text(&upload, "status"), text(&upload, "error")), ("failure", why), "{url}");
    assert!(!upload.contains_key("upload_url"), "{url}");
}

const REFUSED: &str = "This address is not fetched from.";

#[test]
fn nothing_of_our_own_network_is_reached() {
    let world = World::start(&SETTING);
    let (allowed, forbidden) = (Elsewhere::start(ALLOWED).unwrap(), Elsewhere::start("127.0.0.1").unwrap());
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    let secret = format!("{}/a.txt", forbidden.url());
    let port = forbidden.url().rsplit(':').next().unwrap().to_owned();
    for url in [
        secret.clone(),
        // The same address in other words.
        format!("http://localhost:{port}/a.txt"),
        format!("http://[::1]:{port}/a.txt"),
        format!("http://[::ffff:127.0.0.1]:{port}/a.txt"),
        format!("http://[::ffff:127.0.0.2]:{port}/a.txt"),
        format!("http://0.0.0.0:{port}/a.txt"),
        format!("http://2130706433:{port}/a.txt"),
        format!("http://0x7f.1:{port}/a.txt"),
        format!("http://127.1:{port}/a.txt"),
        // And others.
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "https://192.168.1.1/".to_owned(),
        "http://[fd00::1]/".to_owned(),
        // A server that may be reached sends on to one that may not.
        format!("{}/to/{secret}", allowed.url()),
        format!("{}/to/http://localhost:{port}/a.txt", allowed.url()),
        format!("{}/to/http://169.254.169.254/", allowed.url()),
        format!("{}/to/http://[::1]:{port}/a.txt", allowed.url()),
    ] {
        assert_fails(&mut session, &url, REFUSED);
    }
    assert_eq!(forbidden.connections(), 0, "nobody knocked");
    assert_eq!(allowed.connections(), 4);
    // What is no http is not even asked for.
    for url in ["file:///etc/passwd", "ftp://127.0.0.2/a", "http://a:b@127.0.0.2/a", "//127.0.0.2/a"] {
        let params = json!({"file_url": url, "file_name": "a"});
        assert_eq!(session.request("account:upload_external", params).unwrap().status_code(), 400, "{url}");
    }
    assert_fails(
        &mut session,
        &format!("{}/to/file:///etc/passwd", allowed.url()),
        "The server redirects too often.",
    );
    assert_like_a_fresh_sync(&mut session);
    world.assert_no_errors();
}

#[test]
fn what_servers_do_to_us_has_bounds() {
    let args = [&SETTING[..], &["--file-bytes-max", "1000000"]].concat();
    let world = World::start(&args);
    let elsewhere = Elsewhere::start(ALLOWED).unwrap();
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    let at = |path: &str| format!("{}{path}", elsewhere.url());
    assert_eq!(text(&fetched(&mut session, &at("/hops/4")), "status"), "success");
    assert_fails(&mut session, &at("/hops/5"), "The server redirects too often.");
    assert_fails(&mut session, &at("/large"), "The file has more than 1000000 bytes.");
    assert_fails(&mut session, &at("/endless"), "The file has more than 1000000 bytes.");
    assert_fails(&mut session, &at("/half"), "The server cannot be reached.");
    assert_fails(&mut session, &at("/nothing"), "The server answered 404.");
    assert_fails(&mut session, "http://127.0.0.2:1/", "The server cannot be reached.");
    let left = std::fs::read_dir(world.server.data_dir().join("files/incoming")).unwrap().count();
    assert_eq!(left, 0, "what was refused left nothing");
    world.assert_no_errors();
}

#[test]
fn what_there_is_no_room_for_is_not_kept() {
    let args = [&SETTING[..], &["--storage-quota-bytes", "20"]].concat();
    let world = World::start(&args);
    let elsewhere = Elsewhere::start(ALLOWED).unwrap();
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    let url = format!("{}/a.txt", elsewhere.url());
    let asked = json!({"file_url": url, "file_name": "", "file_size": 21});
    assert_eq!(session.request("account:upload_external", asked).unwrap().status_code(), 507);
    assert_eq!(text(&fetched(&mut session, &url), "status"), "success");
    // The second one of 14 bytes; its size was not said.
    let params = json!({"topic": "Far"});
    let made = session.request("conv:create", params).unwrap();
    let id = made.conversation_id().to_owned();
    let wanted = json!({"conversation_id": id, "file_url": url, "file_name": "", "upload_id": "second"});
    session.request("conv:upload_external", wanted).unwrap().done().unwrap();
    let upload = outcome_in(&mut session, &id, "second");
    assert_eq!(
        (text(&upload, "status"), text(&upload, "error")),
        ("failure", "The file has more than 6 bytes.")
    );
    assert!(!upload.contains_key("upload_url"));
    world.assert_no_errors();
}

#[test]
fn what_was_ordered_survives_a_kill_and_is_fetched_once_more() {
    let mut world = World::start(&SETTING);
    let elsewhere = Elsewhere::start(ALLOWED).unwrap();
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    let before = session.picture().horizon();
    // Several that keep a fetcher each, so that some are cut off in the middle, and one that is done.
    for n in 0..3 {
        ask(&mut session, &format!("{}/silent", elsewhere.url()), &format!("silent {n}"));
    }
    await_fact("connections", FACT_WAIT, || elsewhere.connections() == 3);
    ask(&mut session, &format!("{}/a.txt", elsewhere.url()), "done");
    let mut done = outcome(&mut session, "done");
    // It is said while it is pending, and not again.
    done.remove("progress");
    ask(&mut session, &format!("{}/pixel.gif", elsewhere.url()), "cut off");
    world.server.kill9().unwrap();
    world.server.restart().unwrap();
    let mut session = ann.connect(before).unwrap();
    assert_eq!(outcome(&mut session, "done"), done, "what was told is told again");
    let gif = outcome(&mut session, "cut off");
    assert_eq!((text(&gif, "status"), &gif["width"], &gif["height"]), ("success", &json!(2), &json!(3)));
    assert_eq!(
        ann.get(text(&gif, "upload_url"), &[]).unwrap().bytes.len() as u64,
        gif["size"].as_u64().unwrap()
    );
    await_fact("connections anew", FACT_WAIT, || elsewhere.connections() >= 7);
    let picture = session.picture();
    let pending = picture.records("upload").filter(|upload| text(upload, "status") == "pending").count();
    assert_eq!(pending, 3, "and the others are still under way");
    world.assert_no_errors();
}
