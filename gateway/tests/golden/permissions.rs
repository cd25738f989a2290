//! `permissions.txt`: who may ask for what. A row is an event with its params, a column somebody in the conversation that it is
//! about; the cell is what he is answered: `ok`, or the status and the `error_id`.
//!
//! Each cell is played in a conversation of its own, so that no cell says anything of another. Not here: what the events do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rill_loadtest::failure::Failure;
use rill_loadtest::record::{Record, list, text};
use rill_loadtest::server::Server;
use rill_loadtest::user::User;
use rill_proto::event::catalogue;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::names::Names;
use crate::table::Table;

/// The columns before the roles: the event and its params.
const ASKED: usize = 2;

const PASSWORD: &str = "a long enough password";

/// An id that belongs to nothing.
const NOBODYS_ID: &str = "00000000-0000-0000-0000-000000000000";

#[test]
fn everybody_may_what_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_rill"));
    let server = Server::start::<&str>(binary, &folder.path().join("data"), &[]).unwrap();
    let mut table = Table::read("permissions.txt");
    let roles: Vec<String> = table.head()[ASKED..].to_vec();
    let mut stage = Stage::open(&server, &roles).unwrap();
    let mut asked = BTreeSet::new();
    for cells in table.rows_mut() {
        asked.insert(format!("urn:fleep:client:{}", cells[0]));
        for (at, role) in roles.iter().enumerate() {
            let outcome = stage.outcome(role, &cells[0], &cells[1]);
            cells[ASKED + at] = outcome.unwrap_or_else(|failure| panic!("{role}, {}: {failure}", cells[0]));
        }
    }
    let wanted = catalogue().map(|event| event.urn);
    let missing: Vec<&str> = wanted.filter(|urn| !asked.contains(*urn)).collect();
    assert!(
        missing.is_empty(),
        "permissions.txt has no row for {missing:?}; write event and params, then RILL_GOLDEN=write"
    );
    assert_eq!(server.error_lines().unwrap(), Vec::<String>::new());
    table.settle();
}

/// Alice, to whom the conversations belong, Bob, who is in all of them, and one person for each role.
struct Stage {
    alice: User,
    bob: User,
    roles: BTreeMap<String, User>,
    names: Names,
}

impl Stage {
    fn open(server: &Server, roles: &[String]) -> Result<Self, Failure> {
        let person = |name: &str| {
            let email = format!("{}@example.com", name.replace(' ', "."));
            User::register(&server.url(), &email, PASSWORD, name)
        };
        let (alice, bob) = (person("alice")?, person("bob")?);
        let mut people = BTreeMap::new();
        for role in roles {
            people.insert(role.clone(), person(role)?);
        }
        if let Some(closed) = people.get("closed") {
            closed.http_post("/api/account/close", json!({}))?.ok("account/close")?;
        }
        let mut names = Names::default();
        names.bind("@alice", &alice.account_id);
        names.bind("@bob", &bob.account_id);
        let mut stage = Self { alice: alice.clone(), bob, roles: people, names };
        for word in ["$task", "$own_section", "$label"] {
            stage.furnish(&alice, word)?;
            let (theirs, value) = (word.replace('$', "$alices_"), stage.names.value(word).to_owned());
            stage.names.bind(&theirs, &value);
        }
        stage.found()?;
        Ok(stage)
    }

    /// Alice's organisation, `$org`, with its other admin, her team, `$team`, and the organisation of somebody else.
    fn found(&mut self) -> Result<(), Failure> {
        let organisation = |name: &str| json!({ "organisation_name": name });
        let org = made(&self.alice, "business/create", organisation("Acme"), "organisation_id")?;
        let team = made(&self.alice, "team/create", json!({"team_name": "Crew"}), "team_id")?;
        self.names.bind("$org", &org);
        self.names.bind("$team", &team);
        if let Some(admin) = self.roles.get("org admin") {
            let configure = |change: &str| {
                let body = json!({ change: [admin.account_id] });
                self.alice
                    .http_post(&format!("/api/business/configure/{org}"), body)?
                    .ok("business/configure")
            };
            configure("add_account_ids")?;
            let reminder =
                made(admin, "account/poll", json!({"event_horizon": 0, "wait": false}), "reminder_id")?;
            let joined =
                admin.http_post(&format!("/api/business/join/{org}"), json!({"reminder_id": reminder}))?;
            joined.ok("business/join")?;
            configure("add_admin_ids")?;
        }
        if let Some(other) = self.roles.get("other org") {
            made(other, "business/create", organisation("Other"), "organisation_id")?;
        }
        Ok(())
    }

