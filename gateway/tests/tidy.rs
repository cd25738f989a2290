//! The style that the whole repository keeps, as far as a program can tell.
//!
//! Each finding names the place and what to do instead.

#![allow(clippy::unwrap_used, reason = "a test that fails here says so")]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Past this a file has more than one thing to say.
const FILE_LINES_MAX: usize = 600;

/// Past this a function does more than one thing. Clippy counts alike (`too-many-lines-threshold`), without blank lines and comments.
const FUNCTION_LINES_MAX: usize = 70;

/// What may lie at the top of the repository, beside names that begin with a dot.
const TOP: [&str; 9] =
    ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "actors", "deploy", "gateway", "loadtest", "proto"];

/// Made by tools in a working copy, and ignored by git.
const MADE_BY_TOOLS: [&str; 2] = ["target", "data"];

/// File names that say nothing about their content.
const VAGUE_STEMS: [&str; 9] =
    ["mod", "common", "types", "utils", "util", "helpers", "helper", "misc", "manager"];

/// Endings of type names that say nothing about what a thing is.
const VAGUE_TYPES: [&str; 5] = ["Manager", "Helper", "Service", "Util", "Utils"];

/// What is not written down here but done or filed.
const LATER: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// A part of the repository, what it must not name, and what to do instead.
struct Arrow {
    within: &'static str,
    words: &'static [&'static str],
    instead: &'static str,
}

/// The arrows point one way: loadtest → proto ← actors ← gateway.
const ARROWS: [Arrow; 6] = [
    Arrow {
        within: "proto/src",
        words: &[
            "tokio",
            "actix",
            "redis",
            "std::fs",
            "std::env",
            "std::net",
            "SystemTime",
            "Instant",
            "rill_actors",
            "rill_gateway",
        ],
        instead: "proto says what the wire says; whoever calls it brings time, files and connections",
    },
    Arrow {
        within: "actors/src",
        words: &["actix_web", "actix_http", "StatusCode", "rill_gateway", "rill_loadtest"],
        instead: "owners know no HTTP; let the gateway translate a Refusal",
    },
    Arrow {
        within: "actors/src/conversation/rules",
        words: PURE,
        instead: "rules are pure; demand facts by `facts` and leave doing to the owner",
    },
    Arrow {
        within: "actors/src/conversation/state.rs",
        words: PURE,
        instead: "state is folded and never looks elsewhere",
    },
    Arrow {
        within: "gateway/src",
        words: &[
            "redis::",
            "conversation::rules",
            "conversation::state",
            "account::rules",
            "account::state",
            "rill_loadtest",
        ],
        instead: "hand the event to its owner and take what it answers",
    },
    Arrow {
        within: "loadtest/src",
        words: &["rill_actors", "rill_gateway"],
        instead: "the harness knows the wire only, or it would share the server's mistakes",
    },
];

const PURE: &[&str] =
    &["actix", "tokio", "tracing", "Instant::now", "SystemTime", "async fn", ".await", "dyn Store", "&Store"];

fn root() -> PathBuf {
    let gateway = Path::new(env!("CARGO_MANIFEST_DIR"));
    gateway.parent().expect("the gateway lies in the repository").to_owned()
}

/// One Rust file of ours.
struct Source {
    /// Below the repository's root.
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = root();
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["proto", "actors", "gateway", "loadtest"].map(|name| root.join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() && !MADE_BY_TOOLS.contains(&name.as_str()) {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                sources.push(Source { path, text: std::fs::read_to_string(&entry).unwrap() });
            }
        }
    }
    assert!(sources.len() > 50, "only {} sources were found below {}", sources.len(), root.display());
    sources
}

/// Fails with all findings, one a line.
fn assert_none(findings: Vec<String>) {
    let mut text = String::new();
    findings.iter().for_each(|finding| writeln!(text, "{finding}").unwrap());
    assert!(findings.is_empty(), "{} findings:\n{text}", findings.len());
}

/// The lines of a source that are code or documentation of the product, with their numbers: what is behind `#[cfg(test)]`
/// at the beginning of a line is not.
fn product_lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    let is_test =
        source.path.contains("/tests") || source.path.ends_with("tests.rs") || source.path.contains("/fake");
    let lines = source.text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines.take_while(move |(_, line)| !is_test && *line != "#[cfg(test)]")
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

