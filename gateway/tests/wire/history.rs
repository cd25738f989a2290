//! Random histories: five people do two hundred things in three conversations. After each, whoever did it is told the counters that
//! the documents' formulas give; in between and in the end so is everybody, and no picture differs from a fresh one.
//!
//! `RILL_TEST_SEED=N` plays one history again, `RILL_TEST_HISTORIES=COUNT` plays that many from there on. A history that fails is made
//! shorter as long as it fails. Not here: the formulas ([`room`]), what is done ([`act`]).

#[path = "history/act.rs"]
mod act;
#[path = "history/room.rs"]
mod room;

use crate::complaint::Complaint;
use crate::ground::Ground;
use crate::person::{Parting, Person, Transport};
use crate::remains::Remains;
use crate::rng::Rng;
use crate::{compare, play};
use act::{Act, Deed, PEOPLE, ROOMS, SESSIONS, STAFF, Scene, TEAM};
use rill_loadtest::record::{Record, kind, list, text};
use rill_loadtest::user::User;
use room::Room;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How much is done in one history.
const DEEDS: usize = 200;

/// After how many deeds everybody is looked at.
const LOOK_EVERY: usize = 25;

/// How long a failing history is made shorter: a failure that waits for what does not come takes its time with each attempt.
const SHORTEN_WAIT: Duration = Duration::from_secs(60);

/// How long an invitation may take to reach whoever is invited, and how often is looked.
const REMINDER_WAIT: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// The histories of every run.
const SEEDS: Range<u64> = 1..4;

/// Who founds each conversation, the creator first; the last begins as a dialog.
const FOUNDERS: [(&str, &[usize]); ROOMS] =
    [("Harvest", &[0, 1, 2, 3, 4]), ("Frost", &[1, 0, 2]), ("", &[2, 4])];

/// The seeds to be played.
pub(crate) fn seeds() -> Range<u64> {
    let setting = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    match (setting("RILL_TEST_SEED"), setting("RILL_TEST_HISTORIES")) {
        (None, None) => SEEDS,
        (seed, count) => {
            let first = seed.unwrap_or(SEEDS.start);
            first..first + count.unwrap_or(1)
        }
    }
}

/// Plays one, and makes it shorter when it fails.
pub(crate) fn play(ground: &Ground, seed: u64) -> Result<Vec<Remains>, Complaint> {
    let deeds = act::draw(&mut Rng::seeded(seed), DEEDS);
    let broken = match World::live(ground, seed, &deeds) {
        Ok(remains) => return Ok(remains),
        Err(broken) => broken,
    };
    let (deeds, complaint) = shortened(ground, seed, &deeds[..broken.deeds], broken.complaint);
    let lines: Vec<String> = deeds.iter().map(|deed| format!("{deed:?}")).collect();
    let place = format!("RILL_TEST_SEED={seed}: {} deeds are enough", deeds.len());
    Err(complaint.at(place, &lines.join("\n    ")))
}

/// Leaves out whatever is not needed for the failure.
fn shortened(ground: &Ground, seed: u64, deeds: &[Deed], complaint: Complaint) -> (Vec<Deed>, Complaint) {
    let (start, mut deeds, mut complaint) = (Instant::now(), deeds.to_vec(), complaint);
    let mut size = deeds.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < deeds.len() && start.elapsed() < SHORTEN_WAIT {
            let mut fewer = deeds.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            match World::live(ground, seed, &fewer) {
                Ok(_) => at += size,
                Err(broken) => {
                    fewer.truncate(broken.deeds);
                    (deeds, complaint) = (fewer, broken.complaint);
                }
            }
        }
        size /= 2;
    }
    (deeds, complaint)
}

/// Makes the first of the staff found an organisation, and the others join it. Answers with its id.
fn employ(users: &[User]) -> Result<String, Complaint> {
    let founder = &users[STAFF[0]];
    let call = |user: &User, path: &str, body: Value| -> Result<Vec<Record>, Complaint> {
        Ok(list(&user.http_post(&format!("/api/{path}"), body)?.ok(path)?.json, "stream"))
    };
    let named = |records: &[Record], key: &str| -> Result<String, Complaint> {
        let found = records.iter().map(|record| text(record, key)).find(|value| !value.is_empty());
        found.map(str::to_owned).ok_or_else(|| Complaint::new(key, "no record has it"))
    };
    let made = call(founder, "business/create", json!({"organisation_name": "Acme"}))?;
    let id = named(&made, "organisation_id")?;
    let others: Vec<&User> = STAFF[1..].iter().map(|who| &users[*who]).collect();
    let ids: Vec<&String> = others.iter().map(|user| &user.account_id).collect();
    call(founder, &format!("business/configure/{id}"), json!({"add_account_ids": ids}))?;
    for user in others {
        let start = Instant::now();
        let reminder_id = loop {
            match named(&call(user, "account/sync_reminders", json!({}))?, "reminder_id") {
                Ok(reminder_id) => break reminder_id,
                Err(complaint) if start.elapsed() > REMINDER_WAIT => return Err(complaint),
                Err(_) => std::thread::sleep(LOOK_INTERVAL),
            }
        };
        call(user, &format!("business/join/{id}"), json!({"reminder_id": reminder_id}))?;
    }
    Ok(id)
}

