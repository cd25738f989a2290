//! What becomes of a conversation's people and rows when teams come, change and go, and who may make them do so.
//!
//! Not here: the team's own rules, and what travels between the two (the scenarios show that).

use rill_proto::classificator::{ConvType, OrganisationFlag};
use rill_proto::event::{ClientEvent, conv};
use rill_proto::id::{AccountId, TeamId};
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

use super::TEAMS_MAX;
use crate::account::employment::team_label_id;
use crate::conversation::audience;
use crate::conversation::rules::Reach;
use crate::conversation::rules::replay::*;
use crate::conversation::rules::{Decision, Header};
use crate::conversation::state::{MessageKind, Standing};

fn not_of_the_team() -> Refusal {
    Refusal::no_permission("Must be member or team admin!")
}

/// Alice and Bob, and a free team of Alice, Charlie and Don.
fn with_core() -> Replay {
    let mut replay = Replay::with(&[BOB]);
    replay.team(CORE, &[ALICE, CHARLIE, DON]);
    replay
}

fn label_ids(replay: &Replay, viewer: AccountId) -> Vec<rill_proto::id::LabelId> {
    audience::view(&replay.state, viewer, Header::UPDATE).unwrap().label_ids
}

#[test]
fn whoever_of_a_team_is_not_in_joins_by_the_message_that_says_so() {
    let mut replay = with_core();
    replay.post(BOB, "hello");
    let decision = replay.ask(ALICE, add_team(CORE)).unwrap();
    let message = replay.message(3);
    assert_eq!((message.kind, message.account_id, message.inbox_nr), (MessageKind::AddTeamV2, ALICE, -1));
    let text = r#""team_name":"Core","sysmsg_text":"{author} added {members} using {team_name}"}"#;
    let text = format!(r#"{{"members":["{CHARLIE}","{DON}"],"team_id":"{CORE}",{text}"#);
    assert_eq!(message.message, text);
    let told_alice = ["contact charlie", "contact don", "conv Full", "message 3"];
    let joined = ["activity charlie", "activity don"];
    assert_eq!(lines(&decision.answer), [&told_alice[..], &["label"], &joined].concat());
    assert_eq!(told(&decision, Reach::Others), [&told_alice[..], &joined, &["activity alice"]].concat());
    let charlie = replay.counters(CHARLIE);
    assert_eq!((charlie.join, charlie.begin, charlie.send, charlie.read), (3, 3, 3, 2));
    assert_eq!((charlie.unread, charlie.show), (0, 3));
    assert_eq!(replay.present(), [ALICE, BOB, CHARLIE, DON]);
    assert_eq!(replay.head().teams, [CORE]);
    let effects = effects(&decision);
    assert!(effects.contains(&"charlie joined by alice".to_owned()), "{effects:?}");
    assert_eq!(effects.last().unwrap(), "team placed true, as of 1");
    let again = replay.ask(ALICE, add_team(CORE)).unwrap();
    assert!(again.changes.is_empty() && lines(&again.answer) == ["conv Update"]);
}

#[test]
fn a_team_whose_people_are_all_in_takes_a_slot_as_well() {
    let mut replay = Replay::with(&[BOB]);
    replay.team(CORE, &[ALICE, BOB]);
    replay.ask(BOB, add_team(CORE)).unwrap();
    assert_eq!(replay.body(2)["members"], json!([]));
    let decision = replay.ask(BOB, remove_team(CORE)).unwrap();
    assert_eq!((replay.message(3).kind, &replay.body(3)["members"]), (MessageKind::KickTeam, &json!([])));
    assert_eq!(effects(&decision), ["team placed false, as of 0"]);
    assert_eq!(replay.present(), [ALICE, BOB], "they are in themselves");
}

#[test]
fn its_people_have_its_label_on_the_conversation_while_both_are_in() {
    let mut replay = with_core();
    replay.ask(ALICE, add_team(CORE)).unwrap();
    assert_eq!(label_ids(&replay, CHARLIE), [team_label_id(CHARLIE, CORE)]);
    assert_eq!(label_ids(&replay, ALICE), [team_label_id(ALICE, CORE)]);
    assert!(label_ids(&replay, BOB).is_empty(), "he is not in the team");
    replay.ask(CHARLIE, set_labels(&[team_label_id(CHARLIE, CORE)])).unwrap();
    assert!(replay.state.members[&CHARLIE].label_ids.is_empty(), "it is not his to set");
    replay.ask(CHARLIE, leave()).unwrap();
    let view = audience::view(&replay.state, CHARLIE, Header::UPDATE).unwrap();
    assert!(view.teams.is_empty() && view.label_ids.is_empty());
    replay.ask(ALICE, remove_team(CORE)).unwrap();
    assert!(!label_ids(&replay, ALICE).contains(&team_label_id(ALICE, CORE)));
}

#[test]
fn whoever_is_in_through_it_alone_goes_with_it_and_the_one_who_asks_stays() {
    let mut replay = Replay::with(&[BOB]);
    replay.team(CORE, &[ALICE, BOB, CHARLIE, DON]);
    replay.team(CREW, &[ALICE, DON, JIL]);
    replay.ask(ALICE, add_team(CORE)).unwrap();
    replay.ask(ALICE, add_team(CREW)).unwrap();
    assert_eq!(replay.body(3)["members"], json!([JIL]), "don is in already");
    let horizon = replay.stamp;
    let decision = replay.ask(ALICE, remove_team(CORE)).unwrap();
    assert_eq!(
        (replay.message(4).kind, &replay.body(4)["members"]),
        (MessageKind::KickTeam, &json!([CHARLIE]))
    );
    assert_eq!(replay.present(), [ALICE, BOB, DON, JIL], "don is in by another one, bob himself");
    assert_eq!(told(&decision, Reach::Account(CHARLIE)), ["conv Init(Full) fw 4 bw 4 reset", "message 4"]);
    assert_eq!(replay.state.members[&CHARLIE].standing, Standing::Left);
    assert!(lines(&replay.catch_up(CHARLIE, horizon)).iter().any(|line| line.ends_with("reset")));
    replay.ask(DON, remove_team(CREW)).unwrap();
    assert_eq!(replay.present(), [ALICE, BOB, DON], "whoever asks stays");
    assert_eq!(replay.head().teams, []);
    replay.team(CREW, &[JIL]);
    replay.staffed(JIL, CREW);
    assert_eq!(replay.present(), [ALICE, BOB, DON], "and is in himself from then on");
}

#[test]
fn whoever_left_is_brought_back_by_a_team_and_not_by_what_becomes_of_it() {
    let mut replay = with_core();
    replay.ask(ALICE, add_team(CORE)).unwrap();
    replay.ask(CHARLIE, leave()).unwrap();
    replay.team(CORE, &[ALICE, CHARLIE, DON, JIL]);
    replay.staffed(ALICE, CORE);
    assert_eq!(replay.body(4)["members"], json!([JIL]));
    assert_eq!(replay.present(), [ALICE, BOB, DON, JIL]);
    replay.ask(ALICE, remove_team(CORE)).unwrap();
    replay.ask(ALICE, add_team(CORE)).unwrap();
    assert_eq!(replay.present(), [ALICE, BOB, CHARLIE, DON, JIL]);
    let charlie = &replay.state.members[&CHARLIE];
    assert!(charlie.sees(2) && charlie.sees(3) && !charlie.sees(4), "both memberships and no more");
}

#[test]
fn who_comes_into_the_team_and_who_goes_is_said_once_and_an_older_word_says_nothing() {
    let mut replay = with_core();
    replay.ask(ALICE, add_team(CORE)).unwrap();
    let old = replay.teams[&CORE].roster.clone();
    replay.team(CORE, &[ALICE, DON, JIL]);
    replay.slots_max = 2;
    let decision = replay.staffed(JIL, CORE);
    let kinds = [3, 4].map(|nr| (replay.message(nr).kind, replay.message(nr).account_id));
    assert_eq!(kinds, [(MessageKind::AddTeamV2, JIL), (MessageKind::KickTeam, JIL)]);
    assert_eq!((&replay.body(3)["members"], &replay.body(4)["members"]), (&json!([JIL]), &json!([CHARLIE])));
    assert_eq!(replay.present(), [ALICE, BOB, DON, JIL]);
    assert!(!effects(&decision).iter().any(|effect| effect.contains("dialog")));
    assert_eq!(told(&decision, Reach::Account(CHARLIE)), ["conv Init(Full) fw 4 bw 4 reset", "message 4"]);
    assert!(replay.staffed(JIL, CORE).changes.is_empty());
    let late = crate::effect::Effect::Staffed { roster: old, by: ALICE };
    assert!(replay.apply(&late).changes.is_empty());
    assert_eq!(replay.counters(BOB).read, 0, "nobody's marks move");
}

#[test]
fn who_is_in_himself_has_the_label_or_not_and_nothing_is_said() {
    let mut replay = with_core();
    replay.ask(ALICE, add_team(CORE)).unwrap();
    replay.team(CORE, &[BOB, CHARLIE, DON]);
    let horizon = replay.stamp;
    let decision = replay.staffed(DON, CORE);
    assert_eq!(replay.head().last_message_nr, 2);
    for who in [ALICE, BOB] {
        assert_eq!(told(&decision, Reach::Account(who)), ["conv Update"]);
        assert_eq!(lines(&replay.catch_up(who, horizon)), ["conv Update"]);
    }
    assert!(told(&decision, Reach::Others).is_empty());
    assert_eq!((label_ids(&replay, ALICE).len(), label_ids(&replay, BOB).len()), (0, 1));
}

#[test]
fn a_team_that_is_gone_goes_with_its_people() {
    let mut replay = with_core();
    replay.ask(ALICE, add_team(CORE)).unwrap();
    let core = &mut replay.teams.get_mut(&CORE).unwrap().roster;
    (core.is_deleted, core.version) = (true, 9);
    core.members.clear();
    assert_eq!(replay.ask(ALICE, remove_team(CORE)), Err(Refusal::not_found("Team")));
    let decision = replay.staffed(CHARLIE, CORE);
    assert_eq!(replay.body(3)["members"], json!([CHARLIE, DON]));
    assert_eq!(effects(&decision).last().unwrap(), "team placed false, as of 0");
    assert_eq!(replay.present(), [ALICE, BOB]);
    assert!(replay.staffed(CHARLIE, CORE).changes.is_empty());
}

#[test]
fn a_managed_team_puts_a_free_conversation_under_its_organisation() {
    let mut replay = Replay::nothing();
    replay.employ(ALICE, false);
    replay.ask(ALICE, create("Plans", &[BOB])).unwrap();
    replay.managed_team(CORE, &[BOB, CHARLIE]);
    replay.slots_max = 2;
    let refused = Refusal::no_permission("Must be managed team member or team admin!");
    assert_eq!(replay.ask(ALICE, add_team(CORE)), Err(refused));
    let decision = replay.ask(BOB, add_team(CORE)).unwrap();
    assert_eq!([2, 3].map(|nr| replay.message(nr).kind), [MessageKind::AddTeamV2, MessageKind::Manage]);
    assert_eq!(replay.body(3)["org_name"], "Acme");
    let settings = &replay.head().settings;
    assert_eq!((settings.organisation_id, &settings.admins), (Some(ACME), &vec![BOB]));
    assert!(effects(&decision).contains(&"organisation manages true: chat.set_managed".to_owned()));
    let outsider = Refusal::no_permission("Not member of organisation!");
    assert_eq!(
        replay.ask(BOB, remove_team(CORE)),
        Err(outsider),
        "an admin, and no member of the organisation"
    );
}

#[test]
fn what_a_team_was_made_with_is_not_put_under_anybody() {
    let mut replay = with_core();
    replay.managed_team(CORE, &[ALICE, CHARLIE]);
    replay.teams.get_mut(&CORE).unwrap().promised.insert(CONVERSATION);
    replay.ask(ALICE, add_team(CORE)).unwrap();
    assert_eq!(replay.head().settings.organisation_id, None);
}

#[test]
fn who_may_use_a_team() {
    let mut replay = with_core();
    assert_eq!(replay.ask(BOB, add_team(CORE)), Err(not_of_the_team()));
    replay.teams.get_mut(&CORE).unwrap().admins.insert(BOB);
    assert_eq!(replay.ask(BOB, add_team(CORE)), Err(not_of_the_team()), "a free one has no admins");
    assert_eq!(replay.ask(CHARLIE, add_team(CORE)), Err(Refusal::not_member()));
    assert_eq!(replay.ask(ALICE, add_team(CREW)), Err(Refusal::not_found("Team")));
    replay.ask(ALICE, add_team(CORE)).unwrap();
    assert_eq!(replay.ask(BOB, remove_team(CORE)), Err(not_of_the_team()));
    replay.ask(CHARLIE, leave()).unwrap();
    assert_eq!(replay.ask(CHARLIE, remove_team(CORE)), Err(Refusal::has_left()));
    replay.team(CREW, &[ALICE]);
    assert!(replay.ask(ALICE, remove_team(CREW)).unwrap().changes.is_empty());

    let mut replay = Replay::nothing();
    replay.employ(BOB, true);
    replay.ask(ALICE, create("Plans", &[BOB, CHARLIE])).unwrap();
    replay.managed_team(CORE, &[DON]);
    replay.teams.get_mut(&CORE).unwrap().admins.insert(CHARLIE);
    replay.slots_max = 2;
    assert!(replay.judge_only(CHARLIE, add_team(CORE)).is_ok(), "its admin need not be in it");
    assert!(replay.judge_only(BOB, add_team(CORE)).is_ok(), "an admin of its organisation");
    assert!(replay.judge_only(ALICE, add_team(CORE)).is_err());
}

#[test]
fn in_a_managed_conversation_an_admin_who_works_there_changes_teams() {
    let mut replay = Replay::nothing();
    for id in [ALICE, BOB] {
        replay.employ(id, false);
    }
    let founding = conv::Create { is_managed: true, ..founding("Plans", &[BOB, CHARLIE]) };
    replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
    replay.team(CORE, &[ALICE, BOB, CHARLIE, DON]);
    let outsider = Refusal::no_permission("Not member of organisation!");
    assert_eq!(replay.ask(CHARLIE, add_team(CORE)), Err(outsider.clone()));
    assert_eq!(replay.ask(BOB, add_team(CORE)).unwrap_err().status, 431);
    replay.ask(ALICE, event("conv:add_admins", json!({ "account_ids": [CHARLIE] }))).unwrap();
    assert_eq!(replay.ask(CHARLIE, add_team(CORE)), Err(outsider));
    replay.ask(ALICE, add_team(CORE)).unwrap();
    assert_eq!(replay.head().settings.admins, [ALICE, CHARLIE]);
}

#[test]
fn who_is_kicked_from_a_team_loses_what_he_could_read_where_it_is_managed() {
    for is_managed in [true, false] {
        let mut replay = Replay::nothing();
        replay.employ(ALICE, false);
        let founding = conv::Create { is_managed, ..founding("Plans", &[]) };
        replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
        replay.team(CORE, &[ALICE, BOB, CHARLIE]);
        replay.ask(ALICE, add_team(CORE)).unwrap();
        replay.team(CORE, &[ALICE]);
        replay.teams.get_mut(&CORE).unwrap().roster.kicked.insert(BOB);
        replay.slots_max = 2;
        replay.staffed(ALICE, CORE);
        assert_eq!(replay.message(3).kind, MessageKind::KickTeam);
        assert_eq!(replay.present(), [ALICE]);
        let bob = &replay.state.members[&BOB];
        assert_eq!(bob.sees(2), !is_managed);
        if is_managed {
            assert_eq!(
                (replay.message(4).kind, &replay.body(4)["members"]),
                (MessageKind::KickV2, &json!([BOB]))
            );
            assert_eq!(bob.standing, Standing::Kicked);
        }
        assert!(replay.state.teams[&CORE].kicked.is_empty());
    }
}

#[test]
fn what_admins_delete_loses_its_teams_first() {
    let mut replay = Replay::nothing();
    replay.employ(ALICE, false);
    let founding = conv::Create { is_managed: true, ..founding("Plans", &[]) };
    replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
    replay.team(CORE, &[ALICE, BOB]);
    replay.ask(ALICE, add_team(CORE)).unwrap();
    replay.slots_max = 2;
    let decision = replay.ask(ALICE, event("conv:conv_deleted_by_admin", json!({}))).unwrap();
    assert_eq!([3, 4].map(|nr| replay.message(nr).kind), [MessageKind::KickTeam, MessageKind::DeleteV1]);
    assert_eq!((&replay.body(4)["members"], replay.message(4).inbox_nr), (&json!([ALICE]), 1));
    let log = "organisation manages false: chat.delete_conversation_by_admin";
    assert!(effects(&decision).contains(&log.to_owned()), "{:?}", effects(&decision));
    assert_eq!(replay.head().teams, []);
}

fn begin(replay: &mut Replay, teams: &[TeamId], others: &[AccountId]) -> Result<Decision, Refusal> {
    let founding = conv::Create { team_ids: Some(teams.to_vec()), ..founding("", others) };
    replay.slots_max = 9;
    replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding)))
}

