//! What a decision does to people: who goes and what is closed to him, who has the conversation in his list again, who is
//! mentioned, and whose dialog it is (conversations.md §2.2, §4.3, §4.4).
//!
//! Not here: bringing somebody in (`membership`).

use std::collections::BTreeSet;

use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use super::Draft;
use crate::conversation::rules::{Soft, dialog};
use crate::conversation::state::{Frozen, Member, Span, Standing};
use crate::effect::Effect;
use crate::store::Aggregate;

impl Draft<'_> {
    /// Who had taken the conversation out of his list has it in it again: something was written.
    pub(super) fn bring_back(&mut self) {
        let present = |id: &&AccountId| self.state.members.get(*id).is_some_and(Member::is_present);
        let back: Vec<AccountId> = self.state.deleted.iter().filter(present).copied().collect();
        for account_id in back {
            self.put_back(account_id);
        }
    }

    /// Puts the conversation into a member's list again; his sessions are told all of it.
    pub(in crate::conversation::rules) fn put_back(&mut self, account_id: AccountId) {
        let (conversation_id, version) = (self.state.conversation_id, self.facts.stamp);
        let Ok(member) = self.change(account_id) else { return };
        member.is_deleted = false;
        member.init_stamp = version;
        let profile_version = member.profile.version;
        let joined = Effect::Joined { conversation_id, by: account_id, profile_version, version };
        self.effects.push((Aggregate::Account(account_id), joined));
    }

    /// Ends a member's membership with the message just posted. His view stands still from here on. Who goes by himself
    /// sees it happen; the client of somebody else must start afresh.
    ///
    /// # Errors
    /// As [`Draft::change`].
    pub(in crate::conversation::rules) fn cut_off(&mut self, account_id: AccountId) -> Result<(), Refusal> {
        let nr = self.head.show_message_nr;
        let newest = self.state.message_of_inbox(self.head.last_inbox_nr);
        let (last_inbox_nr, last_inbox_time) = (self.head.last_inbox_nr, self.head.last_inbox_time);
        let (topic, topic_message_nr) = (self.head.topic.clone(), self.head.topic_message_nr);
        let settings = self.head.settings.clone();
        let (time, stamp, caller) = (self.facts.now, self.facts.stamp, self.caller);
        let boards = self.state.boards();
        self.tell_tasks(account_id, false);
        let member = self.change(account_id)?;
        let saw_newest = newest.is_some_and(|newest| member.sees(newest));
        member.spans.push(Span::of_membership(member.begin_message_nr, nr));
        member.standing = Standing::Left;
        member.send_message_nr = nr;
        let last_inbox_time = if saw_newest { last_inbox_time } else { 0 };
        member.frozen = Some(Frozen {
            message_nr: nr,
            last_inbox_nr,
            last_inbox_time,
            time,
            topic,
            topic_message_nr,
            settings,
            boards,
        });
        if account_id != caller {
            member.init_stamp = stamp;
        }
        self.put_down(account_id);
        Ok(())
    }

    /// Closes to somebody who was put out just now what was written while an organisation managed the conversation, but for
    /// the message that says so.
    ///
    /// # Errors
    /// As [`Draft::change`].
    pub(in crate::conversation::rules) fn revoke(&mut self, account_id: AccountId) -> Result<(), Refusal> {
        let before = self.head.show_message_nr - 1;
        let periods = self.head.managed.iter();
        let taken = periods.map(|period| Span::of_membership(period.begin, period.end.unwrap_or(before)));
        let taken: Vec<Span> = taken.collect();
        let member = self.change(account_id)?;
        member.standing = Standing::Kicked;
        member.revoked = Span::joined([std::mem::take(&mut member.revoked), taken].concat());
        Ok(())
    }

    /// Closes to everybody who is or was a member all that was written before the message posted just now, from which on it is open
    /// to those who are out by it (protocol.md §7). Who had left before is told by his account that there is less for him.
    ///
    /// # Errors
    /// As [`Draft::change`].
    pub(in crate::conversation::rules) fn close_everything(&mut self) -> Result<(), Refusal> {
        let nr = self.head.show_message_nr;
        let all = Span::of_membership(1, nr - 1);
        let stamp = self.facts.stamp;
        for account_id in self.everybody().map(|(id, _)| id).collect::<Vec<_>>() {
            let member = self.change(account_id)?;
            member.standing = Standing::Kicked;
            member.revoked = vec![all];
            member.init_stamp = stamp;
            if member.send_message_nr == nr {
                (member.join_message_nr, member.begin_message_nr) = (nr, nr);
            }
            let profile_version = member.profile.version;
            if !self.state.members.get(&account_id).is_some_and(Member::is_present) {
                let conversation_id = self.state.conversation_id;
                let effect =
                    Effect::Joined { conversation_id, by: account_id, profile_version, version: stamp };
                self.effects.push((Aggregate::Account(account_id), effect));
            }
        }
        Ok(())
    }

    /// Whoever will be a member, in the order of joining.
    pub(in crate::conversation::rules) fn present(&self) -> Vec<AccountId> {
        let present = self.everybody().filter(|(_, member)| member.is_present());
        let mut present: Vec<(u32, AccountId)> = present.map(|(id, member)| (member.place, id)).collect();
        present.sort_unstable();
        present.into_iter().map(|(_, id)| id).collect()
    }

    /// Takes an account's pen and locks away.
    fn put_down(&mut self, account_id: AccountId) {
        self.soft.push(Soft::PenOff(account_id));
        let held = self.facts.locks.iter().filter(|(_, holder)| **holder == account_id);
        for message_nr in held.map(|(nr, _)| *nr).collect::<Vec<_>>() {
            self.unlock(message_nr);
        }
    }

    /// Tells both people when the conversation begins or ceases to be a dialog. To be called when membership or topic changed; what
    /// an earlier call said counts no more.
    pub(in crate::conversation::rules) fn settle_dialog(&mut self) {
        self.effects.retain(|(_, effect)| !matches!(effect, Effect::Dialog { .. }));
        let before = self.state.head.as_ref().and_then(|head| {
            dialog::pair(&head.topic, self.state.members.iter().map(|(id, member)| (*id, member)))
        });
        let after = dialog::pair(&self.head.topic, self.everybody());
        if before == after {
            return;
        }
        for (pair, is_dialog) in [(before, false), (after, true)] {
            let Some((one, other)) = pair else { continue };
            for (account_id, with) in [(one, other), (other, one)] {
                let effect = Effect::Dialog {
                    conversation_id: self.state.conversation_id,
                    with,
                    is_dialog,
                    version: self.facts.stamp,
                };
                self.effects.push((Aggregate::Account(account_id), effect));
            }
        }
    }

    /// Notes in the rows of members whether a message mentions them; `before` are those whom it mentioned.
    ///
    /// # Errors
    /// As [`Draft::change`].
    pub(in crate::conversation::rules) fn mention(
        &mut self,
        nr: u64,
        before: &[AccountId],
        now: &[AccountId],
    ) -> Result<(), Refusal> {
        let concerned: BTreeSet<AccountId> = before.iter().chain(now).copied().collect();
        for account_id in concerned {
            let is_mentioned = now.contains(&account_id);
            let held = self.member(account_id).is_some_and(|member| member.mentions.contains(&nr));
            if held == is_mentioned || self.member(account_id).is_none() {
                continue;
            }
            self.change(account_id)?.set_mentioned(nr, is_mentioned);
        }
        Ok(())
    }
}
