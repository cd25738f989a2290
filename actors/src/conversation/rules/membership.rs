//! Who is in: adding, removing, leaving (conversations.md §4.1, §6.2), and the merging of additions (§3.2).

use std::collections::BTreeSet;

use rill_proto::classificator::{AccountStatus, AlertLevel, InitMode};
use rill_proto::event::conv;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::account::profile::Profile;
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{
    Decision, Facts, Header, Judged, Keys, News, Reach, body, disclosure, standing,
};
use crate::conversation::state::{Member, MessageKind, Standing, State};
use crate::effect::Effect;
use crate::store::Aggregate;

/// How many people a conversation holds, those who left included: each is a row that every load reads and a name in the
/// lists of the full header.
pub(super) const MEMBERS_MAX: usize = 10_000;

/// How many accounts one call may name: each is a profile that the owner fetches before the rule can decide.
pub(super) const ACCOUNTS_PER_CALL_MAX: usize = 1_000;

/// `conv:add_members`. Who is in already is passed over, and so is who does not exist.
pub(super) fn add(
    state: &State,
    caller: AccountId,
    event: &conv::AddMembers,
    facts: &Facts,
) -> Judged<Decision> {
    let head = standing::manager(state, caller, facts)?;
    let wanted = named(&event.account_ids)?;
    let outside: Vec<AccountId> = wanted
        .into_iter()
        .filter(|id| state.members.get(id).is_none_or(|member| member.standing != Standing::Active))
        .collect();
    let added = addable(facts, &outside)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if added.is_empty() {
        return draft.finish(None);
    }
    has_room(&draft, added.iter().filter(|(id, _)| !state.members.contains_key(id)).count(), "account_ids")?;
    let ids: Vec<AccountId> = added.iter().map(|(id, _)| *id).collect();
    let (nr, time) = state_addition(&mut draft, &ids)?;
    for (account_id, profile) in &added {
        enter(&mut draft, *account_id, profile, nr, time)?;
    }
    draft.change_facts();
    draft.settle_dialog();
    draft.contacts.clone_from(&ids);
    draft.joined = ids;
    draft.finish(None)
}

/// Says who was added: in the newest visible message when that is the caller's own `create` or `add`, else in a new one.
/// Answers with that message's number and post time.
fn state_addition(draft: &mut Draft<'_>, added: &[AccountId]) -> Judged<(u64, i64)> {
    let (caller, newest_nr) = (draft.caller, draft.head.show_message_nr);
    let newest = draft.flow().message(newest_nr)?.filter(|message| message.account_id == caller);
    if let Some(newest) = newest
        && let Some(text) = grown(newest.kind, &newest.message, added)
    {
        let slot = draft.revise(newest_nr, |message| message.message = text)?;
        if newest.kind == MessageKind::Create {
            // The body states the topic once more.
            draft.head.topic_message_nr = slot;
        }
        return Ok((newest_nr, newest.posted_time));
    }
    let message = body::text(&body::Members { members: added.to_vec() });
    let nr = draft.say(MessageKind::Add, message)?;
    Ok((nr, draft.facts.now))
}

/// The body with more members in it; `None` where additions are not merged.
fn grown(kind: MessageKind, text: &str, added: &[AccountId]) -> Option<String> {
    if kind == MessageKind::Create {
        let mut create: body::Create = body::read(text)?;
        create.members.extend(added);
        return Some(body::text(&create));
    }
    if kind != MessageKind::Add {
        return None;
    }
    let mut add: body::Members = body::read(text)?;
    add.members.extend(added);
    Some(body::text(&add))
}

