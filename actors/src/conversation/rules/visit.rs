//! What a session must be told of a conversation: the init form, and what it missed since a horizon (conversations.md
//! §5.1, §7). First connection, reconnect and joining are the same code.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rill_proto::classificator::InitMode;
use rill_proto::id::AccountId;

use crate::conversation::counters::Counters;
use crate::conversation::rules::flow::Flow;
use crate::conversation::rules::{Facts, Header, Judged, Keys, News, board, files, presence, standing, sync};
use crate::conversation::state::{Head, Member, Message, Slot, State};
use crate::store::Stamp;

/// How many messages before the read horizon an init form brings, as the older calls did.
const INIT_BEFORE: usize = 5;

/// How many messages after the read horizon an init form brings, as the older calls did.
const INIT_AFTER: usize = 5;

/// Up to how many missed slots are told one by one; who missed more starts afresh. Below what an active conversation
/// holds in memory, so that it always knows whether there were more.
const CATCH_UP_SLOTS_MAX: usize = 50;

/// How many of his tasks somebody is shown behind the word that a conversation is gone from his list. Each is read on its own, and
/// hardly anybody has as many in one that he does not want to see.
const OWN_TASKS_MAX: usize = 100;

/// What a session that has applied everything up to `horizon` must be told; nothing when nothing concerns it.
///
/// # Errors
/// [`Stop::Needs`](super::Stop::Needs) with what the owner must fetch first.
pub fn catch_up(state: &State, viewer: AccountId, horizon: Stamp, facts: &Facts) -> Judged<Vec<News>> {
    let Ok((head, member)) = standing::viewer(state, viewer) else {
        return Ok(Vec::new());
    };
    if member.is_deleted {
        // A client that has it is told that it is gone, and one that does not have it nothing.
        let is_news = horizon > 0 && member.stamp > horizon;
        if !is_news {
            return Ok(Vec::new());
        }
        let mut news = vec![News::Header(Header { keys: Keys::Update, fw: None, bw: None, is_reset: false })];
        if member.is_unheard() {
            // A client drops them with the rest, and they stand on his own board.
            let tasks = state.board.tasks_of(viewer).map(|(nr, _)| nr).take(OWN_TASKS_MAX);
            news.extend(sync::shown(state, viewer, tasks, facts)?);
        }
        return Ok(news);
    }
    let top = member.top(head);
    let missed = missed(state, top, horizon);
    if horizon == 0 || member.init_stamp > horizon || missed.len() > CATCH_UP_SLOTS_MAX {
        let mut news = init_form(state, viewer, InitMode::Full, facts)?;
        let was_removed = !member.is_present() && member.init_stamp > horizon && horizon > 0;
        for news in &mut news {
            if let News::Header(header) = news {
                header.is_reset = was_removed;
            }
        }
        news.extend(gone_sections(state, member, horizon));
        return Ok(news);
    }
    let mut news = Vec::new();
    let is_present = member.is_present();
    // Who has left is told of those who had come by then: among them are people whom he has not met before his horizon.
    let is_known =
        |other: &Member| member.frozen.as_ref().is_none_or(|frozen| other.had_come_by(frozen.message_nr));
    let changed = state.members.iter().filter(|(_, other)| other.profile_stamp > horizon && is_known(other));
    news.extend(changed.filter(|(id, _)| **id != viewer).map(|(id, _)| News::Contact(*id)));
    let facts_changed = head.facts_stamp > horizon && (is_present || member.stamp > horizon);
    if facts_changed || member.stamp > horizon || !missed.is_empty() {
        let keys = if facts_changed { Keys::Full } else { Keys::Update };
        // No edge: where the client's is, only the client knows. It moves it along the slots that follow.
        news.push(News::Header(Header { keys, fw: None, bw: None, is_reset: false }));
    }
    if let (Some(first), Some(last)) = (missed.first(), missed.last()) {
        let flow = Flow::stored(state, facts);
        news.extend(flow.forward(member, first - 1, *last, missed.len())?.news());
    }
    if is_present {
        news.extend(sections(state, horizon));
        let others = state.members.iter().filter(|(id, other)| **id != viewer && other.is_present());
        let moved = others.filter(|(_, other)| other.shown_stamp > horizon);
        news.extend(moved.map(|(id, _)| News::Activity(*id)));
    }
    Ok(news)
}

/// The slots up to `top` that were taken after the horizon, as far as they are in memory.
fn missed(state: &State, top: u64, horizon: Stamp) -> Vec<u64> {
    let newer = |entry: &&(u64, Slot)| entry.1.stamp() > horizon;
    let mut missed: Vec<u64> = state.recent.iter().rev().take_while(newer).map(|(nr, _)| *nr).collect();
    missed.reverse();
    missed.retain(|nr| *nr <= top);
    missed
}

