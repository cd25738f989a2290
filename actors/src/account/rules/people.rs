//! The caller's contact list (accounts.md §5): what he says of others is for himself alone.

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::event::contact;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::{Value, json};

use super::{Decision, Facts, Judged, News, email, spread};
use crate::account::contact::ContactRow;
use crate::account::profile::Profile;
use crate::account::state::{Change, State};
use crate::effect::Effect;
use crate::store::Aggregate;

/// The rank of somebody who brought the owner of a list into a conversation (accounts.md §5.3).
const RANK_BROUGHT_IN: u8 = 1;

/// The rank of somebody to whom the owner gave a name.
const RANK_DESCRIBED: u8 = 4;

/// The rank of somebody whom the owner added or imported.
const RANK_ADDED: u8 = 8;

/// How many rows a list has. Each session of its owner holds it in memory; ten thousand are some megabytes.
const CONTACTS_MAX: usize = 10_000;

/// How many contacts one call may import: each is an account that is looked up before the rule can decide.
const IMPORT_MAX: usize = 500;

/// How many accounts one call may hide or ask about: a screen of a list, many times over.
pub(super) const ACCOUNTS_PER_CALL_MAX: usize = 500;

/// What the profile of somebody is worth whom a conversation shows to the owner of the list: it tells him what changes.
const SHOWN_BY_CONVERSATION: u64 = u64::MAX;

/// Rows in the making.
struct Pen<'a> {
    state: &'a State,
    facts: &'a Facts,
    decision: Decision,
    /// How many rows there are that there were not.
    added: usize,
}

/// Whom a row is about, as far as the rule knows him.
struct Person<'a> {
    account_id: AccountId,
    profile: &'a Profile,
    /// The address by which he will become known.
    becomes_known_by: Option<&'a str>,
}

impl<'a> Pen<'a> {
    fn new(state: &'a State, facts: &'a Facts, identifier: Value) -> Self {
        Self { state, facts, decision: Decision { identifier, ..Decision::default() }, added: 0 }
    }

    fn row(&self, account_id: AccountId) -> ContactRow {
        self.state.contacts.row(account_id).cloned().unwrap_or_default()
    }

    /// Puts a row in, and tells whom it is about that somebody watches him.
    fn put(&mut self, person: &Person<'_>, row: ContactRow) -> Result<(), Refusal> {
        if self.state.contacts.row(person.account_id).is_none() {
            self.added += 1;
            if self.state.contacts.len() + self.added > CONTACTS_MAX {
                return Err(Refusal::no_permission(format!(
                    "A contact list has at most {CONTACTS_MAX} people."
                )));
            }
        }
        let email = person.becomes_known_by.map(str::to_owned);
        let row = watched(self.state, person.account_id, row, person.profile.version, email, self.facts);
        self.decision.effects.extend(row.1);
        self.decision.changes.push(Change::Contact(person.account_id, row.0));
        let news = News::Contact(person.account_id, Box::new(person.profile.clone()));
        self.decision.answer.push(news.clone());
        self.decision.news.push(news);
        Ok(())
    }

    /// Says what stands in a row that stays as it is.
    fn show(&mut self, person: &Person<'_>) {
        self.decision.answer.push(News::Contact(person.account_id, Box::new(person.profile.clone())));
    }

    /// Conversations without a topic are called by the names of their members.
    fn renames(mut self, contact: Option<AccountId>) -> Decision {
        self.decision.effects.extend(spread::name(self.state, contact, self.facts));
        self.decision
    }
}

/// A row that has changed, and what tells its contact that it is there, where he does not know yet.
pub(super) fn watched(
    state: &State,
    account_id: AccountId,
    row: ContactRow,
    version: u64,
    email: Option<String>,
    facts: &Facts,
) -> (ContactRow, Option<(Aggregate, Effect)>) {
    let is_new = !row.is_watched;
    let effect = Effect::Watched { by: state.account_id, version, email: email.clone() };
    let row = ContactRow { is_watched: true, stamp: facts.stamp, email: email.or(row.email), ..row };
    (row, is_new.then_some((Aggregate::Account(account_id), effect)))
}

