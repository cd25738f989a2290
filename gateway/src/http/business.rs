//! The calls on organisations that no event twins (accounts.md §9.6): each is one order to the organisation, behind what the
//! caller's own account decides.
//!
//! Not here: rules; they are with the owners.

use std::rc::Rc;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use rill_actors::account::login::AskOwnContact;
use rill_actors::account::memberships::reminders;
use rill_actors::account::wish::Wish;
use rill_actors::organisation::sight::{administered, sight};
use rill_actors::organisation::{Call as OrganisationCall, Configure, Order};
use rill_proto::id::{AccountId, OrganisationId, RequestId};
use rill_proto::refusal::Refusal;
use serde_json::Value;
use uuid::Uuid;

use super::enrolment::{grant, link};
use super::legacy::{Given, Legacy, Stopped};
use super::{Call, json as answer, order};
use crate::refuse::Refused;
use crate::routes::post;
use crate::velocity::Kind;
use crate::worker::Worker;

mod conversation;
mod team;

/// The longest name of an organisation or a team: as long as a person's, and lists must stay readable.
const NAME_CHARS_MAX: usize = 128;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/business/create", create));
    config.service(post("/api/business/configure/{id}", configure));
    config.service(post("/api/business/sync/{id}", sync));
    config.service(post("/api/business/sync_changelog/{id}", sync_changelog));
    config.service(post("/api/business/close/{id}", close));
    config.service(post("/api/business/join/{id}", join));
    config.service(post("/api/business/decline_invite", decline_invite));
    config.service(post("/api/business/decline_invite/{id}", decline_invite));
    config.service(post("/api/business/sync_billing/{id}", sync_billing));
    config.service(post("/api/business/reset_password/{id}", reset_password));
    config.service(post("/api/account/click_reminder", click_reminder));
    config.service(post("/api/account/sync_reminders", sync_reminders));
    conversation::routes(config);
    team::routes(config);
}

/// A call whose answer is a stream of records.
pub(super) fn stream(records: &[Bytes]) -> HttpResponse {
    let mut body = br#"{"stream":["#.to_vec();
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(record);
    }
    body.extend_from_slice(b"]}");
    answer(body)
}

/// A name that lists can show.
pub(super) fn name<'a>(given: &'a Given, key: &str) -> Result<Option<&'a str>, Refused> {
    let Some(name) = given.text(key)?.map(str::trim) else { return Ok(None) };
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(
            Refusal::invalid_call(key, format!("at most {NAME_CHARS_MAX} characters are allowed")).into()
        );
    }
    Ok(Some(name))
}

/// The id of what a call makes: the same for every repeat of it, where the call says which it is.
pub(super) fn made(call: &Call, given: &Given, caller: AccountId) -> Result<Uuid, Refused> {
    let request_id = given.id("client_req_id")?.map_or_else(|| RequestId(Uuid::new_v4()), RequestId);
    Ok(rill_actors::account::fresh_id(&call.worker.shared.node, caller, request_id))
}

/// Accounts by their ids, and by the addresses of a `To:` line.
pub(super) async fn people(
    legacy: &Legacy<'_>,
    given: &Given,
    ids: &[&str],
    emails: &str,
) -> Result<Vec<AccountId>, Stopped> {
    let mut people = Vec::new();
    for key in ids {
        people.extend(given.ids(key)?.into_iter().map(AccountId));
    }
    let found = legacy.people(given.emails(emails)?).await?;
    let ids = found.iter().filter_map(Value::as_str).filter_map(|id| Uuid::try_parse(id).ok());
    people.extend(ids.map(AccountId));
    Ok(people)
}

/// Gives an order to an organisation.
pub(super) async fn to_organisation(
    worker: &Rc<Worker>,
    id: OrganisationId,
    caller: AccountId,
    request_id: Option<RequestId>,
    what: Order,
) -> Result<Vec<Bytes>, Refused> {
    let node = &worker.shared.node;
    order(|reply| node.to_organisation(id, OrganisationCall { caller, request_id, what, reply })).await
}

/// The caller's own record.
async fn own(worker: &Rc<Worker>, caller: AccountId) -> Result<Bytes, Refused> {
    let node = &worker.shared.node;
    Ok(order(|reply| node.to_account(caller, AskOwnContact { reply })).await?.record)
}

async fn create(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let organisation_name = name(&given, "organisation_name")?.unwrap_or_default().to_owned();
    if organisation_name.is_empty() {
        return Err(Refusal::invalid_call("organisation_name", "a name is needed").into());
    }
    let organisation_id = OrganisationId(made(&call, &given, caller)?);
    let wish = Wish::Found { organisation_id, organisation_name: organisation_name.clone() };
    grant(&call.worker, caller, wish).await?;
    let what = Order::Found { organisation_name };
    let mut records = to_organisation(&call.worker, organisation_id, caller, None, what).await?;
    records.push(own(&call.worker, caller).await?);
    Ok(stream(&records))
}

