//! Opening earlier messages to members (conversations.md §6.2, §4.3): `conv:disclose`, `message:disclose`, and what a conversation that
//! discloses by itself opens to whoever comes in.
//!
//! Nobody can give what he cannot see.

use std::collections::BTreeMap;

use rill_proto::event::{conv, message};
use rill_proto::id::{AccountId, TeamId};
use rill_proto::refusal::Refusal;

use crate::conversation::rules::draft::{Draft, Post, number};
use crate::conversation::rules::{Decision, Facts, Judged, body, membership, standing};
use crate::conversation::state::{Member, MessageKind, Span, State};
use crate::effect::Effect;
use crate::store::Aggregate;
use crate::team::roster::Roster;

/// Whom an event names.
struct Targets<'a> {
    account_ids: Option<&'a [AccountId]>,
    team_ids: Option<&'a [TeamId]>,
}

/// `conv:disclose`: everything that the caller sees.
pub(super) fn conversation(
    state: &State,
    caller: AccountId,
    event: &conv::Disclose,
    facts: &Facts,
) -> Judged<Decision> {
    let targets = Targets { account_ids: event.account_ids.as_deref(), team_ids: event.team_ids.as_deref() };
    let (head, member) = standing::member(state, caller)?;
    standing::manager(state, caller, facts)?;
    let draft = Draft::new(state, head.clone(), caller, facts);
    disclose(draft, &targets, member.join_message_nr)
}

/// `message:disclose`: from one message on.
pub(super) fn message(
    state: &State,
    caller: AccountId,
    event: &message::Disclose,
    facts: &Facts,
) -> Judged<Decision> {
    let targets = Targets { account_ids: event.account_ids.as_deref(), team_ids: event.team_ids.as_deref() };
    let (head, member) = standing::member(state, caller)?;
    standing::manager(state, caller, facts)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let nr = number(event.message_nr);
    let is_his = member.sees(nr) || nr < member.join_message_nr;
    draft.flow().message(nr)?.filter(|_| is_his).ok_or_else(|| Refusal::not_found("Message"))?;
    draft.about = Some(nr);
    disclose(draft, &targets, nr.max(member.join_message_nr))
}

fn disclose(mut draft: Draft<'_>, targets: &Targets<'_>, from: u64) -> Judged<Decision> {
    let given: Vec<Span> = giver(&draft).into_iter().filter_map(|span| above(span, from)).collect();
    let mut opened: BTreeMap<AccountId, Member> = BTreeMap::new();
    let named = membership::named(targets.account_ids.unwrap_or_default())?;
    for account_id in &named {
        let target = draft.member(*account_id).filter(|member| member.is_present());
        let mut target = target.cloned().ok_or_else(|| Refusal::not_found("Member"))?;
        if open(&mut target, given.iter().copied()) {
            opened.insert(*account_id, target);
        }
    }
    let members: Vec<AccountId> = named.into_iter().filter(|id| opened.contains_key(id)).collect();
    let mut teams = Vec::new();
    for id in targets.team_ids.unwrap_or_default() {
        let roster = draft.team(*id).ok_or_else(|| Refusal::not_found("Team"))?;
        if teams.iter().any(|known: &&Roster| known.team_id == *id) {
            continue;
        }
        let present = |member: &Member| member.is_present();
        let of_team =
            roster.members.iter().filter_map(|id| Some((*id, draft.member(*id).cloned().filter(present)?)));
        let before = opened.len();
        opened.extend(
            of_team.filter_map(|(id, mut target)| {
                open(&mut target, given.iter().copied()).then_some((id, target))
            }),
        );
        teams.extend((opened.len() > before).then_some(roster));
    }
    if opened.is_empty() {
        return draft.finish(None);
    }
    let teams = teams.into_iter().map(|roster| (roster.team_id, roster.team_name.clone())).collect();
    say(&mut draft, members, teams, from)?;
    let joined = opened.keys().copied().collect();
    for (account_id, target) in opened {
        let version = target.profile.version;
        let stamp = draft.facts.stamp;
        let read_on = draft.change(account_id)?;
        *read_on = Member { init_stamp: stamp, shown_stamp: stamp, stamp, ..target };
        draft.effects.push((Aggregate::Account(account_id), sees_more(&draft, account_id, version)));
    }
    draft.change_facts();
    draft.joined = joined;
    draft.finish(None)
}

/// Says what was opened to whom, from which message on.
fn say(
    draft: &mut Draft<'_>,
    members: Vec<AccountId>,
    teams: Vec<(TeamId, String)>,
    from: u64,
) -> Judged<()> {
    let first = draft.flow().message(from)?;
    let (team_ids, team_names) = teams.into_iter().unzip();
    let message = body::text(&body::Disclosed {
        members,
        team_ids,
        team_names,
        disclose_time: first.map(|message| message.posted_time),
        sysmsg_text: "{author} opened earlier messages, from {disclose_time} on, to {teamsAndMembers}.",
    });
    let nr = draft.post(MessageKind::DiscloseV2, Post { message, ..Post::default() })?;
    Ok(draft.amend(nr, |message| message.ref_message_nr = Some(from))?)
}

