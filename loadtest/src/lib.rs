//! A client of the wire, its picture of what the server sent, and a load that verifies itself.
//!
//! Owns: the blocking client used by the integration tests ([`user`], [`socket`], [`poll`], [`session`]), the client's cache and the
//! judgements on it ([`picture`]), a server process under test ([`server`]), and the load harness ([`load`], [`report`]).
//! Not here: anything of the server's inside. What this crate knows it knows from the protocol documents.

pub mod failure;
#[cfg(test)]
mod fake;
pub mod load;
pub mod picture;
pub mod poll;
pub mod record;
pub mod report;
pub mod server;
pub mod session;
pub mod socket;
pub mod user;
