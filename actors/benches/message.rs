//! What a message costs on its way, step by step: read the frame, decide, encode for its readers, append.
//!
//! `cargo bench -p rill-actors --features bench`. Not here: sockets and threads, which the load harness measures.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that fails says so")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rill_actors::account::profile::Profile;
use rill_actors::conversation::audience::{self, Site, Template};
use rill_actors::conversation::rows::rows;
use rill_actors::conversation::rules::{Decision, Facts, News, decide};
use rill_actors::conversation::state::State;
use rill_actors::piece::{Piece, Viewer};
use rill_actors::store::embedded::Embedded;
use rill_actors::store::{Aggregate, Append, Store};
use rill_proto::envelope::ClientFrame;
use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, ConversationId};
use uuid::Uuid;

const CONVERSATION: ConversationId = ConversationId(Uuid::from_u128(0xc));

/// Members of the conversation: a small room, of whom each is written a view of his own.
const MEMBERS: u128 = 5;

/// Appends that share a sync, as under load.
const BATCH: u64 = 256;

fn account(nr: u128) -> AccountId {
    AccountId(Uuid::from_u128(nr))
}

/// A frame with one event, as a client sends it.
fn frame(event: &str, params: &str) -> String {
    format!(
        r#"{{"stream":[{{"client_req_id":"{}","mk_event_type":"urn:fleep:client:{event}","params":{params}}}]}}"#,
        Uuid::from_u128(7)
    )
}

fn post() -> String {
    let params = format!(
        r#"{{"conversation_id":"{}","message":"Soup at half past twelve, at the usual place?"}}"#,
        CONVERSATION.0
    );
    frame("message:add_plain", &params)
}

fn event(frame: &str) -> ClientEvent {
    let ClientFrame::Events(mut events) = ClientFrame::parse(frame).unwrap() else { panic!("no events") };
    events.remove(0).event.unwrap()
}

fn facts() -> Facts {
    let profiles =
        (1..=MEMBERS).map(|nr| (account(nr), Some(Profile::of_address(&format!("{nr}@example.com")))));
    Facts { now: 1_000, stamp: 1_000_000, profiles: profiles.collect(), ..Facts::default() }
}

/// A conversation of [`MEMBERS`], with some messages.
fn state() -> State {
    let others: Vec<String> = (2..=MEMBERS).map(|nr| format!("\"{}\"", account(nr).0)).collect();
    let create = frame("conv:create", &format!(r#"{{"account_ids":[{}]}}"#, others.join(",")));
    let mut state = State::new(CONVERSATION);
    let mut facts = facts();
    for (nr, said) in std::iter::once(create).chain((0..20).map(|_| post())).enumerate() {
        facts.stamp += nr as u64 + 1;
        let decision = decide(&state, account(1), &event(&said), &facts).unwrap();
        decision.changes.iter().for_each(|change| state.fold(change));
    }
    state
}

fn decision(state: &State) -> Decision {
    decide(state, account(1), &event(&post()), &facts()).unwrap()
}

fn decoding(criterion: &mut Criterion) {
    let frame = post();
    criterion.bench_function("decode: a frame with a message", |bench| {
        bench.iter(|| ClientFrame::parse(black_box(&frame)).unwrap());
    });
}

fn deciding(criterion: &mut Criterion) {
    let (state, facts, event) = (state(), facts(), event(&post()));
    criterion.bench_function("decide: a message in a conversation of 5", |bench| {
        bench.iter(|| decide(black_box(&state), account(1), black_box(&event), &facts).unwrap());
    });
    let decided = decision(&state);
    criterion.bench_function("encode: its rows", |bench| {
        bench.iter(|| rows(black_box(&decided.changes)));
    });
}

/// The news of a decision in the form that lanes get, once for all.
fn templates(state: &State, site: &Site, news: &[News]) -> Vec<Template> {
    let (pens, locks) = (BTreeMap::new(), BTreeMap::new());
    news.iter().filter_map(|news| audience::template(state, &pens, &locks, site, news)).collect()
}

fn encoding(criterion: &mut Criterion) {
    let mut state = state();
    let decided = decision(&state);
    decided.changes.iter().for_each(|change| state.fold(change));
    let site = Site { public_url: "https://rill.example".into(), mail_host: "rill.example".into() };
    let news: Vec<News> = decided.news.into_iter().map(|(_, news)| news).collect();
    criterion.bench_function("encode: its records, once for all readers", |bench| {
        bench.iter(|| templates(black_box(&state), &site, &news));
    });
    let shared = templates(&state, &site, &news);
    let reader = account(2);
    let viewer = Viewer { account_id: reader, contacts: None, placements: None };
    let mut bytes = Vec::new();
    criterion.bench_function("encode: one reader's part", |bench| {
        bench.iter(|| {
            bytes.clear();
            let pieces = shared.iter().filter_map(|template| audience::piece(template, &state, reader));
            pieces.for_each(|piece: Piece| piece.write(&viewer, &mut bytes));
            bytes.len()
        });
    });
}

/// Appends a message so many times, and waits until all are durable.
fn append(store: &Arc<Embedded>, version: &mut u64, decided: &Decision, count: u64) {
    let (done, when_done) = mpsc::channel();
    for _ in 0..count {
        let (put, remove) = rows(&decided.changes);
        let append = Append {
            aggregate: Aggregate::Conversation(CONVERSATION),
            expected_version: *version,
            stamp: *version + 1,
            put,
            remove,
            claim: Vec::new(),
            release: Vec::new(),
            outbox: Vec::new(),
        };
        *version += 1;
        let done = done.clone();
        store.append(append, Box::new(move |outcome| done.send(outcome).unwrap()));
    }
    (0..count).for_each(|_| when_done.recv().unwrap().unwrap());
}

fn appending(criterion: &mut Criterion) {
    let folder: PathBuf = std::env::temp_dir().join(format!("rill-bench-{}", Uuid::new_v4()));
    let store = Embedded::open(&folder).unwrap();
    let (decided, mut version) = (decision(&state()), 0);
    let mut group = criterion.benchmark_group("append");
    group.sample_size(20);
    for count in [1, BATCH] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("{count} with one sync or few"), |bench| {
            bench.iter(|| append(&store, &mut version, &decided, count));
        });
    }
    group.finish();
    drop(store);
    std::fs::remove_dir_all(folder).unwrap();
}

criterion_group!(benches, decoding, deciding, encoding, appending);
criterion_main!(benches);
