//! Conversations that an organisation manages (conversations.md §4.2, §6.2, accounts.md §10): becoming one and ceasing to be one,
//! admins, taking content from whoever is kicked, and deleting all of it.
//!
//! Not here: which organisation somebody belongs to (his profile says so), and the organisation's own rules (`organisation`).

use rill_proto::classificator::{InitMode, OrganisationFlag};
use rill_proto::event::conv;
use rill_proto::id::{AccountId, OrganisationId};
use rill_proto::refusal::Refusal;

use crate::conversation::rules::changelog::Deed;
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{
    Decision, Facts, Header, Judged, Keys, News, Reach, body, changelog, membership, setting, standing, team,
};
use crate::conversation::state::{Head, Managed, Member, MessageKind, PERIODS_MAX, State};
use crate::organisation::sight::Terms;

/// An organisation, as far as its conversations name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Organisation {
    pub(super) id: OrganisationId,
    pub(super) name: String,
}

/// The organisation of which the caller is an active member.
///
/// # Errors
/// `no_permission` when he is in none, or [`Stop::Needs`](super::Stop::Needs).
pub(super) fn employer(facts: &Facts, caller: AccountId) -> Judged<Organisation> {
    let profiles = facts.profiles(&[caller])?;
    let profile = profiles.into_iter().find_map(|(_, profile)| profile);
    let found = profile.and_then(|profile| {
        let name = profile.organisation_name.clone().unwrap_or_default();
        Some(Organisation { id: profile.organisation_id?, name })
    });
    found.ok_or_else(|| Refusal::no_permission("Not member of organisation!").into())
}

/// The organisation under which a conversation of the caller's begins though nobody said so: his own, where it wants that
/// (accounts.md §9.7).
///
/// # Errors
/// [`Stop::Needs`](super::Stop::Needs) with what must be fetched first.
pub(super) fn by_default(facts: &Facts, caller: AccountId) -> Judged<Option<Organisation>> {
    let profiles = facts.profiles(&[caller])?;
    let employer = profiles.into_iter().find_map(|(_, profile)| profile?.organisation_id);
    let Some(id) = employer else { return Ok(None) };
    let wants =
        |terms: &&Terms| terms.is_open && terms.flags.contains(&OrganisationFlag::CreatePremiumConversations);
    let terms = facts.organisation(id)?.filter(wants);
    Ok(terms.map(|terms| Organisation { id, name: terms.name.clone() }))
}

