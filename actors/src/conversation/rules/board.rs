//! What pins and tasks have in common: moving within a list, and fetching a list part by part (conversations.md §7, §10).

use rill_proto::event::{conv, section};
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::json;

use crate::conversation::board::{List, Place, put_behind};
use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::flow::Flow;
use crate::conversation::rules::{Decision, Facts, Judged, News, presence, standing, sync};
use crate::conversation::state::{Message, State};
use crate::weight::Weight;

/// How many pins an init form brings: what a client asks for when it says no number.
const INIT_PINS: usize = 20;

/// After how many bytes of text a part ends, whatever its limit: a lane holds a megabyte, and a text has up to 300,000 characters.
const PART_BYTES_MAX: usize = 512 * 1024;

/// Moves a message that is on a board behind another one of a list (0: before all), in a revision of its own. Where it is
/// already there, nothing happens.
///
/// # Errors
/// `not_found` when the other one is not in the list; 400 when it is the message itself.
pub(super) fn put(draft: &mut Draft<'_>, nr: u64, place: Place, behind: u64) -> Judged<()> {
    if behind == nr {
        return Err(Refusal::invalid_call("prev_message_nr", "a message is not put behind itself").into());
    }
    let list = place.list();
    let all: Vec<(Weight, u64)> = draft.state.board.descending(list).collect();
    let before = all.iter().position(|(_, other)| *other == nr);
    let above = before.map(|at| at.checked_sub(1).map_or(0, |above| all[above].1));
    if above == Some(behind) {
        return Ok(());
    }
    let others: Vec<(Weight, u64)> = all.into_iter().filter(|(_, other)| *other != nr).collect();
    let moved = put_behind(&others, (behind > 0).then_some(behind));
    let moved = moved.ok_or_else(|| Refusal::not_found("Previous message"))?;
    draft.revise(nr, |_| {})?;
    draft.put_place(nr, Some(place.weighing(moved.weight)))?;
    for (other, weight) in moved.others {
        let place = draft.place(other).map(|place| place.weighing(weight));
        draft.revise_quietly(other, |_| {})?;
        draft.put_place(other, place)?;
    }
    Ok(())
}

/// A part of a list.
pub(super) struct Part {
    pub(super) messages: Vec<Message>,
    /// The weight below which there is more.
    pub(super) rest: Option<Weight>,
}

/// The items of a list below a weight, or its first ones.
pub(super) fn part(
    state: &State,
    list: List,
    below: Option<Weight>,
    limit: usize,
    facts: &Facts,
) -> Judged<Part> {
    let board = &state.board;
    let all: Box<dyn Iterator<Item = (Weight, u64)>> = match below {
        Some(weight) => Box::new(board.below(list, weight)),
        None => Box::new(board.descending(list)),
    };
    let mut items: Vec<(Weight, u64)> = all.take(limit + 1).collect();
    let has_more = items.len() > limit;
    items.truncate(limit);
    facts.have_slots(state, items.iter().map(|(_, nr)| *nr))?;
    let flow = Flow::stored(state, facts);
    let mut messages = Vec::with_capacity(items.len());
    let mut room = PART_BYTES_MAX;
    for (weight, nr) in &items {
        messages.extend(flow.message(*nr)?);
        let bytes = messages.last().map_or(0, |message| message.message.len());
        if bytes >= room {
            let is_last = !has_more && items.last().is_some_and(|(_, last)| last == nr);
            return Ok(Part { messages, rest: (!is_last).then_some(*weight) });
        }
        room -= bytes;
    }
    let rest = items.last().filter(|_| has_more).map(|(weight, _)| *weight);
    Ok(Part { messages, rest })
}

/// The pins that come with an init form.
pub(super) fn first_pins(state: &State, facts: &Facts) -> Judged<Vec<Message>> {
    Ok(part(state, List::Pins, None, INIT_PINS, facts)?.messages)
}

/// The weight below which an init form leaves pins to be fetched.
pub(in crate::conversation) fn rest_of_pins(state: &State) -> Option<Weight> {
    let mut pins = state.board.descending(List::Pins).skip(INIT_PINS - 1);
    let last = pins.next().map(|(weight, _)| weight);
    pins.next().and(last)
}

/// `conv:pin:sync`.
pub(super) fn sync_pins(
    state: &State,
    caller: AccountId,
    event: &conv::PinSync,
    facts: &Facts,
) -> Judged<Decision> {
    standing::member(state, caller)?;
    let below = match &event.sync_cursor.0 {
        Some(cursor) if cursor.conversation_id != state.conversation_id => {
            return Err(strange_cursor().into());
        }
        Some(cursor) => cursor.pin_weight.and_then(Weight::given),
        None => None,
    };
    let Part { messages, rest } = part(state, List::Pins, below, event.limit.get(), facts)?;
    let mut answer = sync::authors(state, caller, &messages);
    answer.push(News::Pins { rest });
    answer.extend(sync::plain(messages));
    Ok(Decision { answer, ..presence::nothing(state) })
}

