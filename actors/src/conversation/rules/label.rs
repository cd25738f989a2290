//! The labels that a member puts on a conversation (conversations.md §6.4, §11): his own view, told to nobody else.
//!
//! A member's row keeps what the labels are called, since his header says it. Not here: which labels he has (his account's).

use std::collections::BTreeSet;

use rill_proto::event::conv;
use rill_proto::id::{AccountId, LabelId, TeamId};
use rill_proto::refusal::Refusal;

use crate::account::employment::team_label_id;
use crate::account::label::{Settable, SystemLabel};
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged, Need, News, Stop, alert, standing};
use crate::conversation::state::State;

/// How many labels one conversation may have: more than anybody looks at in a header, few enough that it stays short.
const LABELS_EACH_MAX: usize = 50;

/// `conv:set_labels`. Labels that come with the conversation (that of dialogs, those of its teams) are neither set nor taken
/// away.
pub(super) fn set(
    state: &State,
    caller: AccountId,
    event: &conv::SetLabels,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let wanted = wanted(&event.label_ids, caller, &head.teams)?;
    let labels = known(&wanted, caller, facts)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    draft.change_own_facts();
    let names: Vec<String> = labels.iter().map(|label| label.name.clone()).collect();
    let spam = SystemLabel::Spam.id(caller);
    let is_new_spam = wanted.contains(&spam) && !member.label_ids.contains(&spam);
    let is_so = member.label_ids == wanted && member.label_names.as_deref().unwrap_or_default() == names;
    if !is_so {
        let member = draft.change(caller)?;
        member.label_ids = wanted;
        member.label_names = Some(names);
        if is_new_spam {
            alert::mute(member);
        }
    }
    let mut decision = draft.finish(None)?;
    decision.answer.extend(labels.into_iter().map(|label| News::Label(label.record.clone())));
    Ok(decision)
}

/// The labels that are to be set, each once and in the order given.
fn wanted(label_ids: &[LabelId], caller: AccountId, teams: &[TeamId]) -> Result<Vec<LabelId>, Refusal> {
    let of_teams = teams.iter().map(|id| team_label_id(caller, *id));
    // What has been passed over needs no second look.
    let mut seen: BTreeSet<LabelId> = of_teams.chain([SystemLabel::OneToOne.id(caller)]).collect();
    let wanted: Vec<LabelId> = label_ids.iter().copied().filter(|id| seen.insert(*id)).collect();
    if wanted.len() > LABELS_EACH_MAX {
        let what = format!("at most {LABELS_EACH_MAX} labels are allowed");
        return Err(Refusal::invalid_call("label_ids", what));
    }
    Ok(wanted)
}

fn known<'a>(wanted: &[LabelId], caller: AccountId, facts: &'a Facts) -> Judged<Vec<&'a Settable>> {
    let missing: Vec<LabelId> = wanted.iter().copied().filter(|id| !facts.labels.contains_key(id)).collect();
    if !missing.is_empty() {
        return Err(Stop::Needs(Need::Labels(caller, missing)));
    }
    let labels = wanted.iter().map(|id| facts.labels.get(id).and_then(Option::as_ref));
    let labels: Option<Vec<&Settable>> = labels.collect();
    Ok(labels.ok_or_else(|| Refusal::not_found("Label"))?)
}

