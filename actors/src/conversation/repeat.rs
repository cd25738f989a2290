//! What a repeated `client_req_id` is answered with: the first outcome, and the records that it names as they are now
//! (websocket.md, promise 5).

use rill_proto::classificator::InitMode;
use rill_proto::id::{AccountId, SectionId};
use serde::Deserialize;
use serde_json::Value;

use super::rules::{Decision, Facts, Header, Judged, Keys, News, sync};
use super::state::{Slot, State};
use crate::outcomes::Outcome;

/// The answer to a repeat. One that names another conversation (the client used the id twice) is answered with the first
/// outcome alone.
///
/// # Errors
/// As the rules: facts that must be fetched first.
pub fn repeat(state: &State, caller: AccountId, outcome: &Outcome, facts: &Facts) -> Judged<Decision> {
    // A file that the server was asked to fetch is told of by the caller's account.
    let is_upload = outcome.identifier.get("upload_id").is_some();
    let here = state.conversation_id.to_string();
    let named = outcome.identifier.get("conversation_id").and_then(Value::as_str);
    if is_upload || named != Some(here.as_str()) {
        return Ok(Decision { identifier: outcome.identifier.clone(), ..Decision::default() });
    }
    let named = outcome.identifier.get("message_nr").and_then(Value::as_u64);
    let section_id = outcome.identifier.get("section_id").and_then(|id| SectionId::deserialize(id).ok());
    let mut decision = match (named, section_id) {
        (_, Some(section_id)) => Decision { answer: vec![News::Section(section_id)], ..Decision::default() },
        (Some(message_nr), None) => {
            let message = match facts.slot(state, message_nr)? {
                Some(Slot::Message(message)) => Some(message),
                Some(Slot::Revision { .. }) | None => None,
            };
            let says_facts = message.is_some_and(|message| message.kind.changes_facts());
            let keys = if says_facts { Keys::Full } else { Keys::Update };
            let mut answer = vec![News::Header(Header { keys, fw: None, bw: None, is_reset: false })];
            answer.extend(message.map(|message| {
                let flow = message.flow_message_nr;
                News::Message { message: message.clone(), flow }
            }));
            Decision { answer, ..Decision::default() }
        }
        // An organisation's admin may have acted from outside: there is nothing that he is shown.
        (None, None) if !state.members.contains_key(&caller) => Decision::default(),
        (None, None) => sync::conv_sync(state, caller, InitMode::Full, facts)?,
    };
    decision.identifier = outcome.identifier.clone();
    Ok(decision)
}
