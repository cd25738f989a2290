//! `conv:set_topic` (conversations.md §6.3) and the merging of topics (§3.2).

use rill_proto::event::conv;
use rill_proto::id::AccountId;

use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged, body, standing};
use crate::conversation::state::{MessageKind, State};

/// `conv:set_topic`. The topic that it has already takes no slot.
pub(super) fn set(
    state: &State,
    caller: AccountId,
    event: &conv::SetTopic,
    facts: &Facts,
) -> Judged<Decision> {
    let head = standing::manager(state, caller, facts)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if *event.topic == *head.topic {
        return draft.finish(None);
    }
    draft.head.topic = event.topic.to_string();
    draft.head.topic_message_nr = state_topic(&mut draft, &event.topic)?;
    draft.change_facts();
    draft.settle_dialog();
    draft.finish(None)
}

/// Says what the topic is: in the newest visible message when that is the caller's own `create` or `topic`, else in a
/// new one. Answers with the slot that it took.
fn state_topic(draft: &mut Draft<'_>, topic: &str) -> Judged<u64> {
    let (caller, newest_nr) = (draft.caller, draft.head.show_message_nr);
    let newest = draft.flow().message(newest_nr)?.filter(|message| message.account_id == caller);
    if let Some(newest) = newest
        && let Some(text) = restated(newest.kind, &newest.message, topic)
    {
        return draft.revise(newest_nr, |message| message.message = text);
    }
    let message = body::text(&body::Topic { topic: topic.to_owned() });
    draft.say(MessageKind::Topic, message)
}

/// The body with another topic in it; `None` where topics are not merged.
fn restated(kind: MessageKind, text: &str, topic: &str) -> Option<String> {
    if kind == MessageKind::Create {
        let mut create: body::Create = body::read(text)?;
        topic.clone_into(&mut create.topic);
        return Some(body::text(&create));
    }
    (kind == MessageKind::Topic).then(|| body::text(&body::Topic { topic: topic.to_owned() }))
}

#[cfg(test)]
mod tests {
    use rill_proto::id::OrganisationId;
    use rill_proto::refusal::Refusal;
    use uuid::Uuid;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;
    use crate::conversation::state::MessageKind;

    #[test]
    fn a_topic_is_stated_in_a_message_of_its_own_after_posts() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.post(ALICE, "hello");
        let decision = replay.ask(BOB, set_topic("Harvest")).unwrap();
        assert_eq!(replay.message(3).kind, MessageKind::Topic);
        assert_eq!(replay.message(3).message, r#"{"topic":"Harvest"}"#);
        assert_eq!(replay.message(3).inbox_nr, -1);
        assert_eq!(replay.head().topic_message_nr, 3);
        assert_eq!(lines(&decision.answer), ["conv Full", "message 3"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Full", "message 3", "activity bob"]);
        assert_eq!((replay.counters(BOB).read, replay.counters(BOB).unread), (3, 0), "it marks all as read");
        assert_eq!((replay.counters(CHARLIE).read, replay.counters(CHARLIE).unread), (0, 1));
    }

    #[test]
    fn topics_of_the_same_person_are_merged_and_others_are_not() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "hello");
        replay.ask(BOB, set_topic("Harvest")).unwrap();
        replay.ask(BOB, set_topic("Frost")).unwrap();
        assert_eq!(replay.message(3).message, r#"{"topic":"Frost"}"#);
        assert_eq!((replay.head().topic_message_nr, replay.head().show_message_nr), (4, 3));
        replay.ask(ALICE, set_topic("Snow")).unwrap();
        assert_eq!(replay.message(5).message, r#"{"topic":"Snow"}"#);
    }

    #[test]
    fn a_revision_in_between_does_not_break_the_merge() {
        let mut replay = Replay::with(&[]);
        replay.ask(ALICE, set_topic("Harvest")).unwrap();
        replay.ask(ALICE, add(&[BOB])).unwrap();
        replay.ask(ALICE, set_topic("Frost")).unwrap();
        assert_eq!((replay.head().last_message_nr, replay.head().show_message_nr), (4, 1));
        assert_eq!(replay.body(1)["topic"], "Frost");
    }

    #[test]
    fn the_same_topic_takes_no_slot() {
        let mut replay = Replay::with(&[]);
        replay.ask(ALICE, set_topic("Harvest")).unwrap();
        let decision = replay.ask(ALICE, set_topic("Harvest")).unwrap();
        assert!(decision.changes.is_empty() && decision.news.is_empty());
        assert_eq!(lines(&decision.answer), ["conv Update"]);
    }

    #[test]
    fn a_topic_ends_a_dialog_and_its_removal_makes_one() {
        let mut replay = Replay::with(&[BOB]);
        let decision = replay.ask(BOB, set_topic("Harvest")).unwrap();
        assert_eq!(effects(&decision), ["alice dialog bob false", "bob dialog alice false"]);
        let decision = replay.ask(BOB, set_topic("")).unwrap();
        assert_eq!(effects(&decision), ["alice dialog bob true", "bob dialog alice true"]);
    }

    #[test]
    fn who_may_not_is_refused() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(BOB, leave()).unwrap();
        assert_eq!(replay.ask(JIL, set_topic("x")), Err(Refusal::not_member()));
        assert_eq!(replay.ask(BOB, set_topic("x")), Err(Refusal::has_left()));
        let head = replay.state.head.as_mut().unwrap();
        head.settings.organisation_id = Some(OrganisationId(Uuid::from_u128(7)));
        head.settings.admins = vec![ALICE];
        for event in [set_topic("x"), add(&[DON]), remove(&[ALICE])] {
            let refused = replay.ask(CHARLIE, event).unwrap_err();
            assert_eq!(refused, Refusal::no_permission("Only admins can change this conversation."));
        }
    }
}
