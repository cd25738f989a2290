//! A run as it goes, on a terminal: how far it is, how fast, how long things take, what went wrong.
//!
//! On standard error, so that the outcome can be piped. Where that is no terminal, a line for each phase. Not here: the outcome itself
//! ([`crate::report`]).

use crate::outcome::Moment;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Sparkline};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use std::collections::VecDeque;
use std::io::{IsTerminal, Stderr, stderr};

/// Lines of the terminal that the view takes.
const LINES: u16 = 6;

/// Moments that the curve of the rate shows: the widest terminals have about so many columns.
const CURVE_MAX: usize = 240;

/// A run's view. The terminal is left as it was when this is dropped.
pub struct View {
    scenario: String,
    target: String,
    terminal: Option<Terminal<CrosstermBackend<Stderr>>>,
    phase: String,
    last: Option<Moment>,
    rates: VecDeque<u64>,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("scenario", &self.scenario).finish_non_exhaustive()
    }
}

impl View {
    /// Opens a view of this scenario against this target.
    #[must_use]
    pub fn open(scenario: &str, target: &str, is_plain: bool) -> Self {
        let options = TerminalOptions { viewport: Viewport::Inline(LINES) };
        let is_wanted = !is_plain && stderr().is_terminal();
        // A terminal that cannot be drawn on gets lines.
        let terminal = is_wanted
            .then(|| Terminal::with_options(CrosstermBackend::new(stderr()), options).ok())
            .flatten();
        Self {
            scenario: scenario.to_owned(),
            target: target.to_owned(),
            terminal,
            phase: String::new(),
            last: None,
            rates: VecDeque::new(),
        }
    }

    /// Shows a moment.
    pub fn show(&mut self, moment: &Moment) {
        let is_new_phase = self.phase != moment.phase;
        self.phase.clone_from(&moment.phase);
        let lines = self.lines(moment);
        if let Some(terminal) = &mut self.terminal {
            let rates: Vec<u64> = self.rates.iter().copied().collect();
            // A view that cannot be drawn is no reason to end a run.
            drop(terminal.draw(|frame| draw(frame, &lines, &rates)));
        } else if is_new_phase {
            eprintln!("{}", lines[0]);
        }
        self.last = Some(moment.clone());
    }

    fn lines(&mut self, moment: &Moment) -> [String; 4] {
        let now = &moment.progress;
        let elapsed = self.last.as_ref().map_or(0.0, |last| moment.at_s - last.at_s);
        let per_s = |now: u64, before: u64| {
            if elapsed > 0.0 { now.saturating_sub(before) as f64 / elapsed } else { 0.0 }
        };
        let before = self.last.as_ref().map(|last| last.progress).unwrap_or_default();
        let (events, deliveries) =
            (per_s(now.answered, before.answered), per_s(now.deliveries, before.deliveries));
        self.rates.push_back(deliveries as u64);
        if self.rates.len() > CURVE_MAX {
            self.rates.pop_front();
        }
        let cpu = moment.usage.zip(self.last.as_ref().and_then(|last| last.usage));
        let cores = cpu.map_or(0.0, |(now, before)| (now.cpu_s() - before.cpu_s()) / elapsed.max(0.001));
        let memory = moment.usage.map_or(0.0, |usage| usage.resident_bytes as f64 / 1e6);
        let ms = |us: u64| us as f64 / 1000.0;
        [
            format!(
                "{} against {}: {} at {:.0} s, {} live, {} lost, {} created, {} waiting",
                self.scenario,
                self.target,
                moment.phase,
                moment.at_s,
                now.live,
                now.lost,
                now.created,
                now.pending
            ),
            format!("{events:.0} events/s, {deliveries:.0} deliveries/s, {} in all", now.deliveries),
            format!("delivery p50 {:.2} ms, p99 {:.2} ms", ms(moment.p50_us), ms(moment.p99_us)),
            format!(
                "server {cores:.2} cores, {memory:.1} MB; refused {}, let go {}",
                now.refused, now.let_go
            ),
        ]
    }
}

fn draw(frame: &mut Frame<'_>, lines: &[String; 4], rates: &[u64]) {
    let [text, curve] = Layout::vertical([Constraint::Length(4), Constraint::Min(1)]).areas(frame.area());
    let shown: Vec<Line<'_>> = lines.iter().map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(Paragraph::new(shown), text);
    let width = usize::from(curve.width);
    let newest = &rates[rates.len().saturating_sub(width)..];
    frame.render_widget(Sparkline::default().data(newest).style(Style::new().fg(Color::Cyan)), curve);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::backend::TestBackend;

    #[test]
    fn a_moment_is_drawn_with_its_rates() {
        let mut view = View::open("rooms", "rill", true);
        let mut moment = Moment { at_s: 1.0, phase: "measuring".into(), p99_us: 2_500, ..Moment::default() };
        view.show(&moment);
        moment.at_s = 2.0;
        moment.progress.deliveries = 700;
        let lines = view.lines(&moment);
        let mut terminal = Terminal::new(TestBackend::new(80, LINES)).unwrap();
        terminal.draw(|frame| draw(frame, &lines, &[1, 5, 9])).unwrap();
        let drawn = format!("{:?}", terminal.backend().buffer());
        assert!(drawn.contains("rooms against rill: measuring at 2 s"), "{drawn}");
        assert!(drawn.contains("700 deliveries/s") && drawn.contains("p99 2.50 ms"), "{drawn}");
    }
}
