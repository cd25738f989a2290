//! Who is in an organisation, as its admins decide (accounts.md §9.2). Each list of a call is one change, and so is the name.

use rill_proto::classificator::{AccountStatus, StaffStatus};
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::draft::Draft;
use super::{Decision, administered};
use crate::effect::Fate;
use crate::group::{Facts, Judged};
use crate::organisation::record::News;
use crate::organisation::state::{Member, State};
use crate::organisation::{Configure, MEMBERS_MAX, distinct};

/// How often somebody is invited within an hour: once, and five times again (accounts.md §9.2).
const INVITATIONS_PER_HOUR_MAX: usize = 6;

const HOUR_S: i64 = 60 * 60;

/// # Errors
/// 400 for a name that is none; 403 for a caller who is no active admin; 430 for an account that does not exist; 431 for a
/// closed organisation, for somebody to whom it cannot be done, and where no active admin would be left. What must be fetched
/// first.
pub(super) fn configure(
    state: &State,
    caller: AccountId,
    wanted: &Configure,
    facts: &Facts,
) -> Judged<Decision> {
    let head = administered(state, caller)?;
    let mut draft = Draft::new(state, caller, head, facts);
    if let Some(name) = &wanted.organisation_name {
        rename(&mut draft, name)?;
    }
    invite(&mut draft, &distinct(&wanted.add_account_ids))?;
    invite_again(&mut draft, &distinct(&wanted.reinvite_account_ids))?;
    appoint(&mut draft, "add_admin_ids", &distinct(&wanted.add_admin_ids), true)?;
    appoint(&mut draft, "remove_admin_ids", &distinct(&wanted.remove_admin_ids), false)?;
    let steps = [
        (
            "remove_account_ids",
            &wanted.remove_account_ids,
            StaffStatus::Removed,
            Some(Fate::Removed as fn(_) -> _),
        ),
        (
            "kick_account_ids",
            &wanted.kick_account_ids,
            StaffStatus::Removed,
            Some(Fate::Kicked as fn(_) -> _),
        ),
        (
            "close_account_ids",
            &wanted.close_account_ids,
            StaffStatus::Closed,
            Some(Fate::Removed as fn(_) -> _),
        ),
        ("suspend_account_ids", &wanted.suspend_account_ids, StaffStatus::Suspended, None),
        ("activate_account_ids", &wanted.activate_account_ids, StaffStatus::Active, None),
    ];
    for (param, ids, status, fate) in steps {
        set_status(&mut draft, param, &distinct(ids), status, fate)?;
    }
    let members = draft.members();
    if !members.values().any(|member| member.is_admin && member.status == StaffStatus::Active) {
        return Err(Refusal::no_permission("An organisation needs an admin.").into());
    }
    let is_changed = |id: &AccountId, member: &Member| state.members.get(id) != Some(member);
    let is_gone = |member: &Member| matches!(member.status, StaffStatus::Removed | StaffStatus::Declined);
    let (changed, others): (Vec<_>, Vec<_>) = members.iter().partition(|(id, member)| is_changed(id, member));
    let others = others.into_iter().filter(|(_, member)| !is_gone(member));
    let shown = changed.into_iter().chain(others).map(|(id, _)| News::Member(*id));
    let answer: Vec<News> = [News::Header].into_iter().chain(shown).collect();
    if draft.head == *head {
        return Ok(Decision { answer, ..Decision::default() });
    }
    Ok(Decision { answer, ..draft.finish() })
}

fn ids(ids: &[AccountId]) -> Value {
    ids.iter().map(|id| Value::from(id.0.to_string())).collect()
}

fn rename(draft: &mut Draft<'_>, name: &str) -> Result<(), Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::invalid_call("organisation_name", "a name is needed"));
    }
    if draft.head.name != name.trim() {
        name.trim().clone_into(&mut draft.head.name);
        draft.log("configure_org", json!({ "organisation_name": name.trim() }));
        draft.concerns_all = true;
    }
    Ok(())
}

