//! An account's picture: what others are told of it, its paths, and where its bytes are (protocol.md §3.4, §6.6).
//!
//! The same bytes are served for every size: a browser makes them smaller. Not here: who sets it (`rules`).

use std::fmt::Write;

use rill_proto::compact;
use rill_proto::id::AccountId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::Head;
use crate::conversation::rows::decode;
use crate::file::{Content, Picture, Served};
use crate::store::{Aggregate, RowKey, Store, StoreFault};

/// The longest picture in bytes: a phone's photograph fits, and a list of people still comes quickly.
pub const AVATAR_BYTES_MAX: u64 = 5 * 1024 * 1024;

/// The edges for which there is a path whatever the picture's size (accounts.md §2.1).
const SIZES: [u32; 3] = [50, 100, 200];

/// The edge for which there is one when the picture is longer.
const LARGE: u32 = 575;

/// The edge for which there is one when the picture is larger in both directions.
const LARGEST: u32 = 700;

/// What a profile says of the account's picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Avatar {
    /// There was one: clients merge records by key, and so are told that there is none.
    Gone,
    /// There is one.
    Shown {
        /// What its paths name: another one for other bytes, so that nobody shows old ones.
        file_id: Uuid,
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
}

impl Avatar {
    /// Of an account's picture.
    #[must_use]
    pub fn of(account_id: AccountId, content: &Content, picture: Picture) -> Self {
        let file_id = Uuid::new_v5(&account_id.0, &content.sha256.0);
        Self::Shown { file_id, width: picture.width, height: picture.height }
    }

    /// `avatar_urls`: JSON text.
    #[must_use]
    pub fn urls(&self, account_id: AccountId) -> String {
        let Self::Shown { file_id, width, height } = *self else { return "{}".to_owned() };
        let large = [(LARGE, width.max(height) > LARGE), (LARGEST, width.min(height) > LARGEST)];
        let sizes = SIZES.into_iter().chain(large.into_iter().filter(|(_, has)| *has).map(|(size, _)| size));
        let (account, file) = (compact::write(account_id.0), compact::write(file_id));
        let mut urls = String::from("{");
        for size in sizes {
            let comma = if urls.len() > 1 { "," } else { "" };
            write!(urls, "{comma}\"size_{size}\":\"/avatar/{account}/{file}/thumb{size}\"")
                .expect("a String takes everything");
        }
        urls.push('}');
        urls
    }
}

/// Whose picture a path names, and which.
#[must_use]
pub fn named(path: &str) -> Option<(AccountId, Uuid)> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let is_avatar = parts.next() == Some("avatar");
    let (account, file) = (compact::read(parts.next()?)?, compact::read(parts.next()?)?);
    let is_size = parts.next().is_some_and(|size| size.starts_with("thumb")) && parts.next().is_none();
    (is_avatar && is_size).then_some((AccountId(account), file))
}

/// The picture that a path names; `None` when it is not the account's, or not any more.
///
/// # Errors
/// The store cannot be read.
pub async fn find(
    store: &dyn Store,
    account_id: AccountId,
    wanted: Uuid,
) -> Result<Option<Served>, StoreFault> {
    let row = store.row(Aggregate::Account(account_id), RowKey::Head).await?;
    let head: Option<Head> = row.map(|row| decode(&row)).transpose()?;
    let Some(Head { profile, avatar: Some(content), .. }) = head else { return Ok(None) };
    let is_it = matches!(profile.avatar, Some(Avatar::Shown { file_id, .. }) if file_id == wanted);
    Ok(is_it.then(|| Served { name: "avatar".to_owned(), content: *content }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::file::Digest;

    fn sizes(width: u32, height: u32) -> Vec<String> {
        let avatar = Avatar::Shown { file_id: Uuid::max(), width, height };
        let urls: Value = serde_json::from_str(&avatar.urls(AccountId(Uuid::nil()))).unwrap();
        urls.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn larger_pictures_have_more_sizes() {
        assert_eq!(sizes(400, 400), ["size_100", "size_200", "size_50"]);
        assert_eq!(sizes(566, 800), ["size_100", "size_200", "size_50", "size_575"]);
        assert_eq!(sizes(3492, 2114).len(), 5);
        assert_eq!(Avatar::Gone.urls(AccountId(Uuid::nil())), "{}");
    }

    #[test]
    fn a_path_names_what_it_was_made_of() {
        let account_id = AccountId(Uuid::from_u128(7));
        let content =
            Content { sha256: Digest([1; 32]), size: 1, file_type: "image/png".into(), picture: None };
        let picture = Picture { width: 1, height: 1, is_animated: false, orientation: None };
        let avatar = Avatar::of(account_id, &content, picture);
        let urls: Value = serde_json::from_str(&avatar.urls(account_id)).unwrap();
        let Avatar::Shown { file_id, .. } = avatar else { unreachable!("it is shown") };
        assert_eq!(named(urls["size_50"].as_str().unwrap()), Some((account_id, file_id)));
        for wrong in
            ["/avatar/x/y/thumb50", "/avatar", "/file/AAAAAAAAAAAAAAAAAAAAAA/AAAAAAAAAAAAAAAAAAAAAA/thumb50"]
        {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }
}
