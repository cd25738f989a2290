//! What an organisation writes down of the conversations that it manages (accounts.md §9.5), and by which it knows them.
//!
//! Not here: what is done with them (`managed`, `create`).

use rill_proto::id::{AccountId, ConversationId, OrganisationId};
use rill_proto::record::conv::default_topic;
use serde_json::{Value, json};

use crate::conversation::rules::draft::Draft;
use crate::conversation::rules::{Decision, Facts};
use crate::conversation::state::{Member, State};
use crate::effect::{Charge, Effect};
use crate::organisation::changelog::Entry;
use crate::store::Aggregate;

/// Something that was done with a managed conversation.
pub(super) struct Deed<'a> {
    /// To whose changelog it belongs.
    pub(super) organisation_id: OrganisationId,
    /// Whether it is that organisation's from now on.
    pub(super) is_managed: bool,
    /// The name of it.
    pub(super) event_type: &'static str,
    /// What there is to say beside the conversation: a name and the accounts.
    pub(super) about: Option<(&'static str, &'a [AccountId])>,
}

impl Deed<'_> {
    /// The effect that tells of it.
    fn told(&self, id: ConversationId, topic: String, by: AccountId, facts: &Facts) -> (Aggregate, Effect) {
        let mut data = json!({ "conversation_id": id, "topic": topic });
        if let Some((key, ids)) = self.about {
            data[key] = ids.iter().map(|id| Value::from(id.0.to_string())).collect();
        }
        let effect = Effect::Managed {
            what: Charge::Conversation(id),
            is_managed: self.is_managed,
            entries: vec![Entry::of(by, self.event_type, data, facts.now)],
            version: facts.stamp,
        };
        (Aggregate::Organisation(self.organisation_id), effect)
    }
}

/// Tells of a deed that a draft does.
pub(super) fn tell(draft: &mut Draft<'_>, deed: &Deed<'_>) {
    let topic = name(&draft.head.topic, draft.everybody().map(|(_, member)| member));
    let told = deed.told(draft.state.conversation_id, topic, draft.caller, draft.facts);
    draft.effects.push(told);
}

/// Tells of a deed that is decided, if it does anything.
pub(super) fn append(decision: &mut Decision, state: &State, by: AccountId, facts: &Facts, deed: &Deed<'_>) {
    if decision.changes.is_empty() {
        return;
    }
    let topic = state.head.as_ref().map(|head| head.topic.as_str()).unwrap_or_default();
    let topic = name(topic, state.members.values());
    decision.effects.push(deed.told(state.conversation_id, topic, by, facts));
}

/// Its topic; where it has none, who is in it.
pub(super) fn name<'a>(topic: &str, members: impl Iterator<Item = &'a Member>) -> String {
    if !topic.is_empty() {
        return topic.to_owned();
    }
    let mut present: Vec<&Member> = members.filter(|member| member.is_present()).collect();
    present.sort_unstable_by_key(|member| member.place);
    let names: Vec<&str> = present.iter().map(|member| member.profile.display_name.as_str()).collect();
    default_topic(&names)
}

#[cfg(test)]
mod tests {
    use rill_proto::event::{ClientEvent, conv};
    use rill_proto::id::{AccountId, OrganisationId};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use crate::conversation::rules::Decision;
    use crate::conversation::rules::replay::*;
    use crate::effect::Effect;
    use crate::store::Aggregate;

    const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(0x0F));

    /// What the organisation is told: whether it manages the conversation, and the entry.
    fn written(decision: &Decision) -> Vec<(bool, String, Value)> {
        let told = decision.effects.iter().filter_map(|(target, effect)| {
            let Effect::Managed { is_managed, entries, .. } = effect else { return None };
            assert_eq!(*target, Aggregate::Organisation(ORGANISATION));
            let [entry] = &entries[..] else { panic!("{entries:?}") };
            assert_eq!(entry.event_data["account_id"], json!(entry.account_id));
            assert_eq!(entry.event_data["conversation_id"], json!(CONVERSATION));
            let data = Value::Object(entry.event_data.clone());
            Some((*is_managed, entry.event_type.clone(), data))
        });
        told.collect()
    }

    fn employed() -> Replay {
        let mut replay = Replay::nothing();
        let profile = replay.profiles.get_mut(&ALICE).unwrap();
        profile.organisation_id = Some(ORGANISATION);
        profile.organisation_name = Some("Acme".to_owned());
        replay
    }

    fn begun(topic: &str, others: &[AccountId]) -> (Replay, Decision) {
        let mut replay = employed();
        let founding = conv::Create { is_managed: true, ..founding(topic, others) };
        let decision = replay.ask(ALICE, ClientEvent::Conv(conv::Event::Create(founding))).unwrap();
        (replay, decision)
    }

    fn one(replay: &mut Replay, verb: &str, params: Value) -> (bool, String, Value) {
        let decision = replay.ask(ALICE, event(&format!("conv:{verb}"), params)).unwrap();
        written(&decision).pop().unwrap_or_else(|| panic!("{verb} is not written down"))
    }

    #[test]
    fn what_admins_do_is_written_down() {
        let (mut replay, decision) = begun("", &[BOB, CHARLIE]);
        let (is_managed, event_type, data) = written(&decision).pop().unwrap();
        assert_eq!((is_managed, event_type.as_str()), (true, "chat.create_conversation"));
        assert_eq!(data["member_ids"], json!([ALICE, BOB, CHARLIE]));
        assert_eq!(data["topic"], "Alice, Bob and Charlie", "what it is called where it has no topic");
        let added = one(&mut replay, "add_admins", json!({ "account_ids": [BOB] }));
        assert_eq!((added.1.as_str(), &added.2["admin_ids"]), ("chat.add_admins", &json!([BOB])));
        let removed = one(&mut replay, "remove_admins", json!({ "account_ids": [BOB] }));
        assert_eq!((removed.0, removed.1.as_str()), (true, "chat.remove_admins"));
        replay.ask(ALICE, set_topic("Plans")).unwrap();
        let released = one(&mut replay, "set_unmanaged", json!({}));
        assert_eq!((released.0, released.1.as_str()), (false, "chat.set_unmanaged"));
        let managed = one(&mut replay, "set_managed", json!({}));
        assert_eq!((managed.0, managed.1.as_str()), (true, "chat.set_managed"));
        assert_eq!(managed.2["topic"], "Plans");
    }

    #[test]
    fn one_that_is_deleted_is_the_organisations_no_more() {
        let (mut replay, _) = begun("Plans", &[BOB]);
        let deleted = one(&mut replay, "conv_deleted_by_admin", json!({}));
        assert_eq!((deleted.0, deleted.1.as_str()), (false, "chat.delete_conversation_by_admin"));
    }

    #[test]
    fn what_changes_nothing_and_what_members_do_is_not_written_down() {
        let (mut replay, _) = begun("Plans", &[BOB]);
        let quiet = [
            event("conv:set_managed", json!({})),
            event("conv:add_admins", json!({ "account_ids": [ALICE] })),
            event("conv:remove_admins", json!({ "account_ids": [BOB] })),
            add(&[CHARLIE]),
            set_topic("Harvest"),
        ];
        for event in quiet {
            let urn = event.urn();
            assert_eq!(written(&replay.ask(ALICE, event).unwrap()), [], "{urn}");
        }
        let mut free = employed();
        assert_eq!(written(&free.ask(ALICE, create("Ours", &[BOB])).unwrap()), []);
    }
}
