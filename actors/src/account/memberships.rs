//! Which conversations, teams and unanswered invitations an account has, read from its rows as they are stored; it wakes no owner.
//!
//! Not here: what an account sees in them (each conversation knows).

use bytes::Bytes;
use rill_proto::classificator::StaffStatus;
use rill_proto::id::{AccountId, ConversationId, TeamId};

use super::employment::{Enlistment, Row};
use super::state::Membership;
use crate::conversation::glance::Glance;
use crate::conversation::rows::decode;
use crate::store::{Aggregate, RowKey, Stamp, Store, StoreFault};

/// The conversations of an account with the stamps under which they came to it, the earliest first.
///
/// # Errors
/// The store cannot be read.
pub async fn memberships(
    store: &dyn Store,
    account_id: AccountId,
) -> Result<Vec<(ConversationId, Stamp)>, StoreFault> {
    let loaded = store.load(Aggregate::Account(account_id)).await?;
    let mut found = Vec::new();
    for (key, bytes) in loaded.map(|loaded| loaded.rows).unwrap_or_default() {
        if let RowKey::Membership(id) = key {
            let membership: Membership = decode(&bytes)?;
            found.push((id, membership.stamp));
        }
    }
    found.sort_unstable_by_key(|(id, stamp)| (*stamp, *id));
    Ok(found)
}

/// How many conversations of an account are unread: those that the label of that name lists.
///
/// # Errors
/// The store cannot be read.
pub async fn unread(store: &dyn Store, account_id: AccountId) -> Result<usize, StoreFault> {
    let mut unread = 0;
    for (id, _) in memberships(store, account_id).await? {
        let here = Aggregate::Conversation(id);
        let Some(member) = store.row(here, RowKey::Member(account_id)).await? else { continue };
        let Some(head) = store.row(here, RowKey::Head).await? else { continue };
        let glance = Glance::of(&decode(&head)?, &decode(&member)?);
        unread += usize::from(glance.is_unread && !glance.is_deleted);
    }
    Ok(unread)
}

/// The teams that an account is in.
///
/// # Errors
/// The store cannot be read.
pub async fn teams(store: &dyn Store, account_id: AccountId) -> Result<Vec<TeamId>, StoreFault> {
    let loaded = store.load(Aggregate::Account(account_id)).await?;
    let mut found = Vec::new();
    for (key, bytes) in loaded.map(|loaded| loaded.rows).unwrap_or_default() {
        if let RowKey::Team(id) = key
            && decode::<Enlistment>(&bytes)?.is_member
        {
            found.push(id);
        }
    }
    Ok(found)
}

/// The `reminder` records of what an account has not answered and still can.
///
/// # Errors
/// The store cannot be read.
pub async fn reminders(store: &dyn Store, account_id: AccountId, now: i64) -> Result<Vec<Bytes>, StoreFault> {
    let loaded = store.load(Aggregate::Account(account_id)).await?;
    let mut found = Vec::new();
    for (key, bytes) in loaded.map(|loaded| loaded.rows).unwrap_or_default() {
        if let RowKey::Employment(_) = key {
            let row: Row = decode(&bytes)?;
            let is_open = row.status() == StaffStatus::Pending && row.expire_time() >= now;
            found.extend(row.reminder(account_id).filter(|_| is_open));
        }
    }
    Ok(found)
}
