//! One report held against another.
//!
//! Not here: the reports.

use super::Report;
use crate::outcome::Outcome;
use std::fmt::Write;

/// Below this share a difference is noise on any machine that does anything else.
const NOISE_SHARE: f64 = 0.05;

/// A line for each figure that both reports have.
#[must_use]
pub fn lines(before: &Report, after: &Report) -> String {
    let mut text = String::new();
    for figure in &after.figures {
        let known = before.figures.iter().find(|known| known.name == figure.name);
        if let Some((old, new)) = known.and_then(|known| known.value).zip(figure.value) {
            line(&mut text, &format!("{} ({})", figure.name, figure.unit), old, new);
        }
    }
    let mut seen = std::collections::HashMap::<(String, String), usize>::new();
    for outcome in &after.outcomes {
        let key = (outcome.scenario.name.clone(), outcome.target.clone());
        let nth = seen.entry(key).or_default();
        let alike =
            |known: &&Outcome| known.scenario.name == outcome.scenario.name && known.target == outcome.target;
        let known = before.outcomes.iter().filter(alike).nth(*nth);
        *nth += 1;
        if let Some(known) = known {
            outcome_lines(&mut text, known, outcome);
        }
    }
    if text.is_empty() {
        text.push_str("the reports have nothing in common");
    }
    text
}

fn outcome_lines(text: &mut String, before: &Outcome, after: &Outcome) {
    let changed = if before.scenario == after.scenario { "" } else { ", of another size or pace" };
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{} against {}{changed}", after.scenario.name, after.target);
    let ms = |outcome: &Outcome, share: f64| outcome.tally.all_deliveries().percentile(share) as f64 / 1000.0;
    let pairs = [
        ("events/s", Some(before.events_per_second()), Some(after.events_per_second())),
        ("deliveries/s", Some(before.deliveries_per_second()), Some(after.deliveries_per_second())),
        ("delivery p50 ms", Some(ms(before, 50.0)), Some(ms(after, 50.0))),
        ("delivery p99 ms", Some(ms(before, 99.0)), Some(ms(after, 99.0))),
        ("CPU s per 100,000 deliveries", before.cpu_per_100k_deliveries(), after.cpu_per_100k_deliveries()),
        ("bytes per session", before.bytes_per_session(), after.bytes_per_session()),
        (
            "broken promises",
            Some(before.tally.counts.violations() as f64),
            Some(after.tally.counts.violations() as f64),
        ),
    ];
    for (name, old, new) in pairs {
        if let Some((old, new)) = old.zip(new).filter(|(old, new)| *old != 0.0 || *new != 0.0) {
            line(text, &format!("  {name}"), old, new);
        }
    }
}

fn line(text: &mut String, name: &str, old: f64, new: f64) {
    let change = if old == 0.0 { f64::INFINITY } else { (new - old) / old };
    let said = if change.abs() <= NOISE_SHARE {
        "about the same".to_owned()
    } else if change.is_infinite() {
        "was 0".to_owned()
    } else {
        format!("{:+.0} %", change * 100.0)
    };
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{name}: {} -> {} ({said})", short(old), short(new));
}

/// Three digits that matter, and no more.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.01 => format!("{value:.4}"),
        small if small < 1.0 => format!("{value:.3}"),
        small if small < 10.0 => format!("{value:.2}"),
        small if small < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::Figure;

    #[test]
    fn what_both_have_is_compared() {
        let figure = |name: &str, value: f64| Figure {
            name: name.into(),
            value: Some(value),
            unit: "s".into(),
            bar: None,
            note: String::new(),
        };
        let mut before = Report::new(Machine::default());
        before.figures = vec![figure("cpu", 0.2), figure("old", 1.0)];
        let mut after = Report::new(Machine::default());
        after.figures = vec![figure("cpu", 0.1), figure("new", 1.0)];
        assert_eq!(lines(&before, &after), "cpu (s): 0.200 -> 0.100 (-50 %)\n");
        assert!(lines(&before, &Report::new(Machine::default())).contains("nothing in common"));
        assert_eq!([short(0.0), short(0.1234), short(12.34), short(1234.5)], ["0", "0.123", "12.3", "1234"]);
    }
}
