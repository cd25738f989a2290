//! What an account is to organisations, and to teams: rows that their owners tell it of, and what it has decided itself
//! (accounts.md §8.1, §9.2, §9.3).
//!
//! The account alone decides which organisation it is in, so that it is in one at most. Not here: the rules.

use std::collections::BTreeSet;

use bytes::Bytes;
use rill_proto::classificator::{LabelStatus, LabelSubtype, LabelType, OrganisationFlag, StaffStatus};
use rill_proto::id::{AccountId, LabelId, OrganisationId, TeamId};
use rill_proto::record::{self, label, organisation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::label::SystemLabel;
use crate::store::Stamp;

/// For how long an invitation is good, in seconds: as the letter that goes with it.
pub const INVITATION_KEPT_S: i64 = 30 * 24 * 60 * 60;

/// What an organisation says of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Employment {
    /// The organisation.
    pub organisation_id: OrganisationId,
    /// Its name.
    pub organisation_name: String,
    /// Invited, at work, gone, …
    pub status: StaffStatus,
    /// It is, or will be when it is active, an admin.
    pub is_admin: bool,
    /// Who invited it; `None` for the founder.
    #[serde(default)]
    pub inviter_id: Option<AccountId>,
    /// The invitation that it may answer.
    #[serde(default)]
    pub reminder_id: Option<Uuid>,
    /// Unix seconds of that invitation.
    #[serde(default)]
    pub invited_time: i64,
    /// The organisation's settings that are on.
    #[serde(default)]
    pub flags: BTreeSet<OrganisationFlag>,
    /// The stamp of the change: an older one than was applied says nothing new.
    pub version: Stamp,
}

/// What an account has done about an invitation, as long as the organisation has not said that it knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It has joined.
    Joined,
    /// It does not want to.
    Declined,
}

/// An organisation in an account's rows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Row {
    /// What the organisation said last.
    pub said: Employment,
    /// What the account has answered since.
    #[serde(default)]
    pub reply: Option<Reply>,
    /// When the row last changed.
    pub stamp: Stamp,
}

impl Row {
    /// What the account is to the organisation, its own answer counted.
    #[must_use]
    pub fn status(&self) -> StaffStatus {
        match (self.said.status, self.reply) {
            (StaffStatus::Pending, Some(Reply::Joined)) => StaffStatus::Active,
            (StaffStatus::Pending, Some(Reply::Declined)) => StaffStatus::Declined,
            (status, _) => status,
        }
    }

    /// Until when the invitation can be answered.
    #[must_use]
    pub fn expire_time(&self) -> i64 {
        self.said.invited_time + INVITATION_KEPT_S
    }

    /// Its `reminder` record; `None` for somebody who was never invited.
    #[must_use]
    pub fn reminder(&self, account_id: AccountId) -> Option<Bytes> {
        let record = organisation::Reminder {
            reminder_id: self.said.reminder_id?,
            mk_reminder_type: "org_invite",
            account_id,
            creator_id: self.said.inviter_id?,
            organisation_id: self.said.organisation_id,
            is_active: self.status() == StaffStatus::Pending,
            remind_time: self.said.invited_time,
            expire_time: self.expire_time(),
        };
        Some(record::complete(&record).into())
    }
}

/// What binds an account as long as it is in an organisation (accounts.md §9.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Duty {
    /// It cannot log in with a password. Admins can, so that an organisation without another way in locks nobody out for good.
    pub has_no_password: bool,
    /// It cannot log in at all.
    pub is_suspended: bool,
    /// It cannot keep to itself.
    pub is_present: bool,
    /// Nobody outside finds it by its id.
    pub is_hidden: bool,
}

/// A team in an account's rows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Enlistment {
    /// The team's name.
    pub team_name: String,
    /// The account is in it.
    pub is_member: bool,
    /// Of the newest change that was told of it.
    pub version: Stamp,
    /// When the row last changed.
    pub stamp: Stamp,
}

/// The id of an account's label for a team: derived, so that conversations need not ask for it.
#[must_use]
pub fn team_label_id(account_id: AccountId, team_id: TeamId) -> LabelId {
    LabelId(Uuid::new_v5(&account_id.0, team_id.0.as_bytes()))
}

impl Enlistment {
    /// The account's `label` record for the team; with the cursor, where it is the answer to a sync. They stand behind the labels
    /// that every account has, all at one place.
    #[must_use]
    pub fn label(&self, account_id: AccountId, team_id: TeamId, sync_cursor: Option<&str>) -> Bytes {
        let is_in_use = self.is_member;
        let record = label::Label {
            label_id: team_label_id(account_id, team_id),
            label: is_in_use.then_some(self.team_name.as_str()),
            index: SystemLabel::ALL.len() as i32 + 1,
            mk_label_type: LabelType::System,
            mk_label_subtype: LabelSubtype::TeamLabel,
            mk_label_status: if is_in_use { LabelStatus::Active } else { LabelStatus::Removed },
            is_on_left_pane: false,
            is_in_recent: true,
            is_in_muted: true,
            team_id: Some(team_id),
            sync_cursor,
            sync_inbox_time: sync_cursor.map(|_| 0),
        };
        record::complete(&record).into()
    }
}
