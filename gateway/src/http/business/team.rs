//! The calls of an organisation's admins that show its teams, and the one that takes a team's people in (accounts.md §8.5).
//!
//! Not here: making and changing teams ([`crate::http::team`]); rules.

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use rill_actors::organisation::sight::{administered, sight};
use rill_actors::organisation::{Configure, Order, holdings};
use rill_actors::team::comparison::{Difference, compare};
use rill_actors::team::{self, Call as TeamCall};
use rill_proto::id::{AccountId, ConversationId, OrganisationId, TeamId};
use serde_json::json;

use super::{stream, to_organisation};
use crate::http::legacy::{Given, Legacy, Stopped};
use crate::http::{Call, json as answer, order};
use crate::refuse::Refused;
use crate::routes::post;

/// How many teams one call asks about: a screen of a list, many times over.
const TEAMS_PER_CALL_MAX: usize = 500;

/// The paths of this family.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/business/sync_teams/{id}", sync));
    config.service(post("/api/business/get_teams/{id}", get));
    config.service(post("/api/business/get_conversation_teams/{id}", of_conversation));
    config.service(post("/api/business/diff_team/{id}", diff));
    config.service(post("/api/business/invite_team/{id}", invite));
}

/// The organisation of the path, whose admin the caller is.
async fn office(call: &Call) -> Result<(OrganisationId, AccountId), Refused> {
    let caller = call.admit_by_body().await?.account_id;
    let id = OrganisationId(call.path_id()?);
    administered(sight(&*call.worker.shared.node.store, id).await?, caller)?;
    Ok((id, caller))
}

/// Those of some teams that the organisation manages.
async fn shown(
    call: &Call,
    (organisation_id, caller): (OrganisationId, AccountId),
    ids: Vec<TeamId>,
) -> Result<HttpResponse, Refused> {
    let node = &call.worker.shared.node;
    let mut records = Vec::new();
    for id in ids {
        let what = team::Order::Survey { organisation_id };
        let asked = |reply| node.to_team(id, TeamCall { caller, request_id: None, what, reply });
        match order(asked).await {
            Ok(shown) => records.extend(shown),
            // Another one's is left out.
            Err(refused) if refused.is_not_found() => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(stream(&records))
}

async fn sync(call: Call) -> Result<HttpResponse, Refused> {
    let asking = office(&call).await?;
    let ids = holdings::teams(&call.worker.shared.node, asking.0).await?;
    shown(&call, asking, ids).await
}

async fn get(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let asking = office(&call).await?;
    let ids = given.ids("team_ids")?;
    if ids.len() > TEAMS_PER_CALL_MAX {
        return Err(Refused::bad_request(format!("team_ids: at most {TEAMS_PER_CALL_MAX} teams.")));
    }
    shown(&call, asking, ids.into_iter().map(TeamId).collect()).await
}

async fn of_conversation(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let asking = office(&call).await?;
    let id = given.id("conversation_id")?;
    let id = id.ok_or_else(|| Refused::bad_request("conversation_id: an id is needed."))?;
    let ids = holdings::teams_of(&call.worker.shared.node, asking.0, ConversationId(id)).await?;
    shown(&call, asking, ids).await
}

/// The team that a call names, beside the organisation.
async fn difference(
    call: &Call,
    given: &Given,
    (id, caller): (OrganisationId, AccountId),
) -> Result<(TeamId, Difference), Refused> {
    let team_id = given.id("team_id")?;
    let team_id = team_id.ok_or_else(|| Refused::bad_request("team_id: an id is needed."))?;
    let found = compare(&*call.worker.shared.node.store, TeamId(team_id), id, caller).await?;
    Ok((TeamId(team_id), found.ok_or_else(|| Refused::not_found("Team"))?))
}

/// Who is in the team and not in the organisation, and the other way round.
async fn diff(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let asking = office(&call).await?;
    let (_, difference) = difference(&call, &given, asking).await?;
    let body = json!({
        "add_to_org_account_ids": difference.outside,
        "add_to_team_account_ids": difference.missing,
    });
    Ok(answer(body.to_string()))
}

/// Invites everybody in the team into the organisation, and puts the team and its conversations under it.
async fn invite(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    match invited(&call, &legacy, &given).await {
        Ok(records) => Ok(stream(&records)),
        Err(stopped) => stopped.into_response(),
    }
}

async fn invited(call: &Call, legacy: &Legacy<'_>, given: &Given) -> Result<Vec<Bytes>, Stopped> {
    let asking = office(call).await?;
    let (organisation_id, caller) = asking;
    let (team_id, difference) = difference(call, given, asking).await?;
    // The team comes to know whose invitation is open from what the organisation says by then.
    let people = Configure { add_account_ids: difference.outside, ..Configure::default() };
    let what = Order::Configure(Box::new(people));
    let staff = to_organisation(&call.worker, organisation_id, caller, None, what).await?;
    let wanted = team::Configure {
        is_managed: Some(true),
        organisation_id: Some(organisation_id),
        ..Default::default()
    };
    let what = team::Order::Configure(Box::new(wanted));
    let node = &call.worker.shared.node;
    let team =
        order(|reply| node.to_team(team_id, TeamCall { caller, request_id: None, what, reply })).await?;
    for id in difference.conversations {
        // Where the caller is not in one, or another organisation manages it, it stays as it is.
        match legacy.aside("conv:set_managed", json!({ "conversation_id": id })).await {
            Ok(_) | Err(Stopped::ByRule(_)) => {}
            Err(stopped) => return Err(stopped),
        }
    }
    let (header, members) = staff.split_first().ok_or_else(|| Refused::not_found("Organisation"))?;
    Ok([header].into_iter().chain(&team).chain(members).cloned().collect())
}
