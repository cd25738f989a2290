//! The line types of §5.3: what a line is, looked at from its start. Not here: what follows from it.

use super::effort;

/// A type of line. A line may be of several; the state decides which is tried first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// `:::` and a newline: code begins.
    Pre,
    /// `:::` and two newlines: code ends, and the newline stays for what follows.
    PreEnd1,
    /// `:::` and a newline: code ends. The end of the text stands for the newline.
    PreEnd2,
    /// `>`.
    Quote,
    /// A line like "… wrote:" before a quote.
    QHeader,
    /// The start of a signature or of a forwarded message.
    QLong,
    /// Three or more dashes alone.
    Hr,
    /// Only blanks.
    Empty,
    /// Anything, for inline conversion.
    Txt,
    /// Anything, as it stands.
    Raw,
}

impl Line {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Pre,
        Self::PreEnd1,
        Self::PreEnd2,
        Self::Quote,
        Self::QHeader,
        Self::QLong,
        Self::Hr,
        Self::Empty,
        Self::Txt,
        Self::Raw,
    ];

    /// As the format calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::PreEnd1 => "pre_end1",
            Self::PreEnd2 => "pre_end2",
            Self::Quote => "quote",
            Self::QHeader => "qheader",
            Self::QLong => "qlong",
            Self::Hr => "hr",
            Self::Empty => "empty",
            Self::Txt => "txt",
            Self::Raw => "raw",
        }
    }

    /// An expression that matches where a line of this type begins, as [`Place::is`] decides it.
    pub(super) const fn pattern(self) -> &'static str {
        match self {
            Self::Pre => r"(:::[ \t]*\n)",
            Self::PreEnd1 => r"(:::)\n\n",
            Self::PreEnd2 => r"(:::(?:\n|$))",
            Self::Quote => ">",
            Self::QHeader => {
                r"(?:[^\n]*(?:wrote:|writes:|écrit[ \u00A0]:)|Am [^\n]*(?:schrieb|scrieb)[^\n]*:)[ \t]*\n(?:[ \t]*\n){0,2}>"
            }
            Self::QLong => {
                r"-- (?:\n|$)|From: |\*From\*: |-{3,}[ \t]*(?i:forwarded|original)(?i: message)[ \t]*-{3,}[ \t]*(?:\n|$)"
            }
            Self::Hr => r"-{3,}(?:\n|$)",
            Self::Empty => r"[ \t]*(?:\n|$)",
            Self::Txt | Self::Raw => "",
        }
    }
}

const FENCE: &str = ":::";

/// What ends the line before a quoted answer. French typography has a no-break space before the colon.
const HEADER_ENDS: [&str; 4] = ["wrote:", "writes:", "écrit :", "écrit\u{a0}:"];

/// Blank lines allowed between such a line and the quote: mail clients put none or one, and the format allows one more.
const HEADER_GAP_MAX: usize = 2;

/// The place of a line in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'t> {
    /// The line without its newline.
    pub(super) line: &'t str,
    /// The line and all that follows.
    rest: &'t str,
}

impl<'t> Place<'t> {
    /// The first line of `rest`.
    pub(super) fn at(rest: &'t str) -> Self {
        let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
        Self { line, rest }
    }

    /// Whether a newline ends the line, and not the end of the text.
    pub(super) fn has_newline(self) -> bool {
        self.rest.len() > self.line.len()
    }

    /// The line with its newline, if it has one.
    pub(super) fn with_newline(self) -> &'t str {
        &self.rest[..self.line.len() + usize::from(self.has_newline())]
    }

    /// What follows the line and its newline.
    pub(super) fn after(self) -> &'t str {
        &self.rest[self.with_newline().len()..]
    }

    pub(super) fn is(self, line: Line) -> bool {
        match line {
            Line::Pre => self.has_newline() && self.line.strip_prefix(FENCE).is_some_and(is_blank),
            Line::PreEnd1 => self.line == FENCE && self.has_newline() && self.after().starts_with('\n'),
            Line::PreEnd2 => self.line == FENCE,
            Line::Quote => self.line.starts_with('>'),
            Line::QHeader => self.is_header(),
            Line::QLong => {
                self.line == "-- "
                    || self.line.starts_with("From: ")
                    || self.line.starts_with("*From*: ")
                    || is_forward_rule(self.line)
            }
            Line::Hr => self.line.len() >= 3 && self.line.bytes().all(|b| b == b'-'),
            Line::Empty => is_blank(self.line),
            Line::Txt | Line::Raw => true,
        }
    }

    /// The characters that an opening or closing code marker swallows. To be asked only where [`is`](Self::is) holds.
    pub(super) fn captured(self, line: Line) -> &'t str {
        match line {
            Line::Pre | Line::PreEnd2 => self.with_newline(),
            Line::PreEnd1 => self.line,
            Line::Quote | Line::QHeader | Line::QLong | Line::Hr | Line::Empty | Line::Txt | Line::Raw => "",
        }
    }

    /// What the closing marker of the code that begins here swallows; empty when the code is not closed.
    pub(super) fn closing_fence(self) -> &'t str {
        let mut place = self;
        while !place.after().is_empty() {
            place = Self::at(place.after());
            effort::examined(place.with_newline().len());
            for end in [Line::PreEnd1, Line::PreEnd2] {
                if place.is(end) {
                    return place.captured(end);
                }
            }
        }
        ""
    }

    fn is_header(self) -> bool {
        if !self.has_newline() || !ends_like_header(self.line.trim_end_matches(BLANKS)) {
            return false;
        }
        let mut next = Self::at(self.after());
        for _ in 0..HEADER_GAP_MAX {
            effort::examined(next.with_newline().len());
            if !next.is(Line::Empty) || !next.has_newline() {
                break;
            }
            next = Self::at(next.after());
        }
        next.is(Line::Quote)
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

fn is_blank(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' ' | b'\t'))
}

fn ends_like_header(line: &str) -> bool {
    let is_german = || {
        line.starts_with("Am ")
            && line.ends_with(':')
            && (line.contains("schrieb") || line.contains("scrieb"))
    };
    HEADER_ENDS.iter().any(|end| line.ends_with(end)) || is_german()
}

/// `--- Forwarded message ---` and `--- Original message ---`, with any number of dashes from three.
fn is_forward_rule(line: &str) -> bool {
    let words = line.trim_end_matches(BLANKS).trim_matches('-');
    let has_dashes = line.starts_with("---") && line.trim_end_matches(BLANKS).ends_with("---");
    let words = words.trim_matches(BLANKS);
    has_dashes
        && (words.eq_ignore_ascii_case("forwarded message") || words.eq_ignore_ascii_case("original message"))
}
