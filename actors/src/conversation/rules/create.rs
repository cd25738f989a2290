//! How a conversation begins (conversations.md §6.1): its first message, its members, its two sections.

use std::collections::BTreeSet;

use rill_proto::classificator::{ConvType, InitMode};
use rill_proto::event::conv;
use rill_proto::id::{AccountId, SectionId, TeamId};
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use crate::account::profile::Profile;
use crate::conversation::rules::changelog::Deed;
use crate::conversation::rules::draft::{Draft, Post};
use crate::conversation::rules::{
    Decision, Facts, Header, Judged, Keys, News, Reach, body, changelog, managed, membership, team,
};
use crate::conversation::state::{Head, Managed, MessageKind, Section, SectionSubtype, Settings, State};
use crate::team::sight::Sight;
use crate::weight::Weight;

/// What an event wants a new conversation to be.
pub(super) struct Wanted<'a> {
    pub(super) topic: String,
    pub(super) account_ids: Vec<AccountId>,
    pub(super) team_ids: &'a [TeamId],
    pub(super) is_managed: bool,
    pub(super) settings: Settings,
}

/// What a new conversation is to be.
pub(super) struct Plan<'a> {
    pub(super) topic: String,
    pub(super) others: Vec<(AccountId, Profile)>,
    pub(super) settings: Settings,
    /// Whose it is from the beginning.
    pub(super) organisation: Option<managed::Organisation>,
    /// Teams that come with it, in their order.
    pub(super) teams: Vec<&'a Sight>,
}

/// `conv:create`.
pub(super) fn create(
    state: &State,
    caller: AccountId,
    event: &conv::Create,
    facts: &Facts,
) -> Judged<Decision> {
    let wanted = Wanted {
        topic: event.topic.to_string(),
        account_ids: membership::named(event.account_ids.as_deref().unwrap_or_default())?,
        team_ids: event.team_ids.as_deref().unwrap_or_default(),
        is_managed: event.is_managed,
        settings: Settings {
            mk_conv_type: if event.is_list { ConvType::List } else { event.mk_conv_type },
            is_autojoin: event.is_autojoin.then_some(true),
            is_disclose: event.is_disclose.then_some(true),
            ..Settings::default()
        },
    };
    begin(state, caller, wanted, facts)
}

/// Begins a conversation as an event wants it.
///
/// # Errors
/// 400 for one that exists already or is too large, `not_found` for a team, `no_permission` without an organisation, and as
/// [`found`].
pub(super) fn begin(state: &State, caller: AccountId, wanted: Wanted<'_>, facts: &Facts) -> Judged<Decision> {
    if state.head.is_some() {
        return Err(Refusal::invalid_state("The conversation exists already.").into());
    }
    let team_ids = distinct(wanted.team_ids)?;
    let teams = facts.teams(&team_ids)?;
    let founder = founder(facts, caller)?;
    teams.iter().try_for_each(|team| team::may_use(team, caller, &founder))?;
    let mut settings = wanted.settings;
    if !teams.is_empty() && settings.mk_conv_type == ConvType::Default {
        settings.mk_conv_type = ConvType::NoMail;
    }
    let employs = |team: &&Sight| {
        founder.organisation_id.is_some() && team.roster.organisation_id == founder.organisation_id
    };
    let organisation = if wanted.is_managed || teams.iter().any(employs) {
        Some(managed::employer(facts, caller)?)
    } else {
        managed::by_default(facts, caller)?
    };
    let mut ids = wanted.account_ids;
    ids.retain(|id| *id != caller);
    let others = membership::addable(facts, &ids)?;
    found(state, caller, Plan { topic: wanted.topic, others, settings, organisation, teams }, facts)
}

/// The teams that an event names, each once and in the order given.
fn distinct(team_ids: &[TeamId]) -> Result<Vec<TeamId>, Refusal> {
    let mut seen = BTreeSet::new();
    let distinct: Vec<TeamId> = team_ids.iter().copied().filter(|id| seen.insert(*id)).collect();
    if distinct.len() > team::TEAMS_MAX {
        let what = format!("a conversation has at most {} teams", team::TEAMS_MAX);
        return Err(Refusal::invalid_call("team_ids", what));
    }
    Ok(distinct)
}

fn founder(facts: &Facts, caller: AccountId) -> Judged<Profile> {
    let founder = membership::addable(facts, &[caller])?;
    let (_, profile) = founder.into_iter().next().ok_or_else(|| Refusal::not_found("Account"))?;
    Ok(profile)
}

