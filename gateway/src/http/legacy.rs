//! The older calls in terms of events: each submits the event that says the same, through the same session, and puts the
//! outcome into the form of protocol.md §6 (`{header, stream, …}`).
//!
//! Not here: which call is which event (that is in the families), and rules.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use rill_actors::account::login::Login;
use rill_proto::envelope::Submission;
use rill_proto::event::ClientEvent;
use rill_proto::id::RequestId;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Call, json};
use crate::refuse::Refused;

/// What `event/store` answers.
#[derive(Deserialize)]
struct Answer {
    requests: Vec<Request>,
    stream: Vec<Value>,
}

#[derive(Deserialize)]
pub(super) struct Request {
    status_code: u16,
    #[serde(default)]
    error_id: String,
    #[serde(default)]
    error_message: String,
    #[serde(default)]
    identifier: Identifier,
}

#[derive(Default, Deserialize)]
pub(super) struct Identifier {
    account_id: Option<Uuid>,
    conversation_id: Option<Uuid>,
    message_nr: Option<u64>,
}

/// An older call on its way.
pub(super) struct Legacy<'a> {
    /// The call.
    pub(super) call: &'a Call,
    /// Who asks.
    pub(super) login: Login,
    /// What makes a retry safe; the caller need not give one.
    client_req_id: Option<RequestId>,
}

/// The outcome of one event that was carried out.
pub(super) struct Outcome {
    /// The conversation that it concerned.
    pub(super) conversation_id: Option<Uuid>,
    /// The account that it concerned.
    pub(super) account_id: Option<Uuid>,
    message_nr: Option<u64>,
    stream: Vec<Value>,
}

impl Outcome {
    /// Another event followed, on the same conversation; its records are newer.
    pub(super) fn extend(&mut self, next: Self) {
        self.message_nr = next.message_nr.or(self.message_nr);
        self.stream.extend(next.stream);
    }
}

/// Why an older call is not carried out.
pub(super) enum Stopped {
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
    pub(super) fn into_response(self) -> Result<HttpResponse, Refused> {
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

impl<'a> Legacy<'a> {
    /// Checks who asks.
    pub(super) async fn admit(call: &'a Call, client_req_id: Option<RequestId>) -> Result<Self, Refused> {
        Ok(Self { call, login: call.admit_by_body().await?, client_req_id })
    }

    /// Submits the event that the call stands for, and waits for its outcome.
    pub(super) async fn submit(&self, urn: &str, params: &Value) -> Result<Outcome, Stopped> {
        let id = self.client_req_id.unwrap_or_else(|| RequestId(Uuid::new_v4()));
        self.submit_as(id, urn, params).await
    }

    /// Submits an event that changes nothing and only prepares the call.
    pub(super) async fn aside(&self, urn: &str, params: &Value) -> Result<Outcome, Stopped> {
        self.submit_as(RequestId(Uuid::new_v4()), urn, params).await
    }

    /// Submits the second event of a call. Its id follows from the call's, so that a retry does neither twice.
    pub(super) async fn follow(&self, urn: &str, params: &Value) -> Result<Outcome, Stopped> {
        let id =
            self.client_req_id.map_or_else(Uuid::new_v4, |RequestId(id)| Uuid::new_v5(&id, urn.as_bytes()));
        self.submit_as(RequestId(id), urn, params).await
    }

    async fn submit_as(&self, id: RequestId, urn: &str, params: &Value) -> Result<Outcome, Stopped> {
        let params = serde_json::value::to_raw_value(params)
            .map_err(|error| Refused::fault("params cannot be written", error))?;
        let event = ClientEvent::decode(urn, &params).map_err(Refused::from)?;
        let submission = Submission {
            client_req_id: Some(id),
            client_req_id_echo: None,
            mk_event_type: Cow::Borrowed(event.urn()),
            event: Ok(event),
        };
        let body = self.call.store(&self.login, vec![submission]).await?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| Refused::fault("an answer is not of its own form", error))?;
        let Some(request) = answer.requests.into_iter().next() else {
            return Err(Refused::fault("an answer has no request record", urn).into());
        };
        if request.status_code != 200 {
            return Err(Stopped::ByRule(request));
        }
        let Identifier { account_id, conversation_id, message_nr } = request.identifier;
        Ok(Outcome { conversation_id, account_id, message_nr, stream: answer.stream })
    }

    /// Submits one event and answers with what it changed.
    pub(super) async fn carry_out(&self, urn: &str, params: &Value) -> Result<HttpResponse, Refused> {
        match self.submit(urn, params).await {
            Ok(outcome) => Ok(self.respond(outcome)),
            Err(stopped) => stopped.into_response(),
        }
    }

    /// The answer in the older form.
    pub(super) fn respond(&self, outcome: Outcome) -> HttpResponse {
        json(body(outcome, self.client_req_id).to_string())
    }
}

fn body(outcome: Outcome, client_req_id: Option<RequestId>) -> Value {
    let mut body = Map::new();
    let is_header = |record: &Value| {
        record.get("mk_rec_type").is_some_and(|kind| kind == "conv")
            && record.get("conversation_id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok())
                == outcome.conversation_id
    };
    let mut stream = outcome.stream;
    if let Some(at) = stream.iter().position(is_header) {
        let mut header = stream.remove(at);
        // A later header of the same conversation has only what changed since.
        while let Some(at) = stream.iter().position(is_header) {
            if let (Value::Object(header), Value::Object(newer)) = (&mut header, stream.remove(at)) {
                header.extend(newer);
            }
        }
        body.insert("header".to_owned(), header);
    }
    body.insert("stream".to_owned(), Value::Array(stream));
    if let Some(message_nr) = outcome.message_nr {
        body.insert("result_message_nr".to_owned(), message_nr.into());
    }
    if let Some(RequestId(id)) = client_req_id {
        body.insert("client_req_id".to_owned(), id.to_string().into());
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::{Outcome, body};

    #[test]
    fn the_header_is_taken_out_of_the_stream() {
        let id = Uuid::from_u128(7);
        let stream = vec![
            json!({"mk_rec_type": "contact", "account_id": "x"}),
            json!({"mk_rec_type": "conv", "conversation_id": Uuid::from_u128(8)}),
            json!({"mk_rec_type": "conv", "conversation_id": id, "topic": "t"}),
            json!({"mk_rec_type": "message", "message_nr": 2}),
        ];
        let body =
            body(Outcome { conversation_id: Some(id), account_id: None, message_nr: Some(2), stream }, None);
        assert_eq!(body["header"]["topic"], "t");
        assert_eq!(body["stream"].as_array().map(Vec::len), Some(3));
        assert_eq!(body["result_message_nr"], 2);
        assert_eq!(body.get("client_req_id"), None);
    }
}
