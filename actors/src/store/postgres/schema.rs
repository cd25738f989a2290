//! The tables of the PostgreSQL store, and the way from an older schema to today's.
//!
//! Steps go forward only and run when the store is opened, in one transaction with the new schema number. A store that
//! is newer than this binary is refused. Plain SQL, without advisory locks, triggers or functions of our own: databases
//! that speak PostgreSQL's protocol and spread tables over machines are to take it too, by the first column of each key.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::OpenError;
use super::connection::number;

/// How often the migration begins anew when several nodes of a fresh cluster make the tables at once. One of them wins
/// each time, so more than the nodes that start together is never needed.
pub(super) const ATTEMPTS_MAX: usize = 16;

/// The row that says what the store is. It is there before anything else.
const META: &str = "CREATE TABLE IF NOT EXISTS rill_meta (
    one boolean PRIMARY KEY CHECK (one),
    schema bigint NOT NULL,
    secret bytea NOT NULL,
    epoch bigint NOT NULL,
    last_stamp bigint NOT NULL
)";

/// The steps: `STEPS[0]` leads from nothing to schema 1, and so forth. Published steps never change.
pub(super) const STEPS: &[&str] = &["
    -- One row for each writing connection of each opening that is not over: who deletes them ends the epoch.
    CREATE TABLE rill_node (
        epoch bigint NOT NULL,
        lane smallint NOT NULL,
        stamp bigint NOT NULL,
        batch bigint NOT NULL,
        PRIMARY KEY (epoch, lane)
    );
    -- Ids and kinds of aggregates, and the keys of their rows, are those of the embedded store.
    CREATE TABLE rill_aggregate (
        id uuid NOT NULL,
        kind smallint NOT NULL,
        version bigint NOT NULL,
        PRIMARY KEY (id, kind)
    );
    CREATE TABLE rill_row (
        id uuid NOT NULL,
        kind smallint NOT NULL,
        key bytea NOT NULL,
        value bytea NOT NULL,
        PRIMARY KEY (id, kind, key)
    );
    -- Rows that are not read with their aggregate.
    CREATE TABLE rill_slot (
        id uuid NOT NULL,
        kind smallint NOT NULL,
        key bytea NOT NULL,
        value bytea NOT NULL,
        PRIMARY KEY (id, kind, key)
    );
    CREATE TABLE rill_holder (
        key bytea PRIMARY KEY,
        stamp bigint NOT NULL,
        value bytea NOT NULL
    );
    -- The keys of requests begin with 01.
    CREATE INDEX rill_request ON rill_holder (stamp) WHERE key < '\\x02'::bytea;
    CREATE TABLE rill_outbox (
        id uuid NOT NULL,
        kind smallint NOT NULL,
        version bigint NOT NULL,
        place integer NOT NULL,
        target uuid NOT NULL,
        target_kind smallint NOT NULL,
        payload bytea NOT NULL,
        PRIMARY KEY (id, kind, version, place)
    );
"];

/// The schema that a list of steps leads to.
pub(super) fn newest(steps: &[&str]) -> u64 {
    steps.len() as u64
}

enum Outcome {
    Done,
    Newer(u64),
}

/// Makes the tables where there are none, and runs the steps that the store has not seen.
pub(super) async fn migrate(client: &Client, steps: &[&str]) -> Result<(), OpenError> {
    for _ in 0..ATTEMPTS_MAX {
        match migrate_once(client, steps).await {
            Ok(Outcome::Done) => return Ok(()),
            Ok(Outcome::Newer(found)) => return Err(OpenError::Newer { found, known: newest(steps) }),
            Err(error) => {
                // A connection that is gone cannot be rolled back, and needs not be.
                drop(client.batch_execute("ROLLBACK").await);
                if !is_race(&error) {
                    return Err(error.into());
                }
            }
        }
    }
    Err(OpenError::Database("too many others make its tables at the same time".to_owned()))
}

/// Whether others were faster, or held for too long what was wanted: then it is begun anew.
pub(super) fn is_race(error: &Error) -> bool {
    let races = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    error.code().is_some_and(|code| races.contains(code))
}

async fn migrate_once(client: &Client, steps: &[&str]) -> Result<Outcome, Error> {
    client.batch_execute("BEGIN").await?;
    // Asked first, since a user who may write into the tables need not be one who may make some.
    let is_there = client.query_one("SELECT to_regclass('rill_meta') IS NOT NULL", &[]).await?;
    if !is_there.get::<_, bool>(0) {
        client.batch_execute(META).await?;
    }
    if client.query("SELECT schema FROM rill_meta", &[]).await?.is_empty() {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the system gives random bytes, or nothing here is safe");
        let insert =
            "INSERT INTO rill_meta (one, schema, secret, epoch, last_stamp) VALUES (true, 0, $1, 0, 0)";
        client.execute(insert, &[&&secret[..]]).await?;
    }
    let found = client.query_one("SELECT schema FROM rill_meta FOR UPDATE", &[]).await?;
    let found = number(found.get(0));
    let known = newest(steps);
    if found > known {
        client.batch_execute("ROLLBACK").await?;
        return Ok(Outcome::Newer(found));
    }
    for (step, schema) in steps.iter().zip(1..).skip_while(|(_, schema)| *schema <= found) {
        client.batch_execute(step).await?;
        tracing::info!(schema, "migrated the store");
    }
    if found < known {
        let known = i64::try_from(known).unwrap_or(i64::MAX);
        client.execute("UPDATE rill_meta SET schema = $1", &[&known]).await?;
    }
    client.batch_execute("COMMIT").await?;
    Ok(Outcome::Done)
}
