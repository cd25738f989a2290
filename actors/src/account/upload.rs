//! Files that an account brings here: what it may bring, and what becomes of its uploads.
//!
//! An upload is a row of the account's. Until it is attached its bytes count against the account's quota here, from then
//! on as those of every file that the account sees. A row lasts a week, so that an url can be used more than once.
//! Pure. Not here: the bytes (`blobs`), and what an url names (`file`).

use std::collections::BTreeMap;

use actix::Message;
use rill_proto::id::{ConversationId, MessageId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::login::OrderReply;
use super::rules::{Decision, Facts, News};
use super::state::{Change, Head, State, Stored};
use crate::file::{Content, Upload};
use crate::store::Stamp;
use serde::{Deserialize, Serialize};

/// How many uploads an account may have at a time: many albums of pictures within a week, and few enough for memory.
pub const UPLOADS_MAX: usize = 1_000;

/// How long an upload can be attached.
const UPLOAD_KEPT_S: i64 = 7 * 24 * 60 * 60;

/// A file whose bytes are here already.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Brought {
    /// What its url names.
    pub upload_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub content: Content,
}

/// Makes uploads durable, all or none; or refuses when they are too much.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct KeepUploads {
    /// What was brought.
    pub brought: Vec<Brought>,
    /// Told when they are durable.
    pub reply: OrderReply<()>,
}

/// Asks how many more bytes the account may bring.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct AskRoom {
    /// Told the number.
    pub reply: OrderReply<u64>,
}

/// How many bytes wait to be attached.
#[must_use]
pub fn waiting(state: &State) -> u64 {
    let waiting = state.uploads.values().filter(|upload| !upload.is_attached);
    waiting.filter_map(|upload| upload.content.as_ref()).map(|content| content.size).sum()
}

/// How many bytes the files take that the account sees: in its conversations and on its own board.
#[must_use]
pub fn used(state: &State) -> u64 {
    state.stored.values().map(|stored| stored.bytes).sum::<u64>() + state.board.bytes()
}

/// An event on the own board that changes how much the files there take is one on the own record as well.
#[must_use]
pub fn counted(state: &State, mut decision: Decision, facts: &Facts) -> Decision {
    let mut after: BTreeMap<MessageId, u64> = BTreeMap::new();
    for change in &decision.changes {
        if let Change::Task(id, task) = change {
            after.insert(*id, task.as_ref().map_or(0, |task| task.bytes));
        }
    }
    let before: u64 = after.keys().filter_map(|id| state.board.task(*id)).map(|task| task.bytes).sum();
    if let Some(head) = state.head.clone().filter(|_| before != after.values().sum::<u64>()) {
        decision.changes.push(Change::Head(Head { stamp: facts.stamp, ..head }));
        decision.answer.push(News::Own);
        decision.news.push(News::Own);
    }
    decision
}

/// When the own record last changed.
#[must_use]
pub fn own_stamp(state: &State) -> Stamp {
    let stored = state.stored.values().map(|stored| stored.stamp).max();
    state.head.as_ref().map_or(0, |head| head.stamp).max(stored.unwrap_or(0))
}

/// The account's files take more or less in a conversation than they did.
#[must_use]
pub fn stored(
    state: &State,
    conversation_id: ConversationId,
    bytes: u64,
    version: Stamp,
    facts: &Facts,
) -> Decision {
    let known = state.stored.get(&conversation_id);
    if known.is_some_and(|known| known.version >= version) {
        return Decision::default();
    }
    let stored = Stored { bytes, version, stamp: facts.stamp };
    Decision { changes: vec![Change::Stored(conversation_id, stored)], ..Decision::default() }
}

/// How many more bytes the account may bring.
#[must_use]
pub fn room(state: &State, facts: &Facts) -> u64 {
    facts.storage_quota.saturating_sub(used(state)).saturating_sub(waiting(state))
}

/// Uploads come in.
///
/// # Errors
/// 507 when they are too much.
pub fn keep(state: &State, brought: Vec<Brought>, facts: &Facts) -> Result<Decision, Refusal> {
    let bytes: u64 = brought.iter().map(|brought| brought.content.size).sum();
    if bytes > room(state, facts) {
        return Err(Refusal::quota_full());
    }
    let mut changes = make_place(state, brought.len(), facts)?;
    changes.extend(brought.into_iter().map(|brought| {
        let upload = Upload {
            name: brought.name,
            content: Some(brought.content),
            external: None,
            is_attached: false,
            time: facts.now,
            stamp: facts.stamp,
        };
        Change::Upload(brought.upload_id, Some(upload))
    }));
    Ok(Decision { changes, ..Decision::default() })
}

