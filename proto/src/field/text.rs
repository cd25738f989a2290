//! A text of bounded length. Not here: what a text may say (the rules and the markup know).

use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

use super::{Kind, Param};

/// A text of at most `MAX` characters (Unicode scalar values, not bytes).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<const MAX: usize>(Box<str>);

impl<const MAX: usize> Text<MAX> {
    /// Bounds a text; `None` if it is too long.
    pub fn new(text: impl Into<Box<str>>) -> Option<Self> {
        let text = text.into();
        fits::<MAX>(&text).then_some(Self(text))
    }

    /// The text without its bound.
    pub fn into_inner(self) -> Box<str> {
        self.0
    }
}

/// A text has no more characters than bytes, so that only long ones need counting.
fn fits<const MAX: usize>(text: &str) -> bool {
    text.len() <= MAX || text.chars().count() <= MAX
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Tells the length only: what people write, passwords among it, never enters a log.
impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl<const MAX: usize> Param for Text<MAX> {
    const KIND: Kind = Kind::Text;
    const MAX_LEN: Option<usize> = Some(MAX);

    fn from_default(text: &str) -> Option<Self> {
        Self::new(text)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<const MAX: usize>;

        impl<const MAX: usize> Visitor<'_> for TextVisitor<MAX> {
            type Value = Text<MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text of at most {MAX} characters")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<MAX>, E> {
                if fits::<MAX>(text) {
                    Ok(Text(text.into()))
                } else {
                    Err(E::invalid_length(text.len(), &self))
                }
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

impl<const MAX: usize> Serialize for Text<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}
