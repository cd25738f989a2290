//! Writing text and attributes so that nothing a person typed can become markup.

/// Appends character data.
pub(super) fn push_text(out: &mut String, text: &str) {
    push_escaped(out, text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    });
}

/// Appends ` name="value"`. Line ends and tabs are written as references, since a parser turns bare ones into spaces.
pub(super) fn push_attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    push_value(out, value);
    out.push('"');
}

/// Appends a part of an attribute value, for values that are put together.
pub(super) fn push_value(out: &mut String, value: &str) {
    push_escaped(out, value, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\n' => Some("&#10;"),
        '\t' => Some("&#9;"),
        _ => None,
    });
}

fn push_escaped(out: &mut String, text: &str, escape: impl Fn(char) -> Option<&'static str>) {
    let mut from = 0;
    for (at, c) in text.char_indices() {
        if let Some(reference) = escape(c) {
            out.push_str(&text[from..at]);
            out.push_str(reference);
            from = at + c.len_utf8();
        }
    }
    out.push_str(&text[from..]);
}
