//! What each session received, by message number, and the judgement over all of it.
//!
//! Owns: the rules of the verification (websocket.md, promises 1 to 3 and 5). Not here: sockets and times.

use super::Plan;
use std::collections::HashMap;

/// A sequence must fit beside the two marks below.
pub const SEQUENCE_MAX: u32 = u32::MAX - 2;

/// Nothing seen under this number yet.
const UNSEEN: u32 = u32::MAX;

/// Seen, but not a message of this run: a system message or somebody else's.
const FOREIGN: u32 = u32::MAX - 1;

/// Numbers beyond this are taken for nonsense rather than for a reason to allocate: a load conversation has no billion slots.
const NUMBER_MAX: u64 = 1 << 30;

/// Examples of violations that a report quotes: enough to begin looking, few enough to read.
pub const EXAMPLES_MAX: usize = 20;

/// One session's view of one conversation: which message of the run came under which number, 4 bytes a slot.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    marks: Vec<u32>,
    /// The highest number seen.
    edge: u64,
    repeats: u64,
    doubles: u64,
    reorders: u64,
}

impl Ledger {
    /// Books a slot. `sequence` is the message of the run, or none for any other record. True when the slot is new.
    pub fn book(&mut self, slot: u64, sequence: Option<u32>) -> bool {
        let mark = sequence.unwrap_or(FOREIGN);
        if slot == 0 || slot > NUMBER_MAX {
            self.doubles += 1;
            return false;
        }
        let place = usize::try_from(slot).unwrap_or(0);
        if self.marks.len() <= place {
            self.marks.resize(place + 1, UNSEEN);
        }
        let held = self.marks[place];
        if held == mark {
            // Delivery is at least once; a record twice is harmless.
            self.repeats += 1;
        } else if held != UNSEEN {
            self.doubles += 1;
        } else {
            self.marks[place] = mark;
            self.reorders += u64::from(slot < self.edge);
            self.edge = self.edge.max(slot);
            return true;
        }
        false
    }

    fn mark(&self, slot: u64) -> u32 {
        let place = usize::try_from(slot).unwrap_or(usize::MAX);
        self.marks.get(place).copied().unwrap_or(UNSEEN)
    }
}

/// An answered message: it took effect under this number.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// The message of the run.
    pub sequence: u32,
    /// The number in its answer.
    pub message_nr: u64,
}

