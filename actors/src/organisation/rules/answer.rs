//! An invitation is answered (accounts.md §9.3). The account has decided; the organisation writes it down, or says that it has
//! withdrawn the invitation meanwhile. Asked twice, by the account's effect and by the call, and the first one does it.

use rill_proto::classificator::{OrganisationStatus, StaffStatus};
use rill_proto::id::AccountId;
use serde_json::json;
use uuid::Uuid;

use super::Decision;
use super::draft::Draft;
use crate::effect::Fate;
use crate::group::Facts;
use crate::organisation::changelog::Entry;
use crate::organisation::state::{Member, State};

/// Who answers which invitation; that he joins, and that he does so by a letter to an address that nobody had registered.
pub(super) fn answered(
    state: &State,
    (account_id, reminder_id): (AccountId, Uuid),
    (joins, is_by_letter): (bool, bool),
    facts: &Facts,
) -> Decision {
    let Some(head) = &state.head else { return Decision::default() };
    let mut draft = Draft::new(state, account_id, head, facts);
    let row = state.members.get(&account_id).filter(|row| row.reminder_id == Some(reminder_id));
    let Some(row) = row else {
        if joins && !state.is_active(account_id) {
            return withdrawn(draft, account_id);
        }
        return Decision::default();
    };
    let is_open = head.status != OrganisationStatus::Closed;
    match row.status {
        StaffStatus::Pending if is_open => {}
        StaffStatus::Active | StaffStatus::Suspended => return Decision::default(),
        StaffStatus::Pending | StaffStatus::Closed | StaffStatus::Removed | StaffStatus::Declined => {
            return if joins { withdrawn(draft, account_id) } else { Decision::default() };
        }
    }
    let (status, event_type) = if joins {
        (StaffStatus::Active, "activate_member")
    } else {
        (StaffStatus::Declined, "member_declines")
    };
    let mut data = json!({ "member_account_id": account_id });
    if is_by_letter {
        data["email_account_id"] = json!(account_id);
    }
    draft.enter(Entry::without_actor(account_id, event_type, data, facts.now));
    draft.put(account_id, Member { status, is_admin: row.is_admin && joins, ..row.clone() });
    draft.discharge(Fate::Settled(account_id));
    draft.finish()
}

/// He is told what he is to it; nothing changes for others.
fn withdrawn(mut draft: Draft<'_>, account_id: AccountId) -> Decision {
    let none = Member {
        status: StaffStatus::Removed,
        is_admin: false,
        inviter_id: None,
        reminder_id: None,
        invited: Vec::new(),
        stamp: 0,
    };
    let member = draft.member(account_id).cloned().unwrap_or(none);
    draft.put(account_id, member);
    draft.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Effect;
    use crate::group::replay::{ALICE, BOB, Replay};
    use crate::organisation::rules::flags::tests::acme;
    use crate::organisation::state::Change;
    use crate::organisation::{Configure, Order};

    fn invited() -> (Replay<State>, Uuid) {
        let mut replay = acme();
        let wanted = Configure { add_account_ids: vec![BOB], ..Configure::default() };
        replay.order(ALICE, Order::Configure(Box::new(wanted))).unwrap();
        let reminder_id = replay.state.members[&BOB].reminder_id.unwrap();
        (replay, reminder_id)
    }

    fn answers(reminder_id: Uuid, joins: bool) -> Effect {
        Effect::Answered { account_id: BOB, reminder_id, joins, is_by_letter: false }
    }

    fn logged(decision: &Decision) -> Vec<&str> {
        let entries = decision.changes.iter().filter_map(|change| {
            let Change::Entry(_, entry) = change else { return None };
            Some(entry.event_type.as_str())
        });
        entries.collect()
    }

    #[test]
    fn who_joins_is_in_it_once() {
        let (mut replay, reminder_id) = invited();
        assert_eq!(logged(&replay.apply(&answers(reminder_id, true))), ["activate_member"]);
        assert!(replay.state.is_active(BOB) && !replay.state.is_admin(BOB));
        assert!(!replay.apply(&answers(reminder_id, true)).is_durable());
        assert!(!replay.order(BOB, Order::Admit { reminder_id }).unwrap().is_durable());
    }

    #[test]
    fn who_declines_is_not() {
        let (mut replay, reminder_id) = invited();
        assert_eq!(logged(&replay.apply(&answers(reminder_id, false))), ["member_declines"]);
        assert_eq!(replay.state.members[&BOB].status, StaffStatus::Declined);
        assert!(!replay.apply(&answers(reminder_id, false)).is_durable());
    }

    #[test]
    fn who_joins_what_was_withdrawn_is_told_that_he_is_out() {
        let (mut replay, reminder_id) = invited();
        let wanted = Configure { remove_account_ids: vec![BOB], ..Configure::default() };
        replay.order(ALICE, Order::Configure(Box::new(wanted))).unwrap();
        let decision = replay.apply(&answers(reminder_id, true));
        let [(_, Effect::Employed(said))] = &decision.effects[..] else { panic!("{:?}", decision.effects) };
        assert_eq!(said.status, StaffStatus::Removed);
        assert!(logged(&decision).is_empty());
    }
}