#[test]
fn the_top_of_the_repository_is_these_and_nothing_else() {
    let entries = std::fs::read_dir(root()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let foreign = names.filter(|name| {
        !name.starts_with('.') && !TOP.contains(&name.as_str()) && !MADE_BY_TOOLS.contains(&name.as_str())
    });
    assert_none(
        foreign
            .map(|name| format!("{name}: belongs into one of {TOP:?}, or its name begins with a dot"))
            .collect(),
    );
}

#[test]
fn files_have_names_that_say_something() {
    let sources = sources();
    let vague = sources.iter().filter(|source| {
        let stem = Path::new(&source.path).file_stem().unwrap_or_default().to_string_lossy();
        VAGUE_STEMS.contains(&&*stem)
    });
    assert_none(
        vague
            .map(|source| {
                format!("{}: name it after what it owns (x.rs beside x/, not x/mod.rs)", source.path)
            })
            .collect(),
    );
}

#[test]
fn files_are_short_and_say_first_what_they_own() {
    let mut findings = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            findings.push(format!(
                "{}: {lines} lines, more than {FILE_LINES_MAX}: split it by topic",
                source.path
            ));
        }
        if !source.text.starts_with("//! ") {
            findings.push(format!(
                "{}:1: begin with `//!`, what the file owns and what it does not",
                source.path
            ));
        }
    }
    assert_none(findings);
}

/// Whether a line begins a function, and how far it is indented.
fn function_begins(line: &str) -> Option<usize> {
    let trimmed = line.trim_start();
    let mut words = trimmed.split(' ').skip_while(|word| {
        word.starts_with("pub")
            || matches!(*word, "async" | "const" | "unsafe" | "extern" | "super)" | "crate)")
    });
    let is_function = words.next() == Some("fn") && !trimmed.ends_with(';');
    is_function.then_some(line.len() - trimmed.len())
}

#[test]
fn functions_are_short() {
    let mut findings = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(indent) = function_begins(line) else { continue };
            // rustfmt puts the end of a function under its beginning.
            let end = format!("{}}}", " ".repeat(indent));
            let body = lines[at + 1..].iter().take_while(|line| **line != end);
            let length = body.filter(|line| !code(line).trim().is_empty()).count();
            if length > FUNCTION_LINES_MAX && !line.ends_with('}') {
                findings.push(format!("{}:{}: a function of {length} lines, more than {FUNCTION_LINES_MAX}: take a step of it out", source.path, at + 1));
            }
        }
    }
    assert_none(findings);
}

#[test]
fn nothing_is_put_off_in_a_comment() {
    let mut findings = Vec::new();
    for source in sources().into_iter().filter(|source| !source.path.ends_with("tests/tidy.rs")) {
        for (at, line) in source.text.lines().enumerate() {
            if let Some(word) = LATER
                .iter()
                .find(|word| line.split(|c: char| !c.is_alphanumeric()).any(|part| part == **word))
            {
                findings.push(format!("{}:{}: {word}: do it, or file it", source.path, at + 1));
            }
            let is_banner = ["// ---", "// ===", "// ***", "//////", "/*****"]
                .iter()
                .any(|banner| line.trim().starts_with(banner));
            if is_banner {
                findings.push(format!(
                    "{}:{}: a banner: split the file where it needs one",
                    source.path,
                    at + 1
                ));
            }
        }
    }
    assert_none(findings);
}

#[test]
fn types_have_names_that_say_something() {
    let mut findings = Vec::new();
    for source in sources() {
        for (at, line) in source.text.lines().enumerate() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let declares = |pair: &[&str]| {
                matches!(pair[0], "struct" | "enum" | "trait") && !line.trim_start().starts_with("//")
            };
            let vague = words
                .windows(2)
                .filter(|pair| declares(pair))
                .find(|pair| VAGUE_TYPES.iter().any(|ending| pair[1].ends_with(ending)));
            if let Some(pair) = vague {
                findings.push(format!("{}:{}: {}: name it after what it is", source.path, at + 1, pair[1]));
            }
        }
    }
    assert_none(findings);
}

#[test]
fn nobody_names_what_his_arrows_do_not_reach() {
    let sources = sources();
    let mut findings = Vec::new();
    for arrow in &ARROWS {
        let within = sources.iter().filter(|source| source.path.starts_with(arrow.within));
        let mut count = 0;
        for source in within {
            count += 1;
            for (at, line) in product_lines(source) {
                let named = arrow.words.iter().find(|word| code(line).contains(**word));
                if let Some(word) = named {
                    findings.push(format!("{}:{at}: names `{word}`: {}", source.path, arrow.instead));
                }
            }
        }
        assert!(count > 0, "{} is not there: correct the table", arrow.within);
    }
    assert_none(findings);
}

#[test]
fn all_is_formatted() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["fmt", "--all", "--", "--check", "-l"])
        .current_dir(root())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let files = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "run `cargo fmt --all`; these are not formatted:\n{files}");
}

#[test]
fn clippy_has_nothing_to_say() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let clippy = Command::new(cargo)
        .args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
        .current_dir(root())
        .output()
        .expect("cargo runs these tests, so it runs");
    let said = String::from_utf8_lossy(&clippy.stderr);
    assert!(clippy.status.success(), "cargo clippy (rustup component add clippy) says:\n{said}");
}
