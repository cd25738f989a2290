//! Looking up what urls name, for whoever is about to attach it or to read it.
//!
//! Reads rows as they are stored, also those of other owners: whatever an account was answered is there. Not here: which
//! of the files of his own message an owner has in memory.

use std::sync::Arc;

use rill_proto::id::{AccountId, ConversationId};
use uuid::Uuid;

use super::{Content, File, Found, Reference, Upload};
use crate::account::board::Text;
use crate::conversation::open::message_for;
use crate::conversation::rows::decode;
use crate::store::{Aggregate, RowKey, Store, StoreFault, StoreFuture};

/// A file that its reader may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Served {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub content: Content,
}

/// What each url names, for somebody who wants to attach it; `None` for what he may not see or what is no file.
pub fn gather(
    store: Arc<dyn Store>,
    caller: AccountId,
    urls: Vec<String>,
) -> StoreFuture<Vec<(String, Option<Found>)>> {
    Box::pin(async move {
        let mut found = Vec::with_capacity(urls.len());
        for url in urls {
            let named = match Reference::parse(&url) {
                Some(reference) => look_up(&*store, caller, reference).await?,
                None => None,
            };
            found.push((url, named));
        }
        Ok(found)
    })
}

/// The file that a reference names, if the reader may have it.
///
/// # Errors
/// The store cannot be read.
pub async fn find(
    store: &dyn Store,
    reader: AccountId,
    reference: Reference,
) -> Result<Option<Served>, StoreFault> {
    let found = look_up(store, reader, reference).await?;
    Ok(found.map(|found| Served { name: found.name, content: found.content }))
}

async fn look_up(
    store: &dyn Store,
    caller: AccountId,
    reference: Reference,
) -> Result<Option<Found>, StoreFault> {
    match reference {
        Reference::Upload(id) => {
            let row = store.row(Aggregate::Account(caller), RowKey::Upload(id)).await?;
            let upload: Option<Upload> = row.map(|row| decode(&row)).transpose()?;
            Ok(upload.and_then(|upload| upload.found(id)))
        }
        Reference::Attached { conversation_id, message_nr, attachment_id } => {
            attached(store, caller, conversation_id, message_nr, attachment_id).await
        }
        Reference::Private { message_id, attachment_id } => {
            let row = store.row(Aggregate::Account(caller), RowKey::Text(message_id)).await?;
            let text: Option<Text> = row.map(|row| decode(&row)).transpose()?;
            Ok(named(text.into_iter().flat_map(|text| text.files), attachment_id))
        }
    }
}

async fn attached(
    store: &dyn Store,
    caller: AccountId,
    conversation_id: ConversationId,
    message_nr: u64,
    attachment_id: Uuid,
) -> Result<Option<Found>, StoreFault> {
    let message = message_for(store, caller, conversation_id, message_nr).await?;
    Ok(named(message.into_iter().flat_map(|message| message.files), attachment_id))
}

/// A file that is still there.
fn named(files: impl Iterator<Item = File>, attachment_id: Uuid) -> Option<Found> {
    let mut files = files.filter(|file| file.attachment_id == attachment_id && !file.is_deleted);
    files.next().map(|file| Found { name: file.name, content: file.content, upload_id: None })
}
