//! Teams in a conversation (accounts.md §8.2, §8.3, conversations.md §6.2): a team comes with those of it who are not in yet, and
//! goes with those who are in through it alone; whatever becomes of the team later is told by it (`staffed`).
//!
//! Not here: who is in a team, which is the team's to decide.

use rill_proto::id::{AccountId, TeamId};
use rill_proto::refusal::Refusal;

use crate::account::employment::Enlistment;
use crate::account::profile::Profile;
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged, News, body, managed, membership, standing};
use crate::conversation::state::{Head, Member, MessageKind, State};
use crate::team::roster::Roster;
use crate::team::sight::Sight;

mod staffed;
#[cfg(test)]
mod tests;

pub(super) use staffed::staffed;

/// How many teams are in one conversation: each is a row of up to a thousand ids that every load reads, and that is looked
/// through for every viewer.
pub(super) const TEAMS_MAX: usize = 50;

/// `conv:add_team`: whoever of it is not in yet joins. It is in already: nothing happens.
pub(super) fn add(state: &State, caller: AccountId, id: TeamId, facts: &Facts) -> Judged<Decision> {
    let (head, profile) = manager(state, caller, facts)?;
    let team = one(facts, id)?;
    may_use(team, caller, profile)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if head.teams.contains(&id) {
        return draft.finish(None);
    }
    take_in(&mut draft, team, "team_id")?;
    draft.settle_dialog();
    labelled(draft.finish(None)?, caller, &team.roster)
}

/// `conv:remove_team`: whoever is in through it alone goes, but for the one who asks. It is not in: nothing happens.
pub(super) fn remove(state: &State, caller: AccountId, id: TeamId, facts: &Facts) -> Judged<Decision> {
    let (head, profile) = manager(state, caller, facts)?;
    let team = one(facts, id)?;
    may_use(team, caller, profile)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if !head.teams.contains(&id) {
        return draft.finish(None);
    }
    let mut gone = through_alone(&draft, id);
    if gone.contains(&caller) {
        gone.retain(|gone| *gone != caller);
        draft.change(caller)?.is_by_team = false;
    }
    let_go(&mut draft, id, &gone)?;
    draft.finish(None)
}

fn one(facts: &Facts, id: TeamId) -> Judged<&Sight> {
    let teams = facts.teams(&[id])?;
    Ok(teams.first().copied().ok_or_else(|| Refusal::not_found("Team"))?)
}

/// The conversation, for who may change which teams are in, and what is known of him: as for members and settings; a member of
/// one that an organisation manages must be in the organisation as well.
///
/// # Errors
/// As [`standing::manager`], and `no_permission` for an outsider.
fn manager<'a>(state: &'a State, caller: AccountId, facts: &'a Facts) -> Judged<(&'a Head, &'a Profile)> {
    let present = standing::member(state, caller).ok();
    if let Some((head, member)) = present
        && let manager @ Some(_) = head.settings.organisation_id
        && member.profile.organisation_id != manager
    {
        return Err(Refusal::no_permission("Not member of organisation!").into());
    }
    let head = standing::manager(state, caller, facts)?;
    let profile = match present {
        Some((_, member)) => &member.profile,
        None => facts
            .profiles(&[caller])?
            .into_iter()
            .find_map(|(_, profile)| profile)
            .ok_or_else(Refusal::not_member)?,
    };
    Ok((head, profile))
}

/// # Errors
/// `no_permission` for who is neither a member of the team nor, where it is managed, one of its admins or of its
/// organisation's.
pub(super) fn may_use(team: &Sight, caller: AccountId, profile: &Profile) -> Result<(), Refusal> {
    match team.roster.organisation_id {
        None if team.is_member(caller) => Ok(()),
        None => Err(Refusal::no_permission("Must be member or team admin!")),
        Some(id) => {
            let is_at_work = profile.organisation_id == Some(id) && profile.is_org_admin == Some(true);
            if team.is_member_or_admin(caller) || is_at_work {
                return Ok(());
            }
            Err(Refusal::no_permission("Must be managed team member or team admin!"))
        }
    }
}

