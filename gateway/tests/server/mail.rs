//! Everything that goes through a mailbox: registering by a code, being invited, a new password, and a real mail server that
//! is away when the letter is written.
//!
//! Not here: closing an account, which is a scenario.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rill_loadtest::session::Session;
use rill_loadtest::user::{HttpAnswer, User, http_post};
use serde_json::{Value, json};

use crate::letter;
use crate::world::{FACT_WAIT, PASSWORD, World, await_fact, create, post};

/// The header by which these tests come from as many places as they like.
const FROM: &str = "X-Forwarded-For";

/// How long the test's own mail server may take to be installed.
const INSTALL_WAIT: Duration = Duration::from_secs(180);

fn start(args: &[&str]) -> World {
    World::start(&[&["--client-address-header", FROM], args].concat())
}

impl World {
    /// A call without a login, from somewhere.
    fn call_from(&self, from: &str, path: &str, body: &Value) -> HttpAnswer {
        http_post(&self.server.url(), &format!("/api/{path}"), &[(FROM, from)], body).unwrap()
    }

    /// As [`World::call_from`], from a place where nobody else is.
    fn call(&self, path: &str, body: &Value) -> HttpAnswer {
        self.call_from("192.0.2.77", path, body)
    }

    /// Waits for a letter that another one may have gone before.
    fn letter(&self, email: &str, earlier: Option<&str>) -> String {
        let mut found = None;
        await_fact(&format!("letter to {email}"), FACT_WAIT, || {
            found = letter::newest(&[self.server.data_dir().join("mail")], email, "");
            found.as_deref() != earlier && found.is_some()
        });
        found.unwrap()
    }
}

fn refused(answer: &HttpAnswer, text: &str) {
    assert_eq!((answer.status, answer.json["error_message"].as_str()), (431, Some(text)), "{}", answer.body);
}

fn done(answer: HttpAnswer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json
}

/// As clients do it: the code is behind the colon of the subject, with a dash or without.
fn code_of(letter: &str) -> String {
    let subject = letter.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap();
    subject.split_once(": ").unwrap().1.to_owned()
}

#[test]
fn who_registers_by_a_code_is_in_with_the_address_that_he_chose() {
    let world = start(&[]);
    let email = "ada@example.com";
    let asked = json!({"email": email, "display_name": "Ada L", "password": PASSWORD, "use_code": true});
    done(world.call("account/register", &asked));
    let first = world.letter(email, None);
    assert_ne!(world.call("account/login", &json!({"email": email, "password": PASSWORD})).status, 200);
    done(world.call("account/register/v2", &json!({ "email": email })));
    let second = world.letter(email, Some(&first));

    let prepare = |code: &str| {
        world.call("account/prepare/v2", &json!({"registration_mail": email, "registration_code": code}))
    };
    refused(&prepare("no code"), "Notification expired.");
    let prepared = done(prepare(&code_of(&second).replace('-', "")));
    assert_eq!(prepared["suggestions"][0], "ada.chat", "{prepared}");
    let confirm = |prepared: &Value, address: &str| {
        let given = json!({"notification_id": prepared["notification_id"], "display_name": "Ada",
            "password": PASSWORD, "fleep_address": address});
        world.call("account/confirm/v2", &given)
    };
    refused(&confirm(&prepared, "x"), "Fleep address not available!");
    let confirmed = confirm(&prepared, "ada.love");
    assert!(confirmed.cookie("token_id").is_some());
    let confirmed = done(confirmed);
    assert_eq!(
        (&confirmed["display_name"], &confirmed["profiles"][0]["fleep_address"]),
        (&json!("Ada"), &json!("ada.love"))
    );
    User::login(&world.server.url(), "ada.love", PASSWORD).unwrap();
    assert!(world.letter(email, Some(&second)).contains("Subject: Welcome"));

    refused(&prepare(&code_of(&second)), "Link has already been used.");
    let unused = done(prepare(&code_of(&first)));
    refused(&confirm(&unused, "ada.too"), "Account already active");
    refused(&world.call("account/register", &asked), "Account already active");
    world.assert_no_errors();
}

