//! The store in PostgreSQL against the contract, and what only it has: its schema, its epochs, a server that goes away.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;

use rill_loadtest::postgres::Postgres as Server;
use rill_proto::id::AccountId;
use uuid::Uuid;

use super::*;
use crate::store::contract::{Place, account, append, chat, contract_tests, head, start, step};
use crate::store::embedded::Embedded;
use crate::store::{AppendError, REQUEST_MEMORY_US};

/// One server for all tests of this binary, ended with it. Each test has tables of its own.
static SERVER: OnceLock<Server> = OnceLock::new();

/// How long a store waits for its server where a test is not about that: longer than the busiest machine needs.
const AS_LONG_AS_IT_TAKES: Duration = Duration::from_secs(120);

static NEXT: AtomicU32 = AtomicU32::new(0);

struct Part {
    name: String,
    url: String,
}

impl Part {
    fn new() -> Self {
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let url = server().part(&name).unwrap();
        Self { name, url }
    }

    /// Runs a statement on this test's tables.
    fn sql(&self, statement: &str) -> String {
        server().sql(&format!("SET search_path = {}; {statement}", self.name)).unwrap()
    }
}

impl Place for Part {
    type Store = Postgres;

    fn open(&self) -> Arc<Postgres> {
        Postgres::open_with(&self.url, schema::STEPS, Others::End, AS_LONG_AS_IT_TAKES).unwrap()
    }
}

fn server() -> &'static Server {
    SERVER.get_or_init(|| Server::start().unwrap())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

mod contract {
    use super::Part;

    super::contract_tests!(Part::new());
}

