//! The conversation: its rows, its rules, its audience, and the actor that owns them.

pub mod counters;
pub mod rules;
pub mod state;
