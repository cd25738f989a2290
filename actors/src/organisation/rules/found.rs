//! An organisation comes to be (accounts.md §9.1). Its founder's account has decided that it is in it: the rule is asked
//! twice, by the effect of that and by the call, and the first one makes it.

use rill_proto::classificator::{OrganisationStatus, StaffStatus};
use rill_proto::id::AccountId;
use rill_proto::refusal::Refusal;
use serde_json::json;

use super::{Decision, whole};
use crate::group::Facts;
use crate::organisation::changelog::Entry;
use crate::organisation::record::News;
use crate::organisation::state::{Change, Head, Member, State};

/// The first version of a header.
const FIRST_VERSION: u64 = 1;

pub(super) fn found(
    state: &State,
    by: AccountId,
    organisation_name: &str,
    facts: &Facts,
) -> Result<Decision, Refusal> {
    match &state.head {
        Some(head) if head.founder_id == by => {
            return Ok(Decision { answer: whole(state, by), ..Decision::default() });
        }
        Some(_) => return Err(Refusal::not_found("Organisation")),
        None => {}
    }
    let head = Head {
        name: organisation_name.to_owned(),
        founder_id: by,
        status: OrganisationStatus::New,
        flags: std::collections::BTreeSet::new(),
        version_nr: FIRST_VERSION,
        stamp: facts.stamp,
    };
    let founder = Member {
        status: StaffStatus::Active,
        is_admin: true,
        inviter_id: None,
        reminder_id: None,
        invited: Vec::new(),
        stamp: facts.stamp,
    };
    let entry = Entry::of(by, "create_org", json!({ "organisation_name": organisation_name }), facts.now);
    let news = vec![News::Header, News::Member(by)];
    Ok(Decision {
        changes: vec![Change::Head(head), Change::Member(by, founder), Change::Entry(FIRST_VERSION, entry)],
        identifier: json!({ "organisation_id": state.id }),
        answer: news.clone(),
        news,
        ..Decision::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::replay::{ALICE, BOB, Replay};
    use crate::organisation::Order;
    use crate::organisation::rules::flags::tests::ORGANISATION;

    fn name() -> Order {
        Order::Found { organisation_name: "Acme".to_owned() }
    }

    #[test]
    fn the_founder_is_its_first_member_and_admin_and_that_is_written_down() {
        let mut replay = Replay::<State>::new(ORGANISATION);
        let decision = replay.order(ALICE, name()).unwrap();
        assert_eq!(decision.answer, [News::Header, News::Member(ALICE)]);
        assert!(replay.state.is_admin(ALICE));
        let head = replay.state.head.as_ref().unwrap();
        assert_eq!((head.version_nr, head.status), (1, OrganisationStatus::New));
        let Change::Entry(1, entry) = &decision.changes[2] else { panic!("{:?}", decision.changes) };
        assert_eq!((entry.event_type.as_str(), entry.account_id), ("create_org", ALICE));
        assert_eq!(entry.event_data["organisation_name"], "Acme");
    }

    #[test]
    fn what_is_there_is_not_made_again_and_is_nobody_elses() {
        let mut replay = Replay::<State>::new(ORGANISATION);
        replay.order(ALICE, name()).unwrap();
        assert!(!replay.order(ALICE, name()).unwrap().is_durable());
        assert_eq!(replay.order(BOB, name()), Err(Refusal::not_found("Organisation")));
    }
}
