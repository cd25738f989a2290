//! A conversation as the documents' formulas have it: a slow reference that keeps every slot and every membership, and looks
//! everything up by walking through them (conversations.md §1 and §2).
//!
//! Not here: the server, whose answers it is compared with ([`super`]).

use super::act::{Act, STAFF, TEAM, chosen, topic};
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
    /// What others opened to him.
    opened: BTreeSet<u64>,
    /// What was taken from him.
    revoked: BTreeSet<u64>,
    /// Deleted from his list up to this slot and this inbox number.
    deleted: (u64, u64),
    /// It is not in his list.
    is_gone: bool,
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
    /// Stretches in which the organisation managed it; the last one may be open.
    managed: Vec<(u64, Option<u64>)>,
    /// Its own admins.
    admins: BTreeSet<usize>,
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
            managed: Vec::new(),
            admins: BTreeSet::new(),
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

    /// Whether it is in somebody's list.
    pub(super) fn lists(&self, who: usize) -> bool {
        self.members.get(&who).is_some_and(|member| !member.is_gone)
    }

    /// Whether the organisation manages it.
    pub(super) fn is_managed(&self) -> bool {
        self.managed.last().is_some_and(|period| period.1.is_none())
    }

    /// Its own admins.
    pub(super) fn admins(&self) -> &BTreeSet<usize> {
        &self.admins
    }

    /// Whether somebody may change members and settings: any member, or admins, the organisation's from outside as well.
    fn manages(&self, who: usize) -> bool {
        if self.is_managed() {
            who == STAFF[0] || (self.is_in(who) && self.admins.contains(&who))
        } else {
            self.is_in(who)
        }
    }

    fn is_in(&self, who: usize) -> bool {
        self.members.get(&who).is_some_and(|member| member.runs.iter().any(|run| run.1.is_none()))
    }

    fn sees(&self, who: usize, nr: u64) -> bool {
        let Some(member) = self.members.get(&who) else { return false };
        let is_in_run = |(begin, end): &(u64, Option<u64>)| *begin <= nr && end.is_none_or(|end| nr <= end);
        let is_open = member.opened.contains(&nr) || member.runs.iter().any(is_in_run);
        is_open && !member.revoked.contains(&nr) && nr > member.deleted.0
    }

    /// From where history is open to somebody.
    fn join(&self, who: usize) -> u64 {
        let member = &self.members[&who];
        member.opened.iter().copied().chain([member.runs[0].0]).min().unwrap_or(0)
    }

    /// What one sees of the time before another's present membership, from a message on.
    fn giveable(&self, giver: usize, to: usize, from: u64) -> Vec<u64> {
        let begin = self.members[&to].runs.last().map_or(0, |run| run.0);
        (from..begin).filter(|nr| self.sees(giver, *nr)).collect()
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
            opened: BTreeSet::new(),
            revoked: BTreeSet::new(),
            deleted: (0, 0),
            is_gone: false,
            is_by_team: false,
        };
        let member = self.members.entry(who).or_insert_with(newcomer);
        (member.is_passive, member.is_by_team) = (false, false);
        member.send = nr;
        // A passive member is one already, and is active again.
        if member.runs.last().is_none_or(|run| run.1.is_some()) {
            member.runs.push((nr, None));
            member.read = nr - 1;
            member.is_gone = false;
        }
    }

    fn exit(&mut self, who: usize, nr: u64) {
        self.admins.remove(&who);
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
        if kind == "text" {
            // Who had taken it out of his list has it again.
            let is_in = |member: &Member| member.runs.iter().any(|run| run.1.is_none());
            self.members.values_mut().filter(|it| is_in(it)).for_each(|it| it.is_gone = false);
        }
        // Who acts from outside has read nothing.
        if self.is_in(author) {
            self.read(author, self.last, false);
        }
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
            Act::Post(..) | Act::Leave => is_in,
            Act::Add(_) | Act::Remove(_) | Act::Topic(_) | Act::Set(..) => self.manages(who),
            Act::Disclose(from, bits) => {
                let from = from.map(|at| self.pick(at));
                let is_his = |nr: u64| self.line(nr).is_some() && (self.sees(who, nr) || nr < self.join(who));
                is_in
                    && self.manages(who)
                    && from.is_none_or(is_his)
                    && chosen(bits).all(|target| self.is_in(target))
            }
            Act::Forget => self.knows(who),
            Act::Kick(_) => self.is_managed() && self.manages(who),
            Act::Manage("conv:set_managed") => is_in && STAFF.contains(&who),
            Act::Manage(_) => self.is_managed() && self.manages(who),
            Act::Appoint(urn, bits) => {
                let is_own = urn == "conv:remove_admins" && chosen(bits).any(|target| target == who);
                let may = self.is_managed() && self.manages(who) && !is_own;
                may && chosen(bits).all(|target| self.is_in(target))
            }
            Act::Read(..) | Act::Unread(..) | Act::SetRead(..) | Act::AddSection => is_in,
            Act::Edit(at) => {
                let line = self.open_text(who, self.pick(at));
                line.is_some_and(|line| line.state == "deleted" || line.author == who || line.is_shared())
            }
            Act::Delete(at) => self.open_text(who, self.pick(at)).is_some(),
            Act::Turn(_, state, at) => {
                self.open_text(who, self.pick(at)).is_some_and(|line| may_turn(line, state))
            }
            // Who may do it to a managed one is the scenarios' business.
            Act::Team(_) if self.is_managed() => return None,
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
            Act::Disclose(from, bits) => self.disclose(who, from, bits),
            Act::Forget => self.forget(who),
            Act::Kick(bits) => self.kick(who, bits),
            Act::Manage(urn) => self.manage(who, urn),
            Act::Appoint("conv:add_admins", bits) => self.admins.extend(chosen(bits)),
            Act::Appoint(_, bits) => self.admins.retain(|admin| chosen(bits).all(|gone| gone != *admin)),
            Act::Add(bits) => self.add(who, bits),
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

    /// The newest slot that reaches somebody.
    fn top(&self, who: usize) -> u64 {
        let end = self.members.get(&who).and_then(|member| member.runs.last()?.1);
        end.unwrap_or(self.last)
    }

    fn add(&mut self, who: usize, bits: usize) {
        let new: Vec<usize> = chosen(bits).filter(|who| !self.is_in(*who) || self.is_passive(*who)).collect();
        if !new.is_empty() {
            let nr = self.merge(who, "add");
            new.into_iter().for_each(|who| self.enter(who, nr));
        }
    }

    /// All that there is so far is closed to him, and it is in his list no more.
    fn forget(&mut self, who: usize) {
        let top = self.top(who);
        let inbox = self.inbox_up_to(top);
        self.members.entry(who).and_modify(|it| (it.deleted, it.is_gone) = ((top, inbox), true));
    }

    fn disclose(&mut self, who: usize, from: Option<u64>, bits: usize) {
        let join = self.join(who);
        let from = from.map_or(join, |at| self.pick(at).max(join));
        let opened: Vec<(usize, Vec<u64>)> = chosen(bits)
            .map(|target| (target, self.giveable(who, target, from)))
            .filter(|(target, given)| {
                let above = self.members[target].deleted.0;
                given.iter().any(|nr| *nr > above && !self.sees(*target, *nr))
            })
            .collect();
        if opened.is_empty() {
            return;
        }
        self.say(who, "disclose");
        for (target, given) in opened {
            let Some(member) = self.members.get_mut(&target) else { continue };
            member.revoked.retain(|nr| !given.contains(nr));
            let above = member.deleted.0;
            member.opened.extend(given.into_iter().filter(|nr| *nr > above));
        }
    }

    fn kick(&mut self, who: usize, bits: usize) {
        let gone: Vec<usize> = chosen(bits).filter(|target| *target != who && self.is_in(*target)).collect();
        if gone.is_empty() {
            return;
        }
        let nr = self.say(who, "kickV2");
        let taken: Vec<u64> =
            self.managed.iter().flat_map(|(begin, end)| *begin..=end.unwrap_or(nr - 1)).collect();
        for target in gone {
            self.exit(target, nr);
            self.members.entry(target).and_modify(|member| member.revoked.extend(&taken));
        }
    }

    fn manage(&mut self, who: usize, urn: &str) {
        match (urn, self.is_managed()) {
            ("conv:set_managed", false) => {
                let nr = self.say(who, "manage");
                self.managed.push((nr, None));
                self.admins = BTreeSet::from([who]);
            }
            ("conv:set_unmanaged", true) => {
                let nr = self.say(who, "unmanage");
                if let Some(period) = self.managed.last_mut() {
                    period.1 = Some(nr - 1);
                }
                self.admins.clear();
            }
            _ => {}
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
        let Some(Member { read, deleted, .. }) = self.members.get(&who) else { return };
        let (read, lowest) = (*read, deleted.0.max(self.join(who) - 1));
        let show = number(&header, "show_message_nr").unwrap_or(0);
        let forward = |wanted: u64| read.max(wanted.min(show));
        let back = |wanted: u64| read.min(wanted.max(lowest));
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
        let join = self.join(who);
        let last = end.unwrap_or(self.last);
        let show = self.lines.iter().rfind(|line| line.nr <= last)?.nr;
        let last_inbox = self.inbox_up_to(show);
        // What he has deleted is no more to be read.
        let read = member.read.max(member.deleted.0);
        let read_inbox = self.inbox_up_to(member.read).max(member.deleted.1);
        let wanted = i64::try_from(last_inbox.min(read_inbox + 1)).unwrap_or(0);
        let wanted = self.lines.iter().find(|line| line.inbox_nr == wanted && wanted > 0);
        let arrival = if member.runs.len() > 1 { begin } else { join };
        let inbox = wanted.filter(|line| self.sees(who, line.nr)).map_or(arrival, |line| line.nr);
        let counters = json!({
            "last_message_nr": last, "show_message_nr": show, "last_inbox_nr": last_inbox, "join_message_nr": join,
            "begin_message_nr": begin, "send_message_nr": member.send, "read_message_nr": read,
            "read_inbox_nr": read_inbox, "unread_count": last_inbox.saturating_sub(read_inbox), "inbox_message_nr": inbox,
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
