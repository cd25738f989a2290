//! Accounts in the eyes of others: the owner's private contact list and the forms of the `contact` record (accounts.md
//! §2.1 and §5).
//!
//! A row holds what the owner alone says of somebody. People who only share a conversation with the owner have no row:
//! they are contacts of rank 0 all the same, so that adding a member costs no row for everybody who is there already.
//! Not here: the events that change a row.

use std::collections::BTreeMap;

use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::record::{self, contact};
use serde::{Deserialize, Serialize};

use crate::account::profile::Profile;
use crate::account::settings::Alias;
use crate::account::state::Head;
use crate::store::Stamp;

/// What the owner of a contact list says of one contact.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ContactRow {
    /// His own name for the contact; an empty one restores the public name.
    #[serde(default)]
    pub contact_name: Option<String>,
    /// His own note of a number; an empty one restores the public number.
    #[serde(default)]
    pub phone_nr: Option<String>,
    /// He does not want it offered.
    #[serde(default)]
    pub is_hidden: bool,
    /// 0 to 8 (accounts.md §5.3); counts as 0 while it is hidden.
    #[serde(default)]
    pub sort_rank: u8,
    /// The latest dialog of the two.
    #[serde(default)]
    pub dialog_id: Option<ConversationId>,
    /// The address by which the owner named somebody whom nobody knew: his contact until he is known.
    #[serde(default)]
    pub email: Option<String>,
    /// The contact has been told that it is in this list, so that it tells its owner what changes.
    #[serde(default)]
    pub is_watched: bool,
    /// The newest version of the contact's profile that its owner was told of here.
    #[serde(default)]
    pub shown_version: u64,
    /// When the row last changed, or what it is about did.
    pub stamp: Stamp,
}

impl ContactRow {
    fn listed(&self) -> contact::Listed {
        contact::Listed {
            dialog_id: self.dialog_id,
            is_hidden_for_add: self.is_hidden,
            sort_rank: self.rank(),
        }
    }

    /// Its rank as clients see it.
    #[must_use]
    pub fn rank(&self) -> u8 {
        if self.is_hidden { 0 } else { self.sort_rank }
    }
}

/// The rows of one owner.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContactBook(BTreeMap<AccountId, ContactRow>);

impl ContactBook {
    /// The row of a contact, if there is one.
    #[must_use]
    pub fn row(&self, account_id: AccountId) -> Option<&ContactRow> {
        self.0.get(&account_id)
    }

    /// Puts a row in, in place of an earlier one.
    pub fn put(&mut self, account_id: AccountId, row: ContactRow) {
        self.0.insert(account_id, row);
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All rows, by account.
    pub fn rows(&self) -> impl Iterator<Item = (AccountId, &ContactRow)> {
        self.0.iter().map(|(account_id, row)| (*account_id, row))
    }

    /// The owner's own name for somebody.
    #[must_use]
    pub fn private_name(&self, account_id: AccountId) -> Option<&str> {
        self.row(account_id)?.contact_name.as_deref().filter(|name| !name.is_empty())
    }
}

impl FromIterator<(AccountId, ContactRow)> for ContactBook {
    fn from_iter<I: IntoIterator<Item = (AccountId, ContactRow)>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

/// An account as those see it who know it: the shared part of its `contact` record, and the public texts that a viewer
/// may have replaced with his own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Known {
    /// The account.
    pub account_id: AccountId,
    open: Bytes,
    display_name: String,
    phone_nr: Option<String>,
}

impl Known {
    /// From what everybody may know.
    #[must_use]
    pub fn new(account_id: AccountId, profile: &Profile) -> Self {
        let avatar_urls = profile.avatar.map(|avatar| avatar.urls(account_id));
        let open = record::open(&contact::Shared {
            account_id,
            email: &profile.email,
            fleep_address: profile.fleep_address.as_deref(),
            mk_account_status: profile.status,
            organisation_id: profile.organisation_id,
            organisation_name: profile.organisation_name.as_deref(),
            is_org_admin: profile.is_org_admin,
            status_emoji: profile.status_emoji.as_deref(),
            status_message: profile.status_message.as_deref(),
            avatar_urls: avatar_urls.as_deref(),
        });
        Self {
            account_id,
            open: open.into(),
            display_name: profile.display_name.clone(),
            phone_nr: profile.phone_nr.clone(),
        }
    }

