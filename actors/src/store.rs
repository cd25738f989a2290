//! What a store promises, whichever engine stands behind it.
//!
//! Owned here: the shape of an append, of rows and of their keys, and the errors. Deliberately not here: any engine
//! (`embedded`, `postgres`), and what the bytes of a row mean (its owner's business).
//!
//! One aggregate (a conversation, an account, …) has a version and rows. An [`Append`] changes rows of exactly one
//! aggregate, atomically and durably: when its callback says `Ok`, no crash loses it. Nothing spans two aggregates.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId, LabelId, MessageId, OrganisationId, TeamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod claims;
#[cfg(test)]
pub(crate) mod contract;
pub(crate) mod counted;
pub mod embedded;
mod keys;
pub mod postgres;
mod thread;

/// Microseconds of the hybrid logical clock, strictly rising per node; fits in 53 bits.
pub type Stamp = u64;

/// Counts the openings of a store: each has a higher one than all before it.
pub type Epoch = u64;

/// What a store call answers with once the engine is done.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreFault>> + Send>>;

/// What happens when an append is durable, or refused. Called exactly once, from the store's own thread: it must be
/// short and must not block.
pub type Appended = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// The largest number of rows that one [`Store::slots`] call answers with; a caller that wants more asks again.
pub const RANGE_ROWS_MAX: usize = 10_000;

/// For how long a `client_req_id` is remembered: 24 h (websocket.md, promise 5), in microseconds of stamps.
pub const REQUEST_MEMORY_US: u64 = 24 * 60 * 60 * 1_000_000;

/// The owner of rows. Its id leads every key, so that tables can be distributed by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Aggregate {
    /// A conversation: head, members, messages, sections.
    Conversation(ConversationId),
    /// An account: profile, tokens, contacts, memberships.
    Account(AccountId),
    /// An organisation: head, members, what it manages, its changelog.
    Organisation(OrganisationId),
    /// A team: head, members, conversations.
    Team(TeamId),
}

/// Which row of an aggregate. Within a kind, rows are ordered by their number or id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum RowKey {
    /// The aggregate's own facts; there is one.
    Head,
    /// A member of a conversation, of a team or of an organisation.
    Member(AccountId),
    /// A run of consecutive inbox messages, by its first inbox number.
    Run(u64),
    /// A section of a board.
    Section(Uuid),
    /// A slot of a conversation's flow: a message, or a pointer to the message that it revised. An entry of an organisation's
    /// changelog, by the version that it made.
    Slot(u64),
    /// A login session of an account, by the hash of its token.
    Token(Uuid),
    /// A contact of an account.
    Contact(AccountId),
    /// A conversation that an account can see, that a team is in, or that an organisation manages.
    Membership(ConversationId),
    /// A task on an account's own board, or a canned response: where it stands.
    Task(MessageId),
    /// What a private task or a canned response says. As slots, it is read when it is wanted and not with its aggregate.
    Text(MessageId),
    /// Another account that has this one in its contact list.
    Watcher(AccountId),
    /// Something that was mailed and waits for its answer, by the name of its secret.
    Notice(Uuid),
    /// Where a message of a conversation stands on the conversation's boards.
    Place(u64),
    /// What a message of a conversation has of files.
    Filed(u64),
    /// A file that an account has brought here.
    Upload(Uuid),
    /// How much an account's files take in a conversation.
    Stored(ConversationId),
    /// A label that an account made, or what it set of one that every account has.
    Label(LabelId),
    /// An organisation that an account is in, or was asked into.
    Employment(OrganisationId),
    /// A team that an account is in, or that an organisation manages.
    Team(TeamId),
}

impl RowKey {
    /// Whether the row is read with its aggregate. Slots and texts are read when they are wanted.
    #[must_use]
    pub fn is_loaded(self) -> bool {
        match self {
            Self::Slot(_) | Self::Text(_) => false,
            Self::Head
            | Self::Member(_)
            | Self::Run(_)
            | Self::Section(_)
            | Self::Token(_)
            | Self::Contact(_)
            | Self::Membership(_)
            | Self::Task(_)
            | Self::Watcher(_)
            | Self::Notice(_)
            | Self::Place(_)
            | Self::Filed(_)
            | Self::Upload(_)
            | Self::Stored(_)
            | Self::Label(_)
            | Self::Employment(_)
            | Self::Team(_) => true,
        }
    }
}

/// A key that at most one row in the whole store may hold.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum UniqueKey {
    /// `client_req_id` of an account; forgotten after [`REQUEST_MEMORY_US`]. The value is the outcome.
    Request(AccountId, Uuid),
    /// An e-mail address in lower case. The value is the account's id (16 bytes).
    Email(String),
    /// A Fleep address in lower case. The value is the account's id (16 bytes).
    Address(String),
    /// A login token, by its hash. The value is what the owning account put there.
    Token(Uuid),
    /// A device that is pushed to, by the name of its token. The value is what the owning account put there.
    Device(Uuid),
}

/// A consequence for another aggregate, carried to it at least once and applied there once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Unique: the aggregate that caused it, the version that it caused it with, its place in that append.
    pub id: EffectId,
    /// Whom it concerns.
    pub target: Aggregate,
    /// What it says, as the target's owner reads it.
    pub payload: Bytes,
}

/// Identifies an outbox entry for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct EffectId {
    /// The aggregate whose append carried the entry.
    pub source: Aggregate,
    /// The version that the append gave to its aggregate.
    pub version: u64,
    /// Its place among the entries of that append.
    pub index: u16,
}

