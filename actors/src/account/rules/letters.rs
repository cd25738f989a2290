//! Letters with a link or a code in them, and what following it does (accounts.md §3).

use rill_proto::classificator::{AccountStatus, StaffStatus};
use rill_proto::id::OrganisationId;
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

use super::registration::{self, Entry};
use super::{Decision, Facts, Judged, employment, spread};
use crate::account::employment::{Reply, Row};
use crate::account::notice::{self, Applicant, MISSES_MAX, Notice, Purpose};
use crate::account::state::{Change, State};
use crate::effect::Effect;
use crate::letter::{About, Letter};
use crate::store::{Aggregate, Stamp};
use serde::{Deserialize, Serialize};

/// How many letters with a link or a code an account is sent within an hour: nobody needs more, and nobody's mailbox is
/// filled through us.
const LETTERS_PER_HOUR_MAX: usize = 5;

/// Below how many a row of notices is kept; the oldest go first.
const NOTICES_MAX: usize = 32;

const HOUR_S: i64 = 60 * 60;

/// How often somebody is told that he was brought into conversations: once a day, however many there are.
const INVITATION_PAUSE_S: i64 = 24 * HOUR_S;

/// The letter that cannot be answered any more, or never could.
pub(super) fn expired() -> Refusal {
    Refusal::no_permission("Notification expired.")
}

/// Writes a letter whose link waits for an answer.
///
/// # Errors
/// 431 when there were too many within the hour; `too_many` says so.
pub(super) fn write(
    state: &State,
    to: &str,
    purpose: Purpose,
    about: impl FnOnce(Uuid) -> About,
    too_many: &str,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    let recent = state.notices.values().filter(|notice| notice.written > facts.now - HOUR_S).count();
    if recent >= LETTERS_PER_HOUR_MAX {
        return Err(Refusal::no_permission(too_many));
    }
    let mut decision = Decision::default();
    let is_old = |notice: &Notice| notice.written + notice.kept_s() < facts.now;
    let mut kept: Vec<(i64, Uuid)> = Vec::new();
    for (name, notice) in &state.notices {
        if is_old(notice) {
            decision.changes.push(Change::Notice(*name, None));
        } else {
            kept.push((notice.written, *name));
        }
    }
    kept.sort_unstable();
    let surplus = (kept.len() + 1).saturating_sub(NOTICES_MAX);
    decision.changes.extend(kept.into_iter().take(surplus).map(|(_, name)| Change::Notice(name, None)));
    let notice = Notice { purpose, written: facts.now, stamp: facts.stamp, misses: 0, is_used: false };
    decision.changes.push(Change::Notice(notice::name(facts.secret), Some(notice)));
    send(&mut decision, state, to, about(facts.secret), facts);
    Ok(decision)
}

/// Sends a letter.
fn send(decision: &mut Decision, state: &State, to: &str, about: About, facts: &Facts) {
    let id = Uuid::new_v5(&facts.secret, b"letter");
    let letter = Letter { id, to: to.to_owned(), written: facts.now, about };
    decision.effects.push((Aggregate::Account(state.account_id), Effect::Mail { letter }));
}

/// The open letter of a secret.
pub(super) fn open<'a>(state: &'a State, secret: Uuid, facts: &Facts) -> Result<&'a Notice, Refusal> {
    let notice = state.notices.get(&notice::name(secret)).ok_or_else(expired)?;
    if notice.is_used {
        return Err(Refusal::no_permission("Link has already been used."));
    }
    if notice.written + notice.kept_s() < facts.now {
        return Err(expired());
    }
    Ok(notice)
}

/// The letter has done its work.
pub(super) fn used(decision: &mut Decision, notice: &Notice, secret: Uuid) {
    let notice = Notice { is_used: true, ..notice.clone() };
    decision.changes.push(Change::Notice(notice::name(secret), Some(notice)));
}

