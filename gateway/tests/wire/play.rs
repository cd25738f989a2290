//! Plays a scenario step by step.
//!
//! Not here: what a session is ([`crate::person`]), how values match ([`crate::pattern`]).

use crate::compare;
use crate::complaint::Complaint;
use crate::elsewhere::{ALLOWED, Elsewhere};
use crate::ground::Ground;
use crate::letter;
use crate::manual;
use crate::pattern::{Identity, Names, show};
use crate::person::{Person, Transport};
use crate::remains::Remains;
use crate::script::{Deed, Script, Step, Wanted};
use rill_loadtest::picture::Picture;
use rill_loadtest::record::{self, Record};
use rill_loadtest::session::Answer;
use rill_loadtest::user::{HttpAnswer, User};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a fact may take to come about: much longer than any push takes, also beside a compiler on two cores.
const FACT_WAIT: Duration = Duration::from_secs(10);

/// How often a folder is looked at that announces nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The password of everybody.
const PASSWORD: &str = "a long enough password";

/// Where the body of a call's answer has records, in the order in which they are looked at.
const RECORDS_OF_A_BODY: [&str; 6] = ["header", "headers", "matches", "conversations", "contacts", "stream"];

/// Makes the addresses of a run's accounts differ.
static ACCOUNTS: AtomicUsize = AtomicUsize::new(1);

/// Plays a scenario with fresh accounts, compares everybody's picture at the end, and gives what is left of each.
pub(crate) fn play(
    ground: &Ground,
    script: &Script,
    transport: Transport,
) -> Result<Vec<Remains>, Complaint> {
    let mut scene =
        Scene::open(ground, script, transport).map_err(|it| it.at(script.file.clone(), "people"))?;
    let mut partings = BTreeMap::new();
    for (nr, step) in script.steps.iter().enumerate() {
        let place = || format!("{}:{} (over {transport})", script.file, step.line);
        scene.act(step).map_err(|complaint| complaint.at(place(), &step.text))?;
        // Each at a moment of his own, so that they have missed different things in the end.
        for (at, name) in script.people.iter().enumerate() {
            if nr == script.steps.len() * (at + 1) / (script.people.len() + 1)
                && let Ok(parting) = scene.person(name)?.left_here()
            {
                partings.insert(name.clone(), parting);
            }
        }
    }
    let place = format!("{} (over {transport})", script.file);
    let mut remains = Vec::new();
    for name in &script.people {
        if scene.person(name)?.is_gone {
            continue;
        }
        let text = format!("picture {name} equals fresh sync");
        let fresh = scene.compare(name).map_err(|complaint| complaint.at(place.clone(), &text))?;
        remains.push((name, fresh));
    }
    ground.is_clean().map_err(|complaint| complaint.at(place.clone(), ""))?;
    let remains = remains.into_iter().map(|(name, fresh)| {
        let mut person = scene.people.remove(name)?;
        person.break_off();
        let parting = partings.remove(name);
        let conversation_ids = scene.conversation_ids.clone();
        Some(Remains { place: place.clone(), name: name.clone(), person, parting, fresh, conversation_ids })
    });
    Ok(remains.flatten().collect())
}

/// A fresh account with one login. The name is the person's, with a capital letter.
pub(crate) fn register(ground: &Ground, name: &str) -> Result<User, Complaint> {
    let number = ACCOUNTS.fetch_add(1, Ordering::Relaxed);
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let display_name: String = first.into_iter().chain(letters).collect();
    let email = format!("{name}.{number}@example.com");
    Ok(User::register(&ground.url(), &email, PASSWORD, &display_name)?)
}

struct Scene {
    names: Names,
    people: BTreeMap<String, Person>,
    /// The last answer, and what nobody has asked of it yet. An HTTP call's outcome stands in the place of a request record.
    answer: Answer,
    /// The body of the last answer, when a call was made.
    body: Option<Record>,
    asker: String,
    rest: VecDeque<Record>,
    /// The folders of the letters.
    letters: Vec<PathBuf>,
    /// Every conversation that an answer has named; every organisation and team, by the call that shows it.
    conversation_ids: Vec<String>,
}

