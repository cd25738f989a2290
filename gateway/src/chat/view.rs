//! Draws the picture and the desk.
//!
//! Owns the layout and the looks. It changes nothing and decides nothing; it tells back which rows it drew, so that the
//! desk can turn a page. The message column is in `view/flow.rs`, the breaking of lines in `view/wrap.rs`.

mod flow;
mod wrap;

use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::connection::Link;
use super::desk::{Desk, Drawn, Mode};
use super::picture::{Conversation, Picture};
use wrap::{fold, shortened, width};

/// The list is as wide as most names and topics need.
const LIST_COLUMNS: u16 = 28;

/// The input grows to this many rows; a longer text scrolls in it.
const INPUT_ROWS_MAX: u16 = 5;

const KEYS: &[(&str, &str)] = &[
    ("Enter", "send, or answer the question"),
    ("Alt-Enter, Ctrl-J", "new line"),
    ("Up, Down", "edit my newest message, the one before, after"),
    ("Esc", "stop editing, unmark, back to the newest"),
    ("Tab, Shift-Tab", "next, previous conversation"),
    ("Ctrl-Down, Ctrl-Up", "the same"),
    ("PgUp, PgDn", "older (loads more), newer"),
    ("Alt-Up, Alt-Down", "mark a message (also with Shift)"),
    ("Ctrl-D", "delete the marked message"),
    ("Ctrl-N", "new conversation"),
    ("Ctrl-A", "add members"),
    ("Ctrl-T", "topic"),
    ("Ctrl-U, Ctrl-W", "delete the line, a word"),
    ("F1", "these keys"),
    ("Ctrl-C", "leave"),
];

