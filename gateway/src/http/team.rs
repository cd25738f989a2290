//! The calls on teams that no event twins (accounts.md §8.5): each is one order to the team. A conversation decides itself
//! whether it has a team, so that what a call says of conversations goes to them as the events that it is.
//!
//! Not here: rules; they are with the owners.

use std::rc::Rc;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use rill_actors::account::memberships::teams;
use rill_actors::conversation::rehearsal::rehearse;
use rill_actors::team::sight::{Sight, sight};
use rill_actors::team::{Call as TeamCall, Configure, Create, Order};
use rill_proto::event::{ClientEvent, conv};
use rill_proto::id::{AccountId, ConversationId, OrganisationId, RequestId, TeamId};
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

use super::business::{made, name, people, stream};
use super::legacy::{Given, Legacy, Stopped};
use super::{Call, order};
use crate::refuse::Refused;
use crate::routes::post;
use crate::worker::Worker;

/// How many teams one call asks about: a screen of a list, many times over.
const TEAMS_PER_CALL_MAX: usize = 500;

/// How many conversations one call puts a team into, or takes it out of: each is read as a whole before anything is changed.
const CONVERSATIONS_PER_CALL_MAX: usize = 50;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/team/create", create));
    config.service(post("/api/team/configure/{id}", configure));
    config.service(post("/api/team/remove/{id}", remove));
    config.service(post("/api/team/sync/{id}", sync));
    config.service(post("/api/team/autojoin", autojoin));
    config.service(post("/api/account/sync_teams", sync_own));
    config.service(post("/api/conversation/sync_teams/{id}", sync_of_conversation));
    config.service(post("/api/business/create_team/{id}", create_managed));
    config.service(post("/api/business/store_team/{id}", store_managed));
    config.service(post("/api/business/store_team/{id}/{team_id}", store_managed));
}

/// Gives an order to a team.
async fn to_team(
    worker: &Rc<Worker>,
    id: TeamId,
    caller: AccountId,
    request_id: Option<RequestId>,
    what: Order,
) -> Result<Vec<Bytes>, Refused> {
    let node = &worker.shared.node;
    order(|reply| node.to_team(id, TeamCall { caller, request_id, what, reply })).await
}

/// What a call comes to, or why it does not.
fn ended(outcome: Result<Vec<Bytes>, Stopped>) -> Result<HttpResponse, Refused> {
    match outcome {
        Ok(records) => Ok(stream(&records)),
        Err(stopped) => stopped.into_response(),
    }
}

/// A conversation that is to take a team, or to let it go.
#[derive(Clone, Copy)]
struct Placing {
    conversation_id: ConversationId,
    team_id: TeamId,
    is_added: bool,
}

impl Placing {
    fn event(self) -> ClientEvent {
        let Self { conversation_id, team_id, is_added } = self;
        ClientEvent::Conv(if is_added {
            conv::Event::AddTeam(conv::AddTeam { conversation_id, team_id })
        } else {
            conv::Event::RemoveTeam(conv::RemoveTeam { conversation_id, team_id })
        })
    }
}

/// What a call wants of conversations.
fn placings(team_id: TeamId, added: &[Uuid], removed: &[Uuid]) -> Result<Vec<Placing>, Refused> {
    if added.len() + removed.len() > CONVERSATIONS_PER_CALL_MAX {
        let what = format!("at most {CONVERSATIONS_PER_CALL_MAX} conversations in one call.");
        return Err(Refused::bad_request(what));
    }
    let all = added.iter().map(|id| (id, true)).chain(removed.iter().map(|id| (id, false)));
    let placing =
        |(id, is_added): (&Uuid, bool)| Placing { conversation_id: ConversationId(*id), team_id, is_added };
    Ok(all.map(placing).collect())
}

/// Makes sure, before anything is changed, that no conversation will refuse when the team is so. Answers with what those are
/// called that will take it.
async fn rehearsed(
    legacy: &Legacy<'_>,
    placings: &[Placing],
    team: &Sight,
) -> Result<Vec<(ConversationId, String)>, Refused> {
    let node = &legacy.call.worker.shared.node;
    let mut called = Vec::with_capacity(placings.len());
    for placing in placings {
        let (id, event) = (placing.conversation_id, placing.event());
        let decision = rehearse(node, id, legacy.caller(), &event, team.clone()).await??;
        called.extend(decision.takes_team().map(|topic| (id, topic.to_owned())));
    }
    Ok(called)
}

/// Asks the conversations.
async fn place(legacy: &Legacy<'_>, placings: Vec<Placing>) -> Result<Vec<Bytes>, Stopped> {
    let mut records = Vec::new();
    for Placing { conversation_id, team_id, is_added } in placings {
        let params = json!({ "conversation_id": conversation_id, "team_id": team_id });
        let urn = if is_added { "conv:add_team" } else { "conv:remove_team" };
        let outcome = legacy.aside(urn, params).await?;
        records.extend(outcome.stream.iter().map(|record| Bytes::from(record.to_string())));
    }
    Ok(records)
}

async fn create(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    ended(make(&call, &legacy, &given, None).await)
}

async fn create_managed(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let organisation_id = OrganisationId(call.path_id()?);
    ended(make(&call, &legacy, &given, Some(organisation_id)).await)
}

