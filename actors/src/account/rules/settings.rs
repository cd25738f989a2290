//! What an account sets of itself (accounts.md §4): plain setters of its head. What others see of it goes to them as well.

use rill_proto::classificator::{DeviceType, EmailInterval, PushNewMessage};
use rill_proto::event::account::{self, Event};
use rill_proto::refusal::Refusal;
use serde_json::{Map, Value, json};

use super::{Decision, Facts, Judged, News, spread};
use crate::account::settings::Device;
use crate::account::state::{Change, Head, State};
use crate::effect::Effect;
use crate::store::{Aggregate, UniqueKey};

/// How many flags an account may have: several times what all known clients together set. They are all in the own record.
const FLAGS_MAX: usize = 64;

/// How long the settings of all clients together may become: sixteen calls of the longest that one may send.
const CLIENT_SETTINGS_CHARS_MAX: usize = 16 * 1024;

/// The longest sleep interval, in minutes.
const SLEEP_INTERVAL_MAX: i64 = 60;

/// `account:set_name`.
pub(super) fn set_name(state: &State, event: &account::SetName, facts: &Facts) -> Judged<Decision> {
    let name = event.name.trim();
    if name.is_empty() {
        return Err(Refusal::invalid_call("name", "a name is needed, blanks alone are none").into());
    }
    change(state, facts, |head| name.clone_into(&mut head.profile.display_name))
}

/// The setters that cannot be refused for more than their own value.
pub(super) fn set(state: &State, event: &Event, facts: &Facts) -> Judged<Decision> {
    match event {
        Event::SetPhone(event) => {
            let phone_nr = event.phone_nr.trim();
            change(state, facts, |head| head.profile.phone_nr = text(phone_nr))
        }
        Event::UpdateStatusMessage(event) => change(state, facts, |head| {
            head.profile.status_emoji = text(event.status_emoji.trim());
            head.profile.status_message = text(event.status_message.trim());
        }),
        Event::SetEmailInterval(account::SetEmailInterval { mk_email_interval }) => {
            let interval: EmailInterval = *mk_email_interval;
            change(state, facts, |head| head.settings.mk_email_interval = interval)
        }
        Event::SetMkPushNewMessage(event) => {
            let wanted = PushNewMessage::read(&event.mk_push_new_message);
            let wanted = wanted
                .ok_or_else(|| Refusal::invalid_call("mk_push_new_message", "'first' or 'all' is allowed"))?;
            change(state, facts, |head| head.settings.mk_push_new_message = wanted)
        }
        Event::SetSleepInterval(event) => {
            let minutes = u8::try_from(event.sleep_interval).ok();
            let minutes = minutes.filter(|minutes| i64::from(*minutes) <= SLEEP_INTERVAL_MAX);
            // The text is what clients of the original service look for.
            let minutes = minutes.ok_or_else(|| Refusal::invalid_state("Invalid sleep interval."))?;
            change(state, facts, |head| head.settings.sleep_interval = minutes)
        }
        Event::RemoveFlag(event) => change(state, facts, |head| {
            head.settings.client_flags.remove(&*event.client_flag);
        }),
        Event::AddFlag(event) => add_flag(state, &event.client_flag, facts),
        Event::ChangeSettings(event) => change_settings(state, &event.client_settings, facts),
        Event::SetDeviceToken(event) => set_device(state, event.mk_device_type, &event.device_token, facts),
        Event::SetName(event) => set_name(state, event, facts),
        Event::ChangePassword(_) | Event::Delete(_) | Event::SyncConversations(_) | Event::UploadExternal(_) => {
            Err(Refusal::not_supported(event.urn()).into())
        }
    }
}

/// An empty text is none.
fn text(given: &str) -> Option<String> {
    (!given.is_empty()).then(|| given.to_owned())
}

/// Changes the head; what the others see of it they are told. What is so already changes nothing.
pub(in crate::account) fn change(
    state: &State,
    facts: &Facts,
    change: impl FnOnce(&mut Head),
) -> Judged<Decision> {
    let old = state.head.as_ref().ok_or_else(|| Refusal::not_found("Account"))?;
    let mut head = old.clone();
    change(&mut head);
    let identifier = json!({ "account_id": state.account_id });
    let mut decision = Decision { identifier, answer: vec![News::Own], ..Decision::default() };
    if head == *old {
        return Ok(decision);
    }
    head.stamp = facts.stamp;
    if head.profile != old.profile {
        head.profile.version += 1;
        decision.effects = spread::profile(state, &head.profile, facts);
    }
    decision.changes = vec![Change::Head(head)];
    decision.news = vec![News::Own];
    Ok(decision)
}

