//! What every owner has in common: one thing at a time, a bounded backlog behind the appends under way, loading afresh
//! when an append fails, and leaving memory when nobody needs it.
//!
//! Not here: what the work is, and what becomes of work that cannot be done (each owner says).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};

use crate::conversation::Token;
use crate::journal::{Departure, Fate, Journal, Reply, Rows};
use crate::node::Node;
use crate::store::Aggregate;

/// How much may wait for appends under way: as much as a mailbox holds twice. Full: it fails, safe to retry.
const BACKLOG_MAX: usize = 2_048;

/// How long an owner stays that has found nothing under its id: a client may make thousands of ids up in a second.
const NOTHING_IDLE: Duration = Duration::from_secs(1);

/// How long a retired owner stays to pass on what reaches it by an address that somebody had looked up just before.
const RETIREMENT: Duration = Duration::from_secs(1);

/// An owner's place of work.
pub(crate) struct Desk<W> {
    pub(crate) node: Arc<Node>,
    pub(crate) journal: Journal,
    aggregate: Aggregate,
    /// Rises when the memory is thrown away: what comes back for an earlier one is ignored.
    generation: u32,
    /// Appends of this generation that have become durable since the owner last looked.
    durable: Arc<AtomicUsize>,
    backlog: VecDeque<W>,
    /// The first of the backlog needs rows that may not be in the store yet: nothing goes before it.
    waits_for_appends: bool,
    last_used: Instant,
    retired: bool,
}

/// The store has finished an append, or several since the owner last looked: a batch of the store's leaves in one go, and the
/// hubs are woken once for it.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub(crate) struct Appended {
    generation: u32,
    fate: Fate,
}

/// The aggregate is about to be another node's. The token is dropped when everything that was decided here has left.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(crate) struct HandOver(pub(crate) Token);

impl<W> Desk<W> {
    pub(crate) fn new(node: Arc<Node>, aggregate: Aggregate) -> Self {
        let journal = Journal::new(Arc::clone(&node), aggregate, 0);
        Self {
            node,
            journal,
            aggregate,
            generation: 0,
            durable: Arc::default(),
            backlog: VecDeque::new(),
            waits_for_appends: false,
            last_used: Instant::now(),
            retired: false,
        }
    }

    /// The rows were read, at this version.
    pub(crate) fn loaded(&mut self, version: u64) {
        self.node.metrics.activations.add(1);
        self.journal = Journal::new(Arc::clone(&self.node), self.aggregate, version);
    }

    /// Puts work back until everything that was decided is in the store: until then the rows there are older than the
    /// memory.
    pub(crate) fn wait_for_appends(&mut self, work: W) {
        self.waits_for_appends = true;
        self.backlog.push_front(work);
    }

    fn may_begin(&self) -> bool {
        !self.waits_for_appends && self.journal.has_room()
    }
}

/// An actor that owns one aggregate.
pub(crate) trait Owner: Actor<Context = Context<Self>> + Handler<Appended> {
    /// One thing to do.
    type Work;

    /// Its place of work.
    fn desk(&mut self) -> &mut Desk<Self::Work>;

    /// Reads the rows; until that is done the mailbox rests. Ends with [`Owner::work_off`].
    fn load(&mut self, ctx: &mut Context<Self>);

    /// Does one thing.
    fn begin(&mut self, work: Self::Work, ctx: &mut Context<Self>);

    /// It cannot be done now; it may be tried again.
    fn fail(&self, work: Self::Work);

    /// This owner retires; another one has, or will have, the aggregate.
    fn pass_on(&self, work: Self::Work);

    /// Nothing in memory would be missed.
    fn is_quiet(&mut self) -> bool;

    /// There is nothing under its id, as far as it knows.
    fn is_nothing(&self) -> bool;

    /// Gives the memory back.
    fn forget(&mut self);

    /// Takes its address out of the directory.
    fn leave_directory(&self, ctx: &Context<Self>);

    /// Something to do came in.
    fn take(&mut self, work: Self::Work, ctx: &mut Context<Self>) {
        let desk = self.desk();
        desk.last_used = Instant::now();
        if desk.retired {
            self.pass_on(work);
        } else if desk.may_begin() && desk.backlog.is_empty() {
            self.begin(work, ctx);
        } else if desk.backlog.len() < BACKLOG_MAX {
            desk.backlog.push_back(work);
        } else {
            self.fail(work);
        }
    }

