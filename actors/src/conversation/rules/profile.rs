//! What an account tells a conversation: a member's profile changed.

use rill_proto::id::AccountId;

use crate::account::profile::Profile;
use crate::conversation::rules::{Decision, Facts, Header, Keys, News, Reach, presence};
use crate::conversation::state::{Change, State};

/// Keeps the newer profile. The others get his `contact`; while there is no topic, their header as well, since
/// `default_topic` is made of names. An older version than the one held says nothing new.
#[must_use]
pub fn profile_changed(state: &State, account_id: AccountId, profile: &Profile, facts: &Facts) -> Decision {
    let mut decision = presence::nothing(state);
    let (Some(head), Some(member)) = (&state.head, state.members.get(&account_id)) else {
        return decision;
    };
    if profile.version <= member.profile.version {
        return decision;
    }
    let (mut head, mut member) = (head.clone(), member.clone());
    member.profile = profile.clone();
    member.profile_stamp = facts.stamp;
    head.stamp = facts.stamp;
    decision.news.push((Reach::Others, News::Contact(account_id)));
    if head.topic.is_empty() && member.is_present() {
        head.facts_stamp = facts.stamp;
        let header = Header { keys: Keys::Full, fw: None, bw: None, is_reset: false };
        decision.news.push((Reach::Others, News::Header(header)));
    }
    decision.changes = vec![Change::Head(head), Change::Member(account_id, member)];
    decision
}

#[cfg(test)]
mod tests {
    use crate::account::profile::Profile;
    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;

    fn renamed(replay: &Replay, version: u64) -> Profile {
        Profile { version, display_name: "Robert".to_owned(), ..replay.profiles[&BOB].clone() }
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
    fn an_old_version_and_a_strangers_profile_say_nothing() {
        let mut replay = Replay::with(&[BOB]);
        let same = renamed(&replay, 1);
        assert!(replay.profile_changed(BOB, &same).changes.is_empty());
        assert!(replay.profile_changed(JIL, &same).changes.is_empty());
        assert!(Replay::nothing().profile_changed(BOB, &same).changes.is_empty());
    }
}
