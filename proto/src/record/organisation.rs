//! `org_header`, `org_member`, `org_conv`, `org_changelog`, `billing` and `reminder`: an organisation in the eyes of those who are in it, and of
//! those who are asked to be (protocol.md §3.12, accounts.md §9).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::classificator::{ConvType, OrganisationStatus, StaffStatus};
use crate::id::{AccountId, ConversationId, OrganisationId, TeamId};

/// What anybody may know of an organisation, and what the viewer is in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "org_header")]
pub struct OrgHeader<'a> {
    /// Key.
    pub organisation_id: OrganisationId,
    /// Its name.
    pub organisation_name: &'a str,
    /// Who made it.
    pub organisation_founder_id: AccountId,
    /// At work or closed.
    pub status: OrganisationStatus,
    /// Rises with every change that is logged.
    pub version_nr: u64,
    /// Unix seconds at which its trial ends; `null` where none does.
    pub trial_time: Option<i64>,
    /// Unix seconds at which its time of grace ends; `null` where there is none.
    pub grace_time: Option<i64>,
    /// How many active members it has.
    pub active_member_count: usize,
    /// The settings that are on, by name.
    pub flags: &'a [&'static str],
    /// The viewer is one of its active admins.
    pub is_admin: bool,
    /// The viewer is one of its active members.
    pub is_member: bool,
}

/// Somebody's place in an organisation; for its admins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "org_member")]
pub struct OrgMember {
    /// Key.
    pub organisation_id: OrganisationId,
    /// Key.
    pub account_id: AccountId,
    /// Invited, at work, gone, …
    pub mk_member_status: StaffStatus,
    /// Once he is active he is an admin.
    pub is_admin: bool,
    /// Who invited him; missing for the founder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inviter_id: Option<AccountId>,
}

/// A conversation that an organisation manages; for its admins, when they ask.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "org_conv")]
pub struct OrgConv<'a> {
    /// Key.
    pub conversation_id: ConversationId,
    /// Who manages it; `null` once it has been set free.
    pub organisation_id: Option<OrganisationId>,
    /// Its topic; empty when unset.
    pub topic: &'a str,
    /// Who created it.
    pub creator_id: AccountId,
    /// Present members.
    pub members: Vec<AccountId>,
    /// Its own admins.
    pub admins: &'a [AccountId],
    /// Those who left or were removed.
    pub leavers: Vec<AccountId>,
    /// Members who have not answered the organisation's invitation.
    pub pending: Vec<AccountId>,
    /// Present members who take part by e-mail only.
    pub guests: Vec<AccountId>,
    /// Whom the place of a missing topic names; empty when there is one.
    pub default_members: Vec<AccountId>,
    /// Teams whose members are members.
    pub teams: &'a [TeamId],
    /// Which kind it is.
    pub mk_conv_type: ConvType,
    /// It is managed.
    pub is_managed: bool,
    /// Unix seconds since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_time: Option<i64>,
    /// It is an announcement list.
    pub is_list: bool,
    /// Somebody takes part by e-mail.
    pub has_email_subject: bool,
    /// Where to join, once that is allowed.
    pub autojoin_url: &'a str,
    /// The address whose mail is posted here.
    pub cmail: &'a str,
    /// It was begun as a managed one, and may be deleted with all that it says; missing otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_deletable: Option<bool>,
}

/// What an organisation owes: nothing, here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "billing")]
pub struct Billing {
    /// Key.
    pub organisation_id: OrganisationId,
    /// Always `null`: nobody is sent a bill.
    pub next_billing_date: (),
}

/// One change of an organisation; for its admins, when they ask.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "org_changelog")]
pub struct OrgChangelog<'a> {
    /// Key.
    pub organisation_id: OrganisationId,
    /// Key: what the header's number was after it.
    pub version_nr: u64,
    /// Who did it.
    pub account_id: AccountId,
    /// What was done.
    pub event_type: &'a str,
    /// With what.
    pub event_data: &'a Map<String, Value>,
    /// Unix seconds.
    pub event_time: i64,
}

/// Something that the viewer is to decide: an invitation into an organisation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "reminder")]
pub struct Reminder {
    /// Key.
    pub reminder_id: uuid::Uuid,
    /// What it is about: `org_invite`.
    pub mk_reminder_type: &'static str,
    /// Who is reminded.
    pub account_id: AccountId,
    /// Who invites him.
    pub creator_id: AccountId,
    /// Into which organisation.
    pub organisation_id: OrganisationId,
    /// It can still be answered.
    pub is_active: bool,
    /// Unix seconds since when.
    pub remind_time: i64,
    /// Unix seconds until when.
    pub expire_time: i64,
}
