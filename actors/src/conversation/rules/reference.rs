//! The counters against a slow reference that is written from the formulas of conversations.md §2.3 alone: it keeps the
//! list of all messages and each member's runs, and looks everything up by walking through them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rill_proto::event::{ClientEvent, conv};
use rill_proto::id::AccountId;
use serde_json::json;

use crate::conversation::counters::Counters;
use crate::conversation::rules::replay::*;

mod client;

use client::Client;

/// The ways to move a read horizon.
#[derive(Clone, Debug)]
enum Mark {
    Read,
    Unread,
    ConvUnread,
    Set { old: Option<prop::sample::Index> },
}

/// `message:VERB`, and the state that it leads to.
const TURNS: [(&str, &str); 5] = [
    ("set_plain", "plain"),
    ("set_pinned", "pinned"),
    ("set_unpinned", "unpinned"),
    ("set_todo", "todo"),
    ("set_done", "done"),
];

/// What somebody does next. Message numbers are picked among the slots there are.
#[derive(Clone, Debug)]
enum Act {
    Post {
        mentions: Vec<usize>,
    },
    Edit {
        at: prop::sample::Index,
        mentions: Vec<usize>,
    },
    Delete {
        at: prop::sample::Index,
    },
    Turn {
        at: prop::sample::Index,
        into: usize,
    },
    Add {
        whom: Vec<usize>,
    },
    Remove {
        whom: Vec<usize>,
    },
    Leave,
    Topic {
        word: u8,
    },
    Join,
    /// `conv:disclose`, or from a message on.
    Disclose {
        at: Option<prop::sample::Index>,
        whom: Vec<usize>,
    },
    Mark {
        at: prop::sample::Index,
        mark: Mark,
    },
    Visit,
}

fn marks() -> impl Strategy<Value = Mark> {
    prop_oneof![
        2 => Just(Mark::Read),
        1 => Just(Mark::Unread),
        1 => Just(Mark::ConvUnread),
        1 => prop::option::of(any::<prop::sample::Index>()).prop_map(|old| Mark::Set { old }),
    ]
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let at = any::<prop::sample::Index>;
    let people = || prop::collection::vec(0..NAMES.len(), 0..3);
    let act = prop_oneof![
        6 => people().prop_map(|mentions| Act::Post { mentions }),
        2 => (at(), people()).prop_map(|(at, mentions)| Act::Edit { at, mentions }),
        1 => at().prop_map(|at| Act::Delete { at }),
        4 => (at(), 0..TURNS.len()).prop_map(|(at, into)| Act::Turn { at, into }),
        2 => people().prop_map(|whom| Act::Add { whom }),
        1 => people().prop_map(|whom| Act::Remove { whom }),
        1 => Just(Act::Leave),
        1 => (0..3_u8).prop_map(|word| Act::Topic { word }),
        1 => Just(Act::Join),
        2 => (prop::option::of(at()), people()).prop_map(|(at, whom)| Act::Disclose { at, whom }),
        5 => (at(), marks()).prop_map(|(at, mark)| Act::Mark { at, mark }),
        2 => Just(Act::Visit),
    ];
    prop::collection::vec((0..NAMES.len(), act), 1..60)
}

/// A visible message.
struct Line {
    nr: u64,
    inbox_nr: i64,
    author: usize,
    kind: &'static str,
    time: i64,
    state: &'static str,
    /// It was on a board once.
    was_shared: bool,
    mentions: BTreeSet<usize>,
}

impl Line {
    fn is_shared(&self) -> bool {
        ["pinned", "todo", "done"].contains(&self.state)
    }
}

/// A member or ex-member; a run without an end is open.
struct Person {
    runs: Vec<(u64, Option<u64>)>,
    /// What others opened to him.
    opened: BTreeSet<u64>,
    send: u64,
    read: u64,
    is_mark_unread: Option<bool>,
    was_mentioned: bool,
}

/// The reference.
#[derive(Default)]
struct Reference {
    last: u64,
    lines: Vec<Line>,
    people: BTreeMap<usize, Person>,
    topic: String,
}

impl Reference {
    fn is_in(&self, who: usize) -> bool {
        self.people.get(&who).is_some_and(|person| person.runs.iter().any(|run| run.1.is_none()))
    }

