//! What everybody who knows an account may know of it. Conversations keep a copy of each member's, so that their rules
//! and records need no other owner; a change travels to them as an effect.

use rill_proto::classificator::AccountStatus;
use rill_proto::id::OrganisationId;
use serde::{Deserialize, Serialize};

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
    #[serde(default)]
    pub fleep_address: Option<String>,
    /// Known by address only, registered, closed.
    pub status: AccountStatus,
    /// The organisation of which it is an active member.
    #[serde(default)]
    pub organisation_id: Option<OrganisationId>,
    /// Public phone number.
    #[serde(default)]
    pub phone_nr: Option<String>,
}
