//! A server just large enough to try the client and the load on, and able to break each promise on order.
//!
//! Owns: a few routes, three events, one log of records per account. Not here: rules, durability, any other truth about the real server.

mod tests;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::{Message, WebSocket};
use uuid::Uuid;

/// The promise that is to be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// One push never leaves.
    Drop,
    /// Two pushes change places.
    Swap,
    /// One message takes effect twice.
    Twice,
    /// One push leaves twice. A client takes it for harmless, but on a live connection nothing calls for it.
    Repeat,
    /// One session is closed in the middle.
    Close,
}

/// The message number at which the fault strikes.
const FAULT_NR: u64 = 5;

/// How many of the newest messages a sync brings; the rest is loaded backward.
const WINDOW: usize = 3;

#[derive(Debug)]
struct Account {
    id: String,
    email: String,
    token: String,
    ticket: String,
    /// What its sessions are to be sent, each with the request that caused it.
    log: Vec<(String, Vec<Value>)>,
}

#[derive(Debug)]
struct Conversation {
    id: String,
    members: Vec<usize>,
    messages: Vec<Value>,
    read: Vec<u64>,
}

#[derive(Debug)]
struct World {
    accounts: Vec<Account>,
    conversations: Vec<Conversation>,
    fault: Fault,
}

/// Frames held back by [`Fault::Swap`], with their conversations.
type Held = Vec<(Value, String)>;

type Shared = Arc<Mutex<World>>;

/// Starts a fake server for the rest of the test process and gives its address.
pub(crate) fn start(fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let world = Arc::new(Mutex::new(World { accounts: Vec::new(), conversations: Vec::new(), fault }));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let world = Arc::clone(&world);
            std::thread::spawn(move || serve(&stream, &world));
        }
    });
    url
}

fn serve(stream: &TcpStream, world: &Shared) {
    let mut first = [0];
    while stream.peek(&mut first).is_ok_and(|read| read == 1) {
        if first[0] == b'G' {
            return socket(stream.try_clone().unwrap(), world);
        }
        if http(stream, world).is_none() {
            return;
        }
    }
}

/// One request; none when the connection is over.
fn http(mut stream: &TcpStream, world: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let before = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        let line = head[before..].to_ascii_lowercase();
        length = line.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let token = head.split("token_id=").nth(1).and_then(|rest| rest.split(['\r', ';']).next());
    let (status, cookie, answer) = route(world, &path, token, &body);
    let answer = answer.to_string();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{cookie}\r\n", answer.len());
    stream.write_all(format!("{head}{answer}").as_bytes()).ok()
}

fn route(world: &Shared, path: &str, token: Option<&str>, body: &Value) -> (u16, String, Value) {
    let mut locked = world.lock().unwrap();
    let place = locked.accounts.iter().position(|account| Some(account.token.as_str()) == token);
    match (path, place) {
        ("/api/account/register", _) => {
            let email = body["email"].as_str().unwrap().to_owned();
            if locked.accounts.iter().any(|account| account.email == email) {
                return (431, String::new(), json!({"error_message": "Account already active"}));
            }
            let [id, token, ticket] = [(); 3].map(|()| Uuid::new_v4().to_string());
            locked.accounts.push(Account { id, email, token, ticket, log: Vec::new() });
            (200, String::new(), json!({}))
        }
        ("/api/account/login", _) => {
            let Some(account) =
                locked.accounts.iter().find(|account| body["email"] == account.email.as_str())
            else {
                return (431, String::new(), json!({"error_message": "Incorrect email or password"}));
            };
            let cookie = format!("Set-Cookie: token_id={}; HttpOnly\r\n", account.token);
            (200, cookie, json!({"account_id": account.id, "ticket": account.ticket, "profiles": []}))
        }
        ("/api/event/store", Some(place)) => {
            let events = body["stream"].as_array().unwrap();
            let outcomes: Vec<_> = events.iter().map(|event| locked.carry_out(place, event)).collect();
            let stream: Vec<Value> = outcomes.iter().flat_map(|(_, stream)| stream.clone()).collect();
            let requests: Vec<&Value> = outcomes.iter().map(|(request, _)| request).collect();
            (200, String::new(), json!({"requests": requests, "stream": stream}))
        }
        ("/api/account/poll", Some(place)) => {
            drop(locked);
            (200, String::new(), poll(world, place, body))
        }
        _ => (401, String::new(), json!({"error_message": "Expired token, please relogin"})),
    }
}

