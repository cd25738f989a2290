//! Changing what was posted, and the lock that keeps two people from doing so at once (conversations.md §8, §9).

use rill_proto::classificator::MessageState;
use rill_proto::event::message;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::rules::draft::{Draft, number};
use crate::conversation::rules::message::{Content, content, subject};
use crate::conversation::rules::{Decision, Facts, Judged, News, Reach, Soft, mention, presence, standing};
use crate::conversation::state::{Member, Message, State};

/// `message:edit`: everything that is not given is removed. A deleted message stays as it is.
pub(super) fn edit(
    state: &State,
    caller: AccountId,
    event: &message::Edit,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::member(state, caller)?;
    let draft = Draft::new(state, head.clone(), caller, facts);
    let message = target(&draft, member, event.message_nr)?;
    if message.state == MessageState::Deleted {
        return draft.finish(event.from_message_nr);
    }
    may_edit(&message, caller)?;
    is_free(&message, caller, facts)?;
    let content = content(&event.message, event.attachment_urls.as_deref())?;
    let subject = subject(event.subject.as_deref());
    rewrite(
        draft,
        &message,
        content,
        |message| message.subject = subject,
        event.from_message_nr,
    )
}

/// `message:edit_body`: the text alone.
pub(super) fn edit_body(
    state: &State,
    caller: AccountId,
    event: &message::EditBody,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::member(state, caller)?;
    let draft = Draft::new(state, head.clone(), caller, facts);
    let message = target(&draft, member, event.message_nr)?;
    may_edit(&message, caller)?;
    is_free(&message, caller, facts)?;
    let content = content(&event.message, None)?;
    rewrite(draft, &message, content, |_| {}, event.from_message_nr)
}

fn rewrite(
    mut draft: Draft<'_>,
    message: &Message,
    content: Content,
    rest: impl FnOnce(&mut Message),
    from_message_nr: Option<i64>,
) -> Judged<Decision> {
    let nr = message.message_nr;
    let mention_ids = mention::resolve(&draft, &content.names, Some(nr));
    draft.mention(nr, &message.mention_ids, &mention_ids)?;
    draft.revise(nr, |message| {
        message.message = content.xml;
        message.mention_ids = mention_ids;
        rest(message);
    })?;
    draft.unlock(nr);
    draft.finish(from_message_nr)
}

/// `message:delete`: any member may; its number and its inbox number stay. Deleting again changes nothing.
pub(super) fn delete(
    state: &State,
    caller: AccountId,
    event: &message::Delete,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::member(state, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let message = target(&draft, member, event.message_nr)?;
    match message.state {
        MessageState::Deleted => return draft.finish(event.from_message_nr),
        MessageState::System => return Err(unchangeable().into()),
        MessageState::Plain
        | MessageState::Pinned
        | MessageState::Unpinned
        | MessageState::Todo
        | MessageState::Done => {}
    }
    let nr = message.message_nr;
    draft.mention(nr, &message.mention_ids, &[])?;
    draft.revise(nr, |message| {
        message.state = MessageState::Deleted;
        message.message.clear();
        message.subject = None;
        message.mention_ids.clear();
    })?;
    draft.unlock(nr);
    draft.finish(event.from_message_nr)
}

/// `message:set_editing`.
pub(super) fn set_editing(
    state: &State,
    caller: AccountId,
    event: &message::SetEditing,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::member(state, caller)?;
    let draft = Draft::new(state, head.clone(), caller, facts);
    let message = target(&draft, member, event.message_nr)?;
    may_edit(&message, caller)?;
    is_free(&message, caller, facts)?;
    let message_nr = message.message_nr;
    Ok(Decision {
        soft: vec![Soft::Lock(message_nr, caller)],
        news: vec![(
            Reach::Activated,
            News::Lock {
                message_nr,
                holder: Some(caller),
            },
        )],
        ..presence::nothing(state)
    })
}

/// `message:end_editing`. Nothing happens when the caller does not hold the lock.
pub(super) fn end_editing(
    state: &State,
    caller: AccountId,
    event: &message::EndEditing,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::member(state, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let message = target(&draft, member, event.message_nr)?;
    if facts.locks.get(&message.message_nr) == Some(&caller) {
        draft.unlock(message.message_nr);
    }
    Ok(draft.into_decision(Vec::new(), Vec::new()))
}

/// The message that an event names.
///
/// # Errors
/// `not_found` when there is none that the caller sees.
fn target(draft: &Draft<'_>, member: &Member, message_nr: i64) -> Judged<Message> {
    let message = draft.flow().seen_message(member, number(message_nr))?;
    Ok(message.ok_or_else(|| Refusal::not_found("Message"))?)
}

/// # Errors
/// 400 for a system message or a deleted one, `invalid_edit` for somebody else's that lies on no board.
fn may_edit(message: &Message, caller: AccountId) -> Result<(), Refusal> {
    match message.state {
        MessageState::System | MessageState::Deleted => Err(unchangeable()),
        MessageState::Pinned | MessageState::Todo | MessageState::Done => Ok(()),
        MessageState::Plain | MessageState::Unpinned if message.account_id == caller => Ok(()),
        MessageState::Plain | MessageState::Unpinned => Err(Refusal::invalid_edit()),
    }
}

/// # Errors
/// `message_locked` while somebody else edits it.
fn is_free(message: &Message, caller: AccountId, facts: &Facts) -> Result<(), Refusal> {
    match facts.locks.get(&message.message_nr) {
        Some(holder) if *holder != caller => Err(Refusal::message_locked()),
        Some(_) | None => Ok(()),
    }
}

fn unchangeable() -> Refusal {
    Refusal::invalid_state("System messages and deleted messages cannot be changed.")
}
