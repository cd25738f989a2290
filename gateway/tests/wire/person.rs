//! A person of a scenario: his session over one of the transports, and the records that he was pushed.
//!
//! Not here: what he should have been pushed ([`crate::play`]).

use crate::complaint::Complaint;
use rill_loadtest::failure::Failure;
use rill_loadtest::picture::Picture;
use rill_loadtest::poll::PollSession;
use rill_loadtest::record::{Record, flag, kind};
use rill_loadtest::session::{ANSWER_WAIT, Answer, Event, Session};
use rill_loadtest::socket::Socket;
use rill_loadtest::user::User;
use serde_json::{Value, json};
use std::fmt;
use std::time::{Duration, Instant};

/// How a scenario's people talk to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// `GET /api/ws`.
    WebSocket,
    /// `event/store` and `account/poll`.
    LongPoll,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "a WebSocket",
            Self::LongPoll => "long poll",
        })
    }
}

/// An id that belongs to nothing.
const NOBODYS_ID: &str = "00000000-0000-4000-8000-000000000000";

enum Line {
    Socket(Box<Socket>),
    Poll(Box<PollSession>),
}

/// What a client holds that has gone away.
pub(crate) struct Parting {
    picture: Picture,
    has_dropped: bool,
}

/// One login of an account.
pub(crate) struct Person {
    name: String,
    transport: Transport,
    pub(crate) user: User,
    line: Option<Line>,
    /// The picture while he is not connected.
    parked: Picture,
    inbox: Vec<Record>,
    /// Where in the inbox the next match may lie.
    next: usize,
    /// What his own calls were answered with: a poll brings it again, and that is no news.
    echoes: Vec<Record>,
    last_event: Option<Event>,
    /// He asked for a header that lets a client drop what it holds of a conversation, activity included.
    pub(crate) has_dropped: bool,
    pings: i64,
    has_logged_out: bool,
    /// His account is closed.
    pub(crate) is_gone: bool,
}

impl Person {
    /// Connects for the first time.
    pub(crate) fn arrive(name: &str, user: User, transport: Transport) -> Result<Self, Complaint> {
        let mut person = Self::parked(name, user, transport, Picture::at(0));
        person.connect()?;
        Ok(person)
    }

    /// Not connected, with a picture.
    fn parked(name: &str, user: User, transport: Transport, parked: Picture) -> Self {
        Self {
            name: name.to_owned(),
            transport,
            user,
            line: None,
            parked,
            inbox: Vec::new(),
            next: 0,
            echoes: Vec::new(),
            last_event: None,
            has_dropped: false,
            pings: 0,
            has_logged_out: false,
            is_gone: false,
        }
    }

    /// Connects with the picture and the horizon that he has.
    pub(crate) fn connect(&mut self) -> Result<(), Complaint> {
        if self.line.is_some() {
            return Ok(());
        }
        if self.has_logged_out {
            self.user = User::login(self.user.base_url(), &self.user.email, &self.user.password)?;
            self.has_logged_out = false;
        }
        let picture = std::mem::take(&mut self.parked);
        self.line = Some(match self.transport {
            Transport::WebSocket => Line::Socket(Box::new(self.user.reconnect(picture)?)),
            Transport::LongPoll => Line::Poll(Box::new(self.user.poll_again(picture)?)),
        });
        Ok(())
    }

    /// The picture as it is at this moment, as a client keeps it that goes away without a word and is the same person's.
    pub(crate) fn left_here(&mut self) -> Result<Parting, Complaint> {
        let has_dropped = self.has_dropped;
        Ok(Parting { picture: self.picture()?.clone(), has_dropped })
    }

    /// His connection breaks; the server is not told.
    pub(crate) fn break_off(&mut self) {
        match self.line.take() {
            Some(Line::Socket(socket)) => self.parked = socket.abandon(),
            Some(Line::Poll(poll)) => self.parked = poll.close(),
            None => {}
        }
    }

    /// The same login, with what a client held that went away earlier.
    pub(crate) fn as_of(&self, parting: Parting) -> Self {
        let parked = parting.picture;
        Self {
            has_logged_out: self.has_logged_out,
            has_dropped: parting.has_dropped,
            ..Self::parked(&self.name, self.user.clone(), self.transport, parked)
        }
    }

