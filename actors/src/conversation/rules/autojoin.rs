//! `conv:autojoin`: joining by the link (conversations.md §6.2). The link's key is the conversation's id.

use rill_proto::classificator::InitMode;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::rules::draft::{Draft, Post};
use crate::conversation::rules::{Decision, Facts, Judged, body, membership, visit};
use crate::conversation::state::{Member, MessageKind, Standing, State};

/// `conv:autojoin`: of anybody, but who was kicked. Who is in already is shown the conversation and joins nothing.
pub(super) fn join(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let head = state.head.as_ref().ok_or_else(Refusal::not_member)?;
    let member = state.members.get(&caller);
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if member.is_some_and(Member::is_present) {
        let answer = visit::init_form(state, caller, InitMode::Full, facts)?;
        return Ok(draft.into_decision(answer.clone(), answer));
    }
    let is_kicked = member.is_some_and(|member| member.standing == Standing::Kicked);
    if head.settings.is_autojoin != Some(true) || is_kicked {
        return Err(Refusal::no_permission("This conversation cannot be joined by its link.").into());
    }
    membership::has_room(&draft, usize::from(member.is_none()), "conversation_id")?;
    let joining = membership::addable(facts, &[caller])?;
    let (_, profile) = joining.into_iter().next().ok_or_else(|| Refusal::not_found("Account"))?;
    let message = body::text(&body::Said { sysmsg_text: "{author} joined by the conversation's link." });
    let nr = draft.announce(MessageKind::Autojoin, Post { message, ..Post::default() });
    membership::enter(&mut draft, caller, &profile, nr, facts.now)?;
    draft.read_to(nr)?;
    draft.change_facts();
    draft.settle_dialog();
    draft.contacts = vec![caller];
    let decision = draft.finish(None)?;
    let mut joined = state.clone();
    decision.changes.iter().for_each(|change| joined.fold(change));
    let answer = visit::init_form(&joined, caller, InitMode::Full, facts)?;
    Ok(Decision { answer, ..decision })
}

#[cfg(test)]
mod tests {
    use rill_proto::event::ClientEvent;
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;
    use crate::conversation::state::{MessageKind, Standing};

    fn autojoin() -> ClientEvent {
        event("conv:autojoin", json!({}))
    }

    fn enable(what: &str) -> ClientEvent {
        event(&format!("conv:conv_enable_{what}"), json!({}))
    }

    /// Alice enabled joining with 2 and wrote 3.
    fn open() -> Replay {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(ALICE, enable("autojoin")).unwrap();
        replay.post(ALICE, "three");
        replay
    }

    #[test]
    fn anybody_joins_and_sees_what_comes_from_then_on() {
        let mut replay = open();
        let decision = replay.ask(JIL, autojoin()).unwrap();
        assert_eq!((replay.message(4).kind, replay.message(4).account_id), (MessageKind::Autojoin, JIL));
        let form = ["contact alice", "contact bob", "conv Init(Full) fw 4 bw 4", "message 4"];
        let rest = ["section", "section", "activity alice"];
        assert_eq!(lines(&decision.answer), [&form[..], &rest].concat());
        let others = ["contact jil", "conv Full", "message 4", "activity jil"];
        assert_eq!(told(&decision, Reach::Others), others);
        assert_eq!(
            effects(&decision),
            ["jil joined by jil", "alice dialog bob false", "bob dialog alice false"]
        );
        let jil = replay.counters(JIL);
        assert_eq!((jil.join, jil.begin, jil.send, jil.read, jil.unread), (4, 4, 4, 4, 0));
    }

    #[test]
    fn where_the_history_is_disclosed_all_of_it_is_open() {
        let mut replay = open();
        replay.ask(ALICE, enable("disclose")).unwrap();
        replay.ask(JIL, autojoin()).unwrap();
        let jil = replay.counters(JIL);
        assert_eq!((jil.join, jil.begin, jil.read, jil.unread), (1, 5, 5, 0));
        assert!((1..=5).all(|nr| replay.state.members[&JIL].sees(nr)));
    }

    #[test]
    fn who_left_comes_back_and_does_not_see_what_he_missed() {
        let mut replay = open();
        replay.ask(BOB, leave()).unwrap();
        replay.post(ALICE, "five");
        replay.ask(BOB, autojoin()).unwrap();
        let bob = &replay.state.members[&BOB];
        assert!(bob.sees(4) && !bob.sees(5) && bob.sees(6));
        assert_eq!(replay.present(), [ALICE, BOB]);
    }

    #[test]
    fn who_is_in_is_shown_the_conversation() {
        let mut replay = open();
        let decision = replay.ask(BOB, autojoin()).unwrap();
        assert!(decision.changes.is_empty() && decision.news.is_empty());
        assert_eq!(lines(&decision.answer)[..2], ["contact alice", "conv Init(Full) fw 3 bw 1"]);
    }

    #[test]
    fn what_is_not_open_is_refused() {
        let refused = Refusal::no_permission("This conversation cannot be joined by its link.");
        let mut replay = Replay::with(&[BOB]);
        assert_eq!(replay.ask(JIL, autojoin()), Err(refused.clone()));
        replay.ask(BOB, leave()).unwrap();
        assert_eq!(replay.ask(BOB, autojoin()), Err(refused.clone()));
        replay.ask(ALICE, enable("autojoin")).unwrap();
        replay.ask(ALICE, event("conv:conv_disable_autojoin", json!({}))).unwrap();
        assert_eq!(replay.ask(JIL, autojoin()), Err(refused.clone()));
        replay.ask(ALICE, enable("autojoin")).unwrap();
        assert_eq!(replay.ask(CLOSED, autojoin()), Err(Refusal::not_found("Account")));
        replay.state.members.get_mut(&BOB).unwrap().standing = Standing::Kicked;
        assert_eq!(replay.judge_only(BOB, autojoin()), Err(refused), "what was taken is not had by a link");
        assert_eq!(Replay::nothing().ask(ALICE, autojoin()), Err(Refusal::not_member()));
    }
}