#[test]
fn who_was_added_by_his_address_registers_by_the_invitation_and_keeps_what_is_his() {
    let world = start(&[]);
    let bob = world.person("Bob");
    let mut session = bob.connect(0).unwrap();
    let email = "new@example.com";
    let found = session.request("contact:lookup_by_email", json!({ "email": email })).unwrap();
    let account_id = found.request["identifier"]["account_id"].as_str().unwrap().to_owned();
    let conversation_id = create(&mut session, "Tea", &[]);
    let add = json!({"conversation_id": conversation_id, "account_ids": [account_id]});
    session.request("conv:add_members", add).unwrap().done().unwrap();
    post(&mut session, &conversation_id, "welcome");
    let letter = world.letter(email, None);
    assert!(letter.contains("Subject: Bob has invited you"), "{letter}");

    let given =
        json!({"notification_id": letter::link(&letter), "display_name": "Newt", "password": PASSWORD});
    let prepared = done(world.call("account/prepare/v2", &given));
    assert_eq!(prepared["email"], email);
    let confirmed = done(world.call("account/confirm/v2", &given));
    assert_eq!(confirmed["account_id"], *account_id);
    let mut newt = User::login(&world.server.url(), email, PASSWORD).unwrap().connect(0).unwrap();
    let unread = newt.picture().conv(&conversation_id).unwrap()["unread_count"].clone();
    assert_eq!(unread, 1, "registering reads nothing");
    let mut is_told = |picture: &rill_loadtest::picture::Picture| {
        let contact = picture.record("contact", &account_id).map(|contact| contact["display_name"].clone());
        let mut messages = picture.messages(&conversation_id);
        let signs_in = messages.any(|message| message["mk_message_type"] == "signin");
        contact == Some(json!("Newt")) && signs_in
    };
    session.wait_for("news of who has registered", FACT_WAIT, &mut is_told).unwrap();
    newt.wait_for("his own news", FACT_WAIT, &mut |picture| {
        picture.messages(&conversation_id).any(|message| message["mk_message_type"] == "signin")
    })
    .unwrap();
    world.assert_no_errors();
}

#[test]
fn nobody_is_invited_where_registration_is_closed() {
    let world = start(&["--open-registration", "false", "--sys-user", "ops", "--sys-password", "secret"]);
    let basic = rill_loadtest::user::basic_auth("ops", "secret");
    let bob = User::provision(&world.server.url(), &basic, "bob@example.com", PASSWORD, "Bob").unwrap();
    let answer = world.call("account/register/v2", &json!({"email": "new@example.com"}));
    assert_eq!((answer.status, &answer.json["error_id"]), (403, &json!("registration_closed")));
    let mut session = bob.connect(0).unwrap();
    let found = session.request("contact:lookup_by_email", json!({"email": "new@example.com"})).unwrap();
    let conversation_id = create(&mut session, "Tea", &[]);
    let ids = [found.request["identifier"]["account_id"].clone()];
    let add = json!({"conversation_id": conversation_id, "account_ids": ids});
    session.request("conv:add_members", add).unwrap().done().unwrap();
    // The letter that comes was written after the one that does not.
    done(world.call("account/reset_password", &json!({"email": "bob@example.com"})));
    world.letter("bob@example.com", None);
    assert_eq!(letter::newest(&[world.server.data_dir().join("mail")], "new@example.com", ""), None);
}

#[test]
fn a_reset_password_ends_every_session_and_is_wanted_five_times_an_hour_at_most() {
    let world = start(&[]);
    let ada = world.person("Ada");
    let mut socket = ada.connect(0).unwrap();
    let mut poll = User::login(&world.server.url(), &ada.email, PASSWORD).unwrap().poll_session().unwrap();
    refused(
        &world.call("account/reset_password", &json!({"email": "nobody@example.com"})),
        "Account not found!",
    );
    done(world.call("account/reset_password", &json!({"email": ada.email})));
    let letter = world.letter(&ada.email, None);
    let set = |link: Option<String>| {
        world.call("account/confirm_password", &json!({"notification_id": link, "password": "another"}))
    };
    refused(&set(Some("nonsense".to_owned())), "Notification expired.");
    // A poll that waits is answered at once.
    let waiting = std::thread::spawn(move || poll.poll(true).map(|_| ()));
    await_fact("poll that waits", FACT_WAIT, || world.metric("polls_waiting") == 1);
    done(set(letter::link(&letter)));
    let answered = waiting.join().unwrap().unwrap_err();
    assert!(answered.to_string().contains("401"), "{answered}");
    assert_eq!(socket.wait_closed(FACT_WAIT).unwrap().0, 1008);
    assert_ne!(world.call("account/login", &json!({"email": ada.email, "password": PASSWORD})).status, 200);
    User::login(&world.server.url(), &ada.email, "another").unwrap();
    refused(&set(letter::link(&letter)), "Link has already been used.");

    let again =
        |from: &str| world.call_from(from, "account/reset_password", &json!({"email": "nobody@example.com"}));
    for _ in 0..3 {
        refused(&again("192.0.2.77"), "Account not found!");
    }
    refused(&again("192.0.2.77"), "Too many password reset attempts per hour!");
    refused(&again("192.0.2.78"), "Account not found!");
    world.assert_no_errors();
}

