//! Changes as columns: what a statement takes that concerns many rows.
//!
//! Borrowed from the changes wherever a value is large. Not here: the statements (`connection`).

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::changes::Changes;
use super::connection::{Query, Write};
use super::writer::signed;
use crate::store::{Aggregate, EffectId, keys};

type Param<'a> = &'a (dyn ToSql + Sync);

/// Ids and kinds of aggregates.
#[derive(Default)]
pub(super) struct Owners {
    pub(super) ids: Vec<Uuid>,
    pub(super) kinds: Vec<i16>,
}

/// Aggregates and their versions.
#[derive(Default)]
pub(super) struct Versions {
    pub(super) ids: Vec<Uuid>,
    pub(super) kinds: Vec<i16>,
    pub(super) found: Vec<i64>,
    pub(super) versions: Vec<i64>,
}

/// Unique keys, what stood there and what is to.
#[derive(Default)]
pub(super) struct Holders<'a> {
    pub(super) keys: Vec<&'a [u8]>,
    pub(super) found_stamps: Vec<i64>,
    pub(super) found: Vec<&'a [u8]>,
    pub(super) stamps: Vec<i64>,
    pub(super) values: Vec<&'a [u8]>,
}

/// Rows.
#[derive(Default)]
pub(super) struct Rows<'a> {
    pub(super) ids: Vec<Uuid>,
    pub(super) kinds: Vec<i16>,
    pub(super) keys: Vec<Vec<u8>>,
    pub(super) values: Vec<&'a [u8]>,
}

/// Consequences.
#[derive(Default)]
pub(super) struct Effects<'a> {
    pub(super) ids: Vec<Uuid>,
    pub(super) kinds: Vec<i16>,
    pub(super) versions: Vec<i64>,
    pub(super) places: Vec<i32>,
    pub(super) targets: Vec<Uuid>,
    pub(super) target_kinds: Vec<i16>,
    pub(super) payloads: Vec<&'a [u8]>,
}

/// All changes of a batch.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) begin: Versions,
    pub(super) moved: Versions,
    pub(super) claim: Holders<'a>,
    pub(super) reclaim: Holders<'a>,
    pub(super) release: Holders<'a>,
    pub(super) put_rows: Rows<'a>,
    pub(super) drop_rows: Rows<'a>,
    pub(super) put_slots: Rows<'a>,
    pub(super) drop_slots: Rows<'a>,
    pub(super) effects: Effects<'a>,
    pub(super) settled: Effects<'a>,
}

impl Columns<'_> {
    /// A statement for each table that is concerned.
    pub(super) fn writes(&self) -> impl Iterator<Item = Write<'_>> {
        let Self {
            begin, moved, claim, reclaim, release, put_rows, drop_rows, put_slots, drop_slots, ..
        } = self;
        let Self { effects, settled, .. } = self;
        let exactly = |rows: usize| Some(rows as u64);
        let write = |query, concerns, params| Write { query, params, concerns };
        let writes: [(usize, Write<'_>); 11] = [
            (begin.ids.len(), {
                write(Query::Begin, exactly(begin.ids.len()), vec![&begin.ids, &begin.kinds, &begin.versions])
            }),
            (moved.ids.len(), {
                let params: Vec<Param<'_>> = vec![&moved.ids, &moved.kinds, &moved.found, &moved.versions];
                write(Query::Move, exactly(moved.ids.len()), params)
            }),
            (claim.keys.len(), {
                write(
                    Query::Claim,
                    exactly(claim.keys.len()),
                    vec![&claim.keys, &claim.stamps, &claim.values],
                )
            }),
            (reclaim.keys.len(), {
                let found: [Param<'_>; 3] = [&reclaim.keys, &reclaim.found_stamps, &reclaim.found];
                let now: [Param<'_>; 2] = [&reclaim.stamps, &reclaim.values];
                write(Query::Reclaim, exactly(reclaim.keys.len()), [&found[..], &now[..]].concat())
            }),
            (release.keys.len(), {
                let params: Vec<Param<'_>> = vec![&release.keys, &release.found_stamps, &release.found];
                write(Query::Release, exactly(release.keys.len()), params)
            }),
            (put_rows.ids.len(), write(Query::PutRows, None, put_rows.put())),
            (drop_rows.ids.len(), write(Query::DropRows, None, drop_rows.drop())),
            (put_slots.ids.len(), write(Query::PutSlots, None, put_slots.put())),
            (drop_slots.ids.len(), write(Query::DropSlots, None, drop_slots.drop())),
            (effects.ids.len(), {
                let id = effects.id();
                let says: [Param<'_>; 3] = [&effects.targets, &effects.target_kinds, &effects.payloads];
                write(Query::Effect, None, [&id[..], &says[..]].concat())
            }),
            (settled.ids.len(), write(Query::Settle, None, settled.id().to_vec())),
        ];
        writes.into_iter().filter(|(rows, _)| *rows > 0).map(|(_, write)| write)
    }
}

impl Rows<'_> {
    fn put(&self) -> Vec<Param<'_>> {
        vec![&self.ids, &self.kinds, &self.keys, &self.values]
    }

    fn drop(&self) -> Vec<Param<'_>> {
        vec![&self.ids, &self.kinds, &self.keys]
    }
}

