//! Reading and unreading (conversations.md §6.4, and `old_message_nr` in §0.3): own view, no slot.

use rill_proto::classificator::{AlertLevel, InitMode};
use rill_proto::event::{conv, message};
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::counters::Counters;
use crate::conversation::rules::draft::{Draft, number};
use crate::conversation::rules::{Decision, Facts, Header, Judged, Keys, News, standing};
use crate::conversation::state::{Member, State};

/// Where a client wants the read horizon.
pub(super) enum Move {
    /// At least here; the conversation counts as read.
    Forward(u64),
    /// At most here; the conversation counts as marked unread.
    Back(u64),
    /// Nowhere.
    Stay,
}

/// What every mark event carries besides its own number.
struct Ask {
    old_message_nr: Option<i64>,
    from_message_nr: Option<i64>,
}

/// `conv:mark_read`. A client that did not know of the newest message gets a fresh header and the message to show.
pub(super) fn conv_mark_read(
    state: &State,
    caller: AccountId,
    event: &conv::MarkRead,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, _) = standing::member(state, caller)?;
    let wanted = number(event.show_message_nr);
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    apply(&mut draft, &Move::Forward(wanted), event.old_message_nr)?;
    if wanted < head.show_message_nr && event.from_message_nr.is_none() {
        return finish_lagging(draft);
    }
    draft.finish(event.from_message_nr)
}

/// `conv:mark_unread`.
pub(super) fn conv_mark_unread(
    state: &State,
    caller: AccountId,
    event: &conv::MarkUnread,
    facts: &Facts,
) -> Judged<Decision> {
    let ask = Ask { old_message_nr: event.old_message_nr, from_message_nr: event.from_message_nr };
    let before = number(event.inbox_message_nr).saturating_sub(1);
    mark(state, caller, facts, ask, |_| Move::Back(before))
}

/// `conv:set_read_message_nr`: forward or back, wherever the number lies.
pub(super) fn set_read_message_nr(
    state: &State,
    caller: AccountId,
    event: &conv::SetReadMessageNr,
    facts: &Facts,
) -> Judged<Decision> {
    let ask = Ask { old_message_nr: event.old_message_nr, from_message_nr: event.from_message_nr };
    let wanted = number(event.message_nr);
    mark(state, caller, facts, ask, |member| {
        if wanted < member.read_message_nr { Move::Back(wanted) } else { Move::Forward(wanted) }
    })
}

/// `message:mark_read`.
pub(super) fn message_mark_read(
    state: &State,
    caller: AccountId,
    event: &message::MarkRead,
    facts: &Facts,
) -> Judged<Decision> {
    let ask = Ask { old_message_nr: event.old_message_nr, from_message_nr: event.from_message_nr };
    let wanted = number(event.message_nr);
    mark(state, caller, facts, ask, |_| Move::Forward(wanted))
}

/// `message:mark_unread`. Ignored when even earlier messages are unread.
pub(super) fn message_mark_unread(
    state: &State,
    caller: AccountId,
    event: &message::MarkUnread,
    facts: &Facts,
) -> Judged<Decision> {
    let ask = Ask { old_message_nr: event.old_message_nr, from_message_nr: event.from_message_nr };
    let before = number(event.message_nr).saturating_sub(1);
    mark(state, caller, facts, ask, |member| {
        if member.read_message_nr < before { Move::Stay } else { Move::Back(before) }
    })
}

