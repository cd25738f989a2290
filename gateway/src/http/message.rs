//! The older calls on a message that are more than one event of the same shape (protocol.md §6.3).
//!
//! Not here: which call each of these is (that is in the table, [`super::legacy`]).

use super::conversation::forwarded;
use super::legacy::{Blank, Given, Planned, Step};
use crate::refuse::Refused;

/// `message/store`: a new message, or any mix of changes to one that is there.
pub(super) fn store(given: &Given) -> Planned<'_> {
    let state = State::of(given)?;
    if given.number("message_nr")?.is_none() {
        return new(given, state);
    }
    let mut steps = content(given);
    steps.extend(state.into_iter().flat_map(State::events).map(|urn| on_message(given, urn)));
    if given.has("assignee_ids") {
        steps.push(on_message(given, "message:set_assignees").takes(&["assignee_ids"]));
    }
    if given.flag("is_url_preview_disabled")? == Some(true) {
        steps.push(on_message(given, "message:disable_preview"));
    }
    board_and_reactions(given, |urn| on_message(given, urn), &mut steps)?;
    if steps.is_empty() {
        return Err(Refused::bad_request("There is nothing to change."));
    }
    Ok(steps.into())
}

/// What a message becomes when it is new: the events that post say most of it at once.
fn new(given: &Given, state: Option<State>) -> Planned<'_> {
    let posted = |urn| {
        let step = given.event(urn).takes(&["message", "subject", "from_message_nr"]);
        step.takes_as("attachments", "attachment_urls")
    };
    let first = match state {
        _ if given.has("fwd_message_nr") => {
            forwarded(given.event("message:copy")).takes(&["from_message_nr"])
        }
        None | Some(State::Plain) => posted("message:add_plain").takes(&["reply_to_message_nr"]),
        Some(State::Pinned) => posted("message:add_pinned"),
        Some(State::Todo | State::Done) => posted("message:add_todo").takes(&["assignee_ids"]),
        Some(State::Unpinned | State::Archived(_) | State::Deleted) => {
            return Err(Refused::bad_request("message_nr is missing."));
        }
    };
    let mut steps = vec![first];
    steps.extend((state == Some(State::Done)).then(|| given.follow("message:set_done")));
    board_and_reactions(given, |urn| given.follow(urn), &mut steps)?;
    Ok(steps.into())
}

/// The parts of a message that are given; the event that sets all of it would take the others away.
fn content(given: &Given) -> Vec<Step<'_>> {
    let parts = [
        ("message", "message", "message:edit_body"),
        ("subject", "subject", "message:edit_subject"),
        ("attachments", "attachment_urls", "message:edit_attachments"),
    ];
    let given_parts: Vec<_> = parts.iter().filter(|(theirs, ..)| given.has(theirs)).collect();
    if given_parts.len() == parts.len() {
        return vec![edit(given)];
    }
    given_parts.into_iter().map(|(theirs, ours, urn)| on_message(given, urn).takes_as(theirs, ours)).collect()
}

/// `message/edit`: all of the message is as given, and what is missing goes.
pub(super) fn edit(given: &Given) -> Step<'_> {
    on_message(given, "message:edit")
        .takes(&["message", "subject"])
        .takes_as("attachments", "attachment_urls")
}

/// An event on the message that the call names.
pub(super) fn on_message<'a>(given: &'a Given, urn: &'static str) -> Step<'a> {
    given.event(urn).takes(&["message_nr", "from_message_nr"])
}

fn board_and_reactions<'a>(
    given: &'a Given,
    event: impl Fn(&'static str) -> Step<'a>,
    steps: &mut Vec<Step<'a>>,
) -> Result<(), Refused> {
    if let Some(weight) = given.weight("pin_weight")? {
        steps.push(event("message:pin:set_position").blank(Blank::PinAbove(weight)));
    }
    for (key, urn) in
        [("add_reactions", "message:add_reaction"), ("delete_reactions", "message:delete_reaction")]
    {
        let reactions = given.texts(key)?.unwrap_or_default();
        steps.extend(reactions.into_iter().map(|reaction| event(urn).with("reaction", reaction)));
    }
    Ok(())
}

/// `message/pin`, `repin` and `unpin`: the event, and the place on the board where the call names one.
pub(super) fn pin<'a>(given: &'a Given, urn: Option<&'static str>) -> Planned<'a> {
    let on_pin = |urn| on_message(given, urn).takes_as("pin_message_nr", "message_nr");
    let mut steps: Vec<Step<'_>> = urn.map(on_pin).into_iter().collect();
    if let Some(weight) = given.weight("pin_weight")? {
        steps.push(on_pin("message:pin:set_position").blank(Blank::PinAbove(weight)));
    }
    if steps.is_empty() {
        return Err(Refused::bad_request("pin_weight is missing."));
    }
    Ok(steps.into())
}

/// `message/delete`: the message, or one of its files.
pub(super) fn delete(given: &Given) -> Planned<'_> {
    Ok(match given.text("attachment_id")? {
        Some(id) => on_message(given, "message:delete_attachments").blank(Blank::File(id.to_owned())),
        None => on_message(given, "message:delete"),
    }
    .into())
}