#[test]
fn a_conversation_begins_with_teams_one_message_each() {
    let mut replay = Replay::nothing();
    replay.team(CORE, &[ALICE, BOB, CHARLIE]);
    replay.team(CREW, &[ALICE, CHARLIE, DON]);
    let decision = begin(&mut replay, &[CREW, CORE, CREW], &[BOB]).unwrap();
    assert_eq!(replay.body(1)["members"], json!([BOB]));
    assert_eq!(
        (&replay.body(2)["members"], &replay.body(2)["team_name"]),
        (&json!([CHARLIE, DON]), &json!("Crew"))
    );
    assert_eq!((&replay.body(3)["members"], &replay.body(3)["team_name"]), (&json!([]), &json!("Core")));
    assert_eq!(replay.head().settings.mk_conv_type, ConvType::NoMail);
    let alice = replay.counters(ALICE);
    assert_eq!((alice.join, alice.begin, alice.send, alice.inbox_message_nr), (1, 1, 1, 1));
    assert_eq!((alice.read, alice.show, alice.last, alice.unread), (3, 3, 3, 0));
    let people = ["contact bob", "contact charlie", "contact don", "conv Init(Full) fw 3 bw 1"];
    let rest =
        ["message 1", "message 2", "message 3", "section", "section", "activity charlie", "activity don"];
    assert_eq!(lines(&decision.answer), [&people[..], &rest].concat());
    let (bob, charlie) = (replay.counters(BOB), replay.counters(CHARLIE));
    assert_eq!((bob.begin, bob.read, charlie.begin, charlie.join, charlie.read), (1, 0, 2, 2, 1));
    assert!(!replay.state.members[&BOB].is_by_team && replay.state.members[&CHARLIE].is_by_team);
    let placed = effects(&decision).iter().filter(|effect| effect.starts_with("team placed true")).count();
    assert_eq!(placed, 2);
}

