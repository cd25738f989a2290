//! The settings of an organisation that are on or off (accounts.md §9.7). An event that names none by its params names it by
//! itself; whether it is set is all that they differ in.

use rill_proto::classificator::OrganisationFlag as Flag;
use rill_proto::event::organisation::Event;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::json;

use super::draft::Draft;
use super::{Decision, administered, keeping, shown};
use crate::group::Facts;
use crate::organisation::state::State;

/// Which setting an event is about, and what it makes of it; `None` for an event that is about none.
fn setting(event: &Event) -> Option<(Flag, bool)> {
    Some(match event {
        Event::Get(_) => return None,
        Event::EnableFlag(event) => (event.flag_name, true),
        Event::DisableFlag(event) => (event.flag_name, false),
        Event::EnableCreatePremiumConversations(_) => (Flag::CreatePremiumConversations, true),
        Event::DisableCreatePremiumConversations(_) => (Flag::CreatePremiumConversations, false),
        Event::EnableDeleteFiles(_) => (Flag::DeleteFiles, true),
        Event::DisableDeleteFiles(_) => (Flag::DeleteFiles, false),
        Event::EnableEnforceNoPassword(_) => (Flag::EnforceNoPassword, true),
        Event::DisableEnforceNoPassword(_) => (Flag::EnforceNoPassword, false),
        Event::EnableEnforcePresence(_) => (Flag::EnforcePresence, true),
        Event::DisableEnforcePresence(_) => (Flag::EnforcePresence, false),
        Event::EnableHideMembers(_) => (Flag::HideMembers, true),
        Event::DisableHideMembers(_) => (Flag::HideMembers, false),
        Event::EnableShowNotManagedBanner(_) => (Flag::ShowNotManagedBanner, true),
        Event::DisableShowNotManagedBanner(_) => (Flag::ShowNotManagedBanner, false),
        Event::EnableShowOutsideMembersBanner(_) => (Flag::ShowOutsideMembersBanner, true),
        Event::DisableShowOutsideMembersBanner(_) => (Flag::ShowOutsideMembersBanner, false),
    })
}

/// Whether a setting binds the members' accounts, which are told of it then.
fn binds_accounts(flag: Flag) -> bool {
    match flag {
        Flag::EnforceNoPassword | Flag::HideMembers | Flag::EnforcePresence => true,
        Flag::DeleteFiles
        | Flag::CreatePremiumConversations
        | Flag::ShowOutsideMembersBanner
        | Flag::ShowNotManagedBanner => false,
    }
}

/// Every event of an organisation that changes something.
pub(super) fn switch(
    state: &State,
    caller: AccountId,
    event: &Event,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    let head = administered(state, caller)?;
    let Some((flag, is_on)) = setting(event) else { return Ok(shown(state)) };
    if head.flags.contains(&flag) == is_on {
        return Ok(shown(state));
    }
    let mut draft = Draft::new(state, caller, head, facts);
    if is_on {
        draft.head.flags.insert(flag);
        draft.log("configure_org", json!({ "enable_flag": flag }));
    } else {
        draft.head.flags.remove(&flag);
        draft.log("configure_org", json!({ "disable_flag": flag }));
    }
    if is_on && flag == Flag::DeleteFiles {
        draft.effects.push(keeping::alarm(state, facts.now));
    }
    draft.concerns_all = binds_accounts(flag);
    Ok(draft.finish())
}

#[cfg(test)]
pub(super) mod tests {
    use rill_proto::event::{ClientEvent, organisation};
    use rill_proto::id::OrganisationId;
    use uuid::Uuid;

    use super::*;
    use crate::effect::Effect;
    use crate::group::replay::{ALICE, BOB, CAROL, Replay};
    use crate::organisation::Order;
    use crate::organisation::record::News;
    use crate::organisation::state::Change;

