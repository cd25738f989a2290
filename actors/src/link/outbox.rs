//! What waits to be sent to the other nodes, and the numbers of the frames that it leaves in.
//!
//! Everything here belongs to one round. Letters that are handed over after a round was proposed wait until it is installed,
//! and leave under it: a node that installs it early has read the store before they were written, so they must not be lost.
//! Letters that were handed over before are dropped: whatever they tell is durable before anybody can install the round,
//! and everybody reads the store then. So until the round is installed here, the watermark that was true when it was proposed
//! is announced: what is above it may be waiting.
//!
//! Pure. Not here: what a frame looks like on the wire (`format`), who carries it (`carrier`).

use std::collections::BTreeMap;

use bytes::Bytes;

use super::membership::Frame;
use crate::store::{Epoch, Stamp};

/// How many bytes of letters one frame carries, unless it is a single letter that is longer. What a subscriber waits for
/// while it arrives; many times what a burst of events makes, so that the cost of a frame is shared by many letters.
pub(super) const FRAME_BYTES_MAX: usize = 256 << 10;

/// How many bytes may wait for one peer. Some tenths of a second of the link's full speed; more means that the link is too slow
/// or away, and then reading the store is cheaper than keeping all of it.
pub(super) const QUEUE_BYTES_MAX: usize = 16 << 20;

/// What a letter costs beside its bytes while it waits: many empty ones must not go unseen.
const LETTER_BYTES: usize = 64;

/// The letters to all other nodes of the round that is proposed.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    round: u64,
    /// Whether the round is installed: until then everything waits.
    is_open: bool,
    queues: BTreeMap<Epoch, Queue>,
    has_overflowed: bool,
    /// The watermark before the round was proposed.
    watermark: Stamp,
    /// The watermark above which nothing is announced any more by a node that leaves.
    end: Option<Stamp>,
}

#[derive(Debug, Default)]
struct Queue {
    letters: Vec<Bytes>,
    bytes: usize,
    /// The number of the last frame that left.
    sent: u64,
    /// Something that belonged here was dropped: nothing may follow it in this round.
    has_overflowed: bool,
}

impl Outbox {
    /// A round is proposed among these nodes: what waits is dropped, the numbers begin anew. Answers how many letters that
    /// were. The watermark was read before.
    pub(super) fn begin(
        &mut self,
        round: u64,
        others: impl Iterator<Item = Epoch>,
        watermark: Stamp,
    ) -> usize {
        let dropped = self.queues.values().map(|queue| queue.letters.len()).sum();
        let queues = others.map(|epoch| (epoch, Queue::default())).collect();
        *self = Self { round, is_open: false, queues, has_overflowed: false, watermark, end: self.end };
        dropped
    }

    /// The round is installed: what waits may leave.
    pub(super) fn open(&mut self) {
        self.is_open = true;
    }

    /// A letter to a node. Answers the round that it leaves under, or 0 where it was dropped: nobody of that name is in the
    /// round, or too much waits already.
    pub(super) fn push(&mut self, to: Epoch, letter: Bytes) -> u64 {
        let Some(queue) = self.queues.get_mut(&to).filter(|queue| !queue.has_overflowed) else { return 0 };
        queue.bytes += letter.len() + LETTER_BYTES;
        queue.letters.push(letter);
        if queue.bytes <= QUEUE_BYTES_MAX {
            return self.round;
        }
        *queue = Queue { has_overflowed: true, sent: queue.sent, ..Queue::default() };
        self.has_overflowed = true;
        0
    }

    /// The same letter to every other node of the round.
    pub(super) fn push_all(&mut self, letter: &Bytes) -> u64 {
        let others: Vec<Epoch> = self.queues.keys().copied().collect();
        // Whoever missed it makes a new round, in which everybody reads the store.
        for to in others {
            let _ = self.push(to, letter.clone());
        }
        self.round
    }

    /// Whether something was dropped since the round began. Nothing of it may be announced from then on.
    pub(super) fn has_overflowed(&self) -> bool {
        self.has_overflowed
    }

    /// Whether a letter waits that may leave, or something was dropped.
    pub(super) fn has_news(&self) -> bool {
        self.has_overflowed || self.is_open && self.queues.values().any(|queue| !queue.letters.is_empty())
    }

    /// Everything that waits and may leave, as frames to their receivers, in order.
    pub(super) fn frames(&mut self, me: Epoch) -> Vec<(Epoch, Frame)> {
        let mut frames = Vec::new();
        if !self.is_open {
            return frames;
        }
        for (to, queue) in &mut self.queues {
            queue.bytes = 0;
            let mut bytes = 0;
            let mut letters = Vec::new();
            for letter in std::mem::take(&mut queue.letters) {
                if !letters.is_empty() && bytes + letter.len() > FRAME_BYTES_MAX {
                    frames.push((*to, queue.frame(me, self.round, std::mem::take(&mut letters))));
                    bytes = 0;
                }
                bytes += letter.len();
                letters.push(letter);
            }
            if !letters.is_empty() {
                frames.push((*to, queue.frame(me, self.round, letters)));
            }
        }
        frames
    }