    /// Goes away and keeps the picture. An HTTP session ends by logging out: without that the server keeps it for a while.
    pub(crate) fn disconnect(&mut self) -> Result<(), Complaint> {
        match self.line.take() {
            Some(Line::Socket(socket)) => self.parked = socket.close(),
            Some(Line::Poll(poll)) => {
                self.parked = poll.close();
                let path = "/api/account/logout";
                self.user.http_post(path, json!({}))?.ok(path)?;
                self.has_logged_out = true;
            }
            None => {}
        }
        Ok(())
    }

    /// His login ends from outside: the socket is closed with 1008, polls are answered with 401.
    pub(crate) fn is_cut_off(&mut self) -> Result<(), Complaint> {
        let ended = match self.line.take() {
            Some(Line::Socket(mut socket)) => {
                let (code, reason) = socket.wait_closed(ANSWER_WAIT)?;
                self.parked = socket.abandon();
                (code == 1008).then_some(()).ok_or_else(|| format!("{code} {reason}"))
            }
            Some(Line::Poll(mut poll)) => loop {
                match poll.poll(true) {
                    Err(Failure::Http { status: 401, .. }) => {
                        self.parked = poll.close();
                        break Ok(());
                    }
                    Err(failure) => break Err(failure.to_string()),
                    Ok(_) => {}
                }
            },
            None => Err("he is not connected".to_owned()),
        };
        self.has_logged_out = true;
        ended.map_err(|got| Complaint::new("the end of the login", got))
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.line.is_some()
    }

    pub(crate) fn session(&mut self) -> Result<&mut dyn Session, Complaint> {
        match &mut self.line {
            Some(Line::Socket(socket)) => Ok(socket.as_mut()),
            Some(Line::Poll(poll)) => Ok(poll.as_mut()),
            None => Err(Complaint::new(format!("{} to be connected", self.name), "he is not")),
        }
    }

    pub(crate) fn picture(&mut self) -> Result<&Picture, Complaint> {
        Ok(self.session()?.picture())
    }

    /// Submits an event, or his last one's repetition, and waits for the answer. What comes meanwhile goes to the inbox.
    pub(crate) fn ask(&mut self, urn: &str, params: Value, is_repeat: bool) -> Result<Answer, Complaint> {
        let event = match (&self.last_event, is_repeat) {
            (Some(last), true) => Event::with_id(last.client_req_id, urn, params),
            (_, _) => Event::new(urn, params),
        };
        self.last_event = Some(event.clone());
        let wanted = event.client_req_id.to_string();
        let answer = match &mut self.line {
            Some(Line::Socket(socket)) => {
                let (answer, pushed) = over_socket(socket, &event, &wanted)?;
                self.inbox.extend(pushed);
                answer
            }
            Some(Line::Poll(poll)) => {
                let answer = poll.request_events(std::slice::from_ref(&event))?.pop();
                let answer = answer.ok_or_else(|| Complaint::new("a request record", "none"))?;
                self.echoes.extend(answer.stream.iter().cloned());
                answer
            }
            None => {
                return Err(Complaint::new(format!("{} to be connected", self.name), "he is not"));
            }
        };
        self.has_dropped |= answer.stream.iter().any(|record| flag(record, "is_init"));
        if answer.client_req_id() != wanted {
            let got = Value::Object(answer.request).to_string();
            return Err(Complaint::new(format!("the answer to {wanted}"), got));
        }
        Ok(answer)
    }

    /// Waits up to `wait` for something to come.
    pub(crate) fn receive(&mut self, wait: Duration) -> Result<(), Complaint> {
        let records = self.session()?.receive(wait)?;
        self.take_in(records);
        Ok(())
    }

    fn take_in(&mut self, records: Vec<Record>) {
        for record in records {
            if kind(&record) == "request" {
                continue;
            }
            match self.echoes.iter().position(|echo| *echo == record) {
                Some(at) => drop(self.echoes.remove(at)),
                None => self.inbox.push(record),
            }
        }
    }

