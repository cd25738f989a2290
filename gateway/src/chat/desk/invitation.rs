//! Turning e-mail addresses into accounts, and then into a conversation or its members.
//!
//! Owns the chain contact:lookup_by_email (one for each address) → conv:create or conv:add_members. One refused address
//! ends the chain: a conversation with half of the people is not what was asked for.

use rill_proto::id::{AccountId, ConversationId, RequestId};
use serde_json::{Value, json};

use super::Desk;
use crate::chat::record::{account, text};

/// What to do with the people once they are known.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// Begin a conversation with this topic.
    Create(String),
    /// Add them to this one.
    Add(ConversationId),
}

/// Lookups under way.
#[derive(Debug)]
pub(super) struct Invitation {
    goal: Goal,
    waiting: Vec<(RequestId, String)>,
    found: Vec<AccountId>,
}

impl Invitation {
    pub(super) fn waits_for(&self, id: RequestId) -> bool {
        self.waiting.iter().any(|(waiting, _)| *waiting == id)
    }
}

impl Desk {
    /// Looks the people up; addresses are apart by commas, semicolons or blanks.
    pub(super) fn invite(&mut self, people: &str, goal: Goal) {
        let mut addresses: Vec<&str> =
            people.split([',', ';', ' ', '\n', '\t']).filter(|address| !address.is_empty()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() && matches!(goal, Goal::Add(_)) {
            return;
        }
        let waiting = addresses.into_iter().map(|address| {
            let id = self.ask("contact:lookup_by_email", json!({ "email": address }));
            (id, address.to_owned())
        });
        let invitation = Invitation { goal, waiting: waiting.collect(), found: Vec::new() };
        if invitation.waiting.is_empty() {
            self.invite_found(invitation);
        } else {
            self.invitations.push(invitation);
        }
    }

    /// A request was done; perhaps it was a lookup.
    pub(super) fn invited(&mut self, id: RequestId, request: &Value, stream: &[Value]) {
        let Some(place) = self.invitations.iter().position(|invitation| invitation.waits_for(id)) else {
            return;
        };
        let invitation = &mut self.invitations[place];
        let Some(at) = invitation.waiting.iter().position(|(waiting, _)| *waiting == id) else {
            return;
        };
        let (_, address) = invitation.waiting.remove(at);
        let identified = request.get("identifier").and_then(|identifier| account(identifier, "account_id"));
        let Some(found) = identified.or_else(|| contact_of(&address, stream)) else {
            self.invitations.remove(place);
            self.notice = format!("Nobody was found for {address}.");
            return;
        };
        if !invitation.found.contains(&found) {
            invitation.found.push(found);
        }
        if invitation.waiting.is_empty() {
            let invitation = self.invitations.remove(place);
            self.invite_found(invitation);
        }
    }

    fn invite_found(&mut self, invitation: Invitation) {
        let ids = invitation.found;
        match invitation.goal {
            Goal::Create(topic) => {
                self.creating = Some(self.ask("conv:create", json!({ "topic": topic, "account_ids": ids })));
            }
            Goal::Add(conversation) => {
                self.ask("conv:add_members", json!({ "conversation_id": conversation, "account_ids": ids }));
            }
        }
    }
}

fn contact_of(address: &str, stream: &[Value]) -> Option<AccountId> {
    let contact = stream.iter().find(|record| {
        text(record, "mk_rec_type") == Some("contact")
            && text(record, "email").is_some_and(|email| email.eq_ignore_ascii_case(address))
    })?;
    account(contact, "account_id")
}