/// Somebody wants to register: he is sent a code or a link.
///
/// # Errors
/// 431 when he is registered already, or was sent too much.
pub fn register(
    state: &State,
    applicant: Applicant,
    by_code: bool,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    registration::not_registered(state)?;
    let to = applicant.email.clone();
    let account_id = state.account_id;
    let about = move |secret| {
        if by_code {
            About::Code { code: notice::code(secret) }
        } else {
            About::Confirm { notification_id: notice::notification_id(account_id, secret) }
        }
    };
    write(state, &to, Purpose::Register(applicant), about, "Too many confirmation mails per hour!", facts)
}

/// A new password is wanted.
///
/// # Errors
/// 431 for an account that nobody can log in to, or that was sent too much.
pub fn reset(state: &State, facts: &Facts) -> Result<Decision, Refusal> {
    let head = state.head.as_ref().filter(|head| head.profile.status == AccountStatus::Active);
    let head = head.ok_or_else(|| Refusal::no_permission("Account not found!"))?;
    registration::may_have_password(head)?;
    let about = |secret| About::Reset { notification_id: notice::notification_id(state.account_id, secret) };
    let too_many = "Too many password reset attempts per hour!";
    write(state, &head.profile.email, Purpose::Reset, about, too_many, facts)
}

/// `account:delete`: nothing happens before the link is followed.
pub(super) fn delete(state: &State, facts: &Facts) -> Judged<Decision> {
    let head = state.head.as_ref().ok_or_else(|| Refusal::not_found("Account"))?;
    registration::may_close(head)?;
    let about = |secret| About::Close { notification_id: notice::notification_id(state.account_id, secret) };
    let too_many = "Too many mails per hour!";
    let decision = write(state, &head.profile.email, Purpose::Close, about, too_many, facts)?;
    Ok(Decision { identifier: json!({ "account_id": state.account_id }), ..decision })
}

/// Whether the account is known by its address only, and was not invited a short while ago.
pub(super) fn may_invite(state: &State, facts: &Facts) -> bool {
    let is_recent = |notice: &Notice| {
        notice.purpose == Purpose::Invitation && notice.written > facts.now - INVITATION_PAUSE_S
    };
    let is_new = state.head.as_ref().is_some_and(|head| head.profile.status == AccountStatus::New);
    is_new && !state.notices.values().any(is_recent)
}

/// Somebody of that name brought the account into a conversation.
pub(super) fn invite(state: &State, by: &str, facts: &Facts) -> Decision {
    let Some(head) = &state.head else {
        return Decision::default();
    };
    let about = |secret| About::Invitation {
        notification_id: notice::notification_id(state.account_id, secret),
        by: by.to_owned(),
    };
    let email = &head.profile.email;
    // Who was sent too much already is not told of this one.
    write(state, email, Purpose::Invitation, about, "", facts).unwrap_or_default()
}

/// By what somebody who answers a letter is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// By its code.
    Code(String),
    /// By the secret of its link.
    Secret(Uuid),
}

/// What whoever answers a letter is told before he registers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Prepared {
    /// For the next step.
    pub notification_id: String,
    /// The address.
    pub email: String,
    /// What he was called when the letter was written.
    pub display_name: Option<String>,
}

/// What comes of an answer that is to be followed by registering: a decision that is durable even where it refuses.
#[derive(Debug)]
pub struct Prepare {
    /// A wrong code counts against the open letters.
    pub decision: Decision,
    /// What is answered.
    pub outcome: Result<Prepared, Refusal>,
}

/// Looks whether a link or a code is good for registering. `secret_of` gives the secret of a letter by its stamp.
#[must_use]
pub fn prepare(state: &State, answer: &Answer, secret_of: &dyn Fn(Stamp) -> Uuid, facts: &Facts) -> Prepare {
    let secret = match answer {
        Answer::Secret(secret) => Some(*secret),
        Answer::Code(code) => {
            let open = state.notices.values().filter(|notice| {
                matches!(notice.purpose, Purpose::Register(_)) && notice.misses < MISSES_MAX
            });
            let mut secrets = open.map(|notice| secret_of(notice.stamp));
            secrets.find(|secret| notice::code(*secret) == *code)
        }
    };
    let outcome = match secret {
        Some(secret) => prepared(state, secret, facts),
        None => Err(expired()),
    };
    let decision = if secret.is_none() { missed(state) } else { Decision::default() };
    Prepare { decision, outcome }
}

