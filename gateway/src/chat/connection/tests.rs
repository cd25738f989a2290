//! The thread against a server made of a listener and the other half of the same WebSocket crate: real sockets.

use std::net::TcpListener;

use rill_proto::id::AccountId;
use uuid::Uuid;

use super::*;

/// Long enough for a busy machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    listener: TcpListener,
    line: Line,
}

impl Rig {
    fn started() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::at(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let credentials = Credentials { email: "a@x.org".to_owned(), password: "secret".to_owned() };
        let pass = Pass {
            account_id: AccountId(Uuid::nil()),
            token_id: "the-token".to_owned(),
            ticket: "the-ticket".to_owned(),
            profile: None,
        };
        Self { line: start(server, credentials, pass).unwrap(), listener }
    }

    /// Accepts the next connection, takes its hello and brings it to life at `horizon`.
    fn accepted(&self, horizon: i64) -> (Peer, Value) {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut cookie = None;
        #[expect(clippy::result_large_err, reason = "the callback's type is the crate's")]
        let look = |request: &tungstenite::handshake::server::Request, response| {
            cookie = request.headers().get("cookie").cloned();
            Ok(response)
        };
        let mut peer = Peer(tungstenite::accept_hdr(stream, look).unwrap());
        assert_eq!(cookie.unwrap(), "token_id=the-token");
        let hello = peer.hear();
        peer.say(json!({ "stream": [{ "mk_rec_type": "contact" }], "event_horizon": horizon, "sync_progress": 0.5 }));
        peer.hear_nothing_yet();
        peer.say(json!({ "stream": [], "event_horizon": horizon, "sync_progress": 1.0 }));
        (peer, hello)
    }

    fn store(&self, event: &'static str) -> Outgoing {
        let outgoing = Outgoing::new(event, json!({ "message": "hi" }));
        self.line.commands.send(Command::Store(outgoing.clone())).unwrap();
        outgoing
    }

    fn news(&self) -> News {
        self.line.news.recv_timeout(PATIENCE).unwrap()
    }

    /// Reads news until the link is in a state for which `is_it` holds.
    fn until_link(&self, is_it: impl Fn(&Link) -> bool) -> Link {
        loop {
            match self.news() {
                News::Link(link) if is_it(&link) => return link,
                News::Link(_) | News::Frame(_) | News::GivenUp(..) => {}
            }
        }
    }
}

struct Peer(Socket);

impl Peer {
    fn hear(&mut self) -> Value {
        let text = self.0.read().unwrap().into_text().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Whatever the client had sent by now would come before its pong.
    fn hear_nothing_yet(&mut self) {
        self.0.send(Message::Ping(Default::default())).unwrap();
        assert!(matches!(self.0.read().unwrap(), Message::Pong(_)));
    }

    fn say(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).unwrap();
    }

    fn close(mut self, code: u16, reason: &'static str) {
        self.0.close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() })).unwrap();
        // Until the other half has answered, so that no reset overtakes the close frame.
        while self.0.read().is_ok() {}
    }
}

fn ids(frame: &Value) -> Vec<String> {
    let stream = frame["stream"].as_array().unwrap();
    stream.iter().map(|event| event["client_req_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_hello_comes_first_and_events_wait_until_the_sync_is_done() {
    let rig = Rig::started();
    let event = rig.store("message:add_plain");
    let (mut peer, hello) = rig.accepted(7);
    assert_eq!(
        hello,
        json!({ "ticket": "the-ticket", "api_version": 4, "event_horizon": 0, "poll_flags": ["skip_hidden"] })
    );
    let frame = peer.hear();
    assert_eq!(ids(&frame), [event.id.to_string()]);
    assert_eq!(frame["stream"][0]["mk_event_type"], "urn:fleep:client:message:add_plain");
    rig.until_link(|link| *link == Link::Syncing(0.5));
    rig.until_link(|link| *link == Link::Live);
}

#[test]
fn a_lost_connection_is_made_again_with_the_last_horizon_and_the_unanswered_events() {
    let rig = Rig::started();
    let (mut peer, _) = rig.accepted(7);
    let (answered, lost) = (rig.store("message:add_plain"), rig.store("message:edit_body"));
    let mut heard = Vec::new();
    while heard.len() < 2 {
        heard.extend(ids(&peer.hear()));
    }
    assert_eq!(heard, [answered.id.to_string(), lost.id.to_string()]);
    let request = json!({ "mk_rec_type": "request", "client_req_id": answered.id, "status_code": 200 });
    peer.say(json!({ "requests": [request], "stream": [], "event_horizon": 9 }));
    peer.close(1012, "draining");
    let (mut peer, hello) = rig.accepted(9);
    assert_eq!(hello["event_horizon"], 9);
    assert_eq!(ids(&peer.hear()), [lost.id.to_string()]);
}

#[test]
fn a_connection_that_just_breaks_is_made_again_as_well() {
    let rig = Rig::started();
    let (peer, _) = rig.accepted(7);
    rig.until_link(|link| *link == Link::Live);
    drop(peer);
    rig.until_link(|link| matches!(link, Link::Waiting(..)));
    let (_peer, hello) = rig.accepted(8);
    assert_eq!(hello["event_horizon"], 7);
}

#[test]
fn an_overloaded_server_is_left_alone_for_as_long_as_it_asks() {
    let rig = Rig::started();
    let (peer, _) = rig.accepted(7);
    let closed = Instant::now();
    peer.close(1013, "60000");
    let Link::Waiting(until, reason) = rig.until_link(|link| matches!(link, Link::Waiting(..))) else {
        panic!("not waiting");
    };
    assert!(until >= closed + Duration::from_secs(60));
    assert_eq!(reason, "1013 60000");
}

#[test]
fn a_pen_of_the_lost_connection_is_given_up() {
    let rig = Rig::started();
    let (mut peer, _) = rig.accepted(7);
    let pen = rig.store("conv:set_writing");
    assert_eq!(ids(&peer.hear()), [pen.id.to_string()]);
    peer.close(1012, "");
    loop {
        if let News::GivenUp(ids, reason) = rig.news() {
            assert_eq!((ids, reason.as_str()), (vec![pen.id], ""));
            return;
        }
    }
}

#[test]
fn what_is_no_frame_is_passed_over() {
    let rig = Rig::started();
    let (mut peer, _) = rig.accepted(7);
    rig.until_link(|link| *link == Link::Live);
    for odd in ["", "null", "[]", "{\"stream\":5}", "nonsense"] {
        peer.0.send(Message::text(odd)).unwrap();
    }
    peer.say(json!({ "pong": 1 }));
    peer.say(json!({ "stream": [{ "mk_rec_type": "conv" }], "event_horizon": 8 }));
    loop {
        if let News::Frame(frame) = rig.news()
            && frame.event_horizon == Some(8)
        {
            assert_eq!(frame.stream.len(), 1);
            return;
        }
    }
}

#[test]
fn leaving_closes_the_connection_and_ends_the_thread() {
    let rig = Rig::started();
    let (mut peer, _) = rig.accepted(7);
    rig.until_link(|link| *link == Link::Live);
    let last = rig.store("message:add_plain");
    rig.line.commands.send(Command::Leave).unwrap();
    assert_eq!(ids(&peer.hear()), [last.id.to_string()], "what was sent before leaving is sent");
    let Message::Close(Some(close)) = peer.0.read().unwrap() else { panic!("no close frame") };
    assert_eq!(close.code, CloseCode::Normal);
    while peer.0.read().is_ok() {}
    drop(peer);
    assert!(matches!(rig.line.news.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected)));
}
