//! The one thread of a store, which writes what is left before the store is gone.
//!
//! Not here: what the thread does, and how it is told to end (each engine closes its queue first).

use std::io;
use std::thread::{Builder, JoinHandle, current};

/// A running thread. Dropping it waits for its end.
pub(super) struct Thread(Option<JoinHandle<()>>);

impl Thread {
    /// # Errors
    /// The system has no more threads.
    pub(super) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        Ok(Self(Some(Builder::new().name(name.to_owned()).spawn(run)?)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let Some(thread) = self.0.take() else { return };
        // A callback may hold the last reference to the store; the thread cannot wait for itself and ends right after.
        if thread.thread().id() != current().id() && thread.join().is_err() {
            tracing::error!("the store's thread panicked");
        }
    }
}
