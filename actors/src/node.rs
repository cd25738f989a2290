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
use rill_proto::id::{AccountId, ConversationId, OrganisationId, TeamId};
use uuid::Uuid;

use crate::account::Account;
use crate::account::board::TASKS_MAX;
use crate::account::login::Logins;
use crate::alarm::{Alarm, Alarms};
use crate::blobs::Blobs;
use crate::border::Border;
use crate::border::order::Order;
use crate::conversation::Conversation;
use crate::conversation::audience::Site;
use crate::file::fetch::Fetch;
use crate::hub::Inboxes;
use crate::metrics::Metrics;
use crate::organisation::Organisation;
use crate::outside::{Outside, Passwords};
use crate::post::Post;
use crate::presence::Presence;
use crate::store::counted::Counted;
use crate::store::{Aggregate, OutboxEntry, Stamp, Store, StoreFault};
use crate::team::Team;
use crate::watermark::{Issued, Watermark};

mod others;

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
    /// How many tasks may stand on an account's own board.
    pub tasks_max: usize,
    /// For how long files are kept in what organisations manage that want them deleted.
    pub files_kept: Duration,
    /// Anybody may register, so that those who are known by an address only are invited to.
    pub open_registration: bool,
}

/// What an account's files may take: 10 GiB, as clients have always been told.
pub const STORAGE_QUOTA_BYTES: u64 = 10 * 1024 * 1024 * 1024;

/// How long files are kept where they are deleted after a time: ninety days, a quarter in which whoever needs one has fetched it.
pub const FILES_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl Default for Settings {
    fn default() -> Self {
        // A minute: a conversation that is talked in stays, one that is not costs nothing.
        Self {
            idle: Duration::from_secs(60),
            storage_quota: STORAGE_QUOTA_BYTES,
            tasks_max: TASKS_MAX,
            files_kept: FILES_KEPT,
            open_registration: true,
        }
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
    /// Logins that are known without the store.
    pub logins: Logins,
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
            logins: Logins::default(),
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

    fn arbiter(&self) -> &ArbiterHandle {
        &self.arbiters[self.next_arbiter.fetch_add(1, Ordering::Relaxed) % self.arbiters.len()]
    }
}

/// The way to each kind of owner.
macro_rules! owners {
    ($($owner:ident($id:ty) in $map:ident: $to:ident, $here:ident;)+) => {
        impl Node {$(
            #[doc = concat!("Sends to the owner of such an aggregate, on whichever node it is: [`", stringify!($owner), "`].")]
            /// Here its actor is started when it is not there.
            ///
            /// # Errors
            /// Its mailbox is full.
            pub fn $to<M>(self: &Arc<Self>, id: $id, message: M) -> Result<(), Unreachable>
            where
                M: Message<Result = ()> + Into<Order> + Send + 'static,
                $owner: Handler<M>,
                <$owner as Actor>::Context: ToEnvelope<$owner, M>,
            {
                let here = |message| self.$here(id, message);
                match self.border() {
                    None => here(message),
                    Some(border) => border.route(Aggregate::$owner(id), message, here),
                }
            }

            /// The same where it is known to be on this node.
            pub(crate) fn $here<M>(self: &Arc<Self>, id: $id, message: M) -> Result<(), Unreachable>
            where
                M: Message<Result = ()> + Send + 'static,
                $owner: Handler<M>,
                <$owner as Actor>::Context: ToEnvelope<$owner, M>,
            {
                deliver(&self.$map, id, message, || {
                    let node = Arc::clone(self);
                    $owner::start_in_arbiter(self.arbiter(), move |ctx| {
                        ctx.set_mailbox_capacity(MAILBOX_MAX);
                        $owner::new(node, id)
                    })
                })
            }
        )+}
    };
}

owners! {
    Conversation(ConversationId) in conversations: to_conversation, conversation_here;
    Account(AccountId) in accounts: to_account, account_here;
    Organisation(OrganisationId) in organisations: to_organisation, organisation_here;
    Team(TeamId) in teams: to_team, team_here;
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
