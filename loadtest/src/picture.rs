//! The client's picture: the cache that any client keeps, built by the merge rules of protocol.md §3.1, and what it proves.
//!
//! Owns: the records by key, each conversation's flow, the violations met while applying. Not here: how records arrive
//! ([`crate::socket`], [`crate::poll`]) and the comparison of two pictures ([`difference`]).

mod boards;
mod difference;
mod flow;
mod judge;
#[cfg(test)]
mod tests;

pub use judge::Violation;

use crate::failure::Failure;
use crate::record::{self, Record, flag, kind, number, text};
use crate::session::Session;
use boards::Unloaded;
use flow::Flow;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What no revision of a message may change (conversations.md §1.1).
const FIXED_OF_MESSAGE: [&str; 6] =
    ["message_id", "account_id", "posted_time", "inbox_nr", "prev_message_nr", "mk_message_type"];

/// The state of a private task that is gone.
const DELETED_TASK: &str = "urn:fleep:my_message:mk_message_state:deleted";

/// What one session has been sent, merged.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    horizon: i64,
    /// The highest horizon of the connection under way, which none of its later frames may fall below.
    floor: i64,
    /// Everything but messages, by kind and key.
    records: BTreeMap<(String, String), Record>,
    /// By conversation and `message_nr`.
    messages: BTreeMap<(String, u64), Record>,
    flows: BTreeMap<String, Flow>,
    /// What init forms left on the boards, to be loaded.
    unloaded: BTreeMap<String, Unloaded>,
    /// The text that each revision slot brought, for the day when it comes again.
    revisions: BTreeMap<(String, u64), String>,
    /// Slots that came again with another text: what is replayed shows the message as it is now, so a later slot has to say the
    /// same.
    retold: Vec<Retold>,
    violations: Vec<Violation>,
    /// From the beginning of a connection to the end of its sync: what is replayed shows every message as it is now, whatever
    /// it said in the slot that is replayed, and may come behind what happens meanwhile.
    is_catching_up: bool,
}

/// A slot that came again with another text.
#[derive(Debug, Clone)]
struct Retold {
    conversation_id: String,
    message_nr: u64,
    slot: u64,
    said: String,
}

impl Picture {
    /// An empty picture that claims to have applied everything up to `horizon`; 0 asks for the initial sync.
    #[must_use]
    pub fn at(horizon: i64) -> Self {
        Self { horizon, ..Self::default() }
    }

    /// The horizon to present at the next connection.
    #[must_use]
    pub fn horizon(&self) -> i64 {
        self.horizon
    }

    /// The record of that kind and key. Keys of two parts are joined by a slash: `record("activity", "CONVERSATION/ACCOUNT")`.
    #[must_use]
    pub fn record(&self, kind: &str, key: &str) -> Option<&Record> {
        self.records.get(&(kind.to_owned(), key.to_owned()))
    }

