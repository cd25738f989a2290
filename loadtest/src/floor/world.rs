//! The floor's rooms: who is in them, and what is to be written to them.
//!
//! Not here: sockets ([`super::connection`]).

use super::connection::Connection;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write;

#[derive(Debug, Default)]
struct Room {
    id: String,
    /// The connections in it.
    members: Vec<usize>,
    last_nr: u64,
    /// Frames for all members: those told lately, and those that may leave.
    told: Vec<u8>,
    synced: Vec<u8>,
}

/// All rooms.
#[derive(Debug)]
pub(super) struct World {
    delivery_bytes: usize,
    rooms: Vec<Room>,
    by_id: HashMap<String, usize>,
    by_account: HashMap<String, usize>,
    /// Rooms with something told, and with something that may leave.
    told_in: Vec<usize>,
    synced_in: Vec<usize>,
    /// Answers to single connections, which leave with what they answer.
    answers: Vec<(usize, Vec<u8>)>,
    synced_answers: Vec<(usize, Vec<u8>)>,
    horizon: u64,
}

impl World {
    pub(super) fn new(delivery_bytes: usize) -> Self {
        Self {
            delivery_bytes,
            rooms: Vec::new(),
            by_id: HashMap::new(),
            by_account: HashMap::new(),
            told_in: Vec::new(),
            synced_in: Vec::new(),
            answers: Vec::new(),
            synced_answers: Vec::new(),
            horizon: 1,
        }
    }

    /// Takes a client's text. What answers it at once is put into `answer`.
    pub(super) fn take(&mut self, place: usize, account: &str, text: &[u8], answer: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.horizon += 1;
        let Some(post) = Post::read(text) else {
            self.take_seldom(place, account, text, answer);
            return;
        };
        let Some(&room) = self.by_id.get(post.conversation_id) else {
            return;
        };
        self.post(place, account, room, &post);
    }

    /// The hot path: a message is numbered and goes to the room, its answer to its author.
    fn post(&mut self, place: usize, account: &str, at: usize, post: &Post<'_>) {
        let room = &mut self.rooms[at];
        room.last_nr += 1;
        let (nr, horizon, id) = (room.last_nr, self.horizon, post.conversation_id);
        let mut body = Vec::with_capacity(self.delivery_bytes + 16);
        let Post { message, client_req_id, .. } = post;
        let written = write!(
            body,
            r#"{{"stream":[{{"mk_rec_type":"message","conversation_id":"{id}","message_nr":{nr},"inbox_nr":{},"account_id":"{account}","message":"{message}"}}],"event_horizon":{horizon},"pad":""#,
            nr - 1,
        );
        debug_assert!(written.is_ok(), "a Vec takes everything");
        body.resize(self.delivery_bytes.max(body.len() + 2) - 2, b'x');
        body.extend_from_slice(b"\"}");
        if room.told.is_empty() {
            self.told_in.push(at);
        }
        put_frame(&mut room.told, &body);
        let answer = format!(
            r#"{{"requests":[{{"mk_rec_type":"request","client_req_id":"{client_req_id}","status_code":200,"identifier":{{"conversation_id":"{id}","message_nr":{nr}}}}}],"stream":[]}}"#
        );
        let mut frame = Vec::with_capacity(answer.len() + 4);
        put_frame(&mut frame, answer.as_bytes());
        self.answers.push((place, frame));
    }

    /// Hello and the creation of a room, which are not measured.
    fn take_seldom(&mut self, place: usize, account: &str, text: &[u8], answer: &mut Vec<u8>) {
        let frame: Value = serde_json::from_slice(text).unwrap_or(Value::Null);
        if frame.get("ticket").is_some() {
            self.by_account.insert(account.to_owned(), place);
            let synced = json!({"stream": [], "event_horizon": self.horizon, "sync_progress": 1.0});
            put_frame(answer, synced.to_string().as_bytes());
            return;
        }
        let event = &frame["stream"][0];
        if event["mk_event_type"] != "urn:fleep:client:conv:create" {
            return;
        }
        let id = uuid::Uuid::new_v4().to_string();
        let others = event["params"]["account_ids"].as_array().cloned().unwrap_or_default();
        let accounts = others.iter().filter_map(Value::as_str).chain(std::iter::once(account));
        let members = accounts.filter_map(|account| self.by_account.get(account).copied()).collect();
        let at = self.rooms.len();
        let init = json!({"stream": [
            {"mk_rec_type": "conv", "conversation_id": id, "is_init": true, "last_message_nr": 1, "fw_message_nr": 1, "bw_message_nr": 1},
            {"mk_rec_type": "message", "conversation_id": id, "message_nr": 1, "inbox_nr": 0, "message": ""},
        ], "event_horizon": self.horizon});
        let mut room = Room { id: id.clone(), members, last_nr: 1, ..Room::default() };
        put_frame(&mut room.told, init.to_string().as_bytes());
        self.by_id.insert(room.id.clone(), at);
        self.rooms.push(room);
        self.told_in.push(at);
        let request = json!({"requests": [{"mk_rec_type": "request", "client_req_id": event["client_req_id"], "status_code": 200,
            "identifier": {"conversation_id": id}}], "stream": []});
        let mut frame = Vec::new();
        put_frame(&mut frame, request.to_string().as_bytes());
        self.answers.push((place, frame));
    }

