//! The link: many nodes with faults by turns, and three of them over a real Redis.

mod redis;
mod simulation;
mod world;