/// Somebody brought the owner of the list into a conversation.
pub(super) fn brought_in(state: &State, by: AccountId, facts: &Facts) -> Decision {
    let row = state.contacts.row(by).cloned().unwrap_or_default();
    if row.sort_rank >= RANK_BROUGHT_IN || row.is_hidden {
        return Decision::default();
    }
    noted(state, by, ContactRow { sort_rank: RANK_BROUGHT_IN, ..row }, facts)
}

/// A conversation became, or ceased to be, the dialog with somebody.
pub(super) fn dialog(
    state: &State,
    with: AccountId,
    conversation_id: rill_proto::id::ConversationId,
    is_dialog: bool,
    facts: &Facts,
) -> Decision {
    let row = state.contacts.row(with).cloned().unwrap_or_default();
    let dialog_id = match (is_dialog, row.dialog_id) {
        (true, _) => Some(conversation_id),
        (false, Some(known)) if known == conversation_id => None,
        (false, known) => known,
    };
    if dialog_id == row.dialog_id {
        return Decision::default();
    }
    noted(state, with, ContactRow { dialog_id, ..row }, facts)
}

/// A row that a conversation gives rise to; a list that is full has no room for a new one.
fn noted(state: &State, id: AccountId, row: ContactRow, facts: &Facts) -> Decision {
    if state.contacts.row(id).is_none() && state.contacts.len() >= CONTACTS_MAX {
        return Decision::default();
    }
    let (row, effect) = watched(state, id, row, SHOWN_BY_CONVERSATION, None, facts);
    Decision {
        changes: vec![Change::Contact(id, row)],
        effects: effect.into_iter().collect(),
        ..Decision::default()
    }
}

/// The profile of a contact changed.
pub(super) fn shown(state: &State, contact: AccountId, version: u64, facts: &Facts) -> Decision {
    let known = state.contacts.row(contact).filter(|row| row.shown_version < version);
    let row = known.map(|row| ContactRow { shown_version: version, stamp: facts.stamp, ..row.clone() });
    let changes = row.map(|row| Change::Contact(contact, row)).into_iter().collect();
    Decision { changes, ..Decision::default() }
}

/// Nobody is in his own list.
fn not_oneself(state: &State, account_id: AccountId) -> Result<(), Refusal> {
    if state.account_id == account_id {
        return Err(Refusal::no_permission("Nobody is his own contact."));
    }
    Ok(())
}

/// Somebody who is named by his id: he must exist, or have been named by his address before.
fn person<'a>(
    state: &State,
    account_id: AccountId,
    facts: &'a Facts,
    of_address: &'a mut Option<Profile>,
) -> Judged<Option<Person<'a>>> {
    let found = facts.profile(account_id)?;
    if found.is_none() {
        let email = state.contacts.row(account_id).and_then(|row| row.email.as_deref());
        *of_address = email.map(Profile::of_address);
    }
    let profile = found.or(of_address.as_ref());
    Ok(profile.map(|profile| Person { account_id, profile, becomes_known_by: None }))
}

/// `contact:set_name`: an empty name restores the public one.
pub(super) fn set_name(state: &State, event: &contact::SetName, facts: &Facts) -> Judged<Decision> {
    let name = event.name.trim();
    describe(state, event.account_id, facts, |row| {
        row.contact_name = Some(name.to_owned());
        if !name.is_empty() {
            row.sort_rank = row.sort_rank.max(RANK_DESCRIBED);
        }
    })
}

/// `contact:set_phone`: an empty number restores the public one.
pub(super) fn set_phone(state: &State, event: &contact::SetPhone, facts: &Facts) -> Judged<Decision> {
    let phone_nr = event.phone_nr.trim();
    describe(state, event.account_id, facts, |row| row.phone_nr = Some(phone_nr.to_owned()))
}

/// `contact:hide`: the rank counts as 0 for as long as he is hidden; what is said of him stays.
pub(super) fn hide(state: &State, event: &contact::Hide, facts: &Facts) -> Judged<Decision> {
    describe(state, event.account_id, facts, |row| row.is_hidden = true)
}

