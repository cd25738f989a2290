//! What a generator's sessions say: which event, with which params, and what is waited for afterwards.
//!
//! Not here: when they say it ([`super::generator`]), what comes back ([`super::intake`]).

use super::generator::Generator;
use super::seat::Stage;
use super::shared::Shared;
use super::wire;
use crate::scenario::{Kind, Pace};
use rill_proto::limits::PEN_MS;
use serde_json::json;
use std::sync::atomic::Ordering;
use uuid::Uuid;

/// Conversations that are being created at once.
const CREATING_MAX: usize = 16;

/// People whom one call may name: more are added by further calls.
const NAMED_MAX: usize = 1_000;

/// How far back a sync asks for: a page of messages above the one that is asked for.
const SYNC_BACK: u32 = 20;

/// What an answer is waited for.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    /// Of a conversation, or of more people in it.
    Creation {
        conversation: u32,
        /// How many of its members, after the first one, have been named so far.
        named: usize,
        urn: &'static str,
        params: String,
    },
    Activation {
        params: String,
    },
    /// What a header showed as missing, from this slot on.
    Loading {
        room: u32,
        from: u32,
        params: String,
    },
    Event {
        kind: Kind,
        intended_us: u64,
        writer: u32,
        urn: &'static str,
        params: String,
    },
}

impl Pending {
    /// What it is, for a report.
    pub(super) fn name(&self) -> &str {
        self.said().0
    }

    pub(super) fn is_event(&self) -> bool {
        matches!(self, Self::Event { .. })
    }

    /// The event and its params.
    fn said(&self) -> (&'static str, &str) {
        match self {
            Self::Activation { params } => ("conv:activate", params),
            Self::Loading { params, .. } => ("conv:sync_forward", params),
            Self::Creation { urn, params, .. } | Self::Event { urn, params, .. } => (urn, params),
        }
    }
}

/// Who writes where, and what he has there.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) seat: u32,
    conversation: u32,
    /// His last message and his last task there; 0 while he has none.
    pub(super) own_nr: u64,
    pub(super) task_nr: u64,
    /// What he has read, which of his messages he holds locked, and until when his pen shows: asking again tells nobody anything new.
    read_nr: u64,
    locked_nr: u64,
    pen_until_us: u64,
    /// How many events he may still say.
    left: u64,
}

/// Something said whose arrival at others is measured.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) intended_us: u64,
    /// The message that it is about.
    pub(super) message_nr: u64,
    /// At how many of the sessions here it has yet to arrive.
    pub(super) left: u32,
}

impl Writer {
    pub(super) fn new(seat: u32, conversation: u32) -> Self {
        Self {
            seat,
            conversation,
            own_nr: 0,
            task_nr: 0,
            read_nr: 0,
            locked_nr: 0,
            pen_until_us: 0,
            left: u64::MAX,
        }
    }

    /// How many events he may say in what follows: so many on average over all conversations, unbounded without one.
    pub(super) fn set_quota(&mut self, quota: Option<f64>) {
        let upto = |conversations: u32, quota: f64| (f64::from(conversations) * quota) as u64;
        self.left = quota
            .map_or(u64::MAX, |quota| upto(self.conversation + 1, quota) - upto(self.conversation, quota));
    }
}

impl Writer {
    /// Whether the others are told of this, of which they keep nothing but how it is now.
    fn tells_news(&mut self, kind: Kind, message_nr: u64, now_us: u64) -> bool {
        match kind {
            Kind::Pen => {
                let shows = self.pen_until_us > now_us;
                self.pen_until_us = now_us + PEN_MS * 1_000;
                !shows
            }
            Kind::Lock => std::mem::replace(&mut self.locked_nr, message_nr) != message_nr,
            Kind::Read => {
                let known = self.read_nr.max(self.own_nr).max(self.task_nr);
                self.read_nr = known.max(message_nr);
                message_nr > known
            }
            Kind::Post | Kind::Edit | Kind::Task | Kind::Done | Kind::Reaction | Kind::Sync => false,
        }
    }

    /// Something of his stands there now. Whoever has said it has put his pen down, and whoever has changed it holds it no more.
    pub(super) fn said(&mut self, kind: Kind, message_nr: u64) {
        match kind {
            Kind::Post => (self.own_nr, self.pen_until_us) = (message_nr, 0),
            Kind::Task => (self.task_nr, self.pen_until_us) = (message_nr, 0),
            Kind::Edit => self.locked_nr = 0,
            Kind::Done => self.task_nr = 0,
            Kind::Pen | Kind::Lock | Kind::Read | Kind::Reaction | Kind::Sync => {}
        }
    }
}

impl Generator {
    pub(super) fn create_some(&mut self) {
        while self.creating < CREATING_MAX
            && let Some(conversation) = self.to_create.pop_front()
        {
            let creator = self.shared.scenario.online_members(conversation as usize).next();
            let Some(place) = creator.and_then(|session| self.place(session)) else {
                continue;
            };
            self.creating += 1;
            let account_ids = self.next_named(conversation, 0);
            let named = account_ids.len();
            let params =
                json!({"topic": format!("load {conversation}"), "account_ids": account_ids}).to_string();
            self.submit(place, Pending::Creation { conversation, named, urn: "conv:create", params });
        }
    }

