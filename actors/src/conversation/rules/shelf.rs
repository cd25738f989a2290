//! Putting a conversation away and taking it out of the own list (conversations.md §6.1, §6.4): own view, no slot.

use rill_proto::event::conv;
use rill_proto::id::AccountId;

use crate::conversation::rules::draft::{Draft, number};
use crate::conversation::rules::marks::{self, Move};
use crate::conversation::rules::{Decision, Facts, Judged, standing};
use crate::conversation::state::State;

/// `conv:archive`: hidden until something newer than that message is posted; what lies before counts as read.
pub(super) fn archive(
    state: &State,
    caller: AccountId,
    event: &conv::Archive,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    // A number from the future would hide what nobody has seen.
    let top = member.frozen.as_ref().map_or(head.show_message_nr, |frozen| frozen.message_nr);
    let hidden = number(event.show_message_nr).min(top);
    let is_new = member.hide_message_nr != Some(hidden);
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if is_new {
        draft.change(caller)?.hide_message_nr = Some(hidden);
    }
    marks::apply(&mut draft, &Move::Forward(hidden), None)?;
    draft.finish(None)
}

/// `conv:unarchive`.
pub(super) fn unarchive(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if member.hide_message_nr.is_some_and(|hidden| hidden > 0) {
        draft.change(caller)?.hide_message_nr = Some(0);
    }
    draft.finish(None)
}

/// `conv:delete`: what there is so far is closed to the caller, and the conversation is gone from his list until somebody
/// writes in it.
pub(super) fn delete(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let top = member.top(head);
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if member.is_deleted && member.delete_message_nr == Some(top) {
        return draft.finish(None);
    }
    let last_inbox_nr = member.frozen.as_ref().map_or(head.last_inbox_nr, |frozen| frozen.last_inbox_nr);
    let member = draft.change(caller)?;
    member.delete_message_nr = Some(top);
    member.delete_inbox_nr = last_inbox_nr;
    member.is_deleted = true;
    if member.is_present() {
        // His clients drop everything of it, and his tasks stay on his own board.
        draft.tell_tasks(caller, true);
    }
    draft.finish(None)
}

#[cfg(test)]
mod tests {
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{Decision, Reach};
    use crate::effect::Effect;

    fn is_hidden(replay: &Replay) -> bool {
        replay.state.members[&BOB].is_hidden(replay.head())
    }

