//! How a member is alerted (conversations.md §6.4): his own view, but that becoming passive and coming back are said in the
//! flow (§3.1).
//!
//! Who is passive stays so whatever else he sets, until he asks for the default; what ends by itself (a time, reading) falls
//! back to that.

use rill_proto::classificator::AlertLevel;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::rules::draft::{Draft, Post};
use crate::conversation::rules::{Decision, Facts, Judged, body, standing};
use crate::conversation::state::{Member, MessageKind, Standing, State};
use crate::effect::Effect;
use crate::store::Aggregate;

/// The longest snooze, in seconds: a year. Whoever wants longer mutes; an alarm waits for every snooze.
const SNOOZE_S_MAX: i64 = 366 * 24 * 60 * 60;

/// `snooze_interval` of those who are muted without an end, until they have read, or as passive members.
const NEVER: i64 = -1;
const UNTIL_READ: i64 = -2;
const PASSIVE: i64 = -3;

/// What a member asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    /// To be alerted to everything.
    Default,
    /// Never to be alerted.
    Never,
    /// To be left alone until he has read.
    UntilRead,
    /// To be alerted to mentions only.
    Passive,
    /// To be left alone for so many seconds.
    For(i64),
}

impl From<AlertLevel> for Wish {
    fn from(level: AlertLevel) -> Self {
        match level {
            AlertLevel::Default => Self::Default,
            AlertLevel::Never => Self::Never,
            AlertLevel::UntilRead => Self::UntilRead,
            AlertLevel::Passive => Self::Passive,
        }
    }
}

impl Wish {
    /// What a `snooze_interval` asks for: seconds, or one of the negative values.
    ///
    /// # Errors
    /// `invalid_call` for any other number.
    fn interval(seconds: i64) -> Result<Self, Refusal> {
        match seconds {
            0 => Ok(Self::Default),
            NEVER => Ok(Self::Never),
            UNTIL_READ => Ok(Self::UntilRead),
            PASSIVE => Ok(Self::Passive),
            1..=SNOOZE_S_MAX => Ok(Self::For(seconds)),
            _ => {
                let what = format!("-3 to {SNOOZE_S_MAX} are allowed");
                Err(Refusal::invalid_call("snooze_interval", what))
            }
        }
    }
}

/// `conv:mute_until` and `conv:set_snooze`.
pub(super) fn snooze(state: &State, caller: AccountId, seconds: i64, facts: &Facts) -> Judged<Decision> {
    standing::member(state, caller)?;
    set(state, caller, Wish::interval(seconds)?, facts)
}

/// `conv:mute`, `conv:mute_until_read`, `conv:unmute`, `conv:set_alert_level` and `conv:set_passive`.
pub(super) fn set(state: &State, caller: AccountId, wish: Wish, facts: &Facts) -> Judged<Decision> {
    let (head, member) = standing::member(state, caller)?;
    let was_passive = member.standing == Standing::Passive;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    match (wish, was_passive) {
        (Wish::Passive, false) => {
            say(
                &mut draft,
                MessageKind::PassiveV1,
                "{author} is passive now and is notified of mentions only.",
            )?;
            draft.change(caller)?.standing = Standing::Passive;
        }
        (Wish::Default, true) => {
            let nr = say(&mut draft, MessageKind::JoinV1, "{author} joined the conversation.")?;
            let member = draft.change(caller)?;
            member.standing = Standing::Active;
            member.send_message_nr = nr;
        }
        (Wish::Default | Wish::Never | Wish::UntilRead | Wish::Passive | Wish::For(_), _) => {}
    }
    let level = match wish {
        Wish::Default => (AlertLevel::Default, 0, 0),
        Wish::Never => (AlertLevel::Never, NEVER, 0),
        Wish::UntilRead => (AlertLevel::UntilRead, UNTIL_READ, 0),
        Wish::Passive => (AlertLevel::Passive, PASSIVE, 0),
        Wish::For(seconds) => (resting(was_passive).0, seconds, facts.now.saturating_add(seconds)),
    };
    if draft.member(caller).map(alerts) != Some(level) {
        put(draft.change(caller)?, level);
        if let Wish::For(_) = wish {
            let ring = Effect::Ring { viewer: caller, at: level.2 };
            draft.effects.push((Aggregate::Conversation(state.conversation_id), ring));
        }
    }
    draft.finish(None)
}

