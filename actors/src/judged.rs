//! What a rule of any owner answers with: a decision, a refusal, or what it lacks.
//!
//! Not here: which facts an owner's rules may lack (each owner's own `Need`), and how they are fetched.

use rill_proto::refusal::Refusal;

/// Why a rule did not come to a decision; `N` is what the rules of one owner may lack.
#[derive(Clone, PartialEq, Debug)]
pub enum Stop<N> {
    /// It is refused; nothing changes.
    Refused(Refusal),
    /// The owner must fetch this first.
    Needs(N),
}

impl<N> From<Refusal> for Stop<N> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a rule answers with.
pub type Judged<T, N> = Result<T, Stop<N>>;
