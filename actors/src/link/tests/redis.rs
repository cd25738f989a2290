//! Links of one process over a real Redis and a real PostgreSQL: letters, losses, and nodes that come and go.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rill_loadtest::postgres::Postgres as Database;
use rill_loadtest::redis::Redis;
use tokio::runtime::Builder;

use crate::link::membership::BEAT_EVERY;
use crate::link::task::FRAMES_APART;
use crate::link::{Config, Link, Receiver, View};
use crate::store::postgres::Postgres;
use crate::store::{Epoch, Store};
use crate::watermark::Watermark;

/// How long anything may take on a machine that also compiles.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a node was told.
#[derive(Default)]
struct Told {
    rounds: Vec<u64>,
    /// Of each node, under the view that was installed when it came.
    letters: BTreeMap<(Epoch, u64), Vec<u64>>,
    is_fenced: bool,
}

#[derive(Default)]
struct Ear(Mutex<Told>);

impl Receiver for Ear {
    fn letters(&self, from: Epoch, letters: Vec<Bytes>) {
        let mut told = self.0.lock().unwrap();
        let round = *told.rounds.last().unwrap();
        let numbers = letters.iter().map(|letter| u64::from_be_bytes(letter[..8].try_into().unwrap()));
        told.letters.entry((from, round)).or_default().extend(numbers);
    }

    fn prepare(&self, _: Arc<View>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }

    fn installed(&self, view: Arc<View>) {
        self.0.lock().unwrap().rounds.push(view.round);
    }

    fn fenced(&self) {
        self.0.lock().unwrap().is_fenced = true;
    }
}

struct Node {
    link: Arc<Link>,
    ear: Arc<Ear>,
    store: Arc<Postgres>,
    watermark: Arc<Watermark>,
}

impl Node {
    fn join(database: &Database, redis: &Redis) -> Self {
        let store = Postgres::join(&database.url()).unwrap();
        let watermark = Watermark::new(store.last_stamp());
        let ear = Arc::new(Ear::default());
        let config = Config { redis_url: redis.url(), prefix: "test".into() };
        let started = Link::start(config, store.clone(), Arc::clone(&watermark), ear.clone());
        Self { link: block_on(started).unwrap(), ear, store, watermark }
    }

    /// Sends the numbers to everybody else. Answers the round under which all of them went.
    fn send(&self, numbers: std::ops::Range<u64>) -> u64 {
        let rounds: Vec<u64> = numbers.map(|number| self.link.send_all(letter(number))).collect();
        assert_eq!(rounds.first(), rounds.last(), "nothing happened meanwhile");
        rounds[0]
    }

    fn got(&self, from: &Self, round: u64) -> Vec<u64> {
        let told = self.ear.0.lock().unwrap();
        told.letters.get(&(from.link.me(), round)).cloned().unwrap_or_default()
    }
}

