//! What this client knows: conversations, messages, contacts, activity and locks, built from records alone.
//!
//! Owns the merge rules of protocol.md §3.1: a record is an upsert by its key, a missing field leaves the old value,
//! `is_init` starts a conversation afresh. Applying a record twice changes nothing, and an odd record changes nothing
//! either. Pure: the time comes from the caller. Not here: what the person is doing (`desk`), how it looks (`view`).

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rill_proto::id::{AccountId, ConversationId};
use serde_json::Value;

use super::record::{account, accounts, conversation, decimal, flag, number, text};
use super::sentence::sentence;

/// A pen that nobody renews is gone after this time (conversations.md §8), whether or not the server says so.
pub(crate) const PEN_LASTS: Duration = Duration::from_secs(30);

/// Messages kept of one conversation; older ones are loaded again when somebody scrolls to them.
const MESSAGES_MAX: usize = 2_000;

/// One message in the state in which it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    /// Its place in the conversation.
    pub(crate) nr: u64,
    /// Who wrote it or caused it.
    pub(crate) author: Option<AccountId>,
    /// The body as on the wire: XML, or JSON text for system messages.
    pub(crate) body: String,
    /// `mk_message_type`.
    pub(crate) kind: String,
    /// The last part of `mk_message_state`.
    pub(crate) state: String,
    /// Unix seconds.
    pub(crate) posted_time: u64,
    /// Unix seconds of the last change of any sort.
    pub(crate) edited_time: Option<u64>,
    /// Who holds the edit lock.
    pub(crate) locked_by: Option<AccountId>,
    /// The name that a mail or an integration brought along.
    pub(crate) sender_name: Option<String>,
    /// The subject, when it has one.
    pub(crate) subject: Option<String>,
    /// The server asks not to show it in the flow.
    pub(crate) is_hidden: bool,
}

impl Message {
    /// Whether the server wrote it.
    pub(crate) fn is_system(&self) -> bool {
        self.state == "system"
    }

    /// Whether its text is gone.
    pub(crate) fn is_deleted(&self) -> bool {
        self.state == "deleted"
    }
}

/// What one member does in a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Activity {
    /// How far he has read; missing before the first read.
    pub(crate) read_message_nr: Option<u64>,
    /// When his pen was last seen moving.
    pub(crate) writing_since: Option<Instant>,
}

/// One conversation as this account sees it.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    /// Its id.
    pub(crate) id: ConversationId,
    /// `""` when unset.
    pub(crate) topic: String,
    /// What to show while there is no topic.
    pub(crate) default_topic: String,
    /// Joined now, this account included.
    pub(crate) members: Vec<AccountId>,
    /// This account is a member now.
    pub(crate) can_post: bool,
    /// The sort key of the list, unix seconds.
    pub(crate) inbox_time: f64,
    /// Alerting messages above the read horizon.
    pub(crate) unread_count: u64,
    /// The highest number used, edits included.
    pub(crate) last_message_nr: u64,
    /// The newest message that shows.
    pub(crate) show_message_nr: u64,
    /// The lowest number this account may see.
    pub(crate) join_message_nr: u64,
    /// This account's read horizon.
    pub(crate) read_message_nr: u64,
    /// Archived while `show_message_nr` is not above it.
    pub(crate) hide_message_nr: u64,
    /// Everything up to here was delivered without a hole; `None` before a window was sent.
    pub(crate) fw: Option<u64>,
    /// The lowest number delivered.
    pub(crate) bw: Option<u64>,
    /// Only the header, or the header and one message, has been sent.
    pub(crate) is_partial: bool,
    /// By number, so that a message that comes twice stands once.
    pub(crate) messages: BTreeMap<u64, Message>,
    /// Of the other members.
    pub(crate) activity: HashMap<AccountId, Activity>,
}

impl Conversation {
    fn new(id: ConversationId) -> Self {
        Self {
            id,
            topic: String::new(),
            default_topic: String::new(),
            members: Vec::new(),
            can_post: true,
            inbox_time: 0.0,
            unread_count: 0,
            last_message_nr: 0,
            show_message_nr: 0,
            join_message_nr: 1,
            read_message_nr: 0,
            hide_message_nr: 0,
            fw: None,
            bw: None,
            is_partial: true,
            messages: BTreeMap::new(),
            activity: HashMap::new(),
        }
    }

    /// The messages that stand in the flow, oldest first.
    pub(crate) fn flow(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.values().filter(|message| !message.is_hidden)
    }

