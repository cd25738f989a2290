//! The conversation: its rows, its rules, its audience, and the actor that owns them.
//!
//! Here are the messages that its owner takes; the owner itself is in `owner`. What is decided is in `rules`; who is told
//! is in `audience` and `fanout`.

use std::sync::Arc;

use actix::Message;
use rill_proto::classificator::{DialogType, InitMode};
use rill_proto::id::{AccountId, MessageId};

use crate::presence::Lane;
use crate::session::Submit;
use crate::store::Stamp;
use serde::{Deserialize, Serialize};

pub mod audience;
pub mod board;
pub mod counters;
pub mod drawer;
mod facts;
pub mod fanout;
pub mod glance;
pub mod open;
mod owner;
pub mod rehearsal;
pub mod repeat;
pub mod rows;
pub mod rules;
pub mod soft;
pub mod state;

pub use owner::Conversation;

/// Opens the one-to-one conversation of the caller and another account, or makes it.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct OpenDialog {
    /// The `contact:get_dialog` that asks.
    pub submit: Submit,
    /// The other one.
    pub other: AccountId,
    /// The kind that a new one gets.
    pub mk_conv_type: Option<DialogType>,
    /// How many conversations of the two have been found to be no dialog any more.
    pub attempt: u32,
}

/// Brings a session up to date and subscribes it: first connect, reconnect, gap and joining are all this.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Visit {
    /// The session.
    pub lane: Lane,
    /// Which of the lane's syncs.
    pub sync: u32,
    /// Everything up to here it has applied; 0 for nothing.
    pub horizon: Stamp,
    /// Archived conversations are left out when nothing of them was ever sent.
    pub skip_hidden: bool,
    /// The session has been told already if it was greeted since it last had to start afresh.
    pub unless_greeted: bool,
    /// It has nothing to be told when it hears of the conversation already.
    pub unless_subscribed: bool,
    /// Dropped when the records have been put in.
    #[serde(with = "crate::border::crossing::token")]
    pub token: Token,
}

/// Asks for the conversation in an init form, as a part of an answer.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Peek {
    /// The session.
    pub lane: Lane,
    /// The frame whose answer it is a part of.
    pub frame: u64,
    /// The form.
    pub mode: InitMode,
    /// Dropped when the records have been put in.
    #[serde(with = "crate::border::crossing::token")]
    pub token: Token,
}

/// Asks for messages that stand on a member's own board, for his sessions. What he may not see (he has left) is left out.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Show {
    /// Whose board it is.
    pub viewer: AccountId,
    /// The session that asked, and the frame whose answer the messages are a part of.
    pub asking: Option<(Lane, u64)>,
    /// The sessions that are pushed them.
    pub lanes: Vec<Lane>,
    /// The messages, by number and id, in the order in which they are shown.
    pub numbers: Vec<(u64, MessageId)>,
    /// The whole message; otherwise only what names it, with the place that the viewer's lane puts in.
    pub is_whole: bool,
    /// Dropped when the records have been put in.
    #[serde(with = "crate::border::crossing::token")]
    pub token: Token,
}

/// Something that whoever asked keeps count of: when the last clone is dropped, everybody has done his part.
pub type Token = Arc<dyn Part>;

/// See [`Token`].
pub trait Part: Send + Sync + std::fmt::Debug {
    /// Somebody could not do his part, and nobody will come and ask for it again: what rests on it is no answer.
    fn fail(&self) {}
}
