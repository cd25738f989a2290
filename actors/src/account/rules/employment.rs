//! What an account makes of what organisations and teams say of it, and what it decides about them itself.

use rill_proto::classificator::{AccountStatus, OrganisationFlag, StaffStatus};
use rill_proto::id::{OrganisationId, TeamId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::{Decision, Facts, Judged, News, letters, registration, spread};
use crate::account::employment::{Duty, Employment, Enlistment, Reply, Row};
use crate::account::profile::Profile;
use crate::account::state::{Change, Head, State};
use crate::effect::Effect;
use crate::store::Aggregate;

/// Puts an organisation's row in, with what follows for the account itself: its profile, what binds it, its sessions.
fn put(state: &State, id: OrganisationId, row: Row, facts: &Facts) -> Decision {
    let mut decision = Decision::default();
    let shown = state.employments.get(&id).and_then(|old| old.reminder(state.account_id));
    let status = row.status();
    let rows = || state.employments.iter().filter(|(of, _)| **of != id).map(|(_, row)| row).chain([&row]);
    if let Some(head) = &state.head {
        let mut new = Head { duty: duty(rows()), ..head.clone() };
        let employer = rows().find(|row| row.status() == StaffStatus::Active);
        employ(&mut new, employer);
        let asked = |(of, row): (OrganisationId, &Row)| (row.status() == StaffStatus::Pending).then_some(of);
        let others = state.employments.iter().filter(|(of, _)| **of != id).map(|(of, row)| (*of, row));
        new.profile.invited_into = others.chain([(id, &row)]).filter_map(asked).collect();
        new.settle_privacy();
        if status == StaffStatus::Closed && head.profile.status == AccountStatus::Active {
            decision = registration::closed(state, new, facts);
        } else if new != *head {
            let invited_into = head.profile.invited_into.clone();
            let is_seen = Profile { invited_into, ..new.profile.clone() } != head.profile;
            let is_own = is_seen || new.duty != head.duty;
            if is_own {
                new.stamp = facts.stamp;
            }
            if new.profile != head.profile {
                new.profile.version += 1;
                let spread = if is_seen { spread::profile } else { spread::invitations };
                decision.effects = spread(state, &new.profile, facts);
            }
            if new.duty.is_suspended {
                registration::end(&mut decision, state, |_| true, "the organisation has locked the account");
            }
            decision.changes.push(Change::Head(new));
            decision.news.extend(is_own.then_some(News::Own));
        }
    }
    let reminder = row.reminder(state.account_id);
    let is_open = status == StaffStatus::Pending;
    if reminder != shown && (is_open || shown.is_some()) {
        decision.news.push(News::Reminder(id));
    }
    decision.answer.clone_from(&decision.news);
    decision.changes.push(Change::Employment(id, row));
    decision
}

/// Writes the employer into what others see. What stood there once is said again when it is another one, or none.
fn employ(head: &mut Head, employer: Option<&Row>) {
    let profile = &mut head.profile;
    match employer {
        Some(row) => {
            profile.organisation_id = Some(row.said.organisation_id);
            profile.organisation_name = Some(row.said.organisation_name.clone());
            profile.is_org_admin = Some(row.said.is_admin);
        }
        None => {
            profile.organisation_id = None;
            profile.organisation_name = profile.organisation_name.as_ref().map(|_| String::new());
            profile.is_org_admin = profile.is_org_admin.map(|_| false);
        }
    }
}

fn duty<'a>(rows: impl Iterator<Item = &'a Row>) -> Duty {
    let mut duty = Duty::default();
    for row in rows {
        match row.status() {
            StaffStatus::Active => {
                let binds = |flag| row.said.flags.contains(&flag);
                duty.has_no_password |= binds(OrganisationFlag::EnforceNoPassword) && !row.said.is_admin;
                duty.is_present |= binds(OrganisationFlag::EnforcePresence);
                duty.is_hidden |= binds(OrganisationFlag::HideMembers);
            }
            StaffStatus::Suspended => duty.is_suspended = true,
            StaffStatus::Pending | StaffStatus::Closed | StaffStatus::Removed | StaffStatus::Declined => {}
        }
    }
    duty
}

