//! The conversation: its rows, its rules, its audience, and the actor that owns them.
//!
//! The actor takes one thing at a time: look whether it is a repeat, gather facts, decide, fold, append, and let go what
//! is durable. It owns its state alone. What is decided is in `rules`; who is told is in `audience` and `fanout`.

use std::collections::{HashMap, VecDeque};
use std::future::Future as _;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use bytes::Bytes;
use rill_proto::classificator::{DialogType, InitMode};
use rill_proto::id::{AccountId, ConversationId, RequestId};
use rill_proto::refusal::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conversation::fanout::{Stage, Subscribers};
use crate::conversation::rules::{Decision, Facts, Header, Judged, Keys, Need, News, Reach, Stop};
use crate::conversation::soft::SoftState;
use crate::conversation::state::{RECENT_SLOTS_MAX, State};
use crate::effect::{Apply, Effect};
use crate::hub::Item;
use crate::journal::{Departure, Journal, Reply, Rows};
use crate::node::Node;
use crate::presence::Lane;
use crate::session::Submit;
use crate::store::{Aggregate, Direction, Loaded, OutboxEntry, RowKey, StoreFault, StoreFuture, UniqueKey};
use crate::watermark::Issued;

pub mod audience;
pub mod counters;
pub mod fanout;
mod owner;
pub mod rows;
pub mod rules;
pub mod soft;
pub mod state;

pub use owner::Conversation;

/// Opens the one-to-one conversation of the caller and another account, or makes it.
#[derive(Message, Debug)]
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
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Visit {
    /// The session.
    pub lane: Lane,
    /// Everything up to here it has applied; 0 for nothing.
    pub horizon: u64,
    /// Archived conversations are left out when nothing of them was ever sent.
    pub skip_hidden: bool,
    /// The session has been told already if it was greeted since it last had to start afresh.
    pub unless_greeted: bool,
    /// Dropped when the records have been put in.
    pub token: Arc<dyn Send + Sync>,
}

/// Asks for the conversation in an init form, as a part of an answer.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Peek {
    /// The session.
    pub lane: Lane,
    /// The frame whose answer it is a part of.
    pub frame: u64,
    /// The form.
    pub mode: InitMode,
    /// Dropped when the records have been put in.
    pub token: Arc<dyn Send + Sync>,
}
