//! Everything that a client can ask for: one variant per noun, and the table macro that declares the events.
//!
//! An event's URN, types, limits, defaults, documentation, decoder and owner all come from its one block in
//! `event/<noun>.rs`. Not here: what a value may be ([`crate::field`]), and the rules (they are with the owner of the state).

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;

use crate::field::{Param, ParamSpec, explain};
use crate::id::{AccountId, ConversationId, OrganisationId, TeamId};
use crate::manual::Manual;
use crate::refusal::Refusal;

/// What every event's URN begins with.
const PREFIX: &str = "urn:fleep:client:";

/// Whose turn an event takes: the one owner of state that decides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// The caller's own account.
    Caller,
    /// An existing conversation, or one that the caller believes to exist.
    Conversation(ConversationId),
    /// A conversation that is not there yet.
    NewConversation,
    /// The one-to-one conversation of the caller and this account.
    Dialog(AccountId),
    /// A team.
    Team(TeamId),
    /// An organisation.
    Organisation(OrganisationId),
}

/// One event as it was declared.
#[derive(Debug)]
pub struct EventSpec {
    /// The full wire name.
    pub urn: &'static str,
    /// Our type's name within its noun.
    pub name: &'static str,
    /// What the event does, in one sentence.
    pub doc: &'static str,
    /// The params in their order.
    pub params: &'static [ParamSpec],
    /// What else there is to say of it.
    pub manual: Manual,
}