impl Scene {
    fn open(ground: &Ground, script: &Script, transport: Transport) -> Result<Self, Complaint> {
        let mut scene = Self {
            names: Names::default(),
            people: BTreeMap::new(),
            answer: Answer::default(),
            body: None,
            asker: String::new(),
            letters: ground.letters(),
            rest: VecDeque::new(),
            conversation_ids: Vec::new(),
        };
        if script.steps.iter().any(|step| step.text.contains("${elsewhere}")) {
            let elsewhere = Elsewhere::start(ALLOWED)
                .map_err(|error| Complaint::new("a web server elsewhere", error.to_string()))?;
            scene.names.bind("elsewhere", elsewhere.url().into());
        }
        for name in &script.people {
            let user = match name.split_once('.') {
                Some((owner, _)) => {
                    let owner = scene.person(owner)?;
                    User::login(owner.user.base_url(), &owner.user.email, PASSWORD)?
                }
                None => register(ground, name)?,
            };
            let identity = Identity { account_id: user.account_id.clone(), email: user.email.clone() };
            scene.names.people.insert(name.clone(), identity);
            let person = Person::arrive(name, user, transport)?;
            scene.people.insert(name.clone(), person);
        }
        Ok(scene)
    }

    fn person(&mut self, name: &str) -> Result<&mut Person, Complaint> {
        let person = self.people.get_mut(name);
        person.ok_or_else(|| Complaint::new(format!("a person called {name}"), "nobody"))
    }

    fn act(&mut self, step: &Step) -> Result<(), Complaint> {
        match &step.deed {
            Deed::Ask { who, urn, params, is_repeat, times } => {
                for _ in 1..*times {
                    self.ask(who, urn, params, false)?;
                    if !self.answer.is_done() {
                        return self.done(200, &Value::Null);
                    }
                }
                self.ask(who, urn, params, *is_repeat)
            }
            Deed::Call { who, path, body } => self.call(who, path, body),
            Deed::Put { who, name, content } => self.put(who, name, content),
            Deed::Get { who, path } => self.get(who, path),
            Deed::Done { status, identifier, sync_cursor } => {
                self.done(*status, identifier)?;
                self.ends_with(sync_cursor.as_ref())
            }
            Deed::Refused { status, error_id, part } => self.refused(*status, error_id, part),
            Deed::Answered(who, wanted) => self.answered(who, wanted),
            Deed::AnsweredNothing(who) => self.answered_nothing(who),
            Deed::Pushed(who, wanted) => self.pushed(who, wanted),
            Deed::PushedNothing(who) => self.pushed_nothing(who),
            Deed::Settle => self.settle(),
            Deed::Connect(who) => self.person(who)?.connect(),
            Deed::Disconnect(who) => self.person(who)?.disconnect(),
            Deed::Mailed(who, name) => self.mailed(who, name),
            Deed::CutOff(who) => self.person(who)?.is_cut_off(),
            Deed::Gone(who) => {
                let person = self.person(who)?;
                person.is_gone = true;
                person.is_cut_off()
            }
            Deed::Header(who, conversation, numbers) => self.header(who, conversation, numbers),
            Deed::Holds(who, conversation, numbers) => self.holds(who, conversation, numbers),
            Deed::LoadEverything(who) => Ok(Picture::complete(self.person(who)?.session()?)?),
            Deed::Compare(who) => self.compare(who).map(drop),
        }
    }

    fn ask(&mut self, who: &str, urn: &str, params: &Value, is_repeat: bool) -> Result<(), Complaint> {
        let params = self.names.fill(params)?;
        self.answer = self.person(who)?.ask(urn, params.clone(), is_repeat)?;
        manual::allows(urn, &params, is_repeat, &self.answer)?;
        self.body = None;
        who.clone_into(&mut self.asker);
        self.rest = self.answer.stream.iter().cloned().collect();
        let conversation_id = self.answer.conversation_id().to_owned();
        if self.answer.is_done()
            && !conversation_id.is_empty()
            && !self.conversation_ids.contains(&conversation_id)
        {
            self.conversation_ids.push(conversation_id);
        }
        Ok(())
    }

