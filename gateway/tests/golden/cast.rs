//! The people of a table: some accounts on a server, what each is pushed, and a conversation that is begun anew for each
//! line.
//!
//! Alice makes the calls with one login and listens with another. Bob is a member, Charlie has left, Dave is a stranger.

use std::time::Instant;

use rill_loadtest::failure::Failure;
use rill_loadtest::picture::Picture;
use rill_loadtest::record::{Record, kind, list};
use rill_loadtest::server::Server;
use rill_loadtest::session::{ANSWER_WAIT, Answer, Event};
use rill_loadtest::socket::Socket;
use rill_loadtest::user::{HttpAnswer, User};
use serde_json::{Value, json};

use crate::names::Names;

/// Who there is.
pub(crate) const PEOPLE: [&str; 4] = ["alice", "bob", "charlie", "dave"];

const PASSWORD: &str = "a long enough password";

/// An account with two logins: one that asks and one that listens.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) user: User,
    socket: Socket,
    pub(crate) inbox: Vec<Record>,
    pings: i64,
}

impl Person {
    fn new(server: &Server, world: &str, name: &'static str) -> Result<Self, Failure> {
        let capital: String = name[..1].to_uppercase() + &name[1..];
        let email = format!("{name}@{world}.example.com");
        let user = User::register(&server.url(), &email, PASSWORD, &capital)?;
        let listening = User::login(&server.url(), &email, PASSWORD)?;
        Ok(Self { name, user, socket: listening.connect(0)?, inbox: Vec::new(), pings: 0 })
    }

    /// Submits an event over HTTP.
    pub(crate) fn ask(&self, urn: &str, params: Value) -> Result<Answer, Failure> {
        let event = Event::new(urn, params);
        let stream = json!([{"client_req_id": event.client_req_id, "mk_event_type": event.urn, "params": event.params}]);
        let path = "/api/event/store";
        let answer = self.user.http_post(path, json!({ "stream": stream }))?.ok(path)?;
        let request = list(&answer.json, "requests").into_iter().next();
        let request = request.ok_or_else(|| Failure::Broken(format!("no request record for {urn}")))?;
        Ok(Answer { request, stream: list(&answer.json, "stream") })
    }

    /// Makes an HTTP call.
    pub(crate) fn call(&self, path: &str, body: Value) -> Result<HttpAnswer, Failure> {
        self.user.http_post(&format!("/api/{path}"), body)
    }

    /// Everything that an initial sync gives and that can be loaded beyond it.
    pub(crate) fn fresh(&self) -> Result<Picture, Failure> {
        let mut socket = self.user.connect(0)?;
        Picture::complete(&mut socket)?;
        Ok(socket.close())
    }

    /// Takes in everything that owners put in before this call: each is asked a question that it refuses, and what a session is
    /// sent comes in order.
    fn settle(&mut self, conversation_ids: &[String]) -> Result<(), Failure> {
        for conversation_id in conversation_ids {
            let params = json!({"conversation_id": conversation_id, "message_nr": 0});
            let id = self.socket.submit("message:load_context", params)?.to_string();
            self.read_until("answer", |frame| {
                frame.requests.iter().any(|request| request["client_req_id"] == id)
            })?;
        }
        self.pings += 1;
        let ping = self.pings;
        self.socket.send_text(&json!({ "ping": ping }).to_string())?;
        self.read_until("pong", |frame| frame.raw["pong"] == ping)
    }

    fn read_until(
        &mut self,
        what: &str,
        is_it: impl Fn(&rill_loadtest::socket::Frame) -> bool,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            let left = ANSWER_WAIT.checked_sub(start.elapsed());
            let left = left.ok_or_else(|| Failure::timed_out(what, ANSWER_WAIT))?;
            let frame = self.socket.next_frame(left)?;
            let is_last = is_it(&frame);
            self.take(frame.stream);
            if is_last {
                return Ok(());
            }
        }
    }

    fn take(&mut self, stream: Vec<Record>) {
        self.inbox.extend(stream.into_iter().filter(|record| kind(record) != "request"));
    }
}

/// Some people, and what the words of a table mean among them.
pub(crate) struct World {
    pub(crate) people: Vec<Person>,
    pub(crate) names: Names,
    conversation_ids: Vec<String>,
}

impl World {
    pub(crate) fn new(server: &Server, world: &str) -> Result<Self, Failure> {
        let people = PEOPLE.map(|name| Person::new(server, world, name));
        let people = people.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut names = Names::default();
        for person in &people {
            names.bind(&format!("@{}", person.name), &person.user.account_id);
            names.bind(&format!("@{}.email", person.name), &person.user.email);
        }
        let mut world = Self { people, names, conversation_ids: Vec::new() };
        let own = world.person("alice").fresh()?;
        own.records("label").for_each(|label| world.names.learn(label));
        Ok(world)
    }

