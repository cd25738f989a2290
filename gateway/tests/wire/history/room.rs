//! A conversation as the documents' formulas have it: a slow reference that keeps every slot and every membership, and looks
//! everything up by walking through them (conversations.md §1 and §2).
//!
//! Not here: the server, whose answers it is compared with ([`super`]).

use super::act::{Act, TEAM, chosen, topic};
use rill_loadtest::record::{Record, number, text};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A visible message.
#[derive(Debug)]
struct Line {
    nr: u64,
    inbox_nr: i64,
    author: usize,
    kind: &'static str,
    state: String,
}

impl Line {
    fn is_shared(&self) -> bool {
        ["pinned", "todo", "done"].contains(&self.state.as_str())
    }
}

/// A member or ex-member; a run without an end is open.
#[derive(Debug)]
struct Member {
    runs: Vec<(u64, Option<u64>)>,
    send: u64,
    read: u64,
    is_mark_unread: Option<bool>,
    is_passive: bool,
    /// He came with the team, and nobody has brought him in otherwise.
    is_by_team: bool,
}

/// The conversation.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: String,
    last: u64,
    lines: Vec<Line>,
    members: BTreeMap<usize, Member>,
    topic: &'static str,
    /// What is set.
    settings: BTreeSet<&'static str>,
    has_team: bool,
}

impl Room {
    /// Created by the first with the others.
    pub(super) fn create(id: &str, topic: &'static str, founders: &[usize]) -> Self {
        let mut room = Self {
            id: id.to_owned(),
            last: 0,
            lines: Vec::new(),
            members: BTreeMap::new(),
            topic,
            settings: BTreeSet::new(),
            has_team: false,
        };
        founders.iter().for_each(|who| room.enter(*who, 1));
        room.say(founders[0], "create");
        room
    }

    /// A number among the slots that there are, or one to each side.
    pub(super) fn pick(&self, pick: u64) -> u64 {
        pick % (self.last + 2)
    }

    /// Whether somebody is or was a member.
    pub(super) fn knows(&self, who: usize) -> bool {
        self.members.contains_key(&who)
    }

    fn is_in(&self, who: usize) -> bool {
        self.members.get(&who).is_some_and(|member| member.runs.iter().any(|run| run.1.is_none()))
    }

    fn sees(&self, who: usize, nr: u64) -> bool {
        let runs = self.members.get(&who).map(|member| &member.runs);
        runs.into_iter().flatten().any(|(begin, end)| *begin <= nr && end.is_none_or(|end| nr <= end))
    }

    fn line(&self, nr: u64) -> Option<&Line> {
        self.lines.iter().find(|line| line.nr == nr)
    }

    /// A text that the member has in the flow or on a board.
    fn open_text(&self, who: usize, nr: u64) -> Option<&Line> {
        let line = self.line(nr).filter(|line| line.kind == "text" && self.is_in(who));
        line.filter(|line| self.sees(who, nr) || line.is_shared())
    }

    /// |inbox_nr| of the newest visible message up to a slot, 0 if there is none.
    fn inbox_up_to(&self, nr: u64) -> u64 {
        let newest = self.lines.iter().rfind(|line| line.nr <= nr);
        newest.map_or(0, |line| line.inbox_nr.unsigned_abs())
    }

    fn enter(&mut self, who: usize, nr: u64) {
        let newcomer = || Member {
            runs: Vec::new(),
            send: 0,
            read: 0,
            is_mark_unread: None,
            is_passive: false,
            is_by_team: false,
        };
        let member = self.members.entry(who).or_insert_with(newcomer);
        (member.is_passive, member.is_by_team) = (false, false);
        member.send = nr;
        // A passive member is one already, and is active again.
        if member.runs.last().is_none_or(|run| run.1.is_some()) {
            member.runs.push((nr, None));
            member.read = nr - 1;
        }
    }

    fn exit(&mut self, who: usize, nr: u64) {
        if let Some(member) = self.members.get_mut(&who) {
            member.runs.last_mut().expect("whoever is in has come in").1 = Some(nr);
            member.send = nr;
            member.is_passive = false;
        }
    }

    fn is_passive(&self, who: usize) -> bool {
        self.members.get(&who).is_some_and(|member| member.is_passive)
    }

    fn read(&mut self, who: usize, nr: u64, is_mark_unread: bool) {
        if let Some(member) = self.members.get_mut(&who) {
            member.read = nr;
            member.is_mark_unread = Some(is_mark_unread);
        }
    }

    /// A new message: its author has read it.
    fn say(&mut self, author: usize, kind: &'static str) -> u64 {
        self.last += 1;
        let inbox = i64::try_from(self.inbox_up_to(self.last)).unwrap_or(i64::MAX);
        let (inbox_nr, state) = if kind == "text" { (inbox + 1, "plain") } else { (-inbox, "system") };
        self.lines.push(Line { nr: self.last, inbox_nr, author, kind, state: state.to_owned() });
        self.read(author, self.last, false);
        self.last
    }

