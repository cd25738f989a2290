//! Consequences that one aggregate has for another: what an outbox entry says.
//!
//! Carried at least once, applied once. An effect says what is so, not what to add, so that applying it again changes
//! nothing.

use actix::Message;
use rill_proto::id::{AccountId, ConversationId};
use serde::{Deserialize, Serialize};

use crate::account::profile::Profile;
use crate::store::OutboxEntry;

/// What a conversation tells an account, or an account a conversation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// To an account: it is (again) a member of the conversation, or sees more of it than before.
    Joined {
        /// The conversation.
        conversation_id: ConversationId,
        /// Who brought the account in; itself when it created the conversation.
        by: AccountId,
        /// Version of the account's profile that the conversation holds.
        profile_version: u64,
        /// The stamp of the change: an older effect than one that was applied says nothing new.
        version: u64,
    },
    /// To an account: whether the conversation is its dialog with another account (two members, no topic).
    Dialog {
        /// The conversation.
        conversation_id: ConversationId,
        /// The other one.
        with: AccountId,
        /// It is, or it is no longer.
        is_dialog: bool,
        /// The stamp of the change, as in [`Effect::Joined`].
        version: u64,
    },
    /// To a conversation: a member's profile changed.
    Profile {
        /// The member.
        account_id: AccountId,
        /// What it is now; its version tells old from new.
        profile: Profile,
    },
}

/// Brings an outbox entry to its target's owner.
#[derive(Message, Clone, Debug)]
#[rtype(result = "()")]
pub struct Apply(pub OutboxEntry);
