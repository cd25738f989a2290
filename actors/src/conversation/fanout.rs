//! From a decision to the items that hubs get: who of those online is told what.
//!
//! Cost follows the sessions that are online, never the members. Each record is encoded once; what differs per viewer is
//! a small view of numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use rill_proto::id::{AccountId, MessageId};
use rill_proto::record;
use rill_proto::record::message::Moved;

use super::audience::{self, Site, Template, Views};
use super::rules::{Decision, News, Reach};
use super::soft::SoftState;
use super::state::{Member, State};
use crate::hub::{Fanout, Item, Told};
use crate::piece::Piece;
use crate::presence::{Lane, Presence};
use crate::store::{Epoch, Stamp};

/// A session that hears of the conversation.
#[derive(Debug)]
struct Subscriber {
    lane: Lane,
    /// The lane's sync then: a later one begins anew.
    sync: u32,
    /// The stamp up to which it was brought when it was last greeted with the whole conversation.
    greeted: Stamp,
}

impl Subscriber {
    fn hears(&self) -> bool {
        self.lane.is_alive() && self.lane.sync() == self.sync
    }
}

/// The live sessions of the conversation's members on this node.
#[derive(Debug, Default)]
pub struct Subscribers(BTreeMap<AccountId, Vec<Subscriber>>);

impl Subscribers {
    /// Everybody who is live when the conversation comes into memory. A session that is still syncing visits the
    /// conversation before it goes live, so that it hears nothing of it out of order.
    #[must_use]
    pub fn find(state: &State, presence: &Presence) -> Self {
        let mut found = Self::default();
        for (account_id, _) in state.members.iter().filter(|(_, member)| member.hears()) {
            for lane in presence.of(*account_id).into_iter().filter(Lane::is_live) {
                let sync = lane.sync();
                found.add(lane, sync, 0);
            }
        }
        found
    }

    /// A session that has been told everything up to a stamp, in one of its syncs. One that is over takes nothing from a later one.
    pub fn add(&mut self, lane: Lane, sync: u32, greeted: Stamp) {
        if sync < lane.sync() {
            return;
        }
        let lanes = self.0.entry(lane.account_id()).or_default();
        lanes.retain(|known| known.hears() && known.lane != lane);
        lanes.push(Subscriber { lane, sync, greeted });
    }

    /// Whether a session hears already.
    #[must_use]
    pub fn has(&self, lane: &Lane) -> bool {
        self.of(lane.account_id()).any(|known| known == lane)
    }

    /// The sync in which a session that hears was told everything; 0 where it does not hear.
    #[must_use]
    pub fn told(&self, lane: &Lane) -> u32 {
        let lanes = self.0.get(&lane.account_id());
        let mut known = lanes.into_iter().flatten().filter(|known| known.hears() && known.lane == *lane);
        known.next().map_or(0, |known| known.sync)
    }

    /// Whether a session was told of the whole conversation at or after a stamp.
    #[must_use]
    pub fn was_greeted(&self, lane: &Lane, since: Stamp) -> bool {
        self.0.get(&lane.account_id()).is_some_and(|lanes| {
            lanes.iter().any(|known| known.lane == *lane && known.hears() && known.greeted >= since)
        })
    }

    /// An account hears no more.
    pub fn remove(&mut self, account_id: AccountId) {
        self.0.remove(&account_id);
    }

    /// Sessions that went are forgotten.
    pub fn sweep(&mut self) {
        self.0.retain(|_, lanes| {
            lanes.retain(Subscriber::hears);
            !lanes.is_empty()
        });
    }

    fn of(&self, account_id: AccountId) -> impl Iterator<Item = &Lane> {
        let lanes = self.0.get(&account_id);
        lanes.into_iter().flatten().filter(|known| known.hears()).map(|known| &known.lane)
    }

    fn others(&self, than: AccountId) -> impl Iterator<Item = &Lane> {
        let lanes =
            self.0.iter().filter(move |(account_id, _)| **account_id != than).flat_map(|(_, lanes)| lanes);
        lanes.filter(|known| known.hears()).map(|known| &known.lane)
    }
}

/// How much of what has been encoded is remembered: more than a message and what comes with it. What is told of thousands of people is
/// encoded again rather than looked for among thousands.
const KNOWN_MAX: usize = 8;

/// What has been encoded of a decision: its answer tells of the same things as its news, and each is encoded once.
#[derive(Default)]
struct Encoded<'n>(Vec<(&'n News, Template)>);

impl<'n> Encoded<'n> {
    fn get(&mut self, news: &'n News, encode: impl FnOnce(&News) -> Option<Template>) -> Option<Template> {
        if let Some((_, known)) = self.0.iter().find(|(known, _)| *known == news) {
            return Some(known.clone());
        }
        let template = encode(news)?;
        if self.0.len() < KNOWN_MAX {
            self.0.push((news, template.clone()));
        }
        Some(template)
    }
}

