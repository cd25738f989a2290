//! Changing what was posted, and the lock that keeps two people from doing so at once (conversations.md §8, §9).

use rill_proto::classificator::MessageState;
use rill_proto::event::message;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::rules::draft::{Draft, number};
use crate::conversation::rules::message::{Content, content, needs_something, subject};
use crate::conversation::rules::{Decision, Facts, Judged, News, Reach, Soft, mention, presence, standing};
use crate::conversation::state::{Head, Member, Message, State};
use crate::file::Attached;
use crate::file::body;

/// `message:edit`: everything that is not given is removed. A deleted message stays as it is.
pub(super) fn edit(
    state: &State,
    caller: AccountId,
    event: &message::Edit,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::member(state, caller)?;
    let (draft, message) = open(state, by, caller, event.message_nr, facts)?;
    if message.state == MessageState::Deleted {
        return draft.finish(event.from_message_nr);
    }
    may_edit(&message, caller)?;
    is_free(&message, caller, facts)?;
    let content = content(&draft, Some(&message), &event.message, event.attachment_urls.as_deref())?;
    let subject = subject(event.subject.as_deref());
    rewrite(draft, &message, content, |message| message.subject = subject, event.from_message_nr)
}

/// `message:edit_body`: the text alone.
pub(super) fn edit_body(
    state: &State,
    caller: AccountId,
    event: &message::EditBody,
    facts: &Facts,
) -> Judged<Decision> {
    let (draft, message) = begin_edit(state, caller, event.message_nr, facts)?;
    needs_something(&event.message, message.files.iter().all(|file| file.is_deleted))?;
    let rendered = body::render(&event.message, &message.files);
    let attached = Attached { files: message.files.clone(), uploads: Vec::new() };
    let content = Content { xml: rendered.xml, names: rendered.mentions, attached };
    rewrite(draft, &message, content, |_| {}, event.from_message_nr)
}

