//! What a broken promise says: where, what was expected, what came.

use rill_loadtest::failure::Failure;
use std::fmt;

/// Why a promise does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Complaint {
    /// File and line; empty until somebody knows it.
    place: String,
    /// The line as it is written.
    text: String,
    expected: String,
    got: String,
}

impl Complaint {
    /// Expected and got.
    pub(crate) fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { place: String::new(), text: String::new(), expected: expected.into(), got: got.into() }
    }

    /// The same, about somebody or something.
    pub(crate) fn of(mut self, what: &str) -> Self {
        self.expected = format!("{what}: {}", self.expected);
        self
    }

    /// The same, with its place, unless it has one already.
    pub(crate) fn at(mut self, place: String, text: &str) -> Self {
        if self.place.is_empty() {
            self.place = place;
            text.clone_into(&mut self.text);
        }
        self
    }
}

impl From<Failure> for Complaint {
    fn from(failure: Failure) -> Self {
        Self::new("the step to be carried out", failure.to_string())
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            writeln!(f, "{}\n    {}", self.place, self.text)?;
        }
        write!(f, "expected: {}\n     got: {}", self.expected, self.got)
    }
}
