//! What an account sets of itself (accounts.md §4): plain setters of its head. What others see of it goes to them as well.

use rill_proto::classificator::{DeviceType, EmailInterval, PushNewMessage};
use rill_proto::event::account::{self, Event};
use rill_proto::refusal::Refusal;
use serde_json::{Map, Value, json};

use super::{Decision, Facts, Judged, News, spread};
use crate::account::avatar::Avatar;
use crate::account::settings::{Device, Switches};
use crate::account::state::{Change, Head, State};
use crate::effect::Effect;
use crate::file::Content;
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
            change(state, facts, |head| say(&mut head.profile.phone_nr, phone_nr))
        }
        Event::UpdateStatusMessage(event) => change(state, facts, |head| {
            say(&mut head.profile.status_emoji, event.status_emoji.trim());
            say(&mut head.profile.status_message, event.status_message.trim());
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
        Event::ChangePassword(_)
        | Event::Delete(_)
        | Event::SyncConversations(_)
        | Event::UploadExternal(_) => Err(Refusal::not_supported(event.urn()).into()),
    }
}

/// Switches that are set without an event.
///
/// # Errors
/// 430 when there is no such account.
pub(in crate::account) fn switch(state: &State, wanted: Switches, facts: &Facts) -> Judged<Decision> {
    // An organisation may not let its members keep to themselves (accounts.md §9.7).
    let is_bound = state.head.as_ref().is_some_and(|head| head.duty.is_present);
    if is_bound && wanted.is_full_privacy == Some(true) {
        return Err(Refusal::no_permission("Members of your organisation show their presence.").into());
    }
    change(state, facts, |head| {
        let settings = &mut head.settings;
        settings.is_full_privacy = wanted.is_full_privacy.or(settings.is_full_privacy);
        settings.is_newsletter_disabled = wanted.is_newsletter_disabled.or(settings.is_newsletter_disabled);
        settings.is_automute_enabled = wanted.is_automute_enabled.unwrap_or(settings.is_automute_enabled);
        head.settle_privacy();
    })
}

/// Sets the account's picture, or takes it away.
///
/// # Errors
/// 431 for what is no picture.
pub(in crate::account) fn set_avatar(
    state: &State,
    content: Option<&Content>,
    facts: &Facts,
) -> Judged<Decision> {
    let shown = match content {
        Some(content) => {
            let picture = content.picture.ok_or_else(|| Refusal::no_permission("This is no picture."))?;
            Some(Avatar::of(state.account_id, content, picture))
        }
        None => None,
    };
    change(state, facts, |head| {
        head.avatar = content.cloned().map(Box::new);
        head.profile.avatar = shown.or(head.profile.avatar.map(|_| Avatar::Gone));
    })
}

/// Clients merge records by key, so what was said once is said to be empty when it is taken away.
fn say(text: &mut Option<String>, given: &str) {
    if !given.is_empty() || text.is_some() {
        *text = Some(given.to_owned());
    }
}

