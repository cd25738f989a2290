//! `team`: a named set of accounts, and what the viewer may know of it (protocol.md §3.12, accounts.md §8).

use serde::Serialize;

use crate::id::{AccountId, OrganisationId, TeamId};

/// A team. Who is no member is shown a tiny one, without the names of those who are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "team")]
pub struct Team<'a> {
    /// Key.
    pub team_id: TeamId,
    /// Its name.
    pub team_name: &'a str,
    /// Rises with every change.
    pub team_version_nr: u64,
    /// How it is kept up to date: `tsm_full`.
    pub mk_sync_mode: &'static str,
    /// Everybody in it; missing on a tiny one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<&'a [AccountId]>,
    /// Who configures it, where an organisation manages it; missing on a tiny one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admins: Option<&'a [AccountId]>,
    /// Members whose organisation's invitation is unanswered; missing on a tiny one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<&'a [AccountId]>,
    /// An organisation manages it.
    pub is_managed: bool,
    /// Whoever comes into the organisation comes into it.
    pub is_org_wide: bool,
    /// Whoever has its link may join.
    pub is_autojoin: bool,
    /// The link; missing where the viewer is no member and it is of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autojoin_url: Option<&'a str>,
    /// The organisation that manages it; `null` when none does.
    pub organisation_id: Option<OrganisationId>,
    /// Unix seconds since when; in answers to the organisation's admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_time: Option<i64>,
    /// It is gone.
    pub is_deleted: bool,
    /// The viewer is shown what anybody may know.
    pub is_tiny: bool,
}
