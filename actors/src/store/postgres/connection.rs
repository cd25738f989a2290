//! One connection to PostgreSQL: how it is made, what it is told first, and every statement that is used over it.
//!
//! Statements are prepared once for each connection. Over one connection any number of reads can be under way at once: they
//! are sent without waiting for each other. Not here: which connections there are (`readers`, `writer`).

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row, Statement};

use super::OpenError;
use crate::store::StoreFault;

/// How long a connection may take until it can be used. A server that is there answers within milliseconds; one that has far
/// too much to do gets on all the same.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// How long what was sent may stay unacknowledged before the connection counts as lost. A network that is away for longer
/// is not waited for: another connection may get through.
const UNACKNOWLEDGED_WAIT: Duration = Duration::from_secs(5);

/// What a connection is told first.
///
/// Every statement finds its rows by their keys. A plan that was made while a table was small would read all of it, and
/// stay when it has grown: so such plans are ruled out. The table of one row has no other, and its plan looks so dear that PostgreSQL
/// would compile it each time, for a tenth of a second and more: it is not to compile anything. A node that stands still in the middle
/// of a transaction must not hold its locks for ever, and nobody waits longer than the callers do.
const SETTINGS: &str = "
    SET synchronous_commit = on;
    SET statement_timeout = '10s';
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '1s';
    SET jit = off;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
";

