//! Hashing and verifying passwords, off the workers' threads and never too many at once.
//!
//! Not here: where hashes are kept, and what a wrong password is answered with.

use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{Error, PasswordVerifier};
use argon2::{Argon2, Block, Params};
use rill_actors::outside::{Outcome, Passwords};
use rill_proto::refusal::Refusal;
use tokio::sync::oneshot;

use crate::config::cores;
use crate::refuse::Refused;

/// The longest password, in characters. Longer ones add nothing, and hashing megabytes would.
const PASSWORD_CHARS_MAX: usize = 128;

/// How many may wait for their turn. At some 25 ms each on one core that is a second and a half, about what a person
/// waits; whoever comes then is told to come again.
const WAITING_MAX: usize = 64;

/// As RFC 9106 recommends for password hashing.
const SALT_BYTES: usize = 16;

/// The one who hashes: one thread for each core, so that no more run at once, each with its own 19 MiB of argon2 memory
/// for good. Allocated afresh for every hash, that memory would stay in the allocator's arenas, several times over.
#[derive(Clone)]
pub(crate) struct Hasher {
    jobs: SyncSender<Job>,
    /// What is verified against when there is no account, so that the answer takes as long.
    nobody: Arc<str>,
}

/// Work for a hashing thread; it answers through what it has captured.
type Job = Box<dyn FnOnce(&mut Bench) + Send>;

/// A hashing thread's memory.
struct Bench {
    argon2: Argon2<'static>,
    blocks: Vec<Block>,
}

impl Hasher {
    /// A hasher for this machine.
    pub(crate) fn new() -> Result<Self, argon2::password_hash::Error> {
        let nobody = Bench::new().hash(b"nobody has this password")?.into();
        let (jobs, waiting) = mpsc::sync_channel::<Job>(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..cores() {
            let waiting = Arc::clone(&waiting);
            std::thread::spawn(move || {
                let mut bench = Bench::new();
                loop {
                    let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = next else { return };
                    job(&mut bench);
                }
            });
        }
        Ok(Self { jobs, nobody })
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
        self.run(move |bench| bench.hash(password.as_bytes()))
            .await?
            .map_err(|error| Refused::fault("a password cannot be hashed", error))
    }

    /// Whether a password belongs to a hash. Without a hash it takes as long and is false.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Refused> {
        if password.chars().count() > PASSWORD_CHARS_MAX {
            return Ok(false);
        }
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.as_ref().to_owned());
        let is_right = self.run(move |bench| bench.verify(password.as_bytes(), &hash)).await?;
        Ok(is_right && is_somebody)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Bench) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let busy = || Refused::unavailable("Too many logins at once; try again in a few seconds.");
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |bench: &mut Bench| {
            // A caller who has gone away does not want to know.
            let _gone = answer.send(work(bench));
        });
        self.jobs.try_send(job).map_err(|_| busy())?;
        answered.await.map_err(|_| busy())
    }
}

impl Passwords for Hasher {
    fn hash(&self, password: String) -> Outcome<Result<String, Refusal>> {
        let hasher = self.clone();
        Box::pin(async move { Ok(Self::hash(&hasher, password).await?) })
    }

    fn verify(&self, password: String, hash: String) -> Outcome<Result<bool, Refusal>> {
        let hasher = self.clone();
        Box::pin(async move { Ok(Self::verify(&hasher, password, Some(hash)).await?) })
    }
}

impl Bench {
    fn new() -> Self {
        let argon2 = Argon2::default();
        let blocks = vec![Block::default(); argon2.params().block_count()];
        Self { argon2, blocks }
    }

    /// A PHC string with a salt of its own.
    fn hash(&mut self, password: &[u8]) -> Result<String, Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| Error::Crypto)?;
        let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
        self.argon2.hash_password_into_with_memory(password, &salt, &mut out, &mut self.blocks)?;
        let hash = PasswordHash {
            algorithm: argon2::ARGON2ID_IDENT,
            version: Some(argon2::Version::default().into()),
            params: ParamsString::try_from(self.argon2.params())?,
            salt: Some(Salt::new(&salt)?),
            hash: Some(Output::new(&out)?),
        };
        Ok(hash.to_string())
    }

    /// Hashes that were made with other params, by an earlier version, are verified with those.
    fn verify(&mut self, password: &[u8], hash: &str) -> bool {
        let Ok(known) = PasswordHash::new(hash) else {
            return false;
        };
        let params = Params::try_from(&known);
        let (Ok(params), Some(salt), Some(expected)) = (params, &known.salt, &known.hash) else {
            return false;
        };
        if params.block_count() != self.blocks.len() {
            return self.argon2.verify_password(password, &known).is_ok();
        }
        let mut out = [0; Output::MAX_LENGTH];
        let Some(out) = out.get_mut(..expected.len()) else {
            return false;
        };
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::default(), params);
        let hashed = argon2.hash_password_into_with_memory(password, salt, out, &mut self.blocks);
        // Outputs compare in constant time.
        hashed.is_ok() && Output::new(out).is_ok_and(|out| out == *expected)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bench, Hasher};

    #[test]
    fn a_hash_knows_its_password() {
        let mut bench = Bench::new();
        let hash = bench.hash(b"secret").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(bench.verify(b"secret", &hash));
        assert!(!bench.verify(b"Secret", &hash));
    }

    #[actix_web::test]
    async fn blank_and_endless_passwords_are_none() {
        let hasher = Hasher::new().unwrap();
        assert!(hasher.hash("  ".to_owned()).await.is_err());
        assert!(hasher.hash("x".repeat(129)).await.is_err());
        assert!(!hasher.verify("nobody has this password".to_owned(), None).await.unwrap());
    }
}