    /// Appends the record for the owner of a contact list. Without a list it is the form of somebody who was looked up
    /// by his e-mail address and is no contact.
    pub fn write(&self, book: Option<&ContactBook>, out: &mut Vec<u8>) {
        let no_row = ContactRow::default();
        let row = book.and_then(|book| book.row(self.account_id)).unwrap_or(&no_row);
        let private_name = row.contact_name.as_deref().filter(|name| !name.is_empty());
        let private_nr = row.phone_nr.as_deref().filter(|nr| !nr.is_empty());
        out.extend_from_slice(&self.open);
        // Clients merge records by key: what stood there once is said again when it is another one, or empty.
        contact::View {
            display_name: private_name.unwrap_or(&self.display_name),
            full_name: row.contact_name.as_ref().map(|_| self.display_name.as_str()),
            contact_name: row.contact_name.as_deref(),
            phone_nr: private_nr.or(self.phone_nr.as_deref()).or(row.phone_nr.as_deref()),
            listed: book.map(|_| row.listed()),
        }
        .write(out);
    }

    /// The form of somebody who was looked up by his e-mail address and is no contact of the viewer's.
    #[must_use]
    pub fn unlisted(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.size_hint());
        self.write(None, &mut out);
        out.into()
    }

    /// About how many bytes [`Known::write`] appends.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        /// The viewer's keys, a dialog and short private texts.
        const VIEW_BYTES: usize = 192;
        self.open.len() + self.display_name.len() + VIEW_BYTES
    }
}

/// An account's own `contact` record. Of its files it says how many bytes they take, and how many they may.
#[must_use]
pub fn own(account_id: AccountId, head: &Head, (used, quota): (u64, u64)) -> Bytes {
    let Head { profile, registration, settings, .. } = head;
    let avatar_urls = profile.avatar.map(|avatar| avatar.urls(account_id));
    let ids =
        |aliases: &Vec<Alias>| -> Vec<AccountId> { aliases.iter().map(|alias| alias.account_id).collect() };
    let alias_account_ids = head.aliases.as_ref().map(ids);
    record::complete(&contact::Own {
        account_id,
        display_name: &profile.display_name,
        email: &profile.email,
        fleep_address: profile.fleep_address.as_deref(),
        fleep_autogen: registration.fleep_autogen.as_deref(),
        mk_account_status: profile.status,
        organisation_id: profile.organisation_id,
        organisation_name: profile.organisation_name.as_deref(),
        is_org_admin: profile.is_org_admin,
        dialog_id: (),
        is_hidden_for_add: true,
        phone_nr: profile.phone_nr.as_deref(),
        status_emoji: profile.status_emoji.as_deref(),
        status_message: profile.status_message.as_deref(),
        avatar_urls: avatar_urls.as_deref(),
        client_flags: &settings.client_flags,
        client_settings: settings.client_settings.as_deref(),
        mk_email_interval: settings.mk_email_interval,
        mk_push_new_message: settings.mk_push_new_message,
        sleep_interval: settings.sleep_interval,
        connected_email: "",
        activated_time: registration.activated_time,
        trial_end_time: 0,
        has_password: registration.has_password,
        is_automute_enabled: settings.is_automute_enabled,
        is_premium: false,
        is_full_privacy: settings.is_full_privacy,
        is_newsletter_disabled: settings.is_newsletter_disabled,
        alias_account_ids: alias_account_ids.as_deref(),
        storage_quota_bytes: quota,
        storage_used_bytes: used,
        export_progress: "1",
        export_files: &[],
    })
    .into()
}