/// Where a history failed.
struct Broken {
    /// How many of its deeds are needed for that at most.
    deeds: usize,
    complaint: Complaint,
}

/// The people and what should be.
struct World {
    /// One for each session.
    sessions: Vec<Person>,
    account_ids: Vec<String>,
    team_id: String,
    rooms: Vec<Room>,
    /// The call that asks the organisation something.
    organisation: String,
    partings: Vec<Option<Parting>>,
}

impl World {
    /// Plays the deeds and gives what is left of everybody.
    fn live(ground: &Ground, seed: u64, deeds: &[Deed]) -> Result<Vec<Remains>, Broken> {
        let mut world = Self::begin(ground).map_err(|complaint| Broken { deeds: 0, complaint })?;
        for (at, deed) in deeds.iter().enumerate() {
            let broken = |complaint: Complaint| Broken {
                deeds: at + 1,
                complaint: complaint.of(&format!("{deed:?}")),
            };
            world.act(*deed).map_err(broken)?;
            if (at + 1) % LOOK_EVERY == 0 {
                world.look().map_err(broken)?;
            }
            for (session, person) in world.sessions.iter_mut().enumerate() {
                if at == deeds.len() * (session + 1) / (SESSIONS + 1) {
                    world.partings[session] = person.left_here().ok();
                }
            }
        }
        world.end(seed).map_err(|complaint| Broken { deeds: deeds.len(), complaint })
    }

    fn begin(ground: &Ground) -> Result<Self, Complaint> {
        let users: Vec<User> =
            PEOPLE.iter().map(|name| play::register(ground, name)).collect::<Result<_, _>>()?;
        let account_ids: Vec<String> = users.iter().map(|user| user.account_id.clone()).collect();
        let organisation = employ(&users)?;
        let mut sessions = Vec::new();
        let phone = users[0].clone();
        let phone = User::login(phone.base_url(), &phone.email, &phone.password)?;
        for (at, user) in users.into_iter().chain([phone]).enumerate() {
            let transport = if at % 2 == 0 { Transport::WebSocket } else { Transport::LongPoll };
            let name = if at < PEOPLE.len() { PEOPLE[at] } else { "alice.phone" };
            sessions.push(Person::arrive(name, user, transport)?);
        }
        let mut rooms = Vec::new();
        for (topic, founders) in FOUNDERS {
            let others: Vec<&String> = founders[1..].iter().map(|who| &account_ids[*who]).collect();
            let params = json!({"topic": topic, "account_ids": others});
            let created = sessions[founders[0]].ask("conv:create", params, false)?;
            rooms.push(Room::create(created.conversation_id(), topic, founders));
        }
        let people: Vec<&String> = TEAM.iter().map(|who| &account_ids[*who]).collect();
        let team = json!({"team_name": "Crew", "account_ids": people, "is_managed": false});
        let made = sessions[TEAM[0]].user.http_post("/api/team/create", team)?.ok("team/create")?;
        let team_id = text(&list(&made.json, "stream")[0], "team_id").to_owned();
        let partings = sessions.iter().map(|_| None).collect();
        let organisation = format!("business/sync/{organisation}");
        Ok(Self { sessions, account_ids, team_id, rooms, organisation, partings })
    }

    fn act(&mut self, deed: Deed) -> Result<(), Complaint> {
        let person = &mut self.sessions[deed.session];
        if matches!(deed.act, Act::Away) {
            person.break_off();
            return Ok(());
        }
        person.connect()?;
        let room = &self.rooms[deed.room];
        if matches!(deed.act, Act::Join) && room.present(deed.who()).is_some() {
            // He would be told the whole form, which overtakes what a long poll has still to bring of the same messages.
            return Ok(());
        }
        let brings_back = matches!(deed.act, Act::Post(..) | Act::Copy { .. } | Act::Join);
        if room.knows(deed.who()) && !room.lists(deed.who()) && !brings_back {
            // What his client no longer has it does nothing with.
            return Ok(());
        }
        let mut sections: Vec<String> = Vec::new();
        let known = person.picture()?.records("section");
        sections.extend(
            known
                .filter(|it| text(it, "conversation_id") == room.id)
                .map(|it| text(it, "section_id").to_owned()),
        );
        let (rooms, account_ids, team_id) = (&self.rooms, &self.account_ids, self.team_id.as_str());
        let scene = Scene { room, rooms, account_ids, team_id, sections: &sections };
        let Some((urn, params)) = scene.event(deed.act) else {
            return Ok(());
        };
        let answer = person.ask(&urn, params, false)?;
        let outcome = Value::Object(answer.request.clone()).to_string();
        let expected = room.expects(deed.who(), deed.act);
        if expected.is_some_and(|expected| expected != answer.is_done()) {
            let wanted = if answer.is_done() { "a refusal" } else { "the deed to be done" };
            return Err(Complaint::new(wanted, outcome));
        }
        if !answer.is_done() {
            let is_refusal = [400, 430, 431].contains(&answer.status_code());
            return if is_refusal { Ok(()) } else { Err(Complaint::new("a refusal", outcome)) };
        }
        self.rooms[deed.room].done(deed.who(), deed.act, &answer.stream);
        let room = &self.rooms[deed.room];
        let mut headers =
            answer.stream.iter().filter(|it| kind(it) == "conv" && text(it, "conversation_id") == room.id);
        headers.try_for_each(|header| self.judge(room, deed.who(), header, false))
    }

