//! Fetching what an account's rule lacks: the only place where an account waits for somebody while it decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use rill_proto::field::Text;
use rill_proto::id::{AccountId, ConversationId, MessageId, RequestId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::board::record::Texts;
use super::login::person_of;
use super::profile::Profile;
use super::rules::{CheckedPassword, DeviceHolder, Facts, Need};
use super::state::Head;
use crate::conversation::rows::decode;
use crate::conversation::state::Member;
use crate::file::{Found, gather};
use crate::node::Node;
use crate::outcomes::Outcome;
use crate::store::{Aggregate, RowKey, Store, StoreFault, UniqueKey};

/// A fact that was fetched.
pub(super) enum Fact {
    Profiles(Vec<(AccountId, Option<Profile>)>),
    Accounts(Vec<(String, AccountId)>),
    Companions(BTreeSet<AccountId>),
    DeviceHolder(Uuid, Option<DeviceHolder>),
    AddressHolder(String, Option<AccountId>),
    Password(CheckedPassword),
    Texts(Texts),
    Files(Vec<(String, Option<Found>)>),
    Outcome(Option<Outcome>),
}

/// Why a fact could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoFact {
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Too much to do, or a password that cannot be one.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Who asks for a fact.
pub(super) struct Asking {
    pub(super) node: Arc<Node>,
    pub(super) account_id: AccountId,
    /// Of the event, where it is about one.
    pub(super) request_id: Option<RequestId>,
    /// The conversations that the account can see; only where companions are asked for.
    pub(super) memberships: Vec<ConversationId>,
}

/// Fetches a fact.
pub(super) async fn fetch(asking: Asking, need: Need) -> Result<Fact, NoFact> {
    let node = &asking.node;
    match need {
        Need::Profiles(wanted) => {
            let mut found = Vec::with_capacity(wanted.len());
            for account_id in wanted {
                let row = node.store.row(Aggregate::Account(account_id), RowKey::Head).await?;
                let head = row.map(|row| decode::<Head>(&row)).transpose()?;
                found.push((account_id, head.map(|head| head.profile)));
            }
            Ok(Fact::Profiles(found))
        }
        Need::Accounts(emails) => {
            let mut found = Vec::with_capacity(emails.len());
            for email in emails {
                let account_id = person_of(node, &email).await?;
                found.push((email, account_id));
            }
            Ok(Fact::Accounts(found))
        }
        Need::Companions => Ok(Fact::Companions(companions(&asking).await?)),
        Need::DeviceHolder(name) => {
            let held = node.store.holder(UniqueKey::Device(name)).await?;
            Ok(Fact::DeviceHolder(name, held.map(|held| decode(&held)).transpose()?))
        }
        Need::AddressHolder(address) => {
            let held = node.store.holder(UniqueKey::Address(address.clone())).await?;
            let holder = held.and_then(|held| Uuid::from_slice(&held).ok()).map(AccountId);
            Ok(Fact::AddressHolder(address, holder))
        }
        Need::Password { given, hash, wanted } => {
            Ok(Fact::Password(check(node, &given, hash, &wanted).await?))
        }
        Need::Texts(wanted) => {
            Ok(Fact::Texts(read_texts(Arc::clone(&node.store), asking.account_id, wanted).await?))
        }
        Need::Files(urls) => {
            let store = Arc::clone(&node.store);
            Ok(Fact::Files(gather(store, asking.account_id, urls).await?))
        }
        Need::Outcome => {
            let key = asking.request_id.map(|id| UniqueKey::Request(asking.account_id, id.0));
            let row = match key {
                Some(key) => node.store.holder(key).await?,
                None => None,
            };
            Ok(Fact::Outcome(row.map(|row| decode(&row)).transpose()?))
        }
    }
}

/// Reads what private tasks and canned responses say. All of them have a text; a store without one is broken.
pub(super) async fn read_texts(
    store: Arc<dyn Store>,
    id: AccountId,
    wanted: Vec<MessageId>,
) -> Result<Texts, StoreFault> {
    let mut texts = Texts::new();
    for message_id in wanted {
        let row = store.row(Aggregate::Account(id), RowKey::Text(message_id)).await?;
        let row = row.ok_or_else(|| StoreFault(format!("{message_id} has no text")))?;
        texts.insert(message_id, decode(&row)?);
    }
    Ok(texts)
}

/// The present members of every conversation in which the account is one.
async fn companions(asking: &Asking) -> Result<BTreeSet<AccountId>, StoreFault> {
    let mut companions = BTreeSet::new();
    for id in &asking.memberships {
        let Some(loaded) = asking.node.store.load(Aggregate::Conversation(*id)).await? else { continue };
        let mut present = BTreeSet::new();
        for (key, row) in &loaded.rows {
            if let RowKey::Member(account_id) = key
                && decode::<Member>(row)?.is_present()
            {
                present.insert(*account_id);
            }
        }
        if present.contains(&asking.account_id) {
            companions.extend(present);
        }
    }
    Ok(companions)
}

async fn check(
    node: &Node,
    given: &Text<1024>,
    hash: Option<String>,
    wanted: &Text<128>,
) -> Result<CheckedPassword, Refusal> {
    let is_right = match hash {
        Some(hash) => node.passwords.verify(given.to_string(), hash).await?,
        None => true,
    };
    let hash = if is_right { node.passwords.hash(wanted.to_string()).await? } else { String::new() };
    Ok(CheckedPassword { is_right, hash })
}

/// Puts a fact where the rules look for it.
pub(super) fn know(facts: &mut Facts, fact: Fact) {
    match fact {
        Fact::Profiles(found) => facts.profiles.extend(found),
        Fact::Accounts(found) => facts.accounts.extend(found),
        Fact::Companions(found) => facts.companions = Some(found),
        Fact::DeviceHolder(name, holder) => {
            facts.devices.insert(name, holder);
        }
        Fact::AddressHolder(address, holder) => {
            facts.addresses.insert(address, holder);
        }
        Fact::Password(checked) => facts.password = Some(checked),
        Fact::Texts(texts) => facts.texts.extend(texts),
        Fact::Files(found) => facts.files.extend(found),
        Fact::Outcome(outcome) => facts.outcome = Some(outcome),
    }
}
