//! What each conversation's flow is, as far as one generator saw it, and how far each of its sessions has followed it.
//!
//! Owns: the rules of the verification while loading (websocket.md, promises 1 to 3): 12 bytes for each slot of a conversation, whatever
//! the number of members, and 24 for each session's place in it. Not here: sockets and times, and the richer judgement of
//! [`crate::picture`], which costs a hundred times as much.

use std::collections::HashMap;
use uuid::Uuid;

/// Numbers beyond this are taken for nonsense rather than for a reason to allocate: at a thousand messages a second one conversation needs
/// 18 hours to get there.
const SLOT_MAX: u64 = 1 << 26;

/// And so are numbers that leave so many out at once.
const LEAP_MAX: u64 = 1 << 20;

/// Nobody here was sent this slot yet.
const UNSEEN: u32 = u32::MAX;

/// Seen, but not an event of this run: a system message or somebody else's.
const FOREIGN: u32 = u32::MAX - 1;

/// The highest sequence that fits beside the two marks.
pub(super) const SEQUENCE_MAX: u32 = u32::MAX - 2;

/// The inbox counter at this slot is not known.
const NO_INBOX: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Slot {
    sequence: u32,
    /// The conversation's inbox counter when this slot was taken.
    inbox: u32,
    /// How many sessions here were sent it.
    seen: u32,
}

const EMPTY: Slot = Slot { sequence: UNSEEN, inbox: NO_INBOX, seen: 0 };

/// One conversation as this generator's sessions were shown it. All of them must be shown the same.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) id: Uuid,
    slots: Vec<Slot>,
    /// How many of its members have their sessions here.
    pub(super) members_here: u32,
    /// The newest message that anybody here was sent, revisions and system messages apart.
    pub(super) last_post: u64,
}

/// A slot as a record brings it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    pub(super) slot: u64,
    /// The event of the run whose text it is.
    pub(super) sequence: Option<u32>,
    /// The inbox number, when the slot is that of a message and not of a revision.
    pub(super) inbox: Option<i64>,
    /// It comes in a catch-up, which may show a message as it is now and not as it was in that slot.
    pub(super) is_replayed: bool,
}

/// What a slot is to the session that was sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Booked {
    /// The next one. True when it has now reached every session of the room that this generator has.
    Next(bool),
    /// It came after a later one.
    Late(bool),
    /// A header had shown it as missing.
    Loaded(bool),
    /// It came before, with the same content.
    Again,
    /// The number came with another content, or the content under another number.
    Conflict,
}

/// How far one session has followed one room.
#[derive(Debug)]
pub(super) struct View {
    pub(super) room: u32,
    /// The highest slot that was sent, or that a header showed as not to be replayed.
    edge: u32,
    /// What lies below it and has not come; almost always nothing, so that it is kept elsewhere.
    holes: Option<Box<Holes>>,
}

/// Spans of slots, both ends included.
#[derive(Debug, Default)]
struct Holes {
    /// Skipped without a word.
    skipped: Vec<(u32, u32)>,
    /// A header showed that they are not going to be replayed but have to be asked for.
    shown: Vec<(u32, u32)>,
}

/// All rooms of a generator.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    pub(super) all: Vec<Room>,
    by_id: HashMap<Uuid, u32>,
    /// A bit for each sequence that has its number.
    placed: Vec<u64>,
}

impl Rooms {
    /// The room with this id, made when it is new.
    pub(super) fn room(&mut self, id: Uuid) -> u32 {
        let next = self.all.len() as u32;
        let place = *self.by_id.entry(id).or_insert(next);
        if place == next {
            self.all.push(Room { id, slots: Vec::new(), members_here: 0, last_post: 0 });
        }
        place
    }

