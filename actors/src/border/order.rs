//! The messages that owners on other nodes take, each as it is taken here.
//!
//! Rare ones beside what is told to lanes, and rich in form, so they cross as JSON; what a conversation says to the many
//! goes the way of parcels.

use std::sync::Arc;

use rill_proto::id::ConversationId;
use rill_proto::refusal::Refusal;
use serde::{Deserialize, Serialize};

use super::crossing::token;
use super::reply::Caller;
use crate::account::label::StoreLabels;
use crate::account::login::{AskOwnContact, CloseSession, Login, OpenSession};
use crate::account::upload::{AskRoom, KeepUploads};
use crate::account::wish::{Grant, PrepareLetter};
use crate::account::{AskActivity, Introduce, Rested, Sync, turn_away};
use crate::conversation::{OpenDialog, Peek, Show, Token, Visit};
use crate::effect::Apply;
use crate::group;
use crate::node::{Node, Unreachable};
use crate::presence::Lane;
use crate::session::Submit;
use crate::store::{Aggregate, Stamp};
use crate::{organisation, team};

/// The last visits of a sync, to those of a node's conversations that are in memory: one that is not has nothing to say.
#[derive(Debug, Serialize, Deserialize)]
pub struct LastCall {
    /// The session, which hears live from now on.
    pub lane: Lane,
    /// Which of its syncs.
    pub sync: u32,
    /// The conversations, and up to where each has been told.
    pub wanted: Vec<(ConversationId, Stamp)>,
    /// See [`Visit`].
    pub skip_hidden: bool,
    /// Dropped when the records have been put in.
    #[serde(with = "token")]
    pub token: Token,
}

/// A call of `event/store` or `account/poll`, for the session of its caller.
#[derive(Debug, Serialize, Deserialize)]
pub struct HttpCall {
    /// Who calls; he was let in already.
    pub login: Login,
    /// The body of the request.
    pub text: String,
    /// A poll; events otherwise.
    pub is_poll: bool,
    /// Told the body of the answer.
    pub reply: Caller<String>,
}

