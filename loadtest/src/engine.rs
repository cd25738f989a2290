//! The engine: thousands of connections in few threads, an open or closed loop of events, and the verification of all that comes.
//!
//! One generator is one thread with a share of the sessions; they share nothing but orders and counters, and what they bring home is
//! merged, so that it makes no difference whether they run in one process or in several. Not here: what is made of the figures
//! ([`crate::report`]), and which servers are measured ([`crate::target`]).

mod arrivals;
pub mod conductor;
pub mod crew;
mod frame;
mod generator;
mod intake;
mod lines;
mod phases;
mod room;
mod seat;
pub mod shared;
mod speech;
pub mod tally;
mod wire;
