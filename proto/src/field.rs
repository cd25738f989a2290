//! What a param may be: the types of the catalogue, their limits and defaults, and their description.
//!
//! A type reads itself from JSON through serde and describes itself through [`Param`]. Not here: which event has which params,
//! and the closed sets of words ([`crate::classificator`]).

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::limits::ECHO_CHARS_MAX;

mod cursor;
mod explain;
mod limit;
mod text;
mod timestamp;

pub use cursor::Cursor;
pub(crate) use explain::explain;
pub use limit::Limit;
pub use text::Text;
pub use timestamp::Timestamp;

/// The types of the catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each is named as the catalogue names it")]
pub enum Kind {
    BigInt,
    Boolean,
    Cursor,
    Float,
    Object,
    Text,
    TimestampTz,
    Uuid,
    List(&'static Kind),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BigInt => "BIGINT",
            Self::Boolean => "BOOLEAN",
            Self::Cursor => "CURSOR",
            Self::Float => "FLOAT",
            Self::Object => "OBJECT",
            Self::Text => "TEXT",
            Self::TimestampTz => "TIMESTAMPTZ",
            Self::Uuid => "UUID",
            Self::List(of) => return write!(f, "[{of}]"),
        })
    }
}

/// One param as it was declared.
#[derive(Debug)]
pub struct ParamSpec {
    /// The name on the wire and of our field.
    pub name: &'static str,
    /// The param's own words; empty where its name says enough.
    pub doc: &'static str,
    /// The type.
    pub kind: Kind,
    /// The most characters of a text.
    pub max_len: Option<usize>,
    /// The wire text of the value that stands for absent and for null; a param without one is mandatory.
    pub default: Option<&'static str>,
    /// The closed set of words to choose from; empty if free.
    pub options: &'static [&'static str],
    /// Whether a bad value is replaced by the default and never refused.
    pub ignore: bool,
    /// The members of an object or a cursor.
    pub params: &'static [ParamSpec],
}

impl ParamSpec {
    pub(crate) const fn of<T: Param>(
        name: &'static str,
        doc: &'static str,
        default: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            doc: doc.trim_ascii(),
            kind: T::KIND,
            max_len: T::MAX_LEN,
            default: match default {
                [default, ..] => Some(*default),
                [] => T::DEFAULT,
            },
            options: T::OPTIONS,
            ignore: T::IGNORE,
            params: T::PARAMS,
        }
    }
}

/// A type that a param can have.
pub trait Param: Sized {
    /// The catalogue's type.
    const KIND: Kind;
    /// The most characters of a text.
    const MAX_LEN: Option<usize> = None;
    /// The closed set of words.
    const OPTIONS: &'static [&'static str] = &[];
    /// The members of an object.
    const PARAMS: &'static [ParamSpec] = &[];
    /// The default that the type brings along.
    const DEFAULT: Option<&'static str> = None;
    /// Whether a bad value becomes the default.
    const IGNORE: bool = false;

    /// The value of a default's wire text; `None` if the type cannot have that default.
    fn from_default(text: &str) -> Option<Self> {
        let _ = text;
        None
    }
}

impl<T: Param> Param for Option<T> {
    const KIND: Kind = T::KIND;
    const MAX_LEN: Option<usize> = T::MAX_LEN;
    const OPTIONS: &'static [&'static str] = T::OPTIONS;
    const PARAMS: &'static [ParamSpec] = T::PARAMS;
    const DEFAULT: Option<&'static str> = Some("NULL");

    fn from_default(text: &str) -> Option<Self> {
        (text == "NULL").then_some(None)
    }
}

impl<T: Param> Param for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);
    const PARAMS: &'static [ParamSpec] = T::PARAMS;
}

impl Param for String {
    const KIND: Kind = Kind::Text;
}

impl Param for f64 {
    const KIND: Kind = Kind::Float;
}

impl Param for i64 {
    const KIND: Kind = Kind::BigInt;

    fn from_default(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Param for bool {
    const KIND: Kind = Kind::Boolean;

    fn from_default(text: &str) -> Option<Self> {
        match text {
            "False" => Some(false),
            "True" => Some(true),
            _ => None,
        }
    }
}

/// Reads a struct from a JSON object and from nothing else; serde's derived code would take an array of its fields as well.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct ObjectVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(ObjectVisitor(PhantomData))
}

/// The value of a param: the given one, else the default of its declaration, else that of its type.
pub(crate) fn settle<T: Param, E: Error>(
    given: Option<T>,
    param: &'static str,
    default: &[&str],
) -> Result<T, E> {
    given
        .or_else(|| default.first().copied().or(T::DEFAULT).and_then(T::from_default))
        .ok_or_else(|| E::missing_field(param))
}

/// The beginning of a client's own value, for telling him what was wrong.
pub(crate) fn echo(text: &str) -> &str {
    text.char_indices().nth(ECHO_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}