/// `section:task:sync`.
pub(super) fn sync_tasks(
    state: &State,
    caller: AccountId,
    event: &section::TaskSync,
    facts: &Facts,
) -> Judged<Decision> {
    standing::member(state, caller)?;
    let section_id = event.section_id;
    let known = state.sections.get(&section_id).filter(|section| !section.is_deleted);
    known.ok_or_else(|| Refusal::not_found("Section"))?;
    let below = match &event.sync_cursor.0 {
        Some(cursor)
            if cursor.conversation_id != state.conversation_id || cursor.section_id != section_id =>
        {
            return Err(strange_cursor().into());
        }
        Some(cursor) => cursor.task_weight.and_then(Weight::given),
        None => None,
    };
    let Part { messages, rest } = part(state, List::Tasks(section_id), below, event.limit.get(), facts)?;
    let mut answer = sync::authors(state, caller, &messages);
    answer.push(News::Tasks { section_id, rest });
    answer.extend(sync::plain(messages));
    let identifier = json!({ "conversation_id": state.conversation_id, "section_id": section_id });
    Ok(Decision { answer, identifier, ..Decision::default() })
}

fn strange_cursor() -> Refusal {
    Refusal::invalid_call("sync_cursor", "it belongs to another list")
}

#[cfg(test)]
mod tests {
    use rill_proto::refusal::Refusal;
    use serde_json::json;

    use super::INIT_PINS;
    use crate::conversation::rules::News;
    use crate::conversation::rules::replay::*;

    /// What an answer brings, and the weight below which there is more.
    fn brought(replay: &mut Replay, name: &str, params: serde_json::Value) -> (Vec<u64>, Option<f64>) {
        let decision = replay.ask(ALICE, event(name, params)).unwrap();
        let (mut messages, mut found) = (Vec::new(), None);
        for news in &decision.answer {
            if let News::Tasks { rest, .. } | News::Pins { rest } = news {
                found = Some(rest.map(|weight| weight.get()));
            }
            if let News::Message { message, flow: None } = news {
                messages.push(message.message_nr);
            }
        }
        (messages, found.unwrap())
    }

    #[test]
    fn pins_come_by_weight_in_parts() {
        let mut replay = Replay::with(&[BOB]);
        for _ in 0..5 {
            replay.put_up(BOB, "add_pinned");
        }
        let (first, rest) = brought(&mut replay, "conv:pin:sync", json!({"limit": 2}));
        assert_eq!(first, [6, 5]);
        let cursor = json!({"conversation_id": CONVERSATION, "pin_weight": rest}).to_string();
        let (then, rest) = brought(&mut replay, "conv:pin:sync", json!({"limit": 2, "sync_cursor": cursor}));
        assert_eq!(then, [4, 3]);
        let cursor = json!({"conversation_id": CONVERSATION, "pin_weight": rest}).to_string();
        let last = brought(&mut replay, "conv:pin:sync", json!({"limit": 1, "sync_cursor": cursor}));
        assert_eq!(last, (vec![2], None));
        assert_eq!(brought(&mut replay, "conv:pin:sync", json!({})), (vec![6, 5, 4, 3, 2], None));
    }

    #[test]
    fn tasks_come_by_weight_in_parts() {
        let mut replay = Replay::with(&[BOB]);
        for _ in 0..3 {
            replay.put_up(BOB, "add_todo");
        }
        let section_id = replay.default_section();
        let (first, rest) =
            brought(&mut replay, "section:task:sync", json!({"section_id": section_id, "limit": 2}));
        assert_eq!(first, [4, 3]);
        let cursor = json!({"conversation_id": CONVERSATION, "section_id": section_id, "task_weight": rest})
            .to_string();
        let params = json!({"section_id": section_id, "sync_cursor": cursor});
        assert_eq!(brought(&mut replay, "section:task:sync", params), (vec![2], None));
        let archive = replay.archive();
        let nothing = brought(&mut replay, "section:task:sync", json!({"section_id": archive}));
        assert_eq!(nothing, (vec![], None));
        let cursor =
            json!({"conversation_id": CONVERSATION, "section_id": archive, "task_weight": 1}).to_string();
        let params = json!({"section_id": section_id, "sync_cursor": cursor});
        assert_eq!(replay.ask(ALICE, event("section:task:sync", params)).unwrap_err().status, 400);
        let params = json!({"section_id": CONVERSATION});
        assert_eq!(replay.ask(ALICE, event("section:task:sync", params)), Err(Refusal::not_found("Section")));
    }

    #[test]
    fn a_part_ends_where_it_would_be_too_long_for_a_lane() {
        let mut replay = Replay::with(&[]);
        for _ in 0..4 {
            let long = "x".repeat(300_000);
            replay.ask(ALICE, event("message:add_pinned", json!({ "message": long }))).unwrap();
        }
        let (first, rest) = brought(&mut replay, "conv:pin:sync", json!({}));
        assert_eq!(first, [5, 4]);
        let cursor = json!({"conversation_id": CONVERSATION, "pin_weight": rest}).to_string();
        let last = brought(&mut replay, "conv:pin:sync", json!({"sync_cursor": cursor}));
        assert_eq!(last, (vec![3, 2], None));
    }

    #[test]
    fn an_init_form_brings_the_first_pins_and_the_cursor_knows_the_rest() {
        let mut replay = Replay::with(&[BOB]);
        for _ in 0..INIT_PINS {
            replay.put_up(BOB, "add_pinned");
        }
        assert_eq!(super::rest_of_pins(&replay.state), None);
        replay.put_up(BOB, "add_pinned");
        let rest = super::rest_of_pins(&replay.state).unwrap();
        assert_eq!(rest.get(), replay.weight(3));
        let form = lines(&replay.catch_up(ALICE, 0));
        for nr in 3..=22 {
            let line = format!("message {nr}");
            assert_eq!(form.iter().filter(|other| **other == line).count(), 1, "{line} in {form:?}");
        }
    }
}
