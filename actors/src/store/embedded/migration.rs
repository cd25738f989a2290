//! The schema number of the embedded store, and the way from an older one to today's.
//!
//! Steps go forward only and run when the store is opened, before anything else touches it. A store that is newer than
//! this binary is refused. Deliberately not here: what a schema looks like (`keys`).

use super::OpenError;
use super::engine::{Engine, Space};
use super::keys;
use super::pending::Pending;
use crate::store::StoreFault;

/// Where the schema number stands in the meta keyspace.
pub(super) const SCHEMA_KEY: &[u8] = b"schema";

/// Brings a store from one schema number to the next. What it puts into `Pending` becomes durable together with the new
/// number, so a crash in between repeats the whole step.
pub(super) type Step = fn(&Engine, &mut Pending) -> Result<(), StoreFault>;

/// The steps from schema 1 on: `STEPS[0]` leads from 1 to 2, and so forth. Published steps never change.
pub(super) const STEPS: &[Step] = &[take_times_as_they_are];

/// Schema 2: a row of the time index holds the requests of a whole batch. One of schema 1 holds a single one, which reads as a batch of one;
/// only a binary that does not know the larger ones must not come near.
fn take_times_as_they_are(_: &Engine, _: &mut Pending) -> Result<(), StoreFault> {
    Ok(())
}

/// The schema that a list of steps leads to.
pub(super) const fn newest(steps: &[Step]) -> u64 {
    1 + steps.len() as u64
}

/// The schema number of a store; `None` when it has none, so is none of ours or lost its meta keyspace.
pub(super) fn schema(engine: &Engine) -> Result<Option<u64>, StoreFault> {
    engine.get(Space::Meta, SCHEMA_KEY)?.map(|value| keys::parse_number(&value)).transpose()
}

/// Runs the steps that a store of schema `found` has not seen.
pub(super) fn migrate(engine: &Engine, found: u64, steps: &[Step]) -> Result<(), OpenError> {
    let known = newest(steps);
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    for (step, schema) in steps.iter().zip(2..).skip_while(|(_, schema)| *schema <= found) {
        let mut pending = Pending::default();
        step(engine, &mut pending).map_err(|reason| OpenError::Migration { schema, reason })?;
        pending.put(Space::Meta, SCHEMA_KEY.to_vec(), keys::number(schema));
        pending.commit(engine).map_err(|reason| OpenError::Migration { schema, reason })?;
        tracing::info!(schema, "migrated the store");
    }
    Ok(())
}