/// `conv:set_managed`: by the organisation that the caller is in. Where it is so already nothing happens.
pub(super) fn set_managed(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let (head, _) = standing::member(state, caller)?;
    let organisation = employer(facts, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    match head.settings.organisation_id {
        Some(id) if id == organisation.id => draft.finish(None),
        Some(_) => Err(Refusal::no_permission("Another organisation manages this conversation.").into()),
        None => {
            manage(&mut draft, &organisation)?;
            draft.finish(None)
        }
    }
}

/// Puts the conversation under an organisation, with the caller as its admin; says so in a message.
pub(super) fn manage(draft: &mut Draft<'_>, by: &Organisation) -> Judged<()> {
    draft.head.settings.organisation_id = Some(by.id);
    draft.head.settings.admins = vec![draft.caller];
    let nr = draft.say(
        MessageKind::Manage,
        body::text(&body::Organisation {
            org_name: by.name.clone(),
            organisation_id: by.id,
            sysmsg_text: "{author} put this conversation under {org_name}; its admins change settings and members.",
        }),
    )?;
    begin_period(&mut draft.head, nr);
    draft.change_facts();
    let deed = Deed { organisation_id: by.id, is_managed: true, event_type: "chat.set_managed", about: None };
    changelog::tell(draft, &deed);
    Ok(())
}

/// From this slot on what is written belongs to the organisation.
pub(super) fn begin_period(head: &mut Head, begin: u64) {
    if head.managed.len() >= PERIODS_MAX {
        // Two old ones become one with the time between them: nobody is shown more than he should see.
        let first = head.managed.remove(0);
        head.managed[0].begin = first.begin;
    }
    head.managed.push(Managed { begin, end: None });
}

/// `conv:set_unmanaged`.
pub(super) fn set_unmanaged(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let (head, organisation) = admin(state, caller, facts)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    release(&mut draft, organisation)?;
    draft.finish(None)
}

/// No organisation manages the conversation any more.
pub(super) fn release(draft: &mut Draft<'_>, organisation: Organisation) -> Judged<()> {
    let deed = Deed {
        organisation_id: organisation.id,
        is_managed: false,
        event_type: "chat.set_unmanaged",
        about: None,
    };
    changelog::tell(draft, &deed);
    let settings = &mut draft.head.settings;
    settings.organisation_id = None;
    settings.admins.clear();
    if settings.is_admin_write_only == Some(true) {
        // There is nobody left who could write.
        settings.is_admin_write_only = Some(false);
    }
    draft.head.is_deletable = false;
    let nr = draft.say(
        MessageKind::Unmanage,
        body::text(&body::Organisation {
            org_name: organisation.name,
            organisation_id: organisation.id,
            sysmsg_text: "{org_name} no longer manages this conversation; every member may change settings and members.",
        }),
    )?;
    if let Some(period) = draft.head.managed.last_mut() {
        period.end = Some(nr - 1);
    }
    draft.change_facts();
    Ok(())
}

/// `conv:add_admins`: members become admins.
pub(super) fn add_admins(
    state: &State,
    caller: AccountId,
    event: &conv::AddAdmins,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, organisation) = admin(state, caller, facts)?;
    let wanted = membership::named(&event.account_ids)?;
    present(state, &wanted)?;
    let decision = setting::quietly(Ok(head), state, caller, facts, |settings| {
        let new = wanted.iter().filter(|id| !head.settings.admins.contains(id));
        settings.admins.extend(new);
    })?;
    Ok(appointed(decision, state, caller, facts, (organisation.id, "chat.add_admins", &wanted)))
}

/// `conv:remove_admins`: of anybody but oneself.
pub(super) fn remove_admins(
    state: &State,
    caller: AccountId,
    event: &conv::RemoveAdmins,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, organisation) = admin(state, caller, facts)?;
    let unwanted = membership::named(&event.account_ids)?;
    present(state, &unwanted)?;
    if unwanted.contains(&caller) {
        return Err(Refusal::no_permission("Admins do not remove themselves.").into());
    }
    let decision = setting::quietly(Ok(head), state, caller, facts, |settings| {
        settings.admins.retain(|id| !unwanted.contains(id));
    })?;
    Ok(appointed(decision, state, caller, facts, (organisation.id, "chat.remove_admins", &unwanted)))
}

/// What was decided of admins, and told to the organisation.
fn appointed(
    mut decision: Decision,
    state: &State,
    caller: AccountId,
    facts: &Facts,
    (organisation_id, event_type, ids): (OrganisationId, &'static str, &[AccountId]),
) -> Decision {
    let deed = Deed { organisation_id, is_managed: true, event_type, about: Some(("admin_ids", ids)) };
    changelog::append(&mut decision, state, caller, facts, &deed);
    decision
}

/// `conv:enable_admin_write_only` and its opposite.
pub(super) fn admin_write_only(
    on: bool,
    state: &State,
    caller: AccountId,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, _) = admin(state, caller, facts)?;
    setting::quietly(Ok(head), state, caller, facts, |settings| {
        if settings.is_admin_write_only.unwrap_or(false) != on {
            settings.is_admin_write_only = Some(on);
        }
    })
}

