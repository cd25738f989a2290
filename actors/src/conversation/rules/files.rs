//! Files beside messages: having one fetched, and the file drawer (conversations.md §6.5, §7).
//!
//! Not here: files of messages (`attach`).

use std::collections::BTreeSet;

use rill_proto::event::conv;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::json;

use crate::conversation::drawer::Filed;
use crate::conversation::rules::draft::number;
use crate::conversation::rules::flow::Flow;
use crate::conversation::rules::{
    Decision, DrawerEdge, Facts, Judged, News, Shown, presence, standing, sync,
};
use crate::conversation::state::{Member, Message, State};
use crate::effect::Effect;
use crate::file::fetch::{Wanted, check_url, name_of};
use crate::store::Aggregate;

/// How many files of the drawer an init form brings: as many as the first batch of it has where nothing else is said.
const FIRST_BATCH: usize = 20;

/// `conv:upload_external`: the caller's account has it fetched, and is told when it can be attached. No slot.
pub(super) fn upload_external(
    state: &State,
    caller: AccountId,
    event: &conv::UploadExternal,
    facts: &Facts,
) -> Judged<Decision> {
    standing::member(state, caller)?;
    check_url(&event.file_url)?;
    let request_id = facts.fresh;
    let upload_id = event.upload_id.as_deref().map(str::to_owned);
    let named = upload_id.clone().unwrap_or_else(|| request_id.to_string());
    let wanted = Wanted {
        request_id,
        file_url: event.file_url.to_string(),
        name: name_of(&event.file_name, &event.file_url),
        conversation_id: Some(state.conversation_id),
        upload_id,
    };
    Ok(Decision {
        effects: vec![(Aggregate::Account(caller), Effect::Fetch(wanted))],
        identifier: json!({ "conversation_id": state.conversation_id, "upload_id": named }),
        ..presence::nothing(state)
    })
}

/// `conv:sync_files`: the next batch of the drawer, from the newest down.
pub(super) fn sync_files(
    state: &State,
    caller: AccountId,
    event: &conv::SyncFiles,
    facts: &Facts,
) -> Judged<Decision> {
    let (_, member) = standing::viewer(state, caller)?;
    let below = match &event.sync_cursor.0 {
        None => u64::MAX,
        Some(cursor) if cursor.conversation_id != state.conversation_id => return Err(foreign().into()),
        Some(cursor) => cursor.message_nr.map_or(u64::MAX, number),
    };
    let batch = older(state, member, below, event.limit.get());
    let edge = DrawerEdge::Cursor(batch.rest);
    answer(state, caller, &batch.numbers, edge, facts)
}

/// `conv:sync_files:2`: what is newer than the client holds, then the next batch below.
pub(super) fn sync_files_2(
    state: &State,
    caller: AccountId,
    event: &conv::SyncFiles2,
    facts: &Facts,
) -> Judged<Decision> {
    let (_, member) = standing::viewer(state, caller)?;
    let limit = event.limit.get();
    let Some(held) = &event.file_sync_state else {
        let batch = older(state, member, u64::MAX, limit);
        let newest = batch.numbers.first().copied().unwrap_or(0);
        return answer(state, caller, &batch.numbers, DrawerEdge::State { newest, rest: batch.rest }, facts);
    };
    let newest = number(held.limit.message_nr);
    // From the oldest of them on, so that what the client holds stays without a gap.
    let newer = state.drawer.seen_by(member, newest, u64::MAX).rev();
    let mut numbers = up_to(newer, limit);
    let newest = numbers.last().copied().unwrap_or(newest);
    numbers.reverse();
    let left = limit.saturating_sub(numbers.iter().map(|nr| files_of(state, *nr)).sum());
    let rest = match &held.sync_cursor.0 {
        None => None,
        Some(cursor) if cursor.conversation_id != state.conversation_id => return Err(foreign().into()),
        Some(cursor) => Some(number(cursor.message_nr)),
    };
    let rest = match rest {
        Some(below) if left > 0 => {
            let batch = older(state, member, below, left);
            numbers.extend(batch.numbers);
            batch.rest
        }
        rest => rest,
    };
    answer(state, caller, &numbers, DrawerEdge::State { newest, rest }, facts)
}

