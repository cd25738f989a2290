//! What a decision does to the file drawer, and to how much each member's files take (protocol.md §3.4).
//!
//! No rule need say it: both follow from the messages and members that the decision changes.

use std::collections::BTreeMap;

use rill_proto::id::AccountId;

use super::Draft;
use crate::conversation::drawer::{Drawer, Filed};
use crate::conversation::state::{Change, Member, Span};
use crate::effect::Effect;
use crate::store::Aggregate;

impl Draft<'_> {
    /// The entries of the drawer that are no longer what they were.
    pub(super) fn filed(&self) -> Vec<Change> {
        let filed = self.slots.iter().map(|(nr, slot)| (*nr, Filed::of(slot)));
        let changed = filed.filter(|(nr, filed)| self.state.drawer.of(*nr) != *filed);
        changed.map(|(nr, filed)| Change::Filed(nr, filed)).collect()
    }

    /// Tells the accounts whose files take more or less now how much they take. Only a change of files concerns
    /// everybody; a change of membership concerns its member.
    pub(super) fn stored(&self) -> Vec<(Aggregate, Effect)> {
        let filed = self.filed();
        if filed.is_empty() && self.state.drawer.is_empty() {
            return Vec::new();
        }
        let mut drawer = self.state.drawer.clone();
        for change in &filed {
            if let Change::Filed(nr, filed) = change {
                drawer.put(*nr, *filed);
            }
        }
        let moved = |id: &AccountId, now: &Member| {
            self.state.members.get(id).is_none_or(|before| view(before) != view(now))
        };
        let concerned: BTreeMap<AccountId, &Member> = if filed.is_empty() {
            let changed = self.members.iter().filter(|(id, member)| moved(id, member));
            changed.map(|(id, member)| (*id, member)).collect()
        } else {
            self.everybody().collect()
        };
        if concerned.is_empty() { Vec::new() } else { self.told_stored(&drawer, &concerned) }
    }

    fn told_stored(
        &self,
        drawer: &Drawer,
        concerned: &BTreeMap<AccountId, &Member>,
    ) -> Vec<(Aggregate, Effect)> {
        let (before, after) = (self.state.drawer.sums(), drawer.sums());
        let had = |id: &AccountId| self.state.members.get(id).map_or(0, |member| before.seen_by(member));
        let has = concerned.iter().map(|(id, member)| (*id, after.seen_by(member)));
        let changed = has.filter(|(id, bytes)| *bytes != had(id));
        let told = changed.map(|(id, bytes)| {
            let (conversation_id, version) = (self.state.conversation_id, self.facts.stamp);
            (Aggregate::Account(id), Effect::Stored { conversation_id, bytes, version })
        });
        told.collect()
    }
}

/// What decides on what a member sees.
fn view(member: &Member) -> (bool, u64, Option<u64>, &[Span]) {
    (member.is_present(), member.begin_message_nr, member.delete_message_nr, &member.spans)
}
