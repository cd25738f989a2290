//! How an account comes to be, and who may act for it: becoming known, registering, login sessions, the password
//! (accounts.md §3).

use rill_proto::classificator::AccountStatus;
use rill_proto::event::account;
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

use super::{Decision, Ends, Facts, Judged, News, spread};
use crate::account::login::Login;
use crate::account::profile::Profile;
use crate::account::settings::Registration;
use crate::account::state::{Change, Head, State, Token};
use crate::store::UniqueKey;

/// Somebody named an address that nobody has registered: the account is known by it from now on.
#[must_use]
pub fn become_known(state: &State, email: &str, facts: &Facts) -> Decision {
    if state.head.is_some() {
        return Decision::default();
    }
    let mut decision = Decision::default();
    decision.claim_email(email, state.account_id);
    decision.changes = vec![Change::Head(Head::of(Profile::of_address(email), facts.stamp))];
    decision
}

/// What somebody registers with.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Lower case.
    pub email: &'a str,
    /// As argon2 writes it.
    pub password_hash: &'a str,
    /// Not empty.
    pub display_name: &'a str,
    /// Lower case.
    pub fleep_address: Option<&'a str>,
}

/// The account becomes active. One that was known by its address keeps its id and its memberships.
///
/// # Errors
/// 431 when it is active already.
pub fn register(state: &State, entry: Entry<'_>, facts: &Facts) -> Result<Decision, Refusal> {
    let known = state.head.as_ref();
    if known.is_some_and(|head| head.profile.status != AccountStatus::New) {
        return Err(Refusal::no_permission("Account already active"));
    }
    let known = known.cloned().unwrap_or_else(|| {
        let head = Head::of(Profile::of_address(entry.email), facts.stamp);
        Head { profile: Profile { version: 0, ..head.profile.clone() }, ..head }
    });
    let profile = Profile {
        version: known.profile.version + 1,
        display_name: entry.display_name.to_owned(),
        email: entry.email.to_owned(),
        fleep_address: entry.fleep_address.map(str::to_owned),
        status: AccountStatus::Active,
        ..known.profile
    };
    let mut decision = Decision::default();
    decision.claim_email(entry.email, state.account_id);
    if let Some(address) = entry.fleep_address {
        decision.claim_address(address, state.account_id);
    }
    decision.effects = spread::profile(state, &profile, facts);
    let registration = Registration { fleep_autogen: None, activated_time: facts.now, has_password: true };
    let password_hash = Some(entry.password_hash.to_owned());
    let head = Head { profile, password_hash, registration, stamp: facts.stamp, ..known };
    decision.changes = vec![Change::Head(head)];
    Ok(decision)
}

/// A login session begins. `verified` is the hash that the password was found to belong to, where there was one: it must be
/// the account's still.
///
/// # Errors
/// 431 when the account is not active, or has another password by now.
pub fn open_session(
    state: &State,
    login: &Login,
    verified: Option<&str>,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    let head = state.head.as_ref().filter(|head| head.profile.status == AccountStatus::Active);
    let is_right = head.is_some_and(|head| {
        verified.is_none_or(|verified| head.password_hash.as_deref() == Some(verified))
    });
    if !is_right {
        return Err(Refusal::no_permission("Incorrect email or password."));
    }
    let token = Token { ticket: login.ticket, opened_time: facts.now, device: None };
    Ok(Decision { changes: vec![Change::Token(login.token, Some(token))], ..Decision::default() })
}

/// A login session ends, and its device with it.
#[must_use]
pub fn close_session(state: &State, token: Uuid) -> Decision {
    let mut decision = Decision::default();
    end(&mut decision, state, |known| known == token, "the session logged out");
    // One that the account does not know any more may still be known by its key.
    decision.release.push(UniqueKey::Token(token));
    decision
}

/// Ends login sessions.
pub(super) fn end(decision: &mut Decision, state: &State, is_meant: impl Fn(Uuid) -> bool, reason: &'static str) {
    let meant = state.tokens.iter().filter(|(token, _)| is_meant(**token));
    let mut tokens = Vec::new();
    for (token, held) in meant {
        decision.changes.push(Change::Token(*token, None));
        decision.release.push(UniqueKey::Token(*token));
        decision.release.extend(held.device.as_ref().map(|device| UniqueKey::Device(device.name())));
        tokens.push(*token);
    }
    decision.ends = Some(Ends { tokens, reason });
}

/// `account:change_password`: the other sessions end; the one that asks goes on.
pub(super) fn change_password(
    state: &State,
    event: &account::ChangePassword,
    facts: &Facts,
) -> Judged<Decision> {
    let head = state.head.as_ref().ok_or_else(|| Refusal::not_found("Account"))?;
    if event.password.trim().is_empty() {
        return Err(Refusal::invalid_call("password", "a password is needed, blanks alone are none").into());
    }
    let checked = facts.password(&event.old_password, &event.password, head.password_hash.as_deref())?;
    if !checked.is_right {
        return Err(Refusal::no_permission("The old password is wrong.").into());
    }
    let identifier = json!({ "account_id": state.account_id });
    let mut decision =
        Decision { identifier, answer: vec![News::Own], news: vec![News::Own], ..Decision::default() };
    let mut head = head.clone();
    head.password_hash = Some(checked.hash.clone());
    head.registration.has_password = true;
    head.stamp = facts.stamp;
    decision.changes.push(Change::Head(head));
    end(&mut decision, state, |token| token != facts.token, "the password was changed");
    Ok(decision)
}
