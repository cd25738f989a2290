//! Calls of the operator's own programs: provisioning. Off unless user and password are set; then there is nothing here.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::enrolment::enrol;
use super::registration::Registration;
use super::{Call, json as answer};
use crate::credentials::{basic, is_same_secret};
use crate::refuse::Refused;
use crate::routes::post;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/sys/account/register", register));
}

async fn register(call: Call) -> Result<HttpResponse, Refused> {
    let config = &call.worker.shared.config;
    if config.sys_user.is_empty() {
        return Err(Refused::unknown_method(call.request.path()));
    }
    let (user, password) = basic(call.request.headers()).ok_or_else(Refused::not_provisioner)?;
    // Both are compared whatever the first says, so that the time does not tell which of them is wrong.
    let is_user = is_same_secret(&user, &config.sys_user);
    let is_password = is_same_secret(&password, &config.sys_password);
    if !(is_user && is_password) {
        return Err(Refused::not_provisioner());
    }
    let registration: Registration = call.params()?;
    let account_id = enrol(&call.worker, registration).await?;
    Ok(answer(json!({ "account_id": account_id }).to_string()))
}
