//! What an account tells a conversation: a member's profile changed, or he calls another one by another name.

use rill_proto::classificator::AccountStatus;
use rill_proto::id::AccountId;

use crate::account::profile::Profile;
use crate::conversation::rules::draft::{Draft, Post};
use crate::conversation::rules::{
    Decision, Facts, Header, Judged, Keys, News, Reach, body, disclosure, membership, presence,
};
use crate::conversation::state::{Change, Head, Member, MessageKind, State};

/// Keeps the newer profile. The others get his `contact`; while there is no topic, their header as well, since
/// `default_topic` is made of names. An older version than the one held says nothing new. Somebody who has registered says
/// so; one who has closed his account leaves.
///
/// # Errors
/// As the rules of membership: what must be fetched first.
pub fn profile_changed(
    state: &State,
    account_id: AccountId,
    profile: &Profile,
    facts: &Facts,
) -> Judged<Decision> {
    let (Some(head), Some(member)) = (&state.head, state.members.get(&account_id)) else {
        return Ok(presence::nothing(state));
    };
    if profile.version <= member.profile.version {
        return Ok(presence::nothing(state));
    }
    let before = member.profile.status;
    let member = Member { profile: profile.clone(), profile_stamp: facts.stamp, ..member.clone() };
    let is_closed = !membership::is_open(profile);
    let has_registered = before == AccountStatus::New && profile.status == AccountStatus::Active;
    if let Some(owner) = profile.alias_of.filter(|_| member.is_present()) {
        return moved(state, (account_id, member), owner, facts);
    }
    if !member.is_present() || !(is_closed || has_registered) {
        return Ok(shown(state, head, account_id, member, facts));
    }
    let mut draft = Draft::new(state, head.clone(), account_id, facts);
    draft.put_member(account_id, member);
    draft.contacts = vec![account_id];
    draft.aside.push((Reach::Left, News::Contact(account_id)));
    if is_closed {
        return membership::depart(draft, MessageKind::Leave, String::new(), &[account_id]);
    }
    // The text is a wire constant (conversations.md §3.1).
    let message = body::text(&body::Said { sysmsg_text: "{author} became a Fleep user." });
    draft.announce(MessageKind::Signin, Post { message, ..Post::default() });
    draft.change_facts();
    draft.finish(None)
}

/// A member's address is another account's now (accounts.md §3.3): that one takes his place, sees what he saw and has read
/// what he had read; he says so, and leaves.
fn moved(
    state: &State,
    (account_id, member): (AccountId, Member),
    owner: AccountId,
    facts: &Facts,
) -> Judged<Decision> {
    let Some(head) = &state.head else { return Ok(presence::nothing(state)) };
    let is_in = state.members.get(&owner).is_some_and(Member::is_present);
    let known = facts.profiles(&[owner])?;
    let profile = known.into_iter().find_map(|(_, profile)| profile.cloned());
    let mut draft = Draft::new(state, head.clone(), account_id, facts);
    draft.put_member(account_id, member.clone());
    draft.contacts = vec![account_id];
    draft.aside.push((Reach::Left, News::Contact(account_id)));
    if let Some(profile) = profile.filter(|_| !is_in) {
        let message = body::text(&body::Members { members: vec![owner] });
        let nr = draft.post(MessageKind::Add, Post { message, ..Post::default() })?;
        membership::enter(&mut draft, owner, &profile, nr, facts.now)?;
        let given = disclosure::giver(&draft);
        let heir = draft.change(owner)?;
        disclosure::open(heir, given);
        heir.read_message_nr = member.read_message_nr;
        heir.read_inbox_nr = member.read_inbox_nr;
        draft.contacts.push(owner);
        draft.joined = vec![owner];
    }
    membership::depart(draft, MessageKind::Leave, String::new(), &[account_id])
}

/// Nothing but the record changed. What nobody else is shown of it says nothing; where the conversation waits for his answer to
/// an invitation, everybody sees that.
fn shown(state: &State, head: &Head, account_id: AccountId, mut member: Member, facts: &Facts) -> Decision {
    let mut decision = presence::nothing(state);
    let mut head = Head { stamp: facts.stamp, ..head.clone() };
    let before = state.members.get(&account_id);
    let is_unseen = before.is_some_and(|before| {
        let (version, invited_into) = (member.profile.version, member.profile.invited_into.clone());
        let is_other = before.profile.invited_into != invited_into;
        is_other && Profile { version, invited_into, ..before.profile.clone() } == member.profile
    });
    let is_seen = !is_unseen;
    if is_seen {
        decision.news.push((Reach::Others, News::Contact(account_id)));
        decision.news.push((Reach::Left, News::Contact(account_id)));
    } else {
        member.profile_stamp = before.map_or(0, |before| before.profile_stamp);
    }
    let was_private = before.is_some_and(|before| before.profile.is_private);
    if was_private && !member.profile.is_private && member.is_present() {
        member.shown_stamp = facts.stamp;
        decision.news.push((Reach::Others, News::Activity(account_id)));
    }
    let is_renamed = is_seen && head.topic.is_empty() && member.is_present();
    let is_awaited = state.waits_for(account_id, &member);
    let was_awaited = before.is_some_and(|before| state.waits_for(account_id, before));
    if is_renamed || is_awaited != was_awaited {
        head.facts_stamp = facts.stamp;
        let header = Header { keys: Keys::Full, fw: None, bw: None, is_reset: false };
        decision.news.extend((is_awaited != was_awaited).then_some((Reach::Own, News::Header(header))));
        decision.news.push((Reach::Others, News::Header(header)));
    }
    decision.changes = vec![Change::Head(head), Change::Member(account_id, member)];
    decision
}

