//! Links of §5.4: where one starts, where it ends, and its description. Not here: writing it.

use super::effort;

/// The schemes that make a link, all in the form `scheme://…`.
pub(super) const SCHEMES: [&str; 6] = ["https", "http", "ftp", "itms-services", "skype", "mailto"];

/// Trailing characters that belong to the sentence and not to the link.
pub(super) const STRIPPED: [char; 6] = ['.', '!', '?', ';', ',', '-'];

/// What stands round a description, right behind its link.
pub(super) const DESCRIPTION_BEGIN: &str = "<<";
pub(super) const DESCRIPTION_END: &str = ">>";

/// An expression that matches where a link may begin.
pub(super) fn pattern() -> String {
    format!(r"(?:(?i:{})://|www\.)\S", SCHEMES.join("|"))
}

/// The length in bytes of the link at the start of `rest`. The caller sees to it that no word is running.
pub(super) fn at(rest: &str) -> Option<usize> {
    let body_at = scheme(rest).or_else(|| rest.starts_with(WWW).then_some(WWW.len()))?;
    let body = &rest[body_at..];
    let end = if rest.starts_with(WWW) { host_and_path(body) } else { run(body) };
    let end = body[..end].trim_end_matches(STRIPPED).len();
    (end > 0).then_some(body_at + end)
}

/// What is put before a link typed without a scheme.
pub(super) fn href_prefix(link: &str) -> &'static str {
    if link.starts_with(WWW) { "http://" } else { "" }
}

const WWW: &str = "www.";

fn scheme(rest: &str) -> Option<usize> {
    SCHEMES.iter().find_map(|scheme| {
        let (head, tail) = rest.split_at_checked(scheme.len())?;
        (head.eq_ignore_ascii_case(scheme) && tail.starts_with("://")).then_some(scheme.len() + "://".len())
    })
}

/// The end of a lower-case host with what may follow it: a port, a path, a query, a fragment.
fn host_and_path(body: &str) -> usize {
    let is_host = |c: char| matches!(c, '.' | '-') || (c.is_alphanumeric() && !c.is_uppercase());
    let host = body.find(|c| !is_host(c)).unwrap_or(body.len());
    effort::examined(host);
    let tail = &body[host..];
    let is_port =
        || tail.strip_prefix(':').is_some_and(|port| port.starts_with(|c: char| c.is_ascii_digit()));
    if tail.starts_with(['/', '?', '#']) || is_port() { host + run(tail) } else { host }
}

/// The end of the characters that a link may have: up to whitespace, a quotation mark, `<` (neither may stand in a URL;
/// `<` begins a description) or the first closing bracket without its opening one. As `<` ends a link, `>` is never
/// balanced.
fn run(body: &str) -> usize {
    let mut open = [0_u32; 3];
    let mut end = body.len();
    for (at, c) in body.char_indices() {
        let is_inside = match c {
            '(' | '{' | '[' => {
                open[bracket(c)] += 1;
                true
            }
            ')' | '}' | ']' => {
                let open = &mut open[bracket(c)];
                let is_balanced = *open > 0;
                *open = open.saturating_sub(1);
                is_balanced
            }
            '<' | '>' | '"' => false,
            _ => !c.is_whitespace(),
        };
        if !is_inside {
            end = at;
            break;
        }
    }
    effort::examined(end);
    end
}

const fn bracket(c: char) -> usize {
    match c {
        '(' | ')' => 0,
        '{' | '}' => 1,
        _ => 2,
    }
}

/// Finds the descriptions in one piece of text.
#[derive(Default)]
pub(super) struct Descriptions {
    /// A search for `>>` has come to the end of the text in vain; later ones would too.
    is_exhausted: bool,
}

impl Descriptions {
    /// The text of the `<<text>>` at the start of `rest`, if it has any.
    pub(super) fn at<'t>(&mut self, rest: &'t str) -> Option<&'t str> {
        let inside = rest.strip_prefix(DESCRIPTION_BEGIN)?;
        if self.is_exhausted {
            return None;
        }
        let end = inside.find(DESCRIPTION_END);
        effort::examined(end.unwrap_or(inside.len()));
        self.is_exhausted = end.is_none();
        // A blank description would make a link that nobody can see.
        end.map(|end| &inside[..end]).filter(|text| !text.trim().is_empty())
    }
}
