//! Dropping the bytes of files that no row names any more, from time to time.
//!
//! What that takes is the store's and the blobs' to say; here is when, and the thread. It ends with the store.

use std::sync::{Arc, Weak};
use std::time::Duration;

use rill_actors::blobs::Blobs;
use rill_actors::store::embedded::Embedded;

/// Looks every so often, for as long as the store is open.
pub(crate) fn start(store: &Arc<Embedded>, blobs: Arc<dyn Blobs>, every: Duration) -> std::io::Result<()> {
    let store = Arc::downgrade(store);
    std::thread::Builder::new().name("collect".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(every);
            let Some(dropped) = look(&store, &*blobs) else { return };
            if dropped > 0 {
                tracing::info!(dropped, "dropped the bytes of files that nobody has any more");
            }
        }
    })?;
    Ok(())
}

/// How many files went; `None` when the store is closed.
fn look(store: &Weak<Embedded>, blobs: &dyn Blobs) -> Option<usize> {
    let store = store.upgrade()?;
    // A store without files need not be read through.
    match blobs.all() {
        Ok(all) if all.is_empty() => return Some(0),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the files cannot be listed"),
    }
    let named = store.named_files();
    drop(store);
    let dropped = named.map_err(|fault| fault.to_string());
    let dropped = dropped.and_then(|named| blobs.collect(&named).map_err(|error| error.to_string()));
    Some(dropped.unwrap_or_else(|error| {
        tracing::warn!(error, "files that nobody has could not be dropped");
        0
    }))
}
