//! A client that knows the older calls and nothing else, and one on the WebSocket: they talk to each other without noticing.
//!
//! Not here: that each call is its events, which is a table (`golden/adapters.txt`).

use rill_loadtest::picture::Picture;
use rill_loadtest::record::{Record, flag, list, number, text};
use rill_loadtest::session::Session;
use rill_loadtest::socket::Socket;
use rill_loadtest::user::User;
use serde_json::{Value, json};

use crate::world::{FACT_WAIT, World, await_fact, compared_with_a_fresh_sync, differences_to_a_fresh_sync};

/// It calls, it polls, and it keeps what it was answered and told.
struct Older {
    user: User,
    picture: Picture,
    conversation_id: String,
}

impl Older {
    /// The initial sync as older clients do it: for as long as the horizon is not above 0.
    fn begin(user: User) -> Self {
        let mut older = Self { user, picture: Picture::at(0), conversation_id: String::new() };
        while older.picture.horizon() <= 0 {
            older.poll();
        }
        older
    }

    fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.user.http_post(&format!("/api/{path}"), body).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json
    }

    /// Makes a call on the conversation, takes its answer in, and gives the number that it names.
    fn call(&mut self, call: &str, body: Value) -> u64 {
        let path = format!("{call}/{}", self.conversation_id);
        let answer = self.post(&path, body);
        self.take(&answer);
        answer["result_message_nr"].as_u64().unwrap_or(0)
    }

    /// Takes an answer in.
    fn take(&mut self, answer: &Value) {
        let header: Option<Record> = answer["header"].as_object().cloned();
        let records: Vec<Record> = header.into_iter().chain(list(answer, "stream")).collect();
        self.picture.apply_ahead(&records);
    }

    fn poll(&mut self) -> usize {
        let body = json!({"event_horizon": self.picture.horizon(), "wait": false});
        let answer = self.post("account/poll", body);
        let stream = list(&answer, "stream");
        self.picture.apply_frame(&stream, answer["event_horizon"].as_i64());
        stream.len()
    }

    fn sees(&mut self, what: &str, is_so: impl Fn(&Picture) -> bool) {
        await_fact(&format!("{what} with the older client"), FACT_WAIT, || {
            self.poll();
            is_so(&self.picture)
        });
    }

    fn upload(&self, name: &str, bytes: &[u8]) -> String {
        let answer = self.user.upload(name, bytes).unwrap();
        answer.json["files"][0]["upload_url"].as_str().unwrap().to_owned()
    }
}

/// A client on a WebSocket.
struct Newer {
    socket: Socket,
    conversation_id: String,
}

impl Newer {
    fn ask(&mut self, urn: &str, mut params: Value) -> u64 {
        params["conversation_id"] = self.conversation_id.clone().into();
        let answer = self.socket.request(urn, params).unwrap().done().unwrap();
        answer.message_nr().unwrap_or(0)
    }

    fn sees(&mut self, what: &str, is_so: impl Fn(&Picture) -> bool) {
        self.socket.wait_for(what, FACT_WAIT, &mut |picture| is_so(picture)).unwrap();
    }
}

/// A message that says this, with this tag.
fn says<'a>(id: &'a str, nr: u64, body: &'a str, tag: &'a str) -> impl Fn(&Picture) -> bool + 'a {
    move |picture| {
        picture.message(id, nr).is_some_and(|message| {
            let tags = message.get("tags").and_then(Value::as_array).cloned().unwrap_or_default();
            text(message, "message").contains(body) && (tag.is_empty() || tags.contains(&json!(tag)))
        })
    }
}

fn is_called<'a>(id: &'a str, topic: &'a str) -> impl Fn(&Picture) -> bool + 'a {
    move |picture| picture.conv(id).is_some_and(|conv| text(conv, "topic") == topic)
}

fn has_members<'a>(id: &'a str, count: usize) -> impl Fn(&Picture) -> bool + 'a {
    move |picture| {
        let members = picture.conv(id).and_then(|conv| conv.get("members")?.as_array());
        members.is_some_and(|members| members.len() == count)
    }
}

fn has_read<'a>(id: &'a str, account_id: &'a str, nr: u64) -> impl Fn(&Picture) -> bool + 'a {
    move |picture| {
        picture.records("activity").any(|activity| {
            text(activity, "conversation_id") == id
                && text(activity, "account_id") == account_id
                && number(activity, "read_message_nr") == Some(nr)
        })
    }
}

fn file_of<'a>(picture: &'a Picture, id: &str, nr: u64) -> Option<&'a Record> {
    picture
        .records("file")
        .find(|file| text(file, "conversation_id") == id && number(file, "message_nr") == Some(nr))
}

/// They write, edit and read.
fn talk(ann: &mut Older, bob: &mut Newer) -> (u64, u64) {
    let id = bob.conversation_id.clone();
    let (ann_id, bob_id) = (ann.user.account_id.clone(), bob.socket.user().account_id.clone());
    bob.ask("conv:activate", json!({}));
    ann.call("conversation/show_activity", json!({"is_writing": true}));
    bob.sees("her pen", |picture| picture.records("activity").any(|activity| flag(activity, "is_writing")));
    let hello = ann.call("message/send", json!({"message": "hello"}));
    bob.sees("her message", says(&id, hello, "hello", ""));
    let answer = bob.ask("message:add_plain", json!({"message": "hi"}));
    ann.sees("his message", says(&id, answer, "hi", ""));
    ann.call("message/edit", json!({"message_nr": hello, "message": "hello again"}));
    bob.sees("her edit", says(&id, hello, "hello again", ""));
    bob.ask("message:edit", json!({"message_nr": answer, "message": "hi there"}));
    ann.sees("his edit", says(&id, answer, "hi there", ""));
    ann.call("conversation/mark_read", json!({}));
    bob.sees("that she has read", has_read(&id, &ann_id, answer));
    let more = ann.call("message/send", json!({"message": "more"}));
    bob.sees("more", says(&id, more, "more", ""));
    bob.ask("message:mark_read", json!({"message_nr": more}));
    ann.sees("that he has read", has_read(&id, &bob_id, more));
    ann.call("message/delete", json!({"message_nr": more}));
    bob.sees("what she took back", says(&id, more, "", "is_deleted"));
    (hello, answer)
}

