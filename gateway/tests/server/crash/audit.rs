//! What was answered against what is there, after the last round.
//!
//! Not here: how it came to be ([`super::writer`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rill_loadtest::picture::Picture;
use rill_loadtest::record::{Record, number, text};
use serde_json::Value;

use super::writer::{Wish, Writer, is_dropped_activity};
use crate::world::compared_with_a_fresh_sync;

/// So many are compared at once. A connection is closed that is not read for a minute, and who is compared reads two of them in turn.
const AT_ONCE: usize = 8;

/// The outcome.
#[derive(Default)]
pub(super) struct Audit {
    pub(super) answered: usize,
    pub(super) found: usize,
    pub(super) violations: Vec<String>,
}

impl Audit {
    /// Prints what came of it, and is content with nothing but everything in its place.
    pub(super) fn assert_clean(&self, what: &str, begin: Instant) {
        let (answered, found, violations) = (self.answered, self.found, self.violations.len());
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "{what}, {answered} events answered, {found} events found, {violations} violations, in {seconds:.1} s"
        );
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for violation in &self.violations {
            *kinds.entry(violation.split_once(": ").map_or(violation, |(_, what)| what)).or_default() += 1;
        }
        let kinds: Vec<_> = kinds.iter().take(20).collect();
        assert!(kinds.is_empty(), "{violations} violations, of some kinds: {kinds:#?}");
        assert_eq!(answered, found);
    }
}

/// Everything that is found in the conversations, by whoever sees most of each.
#[derive(Default)]
struct Finds {
    /// Where each token stands.
    posts: BTreeMap<String, Vec<(String, u64)>>,
    texts: BTreeMap<(String, u64), String>,
    members: BTreeMap<String, BTreeSet<String>>,
    /// Messages and the last slot of each conversation.
    sizes: BTreeMap<String, (u64, u64)>,
    /// How far each account has read each conversation.
    read: BTreeMap<(String, String), u64>,
}

/// Compares every writer with a fresh sync, and everything answered with what the fresh syncs hold.
pub(super) fn draw_up(writers: &mut [Writer]) -> Audit {
    let mut audit = Audit::default();
    let mut finds = Finds::default();
    let turns = AtomicUsize::new(AT_ONCE);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            writers.iter_mut().map(|writer| scope.spawn(|| compare(writer, &turns))).collect();
        for thread in threads {
            let (lines, picture, account_id) = thread.join().unwrap();
            audit.violations.extend(lines);
            finds.take(&picture, &account_id);
        }
    });
    for writer in writers.iter_mut() {
        audit.violations.append(&mut writer.violations);
    }
    audit.count(writers, &finds);
    audit
}

fn compare(writer: &mut Writer, turns: &AtomicUsize) -> (Vec<String>, Picture, String) {
    let account_id = writer.user.account_id.clone();
    let name = writer.name();
    let Some(session) = writer.session() else {
        return (vec![format!("{name} is not connected")], Picture::at(0), account_id);
    };
    let one_less = |turns: usize| turns.checked_sub(1);
    while turns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
        if let Err(failure) = session.receive(Duration::from_secs(1)) {
            return (vec![format!("{name} waits to be compared: {failure}")], Picture::at(0), account_id);
        }
    }
    let lines = compared_with_a_fresh_sync(session).unwrap_or_else(|failure| vec![failure.to_string()]);
    turns.fetch_add(1, Ordering::Relaxed);
    let lines = lines
        .into_iter()
        .filter(|line| !is_dropped_activity(line))
        .map(|line| format!("{name}: {line}"))
        .collect();
    (lines, session.picture().clone(), account_id)
}

impl Finds {
    fn take(&mut self, picture: &Picture, account_id: &str) {
        for conversation_id in picture.conversation_ids() {
            let Some(conv) = picture.conv(&conversation_id) else { continue };
            let read = number(conv, "read_message_nr").unwrap_or(0);
            self.read.insert((account_id.to_owned(), conversation_id.clone()), read);
            if number(conv, "join_message_nr") == Some(1) && !self.sizes.contains_key(&conversation_id) {
                self.take_whole(picture, conv, &conversation_id);
            }
        }
    }