    /// Does what waits, as far as there is room.
    fn work_off(&mut self, ctx: &mut Context<Self>) {
        while self.desk().may_begin() {
            let Some(work) = self.desk().backlog.pop_front() else { return };
            self.begin(work, ctx);
        }
    }

    /// Begins an append of rows that are in memory already.
    fn append(&mut self, rows: Rows, departure: Departure, ctx: &mut Context<Self>)
    where
        Context<Self>: AsyncContext<Self> + ToEnvelope<Self, Appended>,
    {
        let addr = ctx.address();
        let desk = self.desk();
        let (generation, durable) = (desk.generation, Arc::clone(&desk.durable));
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded: at most APPENDS_UNDER_WAY_MAX are under way"
        )]
        desk.journal.append(rows, departure, move |fate| {
            if fate != Fate::Durable || durable.fetch_add(1, Ordering::AcqRel) == 0 {
                addr.do_send(Appended { generation, fate });
            }
        });
    }

    /// The store has finished appends: what is durable leaves. When one failed, the memory is thrown away and read
    /// afresh; what waited is answered with a fault that is safe to retry. What took effect all the same was told to nobody: everybody
    /// catches up.
    fn appended(&mut self, appended: Appended, ctx: &mut Context<Self>) {
        let desk = self.desk();
        if appended.generation != desk.generation {
            return;
        }
        if appended.fate == Fate::Durable {
            let durable = desk.durable.swap(0, Ordering::AcqRel);
            desk.node.metrics.appends.add(durable as u64);
            desk.journal.appended(durable);
            desk.waits_for_appends &= !desk.journal.is_idle();
            self.work_off(ctx);
        } else {
            desk.generation += 1;
            desk.durable = Arc::default();
            desk.waits_for_appends = false;
            let fresh = Journal::new(Arc::clone(&desk.node), desk.aggregate, 0);
            let stamps = std::mem::replace(&mut desk.journal, fresh).failed();
            if appended.fate == Fate::Doubtful && desk.node.doubt(stamps) {
                self.depart(ctx);
                self.stop_when_idle(ctx);
                return;
            }
            self.forget();
            self.load(ctx);
        }
    }

    /// How long it stays without work.
    fn idle(&mut self) -> Duration {
        let idle = self.desk().node.settings.idle;
        if self.is_nothing() { idle.min(NOTHING_IDLE) } else { idle }
    }

    /// Looks after a while whether it may leave memory.
    fn watch_idle(&mut self, ctx: &mut Context<Self>) {
        let idle = self.idle();
        let desk = self.desk();
        let wait = idle.saturating_sub(desk.last_used.elapsed()).max(idle / 4);
        ctx.run_later(wait, |owner, ctx| {
            let (quiet, idle) = (owner.is_quiet(), owner.idle());
            let desk = owner.desk();
            let rested = desk.last_used.elapsed() >= idle;
            if rested && quiet && desk.journal.is_idle() && desk.backlog.is_empty() {
                desk.node.metrics.passivations.add(1);
                owner.retire(ctx);
            } else {
                owner.watch_idle(ctx);
            }
        });
    }

    /// Leaves: whoever looks for the aggregate from now on starts another owner.
    fn retire(&mut self, ctx: &mut Context<Self>) {
        self.leave_directory(ctx);
        let desk = self.desk();
        desk.retired = true;
        for work in std::mem::take(&mut desk.backlog) {
            self.fail(work);
        }
        self.forget();
        self.stop_when_idle(ctx);
    }

    /// Leaves to another node: what was decided leaves first, and what waits goes there.
    fn hand_over(&mut self, HandOver(token): HandOver, ctx: &mut Context<Self>) {
        self.depart(ctx);
        let at_rest = Reply::Order(Box::new(move |_| drop(token)));
        self.desk().journal.pass(Departure::reply(at_rest));
        self.stop_when_idle(ctx);
    }

    /// Leaves, and passes on what waits.
    fn depart(&mut self, ctx: &mut Context<Self>) {
        self.leave_directory(ctx);
        let desk = self.desk();
        desk.retired = true;
        for work in std::mem::take(&mut desk.backlog) {
            self.pass_on(work);
        }
        self.forget();
    }

    /// Stays for a while after it has retired, and for as long as an append is under way.
    fn stop_when_idle(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(RETIREMENT, |owner, ctx| {
            if owner.desk().journal.is_idle() {
                ctx.stop();
            } else {
                owner.stop_when_idle(ctx);
            }
        });
    }
}
