//! `adapters.txt`, and `business.txt` of what organisations manage: every older call beside the events that it stands for. In two
//! equal worlds, one where the call is made and one where the events are submitted, everybody is told the same and everything is
//! the same afterwards. `teams.txt` has the calls on teams, beside events and the simpler calls that each comes to.
//!
//! Not here: what the events do.

use std::path::Path;
use std::time::{Duration, Instant};

use rill_loadtest::failure::Failure;
use rill_loadtest::record::{Record, kind, list};
use rill_loadtest::server::Server;
use rill_loadtest::session::Answer;
use serde_json::{Map, Value, json};

use crate::cast::{PEOPLE, World};
use crate::names::Names;
use crate::table::Table;
use crate::told::{key, merged, told};

/// How long the worlds may take to come to the same, beside a compiler on two cores.
const FACT_WAIT: Duration = Duration::from_secs(10);

/// How often in a row nothing may have come before a table that is written anew believes that nothing will.
const QUIET_ROUNDS: usize = 4;

/// How long such a round is: an effect on another owner takes a few milliseconds.
const QUIET_ROUND: Duration = Duration::from_millis(15);

/// The cells that say what is played; those behind them say what comes of it.
const PLAYED: usize = 4;

#[test]
fn an_older_call_is_its_events() {
    play("adapters.txt");
}

#[test]
fn a_call_for_an_organisation_is_its_events() {
    play("business.txt");
}

#[test]
fn a_call_on_a_team_is_simpler_calls_and_events() {
    play("teams.txt");
}

fn play(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_rill"));
    let server = Server::start::<&str>(binary, &folder.path().join("data"), &[]).unwrap();
    let mut worlds = Worlds {
        called: World::new(&server, "called").unwrap(),
        asked: World::new(&server, "asked").unwrap(),
    };
    let mut table = Table::read(name);
    let mut broken = Vec::new();
    for cells in table.rows_mut() {
        match worlds.play(cells) {
            Ok(()) => {}
            Err(Failure::Broken(what)) => broken.push(format!("{}\n{what}", cells[..PLAYED].join(" | "))),
            Err(failure) => panic!("{}: {failure}", cells.join(" | ")),
        }
    }
    assert!(broken.is_empty(), "{} calls are not their events:\n{}", broken.len(), broken.join("\n\n"));
    worlds.are_equal().unwrap();
    assert_eq!(server.error_lines().unwrap(), Vec::<String>::new());
    table.settle();
}

/// Two worlds in which the same has happened.
struct Worlds {
    called: World,
    asked: World,
}

impl Worlds {
    fn both(&mut self) -> [&mut World; 2] {
        [&mut self.called, &mut self.asked]
    }

    /// Plays a row and fills in what came of it.
    fn play(&mut self, cells: &mut [String]) -> Result<(), Failure> {
        for world in self.both() {
            // The words of this line are not to be learnt from what the one before it told.
            world.forget()?;
            world.begin()?;
            for line in cells[2].split(" ; ").filter(|line| !line.is_empty()) {
                world.prepare(line)?;
            }
        }
        self.quieten()?;
        for world in self.both() {
            world.forget()?;
        }
        let (path, body) = (self.called.names.fill(&cells[0]), self.called.names.fill(&cells[1]));
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{}: {error}", cells[1]));
        let call = self.called.person("alice").call(&path, body)?;
        let answers = submit(&mut self.asked, &cells[3])?;
        let outcome = |status: u64, error_id: &str| format!("{status} {error_id}").trim().to_owned();
        let of_call = outcome(u64::from(call.status), call.json["error_id"].as_str().unwrap_or(""));
        let last = answers.last();
        if let Some(of_event) = last.map(|last| outcome(last.status_code(), last.error_id()))
            && of_call != of_event
        {
            return Err(Failure::Broken(format!("the call: {of_call} {}\nthe event: {of_event}", call.body)));
        }
        list(&call.json, "stream").iter().for_each(|record| self.called.names.learn(record));
        self.come_to_the_same(of_call, cells)?;
        if last.is_some_and(Answer::is_done) {
            covers(&self.called.names, &call.json, &self.asked.names, &answers)?;
        }
        self.leave_the_same()
    }

    /// Waits until nothing comes any more.
    fn quieten(&mut self) -> Result<(), Failure> {
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS {
            let before: usize = self.both().iter().map(|world| world.told()).sum();
            self.both().into_iter().try_for_each(World::settle)?;
            std::thread::sleep(QUIET_ROUND);
            self.both().into_iter().try_for_each(World::settle)?;
            let after: usize = self.both().iter().map(|world| world.told()).sum();
            quiet = if after == before { quiet + 1 } else { 0 };
        }
        Ok(())
    }

    /// Waits until everybody was told the same in both worlds, and what the table says.
    fn come_to_the_same(&mut self, outcome: String, cells: &mut [String]) -> Result<(), Failure> {
        let start = Instant::now();
        let is_writing = std::env::var_os("RILL_GOLDEN").is_some();
        loop {
            if is_writing {
                self.quieten()?;
            } else {
                self.both().into_iter().try_for_each(World::settle)?;
            }
            let differences = self.told_differently();
            let mut came = vec![outcome.clone()];
            came.extend(self.called.people.iter().map(|person| told(&person.inbox, &self.called.names)));
            let is_as_written = came == cells[PLAYED..];
            let is_late = start.elapsed() > FACT_WAIT;
            if (differences.is_empty() && (is_writing || is_as_written)) || is_late {
                cells[PLAYED..].clone_from_slice(&came);
                if differences.is_empty() {
                    return Ok(());
                }
                return Err(Failure::Broken(differences.join("\n")));
            }
            std::thread::sleep(QUIET_ROUND);
        }
    }

