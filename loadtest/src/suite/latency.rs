//! How long a message takes to the last of its readers, at half of what the server can take.
//!
//! Not here: what it can take ([`super::saturation`]).

use super::saturation::FIVE;
use super::{Suite, caveat};
use crate::failure::Failure;
use crate::machine::SyncProbe;
use crate::report::Bar;
use crate::scenario::{Pace, Scenario};

/// The bars: milliseconds, and what is allowed beside so many syncs.
const P99_MS: f64 = 20.0;
const SYNCS: f64 = 4.0;
const BESIDE_MS: f64 = 5.0;

/// The share of the saturation rate.
const SHARE: f64 = 0.5;

pub(super) fn measure(suite: &mut Suite) -> Result<(), Failure> {
    let Some(saturated) = suite.saturated else {
        return Err(Failure::Plan("the rate at saturation is not known".into()));
    };
    let rate = (saturated * SHARE).max(1.0);
    let scenario = Scenario {
        name: "half-rate".into(),
        conversations: suite.size.rooms,
        members: FIVE,
        writers: FIVE,
        pace: Pace::Open { rate },
        warm_up_s: suite.size.warm_up_s,
        measure_s: suite.size.measure_s * 2.0,
        ..Scenario::bundled("rooms")?
    };
    let probe = SyncProbe::start(suite.workshop.folder())?;
    let outcome = suite.load(&scenario);
    let sync_ms = probe.median_us() as f64 / 1000.0;
    let outcome = outcome?;
    let measured_ms = outcome.tally.last_deliveries.percentile(99.0) as f64 / 1000.0;
    let (value, spoilt) = match outcome.spoilt_by() {
        Some(why) => (None, format!("no verdict, {measured_ms:.1} ms measured: {why}; ")),
        None => (Some(measured_ms), String::new()),
    };
    let note = format!("{spoilt}{rate:.0} messages/s, open loop; {}", caveat(&[&outcome]));
    let name = format!(
        "p99 from intended send to last delivery, {} × {FIVE}, at half of saturation",
        suite.size.rooms
    );
    suite.tell(&name, value, "ms", Some(Bar::AtMost(P99_MS)), note);
    let name = "the same against 4 × the median sync of the run + 5 ms";
    let note = format!("the median of syncs taken beside the run is {sync_ms:.2} ms");
    suite.tell(name, value, "ms", Some(Bar::AtMost(SYNCS * sync_ms + BESIDE_MS)), note);
    Ok(())
}