fn say(draft: &mut Draft<'_>, kind: MessageKind, sysmsg_text: &'static str) -> Judged<u64> {
    let message = body::text(&body::Said { sysmsg_text });
    draft.post(kind, Post { message, ..Post::default() })
}

/// The alarm of a timed snooze rings: it is over, if it is not another one by now.
pub(super) fn ring(state: &State, viewer: AccountId, at: i64, facts: &Facts) -> Judged<Decision> {
    let (Some(head), Some(member)) = (&state.head, state.members.get(&viewer)) else {
        return Ok(Decision::default());
    };
    if member.snooze_time == 0 || member.snooze_time > at {
        return Ok(Decision::default());
    }
    let mut draft = Draft::new(state, head.clone(), viewer, facts);
    rest(draft.change(viewer)?);
    draft.finish(None)
}

/// `conv:enable_notifications` and `conv:disable_notifications`.
pub(super) fn notify(state: &State, caller: AccountId, is_on: bool, facts: &Facts) -> Judged<Decision> {
    let (head, member) = standing::member(state, caller)?;
    let mut draft = Draft::new(state, head.clone(), caller, facts);
    if member.no_notifications.unwrap_or(false) == is_on {
        draft.change(caller)?.no_notifications = Some(!is_on);
    }
    draft.finish(None)
}

/// Mutes without an end.
pub(super) fn mute(member: &mut Member) {
    put(member, (AlertLevel::Never, NEVER, 0));
}

/// What was set for a time is over.
pub(super) fn rest(member: &mut Member) {
    put(member, resting(member.standing == Standing::Passive));
}

fn resting(is_passive: bool) -> (AlertLevel, i64, i64) {
    if is_passive { (AlertLevel::Passive, PASSIVE, 0) } else { (AlertLevel::Default, 0, 0) }
}

fn alerts(member: &Member) -> (AlertLevel, i64, i64) {
    (member.alert_level, member.snooze_interval, member.snooze_time)
}

fn put(member: &mut Member, (level, interval, time): (AlertLevel, i64, i64)) {
    member.alert_level = level;
    member.snooze_interval = interval;
    member.snooze_time = time;
}

#[cfg(test)]
mod tests {
    use rill_proto::classificator::AlertLevel;
    use rill_proto::refusal::Refusal;

    use crate::conversation::rules::Reach;
    use crate::conversation::rules::replay::*;
    use crate::conversation::state::{MessageKind, Standing};

    fn alerts(replay: &Replay) -> (AlertLevel, i64, i64, bool) {
        let bob = &replay.state.members[&BOB];
        (bob.alert_level, bob.snooze_interval, bob.snooze_time, bob.is_muted())
    }

    #[test]
    fn muting_is_ones_own_affair() {
        let mut replay = Replay::with(&[BOB]);
        let cases = [
            (mute(), AlertLevel::Never, -1, true),
            (mute_until_read(), AlertLevel::UntilRead, -2, true),
            (unmute(), AlertLevel::Default, 0, false),
            (set_alert_level(AlertLevel::Never), AlertLevel::Never, -1, true),
            (set_alert_level(AlertLevel::Default), AlertLevel::Default, 0, false),
            (set_alert_level(AlertLevel::UntilRead), AlertLevel::UntilRead, -2, true),
            (mute_until(0), AlertLevel::Default, 0, false),
            (set_snooze(-2), AlertLevel::UntilRead, -2, true),
            (set_snooze(0), AlertLevel::Default, 0, false),
            (mute_until(-1), AlertLevel::Never, -1, true),
        ];
        for (event, level, interval, is_muted) in cases {
            let decision = replay.ask(BOB, event.clone()).unwrap();
            assert_eq!(alerts(&replay), (level, interval, 0, is_muted), "{event:?}");
            assert_eq!(lines(&decision.answer), ["conv Update"]);
            assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
            assert!(told(&decision, Reach::Others).is_empty() && effects(&decision).is_empty());
            assert!(replay.ask(BOB, event).unwrap().changes.is_empty(), "it is so already");
        }
        assert_eq!(replay.head().last_message_nr, 1);
    }