/// His sessions start afresh, wherever they are.
fn sees_more(draft: &Draft<'_>, account_id: AccountId, profile_version: u64) -> Effect {
    let (conversation_id, version) = (draft.state.conversation_id, draft.facts.stamp);
    Effect::Joined { conversation_id, by: account_id, profile_version, version }
}

/// What the one who acts can open to others: what he sees, or everything when he was not in before (he comes by the link, and
/// the conversation itself lets him see it).
pub(super) fn giver(draft: &Draft<'_>) -> Vec<Span> {
    let top = draft.state.head.as_ref().map_or(0, |head| head.last_message_nr);
    let giver = draft.state.members.get(&draft.caller).filter(|member| member.is_present());
    giver.map_or_else(|| vec![Span::of_membership(1, top)], |giver| giver.spans_to(top))
}

/// Opens to a member what others see of the time before his present membership. Answers whether it is anything new.
pub(super) fn open(member: &mut Member, given: impl IntoIterator<Item = Span>) -> bool {
    let Some(end) = member.begin_message_nr.checked_sub(1) else {
        return false;
    };
    let before = member.spans_to(end);
    let had = (member.spans.clone(), member.revoked.clone());
    let (mut disclosed, mut kept): (Vec<Span>, Vec<Span>) =
        member.spans.iter().copied().partition(|span| span.is_disclosed);
    let below = given.into_iter().map(|span| Span { end: span.end.min(end), is_disclosed: true, ..span });
    for span in below.filter(|span| span.begin <= span.end) {
        member.revoked = Span::without(std::mem::take(&mut member.revoked), span);
        disclosed.push(span);
    }
    kept.extend(Span::joined(disclosed));
    member.spans = kept;
    let after = member.spans_to(end);
    if bounds(&after) == bounds(&before) {
        (member.spans, member.revoked) = had;
        return false;
    }
    let lowest = after.first().map_or(member.join_message_nr, |span| span.begin);
    member.join_message_nr = member.join_message_nr.min(lowest);
    true
}

/// What of a stretch lies at or above a number.
fn above(span: Span, from: u64) -> Option<Span> {
    Some(Span { begin: span.begin.max(from), ..span }).filter(|span| span.begin <= span.end)
}

fn bounds(spans: &[Span]) -> Vec<(u64, u64)> {
    spans.iter().map(|span| (span.begin, span.end)).collect()
}

#[cfg(test)]
mod tests {
    use rill_proto::event::ClientEvent;
    use rill_proto::id::AccountId;
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;
    use crate::conversation::state::{MessageKind, Settings};

    fn disclose(to: &[AccountId]) -> ClientEvent {
        event("conv:disclose", json!({ "account_ids": to }))
    }

    fn disclose_from(message_nr: u64, to: &[AccountId]) -> ClientEvent {
        event("message:disclose", json!({ "message_nr": message_nr, "account_ids": to }))
    }

    /// Alice wrote 2 to 4 before she added Bob with 5.
    fn late() -> Replay {
        let mut replay = Replay::with(&[]);
        for text in ["two", "three", "four"] {
            replay.post(ALICE, text);
        }
        replay.ask(ALICE, add(&[BOB])).unwrap();
        replay
    }

    #[test]
    fn who_leaves_keeps_the_beginning_that_was_opened_to_him() {
        let mut replay = Replay::with(&[]);
        replay.ask(ALICE, event("conv:conv_enable_autojoin", json!({}))).unwrap();
        replay.ask(JIL, event("conv:autojoin", json!({}))).unwrap();
        replay.ask(ALICE, disclose(&[JIL])).unwrap();
        assert_eq!(replay.counters(JIL).inbox_message_nr, 1);
        replay.ask(JIL, leave()).unwrap();
        assert_eq!(replay.counters(JIL).inbox_message_nr, 1, "he has not come back from anywhere");
    }

    #[test]
    fn whoever_sees_the_beginning_opens_it() {
        let mut replay = late();
        let horizon = replay.stamp;
        let decision = replay.ask(ALICE, disclose(&[BOB])).unwrap();
        let message = replay.message(6);
        assert_eq!((message.kind, message.ref_message_nr), (MessageKind::DiscloseV2, Some(1)));
        let body = replay.body(6);
        assert_eq!((&body["members"], &body["team_ids"]), (&json!([BOB]), &json!([])));
        assert_eq!(body["disclose_time"], replay.message(1).posted_time);
        assert_eq!(lines(&decision.answer), ["conv Full", "message 6", "activity bob"]);
        let others = ["conv Full", "message 6", "activity bob", "activity alice"];
        assert_eq!(told(&decision, Reach::Others), others);
        assert_eq!(effects(&decision), ["bob joined by bob"], "his sessions start afresh");
        let bob = replay.counters(BOB);
        assert_eq!((bob.join, bob.begin, bob.send, bob.read, bob.unread), (1, 5, 5, 4, 0));
        assert_eq!(bob.inbox_message_nr, 4, "the newest inbox message is his now");
        assert_eq!(replay.state.members[&BOB].disclosed_from(), Some(1));
        assert_eq!(replay.counters(ALICE).read, 6, "it marks all as read");
        let form: Vec<String> = (1..=6).map(|nr| format!("message {nr}")).collect();
        let late = lines(&replay.catch_up(BOB, horizon));
        assert!(late.contains(&"conv Init(Full) fw 6 bw 1".to_owned()), "{late:?}");
        assert!(form.iter().all(|message| late.contains(message)), "{late:?}");
    }

