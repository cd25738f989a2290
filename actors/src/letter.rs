//! What is mailed: to whom, and about what. The words are written where it is sent.
//!
//! A letter is an effect like any other: it lies in the outbox from the append that caused it until it has been handed to a
//! mail server, or given up.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One letter.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// Its id: the same however often it is sent, so that a mail system can tell.
    pub id: Uuid,
    /// The address.
    pub to: String,
    /// Unix seconds.
    pub written: i64,
    /// What it is about.
    pub about: About,
}

/// What a letter is about. A `notification_id` is the secret that its link carries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "about")]
pub enum About {
    /// Somebody registers: the code that he types in.
    Code {
        /// Six digits.
        code: String,
    },
    /// Somebody registers: the link that he follows.
    Confirm {
        /// For the link.
        notification_id: String,
    },
    /// Somebody has registered.
    Welcome {
        /// His name.
        display_name: String,
    },
    /// A new password is wanted.
    Reset {
        /// For the link.
        notification_id: String,
    },
    /// The account is to be closed.
    Close {
        /// For the link.
        notification_id: String,
    },
    /// Somebody who is known by his address only was brought into a conversation.
    Invitation {
        /// For the link.
        notification_id: String,
        /// Who brought him in.
        by: String,
    },
    /// Somebody is invited into an organisation.
    Employment {
        /// For the link, where he has to register first.
        notification_id: Option<String>,
        /// Who invites him.
        by: String,
        /// The organisation's name.
        organisation_name: String,
    },
    /// Somebody is in an organisation no more.
    Discharge {
        /// The organisation's name.
        organisation_name: String,
        /// His account is closed with it.
        is_closed: bool,
    },
    /// An admin of the account's organisation has set its password.
    Password {
        /// The organisation's name.
        organisation_name: String,
    },
    /// An address is to belong to an account.
    Alias {
        /// For the link.
        notification_id: String,
        /// The account's name.
        display_name: String,
    },
}
