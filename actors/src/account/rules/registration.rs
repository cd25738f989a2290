//! How an account comes to be, and who may act for it: becoming known, registering, login sessions, the password
//! (accounts.md §3).

use rill_proto::classificator::AccountStatus;
use rill_proto::event::account;
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

use super::{Decision, Ends, Facts, Judged, News, settings, spread};
use crate::account::login::Login;
use crate::account::profile::Profile;
use crate::account::settings::Registration;
use crate::account::state::{Change, Head, State, Token};
use crate::conversation::rows::encode;
use crate::effect::Effect;
use crate::store::{Aggregate, UniqueKey};

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

/// # Errors
/// 431 when somebody has registered as this account.
pub(super) fn not_registered(state: &State) -> Result<(), Refusal> {
    if state.head.as_ref().is_some_and(|head| head.profile.status != AccountStatus::New) {
        return Err(Refusal::no_permission("Account already active"));
    }
    Ok(())
}

/// The account becomes active. One that was known by its address keeps its id and its memberships.
///
/// # Errors
/// 431 when it is active already, or when somebody else has the Fleep address. What must be fetched first.
pub fn register(state: &State, entry: Entry<'_>, facts: &Facts) -> Judged<Decision> {
    not_registered(state)?;
    if let Some(address) = entry.fleep_address
        && facts.address_holder(address)?.is_some_and(|holder| holder != state.account_id)
    {
        return Err(Refusal::no_permission("Fleep address not available!").into());
    }
    let known = state.head.clone().unwrap_or_else(|| {
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

/// The account takes the Fleep address by which it is known for good.
///
/// # Errors
/// 431 when it has another one, or when somebody else has this one. What must be fetched first.
pub fn take_address(state: &State, address: &str, facts: &Facts) -> Judged<Decision> {
    let known = state.head.as_ref().and_then(|head| head.profile.fleep_address.as_deref());
    if known.is_some_and(|known| known != address) {
        return Err(Refusal::no_permission("Fleep address limit exceeded!").into());
    }
    if known.is_some() {
        return settings::change(state, facts, |_| {});
    }
    if facts.address_holder(address)?.is_some_and(|holder| holder != state.account_id) {
        return Err(Refusal::no_permission("Fleep address not available!").into());
    }
    let mut decision =
        settings::change(state, facts, |head| head.profile.fleep_address = Some(address.to_owned()))?;
    decision.claim_address(address, state.account_id);
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
    let is_right = head
        .is_some_and(|head| verified.is_none_or(|verified| head.password_hash.as_deref() == Some(verified)));
    if !is_right {
        return Err(Refusal::no_permission("Incorrect email or password."));
    }
    if let Some(head) = head {
        if head.duty.is_suspended {
            return Err(Refusal::no_permission("Your organisation has suspended this account."));
        }
        if verified.is_some() {
            may_have_password(head)?;
        }
    }
    let token = Token { ticket: login.ticket, opened_time: facts.now, device: None };
    let claim = vec![(UniqueKey::Token(login.token), encode(login))];
    Ok(Decision { changes: vec![Change::Token(login.token, Some(token))], claim, ..Decision::default() })
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
pub(in crate::account) fn end(
    decision: &mut Decision,
    state: &State,
    is_meant: impl Fn(Uuid) -> bool,
    reason: &'static str,
) {
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

/// # Errors
/// 431 for a member of an organisation whose members log in otherwise (accounts.md §9.7).
pub(super) fn may_have_password(head: &Head) -> Result<(), Refusal> {
    if head.duty.has_no_password {
        return Err(Refusal::no_permission("Members of your organisation log in without a password."));
    }
    Ok(())
}

/// # Errors
/// 431 for an account that only its organisation closes.
pub(super) fn may_close(head: &Head) -> Result<(), Refusal> {
    if head.profile.organisation_id.is_some() {
        return Err(Refusal::closed_by_admins());
    }
    Ok(())
}

/// The account is closed (accounts.md §3.4): its sessions end, nobody logs in any more, and everybody who knows it is told;
/// the conversations take it out when they hear.
///
/// # Errors
/// As [`may_close`].
pub fn close(state: &State, facts: &Facts) -> Result<Decision, Refusal> {
    let head = state.head.clone().ok_or_else(|| Refusal::not_found("Account"))?;
    may_close(&head)?;
    Ok(closed(state, head, facts))
}

/// The account with that head is closed, by whoever may.
pub(super) fn closed(state: &State, mut head: Head, facts: &Facts) -> Decision {
    head.profile.status = AccountStatus::Closed;
    head.profile.version += 1;
    head.password_hash = None;
    head.registration.has_password = false;
    head.stamp = facts.stamp;
    let mut effects = spread::profile(state, &head.profile, facts);
    let teams = state.teams.iter().filter(|(_, row)| row.is_member).map(|(id, _)| Aggregate::Team(*id));
    effects.extend(teams.map(|team| (team, Effect::Retired { account_id: state.account_id })));
    let mut decision = Decision { changes: vec![Change::Head(head)], effects, ..Decision::default() };
    end(&mut decision, state, |_| true, "the account was closed");
    decision
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
    may_have_password(head)?;
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

#[cfg(test)]
mod tests {
    use rill_proto::event::ClientEvent;

    use super::*;
    use crate::account::rules::replay::*;

    fn change_to(password: &str, old: &str) -> ClientEvent {
        let event = account::ChangePassword { password: text(password), old_password: text(old) };
        ClientEvent::Account(account::Event::ChangePassword(event))
    }

    #[test]
    fn a_new_password_ends_the_other_sessions() {
        let mut replay = Replay::alice();
        let decision = replay.ask(change_to("new", "old")).unwrap();
        assert_eq!(decision.ends.as_ref().unwrap().tokens, [ELSEWHERE]);
        assert_eq!(decision.release, [UniqueKey::Token(ELSEWHERE)]);
        assert_eq!(replay.state.tokens.keys().collect::<Vec<_>>(), [&HERE]);
        assert_eq!(replay.head().password_hash.as_deref(), Some("new"));
    }

    #[test]
    fn a_wrong_old_password_changes_nothing_and_a_blank_one_is_none() {
        let mut replay = Replay::alice();
        assert_eq!(replay.ask(change_to("new", "older")).unwrap_err().status, 431);
        assert_eq!(replay.ask(change_to("  ", "old")).unwrap_err().status, 400);
        assert_eq!(replay.state.tokens.len(), 2);
    }

    #[test]
    fn who_has_no_password_needs_none_to_set_one() {
        let mut replay = Replay::alice();
        replay.state.head.as_mut().unwrap().password_hash = None;
        let decision = replay.judge(|state, facts| {
            let ClientEvent::Account(account::Event::ChangePassword(event)) = change_to("new", "") else {
                unreachable!("it is one")
            };
            change_password(state, &event, facts)
        });
        assert!(decision.is_ok());
    }

    #[test]
    fn a_closed_account_has_no_sessions_and_no_password_and_everybody_is_told() {
        let mut replay = Replay::alice();
        replay.apply(&Effect::Watched { by: BOB, version: 1, email: None });
        let decision = replay.judge(|state, facts| Ok(close(state, facts)?)).unwrap();
        assert_eq!(effects(&decision), ["bob shown alice 2"]);
        replay.carry_out(&decision);
        assert!(replay.state.tokens.is_empty() && replay.head().password_hash.is_none());
        assert_eq!(replay.head().profile.status, AccountStatus::Closed);
        let login = Login { account_id: ALICE, token: ELSEWHERE, ticket: HERE };
        assert!(open_session(&replay.state, &login, None, &facts()).is_err());
        let organisation = Some(rill_proto::id::OrganisationId(Uuid::from_u128(3)));
        let mut member = Replay::alice();
        member.state.head.as_mut().unwrap().profile.organisation_id = organisation;
        assert_eq!(close(&member.state, &facts()), Err(Refusal::closed_by_admins()));
    }

    #[test]
    fn a_login_that_was_checked_against_a_password_of_yesterday_is_none() {
        let state = known(ALICE, "alice");
        let login = Login { account_id: ALICE, token: ELSEWHERE, ticket: HERE };
        assert!(open_session(&state, &login, Some("old"), &facts()).is_ok());
        assert!(open_session(&state, &login, Some("older"), &facts()).is_err());
    }

    #[test]
    fn a_fleep_address_is_taken_once() {
        let mut alice = Replay::alice();
        let take = |replay: &mut Replay, address: &str| {
            replay.judge(|state, facts| take_address(state, address, facts))
        };
        let taken = take(&mut alice, "alice.liddell").unwrap();
        assert_eq!(taken.claim.len(), 1);
        alice.carry_out(&taken);
        assert!(take(&mut alice, "alice.liddell").unwrap().changes.is_empty());
        assert_eq!(take(&mut alice, "another").unwrap_err().error_message, "Fleep address limit exceeded!");
        let mut bob = Replay::of(known(BOB, "bob"));
        bob.profiles.get_mut(&ALICE).unwrap().fleep_address = Some("alice.liddell".to_owned());
        assert_eq!(
            take(&mut bob, "alice.liddell").unwrap_err().error_message,
            "Fleep address not available!"
        );
    }

    #[test]
    fn who_registers_keeps_what_was_known_of_him() {
        let mut bob = Replay::of(State::new(BOB));
        let known = become_known(&bob.state, "bob@example.com", &facts());
        bob.carry_out(&known);
        let entry = Entry {
            email: "bob@example.com",
            password_hash: "hash",
            display_name: "Bob",
            fleep_address: Some("bob.brown"),
        };
        let decision = bob.judge(|state, facts| register(state, entry, facts)).unwrap();
        assert_eq!(decision.claim.len(), 2);
        bob.carry_out(&decision);
        let (state, profile) = (&bob.state, &bob.head().profile);
        assert_eq!((profile.version, profile.status), (2, AccountStatus::Active));
        let mut carol = Replay::of(State::new(CAROL));
        carol.profiles.get_mut(&BOB).unwrap().fleep_address = Some("bob.brown".to_owned());
        let taken = carol.judge(|state, facts| register(state, entry, facts)).unwrap_err();
        assert_eq!(taken.error_message, "Fleep address not available!");
        let active = Refusal::no_permission("Account already active");
        assert_eq!(register(state, entry, &facts()), Err(active.into()));
    }
}
