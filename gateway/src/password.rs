//! Hashing and verifying passwords, off the workers' threads and never too many at once.
//!
//! Not here: where hashes are kept, and what a wrong password is answered with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::web;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::config::cores;
use crate::refuse::Refused;

/// The longest password, in characters. Longer ones add nothing, and hashing megabytes would.
const PASSWORD_CHARS_MAX: usize = 128;

/// How many may wait for their turn. At some 25 ms each on one core that is a second and a half, about what a person
/// waits; whoever comes then is told to come again.
const WAITING_MAX: usize = 64;

/// The one who hashes. Each hash takes some 20 MiB and a core for its time, so no more run at once than there are cores.
#[derive(Clone)]
pub(crate) struct Hasher(Arc<Turns>);

struct Turns {
    running: Semaphore,
    waiting: AtomicUsize,
    /// What is verified against when there is no account, so that the answer takes as long.
    nobody: String,
}

/// Counts a caller for as long as he waits or is served.
struct Waiting(Arc<Turns>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hasher {
    /// A hasher for this machine.
    pub(crate) fn new() -> Result<Self, argon2::password_hash::Error> {
        let nobody = hash(b"nobody has this password")?;
        let running = Semaphore::new(usize::from(cores()));
        Ok(Self(Arc::new(Turns {
            running,
            waiting: AtomicUsize::new(0),
            nobody,
        })))
    }

    /// Hashes a new password, or says why it cannot be one.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Refused> {
        if password.trim().is_empty() {
            return Err(Refused::invalid_value("Password is missing."));
        }
        if password.chars().count() > PASSWORD_CHARS_MAX {
            return Err(Refused::invalid_value(format!(
                "Password has at most {PASSWORD_CHARS_MAX} characters."
            )));
        }
        self.run(move || hash(password.as_bytes()))
            .await?
            .map_err(|error| Refused::fault("a password cannot be hashed", error))
    }

    /// Whether a password belongs to a hash. Without a hash it takes as long and is false.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Refused> {
        if password.chars().count() > PASSWORD_CHARS_MAX {
            return Ok(false);
        }
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.0.nobody.clone());
        let is_right = self.run(move || verify(password.as_bytes(), &hash)).await?;
        Ok(is_right && is_somebody)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refused> {
        let busy = || Refused::unavailable("Too many logins at once; try again in a few seconds.");
        let before = self.0.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(Arc::clone(&self.0));
        if before >= WAITING_MAX {
            return Err(busy());
        }
        let _turn = self.0.running.acquire().await.map_err(|_| busy())?;
        web::block(work).await.map_err(|_| busy())
    }
}

fn hash(password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    Argon2::default()
        .hash_password(password)
        .map(|hash| hash.to_string())
}

fn verify(password: &[u8], hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::{Hasher, hash, verify};

    #[test]
    fn a_hash_knows_its_password() {
        let hash = hash(b"secret").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify(b"secret", &hash));
        assert!(!verify(b"Secret", &hash));
    }

    #[actix_web::test]
    async fn blank_and_endless_passwords_are_none() {
        let hasher = Hasher::new().unwrap();
        assert!(hasher.hash("  ".to_owned()).await.is_err());
        assert!(hasher.hash("x".repeat(129)).await.is_err());
        assert!(
            !hasher
                .verify("nobody has this password".to_owned(), None)
                .await
                .unwrap()
        );
    }
}