fn invite(draft: &mut Draft<'_>, wanted: &[AccountId]) -> Judged<()> {
    let profiles = draft.facts.have_profiles(wanted)?;
    let mut invited = Vec::new();
    for (id, profile) in profiles {
        if !matches!(profile.status, AccountStatus::New | AccountStatus::Active) {
            return Err(Refusal::no_permission("The account is closed.").into());
        }
        let old = draft.member(id);
        let is_in = |member: &Member| {
            matches!(member.status, StaffStatus::Active | StaffStatus::Pending | StaffStatus::Suspended)
        };
        if old.is_some_and(is_in) {
            continue;
        }
        if old.is_none() && draft.members().len() >= MEMBERS_MAX {
            let text = format!("At most {MEMBERS_MAX} people can be invited into an organisation.");
            return Err(Refusal::no_permission(text).into());
        }
        let invited_before = old.map(|old| old.invited.clone()).unwrap_or_default();
        let name = [draft.state.id.0.as_bytes(), &draft.facts.stamp.to_be_bytes()[..]].concat();
        let member = Member {
            status: StaffStatus::Pending,
            is_admin: false,
            inviter_id: Some(draft.caller),
            reminder_id: Some(Uuid::new_v5(&id.0, &name)),
            invited: once_more(&invited_before, draft.facts)?,
            stamp: 0,
        };
        draft.put(id, member);
        draft.discharge(Fate::Invited(id));
        invited.push(id);
    }
    if !invited.is_empty() {
        draft.log("configure_org", json!({ "add_account_ids": ids(&invited) }));
    }
    Ok(())
}

/// When somebody was invited within the hour, this time included.
fn once_more(before: &[i64], facts: &Facts) -> Result<Vec<i64>, Refusal> {
    let mut invited: Vec<i64> = before.iter().copied().filter(|time| *time > facts.now - HOUR_S).collect();
    if invited.len() >= INVITATIONS_PER_HOUR_MAX {
        return Err(Refusal::no_permission("Too many invite attempts per hour"));
    }
    // No two at the same time: a later one is told by it (`account::rules::employment`).
    let time = invited.last().map_or(facts.now, |last| facts.now.max(last + 1));
    invited.push(time);
    Ok(invited)
}

fn invite_again(draft: &mut Draft<'_>, wanted: &[AccountId]) -> Result<(), Refusal> {
    for id in wanted {
        let pending = draft.member(*id).filter(|member| member.status == StaffStatus::Pending);
        let member = pending.cloned().ok_or_else(not_member)?;
        let invited = once_more(&member.invited, draft.facts)?;
        draft.put(*id, Member { invited, ..member });
    }
    if !wanted.is_empty() {
        // Nobody writes it down (accounts.md §9.1).
        draft.step();
    }
    Ok(())
}

fn appoint(draft: &mut Draft<'_>, param: &str, wanted: &[AccountId], is_admin: bool) -> Result<(), Refusal> {
    let mut changed = Vec::new();
    for id in wanted {
        let is_in = |member: &&Member| matches!(member.status, StaffStatus::Active | StaffStatus::Pending);
        let member = draft.member(*id).filter(is_in).cloned().ok_or_else(not_member)?;
        if member.is_admin != is_admin {
            draft.put(*id, Member { is_admin, ..member });
            changed.push(*id);
        }
    }
    if !changed.is_empty() {
        draft.log("configure_org", json!({ (param): ids(&changed) }));
    }
    Ok(())
}

