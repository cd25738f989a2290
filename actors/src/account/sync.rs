//! How a session is brought up to date: the own records, then a visit to every conversation that may have something for
//! it, then what changed on the own board (a client without any of it fetches the tasks itself), then live. The initial
//! sync, the catch-up after a lost connection and the news of having joined a conversation are this one path.
//!
//! A run puts in one batch of visits at a time and goes on when the client has taken it, so that a slow client or a long
//! poll bounds its own sync.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use rill_proto::id::{AccountId, ConversationId, MessageId, OrganisationId, TeamId};
use uuid::Uuid;

use super::board::record::{self, NO_TEXTS, Records, Texts, Told};
use super::facts::read_texts;
use super::groups::{Call, visit};
use super::label;
use super::owner::Work;
use super::{Account, Sync, upload};
use crate::border::order::LastCall;
use crate::conversation::rows::decode;
use crate::conversation::state::Head as ConversationHead;
use crate::conversation::{Part, Token, Visit};
use crate::hub::{CloseCode, Item};
use crate::journal::{Departure, Reply};
use crate::node::Node;
use crate::owner::Owner;
use crate::piece::Piece;
use crate::presence::{Lane, LaneName};
use crate::store::{Aggregate, RowKey, Stamp, StoreFault};
use crate::watermark::Issued;

/// How many conversations are visited before the client must have taken what they said: some hundred kilobytes of
/// headers and windows.
const VISITS_MAX: usize = 20;

/// How many tasks of the own board are told before the client must have taken them; few enough to be told whole.
const PAGE_TASKS_MAX: usize = 50;

/// A sync under way.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) sync: Sync,
    /// The watermark when the run began: what is in the conversations by now covers it.
    covers: Stamp,
    left: VecDeque<(ConversationId, Stamp)>,
    /// What changed on the own board and has not been told yet.
    tasks: VecDeque<MessageId>,
    /// All conversations. Those that are active in the end and do not tell the lane yet are visited last: one that came
    /// into memory while the lane was not live has passed it over.
    all: Option<Wanted>,
    total: usize,
}

/// The next tasks of the own board for a session.
pub(crate) struct Page {
    key: LaneName,
    number: u32,
    texts: Texts,
}

/// The horizon for a conversation, an organisation or a team that is new to the account since the client's own: it is told
/// whole. Above 0, since the client may hold something of it all the same, by what came ahead of its horizon.
pub(super) const LONG_AGO: Stamp = 1;

/// What the sessions must be told once an effect is durable.
#[derive(Debug)]
pub(super) enum Step {
    /// The conversation is new to them.
    Visit(ConversationId),
    /// Their list says something else of an account.
    Show(AccountId),
    /// The own record says something else.
    Own,
    /// The organisation has something new to tell.
    Organisation(OrganisationId),
    /// The team has.
    Team(TeamId),
    /// A file that the server fetches came nearer.
    Upload(Uuid),
    /// Tasks have other places on the own board.
    Tasks(Records),
    Nothing,
}

/// Tells the sessions of an effect that is durable now.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(super) struct Tell {
    pub(super) step: Step,
    pub(super) issued: Option<Issued>,
}

/// How far a sync is.
#[derive(Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub(super) enum Went {
    /// The own records, the organisation's and the teams' have been put in: the visits may begin.
    Begun(LaneName, u32),
    /// All conversations of the batch have put their records in.
    Visited(LaneName, u32),
    /// The client has taken them.
    Taken(LaneName, u32),
    /// Somebody was not asked, since the nodes agree anew: the session begins another sync by itself.
    Lost(LaneName, u32),
}

impl Went {
    fn lost(self) -> Self {
        match self {
            Self::Begun(key, number)
            | Self::Visited(key, number)
            | Self::Taken(key, number)
            | Self::Lost(key, number) => Self::Lost(key, number),
        }
    }
}

/// Says that something went when nobody is left who has a part in it.
#[derive(Debug)]
struct Says {
    to: Addr<Account>,
    went: Went,
    is_lost: AtomicBool,
}

impl Says {
    fn token(to: Addr<Account>, went: Went) -> Token {
        Arc::new(Self { to, went, is_lost: AtomicBool::new(false) })
    }
}

impl Part for Says {
    fn fail(&self) {
        self.is_lost.store(true, Ordering::Release);
    }
}

