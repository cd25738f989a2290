//! What a team tells the conversations that it is in: who is in it now, or that it is gone (accounts.md §8.2).

use std::collections::BTreeSet;

use rill_proto::id::AccountId;

use super::{bring, let_go, newcomers, put_out, through_alone};
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Header, Judged, News, Reach, managed, membership};
use crate::conversation::state::{Member, State};
use crate::team::roster::Roster;

/// The team is so now. One that is not in, and an older word than was heard, say nothing.
///
/// # Errors
/// [`Stop::Needs`](crate::conversation::rules::Stop::Needs) with what must be fetched first.
pub(in crate::conversation::rules) fn staffed(
    state: &State,
    now: &Roster,
    by: AccountId,
    facts: &Facts,
) -> Judged<Decision> {
    let (Some(head), Some(known)) = (&state.head, state.teams.get(&now.team_id)) else {
        return Ok(Decision::default());
    };
    if known.version >= now.version {
        return Ok(Decision::default());
    }
    let mut draft = Draft::new(state, head.clone(), by, facts);
    if now.is_deleted {
        let gone = through_alone(&draft, now.team_id);
        let_go(&mut draft, now.team_id, &gone)?;
        draft.settle_dialog();
        return draft.finish(None);
    }
    let mut coming = newcomers(&draft, now.members.difference(&known.members).copied())?;
    // Nobody could be asked to choose: who finds no room stays outside.
    coming.truncate(membership::MEMBERS_MAX.saturating_sub(state.members.len()));
    let gone: Vec<AccountId> = through_alone(&draft, now.team_id);
    let (kicked, gone) = gone
        .into_iter()
        .filter(|id| !now.members.contains(id))
        .partition::<Vec<AccountId>, _>(|id| now.kicked.contains(id));
    draft.put_team(now.team_id, Some(Roster { kicked: BTreeSet::new(), ..now.clone() }));
    // Who is in through a managed team alone is one for whose answer a managed conversation waits.
    let is_other = known.organisation_id != now.organisation_id && head.settings.organisation_id.is_some();
    if is_other {
        draft.change_facts();
    }
    let is_said = is_other || !(coming.is_empty() && gone.is_empty() && kicked.is_empty());
    if !coming.is_empty() {
        bring(&mut draft, now, &coming)?;
    }
    match managed::organisation(state, head, facts) {
        Some(from) if !kicked.is_empty() => {
            if !gone.is_empty() {
                put_out(&mut draft, now, &gone)?;
            }
            managed::put_out(&mut draft, from, &kicked)?;
        }
        // What belongs to nobody is taken from nobody.
        Some(_) | None => {
            let gone = [gone, kicked].concat();
            if !gone.is_empty() {
                put_out(&mut draft, now, &gone)?;
            }
        }
    }
    relabelled(&mut draft, known, now)?;
    draft.settle_dialog();
    if is_said { draft.finish(None) } else { Ok(draft.into_decision(Vec::new(), Vec::new())) }
}

/// Who was in the conversation and stays has the team's label on it now, or no longer.
fn relabelled(draft: &mut Draft<'_>, known: &Roster, now: &Roster) -> Judged<()> {
    for id in known.members.symmetric_difference(&now.members) {
        let was_in = draft.state.members.get(id).is_some_and(Member::is_present);
        if was_in && draft.member(*id).is_some_and(Member::is_present) {
            draft.change(*id)?;
            draft.aside.push((Reach::Account(*id), News::Header(Header::UPDATE)));
        }
    }
    Ok(())
}
