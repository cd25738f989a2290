//! The events on messages: which rule decides which, and posting (conversations.md §9).

use rill_proto::event::message::{self, Event};
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::Value;

use crate::conversation::rules::draft::{Draft, Post, number};
use crate::conversation::rules::{
    Decision, Facts, Judged, attach, copy, disclosure, flag, marks, mention, pin, reaction, revision,
    standing, sync, task,
};
use crate::conversation::state::{Message, State};
use crate::file::Attached;
use crate::file::body;

/// Decides an event on a message.
pub(super) fn decide(state: &State, caller: AccountId, event: &Event, facts: &Facts) -> Judged<Decision> {
    match event {
        Event::AddPinned(event) => pin::add_pinned(state, caller, event, facts),
        Event::AddPlain(event) => add_plain(state, caller, event, facts),
        Event::AddReaction(event) => reaction::add(state, caller, event, facts),
        Event::AddTodo(event) => task::add_todo(state, caller, event, facts),
        Event::Archive(event) => task::archive(state, caller, event, facts),
        Event::Copy(event) => copy::copy(state, caller, event, facts),
        Event::Delete(event) => about(event.message_nr, revision::delete(state, caller, event, facts)),
        Event::DeleteReaction(event) => reaction::delete(state, caller, event, facts),
        Event::Disclose(event) => disclosure::message(state, caller, event, facts),
        Event::DisablePreview(event) => flag::disable_preview(state, caller, event, facts),
        Event::Edit(event) => about(event.message_nr, revision::edit(state, caller, event, facts)),
        Event::EditBody(event) => about(event.message_nr, revision::edit_body(state, caller, event, facts)),
        Event::DeleteAttachments(event) => attach::delete_attachments(state, caller, event, facts),
        Event::EditAttachments(event) => attach::edit_attachments(state, caller, event, facts),
        Event::EditSubject(event) => revision::edit_subject(state, caller, event, facts),
        Event::EndEditing(event) => {
            about(event.message_nr, revision::end_editing(state, caller, event, facts))
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
        Event::MarkRead(event) => {
            about(event.message_nr, marks::message_mark_read(state, caller, event, facts))
        }
        Event::MarkSpam(event) => flag::mark_spam(state, caller, event, facts),
        Event::MarkUnread(event) => {
            about(event.message_nr, marks::message_mark_unread(state, caller, event, facts))
        }
        Event::PinSetPosition(event) => pin::set_position(state, caller, event, facts),
        Event::SetAssignees(event) => task::set_assignees(state, caller, event, facts),
        Event::SetDone(event) => task::set_done(state, caller, event, facts),
        Event::SetEditing(event) => {
            about(event.message_nr, revision::set_editing(state, caller, event, facts))
        }
        Event::SetPinned(event) => pin::set_pinned(state, caller, event, facts),
        Event::SetPlain(event) => pin::set_plain(state, caller, event, facts),
        Event::SetSpam(event) => flag::set_spam(state, caller, event, facts),
        Event::SetTodo(event) => task::set_todo(state, caller, event, facts),
        Event::SetUnpinned(event) => pin::set_unpinned(state, caller, event, facts),
        Event::TaskSetPosition(event) => task::set_position(state, caller, event, facts),
        Event::Unarchive(event) => task::unarchive(state, caller, event, facts),
        Event::UnmarkSpam(event) => flag::unmark_spam(state, caller, event, facts),
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

/// What is to be posted.
pub(super) struct Writing<'e> {
    pub(super) message: &'e str,
    pub(super) subject: Option<&'e str>,
    pub(super) attachment_urls: Option<&'e [String]>,
    pub(super) reply_to: Option<i64>,
}

/// Posts a text by the caller; what it becomes beyond that is up to the event.
///
/// # Errors
/// As the tables of conversations.md §9.2 and §12 say.
pub(super) fn write<'a>(
    state: &'a State,
    caller: AccountId,
    writing: &Writing<'_>,
    facts: &'a Facts,
) -> Judged<(Draft<'a>, u64)> {
    let (head, member) = standing::writer(state, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let content = content(&draft, None, writing.message, writing.attachment_urls)?;
    let reply_to_message_nr = writing.reply_to.map(number);
    if let Some(nr) = reply_to_message_nr
        && draft.flow().seen_message(member, nr)?.is_none()
    {
        return Err(Refusal::not_found("Message").into());
    }
    let mention_ids = mention::resolve(&draft, &content.names, None);
    let post = Post {
        message: content.xml,
        subject: subject(writing.subject),
        reply_to_message_nr,
        mention_ids,
        attached: content.attached,
    };
    let nr = draft.post_text(post)?;
    Ok((draft, nr))
}

/// `message:add_plain`.
fn add_plain(state: &State, caller: AccountId, event: &message::AddPlain, facts: &Facts) -> Judged<Decision> {
    let writing = Writing {
        message: &event.message,
        subject: event.subject.as_deref(),
        attachment_urls: event.attachment_urls.as_deref(),
        reply_to: event.reply_to_message_nr,
    };
    let (draft, _) = write(state, caller, &writing, facts)?;
    draft.finish(event.from_message_nr)
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
            Change::Team(..) => "team",
            Change::Filed(..) => "filed",
            Change::Place(..) => "place",
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
        head.settings.is_admin_write_only = Some(true);
        head.settings.admins = vec![ALICE];
        let refused = replay.ask(CHARLIE, add_plain("x")).unwrap_err();
        assert_eq!(refused, Refusal::no_permission("Only admins can write in this conversation."));
    }
}
