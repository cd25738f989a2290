//! Who owns which state: sessions, conversations, accounts; the rules, the store, the fan-out.
//!
//! Who sends to whom, and nobody else:
//!
//! ```text
//! gateway ──▶ Session ──▶ Conversation ──▶ Store            (Submit, then one append)
//!                │             │  ▲
//!                │             ▼  │ effects, visits          (Apply, Visit, Peek, OpenDialog)
//!                ├────────▶ Account ──▶ Store
//!                └────────▶ Organisation, Team ──▶ Store     (as an account; effects go between all of them)
//!
//! Conversation, Account, Session ──▶ Inboxes ──▶ Hub ──▶ Sink   (what leaves, in order)
//!                                     Hub ──▶ Session            (Answered)
//! ```
//!
//! Rules, state and audience are pure. Only the owners' files, the session and the hub name actix; only `store::embedded`
//! and `store::postgres` name an engine.

pub mod account;
mod alarm;
pub mod blobs;
pub mod border;
pub mod conversation;
pub mod effect;
pub mod file;
pub mod group;
pub mod hub;
pub mod journal;
pub mod judged;
pub mod letter;
pub mod link;
pub mod metrics;
pub mod node;
pub mod organisation;
pub mod outcomes;
pub mod outside;
mod owner;
pub mod piece;
pub mod post;
pub mod presence;
pub mod search;
pub mod session;
pub mod store;
pub mod team;
pub mod watermark;
pub mod weight;
