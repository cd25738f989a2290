//! Carrying out the plan of an older call: looking up what its events need, submitting them one behind the other through
//! the caller's session, and answering in the older form.
//!
//! Not here: which events they are.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use rill_actors::account::login::{AskOwnContact, Login, are_aliases};
use rill_actors::hub::Item;
use rill_actors::piece::Piece;
use rill_proto::envelope::Submission;
use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, ConversationId, RequestId};
use rill_proto::record::{self, request};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::plan::{Form, Plan, Step};
use super::{Blank, Given, Row};
use crate::http::enrolment::grant;
use crate::http::{Call, json as answer, order};
use crate::refuse::Refused;
use crate::worker::Purpose;

/// What all events' names begin with.
const URN: &str = "urn:fleep:client:";

/// What a fresh client needs of a header and one that holds the conversation must not be told outside of a sync, or it would
/// begin anew (conversations.md §5.1: N beyond F).
const OF_A_FRESH_CLIENT: [&str; 11] = [
    "autojoin_url",
    "begin_message_nr",
    "bw_message_nr",
    "cmail",
    "fw_message_nr",
    "is_full",
    "is_init",
    "is_tiny",
    "mk_init_mode",
    "pin_cursor",
    "pin_sync_state",
];

/// How far up a board the place of a pin is looked for: a page at its largest. More pins than that nobody sorts by hand.
const PINS_MAX: i64 = 100;

/// How many pages of a list one call reads: all of the longest contact list, and a thousand people more whom only
/// conversations show.
const PAGES_MAX: usize = 110;

/// How often, and how many times, is looked whether an address knows whose it is: that takes an append, and is news as soon
/// as it is so.
const HEARD_LOOK_INTERVAL: Duration = Duration::from_millis(10);
const HEARD_LOOKS_MAX: usize = 200;

/// What `event/store` answers.
#[derive(Deserialize)]
struct Answer {
    requests: Vec<Request>,
    stream: Vec<Value>,
}

#[derive(Deserialize)]
pub(crate) struct Request {
    status_code: u16,
    #[serde(default)]
    error_id: String,
    #[serde(default)]
    error_message: String,
    #[serde(default)]
    identifier: Identifier,
    #[serde(default)]
    sync_cursor: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Identifier {
    account_id: Option<Uuid>,
    conversation_id: Option<Uuid>,
    message_nr: Option<u64>,
}

/// An older call on its way.
pub(crate) struct Legacy<'a> {
    /// The call.
    pub(crate) call: &'a Call,
    /// Who asks.
    pub(crate) login: Login,
    /// What makes a retry safe; the caller need not give one.
    client_req_id: Option<RequestId>,
    /// Through which of the caller's sessions its events go.
    pub(crate) purpose: Purpose,
}

/// What the events so far came to.
#[derive(Default)]
pub(crate) struct Outcome {
    account_id: Option<Uuid>,
    conversation_id: Option<Uuid>,
    message_nr: Option<u64>,
    /// Where the list goes on of which the last event gave a page.
    cursor: Option<Value>,
    /// The records that they brought.
    pub(crate) stream: Vec<Value>,
}

impl Outcome {
    /// What was made or changed.
    pub(crate) fn conversation_id(&self) -> Option<Uuid> {
        self.conversation_id
    }

    /// Another event followed; its records are newer.
    fn extend(&mut self, next: Self) {
        self.account_id = next.account_id.or(self.account_id);
        self.conversation_id = next.conversation_id.or(self.conversation_id);
        self.message_nr = next.message_nr.or(self.message_nr);
        self.cursor = next.cursor;
        self.stream.extend(next.stream);
    }

    fn records(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.stream.iter().filter(move |record| record["mk_rec_type"] == kind)
    }
}

/// Why an older call is not carried out.
pub(crate) enum Stopped {
    /// Before any event was submitted, or because the answer did not come.
    Refused(Refused),
    /// The event was refused, as its request record says.
    ByRule(Request),
}

impl From<Refused> for Stopped {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl Stopped {
    /// The answer.
    pub(crate) fn into_response(self) -> Result<HttpResponse, Refused> {
        match self {
            Self::Refused(refused) => Err(refused),
            Self::ByRule(request) => {
                let (status, body) =
                    Refused::relayed(request.status_code, &request.error_id, &request.error_message);
                Ok(HttpResponse::build(status).insert_header(ContentType::json()).body(body.to_string()))
            }
        }
    }
}

/// Carries out a call of the table.
pub(super) async fn carry_out(call: Call, row: &Row) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let plan = (row.plan)(&given)?;
    match legacy.go(&given, plan).await {
        Ok(body) => Ok(answer(body.to_string())),
        Err(stopped) => stopped.into_response(),
    }
}

