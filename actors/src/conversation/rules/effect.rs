//! What the effects of other owners, and the conversation's own, mean here: which rule decides which.

use rill_proto::id::AccountId;

use crate::conversation::rules::{
    Decision, Facts, Judged, alert, discharge, expire, label, managed, profile, section, team,
};
use crate::conversation::state::State;
use crate::effect::Effect;

/// Decides an effect; one that is for accounts decides nothing.
///
/// # Errors
/// [`Stop::Needs`](super::Stop::Needs) with what the owner must fetch first.
pub fn apply(state: &State, effect: &Effect, facts: &Facts) -> Judged<Decision> {
    match effect {
        Effect::Profile { account_id, profile: now } => {
            profile::profile_changed(state, *account_id, now, facts)
        }
        Effect::Named { viewer, contact, .. } => Ok(profile::named(state, *viewer, *contact, facts)),
        Effect::Sweep { section_id, what, until, by } => {
            section::go_on(state, *by, *section_id, *what, *until, facts)
        }
        Effect::Labelled { viewer, label_id, name } => {
            label::labelled(state, *viewer, *label_id, name.as_deref(), facts)
        }
        Effect::Expire { organisation_id, before, above } => {
            expire::expire(state, *organisation_id, *before, *above, facts)
        }
        Effect::Ring { viewer, at } => alert::ring(state, *viewer, *at, facts),
        Effect::Staffed { roster, by } => team::staffed(state, roster, *by, facts),
        Effect::Discharged { organisation_id, organisation_name, by, fate } => {
            let from = managed::Organisation { id: *organisation_id, name: organisation_name.clone() };
            discharge::discharged(state, from, *by, *fate, facts)
        }
        Effect::Joined { .. }
        | Effect::Dialog { .. }
        | Effect::Assigned { .. }
        | Effect::Attached { .. }
        | Effect::Watched { .. }
        | Effect::Shown { .. }
        | Effect::Spread { .. }
        | Effect::Mail { .. }
        | Effect::Alias { .. }
        | Effect::Detached { .. }
        | Effect::Stored { .. }
        | Effect::Employed(_)
        | Effect::Enlisted { .. }
        | Effect::Retired { .. }
        | Effect::Placed { .. }
        | Effect::Founded { .. }
        | Effect::Answered { .. }
        | Effect::Managed { .. }
        | Effect::Fetch(_) => Ok(Decision::default()),
    }
}

/// Who is behind an effect that decides something.
#[must_use]
pub fn asker(effect: &Effect) -> Option<AccountId> {
    match effect {
        Effect::Profile { account_id, .. } => Some(*account_id),
        Effect::Named { viewer, .. } => Some(*viewer),
        Effect::Sweep { by, .. } => Some(*by),
        Effect::Ring { viewer, .. } | Effect::Labelled { viewer, .. } => Some(*viewer),
        Effect::Staffed { by, .. } | Effect::Discharged { by, .. } => Some(*by),
        Effect::Joined { .. }
        | Effect::Dialog { .. }
        | Effect::Assigned { .. }
        | Effect::Attached { .. }
        | Effect::Watched { .. }
        | Effect::Shown { .. }
        | Effect::Spread { .. }
        | Effect::Mail { .. }
        | Effect::Alias { .. }
        | Effect::Detached { .. }
        | Effect::Stored { .. }
        | Effect::Employed(_)
        | Effect::Enlisted { .. }
        | Effect::Retired { .. }
        | Effect::Placed { .. }
        | Effect::Founded { .. }
        | Effect::Answered { .. }
        | Effect::Managed { .. }
        | Effect::Expire { .. }
        | Effect::Fetch(_) => None,
    }
}
