//! Reactions to messages (conversations.md §9.2): each account has any number of different ones, each once.

use std::collections::BTreeMap;

use rill_proto::event::message;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::rules::{Decision, Facts, Judged, revision, standing};
use crate::conversation::state::State;

/// How many characters a reaction has: an emoji with all its modifiers, or its name.
const REACTION_CHARS_MAX: usize = 64;

/// How many different reactions a message has, and how many people react to it: both are in every record of the message.
const REACTIONS_MAX: usize = 100;

/// See [`REACTIONS_MAX`].
const REACTING_MAX: usize = 1_000;

/// `message:add_reaction`.
pub(super) fn add(
    state: &State,
    caller: AccountId,
    event: &message::AddReaction,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let reaction = event.reaction.trim();
    if reaction.is_empty() || reaction.chars().count() > REACTION_CHARS_MAX {
        let text = format!("a reaction has 1 to {REACTION_CHARS_MAX} characters");
        return Err(Refusal::invalid_call("reaction", text).into());
    }
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    let mut reactions = message.extras().reactions.clone().unwrap_or_default();
    if has(&reactions, reaction, caller) {
        return draft.finish(event.from_message_nr);
    }
    reactions.entry(reaction.to_owned()).or_default().push(caller);
    let reacting: usize = reactions.values().map(Vec::len).sum();
    if reactions.len() > REACTIONS_MAX || reacting > REACTING_MAX {
        return Err(Refusal::invalid_state("The message has too many reactions.").into());
    }
    draft.revise_quietly(message.message_nr, |message| message.extras_mut().reactions = Some(reactions))?;
    draft.finish(event.from_message_nr)
}

/// `message:delete_reaction`: the caller's own; where there is none, nothing happens.
pub(super) fn delete(
    state: &State,
    caller: AccountId,
    event: &message::DeleteReaction,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let reaction = event.reaction.trim();
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    let mut reactions = message.extras().reactions.clone().unwrap_or_default();
    if has(&reactions, reaction, caller) {
        let people = reactions.entry(reaction.to_owned()).or_default();
        people.retain(|id| *id != caller);
        reactions.retain(|_, people| !people.is_empty());
        draft
            .revise_quietly(message.message_nr, |message| message.extras_mut().reactions = Some(reactions))?;
    }
    draft.finish(event.from_message_nr)
}

fn has(reactions: &BTreeMap<String, Vec<AccountId>>, reaction: &str, account_id: AccountId) -> bool {
    reactions.get(reaction).is_some_and(|people| people.contains(&account_id))
}

#[cfg(test)]
mod tests {
    use rill_proto::id::AccountId;
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use super::REACTIONS_MAX;
    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;

    fn react(verb: &str, nr: u64, reaction: &str) -> rill_proto::event::ClientEvent {
        event(&format!("message:{verb}_reaction"), json!({"message_nr": nr, "reaction": reaction}))
    }

    fn reactions(replay: &Replay) -> Vec<(String, Vec<AccountId>)> {
        replay.message(2).extras().reactions.clone().unwrap().into_iter().collect()
    }

    #[test]
    fn a_reaction_takes_a_slot_and_leaves_edit_and_horizons_alone() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        let decision = replay.ask(BOB, react("add", 2, "👍")).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Update", "message 2 flow 3"]);
        assert_eq!((replay.message(2).edited_time, replay.message(2).edit_account_id), (None, None));
        assert_eq!(reactions(&replay), [("👍".to_owned(), vec![BOB])]);
        let bob = replay.counters(BOB);
        assert_eq!((bob.last, bob.show, bob.unread), (3, 2, 1));
    }

    #[test]
    fn each_has_different_ones_each_once_and_takes_back_his_own() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        for (who, reaction) in [(ALICE, "a"), (BOB, "a"), (BOB, "b")] {
            replay.ask(who, react("add", 2, reaction)).unwrap();
        }
        assert!(replay.ask(BOB, react("add", 2, " a ")).unwrap().changes.is_empty());
        assert_eq!(reactions(&replay), [("a".to_owned(), vec![ALICE, BOB]), ("b".to_owned(), vec![BOB])]);
        assert!(replay.ask(ALICE, react("delete", 2, "b")).unwrap().changes.is_empty(), "it is Bob's");
        replay.ask(BOB, react("delete", 2, "b")).unwrap();
        replay.ask(BOB, react("delete", 2, "a")).unwrap();
        replay.ask(ALICE, react("delete", 2, "a")).unwrap();
        assert!(reactions(&replay).is_empty());
    }

    #[test]
    fn what_is_no_reaction_or_one_too_many_is_refused() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        for reaction in ["", "  ", &"x".repeat(65)] {
            assert_eq!(replay.ask(BOB, react("add", 2, reaction)).unwrap_err().status, 400);
        }
        for number in 0..REACTIONS_MAX {
            replay.ask(BOB, react("add", 2, &number.to_string())).unwrap();
        }
        assert_eq!(replay.ask(BOB, react("add", 2, "one more")).unwrap_err().status, 400);
        replay.ask(ALICE, react("add", 2, "1")).unwrap();
        replay.ask(ALICE, delete(2)).unwrap();
        assert!(reactions(&replay).is_empty(), "they go with the message");
        for verb in ["add", "delete"] {
            for (nr, status) in [(1, 400), (2, 400), (99, 430)] {
                assert_eq!(replay.ask(BOB, react(verb, nr, "1")).unwrap_err().status, status);
            }
            assert_eq!(replay.ask(JIL, react(verb, 2, "1")), Err(Refusal::not_member()));
        }
    }
}