    pub(super) fn has_news(&self) -> bool {
        !self.told_in.is_empty()
    }

    /// What has been told, once for each room.
    pub(super) fn news(&self) -> Vec<u8> {
        self.told_in.iter().flat_map(|at| self.rooms[*at].told.iter().copied()).collect()
    }

    /// What has been told may leave next time.
    pub(super) fn release(&mut self) {
        for at in &self.told_in {
            let room = &mut self.rooms[*at];
            std::mem::swap(&mut room.told, &mut room.synced);
        }
        self.synced_in.append(&mut self.told_in);
        self.synced_answers.append(&mut self.answers);
    }

    /// Writes to the rooms: one write for everything that waits for a member, answers behind what they answer.
    pub(super) fn send_synced(&mut self, connections: &mut [Connection]) {
        let mut authors: HashMap<usize, Vec<u8>> = HashMap::new();
        for (place, frame) in self.synced_answers.drain(..) {
            authors.entry(place).or_default().extend_from_slice(&frame);
        }
        for at in self.synced_in.drain(..) {
            let room = &mut self.rooms[at];
            for member in &room.members {
                if authors.contains_key(member) {
                    connections[*member].queue(&room.synced);
                } else {
                    connections[*member].send(&room.synced);
                }
            }
            room.synced.clear();
        }
        for (place, frames) in authors {
            connections[place].queue(&frames);
            connections[place].flush();
        }
    }
}

/// What the floor reads of a message's event: found by its keys, without parsing.
#[derive(Debug, PartialEq, Eq)]
struct Post<'a> {
    client_req_id: &'a str,
    conversation_id: &'a str,
    message: &'a str,
}

impl<'a> Post<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let rest = text.strip_prefix(r#"{"stream":[{"client_req_id":""#)?;
        let (client_req_id, rest) = rest.split_once('"')?;
        let rest = rest.strip_prefix(
            r#","mk_event_type":"urn:fleep:client:message:add_plain","params":{"conversation_id":""#,
        )?;
        let (conversation_id, rest) = rest.split_once('"')?;
        let (message, _) = rest.strip_prefix(r#","message":""#)?.split_once('"')?;
        Some(Self { client_req_id, conversation_id, message })
    }
}

/// Puts a text frame of a server behind `out`.
fn put_frame(out: &mut Vec<u8>, text: &[u8]) {
    out.push(0x81);
    match text.len() {
        length @ 0..=125 => out.push(length as u8),
        length @ 126..=65_535 => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_found_without_parsing() {
        let text = br#"{"stream":[{"client_req_id":"a","mk_event_type":"urn:fleep:client:message:add_plain","params":{"conversation_id":"c","message":"m"}}]}"#;
        assert_eq!(Post::read(text), Some(Post { client_req_id: "a", conversation_id: "c", message: "m" }));
        assert_eq!(Post::read(b"{\"ticket\":1}"), None);
    }

    #[test]
    fn a_delivery_has_the_wanted_length_and_goes_to_the_log() {
        let mut world = World::new(400);
        let mut answer = Vec::new();
        world.take(0, "ann", br#"{"ticket":"t"}"#, &mut answer);
        let create = br#"{"stream":[{"client_req_id":"r","mk_event_type":"urn:fleep:client:conv:create","params":{"account_ids":[]}}]}"#;
        world.take(0, "ann", create, &mut answer);
        world.release();
        world.rooms[0].synced.clear();
        let id = world.rooms[0].id.clone();
        let post = format!(
            r#"{{"stream":[{{"client_req_id":"a","mk_event_type":"urn:fleep:client:message:add_plain","params":{{"conversation_id":"{id}","message":"m"}}}}]}}"#
        );
        world.take(0, "ann", post.as_bytes(), &mut answer);
        assert!(world.has_news());
        let batch = world.news();
        world.release();
        assert_eq!(batch.len(), 400 + 4);
        let body: Value = serde_json::from_slice(&batch[4..]).unwrap();
        assert_eq!(body["stream"][0]["message_nr"], 2);
        assert!(!world.has_news());
    }
}