fn prepared(state: &State, secret: Uuid, facts: &Facts) -> Result<Prepared, Refusal> {
    let notice = open(state, secret, facts)?;
    let (email, display_name) = match &notice.purpose {
        Purpose::Register(applicant) => (Some(applicant.email.clone()), applicant.display_name.clone()),
        Purpose::Invitation | Purpose::Employment(_) => {
            (state.head.as_ref().map(|head| head.profile.email.clone()), None)
        }
        Purpose::Reset | Purpose::Close | Purpose::Alias(_) => return Err(expired()),
    };
    let email = email.ok_or_else(expired)?;
    let notification_id = notice::notification_id(state.account_id, secret);
    Ok(Prepared { notification_id, email, display_name })
}

/// A code that fits no letter counts against all that it could have fitted.
fn missed(state: &State) -> Decision {
    let open = state.notices.iter().filter(|(_, notice)| {
        matches!(notice.purpose, Purpose::Register(_)) && !notice.is_used && notice.misses < MISSES_MAX
    });
    let changes = open.map(|(name, notice)| {
        Change::Notice(*name, Some(Notice { misses: notice.misses + 1, ..notice.clone() }))
    });
    Decision { changes: changes.collect(), ..Decision::default() }
}

/// With what somebody registers who has answered a letter; what is missing was said in the beginning, or is refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Confirmation {
    /// Trimmed.
    pub display_name: Option<String>,
    /// As argon2 writes it.
    pub password_hash: Option<String>,
    /// Lower case.
    pub fleep_address: Option<String>,
    /// Trimmed.
    pub phone_nr: Option<String>,
    /// He wants no newsletter.
    pub is_newsletter_disabled: Option<bool>,
}

/// Registers whoever has answered a letter, and welcomes him.
///
/// # Errors
/// 431 when the letter is not good any more, when he is registered already, when something is missing, or when the Fleep
/// address is somebody else's. What must be fetched first.
pub fn confirm(state: &State, secret: Uuid, given: &Confirmation, facts: &Facts) -> Judged<Decision> {
    registration::not_registered(state)?;
    let notice = open(state, secret, facts)?;
    let unsaid = Applicant::default();
    let (said, email) = match &notice.purpose {
        Purpose::Register(applicant) => (applicant, applicant.email.clone()),
        Purpose::Invitation | Purpose::Employment(_) => {
            let head = state.head.as_ref().ok_or_else(expired)?;
            (&unsaid, head.profile.email.clone())
        }
        Purpose::Reset | Purpose::Close | Purpose::Alias(_) => return Err(expired().into()),
    };
    let display_name = given.display_name.as_ref().or(said.display_name.as_ref());
    let password_hash = given.password_hash.as_ref().or(said.password_hash.as_ref());
    let missing = |what: &str| Refusal::no_permission(format!("{what} is missing."));
    let entry = Entry {
        email: &email,
        password_hash: password_hash.ok_or_else(|| missing("Password"))?,
        display_name: display_name.ok_or_else(|| missing("Display name"))?,
        fleep_address: given.fleep_address.as_deref(),
    };
    let mut decision = registration::register(state, entry, facts)?;
    for change in &mut decision.changes {
        let Change::Head(head) = change else { continue };
        head.settings.is_newsletter_disabled = given.is_newsletter_disabled;
        if let Some(phone_nr) = given.phone_nr.as_ref().filter(|phone_nr| !phone_nr.is_empty()) {
            head.profile.phone_nr = Some(phone_nr.clone());
            decision.effects = spread::profile(state, &head.profile, facts);
        }
    }
    used(&mut decision, notice, secret);
    let about = About::Welcome { display_name: entry.display_name.to_owned() };
    send(&mut decision, state, &email, about, facts);
    if let Purpose::Employment(id) = notice.purpose {
        join(&mut decision, state, id, facts);
    }
    Ok(decision)
}