/// One order to the organisation that the path names.
async fn ordered(call: &Call, given: &Given, what: Order) -> Result<HttpResponse, Refused> {
    let caller = call.admit_by_body().await?.account_id;
    let id = OrganisationId(call.path_id()?);
    let request_id = given.id("client_req_id")?.map(RequestId);
    Ok(stream(&to_organisation(&call.worker, id, caller, request_id, what).await?))
}

async fn configure(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    match wanted(&legacy, &given).await {
        Ok(wanted) => ordered(&call, &given, Order::Configure(Box::new(wanted))).await,
        Err(stopped) => stopped.into_response(),
    }
}

async fn wanted(legacy: &Legacy<'_>, given: &Given) -> Result<Configure, Stopped> {
    let ids = |key: &str| -> Result<Vec<AccountId>, Refused> {
        Ok(given.ids(key)?.into_iter().map(AccountId).collect())
    };
    Ok(Configure {
        organisation_name: name(given, "organisation_name")?.map(str::to_owned),
        add_account_ids: people(legacy, given, &["add_account_ids"], "emails").await?,
        reinvite_account_ids: ids("reinvite_account_ids")?,
        add_admin_ids: ids("add_admin_ids")?,
        remove_admin_ids: ids("remove_admin_ids")?,
        remove_account_ids: ids("remove_account_ids")?,
        kick_account_ids: ids("kick_account_ids")?,
        close_account_ids: ids("close_account_ids")?,
        suspend_account_ids: ids("suspend_account_ids")?,
        activate_account_ids: ids("activate_account_ids")?,
    })
}

async fn sync(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    ordered(&call, &given, Order::Sync).await
}

async fn sync_changelog(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let version_nr = given.number("version_nr")?.map(|nr| u64::try_from(nr).unwrap_or(0));
    ordered(&call, &given, Order::Changelog { version_nr }).await
}

async fn sync_billing(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    ordered(&call, &given, Order::Billing).await
}

/// An admin gives a member another password; all of his sessions end.
async fn reset_password(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let organisation_id = OrganisationId(call.path_id()?);
    let node = &call.worker.shared.node;
    administered(sight(&*node.store, organisation_id).await?, caller)?;
    let member = given.id("profile_id")?;
    let member = member.ok_or_else(|| Refused::bad_request("profile_id: an id is needed."))?;
    let password = given.text("password")?.unwrap_or_default().to_owned();
    let password_hash = call.worker.shared.hasher.hash(password).await?;
    let wish = Wish::GivePassword { organisation_id, password_hash };
    grant(&call.worker, AccountId(member), wish).await?;
    Ok(answer("{}"))
}

async fn close(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    ordered(&call, &given, Order::Close).await
}

/// The account decides, the organisation takes him in.
async fn join(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let organisation_id = OrganisationId(call.path_id()?);
    let reminder_id = given.id("reminder_id")?;
    let reminder_id = reminder_id.ok_or_else(|| Refused::bad_request("reminder_id: an id is needed."))?;
    grant(&call.worker, caller, Wish::Join { organisation_id, reminder_id }).await?;
    let what = Order::Admit { reminder_id };
    let mut records = to_organisation(&call.worker, organisation_id, caller, None, what).await?;
    records.push(own(&call.worker, caller).await?);
    Ok(stream(&records))
}

/// Whoever has the letter declines; he need not be logged in.
async fn decline_invite(call: Call) -> Result<HttpResponse, Refused> {
    call.count(Kind::Tries)?;
    let given = call.given()?;
    let (account_id, secret) = link(given.text("notification_id")?.unwrap_or_default())?;
    grant(&call.worker, account_id, Wish::Decline { secret }).await?;
    Ok(answer("{}"))
}

/// Whoever is reminded does not want to be.
async fn click_reminder(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let caller = call.admit_by_body().await?.account_id;
    let reminder_id = given.id("reminder_id")?;
    let reminder_id = reminder_id.ok_or_else(|| Refused::bad_request("reminder_id: an id is needed."))?;
    grant(&call.worker, caller, Wish::Dismiss { reminder_id }).await?;
    Ok(answer("{}"))
}

/// What the caller has not answered.
async fn sync_reminders(call: Call) -> Result<HttpResponse, Refused> {
    let caller = call.admit_by_body().await?.account_id;
    let node = &call.worker.shared.node;
    Ok(stream(&reminders(&*node.store, caller, node.now_s()).await?))
}
