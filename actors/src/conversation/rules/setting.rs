//! What is set for everybody (conversations.md §6.3): switches, the type, the call room. A switch is a row of a table.
//!
//! What is set already stays as it is, and takes no slot.

use rill_proto::event::conv;
use rill_proto::id::AccountId;

use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts, Judged, body, standing};
use crate::conversation::state::{Head, MessageKind, Settings, State};

/// A switch of the whole conversation.
pub(super) struct Switch {
    is_on: fn(&Settings) -> bool,
    put: fn(&mut Settings, bool),
    /// What is said when it is switched off, and on.
    said: [(MessageKind, &'static str); 2],
}

/// Anybody with the link may join.
pub(super) const AUTOJOIN: Switch = Switch {
    is_on: |settings| settings.is_autojoin == Some(true),
    put: |settings, on| settings.is_autojoin = Some(on),
    said: [
        (MessageKind::Unshare, "{author} disabled joining by the link."),
        (MessageKind::Share, "{author} enabled joining by the link."),
    ],
};

/// The history is open to whoever joins.
pub(super) const DISCLOSE: Switch = Switch {
    is_on: |settings| settings.is_disclose == Some(true),
    put: |settings, on| settings.is_disclose = Some(on),
    said: [
        (MessageKind::Unshow, "{author} closed earlier messages to new members."),
        (MessageKind::Show, "{author} opened earlier messages to new members."),
    ],
};

/// Links get previews.
pub(super) const URL_PREVIEWS: Switch = Switch {
    is_on: |settings| settings.is_url_preview_disabled != Some(true),
    put: |settings, on| settings.is_url_preview_disabled = Some(!on),
    said: [
        (MessageKind::NoUrlPreviews, "{author} disabled link previews."),
        (MessageKind::UrlPreviews, "{author} enabled link previews."),
    ],
};

/// The conversation is told when a task is done.
pub(super) const DONE_NOTIFICATIONS: Switch = Switch {
    is_on: |settings| settings.has_done_notifications,
    put: |settings, on| settings.has_done_notifications = on,
    // The texts are wire constants (conversations.md §3.1).
    said: [
        (MessageKind::DisableDoneNotifs, "{author} disabled task notifications."),
        (MessageKind::EnableDoneNotifs, "{author} enabled task notifications."),
    ],
};

impl Switch {
    /// Switches it on or off.
    ///
    /// # Errors
    /// As [`standing::manager`].
    pub(super) fn turn(&self, on: bool, state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
        let head = standing::manager(state, caller, facts)?;
        let mut draft = Draft::new(state, head.clone(), caller, facts);
        if (self.is_on)(&head.settings) == on {
            return draft.finish(None);
        }
        (self.put)(&mut draft.head.settings, on);
        let (kind, sysmsg_text) = self.said[usize::from(on)];
        let message = body::text(&body::Said { sysmsg_text });
        draft.say(kind, message)?;
        draft.change_facts();
        draft.finish(None)
    }
}

/// `conv:set_type`.
pub(super) fn set_type(
    state: &State,
    caller: AccountId,
    event: &conv::SetType,
    facts: &Facts,
) -> Judged<Decision> {
    quietly(standing::manager(state, caller, facts), state, caller, facts, |settings| {
        settings.mk_conv_type = event.mk_conv_type;
    })
}

/// `conv:set_default_call_room`; an empty name takes it back.
pub(super) fn set_default_call_room(
    state: &State,
    caller: AccountId,
    event: &conv::SetDefaultCallRoom,
    facts: &Facts,
) -> Judged<Decision> {
    quietly(standing::manager(state, caller, facts), state, caller, facts, |settings| {
        let room = event.default_call_room.to_string();
        if !room.is_empty() || settings.default_call_room.is_some() {
            settings.default_call_room = Some(room);
        }
    })
}

/// Changes what is set without a message: the header says it.
pub(super) fn quietly(
    may: Judged<&Head>,
    state: &State,
    caller: AccountId,
    facts: &Facts,
    change: impl FnOnce(&mut Settings),
) -> Judged<Decision> {
    let head = may?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    change(&mut draft.head.settings);
    if draft.head.settings != head.settings {
        draft.change_facts();
    }
    draft.finish(None)
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::ConvType;
    use rill_proto::event::ClientEvent;
    use rill_proto::id::OrganisationId;
    use rill_proto::refusal::Refusal;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;
    use crate::conversation::state::{MessageKind, Settings};

    /// The events that switch something on and off, and the kinds of what is said.
    const SWITCHES: [(&str, &str, MessageKind, MessageKind); 4] = [
        ("conv_enable_autojoin", "conv_disable_autojoin", MessageKind::Share, MessageKind::Unshare),
        ("conv_enable_disclose", "conv_disable_disclose", MessageKind::Show, MessageKind::Unshow),
        (
            "conv_disable_url_previw",
            "conv_enable_url_preview",
            MessageKind::NoUrlPreviews,
            MessageKind::UrlPreviews,
        ),
        (
            "enable_done_notifications",
            "disable_done_notifications",
            MessageKind::EnableDoneNotifs,
            MessageKind::DisableDoneNotifs,
        ),
    ];

    fn ask_for(verb: &str) -> ClientEvent {
        event(&format!("conv:{verb}"), json!({}))
    }

    fn set_type(kind: &str) -> ClientEvent {
        event("conv:set_type", json!({ "mk_conv_type": kind }))
    }

    fn call_in(room: &str) -> ClientEvent {
        event("conv:set_default_call_room", json!({ "default_call_room": room }))
    }

    #[test]
    fn every_switch_is_said_once_each_way() {
        for (on, off, said_on, said_off) in SWITCHES {
            let mut replay = Replay::with(&[BOB]);
            let before = replay.head().settings.clone();
            let decision = replay.ask(BOB, ask_for(on)).unwrap();
            assert_eq!(lines(&decision.answer), ["conv Full", "message 2"], "{on}");
            let told_others = told(&decision, Reach::Others);
            assert_eq!(told_others, ["conv Full", "message 2", "activity bob"], "{on}");
            assert_eq!((replay.message(2).kind, replay.message(2).inbox_nr), (said_on, 0), "{on}");
            let Value::String(text) = &replay.body(2)["sysmsg_text"] else { panic!("{on} says nothing") };
            assert!(text.starts_with("{author} "), "{text}");
            assert_ne!(replay.head().settings, before, "{on}");
            let again = replay.ask(ALICE, ask_for(on)).unwrap();
            assert!(again.changes.is_empty() && again.news.is_empty(), "{on} again");
            assert_eq!(lines(&again.answer), ["conv Update"]);

            replay.ask(ALICE, ask_for(off)).unwrap();
            assert_eq!(replay.message(3).kind, said_off, "{off}");
            assert_ne!(replay.body(3)["sysmsg_text"], replay.body(2)["sysmsg_text"]);
            assert!(replay.ask(BOB, ask_for(off)).unwrap().changes.is_empty(), "{off} again");
        }
    }

    #[test]
    fn the_switches_are_where_the_rules_look() {
        let mut replay = Replay::with(&[BOB]);
        for (on, ..) in SWITCHES {
            replay.ask(ALICE, ask_for(on)).unwrap();
        }
        let Settings { is_autojoin, is_disclose, is_url_preview_disabled, has_done_notifications, .. } =
            replay.head().settings;
        assert_eq!((is_autojoin, is_disclose), (Some(true), Some(true)));
        assert_eq!((is_url_preview_disabled, has_done_notifications), (Some(true), true));
        let nr = replay.post(ALICE, "https://example.com");
        assert!(replay.message(nr).is_url_preview_disabled);
        for (_, off, ..) in SWITCHES {
            replay.ask(ALICE, ask_for(off)).unwrap();
        }
        let settings = &replay.head().settings;
        assert_eq!(
            (settings.is_autojoin, settings.is_disclose),
            (Some(false), Some(false)),
            "said, not left out"
        );
        assert_eq!((settings.is_url_preview_disabled, settings.has_done_notifications), (Some(false), false));
    }

    #[test]
    fn done_tasks_are_told_of_while_that_is_wanted() {
        let mut replay = Replay::with(&[]);
        replay.slots_max = 2;
        replay.ask(ALICE, ask_for("enable_done_notifications")).unwrap();
        let nr = replay.put_up(ALICE, "add_todo");
        replay.turn(ALICE, "set_done", nr).unwrap();
        assert_eq!(replay.message(5).kind, MessageKind::TaskCompleted, "trace T8");
        replay.ask(ALICE, ask_for("disable_done_notifications")).unwrap();
        assert_eq!(replay.message(6).kind, MessageKind::DisableDoneNotifs);
        replay.turn(ALICE, "set_todo", nr).unwrap();
        replay.turn(ALICE, "set_done", nr).unwrap();
        assert_eq!(replay.head().last_message_nr, 8);
    }

    #[test]
    fn the_type_and_the_call_room_are_said_by_the_header_alone() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        let horizon = replay.stamp;
        let decision = replay.ask(BOB, set_type("cct_list")).unwrap();
        assert_eq!(lines(&decision.answer), ["conv Full"]);
        assert_eq!(told(&decision, Reach::Own), ["conv Full"]);
        assert_eq!(told(&decision, Reach::Others), ["conv Full"]);
        assert_eq!(replay.head().settings.mk_conv_type, ConvType::List);
        replay.ask(BOB, call_in("Tea room")).unwrap();
        assert_eq!(replay.head().settings.default_call_room.as_deref(), Some("Tea room"));
        assert_eq!(replay.head().last_message_nr, 1);
        assert_eq!(lines(&replay.catch_up(CHARLIE, horizon)), ["conv Full"]);
        for event in [set_type("cct_list"), call_in("Tea room")] {
            let again = replay.ask(ALICE, event).unwrap();
            assert!(again.changes.is_empty() && again.news.is_empty());
        }
        replay.ask(ALICE, call_in("")).unwrap();
        assert_eq!(
            replay.head().settings.default_call_room.as_deref(),
            Some(""),
            "clients are told that it is gone"
        );
    }

    #[test]
    fn no_room_is_no_change_where_there_was_none() {
        let mut replay = Replay::with(&[]);
        assert!(replay.ask(ALICE, call_in("")).unwrap().changes.is_empty());
    }

    #[test]
    fn who_left_sees_what_was_set_then() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(ALICE, call_in("Tea room")).unwrap();
        replay.ask(BOB, leave()).unwrap();
        replay.ask(ALICE, call_in("Library")).unwrap();
        let frozen = replay.state.members[&BOB].frozen.as_ref().unwrap();
        assert_eq!(frozen.settings.default_call_room.as_deref(), Some("Tea room"));
        assert!(replay.catch_up(BOB, replay.stamp - 1).is_empty());
    }

    #[test]
    fn who_may_not_is_refused() {
        let mut replay = Replay::with(&[BOB, CHARLIE]);
        replay.ask(BOB, leave()).unwrap();
        let settings = &mut replay.state.head.as_mut().unwrap().settings;
        settings.organisation_id = Some(OrganisationId(Uuid::from_u128(7)));
        settings.admins = vec![ALICE];
        let switches = SWITCHES.iter().flat_map(|(on, off, ..)| [ask_for(on), ask_for(off)]);
        for event in switches.chain([set_type("cct_list"), call_in("x")]) {
            assert_eq!(replay.ask(JIL, event.clone()), Err(Refusal::not_member()));
            assert_eq!(replay.ask(BOB, event.clone()), Err(Refusal::has_left()));
            let refused = replay.ask(CHARLIE, event.clone()).unwrap_err();
            assert_eq!(refused, Refusal::no_permission("Only admins can change this conversation."));
            assert!(replay.judge_only(ALICE, event).is_ok());
        }
    }
}
