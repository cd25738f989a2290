//! The writing: each writer takes a batch, judges it, commits it in one transaction, and has its callers told.
//!
//! A batch costs one statement for each table, however many appends are in it. Its versions, its claims and its epoch are
//! compared and set in that transaction: what another node changed meanwhile makes the batch begin anew. A connection that is
//! lost is made again; whether the last commit took effect is then read from the node's own row, so that nothing is
//! doubtful as long as PostgreSQL comes back in time. Not here: the judging (`changes`), and which orders go together (`queue`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::Shared;
use super::changes::{self, Changes, Found};
use super::columns;
use super::connection::{Connection, Query, Write, fault, number};
use super::queue::{Batch, Verdict};
use crate::store::{AppendError, REQUEST_MEMORY_US, StoreFault, keys};

/// Writing connections: while one batch is being synced the next is on its way. Measured: two do better than one or four.
pub(super) const LANES: i16 = 2;

/// How long one try may take: above what the server allows a statement (10 s), so that the server's word is heard.
const TRY_WAIT: Duration = Duration::from_secs(12);

/// The pause before the next try after a lost connection.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How often a batch begins anew because others changed what it had read. Each time somebody else got on, so a few are plenty.
const RACES_MAX: usize = 20;

/// After so many new requests old ones are swept: seldom enough that finding the place costs nothing.
const SWEEP_AFTER_REQUESTS: usize = 256;

/// Old requests swept for each new one, so that a backlog shrinks whatever the load is.
const SWEPT_PER_REQUEST: usize = 2;

/// Writes until the queue is closed and empty.
pub(super) async fn run(shared: &Arc<Shared>) {
    let write = async |lane| {
        let mut writer =
            Writer { shared: Arc::clone(shared), lane, connection: None, batch: 0, doubt: None, requests: 0 };
        while let Some(batch) = shared.queue.take().await {
            let outcome = writer.write(&batch).await;
            if let Err(fault) = &outcome {
                tracing::warn!(%fault, "appends failed");
            }
            shared.queue.finish(batch, outcome);
        }
    };
    const { assert!(LANES == 2, "as many as are run here") };
    tokio::join!(write(0), write(1));
}

/// Why a try came to nothing.
enum Failed {
    /// Somebody else changed what was read, or locked it the other way round.
    Raced(StoreFault),
    /// The connection is gone, or PostgreSQL cannot go on.
    Lost(StoreFault),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let is_race = error.code().is_some_and(|code| {
            [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code)
        });
        if is_race { Self::Raced(fault(&error)) } else { Self::Lost(fault(&error)) }
    }
}

/// One of the writing connections.
struct Writer {
    shared: Arc<Shared>,
    lane: i16,
    connection: Option<Connection>,
    /// The number of the newest batch, as it stands in the node's row when it took effect.
    batch: i64,
    /// What the callers hear should the commit whose answer was lost have taken effect.
    doubt: Option<(Vec<Verdict>, u64)>,
    /// Requests claimed since the last sweep.
    requests: usize,
}

impl Writer {
    async fn write(&mut self, batch: &Batch) -> Result<Vec<Verdict>, StoreFault> {
        let deadline = batch.since() + self.shared.patience;
        self.batch += 1;
        let mut races = 0;
        let outcome = loop {
            let failed = match timeout(TRY_WAIT, self.try_once(batch)).await {
                Ok(Ok(verdicts)) => break Ok(verdicts),
                Ok(Err(failed)) => failed,
                Err(_) => Failed::Lost(StoreFault(format!("PostgreSQL answers nothing within {TRY_WAIT:?}"))),
            };
            match failed {
                Failed::Raced(_) if races < RACES_MAX => races += 1,
                Failed::Raced(fault) => break Err(fault),
                Failed::Lost(fault) => {
                    self.connection = None;
                    if Instant::now() >= deadline {
                        break Err(fault);
                    }
                    sleep(AGAIN_AFTER).await;
                }
            }
        };
        self.doubt = None;
        outcome
    }