#[test]
fn a_kind_that_is_asked_for_is_had_and_only_ones_own_teams_come() {
    let mut replay = Replay::nothing();
    replay.team(CORE, &[BOB]);
    assert_eq!(begin(&mut replay, &[CORE], &[]), Err(not_of_the_team()));
    assert_eq!(begin(&mut replay, &[CREW], &[]), Err(Refusal::not_found("Team")));
    let many: Vec<TeamId> = (0..=TEAMS_MAX as u128).map(|nr| TeamId(Uuid::from_u128(nr))).collect();
    assert_eq!(begin(&mut replay, &many, &[]).unwrap_err().status, 400);
    replay.team(CORE, &[ALICE]);
    let founding =
        conv::Create { team_ids: Some(vec![CORE]), mk_conv_type: ConvType::List, ..founding("", &[]) };
    replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
    assert_eq!(replay.head().settings.mk_conv_type, ConvType::List);
}

#[test]
fn what_begins_with_a_managed_team_is_managed() {
    let mut replay = Replay::nothing();
    replay.employ(ALICE, false);
    replay.managed_team(CORE, &[ALICE, BOB]);
    let decision = begin(&mut replay, &[CORE], &[]).unwrap();
    assert_eq!(replay.body(1)["org_name"], "Acme");
    assert_eq!(replay.head().last_message_nr, 2, "nobody need say so");
    assert!(replay.head().is_deletable);
    assert!(effects(&decision).contains(&"organisation manages true: chat.create_conversation".to_owned()));

    let mut outside = Replay::nothing();
    outside.acme([].into());
    outside.managed_team(CORE, &[ALICE, BOB]);
    begin(&mut outside, &[CORE], &[]).unwrap();
    assert_eq!(
        (outside.body(1)["org_name"].clone(), outside.message(3).kind),
        (json!(null), MessageKind::Manage)
    );
    assert_eq!(outside.head().settings.admins, [ALICE]);
}

