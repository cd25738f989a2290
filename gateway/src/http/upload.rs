//! `file/upload`: a client's own bytes, as a raw body (`PUT`) or as a form (`POST`), streamed to the disk (protocol.md
//! §6.5).
//!
//! Answered when bytes and rows are durable. Not here: what is kept of an upload (the account), and serving (`file`).

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, ContentDisposition};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use rill_actors::account::fresh_id;
use rill_actors::account::upload::{AskRoom, Brought, KeepUploads};
use rill_actors::blobs::{Blobs, Incoming, Kept};
use rill_actors::file::{Content, Reference, clean_name, inspect};
use rill_proto::id::{AccountId, RequestId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use super::legacy::Legacy;
use super::{Call, admit, json as answer, order, worker_of};
use crate::refuse::Refused;
use crate::routes::only;
use crate::worker::Worker;

/// How many files one form may bring; as many as a message may have.
const FILES_MAX: usize = rill_actors::file::FILES_MAX;

/// How long the next bytes of a body may take. Longer than any pause of a network that still works.
const NEXT_BYTES_WAIT: Duration = Duration::from_secs(60);

/// How much is gathered before a thread writes it to the disk: handing it over costs little then.
const WRITE_BYTES: usize = 256 * 1024;

/// How many uploads of one account run side by side: as many as browsers keep connections to one host, so that no
/// ordinary client meets it, and nobody fills the disk with what is not counted yet.
const AT_ONCE_MAX: usize = 6;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(crate::routes::post("/api/file/upload/external", external));
    for path in ["/api/file/upload", "/api/file/upload/{id}"] {
        config.service(only(path).route(web::put().to(put)).route(web::post().to(post)));
    }
}

#[derive(Deserialize)]
struct Query {
    #[serde(default)]
    ticket: String,
}

/// The older form of the two events that have a file fetched.
async fn external(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let client_req_id = RequestId(given.id("client_req_id")?.unwrap_or_else(Uuid::new_v4));
    let legacy = Legacy::admit(&call, &given).await?;
    let urn = if given.has("conversation_id") { "conv:upload_external" } else { "account:upload_external" };
    let event = ["conversation_id", "file_url", "file_name", "upload_id"];
    let event = event.iter().filter_map(|key| Some(((*key).to_owned(), given.value(key)?.clone())));
    match legacy.submit(client_req_id, urn, &Value::Object(event.collect())).await {
        Ok(_) => {
            let request_id = fresh_id(&call.worker.shared.node, legacy.login.account_id, client_req_id);
            Ok(answer(json!({ "request_id": request_id }).to_string()))
        }
        Err(stopped) => stopped.into_response(),
    }
}

/// How many uploads each account has under way.
#[derive(Default)]
pub(crate) struct Uploading(Mutex<HashMap<AccountId, usize>>);

/// One upload under way.
struct Turn {
    uploading: Arc<Uploading>,
    account_id: AccountId,
}

impl Uploading {
    fn begin(self: &Arc<Self>, account_id: AccountId) -> Result<Turn, Refused> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(account_id).or_default();
        if *count >= AT_ONCE_MAX {
            return Err(Refused::unavailable("Too many uploads at once."));
        }
        *count += 1;
        Ok(Turn { uploading: Arc::clone(self), account_id })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut counts = self.uploading.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.account_id) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.account_id);
            }
        }
    }
}

/// An upload that is admitted.
pub(super) struct Upload {
    /// The worker that takes it in.
    pub(super) worker: Rc<Worker>,
    /// Whose it is.
    pub(super) account_id: AccountId,
    /// How many more bytes it may bring.
    room: u64,
    /// How many bytes a file may have.
    file_max: u64,
    _turn: Turn,
}