    /// A header that somebody was sent says what the reference does; one that was merged from all of them says all of it.
    fn judge(&self, room: &Room, who: usize, header: &Record, is_whole: bool) -> Result<(), Complaint> {
        let Some(counters) = room.counters(who) else {
            return Err(Complaint::new(
                format!("no header for {}", PEOPLE[who]),
                Value::Object(header.clone()).to_string(),
            ));
        };
        let mut wrong = Vec::new();
        for (key, wanted) in &counters {
            let got = header.get(key).unwrap_or(&Value::Null);
            let is_said = header.contains_key(key) || is_whole || key == "is_mark_unread";
            if is_said && got != wanted {
                wrong.push(format!("{key} {wanted}, not {got}"));
            }
        }
        if let (Some(present), Some(members)) =
            (room.present(who), header.get("members").and_then(Value::as_array))
        {
            let wanted: BTreeSet<&str> = present.iter().map(|who| self.account_ids[*who].as_str()).collect();
            let got: BTreeSet<&str> = members.iter().filter_map(Value::as_str).collect();
            if wanted != got {
                wrong.push(format!("members {wanted:?}, not {got:?}"));
            }
            if header.get("is_managed").is_some_and(|is_managed| *is_managed != room.is_managed()) {
                wrong.push(format!("is_managed {}", room.is_managed()));
            }
            if let Some(got) = header.get("admins").and_then(Value::as_array) {
                let wanted: BTreeSet<&str> =
                    room.admins().iter().map(|who| self.account_ids[*who].as_str()).collect();
                let got: BTreeSet<&str> = got.iter().filter_map(Value::as_str).collect();
                if wanted != got {
                    wrong.push(format!("admins {wanted:?}, not {got:?}"));
                }
            }
            if header.get("topic").is_some_and(|topic| topic != room.topic()) {
                wrong.push(format!("topic {:?}", room.topic()));
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let got = Value::Object(header.clone()).to_string();
        Err(Complaint::new(format!("{} of {}: {}", room.id, PEOPLE[who], wrong.join("; ")), got))
    }

    /// Everybody who has something to tell: the conversations, and the team by the call that shows it.
    fn ids(&self) -> Vec<String> {
        let team = format!("team/sync/{}", self.team_id);
        let rooms = self.rooms.iter().map(|room| room.id.clone());
        rooms.chain([team, self.organisation.clone()]).collect()
    }

    /// Everybody who is connected has the counters of each conversation that he knows.
    fn look(&mut self) -> Result<(), Complaint> {
        let ids = self.ids();
        for person in self.sessions.iter_mut().filter(|person| person.is_connected()) {
            person.settle(&ids)?;
            person.forget();
        }
        for session in 0..SESSIONS {
            if !self.sessions[session].is_connected() {
                continue;
            }
            let who = session % PEOPLE.len();
            let picture = self.sessions[session].picture()?.clone();
            for room in self.rooms.iter().filter(|room| room.lists(who)) {
                let Some(header) = picture.conv(&room.id) else {
                    return Err(Complaint::new(format!("{} to know {}", PEOPLE[who], room.id), "no header"));
                };
                self.judge(room, who, header, true)?;
            }
        }
        Ok(())
    }

    /// Everybody comes back and has what a fresh client is given.
    fn end(mut self, seed: u64) -> Result<Vec<Remains>, Complaint> {
        self.sessions.iter_mut().try_for_each(Person::connect)?;
        self.look()?;
        let conversation_ids = self.ids();
        let mut remains = Vec::new();
        for (session, mut person) in self.sessions.into_iter().enumerate() {
            let fresh = compare::equals_fresh_sync(&mut person, &conversation_ids).map_err(|complaint| {
                let rooms: Vec<String> = self.rooms.iter().map(|room| format!("{room:?}")).collect();
                complaint.of(&format!("session {session} in\n{}\n", rooms.join("\n")))
            })?;
            person.break_off();
            remains.push(Remains {
                place: format!("RILL_TEST_SEED={seed}"),
                name: format!("session {session}"),
                person,
                parting: self.partings[session].take(),
                fresh,
                conversation_ids: conversation_ids.clone(),
            });
        }
        Ok(remains)
    }
}