    async fn try_once(&mut self, batch: &Batch) -> Result<Vec<Verdict>, Failed> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.shared.config).await.map_err(Failed::Lost)?);
        }
        if self.doubt.is_some()
            && let Some(verdicts) = self.resolve().await?
        {
            return Ok(verdicts);
        }
        let Some(connection) = &self.connection else {
            return Err(Failed::Lost(StoreFault("unconnected".into())));
        };
        let found = find(connection, batch).await?;
        let (verdicts, changes) = changes::judge(batch, &found).map_err(Failed::Lost)?;
        if changes.are_none() {
            return Ok(verdicts);
        }
        let sweep = self.requests + changes.requests >= SWEEP_AFTER_REQUESTS;
        let requests = if sweep { self.requests + changes.requests } else { 0 };
        let transaction =
            Transaction { shared: &self.shared, lane: self.lane, number: self.batch, connection };
        match transaction.write(&changes, requests).await {
            Ok(Written::Fits) => {}
            Ok(Written::Raced) => {
                connection.say("ROLLBACK").await?;
                return Err(Failed::Raced(StoreFault("others change the same rows all the time".into())));
            }
            Ok(Written::Fenced) => {
                connection.say("ROLLBACK").await?;
                return Ok(self.fenced(verdicts));
            }
            Err(error) => {
                // Where the connection is gone there is nothing left to roll back.
                drop(connection.say("ROLLBACK").await);
                return Err(error.into());
            }
        }
        self.doubt = Some((verdicts, changes.stamp));
        connection.say("COMMIT").await?;
        self.requests = if sweep { 0 } else { self.requests + changes.requests };
        Ok(self.committed())
    }

    /// Finds out over a new connection whether the last commit took effect. `None`: it did not, and never will.
    async fn resolve(&mut self) -> Result<Option<Vec<Verdict>>, Failed> {
        let Some(connection) = &self.connection else { return Ok(None) };
        let epoch = signed(self.shared.epoch);
        let rows = connection.query(Query::LastBatch, &[&epoch, &self.lane]).await?;
        match rows.first().map(|row| row.get::<_, i64>(0)) {
            Some(batch) if batch == self.batch => Ok(Some(self.committed())),
            Some(_) => {
                self.doubt = None;
                Ok(None)
            }
            // The row went with the epoch, and with it the answer.
            None => {
                let doubtful = StoreFault("the epoch ended while a commit was under way".into());
                let (verdicts, _) = self.doubt.take().unwrap_or_default();
                let fault = |verdict: Verdict| verdict.and(Err(AppendError::Fault(doubtful.clone())));
                self.shared.end();
                Ok(Some(verdicts.into_iter().map(fault).collect()))
            }
        }
    }

    fn committed(&mut self) -> Vec<Verdict> {
        let (verdicts, stamp) = self.doubt.take().unwrap_or_default();
        self.shared.last_stamp.fetch_max(stamp, Ordering::AcqRel);
        verdicts
    }

    fn fenced(&self, verdicts: Vec<Verdict>) -> Vec<Verdict> {
        self.shared.end();
        let fenced = AppendError::Fenced { epoch: self.shared.epoch };
        verdicts.into_iter().map(|verdict| verdict.and(Err(fenced.clone()))).collect()
    }
}

/// Reads what the appends of a batch are judged by.
async fn find(connection: &Connection, batch: &Batch) -> Result<Found, Error> {
    let mut aggregates: Vec<_> = batch.appends().map(|append| append.aggregate).collect();
    aggregates.sort_unstable();
    aggregates.dedup();
    let mut uniques: Vec<Vec<u8>> = batch.appends().flat_map(changes::uniques).collect();
    uniques.sort_unstable();
    uniques.dedup();
    let owners = columns::owners(&aggregates);
    let versions = async {
        if aggregates.is_empty() {
            return Ok(Vec::new());
        }
        connection.query(Query::Versions, &[&owners.ids, &owners.kinds]).await
    };
    let holders = async {
        if uniques.is_empty() {
            return Ok(Vec::new());
        }
        connection.query(Query::Holders, &[&uniques]).await
    };
    let (versions, holders) = tokio::join!(versions, holders);
    let mut found = Found::default();
    for row in versions? {
        let kind = u8::try_from(row.get::<_, i16>(1)).unwrap_or_default();
        if let Some(aggregate) = keys::owned(row.get(0), kind) {
            found.versions.insert(aggregate, number(row.get(2)));
        }
    }
    for row in holders? {
        let value = bytes::Bytes::copy_from_slice(row.get(2));
        found.holders.insert(row.get(0), (number(row.get(1)), value));
    }
    Ok(found)
}

/// How a transaction stands before its commit.
enum Written {
    /// Everything is as it was read.
    Fits,
    /// Something is not.
    Raced,
    /// The epoch is over.
    Fenced,
}

struct Transaction<'a> {
    shared: &'a Shared,
    lane: i16,
    number: i64,
    connection: &'a Connection,
}

impl Transaction<'_> {
    /// Sends everything without waiting in between, then looks whether each row was there as it had been read.
    async fn write(&self, changes: &Changes, requests: usize) -> Result<Written, Error> {
        let (epoch, stamp) = (signed(self.shared.epoch), signed(changes.stamp));
        let too_old = changes.stamp.checked_sub(REQUEST_MEMORY_US).map(signed).unwrap_or_default();
        let portion = i64::try_from(requests * SWEPT_PER_REQUEST).unwrap_or(i64::MAX);
        let columns = columns::of(changes);
        let mut writes = vec![Write {
            query: Query::Node,
            params: vec![&epoch, &self.lane, &stamp, &self.number],
            concerns: Some(1),
        }];
        writes.extend(columns.writes());
        if requests > 0 && too_old > 0 {
            writes.push(Write { query: Query::Sweep, params: vec![&too_old, &portion], concerns: None });
        }
        let concerned = self.connection.write(&writes).await?;
        let fits =
            |(write, rows): (&Write<'_>, &u64)| write.concerns.is_none_or(|expected| expected == *rows);
        let mut results = writes.iter().zip(&concerned).map(fits);
        Ok(match (results.next(), results.all(|fits| fits)) {
            (Some(true), true) => Written::Fits,
            (Some(true), false) => Written::Raced,
            (Some(false) | None, _) => Written::Fenced,
        })
    }
}

/// A stamp or an epoch as PostgreSQL keeps it: both stay far below 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