/// Brings a team in, and with it whoever of it is not in yet. A managed one puts a free conversation under its organisation,
/// unless it was made with the conversation in it (accounts.md §8.3).
///
/// # Errors
/// `invalid_call`, naming the param, for too many teams or people. [`Stop::Needs`](super::Stop::Needs) with what must be
/// fetched first.
pub(super) fn take_in(draft: &mut Draft<'_>, team: &Sight, param: &str) -> Judged<()> {
    let roster = &team.roster;
    if draft.head.teams.len() >= TEAMS_MAX {
        let what = format!("a conversation has at most {TEAMS_MAX} teams");
        return Err(Refusal::invalid_call(param, what).into());
    }
    let newcomers = newcomers(draft, roster.members.iter().copied())?;
    let is_new = |id: &AccountId| draft.member(*id).is_none();
    membership::has_room(draft, newcomers.iter().filter(|(id, _)| is_new(id)).count(), param)?;
    bring(draft, roster, &newcomers)?;
    draft.put_team(roster.team_id, Some(Roster { kicked: [].into(), ..roster.clone() }));
    let manager = roster.organisation_id.filter(|_| draft.head.settings.organisation_id.is_none());
    if let Some(id) = manager.filter(|_| !team.promised.contains(&draft.state.conversation_id))
        && let Some(terms) = draft.facts.organisation(id)?.filter(|terms| terms.is_open)
    {
        managed::manage(draft, &managed::Organisation { id, name: terms.name.clone() })?;
    }
    Ok(())
}

/// Those of some accounts who are not in and may be brought in.
fn newcomers(draft: &Draft<'_>, of: impl Iterator<Item = AccountId>) -> Judged<Vec<(AccountId, Profile)>> {
    let is_in = |id: &AccountId| draft.member(*id).is_some_and(Member::is_present);
    membership::addable(draft.facts, &of.filter(|id| !is_in(id)).collect::<Vec<_>>())
}

/// Says who came with a team, and lets them in.
fn bring(draft: &mut Draft<'_>, roster: &Roster, newcomers: &[(AccountId, Profile)]) -> Judged<()> {
    let ids: Vec<AccountId> = newcomers.iter().map(|(id, _)| *id).collect();
    let text = "{author} added {members} using {team_name}";
    let nr = draft.say(MessageKind::AddTeamV2, said(roster, &ids, text))?;
    for (id, profile) in newcomers {
        membership::enter(draft, *id, profile, nr, draft.facts.now)?;
        draft.change(*id)?.is_by_team = true;
    }
    draft.contacts.extend(&ids);
    draft.joined.extend(&ids);
    draft.change_facts();
    Ok(())
}

/// Says that a team is gone, and who went with it.
pub(super) fn let_go(draft: &mut Draft<'_>, id: TeamId, gone: &[AccountId]) -> Judged<()> {
    let roster = draft.team(id).cloned().ok_or_else(|| Refusal::not_found("Team"))?;
    draft.put_team(id, None);
    put_out(draft, &roster, gone)
}

fn put_out(draft: &mut Draft<'_>, roster: &Roster, gone: &[AccountId]) -> Judged<()> {
    let message = said(roster, gone, "{author} removed {members} using {team_name}");
    membership::put_out(draft, MessageKind::KickTeam, message, gone)
}

fn said(roster: &Roster, members: &[AccountId], sysmsg_text: &'static str) -> String {
    let (team_id, team_name) = (roster.team_id, roster.team_name.as_str());
    body::text(&body::OfTeam { members, team_id, team_name, sysmsg_text })
}

/// Whoever of a team is in through it alone, in the order of joining.
pub(super) fn through_alone(draft: &Draft<'_>, id: TeamId) -> Vec<AccountId> {
    let is_of_it = |member: &AccountId| draft.team(id).is_some_and(|roster| roster.members.contains(member));
    let is_by_team = |member: &AccountId| draft.member(*member).is_some_and(|member| member.is_by_team);
    let mut present = draft.present();
    present.retain(|member| is_of_it(member) && is_by_team(member) && !draft.is_in_team_beside(*member, id));
    present
}

/// The caller is shown the label that the conversation has now, where he is in the team.
fn labelled(mut decision: Decision, caller: AccountId, roster: &Roster) -> Judged<Decision> {
    if roster.members.contains(&caller) {
        let team_name = roster.team_name.clone();
        let enlistment = Enlistment { team_name, is_member: true, version: 0, stamp: 0 };
        let is_activity = |news: &News| matches!(news, News::Activity(_));
        let at = decision.answer.iter().position(is_activity).unwrap_or(decision.answer.len());
        decision.answer.insert(at, News::Label(enlistment.label(caller, roster.team_id, None)));
    }
    Ok(decision)
}