    /// All records of one kind, messages excepted.
    pub fn records<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Record> + 'a {
        self.records.iter().filter(move |((of, _), _)| of == kind).map(|(_, record)| record)
    }

    /// The header of a conversation.
    #[must_use]
    pub fn conv(&self, conversation_id: &str) -> Option<&Record> {
        self.record("conv", conversation_id)
    }

    /// One message.
    #[must_use]
    pub fn message(&self, conversation_id: &str, message_nr: u64) -> Option<&Record> {
        self.messages.get(&(conversation_id.to_owned(), message_nr))
    }

    /// The messages held of a conversation, in the order of their numbers.
    pub fn messages<'a>(&'a self, conversation_id: &str) -> impl DoubleEndedIterator<Item = &'a Record> + 'a {
        let id = conversation_id.to_owned();
        self.messages.range((id.clone(), 0)..=(id, u64::MAX)).map(|(_, message)| message)
    }

    /// The conversations whose header is held.
    #[must_use]
    pub fn conversation_ids(&self) -> Vec<String> {
        self.records("conv").map(|conv| text(conv, "conversation_id").to_owned()).collect()
    }

    /// Throws everything away, as a client does when the server answers horizon 0. The violations stay.
    pub fn reset(&mut self) {
        *self = Self { violations: std::mem::take(&mut self.violations), ..Self::default() };
    }

    /// Begins another connection. The horizon never goes down on one; another node's may lawfully be lower.
    pub fn begin_connection(&mut self) {
        self.floor = 0;
        self.is_catching_up = true;
        self.revisions.clear();
        self.retold.clear();
    }

    /// Begins what belongs together: a frame, a poll's answer, a whole sync. A gap in it is none when a header in it shows it.
    pub fn begin_batch(&mut self) {
        self.flows.values_mut().for_each(Flow::begin_batch);
    }

    /// Ends what [`Self::begin_batch`] began: the gaps that no header showed are violations.
    pub fn end_batch(&mut self) {
        if std::mem::take(&mut self.is_catching_up) {
            self.flows.values_mut().for_each(Flow::forgive_order);
        }
        for (conversation_id, flow) in &mut self.flows {
            convict(conversation_id, flow, &mut self.violations);
        }
    }

    /// Applies a frame: a batch of its own.
    pub fn apply_frame(&mut self, records: &[Record], event_horizon: Option<i64>) {
        self.begin_batch();
        self.apply_all(records, event_horizon);
        self.end_batch();
    }

    /// Applies records in their order, then the horizon that came with them.
    pub fn apply_all(&mut self, records: &[Record], event_horizon: Option<i64>) {
        for record in records {
            self.apply(record);
        }
        if let Some(horizon) = event_horizon {
            // Negative horizons count the chunks of an initial sync; their order means nothing.
            if horizon > 0 && self.floor > horizon {
                self.violations.push(Violation::HorizonFell { from: self.floor, to: horizon });
            }
            self.floor = self.floor.max(horizon);
            self.horizon = horizon;
        }
    }

    /// Applies one record of a push, an answer on a WebSocket, or a poll: an upsert by key.
    pub fn apply(&mut self, record: &Record) {
        self.merge(record, true);
    }

    /// Applies records that overtook the stream (the answer of `event/store`, when the poll is still behind): they change what is
    /// held, but what lies between is still to come, so their numbers prove nothing about the flow.
    pub fn apply_ahead(&mut self, records: &[Record]) {
        for record in records {
            self.merge(record, false);
        }
    }

    fn merge(&mut self, record: &Record, is_in_flow: bool) {
        match kind(record) {
            // Markers that pass through: a request record describes an answer, a poke only proves that it came.
            "request" | "poke" => {}
            "message" if number(record, "message_nr").is_some() => self.merge_message(record, is_in_flow),
            "conv" => self.merge_conv(record, is_in_flow),
            "label" if text(record, "mk_label_status") == "removed" => {
                self.records.remove(&("label".to_owned(), text(record, "label_id").to_owned()));
            }
            "my_message" if text(record, "mk_message_state") == DELETED_TASK => {
                let id = text(record, "message_id");
                self.records.remove(&("my_message".to_owned(), id.to_owned()));
                self.records.retain(|(kind, _), record| kind != "file" || text(record, "message_id") != id);
            }
            "my_section" if flag(record, "is_deleted") => {
                self.records.remove(&("my_section".to_owned(), text(record, "section_id").to_owned()));
            }
            "lock" => self.merge_lock(record),
            "section" if flag(record, "is_deleted") => {
                self.records.remove(&("section".to_owned(), text(record, "section_id").to_owned()));
            }
            _ => self.upsert(record),
        }
    }

    fn upsert(&mut self, record: &Record) {
        let key = (kind(record).to_owned(), key_of(record));
        let held = self.records.entry(key).or_default();
        held.extend(record.clone());
    }

    fn merge_conv(&mut self, record: &Record, is_in_flow: bool) {
        let conversation_id = text(record, "conversation_id").to_owned();
        if flag(record, "is_deleted") {
            self.forget(&conversation_id);
            self.flows.remove(&conversation_id);
            self.records.remove(&("conv".to_owned(), conversation_id));
            return;
        }
        let has_both_ends =
            number(record, "fw_message_nr").is_some() && number(record, "bw_message_nr").is_some();
        let is_init = flag(record, "is_init") || has_both_ends;
        if is_init {
            self.forget(&conversation_id);
        }
        self.upsert(record);
        self.note_boards(&conversation_id, record);
        self.flows.entry(conversation_id).or_default().header(record, is_init, is_in_flow);
    }

    /// Drops what an init refills: messages with their locks and files, and activity (protocol.md §3.1).
    fn forget(&mut self, conversation_id: &str) {
        self.messages.retain(|(of, _), _| of != conversation_id);
        self.revisions.retain(|(of, _), _| of != conversation_id);
        self.retold.retain(|again| again.conversation_id != conversation_id);
        self.records.retain(|(kind, _), record| {
            !matches!(kind.as_str(), "activity" | "lock" | "file")
                || text(record, "conversation_id") != conversation_id
        });
    }

    fn merge_lock(&mut self, record: &Record) {
        let mut lock = record.clone();
        // A missing owner means unlocked, unlike any other missing key.
        let owner = lock.entry("lock_account_id").or_insert(Value::Null).clone();
        let key = (text(record, "conversation_id").to_owned(), number(record, "message_nr").unwrap_or(0));
        if let Some(message) = self.messages.get_mut(&key) {
            message.insert("lock_account_id".into(), owner);
        }
        self.upsert(&lock);
    }

    fn merge_message(&mut self, record: &Record, is_in_flow: bool) {
        let conversation_id = text(record, "conversation_id").to_owned();
        let message_nr = number(record, "message_nr").unwrap_or(0);
        let slot = record::flow_nr(record).unwrap_or(message_nr);
        let begin = self.conv(&conversation_id).and_then(|conv| number(conv, "begin_message_nr"));
        let flow = self.flows.entry(conversation_id.clone()).or_default();
        if boards::is_shared(record) && begin.is_some_and(|begin| message_nr < begin) {
            // It came onto a board after slots of it had gone by that were none of the viewer's.
            flow.forgive(slot);
        }
        // A board shows messages that lie in gaps of the flow, and says nothing of the flow thereby.
        let is_on_board = !record.contains_key("flow_message_nr") && boards::is_shared(record);
        if is_on_board && flow.edge().is_some_and(|edge| slot <= edge) {
        } else if is_in_flow {
            flow.slot(slot);
        } else {
            flow.slot_ahead(slot);
        }
        // With slots still to be loaded, a revision among them may explain any difference.
        let may_compare = flow.is_whole_forward() && !self.is_catching_up;
        if record.contains_key("flow_message_nr") && !self.is_catching_up {
            self.note_revision(&conversation_id, message_nr, slot, text(record, "message"));
        }
        let held = self.messages.entry((conversation_id.clone(), message_nr)).or_default();
        // A fetch shows the current text without a flow number, so only a message never revised can be held to its text.
        let is_revised = held.contains_key("flow_message_nr") || record.contains_key("flow_message_nr");
        if may_compare && !is_revised && differs(held, record, "message") {
            let (conversation_id, said) = (conversation_id.clone(), text(record, "message").to_owned());
            self.retold.push(Retold { conversation_id, message_nr, slot, said });
        }
        if FIXED_OF_MESSAGE.iter().any(|key| differs(held, record, key)) {
            self.violations.push(Violation::Doubled { conversation_id, message_nr, is_same_slot: false });
        }
        held.extend(record.clone());
        if !record.contains_key("lock_account_id") {
            held.insert("lock_account_id".into(), Value::Null);
        }
    }

    fn note_revision(&mut self, conversation_id: &str, message_nr: u64, slot: u64, said: &str) {
        self.retold.retain(|again| {
            let is_said_later = again.conversation_id == conversation_id
                && again.message_nr == message_nr
                && slot > again.slot;
            !(is_said_later && again.said == said)
        });
        let before = self.revisions.insert((conversation_id.to_owned(), slot), said.to_owned());
        if before.is_some_and(|before| before != said) {
            let (conversation_id, said) = (conversation_id.to_owned(), said.to_owned());
            self.retold.push(Retold { conversation_id, message_nr, slot, said });
        }
    }

    /// Everything that this picture convicts the server of: what was met while applying, and what the records held contradict.
    #[must_use]
    pub fn verify(&self) -> Vec<Violation> {
        let mut violations = self.violations.clone();
        violations.extend(self.retold.iter().map(|again| Violation::Doubled {
            conversation_id: again.conversation_id.clone(),
            message_nr: again.message_nr,
            is_same_slot: true,
        }));
        for conv in self.records("conv") {
            let conversation_id = text(conv, "conversation_id");
            if let Some(flow) = self.flows.get(conversation_id) {
                convict(conversation_id, &mut flow.clone(), &mut violations);
                let messages: BTreeMap<u64, &Record> = self
                    .messages(conversation_id)
                    .filter_map(|m| Some((number(m, "message_nr")?, m)))
                    .collect();
                judge::conversation(conv, flow, &messages, &mut violations);
            }
        }
        violations
    }

    /// Loads everything that the session's account may see: back to `join_message_nr` and forward to `last_message_nr`, and
    /// what init forms left on the boards.
    pub fn complete(session: &mut dyn Session) -> Result<(), Failure> {
        for conversation_id in session.picture().conversation_ids() {
            complete_conversation(session, &conversation_id)?;
        }
        Ok(())
    }

    /// Loads what stands on the account's own board, and its canned responses.
    pub fn complete_board(session: &mut dyn Session) -> Result<(), Failure> {
        let sections = session.picture().records("my_section");
        let ids: Vec<String> = sections.map(|section| text(section, "section_id").to_owned()).collect();
        for section_id in ids {
            let mut sync_cursor = Value::Null;
            loop {
                let params = json!({ "section_id": section_id, "sync_cursor": sync_cursor });
                let answer = session.request("my_section:task:sync", params)?.done()?;
                let section = answer.records("my_section").next();
                sync_cursor =
                    section.and_then(|section| section.get("sync_cursor")).cloned().unwrap_or_default();
                if sync_cursor.is_null() {
                    break;
                }
            }
        }
        let mut sync_cursor = Value::Null;
        loop {
            let params = json!({ "sync_cursor": sync_cursor });
            let answer = session.request("contact:sync_canned", params)?.done()?;
            sync_cursor = answer.request.get("sync_cursor").cloned().unwrap_or_default();
            if sync_cursor.is_null() {
                return Ok(());
            }
        }
    }

    /// What is to be asked next to have the whole conversation: the event and its params; nothing when it is whole.
    fn next_load(&self, conversation_id: &str) -> Option<(&'static str, Value)> {
        let conv = self.conv(conversation_id)?;
        let flow = self.flows.get(conversation_id);
        let ends = flow.and_then(|flow| Some((flow.forward()?, flow.backward()?)));
        let Some((fw, bw)) = ends else {
            return Some(("conv:sync_initial", json!({ "conversation_id": conversation_id })));
        };
        if fw < number(conv, "last_message_nr").unwrap_or(0) {
            return Some((
                "conv:sync_forward",
                json!({"conversation_id": conversation_id, "fw_message_nr": fw}),
            ));
        }
        if bw > number(conv, "join_message_nr").unwrap_or(1) {
            return Some((
                "conv:sync_backward",
                json!({"conversation_id": conversation_id, "bw_message_nr": bw}),
            ));
        }
        None
    }
}