/// Begins the conversation; the caller is answered with its init form.
///
/// # Errors
/// `not_found` when the caller's account is gone, or [`Stop::Needs`](super::Stop::Needs).
pub(super) fn found(state: &State, caller: AccountId, plan: Plan<'_>, facts: &Facts) -> Judged<Decision> {
    let profile = founder(facts, caller)?;
    let mut draft = Draft::new(state, head(caller, &plan, facts), caller, facts);
    membership::has_room(&draft, plan.others.len() + 1, "account_ids")?;
    let others: Vec<AccountId> = plan.others.iter().map(|(id, _)| *id).collect();
    let create = body::Create {
        members: others.clone(),
        topic: plan.topic,
        org_name: plan.organisation.as_ref().map(|organisation| organisation.name.clone()),
        organisation_id: plan.organisation.as_ref().map(|organisation| organisation.id),
    };
    membership::enter(&mut draft, caller, &profile, 1, facts.now)?;
    for (account_id, profile) in &plan.others {
        membership::enter(&mut draft, *account_id, profile, 1, facts.now)?;
    }
    draft.post(MessageKind::Create, Post { message: body::text(&create), ..Post::default() })?;
    draft.contacts = others;
    if let Some(organisation) = &plan.organisation {
        let members = draft.present();
        let deed = Deed {
            organisation_id: organisation.id,
            is_managed: true,
            event_type: "chat.create_conversation",
            about: Some(("member_ids", &members)),
        };
        changelog::tell(&mut draft, &deed);
    }
    for team in plan.teams {
        team::take_in(&mut draft, team, "team_ids")?;
    }
    let sections = put_sections(&mut draft);
    draft.settle_dialog();
    let mut answer: Vec<News> = draft.contacts.iter().map(|id| News::Contact(*id)).collect();
    let (keys, last) = (Keys::Init(InitMode::Full), draft.head.last_message_nr);
    answer.push(News::Header(Header { keys, fw: Some(last), bw: Some(1), is_reset: false }));
    for nr in 1..=last {
        let message = draft.flow().message(nr)?;
        answer.extend(message.map(|message| News::Message { message: Box::new(message), flow: None }));
    }
    answer.extend(sections.map(News::Section));
    answer.extend(draft.joined.iter().map(|id| News::Activity(*id)));
    let mut decision = draft.into_decision(answer.clone(), answer);
    // The others have been told nothing yet: each is brought in by his own visit.
    decision.news.retain(|(reach, _)| *reach == Reach::Own);
    Ok(decision)
}

fn head(creator_id: AccountId, plan: &Plan<'_>, facts: &Facts) -> Head {
    let mut settings = plan.settings.clone();
    settings.organisation_id = plan.organisation.as_ref().map(|organisation| organisation.id);
    let is_managed = settings.organisation_id.is_some();
    settings.admins = if is_managed { vec![creator_id] } else { Vec::new() };
    Head {
        creator_id,
        topic: plan.topic.clone(),
        topic_message_nr: 1,
        settings,
        managed: if is_managed { vec![Managed { begin: 1, end: None }] } else { Vec::new() },
        is_deletable: is_managed,
        teams: Vec::new(),
        last_message_nr: 0,
        show_message_nr: 0,
        last_inbox_nr: 0,
        last_message_time: 0,
        last_inbox_time: 0,
        inbox_message_nr: 0,
        facts_stamp: facts.stamp,
        stamp: facts.stamp,
    }
}

