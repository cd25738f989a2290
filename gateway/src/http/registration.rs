//! What a new account is made of, checked before an account is asked (protocol.md §1.3).
//!
//! Pure. Whether the address is taken is the account's to say; passwords are checked where they are hashed.

use rill_actors::account::login::is_address;
use serde::Deserialize;

use crate::refuse::Refused;

/// The longest e-mail address (RFC 5321 §4.5.3.1: 254 with its path brackets removed).
const EMAIL_BYTES_MAX: usize = 254;

/// The longest name. Ten words; a list of members must stay readable.
const NAME_CHARS_MAX: usize = 128;

/// The longest phone number, as the event has it.
const PHONE_CHARS_MAX: usize = 16;

/// The parameters of `account/register` and of the provisioning call.
#[derive(Deserialize)]
pub(crate) struct Registration {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    fleep_address: Option<String>,
    /// Only `account/register` logs in.
    #[serde(default)]
    pub(crate) remember_me: Option<bool>,
    /// A code is to be mailed.
    #[serde(default)]
    pub(crate) use_code: Option<bool>,
}

/// A registration whose values can be used.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Lower case.
    pub(crate) email: String,
    /// Not checked yet.
    pub(crate) password: String,
    /// Trimmed, not empty.
    pub(crate) display_name: String,
    /// Lower case.
    pub(crate) fleep_address: Option<String>,
}

impl Registration {
    /// Checks the values.
    pub(crate) fn check(self) -> Result<Asked, Refused> {
        let email = email(&self.email.unwrap_or_default())?;
        let display_name = display_name(&self.display_name.unwrap_or_default())?;
        let fleep_address = optional_address(self.fleep_address.as_deref())?;
        Ok(Asked { email, password: self.password.unwrap_or_default(), display_name, fleep_address })
    }
}

/// Checks an e-mail address, and lowers its case. Only the form is checked: whether mail arrives there, mail shows.
pub(crate) fn email(given: &str) -> Result<String, Refused> {
    let invalid = || Refused::invalid_value("Email address is not valid.");
    let email = given.trim().to_lowercase();
    let (local, domain) = email.split_once('@').ok_or_else(invalid)?;
    let is_fine = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.');
    let has_strange =
        email.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c));
    if email.len() > EMAIL_BYTES_MAX
        || domain.contains('@')
        || has_strange
        || !is_fine(local)
        || !is_fine(domain)
    {
        return Err(invalid());
    }
    Ok(email)
}

/// Checks a name.
pub(crate) fn display_name(given: &str) -> Result<String, Refused> {
    let name = given.trim();
    if name.is_empty() {
        return Err(Refused::invalid_value("Display name is missing."));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(Refused::invalid_value(format!("Display name has at most {NAME_CHARS_MAX} characters.")));
    }
    Ok(name.to_owned())
}

/// Checks a phone number. Any text will do.
pub(crate) fn phone_nr(given: &str) -> Result<String, Refused> {
    let phone_nr = given.trim();
    if phone_nr.chars().count() > PHONE_CHARS_MAX {
        return Err(Refused::invalid_value(format!(
            "Phone number has at most {PHONE_CHARS_MAX} characters."
        )));
    }
    Ok(phone_nr.to_owned())
}

/// Checks a Fleep address, where there is one, and lowers its case.
pub(crate) fn optional_address(given: Option<&str>) -> Result<Option<String>, Refused> {
    match given.map(str::trim) {
        None | Some("") => Ok(None),
        Some(address) => fleep_address(address).map(Some),
    }
}

fn fleep_address(given: &str) -> Result<String, Refused> {
    let address = given.to_lowercase();
    if is_address(&address) {
        Ok(address)
    } else {
        Err(Refused::invalid_value("Fleep address not available!"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Registration, email, fleep_address};

    #[test]
    fn addresses_have_one_at() {
        assert_eq!(email(" Ada.L@Example.ORG ").unwrap(), "ada.l@example.org");
        assert_eq!(email("a@localhost").unwrap(), "a@localhost");
        let long = format!("{}@example.org", "a".repeat(250));
        for wrong in
            ["", "ada", "@b", "a@", "a@b@c", "a b@c", "a@b.", ".a@b", "<a@b>", "a@b\n@", long.as_str()]
        {
            assert!(email(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn fleep_addresses_begin_with_a_letter() {
        assert_eq!(fleep_address("Ada.Love-1").unwrap(), "ada.love-1");
        for wrong in ["short", "1lovelace", "ada lovelace", &"a".repeat(31), "adaé-lovelace"] {
            assert!(fleep_address(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_is_needed() {
        let with_name = |name: &str| Registration {
            email: Some("a@b".to_owned()),
            password: None,
            display_name: Some(name.to_owned()),
            fleep_address: None,
            remember_me: None,
            use_code: None,
        };
        assert_eq!(with_name(" Ada ").check().unwrap().display_name, "Ada");
        assert!(with_name("  ").check().is_err());
        assert!(with_name(&"a".repeat(129)).check().is_err());
    }
}