    /// What may be announced behind the frames, given the watermark that was read before they were taken.
    pub(super) fn announced(&self, watermark: Stamp) -> Stamp {
        let reached = if self.is_open { watermark } else { self.watermark };
        self.end.map_or(reached, |end| end.min(reached))
    }

    /// From now on something that concerns others may be lost here: nothing above the watermark, read now, is announced any more.
    pub(super) fn end(&mut self, watermark: Stamp) {
        self.end = Some(watermark);
    }

    /// The number of the last frame that left to each.
    pub(super) fn sent(&self) -> BTreeMap<Epoch, u64> {
        self.queues.iter().map(|(epoch, queue)| (*epoch, queue.sent)).collect()
    }
}

impl Queue {
    fn frame(&mut self, from: Epoch, round: u64, letters: Vec<Bytes>) -> Frame {
        self.sent += 1;
        Frame { from, round, number: self.sent, letters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(frames: &[(Epoch, Frame)]) -> Vec<(Epoch, u64, u64, usize)> {
        frames.iter().map(|(to, frame)| (*to, frame.round, frame.number, frame.letters.len())).collect()
    }

    fn open(round: u64) -> Outbox {
        let mut outbox = Outbox::default();
        outbox.begin(round, [2, 3].into_iter(), 100);
        outbox.open();
        outbox
    }

    #[test]
    fn what_waits_for_one_node_leaves_as_one_frame() {
        let mut outbox = open(7);
        assert_eq!(outbox.push(2, "a".into()), 7);
        assert_eq!(outbox.push_all(&"b".into()), 7);
        assert_eq!(outbox.push(9, "c".into()), 0, "nobody of that name");
        assert_eq!(numbers(&outbox.frames(1)), [(2, 7, 1, 2), (3, 7, 1, 1)]);
        assert!(!outbox.has_news() && outbox.frames(1).is_empty());
        outbox.push(2, "d".into());
        assert_eq!(numbers(&outbox.frames(1)), [(2, 7, 2, 1)]);
        assert_eq!(outbox.sent(), [(2, 2), (3, 1)].into());
    }

    #[test]
    fn a_frame_is_bounded_and_a_long_letter_goes_alone() {
        let mut outbox = open(7);
        for bytes in [10, FRAME_BYTES_MAX * 2, 10, FRAME_BYTES_MAX - 10, 1] {
            outbox.push(2, vec![0; bytes].into());
        }
        assert_eq!(numbers(&outbox.frames(1)), [(2, 7, 1, 1), (2, 7, 2, 1), (2, 7, 3, 2), (2, 7, 4, 1)]);
    }

    #[test]
    fn letters_of_a_proposed_round_wait_for_it_and_those_before_are_dropped() {
        let mut outbox = open(7);
        outbox.push(2, "of round 7".into());
        assert_eq!(outbox.begin(8, [2].into_iter(), 200), 1);
        assert_eq!(outbox.push(2, "of round 8".into()), 8);
        assert!(!outbox.has_news() && outbox.frames(1).is_empty());
        assert_eq!(outbox.announced(300), 200, "above that something may wait");
        outbox.open();
        assert_eq!(outbox.announced(300), 300);
        let frames = outbox.frames(1);
        assert_eq!(numbers(&frames), [(2, 8, 1, 1)]);
        assert_eq!(frames[0].1.letters, ["of round 8"]);
    }

    #[test]
    fn who_leaves_announces_nothing_more_in_this_round_or_the_next() {
        let mut outbox = open(7);
        outbox.end(200);
        assert_eq!((outbox.announced(150), outbox.announced(300)), (150, 200));
        outbox.begin(8, [2].into_iter(), 250);
        assert_eq!(outbox.announced(300), 200);
    }

    #[test]
    fn a_full_queue_is_dropped_and_takes_nothing_until_the_next_round() {
        let mut outbox = open(7);
        let letter = Bytes::from(vec![0; 1 << 20]);
        let taken = (0..100).take_while(|_| outbox.push(2, letter.clone()) == 7).count();
        assert_eq!(taken, 15, "each costs a little more than its bytes");
        assert!(outbox.has_overflowed() && outbox.has_news() && outbox.frames(1).is_empty());
        assert_eq!(outbox.push(2, "late".into()), 0);
        assert_eq!(outbox.push(3, "to another".into()), 7);
        outbox.begin(8, [2, 3].into_iter(), 100);
        assert!(!outbox.has_overflowed());
        assert_eq!(outbox.push(2, "again".into()), 8);
    }
}