fn describe(
    state: &State,
    account_id: AccountId,
    facts: &Facts,
    change: impl FnOnce(&mut ContactRow),
) -> Judged<Decision> {
    not_oneself(state, account_id)?;
    let mut of_address = None;
    let person = person(state, account_id, facts, &mut of_address)?;
    let person = person.ok_or_else(|| Refusal::not_found("Account"))?;
    let mut pen = Pen::new(state, facts, json!({ "account_id": account_id }));
    let (old, mut row) = (pen.row(account_id), pen.row(account_id));
    change(&mut row);
    if row == old && state.contacts.row(account_id).is_some() {
        pen.show(&person);
        return Ok(pen.decision);
    }
    let has_other_name = row.contact_name != old.contact_name;
    pen.put(&person, row)?;
    Ok(if has_other_name { pen.renames(Some(account_id)) } else { pen.decision })
}

/// `contact:hide_contacts`: who is hidden already, and who does not exist, is passed over.
pub(super) fn hide_contacts(state: &State, event: &contact::HideContacts, facts: &Facts) -> Judged<Decision> {
    let wanted: BTreeSet<AccountId> = event.account_ids.iter().copied().collect();
    few_enough("account_ids", wanted.len(), ACCOUNTS_PER_CALL_MAX)?;
    let is_hidden = |id: &AccountId| state.contacts.row(*id).is_some_and(|row| row.is_hidden);
    let wanted: Vec<AccountId> =
        wanted.into_iter().filter(|id| *id != state.account_id && !is_hidden(id)).collect();
    facts.have_profiles(&wanted)?;
    let mut pen = Pen::new(state, facts, json!({ "account_id": state.account_id }));
    for account_id in wanted {
        let mut of_address = None;
        let Some(person) = person(state, account_id, facts, &mut of_address)? else { continue };
        let row = ContactRow { is_hidden: true, ..pen.row(account_id) };
        pen.put(&person, row)?;
    }
    Ok(pen.decision)
}

pub(super) fn few_enough(param: &str, count: usize, max: usize) -> Result<(), Refusal> {
    if count > max {
        return Err(Refusal::invalid_call(param, format!("{count} entries, at most {max} are allowed")));
    }
    Ok(())
}

/// What somebody is called, and reached by.
#[derive(Default, Clone)]
struct Entry {
    name: Option<String>,
    phone_nr: Option<String>,
}

/// `contact:add`.
pub(super) fn add(state: &State, event: &contact::Add, facts: &Facts) -> Judged<Decision> {
    let email = email(&event.email)?;
    let account_id = facts.account(&email)?;
    not_oneself(state, account_id)?;
    let entry = entry(event.name.as_deref(), event.phone_nr.as_deref());
    let mut pen = Pen::new(state, facts, json!({ "account_id": account_id }));
    let is_renamed = list(&mut pen, account_id, &email, &entry)?;
    Ok(if is_renamed { pen.renames(Some(account_id)) } else { pen.decision })
}

/// `contact:import`: who comes twice is one, with what was said last; what is no address is passed over.
pub(super) fn import(state: &State, event: &contact::Import, facts: &Facts) -> Judged<Decision> {
    if event.contacts.is_empty() {
        return Err(Refusal::invalid_call("contacts", "at least one contact is needed").into());
    }
    few_enough("contacts", event.contacts.len(), IMPORT_MAX)?;
    let mut wanted: BTreeMap<String, Entry> = BTreeMap::new();
    for contact in &event.contacts {
        let Ok(email) = email(&contact.email) else { continue };
        let given = entry(contact.name.as_deref(), contact.phone_nr.as_deref());
        let known = wanted.entry(email).or_default();
        known.name = given.name.or(known.name.take());
        known.phone_nr = given.phone_nr.or(known.phone_nr.take());
    }
    let emails: Vec<String> = wanted.keys().cloned().collect();
    facts.have_accounts(&emails)?;
    let mut people: BTreeMap<AccountId, (String, Entry)> = BTreeMap::new();
    for (email, entry) in wanted {
        people.insert(facts.account(&email)?, (email, entry));
    }
    people.remove(&state.account_id);
    facts.have_profiles(&people.keys().copied().collect::<Vec<_>>())?;
    let mut pen = Pen::new(state, facts, json!({ "account_id": state.account_id }));
    let mut has_renamed = false;
    for (account_id, (email, entry)) in &people {
        has_renamed |= list(&mut pen, *account_id, email, entry)?;
    }
    Ok(if has_renamed { pen.renames(None) } else { pen.decision })
}