    /// The number of the newest message held.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.flow().next_back().map(|message| message.nr)
    }

    /// The number to load older messages from, or `None` when nothing older may be seen.
    pub(crate) fn older_from(&self) -> Option<u64> {
        let lowest = self.messages.keys().next().copied();
        let from = self.bw.or(lowest)?;
        (from > self.join_message_nr).then_some(from)
    }

    /// The number to go on loading from, or `None` when nothing is missing at the newer end.
    pub(crate) fn newer_from(&self) -> Option<u64> {
        self.fw.filter(|fw| *fw < self.last_message_nr)
    }

    /// Who is writing at `now`.
    pub(crate) fn writers(&self, now: Instant) -> Vec<AccountId> {
        let writes = |activity: &Activity| {
            activity.writing_since.is_some_and(|since| now.saturating_duration_since(since) < PEN_LASTS)
        };
        let mut writers: Vec<AccountId> =
            self.activity.iter().filter(|(_, activity)| writes(activity)).map(|(id, _)| *id).collect();
        writers.sort();
        writers
    }

    /// Who has read exactly up to which message, by the number of that message.
    ///
    /// A horizon on a number that does not show (an edit's) counts for the message before it.
    pub(crate) fn readers(&self) -> BTreeMap<u64, Vec<AccountId>> {
        let mut readers: BTreeMap<u64, Vec<AccountId>> = BTreeMap::new();
        for (id, activity) in &self.activity {
            let Some(horizon) = activity.read_message_nr.filter(|_| self.members.contains(id)) else {
                continue;
            };
            let up_to = self.messages.range(..=horizon).rev().map(|(_, message)| message);
            if let Some(message) = up_to.into_iter().find(|message| !message.is_hidden) {
                readers.entry(message.nr).or_default().push(*id);
            }
        }
        readers.values_mut().for_each(|ids| ids.sort());
        readers
    }

    fn is_listed(&self) -> bool {
        self.hide_message_nr == 0 || self.show_message_nr > self.hide_message_nr
    }

    fn start_afresh(&mut self) {
        self.messages.clear();
        self.activity.clear();
        self.fw = None;
        self.bw = None;
    }

    fn apply_header(&mut self, record: &Value) {
        if flag(record, "is_init") == Some(true) {
            self.start_afresh();
            self.is_partial = text(record, "mk_init_mode") != Some("ic_full");
            // A topic hides the default topic, and the other way round; an init names what there is.
            self.default_topic.clear();
        }
        set(&mut self.topic, text(record, "topic").map(str::to_owned));
        set(&mut self.default_topic, text(record, "default_topic").map(str::to_owned));
        set(&mut self.members, accounts(record, "members"));
        set(&mut self.can_post, flag(record, "can_post"));
        set(&mut self.inbox_time, decimal(record, "inbox_time"));
        set(&mut self.unread_count, number(record, "unread_count"));
        set(&mut self.last_message_nr, number(record, "last_message_nr"));
        set(&mut self.show_message_nr, number(record, "show_message_nr"));
        set(&mut self.join_message_nr, number(record, "join_message_nr"));
        set(&mut self.read_message_nr, number(record, "read_message_nr"));
        set(&mut self.hide_message_nr, number(record, "hide_message_nr"));
        self.fw = number(record, "fw_message_nr").or(self.fw);
        self.bw = number(record, "bw_message_nr").or(self.bw);
    }

    fn apply_message(&mut self, record: &Value) {
        let Some(nr) = number(record, "message_nr").filter(|nr| *nr > 0) else {
            return;
        };
        let is_newest = self.messages.keys().next_back().is_none_or(|newest| nr > *newest);
        let message = self.messages.entry(nr).or_insert_with(|| Message { nr, ..Message::default() });
        message.author = account(record, "account_id").or(message.author);
        set(&mut message.body, text(record, "message").map(str::to_owned));
        set(&mut message.kind, text(record, "mk_message_type").map(str::to_owned));
        let state = text(record, "mk_message_state").and_then(|urn| urn.rsplit(':').next());
        set(&mut message.state, state.map(str::to_owned));
        set(&mut message.posted_time, decimal(record, "posted_time").map(seconds));
        message.edited_time = decimal(record, "edited_time").map(seconds).or(message.edited_time);
        // Here, unlike elsewhere, a missing field says something: nobody holds the lock (protocol.md §3.1).
        message.locked_by = account(record, "lock_account_id");
        message.sender_name =
            text(record, "sender_name").map(str::to_owned).or_else(|| message.sender_name.take());
        message.subject = text(record, "subject").map(str::to_owned).or_else(|| message.subject.take());
        if let Some(tags) = record.get("tags").and_then(Value::as_array) {
            message.is_hidden = tags.iter().any(|tag| tag.as_str() == Some("is_hidden"));
        }
        let author = message.author;
        let slot = number(record, "flow_message_nr").unwrap_or(nr);
        self.fw = self.fw.map(|fw| if slot == fw + 1 { slot } else { fw });
        if is_newest {
            self.newest_came(author);
        }
    }

    fn newest_came(&mut self, author: Option<AccountId>) {
        if let Some(activity) = author.and_then(|author| self.activity.get_mut(&author)) {
            activity.writing_since = None;
        }
        while self.messages.len() > MESSAGES_MAX {
            self.messages.pop_first();
            self.bw = self.messages.keys().next().copied();
        }
    }

    fn apply_activity(&mut self, record: &Value, now: Instant) {
        let Some(who) = account(record, "account_id") else {
            return;
        };
        let activity = self.activity.entry(who).or_default();
        activity.read_message_nr = number(record, "read_message_nr").or(activity.read_message_nr);
        if let Some(is_writing) = flag(record, "is_writing") {
            activity.writing_since = is_writing.then_some(now);
        }
    }
}