    /// Restates the newest visible message in a slot of its own, or says something new.
    fn merge(&mut self, author: usize, kind: &'static str) -> u64 {
        match self.lines.last() {
            Some(newest) if newest.author == author && [kind, "create"].contains(&newest.kind) => {
                self.last += 1;
                newest.nr
            }
            Some(_) | None => self.say(author, kind),
        }
    }

    /// Whether the server has to carry it out; nothing where that is the scenarios' business.
    pub(super) fn expects(&self, who: usize, act: Act) -> Option<bool> {
        let is_in = self.is_in(who);
        let may_turn = |line: &Line, state: &str| {
            line.state != "deleted"
                && (state != "unpinned" || ["pinned", "unpinned"].contains(&line.state.as_str()))
        };
        Some(match act {
            Act::Post(..) | Act::Add(_) | Act::Remove(_) | Act::Leave | Act::Topic(_) => is_in,
            Act::Read(..) | Act::Unread(..) | Act::SetRead(..) | Act::AddSection => is_in,
            Act::Edit(at) => {
                let line = self.open_text(who, self.pick(at));
                line.is_some_and(|line| line.state == "deleted" || line.author == who || line.is_shared())
            }
            Act::Delete(at) => self.open_text(who, self.pick(at)).is_some(),
            Act::Turn(_, state, at) => {
                self.open_text(who, self.pick(at)).is_some_and(|line| may_turn(line, state))
            }
            Act::Set(..) => is_in,
            Act::Team(_) => is_in && TEAM.contains(&who),
            Act::Join => is_in || self.settings.contains("autojoin"),
            Act::Idle("conv:get") | Act::Shelve(..) => self.knows(who),
            Act::Idle(_) | Act::Alert(_) => is_in,
            Act::Copy { .. }
            | Act::Flag(..)
            | Act::React(..)
            | Act::Assign(..)
            | Act::MovePin(..)
            | Act::MoveTask(..)
            | Act::Section(..)
            | Act::Away
            | Act::Back => return None,
        })
    }

    /// It was carried out, and answered with these records.
    pub(super) fn done(&mut self, who: usize, act: Act, answer: &[Record]) {
        match act {
            Act::Post(_, state) => {
                self.say(who, "text");
                self.turn(self.last, state);
            }
            Act::Copy { .. } => drop(self.say(who, "text")),
            Act::Edit(at) => {
                let nr = self.pick(at);
                let is_deleted = self.line(nr).is_some_and(|line| line.state == "deleted");
                self.last += u64::from(!is_deleted);
            }
            Act::Delete(at) => drop(self.turned(self.pick(at), "deleted")),
            Act::Turn(_, state, at) => {
                let is_new = self.turned(self.pick(at), state);
                if is_new && state == "done" && self.settings.contains("done notifications") {
                    self.say(who, "task_completed");
                }
            }
            Act::Set(_, setting, is_on) => {
                if self.settings.contains(setting) != is_on {
                    let _ = if is_on { self.settings.insert(setting) } else { self.settings.remove(setting) };
                    self.say(who, "setting");
                }
            }
            Act::Join => {
                if !self.is_in(who) {
                    let nr = self.say(who, "autojoin");
                    self.enter(who, nr);
                    self.read(who, nr, false);
                }
            }
            Act::Flag(..)
            | Act::React(..)
            | Act::Assign(..)
            | Act::MovePin(..)
            | Act::MoveTask(..)
            | Act::Section(..) => {
                self.revised(answer);
            }
            Act::Add(bits) => {
                let new: Vec<usize> =
                    chosen(bits).filter(|who| !self.is_in(*who) || self.is_passive(*who)).collect();
                if !new.is_empty() {
                    let nr = self.merge(who, "add");
                    new.into_iter().for_each(|who| self.enter(who, nr));
                }
            }
            Act::Remove(bits) => {
                let gone: Vec<usize> = chosen(bits).filter(|who| self.is_in(*who)).collect();
                self.depart(who, &gone);
            }
            Act::Leave => self.depart(who, &[who]),
            Act::Team(urn) => self.staff(who, urn == "conv:add_team"),
            Act::Topic(word) => {
                if topic(word) != self.topic {
                    self.topic = topic(word);
                    self.merge(who, "topic");
                }
            }
            Act::Read(..) | Act::Unread(..) | Act::SetRead(..) | Act::Shelve("conv:archive", _) => {
                self.mark(who, act);
            }
            Act::Alert(urn) => self.alert(who, urn),
            Act::Shelve(..) | Act::AddSection | Act::Idle(_) | Act::Away | Act::Back => {}
        }
    }