    pub(crate) fn person(&self, name: &str) -> &Person {
        self.people
            .iter()
            .find(|person| person.name == name)
            .unwrap_or_else(|| panic!("nobody is called {name}"))
    }

    /// Begins the conversations of a line: `$c` with two texts, which Charlie has left, `$d` of Alice and Bob with one, and
    /// `$dialog` of the two.
    pub(crate) fn begin(&mut self) -> Result<(), Failure> {
        let ids = ["bob", "charlie"].map(|name| self.person(name).user.account_id.clone());
        let alice = self.person("alice");
        let create = |topic: &str, ids: &[String]| {
            let answer = alice.ask("conv:create", json!({"topic": topic, "account_ids": ids}))?.done()?;
            Ok::<String, Failure>(answer.conversation_id().to_owned())
        };
        let (c, d) = (create("Garden", &ids)?, create("Kitchen", &ids[..1])?);
        let dialog = alice.ask("contact:get_dialog", json!({"account_id": ids[0]}))?.done()?;
        let dialog = dialog.conversation_id().to_owned();
        for (name, id, text) in [("alice", &c, "one"), ("bob", &c, "two"), ("bob", &d, "elsewhere")] {
            let params = json!({"conversation_id": id, "message": text});
            self.person(name).ask("message:add_plain", params)?.done()?;
        }
        self.person("charlie").ask("conv:leave", json!({ "conversation_id": c }))?.done()?;
        self.names.bind("$c", &c);
        self.names.bind("$d", &d);
        self.names.bind("$dialog", &dialog);
        self.conversation_ids = vec![c, d, dialog];
        Ok(())
    }

    /// Forgets what was told so far.
    pub(crate) fn forget(&mut self) -> Result<(), Failure> {
        self.settle()?;
        self.people.iter_mut().for_each(|person| person.inbox.clear());
        Ok(())
    }

    /// Everybody takes in what is under way.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        let ids = self.conversation_ids.clone();
        for person in &mut self.people {
            person.settle(&ids)?;
        }
        self.learn();
        Ok(())
    }

    /// How many records everybody was told.
    pub(crate) fn told(&self) -> usize {
        self.people.iter().map(|person| person.inbox.len()).sum()
    }

    fn learn(&mut self) {
        for record in self.people.iter().flat_map(|person| &person.inbox) {
            self.names.learn(record);
        }
    }

    /// The conversations of this line.
    pub(crate) fn conversation_ids(&self) -> &[String] {
        &self.conversation_ids
    }

    /// What happens before a call.
    pub(crate) fn prepare(&mut self, line: &str) -> Result<(), Failure> {
        self.act(line)?.done().map(drop)
    }

    /// An event, or `POST path {…}`, `bob> POST path {…}`: a call that has none. Its outcome stands in the place of a request record.
    pub(crate) fn act(&mut self, line: &str) -> Result<Answer, Failure> {
        let (who, deed) = line.split_once("> ").unwrap_or(("alice", line));
        let Some((path, body)) = deed.strip_prefix("POST ").and_then(|call| call.split_once(' ')) else {
            return self.event(line);
        };
        let body =
            serde_json::from_str(&self.names.fill(body)).unwrap_or_else(|error| panic!("{line}: {error}"));
        let answer = self.person(who).call(&self.names.fill(path), body)?;
        let stream = list(&answer.json, "stream");
        stream.iter().for_each(|record| self.names.learn(record));
        let mut request = Record::from_iter([("status_code".to_owned(), answer.status.into())]);
        for key in ["error_id", "error_message"] {
            request.extend(answer.json.get(key).map(|text| (key.to_owned(), text.clone())));
        }
        Ok(Answer { request, stream })
    }

    /// An event of a table: `conv:set_topic {…}`, or `bob> conv:set_topic {…}`. A conversation that it does not name is `$c`.
    pub(crate) fn event(&self, line: &str) -> Result<Answer, Failure> {
        let (who, event) = line.split_once("> ").unwrap_or(("alice", line));
        let (urn, params) = event.trim().split_once(' ').unwrap_or((event.trim(), "{}"));
        let mut params: Value =
            serde_json::from_str(&self.names.fill(params)).unwrap_or_else(|error| panic!("{line}: {error}"));
        let is_on_conversation = ["conv:", "message:", "section:"].iter().any(|noun| urn.starts_with(noun));
        if is_on_conversation && urn != "conv:create" && params.get("conversation_id").is_none() {
            params["conversation_id"] = self.names.value("$c").into();
        }
        self.person(who).ask(urn, params)
    }
}