    pub(in crate::organisation) const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(0x0F));

    /// Alice's organisation.
    pub(in crate::organisation) fn acme() -> Replay<State> {
        let mut replay = Replay::<State>::new(ORGANISATION);
        replay.order(ALICE, Order::Found { organisation_name: "Acme".to_owned() }).unwrap();
        replay
    }

    fn set(flag_name: Flag, is_on: bool) -> ClientEvent {
        let organisation_id = ORGANISATION;
        ClientEvent::Organisation(if is_on {
            Event::EnableFlag(organisation::EnableFlag { organisation_id, flag_name })
        } else {
            Event::DisableFlag(organisation::DisableFlag { organisation_id, flag_name })
        })
    }

    fn version(replay: &Replay<State>) -> u64 {
        replay.state.head.as_ref().unwrap().version_nr
    }

    #[test]
    fn a_setting_is_switched_written_down_and_told_and_the_same_again_changes_nothing() {
        let mut replay = acme();
        let decision = replay.ask(ALICE, set(Flag::DeleteFiles, true)).unwrap();
        assert_eq!((decision.answer, decision.news), (vec![News::Header], vec![News::Header]));
        assert_eq!(version(&replay), 2);
        let Change::Entry(2, entry) = &decision.changes[1] else { panic!("{:?}", decision.changes) };
        assert_eq!(
            (entry.event_type.as_str(), &entry.event_data["enable_flag"]),
            ("configure_org", &json!("delete_files"))
        );
        let again = replay.ask(ALICE, set(Flag::DeleteFiles, true)).unwrap();
        assert!(!again.is_durable());
        assert_eq!((again.answer, again.news), (vec![News::Header], Vec::new()));
        replay.ask(ALICE, set(Flag::DeleteFiles, false)).unwrap();
        assert_eq!((version(&replay), replay.state.head.as_ref().unwrap().flags.len()), (3, 0));
    }

    #[test]
    fn what_binds_the_members_is_told_to_their_accounts() {
        let mut replay = acme();
        let effects = |decision: Decision| decision.effects.len();
        assert_eq!(effects(replay.ask(ALICE, set(Flag::ShowNotManagedBanner, true)).unwrap()), 0);
        let decision = replay.ask(ALICE, set(Flag::HideMembers, true)).unwrap();
        let [(_, Effect::Employed(told))] = &decision.effects[..] else { panic!("{:?}", decision.effects) };
        assert!(told.flags.contains(&Flag::HideMembers));
    }

    #[test]
    fn only_an_active_admin_switches_and_only_what_is_there_and_open() {
        let mut replay = acme();
        assert_eq!(replay.ask(BOB, set(Flag::DeleteFiles, true)), Err(Refusal::forbidden()));
        let mut nobodys = Replay::<State>::new(OrganisationId(Uuid::from_u128(0x0E)));
        assert_eq!(nobodys.ask(CAROL, set(Flag::DeleteFiles, true)), Err(Refusal::not_found("Organisation")));
    }

    #[test]
    fn each_setting_has_an_event_of_its_own_for_on_and_for_off() {
        let params = json!({ "organisation_id": ORGANISATION }).to_string();
        let params = serde_json::value::RawValue::from_string(params).unwrap();
        for flag in [
            Flag::EnforceNoPassword,
            Flag::HideMembers,
            Flag::DeleteFiles,
            Flag::EnforcePresence,
            Flag::CreatePremiumConversations,
            Flag::ShowOutsideMembersBanner,
            Flag::ShowNotManagedBanner,
        ] {
            for (verb, is_on) in [("enable", true), ("disable", false)] {
                let urn = format!("urn:fleep:client:organisation:{verb}_{}", flag.wire());
                let ClientEvent::Organisation(event) = ClientEvent::decode(&urn, &params).unwrap() else {
                    panic!("{urn}")
                };
                assert_eq!(setting(&event), Some((flag, is_on)), "{urn}");
            }
        }
    }
}
