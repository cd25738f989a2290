//! Files of messages: what `attachment_urls` say, and how a body shows them (protocol.md §5.7, conversations.md §9.2).
//!
//! Not here: what an url looks like and which ids files get (`file`).

use rill_proto::markup::{self, FileRef};
use rill_proto::refusal::Refusal;

use crate::conversation::open::is_open;
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Judged, Need, Stop};
use crate::conversation::state::Message;
use crate::file::{Attached, Attaching, File, Found, Host, Reference, check_urls};

/// The files of a message once the urls replace all of them; of the message that is posted next when none is given.
///
/// # Errors
/// 400 for an url that cannot be one or too many of them, 430 for one that names nothing that the caller may see, or
/// [`Stop::Needs`].
pub(super) fn replace(
    draft: &Draft<'_>,
    message: Option<&Message>,
    urls: Option<&[String]>,
) -> Judged<Attached> {
    let urls = urls.unwrap_or_default();
    check_urls(urls)?;
    let attaching = attaching(draft, message);
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for url in urls.iter().filter(|url| attaching.own(url).is_none()) {
        match look_up(draft, url)? {
            Some(known) => found.push((url, known)),
            None => missing.push(url.clone()),
        }
    }
    if !missing.is_empty() {
        return Err(Stop::Needs(Need::Files(draft.caller, missing)));
    }
    let known = |url: &str| found.iter().find(|(known, _)| *known == url).and_then(|(_, found)| found.clone());
    Ok(attaching.replace(urls, known)?)
}

fn attaching<'a>(draft: &Draft<'_>, message: Option<&'a Message>) -> Attaching<'a> {
    let message_nr = message.map_or(draft.head.last_message_nr + 1, |message| message.message_nr);
    let host = Host::Conversation {
        conversation_id: draft.state.conversation_id,
        message_nr,
        message_id: draft.message_id(message_nr),
    };
    let earlier = message.map_or(&[][..], |message| &message.files);
    Attaching { host, earlier, caller: draft.caller, now: draft.facts.now }
}

/// What an url names; the outer `None` when it must be fetched. Files of this conversation are here, and newer than in
/// the store.
fn look_up(draft: &Draft<'_>, url: &str) -> Judged<Option<Option<Found>>> {
    match Reference::parse(url) {
        Some(Reference::Attached { conversation_id, message_nr, attachment_id })
            if conversation_id == draft.state.conversation_id =>
        {
            let message = draft.flow().message(message_nr)?;
            let member = draft.member(draft.caller).ok_or_else(Refusal::not_member)?;
            let files = message.filter(|message| is_open(member, message)).map(|message| message.files);
            let mut files = files.into_iter().flatten();
            let file = files.find(|file| file.attachment_id == attachment_id && !file.is_deleted);
            Ok(Some(file.map(|file| Found { name: file.name, content: file.content, upload_id: None })))
        }
        Some(_) | None => Ok(draft.facts.files.get(url).cloned()),
    }
}

/// A typed text as a body with these files.
pub(super) fn render(text: &str, files: &[File]) -> markup::Rendered {
    show(files, |files| markup::render(text, files))
}

/// A body with other files.
pub(super) fn with_files(xml: &str, files: &[File]) -> String {
    show(files, |files| markup::with_files(xml, files))
}

/// A file that somebody took out by itself is still shown, as one that is gone.
fn show<T>(files: &[File], with: impl FnOnce(&[FileRef<'_>]) -> T) -> T {
    let shown = || files.iter().filter(|file| !file.is_deleted || file.deleter_id.is_some());
    let keys: Vec<String> = shown().map(File::key).collect();
    let refs: Vec<FileRef<'_>> = shown()
        .zip(&keys)
        .map(|(file, key)| FileRef { key, name: &file.name, is_deleted: file.is_deleted })
        .collect();
    with(&refs)
}