fn poll(world: &Shared, place: usize, body: &Value) -> Value {
    let since = usize::try_from(body["event_horizon"].as_i64().unwrap()).unwrap();
    let start = Instant::now();
    loop {
        let locked = world.lock().unwrap();
        let log = &locked.accounts[place].log;
        let horizon = log.len() + 1;
        if since == 0 {
            return json!({"event_horizon": horizon, "stream": locked.sync(place), "sync_progress": 1.0});
        }
        let new: Vec<&Value> = log[since - 1..].iter().flat_map(|(_, records)| records).collect();
        if !new.is_empty() || body["wait"] == false || start.elapsed() > Duration::from_millis(500) {
            return json!({"event_horizon": horizon, "stream": new});
        }
        drop(locked);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[expect(clippy::result_large_err, reason = "the handshake's callback has this form")]
fn socket(stream: TcpStream, world: &Shared) {
    stream.set_nodelay(true).unwrap();
    let mut place = None;
    let check = |request: &Request, response: Response| {
        let cookie = request.headers().get("cookie").and_then(|value| value.to_str().ok()).unwrap_or("");
        let locked = world.lock().unwrap();
        place = locked.accounts.iter().position(|account| cookie == format!("token_id={}", account.token));
        place.map(|_| response).ok_or_else(|| {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = tungstenite::http::StatusCode::UNAUTHORIZED;
            refusal
        })
    };
    let Ok(mut web) = tungstenite::accept_hdr(stream, check) else {
        return;
    };
    let place = place.unwrap();
    let hello: Value = serde_json::from_str(web.read().unwrap().to_text().unwrap()).unwrap();
    let (mut cursor, sync) = {
        let locked = world.lock().unwrap();
        if hello["ticket"] != locked.accounts[place].ticket.as_str() {
            return close(&mut web, 4401);
        }
        let since = usize::try_from(hello["event_horizon"].as_i64().unwrap()).unwrap();
        let log = &locked.accounts[place].log;
        let missed =
            |since: usize| log[since - 1..].iter().flat_map(|(_, records)| records.clone()).collect();
        (log.len(), if since == 0 { locked.sync(place) } else { missed(since) })
    };
    let frame = json!({"stream": sync, "event_horizon": cursor + 1, "sync_progress": 1.0});
    web.send(Message::text(frame.to_string())).unwrap();
    web.get_ref().set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut held = Held::new();
    while exchange(&mut web, world, place, &mut cursor, &mut held).is_some() {}
}

fn close(web: &mut WebSocket<TcpStream>, code: u16) {
    drop(web.close(Some(CloseFrame { code: code.into(), reason: "told to".into() })));
    drop(web.read());
}

/// Reads one frame and sends what is new; none when the connection is over.
fn exchange(
    web: &mut WebSocket<TcpStream>,
    world: &Shared,
    place: usize,
    cursor: &mut usize,
    held: &mut Held,
) -> Option<()> {
    let frame = match web.read() {
        Ok(Message::Text(text)) => Some(serde_json::from_str::<Value>(&text).unwrap_or(Value::Null)),
        Ok(Message::Binary(_)) => {
            close(web, 1003);
            return None;
        }
        Ok(_) => None,
        Err(tungstenite::Error::Io(error))
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
        {
            None
        }
        Err(_) => return None,
    };
    let mut pong = None;
    let mut events = Vec::new();
    if let Some(frame) = frame {
        pong = frame.get("ping").cloned();
        match frame["stream"].as_array() {
            Some(stream) => events.clone_from(stream),
            None if pong.is_some() => {}
            None => {
                close(web, 4400);
                return None;
            }
        }
    }
    // Under one lock, so that nobody's later message gets in front of this session's answer.
    let (own, pushes, fault) = {
        let mut locked = world.lock().unwrap();
        let own: Vec<_> = events.iter().map(|event| locked.carry_out(place, event)).collect();
        (own, locked.accounts[place].log[*cursor..].to_vec(), locked.fault)
    };
    let mut answer = (!own.is_empty()).then(|| {
        let stream: Vec<&Value> = own.iter().flat_map(|(_, stream)| stream).collect();
        let requests: Vec<&Value> = own.iter().map(|(request, _)| request).collect();
        json!({"requests": requests, "stream": stream}).to_string()
    });
    for (cause, records) in &pushes {
        *cursor += 1;
        if own.iter().any(|(request, _)| request["client_req_id"] == cause.as_str()) {
            if let Some(answer) = answer.take() {
                web.send(Message::text(answer)).ok()?;
            }
        } else {
            push(web, fault, records, *cursor + 1, held)?;
        }
    }
    let pong = pong.map(|number| json!({"pong": number}).to_string());
    for text in answer.into_iter().chain(pong) {
        web.send(Message::text(text)).ok()?;
    }
    Some(())
}

/// Sends one push, or does to it what the fault demands.
fn push(
    web: &mut WebSocket<TcpStream>,
    fault: Fault,
    records: &[Value],
    horizon: usize,
    held: &mut Held,
) -> Option<()> {
    let frame = json!({"stream": records, "event_horizon": horizon}).to_string();
    let strikes = records.iter().any(|record| record["message_nr"] == FAULT_NR);
    let conversation_id = records[0]["conversation_id"].clone();
    let mut frames = vec![frame];
    match fault {
        Fault::Drop if strikes => frames.clear(),
        Fault::Repeat if strikes => frames.push(frames[0].clone()),
        Fault::Swap if strikes => held.extend(frames.pop().map(|frame| (conversation_id, frame))),
        Fault::Swap => {
            let late = held.iter().position(|(of, _)| *of == conversation_id);
            frames.extend(late.map(|place| held.swap_remove(place).1));
        }
        Fault::Close if strikes => {
            close(web, 1012);
            return None;
        }
        Fault::None | Fault::Drop | Fault::Repeat | Fault::Twice | Fault::Close => {}
    }
    for frame in frames {
        web.send(Message::text(frame)).ok()?;
    }
    Some(())
}

impl World {
    /// Carries an event out: its request record and what it changed in the caller's view. The others get theirs by their logs.
    fn carry_out(&mut self, place: usize, event: &Value) -> (Value, Vec<Value>) {
        let (id, params) = (event["client_req_id"].as_str().unwrap_or("").to_owned(), &event["params"]);
        let urn = event["mk_event_type"].as_str().unwrap_or("");
        let answer = |status: u16, identifier: Value| {
            json!({"mk_rec_type": "request", "client_req_id": id, "mk_event_type": urn, "status_code": status,
                   "identifier": identifier, "error_id": if status == 200 { "" } else { "not_supported" }})
        };
        let known = self
            .conversations
            .iter()
            .position(|conversation| params["conversation_id"] == conversation.id.as_str());
        match (urn.trim_start_matches("urn:fleep:client:"), known) {
            ("conv:create", _) => {
                let conversation = self.create(place, params);
                self.tell(conversation, &id, true);
                let created = answer(200, json!({"conversation_id": self.conversations[conversation].id}));
                (created, self.init(conversation, place))
            }
            ("message:add_plain", Some(conversation)) => {
                let nr = self.add(conversation, place, &params["message"], &id);
                if self.fault == Fault::Twice && nr == FAULT_NR {
                    self.add(conversation, place, &params["message"], "");
                }
                let identifier = json!({"conversation_id": params["conversation_id"], "message_nr": nr});
                (answer(200, identifier), self.update(conversation, place, nr))
            }
            ("conv:sync_backward", Some(conversation)) => {
                let bw = params["bw_message_nr"].as_u64().unwrap();
                let from = bw.saturating_sub(WINDOW as u64).max(1);
                let mut conv = self.conv(conversation, place);
                conv["bw_message_nr"] = from.into();
                let messages = &self.conversations[conversation].messages;
                let loaded = (from..bw).map(|nr| messages[nr as usize - 1].clone());
                (answer(200, json!({})), std::iter::once(conv).chain(loaded).collect())
            }
            _ => (answer(501, json!({})), Vec::new()),
        }
    }

    fn create(&mut self, place: usize, params: &Value) -> usize {
        let others = params["account_ids"].as_array().cloned().unwrap_or_default();
        let is_member = |other: &usize| others.iter().any(|id| *id == self.accounts[*other].id.as_str());
        let members: Vec<usize> =
            std::iter::once(place).chain((0..self.accounts.len()).filter(is_member)).collect();
        let read = members.iter().map(|member| u64::from(*member == place)).collect();
        let id = Uuid::new_v4().to_string();
        self.conversations.push(Conversation { id, members, messages: Vec::new(), read });
        let conversation = self.conversations.len() - 1;
        self.message(conversation, place, "create", &json!(""));
        conversation
    }

    fn message(&mut self, conversation: usize, place: usize, kind: &str, message: &Value) -> u64 {
        let Conversation { id, messages, .. } = &mut self.conversations[conversation];
        let nr = messages.len() as u64 + 1;
        messages.push(json!({
            "mk_rec_type": "message", "conversation_id": id, "message_nr": nr, "prev_message_nr": nr - 1, "inbox_nr": nr - 1,
            "mk_message_type": kind, "account_id": self.accounts[place].id, "message": message, "lock_account_id": null,
        }));
        nr
    }

    fn add(&mut self, conversation: usize, place: usize, message: &Value, cause: &str) -> u64 {
        let text = format!("<msg><p>{}</p></msg>", message.as_str().unwrap());
        let nr = self.message(conversation, place, "text", &text.into());
        let author =
            self.conversations[conversation].members.iter().position(|member| *member == place).unwrap();
        self.conversations[conversation].read[author] = nr;
        self.tell(conversation, cause, false);
        nr
    }

    /// Puts the newest change into every member's log, in his own view.
    fn tell(&mut self, conversation: usize, cause: &str, is_init: bool) {
        let nr = self.conversations[conversation].messages.len() as u64;
        for member in self.conversations[conversation].members.clone() {
            let records =
                if is_init { self.init(conversation, member) } else { self.update(conversation, member, nr) };
            self.accounts[member].log.push((cause.to_owned(), records));
        }
    }

    fn conv(&self, conversation: usize, place: usize) -> Value {
        let Conversation { id, members, messages, read } = &self.conversations[conversation];
        let member = members.iter().position(|member| *member == place).unwrap();
        let (last, read) = (messages.len() as u64, read[member]);
        json!({
            "mk_rec_type": "conv", "conversation_id": id, "profile_id": self.accounts[place].id, "last_message_nr": last,
            "show_message_nr": last, "join_message_nr": 1, "read_message_nr": read, "unread_count": last - read.max(1),
        })
    }

    fn update(&self, conversation: usize, place: usize, nr: u64) -> Vec<Value> {
        vec![
            self.conv(conversation, place),
            self.conversations[conversation].messages[nr as usize - 1].clone(),
        ]
    }

    fn init(&self, conversation: usize, place: usize) -> Vec<Value> {
        let mut conv = self.conv(conversation, place);
        let messages = &self.conversations[conversation].messages;
        let from = messages.len().saturating_sub(WINDOW);
        conv["is_init"] = true.into();
        conv["fw_message_nr"] = messages.len().into();
        conv["bw_message_nr"] = (from + 1).into();
        std::iter::once(conv).chain(messages[from..].iter().cloned()).collect()
    }

    fn sync(&self, place: usize) -> Vec<Value> {
        let mine = |conversation: &usize| self.conversations[*conversation].members.contains(&place);
        (0..self.conversations.len())
            .filter(mine)
            .flat_map(|conversation| self.init(conversation, place))
            .collect()
    }
}
