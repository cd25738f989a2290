//! How many appends a second either store makes durable, one after the other in the same run.
//!
//! Each append is a post as an owner makes it: the head, a member, a slot of 400 bytes, and the claim of its request. So many
//! conversations keep so many appends under way; an append counts when its callback was called. Not here: what the store
//! promises (the contract).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that fails says so, and prints its figures"
)]

use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rill_actors::store::embedded::Embedded;
use rill_actors::store::postgres::Postgres;
use rill_actors::store::{Aggregate, Append, Direction, RowKey, Store, UniqueKey};
use rill_loadtest::postgres::Postgres as Server;
use rill_loadtest::process::Usage;
use rill_proto::id::{AccountId, ConversationId};
use uuid::Uuid;

/// How long each measurement lasts, after the first appends have made the tables a little larger.
const LASTS: Duration = Duration::from_secs(5);

/// Reads of 50 slots that are timed.
const READS: u64 = 500;

fn post(conversation: u64, version: u64) -> Append {
    let id = |number: u64| Uuid::from_u128(u128::from(conversation) << 64 | u128::from(number));
    Append {
        aggregate: Aggregate::Conversation(ConversationId(Uuid::from_u128(conversation.into()))),
        expected_version: version,
        stamp: 1_000_000 + version,
        put: vec![
            (RowKey::Head, vec![b'h'; 300].into()),
            (RowKey::Member(AccountId(id(0))), vec![b'm'; 150].into()),
            (RowKey::Slot(version + 1), vec![b's'; 400].into()),
        ],
        remove: Vec::new(),
        claim: vec![(
            UniqueKey::Request(AccountId(id(0)), id(version + 1)),
            Bytes::from_static(&[b'r'; 100]),
        )],
        release: Vec::new(),
        outbox: Vec::new(),
    }
}

/// Keeps `under_way` appends of as many conversations going, and answers how many became durable a second.
fn appends(store: &dyn Store, first: u64, conversations: u64, under_way: usize) -> f64 {
    let (tell, told) = mpsc::channel();
    let mut versions = vec![0; conversations as usize];
    let mut turn: VecDeque<u64> = (0..conversations).collect();
    let mut begin = |conversation: u64| {
        let version = &mut versions[conversation as usize];
        let tell = tell.clone();
        let done = move |result: Result<(), _>| tell.send(result.map(|()| conversation)).unwrap();
        store.append(post(first + conversation, *version), Box::new(done));
        *version += 1;
    };
    for _ in 0..under_way {
        let conversation = turn.pop_front().unwrap();
        begin(conversation);
        turn.push_back(conversation);
    }
    let (started, mut durable) = (Instant::now(), 0_u64);
    while started.elapsed() < LASTS {
        told.recv().unwrap().unwrap();
        durable += 1;
        let conversation = turn.pop_front().unwrap();
        begin(conversation);
        turn.push_back(conversation);
    }
    let rate = durable as f64 / started.elapsed().as_secs_f64();
    for _ in 0..under_way {
        told.recv().unwrap().unwrap();
    }
    rate
}

/// The median time of reading the last 50 slots of a conversation.
fn read(store: &dyn Store, conversations: u64) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut times: Vec<Duration> = (0..READS)
        .map(|number| {
            let id = ConversationId(Uuid::from_u128((number * 7 % conversations).into()));
            let begun = Instant::now();
            runtime.block_on(store.slots(id, 0, u64::MAX, 50, Direction::Descending)).unwrap();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn measure(name: &str, store: &dyn Store) {
    for (conversations, under_way) in [(1, 1), (500, 500), (500, 4_000)] {
        // Every measurement has conversations of its own.
        let first = under_way as u64 * 1_000_000;
        let before = Usage::of(std::process::id()).unwrap().cpu_s();
        let rate = appends(store, first, conversations, under_way);
        let cpu =
            (Usage::of(std::process::id()).unwrap().cpu_s() - before) / (rate * LASTS.as_secs_f64()) * 1e4;
        println!(
            "{name}: {conversations} conversations, {under_way} under way: {rate:.0} appends/s, {cpu:.3} CPU s of this process per 10,000"
        );
    }
    println!("{name}: the last 50 slots in {:?} (median)", read(store, 500));
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    measure("folder", &*Embedded::open(folder.path()).unwrap());
    let server = Server::start().unwrap();
    measure("PostgreSQL", &*Postgres::open(&server.url()).unwrap());
}