/// Everything that this client has been told.
#[derive(Debug)]
pub(crate) struct Picture {
    /// The account that is logged in.
    pub(crate) me: AccountId,
    conversations: HashMap<ConversationId, Conversation>,
    names: HashMap<AccountId, String>,
}

impl Picture {
    /// Nothing known yet, except who is looking.
    pub(crate) fn new(me: AccountId) -> Self {
        Self { me, conversations: HashMap::new(), names: HashMap::new() }
    }

    /// Takes one record in. Kinds that this client does not show are passed over.
    pub(crate) fn apply(&mut self, record: &Value, now: Instant) {
        match text(record, "mk_rec_type") {
            Some("contact") => self.apply_contact(record),
            Some("conv") => self.apply_conv(record),
            Some("message") => {
                if let Some(conversation) = self.known_or_new(record) {
                    conversation.apply_message(record);
                }
            }
            Some("activity") if account(record, "account_id") != Some(self.me) => {
                if let Some(conversation) = self.known(record) {
                    conversation.apply_activity(record, now);
                }
            }
            Some("lock") => {
                let nr = number(record, "message_nr").unwrap_or_default();
                let message = self.known(record).and_then(|conversation| conversation.messages.get_mut(&nr));
                if let Some(message) = message {
                    message.locked_by = account(record, "lock_account_id");
                }
            }
            _ => {}
        }
    }

    /// The connection is gone: pens and locks are pushed live only, so what was seen of them may be over.
    pub(crate) fn forget_fleeting(&mut self) {
        for conversation in self.conversations.values_mut() {
            conversation.activity.values_mut().for_each(|activity| activity.writing_since = None);
            conversation.messages.values_mut().for_each(|message| message.locked_by = None);
        }
    }

    /// The conversations to list, newest first.
    pub(crate) fn list(&self) -> Vec<&Conversation> {
        let mut list: Vec<&Conversation> =
            self.conversations.values().filter(|conv| conv.is_listed()).collect();
        list.sort_by(|a, b| b.inbox_time.total_cmp(&a.inbox_time).then(a.id.cmp(&b.id)));
        list
    }

    /// One conversation.
    pub(crate) fn conversation(&self, id: ConversationId) -> Option<&Conversation> {
        self.conversations.get(&id)
    }

    /// How to call an account; the start of its id while no contact record has come.
    pub(crate) fn name(&self, id: AccountId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string().chars().take(8).collect())
    }

    /// How to call a conversation.
    pub(crate) fn title(&self, conversation: &Conversation) -> String {
        let named =
            [&conversation.topic, &conversation.default_topic].into_iter().find(|title| !title.is_empty());
        named.cloned().unwrap_or_else(|| {
            let others = conversation.members.iter().filter(|id| **id != self.me);
            let names: Vec<String> = others.map(|id| self.name(*id)).collect();
            if names.is_empty() { "Monologue with myself".to_owned() } else { names.join(", ") }
        })
    }

    /// Who a message is from, as shown beside it.
    pub(crate) fn author(&self, message: &Message) -> String {
        let known = message.author.map(|id| self.name(id));
        message.sender_name.clone().or(known).unwrap_or_else(|| "somebody".to_owned())
    }

    /// A system message as a sentence.
    pub(crate) fn sentence(&self, message: &Message) -> String {
        sentence(&message.kind, &message.body, &self.author(message), &|id| self.name(id))
    }

    fn known(&mut self, record: &Value) -> Option<&mut Conversation> {
        self.conversations.get_mut(&conversation(record)?)
    }

    fn known_or_new(&mut self, record: &Value) -> Option<&mut Conversation> {
        let id = conversation(record)?;
        Some(self.conversations.entry(id).or_insert_with(|| Conversation::new(id)))
    }

    fn apply_contact(&mut self, record: &Value) {
        let name =
            text(record, "display_name").or_else(|| text(record, "email")).filter(|name| !name.is_empty());
        if let (Some(id), Some(name)) = (account(record, "account_id"), name) {
            self.names.insert(id, name.to_owned());
        }
    }

    fn apply_conv(&mut self, record: &Value) {
        if flag(record, "is_deleted") == Some(true) {
            if let Some(id) = conversation(record) {
                self.conversations.remove(&id);
            }
        } else if let Some(conversation) = self.known_or_new(record) {
            conversation.apply_header(record);
        }
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Whole seconds of a time that may have a fraction. The cast saturates: a time before 1970 shows as 1970.
fn seconds(time: f64) -> u64 {
    time as u64
}

#[cfg(test)]
mod tests;
