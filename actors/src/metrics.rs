//! What a node counts. Plain atomics: whoever exposes them reads them.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($all:ident, $(#[doc = $doc:literal] $name:ident),+ $(,)?) => {
        /// Counters that only rise, since the node started.
        #[derive(Debug, Default)]
        pub struct $all {
            $(#[doc = $doc] pub $name: Counter,)+
        }

        impl $all {
            /// Name, description and value of each.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), $doc, self.$name.get())),+].into_iter()
            }
        }
    };
}
pub(crate) use counters;

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// How many so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

counters! {
    Metrics,
    #[doc = "Events that were carried out."]
    events_done,
    #[doc = "Events that were refused."]
    events_refused,
    #[doc = "Repeats of a client_req_id that were answered with the first outcome."]
    events_repeated,
    #[doc = "Events that met a fault and may be tried again."]
    events_failed,
    #[doc = "Appends that are durable."]
    appends,
    #[doc = "Reads of the store: an owner's rows, a row, a page of slots, whoever holds a key."]
    store_reads,
    #[doc = "Lanes that were told something."]
    deliveries,
    #[doc = "Owners that were loaded into memory."]
    activations,
    #[doc = "Owners that gave their memory back."]
    passivations,
    #[doc = "Sessions that came."]
    sessions_opened,
    #[doc = "Sessions that were closed for reading too slowly or sending too fast."]
    sessions_too_fast,
    #[doc = "Sessions that were closed for a malformed frame."]
    sessions_malformed,
    #[doc = "Sessions that were closed for not answering."]
    sessions_timed_out,
}
