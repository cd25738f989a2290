//! What becomes of a managed conversation when its organisation has somebody less, or is closed (accounts.md §9.2, §9.4).
//!
//! Who is invited or has answered says so by his own profile. Not here: the organisation's own rules.

use rill_proto::id::AccountId;

use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged, managed};
use crate::conversation::state::{Member, State};
use crate::effect::Fate;

/// The organisation says what became of somebody, or of itself. One that does not manage the conversation says nothing here.
///
/// # Errors
/// [`Stop::Needs`](super::Stop::Needs) with what must be fetched first.
pub(super) fn discharged(
    state: &State,
    from: managed::Organisation,
    by: AccountId,
    fate: Fate,
    facts: &Facts,
) -> Judged<Decision> {
    let head = state.head.as_ref().filter(|head| head.settings.organisation_id == Some(from.id));
    let Some(head) = head else { return Ok(Decision::default()) };
    let mut draft = Draft::new(state, head.clone(), by, facts);
    match fate {
        Fate::Invited(_) | Fate::Settled(_) => return Ok(Decision::default()),
        Fate::Removed(id) => {
            if !head.settings.admins.contains(&id) {
                return Ok(Decision::default());
            }
            draft.head.settings.admins.retain(|admin| *admin != id);
            draft.change_facts();
        }
        Fate::Kicked(id) => {
            if !state.members.get(&id).is_some_and(Member::is_present) {
                return Ok(Decision::default());
            }
            managed::put_out(&mut draft, from, &[id])?;
        }
        Fate::Closed => {
            managed::release(&mut draft, from)?;
        }
    }
    draft.finish(None)
}

#[cfg(test)]
mod tests {
    use rill_proto::id::{AccountId, OrganisationId};
    use uuid::Uuid;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;
    use crate::conversation::state::{MessageKind, Standing};
    use crate::effect::{Effect, Fate};

    /// Begun as a managed one by Alice, with Bob; Bob is an admin as well.
    fn managed() -> Replay {
        let mut replay = Replay::managed(&[BOB, CHARLIE]);
        replay.post(BOB, "hello");
        replay.ask(ALICE, event("conv:add_admins", serde_json::json!({ "account_ids": [BOB] }))).unwrap();
        replay
    }

    fn fate(by: AccountId, organisation_id: OrganisationId, fate: Fate) -> Effect {
        Effect::Discharged { organisation_id, organisation_name: "Acme".to_owned(), by, fate }
    }

    #[test]
    fn who_is_removed_stays_and_is_no_admin() {
        let mut replay = managed();
        let decision = replay.apply(&fate(DON, ACME, Fate::Removed(BOB)));
        assert_eq!(told(&decision, Reach::Others), ["conv Full"]);
        assert_eq!(replay.head().settings.admins, [ALICE]);
        assert_eq!(replay.present(), [ALICE, BOB, CHARLIE]);
        assert!(replay.apply(&fate(DON, ACME, Fate::Removed(BOB))).changes.is_empty());
    }

    #[test]
    fn who_is_kicked_keeps_the_message_that_says_so() {
        let mut replay = managed();
        let decision = replay.apply(&fate(DON, ACME, Fate::Kicked(BOB)));
        assert_eq!(told(&decision, Reach::Account(BOB)), ["conv Init(Full) fw 3 bw 3 reset", "message 3"]);
        assert_eq!((replay.message(3).kind, replay.message(3).account_id), (MessageKind::KickV2, DON));
        let bob = &replay.state.members[&BOB];
        assert_eq!(bob.standing, Standing::Kicked);
        assert!(!bob.sees(2) && bob.sees(3));
        assert_eq!(replay.head().settings.admins, [ALICE]);
        assert!(replay.apply(&fate(DON, ACME, Fate::Kicked(BOB))).changes.is_empty());
    }

    #[test]
    fn a_closed_organisation_sets_it_free_and_another_ones_word_means_nothing() {
        let mut replay = managed();
        assert!(replay.apply(&fate(DON, OrganisationId(Uuid::nil()), Fate::Closed)).changes.is_empty());
        for quiet in [Fate::Invited(JIL), Fate::Settled(JIL)] {
            assert!(replay.apply(&fate(DON, ACME, quiet)).changes.is_empty());
        }
        let decision = replay.apply(&fate(DON, ACME, Fate::Closed));
        assert_eq!(told(&decision, Reach::Others), ["conv Full", "message 3"]);
        assert_eq!(replay.message(3).kind, MessageKind::Unmanage);
        let settings = &replay.head().settings;
        assert!(settings.organisation_id.is_none() && settings.admins.is_empty());
        assert!(effects(&decision).contains(&"organisation manages false: chat.set_unmanaged".to_owned()));
        assert!(replay.apply(&fate(DON, ACME, Fate::Closed)).changes.is_empty());
    }
}
