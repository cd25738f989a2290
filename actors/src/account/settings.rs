//! What an account keeps of itself that is nobody else's: how it came to be, what its clients set, its devices (accounts.md
//! §2.1 and §4).
//!
//! Not here: what others may know of it (`profile`), and who may change what (`rules`).

use std::collections::BTreeSet;

use rill_proto::classificator::{DeviceType, EmailInterval, PushNewMessage};
use rill_proto::id::AccountId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `client_flags` of an account whose clients have set none.
const CLIENT_FLAGS: [&str; 3] = ["emoticons_old", "send_email_on_enter", "show_onboarding"];

/// Minutes; what a new account has.
const SLEEP_INTERVAL: u8 = 1;

/// What an account knows of its own registration.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Registration {
    /// The Fleep address that was made for it.
    #[serde(default)]
    pub fleep_autogen: Option<String>,
    /// Unix seconds.
    pub activated_time: i64,
    /// It logs in with a password.
    pub has_password: bool,
}

/// What an account's clients set. Most of it is for the clients themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Free-form flags.
    pub client_flags: BTreeSet<String>,
    /// Compact JSON text of an object; `None` until a client has set something.
    pub client_settings: Option<String>,
    /// How often unread messages are mailed.
    pub mk_email_interval: EmailInterval,
    /// Which new messages are pushed.
    pub mk_push_new_message: PushNewMessage,
    /// Minutes; 0 for never.
    pub sleep_interval: u8,
    /// E-mail conversations start muted.
    pub is_automute_enabled: bool,
    /// Neither its pen and read marks are shown, nor those of others to it; `None` until it has been set.
    pub is_full_privacy: Option<bool>,
    /// `None` until it has been set.
    pub is_newsletter_disabled: Option<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_flags: CLIENT_FLAGS.map(str::to_owned).into(),
            client_settings: None,
            mk_email_interval: EmailInterval::Hourly,
            mk_push_new_message: PushNewMessage::First,
            sleep_interval: SLEEP_INTERVAL,
            is_automute_enabled: true,
            is_full_privacy: None,
            is_newsletter_disabled: None,
        }
    }
}

/// Another address of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alias {
    /// The account that is known by it.
    pub account_id: AccountId,
    /// Lower case.
    pub email: String,
}

/// Switches for which there are no events; `None` leaves one as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Switches {
    /// As in [`Settings`].
    pub is_full_privacy: Option<bool>,
    /// As in [`Settings`].
    pub is_newsletter_disabled: Option<bool>,
    /// As in [`Settings`].
    pub is_automute_enabled: Option<bool>,
}

/// A device on which a login session can be reached by a push.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Which push service has it.
    pub kind: DeviceType,
    /// What that service knows it by.
    pub token: String,
}

impl Device {
    /// A name for the device, the same on whichever account it is: only one session may have it.
    #[must_use]
    pub fn name(&self) -> Uuid {
        let known_by = format!("{}:{}", self.kind.wire(), self.token);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, known_by.as_bytes())
    }
}
