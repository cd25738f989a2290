//! The records of an organisation, and who may know of them: its header is for everybody, who is in it for its active admins
//! (accounts.md §9.1, §9.6).

use bytes::Bytes;
use rill_proto::classificator::StaffStatus;
use rill_proto::id::AccountId;
use rill_proto::record::{self, organisation};

use super::changelog::Entry;
use super::state::{Member, State};
use crate::store::Stamp;

/// Something to tell of an organisation.
#[derive(Clone, PartialEq, Debug)]
pub enum News {
    /// Its `org_header`, as the viewer is to see it.
    Header,
    /// Somebody's `org_member`.
    Member(AccountId),
    /// What it owes.
    Billing,
    /// An entry of the changelog, with its version.
    Entry(u64, Box<Entry>),
}

/// Who is told of it without asking.
pub(super) fn audience(state: &State, news: &News) -> Vec<AccountId> {
    match news {
        News::Header => state.active().collect(),
        News::Member(_) => state.active().filter(|id| state.is_admin(*id)).collect(),
        News::Billing | News::Entry(..) => Vec::new(),
    }
}

/// The record, in the viewer's form.
pub(super) fn record(state: &State, viewer: AccountId, news: &News) -> Option<Bytes> {
    match news {
        News::Header => header(state, viewer),
        News::Member(id) => {
            let member = state.members.get(id)?;
            let record = organisation::OrgMember {
                organisation_id: state.id,
                account_id: *id,
                mk_member_status: member.status,
                is_admin: member.is_admin,
                inviter_id: member.inviter_id,
            };
            Some(record::complete(&record).into())
        }
        News::Billing => {
            let record = organisation::Billing { organisation_id: state.id, next_billing_date: () };
            Some(record::complete(&record).into())
        }
        News::Entry(version_nr, entry) => {
            let record = organisation::OrgChangelog {
                organisation_id: state.id,
                version_nr: *version_nr,
                account_id: entry.account_id,
                event_type: &entry.event_type,
                event_data: &entry.event_data,
                event_time: entry.event_time,
            };
            Some(record::complete(&record).into())
        }
    }
}

fn header(state: &State, viewer: AccountId) -> Option<Bytes> {
    let head = state.head.as_ref()?;
    let mut flags: Vec<&'static str> = head.flags.iter().map(|flag| flag.wire()).collect();
    flags.sort_unstable();
    let record = organisation::OrgHeader {
        organisation_id: state.id,
        organisation_name: &head.name,
        organisation_founder_id: head.founder_id,
        status: head.status,
        version_nr: head.version_nr,
        trial_time: None,
        grace_time: None,
        active_member_count: state.active().count(),
        flags: &flags,
        is_admin: state.is_admin(viewer),
        is_member: state.is_active(viewer),
    };
    Some(record::complete(&record).into())
}

/// What somebody has to be told who was told everything up to a horizon. Who is out of it by now learns that once.
pub(super) fn since(state: &State, viewer: AccountId, horizon: Stamp) -> Vec<News> {
    let (Some(head), Some(row)) = (&state.head, state.members.get(&viewer)) else { return Vec::new() };
    match row.status {
        StaffStatus::Active => {
            // Whoever has come to be more than he was knows nothing yet of what that shows him.
            let from = if row.stamp > horizon { 0 } else { horizon };
            let mut news = Vec::new();
            news.extend((head.stamp > from).then_some(News::Header));
            if row.is_admin {
                news.extend(members(state, from, horizon));
            }
            news
        }
        StaffStatus::Pending => Vec::new(),
        StaffStatus::Suspended | StaffStatus::Closed | StaffStatus::Removed | StaffStatus::Declined => {
            if row.stamp > horizon { vec![News::Header] } else { Vec::new() }
        }
    }
}

/// Everybody whose place changed after a horizon. Whoever never came to be in it, or is in it no more, is news to those alone
/// who may have seen him there: who were `told` something before.
pub(super) fn members(state: &State, from: Stamp, told: Stamp) -> impl Iterator<Item = News> + '_ {
    let is_shown = move |member: &Member| match member.status {
        StaffStatus::Removed | StaffStatus::Declined => told > 0 && member.stamp > told,
        StaffStatus::Pending | StaffStatus::Active | StaffStatus::Suspended | StaffStatus::Closed => true,
    };
    let changed = state.members.iter().filter(move |(_, member)| member.stamp > from && is_shown(member));
    changed.map(|(id, _)| News::Member(*id))
}