    fn take_whole(&mut self, picture: &Picture, conv: &Record, conversation_id: &str) {
        let members = conv.get("members").and_then(Value::as_array).into_iter().flatten();
        let members = members.filter_map(|id| id.as_str().map(str::to_owned)).collect();
        self.members.insert(conversation_id.to_owned(), members);
        let mut count = 0;
        for message in picture.messages(conversation_id) {
            count += 1;
            let place = (conversation_id.to_owned(), number(message, "message_nr").unwrap_or(0));
            let said = text(message, "message");
            if let Some((_, rest)) = said.split_once("post ") {
                let token = rest.split([' ', '<']).next().unwrap_or_default();
                self.posts.entry(token.to_owned()).or_default().push(place.clone());
            }
            self.texts.insert(place, said.to_owned());
        }
        let last = number(conv, "last_message_nr").unwrap_or(0);
        self.sizes.insert(conversation_id.to_owned(), (count, last));
    }
}

impl Audit {
    fn count(&mut self, writers: &[Writer], finds: &Finds) {
        let mut last_texts: BTreeMap<(String, u64), String> = BTreeMap::new();
        let mut places = BTreeSet::new();
        let mut revisions: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for done in writers.iter().flat_map(|writer| &writer.done) {
            match &done.wish {
                Wish::Edit { conversation_id, message_nr, text } => {
                    last_texts.insert((conversation_id.clone(), *message_nr), text.clone());
                    revisions.entry(conversation_id).or_default().0 += 1;
                }
                Wish::Add { conversation_id, .. } => revisions.entry(conversation_id).or_default().1 += 1,
                Wish::Post { .. } | Wish::Mark { .. } => {}
            }
        }
        for writer in writers {
            for done in &writer.done {
                self.answered += 1;
                let place = done.message_nr;
                let is_found = is_found(&writer.user.account_id, &done.wish, place, finds, &last_texts);
                self.found += usize::from(is_found);
                if !is_found {
                    self.violations.push(format!("answered, but not found once and in its place: {done:?}"));
                }
                if let (Wish::Post { conversation_id, token }, Some(nr)) = (&done.wish, place)
                    && !places.insert((conversation_id.clone(), nr))
                {
                    self.violations
                        .push(format!("{conversation_id}: {nr} was given twice, lastly to {token}"));
                }
            }
        }
        self.count_slots(finds, &places, &revisions);
    }

    /// Each slot is a message or a revision: what is neither was lost, what is too much was never a number.
    fn count_slots(
        &mut self,
        finds: &Finds,
        places: &BTreeSet<(String, u64)>,
        revisions: &BTreeMap<&str, (u64, u64)>,
    ) {
        for (token, found) in &finds.posts {
            if found.len() != 1 || !places.contains(&found[0]) {
                self.violations.push(format!("{token} stands at {found:?}, which was not answered so"));
            }
        }
        for (conversation_id, (messages, last)) in &finds.sizes {
            let (edits, adds) = revisions.get(conversation_id.as_str()).copied().unwrap_or_default();
            let slots = messages + edits;
            if !(slots..=slots + adds).contains(last) {
                self.violations.push(format!(
                    "{conversation_id}: {messages} messages, {edits} edits, at most {adds} merged adds, but last is {last}"
                ));
            }
        }
    }
}

fn is_found(
    account_id: &str,
    wish: &Wish,
    answered_nr: Option<u64>,
    finds: &Finds,
    last_texts: &BTreeMap<(String, u64), String>,
) -> bool {
    match wish {
        Wish::Post { conversation_id, token } => {
            let place = answered_nr.map(|nr| (conversation_id.clone(), nr));
            place.is_some_and(|place| finds.posts.get(token) == Some(&vec![place]))
        }
        Wish::Edit { conversation_id, message_nr, .. } => {
            let place = (conversation_id.clone(), *message_nr);
            let last = last_texts.get(&place).map_or("", String::as_str);
            finds.texts.get(&place).is_some_and(|text| text.contains(last))
        }
        Wish::Mark { conversation_id, message_nr } => {
            finds.read.get(&(account_id.to_owned(), conversation_id.clone())) >= Some(message_nr)
        }
        Wish::Add { conversation_id, account_id } => {
            finds.members.get(conversation_id).is_some_and(|members| members.contains(account_id))
        }
    }
}
