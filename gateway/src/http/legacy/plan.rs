//! What an older call comes to: its events in their order, what must be looked up for them, and the form of the answer.
//!
//! Made from what the call was given and nothing else. Not here: submitting, and any rule of an event.

use rill_actors::account::wish::Wish;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::given::Given;
use crate::refuse::Refused;

/// The plan of a call, or why it says nothing that can be carried out.
pub(crate) type Planned<'a> = Result<Plan<'a>, Refused>;

/// The events of a call. The first that is refused ends it; those before it have taken effect.
pub(crate) struct Plan<'a> {
    /// In their order.
    pub(crate) steps: Vec<Step<'a>>,
    /// What is wanted of the caller's account behind them that is no event.
    pub(crate) wishes: Vec<Wish>,
    /// How it is answered.
    pub(crate) form: Form,
    /// An event that is refused is passed over.
    pub(crate) is_lenient: bool,
}

/// The forms of answers (protocol.md §6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// `{header, stream, …}`.
    Conversation,
    /// `{stream}`.
    Stream,
    /// The caller's own `contact` record, and the same as `{stream}`: the sources differ in which it is.
    Own,
    /// `{failed, stream}`: those of the caller's other addresses, then his own.
    Aliases,
    /// One `contact` record.
    Contact,
    /// `{contacts}`: those of the stream that are wanted.
    Contacts(Wanted),
    /// `{contacts, stream}`: these ids.
    Ids(Vec<Uuid>),
}

/// Which contacts an answer has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Wanted {
    /// All but these.
    pub(crate) ignored: Vec<Uuid>,
    /// Those in whose names or addresses this is, in lower case.
    pub(crate) text: Option<String>,
}

impl Wanted {
    /// Whether a `contact` record is wanted.
    pub(crate) fn has(&self, contact: &Value) -> bool {
        let id = contact["account_id"].as_str().and_then(|id| Uuid::try_parse(id).ok());
        let is_ignored = id.is_some_and(|id| self.ignored.contains(&id));
        let says = |text: &str| {
            let keys = ["display_name", "full_name", "email", "fleep_address"];
            keys.iter().any(|key| contact[key].as_str().is_some_and(|of| of.to_lowercase().contains(text)))
        };
        !is_ignored && self.text.as_deref().is_none_or(says)
    }
}

/// One event to be submitted.
#[derive(Clone)]
pub(crate) struct Step<'a> {
    given: &'a Given,
    /// Without what all events' names begin with.
    pub(crate) urn: &'static str,
    /// What is known of its params.
    pub(crate) params: Map<String, Value>,
    /// What is not known yet.
    pub(crate) blanks: Vec<Blank>,
    /// It is on what the steps before it have made or changed.
    pub(crate) follows: bool,
    /// It is submitted again for as long as its list goes on.
    pub(crate) pages: bool,
    is_from: bool,
}

/// A param that the call names otherwise than the event does.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Blank {
    /// This list gets the accounts of these addresses as well.
    People(&'static str, Vec<String>),
    /// `label_ids`: the labels of these names; those that the caller has not yet are made.
    Labels(Vec<String>),
    /// `is_managed`: whether a group, or a conversation with a team, of who is in an organisation.
    Managed,
    /// `show_message_nr`: all that there is to show.
    Shown,
    /// `section_id`: that of the tasks that nobody has sorted.
    DefaultSection,
    /// `sync_cursor`: behind the pin that this message is.
    PinsBelow(i64),
    /// `prev_message_nr`: the pin that comes before this weight.
    PinAbove(f64),
    /// `attachment_urls`: the message's file with this id.
    File(String),
}

impl<'a> From<Step<'a>> for Plan<'a> {
    fn from(step: Step<'a>) -> Self {
        vec![step].into()
    }
}

impl<'a> From<Vec<Step<'a>>> for Plan<'a> {
    fn from(steps: Vec<Step<'a>>) -> Self {
        Self { steps, wishes: Vec::new(), form: Form::Conversation, is_lenient: false }
    }
}

impl<'a> Plan<'a> {
    /// Answered without a header.
    pub(crate) fn without_header(self) -> Self {
        self.answered(Form::Stream)
    }

    /// Answered in this form.
    pub(crate) fn answered(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// What is refused is passed over.
    pub(crate) fn lenient(self) -> Self {
        Self { is_lenient: true, ..self }
    }

    /// Where the client's picture of the conversation ends, when no step tells it what came after.
    pub(crate) fn behind(&self, given: &Given) -> Option<Value> {
        let is_wanted = self.form == Form::Conversation && !self.steps.iter().any(|step| step.is_from);
        given.value("from_message_nr").filter(|_| is_wanted).cloned()
    }
}

impl<'a> Step<'a> {
    pub(crate) fn new(given: &'a Given, urn: &'static str, conversation_id: Option<Uuid>) -> Self {
        let (params, blanks) = (Map::new(), Vec::new());
        let step = Self { given, urn, params, blanks, follows: false, pages: false, is_from: false };
        match conversation_id {
            Some(id) => step.with("conversation_id", id.to_string()),
            None => step,
        }
    }

    pub(crate) fn following(self) -> Self {
        Self { follows: true, ..self }
    }

    /// Submitted again for as long as its list goes on.
    pub(crate) fn with_all_pages(self) -> Self {
        Self { pages: true, ..self }
    }

    /// A param of this value.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.params.insert(key.to_owned(), value.into());
        self
    }

    /// Params that the call was given by the same name, as they came.
    pub(crate) fn takes(self, keys: &[&str]) -> Self {
        keys.iter().fold(self, |step, key| step.takes_as(key, key))
    }

    /// A param that the call calls otherwise.
    pub(crate) fn takes_as(mut self, theirs: &str, ours: &str) -> Self {
        self.is_from |= theirs == "from_message_nr";
        match self.given.value(theirs).cloned() {
            Some(value) => self.with(ours, value),
            None => self,
        }
    }

    /// A param that must be looked up.
    pub(crate) fn blank(mut self, blank: Blank) -> Self {
        self.blanks.push(blank);
        self
    }

    /// `account_ids`, from lists of ids and `To:` lines of the call.
    pub(crate) fn people(self, lists: &[&str], lines: &[&str]) -> Result<Self, Refused> {
        let given = self.given;
        let ids = lists.iter().map(|key| given.ids(key)).collect::<Result<Vec<_>, _>>()?.concat();
        let emails = lines.iter().map(|key| given.emails(key)).collect::<Result<Vec<_>, _>>()?.concat();
        let ids: Vec<Value> = ids.iter().map(|id| id.to_string().into()).collect();
        let step = self.with("account_ids", ids);
        Ok(if emails.is_empty() { step } else { step.blank(Blank::People("account_ids", emails)) })
    }
}
