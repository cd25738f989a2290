//! The account: profile, login sessions, contacts, memberships; its rules, and the actor that owns them.
//!
//! Here are the messages that its owner takes; the owner itself is in `owner`.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix::Message;
use rill_proto::id::{AccountId, ConversationId, OrganisationId, RequestId};
use uuid::Uuid;

use crate::conversation::Token;
use crate::node::Node;
use crate::presence::Lane;
use crate::session::Submit;
use crate::store::Stamp;
use serde::{Deserialize, Serialize};

pub mod avatar;
pub mod board;
pub mod contact;
pub mod employment;
mod facts;
pub mod fetch;
mod groups;
mod introduction;
pub mod label;
pub mod listing;
pub mod login;
pub mod memberships;
pub mod notice;
mod orders;
mod owner;
pub mod profile;
pub mod rows;
pub mod rules;
pub mod settings;
pub mod state;
mod submission;
mod sync;
mod telling;
pub mod upload;
pub mod wish;

pub(crate) use orders::told;
pub use owner::Account;
pub(crate) use submission::event_reply;
pub(crate) use sync::turn_away;

/// Brings a session up to date with everything that its account can see, and makes it live.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Sync {
    /// The session, which is present already.
    pub lane: Lane,
    /// Which of the lane's syncs.
    pub number: u32,
    /// Everything up to here it has applied; 0 for nothing.
    pub horizon: Stamp,
    /// Leave archived conversations out of an initial sync.
    pub skip_hidden: bool,
}

/// Asks an account to show itself to somebody.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Introduce {
    /// The event that asks.
    pub submit: Submit,
    /// How the asker found it.
    pub found: Found,
}

/// Asks an account when it was last active, as a part of an answer.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct AskActivity {
    /// The session that asks.
    pub lane: Lane,
    /// The frame whose answer it is a part of.
    pub frame: u64,
    /// The asker has a row about it.
    pub is_listed: bool,
    /// The conversations that the asker can see.
    #[serde(with = "crate::border::crossing::shared")]
    pub through: Arc<BTreeSet<ConversationId>>,
    /// Dropped when the record has been put in.
    #[serde(with = "crate::border::crossing::token")]
    pub token: Token,
}

/// The account's last session has gone.
#[derive(Message, Clone, Copy, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Rested {
    /// When it was last active, in Unix seconds.
    pub activity_time: i64,
}

/// How somebody found an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Found {
    /// By its e-mail address: one that nobody has registered yet becomes known by it.
    ByEmail(String),
    /// By its id; it is known to the asker through his list, or through one of these conversations.
    ById {
        /// The asker has a row about it.
        is_listed: bool,
        /// The conversations that the asker can see.
        #[serde(with = "crate::border::crossing::shared")]
        through: Arc<BTreeSet<ConversationId>>,
        /// The asker's organisation.
        organisation_id: Option<OrganisationId>,
    },
}

/// The id of what an event makes: the same for every repeat of it.
#[must_use]
pub fn fresh_id(node: &Node, caller: AccountId, request_id: RequestId) -> Uuid {
    let mut name = [0; 32];
    name[..16].copy_from_slice(caller.0.as_bytes());
    name[16..].copy_from_slice(request_id.0.as_bytes());
    node.derived_id("own", &name)
}

/// The id that the dialog of two accounts has, or would have, after so many of theirs have become something else.
#[must_use]
pub fn dialog_id(node: &Node, one: AccountId, other: AccountId, earlier: u32) -> ConversationId {
    let mut name = Vec::with_capacity(36);
    name.extend_from_slice(one.min(other).0.as_bytes());
    name.extend_from_slice(one.max(other).0.as_bytes());
    name.extend_from_slice(&earlier.to_be_bytes());
    ConversationId(node.derived_id("dialog", &name))
}
