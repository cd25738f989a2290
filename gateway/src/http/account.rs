//! `account/login`, `logout`, `close` and `sync` (protocol.md §1.2, §1.6), and `submit/stats`, of which nothing is kept.

use std::rc::Rc;

use actix_web::http::header::{ContentType, SET_COOKIE};
use actix_web::{HttpResponse, web};
use rill_actors::account::login::{AskOwnContact, CloseSession, OpenSession, OwnContact, credentials};
use rill_actors::account::wish::Wish;
use rill_proto::classificator::AccountStatus;
use rill_proto::id::AccountId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::enrolment::grant;
use super::{Call, json as answer, order};
use crate::credentials::set_cookie;
use crate::refuse::Refused;
use crate::routes::post;
use crate::worker::Worker;

/// How many random bytes a ticket has; it is their hexadecimal text (protocol.md §1.1: some 20 characters).
const TICKET_BYTES: usize = 10;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/account/login", login));
    config.service(post("/api/account/logout", logout));
    config.service(post("/api/account/close", close));
    config.service(post("/api/account/sync", sync));
    config.service(post("/api/submit/stats", take_stats));
}

#[derive(Deserialize)]
struct LoginParams {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    remember_me: Option<bool>,
}

async fn login(call: Call) -> Result<HttpResponse, Refused> {
    let params: LoginParams = call.params()?;
    let shared = &call.worker.shared;
    let name = params.email.unwrap_or_default().trim().to_lowercase();
    let found = credentials(&shared.node, &name).await?;
    let found = found.filter(|found| found.status == AccountStatus::Active);
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    // A name that nobody has takes as long as a wrong password.
    let is_right = shared.hasher.verify(params.password.unwrap_or_default(), hash.clone()).await?;
    match found {
        Some(found) if is_right => {
            open(&call.worker, found.account_id, hash, params.remember_me.unwrap_or(false)).await
        }
        Some(_) | None => Err(Refused::wrong_login()),
    }
}

/// Opens a login session and tells its token and ticket.
pub(super) async fn open(
    worker: &Rc<Worker>,
    account_id: AccountId,
    verified: Option<String>,
    is_remembered: bool,
) -> Result<HttpResponse, Refused> {
    let shared = &worker.shared;
    let token_id = Uuid::new_v4();
    let ticket = new_ticket()?;
    let own = order(|reply| {
        shared.node.to_account(account_id, OpenSession { token_id, ticket: ticket.clone(), verified, reply })
    })
    .await?;
    let profile = own_record(&own)?;
    let body = json!({
        "account_id": own.account_id,
        "display_name": own.display_name,
        "profiles": [profile],
        "ticket": ticket,
    });
    Ok(HttpResponse::Ok()
        .insert_header((SET_COOKIE, set_cookie(token_id, is_remembered, shared.config.tls_in_front)))
        .insert_header(ContentType::json())
        .body(body.to_string()))
}

fn new_ticket() -> Result<String, Refused> {
    let mut bytes = [0_u8; TICKET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Refused::fault("the system gives no random bytes", error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The own record as it is.
fn own_record(own: &OwnContact) -> Result<&RawValue, Refused> {
    serde_json::from_slice(&own.record).map_err(|error| Refused::fault("an own contact is not JSON", error))
}

async fn logout(call: Call) -> Result<HttpResponse, Refused> {
    let login = call.admit_by_body().await?;
    let node = &call.worker.shared.node;
    order(|reply| node.to_account(login.account_id, CloseSession { token: login.token, reply })).await?;
    Ok(answer("{}"))
}

/// Closes the account at once; the event of the same name only mails a link that does.
async fn close(call: Call) -> Result<HttpResponse, Refused> {
    let login = call.admit_by_body().await?;
    grant(&call.worker, login.account_id, Wish::Close { secret: None }).await?;
    Ok(answer("{}"))
}

/// What a client counts of itself is taken, so that it goes on, and is kept nowhere.
async fn take_stats(call: Call) -> Result<HttpResponse, Refused> {
    call.admit_by_body().await?;
    Ok(answer("{}"))
}

async fn sync(call: Call) -> Result<HttpResponse, Refused> {
    let login = call.admit_by_body().await?;
    let node = &call.worker.shared.node;
    // Taken first: what happens after it comes by poll.
    let horizon = node.horizon();
    let own = order(|reply| node.to_account(login.account_id, AskOwnContact { reply })).await?;
    let record: Value = serde_json::from_slice(&own.record)
        .map_err(|error| Refused::fault("an own contact is not JSON", error))?;
    let body = json!({
        "event_horizon": horizon,
        "account_id": own.account_id,
        "email": own.email,
        "display_name": own.display_name,
        "mk_account_status": record.get("mk_account_status").cloned().unwrap_or_else(|| json!("active")),
        "is_in_org": own.employment.0,
        "is_org_admin": own.employment.1,
    });
    Ok(answer(body.to_string()))
}

#[cfg(test)]
mod tests {
    use super::new_ticket;

    #[test]
    fn a_ticket_has_twenty_characters() {
        let ticket = new_ticket().unwrap();
        assert_eq!(ticket.len(), 20);
        assert!(ticket.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
