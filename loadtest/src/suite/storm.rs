//! Everybody loses his connection at once, misses something, and comes back.
//!
//! Not here: the storm itself ([`crate::engine`]).

use super::{Suite, caveat};
use crate::failure::Failure;
use crate::report::Bar;
use crate::scenario::{Scenario, Shape};

/// Sessions that stay and write.
pub(super) const KEEPERS: usize = 20;

/// Conversations of each session, and what is missed in them together.
const CONVERSATIONS_EACH: usize = 20;
const MISSED: f64 = 50.0;

/// Seconds until all are live again, and how often the store is read for each.
const ALL_LIVE_S: f64 = 5.0;
const READS_EACH: f64 = 1.0;

pub(super) fn measure(suite: &mut Suite) -> Result<(), Failure> {
    let dropped = suite.size.dropped;
    // Twenty conversations each of twenty of them and one who stays: as many conversations as sessions.
    let scenario = Scenario {
        keepers: KEEPERS,
        sessions: dropped + KEEPERS,
        conversations: dropped,
        members: CONVERSATIONS_EACH + 1,
        writers: 1,
        shape: Shape::Storm { missed: MISSED, over_s: 0.0 },
        ..Scenario::bundled("reconnect")?
    };
    let outcome = suite.load(&scenario)?;
    let figure = |name: &str| outcome.figures.get(name).copied();
    let took_ms = |share: f64| outcome.tally.reconnects.percentile(share) as f64 / 1000.0;
    let note = format!(
        "{dropped} sessions in {CONVERSATIONS_EACH} conversations each, {MISSED} changes missed; one of them took {:.0} ms (median), {:.0} \
         (p99); {}",
        took_ms(50.0),
        took_ms(99.0),
        caveat(&[&outcome]),
    );
    let name = "reconnect storm: until all are live again, nothing missed";
    suite.tell(name, figure("all_live_s"), "s", Some(Bar::AtMost(ALL_LIVE_S)), note);
    let reads = figure("storm_rill_store_reads_total").unwrap_or(0.0) / dropped as f64;
    let is_told = figure("storm_rill_sessions_opened_total").is_some();
    let cold = figure("storm_rill_activations_total").unwrap_or(0.0) / dropped as f64;
    let note = if is_told {
        format!(
            "an account that is in memory knows its logins; {cold:.2} owners for each session had left memory, which costs a look for the \
             token and one for the rows"
        )
    } else {
        "the server tells no counters".to_owned()
    };
    let value = is_told.then_some(reads);
    suite.tell("store reads per session in the storm", value, "reads", Some(Bar::AtMost(READS_EACH)), note);
    Ok(())
}
