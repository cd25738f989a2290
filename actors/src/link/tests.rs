//! The link: its rules one by one, many nodes with faults by turns, and three of them over a real Redis.

mod redis;
mod rules;
mod simulation;
mod world;
