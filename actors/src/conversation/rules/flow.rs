//! Reading the flow for one viewer: slots in order, and windows of visible messages (conversations.md §4.3, §7).
//!
//! Not here: which window an event answers with (`sync`, `visit`).

use std::collections::{BTreeMap, BTreeSet};

use crate::conversation::open::is_open;
use crate::conversation::rules::{Facts, Judged, News, Stretch};
use crate::conversation::state::{Member, Message, Slot, State};

/// How many slots are read at once in search of visible messages. Most slots are messages, so that one reading nearly
/// always finds a window of ten.
const SEARCH_SLOTS: usize = 32;

/// The slots as they are after a decision: those of the store, and over them those that the decision writes.
pub(super) struct Flow<'a> {
    pub(super) state: &'a State,
    pub(super) facts: &'a Facts,
    /// New slots, and new content of older ones.
    pub(super) fresh: &'a BTreeMap<u64, Slot>,
}

/// A stretch of the flow, as a forward sync tells it.
pub(super) struct Forward {
    /// What to tell, in slot order.
    pub(super) items: Vec<Item>,
    /// The last slot that it covers.
    pub(super) fw: u64,
}

/// What a slot tells.
pub(super) struct Item {
    /// The message as it stands now.
    pub(super) message: Message,
    /// The slot, when it revised the message.
    flow: Option<u64>,
    /// It was open to the viewer as long as it was on a board.
    is_withdrawn: bool,
}

impl Forward {
    /// Whether it tells of a change of the header's facts (conversations.md §5.1).
    pub(super) fn changes_facts(&self) -> bool {
        self.items.iter().any(|item| item.message.kind.changes_facts())
    }

    /// As news.
    pub(super) fn news(self) -> impl Iterator<Item = News> {
        self.items.into_iter().map(|Item { message, flow, is_withdrawn }| match (flow, is_withdrawn) {
            (Some(flow), true) => News::Withdrawn { message: Box::new(message), flow },
            (flow, _) => News::Message { message: Box::new(message), flow },
        })
    }
}

/// No slots of a decision: the flow is what the store has.
const NOTHING_FRESH: &BTreeMap<u64, Slot> = &BTreeMap::new();

impl<'a> Flow<'a> {
    /// The flow as it is.
    pub(super) fn stored(state: &'a State, facts: &'a Facts) -> Self {
        Self { state, facts, fresh: NOTHING_FRESH }
    }

    /// The message that was posted in a slot, as it stands now; `None` for a revision's slot and where nothing is.
    pub(super) fn message(&self, nr: u64) -> Judged<Option<Message>> {
        let slot = match self.fresh.get(&nr) {
            Some(slot) => Some(slot),
            None => self.facts.slot(self.state, nr)?,
        };
        Ok(match slot {
            Some(Slot::Message(message)) => Some((**message).clone()),
            Some(Slot::Revision { .. }) | None => None,
        })
    }

    /// A message that the member sees, in the flow or on a board.
    pub(super) fn seen_message(&self, member: &Member, nr: u64) -> Judged<Option<Message>> {
        if !member.sees(nr) && !member.is_present() {
            return Ok(None);
        }
        Ok(self.message(nr)?.filter(|message| is_open(member, message)))
    }

    /// All slots above one, ascending, that the member may see; at most `limit` slots are covered.
    pub(super) fn forward(&self, member: &Member, above: u64, top: u64, limit: usize) -> Judged<Forward> {
        let mut slots = Vec::new();
        let mut fw = above.max(top);
        for span in member.spans_to(top) {
            let from = span.begin.max(above.saturating_add(1));
            let left = limit - slots.len();
            if from > span.end {
                continue;
            }
            let read = self.ascending(from, span.end, left)?;
            let last = read.last().map(|(nr, _)| *nr);
            slots.extend(read);
            if slots.len() == limit {
                fw = last.unwrap_or(fw);
                break;
            }
        }
        Ok(Forward { items: self.told(member, slots)?, fw })
    }