impl<'a> Legacy<'a> {
    /// Checks who asks.
    pub(crate) async fn admit(call: &'a Call, given: &Given) -> Result<Self, Refused> {
        let login = call.admit(given.text("ticket")?.unwrap_or_default()).await?;
        let client_req_id = given.id("client_req_id")?.map(RequestId);
        Ok(Self { call, login, client_req_id, purpose: Purpose::Calls })
    }

    /// Who asks.
    pub(crate) fn caller(&self) -> AccountId {
        self.login.account_id
    }

    /// Submits an event that only prepares or completes the call.
    pub(crate) async fn aside(&self, urn: &str, params: Value) -> Result<Outcome, Stopped> {
        self.submit(RequestId(Uuid::new_v4()), urn, &params).await
    }

    async fn go(&self, given: &Given, plan: Plan<'_>) -> Result<Value, Stopped> {
        let behind = plan.behind(given);
        let Plan { steps, wishes, form, is_lenient } = plan;
        let mut outcome = self.take_all(steps, is_lenient).await?;
        for wish in wishes {
            grant(&self.call.worker, self.login.account_id, wish).await?;
        }
        outcome.conversation_id = outcome.conversation_id.or(given.id);
        match form {
            Form::Conversation => self.show(&mut outcome, behind).await?,
            Form::Own => outcome.stream = vec![self.own().await?],
            Form::Aliases => outcome.stream = self.aliases().await?,
            Form::Stream | Form::Contact | Form::Contacts(_) | Form::Ids(_) => {}
        }
        self.echo(&outcome);
        Ok(body(form, outcome, self.client_req_id))
    }

    /// Submits events, one behind the other; the first that is refused ends it.
    pub(crate) async fn carry(&self, steps: Vec<Step<'_>>) -> Result<Outcome, Stopped> {
        self.take_all(steps, false).await
    }

    async fn take_all(&self, steps: Vec<Step<'_>>, is_lenient: bool) -> Result<Outcome, Stopped> {
        let mut outcome = Outcome::default();
        for (at, step) in steps.into_iter().enumerate() {
            match self.take(at, step, &mut outcome).await {
                Err(Stopped::ByRule(_)) if is_lenient => {}
                taken => taken?,
            }
        }
        Ok(outcome)
    }

    /// Submits a step, and again for as long as its list goes on.
    async fn take(&self, at: usize, step: Step<'_>, outcome: &mut Outcome) -> Result<(), Stopped> {
        let (urn, pages) = (step.urn, if step.pages { PAGES_MAX } else { 1 });
        let mut params = self.complete(step, outcome).await?;
        outcome.extend(self.submit(self.request_id(at), urn, &params).await?);
        for _ in 1..pages {
            let Some(cursor) = outcome.cursor.take() else { break };
            params["sync_cursor"] = cursor;
            outcome.extend(self.aside(urn, params.clone()).await?);
        }
        Ok(())
    }

    /// The records of the caller's other addresses, and his own. An address that has only just become one of them may not
    /// have heard of it.
    pub(crate) async fn aliases(&self) -> Result<Vec<Value>, Stopped> {
        let own = self.own().await?;
        let ids: Vec<AccountId> =
            serde_json::from_value(own["alias_account_ids"].clone()).unwrap_or_default();
        let node = &self.call.worker.shared.node;
        for _ in 0..HEARD_LOOKS_MAX {
            if are_aliases(node, &ids).await.map_err(Refused::from)? {
                break;
            }
            tokio::time::sleep(HEARD_LOOK_INTERVAL).await;
        }
        let get = |id: &AccountId| ("contact:get", json!({ "account_id": id }));
        let mut stream = self.aside_all(ids.iter().map(get).collect()).await?;
        stream.push(own);
        Ok(stream)
    }

    /// The caller's own record as it is now.
    async fn own(&self) -> Result<Value, Refused> {
        let node = &self.call.worker.shared.node;
        let own = order(|reply| node.to_account(self.login.account_id, AskOwnContact { reply })).await?;
        serde_json::from_slice(&own.record)
            .map_err(|error| Refused::fault("an own contact is not JSON", error))
    }

