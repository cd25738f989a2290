//! A client that stops reading in the middle of a flood: it is closed, nobody else waits, and it comes back.
//!
//! Not here: clients that send too fast.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rill_loadtest::record::number;
use rill_loadtest::session::{Event, Session};
use rill_loadtest::socket::Socket;
use rill_loadtest::user::User;
use serde_json::json;
use socket2::{Domain, Type};
use tungstenite::client::ClientRequestBuilder;
use tungstenite::{Message, WebSocket};

use crate::world::{
    FACT_WAIT, World, assert_like_a_fresh_sync, await_fact, await_message, create, percentile, post,
};

/// How much the server keeps for a client that does not read.
const LANE_BYTES: u64 = 1024 * 1024;
const ROOM: usize = 5;
/// Large enough that a few hundred fill a lane and what the kernel holds before it.
const MESSAGE_BYTES: usize = 60_000;
/// In the first half everybody reads, in the second one does not: some 18 MB each, three times what the kernel can hold.
const MESSAGES: usize = 300;
/// The others' median may be so many times higher; a machine of two cores that runs both sides is not steady.
const SLOWER_MAX: u32 = 3;
const NOISE: Duration = Duration::from_millis(20);
/// What the process may need beside the lanes: the store's buffers for what was written meanwhile, and the allocator's rest.
const SLACK_BYTES: u64 = 64 * 1024 * 1024;

/// Posts, and gives how long each message took to the last of the readers. `between` is called after each, off the clock.
fn flood(
    writer: &mut Socket,
    readers: &mut [Socket],
    room: &str,
    between: &mut dyn FnMut(u64),
) -> Vec<Duration> {
    let body = "flood ".repeat(MESSAGE_BYTES / 6);
    let measured = |_| {
        let start = Instant::now();
        let number = post(writer, room, &body);
        for reader in &mut *readers {
            await_message(reader, room, number);
        }
        let took = start.elapsed();
        between(number);
        took
    };
    (0..MESSAGES).map(measured).collect()
}

/// Reads on until it has the last message of a flood, and tells how far it is.
fn read_on(slow: &mut Socket, room: &str, has_read: &AtomicU64) {
    while has_read.load(Ordering::Relaxed) < 1 + MESSAGES as u64 {
        slow.receive(FACT_WAIT).unwrap();
        let last =
            slow.picture().messages(room).next_back().and_then(|message| number(message, "message_nr"));
        has_read.store(last.unwrap_or(0), Ordering::Relaxed);
    }
}

#[test]
fn who_stops_reading_in_a_flood_is_closed_and_the_others_do_not_wait() {
    // Time enough to say goodbye: the close frame is read when the flood is over.
    let world = World::start_alone(&["--close-grace-ms", "60000"]);
    let people: Vec<_> = (0..ROOM).map(|n| world.person(&format!("Reader{n}"))).collect();
    let mut sockets: Vec<Socket> = people.iter().map(|user| user.connect(0).unwrap()).collect();
    let room = create(&mut sockets[0], "Flood", &people[1..].iter().collect::<Vec<_>>());
    let mut slow = sockets.pop().unwrap();
    let (writer, readers) = sockets.split_first_mut().unwrap();
    // First everybody reads.
    let has_read = AtomicU64::new(0);
    let usual = std::thread::scope(|scope| {
        scope.spawn(|| read_on(&mut slow, &room, &has_read));
        flood(writer, readers, &room, &mut |number| {
            await_fact("reading", FACT_WAIT, || has_read.load(Ordering::Relaxed) >= number);
        })
    });
    slow.settle().unwrap();
    assert_eq!(world.metric("sessions_too_fast"), 0);
    // Then one does not.
    let (before, peak) = (world.server.resident_bytes().unwrap(), AtomicU64::new(0));
    let stalled = flood(writer, readers, &room, &mut |_| {
        peak.fetch_max(world.server.resident_bytes().unwrap(), Ordering::Relaxed);
    });
    let (median, median_stalled) = (percentile(&usual, 0.5), percentile(&stalled, 0.5));
    await_fact("closing of the slow reader", FACT_WAIT, || world.metric("sessions_too_fast") == 1);
    let grown = peak.into_inner().saturating_sub(before);
    let (code, reason) = slow.wait_closed(FACT_WAIT).unwrap();
    println!(
        "slow: median {median:?} while all read, {median_stalled:?} while one does not; closed with {code} {reason:?}; {} KiB more memory at most",
        grown / 1024
    );
    assert_eq!(code, 4429, "{reason}");
    assert!(median_stalled <= median * SLOWER_MAX + NOISE, "from {median:?} to {median_stalled:?}");
    assert!(grown <= LANE_BYTES * ROOM as u64 + SLACK_BYTES, "{grown} bytes more");
    let user = slow.user().clone();
    let mut back = user.reconnect(slow.abandon()).unwrap();
    assert_like_a_fresh_sync(&mut back);
    readers.iter_mut().for_each(|reader| assert_like_a_fresh_sync(reader));
    world.assert_no_errors();
}

