//! Plots as inline SVG: lines over one or two scales, nothing else.
//!
//! Not here: what is plotted ([`super::html`]).

use super::compare::short;
use std::fmt::Write;

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// By powers of ten; what is not above 0 lies at the low end.
    Log,
    /// Percentiles: 90, 99, 99.9, … are equally far from each other.
    Nines,
}

/// A line of a plot.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot's words and scales.
#[derive(Debug, Clone)]
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) x: (&'a str, Scale),
    pub(super) y: (&'a str, Scale),
}

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 40.0;
const TOP: f64 = 28.0;
const RIGHT: f64 = 16.0;

/// Colours that can be told apart, also by those who see few.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// More points than the plot has columns add nothing.
const POINTS_MAX: usize = 600;

/// The percentile beyond which the scale of nines ends: a million values have one beyond it.
const NINES_MAX: f64 = 99.9999;

impl Scale {
    /// Where a value lies, on a scale that is linear.
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.max(1e-3).log10(),
            Self::Nines => -(1.0 - value.clamp(0.0, NINES_MAX) / 100.0).log10(),
        }
    }

    /// The values that the axis names between two places.
    fn ticks(self, low: f64, high: f64) -> Vec<f64> {
        match self {
            Self::Linear => (0..=4).map(|nth| low + (high - low) * f64::from(nth) / 4.0).collect(),
            Self::Log => (low.floor() as i32..=high.ceil() as i32).map(|power| 10_f64.powi(power)).collect(),
            Self::Nines => vec![0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999],
        }
    }
}

/// Draws it. Without a point there is nothing to draw.
pub(super) fn draw(plot: &Plot<'_>, curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|curve| curve.points.iter());
    if all().next().is_none() {
        return String::new();
    }
    let (x_of, y_of) = (plot.x.1, plot.y.1);
    let range = |places: &mut dyn Iterator<Item = f64>| {
        let (low, high) = places.fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
        if high > low { (low, high) } else { (low - 0.5, low + 0.5) }
    };
    let x_range = range(&mut all().map(|(x, _)| x_of.place(*x)));
    let mut y_range = range(&mut all().map(|(_, y)| y_of.place(*y)));
    if y_of == Scale::Linear {
        y_range.0 = y_range.0.min(0.0);
    }
    let x_at = |x: f64| LEFT + (x_of.place(x) - x_range.0) / (x_range.1 - x_range.0) * (WIDTH - LEFT - RIGHT);
    let y_at = |y: f64| {
        HEIGHT - BOTTOM - (y_of.place(y) - y_range.0) / (y_range.1 - y_range.0) * (HEIGHT - BOTTOM - TOP)
    };
    let mut svg = format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><text class="title" x="{LEFT}" y="16">{title}</text>"#,
        title = plot.title,
    );
    // Writing into a string cannot fail.
    let _ = axes(&mut svg, plot, (x_range, y_range), (&x_at, &y_at));
    for (nth, curve) in curves.iter().enumerate() {
        let _ = line(&mut svg, curve, nth, (&x_at, &y_at));
    }
    svg.push_str("</svg>");
    svg
}

type At<'a> = &'a dyn Fn(f64) -> f64;
type Range = (f64, f64);

fn axes(
    svg: &mut String,
    plot: &Plot<'_>,
    (x_range, y_range): (Range, Range),
    (x_at, y_at): (At<'_>, At<'_>),
) -> std::fmt::Result {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let inside = |scale: Scale, value: f64, (low, high): Range| {
        (low - 1e-9..=high + 1e-9).contains(&scale.place(value))
    };
    for y in plot.y.1.ticks(y_range.0, y_range.1) {
        if inside(plot.y.1, y, y_range) {
            let at = y_at(y);
            write!(svg, r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1}" y2="{at:.1}"/>"#)?;
            let (x, at, y) = (LEFT - 6.0, at + 4.0, short(y));
            write!(svg, r#"<text class="tick" text-anchor="end" x="{x}" y="{at:.1}">{y}</text>"#)?;
        }
    }
    for x in plot.x.1.ticks(x_range.0, x_range.1) {
        if inside(plot.x.1, x, x_range) {
            let at = x_at(x);
            write!(svg, r#"<line class="grid" x1="{at:.1}" x2="{at:.1}" y1="{TOP}" y2="{bottom}"/>"#)?;
            let (y, x) = (bottom + 14.0, if plot.x.1 == Scale::Nines { format!("{x}") } else { short(x) });
            write!(svg, r#"<text class="tick" text-anchor="middle" x="{at:.1}" y="{y}">{x}</text>"#)?;
        }
    }
    let (x, y) = (f64::midpoint(LEFT, right), HEIGHT - 6.0);
    write!(svg, r#"<text class="tick" text-anchor="middle" x="{x}" y="{y}">{}</text>"#, plot.x.0)?;
    write!(svg, r#"<text class="tick" x="4" y="{TOP}">{}</text>"#, plot.y.0)
}

fn line(svg: &mut String, curve: &Curve, nth: usize, (x_at, y_at): (At<'_>, At<'_>)) -> std::fmt::Result {
    let colour = COLOURS[nth % COLOURS.len()];
    let step = curve.points.len().div_ceil(POINTS_MAX).max(1);
    let last = curve.points.len().saturating_sub(1);
    let kept = curve.points.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    let points: Vec<String> = kept.map(|(_, (x, y))| format!("{:.1},{:.1}", x_at(*x), y_at(*y))).collect();
    write!(svg, r#"<polyline fill="none" stroke="{colour}" points="{}"/>"#, points.join(" "))?;
    let (x, y) = (WIDTH - RIGHT - 4.0, TOP + 14.0 * (nth as f64 + 1.0));
    write!(
        svg,
        r#"<text class="tick" fill="{colour}" text-anchor="end" x="{x}" y="{y}">{}</text>"#,
        curve.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_its_curves_and_stays_within_its_frame() {
        let points: Vec<(f64, f64)> = (0..5_000).map(|x| (f64::from(x) / 50.0, f64::from(x) + 1.0)).collect();
        let plot = Plot { title: "latency", x: ("percentile", Scale::Nines), y: ("ms", Scale::Log) };
        let svg = draw(&plot, &[Curve { name: "post".into(), points }]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>") && svg.contains(">post<"));
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(points.split(' ').count() <= POINTS_MAX + 1);
        for point in points.split(' ') {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y), "{point}");
        }
        assert_eq!(draw(&plot, &[]), "");
    }

    #[test]
    fn nines_are_equally_far_from_each_other() {
        let far = |low: f64, high: f64| Scale::Nines.place(high) - Scale::Nines.place(low);
        assert!((far(90.0, 99.0) - far(99.0, 99.9)).abs() < 1e-9);
    }
}