impl Effects<'_> {
    fn id(&self) -> [Param<'_>; 4] {
        [&self.ids, &self.kinds, &self.versions, &self.places]
    }
}

/// The columns of ids and kinds.
pub(super) fn owners(aggregates: &[Aggregate]) -> Owners {
    let (ids, kinds) = aggregates.iter().map(|aggregate| owner(*aggregate)).unzip();
    Owners { ids, kinds }
}

/// The columns of a batch.
pub(super) fn of(changes: &Changes) -> Columns<'_> {
    let mut columns = Columns::default();
    for (aggregate, change) in &changes.versions {
        let rows = if change.found == 0 { &mut columns.begin } else { &mut columns.moved };
        let (id, kind) = owner(*aggregate);
        rows.ids.push(id);
        rows.kinds.push(kind);
        rows.found.push(signed(change.found));
        rows.versions.push(signed(change.now));
    }
    for (key, change) in &changes.holders {
        let rows = match (&change.found, &change.now) {
            (None, Some(_)) => &mut columns.claim,
            (Some(_), Some(_)) => &mut columns.reclaim,
            (Some(_), None) => &mut columns.release,
            (None, None) => continue,
        };
        rows.keys.push(key);
        if let Some((stamp, value)) = &change.found {
            rows.found_stamps.push(signed(*stamp));
            rows.found.push(value);
        }
        if let Some((stamp, value)) = &change.now {
            rows.stamps.push(signed(*stamp));
            rows.values.push(value);
        }
    }
    for ((aggregate, key), value) in &changes.rows {
        let rows = match (key.is_loaded(), value) {
            (true, Some(_)) => &mut columns.put_rows,
            (true, None) => &mut columns.drop_rows,
            (false, Some(_)) => &mut columns.put_slots,
            (false, None) => &mut columns.drop_slots,
        };
        let (id, kind) = owner(*aggregate);
        rows.ids.push(id);
        rows.kinds.push(kind);
        rows.keys.push(keys::within(*key));
        rows.values.extend(value.as_deref());
    }
    for (effect, target, payload) in &changes.outbox {
        push(&mut columns.effects, *effect);
        let (id, kind) = owner(*target);
        columns.effects.targets.push(id);
        columns.effects.target_kinds.push(kind);
        columns.effects.payloads.push(payload);
    }
    changes.settled.iter().for_each(|effect| push(&mut columns.settled, *effect));
    columns
}

fn push(effects: &mut Effects<'_>, effect: EffectId) {
    let (id, kind) = owner(effect.source);
    effects.ids.push(id);
    effects.kinds.push(kind);
    effects.versions.push(signed(effect.version));
    effects.places.push(i32::from(effect.index));
}

fn owner(aggregate: Aggregate) -> (Uuid, i16) {
    let (id, kind) = keys::owner(aggregate);
    (id, i16::from(kind))
}
