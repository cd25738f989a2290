//! What `/metrics` shows, in the OpenMetrics text format.
//!
//! Everything is read when it is asked for; counting costs its owners an atomic addition. Not here: what is counted
//! where.

use std::fmt;
use std::sync::{Arc, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::worker::Shared;

/// `/proc` counts processor time in hundredths of a second on every Linux that there is (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The format's name.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Node(Weak<Shared>);

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

impl Collector for Node {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(shared) = self.0.upgrade() else {
            return Ok(());
        };
        let of_link = shared.link.iter().flat_map(|link| link.metrics().all());
        for (name, help, value) in shared.node.metrics.all().chain(of_link) {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(
                name,
                full_stop(help),
                None,
                counter.metric_type(),
            )?)?;
        }
        for (name, help, value) in gauges(&shared) {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        for (name, help, value) in process().into_iter().flatten() {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

/// The format adds its own.
fn full_stop(help: &str) -> &str {
    help.trim().trim_end_matches('.')
}

fn gauges(shared: &Shared) -> [(&'static str, &'static str, i64); 9] {
    let node = &shared.node;
    let (conversations, accounts) = node.active();
    let of = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    [
        ("conversations_active", "Conversations in memory", of(conversations)),
        ("accounts_active", "Accounts in memory", of(accounts)),
        ("accounts_online", "Accounts with a live session", of(node.presence.accounts())),
        ("sockets_open", "Open sockets", of(shared.seats.taken())),
        ("http_sessions_open", "Sessions of HTTP clients", of(shared.http_sessions())),
        ("polls_waiting", "Polls that wait for an answer", of(Arc::strong_count(&shared.polls) - 1)),
        (
            "watermark_lag_us",
            "Microseconds by which the watermark is behind the newest stamp",
            of(usize::try_from(node.watermark.lag_us()).unwrap_or(usize::MAX)),
        ),
        ("process_resident_bytes", "Resident memory in bytes", resident_bytes()),
        ("draining", "Whether the server is on its way out", i64::from(shared.is_draining())),
    ]
}

/// What the system says of this process: processor seconds and memory. Nothing where there is no `/proc`.
fn process() -> Option<[(&'static str, &'static str, f64); 2]> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in brackets, may have spaces; what follows it has not.
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let seconds = |place: usize| Some(fields.get(place)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    Some([
        ("process_cpu_user_seconds", "Processor seconds in the server's own code", seconds(11)?),
        ("process_cpu_system_seconds", "Processor seconds in the kernel on its behalf", seconds(12)?),
    ])
}

/// Resident memory in bytes; 0 where there is no `/proc`.
fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<i64>().ok());
    kib.unwrap_or(0) * 1024
}

/// The text of a scrape.
pub(crate) fn text(shared: &Arc<Shared>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("rill");
    registry.register_collector(Box::new(Node(Arc::downgrade(shared))));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}
