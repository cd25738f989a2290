//! Breaking text into rows of a terminal.
//!
//! Owns the measuring of text in columns. Control characters take no column and are left out, so that no message can
//! move the cursor or change the terminal.

use ratatui::text::Span;

/// A tab becomes this many blanks.
const TAB: &str = "    ";

/// The columns that a text without line ends takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text in rows of at most `columns`, broken between words where that is possible.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    rows(text, columns, true)
}

/// The text in rows of at most `columns`, broken wherever a row is full: a cursor can be placed by it.
pub(super) fn fold(text: &str, columns: usize) -> Vec<String> {
    rows(text, columns, false)
}

/// The text in one row of at most `columns`, with an ellipsis where it goes on.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    let one_row = text.replace('\n', " ");
    if width(&one_row) <= columns {
        return rows(&one_row, usize::MAX, false).concat();
    }
    let cut = rows(&one_row, columns.saturating_sub(1), false).into_iter().next().unwrap_or_default();
    if columns == 0 { String::new() } else { format!("{cut}…") }
}

fn rows(text: &str, columns: usize, by_words: bool) -> Vec<String> {
    // A screen without room still gets one character a row rather than an endless loop.
    let columns = columns.max(1);
    let mut out = Vec::new();
    for line in text.split('\n') {
        let line = line.replace('\t', TAB);
        let (mut row, mut used) = (String::new(), 0);
        for character in line.chars().filter(|character| !character.is_control()) {
            let needed = width(character.encode_utf8(&mut [0; 4]));
            if used + needed > columns && !row.is_empty() {
                let rest = if by_words { broken_at_word(&mut row, character) } else { String::new() };
                out.push(std::mem::replace(&mut row, rest));
                used = width(&row);
                if by_words && row.is_empty() && character == ' ' {
                    continue;
                }
            }
            row.push(character);
            used += needed;
        }
        out.push(row);
    }
    out
}

/// Takes the begun word off the end of a full row, unless the row is one word or ends with one.
fn broken_at_word(row: &mut String, next: char) -> String {
    if next == ' ' {
        return String::new();
    }
    let Some(blank) = row.rfind(' ') else {
        return String::new();
    };
    let word = row.split_off(blank + 1);
    row.truncate(blank);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_break_between_words_and_inside_a_word_only_when_it_is_too_long() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one two", 7), ["one two"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn wide_characters_count_as_two_columns() {
        assert_eq!(fold("日本語", 4), ["日本", "語"]);
        assert_eq!(fold("日本語", 0), ["日", "本", "語"]);
    }

    #[test]
    fn control_characters_do_not_reach_the_screen() {
        assert_eq!(wrap("a\u{1b}[2Jb\tc\u{7}", 20), ["a[2Jb    c"]);
        assert_eq!(shortened("a\u{1b}b", 9), "ab");
    }

    #[test]
    fn a_long_title_ends_with_an_ellipsis() {
        assert_eq!(shortened("conversation", 7), "conver…");
        assert_eq!(shortened("short", 7), "short");
        assert_eq!(shortened("short", 0), "");
    }
}