fn foreign() -> Refusal {
    Refusal::invalid_call("sync_cursor", "it is of another conversation")
}

fn files_of(state: &State, message_nr: u64) -> usize {
    usize::try_from(state.drawer.of(message_nr).count).unwrap_or(usize::MAX)
}

/// Messages whose files are a batch, from the newest down.
struct Batch {
    numbers: Vec<u64>,
    /// The last of them, when there are more below.
    rest: Option<u64>,
}

fn older(state: &State, member: &Member, below: u64, limit: usize) -> Batch {
    let numbers = up_to(state.drawer.seen_by(member, 0, below), limit);
    let last = numbers.last().copied();
    let rest = last.filter(|last| state.drawer.seen_by(member, 0, *last).next().is_some());
    Batch { numbers, rest }
}

/// The first messages whose files are as many as wanted. A message's files stay together, so they may be some more.
fn up_to(messages: impl Iterator<Item = (u64, Filed)>, limit: usize) -> Vec<u64> {
    let mut files = 0;
    let mut wanted = Vec::new();
    for (nr, filed) in messages {
        if files >= limit {
            break;
        }
        files += usize::try_from(filed.count).unwrap_or(usize::MAX);
        wanted.push(nr);
    }
    wanted
}

fn answer(
    state: &State,
    caller: AccountId,
    numbers: &[u64],
    edge: DrawerEdge,
    facts: &Facts,
) -> Judged<Decision> {
    let messages = messages(state, numbers, facts)?;
    let mut answer = sync::authors(state, caller, &messages);
    answer.push(News::Drawer(edge));
    answer.extend(messages.iter().flat_map(live_files));
    Ok(Decision { answer, ..presence::nothing(state) })
}

/// The first batch of the drawer, without what comes with these messages anyhow: a part of an init form.
pub(super) fn first_batch(
    state: &State,
    member: &Member,
    told: &BTreeSet<u64>,
    facts: &Facts,
) -> Judged<Vec<News>> {
    let mut numbers = older(state, member, u64::MAX, FIRST_BATCH).numbers;
    numbers.retain(|nr| !told.contains(nr));
    Ok(messages(state, &numbers, facts)?.iter().flat_map(live_files).collect())
}

fn messages(state: &State, numbers: &[u64], facts: &Facts) -> Judged<Vec<Message>> {
    facts.have_slots(state, numbers.iter().copied())?;
    let flow = Flow::stored(state, facts);
    let mut messages = Vec::with_capacity(numbers.len());
    for nr in numbers {
        messages.extend(flow.message(*nr)?);
    }
    Ok(messages)
}

/// Files that are there, outside of the flow.
fn live_files(message: &Message) -> impl Iterator<Item = News> + '_ {
    let live = message.files.iter().filter(|file| !file.is_deleted);
    live.map(|file| News::File(Box::new(Shown::of(message, None, file.clone()))))
}

#[cfg(test)]
mod tests {
    use rill_proto::event::{ClientEvent, conv};
    use rill_proto::field::{Cursor, Limit};
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::attach::tests::with_files;
    use crate::conversation::rules::replay::*;

    fn upload(url: &str, upload_id: Option<&str>) -> ClientEvent {
        ClientEvent::Conv(conv::Event::UploadExternal(conv::UploadExternal {
            conversation_id: CONVERSATION,
            file_url: text(url),
            file_name: text("a.txt"),
            file_size: 0,
            file_origin: None,
            upload_id: upload_id.map(text),
        }))
    }

    fn sync_files(message_nr: Option<i64>, limit: i64) -> ClientEvent {
        let at =
            message_nr.map(|nr| conv::FilesCursor { conversation_id: CONVERSATION, message_nr: Some(nr) });
        ClientEvent::Conv(conv::Event::SyncFiles(conv::SyncFiles {
            conversation_id: CONVERSATION,
            sync_cursor: Cursor(at),
            limit: Limit::new(limit),
        }))
    }

