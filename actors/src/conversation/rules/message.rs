//! The events on messages: which rule decides which, and posting (conversations.md §9).

use rill_proto::event::message::{self, Event};
use rill_proto::id::AccountId;
use rill_proto::markup;
use rill_proto::refusal::Refusal;
use serde_json::{Value, json};

use crate::conversation::rules::draft::{Draft, Post, number};
use crate::conversation::rules::{Decision, Facts, Judged, Soft, marks, mention, revision, standing, sync};
use crate::conversation::state::{MessageKind, State};

/// Decides an event on a message.
pub(super) fn decide(state: &State, caller: AccountId, event: &Event, facts: &Facts) -> Judged<Decision> {
    match event {
        Event::AddPlain(event) => add_plain(state, caller, event, facts),
        Event::Edit(event) => about(event.message_nr, revision::edit(state, caller, event, facts)),
        Event::EditBody(event) => about(event.message_nr, revision::edit_body(state, caller, event, facts)),
        Event::Delete(event) => about(event.message_nr, revision::delete(state, caller, event, facts)),
        Event::SetEditing(event) => about(
            event.message_nr,
            revision::set_editing(state, caller, event, facts),
        ),
        Event::EndEditing(event) => about(
            event.message_nr,
            revision::end_editing(state, caller, event, facts),
        ),
        Event::MarkRead(event) => about(
            event.message_nr,
            marks::message_mark_read(state, caller, event, facts),
        ),
        Event::MarkUnread(event) => about(
            event.message_nr,
            marks::message_mark_unread(state, caller, event, facts),
        ),
        Event::LoadContext(event) => about(
            event.message_nr,
            sync::load_context(state, caller, number(event.message_nr), facts),
        ),
        Event::LoadNext(event) => about(
            event.message_nr,
            sync::load_next(state, caller, number(event.message_nr), facts),
        ),
        Event::LoadPrevious(event) => about(
            event.message_nr,
            sync::load_previous(state, caller, number(event.message_nr), facts),
        ),
        Event::AddPinned(_)
        | Event::AddReaction(_)
        | Event::AddTodo(_)
        | Event::Archive(_)
        | Event::Copy(_)
        | Event::DeleteAttachments(_)
        | Event::DeleteReaction(_)
        | Event::DisablePreview(_)
        | Event::Disclose(_)
        | Event::EditAttachments(_)
        | Event::EditSubject(_)
        | Event::MarkSpam(_)
        | Event::PinSetPosition(_)
        | Event::SetAssignees(_)
        | Event::SetDone(_)
        | Event::SetPinned(_)
        | Event::SetPlain(_)
        | Event::SetSpam(_)
        | Event::SetTodo(_)
        | Event::SetUnpinned(_)
        | Event::TaskSetPosition(_)
        | Event::Unarchive(_)
        | Event::UnmarkSpam(_) => Err(Refusal::not_supported(event.urn()).into()),
    }
}

/// Puts the message into the identifier.
fn about(message_nr: impl Into<Value>, judged: Judged<Decision>) -> Judged<Decision> {
    judged.map(|mut decision| {
        decision.identifier["message_nr"] = message_nr.into();
        decision
    })
}

/// What is written in a message, as far as the client says it.
pub(super) struct Content {
    pub(super) xml: String,
    pub(super) names: Vec<String>,
}

/// Renders a text.
///
/// # Errors
/// 501 for attachments, which this server does not keep; 400 for a message without anything in it.
pub(super) fn content(text: &str, attachment_urls: Option<&[String]>) -> Result<Content, Refusal> {
    if attachment_urls.is_some_and(|urls| !urls.is_empty()) {
        return Err(Refusal::not_supported("attachment_urls"));
    }
    if text.trim().is_empty() {
        return Err(Refusal::invalid_call("message", "a message needs a text"));
    }
    let rendered = markup::render(text, &[]);
    Ok(Content {
        xml: rendered.xml,
        names: rendered.mentions,
    })
}

/// A subject that says nothing is none.
pub(super) fn subject(given: Option<&str>) -> Option<String> {
    given.filter(|subject| !subject.is_empty()).map(str::to_owned)
}

/// `message:add_plain`.
fn add_plain(state: &State, caller: AccountId, event: &message::AddPlain, facts: &Facts) -> Judged<Decision> {
    let (head, member) = standing::writer(state, caller)?;
    let content = content(&event.message, event.attachment_urls.as_deref())?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let reply_to_message_nr = event.reply_to_message_nr.map(number);
    if let Some(nr) = reply_to_message_nr
        && draft.flow().seen_message(member, nr)?.is_none()
    {
        return Err(Refusal::not_found("Message").into());
    }
    let mention_ids = mention::resolve(&draft, &content.names, None);
    let post = Post {
        message: content.xml,
        subject: subject(event.subject.as_deref()),
        reply_to_message_nr,
        mention_ids: mention_ids.clone(),
    };
    let nr = draft.post(MessageKind::Text, post)?;
    draft.mention(nr, &[], &mention_ids)?;
    draft.soft.push(Soft::PenOff(caller));
    let mut decision = draft.finish(event.from_message_nr)?;
    decision.identifier = json!({ "conversation_id": state.conversation_id, "message_nr": nr });
    Ok(decision)
}
