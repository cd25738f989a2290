//! Logging in and out: what the gateway asks of accounts before there is a session.
//!
//! Not here: passwords themselves (the gateway hashes and verifies them) and cookies. Tokens and tickets are kept by
//! names that follow from them and from the installation's secret, never in the clear.

use std::sync::Arc;

use actix::Message;
use bytes::Bytes;
use dashmap::DashMap;
use rill_proto::classificator::AccountStatus;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::state::Head;
use crate::border::reply::Caller;
use crate::conversation::rows::decode;
use crate::node::Node;
use crate::store::{Aggregate, RowKey, StoreFault, UniqueKey};

/// A token that was found valid. Its ticket must match as well ([`Login::admits`]) before anything is done for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Login {
    /// Whose session it is.
    pub account_id: AccountId,
    /// The token's name.
    pub token: Uuid,
    /// The ticket's name.
    pub ticket: Uuid,
}

impl Login {
    /// Whether the ticket belongs to the token.
    #[must_use]
    pub fn admits(&self, node: &Node, ticket: &str) -> bool {
        self.ticket == ticket_name(node, ticket)
    }
}

/// What stands between a login and its account.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The account.
    pub account_id: AccountId,
    /// Only an active account may log in.
    pub status: AccountStatus,
    /// The stored hash; `None` when it never had a password.
    pub password_hash: Option<String>,
}

/// Answers of an account to an order.
pub type OrderReply<T> = Caller<Result<T, Refusal>>;

/// Makes a login session durable.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct OpenSession {
    /// The token as the client will present it.
    pub token_id: Uuid,
    /// The ticket as the client will present it.
    pub ticket: String,
    /// The hash that a password was found to belong to; `None` where none was asked for.
    pub verified: Option<String>,
    /// Told the own `contact` record when it is durable.
    pub reply: OrderReply<OwnContact>,
}

/// The caller's own record and what login answers are made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnContact {
    /// The account.
    pub account_id: AccountId,
    /// Its name.
    pub display_name: String,
    /// Its address.
    pub email: String,
    /// Whether it is in an organisation, and one of its admins.
    pub employment: (bool, bool),
    /// The complete `contact` record, own form.
    pub record: Bytes,
}

/// Ends a login session: the token is worth nothing any more, and its live connections end with 1008.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct CloseSession {
    /// The token's name.
    pub token: Uuid,
    /// Told when it is durable.
    pub reply: OrderReply<()>,
}

/// Asks for the own record (`account/sync`).
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct AskOwnContact {
    /// Told the record.
    pub reply: OrderReply<OwnContact>,
}

/// The logins of the accounts that are in memory here, so that whoever comes back soon costs the store nothing. Each account's owner keeps
/// its own: he puts in what he has, and takes it out with the login's end and when he leaves memory.
#[derive(Debug, Default)]
pub struct Logins(DashMap<Uuid, (AccountId, Uuid)>);

impl Logins {
    /// What a token of this name stands for, where it is known without the store.
    #[must_use]
    pub fn of(&self, token: Uuid) -> Option<Login> {
        self.0.get(&token).map(|held| Login { account_id: held.0, token, ticket: held.1 })
    }

    pub(super) fn put(&self, login: &Login) {
        self.0.insert(login.token, (login.account_id, login.ticket));
    }

    /// Takes one out, if it is this account's.
    pub(super) fn remove(&self, account_id: AccountId, token: Uuid) {
        self.0.remove_if(&token, |_, held| held.0 == account_id);
    }
}

/// Which account an e-mail address belongs to, or would belong to.
///
/// # Errors
/// The store cannot be read.
pub async fn account_of(node: &Arc<Node>, email: &str) -> Result<AccountId, StoreFault> {
    let holder = node.store.holder(UniqueKey::Email(email.to_owned())).await?;
    let held = holder.and_then(|value| Uuid::from_slice(&value).ok());
    Ok(AccountId(held.unwrap_or_else(|| node.derived_id("account", email.as_bytes()))))
}

/// Whose an e-mail address is, or would be: that of an alias is its owner's.
///
/// # Errors
/// The store cannot be read.
pub async fn person_of(node: &Arc<Node>, email: &str) -> Result<AccountId, StoreFault> {
    let account_id = account_of(node, email).await?;
    let owner = head_of(node, account_id).await?.and_then(|head| head.profile.alias_of);
    Ok(owner.unwrap_or(account_id))
}

/// An account's own facts, as they are stored.
async fn head_of(node: &Arc<Node>, account_id: AccountId) -> Result<Option<Head>, StoreFault> {
    let row = node.store.row(Aggregate::Account(account_id), RowKey::Head).await?;
    row.map(|row| decode(&row)).transpose()
}