fn set_status(
    draft: &mut Draft<'_>,
    param: &str,
    wanted: &[AccountId],
    status: StaffStatus,
    fate: Option<fn(AccountId) -> Fate>,
) -> Result<(), Refusal> {
    for id in wanted {
        let member = draft.member(*id).cloned().ok_or_else(not_member)?;
        let may = match (param, member.status) {
            ("remove_account_ids" | "kick_account_ids", StaffStatus::Active | StaffStatus::Pending | StaffStatus::Suspended)
            // Whoever declined may still be in what it manages.
            | ("kick_account_ids", StaffStatus::Declined)
            | ("close_account_ids", StaffStatus::Active | StaffStatus::Suspended)
            | ("suspend_account_ids", StaffStatus::Active)
            | ("activate_account_ids", StaffStatus::Suspended) => true,
            (_, _) => false,
        };
        if !may {
            return Err(not_member());
        }
        let is_admin = member.is_admin && matches!(status, StaffStatus::Active | StaffStatus::Suspended);
        draft.put(*id, Member { status, is_admin, ..member });
        if let Some(fate) = fate {
            draft.discharge(fate(*id));
        }
    }
    if !wanted.is_empty() {
        draft.log("configure_org", json!({ (param): ids(wanted) }));
    }
    Ok(())
}

