//! Who gets in, who does not, and what ends a session.
//!
//! Not here: what ends the process ([`crate::ends`]).

use std::time::{Duration, Instant};

use rill_loadtest::failure::Failure;
use rill_loadtest::picture::Picture;
use rill_loadtest::session::Session;
use rill_loadtest::socket::{Socket, upgrade};
use rill_loadtest::user::{User, basic_auth, http_post};
use serde_json::json;

use crate::world::{FACT_WAIT, PASSWORD, World, create, post};

/// The status that an upgrade with these headers is refused with.
fn refused(world: &World, headers: &[(&str, &str)]) -> u16 {
    match upgrade(&world.server.url(), headers) {
        Err(Failure::Http { status, .. }) => status,
        Err(failure) => panic!("{headers:?}: {failure}"),
        Ok(_) => panic!("{headers:?} was let in"),
    }
}

/// How a connection with this token and this ticket ends.
fn ended(user: &User, ticket: &str) -> u16 {
    let mut socket = Socket::open(user, Picture::at(0)).unwrap();
    socket.send_text(&json!({"ticket": ticket, "api_version": 4}).to_string()).unwrap();
    socket.wait_closed(FACT_WAIT).unwrap().0
}

#[test]
fn an_upgrade_needs_a_token() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let dead = uuid::Uuid::new_v4();
    assert_eq!(refused(&world, &[]), 401);
    assert_eq!(refused(&world, &[("Cookie", "token_id=")]), 401);
    assert_eq!(refused(&world, &[("Cookie", "token_id=rubbish")]), 401);
    assert_eq!(refused(&world, &[("Cookie", &format!("token_id={dead}"))]), 401);
    assert_eq!(refused(&world, &[("Authorization", &format!("Bearer {dead}"))]), 401);
    assert_eq!(refused(&world, &[("Cookie", &format!("ticket={}", ann.ticket))]), 401);
    upgrade(&world.server.url(), &[("Authorization", &format!("Bearer {}", ann.token_id))]).unwrap();
    upgrade(&world.server.url(), &[("Cookie", &format!("lang=en; token_id={}", ann.token_id))]).unwrap();
    world.assert_no_errors();
}

#[test]
fn a_foreign_page_may_not_open_a_socket() {
    let world = World::start(&["--origins", "https://chat.example.org"]);
    let cookie = format!("token_id={}", world.person("Ann").token_id);
    let from = |origin: &str| refused(&world, &[("Cookie", &cookie), ("Origin", origin)]);
    for foreign in
        ["https://evil.example.com", "null", "http://127.0.0.1:1", "https://chat.example.org.evil.com"]
    {
        assert_eq!(from(foreign), 403, "{foreign}");
    }
    let url = world.server.url();
    for own in [url.as_str(), "https://chat.example.org"] {
        upgrade(&url, &[("Cookie", &cookie), ("Origin", own)]).unwrap();
    }
    world.assert_no_errors();
}

