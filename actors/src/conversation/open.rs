//! What a conversation shows to somebody, read from its rows as they are stored: for other owners, and for whoever
//! serves files. It needs no actor and wakes none.
//!
//! Not here: what its own owner decides, who has newer rows in memory.

use rill_proto::id::{AccountId, ConversationId};
use rill_proto::record::message::is_shared;

use super::rows::decode;
use super::state::{Member, Message, Slot};
use crate::store::{Aggregate, RowKey, Store, StoreFault};

/// A message, if the viewer may see it (conversations.md §4.3).
///
/// # Errors
/// The store cannot be read.
pub async fn message_for(
    store: &dyn Store,
    viewer: AccountId,
    conversation_id: ConversationId,
    message_nr: u64,
) -> Result<Option<Message>, StoreFault> {
    let owner = Aggregate::Conversation(conversation_id);
    let Some(member) = store.row(owner, RowKey::Member(viewer)).await? else {
        return Ok(None);
    };
    let member: Member = decode(&member)?;
    let slot = store.row(owner, RowKey::Slot(message_nr)).await?;
    match slot.map(|slot| decode::<Slot>(&slot)).transpose()? {
        Some(Slot::Message(message)) => Ok(is_open(&member, &message).then_some(*message)),
        Some(Slot::Revision { .. }) | None => Ok(None),
    }
}

/// Whether a member may see a message as it stands now: by his part of the flow, or because it lies on a board.
#[must_use]
pub fn is_open(member: &Member, message: &Message) -> bool {
    member.sees(message.message_nr) || (member.is_present() && is_shared(message.state))
}
