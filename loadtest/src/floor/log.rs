//! The floor's log: one file, one thread, a sync for each batch.
//!
//! Not here: what is in it; nobody reads it again.

use crate::failure::Failure;
use mio::Waker;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

/// The log's other end.
#[derive(Debug)]
pub(super) struct Log {
    batches: Sender<Vec<u8>>,
    is_syncing: Arc<AtomicBool>,
}

impl Log {
    /// Makes the file and starts the thread, which wakes the server after each sync.
    pub(super) fn start(path: &Path, waker: Arc<Waker>) -> Result<Self, Failure> {
        let mut file = File::create(path)?;
        let (batches, waiting) = channel::<Vec<u8>>();
        let is_syncing = Arc::new(AtomicBool::new(false));
        let syncing = Arc::clone(&is_syncing);
        std::thread::spawn(move || {
            for batch in waiting {
                if file.write_all(&batch).and_then(|()| file.sync_data()).is_err() {
                    // Without its log the floor is none: nothing more goes out, and the run fails.
                    return;
                }
                syncing.store(false, Ordering::Release);
                if waker.wake().is_err() {
                    return;
                }
            }
        });
        Ok(Self { batches, is_syncing })
    }

    pub(super) fn is_syncing(&self) -> bool {
        self.is_syncing.load(Ordering::Acquire)
    }

    /// Appends and syncs.
    pub(super) fn sync(&self, batch: Vec<u8>) {
        self.is_syncing.store(true, Ordering::Release);
        // The thread is gone only when it failed; the flag stays up then, and nothing goes out.
        let _ = self.batches.send(batch);
    }
}
