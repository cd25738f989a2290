//! Finding words in what somebody may see: topics, members, and the texts of messages.
//!
//! There is no index: rows are read as they are stored, the conversations with the newest messages first, each from its
//! newest slot downwards, and no further than the bounds below. It wakes no owner, and reads on the calling thread. Not
//! here: the records of what is found.

use std::collections::BTreeSet;

use rill_proto::classificator::MessageState;
use rill_proto::id::{AccountId, ConversationId};
use rill_proto::markup::plain_text;

use crate::account::memberships::memberships;
use crate::conversation::rows::decode;
use crate::conversation::state::{Head, Member, Message, MessageKind, Slot};
use crate::store::{Aggregate, Direction, RowKey, Store, StoreFault};

/// How many conversations are looked at: those in which somebody wrote last. More than a person remembers having been in.
pub const CONVERSATIONS_MAX: usize = 200;

/// How many slots are read for one search. At some three microseconds each it is below a tenth of a second.
pub const SLOTS_MAX: usize = 20_000;

/// How many slots of one conversation are read when others are looked at as well, so that one busy conversation does not
/// hide them all.
pub const SLOTS_EACH_MAX: usize = 2_000;

/// How many messages are found: more than anybody looks through before he asks for something else.
pub const MESSAGES_MAX: usize = 50;

/// How many words a search may have.
pub const WORDS_MAX: usize = 10;

/// How many slots are read at once: few enough not to read much more than what ends the search.
const STRETCH: usize = 200;

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Question {
    words: Vec<String>,
    /// In this conversation only.
    pub within: Option<ConversationId>,
    /// Not in these.
    pub ignored: BTreeSet<ConversationId>,
    /// Among topics and members.
    pub is_of_topics: bool,
    /// Among the texts of messages.
    pub is_of_texts: bool,
}

/// What was found, in the order in which it is to be shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Conversations by their topic or their members, those with the newest messages first.
    pub conversations: Vec<ConversationId>,
    /// Messages by their text or subject: conversation by conversation, the newest first.
    pub messages: Vec<(ConversationId, u64)>,
}

impl Question {
    /// A search for all of these words; each may be the beginning of a longer one. At most [`WORDS_MAX`] count.
    #[must_use]
    pub fn new(keywords: &str) -> Self {
        Self { words: words(keywords).take(WORDS_MAX).collect(), ..Self::default() }
    }

