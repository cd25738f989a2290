//! What a team's members, or where it is managed its admins, make of it (accounts.md §8.3, §8.5).

use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::json;

use super::create::{administers, few_enough, ids, newcomers, staff};
use super::draft::Draft;
use super::{Decision, existing, show};
use crate::group::{Facts, Judged};
use crate::organisation::distinct;
use crate::team::Configure;
use crate::team::record::News;
use crate::team::state::{Head, Member, State};

fn no_right() -> Refusal {
    Refusal::no_permission("Must be member or team admin!")
}

/// # Errors
/// 400 for a name that is none; 403 for who acts for an organisation and is no admin of it; 430 for a team or an account that
/// does not exist; 431 for who has no right to it, and for what the team's kind does not have. What must be fetched first.
pub(super) fn configure(
    state: &State,
    caller: AccountId,
    wanted: &Configure,
    facts: &Facts,
) -> Judged<Decision> {
    let head = existing(state)?;
    may_configure(state, head, caller, wanted, facts)?;
    let mut draft = Draft::new(state, caller, head.clone(), facts);
    people(&mut draft, wanted)?;
    words(&mut draft, wanted)?;
    admins(&mut draft, wanted)?;
    management(&mut draft, caller, wanted)?;
    if wanted.is_deleted {
        draft.head_mut().is_deleted = true;
        draft.log("team.remove", json!({}));
    }
    let shown = if wanted.organisation_id.is_some() { News::Managed } else { News::Whole };
    if draft.head() == head && draft.state == *state {
        return Ok(Decision { answer: vec![shown, News::Label], ..Decision::default() });
    }
    let mut decision = draft.finish();
    decision.answer = vec![shown, News::Label];
    Ok(decision)
}

fn may_configure(
    state: &State,
    head: &Head,
    caller: AccountId,
    wanted: &Configure,
    facts: &Facts,
) -> Judged<()> {
    if let Some(id) = wanted.organisation_id {
        administers(id, caller, facts)?;
        // An organisation takes a free team of its admin's under it, and configures its own.
        let is_own = head.organisation_id.is_none() && state.is_present(caller);
        return if head.organisation_id == Some(id) || is_own {
            Ok(())
        } else {
            Err(Refusal::not_found("Team").into())
        };
    }
    let is_admin = state.members.get(&caller).is_some_and(|member| member.is_admin);
    let may = match head.organisation_id {
        None => state.is_present(caller),
        Some(_) => is_admin || show::administers(head, caller, facts)?,
    };
    if may { Ok(()) } else { Err(no_right().into()) }
}

fn people(draft: &mut Draft<'_>, wanted: &Configure) -> Judged<()> {
    let coming = distinct(&wanted.add_account_ids);
    newcomers(&coming, draft.facts)?;
    let organisation = match draft.head().organisation_id {
        Some(id) => draft.facts.organisation(id)?,
        None => None,
    };
    let new = draft.add(&coming, organisation);
    few_enough(&draft.state)?;
    if !new.is_empty() {
        draft.log("team.add_members", json!({ "member_ids": ids(&new) }));
    }
    let kicked = distinct(&wanted.kick_account_ids);
    if !kicked.is_empty() && draft.head().organisation_id.is_none() {
        return Err(Refusal::no_permission("Can not kick from an unmanaged team!").into());
    }
    let mut gone = draft.kick(&kicked);
    gone.extend(draft.remove(&distinct(&wanted.remove_account_ids)));
    gone.sort_unstable();
    if !gone.is_empty() {
        draft.log("team.remove_members", json!({ "member_ids": ids(&gone) }));
    }
    Ok(())
}

fn words(draft: &mut Draft<'_>, wanted: &Configure) -> Result<(), Refusal> {
    if let Some(name) = wanted.team_name.as_deref().map(str::trim) {
        if name.is_empty() {
            return Err(Refusal::invalid_call("team_name", "a name is needed"));
        }
        if draft.head().name != name {
            name.clone_into(&mut draft.head_mut().name);
            draft.log("team.set_name", json!({}));
        }
    }
    if let Some(is_autojoin) =
        wanted.is_autojoin.filter(|is_autojoin| *is_autojoin != draft.head().is_autojoin)
    {
        draft.head_mut().is_autojoin = is_autojoin;
        draft.log("team.set_autojoin", json!({ "is_autojoin": is_autojoin }));
    }
    Ok(())
}

/// Admins need not be in the team; they are people whom the organisation knows.
fn admins(draft: &mut Draft<'_>, wanted: &Configure) -> Judged<()> {
    let lists = [
        ("team.add_admins", &wanted.add_admin_ids, true),
        ("team.remove_admins", &wanted.remove_admin_ids, false),
    ];
    for (event_type, list, is_admin) in lists {
        let list = distinct(list);
        if list.is_empty() {
            continue;
        }
        if draft.head().organisation_id.is_none() {
            return Err(Refusal::no_permission("A free team has no admins.").into());
        }
        let mut changed = Vec::new();
        for id in list {
            let member = draft.state.members.get(&id).copied().unwrap_or_default();
            if is_admin && !member.is_present {
                return Err(Refusal::no_permission("Must be member of the team!").into());
            }
            if member.is_admin != is_admin {
                draft.put(id, Member { is_admin, ..member });
                changed.push(id);
            }
        }
        if !changed.is_empty() {
            draft.log(event_type, json!({ "member_ids": ids(&changed) }));
        }
    }
    Ok(())
}