#[test]
fn where_an_organisation_wants_it_what_its_people_begin_is_managed() {
    for (flags, is_managed) in
        [([OrganisationFlag::CreatePremiumConversations].into(), true), ([].into(), false)]
    {
        let mut replay = Replay::nothing();
        replay.employ(ALICE, false);
        replay.acme(flags);
        replay.ask(ALICE, create("", &[BOB])).unwrap();
        assert_eq!(replay.head().settings.organisation_id.is_some(), is_managed);
        assert_eq!(replay.head().settings.admins.is_empty(), !is_managed);
        let mut dialog = Replay::nothing();
        (dialog.profiles, dialog.organisations) = (replay.profiles.clone(), replay.organisations.clone());
        dialog.open_dialog(ALICE, BOB, None).unwrap();
        assert_eq!(dialog.head().settings.organisation_id.is_some(), is_managed);
        let mut others = Replay::nothing();
        others.organisations = replay.organisations.clone();
        others.ask(BOB, create("", &[])).unwrap();
        assert_eq!(others.head().settings.organisation_id, None);
    }
}

#[test]
fn earlier_messages_are_opened_to_teams() {
    let mut replay = with_core();
    replay.post(ALICE, "two");
    replay.ask(ALICE, add_team(CORE)).unwrap();
    let disclose = |ids: &[AccountId], teams: &[TeamId]| {
        event("conv:disclose", json!({ "account_ids": ids, "team_ids": teams }))
    };
    assert_eq!(replay.ask(ALICE, disclose(&[], &[CREW])), Err(Refusal::not_found("Team")));
    replay.ask(DON, leave()).unwrap();
    let decision = replay.ask(ALICE, disclose(&[BOB], &[CORE, CORE])).unwrap();
    let body = replay.body(5);
    assert_eq!((&body["members"], &body["team_ids"]), (&json!([]), &json!([CORE])), "bob sees all of it");
    assert_eq!(body["team_names"], json!(["Core"]));
    assert_eq!(lines(&decision.answer), ["conv Full", "message 5", "activity charlie"]);
    assert_eq!((replay.counters(CHARLIE).join, replay.counters(CHARLIE).begin), (1, 3));
    assert!(!replay.state.members[&DON].sees(2), "he has left");
    assert!(replay.ask(ALICE, disclose(&[], &[CORE])).unwrap().changes.is_empty());
}

