//! What would come of an event, without anything coming of it: for calls that change two owners one after the other, and must
//! know before the first that the second will not refuse.
//!
//! Read from the rows as they are stored; it wakes no owner. What is decided in the end may be another thing, since others go
//! on meanwhile.

use std::sync::Arc;

use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::refusal::Refusal;

use super::facts::{fetch, know};
use super::rows::load;
use super::rules::{Decision, Facts, Stop, decide};
use super::state::{RECENT_SLOTS_MAX, State};
use crate::node::Node;
use crate::store::{Aggregate, Direction, StoreFault};
use crate::team::sight::Sight;

/// What a conversation would decide of an event, if the team were so.
///
/// # Errors
/// The store cannot be read; inside of that, what the event would be refused for.
pub async fn rehearse(
    node: &Node,
    id: ConversationId,
    caller: AccountId,
    event: &ClientEvent,
    team: Sight,
) -> Result<Result<Decision, Refusal>, StoreFault> {
    let store = &node.store;
    let state = match store.load(Aggregate::Conversation(id)).await? {
        Some(loaded) => {
            let newest = store.slots(id, 1, u64::MAX, RECENT_SLOTS_MAX, Direction::Descending).await?;
            load(id, &loaded, &newest)?
        }
        None => State::new(id),
    };
    let mut facts = Facts { now: node.now_s(), ..Facts::default() };
    facts.teams.insert(team.roster.team_id, Some(team));
    loop {
        match decide(&state, caller, event, &facts) {
            Ok(decision) => return Ok(Ok(decision)),
            Err(Stop::Refused(refusal)) => return Ok(Err(refusal)),
            Err(Stop::Needs(need)) => know(&mut facts, fetch(Arc::clone(store), id, need).await?),
        }
    }
}
