//! The other addresses of an account (accounts.md §3.3). Each is an account of its own that only says whose it is; its
//! conversations become its owner's when they hear of that.
//!
//! The owner's list decides, and tells the address's account by an effect; that one answers only where it had become
//! somebody else's meanwhile.

use rill_proto::classificator::AccountStatus;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::{Decision, Facts, Judged, letters, people, registration, settings, spread};
use crate::account::contact::ContactRow;
use crate::account::notice::{self, Purpose};
use crate::account::profile::Profile;
use crate::account::settings::Alias;
use crate::account::state::{Change, Head, State};
use crate::effect::{Aliasing, Effect};
use crate::letter::About;
use crate::store::{Aggregate, UniqueKey};

/// How many other addresses an account has: more than anybody reads mail at.
const ALIASES_MAX: usize = 32;

fn tied() -> Refusal {
    Refusal::no_permission("This address belongs to another account.")
}

fn head(state: &State) -> Result<&Head, Refusal> {
    state.head.as_ref().ok_or_else(|| Refusal::not_found("Account"))
}

/// An address is to be another one of the account's: its mailbox is asked.
///
/// # Errors
/// 431 when it is somebody's already, when there are too many, or when too much was mailed. What must be fetched first.
pub fn add(state: &State, email: &str, facts: &Facts) -> Judged<Decision> {
    let head = head(state)?;
    let account_id = facts.account(email)?;
    if account_id == state.account_id {
        return Err(Refusal::no_permission("This address is yours already.").into());
    }
    if facts.profile(account_id)?.is_some_and(|profile| profile.status != AccountStatus::New) {
        return Err(tied().into());
    }
    if head.aliases().len() >= ALIASES_MAX {
        let what = format!("An account has at most {ALIASES_MAX} other addresses.");
        return Err(Refusal::no_permission(what).into());
    }
    let about = |secret| About::Alias {
        notification_id: notice::notification_id(state.account_id, secret),
        display_name: head.profile.display_name.clone(),
    };
    let purpose = Purpose::Alias(Alias { account_id, email: email.to_owned() });
    // A newer letter makes an older one idle.
    let same = state.notices.iter().filter(|(_, notice)| notice.purpose == purpose);
    let idle: Vec<Change> = same.map(|(name, _)| Change::Notice(*name, None)).collect();
    let mut decision =
        letters::write(state, email, purpose.clone(), about, "Too many mails per hour!", facts)?;
    decision.changes.splice(0..0, idle);
    Ok(decision)
}

/// The mailbox has answered: the address is the account's.
///
/// # Errors
/// 431 when the letter is not good any more, or the address is somebody's by now. What must be fetched first.
pub fn confirm(state: &State, secret: Uuid, facts: &Facts) -> Judged<Decision> {
    let notice = letters::open(state, secret, facts)?;
    let Purpose::Alias(alias) = &notice.purpose else { return Err(letters::expired().into()) };
    if facts.profile(alias.account_id)?.is_some_and(|profile| profile.status != AccountStatus::New) {
        return Err(tied().into());
    }
    let mut decision = settings::change(state, facts, |head| {
        head.aliases.get_or_insert_default().push(alias.clone());
    })?;
    letters::used(&mut decision, notice, secret);
    let row = state.contacts.row(alias.account_id).cloned().unwrap_or_default();
    let row = ContactRow { sort_rank: 0, ..row };
    let (row, watched) = people::watched(state, alias.account_id, row, 0, Some(alias.email.clone()), facts);
    decision.changes.push(Change::Contact(alias.account_id, row));
    decision.effects.extend(watched);
    let news = Aliasing::Taken { owner: state.account_id, email: alias.email.clone() };
    decision.effects.push((Aggregate::Account(alias.account_id), Effect::Alias { news }));
    Ok(decision)
}

/// An address is the account's no more; whoever has it may register under it.
///
/// # Errors
/// 431 when it is none of the account's.
pub fn remove(state: &State, email: &str, facts: &Facts) -> Judged<Decision> {
    let alias = one(state, email)?.account_id;
    let mut decision = settings::change(state, facts, |head| {
        head.aliases.get_or_insert_default().retain(|known| known.account_id != alias);
    })?;
    let news = Aliasing::GivenUp { owner: state.account_id };
    decision.effects.push((Aggregate::Account(alias), Effect::Alias { news }));
    Ok(decision)
}

/// One of the account's addresses becomes the first; the first becomes one of the others.
///
/// # Errors
/// 431 when it is none of the account's.
pub fn prefer(state: &State, email: &str, facts: &Facts) -> Judged<Decision> {
    let first = head(state)?.profile.email.clone();
    if first == email {
        return settings::change(state, facts, |_| {});
    }
    let alias = one(state, email)?.account_id;
    let mut decision = settings::change(state, facts, |head| {
        email.clone_into(&mut head.profile.email);
        for known in head.aliases.iter_mut().flatten().filter(|known| known.account_id == alias) {
            known.email.clone_from(&first);
        }
    })?;
    // Both change hands in one append: nobody can take one in between.
    decision.release = vec![UniqueKey::Email(email.to_owned()), UniqueKey::Email(first.clone())];
    decision.claim_email(email, state.account_id);
    decision.claim_email(&first, alias);
    let news = Aliasing::Readdressed { owner: state.account_id, email: first };
    decision.effects.push((Aggregate::Account(alias), Effect::Alias { news }));
    Ok(decision)
}