#[test]
fn a_managed_conversation_says_for_whose_answer_it_waits() {
    let mut replay = Replay::nothing();
    replay.employ(ALICE, false);
    let founding = conv::Create { is_managed: true, ..founding("Plans", &[BOB]) };
    replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
    replay.team(CORE, &[ALICE, CHARLIE]);
    replay.managed_team(CREW, &[ALICE, DON]);
    replay.ask(ALICE, add_team(CORE)).unwrap();
    replay.ask(ALICE, add_team(CREW)).unwrap();
    for who in [BOB, CHARLIE, DON] {
        let mut asked = replay.profiles[&who].clone();
        asked.version += 1;
        asked.invited_into.insert(ACME);
        let decision = replay.profile_changed(who, &asked);
        let header: &[&str] = if who == CHARLIE { &[] } else { &["conv Full"] };
        assert_eq!(
            (told(&decision, Reach::Others), told(&decision, Reach::Own)),
            (
                header.iter().map(ToString::to_string).collect(),
                header.iter().map(ToString::to_string).collect()
            )
        );
        replay.profiles.insert(who, asked);
    }
    assert_eq!(replay.state.pending(), [BOB, DON], "charlie is in through a free team alone");
    replay.managed_team(CORE, &[ALICE, CHARLIE]);
    let decision = replay.staffed(ALICE, CORE);
    assert_eq!(told(&decision, Reach::Others), ["conv Full"]);
    assert_eq!(replay.state.pending(), [BOB, CHARLIE, DON]);
    let mut joined = replay.profiles[&BOB].clone();
    joined.version += 1;
    joined.invited_into.clear();
    joined.organisation_id = Some(ACME);
    let decision = replay.profile_changed(BOB, &joined);
    assert_eq!(told(&decision, Reach::Others), ["contact bob", "conv Full"]);
    assert_eq!(replay.state.pending(), [CHARLIE, DON]);
    replay.ask(ALICE, event("conv:set_unmanaged", json!({}))).unwrap();
    assert!(replay.state.pending().is_empty());
}