fn management(draft: &mut Draft<'_>, caller: AccountId, wanted: &Configure) -> Judged<()> {
    match (wanted.is_managed, draft.head().organisation_id) {
        (Some(true), None) => {
            let employer = match wanted.organisation_id {
                Some(id) => Some(id),
                None => draft.facts.profile(caller)?.and_then(|profile| profile.organisation_id),
            };
            let id = employer.ok_or_else(|| Refusal::no_permission("Not member of organisation!"))?;
            let organisation = draft.facts.organisation(id)?;
            draft.manage(Some(id));
            for (member_id, member) in draft.state.members.clone() {
                let is_pending = organisation.is_some_and(|organisation| organisation.is_pending(member_id));
                let is_admin = member_id == caller;
                if (is_admin, is_pending) != (member.is_admin, member.is_pending) {
                    draft.put(member_id, Member { is_admin, is_pending, ..member });
                }
            }
            draft.log("team.set_managed", json!({}));
        }
        (Some(false), Some(_)) => set_free(draft),
        (_, _) => {}
    }
    if let Some(is_org_wide) =
        wanted.is_org_wide.filter(|is_org_wide| *is_org_wide != draft.head().is_org_wide)
    {
        let Some(id) = draft.head().organisation_id else {
            return Err(Refusal::no_permission("Only a managed team is organisation-wide.").into());
        };
        draft.head_mut().is_org_wide = is_org_wide;
        let organisation = draft.facts.organisation(id)?;
        let everybody = organisation.map(staff).unwrap_or_default();
        let new = if is_org_wide { draft.add(&everybody, organisation) } else { Vec::new() };
        few_enough(&draft.state)?;
        if new.is_empty() {
            // Nobody writes it down (accounts.md §9.5).
            draft.head_mut().version_nr += 1;
        } else {
            draft.log("team.add_members", json!({ "member_ids": ids(&new) }));
        }
    }
    Ok(())
}

/// No organisation manages it any more: everybody in it may configure it.
pub(super) fn set_free(draft: &mut Draft<'_>) {
    draft.log("team.set_unmanaged", json!({}));
    draft.manage(None);
    for (id, member) in draft.state.members.clone() {
        if member.is_admin || member.is_pending {
            draft.put(id, Member { is_admin: false, is_pending: false, ..member });
        }
    }
}

/// Whoever has its link joins, while that is on.
pub(super) fn autojoin(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let head = existing(state)?;
    let answer = vec![News::Whole, News::Label];
    if state.is_present(caller) {
        return Ok(Decision { answer, ..Decision::default() });
    }
    if !head.is_autojoin {
        return Err(Refusal::no_permission("Nobody may join this team by its link.").into());
    }
    let organisation = match head.organisation_id {
        Some(id) => facts.organisation(id)?,
        None => None,
    };
    let mut draft = Draft::new(state, caller, head.clone(), facts);
    draft.add(&[caller], organisation);
    few_enough(&draft.state)?;
    draft.log("team.autojoin", json!({}));
    Ok(draft.finish())
}

#[cfg(test)]
mod tests {
    use super::super::create::tests::{ACME, core, employed, make};
    use super::*;
    use crate::effect::Effect;
    use crate::group::replay::{ALICE, BOB, CAROL, Replay};
    use crate::team::{Create, Order};

    fn configure(replay: &mut Replay<State>, by: AccountId, wanted: Configure) -> Result<Decision, Refusal> {
        replay.order(by, Order::Configure(Box::new(wanted)))
    }

    fn version(replay: &Replay<State>) -> u64 {
        replay.state.head.as_ref().unwrap().version_nr
    }

    fn free() -> Replay<State> {
        let mut replay = employed();
        make(&mut replay, BOB, core(&[ALICE])).unwrap();
        replay
    }

    #[test]
    fn each_kind_of_change_is_a_version_and_whoever_goes_is_told_once() {
        let mut replay = free();
        let wanted = Configure {
            add_account_ids: vec![CAROL, ALICE],
            remove_account_ids: vec![ALICE],
            team_name: Some(" Kernel ".to_owned()),
            is_autojoin: Some(true),
            ..Configure::default()
        };
        let decision = configure(&mut replay, BOB, wanted.clone()).unwrap();
        assert_eq!(version(&replay), 5);
        assert_eq!(decision.news, [News::Whole, News::Gone(ALICE)]);
        let told: Vec<bool> = decision
            .effects
            .iter()
            .filter_map(|(_, effect)| {
                let Effect::Enlisted { is_member, .. } = effect else { return None };
                Some(*is_member)
            })
            .collect();
        assert_eq!(told, [false, true, true]);
        let gone = &replay.told(ALICE, &[News::Gone(ALICE)])[0];
        assert_eq!((&gone["is_tiny"], &gone["members"]), (&json!(true), &json!([])));
        let again = Configure { add_account_ids: vec![CAROL], ..wanted };
        assert!(!configure(&mut replay, BOB, again).unwrap().is_durable());
    }