fn add_flag(state: &State, flag: &str, facts: &Facts) -> Judged<Decision> {
    if flag.trim().is_empty() {
        return Err(Refusal::invalid_call("client_flag", "a flag is needed, blanks alone are none").into());
    }
    let flags = state.head.as_ref().map(|head| &head.settings.client_flags);
    if flags.is_some_and(|flags| flags.len() >= FLAGS_MAX && !flags.contains(flag)) {
        let what = format!("an account has at most {FLAGS_MAX} flags; remove one first");
        return Err(Refusal::no_permission(what).into());
    }
    change(state, facts, |head| {
        head.settings.client_flags.insert(flag.to_owned());
    })
}

/// Merges the given keys into the stored ones; `null` takes a key away.
fn change_settings(state: &State, given: &str, facts: &Facts) -> Judged<Decision> {
    let wrong = |what: &str| Refusal::invalid_call("client_settings", what);
    let given: Map<String, Value> =
        serde_json::from_str(given).map_err(|_| wrong("the text of a JSON object is needed"))?;
    let stored = state.head.as_ref().and_then(|head| head.settings.client_settings.as_deref());
    let mut merged: Map<String, Value> =
        stored.and_then(|stored| serde_json::from_str(stored).ok()).unwrap_or_default();
    for (key, value) in given {
        match value {
            Value::Null => drop(merged.remove(&key)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                merged.insert(key, value);
            }
        }
    }
    let merged = Value::Object(merged).to_string();
    if merged.chars().count() > CLIENT_SETTINGS_CHARS_MAX {
        let what = format!("all settings together have more than {CLIENT_SETTINGS_CHARS_MAX} characters");
        return Err(wrong(&what).into());
    }
    change(state, facts, |head| head.settings.client_settings = Some(merged))
}

/// Sets the device of the session that asks; an empty token takes it away. No other session keeps the same device.
fn set_device(state: &State, kind: DeviceType, token: &str, facts: &Facts) -> Judged<Decision> {
    let identifier = json!({ "account_id": state.account_id });
    let mut decision = Decision { identifier, ..Decision::default() };
    let asking = state.tokens.get(&facts.token).ok_or_else(Refusal::unavailable)?;
    let wanted = text(token.trim()).map(|token| Device { kind, token });
    if asking.device == wanted {
        return Ok(decision);
    }
    decision.release.extend(asking.device.as_ref().map(|device| UniqueKey::Device(device.name())));
    if let Some(device) = &wanted {
        let name = device.name();
        for (other, token) in &state.tokens {
            if *other != facts.token && token.device.as_ref().is_some_and(|held| held.name() == name) {
                let token = Some(crate::account::state::Token { device: None, ..token.clone() });
                decision.changes.push(Change::Token(*other, token));
            }
        }
        if let Some(holder) = facts.device_holder(name)?.filter(|holder| holder.account_id != state.account_id) {
            let detached = Effect::Detached { token: holder.token, device: name };
            decision.effects.push((Aggregate::Account(holder.account_id), detached));
        }
        // Given up by whoever has it, and taken, in one append.
        decision.release.push(UniqueKey::Device(name));
        decision.claim_device(name, state.account_id, facts.token);
    }
    let token = crate::account::state::Token { device: wanted, ..asking.clone() };
    decision.changes.push(Change::Token(facts.token, Some(token)));
    Ok(decision)
}

/// A device is another session's now.
pub(super) fn detached(state: &State, token: uuid::Uuid, device: uuid::Uuid) -> Decision {
    let held = state.tokens.get(&token);
    let held = held.filter(|token| token.device.as_ref().is_some_and(|held| held.name() == device));
    let change = held.map(|held| {
        Change::Token(token, Some(crate::account::state::Token { device: None, ..held.clone() }))
    });
    Decision { changes: change.into_iter().collect(), ..Decision::default() }
}