/// Lets go of old rows, and of attached ones where there are too many.
///
/// # Errors
/// 507 when there are too many all the same.
pub fn make_place(state: &State, count: usize, facts: &Facts) -> Result<Vec<Change>, Refusal> {
    let is_old = |upload: &Upload| upload.time + UPLOAD_KEPT_S < facts.now;
    let (old, mut kept): (Vec<_>, Vec<_>) = state.uploads.iter().partition(|(_, upload)| is_old(upload));
    kept.sort_by_key(|(_, upload)| (!upload.is_attached, upload.time));
    let surplus = (kept.len() + count).saturating_sub(UPLOADS_MAX);
    let attached = kept.iter().filter(|(_, upload)| upload.is_attached).count();
    if surplus > attached {
        return Err(Refusal::quota_full());
    }
    let gone = old.into_iter().chain(kept.into_iter().take(surplus));
    Ok(gone.map(|(id, _)| Change::Upload(*id, None)).collect())
}

/// Uploads are attached now.
#[must_use]
pub fn attached(state: &State, uploads: &[Uuid], facts: &Facts) -> Decision {
    let waiting = |id: &&Uuid| state.uploads.get(*id).is_some_and(|upload| !upload.is_attached);
    let changes = uploads.iter().filter(waiting).filter_map(|id| {
        let upload = state.uploads.get(id)?.clone();
        Some(Change::Upload(*id, Some(Upload { is_attached: true, stamp: facts.stamp, ..upload })))
    });
    Decision { changes: changes.collect(), ..Decision::default() }
}

#[cfg(test)]
mod tests {
    use rill_proto::id::AccountId;

    use super::*;
    use crate::file::Digest;

    fn given(now: i64) -> Facts {
        Facts { now, stamp: 7, storage_quota: 100, ..Facts::default() }
    }

    fn brought(nr: u128, size: u64) -> Brought {
        let content =
            Content { sha256: Digest([1; 32]), size, file_type: "text/plain".into(), picture: None };
        Brought { upload_id: Uuid::from_u128(nr), name: "a.txt".into(), content }
    }

    fn bring(state: &mut State, nr: u128, size: u64, now: i64) -> Result<(), Refusal> {
        let decision = keep(state, vec![brought(nr, size)], &given(now))?;
        decision.changes.iter().for_each(|change| state.fold(change));
        Ok(())
    }

    fn attach(state: &mut State, nr: u128) {
        let decision = attached(state, &[Uuid::from_u128(nr)], &given(0));
        decision.changes.iter().for_each(|change| state.fold(change));
    }

    #[test]
    fn what_waits_counts_and_what_is_attached_counts_elsewhere() {
        let mut state = State::new(AccountId(Uuid::nil()));
        bring(&mut state, 1, 60, 0).unwrap();
        assert_eq!(bring(&mut state, 2, 41, 0), Err(Refusal::quota_full()));
        bring(&mut state, 2, 40, 0).unwrap();
        assert_eq!(room(&state, &given(0)), 0);
        attach(&mut state, 1);
        assert_eq!(room(&state, &given(0)), 60);
        assert!(state.uploads[&Uuid::from_u128(1)].content.is_some(), "its url can be used again");
        assert!(attached(&state, &[Uuid::from_u128(1), Uuid::max()], &given(0)).changes.is_empty());
    }

    #[test]
    fn rows_last_a_week() {
        let mut state = State::new(AccountId(Uuid::nil()));
        bring(&mut state, 1, 60, 0).unwrap();
        bring(&mut state, 2, 0, UPLOAD_KEPT_S).unwrap();
        assert_eq!(state.uploads.len(), 2);
        bring(&mut state, 3, 0, UPLOAD_KEPT_S + 1).unwrap();
        assert!(!state.uploads.contains_key(&Uuid::from_u128(1)));
    }

    #[test]
    fn too_many_push_attached_ones_out_and_are_refused_when_there_are_none() {
        let mut state = State::new(AccountId(Uuid::nil()));
        (0..UPLOADS_MAX as u128).for_each(|nr| bring(&mut state, nr, 0, 0).unwrap());
        assert_eq!(bring(&mut state, 2_000, 0, 0), Err(Refusal::quota_full()));
        attach(&mut state, 5);
        bring(&mut state, 2_000, 0, 0).unwrap();
        assert!(!state.uploads.contains_key(&Uuid::from_u128(5)));
        assert_eq!(state.uploads.len(), UPLOADS_MAX);
    }
}
