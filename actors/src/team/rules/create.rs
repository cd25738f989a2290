//! A team comes to be (accounts.md §8.1, §8.4).

use rill_proto::classificator::AccountStatus;
use rill_proto::id::{AccountId, ConversationId, OrganisationId};
use rill_proto::refusal::Refusal;
use serde_json::{Value, json};

use super::Decision;
use super::draft::Draft;
use crate::group::{Facts, Judged};
use crate::organisation::distinct;
use crate::organisation::sight::Sight;
use crate::team::record::News;
use crate::team::state::{Head, Member, Place, State};
use crate::team::{Create, MEMBERS_MAX};

/// # Errors
/// 403 for who is no admin of the organisation that it is made for; 430 for accounts that do not exist; 431 for a managed one
/// without an organisation, one that is organisation-wide and not managed, and too many members. What must be fetched first.
pub(super) fn create(state: &State, caller: AccountId, wanted: &Create, facts: &Facts) -> Judged<Decision> {
    if state.head.is_some() {
        let is_own = state.is_present(caller);
        let answer = vec![News::Whole, News::Label];
        return if is_own {
            Ok(Decision { answer, ..Decision::default() })
        } else {
            Err(Refusal::not_found("Team").into())
        };
    }
    let organisation_id = manager(caller, wanted, facts)?;
    let organisation = match organisation_id {
        Some(id) => facts.organisation(id)?,
        None => None,
    };
    if wanted.is_org_wide && organisation.is_none() {
        return Err(Refusal::no_permission("Only a managed team is organisation-wide.").into());
    }
    let mut members = distinct(&wanted.account_ids);
    newcomers(&members, facts)?;
    members.retain(|id| *id != caller);
    members.insert(0, caller);
    if let Some(organisation) = organisation.filter(|_| wanted.is_org_wide) {
        members.extend(staff(organisation));
        members = distinct(&members);
    }
    let head = Head {
        name: wanted.team_name.clone(),
        organisation_id: None,
        managed_time: None,
        is_org_wide: wanted.is_org_wide,
        is_autojoin: wanted.is_autojoin,
        is_deleted: false,
        version_nr: 0,
        stamp: facts.stamp,
    };
    let mut draft = Draft::new(state, caller, head, facts);
    if organisation_id.is_some() {
        draft.manage(organisation_id);
    }
    draft.add(&members, organisation);
    few_enough(&draft.state)?;
    for (id, topic) in &wanted.conversations {
        draft.place(*id, Place::promised(topic));
    }
    if organisation_id.is_some() {
        let creator = draft.state.members[&caller];
        draft.put(caller, Member { is_admin: true, ..creator });
    }
    let data = json!({
        "member_ids": ids(&members),
        "conversation_ids": said(wanted, |(id, _)| json!(id)),
        "conversation_topics": said(wanted, |(_, topic)| json!(topic)),
        "is_autojoin": wanted.is_autojoin,
        "is_org_wide": wanted.is_org_wide,
    });
    draft.log("team.create", data);
    let mut decision = draft.finish();
    if wanted.organisation_id.is_some() {
        decision.answer[0] = News::Managed;
    }
    Ok(decision)
}

/// What the changelog says of the conversations that it is made with.
fn said(wanted: &Create, what: impl Fn(&(ConversationId, String)) -> Value) -> Value {
    if wanted.conversations.is_empty() {
        return Value::Null;
    }
    wanted.conversations.iter().map(what).collect()
}

/// Which organisation manages it.
fn manager(caller: AccountId, wanted: &Create, facts: &Facts) -> Judged<Option<OrganisationId>> {
    if let Some(id) = wanted.organisation_id {
        administers(id, caller, facts)?;
        return Ok(Some(id));
    }
    let employer = facts.profile(caller)?.and_then(|profile| profile.organisation_id);
    match (wanted.is_managed, employer) {
        (Some(true), None) => Err(Refusal::no_permission("Not member of organisation!").into()),
        (Some(false), _) => Ok(None),
        (Some(true) | None, employer) => Ok(employer),
    }
}

/// # Errors
/// 430 for an organisation that does not exist, 403 for who is no active admin of it.
pub(super) fn administers(id: OrganisationId, caller: AccountId, facts: &Facts) -> Judged<&Sight> {
    let organisation = facts.organisation(id)?.ok_or_else(|| Refusal::not_found("Organisation"))?;
    if organisation.is_admin(caller) { Ok(organisation) } else { Err(Refusal::forbidden().into()) }
}

/// Everybody who is in an organisation, or was asked to be.
pub(super) fn staff(organisation: &Sight) -> Vec<AccountId> {
    let is_in = |id: &AccountId| organisation.is_active(*id) || organisation.is_pending(*id);
    organisation.members.keys().copied().filter(is_in).collect()
}

/// # Errors
/// 430 for an account that does not exist, 431 for one that is closed.
pub(super) fn newcomers(wanted: &[AccountId], facts: &Facts) -> Judged<()> {
    for (_, profile) in facts.have_profiles(wanted)? {
        if !matches!(profile.status, AccountStatus::New | AccountStatus::Active) {
            return Err(Refusal::no_permission("The account is closed.").into());
        }
    }
    Ok(())
}

/// # Errors
/// 431 for too many.
pub(super) fn few_enough(state: &State) -> Result<(), Refusal> {
    if state.present().count() > MEMBERS_MAX {
        return Err(Refusal::no_permission(format!("A team has at most {MEMBERS_MAX} members.")));
    }
    Ok(())
}