    /// Uploads a file and waits for the answer.
    fn put(&mut self, who: &str, name: &str, content: &Value) -> Result<(), Complaint> {
        let content = self.names.fill(content)?;
        let answer = self.person(who)?.user.upload(name, content.as_str().unwrap_or("").as_bytes())?;
        let file = answer.json["files"][0].as_object().cloned();
        self.read(who, &answer, file.unwrap_or_default());
        Ok(())
    }

    /// Reads a path and waits for the answer.
    fn get(&mut self, who: &str, path: &str) -> Result<(), Complaint> {
        let path = self.names.text(path)?;
        let answer = self.person(who)?.user.get(&path, &[])?;
        let mut fields = Map::from_iter([("body".to_owned(), Value::from(answer.body.clone()))]);
        for (key, header) in [("content_type", "content-type"), ("disposition", "content-disposition")] {
            fields.extend(answer.header(header).map(|value| (key.to_owned(), value.into())));
        }
        self.read(who, &answer, fields);
        Ok(())
    }

    /// Takes in an answer without records.
    fn read(&mut self, who: &str, answer: &HttpAnswer, fields: Record) {
        let mut request = Map::from_iter([("status_code".to_owned(), answer.status.into())]);
        for key in ["error_id", "error_message"] {
            request.extend(answer.json.get(key).map(|text| (key.to_owned(), text.clone())));
        }
        who.clone_into(&mut self.asker);
        self.rest.clear();
        self.answer = Answer { request, stream: Vec::new() };
        self.body = Some(fields);
    }

