//! `conv:set_topic` (conversations.md §6.3) and the merging of topics (§3.2).

use rill_proto::event::conv;
use rill_proto::id::AccountId;

use crate::conversation::rules::draft::{Draft, Post};
use crate::conversation::rules::{Decision, Facts, Judged, body, standing};
use crate::conversation::state::{MessageKind, State};

/// `conv:set_topic`. The topic that it has already takes no slot.
pub(super) fn set(
    state: &State,
    caller: AccountId,
    event: &conv::SetTopic,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, _) = standing::manager(state, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if *event.topic == *head.topic {
        return draft.finish(None);
    }
    draft.head.topic = event.topic.to_string();
    draft.head.topic_message_nr = state_topic(&mut draft, &event.topic)?;
    draft.change_facts();
    draft.settle_dialog();
    draft.finish(None)
}

/// Says what the topic is: in the newest visible message when that is the caller's own `create` or `topic`, else in a
/// new one. Answers with the slot that it took.
fn state_topic(draft: &mut Draft<'_>, topic: &str) -> Judged<u64> {
    let (caller, newest_nr) = (draft.caller, draft.head.show_message_nr);
    let newest = draft
        .flow()
        .message(newest_nr)?
        .filter(|message| message.account_id == caller);
    if let Some(newest) = newest
        && let Some(text) = restated(newest.kind, &newest.message, topic)
    {
        return draft.revise(newest_nr, |message| message.message = text);
    }
    let message = body::text(&body::Topic {
        topic: topic.to_owned(),
    });
    draft.post(
        MessageKind::Topic,
        Post {
            message,
            ..Post::default()
        },
    )
}

/// The body with another topic in it; `None` where topics are not merged.
fn restated(kind: MessageKind, text: &str, topic: &str) -> Option<String> {
    match kind {
        MessageKind::Create => {
            let mut create: body::Create = body::read(text)?;
            topic.clone_into(&mut create.topic);
            Some(body::text(&create))
        }
        MessageKind::Topic => Some(body::text(&body::Topic {
            topic: topic.to_owned(),
        })),
        MessageKind::Text | MessageKind::Add | MessageKind::Kick | MessageKind::Leave => None,
    }
}
