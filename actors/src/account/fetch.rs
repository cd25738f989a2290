//! Files that the server fetches for an account (accounts.md §4, conversations.md §6.5): from the order to the `upload`
//! record.
//!
//! An order is an entry of the outbox that is settled only with its outcome, so that it outlives any crash: what was not
//! finished is fetched again. Not here: fetching itself (`file::fetch`).

use std::sync::Arc;

use actix::{AsyncContext, Context, Message};
use bytes::Bytes;
use rill_proto::classificator::UploadStatus;
use rill_proto::record;
use rill_proto::record::upload::{Fetched as FetchedFile, Upload as Record};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::Account;
use super::rules::{Decision, Facts};
use super::state::{Change, State};
use super::sync::{Step, Tell};
use super::upload::{make_place, room};
use crate::effect::Effect;
use crate::file::fetch::{Order, Outcome, Wanted, check_url, name_of};
use crate::file::{Content, External, Reference, Upload};
use crate::hub::Item;
use crate::journal::{Departure, Reply};
use crate::node::Node;
use crate::piece::Piece;
use crate::store::{Aggregate, OutboxEntry};

/// How many files may be on their way to one account: a handful that somebody picked, and one account does not keep all
/// fetchers busy for long.
const UNDER_WAY_MAX: usize = 8;

/// How long an account that is too busy to take an outcome in is left alone.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(200);

/// What came of an order.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Fetched {
    /// The entry of the outbox that asked.
    pub(super) entry: OutboxEntry,
    /// What it asked for.
    pub(super) request_id: Uuid,
    /// What came of it.
    outcome: Outcome,
}

/// `account:upload_external`.
///
/// # Errors
/// 400 for an url that cannot be fetched, 431 when too many are under way, 507 when there is no room.
pub(super) fn order(
    state: &State,
    event: &rill_proto::event::account::UploadExternal,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    check_url(&event.file_url)?;
    if u64::try_from(event.file_size).is_ok_and(|size| size > room(state, facts)) {
        return Err(Refusal::quota_full());
    }
    may_begin(state)?;
    let wanted = Wanted {
        request_id: facts.fresh,
        file_url: event.file_url.to_string(),
        name: name_of(&event.file_name, &event.file_url),
        conversation_id: None,
        upload_id: event.upload_id.as_deref().map(str::to_owned),
    };
    let mut decision = pending(state, &wanted, facts)?;
    decision.effects.push((Aggregate::Account(state.account_id), Effect::Fetch(wanted)));
    decision.identifier = serde_json::json!({ "account_id": state.account_id });
    Ok(decision)
}

fn may_begin(state: &State) -> Result<(), Refusal> {
    let is_pending = |upload: &&Upload| upload.status() == Some(UploadStatus::Pending);
    if state.uploads.values().filter(is_pending).count() >= UNDER_WAY_MAX {
        return Err(Refusal::no_permission("Too many uploads are under way."));
    }
    Ok(())
}

/// The row of a file that is to come.
fn pending(state: &State, wanted: &Wanted, facts: &Facts) -> Result<Decision, Refusal> {
    let mut changes = make_place(state, 1, facts)?;
    let (conversation_id, upload_id) = (wanted.conversation_id, wanted.upload_id.clone());
    let upload = Upload {
        name: wanted.name.clone(),
        content: None,
        external: Some(External { conversation_id, upload_id, error: None }),
        is_attached: false,
        time: facts.now,
        stamp: facts.stamp,
    };
    changes.push(Change::Upload(wanted.request_id, Some(upload)));
    Ok(Decision { changes, ..Decision::default() })
}

/// The row of a file that came, or did not.
fn arrived(state: &State, request_id: Uuid, outcome: Outcome, facts: &Facts) -> Decision {
    let Some(known) = state.uploads.get(&request_id) else {
        return Decision::default();
    };
    let mut upload = Upload { stamp: facts.stamp, ..known.clone() };
    let outcome = outcome.and_then(|content| {
        let fits = content.size <= room(state, facts);
        if fits { Ok(content) } else { Err(Refusal::quota_full().error_message) }
    });
    match outcome {
        Ok(content) => upload.content = Some(content),
        Err(why) => upload.external.get_or_insert_default().error = Some(why),
    }
    Decision { changes: vec![Change::Upload(request_id, Some(upload))], ..Decision::default() }
}

impl Upload {
    /// How far the server is with fetching it; `None` for one that the client sent.
    #[must_use]
    pub fn status(&self) -> Option<UploadStatus> {
        let external = self.external.as_ref()?;
        Some(match (&external.error, &self.content) {
            (Some(_), _) => UploadStatus::Failure,
            (None, Some(_)) => UploadStatus::Success,
            (None, None) => UploadStatus::Pending,
        })
    }

