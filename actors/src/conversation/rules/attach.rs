//! Files of messages: what `attachment_urls` say, and how a body shows them (protocol.md §5.7, conversations.md §9.2).
//!
//! Not here: what an url looks like and which ids files get (`file`).

use rill_proto::event::message;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use crate::conversation::open::is_open;
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged, Need, Stop, revision, standing};
use crate::conversation::state::{Message, State};
use crate::file::body::with_files;
use crate::file::{Attached, Attaching, File, Found, Host, Reference, check_urls};

/// `message:edit_attachments`: other files, the text stays.
pub(super) fn edit_attachments(
    state: &State,
    caller: AccountId,
    event: &message::EditAttachments,
    facts: &Facts,
) -> Judged<Decision> {
    let (mut draft, message) = revision::begin_edit(state, caller, event.message_nr, facts)?;
    let attached = replace(&draft, Some(&message), event.attachment_urls.as_deref())?;
    draft.use_up(attached.uploads);
    draft.revise(message.message_nr, |message| {
        message.message = with_files(&message.message, &attached.files);
        message.files = attached.files;
    })?;
    draft.unlock(message.message_nr);
    draft.finish(event.from_message_nr)
}

/// `message:delete_attachments`: any member may, as with the whole message. No list means all files; what is gone
/// already is no reason to refuse.
pub(super) fn delete_attachments(
    state: &State,
    caller: AccountId,
    event: &message::DeleteAttachments,
    facts: &Facts,
) -> Judged<Decision> {
    let by = standing::member(state, caller)?;
    let (mut draft, message) = revision::begin(state, by, caller, event.message_nr, facts)?;
    let named = match &event.attachment_urls {
        None => message.files.iter().map(|file| file.attachment_id).collect(),
        Some(urls) => own_files(state, &message, urls)?,
    };
    let is_meant = |file: &&File| named.contains(&file.attachment_id) && !file.is_deleted;
    if message.files.iter().filter(is_meant).count() == 0 {
        return draft.finish(event.from_message_nr);
    }
    draft.revise(message.message_nr, |message| {
        for file in message.files.iter_mut().filter(|file| is_meant(&&**file)) {
            file.delete(Some(caller));
        }
        message.message = with_files(&message.message, &message.files);
    })?;
    draft.finish(event.from_message_nr)
}

/// The files of a message that urls name, also those that are gone.
fn own_files(state: &State, message: &Message, urls: &[String]) -> Result<Vec<Uuid>, Refusal> {
    check_urls(urls)?;
    let named = |url: &String| match Reference::parse(url) {
        Some(Reference::Attached { conversation_id, message_nr, attachment_id })
            if conversation_id == state.conversation_id && message_nr == message.message_nr =>
        {
            let is_here = message.files.iter().any(|file| file.attachment_id == attachment_id);
            is_here.then_some(attachment_id)
        }
        Some(_) | None => None,
    };
    urls.iter().map(|url| named(url).ok_or_else(|| Refusal::not_found("File"))).collect()
}

/// The files of a message once the urls replace all of them; of the message that is posted next when none is given.
///
/// # Errors
/// 400 for an url that cannot be one or too many of them, 430 for one that names nothing that the caller may see, or
/// [`Stop::Needs`].
pub(super) fn replace(
    draft: &Draft<'_>,
    message: Option<&Message>,
    urls: Option<&[String]>,
) -> Judged<Attached> {
    let urls = urls.unwrap_or_default();
    check_urls(urls)?;
    let attaching = attaching(draft, message);
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for url in urls.iter().filter(|url| attaching.own(url).is_none()) {
        match look_up(draft, url)? {
            Some(known) => found.push((url, known)),
            None => missing.push(url.clone()),
        }
    }
    if !missing.is_empty() {
        return Err(Stop::Needs(Need::Files(draft.caller, missing)));
    }
    let known =
        |url: &str| found.iter().find(|(known, _)| *known == url).and_then(|(_, found)| found.clone());
    Ok(attaching.replace(urls, known)?)
}

