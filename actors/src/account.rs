//! The account: profile, sessions, contacts, memberships.

pub mod contact;
pub mod label;
pub mod profile;
