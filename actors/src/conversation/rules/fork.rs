//! `conv:fork`: a new conversation of a dialog's two and others (conversations.md §6.1). The dialog stays as it is, so the new
//! one decides, and who is in the dialog is a fact that is fetched from its rows.

use rill_proto::event::conv;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::rules::{Decision, Facts, Judged, Need, Stop, create, dialog, membership, standing};
use crate::conversation::state::{Settings, State};

/// `conv:fork`.
pub(super) fn fork(state: &State, caller: AccountId, event: &conv::Fork, facts: &Facts) -> Judged<Decision> {
    let there = event.conversation_id;
    let origin = facts.conversations.get(&there).ok_or(Stop::Needs(Need::Conversation(there)))?;
    let (head, _) = standing::member(origin, caller)?;
    let two = dialog::pair(&head.topic, origin.members.iter().map(|(id, member)| (*id, member)));
    let (one, other) =
        two.ok_or_else(|| Refusal::no_permission("Only a conversation of two without a topic is forked."))?;
    let mut ids = vec![if one == caller { other } else { one }];
    ids.extend(event.account_ids.iter().flatten());
    let wanted = create::Wanted {
        topic: String::new(),
        account_ids: membership::named(&ids)?,
        team_ids: event.team_ids.as_deref().unwrap_or_default(),
        is_managed: event.is_managed,
        settings: Settings { mk_conv_type: event.mk_conv_type, ..Settings::default() },
    };
    create::begin(state, caller, wanted, facts)
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::ConvType;
    use rill_proto::event::ClientEvent;
    use rill_proto::id::{AccountId, ConversationId};
    use rill_proto::refusal::Refusal;
    use serde_json::json;
    use uuid::Uuid;

    use crate::conversation::rules::replay::*;
    use crate::conversation::state::State;

    const ORIGIN: ConversationId = ConversationId(Uuid::from_u128(0xD));

    fn fork(account_ids: &[AccountId]) -> ClientEvent {
        event("conv:fork", json!({ "conversation_id": ORIGIN, "account_ids": account_ids }))
    }

    /// A conversation that does not exist yet, beside another one.
    fn beside(origin: State) -> Replay {
        let mut replay = Replay::nothing();
        replay.conversations.insert(ORIGIN, origin);
        replay
    }

    #[test]
    fn the_two_and_the_others_begin_a_conversation_without_a_topic() {
        let mut replay = beside(Replay::with(&[BOB]).state);
        let decision = replay.ask(BOB, fork(&[CHARLIE, ALICE, BOB])).unwrap();
        assert_eq!(replay.present(), [BOB, ALICE, CHARLIE]);
        assert_eq!((replay.head().topic.as_str(), replay.head().creator_id), ("", BOB));
        assert_eq!(replay.head().settings.mk_conv_type, ConvType::NoMail);
        assert_eq!(decision.identifier["conversation_id"], json!(CONVERSATION), "the new one's");
        let joins = ["bob joined by bob", "alice joined by bob", "charlie joined by bob"];
        assert_eq!(effects(&decision), joins, "the dialog goes on being theirs");
    }

    #[test]
    fn what_is_no_dialog_of_the_caller_is_refused() {
        let not_two = Refusal::no_permission("Only a conversation of two without a topic is forked.");
        assert_eq!(beside(Replay::with(&[BOB]).state).ask(JIL, fork(&[])), Err(Refusal::not_member()));
        assert_eq!(beside(Replay::nothing().state).ask(BOB, fork(&[])), Err(Refusal::not_member()));
        for others in [&[][..], &[BOB, CHARLIE]] {
            assert_eq!(beside(Replay::with(others).state).ask(ALICE, fork(&[DON])), Err(not_two.clone()));
        }
        let mut origin = Replay::with(&[BOB]);
        origin.ask(ALICE, set_topic("Harvest")).unwrap();
        assert_eq!(beside(origin.state).ask(ALICE, fork(&[DON])), Err(not_two));
        let mut origin = Replay::with(&[BOB]);
        origin.ask(BOB, leave()).unwrap();
        assert_eq!(beside(origin.state).ask(BOB, fork(&[DON])), Err(Refusal::has_left()));
    }

    #[test]
    fn a_conversation_is_forked_into_once() {
        let mut replay = beside(Replay::with(&[BOB]).state);
        replay.ask(ALICE, fork(&[CHARLIE])).unwrap();
        assert_eq!(replay.ask(ALICE, fork(&[CHARLIE])).unwrap_err().status, 400);
    }
}
