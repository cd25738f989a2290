//! One-to-one dialogs (conversations.md §4.4): two members, no topic.

use rill_proto::classificator::{ConvType, InitMode};
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::json;

use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged, create, managed, membership, visit};
use crate::conversation::state::{Member, Settings, State};

/// The two people of a dialog, the lower id first; `None` for what is no dialog.
#[must_use]
pub fn pair<'a>(
    topic: &str,
    members: impl Iterator<Item = (AccountId, &'a Member)>,
) -> Option<(AccountId, AccountId)> {
    if !topic.is_empty() {
        return None;
    }
    let mut present = members.filter(|(_, member)| member.is_present()).map(|(id, _)| id);
    let (one, other) = (present.next()?, present.next()?);
    present.next().is_none().then_some((one.min(other), one.max(other)))
}

/// `contact:get_dialog`, as the conversation sees it that the accounts take for their dialog, or that is to become it.
/// `None` when it is no dialog of the two (any more): the accounts must begin another.
///
/// # Errors
/// `no_permission` for a dialog with oneself or with a closed account, `not_found` for an account that does not exist.
pub fn open_dialog(
    state: &State,
    caller: AccountId,
    other: AccountId,
    mk_conv_type: Option<ConvType>,
    facts: &Facts,
) -> Judged<Option<Decision>> {
    if caller == other {
        return Err(Refusal::no_permission("Nobody has a dialog with himself.").into());
    }
    let Some(head) = &state.head else {
        return begin(state, caller, other, mk_conv_type, facts).map(Some);
    };
    let two = (caller.min(other), caller.max(other));
    if pair(&head.topic, state.members.iter().map(|(id, member)| (*id, member))) != Some(two) {
        return Ok(None);
    }
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let is_hidden = |member: &Member| member.hide_message_nr.is_some_and(|hidden| hidden > 0);
    if draft.member(caller).is_some_and(is_hidden) {
        draft.change(caller)?.hide_message_nr = Some(0);
    }
    if draft.member(caller).is_some_and(|member| member.is_deleted) {
        draft.put_back(caller);
    }
    let answer = visit::init_form(state, caller, InitMode::Full, facts)?;
    Ok(Some(identified(draft.into_decision(answer.clone(), answer), other)))
}

fn begin(
    state: &State,
    caller: AccountId,
    other: AccountId,
    mk_conv_type: Option<ConvType>,
    facts: &Facts,
) -> Judged<Decision> {
    let profiles = facts.profiles(&[caller, other])?;
    let found = profiles.into_iter().find_map(|(id, profile)| profile.filter(|_| id == other));
    let profile = found.ok_or_else(|| Refusal::not_found("Account"))?;
    if !membership::is_open(profile) {
        return Err(Refusal::no_permission("The account is closed.").into());
    }
    let plan = create::Plan {
        topic: String::new(),
        others: vec![(other, profile.clone())],
        settings: Settings { mk_conv_type: mk_conv_type.unwrap_or_default(), ..Settings::default() },
        organisation: managed::by_default(facts, caller)?,
        teams: Vec::new(),
    };
    let decision = create::found(state, caller, plan, facts)?;
    Ok(identified(decision, other))
}

/// The identifier names the other as well (accounts.md §1.2).
fn identified(mut decision: Decision, other: AccountId) -> Decision {
    decision.identifier["account_id"] = json!(other);
    decision
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::ConvType;
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::replay::*;

    #[test]
    fn a_dialog_that_does_not_exist_is_begun_with_both() {
        let mut replay = Replay::nothing();
        let decision = replay.open_dialog(ALICE, BOB, Some(ConvType::NoMail)).unwrap().unwrap();
        assert_eq!(replay.present(), [ALICE, BOB]);
        assert_eq!(replay.head().settings.mk_conv_type, ConvType::NoMail);
        let dialog = ["alice dialog bob true", "bob dialog alice true"];
        assert_eq!(effects(&decision)[2..], dialog);
        let init = ["contact bob", "conv Init(Full) fw 1 bw 1", "message 1", "section", "section"];
        assert_eq!(lines(&decision.answer), init);
    }

    #[test]
    fn a_dialog_that_exists_is_shown() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "hello");
        let decision = replay.open_dialog(BOB, ALICE, None).unwrap().unwrap();
        assert!(decision.changes.is_empty());
        let init = ["contact alice", "conv Init(Full) fw 2 bw 1", "message 1", "message 2"];
        assert_eq!(lines(&decision.answer)[..4], init);
    }

    #[test]
    fn an_archived_dialog_is_taken_out_of_the_archive() {
        let mut replay = Replay::with(&[BOB]);
        replay.state.members.get_mut(&BOB).unwrap().hide_message_nr = Some(1);
        replay.open_dialog(BOB, ALICE, None).unwrap().unwrap();
        assert_eq!(replay.state.members[&BOB].hide_message_nr, Some(0));
    }

    #[test]
    fn what_is_no_dialog_of_the_two_is_not_opened() {
        let mut replay = Replay::with(&[BOB]);
        assert_eq!(replay.open_dialog(ALICE, CHARLIE, None), Ok(None));
        replay.ask(ALICE, add(&[CHARLIE])).unwrap();
        assert_eq!(replay.open_dialog(ALICE, BOB, None), Ok(None));
        replay.ask(CHARLIE, leave()).unwrap();
        replay.ask(ALICE, set_topic("Harvest")).unwrap();
        assert_eq!(replay.open_dialog(ALICE, BOB, None), Ok(None));
    }

    #[test]
    fn nobody_has_a_dialog_with_himself_a_closed_account_or_a_stranger() {
        let mut replay = Replay::nothing();
        assert_eq!(replay.open_dialog(ALICE, ALICE, None).unwrap_err().status, 431);
        assert_eq!(replay.open_dialog(ALICE, CLOSED, None).unwrap_err().status, 431);
        assert_eq!(replay.open_dialog(ALICE, NOBODY, None), Err(Refusal::not_found("Account")));
    }
}