#[test]
fn a_url_that_says_nothing_useful_is_refused_without_its_password() {
    for url in [
        "postgres://rill:geheim@host/db?port=x",
        "http://rill:geheim@host",
        "postgres://h/db?sslmode=require",
    ] {
        let error = Postgres::open(url).unwrap_err();
        assert!(matches!(error, OpenError::Url(_)), "{error}");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_in_one_line() {
    let error = Postgres::open("postgres:///rill?user=rill&host=/nowhere").unwrap_err();
    assert!(matches!(error, OpenError::Database(_)), "{error}");
    assert_eq!(error.to_string().lines().count(), 1);
}

const MARK: &str = "CREATE TABLE mark (text text); INSERT INTO mark VALUES ('two')";
const RENAME: &str = "UPDATE mark SET text = text || ', then three'";
const FAIL: &str = "UPDATE mark SET text = 'half done'; SELECT 1 / 0";

/// A store with the steps of today and some more.
fn open_with(part: &Part, more: &[&'static str]) -> Result<Arc<Postgres>, OpenError> {
    let steps: Vec<&'static str> = schema::STEPS.iter().chain(more).copied().collect();
    Postgres::open_with(&part.url, steps.leak(), Others::End, PATIENCE)
}

#[test]
fn an_older_schema_is_brought_forward_step_by_step_and_a_newer_one_refused() {
    let part = Part::new();
    let today = schema::newest(schema::STEPS);
    let store = open_with(&part, &[]).unwrap();
    block_on(append(&*store, head(chat(1), 0, "kept"))).unwrap();
    drop(store);
    drop(open_with(&part, &[MARK]).unwrap());
    let store = open_with(&part, &[MARK, RENAME]).unwrap();
    assert_eq!(part.sql("SELECT text FROM mark"), "two, then three");
    assert_eq!(block_on(store.row(chat(1), RowKey::Head)).unwrap().unwrap(), "kept");
    drop(store);
    let old_binary = open_with(&part, &[MARK]).unwrap_err();
    assert!(
        matches!(old_binary, OpenError::Newer { found, known } if found == today + 2 && known == today + 1)
    );
    let failed = open_with(&part, &[MARK, RENAME, FAIL]).unwrap_err();
    assert!(matches!(failed, OpenError::Database(_)), "{failed}");
    drop(open_with(&part, &[MARK, RENAME]).unwrap());
    assert_eq!(part.sql("SELECT text FROM mark"), "two, then three", "a step that fails changes nothing");
}

#[test]
fn nodes_that_make_the_tables_at_once_agree() {
    let part = Part::new();
    let openings: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| part.open())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let last = openings.iter().max_by_key(|store| store.epoch()).unwrap();
    assert!(openings.iter().all(|store| store.secret() == last.secret()));
    let mut epochs: Vec<_> = openings.iter().map(|store| store.epoch()).collect();
    epochs.sort_unstable();
    assert_eq!(epochs, [1, 2, 3, 4]);
    block_on(append(&**last, head(chat(1), 0, "one"))).unwrap();
}

#[test]
fn a_later_opening_fences_an_earlier_one_which_hears_of_it() {
    let part = Part::new();
    let earlier = part.open();
    block_on(append(&*earlier, head(chat(1), 0, "one"))).unwrap();
    let later = part.open();
    let fenced = Err(AppendError::Fenced { epoch: earlier.epoch() });
    assert_eq!(block_on(append(&*earlier, head(chat(1), 1, "two"))), fenced);
    assert_eq!(block_on(append(&*earlier, head(chat(2), 0, "new"))), fenced);
    block_on(earlier.superseded());
    block_on(append(&*later, head(chat(1), 1, "later"))).unwrap();
    assert_eq!(block_on(earlier.row(chat(1), RowKey::Head)).unwrap().unwrap(), "later");
    // One that writes nothing hears of it as well.
    let last = part.open();
    block_on(later.superseded());
    drop(last);
}

/// Two nodes of a cluster, and what each of them got when both asked for the same at once.
fn contend<T: Send>(part: &Part, ask: impl Fn(&Postgres, &'static str) -> Vec<T> + Sync) -> [Vec<T>; 2] {
    let join = || Postgres::open_with(&part.url, schema::STEPS, Others::GoOn, AS_LONG_AS_IT_TAKES).unwrap();
    let nodes = [join(), join()];
    assert_ne!(nodes[0].epoch(), nodes[1].epoch());
    std::thread::scope(|scope| {
        let asking =
            [(&nodes[0], "left"), (&nodes[1], "right")].map(|(node, name)| scope.spawn(|| ask(node, name)));
        asking.map(|asking| asking.join().unwrap())
    })
}

#[test]
fn of_two_nodes_exactly_one_gets_each_version() {
    const VERSIONS: u64 = 150;
    let part = Part::new();
    let won = contend(&part, |node, name| {
        let mut won = Vec::new();
        for version in 0..VERSIONS {
            let slot = (RowKey::Slot(version + 1), name.into());
            match block_on(append(node, Append { put: vec![slot], ..step(chat(1), version) })) {
                Ok(()) => won.push(version + 1),
                Err(AppendError::Moved { expected, found }) => assert!(found > expected),
                Err(other) => panic!("{other}"),
            }
        }
        won
    });
    let store = part.open();
    for slot in 1..=VERSIONS {
        assert!(won[0].contains(&slot) != won[1].contains(&slot), "version {slot} went to one of them");
        let winner = if won[0].contains(&slot) { "left" } else { "right" };
        assert_eq!(block_on(store.row(chat(1), RowKey::Slot(slot))).unwrap().unwrap(), winner);
    }
}

#[test]
fn of_two_nodes_exactly_one_gets_each_key() {
    const KEYS: u128 = 150;
    let part = Part::new();
    let won = contend(&part, |node, name| {
        let owner = if name == "left" { 0 } else { KEYS };
        let claims = (0..KEYS).map(|number| {
            let key = UniqueKey::Email(format!("{number}@example.org"));
            start(node, Append { claim: vec![(key, name.into())], ..step(account(owner + number), 0) })
        });
        let told: Vec<_> = claims.collect();
        told.into_iter().map(|told| block_on(told).unwrap().is_ok()).collect()
    });
    let store = part.open();
    for number in 0..KEYS {
        let place = usize::try_from(number).unwrap();
        assert!(won[0][place] != won[1][place], "key {number} went to one of them");
        let holder =
            block_on(store.holder(UniqueKey::Email(format!("{number}@example.org")))).unwrap().unwrap();
        assert_eq!(holder, if won[0][place] { "left" } else { "right" });
        let loser = account(if won[0][place] { KEYS + number } else { number });
        assert_eq!(block_on(store.load(loser)).unwrap(), None);
    }
}

#[test]
fn a_node_that_is_taken_for_dead_writes_nothing_with_its_old_epoch_and_joins_again() {
    let part = Part::new();
    let [dead, alive] = [Postgres::join(&part.url).unwrap(), Postgres::join(&part.url).unwrap()];
    block_on(append(&*dead, Append { stamp: 900, ..head(chat(1), 0, "one") })).unwrap();
    block_on(append(&*alive, head(chat(2), 0, "beside it"))).unwrap();
    assert_eq!(block_on(alive.open_epochs()).unwrap(), [dead.epoch(), alive.epoch()]);
    block_on(alive.fence(dead.epoch())).unwrap();
    assert_eq!(block_on(alive.open_epochs()).unwrap(), [alive.epoch()]);
    assert_eq!(alive.last_stamp(), 900, "who ends an epoch knows how far it got");
    let fenced = Err(AppendError::Fenced { epoch: dead.epoch() });
    assert_eq!(block_on(append(&*dead, head(chat(1), 1, "late"))), fenced);
    block_on(dead.superseded());
    block_on(append(&*alive, head(chat(2), 1, "goes on"))).unwrap();
    let again = Postgres::join(&part.url).unwrap();
    assert!(again.epoch() > alive.epoch());
    assert_eq!(again.last_stamp(), 900, "stamps of an epoch that has ended count");
    block_on(append(&*again, head(chat(1), 1, "two"))).unwrap();
}

/// A store that waits so long for its server.
fn open_patient(server: &Server, patience: Duration) -> Arc<Postgres> {
    Postgres::open_with(&server.url(), schema::STEPS, Others::End, patience).unwrap()
}

#[test]
fn a_killed_backend_costs_nobody_an_answer() {
    let server = Server::start().unwrap();
    let store = open_patient(&server, AS_LONG_AS_IT_TAKES);
    let mut told = Vec::new();
    for version in 0..2_000 {
        told.push(start(&*store, numbered(version)));
        if version % 500 == 250 {
            block_on(told.pop().unwrap()).unwrap().unwrap();
            server.kill_backends().unwrap();
        }
    }
    for told in told {
        block_on(told).unwrap().unwrap();
    }
    assert_whole(&store, 2_000);
}

#[test]
fn a_server_that_restarts_in_time_costs_nobody_an_answer() {
    let mut server = Server::start().unwrap();
    let store = open_patient(&server, AS_LONG_AS_IT_TAKES);
    let mut version = 0;
    let mut under_way = |count: u64| {
        let told: Vec<_> =
            (version..version + count).map(|version| start(&*store, numbered(version))).collect();
        version += count;
        told
    };
    for ending in [Server::kill9, Server::stop] {
        let told = under_way(300);
        ending(&mut server).unwrap();
        let behind = under_way(10);
        server.restart().unwrap();
        for told in told.into_iter().chain(behind) {
            block_on(told).unwrap().unwrap();
        }
    }
    assert_whole(&store, 620);
}

/// The append that makes a version of one conversation.
fn numbered(version: u64) -> Append {
    let text = Bytes::from(format!("{} {}", version + 1, "x".repeat(200)));
    let request = UniqueKey::Request(AccountId(Uuid::nil()), Uuid::from_u128(version.into()));
    Append {
        put: vec![(RowKey::Head, text.clone()), (RowKey::Slot(version + 1), text.clone())],
        claim: vec![(request, text)],
        ..step(chat(1), version)
    }
}

fn assert_whole(store: &Postgres, versions: u64) {
    let loaded = block_on(store.load(chat(1))).unwrap().unwrap();
    assert_eq!(loaded.version, versions);
    let id = ConversationId(Uuid::from_u128(1));
    let slots = block_on(store.slots(id, 0, u64::MAX, usize::MAX, Direction::Ascending)).unwrap();
    let numbers = slots.iter().map(|(number, _)| *number);
    assert!(numbers.eq(1..=versions));
    assert!(slots.iter().all(|(number, text)| text.starts_with(format!("{number} ").as_bytes())));
}

#[test]
fn while_the_server_is_away_there_are_faults_and_afterwards_it_goes_on() {
    let mut server = Server::start().unwrap();
    let store = open_patient(&server, PATIENCE);
    block_on(append(&*store, numbered(0))).unwrap();
    server.stop().unwrap();
    let begun = std::time::Instant::now();
    let told =
        [numbered(1), numbered(2), head(account(1), 0, "another")].map(|append| start(&*store, append));
    let read = block_on(store.load(chat(1)));
    assert!(read.is_err(), "{read:?}");
    for told in told {
        assert!(matches!(block_on(told).unwrap(), Err(AppendError::Fault(_))));
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    server.restart().unwrap();
    assert_whole(&store, 1);
    block_on(append(&*store, numbered(1))).unwrap();
    assert_whole(&store, 2);
}

#[test]
fn swept_requests_leave_nothing_behind() {
    let part = Part::new();
    let store = part.open();
    let claim = |number: u64, stamp| {
        let request = Uuid::from_u128(u128::from(number));
        let key = UniqueKey::Request(AccountId(Uuid::nil()), request);
        Append { stamp, claim: vec![(key, Bytes::new())], ..step(chat(1), number) }
    };
    let late = 1000 + REQUEST_MEMORY_US;
    // Portion by portion: what is swept is bounded by what is claimed meanwhile.
    for (from, stamp) in [(0, 1), (300, late), (600, late), (900, late)] {
        let told: Vec<_> =
            (from..from + 300).map(|number| start(&*store, claim(number, stamp + number))).collect();
        told.into_iter().for_each(|told| block_on(told).unwrap().unwrap());
    }
    assert_eq!(part.sql("SELECT count(*) FROM rill_holder"), "900");
}

/// A folder's store with an entry of every kind, and some more.
fn filled(folder: &std::path::Path) -> Arc<Embedded> {
    let store = Embedded::open(folder).unwrap();
    for version in 0..40 {
        let effect = vec![(account(7), Bytes::from("effect"))];
        block_on(append(&*store, Append { outbox: effect, ..numbered(version) })).unwrap();
    }
    let text = RowKey::Text(rill_proto::id::MessageId(Uuid::from_u128(4)));
    let own = Append {
        put: vec![(RowKey::Head, Bytes::new()), (text, "text".into())],
        claim: vec![(UniqueKey::Email("a@b".into()), "one".into())],
        ..step(account(1), 0)
    };
    block_on(append(&*store, own)).unwrap();
    store
}

#[test]
fn a_copied_store_is_the_one_that_was_copied() {
    let (folder, part) = (tempfile::tempdir().unwrap(), Part::new());
    let original = filled(folder.path());
    let copied = copy(&original, &part.url).unwrap();
    let counts = copied.counts.map(|(_, count)| count);
    assert_eq!(counts, [2, 2, 41, 41, 40], "{copied}");
    let store = part.open();
    assert_eq!(store.secret(), original.secret());
    assert_eq!(store.last_stamp(), original.last_stamp());
    for aggregate in [chat(1), account(1)] {
        assert_eq!(block_on(store.load(aggregate)).unwrap(), block_on(original.load(aggregate)).unwrap());
    }
    assert_eq!(block_on(store.outbox()).unwrap(), block_on(original.outbox()).unwrap());
    assert_eq!(block_on(store.holder(UniqueKey::Email("a@b".into()))).unwrap().unwrap(), "one");
    assert_whole(&store, 40);
    block_on(append(&*store, numbered(40))).unwrap();
    assert!(matches!(copy(&original, &part.url), Err(CopyError::Occupied)));
    block_on(append(&*store, numbered(41))).unwrap();
    assert_whole(&store, 42);
}

#[test]
fn a_copy_that_is_not_like_the_original_is_undone() {
    let (folder, part) = (tempfile::tempdir().unwrap(), Part::new());
    let original = filled(folder.path());
    drop(part.open());
    // A table that swallows an entry: what a damaged disk or a meddling trigger would do.
    part.sql("CREATE RULE swallow AS ON INSERT TO rill_outbox WHERE new.version = 7 DO INSTEAD NOTHING");
    let refused = copy(&original, &part.url).unwrap_err();
    assert!(matches!(refused, CopyError::Differs { table: "consequences", .. }), "{refused}");
    part.sql("DROP RULE swallow ON rill_outbox");
    copy(&original, &part.url).unwrap();
}