/// Makes an account a member by the message `nr`.
///
/// # Errors
/// As [`Draft::change`].
pub(super) fn enter(
    draft: &mut Draft<'_>,
    account_id: AccountId,
    profile: &Profile,
    nr: u64,
    time: i64,
) -> Judged<()> {
    let stamp = draft.facts.stamp;
    if draft.member(account_id).is_some_and(Member::is_present) {
        let member = draft.change(account_id)?;
        member.standing = Standing::Active;
        member.is_by_team = false;
        member.alert_level = AlertLevel::Default;
        member.snooze_interval = 0;
        member.snooze_time = 0;
        member.send_message_nr = nr;
        return Ok(());
    }
    let place = draft.everybody().map(|(_, member)| member.place + 1).max().unwrap_or(0);
    let mut member = draft.member(account_id).cloned().unwrap_or_else(|| newcomer(profile.clone(), nr));
    if profile.version >= member.profile.version {
        member.profile = profile.clone();
    }
    member.standing = Standing::Active;
    member.is_by_team = false;
    member.place = place;
    member.begin_message_nr = nr;
    member.send_message_nr = nr;
    member.read_message_nr = nr - 1;
    member.read_inbox_nr = draft.inbox_at(nr - 1);
    member.shown_read_nr = None;
    member.join_time = time;
    member.frozen = None;
    member.is_deleted = false;
    for changed in
        [&mut member.init_stamp, &mut member.shown_stamp, &mut member.profile_stamp, &mut member.stamp]
    {
        *changed = stamp;
    }
    if draft.head.settings.is_disclose == Some(true) {
        disclosure::open(&mut member, disclosure::giver(draft));
    }
    draft.tell_tasks(account_id, true);
    // Who acts from outside is nobody's contact by that.
    let is_met = draft.member(draft.caller).is_some_and(Member::is_present);
    let effect = Effect::Joined {
        conversation_id: draft.state.conversation_id,
        by: if is_met { draft.caller } else { account_id },
        profile_version: member.profile.version,
        version: stamp,
    };
    draft.effects.push((Aggregate::Account(account_id), effect));
    draft.put_member(account_id, member);
    Ok(())
}

fn newcomer(profile: Profile, nr: u64) -> Member {
    Member {
        profile,
        standing: Standing::Active,
        is_by_team: false,
        place: 0,
        join_message_nr: nr,
        begin_message_nr: nr,
        send_message_nr: nr,
        read_message_nr: 0,
        read_inbox_nr: 0,
        has_read: false,
        shown_read_nr: None,
        join_time: 0,
        is_mark_unread: None,
        my_message_nr: None,
        mentions: Vec::new(),
        hide_message_nr: None,
        delete_message_nr: None,
        delete_inbox_nr: 0,
        is_deleted: false,
        no_notifications: None,
        spans: Vec::new(),
        revoked: Vec::new(),
        frozen: None,
        alert_level: AlertLevel::Default,
        snooze_interval: 0,
        snooze_time: 0,
        label_ids: Vec::new(),
        label_names: None,
        init_stamp: 0,
        shown_stamp: 0,
        profile_stamp: 0,
        stamp: 0,
    }
}

/// `conv:remove_members`. Who removes nobody but himself leaves.
pub(super) fn remove(
    state: &State,
    caller: AccountId,
    event: &conv::RemoveMembers,
    facts: &Facts,
) -> Judged<Decision> {
    let head = standing::manager(state, caller, facts)?;
    let removed: Vec<AccountId> = named(&event.account_ids)?
        .into_iter()
        .filter(|id| state.members.get(id).is_some_and(Member::is_present))
        .collect();
    let draft = Draft::new(state, head.clone(), caller, facts);
    if removed.is_empty() {
        return draft.finish(None);
    }
    if removed == [caller] {
        return depart(draft, MessageKind::Leave, String::new(), &removed);
    }
    let message = body::text(&body::Members { members: removed.clone() });
    depart(draft, MessageKind::Kick, message, &removed)
}

/// `conv:leave`.
pub(super) fn leave(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let (head, _) = standing::member(state, caller)?;
    let draft = Draft::new(state, head.clone(), caller, facts);
    depart(draft, MessageKind::Leave, String::new(), &[caller])
}

/// The caller says that some are out, himself perhaps, and they are.
pub(super) fn depart(
    mut draft: Draft<'_>,
    kind: MessageKind,
    message: String,
    gone: &[AccountId],
) -> Judged<Decision> {
    put_out(&mut draft, kind, message, gone)?;
    draft.finish(None)
}

/// [`depart`], as a part of what is decided. Who is out is no admin.
pub(super) fn put_out(
    draft: &mut Draft<'_>,
    kind: MessageKind,
    message: String,
    gone: &[AccountId],
) -> Judged<()> {
    draft.head.settings.admins.retain(|id| !gone.contains(id));
    let nr = draft.say(kind, message)?;
    let told = draft.flow().message(nr)?;
    for account_id in gone {
        draft.cut_off(*account_id)?;
        if *account_id == draft.caller {
            continue;
        }
        let keys = Keys::Init(InitMode::Full);
        let reset = Header { keys, fw: Some(nr), bw: Some(nr), is_reset: true };
        draft.aside.push((Reach::Account(*account_id), News::Header(reset)));
        let message = told.clone().map(|message| News::Message { message: Box::new(message), flow: None });
        draft.aside.extend(message.map(|message| (Reach::Account(*account_id), message)));
    }
    draft.change_facts();
    draft.settle_dialog();
    Ok(())
}

