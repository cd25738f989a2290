//! One person who writes as fast as the answers come, is cut off, comes back and resends what was not answered.
//!
//! Not here: whether what was answered is there in the end ([`super::audit`]).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rill_loadtest::failure::Failure;
use rill_loadtest::picture::Picture;
use rill_loadtest::poll::PollSession;
use rill_loadtest::record::{flag, number};
use rill_loadtest::session::{Answer, Event, Session};
use rill_loadtest::socket::Socket;
use rill_loadtest::user::User;
use serde_json::json;

use crate::rng::Rng;

/// Events under way on a socket.
const IN_FLIGHT: usize = 8;
/// The most events of one frame.
const FRAME_EVENTS: usize = 3;
/// How long a way back is looked for.
const RETURN_WAIT: Duration = Duration::from_secs(60);
/// The pause between two tries to connect to a process that is not there.
const TRY_INTERVAL: Duration = Duration::from_millis(5);
/// The pause before an event is tried again that the server could not carry out just now.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long somebody does not read who is to stop for a while.
const NAP: Duration = Duration::from_secs(3);
/// What a server says that cannot carry out something just now.
const UNAVAILABLE: u64 = 503;
/// How many of the own messages may still be edited.
const EDITABLE: usize = 20;

/// What an event is to have for an effect.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    /// A message that begins with this token, which no other has.
    Post { conversation_id: String, token: String },
    /// Another text for an own message.
    Edit { conversation_id: String, message_nr: u64, text: String },
    /// Everything up to there is read.
    Mark { conversation_id: String, message_nr: u64 },
    /// Somebody is a member.
    Add { conversation_id: String, account_id: String },
}

/// An event that was answered with 200.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) wish: Wish,
    /// The number that the answer named.
    pub(super) message_nr: Option<u64>,
}

/// How the writer is connected.
enum Line {
    Socket(Box<Socket>),
    Poll(Box<PollSession>),
    Down(Picture),
}

/// What all writers tell, and are told.
#[derive(Default)]
pub(super) struct Progress {
    /// Events that were answered.
    pub(super) answered: AtomicU64,
    /// Nobody is to begin anything more.
    pub(super) is_over: AtomicBool,
    /// So many are to stop reading for a while, whoever comes first.
    pub(super) tired: AtomicU64,
}

