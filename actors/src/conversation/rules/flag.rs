//! Switches of single messages (conversations.md §9.2): spam, and previews of links.

use rill_proto::event::message;
use rill_proto::id::AccountId;

use crate::conversation::rules::{Decision, Facts, Judged, revision, standing};
use crate::conversation::state::State;

/// `message:mark_spam`.
pub(super) fn mark_spam(
    state: &State,
    caller: AccountId,
    event: &message::MarkSpam,
    facts: &Facts,
) -> Judged<Decision> {
    spam(state, caller, event.message_nr, true, event.from_message_nr, facts)
}

/// `message:unmark_spam`.
pub(super) fn unmark_spam(
    state: &State,
    caller: AccountId,
    event: &message::UnmarkSpam,
    facts: &Facts,
) -> Judged<Decision> {
    spam(state, caller, event.message_nr, false, event.from_message_nr, facts)
}

/// `message:set_spam`.
pub(super) fn set_spam(
    state: &State,
    caller: AccountId,
    event: &message::SetSpam,
    facts: &Facts,
) -> Judged<Decision> {
    spam(state, caller, event.message_nr, event.is_spam, event.from_message_nr, facts)
}

fn spam(
    state: &State,
    caller: AccountId,
    message_nr: i64,
    is_spam: bool,
    from_message_nr: Option<i64>,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::member(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, message_nr, facts)?;
    if message.extras().is_spam.unwrap_or(false) != is_spam {
        draft.revise(message.message_nr, |message| message.extras_mut().is_spam = Some(is_spam))?;
    }
    draft.finish(from_message_nr)
}

/// `message:disable_preview`: for good.
pub(super) fn disable_preview(
    state: &State,
    caller: AccountId,
    event: &message::DisablePreview,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::member(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    if !message.is_url_preview_disabled {
        draft.revise(message.message_nr, |message| message.is_url_preview_disabled = true)?;
    }
    draft.finish(event.from_message_nr)
}

#[cfg(test)]
mod tests {
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use crate::conversation::rules::replay::*;

    #[test]
    fn spam_is_said_and_taken_back() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        let set = |is_spam: bool| event("message:set_spam", json!({"message_nr": 2, "is_spam": is_spam}));
        assert!(replay.turn(BOB, "unmark_spam", 2).unwrap().changes.is_empty());
        assert_eq!(
            lines(&replay.turn(BOB, "mark_spam", 2).unwrap().answer),
            ["conv Update", "message 2 flow 3"]
        );
        assert_eq!(replay.message(2).extras().is_spam, Some(true));
        assert!(replay.ask(ALICE, set(true)).unwrap().changes.is_empty());
        replay.ask(ALICE, set(false)).unwrap();
        assert_eq!(replay.message(2).extras().is_spam, Some(false));
        replay.ask(ALICE, set(true)).unwrap();
        replay.turn(ALICE, "unmark_spam", 2).unwrap();
        assert_eq!(replay.head().last_message_nr, 6);
    }

    #[test]
    fn previews_are_dropped_once() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "https://example.com");
        let decision = replay.turn(BOB, "disable_preview", 2).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3"]);
        assert!(replay.message(2).is_url_preview_disabled);
        assert!(replay.turn(ALICE, "disable_preview", 2).unwrap().changes.is_empty());
    }

    #[test]
    fn system_messages_deleted_ones_and_strangers_are_refused() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        replay.ask(ALICE, delete(2)).unwrap();
        for verb in ["mark_spam", "unmark_spam", "disable_preview"] {
            for (nr, status) in [(1, 400), (2, 400), (99, 430)] {
                assert_eq!(replay.turn(ALICE, verb, nr).unwrap_err().status, status, "{verb}");
            }
            assert_eq!(replay.turn(JIL, verb, 2), Err(Refusal::not_member()));
        }
    }
}
