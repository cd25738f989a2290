//! Copying a message out of one conversation into another (conversations.md §9.2).
//!
//! The conversation that gets the copy decides, so that it happens once; what it copies is a fact that is fetched from the other
//! one's rows, and whether the caller may have it is judged here by the rules of that conversation.

use rill_proto::classificator::MessageState;
use rill_proto::event::message;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::open::is_open;
use crate::conversation::rules::draft::{Draft, Post, number};
use crate::conversation::rules::flow::Flow;
use crate::conversation::rules::{Decision, Facts, Foreign, Judged, Need, Stop, standing};
use crate::conversation::state::{Member, Message, State};
use crate::file::body;
use crate::file::{Attached, Attaching, File, Host};

/// `message:copy`: a plain message of the caller's with the same words.
pub(super) fn copy(
    state: &State,
    caller: AccountId,
    event: &message::Copy,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, _) = standing::writer(state, caller)?;
    let original = original(state, caller, event, facts)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let files = copied_files(&draft, &original.files);
    let is_here = |id: &AccountId| state.members.get(id).is_some_and(Member::is_present);
    let mention_ids = original.mention_ids.iter().copied().filter(is_here).collect();
    let post = Post {
        message: body::with_copied(&original.message, &original.files, &files),
        subject: original.subject,
        reply_to_message_nr: None,
        mention_ids,
        attached: Attached { files, uploads: Vec::new() },
    };
    draft.post_text(post)?;
    draft.finish(event.from_message_nr)
}

/// The files that are still there, as attachments of the caller's.
fn copied_files(draft: &Draft<'_>, files: &[File]) -> Vec<File> {
    let message_nr = draft.head.last_message_nr + 1;
    let message_id = draft.state.message_id(message_nr);
    let host = Host::Conversation { conversation_id: draft.state.conversation_id, message_nr, message_id };
    let attaching = Attaching { host, earlier: &[], caller: draft.caller, now: draft.facts.now };
    let there = files.iter().filter(|file| !file.is_deleted);
    there.enumerate().map(|(place, file)| attaching.copy(place, file)).collect()
}

