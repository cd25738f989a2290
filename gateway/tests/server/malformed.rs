//! A thousand malformed frames from one client: each is answered or closed as websocket.md says, and nobody else notices.
//!
//! Not here: what the events of well-formed frames do.

#[path = "malformed/frames.rs"]
mod frames;

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rill_loadtest::failure::Failure;
use rill_loadtest::picture::Picture;
use rill_loadtest::session::Session;
use rill_loadtest::socket::Socket;
use rill_loadtest::user::User;

use crate::rng::Rng;
use crate::world::{FACT_WAIT, World, assert_like_a_fresh_sync, await_message, create, percentile, post};
use frames::{Expected, Malformed, Sent};

const FRAMES: usize = 1_000;
/// How long the quiet phase lasts: some hundreds of messages, so that the hundredth part of them is several.
const QUIET: Duration = Duration::from_secs(4);
/// The slowest hundredth may be so many times slower under attack: the attacker's own work happens on the same cores.
const SLOWER_MAX: u32 = 10;
/// Below this a stall is not the server's but the machine's: a time slice or two.
const NOISE: Duration = Duration::from_millis(100);

const QUIETLY: u8 = 0;
const UNDER_ATTACK: u8 = 1;
const OVER: u8 = 2;

#[test]
fn a_thousand_malformed_frames_are_answered_or_closed_and_nobody_else_notices() {
    let world = World::start_alone(&[]);
    let mut rng = Rng::printed("malformed");
    let (ann, bea, mallory) = (world.person("Ann"), world.person("Bea"), world.person("Mallory"));
    let phase = AtomicU8::new(QUIETLY);
    let mut own = mallory.connect(0).unwrap();
    let room = create(&mut own, "A room of his own", &[]);
    let (outcome, [quiet, attacked]) = std::thread::scope(|scope| {
        let others = scope.spawn(|| exchange(&ann, &bea, &phase));
        // The measurement itself takes this long: nothing is waited for.
        std::thread::sleep(QUIET);
        phase.store(UNDER_ATTACK, Ordering::Relaxed);
        let outcome = attack(&mallory, &room, &mut rng);
        phase.store(OVER, Ordering::Relaxed);
        (outcome, others.join().unwrap())
    });
    let (before, during) = (percentile(&quiet, 0.99), percentile(&attacked, 0.99));
    println!(
        "malformed: {FRAMES} frames, {} answered, {} closed; round trips of the others: {} quiet with p99 {before:?}, {} under attack with p99 {during:?}",
        outcome.answered,
        outcome.closed,
        quiet.len(),
        attacked.len()
    );
    assert!(
        outcome.wrong.is_empty(),
        "{} of them otherwise than expected: {:#?}",
        outcome.wrong.len(),
        outcome.wrong
    );
    assert!(during <= before * SLOWER_MAX + NOISE, "p99 went from {before:?} to {during:?}");
    assert_eq!(world.get("/healthz").unwrap().0, 200);
    world.assert_no_errors();
}

/// Two people who answer each other all the time. Gives how long each message took, quietly and under attack.
fn exchange(ann: &User, bea: &User, phase: &AtomicU8) -> [Vec<Duration>; 2] {
    let (mut ann, mut bea) = (ann.connect(0).unwrap(), bea.connect(0).unwrap());
    let room = create(&mut ann, "Ping and pong", &[bea.user()]);
    bea.wait_for("the conversation", FACT_WAIT, &mut |picture| picture.conv(&room).is_some()).unwrap();
    let mut took = [Vec::new(), Vec::new()];
    let mut numbers = Vec::new();
    loop {
        let now = phase.load(Ordering::Relaxed);
        if now == OVER {
            break;
        }
        for is_ping in [true, false] {
            let (writer, reader) = if is_ping { (&mut ann, &mut bea) } else { (&mut bea, &mut ann) };
            let start = Instant::now();
            let number = post(writer, &room, "pong");
            await_message(reader, &room, number);
            took[usize::from(now)].push(start.elapsed());
            numbers.push(number);
        }
    }
    assert!(numbers.iter().copied().eq(2..2 + numbers.len() as u64), "numbers are 2, 3, 4, …: {numbers:?}");
    for session in [&mut ann, &mut bea] {
        assert_like_a_fresh_sync(session);
        assert_eq!(session.picture().messages(&room).count(), numbers.len() + 1);
    }
    took
}

