//! Who must be told when an account changes what others see of it: the conversations that it can see, and the accounts that
//! have it in their lists (accounts.md §5.2). In portions, since one append can only carry so much.

use std::ops::Bound;

use rill_proto::id::{AccountId, LabelId};

use super::{Decision, Facts};
use crate::account::label::Labels;
use crate::account::profile::Profile;
use crate::account::state::State;
use crate::effect::{Effect, Spot, Spreading};
use crate::store::Aggregate;

/// How many are told by one append: some hundred kilobytes of profiles, far below the 65,536 effects that an append can
/// number.
const SPREAD_MAX: usize = 1_000;

/// Tells everybody of a profile.
pub fn profile(state: &State, profile: &Profile, facts: &Facts) -> Vec<(Aggregate, Effect)> {
    portion(state, &state.labels, profile, Spreading::Profile, None, facts)
}

/// Tells the own conversations of a profile in which nothing is new but whose answers are waited for.
pub(super) fn invitations(state: &State, profile: &Profile, facts: &Facts) -> Vec<(Aggregate, Effect)> {
    portion(state, &state.labels, profile, Spreading::Invitations, None, facts)
}

/// Tells the own conversations that somebody, or several, are called by another name.
pub(super) fn name(state: &State, contact: Option<AccountId>, facts: &Facts) -> Vec<(Aggregate, Effect)> {
    state.head.as_ref().map_or_else(Vec::new, |head| {
        portion(state, &state.labels, &head.profile, Spreading::Name(contact), None, facts)
    })
}

/// Tells the own conversations what has become of a label.
pub(super) fn label(
    state: &State,
    labels: &Labels,
    label_id: LabelId,
    facts: &Facts,
) -> Vec<(Aggregate, Effect)> {
    state.head.as_ref().map_or_else(Vec::new, |head| {
        portion(state, labels, &head.profile, Spreading::Label(label_id), None, facts)
    })
}

/// The next portion of what began earlier.
pub(super) fn go_on(state: &State, news: Spreading, after: Spot, facts: &Facts) -> Decision {
    let effects = state
        .head
        .as_ref()
        .map(|head| portion(state, &state.labels, &head.profile, news, Some(after), facts));
    Decision { effects: effects.unwrap_or_default(), ..Decision::default() }
}

fn portion(
    state: &State,
    labels: &Labels,
    profile: &Profile,
    news: Spreading,
    after: Option<Spot>,
    facts: &Facts,
) -> Vec<(Aggregate, Effect)> {
    let mut spots = spots(state, news, after);
    let told: Vec<Spot> = spots.by_ref().take(SPREAD_MAX).collect();
    let has_more = spots.next().is_some();
    let account_id = state.account_id;
    let mut effects: Vec<_> =
        told.iter().map(|spot| told_to((account_id, labels), *spot, profile, news, facts)).collect();
    if let Some(after) = told.last().copied().filter(|_| has_more) {
        effects.push((Aggregate::Account(account_id), Effect::Spread { news, after }));
    }
    effects
}

fn told_to(
    (account_id, labels): (AccountId, &Labels),
    spot: Spot,
    profile: &Profile,
    news: Spreading,
    facts: &Facts,
) -> (Aggregate, Effect) {
    match (spot, news) {
        (Spot::Conversation(id), Spreading::Profile | Spreading::Invitations) => {
            (Aggregate::Conversation(id), Effect::Profile { account_id, profile: profile.clone() })
        }
        (Spot::Conversation(id), Spreading::Name(contact)) => {
            let named = Effect::Named { viewer: account_id, contact, version: facts.stamp };
            (Aggregate::Conversation(id), named)
        }
        (Spot::Conversation(id), Spreading::Label(label_id)) => {
            let active = labels.get(&label_id).filter(|label| !label.is_removed);
            let name = active.map(|label| label.name.clone());
            (Aggregate::Conversation(id), Effect::Labelled { viewer: account_id, label_id, name })
        }
        (
            Spot::Watcher(id),
            Spreading::Profile | Spreading::Invitations | Spreading::Name(_) | Spreading::Label(_),
        ) => (Aggregate::Account(id), Effect::Shown { account_id, version: profile.version }),
    }
}

/// Everybody behind a spot, in order.
fn spots(state: &State, news: Spreading, after: Option<Spot>) -> impl Iterator<Item = Spot> {
    let conversations = match after {
        None => Some(Bound::Unbounded),
        Some(Spot::Conversation(id)) => Some(Bound::Excluded(id)),
        Some(Spot::Watcher(_)) => None,
    };
    let watchers = match (news, after) {
        (Spreading::Invitations | Spreading::Name(_) | Spreading::Label(_), _) => None,
        (Spreading::Profile, Some(Spot::Watcher(id))) => Some(Bound::Excluded(id)),
        (Spreading::Profile, None | Some(Spot::Conversation(_))) => Some(Bound::Unbounded),
    };
    let conversations =
        conversations.into_iter().flat_map(|from| state.memberships.range((from, Bound::Unbounded)));
    let watchers = watchers.into_iter().flat_map(|from| state.watchers.range((from, Bound::Unbounded)));
    conversations.map(|(id, _)| Spot::Conversation(*id)).chain(watchers.map(|id| Spot::Watcher(*id)))
}

#[cfg(test)]
mod tests {
    use rill_proto::id::ConversationId;
    use uuid::Uuid;

    use super::*;
    use crate::account::rules::replay::*;
    use crate::account::state::{Change, Membership};

    #[test]
    fn a_thousand_are_told_at_once_and_the_rest_in_further_portions() {
        let mut state = known(ALICE, "alice");
        for nr in 0..1_500 {
            let membership = Membership { by: ALICE, version: 1, stamp: 1 };
            state.fold(&Change::Membership(ConversationId(Uuid::from_u128(nr)), membership));
            state.fold(&Change::Watcher(AccountId(Uuid::from_u128(10_000 + nr))));
        }
        let head = state.head.clone().unwrap();
        let mut effects = profile(&state, &head.profile, &facts());
        let (mut told, mut portions) = (0, 1);
        while let Some((_, Effect::Spread { news, after })) =
            effects.pop_if(|(_, last)| matches!(last, Effect::Spread { .. }))
        {
            told += effects.len();
            portions += 1;
            effects = go_on(&state, news, after, &facts()).effects;
        }
        assert_eq!((told + effects.len(), portions), (3_000, 3));
    }
}
