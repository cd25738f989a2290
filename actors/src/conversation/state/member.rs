//! What follows from a member's row: what he is, what he sees, and how he is alerted (conversations.md §4.1, §4.3, §6.4).

use rill_proto::classificator::AlertLevel;

use super::{Head, MENTIONS_MAX, Member, Span, Standing};

impl Member {
    /// Is a member now.
    #[must_use]
    pub fn is_present(&self) -> bool {
        matches!(self.standing, Standing::Active | Standing::Passive)
    }

    /// Is told what happens: a member now, and the conversation is in his list.
    #[must_use]
    pub fn hears(&self) -> bool {
        self.is_present() && !self.is_deleted
    }

    /// Is a member now, and has taken the conversation out of his list: he is told of his tasks in it alone.
    #[must_use]
    pub fn is_unheard(&self) -> bool {
        self.is_present() && self.is_deleted
    }

    /// Put away, with nothing newer in it.
    #[must_use]
    pub fn is_hidden(&self, head: &Head) -> bool {
        let show = self.frozen.as_ref().map_or(head.show_message_nr, |frozen| frozen.message_nr);
        self.hide_message_nr.is_some_and(|hidden| hidden >= show)
    }

    /// Whether he is alerted to nothing but mentions. A timed snooze is over when its alarm has rung.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        match self.alert_level {
            AlertLevel::Never | AlertLevel::UntilRead | AlertLevel::Passive => true,
            AlertLevel::Default => self.snooze_time > 0,
        }
    }

    /// The read horizon that the others know; none until he has read something.
    #[must_use]
    pub fn shown_read(&self) -> Option<u64> {
        self.has_read.then(|| self.shown_read_nr.unwrap_or(self.read_message_nr))
    }

    /// Whether he was a member right after a slot.
    #[must_use]
    pub fn was_present_at(&self, nr: u64) -> bool {
        let is_in_run = |begin: u64, end: u64| (begin..end).contains(&nr);
        let earlier = self.runs().any(|span| is_in_run(span.begin, span.end));
        earlier || (self.is_present() && self.begin_message_nr <= nr)
    }

    /// Whether he had been brought in by a slot, for the first time or again.
    #[must_use]
    pub fn had_come_by(&self, nr: u64) -> bool {
        self.begin_message_nr <= nr || self.runs().any(|span| span.begin <= nr)
    }

    /// His earlier memberships.
    fn runs(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| !span.is_disclosed)
    }

    /// The lowest number that was opened to him by others.
    #[must_use]
    pub fn disclosed_from(&self) -> Option<u64> {
        self.spans.iter().filter(|span| span.is_disclosed).map(|span| span.begin).min()
    }

    /// Whether the flow shows him the message (conversations.md §4.3).
    #[must_use]
    pub fn sees(&self, message_nr: u64) -> bool {
        let is_revoked = self.revoked.iter().any(|span| span.has(message_nr));
        if is_revoked || self.delete_message_nr.is_some_and(|deleted| message_nr <= deleted) {
            return false;
        }
        let open = self.is_present() && message_nr >= self.begin_message_nr;
        open || self.spans.iter().any(|span| span.has(message_nr))
    }

    /// The newest slot that reaches him: the conversation's, or that at which he stands still.
    #[must_use]
    pub fn top(&self, head: &Head) -> u64 {
        self.frozen.as_ref().map_or(head.last_message_nr, |frozen| frozen.message_nr)
    }

    /// The stretches that he sees, up to a slot: ascending, apart, none empty.
    #[must_use]
    pub fn spans_to(&self, top: u64) -> Vec<Span> {
        let lowest = self.delete_message_nr.map_or(1, |deleted| deleted + 1);
        let run = self.is_present().then_some(Span::of_membership(self.begin_message_nr, top));
        let mut spans: Vec<Span> = self
            .spans
            .iter()
            .copied()
            .chain(run)
            .map(|span| Span { begin: span.begin.max(lowest), end: span.end.min(top), ..span })
            .filter(|span| span.begin <= span.end)
            .collect();
        spans = Span::joined(spans);
        for hole in &self.revoked {
            spans = Span::without(spans, *hole);
        }
        spans
    }

    /// Notes that a message mentions him, or does not any more.
    pub fn set_mentioned(&mut self, message_nr: u64, is_mentioned: bool) {
        match (self.mentions.binary_search(&message_nr), is_mentioned) {
            (Err(at), true) => self.mentions.insert(at, message_nr),
            (Ok(at), false) => {
                self.mentions.remove(at);
            }
            (Ok(_), true) | (Err(_), false) => return,
        }
        let surplus = self.mentions.len().saturating_sub(MENTIONS_MAX);
        self.mentions.drain(..surplus);
        self.my_message_nr = Some(self.mentions.last().copied().unwrap_or(0));
    }

    /// Whether he was a member before, left, and came back.
    #[must_use]
    pub fn has_rejoined(&self) -> bool {
        // The run that he has left last is no earlier one.
        self.runs().any(|span| span.begin != self.begin_message_nr)
    }
}