/// Every conversation has these two.
fn put_sections(draft: &mut Draft<'_>) -> std::array::IntoIter<SectionId, 2> {
    let (conversation_id, stamp) = (draft.state.conversation_id, draft.facts.stamp);
    let mut put = |name: &str, title: &str, subtype, weight| {
        let section_id = SectionId(Uuid::new_v5(&conversation_id.0, name.as_bytes()));
        let section = Section { name: title.to_owned(), subtype, weight, is_deleted: false, stamp };
        draft.put_section(section_id, section);
        section_id
    };
    let default = put("section:default", "To Do", SectionSubtype::Default, Weight::FIRST);
    let archived = put("section:archived", "Archived", SectionSubtype::Archived, Weight::LAST);
    [default, archived].into_iter()
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::ConvType;
    use rill_proto::event::{ClientEvent, conv};
    use rill_proto::id::TeamId;
    use rill_proto::refusal::Refusal;
    use uuid::Uuid;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::membership::ACCOUNTS_PER_CALL_MAX;
    use crate::conversation::rules::replay::*;
    use crate::conversation::state::SectionSubtype;

    fn event(founding: conv::Create) -> ClientEvent {
        ClientEvent::Conv(conv::Event::Create(founding))
    }

    #[test]
    fn the_first_message_names_the_others_and_the_topic() {
        let mut replay = Replay::nothing();
        let decision = replay.ask(ALICE, create("Harvest", &[BOB])).unwrap();
        let expected = r#"{"members":["00000000-0000-0000-0000-000000000002"],"topic":"Harvest","org_name":null,"organisation_id":null}"#;
        assert_eq!(replay.message(1).message, expected);
        assert_eq!((replay.message(1).inbox_nr, replay.message(1).prev_message_nr), (0, 0));
        assert_eq!(decision.identifier["conversation_id"], CONVERSATION.to_string());
        assert_eq!(replay.head().settings.mk_conv_type, ConvType::Default);
        assert_eq!(replay.head().topic_message_nr, 1);
        assert_eq!(replay.present(), [ALICE, BOB]);
    }

    #[test]
    fn everybody_is_brought_in_by_an_effect_and_only_ones_own_sessions_are_told() {
        let mut replay = Replay::nothing();
        let decision = replay.ask(ALICE, create("", &[BOB])).unwrap();
        let joins = ["alice joined by alice", "bob joined by alice"];
        let dialog = ["alice dialog bob true", "bob dialog alice true"];
        assert_eq!(effects(&decision), [joins, dialog].concat());
        assert_eq!(told(&decision, Reach::Own), lines(&decision.answer));
        assert!(told(&decision, Reach::Others).is_empty());
    }

    #[test]
    fn the_creator_doubles_strangers_and_closed_accounts_are_dropped() {
        let mut replay = Replay::nothing();
        replay.ask(ALICE, create("", &[ALICE, BOB, NOBODY, BOB, CLOSED])).unwrap();
        assert_eq!(replay.present(), [ALICE, BOB]);
    }

    #[test]
    fn two_sections_come_with_it() {
        let replay = Replay::with(&[]);
        let mut sections: Vec<_> = replay.state.sections.values().collect();
        sections.sort_by_key(|section| std::cmp::Reverse(section.weight));
        let found =
            sections.iter().map(|section| (section.name.as_str(), section.subtype, section.weight.get()));
        let to_do = ("To Do", SectionSubtype::Default, 4_294_967_296.0);
        assert_eq!(found.collect::<Vec<_>>(), [to_do, ("Archived", SectionSubtype::Archived, 0.0)]);
    }

    #[test]
    fn a_list_is_a_list() {
        let mut replay = Replay::nothing();
        replay.ask(ALICE, event(conv::Create { is_list: true, ..founding("", &[]) })).unwrap();
        assert_eq!(replay.head().settings.mk_conv_type, ConvType::List);
    }

    #[test]
    fn a_newcomer_sees_the_history_where_it_is_disclosed() {
        let mut replay = Replay::nothing();
        replay.ask(ALICE, event(conv::Create { is_disclose: true, ..founding("", &[]) })).unwrap();
        replay.post(ALICE, "before");
        replay.ask(ALICE, add(&[BOB])).unwrap();
        let bob = replay.counters(BOB);
        assert_eq!((bob.join, bob.begin, bob.read, bob.unread, bob.inbox_message_nr), (1, 3, 2, 0, 2));
        assert!(lines(&replay.catch_up(BOB, 0)).contains(&"message 2".to_owned()));
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        let mut replay = Replay::nothing();
        let teams = conv::Create { team_ids: Some(vec![TeamId(Uuid::nil())]), ..founding("", &[]) };
        assert_eq!(replay.ask(ALICE, event(teams)), Err(Refusal::not_found("Team")));
        let managed = conv::Create { is_managed: true, ..founding("", &[]) };
        assert_eq!(replay.ask(ALICE, event(managed)).unwrap_err().status, 431);
        let many: Vec<_> = (0..=ACCOUNTS_PER_CALL_MAX as u128).map(account).collect();
        assert_eq!(replay.ask(ALICE, create("", &many)).unwrap_err().status, 400);
        assert_eq!(replay.ask(NOBODY, create("", &[])), Err(Refusal::not_found("Account")));
        replay.ask(ALICE, create("", &[])).unwrap();
        assert_eq!(replay.ask(ALICE, create("", &[])).unwrap_err().status, 400);
    }
}