fn mark(
    state: &State,
    caller: AccountId,
    facts: &Facts,
    ask: Ask,
    wish: impl FnOnce(&Member) -> Move,
) -> Judged<Decision> {
    let (head, member) = standing::member(state, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    apply(&mut draft, &wish(member), ask.old_message_nr)?;
    draft.finish(ask.from_message_nr)
}

/// Moves the horizon within its bounds: not past the newest visible message, and not below what is open to the member.
/// A client whose idea of the horizon is out of date can move it forward only.
pub(super) fn apply(draft: &mut Draft<'_>, wish: &Move, old_message_nr: Option<i64>) -> Judged<()> {
    let show = draft.head.show_message_nr;
    let Some(member) = draft.member(draft.caller) else {
        return Ok(());
    };
    let lowest = member.join_message_nr.saturating_sub(1).max(member.delete_message_nr.unwrap_or(0));
    let read = member.read_message_nr;
    let waits = member.alert_level == AlertLevel::UntilRead;
    let (is_read, has_read) = (member.is_mark_unread == Some(false), member.has_read);
    match *wish {
        Move::Stay => {}
        Move::Forward(wanted) => {
            let to = read.max(wanted.min(show));
            let ends_mute = waits && to >= show;
            if to != read || !is_read || !has_read || ends_mute {
                draft.read_to(to)?;
            }
        }
        Move::Back(wanted) => {
            let is_stale = old_message_nr.is_some_and(|old| number(old) != read);
            let to = read.min(wanted.max(lowest));
            let is_set = to == read && member.is_mark_unread == Some(true);
            if !is_stale && !is_set {
                let read_inbox_nr = draft.inbox_at(to);
                let member = draft.change(draft.caller)?;
                if to < read {
                    member.shown_read_nr = member.shown_read_nr.or(Some(read));
                }
                member.read_message_nr = to;
                member.read_inbox_nr = read_inbox_nr;
                member.is_mark_unread = Some(true);
            }
        }
    }
    Ok(())
}

/// Answers in the form ic_tiny: the header anew, and the message that the conversation list shows.
fn finish_lagging(draft: Draft<'_>) -> Judged<Decision> {
    let member = draft.member(draft.caller).ok_or_else(Refusal::not_member)?;
    let counters = Counters::of(draft.state, &draft.head, member);
    let nr = counters.inbox_message_nr;
    let tiny =
        Header { keys: Keys::Init(InitMode::Tiny), fw: Some(counters.last), bw: Some(nr), is_reset: false };
    let mut answer = vec![News::Header(tiny)];
    let shown = draft.flow().seen_message(member, nr)?;
    answer.extend(shown.map(|message| News::Message { message: Box::new(message), flow: None }));
    Ok(draft.into_decision(answer, vec![News::Header(Header::UPDATE)]))
}

#[cfg(test)]
mod tests {
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;

    /// Alice created it with Bob and wrote 2, 3 and 4.
    fn three_posts() -> Replay {
        let mut replay = Replay::with(&[BOB]);
        for text in ["one", "two", "three"] {
            replay.post(ALICE, text);
        }
        replay
    }

    #[test]
    fn reading_is_told_to_the_others_and_to_ones_own_sessions() {
        let mut replay = three_posts();
        let decision = replay.ask(BOB, mark_read(3, None, None)).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert_eq!(told(&decision, Reach::Others), ["activity bob"]);
        assert_eq!(decision.identifier["message_nr"], 3);
        assert_eq!(replay.counters(BOB).unread, 1);
    }

    #[test]
    fn unreading_is_told_to_ones_own_sessions_only() {
        let mut replay = three_posts();
        replay.ask(BOB, mark_read(4, None, None)).unwrap();
        let decision = replay.ask(BOB, mark_unread(3, None, None)).unwrap();
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert!(told(&decision, Reach::Others).is_empty());
        assert_eq!((replay.counters(BOB).read, replay.counters(BOB).inbox_message_nr), (2, 3));
    }

    #[test]
    fn the_others_go_on_knowing_how_far_somebody_had_read() {
        let mut replay = three_posts();
        let known = |replay: &Replay| replay.state.members[&BOB].shown_read_nr;
        replay.ask(BOB, mark_read(4, None, None)).unwrap();
        for event in [mark_unread(3, None, None), set_read(1, None, None), mark_read(1, None, None)] {
            let decision = replay.ask(BOB, event).unwrap();
            assert!(told(&decision, Reach::Others).is_empty());
            assert_eq!(known(&replay), Some(4));
        }
        let decision = replay.ask(BOB, mark_read(3, None, None)).unwrap();
        assert_eq!(told(&decision, Reach::Others), ["activity bob"], "his next step is news again");
        assert_eq!(known(&replay), None);
    }

    #[test]
    fn reading_again_changes_nothing() {
        let mut replay = three_posts();
        replay.ask(BOB, mark_read(4, None, None)).unwrap();
        for event in [mark_read(4, None, None), mark_read(2, None, None), conv_mark_read(4, None, None)] {
            let decision = replay.ask(BOB, event).unwrap();
            assert!(decision.changes.is_empty() && decision.news.is_empty());
            assert_eq!(lines(&decision.answer), ["conv Update"]);
        }
    }

    #[test]
    fn numbers_out_of_range_are_clamped() {
        let mut replay = three_posts();
        replay.ask(BOB, mark_read(99, None, None)).unwrap();
        assert_eq!(replay.counters(BOB).read, 4);
        replay.ask(BOB, conv_mark_unread(-5, None, None)).unwrap();
        assert_eq!(replay.counters(BOB).read, 0);
        replay.ask(BOB, set_read(99, None, None)).unwrap();
        assert_eq!(replay.counters(BOB).read, 4);
        replay.ask(ALICE, add(&[DON])).unwrap();
        replay.ask(DON, set_read(0, None, None)).unwrap();
        assert_eq!(replay.counters(DON).read, 4, "nothing below message 5 is open to him");
    }

    #[test]
    fn unreading_is_ignored_when_more_is_unread_already() {
        let mut replay = three_posts();
        replay.ask(BOB, mark_read(2, None, None)).unwrap();
        let decision = replay.ask(BOB, mark_unread(4, None, None)).unwrap();
        assert!(decision.changes.is_empty());
        assert_eq!(replay.counters(BOB).is_mark_unread, Some(false));
    }

    #[test]
    fn a_stale_client_moves_the_horizon_forward_only() {
        let mut replay = three_posts();
        replay.ask(BOB, mark_read(3, None, None)).unwrap();
        for event in
            [set_read(1, Some(2), None), mark_unread(2, Some(0), None), conv_mark_unread(2, Some(4), None)]
        {
            let decision = replay.ask(BOB, event).unwrap();
            assert!(decision.changes.is_empty());
            assert_eq!(lines(&decision.answer), ["conv Update"]);
        }
        replay.ask(BOB, mark_read(2, Some(1), None)).unwrap();
        assert_eq!(replay.counters(BOB).read, 3);
        replay.ask(BOB, mark_read(4, Some(1), None)).unwrap();
        assert_eq!(replay.counters(BOB).read, 4);
        replay.ask(BOB, set_read(1, Some(4), None)).unwrap();
        assert_eq!(replay.counters(BOB).read, 1, "a client that knows the horizon moves it back");
    }

    #[test]
    fn a_client_that_lags_gets_the_message_to_show() {
        let mut replay = three_posts();
        let decision = replay.ask(BOB, conv_mark_read(2, None, None)).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Init(Tiny) fw 4 bw 3", "message 3"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert_eq!(replay.counters(BOB).read, 2);
    }

    #[test]
    fn from_message_nr_asks_for_the_slots_behind_it() {
        let mut replay = three_posts();
        for event in [mark_read(4, None, Some(2)), conv_mark_read(3, None, Some(2))] {
            let decision = replay.ask(BOB, event).unwrap();
            assert_eq!(lines(&decision.answer), ["conv Update fw 4", "message 3", "message 4"]);
        }
    }

    #[test]
    fn who_never_was_in_and_who_left_are_refused() {
        let mut replay = three_posts();
        replay.ask(BOB, leave()).unwrap();
        for mark in [mark_read, mark_unread, set_read, conv_mark_read, conv_mark_unread] {
            assert_eq!(replay.ask(JIL, mark(2, None, None)), Err(Refusal::not_member()));
            assert_eq!(replay.ask(BOB, mark(2, None, None)), Err(Refusal::has_left()));
            assert_eq!(Replay::nothing().ask(ALICE, mark(2, None, None)), Err(Refusal::not_member()));
        }
    }
}
