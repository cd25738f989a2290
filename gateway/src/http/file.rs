//! `GET /file/…` and `/upload/…`: the bytes of files for those who may see them (protocol.md §6.6).
//!
//! What a browser is told is safe whatever the bytes are: a picture is shown, everything else is saved; nothing is
//! guessed, and nothing in it can run. Not here: who may see a file (its owner's rows say so).

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::rt::task::{JoinHandle, spawn_blocking};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use rill_actors::blobs::Opened;
use rill_actors::file::{Reference, Served, find, is_shown_inline};
use uuid::Uuid;

use super::range::{Wanted, wanted};
use super::{whose, worker_of};
use crate::refuse::Refused;
use crate::routes::only;
use crate::worker::Worker;

/// How long a browser may keep a file without asking again: a day, since a file that is deleted should be forgotten.
const KEPT_S: u32 = 24 * 60 * 60;

/// How much is read from the disk at once: enough that the reading thread's turn costs little, and a slow client holds
/// little memory.
const READ_BYTES: usize = 64 * 1024;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    for path in ["/file/{place:.*}", "/upload/{place:.*}"] {
        config.service(only(path).route(web::get().to(read)).route(web::head().to(read)));
    }
}

async fn read(request: HttpRequest) -> Result<HttpResponse, Refused> {
    let worker = worker_of(&request)?;
    let reader = whose(&worker, &request).await?.account_id;
    let node = &worker.shared.node;
    let reference = Reference::parse(request.path()).ok_or_else(Refused::no_file)?;
    let served = find(&*node.store, reader, reference).await?.ok_or_else(Refused::no_file)?;
    serve(&worker, &request, &served).await
}

/// Answers with the bytes of a file that the caller may have.
pub(super) async fn serve(
    worker: &Worker,
    request: &HttpRequest,
    served: &Served,
) -> Result<HttpResponse, Refused> {
    let (blobs, sha256) = (std::sync::Arc::clone(&worker.shared.node.blobs), served.content.sha256);
    let opened = web::block(move || blobs.open(sha256)).await;
    let opened = opened.map_err(|error| Refused::fault("a file's bytes cannot be opened", error))?;
    let opened = opened.map_err(|error| Refused::fault("a file's bytes cannot be opened", error))?;
    let opened = opened.ok_or_else(|| Refused::fault("a file's bytes are missing", sha256))?;
    Ok(respond(request, served, opened))
}

/// The answer to a request for bytes that its caller may have.
fn respond(request: &HttpRequest, served: &Served, opened: Box<dyn Opened>) -> HttpResponse {
    let etag = format!("\"{}\"", served.content.sha256);
    let said = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_known = said(header::IF_NONE_MATCH)
        .is_some_and(|known| known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag));
    if is_known {
        return with_safety(HttpResponse::NotModified(), served, &etag).finish();
    }
    let size = opened.size();
    // A part is only of use to whoever has the rest of the same bytes.
    let is_same = said(header::IF_RANGE).is_none_or(|known| known.trim() == etag);
    match wanted(said(header::RANGE).filter(|_| is_same), size) {
        Wanted::Nothing => HttpResponse::build(StatusCode::RANGE_NOT_SATISFIABLE)
            .insert_header((header::CONTENT_RANGE, format!("bytes */{size}")))
            .finish(),
        Wanted::Whole => {
            let mut response = with_safety(HttpResponse::Ok(), served, &etag);
            response.insert_header((header::CONTENT_TYPE, content_type(served)));
            response.body(Reading::of(opened, [Piece::Stretch(0..size)]))
        }
        Wanted::Parts(parts) => {
            let mut response = with_safety(HttpResponse::PartialContent(), served, &etag);
            if let [part] = &parts[..] {
                response.insert_header((header::CONTENT_TYPE, content_type(served)));
                response.insert_header((header::CONTENT_RANGE, content_range(part, size)));
                return response.body(Reading::of(opened, [Piece::Stretch(part.clone())]));
            }
            let boundary = Uuid::new_v4().simple().to_string();
            let several = format!("multipart/byteranges; boundary={boundary}");
            response.insert_header((header::CONTENT_TYPE, several));
            response.body(Reading::of(opened, byteranges(&parts, size, &boundary, content_type(served))))
        }
    }
}

