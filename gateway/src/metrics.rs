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
        for (name, help, value) in shared.node.metrics.all() {
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
        Ok(())
    }
}

/// The format adds its own.
fn full_stop(help: &str) -> &str {
    help.trim().trim_end_matches('.')
}

fn gauges(shared: &Shared) -> [(&'static str, &'static str, i64); 8] {
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
        ("draining", "Whether the server is on its way out", i64::from(shared.is_draining())),
    ]
}

/// The text of a scrape.
pub(crate) fn text(shared: &Arc<Shared>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("rill");
    registry.register_collector(Box::new(Node(Arc::downgrade(shared))));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}
