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

/// The other present members of whom there is something to show: those who were added later, have read something, or
/// are writing. Who is told live and who asks afresh then hold the same.
pub(super) fn activities<'a>(
    state: &'a State,
    viewer: AccountId,
    facts: &'a Facts,
) -> impl Iterator<Item = News> + 'a {
    let others = state.members.iter().filter(move |(id, member)| **id != viewer && member.is_present());
    let active = others.filter(|(id, member)| {
        let was_added = member.begin_message_nr > 1;
        was_added || member.has_read || facts.pens.contains(id)
    });
    active.map(|(id, _)| News::Activity(*id))
}

/// A decision that changes nothing, on a conversation as a whole.
pub(super) fn nothing(state: &State) -> Decision {
    Decision { identifier: json!({ "conversation_id": state.conversation_id }), ..Decision::default() }
}

#[cfg(test)]
mod tests {
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{Reach, Soft};

    #[test]
    fn activating_answers_with_who_has_read_something() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        let decision = replay.ask(BOB, activate()).unwrap();
        assert_eq!(lines(&decision.answer), ["activity alice"], "Charlie has read nothing");
        assert_eq!(decision.soft, [Soft::Activate]);
        assert!(decision.changes.is_empty());
    }

    #[test]
    fn a_pen_is_told_to_activated_sessions_and_nothing_is_answered() {
        let mut replay = Replay::with(&[BOB]);
        let decision = replay.ask(BOB, set_writing()).unwrap();
        assert_eq!(decision.soft, [Soft::Activate, Soft::Pen(BOB)]);
        assert_eq!(told(&decision, Reach::Activated), ["activity bob"]);
        assert!(decision.answer.is_empty() && decision.changes.is_empty());
        let decision = replay.ask(BOB, end_writing()).unwrap();
        assert_eq!(decision.soft, [Soft::PenOff(BOB)]);
        assert_eq!(told(&decision, Reach::Activated), ["activity bob"]);
        assert!(decision.answer.is_empty());
    }

    #[test]
    fn who_never_was_in_and_who_left_are_refused() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        for event in [activate, set_writing, end_writing] {
            assert_eq!(replay.ask(JIL, event()), Err(Refusal::not_member()));
            assert_eq!(replay.ask(BOB, event()), Err(Refusal::has_left()));
        }
    }
}