    /// What the client holds: the newest, and where it goes on below.
    fn sync_files_2(held: Option<(i64, Option<i64>)>, limit: i64) -> ClientEvent {
        let at = |nr: i64| conv::Files2Cursor { conversation_id: CONVERSATION, message_nr: nr };
        let state = held.map(|(newest, below)| conv::FileSyncState {
            limit: conv::FilesHeld { message_nr: newest },
            sync_cursor: Cursor(below.map(at)),
        });
        ClientEvent::Conv(conv::Event::SyncFiles2(conv::SyncFiles2 {
            conversation_id: CONVERSATION,
            file_sync_state: state,
            limit: Limit::new(limit),
        }))
    }

    /// Alice and Bob; messages 2 to 6 of Alice have a file each, 4 has two.
    fn with_drawer() -> Replay {
        let mut replay = Replay::with(&[BOB]);
        for nr in 2..=6 {
            let mut urls = vec![replay.upload(ALICE, &format!("{nr}"))];
            if nr == 4 {
                urls.push(replay.upload(ALICE, "4b"));
            }
            replay.ask(ALICE, with_files("", &urls)).unwrap();
        }
        replay
    }

    fn told(replay: &mut Replay, event: ClientEvent) -> Vec<String> {
        lines(&replay.ask(BOB, event).unwrap().answer)
    }

    #[test]
    fn the_drawer_goes_from_the_newest_down_and_keeps_a_messages_files_together() {
        let mut replay = with_drawer();
        let first = ["contact alice", "drawer cursor 4", "file 6 6", "file 5 5", "file 4 4", "file 4 4b"];
        assert_eq!(told(&mut replay, sync_files(None, 3)), first);
        let rest = ["contact alice", "drawer cursor -", "file 3 3", "file 2 2"];
        assert_eq!(told(&mut replay, sync_files(Some(4), 3)), rest);
        assert_eq!(told(&mut replay, sync_files(Some(2), 3)), ["drawer cursor -"]);
        assert_eq!(told(&mut replay, sync_files(None, 100)).len(), 2 + 6);
    }

    #[test]
    fn the_state_brings_what_is_newer_before_it_goes_on_below() {
        let mut replay = with_drawer();
        let first = ["contact alice", "drawer state 6 5", "file 6 6", "file 5 5"];
        assert_eq!(told(&mut replay, sync_files_2(None, 2)), first);
        let urls = [replay.upload(ALICE, "7"), replay.upload(ALICE, "8")];
        for url in &urls {
            replay.ask(ALICE, with_files("", std::slice::from_ref(url))).unwrap();
        }
        let newer = ["contact alice", "drawer state 7 5", "file 7 7"];
        assert_eq!(told(&mut replay, sync_files_2(Some((6, Some(5))), 1)), newer, "no gap above");
        let both = ["contact alice", "drawer state 8 4", "file 8 8", "file 4 4", "file 4 4b"];
        assert_eq!(told(&mut replay, sync_files_2(Some((7, Some(5))), 2)), both);
        let rest = ["contact alice", "drawer state 8 -", "file 3 3", "file 2 2"];
        assert_eq!(told(&mut replay, sync_files_2(Some((8, Some(4))), 20)), rest);
        assert_eq!(told(&mut replay, sync_files_2(Some((8, None)), 20)), ["drawer state 8 -"]);
    }

    #[test]
    fn only_what_is_there_and_seen_lies_in_the_drawer() {
        let mut replay = with_drawer();
        replay.ask(BOB, delete(5)).unwrap();
        replay.ask(ALICE, edit(6, "no file")).unwrap();
        assert_eq!(told(&mut replay, sync_files(None, 2))[2..], ["file 4 4", "file 4 4b"]);
        replay.ask(ALICE, add(&[DON])).unwrap();
        let url = replay.upload(ALICE, "late");
        replay.ask(ALICE, with_files("", &[url])).unwrap();
        let seen = replay.ask(DON, sync_files(None, 20)).unwrap();
        assert_eq!(lines(&seen.answer), ["contact alice", "drawer cursor -", "file 10 late"]);
        replay.ask(BOB, leave()).unwrap();
        let url = replay.upload(ALICE, "later");
        replay.ask(ALICE, with_files("", &[url])).unwrap();
        assert_eq!(told(&mut replay, sync_files(None, 1))[2..], ["file 10 late"], "he sees what he saw");
        assert_eq!(replay.ask(JIL, sync_files(None, 1)), Err(Refusal::not_member()));
    }

