//! A strict reader of message XML: well-formed, only known elements under their allowed parents, only known attributes.

const INLINE: &[&str] = &["p", "q", "b", "i"];

/// Each element with its allowed parents and its attributes, in the order in which they are written.
const ELEMENTS: [(&str, &[&str], &[&str]); 10] = [
    ("msg", &[], &[]),
    ("p", &["msg"], &[]),
    ("br", &["p", "q"], &[]),
    ("q", &["p"], &[]),
    ("pre", &["p"], &["flp", "fls"]),
    ("b", INLINE, &["flp", "fls"]),
    ("i", INLINE, &["flp", "fls"]),
    ("a", INLINE, &["flp", "fls", "href"]),
    ("emo", INLINE, &["kind"]),
    ("file", &["msg"], &["key", "is_deleted"]),
];

/// Says what is wrong with `xml`, if anything is.
pub(crate) fn check(xml: &str) -> Result<(), String> {
    if let Some(c) =
        xml.chars().find(|c| matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'))
    {
        return Err(format!("character {c:?}"));
    }
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(markup) = rest.strip_prefix('<') {
        let (tag, after) = markup.split_once('>').ok_or("open tag")?;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes something else"));
            }
        } else {
            let (start, is_empty) = tag.strip_suffix('/').map_or((tag, false), |start| (start, true));
            let name = check_start(start, &open)?;
            if !is_empty {
                open.push(name);
            }
        }
        if open.is_empty() {
            return if after.is_empty() { Ok(()) } else { Err("text after the root".to_owned()) };
        }
        let end = after.find('<').ok_or("text at the end")?;
        check_text(&after[..end])?;
        rest = &after[end..];
    }
    Err("no tag".to_owned())
}

fn check_start<'x>(start: &'x str, open: &[&str]) -> Result<&'x str, String> {
    let (name, mut rest) = start.find(' ').map_or((start, ""), |at| start.split_at(at));
    let (_, parents, attributes) =
        ELEMENTS.iter().find(|(known, _, _)| *known == name).ok_or_else(|| format!("element {name}"))?;
    match open.last() {
        None if name == "msg" => {}
        Some(parent) if parents.contains(parent) && !(open.contains(&name)) => {}
        parent => return Err(format!("{name} in {parent:?}")),
    }
    let mut attributes = attributes.iter();
    while !rest.is_empty() {
        let (attribute, value) = rest[1..].split_once("=\"").ok_or("attribute without a value")?;
        let (value, after) = value.split_once('"').ok_or("open value")?;
        if !attributes.any(|known| *known == attribute) {
            return Err(format!("attribute {attribute} of {name}"));
        }
        if value.contains(['\n', '\t']) {
            return Err(format!("bare white space in {attribute}"));
        }
        check_text(value)?;
        rest = after;
        if !rest.is_empty() && !rest.starts_with(' ') {
            return Err(format!("{rest:?} after {attribute}"));
        }
    }
    Ok(name)
}

fn check_text(text: &str) -> Result<(), String> {
    if text.contains(['<', '>']) {
        return Err(format!("bare bracket in {text:?}"));
    }
    for after in text.split('&').skip(1) {
        let known = ["lt;", "gt;", "amp;", "quot;", "#10;", "#9;"];
        if !known.iter().any(|reference| after.starts_with(reference)) {
            return Err(format!("bare & before {after:?}"));
        }
    }
    Ok(())
}
