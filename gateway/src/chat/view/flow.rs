//! The message column: who wrote what when, what happened to it, and who has read how far.
//!
//! Owns the rows of messages and which of them fit on the screen. Times are UTC: this client asks the machine for no
//! time zone.

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use rill_proto::id::AccountId;

use super::wrap::{width, wrap};
use crate::chat::desk::{Desk, Drawn, Mode, Place};
use crate::chat::picture::{Conversation, Message, Picture};
use crate::chat::text::shown;

/// Texts stand to the right of the numbers.
const INDENT: &str = "      ";

/// The style of what is less important than the text.
pub(super) fn faint() -> Style {
    Style::new().fg(Color::DarkGray)
}

/// Draws the rows that fit, the last of them at the desk's anchor.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    conv: &Conversation,
    desk: &Desk,
    picture: &Picture,
) -> Drawn {
    let rows = rows(conv, desk, picture, usize::from(area.width));
    let places: Vec<Place> = rows.iter().map(|(place, _)| *place).collect();
    let height = usize::from(area.height);
    let bottom = match desk.anchor {
        Some(anchor) => places.partition_point(|place| *place <= anchor).max(height).min(places.len()),
        None => places.len(),
    };
    let top = bottom.saturating_sub(height);
    let lines: Vec<Line<'_>> = rows.into_iter().skip(top).take(bottom - top).map(|(_, line)| line).collect();
    frame.render_widget(Paragraph::new(lines), area);
    Drawn { rows: places, top, bottom }
}

fn rows(conv: &Conversation, desk: &Desk, picture: &Picture, columns: usize) -> Vec<(Place, Line<'static>)> {
    let readers = conv.readers();
    let mut day = None;
    let mut out = Vec::new();
    for message in conv.flow() {
        let mut lines = Vec::new();
        let this_day = message.posted_time / SECONDS_A_DAY;
        if day.replace(this_day) != Some(this_day) {
            lines.push(Line::styled(format!("── {} ──", date(this_day)), faint()));
        }
        message_rows(&mut lines, message, desk, picture, columns);
        lines.extend(read_row(message.nr, &readers, picture));
        let place = |row| Place { message_nr: message.nr, row };
        out.extend(lines.into_iter().enumerate().map(|(row, line)| (place(row), line)));
    }
    let under_way = desk.sending.iter().filter(|sending| sending.is_new && sending.conversation == conv.id);
    let texts =
        under_way.flat_map(|sending| body_rows(&format!("{} (sending)", sending.text), faint(), columns));
    // Behind every message that has a number.
    let place = |row| Place { message_nr: u64::MAX, row };
    out.extend(texts.enumerate().map(|(row, line)| (place(row), line)));
    out
}

fn message_rows(
    lines: &mut Vec<Line<'static>>,
    message: &Message,
    desk: &Desk,
    picture: &Picture,
    columns: usize,
) {
    let (number, time) = (format!("{:>5} ", message.nr), clock(message.posted_time));
    if message.is_system() {
        let sentence = format!("{} {time}", picture.sentence(message));
        let style = faint().add_modifier(Modifier::ITALIC);
        let texts = wrap(&sentence, columns.saturating_sub(width(INDENT)));
        let starts = std::iter::once(number).chain(std::iter::repeat(INDENT.to_owned()));
        lines.extend(
            texts.into_iter().zip(starts).map(|(text, start)| Line::styled(format!("{start}{text}"), style)),
        );
        return;
    }
    let is_edited_here = matches!(&desk.mode, Mode::Edit(editing) if editing.message_nr == message.nr);
    let is_marked = desk.selected == Some(message.nr) || is_edited_here;
    let mut name = Style::new().add_modifier(Modifier::BOLD);
    if message.author == Some(picture.me) {
        name = name.fg(Color::Cyan);
    }
    let mut header = vec![
        Span::styled(number, faint()),
        Span::styled(picture.author(message), name),
        Span::styled(format!(" {time}"), faint()),
        Span::styled(marks(message), faint()),
    ];
    if let Some(holder) = message.locked_by.filter(|holder| *holder != picture.me) {
        let lock = format!(" ✎ {} is editing this", picture.name(holder));
        header.push(Span::styled(lock, Style::new().fg(Color::Yellow)));
    }
    let mut header = Line::from(header);
    if is_marked {
        header = header.style(Style::new().add_modifier(Modifier::REVERSED));
    }
    lines.push(header);
    if let Some(subject) = message.subject.as_ref().filter(|subject| !subject.is_empty()) {
        lines.extend(body_rows(subject, Style::new().add_modifier(Modifier::BOLD), columns));
    }
    if !message.is_deleted() {
        lines.extend(body_rows(&shown(&message.body), Style::new(), columns));
    }
}

fn body_rows(text: &str, style: Style, columns: usize) -> Vec<Line<'static>> {
    let rows = wrap(text, columns.saturating_sub(width(INDENT)));
    rows.into_iter().map(|row| Line::styled(format!("{INDENT}{row}"), style)).collect()
}

fn marks(message: &Message) -> String {
    let state = match message.state.as_str() {
        "deleted" => " (deleted)",
        "pinned" => " (pinned)",
        "todo" => " (to do)",
        "done" => " (done)",
        _ => "",
    };
    let edited = if message.edited_time.is_some() && !message.is_deleted() { " (edited)" } else { "" };
    format!("{state}{edited}")
}

fn read_row(nr: u64, readers: &BTreeMap<u64, Vec<AccountId>>, picture: &Picture) -> Option<Line<'static>> {
    let names: Vec<String> = readers.get(&nr)?.iter().map(|id| picture.name(*id)).collect();
    Some(Line::styled(format!("{INDENT}✓ {}", names.join(", ")), Style::new().fg(Color::Green)))
}

const SECONDS_A_DAY: u64 = 86_400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn clock(time: u64) -> String {
    let minutes = time % SECONDS_A_DAY / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The date of a day counted from 1 January 1970, by stepping through whole years and months.
fn date(day: u64) -> String {
    // Days past this year are a server's mistake; they must not cost a loop of their own length.
    const LAST_YEAR: u64 = 9999;
    let (mut year, mut left) = (1970, day);
    while year < LAST_YEAR && left >= days_of_year(year) {
        left -= days_of_year(year);
        year += 1;
    }
    let february = if days_of_year(year) == 366 { 29 } else { 28 };
    for (month, days) in MONTHS.iter().zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        if left < days {
            return format!("{} {month} {year}", left + 1);
        }
        left -= days;
    }
    format!("after {year}")
}

fn days_of_year(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if is_leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_number_is_a_date() {
        assert_eq!(date(0), "1 January 1970");
        assert_eq!(date(789), "29 February 1972");
        assert_eq!(date(1_500_000_000 / SECONDS_A_DAY), "14 July 2017");
        assert_eq!(date(u64::MAX / SECONDS_A_DAY), "after 9999");
        assert_eq!(clock(1_500_000_000), "02:40");
    }
}