/// An organisation says what the account is to it now. Who is invited is written to, and so is who is out of it.
pub(super) fn employed(state: &State, said: &Employment, facts: &Facts) -> Judged<Decision> {
    let id = said.organisation_id;
    let old = state.employments.get(&id);
    if old.is_some_and(|old| old.said.version >= said.version) {
        return Ok(Decision::default());
    }
    // An answer that the organisation had not heard when it spoke.
    let is_same =
        |old: &&Row| said.status == StaffStatus::Pending && old.said.reminder_id == said.reminder_id;
    let reply = old.filter(is_same).and_then(|old| old.reply);
    let row = Row { said: said.clone(), reply, stamp: facts.stamp };
    let before = old.map(Row::status);
    let was_invited = |old: &Row| old.said.invited_time >= said.invited_time;
    let mut letter = Decision::default();
    match row.status() {
        StaffStatus::Pending if !old.is_some_and(was_invited) => {
            let by = match said.inviter_id {
                Some(id) => facts.profile(id)?.map(|profile| profile.display_name.clone()),
                None => None,
            };
            letter = letters::invite_into(state, &row, &by.unwrap_or_default(), facts);
        }
        StaffStatus::Removed | StaffStatus::Closed
            if matches!(before, Some(StaffStatus::Active | StaffStatus::Suspended)) =>
        {
            letters::discharge(&mut letter, state, &row, facts);
        }
        StaffStatus::Pending
        | StaffStatus::Active
        | StaffStatus::Suspended
        | StaffStatus::Removed
        | StaffStatus::Closed
        | StaffStatus::Declined => {}
    }
    let mut decision = put(state, id, row, facts);
    decision.changes.extend(letter.changes);
    decision.effects.extend(letter.effects);
    Ok(decision)
}

/// A team says whether the account is in it.
pub(super) fn enlisted(
    state: &State,
    team_id: TeamId,
    told: (&str, bool, crate::store::Stamp),
    facts: &Facts,
) -> Decision {
    let (team_name, is_member, version) = told;
    let old = state.teams.get(&team_id);
    if old.is_some_and(|old| old.version >= version) {
        return Decision::default();
    }
    let row = Enlistment { team_name: team_name.to_owned(), is_member, version, stamp: facts.stamp };
    let is_other = old.is_none_or(|old| (&old.team_name, old.is_member) != (&row.team_name, is_member));
    let news =
        if is_other && (is_member || old.is_some()) { vec![News::TeamLabel(team_id)] } else { Vec::new() };
    Decision { changes: vec![Change::Team(team_id, row)], news, ..Decision::default() }
}

/// # Errors
/// 431 for an account that is in an organisation.
fn unemployed(state: &State) -> Result<(), Refusal> {
    let head = state.head.as_ref().ok_or_else(|| Refusal::not_found("Account"))?;
    if head.profile.organisation_id.is_some() {
        return Err(Refusal::no_permission("Already member of an organisation."));
    }
    Ok(())
}

/// The account makes an organisation; it is in it at once.
///
/// # Errors
/// 431 when it is in one.
pub fn found(state: &State, id: OrganisationId, name: &str, facts: &Facts) -> Result<Decision, Refusal> {
    if state.employments.contains_key(&id) {
        return Ok(Decision::default());
    }
    unemployed(state)?;
    let said = Employment {
        organisation_id: id,
        organisation_name: name.to_owned(),
        status: StaffStatus::Active,
        is_admin: true,
        inviter_id: None,
        reminder_id: None,
        invited_time: facts.now,
        flags: std::collections::BTreeSet::new(),
        // The organisation knows better from its first word on.
        version: 0,
    };
    let mut decision = put(state, id, Row { said, reply: None, stamp: facts.stamp }, facts);
    let founded = Effect::Founded { by: state.account_id, organisation_name: name.to_owned() };
    decision.effects.insert(0, (Aggregate::Organisation(id), founded));
    Ok(decision)
}

