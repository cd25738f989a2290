//! Which part of a file a request wants (RFC 9110 §14, protocol.md §6.6).
//!
//! Pure. A `Range` that makes no sense is refused with 416 and not ignored, as clients have always seen it.

use std::ops::Range;

/// More parts than this are no request for a file but one for work.
const RANGES_MAX: usize = 100;

/// What to answer with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// All of it: 200.
    Whole,
    /// One part or several, none empty: 206.
    Parts(Vec<Range<u64>>),
    /// Nothing that there is: 416.
    Nothing,
}

/// Reads a `Range` header for a file of so many bytes.
pub(super) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(header) = header else { return Wanted::Whole };
    let Some(list) = header.trim().strip_prefix("bytes=") else {
        return Wanted::Nothing;
    };
    let specs: Vec<&str> = list.split(',').map(str::trim).filter(|spec| !spec.is_empty()).collect();
    if specs.is_empty() || specs.len() > RANGES_MAX {
        return Wanted::Nothing;
    }
    let mut parts = Vec::with_capacity(specs.len());
    for spec in specs {
        match part(spec, size) {
            Some(part) if part.is_empty() => {}
            Some(part) => parts.push(part),
            None => return Wanted::Nothing,
        }
    }
    let asked: u64 = parts.iter().map(|part| part.end - part.start).sum();
    match parts.len() {
        0 => Wanted::Nothing,
        // Parts that overlap so much are cheaper sent as the whole, which holds them all.
        2.. if asked > size => Wanted::Whole,
        _ => Wanted::Parts(parts),
    }
}

/// One part; empty when it lies behind the end, `None` when it is inverted or no numbers.
fn part(spec: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    if first.is_empty() {
        let count = number(last)?.min(size);
        return Some(size - count..size);
    }
    let first = number(first)?;
    let end = if last.is_empty() {
        size
    } else {
        let last = number(last)?;
        (last >= first).then_some(())?;
        last.saturating_add(1).min(size)
    };
    Some(first.min(end)..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_ten(header: &str) -> Wanted {
        wanted(Some(header), 10)
    }

    #[test]
    fn parts_are_cut_to_what_there_is() {
        assert_eq!(wanted(None, 10), Wanted::Whole);
        for (header, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-4", 2..5),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("bytes=8-99", 8..10),
            ("bytes=0-18446744073709551615", 0..10),
        ] {
            assert_eq!(of_ten(header), Wanted::Parts(vec![part]), "{header}");
        }
        assert_eq!(of_ten("bytes=0-1, 4-5,-1"), Wanted::Parts(vec![0..2, 4..6, 9..10]));
        assert_eq!(of_ten("bytes=0-1,20-30"), of_ten("bytes=0-1"), "what lies behind the end is left out");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let many = format!("bytes={}", vec!["0-0"; RANGES_MAX + 1].join(","));
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "lines=1-2",
            "bytes=4-2",
            "bytes=10-",
            "bytes=20-30",
            "bytes=-0",
            "bytes=a-b",
            "bytes=1",
            "bytes=--1",
            "bytes=+1-2",
            "bytes=1-2,x",
            &many,
        ] {
            assert_eq!(of_ten(header), Wanted::Nothing, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-0"), 0), Wanted::Nothing, "an empty file has no part");
    }

    #[test]
    fn parts_that_say_the_same_again_and_again_are_the_whole() {
        let header = format!("bytes={}", vec!["0-"; RANGES_MAX].join(","));
        assert_eq!(of_ten(&header), Wanted::Whole);
    }
}
