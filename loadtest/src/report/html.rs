//! A report as one page: tables and plots, no network, no script.
//!
//! Not here: the plots' drawing ([`super::plot`]).

use super::compare::short;
use super::plot::{Curve, Plot, Scale, draw};
use super::{Figure, Report, text};
use crate::engine::tally::Times;
use crate::outcome::Outcome;
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
h1,h2{font-weight:600}table{border-collapse:collapse;margin:1rem 0}td,th{border-bottom:1px solid #ddd;padding:.3rem .7rem;text-align:left;\
vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}.met{color:#006b3c}.missed{color:#a4262c;font-weight:600}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(24rem,1fr));gap:1rem}svg{width:100%;height:auto;background:#fafafa}\
svg .title{font:600 13px system-ui}svg .tick{font:11px system-ui;fill:#555}svg .grid{stroke:#e4e4e4}svg polyline{stroke-width:1.6}\
pre{background:#f6f6f6;padding:.8rem;overflow:auto}\
@media(prefers-color-scheme:dark){body{background:#16181c;color:#ddd}td,th{border-color:#333}svg{background:#1d2026}svg .tick{fill:#aaa}\
svg .title{fill:#ddd}svg .grid{stroke:#2c3038}pre{background:#1d2026}.met{color:#5fd39a}.missed{color:#ff8a8a}}";

/// The percentiles that a curve goes through.
const PERCENTILES: [f64; 16] =
    [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.75, 99.9, 99.95, 99.975, 99.99, 99.999, 99.9999];

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing into a string cannot fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
    )?;
    write!(
        page,
        "<title>rill-loadtest</title><style>{STYLE}</style><h1>rill-loadtest {}</h1>",
        escaped(&report.version)
    )?;
    let machine = &report.machine;
    write!(
        page,
        "<p>{} cores of {}, {} GB, Linux {}, load {} when it began; a small append with a sync takes {} ms; {} open files in a process.</p>",
        machine.cores,
        escaped(&machine.processor),
        machine.memory_bytes / 1_000_000_000,
        escaped(&machine.kernel),
        short(machine.load_average),
        short(machine.sync_us as f64 / 1000.0),
        machine.open_files_max,
    )?;
    if !report.figures.is_empty() {
        write!(page, "<h2>Figures</h2><table><tr><th>figure<th>value<th>bar<th><th>note")?;
        report.figures.iter().try_for_each(|figure| write_figure(page, figure))?;
        write!(page, "</table>")?;
    }
    for fault in &report.faults {
        write!(page, "<p class=missed>{}", escaped(fault))?;
    }
    report.outcomes.iter().try_for_each(|outcome| write_outcome(page, outcome))?;
    write!(page, "</html>")
}

fn write_figure(page: &mut String, figure: &Figure) -> std::fmt::Result {
    let (value, bar) = figure.said();
    let class = figure.is_met().map_or("", |is_met| if is_met { "met" } else { "missed" });
    let met = figure.standing();
    write!(
        page,
        "<tr><td>{}<td class=n>{}<td class=n>{bar}<td class={class}>{met}<td>{}",
        escaped(&figure.name),
        escaped(&value),
        escaped(&figure.note),
    )
}

fn write_outcome(page: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let (name, target) = (escaped(&outcome.scenario.name), escaped(&outcome.target));
    write!(page, "<h2>{name} against {target}</h2><p>{}</p>", escaped(&outcome.scenario.about))?;
    write!(page, "<pre>{}</pre><div class=plots>", escaped(&text::outcome(outcome)))?;
    let curves = |parts: &std::collections::BTreeMap<String, Times>| -> Vec<Curve> {
        parts.iter().map(|(name, times)| percentiles(name, times)).collect()
    };
    let over = |title: &'static str| Plot { title, x: ("percentile", Scale::Nines), y: ("ms", Scale::Log) };
    page.push_str(&draw(&over("from the intended time to others"), &curves(&outcome.tally.deliveries)));
    page.push_str(&draw(&over("from the intended time to the answer"), &curves(&outcome.tally.answers)));
    let in_time = |title: &'static str, unit: &'static str| Plot {
        title,
        x: ("seconds", Scale::Linear),
        y: (unit, Scale::Linear),
    };
    page.push_str(&draw(&in_time("deliveries", "a second"), &[rate(outcome)]));
    let memory =
        series(outcome, "server", |moment| moment.usage.map(|usage| usage.resident_bytes as f64 / 1e6));
    page.push_str(&draw(&in_time("memory of the server", "MB"), &memory));
    let late = [
        series(outcome, "p50", |moment| (moment.p50_us > 0).then_some(moment.p50_us as f64 / 1000.0)),
        series(outcome, "p99", |moment| (moment.p99_us > 0).then_some(moment.p99_us as f64 / 1000.0)),
    ]
    .concat();
    let plot = Plot { title: "deliveries over time", x: ("seconds", Scale::Linear), y: ("ms", Scale::Log) };
    page.push_str(&draw(&plot, &late));
    write!(page, "</div>")
}

fn percentiles(name: &str, times: &Times) -> Curve {
    // Beyond what so many values can tell, a percentile is but the longest.
    let most = 100.0 - 100.0 / times.count().max(1) as f64;
    let known = PERCENTILES.iter().filter(|share| **share <= most.max(50.0));
    let points = known.map(|share| (*share, times.percentile(*share) as f64 / 1000.0)).collect();
    Curve { name: escaped(name), points }
}

fn series(
    outcome: &Outcome,
    name: &str,
    value: impl Fn(&crate::outcome::Moment) -> Option<f64>,
) -> Vec<Curve> {
    let points = outcome.series.iter().filter_map(|moment| Some((moment.at_s, value(moment)?))).collect();
    vec![Curve { name: name.to_owned(), points }]
}

fn rate(outcome: &Outcome) -> Curve {
    let pairs = outcome.series.windows(2);
    let points = pairs
        .filter(|pair| pair[1].at_s > pair[0].at_s)
        .map(|pair| {
            let more = pair[1].progress.deliveries.saturating_sub(pair[0].progress.deliveries);
            (pair[1].at_s, more as f64 / (pair[1].at_s - pair[0].at_s))
        })
        .collect();
    Curve { name: "deliveries".to_owned(), points }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::Bar;

    #[test]
    fn a_page_needs_nothing_from_elsewhere_and_says_what_is_missed() {
        let mut report = Report::new(Machine { processor: "a <b>".into(), ..Machine::default() });
        report.figures.push(Figure {
            name: "cpu".into(),
            value: Some(2.0),
            unit: "s".into(),
            bar: Some(Bar::AtMost(1.0)),
            note: String::new(),
        });
        let page = page(&report);
        assert!(page.contains("a &lt;b&gt;") && page.contains("class=missed>missed"), "{page}");
        assert!(!page.contains("http") && !page.contains("<script"));
    }
}