/// Draws everything; returns what it has drawn of the messages.
pub(crate) fn draw(frame: &mut Frame<'_>, desk: &Desk, picture: &Picture, now: Instant) -> Drawn {
    let area = frame.area();
    // The border and the cursor take three columns.
    let input = fold(desk.line().text(), usize::from(area.width.saturating_sub(3)));
    let input_rows = u16::try_from(input.len()).unwrap_or(u16::MAX).min(INPUT_ROWS_MAX);
    let rows =
        Layout::vertical([Constraint::Min(3), Constraint::Length(input_rows + 2), Constraint::Length(1)]);
    let [main, bottom, status] = rows.areas(area);
    let list_columns = LIST_COLUMNS.min(area.width / 3);
    let [list, messages] =
        Layout::horizontal([Constraint::Length(list_columns), Constraint::Min(1)]).areas(main);
    draw_list(frame, list, desk, picture);
    let drawn = draw_conversation(frame, messages, desk, picture, now);
    draw_input(frame, bottom, desk, &input);
    draw_status(frame, status, desk, now);
    if matches!(desk.mode, Mode::Help) {
        draw_help(frame, area);
    }
    drawn
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, desk: &Desk, picture: &Picture) {
    let block = Block::bordered().title(" Conversations ");
    let inner = block.inner(area);
    let list = picture.list();
    let chosen = list.iter().position(|conv| Some(conv.id) == desk.chosen).unwrap_or(0);
    let rows = usize::from(inner.height);
    let hidden = (chosen + 1).saturating_sub(rows);
    let lines: Vec<Line<'_>> = list
        .into_iter()
        .skip(hidden)
        .take(rows)
        .map(|conv| list_row(conv, Some(conv.id) == desk.chosen, picture, usize::from(inner.width)))
        .collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn list_row<'a>(conv: &Conversation, is_chosen: bool, picture: &Picture, columns: usize) -> Line<'a> {
    let count = match conv.unread_count {
        0 if conv.can_post => String::new(),
        0 => " (left)".to_owned(),
        count => format!(" {count}"),
    };
    let room = columns.saturating_sub(width(&count));
    let title = shortened(&picture.title(conv), room);
    let gap = " ".repeat(room.saturating_sub(width(&title)));
    let mut style = Style::new();
    if conv.unread_count > 0 {
        style = style.add_modifier(Modifier::BOLD);
    }
    if is_chosen {
        style = style.add_modifier(Modifier::REVERSED);
    }
    Line::styled(format!("{title}{gap}{count}"), style)
}

fn draw_conversation(
    frame: &mut Frame<'_>,
    area: Rect,
    desk: &Desk,
    picture: &Picture,
    now: Instant,
) -> Drawn {
    let shown = desk.chosen.and_then(|id| picture.conversation(id));
    let Some(conv) = shown else {
        let hint = "No conversation yet. Ctrl-N begins one, F1 shows the keys.";
        frame.render_widget(Paragraph::new(hint).block(Block::bordered()), area);
        return Drawn::default();
    };
    let title = format!(" {} · {} members ", picture.title(conv), conv.members.len());
    let block = Block::bordered().title(shortened(&title, usize::from(area.width.saturating_sub(2))));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [messages, pens] = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(inner);
    let drawn = flow::draw(frame, messages, conv, desk, picture);
    let pens_line = Line::styled(writers(conv, picture, now), Style::new().fg(Color::Yellow));
    frame.render_widget(pens_line, pens);
    drawn
}

fn writers(conv: &Conversation, picture: &Picture, now: Instant) -> String {
    let names: Vec<String> = conv.writers(now).into_iter().map(|id| picture.name(id)).collect();
    match names.len() {
        0 => String::new(),
        1 => format!("{} is writing…", names[0]),
        _ => format!("{} are writing…", names.join(", ")),
    }
}

fn draw_input(frame: &mut Frame<'_>, area: Rect, desk: &Desk, input: &[String]) {
    let title = match &desk.mode {
        Mode::Write | Mode::Help => " Message ".to_owned(),
        Mode::Edit(editing) => format!(" Editing message {} (Esc leaves it as it is) ", editing.message_nr),
        Mode::Ask(question, _) => format!(" {} ", question.prompt()),
    };
    let block = Block::bordered().title(title);
    let inner = block.inner(area);
    let before = fold(desk.line().before_cursor(), usize::from(area.width.saturating_sub(3)));
    let cursor_row = before.len().saturating_sub(1);
    let rows = usize::from(inner.height);
    let hidden = (cursor_row + 1).saturating_sub(rows);
    let lines: Vec<Line<'_>> =
        input.iter().skip(hidden).take(rows).map(|row| Line::raw(row.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
    let column = before.last().map_or(0, |row| width(row));
    let at = (u16::try_from(column), u16::try_from(cursor_row.saturating_sub(hidden)));
    if let (Ok(column), Ok(row)) = at
        && !inner.is_empty()
    {
        frame.set_cursor_position(Position::new(inner.x + column.min(inner.width - 1), inner.y + row));
    }
}

fn draw_status(frame: &mut Frame<'_>, area: Rect, desk: &Desk, now: Instant) {
    let (state, colour) = match &desk.link {
        Link::Connecting => ("connecting".to_owned(), Color::Yellow),
        // The progress is a share of one; whatever else a server sends is shown as what it would be.
        Link::Syncing(progress) => (format!("loading {:.0} %", progress * 100.0), Color::Yellow),
        Link::Live => ("connected".to_owned(), Color::Green),
        Link::Waiting(until, reason) => {
            let seconds = until.saturating_duration_since(now).as_secs_f64().ceil();
            (format!("reconnecting in {seconds} s ({reason})"), Color::Red)
        }
        Link::Ended(reason) => (format!("signed out: {reason}"), Color::Red),
    };
    let mut spans = vec![
        Span::styled(state, Style::new().fg(colour)),
        Span::raw(format!(" · horizon {}", desk.event_horizon)),
    ];
    if desk.unanswered() > 0 {
        spans.push(Span::raw(format!(" · {} unanswered", desk.unanswered())));
    }
    if !desk.notice.is_empty() {
        spans.push(Span::raw(" · "));
        spans.push(Span::styled(desk.notice.clone(), Style::new().fg(Color::Yellow)));
    }
    frame.render_widget(Line::from(spans), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let rows = u16::try_from(KEYS.len()).unwrap_or(u16::MAX);
    let popup = area.centered(Constraint::Length(72), Constraint::Length(rows + 3));
    let mut lines: Vec<Line<'_>> =
        KEYS.iter().map(|(key, does)| Line::raw(format!(" {key:<20}{does}"))).collect();
    lines.push(Line::styled(" Times are UTC. ✓ names who has read up to a message.", flow::faint()));
    frame.render_widget(Clear, popup);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" Keys ")), popup);
}

#[cfg(test)]
mod tests;
