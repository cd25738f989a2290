//! Activation and writing pens (conversations.md §8): nothing durable.

use rill_proto::id::AccountId;
use serde_json::json;

use crate::conversation::rules::{Decision, Facts, Judged, News, Reach, Soft, standing};
use crate::conversation::state::State;

/// `conv:activate`: answered with what there is to know of the other members.
pub(super) fn activate(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    standing::member(state, caller)?;
    Ok(Decision {
        soft: vec![Soft::Activate],
        answer: activities(state, caller, facts).collect(),
        ..nothing(state)
    })
}

/// `conv:set_writing`.
pub(super) fn set_writing(state: &State, caller: AccountId) -> Judged<Decision> {
    standing::member(state, caller)?;
    Ok(Decision {
        soft: vec![Soft::Activate, Soft::Pen(caller)],
        news: vec![(Reach::Activated, News::Activity(caller))],
        ..nothing(state)
    })
}

/// `conv:end_writing`.
pub(super) fn end_writing(state: &State, caller: AccountId) -> Judged<Decision> {
    standing::member(state, caller)?;
    Ok(Decision {
        soft: vec![Soft::PenOff(caller)],
        news: vec![(Reach::Activated, News::Activity(caller))],
        ..nothing(state)
    })
}

/// The other present members who have read something or are writing.
pub(super) fn activities<'a>(
    state: &'a State,
    viewer: AccountId,
    facts: &'a Facts,
) -> impl Iterator<Item = News> + 'a {
    let others = state
        .members
        .iter()
        .filter(move |(id, member)| **id != viewer && member.is_present());
    let active = others.filter(|(id, member)| member.has_read || facts.pens.contains(id));
    active.map(|(id, _)| News::Activity(*id))
}

/// A decision that changes nothing, on a conversation as a whole.
pub(super) fn nothing(state: &State) -> Decision {
    Decision {
        identifier: json!({ "conversation_id": state.conversation_id }),
        ..Decision::default()
    }
}
