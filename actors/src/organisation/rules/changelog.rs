//! The changelog (accounts.md §9.5): what its admins read of it, and what teams and conversations have written into it.

use rill_proto::id::AccountId;

use super::draft::Draft;
use super::{Decision, administered};
use crate::conversation::rows::decode;
use crate::effect::Charge as What;
use crate::group::{Facts, Judged, Need, Stop};
use crate::organisation::changelog::Entry;
use crate::organisation::record::News;
use crate::organisation::state::{Change, Charge, State};
use crate::store::{RowKey, Stamp};

/// How many versions a page goes back: a screen of a list, several times over.
const PAGE: u64 = 100;

/// The entries of the newest versions, or of those before one, the newest first.
///
/// # Errors
/// As for every admin's call. What must be read first.
pub(super) fn page(state: &State, caller: AccountId, before: Option<u64>, facts: &Facts) -> Judged<Decision> {
    let head = administered(state, caller)?;
    let last = before.map_or(head.version_nr, |before| before.saturating_sub(1)).min(head.version_nr);
    let versions = last.saturating_sub(PAGE) + 1..=last;
    let missing: Vec<RowKey> =
        versions.clone().map(RowKey::Slot).filter(|key| !facts.rows.contains_key(key)).collect();
    if !missing.is_empty() {
        return Err(Stop::Needs(Need::Rows(missing)));
    }
    let entry = |version_nr: u64| {
        let row = facts.rows.get(&RowKey::Slot(version_nr))?.as_ref()?;
        // What was written can be read: rows are checked when they are made.
        let entry: Entry = decode(row).ok()?;
        Some(News::Entry(version_nr, Box::new(entry)))
    };
    Ok(Decision { answer: versions.rev().filter_map(entry).collect(), ..Decision::default() })
}

/// Something that it manages, or does no longer, has changed.
pub(super) fn managed(
    state: &State,
    what: What,
    is_managed: bool,
    entries: &[Entry],
    version: Stamp,
    facts: &Facts,
) -> Decision {
    let Some(head) = &state.head else { return Decision::default() };
    let known = match what {
        What::Team(id) => state.teams.get(&id),
        What::Conversation(id) => state.conversations.get(&id),
    };
    if known.is_some_and(|known| known.version >= version) {
        return Decision::default();
    }
    let actor = entries.first().map_or(head.founder_id, |entry| entry.account_id);
    let mut draft = Draft::new(state, actor, head, facts);
    entries.iter().for_each(|entry| draft.enter(entry.clone()));
    let charge = Charge { is_managed, version };
    draft.change(match what {
        What::Team(id) => Change::Team(id, charge),
        What::Conversation(id) => Change::Conversation(id, charge),
    });
    draft.finish()
}

#[cfg(test)]
mod tests {
    use rill_proto::id::TeamId;
    use rill_proto::refusal::Refusal;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::effect::Effect;
    use crate::group::replay::{ALICE, BOB, Replay};
    use crate::organisation::rules::flags::tests::acme;
    use crate::organisation::{Configure, Order};

    fn types(replay: &mut Replay<State>, version_nr: Option<u64>) -> Vec<(u64, String)> {
        let decision = replay.order(ALICE, Order::Changelog { version_nr }).unwrap();
        let entries = decision.answer.iter().map(|news| {
            let News::Entry(version_nr, entry) = news else { panic!("{news:?}") };
            (*version_nr, entry.event_type.clone())
        });
        entries.collect()
    }

    #[test]
    fn the_newest_come_first_and_only_admins_read_them() {
        let mut replay = acme();
        let wanted = Configure {
            add_account_ids: vec![BOB],
            reinvite_account_ids: vec![BOB],
            add_admin_ids: vec![BOB],
            ..Configure::default()
        };
        replay.order(ALICE, Order::Configure(Box::new(wanted))).unwrap();
        let entry = |version_nr, event_type: &str| (version_nr, event_type.to_owned());
        // The second invitation has a version and no entry.
        let all = [entry(4, "configure_org"), entry(2, "configure_org"), entry(1, "create_org")];
        assert_eq!(types(&mut replay, None), all);
        assert_eq!(types(&mut replay, Some(4)), all[1..]);
        assert_eq!(types(&mut replay, Some(0)), []);
        let refused = replay.order(BOB, Order::Changelog { version_nr: None });
        assert_eq!(refused, Err(Refusal::forbidden()));
    }

    #[test]
    fn what_is_managed_is_written_down_once() {
        let mut replay = acme();
        let what = What::Team(TeamId(Uuid::from_u128(7)));
        let entry = Entry::of(ALICE, "team.create", json!({ "team_name": "Core" }), 1_000);
        let told =
            Effect::Managed { what, is_managed: true, entries: vec![entry.clone(), entry], version: 5 };
        replay.apply(&told);
        assert_eq!(replay.state.head.as_ref().unwrap().version_nr, 3);
        assert!(!replay.apply(&told).is_durable());
        assert_eq!(types(&mut replay, None).len(), 3);
    }
}
