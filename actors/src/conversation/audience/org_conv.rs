//! `org_conv`: a conversation in the eyes of the organisation that manages it: who is in it and what is set, and nothing of what
//! is said (accounts.md §10.2: its admins do not read what they are not in).

use bytes::Bytes;
use rill_proto::classificator::ConvType;
use rill_proto::id::AccountId;
use rill_proto::record;
use rill_proto::record::organisation::OrgConv;

use super::{Site, facts, links};
use crate::conversation::state::State;

/// The record for one of the organisation's admins, who may be a member; `None` for what is not there.
#[must_use]
pub fn org_conv(
    state: &State,
    site: &Site,
    viewer: AccountId,
    is_pending: impl Fn(AccountId) -> bool,
    managed_time: Option<i64>,
) -> Option<Bytes> {
    let head = state.head.as_ref()?;
    let organisation_id = head.settings.organisation_id;
    let facts = facts(state, head, None);
    let links = links(state, site);
    let is_named = head.topic.is_empty();
    let may_wait =
        |id: &AccountId| state.members.get(id).is_some_and(|member| state.may_wait_for(*id, member));
    let record = OrgConv {
        conversation_id: state.conversation_id,
        organisation_id,
        topic: facts.topic,
        creator_id: facts.creator_id,
        default_members: facts.members.iter().copied().filter(|id| is_named && *id != viewer).collect(),
        pending: facts.members.iter().copied().filter(|id| is_pending(*id) && may_wait(id)).collect(),
        members: facts.members,
        admins: facts.admins,
        leavers: facts.leavers,
        guests: facts.guests,
        teams: &head.teams,
        mk_conv_type: facts.mk_conv_type,
        is_managed: organisation_id.is_some(),
        managed_time,
        is_list: facts.mk_conv_type == ConvType::List,
        has_email_subject: facts.has_email_subject,
        autojoin_url: &links.autojoin_url,
        cmail: &links.cmail,
        is_deletable: head.is_deletable.then_some(true),
    };
    Some(record::complete(&record).into())
}