/// The account answers an invitation.
///
/// # Errors
/// 431 for an invitation that it does not have, that is answered or too old, and when it wants to join and is in an
/// organisation.
pub fn answer(
    state: &State,
    id: OrganisationId,
    reply: Reply,
    is_by_letter: bool,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    let expired = || Refusal::no_permission("Notification expired.");
    let row =
        state.employments.get(&id).filter(|row| row.status() == StaffStatus::Pending).ok_or_else(expired)?;
    let reminder_id = row.said.reminder_id.filter(|_| row.expire_time() >= facts.now).ok_or_else(expired)?;
    if reply == Reply::Joined {
        unemployed(state)?;
    }
    let row = Row { reply: Some(reply), stamp: facts.stamp, ..row.clone() };
    let mut decision = put(state, id, row, facts);
    let joins = reply == Reply::Joined;
    let answered = Effect::Answered { account_id: state.account_id, reminder_id, joins, is_by_letter };
    decision.effects.insert(0, (Aggregate::Organisation(id), answered));
    Ok(decision)
}

/// The account joins the organisation that a reminder invites it into. Joined already: nothing more.
///
/// # Errors
/// As [`answer`]; 431 for a reminder of another organisation.
pub fn join(
    state: &State,
    id: OrganisationId,
    reminder_id: Uuid,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    let row = state.employments.get(&id).filter(|row| row.said.reminder_id == Some(reminder_id));
    match row {
        Some(row) if row.status() == StaffStatus::Active => Ok(Decision::default()),
        Some(_) => answer(state, id, Reply::Joined, false, facts),
        None => Err(Refusal::no_permission("Notification expired.")),
    }
}

/// An admin of its organisation gives the account another password: its sessions end, and it is written to.
///
/// # Errors
/// 431 for an account that is not in the organisation, and where its members have no passwords.
pub fn set_password(
    state: &State,
    id: OrganisationId,
    password_hash: &str,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    let is_in = |row: &&Row| matches!(row.status(), StaffStatus::Active | StaffStatus::Suspended);
    let row = state.employments.get(&id).filter(is_in);
    let (Some(row), Some(head)) = (row, &state.head) else {
        return Err(Refusal::no_permission("Not member of organisation!"));
    };
    registration::may_have_password(head)?;
    let mut head = head.clone();
    head.password_hash = Some(password_hash.to_owned());
    head.registration.has_password = true;
    head.stamp = facts.stamp;
    let mut decision = Decision { changes: vec![Change::Head(head)], ..Decision::default() };
    registration::end(&mut decision, state, |_| true, "an admin has changed the password");
    letters::tell_password(&mut decision, state, row, facts);
    Ok(decision)
}

