//! Lines to blocks: the transitions of §5.3, state by state, and what makes a line what it is.

use crate::{assert_paragraphs, paragraph, xml};
use rill_proto::markup::plain_text;

/// Closed code that a newline follows only as the start of something else.
const PRE: &str = "<pre flp=\":::&#10;\" fls=\":::\">c\n</pre>";

/// An opened paragraph with closed code, the newline swallowed by the closing marker.
const CODE: &str = "<p><pre flp=\":::&#10;\" fls=\":::&#10;\">c\n</pre>";

/// `lead` brings the machine into a state; then each line with what comes of both.
fn assert_from(lead: &str, lines: &[(&str, &str)]) {
    for (line, expected) in lines {
        let typed = format!("{lead}{line}");
        assert_eq!(xml(&typed), format!("<msg>{expected}</msg>"), "for {typed:?}");
        assert_eq!(plain_text(&xml(&typed)), typed, "back from {expected}");
    }
}

#[test]
fn from_start() {
    assert_from(
        "",
        &[
            (":::\nc\n:::", &format!("<p>{PRE}</p>")),
            ("> q", "<p><q>&gt; q</q></p>"),
            ("A wrote:\n> q", "<p><q>A wrote:<br/>&gt; q</q></p>"),
            ("-- \n> x", "<p><q>-- <br/>&gt; x</q></p>"),
            ("\nz", "<p><br/>z</p>"),
            ("---", "<p>---</p>"),
            ("t", "<p>t</p>"),
            ("", "<p></p>"),
        ],
    );
}

#[test]
fn from_start_empty() {
    assert_from(
        "\n",
        &[
            (":::\nc\n:::", &format!("<p><br/>{PRE}</p>")),
            ("> q", "<p><br/><q>&gt; q</q></p>"),
            ("A wrote:\n> q", "<p><br/><q>A wrote:<br/>&gt; q</q></p>"),
            ("-- \n> x", "<p><br/><q>-- <br/>&gt; x</q></p>"),
            ("\nz", "<p><br/><br/>z</p>"),
            ("t", "<p><br/>t</p>"),
            ("", "<p><br/></p>"),
        ],
    );
}

#[test]
fn from_para() {
    assert_from(
        "t\n",
        &[
            (":::\nc\n:::", &format!("<p>t<br/>{PRE}</p>")),
            ("> q", "<p>t<br/><q>&gt; q</q></p>"),
            ("A wrote:\n> q", "<p>t<br/>A wrote:<br/><q>&gt; q</q></p>"),
            ("-- \n> x", "<p>t<br/><q>-- <br/>&gt; x</q></p>"),
            ("\nz", "<p>t</p><p>z</p>"),
            ("---", "<p>t<br/>---</p>"),
            ("t", "<p>t<br/>t</p>"),
        ],
    );
}

#[test]
fn from_p_tail() {
    assert_from(
        "t\n\n",
        &[
            (":::\nc\n:::", &format!("<p>t</p><p>{PRE}</p>")),
            ("> q", "<p>t</p><p><q>&gt; q</q></p>"),
            ("A wrote:\n> q", "<p>t</p><p><q>A wrote:<br/>&gt; q</q></p>"),
            ("-- \n> x", "<p>t</p><p><q>-- <br/>&gt; x</q></p>"),
            ("\nz", "<p>t<br/></p><p>z</p>"),
            ("t", "<p>t</p><p>t</p>"),
            ("", "<p>t<br/><br/></p>"),
        ],
    );
}

#[test]
fn from_pre() {
    assert_from(
        ":::\nc\n",
        &[
            (":::\n\nt", &format!("<p>{PRE}</p><p>t</p>")),
            (":::\nt", &format!("{CODE}t</p>")),
            ("*r*\n> r", "<p><pre flp=\":::&#10;\">c\n*r*\n&gt; r</pre></p>"),
            ("\n\n", "<p><pre flp=\":::&#10;\">c\n\n\n</pre></p>"),
            ("", "<p><pre flp=\":::&#10;\">c\n</pre></p>"),
        ],
    );
}

#[test]
fn from_pre_tail() {
    assert_from(
        ":::\nc\n:::\n",
        &[
            (":::\nc\n:::", &format!("{CODE}{PRE}</p>")),
            ("> q", &format!("{CODE}<q>&gt; q</q></p>")),
            ("A wrote:\n> q", &format!("{CODE}A wrote:<br/><q>&gt; q</q></p>")),
            ("-- \n> x", &format!("{CODE}<q>-- <br/>&gt; x</q></p>")),
            ("t", &format!("{CODE}t</p>")),
            ("", &format!("{CODE}</p>")),
        ],
    );
}

