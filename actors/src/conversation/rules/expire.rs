//! Files that an organisation keeps for some time only, taken out of what it manages (accounts.md §9.7).
//!
//! Nobody does it: it is no edit, the text loses the element, and the file says that it is gone and not by whom. Not here: when it
//! is time (`organisation::rules::keeping`).

use rill_proto::id::{AccountId, OrganisationId};
use uuid::Uuid;

use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged};
use crate::conversation::state::State;
use crate::effect::Effect;
use crate::file::File;
use crate::file::body::with_files;
use crate::store::Aggregate;

/// At how many messages with files one decision looks; the next one looks at those behind them. As many as a reconnect is told one
/// by one.
const MESSAGES: usize = 50;

/// Who does it.
const NOBODY: AccountId = AccountId(Uuid::nil());

/// Takes out what was attached before a time, from the oldest message up. One that the organisation does not manage keeps all.
///
/// # Errors
/// [`Stop::Needs`](super::Stop::Needs) with the messages that are not in memory.
pub(super) fn expire(
    state: &State,
    organisation_id: OrganisationId,
    before: i64,
    above: u64,
    facts: &Facts,
) -> Judged<Decision> {
    let head = state.head.as_ref().filter(|head| head.settings.organisation_id == Some(organisation_id));
    let Some(head) = head else { return Ok(Decision::default()) };
    let numbers: Vec<u64> = state.drawer.above(above).take(MESSAGES).collect();
    facts.have_slots(state, numbers.iter().copied())?;
    let mut draft = Draft::new(state, head.clone(), NOBODY, facts);
    let is_old = |file: &File| !file.is_deleted && file.posted_time < before;
    for nr in &numbers {
        let Some(message) = draft.flow().message(*nr)? else { continue };
        if message.posted_time >= before {
            // Whatever lies behind it is newer.
            return draft.finish(None);
        }
        if message.files.iter().any(is_old) {
            draft.revise_quietly(*nr, |message| {
                message.files.iter_mut().filter(|file| is_old(file)).for_each(|file| file.delete(None));
                message.message = with_files(&message.message, &message.files);
            })?;
        }
    }
    if let Some(last) = numbers.last().filter(|_| numbers.len() == MESSAGES) {
        let rest = Effect::Expire { organisation_id, before, above: *last };
        draft.effects.push((Aggregate::Conversation(state.conversation_id), rest));
    }
    draft.finish(None)
}

#[cfg(test)]
mod tests {
    use rill_proto::event::ClientEvent;
    use rill_proto::id::OrganisationId;
    use uuid::Uuid;

    use super::MESSAGES;
    use crate::conversation::rules::Reach;
    use crate::conversation::rules::attach::tests::with_files;
    use crate::conversation::rules::replay::*;
    use crate::effect::Effect;

    /// Begun as a managed one by Alice, with Bob.
    fn managed() -> Replay {
        let mut replay = Replay::managed(&[BOB]);
        replay.slots_max = MESSAGES as u64;
        replay
    }

    fn post_file(replay: &mut Replay, at: i64) -> u64 {
        let url = replay.upload(ALICE, "a.txt");
        replay.now = at;
        let decision = replay.ask(ALICE, with_files("one", &[url])).unwrap();
        decision.identifier["message_nr"].as_u64().unwrap()
    }

    fn due(before: i64, above: u64) -> Effect {
        Effect::Expire { organisation_id: ACME, before, above }
    }

    fn is_there(replay: &Replay, nr: u64) -> bool {
        replay.message(nr).files.iter().any(|file| !file.is_deleted)
    }

    #[test]
    fn what_was_attached_before_the_time_goes_and_what_is_newer_stays() {
        let mut replay = managed();
        let (old, new) = (post_file(&mut replay, 2_000), post_file(&mut replay, 3_000));
        let decision = replay.apply(&due(3_000, 0));
        let revised = format!("message {old} flow {}", new + 1);
        assert_eq!(told(&decision, Reach::Others), ["conv Update", revised.as_str()]);
        assert!(!is_there(&replay, old) && is_there(&replay, new));
        let message = replay.message(old);
        assert_eq!((message.files[0].deleter_id, message.edit_account_id), (None, None));
        assert_eq!(message.message, "<msg><p>one</p></msg>");
        assert!(replay.apply(&due(3_000, 0)).changes.is_empty(), "it is gone already");
    }

    #[test]
    fn one_that_is_free_or_another_ones_keeps_its_files() {
        let mut replay = managed();
        let nr = post_file(&mut replay, 2_000);
        let other = OrganisationId(Uuid::from_u128(0x0E));
        let theirs = Effect::Expire { organisation_id: other, before: 9_000, above: 0 };
        assert!(replay.apply(&theirs).changes.is_empty());
        replay.ask(ALICE, on_conversation("conv:set_unmanaged")).unwrap();
        assert!(replay.apply(&due(9_000, 0)).changes.is_empty());
        assert!(is_there(&replay, nr));
    }

    #[test]
    fn what_one_decision_does_not_take_is_left_to_the_next() {
        let mut replay = managed();
        let all: Vec<u64> = (0..=MESSAGES).map(|_| post_file(&mut replay, 2_000)).collect();
        let decision = replay.apply(&due(9_000, 0));
        let rest = due(9_000, all[MESSAGES - 1]);
        assert_eq!(decision.effects.iter().filter(|(_, effect)| *effect == rest).count(), 1);
        assert!(is_there(&replay, all[MESSAGES]) && !is_there(&replay, all[MESSAGES - 1]));
        let decision = replay.apply(&rest);
        assert!(!is_there(&replay, all[MESSAGES]));
        assert!(!decision.effects.iter().any(|(_, effect)| matches!(effect, Effect::Expire { .. })));
    }

    fn on_conversation(name: &str) -> ClientEvent {
        event(name, serde_json::json!({}))
    }
}
