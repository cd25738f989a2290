//! Message XML as text: what a person reads, and what the author typed.
//!
//! Owns the reading of message bodies (protocol.md §5.1) for the terminal client. It never fails: what is not
//! well-formed stays as it is. Not here: system messages (`sentence.rs`) and line breaking (`view`).

/// The body as a person reads it: paragraphs apart by a blank line, attachments named in brackets.
pub(crate) fn shown(xml: &str) -> String {
    walk(xml, Reading::Shown)
}

/// The body as it was typed, so that editing it changes only what the author changes: the characters that the
/// conversion swallowed (`flp`, `fls`) come back, attachments stay out.
pub(crate) fn typed(xml: &str) -> String {
    walk(xml, Reading::Typed)
}

const ENTITY_BYTES_MAX: usize = 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Shown,
    Typed,
}

fn walk(xml: &str, reading: Reading) -> String {
    if !xml.starts_with("<msg") {
        return xml.to_owned();
    }
    let mut out = String::with_capacity(xml.len());
    let mut rest = xml;
    let mut suffixes: Vec<(&str, String)> = Vec::new();
    let mut skipping_file = false;
    while let Some(start) = rest.find('<') {
        push_text(&mut out, &rest[..start], skipping_file);
        rest = &rest[start + 1..];
        let Some(end) = rest.find('>') else {
            push_text(&mut out, rest, skipping_file);
            return out;
        };
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            close_tag(&mut out, name.trim(), reading, &mut suffixes);
            skipping_file &= name.trim() != "file";
        } else {
            let empty = tag.ends_with('/');
            let tag = tag.trim_end_matches('/');
            let name = tag.split_whitespace().next().unwrap_or_default();
            open_tag(&mut out, name, reading, empty);
            skipping_file |= name == "file" && !empty && reading == Reading::Typed;
            if reading == Reading::Typed && !empty {
                out.push_str(&attribute(tag, "flp"));
                suffixes.push((name, attribute(tag, "fls")));
            }
        }
    }
    push_text(&mut out, rest, skipping_file);
    out
}

fn open_tag(out: &mut String, name: &str, reading: Reading, empty: bool) {
    match name {
        "p" if !out.is_empty() => out.push_str("\n\n"),
        "br" => out.push('\n'),
        "hr" => out.push_str("---"),
        "file" if reading == Reading::Shown && !empty => {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str("[file: ");
        }
        _ => {}
    }
}

fn close_tag(out: &mut String, name: &str, reading: Reading, suffixes: &mut Vec<(&str, String)>) {
    match reading {
        Reading::Shown if name == "file" => out.push(']'),
        Reading::Shown => {}
        Reading::Typed => {
            // Only the innermost element can end; an end tag out of place swallows nothing.
            if suffixes.last().is_some_and(|(open, _)| *open == name)
                && let Some((_, suffix)) = suffixes.pop()
            {
                out.push_str(&suffix);
            }
        }
    }
}

fn push_text(out: &mut String, escaped: &str, skipping: bool) {
    if !skipping {
        out.push_str(&unescaped(escaped));
    }
}

fn attribute(tag: &str, name: &str) -> String {
    let opening = format!(" {name}=\"");
    tag.split_once(&opening)
        .and_then(|(_, value)| value.split_once('"'))
        .map(|(value, _)| unescaped(value))
        .unwrap_or_default()
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        // The longest entity that means something is `&#x10FFFF;`: looking no further keeps a text of ampersands cheap.
        let end = rest.bytes().take(ENTITY_BYTES_MAX).position(|byte| byte == b';');
        let entity = end.and_then(|end| Some((character(&rest[1..end])?, end)));
        if let Some((character, end)) = entity {
            out.push(character);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_breaks_and_escapes_become_text() {
        assert_eq!(shown("<msg><p>a &lt;b&gt; &amp;c</p><p>d<br/>e</p></msg>"), "a <b> &c\n\nd\ne");
        assert_eq!(shown("<msg><p>&#228;&#x1F600;</p></msg>"), "ä😀");
    }

    #[test]
    fn a_file_is_named_to_the_reader_and_left_out_for_the_editor() {
        let xml = "<msg><p>two</p><file key=\"K1\">a.txt</file><file key=\"K2\">b.txt</file></msg>";
        assert_eq!(shown(xml), "two\n[file: a.txt]\n[file: b.txt]");
        assert_eq!(typed(xml), "two");
        assert_eq!(shown("<msg><file key=\"K1\">avatar.jpg</file></msg>"), "[file: avatar.jpg]");
    }

    #[test]
    fn the_editor_gets_back_what_the_conversion_swallowed() {
        let xml = "<msg><p>I <i flp=\"_\" fls=\"_\">love</i> \
                   <a flp=\"https://g.com&lt;&lt;\" fls=\"&gt;&gt;\" href=\"https://g.com\">g</a></p></msg>";
        assert_eq!(typed(xml), "I _love_ https://g.com<<g>>");
        assert_eq!(shown(xml), "I love g");
    }

    #[test]
    fn what_is_not_well_formed_stays_readable() {
        for odd in [
            "<msg><p>a < b",
            "<msg",
            "<msg></b></p>x</msg>",
            "<msg>&;&#;&#xZZ;&#1114112;</msg>",
            "no xml <p>",
        ] {
            let _ = (shown(odd), typed(odd));
        }
        assert_eq!(shown("<msg>a &unknown; b</msg>"), "a &unknown; b");
        assert_eq!(shown("plain <p>"), "plain <p>");
    }
}
