//! What people do in a random history, and how they ask for it.
//!
//! Numbers are drawn without regard to what there is, and turned into what there is when they are asked for: a history from which
//! deeds were taken out is one as well. Not here: what comes of a deed ([`super::room`]).

use super::room::Room;
use crate::rng::Rng;
use serde_json::{Value, json};

/// The five people.
pub(super) const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// Their sessions: Alice has two.
pub(super) const SESSIONS: usize = PEOPLE.len() + 1;

/// Who works for the organisation; the first is its admin.
pub(super) const STAFF: [usize; 3] = [0, 1, 2];

/// How many conversations there are.
pub(super) const ROOMS: usize = 3;

/// Who is in the team that comes and goes.
pub(super) const TEAM: [usize; 3] = [0, 1, 3];

/// Somebody does something somewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deed {
    /// The session, of [`SESSIONS`]; the last is Alice's second one.
    pub(super) session: usize,
    pub(super) room: usize,
    pub(super) act: Act,
}

impl Deed {
    /// The person, of [`PEOPLE`].
    pub(super) fn who(self) -> usize {
        self.session % PEOPLE.len()
    }
}

/// What is done. A number picks a message, a section, people by their bits, or a word.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Posts by the verb and comes to be in the state.
    Post(&'static str, &'static str),
    Copy {
        from: usize,
        nr: u64,
    },
    Edit(u64),
    Delete(u64),
    /// Brings a message into a state by the verb.
    Turn(&'static str, &'static str, u64),
    /// Changes what is no state, by the verb.
    Flag(&'static str, u64),
    React(&'static str, u64),
    Assign(u64, usize),
    MovePin(u64, u64),
    MoveTask(u64, u64, u64),
    AddSection,
    Section(&'static str, u64, u64),
    Add(usize),
    Remove(usize),
    Leave,
    Topic(u64),
    Read(&'static str, u64),
    Unread(&'static str, u64),
    SetRead(u64, Option<u64>),
    /// Puts the conversation away, or takes it back.
    Shelve(&'static str, u64),
    /// Sets by the event whether something is so.
    Set(&'static str, &'static str, bool),
    /// Brings the team in, or takes it out.
    Team(&'static str),
    /// Comes in by the link.
    Join,
    /// Opens earlier messages, from one on or all that he sees, to some.
    Disclose(Option<u64>, usize),
    /// Takes the conversation out of his list.
    Forget,
    /// Puts some out, with what they could read since it was managed.
    Kick(usize),
    /// Puts it under the organisation, or sets it free.
    Manage(&'static str),
    /// Makes some admins, or takes that from them.
    Appoint(&'static str, usize),
    /// Sets how he is alerted.
    Alert(&'static str),
    /// Does what moves no counter.
    Idle(&'static str),
    /// The connection breaks.
    Away,
    /// He is back with what he had.
    Back,
}

/// What draws the particulars of a kind of deed.
type Draw = fn(&mut Rng) -> Act;

/// How often each kind is drawn.
const WEIGHTS: [(u64, Draw); 33] = [
    (30, |rng| {
        let kinds =
            [("add_plain", "plain"), ("add_plain", "plain"), ("add_pinned", "pinned"), ("add_todo", "todo")];
        let (verb, state) = *rng.pick(&kinds);
        Act::Post(verb, state)
    }),
    (4, |rng| Act::Copy { from: rng.below(ROOMS), nr: number(rng) }),
    (10, |rng| Act::Edit(number(rng))),
    (5, |rng| Act::Delete(number(rng))),
    (16, |rng| {
        let turns = [
            ("set_plain", "plain"),
            ("set_pinned", "pinned"),
            ("set_unpinned", "unpinned"),
            ("set_todo", "todo"),
            ("set_done", "done"),
        ];
        let (verb, state) = *rng.pick(&turns);
        Act::Turn(verb, state, number(rng))
    }),
    (8, |rng| Act::Flag(one(rng, &["archive", "unarchive", "mark_spam", "unmark_spam"]), number(rng))),
    (4, |rng| Act::React(one(rng, &["add_reaction", "delete_reaction"]), number(rng))),
    (4, |rng| Act::Assign(number(rng), people(rng))),
    (3, |rng| Act::MovePin(number(rng), number(rng))),
    (3, |rng| Act::MoveTask(number(rng), number(rng), number(rng))),
    (3, |_| Act::AddSection),
    (5, |rng| {
        let verbs = ["rename", "delete", "set_position", "archive_done", "archive_all"];
        Act::Section(one(rng, &verbs), number(rng), number(rng))
    }),
    (40, |rng| Act::Add(people(rng))),
    (4, |rng| Act::Remove(people(rng))),
    (5, |_| Act::Leave),
    (5, |rng| Act::Topic(number(rng))),
    (12, |rng| Act::Read(one(rng, &["message:mark_read", "conv:mark_read"]), number(rng))),
    (6, |rng| Act::Unread(one(rng, &["message:mark_unread", "conv:mark_unread"]), number(rng))),
    (5, |rng| Act::SetRead(number(rng), None)),
    (3, |rng| Act::SetRead(number(rng), Some(number(rng)))),
    (6, |rng| Act::Idle(one(rng, &["conv:activate", "conv:set_writing", "conv:end_writing", "conv:get"]))),
    (5, |rng| Act::Shelve(one(rng, &["conv:archive", "conv:unarchive"]), number(rng))),
    (8, |rng| {
        Act::Alert(one(rng, &["conv:set_passive", "conv:unmute", "conv:mute", "conv:mute_until_read"]))
    }),
    (10, |rng| {
        let settings = [
            ("conv:conv_enable_autojoin", "autojoin", true),
            ("conv:conv_disable_autojoin", "autojoin", false),
            ("conv:conv_enable_url_preview", "no previews", false),
            ("conv:conv_disable_url_previw", "no previews", true),
            ("conv:enable_done_notifications", "done notifications", true),
            ("conv:disable_done_notifications", "done notifications", false),
        ];
        let (urn, setting, is_on) = *rng.pick(&settings);
        Act::Set(urn, setting, is_on)
    }),
    (9, |rng| Act::Team(one(rng, &["conv:add_team", "conv:remove_team"]))),
    (6, |_| Act::Join),
    // Most of them find nobody to whom anything is closed.
    (40, |rng| {
        let from = (rng.below(2) == 0).then(|| number(rng));
        Act::Disclose(from, somebody(rng))
    }),
    (5, |_| Act::Forget),
    (6, |rng| Act::Kick(somebody(rng))),
    (8, |rng| Act::Manage(one(rng, &["conv:set_managed", "conv:set_managed", "conv:set_unmanaged"]))),
    (6, |rng| Act::Appoint(one(rng, &["conv:add_admins", "conv:remove_admins"]), people(rng))),
    (4, |_| Act::Away),
    (4, |_| Act::Back),
];

fn one(rng: &mut Rng, words: &[&'static str]) -> &'static str {
    words[rng.below(words.len())]
}

fn number(rng: &mut Rng) -> u64 {
    rng.below(1 << 16) as u64
}

fn people(rng: &mut Rng) -> usize {
    rng.below(1 << PEOPLE.len()) & rng.below(1 << PEOPLE.len())
}

fn somebody(rng: &mut Rng) -> usize {
    1 << rng.below(PEOPLE.len())
}

/// So many deeds.
pub(super) fn draw(rng: &mut Rng, count: usize) -> Vec<Deed> {
    let all: u64 = WEIGHTS.iter().map(|(weight, _)| weight).sum();
    let mut drawn = Vec::new();
    for _ in 0..count {
        let mut left = rng.below(usize::try_from(all).unwrap_or(1)) as u64;
        let found = WEIGHTS.iter().find(|(weight, _)| {
            let is_it = left < *weight;
            left = left.saturating_sub(*weight);
            is_it
        });
        let Some((_, make)) = found else { continue };
        // More happens in the first than in the others, so that one history has more and less of everything.
        let room = [0, 0, 0, 1, 1, 2][rng.below(6)];
        drawn.push(Deed { session: rng.below(SESSIONS), room, act: make(rng) });
    }
    drawn
}

/// Some of the people, by the bits of a number.
pub(super) fn chosen(bits: usize) -> impl Iterator<Item = usize> {
    (0..PEOPLE.len()).filter(move |who| bits >> who & 1 == 1)
}

/// The words that topics are made of; the first is none.
pub(super) const TOPICS: [&str; 3] = ["", "Harvest", "Frost"];

/// What an act needs to know when it is asked for.
pub(super) struct Scene<'a> {
    pub(super) room: &'a Room,
    pub(super) rooms: &'a [Room],
    pub(super) account_ids: &'a [String],
    pub(super) team_id: &'a str,
    /// The sections that the session knows of.
    pub(super) sections: &'a [String],
}

impl Scene<'_> {
    fn ids(&self, bits: usize) -> Vec<&String> {
        chosen(bits).map(|who| &self.account_ids[who]).collect()
    }

    fn section(&self, pick: u64) -> Value {
        let at = usize::try_from(pick).unwrap_or(0) % self.sections.len().max(1);
        self.sections.get(at).map_or(Value::Null, |id| id.clone().into())
    }

    /// The event and its params; nothing when no event is needed.
    pub(super) fn event(&self, act: Act) -> Option<(String, Value)> {
        let id = &self.room.id;
        let nr = |pick: u64| self.room.pick(pick);
        let message = |verb: &str, params: Value| Some((format!("message:{verb}"), params));
        match act {
            Act::Post(verb, _) => message(verb, json!({"conversation_id": id, "message": "said"})),
            Act::Copy { from, nr } => {
                let from = &self.rooms[from];
                let params = json!({
                    "conversation_id": id, "copy_conversation_id": from.id, "copy_message_nr": from.pick(nr),
                });
                message("copy", params)
            }
            Act::Edit(at) => message(
                "edit",
                json!({"conversation_id": id, "message_nr": nr(at), "message": format!("said {at}")}),
            ),
            Act::Delete(at) => message("delete", json!({"conversation_id": id, "message_nr": nr(at)})),
            Act::Turn(verb, _, at) | Act::Flag(verb, at) => {
                message(verb, json!({"conversation_id": id, "message_nr": nr(at)}))
            }
            Act::React(verb, at) => {
                message(verb, json!({"conversation_id": id, "message_nr": nr(at), "reaction": ":soup:"}))
            }
            Act::Assign(at, bits) => {
                let params =
                    json!({"conversation_id": id, "message_nr": nr(at), "assignee_ids": self.ids(bits)});
                message("set_assignees", params)
            }
            Act::MovePin(at, behind) => {
                let params =
                    json!({"conversation_id": id, "message_nr": nr(at), "prev_message_nr": nr(behind)});
                message("pin:set_position", params)
            }
            Act::MoveTask(at, behind, section) => {
                let params = json!({
                    "conversation_id": id, "message_nr": nr(at), "prev_message_nr": nr(behind) * (behind % 2),
                    "section_id": self.section(section),
                });
                message("task:set_position", params)
            }
            Act::AddSection | Act::Section(..) => self.of_section(act),
            Act::Read(urn, at) | Act::Unread(urn, at) => {
                Some((urn.to_owned(), json!({"conversation_id": id, number_of(urn): nr(at)})))
            }
            Act::SetRead(at, old) => {
                let params =
                    json!({"conversation_id": id, "message_nr": nr(at), "old_message_nr": old.map(nr)});
                Some(("conv:set_read_message_nr".to_owned(), params))
            }
            Act::Add(..)
            | Act::Remove(..)
            | Act::Leave
            | Act::Topic(..)
            | Act::Set(..)
            | Act::Team(_)
            | Act::Join
            | Act::Shelve(..)
            | Act::Alert(_)
            | Act::Forget
            | Act::Kick(_)
            | Act::Manage(_)
            | Act::Appoint(..)
            | Act::Idle(..) => self.of_conv(act),
            Act::Disclose(from, bits) => Some(self.disclosure(from, bits)),
            Act::Away | Act::Back => None,
        }
    }

    fn disclosure(&self, from: Option<u64>, bits: usize) -> (String, Value) {
        let mut params = json!({"conversation_id": self.room.id, "account_ids": self.ids(bits)});
        let urn = if let Some(from) = from {
            params["message_nr"] = self.room.pick(from).into();
            "message:disclose"
        } else {
            "conv:disclose"
        };
        (urn.to_owned(), params)
    }

    fn of_section(&self, act: Act) -> Option<(String, Value)> {
        let id = &self.room.id;
        let Act::Section(verb, pick, other) = act else {
            let params = json!({"conversation_id": id, "section_name": "Later"});
            return Some(("section:task:add".to_owned(), params));
        };
        let mut params = json!({"conversation_id": id, "section_id": self.section(pick)});
        match verb {
            "rename" => params["section_name"] = format!("Number {other}").into(),
            "set_position" => params["prev_section_id"] = self.section(other),
            _ => {}
        }
        Some((format!("section:task:{verb}"), params))
    }

    fn of_conv(&self, act: Act) -> Option<(String, Value)> {
        let mut params = json!({"conversation_id": self.room.id});
        if let Act::Add(bits) | Act::Remove(bits) | Act::Kick(bits) | Act::Appoint(_, bits) = act {
            params["account_ids"] = json!(self.ids(bits));
        }
        let urn = if let Act::Set(urn, ..)
        | Act::Shelve(urn, _)
        | Act::Alert(urn)
        | Act::Manage(urn)
        | Act::Appoint(urn, _)
        | Act::Idle(urn) = act
        {
            urn
        } else if let Act::Add(_) = act {
            "conv:add_members"
        } else if let Act::Remove(_) = act {
            "conv:remove_members"
        } else if let Act::Kick(_) = act {
            "conv:kick_members"
        } else if let Act::Forget = act {
            "conv:delete"
        } else if let Act::Topic(word) = act {
            params["topic"] = topic(word).into();
            "conv:set_topic"
        } else if let Act::Team(urn) = act {
            params["team_id"] = self.team_id.into();
            urn
        } else if let Act::Join = act {
            "conv:autojoin"
        } else {
            "conv:leave"
        };
        if let Act::Shelve("conv:archive", at) = act {
            params["show_message_nr"] = self.room.pick(at).into();
        }
        Some((urn.to_owned(), params))
    }
}

/// What an event that moves the read mark calls the message.
fn number_of(urn: &str) -> &'static str {
    match urn {
        "conv:mark_read" => "show_message_nr",
        "conv:mark_unread" => "inbox_message_nr",
        _ => "message_nr",
    }
}

/// A topic by a number.
pub(super) fn topic(word: u64) -> &'static str {
    TOPICS[usize::try_from(word).unwrap_or(0) % TOPICS.len()]
}
