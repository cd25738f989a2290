//! A scenario's text, read into steps (the grammar stands at the head of `wire.rs`).
//!
//! Not here: what a step does ([`crate::play`]).

use crate::complaint::Complaint;
use crate::keys::{Shape, WORDS};
use crate::value;
use serde_json::Value;
use std::path::Path;

/// A scenario.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// Its first comment.
    pub(crate) promise: String,
    /// The file, for complaints.
    pub(crate) file: String,
    /// Who takes part.
    pub(crate) people: Vec<String>,
    /// What happens, in order.
    pub(crate) steps: Vec<Step>,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) deed: Deed,
}

/// What a line says.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Ask {
        who: String,
        urn: String,
        params: Value,
        is_repeat: bool,
        /// How often, each time as another request; all but the last must be carried out.
        times: usize,
    },
    /// An HTTP call: the path below `/api/`, and its body.
    Call {
        who: String,
        path: String,
        body: Value,
    },
    /// Uploads a file.
    Put {
        who: String,
        name: String,
        content: Value,
    },
    /// Reads a path.
    Get {
        who: String,
        path: String,
    },
    Done {
        status: u64,
        identifier: Value,
        sync_cursor: Option<Value>,
    },
    Refused {
        status: u64,
        error_id: String,
        part: String,
    },
    Answered(String, Wanted),
    AnsweredNothing(String),
    Pushed(String, Wanted),
    PushedNothing(String),
    Settle,
    Connect(String),
    CutOff(String),
    /// The newest letter to him has a link, which the name stands for from then on.
    Mailed(String, String),
    Gone(String),
    Disconnect(String),
    Header(String, Value, Vec<(&'static str, Value)>),
    Holds(String, Value, Vec<u64>),
    LoadEverything(String),
    Compare(String),
}

/// The record that a line asks for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) kind: String,
    pub(crate) shape: Option<Shape>,
    pub(crate) fields: Value,
    pub(crate) has: Vec<String>,
    pub(crate) lacks: Vec<String>,
}

impl Script {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Complaint> {
        let text =
            std::fs::read_to_string(path).map_err(|error| Complaint::new("a scenario", error.to_string()))?;
        Self::parse(&path.to_string_lossy(), &text)
    }

    /// Reads a text.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Complaint> {
        let promise = text.lines().find_map(|line| line.strip_prefix('#')).unwrap_or("").trim().to_owned();
        if promise.is_empty() {
            let complaint = Complaint::new("a promise in the first comment", "none");
            return Err(complaint.at(format!("{file}:1"), ""));
        }
        let mut script = Self { promise, file: file.to_owned(), people: Vec::new(), steps: Vec::new() };
        for (line, text) in logical_lines(text) {
            let read = script.add(line, &text);
            read.map_err(|expected| {
                Complaint::new(expected, text.as_str()).at(format!("{file}:{line}"), &text)
            })?;
        }
        if script.lacks_outcome() {
            return Err(Complaint::new("the outcome of the last event", "the end").at(file.to_owned(), ""));
        }
        Ok(script)
    }

    fn add(&mut self, line: usize, text: &str) -> Result<(), String> {
        if let Some(people) = text.strip_prefix("people ") {
            self.people.extend(people.split_whitespace().map(str::to_owned));
            return Ok(());
        }
        if let Some(outcome) = text.strip_prefix('→') {
            if !self.lacks_outcome() {
                return Err("an event above the outcome".into());
            }
            self.push(line, text, outcome_of(outcome.trim())?);
            return Ok(());
        }
        let deed = self.deed(text)?;
        if self.lacks_outcome() {
            return Err("the outcome of the event above".into());
        }
        self.push(line, text, deed);
        Ok(())
    }

    fn push(&mut self, line: usize, text: &str, deed: Deed) {
        let text = text.to_owned();
        self.steps.push(Step { line, text, deed });
    }

    fn lacks_outcome(&self) -> bool {
        let last = self.steps.last().map(|step| &step.deed);
        let asks = |deed: &Deed| {
            matches!(deed, Deed::Ask { .. } | Deed::Call { .. } | Deed::Put { .. } | Deed::Get { .. })
        };
        last.is_some_and(asks)
    }

    fn deed(&self, text: &str) -> Result<Deed, String> {
        let (head, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        if text == "all settle" {
            return Ok(Deed::Settle);
        }
        if head == "picture" {
            let name = rest.strip_suffix(" equals fresh sync");
            return Ok(Deed::Compare(self.known(name.unwrap_or(""))?));
        }
        if let Some(name) = head.strip_suffix("<<") {
            let who = self.known(name)?;
            return Ok(match rest {
                "nothing" => Deed::PushedNothing(who),
                _ => Deed::Pushed(who, wanted(rest)?),
            });
        }
        if let Some(name) = head.strip_suffix('<') {
            let who = self.known(name)?;
            return Ok(match rest {
                "nothing" => Deed::AnsweredNothing(who),
                _ => Deed::Answered(who, wanted(rest)?),
            });
        }
        if let Some(name) = head.strip_suffix('>') {
            let who = self.known(name)?;
            return match rest.split_once(' ') {
                Some(("POST", call)) => post(who, call),
                Some(("PUT", file)) => put(who, file),
                Some(("GET", path)) => Ok(Deed::Get { who, path: path.trim().to_owned() }),
                Some(_) | None => ask(who, rest, false, 1),
            };
        }
        let who = self.known(head)?;
        if let Some(event) = rest.strip_prefix("again> ") {
            return ask(who, event, true, 1);
        }
        if let Some((times, event)) = rest.split_once(" times> ") {
            let times = times.parse().ok().filter(|times| *times > 0);
            return ask(who, event, false, times.ok_or("how many times")?);
        }
        match rest.split_once(' ').unwrap_or((rest, "")) {
            ("connects", "") => Ok(Deed::Connect(who)),
            ("disconnects", "") => Ok(Deed::Disconnect(who)),
            ("is", "cut off") => Ok(Deed::CutOff(who)),
            ("is", "gone") => Ok(Deed::Gone(who)),
            ("is", mailed) if mailed.starts_with("mailed $") => {
                let name = mailed.trim_start_matches("mailed $");
                Ok(Deed::Mailed(who, name.to_owned()))
            }
            ("loads", "everything") => Ok(Deed::LoadEverything(who)),
            ("header", numbers) => header(who, numbers),
            ("holds", numbers) => {
                let mut words = numbers.split_whitespace();
                let conversation = single(words.next().unwrap_or(""))?;
                let numbers = words.map(str::parse).collect::<Result<_, _>>();
                Ok(Deed::Holds(who, conversation, numbers.map_err(|_| "message numbers")?))
            }
            _ => Err("a line of the grammar".into()),
        }
    }

    fn known(&self, name: &str) -> Result<String, String> {
        if self.people.iter().any(|known| known == name) {
            return Ok(name.to_owned());
        }
        Err("the name of a person from the line `people`".into())
    }
}

