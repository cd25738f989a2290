//! The `message` record: what the message's row and its place on the boards say together.

use bytes::Bytes;
use rill_proto::classificator::MessageState;
use rill_proto::id::AccountId;
use rill_proto::record::weight::Weight;
use rill_proto::record::{self, message};

use crate::conversation::board::Place;
use crate::conversation::state::{Message, MessageKind, State};

/// The record, open for its viewer.
pub(super) fn bytes(state: &State, of: &Message, flow: Option<u64>, lock: Option<AccountId>) -> Bytes {
    // Clients merge by key, so what a revision may have taken away is said to be empty.
    let is_revised = of.kind == MessageKind::Text && of.edited_time.is_some();
    let extras = of.extras();
    let place = on_board(state, of);
    let task = place.and_then(Place::task);
    let (was_pin, was_task) = (extras.pinned_account_id.is_some(), extras.tasked_account_id.is_some());
    let is_archived = task.map(|task| state.is_archive(task.section_id));
    let assignee_ids = task.map(|task| &task.assignee_ids[..]);
    let is_pin = place.is_some() && task.is_none();
    record::open(&message::Shared {
        conversation_id: state.conversation_id,
        message_nr: of.message_nr,
        message_id: of.message_id,
        account_id: of.account_id,
        message: &of.message,
        mk_message_type: of.kind,
        mk_message_state: of.state,
        tags: message::tags(of.state, is_archived.unwrap_or(false)),
        posted_time: of.posted_time,
        prev_message_nr: of.prev_message_nr,
        inbox_nr: of.inbox_nr,
        flow_message_nr: flow,
        ref_message_nr: reference(of),
        reply_to_message_nr: of.reply_to_message_nr,
        edited_time: of.edited_time,
        edit_account_id: of.edit_account_id,
        subject: of.subject.as_deref().or(is_revised.then_some("")),
        mention_ids: (is_revised || !of.mention_ids.is_empty()).then_some(&of.mention_ids[..]),
        is_url_preview_disabled: of.is_url_preview_disabled.then_some(true),
        pin_weight: kept(place.map(|place| Weight(place.weight().get())), was_pin || was_task),
        pinned_account_id: kept(extras.pinned_account_id.filter(|_| is_pin), was_pin),
        section_id: kept(task.map(|task| task.section_id), was_task),
        task_weight: kept(task.map(|task| Weight(task.weight.get())), was_task),
        tasked_account_id: kept(extras.tasked_account_id.filter(|_| task.is_some()), was_task),
        is_archived: is_archived.or(was_task.then_some(false)),
        assignee_ids: assignee_ids.or(was_task.then_some(&[])),
        assigner_id: kept(
            extras.assigner_id.filter(|_| assignee_ids.is_some_and(|ids| !ids.is_empty())),
            extras.assigner_id.is_some(),
        ),
        reactions: extras.reactions.as_ref(),
        is_spam: extras.is_spam,
        lock_account_id: lock,
    })
    .into()
}

/// What is left of a message for those to whom it was open on a board only.
pub(super) fn gone(of: &Message) -> Message {
    let mut gone = Message {
        state: MessageState::Deleted,
        message: String::new(),
        subject: None,
        mention_ids: Vec::new(),
        ..of.clone()
    };
    if let Some(reactions) = gone.extras.as_mut().and_then(|extras| extras.reactions.as_mut()) {
        reactions.clear();
    }
    gone
}

/// Where the message is, as long as it says itself that it is on a board.
fn on_board<'s>(state: &'s State, of: &Message) -> Option<&'s Place> {
    state.board.get(of.message_nr).filter(|_| message::is_shared(of.state))
}

/// A value, or the `null` of something that was there before.
fn kept<T>(value: Option<T>, was: bool) -> message::Lost<T> {
    match value {
        Some(value) => Some(Some(value)),
        None => was.then_some(None),
    }
}

/// An unpinned message points to itself until it is something else.
fn reference(of: &Message) -> message::Lost<u64> {
    match of.state {
        MessageState::Unpinned => Some(Some(of.message_nr)),
        MessageState::Plain
        | MessageState::Pinned
        | MessageState::Todo
        | MessageState::Done
        | MessageState::Deleted
        | MessageState::System => kept(of.ref_message_nr, of.extras().was_unpinned),
    }
}