    #[test]
    fn what_is_put_away_is_read_and_comes_back_with_what_is_newer() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        let decision = replay.ask(BOB, archive(2)).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert_eq!(told(&decision, Reach::Others), ["activity bob"]);
        assert!(is_hidden(&replay));
        assert_eq!((replay.counters(BOB).read, replay.counters(BOB).unread), (2, 0));
        assert!(replay.ask(BOB, archive(2)).unwrap().changes.is_empty());
        replay.ask(ALICE, edit(2, "one!")).unwrap();
        assert!(is_hidden(&replay), "a revision is nothing newer");
        replay.post(ALICE, "two");
        assert!(!is_hidden(&replay));
        replay.ask(BOB, archive(2)).unwrap();
        assert!(!is_hidden(&replay), "he had not seen the newer one");
    }

    #[test]
    fn a_number_from_the_future_hides_nothing_that_is_to_come() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, archive(i64::MAX)).unwrap();
        assert_eq!(replay.state.members[&BOB].hide_message_nr, Some(1));
        replay.post(ALICE, "one");
        assert!(!is_hidden(&replay));
    }

    #[test]
    fn what_was_put_away_is_taken_out_again() {
        let mut replay = Replay::with(&[BOB]);
        assert!(replay.ask(BOB, unarchive()).unwrap().changes.is_empty());
        replay.ask(BOB, archive(1)).unwrap();
        let decision = replay.ask(BOB, unarchive()).unwrap();
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert!(told(&decision, Reach::Others).is_empty());
        assert_eq!(replay.state.members[&BOB].hide_message_nr, Some(0));
        assert!(replay.ask(BOB, unarchive()).unwrap().changes.is_empty());
    }

    #[test]
    fn what_is_deleted_is_gone_until_somebody_writes() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        let horizon = replay.stamp;
        let decision = replay.ask(BOB, delete_conv()).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert!(told(&decision, Reach::Others).is_empty());
        assert!(!replay.state.members[&BOB].hears());
        assert!(replay.ask(BOB, delete_conv()).unwrap().changes.is_empty());
        assert!(replay.catch_up(BOB, 0).is_empty(), "a fresh client never hears of it");
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), ["conv Update"]);

        replay.ask(ALICE, set_topic("Frost")).unwrap();
        assert!(!replay.state.members[&BOB].hears(), "nobody wrote anything");
        let horizon = replay.stamp;
        let decision = replay.ask(ALICE, add_plain("two")).unwrap();
        assert_eq!(effects(&decision), ["bob joined by bob"]);
        assert!(replay.state.members[&BOB].hears());
        let back = ["contact alice", "conv Init(Full) fw 4 bw 1", "message 3", "message 4"];
        assert_eq!(lines(&replay.catch_up(BOB, 0))[..4], back);
        assert_eq!(lines(&replay.catch_up(BOB, horizon))[..4], back);
        let bob = replay.counters(BOB);
        assert_eq!((bob.unread, bob.inbox_message_nr, bob.read), (1, 4, 2));
        assert!(effects(&replay.ask(ALICE, add_plain("three")).unwrap()).is_empty());
    }

    #[test]
    fn what_was_not_read_is_not_unread_once_it_is_deleted() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        replay.post(ALICE, "two");
        replay.ask(BOB, delete_conv()).unwrap();
        assert_eq!((replay.counters(BOB).unread, replay.counters(BOB).read), (0, 3));
        replay.post(ALICE, "three");
        replay.ask(BOB, set_read(1, None, None)).unwrap();
        assert_eq!((replay.counters(BOB).unread, replay.counters(BOB).read), (1, 3));
    }

    #[test]
    fn the_boards_stay_open_and_the_history_closed() {
        let mut replay = Replay::with(&[BOB]);
        let nr = replay.post(ALICE, "one");
        replay.ask(BOB, delete_conv()).unwrap();
        assert!(!replay.state.members[&BOB].sees(nr));
        replay.ask(ALICE, leave()).unwrap();
        replay.ask(BOB, delete_conv()).unwrap();
        replay.ask(BOB, add(&[ALICE])).unwrap();
        assert!(!replay.state.members[&BOB].hears(), "what he does himself says nothing either");
        replay.post(BOB, "two");
        assert!(replay.state.members[&BOB].hears());
    }

    #[test]
    fn his_tasks_are_told_to_who_has_it_no_longer_in_his_list() {
        let mut replay = Replay::with(&[BOB]);
        let nr = replay.post(ALICE, "one");
        let assign = serde_json::json!({ "message_nr": nr, "assignee_ids": [BOB, ALICE] });
        replay.ask(ALICE, event("message:set_assignees", assign)).unwrap();
        let told = |decision: &Decision| {
            let effects = decision.effects.iter().map(|(_, effect)| effect);
            let unheard =
                effects.filter(|effect| matches!(effect, Effect::Assigned { is_unheard: true, .. }));
            unheard.count()
        };
        assert_eq!(told(&replay.ask(ALICE, edit(2, "one!")).unwrap()), 0);
        let horizon = replay.stamp;
        assert_eq!(told(&replay.ask(BOB, delete_conv()).unwrap()), 1);
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), ["conv Update", "message 2"]);
        assert_eq!(told(&replay.ask(ALICE, edit(2, "one!!")).unwrap()), 1);
        assert_eq!(told(&replay.turn(ALICE, "set_done", nr).unwrap()), 1);
        replay.post(ALICE, "two");
        assert_eq!(told(&replay.ask(ALICE, edit(2, "one?")).unwrap()), 0, "he hears again");
    }

    #[test]
    fn who_is_brought_in_again_has_it_in_his_list() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        replay.ask(BOB, delete_conv()).unwrap();
        replay.post(ALICE, "one");
        assert!(replay.catch_up(BOB, 0).is_empty(), "what is written does not concern him any more");
        replay.ask(ALICE, add(&[BOB])).unwrap();
        assert!(replay.state.members[&BOB].hears());
    }

    #[test]
    fn who_left_may_put_it_away_and_a_stranger_may_not() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        replay.post(ALICE, "one");
        let decision = replay.ask(BOB, archive(99)).unwrap();
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert!(told(&decision, Reach::Others).is_empty());
        assert_eq!(replay.state.members[&BOB].hide_message_nr, Some(2));
        assert!(is_hidden(&replay));
        replay.ask(BOB, unarchive()).unwrap();
        replay.ask(BOB, delete_conv()).unwrap();
        for event in [archive(1), unarchive(), delete_conv()] {
            assert_eq!(replay.ask(JIL, event.clone()), Err(Refusal::not_member()));
            assert_eq!(Replay::nothing().ask(ALICE, event), Err(Refusal::not_member()));
        }
    }
}