/// The conversation as a client without any of it needs it, in one of the three modes.
///
/// # Errors
/// `not_member`, or [`Stop::Needs`](super::Stop::Needs).
pub(super) fn init_form(
    state: &State,
    viewer: AccountId,
    mode: InitMode,
    facts: &Facts,
) -> Judged<Vec<News>> {
    let (head, member) = standing::viewer(state, viewer)?;
    let counters = Counters::of(state, head, member);
    let flow = Flow::stored(state, facts);
    let (messages, fw, bw) = match mode {
        InitMode::Header => (Vec::new(), None, None),
        InitMode::Tiny => {
            let shown = flow.seen_message(member, counters.inbox_message_nr)?;
            (shown.into_iter().collect(), Some(counters.last), Some(counters.inbox_message_nr))
        }
        InitMode::Full => {
            let window = window(&flow, head, member, &counters)?;
            (window.messages, Some(window.fw), Some(window.bw))
        }
    };
    let has_boards = mode == InitMode::Full && member.is_present();
    let mut pins = if has_boards { board::first_pins(state, facts)? } else { Vec::new() };
    pins.retain(|pin| messages.iter().all(|message| message.message_nr != pin.message_nr));
    let told = messages.iter().chain(&pins).map(|message| message.message_nr).collect();
    let mut news = people(state, viewer, messages.iter().chain(&pins));
    news.push(News::Header(Header { keys: Keys::Init(mode), fw, bw, is_reset: false }));
    news.extend(sync::plain(messages));
    if mode == InitMode::Full {
        news.extend(files::first_batch(state, member, &told, facts)?);
    }
    if has_boards {
        news.extend(sections(state, 0));
        news.extend(sync::plain(pins));
        news.extend(presence::activities(state, viewer, facts));
    }
    Ok(news)
}

/// The messages of an init form and the edges that they give to the client.
struct Window {
    /// The inbox message first when it lies outside, then the window ascending.
    messages: Vec<Message>,
    fw: u64,
    bw: u64,
}

fn window(flow: &Flow<'_>, head: &Head, member: &Member, counters: &Counters) -> Judged<Window> {
    let top = member.top(head);
    let read = counters.read;
    let before = flow.below(member, read + 1, top, INIT_BEFORE)?;
    let after = flow.above(member, read, top, INIT_AFTER)?;
    let has_older = before.len() == INIT_BEFORE;
    let lowest = before.first().or(after.first()).map(|message| message.message_nr);
    let bw = lowest.filter(|_| has_older).unwrap_or(member.join_message_nr);
    let newest = after.last().or(before.last()).map_or(top, |message| message.message_nr);
    // Behind the last visible message there are revisions only, and the window shows what they made of it.
    let fw = if after.len() < INIT_AFTER || newest >= counters.show { top } else { newest };
    let mut messages = Vec::new();
    let inbox = counters.inbox_message_nr;
    if !before.iter().chain(&after).any(|message| message.message_nr == inbox) {
        messages.extend(flow.seen_message(member, inbox)?);
    }
    messages.extend(before);
    messages.extend(after);
    Ok(Window { messages, fw, bw })
}

/// Contacts of the other members, and of who wrote the messages and is no member any more.
fn people<'a>(
    state: &State,
    viewer: AccountId,
    messages: impl IntoIterator<Item = &'a Message>,
) -> Vec<News> {
    let left_at = state.members.get(&viewer).and_then(|member| member.frozen.as_ref());
    let present = state.members.iter().filter(|(_, member)| {
        left_at.map_or_else(|| member.is_present(), |frozen| member.was_present_at(frozen.message_nr))
    });
    let mut named: BTreeSet<AccountId> = present.map(|(id, _)| *id).collect();
    named.remove(&viewer);
    let mut news: Vec<News> = named.iter().map(|id| News::Contact(*id)).collect();
    let authors = sync::authors(state, viewer, messages);
    news.extend(
        authors.into_iter().filter(|author| !matches!(author, News::Contact(id) if named.contains(id))),
    );
    news
}

/// The sections that changed after a stamp; one that is gone is no news to a client without any.
pub(super) fn sections(state: &State, horizon: Stamp) -> impl Iterator<Item = News> {
    let mut changed: Vec<_> = state.sections.iter().filter(|(_, section)| section.stamp > horizon).collect();
    changed.retain(|(_, section)| horizon > 0 || !section.is_deleted);
    changed.sort_by_key(|(_, section)| Reverse(section.weight));
    changed.into_iter().map(|(id, _)| News::Section(*id))
}