/// The lines with what goes on with them, without comments. `NAME reconnects` becomes its two halves.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, before)) if line.starts_with([' ', '\t']) => {
                before.push(' ');
                before.push_str(line.trim());
            }
            Some(_) | None => match line.strip_suffix(" reconnects") {
                Some(name) => {
                    lines.push((at + 1, format!("{name} disconnects")));
                    lines.push((at + 1, format!("{name} connects")));
                }
                None => lines.push((at + 1, line.trim_end().to_owned())),
            },
        }
    }
    lines
}

fn ask(who: String, event: &str, is_repeat: bool, times: usize) -> Result<Deed, String> {
    let (urn, params) = event.split_once(' ').ok_or("an event and its params")?;
    let params = object(params)?;
    Ok(Deed::Ask { who, urn: urn.to_owned(), params, is_repeat, times })
}

fn put(who: String, file: &str) -> Result<Deed, String> {
    let (name, content) = file.split_once(' ').ok_or("a name and a content")?;
    Ok(Deed::Put { who, name: name.to_owned(), content: single(content)? })
}

fn post(who: String, call: &str) -> Result<Deed, String> {
    let (path, body) = call.split_once(' ').ok_or("a path and a body")?;
    Ok(Deed::Call { who, path: path.to_owned(), body: object(body)? })
}

fn outcome_of(text: &str) -> Result<Deed, String> {
    let (status, rest) = text.split_once(' ').unwrap_or((text, ""));
    let status = status.parse().map_err(|_| "a status")?;
    if status == 200 {
        // A call's body may go without a word; what an event's outcome names is always said.
        let (rest, sync_cursor) = match rest.rsplit_once(" cursor ") {
            Some((rest, cursor)) => (rest, Some(single(cursor)?)),
            None => (rest, None),
        };
        let identifier = if rest.is_empty() { Value::Null } else { object(rest)? };
        return Ok(Deed::Done { status, identifier, sync_cursor });
    }
    let (error_id, part) = rest.split_once(' ').unwrap_or((rest, ""));
    Ok(Deed::Refused {
        status,
        error_id: error_id.to_owned(),
        part: part.trim().trim_matches('`').to_owned(),
    })
}

fn object(text: &str) -> Result<Value, String> {
    match value::read(text)? {
        (object @ Value::Object(_), rest) if rest.trim().is_empty() => Ok(object),
        _ => Err("an object and nothing behind it".into()),
    }
}

/// One value that is no object.
fn single(text: &str) -> Result<Value, String> {
    let (list, _) = value::read(&format!("[{text}]"))?;
    list.get(0).cloned().ok_or_else(|| "a value".into())
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let (kind, mut rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut wanted = Wanted {
        kind: kind.to_owned(),
        shape: None,
        fields: Value::Null,
        has: Vec::new(),
        lacks: Vec::new(),
    };
    if let Some(shape) = rest.split_whitespace().next().and_then(Shape::named) {
        wanted.shape = Some(shape);
        rest = rest[1..].trim_start();
    }
    if rest.starts_with('{') {
        (wanted.fields, rest) = value::read(rest)?;
    }
    let mut list = None;
    for word in rest.split_whitespace() {
        match (word, list) {
            ("has" | "lacks", _) => list = Some(word),
            (_, Some("has")) => wanted.has.push(word.to_owned()),
            (_, Some(_)) => wanted.lacks.push(word.to_owned()),
            (_, None) => return Err("`has` or `lacks`".into()),
        }
    }
    Ok(wanted)
}

fn header(who: String, text: &str) -> Result<Deed, String> {
    let (conversation, mut rest) = text.split_once(' ').ok_or("a conversation and its header")?;
    let conversation = single(conversation)?;
    let mut numbers = Vec::new();
    while !rest.trim().is_empty() {
        let (word, value) = rest.trim_start().split_once(' ').ok_or("a word and its value")?;
        let known = WORDS.iter().find(|(known, _)| *known == word);
        let (_, field) = known.ok_or_else(|| format!("a word for a number, not {word}"))?;
        let end = end_of_value(value);
        numbers.push((*field, single(&value[..end])?));
        rest = &value[end..];
    }
    Ok(Deed::Header(who, conversation, numbers))
}

/// Values of a header are separated by blanks; lists and texts may hold some.
fn end_of_value(text: &str) -> usize {
    let close = match text.chars().next() {
        Some('[') => ']',
        Some('"') => '"',
        _ => return text.find(' ').unwrap_or(text.len()),
    };
    text[1..].find(close).map_or(text.len(), |at| at + 2)
}
