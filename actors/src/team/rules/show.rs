//! `team:get`, and the call that is the same: who may know of a team, and how much (accounts.md §8.6).

use rill_proto::id::{AccountId, ConversationId, OrganisationId};
use rill_proto::refusal::Refusal;
use serde_json::json;

use super::{Decision, existing};
use crate::group::{Facts, Judged};
use crate::team::record::News;
use crate::team::state::{Head, State};

/// # Errors
/// 430 for one that does not exist, is gone, or that the caller may not know of; which of them is not told.
pub(super) fn get(
    state: &State,
    caller: AccountId,
    through: Option<ConversationId>,
    facts: &Facts,
) -> Judged<Decision> {
    let head = existing(state)?;
    let news = if state.is_present(caller) {
        News::Whole
    } else if administers(head, caller, facts)? {
        News::Managed
    } else if head.is_autojoin || is_met(state, caller, through, facts)? {
        News::Tiny
    } else {
        return Err(Refusal::not_found("Team").into());
    };
    let identifier = json!({ "team_id": state.id });
    Ok(Decision { identifier, answer: vec![news], ..Decision::default() })
}

/// All of it, for an admin of the organisation that manages it.
///
/// # Errors
/// 430 for one that does not exist, is gone, or is not that organisation's.
pub(super) fn survey(
    state: &State,
    caller: AccountId,
    organisation_id: OrganisationId,
    facts: &Facts,
) -> Judged<Decision> {
    let head = existing(state)?;
    if head.organisation_id != Some(organisation_id) || !administers(head, caller, facts)? {
        return Err(Refusal::not_found("Team").into());
    }
    Ok(Decision { answer: vec![News::Managed], ..Decision::default() })
}

/// Whether somebody is an active admin of the organisation that manages it.
pub(super) fn administers(head: &Head, caller: AccountId, facts: &Facts) -> Judged<bool> {
    match head.organisation_id {
        Some(id) => Ok(facts.organisation(id)?.is_some_and(|organisation| organisation.is_admin(caller))),
        None => Ok(false),
    }
}

/// Whether somebody is in that conversation, and it has the team.
fn is_met(state: &State, caller: AccountId, through: Option<ConversationId>, facts: &Facts) -> Judged<bool> {
    let has_it = |id: &ConversationId| state.conversations.get(id).is_some_and(|place| place.is_there);
    match through.filter(has_it) {
        Some(id) => facts.is_in(caller, id),
        None => Ok(false),
    }
}