#[test]
fn a_ticket_belongs_to_its_token() {
    let world = World::start(&[]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let again = User::login(&world.server.url(), &ann.email, PASSWORD).unwrap();
    assert_eq!(ended(&ann, "wrong"), 4401);
    assert_eq!(ended(&ann, ""), 4401);
    assert_eq!(ended(&ann, &bea.ticket), 4401);
    assert_eq!(ended(&ann, &again.ticket), 4401);
    let with_ticket =
        |ticket: &str| ann.http_post("/api/account/sync", json!({ "ticket": ticket })).unwrap().status;
    assert_eq!(with_ticket(&again.ticket), 401);
    assert_eq!(with_ticket(&ann.ticket), 200);
    // Both logins are sessions of one account, side by side.
    ann.connect(0).unwrap();
    again.connect(0).unwrap();
    world.assert_no_errors();
}

#[test]
fn who_does_not_say_hello_is_closed_in_time() {
    let world = World::start(&["--hello-wait-ms", "700"]);
    let ann = world.person("Ann");
    let start = Instant::now();
    let mut silent = Socket::open(&ann, Picture::at(0)).unwrap();
    assert_eq!(silent.wait_closed(FACT_WAIT).unwrap().0, 4408);
    let after = start.elapsed();
    println!("sessions: without hello closed after {after:?}");
    assert!(after >= Duration::from_millis(600) && after < Duration::from_secs(10), "{after:?}");
    // Who is in stays in, however quiet he is; a pinged client that reads answers by itself.
    let mut quiet = ann.connect(0).unwrap();
    quiet.receive(Duration::from_millis(1_500)).unwrap();
    quiet.settle().unwrap();
    world.assert_no_errors();
}

#[test]
fn who_does_not_answer_pings_is_closed() {
    let world = World::start(&["--ping-after-ms", "300", "--ping-wait-ms", "300"]);
    let ann = world.person("Ann");
    let mut dead = ann.connect(0).unwrap();
    // Nothing is read, so nothing is answered.
    crate::world::await_fact("closing of the dead client", FACT_WAIT, || {
        world.metric("sessions_timed_out") == 1
    });
    assert_eq!(dead.wait_closed(FACT_WAIT).unwrap().0, 4408);
    world.assert_no_errors();
}

#[test]
fn logout_ends_the_session_and_its_token() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let other = User::login(&world.server.url(), &ann.email, PASSWORD).unwrap();
    let (mut socket, mut stays) = (ann.connect(0).unwrap(), other.connect(0).unwrap());
    let room = create(&mut socket, "Before", &[]);
    ann.http_post("/api/account/logout", json!({})).unwrap().ok("logout").unwrap();
    assert_eq!(socket.wait_closed(FACT_WAIT).unwrap().0, 1008);
    for path in ["/api/account/sync", "/api/account/poll", "/api/event/store", "/api/account/logout"] {
        let body = json!({"stream": [], "wait": false});
        assert_eq!(ann.http_post(path, body).unwrap().status, 401, "{path}");
    }
    assert_eq!(refused(&world, &[("Cookie", &format!("token_id={}", ann.token_id))]), 401);
    // The account's other session has not noticed.
    assert_eq!(post(&mut stays, &room, "still here"), 2);
    world.assert_no_errors();
}

#[test]
fn a_logout_is_remembered_over_a_crash() {
    let mut world = World::start(&[]);
    let ann = world.person("Ann");
    let other = User::login(&world.server.url(), &ann.email, PASSWORD).unwrap();
    ann.http_post("/api/account/logout", json!({})).unwrap().ok("logout").unwrap();
    world.server.kill9().unwrap();
    world.server.restart().unwrap();
    assert_eq!(ann.http_post("/api/account/sync", json!({})).unwrap().status, 401);
    other.connect(0).unwrap();
    world.assert_no_errors();
}

#[test]
fn registration_is_open_or_not_and_provisioning_needs_its_password() {
    let world =
        World::start(&["--open-registration", "false", "--sys-user", "ops", "--sys-password", "secret"]);
    let url = world.server.url();
    assert!(User::register(&url, "ann@example.com", PASSWORD, "Ann").is_err());
    let body = json!({"email": "ann@example.com", "password": PASSWORD, "display_name": "Ann"});
    let with =
        |headers: &[(&str, &str)]| http_post(&url, "/sys/account/register", headers, &body).unwrap().status;
    assert_eq!(with(&[]), 401);
    assert_eq!(with(&[("Authorization", &basic_auth("ops", "wrong"))]), 401);
    assert_eq!(with(&[("Authorization", &basic_auth("ann", "secret"))]), 401);
    let ann =
        User::provision(&url, &basic_auth("ops", "secret"), "ann@example.com", PASSWORD, "Ann").unwrap();
    ann.connect(0).unwrap();
    let twice = User::provision(&url, &basic_auth("ops", "secret"), "ANN@example.com", PASSWORD, "Ann");
    assert!(matches!(twice, Err(Failure::Http { status: 431, .. })), "{twice:?}");
    let off = World::start(&[]);
    let status = http_post(&off.server.url(), "/sys/account/register", &[], &body).unwrap().status;
    assert_eq!(status, 404, "provisioning is off unless it is configured");
    world.assert_no_errors();
}

#[test]
fn a_wrong_password_is_refused_as_an_unknown_address_is() {
    let world = World::start(&[]);
    world.person("Ann");
    let try_with = |email: &str, password: &str| {
        let body = json!({"email": email, "password": password});
        let answer = http_post(&world.server.url(), "/api/account/login", &[], &body).unwrap();
        (answer.status, answer.body)
    };
    let wrong = try_with("ann@example.com", "wrong");
    assert_eq!(wrong.0, 431);
    assert_eq!(wrong, try_with("nobody@example.com", PASSWORD));
    let body = json!({"email": "Ann@Example.com", "password": PASSWORD});
    let answer = http_post(&world.server.url(), "/api/account/login", &[], &body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("token_id=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"), "without TLS a Secure cookie would never come back: {cookie}");
    world.assert_no_errors();
}