macro_rules! orders {
    ($($(#[$doc:meta])* $variant:ident($message:ty),)+) => {
        /// A message for an owner.
        #[derive(Debug, Serialize, Deserialize)]
        pub enum Order {
            $($(#[$doc])* $variant($message),)+
        }

        $(impl From<$message> for Order {
            fn from(message: $message) -> Self {
                Self::$variant(message)
            }
        })+
    };
}

orders! {
    /// An event.
    Submit(Submit),
    /// See there.
    OpenDialog(OpenDialog),
    /// See there.
    Visit(Visit),
    /// See there.
    Peek(Peek),
    /// See there.
    Show(Show),
    /// An effect of another owner.
    Apply(Apply),
    /// See there.
    Sync(Sync),
    /// See there.
    Introduce(Introduce),
    /// See there.
    Activity(AskActivity),
    /// See there.
    Rest(Rested),
    /// See there.
    Grant(Grant),
    /// See there.
    Prepare(PrepareLetter),
    /// See there.
    Open(OpenSession),
    /// See there.
    Close(CloseSession),
    /// See there.
    Own(AskOwnContact),
    /// See there.
    Keep(KeepUploads),
    /// See there.
    Room(AskRoom),
    /// See there.
    Label(StoreLabels),
    /// A visit to a team or an organisation.
    Call(group::Visit),
    /// What an HTTP call asks of a team.
    OfTeam(team::Call),
    /// What an HTTP call asks of an organisation.
    OfOrganisation(organisation::Call),
    /// See there.
    Http(HttpCall),
    /// See there. It is for a node, whatever aggregate it names.
    LastCall(LastCall),
}

impl Order {
    /// The event that this is about: whoever has sent it waits for its answer.
    pub(super) fn event(&self) -> Option<&Submit> {
        match self {
            Self::Submit(submit)
            | Self::OpenDialog(OpenDialog { submit, .. })
            | Self::Introduce(Introduce { submit, .. }) => Some(submit),
            Self::Visit(_)
            | Self::Peek(_)
            | Self::Show(_)
            | Self::Apply(_)
            | Self::Sync(_)
            | Self::Activity(_)
            | Self::Rest(_)
            | Self::Grant(_)
            | Self::Prepare(_)
            | Self::Open(_)
            | Self::Close(_)
            | Self::Own(_)
            | Self::Keep(_)
            | Self::Room(_)
            | Self::Label(_)
            | Self::Call(_)
            | Self::OfTeam(_)
            | Self::OfOrganisation(_)
            | Self::Http(_)
            | Self::LastCall(_) => None,
        }
    }

    /// It goes nowhere, since the view is about to change. What is to come of it comes anew under the next one: events that
    /// are pending, syncs, effects. A part of an answer or of a sync that is lost spoils it; a reply that is dropped says that the
    /// order may be tried again.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only parts of answers and syncs can be missing from one"
    )]
    pub(super) fn lose(self) {
        match self {
            Self::Peek(Peek { token, .. })
            | Self::Show(Show { token, .. })
            | Self::Activity(AskActivity { token, .. })
            | Self::Visit(Visit { token, .. })
            | Self::Call(group::Visit { token, .. })
            | Self::LastCall(LastCall { token, .. }) => token.fail(),
            other => drop(other),
        }
    }

    /// Gives it to its owner on this node.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an owner takes a few of them, and none of the others"
    )]
    pub(crate) fn here(self, node: &Arc<Node>, aggregate: Aggregate) {
        let fault = self.event().map(|submit| submit.answer(Err(&Refusal::unavailable())));
        let lanes = self.told();
        let entry = if let Self::Apply(Apply(entry)) = &self { Some(entry.clone()) } else { None };
        let given = match aggregate {
            Aggregate::Conversation(id) => self.give_to_conversation(node, id),
            Aggregate::Account(id) => self.give_to_account(node, id),
            Aggregate::Team(id) => match self {
                Self::Submit(message) => node.team_here(id, message),
                Self::Call(message) => node.team_here(id, message),
                Self::Apply(message) => node.team_here(id, message),
                Self::OfTeam(message) => node.team_here(id, message),
                other => other.misled(),
            },
            Aggregate::Organisation(id) => match self {
                Self::Submit(message) => node.organisation_here(id, message),
                Self::Call(message) => node.organisation_here(id, message),
                Self::Apply(message) => node.organisation_here(id, message),
                Self::OfOrganisation(message) => node.organisation_here(id, message),
                other => other.misled(),
            },
        };
        if given.is_err() {
            fault.into_iter().for_each(|fault| node.inboxes.put(fault));
            lanes.into_iter().for_each(|lane| turn_away(node, lane));
            entry.into_iter().for_each(|entry| node.carry_again(entry));
        }
    }

    /// The sessions that miss something when this is not carried out.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "those that tell sessions something by themselves are few"
    )]
    fn told(&self) -> Vec<Lane> {
        match self {
            Self::Visit(visit) => vec![visit.lane.clone()],
            Self::Sync(sync) => vec![sync.lane.clone()],
            Self::Show(show) => show.lanes.clone(),
            Self::Call(visit) => visit.lanes.clone(),
            Self::LastCall(call) => vec![call.lane.clone()],
            _ => Vec::new(),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "as above")]
    fn give_to_conversation(self, node: &Arc<Node>, id: ConversationId) -> Result<(), Unreachable> {
        match self {
            Self::Submit(message) => node.conversation_here(id, message),
            Self::OpenDialog(message) => node.conversation_here(id, message),
            Self::Visit(message) => node.conversation_here(id, message),
            Self::Peek(message) => node.conversation_here(id, message),
            Self::Show(message) => node.conversation_here(id, message),
            Self::Apply(Apply(entry)) => {
                node.carry_here(entry);
                Ok(())
            }
            Self::LastCall(call) => {
                node.last_call(call);
                Ok(())
            }
            other => other.misled(),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "as above")]
    fn give_to_account(self, node: &Arc<Node>, id: rill_proto::id::AccountId) -> Result<(), Unreachable> {
        match self {
            Self::Submit(message) => node.account_here(id, message),
            Self::Apply(message) => node.account_here(id, message),
            Self::Sync(message) => node.account_here(id, message),
            Self::Introduce(message) => node.account_here(id, message),
            Self::Activity(message) => node.account_here(id, message),
            Self::Rest(message) => node.account_here(id, message),
            Self::Grant(message) => node.account_here(id, message),
            Self::Prepare(message) => node.account_here(id, message),
            Self::Open(message) => node.account_here(id, message),
            Self::Close(message) => node.account_here(id, message),
            Self::Own(message) => node.account_here(id, message),
            Self::Keep(message) => node.account_here(id, message),
            Self::Room(message) => node.account_here(id, message),
            Self::Label(message) => node.account_here(id, message),
            Self::Http(call) => {
                if let Some(border) = node.border() {
                    border.call(call);
                }
                Ok(())
            }
            other => other.misled(),
        }
    }

    /// No version of this server sends such a thing to such an owner.
    fn misled(self) -> Result<(), Unreachable> {
        tracing::error!(order = ?self, "an order came to an owner that does not take it");
        Ok(())
    }
}

/// An order within a letter: a text of its own.
pub(super) mod text {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Order;

    pub(in crate::border) fn serialize<S: Serializer>(order: &Order, to: S) -> Result<S::Ok, S::Error> {
        serde_json::to_string(order).map_err(S::Error::custom)?.serialize(to)
    }

    pub(in crate::border) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Order, D::Error> {
        let text = <&str>::deserialize(from)?;
        serde_json::from_str(text).map_err(D::Error::custom)
    }
}
