//! The calls of an organisation's admins on the conversations that it manages (accounts.md §9.6): the same events as
//! everybody's, answered with the conversation as the organisation is shown it.
//!
//! Not here: rules. Who acts for an organisation is its admin; what he may do to a conversation is the conversation's.

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use rill_actors::organisation::holdings::{self, Desk, Survey};
use rill_actors::organisation::sight::{Sight, administered, sight};
use rill_proto::id::{AccountId, ConversationId, OrganisationId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::stream;
use crate::http::conversation::govern;
use crate::http::legacy::{Given, Legacy, Step, Stopped};
use crate::http::{Call, json as answer};
use crate::refuse::Refused;
use crate::routes::post;

/// How many conversations one call asks about: a page, several times over.
const CONVERSATIONS_PER_CALL_MAX: usize = 100;

/// The paths of this family.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/business/create_conversation/{id}", create));
    config.service(post("/api/business/store_conversation/{id}", store));
    config.service(post("/api/business/store_conversation/{id}/{conversation_id}", store));
    config.service(post("/api/business/sync_conversations/{id}", sync));
    config.service(post("/api/business/get_conversations/{id}", get));
}

/// An organisation, and the admin of it who asks.
pub(super) struct Office<'a> {
    call: &'a Call,
    id: OrganisationId,
    sight: Sight,
    caller: AccountId,
}

impl<'a> Office<'a> {
    /// The organisation that the path names.
    pub(super) async fn of(call: &'a Call, caller: AccountId) -> Result<Self, Refused> {
        let id = OrganisationId(call.path_id()?);
        let found = sight(&*call.worker.shared.node.store, id).await?;
        Ok(Self { call, id, sight: administered(found, caller)?, caller })
    }

    fn desk(&self) -> Desk<'_> {
        Desk { id: self.id, sight: &self.sight, viewer: self.caller }
    }

    /// A conversation, whoever manages it.
    async fn survey(&self, id: ConversationId) -> Result<Option<Survey>, Refused> {
        Ok(holdings::conversation(&self.call.worker.shared.node, self.desk(), id).await?)
    }

    fn has(&self, survey: &Survey) -> bool {
        survey.organisation_id == Some(self.id)
    }

    /// Submits events on a conversation, and shows what it has become.
    async fn carry(
        &self,
        legacy: &Legacy<'_>,
        id: Option<Uuid>,
        steps: Vec<Step<'_>>,
    ) -> Result<HttpResponse, Stopped> {
        let outcome = legacy.carry(steps).await?;
        let mut records = Vec::new();
        if let Some(id) = id.or(outcome.conversation_id()) {
            let survey = self.survey(ConversationId(id)).await?;
            records.extend(survey.map(|survey| survey.record));
        }
        records.extend(outcome.stream.iter().map(|record| Bytes::from(record.to_string())));
        Ok(stream(&records))
    }
}

/// A conversation that the organisation manages from the beginning; whoever makes it is in it and its admin.
async fn create(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let office = Office::of(&call, legacy.caller()).await?;
    let made = Step::new(&given, "conv:create", None).takes(&["topic", "team_ids"]);
    let made = made.people(&["account_ids"], &["emails"])?.with("is_managed", true);
    office.carry(&legacy, None, vec![made]).await.or_else(Stopped::into_response)
}

/// Any mix of changes of one that the organisation manages, or is to manage. The body names it, or the path.
async fn store(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let office = Office::of(&call, legacy.caller()).await?;
    let named = call.request.match_info().get("conversation_id").and_then(|id| Uuid::try_parse(id).ok());
    let id = named.map_or_else(|| given.id("conversation_id"), |id| Ok(Some(id)))?;
    let id = id.ok_or_else(|| Refused::bad_request("conversation_id: an id is needed."))?;
    let survey = office.survey(ConversationId(id)).await?;
    let becomes_its = given.flag("is_managed")? == Some(true);
    let is_meant = |survey: &Survey| office.has(survey) || (becomes_its && survey.organisation_id.is_none());
    survey.filter(is_meant).ok_or_else(|| Refused::not_found("Conversation"))?;
    let given = given.on(id);
    let steps = govern(&given)?;
    office.carry(&legacy, Some(id), steps).await.or_else(Stopped::into_response)
}

/// A page of all that the organisation manages.
async fn sync(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let office = Office::of(&call, caller).await?;
    let after = cursor(&given)?;
    let page = holdings::conversations(&call.worker.shared.node, office.desk(), after).await?;
    let records: Vec<Value> =
        page.records.iter().filter_map(|record| serde_json::from_slice(record).ok()).collect();
    let rest = page.rest.map_or_else(|| json!({}), |id| json!({ "conversation_id": id }));
    Ok(answer(json!({ "stream": records, "sync_cursor": rest.to_string() }).to_string()))
}

/// Behind which conversation a page begins: a cursor is JSON, as a text or as it is.
fn cursor(given: &Given) -> Result<Option<ConversationId>, Refused> {
    let wrong = || Refused::bad_request("sync_cursor: what an earlier answer said is needed.");
    let parsed = match given.value("sync_cursor") {
        None => return Ok(None),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| wrong())?,
        Some(value) => value.clone(),
    };
    match parsed.get("conversation_id") {
        None if parsed.is_object() => Ok(None),
        None => Err(wrong()),
        Some(id) => {
            let id = id.as_str().and_then(|id| Uuid::try_parse(id).ok()).ok_or_else(wrong)?;
            Ok(Some(ConversationId(id)))
        }
    }
}

/// Some of what the organisation manages; what it does not is left out.
async fn get(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let office = Office::of(&call, caller).await?;
    let ids = given.ids("conversation_ids")?;
    if ids.len() > CONVERSATIONS_PER_CALL_MAX {
        let what = format!("conversation_ids: at most {CONVERSATIONS_PER_CALL_MAX} conversations.");
        return Err(Refused::bad_request(what));
    }
    let mut records = Vec::new();
    for id in ids {
        let survey = office.survey(ConversationId(id)).await?;
        records.extend(survey.filter(|survey| office.has(survey)).map(|survey| survey.record));
    }
    Ok(stream(&records))
}
