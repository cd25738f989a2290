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
mod xml;

use std::borrow::Cow;

use inline::Inline;
pub use plain::plain_text;

/// A file element to append to a message (§5.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileRef<'a> {
    /// The attachment id.
    pub key: &'a str,
    /// The file name, shown as the text of the element.
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