/// They name it, and put what was said on the boards.
fn sort(ann: &mut Older, bob: &mut Newer, (hello, answer): (u64, u64)) {
    let id = bob.conversation_id.clone();
    ann.call("conversation/set_topic", json!({"topic": "Apples"}));
    bob.sees("her topic", is_called(&id, "Apples"));
    bob.ask("conv:set_topic", json!({"topic": "Pears"}));
    ann.sees("his topic", is_called(&id, "Pears"));
    ann.call("message/pin", json!({"message_nr": hello}));
    bob.sees("her pin", says(&id, hello, "hello again", "pin"));
    bob.ask("message:set_todo", json!({"message_nr": answer}));
    ann.sees("his task", says(&id, answer, "hi there", "is_todo"));
    ann.call("message/store", json!({"message_nr": answer, "tags": ["is_done"]}));
    bob.sees("that it is done", says(&id, answer, "hi there", "is_done"));
    bob.ask("message:set_unpinned", json!({"message_nr": hello}));
    ann.sees("that it is off the board", says(&id, hello, "hello again", "unpin"));
}

/// They send each other files, and take them back.
fn exchange(ann: &mut Older, bob: &mut Newer) {
    let id = bob.conversation_id.clone();
    let hers = [ann.upload("a.txt", b"hers")];
    let sent = ann.call("message/send", json!({"message": "look", "attachments": hers}));
    bob.sees("her file", |picture| file_of(picture, &id, sent).is_some());
    let url = text(file_of(bob.socket.picture(), &id, sent).unwrap(), "file_url").to_owned();
    assert_eq!(bob.socket.user().get(&url, &[]).unwrap().body, "hers");
    let again = bob.ask("message:add_plain", json!({"message": "yours again", "attachment_urls": [url]}));
    ann.sees("his file", |picture| file_of(picture, &id, again).is_some());
    let his = file_of(&ann.picture, &id, again).unwrap().clone();
    assert_eq!(ann.user.get(text(&his, "file_url"), &[]).unwrap().body, "hers");
    ann.call("message/delete", json!({"message_nr": again, "attachment_id": his["attachment_id"]}));
    bob.sees("that it is gone", |picture| {
        file_of(picture, &id, again).is_some_and(|file| flag(file, "is_deleted"))
    });
    bob.ask("message:delete", json!({"message_nr": sent}));
    ann.sees("what he took back", says(&id, sent, "", "is_deleted"));
}

#[test]
fn the_older_calls_and_the_socket_are_one_conversation() {
    let world = World::start(&[]);
    let (ann, bob, carol) = (world.person("Ann"), world.person("Bob"), world.person("Carol"));
    let mut of_carol = carol.connect(0).unwrap();
    let made = json!({"topic": "Harvest", "account_ids": [bob.account_id]});
    let mut bob = Newer { socket: bob.connect(0).unwrap(), conversation_id: String::new() };
    let mut ann = Older::begin(ann);
    let created = ann.post("conversation/create", made);
    ann.take(&created);
    let id = created["header"]["conversation_id"].as_str().unwrap().to_owned();
    ann.conversation_id.clone_from(&id);
    bob.conversation_id.clone_from(&id);
    bob.sees("the conversation", is_called(&id, "Harvest"));

    let said = talk(&mut ann, &mut bob);
    sort(&mut ann, &mut bob, said);
    ann.call("conversation/add_members", json!({"emails": format!("Carol <{}>", carol.email)}));
    bob.sees("Carol", has_members(&id, 3));
    of_carol
        .wait_for("the conversation", FACT_WAIT, &mut |picture| is_called(&id, "Pears")(picture))
        .unwrap();
    exchange(&mut ann, &mut bob);
    bob.ask("conv:remove_members", json!({"account_ids": [carol.account_id]}));
    ann.sees("that Carol is out", has_members(&id, 2));
    let last = bob.ask("message:add_plain", json!({"message": "so long"}));
    ann.sees("his last word", says(&id, last, "so long", ""));

    while ann.poll() > 0 {}
    let of_ann = differences_to_a_fresh_sync(&ann.user, &ann.picture).unwrap();
    let of_bob = compared_with_a_fresh_sync(&mut bob.socket).unwrap();
    for mut differences in [of_ann, of_bob] {
        // Who is in none of their conversations any more is not told to who comes later.
        let of_carol_alone = format!("contact {}: only in the first picture", carol.account_id);
        differences.retain(|line| *line != of_carol_alone);
        assert_eq!(differences, Vec::<String>::new());
    }
    of_carol
        .wait_for("that she is out", FACT_WAIT, &mut |picture| {
            picture.conv(&id).is_some_and(|conv| conv["can_post"] == false)
                && picture.message(&id, last).is_none()
        })
        .unwrap();
    let numbers = |picture: &Picture| -> Vec<Option<u64>> {
        picture.messages(&id).map(|message| number(message, "message_nr")).collect()
    };
    assert_eq!(numbers(&ann.picture), numbers(bob.socket.picture()));
    world.assert_no_errors();
}
