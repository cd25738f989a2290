//! What a server frame means to the load: slots, headers, answers, times.
//!
//! Not here: how frames arrive ([`super::generator`]) and how a slot is judged ([`super::room`]).

use super::generator::Generator;
use super::room::{Booked, SEQUENCE_MAX, Shown, View};
use super::seat::{Ended, Stage};
use super::speech::Pending;
use super::wire::{self, FrameIn, Mark, RecordIn, RequestIn, Told};
use crate::scenario::Kind;
use std::sync::atomic::Ordering;
use uuid::Uuid;

/// A header that is to be held against the messages when the whole frame has been taken in.
struct Claim {
    view: usize,
    last: u64,
    read: u64,
    unread: u64,
}

/// What a header says of the slots that are held and of those that have to be asked for.
struct Cursors {
    view: usize,
    forward: u64,
    last: u64,
}

impl Generator {
    /// Takes a text frame in.
    pub(super) fn take(&mut self, place: usize, text: &[u8]) -> Result<(), Ended> {
        let frame: FrameIn<'_> = serde_json::from_slice(text).map_err(|error| {
            let quoted = String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned();
            Ended::Broken(format!("a frame cannot be read ({error}): {quoted}"))
        })?;
        let now_us = self.now_us();
        let (mut claims, mut cursors) = (Vec::new(), Vec::new());
        self.is_repeating = self.seats[place].stage == Stage::Syncing
            || self.is_loaded(&frame)
            || self.answers_repeat(&frame);
        if !self.is_fetched(&frame) {
            for record in &frame.stream {
                self.take_record(place, record, now_us, &mut claims, &mut cursors);
            }
        }
        self.tally.counts.records += frame.stream.len() as u64;
        for cursors in cursors {
            self.take_cursors(place, &cursors);
        }
        for claim in claims {
            self.check_claim(place, &claim);
        }
        self.take_horizon(place, frame.event_horizon);
        if self.seats[place].stage == Stage::Syncing && frame.sync_progress.is_some_and(|done| done >= 1.0) {
            self.came_live(place);
        }
        for request in frame.requests {
            self.take_answer(place, &request, now_us);
        }
        Ok(())
    }

    /// Whether the frame answers an event that was sent again: it may bring what the first answer or the catch-up has brought.
    fn answers_repeat(&mut self, frame: &FrameIn<'_>) -> bool {
        let sequences = frame
            .requests
            .iter()
            .filter_map(|request| wire::sequence_of(self.shared.run_key, request.client_req_id));
        // Each of them has one answer.
        sequences.filter(|sequence| self.repeated.remove(sequence)).count() > 0
    }

    /// Whether the frame answers a sync: it shows messages as they are now, and nothing of the flow.
    fn is_fetched(&self, frame: &FrameIn<'_>) -> bool {
        frame.requests.iter().any(|request| {
            let sequence = wire::sequence_of(self.shared.run_key, request.client_req_id);
            let pending = sequence.and_then(|sequence| self.pending.get(&sequence));
            matches!(pending, Some((_, Pending::Event { kind: Kind::Sync, .. })))
        })
    }

    /// Whether the frame answers a session that asked for what a header had shown as missing.
    fn is_loaded(&self, frame: &FrameIn<'_>) -> bool {
        frame.requests.iter().any(|request| {
            let sequence = wire::sequence_of(self.shared.run_key, request.client_req_id);
            let pending = sequence.and_then(|sequence| self.pending.get(&sequence));
            matches!(pending, Some((_, Pending::Loading { .. })))
        })
    }

    fn take_horizon(&mut self, place: usize, horizon: Option<i64>) {
        let seat = &mut self.seats[place];
        // Negative horizons count the chunks of an initial sync; their order means nothing.
        let Some(horizon) = horizon.filter(|horizon| *horizon > 0) else {
            return;
        };
        if horizon < seat.horizon && seat.stage == Stage::Live {
            let example =
                format!("session {}: the horizon fell from {} to {horizon}", seat.session, seat.horizon);
            self.tally.counts.falls += 1;
            self.tally.example(example);
        }
        self.seats[place].horizon = horizon;
    }

    fn take_record(
        &mut self,
        place: usize,
        record: &RecordIn<'_>,
        now_us: u64,
        claims: &mut Vec<Claim>,
        cursors: &mut Vec<Cursors>,
    ) {
        match &*record.mk_rec_type {
            "message" => self.take_message(place, record, now_us),
            "conv" => {
                if let Some(view) = self.view(place, record) {
                    self.take_header(place, view, record, claims, cursors);
                }
            }
            // A catch-up tells how it is, not what has just happened.
            "activity" | "lock" if self.is_repeating => {}
            "activity" => {
                if record.is_writing == Some(true) {
                    self.arrived(Kind::Pen, record, record.account_id, now_us);
                }
                if record.read_message_nr.is_some() {
                    self.arrived(Kind::Read, record, record.account_id, now_us);
                }
            }
            "lock" => self.arrived(Kind::Lock, record, record.lock_account_id, now_us),
            _ => {}
        }
    }

    /// A pen, a lock or a read mark has come to somebody.
    fn arrived(&mut self, kind: Kind, record: &RecordIn<'_>, author: Option<Uuid>, now_us: u64) {
        let room = record.conversation_id.and_then(|id| self.rooms.find(id));
        let Some((room, author)) = room.zip(author) else {
            return;
        };
        let key = (room, author, kind);
        let Some(expected) = self.expected.get_mut(&key) else {
            return;
        };
        let is_it = match kind {
            Kind::Read => record.read_message_nr.is_some_and(|nr| nr >= expected.message_nr),
            Kind::Lock => record.message_nr == Some(expected.message_nr),
            Kind::Post | Kind::Edit | Kind::Pen | Kind::Task | Kind::Done | Kind::Reaction | Kind::Sync => {
                true
            }
        };
        if !is_it || expected.left == 0 {
            return;
        }
        expected.left -= 1;
        let intended_us = expected.intended_us;
        if expected.left == 0 {
            self.expected.remove(&key);
        }
        let took_us = now_us.saturating_sub(intended_us);
        self.recent.record(took_us);
        if self.is_measured(intended_us) {
            self.delivery_times.entry(kind).or_default().record(took_us);
        }
    }

    /// The session's place in the conversation of a record. What an earlier run left in an account is not looked at.
    fn view(&mut self, place: usize, record: &RecordIn<'_>) -> Option<usize> {
        let id = record.conversation_id?;
        let room = match self.rooms.find(id) {
            Some(room) => room,
            None if self.seats[place].stage == Stage::Syncing => return None,
            None => self.rooms.room(id),
        };
        let seat = &mut self.seats[place];
        if let Some(view) = seat.view(room) {
            return Some(view);
        }
        seat.views.push(View::new(room));
        self.rooms.all[room as usize].members_here += 1;
        self.shared.progress.joined.fetch_add(1, Ordering::Relaxed);
        Some(seat.views.len() - 1)
    }

    fn take_header(
        &mut self,
        place: usize,
        view: usize,
        record: &RecordIn<'_>,
        claims: &mut Vec<Claim>,
        cursors: &mut Vec<Cursors>,
    ) {
        let last = record.last_message_nr.unwrap_or(0);
        if let Some(forward) = record.fw_message_nr {
            let view_of = &mut self.seats[place].views[view];
            if let Some(backward) = record.bw_message_nr {
                // What lies before the first slot ever shown is older than the session's place in the conversation.
                let is_new = view_of.edge() == 0;
                let before = backward.saturating_sub(1);
                let is_gap = if is_new { view_of.skip_to(before) } else { view_of.show_gap(before) };
                self.tally.counts.shown_gaps += u64::from(is_gap);
            }
            cursors.push(Cursors { view, forward, last });
        }
        if let (Some(last), Some(read), Some(unread)) =
            (record.last_message_nr, record.read_message_nr, record.unread_count)
        {
            claims.push(Claim { view, last, read, unread });
        }
    }

    /// After the frame's messages: what they leave open up to the newest slot has to be asked for.
    fn take_cursors(&mut self, place: usize, cursors: &Cursors) {
        let Cursors { view, forward, last } = *cursors;
        let is_first = !self.seats[place].was_live;
        let view = &mut self.seats[place].views[view];
        // Revisions before somebody's first sync show in the messages that they changed.
        if is_first || self.shared.scenario.replays_revised() {
            view.loaded(forward);
            view.skip_to(forward);
        }
        self.tally.counts.shown_gaps += u64::from(view.show_gap(last));
    }

    fn check_claim(&mut self, place: usize, claim: &Claim) {
        let Claim { view, last, read, unread } = *claim;
        let view = &self.seats[place].views[view];
        if !self.rooms.is_unread_right(view, last, read, unread) {
            let id = self.rooms.all[view.room as usize].id;
            self.tally.counts.drifts += 1;
            self.tally.example(format!(
                "{id}: unread_count {unread} between {read} and {last} is not what was sent"
            ));
        }
    }

    fn take_message(&mut self, place: usize, record: &RecordIn<'_>, now_us: u64) {
        let Some(message_nr) = record.message_nr else {
            return;
        };
        let Some(at) = self.view(place, record) else {
            return;
        };
        let slot = record.flow_message_nr.unwrap_or(message_nr);
        let is_revision = slot != message_nr;
        let told = wire::read_text(&self.shared.run, &record.message);
        let told = told.filter(|told| told.sequence <= SEQUENCE_MAX);
        let shown = Shown {
            slot,
            sequence: told.map(|told| told.sequence),
            inbox: record.inbox_nr.filter(|_| !is_revision),
            is_replayed: self.is_repeating && self.shared.scenario.replays_revised(),
        };
        let seat = &mut self.seats[place];
        let is_live = seat.stage == Stage::Live;
        // A revision that changes no text shows a text that was delivered before.
        let news = told.filter(|told| is_revision == (told.mark == Mark::Edit));
        let booked = self.rooms.book(&mut seat.views[at], shown);
        let is_own = record.account_id == Some(self.shared.accounts[seat.session as usize].account_id);
        // Whoever catches up, or does not read, is late by his own fault.
        let is_timed = !self.is_repeating && !seat.is_slow && !seat.was_slow;
        let news = news.filter(|_| is_timed);
        let (room, session) = (seat.views[at].room, seat.session);
        let what = match booked {
            Booked::Next(is_everywhere) => {
                self.delivered(news, is_own, is_everywhere, now_us);
                return;
            }
            Booked::Loaded(is_everywhere) => {
                self.delivered(news, is_own, is_everywhere, now_us);
                return;
            }
            Booked::Late(is_everywhere) => {
                self.delivered(news, is_own, is_everywhere, now_us);
                self.tally.counts.reorders += u64::from(is_live);
                "came after a later one"
            }
            Booked::Again => {
                let counts = &mut self.tally.counts;
                *if self.is_repeating { &mut counts.repeats } else { &mut counts.doubled } += 1;
                "came again"
            }
            Booked::Conflict => {
                self.tally.counts.conflicts += 1;
                "has two contents, or two numbers"
            }
        };
        if !self.is_repeating {
            let id = self.rooms.all[room as usize].id;
            self.tally.example(format!("{id}: slot {slot} {what} at session {session}"));
        }
    }

    fn delivered(&mut self, told: Option<Told>, is_own: bool, is_everywhere: bool, now_us: u64) {
        self.tally.counts.deliveries += 1;
        self.shared.progress.deliveries.fetch_add(1, Ordering::Relaxed);
        let Some(Told { mark, intended_us, .. }) = told else {
            return;
        };
        let kind = match mark {
            Mark::Post => Kind::Post,
            Mark::Edit => Kind::Edit,
            Mark::Task => Kind::Task,
        };
        let intended_us = self.begin_us + intended_us;
        let took_us = now_us.saturating_sub(intended_us);
        if !is_own {
            self.recent.record(took_us);
        }
        if !self.is_measured(intended_us) {
            return;
        }
        if !is_own {
            self.delivery_times.entry(kind).or_default().record(took_us);
        }
        if is_everywhere {
            self.tally.last_deliveries.record(took_us);
        }
    }

    fn take_answer(&mut self, place: usize, request: &RequestIn<'_>, now_us: u64) {
        let sequence = wire::sequence_of(self.shared.run_key, request.client_req_id);
        let Some((sequence, (_, pending))) =
            sequence.and_then(|sequence| Some((sequence, self.pending.remove(&sequence)?)))
        else {
            return;
        };
        let progress = &self.shared.progress;
        progress.pending.fetch_sub(1, Ordering::Relaxed);
        progress.answered.fetch_add(1, Ordering::Relaxed);
        let is_done = request.status_code == 200;
        if !is_done {
            progress.refused.fetch_add(1, Ordering::Relaxed);
            self.tally.counts.refused += 1;
            let RequestIn { status_code, error_id, error_message, .. } = request;
            self.tally.example(format!(
                "{} was refused with {status_code} {error_id} {error_message}",
                pending.name()
            ));
        }
        match pending {
            Pending::Creation { conversation, named, .. } => {
                let id = request.identifier.conversation_id.filter(|_| is_done);
                self.created(place, conversation, named, id);
            }
            Pending::Activation { .. } => {}
            Pending::Loading { room, from, .. } => self.load_on(place, room, from),
            Pending::Event { kind, intended_us, writer, .. } => {
                if is_done {
                    self.tally.counts.answered += 1;
                    self.remember(kind, writer, request);
                    if matches!(kind, Kind::Post | Kind::Task) {
                        self.check_answer(place, sequence, request);
                    }
                    if self.is_measured(intended_us) {
                        let took_us = now_us.saturating_sub(intended_us);
                        self.answer_times.entry(kind).or_default().record(took_us);
                    }
                }
                self.answered(writer);
            }
        }
    }

    /// What a writer has written can be edited, locked or done later.
    fn remember(&mut self, kind: Kind, writer: u32, request: &RequestIn<'_>) {
        let Some(message_nr) = request.identifier.message_nr else {
            return;
        };
        self.writers[writer as usize].said(kind, message_nr);
    }

    /// A session has the effect of its own event no later than its answer, under the number that the answer says.
    fn check_answer(&mut self, place: usize, sequence: u32, request: &RequestIn<'_>) {
        let identifier = &request.identifier;
        let Some((id, message_nr)) = identifier.conversation_id.zip(identifier.message_nr) else {
            return;
        };
        let seat = &self.seats[place];
        let view = self.rooms.find(id).and_then(|room| Some(&seat.views[seat.view(room)?]));
        let has = view.is_some_and(|view| {
            u64::from(view.edge()) >= message_nr && self.rooms.stands(view.room, message_nr, sequence)
        });
        if !has {
            self.tally.counts.lost += 1;
            self.tally.example(format!(
                "{id}: event {sequence}, answered as {message_nr}, is not there for its author"
            ));
        }
    }

    /// What is missing when nothing is under way any more.
    pub(super) fn judge(&mut self) {
        let scenario = &self.shared.scenario;
        let mut expected: Vec<(usize, Uuid)> = Vec::new();
        for conversation in 0..scenario.conversations {
            if let Some(id) = self.shared.conversation_id(conversation as u32) {
                let here = scenario.online_members(conversation).filter_map(|session| self.place(session));
                expected.extend(here.map(|place| (place, id)));
            }
        }
        for (place, id) in expected {
            let seat = &self.seats[place];
            if seat.stage != Stage::Live {
                continue;
            }
            let room = self.rooms.find(id);
            let here = room.map_or(0, |room| self.rooms.all[room as usize].top());
            let top = here.max(self.shared.top(id));
            let view = room.and_then(|room| seat.view(room)).map(|view| &seat.views[view]);
            let (edge, missing) = view.map_or((0, 0), |view| (view.edge(), view.missing()));
            let behind = u64::from(top.saturating_sub(edge));
            self.tally.counts.gaps += missing;
            self.tally.counts.lost += behind;
            if missing + behind > 0 {
                let session = seat.session;
                self.tally.example(format!(
                    "{id}: session {session} lacks {missing} slots up to {edge}, and {behind} up to {top}"
                ));
            }
        }
    }
}