    /// As an `upload` record; `None` for one that the client sent, who was answered.
    #[must_use]
    pub fn record(&self, request_id: Uuid) -> Option<Bytes> {
        let (external, status) = (self.external.as_ref()?, self.status()?);
        let url = Reference::Upload(request_id).url(&self.name);
        let digest = self.content.as_ref().map(|content| content.sha256.to_string());
        let fetched = |content: &'_ Content| content.picture;
        let picture = self.content.as_ref().and_then(fetched);
        let file = self.content.as_ref().zip(digest.as_deref()).map(|(content, sha256)| FetchedFile {
            upload_url: &url,
            size: content.size,
            file_type: &content.file_type,
            file_sha256: sha256,
            width: picture.map(|picture| picture.width),
            height: picture.map(|picture| picture.height),
            is_animated: picture.map(|picture| picture.is_animated),
        });
        let record = Record {
            conversation_id: external.conversation_id,
            upload_id: external.upload_id.as_deref(),
            request_id,
            status,
            progress: (status == UploadStatus::Pending).then_some(0),
            name: &self.name,
            file,
            error: external.error.as_deref().unwrap_or_default(),
        };
        Some(record::complete(&record).into())
    }
}

impl Account {
    /// Goes on with an order: a new one becomes a row first, one that is a row is fetched, one that is done is settled.
    pub(super) fn go_on_fetching(&mut self, entry: OutboxEntry, wanted: &Wanted, ctx: &mut Context<Self>) {
        let known = self.state.uploads.get(&wanted.request_id);
        match known.map(Upload::status) {
            None => self.note(entry, wanted, ctx),
            Some(Some(UploadStatus::Pending)) => self.fetch(entry, wanted),
            Some(_) => {
                let settles = Some(entry.id);
                self.desk.journal.pass(Departure { settles, ..Departure::reply(Reply::None) });
            }
        }
    }

    /// An order that came from a conversation, which knows nothing of the account's room.
    fn note(&mut self, entry: OutboxEntry, wanted: &Wanted, ctx: &mut Context<Self>) {
        let (issued, facts) = self.facts();
        let Ok(mut decision) = pending(&self.state, wanted, &facts) else {
            // There is not even a place for saying so.
            let settles = Some(entry.id);
            return self.desk.journal.pass(Departure { settles, ..Departure::reply(Reply::None) });
        };
        let refused = may_begin(&self.state).err();
        if let (Some(refusal), Some(Change::Upload(_, Some(upload)))) =
            (&refused, decision.changes.last_mut())
        {
            upload.external.get_or_insert_default().error = Some(refusal.error_message.clone());
        }
        self.take_in(&decision);
        let step = if refused.is_some() { Step::Upload(wanted.request_id) } else { Step::Nothing };
        let telling = Tell { step, issued: Some(issued) };
        let (node, addr) = (Arc::clone(&self.desk.node), ctx.address());
        let reply = Reply::Order(Box::new(move |ok| {
            if ok {
                #[expect(clippy::disallowed_methods, reason = "bounded: one for each append under way")]
                addr.do_send(telling);
            }
            // Comes again as one that is known.
            node.carry(entry);
        }));
        self.write(&decision, Vec::new(), Departure::reply(reply), ctx);
    }

    fn fetch(&mut self, entry: OutboxEntry, wanted: &Wanted) {
        if !self.fetching.borrow_mut().insert(wanted.request_id) {
            return;
        }
        let facts = self.facts().1;
        let order = Order {
            file_url: wanted.file_url.clone(),
            name: wanted.name.clone(),
            bytes_max: room(&self.state, &facts),
        };
        let (node, id, request_id) = (Arc::downgrade(&self.desk.node), self.id, wanted.request_id);
        let again = entry.clone();
        let done = Box::new(move |outcome: Outcome| {
            // A node that is gone fetches it again when it comes back.
            while let Some(node) = node.upgrade() {
                // Nor does one that has given the account to another: that one fetches it.
                if node.border().is_some_and(|border| border.is_elsewhere(Aggregate::Account(id))) {
                    return;
                }
                let (entry, outcome) = (entry.clone(), outcome.clone());
                if node.account_here(id, Fetched { entry, request_id, outcome }).is_ok() {
                    return;
                }
                drop::<Arc<Node>>(node);
                std::thread::sleep(AGAIN);
            }
        });
        if self.desk.node.fetch.begin(order, done).is_err() {
            self.fetching.borrow_mut().remove(&wanted.request_id);
            return self.desk.node.carry_again(again);
        }
        self.tell_upload(wanted.request_id);
    }

    /// Tells the sessions how far a file is.
    pub(super) fn tell_upload(&self, request_id: Uuid) {
        let record = self.state.uploads.get(&request_id).and_then(|upload| upload.record(request_id));
        let pieces: Vec<Piece> = record.map(Piece::Shared).into_iter().collect();
        for lane in self.desk.node.presence.of(self.id) {
            self.desk.node.inboxes.put(Item::Pieces(lane, pieces.clone()));
        }
    }