macro_rules! queries {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        /// A statement of the store.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum Query {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Query {
            const ALL: &[Self] = &[$(Self::$name),+];

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

queries! {
    /// An aggregate's version with its rows in key order; one row without a key when it has none.
    Load = "SELECT a.version, r.key, r.value FROM rill_aggregate a
        LEFT JOIN rill_row r ON r.id = a.id AND r.kind = a.kind
        WHERE a.id = $1 AND a.kind = $2 ORDER BY r.key";
    /// One row that is read with its aggregate.
    Row = "SELECT value FROM rill_row WHERE id = $1 AND kind = $2 AND key = $3";
    /// One row that is not.
    Slot = "SELECT value FROM rill_slot WHERE id = $1 AND kind = $2 AND key = $3";
    /// Slots upwards.
    Ascending = "SELECT key, value FROM rill_slot
        WHERE id = $1 AND kind = $2 AND key >= $3 AND key <= $4 ORDER BY key LIMIT $5";
    /// Slots downwards.
    Descending = "SELECT key, value FROM rill_slot
        WHERE id = $1 AND kind = $2 AND key >= $3 AND key <= $4 ORDER BY key DESC LIMIT $5";
    /// Everything unsettled.
    Outbox = "SELECT id, kind, version, place, target, target_kind, payload FROM rill_outbox
        ORDER BY id, kind, version, place";
    /// The versions of aggregates that exist.
    Versions = "SELECT a.id, a.kind, a.version FROM unnest($1::uuid[], $2::smallint[]) AS w (id, kind)
        JOIN rill_aggregate a ON a.id = w.id AND a.kind = w.kind";
    /// The holders of keys that are held.
    Holders = "SELECT key, stamp, value FROM rill_holder WHERE key = ANY($1::bytea[])";
    /// The epoch goes on, and this batch is its newest. No row: it is over.
    Node = "UPDATE rill_node SET stamp = GREATEST(stamp, $3), batch = $4 WHERE epoch = $1 AND lane = $2";
    /// Which batch was the newest; waits for one that is still being written.
    LastBatch = "SELECT batch FROM rill_node WHERE epoch = $1 AND lane = $2 FOR UPDATE";
    /// Aggregates that begin to exist.
    Begin = "INSERT INTO rill_aggregate (id, kind, version)
        SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) ON CONFLICT DO NOTHING";
    /// Aggregates that go from one version to another.
    Move = "UPDATE rill_aggregate AS a SET version = n.version
        FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::bigint[]) AS n (id, kind, found, version)
        WHERE a.id = n.id AND a.kind = n.kind AND a.version = n.found";
    /// Keys that nobody held.
    Claim = "INSERT INTO rill_holder (key, stamp, value)
        SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING";
    /// Keys that were held, and are held otherwise now.
    Reclaim = "UPDATE rill_holder AS h SET stamp = n.stamp, value = n.value
        FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[])
            AS n (key, found_stamp, found, stamp, value)
        WHERE h.key = n.key AND h.stamp = n.found_stamp AND h.value = n.found";
    /// Keys that are let go.
    Release = "DELETE FROM rill_holder AS h
        USING unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS n (key, found_stamp, found)
        WHERE h.key = n.key AND h.stamp = n.found_stamp AND h.value = n.found";
    /// Rows to insert or replace.
    PutRows = "INSERT INTO rill_row (id, kind, key, value)
        SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::bytea[])
        ON CONFLICT (id, kind, key) DO UPDATE SET value = excluded.value";
    /// Rows to remove.
    DropRows = "DELETE FROM rill_row AS r
        USING unnest($1::uuid[], $2::smallint[], $3::bytea[]) AS n (id, kind, key)
        WHERE r.id = n.id AND r.kind = n.kind AND r.key = n.key";
    /// Slots to insert or replace.
    PutSlots = "INSERT INTO rill_slot (id, kind, key, value)
        SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bytea[], $4::bytea[])
        ON CONFLICT (id, kind, key) DO UPDATE SET value = excluded.value";
    /// Slots to remove.
    DropSlots = "DELETE FROM rill_slot AS r
        USING unnest($1::uuid[], $2::smallint[], $3::bytea[]) AS n (id, kind, key)
        WHERE r.id = n.id AND r.kind = n.kind AND r.key = n.key";
    /// Consequences.
    Effect = "INSERT INTO rill_outbox (id, kind, version, place, target, target_kind, payload)
        SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::integer[], $5::uuid[],
            $6::smallint[], $7::bytea[])";
    /// Consequences that are durable where they belong.
    Settle = "DELETE FROM rill_outbox AS o
        USING unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::integer[]) AS n (id, kind, version, place)
        WHERE o.id = n.id AND o.kind = n.kind AND o.version = n.version AND o.place = n.place";
    /// Some of the requests that are too old. Those that somebody else is at are left for the next time.
    Sweep = "DELETE FROM rill_holder WHERE key IN (
            SELECT key FROM rill_holder WHERE key < '\\x02'::bytea AND stamp <= $1
            ORDER BY stamp LIMIT $2 FOR UPDATE SKIP LOCKED)";
    /// Whose epochs go on.
    OpenEpochs = "SELECT DISTINCT epoch FROM rill_node ORDER BY epoch";
    /// Ends an epoch and keeps the highest stamp that it had, which it answers. Waits for what the epoch is writing.
    Fence = "WITH gone AS (DELETE FROM rill_node WHERE epoch = $1 RETURNING stamp)
        UPDATE rill_meta SET last_stamp = GREATEST(last_stamp, (SELECT COALESCE(MAX(stamp), 0) FROM gone))
        RETURNING last_stamp";
    /// Whether an epoch goes on.
    IsOn = "SELECT 1 FROM rill_node WHERE epoch = $1";
}

/// A statement of a transaction.
pub(super) struct Write<'a> {
    pub(super) query: Query,
    pub(super) params: Vec<&'a (dyn ToSql + Sync)>,
    /// How many rows it must concern for everything to be as it was read; `None`: it does not matter.
    pub(super) concerns: Option<u64>,
}

/// Reads where the database is.
pub(super) fn config(url: &str) -> Result<Config, OpenError> {
    let mut config: Config = url.parse().map_err(|error: Error| OpenError::Url(describe(&error)))?;
    if config.get_ssl_mode() == SslMode::Require {
        let reason = "it asks for TLS, which this server does not speak to PostgreSQL: use a Unix socket, a private network \
                      or a tunnel";
        return Err(OpenError::Url(reason.to_owned()));
    }
    config.ssl_mode(SslMode::Disable);
    config.connect_timeout(CONNECT_WAIT).tcp_user_timeout(UNACKNOWLEDGED_WAIT);
    if config.get_application_name().is_none() {
        config.application_name("rill");
    }
    Ok(config)
}

