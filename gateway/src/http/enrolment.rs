//! Registering, at once or by what is mailed, and setting a new password without the old one (protocol.md §1.3,
//! accounts.md §3).
//!
//! A link carries a `notification_id`; whose it is stands in it. Not here: what a letter is good for (the account's rules).

use std::net::IpAddr;
use std::rc::Rc;

use actix_web::{HttpResponse, web};
use rill_actors::account::login::{account_of, free_addresses, person_of};
use rill_actors::account::notice::{self, Applicant};
use rill_actors::account::wish::{Answer, Confirmation, Grant, PrepareLetter, Wish};
use rill_proto::id::AccountId;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::account::open;
use super::legacy::Legacy;
use super::registration::{self, Registration};
use super::{Call, json as answer, order};
use crate::refuse::Refused;
use crate::routes::post;
use crate::velocity::{Kind, caller};
use crate::worker::Worker;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/account/register", register));
    config.service(post("/api/account/register/v2", send_code));
    config.service(post("/api/account/prepare/v2", prepare));
    config.service(post("/api/account/confirm", confirm));
    config.service(post("/api/account/confirm/v2", confirm));
    config.service(post("/api/account/reset_password", reset_password));
    config.service(post("/api/account/confirm_password", confirm_password));
    config.service(post("/api/alias/confirm", confirm_alias));
}

/// What an account is asked to do, once it has done it.
pub(super) async fn grant(worker: &Rc<Worker>, id: AccountId, wish: Wish) -> Result<(), Refused> {
    let node = &worker.shared.node;
    order(|reply| node.to_account(id, Grant { wish, reply })).await
}

impl Call {
    /// Counts one more of what a caller may do only so often.
    pub(super) fn count(&self, kind: Kind) -> Result<(), Refused> {
        let shared = &self.worker.shared;
        let caller: IpAddr = caller(&self.request, &shared.config.client_address_header);
        shared.velocity.count(kind, caller)
    }

    fn registration_is_open(&self) -> Result<(), Refused> {
        if self.worker.shared.config.open_registration { Ok(()) } else { Err(Refused::registration_closed()) }
    }
}

/// Registers at once and logs in; or, where a code is asked for or the operator wants addresses confirmed, sends a letter.
async fn register(call: Call) -> Result<HttpResponse, Refused> {
    call.registration_is_open()?;
    let registration: Registration = call.params()?;
    let (is_remembered, by_code) =
        (registration.remember_me == Some(true), registration.use_code == Some(true));
    if !by_code && !call.worker.shared.config.confirm_email {
        let account_id = enrol(&call.worker, registration).await?;
        return open(&call.worker, account_id, None, is_remembered).await;
    }
    call.count(Kind::Codes)?;
    let asked = registration.check()?;
    let password_hash = call.worker.shared.hasher.hash(asked.password).await?;
    let applicant = Applicant {
        email: asked.email,
        display_name: Some(asked.display_name),
        password_hash: Some(password_hash),
    };
    write_to(&call, applicant, by_code).await
}

/// Makes an account, or says why not.
pub(super) async fn enrol(worker: &Rc<Worker>, registration: Registration) -> Result<AccountId, Refused> {
    let shared = &worker.shared;
    let asked = registration.check()?;
    let password_hash = shared.hasher.hash(asked.password).await?;
    let account_id = account_of(&shared.node, &asked.email).await?;
    let applicant = Applicant {
        email: asked.email,
        display_name: Some(asked.display_name),
        password_hash: Some(password_hash),
    };
    grant(worker, account_id, Wish::Enrol { applicant, fleep_address: asked.fleep_address }).await?;
    Ok(account_id)
}

async fn write_to(call: &Call, applicant: Applicant, by_code: bool) -> Result<HttpResponse, Refused> {
    let account_id = account_of(&call.worker.shared.node, &applicant.email).await?;
    grant(&call.worker, account_id, Wish::Register { applicant, by_code }).await?;
    Ok(answer("{}"))
}

#[derive(Deserialize)]
struct Addressed {
    #[serde(default)]
    email: Option<String>,
}

/// Another code; earlier ones stay good.
async fn send_code(call: Call) -> Result<HttpResponse, Refused> {
    call.registration_is_open()?;
    call.count(Kind::Codes)?;
    let params: Addressed = call.params()?;
    let email = registration::email(&params.email.unwrap_or_default())?;
    write_to(&call, Applicant { email, ..Applicant::default() }, true).await
}

#[derive(Deserialize)]
struct Presented {
    #[serde(default)]
    notification_id: Option<String>,
    #[serde(default)]
    registration_mail: Option<String>,
    #[serde(default)]
    registration_code: Option<String>,
}