/// `message:edit_subject`: the subject alone; one that says nothing is removed.
pub(super) fn edit_subject(
    state: &State,
    caller: AccountId,
    event: &message::EditSubject,
    facts: &Facts,
) -> Judged<Decision> {
    let (mut draft, message) = begin_edit(state, caller, event.message_nr, facts)?;
    let subject = subject(event.subject.as_deref());
    if message.subject != subject {
        draft.revise(message.message_nr, |message| message.subject = subject)?;
        draft.unlock(message.message_nr);
    }
    draft.finish(event.from_message_nr)
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
    draft.use_up(content.attached.uploads);
    draft.revise(nr, |message| {
        message.message = content.xml;
        message.files = content.attached.files;
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
    let by = standing::member(state, caller)?;
    let (mut draft, message) = open(state, by, caller, event.message_nr, facts)?;
    if message.state == MessageState::Deleted {
        return draft.finish(event.from_message_nr);
    }
    may_change(&message)?;
    let nr = message.message_nr;
    draft.mention(nr, &message.mention_ids, &[])?;
    draft.turn(nr, MessageState::Deleted)?;
    draft.amend(nr, |message| {
        message.message.clear();
        message.subject = None;
        message.mention_ids.clear();
        if let Some(reactions) = message.extras.as_mut().and_then(|extras| extras.reactions.as_mut()) {
            reactions.clear();
        }
        message.files.iter_mut().for_each(|file| file.delete(None));
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
    let (_, message) = begin_edit(state, caller, event.message_nr, facts)?;
    let message_nr = message.message_nr;
    Ok(Decision {
        soft: vec![Soft::Lock(message_nr, caller)],
        news: vec![(Reach::Activated, News::Lock { message_nr, holder: Some(caller) })],
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
    let by = standing::member(state, caller)?;
    let (mut draft, message) = open(state, by, caller, event.message_nr, facts)?;
    if facts.locks.get(&message.message_nr) == Some(&caller) {
        draft.unlock(message.message_nr);
    }
    Ok(draft.into_decision(Vec::new(), Vec::new()))
}

/// Begins an event about a message that the caller sees, and names it in the identifier.
///
/// # Errors
/// `not_found` when there is none.
fn open<'a>(
    state: &'a State,
    (head, member): (&Head, &Member),
    caller: AccountId,
    message_nr: i64,
    facts: &'a Facts,
) -> Judged<(Draft<'a>, Message)> {
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    let nr = number(message_nr);
    let message = draft.flow().seen_message(member, nr)?.ok_or_else(|| Refusal::not_found("Message"))?;
    draft.about = Some(nr);
    Ok((draft, message))
}

/// Begins an event that changes a message otherwise than in its words.
///
/// # Errors
/// As [`open`], and 400 for a system message or a deleted one.
pub(super) fn begin<'a>(
    state: &'a State,
    by: (&Head, &Member),
    caller: AccountId,
    message_nr: i64,
    facts: &'a Facts,
) -> Judged<(Draft<'a>, Message)> {
    let (draft, message) = open(state, by, caller, message_nr, facts)?;
    may_change(&message)?;
    Ok((draft, message))
}

/// Begins an event that changes what a message says.
///
/// # Errors
/// As [`begin`], `invalid_edit` for somebody else's that lies on no board, `message_locked` while somebody else edits it.
pub(super) fn begin_edit<'a>(
    state: &'a State,
    caller: AccountId,
    message_nr: i64,
    facts: &'a Facts,
) -> Judged<(Draft<'a>, Message)> {
    let (draft, message) = open(state, standing::member(state, caller)?, caller, message_nr, facts)?;
    may_edit(&message, caller)?;
    is_free(&message, caller, facts)?;
    Ok((draft, message))
}

/// Brings a message into a state; nothing happens when it is in it.
///
/// # Errors
/// As [`begin`].
pub(super) fn turn(
    state: &State,
    caller: AccountId,
    message_nr: i64,
    into: MessageState,
    from_message_nr: Option<i64>,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::writer(state, caller)?;
    let (mut draft, message) = begin(state, by, caller, message_nr, facts)?;
    if message.state != into {
        draft.turn(message.message_nr, into)?;
    }
    draft.finish(from_message_nr)
}

/// # Errors
/// 400 for a system message or a deleted one.
fn may_change(message: &Message) -> Result<(), Refusal> {
    match message.state {
        MessageState::System | MessageState::Deleted => {
            Err(Refusal::invalid_state("System messages and deleted messages cannot be changed."))
        }
        MessageState::Plain
        | MessageState::Pinned
        | MessageState::Unpinned
        | MessageState::Todo
        | MessageState::Done => Ok(()),
    }
}

/// # Errors
/// 400 for a system message or a deleted one, `invalid_edit` for somebody else's that lies on no board.
fn may_edit(message: &Message, caller: AccountId) -> Result<(), Refusal> {
    may_change(message)?;
    let is_for_all = matches!(message.state, MessageState::Pinned | MessageState::Todo | MessageState::Done);
    if is_for_all || message.account_id == caller { Ok(()) } else { Err(Refusal::invalid_edit()) }
}

/// # Errors
/// `message_locked` while somebody else edits it.
fn is_free(message: &Message, caller: AccountId, facts: &Facts) -> Result<(), Refusal> {
    match facts.locks.get(&message.message_nr) {
        Some(holder) if *holder != caller => Err(Refusal::message_locked()),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::MessageState;
    use rill_proto::event::message;
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::replay::*;
    use crate::conversation::rules::{Reach, Soft};

    /// Alice created it with Bob and posted 2.
    fn one_post() -> Replay {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "hello");
        replay
    }

    fn with_subject() -> message::Edit {
        message::Edit {
            conversation_id: CONVERSATION,
            message_nr: 2,
            message: text("again"),
            subject: Some(text("News")),
            attachment_urls: None,
            from_message_nr: None,
        }
    }

    #[test]
    fn an_edit_takes_a_slot_and_keeps_number_and_horizons() {
        let mut replay = one_post();
        let decision = replay.ask(ALICE, edit(2, "good morning")).unwrap();
        let message = replay.message(2);
        assert_eq!(message.message, "<msg><p>good morning</p></msg>");
        assert_eq!((message.flow_message_nr, message.edit_account_id), (Some(3), Some(ALICE)));
        assert_eq!((message.edited_time, message.inbox_nr), (Some(replay.now), 1));
        assert_eq!(decision.identifier["message_nr"], 2);
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Update", "message 2 flow 3"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Update", "message 2 flow 3"]);
        let alice = replay.counters(ALICE);
        assert_eq!((alice.last, alice.show, alice.read), (3, 2, 2));
    }

    #[test]
    fn an_edit_removes_what_it_does_not_say_and_an_edit_of_the_body_does_not() {
        let mut replay = one_post();
        replay.ask(ALICE, editing(with_subject())).unwrap();
        replay.ask(ALICE, edit_body(2, "body")).unwrap();
        assert_eq!(replay.message(2).subject.as_deref(), Some("News"));
        assert_eq!(replay.message(2).message, "<msg><p>body</p></msg>");
        replay.ask(ALICE, edit(2, "all")).unwrap();
        assert_eq!(replay.message(2).subject, None);
    }

    #[test]
    fn the_subject_is_edited_alone_and_removed_by_saying_nothing() {
        let mut replay = one_post();
        let subject = |subject: Option<&str>| {
            event("message:edit_subject", serde_json::json!({"message_nr": 2, "subject": subject}))
        };
        let decision = replay.ask(ALICE, subject(Some("News"))).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3"]);
        assert_eq!(replay.message(2).subject.as_deref(), Some("News"));
        assert_eq!(replay.message(2).message, "<msg><p>hello</p></msg>");
        assert!(replay.ask(ALICE, subject(Some("News"))).unwrap().changes.is_empty());
        assert_eq!(replay.ask(BOB, subject(Some("x"))), Err(Refusal::invalid_edit()));
        replay.ask(ALICE, subject(Some(""))).unwrap();
        assert_eq!(replay.message(2).subject, None);
        replay.turn(BOB, "set_pinned", 2).unwrap();
        replay.ask(ALICE, set_editing(2)).unwrap();
        assert_eq!(replay.judge_only(BOB, subject(Some("x"))), Err(Refusal::message_locked()));
        replay.ask(ALICE, delete(2)).unwrap();
        assert_eq!(replay.ask(ALICE, subject(None)).unwrap_err().status, 400);
    }

    #[test]
    fn anybody_deletes_and_the_number_stays() {
        let mut replay = one_post();
        let decision = replay.ask(BOB, delete(2)).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3"]);
        assert_eq!(replay.message(2).state, MessageState::Deleted);
        assert_eq!((replay.message(2).inbox_nr, replay.head().last_inbox_nr), (1, 1));
        let again = replay.ask(ALICE, delete(2)).unwrap();
        assert!(again.changes.is_empty() && again.news.is_empty());
        assert_eq!(lines(&again.answer), ["conv Update"]);
    }

    #[test]
    fn an_edit_of_a_deleted_message_changes_nothing_and_one_of_its_body_is_refused() {
        let mut replay = one_post();
        replay.ask(ALICE, delete(2)).unwrap();
        assert!(replay.ask(ALICE, edit(2, "back")).unwrap().changes.is_empty());
        assert_eq!(replay.ask(ALICE, edit_body(2, "back")).unwrap_err().status, 400);
        assert_eq!(replay.ask(ALICE, set_editing(2)).unwrap_err().status, 400);
    }

    #[test]
    fn somebody_elses_message_is_edited_on_the_boards_only() {
        let mut replay = one_post();
        assert_eq!(replay.ask(BOB, edit(2, "x")), Err(Refusal::invalid_edit()));
        assert_eq!(replay.ask(BOB, edit_body(2, "x")), Err(Refusal::invalid_edit()));
        assert_eq!(replay.ask(BOB, set_editing(2)), Err(Refusal::invalid_edit()));
        replay.turn(BOB, "set_pinned", 2).unwrap();
        replay.ask(BOB, edit(2, "x")).unwrap();
        replay.turn(BOB, "set_unpinned", 2).unwrap();
        assert_eq!(replay.ask(BOB, edit(2, "y")), Err(Refusal::invalid_edit()));
        replay.turn(BOB, "set_done", 2).unwrap();
        replay.ask(BOB, edit(2, "z")).unwrap();
    }

    #[test]
    fn a_lock_keeps_others_away_until_its_owner_is_done() {
        let mut replay = one_post();
        let decision = replay.ask(ALICE, set_editing(2)).unwrap();
        assert_eq!(decision.soft, [Soft::Lock(2, ALICE)]);
        assert_eq!(told(&decision, Reach::Activated), ["lock 2 alice"]);
        assert!(decision.answer.is_empty() && decision.changes.is_empty());
        replay.ask(ALICE, set_editing(2)).unwrap();

        replay.turn(BOB, "set_todo", 2).unwrap();
        for event in [edit(2, "x"), edit_body(2, "x"), set_editing(2)] {
            assert_eq!(replay.judge_only(BOB, event), Err(Refusal::message_locked()));
        }
        let decision = replay.ask(ALICE, edit(2, "done")).unwrap();
        assert_eq!(decision.soft, [Soft::Unlock(2)]);
        assert_eq!(told(&decision, Reach::Activated), ["lock 2 free"]);
        replay.ask(BOB, set_editing(2)).unwrap();
    }

    #[test]
    fn only_the_owner_gives_a_lock_back() {
        let mut replay = one_post();
        replay.ask(ALICE, set_editing(2)).unwrap();
        assert!(replay.ask(BOB, end_editing(2)).unwrap().soft.is_empty());
        let decision = replay.ask(ALICE, end_editing(2)).unwrap();
        assert_eq!(decision.soft, [Soft::Unlock(2)]);
        assert_eq!(told(&decision, Reach::Activated), ["lock 2 free"]);
        assert!(replay.ask(ALICE, end_editing(2)).unwrap().news.is_empty());
    }

    #[test]
    fn deleting_frees_the_lock() {
        let mut replay = one_post();
        replay.ask(ALICE, set_editing(2)).unwrap();
        assert_eq!(replay.ask(BOB, delete(2)).unwrap().soft, [Soft::Unlock(2)]);
    }

    #[test]
    fn a_mention_of_somebody_who_does_not_see_the_message_is_none() {
        let mut replay = one_post();
        replay.ask(ALICE, add(&[DON])).unwrap();
        replay.ask(ALICE, edit(2, "@bob @don")).unwrap();
        assert_eq!(replay.message(2).mention_ids, [BOB]);
        assert_eq!(replay.counters(DON).my_message_nr, None);
    }

    #[test]
    fn system_messages_stay_as_they_are() {
        let mut replay = one_post();
        for event in [edit(1, "x"), edit_body(1, "x"), delete(1), set_editing(1)] {
            assert_eq!(replay.ask(ALICE, event).unwrap_err().status, 400);
        }
    }

    #[test]
    fn what_is_empty_is_refused() {
        let mut replay = one_post();
        assert_eq!(replay.ask(ALICE, edit(2, "")).unwrap_err().status, 400);
        assert_eq!(replay.ask(ALICE, edit_body(2, " ")).unwrap_err().status, 400);
    }

    #[test]
    fn a_number_without_a_message_that_one_sees_is_not_found() {
        let mut replay = one_post();
        replay.ask(ALICE, edit(2, "slot 3")).unwrap();
        replay.ask(ALICE, add(&[DON])).unwrap();
        type Make = fn(i64) -> rill_proto::event::ClientEvent;
        let makes: [Make; 5] =
            [|nr| edit(nr, "x"), |nr| edit_body(nr, "x"), delete, set_editing, end_editing];
        for make in makes {
            for nr in [-1, 0, 3, 99] {
                assert_eq!(replay.ask(ALICE, make(nr)), Err(Refusal::not_found("Message")), "{nr}");
            }
            assert_eq!(replay.ask(DON, make(2)), Err(Refusal::not_found("Message")));
        }
    }

    #[test]
    fn who_never_was_in_and_who_left_are_refused() {
        let mut replay = one_post();
        replay.ask(ALICE, leave()).unwrap();
        for event in [edit(2, "x"), edit_body(2, "x"), delete(2), set_editing(2), end_editing(2)] {
            assert_eq!(replay.ask(JIL, event.clone()), Err(Refusal::not_member()));
            assert_eq!(replay.ask(ALICE, event), Err(Refusal::has_left()));
        }
    }
}
