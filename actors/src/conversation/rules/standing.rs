//! Who asks: the preconditions that every event of a conversation begins with (conversations.md §4.2, §12).

use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::account::profile::Profile;
use crate::conversation::rules::{Facts, Judged};
use crate::conversation::state::{Head, Member, State};

/// The caller and the conversation, for events that an ex-member may ask as well.
///
/// # Errors
/// `not_member` when there is no such conversation, or the caller never was in it; which of the two is not told.
pub(super) fn viewer(state: &State, caller: AccountId) -> Result<(&Head, &Member), Refusal> {
    let head = state.head.as_ref().ok_or_else(Refusal::not_member)?;
    let member = state.members.get(&caller).ok_or_else(Refusal::not_member)?;
    Ok((head, member))
}

/// The caller and the conversation, for events of present members.
///
/// # Errors
/// As [`viewer`], and `has_left` for an ex-member.
pub(super) fn member(state: &State, caller: AccountId) -> Result<(&Head, &Member), Refusal> {
    let (head, member) = viewer(state, caller)?;
    if member.is_present() { Ok((head, member)) } else { Err(Refusal::has_left()) }
}

/// The conversation, for who may change members and settings: any present member; where an organisation manages it, its own
/// admins and those of the organisation, who need not be members (accounts.md §10.2).
///
/// # Errors
/// As [`member`], and `no_permission` for a member who is no admin of a managed conversation. Whether a stranger is one of
/// the organisation must be fetched first.
pub(super) fn manager<'s>(state: &'s State, caller: AccountId, facts: &Facts) -> Judged<&'s Head> {
    let head = state.head.as_ref().ok_or_else(Refusal::not_member)?;
    match member(state, caller) {
        Ok(_) if head.settings.organisation_id.is_none() => Ok(head),
        Ok((_, member)) if is_admin(head, caller, &member.profile) => Ok(head),
        Ok(_) => Err(Refusal::no_permission("Only admins can change this conversation.").into()),
        Err(_) if is_admin_from_outside(head, caller, facts)? => Ok(head),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Whether somebody who is no member is an admin of the organisation that manages the conversation.
fn is_admin_from_outside(head: &Head, caller: AccountId, facts: &Facts) -> Judged<bool> {
    if head.settings.organisation_id.is_none() {
        return Ok(false);
    }
    let found = facts.profiles(&[caller])?;
    Ok(found.iter().any(|(_, profile)| profile.is_some_and(|profile| is_org_admin(head, profile))))
}

fn is_admin(head: &Head, caller: AccountId, profile: &Profile) -> bool {
    head.settings.admins.contains(&caller) || is_org_admin(head, profile)
}

fn is_org_admin(head: &Head, profile: &Profile) -> bool {
    let organisation_id = head.settings.organisation_id;
    organisation_id.is_some()
        && profile.organisation_id == organisation_id
        && profile.is_org_admin == Some(true)
}

/// A present member who may post.
///
/// # Errors
/// As [`member`], and `no_permission` when only admins may write.
pub(super) fn writer(state: &State, caller: AccountId) -> Result<(&Head, &Member), Refusal> {
    let (head, member) = member(state, caller)?;
    if head.settings.is_admin_write_only == Some(true) && !is_admin(head, caller, &member.profile) {
        return Err(Refusal::no_permission("Only admins can write in this conversation."));
    }
    Ok((head, member))
}

#[cfg(test)]
mod tests {
    use rill_proto::event::{ClientEvent, conv};
    use rill_proto::id::OrganisationId;
    use rill_proto::refusal::Refusal;
    use serde_json::json;
    use uuid::Uuid;

    use crate::conversation::audience;
    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{Decision, Reach};
    use crate::conversation::state::MessageKind;

    const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(0x0F));

    /// Begun by Alice, with Bob; Jil is an admin of the organisation and no member.
    fn managed() -> Replay {
        let mut replay = Replay::nothing();
        for (id, is_org_admin) in [(ALICE, false), (BOB, false), (JIL, true)] {
            let profile = replay.profiles.get_mut(&id).unwrap();
            profile.organisation_id = Some(ORGANISATION);
            profile.organisation_name = Some("Acme".to_owned());
            profile.is_org_admin = Some(is_org_admin);
        }
        let founding = conv::Create { is_managed: true, ..founding("Plans", &[BOB]) };
        replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
        replay
    }

    fn ask_for(verb: &str, params: serde_json::Value) -> ClientEvent {
        event(&format!("conv:{verb}"), params)
    }

    fn is_told_nothing(replay: &Replay, decision: &Decision) -> bool {
        let own = decision.news.iter().filter(|(reach, _)| *reach == Reach::Own).map(|(_, news)| news);
        decision.answer.iter().chain(own).all(|news| !audience::may_see(&replay.state, JIL, news))
    }

    #[test]
    fn an_admin_of_the_organisation_settles_what_he_is_not_in() {
        let mut replay = managed();
        let decision = replay.ask(JIL, set_topic("Harvest")).unwrap();
        assert!(is_told_nothing(&replay, &decision), "he does not read it");
        assert_eq!((replay.message(2).kind, replay.message(2).account_id), (MessageKind::Topic, JIL));
        assert_eq!(
            told(&decision, Reach::Others),
            ["conv Full", "message 2"],
            "nobody hears that he has read"
        );
        let steps = [
            ("add_members", json!({ "account_ids": [CHARLIE, DON] })),
            ("add_admins", json!({ "account_ids": [BOB] })),
            ("remove_admins", json!({ "account_ids": [ALICE] })),
            ("enable_admin_write_only", json!({})),
            ("disable_admin_write_only", json!({})),
            ("set_type", json!({ "mk_conv_type": "cct_list" })),
            ("set_default_call_room", json!({ "default_call_room": "blue" })),
            ("conv_enable_disclose", json!({})),
            ("remove_members", json!({ "account_ids": [CHARLIE] })),
            ("kick_members", json!({ "account_ids": [DON] })),
        ];
        for (verb, params) in steps {
            let decision = replay.ask(JIL, ask_for(verb, params)).unwrap();
            assert!(!decision.changes.is_empty() && is_told_nothing(&replay, &decision), "{verb}");
        }
        assert_eq!((replay.present(), &replay.head().settings.admins), (vec![ALICE, BOB], &vec![BOB]));
        assert_eq!(replay.body(6)["org_name"], "Acme");
        replay.ask(JIL, ask_for("set_unmanaged", json!({}))).unwrap();
        assert_eq!(replay.ask(JIL, set_topic("x")), Err(Refusal::not_member()), "it is nobody's now");
    }

    #[test]
    fn he_deletes_all_of_it_and_is_told_nothing() {
        let mut replay = managed();
        let decision = replay.ask(JIL, ask_for("conv_deleted_by_admin", json!({}))).unwrap();
        assert!(is_told_nothing(&replay, &decision) && replay.present().is_empty());
        assert_eq!(replay.body(2)["members"], json!([ALICE, BOB]));
        for member in [ALICE, BOB] {
            let lines = told(&decision, Reach::Account(member));
            assert_eq!(lines, ["conv Init(Full) fw 2 bw 2 reset", "message 2"]);
        }
    }

    #[test]
    fn he_brings_himself_in_and_sees_it_from_then_on() {
        let mut replay = managed();
        replay.post(ALICE, "two");
        replay.ask(JIL, add(&[JIL])).unwrap();
        assert_eq!((replay.counters(JIL).join, replay.counters(JIL).unread), (3, 0));
        replay.post(JIL, "four");
    }

    #[test]
    fn what_a_conversation_says_is_not_for_him() {
        let mut replay = managed();
        for event in [
            add_plain("hello"),
            sync_forward(0),
            leave(),
            ask_for("set_managed", json!({})),
            ask_for("sync_initial", json!({})),
            ask_for("disclose", json!({ "account_ids": [BOB] })),
            ask_for("mark_read", json!({ "show_message_nr": 1 })),
        ] {
            let urn = event.urn();
            assert_eq!(replay.ask(JIL, event), Err(Refusal::not_member()), "{urn}");
        }
    }

    #[test]
    fn nobody_else_acts_from_outside() {
        let mut replay = managed();
        replay.ask(ALICE, add(&[DON])).unwrap();
        replay.ask(DON, leave()).unwrap();
        assert_eq!(replay.ask(CHARLIE, set_topic("x")), Err(Refusal::not_member()));
        let charlie = replay.profiles.get_mut(&CHARLIE).unwrap();
        charlie.organisation_id = Some(ORGANISATION);
        assert_eq!(replay.ask(CHARLIE, set_topic("x")), Err(Refusal::not_member()), "he is no admin");
        let don = replay.profiles.get_mut(&DON).unwrap();
        (don.organisation_id, don.is_org_admin) = (Some(OrganisationId(Uuid::from_u128(7))), Some(true));
        assert_eq!(replay.ask(DON, set_topic("x")), Err(Refusal::has_left()), "another organisation's");
        let mut free = Replay::with(&[BOB]);
        let jil = free.profiles.get_mut(&JIL).unwrap();
        (jil.organisation_id, jil.is_org_admin) = (Some(ORGANISATION), Some(true));
        assert_eq!(free.ask(JIL, set_topic("x")), Err(Refusal::not_member()), "nobody manages it");
        let kick = ask_for("kick_members", json!({ "account_ids": [BOB] }));
        assert_eq!(free.ask(JIL, kick), Err(Refusal::not_member()));
    }
}