/// Ends a flow's batch and turns its breaks into violations.
fn convict(conversation_id: &str, flow: &mut Flow, violations: &mut Vec<Violation>) {
    let breaks = flow.end_batch();
    let conversation_id = || conversation_id.to_owned();
    let gaps = breaks.gaps.into_iter();
    violations.extend(gaps.map(|(from, to)| Violation::Gap { conversation_id: conversation_id(), from, to }));
    let late = breaks.late.into_iter();
    violations.extend(late.map(|slot| Violation::Reordered { conversation_id: conversation_id(), slot }));
}

fn complete_conversation(session: &mut dyn Session, conversation_id: &str) -> Result<(), Failure> {
    let mut asked = None;
    while let Some((urn, params)) = session.picture().next_load(conversation_id) {
        if asked.as_ref() == Some(&(urn, params.clone())) {
            return Err(Failure::Broken(format!("{urn} with {params} brought nothing nearer to the end")));
        }
        session.request(urn, params.clone())?.done()?;
        if urn == "conv:sync_initial"
            && session.picture().conv(conversation_id).is_some_and(|conv| flag(conv, "can_post"))
        {
            // An init form makes the client drop the activity that it had, and this one brings none (conversations.md §7).
            session.request("conv:activate", json!({ "conversation_id": conversation_id }))?.done()?;
        }
        asked = Some((urn, params));
    }
    boards::complete(session, conversation_id)
}