    fn sees(&self, who: usize, nr: u64) -> bool {
        let Person { runs, opened, .. } = &self.people[&who];
        opened.contains(&nr)
            || runs.iter().any(|(begin, end)| *begin <= nr && end.is_none_or(|end| nr <= end))
    }

    fn line(&self, nr: u64) -> Option<&Line> {
        self.lines.iter().find(|line| line.nr == nr)
    }

    /// In the flow, or on a board.
    fn is_open(&self, who: usize, nr: u64) -> bool {
        self.is_in(who) && (self.sees(who, nr) || self.line(nr).is_some_and(Line::is_shared))
    }

    /// |inbox_nr| of the newest visible message up to a slot, 0 if there is none.
    fn inbox_up_to(&self, nr: u64) -> u64 {
        let newest = self.lines.iter().rfind(|line| line.nr <= nr);
        newest.map_or(0, |line| line.inbox_nr.unsigned_abs())
    }

    fn enter(&mut self, who: usize, nr: u64) {
        let person = self.people.entry(who).or_insert(Person {
            runs: Vec::new(),
            opened: BTreeSet::new(),
            send: 0,
            read: 0,
            is_mark_unread: None,
            was_mentioned: false,
        });
        person.runs.push((nr, None));
        person.send = nr;
        person.read = nr - 1;
    }

    fn exit(&mut self, who: usize, nr: u64) {
        let person = self.people.get_mut(&who).unwrap();
        person.runs.last_mut().unwrap().1 = Some(nr);
        person.send = nr;
    }

    fn read(&mut self, who: usize, nr: u64, is_mark_unread: bool) {
        let person = self.people.get_mut(&who).unwrap();
        person.read = nr;
        person.is_mark_unread = Some(is_mark_unread);
    }

    fn join(&self, who: usize) -> u64 {
        let Person { runs, opened, .. } = &self.people[&who];
        opened.iter().copied().chain([runs[0].0]).min().unwrap()
    }

    /// What one can open to another who is in: what he sees from a message on, before the other's present membership.
    fn closed(&self, to: usize, giver: usize, from: u64) -> BTreeSet<u64> {
        let (begin, _) = *self.people[&to].runs.last().unwrap();
        (from..begin).filter(|nr| self.sees(giver, *nr) && !self.sees(to, *nr)).collect()
    }

    /// A new message: the author has read it.
    fn say(&mut self, author: usize, kind: &'static str, time: i64, mentions: BTreeSet<usize>) -> u64 {
        self.last += 1;
        let inbox = i64::try_from(self.inbox_up_to(self.last)).unwrap();
        let inbox_nr = if kind == "text" { inbox + 1 } else { -inbox };
        let state = if kind == "text" { "plain" } else { "system" };
        self.lines.push(Line {
            nr: self.last,
            inbox_nr,
            author,
            kind,
            time,
            state,
            was_shared: false,
            mentions,
        });
        self.read(author, self.last, false);
        self.last
    }

    /// Restates the newest visible message in a slot of its own, or says something new.
    fn merge(&mut self, author: usize, kind: &'static str, time: i64) -> u64 {
        let newest = self.lines.last().unwrap();
        if newest.author == author && (newest.kind == kind || newest.kind == "create") {
            self.last += 1;
            return self.lines.last().unwrap().nr;
        }
        self.say(author, kind, time, BTreeSet::new())
    }

    fn mentioned(&mut self) {
        for line in &self.lines {
            for who in &line.mentions {
                self.people.get_mut(who).unwrap().was_mentioned = true;
            }
        }
    }

    /// The recipe of §2.3.
    fn counters(&self, who: usize) -> Counters {
        let person = &self.people[&who];
        let (begin, end) = *person.runs.last().unwrap();
        let join = self.join(who);
        let last = end.unwrap_or(self.last);
        let show = self.lines.iter().rfind(|line| line.nr <= last).unwrap().nr;
        let last_inbox = self.line(show).unwrap().inbox_nr.unsigned_abs();
        let read_inbox = self.inbox_up_to(person.read);
        let seen_inbox = |inbox_nr: u64| {
            let line =
                self.lines.iter().find(|line| line.inbox_nr > 0 && line.inbox_nr.unsigned_abs() == inbox_nr);
            line.filter(|line| self.sees(who, line.nr))
        };
        let arrival = if person.runs.len() > 1 { begin } else { join };
        let wanted = seen_inbox(last_inbox.min(read_inbox + 1));
        let newest = seen_inbox(last_inbox).unwrap_or_else(|| self.line(begin).unwrap());
        let mention = self.lines.iter().rfind(|line| line.mentions.contains(&who));
        Counters {
            last,
            show,
            last_inbox,
            join,
            begin,
            send: person.send,
            read: person.read,
            read_inbox,
            unread: last_inbox - read_inbox,
            inbox_message_nr: wanted.map_or(arrival, |line| line.nr),
            is_mark_unread: person.is_mark_unread,
            my_message_nr: person.was_mentioned.then(|| mention.map_or(0, |line| line.nr)),
            inbox_time: newest.time,
            last_message_time: self.line(show).unwrap().time,
            can_post: end.is_none(),
        }
    }
}

