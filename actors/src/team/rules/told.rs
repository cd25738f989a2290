//! What a team is told by conversations that have it, and by the organisation that manages it (accounts.md §8.2, §8.4, §9).

use rill_proto::id::{AccountId, ConversationId, OrganisationId};
use serde_json::json;

use super::Decision;
use super::configure::set_free;
use super::create::ids;
use super::draft::Draft;
use crate::effect::{Effect, Fate};
use crate::group::Facts;
use crate::store::Aggregate;
use crate::team::MEMBERS_MAX;
use crate::team::roster::Roster;
use crate::team::state::{Change, Member, Place, State};

/// A conversation has it now, or no longer; it knows the team as of some version.
pub(super) fn placed(
    state: &State,
    conversation_id: ConversationId,
    place: Place,
    (by, roster_version): (AccountId, u64),
    facts: &Facts,
) -> Decision {
    let Some(head) = &state.head else { return Decision::default() };
    let known = state.conversations.get(&conversation_id);
    if known.is_some_and(|known| known.version >= place.version) {
        return Decision::default();
    }
    let (is_there, topic) = (place.is_there, place.topic.clone());
    let is_new = known.is_some_and(|known| known.is_there) != is_there;
    // What it was made with was written down then, and what goes with it is no change of its own.
    let is_known = known.is_some_and(Place::is_promised) || head.is_deleted;
    let mut decision = if is_new && !is_known {
        let mut draft = Draft::new(state, by, head.clone(), facts);
        draft.is_quiet = true;
        draft.place(conversation_id, place);
        if is_there {
            let data = json!({ "conversation_ids": [conversation_id], "conversation_topics": [topic] });
            draft.log("team.add_conversations", data);
        } else {
            draft.head_mut().version_nr += 1;
        }
        draft.finish()
    } else {
        Decision { changes: vec![Change::Place(conversation_id, place)], ..Decision::default() }
    };
    let is_behind = roster_version < head.version_nr || head.is_deleted;
    if let Some(roster) = Roster::of(state).filter(|_| is_there && is_behind) {
        let staffed = Effect::Staffed { roster, by };
        decision.effects.push((Aggregate::Conversation(conversation_id), staffed));
    }
    decision
}

/// Somebody in it has closed his account.
pub(super) fn retired(state: &State, id: AccountId, facts: &Facts) -> Decision {
    let Some(head) = state.head.as_ref().filter(|head| !head.is_deleted) else { return Decision::default() };
    let mut draft = Draft::new(state, id, head.clone(), facts);
    let gone = draft.remove(&[id]);
    if gone.is_empty() {
        return Decision::default();
    }
    draft.log("team.remove_members", json!({ "member_ids": ids(&gone) }));
    draft.finish()
}