    /// What the role is answered.
    fn outcome(&mut self, role: &str, event: &str, params: &str) -> Result<String, Failure> {
        let who = self.roles[role].clone();
        let is_on_conversation = ["conv:", "message:", "section:"].iter().any(|noun| event.starts_with(noun));
        if is_on_conversation || params.contains("$c\"") {
            self.begin(role, &who)?;
        }
        self.furnish(&who, params)?;
        let params = if params.is_empty() { "{}" } else { params };
        let mut params: Value = serde_json::from_str(&self.names.fill(params))
            .unwrap_or_else(|error| panic!("{event} {params}: {error}"));
        if is_on_conversation && event != "conv:create" && params.get("conversation_id").is_none() {
            params["conversation_id"] = self.names.value("$c").into();
        }
        let answer = store(&who, &[(event, params)])?;
        Ok(match answer {
            Ok(answers) => outcome(&answers[0].0),
            Err((status, error_id)) => format!("{status} {error_id}"),
        })
    }

    /// A conversation of Alice's, `$c`, with a text of hers (2), a pin (3), a task (4) and a section `$section`; Bob is in it, and
    /// the role in his way.
    fn begin(&mut self, role: &str, who: &User) -> Result<(), Failure> {
        let mut ids = vec![self.bob.account_id.clone()];
        if ["member", "passive", "left", "kicked", "admin"].contains(&role) {
            ids.push(who.account_id.clone());
        }
        let is_managed = ["kicked", "admin", "org admin", "other org"].contains(&role);
        let params = json!({"topic": "Garden", "account_ids": ids, "is_managed": is_managed});
        let made = done(&self.alice, &[("conv:create", params)])?;
        let (request, stream) = &made[0];
        let c = text(&identifier(request), "conversation_id").to_owned();
        stream.iter().for_each(|record| self.names.learn(record));
        let post = |verb, words| (verb, json!({"conversation_id": c, "message": words}));
        let section = ("section:task:add", json!({"conversation_id": c, "section_name": "Later"}));
        let written = [
            post("message:add_plain", "text"),
            post("message:add_pinned", "pin"),
            post("message:add_todo", "task"),
            section,
        ];
        let written = done(&self.alice, &written)?;
        self.names.bind("$section", text(&identifier(&written[3].0), "section_id"));
        match role {
            "passive" => drop(done(who, &[("conv:set_passive", json!({"conversation_id": c}))])?),
            "left" => drop(done(who, &[("conv:leave", json!({"conversation_id": c}))])?),
            "kicked" | "admin" => {
                let verb = if role == "kicked" { "conv:kick_members" } else { "conv:add_admins" };
                let params = json!({"conversation_id": c, "account_ids": [who.account_id]});
                drop(done(&self.alice, &[(verb, params)])?);
            }
            _ => {}
        }
        self.names.bind("$c", &c);
        Ok(())
    }