/// The record of somebody whom the viewer does not know and did not find by an e-mail address.
#[must_use]
pub fn stranger(account_id: AccountId, profile: &Profile) -> Bytes {
    let avatar_urls = profile.avatar.map(|avatar| avatar.urls(account_id));
    record::complete(&contact::Stranger {
        account_id,
        display_name: &profile.display_name,
        fleep_address: profile.fleep_address.as_deref(),
        mk_account_status: profile.status,
        organisation_id: profile.organisation_id,
        is_in_org: profile.organisation_id.is_some(),
        avatar_urls: avatar_urls.as_deref(),
    })
    .into()
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::AccountStatus;
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;
    use crate::account::settings::Registration;

    const BOB: AccountId = AccountId(Uuid::from_u128(2));

    fn profile() -> Profile {
        Profile {
            version: 1,
            display_name: "Bob Brown".to_owned(),
            email: "bob@example.org".to_owned(),
            fleep_address: Some("bob".to_owned()),
            status: AccountStatus::Active,
            organisation_id: None,
            organisation_name: None,
            is_org_admin: None,
            invited_into: [].into(),
            phone_nr: Some("+1".to_owned()),
            status_emoji: None,
            status_message: None,
            alias_of: None,
            is_private: false,
            avatar: None,
        }
    }

    fn seen(row: Option<ContactRow>) -> Value {
        let book: ContactBook = row.map(|row| (BOB, row)).into_iter().collect();
        let mut out = Vec::new();
        Known::new(BOB, &profile()).write(Some(&book), &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn who_has_no_row_is_a_contact_of_rank_0() {
        let record = seen(None);
        assert_eq!(
            (&record["display_name"], &record["phone_nr"]),
            (&Value::from("Bob Brown"), &Value::from("+1"))
        );
        assert_eq!((&record["sort_rank"], &record["dialog_id"]), (&Value::from(0), &Value::Null));
    }

    #[test]
    fn private_texts_win_and_empty_ones_restore_the_public_ones() {
        let named = |name: &str, nr: &str| ContactRow {
            contact_name: Some(name.to_owned()),
            phone_nr: Some(nr.to_owned()),
            ..ContactRow::default()
        };
        let record = seen(Some(named("Bobby", "+2")));
        assert_eq!(
            (&record["display_name"], &record["phone_nr"]),
            (&Value::from("Bobby"), &Value::from("+2"))
        );
        let record = seen(Some(named("", "")));
        assert_eq!(
            (&record["display_name"], &record["phone_nr"]),
            (&Value::from("Bob Brown"), &Value::from("+1"))
        );
        assert_eq!(
            (&record["contact_name"], &record["full_name"]),
            (&Value::from(""), &Value::from("Bob Brown"))
        );
    }

    #[test]
    fn a_hidden_contact_is_still_told_of_with_rank_0() {
        let record = seen(Some(ContactRow { is_hidden: true, sort_rank: 8, ..ContactRow::default() }));
        assert_eq!(
            (&record["is_hidden_for_add"], &record["sort_rank"]),
            (&Value::from(true), &Value::from(0))
        );
    }

    #[test]
    fn somebody_looked_up_has_no_list_fields_and_a_stranger_no_address_of_mail() {
        let looked_up: Value = serde_json::from_slice(&Known::new(BOB, &profile()).unlisted()).unwrap();
        assert_eq!(
            (&looked_up["email"], looked_up.get("sort_rank")),
            (&Value::from("bob@example.org"), None)
        );
        let stranger: Value = serde_json::from_slice(&stranger(BOB, &profile())).unwrap();
        assert_eq!((stranger.get("email"), &stranger["is_in_org"]), (None, &Value::from(false)));
    }

    #[test]
    fn the_own_record_has_the_defaults_of_a_registered_account() {
        let registration = Registration { fleep_autogen: Some("bob".to_owned()), ..Registration::default() };
        let head = Head { registration, ..Head::of(profile(), 1) };
        let own: Value = serde_json::from_slice(&own(BOB, &head, (7, 10_737_418_240))).unwrap();
        assert_eq!((&own["dialog_id"], &own["is_hidden_for_add"]), (&Value::Null, &Value::from(true)));
        let flags = serde_json::json!(["emoticons_old", "send_email_on_enter", "show_onboarding"]);
        assert_eq!((&own["client_flags"], &own["mk_email_interval"]), (&flags, &Value::from("hourly")));
        assert_eq!(
            (&own["sleep_interval"], &own["is_automute_enabled"]),
            (&Value::from(1), &Value::from(true))
        );
        assert_eq!(
            (&own["storage_used_bytes"], &own["storage_quota_bytes"]),
            (&7.into(), &10_737_418_240_u64.into())
        );
        assert_eq!((own.get("sort_rank"), own.get("activity_time")), (None, None));
    }

    #[test]
    fn a_row_survives_its_store() {
        let row = ContactRow {
            contact_name: Some("Bobby".to_owned()),
            sort_rank: 4,
            stamp: 7,
            ..ContactRow::default()
        };
        let bytes = serde_json::to_vec(&row).unwrap();
        assert_eq!(serde_json::from_slice::<ContactRow>(&bytes).unwrap(), row);
    }
}