/// The accounts that a call names, each once and in the order given.
///
/// # Errors
/// `invalid_call` when there are too many.
pub(super) fn named(account_ids: &[AccountId]) -> Result<Vec<AccountId>, Refusal> {
    if account_ids.len() > ACCOUNTS_PER_CALL_MAX {
        let what = format!("at most {ACCOUNTS_PER_CALL_MAX} accounts in one call");
        return Err(Refusal::invalid_call("account_ids", what));
    }
    let mut seen = BTreeSet::new();
    Ok(account_ids.iter().copied().filter(|id| seen.insert(*id)).collect())
}

/// Those of the accounts that exist and may be brought into a conversation, with their profiles.
///
/// # Errors
/// [`Stop::Needs`](super::Stop::Needs) with the profiles that are missing.
pub(super) fn addable(facts: &Facts, account_ids: &[AccountId]) -> Judged<Vec<(AccountId, Profile)>> {
    let known = facts.profiles(account_ids)?;
    let open =
        known.into_iter().filter_map(|(id, profile)| Some((id, profile.filter(|p| is_open(p))?.clone())));
    Ok(open.collect())
}

/// Whether anybody can still be reached under the account.
pub(super) fn is_open(profile: &Profile) -> bool {
    match profile.status {
        AccountStatus::New | AccountStatus::Active | AccountStatus::Alias => true,
        AccountStatus::Closed | AccountStatus::Banned => false,
    }
}