fn attaching<'a>(draft: &Draft<'_>, message: Option<&'a Message>) -> Attaching<'a> {
    let message_nr = message.map_or(draft.head.last_message_nr + 1, |message| message.message_nr);
    let host = Host::Conversation {
        conversation_id: draft.state.conversation_id,
        message_nr,
        message_id: draft.state.message_id(message_nr),
    };
    let earlier = message.map_or(&[][..], |message| &message.files);
    Attaching { host, earlier, caller: draft.caller, now: draft.facts.now }
}

/// What an url names; the outer `None` when it must be fetched. Files of this conversation are here, and newer than in
/// the store.
fn look_up(draft: &Draft<'_>, url: &str) -> Judged<Option<Option<Found>>> {
    match Reference::parse(url) {
        Some(Reference::Attached { conversation_id, message_nr, attachment_id })
            if conversation_id == draft.state.conversation_id =>
        {
            let message = draft.flow().message(message_nr)?;
            let member = draft.member(draft.caller).ok_or_else(Refusal::not_member)?;
            let files = message.filter(|message| is_open(member, message)).map(|message| message.files);
            let mut files = files.into_iter().flatten();
            let file = files.find(|file| file.attachment_id == attachment_id && !file.is_deleted);
            Ok(Some(file.map(|file| Found { name: file.name, content: file.content, upload_id: None })))
        }
        Some(_) | None => Ok(draft.facts.files.get(url).cloned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use rill_proto::event::{ClientEvent, message};
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::replay::*;
    use crate::file::{File, Host, bytes_of};

    pub(in crate::conversation::rules) fn with_files(body: &str, urls: &[String]) -> ClientEvent {
        posting(message::AddPlain { attachment_urls: Some(urls.to_vec()), ..plain(body) })
    }

    fn editing_files(nr: i64, body: &str, urls: &[String]) -> ClientEvent {
        editing(message::Edit {
            conversation_id: CONVERSATION,
            message_nr: nr,
            message: text(body),
            subject: None,
            attachment_urls: Some(urls.to_vec()),
            from_message_nr: None,
        })
    }

    fn edit_attachments(message_nr: i64, urls: Option<&[String]>) -> ClientEvent {
        ClientEvent::Message(message::Event::EditAttachments(message::EditAttachments {
            conversation_id: CONVERSATION,
            message_nr,
            attachment_urls: urls.map(<[String]>::to_vec),
            from_message_nr: None,
        }))
    }

    fn delete_attachments(message_nr: i64, urls: Option<&[String]>) -> ClientEvent {
        ClientEvent::Message(message::Event::DeleteAttachments(message::DeleteAttachments {
            conversation_id: CONVERSATION,
            message_nr,
            attachment_urls: urls.map(<[String]>::to_vec),
            from_message_nr: None,
        }))
    }

    fn url(replay: &Replay, nr: u64, place: usize) -> String {
        let message = replay.message(nr);
        let host = Host::Conversation {
            conversation_id: CONVERSATION,
            message_nr: nr,
            message_id: message.message_id,
        };
        message.files[place].url(host)
    }

    fn names(replay: &Replay, nr: u64) -> Vec<(String, bool)> {
        replay.message(nr).files.iter().map(|file| (file.name.clone(), file.is_deleted)).collect()
    }

    #[test]
    fn files_stand_in_the_body_and_the_account_is_told_that_its_uploads_are_used() {
        let mut replay = Replay::with(&[BOB]);
        let urls = [replay.upload(ALICE, "a.txt"), replay.upload(ALICE, "b.txt")];
        let decision = replay.ask(ALICE, with_files("two", &urls)).unwrap();
        let keys: Vec<String> = replay.message(2).files.iter().map(File::key).collect();
        let expected = format!(
            r#"<msg><p>two</p><file key="{}">a.txt</file><file key="{}">b.txt</file></msg>"#,
            keys[0], keys[1]
        );
        assert_eq!(replay.message(2).message, expected);
        assert_eq!(effects(&decision)[0], "alice attached 2");
        assert_eq!(
            lines(&decision.answer),
            ["conv Update", "message 2"],
            "files follow their message by themselves"
        );
        replay.ask(ALICE, with_files("", &urls[..1])).unwrap();
        assert!(replay.message(3).message.starts_with("<msg><file"), "no text is needed");
        assert_ne!(replay.message(3).files[0].attachment_id, replay.message(2).files[0].attachment_id);
    }

    #[test]
    fn an_edit_replaces_the_files_and_an_edit_of_the_body_keeps_them() {
        let mut replay = Replay::with(&[BOB]);
        let urls = [replay.upload(ALICE, "a.txt"), replay.upload(ALICE, "b.txt")];
        replay.ask(ALICE, with_files("two", &urls)).unwrap();
        replay.ask(ALICE, edit_body(2, "still two")).unwrap();
        assert_eq!(names(&replay, 2), [("a.txt".into(), false), ("b.txt".into(), false)]);
        assert_eq!(replay.message(2).message.matches("<file ").count(), 2);
        let (kept, added) = (url(&replay, 2, 1), replay.upload(ALICE, "c.txt"));
        replay.ask(ALICE, editing_files(2, "other two", &[added, kept])).unwrap();
        assert_eq!(
            names(&replay, 2),
            [("c.txt".into(), false), ("b.txt".into(), false), ("a.txt".into(), true)]
        );
        assert!(
            !replay.message(2).message.contains("is_deleted"),
            "a full edit shows the current files only"
        );
        replay.ask(ALICE, edit(2, "none")).unwrap();
        assert_eq!(bytes_of(&replay.message(2).files), 0, "what is not given is removed");
        assert_eq!(replay.message(2).message, "<msg><p>none</p></msg>");
        assert_eq!(replay.ask(ALICE, edit(2, "")).unwrap_err().status, 400);
    }

    #[test]
    fn a_deleted_message_lets_go_of_its_files() {
        let mut replay = Replay::with(&[BOB]);
        let urls = [replay.upload(ALICE, "a.txt")];
        replay.ask(ALICE, with_files("one", &urls)).unwrap();
        replay.ask(BOB, delete(2)).unwrap();
        assert_eq!(names(&replay, 2), [("a.txt".into(), true)]);
        assert_eq!(replay.message(2).message, "");
    }

    #[test]
    fn files_change_while_the_text_stays() {
        let mut replay = Replay::with(&[BOB]);
        let urls = [replay.upload(ALICE, "a.txt"), replay.upload(ALICE, "b.txt")];
        replay.ask(ALICE, with_files("two *of* them", &urls[..1])).unwrap();
        let body = |replay: &Replay| replay.message(2).message.split("<file").next().unwrap().to_owned();
        let text = body(&replay);
        let decision = replay.ask(ALICE, edit_attachments(2, Some(&urls[1..]))).unwrap();
        assert_eq!(names(&replay, 2), [("b.txt".into(), false), ("a.txt".into(), true)]);
        assert_eq!(body(&replay), text);
        assert_eq!(lines(&decision.answer), ["conv Update", "message 2 flow 3"]);
        replay.ask(ALICE, edit_attachments(2, None)).unwrap();
        assert_eq!(replay.message(2).message, format!("{text}</msg>"));
        assert_eq!(replay.ask(BOB, edit_attachments(2, None)), Err(Refusal::invalid_edit()));
        replay.locks.insert(2, BOB);
        assert_eq!(replay.ask(ALICE, edit_attachments(2, None)), Err(Refusal::message_locked()));
        assert_eq!(replay.ask(ALICE, edit_attachments(1, None)).unwrap_err().status, 400);
        assert_eq!(replay.ask(ALICE, edit_attachments(9, None)), Err(Refusal::not_found("Message")));
    }

    #[test]
    fn any_member_may_take_files_out_and_that_is_shown() {
        let mut replay = Replay::with(&[BOB]);
        let urls = [replay.upload(ALICE, "a.txt"), replay.upload(ALICE, "b.txt")];
        replay.ask(ALICE, with_files("", &urls)).unwrap();
        let first = url(&replay, 2, 0);
        replay.ask(BOB, delete_attachments(2, Some(std::slice::from_ref(&first)))).unwrap();
        let gone = &replay.message(2).files[0];
        assert_eq!((gone.is_deleted, gone.deleter_id), (true, Some(BOB)));
        let marked = format!(r#"<file key="{}" is_deleted="true"/>"#, gone.key());
        assert!(replay.message(2).message.contains(&marked), "{}", replay.message(2).message);
        let again = replay.ask(ALICE, delete_attachments(2, Some(&[first]))).unwrap();
        assert_eq!(lines(&again.answer), ["conv Update"], "it is gone already");
        replay.ask(ALICE, delete_attachments(2, None)).unwrap();
        assert_eq!(bytes_of(&replay.message(2).files), 0);
        assert_eq!(replay.message(2).files[0].deleter_id, Some(BOB));
        replay.ask(ALICE, edit(2, "text")).unwrap();
        assert_eq!(replay.message(2).message, "<msg><p>text</p></msg>");
    }

    #[test]
    fn only_files_of_the_message_itself_can_be_taken_out_of_it() {
        let mut replay = Replay::with(&[BOB]);
        let urls = [replay.upload(ALICE, "a.txt")];
        replay.ask(ALICE, with_files("one", &urls)).unwrap();
        replay.ask(ALICE, with_files("other", &urls)).unwrap();
        let refused = Err(Refusal::not_found("File"));
        assert_eq!(replay.ask(ALICE, delete_attachments(2, Some(&[url(&replay, 3, 0)]))), refused);
        assert_eq!(replay.ask(ALICE, delete_attachments(2, Some(&urls))), refused);
        assert_eq!(replay.ask(ALICE, delete_attachments(2, Some(&["x".into()]))).unwrap_err().status, 400);
        assert_eq!(replay.ask(ALICE, delete_attachments(1, None)).unwrap_err().status, 400);
        assert_eq!(replay.ask(ALICE, delete_attachments(8, None)), Err(Refusal::not_found("Message")));
        assert_eq!(replay.ask(JIL, delete_attachments(2, None)), Err(Refusal::not_member()));
    }

    #[test]
    fn a_file_of_a_message_that_one_sees_can_be_attached_again() {
        let mut replay = Replay::with(&[BOB]);
        let upload = replay.upload(ALICE, "a.txt");
        replay.ask(ALICE, with_files("one", &[upload])).unwrap();
        let url = url(&replay, 2, 0);
        let decision = replay.ask(BOB, with_files("again", std::slice::from_ref(&url))).unwrap();
        assert_eq!(replay.message(3).files[0].account_id, BOB);
        assert!(!effects(&decision).iter().any(|effect| effect.contains("attached")), "it is no upload");
        replay.ask(ALICE, add(&[DON])).unwrap();
        let refused = Err(Refusal::not_found("File"));
        assert_eq!(
            replay.ask(DON, with_files("x", std::slice::from_ref(&url))),
            refused,
            "he does not see it"
        );
        replay.ask(ALICE, delete(2)).unwrap();
        assert_eq!(replay.ask(BOB, with_files("x", &[url])), refused, "it is gone");
    }

    #[test]
    fn what_cannot_be_attached_is_refused() {
        let mut replay = Replay::with(&[BOB]);
        let hers = replay.upload(ALICE, "a.txt");
        assert_eq!(
            replay.ask(BOB, with_files("x", std::slice::from_ref(&hers))),
            Err(Refusal::not_found("File"))
        );
        let elsewhere = "https://example.org/a.txt".to_owned();
        let refused = replay.ask(ALICE, with_files("x", &[hers, elsewhere])).unwrap_err();
        assert_eq!((refused.status, refused.error_id), (400, "invalid_call"));
        assert!(refused.error_message.contains("attachment_urls[1]"), "{refused}");
        let many = vec!["/upload/AAAAAAAAAAAAAAAAAAAAAA/a".to_owned(); crate::file::FILES_MAX + 1];
        assert_eq!(replay.ask(ALICE, with_files("x", &many)).unwrap_err().status, 400);
        assert_eq!(replay.ask(ALICE, with_files("", &[])).unwrap_err().status, 400);
    }
}