    /// Whatever else the params name: `$d`, a conversation of the role's own with a text (2), `$dialog` with Bob, and things of his; nothing
    /// for who cannot make any.
    fn furnish(&mut self, who: &User, params: &str) -> Result<(), Failure> {
        let things = [
            ("$d", "conv:create", json!({"topic": "Kitchen"}), "conversation_id"),
            ("$dialog", "contact:get_dialog", json!({"account_id": self.bob.account_id}), "conversation_id"),
            ("$task", "my_message:add_todo", json!({"message": "task"}), "message_id"),
            (
                "$canned",
                "my_message:add_canned",
                json!({"canned_name": Uuid::new_v4().to_string(), "message": "hello"}),
                "message_id",
            ),
            ("$own_section", "my_section:task:add", json!({"section_name": "Later"}), "section_id"),
        ];
        for (word, event, made_with, key) in things {
            if !params.contains(word) {
                continue;
            }
            let id = match store(who, &[(event, made_with)])? {
                Ok(answers) if outcome(&answers[0].0) == "ok" => {
                    text(&identifier(&answers[0].0), key).to_owned()
                }
                Ok(answers) => return Err(Failure::Broken(format!("{event}: {}", outcome(&answers[0].0)))),
                Err(_) => Uuid::nil().to_string(),
            };
            if word == "$d" {
                let post = ("message:add_plain", json!({"conversation_id": id, "message": "text"}));
                // Who is refused this is refused what follows as well.
                let _answered = store(who, &[post])?;
            }
            self.names.bind(word, &id);
        }
        if params.contains("$own_team") {
            let team = json!({"team_name": "Own", "is_managed": false});
            let answer = who.http_post("/api/team/create", team)?;
            let team = list(&answer.json, "stream").into_iter().next().unwrap_or_default();
            let id = text(&team, "team_id");
            self.names.bind("$own_team", if id.is_empty() { NOBODYS_ID } else { id });
        }
        if params.contains("$label") {
            let answer = who.http_post("/api/label/store", json!({"label": "Work"}))?;
            let label = list(&answer.json, "stream").into_iter().next().unwrap_or_default();
            let id = text(&label, "label_id");
            self.names.bind("$label", if id.is_empty() { NOBODYS_ID } else { id });
        }
        Ok(())
    }
}

/// The id of what an older call makes or tells of.
fn made(who: &User, call: &str, body: Value, key: &str) -> Result<String, Failure> {
    let answer = who.http_post(&format!("/api/{call}"), body)?;
    let mut ids = list(&answer.json, "stream").into_iter().map(|record| text(&record, key).to_owned());
    ids.find(|id| !id.is_empty()).ok_or_else(|| Failure::Broken(format!("{call}: {}", answer.body)))
}

/// A request record, and the records of the answer that it came in.
type Answered = (Record, Vec<Record>);

/// Submits events over HTTP; the status and the `error_id` of a call that is refused as a whole.
fn store(who: &User, events: &[(&str, Value)]) -> Result<Result<Vec<Answered>, (u16, String)>, Failure> {
    let stream: Vec<Value> = events
        .iter()
        .map(|(event, params)| {
            json!({"client_req_id": Uuid::new_v4(), "mk_event_type": format!("urn:fleep:client:{event}"), "params": params})
        })
        .collect();
    let answer = who.http_post("/api/event/store", json!({ "stream": stream }))?;
    if answer.status != 200 {
        return Ok(Err((answer.status, answer.json["error_id"].as_str().unwrap_or_default().to_owned())));
    }
    let stream = list(&answer.json, "stream");
    let requests = list(&answer.json, "requests");
    assert_eq!(requests.len(), events.len(), "each event has its request record: {}", answer.body);
    Ok(Ok(requests.into_iter().map(|request| (request, stream.clone())).collect()))
}

/// The same, where nothing may be refused.
fn done(who: &User, events: &[(&str, Value)]) -> Result<Vec<Answered>, Failure> {
    let answers =
        store(who, events)?.map_err(|(status, error_id)| Failure::Broken(format!("{status} {error_id}")))?;
    match answers.iter().find(|(request, _)| outcome(request) != "ok") {
        Some((request, _)) => Err(Failure::Broken(Value::Object(request.clone()).to_string())),
        None => Ok(answers),
    }
}

fn identifier(request: &Record) -> Record {
    request.get("identifier").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn outcome(request: &Record) -> String {
    match request.get("status_code").and_then(Value::as_u64) {
        Some(200) => "ok".to_owned(),
        status => format!("{} {}", status.unwrap_or(0), text(request, "error_id")),
    }
}