/// One of a member's labels is called otherwise now, or (`None`) is gone.
pub(super) fn labelled(
    state: &State,
    viewer: AccountId,
    label_id: LabelId,
    name: Option<&str>,
    facts: &Facts,
) -> Judged<Decision> {
    let (Some(head), Some(member)) = (&state.head, state.members.get(&viewer)) else {
        return Ok(Decision::default());
    };
    let Some(at) = member.label_ids.iter().position(|id| *id == label_id) else {
        return Ok(Decision::default());
    };
    let mut draft = Draft::new(state, head.clone(), viewer, facts);
    draft.change_own_facts();
    let member = draft.change(viewer)?;
    let names = member.label_names.get_or_insert_default();
    match name {
        Some(name) => {
            if let Some(known) = names.get_mut(at) {
                name.clone_into(known);
            }
        }
        None => {
            member.label_ids.remove(at);
            if at < names.len() {
                names.remove(at);
            }
        }
    }
    draft.finish(None)
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::AlertLevel;
    use rill_proto::id::LabelId;
    use rill_proto::refusal::Refusal;
    use uuid::Uuid;

    use super::LABELS_EACH_MAX;
    use crate::account::label::SystemLabel;
    use crate::conversation::glance::Glance;
    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;

    const WORK: LabelId = LabelId(Uuid::from_u128(0x10));
    const PLAY: LabelId = LabelId(Uuid::from_u128(0x11));

    /// Bob has two labels of his own.
    fn with_labels() -> Replay {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.label(BOB, WORK, "Work");
        replay.label(BOB, PLAY, "Play");
        replay.label(BOB, SystemLabel::Starred.id(BOB), "starred");
        replay.label(BOB, SystemLabel::Spam.id(BOB), "Spam");
        replay
    }

    fn names(replay: &Replay) -> Vec<String> {
        replay.state.members[&BOB].label_names.clone().unwrap()
    }

    #[test]
    fn labels_are_replaced_and_told_to_ones_own_sessions_only() {
        let mut replay = with_labels();
        let starred = SystemLabel::Starred.id(BOB);
        let decision = replay.ask(BOB, set_labels(&[starred, WORK, starred])).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Full", "label", "label"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Full"]);
        assert!(told(&decision, Reach::Others).is_empty());
        assert_eq!(replay.state.members[&BOB].label_ids, [starred, WORK]);
        assert_eq!(names(&replay), ["starred", "Work"]);
        assert!(replay.ask(BOB, set_labels(&[starred, WORK])).unwrap().changes.is_empty());
        replay.ask(BOB, set_labels(&[PLAY])).unwrap();
        assert_eq!(names(&replay), ["Play"]);
        let horizon = replay.stamp;
        let decision = replay.ask(BOB, set_labels(&[])).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Full"]);
        assert!(names(&replay).is_empty());
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), ["conv Full"]);
        assert_eq!(replay.head().last_message_nr, 1);
    }

    #[test]
    fn the_label_of_dialogs_is_passed_over_and_what_nobody_may_set_is_not_found() {
        let mut replay = with_labels();
        replay.ask(BOB, set_labels(&[SystemLabel::OneToOne.id(BOB), WORK])).unwrap();
        assert_eq!(replay.state.members[&BOB].label_ids, [WORK]);
        for unknown in [LabelId(Uuid::from_u128(0x99)), SystemLabel::Recent.id(BOB)] {
            let refused = replay.ask(BOB, set_labels(&[WORK, unknown]));
            assert_eq!(refused, Err(Refusal::not_found("Label")));
        }
        assert_eq!(replay.ask(CHARLIE, set_labels(&[WORK])), Err(Refusal::not_found("Label")), "it is bob's");
    }

    #[test]
    fn spam_mutes() {
        let mut replay = with_labels();
        let spam = SystemLabel::Spam.id(BOB);
        replay.ask(BOB, set_labels(&[spam])).unwrap();
        let bob = &replay.state.members[&BOB];
        assert_eq!((bob.alert_level, bob.snooze_interval), (AlertLevel::Never, -1));
        replay.ask(BOB, unmute()).unwrap();
        replay.ask(BOB, set_labels(&[WORK, spam])).unwrap();
        assert_eq!(replay.state.members[&BOB].alert_level, AlertLevel::Default, "it was spam before");
    }

    #[test]
    fn there_are_not_too_many() {
        let mut replay = with_labels();
        let ids: Vec<LabelId> =
            (0..=LABELS_EACH_MAX as u128).map(|nr| LabelId(Uuid::from_u128(nr))).collect();
        let refused = replay.ask(BOB, set_labels(&ids)).unwrap_err();
        assert!(refused.status == 400 && refused.error_message.starts_with("params.label_ids"));
    }

    #[test]
    fn a_label_that_is_renamed_or_removed_is_so_here() {
        let mut replay = with_labels();
        replay.ask(BOB, set_labels(&[WORK, PLAY])).unwrap();
        let horizon = replay.stamp;
        let decision = replay.labelled(BOB, WORK, Some("Toil"));
        assert_eq!(told(&decision, Reach::Own), ["conv Full"]);
        assert_eq!(names(&replay), ["Toil", "Play"]);
        assert_eq!(lines(&replay.catch_up(BOB, horizon)), ["conv Full"]);
        replay.labelled(BOB, WORK, None);
        assert_eq!(
            (names(&replay), &replay.state.members[&BOB].label_ids[..]),
            (vec!["Play".to_owned()], &[PLAY][..])
        );
        assert!(replay.labelled(BOB, WORK, None).changes.is_empty());
        assert!(replay.labelled(JIL, WORK, None).changes.is_empty());
    }

    #[test]
    fn who_left_may_label_and_a_stranger_may_not() {
        let mut replay = with_labels();
        replay.ask(BOB, leave()).unwrap();
        let decision = replay.ask(BOB, set_labels(&[WORK])).unwrap();
        assert_eq!(told(&decision, Reach::Own), ["conv Full"]);
        assert_eq!(replay.ask(JIL, set_labels(&[])), Err(Refusal::not_member()));
        assert_eq!(Replay::nothing().ask(ALICE, set_labels(&[])), Err(Refusal::not_member()));
    }

    #[test]
    fn lists_are_told_what_the_header_says() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(ALICE, add(&[DON])).unwrap();
        replay.post(ALICE, "one");
        replay.ask(CHARLIE, leave()).unwrap();
        replay.post(BOB, "two");
        replay.ask(ALICE, add(&[JIL])).unwrap();
        replay.ask(BOB, delete_conv()).unwrap();
        for account_id in [ALICE, BOB, CHARLIE, DON, JIL] {
            let glance = Glance::of(replay.head(), &replay.state.members[&account_id]);
            let counters = replay.counters(account_id);
            assert_eq!(glance.inbox_time, counters.inbox_time, "{account_id:?}");
            let is_marked = counters.is_mark_unread == Some(true);
            assert_eq!(glance.is_unread, counters.unread > 0 || is_marked, "{account_id:?}");
        }
    }
}
