//! Message XML back to the text that a person would edit (§5.1). Lenient: what is not XML comes out as it stands.

/// The text of a message: every element gives `flp`, its text and `fls`; paragraphs have a blank line between them, `br`
/// is a newline, a file gives nothing. Anything that is not a `<msg>` is already text.
pub fn plain_text(xml: &str) -> String {
    if !xml.starts_with("<msg>") {
        return xml.to_owned();
    }
    let mut text = Plain::default();
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        text.push_data(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = tag_end(rest) else { break };
        text.push_tag(&rest[1..end]);
        rest = &rest[end + 1..];
    }
    text.push_data(rest);
    text.out
}

#[derive(Default)]
struct Plain<'x> {
    out: String,
    /// The `fls` of each open element, still escaped.
    open: Vec<&'x str>,
    paragraphs: usize,
    /// The depth of `open` inside which nothing is text, while in a file.
    file_depth: Option<usize>,
}

impl<'x> Plain<'x> {
    fn push_data(&mut self, escaped: &str) {
        if self.file_depth.is_none() {
            push_unescaped(&mut self.out, escaped);
        }
    }

    /// Takes what stands between `<` and `>`.
    fn push_tag(&mut self, tag: &'x str) {
        if tag.starts_with(['!', '?']) {
            return;
        }
        if tag.starts_with('/') {
            self.close();
            return;
        }
        let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        match name {
            "p" => {
                if self.paragraphs > 0 {
                    self.push_data("\n\n");
                }
                self.paragraphs += 1;
            }
            "br" => self.push_data("\n"),
            "file" if self.file_depth.is_none() => self.file_depth = Some(self.open.len()),
            _ => {}
        }
        self.push_data(attribute(attributes, "flp"));
        self.open.push(attribute(attributes, "fls"));
        if is_empty {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(fls) = self.open.pop() else { return };
        self.push_data(fls);
        if self.file_depth == Some(self.open.len()) {
            self.file_depth = None;
        }
    }
}

/// The place of the `>` that ends the tag at the start of `rest`; one inside a quoted value does not.
fn tag_end(rest: &str) -> Option<usize> {
    let mut quote = None;
    rest.bytes().position(|b| match quote {
        Some(open) => {
            if b == open {
                quote = None;
            }
            false
        }
        None => {
            if matches!(b, b'"' | b'\'') {
                quote = Some(b);
            }
            b == b'>'
        }
    })
}

/// The escaped value of an attribute, or nothing.
fn attribute<'x>(mut attributes: &'x str, wanted: &str) -> &'x str {
    while let Some((name, rest)) = attributes.split_once('=') {
        let rest = rest.trim_start();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            break;
        };
        let Some((value, after)) = rest[1..].split_once(quote) else {
            break;
        };
        if name.trim() == wanted {
            return value;
        }
        attributes = after;
    }
    ""
}

/// The longest reference that is looked for, `&#x10FFFF;`, without its `&`.
const REFERENCE_BYTES_MAX: usize = 9;

fn push_unescaped(out: &mut String, escaped: &str) {
    let mut rest = escaped;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.bytes().take(REFERENCE_BYTES_MAX).position(|b| b == b';');
        match end.and_then(|end| referenced(&rest[..end]).map(|c| (c, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => out.push('&'),
        }
    }
    out.push_str(rest);
}

fn referenced(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    }
}