/// # Errors
/// `not_member` or `not_found` for who does not see it there, `invalid_copy` for a deleted message, 400 for a system message.
fn original(state: &State, caller: AccountId, event: &message::Copy, facts: &Facts) -> Judged<Message> {
    let message_nr = number(event.copy_message_nr);
    let seen = if event.copy_conversation_id == state.conversation_id {
        let (_, member) = standing::viewer(state, caller)?;
        Flow::stored(state, facts).seen_message(member, message_nr)?
    } else {
        let wanted = Foreign { conversation_id: event.copy_conversation_id, message_nr, viewer: caller };
        let found = facts.foreign.get(&wanted).ok_or(Stop::Needs(Need::Foreign(wanted)))?;
        let member = found.member.as_ref().ok_or_else(Refusal::not_member)?;
        found.message.clone().filter(|message| is_open(member, message))
    };
    let message = seen.ok_or_else(|| Refusal::not_found("Message"))?;
    match message.state {
        MessageState::Deleted => Err(Refusal::invalid_copy().into()),
        MessageState::System => Err(Refusal::invalid_state("System messages cannot be copied.").into()),
        MessageState::Plain
        | MessageState::Pinned
        | MessageState::Unpinned
        | MessageState::Todo
        | MessageState::Done => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    use rill_proto::id::{AccountId, ConversationId};
    use rill_proto::refusal::Refusal;
    use serde_json::json;
    use uuid::Uuid;

    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{Elsewhere, Foreign, Reach};
    use crate::conversation::state::Message;

    const ELSEWHERE: ConversationId = ConversationId(Uuid::from_u128(0xE));

    fn copy(from: ConversationId, nr: u64) -> rill_proto::event::ClientEvent {
        event("message:copy", json!({"copy_conversation_id": from, "copy_message_nr": nr}))
    }

    /// A conversation of Alice and Bob, and another one in which Alice (and not Bob) sees message 2.
    fn two() -> (Replay, Replay) {
        let mut other = Replay::nothing();
        other.ask(ALICE, create("", &[CHARLIE])).unwrap();
        let params = json!({"message": "look, @charlie and @bob", "subject": "News"});
        other.ask(CHARLIE, event("message:add_plain", params)).unwrap();
        (Replay::with(&[BOB, CHARLIE]), other)
    }

    /// Lets the first see what the second has.
    fn link(replay: &mut Replay, other: &Replay, viewer: AccountId, message_nr: u64) {
        let message: Option<Message> =
            other.messages().find(|message| message.message_nr == message_nr).cloned();
        let member = other.state.members.get(&viewer).cloned();
        let wanted = Foreign { conversation_id: ELSEWHERE, message_nr, viewer };
        replay.foreign.insert(wanted, Elsewhere { member, message });
    }

    #[test]
    fn a_copy_is_a_plain_message_of_the_callers_with_the_same_words() {
        let (mut replay, other) = two();
        link(&mut replay, &other, ALICE, 2);
        let decision = replay.ask(ALICE, copy(ELSEWHERE, 2)).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Update", "message 2", "activity alice"]);
        let (copied, original) = (replay.message(2), other.message(2));
        assert_eq!((copied.account_id, copied.inbox_nr), (ALICE, 1));
        assert_eq!((&copied.message, copied.subject.as_deref()), (&original.message, Some("News")));
        assert_eq!(copied.mention_ids, [CHARLIE], "as far as they were meant there and are here");
        assert_eq!(decision.identifier, json!({"conversation_id": CONVERSATION, "message_nr": 2}));
    }

    #[test]
    fn a_pin_is_copied_as_a_plain_message_also_within_one_conversation() {
        let mut replay = Replay::with(&[BOB]);
        replay.put_up(ALICE, "add_pinned");
        replay.ask(ALICE, add(&[DON])).unwrap();
        replay.ask(DON, copy(CONVERSATION, 2)).unwrap();
        assert_eq!(replay.message(4).message, replay.message(2).message);
        assert_eq!(replay.pins(), [2]);
        replay.turn(ALICE, "set_plain", 2).unwrap();
        assert_eq!(replay.ask(DON, copy(CONVERSATION, 2)), Err(Refusal::not_found("Message")));
    }

    #[test]
    fn what_one_does_not_see_there_is_not_copied() {
        let (mut replay, mut other) = two();
        other.ask(ALICE, add(&[DON])).unwrap();
        other.put_up(ALICE, "add_pinned");
        let pin = other.head().last_message_nr;
        for (viewer, nr) in [(BOB, 2), (CHARLIE, 1), (CHARLIE, 99), (CHARLIE, pin)] {
            link(&mut replay, &other, viewer, nr);
        }
        assert_eq!(replay.ask(BOB, copy(ELSEWHERE, 2)), Err(Refusal::not_member()));
        assert_eq!(replay.ask(CHARLIE, copy(ELSEWHERE, 99)), Err(Refusal::not_found("Message")));
        assert_eq!(replay.ask(CHARLIE, copy(ELSEWHERE, 1)).unwrap_err().status, 400);
        assert_eq!(replay.ask(DON, copy(ELSEWHERE, 2)), Err(Refusal::not_member()), "he is not here");
        replay.ask(CHARLIE, copy(ELSEWHERE, pin)).unwrap();
        replay.ask(ALICE, add(&[DON])).unwrap();
        link(&mut replay, &other, DON, 2);
        assert_eq!(replay.ask(DON, copy(ELSEWHERE, 2)), Err(Refusal::not_found("Message")), "he came later");
        other.ask(ALICE, delete(2)).unwrap();
        link(&mut replay, &other, CHARLIE, 2);
        assert_eq!(replay.ask(CHARLIE, copy(ELSEWHERE, 2)), Err(Refusal::invalid_copy()));
    }
}