/// A connection whose tables may be missing, and its task.
pub(super) async fn connect(config: &Config) -> Result<(Client, Task), Error> {
    let (client, connection) = config.connect(NoTls).await?;
    let task = tokio::spawn(async move {
        // Whoever uses it is told as well.
        if let Err(error) = connection.await {
            tracing::debug!(error = describe(&error), "a connection to PostgreSQL ended");
        }
    });
    let task = Task(task);
    client.batch_execute(SETTINGS).await?;
    Ok((client, task))
}

/// Carries a connection's bytes; ends with it, whatever the server does.
pub(super) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection with every statement prepared.
pub(super) struct Connection {
    client: Client,
    statements: Vec<Statement>,
    _task: Task,
}

impl Connection {
    /// Connects within a bounded time.
    pub(super) async fn open(config: &Config) -> Result<Self, StoreFault> {
        let open = async {
            let (client, task) = connect(config).await?;
            let mut statements = Vec::with_capacity(Query::ALL.len());
            for query in Query::ALL {
                statements.push(client.prepare(query.text()).await?);
            }
            Ok(Self { client, statements, _task: task })
        };
        match tokio::time::timeout(CONNECT_WAIT, open).await {
            Ok(opened) => opened.map_err(|error: Error| fault(&error)),
            Err(_) => Err(StoreFault(format!("PostgreSQL takes no connection within {CONNECT_WAIT:?}"))),
        }
    }

    /// Whether nothing more can be sent.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Reads.
    pub(super) async fn query(
        &self,
        query: Query,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        self.client.query(&self.statements[query as usize], params).await
    }

    /// Begins a transaction and sends all of its writes before the first is answered. Says of each how many rows it
    /// concerned.
    pub(super) async fn write(&self, writes: &[Write<'_>]) -> Result<Vec<u64>, Error> {
        let mut begin = pin!(self.say("BEGIN"));
        // A statement goes out when its future is asked for the first time: in this order.
        let under_way = writes.iter().map(|write| {
            let statement = &self.statements[write.query as usize];
            Box::pin(self.client.execute(statement, &write.params))
        });
        let mut under_way: Vec<_> = under_way.collect();
        let mut answers: Vec<Option<Result<u64, Error>>> = under_way.iter().map(|_| None).collect();
        let mut begun = None;
        poll_fn(|cx| {
            if begun.is_none() {
                begun = ready(begin.as_mut().poll(cx));
            }
            for (under_way, answer) in under_way.iter_mut().zip(&mut answers) {
                if answer.is_none() {
                    *answer = ready(under_way.as_mut().poll(cx));
                }
            }
            let is_done = begun.is_some() && answers.iter().all(Option::is_some);
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        begun.unwrap_or(Ok(()))?;
        answers.into_iter().flatten().collect()
    }

    /// One write of a transaction that was begun by itself.
    pub(super) async fn execute(&self, write: &Write<'_>) -> Result<u64, Error> {
        self.client.execute(&self.statements[write.query as usize], &write.params).await
    }

    /// A statement that is used once; says how many rows it concerned.
    pub(super) async fn run(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        self.client.execute(sql, params).await
    }

    /// The rows of a statement that is used once.
    pub(super) async fn fetch(&self, sql: &str) -> Result<Vec<Row>, Error> {
        self.client.query(sql, &[]).await
    }

    /// BEGIN, COMMIT, ROLLBACK.
    pub(super) async fn say(&self, word: &'static str) -> Result<(), Error> {
        self.client.batch_execute(word).await
    }
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// What PostgreSQL's error is to a caller of the store.
pub(super) fn fault(error: &Error) -> StoreFault {
    StoreFault(format!("PostgreSQL: {}", describe(error)))
}

/// An error in one line: with what the server said, without what was sent to it.
pub(super) fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// A number that was never negative when it was written.
pub(super) fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