    /// The room with this id, if there is one.
    pub(super) fn find(&self, id: Uuid) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Books a slot that a session was sent.
    pub(super) fn book(&mut self, view: &mut View, shown: Shown) -> Booked {
        let known = u64::from(self.all[view.room as usize].top().max(view.edge));
        if shown.slot == 0 || shown.slot > SLOT_MAX.min(known + LEAP_MAX) {
            return Booked::Conflict;
        }
        let slot = shown.slot as u32;
        if !self.agrees(view.room, slot, shown) {
            return Booked::Conflict;
        }
        let filled = if slot <= view.edge { view.fill(slot) } else { Filled::Nothing };
        if slot <= view.edge && filled == Filled::Nothing {
            return Booked::Again;
        }
        if slot > view.edge {
            if slot > view.edge + 1 {
                view.holes.get_or_insert_default().skipped.push((view.edge + 1, slot - 1));
            }
            view.edge = slot;
        }
        let room = &mut self.all[view.room as usize];
        let held = &mut room.slots[slot as usize];
        held.seen += 1;
        let is_everywhere = held.seen == room.members_here;
        match filled {
            Filled::Nothing => Booked::Next(is_everywhere),
            Filled::Skipped => Booked::Late(is_everywhere),
            Filled::Shown => Booked::Loaded(is_everywhere),
        }
    }

    /// Whether the slot is to this session what it was to the others.
    fn agrees(&mut self, room: u32, slot: u32, shown: Shown) -> bool {
        let slots = &mut self.all[room as usize].slots;
        if slots.len() <= slot as usize {
            slots.resize(slot as usize + 1, EMPTY);
        }
        let mark = shown.sequence.unwrap_or(FOREIGN);
        let held = slots[slot as usize];
        if held.sequence != UNSEEN {
            return held.sequence == mark || shown.is_replayed;
        }
        if shown.sequence.is_some() && shown.inbox.is_some_and(|inbox| inbox > 0) {
            let room = &mut self.all[room as usize];
            room.last_post = room.last_post.max(shown.slot);
        }
        let slots = &mut self.all[room as usize].slots;
        let inbox = match shown.inbox {
            Some(inbox) => u32::try_from(inbox.unsigned_abs()).unwrap_or(NO_INBOX),
            None => slots[slot as usize - 1].inbox,
        };
        slots[slot as usize] = Slot { sequence: mark, inbox, seen: 0 };
        // A revision shows the text that was there before, unless it changed the text.
        mark == FOREIGN || shown.inbox.is_none() || self.place(mark) || shown.is_replayed
    }

    /// False when the event has its number already.
    fn place(&mut self, sequence: u32) -> bool {
        let (word, bit) = (sequence as usize / 64, 1_u64 << (sequence % 64));
        if self.placed.len() <= word {
            self.placed.resize(word + 1, 0);
        }
        let was = self.placed[word] & bit;
        self.placed[word] |= bit;
        was == 0
    }

    /// Whether a header's `unread_count` is what the messages between its two numbers say. Unknown counts as right.
    pub(super) fn is_unread_right(&self, view: &View, last: u64, read: u64, unread: u64) -> bool {
        let inbox = |slot: u64| {
            let slots = &self.all[view.room as usize].slots;
            let held = usize::try_from(slot).ok().and_then(|slot| slots.get(slot));
            if slot == 0 { Some(0) } else { held.map(|held| held.inbox).filter(|inbox| *inbox != NO_INBOX) }
        };
        if last > u64::from(view.edge) {
            return true;
        }
        match (inbox(last), inbox(read)) {
            (Some(last), Some(read)) => u64::from(last.saturating_sub(read)) == unread,
            (None, _) | (_, None) => true,
        }
    }

    /// Whether this event stands under this number.
    pub(super) fn stands(&self, room: u32, slot: u64, sequence: u32) -> bool {
        let held = usize::try_from(slot).ok().and_then(|slot| self.all[room as usize].slots.get(slot));
        held.is_some_and(|held| held.sequence == sequence)
    }
}

impl Room {
    /// The highest slot that anybody here was sent.
    pub(super) fn top(&self) -> u32 {
        (self.slots.len() as u32).saturating_sub(1)
    }

