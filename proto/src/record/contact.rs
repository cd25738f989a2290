//! `contact`: an account in the eyes of the viewer: his own, one that he knows, or a stranger's (protocol.md §3.4,
//! accounts.md §2.1).
//!
//! An account that the viewer knows has a shared part, [`Shared`], and the viewer's own, [`View`]: his private name and
//! number replace the public ones, so those are the viewer's fields even where he has none.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::classificator::{AccountStatus, EmailInterval, PushNewMessage};
use crate::id::{AccountId, ConversationId, OrganisationId};
use crate::record::write::Fields;

/// What is the same for everybody who knows the account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "contact")]
pub struct Shared<'a> {
    /// Key.
    pub account_id: AccountId,
    /// Its e-mail address.
    pub email: &'a str,
    /// Its Fleep address; registered accounts only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleep_address: Option<&'a str>,
    /// Known by address only, registered, closed.
    pub mk_account_status: AccountStatus,
    /// The organisation of which it is an active member; `null` when there is none.
    pub organisation_id: Option<OrganisationId>,
    /// What it says of itself, as an emoji.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_emoji: Option<&'a str>,
    /// What it says of itself, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<&'a str>,
    /// JSON text of the sizes of its picture; missing when it never had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_urls: Option<&'a str>,
}

/// What completes a [`Shared`] for one viewer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View<'a> {
    /// The name to show: the viewer's private one, else the public one.
    pub display_name: &'a str,
    /// The public name where a private one stands in front of it, or did.
    pub full_name: Option<&'a str>,
    /// The viewer's private name.
    pub contact_name: Option<&'a str>,
    /// The viewer's private note of a number, else the public one.
    pub phone_nr: Option<&'a str>,
    /// Its row in the viewer's contact list; `None` when it is not in there.
    pub listed: Option<Listed>,
}

/// The fields of a contact list's row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The latest dialog of the two; `null` when there is none.
    pub dialog_id: Option<ConversationId>,
    /// Left out where people to add are offered.
    pub is_hidden_for_add: bool,
    /// Higher comes first.
    pub sort_rank: u8,
}

impl View<'_> {
    /// Completes an open [`Shared`].
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut fields = Fields::new(out);
        fields.value("display_name", self.display_name);
        for (key, text) in
            [("full_name", self.full_name), ("contact_name", self.contact_name), ("phone_nr", self.phone_nr)]
        {
            if let Some(text) = text {
                fields.value(key, text);
            }
        }
        if let Some(listed) = self.listed {
            match listed.dialog_id {
                Some(dialog_id) => fields.id("dialog_id", dialog_id.0),
                None => fields.null("dialog_id"),
            }
            fields.flag("is_hidden_for_add", listed.is_hidden_for_add);
            fields.number("sort_rank", u64::from(listed.sort_rank));
        }
        fields.close();
    }
}

/// What only the account itself gets to see of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "contact")]
pub struct Own<'a> {
    /// Key.
    pub account_id: AccountId,
    /// The public name.
    pub display_name: &'a str,
    /// Its e-mail address.
    pub email: &'a str,
    /// Its Fleep address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleep_address: Option<&'a str>,
    /// The address that was made for it at its registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleep_autogen: Option<&'a str>,
    /// Registered, closed, …
    pub mk_account_status: AccountStatus,
    /// `null` when it is in no organisation.
    pub organisation_id: Option<OrganisationId>,
    /// Always `null`: nobody has a dialog with himself.
    pub dialog_id: (),
    /// Always `true`: nobody adds himself.
    pub is_hidden_for_add: bool,
    /// The public number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_nr: Option<&'a str>,
    /// What it says of itself, as an emoji.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_emoji: Option<&'a str>,
    /// What it says of itself, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<&'a str>,
    /// JSON text of the sizes of its picture; missing when it never had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_urls: Option<&'a str>,
    /// Flags that its clients set (protocol.md §4.11).
    pub client_flags: &'a BTreeSet<String>,
    /// JSON text of its clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_settings: Option<&'a str>,
    /// How often unread messages are mailed.
    pub mk_email_interval: EmailInterval,
    /// Which new messages are pushed to its devices.
    pub mk_push_new_message: PushNewMessage,
    /// Minutes without activity after which an open conversation is not read any more; 0 for never.
    pub sleep_interval: u8,
    /// A connected mailbox; "" for none.
    pub connected_email: &'a str,
    /// Unix seconds of its registration.
    pub activated_time: i64,
    /// Unix seconds; 0 for no trial.
    pub trial_end_time: i64,
    /// It logs in with a password.
    pub has_password: bool,
    /// E-mail conversations start muted.
    pub is_automute_enabled: bool,
    /// A paying organisation's member.
    pub is_premium: bool,
    /// Nobody sees its pen and its read marks, nor it theirs; missing until it has been set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_full_privacy: Option<bool>,
    /// It wants no newsletter; missing until it has been set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_newsletter_disabled: Option<bool>,
    /// The accounts of its other addresses; missing while it never had any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_account_ids: Option<&'a [AccountId]>,
    /// How much its attachments may take.
    pub storage_quota_bytes: u64,
    /// How much the attachments that it can see take.
    pub storage_used_bytes: u64,
    /// "1" when no export is under way, else the fraction as text.
    pub export_progress: &'a str,
    /// JSON texts that describe finished exports.
    pub export_files: &'a [&'a str],
}

/// A Fleep user whom the viewer looked up and does not know: no e-mail address, nothing of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "contact")]
pub struct Stranger<'a> {
    /// Key.
    pub account_id: AccountId,
    /// The public name.
    pub display_name: &'a str,
    /// Its Fleep address; an account known by its e-mail address only has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleep_address: Option<&'a str>,
    /// Known by address only, registered, closed.
    pub mk_account_status: AccountStatus,
    /// `null` when it is in no organisation.
    pub organisation_id: Option<OrganisationId>,
    /// Whether it is in an organisation.
    pub is_in_org: bool,
    /// JSON text of the sizes of its picture; `null` when it has none.
    pub avatar_urls: Option<&'a str>,
}