/// The account declines what a reminder is about. Declined already: nothing more.
///
/// # Errors
/// 431 for a reminder that the account does not have.
pub fn dismiss(state: &State, reminder_id: Uuid, facts: &Facts) -> Result<Decision, Refusal> {
    let row = state.employments.iter().find(|(_, row)| row.said.reminder_id == Some(reminder_id));
    match row {
        Some((_, row)) if row.status() == StaffStatus::Declined => Ok(Decision::default()),
        Some((id, _)) => answer(state, *id, Reply::Declined, false, facts),
        None => Err(Refusal::no_permission("Notification expired.")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::account::rules::replay::*;
    use crate::account::rules::settings;
    use crate::account::settings::Switches;
    use crate::letter::About;
    use crate::store::Stamp;

    const ACME: OrganisationId = OrganisationId(Uuid::from_u128(0x0F));
    const OTHER: OrganisationId = OrganisationId(Uuid::from_u128(0x0E));

    fn said(status: StaffStatus, version: Stamp) -> Employment {
        Employment {
            organisation_id: ACME,
            organisation_name: "Acme".to_owned(),
            status,
            is_admin: false,
            inviter_id: Some(BOB),
            reminder_id: Some(Uuid::from_u128(0x4E)),
            invited_time: 1_000,
            flags: BTreeSet::new(),
            version,
        }
    }

    fn ask(
        replay: &mut Replay,
        rule: impl Fn(&State, &Facts) -> Result<Decision, Refusal>,
    ) -> Result<Decision, Refusal> {
        let decision = replay.judge(|state, facts| Ok(rule(state, facts)?))?;
        replay.carry_out(&decision);
        Ok(decision)
    }

    #[test]
    fn who_founds_one_is_in_it_at_once_and_in_no_other() {
        let mut replay = Replay::alice();
        let decision = ask(&mut replay, |state, facts| found(state, ACME, "Acme", facts)).unwrap();
        assert_eq!(lines(&decision.news), ["own"]);
        assert!(matches!(decision.effects[0], (Aggregate::Organisation(ACME), Effect::Founded { .. })));
        let profile = &replay.head().profile;
        assert_eq!((profile.organisation_id, profile.is_org_admin), (Some(ACME), Some(true)));
        assert!(!ask(&mut replay, |state, facts| found(state, ACME, "Acme", facts)).unwrap().is_durable());
        let second = ask(&mut replay, |state, facts| found(state, OTHER, "Other", facts));
        assert_eq!(second.unwrap_err().status, 431);
    }

    #[test]
    fn an_invitation_reminds_and_joining_answers_it_once() {
        let mut replay = Replay::alice();
        let decision = replay.apply(&Effect::Employed(said(StaffStatus::Pending, 5)));
        assert_eq!(lines(&decision.news), ["reminder"]);
        assert_eq!(replay.head().profile.organisation_id, None);
        let joined =
            ask(&mut replay, |state, facts| answer(state, ACME, Reply::Joined, false, facts)).unwrap();
        assert_eq!(lines(&joined.news), ["own", "reminder"]);
        assert_eq!(replay.head().profile.organisation_name.as_deref(), Some("Acme"));
        let again = ask(&mut replay, |state, facts| answer(state, ACME, Reply::Joined, false, facts));
        assert_eq!(again.unwrap_err().status, 431);
        // What the organisation said before it heard of that takes nothing back.
        replay.apply(&Effect::Employed(said(StaffStatus::Pending, 6)));
        assert_eq!(replay.head().profile.organisation_id, Some(ACME));
        replay.apply(&Effect::Employed(said(StaffStatus::Active, 7)));
        assert_eq!(replay.state.employments[&ACME].status(), StaffStatus::Active);
    }

    #[test]
    fn who_declines_or_waits_too_long_is_in_nothing() {
        let mut replay = Replay::alice();
        replay.apply(&Effect::Employed(said(StaffStatus::Pending, 5)));
        replay.now = 1_001 + crate::account::employment::INVITATION_KEPT_S;
        let late = ask(&mut replay, |state, facts| answer(state, ACME, Reply::Joined, false, facts));
        assert_eq!(late, Err(Refusal::no_permission("Notification expired.")));
        replay.now = 1_000;
        let declined =
            ask(&mut replay, |state, facts| answer(state, ACME, Reply::Declined, false, facts)).unwrap();
        assert_eq!(lines(&declined.news), ["reminder"]);
        assert_eq!(replay.state.employments[&ACME].status(), StaffStatus::Declined);
    }

    #[test]
    fn who_is_out_has_no_organisation_and_says_so_where_he_said_otherwise() {
        let mut replay = Replay::alice();
        replay.apply(&Effect::Employed(said(StaffStatus::Active, 5)));
        let decision = replay.apply(&Effect::Employed(said(StaffStatus::Removed, 6)));
        assert_eq!(lines(&decision.news), ["own"]);
        let profile = &replay.head().profile;
        assert_eq!((profile.organisation_id, profile.is_org_admin), (None, Some(false)));
        assert_eq!(profile.organisation_name.as_deref(), Some(""));
        // An older word changes nothing.
        assert!(!replay.apply(&Effect::Employed(said(StaffStatus::Active, 5))).is_durable());
    }

    #[test]
    fn settings_bind_members_and_not_admins_where_they_would_be_locked_out() {
        let mut replay = Replay::alice();
        let flags = BTreeSet::from([OrganisationFlag::EnforceNoPassword, OrganisationFlag::HideMembers]);
        let bound = Employment { flags, ..said(StaffStatus::Active, 5) };
        replay.apply(&Effect::Employed(bound.clone()));
        let duty = replay.head().duty;
        assert!(duty.has_no_password && duty.is_hidden && !duty.is_present);
        replay.apply(&Effect::Employed(Employment { is_admin: true, version: 6, ..bound }));
        assert!(!replay.head().duty.has_no_password);
    }

    #[test]
    fn who_kept_to_himself_is_seen_as_long_as_his_organisation_wants_it() {
        let mut replay = Replay::alice();
        let privately = Switches { is_full_privacy: Some(true), ..Switches::default() };
        let switch = |state: &State, facts: &Facts| settings::switch(state, privately, facts);
        let decision = replay.judge(switch).unwrap();
        replay.carry_out(&decision);
        assert!(replay.head().profile.is_private);
        let flags = BTreeSet::from([OrganisationFlag::EnforcePresence]);
        let bound = Employment { flags, ..said(StaffStatus::Active, 5) };
        replay.apply(&Effect::Employed(bound.clone()));
        assert!(!replay.head().profile.is_private, "conversations are to hear of it");
        assert_eq!(replay.head().settings.is_full_privacy, Some(true), "what he wants is kept");
        assert_eq!(replay.judge(switch).unwrap_err().status, 431);
        replay.apply(&Effect::Employed(Employment { version: 6, ..said(StaffStatus::Active, 6) }));
        assert!(replay.head().profile.is_private);
    }

    #[test]
    fn a_suspended_account_has_no_sessions() {
        let mut replay = Replay::alice();
        replay.apply(&Effect::Employed(said(StaffStatus::Active, 5)));
        let decision = replay.apply(&Effect::Employed(said(StaffStatus::Suspended, 6)));
        assert_eq!(decision.ends.as_ref().map(|ends| ends.tokens.len()), Some(2));
        assert!(replay.head().duty.is_suspended && replay.state.tokens.is_empty());
    }

    #[test]
    fn an_admin_of_its_organisation_and_of_no_other_gives_it_another_password() {
        let mut replay = Replay::alice();
        let give = |id| move |state: &State, facts: &Facts| set_password(state, id, "new", facts);
        replay.apply(&Effect::Employed(said(StaffStatus::Pending, 5)));
        let refused = Err(Refusal::no_permission("Not member of organisation!"));
        assert_eq!(ask(&mut replay, give(ACME)), refused, "he has not joined");
        replay.apply(&Effect::Employed(said(StaffStatus::Active, 6)));
        assert_eq!(ask(&mut replay, give(OTHER)), refused);
        let decision = ask(&mut replay, give(ACME)).unwrap();
        assert_eq!(decision.ends.as_ref().map(|ends| ends.tokens.len()), Some(2));
        assert_eq!(replay.head().password_hash.as_deref(), Some("new"));
        let [(_, Effect::Mail { letter })] = &decision.effects[..] else { panic!("{:?}", decision.effects) };
        assert_eq!(letter.about, About::Password { organisation_name: "Acme".to_owned() });
        let flags = BTreeSet::from([OrganisationFlag::EnforceNoPassword]);
        replay.apply(&Effect::Employed(Employment { flags, ..said(StaffStatus::Active, 7) }));
        assert_eq!(ask(&mut replay, give(ACME)).unwrap_err().status, 431);
    }

    #[test]
    fn a_team_gives_its_members_a_label_and_takes_it_back() {
        let mut replay = Replay::alice();
        let team_id = TeamId(Uuid::from_u128(7));
        let told = |is_member, version| Effect::Enlisted {
            team_id,
            team_name: "Core".to_owned(),
            is_member,
            version,
        };
        assert_eq!(lines(&replay.apply(&told(true, 5)).news), ["team label"]);
        assert!(!replay.apply(&told(true, 5)).is_durable());
        assert_eq!(lines(&replay.apply(&told(false, 6)).news), ["team label"]);
        assert!(!replay.state.teams[&team_id].is_member);
    }
}
