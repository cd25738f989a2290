//! Typed text to message XML and back, as `protocol.md` §5 describes it.
//!
//! Owns the conversion of what a person types. Not here: the length limit of a message (a field limit), whose name a
//! mention is, and the JSON bodies of system messages.
//!
//! Every look-ahead either consumes what it has seen or is made once a line, so the time is linear in the text whoever
//! wrote it.

mod block;
mod effort;
mod emoticon;
mod inline;
mod line;
mod link;
mod plain;
mod syntax;
mod xml;

use std::borrow::Cow;

use inline::Inline;
pub use plain::plain_text;
pub use syntax::syntax;

/// A file element to append to a message (§5.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRef<'a> {
    /// The attachment id.
    pub key: &'a str,
    /// The file name, shown as the text of the element while the file is there.
    pub name: &'a str,
    /// Whether the file has been deleted since.
    pub is_deleted: bool,
}

/// A message body, ready to be stored and sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// One well-formed `msg` element.
    pub xml: String,
    /// The names typed after `@`, without the `@`, in order and without duplicates, as typed.
    pub mentions: Vec<String>,
}

/// A message with nothing left in it.
const EMPTY: &str = "<msg/>";

/// A message body with other files at its end; the text before them stays as it is.
#[must_use]
pub fn with_files(xml: &str, files: &[FileRef<'_>]) -> String {
    let body = if xml == EMPTY { "<msg>" } else { xml.strip_suffix("</msg>").unwrap_or(xml) };
    // Typed text has no `<` left in it, so this is where the files begin.
    let text = body.find("<file ").map_or(body, |end| &body[..end]);
    if text == "<msg>" && files.is_empty() {
        return EMPTY.to_owned();
    }
    let mut out = text.to_owned();
    for file in files {
        append_file(&mut out, file);
    }
    out.push_str("</msg>");
    out
}

/// Converts typed text and appends the files. The text is never taken for XML.
///
/// Without text there is an empty paragraph, or none when there are files.
pub fn render(text: &str, files: &[FileRef<'_>]) -> Rendered {
    let text = without_dropped(text);
    let mut out = Inline::default();
    out.xml.push_str("<msg>");
    if !text.is_empty() || files.is_empty() {
        block::convert(&text, &mut out);
    }
    for file in files {
        append_file(&mut out.xml, file);
    }
    out.xml.push_str("</msg>");
    let mentions = out.mentions();
    Rendered { xml: out.xml, mentions }
}

fn append_file(out: &mut String, file: &FileRef<'_>) {
    out.push_str("<file");
    xml::push_attribute(out, "key", &without_dropped(file.key));
    if file.is_deleted {
        xml::push_attribute(out, "is_deleted", "true");
        out.push_str("/>");
        return;
    }
    out.push('>');
    xml::push_text(out, &without_dropped(file.name));
    out.push_str("</file>");
}

/// The text without the characters of §5.2 that are dropped; CR is one of them, so `\r\n` becomes `\n`.
fn without_dropped(text: &str) -> Cow<'_, str> {
    if text.contains(is_dropped) {
        Cow::Owned(text.chars().filter(|&c| !is_dropped(c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn is_dropped(c: char) -> bool {
    // The last two are not in the list of §5.2, but no XML document may contain them in any spelling.
    matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::{effort, plain_text, render};

    /// Long enough that a search made again and again would overrun the bounds a hundredfold, and short enough for a
    /// test without optimisation; the bounds hold for the longest message alike.
    const TEXT_CHARS: usize = 8192;

    /// Look-aheads may read every byte this often: once each for the span at two depths, the link, its description, the
    /// mention and the code fence, and none may depend on what else is in the text.
    const LOOKS_MAX: usize = 6;

    /// How much longer the XML may be: one `&` is five bytes, three times over in a described link, and `*a* ` is
    /// twenty-six bytes.
    const GROWTH_MAX: usize = 16;

    /// What a search could start at, end at, or start at and never end.
    const PIECES: &[&str] = &[
        "*a ",
        "_a ",
        "*a _b ",
        "* a*b ",
        "*a* ",
        "*_a_* ",
        "_*a ",
        "**",
        "*",
        "_ _",
        "http://a<<",
        "http://a<<b>>",
        "http://a<< ",
        "www.a<<",
        "www.",
        "www.-",
        "http://",
        "http://-",
        "http://(",
        "http://a(",
        "http://a)",
        "https://&<<&>>",
        "@a",
        "@",
        "@a@",
        "x@a@",
        "@.",
        "(@.",
        "((",
        "((beer)",
        "(beer)",
        ":",
        ":) ",
        ":::\n",
        ":::\n:::\n",
        ":::\na\n",
        "a\n:::\n",
        ">",
        "> \n",
        "> a\n\n",
        "a wrote:\n",
        "a wrote:\n\n",
        "wrote:",
        "Am schrieb:\n\n",
        "Am schrieb ",
        "\n",
        " \n",
        " ",
        "-",
        "---\n",
        "-- \n",
        "<",
        "&",
        "\"",
        "\r",
        "õ",
        "x",
    ];

    #[test]
    fn the_work_is_linear_whatever_is_typed() {
        let mut texts: Vec<String> =
            PIECES.iter().map(|piece| piece.chars().cycle().take(TEXT_CHARS).collect()).collect();
        // A beginning that could be searched an end for, before each of them.
        for begin in [":::\n", "*a ", "http://a<<", "@a"] {
            texts.extend(
                PIECES
                    .iter()
                    .map(|piece| begin.chars().chain(piece.chars().cycle()).take(TEXT_CHARS).collect()),
            );
        }
        for text in texts {
            effort::take();
            let xml = render(&text, &[]).xml;
            let (looked, name) = (effort::take(), text.chars().take(16).collect::<String>());
            assert!(looked <= LOOKS_MAX * text.len(), "{looked} bytes looked at for {name:?}…");
            assert!(xml.len() <= GROWTH_MAX * text.len(), "{} bytes of XML for {name:?}…", xml.len());
        }
    }

    #[test]
    fn look_aheads_are_counted() {
        effort::take();
        render("*a b* c", &[]);
        assert!(effort::take() > 0);
    }

    #[test]
    fn text_that_is_no_message_is_its_own_plain_text() {
        for text in ["", "<msg", "{\"members\":[]}", "a <b> &amp; c"] {
            assert_eq!(plain_text(text), text);
        }
    }
}
