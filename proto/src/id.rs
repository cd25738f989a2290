//! The ids of the protocol as distinct types, so that one cannot stand where another is meant.
//!
//! Not here: how an id comes to be (its owner draws or derives it).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl crate::field::Param for $name {
            const KIND: crate::field::Kind = crate::field::Kind::Uuid;
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )+};
}

ids! {
    /// A person, registered or known by an e-mail address only.
    AccountId,
    /// A chat.
    ConversationId,
    /// A section of a task board.
    SectionId,
    /// A named set of accounts.
    TeamId,
    /// A business that manages conversations and teams.
    OrganisationId,
    /// A label of an account.
    LabelId,
    /// A message's global id; its place in a conversation is its `message_nr`.
    MessageId,
    /// `client_req_id`: what makes a retry safe.
    RequestId,
}