/// A connection whose kernel holds as little as kernels go down to, so that little is enough to fill it.
fn narrow(user: &User) -> WebSocket<TcpStream> {
    let host = user.base_url().strip_prefix("http://").unwrap();
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.connect(&host.parse::<SocketAddr>().unwrap().into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(FACT_WAIT)).unwrap();
    let request = ClientRequestBuilder::new(format!("ws://{host}/api/ws").parse().unwrap());
    let request = request.with_header("Cookie", format!("token_id={}", user.token_id));
    let (mut web, _) = tungstenite::client(request, stream).unwrap();
    let hello = json!({"ticket": user.ticket, "api_version": 4, "event_horizon": 0});
    web.send(Message::text(hello.to_string())).unwrap();
    while !web.read().unwrap().to_text().unwrap().contains("\"sync_progress\":1.0") {}
    web
}

/// Reads on to the close frame.
fn end_of(web: &mut WebSocket<TcpStream>) -> (u16, String) {
    loop {
        if let Message::Close(frame) = web.read().unwrap() {
            let frame = frame.expect("a close has a code");
            return (frame.code.into(), frame.reason.to_string());
        }
    }
}

#[test]
fn who_takes_nothing_for_too_long_is_closed_however_little_waits_for_him() {
    let world = World::start(&["--slow-reader-ms", "1000", "--close-grace-ms", "10000"]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let mut writer = ann.connect(0).unwrap();
    let room = create(&mut writer, "Stuck", &[&bea]);
    let mut slow = narrow(&bea);
    // Half of what a lane may hold: more than the kernel takes, and the bound does not strike.
    let body = "x".repeat(10_000);
    for number in 2..LANE_BYTES / 2 / 10_000 {
        assert_eq!(post(&mut writer, &room, &body), number);
    }
    let start = Instant::now();
    await_fact("closing of the slow reader", FACT_WAIT, || world.metric("sessions_too_fast") == 1);
    let after = start.elapsed();
    let (code, reason) = end_of(&mut slow);
    println!("slow: closed with {code} {reason:?} after {after:?}");
    assert_eq!(code, 4429);
    assert!(reason.starts_with("slow reader: nothing was taken"), "the reason says which: {reason}");
    assert!(after < Duration::from_secs(10), "a second and the clock's round");
    assert_like_a_fresh_sync(&mut bea.connect(0).unwrap());
    world.assert_no_errors();
}

#[test]
fn who_sends_faster_than_he_may_is_warned_first_and_then_closed() {
    let world = World::start(&[]);
    let mut ann = world.person("Ann").connect(0).unwrap();
    let mut statuses = std::collections::BTreeMap::<u64, usize>::new();
    let bad: Vec<Event> = (0..100).map(|_| Event::new("message:explode", json!({}))).collect();
    let failure = loop {
        if let Err(failure) = ann.submit_events(&bad) {
            break failure;
        }
        match ann.next_frame(FACT_WAIT) {
            Ok(frame) => {
                for request in &frame.requests {
                    *statuses.entry(number(request, "status_code").unwrap()).or_default() += 1;
                }
            }
            Err(failure) => break failure,
        }
    };
    println!("slow: sent too fast: statuses {statuses:?}, then {failure}");
    assert!(statuses.contains_key(&429), "a warning comes first: {statuses:?}");
    assert_eq!(failure.close_code(), Some(4429), "{failure}");
    world.assert_no_errors();
}