    /// What stands under which number, in eight bytes: two generators that saw the same have the same.
    pub(super) fn digest(&self) -> u64 {
        // Of what was there before anybody here came, only some is shown: none of it is an event of the run.
        let sequence = |slot: &Slot| u64::from(slot.sequence.min(FOREIGN));
        self.slots.iter().skip(1).fold(0xcbf2_9ce4_8422_2325, |sum, slot| {
            (sum ^ sequence(slot)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }
}

impl View {
    pub(super) fn new(room: u32) -> Self {
        Self { room, edge: 0, holes: None }
    }

    pub(super) fn edge(&self) -> u32 {
        self.edge
    }

    /// A header says that everything up to this slot is held, or is none of the session's business. True when something is left out.
    pub(super) fn skip_to(&mut self, slot: u64) -> bool {
        let slot = slot.min(SLOT_MAX) as u32;
        let is_gap = slot > self.edge && self.edge > 0;
        self.edge = self.edge.max(slot);
        is_gap
    }

    /// A header says that what lies between is not going to be replayed but has to be asked for. True when there is something.
    pub(super) fn show_gap(&mut self, last: u64) -> bool {
        let last = last.min(SLOT_MAX) as u32;
        let is_gap = last > self.edge;
        if is_gap {
            self.holes.get_or_insert_default().shown.push((self.edge + 1, last));
            self.edge = last;
        }
        is_gap
    }

    /// The first slot that has to be asked for.
    pub(super) fn to_load(&self) -> Option<u32> {
        self.holes.as_ref()?.shown.iter().map(|(from, _)| *from).min()
    }

    /// Everything up to this slot has been loaded, though not each slot shows: revisions show in the message that they changed.
    pub(super) fn loaded(&mut self, slot: u64) {
        let slot = slot.min(SLOT_MAX) as u32;
        if let Some(holes) = &mut self.holes {
            holes.shown.retain_mut(|(from, to)| {
                *from = (*from).max(slot + 1);
                from <= to
            });
        }
        self.tidy();
    }

    /// Slots that never came.
    pub(super) fn missing(&self) -> u64 {
        let spans = self.holes.iter().flat_map(|holes| holes.skipped.iter().chain(&holes.shown));
        spans.map(|(from, to)| u64::from(to - from) + 1).sum()
    }

    /// Takes a slot out of the holes.
    fn fill(&mut self, slot: u32) -> Filled {
        let Some(holes) = &mut self.holes else {
            return Filled::Nothing;
        };
        let filled = if take_out(&mut holes.skipped, slot) {
            Filled::Skipped
        } else if take_out(&mut holes.shown, slot) {
            Filled::Shown
        } else {
            Filled::Nothing
        };
        self.tidy();
        filled
    }

    fn tidy(&mut self) {
        self.holes.take_if(|holes| holes.skipped.is_empty() && holes.shown.is_empty());
    }
}

/// Which hole a slot was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    Nothing,
    Skipped,
    Shown,
}

fn take_out(spans: &mut Vec<(u32, u32)>, slot: u32) -> bool {
    let Some(place) = spans.iter().position(|(from, to)| (*from..=*to).contains(&slot)) else {
        return false;
    };
    let (from, to) = spans.swap_remove(place);
    let rests = [(from, slot - 1), (slot + 1, to)];
    spans.extend(rests.into_iter().filter(|(from, to)| from <= to));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(slot: u64, sequence: Option<u32>, inbox: i64) -> Shown {
        Shown { slot, sequence, inbox: Some(inbox), is_replayed: false }
    }

    fn two() -> (Rooms, View, View) {
        let mut rooms = Rooms::default();
        let room = rooms.room(Uuid::new_v4());
        rooms.all[0].members_here = 2;
        (rooms, View::new(room), View::new(room))
    }

    #[test]
    fn what_comes_once_in_order_to_all_is_next() {
        let (mut rooms, mut ann, mut ben) = two();
        for (slot, sequence, inbox) in [(1, None, 0), (2, Some(0), 1), (3, Some(1), 2)] {
            assert_eq!(rooms.book(&mut ann, shown(slot, sequence, inbox)), Booked::Next(false));
        }
        assert_eq!(rooms.book(&mut ben, shown(1, None, 0)), Booked::Next(true));
        assert_eq!(rooms.book(&mut ann, shown(3, Some(1), 2)), Booked::Again);
        assert_eq!((ann.edge(), ann.missing(), rooms.all[0].top()), (3, 0, 3));
        assert!(rooms.stands(0, 2, 0) && !rooms.stands(0, 3, 0) && !rooms.stands(0, 9, 0));
    }

    #[test]
    fn a_skipped_slot_is_missing_until_it_comes_late() {
        let (mut rooms, mut ann, mut ben) = two();
        for slot in 1..=5 {
            rooms.book(&mut ann, shown(slot, Some(slot as u32), 0));
        }
        rooms.book(&mut ben, shown(1, Some(1), 0));
        assert_eq!(rooms.book(&mut ben, shown(5, Some(5), 0)), Booked::Next(true));
        assert_eq!(ben.missing(), 3);
        assert_eq!(rooms.book(&mut ben, shown(3, Some(3), 0)), Booked::Late(true));
        assert_eq!(ben.missing(), 2);
        assert_eq!(rooms.book(&mut ben, shown(3, Some(3), 0)), Booked::Again);
        rooms.book(&mut ben, shown(2, Some(2), 0));
        rooms.book(&mut ben, shown(4, Some(4), 0));
        assert_eq!(ben.missing(), 0);
    }

    #[test]
    fn a_number_has_one_content_and_a_content_one_number() {
        let (mut rooms, mut ann, mut ben) = two();
        rooms.book(&mut ann, shown(1, Some(7), 1));
        assert_eq!(rooms.book(&mut ben, shown(1, Some(8), 1)), Booked::Conflict);
        assert_eq!(rooms.book(&mut ann, shown(2, Some(7), 2)), Booked::Conflict);
        assert_eq!(rooms.book(&mut ann, shown(0, None, 0)), Booked::Conflict);
        assert_eq!(rooms.book(&mut ann, shown(u64::MAX, None, 0)), Booked::Conflict);
    }

    #[test]
    fn unread_is_counted_by_inbox_numbers_and_revisions_add_nothing() {
        let (mut rooms, mut ann, _) = two();
        rooms.book(&mut ann, shown(1, None, 0));
        rooms.book(&mut ann, shown(2, Some(0), 1));
        rooms.book(&mut ann, Shown { slot: 3, sequence: Some(1), inbox: None, is_replayed: false });
        rooms.book(&mut ann, shown(4, Some(2), 2));
        assert!(rooms.is_unread_right(&ann, 4, 0, 2) && rooms.is_unread_right(&ann, 4, 3, 1));
        assert!(!rooms.is_unread_right(&ann, 4, 2, 2) && !rooms.is_unread_right(&ann, 3, 0, 2));
        assert!(rooms.is_unread_right(&ann, 5, 0, 99), "what has not come yet is not judged");
    }

    #[test]
    fn generators_that_saw_the_same_have_the_same_digest() {
        let (mut rooms, mut ann, _) = two();
        let (mut others, mut ben, _) = two();
        rooms.book(&mut ann, shown(1, Some(1), 0));
        others.book(&mut ben, shown(1, Some(1), 0));
        assert_eq!(rooms.all[0].digest(), others.all[0].digest());
        rooms.book(&mut ann, shown(2, Some(2), 0));
        others.book(&mut ben, shown(2, Some(3), 0));
        assert_ne!(rooms.all[0].digest(), others.all[0].digest());
    }

    #[test]
    fn a_gap_that_a_header_shows_has_to_be_loaded() {
        let (mut rooms, mut ann, _) = two();
        assert!(!ann.skip_to(1), "the first header of all leaves nothing out");
        rooms.book(&mut ann, shown(2, None, 0));
        assert!(!ann.show_gap(2) && ann.show_gap(5));
        assert_eq!(rooms.book(&mut ann, shown(6, None, 0)), Booked::Next(false));
        assert_eq!((ann.missing(), ann.to_load()), (3, Some(3)));
        assert_eq!(rooms.book(&mut ann, shown(3, None, 0)), Booked::Loaded(false));
        assert_eq!(ann.to_load(), Some(4));
        ann.loaded(5);
        assert_eq!((ann.missing(), ann.to_load(), ann.edge()), (0, None, 6));
    }
}