    /// Makes an HTTP call and waits for its answer. What it brings is not put into the picture: what changed is pushed.
    fn call(&mut self, who: &str, path: &str, body: &Value) -> Result<(), Complaint> {
        let (path, body) = (format!("/api/{}", self.names.text(path)?), self.names.fill(body)?);
        let answer = self.person(who)?.user.http_post(&path, body)?;
        let Value::Object(mut body) = answer.json else {
            return Err(Complaint::new("a body of JSON", answer.body));
        };
        let mut request = Map::from_iter([("status_code".to_owned(), answer.status.into())]);
        let texts = ["error_id", "error_message"].map(|key| (key, body.get(key).cloned()));
        request.extend(texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?))));
        let mut stream: Vec<Record> = Vec::new();
        if body.contains_key("mk_rec_type") {
            stream.push(body.clone());
        }
        for key in RECORDS_OF_A_BODY {
            match body.remove(key) {
                Some(Value::Object(record)) => stream.push(record),
                Some(Value::Array(records)) if records.iter().all(Value::is_object) => {
                    stream.extend(records.into_iter().filter_map(|record| record.as_object().cloned()));
                }
                Some(other) => drop(body.insert(key.to_owned(), other)),
                None => {}
            }
        }
        who.clone_into(&mut self.asker);
        self.notice_groups(&stream);
        self.rest = stream.iter().cloned().collect();
        self.answer = Answer { request, stream };
        self.body = Some(body);
        Ok(())
    }

    /// Remembers the organisations and teams that a call was answered with.
    fn notice_groups(&mut self, stream: &[Record]) {
        for record in stream {
            let call = match record::kind(record) {
                "org_header" => format!("business/sync/{}", record::text(record, "organisation_id")),
                "team" => format!("team/sync/{}", record::text(record, "team_id")),
                _ => continue,
            };
            if !self.conversation_ids.contains(&call) {
                self.conversation_ids.push(call);
            }
        }
    }

    /// Waits for a letter, and keeps what its link carries.
    fn mailed(&mut self, who: &str, name: &str) -> Result<(), Complaint> {
        let email = self.person(who)?.user.email.clone();
        let start = Instant::now();
        while start.elapsed() < FACT_WAIT {
            if let Some(link) = letter::newest(&self.letters, &email, "").as_deref().and_then(letter::link) {
                self.names.bind(name, link.into());
                return Ok(());
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        Err(Complaint::new(format!("a letter to {who}"), "none"))
    }

    fn outcome(&self) -> String {
        Value::Object(self.answer.request.clone()).to_string()
    }

    /// The request record of a list says where it goes on, and no other says such a thing.
    fn ends_with(&mut self, sync_cursor: Option<&Value>) -> Result<(), Complaint> {
        let got = self.answer.request.get("sync_cursor").cloned();
        match (sync_cursor, got) {
            (Some(wanted), Some(got)) => self.names.whole(wanted, &got),
            (None, None) => Ok(()),
            (wanted, got) => {
                let wanted = wanted.map_or("no sync_cursor".to_owned(), show);
                Err(Complaint::new(wanted, got.map_or("no sync_cursor".to_owned(), |got| got.to_string())))
            }
        }
    }

    fn done(&mut self, status: u64, identifier: &Value) -> Result<(), Complaint> {
        if self.answer.status_code() != status {
            return Err(Complaint::new(format!("status {status}"), self.outcome()));
        }
        if let Some(body) = &self.body {
            return self.names.record(identifier, body);
        }
        if identifier.is_null() {
            return Err(Complaint::new("the identifier of an event", "no word of it"));
        }
        let got = self.answer.request.get("identifier").cloned().unwrap_or(Value::Null);
        self.names.whole(identifier, &got)
    }

    fn refused(&self, status: u64, error_id: &str, part: &str) -> Result<(), Complaint> {
        let message = record::text(&self.answer.request, "error_message");
        let is_as_said = self.answer.status_code() == status
            && self.answer.error_id() == error_id
            && message.contains(part)
            && !message.is_empty();
        if !is_as_said {
            return Err(Complaint::new(format!("{status} {error_id} {part}"), self.outcome()));
        }
        match self.answer.stream.first() {
            None => Ok(()),
            Some(record) => {
                let got = Value::Object(record.clone()).to_string();
                Err(Complaint::new("no record with a refusal", got))
            }
        }
    }

    fn is_answer_of(&self, who: &str) -> Result<(), Complaint> {
        if self.asker == who {
            return Ok(());
        }
        Err(Complaint::new(format!("an answer to {who}"), format!("the last one is {}'s", self.asker)))
    }

    fn answered_nothing(&mut self, who: &str) -> Result<(), Complaint> {
        self.is_answer_of(who)?;
        match self.rest.pop_front() {
            None => Ok(()),
            Some(record) => Err(Complaint::new("no further record", Value::Object(record).to_string())),
        }
    }

    fn answered(&mut self, who: &str, wanted: &Wanted) -> Result<(), Complaint> {
        self.is_answer_of(who)?;
        let Some(record) = self.rest.pop_front() else {
            return Err(Complaint::new(said(wanted), "no further record in the answer"));
        };
        fits(&mut self.names, wanted, &record)
    }

    fn pushed(&mut self, who: &str, wanted: &Wanted) -> Result<(), Complaint> {
        let start = Instant::now();
        loop {
            let mut names = self.names.clone();
            let person = self.person(who)?;
            let found = person
                .candidates()
                .find(|(_, record)| fits(&mut names, wanted, record).is_ok())
                .map(|(at, _)| at);
            if let Some(at) = found {
                person.take(at);
                self.names = names;
                return Ok(());
            }
            let Some(left) = FACT_WAIT.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else {
                let why: Vec<String> =
                    person.candidates().map(|(_, record)| explain(&mut names, wanted, record)).collect();
                let got = format!("within {} s only\n{}", FACT_WAIT.as_secs(), why.join("\n"));
                return Err(Complaint::new(said(wanted), got));
            };
            person.receive(left)?;
        }
    }

    fn pushed_nothing(&mut self, who: &str) -> Result<(), Complaint> {
        let conversation_ids = self.conversation_ids.clone();
        let person = self.person(who)?;
        person.settle(&conversation_ids)?;
        let rest = lines(person.inbox());
        person.forget();
        if rest.is_empty() {
            return Ok(());
        }
        Err(Complaint::new("nothing", rest))
    }

    fn settle(&mut self) -> Result<(), Complaint> {
        let conversation_ids = self.conversation_ids.clone();
        for person in self.people.values_mut().filter(|person| person.is_connected()) {
            person.settle(&conversation_ids)?;
            person.forget();
        }
        Ok(())
    }

    /// Waits until the picture's header says all of it.
    fn header(
        &mut self,
        who: &str,
        conversation: &Value,
        numbers: &[(&str, Value)],
    ) -> Result<(), Complaint> {
        let id = self.names.fill(conversation)?;
        let fields = numbers.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        let pattern = Value::Object(fields.collect());
        let mut names = self.names.clone();
        self.await_picture(who, |picture| {
            let none = Map::new();
            let header = picture.conv(id.as_str().unwrap_or("")).unwrap_or(&none);
            names.record(&pattern, header).map_err(|complaint| {
                Complaint::new(complaint.to_string(), Value::Object(header.clone()).to_string())
            })
        })
    }

    fn holds(&mut self, who: &str, conversation: &Value, numbers: &[u64]) -> Result<(), Complaint> {
        let id = self.names.fill(conversation)?;
        self.await_picture(who, |picture| {
            let held = picture.messages(id.as_str().unwrap_or(""));
            let held: Vec<u64> = held.filter_map(|message| record::number(message, "message_nr")).collect();
            if held == numbers {
                return Ok(());
            }
            Err(Complaint::new(format!("messages {numbers:?}"), format!("{held:?}")))
        })
    }

    fn await_picture(
        &mut self,
        who: &str,
        mut judge: impl FnMut(&Picture) -> Result<(), Complaint>,
    ) -> Result<(), Complaint> {
        let start = Instant::now();
        let person = self.person(who)?;
        loop {
            let Err(complaint) = judge(person.picture()?) else {
                return Ok(());
            };
            match FACT_WAIT.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
                Some(left) => person.receive(left)?,
                None => return Err(complaint),
            }
        }
    }

    fn compare(&mut self, who: &str) -> Result<Picture, Complaint> {
        let conversation_ids = self.conversation_ids.clone();
        compare::equals_fresh_sync(self.person(who)?, &conversation_ids)
    }
}

