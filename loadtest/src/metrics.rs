//! What a server says about itself at `/metrics`.
//!
//! Not here: what the system says about a process ([`crate::process`]).

use crate::failure::Failure;
use crate::process::Usage;
use std::collections::BTreeMap;
use std::time::Duration;

/// A scrape that takes longer says nothing about now.
const SCRAPE_WAIT: Duration = Duration::from_secs(5);

/// Every metric with its value, labels summed up.
pub fn scrape(base_url: &str) -> Result<BTreeMap<String, f64>, Failure> {
    let config = ureq::Agent::config_builder().max_idle_connections(0).timeout_global(Some(SCRAPE_WAIT));
    let failed = |error: ureq::Error| Failure::Io(format!("/metrics: {error}"));
    let agent = config.build().new_agent();
    let mut response = agent.get(format!("{base_url}/metrics")).call().map_err(failed)?;
    Ok(parse(&response.body_mut().read_to_string().map_err(failed)?))
}

fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((key, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let name = key.split('{').next().unwrap_or(key).to_owned();
        *metrics.entry(name).or_insert(0.0) += value.parse::<f64>().unwrap_or(0.0);
    }
    metrics
}

/// The server's use of processor and memory, if it tells.
#[must_use]
pub fn usage(metrics: &BTreeMap<String, f64>) -> Option<Usage> {
    let value = |name: &str| metrics.get(name).copied();
    Some(Usage {
        user_s: value("rill_process_cpu_user_seconds_total")?,
        system_s: value("rill_process_cpu_system_seconds_total")?,
        resident_bytes: value("rill_process_resident_bytes")? as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_summed_up() {
        let metrics =
            parse("# HELP x\nrill_x_total{a=\"1\"} 2\nrill_x_total{a=\"2\"} 3\nrill_y 1.5\n# EOF\n");
        assert_eq!(metrics, BTreeMap::from([("rill_x_total".into(), 5.0), ("rill_y".into(), 1.5)]));
        assert_eq!(usage(&metrics), None);
    }
}