    #[test]
    fn a_free_team_is_its_members_and_a_managed_one_its_admins() {
        let mut replay = free();
        let rename = || Configure { team_name: Some("Kernel".to_owned()), ..Configure::default() };
        assert_eq!(configure(&mut replay, CAROL, rename()), Err(no_right()));
        let managed = Configure { is_managed: Some(true), ..Configure::default() };
        let decision = configure(&mut replay, ALICE, managed).unwrap();
        let team = &replay.told(ALICE, &decision.answer)[0];
        assert_eq!((&team["organisation_id"], &team["admins"]), (&json!(ACME), &json!([ALICE])));
        assert_eq!(configure(&mut replay, BOB, rename()), Err(no_right()));
        assert!(configure(&mut replay, ALICE, rename()).is_ok());
        let unmanaged = Configure { is_managed: Some(false), ..Configure::default() };
        let decision = configure(&mut replay, ALICE, unmanaged).unwrap();
        assert_eq!(replay.told(ALICE, &decision.answer)[0]["admins"], json!([]));
        let Some((_, Effect::Managed { entries, is_managed: false, .. })) = decision.effects.last() else {
            panic!("{:?}", decision.effects)
        };
        assert_eq!(entries[0].event_type, "team.set_unmanaged");
    }

    #[test]
    fn an_organisations_admin_configures_its_teams_and_no_others() {
        let mut replay = employed();
        make(&mut replay, ALICE, core(&[BOB])).unwrap();
        let wanted = |organisation_id| Configure {
            add_admin_ids: vec![BOB],
            organisation_id: Some(organisation_id),
            ..Configure::default()
        };
        let decision = configure(&mut replay, ALICE, wanted(ACME)).unwrap();
        assert_eq!(decision.answer[0], News::Managed);
        assert_eq!(configure(&mut replay, BOB, wanted(ACME)), Err(Refusal::forbidden()));
        let both = Configure { remove_admin_ids: vec![ALICE, BOB], ..Configure::default() };
        assert!(configure(&mut replay, BOB, both).is_ok(), "both admins may go");
    }

    #[test]
    fn what_the_kind_of_team_does_not_have_is_refused() {
        let mut replay = free();
        for wanted in [
            Configure { add_admin_ids: vec![BOB], ..Configure::default() },
            Configure { kick_account_ids: vec![ALICE], ..Configure::default() },
            Configure { is_org_wide: Some(true), ..Configure::default() },
            Configure { is_managed: Some(true), ..Configure::default() },
        ] {
            assert_eq!(configure(&mut replay, BOB, wanted).unwrap_err().status, 431);
        }
        let nameless = Configure { team_name: Some(" ".to_owned()), ..Configure::default() };
        assert_eq!(configure(&mut replay, BOB, nameless).unwrap_err().status, 400);
    }

    #[test]
    fn organisation_wide_takes_everybody_in_and_keeps_them() {
        let mut replay = employed();
        make(&mut replay, ALICE, core(&[])).unwrap();
        let wide = |is_org_wide| Configure { is_org_wide: Some(is_org_wide), ..Configure::default() };
        configure(&mut replay, ALICE, wide(true)).unwrap();
        assert_eq!(replay.state.present().collect::<Vec<_>>(), [ALICE, CAROL]);
        configure(&mut replay, ALICE, wide(false)).unwrap();
        assert_eq!((replay.state.present().count(), version(&replay)), (2, 3));
    }

    #[test]
    fn a_team_that_is_gone_keeps_its_members_and_takes_their_labels() {
        let mut replay = free();
        let decision =
            configure(&mut replay, BOB, Configure { is_deleted: true, ..Configure::default() }).unwrap();
        let team = &replay.told(BOB, &decision.answer)[0];
        assert_eq!((&team["is_deleted"], &team["members"]), (&json!(true), &json!([ALICE, BOB])));
        let is_taken = |effect: &Effect| matches!(effect, Effect::Enlisted { is_member: false, .. });
        assert!(decision.effects.iter().all(|(_, effect)| is_taken(effect)));
        assert_eq!(configure(&mut replay, BOB, Configure::default()), Err(Refusal::not_found("Team")));
    }

    #[test]
    fn a_link_lets_whoever_has_it_in_while_it_is_on() {
        let mut replay = employed();
        make(&mut replay, BOB, Create { is_autojoin: true, ..core(&[]) }).unwrap();
        let decision = replay.order(CAROL, Order::Autojoin).unwrap();
        assert_eq!(decision.news, [News::Whole]);
        assert!(!replay.order(CAROL, Order::Autojoin).unwrap().is_durable());
        configure(&mut replay, BOB, Configure { is_autojoin: Some(false), ..Configure::default() }).unwrap();
        assert_eq!(replay.order(ALICE, Order::Autojoin).unwrap_err().status, 431);
    }
}
