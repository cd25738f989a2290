//! What an organisation manages, as its admins are shown it, read from rows as they are stored; it wakes no owner.
//!
//! What is told to an organisation reaches it by effects, so that a conversation of a moment ago may not be on its list yet.
//! Whether it manages one says the conversation itself. Not here: who may ask (`sight`).

use std::ops::Bound;

use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId, OrganisationId, TeamId};

use super::rows;
use super::sight::Sight;
use crate::conversation::audience::org_conv;
use crate::conversation::rows as conversation;
use crate::conversation::state::{Slot, State};
use crate::node::Node;
use crate::store::{Aggregate, RowKey, StoreFault};

/// How many conversations a page has: as many as a page of a label's (conversations.md §11).
const PAGE: usize = 30;

/// A page of what an organisation manages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// `org_conv` records, by conversation id.
    pub records: Vec<Bytes>,
    /// The last conversation that was looked at, when there are more behind it.
    pub rest: Option<ConversationId>,
}

/// An organisation, and whoever of its admins asks.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// The organisation.
    pub id: OrganisationId,
    /// As rules see it.
    pub sight: &'a Sight,
    /// Who asks.
    pub viewer: AccountId,
}

/// The conversations that the organisation manages, behind one of them.
///
/// # Errors
/// The store cannot be read.
pub async fn conversations(
    node: &Node,
    desk: Desk<'_>,
    after: Option<ConversationId>,
) -> Result<Page, StoreFault> {
    let Some(loaded) = node.store.load(Aggregate::Organisation(desk.id)).await? else {
        return Ok(Page::default());
    };
    let state = rows::load(desk.id, &loaded)?;
    let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
    let managed = state.conversations.range((behind, Bound::Unbounded));
    let ids: Vec<ConversationId> =
        managed.filter(|(_, charge)| charge.is_managed).map(|(id, _)| *id).take(PAGE + 1).collect();
    let mut page = Page { rest: ids.get(PAGE).map(|_| ids[PAGE - 1]), ..Page::default() };
    for id in ids.into_iter().take(PAGE) {
        let survey = conversation(node, desk, id).await?;
        let own = survey.filter(|survey| survey.organisation_id == Some(desk.id));
        page.records.extend(own.map(|survey| survey.record));
    }
    Ok(page)
}

/// A conversation as an organisation is shown it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Survey {
    /// Who manages it.
    pub organisation_id: Option<OrganisationId>,
    /// Its `org_conv` record.
    pub record: Bytes,
}

/// One conversation, whoever manages it; `None` when there is no such conversation.
///
/// # Errors
/// The store cannot be read.
pub async fn conversation(
    node: &Node,
    desk: Desk<'_>,
    id: ConversationId,
) -> Result<Option<Survey>, StoreFault> {
    let Some(state) = stored(node, id).await? else { return Ok(None) };
    let Some(head) = state.head.as_ref() else { return Ok(None) };
    let organisation_id = head.settings.organisation_id;
    let period = head.managed.last().filter(|_| organisation_id.is_some());
    let managed_time = match period {
        Some(period) => posted_time(node, id, period.begin).await?,
        None => None,
    };
    let is_pending = |id| organisation_id == Some(desk.id) && desk.sight.is_pending(id);
    let record = org_conv(&state, &node.site, desk.viewer, is_pending, managed_time);
    Ok(record.map(|record| Survey { organisation_id, record }))
}

/// The teams of a conversation that the organisation manages; none of another one.
///
/// # Errors
/// The store cannot be read.
pub async fn teams_of(
    node: &Node,
    id: OrganisationId,
    of: ConversationId,
) -> Result<Vec<TeamId>, StoreFault> {
    let head = stored(node, of).await?.and_then(|state| state.head);
    let own = head.filter(|head| head.settings.organisation_id == Some(id));
    Ok(own.map(|head| head.teams).unwrap_or_default())
}

/// The teams that the organisation manages.
///
/// # Errors
/// The store cannot be read.
pub async fn teams(node: &Node, id: OrganisationId) -> Result<Vec<TeamId>, StoreFault> {
    let Some(loaded) = node.store.load(Aggregate::Organisation(id)).await? else { return Ok(Vec::new()) };
    let state = rows::load(id, &loaded)?;
    Ok(state.teams.iter().filter(|(_, charge)| charge.is_managed).map(|(id, _)| *id).collect())
}

async fn stored(node: &Node, id: ConversationId) -> Result<Option<State>, StoreFault> {
    let loaded = node.store.load(Aggregate::Conversation(id)).await?;
    loaded.map(|loaded| conversation::load(id, &loaded, &[])).transpose()
}

/// When a message was posted.
async fn posted_time(node: &Node, id: ConversationId, nr: u64) -> Result<Option<i64>, StoreFault> {
    let row = node.store.row(Aggregate::Conversation(id), RowKey::Slot(nr)).await?;
    Ok(match row.map(|row| conversation::decode::<Slot>(&row)).transpose()? {
        Some(Slot::Message(message)) => Some(message.posted_time),
        Some(Slot::Revision { .. }) | None => None,
    })
}