pub(super) fn ids(ids: &[AccountId]) -> Value {
    ids.iter().map(|id| Value::from(id.0.to_string())).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use rill_proto::classificator::StaffStatus;
    use rill_proto::id::TeamId;
    use uuid::Uuid;

    use super::*;
    use crate::effect::Effect;
    use crate::group::replay::{ALICE, BOB, CAROL, NOBODY, Replay};
    use crate::store::Aggregate;
    use crate::team::Order;

    pub(in crate::team) const TEAM: TeamId = TeamId(Uuid::from_u128(0x7E));
    pub(in crate::team) const ACME: OrganisationId = OrganisationId(Uuid::from_u128(0x0F));

    /// Alice is in Acme, its admin; Carol was asked.
    pub(in crate::team) fn employed() -> Replay<State> {
        let mut replay = Replay::<State>::new(TEAM);
        let members = [(ALICE, (StaffStatus::Active, true)), (CAROL, (StaffStatus::Pending, false))];
        let acme = Sight {
            name: "Acme".to_owned(),
            is_open: true,
            members: BTreeMap::from(members),
            ..Sight::default()
        };
        replay.organisations.insert(ACME, acme);
        replay.profiles.get_mut(&ALICE).unwrap().organisation_id = Some(ACME);
        replay
    }

    pub(in crate::team) fn core(ids: &[AccountId]) -> Create {
        Create { team_name: "Core".to_owned(), account_ids: ids.to_vec(), ..Create::default() }
    }

    pub(in crate::team) fn make(
        replay: &mut Replay<State>,
        by: AccountId,
        wanted: Create,
    ) -> Result<Decision, Refusal> {
        replay.order(by, Order::Create(Box::new(wanted)))
    }

    #[test]
    fn a_free_team_has_members_and_no_admins_and_each_has_a_label() {
        let mut replay = Replay::<State>::new(TEAM);
        let decision = make(&mut replay, ALICE, core(&[BOB, BOB, ALICE])).unwrap();
        let told: Vec<Aggregate> = decision.effects.iter().map(|(target, _)| *target).collect();
        assert_eq!(told, [Aggregate::Account(ALICE), Aggregate::Account(BOB)]);
        let records = replay.told(ALICE, &decision.answer);
        let team = &records[0];
        assert_eq!((&team["team_version_nr"], &team["is_managed"]), (&json!(1), &json!(false)));
        assert_eq!(
            (&team["members"], &team["admins"], &team["pending"]),
            (&json!([ALICE, BOB]), &json!([]), &json!([]))
        );
        assert_eq!((&records[1]["mk_rec_type"], &records[1]["label"]), (&json!("label"), &json!("Core")));
        assert!(!make(&mut replay, ALICE, core(&[])).unwrap().is_durable());
        assert_eq!(make(&mut replay, CAROL, core(&[])), Err(Refusal::not_found("Team")));
    }

    #[test]
    fn who_is_in_an_organisation_makes_a_managed_one_unless_he_says_otherwise() {
        let mut replay = employed();
        let decision = make(&mut replay, ALICE, core(&[CAROL])).unwrap();
        let team = &replay.told(ALICE, &decision.answer)[0];
        assert_eq!((&team["organisation_id"], &team["admins"]), (&json!(ACME), &json!([ALICE])));
        assert_eq!((&team["pending"], team.get("managed_time")), (&json!([CAROL]), None));
        let Some((Aggregate::Organisation(ACME), Effect::Managed { entries, is_managed: true, .. })) =
            decision.effects.last()
        else {
            panic!("{:?}", decision.effects)
        };
        assert_eq!(entries[0].event_type, "team.create");
        let free = Create { is_managed: Some(false), ..core(&[]) };
        let mut replay = employed();
        let decision = make(&mut replay, ALICE, free).unwrap();
        assert_eq!(replay.told(ALICE, &decision.answer)[0]["is_managed"], false);
    }

    #[test]
    fn an_organisation_wide_one_has_everybody_who_is_in_it_or_was_asked() {
        let mut replay = employed();
        make(&mut replay, ALICE, Create { is_org_wide: true, ..core(&[BOB]) }).unwrap();
        assert_eq!(replay.state.present().collect::<Vec<_>>(), [ALICE, BOB, CAROL]);
    }

    #[test]
    fn an_organisations_admin_is_told_since_when_it_is_managed() {
        let mut replay = employed();
        let wanted = Create { organisation_id: Some(ACME), ..core(&[]) };
        assert_eq!(make(&mut replay, BOB, wanted.clone()), Err(Refusal::forbidden()));
        let decision = make(&mut replay, ALICE, wanted).unwrap();
        assert_eq!(replay.told(ALICE, &decision.answer)[0]["managed_time"], 1_000);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut replay = Replay::<State>::new(TEAM);
        let managed = Create { is_managed: Some(true), ..core(&[]) };
        assert_eq!(
            make(&mut replay, ALICE, managed),
            Err(Refusal::no_permission("Not member of organisation!"))
        );
        let wide = Create { is_org_wide: true, ..core(&[]) };
        assert_eq!(make(&mut replay, ALICE, wide).unwrap_err().status, 431);
        assert_eq!(make(&mut replay, ALICE, core(&[NOBODY])), Err(Refusal::not_found("Account")));
        replay.profiles.get_mut(&BOB).unwrap().status = AccountStatus::Closed;
        assert_eq!(make(&mut replay, ALICE, core(&[BOB])).unwrap_err().status, 431);
    }
}