    /// Whether there is a word in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a text has all of the words.
    fn finds(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        let mut of_text = lower.split(is_between).filter(|word| !word.is_empty());
        if let [word] = &self.words[..] {
            return of_text.any(|of| of.starts_with(word.as_str()));
        }
        let of_text: Vec<&str> = of_text.collect();
        self.words.iter().all(|word| of_text.iter().any(|of| of.starts_with(word.as_str())))
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let lower = text.to_lowercase();
    let words: Vec<String> =
        lower.split(is_between).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.into_iter()
}

fn is_between(character: char) -> bool {
    !character.is_alphanumeric()
}

/// Looks for something in what an account may see.
///
/// # Errors
/// The store cannot be read.
pub async fn search(store: &dyn Store, viewer: AccountId, question: &Question) -> Result<Found, StoreFault> {
    let mut found = Found::default();
    if question.is_empty() {
        return Ok(found);
    }
    let mut slots_left = SLOTS_MAX;
    for seen in newest(store, viewer, question).await? {
        if question.is_of_topics && is_about(store, &seen, question).await? {
            found.conversations.push(seen.id);
        }
        if question.is_of_texts && found.messages.len() < MESSAGES_MAX {
            let each = if question.within.is_some() { SLOTS_MAX } else { SLOTS_EACH_MAX };
            let read = texts(store, &seen, question, each.min(slots_left), &mut found.messages).await?;
            slots_left -= read;
        }
    }
    Ok(found)
}

/// A conversation in the eyes of who looks.
struct Seen {
    id: ConversationId,
    head: Head,
    member: Member,
}

/// The conversations to look at, the ones with the newest messages first.
async fn newest(store: &dyn Store, viewer: AccountId, question: &Question) -> Result<Vec<Seen>, StoreFault> {
    let wanted = memberships(store, viewer).await?.into_iter().map(|(id, _)| id);
    let wanted = wanted.filter(|id| question.within.is_none_or(|within| within == *id));
    let mut heads = Vec::new();
    for id in wanted.filter(|id| !question.ignored.contains(id)) {
        if let Some(head) = store.row(Aggregate::Conversation(id), RowKey::Head).await? {
            let head: Head = decode(&head)?;
            heads.push((std::cmp::Reverse(head.last_message_time), id, head));
        }
    }
    heads.sort_unstable_by_key(|(time, id, _)| (*time, *id));
    let mut seen = Vec::new();
    for (_, id, head) in heads.into_iter().take(CONVERSATIONS_MAX) {
        if let Some(member) = store.row(Aggregate::Conversation(id), RowKey::Member(viewer)).await? {
            let member: Member = decode(&member)?;
            // What is in nobody's list is found by nobody, unless he asks for it.
            if !member.is_deleted || question.within.is_some() {
                seen.push(Seen { id, head, member });
            }
        }
    }
    Ok(seen)
}

/// Whether topic or members have the words. Who has left is not told what it is called now, and who is in.
async fn is_about(store: &dyn Store, seen: &Seen, question: &Question) -> Result<bool, StoreFault> {
    if let Some(frozen) = &seen.member.frozen {
        return Ok(question.finds(&frozen.topic));
    }
    if question.finds(&seen.head.topic) {
        return Ok(true);
    }
    let loaded = store.load(Aggregate::Conversation(seen.id)).await?;
    let mut text = seen.head.topic.clone();
    for (key, bytes) in loaded.map(|loaded| loaded.rows).unwrap_or_default() {
        if let RowKey::Member(_) = key {
            let member: Member = decode(&bytes)?;
            if member.is_present() {
                text.push(' ');
                text.push_str(&member.profile.display_name);
                text.push(' ');
                text.push_str(&member.profile.email);
            }
        }
    }
    Ok(question.finds(&text))
}

/// Looks through the newest slots of a conversation; answers with how many were read.
async fn texts(
    store: &dyn Store,
    seen: &Seen,
    question: &Question,
    slots_max: usize,
    found: &mut Vec<(ConversationId, u64)>,
) -> Result<usize, StoreFault> {
    let mut to = seen.member.top(&seen.head);
    let mut read = 0;
    while to > 0 && read < slots_max {
        let limit = STRETCH.min(slots_max - read);
        let slots = store.slots(seen.id, 1, to, limit, Direction::Descending).await?;
        let Some((lowest, _)) = slots.last() else { break };
        to = lowest - 1;
        read += slots.len();
        for (_, bytes) in slots {
            let Slot::Message(message) = decode::<Slot>(&bytes)? else { continue };
            if is_open(seen, &message) && has(question, &message) {
                found.push((seen.id, message.message_nr));
                if found.len() == MESSAGES_MAX {
                    return Ok(read);
                }
            }
        }
    }
    Ok(read)
}

/// Whether a message is somebody's and can be shown in the flow.
fn is_open(seen: &Seen, message: &Message) -> bool {
    message.kind == MessageKind::Text
        && message.state != MessageState::Deleted
        && seen.member.sees(message.message_nr)
}

fn has(question: &Question, message: &Message) -> bool {
    let subject = message.subject.as_deref().unwrap_or_default();
    question.finds(&format!("{subject} {}", plain_text(&message.message)))
}

#[cfg(test)]
mod tests {
    use super::Question;

    #[test]
    fn every_word_begins_some_word_of_the_text() {
        let finds = |keywords: &str, text: &str| Question::new(keywords).finds(text);
        assert!(finds("gard", "The Garden is green"));
        assert!(finds("GREEN gard", "The Garden is green"));
        assert!(finds("ann@ex", "Ann <ann@example.org>"));
        assert!(finds("õun", "Õunad"));
        assert!(!finds("arden", "The Garden is green"));
        assert!(!finds("gard blue", "The Garden is green"));
        assert!(!finds("x", ""));
        assert!(Question::new(" ,.").is_empty());
    }
}