/// An empty text is none.
fn filled(given: &str) -> Option<String> {
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
    let wanted = filled(token.trim()).map(|token| Device { kind, token });
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
        if let Some(holder) =
            facts.device_holder(name)?.filter(|holder| holder.account_id != state.account_id)
        {
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

#[cfg(test)]
mod tests {
    use rill_proto::id::ConversationId;
    use uuid::Uuid;

    use super::*;
    use crate::account::rules::DeviceHolder;
    use crate::account::rules::replay::*;
    use crate::account::state::Membership;
    use crate::file::{Digest, Picture};

    fn ask(replay: &mut Replay, event: Event) -> Result<Decision, Refusal> {
        replay.ask(rill_proto::event::ClientEvent::Account(event))
    }

    fn set_name_to(name: &str) -> Event {
        Event::SetName(account::SetName { name: text(name) })
    }

    fn settings(given: &str) -> Event {
        Event::ChangeSettings(account::ChangeSettings { client_settings: text(given) })
    }

    fn device(kind: DeviceType, token: &str) -> Event {
        Event::SetDeviceToken(account::SetDeviceToken { mk_device_type: kind, device_token: text(token) })
    }

    #[test]
    fn a_public_change_goes_to_conversations_and_watchers_and_a_private_one_to_nobody() {
        let mut replay = Replay::alice();
        let membership = Membership { by: ALICE, version: 1, stamp: 1 };
        replay.apply(&Effect::Watched { by: BOB, version: 1, email: None });
        replay.state.memberships.insert(ConversationId(Uuid::nil()), membership);
        let decision = replay.judge(|state, facts| set(state, &set_name_to(" Alicia "), facts)).unwrap();
        assert_eq!(effects(&decision), ["conversation profile 2", "bob shown alice 2"]);
        assert_eq!((lines(&decision.answer), lines(&decision.news)), (vec!["own"], vec!["own"]));
        let asleep = Event::SetSleepInterval(account::SetSleepInterval { sleep_interval: 0 });
        let decision = replay.judge(|state, facts| set(state, &asleep, facts)).unwrap();
        assert!(decision.effects.is_empty());
        assert_eq!(decision.changes.len(), 1);
    }

    #[test]
    fn what_is_so_already_is_answered_and_told_to_nobody() {
        let mut replay = Replay::alice();
        let decision = ask(&mut replay, set_name_to("alice")).unwrap();
        assert_eq!(
            (decision.changes.len(), decision.news.len(), lines(&decision.answer)),
            (0, 0, vec!["own"])
        );
    }

    #[test]
    fn settings_are_merged_and_null_takes_a_key_away() {
        let mut replay = Replay::alice();
        ask(&mut replay, settings("{ \"b\": 1, \"a\": [1, 2] }")).unwrap();
        ask(&mut replay, settings(r#"{"b": null, "c": {"d": "e"}}"#)).unwrap();
        assert_eq!(replay.head().settings.client_settings.as_deref(), Some(r#"{"a":[1,2],"c":{"d":"e"}}"#));
        for wrong in ["", "[1]", "{", "null"] {
            assert_eq!(ask(&mut replay, settings(wrong)).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn a_switch_that_is_not_named_stays() {
        let mut replay = Replay::alice();
        let privately = Switches { is_full_privacy: Some(true), ..Switches::default() };
        let decision = replay.judge(|state, facts| switch(state, privately, facts)).unwrap();
        assert_eq!(lines(&decision.news), ["own"]);
        replay.carry_out(&decision);
        assert!(replay.head().profile.is_private, "conversations are to hear of it");
        let loudly = Switches { is_automute_enabled: Some(false), ..Switches::default() };
        let decision = replay.judge(|state, facts| switch(state, loudly, facts)).unwrap();
        replay.carry_out(&decision);
        let settings = &replay.head().settings;
        assert_eq!((settings.is_full_privacy, settings.is_automute_enabled), (Some(true), false));
        assert_eq!(settings.is_newsletter_disabled, None);
    }

    #[test]
    fn a_picture_is_shown_to_watchers_and_one_that_is_gone_is_said_to_be() {
        let mut replay = Replay::alice();
        replay.apply(&Effect::Watched { by: BOB, version: 1, email: None });
        let picture = Picture { width: 400, height: 300, is_animated: false, orientation: None };
        let mut content =
            Content { sha256: Digest([1; 32]), size: 9, file_type: "image/png".into(), picture: None };
        let set = |replay: &mut Replay, content: Option<&Content>| {
            let decision = replay.judge(|state, facts| set_avatar(state, content, facts))?;
            replay.carry_out(&decision);
            Ok::<_, Refusal>(decision)
        };
        assert_eq!(set(&mut replay, Some(&content)).unwrap_err().error_message, "This is no picture.");
        assert!(set(&mut replay, None).unwrap().changes.is_empty(), "there never was one");
        content.picture = Some(picture);
        assert_eq!(effects(&set(&mut replay, Some(&content)).unwrap()), ["bob shown alice 2"]);
        assert!(set(&mut replay, Some(&content)).unwrap().changes.is_empty());
        set(&mut replay, None).unwrap();
        assert_eq!((replay.head().profile.avatar, &replay.head().avatar), (Some(Avatar::Gone), &None));
    }

    #[test]
    fn flags_are_a_bounded_set() {
        let mut replay = Replay::alice();
        let add = |flag: &str| Event::AddFlag(account::AddFlag { client_flag: text(flag) });
        let remove = Event::RemoveFlag(account::RemoveFlag { client_flag: text("show_onboarding") });
        ask(&mut replay, remove.clone()).unwrap();
        assert!(ask(&mut replay, remove).unwrap().changes.is_empty());
        for nr in 0..FLAGS_MAX - 2 {
            ask(&mut replay, add(&nr.to_string())).unwrap();
        }
        assert!(ask(&mut replay, add("0")).unwrap().changes.is_empty());
        assert_eq!(ask(&mut replay, add("one too many")).unwrap_err().status, 431);
        assert_eq!(ask(&mut replay, add(" ")).unwrap_err().status, 400);
    }

    #[test]
    fn a_device_belongs_to_one_session_only() {
        let mut replay = Replay::alice();
        let iphone = Device { kind: DeviceType::Ios, token: "t".to_owned() };
        let held = crate::account::state::Token {
            device: Some(iphone.clone()),
            ..replay.state.tokens[&ELSEWHERE].clone()
        };
        replay.state.fold(&Change::Token(ELSEWHERE, Some(held)));
        let decision =
            replay.judge(|state, facts| set(state, &device(DeviceType::Ios, " t "), facts)).unwrap();
        decision.changes.iter().for_each(|change| replay.state.fold(change));
        assert_eq!(replay.state.tokens[&HERE].device, Some(iphone.clone()));
        assert_eq!(replay.state.tokens[&ELSEWHERE].device, None);
        assert_eq!((decision.claim.len(), decision.release.len()), (1, 1));

        // It goes to another account, and back.
        let gone = Effect::Detached { token: HERE, device: iphone.name() };
        let decision = super::super::apply(&replay.state, &gone, &facts()).unwrap();
        decision.changes.iter().for_each(|change| replay.state.fold(change));
        assert_eq!(replay.state.tokens[&HERE].device, None);
        replay.devices.insert(iphone.name(), DeviceHolder { account_id: BOB, token: HERE });
        let decision = replay.judge(|state, facts| set(state, &device(DeviceType::Ios, "t"), facts)).unwrap();
        assert_eq!(effects(&decision), ["bob detached"]);
    }

    #[test]
    fn an_empty_device_token_takes_the_device_away() {
        let mut replay = Replay::alice();
        ask(&mut replay, device(DeviceType::Android, "t")).unwrap();
        let decision = ask(&mut replay, device(DeviceType::Android, "")).unwrap();
        assert_eq!((decision.release.len(), decision.claim.len()), (1, 0));
        assert_eq!(replay.state.tokens[&HERE].device, None);
        assert!(decision.answer.is_empty());
    }

    #[test]
    fn values_outside_of_their_sets_are_refused() {
        let mut replay = Replay::alice();
        let sleep = |sleep_interval| Event::SetSleepInterval(account::SetSleepInterval { sleep_interval });
        for wrong in [-1, 61, 100, i64::MAX] {
            assert_eq!(
                ask(&mut replay, sleep(wrong)),
                Err(Refusal::invalid_state("Invalid sleep interval."))
            );
        }
        ask(&mut replay, sleep(60)).unwrap();
        let push = |word: &str| {
            Event::SetMkPushNewMessage(account::SetMkPushNewMessage { mk_push_new_message: text(word) })
        };
        ask(&mut replay, push("all")).unwrap();
        assert_eq!(ask(&mut replay, push("some")).unwrap_err().status, 400);
        assert_eq!(ask(&mut replay, set_name_to("  ")).unwrap_err().status, 400);
    }
}
