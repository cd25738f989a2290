//! The frames and bodies that carry events to the server, read and written.
//!
//! A bad event spoils neither its neighbours nor the frame: it is a [`Submission`] that holds its refusal. Only text that is
//! none of the forms is a [`BadFrame`]. Not here: what the server sends, and what becomes of an event.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::event::ClientEvent;
use crate::field::{echo, object};
use crate::id::RequestId;
use crate::limits::EVENTS_PER_FRAME_MAX;
use crate::refusal::Refusal;

/// Why a frame or body is none of the forms; closes a socket with 4400 and answers a request with 400. Fits a close reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BadFrame {
    /// The text is not JSON.
    #[error("not JSON: line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// The text is JSON of another form.
    #[error("none of the forms that are known here")]
    UnknownForm,
    /// There are more events than [`EVENTS_PER_FRAME_MAX`]. The whole frame is bad, since an answer to each would multiply its size.
    #[error("more than {EVENTS_PER_FRAME_MAX} events in one frame")]
    TooManyEvents,
}

impl From<serde_json::Error> for BadFrame {
    fn from(error: serde_json::Error) -> Self {
        if error.is_data() {
            return Self::UnknownForm;
        }
        Self::NotJson { line: error.line(), column: error.column() }
    }
}

/// A frame from a client (websocket.md, "Frames from the client").
#[derive(Clone, PartialEq, Debug)]
pub enum ClientFrame {
    /// The first frame of a connection.
    Hello(Hello),
    /// To be answered with the same number.
    Ping(serde_json::Number),
    /// Events in the order in which they are to be carried out.
    Events(Vec<Submission>),
}

impl ClientFrame {
    /// Reads a frame. `stream` makes it events, `ping` a ping, `ticket` a hello; a ticket beside a stream is passed over, as other
    /// unknown members are, since that is the form of the HTTP body.
    pub fn parse(text: &str) -> Result<Self, BadFrame> {
        let frame = Frame::read(text)?;
        match (frame.stream, frame.ping, frame.ticket) {
            (Some(submissions), None, _) => Ok(Self::Events(submissions)),
            (None, Some(number), None) => Ok(Self::Ping(serde_json::from_str(number.get())?)),
            (None, None, Some(_)) => Ok(Self::Hello(whole(text)?)),
            (Some(_) | None, Some(_), _) | (None, None, None) => Err(BadFrame::UnknownForm),
        }
    }
}

/// The first frame of a connection: who speaks, and what he has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The ticket that login returned with the token.
    pub ticket: String,
    /// The version of the protocol that the client speaks.
    #[serde(default)]
    pub api_version: Option<i64>,
    /// The last horizon that the client has applied; 0 asks for the initial sync.
    #[serde(default, deserialize_with = "null_is_default")]
    pub event_horizon: i64,
    /// What to leave out or add, as in [`Poll`].
    #[serde(default, deserialize_with = "null_is_default")]
    pub poll_flags: Vec<String>,
}

/// The body of `account/poll`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Poll {
    /// The ticket that login returned with the token; empty if there is none, which no token has.
    #[serde(default, deserialize_with = "null_is_default")]
    pub ticket: String,
    /// The version of the protocol that the client speaks.
    #[serde(default)]
    pub api_version: Option<i64>,
    /// The last horizon that the client has applied; 0 asks for the initial sync.
    #[serde(default, deserialize_with = "null_is_default")]
    pub event_horizon: i64,
    /// Whether to wait for news if there are none.
    #[serde(default = "yes", deserialize_with = "null_is_yes")]
    pub wait: bool,
    /// What to leave out or add.
    #[serde(default, deserialize_with = "null_is_default")]
    pub poll_flags: Vec<String>,
}

impl Poll {
    /// Reads the body.
    pub fn parse(text: &str) -> Result<Self, BadFrame> {
        whole(text)
    }
}

/// The body of `event/store`.
#[derive(Clone, PartialEq, Debug)]
pub struct EventStore {
    /// The ticket that login returned with the token; empty if there is none, which no token has.
    pub ticket: String,
    /// The version of the protocol that the client speaks.
    pub api_version: Option<i64>,
    /// Events in the order in which they are to be carried out.
    pub stream: Vec<Submission>,
}

impl EventStore {
    /// Reads the body; a body without `stream` is bad.
    pub fn parse(text: &str) -> Result<Self, BadFrame> {
        let frame = Frame::read(text)?;
        let stream = frame.stream.ok_or(BadFrame::UnknownForm)?;
        Ok(Self {
            ticket: member(frame.ticket)?.unwrap_or_default(),
            api_version: member(frame.api_version)?,
            stream,
        })
    }
}

/// One event of a frame, or its refusal, with what the request record repeats of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Submission {
    /// What makes a retry safe; absent if the client gave none or a bad one.
    pub client_req_id: Option<RequestId>,
    /// The bad one, as far as it is worth repeating, for the client to know his event by; the event is then refused.
    pub client_req_id_echo: Option<String>,
    /// The URN that the client gave; empty if there was none.
    pub mk_event_type: Cow<'static, str>,
    /// The event, or why there is none.
    pub event: Result<ClientEvent, Refusal>,
}

