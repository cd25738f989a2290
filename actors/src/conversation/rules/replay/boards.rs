//! What the tests of pins, tasks and sections ask for, and how they look at the boards.

use rill_proto::event::ClientEvent;
use rill_proto::id::SectionId;
use rill_proto::refusal::Refusal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AccountId, CONVERSATION, Decision, Replay};
use crate::conversation::board::List;
use crate::conversation::rules::{Facts, section};
use crate::conversation::state::SectionSubtype;
use crate::effect::Effect;

/// An event by its name without the beginning, in this conversation unless the params say another.
pub(in crate::conversation::rules) fn event(name: &str, mut params: Value) -> ClientEvent {
    if params.get("conversation_id").is_none() {
        params["conversation_id"] = json!(CONVERSATION);
    }
    let params = serde_json::value::to_raw_value(&params).unwrap();
    ClientEvent::decode(&format!("urn:fleep:client:{name}"), &params).unwrap()
}

/// `message:VERB` of one message and nothing else.
pub(in crate::conversation::rules) fn on(verb: &str, message_nr: u64) -> ClientEvent {
    event(&format!("message:{verb}"), json!({ "message_nr": message_nr }))
}

impl Replay {
    /// Asks for `message:VERB` of one message.
    pub(in crate::conversation::rules) fn turn(
        &mut self,
        caller: AccountId,
        verb: &str,
        message_nr: u64,
    ) -> Result<Decision, Refusal> {
        self.ask(caller, on(verb, message_nr))
    }

    /// Posts a pin or a task.
    pub(in crate::conversation::rules) fn put_up(&mut self, caller: AccountId, verb: &str) -> u64 {
        let decision =
            self.ask(caller, event(&format!("message:{verb}"), json!({ "message": "x" }))).unwrap();
        decision.identifier["message_nr"].as_u64().unwrap()
    }

    pub(in crate::conversation::rules) fn default_section(&self) -> SectionId {
        self.section_of(SectionSubtype::Default)
    }

    pub(in crate::conversation::rules) fn archive(&self) -> SectionId {
        self.section_of(SectionSubtype::Archived)
    }

    fn section_of(&self, subtype: SectionSubtype) -> SectionId {
        *self.state.sections.iter().find(|(_, section)| section.subtype == subtype).unwrap().0
    }

    /// Adds a section and answers with its id.
    pub(in crate::conversation::rules) fn add_section(&mut self, name: &str) -> SectionId {
        let added =
            self.ask(super::ALICE, event("section:task:add", json!({ "section_name": name }))).unwrap();
        let id = added.identifier["section_id"].as_str().unwrap();
        SectionId(Uuid::parse_str(id).unwrap())
    }

    /// The messages of a list from its first down.
    pub(in crate::conversation::rules) fn list(&self, list: List) -> Vec<u64> {
        self.state.board.descending(list).map(|(_, nr)| nr).collect()
    }

    pub(in crate::conversation::rules) fn pins(&self) -> Vec<u64> {
        self.list(List::Pins)
    }

    pub(in crate::conversation::rules) fn tasks(&self, section_id: SectionId) -> Vec<u64> {
        self.list(List::Tasks(section_id))
    }

    pub(in crate::conversation::rules) fn weight(&self, message_nr: u64) -> f64 {
        self.state.board.get(message_nr).unwrap().weight().get()
    }

    /// Sections that are shown, first to last.
    pub(in crate::conversation::rules) fn sections(&self) -> Vec<(String, f64)> {
        let mut shown: Vec<_> = self.state.sections.values().filter(|section| !section.is_deleted).collect();
        shown.sort_by_key(|section| std::cmp::Reverse(section.weight));
        shown.into_iter().map(|section| (section.name.clone(), section.weight.get())).collect()
    }

    /// Carries an effect for the conversation itself out, as its owner does.
    pub(in crate::conversation::rules) fn go_on(&mut self, effect: &Effect) -> Decision {
        let Effect::Sweep { section_id, what, until, by } = *effect else { panic!("{effect:?}") };
        let rule = |state: &_, facts: &Facts| section::go_on(state, by, section_id, what, until, facts);
        self.carry_out(rule).unwrap()
    }
}
