//! A server of a test's own, people on it, and waiting for facts.
//!
//! Owns: which tests may run beside each other. Not here: any expectation about what the server does.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use rill_loadtest::failure::Failure;
use rill_loadtest::picture::Picture;
use rill_loadtest::server::Server;
use rill_loadtest::session::{Answer, Session};
use rill_loadtest::user::User;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_rill");

/// Everybody's password.
pub(crate) const PASSWORD: &str = "a long enough password";

/// What a server calls itself, whichever port the system gave it: two servers with the same data say the same.
pub(crate) const NAME: [&str; 2] = ["--public-url", "http://rill.example"];

/// How long a fact that must come about is waited for, on a machine that may also be compiling.
pub(crate) const FACT_WAIT: Duration = Duration::from_secs(30);

/// How often a fact is looked for that announces itself to nobody.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Tests that measure time or memory have the machine for themselves.
static MACHINE: RwLock<()> = RwLock::new(());

/// A test's right to the machine, given back when the test ends.
enum Turn {
    Shared(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'static, ()>),
}

/// A running server with a folder of its own.
pub(crate) struct World {
    pub(crate) server: Server,
    folder: TempDir,
    _turn: Turn,
}

impl World {
    /// A server with the given settings, beside other tests.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::with(args, Turn::Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// A server with the given settings, while no other test of this binary runs.
    pub(crate) fn start_alone(args: &[&str]) -> Self {
        Self::with(args, Turn::Alone(MACHINE.write().unwrap_or_else(PoisonError::into_inner)))
    }

    fn with(args: &[&str], turn: Turn) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let args = [&NAME, args].concat();
        let server = Server::start(Path::new(BINARY), &folder.path().join("data"), &args).unwrap();
        Self { server, folder, _turn: turn }
    }

    /// A path in the test's folder, which is removed in the end.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A person who is registered and logged in.
    pub(crate) fn person(&self, name: &str) -> User {
        let email = format!("{}@example.com", name.to_lowercase());
        User::register(&self.server.url(), &email, PASSWORD, name).unwrap()
    }

    /// The body of a page, with its status.
    pub(crate) fn get(&self, path: &str) -> Result<(u16, String), Failure> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_idle_connections(0);
        let agent = config.timeout_global(Some(FACT_WAIT)).build().new_agent();
        let failed = |error: ureq::Error| Failure::Io(format!("{path}: {error}"));
        let mut response = agent.get(format!("{}{path}", self.server.url())).call().map_err(failed)?;
        let body = response.body_mut().read_to_string().map_err(failed)?;
        Ok((response.status().as_u16(), body))
    }

    /// The sum of a metric over its labels, by its name without prefix and suffix.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (status, text) = self.get("/metrics").unwrap();
        assert_eq!(status, 200, "/metrics: {text}");
        let value_of = |line: &str| {
            let (key, value) = line.rsplit_once(' ')?;
            let key = key.split('{').next()?;
            let key = key.strip_prefix("rill_").unwrap_or(key);
            let key = key.strip_suffix("_total").unwrap_or(key);
            if key == name { value.parse::<f64>().ok() } else { None }
        };
        let values: Vec<f64> =
            text.lines().filter(|line| !line.starts_with('#')).filter_map(value_of).collect();
        assert!(!values.is_empty(), "there is no metric {name} in\n{text}");
        values.iter().sum::<f64>() as u64
    }

    /// The exit status of a server that was asked to end.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        // Asking again would end it the harder way.
        self.server.wait().unwrap().code()
    }

    /// Nothing was logged that an operator would have to look at.
    pub(crate) fn assert_no_errors(&self) {
        assert_eq!(self.server.error_lines().unwrap(), Vec::<String>::new(), "unexpected lines in the log");
    }
}

/// Waits until something is so; `what` names it.
pub(crate) fn await_fact(what: &str, within: Duration, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < within, "no {what} within {within:?}");
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// Creates a conversation and gives its id.
pub(crate) fn create(session: &mut dyn Session, topic: &str, others: &[&User]) -> String {
    let ids: Vec<&str> = others.iter().map(|user| user.account_id.as_str()).collect();
    let answer = session.request("conv:create", json!({"topic": topic, "account_ids": ids})).unwrap();
    answer.done().unwrap().conversation_id().to_owned()
}

/// Params of a post.
pub(crate) fn text_of(conversation_id: &str, message: &str) -> Value {
    json!({"conversation_id": conversation_id, "message": message})
}

/// Posts and gives the message's number.
pub(crate) fn post(session: &mut dyn Session, conversation_id: &str, message: &str) -> u64 {
    let answer: Answer = session.request("message:add_plain", text_of(conversation_id, message)).unwrap();
    answer.done().unwrap().message_nr().expect("a post is answered with its number")
}

/// Waits until a session has a message.
pub(crate) fn await_message(session: &mut dyn Session, conversation_id: &str, message_nr: u64) {
    let what = format!("message {message_nr} of {conversation_id}");
    let mut is_there = |picture: &Picture| picture.message(conversation_id, message_nr).is_some();
    session.wait_for(&what, FACT_WAIT, &mut is_there).unwrap();
}

/// Whoever lived through it all and whoever has just synchronised hold the same, and neither contradicts itself.
pub(crate) fn assert_like_a_fresh_sync(session: &mut dyn Session) {
    let lines = compared_with_a_fresh_sync(session).unwrap();
    assert!(lines.is_empty(), "not as after a fresh sync:\n{}", lines.join("\n"));
}

/// What distinguishes a session from a fresh sync of its account, and what either contradicts.
pub(crate) fn compared_with_a_fresh_sync(session: &mut dyn Session) -> Result<Vec<String>, Failure> {
    session.settle()?;
    Picture::complete(session)?;
    let mut fresh = session.user().connect(0)?;
    Picture::complete(&mut fresh)?;
    session.settle()?;
    // What was loaded for a poll may have been more than its queue holds: then it has caught up, and loads once more.
    Picture::complete(session)?;
    Ok(differences(session.picture(), fresh.picture()))
}

/// What distinguishes the picture of a client that is no session from a fresh sync of its account.
pub(crate) fn differences_to_a_fresh_sync(user: &User, picture: &Picture) -> Result<Vec<String>, Failure> {
    let mut fresh = user.connect(0)?;
    Picture::complete(&mut fresh)?;
    Ok(differences(picture, fresh.picture()))
}

fn differences(lived: &Picture, fresh: &Picture) -> Vec<String> {
    let mut lines = lived.difference(fresh);
    lines.retain(|line| !is_news_of_joining(lived, line));
    lines.extend(lived.verify().iter().map(|violation| format!("lived through: {violation}")));
    lines.extend(fresh.verify().iter().map(|violation| format!("fresh: {violation}")));
    lines
}

/// That somebody was added is told to those who are there, and not repeated to who comes later (conversations.md §8).
fn is_news_of_joining(picture: &Picture, line: &str) -> bool {
    let key =
        line.strip_prefix("activity ").and_then(|rest| rest.strip_suffix(": only in the first picture"));
    let record = key.and_then(|key| picture.record("activity", key));
    record.is_some_and(|record| !record.contains_key("read_message_nr"))
}

/// The value below which the given share of the durations lies, which need not be sorted.
pub(crate) fn percentile(durations: &[Duration], share: f64) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    assert!(!sorted.is_empty(), "nothing was measured");
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}