    #[test]
    fn a_snooze_ends_when_its_alarm_rings() {
        let mut replay = Replay::with(&[BOB]);
        let decision = replay.ask(BOB, mute_until(60)).unwrap();
        let at = replay.now + 60;
        assert_eq!(alerts(&replay), (AlertLevel::Default, 60, at, true));
        assert_eq!(effects(&decision), [format!("itself rings for bob at {at}")]);
        let decision = replay.ring(BOB, at);
        assert_eq!(alerts(&replay), (AlertLevel::Default, 0, 0, false));
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert!(told(&decision, Reach::Others).is_empty());
    }

    #[test]
    fn an_alarm_of_another_snooze_ends_nothing() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, mute_until(60)).unwrap();
        let early = replay.now + 60;
        replay.ask(BOB, set_snooze(90)).unwrap();
        let late = replay.now + 90;
        assert!(replay.ring(BOB, early).changes.is_empty());
        assert_eq!(alerts(&replay), (AlertLevel::Default, 90, late, true));
        replay.ask(BOB, mute()).unwrap();
        assert!(replay.ring(BOB, late).changes.is_empty());
        assert!(replay.ring(JIL, late).changes.is_empty());
        assert_eq!(alerts(&replay).0, AlertLevel::Never);
    }

    #[test]
    fn a_snooze_has_bounds() {
        let mut replay = Replay::with(&[BOB]);
        for seconds in [-4, i64::MIN, 366 * 24 * 60 * 60 + 1, i64::MAX] {
            for event in [mute_until(seconds), set_snooze(seconds)] {
                let refused = replay.ask(BOB, event).unwrap_err();
                assert_eq!((refused.status, refused.error_id), (400, "invalid_call"));
                assert!(refused.error_message.starts_with("params.snooze_interval"));
            }
        }
        replay.ask(BOB, mute_until(366 * 24 * 60 * 60)).unwrap();
    }

    #[test]
    fn reading_to_the_end_ends_what_lasts_until_then() {
        let mut replay = Replay::with(&[BOB]);
        replay.post(ALICE, "one");
        replay.post(ALICE, "two");
        replay.ask(BOB, mute_until_read()).unwrap();
        replay.ask(BOB, mark_read(2, None, None)).unwrap();
        assert_eq!(alerts(&replay).0, AlertLevel::UntilRead);
        replay.ask(BOB, mark_read(3, None, None)).unwrap();
        assert_eq!(alerts(&replay), (AlertLevel::Default, 0, 0, false));
        replay.ask(BOB, mute_until_read()).unwrap();
        replay.ask(BOB, mark_read(3, None, None)).unwrap();
        assert_eq!(alerts(&replay).0, AlertLevel::Default, "he says that he has read");
    }

    #[test]
    fn becoming_passive_is_said_and_changes_nothing_else() {
        for event in [set_passive(), set_alert_level(AlertLevel::Passive), set_snooze(-3), mute_until(-3)] {
            let mut replay = Replay::with(&[BOB, CHARLIE]);
            replay.post(ALICE, "hello");
            let decision = replay.ask(BOB, event.clone()).unwrap();
            assert_eq!(lines(&decision.answer), ["conv Update", "message 3"]);
            assert_eq!(told(&decision, Reach::Others), ["conv Update", "message 3", "activity bob"]);
            assert_eq!(replay.message(3).kind, MessageKind::PassiveV1);
            assert_eq!(replay.message(3).inbox_nr, -1);
            assert_eq!(alerts(&replay), (AlertLevel::Passive, -3, 0, true));
            let bob = &replay.state.members[&BOB];
            assert_eq!((bob.standing, bob.send_message_nr), (Standing::Passive, 1));
            assert!(replay.ask(BOB, event).unwrap().changes.is_empty(), "he is passive already");
            replay.post(BOB, "still here");
            assert_eq!(replay.state.members[&BOB].standing, Standing::Passive);
        }
    }

    #[test]
    fn coming_back_is_said_as_well() {
        for event in [unmute(), set_alert_level(AlertLevel::Default), set_snooze(0)] {
            let mut replay = Replay::with(&[BOB]);
            replay.ask(BOB, set_passive()).unwrap();
            let decision = replay.ask(BOB, event).unwrap();
            assert_eq!(lines(&decision.answer), ["conv Update", "message 3"]);
            assert_eq!(told(&decision, Reach::Others), ["conv Update", "message 3", "activity bob"]);
            assert_eq!(replay.body(3)["sysmsg_text"], "{author} joined the conversation.");
            let bob = &replay.state.members[&BOB];
            assert_eq!((bob.standing, bob.send_message_nr), (Standing::Active, 3));
            assert_eq!(alerts(&replay), (AlertLevel::Default, 0, 0, false));
        }
    }

    #[test]
    fn who_is_passive_stays_so_whatever_he_mutes() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, set_passive()).unwrap();
        replay.ask(BOB, mute_until(60)).unwrap();
        assert_eq!(alerts(&replay), (AlertLevel::Passive, 60, replay.now + 60, true));
        replay.ring(BOB, replay.now + 60);
        assert_eq!(alerts(&replay), (AlertLevel::Passive, -3, 0, true));
        replay.post(ALICE, "hello");
        replay.ask(BOB, mute_until_read()).unwrap();
        replay.ask(BOB, mark_read(3, None, None)).unwrap();
        assert_eq!(alerts(&replay), (AlertLevel::Passive, -3, 0, true));
        replay.ask(BOB, mute()).unwrap();
        assert_eq!(replay.state.members[&BOB].standing, Standing::Passive);
        assert_eq!(replay.head().last_message_nr, 3);
    }

    #[test]
    fn notifications_are_switched_off_and_on() {
        let mut replay = Replay::with(&[BOB]);
        assert!(replay.ask(BOB, enable_notifications()).unwrap().changes.is_empty());
        let decision = replay.ask(BOB, disable_notifications()).unwrap();
        assert_eq!(told(&decision, Reach::Own), ["conv Update"]);
        assert!(told(&decision, Reach::Others).is_empty());
        assert_eq!(replay.state.members[&BOB].no_notifications, Some(true));
        replay.ask(BOB, enable_notifications()).unwrap();
        assert_eq!(replay.state.members[&BOB].no_notifications, Some(false));
    }

    #[test]
    fn only_members_are_alerted() {
        let mut replay = Replay::with(&[BOB]);
        replay.ask(BOB, leave()).unwrap();
        let events = [
            mute(),
            unmute(),
            mute_until_read(),
            mute_until(9),
            set_snooze(9),
            set_passive(),
            set_alert_level(AlertLevel::Never),
            enable_notifications(),
            disable_notifications(),
        ];
        for event in events {
            assert_eq!(replay.ask(BOB, event.clone()), Err(Refusal::has_left()));
            assert_eq!(replay.ask(JIL, event.clone()), Err(Refusal::not_member()));
            assert_eq!(Replay::nothing().ask(ALICE, event), Err(Refusal::not_member()));
        }
    }
}