#[test]
fn from_quote() {
    assert_from(
        "> q\n",
        &[
            (":::\nc\n:::", &format!("<p><q>&gt; q<br/></q>{PRE}</p>")),
            ("> q", "<p><q>&gt; q<br/>&gt; q</q></p>"),
            ("-- \nt", "<p><q>&gt; q<br/>-- <br/></q>t</p>"),
            ("\nz", "<p><q>&gt; q</q></p><p>z</p>"),
            ("---\n> q", "<p><q>&gt; q<br/>---<br/>&gt; q</q></p>"),
            ("t", "<p><q>&gt; q<br/></q>t</p>"),
        ],
    );
}

#[test]
fn from_q_tail() {
    assert_from(
        "> q\n\n",
        &[
            (":::\nc\n:::", &format!("<p><q>&gt; q</q></p><p>{PRE}</p>")),
            ("> q", "<p><q>&gt; q<br/><br/>&gt; q</q></p>"),
            ("A wrote:\n> q", "<p><q>&gt; q<br/><br/>A wrote:<br/>&gt; q</q></p>"),
            ("-- \nt", "<p><q>&gt; q<br/><br/>-- <br/>t</q></p>"),
            ("\nz", "<p><q>&gt; q<br/></q></p><p>z</p>"),
            ("t", "<p><q>&gt; q</q></p><p>t</p>"),
            ("", "<p><q>&gt; q<br/><br/></q></p>"),
        ],
    );
}

#[test]
fn from_q_long() {
    assert_from(
        "-- \n",
        &[
            (":::\nc\n:::", "<p><q>-- <br/>:::<br/>c<br/>:::</q></p>"),
            ("> q", "<p><q>-- <br/>&gt; q</q></p>"),
            ("\nz", "<p><q>-- <br/><br/>z</q></p>"),
            ("---", "<p><q>-- <br/>---</q></p>"),
            ("", "<p><q>-- <br/></q></p>"),
        ],
    );
}

#[test]
fn newlines() {
    for (typed, expected) in [
        ("", "<msg><p></p></msg>"),
        ("a\nb", "<msg><p>a<br/>b</p></msg>"),
        ("a\n\nb", "<msg><p>a</p><p>b</p></msg>"),
        ("a\n\n\nb", "<msg><p>a<br/></p><p>b</p></msg>"),
        ("a\n\n\n\nb", "<msg><p>a<br/><br/></p><p>b</p></msg>"),
        ("a\n", "<msg><p>a<br/></p></msg>"),
        ("a\n\n", "<msg><p>a<br/><br/></p></msg>"),
        ("\na", "<msg><p><br/>a</p></msg>"),
        ("\n", "<msg><p><br/></p></msg>"),
        ("\n\n", "<msg><p><br/><br/></p></msg>"),
    ] {
        assert_eq!(xml(typed), expected, "for {typed:?}");
        assert_eq!(plain_text(expected), typed, "back from {expected}");
    }
}

/// The only line whose newline moves: the format writes one newline before it and leaves the other to what follows.
#[test]
fn a_rule_after_a_quote_and_a_blank_line() {
    assert_eq!(paragraph("> q\n\n---\n> q"), "<q>&gt; q<br/>---<br/><br/>&gt; q</q>");
}

#[test]
fn line_types() {
    for header in ["A wrote:", "A writes: ", "A a écrit :", "Am Montag schrieb A:", "Am Montag scrieb A:"] {
        for gap in ["\n", "\n\n", "\n \n"] {
            assert!(xml(&format!("{header}{gap}> q")).starts_with("<msg><p><q>A"), "{header:?} and {gap:?}");
        }
        assert!(!xml(&format!("{header}\nq")).contains("<q>"), "{header:?} before no quote");
        assert!(!xml(header).contains("<q>"), "{header:?} alone");
    }
    for long in ["-- ", "From: a", "*From*: a", "--- Forwarded message ---", "-----Original Message-----"] {
        assert!(xml(&format!("{long}\nt")).ends_with("<br/>t</q></p></msg>"), "{long:?}");
    }
    for text in
        ["--", "-- a", "From:", "--- message ---", "-- Forwarded message --", ":::", "::: a\nb", " > a"]
    {
        assert!(!xml(text).contains("<q>") && !xml(text).contains("<pre"), "{text:?}");
    }
    assert_eq!(xml("a\n \t\nb"), "<msg><p>a</p><p>b</p></msg>");
    assert_paragraphs(&[(":::\t \nc\n::: \n:::", "<pre flp=\":::&#9; &#10;\" fls=\":::\">c\n::: \n</pre>")]);
}
