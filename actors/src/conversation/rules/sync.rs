//! Reading the history: forward, backward and around a message (conversations.md §7).
//!
//! Not here: the init form (`visit`).

use std::collections::BTreeSet;

use rill_proto::classificator::InitMode;
use rill_proto::event::conv;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::board::Place;
use crate::conversation::rules::draft::number;
use crate::conversation::rules::flow::Flow;
use crate::conversation::rules::{Decision, Facts, Header, Judged, Keys, News, presence, standing, visit};
use crate::conversation::state::{Member, Message, State};

/// How many slots a forward sync covers, as the older calls did.
pub(super) const FORWARD: usize = 10;

/// How many messages a backward sync brings, as the older calls did.
pub(super) const BACKWARD: usize = 10;

/// How many messages on either side of the one that is asked for.
pub(super) const CONTEXT: usize = 5;

/// `conv:get`: the header alone, and what it speaks of.
pub(super) fn get(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let mut answer = visit::init_form(state, caller, InitMode::Header, facts)?;
    if standing::viewer(state, caller)?.1.is_present() {
        answer.extend(visit::sections(state, 0));
    }
    Ok(Decision { answer, ..presence::nothing(state) })
}

/// `conv:sync_initial`; there are no activity records in it.
pub(super) fn initial(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let mut answer = visit::init_form(state, caller, InitMode::Full, facts)?;
    answer.retain(|news| !matches!(news, News::Activity(_)));
    Ok(Decision { answer, ..presence::nothing(state) })
}

/// `account:sync_conversations`, for this one of the conversations; the caller's are those that do not refuse.
///
/// # Errors
/// `not_member`, or [`Stop::Needs`](super::Stop::Needs).
pub fn conv_sync(state: &State, caller: AccountId, mode: InitMode, facts: &Facts) -> Judged<Decision> {
    let answer = visit::init_form(state, caller, mode, facts)?;
    Ok(Decision { answer, ..presence::nothing(state) })
}

/// `conv:sync_forward`: every slot above the client's edge, revisions included.
pub(super) fn forward(
    state: &State,
    caller: AccountId,
    event: &conv::SyncForward,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let flow = Flow::stored(state, facts);
    let forward = flow.forward(member, number(event.fw_message_nr), member.top(head), FORWARD)?;
    let keys = if forward.changes_facts() { Keys::Full } else { Keys::Update };
    let mut answer = authors(state, caller, forward.items.iter().map(|item| &item.message));
    answer.push(News::Header(Header { keys, fw: Some(forward.fw), bw: None, is_reset: false }));
    answer.extend(forward.news());
    Ok(Decision { answer, ..presence::nothing(state) })
}

/// `conv:sync_backward`: visible messages below the client's edge.
pub(super) fn backward(
    state: &State,
    caller: AccountId,
    event: &conv::SyncBackward,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let flow = Flow::stored(state, facts);
    let below = number(event.bw_message_nr);
    let messages = flow.below(member, below, member.top(head), BACKWARD)?;
    let lowest = messages.first().filter(|_| messages.len() == BACKWARD);
    let bw = lowest.map_or(member.join_message_nr, |message| message.message_nr);
    let mut answer = authors(state, caller, &messages);
    answer.push(News::Header(Header { keys: Keys::Update, fw: None, bw: Some(bw), is_reset: false }));
    answer.extend(plain(messages));
    Ok(Decision { answer, ..presence::nothing(state) })
}

/// Which side of a message is wanted.
#[derive(Clone, Copy)]
struct Window {
    below: usize,
    itself: bool,
    above: usize,
}

/// `message:load_context`: the message and its neighbours; the client's edges stay where they are.
pub(super) fn load_context(state: &State, caller: AccountId, nr: u64, facts: &Facts) -> Judged<Decision> {
    around(state, caller, nr, Window { below: CONTEXT, itself: true, above: CONTEXT }, facts)
}

/// `message:load_next`.
pub(super) fn load_next(state: &State, caller: AccountId, nr: u64, facts: &Facts) -> Judged<Decision> {
    around(state, caller, nr, Window { below: 0, itself: false, above: FORWARD }, facts)
}

/// `message:load_previous`.
pub(super) fn load_previous(state: &State, caller: AccountId, nr: u64, facts: &Facts) -> Judged<Decision> {
    around(state, caller, nr, Window { below: BACKWARD, itself: false, above: 0 }, facts)
}

