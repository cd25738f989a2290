//! What the actors of one node share: store, stamps, hubs, presence, settings, and the directory that finds an owner.
//!
//! Not here: any state of a conversation or an account. An owner is found or started; whoever finds a retired one asks
//! again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, ArbiterHandle, Handler, Message};
use dashmap::DashMap;
use rill_proto::event::Owner as EventOwner;
use rill_proto::id::{AccountId, ConversationId, OrganisationId, RequestId, TeamId};
use uuid::Uuid;

use crate::account::Account;
use crate::account::turn_away;
use crate::alarm::{Alarm, Alarms};
use crate::blobs::Blobs;
use crate::border::Border;
use crate::border::order::{LastCall, Order};
use crate::conversation::audience::Site;
use crate::conversation::{Conversation, Token, Visit};
use crate::file::fetch::Fetch;
use crate::hub::Inboxes;
use crate::metrics::Metrics;
use crate::organisation::Organisation;
use crate::outside::{Outside, Passwords};
use crate::owner::HandOver;
use crate::post::Post;
use crate::presence::{Lane, Presence};
use crate::session::Submit;
use crate::store::counted::Counted;
use crate::store::{Aggregate, OutboxEntry, Stamp, Store, StoreFault};
use crate::team::Team;
use crate::watermark::{Issued, Watermark};

/// How many messages may wait for an owner. At 50,000 decisions a second that is some 20 ms of work; more than that in
/// front of one conversation means that its clients must slow down. Full: the event is refused with 503, safe to retry.
pub const MAILBOX_MAX: usize = 1_024;

/// How often effects are tried again whose target could not take them.
const CARRY_AGAIN: Duration = Duration::from_millis(200);

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// After how long without work an owner gives its memory back.
    pub idle: Duration,
    /// How many bytes of files an account may have.
    pub storage_quota: u64,
    /// Anybody may register, so that those who are known by an address only are invited to.
    pub open_registration: bool,
}

/// What an account's files may take: 10 GiB, as clients have always been told.
pub const STORAGE_QUOTA_BYTES: u64 = 10 * 1024 * 1024 * 1024;

impl Default for Settings {
    fn default() -> Self {
        // A minute: a conversation that is talked in stays, one that is not costs nothing.
        Self { idle: Duration::from_secs(60), storage_quota: STORAGE_QUOTA_BYTES, open_registration: true }
    }
}

/// One node.
pub struct Node {
    /// Where appends last.
    pub store: Arc<dyn Store>,
    /// Where the bytes of files lie.
    pub blobs: Arc<dyn Blobs>,
    /// Stamps.
    pub watermark: Arc<Watermark>,
    /// The hubs' inboxes.
    pub inboxes: Arc<Inboxes>,
    /// Who is online here.
    pub presence: Presence,
    /// Names that records carry.
    pub site: Site,
    /// Settings.
    pub settings: Settings,
    /// What fetches files from elsewhere.
    pub fetch: Arc<dyn Fetch>,
    /// Hashes and checks passwords.
    pub passwords: Arc<dyn Passwords>,
    /// Letters on their way out.
    pub post: Post,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    conversations: DashMap<ConversationId, Addr<Conversation>>,
    accounts: DashMap<AccountId, Addr<Account>>,
    organisations: DashMap<OrganisationId, Addr<Organisation>>,
    teams: DashMap<TeamId, Addr<Team>>,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: AtomicUsize,
    again: Mutex<Vec<OutboxEntry>>,
    alarms: Alarms,
    /// The other nodes; none where this one is alone.
    border: OnceLock<Arc<Border>>,
}

/// Why a message did not reach its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreachable {
    /// Its mailbox is full.
    #[error("the owner has too much to do")]
    Full,
}