/// The sections that a client of the viewer's may hold although they are gone, when it starts afresh: those that went after
/// its horizon, and whatever went while he was away.
fn gone_sections(state: &State, member: &Member, horizon: Stamp) -> impl Iterator<Item = News> {
    let may_hold = member.is_present() && (horizon > 0 || !member.spans.is_empty());
    let gone = state
        .sections
        .iter()
        .filter(move |(_, section)| may_hold && section.is_deleted && section.stamp > horizon);
    gone.map(|(id, _)| News::Section(*id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::CATCH_UP_SLOTS_MAX;
    use crate::conversation::rules::News;
    use crate::conversation::rules::replay::*;

    #[test]
    fn who_missed_nothing_and_who_never_was_in_are_told_nothing() {
        let replay = Replay::with(&[BOB]);
        assert!(replay.catch_up(BOB, replay.stamp).is_empty());
        assert!(replay.catch_up(JIL, 0).is_empty());
        assert!(Replay::nothing().catch_up(ALICE, 0).is_empty());
    }

    #[test]
    fn the_first_connection_gets_the_whole_form() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "hello");
        let form = ["contact alice", "conv Init(Full) fw 2 bw 1", "message 1", "message 2"];
        let rest = ["section", "section", "activity alice"];
        assert_eq!(lines(&replay.catch_up(BOB, 0)), [&form[..], &rest].concat());
    }

    #[test]
    fn a_reconnect_gets_the_missed_slots_in_order() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.post(ALICE, "one");
        let horizon = replay.stamp;
        replay.post(ALICE, "two");
        replay.ask(ALICE, edit(2, "one!")).unwrap();
        let missed = ["conv Update", "message 3", "message 2 flow 4", "activity alice"];
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), missed);
        replay.ask(ALICE, set_topic("Harvest")).unwrap();
        let missed = ["conv Full", "message 3", "message 2 flow 4", "message 5", "activity alice"];
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), missed);
    }

    #[test]
    fn the_marks_of_others_are_activity_and_ones_own_are_the_header() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.post(ALICE, "one");
        let horizon = replay.stamp;
        replay.ask(BOB, mark_read(2, None, None)).unwrap();
        assert_eq!(lines(&replay.catch_up(CHARLIE, horizon)), ["activity bob"]);
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), ["conv Update"]);
        let horizon = replay.stamp;
        replay.ask(BOB, mark_unread(2, None, None)).unwrap();
        assert!(replay.catch_up(CHARLIE, horizon).is_empty(), "nobody is told of unreading");
    }

    #[test]
    fn who_came_in_since_is_told_of_with_his_contact_and_gets_the_form_himself() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        let horizon = replay.stamp;
        replay.ask(ALICE, add(&[CHARLIE])).unwrap();
        let missed = ["contact charlie", "conv Full", "message 3", "activity alice", "activity charlie"];
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), missed);
        let form = ["contact alice", "contact bob", "conv Init(Full) fw 3 bw 3", "message 3"];
        assert_eq!(lines(&replay.catch_up(CHARLIE, horizon))[..4], form);
    }

    #[test]
    fn who_missed_too_much_starts_afresh() {
        let mut replay = Replay::with(&[BOB]);
        let horizon = replay.stamp;
        for _ in 0..CATCH_UP_SLOTS_MAX {
            replay.post(ALICE, "more");
        }
        assert_eq!(lines(&replay.catch_up(BOB, horizon))[0], "conv Update");
        replay.post(ALICE, "one too many");
        let form = lines(&replay.catch_up(BOB, horizon));
        assert_eq!(form[..2], ["contact alice", "conv Init(Full) fw 5 bw 1"]);
    }

    #[test]
    fn who_starts_afresh_is_told_which_sections_are_gone() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        let section_id = replay.add_section("Later");
        let horizon = replay.stamp;
        let gone = |news: &[News]| news.iter().any(|it| matches!(it, News::Section(id) if *id == section_id));
        replay.ask(BOB, leave()).unwrap();
        replay.ask(ALICE, event("section:task:delete", json!({ "section_id": section_id }))).unwrap();
        replay.ask(ALICE, add(&[BOB])).unwrap();
        assert!(gone(&replay.catch_up(BOB, 0)), "he held it when he left");
        assert!(!gone(&replay.catch_up(CHARLIE, 0)), "a client without any needs no word");
        for _ in 0..=CATCH_UP_SLOTS_MAX {
            replay.post(ALICE, "more");
        }
        assert!(gone(&replay.catch_up(CHARLIE, horizon)), "he held it when he went away");
    }

    #[test]
    fn who_left_meanwhile_is_told_who_came_before_that() {
        let mut replay = Replay::with(&[BOB]);
        let horizon = replay.stamp;
        replay.ask(ALICE, add(&[CHARLIE])).unwrap();
        replay.ask(BOB, leave()).unwrap();
        replay.ask(ALICE, add(&[DON])).unwrap();
        let missed = ["contact charlie", "conv Full", "message 1 flow 2", "message 3"];
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), missed);
    }

    #[test]
    fn what_happens_after_one_left_is_not_told() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        let horizon = replay.stamp;
        replay.ask(BOB, leave()).unwrap();
        let left = replay.stamp;
        replay.post(ALICE, "two");
        replay.ask(ALICE, edit(2, "one!")).unwrap();
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), ["conv Full", "message 3"]);
        assert!(replay.catch_up(BOB, left).is_empty());
    }

    #[test]
    fn an_author_who_left_is_introduced() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.post(BOB, "hello");
        replay.ask(BOB, leave()).unwrap();
        let form = lines(&replay.catch_up(CHARLIE, 0));
        assert_eq!(form[..3], ["contact alice", "contact bob", "conv Init(Full) fw 3 bw 1"]);
    }
}