/// Whoever registered with an organisation's invitation is in it; unless it was withdrawn.
fn join(decision: &mut Decision, state: &State, id: OrganisationId, facts: &Facts) {
    let mut registered = state.clone();
    decision.changes.iter().for_each(|change| registered.fold(change));
    let Ok(joined) = employment::answer(&registered, id, Reply::Joined, true, facts) else { return };
    // The head that follows has all that this one has.
    decision.changes.retain(|change| !matches!(change, Change::Head(_)));
    decision.changes.extend(joined.changes);
    // Others are told of the profile once, as it is in the end.
    decision.effects.retain(|(_, effect)| matches!(effect, Effect::Mail { .. }));
    decision.effects.extend(joined.effects);
}

/// Sends an organisation's invitation. Who was sent too much already is not told of this one by mail.
pub(super) fn invite_into(state: &State, row: &Row, by: &str, facts: &Facts) -> Decision {
    let Some(head) = &state.head else { return Decision::default() };
    let is_new = head.profile.status == AccountStatus::New;
    let about = |secret| About::Employment {
        notification_id: (is_new && facts.invites).then(|| notice::notification_id(state.account_id, secret)),
        by: by.to_owned(),
        organisation_name: row.said.organisation_name.clone(),
    };
    let purpose = Purpose::Employment(row.said.organisation_id);
    write(state, &head.profile.email, purpose, about, "", facts).unwrap_or_default()
}

/// Says that the account is in an organisation no more.
pub(super) fn discharge(decision: &mut Decision, state: &State, row: &Row, facts: &Facts) {
    let Some(head) = &state.head else { return };
    let is_closed = row.said.status == StaffStatus::Closed;
    let about = About::Discharge { organisation_name: row.said.organisation_name.clone(), is_closed };
    send(decision, state, &head.profile.email, about, facts);
}

/// Says that an admin of its organisation has given the account another password.
pub(super) fn tell_password(decision: &mut Decision, state: &State, row: &Row, facts: &Facts) {
    let Some(head) = &state.head else { return };
    let about = About::Password { organisation_name: row.said.organisation_name.clone() };
    send(decision, state, &head.profile.email, about, facts);
}

/// Declines an organisation's invitation with the letter in hand.
///
/// # Errors
/// 431 when the letter is not good any more.
pub fn decline(state: &State, secret: Uuid, facts: &Facts) -> Result<Decision, Refusal> {
    let notice = open(state, secret, facts)?;
    let Purpose::Employment(id) = notice.purpose else { return Err(expired()) };
    let mut decision = employment::answer(state, id, Reply::Declined, false, facts)?;
    used(&mut decision, notice, secret);
    Ok(decision)
}

/// Sets the password of whoever has answered a letter; all of his sessions end.
///
/// # Errors
/// 431 when the letter is not good any more, and where the account's organisation wants no passwords.
pub fn set_password(
    state: &State,
    secret: Uuid,
    password_hash: &str,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    let notice = open(state, secret, facts)?;
    let head = state.head.as_ref().filter(|head| head.profile.status == AccountStatus::Active);
    let mut head = head.filter(|_| notice.purpose == Purpose::Reset).ok_or_else(expired)?.clone();
    registration::may_have_password(&head)?;
    head.password_hash = Some(password_hash.to_owned());
    head.registration.has_password = true;
    head.stamp = facts.stamp;
    let mut decision = Decision { changes: vec![Change::Head(head)], ..Decision::default() };
    registration::end(&mut decision, state, |_| true, "the password was changed");
    used(&mut decision, notice, secret);
    Ok(decision)
}