fn with_safety(
    mut response: actix_web::HttpResponseBuilder,
    served: &Served,
    etag: &str,
) -> actix_web::HttpResponseBuilder {
    response
        .insert_header((header::ETAG, etag))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::CACHE_CONTROL, format!("private, max-age={KEPT_S}")))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"));
    if !is_shown_inline(&served.content.file_type) {
        response.insert_header((header::CONTENT_DISPOSITION, disposition(&served.name)));
    }
    response
}

/// Types that a browser would run are sent as bytes.
fn content_type(served: &Served) -> &str {
    let kind = served.content.file_type.as_str();
    let is_harmless = is_shown_inline(kind)
        || kind.starts_with("audio/")
        || kind.starts_with("video/")
        || matches!(kind, "application/pdf" | "application/zip" | "text/csv");
    if is_harmless { kind } else { "application/octet-stream" }
}

fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end - 1)
}

/// A name in both forms of RFC 6266: one that every client understands, and the whole one.
fn disposition(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && !"\"\\;%".contains(c) || c == ' ' { c } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let mut whole = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            whole.push(char::from(byte));
        } else {
            whole.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{whole}")
}

/// Several parts as one body (RFC 9110 §14.6).
fn byteranges(parts: &[Range<u64>], size: u64, boundary: &str, kind: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(2 * parts.len() + 1);
    for part in parts {
        let range = content_range(part, size);
        let head = format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {range}\r\n\r\n");
        pieces.push(Piece::Text(head.into()));
        pieces.push(Piece::Stretch(part.clone()));
    }
    pieces.push(Piece::Text(format!("\r\n--{boundary}--\r\n").into()));
    pieces
}

/// A piece of a body.
enum Piece {
    Text(Bytes),
    Stretch(Range<u64>),
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Stretch(stretch) => stretch.end - stretch.start,
        }
    }
}

/// What a reading thread gives back: the open file, and what it has read.
type Read = (Box<dyn Opened>, std::io::Result<Bytes>);

/// A body that reads from the disk as fast as its client takes it, never ahead by more than one reading.
struct Reading {
    opened: Option<Box<dyn Opened>>,
    pieces: VecDeque<Piece>,
    reading: Option<JoinHandle<Read>>,
    size: u64,
}

impl Reading {
    fn of(opened: Box<dyn Opened>, pieces: impl IntoIterator<Item = Piece>) -> Self {
        let pieces: VecDeque<Piece> = pieces.into_iter().collect();
        let size = pieces.iter().map(Piece::len).sum();
        Self { opened: Some(opened), pieces, reading: None, size }
    }

    /// Begins to read the next stretch; `None` when the next piece is no stretch.
    fn begin(&mut self) -> Option<JoinHandle<Read>> {
        let Some(Piece::Stretch(stretch)) = self.pieces.front_mut() else { return None };
        let mut opened = self.opened.take()?;
        let (offset, left) = (stretch.start, stretch.end - stretch.start);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(READ_BYTES);
        Some(spawn_blocking(move || {
            let read = opened.read_at(offset, len);
            (opened, read)
        }))
    }

    /// Takes in what was read.
    fn take(&mut self, read: std::io::Result<Bytes>) -> std::io::Result<Bytes> {
        let bytes = read?;
        if bytes.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(Piece::Stretch(stretch)) = self.pieces.front_mut() {
            stretch.start += bytes.len() as u64;
        }
        Ok(bytes)
    }
}

impl MessageBody for Reading {
    type Error = std::io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.size)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Bytes>>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = std::task::ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                let (opened, read) = match read {
                    Ok(read) => read,
                    Err(error) => return Poll::Ready(Some(Err(std::io::Error::other(error)))),
                };
                self.opened = Some(opened);
                return Poll::Ready(Some(self.take(read)));
            }
            match self.pieces.front() {
                None => return Poll::Ready(None),
                Some(piece) if piece.len() == 0 => drop(self.pieces.pop_front()),
                Some(Piece::Text(_)) => {
                    let Some(Piece::Text(text)) = self.pieces.pop_front() else { continue };
                    return Poll::Ready(Some(Ok(text)));
                }
                Some(Piece::Stretch(_)) => {
                    self.reading = self.begin();
                    if self.reading.is_none() {
                        return Poll::Ready(None);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(disposition("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        assert_eq!(disposition("ü\".txt"), "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%BC%22.txt");
        assert!(disposition("a\r\nSet-Cookie: x").bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
}
