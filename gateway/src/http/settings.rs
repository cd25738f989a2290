//! The older calls by which an account sets what is its own (protocol.md §6.1): those that are events, and the switches and
//! addresses for which there are none.
//!
//! Not here: which call each of these is (that is in the table, [`super::legacy`]).

use rill_actors::account::settings::Switches;
use rill_actors::account::wish::Wish;
use rill_proto::classificator::{DeviceType, InitMode};

use super::legacy::{Form, Given, Plan, Planned, Step};
use super::registration;
use crate::refuse::Refused;

/// An event on the caller's account.
fn event<'a>(given: &'a Given, urn: &'static str) -> Step<'a> {
    Step::new(given, urn, None)
}

/// `account/configure`: any mix of what an account sets of itself, and the own record as it is then.
pub(super) fn configure(given: &Given) -> Planned<'_> {
    let events = [
        ("display_name", "account:set_name", "name"),
        ("phone_nr", "account:set_phone", "phone_nr"),
        ("password", "account:change_password", "password"),
        ("email_interval", "account:set_email_interval", "mk_email_interval"),
        ("client_settings", "account:change_settings", "client_settings"),
    ];
    let given_events = events.iter().filter(|(theirs, ..)| given.has(theirs));
    let steps: Vec<Step<'_>> = given_events
        .map(|(theirs, urn, ours)| event(given, urn).takes_as(theirs, ours).takes(&["old_password"]))
        .collect();
    let mut wishes = Vec::new();
    let switches = Switches {
        is_full_privacy: given.flag("is_full_privacy")?,
        is_newsletter_disabled: given.flag("is_newsletter_disabled")?,
        is_automute_enabled: given.flag("is_automute_enabled")?,
    };
    wishes.extend((switches != Switches::default()).then_some(Wish::Switch(switches)));
    wishes.extend(address(given)?);
    wishes.extend(primary(given)?);
    Ok(Plan { wishes, ..steps.into() }.answered(Form::Own))
}

/// `fleep_address/add`: the address by which an account is known here, once and for all.
pub(super) fn add_address(given: &Given) -> Planned<'_> {
    let wish = address(given)?.ok_or_else(|| Refused::bad_request("fleep_address is missing."))?;
    Ok(Plan { wishes: vec![wish], ..Vec::new().into() }.answered(Form::Own))
}

fn address(given: &Given) -> Result<Option<Wish>, Refused> {
    let address = registration::optional_address(given.text("fleep_address")?)?;
    Ok(address.map(Wish::TakeAddress))
}

/// `avatar/delete`.
pub(super) fn drop_avatar(_: &Given) -> Planned<'_> {
    Ok(Plan { wishes: vec![Wish::SetAvatar(None)], ..Vec::new().into() }.answered(Form::Own))
}

/// `account/configure_primary_email`: one of the account's addresses becomes the first.
pub(super) fn configure_primary_email(given: &Given) -> Planned<'_> {
    let wish = primary(given)?.ok_or_else(|| Refused::bad_request("primary_email is missing."))?;
    Ok(Plan { wishes: vec![wish], ..Vec::new().into() }.answered(Form::Own))
}

fn primary(given: &Given) -> Result<Option<Wish>, Refused> {
    let email = given.text("primary_email")?.map(registration::email).transpose()?;
    Ok(email.map(Wish::Prefer))
}

/// `alias/add` and `remove`: the addresses of a `To:` line, one after the other.
pub(super) fn aliases(given: &Given, wish: fn(String) -> Wish) -> Planned<'_> {
    let emails = given.emails("emails")?;
    if emails.is_empty() {
        return Err(Refused::bad_request("emails: at least one address is needed."));
    }
    let emails: Vec<String> =
        emails.iter().map(|email| registration::email(email)).collect::<Result<_, _>>()?;
    let wishes = emails.into_iter().map(wish).collect();
    Ok(Plan { wishes, ..Vec::new().into() }.answered(Form::Aliases))
}

/// `alias/sync`: the own addresses, and the own record.
pub(super) fn sync_aliases(_: &Given) -> Planned<'_> {
    Ok(Plan::from(Vec::new()).answered(Form::Aliases))
}

/// `account/configure_email_interval`.
pub(super) fn email_interval(given: &Given) -> Planned<'_> {
    let step = event(given, "account:set_email_interval").takes_as("email_interval", "mk_email_interval");
    Ok(Plan::from(step).answered(Form::Own))
}

/// `account/set_flag`: a flag is there or not.
pub(super) fn set_flag(given: &Given) -> Planned<'_> {
    let is_on = given.flag("bool_value")?;
    let is_on = is_on.ok_or_else(|| Refused::bad_request("bool_value is missing."))?;
    let urn = if is_on { "account:add_flag" } else { "account:remove_flag" };
    Ok(Plan::from(event(given, urn).takes(&["client_flag"])).answered(Form::Own))
}

/// `account/configure_apn` and `configure_android`: where this login is pushed to; nothing takes the device away.
pub(super) fn device<'a>(given: &'a Given, kind: DeviceType, key: &str) -> Planned<'a> {
    let step = event(given, "account:set_device_token").with("mk_device_type", kind.wire());
    Ok(Plan::from(step.with("device_token", "").takes_as(key, "device_token")).without_header())
}

/// `account/sync_conversations`: as lists show them, unless the call says otherwise.
pub(super) fn sync_conversations(given: &Given) -> Planned<'_> {
    let step = event(given, "account:sync_conversations").with("mk_init_mode", InitMode::Tiny.wire());
    Ok(Plan::from(step.takes(&["conversation_ids", "mk_init_mode"])).without_header())
}