impl Drop for Says {
    #[expect(clippy::disallowed_methods, reason = "bounded: three for each run")]
    fn drop(&mut self) {
        let lost = self.is_lost.load(Ordering::Acquire);
        self.to.do_send(if lost { self.went.lost() } else { self.went });
    }
}

/// Keeps a stamp open until everybody who tells of it has done so.
#[derive(Debug)]
struct Telling(#[expect(dead_code, reason = "it is dropped")] Option<Issued>);

impl Part for Telling {}

/// A session that could not be brought up to date must come again.
pub(crate) fn turn_away(node: &Node, lane: Lane) {
    node.inboxes.put(Item::Close(lane, CloseCode::Overloaded, "1000".to_owned()));
}

impl Account {
    pub(super) fn sync(&mut self, sync: Sync, ctx: &mut Context<Self>) {
        let covers = self.desk.node.horizon();
        let horizon = sync.horizon;
        let mut own = Vec::new();
        if upload::own_stamp(&self.state) > horizon {
            own.extend(self.own_contact().map(|own| Piece::Shared(own.record)));
        }
        let labels = label::records_since(&self.state.labels, self.id, horizon);
        own.extend(labels.into_iter().map(Piece::Shared));
        own.extend(self.invitations_since(horizon));
        own.extend(self.team_labels_since(horizon));
        let uploads = self.state.uploads.iter().filter(|(_, upload)| upload.stamp > horizon);
        own.extend(uploads.filter_map(|(id, upload)| upload.record(*id)).map(Piece::Shared));
        let sections = self.state.board.sections_since(horizon).into_iter().map(Told::section);
        own.extend(record::records(&self.state.board, &sections.collect::<Vec<_>>(), &NO_TEXTS).pieces);
        let tasks: VecDeque<MessageId> =
            if horizon == 0 { VecDeque::new() } else { self.state.board.tasks_since(horizon).into() };
        let changed = self.state.contacts.rows().filter(|(_, row)| row.stamp > horizon);
        let changed: Vec<(AccountId, Option<String>)> =
            changed.map(|(id, row)| (id, row.email.clone())).collect();
        let memberships = self.state.memberships.iter();
        let wanted: Wanted = memberships
            .map(|(id, membership)| {
                (*id, if membership.stamp > horizon { horizon.min(LONG_AGO) } else { horizon })
            })
            .collect();
        let all = wanted.clone();
        let node = Arc::clone(&self.desk.node);
        let plan = async move {
            let contacts = Self::profiles(Arc::clone(&node), changed).await?;
            Ok::<_, StoreFault>((contacts, plan(&node, wanted, horizon > 0).await?))
        };
        ctx.wait(plan.into_actor(self).map(move |planned, owner, ctx| match planned {
            Ok((contacts, left)) => {
                own.extend(contacts);
                let total = left.len() + tasks.len();
                owner.run(Run { sync, covers, left, tasks, all: Some(all), total }, own, ctx);
            }
            Err(fault) => {
                tracing::error!(account_id = %owner.id, %fault, "a sync cannot be planned");
                turn_away(&owner.desk.node, sync.lane);
            }
        }));
    }

    fn run(&mut self, run: Run, own: Vec<Piece>, ctx: &mut Context<Self>) {
        let lane = run.sync.lane.clone();
        let begun = Went::Begun(lane.name(), run.sync.number);
        let calls = self.calls_since(run.sync.horizon);
        self.runs.insert(lane.name(), run);
        let lane_of_groups = lane.clone();
        let book = Arc::new(self.state.contacts.clone());
        let places = Arc::clone(self.state.board.placements());
        let items = vec![
            Item::Contacts(lane.clone(), book),
            Item::Placements(lane.clone(), places),
            Item::Pieces(lane, own),
        ];
        let token = Says::token(ctx.address(), begun);
        let (node, lanes) = (Arc::clone(&self.desk.node), vec![lane_of_groups]);
        let reply = Reply::Order(Box::new(move |_| visit(&node, &lanes, calls, &token)));
        self.desk.journal.pass(Departure { items, ..Departure::reply(reply) });
    }

    /// Begins the next batch of visits, or makes the session live.
    fn go_on(&mut self, key: LaneName, number: u32, ctx: &mut Context<Self>) {
        let Some(run) = self.runs.get_mut(&key).filter(|run| run.sync.number == number) else {
            return;
        };
        let lane = run.sync.lane.clone();
        if !lane.is_alive() {
            self.runs.remove(&key);
            return;
        }
        let is_last = run.left.is_empty();
        if is_last && !run.tasks.is_empty() {
            return self.take(Work::Page(Page { key, number, texts: Texts::new() }), ctx);
        }
        let skip_hidden = run.sync.skip_hidden;
        let token = Says::token(ctx.address(), Went::Visited(key, number));
        if let Some(wanted) = run.all.take_if(|_| is_last) {
            let (lane, token) = (lane.clone(), Arc::clone(&token));
            let call = LastCall { lane, sync: number, wanted, skip_hidden, token };
            run.left = self.desk.node.go_live(call).into();
            if run.left.is_empty() {
                // Other nodes may have something to say: the token tells when they have.
                return;
            }
        }
        if run.left.is_empty() {
            self.desk.node.inboxes.put(Item::Live(lane, number, run.covers));
            self.runs.remove(&key);
            return;
        }
        let batch: Vec<_> = run.left.drain(..run.left.len().min(VISITS_MAX)).collect();
        for (id, horizon) in batch {
            let (lane, token) = (lane.clone(), Arc::clone(&token));
            let visit = Visit {
                lane: lane.clone(),
                sync: number,
                horizon,
                skip_hidden,
                unless_greeted: false,
                unless_subscribed: is_last,
                token,
            };
            if self.desk.node.to_conversation(id, visit).is_err() {
                turn_away(&self.desk.node, lane);
            }
        }
    }

    /// Tells a session the next tasks of the own board that changed.
    pub(super) fn page(&mut self, mut page: Page, ctx: &mut Context<Self>) {
        let Some(run) = self.runs.get_mut(&page.key).filter(|run| run.sync.number == page.number) else {
            return;
        };
        let told: Vec<Told> = run.tasks.iter().take(PAGE_TASKS_MAX).map(|id| Told::Task(*id)).collect();
        let board = &self.state.board;
        let wanted = record::texts_wanted(&told, |id| board.task(id), &page.texts);
        if !wanted.is_empty() {
            if !self.desk.journal.is_idle() {
                return self.desk.wait_for_appends(Work::Page(page));
            }
            if wanted.iter().all(|id| page.texts.contains_key(id)) {
                tracing::error!(account_id = %self.id, "a text is not the one that its task names");
                return self.lose_page(page);
            }
            let reading = read_texts(Arc::clone(&self.desk.node.store), self.id, wanted);
            ctx.wait(reading.into_actor(self).map(move |read, owner, ctx| match read {
                Ok(texts) => {
                    page.texts = texts;
                    owner.take(Work::Page(page), ctx);
                }
                Err(fault) => {
                    tracing::error!(account_id = %owner.id, %fault, "a board cannot be read");
                    owner.lose_page(page);
                }
            }));
            return;
        }
        run.tasks.drain(..told.len());
        let lane = run.sync.lane.clone();
        let records = record::records(board, &told, &page.texts);
        let token = Says::token(ctx.address(), Went::Visited(page.key, page.number));
        self.show(records.shows, records.is_whole, None, std::slice::from_ref(&lane), &token);
        let items = vec![Item::Pieces(lane.clone(), records.pieces)];
        let node = Arc::clone(&self.desk.node);
        let reply = Reply::Order(Box::new(move |ok| {
            if !ok {
                turn_away(&node, lane);
            }
            drop(token);
        }));
        self.desk.journal.pass(Departure { items, ..Departure::reply(reply) });
    }

    /// The board cannot be told now: the session comes again.
    pub(super) fn lose_page(&self, page: Page) {
        if let Some(run) = self.runs.get(&page.key).filter(|run| run.sync.number == page.number) {
            turn_away(&self.desk.node, run.sync.lane.clone());
        }
    }

    /// Nobody is left who could bring the syncs under way to their ends: the sessions come again.
    pub(super) fn turn_runs_away(&mut self) {
        for (_, run) in self.runs.drain() {
            turn_away(&self.desk.node, run.sync.lane);
        }
    }

    fn went(&mut self, went: Went, ctx: &mut Context<Self>) {
        match went {
            Went::Begun(key, number) | Went::Taken(key, number) => self.go_on(key, number, ctx),
            Went::Lost(key, number) => {
                if let Entry::Occupied(run) = self.runs.entry(key)
                    && run.get().sync.number == number
                {
                    run.remove();
                }
            }
            Went::Visited(key, number) => {
                let Some(run) = self.runs.get(&key).filter(|run| run.sync.number == number) else {
                    return;
                };
                let left = run.left.len() + run.tasks.len();
                if left == 0 {
                    return self.go_on(key, number, ctx);
                }
                let token = Says::token(ctx.address(), Went::Taken(key, number));
                #[expect(clippy::cast_precision_loss, reason = "a progress needs no precision")]
                let progress = run.total.saturating_sub(left) as f32 / run.total.max(1) as f32;
                self.desk.node.inboxes.put(Item::Progress(run.sync.lane.clone(), progress, token));
            }
        }
    }

    fn tell(&mut self, tell: Tell, ctx: &mut Context<Self>) {
        let lanes = self.desk.node.presence.of(self.id);
        let token: Token = Arc::new(Telling(tell.issued));
        match tell.step {
            Step::Nothing => {}
            Step::Own => {
                let own: Vec<Piece> =
                    self.own_contact().map(|own| Piece::Shared(own.record)).into_iter().collect();
                for lane in lanes {
                    self.desk.node.inboxes.put(Item::Pieces(lane, own.clone()));
                }
            }
            Step::Upload(id) => self.tell_upload(id),
            Step::Organisation(id) => self.visit_groups(&lanes, vec![Call::Organisation(id, 0)], &token),
            Step::Team(id) => self.visit_groups(&lanes, vec![Call::Team(id, 0)], &token),
            Step::Tasks(told) => self.show(told.shows, told.is_whole, None, &lanes, &token),
            Step::Visit(id) => {
                for lane in lanes {
                    let (lane, token) = (lane.clone(), Arc::clone(&token));
                    let visit = Visit {
                        lane: lane.clone(),
                        sync: lane.sync(),
                        horizon: 0,
                        skip_hidden: false,
                        unless_greeted: true,
                        unless_subscribed: false,
                        token,
                    };
                    if self.desk.node.to_conversation(id, visit).is_err() {
                        turn_away(&self.desk.node, lane);
                    }
                }
            }
            Step::Show(with) => {
                let named = self.state.contacts.row(with).and_then(|row| row.email.clone());
                let shown = Self::profiles(Arc::clone(&self.desk.node), vec![(with, named)]);
                ctx.wait(shown.into_actor(self).map(move |shown, owner, _| {
                    match shown {
                        Ok(pieces) => {
                            for lane in lanes {
                                owner.desk.node.inboxes.put(Item::Pieces(lane, pieces.clone()));
                            }
                        }
                        Err(fault) => {
                            tracing::error!(account_id = %owner.id, %fault, "a contact cannot be read");
                            lanes.into_iter().for_each(|lane| turn_away(&owner.desk.node, lane));
                        }
                    }
                    drop(token);
                }));
            }
        }
    }
}

/// Conversations and the horizon that each is asked from.
type Wanted = Vec<(ConversationId, Stamp)>;

/// Which conversations must be visited, the ones with the newest messages first: one that is not in memory and has not
/// changed since the horizon has nothing to say. In a catch-up those in memory come first, unread: the store would only tell their order.
async fn plan(
    node: &Arc<Node>,
    wanted: Wanted,
    is_catch_up: bool,
) -> Result<VecDeque<(ConversationId, Stamp)>, StoreFault> {
    let mut planned = Vec::with_capacity(wanted.len());
    for (id, horizon) in wanted {
        let active = node.is_active(id);
        if active && is_catch_up {
            planned.push((i64::MAX, id, horizon));
            continue;
        }
        let row = node.store.row(Aggregate::Conversation(id), RowKey::Head).await?;
        let head: Option<ConversationHead> = row.map(|row| decode(&row)).transpose()?;
        if active || head.as_ref().is_some_and(|head| head.stamp > horizon) {
            planned.push((head.map_or(0, |head| head.last_message_time), id, horizon));
        }
    }
    planned.sort_by_key(|(time, ..)| std::cmp::Reverse(*time));
    Ok(planned.into_iter().map(|(_, id, horizon)| (id, horizon)).collect())
}

impl Handler<Tell> for Account {
    type Result = ();

    fn handle(&mut self, tell: Tell, ctx: &mut Self::Context) {
        self.tell(tell, ctx);
    }
}

impl Handler<Went> for Account {
    type Result = ();

    fn handle(&mut self, went: Went, ctx: &mut Self::Context) {
        self.went(went, ctx);
    }
}