fn entry(name: Option<&str>, phone_nr: Option<&str>) -> Entry {
    let text = |text: &str| text.trim().to_owned();
    Entry { name: name.map(text), phone_nr: phone_nr.map(text) }
}

/// Puts somebody into the list, visible; whether he is called by another name now.
fn list(pen: &mut Pen<'_>, account_id: AccountId, email: &str, entry: &Entry) -> Judged<bool> {
    let unknown = Profile::of_address(email);
    let (profile, becomes_known_by) = match pen.facts.profile(account_id)? {
        Some(profile) => (profile, None),
        None => (&unknown, Some(email)),
    };
    let person = Person { account_id, profile, becomes_known_by };
    let old = pen.row(account_id);
    let row = ContactRow {
        contact_name: entry.name.clone().or_else(|| old.contact_name.clone()),
        phone_nr: entry.phone_nr.clone().or_else(|| old.phone_nr.clone()),
        is_hidden: false,
        sort_rank: RANK_ADDED,
        ..old.clone()
    };
    if row == old && pen.state.contacts.row(account_id).is_some() {
        pen.show(&person);
        return Ok(false);
    }
    let is_renamed = row.contact_name != old.contact_name;
    pen.put(&person, row)?;
    Ok(is_renamed)
}

/// The owner opens the dialog with somebody: he wants to see him again.
pub(super) fn unhidden(state: &State, account_id: AccountId, facts: &Facts) -> Judged<Option<Decision>> {
    let Some(row) = state.contacts.row(account_id).filter(|row| row.is_hidden) else {
        return Ok(None);
    };
    let mut of_address = None;
    let Some(person) = person(state, account_id, facts, &mut of_address)? else {
        return Ok(None);
    };
    let mut pen = Pen::new(state, facts, Value::Null);
    pen.put(&person, ContactRow { is_hidden: false, ..row.clone() })?;
    Ok(Some(pen.decision))
}

