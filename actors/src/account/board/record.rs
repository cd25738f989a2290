//! From what is told of a board to the pieces that lie in lanes.
//!
//! Pure. A private task's record needs its text, which the owner reads first ([`texts_wanted`]). A conversation's task is
//! named here, and its conversation makes the record. Not here: who is told.

use std::collections::BTreeMap;

use rill_proto::classificator::{MyMessageState, MySectionType};
use rill_proto::id::{AccountId, ConversationId, MessageId, SectionId};
use rill_proto::record::my_message::{Deleted, Moved, MyMessage};
use rill_proto::record::my_section::MySection;
use rill_proto::record::{self, weight};

use super::{Board, Task, Text, What};
use crate::file::Host;
use crate::piece::Piece;
use crate::store::Stamp;

/// Up to how many tasks are told whole. When more change places at once, whoever holds them is told where they stand now,
/// and a record has some two hundred bytes, however long its text.
pub const WHOLE_MAX: usize = 100;

/// Stamps count microseconds.
const STAMPS_PER_SECOND: f64 = 1_000_000.0;

/// Something of the board.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// A section.
    Section {
        /// Which one.
        id: SectionId,
        /// Where its tasks go on: JSON text.
        sync_cursor: Option<String>,
    },
    /// A task or a canned response.
    Task(MessageId),
}

impl Told {
    /// A section without a place where its tasks would go on.
    #[must_use]
    pub fn section(id: SectionId) -> Self {
        Self::Section { id, sync_cursor: None }
    }
}

/// Texts that were read.
pub type Texts = BTreeMap<MessageId, Text>;

/// Where no text is wanted.
pub static NO_TEXTS: Texts = BTreeMap::new();

/// Messages of a conversation, by number and id.
pub type Numbers = Vec<(u64, MessageId)>;

/// What the records of some news are made of.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The account's own records.
    pub pieces: Vec<Piece>,
    /// The messages that conversations are asked to show.
    pub shows: BTreeMap<ConversationId, Numbers>,
    /// They are told whole, and not only where they stand.
    pub is_whole: bool,
}

/// The tasks whose texts must be read before [`records`] can be made of the news.
pub fn texts_wanted<'a>(
    news: &'a [Told],
    task: impl Fn(MessageId) -> Option<&'a Task>,
    texts: &Texts,
) -> Vec<MessageId> {
    if !is_whole(news) {
        return Vec::new();
    }
    let lacks_text = |id: &MessageId| {
        let wanted = task(*id).and_then(Task::store_time);
        wanted.is_some_and(|wanted| texts.get(id).is_none_or(|text| text.store_time != wanted))
    };
    named(news).filter(lacks_text).collect()
}

fn named(news: &[Told]) -> impl Iterator<Item = MessageId> {
    news.iter().filter_map(|told| match told {
        Told::Task(id) => Some(*id),
        Told::Section { .. } => None,
    })
}

fn is_whole(news: &[Told]) -> bool {
    named(news).take(WHOLE_MAX + 1).count() <= WHOLE_MAX
}

/// The records of some news, in its order. What is not there is left out.
#[must_use]
pub fn records(board: &Board, news: &[Told], texts: &Texts) -> Records {
    let mut records = Records { is_whole: is_whole(news), ..Records::default() };
    for told in news {
        match told {
            Told::Section { id, sync_cursor } => {
                records.pieces.extend(section(board, *id, sync_cursor.as_deref()));
            }
            Told::Task(id) => {
                let Some(of) = board.task(*id) else { continue };
                if let What::Assigned { conversation_id, message_nr, .. } = of.what {
                    records.shows.entry(conversation_id).or_default().push((message_nr, *id));
                } else {
                    let text = texts.get(id).filter(|_| records.is_whole && of.what != What::Deleted);
                    records.pieces.push(task(board.account_id, *id, of, text));
                    let files = text.into_iter().flat_map(|text| &text.files);
                    let host = Host::Private { message_id: *id };
                    records.pieces.extend(files.map(|file| Piece::Shared(file.record(host).into())));
                }
            }
        }
    }
    records
}

fn section(board: &Board, id: SectionId, sync_cursor: Option<&str>) -> Option<Piece> {
    let of = board.section(id)?;
    let record = MySection {
        section_id: id,
        account_id: board.account_id,
        name: &of.name,
        mk_section_type: MySectionType::MyTask,
        mk_section_subtype: of.subtype,
        weight: weight::Weight(of.weight.get()),
        is_deleted: of.is_deleted,
        sync_cursor,
        sync_state: (),
    };
    Some(Piece::Shared(record::complete(&record).into()))
}

fn task(account_id: AccountId, id: MessageId, of: &Task, text: Option<&Text>) -> Piece {
    let state = match of.what {
        What::Private { is_done: true, .. } => MyMessageState::Done,
        What::Private { is_done: false, .. } | What::Assigned { .. } => MyMessageState::Todo,
        What::Canned { .. } => MyMessageState::Canned,
        What::Deleted => MyMessageState::Deleted,
    };
    let section_id = of.place.map(|place| place.section_id);
    let task_weight = of.place.map(|place| weight::Weight(place.weight.get()));
    let bytes = match text {
        Some(text) => record::complete(&MyMessage {
            message_id: id,
            account_id,
            message: &text.message,
            mk_message_state: state,
            section_id,
            task_weight,
            canned_name: text.canned_name.as_deref(),
            posted_time: text.posted_time,
            edited_time: text.edited_time,
            store_time: seconds(text.store_time),
        }),
        None if state == MyMessageState::Deleted => record::complete(&Deleted::new(id, account_id)),
        None => record::complete(&Moved {
            message_id: id,
            account_id,
            mk_message_state: state,
            section_id,
            task_weight,
        }),
    };
    Piece::Shared(bytes.into())
}

#[expect(clippy::cast_precision_loss, reason = "a stamp has 53 bits")]
fn seconds(stamp: Stamp) -> f64 {
    stamp as f64 / STAMPS_PER_SECOND
}