/// The one way in which anything changes: rows of one aggregate, atomically.
#[derive(Clone, Debug)]
pub struct Append {
    /// Whose rows.
    pub aggregate: Aggregate,
    /// The version that the aggregate must have now (0: it must not exist). It becomes one more. Appends may be handed over
    /// before the ones that they build on are durable.
    pub expected_version: u64,
    /// The stamp of this change.
    pub stamp: Stamp,
    /// Rows to insert or replace.
    pub put: Vec<(RowKey, Bytes)>,
    /// Rows to remove; removing what is not there is no error. A row that is both removed and put is put.
    pub remove: Vec<RowKey>,
    /// Keys to claim, after the ones of `release` are free. Any that is held with another value refuses the whole append;
    /// so does a [`UniqueKey::Request`] that is remembered, whatever its value: it is a repetition.
    pub claim: Vec<(UniqueKey, Bytes)>,
    /// Keys to let go; letting go what nobody holds is no error.
    pub release: Vec<UniqueKey>,
    /// Consequences for other aggregates: target and payload; the store gives them their ids.
    pub outbox: Vec<(Aggregate, Bytes)>,
}

/// An aggregate as it stands: its version and all of its rows but slots and texts (they are read by [`Store::slots`] and
/// [`Store::row`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loaded {
    /// The number of appends that it has seen.
    pub version: u64,
    /// Rows in key order.
    pub rows: Vec<(RowKey, Bytes)>,
}

/// In which order [`Store::slots`] reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the lower bound upwards.
    Ascending,
    /// From the upper bound downwards.
    Descending,
}

/// Why an append had no effect.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// The aggregate is not at the version that the append expected: somebody else owns it, or the memory is stale.
    #[error("the aggregate is at version {found}, not at {expected}")]
    Moved {
        /// What the append expected.
        expected: u64,
        /// What the store holds.
        found: u64,
    },
    /// A key is held already.
    #[error("{key:?} is held already")]
    Claimed {
        /// The key.
        key: UniqueKey,
        /// What its holder put there.
        value: Bytes,
    },
    /// The epoch of the opening that took the append is over: another node has taken over.
    #[error("epoch {epoch} of the store is over")]
    Fenced {
        /// The epoch.
        epoch: Epoch,
    },
    /// The engine failed; whether the append is durable shows only when its aggregate is loaded again.
    #[error(transparent)]
    Fault(#[from] StoreFault),
}

/// The environment failed the store: disk full, I/O error, connection lost.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("store: {0}")]
pub struct StoreFault(pub String);

/// A place where appends last. Every method may be called from any thread.
pub trait Store: Send + Sync + 'static {
    /// Makes one change durable. Appends of the same aggregate take effect in the order of the calls; `done` is called
    /// in that order as well. The queue in front of the writer is bounded by its callers: an owner keeps at most a
    /// named number of its own appends under way.
    ///
    /// A refused append (moved, claimed) leaves its neighbours alone, but those of the same aggregate that build on it are
    /// refused as moved. Behind a fault, appends that were handed over before it was told and build on it have no effect
    /// either, and a store whose state is unknown answers with faults until it is opened again.
    ///
    /// An append that is handed over after the epoch of this opening has ended is refused as fenced.
    fn append(&self, append: Append, done: Appended);

    /// Reads an aggregate at one moment; `None` when it does not exist.
    ///
    /// Reads see every append whose `done` was called, and none that is not durable. A local engine may read on the
    /// calling thread and block it for the length of a disk read; the future is then ready at once.
    fn load(&self, aggregate: Aggregate) -> StoreFuture<Option<Loaded>>;

    /// Reads one row.
    fn row(&self, aggregate: Aggregate, key: RowKey) -> StoreFuture<Option<Bytes>>;

    /// Reads slots `from..=to`, at most `limit` (and at most [`RANGE_ROWS_MAX`]) of them, in the given order.
    fn slots(
        &self,
        conversation: ConversationId,
        from: u64,
        to: u64,
        limit: usize,
        direction: Direction,
    ) -> StoreFuture<Vec<(u64, Bytes)>>;

    /// Who holds a unique key. A request older than [`REQUEST_MEMORY_US`] may or may not be found.
    fn holder(&self, key: UniqueKey) -> StoreFuture<Option<Bytes>>;

    /// All outbox entries that nobody has settled, oldest first per source.
    fn outbox(&self) -> StoreFuture<Vec<OutboxEntry>>;

    /// Forgets an outbox entry: its effect is durable at its target. Forgetting twice is no error. A crash right after may
    /// bring it back.
    fn settle(&self, effect: EffectId);

    /// The highest stamp that any append had: those of this opening, all that were there when it was opened, and those of
    /// the openings that it has ended.
    fn last_stamp(&self) -> Stamp;

    /// The epoch of this opening.
    fn epoch(&self) -> Epoch;

    /// The epochs of all openings that have not ended: who may write. This opening's own is among them until it ends.
    fn open_epochs(&self) -> StoreFuture<Vec<Epoch>>;

    /// Ends the epoch of an opening, this one or another. When it answers, appends of that epoch have taken effect or never
    /// will. Ending what has ended is no error.
    fn fence(&self, epoch: Epoch) -> StoreFuture<()>;

    /// Random bytes made once when the store was created, and never changed: the installation's secret.
    fn secret(&self) -> [u8; 32];
}
