//! The events on messages: which rule decides which, and posting (conversations.md §9).

use rill_proto::event::message::{self, Event};
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::{Value, json};

use crate::conversation::rules::draft::{Draft, Post, number};
use crate::conversation::rules::{
    Decision, Facts, Judged, Soft, attach, marks, mention, revision, standing, sync,
};
use crate::conversation::state::{Message, MessageKind, State};
use crate::file::Attached;
use crate::file::body;

/// Decides an event on a message.
pub(super) fn decide(state: &State, caller: AccountId, event: &Event, facts: &Facts) -> Judged<Decision> {
    match event {
        Event::AddPlain(event) => add_plain(state, caller, event, facts),
        Event::Edit(event) => about(event.message_nr, revision::edit(state, caller, event, facts)),
        Event::EditBody(event) => about(event.message_nr, revision::edit_body(state, caller, event, facts)),
        Event::Delete(event) => about(event.message_nr, revision::delete(state, caller, event, facts)),
        Event::EditAttachments(event) => {
            about(event.message_nr, attach::edit_attachments(state, caller, event, facts))
        }
        Event::DeleteAttachments(event) => {
            about(event.message_nr, attach::delete_attachments(state, caller, event, facts))
        }
        Event::SetEditing(event) => {
            about(event.message_nr, revision::set_editing(state, caller, event, facts))
        }
        Event::EndEditing(event) => {
            about(event.message_nr, revision::end_editing(state, caller, event, facts))
        }
        Event::MarkRead(event) => {
            about(event.message_nr, marks::message_mark_read(state, caller, event, facts))
        }
        Event::MarkUnread(event) => {
            about(event.message_nr, marks::message_mark_unread(state, caller, event, facts))
        }
        Event::LoadContext(event) => {
            about(event.message_nr, sync::load_context(state, caller, number(event.message_nr), facts))
        }
        Event::LoadNext(event) => {
            about(event.message_nr, sync::load_next(state, caller, number(event.message_nr), facts))
        }
        Event::LoadPrevious(event) => {
            about(event.message_nr, sync::load_previous(state, caller, number(event.message_nr), facts))
        }
        Event::AddPinned(_)
        | Event::AddReaction(_)
        | Event::AddTodo(_)
        | Event::Archive(_)
        | Event::Copy(_)
        | Event::DeleteReaction(_)
        | Event::DisablePreview(_)
        | Event::Disclose(_)
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
    pub(super) attached: Attached,
}

/// Renders a text with its files: of a message that there is, or (`None`) of the one that is posted next.
///
/// # Errors
/// As [`attach::replace`], and 400 for a message without anything in it.
pub(super) fn content(
    draft: &Draft<'_>,
    message: Option<&Message>,
    text: &str,
    attachment_urls: Option<&[String]>,
) -> Judged<Content> {
    let attached = attach::replace(draft, message, attachment_urls)?;
    needs_something(text, attached.files.iter().all(|file| file.is_deleted))?;
    let rendered = body::render(text, &attached.files);
    Ok(Content { xml: rendered.xml, names: rendered.mentions, attached })
}

/// # Errors
/// 400 for a message without text and file.
pub(super) fn needs_something(text: &str, has_no_file: bool) -> Result<(), Refusal> {
    if has_no_file && text.trim().is_empty() {
        return Err(Refusal::invalid_call("message", "a message needs a text or a file"));
    }
    Ok(())
}

/// A subject that says nothing is none.
pub(super) fn subject(given: Option<&str>) -> Option<String> {
    given.filter(|subject| !subject.is_empty()).map(str::to_owned)
}

/// `message:add_plain`.
fn add_plain(state: &State, caller: AccountId, event: &message::AddPlain, facts: &Facts) -> Judged<Decision> {
    let (head, member) = standing::writer(state, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let content = content(&draft, None, &event.message, event.attachment_urls.as_deref())?;
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
        attached: content.attached,
    };
    let nr = draft.post(MessageKind::Text, post)?;
    draft.mention(nr, &[], &mention_ids)?;
    draft.soft.push(Soft::PenOff(caller));
    let mut decision = draft.finish(event.from_message_nr)?;
    decision.identifier = json!({ "conversation_id": state.conversation_id, "message_nr": nr });
    Ok(decision)
}

#[cfg(test)]
mod tests {
    use rill_proto::event::message;
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{Reach, Soft};
    use crate::conversation::state::{Change, MENTIONS_MAX};

    #[test]
    fn a_post_is_told_to_everybody_and_costs_four_rows_at_most() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        let decision = replay.ask(ALICE, add_plain("hello <b>")).unwrap();
        assert_eq!(replay.message(2).message, "<msg><p>hello &lt;b&gt;</p></msg>");
        assert_eq!(decision.identifier["message_nr"], 2);
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Update", "message 2"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Update", "message 2", "activity alice"]);
        assert_eq!(decision.soft, [Soft::PenOff(ALICE)]);
        let rows = decision.changes.iter().map(|change| match change {
            Change::Head(_) => "head",
            Change::Member(id, _) if *id == ALICE => "author",
            Change::Member(..) => "somebody else",
            Change::Run(_) => "run",
            Change::Slot(..) => "slot",
            Change::Section(..) => "section",
        });
        assert_eq!(rows.collect::<Vec<_>>(), ["head", "author", "run", "slot"]);
        assert_eq!(replay.ask(BOB, add_plain("hi")).unwrap().changes.len(), 3, "the run goes on");
    }

    #[test]
    fn messages_are_numbered_and_know_the_visible_one_before() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        replay.ask(ALICE, edit(2, "one!")).unwrap();
        let nr = replay.post(BOB, "two");
        assert_eq!((nr, replay.message(nr).prev_message_nr, replay.message(nr).inbox_nr), (4, 2, 2));
        assert_ne!(replay.message(2).message_id, replay.message(4).message_id);
    }

    #[test]
    fn subject_and_reply_are_kept() {
        let mut replay = Replay::with(&[]);
        let event =
            message::AddPlain { subject: Some(text("News")), reply_to_message_nr: Some(1), ..plain("hello") };
        replay.ask(ALICE, posting(event)).unwrap();
        assert_eq!(replay.message(2).subject.as_deref(), Some("News"));
        assert_eq!(replay.message(2).reply_to_message_nr, Some(1));
        let event = message::AddPlain { subject: Some(text("")), ..plain("hello") };
        replay.ask(ALICE, posting(event)).unwrap();
        assert_eq!(replay.message(3).subject, None);
    }

    #[test]
    fn from_message_nr_asks_for_the_slots_behind_it() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(BOB, "one");
        replay.ask(BOB, edit(2, "one!")).unwrap();
        replay.ask(BOB, set_topic("Harvest")).unwrap();
        let event = message::AddPlain { from_message_nr: Some(1), ..plain("two") };
        let decision = replay.ask(ALICE, posting(event)).unwrap();
        let sync = ["conv Full fw 5", "message 2", "message 2 flow 3", "message 4", "message 5"];
        assert_eq!(lines(&decision.answer), sync);
        assert_eq!(told(&decision, Reach::Own), ["conv Update", "message 5"]);
    }

    #[test]
    fn a_forward_sync_in_an_answer_is_bounded_and_still_shows_what_was_posted() {
        let mut replay = Replay::with(&[BOB]);
        for _ in 0..100 {
            replay.post(BOB, "more");
        }
        let event = message::AddPlain { from_message_nr: Some(0), ..plain("hello") };
        let answer = lines(&replay.ask(ALICE, posting(event)).unwrap().answer);
        assert_eq!(answer[0], "conv Full fw 64");
        assert_eq!(answer.len(), 1 + 64 + 1);
        assert_eq!(answer[65], "message 102");
    }

    #[test]
    fn members_are_mentioned_by_address_or_name_and_nobody_else_is() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.profiles.get_mut(&DON).unwrap().display_name = "Don Juan".to_owned();
        replay.ask(ALICE, add(&[DON])).unwrap();
        replay.ask(CHARLIE, leave()).unwrap();
        let nr = replay.post(ALICE, "@BOB @charlie @DonJuan @jil look");
        assert_eq!(replay.message(nr).mention_ids, [BOB, DON]);
        assert_eq!(replay.counters(BOB).my_message_nr, Some(nr));
        assert_eq!(replay.counters(CHARLIE).my_message_nr, None);
        assert_eq!(replay.counters(ALICE).my_message_nr, None);
    }

    #[test]
    fn when_a_mention_goes_the_one_before_counts_again() {
        let mut replay = Replay::with(&[BOB]);
        for nr in 2..14 {
            assert_eq!(replay.post(ALICE, "@bob"), nr);
        }
        assert_eq!(replay.state.members[&BOB].mentions.len(), MENTIONS_MAX);
        replay.ask(ALICE, delete(13)).unwrap();
        assert_eq!(replay.counters(BOB).my_message_nr, Some(12));
        replay.ask(ALICE, edit(12, "nobody")).unwrap();
        assert_eq!(replay.counters(BOB).my_message_nr, Some(11));
    }

    #[test]
    fn what_cannot_be_posted_is_refused() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        replay.ask(ALICE, edit(2, "one!")).unwrap();
        for empty in ["", " \n\t"] {
            assert_eq!(replay.ask(ALICE, add_plain(empty)).unwrap_err().status, 400);
        }
        for nr in [-1, 0, 3, 99] {
            let event = message::AddPlain { reply_to_message_nr: Some(nr), ..plain("hello") };
            assert_eq!(replay.ask(ALICE, posting(event)), Err(Refusal::not_found("Message")));
        }
        replay.ask(ALICE, add(&[DON])).unwrap();
        let event = message::AddPlain { reply_to_message_nr: Some(2), ..plain("hello") };
        assert_eq!(replay.ask(DON, posting(event)), Err(Refusal::not_found("Message")), "he does not see it");
    }

    #[test]
    fn who_may_not_post_is_refused() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(BOB, leave()).unwrap();
        assert_eq!(replay.ask(JIL, add_plain("x")), Err(Refusal::not_member()));
        assert_eq!(replay.ask(BOB, add_plain("x")), Err(Refusal::has_left()));
        assert_eq!(Replay::nothing().ask(ALICE, add_plain("x")), Err(Refusal::not_member()));
        let head = replay.state.head.as_mut().unwrap();
        head.is_admin_write_only = true;
        head.admins = vec![ALICE];
        let refused = replay.ask(CHARLIE, add_plain("x")).unwrap_err();
        assert_eq!(refused, Refusal::no_permission("Only admins can write in this conversation."));
    }
}