fn fits(names: &mut Names, wanted: &Wanted, record: &Record) -> Result<(), Complaint> {
    let judged = fields_fit(names, wanted, record);
    judged.map_err(|complaint| {
        let got = Value::Object(record.clone());
        Complaint::new(said(wanted), format!("{got}\n{complaint}"))
    })
}

fn fields_fit(names: &mut Names, wanted: &Wanted, record: &Record) -> Result<(), Complaint> {
    if record::kind(record) != wanted.kind {
        return Err(Complaint::new(wanted.kind.as_str(), record::kind(record)));
    }
    if let Some(key) = wanted.has.iter().find(|key| !record.contains_key(*key)) {
        return Err(Complaint::new(key, "no such field"));
    }
    if let Some(key) = wanted.lacks.iter().find(|key| record.contains_key(*key)) {
        return Err(Complaint::new(format!("no {key}"), record[key].to_string()));
    }
    names.record(&wanted.fields, record)?;
    wanted.shape.map_or(Ok(()), |shape| shape.check(record))
}

fn said(wanted: &Wanted) -> String {
    format!("{} {}", wanted.kind, show(&wanted.fields))
}

/// A record that did not fit: all of it when the kind is right, its kind otherwise.
fn explain(names: &mut Names, wanted: &Wanted, record: &Record) -> String {
    match fields_fit(names, wanted, record) {
        Err(complaint) if record::kind(record) == wanted.kind => {
            format!("{}\n{complaint}", Value::Object(record.clone()))
        }
        Ok(()) | Err(_) => record::kind(record).to_owned(),
    }
}

fn lines(records: &[Record]) -> String {
    let lines = records.iter().map(|record| Value::Object(record.clone()).to_string());
    lines.collect::<Vec<_>>().join("\n")
}
