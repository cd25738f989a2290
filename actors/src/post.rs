//! Letters on their way out: tried until they are taken, or until there is no point any more.
//!
//! Owned here: how many are sent at once, when one is tried again, and when it is given up. A letter that waits is in the
//! outbox all the while, so that a crash loses none; one that was taken just before a crash is sent twice. Not here: how a
//! letter is sent (`outside`).

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::ArbiterHandle;
use tokio::sync::Semaphore;

use crate::letter::Letter;
use crate::node::Node;
use crate::outside::Mail;
use crate::store::OutboxEntry;

/// How many letters may wait here. What is more stays in the outbox and comes again; ten thousand are some megabytes.
const LETTERS_MAX: usize = 10_000;

/// How many are handed over at once: mail servers bound the connections of one client, often at ten or twenty.
const SENDERS_MAX: usize = 4;

/// After how long one that was not taken is tried again, for the first time; then after twice as long, and so on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two tries: a mail server that comes back gets everything within that time.
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);

/// How long a letter is tried: what its links are good for, and long enough for a night without a mail server.
const GIVEN_UP_AFTER_S: i64 = 24 * 60 * 60;

/// The letters of one node.
pub struct Post {
    mail: Arc<dyn Mail>,
    desk: ArbiterHandle,
    room: Arc<Semaphore>,
    senders: Arc<Semaphore>,
}

impl Post {
    /// Sends by `mail`; waits on the given thread.
    #[must_use]
    pub fn new(mail: Arc<dyn Mail>, desk: ArbiterHandle) -> Self {
        Self {
            mail,
            desk,
            room: Arc::new(Semaphore::new(LETTERS_MAX)),
            senders: Arc::new(Semaphore::new(SENDERS_MAX)),
        }
    }

    /// Takes a letter, and settles its entry once nothing is left to do; hands it back when there is no room.
    ///
    /// # Errors
    /// Too many wait.
    pub(crate) fn put(
        &self,
        node: &Arc<Node>,
        entry: OutboxEntry,
        letter: Letter,
    ) -> Result<(), OutboxEntry> {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return Err(entry);
        };
        let (mail, senders, node) = (Arc::clone(&self.mail), Arc::clone(&self.senders), Arc::downgrade(node));
        self.desk.spawn(async move {
            deliver(&mail, &senders, &node, &letter).await;
            if let Some(node) = node.upgrade() {
                node.store.settle(entry.id);
            }
            drop(place);
        });
        Ok(())
    }
}

/// Tries until the letter is taken or given up.
async fn deliver(mail: &Arc<dyn Mail>, senders: &Semaphore, node: &Weak<Node>, letter: &Letter) {
    let mut pause = FIRST_PAUSE;
    loop {
        let Ok(turn) = senders.acquire().await else { return };
        let outcome = mail.deliver(letter.clone()).await;
        drop(turn);
        let Err(fault) = outcome else { return };
        let Some(now) = node.upgrade().map(|node| node.now_s()) else { return };
        if fault.is_final || now - letter.written > GIVEN_UP_AFTER_S {
            tracing::warn!(letter = %letter.id, %fault, "a letter is given up");
            return;
        }
        tracing::info!(letter = %letter.id, %fault, "a letter was not taken; it is tried again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use uuid::Uuid;

    use super::*;
    use crate::letter::About;
    use crate::outside::{Outcome, Undelivered};

    /// Takes nothing until it has been asked so often.
    struct Reluctant {
        refusals: Mutex<u32>,
        is_final: bool,
    }

    impl Mail for Reluctant {
        fn deliver(&self, _: Letter) -> Outcome<Result<(), Undelivered>> {
            let mut left = self.refusals.lock().unwrap();
            let outcome = if *left == 0 {
                Ok(())
            } else {
                *left -= 1;
                Err(Undelivered { is_final: self.is_final, reason: "not now".to_owned() })
            };
            Box::pin(async move { outcome })
        }
    }

    fn letter() -> Letter {
        let about = About::Welcome { display_name: "Bob".to_owned() };
        Letter { id: Uuid::nil(), to: "bob@example.com".to_owned(), written: 0, about }
    }

    async fn tried(refusals: u32, is_final: bool) -> u32 {
        let reluctant = Arc::new(Reluctant { refusals: Mutex::new(refusals), is_final });
        let mail: Arc<dyn Mail> = Arc::clone(&reluctant) as _;
        // Without a node nobody can tell the time, and a second try is not worth it.
        deliver(&mail, &Semaphore::new(1), &Weak::new(), &letter()).await;
        let left = *reluctant.refusals.lock().unwrap();
        refusals - left
    }

    #[actix::test]
    async fn a_letter_that_is_taken_is_not_sent_again_and_one_that_never_will_be_is_given_up() {
        assert_eq!(tried(0, false).await, 0);
        assert_eq!(tried(5, true).await, 1);
    }
}