#[test]
fn an_address_must_be_confirmed_where_the_operator_wants_it() {
    let world = start(&["--confirm-email", "true"]);
    let email = "ada@example.com";
    done(
        world.call("account/register", &json!({"email": email, "display_name": "Ada", "password": PASSWORD})),
    );
    assert_ne!(world.call("account/login", &json!({"email": email, "password": PASSWORD})).status, 200);
    let link = letter::link(&world.letter(email, None));
    let (status, page) = world.get(&format!("/confirm?notification_id={}", link.clone().unwrap())).unwrap();
    assert!(status == 200 && page.contains("<form>"), "{page}");
    // The older call brings the link alone.
    done(world.call("account/confirm", &json!({ "notification_id": link })));
    User::login(&world.server.url(), email, PASSWORD).unwrap();
}

/// A mail server in Python, and the folder in which it puts what it gets.
struct MailServer {
    python: PathBuf,
    maildir: PathBuf,
    port: u16,
    running: Option<Child>,
}

impl MailServer {
    /// Installs it; says why where that cannot be done.
    fn install(folder: &Path) -> Result<Self, String> {
        let environment = folder.join("venv");
        let run = |command: &mut Command| {
            let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success().then_some(()).ok_or(said)
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        let python = environment.join("bin/python");
        let wait = format!("--timeout={}", INSTALL_WAIT.as_secs() / 4);
        run(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--retries=1",
            &wait,
            "aiosmtpd",
        ]))?;
        // Free now, and nobody else's until the mail server takes it.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.map_err(|error| error.to_string())?.port();
        Ok(Self { python, maildir: folder.join("maildir"), port, running: None })
    }

    fn start(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        let handler = ["-c", "aiosmtpd.handlers.Mailbox"];
        let mut command = Command::new(&self.python);
        command.args(["-m", "aiosmtpd", "-n", "-l", &listen]).args(handler).arg(&self.maildir);
        self.running = Some(command.stdin(Stdio::null()).spawn().unwrap());
    }

    fn letters(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.maildir.join("new")).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            // It may have ended by itself; a test that ends leaves nothing behind.
            let _ended = running.kill();
            let _ended = running.wait();
        }
    }
}

#[test]
fn a_letter_outlives_a_crash_and_a_mail_server_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut mail_server = match MailServer::install(folder.path()) {
        Ok(mail_server) => mail_server,
        Err(reason) => {
            println!("NOT SHOWN: no real mail server, because python3 with venv and pip gave none: {reason}");
            return;
        }
    };
    let smtp = format!("smtp://127.0.0.1:{}", mail_server.port);
    let mut world = start(&["--smtp", &smtp]);
    let ada = world.person("Ada");
    done(world.call("account/reset_password", &json!({"email": ada.email})));
    world.server.kill9().unwrap();
    world.server.restart().unwrap();
    mail_server.start();
    await_fact("letter at the mail server", FACT_WAIT, || !mail_server.letters().is_empty());
    let letter = mail_server.letters().pop().unwrap();
    assert!(letter.contains(&format!("To: {}", ada.email)), "{letter}");
    let letter = letter.replace("=\n", "").replace("=3D", "=");
    let given = json!({"notification_id": letter::link(&letter), "password": "another"});
    done(world.call("account/confirm_password", &given));
    User::login(&world.server.url(), &ada.email, "another").unwrap();
    world.assert_no_errors();
}