/// Whether these accounts have all become aliases.
///
/// # Errors
/// The store cannot be read.
pub async fn are_aliases(node: &Arc<Node>, account_ids: &[AccountId]) -> Result<bool, StoreFault> {
    for account_id in account_ids {
        let head = head_of(node, *account_id).await?;
        if head.is_none_or(|head| head.profile.status != AccountStatus::Alias) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is needed to check a password: by e-mail address, or by Fleep address where there is no `@`.
///
/// # Errors
/// The store cannot be read.
pub async fn credentials(node: &Arc<Node>, name: &str) -> Result<Option<Credentials>, StoreFault> {
    let account_id = if name.contains('@') {
        account_of(node, name).await?
    } else {
        let holder = node.store.holder(UniqueKey::Address(name.to_owned())).await?;
        match holder.and_then(|value| Uuid::from_slice(&value).ok()) {
            Some(id) => AccountId(id),
            None => return Ok(None),
        }
    };
    let mut found = head_of(node, account_id).await?.map(|head| (account_id, head));
    // An alias logs in as its owner, when he says so as well.
    if let Some(owner) = found.as_ref().and_then(|(_, head)| head.profile.alias_of) {
        let is_listed = |head: &Head| head.aliases().iter().any(|alias| alias.account_id == account_id);
        found = head_of(node, owner).await?.filter(is_listed).map(|head| (owner, head));
    }
    Ok(found.map(|(account_id, head)| Credentials {
        account_id,
        status: head.profile.status,
        password_hash: head.password_hash,
    }))
}

/// The login that a token stands for, if it does.
///
/// # Errors
/// The store cannot be read.
pub async fn login_of(node: &Arc<Node>, token_id: Uuid) -> Result<Option<Login>, StoreFault> {
    let token = token_name(node, token_id);
    if let Some(login) = node.logins.of(token) {
        return Ok(Some(login));
    }
    let holder = node.store.holder(UniqueKey::Token(token)).await?;
    Ok(holder.and_then(|value| serde_json::from_slice(&value).ok()))
}

/// Names a token in rows and keys.
#[must_use]
pub fn token_name(node: &Node, token_id: Uuid) -> Uuid {
    node.derived_id("token", token_id.as_bytes())
}

/// Names a ticket in rows.
#[must_use]
pub fn ticket_name(node: &Node, ticket: &str) -> Uuid {
    node.derived_id("ticket", ticket.as_bytes())
}

/// Fleep addresses that nobody has, made of the names by which somebody is known: a few to choose from.
///
/// # Errors
/// The store cannot be read.
pub async fn free_addresses(node: &Arc<Node>, names: &[&str]) -> Result<Vec<String>, StoreFault> {
    /// How many are offered: enough to choose from, few to read.
    const OFFERED: usize = 3;
    /// How many numbers are tried behind a name before it counts as taken.
    const NUMBERS_MAX: u32 = 20;
    let mut free: Vec<String> = Vec::new();
    for name in names.iter().filter_map(|name| address_of(name)) {
        for number in 0..NUMBERS_MAX {
            let address = if number == 0 { name.clone() } else { format!("{name}{number}") };
            let is_taken = free.contains(&address) || !is_address(&address);
            if !is_taken && node.store.holder(UniqueKey::Address(address.clone())).await?.is_none() {
                free.push(address);
                break;
            }
        }
    }
    free.truncate(OFFERED);
    Ok(free)
}

/// How long a Fleep address is (accounts.md §3.1).
const ADDRESS_CHARS: std::ops::RangeInclusive<usize> = 6..=30;

/// Whether a text, in lower case, can be a Fleep address.
#[must_use]
pub fn is_address(text: &str) -> bool {
    ADDRESS_CHARS.contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c))
}

/// What an address could be made of, from a name: room is left for a number behind it.
fn address_of(name: &str) -> Option<String> {
    /// What stands behind a name that is too short for an address.
    const FILLER: &str = ".chat";
    let letters = name.trim().to_lowercase();
    let letters = letters.chars().map(|c| if c.is_whitespace() { '.' } else { c });
    let mut address: String =
        letters.filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(*c)).collect();
    let begin = address.find(|c: char| c.is_ascii_lowercase())?;
    address.drain(..begin);
    address.truncate(ADDRESS_CHARS.end() - 2);
    if address.len() < *ADDRESS_CHARS.start() {
        address.push_str(FILLER);
    }
    Some(address)
}

#[cfg(test)]
mod tests {
    use rill_proto::id::AccountId;
    use uuid::Uuid;

    use super::{Login, Logins, address_of, is_address};

    #[test]
    fn a_login_is_known_until_its_account_takes_it_out() {
        let (logins, token) = (Logins::default(), Uuid::from_u128(7));
        let account = |nr| AccountId(Uuid::from_u128(nr));
        let login = Login { account_id: account(1), token, ticket: Uuid::from_u128(8) };
        assert_eq!(logins.of(token), None);
        logins.put(&login);
        assert_eq!(logins.of(token), Some(login.clone()));
        logins.remove(account(2), token);
        assert_eq!(logins.of(token), Some(login), "it is none of another account's");
        logins.remove(account(1), token);
        assert_eq!(logins.of(token), None);
    }

    #[test]
    fn an_address_is_made_of_a_name() {
        for (name, address) in [("Ada Lovelace", "ada.lovelace"), ("7 up!", "up.chat"), ("Jõe", "je.chat")] {
            assert_eq!(address_of(name).as_deref(), Some(address));
            assert!(is_address(address));
        }
        assert_eq!(address_of("123"), None);
        assert!(address_of(&"a".repeat(40)).is_some_and(|address| is_address(&format!("{address}19"))));
    }
}
