//! What the link counts. Plain atomics: whoever exposes them reads them.

use crate::metrics::{Counter, counters};

counters! {
    LinkMetrics,
    #[doc = "Frames that were handed to Redis for another node."]
    link_frames_sent,
    #[doc = "Letters in them."]
    link_letters_sent,
    #[doc = "Bytes of those frames."]
    link_bytes_sent,
    #[doc = "Frames that came from another node."]
    link_frames_received,
    #[doc = "Letters that were delivered."]
    link_letters_received,
    #[doc = "Bytes that came from Redis, beats included."]
    link_bytes_received,
    #[doc = "Letters that were dropped because a new round had begun."]
    link_letters_dropped,
    #[doc = "Views that were installed: after each, every live session catches up."]
    link_rounds,
    #[doc = "Losses that were noticed by their numbers, or after a reconnect."]
    link_gaps,
    #[doc = "Connections to Redis that were made after one was lost."]
    link_reconnects,
    #[doc = "Epochs of silent nodes that this node has ended."]
    link_fences,
}