    #[test]
    fn from_a_message_on_opens_no_more_than_that() {
        let mut replay = late();
        let decision = replay.ask(ALICE, disclose_from(3, &[BOB])).unwrap();
        assert_eq!(decision.identifier["message_nr"], 3);
        assert_eq!((replay.counters(BOB).join, replay.message(6).ref_message_nr), (3, Some(3)));
        assert!(replay.ask(BOB, on("load_context", 2)).is_err());
        assert!(replay.ask(BOB, on("load_context", 3)).is_ok());
        replay.ask(ALICE, disclose_from(2, &[BOB])).unwrap();
        assert_eq!(replay.state.members[&BOB].spans.len(), 1, "what touches is one stretch");
        assert_eq!(replay.counters(BOB).join, 2);
    }

    #[test]
    fn nobody_opens_what_he_does_not_see() {
        let mut replay = late();
        replay.post(BOB, "six");
        replay.ask(ALICE, add(&[CHARLIE])).unwrap();
        replay.ask(BOB, disclose_from(2, &[CHARLIE])).unwrap();
        assert_eq!((replay.counters(CHARLIE).join, replay.message(8).ref_message_nr), (5, Some(5)));
        assert!(replay.ask(CHARLIE, on("load_context", 4)).is_err());
    }

    #[test]
    fn the_time_that_the_giver_was_away_stays_closed() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        replay.post(ALICE, "three");
        replay.ask(ALICE, add(&[BOB])).unwrap();
        replay.ask(ALICE, add(&[CHARLIE])).unwrap();
        replay.post(ALICE, "six");
        replay.ask(ALICE, add(&[DON])).unwrap();
        replay.ask(BOB, disclose(&[DON])).unwrap();
        let don = &replay.state.members[&DON];
        let seen: Vec<u64> = (1..=7).filter(|nr| don.sees(*nr)).collect();
        assert_eq!(seen, [1, 2, 4, 5, 6, 7]);
        assert!(!don.has_rejoined() && !don.was_present_at(2), "he was never there");
        assert!(replay.ask(BOB, disclose_from(3, &[DON])).is_err(), "it is not his to give");
    }

    #[test]
    fn who_came_back_is_shown_what_he_missed() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        replay.post(ALICE, "three");
        replay.ask(ALICE, add(&[BOB])).unwrap();
        assert!(!replay.state.members[&BOB].sees(3));
        replay.ask(ALICE, disclose(&[BOB])).unwrap();
        assert!(replay.state.members[&BOB].sees(3) && replay.state.members[&BOB].has_rejoined());
        assert!(!replay.state.members[&BOB].was_present_at(3));
    }

    #[test]
    fn what_opens_nothing_takes_no_slot() {
        let mut replay = late();
        replay.ask(ALICE, disclose(&[BOB])).unwrap();
        for event in [disclose(&[BOB]), disclose(&[ALICE]), disclose(&[]), disclose_from(4, &[BOB])] {
            let decision = replay.ask(ALICE, event).unwrap();
            assert!(decision.changes.is_empty() && decision.news.is_empty());
            assert_eq!(lines(&decision.answer), ["conv Update"]);
        }
    }

    #[test]
    fn a_conversation_that_discloses_opens_what_the_adding_one_sees() {
        let mut replay = late();
        replay.state.head.as_mut().unwrap().settings =
            Settings { is_disclose: Some(true), ..Settings::default() };
        let added = replay.judge_only(BOB, add(&[CHARLIE])).unwrap();
        for change in &added.changes {
            replay.state.fold(change);
        }
        assert_eq!((replay.counters(CHARLIE).join, replay.counters(CHARLIE).begin), (5, 6));
    }

    #[test]
    fn what_is_refused() {
        let mut replay = late();
        replay.ask(ALICE, add(&[CHARLIE])).unwrap();
        replay.ask(CHARLIE, leave()).unwrap();
        for event in [disclose(&[BOB, JIL]), disclose(&[CHARLIE]), disclose_from(2, &[JIL])] {
            assert_eq!(replay.ask(ALICE, event), Err(Refusal::not_found("Member")));
        }
        let team = event("conv:disclose", json!({ "team_ids": [JIL] }));
        assert_eq!(replay.ask(ALICE, team), Err(Refusal::not_found("Team")));
        for nr in [0, 99] {
            assert_eq!(replay.ask(ALICE, disclose_from(nr, &[BOB])), Err(Refusal::not_found("Message")));
        }
        for event in [disclose(&[BOB]), disclose_from(2, &[BOB])] {
            assert_eq!(replay.ask(JIL, event.clone()), Err(Refusal::not_member()));
            assert_eq!(replay.ask(CHARLIE, event), Err(Refusal::has_left()));
        }
    }
}