struct Play {
    replay: Replay,
    reference: Reference,
    clients: [Client; NAMES.len()],
}

fn text_of(mentions: &[usize]) -> String {
    mentions.iter().fold("said".to_owned(), |text, who| text + " @" + NAMES[*who].1)
}

fn ids(whom: &[usize]) -> Vec<AccountId> {
    whom.iter().map(|who| NAMES[*who].0).collect()
}

impl Play {
    fn begin() -> Self {
        let mut replay = Replay::nothing();
        let open = conv::Create { is_autojoin: true, ..founding("", &[BOB]) };
        replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(open))).unwrap();
        let mut reference = Reference::default();
        for who in [0, 1] {
            reference.enter(who, 1);
        }
        reference.say(0, "create", replay.now, BTreeSet::new());
        Self { replay, reference, clients: Default::default() }
    }

    fn pick(&self, at: prop::sample::Index) -> u64 {
        // One number past the newest slot as well: nothing is there.
        u64::try_from(at.index(usize::try_from(self.reference.last).unwrap() + 2)).unwrap()
    }

    fn mentioned(&self, mentions: &[usize], nr: u64) -> BTreeSet<usize> {
        let meant = mentions.iter().copied().filter(|who| self.reference.is_in(*who));
        meant.filter(|who| self.reference.sees(*who, nr)).collect()
    }

    /// Whether the event must be carried out, and what becomes of the reference then.
    fn act(&mut self, who: usize, act: &Act) {
        let caller = NAMES[who].0;
        let is_in = self.reference.is_in(who);
        match act {
            Act::Post { mentions } => {
                let accepted = self.replay.ask(caller, add_plain(&text_of(mentions))).is_ok();
                assert_eq!(accepted, is_in);
                if accepted {
                    let mentions = self.mentioned(mentions, u64::MAX);
                    self.reference.say(who, "text", self.replay.now, mentions);
                }
            }
            Act::Edit { at, mentions } => self.edit(who, *at, mentions),
            Act::Delete { at } => self.delete(who, *at),
            Act::Turn { at, into } => self.turn(who, *at, *into),
            Act::Add { whom } => self.add(who, whom),
            Act::Remove { whom } => self.remove(who, whom),
            Act::Leave => {
                assert_eq!(self.replay.ask(caller, leave()).is_ok(), is_in);
                if is_in {
                    let nr = self.reference.say(who, "leave", self.replay.now, BTreeSet::new());
                    self.reference.exit(who, nr);
                }
            }
            Act::Topic { word } => {
                let topic = ["", "Harvest", "Frost"][usize::from(*word)];
                assert_eq!(self.replay.ask(caller, set_topic(topic)).is_ok(), is_in);
                if is_in && topic != self.reference.topic {
                    topic.clone_into(&mut self.reference.topic);
                    self.reference.merge(who, "topic", self.replay.now);
                }
            }
            Act::Join => {
                assert!(self.replay.ask(caller, event("conv:autojoin", json!({}))).is_ok());
                if !is_in {
                    self.reference.enter(who, self.reference.last + 1);
                    self.reference.say(who, "autojoin", self.replay.now, BTreeSet::new());
                }
            }
            Act::Disclose { at, whom } => self.disclose(who, *at, whom),
            Act::Mark { at, mark } => self.mark(who, *at, mark),
            Act::Visit => self.visit(who),
        }
    }

    fn edit(&mut self, who: usize, at: prop::sample::Index, mentions: &[usize]) {
        let nr = self.pick(at);
        let event = edit(i64::try_from(nr).unwrap(), &text_of(mentions));
        let accepted = self.replay.ask(NAMES[who].0, event).is_ok();
        let line = self.reference.line(nr).filter(|_| self.reference.is_open(who, nr));
        let is_deleted = line.is_some_and(|line| line.state == "deleted");
        let is_own = line.is_some_and(|line| line.kind == "text" && (line.author == who || line.is_shared()));
        assert_eq!(accepted, is_own || is_deleted);
        if is_own && !is_deleted {
            self.reference.last += 1;
            let mentions = self.mentioned(mentions, nr);
            self.reference.lines.iter_mut().find(|line| line.nr == nr).unwrap().mentions = mentions;
        }
    }

    fn delete(&mut self, who: usize, at: prop::sample::Index) {
        let nr = self.pick(at);
        let accepted = self.replay.ask(NAMES[who].0, delete(i64::try_from(nr).unwrap())).is_ok();
        let is_open = self.reference.is_open(who, nr);
        let line =
            self.reference.lines.iter_mut().find(|line| line.nr == nr && line.kind == "text" && is_open);
        assert_eq!(accepted, line.is_some());
        if let Some(line) = line.filter(|line| line.state != "deleted") {
            self.reference.last += 1;
            line.state = "deleted";
            line.mentions.clear();
        }
    }

    fn turn(&mut self, who: usize, at: prop::sample::Index, into: usize) {
        let (verb, state) = TURNS[into];
        let nr = self.pick(at);
        let accepted = self.replay.turn(NAMES[who].0, verb, nr).is_ok();
        let is_open = self.reference.is_open(who, nr);
        let mut lines = self.reference.lines.iter_mut();
        let line = lines.find(|line| {
            let can_turn = state != "unpinned" || ["pinned", "unpinned"].contains(&line.state);
            line.nr == nr && line.kind == "text" && line.state != "deleted" && is_open && can_turn
        });
        assert_eq!(accepted, line.is_some());
        if let Some(line) = line.filter(|line| line.state != state) {
            self.reference.last += 1;
            line.state = state;
            line.was_shared |= line.is_shared();
        }
    }

    fn add(&mut self, who: usize, whom: &[usize]) {
        let is_in = self.reference.is_in(who);
        assert_eq!(self.replay.ask(NAMES[who].0, add(&ids(whom))).is_ok(), is_in);
        let new: BTreeSet<usize> = whom.iter().copied().filter(|who| !self.reference.is_in(*who)).collect();
        if is_in && !new.is_empty() {
            let nr = self.reference.merge(who, "add", self.replay.now);
            for who in new {
                self.reference.enter(who, nr);
            }
        }
    }

    fn remove(&mut self, who: usize, whom: &[usize]) {
        let is_in = self.reference.is_in(who);
        assert_eq!(self.replay.ask(NAMES[who].0, remove(&ids(whom))).is_ok(), is_in);
        let gone: BTreeSet<usize> = whom.iter().copied().filter(|who| self.reference.is_in(*who)).collect();
        if is_in && !gone.is_empty() {
            let kind = if gone.iter().eq([&who]) { "leave" } else { "kick" };
            let nr = self.reference.say(who, kind, self.replay.now, BTreeSet::new());
            for who in gone {
                self.reference.exit(who, nr);
            }
        }
    }

    fn disclose(&mut self, who: usize, at: Option<prop::sample::Index>, whom: &[usize]) {
        let nr = at.map(|at| self.pick(at));
        let params = json!({ "account_ids": ids(whom), "message_nr": nr });
        let urn = if nr.is_some() { "message:disclose" } else { "conv:disclose" };
        let accepted = self.replay.ask(NAMES[who].0, event(urn, params)).is_ok();
        let is_in = self.reference.is_in(who);
        let is_his = |nr| {
            let is_open = self.reference.sees(who, nr) || nr < self.reference.join(who);
            is_open && self.reference.line(nr).is_some()
        };
        let may = is_in && nr.is_none_or(is_his) && whom.iter().all(|who| self.reference.is_in(*who));
        assert_eq!(accepted, may);
        if !accepted {
            return;
        }
        let from = self.reference.join(who).max(nr.unwrap_or(0));
        let opened = whom.iter().map(|to| (*to, self.reference.closed(*to, who, from)));
        let opened: BTreeMap<usize, BTreeSet<u64>> =
            opened.filter(|(_, opened)| !opened.is_empty()).collect();
        if !opened.is_empty() {
            self.reference.say(who, "discloseV2", self.replay.now, BTreeSet::new());
        }
        for (to, opened) in opened {
            self.reference.people.get_mut(&to).unwrap().opened.extend(opened);
        }
    }

    fn mark(&mut self, who: usize, at: prop::sample::Index, mark: &Mark) {
        let number = |at: prop::sample::Index| i64::try_from(self.pick(at)).unwrap();
        let nr = number(at);
        let (event, wanted, old) = match mark {
            Mark::Read => (mark_read(nr, None, None), nr, None),
            Mark::Unread => (mark_unread(nr, None, None), nr - 1, None),
            Mark::ConvUnread => (conv_mark_unread(nr, None, None), nr - 1, None),
            Mark::Set { old } => (set_read(nr, old.map(number), None), nr, old.map(number)),
        };
        let is_in = self.reference.is_in(who);
        assert_eq!(self.replay.ask(NAMES[who].0, event).is_ok(), is_in);
        if !is_in {
            return;
        }
        let counters = self.reference.counters(who);
        let wanted = u64::try_from(wanted.max(0)).unwrap();
        let is_stale = old.is_some_and(|old| old != i64::try_from(counters.read).unwrap());
        let forward = counters.read.max(wanted.min(counters.show));
        let back = counters.read.min(wanted.max(counters.join - 1));
        match mark {
            Mark::Read => self.reference.read(who, forward, false),
            Mark::Set { .. } if wanted >= counters.read => self.reference.read(who, forward, false),
            Mark::Set { .. } if is_stale => {}
            Mark::Unread if counters.read < wanted => {}
            Mark::Set { .. } | Mark::Unread | Mark::ConvUnread => self.reference.read(who, back, true),
        }
    }

    /// A session catches up and syncs forward; then it holds whatever there is from its backward edge on.
    fn visit(&mut self, who: usize) {
        let caller = NAMES[who].0;
        let client = &mut self.clients[who];
        client.apply(&self.replay.catch_up(caller, client.horizon));
        client.horizon = self.replay.stamp;
        if !self.reference.people.contains_key(&who) {
            assert!(client.messages.is_empty());
            return;
        }
        let last = self.reference.counters(who).last;
        while client.fw < last {
            let before = client.fw;
            let answer =
                self.replay.ask(caller, sync_forward(i64::try_from(before).unwrap())).unwrap().answer;
            client.apply(&answer);
            assert!(client.fw > before, "the sync stands still at {before}");
        }
        for message in self.replay.messages() {
            let nr = message.message_nr;
            let held = client.messages.get(&nr);
            let line = self.reference.line(nr).unwrap();
            let is_in = self.reference.is_in(who);
            // Who has left keeps what the boards showed him.
            let is_his = self.reference.is_open(who, nr)
                || (!is_in && (self.reference.sees(who, nr) || line.was_shared));
            assert!(held.is_none() || is_his, "{nr} is not his");
            assert!(held.is_some() || !is_in || line.state != "pinned", "the pin {nr} is missing");
            if (client.bw..=last).contains(&nr) && self.reference.sees(who, nr) {
                assert!(held.is_some(), "{nr} is missing from {} on", client.bw);
            }
            if is_in {
                assert!(held.is_none_or(|held| held == message), "{nr} is out of date");
            }
        }
    }

    fn compare(&mut self) {
        self.reference.mentioned();
        for who in self.reference.people.keys() {
            assert_eq!(
                self.replay.counters(NAMES[*who].0),
                self.reference.counters(*who),
                "{}",
                NAMES[*who].1
            );
        }
        let present: BTreeSet<AccountId> = self.replay.present().into_iter().collect();
        let expected = (0..NAMES.len()).filter(|who| self.reference.is_in(*who)).map(|who| NAMES[who].0);
        assert_eq!(present, expected.collect());
        assert_eq!(self.replay.head().last_message_nr, self.reference.last);
        assert_eq!(self.replay.head().topic, self.reference.topic);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn counters_are_what_the_formulas_say(acts in acts()) {
        let mut play = Play::begin();
        for (who, act) in &acts {
            play.act(*who, act);
            play.compare();
        }
    }

    #[test]
    fn long_histories_are_read_from_the_store(acts in acts()) {
        let mut play = Play::begin();
        for turn in 0..70 {
            play.act(turn % 2, &Act::Post { mentions: Vec::new() });
        }
        for (who, act) in &acts {
            play.act(*who, act);
            play.compare();
        }
    }
}
