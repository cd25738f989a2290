//! The line state machine of §5.3. Not here: what a line is (`line`), and what happens inside a line (`inline`).
//!
//! The tables below are those of the format without `msg`, which the caller writes round them and the file elements.

use super::inline::Inline;
use super::line::{Line, Place};
use super::xml;

/// Where the text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Start,
    StartEmpty,
    Para,
    PTail,
    Pre,
    PreTail,
    Quote,
    QTail,
    QLong,
}

/// What a line, or the end, writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    P,
    EndP,
    Br,
    Q,
    EndQ,
    /// Opens code, with what the markers swallow.
    Pre,
    EndPre,
}

/// A line that may come, what it writes, and where the text is behind it.
pub(super) type Transition = (Line, &'static [Act], State);

use Act::{Br, EndP, EndPre, EndQ, P, Q};
use Line::{Empty, Hr, PreEnd1, PreEnd2, QHeader, Raw, Txt};

const START: &[Transition] = &[
    (Line::Pre, &[P, Act::Pre], State::Pre),
    (Line::Quote, &[P, Q], State::Quote),
    (QHeader, &[P, Q], State::Quote),
    (Line::QLong, &[P, Q], State::QLong),
    (Empty, &[P, Br], State::StartEmpty),
    (Txt, &[P], State::Para),
];

const START_EMPTY: &[Transition] = &[
    (Line::Pre, &[Act::Pre], State::Pre),
    (Line::Quote, &[Q], State::Quote),
    (QHeader, &[Q], State::Quote),
    (Line::QLong, &[Q], State::QLong),
    (Empty, &[Br], State::StartEmpty),
    (Txt, &[], State::Para),
];

const PARA: &[Transition] = &[
    (Line::Pre, &[Br, Act::Pre], State::Pre),
    (Line::Quote, &[Br, Q], State::Quote),
    (Line::QLong, &[Br, Q], State::QLong),
    (Empty, &[], State::PTail),
    (Txt, &[Br], State::Para),
];

const P_TAIL: &[Transition] = &[
    (Line::Pre, &[EndP, P, Act::Pre], State::Pre),
    (Line::Quote, &[EndP, P, Q], State::Quote),
    (QHeader, &[EndP, P, Q], State::Quote),
    (Line::QLong, &[EndP, P, Q], State::QLong),
    (Empty, &[Br], State::PTail),
    (Txt, &[EndP, P], State::Para),
];

const PRE: &[Transition] =
    &[(PreEnd1, &[EndPre], State::PreTail), (PreEnd2, &[EndPre], State::PreTail), (Raw, &[], State::Pre)];

const PRE_TAIL: &[Transition] = &[
    (Line::Pre, &[Act::Pre], State::Pre),
    (Line::Quote, &[Q], State::Quote),
    (Line::QLong, &[Q], State::QLong),
    (Empty, &[], State::PTail),
    (Txt, &[], State::Para),
];

const QUOTE: &[Transition] = &[
    (Line::Pre, &[Br, EndQ, Act::Pre], State::Pre),
    (Line::Quote, &[Br], State::Quote),
    (Line::QLong, &[Br], State::Quote),
    (Empty, &[], State::QTail),
    (Hr, &[Br], State::Quote),
    (Txt, &[Br, EndQ], State::Para),
];

const Q_TAIL: &[Transition] = &[
    (Line::Pre, &[EndQ, EndP, P, Act::Pre], State::Pre),
    (Line::Quote, &[Br, Br], State::Quote),
    (QHeader, &[Br, Br], State::Quote),
    (Line::QLong, &[Br, Br], State::QLong),
    (Hr, &[Br], State::QTail),
    (Empty, &[Br], State::QTail),
    (Txt, &[EndQ, EndP, P], State::Para),
];

const Q_LONG: &[Transition] = &[(Txt, &[Br], State::QLong)];

impl Act {
    /// As the format calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::P => "p",
            Self::EndP => "/p",
            Self::Br => "br",
            Self::Q => "q",
            Self::EndQ => "/q",
            Self::Pre => "pre%",
            Self::EndPre => "/pre%",
        }
    }
}