/// `contact:sync`: the next page, the highest rank first. People who only share a conversation with the owner come last, as
/// those of rank 0.
pub(super) fn sync(state: &State, event: &contact::Sync, facts: &Facts) -> Judged<Decision> {
    let after = event.sync_cursor.0.as_ref();
    let limit = event.limit.get();
    // Descending by rank, then ascending by id.
    let place = |rank: u8, id: AccountId| (i64::MAX - i64::from(rank), id);
    let from = after.map(|cursor| (i64::MAX.saturating_sub(cursor.sort_rank.max(0)), cursor.account_id));
    let is_left = |at: &(i64, AccountId)| from.is_none_or(|from| *at > from);
    let listed = state.contacts.rows().map(|(id, row)| place(row.rank(), id)).filter(is_left);
    let mut page: BTreeSet<(i64, AccountId)> = listed.collect();
    let ranked = page.iter().filter(|(rank, _)| *rank < i64::MAX).count();
    // As many as fill the page say nothing of whether there are more.
    if ranked <= limit {
        let unlisted = |id: &&AccountId| **id != state.account_id && state.contacts.row(**id).is_none();
        page.extend(facts.companions()?.iter().filter(unlisted).map(|id| place(0, *id)).filter(is_left));
    }
    let ids: Vec<AccountId> = page.iter().take(limit).map(|(_, id)| *id).collect();
    facts.have_profiles(&ids)?;
    let last = page.iter().nth(limit - 1).filter(|_| page.len() > limit);
    let cursor = last.map(|(rank, id)| json!({ "account_id": id, "sort_rank": i64::MAX - rank }).to_string());
    let mut pen = Pen::new(state, facts, json!({ "account_id": state.account_id }));
    for account_id in ids {
        let mut of_address = None;
        if let Some(person) = person(state, account_id, facts, &mut of_address)? {
            pen.show(&person);
        }
    }
    pen.decision.sync_cursor = Some(cursor.map_or(Value::Null, Value::from));
    Ok(pen.decision)
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::AccountStatus;
    use rill_proto::event::ClientEvent;
    use rill_proto::event::contact::{Event, ImportedContact, SyncCursor};
    use rill_proto::field::{Cursor, Limit};
    use rill_proto::id::ConversationId;
    use uuid::Uuid;

    use super::*;
    use crate::account::rules::replay::*;

    fn ask(replay: &mut Replay, event: Event) -> Result<Decision, Refusal> {
        replay.ask(ClientEvent::Contact(event))
    }

    fn added(email: &str, name: Option<&str>) -> Event {
        Event::Add(contact::Add { email: text(email), name: name.map(text), phone_nr: None })
    }

    fn call(account_id: AccountId, name: &str) -> Event {
        Event::SetName(contact::SetName { account_id, name: text(name) })
    }

    fn rank(replay: &Replay, id: AccountId) -> u8 {
        replay.state.contacts.row(id).unwrap().rank()
    }

    #[test]
    fn who_is_added_is_watched_and_ranks_highest() {
        let mut replay = Replay::alice();
        let decision = ask(&mut replay, added(" BOB@example.com ", Some("Bobby"))).unwrap();
        assert_eq!((lines(&decision.answer), lines(&decision.news)), (vec!["bob"], vec!["bob"]));
        assert_eq!(effects(&decision), ["bob watched by alice 1 -"]);
        assert_eq!(rank(&replay, BOB), 8);
        let again = ask(&mut replay, added("bob@example.com", None)).unwrap();
        assert!(again.changes.is_empty() && again.effects.is_empty());
        assert_eq!(
            replay.state.contacts.private_name(BOB),
            Some("Bobby"),
            "nothing said keeps what was said"
        );
    }

    #[test]
    fn an_address_that_nobody_has_becomes_somebody() {
        let mut replay = Replay::alice();
        let decision = ask(&mut replay, added("new@example.com", None)).unwrap();
        assert_eq!(effects(&decision), ["nobody watched by alice 1 new@example.com"]);
        let mut new = Replay::of(State::new(NOBODY));
        let watched = Effect::Watched { by: ALICE, version: 1, email: Some("new@example.com".to_owned()) };
        let known = new.apply(&watched);
        assert_eq!(new.head().profile.status, AccountStatus::New);
        assert!(new.state.watchers.contains(&ALICE) && known.effects.is_empty());
        assert_eq!(known.claim.len(), 1);

        // Somebody else has got the address meanwhile.
        let mut late = Replay::of(State::new(CAROL));
        assert!(!late.apply(&watched).is_durable());
    }

    #[test]
    fn a_contact_who_has_changed_meanwhile_says_so() {
        let mut replay = Replay::alice();
        let decision = replay.apply(&Effect::Watched { by: BOB, version: 0, email: None });
        assert_eq!(effects(&decision), ["bob shown alice 1"]);
        let decision =
            replay.apply(&Effect::Watched { by: BOB, version: SHOWN_BY_CONVERSATION, email: None });
        assert!(!decision.is_durable());
    }

    #[test]
    fn a_change_of_a_contact_is_news_once() {
        let mut replay = Replay::alice();
        ask(&mut replay, added("bob@example.com", None)).unwrap();
        let shown = Effect::Shown { account_id: BOB, version: 2 };
        assert_eq!(replay.apply(&shown).changes.len(), 1);
        assert!(replay.apply(&shown).changes.is_empty());
        assert!(replay.apply(&Effect::Shown { account_id: CAROL, version: 2 }).changes.is_empty());
    }

    #[test]
    fn ranks_are_8_for_who_was_added_4_for_who_was_described_and_0_for_who_is_hidden() {
        let mut replay = Replay::alice();
        ask(&mut replay, call(BOB, "Bobby")).unwrap();
        assert_eq!(rank(&replay, BOB), 4);
        ask(&mut replay, call(BOB, "")).unwrap();
        assert_eq!((rank(&replay, BOB), replay.state.contacts.private_name(BOB)), (4, None));
        ask(&mut replay, Event::Hide(contact::Hide { account_id: BOB })).unwrap();
        assert_eq!(rank(&replay, BOB), 0);
        let hidden = ask(&mut replay, Event::Hide(contact::Hide { account_id: BOB })).unwrap();
        assert!(hidden.changes.is_empty() && hidden.answer.len() == 1);
        ask(&mut replay, added("bob@example.com", None)).unwrap();
        assert_eq!(rank(&replay, BOB), 8);
        let phone = contact::SetPhone { account_id: CAROL, phone_nr: text("+1") };
        ask(&mut replay, Event::SetPhone(phone)).unwrap();
        assert_eq!(rank(&replay, CAROL), 0, "a number is no description");
    }

    #[test]
    fn opening_the_dialog_with_somebody_hidden_shows_him_again() {
        let mut replay = Replay::alice();
        ask(&mut replay, call(BOB, "Bobby")).unwrap();
        assert_eq!(replay.judge(|state, facts| unhidden(state, BOB, facts)).unwrap(), None);
        ask(&mut replay, Event::Hide(contact::Hide { account_id: BOB })).unwrap();
        let shown = replay.judge(|state, facts| unhidden(state, BOB, facts)).unwrap().unwrap();
        assert_eq!(lines(&shown.news), ["bob"]);
    }

    #[test]
    fn oneself_and_who_does_not_exist_are_no_contacts() {
        let mut replay = Replay::alice();
        assert_eq!(ask(&mut replay, added("alice@example.com", None)).unwrap_err().status, 431);
        assert_eq!(ask(&mut replay, call(ALICE, "me")).unwrap_err().status, 431);
        assert_eq!(ask(&mut replay, call(NOBODY, "x")), Err(Refusal::not_found("Account")));
        assert_eq!(ask(&mut replay, added("bob", None)).unwrap_err().status, 400);
        let hide = contact::HideContacts { account_ids: vec![NOBODY, ALICE, BOB, BOB] };
        assert_eq!(lines(&ask(&mut replay, Event::HideContacts(hide)).unwrap().answer), ["bob"]);
    }

    #[test]
    fn an_import_passes_over_what_is_no_address_and_merges_what_comes_twice() {
        let mut replay = Replay::alice();
        let one = |email: &str, name: Option<&str>| ImportedContact {
            email: text(email),
            name: name.map(text),
            phone_nr: None,
        };
        let contacts = vec![
            one("bob@example.com", Some("Bob B.")),
            one("nonsense", None),
            one("Bob@Example.com", None),
            one("carol@example.com", None),
            one("alice@example.com", None),
        ];
        let decision = ask(&mut replay, Event::Import(contact::Import { contacts })).unwrap();
        assert_eq!(lines(&decision.answer), ["bob", "carol"]);
        assert_eq!(replay.state.contacts.private_name(BOB), Some("Bob B."));
        let none = Event::Import(contact::Import { contacts: Vec::new() });
        assert_eq!(ask(&mut replay, none).unwrap_err().status, 400);
        let many = vec![one("bob@example.com", None); IMPORT_MAX + 1];
        assert_eq!(
            ask(&mut replay, Event::Import(contact::Import { contacts: many })).unwrap_err().status,
            400
        );
    }

    #[test]
    fn pages_go_by_rank_and_end_with_those_of_the_own_conversations() {
        let mut replay = Replay::alice();
        ask(&mut replay, added("carol@example.com", None)).unwrap();
        replay.companions = vec![ALICE, BOB];
        let page = |cursor: Option<SyncCursor>| {
            Event::Sync(contact::Sync { sync_cursor: Cursor(cursor), limit: Limit::new(1) })
        };
        let first = ask(&mut replay, page(None)).unwrap();
        assert_eq!(lines(&first.answer), ["carol"]);
        let cursor = first.sync_cursor.unwrap();
        let cursor: SyncCursor = serde_json::from_str(cursor.as_str().unwrap()).unwrap();
        assert_eq!(cursor, SyncCursor { account_id: CAROL, sort_rank: 8 });
        let second = ask(&mut replay, page(Some(cursor))).unwrap();
        assert_eq!((lines(&second.answer), second.sync_cursor), (vec!["bob"], Some(Value::Null)));
    }

    #[test]
    fn a_full_list_takes_nobody_in() {
        let mut replay = Replay::alice();
        for nr in 0..CONTACTS_MAX {
            let id = AccountId(Uuid::from_u128(1_000 + nr as u128));
            replay.state.fold(&Change::Contact(id, ContactRow::default()));
        }
        let name = contact::SetName { account_id: BOB, name: text("Bobby") };
        let refused = replay.judge(|state, facts| set_name(state, &name, facts));
        assert_eq!(refused.unwrap_err().status, 431);
        let conversation = ConversationId(Uuid::nil());
        assert!(!dialog(&replay.state, BOB, conversation, true, &facts()).is_durable());
    }
}