/// Closes the account of whoever has answered a letter.
///
/// # Errors
/// 431 when the letter is not good any more, or the account is an organisation's.
pub fn close(state: &State, secret: Uuid, facts: &Facts) -> Result<Decision, Refusal> {
    let notice = open(state, secret, facts)?;
    if notice.purpose != Purpose::Close {
        return Err(expired());
    }
    let mut decision = registration::close(state, facts)?;
    used(&mut decision, notice, secret);
    Ok(decision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::rules::replay::*;

    const EMAIL: &str = "new@example.com";

    fn applicant() -> Applicant {
        Applicant {
            email: EMAIL.to_owned(),
            display_name: Some("Newt".to_owned()),
            password_hash: Some("hash".to_owned()),
        }
    }

    fn letter(decision: &Decision) -> &Letter {
        let letter = decision
            .effects
            .iter()
            .find_map(|(_, effect)| if let Effect::Mail { letter } = effect { Some(letter) } else { None });
        letter.expect("a letter was written")
    }

    /// Carries a wish out; the secret of what was written.
    fn wish(replay: &mut Replay, rule: impl Fn(&State, &Facts) -> Judged<Decision>) -> Result<Uuid, Refusal> {
        let decision = replay.judge(rule)?;
        replay.carry_out(&decision);
        Ok(secret_of(replay.stamp))
    }

    fn code_wanted(replay: &mut Replay) -> Result<Uuid, Refusal> {
        wish(replay, |state, facts| Ok(register(state, applicant(), true, facts)?))
    }

    fn asked(replay: &mut Replay, answer: &Answer) -> Result<Prepared, Refusal> {
        let facts = Facts { now: replay.now, ..facts() };
        let Prepare { decision, outcome } = prepare(&replay.state, answer, &secret_of, &facts);
        replay.carry_out(&decision);
        outcome
    }

    fn confirmed(replay: &mut Replay, secret: Uuid) -> Result<Uuid, Refusal> {
        wish(replay, |state, facts| confirm(state, secret, &Confirmation::default(), facts))
    }

    #[test]
    fn a_code_registers_once_and_an_earlier_one_finds_the_account_active() {
        let mut replay = Replay::of(State::new(NOBODY));
        let (first, second) = (code_wanted(&mut replay).unwrap(), code_wanted(&mut replay).unwrap());
        assert!(replay.state.head.is_none(), "nobody is known by an address that he has not shown to be his");
        let prepared = asked(&mut replay, &Answer::Code(notice::code(second))).unwrap();
        assert_eq!((prepared.email.as_str(), prepared.display_name.as_deref()), (EMAIL, Some("Newt")));
        assert_eq!(notice::read(&prepared.notification_id), Some((NOBODY, second)));
        confirmed(&mut replay, second).unwrap();
        assert_eq!(replay.head().profile.status, AccountStatus::Active);
        let again = asked(&mut replay, &Answer::Code(notice::code(second))).unwrap_err();
        assert_eq!(again.error_message, "Link has already been used.");
        asked(&mut replay, &Answer::Code(notice::code(first))).unwrap();
        assert_eq!(confirmed(&mut replay, first).unwrap_err().error_message, "Account already active");
        assert_eq!(code_wanted(&mut replay).unwrap_err().error_message, "Account already active");
    }

    #[test]
    fn who_registers_is_welcomed_and_what_he_says_last_counts() {
        let mut replay = Replay::of(State::new(NOBODY));
        let secret = code_wanted(&mut replay).unwrap();
        let said = Confirmation {
            display_name: Some("Newton".to_owned()),
            phone_nr: Some("7".to_owned()),
            is_newsletter_disabled: Some(true),
            ..Confirmation::default()
        };
        let decision = replay.judge(|state, facts| confirm(state, secret, &said, facts)).unwrap();
        assert_eq!(letter(&decision).about, About::Welcome { display_name: "Newton".to_owned() });
        replay.carry_out(&decision);
        let profile = &replay.head().profile;
        assert_eq!((profile.display_name.as_str(), profile.phone_nr.as_deref()), ("Newton", Some("7")));
    }

    #[test]
    fn wrong_codes_make_the_right_one_worthless_but_not_the_link() {
        let mut replay = Replay::of(State::new(NOBODY));
        let secret = code_wanted(&mut replay).unwrap();
        for _ in 0..MISSES_MAX {
            assert_eq!(asked(&mut replay, &Answer::Code("nonsense".to_owned())).unwrap_err().status, 431);
        }
        assert!(asked(&mut replay, &Answer::Code(notice::code(secret))).is_err());
        assert!(asked(&mut replay, &Answer::Secret(secret)).is_ok());
    }

    #[test]
    fn five_letters_an_hour_are_enough_and_old_ones_are_forgotten() {
        let mut replay = Replay::alice();
        let reset_wanted = |replay: &mut Replay| wish(replay, |state, facts| Ok(reset(state, facts)?));
        for _ in 0..LETTERS_PER_HOUR_MAX {
            reset_wanted(&mut replay).unwrap();
        }
        let refused = reset_wanted(&mut replay).unwrap_err();
        assert_eq!(refused.error_message, "Too many password reset attempts per hour!");
        replay.now += HOUR_S + 1;
        reset_wanted(&mut replay).unwrap();
        replay.now += 25 * HOUR_S;
        reset_wanted(&mut replay).unwrap();
        assert_eq!(replay.state.notices.len(), 1);
    }

    #[test]
    fn a_reset_ends_all_sessions_and_is_good_for_a_day_and_once() {
        let mut replay = Replay::alice();
        let late = wish(&mut replay, |state, facts| Ok(reset(state, facts)?)).unwrap();
        replay.now += 23 * HOUR_S;
        let secret = wish(&mut replay, |state, facts| Ok(reset(state, facts)?)).unwrap();
        replay.now += 2 * HOUR_S;
        let set = |replay: &mut Replay, secret| {
            wish(replay, |state, facts| Ok(set_password(state, secret, "new", facts)?))
        };
        assert_eq!(set(&mut replay, late).unwrap_err().error_message, "Notification expired.");
        set(&mut replay, secret).unwrap();
        assert!(replay.state.tokens.is_empty());
        assert_eq!(replay.head().password_hash.as_deref(), Some("new"));
        assert_eq!(set(&mut replay, secret).unwrap_err().error_message, "Link has already been used.");
        let mut nobody = Replay::of(State::new(NOBODY));
        let unknown = wish(&mut nobody, |state, facts| Ok(reset(state, facts)?)).unwrap_err();
        assert_eq!(unknown.error_message, "Account not found!");
    }

    #[test]
    fn an_account_is_closed_by_the_link_that_was_mailed_for_it_and_by_no_other() {
        let mut replay = Replay::alice();
        let secret = wish(&mut replay, delete).unwrap();
        let other = wish(&mut replay, |state, facts| Ok(reset(state, facts)?)).unwrap();
        assert_eq!(replay.head().profile.status, AccountStatus::Active);
        assert!(wish(&mut replay, |state, facts| Ok(close(state, other, facts)?)).is_err());
        wish(&mut replay, |state, facts| Ok(close(state, secret, facts)?)).unwrap();
        assert_eq!(replay.head().profile.status, AccountStatus::Closed);
    }

    #[test]
    fn who_is_known_by_his_address_is_invited_once_a_day() {
        let mut replay = Replay::of(State::new(NOBODY));
        let known = registration::become_known(&replay.state, EMAIL, &facts());
        replay.carry_out(&known);
        let joined = |nr: u128, version| Effect::Joined {
            conversation_id: rill_proto::id::ConversationId(Uuid::from_u128(nr)),
            by: BOB,
            profile_version: 1,
            version,
        };
        let decision = replay.apply(&joined(1, 1));
        let About::Invitation { notification_id, by } = &letter(&decision).about else {
            panic!("it is an invitation")
        };
        assert_eq!(by, "bob");
        let (_, secret) = notice::read(notification_id).unwrap();
        assert!(!effects(&replay.apply(&joined(2, 2))).iter().any(|effect| effect.starts_with("mail")));
        let said = Confirmation {
            display_name: Some("Newt".to_owned()),
            password_hash: Some("hash".to_owned()),
            ..Confirmation::default()
        };
        wish(&mut replay, |state, facts| confirm(state, secret, &said, facts)).unwrap();
        replay.now += 2 * INVITATION_PAUSE_S;
        assert!(!effects(&replay.apply(&joined(3, 3))).iter().any(|effect| effect.starts_with("mail")));
    }
}
