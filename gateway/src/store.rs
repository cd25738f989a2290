//! Which store a command works on: the one in the data folder, or the one in PostgreSQL that a URL names.
//!
//! Owned here: opening and closing it, and `rill migrate-store`. Not here: copies of a folder's store (`backup`).

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rill_actors::store::Store;
use rill_actors::store::embedded::{self, Embedded};
use rill_actors::store::postgres::{self, CopyError, Postgres};

use crate::backup;
use crate::config::{Config, is_postgres};

/// Bytes of a MiB, for settings that an operator gives in those.
const MIB: u64 = 1024 * 1024;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The folder's store cannot be opened.
    #[error(transparent)]
    Embedded(#[from] embedded::OpenError),
    /// The store in PostgreSQL cannot be opened.
    #[error(transparent)]
    Postgres(#[from] postgres::OpenError),
    /// Nothing was copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The URL is of another kind of database.
    #[error("the store's URL is of the form postgres://user:password@host/database")]
    Foreign,
}

/// An open store.
pub(crate) enum Opened {
    /// In the data folder.
    Embedded(Arc<Embedded>),
    /// In PostgreSQL.
    Postgres(Arc<Postgres>),
}

/// How long a node waits for its database before it gives up, and between two tries. Longer than a restart of PostgreSQL takes,
/// and soon enough for whoever has named the wrong one, since every try is logged.
const DATABASE_WAIT: Duration = Duration::from_secs(60);
const DATABASE_AGAIN: Duration = Duration::from_secs(1);

impl Opened {
    /// Opens the store that the settings name.
    pub(crate) fn open(config: &Config) -> Result<Self, StoreError> {
        if config.store.is_empty() {
            let cache_bytes = u64::from(config.store_cache_mib) * MIB;
            Ok(Self::Embedded(Embedded::open_caching(&config.data, cache_bytes)?))
        } else {
            let opened =
                if config.redis.is_empty() { Postgres::open(&config.store)? } else { join(&config.store)? };
            Ok(Self::Postgres(opened))
        }
    }

    /// The store, whichever it is.
    pub(crate) fn shared(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => Arc::clone(store) as _,
            Self::Postgres(store) => Arc::clone(store) as _,
        }
    }

    /// Waits until another server has taken the store over. A folder's is locked: nobody can.
    pub(crate) async fn superseded(&self) {
        match self {
            Self::Embedded(_) => std::future::pending().await,
            Self::Postgres(store) => store.superseded().await,
        }
    }

    /// Closes the store, which writes what waits. Whoever still has it after `wait` loses it with the process.
    pub(crate) fn close(self, wait: Duration) {
        match self {
            Self::Embedded(store) => close(store, wait),
            Self::Postgres(store) => close(store, wait),
        }
    }
}

/// Joins the others in a database. One that is away is waited for: it starts together with the nodes, or restarts just when one of
/// them has been put out and begins again.
fn join(url: &str) -> Result<Arc<Postgres>, postgres::OpenError> {
    let begun = Instant::now();
    loop {
        match Postgres::join(url) {
            Err(error @ postgres::OpenError::Database(_)) if begun.elapsed() < DATABASE_WAIT => {
                tracing::warn!(%error, "it is tried again");
                std::thread::sleep(DATABASE_AGAIN);
            }
            joined => return joined,
        }
    }
}

fn close<S>(store: Arc<S>, wait: Duration) {
    let begun = Instant::now();
    let mut store = store;
    while begun.elapsed() < wait {
        match Arc::try_unwrap(store) {
            Ok(last) => {
                drop(last);
                return;
            }
            Err(shared) => store = shared,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    tracing::warn!("the store is still in use; what had not been answered is not kept");
}

/// `rill migrate-store`: copies the store of a folder, which no server uses, into tables that are empty.
pub(crate) fn migrate(data: &Path, url: &str) -> Result<(), StoreError> {
    if !is_postgres(url) {
        return Err(StoreError::Foreign);
    }
    let store = backup::open_there(data)?;
    let copied = postgres::copy(&store, url)?;
    // Whoever closed the stream does not want to know.
    let _ = writeln!(
        std::io::stdout(),
        "copied and verified: {copied}\nFiles stay where they are, in {}: serve with the same --data.",
        data.join("files").display()
    );
    Ok(())
}
