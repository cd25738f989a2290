//! Outcomes as text, for a terminal.
//!
//! Not here: the other forms.

use crate::engine::tally::{Counts, Tally, Times};
use crate::outcome::Outcome;
use crate::report::Report;
use crate::report::compare::short;
use crate::scenario::Pace;
use std::fmt::Write;

/// One outcome in a dozen lines.
#[must_use]
pub fn outcome(outcome: &Outcome) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write_outcome(&mut text, outcome);
    text
}

fn write_outcome(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    let Outcome { scenario, target, window, tally, .. } = outcome;
    writeln!(
        text,
        "== {} against {target}: {} sessions online of {}, {} conversations of {} members",
        scenario.name,
        scenario.online(),
        scenario.sessions(),
        scenario.conversations,
        scenario.members,
    )?;
    let pace = match scenario.pace {
        Pace::Idle => "nothing is sent".to_owned(),
        Pace::Open { rate } => format!("open loop, {rate} events/s"),
        Pace::Saturate { in_flight } => format!("closed loop, {in_flight} in flight for each writer"),
    };
    writeln!(text, "{pace}; measured {:.1} s after {} s", window.seconds, scenario.warm_up_s)?;
    if window.deliveries > 0 {
        writeln!(
            text,
            "{:.0} events/s, {:.0} deliveries/s, {:.0} bytes each",
            outcome.events_per_second(),
            outcome.deliveries_per_second(),
            outcome.bytes_per_delivery(),
        )?;
        write_times(text, "answer", &tally.all_answers())?;
        write_times(text, "delivery", &tally.all_deliveries())?;
        write_times(text, "last delivery", &tally.last_deliveries)?;
    }
    write_times(text, "connect and sync", &tally.connects)?;
    write_times(text, "connect and catch up", &tally.reconnects)?;
    write_kinds(text, tally)?;
    write_usage(text, outcome)?;
    write_tally(text, tally)?;
    for (name, value) in &outcome.figures {
        writeln!(text, "{name}: {}", short(*value))?;
    }
    if let Some(why) = outcome.spoilt_by() {
        writeln!(text, "the load was the bottleneck, its figures are no verdict on the server: {why}")?;
    }
    if !outcome.is_settled {
        writeln!(text, "it never settled: something sent is not answered or not everywhere")?;
    }
    write!(text, "{}", if outcome.is_clean() { "clean" } else { "NOT CLEAN" })
}

fn write_times(text: &mut String, name: &str, times: &Times) -> std::fmt::Result {
    if times.count() == 0 {
        return Ok(());
    }
    let ms = |share: f64| times.percentile(share) as f64 / 1000.0;
    let (p50, p99, p999, max) = (ms(50.0), ms(99.0), ms(99.9), times.max() as f64 / 1000.0);
    writeln!(
        text,
        "{name}: p50 {p50:.2} ms, p99 {p99:.2}, p99.9 {p999:.2}, max {max:.2} ({} measured)",
        times.count()
    )
}

/// Each kind of event, when there are several.
fn write_kinds(text: &mut String, tally: &Tally) -> std::fmt::Result {
    if tally.answers.len() < 2 {
        return Ok(());
    }
    for (kind, times) in &tally.answers {
        write_times(text, &format!("  {kind} answered"), times)?;
        if let Some(times) = tally.deliveries.get(kind) {
            write_times(text, &format!("  {kind} delivered"), times)?;
        }
    }
    Ok(())
}

fn write_usage(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    if let (Some(cpu), Some(user)) = (outcome.window.cpu_s, outcome.window.cpu_user_s) {
        let cores = cpu / outcome.window.seconds;
        write!(text, "server CPU {cpu:.2} s ({user:.2} user), {cores:.2} cores")?;
        if let Some(per) = outcome.cpu_per_100k_deliveries() {
            write!(text, ", {per:.3} s per 100,000 deliveries")?;
        }
        writeln!(text)?;
    }
    if let (Some(idle), Some(connected)) = (outcome.idle, outcome.connected) {
        let mb = |bytes: u64| bytes as f64 / 1e6;
        let per = outcome.bytes_per_session().unwrap_or(0.0);
        let end = outcome.window.resident_bytes.unwrap_or(0);
        writeln!(
            text,
            "server memory {:.1} MB, connected {:.1} MB ({per:.0} bytes for each session), at the end {:.1} MB",
            mb(idle.resident_bytes),
            mb(connected.resident_bytes),
            mb(end),
        )?;
    }
    Ok(())
}

fn write_tally(text: &mut String, tally: &Tally) -> std::fmt::Result {
    let Counts { sent, answered, refused, unanswered, disconnected, let_go, .. } = tally.counts;
    writeln!(
        text,
        "sent {sent}, answered {answered}, refused {refused}, unanswered {unanswered}, sessions lost {disconnected}, let go as \
         expected {let_go}"
    )?;
    let Counts {
        deliveries,
        repeats,
        doubled,
        conflicts,
        gaps,
        reorders,
        lost,
        drifts,
        falls,
        shown_gaps,
        ..
    } = tally.counts;
    writeln!(
        text,
        "deliveries {deliveries}, repeated in a catch-up {repeats}, gaps shown by headers {shown_gaps}"
    )?;
    writeln!(
        text,
        "gaps {gaps}, lost {lost}, doubled {doubled}, conflicts {conflicts}, reorders {reorders}, unread drifts {drifts}, \
         horizon falls {falls}"
    )?;
    writeln!(
        text,
        "generators: busiest at work {:.0} % of the time, late p99 {:.2} ms, turn p99 {:.2} ms",
        tally.busy_share * 100.0,
        tally.lateness.percentile(99.0) as f64 / 1000.0,
        tally.turns.percentile(99.0) as f64 / 1000.0,
    )?;
    for (code, count) in &tally.closes {
        writeln!(text, "closed with {code}: {count} sessions")?;
    }
    for example in &tally.examples {
        writeln!(text, "! {example}")?;
    }
    Ok(())
}

/// Each figure of a suite against its bar, and what could not be measured.
#[must_use]
pub fn figures(report: &Report) -> String {
    let mut text = String::new();
    if report.is_short {
        text.push_str("a short run: it shows that everything works, and its figures are no verdict\n");
    }
    for figure in &report.figures {
        let (value, bar) = figure.said();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{:>12}  {}: {value} {bar}", figure.standing(), figure.name);
        if !figure.note.is_empty() {
            let _ = writeln!(text, "              {}", figure.note);
        }
    }
    for fault in &report.faults {
        let _ = writeln!(text, "not carried out: {fault}");
    }
    text
}

/// How the server stands to the floors of the same round: the median over the rounds.
#[must_use]
pub fn ratios(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let cpu = |target: &str| {
        let of = outcomes.iter().filter(|outcome| outcome.target == target);
        of.filter_map(Outcome::cpu_per_100k_deliveries).collect::<Vec<f64>>()
    };
    let server = cpu("rill");
    for target in ["floor", "floor-log"] {
        let pairs = server.iter().zip(cpu(target)).map(|(server, floor)| server / floor);
        let mut ratios: Vec<f64> = pairs.filter(|ratio| ratio.is_finite()).collect();
        ratios.sort_by(f64::total_cmp);
        if let Some(median) = ratios.get(ratios.len() / 2) {
            let of = cpu(target).iter().map(|cpu| format!("{cpu:.3}")).collect::<Vec<_>>().join(", ");
            // Writing into a string cannot fail.
            let _ = writeln!(text, "CPU per 100,000 deliveries: {median:.2} × {target} ({of} s)");
        }
    }
    text
}
