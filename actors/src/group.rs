//! What organisations and teams have in common: people are in them, each is one aggregate with its own rules, and everybody
//! who may know of a change is told of it.
//!
//! Here are what a group's rules are asked and what they answer; `owner` is the actor, which is the same for both. Not here:
//! the rules ([`crate::organisation`], [`crate::team`]).

use std::collections::HashMap;
use std::fmt::Debug;

use actix::Message;
use bytes::Bytes;
use rill_proto::event::ClientEvent;
use rill_proto::id::{AccountId, ConversationId, OrganisationId, RequestId, TeamId};
use rill_proto::refusal::Refusal;
use serde_json::Value;
use uuid::Uuid;

use crate::account::login::OrderReply;
use crate::account::profile::Profile;
use crate::conversation::Token;
use crate::effect::Effect;
use crate::node::Node;
use crate::organisation::sight::Sight as OrganisationSight;
use crate::outcomes::Outcome;
use crate::presence::Lane;
use crate::store::{Aggregate, Loaded, RowKey, Stamp, StoreFault};
use crate::team::sight::Sight as TeamSight;
use serde::{Deserialize, Serialize};

mod facts;
mod owner;
#[cfg(test)]
pub(crate) mod replay;

pub use owner::Office;

/// Why a rule did not come to a decision.
pub type Stop = crate::judged::Stop<Need>;

/// What a rule answers with.
pub type Judged<T> = crate::judged::Judged<T, Need>;

/// A fact that is not in the group's own state.
#[derive(Clone, PartialEq, Debug)]
pub enum Need {
    /// What everybody may know of some accounts.
    Profiles(Vec<AccountId>),
    /// What an organisation is.
    Organisation(OrganisationId),
    /// What a team is.
    Team(TeamId),
    /// Whether an account is a present member of a conversation.
    Presence(AccountId, ConversationId),
    /// Rows of the group itself that are not in memory.
    Rows(Vec<RowKey>),
    /// What came of an earlier request with the same `client_req_id`.
    Outcome,
}

/// What is given to a rule besides the state, fetched or not.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Unix seconds.
    pub now: i64,
    /// The stamp that this change will carry.
    pub stamp: Stamp,
    /// The id of what it makes, if it makes something.
    pub fresh: Uuid,
    /// For how many seconds files are kept where they are not kept for good.
    pub files_kept_s: i64,
    /// Profiles that were fetched; `None` when there is no such account.
    pub profiles: HashMap<AccountId, Option<Profile>>,
    /// Organisations that were fetched; `None` when there is none.
    pub organisations: HashMap<OrganisationId, Option<OrganisationSight>>,
    /// Teams that were fetched; `None` when there is none.
    pub teams: HashMap<TeamId, Option<TeamSight>>,
    /// Who was looked for in which conversation, and whether he is in it.
    pub presences: HashMap<(AccountId, ConversationId), bool>,
    /// Rows that were read.
    pub rows: HashMap<RowKey, Option<Bytes>>,
    /// The first outcome of the same `client_req_id`, once it was looked up.
    pub outcome: Option<Option<Outcome>>,
}

impl Facts {
    /// The profiles of all of these.
    ///
    /// # Errors
    /// Those that must be fetched; 430 naming `Account` for one that does not exist.
    pub fn have_profiles<'a>(&'a self, wanted: &[AccountId]) -> Judged<Vec<(AccountId, &'a Profile)>> {
        let missing: Vec<AccountId> =
            wanted.iter().copied().filter(|id| !self.profiles.contains_key(id)).collect();
        if !missing.is_empty() {
            return Err(Stop::Needs(Need::Profiles(missing)));
        }
        let found = wanted.iter().map(|id| {
            let profile = self.profiles.get(id).and_then(Option::as_ref);
            profile.map(|profile| (*id, profile)).ok_or_else(|| Refusal::not_found("Account").into())
        });
        found.collect()
    }

    /// What somebody's profile says; `None` when there is no such account.
    ///
    /// # Errors
    /// That it must be fetched.
    pub fn profile(&self, account_id: AccountId) -> Judged<Option<&Profile>> {
        let known = self.profiles.get(&account_id).map(Option::as_ref);
        known.ok_or_else(|| Stop::Needs(Need::Profiles(vec![account_id])))
    }

    /// What an organisation is; `None` when there is none.
    ///
    /// # Errors
    /// That it must be fetched.
    pub fn organisation(&self, id: OrganisationId) -> Judged<Option<&OrganisationSight>> {
        self.organisations.get(&id).map(Option::as_ref).ok_or(Stop::Needs(Need::Organisation(id)))
    }

    /// Whether somebody is a present member of a conversation.
    ///
    /// # Errors
    /// That it must be looked up.
    pub fn is_in(&self, account_id: AccountId, id: ConversationId) -> Judged<bool> {
        self.presences.get(&(account_id, id)).copied().ok_or(Stop::Needs(Need::Presence(account_id, id)))
    }

    /// What a team is; `None` when there is none.
    ///
    /// # Errors
    /// That it must be fetched.
    pub fn team(&self, id: TeamId) -> Judged<Option<&TeamSight>> {
        self.teams.get(&id).map(Option::as_ref).ok_or(Stop::Needs(Need::Team(id)))
    }
}