/// The organisation that manages it has somebody more or less, or is closed.
pub(super) fn discharged(
    state: &State,
    organisation_id: OrganisationId,
    by: AccountId,
    fate: Fate,
    facts: &Facts,
) -> Decision {
    let head =
        state.head.as_ref().filter(|head| head.organisation_id == Some(organisation_id) && !head.is_deleted);
    let Some(head) = head else { return Decision::default() };
    let mut draft = Draft::new(state, by, head.clone(), facts);
    match fate {
        Fate::Invited(id) => {
            let has_room = state.present().count() < MEMBERS_MAX;
            let is_new = head.is_org_wide && has_room && !state.is_present(id);
            if is_new {
                draft.put(id, Member { is_present: true, is_pending: true, ..Member::default() });
                draft.log("team.add_members", json!({ "member_ids": ids(&[id]) }));
            } else if state.is_present(id) {
                draft.put(id, Member { is_pending: true, ..state.members[&id] });
            }
        }
        Fate::Settled(id) => {
            if let Some(member) = state.members.get(&id).filter(|member| member.is_pending) {
                draft.put(id, Member { is_pending: false, ..*member });
            }
        }
        Fate::Removed(id) if !head.is_org_wide => {
            let member = state.members.get(&id).filter(|member| member.is_admin || member.is_pending);
            if let Some(member) = member {
                draft.put(id, Member { is_admin: false, is_pending: false, ..*member });
            }
        }
        // Who leaves the organisation leaves its organisation-wide teams.
        Fate::Removed(id) | Fate::Kicked(id) => {
            let is_kicked = matches!(fate, Fate::Kicked(_));
            let gone = if is_kicked { draft.kick(&[id]) } else { draft.remove(&[id]) };
            if !gone.is_empty() {
                draft.log("team.remove_members", json!({ "member_ids": ids(&gone) }));
            } else if state.members.get(&id).is_some_and(|member| member.is_admin) {
                draft.put(id, Member::default());
            }
        }
        Fate::Closed => set_free(&mut draft),
    }
    if draft.state == *state { Decision::default() } else { draft.finish() }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::create::tests::{ACME, core, employed, make};
    use super::*;
    use crate::group::replay::{ALICE, BOB, CAROL, Replay};
    use crate::team::Create;

    const HERE: ConversationId = ConversationId(Uuid::from_u128(0xC));

    fn fate(fate: Fate) -> Effect {
        let organisation_name = "Acme".to_owned();
        Effect::Discharged { organisation_id: ACME, organisation_name, by: ALICE, fate }
    }

    fn place(is_there: bool, roster_version: u64, version: u64) -> Effect {
        let topic = "Lunch".to_owned();
        Effect::Placed { conversation_id: HERE, is_there, by: ALICE, topic, roster_version, version }
    }

    fn managed(is_org_wide: bool) -> Replay<State> {
        let mut replay = employed();
        make(&mut replay, ALICE, Create { is_org_wide, ..core(&[BOB]) }).unwrap();
        replay
    }

    fn staffed(decision: &Decision) -> Vec<&Roster> {
        let rosters = decision.effects.iter().filter_map(|(_, effect)| {
            let Effect::Staffed { roster, .. } = effect else { return None };
            Some(roster)
        });
        rosters.collect()
    }

    #[test]
    fn a_conversation_that_knows_an_older_team_is_told_and_the_organisation_writes_it_down() {
        let mut replay = managed(false);
        let decision = replay.apply(&place(true, 1, 5));
        assert!(staffed(&decision).is_empty());
        let Some((_, Effect::Managed { entries, .. })) = decision.effects.last() else { panic!("no entry") };
        assert_eq!(
            (entries[0].event_type.as_str(), &entries[0].event_data["conversation_topics"]),
            ("team.add_conversations", &json!(["Lunch"]))
        );
        assert!(!replay.apply(&place(true, 1, 5)).is_durable());
        let later = replay.apply(&place(true, 1, 6));
        assert_eq!(staffed(&later).len(), 1);
    }

    #[test]
    fn its_conversations_are_told_of_whoever_comes_and_goes() {
        let mut replay = managed(true);
        replay.apply(&place(true, 1, 5));
        let kicked = replay.apply(&fate(Fate::Kicked(BOB)));
        let [roster] = staffed(&kicked)[..] else { panic!("{:?}", kicked.effects) };
        assert!(roster.kicked.contains(&BOB) && !roster.members.contains(&BOB));
        replay.apply(&place(false, 9, 9));
        assert!(staffed(&replay.apply(&fate(Fate::Removed(CAROL)))).is_empty());
        assert_eq!(replay.state.present().collect::<Vec<_>>(), [ALICE]);
    }

    #[test]
    fn an_organisation_wide_team_takes_in_whoever_is_invited_and_another_one_does_not() {
        for is_org_wide in [true, false] {
            let mut replay = managed(is_org_wide);
            let gone = replay.apply(&fate(Fate::Removed(BOB)));
            assert_eq!(gone.is_durable(), is_org_wide);
            replay.apply(&fate(Fate::Invited(CAROL)));
            assert_eq!(replay.state.is_present(CAROL), is_org_wide);
            replay.apply(&fate(Fate::Settled(CAROL)));
            assert!(replay.state.members.get(&CAROL).is_none_or(|member| !member.is_pending));
        }
    }

    #[test]
    fn who_closes_his_account_is_in_it_no_more() {
        let mut replay = managed(false);
        replay.apply(&place(true, 1, 5));
        let decision = replay.apply(&Effect::Retired { account_id: BOB });
        assert_eq!(replay.state.present().collect::<Vec<_>>(), [ALICE]);
        assert!(staffed(&decision)[0].members.iter().eq([&ALICE]));
        assert!(!replay.apply(&Effect::Retired { account_id: BOB }).is_durable());
    }

    #[test]
    fn what_it_was_made_with_is_no_change_of_its_own_when_it_is_there() {
        let mut replay = employed();
        let conversations = vec![(HERE, "Lunch".to_owned())];
        let decision = make(&mut replay, ALICE, Create { conversations, ..core(&[BOB]) }).unwrap();
        let Some((_, Effect::Managed { entries, .. })) = decision.effects.last() else { panic!("no entry") };
        assert_eq!(entries[0].event_data["conversation_topics"], json!(["Lunch"]));
        assert!(staffed(&decision).is_empty(), "it is not there yet");
        let sight = crate::team::sight::Sight::of(&replay.state).unwrap();
        assert!(sight.promised.contains(&HERE) && !sight.conversations[&HERE]);
        let placed = replay.apply(&place(true, 1, 5));
        assert!(placed.effects.is_empty() && placed.news.is_empty());
        assert!(replay.state.conversations[&HERE].is_there);
        assert_eq!(replay.state.head.as_ref().unwrap().version_nr, 1);
    }

    #[test]
    fn a_closed_organisation_sets_it_free_and_another_ones_word_means_nothing() {
        let mut replay = managed(false);
        let decision = replay.apply(&fate(Fate::Closed));
        assert_eq!(replay.state.head.as_ref().unwrap().organisation_id, None);
        assert_eq!((replay.state.present().count(), replay.state.admins().count()), (2, 0));
        assert!(decision.is_durable());
        assert!(!replay.apply(&fate(Fate::Kicked(BOB))).is_durable());
    }
}
