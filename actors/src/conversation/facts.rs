//! Fetching what a rule lacks: the only place where a conversation reads the store while it decides.

use std::sync::Arc;

use bytes::Bytes;
use rill_proto::event::{ClientEvent, conv};
use rill_proto::id::{AccountId, ConversationId, LabelId, OrganisationId, TeamId};
use uuid::Uuid;

use super::rows::{decode, load};
use super::rules::{Elsewhere, Facts, Foreign, Need, Stretch};
use super::state::{Slot, State};
use crate::account::fresh_id;
use crate::account::label::{self, Settable};
use crate::account::profile::Profile;
use crate::account::state::Head as AccountHead;
use crate::file::{self, Found};
use crate::node::Node;
use crate::organisation::sight::{Terms, terms};
use crate::outcomes::Outcome;
use crate::session::Submit;
use crate::store::{Aggregate, Direction, RowKey, Store, StoreFault, StoreFuture, UniqueKey};
use crate::team::sight::{Sight, sight};

/// A fact that was fetched.
pub(super) enum Fact {
    Slots(Vec<u64>, Vec<(u64, Slot)>),
    Stretch(Stretch, Vec<(u64, Slot)>),
    Profiles(Vec<(AccountId, Option<Profile>)>),
    Foreign(Foreign, Box<Elsewhere>),
    Conversation(Box<State>),
    Outcome(Option<Outcome>),
    Files(Vec<(String, Option<Found>)>),
    Labels(Vec<(LabelId, Option<Settable>)>),
    Teams(Vec<(TeamId, Option<Sight>)>),
    Organisation(OrganisationId, Option<Terms>),
}

/// Fetches a fact of a conversation.
pub(super) fn fetch(store: Arc<dyn Store>, id: ConversationId, need: Need) -> StoreFuture<Fact> {
    Box::pin(async move {
        match need {
            Need::Slots(wanted) => {
                let mut found = Vec::with_capacity(wanted.len());
                for nr in &wanted {
                    found.extend(slots(store.slots(id, *nr, *nr, 1, Direction::Ascending).await?)?);
                }
                Ok(Fact::Slots(wanted, found))
            }
            Need::Stretch(stretch) => {
                let read =
                    store.slots(id, stretch.from, stretch.to, stretch.limit, stretch.direction()).await?;
                Ok(Fact::Stretch(stretch, slots(read)?))
            }
            Need::Profiles(wanted) => {
                let mut found = Vec::with_capacity(wanted.len());
                for account_id in wanted {
                    let row = store.row(Aggregate::Account(account_id), RowKey::Head).await?;
                    let head = row.map(|row| decode::<AccountHead>(&row)).transpose()?;
                    found.push((account_id, head.map(|head| head.profile)));
                }
                Ok(Fact::Profiles(found))
            }
            Need::Conversation(there) => {
                let loaded = store.load(Aggregate::Conversation(there)).await?;
                let state = loaded.map(|loaded| load(there, &loaded, &[])).transpose()?;
                Ok(Fact::Conversation(Box::new(state.unwrap_or_else(|| State::new(there)))))
            }
            Need::Foreign(wanted) => Ok(Fact::Foreign(wanted, Box::new(elsewhere(&*store, wanted).await?))),
            Need::Outcome(account_id, request_id) => {
                let row = store.holder(UniqueKey::Request(account_id, request_id.0)).await?;
                Ok(Fact::Outcome(row.map(|row| decode(&row)).transpose()?))
            }
            Need::Labels(caller, wanted) => {
                let mut found = Vec::with_capacity(wanted.len());
                for label_id in wanted {
                    found.push((label_id, label::settable(&*store, caller, label_id).await?));
                }
                Ok(Fact::Labels(found))
            }
            Need::Teams(wanted) => {
                let mut found = Vec::with_capacity(wanted.len());
                for id in wanted {
                    found.push((id, sight(&*store, id).await?));
                }
                Ok(Fact::Teams(found))
            }
            Need::Organisation(id) => Ok(Fact::Organisation(id, terms(&*store, id).await?)),
            Need::Files(caller, urls) => Ok(Fact::Files(file::gather(store, caller, urls).await?)),
        }
    })
}

/// What other conversations hold is read as it is durable: nobody has been told of more.
async fn elsewhere(store: &dyn Store, wanted: Foreign) -> Result<Elsewhere, StoreFault> {
    let there = Aggregate::Conversation(wanted.conversation_id);
    let Some(member) = store.row(there, RowKey::Member(wanted.viewer)).await? else {
        return Ok(Elsewhere::default());
    };
    let slot = store.row(there, RowKey::Slot(wanted.message_nr)).await?;
    let message = match slot.map(|row| decode(&row)).transpose()? {
        Some(Slot::Message(message)) => Some(*message),
        Some(Slot::Revision { .. }) | None => None,
    };
    Ok(Elsewhere { member: Some(decode(&member)?), message })
}

fn slots(read: Vec<(u64, Bytes)>) -> Result<Vec<(u64, Slot)>, StoreFault> {
    read.into_iter().map(|(nr, bytes)| Ok((nr, decode(&bytes)?))).collect()
}

/// Puts a fact where the rules look for it.
pub(super) fn know(facts: &mut Facts, fact: Fact) {
    match fact {
        Fact::Slots(wanted, found) => {
            facts.slots.extend(wanted.into_iter().map(|nr| (nr, None)));
            facts.slots.extend(found.into_iter().map(|(nr, slot)| (nr, Some(slot))));
        }
        Fact::Stretch(stretch, found) => {
            facts.stretches.insert(stretch, found);
        }
        Fact::Profiles(found) => facts.profiles.extend(found),
        Fact::Foreign(wanted, found) => drop(facts.foreign.insert(wanted, *found)),
        Fact::Conversation(there) => drop(facts.conversations.insert(there.conversation_id, *there)),
        Fact::Outcome(outcome) => facts.outcome = Some(outcome),
        Fact::Files(found) => facts.files.extend(found),
        Fact::Labels(found) => facts.labels.extend(found),
        Fact::Teams(found) => facts.teams.extend(found),
        Fact::Organisation(id, found) => drop(facts.organisations.insert(id, found)),
    }
}

/// The id of what an event makes beside messages; nil for events that make nothing of the kind, since deriving one costs
/// as much as a small decision.
pub(super) fn fresh(node: &Node, submit: &Submit) -> Uuid {
    if matches!(submit.event, ClientEvent::Conv(conv::Event::UploadExternal(_))) {
        fresh_id(node, submit.lane.account_id(), submit.request_id)
    } else {
        Uuid::nil()
    }
}
