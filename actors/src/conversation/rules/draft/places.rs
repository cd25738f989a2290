//! What a decision does to the boards: places, and what their assignees' accounts are told of it (conversations.md §10,
//! accounts.md §7.3).

use std::collections::BTreeSet;

use rill_proto::classificator::MessageState;
use rill_proto::id::{AccountId, SectionId};
use rill_proto::refusal::Refusal;

use super::Draft;
use crate::conversation::board::{ASSIGNMENTS_MAX, List, PLACES_MAX, Place, Task};
use crate::conversation::rules::Judged;
use crate::conversation::state::{Member, Message, SectionSubtype};
use crate::effect::{Assignment, Effect};
use crate::store::Aggregate;
use crate::weight::Weight;

impl Draft<'_> {
    /// Where a message will be.
    pub(in crate::conversation::rules) fn place(&self, nr: u64) -> Option<&Place> {
        match self.places.get(&nr) {
            Some(place) => place.as_ref(),
            None => self.state.board.get(nr),
        }
    }

    /// Puts a message somewhere, or takes it off the boards.
    ///
    /// # Errors
    /// 400 when the boards are full, or its tasks have too many assignees together.
    pub(in crate::conversation::rules) fn put_place(
        &mut self,
        nr: u64,
        place: Option<Place>,
    ) -> Result<(), Refusal> {
        let assigned =
            |place: Option<&Place>| place.and_then(Place::task).map_or(0, |task| task.assignee_ids.len());
        let board = &self.state.board;
        if place.is_some() && self.place(nr).is_none() && board.len() >= PLACES_MAX {
            return Err(Refusal::invalid_state("The boards of this conversation are full."));
        }
        let more = assigned(place.as_ref()).saturating_sub(assigned(self.place(nr)));
        if more > 0 && board.assignments() + more > ASSIGNMENTS_MAX {
            return Err(Refusal::invalid_state("The tasks of this conversation have too many assignees."));
        }
        if place.as_ref() != self.place(nr) {
            self.places.insert(nr, place);
        }
        Ok(())
    }

    /// The weight of whatever comes into a list next.
    pub(in crate::conversation::rules) fn on_top(&self, list: List) -> Weight {
        let fresh = self.places.values().flatten().filter(|place| place.list() == list).map(Place::weight);
        Weight::above(fresh.chain(self.state.board.top(list)).max())
    }

    /// The section of tasks that nobody has put anywhere, or of archived ones: every conversation has both.
    ///
    /// # Errors
    /// `not_found` in a conversation that does not exist yet.
    pub(in crate::conversation::rules) fn section(
        &self,
        subtype: SectionSubtype,
    ) -> Result<SectionId, Refusal> {
        let mut sections = self.state.sections.iter();
        let found = sections.find(|(_, section)| section.subtype == subtype).map(|(id, _)| *id);
        found.ok_or_else(|| Refusal::not_found("Section"))
    }

    /// A task at the top of a section.
    pub(in crate::conversation::rules) fn at_the_top(&self, section_id: SectionId, task: Task) -> Place {
        let weight = self.on_top(List::Tasks(section_id));
        Place::Task(Task { section_id, weight, since: self.head.last_message_nr + 1, ..task })
    }

    /// Gives a message another state in a revision of its own, and the place that goes with it.
    ///
    /// # Errors
    /// As [`Draft::revise`] and [`Draft::put_place`].
    pub(in crate::conversation::rules) fn turn(&mut self, nr: u64, into: MessageState) -> Judged<u64> {
        let (place, caller) = (self.place_for(nr, into)?, self.caller);
        let slot = self.revise(nr, |message| mark(message, into, caller))?;
        self.put_place(nr, place)?;
        if self.facts.locks.get(&nr) == Some(&caller) {
            self.unlock(nr);
        }
        Ok(slot)
    }

    /// Puts a message that this decision posts on a board.
    ///
    /// # Errors
    /// As [`Draft::put_place`].
    pub(in crate::conversation::rules) fn post_as(&mut self, nr: u64, into: MessageState) -> Judged<()> {
        let (mut place, caller) = (self.place_for(nr, into)?, self.caller);
        if let Some(Place::Task(task)) = &mut place {
            task.since = nr;
        }
        self.amend(nr, |message| mark(message, into, caller))?;
        Ok(self.put_place(nr, place)?)
    }

    /// Where a message belongs in a state: a task stays where it is, and everything else comes to the top.
    fn place_for(&self, nr: u64, state: MessageState) -> Result<Option<Place>, Refusal> {
        let is_done = match state {
            MessageState::Pinned => return Ok(Some(Place::Pin { weight: self.on_top(List::Pins) })),
            MessageState::Plain | MessageState::Unpinned | MessageState::Deleted | MessageState::System => {
                return Ok(None);
            }
            MessageState::Todo => false,
            MessageState::Done => true,
        };
        if let Some(task) = self.place(nr).and_then(Place::task) {
            return Ok(Some(Place::Task(Task { is_done, ..task.clone() })));
        }
        let section_id = self.section(SectionSubtype::Default)?;
        let weight = Weight::FIRST;
        Ok(Some(self.at_the_top(
            section_id,
            Task { section_id, weight, since: 0, is_done, assignee_ids: Vec::new() },
        )))
    }

    /// Tells an account of all its tasks: it comes in, or (`is_in` false) it goes.
    pub(in crate::conversation::rules) fn tell_tasks(&mut self, account_id: AccountId, is_in: bool) {
        let tasks = self.state.board.tasks_of(account_id);
        let effects: Vec<_> = tasks
            .map(|(nr, task)| {
                let state = if is_in { self.assignment(task) } else { Assignment::Gone };
                self.assigned(account_id, nr, state)
            })
            .collect();
        self.effects.extend(effects);
    }

    /// What changes for the assignees by the new places, and, for those who do not hear the conversation, by revisions; who is no
    /// member has been told that he has none.
    pub(super) fn assignments(&self) -> Vec<(Aggregate, Effect)> {
        let mut effects = Vec::new();
        let revised: BTreeSet<u64> = self.told.iter().filter_map(|(nr, slot)| slot.map(|_| *nr)).collect();
        for nr in revised.into_iter().filter(|nr| !self.places.contains_key(nr)) {
            let place = self.state.board.get(nr);
            let unheard = assignees(place).filter(|id| self.member(*id).is_some_and(Member::is_unheard));
            effects.extend(unheard.map(|id| self.assigned(id, nr, self.assignment_of(id, place))));
        }
        for (nr, after) in &self.places {
            let (before, after) = (self.state.board.get(*nr), after.as_ref());
            let concerned: BTreeSet<AccountId> = [before, after].into_iter().flat_map(assignees).collect();
            for account_id in concerned {
                let state = |place| self.assignment_of(account_id, place);
                let is_news = state(before) != state(after)
                    || (after.is_some() && self.member(account_id).is_some_and(Member::is_unheard));
                if is_news && self.member(account_id).is_some_and(Member::is_present) {
                    effects.push(self.assigned(account_id, *nr, state(after)));
                }
            }
        }
        effects
    }

    fn assignment_of(&self, account_id: AccountId, place: Option<&Place>) -> Assignment {
        let task = place.and_then(Place::task).filter(|task| task.assignee_ids.contains(&account_id));
        task.map_or(Assignment::Gone, |task| self.assignment(task))
    }

    fn assignment(&self, task: &Task) -> Assignment {
        match (self.state.is_archive(task.section_id), task.is_done) {
            (true, _) => Assignment::ArchivedInConversation,
            (false, true) => Assignment::Done,
            (false, false) => Assignment::Todo,
        }
    }

    fn assigned(&self, account_id: AccountId, message_nr: u64, state: Assignment) -> (Aggregate, Effect) {
        let effect = Effect::Assigned {
            conversation_id: self.state.conversation_id,
            message_nr,
            message_id: self.state.message_id(message_nr),
            state,
            is_unheard: self.member(account_id).is_some_and(Member::is_unheard),
            version: self.facts.stamp,
        };
        (Aggregate::Account(account_id), effect)
    }
}

fn assignees(place: Option<&Place>) -> impl Iterator<Item = AccountId> {
    place.and_then(Place::task).into_iter().flat_map(|task| task.assignee_ids.iter().copied())
}

/// Notes in the message what it becomes, and by whom.
fn mark(message: &mut Message, into: MessageState, caller: AccountId) {
    let was_task = matches!(message.state, MessageState::Todo | MessageState::Done);
    message.state = into;
    match into {
        MessageState::Pinned => message.extras_mut().pinned_account_id = Some(caller),
        MessageState::Unpinned => message.extras_mut().was_unpinned = true,
        MessageState::Todo | MessageState::Done if !was_task => {
            message.extras_mut().tasked_account_id = Some(caller);
        }
        MessageState::Todo
        | MessageState::Done
        | MessageState::Plain
        | MessageState::Deleted
        | MessageState::System => {}
    }
}
