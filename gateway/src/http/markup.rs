//! `markup/get_syntax`: how typed text becomes markup, for clients that convert it by themselves (protocol.md §5.4).
//!
//! Not here: the syntax ([`rill_proto::markup`]). Nothing in it is beyond the basic plane, so that `utf16` changes nothing.

use actix_web::{HttpResponse, web};
use rill_proto::markup::syntax;
use serde_json::json;

use super::{Call, json as answer};
use crate::refuse::Refused;
use crate::routes::post;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/markup/get_syntax", get_syntax));
}

async fn get_syntax(call: Call) -> Result<HttpResponse, Refused> {
    call.admit_by_body().await?;
    Ok(answer(json!({ "syntax": syntax() }).to_string()))
}
