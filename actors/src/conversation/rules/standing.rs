//! Who asks: the preconditions that every event of a conversation begins with (conversations.md §4.2, §12).

use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::state::{Head, Member, State};

/// The caller and the conversation, for events that an ex-member may ask as well.
///
/// # Errors
/// `not_member` when there is no such conversation, or the caller never was in it; which of the two is not told.
pub(super) fn viewer(state: &State, caller: AccountId) -> Result<(&Head, &Member), Refusal> {
    let head = state.head.as_ref().ok_or_else(Refusal::not_member)?;
    let member = state.members.get(&caller).ok_or_else(Refusal::not_member)?;
    Ok((head, member))
}

/// The caller and the conversation, for events of present members.
///
/// # Errors
/// As [`viewer`], and `has_left` for an ex-member.
pub(super) fn member(state: &State, caller: AccountId) -> Result<(&Head, &Member), Refusal> {
    let (head, member) = viewer(state, caller)?;
    if member.is_present() { Ok((head, member)) } else { Err(Refusal::has_left()) }
}

/// A present member who may change members and settings: anybody, or in a managed conversation its admins.
///
/// # Errors
/// As [`member`], and `no_permission` for who is no admin of a managed conversation.
pub(super) fn manager(state: &State, caller: AccountId) -> Result<(&Head, &Member), Refusal> {
    let (head, member) = member(state, caller)?;
    if head.settings.organisation_id.is_some() { admin(head, caller, member) } else { Ok((head, member)) }
}

/// A member who is an admin of a managed conversation: its own, or one of the organisation.
///
/// # Errors
/// `no_permission` for everybody else.
pub(super) fn admin<'s>(
    head: &'s Head,
    caller: AccountId,
    member: &'s Member,
) -> Result<(&'s Head, &'s Member), Refusal> {
    if is_admin(head, caller, member) {
        return Ok((head, member));
    }
    Err(Refusal::no_permission("Only admins can change this conversation."))
}

fn is_admin(head: &Head, caller: AccountId, member: &Member) -> bool {
    let organisation_id = head.settings.organisation_id;
    let is_at_work = organisation_id.is_some() && member.profile.organisation_id == organisation_id;
    head.settings.admins.contains(&caller) || (is_at_work && member.profile.is_org_admin == Some(true))
}

/// A present member who may post.
///
/// # Errors
/// As [`member`], and `no_permission` when only admins may write.
pub(super) fn writer(state: &State, caller: AccountId) -> Result<(&Head, &Member), Refusal> {
    let (head, member) = member(state, caller)?;
    if head.settings.is_admin_write_only == Some(true) && !is_admin(head, caller, member) {
        return Err(Refusal::no_permission("Only admins can write in this conversation."));
    }
    Ok((head, member))
}
