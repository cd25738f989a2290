//! `avatar/upload` and `GET /avatar/…`: the pictures of accounts (protocol.md §6.1, §6.6).
//!
//! Whoever has logged in may see them: they stand beside every name. Not here: taking one away (a row of [`super::legacy`]).

use actix_web::{HttpRequest, HttpResponse, web};
use rill_actors::account::avatar::{AVATAR_BYTES_MAX, find, named};
use rill_actors::account::login::AskOwnContact;
use rill_actors::account::upload::Brought;
use rill_actors::account::wish::Wish;
use serde_json::{Map, Value};

use super::enrolment::grant;
use super::upload::{Upload, by_form, by_put};
use super::{file, json as answer, order, whose, worker_of};
use crate::refuse::Refused;
use crate::routes::only;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(only("/api/avatar/upload").route(web::put().to(put)).route(web::post().to(post)));
    config.service(only("/avatar/{place:.*}").route(web::get().to(read)).route(web::head().to(read)));
}

async fn put(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Refused> {
    let upload = Upload::admit(&request, AVATAR_BYTES_MAX).await?;
    let brought = by_put(&upload, &request, payload).await?;
    set(&upload, brought).await
}

async fn post(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Refused> {
    let mut upload = Upload::admit(&request, AVATAR_BYTES_MAX).await?;
    let brought = by_form(&mut upload, &request, payload).await?;
    // Of several the last one is it, as if they had come one after the other.
    let last = brought.into_iter().next_back();
    set(&upload, last.ok_or_else(|| Refused::bad_request("There is no file in this form."))?).await
}

async fn set(upload: &Upload, brought: Brought) -> Result<HttpResponse, Refused> {
    let mut told = upload.told(&brought);
    // It is no upload that could be attached.
    told.as_object_mut().map(|told| told.remove("upload_url"));
    let (worker, account_id) = (&upload.worker, upload.account_id);
    grant(worker, account_id, Wish::SetAvatar(Some(brought.content))).await?;
    let node = &worker.shared.node;
    let own = order(|reply| node.to_account(account_id, AskOwnContact { reply })).await?;
    let own: Map<String, Value> = serde_json::from_slice(&own.record)
        .map_err(|error| Refused::fault("an own contact is not JSON", error))?;
    let mut body = own.clone();
    body.insert("files".to_owned(), vec![told].into());
    body.insert("stream".to_owned(), vec![Value::Object(own)].into());
    Ok(answer(Value::Object(body).to_string()))
}

async fn read(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let worker = worker_of(&request)?;
    whose(&worker, &request).await?;
    let (account_id, file_id) = named(request.path()).ok_or_else(Refused::no_file)?;
    let found = find(&*worker.shared.node.store, account_id, file_id).await?;
    file::serve(&worker, &request, &found.ok_or_else(Refused::no_file)?).await
}