/// Looks whether a code or a link is good, and offers addresses.
async fn prepare(call: Call) -> Result<HttpResponse, Refused> {
    call.registration_is_open()?;
    call.count(Kind::Tries)?;
    let params: Presented = call.params()?;
    let node = &call.worker.shared.node;
    let (account_id, by) = match params.notification_id {
        Some(notification_id) => {
            let (account_id, secret) = link(&notification_id)?;
            (account_id, Answer::Secret(secret))
        }
        None => {
            let email = registration::email(&params.registration_mail.unwrap_or_default())?;
            let code = params.registration_code.unwrap_or_default();
            let code = code.chars().filter(char::is_ascii_digit).collect();
            (account_of(node, &email).await?, Answer::Code(code))
        }
    };
    let prepared = order(|reply| node.to_account(account_id, PrepareLetter { answer: by, reply })).await?;
    let display_name = prepared.display_name.unwrap_or_default();
    let mailbox = prepared.email.split('@').next().unwrap_or_default();
    let suggestions = free_addresses(node, &[&display_name, mailbox]).await?;
    let body = json!({
        "notification_id": prepared.notification_id,
        "email": prepared.email,
        "display_name": display_name,
        "suggestions": suggestions,
    });
    Ok(answer(body.to_string()))
}

/// Whose a link is, and its secret.
pub(super) fn link(notification_id: &str) -> Result<(AccountId, Uuid), Refused> {
    notice::read(notification_id).ok_or_else(|| Refused::invalid_value("Notification expired."))
}

#[derive(Deserialize)]
struct Confirming {
    #[serde(default)]
    notification_id: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    fleep_address: Option<String>,
    #[serde(default)]
    phone_nr: Option<String>,
    #[serde(default)]
    is_newsletter_disabled: Option<bool>,
}

/// Registers whoever has a letter, and logs him in. The older call brings the link alone: the rest was said before.
async fn confirm(call: Call) -> Result<HttpResponse, Refused> {
    call.registration_is_open()?;
    call.count(Kind::Tries)?;
    let params: Confirming = call.params()?;
    let (account_id, secret) = link(&params.notification_id.unwrap_or_default())?;
    let password_hash = match params.password {
        Some(password) => Some(call.worker.shared.hasher.hash(password).await?),
        None => None,
    };
    let confirmation = Confirmation {
        display_name: params.display_name.map(|name| registration::display_name(&name)).transpose()?,
        password_hash,
        fleep_address: registration::optional_address(params.fleep_address.as_deref())?,
        phone_nr: params.phone_nr.map(|phone_nr| registration::phone_nr(&phone_nr)).transpose()?,
        is_newsletter_disabled: params.is_newsletter_disabled,
    };
    grant(&call.worker, account_id, Wish::Confirm { secret, confirmation }).await?;
    open(&call.worker, account_id, None, false).await
}

async fn reset_password(call: Call) -> Result<HttpResponse, Refused> {
    call.count(Kind::Resets)?;
    let params: Addressed = call.params()?;
    let email = registration::email(&params.email.unwrap_or_default())?;
    let account_id = person_of(&call.worker.shared.node, &email).await?;
    grant(&call.worker, account_id, Wish::Reset).await?;
    Ok(answer("{}"))
}

/// Makes an address another one of the account's whose letter it is. The mailbox need not be logged in; the account's own
/// client is answered with what it has now.
async fn confirm_alias(call: Call) -> Result<HttpResponse, Refused> {
    call.count(Kind::Tries)?;
    let given = call.given()?;
    let (account_id, secret) = link(given.text("notification_id")?.unwrap_or_default())?;
    grant(&call.worker, account_id, Wish::ConfirmAlias(secret)).await?;
    let legacy = Legacy::admit(&call, &given).await.ok();
    let stream = match legacy.filter(|legacy| legacy.login.account_id == account_id) {
        Some(legacy) => match legacy.aliases().await {
            Ok(stream) => stream,
            Err(stopped) => return stopped.into_response(),
        },
        None => Vec::new(),
    };
    Ok(answer(json!({ "failed": null, "stream": stream }).to_string()))
}

async fn confirm_password(call: Call) -> Result<HttpResponse, Refused> {
    call.count(Kind::Tries)?;
    let params: Confirming = call.params()?;
    let (account_id, secret) = link(&params.notification_id.unwrap_or_default())?;
    let password_hash = call.worker.shared.hasher.hash(params.password.unwrap_or_default()).await?;
    grant(&call.worker, account_id, Wish::SetPassword { secret, password_hash }).await?;
    Ok(answer("{}"))
}
