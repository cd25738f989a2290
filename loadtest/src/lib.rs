//! A client of the wire, its picture of what the server sent, and a load that verifies itself.
//!
//! Owns: the blocking client used by the integration tests ([`user`], [`socket`], [`poll`], [`session`]), the client's cache and the
//! judgements on it ([`picture`]), server processes under test ([`server`], [`postgres`], [`redis`], [`cluster`]), and the load harness: what is to be done ([`scenario`]), by
//! whom ([`fleet`]), how ([`engine`]), against what ([`target`], [`floor`]), what came of it ([`outcome`], [`report`]), and all of it in one
//! run ([`suite`]).
//! Not here: anything of the server's inside. What this crate knows it knows from the protocol documents.

pub mod cluster;
pub mod command;
mod daemon;
pub mod engine;
pub mod failure;
#[cfg(test)]
mod fake;
pub mod fleet;
pub mod floor;
pub mod machine;
pub mod metrics;
pub mod namespace;
pub mod outcome;
pub mod package;
pub mod picture;
pub mod poll;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod record;
pub mod redis;
pub mod report;
pub mod scenario;
pub mod server;
pub mod session;
pub mod socket;
pub mod suite;
pub mod target;
pub mod user;
pub mod valve;
pub mod view;
pub mod workshop;