    /// Takes in everything that was done before this call: each conversation's owner answers a question behind it, and so does
    /// his account's, and what the session is sent comes in order.
    pub(crate) fn settle(&mut self, conversation_ids: &[String]) -> Result<(), Complaint> {
        let last_event = self.last_event.take();
        self.question(conversation_ids)?;
        // What another owner has told his account comes before the first of these, and what that means for him before the second.
        for _ in 0..2 {
            // A refusal waits for what is not durable yet, and brings nothing.
            self.ask("my_message:archive", json!({ "message_id": NOBODYS_ID }), false)?;
        }
        // It may have asked conversations to tell him.
        self.question(conversation_ids)?;
        self.last_event = last_event;
        self.pings += 1;
        match &mut self.line {
            Some(Line::Socket(socket)) => {
                socket.send_text(&json!({"ping": self.pings}).to_string())?;
                let start = Instant::now();
                loop {
                    let frame = socket.next_frame(left(start, "pong")?)?;
                    let is_pong = frame.raw.get("pong").and_then(Value::as_i64) == Some(self.pings);
                    self.inbox.extend(frame.stream);
                    if is_pong {
                        return Ok(());
                    }
                }
            }
            Some(Line::Poll(_)) => loop {
                let records = self.poll_at_once()?;
                if records.is_empty() {
                    return Ok(());
                }
                self.take_in(records);
            },
            None => Ok(()),
        }
    }

    /// There is no message 0: a refusal brings nothing that would touch the picture.
    fn question(&mut self, conversation_ids: &[String]) -> Result<(), Complaint> {
        for conversation_id in conversation_ids {
            let params = json!({"conversation_id": conversation_id, "message_nr": 0});
            self.ask("message:load_context", params, false)?;
        }
        Ok(())
    }

    /// Takes in what conversations have told the account, which tells its sessions: the first question is answered when it
    /// has taken that in, the second when it has told it.
    pub(crate) fn settle_account(&mut self) -> Result<(), Complaint> {
        let path = "/api/account/sync";
        for _ in 0..2 {
            self.user.http_post(path, json!({}))?.ok(path)?;
        }
        self.settle(&[])
    }

    fn poll_at_once(&mut self) -> Result<Vec<Record>, Complaint> {
        match &mut self.line {
            Some(Line::Poll(poll)) => Ok(poll.poll(false)?),
            Some(Line::Socket(_)) | None => Ok(Vec::new()),
        }
    }

    /// What he was pushed and nobody has asked about yet, from the place where the next match may lie.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = (usize, &Record)> {
        self.inbox.iter().enumerate().skip(self.next)
    }

    /// Takes one of them out; later lines look behind it.
    pub(crate) fn take(&mut self, at: usize) {
        self.inbox.remove(at);
        self.next = at;
    }

    /// Everything that nobody has asked about.
    pub(crate) fn inbox(&self) -> &[Record] {
        &self.inbox
    }

    pub(crate) fn forget(&mut self) {
        self.inbox.clear();
        self.echoes.clear();
        self.next = 0;
    }
}

fn left(start: Instant, what: &str) -> Result<Duration, Failure> {
    let left = ANSWER_WAIT.checked_sub(start.elapsed());
    left.ok_or_else(|| Failure::timed_out(what, ANSWER_WAIT))
}

/// The answer, and the records that were pushed before it.
fn over_socket(socket: &mut Socket, event: &Event, wanted: &str) -> Result<(Answer, Vec<Record>), Failure> {
    socket.submit_events(std::slice::from_ref(event))?;
    let (start, mut pushed) = (Instant::now(), Vec::new());
    loop {
        let frame = socket.next_frame(left(start, "answer")?)?;
        let Some(request) = frame.requests.into_iter().next() else {
            pushed.extend(frame.stream);
            continue;
        };
        let answer = Answer { request, stream: frame.stream };
        if answer.client_req_id() != wanted {
            let what = format!("an answer to {} came first", answer.client_req_id());
            return Err(Failure::Broken(what));
        }
        return Ok((answer, pushed));
    }
}
