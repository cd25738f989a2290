//! How large each chapter of the suite is: as the figures are promised, or as long as a test may take.
//!
//! Not here: what is done with the numbers.

/// Sessions of the memory chapter: as many as a server holds by default.
const SESSIONS: usize = 15_000;

/// Files of a process that are no sessions, in the server and here.
const FILES_KEPT: u64 = 500;

/// Members of the rooms that the burst is sent in; the sessions are a multiple.
const BURST_ROOM: usize = 100;

/// The sizes of a suite.
#[derive(Debug, Clone)]
pub struct Size {
    /// Whether it is but a look at everything, whose figures are no verdict.
    pub(crate) is_short: bool,
    /// How often a ratio to a floor is taken.
    pub(super) rounds: usize,
    pub(super) warm_up_s: f64,
    pub(super) measure_s: f64,
    /// Sessions whose memory is measured.
    pub(super) sessions: usize,
    /// Seconds for which they are held, at first and after their burst: the owners of accounts and conversations leave memory after a
    /// minute without work, and a quarter of it until that is looked at.
    pub(super) hold_s: f64,
    /// Members of the one room.
    pub(super) room: usize,
    /// Conversations of five.
    pub(super) rooms: usize,
    /// Conversations of two, for messages alone.
    pub(super) pairs: usize,
    /// Sessions that are dropped, besides those that go on writing.
    pub(super) dropped: usize,
    /// Members and online members of the hot room.
    pub(super) hot: (usize, usize),
    /// Conversations stored before and after growth, and for how many seconds they are made at most.
    pub(super) stored: (usize, usize),
    pub(super) fill_s: f64,
    /// Messages of a conversation before and after growth.
    pub(super) messages: (f64, f64),
    /// Events a second over the conversations that have grown.
    pub(super) growth_rate: f64,
    /// Messages a second with one node and with two: what both can carry, with PostgreSQL and the load on the same cores.
    pub(super) cross_rate: f64,
}

impl Size {
    /// As the figures are promised, and as the bound of open files lets it be.
    #[must_use]
    pub fn full(open_files_max: u64) -> Self {
        let files = usize::try_from(open_files_max.saturating_sub(FILES_KEPT)).unwrap_or(usize::MAX);
        let sessions = SESSIONS.min(files) / BURST_ROOM * BURST_ROOM;
        Self {
            is_short: false,
            rounds: 3,
            warm_up_s: 3.0,
            measure_s: 8.0,
            sessions: sessions.max(BURST_ROOM),
            hold_s: 80.0,
            room: 100,
            rooms: 200,
            pairs: 500,
            dropped: 10_000,
            hot: (10_000, 1_000),
            stored: (1_000, 1_000_000),
            fill_s: 360.0,
            messages: (10.0, 10_000.0),
            growth_rate: 2_000.0,
            cross_rate: 1_000.0,
        }
    }

    /// As long as a test may take.
    #[must_use]
    pub fn short() -> Self {
        Self {
            is_short: true,
            rounds: 1,
            warm_up_s: 0.3,
            measure_s: 1.0,
            sessions: 2 * BURST_ROOM,
            hold_s: 1.0,
            room: 20,
            rooms: 10,
            pairs: 20,
            dropped: 60,
            hot: (200, 20),
            stored: (20, 400),
            fill_s: 20.0,
            messages: (1.0, 100.0),
            growth_rate: 50.0,
            cross_rate: 50.0,
        }
    }

    /// Members of all conversations of five.
    pub(super) fn in_rooms(&self) -> usize {
        self.rooms * super::saturation::FIVE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_open_files_is_kept_and_used() {
        assert_eq!(Size::full(20_000).sessions, 15_000);
        assert_eq!(Size::full(4_096).sessions, 3_500);
    }
}
