//! Files beside messages: having one fetched, and the file drawer (conversations.md §6.5, §7).
//!
//! Not here: files of messages (`attach`).

use rill_proto::event::conv;
use rill_proto::id::AccountId;
use serde_json::json;

use crate::conversation::rules::{Decision, Facts, Judged, presence, standing};
use crate::conversation::state::State;
use crate::effect::Effect;
use crate::file::fetch::{Wanted, check_url, name_of};
use crate::store::Aggregate;

/// `conv:upload_external`: the caller's account has it fetched, and is told when it can be attached. No slot.
pub(super) fn upload_external(
    state: &State,
    caller: AccountId,
    event: &conv::UploadExternal,
    facts: &Facts,
) -> Judged<Decision> {
    standing::member(state, caller)?;
    check_url(&event.file_url)?;
    let request_id = facts.fresh;
    let upload_id = event.upload_id.as_deref().map(str::to_owned);
    let named = upload_id.clone().unwrap_or_else(|| request_id.to_string());
    let wanted = Wanted {
        request_id,
        file_url: event.file_url.to_string(),
        name: name_of(&event.file_name, &event.file_url),
        conversation_id: Some(state.conversation_id),
        upload_id,
    };
    Ok(Decision {
        effects: vec![(Aggregate::Account(caller), Effect::Fetch(wanted))],
        identifier: json!({ "conversation_id": state.conversation_id, "upload_id": named }),
        ..presence::nothing(state)
    })
}

#[cfg(test)]
mod tests {
    use rill_proto::event::{ClientEvent, conv};
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::replay::*;

    fn upload(url: &str, upload_id: Option<&str>) -> ClientEvent {
        ClientEvent::Conv(conv::Event::UploadExternal(conv::UploadExternal {
            conversation_id: CONVERSATION,
            file_url: text(url),
            file_name: text("a.txt"),
            file_size: 0,
            file_origin: None,
            upload_id: upload_id.map(text),
        }))
    }

    #[test]
    fn a_file_that_is_to_be_fetched_is_the_callers_and_takes_no_slot() {
        let mut replay = Replay::with(&[BOB]);
        let decision = replay.ask(BOB, upload("https://example.org/a", Some("mine"))).unwrap();
        assert_eq!(effects(&decision), ["bob fetches a.txt"]);
        assert_eq!(decision.identifier["upload_id"], "mine");
        assert!(decision.changes.is_empty() && decision.answer.is_empty() && decision.news.is_empty());
        let unnamed = replay.ask(BOB, upload("https://example.org/a", None)).unwrap().identifier;
        assert_eq!(unnamed["upload_id"], uuid::Uuid::nil().to_string(), "what the owner calls it");
    }

    #[test]
    fn who_may_not_post_and_what_is_no_url_is_refused() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        assert_eq!(replay.ask(BOB, upload("https://example.org/a", None)), Err(Refusal::has_left()));
        assert_eq!(replay.ask(JIL, upload("https://example.org/a", None)), Err(Refusal::not_member()));
        assert_eq!(replay.ask(ALICE, upload("file:///etc/passwd", None)).unwrap_err().status, 400);
    }
}