async fn put(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Refused> {
    let upload = Upload::admit(&request, u64::MAX).await?;
    let brought = by_put(&upload, &request, payload).await?;
    upload.answer(vec![brought]).await
}

/// Takes a raw body in.
pub(super) async fn by_put(
    upload: &Upload,
    request: &HttpRequest,
    mut payload: web::Payload,
) -> Result<Brought, Refused> {
    let said = request.headers().get(CONTENT_DISPOSITION).map(ContentDisposition::from_raw);
    let name = said.and_then(Result::ok).as_ref().and_then(file_name).unwrap_or_default();
    let mut receiving = upload.receive()?;
    while let Some(bytes) = within(next(&mut payload)).await? {
        receiving.take(bytes.map_err(unreadable)?).await?;
    }
    Ok(brought(&name, receiving.keep().await?))
}

async fn post(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Refused> {
    let mut upload = Upload::admit(&request, u64::MAX).await?;
    let brought = by_form(&mut upload, &request, payload).await?;
    upload.answer(brought).await
}

/// Takes the files of a form in; at least one.
pub(super) async fn by_form(
    upload: &mut Upload,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<Vec<Brought>, Refused> {
    let mut form = Multipart::new(request.headers(), payload);
    let mut files = Vec::new();
    while let Some(field) = within(next(&mut form)).await? {
        let mut field = field.map_err(unreadable)?;
        let name = field.content_disposition().and_then(file_name);
        // What is no file is a parameter of an old client, and says nothing that is needed.
        let mut receiving = match &name {
            Some(_) if files.len() == FILES_MAX => {
                return Err(Refused::bad_request(format!("At most {FILES_MAX} files at once.")));
            }
            Some(_) => Some(upload.receive()?),
            None => None,
        };
        while let Some(bytes) = within(next(&mut field)).await? {
            let bytes = bytes.map_err(unreadable)?;
            match &mut receiving {
                Some(receiving) => receiving.take(bytes).await?,
                None => upload.room = upload.room.saturating_sub(bytes.len() as u64),
            }
        }
        if let (Some(name), Some(receiving)) = (name, receiving) {
            let kept = receiving.keep().await?;
            upload.room = upload.room.saturating_sub(kept.size);
            files.push(brought(&name, kept));
        }
    }
    if files.is_empty() {
        return Err(Refused::bad_request("There is no file in this form."));
    }
    Ok(files)
}

fn unreadable<E>(_: E) -> Refused {
    Refused::bad_request("The body cannot be read.")
}

/// The next of a stream.
async fn next<S: futures_core::Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_next(cx)).await
}

async fn within<T>(next: impl Future<Output = T>) -> Result<T, Refused> {
    timeout(NEXT_BYTES_WAIT, next).await.map_err(|_| Refused::too_slow())
}

/// The name of a file that a header gives: the extended form wins over the plain one.
fn file_name(said: &ContentDisposition) -> Option<String> {
    let extended = said.get_filename_ext().and_then(|name| String::from_utf8(name.value.clone()).ok());
    extended.or_else(|| said.get_filename().map(str::to_owned))
}

fn brought(name: &str, kept: Kept) -> Brought {
    let name = clean_name(name);
    let content = inspect(kept.sha256, kept.size, &name, &kept.head);
    Brought { upload_id: Uuid::new_v4(), name, content }
}

impl Upload {
    /// Checks who asks, and whether there is room for what he says that he brings: files of so many bytes at most.
    pub(super) async fn admit(request: &HttpRequest, file_max: u64) -> Result<Self, Refused> {
        let worker = worker_of(request)?;
        let query = web::Query::<Query>::from_query(request.query_string());
        let ticket = query.map(|query| query.into_inner().ticket).unwrap_or_default();
        let account_id = admit(&worker, request, &ticket).await?.account_id;
        let turn = worker.shared.uploading.begin(account_id)?;
        let node = &worker.shared.node;
        let room = order(|reply| node.to_account(account_id, AskRoom { reply })).await?;
        let length =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let file_max = file_max.min(worker.shared.config.file_bytes_max);
        let upload = Self { room, file_max, account_id, _turn: turn, worker: Rc::clone(&worker) };
        if length.is_some_and(|length: u64| length > room) {
            return Err(Refused::quota_full());
        }
        Ok(upload)
    }

    /// Begins to take a file in.
    fn receive(&self) -> Result<Receiving, Refused> {
        let blobs = Arc::clone(&self.worker.shared.node.blobs);
        let (room, file_max) = (self.room, self.file_max);
        Ok(Receiving { blobs, incoming: None, waiting: Vec::new(), size: 0, room, file_max })
    }

    /// Makes the uploads durable and says where they are.
    async fn answer(&self, files: Vec<Brought>) -> Result<HttpResponse, Refused> {
        let node = &self.worker.shared.node;
        let told: Vec<Value> = files.iter().map(|file| self.told(file)).collect();
        order(|reply| node.to_account(self.account_id, KeepUploads { brought: files, reply })).await?;
        Ok(answer(json!({ "files": told }).to_string()))
    }

    /// What is answered of a file.
    pub(super) fn told(&self, file: &Brought) -> Value {
        let Content { sha256, size, file_type, picture } = &file.content;
        let mut told = json!({
            // The same bytes are the same file to whoever looks for one that he has sent already.
            "file_id": self.worker.shared.node.derived_id("file", &sha256.0),
            "upload_url": Reference::Upload(file.upload_id).url(&file.name),
            "name": file.name,
            "size": size,
            "file_type": file_type,
            "file_sha256": sha256.to_string(),
        });
        if let Some(picture) = picture {
            told["width"] = picture.width.into();
            told["height"] = picture.height.into();
            told["is_animated"] = picture.is_animated.into();
        }
        told
    }
}

/// A file on its way to the disk.
struct Receiving {
    blobs: Arc<dyn Blobs>,
    incoming: Option<Box<dyn Incoming>>,
    waiting: Vec<u8>,
    size: u64,
    room: u64,
    file_max: u64,
}

impl Receiving {
    async fn take(&mut self, bytes: Bytes) -> Result<(), Refused> {
        self.size += bytes.len() as u64;
        if self.size > self.file_max {
            return Err(Refused::file_too_large(self.file_max));
        }
        if self.size > self.room {
            return Err(Refused::quota_full());
        }
        self.waiting.extend_from_slice(&bytes);
        if self.waiting.len() >= WRITE_BYTES { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), Refused> {
        let (blobs, incoming) = (Arc::clone(&self.blobs), self.incoming.take());
        let bytes = std::mem::take(&mut self.waiting);
        let written = web::block(move || {
            let mut incoming = incoming.map_or_else(|| blobs.begin(), Ok)?;
            incoming.write(&bytes)?;
            Ok::<_, std::io::Error>(incoming)
        });
        self.incoming = Some(on_disk(written.await)?);
        Ok(())
    }

    async fn keep(mut self) -> Result<Kept, Refused> {
        self.write().await?;
        let incoming = self.incoming.take().ok_or_else(|| Refused::unavailable("Nothing was written."))?;
        on_disk(web::block(move || incoming.keep()).await)
    }
}

fn on_disk<T>(done: Result<std::io::Result<T>, actix_web::error::BlockingError>) -> Result<T, Refused> {
    let fault = |error: &dyn std::fmt::Display| Refused::fault("an upload cannot be written", error);
    done.map_err(|error| fault(&error))?.map_err(|error| fault(&error))
}