    /// The first event has the call's own id, and those of the others follow from it, so that a retry does none twice.
    fn request_id(&self, at: usize) -> RequestId {
        match self.client_req_id {
            Some(id) if at == 0 => id,
            Some(RequestId(id)) => RequestId(Uuid::new_v5(&id, at.to_string().as_bytes())),
            None => RequestId(Uuid::new_v4()),
        }
    }

    /// Submits events that only read, together; what one of them is refused is left out.
    pub(crate) async fn aside_all(&self, events: Vec<(&str, Value)>) -> Result<Vec<Value>, Stopped> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let submissions =
            events.iter().map(|(urn, params)| submission(RequestId(Uuid::new_v4()), urn, params));
        let answer = self.store(submissions.collect::<Result<_, Refused>>()?).await?;
        Ok(answer.stream)
    }

    /// Submits one event and waits for its outcome.
    pub(crate) async fn submit(&self, id: RequestId, urn: &str, params: &Value) -> Result<Outcome, Stopped> {
        let answer = self.store(vec![submission(id, urn, params)?]).await?;
        let Some(request) = answer.requests.into_iter().next() else {
            return Err(Refused::fault("an answer has no request record", urn).into());
        };
        if request.status_code != 200 {
            return Err(Stopped::ByRule(request));
        }
        let Identifier { account_id, conversation_id, message_nr } = request.identifier;
        let (cursor, stream) = (request.sync_cursor, answer.stream);
        Ok(Outcome { account_id, conversation_id, message_nr, cursor, stream })
    }

    async fn store(&self, submissions: Vec<Submission>) -> Result<Answer, Refused> {
        let body = self.call.worker.store_for(self.purpose, &self.login, submissions).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Refused::fault("an answer is not of its own form", error))
    }

    /// The params of a step, with what had to be looked up.
    async fn complete(&self, step: Step<'_>, so_far: &Outcome) -> Result<Value, Stopped> {
        let mut params = step.params;
        if step.follows {
            let made = [
                ("conversation_id", so_far.conversation_id.map(|id| id.to_string().into())),
                ("message_nr", so_far.message_nr.map(Value::from)),
            ];
            params.extend(made.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        for blank in step.blanks {
            if let Some((key, value)) = self.fill(blank, &params).await? {
                params.insert(key.to_owned(), value);
            }
        }
        Ok(Value::Object(params))
    }

    async fn fill(
        &self,
        blank: Blank,
        params: &Map<String, Value>,
    ) -> Result<Option<(&'static str, Value)>, Stopped> {
        let conversation_id = &params.get("conversation_id");
        let conversation = || self.aside("conv:get", json!({ "conversation_id": conversation_id }));
        let message = |nr: &Value| {
            self.aside(
                "message:load_context",
                json!({ "conversation_id": conversation_id, "message_nr": nr }),
            )
        };
        Ok(match blank {
            Blank::People(key, emails) => {
                let mut ids = params.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
                ids.extend(self.people(emails).await?);
                Some((key, ids.into()))
            }
            Blank::Labels(names) => Some(("label_ids", self.labels(names).await?.into())),
            Blank::Managed => {
                let own = self.own().await?;
                let listed = |key: &str| params.get(key).and_then(Value::as_array).into_iter().flatten();
                let others: BTreeSet<&str> = listed("account_ids")
                    .filter_map(Value::as_str)
                    .filter(|id| own["account_id"] != *id)
                    .collect();
                let is_group = others.len() > 1 || listed("team_ids").next().is_some();
                (own["organisation_id"].is_string() && is_group).then_some(("is_managed", true.into()))
            }
            Blank::Shown => {
                let found = conversation().await?;
                found.records("conv").next().map(|conv| ("show_message_nr", conv["show_message_nr"].clone()))
            }
            Blank::DefaultSection => {
                let found = conversation().await?;
                let is_default = |section: &&Value| {
                    section["mk_section_subtype"].as_str().is_some_and(|kind| kind.ends_with(":default"))
                };
                found.records("section").find(is_default).map(|one| ("section_id", one["section_id"].clone()))
            }
            Blank::PinsBelow(nr) => {
                let found = message(&nr.into()).await?;
                let weight = found
                    .records("message")
                    .find(|one| one["message_nr"] == nr)
                    .map(|one| &one["pin_weight"]);
                let cursor = json!({ "conversation_id": conversation_id, "pin_weight": weight });
                Some(("sync_cursor", cursor.to_string().into()))
            }
            Blank::PinAbove(weight) => {
                let pins = json!({ "conversation_id": conversation_id, "limit": PINS_MAX });
                let found = self.aside("conv:pin:sync", pins).await?;
                let other = found
                    .records("message")
                    .filter(|pin| Some(&pin["message_nr"]) != params.get("message_nr"));
                let above =
                    other.filter(|pin| pin["pin_weight"].as_f64().is_some_and(|of| of > weight)).last();
                Some(("prev_message_nr", above.map_or(0.into(), |pin| pin["message_nr"].clone())))
            }
            Blank::File(attachment_id) => {
                let found = message(params.get("message_nr").unwrap_or(&Value::Null)).await?;
                let file = found.records("file").find(|file| file["attachment_id"] == *attachment_id);
                let file = file.ok_or_else(|| Refused::not_found("File"))?;
                Some(("attachment_urls", json!([file["file_url"]])))
            }
        })
    }

    /// The accounts of addresses.
    pub(crate) async fn people(&self, emails: Vec<String>) -> Result<Vec<Value>, Stopped> {
        let mut ids = Vec::with_capacity(emails.len());
        for email in emails {
            let found = self.aside("contact:lookup_by_email", json!({ "email": email })).await?;
            let id =
                found.account_id.ok_or_else(|| Refused::invalid_value(format!("{email}: not found.")))?;
            ids.push(id.to_string().into());
        }
        Ok(ids)
    }

    /// Completes the records of an answer that has a header: what happened behind the client's picture, and the header
    /// itself where the events told none.
    async fn show(&self, outcome: &mut Outcome, behind: Option<Value>) -> Result<(), Stopped> {
        let Some(id) = outcome.conversation_id else { return Ok(()) };
        if let Some(from) = behind {
            let event = json!({ "conversation_id": id, "fw_message_nr": from });
            // The events have taken effect: the answer only says less.
            if let Ok(forward) = self.aside("conv:sync_forward", event).await {
                outcome.extend(Outcome { message_nr: None, ..forward });
            }
        }
        if outcome.stream.iter().any(|record| is_header(record, id)) {
            return Ok(());
        }
        let shown = self.aside("conv:get", json!({ "conversation_id": id })).await?;
        let mut header = shown.stream.into_iter().find(|record| is_header(record, id));
        header.iter_mut().for_each(without_window);
        outcome.stream.extend(header);
        Ok(())
    }

    /// Tells the poll, behind all that the call changed, that it is done (protocol.md §1.5.3).
    fn echo(&self, outcome: &Outcome) {
        let Some(RequestId(id)) = self.client_req_id else { return };
        let record = record::complete(&request::Request {
            client_req_id: Some(&id.to_string()),
            mk_event_type: None,
            status_code: None,
            error_id: None,
            error_message: None,
            identifier: None,
            sync_cursor: None,
            conversation_id: outcome.conversation_id.map(ConversationId),
            result_message_nr: outcome.message_nr,
        });
        let lane = self.call.worker.http_session(&self.login).lane;
        let item = Item::Pieces(lane, vec![Piece::Shared(record.into())]);
        self.call.worker.shared.node.inboxes.put_on_worker(item);
    }
}

fn submission(id: RequestId, urn: &str, params: &Value) -> Result<Submission, Refused> {
    let params = serde_json::value::to_raw_value(params)
        .map_err(|error| Refused::fault("params cannot be written", error))?;
    let event = ClientEvent::decode(&format!("{URN}{urn}"), &params).map_err(Refused::from)?;
    Ok(Submission {
        client_req_id: Some(id),
        client_req_id_echo: None,
        mk_event_type: Cow::Borrowed(event.urn()),
        event: Ok(event),
    })
}

/// A header that leaves a client's window of the conversation where it is.
pub(crate) fn without_window(record: &mut Value) {
    if record["mk_rec_type"] == "conv"
        && let Value::Object(header) = record
    {
        header.retain(|key, _| !OF_A_FRESH_CLIENT.contains(&key.as_str()));
    }
}

fn is_header(record: &Value, conversation_id: Uuid) -> bool {
    record["mk_rec_type"] == "conv"
        && record["conversation_id"].as_str().and_then(|id| Uuid::try_parse(id).ok()) == Some(conversation_id)
}

fn body(form: Form, outcome: Outcome, client_req_id: Option<RequestId>) -> Value {
    let Outcome { conversation_id, message_nr, mut stream, .. } = outcome;
    let mut body = Map::new();
    match form {
        Form::Conversation => {
            let header = conversation_id.and_then(|id| take_header(&mut stream, id));
            body.extend(header.map(|header| ("header".to_owned(), header)));
            body.insert("stream".to_owned(), stream.into());
        }
        Form::Stream => drop(body.insert("stream".to_owned(), stream.into())),
        Form::Aliases => {
            body.insert("failed".to_owned(), Value::Null);
            body.insert("stream".to_owned(), stream.into());
        }
        Form::Own => {
            body = last_contact(&stream);
            body.insert("stream".to_owned(), stream.into());
        }
        Form::Contact => body = last_contact(&stream),
        Form::Contacts(wanted) => {
            stream.retain(|record| record["mk_rec_type"] == "contact" && wanted.has(record));
            body.insert("contacts".to_owned(), stream.into());
        }
        Form::Ids(ids) => {
            let ids: Vec<Value> = ids.iter().map(|id| id.to_string().into()).collect();
            body.insert("contacts".to_owned(), ids.into());
            body.insert("stream".to_owned(), stream.into());
        }
    }
    if let Some(message_nr) = message_nr {
        body.insert("result_message_nr".to_owned(), message_nr.into());
    }
    if let Some(RequestId(id)) = client_req_id {
        body.insert("client_req_id".to_owned(), id.to_string().into());
    }
    Value::Object(body)
}

/// Takes the headers of a conversation out; a later one has only what changed since.
fn take_header(stream: &mut Vec<Value>, id: Uuid) -> Option<Value> {
    let headers: Vec<Value> = stream.extract_if(.., |record| is_header(record, id)).collect();
    headers.into_iter().reduce(|mut header, newer| {
        if let (Value::Object(header), Value::Object(newer)) = (&mut header, newer) {
            header.extend(newer);
        }
        header
    })
}

/// The newest `contact` record.
fn last_contact(stream: &[Value]) -> Map<String, Value> {
    let contact = stream.iter().rfind(|record| record["mk_rec_type"] == "contact");
    contact.and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::plan::Wanted;
    use super::{Form, Outcome, body};

    #[test]
    fn the_header_is_taken_out_of_the_stream() {
        let id = Uuid::from_u128(7);
        let stream = vec![
            json!({"mk_rec_type": "contact", "account_id": "x"}),
            json!({"mk_rec_type": "conv", "conversation_id": Uuid::from_u128(8)}),
            json!({"mk_rec_type": "conv", "conversation_id": id, "topic": "t", "unread_count": 1}),
            json!({"mk_rec_type": "message", "message_nr": 2}),
            json!({"mk_rec_type": "conv", "conversation_id": id, "unread_count": 0}),
        ];
        let outcome = || Outcome {
            conversation_id: Some(id),
            message_nr: Some(2),
            stream: stream.clone(),
            ..Outcome::default()
        };
        let whole = body(Form::Conversation, outcome(), None);
        assert_eq!((&whole["header"]["topic"], &whole["header"]["unread_count"]), (&json!("t"), &json!(0)));
        assert_eq!(whole["stream"].as_array().map(Vec::len), Some(3));
        assert_eq!(whole["result_message_nr"], 2);
        assert_eq!(whole.get("client_req_id"), None);
        assert_eq!(body(Form::Stream, outcome(), None).get("header"), None);
    }

    #[test]
    fn contacts_are_answered_alone_or_as_a_list_of_those_that_are_wanted() {
        let contact = |nr: u128, name: &str| json!({"mk_rec_type": "contact", "account_id": Uuid::from_u128(nr), "display_name": name});
        let stream = vec![contact(1, "Ada"), contact(2, "Bob"), contact(2, "Robert"), contact(3, "Ada B")];
        let answered = |form| body(form, Outcome { stream: stream.clone(), ..Outcome::default() }, None);
        assert_eq!(answered(Form::Contact), contact(3, "Ada B"));
        assert_eq!(answered(Form::Own)["stream"], json!(stream));
        let wanted = Wanted { ignored: vec![Uuid::from_u128(1)], text: Some("ada".to_owned()) };
        assert_eq!(answered(Form::Contacts(wanted)), json!({"contacts": [contact(3, "Ada B")]}));
        let ids = vec![Uuid::from_u128(2)];
        assert_eq!(answered(Form::Ids(ids.clone())), json!({ "contacts": ids, "stream": stream }));
    }
}