fn letter(number: u64) -> Bytes {
    Bytes::from([&number.to_be_bytes()[..], &[0; 400]].concat())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All of them have one view, of them alone.
fn until_settled(nodes: &[&Node]) {
    until("one view", || {
        let view = nodes[0].link.view();
        let is_whole = view.nodes == nodes.iter().map(|node| node.link.me()).collect();
        is_whole && nodes.iter().all(|node| node.link.is_settled() && node.link.view() == view)
    });
}

/// Everybody's letters reach everybody, in order.
fn talk(nodes: &[&Node]) {
    const LETTERS: u64 = 2_000;
    let rounds: Vec<u64> = nodes.iter().map(|node| node.send(0..LETTERS)).collect();
    for node in nodes {
        for (from, round) in nodes.iter().zip(&rounds).filter(|(from, _)| from.link.me() != node.link.me()) {
            until("every letter", || node.got(from, *round).len() >= LETTERS as usize);
            assert_eq!(node.got(from, *round), (0..LETTERS).collect::<Vec<_>>());
        }
    }
}

/// Sessions may be told of what has just been handed over, by whoever it was.
fn until_horizons_rise(nodes: &[&Node]) {
    let highest = nodes.iter().map(|node| node.watermark.current()).max().unwrap();
    until("the horizons", || nodes.iter().all(|node| node.link.horizon() >= highest));
}

#[test]
fn a_url_that_says_nothing_useful_is_refused_without_its_password() {
    let database = Database::start().unwrap();
    let store = Postgres::join(&database.url()).unwrap();
    for redis_url in ["http://rill:geheim@host", "redis://rill:geheim@host:x", "rediss://rill:geheim@host"] {
        let config = Config { redis_url: redis_url.into(), prefix: "test".into() };
        let started = Link::start(config, store.clone(), Watermark::new(0), Arc::new(Ear::default()));
        let error = block_on(started).unwrap_err().to_string();
        assert!(!error.contains("geheim"), "{error}");
    }
}

#[test]
fn letters_that_come_soon_after_others_leave_together() {
    const LETTERS: u64 = 200;
    let (database, redis) = (Database::start().unwrap(), Redis::start().unwrap());
    let [here, there] = [(); 2].map(|()| Node::join(&database, &redis));
    until_settled(&[&here, &there]);
    let sent = || here.link.metrics().link_frames_sent.get();
    let (before, begun) = (sent(), Instant::now());
    for number in 0..LETTERS {
        here.send(number..number + 1);
        std::thread::sleep(Duration::from_micros(100));
    }
    let round = here.link.view().round;
    until("every letter", || there.got(&here, round).len() as u64 == LETTERS);
    // With each beat goes what waits, and the first waits for nobody.
    let [apart, beats] = [FRAMES_APART, BEAT_EVERY].map(|every| begun.elapsed().div_duration_f64(every));
    let (frames, most) = (sent() - before, apart + beats + 2.0);
    assert!(frames as f64 <= most, "{frames} frames, and no more than {most} may leave so soon");
}

#[test]
fn three_nodes_talk_through_a_restart_of_redis_and_the_end_of_one() {
    let database = Database::start().unwrap();
    let mut redis = Redis::start().unwrap();
    let first = Node::join(&database, &redis);
    assert!(!first.link.is_joined() && first.link.view().round == 0);
    until_settled(&[&first]);
    until_horizons_rise(&[&first]);
    let [second, third] = [Node::join(&database, &redis), Node::join(&database, &redis)];
    let all = [&first, &second, &third];
    until_settled(&all);
    talk(&all);
    until_horizons_rise(&all);

    let before = first.link.view().round;
    redis.kill9().unwrap();
    until("the loss is noticed", || all.iter().all(|node| !node.link.is_settled()));
    assert!(all.iter().all(|node| node.link.is_joined()), "nobody is judged meanwhile");
    assert_ne!(second.link.send(first.link.me(), letter(9)), 0);
    redis.restart().unwrap();
    until("a new round", || all.iter().all(|node| node.link.view().round > before));
    until_settled(&all);
    talk(&all);
    until_horizons_rise(&all);

    second.link.renew();
    let before = first.link.view().round;
    until("a new round", || first.link.view().round > before);
    until_settled(&all);

    // One that ends without a goodbye is found silent. Its store may write nothing any more.
    let Node { link, store, ear, .. } = third;
    drop(link);
    until_settled(&[&first, &second]);
    assert_eq!(block_on(first.store.open_epochs()).unwrap(), [first.link.me(), second.link.me()]);
    block_on(store.superseded());
    assert!(!ear.0.lock().unwrap().is_fenced, "its link was gone by then");
    talk(&[&first, &second]);

    // One that says goodbye is not waited for.
    let start = Instant::now();
    block_on(second.link.leave());
    assert!(!second.link.is_joined());
    until("alone", || first.link.view().nodes.len() == 1);
    assert!(start.elapsed() < crate::link::SILENT_MAX, "{:?}", start.elapsed());
    until_horizons_rise(&[&first]);
    assert_ne!(first.link.metrics().link_fences.get() + second.link.metrics().link_fences.get(), 0);

    // One that was put out is told so.
    let fourth = Node::join(&database, &redis);
    until_settled(&[&first, &fourth]);
    block_on(first.store.fence(fourth.link.me())).unwrap();
    until("it is told", || fourth.ear.0.lock().unwrap().is_fenced);
    assert!(!fourth.link.is_joined());
    until_settled(&[&first]);
}

#[test]
fn a_node_alone_goes_on_without_redis() {
    let database = Database::start().unwrap();
    let mut redis = Redis::start().unwrap();
    let node = Node::join(&database, &redis);
    until_settled(&[&node]);
    redis.kill9().unwrap();
    until("the loss is noticed", || !node.link.is_settled());
    let round = node.link.view().round;
    let issued = node.watermark.issue(node.watermark.current() + 5_000_000);
    let stamp = issued.stamp();
    drop(issued);
    until("the store vouches for it", || {
        node.watermark.tick(stamp);
        node.link.horizon() >= stamp
    });
    assert!(node.link.is_joined() && node.link.view().round == round);
    redis.restart().unwrap();
    until_settled(&[&node]);
}