impl Node {
    /// A node over a store, with owners spread over the given threads.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        inboxes: Arc<Inboxes>,
        site: Site,
        settings: Settings,
        outside: Outside,
        arbiters: Vec<ArbiterHandle>,
    ) -> Arc<Self> {
        assert!(!arbiters.is_empty(), "owners need a thread");
        let metrics = Arc::new(Metrics::default());
        Arc::new(Self {
            watermark: Watermark::new(store.last_stamp()),
            store: Arc::new(Counted::new(store, Arc::clone(&metrics))),
            blobs: outside.blobs,
            fetch: outside.fetch,
            inboxes,
            presence: Presence::default(),
            site,
            settings,
            passwords: outside.passwords,
            post: Post::new(outside.mail, arbiters[0].clone()),
            metrics,
            conversations: DashMap::new(),
            accounts: DashMap::new(),
            organisations: DashMap::new(),
            teams: DashMap::new(),
            arbiters,
            next_arbiter: AtomicUsize::new(0),
            again: Mutex::new(Vec::new()),
            alarms: Alarms::default(),
            border: OnceLock::new(),
        })
    }

    /// Makes this node one of several. Before the first session comes, and in place of reading the outbox: what is not
    /// settled is read whenever a view is installed.
    pub fn join(self: &Arc<Self>) -> Arc<Border> {
        let border = self.border.get_or_init(|| Border::new(self, self.store.epoch()));
        self.inboxes.open(Arc::clone(border));
        Arc::clone(border)
    }

    /// The other nodes, where there are any.
    #[must_use]
    pub fn border(&self) -> Option<&Arc<Border>> {
        self.border.get()
    }

    /// Whether sessions may come: a node of several must have joined the others.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.border().is_none_or(|border| border.is_joined())
    }

    /// How far sessions may be told to be: everything with a stamp up to this has been put into the inboxes.
    #[must_use]
    pub fn horizon(&self) -> Stamp {
        self.border().map_or_else(|| self.watermark.current(), |border| border.horizon())
    }

    /// Carries what an earlier run did not settle, and goes on carrying. Call it before the first session comes.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreFault> {
        if self.border().is_none() {
            for entry in self.store.outbox().await? {
                self.carry(entry);
            }
        }
        let node = Arc::clone(self);
        self.arbiters[0].spawn(async move {
            loop {
                tokio::time::sleep(CARRY_AGAIN).await;
                let entries = std::mem::take(&mut *node.again.lock().unwrap_or_else(PoisonError::into_inner));
                for entry in entries.into_iter().chain(node.alarms.ring(node.now_s())) {
                    node.carry(entry);
                }
                if let Some(border) = node.border() {
                    border.give_up(&node);
                }
            }
        });
        Ok(())
    }

    /// Unix time in microseconds.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// The next stamp.
    #[must_use]
    pub fn issue(&self) -> Issued {
        self.watermark.issue(self.now_us())
    }

    /// Unix time in seconds, as records carry it.
    #[must_use]
    pub fn now_s(&self) -> i64 {
        i64::try_from(self.now_us() / 1_000_000).unwrap_or(i64::MAX)
    }

    /// An id that follows from the installation's secret and a name: the same for the same name, and not to be guessed
    /// by others.
    #[must_use]
    pub fn derived_id(&self, kind: &str, name: &[u8]) -> Uuid {
        let secret = Uuid::new_v5(&Uuid::NAMESPACE_OID, &self.store.secret());
        let space = Uuid::new_v5(&secret, kind.as_bytes());
        Uuid::new_v5(&space, name)
    }

    /// Sends to a conversation, on whichever node its owner is; here its actor is started when it is not there.
    ///
    /// # Errors
    /// Its mailbox is full.
    pub fn to_conversation<M>(self: &Arc<Self>, id: ConversationId, message: M) -> Result<(), Unreachable>
    where
        M: Message<Result = ()> + Into<Order> + Send + 'static,
        Conversation: Handler<M>,
        <Conversation as Actor>::Context: ToEnvelope<Conversation, M>,
    {
        match self.border() {
            None => self.conversation_here(id, message),
            Some(border) => border
                .route(Aggregate::Conversation(id), message, |message| self.conversation_here(id, message)),
        }
    }

    /// As [`Node::to_conversation`], on this node.
    pub(crate) fn conversation_here<M>(
        self: &Arc<Self>,
        id: ConversationId,
        message: M,
    ) -> Result<(), Unreachable>
    where
        M: Message<Result = ()> + Send + 'static,
        Conversation: Handler<M>,
        <Conversation as Actor>::Context: ToEnvelope<Conversation, M>,
    {
        deliver(&self.conversations, id, message, || {
            let node = Arc::clone(self);
            Conversation::start_in_arbiter(self.arbiter(), move |ctx| {
                ctx.set_mailbox_capacity(MAILBOX_MAX);
                Conversation::new(node, id)
            })
        })
    }

    /// Sends to an account, on whichever node its owner is; here its actor is started when it is not there.
    ///
    /// # Errors
    /// Its mailbox is full.
    pub fn to_account<M>(self: &Arc<Self>, id: AccountId, message: M) -> Result<(), Unreachable>
    where
        M: Message<Result = ()> + Into<Order> + Send + 'static,
        Account: Handler<M>,
        <Account as Actor>::Context: ToEnvelope<Account, M>,
    {
        match self.border() {
            None => self.account_here(id, message),
            Some(border) => {
                border.route(Aggregate::Account(id), message, |message| self.account_here(id, message))
            }
        }
    }

    /// As [`Node::to_account`], on this node.
    pub(crate) fn account_here<M>(self: &Arc<Self>, id: AccountId, message: M) -> Result<(), Unreachable>
    where
        M: Message<Result = ()> + Send + 'static,
        Account: Handler<M>,
        <Account as Actor>::Context: ToEnvelope<Account, M>,
    {
        deliver(&self.accounts, id, message, || {
            let node = Arc::clone(self);
            Account::start_in_arbiter(self.arbiter(), move |ctx| {
                ctx.set_mailbox_capacity(MAILBOX_MAX);
                Account::new(node, id)
            })
        })
    }

    /// Sends to an organisation, on whichever node its owner is; here its actor is started when it is not there.
    ///
    /// # Errors
    /// Its mailbox is full.
    pub fn to_organisation<M>(self: &Arc<Self>, id: OrganisationId, message: M) -> Result<(), Unreachable>
    where
        M: Message<Result = ()> + Into<Order> + Send + 'static,
        Organisation: Handler<M>,
        <Organisation as Actor>::Context: ToEnvelope<Organisation, M>,
    {
        match self.border() {
            None => self.organisation_here(id, message),
            Some(border) => border
                .route(Aggregate::Organisation(id), message, |message| self.organisation_here(id, message)),
        }
    }

    /// As [`Node::to_organisation`], on this node.
    pub(crate) fn organisation_here<M>(
        self: &Arc<Self>,
        id: OrganisationId,
        message: M,
    ) -> Result<(), Unreachable>
    where
        M: Message<Result = ()> + Send + 'static,
        Organisation: Handler<M>,
        <Organisation as Actor>::Context: ToEnvelope<Organisation, M>,
    {
        deliver(&self.organisations, id, message, || {
            let node = Arc::clone(self);
            Organisation::start_in_arbiter(self.arbiter(), move |ctx| {
                ctx.set_mailbox_capacity(MAILBOX_MAX);
                Organisation::new(node, id)
            })
        })
    }

    /// Sends to a team, on whichever node its owner is; here its actor is started when it is not there.
    ///
    /// # Errors
    /// Its mailbox is full.
    pub fn to_team<M>(self: &Arc<Self>, id: TeamId, message: M) -> Result<(), Unreachable>
    where
        M: Message<Result = ()> + Into<Order> + Send + 'static,
        Team: Handler<M>,
        <Team as Actor>::Context: ToEnvelope<Team, M>,
    {
        match self.border() {
            None => self.team_here(id, message),
            Some(border) => border.route(Aggregate::Team(id), message, |message| self.team_here(id, message)),
        }
    }

    /// As [`Node::to_team`], on this node.
    pub(crate) fn team_here<M>(self: &Arc<Self>, id: TeamId, message: M) -> Result<(), Unreachable>
    where
        M: Message<Result = ()> + Send + 'static,
        Team: Handler<M>,
        <Team as Actor>::Context: ToEnvelope<Team, M>,
    {
        deliver(&self.teams, id, message, || {
            let node = Arc::clone(self);
            Team::start_in_arbiter(self.arbiter(), move |ctx| {
                ctx.set_mailbox_capacity(MAILBOX_MAX);
                Team::new(node, id)
            })
        })
    }

    /// Whether a conversation's actor is in memory (or on its way there).
    #[must_use]
    pub fn is_active(&self, id: ConversationId) -> bool {
        self.conversations.contains_key(&id)
    }

    /// How many conversations and accounts are in memory.
    #[must_use]
    pub fn active(&self) -> (usize, usize) {
        (self.conversations.len(), self.accounts.len())
    }

    /// A conversation's actor retires: whoever looks for it from now on starts another one.
    pub(crate) fn retire_conversation(&self, id: ConversationId, addr: &Addr<Conversation>) {
        self.conversations.remove_if(&id, |_, known| known == addr);
    }

    /// An account's actor retires.
    pub(crate) fn retire_account(&self, id: AccountId, addr: &Addr<Account>) {
        self.accounts.remove_if(&id, |_, known| known == addr);
    }

    /// An organisation's actor retires.
    pub(crate) fn retire_organisation(&self, id: OrganisationId, addr: &Addr<Organisation>) {
        self.organisations.remove_if(&id, |_, known| known == addr);
    }

    /// A team's actor retires.
    pub(crate) fn retire_team(&self, id: TeamId, addr: &Addr<Team>) {
        self.teams.remove_if(&id, |_, known| known == addr);
    }

    /// Carries an effect to its target; one that cannot take it now gets it a little later, and one that is an alarm when its
    /// time has come.
    pub fn carry(self: &Arc<Self>, entry: OutboxEntry) {
        match self.border() {
            None => self.carry_here(entry),
            Some(border) => {
                let carried = border.route(entry.target, crate::effect::Apply(entry), |apply| {
                    self.carry_here(apply.0);
                    Ok(())
                });
                // What goes nowhere is in the outbox, which is read again under the next view.
                debug_assert!(carried.is_ok(), "nobody refuses to carry");
            }
        }
    }

    /// As [`Node::carry`], for a target whose owner is on this node.
    pub(crate) fn carry_here(self: &Arc<Self>, entry: OutboxEntry) {
        if let Some(alarm) = Alarm::of(&entry).filter(|alarm| alarm.at > self.now_s()) {
            if let Some(replaced) = self.alarms.set(alarm, entry) {
                self.store.settle(replaced);
            }
            return;
        }
        let carried = match entry.target {
            Aggregate::Conversation(id) => self.conversation_here(id, crate::effect::Apply(entry.clone())),
            Aggregate::Account(id) => self.account_here(id, crate::effect::Apply(entry.clone())),
            Aggregate::Organisation(id) => self.organisation_here(id, crate::effect::Apply(entry.clone())),
            Aggregate::Team(id) => self.team_here(id, crate::effect::Apply(entry.clone())),
        };
        if carried.is_err() {
            self.carry_again(entry);
        }
    }

    /// An effect could not be applied: it is tried again.
    pub fn carry_again(&self, entry: OutboxEntry) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Sends an event to its owner.
    ///
    /// # Errors
    /// Its mailbox is full.
    pub fn submit(self: &Arc<Self>, submit: Submit) -> Result<(), Unreachable> {
        match self.owner_of(&submit) {
            Aggregate::Conversation(id) => self.to_conversation(id, submit),
            Aggregate::Account(id) => self.to_account(id, submit),
            Aggregate::Organisation(id) => self.to_organisation(id, submit),
            Aggregate::Team(id) => self.to_team(id, submit),
        }
    }

    /// Brings a message to its owner, on whichever node; one that cannot take it says so to whoever waits.
    pub fn dispatch(self: &Arc<Self>, aggregate: Aggregate, order: Order) {
        let here = |order: Order| {
            order.here(self, aggregate);
            Ok(())
        };
        let given: Result<(), Unreachable> = match self.border() {
            None => here(order),
            Some(border) => border.route(aggregate, order, here),
        };
        debug_assert!(given.is_ok(), "an order says itself who cannot take it");
    }

    /// Whose turn an event takes.
    pub(crate) fn owner_of(&self, submit: &Submit) -> Aggregate {
        let caller = submit.lane.account_id();
        match submit.event.owner() {
            EventOwner::Conversation(id) => Aggregate::Conversation(id),
            EventOwner::NewConversation => {
                Aggregate::Conversation(self.created_by(caller, submit.request_id))
            }
            EventOwner::Caller | EventOwner::Dialog(_) => Aggregate::Account(caller),
            EventOwner::Organisation(id) => Aggregate::Organisation(id),
            EventOwner::Team(id) => Aggregate::Team(id),
        }
    }

    /// The id of the conversation that a `conv:create` or `conv:fork` makes: the same for the same request, so that a retry finds it.
    fn created_by(&self, caller: AccountId, request_id: RequestId) -> ConversationId {
        let mut name = [0; 32];
        name[..16].copy_from_slice(caller.0.as_bytes());
        name[16..].copy_from_slice(request_id.0.as_bytes());
        ConversationId(self.derived_id("conversation", &name))
    }

    /// An account posts or reads.
    pub(crate) fn note_activity(&self, account_id: AccountId) {
        let now = self.now_s();
        self.presence.note_activity(account_id, now);
        if let Some(border) = self.border() {
            border.active(account_id, now);
        }
    }

    /// A session begins a sync: whoever becomes active later finds its lane.
    pub(crate) fn arrive(&self, lane: &Lane) {
        self.presence.arrive(lane.clone());
        if let Some(border) = self.border() {
            border.syncing(lane);
        }
    }

    /// A session has gone.
    pub(crate) fn depart(&self, lane: &Lane) {
        self.presence.depart(lane);
        if let Some(border) = self.border() {
            border.gone(lane);
        }
    }

    /// A session has been told everything in a sync but by those that are active now, which are visited last. Answers with
    /// those of this node; the others are visited by their own nodes, each of which drops the token when it has.
    pub(crate) fn go_live(self: &Arc<Self>, call: LastCall) -> Vec<(ConversationId, Stamp)> {
        // In this order: whatever becomes active from now on finds a lane that is live.
        call.lane.go_live(call.sync);
        let Some(border) = self.border() else {
            return call.wanted.into_iter().filter(|(id, _)| self.is_active(*id)).collect();
        };
        border.live(&call.lane, call.sync);
        let mut here = Vec::new();
        let mut elsewhere: std::collections::BTreeMap<_, Vec<_>> = std::collections::BTreeMap::new();
        for (id, horizon) in call.wanted {
            match border.owner_elsewhere(Aggregate::Conversation(id)) {
                Some(owner) => elsewhere.entry(owner).or_default().push((id, horizon)),
                None if self.is_active(id) => here.push((id, horizon)),
                None => {}
            }
        }
        for (owner, wanted) in elsewhere {
            let Some((first, _)) = wanted.first().copied() else { continue };
            let (lane, token) = (call.lane.clone(), Arc::clone(&call.token));
            let call = LastCall { lane, wanted, token, ..call };
            border.send_order(owner, Aggregate::Conversation(first), Order::LastCall(call));
        }
        here
    }

    /// The last visits of a sync, which another node asks for.
    pub(crate) fn last_call(self: &Arc<Self>, call: LastCall) {
        for (id, horizon) in call.wanted.into_iter().filter(|(id, _)| self.is_active(*id)) {
            let visit = Visit {
                lane: call.lane.clone(),
                sync: call.sync,
                horizon,
                skip_hidden: call.skip_hidden,
                unless_greeted: false,
                unless_subscribed: true,
                token: Arc::clone(&call.token),
            };
            if self.conversation_here(id, visit).is_err() {
                turn_away(self, call.lane.clone());
            }
        }
    }

    /// Sends those owners away whose aggregates are another node's. The token is dropped when all that they decided has left.
    pub(crate) fn hand_over(&self, is_others: &dyn Fn(Aggregate) -> bool, token: &Token) {
        hand_over(&self.conversations, |id| is_others(Aggregate::Conversation(id)), token);
        hand_over(&self.accounts, |id| is_others(Aggregate::Account(id)), token);
        hand_over(&self.organisations, |id| is_others(Aggregate::Organisation(id)), token);
        hand_over(&self.teams, |id| is_others(Aggregate::Team(id)), token);
    }

    /// Carries everything that is not settled and concerns an owner of this node.
    pub(crate) fn read_outbox(self: &Arc<Self>) {
        self.alarms.forget();
        self.again.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let node = Arc::clone(self);
        self.arbiters[0].spawn(async move {
            let is_ours =
                |entry: &OutboxEntry| node.border().is_none_or(|border| !border.is_elsewhere(entry.target));
            loop {
                match node.store.outbox().await {
                    Ok(entries) => {
                        return entries.into_iter().filter(is_ours).for_each(|entry| node.carry(entry));
                    }
                    Err(fault) => tracing::error!(%fault, "the outbox cannot be read; it is tried again"),
                }
                tokio::time::sleep(CARRY_AGAIN).await;
            }
        });
    }

    fn arbiter(&self) -> &ArbiterHandle {
        &self.arbiters[self.next_arbiter.fetch_add(1, Ordering::Relaxed) % self.arbiters.len()]
    }
}

