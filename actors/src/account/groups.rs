//! Which organisation and which teams an account's sessions are told of, and asking them to tell.
//!
//! They are visited as conversations are: the initial sync, the catch-up after a lost connection, and the news of having come
//! into one are this one path.

use std::sync::Arc;

use rill_proto::classificator::StaffStatus;
use rill_proto::id::{OrganisationId, TeamId};

use super::sync::LONG_AGO;
use super::{Account, turn_away};
use crate::conversation::Token;
use crate::group::Visit;
use crate::node::Node;
use crate::piece::Piece;
use crate::presence::Lane;
use crate::store::Stamp;

/// Whom to visit, and from which horizon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    Organisation(OrganisationId, Stamp),
    Team(TeamId, Stamp),
}

/// Visits them for sessions of one account. The token is dropped when all of them have put their records in.
pub(super) fn visit(node: &Arc<Node>, lanes: &[Lane], calls: Vec<Call>, token: &Token) {
    for call in calls {
        let (Call::Organisation(_, horizon) | Call::Team(_, horizon)) = call;
        let visit = Visit { lanes: lanes.to_vec(), horizon, token: Arc::clone(token) };
        let sent = match call {
            Call::Organisation(id, _) => node.to_organisation(id, visit),
            Call::Team(id, _) => node.to_team(id, visit),
        };
        if sent.is_err() {
            lanes.iter().for_each(|lane| turn_away(node, lane.clone()));
        }
    }
}

impl Account {
    pub(super) fn visit_groups(&self, lanes: &[Lane], calls: Vec<Call>, token: &Token) {
        if !lanes.is_empty() {
            visit(&self.desk.node, lanes, calls, token);
        }
    }

    /// Everybody who may have something for a session that was told everything up to a horizon. What the account is in no
    /// more has one last word for it, once.
    pub(super) fn calls_since(&self, horizon: Stamp) -> Vec<Call> {
        let from = |is_in: bool, stamp: Stamp| match (is_in, stamp > horizon) {
            (true, true) => Some(horizon.min(LONG_AGO)),
            (true, false) => Some(horizon),
            (false, is_new) => (is_new && horizon > 0).then_some(horizon),
        };
        let organisations = self.state.employments.iter().filter_map(|(id, row)| {
            let is_in = row.status() == StaffStatus::Active;
            Some(Call::Organisation(*id, from(is_in, row.stamp)?))
        });
        let teams = self.state.teams.iter();
        let teams = teams.filter_map(|(id, row)| Some(Call::Team(*id, from(row.is_member, row.stamp)?)));
        organisations.chain(teams).collect()
    }

    /// Invitations that can be answered; after a horizon also those that were.
    pub(super) fn invitations_since(&self, horizon: Stamp) -> Vec<Piece> {
        let rows = self
            .state
            .employments
            .values()
            .filter(|row| row.stamp > horizon && (horizon > 0 || row.status() == StaffStatus::Pending));
        rows.filter_map(|row| row.reminder(self.id)).map(Piece::Shared).collect()
    }

    /// Labels of teams; after a horizon also those that are gone.
    pub(super) fn team_labels_since(&self, horizon: Stamp) -> Vec<Piece> {
        let rows =
            self.state.teams.iter().filter(|(_, row)| row.stamp > horizon && (horizon > 0 || row.is_member));
        rows.map(|(id, row)| Piece::Shared(row.label(self.id, *id, None))).collect()
    }
}