/// # Errors
/// `invalid_call`, naming the param that brings them, when the conversation cannot hold so many more people.
pub(super) fn has_room(draft: &Draft<'_>, more: usize, param: &str) -> Result<(), Refusal> {
    if draft.everybody().count() + more > MEMBERS_MAX {
        let what = format!("a conversation holds at most {MEMBERS_MAX} people");
        return Err(Refusal::invalid_call(param, what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use super::{ACCOUNTS_PER_CALL_MAX, MEMBERS_MAX};
    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{Reach, Soft};
    use crate::conversation::state::{MessageKind, Standing};

    #[test]
    fn additions_of_the_same_person_are_merged_until_somebody_speaks() {
        let mut replay = Replay::with(&[]);
        replay.post(ALICE, "hello");
        replay.ask(ALICE, add(&[BOB])).unwrap();
        let decision = replay.ask(ALICE, add(&[CHARLIE, BOB])).unwrap();
        assert_eq!(replay.message(3).kind, MessageKind::Add);
        assert_eq!(replay.body(3), json!({ "members": [BOB, CHARLIE] }));
        let told_alice = ["contact charlie", "conv Full", "message 3 flow 4", "activity charlie"];
        assert_eq!(lines(&decision.answer), told_alice);
        assert_eq!(told(&decision, Reach::Own), told_alice);
        assert_eq!(told(&decision, Reach::Others), told_alice);
        let charlie = replay.counters(CHARLIE);
        assert_eq!((charlie.join, charlie.begin, charlie.send, charlie.read), (3, 3, 3, 2));
        assert_eq!(replay.counters(ALICE).read, 3, "a merge moves nobody's horizon");

        replay.ask(BOB, add(&[DON])).unwrap();
        assert_eq!(replay.body(5), json!({ "members": [DON] }), "another person's is not merged");
        replay.post(BOB, "hello");
        replay.ask(BOB, add(&[JIL])).unwrap();
        assert_eq!(replay.message(7).kind, MessageKind::Add);
    }

    #[test]
    fn who_is_in_already_who_is_unknown_and_who_is_closed_are_passed_over() {
        let mut replay = Replay::with(&[BOB]);
        let decision = replay.ask(ALICE, add(&[BOB, NOBODY, CLOSED])).unwrap();
        assert!(decision.changes.is_empty() && decision.news.is_empty());
        assert_eq!(lines(&decision.answer), ["conv Update"]);
        assert!(replay.ask(ALICE, add(&[])).unwrap().changes.is_empty());
    }

    #[test]
    fn a_passive_member_is_made_active_again() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.post(ALICE, "hello");
        replay.state.members.get_mut(&BOB).unwrap().standing = Standing::Passive;
        let decision = replay.ask(ALICE, add(&[BOB])).unwrap();
        let bob = replay.counters(BOB);
        assert_eq!((bob.join, bob.begin, bob.send, bob.read), (1, 1, 3, 0));
        assert_eq!(replay.state.members[&BOB].standing, Standing::Active);
        assert!(effects(&decision).is_empty());
    }

    #[test]
    fn the_removed_start_afresh_and_the_rest_see_who_went() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.post(ALICE, "hello");
        let horizon = replay.stamp;
        let decision = replay.ask(ALICE, remove(&[BOB, JIL])).unwrap();
        assert_eq!(replay.message(3).kind, MessageKind::Kick);
        assert_eq!(replay.body(3), json!({ "members": [BOB] }));
        assert_eq!(told(&decision, Reach::Others), ["conv Full", "message 3", "activity alice"]);
        assert_eq!(told(&decision, Reach::Account(BOB)), ["conv Init(Full) fw 3 bw 3 reset", "message 3"]);
        let bob = replay.counters(BOB);
        assert_eq!(
            (bob.read, bob.show, bob.last, bob.send, bob.unread, bob.can_post),
            (0, 3, 3, 3, 1, false)
        );
        replay.post(ALICE, "without him");
        assert_eq!(replay.counters(BOB), bob, "his view stands still");
        let late = lines(&replay.catch_up(BOB, horizon));
        let init = ["conv Init(Full) fw 3 bw 1 reset", "message 1", "message 2", "message 3"];
        assert_eq!(late, [&["contact alice", "contact charlie"], &init[..]].concat());
        assert!(replay.catch_up(BOB, replay.stamp).is_empty());
    }

    #[test]
    fn who_removes_nobody_but_himself_leaves() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(BOB, remove(&[BOB])).unwrap();
        assert_eq!((replay.message(2).kind, replay.message(2).message.as_str()), (MessageKind::Leave, ""));
        replay.ask(ALICE, remove(&[ALICE, CHARLIE])).unwrap();
        assert_eq!(replay.message(3).kind, MessageKind::Kick);
        assert!(replay.present().is_empty());
        assert_eq!(replay.counters(ALICE).read, 3);
    }

    #[test]
    fn nobody_left_to_remove_takes_no_slot() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(ALICE, remove(&[BOB])).unwrap();
        let decision = replay.ask(ALICE, remove(&[BOB, JIL])).unwrap();
        assert!(decision.changes.is_empty() && decision.news.is_empty());
    }

    #[test]
    fn who_leaves_puts_pen_and_locks_down() {
        let mut replay = Replay::with(&[BOB]);
        let nr = replay.post(BOB, "hello");
        replay.ask(BOB, set_editing(2)).unwrap();
        let decision = replay.ask(BOB, leave()).unwrap();
        assert_eq!(decision.soft, [Soft::PenOff(BOB), Soft::Unlock(nr)]);
        assert_eq!(told(&decision, Reach::Activated), ["lock 2 free"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Full", "message 3"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Full", "message 3"]);
        let late = lines(&replay.catch_up(BOB, replay.stamp - 1));
        assert_eq!(late, ["conv Full", "message 3"], "his other sessions need not start afresh");
    }

    #[test]
    fn who_comes_back_joins_at_the_end_with_the_profile_of_today() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(BOB, leave()).unwrap();
        let today = replay.profiles.get_mut(&BOB).unwrap();
        today.version = 2;
        today.display_name = "Robert".to_owned();
        replay.ask(ALICE, add(&[BOB])).unwrap();
        assert_eq!(replay.present(), [ALICE, CHARLIE, BOB]);
        assert_eq!(replay.state.members[&BOB].profile.display_name, "Robert");
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let mut replay = Replay::with(&[BOB]);
        let many: Vec<_> = (0..=ACCOUNTS_PER_CALL_MAX as u128).map(account).collect();
        assert_eq!(replay.ask(ALICE, add(&many)).unwrap_err().status, 400);
        assert_eq!(replay.ask(ALICE, remove(&many)).unwrap_err().status, 400);
        let bob = replay.state.members[&BOB].clone();
        let full = (100..100 + MEMBERS_MAX as u128 - 2).map(|nr| (account(nr), bob.clone()));
        replay.state.members.extend(full);
        assert_eq!(replay.ask(ALICE, add(&[CHARLIE])).unwrap_err().status, 400);
    }

    #[test]
    fn who_never_was_in_and_who_left_are_refused() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        for event in [add(&[DON]), remove(&[ALICE]), leave()] {
            assert_eq!(replay.ask(JIL, event.clone()), Err(Refusal::not_member()));
            assert_eq!(replay.ask(BOB, event.clone()), Err(Refusal::has_left()));
            assert_eq!(Replay::nothing().ask(ALICE, event), Err(Refusal::not_member()));
        }
    }
}