/// What the tags of a call make of a message (protocol.md §4.7, §6.3; conversations.md §9.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Plain,
    Pinned,
    Unpinned,
    Todo,
    Done,
    /// A task that is put away, and whether the call says that it is done.
    Archived(Option<bool>),
    Deleted,
}

impl State {
    /// None when the call has no tags; no tag at all is a plain message.
    fn of(given: &Given) -> Result<Option<Self>, Refused> {
        let Some(tags) = given.texts("tags")? else { return Ok(None) };
        let strange = |tag: &&&str| {
            !["pin", "unpin", "is_archived", "is_task", "is_todo", "is_done", "is_shared", "is_deleted"]
                .contains(*tag)
        };
        if let Some(tag) = tags.iter().find(strange) {
            let tag: String = tag.chars().take(rill_proto::limits::ECHO_CHARS_MAX).collect();
            return Err(Refused::bad_request(format!("tags: '{tag}' is none that a client sets.")));
        }
        let has = |tag| tags.contains(&tag);
        let is_task = has("is_todo") || has("is_done") || has("is_task");
        Ok(Some(match () {
            () if has("is_deleted") => Self::Deleted,
            () if has("unpin") || (has("pin") && has("is_archived")) => Self::Unpinned,
            () if has("pin") => Self::Pinned,
            () if has("is_archived") => {
                Self::Archived(has("is_done").then_some(true).or(has("is_todo").then_some(false)))
            }
            () if has("is_done") => Self::Done,
            () if is_task => Self::Todo,
            () => Self::Plain,
        }))
    }

    /// The events that make a message so.
    fn events(self) -> Vec<&'static str> {
        match self {
            Self::Plain => vec!["message:set_plain"],
            Self::Pinned => vec!["message:set_pinned"],
            Self::Unpinned => vec!["message:set_unpinned"],
            Self::Todo => vec!["message:set_todo"],
            Self::Done => vec!["message:set_done"],
            Self::Archived(None) => vec!["message:archive"],
            Self::Archived(Some(false)) => vec!["message:set_todo", "message:archive"],
            Self::Archived(Some(true)) => vec!["message:set_done", "message:archive"],
            Self::Deleted => vec!["message:delete"],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::store;
    use crate::http::legacy::Given;

    #[test]
    fn storing_is_the_events_of_what_is_given() {
        let events = |body: serde_json::Value| {
            let given = Given::new(Some(Uuid::nil()), body.as_object().cloned().unwrap());
            let plan = store(&given).ok()?;
            Some(
                plan.steps
                    .iter()
                    .map(|step| step.urn.trim_start_matches("message:"))
                    .collect::<Vec<_>>()
                    .join(", "),
            )
        };
        let table = [
            (json!({"message": "a"}), "add_plain"),
            (json!({"message": "a", "tags": []}), "add_plain"),
            (json!({"message": "a", "tags": ["pin"], "pin_weight": 1.5}), "add_pinned, pin:set_position"),
            (json!({"message": "a", "tags": ["is_todo"]}), "add_todo"),
            (json!({"message": "a", "tags": ["is_done"]}), "add_todo, set_done"),
            (json!({"fwd_conversation_id": Uuid::nil(), "fwd_message_nr": 2}), "copy"),
            (json!({"message": "a", "message_nr": 3}), "edit_body"),
            (json!({"message": "a", "message_nr": 3, "subject": "s"}), "edit_body, edit_subject"),
            (json!({"message": "a", "message_nr": 3, "subject": "s", "attachments": []}), "edit"),
            (json!({"message_nr": 3, "tags": ["pin"]}), "set_pinned"),
            (json!({"message_nr": 3, "tags": ["pin", "is_archived"]}), "set_unpinned"),
            (json!({"message_nr": 3, "tags": ["is_todo"]}), "set_todo"),
            (json!({"message_nr": 3, "tags": ["is_done"]}), "set_done"),
            (json!({"message_nr": 3, "tags": ["is_task", "is_archived"]}), "archive"),
            (json!({"message_nr": 3, "tags": ["is_done", "is_archived"]}), "set_done, archive"),
            (json!({"message_nr": 3, "tags": []}), "set_plain"),
            (json!({"message_nr": 3, "tags": ["is_deleted"]}), "delete"),
            (json!({"message_nr": 3, "assignee_ids": []}), "set_assignees"),
            (
                json!({"message_nr": 3, "add_reactions": ["a", "b"], "delete_reactions": ["c"]}),
                "add_reaction, add_reaction, delete_reaction",
            ),
            (json!({"message_nr": 3, "is_url_preview_disabled": true}), "disable_preview"),
        ];
        for (body, expected) in table {
            assert_eq!(events(body.clone()).as_deref(), Some(expected), "{body}");
        }
        for body in [
            json!({"tags": ["is_deleted"]}),
            json!({"message_nr": 3}),
            json!({"message_nr": 3, "tags": ["x"]}),
        ] {
            assert_eq!(events(body.clone()), None, "{body}");
        }
    }
}