    /// The members of a conversation whom the next call names: as many as it may, behind its first one and so many others.
    fn next_named(&self, conversation: u32, named: usize) -> Vec<Uuid> {
        let Shared { scenario, accounts, .. } = &*self.shared;
        let creator = scenario.online_members(conversation as usize).next();
        let members = (0..scenario.members).map(|at| scenario.session_of(conversation as usize, at));
        let others = members.filter(|session| Some(*session) != creator).skip(named).take(NAMED_MAX);
        others.map(|session| accounts[session].account_id).collect()
    }

    /// A creation has its outcome. Whoever could not be named yet is added.
    pub(super) fn created(&mut self, place: usize, conversation: u32, named: usize, id: Option<Uuid>) {
        let more =
            id.map(|id| (id, self.next_named(conversation, named))).filter(|(_, more)| !more.is_empty());
        if let Some((id, account_ids)) = more {
            let named = named + account_ids.len();
            let params = json!({"conversation_id": id, "account_ids": account_ids}).to_string();
            return self
                .submit(place, Pending::Creation { conversation, named, urn: "conv:add_members", params });
        }
        self.creating -= 1;
        if let Some(id) = id {
            self.conversation_ids.insert(conversation, id);
            self.shared.announce(conversation, id);
            self.shared.progress.created.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A writer asks for the activity of his conversation.
    pub(super) fn activate(&mut self, writer: u32) {
        let Writer { seat, conversation, .. } = self.writers[writer as usize];
        if let Some(id) = self.conversation_id(conversation) {
            self.submit(
                seat as usize,
                Pending::Activation { params: format!(r#"{{"conversation_id":"{id}"}}"#) },
            );
        }
    }

    /// A session asks for what headers have shown as missing.
    pub(super) fn load_gaps(&mut self, place: usize) {
        let gaps = self.seats[place].views.iter().filter_map(|view| Some((view.room, view.to_load()?)));
        for (room, from) in gaps.collect::<Vec<_>>() {
            self.load(place, room, from);
        }
    }

    fn load(&mut self, place: usize, room: u32, from: u32) {
        let (id, held) = (self.rooms.all[room as usize].id, from - 1);
        let params = format!(r#"{{"conversation_id":"{id}","fw_message_nr":{held}}}"#);
        self.submit(place, Pending::Loading { room, from, params });
    }

    /// A page has come. The next one is asked for, unless this one brought nothing: then it stays missing, and is counted in the end.
    pub(super) fn load_on(&mut self, place: usize, room: u32, from: u32) {
        let seat = &self.seats[place];
        let next = seat.view(room).and_then(|view| seat.views[view].to_load());
        if let Some(next) = next.filter(|next| *next > from) {
            self.load(place, room, next);
        }
    }

    /// A writer says something.
    pub(super) fn say(&mut self, writer: u32, intended_us: u64) {
        let Writer { seat, conversation, left, .. } = self.writers[writer as usize];
        let Some(id) = self.conversation_id(conversation) else {
            return;
        };
        if left == 0 || self.seats[seat as usize].stage != Stage::Live {
            return;
        }
        self.writers[writer as usize].left -= 1;
        let kind = self.choose();
        let (kind, urn, params) = self.compose(kind, writer, id, intended_us);
        self.tally.counts.sent += 1;
        self.shared.progress.sent.fetch_add(1, Ordering::Relaxed);
        self.submit(seat as usize, Pending::Event { kind, intended_us, writer, urn, params });
    }

    fn choose(&mut self) -> Kind {
        let mix = &self.shared.scenario.mix;
        let all: f64 = mix.values().sum();
        let mut at = self.dice.share() * all;
        for (kind, weight) in mix {
            at -= weight;
            if at < 0.0 {
                return *kind;
            }
        }
        Kind::Post
    }

    /// The event of that kind, and its params; a post where there is nothing yet that it could be about.
    fn compose(
        &mut self,
        kind: Kind,
        writer: u32,
        id: Uuid,
        intended_us: u64,
    ) -> (Kind, &'static str, String) {
        let Writer { seat, own_nr, task_nr, .. } = self.writers[writer as usize];
        let room = self.rooms.find(id);
        let seat = &self.seats[seat as usize];
        let edge = room.and_then(|room| seat.view(room)).map_or(0, |view| seat.views[view].edge());
        let last_nr = room.map_or(0, |room| self.rooms.all[room as usize].last_post);
        let account = self.shared.accounts[seat.session as usize].account_id;
        let about = |message_nr: u64| format!(r#"{{"conversation_id":"{id}","message_nr":{message_nr}}}"#);
        let with_text = |mark: wire::Mark, more: &str| {
            let told = wire::Told {
                mark,
                sequence: self.next_sequence,
                intended_us: intended_us.saturating_sub(self.begin_us),
            };
            let text = wire::message_text(&self.shared.run, told, self.shared.scenario.message_bytes);
            format!(r#"{{"conversation_id":"{id}"{more},"message":"{text}"}}"#)
        };
        let (urn, params, nr) = match kind {
            Kind::Edit if own_nr > 0 => {
                ("message:edit", with_text(wire::Mark::Edit, &format!(r#","message_nr":{own_nr}"#)), own_nr)
            }
            Kind::Pen => ("conv:set_writing", format!(r#"{{"conversation_id":"{id}"}}"#), 0),
            Kind::Lock if own_nr > 0 => ("message:set_editing", about(own_nr), own_nr),
            Kind::Read if last_nr > 0 => ("message:mark_read", about(last_nr), last_nr),
            Kind::Task => ("message:add_todo", with_text(wire::Mark::Task, ""), 0),
            Kind::Done if task_nr > 0 => ("message:set_done", about(task_nr), task_nr),
            Kind::Reaction if last_nr > 0 => {
                let params =
                    format!(r#"{{"conversation_id":"{id}","message_nr":{last_nr},"reaction":":+1:"}}"#);
                ("message:add_reaction", params, last_nr)
            }
            Kind::Sync if edge > 1 => {
                let from = edge.saturating_sub(SYNC_BACK).max(1);
                let params = format!(r#"{{"conversation_id":"{id}","bw_message_nr":{from}}}"#);
                ("conv:sync_backward", params, 0)
            }
            Kind::Post | Kind::Edit | Kind::Lock | Kind::Read | Kind::Done | Kind::Reaction | Kind::Sync => {
                return (Kind::Post, "message:add_plain", with_text(wire::Mark::Post, ""));
            }
        };
        if let Some(room) = room.filter(|_| self.writers[writer as usize].tells_news(kind, nr, intended_us)) {
            let left = self.rooms.all[room as usize].members_here.saturating_sub(1);
            let expected = Expected { intended_us, message_nr: nr, left };
            self.expected.insert((room, account, kind), expected);
        }
        (kind, urn, params)
    }

    fn conversation_id(&mut self, conversation: u32) -> Option<Uuid> {
        if let Some(id) = self.conversation_ids.get(&conversation) {
            return Some(*id);
        }
        let id = self.shared.conversation_id(conversation)?;
        self.conversation_ids.insert(conversation, id);
        Some(id)
    }

    fn submit(&mut self, place: usize, pending: Pending) {
        let sequence = self.next_sequence;
        self.next_sequence = self.next_sequence.wrapping_add(self.shared.generators);
        self.shared.progress.pending.fetch_add(1, Ordering::Relaxed);
        self.send(place, sequence, &pending);
        // A connection that broke over it has lost what it waited for, but not this.
        if self.seats[place].stage == Stage::Lost {
            self.shared.progress.pending.fetch_sub(1, Ordering::Relaxed);
            self.tally.counts.unanswered += u64::from(pending.is_event());
            self.creating -= usize::from(matches!(pending, Pending::Creation { .. }));
        } else {
            self.pending.insert(sequence, (place as u32, pending));
        }
    }

    fn send(&mut self, place: usize, sequence: u32, pending: &Pending) {
        let id = wire::request_id(self.shared.run_key, sequence);
        let (urn, params) = pending.said();
        let key = self.dice.key();
        if self.seats[place].stage == Stage::Live
            && let Err(ended) = self.seats[place].send(&wire::event(id, urn, params), key)
        {
            self.end(place, &ended);
        }
    }

    /// A session that is back sends again what was not answered, in its order and with the same `client_req_id`s.
    pub(super) fn send_again(&mut self, place: usize) {
        let own = self.pending.iter().filter(|(_, (seat, _))| *seat as usize == place);
        let mut own: Vec<(u32, Pending)> =
            own.map(|(sequence, (_, pending))| (*sequence, pending.clone())).collect();
        own.sort_by_key(|(sequence, _)| *sequence);
        for (sequence, pending) in own {
            self.repeated.insert(sequence);
            self.send(place, sequence, &pending);
        }
    }

    /// An event has its answer.
    pub(super) fn answered(&mut self, writer: u32) {
        if self.is_loading && matches!(self.pace, Pace::Saturate { .. }) {
            self.say(writer, self.now_us());
        }
    }

    /// What a lost session waits for has no outcome any more.
    pub(super) fn give_up(&mut self, place: u32) {
        let before = self.pending.len();
        let (creating, counts) = (&mut self.creating, &mut self.tally.counts);
        self.pending.retain(|_, (seat, pending)| {
            let stays = *seat != place;
            *creating -= usize::from(!stays && matches!(pending, Pending::Creation { .. }));
            counts.unanswered += u64::from(!stays && pending.is_event());
            stays
        });
        let given_up = (before - self.pending.len()) as u64;
        self.shared.progress.pending.fetch_sub(given_up, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_is_no_whole_number_is_shared_out() {
        let left = |conversation: u32| {
            let mut writer = Writer::new(0, conversation);
            writer.set_quota(Some(2.5));
            writer.left
        };
        assert_eq!((0..4).map(left).collect::<Vec<_>>(), [2, 3, 2, 3]);
        let mut writer = Writer::new(0, 7);
        writer.set_quota(None);
        assert_eq!(writer.left, u64::MAX);
    }
}
