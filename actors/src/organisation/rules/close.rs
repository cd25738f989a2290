//! An organisation is closed (accounts.md §9.4): everybody is a free account again, and what it managed is free.

use std::collections::BTreeSet;

use rill_proto::classificator::{OrganisationStatus, StaffStatus};
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;

use super::draft::Draft;
use super::{Decision, administered};
use crate::effect::Fate;
use crate::group::Facts;
use crate::organisation::record::News;
use crate::organisation::state::{Member, State};

pub(super) fn close(state: &State, caller: AccountId, facts: &Facts) -> Result<Decision, Refusal> {
    let head = administered(state, caller)?;
    let mut draft = Draft::new(state, caller, head, facts);
    draft.head.status = OrganisationStatus::Closed;
    draft.head.flags = BTreeSet::new();
    draft.step();
    for (id, member) in &state.members {
        match member.status {
            StaffStatus::Active | StaffStatus::Pending | StaffStatus::Suspended => {
                draft.put(*id, Member { status: StaffStatus::Removed, is_admin: false, ..member.clone() });
            }
            StaffStatus::Closed | StaffStatus::Removed | StaffStatus::Declined => {}
        }
    }
    draft.discharge(Fate::Closed);
    Ok(Decision { answer: vec![News::Header], ..draft.finish() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::effect::{Charge, Effect};
    use crate::group::replay::{ALICE, BOB, CAROL};
    use crate::organisation::rules::flags::tests::acme;
    use crate::organisation::{Configure, Order};
    use crate::store::Aggregate;
    use rill_proto::id::TeamId;
    use uuid::Uuid;

    #[test]
    fn everybody_is_free_and_so_is_what_it_managed() {
        let mut replay = acme();
        let wanted = Configure { add_account_ids: vec![BOB], ..Configure::default() };
        replay.order(ALICE, Order::Configure(Box::new(wanted))).unwrap();
        let team_id = TeamId(Uuid::from_u128(7));
        replay.apply(&Effect::Managed {
            what: Charge::Team(team_id),
            is_managed: true,
            entries: Vec::new(),
            version: 1,
        });
        assert_eq!(replay.order(CAROL, Order::Close), Err(Refusal::forbidden()));
        let decision = replay.order(ALICE, Order::Close).unwrap();
        let told: Vec<Aggregate> = decision.effects.iter().map(|(target, _)| *target).collect();
        assert_eq!(told, [Aggregate::Account(ALICE), Aggregate::Account(BOB), Aggregate::Team(team_id)]);
        let header = &replay.told(ALICE, &decision.answer)[0];
        assert_eq!((&header["status"], &header["active_member_count"]), (&json!("bos_closed"), &json!(0)));
        assert_eq!((&header["is_member"], &header["is_admin"]), (&json!(false), &json!(false)));
        assert_eq!(replay.order(ALICE, Order::Close).unwrap_err().status, 431);
    }
}
