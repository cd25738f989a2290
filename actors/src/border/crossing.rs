//! How what belongs to one node is named on another: lanes, tokens and replies within the messages that cross.
//!
//! A lane is told with its node and becomes a stand-in there; a token or a reply stays where it is, and a number that
//! stands for it crosses. Which border a message crosses is known while it is written or read ([`at`]).

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rill_proto::event::ClientEvent;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Border;
use crate::presence::{Lane, LaneName};
use crate::store::Epoch;

thread_local! {
    static AT: RefCell<Option<(Arc<Border>, Epoch)>> = const { RefCell::new(None) };
}

/// Writes or reads something that crosses the border to or from another node.
pub(super) fn at<T>(border: &Arc<Border>, other: Epoch, cross: impl FnOnce() -> T) -> T {
    let before = AT.with_borrow_mut(|at| at.replace((Arc::clone(border), other)));
    let crossed = cross();
    AT.with_borrow_mut(|at| *at = before);
    crossed
}

/// The border that is being crossed, and the node on its other side.
pub(super) fn here() -> Option<(Arc<Border>, Epoch)> {
    AT.with_borrow(Clone::clone)
}

pub(super) const NOWHERE: &str = "this is not told to anybody but another node";

/// A lane as nodes tell each other of it.
#[derive(Serialize, Deserialize)]
struct Facts {
    name: LaneName,
    account_id: rill_proto::id::AccountId,
    token: Uuid,
    sync: u32,
}

impl Serialize for Lane {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (border, _) = here().ok_or_else(|| S::Error::custom(NOWHERE))?;
        let name = LaneName { home: self.home().or(Some(border.me())), ..self.name() };
        Facts { name, account_id: self.account_id(), token: self.token(), sync: self.sync() }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Lane {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Facts { name, account_id, token, sync } = Facts::deserialize(from)?;
        let (border, _) = here().ok_or_else(|| D::Error::custom(NOWHERE))?;
        Ok(border.lane(name, account_id, token, sync))
    }
}

/// A token in a message that crosses: the other side holds a stand-in, and says when it has dropped it.
pub(crate) mod token {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Borrowed, NOWHERE, here};
    use crate::conversation::Token;

    pub(crate) fn serialize<S: Serializer>(token: &Token, to: S) -> Result<S::Ok, S::Error> {
        let (border, other) = here().ok_or_else(|| S::Error::custom(NOWHERE))?;
        border.lend(token.clone(), other).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Token, D::Error> {
        let number = u64::deserialize(from)?;
        let (border, owner) = here().ok_or_else(|| D::Error::custom(NOWHERE))?;
        Ok(std::sync::Arc::new(Borrowed { border, owner, number, is_lost: false.into() }))
    }
}

/// An event as it writes itself; the other node has let it in already.
pub(crate) fn event<'de, D: Deserializer<'de>>(from: D) -> Result<ClientEvent, D::Error> {
    #[derive(Deserialize)]
    struct Written {
        mk_event_type: String,
        params: Box<RawValue>,
    }
    let Written { mk_event_type, params } = Written::deserialize(from)?;
    ClientEvent::decode(&mk_event_type, &params).map_err(D::Error::custom)
}

/// Stands for a token of another node.
#[derive(Debug)]
pub(super) struct Borrowed {
    border: Arc<Border>,
    owner: Epoch,
    number: u64,
    is_lost: AtomicBool,
}

impl crate::conversation::Part for Borrowed {
    fn fail(&self) {
        self.is_lost.store(true, Ordering::Release);
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // A part is lost only when the nodes are about to agree anew. Whoever has lent the token takes it for lost then, and
        // not before: until the new view is there, nobody is to be told that this is done.
        if !self.is_lost.load(Ordering::Acquire) {
            self.border.give_back(self.owner, self.number);
        }
    }
}

/// A value that many share here, and that is one of its own there.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(shared: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
        shared.as_ref().serialize(to)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}
