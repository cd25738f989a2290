//! The emoticons of §5.4: what is typed and the `kind` it stands for. Emoji characters are no emoticons but plain text.

/// Faces count only before whitespace or at the end of the text.
const FACES: [(&str, &[&str]); 9] = [
    ("esmile", &[":)", ":-)", ":=)"]),
    ("esad", &[":(", ":-(", ":=("]),
    ("elaugh", &[":D", ":d", ":-D", ":=D"]),
    ("ewink", &[";)", ";-)", ";=)"]),
    ("esurprise", &[":O", ":o", ":-o", ":=o"]),
    ("etongue", &[":P", ":p", ":-p", ":=p"]),
    ("eworried", &[":S", ":s", ":-s"]),
    ("eangry", &[":@", ":-@", ":=@", "X(", "x-(", "X=("]),
    ("edontcare", &[":/", ":-/"]),
];

/// Names stand in single or double parentheses, anywhere, in lower case or with a capital.
const NAMES: [(&str, &[&str]); 25] = [
    ("eup", &["y"]),
    ("edown", &["n"]),
    ("eheart", &["h", "l", "heart", "love"]),
    ("ebeer", &["beer"]),
    ("ecoffee", &["coffee", "tea"]),
    ("ecoctail", &["d", "drink"]),
    ("eparty", &["party"]),
    ("egift", &["gift"]),
    ("ecandy", &["candy"]),
    ("esun", &["sun", "sunny"]),
    ("ephone", &["phone"]),
    ("emobile", &["mobile"]),
    ("eidea", &["i", "idea"]),
    ("eclock", &["o", "clock"]),
    ("ecat", &["cat"]),
    ("ebug", &["bug"]),
    ("edone", &["done"]),
    ("etodo", &["todo"]),
    ("ework", &["work", "gwb"]),
    ("epoop", &["poop"]),
    ("eflower", &["f", "flower"]),
    ("eumbrella", &["umbrella"]),
    ("esanta", &["santa", "kraana"]),
    ("esnowman", &["snowman"]),
    ("eandroid", &["android"]),
];

/// Everything that may be typed for an emoticon, and its kind.
pub(super) fn all() -> Vec<(String, &'static str)> {
    let faces = FACES.iter().flat_map(|(kind, faces)| faces.iter().map(|typed| ((*typed).to_owned(), *kind)));
    let names = NAMES.iter().flat_map(|(kind, names)| {
        let variants = |name: &&str| {
            let capital = name[..1].to_uppercase() + &name[1..];
            [(*name).to_owned(), capital].map(|name| [format!("({name})"), format!("(({name}))")])
        };
        names.iter().flat_map(variants).flatten().map(|typed| (typed, *kind))
    });
    faces.chain(names).collect()
}

/// The emoticon at the start of `rest`: its kind and the bytes typed.
pub(super) fn at(rest: &str) -> Option<(&'static str, usize)> {
    match rest.as_bytes().first()? {
        b':' | b';' | b'X' | b'x' => face(rest),
        b'(' => name(rest, 2).or_else(|| name(rest, 1)),
        _ => None,
    }
}

fn face(rest: &str) -> Option<(&'static str, usize)> {
    let is_here = |typed: &&&str| {
        rest.strip_prefix(**typed).is_some_and(|after| after.chars().next().is_none_or(char::is_whitespace))
    };
    FACES.iter().find_map(|(kind, faces)| faces.iter().find(is_here).map(|typed| (*kind, typed.len())))
}

fn name(rest: &str, brackets: usize) -> Option<(&'static str, usize)> {
    let inside = rest.strip_prefix(&"(("[..brackets])?;
    let is_here = |typed: &&&str| {
        let Some((head, tail)) = inside.split_at_checked(typed.len()) else {
            return false;
        };
        head[..].eq_ignore_ascii_case(typed) && head[1..] == typed[1..] && tail.starts_with(&"))"[..brackets])
    };
    let found = |(kind, names): &(&'static str, &[&str])| {
        names.iter().find(is_here).map(|typed| (*kind, typed.len() + 2 * brackets))
    };
    NAMES.iter().find_map(found)
}