/// What a rule decided.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision<G: Group> {
    /// New row values; empty when nothing durable changes.
    pub changes: Vec<G::Change>,
    /// Consequences for others.
    pub effects: Vec<(Aggregate, Effect)>,
    /// `identifier` of the request record.
    pub identifier: Value,
    /// What whoever asked is answered with, in order.
    pub answer: Vec<G::News>,
    /// What everybody who may know is told, in order.
    pub news: Vec<G::News>,
}

impl<G: Group> Default for Decision<G> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            effects: Vec::new(),
            identifier: Value::Null,
            answer: Vec::new(),
            news: Vec::new(),
        }
    }
}

impl<G: Group> Decision<G> {
    /// Whether there is anything to make durable.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        !(self.changes.is_empty() && self.effects.is_empty())
    }
}

/// A group as its owner holds it: the rows, and the rules over them. All of it is pure.
pub trait Group: Clone + PartialEq + Debug + Unpin + 'static {
    /// Its id.
    type Id: Copy + Debug + Unpin + 'static;
    /// One new row value, or a row that goes.
    type Change: Clone + PartialEq + Debug;
    /// What only HTTP calls can ask for.
    type Order: Clone + Debug + Send + Unpin + 'static;
    /// Something to tell.
    type News: Clone + PartialEq + Debug;

    /// One that does not exist yet.
    fn new(id: Self::Id) -> Self;

    /// Whose rows they are.
    fn aggregate(id: Self::Id) -> Aggregate;

    /// It does not exist.
    fn is_nothing(&self) -> bool;

    /// Puts one change in.
    fn fold(&mut self, change: &Self::Change);

    /// The rows that changes write, and those that they remove.
    fn rows(changes: &[Self::Change]) -> (Vec<(RowKey, Bytes)>, Vec<RowKey>);

    /// From its rows.
    ///
    /// # Errors
    /// A row cannot be read.
    fn load(id: Self::Id, loaded: &Loaded) -> Result<Self, StoreFault>;

    /// Decides an event.
    ///
    /// # Errors
    /// What the request record says, or what must be fetched first.
    fn decide(&self, caller: AccountId, event: &ClientEvent, facts: &Facts) -> Judged<Decision<Self>>;

    /// Decides what an HTTP call asks for.
    ///
    /// # Errors
    /// What the call is refused with, or what must be fetched first.
    fn order(&self, caller: AccountId, order: &Self::Order, facts: &Facts) -> Judged<Decision<Self>>;

    /// What another owner's effect means here.
    ///
    /// # Errors
    /// What must be fetched first; a refusal says that it means nothing.
    fn apply(&self, effect: &Effect, facts: &Facts) -> Judged<Decision<Self>>;

    /// What a request is answered with that was carried out before.
    fn repeat(&self, outcome: &Outcome) -> Decision<Self>;

    /// Whether an event may change something, so that it must not do so twice.
    fn is_remembered(event: &ClientEvent) -> bool;

    /// Who may know of it.
    fn audience(&self, news: &Self::News) -> Vec<AccountId>;

    /// The record that somebody is told it by; `None` when it is not for him.
    fn record(&self, viewer: AccountId, news: &Self::News, site: &str) -> Option<Bytes>;

    /// What somebody who was told everything up to a horizon has to be told.
    fn since(&self, viewer: AccountId, horizon: Stamp) -> Vec<Self::News>;

    /// Gives the owner to the node's directory again.
    fn retire(node: &Node, id: Self::Id, addr: &actix::Addr<Office<Self>>);

    /// An HTTP call as it crosses to another node.
    fn crossing(order: Order<Self::Order>) -> crate::border::order::Order;
}

/// An HTTP call on a group.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Order<T> {
    /// Who asks.
    pub caller: AccountId,
    /// Makes a retry safe, where the call has one.
    pub request_id: Option<RequestId>,
    /// What is asked for.
    pub what: T,
    /// Told the records that it comes to.
    pub reply: OrderReply<Vec<Bytes>>,
}

/// Brings sessions of somebody up to date with a group that he may know of.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Visit {
    /// His sessions.
    pub lanes: Vec<Lane>,
    /// Everything up to here they have applied; 0 for nothing.
    pub horizon: Stamp,
    /// Dropped when the records have been put in.
    #[serde(with = "crate::border::crossing::token")]
    pub token: Token,
}