/// True when both name a value for the key, and not the same.
fn differs(held: &Record, new: &Record, key: &str) -> bool {
    matches!((held.get(key), new.get(key)), (Some(a), Some(b)) if a != b)
}

/// The key of a record within its kind (the table of protocol.md §3.1).
fn key_of(record: &Record) -> String {
    let conversation_and = |key: &str| format!("{}/{}", text(record, "conversation_id"), field(record, key));
    match kind(record) {
        "activity" => conversation_and("account_id"),
        "hangout_activity" => conversation_and("hangout_id"),
        "hook" => conversation_and("hook_key"),
        "lock" => conversation_and("message_nr"),
        "file" => conversation_and("attachment_id"),
        "preview" => format!("{}/{}", conversation_and("message_nr"), text(record, "attached_url")),
        "upload" => {
            let upload_id = if record.contains_key("upload_id") { "upload_id" } else { "request_id" };
            conversation_and(upload_id)
        }
        "org_member" => format!("{}/{}", text(record, "organisation_id"), text(record, "account_id")),
        "org_team" => format!("{}/{}", text(record, "organisation_id"), text(record, "team_id")),
        "contact" | "lastseen" => field(record, "account_id"),
        "conv" | "org_conv" => field(record, "conversation_id"),
        "label" => field(record, "label_id"),
        "section" => field(record, "section_id"),
        "team" => field(record, "team_id"),
        "billing" | "org_header" => field(record, "organisation_id"),
        "org_changelog" => format!("{}/{}", text(record, "organisation_id"), field(record, "version_nr")),
        "transaction" => field(record, "transaction_id"),
        "reminder" => field(record, "reminder_id"),
        "external_account" => field(record, "external_account_id"),
        "mail" | "mailinfo" | "mail_conf_progress" => field(record, "mail_id"),
        "smtp" => field(record, "smtp_id"),
        "message" | "my_message" => field(record, "message_id"),
        "my_section" => field(record, "section_id"),
        other => format!("{other}?{}", Value::Object(record.clone())),
    }
}

fn field(record: &Record, key: &str) -> String {
    match record.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