/// A member calls another one (`None`: several people) by another name: where the header names people to him, it reads
/// otherwise now.
#[must_use]
pub fn named(state: &State, viewer: AccountId, contact: Option<AccountId>, facts: &Facts) -> Decision {
    let mut decision = presence::nothing(state);
    let is_in = |id: AccountId| state.members.get(&id).is_some_and(Member::is_present);
    let (Some(head), Some(member)) = (&state.head, state.members.get(&viewer)) else {
        return decision;
    };
    if !head.topic.is_empty() || !is_in(viewer) || contact.is_some_and(|contact| !is_in(contact)) {
        return decision;
    }
    let head = Head { facts_stamp: facts.stamp, stamp: facts.stamp, ..head.clone() };
    let member = Member { stamp: facts.stamp, ..member.clone() };
    let header = Header { keys: Keys::Full, fw: None, bw: None, is_reset: false };
    decision.news.push((Reach::Account(viewer), News::Header(header)));
    decision.changes = vec![Change::Head(head), Change::Member(viewer, member)];
    decision
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::AccountStatus;

    use crate::account::profile::Profile;
    use crate::conversation::audience::may_see;
    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{News, Reach};
    use crate::conversation::state::MessageKind;

    fn renamed(replay: &Replay, version: u64) -> Profile {
        Profile { version, display_name: "Robert".to_owned(), ..replay.profiles[&BOB].clone() }
    }

    #[test]
    fn who_has_left_hears_of_those_whom_he_met() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(CHARLIE, leave()).unwrap();
        replay.ask(ALICE, add(&[DON])).unwrap();
        let (new, horizon) = (renamed(&replay, 2), replay.stamp);
        let decision = replay.profile_changed(BOB, &new);
        assert_eq!(told(&decision, Reach::Left), ["contact bob"]);
        assert!(may_see(&replay.state, CHARLIE, &News::Contact(BOB)));
        assert_eq!(lines(&replay.catch_up(CHARLIE, horizon)), ["contact bob"], "as after a reconnect");
        let new = Profile { version: 2, ..replay.profiles[&DON].clone() };
        replay.profile_changed(DON, &new);
        assert!(!may_see(&replay.state, CHARLIE, &News::Contact(DON)), "he came later");
        let closed = Profile { version: 3, status: AccountStatus::Closed, ..replay.profiles[&BOB].clone() };
        let decision = replay.profile_changed(BOB, &closed);
        assert_eq!(told(&decision, Reach::Left), ["contact bob"]);
    }

    #[test]
    fn the_others_get_the_contact_and_while_there_is_no_topic_the_header() {
        let mut replay = Replay::with(&[BOB]);
        let (new, horizon) = (renamed(&replay, 2), replay.stamp);
        let decision = replay.profile_changed(BOB, &new);
        assert_eq!(told(&decision, Reach::Others), ["contact bob", "conv Full"]);
        assert_eq!(replay.state.members[&BOB].profile, new);
        assert_eq!(lines(&replay.catch_up(ALICE, horizon)), ["contact bob", "conv Full"]);

        replay.ask(ALICE, set_topic("Harvest")).unwrap();
        let (new, horizon) = (renamed(&replay, 3), replay.stamp);
        let decision = replay.profile_changed(BOB, &new);
        assert_eq!(told(&decision, Reach::Others), ["contact bob"]);
        assert_eq!(lines(&replay.catch_up(ALICE, horizon)), ["contact bob"]);
    }

    #[test]
    fn who_was_known_by_his_address_says_that_he_has_registered_and_keeps_what_is_unread() {
        let mut replay = Replay::nothing();
        replay.profiles.insert(BOB, profile_of("bob", AccountStatus::New));
        replay.ask(ALICE, create("Harvest", &[BOB])).unwrap();
        replay.post(ALICE, "hello");
        let (new, horizon) = (Profile { status: AccountStatus::Active, ..renamed(&replay, 2) }, replay.stamp);
        let decision = replay.profile_changed(BOB, &new);
        let records = ["contact bob", "conv Full", "message 3"];
        assert_eq!(told(&decision, Reach::Others), records);
        assert_eq!(lines(&replay.catch_up(ALICE, horizon)), records);
        let message = replay.message(3);
        assert_eq!((message.kind, message.account_id, message.inbox_nr), (MessageKind::Signin, BOB, -1));
        assert_eq!(replay.counters(BOB).unread, 1);
    }

    #[test]
    fn who_closes_his_account_leaves_and_who_has_left_is_only_shown() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(ALICE, set_topic("Harvest")).unwrap();
        replay.ask(CHARLIE, leave()).unwrap();
        let closed = |profile: Profile| Profile { status: AccountStatus::Closed, ..profile };
        let new = closed(renamed(&replay, 2));
        let decision = replay.profile_changed(BOB, &new);
        assert_eq!(told(&decision, Reach::Others), ["contact bob", "conv Full", "message 4"]);
        assert_eq!(replay.message(4).kind, MessageKind::Leave);
        assert_eq!(replay.present(), [ALICE]);
        let decision = replay.profile_changed(CHARLIE, &closed(renamed(&replay, 2)));
        assert_eq!(told(&decision, Reach::Others), ["contact charlie"]);
    }

    #[test]
    fn who_becomes_an_alias_makes_room_for_the_one_whose_address_he_is() {
        let mut replay = Replay::nothing();
        replay.profiles.insert(BOB, profile_of("bob", AccountStatus::New));
        replay.ask(ALICE, create("Harvest", &[BOB])).unwrap();
        replay.post(ALICE, "one");
        replay.post(ALICE, "two");
        let alias = |replay: &Replay, version| Profile {
            status: AccountStatus::Alias,
            alias_of: Some(CHARLIE),
            ..renamed(replay, version)
        };
        let new = alias(&replay, 2);
        let horizon = replay.stamp;
        replay.slots_max = 2;
        let decision = replay.profile_changed(BOB, &new);
        assert_eq!(replay.present(), [ALICE, CHARLIE]);
        assert_eq!((replay.message(4).kind, replay.message(5).kind), (MessageKind::Add, MessageKind::Leave));
        assert_eq!(replay.counters(CHARLIE).unread, 2, "what the alias had not read");
        let seen = lines(&replay.catch_up(CHARLIE, horizon));
        assert!(seen.contains(&"message 2".to_owned()) && seen.contains(&"message 5".to_owned()), "{seen:?}");
        assert!(
            effects(&decision).iter().any(|effect| effect.starts_with("charlie joined")),
            "{:?}",
            effects(&decision)
        );

        replay.ask(ALICE, add(&[BOB])).unwrap();
        let new = alias(&replay, 3);
        replay.profile_changed(BOB, &new);
        assert_eq!(replay.present(), [ALICE, CHARLIE], "who is in already stays as he is");
    }

    #[test]
    fn who_keeps_to_himself_shows_no_read_marks_and_sees_none() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(ALICE, set_topic("Harvest")).unwrap();
        let private =
            |replay: &Replay, version, is_private| Profile { is_private, ..renamed(replay, version) };
        let new = private(&replay, 2, true);
        assert_eq!(told(&replay.profile_changed(BOB, &new), Reach::Others), ["contact bob"]);
        let (of_bob, of_alice) = (News::Activity(BOB), News::Activity(ALICE));
        assert!(!may_see(&replay.state, ALICE, &of_bob) && !may_see(&replay.state, BOB, &of_alice));
        let new = private(&replay, 3, false);
        let told = told(&replay.profile_changed(BOB, &new), Reach::Others);
        assert_eq!(told, ["contact bob", "activity bob"], "what was kept is shown again");
        assert!(may_see(&replay.state, ALICE, &of_bob) && may_see(&replay.state, BOB, &of_alice));
    }

    #[test]
    fn another_name_for_somebody_changes_what_a_conversation_without_a_topic_is_called() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        let horizon = replay.stamp;
        let decision = replay.named(ALICE, Some(BOB));
        assert_eq!(told(&decision, Reach::Account(ALICE)), ["conv Full"]);
        assert_eq!(lines(&replay.catch_up(ALICE, horizon)), ["conv Full"]);
        assert!(replay.named(ALICE, Some(JIL)).changes.is_empty());
        assert!(replay.named(JIL, None).changes.is_empty());
        replay.ask(ALICE, set_topic("Harvest")).unwrap();
        assert!(replay.named(ALICE, None).changes.is_empty());
    }

    #[test]
    fn an_old_version_and_a_strangers_profile_say_nothing() {
        let mut replay = Replay::with(&[BOB]);
        let same = renamed(&replay, 1);
        assert!(replay.profile_changed(BOB, &same).changes.is_empty());
        assert!(replay.profile_changed(JIL, &same).changes.is_empty());
        assert!(Replay::nothing().profile_changed(BOB, &same).changes.is_empty());
    }
}
