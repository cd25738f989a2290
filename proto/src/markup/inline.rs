//! Inline conversion of §5.4: bold and italic, then emoticons, links and mentions in the text between. Always within one
//! line.

use std::collections::HashSet;

use super::link::Descriptions;
use super::{effort, emoticon, link, xml};

/// The output so far.
#[derive(Default)]
pub(super) struct Inline<'t> {
    pub(super) xml: String,
    mentions: Vec<&'t str>,
    mentioned: HashSet<&'t str>,
}

/// The markers of text over several words, and the elements that they make.
pub(super) const STYLES: [(char, &str); 2] = [('*', Style::Bold.tag()), ('_', Style::Italic.tag())];

#[derive(Clone, Copy)]
enum Style {
    Bold,
    Italic,
}

impl Style {
    const fn of(marker: u8) -> Self {
        if marker == b'*' { Self::Bold } else { Self::Italic }
    }

    const fn tag(self) -> &'static str {
        match self {
            Self::Bold => "b",
            Self::Italic => "i",
        }
    }
}

impl<'t> Inline<'t> {
    /// Converts one line without its newline.
    pub(super) fn convert(&mut self, line: &'t str) {
        self.spans(line, [false; 2]);
    }

    /// The mentioned names in order.
    pub(super) fn mentions(&self) -> Vec<String> {
        self.mentions.iter().map(|&name| name.to_owned()).collect()
    }

    /// `is_closed_to[style]` says that no such element may begin here. As an element does not nest in itself, the
    /// recursion is two deep.
    fn spans(&mut self, text: &'t str, mut is_closed_to: [bool; 2]) {
        let outside = is_closed_to;
        let mut from = 0;
        let mut looked = 0;
        while let Some(found) = text[looked..].find(['*', '_']) {
            let at = looked + found;
            looked = at + 1;
            let style = Style::of(text.as_bytes()[at]);
            if is_closed_to[style as usize] || !is_start(text, at) {
                continue;
            }
            let Some(end) = end_of_span(text, at) else {
                // Whether a marker can end does not depend on its start: none was found, so none will be.
                is_closed_to[style as usize] = true;
                continue;
            };
            self.tokens(&text[from..at]);
            let marker = &text[at..looked];
            self.xml.push('<');
            self.xml.push_str(style.tag());
            xml::push_attribute(&mut self.xml, "flp", marker);
            xml::push_attribute(&mut self.xml, "fls", marker);
            self.xml.push('>');
            let mut inside = outside;
            inside[style as usize] = true;
            self.spans(&text[looked..end], inside);
            self.xml.push_str("</");
            self.xml.push_str(style.tag());
            self.xml.push('>');
            from = end + 1;
            looked = from;
        }
        self.tokens(&text[from..]);
    }

    /// Emoticons, links and mentions, from left to right.
    fn tokens(&mut self, text: &'t str) {
        let mut descriptions = Descriptions::default();
        let mut from = 0;
        let mut at = 0;
        let mut before = None;
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            let mut len = c.len_utf8();
            if let Some((kind, typed)) = emoticon::at(rest) {
                xml::push_text(&mut self.xml, &text[from..at]);
                self.emoticon(kind, &rest[..typed]);
                len = typed;
                from = at + len;
            } else if let Some(end) = Some(rest).filter(|_| is_word_start(before)).and_then(link::at) {
                xml::push_text(&mut self.xml, &text[from..at]);
                len = self.link(rest, end, &mut descriptions);
                from = at + len;
            } else if let Some(name) = Some(rest).filter(|_| is_mention_start(before)).and_then(mention) {
                if self.mentioned.insert(name) {
                    self.mentions.push(name);
                }
                len += name.len();
            }
            at += len;
            before = text[..at].chars().next_back();
        }
        xml::push_text(&mut self.xml, &text[from..]);
    }

    fn emoticon(&mut self, kind: &str, typed: &str) {
        self.xml.push_str("<emo");
        xml::push_attribute(&mut self.xml, "kind", kind);
        self.xml.push('>');
        xml::push_text(&mut self.xml, typed);
        self.xml.push_str("</emo>");
    }

    /// Writes the link in the first `end` bytes of `rest`, with its description if one follows; says how many bytes
    /// that took.
    fn link(&mut self, rest: &str, end: usize, descriptions: &mut Descriptions) -> usize {
        let (link, after) = rest.split_at(end);
        let description = descriptions.at(after);
        self.xml.push_str("<a");
        if description.is_some() {
            self.xml.push_str(" flp=\"");
            xml::push_value(&mut self.xml, link);
            xml::push_value(&mut self.xml, "<<");
            self.xml.push('"');
            xml::push_attribute(&mut self.xml, "fls", ">>");
        }
        self.xml.push_str(" href=\"");
        self.xml.push_str(link::href_prefix(link));
        xml::push_value(&mut self.xml, link);
        self.xml.push_str("\">");
        xml::push_text(&mut self.xml, description.unwrap_or(link));
        self.xml.push_str("</a>");
        end + description.map_or(0, |text| text.len() + "<<>>".len())
    }
}

/// Whether the marker at `at` can begin bold or italic text.
fn is_start(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(char::is_whitespace)
        && text[at + 1..].chars().next().is_some_and(|c| !c.is_whitespace())
}

/// Where the text begun by the marker at `start` ends: at the first marker of the same kind after a non-space (so the
/// text is not empty) and before the end, whitespace or punctuation.
fn end_of_span(text: &str, start: usize) -> Option<usize> {
    let marker = char::from(text.as_bytes()[start]);
    let inside = start + 1;
    let end = text[inside..].match_indices(marker).map(|(at, _)| inside + at).find(|&at| {
        at > inside
            && text[..at].chars().next_back().is_some_and(|c| !c.is_whitespace())
            && text[at + 1..]
                .chars()
                .next()
                .is_none_or(|c| c.is_whitespace() || matches!(c, '.' | ',' | '!' | '?' | ';'))
    });
    effort::examined(end.unwrap_or(text.len()) - start);
    end
}

fn is_word_start(before: Option<char>) -> bool {
    before.is_none_or(|c| !c.is_alphanumeric())
}

/// Stricter than the start of a word, so that the middle of an e-mail address is no mention.
fn is_mention_start(before: Option<char>) -> bool {
    before.is_none_or(|c| !is_name_character(c) && c != '@')
}

fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The name after the `@` at the start of `rest`, or the address: a name, `@` and a domain.
fn mention(rest: &str) -> Option<&str> {
    let typed = rest.strip_prefix('@')?;
    let name = name_len(typed);
    let domain = if name > 0 { typed[name..].strip_prefix('@').map_or(0, name_len) } else { 0 };
    let end = if domain > 0 { name + 1 + domain } else { name };
    effort::examined(end);
    let name = typed[..end].trim_end_matches(['.', '_', '-', '@']);
    (!name.is_empty()).then_some(name)
}

fn name_len(text: &str) -> usize {
    text.find(|c| !is_name_character(c)).unwrap_or(text.len())
}
