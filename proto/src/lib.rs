//! What the wire says: the client events, the records, the envelopes, the refusals and their limits.
//!
//! Pure data: no I/O, no clock, no actors. Everything here can be used by a server, a client and a load generator alike.

pub mod classificator;
pub mod compact;
pub mod envelope;
pub mod event;
pub mod field;
pub mod id;
pub mod limits;
pub mod manual;
pub mod markup;
pub mod record;
pub mod refusal;
