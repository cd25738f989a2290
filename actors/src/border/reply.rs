//! The way back of an order's outcome, to whoever waits for it on this node or on another one.

use std::sync::{Arc, Mutex, PoisonError};

use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::oneshot;

use super::Border;
use super::crossing::{NOWHERE, here};
use crate::store::Epoch;

/// Whoever waits for an outcome. Dropped without one, it tells whoever waits that the order may be tried again.
pub struct Caller<T>(Mutex<Option<To<T>>>);

enum To<T> {
    Here(oneshot::Sender<T>),
    There(There),
}

/// A reply that another node holds, by its number there.
struct There {
    border: Arc<Border>,
    owner: Epoch,
    number: u64,
}

impl Drop for There {
    fn drop(&mut self) {
        self.border.reply(self.owner, self.number, None);
    }
}

/// Takes the outcome that another node has written, or nothing.
pub(super) type Waiting = Box<dyn FnOnce(&[u8]) + Send>;

impl<T> Caller<T> {
    /// One who waits, and where the outcome comes out.
    #[must_use]
    pub fn channel() -> (Self, oneshot::Receiver<T>) {
        let (reply, outcome) = oneshot::channel();
        (Self(Mutex::new(Some(To::Here(reply)))), outcome)
    }

    fn take(&self) -> Option<To<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T: Serialize> Caller<T> {
    /// Tells the outcome. Whoever has gone away does not want to know.
    pub fn send(self, outcome: T) {
        match self.take() {
            Some(To::Here(reply)) => drop(reply.send(outcome)),
            Some(To::There(there)) => match serde_json::to_vec(&outcome) {
                Ok(written) => there.border.reply(there.owner, there.number, Some(written)),
                Err(fault) => tracing::error!(%fault, "an outcome cannot be written"),
            },
            None => {}
        }
    }
}

impl<T> std::fmt::Debug for Caller<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Caller")
    }
}

/// The reply stays here, under a number.
impl<T: DeserializeOwned + Send + 'static> Serialize for Caller<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (border, other) = here().ok_or_else(|| S::Error::custom(NOWHERE))?;
        let Some(To::Here(reply)) = self.take() else {
            return Err(S::Error::custom("an outcome is told over one border only"));
        };
        let waiting: Waiting = Box::new(move |written| match serde_json::from_slice(written) {
            Ok(outcome) => drop(reply.send(outcome)),
            Err(fault) => tracing::error!(%fault, "an outcome cannot be read"),
        });
        border.expect_reply(waiting, other).serialize(to)
    }
}

impl<'de, T> Deserialize<'de> for Caller<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(from)?;
        let (border, owner) = here().ok_or_else(|| D::Error::custom(NOWHERE))?;
        Ok(Self(Mutex::new(Some(To::There(There { border, owner, number })))))
    }
}
