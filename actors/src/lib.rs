//! Who owns which state: sessions, conversations, accounts; the rules, the store, the fan-out.

pub mod account;
pub mod conversation;
pub mod effect;
pub mod piece;
pub mod store;