fn one<'a>(state: &'a State, email: &str) -> Result<&'a Alias, Refusal> {
    let alias = head(state)?.aliases().iter().find(|alias| alias.email == email);
    alias.ok_or_else(|| Refusal::no_permission("This address is none of yours."))
}

/// What the owner of an address says to its account, and it to him.
///
/// # Errors
/// What must be fetched first.
pub(super) fn hear(state: &State, news: &Aliasing, facts: &Facts) -> Judged<Decision> {
    match news {
        Aliasing::Taken { owner, email } => become_alias(state, *owner, email, facts),
        Aliasing::GivenUp { owner } => Ok(cease(state, *owner, facts)),
        Aliasing::Readdressed { owner, email } => Ok(readdress(state, *owner, email, facts)),
        Aliasing::Lost { account_id } => lose(state, *account_id, facts),
    }
}

/// This account's address is another account's: it says so to everybody who knows it.
fn become_alias(state: &State, owner: AccountId, email: &str, facts: &Facts) -> Judged<Decision> {
    let mut decision = Decision::default();
    let head = match &state.head {
        Some(head) => head.clone(),
        None if facts.account(email)? == state.account_id => {
            decision = registration::become_known(state, email, facts);
            Head::of(Profile::of_address(email), facts.stamp)
        }
        None => return Ok(lost(state, owner)),
    };
    match (head.profile.status, head.profile.alias_of) {
        (AccountStatus::New, _) => {}
        (AccountStatus::Alias, Some(known)) if known == owner => return Ok(decision),
        _ => return Ok(lost(state, owner)),
    }
    decision.changes.clear();
    Ok(changed(state, decision, head, facts, |profile| {
        profile.status = AccountStatus::Alias;
        profile.alias_of = Some(owner);
    }))
}

/// Somebody else has got this address meanwhile.
fn lost(state: &State, owner: AccountId) -> Decision {
    let news = Aliasing::Lost { account_id: state.account_id };
    Decision { effects: vec![(Aggregate::Account(owner), Effect::Alias { news })], ..Decision::default() }
}

/// This account's address is nobody's again.
fn cease(state: &State, owner: AccountId, facts: &Facts) -> Decision {
    of_owner(state, owner, facts, |profile| {
        profile.status = AccountStatus::New;
        profile.alias_of = None;
    })
}

/// This account has another address: its owner prefers the one that it had.
fn readdress(state: &State, owner: AccountId, email: &str, facts: &Facts) -> Decision {
    of_owner(state, owner, facts, |profile| {
        if profile.display_name == profile.email {
            email.clone_into(&mut profile.display_name);
        }
        email.clone_into(&mut profile.email);
    })
}

/// An address that was to be the account's has become somebody else's.
fn lose(state: &State, account_id: AccountId, facts: &Facts) -> Judged<Decision> {
    settings::change(state, facts, |head| {
        head.aliases.iter_mut().for_each(|aliases| aliases.retain(|alias| alias.account_id != account_id));
    })
}

fn of_owner(state: &State, owner: AccountId, facts: &Facts, change: impl FnOnce(&mut Profile)) -> Decision {
    match &state.head {
        Some(head) if head.profile.alias_of == Some(owner) => {
            changed(state, Decision::default(), head.clone(), facts, change)
        }
        Some(_) | None => Decision::default(),
    }
}