    fn told_differently(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for name in PEOPLE {
            let of = |world: &World| general(&world.names, &merged(&world.person(name).inbox));
            differences.extend(difference(name, &of(&self.called), &of(&self.asked)));
        }
        differences
    }

    /// The conversations of the row are the same to everybody in both worlds.
    fn leave_the_same(&mut self) -> Result<(), Failure> {
        let mut differences = Vec::new();
        for name in PEOPLE {
            let of = |world: &World| {
                let params = json!({"conversation_ids": world.conversation_ids(), "mk_init_mode": "ic_full"});
                let answer = world.person(name).ask("account:sync_conversations", params)?.done()?;
                Ok::<_, Failure>(general(&world.names, &answer.stream))
            };
            differences.extend(difference(name, &of(&self.called)?, &of(&self.asked)?));
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Failure::Broken(format!("what is left:\n{}", differences.join("\n"))))
    }

    /// After all rows everything is the same to everybody.
    fn are_equal(&mut self) -> Result<(), Failure> {
        let mut differences = Vec::new();
        for name in PEOPLE {
            let of = |world: &World| {
                let picture = world.person(name).fresh()?;
                let kinds = [
                    "contact",
                    "label",
                    "section",
                    "team",
                    "org_header",
                    "my_section",
                    "my_message",
                    "reminder",
                ];
                let records: Vec<Record> =
                    kinds.into_iter().flat_map(|kind| picture.records(kind)).cloned().collect();
                Ok::<_, Failure>(general(&world.names, &records))
            };
            differences.extend(difference(name, &of(&self.called)?, &of(&self.asked)?));
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Failure::Broken(format!("in the end:\n{}", differences.join("\n"))))
    }
}

/// Submits the events of a cell up to the first that is refused; none where a call only reads. `$made` is the conversation of
/// the one before.
fn submit(world: &mut World, events: &str) -> Result<Vec<Answer>, Failure> {
    let mut answers: Vec<Answer> = Vec::new();
    for line in events.split(" ; ").filter(|line| !line.is_empty()) {
        let made = answers.last().map_or("", Answer::conversation_id);
        let answer = world.act(&line.replace("$made", made))?;
        let is_done = answer.is_done();
        answers.push(answer);
        if !is_done {
            break;
        }
    }
    Ok(answers)
}

/// The records without what differs from world to world, in an order of their own: those of two owners may come either way.
fn general(names: &Names, records: &[Record]) -> Vec<String> {
    let mut general: Vec<String> = records.iter().map(|record| names.general(record).to_string()).collect();
    general.sort();
    general
}

fn difference(name: &str, called: &[String], asked: &[String]) -> Vec<String> {
    let missing = |from: &[String], among: &[String], of: &str| {
        let mut left = among.to_vec();
        let mut only = Vec::new();
        for record in from {
            match left.iter().position(|other| other == record) {
                Some(at) => drop(left.swap_remove(at)),
                None => only.push(format!("{name}, only {of}: {record}")),
            }
        }
        only
    };
    [missing(called, asked, "by the call"), missing(asked, called, "by the event")].concat()
}

/// Whether a record has the fields of another one.
fn has_all_of(record: &Value, other: &Value) -> bool {
    let Value::Object(fields) = other else { return false };
    fields.iter().all(|(key, value)| record.get(key) == Some(value))
}

/// The answer to the call has everything that the answers to the events have.
fn covers(called: &Names, call: &Value, asked: &Names, answers: &[Answer]) -> Result<(), Failure> {
    let mut records = [list(call, "stream"), list(call, "contacts")].concat();
    records.extend(call.as_object().filter(|body| body.contains_key("mk_rec_type")).cloned());
    let header = call.get("header").and_then(Value::as_object).cloned();
    records.extend(header.clone());
    let records: Vec<Value> = records.iter().map(|record| called.general(record)).collect();
    let mut merged = Map::new();
    let told: Vec<&Record> = answers.iter().flat_map(|answer| &answer.stream).collect();
    // A whole record of somebody makes an earlier one idle.
    let is_idle = |at: usize| {
        let whole = ["contact", "team", "label", "org_header"].into_iter().find(|of| *of == kind(told[at]));
        let is_later = |of: &str, later: &Record| {
            kind(later) == of && key(of).iter().all(|key| later.get(*key) == told[at].get(*key))
        };
        whole.is_some_and(|of| told[at + 1..].iter().any(|later| is_later(of, later)))
    };
    for (at, record) in told.iter().copied().enumerate() {
        let is_header = header.is_some() && kind(record) == "conv" && {
            let of = |names: &Names, record: &Record| names.general(record)["conversation_id"].clone();
            header.as_ref().is_some_and(|header| of(called, header) == of(asked, record))
        };
        if is_header {
            merged.extend(record.clone());
        } else if !is_idle(at) && !records.iter().any(|of| has_all_of(of, &asked.general(record))) {
            let missing = Value::Object(record.clone());
            return Err(Failure::Broken(format!("the answer to the call lacks {missing}\nit is {call}")));
        }
    }
    let Value::Object(merged) = asked.general(&merged) else { return Ok(()) };
    let shown = called.general(&header.unwrap_or_default());
    let lacking: Vec<&String> =
        merged.iter().filter(|(key, value)| shown.get(*key) != Some(value)).map(|(key, _)| key).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(Failure::Broken(format!("the header of the call differs in {lacking:?}: {shown}\n{merged:?}")))
}