fn around(state: &State, caller: AccountId, nr: u64, window: Window, facts: &Facts) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let flow = Flow::stored(state, facts);
    let top = member.top(head);
    let middle = flow.seen_message(member, nr)?.ok_or_else(|| Refusal::not_found("Message"))?;
    let mut messages = flow.below(member, nr, top, window.below)?;
    messages.extend(window.itself.then_some(middle));
    messages.extend(flow.above(member, nr, top, window.above)?);
    let mut answer = authors(state, caller, &messages);
    answer.extend(plain(messages));
    Ok(Decision { answer, ..presence::nothing(state) })
}

/// Messages that stand on a member's own board, in the order in which they are asked for. Which of them he may see is the
/// audience's to say.
///
/// # Errors
/// `not_member`, or [`Stop::Needs`](super::Stop::Needs).
pub fn shown(
    state: &State,
    viewer: AccountId,
    numbers: impl Iterator<Item = u64>,
    facts: &Facts,
) -> Judged<Vec<News>> {
    standing::viewer(state, viewer)?;
    let numbers: Vec<u64> = numbers.collect();
    facts.have_slots(state, numbers.iter().copied())?;
    let flow = Flow::stored(state, facts);
    let messages = numbers.into_iter().map(|nr| flow.message(nr)).collect::<Judged<Vec<_>>>()?;
    let messages: Vec<Message> = messages.into_iter().flatten().collect();
    let mut news = authors(state, viewer, &messages);
    // Who is a member is known to him already.
    news.retain(
        |news| !matches!(news, News::Contact(id) if state.members.get(id).is_some_and(Member::is_present)),
    );
    news.extend(plain(messages));
    Ok(news)
}

/// Messages as they stand, outside of the flow.
pub(super) fn plain(messages: Vec<Message>) -> impl Iterator<Item = News> {
    messages.into_iter().map(|message| News::Message { message: Box::new(message), flow: None })
}

