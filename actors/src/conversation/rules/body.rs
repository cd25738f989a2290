//! The JSON texts of system messages (conversations.md §3.1): compact, keys in the order of the catalogue.

use rill_proto::id::{AccountId, OrganisationId, TeamId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// `create`: who was there from the beginning, without the creator.
#[derive(Serialize, Deserialize)]
pub(super) struct Create {
    pub(super) members: Vec<AccountId>,
    pub(super) topic: String,
    pub(super) org_name: Option<String>,
    pub(super) organisation_id: Option<OrganisationId>,
}

/// `add` and `kick`: whom it concerns.
#[derive(Serialize, Deserialize)]
pub(super) struct Members {
    pub(super) members: Vec<AccountId>,
}

/// `topic`: what it is now.
#[derive(Serialize, Deserialize)]
pub(super) struct Topic {
    pub(super) topic: String,
}

/// `task_completed`: which one.
#[derive(Serialize, Deserialize)]
pub(super) struct TaskCompleted {
    pub(super) task_message_nr: u64,
    pub(super) sysmsg_text: String,
}

/// `discloseV2`: to whom earlier messages were opened, and from when on.
#[derive(Serialize)]
pub(super) struct Disclosed {
    pub(super) members: Vec<AccountId>,
    pub(super) team_ids: Vec<TeamId>,
    pub(super) team_names: Vec<String>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) disclose_time: Option<i64>,
    pub(super) sysmsg_text: &'static str,
}

/// `manage` and `unmanage`: whose the conversation is, or was.
#[derive(Serialize)]
pub(super) struct Organisation {
    pub(super) org_name: String,
    pub(super) organisation_id: OrganisationId,
    pub(super) sysmsg_text: &'static str,
}

/// `kickV2` and `deleteV1`: who is out, and whose the conversation is.
#[derive(Serialize)]
pub(super) struct Kicked {
    pub(super) members: Vec<AccountId>,
    pub(super) org_name: String,
    pub(super) organisation_id: OrganisationId,
    pub(super) sysmsg_text: &'static str,
}

/// `add_teamV2` and `kick_team`: who came or went with a team.
#[derive(Serialize)]
pub(super) struct OfTeam<'a> {
    pub(super) members: &'a [AccountId],
    pub(super) team_id: TeamId,
    pub(super) team_name: &'a str,
    pub(super) sysmsg_text: &'static str,
}

/// Whatever is only said: receivers put the author's name in.
#[derive(Serialize)]
pub(super) struct Said {
    pub(super) sysmsg_text: &'static str,
}

/// The text of a body.
pub(super) fn text(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("strings, ids and lists of ids are always JSON")
}

/// A body from its text; `None` when another version of this server wrote it in another form.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
