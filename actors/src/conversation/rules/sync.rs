//! Reading the history: forward, backward and around a message (conversations.md §7).
//!
//! Not here: the init form (`visit`).

use std::collections::BTreeSet;

use rill_proto::classificator::InitMode;
use rill_proto::event::conv;
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use crate::conversation::rules::draft::number;
use crate::conversation::rules::flow::Flow;
use crate::conversation::rules::{Decision, Facts, Header, Judged, Keys, News, presence, standing, visit};
use crate::conversation::state::{Message, State};

/// How many slots a forward sync covers, as the older calls did.
pub(super) const FORWARD: usize = 10;

/// How many messages a backward sync brings, as the older calls did.
pub(super) const BACKWARD: usize = 10;

/// How many messages on either side of the one that is asked for.
pub(super) const CONTEXT: usize = 5;

/// `conv:get`: the header alone, and what it speaks of.
pub(super) fn get(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let mut answer = visit::init_form(state, caller, InitMode::Header, facts)?;
    if standing::viewer(state, caller)?.1.is_present() {
        answer.extend(visit::sections(state, 0));
    }
    Ok(Decision {
        answer,
        ..presence::nothing(state)
    })
}

/// `conv:sync_initial`; there are no activity records in it.
pub(super) fn initial(state: &State, caller: AccountId, facts: &Facts) -> Judged<Decision> {
    let mut answer = visit::init_form(state, caller, InitMode::Full, facts)?;
    answer.retain(|news| !matches!(news, News::Activity(_)));
    Ok(Decision {
        answer,
        ..presence::nothing(state)
    })
}

/// `account:sync_conversations`, for this one of the conversations; the caller's are those that do not refuse.
///
/// # Errors
/// `not_member`, or [`Stop::Needs`](super::Stop::Needs).
pub fn conv_sync(state: &State, caller: AccountId, mode: InitMode, facts: &Facts) -> Judged<Decision> {
    let answer = visit::init_form(state, caller, mode, facts)?;
    Ok(Decision {
        answer,
        ..presence::nothing(state)
    })
}

/// `conv:sync_forward`: every slot above the client's edge, revisions included.
pub(super) fn forward(
    state: &State,
    caller: AccountId,
    event: &conv::SyncForward,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let fresh = std::collections::BTreeMap::new();
    let flow = Flow {
        state,
        facts,
        fresh: &fresh,
    };
    let forward = flow.forward(member, number(event.fw_message_nr), member.top(head), FORWARD)?;
    let keys = if forward.changes_facts() {
        Keys::Full
    } else {
        Keys::Update
    };
    let mut answer = authors(state, caller, forward.items.iter().map(|(message, _)| message));
    answer.push(News::Header(Header {
        keys,
        fw: Some(forward.fw),
        bw: None,
        is_reset: false,
    }));
    answer.extend(forward.news());
    Ok(Decision {
        answer,
        ..presence::nothing(state)
    })
}

/// `conv:sync_backward`: visible messages below the client's edge.
pub(super) fn backward(
    state: &State,
    caller: AccountId,
    event: &conv::SyncBackward,
    facts: &Facts,
) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let fresh = std::collections::BTreeMap::new();
    let flow = Flow {
        state,
        facts,
        fresh: &fresh,
    };
    let below = number(event.bw_message_nr);
    let messages = flow.below(member, below, member.top(head), BACKWARD)?;
    let lowest = messages.first().filter(|_| messages.len() == BACKWARD);
    let bw = lowest.map_or(member.join_message_nr, |message| message.message_nr);
    let mut answer = authors(state, caller, &messages);
    answer.push(News::Header(Header {
        keys: Keys::Update,
        fw: None,
        bw: Some(bw),
        is_reset: false,
    }));
    answer.extend(plain(messages));
    Ok(Decision {
        answer,
        ..presence::nothing(state)
    })
}

/// Which side of a message is wanted.
#[derive(Clone, Copy)]
struct Window {
    below: usize,
    itself: bool,
    above: usize,
}

/// `message:load_context`: the message and its neighbours; the client's edges stay where they are.
pub(super) fn load_context(state: &State, caller: AccountId, nr: u64, facts: &Facts) -> Judged<Decision> {
    around(
        state,
        caller,
        nr,
        Window {
            below: CONTEXT,
            itself: true,
            above: CONTEXT,
        },
        facts,
    )
}

/// `message:load_next`.
pub(super) fn load_next(state: &State, caller: AccountId, nr: u64, facts: &Facts) -> Judged<Decision> {
    around(
        state,
        caller,
        nr,
        Window {
            below: 0,
            itself: false,
            above: FORWARD,
        },
        facts,
    )
}

/// `message:load_previous`.
pub(super) fn load_previous(state: &State, caller: AccountId, nr: u64, facts: &Facts) -> Judged<Decision> {
    around(
        state,
        caller,
        nr,
        Window {
            below: BACKWARD,
            itself: false,
            above: 0,
        },
        facts,
    )
}

fn around(state: &State, caller: AccountId, nr: u64, window: Window, facts: &Facts) -> Judged<Decision> {
    let (head, member) = standing::viewer(state, caller)?;
    let fresh = std::collections::BTreeMap::new();
    let flow = Flow {
        state,
        facts,
        fresh: &fresh,
    };
    let top = member.top(head);
    let middle = flow
        .seen_message(member, nr)?
        .ok_or_else(|| Refusal::not_found("Message"))?;
    let mut messages = flow.below(member, nr, top, window.below)?;
    messages.extend(window.itself.then_some(middle));
    messages.extend(flow.above(member, nr, top, window.above)?);
    let mut answer = authors(state, caller, &messages);
    answer.extend(plain(messages));
    Ok(Decision {
        answer,
        ..presence::nothing(state)
    })
}

/// Messages as they stand, outside of the flow.
pub(super) fn plain(messages: Vec<Message>) -> impl Iterator<Item = News> {
    messages.into_iter().map(|message| News::Message {
        message: Box::new(message),
        flow: None,
    })
}

/// Contacts of those who wrote or revised the messages, the viewer excepted.
pub(super) fn authors<'a>(
    state: &State,
    viewer: AccountId,
    messages: impl IntoIterator<Item = &'a Message>,
) -> Vec<News> {
    let people = messages
        .into_iter()
        .flat_map(|message| [Some(message.account_id), message.edit_account_id]);
    let people: BTreeSet<AccountId> = people.flatten().collect();
    let known = people
        .into_iter()
        .filter(|id| *id != viewer && state.members.contains_key(id));
    known.map(News::Contact).collect()
}