    #[test]
    fn a_cursor_of_another_conversation_is_refused() {
        let mut replay = with_drawer();
        let other = conv::FilesCursor {
            conversation_id: rill_proto::id::ConversationId(uuid::Uuid::max()),
            message_nr: None,
        };
        let event = conv::SyncFiles {
            conversation_id: CONVERSATION,
            sync_cursor: Cursor(Some(other)),
            limit: Limit::new(1),
        };
        let refused = replay.ask(BOB, ClientEvent::Conv(conv::Event::SyncFiles(event))).unwrap_err();
        assert_eq!((refused.status, refused.error_id), (400, "invalid_call"));
    }

    #[test]
    fn an_init_form_brings_the_first_files_of_the_drawer_that_its_messages_do_not_bring() {
        let mut replay = with_drawer();
        for _ in 0..10 {
            replay.post(ALICE, "more");
        }
        replay.ask(BOB, set_read(16, None, None)).unwrap();
        let form = lines(&replay.ask(BOB, sync_initial()).unwrap().answer);
        let files: Vec<&String> = form.iter().filter(|line| line.starts_with("file")).collect();
        assert_eq!(files, ["file 6 6", "file 5 5", "file 4 4", "file 4 4b", "file 3 3", "file 2 2"]);
        replay.ask(BOB, set_read(3, None, None)).unwrap();
        let form = lines(&replay.ask(BOB, sync_initial()).unwrap().answer);
        assert!(!form.iter().any(|line| line.starts_with("file")), "they follow their messages: {form:?}");
    }

    #[test]
    fn everybodys_storage_follows_from_what_he_sees() {
        let mut replay = Replay::with(&[BOB]);
        let urls = ["a", "b", "c"].map(|name| replay.upload(ALICE, name));
        let mut stored = |caller, event| {
            let effects = effects(&replay.ask(caller, event).unwrap());
            effects.into_iter().filter(|effect| effect.contains("stored")).collect::<Vec<_>>()
        };
        assert_eq!(stored(ALICE, with_files("", &urls[..2])), ["alice stored 200", "bob stored 200"]);
        assert!(stored(ALICE, add(&[DON])).is_empty(), "he sees none of it");
        let three = ["alice stored 300", "bob stored 300", "don stored 100"];
        assert_eq!(stored(ALICE, with_files("", &urls[2..])), three);
        assert_eq!(stored(BOB, leave()), ["bob stored 0"]);
        assert_eq!(stored(DON, delete(4)), ["alice stored 200", "don stored 0"]);
        assert_eq!(stored(ALICE, add(&[BOB])), ["bob stored 200"], "what he saw is his again");
        assert!(stored(ALICE, add_plain("no file")).is_empty());
    }

    #[test]
    fn a_file_that_is_to_be_fetched_is_the_callers_and_takes_no_slot() {
        let mut replay = Replay::with(&[BOB]);
        let decision = replay.ask(BOB, upload("https://example.org/a", Some("mine"))).unwrap();
        assert_eq!(effects(&decision), ["bob fetches a.txt"]);
        assert_eq!(decision.identifier["upload_id"], "mine");
        assert!(decision.changes.is_empty() && decision.answer.is_empty() && decision.news.is_empty());
        let unnamed = replay.ask(BOB, upload("https://example.org/a", None)).unwrap().identifier;
        assert_eq!(unnamed["upload_id"], uuid::Uuid::nil().to_string(), "what the owner calls it");
    }

    #[test]
    fn who_may_not_post_and_what_is_no_url_is_refused() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        assert_eq!(replay.ask(BOB, upload("https://example.org/a", None)), Err(Refusal::has_left()));
        assert_eq!(replay.ask(JIL, upload("https://example.org/a", None)), Err(Refusal::not_member()));
        assert_eq!(replay.ask(ALICE, upload("file:///etc/passwd", None)).unwrap_err().status, 400);
    }
}
