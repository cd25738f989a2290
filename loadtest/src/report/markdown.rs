//! A suite's report as `REPORT.md`: what was run, on what, and how each figure stands to its bar.
//!
//! Not here: why a bar is missed, which a profile says and no run.

use super::Report;
use super::compare::short;
use crate::outcome::Outcome;
use crate::scenario::{Pace, Shape};
use std::fmt::Write;

/// What the floors do and what they do not: a ratio is worth as much as what it is held against.
const FLOORS: &str = "\
The *floor* is a bare server of this harness, on the same machine in the same round: it accepts, shakes hands, finds a message in its frame \
without parsing it, numbers it, and writes to every session of the room as many bytes as Rill sends for each delivery, with one write for \
all that waits. One thread, no JSON, no store, no answers to retries, no state for each reader, no unread counters, no catch-up. The *floor \
with a log* also appends what it sends to a file and syncs it before anything leaves. A ratio to either is taken within a round, from the \
CPU seconds of the server's process (user and system, by the operating system's accounting) for as many deliveries.";

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing into a string cannot fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "# What Rill costs\n")?;
    let short = if report.is_short { " --short" } else { "" };
    let only: String = report.only.iter().map(|word| format!(" --only \"{word}\"")).collect();
    let command = format!("{short}{only}");
    writeln!(
        page,
        "Written by `cargo run --release -p rill-loadtest -- suite{command}` on {}, which took {:.0} minutes. Nothing in here is written by \
         hand; where the rest goes of a bar that is missed stands in [PROFILE.md](PROFILE.md).\n",
        day(report.begun_s),
        (report.took_s / 60.0).ceil(),
    )?;
    if !report.only.is_empty() {
        writeln!(page, "**Not the whole suite: what is not here was not measured.**\n")?;
    }
    if report.is_short {
        writeln!(page, "**A short run: it shows that everything works, and its figures are no verdict.**\n")?;
    }
    write_machine(page, report)?;
    writeln!(page, "## Figures\n\n| | figure | value | bar | |\n| --- | --- | --- | --- | --- |")?;
    for figure in &report.figures {
        let (value, bar) = figure.said();
        let standing = figure.standing();
        writeln!(page, "| {standing} | {} | {value} | {bar} | {} |", figure.name, figure.note)?;
    }
    for fault in &report.faults {
        writeln!(page, "\n**Not carried out:** {fault}")?;
    }
    writeln!(page, "\n{FLOORS}\n")?;
    write_runs(page, report)
}

fn write_machine(page: &mut String, report: &Report) -> std::fmt::Result {
    let machine = &report.machine;
    writeln!(page, "## What ran where\n\n| | |\n| --- | --- |")?;
    let rows = [
        ("server", report.server_version.clone()),
        ("harness", format!("rill-loadtest {}", report.version)),
        (
            "machine",
            format!(
                "{} cores of {}, {} GB",
                machine.cores,
                machine.processor,
                machine.memory_bytes / 1_000_000_000
            ),
        ),
        ("kernel", format!("Linux {}", machine.kernel)),
        ("load when it began", short(machine.load_average)),
        (
            "a small append with a sync, before the runs",
            format!("{} ms (median)", short(machine.sync_us as f64 / 1000.0)),
        ),
        ("open files in a process", machine.open_files_max.to_string()),
    ];
    for (name, value) in rows {
        writeln!(page, "| {name} | {value} |")?;
    }
    writeln!(page, "\nServer and load share the cores.\n")
}

fn write_runs(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        page,
        "## Runs\n\n| run | against | sessions | conversations × members | pace | events/s | deliveries/s | CPU s per 100,000 deliveries | \
         last delivery p50, p99 (ms) | memory MB, before and at the end | verified |"
    )?;
    writeln!(page, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")?;
    report.outcomes.iter().try_for_each(|outcome| write_run(page, outcome))
}

fn write_run(page: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let Outcome { scenario, target, window, tally, .. } = outcome;
    let has_rate = window.deliveries > 0 && scenario.shape == Shape::Steady;
    let rate = |value: f64| if has_rate { format!("{value:.0}") } else { String::new() };
    let ms = |share: f64| tally.last_deliveries.percentile(share) as f64 / 1000.0;
    let last = if tally.last_deliveries.count() == 0 {
        String::new()
    } else {
        format!("{:.1}, {:.1}", ms(50.0), ms(99.0))
    };
    let mb = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let before = outcome.idle.map_or(String::new(), |usage| mb(usage.resident_bytes));
    let after = window.resident_bytes.map_or(String::new(), mb);
    let verified = if outcome.is_clean() {
        format!("{} deliveries", tally.counts.deliveries)
    } else {
        format!("NOT CLEAN: {}", tally.examples.first().map_or("never settled", String::as_str))
    };
    writeln!(
        page,
        "| {} | {target} | {} | {} × {} | {} | {} | {} | {} | {last} | {before}, {after} | {verified} |",
        scenario.name,
        scenario.online(),
        scenario.conversations,
        scenario.members,
        pace(scenario.pace, scenario.shape),
        rate(outcome.events_per_second()),
        rate(outcome.deliveries_per_second()),
        outcome.cpu_per_100k_deliveries().filter(|_| has_rate).map_or(String::new(), short),
    )
}

fn pace(pace: Pace, shape: Shape) -> String {
    match (shape, pace) {
        (Shape::Storm { missed, .. }, _) => format!("storm, {missed} missed"),
        (Shape::Burst { messages, .. }, _) => format!("burst of {messages} by each writer"),
        (Shape::Drain, _) => "drain".to_owned(),
        (Shape::Steady, Pace::Idle) => "idle".to_owned(),
        (Shape::Steady, Pace::Open { rate }) => format!("open loop, {rate:.0}/s"),
        (Shape::Steady, Pace::Saturate { in_flight }) => format!("saturated, {in_flight} in flight each"),
    }
}

/// The day (UTC) of a time in seconds since the epoch, by the count of days of the Gregorian calendar.
fn day(epoch_s: u64) -> String {
    // Days since 1 March of year 0, in cycles of 400 years.
    let days = epoch_s / 86_400 + 719_468;
    let (cycle, of_cycle) = (days / 146_097, days % 146_097);
    let year_of = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of + year_of / 4 - year_of / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year_of) } else { (month - 9, year_of + 1) };
    format!("{}-{month:02}-{date:02}", cycle * 400 + year)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::report::{Bar, Figure};

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(
            [0, 951_782_400, 951_868_800, 1_798_761_599].map(day),
            ["1970-01-01", "2000-02-29", "2000-03-01", "2026-12-31"]
        );
    }

    #[test]
    fn every_figure_stands_beside_its_bar() {
        let mut report = Report::new(Machine::default());
        let figure = |value| Figure {
            name: "cpu".into(),
            value,
            unit: "s".into(),
            bar: Some(Bar::AtMost(1.0)),
            note: "why".into(),
        };
        report.figures = [Some(0.5), Some(2.0), None].map(figure).into();
        report.faults.push("storm: it rained".into());
        report.only.push("one room".into());
        let page = page(&report);
        for line in [
            "| reached | cpu | 0.500 s | ≤ 1.00 | why |",
            "| missed | cpu | 2.00 s | ≤ 1.00 | why |",
            "| not measured | cpu | – | ≤ 1.00 | why |",
            "**Not carried out:** storm: it rained",
            "suite --only \"one room\"` on",
        ] {
            assert!(page.contains(line), "{line} is missing in {page}");
        }
    }
}
