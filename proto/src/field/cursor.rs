//! Where a sync goes on: an object that travels as JSON text.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Kind, Param, ParamSpec};

/// A place in a list, or `None` for its beginning. On the wire a text that holds a JSON object; a plain object is taken as well.
/// The empty object stands for `None`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cursor<T>(pub Option<T>);

impl<T: Param> Param for Cursor<T> {
    const KIND: Kind = Kind::Cursor;
    const PARAMS: &'static [ParamSpec] = T::PARAMS;

    fn from_default(text: &str) -> Option<Self> {
        (text == "NULL").then_some(Self(None))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Cursor<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CursorVisitor(PhantomData))
    }
}

struct CursorVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for CursorVisitor<T> {
    type Value = Cursor<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text that holds a JSON object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cursor<T>, E> {
        let members: Map<String, Value> = serde_json::from_str(text).map_err(E::custom)?;
        from_members(members).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cursor<T>, A::Error> {
        let members = Map::deserialize(MapAccessDeserializer::new(map))?;
        from_members(members).map_err(A::Error::custom)
    }
}

fn from_members<T: DeserializeOwned>(members: Map<String, Value>) -> Result<Cursor<T>, serde_json::Error> {
    if members.is_empty() {
        return Ok(Cursor(None));
    }
    T::deserialize(Value::Object(members)).map(|at| Cursor(Some(at)))
}

impl<T: Serialize> Serialize for Cursor<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            None => serializer.serialize_str("{}"),
            Some(at) => {
                serializer.serialize_str(&serde_json::to_string(at).map_err(serde::ser::Error::custom)?)
            }
        }
    }
}