impl Submission {
    fn read(given: &Given<'_>) -> Self {
        let (client_req_id, client_req_id_echo) = match given.client_req_id {
            None => (None, None),
            Some(id) => match serde_json::from_str(id.get()) {
                Ok(id) => (Some(id), None),
                Err(_) => (None, Some(echo(&text(id).unwrap_or(Cow::Borrowed(id.get()))).to_owned())),
            },
        };
        let urn = given.mk_event_type.and_then(text);
        let event = match (&client_req_id_echo, &urn) {
            (Some(id), _) => Err(Refusal::malformed("client_req_id", format_args!("'{id}' is not a UUID"))),
            (None, None) => {
                Err(Refusal::malformed("mk_event_type", "missing or not a text, but it is mandatory"))
            }
            (None, Some(urn)) => ClientEvent::decode_text(urn, given.params.map_or("{}", RawValue::get)),
        };
        let mk_event_type = match &event {
            Ok(event) => Cow::Borrowed(event.urn()),
            Err(_) => Cow::Owned(echo(&urn.unwrap_or_default()).to_owned()),
        };
        Self { client_req_id, client_req_id_echo, mk_event_type, event }
    }

    /// Reads what could not be read together with its neighbours.
    fn read_alone(element: &RawValue) -> Self {
        match whole_or_error::<Given<'_>>(element.get()) {
            Ok(given) => Self::read(&given),
            Err(error) => Self {
                client_req_id: None,
                client_req_id_echo: None,
                mk_event_type: Cow::Borrowed(""),
                event: Err(Refusal::malformed("event", echo(&error.to_string()))),
            },
        }
    }
}

/// The text of a JSON string; borrowed if it has no escapes.
fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(json.get()) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(json.get()).ok().map(Cow::Owned),
    }
}

/// One event as a client sends it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Submit<'a> {
    /// What makes a retry safe.
    pub client_req_id: RequestId,
    /// The event.
    #[serde(flatten)]
    pub event: &'a ClientEvent,
}

/// A frame of events as a client sends it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SubmitFrame<'a> {
    /// Events in the order in which they are to be carried out.
    pub stream: &'a [Submit<'a>],
}

/// A frame or body with its events read.
struct Frame<'a> {
    stream: Option<Vec<Submission>>,
    ping: Option<&'a RawValue>,
    ticket: Option<&'a RawValue>,
    api_version: Option<&'a RawValue>,
}

impl<'a> Frame<'a> {
    /// Reads all events in one pass; if one of them spoils it, cuts the stream into pieces and reads each by itself.
    fn read(text: &'a str) -> Result<Self, BadFrame> {
        if let Ok(outline) = whole_or_error::<Outline<'a, Element<'a>>>(text) {
            return Self::of(outline, |element| Submission::read(&element.0));
        }
        Self::of(whole::<Outline<'a, &'a RawValue>>(text)?, Submission::read_alone)
    }

    fn of<T>(outline: Outline<'a, T>, read: impl Fn(T) -> Submission) -> Result<Self, BadFrame> {
        let stream = match outline.stream {
            Some(stream) if stream.is_over => return Err(BadFrame::TooManyEvents),
            Some(stream) => Some(stream.items.into_iter().map(read).collect()),
            None => None,
        };
        Ok(Self { stream, ping: outline.ping, ticket: outline.ticket, api_version: outline.api_version })
    }
}

/// The members that tell the forms apart, each to be read by itself later, so that one of the wrong type does no harm.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Outline<'a, T> {
    stream: Option<Bounded<T>>,
    #[serde(borrow)]
    ping: Option<&'a RawValue>,
    #[serde(borrow)]
    ticket: Option<&'a RawValue>,
    #[serde(borrow)]
    api_version: Option<&'a RawValue>,
}

/// The members of one event.
#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    client_req_id: Option<&'a RawValue>,
    #[serde(borrow)]
    mk_event_type: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

struct Element<'a>(Given<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// A list of which no more than [`EVENTS_PER_FRAME_MAX`] items are kept in memory.
struct Bounded<T> {
    items: Vec<T>,
    is_over: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoundedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for BoundedVisitor<T> {
            type Value = Bounded<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bounded<T>, A::Error> {
                let mut items = Vec::new();
                while items.len() < EVENTS_PER_FRAME_MAX {
                    let Some(item) = seq.next_element()? else {
                        return Ok(Bounded { items, is_over: false });
                    };
                    items.push(item);
                }
                let mut is_over = false;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    is_over = true;
                }
                Ok(Bounded { items, is_over })
            }
        }

        deserializer.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

/// Reads a text that is one JSON object and nothing else.
fn whole<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, BadFrame> {
    whole_or_error(text).map_err(BadFrame::from)
}

fn whole_or_error<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = object(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

fn member<'a, T: Deserialize<'a>>(member: Option<&'a RawValue>) -> Result<Option<T>, BadFrame> {
    Ok(member.map(|json| serde_json::from_str(json.get())).transpose()?)
}

fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn null_is_yes<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_else(yes))
}

fn yes() -> bool {
    true
}
