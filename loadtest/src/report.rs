//! What is shown of outcomes.
//!
//! Not here: how the figures come about ([`crate::engine`], [`crate::outcome`]).

pub mod text;