    /// Slots as flow items: a message's own slot, and a revision's with the message as it stands now.
    fn told(&self, member: &Member, slots: Vec<(u64, Slot)>) -> Judged<Vec<Item>> {
        let revised = slots.iter().filter_map(|(_, slot)| match slot {
            Slot::Revision { of, .. } if member.is_present() || member.sees(*of) => Some(*of),
            Slot::Revision { .. } | Slot::Message(_) => None,
        });
        let unread = revised.filter(|of| !self.fresh.contains_key(of)).collect::<BTreeSet<_>>();
        self.facts.have_slots(self.state, unread)?;
        let mut items = Vec::with_capacity(slots.len());
        for (nr, slot) in slots {
            match slot {
                Slot::Message(message) => {
                    items.push(Item { message: *message, flow: None, is_withdrawn: false })
                }
                Slot::Revision { of, .. } => items.extend(self.revised(member, of, nr)?),
            }
        }
        Ok(items)
    }

    /// What a revision's slot tells the member; nothing where the message is none of his.
    fn revised(&self, member: &Member, of: u64, slot: u64) -> Judged<Option<Item>> {
        let flow = Some(slot);
        if let Some(message) = self.seen_message(member, of)? {
            return Ok(Some(Item { message, flow, is_withdrawn: false }));
        }
        if !member.is_present() {
            return Ok(None);
        }
        let closed = self.message(of)?.filter(|message| message.extras().closed_message_nr == flow);
        Ok(closed.map(|message| Item { message, flow, is_withdrawn: true }))
    }

    fn ascending(&self, from: u64, to: u64, limit: usize) -> Judged<Vec<(u64, Slot)>> {
        let stored = self.state.head.as_ref().map_or(0, |head| head.last_message_nr);
        let mut slots = Vec::new();
        if from <= stored {
            let wanted = Stretch { from, to: to.min(stored), limit, descending: false };
            slots = self.facts.stretch(self.state, wanted)?;
        }
        for (nr, slot) in &mut slots {
            if let Some(fresh) = self.fresh.get(nr) {
                *slot = fresh.clone();
            }
        }
        let new = self.fresh.range(from.max(stored + 1)..=to.max(stored + 1)).filter(|(nr, _)| **nr <= to);
        let room = limit - slots.len();
        slots.extend(new.take(room).map(|(nr, slot)| (*nr, slot.clone())));
        Ok(slots)
    }

    /// The newest messages below a slot that the member sees, at most `count`; ascending. Fewer than `count` when there
    /// are no more.
    pub(super) fn below(&self, member: &Member, slot: u64, top: u64, count: usize) -> Judged<Vec<Message>> {
        let mut found = Vec::new();
        for span in member.spans_to(top).into_iter().rev() {
            let mut to = span.end.min(slot.saturating_sub(1));
            while to >= span.begin && found.len() < count {
                let wanted = Stretch { from: span.begin, to, limit: SEARCH_SLOTS, descending: true };
                let slots = self.facts.stretch(self.state, wanted)?;
                let Some((lowest, _)) = slots.last() else { break };
                to = lowest - 1;
                for (_, slot) in slots {
                    if let Slot::Message(message) = slot {
                        // Revisions below the last message that was found can be skipped: it knows the one before it.
                        to = to.min(message.prev_message_nr);
                        found.push(*message);
                    }
                }
            }
        }
        found.truncate(count);
        found.reverse();
        Ok(found)
    }

    /// The oldest messages above a slot that the member sees, at most `count`; ascending.
    pub(super) fn above(&self, member: &Member, slot: u64, top: u64, count: usize) -> Judged<Vec<Message>> {
        let mut found = Vec::new();
        for span in member.spans_to(top) {
            let mut from = span.begin.max(slot.saturating_add(1));
            while from <= span.end && found.len() < count {
                let slots = self.ascending(from, span.end, SEARCH_SLOTS)?;
                let Some((highest, _)) = slots.last() else { break };
                from = highest + 1;
                found.extend(slots.into_iter().filter_map(|(_, slot)| match slot {
                    Slot::Message(message) => Some(*message),
                    Slot::Revision { .. } => None,
                }));
            }
        }
        found.truncate(count);
        Ok(found)
    }
}
