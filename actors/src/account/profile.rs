//! What everybody who knows an account may know of it. Conversations keep a copy of each member's, so that their rules
//! and records need no other owner; a change travels to them as an effect.

use std::collections::BTreeSet;

use rill_proto::classificator::AccountStatus;
use rill_proto::id::{AccountId, OrganisationId};
use serde::{Deserialize, Serialize};

use super::avatar::Avatar;

/// Public facts of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// Rises with every change.
    pub version: u64,
    /// The name that others see; the e-mail address while nobody has given one.
    pub display_name: String,
    /// E-mail address, lower case.
    pub email: String,
    /// Fleep address; registered accounts only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleep_address: Option<String>,
    /// Known by address only, registered, closed.
    pub status: AccountStatus,
    /// The organisation of which it is an active member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<OrganisationId>,
    /// Its name; empty where it was in one once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_name: Option<String>,
    /// Whether it is an admin there; `None` where it never was in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_org_admin: Option<bool>,
    /// Organisations whose invitation it has not answered.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub invited_into: BTreeSet<OrganisationId>,
    /// Public phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_nr: Option<String>,
    /// What it says of itself, as an emoji.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_emoji: Option<String>,
    /// What it says of itself, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    /// Whose address it is, as long as it is an alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_of: Option<AccountId>,
    /// Neither its pen and read marks are shown, nor those of others to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_private: bool,
    /// Its picture; `None` when it never had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<Avatar>,
}

impl Profile {
    /// Of somebody who is known by his e-mail address only.
    #[must_use]
    pub fn of_address(email: &str) -> Self {
        Self {
            version: 1,
            display_name: email.to_owned(),
            email: email.to_owned(),
            fleep_address: None,
            status: AccountStatus::New,
            organisation_id: None,
            organisation_name: None,
            is_org_admin: None,
            invited_into: BTreeSet::new(),
            phone_nr: None,
            status_emoji: None,
            status_message: None,
            alias_of: None,
            is_private: false,
            avatar: None,
        }
    }
}