fn not_member() -> Refusal {
    Refusal::no_permission("Not member of organisation!")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Effect;
    use crate::group::replay::{ALICE, BOB, CAROL, NOBODY, Replay};
    use crate::organisation::Order;
    use crate::organisation::rules::flags::tests::acme;
    use crate::store::Aggregate;

    fn configure(replay: &mut Replay<State>, wanted: Configure) -> Result<Decision, Refusal> {
        replay.order(ALICE, Order::Configure(Box::new(wanted)))
    }

    fn adding(ids: &[AccountId]) -> Configure {
        Configure { add_account_ids: ids.to_vec(), ..Configure::default() }
    }

    /// Bob has joined.
    fn with_bob() -> Replay<State> {
        let mut replay = acme();
        configure(&mut replay, adding(&[BOB])).unwrap();
        let reminder_id = replay.state.members[&BOB].reminder_id.unwrap();
        replay.order(BOB, Order::Admit { reminder_id }).unwrap();
        replay
    }

    fn status(replay: &Replay<State>, id: AccountId) -> StaffStatus {
        replay.state.members[&id].status
    }

    fn version(replay: &Replay<State>) -> u64 {
        replay.state.head.as_ref().unwrap().version_nr
    }

    #[test]
    fn who_is_invited_waits_and_is_told_and_counts_when_he_has_joined() {
        let mut replay = acme();
        let decision = configure(&mut replay, adding(&[BOB, BOB])).unwrap();
        assert_eq!(status(&replay, BOB), StaffStatus::Pending);
        let [(Aggregate::Account(BOB), Effect::Employed(said))] = &decision.effects[..] else {
            panic!("{:?}", decision.effects)
        };
        assert_eq!(
            (said.status, said.inviter_id, said.invited_time),
            (StaffStatus::Pending, Some(ALICE), 1_000)
        );
        assert_eq!(replay.told(BOB, &[News::Header])[0]["active_member_count"], 1);
        let reminder_id = said.reminder_id.unwrap();
        let decision = replay.order(BOB, Order::Admit { reminder_id }).unwrap();
        assert_eq!(decision.news, [News::Header, News::Member(BOB)]);
        let header = &replay.told(BOB, &[News::Header])[0];
        assert_eq!((&header["active_member_count"], &header["is_member"]), (&json!(2), &json!(true)));
        assert_eq!(version(&replay), 3);
    }

    #[test]
    fn each_list_is_one_change_and_what_changes_nothing_is_none() {
        let mut replay = acme();
        let wanted = Configure { add_admin_ids: vec![BOB], ..adding(&[BOB, CAROL]) };
        configure(&mut replay, wanted.clone()).unwrap();
        assert_eq!(version(&replay), 3);
        assert!(!configure(&mut replay, wanted).unwrap().is_durable());
        let renamed = Configure { organisation_name: Some(" Zenith ".to_owned()), ..Configure::default() };
        let decision = configure(&mut replay, renamed).unwrap();
        assert_eq!((version(&replay), decision.effects.len()), (4, 3));
    }

    #[test]
    fn five_more_invitations_an_hour_and_no_sixth() {
        let mut replay = acme();
        configure(&mut replay, adding(&[BOB])).unwrap();
        let again = || Configure { reinvite_account_ids: vec![BOB], ..Configure::default() };
        for _ in 0..5 {
            configure(&mut replay, again()).unwrap();
        }
        let refused = configure(&mut replay, again());
        assert_eq!(refused, Err(Refusal::no_permission("Too many invite attempts per hour")));
        replay.now += HOUR_S;
        assert!(configure(&mut replay, again()).is_ok());
        let stranger = Configure { reinvite_account_ids: vec![CAROL], ..Configure::default() };
        assert_eq!(configure(&mut replay, stranger), Err(not_member()));
    }

    #[test]
    fn who_is_removed_suspended_or_closed_does_not_count_and_a_suspended_one_comes_back() {
        let one = |set: fn(&mut Configure)| {
            let mut wanted = Configure::default();
            set(&mut wanted);
            wanted
        };
        for (set, after) in [
            ((|wanted| wanted.remove_account_ids = vec![BOB]) as fn(&mut Configure), StaffStatus::Removed),
            (|wanted| wanted.kick_account_ids = vec![BOB], StaffStatus::Removed),
            (|wanted| wanted.close_account_ids = vec![BOB], StaffStatus::Closed),
            (|wanted| wanted.suspend_account_ids = vec![BOB], StaffStatus::Suspended),
        ] {
            let mut replay = with_bob();
            configure(&mut replay, one(set)).unwrap();
            assert_eq!(status(&replay, BOB), after);
            assert_eq!(replay.told(ALICE, &[News::Header])[0]["active_member_count"], 1);
            let back = configure(&mut replay, one(|wanted| wanted.activate_account_ids = vec![BOB]));
            assert_eq!(back.is_ok(), after == StaffStatus::Suspended);
        }
    }

    #[test]
    fn a_pending_one_is_neither_closed_nor_suspended_nor_activated() {
        let mut replay = acme();
        configure(&mut replay, adding(&[BOB])).unwrap();
        let bob = || vec![BOB];
        for wanted in [
            Configure { close_account_ids: bob(), ..Configure::default() },
            Configure { suspend_account_ids: bob(), ..Configure::default() },
            Configure { activate_account_ids: bob(), ..Configure::default() },
        ] {
            assert_eq!(configure(&mut replay, wanted), Err(not_member()));
        }
    }

    #[test]
    fn the_last_admin_stays_one() {
        let mut replay = with_bob();
        let refused = Refusal::no_permission("An organisation needs an admin.");
        for wanted in [
            Configure { remove_admin_ids: vec![ALICE], ..Configure::default() },
            Configure { remove_account_ids: vec![ALICE], ..Configure::default() },
            Configure { suspend_account_ids: vec![ALICE], ..Configure::default() },
        ] {
            assert_eq!(configure(&mut replay, wanted), Err(refused.clone()));
        }
        let both =
            Configure { add_admin_ids: vec![BOB], remove_account_ids: vec![ALICE], ..Configure::default() };
        assert!(configure(&mut replay, both).is_ok());
        assert_eq!(configure(&mut replay, Configure::default()), Err(Refusal::forbidden()));
    }

    #[test]
    fn nobody_but_admins_configures_and_only_those_who_exist() {
        let mut replay = with_bob();
        assert_eq!(replay.order(BOB, Order::Configure(Box::default())), Err(Refusal::forbidden()));
        assert_eq!(configure(&mut replay, adding(&[NOBODY])), Err(Refusal::not_found("Account")));
        let nameless = Configure { organisation_name: Some("  ".to_owned()), ..Configure::default() };
        assert_eq!(configure(&mut replay, nameless).unwrap_err().status, 400);
    }
}