/// The judgement over a whole run. All but `deliveries` and `repeats` are violations.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Messages of the run received, each session's own among them.
    pub deliveries: u64,
    /// Records that came again unchanged, which the protocol allows.
    pub repeats: u64,
    /// Numbers up to a conversation's highest that no member was sent.
    pub gaps: u64,
    /// One number with two contents, or one message under two numbers.
    pub doubles: u64,
    /// Numbers that came to a session after a higher one.
    pub reorders: u64,
    /// Answered messages that a member did not receive, and numbers that only some members received.
    pub missing: u64,
    /// The first few, in words.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Judges every conversation of the plan. A ledger is found by its session and conversation; a member without one received nothing.
    #[must_use]
    pub fn of(
        plan: &Plan,
        conversation_ids: &[String],
        ledgers: &HashMap<(usize, String), Ledger>,
        answered: &[Answered],
    ) -> Self {
        let mut verdict = Self::default();
        let mut by_conversation: Vec<Vec<Answered>> = vec![Vec::new(); plan.conversations];
        for answer in answered {
            by_conversation[plan.conversation_of(answer.sequence as usize)].push(*answer);
        }
        let nothing = Ledger::default();
        for (conversation, id) in conversation_ids.iter().enumerate() {
            let members = (0..plan.members).map(|member| plan.session_of(conversation, member));
            let ledgers: Vec<&Ledger> =
                members.map(|session| ledgers.get(&(session, id.clone())).unwrap_or(&nothing)).collect();
            verdict.judge(id, &ledgers, &by_conversation[conversation]);
        }
        verdict
    }

    fn judge(&mut self, id: &str, ledgers: &[&Ledger], answered: &[Answered]) {
        for ledger in ledgers {
            self.repeats += ledger.repeats;
            self.doubles += ledger.doubles;
            self.reorders += ledger.reorders;
            self.deliveries += ledger.marks.iter().filter(|mark| **mark <= SEQUENCE_MAX).count() as u64;
            if ledger.doubles + ledger.reorders > 0 {
                self.example(format!(
                    "{id}: a member met {} doubles and {} reorders",
                    ledger.doubles, ledger.reorders
                ));
            }
        }
        let answered_top = answered.iter().map(|answer| answer.message_nr).max().unwrap_or(0);
        let top =
            ledgers.iter().map(|ledger| ledger.edge).max().unwrap_or(0).max(answered_top.min(NUMBER_MAX));
        // Each message of the run has one number, whoever looks.
        let mut number_of: HashMap<u32, u64> = HashMap::new();
        for slot in 1..=top {
            self.judge_slot(id, slot, ledgers, &mut number_of);
        }
        for answer in answered {
            let slot = answer.message_nr;
            // A member that has nothing where others have something is counted already.
            let is_counted = ledgers.iter().any(|ledger| ledger.mark(slot) != UNSEEN);
            let lacks = |mark: u32| {
                if mark == UNSEEN { !is_counted } else { mark != answer.sequence }
            };
            let without = ledgers.iter().filter(|ledger| lacks(ledger.mark(slot))).count();
            if without > 0 {
                self.missing += without as u64;
                self.example(format!(
                    "{id}: message {}, answered as {slot}, did not reach {without}",
                    answer.sequence
                ));
            }
        }
    }

    fn judge_slot(&mut self, id: &str, slot: u64, ledgers: &[&Ledger], number_of: &mut HashMap<u32, u64>) {
        let mut seen = ledgers.iter().map(|ledger| ledger.mark(slot)).filter(|mark| *mark != UNSEEN);
        let Some(first) = seen.next() else {
            self.gaps += 1;
            self.example(format!("{id}: nobody was sent number {slot}"));
            return;
        };
        if seen.any(|mark| mark != first) {
            self.doubles += 1;
            self.example(format!("{id}: members were sent different messages under number {slot}"));
        }
        let without = ledgers.iter().filter(|ledger| ledger.mark(slot) == UNSEEN).count();
        if without > 0 {
            self.missing += without as u64;
            self.example(format!("{id}: number {slot} did not reach {without} members"));
        }
        if first != FOREIGN
            && let Some(other) = number_of.insert(first, slot)
        {
            self.doubles += 1;
            self.example(format!("{id}: message {first} stands under {other} and under {slot}"));
        }
    }

    fn example(&mut self, example: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tests::plan;

    /// Two sessions in one conversation: what each was sent, and what was answered, as (number, message of the run).
    fn judge(
        first: &[(u64, Option<u32>)],
        second: &[(u64, Option<u32>)],
        answered: &[(u64, u32)],
    ) -> Verdict {
        let mut ledgers = HashMap::new();
        for (session, booked) in [first, second].into_iter().enumerate() {
            let mut ledger = Ledger::default();
            for (slot, sequence) in booked {
                ledger.book(*slot, *sequence);
            }
            ledgers.insert((session, "c".to_owned()), ledger);
        }
        let answered: Vec<Answered> = answered
            .iter()
            .map(|(message_nr, sequence)| Answered { sequence: *sequence, message_nr: *message_nr })
            .collect();
        Verdict::of(&plan(2, 1, 2, 9), &["c".to_owned()], &ledgers, &answered)
    }

    fn counts(verdict: &Verdict) -> [u64; 4] {
        [verdict.gaps, verdict.doubles, verdict.reorders, verdict.missing]
    }

    const CREATE: (u64, Option<u32>) = (1, None);

    #[test]
    fn what_came_once_in_order_to_all_is_clean() {
        let stream = [CREATE, (2, Some(0)), (3, Some(1)), (3, Some(1))];
        let verdict = judge(&stream, &stream, &[(2, 0), (3, 1)]);
        assert_eq!(counts(&verdict), [0; 4]);
        assert_eq!((verdict.deliveries, verdict.repeats), (4, 2));
    }

    #[test]
    fn a_number_that_nobody_saw_is_a_gap() {
        let stream = [CREATE, (3, Some(0))];
        assert_eq!(counts(&judge(&stream, &stream, &[(3, 0)])), [1, 0, 0, 0]);
    }

    #[test]
    fn an_answered_message_that_one_member_lacks_is_missing() {
        assert_eq!(counts(&judge(&[CREATE, (2, Some(0))], &[CREATE], &[(2, 0)])), [0, 0, 0, 1]);
    }

    #[test]
    fn an_answered_message_that_nobody_saw_is_missing_at_all_of_them_and_a_gap() {
        assert_eq!(counts(&judge(&[CREATE], &[CREATE], &[(2, 0)])), [1, 0, 0, 2]);
    }

    #[test]
    fn an_unanswered_message_that_only_some_saw_is_missing_and_one_that_nobody_saw_is_not() {
        assert_eq!(counts(&judge(&[CREATE, (2, Some(0))], &[CREATE], &[])), [0, 0, 0, 1]);
        assert_eq!(counts(&judge(&[CREATE], &[CREATE], &[])), [0; 4]);
    }

    #[test]
    fn an_answer_that_names_another_number_is_missing() {
        let stream = [CREATE, (2, Some(0)), (3, Some(1))];
        assert_eq!(counts(&judge(&stream, &stream, &[(3, 0)])), [0, 0, 0, 2]);
    }

    #[test]
    fn a_message_under_two_numbers_is_a_double() {
        let stream = [CREATE, (2, Some(0)), (3, Some(0))];
        assert_eq!(counts(&judge(&stream, &stream, &[(2, 0)])), [0, 1, 0, 0]);
    }

    #[test]
    fn a_number_with_two_messages_is_a_double_within_a_session_and_across() {
        let first = [CREATE, (2, Some(0)), (2, Some(1))];
        assert_eq!(counts(&judge(&first, &first[..2], &[(2, 0)])), [0, 1, 0, 0]);
        assert_eq!(counts(&judge(&[CREATE, (2, Some(0))], &[CREATE, (2, Some(1))], &[])), [0, 1, 0, 0]);
    }

    #[test]
    fn a_number_after_a_higher_one_is_a_reorder() {
        let late = [CREATE, (3, Some(1)), (2, Some(0))];
        let stream = [CREATE, (2, Some(0)), (3, Some(1))];
        assert_eq!(counts(&judge(&late, &stream, &[(2, 0), (3, 1)])), [0, 0, 1, 0]);
    }
}
