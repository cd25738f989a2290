//! Letters that wait for an answer: what their links and codes are good for, and for how long (accounts.md §3).
//!
//! A notice is kept by a name that follows from its secret, never by the secret itself. The secret follows from when it was
//! written and from the installation's own, so that a code can be checked without being kept. Not here: who is sent one.

use rill_proto::id::AccountId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::settings::Alias;
use crate::store::Stamp;

/// Codes that a person can type: six digits.
const CODES: u128 = 1_000_000;

/// How many wrong codes an open letter survives. Two digits of a million guesses, and nobody mistypes so often.
pub const MISSES_MAX: u8 = 5;

/// What a letter's link or code is good for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To register, with what was said in the beginning, where it was.
    Register(Applicant),
    /// To register after somebody else named the address.
    Invitation,
    /// To set a new password.
    Reset,
    /// To close the account.
    Close,
    /// To make an address one of the account's own.
    Alias(Alias),
}

/// With what somebody registers; what is missing is asked for later.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Applicant {
    /// The address, lower case.
    pub email: String,
    /// Trimmed.
    #[serde(default)]
    pub display_name: Option<String>,
    /// As argon2 writes it.
    #[serde(default)]
    pub password_hash: Option<String>,
}

/// A letter that waits for an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// What for.
    pub purpose: Purpose,
    /// Unix seconds.
    pub written: i64,
    /// Of the change that wrote it: the secret follows from it.
    pub stamp: Stamp,
    /// How many wrong codes were tried.
    #[serde(default)]
    pub misses: u8,
    /// It has done its work.
    #[serde(default)]
    pub is_used: bool,
}

impl Notice {
    /// For how long it is good, in seconds.
    #[must_use]
    pub fn kept_s(&self) -> i64 {
        const DAY: i64 = 24 * 60 * 60;
        match self.purpose {
            // What can take an account over is good for a day.
            Purpose::Reset | Purpose::Close => DAY,
            Purpose::Register(_) | Purpose::Alias(_) => 7 * DAY,
            // Who is invited may be on leave.
            Purpose::Invitation => 30 * DAY,
        }
    }
}

/// The name of a notice.
#[must_use]
pub fn name(secret: Uuid) -> Uuid {
    Uuid::new_v5(&secret, b"name")
}

/// The code of a notice: six digits.
#[must_use]
pub fn code(secret: Uuid) -> String {
    format!("{:06}", Uuid::new_v5(&secret, b"code").as_u128() % CODES)
}

/// What a link carries: whose it is, and the secret.
#[must_use]
pub fn notification_id(account_id: AccountId, secret: Uuid) -> String {
    format!("{}{}", account_id.0.simple(), secret.simple())
}

/// Whose a link is, and its secret; `None` for what is none.
#[must_use]
pub fn read(notification_id: &str) -> Option<(AccountId, Uuid)> {
    let (account_id, secret) = notification_id.trim().split_at_checked(32)?;
    Some((AccountId(Uuid::try_parse(account_id).ok()?), Uuid::try_parse(secret).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_whose_it_is_and_tells_nothing_else() {
        let (account_id, secret) = (AccountId(Uuid::from_u128(7)), Uuid::from_u128(8));
        let link = notification_id(account_id, secret);
        assert_eq!(read(&link), Some((account_id, secret)));
        for wrong in ["", "7", &link[1..], "é234567890123456789012345678901é"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(code(secret).len(), 6);
        assert_ne!(name(secret), secret);
    }
}
