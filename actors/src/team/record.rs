//! The `team` record, and who may know of it: members all of it, others what anybody may know (accounts.md §8.5, §8.6).

use bytes::Bytes;
use rill_proto::id::AccountId;
use rill_proto::record::{self, team};

use super::state::{Head, State};
use crate::account::employment::Enlistment;
use crate::store::Stamp;

/// Something to tell of a team.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// All of it, for its members.
    Whole,
    /// All of it and since when it is managed, for the organisation's admins.
    Managed,
    /// What anybody may know.
    Tiny,
    /// Somebody is in it no more.
    Gone(AccountId),
    /// The viewer's label for it.
    Label,
}

/// Who is told of it without asking.
pub(super) fn audience(state: &State, news: News) -> Vec<AccountId> {
    match news {
        News::Whole => state.present().collect(),
        News::Gone(id) => vec![id],
        News::Managed | News::Tiny | News::Label => Vec::new(),
    }
}

/// The record.
pub(super) fn record(state: &State, viewer: AccountId, news: News, public_url: &str) -> Option<Bytes> {
    let head = state.head.as_ref()?;
    if news == News::Label {
        let is_member = state.is_present(viewer) && !head.is_deleted;
        let enlistment =
            Enlistment { team_name: head.name.clone(), is_member, version: head.stamp, stamp: head.stamp };
        return Some(enlistment.label(viewer, state.id, None));
    }
    let members: Vec<AccountId> = state.present().collect();
    let admins: Vec<AccountId> =
        if head.organisation_id.is_some() { state.admins().collect() } else { Vec::new() };
    let is_pending = |id: &AccountId| head.organisation_id.is_some() && state.members[id].is_pending;
    let pending: Vec<AccountId> = members.iter().copied().filter(is_pending).collect();
    let url = format!("{public_url}/team/{}", state.id.0.simple());
    let is_tiny = matches!(news, News::Tiny | News::Gone(_));
    let managed_time = head.managed_time.filter(|_| news == News::Managed);
    let whole = team::Team {
        team_id: state.id,
        team_name: &head.name,
        team_version_nr: head.version_nr,
        mk_sync_mode: "tsm_full",
        members: Some(&members),
        admins: Some(&admins),
        pending: Some(&pending),
        is_managed: head.organisation_id.is_some(),
        is_org_wide: head.is_org_wide,
        is_autojoin: head.is_autojoin,
        autojoin_url: Some(&url),
        organisation_id: head.organisation_id,
        managed_time,
        is_deleted: head.is_deleted,
        is_tiny,
    };
    let shown = match news {
        News::Whole | News::Managed | News::Label => whole,
        News::Tiny => team::Team { members: None, ..reduced(whole, head) },
        News::Gone(_) => team::Team { members: Some(&[]), ..reduced(whole, head) },
    };
    Some(record::complete(&shown).into())
}

/// Without what only members may know.
fn reduced<'a>(whole: team::Team<'a>, head: &Head) -> team::Team<'a> {
    let autojoin_url = whole.autojoin_url.filter(|_| head.is_autojoin);
    team::Team { admins: None, pending: None, autojoin_url, ..whole }
}

/// What somebody has to be told who was told everything up to a horizon.
pub(super) fn since(state: &State, viewer: AccountId, horizon: Stamp) -> Vec<News> {
    let (Some(head), Some(row)) = (&state.head, state.members.get(&viewer)) else { return Vec::new() };
    if row.is_present {
        let is_new = head.stamp > horizon || row.stamp > horizon;
        return if is_new { vec![News::Whole] } else { Vec::new() };
    }
    if row.stamp > horizon { vec![News::Gone(viewer)] } else { Vec::new() }
}
