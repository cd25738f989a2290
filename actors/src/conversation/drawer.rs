//! The file drawer: which messages have files, and how much of them each member sees (conversations.md §4.3, §7).
//!
//! An entry follows from its message and is written with it, so that the drawer is looked through, and storage counted,
//! without reading messages. Not here: what a batch of it is, and the files themselves, which lie in their messages.

use std::collections::BTreeMap;

use rill_proto::record::message::is_shared;
use serde::{Deserialize, Serialize};

use crate::conversation::state::{Member, Message, Slot};
use crate::file::bytes_of;

/// What a message has of files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Filed {
    /// How many are there; 0 when all of them are gone.
    pub count: u32,
    /// How many bytes they have together.
    pub bytes: u64,
    /// The message lies on a board, open to every present member.
    pub is_shared: bool,
}

impl Filed {
    /// Of a slot: a revision's has none.
    #[must_use]
    pub fn of(slot: &Slot) -> Self {
        match slot {
            Slot::Message(message) => Self::of_message(message),
            Slot::Revision { .. } => Self::default(),
        }
    }

    fn of_message(message: &Message) -> Self {
        let count = message.files.iter().filter(|file| !file.is_deleted).count();
        match u32::try_from(count).unwrap_or(u32::MAX) {
            0 => Self::default(),
            count => Self { count, bytes: bytes_of(&message.files), is_shared: is_shared(message.state) },
        }
    }
}

/// The messages that have files, by number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Drawer(BTreeMap<u64, Filed>);

impl Drawer {
    /// Puts an entry in, or takes it out when nothing is left.
    pub fn put(&mut self, message_nr: u64, filed: Filed) {
        if filed.count == 0 {
            self.0.remove(&message_nr);
        } else {
            self.0.insert(message_nr, filed);
        }
    }

    /// What a message has.
    #[must_use]
    pub fn of(&self, message_nr: u64) -> Filed {
        self.0.get(&message_nr).copied().unwrap_or_default()
    }

    /// The messages above a number that have files, from the oldest up.
    pub fn above(&self, above: u64) -> impl Iterator<Item = u64> + '_ {
        self.0.range(above.saturating_add(1)..).map(|(nr, _)| *nr)
    }

    /// Nothing has files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The messages whose files a member may have, below a number and above another one; from the newest down.
    pub fn seen_by<'a>(
        &'a self,
        member: &'a Member,
        above: u64,
        below: u64,
    ) -> impl DoubleEndedIterator<Item = (u64, Filed)> + 'a {
        let between = self.0.range(above.saturating_add(1).min(below)..below).rev();
        let is_open = |nr: u64, filed: &Filed| member.sees(nr) || (filed.is_shared && member.is_present());
        between.filter(move |(nr, filed)| is_open(**nr, filed)).map(|(nr, filed)| (*nr, *filed))
    }

    /// Adds everything up, so that it is known of each member with a few look-ups how much he sees.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        let mut up_to = 0;
        for (nr, filed) in &self.0 {
            if filed.is_shared {
                sums.shared += filed.bytes;
            } else {
                up_to += filed.bytes;
                sums.up_to.push((*nr, up_to));
            }
        }
        sums
    }
}

/// The bytes of a drawer, added up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    /// Of what lies on boards.
    shared: u64,
    /// Of everything else up to and including a message.
    up_to: Vec<(u64, u64)>,
}

impl Sums {
    /// How many bytes a member has in the conversation: what he sees as long as he is one (protocol.md §3.4).
    #[must_use]
    pub fn seen_by(&self, member: &Member) -> u64 {
        if !member.is_present() {
            return 0;
        }
        let spans = member.spans_to(u64::MAX);
        let flow: u64 =
            spans.iter().map(|span| self.at(span.end) - self.at(span.begin.saturating_sub(1))).sum();
        self.shared + flow
    }

    fn at(&self, message_nr: u64) -> u64 {
        let after = self.up_to.partition_point(|(nr, _)| *nr <= message_nr);
        after.checked_sub(1).map_or(0, |at| self.up_to[at].1)
    }
}