/// `conv:kick_members`: they are out, and what was written while the conversation was managed is closed to them. Who is no
/// member is passed over, and so is the caller.
pub(super) fn kick(
    state: &State,
    caller: AccountId,
    event: &conv::KickMembers,
    facts: &Facts,
) -> Judged<Decision> {
    if standing::member(state, caller).is_ok_and(|(head, _)| head.settings.organisation_id.is_none()) {
        return Err(Refusal::no_permission("Can not kick from an unmanaged conv!").into());
    }
    let (head, organisation) = admin(state, caller, facts)?;
    let mut kicked = membership::named(&event.account_ids)?;
    kicked.retain(|id| *id != caller && state.members.get(id).is_some_and(Member::is_present));
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if !kicked.is_empty() {
        put_out(&mut draft, organisation, &kicked)?;
    }
    draft.finish(None)
}

/// Removes members together with their access.
pub(super) fn put_out(draft: &mut Draft<'_>, from: Organisation, kicked: &[AccountId]) -> Judged<()> {
    let message = body::text(&body::Kicked {
        members: kicked.to_vec(),
        org_name: from.name,
        organisation_id: from.id,
        sysmsg_text: "{author} removed {members} together with their access to this conversation.",
    });
    membership::put_out(draft, MessageKind::KickV2, message, kicked)?;
    for account_id in kicked {
        draft.revoke(*account_id)?;
    }
    Ok(())
}

/// `conv:conv_deleted_by_admin`: everybody is out, and everything is closed but the message that says so.
pub(super) fn delete(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let (head, organisation) = admin(state, caller, facts)?;
    if !head.is_deletable {
        let what = "Only a conversation that was begun as a managed one is deleted by its admins.";
        return Err(Refusal::no_permission(what).into());
    }
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    draft.head.is_deletable = false;
    if draft.head.settings.is_autojoin == Some(true) {
        draft.head.settings.is_autojoin = Some(false);
    }
    // Teams go first, each with those who are in through it (conversations.md §6.1).
    for id in head.teams.clone() {
        let gone = team::through_alone(&draft, id);
        team::let_go(&mut draft, id, &gone)?;
    }
    let deed = Deed {
        organisation_id: organisation.id,
        is_managed: false,
        event_type: "chat.delete_conversation_by_admin",
        about: None,
    };
    changelog::tell(&mut draft, &deed);
    let members: Vec<AccountId> = draft.present();
    let message = body::text(&body::Kicked {
        members: members.clone(),
        org_name: organisation.name,
        organisation_id: organisation.id,
        sysmsg_text: "An administrator of {org_name} deleted this conversation with all of its content.",
    });
    membership::put_out(&mut draft, MessageKind::DeleteV1, message, &members)?;
    draft.close_everything()?;
    let nr = draft.head.show_message_nr;
    let mut decision = draft.finish(None)?;
    let own = decision.news.iter_mut().filter(|(reach, _)| *reach == Reach::Own).map(|(_, news)| news);
    for news in decision.answer.iter_mut().chain(own) {
        if let News::Header(header) = news {
            // The caller's clients drop what they hold, as everybody's do.
            *header = Header { keys: Keys::Init(InitMode::Full), fw: Some(nr), bw: Some(nr), is_reset: true };
        }
    }
    Ok(decision)
}

/// The conversation and who manages it, for what is its admins' alone.
///
/// # Errors
/// As [`standing::manager`], and `no_permission` where no organisation manages it.
fn admin<'s>(state: &'s State, caller: AccountId, facts: &Facts) -> Judged<(&'s Head, Organisation)> {
    let head = standing::manager(state, caller, facts)?;
    let organisation = organisation(state, head, facts);
    let none = || Refusal::no_permission("No organisation manages this conversation.");
    Ok((head, organisation.ok_or_else(none)?))
}

/// The organisation that manages a conversation, called as its people are told that it is called.
pub(super) fn organisation(state: &State, head: &Head, facts: &Facts) -> Option<Organisation> {
    let id = head.settings.organisation_id?;
    let members = state.members.values().map(|member| &member.profile);
    let fetched = facts.profiles.values().flatten();
    let own = members.chain(fetched).filter(|profile| profile.organisation_id == Some(id));
    let newest = own.max_by_key(|profile| profile.version);
    let name = newest.and_then(|profile| profile.organisation_name.clone());
    Some(Organisation { id, name: name.unwrap_or_default() })
}

