//! How long files are kept in what the organisation manages, where it wants them deleted (accounts.md §9.7).
//!
//! The organisation looks every so often, by an alarm to itself; each conversation takes its own files out. Not here: that
//! (`conversation::rules::expire`).

use rill_proto::classificator::{OrganisationFlag, OrganisationStatus};
use rill_proto::id::AccountId;
use uuid::Uuid;

use super::Decision;
use crate::effect::Effect;
use crate::group::Facts;
use crate::organisation::state::State;
use crate::store::Aggregate;

/// How many looks there are in the time for which a file is kept: one a day where that is ninety days, so that nothing stays much
/// longer than it should.
const LOOKS: i64 = 90;

/// Whose alarm it is.
const NOBODY: AccountId = AccountId(Uuid::nil());

/// The organisation looks at a time; a later wish takes an earlier one's place.
pub(super) fn alarm(state: &State, at: i64) -> (Aggregate, Effect) {
    (Aggregate::Organisation(state.id), Effect::Ring { viewer: NOBODY, at })
}

/// It is time to look: whatever it manages is told from when on files are kept. While the setting is off nothing more comes.
pub(super) fn look(state: &State, facts: &Facts) -> Decision {
    let is_wanted = state.head.as_ref().is_some_and(|head| {
        head.status != OrganisationStatus::Closed && head.flags.contains(&OrganisationFlag::DeleteFiles)
    });
    if !is_wanted {
        return Decision::default();
    }
    let before = facts.now.saturating_sub(facts.files_kept_s);
    let managed = state.conversations.iter().filter(|(_, charge)| charge.is_managed);
    let told = managed.map(|(id, _)| {
        let effect = Effect::Expire { organisation_id: state.id, before, above: 0 };
        (Aggregate::Conversation(*id), effect)
    });
    let next = facts.now.saturating_add((facts.files_kept_s / LOOKS).max(1));
    Decision { effects: told.chain([alarm(state, next)]).collect(), ..Decision::default() }
}

#[cfg(test)]
mod tests {
    use rill_proto::event::ClientEvent;
    use rill_proto::event::organisation::{DisableDeleteFiles, EnableDeleteFiles, Event};
    use rill_proto::id::ConversationId;

    use super::*;
    use crate::effect::Charge;
    use crate::group::replay::ALICE;
    use crate::organisation::Order;
    use crate::organisation::rules::flags::tests::{ORGANISATION, acme};

    fn on() -> ClientEvent {
        ClientEvent::Organisation(Event::EnableDeleteFiles(EnableDeleteFiles {
            organisation_id: ORGANISATION,
        }))
    }

    fn off() -> ClientEvent {
        ClientEvent::Organisation(Event::DisableDeleteFiles(DisableDeleteFiles {
            organisation_id: ORGANISATION,
        }))
    }

    const RING: Effect = Effect::Ring { viewer: NOBODY, at: 0 };

    #[test]
    fn the_first_look_is_at_once_and_the_others_follow_while_it_is_wanted() {
        let mut replay = acme();
        assert_eq!(replay.apply(&RING), Decision::default(), "nobody wants it yet");
        let decision = replay.ask(ALICE, on()).unwrap();
        assert_eq!(decision.effects, [alarm(&replay.state, replay.now)]);
        let (here, gone) = (ConversationId(Uuid::from_u128(7)), ConversationId(Uuid::from_u128(8)));
        for (id, is_managed, version) in [(here, true, 1), (gone, true, 2), (gone, false, 3)] {
            let what = Charge::Conversation(id);
            replay.apply(&Effect::Managed { what, is_managed, entries: Vec::new(), version });
        }
        let decision = replay.apply(&RING);
        let before = replay.now - crate::group::replay::FILES_KEPT_S;
        let told = Effect::Expire { organisation_id: ORGANISATION, before, above: 0 };
        let next = alarm(&replay.state, replay.now + crate::group::replay::FILES_KEPT_S / LOOKS);
        assert_eq!(decision.effects, [(Aggregate::Conversation(here), told), next]);
        replay.ask(ALICE, off()).unwrap();
        assert_eq!(replay.apply(&RING), Decision::default());
        replay.ask(ALICE, on()).unwrap();
        replay.order(ALICE, Order::Close).unwrap();
        assert_eq!(replay.apply(&RING), Decision::default());
    }
}