impl Progress {
    /// Whether somebody who asks is to stop reading for a while.
    fn tires_one(&self) -> bool {
        let one_less = |tired: u64| tired.checked_sub(1);
        self.tired.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

/// Where a writer may connect, and what he has to bear with.
pub(super) struct Surroundings {
    /// The servers. Whoever loses his connection to one goes to the next.
    pub(super) urls: Vec<String>,
    /// Whether a connection may end like this.
    pub(super) may_end: fn(&Failure) -> bool,
    /// Whether a server may say that it cannot carry out something just now: then it is tried again under the same id.
    pub(super) may_be_unavailable: bool,
    /// The longest pause between two frames of a writer; the actual ones are drawn.
    pub(super) pause_max_ms: usize,
}

pub(super) struct Writer {
    index: usize,
    around: Surroundings,
    /// How often the server was changed.
    moves: usize,
    pub(super) user: User,
    polls: bool,
    rng: Rng,
    everybody: Vec<String>,
    line: Line,
    unanswered: VecDeque<(Event, Wish)>,
    editable: VecDeque<(String, u64, String)>,
    count: u64,
    pub(super) done: Vec<Done>,
    pub(super) violations: Vec<String>,
}

impl Writer {
    pub(super) fn new(
        index: usize,
        user: User,
        polls: bool,
        rng: Rng,
        everybody: Vec<String>,
        around: Surroundings,
    ) -> Self {
        let mut writer = Self {
            index,
            around,
            moves: 0,
            user,
            polls,
            rng,
            everybody,
            line: Line::Down(Picture::at(0)),
            unanswered: VecDeque::new(),
            editable: VecDeque::new(),
            count: 0,
            done: Vec::new(),
            violations: Vec::new(),
        };
        writer.come_back();
        writer
    }

    /// Who it is, for whoever reads what went wrong.
    pub(super) fn name(&self) -> String {
        format!("writer {} by {}", self.index, if self.polls { "poll" } else { "socket" })
    }

    /// The open session, while there is one.
    pub(super) fn session(&mut self) -> Option<&mut dyn Session> {
        match &mut self.line {
            Line::Socket(socket) => Some(socket.as_mut()),
            Line::Poll(poll) => Some(poll.as_mut()),
            Line::Down(_) => None,
        }
    }

    /// Writes until the connection ends, which is to be the process's death, or everything is over.
    pub(super) fn write_until_it_breaks(&mut self, progress: &Progress) {
        while !progress.is_over.load(Ordering::Relaxed) {
            if progress.tires_one() {
                std::thread::sleep(NAP);
            }
            let outcome = match &self.line {
                Line::Socket(_) => self.write_pipelined(),
                Line::Poll(_) => self.write_and_poll(),
                Line::Down(_) => return,
            };
            let rested = outcome.and_then(|count| {
                progress.answered.fetch_add(count, Ordering::Relaxed);
                self.rest()
            });
            if let Err(failure) = rested {
                self.hang_up(&failure);
                return;
            }
        }
    }

    /// A while without writing. Who has a socket reads meanwhile.
    fn rest(&mut self) -> Result<(), Failure> {
        let end = Instant::now() + Duration::from_millis(self.rng.below(self.around.pause_max_ms + 1) as u64);
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            match &mut self.line {
                _ if rest.is_zero() => return Ok(()),
                Line::Socket(socket) => drop(socket.receive(rest)?),
                Line::Poll(_) | Line::Down(_) => std::thread::sleep(rest),
            }
        }
    }

    pub(super) fn hang_up(&mut self, failure: &Failure) {
        if !(self.around.may_end)(failure) {
            self.violations.push(format!("{}: {failure}", self.name()));
        }
        let line = std::mem::replace(&mut self.line, Line::Down(Picture::at(0)));
        self.line = Line::Down(match line {
            Line::Socket(socket) => socket.abandon(),
            Line::Poll(poll) => poll.close(),
            Line::Down(picture) => picture,
        });
    }

    /// Comes back with the last horizon and has everything answered that was not.
    pub(super) fn come_back(&mut self) {
        let start = Instant::now();
        while start.elapsed() < RETURN_WAIT {
            match self.connect_again().and_then(|()| self.resend()) {
                Ok(()) => return,
                Err(failure) => self.hang_up(&failure),
            }
            std::thread::sleep(TRY_INTERVAL);
        }
        self.violations.push(format!("{} did not get back within {RETURN_WAIT:?}", self.name()));
    }

    fn connect_again(&mut self) -> Result<(), Failure> {
        let Line::Down(picture) = &self.line else { return Ok(()) };
        let url = &self.around.urls[(self.index + self.moves) % self.around.urls.len()];
        self.user = self.user.at(url);
        self.moves += 1;
        // A copy, because a try that fails half-way leaves nothing to go on with.
        let picture = picture.clone();
        self.line = if self.polls {
            Line::Poll(Box::new(self.user.poll_again(picture)?))
        } else {
            Line::Socket(Box::new(self.user.reconnect(picture)?))
        };
        Ok(())
    }

    fn resend(&mut self) -> Result<(), Failure> {
        if let Line::Socket(socket) = &mut self.line {
            for (event, _) in &self.unanswered {
                socket.submit_events(std::slice::from_ref(event))?;
            }
            while !self.unanswered.is_empty() {
                self.take_first_answer()?;
            }
        }
        while matches!(self.line, Line::Poll(_)) && !self.unanswered.is_empty() {
            self.request_unanswered()?;
        }
        Ok(())
    }

    /// Begins nothing more, and has everything answered that was begun.
    pub(super) fn come_to_rest(&mut self) {
        while matches!(self.line, Line::Socket(_)) && !self.unanswered.is_empty() {
            if let Err(failure) = self.take_first_answer() {
                self.hang_up(&failure);
            }
        }
        self.come_back();
    }

    fn write_pipelined(&mut self) -> Result<u64, Failure> {
        while self.unanswered.len() < IN_FLIGHT {
            let events = self.next_events();
            if events.is_empty() {
                break;
            }
            if let Line::Socket(socket) = &mut self.line {
                socket.submit_events(&events)?;
            }
        }
        self.take_first_answer()?;
        Ok(1)
    }

    fn take_first_answer(&mut self) -> Result<(), Failure> {
        let first = self.unanswered.front().map(|(event, _)| event.client_req_id);
        if let (Line::Socket(socket), Some(id)) = (&mut self.line, first) {
            let answer = socket.answer(id)?;
            let again = self.book(&answer);
            if let (Line::Socket(socket), Some(event)) = (&mut self.line, again) {
                socket.submit_events(&[event])?;
            }
        }
        Ok(())
    }

    fn write_and_poll(&mut self) -> Result<u64, Failure> {
        if self.unanswered.is_empty() {
            self.next_events();
        }
        let count = self.request_unanswered()?;
        if let Line::Poll(poll) = &mut self.line {
            poll.poll(false)?;
        }
        Ok(count)
    }

    fn request_unanswered(&mut self) -> Result<u64, Failure> {
        let events: Vec<Event> = self.unanswered.iter().map(|(event, _)| event.clone()).collect();
        let Line::Poll(poll) = &mut self.line else { return Ok(0) };
        if events.is_empty() {
            return Ok(0);
        }
        let answers = poll.request_events(&events)?;
        for answer in &answers {
            self.book(answer);
        }
        Ok(answers.len() as u64)
    }

    /// Books the answer to the first unanswered event. Gives the event when it is to be tried again; it is the last unanswered one then.
    fn book(&mut self, answer: &Answer) -> Option<Event> {
        let (event, wish) = self.unanswered.pop_front()?;
        if self.around.may_be_unavailable && answer.status_code() == UNAVAILABLE {
            std::thread::sleep(AGAIN_AFTER);
            self.unanswered.push_back((event.clone(), wish));
            return Some(event);
        }
        if answer.client_req_id() != event.client_req_id.to_string() || !answer.is_done() {
            let request = serde_json::Value::Object(answer.request.clone());
            self.violations.push(format!("{}: {} {} got {request}", self.name(), event.urn, event.params));
            return None;
        }
        let message_nr = answer.message_nr();
        if let (Wish::Post { conversation_id, token }, Some(message_nr)) = (&wish, message_nr) {
            self.editable.push_back((conversation_id.clone(), message_nr, token.clone()));
            self.editable.truncate(EDITABLE);
        }
        self.done.push(Done { wish, message_nr });
        None
    }

    /// The events of one more frame, which count as unanswered from now on.
    fn next_events(&mut self) -> Vec<Event> {
        let count = 1 + self.rng.below(FRAME_EVENTS);
        let drawn: Vec<(Event, Wish)> = (0..count).filter_map(|_| self.next_event()).collect();
        self.unanswered.extend(drawn.iter().cloned());
        drawn.into_iter().map(|(event, _)| event).collect()
    }

    fn next_event(&mut self) -> Option<(Event, Wish)> {
        let open = self.open_conversations();
        if open.is_empty() {
            return None;
        }
        let (conversation_id, last) = self.rng.pick(&open).clone();
        self.count += 1;
        let nonce = format!("{}-{}", self.index, self.count);
        let chance = self.rng.below(100);
        if chance < 2 {
            let account_id = self.rng.pick(&self.everybody.clone()).clone();
            let params = json!({"conversation_id": conversation_id, "account_ids": [account_id]});
            return Some((Event::new("conv:add_members", params), Wish::Add { conversation_id, account_id }));
        }
        if chance < 12 {
            let params = json!({"conversation_id": conversation_id, "show_message_nr": last});
            return Some((
                Event::new("conv:mark_read", params),
                Wish::Mark { conversation_id, message_nr: last },
            ));
        }
        if chance < 25
            && let Some((conversation_id, message_nr, token)) = self.next_editable()
        {
            let text = format!("post {token} edited {nonce} end");
            let params =
                json!({"conversation_id": conversation_id, "message_nr": message_nr, "message": text});
            self.editable.push_back((conversation_id.clone(), message_nr, token));
            return Some((
                Event::new("message:edit", params),
                Wish::Edit { conversation_id, message_nr, text },
            ));
        }
        let params = json!({"conversation_id": conversation_id, "message": format!("post {nonce} end")});
        Some((Event::new("message:add_plain", params), Wish::Post { conversation_id, token: nonce }))
    }

    /// An own message that is not being edited: which of two edits under way comes last is nobody's promise.
    fn next_editable(&mut self) -> Option<(String, u64, String)> {
        let (id, nr, token) = self.editable.pop_front()?;
        let is_of = |wish: &Wish| matches!(wish, Wish::Edit { conversation_id, message_nr, .. } if (conversation_id, message_nr) == (&id, &nr));
        if self.unanswered.iter().any(|(_, wish)| is_of(wish)) {
            self.editable.push_back((id, nr, token));
            return None;
        }
        Some((id, nr, token))
    }

    /// Where the writer may write, with the last message that he may call read.
    fn open_conversations(&mut self) -> Vec<(String, u64)> {
        let Some(session) = self.session() else { return Vec::new() };
        let picture = session.picture();
        let ids = picture.conversation_ids().into_iter();
        ids.filter_map(|id| {
            let conv = picture.conv(&id).filter(|conv| flag(conv, "can_post"))?;
            Some((id.clone(), number(conv, "show_message_nr").unwrap_or(1)))
        })
        .collect()
    }
}

/// The answer to a read mark of a client that lags is a conversation in its tiny form, which drops the activity held
/// (conversations.md §6.4), so what is left of it depends on when the writer marked.
pub(super) fn is_dropped_activity(line: &str) -> bool {
    line.starts_with("activity ")
}

/// What a writer's picture and a fresh sync do not agree on, as far as both hold it.
pub(super) fn shallow_differences(writer: &mut Writer) -> Result<Vec<String>, Failure> {
    let Some(session) = writer.session() else { return Ok(Vec::new()) };
    session.settle()?;
    let fresh = session.user().connect(0)?;
    // What came while the fresh sync was under way is in it as well.
    session.settle()?;
    let mut lines = session.picture().difference(fresh.picture());
    // A sync brings only the newest messages; the whole conversations are compared in the end.
    let is_window = |line: &String| line.starts_with("message ") && line.contains(": only in the ");
    lines.retain(|line| !is_dropped_activity(line) && !is_window(line));
    Ok(lines)
}