fn hand_over<K, A>(owners: &DashMap<K, Addr<A>>, is_others: impl Fn(K) -> bool, token: &Token)
where
    K: std::hash::Hash + Eq + Copy,
    A: Actor + Handler<HandOver>,
    A::Context: ToEnvelope<A, HandOver>,
{
    // No guard of the map is held while sending.
    let leaving = owners.iter().filter(|owner| is_others(*owner.key())).map(|owner| owner.value().clone());
    for owner in leaving.collect::<Vec<_>>() {
        #[expect(clippy::disallowed_methods, reason = "bounded: one for each owner that leaves")]
        owner.do_send(HandOver(Arc::clone(token)));
    }
}

/// Finds or starts the owner and puts the message into its mailbox. No guard of the map is held while sending.
fn deliver<K, A, M>(
    owners: &DashMap<K, Addr<A>>,
    id: K,
    message: M,
    start: impl Fn() -> Addr<A>,
) -> Result<(), Unreachable>
where
    K: std::hash::Hash + Eq + Copy,
    A: Actor + Handler<M>,
    M: Message<Result = ()> + Send + 'static,
    A::Context: ToEnvelope<A, M>,
{
    let mut message = message;
    loop {
        let known = owners.get(&id).map(|addr| addr.clone());
        let addr = known.unwrap_or_else(|| owners.entry(id).or_insert_with(&start).clone());
        match addr.try_send(message) {
            Ok(()) => return Ok(()),
            Err(actix::prelude::SendError::Full(_)) => return Err(Unreachable::Full),
            Err(actix::prelude::SendError::Closed(back)) => {
                owners.remove_if(&id, |_, known| *known == addr);
                message = back;
            }
        }
    }
}
