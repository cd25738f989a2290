//! How nodes that share one store will speak to one another: the rules of it, without any wire.
//!
//! Owned here: who is taken for alive, who owns what, how far sessions may be told to be (`membership`), and how a lost
//! frame is noticed (`numbering`). Not here yet: what carries the frames. Until that stands, one server at a time serves a
//! store, and nothing but the tests calls this.

pub mod membership;
pub mod numbering;
