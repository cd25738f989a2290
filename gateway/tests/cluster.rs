//! Several nodes over one PostgreSQL and one Redis: what they promise together, whatever happens to one of them.
//!
//! Each test starts real processes. Not here: what one server promises by itself (`server`), and what single events do (`wire`).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that fails here says so, and prints its figures"
)]

#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/many.rs"]
mod many;
#[path = "cluster/once.rs"]
mod once;
#[path = "cluster/outage.rs"]
mod outage;
#[path = "server/rng.rs"]
mod rng;
#[expect(dead_code, reason = "the part about single servers")]
#[path = "server/world.rs"]
mod world;
