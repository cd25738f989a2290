//! What the rules of the own board share: a draft of what changes, and the places that tasks get (accounts.md §7.2).

use std::collections::BTreeMap;

use rill_proto::id::{MessageId, SectionId};
use rill_proto::refusal::Refusal;
use serde_json::Value;

use super::{Decision, Facts};
use crate::account::board::record::Told;
use crate::account::board::{Board, Place, Section, Task, Text};
use crate::account::state::Change;
use crate::weight::Weight;

/// A decision about the board in the making.
pub(super) struct Draft<'a> {
    pub(super) board: &'a Board,
    pub(super) facts: &'a Facts,
    sections: BTreeMap<SectionId, Section>,
    tasks: BTreeMap<MessageId, Task>,
    texts: Vec<(MessageId, Option<Text>)>,
    uploads: Vec<Change>,
    /// The highest weight of those sections that got tasks on top.
    tops: BTreeMap<SectionId, Weight>,
    news: Vec<Told>,
}

impl<'a> Draft<'a> {
    /// Nothing decided yet.
    pub(super) fn new(board: &'a Board, facts: &'a Facts) -> Self {
        Self {
            board,
            facts,
            sections: BTreeMap::new(),
            tasks: BTreeMap::new(),
            texts: Vec::new(),
            uploads: Vec::new(),
            tops: BTreeMap::new(),
            news: Vec::new(),
        }
    }

    /// Puts a task in, and tells of it.
    pub(super) fn put_task(&mut self, id: MessageId, task: Task) {
        self.tasks.insert(id, Task { stamp: self.facts.stamp, ..task });
        self.tell_task(id);
    }

    /// Puts a task in of which there is nothing to tell: its record stays what it was.
    pub(super) fn put_task_silently(&mut self, id: MessageId, task: Task) {
        self.tasks.insert(id, task);
    }

    /// Puts a section in, and tells of it.
    pub(super) fn put_section(&mut self, id: SectionId, section: Section) {
        self.sections.insert(id, Section { stamp: self.facts.stamp, ..section });
        self.tell_section(id);
    }

    /// What a private task or a canned response says now; nothing once it is gone.
    pub(super) fn put_text(&mut self, id: MessageId, text: Option<Text>) {
        self.texts.push((id, text));
    }

    /// Uploads that are attached now.
    pub(super) fn use_up(&mut self, uploads: Vec<Change>) {
        self.uploads.extend(uploads);
    }

    pub(super) fn tell_task(&mut self, id: MessageId) {
        self.news.push(Told::Task(id));
    }

    pub(super) fn tell_section(&mut self, id: SectionId) {
        self.news.push(Told::section(id));
    }

    /// A place above all of a section, those that were put there just now among them.
    pub(super) fn top(&mut self, section_id: SectionId) -> Place {
        let highest = self.tops.get(&section_id).copied().or_else(|| self.board.top_of(section_id));
        let weight = Weight::above(highest);
        self.tops.insert(section_id, weight);
        Place { section_id, weight }
    }

    /// Puts a task away, on top of what was put away before. One that lies there already stays.
    pub(super) fn archive(&mut self, id: MessageId, task: &Task) {
        let archived_id = self.board.archived_id();
        match task.place {
            Some(place) if place.section_id == archived_id => self.tell_task(id),
            place => {
                let from = place.map(|place| place.section_id);
                let place = Some(self.top(archived_id));
                self.put_task(id, Task { place, from, ..task.clone() });
            }
        }
    }

    /// Puts a task back on top of the section that it came from, or of the default one. One that was not put away stays.
    pub(super) fn unarchive(&mut self, id: MessageId, task: &Task) {
        if task.place.is_some_and(|place| place.section_id != self.board.archived_id()) {
            return self.tell_task(id);
        }
        let lives = |id: &SectionId| self.board.section(*id).is_some_and(|section| !section.is_deleted);
        let section_id = task.from.filter(lives).unwrap_or_else(|| self.board.default_id());
        let place = Some(self.top(section_id));
        self.put_task(id, Task { place, from: None, ..task.clone() });
    }

    /// The decision.
    pub(super) fn finish(self, identifier: Value) -> Decision {
        let (gone_tasks, gone_sections) = (
            self.tasks.values().filter(|task| task.is_gone()).count(),
            self.sections.values().filter(|section| section.is_deleted).count(),
        );
        let mut changes = Vec::new();
        if gone_sections > 0 {
            let forgotten = self.board.forgettable_sections(gone_sections);
            changes.extend(forgotten.map(|id| Change::MySection(id, None)));
        }
        if gone_tasks > 0 {
            changes.extend(self.board.forgettable_tasks(gone_tasks).map(|id| Change::Task(id, None)));
        }
        changes.extend(self.sections.into_iter().map(|(id, section)| Change::MySection(id, Some(section))));
        changes.extend(self.tasks.into_iter().map(|(id, task)| Change::Task(id, Some(task))));
        changes.extend(self.uploads);
        changes.extend(self.texts.into_iter().map(|(id, text)| Change::Text(id, text)));
        Decision { changes, board: self.news, identifier, ..Decision::default() }
    }
}

/// A section that is there.
///
/// # Errors
/// 430.
pub(super) fn section(board: &Board, id: SectionId) -> Result<&Section, Refusal> {
    let section = board.section(id).filter(|section| !section.is_deleted);
    section.ok_or_else(|| Refusal::not_found("Section"))
}