/// # Errors
/// `not_found` when one of them is no member.
fn present(state: &State, wanted: &[AccountId]) -> Result<(), Refusal> {
    let is_in = |id: &AccountId| state.members.get(id).is_some_and(Member::is_present);
    if wanted.iter().all(is_in) { Ok(()) } else { Err(Refusal::not_found("Member")) }
}

#[cfg(test)]
mod tests {
    use rill_proto::event::{ClientEvent, conv};
    use rill_proto::id::{AccountId, OrganisationId};
    use rill_proto::refusal::Refusal;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;
    use crate::conversation::state::{MessageKind, PERIODS_MAX, Standing};

    const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(0x0F));
    const OTHER: OrganisationId = OrganisationId(Uuid::from_u128(0x10));

    /// Alice and Bob work for the organisation, Don for another one.
    fn employed() -> Replay {
        let mut replay = Replay::nothing();
        for (id, organisation, name) in
            [(ALICE, ORGANISATION, "Acme"), (BOB, ORGANISATION, "Acme"), (DON, OTHER, "Other")]
        {
            let profile = replay.profiles.get_mut(&id).unwrap();
            profile.organisation_id = Some(organisation);
            profile.organisation_name = Some(name.to_owned());
        }
        replay
    }

    fn with(others: &[AccountId]) -> Replay {
        let mut replay = employed();
        replay.ask(ALICE, create("Plans", others)).unwrap();
        replay
    }

    /// Begun as a managed one by Alice.
    fn begun(others: &[AccountId]) -> Replay {
        let mut replay = employed();
        let founding = conv::Create { is_managed: true, ..founding("Plans", others) };
        replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
        replay
    }

    fn ask_for(verb: &str) -> ClientEvent {
        event(&format!("conv:{verb}"), json!({}))
    }

    fn about(verb: &str, ids: &[AccountId]) -> ClientEvent {
        event(&format!("conv:{verb}"), json!({ "account_ids": ids }))
    }

    fn seen(replay: &Replay, who: AccountId) -> Vec<u64> {
        let member = &replay.state.members[&who];
        (1..=replay.head().last_message_nr).filter(|nr| member.sees(*nr)).collect()
    }

    #[test]
    fn a_member_puts_it_under_his_organisation_and_is_its_admin() {
        let mut replay = with(&[BOB, CHARLIE]);
        let decision = replay.ask(BOB, ask_for("set_managed")).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Full", "message 2"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Full", "message 2", "activity bob"]);
        assert_eq!((replay.message(2).kind, replay.message(2).inbox_nr), (MessageKind::Manage, 0));
        let body = replay.body(2);
        assert_eq!((&body["org_name"], &body["organisation_id"]), (&json!("Acme"), &json!(ORGANISATION)));
        let settings = &replay.head().settings;
        assert_eq!((settings.organisation_id, &settings.admins), (Some(ORGANISATION), &vec![BOB]));
        assert!(replay.ask(ALICE, ask_for("set_managed")).unwrap().changes.is_empty(), "it is so already");
        assert!(replay.ask(CHARLIE, set_topic("x")).is_err(), "admins alone change it now");
    }

    #[test]
    fn who_is_in_no_organisation_or_another_one_is_refused() {
        let mut replay = with(&[BOB, CHARLIE, DON]);
        let none = Refusal::no_permission("Not member of organisation!");
        assert_eq!(replay.ask(CHARLIE, ask_for("set_managed")), Err(none.clone()));
        assert_eq!(replay.ask(JIL, ask_for("set_managed")), Err(Refusal::not_member()));
        replay.ask(ALICE, ask_for("set_managed")).unwrap();
        assert_eq!(replay.ask(DON, ask_for("set_managed")).unwrap_err().status, 431);
        assert_eq!(replay.ask(CHARLIE, ask_for("set_managed")), Err(none.clone()));
        let managed = conv::Create { is_managed: true, ..founding("", &[]) };
        let founding = ClientEvent::Conv(conv::Event::Create(managed));
        assert_eq!(employed().ask(CHARLIE, founding), Err(none));
    }

    #[test]
    fn one_that_is_begun_managed_says_so_in_its_first_message() {
        let replay = begun(&[BOB]);
        let body = replay.body(1);
        assert_eq!((&body["org_name"], &body["organisation_id"]), (&json!("Acme"), &json!(ORGANISATION)));
        assert_eq!(replay.head().settings.admins, [ALICE]);
        assert!(replay.head().is_deletable);
        assert_eq!(with(&[BOB]).body(1)["org_name"], Value::Null);
    }

    #[test]
    fn it_is_given_back_to_its_members() {
        let mut replay = begun(&[BOB]);
        replay.ask(ALICE, ask_for("enable_admin_write_only")).unwrap();
        assert_eq!(replay.ask(BOB, ask_for("set_unmanaged")).unwrap_err().status, 431);
        replay.ask(ALICE, ask_for("set_unmanaged")).unwrap();
        assert_eq!(replay.message(2).kind, MessageKind::Unmanage);
        assert_eq!(replay.body(2)["org_name"], "Acme");
        let settings = &replay.head().settings;
        assert_eq!((settings.organisation_id, settings.admins.len()), (None, 0));
        assert_eq!(settings.is_admin_write_only, Some(false), "or nobody could write");
        replay.ask(BOB, set_topic("Ours")).unwrap();
        assert_eq!(replay.ask(ALICE, ask_for("set_unmanaged")).unwrap_err().status, 431);
    }

    #[test]
    fn admins_make_and_unmake_each_other() {
        let mut replay = begun(&[BOB, CHARLIE]);
        let decision = replay.ask(ALICE, about("add_admins", &[CHARLIE, ALICE])).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Full"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Full"]);
        assert_eq!(replay.head().settings.admins, [ALICE, CHARLIE]);
        assert!(replay.ask(ALICE, about("add_admins", &[CHARLIE])).unwrap().changes.is_empty());
        assert_eq!(replay.ask(ALICE, about("add_admins", &[JIL])), Err(Refusal::not_found("Member")));
        assert_eq!(replay.ask(BOB, about("add_admins", &[BOB])).unwrap_err().status, 431);
        assert_eq!(replay.ask(CHARLIE, about("remove_admins", &[CHARLIE])).unwrap_err().status, 431);
        replay.ask(CHARLIE, about("remove_admins", &[ALICE, BOB])).unwrap();
        assert_eq!(replay.head().settings.admins, [CHARLIE]);
        replay.ask(CHARLIE, leave()).unwrap();
        assert!(replay.head().settings.admins.is_empty(), "who is out is no admin");
        assert_eq!(replay.head().last_message_nr, 2, "admins are no messages");
    }

    #[test]
    fn an_admin_of_the_organisation_is_one_of_the_conversation_too() {
        let mut replay = employed();
        replay.profiles.get_mut(&BOB).unwrap().is_org_admin = Some(true);
        replay.profiles.get_mut(&DON).unwrap().is_org_admin = Some(true);
        let founding = conv::Create { is_managed: true, ..founding("", &[BOB, DON]) };
        replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
        replay.ask(BOB, set_topic("x")).unwrap();
        assert!(replay.ask(DON, set_topic("y")).is_err(), "another organisation's is none");
    }

    #[test]
    fn only_admins_write_as_long_as_that_is_so() {
        let mut replay = begun(&[BOB]);
        let decision = replay.ask(ALICE, ask_for("enable_admin_write_only")).unwrap();
        assert_eq!(told(&decision, Reach::Others), ["conv Full"]);
        assert_eq!(replay.ask(BOB, add_plain("hello")).unwrap_err().status, 431);
        replay.post(ALICE, "hello");
        assert!(replay.ask(ALICE, ask_for("enable_admin_write_only")).unwrap().changes.is_empty());
        assert_eq!(replay.ask(BOB, ask_for("disable_admin_write_only")).unwrap_err().status, 431);
        replay.ask(ALICE, ask_for("disable_admin_write_only")).unwrap();
        replay.post(BOB, "hello");
    }

    #[test]
    fn what_is_for_admins_is_refused_without_an_organisation() {
        let mut replay = with(&[BOB]);
        for event in [
            ask_for("set_unmanaged"),
            ask_for("enable_admin_write_only"),
            ask_for("disable_admin_write_only"),
            ask_for("conv_deleted_by_admin"),
            about("add_admins", &[BOB]),
            about("remove_admins", &[BOB]),
        ] {
            let refused = Refusal::no_permission("No organisation manages this conversation.");
            assert_eq!(replay.ask(ALICE, event.clone()), Err(refused));
            assert_eq!(replay.ask(JIL, event), Err(Refusal::not_member()));
        }
        let refused = Refusal::no_permission("Can not kick from an unmanaged conv!");
        assert_eq!(replay.ask(ALICE, about("kick_members", &[BOB])), Err(refused));
    }

    #[test]
    fn who_is_kicked_keeps_what_was_written_before_it_was_managed_and_the_message_that_says_so() {
        let mut replay = with(&[BOB, CHARLIE]);
        replay.post(BOB, "two");
        replay.ask(ALICE, ask_for("set_managed")).unwrap();
        replay.post(BOB, "four");
        let horizon = replay.stamp;
        let decision = replay.ask(ALICE, about("kick_members", &[BOB, JIL])).unwrap();
        assert_eq!((replay.message(5).kind, replay.message(5).inbox_nr), (MessageKind::KickV2, -2));
        let body = replay.body(5);
        assert_eq!((&body["members"], &body["org_name"]), (&json!([BOB]), &json!("Acme")));
        assert_eq!(told(&decision, Reach::Account(BOB)), ["conv Init(Full) fw 5 bw 5 reset", "message 5"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Full", "message 5", "activity alice"]);
        let bob = replay.counters(BOB);
        assert_eq!((bob.read, bob.show, bob.last, bob.send, bob.can_post), (4, 5, 5, 5, false));
        assert_eq!(seen(&replay, BOB), [1, 2, 5]);
        assert_eq!(replay.state.members[&BOB].standing, Standing::Kicked);
        let late = lines(&replay.catch_up(BOB, horizon));
        let form = ["contact alice", "contact charlie", "conv Init(Full) fw 5 bw 1 reset"];
        assert_eq!(late, [&form[..], &["message 1", "message 2", "message 5"]].concat());
        for nr in [3, 4] {
            assert!(replay.ask(BOB, on("load_context", nr)).is_err(), "{nr} is closed");
        }
        let answer = replay.ask(BOB, sync_forward(0)).unwrap().answer;
        assert_eq!(lines(&answer).iter().filter(|line| line.starts_with("message")).count(), 3);
    }

    #[test]
    fn who_joined_a_managed_one_keeps_nothing_but_the_message() {
        let mut replay = begun(&[]);
        replay.post(ALICE, "two");
        replay.ask(ALICE, add(&[BOB])).unwrap();
        replay.post(BOB, "four");
        replay.ask(ALICE, about("kick_members", &[BOB])).unwrap();
        assert_eq!(seen(&replay, BOB), [5]);
        assert_eq!(replay.ask(BOB, event("conv:autojoin", json!({}))).unwrap_err().status, 431);
    }

    #[test]
    fn who_is_brought_back_sees_what_comes_and_what_is_opened_to_him() {
        let mut replay = begun(&[BOB]);
        replay.post(ALICE, "two");
        replay.ask(ALICE, about("kick_members", &[BOB])).unwrap();
        replay.ask(ALICE, add(&[BOB])).unwrap();
        assert_eq!(seen(&replay, BOB), [3, 4]);
        assert!(replay.state.members[&BOB].was_present_at(2), "he was there all the same");
        replay.ask(ALICE, event("message:disclose", json!({"message_nr": 2, "account_ids": [BOB]}))).unwrap();
        assert_eq!(seen(&replay, BOB), [2, 3, 4, 5]);
    }

    #[test]
    fn time_without_an_organisation_is_kept() {
        let mut replay = begun(&[BOB]);
        replay.ask(ALICE, ask_for("set_unmanaged")).unwrap();
        replay.post(BOB, "three");
        replay.ask(ALICE, ask_for("set_managed")).unwrap();
        replay.post(BOB, "five");
        replay.ask(ALICE, about("kick_members", &[BOB])).unwrap();
        assert_eq!(seen(&replay, BOB), [2, 3, 6]);
    }

    #[test]
    fn nobody_kicks_himself_and_nobody_left_to_kick_takes_no_slot() {
        let mut replay = begun(&[BOB]);
        assert!(replay.ask(ALICE, about("kick_members", &[ALICE, JIL])).unwrap().changes.is_empty());
        assert_eq!(replay.ask(BOB, about("kick_members", &[ALICE])).unwrap_err().status, 431);
    }

    #[test]
    fn a_deleted_one_is_closed_to_everybody_but_for_the_message_that_says_so() {
        let mut replay = begun(&[BOB, CHARLIE]);
        replay.ask(CHARLIE, leave()).unwrap();
        replay.put_up(ALICE, "add_pinned");
        assert_eq!(replay.ask(BOB, ask_for("conv_deleted_by_admin")).unwrap_err().status, 431);
        let decision = replay.ask(ALICE, ask_for("conv_deleted_by_admin")).unwrap();
        assert_eq!(
            (replay.message(4).kind, replay.message(4).inbox_nr),
            (MessageKind::DeleteV1, 2),
            "it alerts"
        );
        assert_eq!(replay.body(4)["members"], json!([ALICE, BOB]));
        assert_eq!(told(&decision, Reach::Account(BOB)), ["conv Init(Full) fw 4 bw 4 reset", "message 4"]);
        assert_eq!(lines(&decision.answer), ["conv Init(Full) fw 4 bw 4 reset", "message 4"]);
        assert!(replay.present().is_empty());
        assert_eq!(
            (seen(&replay, ALICE), seen(&replay, BOB), seen(&replay, CHARLIE)),
            (vec![4], vec![4], vec![])
        );
        let bob = replay.counters(BOB);
        assert_eq!(
            (bob.unread, bob.inbox_message_nr, bob.join, bob.begin),
            (2, 4, 4, 4),
            "nothing names what is closed"
        );
        assert_eq!(replay.ask(ALICE, add_plain("x")), Err(Refusal::has_left()));
        let left = &replay.catch_up(CHARLIE, replay.stamp - 1);
        assert!(lines(left).iter().all(|line| !line.starts_with("message")), "{left:?}");
    }

    #[test]
    fn one_that_was_put_under_an_organisation_later_is_not_deleted() {
        let mut replay = with(&[BOB]);
        replay.ask(ALICE, ask_for("set_managed")).unwrap();
        assert_eq!(replay.ask(ALICE, ask_for("conv_deleted_by_admin")).unwrap_err().status, 431);
    }

    #[test]
    fn periods_are_bounded() {
        let mut replay = with(&[]);
        for _ in 0..PERIODS_MAX + 3 {
            replay.ask(ALICE, ask_for("set_managed")).unwrap();
            replay.ask(ALICE, ask_for("set_unmanaged")).unwrap();
        }
        assert_eq!(replay.head().managed.len(), PERIODS_MAX);
        assert_eq!(replay.head().managed[0].begin, 2);
    }
}