impl State {
    /// All of them.
    pub(super) const ALL: [Self; 9] = [
        Self::Start,
        Self::StartEmpty,
        Self::Para,
        Self::PTail,
        Self::Pre,
        Self::PreTail,
        Self::Quote,
        Self::QTail,
        Self::QLong,
    ];

    /// As the format calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::StartEmpty => "START_EMPTY",
            Self::Para => "PARA",
            Self::PTail => "PTAIL",
            Self::Pre => "PRE",
            Self::PreTail => "PRE_TAIL",
            Self::Quote => "QUOTE",
            Self::QTail => "QTAIL",
            Self::QLong => "QLONG",
        }
    }

    /// The lines to try, in this order. The last one takes anything.
    pub(super) const fn transitions(self) -> &'static [Transition] {
        match self {
            Self::Start => START,
            Self::StartEmpty => START_EMPTY,
            Self::Para => PARA,
            Self::PTail => P_TAIL,
            Self::Pre => PRE,
            Self::PreTail => PRE_TAIL,
            Self::Quote => QUOTE,
            Self::QTail => Q_TAIL,
            Self::QLong => Q_LONG,
        }
    }

    /// What the end of the text writes.
    pub(super) const fn end(self) -> &'static [Act] {
        match self {
            Self::Start => &[P, EndP],
            Self::StartEmpty | Self::Para | Self::PreTail => &[EndP],
            Self::PTail => &[Br, EndP],
            Self::Pre => &[EndPre, EndP],
            Self::Quote | Self::QLong => &[EndQ, EndP],
            Self::QTail => &[Br, EndQ, EndP],
        }
    }

    /// Whether the newline of the line before is already in the output: as `br`, in code or in a closing marker. In the
    /// other states what follows writes it, and so an empty line after the last newline counts as a line.
    const fn has_written_newline(self) -> bool {
        match self {
            Self::Start | Self::StartEmpty | Self::Pre | Self::PreTail => true,
            Self::Para | Self::PTail | Self::Quote | Self::QTail | Self::QLong => false,
        }
    }
}

/// Writes the paragraphs of `text`, which has no dropped characters any more.
pub(super) fn convert<'t>(text: &'t str, out: &mut Inline<'t>) {
    let mut state = State::Start;
    let mut rest = text;
    let mut is_after_newline = false;
    while !rest.is_empty() || (is_after_newline && !state.has_written_newline()) {
        let place = Place::at(rest);
        let &(line, acts, next) = state
            .transitions()
            .iter()
            .find(|(line, _, _)| place.is(*line))
            .expect("the last transition of every state takes any line");
        for &act in acts {
            perform(act, place, &mut out.xml);
        }
        match line {
            Line::Quote | QHeader | Line::QLong | Hr | Txt => out.convert(place.line),
            Raw => xml::push_text(&mut out.xml, place.with_newline()),
            Line::Pre | PreEnd1 | PreEnd2 | Empty => {}
        }
        state = next;
        is_after_newline = place.has_newline();
        rest = place.after();
    }
    for &act in state.end() {
        perform(act, Place::at(rest), &mut out.xml);
    }
}

fn perform(act: Act, place: Place<'_>, out: &mut String) {
    match act {
        P => out.push_str("<p>"),
        EndP => out.push_str("</p>"),
        Br => out.push_str("<br/>"),
        Q => out.push_str("<q>"),
        EndQ => out.push_str("</q>"),
        Act::Pre => {
            out.push_str("<pre");
            xml::push_attribute(out, "flp", place.captured(Line::Pre));
            let closing = place.closing_fence();
            if !closing.is_empty() {
                xml::push_attribute(out, "fls", closing);
            }
            out.push('>');
        }
        EndPre => out.push_str("</pre>"),
    }
}
