//! What other owners' rules may ask of an organisation, read from its rows as they are stored; it wakes no owner.

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::classificator::{OrganisationFlag, OrganisationStatus, StaffStatus};
use rill_proto::id::{AccountId, OrganisationId};
use rill_proto::refusal::Refusal;

use super::rows::load;
use super::state::{Head, State};
use crate::conversation::rows::decode;
use crate::store::{Aggregate, RowKey, Store, StoreFault};

/// An organisation in the eyes of a rule.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sight {
    /// Its name.
    pub name: String,
    /// It is open.
    pub is_open: bool,
    /// The settings that are on.
    pub flags: BTreeSet<OrganisationFlag>,
    /// Everybody who is in it or was asked to be, and whether he is an admin.
    pub members: BTreeMap<AccountId, (StaffStatus, bool)>,
}

impl Sight {
    /// As it is; `None` when it does not exist.
    #[must_use]
    pub fn of(state: &State) -> Option<Self> {
        let head = state.head.as_ref()?;
        let members = state.members.iter().map(|(id, member)| (*id, (member.status, member.is_admin)));
        Some(Self {
            name: head.name.clone(),
            is_open: head.status != OrganisationStatus::Closed,
            flags: head.flags.clone(),
            members: members.collect(),
        })
    }

    /// Whether somebody is an active member of it.
    #[must_use]
    pub fn is_active(&self, id: AccountId) -> bool {
        self.is_open && self.members.get(&id).is_some_and(|(status, _)| *status == StaffStatus::Active)
    }

    /// Whether somebody is an active admin of it.
    #[must_use]
    pub fn is_admin(&self, id: AccountId) -> bool {
        self.is_active(id) && self.members.get(&id).is_some_and(|(_, is_admin)| *is_admin)
    }

    /// Whether somebody's invitation is unanswered.
    #[must_use]
    pub fn is_pending(&self, id: AccountId) -> bool {
        self.is_open && self.members.get(&id).is_some_and(|(status, _)| *status == StaffStatus::Pending)
    }
}

/// What whoever is managed must know of an organisation: its head alone, since it may have thousands of members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Terms {
    /// Its name.
    pub name: String,
    /// It is open.
    pub is_open: bool,
    /// The settings that are on.
    pub flags: BTreeSet<OrganisationFlag>,
}

/// The terms of an organisation as they are stored; `None` when there is none.
///
/// # Errors
/// The store cannot be read.
pub async fn terms(store: &dyn Store, id: OrganisationId) -> Result<Option<Terms>, StoreFault> {
    let row = store.row(Aggregate::Organisation(id), RowKey::Head).await?;
    let head = row.map(|row| decode::<Head>(&row)).transpose()?;
    Ok(head.map(|head| Terms {
        is_open: head.status != OrganisationStatus::Closed,
        name: head.name,
        flags: head.flags,
    }))
}

/// An organisation whose admin asks for something.
///
/// # Errors
/// 430 for one that does not exist, 431 for one that is closed, 403 for a caller who is no active admin of it.
pub fn administered(sight: Option<Sight>, caller: AccountId) -> Result<Sight, Refusal> {
    let sight = sight.ok_or_else(|| Refusal::not_found("Organisation"))?;
    if !sight.is_open {
        return Err(Refusal::no_permission("The organisation is closed."));
    }
    if sight.is_admin(caller) { Ok(sight) } else { Err(Refusal::forbidden()) }
}

/// An organisation as it is stored; `None` when there is none.
///
/// # Errors
/// The store cannot be read.
pub async fn sight(store: &dyn Store, id: OrganisationId) -> Result<Option<Sight>, StoreFault> {
    match store.load(Aggregate::Organisation(id)).await? {
        Some(loaded) => Ok(Sight::of(&load(id, &loaded)?)),
        None => Ok(None),
    }
}