    /// A file came, or did not.
    pub(super) fn fetched(&mut self, fetched: Fetched, ctx: &mut Context<Self>) {
        let Fetched { entry, request_id, outcome } = fetched;
        self.fetching.borrow_mut().remove(&request_id);
        let (issued, facts) = self.facts();
        let decision = arrived(&self.state, request_id, outcome, &facts);
        self.take_in(&decision);
        let settles = Some(entry.id);
        let telling = Tell { step: Step::Upload(request_id), issued: Some(issued) };
        let (node, addr) = (Arc::clone(&self.desk.node), ctx.address());
        let reply = Reply::Order(Box::new(move |ok| {
            if ok {
                #[expect(clippy::disallowed_methods, reason = "bounded: one for each append under way")]
                addr.do_send(telling);
            } else {
                node.carry_again(entry);
            }
        }));
        self.write(&decision, Vec::new(), Departure { settles, ..Departure::reply(reply) }, ctx);
    }
}

#[cfg(test)]
mod tests {
    use rill_proto::event::account::UploadExternal;
    use serde_json::Value;

    use super::*;
    use crate::account::rules::replay::{ALICE, effects, known, text};
    use crate::file::Digest;

    fn facts(nr: u128) -> Facts {
        Facts { now: 1_000, stamp: 7, fresh: Uuid::from_u128(nr), storage_quota: 100, ..Facts::default() }
    }

    fn event(url: &str, size: i64) -> UploadExternal {
        let upload_id = Some(text("mine"));
        UploadExternal {
            file_url: text(url),
            file_name: text("a.txt"),
            file_size: size,
            file_origin: None,
            upload_id,
        }
    }

    fn content(size: u64) -> Content {
        Content { sha256: Digest([1; 32]), size, file_type: "text/plain".into(), picture: None }
    }

    fn fold(state: &mut State, decision: &Decision) {
        decision.changes.iter().for_each(|change| state.fold(change));
    }

    /// An account that has files on their way.
    fn waiting(count: u128) -> State {
        let mut state = known(ALICE, "alice");
        for nr in 1..=count {
            let decision = order(&state, &event("https://example.org/a", 0), &facts(nr)).unwrap();
            assert_eq!(effects(&decision), ["alice fetches a.txt"]);
            fold(&mut state, &decision);
        }
        state
    }

    fn record(state: &State, nr: u128) -> Value {
        let id = Uuid::from_u128(nr);
        serde_json::from_slice(&state.uploads[&id].record(id).unwrap()).unwrap()
    }

    #[test]
    fn a_file_is_pending_until_it_has_come_or_will_not() {
        let mut state = waiting(2);
        assert_eq!(
            (&record(&state, 1)["status"], &record(&state, 1)["progress"]),
            (&"pending".into(), &0.into())
        );
        let came = arrived(&state, Uuid::from_u128(1), Ok(content(60)), &facts(0));
        fold(&mut state, &came);
        let told = record(&state, 1);
        assert_eq!(
            (&told["status"], &told["upload_id"], &told["size"]),
            (&"success".into(), &"mine".into(), &60.into())
        );
        let failed = arrived(&state, Uuid::from_u128(2), Err("No.".into()), &facts(0));
        fold(&mut state, &failed);
        let told = record(&state, 2);
        assert_eq!(
            (&told["status"], &told["error"], told.get("upload_url")),
            (&"failure".into(), &"No.".into(), None)
        );
        assert!(
            arrived(&state, Uuid::from_u128(9), Ok(content(1)), &facts(0)).changes.is_empty(),
            "it is forgotten"
        );
    }

    #[test]
    fn what_came_must_fit_beside_what_came_meanwhile() {
        let mut state = waiting(2);
        let first = arrived(&state, Uuid::from_u128(1), Ok(content(60)), &facts(0));
        fold(&mut state, &first);
        let second = arrived(&state, Uuid::from_u128(2), Ok(content(60)), &facts(0));
        fold(&mut state, &second);
        assert_eq!(record(&state, 2)["error"], "Storage quota is full.");
        let refused = order(&state, &event("https://example.org/a", 41), &facts(3));
        assert_eq!(refused, Err(Refusal::quota_full()));
        assert!(order(&state, &event("https://example.org/a", 40), &facts(3)).is_ok());
    }

    #[test]
    fn few_are_on_their_way_at_a_time_and_no_url_is_no_order() {
        let state = waiting(UNDER_WAY_MAX as u128);
        let refused = order(&state, &event("https://example.org/a", 0), &facts(99)).unwrap_err();
        assert_eq!((refused.status, refused.error_id), (431, "business_logic"));
        assert_eq!(order(&waiting(0), &event("file:///etc/passwd", 0), &facts(1)).unwrap_err().status, 400);
        let sent = Upload { external: None, ..state.uploads.values().next().unwrap().clone() };
        assert_eq!(sent.record(Uuid::nil()), None, "its client was answered");
    }
}