/// Contacts of those whom the messages name beside their text, the viewer excepted: who wrote, revised or placed them, and whose
/// tasks they are.
pub(super) fn authors<'a>(
    state: &State,
    viewer: AccountId,
    messages: impl IntoIterator<Item = &'a Message>,
) -> Vec<News> {
    let mut people = BTreeSet::new();
    for message in messages {
        let extras = message.extras();
        let placed = [extras.pinned_account_id, extras.tasked_account_id, extras.assigner_id];
        people
            .extend(placed.into_iter().chain([Some(message.account_id), message.edit_account_id]).flatten());
        let task = state.board.get(message.message_nr).and_then(Place::task);
        people.extend(task.into_iter().flat_map(|task| &task.assignee_ids));
    }
    let known = people.into_iter().filter(|id| *id != viewer && state.members.contains_key(id));
    known.map(News::Contact).collect()
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::InitMode;
    use rill_proto::event::ClientEvent;
    use rill_proto::id::AccountId;
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::replay::*;

    fn answer(replay: &mut Replay, caller: AccountId, event: ClientEvent) -> Vec<String> {
        let decision = replay.ask(caller, event).unwrap();
        assert!(decision.changes.is_empty() && decision.news.is_empty());
        lines(&decision.answer)
    }

    /// Alice created it with Bob and wrote up to a slot.
    fn posts_to(last: u64) -> Replay {
        let mut replay = Replay::with(&[BOB]);
        while replay.head().last_message_nr < last {
            replay.post(ALICE, "more");
        }
        replay
    }

    fn messages(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
        numbers.into_iter().map(|nr| format!("message {nr}")).collect()
    }

    #[test]
    fn forward_goes_slot_by_slot_in_batches_of_ten() {
        let mut replay = posts_to(14);
        replay.ask(ALICE, edit(3, "revised")).unwrap();
        let first = answer(&mut replay, BOB, sync_forward(2));
        assert_eq!(first[..2], ["contact alice", "conv Update fw 12"]);
        assert_eq!(first[2..], messages(3..=12));
        let rest = ["contact alice", "conv Update fw 15", "message 13", "message 14", "message 3 flow 15"];
        assert_eq!(answer(&mut replay, BOB, sync_forward(12)), rest);
        assert_eq!(answer(&mut replay, BOB, sync_forward(15)), ["conv Update fw 15"]);
        assert_eq!(answer(&mut replay, BOB, sync_forward(99)), ["conv Update fw 99"]);
        assert_eq!(answer(&mut replay, BOB, sync_forward(-1))[1], "conv Full fw 10", "the creation is told");
    }

    #[test]
    fn forward_jumps_over_what_the_viewer_does_not_see() {
        let mut replay = posts_to(3);
        replay.ask(BOB, leave()).unwrap();
        replay.post(ALICE, "without him");
        replay.ask(ALICE, edit(5, "without him still")).unwrap();
        replay.ask(ALICE, add(&[BOB])).unwrap();
        replay.ask(ALICE, edit(5, "he is here, and did not see it")).unwrap();
        let told = answer(&mut replay, BOB, sync_forward(3));
        assert_eq!(told, ["contact alice", "conv Full fw 8", "message 4", "message 7"]);
    }

    #[test]
    fn backward_brings_visible_messages_until_the_join() {
        let mut replay = posts_to(14);
        replay.ask(ALICE, edit(3, "revised")).unwrap();
        let first = answer(&mut replay, BOB, sync_backward(14));
        assert_eq!(first[..2], ["contact alice", "conv Update bw 4"]);
        assert_eq!(first[2..], messages(4..=13));
        let rest = answer(&mut replay, BOB, sync_backward(4));
        assert_eq!(rest, ["contact alice", "conv Update bw 1", "message 1", "message 2", "message 3"]);
        assert_eq!(answer(&mut replay, BOB, sync_backward(1)), ["conv Update bw 1"]);
        assert_eq!(answer(&mut replay, BOB, sync_backward(99))[2..], messages(5..=14));
    }

    #[test]
    fn old_history_is_read_past_long_rows_of_revisions() {
        let mut replay = posts_to(4);
        for _ in 0..150 {
            replay.ask(ALICE, edit(3, "revised")).unwrap();
        }
        replay.post(ALICE, "at last");
        let back = answer(&mut replay, BOB, sync_backward(155));
        assert_eq!(back[1..], [vec!["conv Update bw 1".to_owned()], messages(1..=4)].concat());
        assert_eq!(answer(&mut replay, BOB, load_next(3))[1..], messages([4, 155]));
    }

    #[test]
    fn a_search_that_skips_revisions_skips_no_message() {
        let mut replay = posts_to(2);
        for _ in 0..40 {
            replay.ask(ALICE, edit(2, "revised")).unwrap();
        }
        replay.post(ALICE, "one more");
        replay.post(ALICE, "and another");
        let back = answer(&mut replay, BOB, sync_backward(45));
        assert_eq!(back[2..], messages([1, 2, 43, 44]));
    }

    #[test]
    fn a_message_is_loaded_with_its_neighbours() {
        let mut replay = posts_to(30);
        assert_eq!(answer(&mut replay, BOB, load_context(15))[1..], messages(10..=20));
        assert_eq!(answer(&mut replay, BOB, load_context(2))[1..], messages(1..=7));
        assert_eq!(answer(&mut replay, BOB, load_next(15))[1..], messages(16..=25));
        assert_eq!(answer(&mut replay, BOB, load_next(25))[1..], messages(26..=30));
        assert_eq!(answer(&mut replay, BOB, load_previous(15))[1..], messages(5..=14));
        assert_eq!(answer(&mut replay, BOB, load_previous(3))[1..], messages(1..=2));
        assert!(answer(&mut replay, BOB, load_next(30)).is_empty());
    }

    #[test]
    fn numbers_without_a_message_that_one_sees_are_not_found() {
        let mut replay = posts_to(3);
        replay.ask(ALICE, edit(3, "slot 4")).unwrap();
        replay.ask(ALICE, add(&[DON])).unwrap();
        for make in [load_context, load_next, load_previous] {
            for nr in [-1, 0, 4, 99] {
                assert_eq!(replay.ask(BOB, make(nr)), Err(Refusal::not_found("Message")), "{nr}");
            }
            assert_eq!(replay.ask(DON, make(3)), Err(Refusal::not_found("Message")));
        }
    }

    #[test]
    fn get_is_the_header_with_contacts_and_sections() {
        let mut replay = posts_to(3);
        let header = ["contact alice", "conv Init(Header)", "section", "section"];
        assert_eq!(answer(&mut replay, BOB, get()), header);
    }

    #[test]
    fn initial_is_a_window_round_the_read_horizon_without_activity() {
        let mut replay = posts_to(20);
        replay.ask(BOB, mark_read(10, None, None)).unwrap();
        let told = answer(&mut replay, BOB, sync_initial());
        assert_eq!(told[..2], ["contact alice", "conv Init(Full) fw 15 bw 6"]);
        assert_eq!(told[2..12], messages(6..=15));
        assert_eq!(told[12..], ["section", "section"]);
    }

    #[test]
    fn trailing_revisions_belong_to_the_window() {
        let mut replay = posts_to(2);
        replay.ask(ALICE, edit(2, "revised")).unwrap();
        assert_eq!(answer(&mut replay, BOB, sync_initial())[1], "conv Init(Full) fw 3 bw 1");
    }

    #[test]
    fn an_inbox_message_outside_of_the_window_comes_first() {
        let mut replay = posts_to(2);
        replay.ask(BOB, mark_read(2, None, None)).unwrap();
        for topic in ["a", "b", "c", "d", "e", "f"] {
            let who = if replay.head().last_message_nr.is_multiple_of(2) { ALICE } else { BOB };
            replay.ask(who, set_topic(topic)).unwrap();
        }
        replay.post(ALICE, "news");
        replay.ask(BOB, set_read(2, None, None)).unwrap();
        let told = answer(&mut replay, BOB, sync_initial());
        assert_eq!(
            told[1..],
            [
                &["conv Init(Full) fw 7 bw 1", "message 9"],
                &["message 1", "message 2", "message 3", "message 4", "message 5", "message 6", "message 7"]
                    [..],
                &["section", "section"],
            ]
            .concat()
        );
    }

    #[test]
    fn the_three_modes_of_a_list_of_conversations() {
        let replay = posts_to(3);
        let mode = |mode| lines(&replay.conv_sync(BOB, mode).unwrap());
        assert_eq!(mode(InitMode::Header), ["contact alice", "conv Init(Header)"]);
        assert_eq!(mode(InitMode::Tiny), ["contact alice", "conv Init(Tiny) fw 3 bw 2", "message 2"]);
        let full = ["contact alice", "conv Init(Full) fw 3 bw 1", "message 1", "message 2", "message 3"];
        assert_eq!(mode(InitMode::Full), [&full[..], &["section", "section", "activity alice"]].concat());
    }

    #[test]
    fn who_left_reads_up_to_there() {
        let mut replay = posts_to(3);
        replay.ask(BOB, leave()).unwrap();
        replay.post(ALICE, "without him");
        assert_eq!(
            answer(&mut replay, BOB, sync_forward(2))[1..],
            ["conv Full fw 4", "message 3", "message 4"]
        );
        assert_eq!(answer(&mut replay, BOB, sync_backward(99))[1..][0], "conv Update bw 1");
        assert_eq!(answer(&mut replay, BOB, load_next(3)), ["message 4"]);
        assert_eq!(answer(&mut replay, BOB, load_context(4))[1..], messages(1..=4));
        assert_eq!(answer(&mut replay, BOB, get()), ["contact alice", "conv Init(Header)"]);
        let init = answer(&mut replay, BOB, sync_initial());
        assert_eq!(init[1..], [vec!["conv Init(Full) fw 4 bw 1".to_owned()], messages(1..=4)].concat());
        assert_eq!(replay.ask(BOB, load_next(5)), Err(Refusal::not_found("Message")));
    }

    #[test]
    fn who_never_was_in_is_refused() {
        let mut replay = posts_to(2);
        let events =
            [get(), sync_initial(), sync_forward(0), sync_backward(9), load_context(2), load_next(2)];
        for event in events.into_iter().chain([load_previous(2)]) {
            assert_eq!(replay.ask(JIL, event.clone()), Err(Refusal::not_member()));
            assert_eq!(Replay::nothing().ask(ALICE, event), Err(Refusal::not_member()));
        }
        assert_eq!(replay.conv_sync(JIL, InitMode::Tiny), Err(Refusal::not_member()));
    }
}