    fn turn(&mut self, nr: u64, state: &str) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.nr == nr) {
            state.clone_into(&mut line.state);
        }
    }

    /// A change of state takes a slot, unless there is none.
    fn turned(&mut self, nr: u64, state: &str) -> bool {
        let is_new = self.line(nr).is_some_and(|line| line.state != state);
        if is_new {
            self.last += 1;
            self.turn(nr, state);
        }
        is_new
    }

    /// Revisions, as many as the answer says: they move nothing but the newest slot.
    fn revised(&mut self, answer: &[Record]) {
        let id = self.id.clone();
        for record in answer.iter().filter(|record| text(record, "conversation_id") == id) {
            self.last = self.last.max(number(record, "last_message_nr").unwrap_or(0));
            let state = text(record, "mk_message_state").rsplit(':').next().unwrap_or_default();
            if let Some(nr) = number(record, "message_nr").filter(|_| !state.is_empty()) {
                self.turn(nr, state);
            }
        }
    }

    fn depart(&mut self, who: usize, gone: &[usize]) {
        if !gone.is_empty() {
            let nr = self.say(who, if gone == [who] { "leave" } else { "kick" });
            gone.iter().for_each(|who| self.exit(*who, nr));
        }
    }

    /// The team comes with whoever of it is not in, or goes with whoever is in by it, but for the one who takes it out.
    fn staff(&mut self, who: usize, comes: bool) {
        if self.has_team == comes {
            return;
        }
        self.has_team = comes;
        let nr = self.say(who, if comes { "add_teamV2" } else { "kick_team" });
        for of_it in TEAM {
            let is_by_team = self.members.get(&of_it).is_some_and(|member| member.is_by_team);
            if comes && !self.is_in(of_it) {
                self.enter(of_it, nr);
                self.members.entry(of_it).and_modify(|member| member.is_by_team = true);
            } else if !comes && self.is_in(of_it) && is_by_team && of_it != who {
                self.exit(of_it, nr);
            }
        }
        if !comes {
            self.members.entry(who).and_modify(|member| member.is_by_team = false);
        }
    }

    fn mark(&mut self, who: usize, act: Act) {
        let Some(header) = self.counters(who) else { return };
        let now = |key: &str| number(&header, key).unwrap_or(0);
        let (read, show, join) = (now("read_message_nr"), now("show_message_nr"), now("join_message_nr"));
        let forward = |wanted: u64| read.max(wanted.min(show));
        let back = |wanted: u64| read.min(wanted.max(join - 1));
        if let Act::Read(_, at) | Act::Shelve(_, at) = act {
            self.read(who, forward(self.pick(at)), false);
        } else if let Act::SetRead(at, old) = act {
            if self.pick(at) >= read {
                self.read(who, forward(self.pick(at)), false);
            } else if old.is_none_or(|old| self.pick(old) == read) {
                self.read(who, back(self.pick(at)), true);
            }
        } else if let Act::Unread(urn, at) = act {
            let wanted = self.pick(at).saturating_sub(1);
            if urn != "message:mark_unread" || read >= wanted {
                self.read(who, back(wanted), true);
            }
        }
    }

    /// Becoming passive is said, and so is coming back, which is a change of membership.
    fn alert(&mut self, who: usize, urn: &str) {
        match (urn, self.is_passive(who)) {
            ("conv:set_passive", false) => drop(self.say(who, "passive")),
            ("conv:unmute", true) => {
                let nr = self.say(who, "join");
                self.members.entry(who).and_modify(|member| member.send = nr);
            }
            _ => return,
        }
        self.members.entry(who).and_modify(|member| member.is_passive = urn == "conv:set_passive");
    }

    /// The recipe of §2.3, under the wire's names.
    pub(super) fn counters(&self, who: usize) -> Option<Map<String, Value>> {
        let member = self.members.get(&who)?;
        let (begin, end) = *member.runs.last()?;
        let join = member.runs[0].0;
        let last = end.unwrap_or(self.last);
        let show = self.lines.iter().rfind(|line| line.nr <= last)?.nr;
        let last_inbox = self.inbox_up_to(show);
        let read_inbox = self.inbox_up_to(member.read);
        let wanted = i64::try_from(last_inbox.min(read_inbox + 1)).unwrap_or(0);
        let wanted = self.lines.iter().find(|line| line.inbox_nr == wanted && wanted > 0);
        let arrival = if member.runs.len() > 1 { begin } else { join };
        let inbox = wanted.filter(|line| self.sees(who, line.nr)).map_or(arrival, |line| line.nr);
        let counters = json!({
            "last_message_nr": last, "show_message_nr": show, "last_inbox_nr": last_inbox, "join_message_nr": join,
            "begin_message_nr": begin, "send_message_nr": member.send, "read_message_nr": member.read,
            "read_inbox_nr": read_inbox, "unread_count": last_inbox - read_inbox, "inbox_message_nr": inbox,
            "is_mark_unread": member.is_mark_unread, "can_post": end.is_none(),
        });
        counters.as_object().cloned()
    }

    /// Who is in; nothing to who has left, for whom that stands still.
    pub(super) fn present(&self, who: usize) -> Option<BTreeSet<usize>> {
        self.is_in(who).then(|| self.members.keys().copied().filter(|who| self.is_in(*who)).collect())
    }

    /// The topic, to who is in.
    pub(super) fn topic(&self) -> &'static str {
        self.topic
    }
}