fn changed(
    state: &State,
    mut decision: Decision,
    mut head: Head,
    facts: &Facts,
    change: impl FnOnce(&mut Profile),
) -> Decision {
    change(&mut head.profile);
    head.profile.version += 1;
    head.stamp = facts.stamp;
    decision.effects.extend(spread::profile(state, &head.profile, facts));
    decision.changes.push(Change::Head(head));
    decision
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::rules::replay::*;

    const EMAIL: &str = "other@example.com";

    /// Alice has asked for an address; the secret of the letter.
    fn asked(replay: &mut Replay, email: &str) -> Uuid {
        let decision = replay.judge(|state, facts| add(state, email, facts)).unwrap();
        replay.carry_out(&decision);
        secret_of(replay.stamp)
    }

    fn confirmed(replay: &mut Replay, secret: Uuid) -> Result<Decision, Refusal> {
        let decision = replay.judge(|state, facts| confirm(state, secret, facts))?;
        replay.carry_out(&decision);
        Ok(decision)
    }

    fn told(replay: &mut Replay, news: Aliasing) -> Decision {
        replay.apply(&Effect::Alias { news })
    }

    fn taken() -> Aliasing {
        Aliasing::Taken { owner: ALICE, email: EMAIL.to_owned() }
    }

    fn alias_of_alice() -> Replay {
        let mut replay = Replay::of(State::new(NOBODY));
        told(&mut replay, taken());
        replay
    }

    #[test]
    fn an_address_is_the_accounts_once_its_mailbox_has_answered() {
        let mut alice = Replay::alice();
        let first = asked(&mut alice, EMAIL);
        assert!(alice.head().aliases().is_empty());
        let secret = asked(&mut alice, EMAIL);
        assert_eq!(confirmed(&mut alice, first).unwrap_err().error_message, "Notification expired.");
        let decision = confirmed(&mut alice, secret).unwrap();
        assert_eq!(lines(&decision.news), ["own"]);
        assert_eq!(decision.effects.len(), 2, "its account is watched, and told");
        assert_eq!(alice.head().aliases()[0].email, EMAIL);
        let again = confirmed(&mut alice, secret).unwrap_err();
        assert_eq!(again.error_message, "Link has already been used.");
    }

    #[test]
    fn addresses_that_are_somebodys_are_refused() {
        let mut alice = Replay::alice();
        let ask = |replay: &mut Replay, email: &str| {
            replay.judge(|state, facts| add(state, email, facts)).unwrap_err().error_message
        };
        assert_eq!(ask(&mut alice, "bob@example.com"), "This address belongs to another account.");
        assert_eq!(ask(&mut alice, "alice@example.com"), "This address is yours already.");
        let secret = asked(&mut alice, EMAIL);
        alice
            .profiles
            .insert(NOBODY, Profile { status: AccountStatus::Active, ..Profile::of_address(EMAIL) });
        assert_eq!(confirmed(&mut alice, secret).unwrap_err().status, 431);
        alice.profiles.remove(&NOBODY);
        let aliases = (0..ALIASES_MAX as u128)
            .map(|nr| Alias { account_id: AccountId(Uuid::from_u128(1_000 + nr)), email: nr.to_string() });
        alice.state.head.as_mut().unwrap().aliases = Some(aliases.collect());
        assert!(ask(&mut alice, "one@example.com").contains("at most"));
    }

    #[test]
    fn an_alias_says_whose_it_is_until_it_is_nobodys_again() {
        let mut alias = alias_of_alice();
        let profile = alias.head().profile.clone();
        assert_eq!((profile.status, profile.alias_of), (AccountStatus::Alias, Some(ALICE)));
        let again = told(&mut alias, taken());
        assert!(!again.is_durable());
        told(&mut alias, Aliasing::Readdressed { owner: ALICE, email: "alice@example.com".to_owned() });
        assert_eq!(alias.head().profile.email, "alice@example.com");
        assert!(!told(&mut alias, Aliasing::GivenUp { owner: BOB }).is_durable());
        told(&mut alias, Aliasing::GivenUp { owner: ALICE });
        let profile = &alias.head().profile;
        assert_eq!((profile.status, profile.alias_of), (AccountStatus::New, None));
    }

    #[test]
    fn who_has_registered_meanwhile_is_no_alias_and_the_owner_hears_of_it() {
        let mut bob = Replay::of(known(BOB, "bob"));
        let refused = bob.judge(|state, facts| hear(state, &taken(), facts)).unwrap();
        assert!(refused.changes.is_empty());
        let lost = Aliasing::Lost { account_id: BOB };
        assert_eq!(refused.effects, [(Aggregate::Account(ALICE), Effect::Alias { news: lost.clone() })]);
        let mut alice = Replay::alice();
        alice.state.head.as_mut().unwrap().aliases =
            Some(vec![Alias { account_id: BOB, email: EMAIL.to_owned() }]);
        let decision = alice.judge(|state, facts| hear(state, &lost, facts)).unwrap();
        let Some(Change::Head(head)) = decision.changes.first() else { panic!("its list is another one") };
        assert!(head.aliases().is_empty());
    }

    #[test]
    fn the_first_address_and_another_change_places_at_once() {
        let mut alice = Replay::alice();
        let secret = asked(&mut alice, EMAIL);
        confirmed(&mut alice, secret).unwrap();
        let alias = alice.head().aliases()[0].account_id;
        let decision = alice.judge(|state, facts| prefer(state, EMAIL, facts)).unwrap();
        alice.carry_out(&decision);
        assert_eq!((decision.release.len(), decision.claim.len()), (2, 2));
        assert_eq!(alice.head().profile.email, EMAIL);
        let first = "alice@example.com".to_owned();
        assert_eq!(alice.head().aliases(), [Alias { account_id: alias, email: first.clone() }]);
        assert!(alice.judge(|state, facts| prefer(state, EMAIL, facts)).unwrap().changes.is_empty());
        let none = alice.judge(|state, facts| prefer(state, "bob@example.com", facts)).unwrap_err();
        assert_eq!(none.error_message, "This address is none of yours.");
        let decision = alice.judge(|state, facts| remove(state, &first, facts)).unwrap();
        alice.carry_out(&decision);
        assert_eq!(alice.head().aliases, Some(Vec::new()));
    }
}
