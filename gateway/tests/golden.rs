//! What the server does, written down as tables that are read: which event an older call is, and who may do what.
//!
//! Each test plays its table's lines against a real server and compares what comes out with what the table says.
//! `RILL_GOLDEN=write` writes the tables anew; the difference is then read by a person. Not here: what single events do in
//! full, which are the scenarios' part (`wire.rs`).

#![allow(clippy::unwrap_used, reason = "a test that fails here says so")]

#[path = "golden/adapters.rs"]
mod adapters;
#[path = "golden/cast.rs"]
mod cast;
#[path = "golden/names.rs"]
mod names;
#[path = "golden/permissions.rs"]
mod permissions;
#[path = "golden/table.rs"]
mod table;
#[path = "golden/told.rs"]
mod told;