/// Declares a struct of params: typed public fields, each mandatory unless its type or a `= "wire text"` gives a default.
macro_rules! params {
    ($(#[doc = $doc:literal])+ $name:ident {
        $($(#[doc = $param_doc:literal])* $param:ident: $type:ty $(= $default:literal)?,)*
    }) => {
        $(#[doc = $doc])+
        #[allow(missing_docs, reason = "the params that need words have them in the table")]
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        pub struct $name {
            $($(#[doc = $param_doc])* pub $param: $type,)*
        }

        impl $crate::field::Param for $name {
            const KIND: $crate::field::Kind = $crate::field::Kind::Object;
            const PARAMS: &'static [$crate::field::ParamSpec] = &[$($crate::field::ParamSpec::of::<$type>(
                stringify!($param),
                concat!($($param_doc),*),
                &[$($default)?],
            )),*];
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                struct Given {
                    $($param: Option<$type>,)*
                }
                #[allow(unused_variables, reason = "an event may have no params")]
                let given: Given = $crate::field::object(deserializer)?;
                Ok(Self { $($param: $crate::field::settle(given.$param, stringify!($param), &[$($default)?])?,)* })
            }
        }
    };
}

/// Names the owner of an event: the noun's, unless the event names its own; a key is the param that holds the owner's id.
macro_rules! owner {
    ($event:ident, $noun:tt, $own:tt) => {
        owner!($event, $own)
    };
    ($event:ident, [$owner:ident]) => {{
        let _ = $event;
        $crate::event::Owner::$owner
    }};
    ($event:ident, [$owner:ident $key:ident]) => {
        $crate::event::Owner::$owner($event.$key)
    };
}

/// Declares the events on one noun.
macro_rules! events {
    ($noun:literal, owner $owner:tt; $(
        $(#[doc = $doc:literal])+
        $verb:literal $name:ident $([$($own:tt)+])? { $($params:tt)* } => {
            by: $by:ident $(, $said:ident: $words:literal)* $(,)?
        }
    )+) => {
        $(params! { $(#[doc = $doc])+ $name { $($params)* } })+

        /// Every event on this noun.
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $($(#[doc = $doc])+ $name($name),)+
        }

        impl Event {
            #[allow(clippy::needless_update, reason = "few events need all the words that there are")]
            pub(super) const SPECS: &'static [$crate::event::EventSpec] = &[$($crate::event::EventSpec {
                urn: concat!("urn:fleep:client:", $noun, ":", $verb),
                name: stringify!($name),
                doc: concat!($($doc),+).trim_ascii(),
                params: <$name as $crate::field::Param>::PARAMS,
                manual: $crate::manual::Manual {
                    by: $crate::manual::By::$by,
                    $($said: $words,)*
                    ..$crate::manual::Manual::NOTHING
                },
            }),+];

            pub(super) fn decode(verb: &str, params: &str) -> Option<Result<Self, $crate::refusal::Refusal>> {
                match verb {
                    $($verb => Some($crate::event::read(params).map(Self::$name)),)+
                    _ => None,
                }
            }

            /// The event's full wire name.
            pub fn urn(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => concat!("urn:fleep:client:", $noun, ":", $verb),)+
                }
            }

            /// Whose turn the event takes.
            pub fn owner(&self) -> $crate::event::Owner {
                match self {
                    $(Self::$name(event) => owner!(event, $owner $(, [$($own)+])?),)+
                }
            }
        }
    };
}

/// Declares the nouns: the module, the variant, and the word in the URN.
macro_rules! nouns {
    ($($(#[$doc:meta])+ $module:ident $variant:ident,)+) => {
        $($(#[$doc])+ pub mod $module;)+

        /// A client event, decoded and within its limits.
        #[derive(Clone, Debug, PartialEq)]
        pub enum ClientEvent {
            $($(#[$doc])+ $variant($module::Event),)+
        }

        impl ClientEvent {
            /// Decodes the `params` of an event of this URN. A refusal names the param, what is wrong and what is allowed.
            pub fn decode(urn: &str, params: &RawValue) -> Result<Self, Refusal> {
                Self::decode_text(urn, params.get())
            }

            pub(crate) fn decode_text(urn: &str, params: &str) -> Result<Self, Refusal> {
                let name = urn.strip_prefix(PREFIX).and_then(|name| name.split_once(':'));
                let decoded = match name {
                    $(Some((stringify!($module), verb)) => {
                        $module::Event::decode(verb, params).map(|event| event.map(Self::$variant))
                    })+
                    Some(_) | None => None,
                };
                decoded.unwrap_or_else(|| Err(Refusal::unknown_event(urn)))
            }

            /// The event's full wire name, `mk_event_type`.
            pub fn urn(&self) -> &'static str {
                match self {
                    $(Self::$variant(event) => event.urn(),)+
                }
            }

            /// Whose turn the event takes.
            pub fn owner(&self) -> Owner {
                match self {
                    $(Self::$variant(event) => event.owner(),)+
                }
            }
        }

        /// Writes `{"mk_event_type": …, "params": {…}}`, what [`ClientEvent::decode`] reads.
        impl Serialize for ClientEvent {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("mk_event_type", self.urn())?;
                match self {
                    $(Self::$variant(event) => map.serialize_entry("params", event)?,)+
                }
                map.end()
            }
        }

        /// Every declared event, noun by noun in the order of their names.
        pub fn catalogue() -> impl Iterator<Item = &'static EventSpec> {
            [$($module::Event::SPECS),+].into_iter().flatten()
        }
    };
}

nouns! {
    /// The caller's own account.
    account Account,
    /// The caller's contacts.
    contact Contact,
    /// A conversation as a whole.
    conv Conv,
    /// The caller's labels.
    label Label,
    /// The messages, pins and tasks of a conversation.
    message Message,
    /// The caller's private tasks and canned responses.
    my_message MyMessage,
    /// The sections of the caller's own task board.
    my_section MySection,
    /// An organisation.
    organisation Organisation,
    /// The sections of a conversation's task board.
    section Section,
    /// The places of tasks on the caller's own board.
    task Task,
    /// A team.
    team Team,
}

/// Reads one event's params straight into its struct; only when that fails are they looked at again, to name what is wrong.
fn read<T: DeserializeOwned + Param>(params: &str) -> Result<T, Refusal> {
    serde_json::from_str(params).map_err(|error| explain(params, T::PARAMS, &error))
}