#[derive(Default)]
struct Outcome {
    answered: usize,
    closed: usize,
    wrong: Vec<String>,
}

fn attack(mallory: &User, room: &str, rng: &mut Rng) -> Outcome {
    let mut outcome = Outcome::default();
    let mut socket = mallory.connect(0).unwrap();
    let kinds = frames::all(room);
    for number in 0..FRAMES {
        // Each kind at least once, then cut ones and any.
        let malformed = match kinds.get(number) {
            Some(kind) => kind.clone(),
            None if number % 2 == 0 => frames::cut(room, rng),
            None => rng.pick(&kinds).clone(),
        };
        let seen = provoke(&mut socket, &malformed, number);
        match &seen {
            Ok(_) => outcome.answered += 1,
            Err(_) => outcome.closed += 1,
        }
        if let Some(wrong) = judge(&malformed, &seen) {
            outcome.wrong.push(wrong);
        }
        if seen.is_err() {
            socket = mallory.connect(0).unwrap();
        }
    }
    outcome
}

/// Sends a frame and gives the statuses that it is answered with, or how the connection ended.
fn provoke(socket: &mut Socket, malformed: &Malformed, number: usize) -> Result<Vec<u64>, Failure> {
    let sent = match &malformed.sent {
        Sent::Text(text) => socket.send_text(text),
        Sent::Bytes(bytes) => socket.send_bytes_as_text(bytes),
        Sent::Binary(bytes) => socket.send_binary(bytes),
    };
    // Who is closed while he still writes learns why by reading.
    if sent.is_err() {
        return Err(closed(socket));
    }
    if malformed.expected == Expected::Ignored {
        socket.ping_pong(i64::try_from(number).unwrap())?;
        return Ok(Vec::new());
    }
    let frame = loop {
        let frame = socket.next_frame(FACT_WAIT)?;
        if frame.raw.get("requests").is_some() || frame.raw.get("pong").is_some() {
            break frame;
        }
    };
    let statuses = frame.requests.iter();
    let statuses =
        statuses.filter_map(|request| rill_loadtest::record::number(request, "status_code")).collect();
    Ok(statuses)
}

fn closed(socket: &mut Socket) -> Failure {
    match socket.wait_closed(FACT_WAIT) {
        Ok((code, reason)) => Failure::Closed { code, reason },
        Err(failure) => failure,
    }
}

fn judge(malformed: &Malformed, seen: &Result<Vec<u64>, Failure>) -> Option<String> {
    let is_right = match (&malformed.expected, seen) {
        (Expected::Answered(wanted), Ok(statuses)) => wanted == statuses,
        (Expected::Ignored, Ok(_)) => true,
        (Expected::Closed(code), Err(failure)) => failure.close_code() == Some(*code),
        (Expected::Answered(_) | Expected::Ignored, Err(_)) | (Expected::Closed(_), Ok(_)) => false,
    };
    (!is_right).then(|| format!("{}: expected {:?}, got {seen:?}", malformed.name, malformed.expected))
}

#[test]
fn a_frame_that_was_refused_halfway_is_carried_out_as_far_as_it_is_good() {
    let world = World::start(&[]);
    let mut ann = world.person("Ann").connect(0).unwrap();
    let room = create(&mut ann, "Half", &[]);
    ann.send_text(&frames::good_bad_good(&room)).unwrap();
    await_message(&mut ann, &room, 3);
    let texts: Vec<&str> =
        ann.picture().messages(&room).map(|m| rill_loadtest::record::text(m, "message")).collect();
    assert_eq!(&texts[1..], ["<msg><p>first</p></msg>", "<msg><p>third</p></msg>"]);
    assert_eq!(ann.picture().verify(), Vec::new());
}

#[test]
fn nothing_that_comes_before_the_hello_opens_the_session() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    for early in [r#"{"ping": 1}"#, r#"{"stream": []}"#, "{}", "hello"] {
        let mut socket = Socket::open(&ann, Picture::at(0)).unwrap();
        socket.send_text(early).unwrap();
        assert_eq!(socket.wait_closed(FACT_WAIT).unwrap().0, 4400, "{early}");
    }
    world.assert_no_errors();
}
