//! The accounts that a load is carried by: made once, kept in a file, used again.
//!
//! Not here: their connections ([`crate::engine`]).

use crate::failure::Failure;
use crate::record;
use crate::user::{User, http_post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use uuid::Uuid;

/// How the accounts come to be.
#[derive(Debug, Clone)]
pub enum Registration {
    /// By `account/register`, which the server must allow.
    Open,
    /// By `sys/account/register`.
    Provisioned {
        /// The value of the `Authorization` header ([`crate::user::basic_auth`]).
        basic: String,
    },
    /// Not at all: the target lets everybody in (the bare server).
    None,
}

/// One logged-in account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// The account.
    pub account_id: Uuid,
    /// The value of the cookie `token_id`.
    pub token_id: String,
    /// The ticket that belongs to the token.
    pub ticket: String,
}

/// How accounts are made.
#[derive(Debug, Clone)]
pub struct Recruiting {
    /// The server, as `http://HOST:PORT`.
    pub base_url: String,
    /// What the accounts' addresses begin with; an earlier run's prefix uses its accounts again.
    pub prefix: String,
    /// The password of every account.
    pub password: String,
    /// By which call.
    pub registration: Registration,
    /// Threads that register. Few: each password costs the server tens of milliseconds of hashing.
    pub threads: usize,
}

/// Makes accounts from number `from` on, or logs them in when they are there. `progress` is told how many are ready.
pub fn recruit(
    how: &Recruiting,
    numbers: std::ops::Range<usize>,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Account>, Failure> {
    let next = AtomicUsize::new(numbers.start);
    let (done, ready) = mpsc::channel();
    let mut accounts: Vec<Option<Account>> = numbers.clone().map(|_| None).collect();
    std::thread::scope(|scope| {
        for _ in 0..how.threads {
            let (next, done, end) = (&next, done.clone(), numbers.end);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    // The receiver is gone after the first failure: the others stop then.
                    if number >= end || done.send((number, enlist(how, number))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        for (count, (number, account)) in ready.into_iter().enumerate() {
            accounts[number - numbers.start] = Some(account?);
            progress(count + 1);
        }
        Ok::<(), Failure>(())
    })?;
    Ok(accounts.into_iter().flatten().collect())
}

fn enlist(how: &Recruiting, number: usize) -> Result<Account, Failure> {
    let (url, password) = (&how.base_url, &how.password);
    let email = format!("{}-{number}@load.example.com", how.prefix);
    let name = format!("Load {number}");
    let known = match &how.registration {
        Registration::None => {
            let [account_id, token] = [Uuid::new_v4(), Uuid::new_v4()];
            return Ok(Account { account_id, token_id: account_id.to_string(), ticket: token.to_string() });
        }
        Registration::Open => register(url, &email, password, &name),
        Registration::Provisioned { basic } => {
            User::provision(url, basic, &email, password, &name).and_then(account)
        }
    };
    match known {
        // 43x is the family of "cannot be": the address is taken by an earlier run's account.
        Err(Failure::Http { status: 430..=439, .. }) => User::login(url, &email, password).and_then(account),
        other => other,
    }
}

/// Registers. The call itself logs in, which spares a second hash of the password.
fn register(url: &str, email: &str, password: &str, name: &str) -> Result<Account, Failure> {
    let path = "/api/account/register";
    let body = json!({"email": email, "password": password, "display_name": name});
    let answer = http_post(url, path, &[], &body)?.ok(path)?;
    let (Some(token_id), Some(known)) = (answer.cookie("token_id"), answer.json.as_object()) else {
        return User::login(url, email, password).and_then(account);
    };
    let account_id = Uuid::try_parse(record::text(known, "account_id"));
    let account_id = account_id.map_err(|_| Failure::Broken(format!("{path}: {}", answer.body)))?;
    Ok(Account {
        account_id,
        token_id: token_id.to_owned(),
        ticket: record::text(known, "ticket").to_owned(),
    })
}

fn account(user: User) -> Result<Account, Failure> {
    let account_id = Uuid::try_parse(&user.account_id)
        .map_err(|_| Failure::Broken(format!("account id {}", user.account_id)))?;
    Ok(Account { account_id, token_id: user.token_id, ticket: user.ticket })
}

/// Keeps accounts in a file, so that a later run need not make them.
pub fn save(path: &Path, accounts: &[Account]) -> Result<(), Failure> {
    let bytes = serde_json::to_vec(accounts).map_err(|error| Failure::Io(error.to_string()))?;
    Ok(std::fs::write(path, bytes)?)
}

/// Reads what [`save`] kept.
pub fn load(path: &Path) -> Result<Vec<Account>, Failure> {
    let bytes = std::fs::read(path)?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::Io(format!("{}: {error}", path.display())))
}
