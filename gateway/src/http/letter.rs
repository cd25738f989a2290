//! Where the links of letters lead: a page that asks for what is missing and makes the call; closing an account needs
//! nothing more, and is done at once (accounts.md §4).

use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use rill_actors::account::wish::Wish;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::enrolment::{grant, link};
use super::{Call, worker_of};
use crate::refuse::Refused;
use crate::routes::get;
use crate::velocity::Kind;

/// The page.
const PAGE: &str = include_str!("letter.html");

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    for path in ["/confirm", "/invite", "/reset", "/alias"] {
        config.service(get(path, page));
    }
    config.service(get("/close", close));
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header(("Content-Security-Policy", policy()))
        // The secret in the page's address is nobody else's business.
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(PAGE)
}

/// Lets the page's own script run, and no other.
fn policy() -> String {
    let script = PAGE.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>"));
    let digest = Sha256::digest(script.map_or("", |(script, _)| script));
    let digest = crate::credentials::to_base64(&digest);
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; form-action 'none'; script-src 'sha256-{digest}'"
    )
}

#[derive(Deserialize)]
struct Followed {
    #[serde(default)]
    notification_id: String,
}

async fn close(request: HttpRequest, followed: web::Query<Followed>) -> Result<HttpResponse, Refused> {
    let call = Call { worker: worker_of(&request)?, request, text: String::new() };
    call.count(Kind::Tries)?;
    let (account_id, secret) = link(&followed.notification_id)?;
    grant(&call.worker, account_id, Wish::Close { secret: Some(secret) }).await?;
    Ok(HttpResponse::Ok().insert_header(ContentType::plaintext()).body("Your account is closed.\n"))
}
