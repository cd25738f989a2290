//! The account: profile, sessions, contacts, memberships.

pub mod profile;
