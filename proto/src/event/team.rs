//! The events on a team (accounts.md §8).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::id::{ConversationId, TeamId};

events! {
    "team", owner [Team team_id];

    /// Fetch what anybody may know of a team.
    "get" Get {
        team_id: TeamId,
        conversation_id: Option<ConversationId>,
    } => {
        by: TeamViewer, identifier: "team_id", answer: "team",
        refused: "430 not_found: no such team, or none of the caller's",
    }
}