/// What the audience is made from.
pub struct Stage<'a> {
    /// The conversation as it is after the decision.
    pub state: &'a State,
    /// Who is online.
    pub subscribers: &'a Subscribers,
    /// Pens, locks, activations.
    pub soft: &'a SoftState,
    /// Who is online with another view of it.
    pub presence: &'a Presence,
    /// Names that records carry.
    pub site: &'a Site,
    /// Unix seconds.
    pub now: i64,
}

impl Stage<'_> {
    /// The records for one viewer, in order; what he may not see is left out.
    #[must_use]
    pub fn pieces(&self, viewer: AccountId, news: &[News]) -> Vec<Piece> {
        self.pieces_of(viewer, news, &mut Encoded::default())
    }

    /// What a decision tells to everybody but the session that asked, and the records of its answer.
    #[must_use]
    pub fn told(&self, caller: AccountId, asking: &Lane, decision: &Decision) -> (Vec<Item>, Vec<Piece>) {
        let mut encoded = Encoded::default();
        let items = self.items_of(caller, Some(asking), &decision.news, &mut encoded);
        let pieces = self.pieces_of(caller, &decision.answer, &mut encoded);
        (items, pieces)
    }

    fn pieces_of<'n>(&self, viewer: AccountId, news: &'n [News], known: &mut Encoded<'n>) -> Vec<Piece> {
        let Some(member) = self.state.members.get(&viewer) else { return Vec::new() };
        let locks = self.soft.locks();
        let encode = |news: &News| {
            audience::template_for(viewer, self.state, self.soft.pens(), &locks, self.site, news)
        };
        let mut pieces = Vec::new();
        for news in news.iter().filter(|news| audience::may_see(self.state, viewer, news)) {
            // To whoever has left it may look otherwise than to the members.
            let template = if member.frozen.is_some() { encode(news) } else { known.get(news, encode) };
            let files = audience::files_of(news).filter_map(|file| encode(&file));
            let templates = template.into_iter().chain(files);
            pieces.extend(templates.filter_map(|template| audience::piece(&template, self.state, viewer)));
        }
        pieces
    }

    /// What names messages that stand on the viewer's own board, without their content; nothing once he has left.
    #[must_use]
    pub fn names(&self, viewer: AccountId, numbers: &[(u64, MessageId)]) -> Vec<Piece> {
        if !self.is_present(viewer) {
            return Vec::new();
        }
        let locks = self.soft.locks();
        let name = |(message_nr, message_id): &(u64, MessageId)| {
            let moved = Moved {
                conversation_id: self.state.conversation_id,
                message_nr: *message_nr,
                message_id: *message_id,
                lock_account_id: locks.get(message_nr).copied(),
            };
            Piece::Message(*message_id, record::open(&moved).into())
        };
        numbers.iter().map(name).collect()
    }

    /// The items for everybody but the session that asked (`asking`; none when the change came from elsewhere).
    #[must_use]
    pub fn items(&self, caller: AccountId, asking: Option<&Lane>, news: &[(Reach, News)]) -> Vec<Item> {
        self.items_of(caller, asking, news, &mut Encoded::default())
    }

    fn items_of<'n>(
        &self,
        caller: AccountId,
        asking: Option<&Lane>,
        news: &'n [(Reach, News)],
        known: &mut Encoded<'n>,
    ) -> Vec<Item> {
        let mut items = Vec::new();
        let mut rest = news;
        while let Some((reach, _)) = rest.first() {
            let count = rest.iter().take_while(|(other, _)| other == reach).count();
            let (run, after) = rest.split_at(count);
            rest = after;
            let told: Vec<&'n News> = run.iter().map(|(_, news)| news).collect();
            if *reach == Reach::Own && !self.hears(caller) {
                self.tell_aside(caller, asking, &told, &mut items);
                continue;
            }
            let lanes: Vec<&Lane> = match reach {
                Reach::Left => {
                    let left = self.state.members.iter().filter(|(_, member)| !member.is_present());
                    for (account_id, _) in left.filter(|(_, member)| !member.is_deleted) {
                        self.tell_aside(*account_id, None, &told, &mut items);
                    }
                    continue;
                }
                Reach::Own => self.subscribers.of(caller).filter(|lane| Some(*lane) != asking).collect(),
                Reach::Others => self.subscribers.others(caller).collect(),
                Reach::Account(account_id) => self.subscribers.of(*account_id).collect(),
                Reach::Activated => {
                    let activated = self.soft.activated(self.now).filter(|lane| lane.account_id() != caller);
                    activated.filter(|lane| self.hears(lane.account_id())).collect()
                }
            };
            if !lanes.is_empty() {
                let batch = self.batch(&told, known);
                self.tell(*reach, &told, &batch, &lanes, &mut items);
            }
        }
        items
    }

    /// Tells the other sessions of somebody who has left, or has it no longer in his list: none of them listens, yet what he
    /// does with it they must know. One that is not live comes by before it is.
    fn tell_aside(
        &self,
        account_id: AccountId,
        asking: Option<&Lane>,
        news: &[&News],
        items: &mut Vec<Item>,
    ) {
        let news: Vec<News> = news.iter().map(|news| (*news).clone()).collect();
        let mut lanes = self.presence.of(account_id);
        lanes.retain(|lane| (lane.is_live() || self.subscribers.has(lane)) && Some(lane) != asking);
        if lanes.is_empty() {
            return;
        }
        let pieces = self.pieces(account_id, &news);
        items.extend(lanes.into_iter().map(|lane| Item::Pieces(lane, pieces.clone())));
    }

    fn hears(&self, account_id: AccountId) -> bool {
        self.state.members.get(&account_id).is_some_and(Member::hears)
    }

    fn is_present(&self, account_id: AccountId) -> bool {
        self.state.members.get(&account_id).is_some_and(Member::is_present)
    }

    /// The records of a run of news, as far as all viewers share them.
    fn batch<'n>(&self, news: &[&'n News], known: &mut Encoded<'n>) -> Arc<[Template]> {
        let locks = self.soft.locks();
        let encode = |news: &News| audience::template(self.state, self.soft.pens(), &locks, self.site, news);
        // Who sees a message sees its files.
        let templates = news.iter().flat_map(|news| {
            let files = audience::files_of(news).filter_map(|file| encode(&file));
            known.get(news, encode).into_iter().chain(files)
        });
        templates.collect()
    }

    fn tell(
        &self,
        reach: Reach,
        news: &[&News],
        batch: &Arc<[Template]>,
        lanes: &[&Lane],
        items: &mut Vec<Item>,
    ) {
        // A run of news has at most one header, so one view completes the batch for a viewer.
        let views = batch.iter().find_map(|template| Views::of(template, self.state));
        // Another node spreads it over its workers itself.
        let place = |lane: &Lane| (lane.home(), if lane.home().is_none() { lane.worker() } else { 0 });
        let mut counts: BTreeMap<(Option<Epoch>, u16), usize> = BTreeMap::new();
        lanes.iter().for_each(|lane| *counts.entry(place(lane)).or_default() += 1);
        let mut fanouts: BTreeMap<(Option<Epoch>, u16), Vec<Told>> = BTreeMap::new();
        for lane in lanes {
            let viewer = lane.account_id();
            let Some(member) = self.state.members.get(&viewer) else { continue };
            // Who was removed just now is told so aside, and nothing else.
            if reach == Reach::Others && !member.is_present() {
                continue;
            }
            if news.iter().all(|news| audience::may_member_see(self.state, viewer, member, news)) {
                let place = place(lane);
                let room = || Vec::with_capacity(counts.get(&place).copied().unwrap_or_default());
                let told = fanouts.entry(place).or_insert_with(room);
                let view = views.as_ref().map(|views| views.of_member(viewer, member));
                told.push(Told { worker: lane.worker(), sync: lane.sync(), key: lane.key(), view });
            } else {
                let seen: Vec<News> = news.iter().map(|news| (*news).clone()).collect();
                items.push(Item::Pieces((*lane).clone(), self.pieces(viewer, &seen)));
            }
        }
        let fanouts =
            fanouts.into_iter().map(|((home, _), lanes)| Fanout { home, batch: Arc::clone(batch), lanes });
        items.extend(fanouts.map(|fanout| Item::Fanout(Arc::new(fanout))));
    }
}