async fn make(
    call: &Call,
    legacy: &Legacy<'_>,
    given: &Given,
    organisation_id: Option<OrganisationId>,
) -> Result<Vec<Bytes>, Stopped> {
    let team_name = name(given, "team_name")?.unwrap_or_default().to_owned();
    if team_name.is_empty() {
        return Err(Refused::from(Refusal::invalid_call("team_name", "a name is needed")).into());
    }
    let mut wanted = Create {
        team_name,
        account_ids: people(legacy, given, &["account_ids"], "emails").await?,
        is_autojoin: given.flag("is_autojoin")?.unwrap_or(false),
        is_managed: given.flag("is_managed")?,
        is_org_wide: given.flag("is_org_wide")?.unwrap_or(false),
        organisation_id,
        conversations: Vec::new(),
    };
    let caller = legacy.caller();
    let id = TeamId(made(call, given, caller)?);
    let placings = placings(id, &given.ids("conversations")?, &[])?;
    wanted.conversations = rehearsed(legacy, &placings, &Sight::wanted(id, caller, &wanted)).await?;
    let mut records = to_team(&call.worker, id, caller, None, Order::Create(Box::new(wanted))).await?;
    records.extend(place(legacy, placings).await?);
    Ok(records)
}

async fn configure(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let id = TeamId(call.path_id()?);
    ended(change(&call, &legacy, &given, id, None).await)
}

/// The team is named by the body, or by the path behind the organisation.
async fn store_managed(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let organisation_id = OrganisationId(call.path_id()?);
    let named = call.request.match_info().get("team_id").and_then(|id| Uuid::try_parse(id).ok());
    let id = named.map_or_else(|| given.id("team_id"), |id| Ok(Some(id)))?;
    let id = id.ok_or_else(|| Refused::bad_request("team_id: an id is needed."))?;
    ended(change(&call, &legacy, &given, TeamId(id), Some(organisation_id)).await)
}

async fn change(
    call: &Call,
    legacy: &Legacy<'_>,
    given: &Given,
    id: TeamId,
    organisation_id: Option<OrganisationId>,
) -> Result<Vec<Bytes>, Stopped> {
    let ids = |key: &str| -> Result<Vec<AccountId>, Refused> {
        Ok(given.ids(key)?.into_iter().map(AccountId).collect())
    };
    let wanted = Configure {
        add_account_ids: people(legacy, given, &["add_account_ids"], "add_emails").await?,
        remove_account_ids: people(legacy, given, &["remove_account_ids"], "remove_emails").await?,
        kick_account_ids: ids("kick_account_ids")?,
        team_name: name(given, "team_name")?.map(str::to_owned),
        is_autojoin: given.flag("is_autojoin")?,
        add_admin_ids: ids("add_admin_ids")?,
        remove_admin_ids: ids("remove_admin_ids")?,
        is_managed: given.flag("is_managed")?,
        is_org_wide: given.flag("is_org_wide")?,
        is_deleted: organisation_id.is_some() && given.flag("is_deleted")?.unwrap_or(false),
        organisation_id,
    };
    let caller = legacy.caller();
    let (added, removed) = (given.ids("add_conversations")?, given.ids("remove_conversations")?);
    if wanted.is_deleted && !(added.is_empty() && removed.is_empty()) {
        return Err(
            Refused::bad_request("is_deleted: no conversations may be named, it leaves them all.").into()
        );
    }
    let placings = placings(id, &added, &removed)?;
    if !placings.is_empty() {
        let node = &call.worker.shared.node;
        let team = sight(&*node.store, id).await.map_err(Refused::from)?;
        let team = team.ok_or_else(|| Refused::not_found("Team"))?;
        rehearsed(legacy, &placings, &team.configured(caller, &wanted)).await?;
    }
    let request_id = given.id("client_req_id")?.map(RequestId);
    let what = Order::Configure(Box::new(wanted));
    let mut records = to_team(&call.worker, id, caller, request_id, what).await?;
    records.extend(place(legacy, placings).await?);
    Ok(records)
}

async fn remove(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let request_id = given.id("client_req_id")?.map(RequestId);
    let what = Order::Configure(Box::new(Configure { is_deleted: true, ..Configure::default() }));
    Ok(stream(&to_team(&call.worker, TeamId(call.path_id()?), caller, request_id, what).await?))
}

async fn sync(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let what = Order::Sync { conversation_id: given.id("conversation_id")?.map(ConversationId) };
    Ok(stream(&to_team(&call.worker, TeamId(call.path_id()?), caller, None, what).await?))
}

/// The team is named by its id, or by its link; the last part of a link is the id without its dashes.
async fn autojoin(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let key = given.text("team_url_key")?.unwrap_or_default();
    let key = key.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let id = Uuid::try_parse(key).map_err(|_| Refused::not_found("Team"))?;
    Ok(stream(&to_team(&call.worker, TeamId(id), caller, None, Order::Autojoin).await?))
}

/// Those of some teams that the caller may know of.
async fn known(
    call: &Call,
    caller: AccountId,
    ids: Vec<TeamId>,
    conversation_id: Option<ConversationId>,
) -> Result<HttpResponse, Refused> {
    let mut records = Vec::new();
    for id in ids {
        match to_team(&call.worker, id, caller, None, Order::Sync { conversation_id }).await {
            Ok(shown) => records.extend(shown),
            // One that he may not know of is left out.
            Err(refused) if refused.is_not_found() => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(stream(&records))
}

async fn sync_own(call: Call) -> Result<HttpResponse, Refused> {
    let caller = call.admit_by_body().await?.account_id;
    let ids = teams(&*call.worker.shared.node.store, caller).await?;
    known(&call, caller, ids, None).await
}

async fn sync_of_conversation(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let ids = given.ids("team_ids")?;
    if ids.len() > TEAMS_PER_CALL_MAX {
        return Err(Refused::bad_request(format!("team_ids: at most {TEAMS_PER_CALL_MAX} teams.")));
    }
    let ids = ids.into_iter().map(TeamId).collect();
    known(&call, caller, ids, Some(ConversationId(call.path_id()?))).await
}
