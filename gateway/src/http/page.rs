//! What is asked for with `GET`: the front page, and what watches over a server asks.

use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};

use super::worker_of;
use crate::metrics;
use crate::refuse::Refused;
use crate::routes::get;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(get("/", front));
    config.service(get("/healthz", healthz));
    config.service(get("/readyz", readyz));
    config.service(get("/metrics", scrape));
    config.service(get("/api/ws", no_upgrade));
}

async fn front() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header(("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(include_str!("front.html"))
}

/// The process answers.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The process wants connections.
async fn readyz(request: HttpRequest) -> Result<&'static str, Refused> {
    if worker_of(&request)?.shared.is_draining() {
        return Err(Refused::unavailable("This server is about to stop."));
    }
    if !worker_of(&request)?.shared.node.is_open() {
        return Err(Refused::unavailable("This node has not joined the others yet."));
    }
    Ok("ready\n")
}

async fn scrape(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let text = metrics::text(&worker_of(&request)?.shared)
        .map_err(|error| Refused::fault("metrics cannot be written", error))?;
    Ok(HttpResponse::Ok().content_type(metrics::CONTENT_TYPE).body(text))
}

/// Upgrade requests do not come this way.
async fn no_upgrade() -> Result<&'static str, Refused> {
    Err(Refused::upgrade_required())
}
