//! What owners need from outside and cannot do themselves: the traits that whoever runs a node brings.
//!
//! Not here: the store, which has a contract of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rill_proto::refusal::Refusal;

use crate::blobs::Blobs;
use crate::file::fetch::Fetch;
use crate::letter::Letter;

/// What a call to the outside answers with once it is done.
pub type Outcome<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Hashes passwords and checks them, off the owners' threads.
pub trait Passwords: Send + Sync + 'static {
    /// The hash of a new password. Refused when it cannot be one, or when too many wait.
    fn hash(&self, password: String) -> Outcome<Result<String, Refusal>>;

    /// Whether a password belongs to a hash. Refused when too many wait.
    fn verify(&self, password: String, hash: String) -> Outcome<Result<bool, Refusal>>;
}

/// Hands letters to a mail server, or to whatever stands for one.
pub trait Mail: Send + Sync + 'static {
    /// Hands one over. The same letter may come again.
    fn deliver(&self, letter: Letter) -> Outcome<Result<(), Undelivered>>;
}

/// A letter was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Undelivered {
    /// It never will be.
    pub is_final: bool,
    /// Why, without any address or content.
    pub reason: String,
}

/// Everything that a node needs from outside.
#[derive(Clone)]
pub struct Outside {
    /// Where files lie.
    pub blobs: Arc<dyn Blobs>,
    /// What fetches files from elsewhere.
    pub fetch: Arc<dyn Fetch>,
    /// Passwords.
    pub passwords: Arc<dyn Passwords>,
    /// Letters.
    pub mail: Arc<dyn Mail>,
}