/// How many lanes are told something by these items.
#[must_use]
pub fn lanes_told(items: &[Item]) -> usize {
    let told = |item: &Item| if let Item::Fanout(fanout) = item { fanout.lanes.len() } else { 1 };
    items.iter().map(told).sum()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_visit_of_a_sync_that_is_over_takes_nobody_out_of_a_later_one() {
        let lane = Lane::new(0, 1, AccountId(Uuid::from_u128(1)), Uuid::nil());
        let (earlier, later) = (lane.begin_sync(), lane.begin_sync());
        let mut subscribers = Subscribers::default();
        subscribers.add(lane.clone(), later, 10);
        subscribers.add(lane.clone(), earlier, 20);
        assert!(subscribers.has(&lane));
        assert_eq!(subscribers.told(&lane), later);
        let _ = lane.begin_sync();
        assert!(!subscribers.has(&lane), "a sync that has begun asks anew");
    }

    #[test]
    fn little_is_encoded_once_and_thousands_are_not_looked_for() {
        let news: Vec<News> = (1..=2_000).map(|nr| News::Contact(AccountId(Uuid::from_u128(nr)))).collect();
        let (mut known, mut times) = (Encoded::default(), 0);
        for news in news.iter().chain(&news[..2]) {
            let template = known.get(news, |_| {
                times += 1;
                Some(Template::Same(Piece::Shared(Bytes::new())))
            });
            assert!(template.is_some());
        }
        assert_eq!(times, 2_000, "what came first is known");
        assert_eq!(known.0.len(), KNOWN_MAX);
    }
}
