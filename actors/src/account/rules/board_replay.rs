//! What the tests of the own board ask for, on the way through which all tests of an account's rules go (`replay`).

use rill_proto::event::{ClientEvent, my_message, my_section, task};
use rill_proto::field::{Cursor, Limit};
use rill_proto::id::{ConversationId, MessageId, SectionId};
use serde_json::Value;
use uuid::Uuid;

pub(super) use super::replay::Replay;
use super::replay::{ALICE, text};
use super::{Decision, Facts};
use crate::account::board::record::{self, Texts, Told};
use crate::account::board::{Place, What};
use crate::account::upload;
use crate::effect::{Assignment, Effect};
use crate::file::{Content, Digest, Reference};
use crate::piece::{Piece, Viewer};
use crate::store::Stamp;

pub(super) const CONVERSATION: ConversationId = ConversationId(Uuid::from_u128(0xc));

impl Replay {
    /// What a conversation says of one of its tasks; the higher the version the later.
    pub(super) fn hear(&mut self, message_nr: u64, state: Assignment, version: Stamp) -> Decision {
        self.hear_as(message_nr, state, version, false)
    }

    /// The same of a conversation that the account has taken out of its list.
    pub(super) fn hear_as(
        &mut self,
        message_nr: u64,
        state: Assignment,
        version: Stamp,
        is_unheard: bool,
    ) -> Decision {
        self.apply(&Effect::Assigned {
            conversation_id: CONVERSATION,
            message_nr,
            message_id: of_conversation(message_nr),
            state,
            is_unheard,
            version,
        })
    }

    /// Records as the account's sessions get them.
    pub(super) fn records(&self, news: &[Told]) -> Vec<Value> {
        let board = &self.state.board;
        let wanted = record::texts_wanted(news, |id| board.task(id), &Texts::new());
        let records = record::records(board, news, &self.texts(&wanted));
        let viewer = Viewer { account_id: ALICE, contacts: None, placements: Some(board.placements()) };
        let written = |piece: &Piece| {
            let mut out = Vec::new();
            piece.write(&viewer, &mut out);
            serde_json::from_slice(&out).unwrap()
        };
        records.pieces.iter().map(written).collect()
    }

    /// What stands in a section, first to last: private tasks by their text, the conversations' by their number.
    pub(super) fn standing(&self, section_id: SectionId) -> Vec<String> {
        let tasks = self.state.board.tasks_of(section_id, None);
        tasks.map(|(_, id)| self.name(id)).collect()
    }

    fn name(&self, id: MessageId) -> String {
        let task = self.state.board.task(id).unwrap();
        if let What::Assigned { message_nr, .. } = task.what {
            return message_nr.to_string();
        }
        let text = &self.texts(&[id])[&id];
        rill_proto::markup::plain_text(&text.message)
    }

    /// The names of the sections, first to last.
    pub(super) fn sections(&self) -> Vec<&str> {
        self.state.board.shown_sections().into_iter().map(|(_, section)| section.name.as_str()).collect()
    }

    pub(super) fn default_id(&self) -> SectionId {
        self.state.board.default_id()
    }

    pub(super) fn archived_id(&self) -> SectionId {
        self.state.board.archived_id()
    }

    pub(super) fn place(&self, id: MessageId) -> Option<Place> {
        self.state.board.task(id).unwrap().place
    }

    pub(super) fn weight(&self, id: MessageId) -> f64 {
        self.place(id).unwrap().weight.get()
    }

    /// Adds a private task.
    pub(super) fn task(&mut self, text: &str) -> MessageId {
        let decision = self.ask(add_todo(text)).unwrap();
        serde_json::from_value(decision.identifier["message_id"].clone()).unwrap()
    }

    /// Adds a private task with files.
    pub(super) fn task_with(&mut self, message: &str, urls: &[String]) -> MessageId {
        let event = my_message::AddTodo { message: text(message), attachment_urls: Some(urls.to_vec()) };
        let decision = self.ask(ClientEvent::MyMessage(my_message::Event::AddTodo(event))).unwrap();
        serde_json::from_value(decision.identifier["message_id"].clone()).unwrap()
    }

    /// Brings a file, and tells its url.
    pub(super) fn upload(&mut self, name: &str, size: u64) -> String {
        let upload_id = Uuid::new_v5(&ALICE.0, name.as_bytes());
        let content =
            Content { sha256: Digest([7; 32]), size, file_type: "text/plain".to_owned(), picture: None };
        let brought = upload::Brought { upload_id, name: name.to_owned(), content };
        let kept = self.judge(|state, facts| {
            let facts = Facts { storage_quota: 1_000, ..facts.clone() };
            Ok(upload::keep(state, vec![brought.clone()], &facts)?)
        });
        self.carry_out(&kept.unwrap());
        Reference::Upload(upload_id).url(name)
    }

    /// Adds a section.
    pub(super) fn section(&mut self, name: &str, prev: Option<SectionId>) -> SectionId {
        let decision = self.ask(add_section(name, prev)).unwrap();
        serde_json::from_value(decision.identifier["section_id"].clone()).unwrap()
    }
}

/// The id of a conversation's task.
pub(super) fn of_conversation(message_nr: u64) -> MessageId {
    MessageId(Uuid::from_u128(0xc000 + u128::from(message_nr)))
}

macro_rules! events {
    ($($noun:ident $module:ident $make:ident $event:ident ($($param:ident: $type:ty = $value:expr),*);)+) => {$(
        pub(super) fn $make($($param: $type),*) -> ClientEvent {
            ClientEvent::$noun($module::Event::$event($module::$event { $($param: $value),* }))
        }
    )+};
}

events! {
    MyMessage my_message archive Archive(message_id: MessageId = message_id);
    MyMessage my_message unarchive Unarchive(message_id: MessageId = message_id);
    MyMessage my_message delete Delete(message_id: MessageId = message_id);
    MyMessage my_message set_done SetDone(message_id: MessageId = message_id);
    MyMessage my_message set_todo SetTodo(message_id: MessageId = message_id);
    MyMessage my_message edit_attachments EditAttachments(
        message_id: MessageId = message_id, attachment_urls: &[String] = Some(attachment_urls.to_vec())
    );
    MyMessage my_message edit_body EditBody(message_id: MessageId = message_id, message: &str = text(message));
    MySection my_section archive_all TaskArchiveAll(section_id: SectionId = section_id);
    MySection my_section archive_done TaskArchiveDone(section_id: SectionId = section_id);
    MySection my_section delete_section TaskDelete(section_id: SectionId = section_id);
    MySection my_section rename TaskRename(section_id: SectionId = section_id, section_name: &str = text(section_name));
    MySection my_section move_section TaskSetPosition(
        section_id: SectionId = section_id, prev_section_id: Option<SectionId> = prev_section_id
    );
    MySection my_section sync TaskSync(
        section_id: SectionId = section_id,
        sync_cursor: Option<my_section::TaskCursor> = Cursor(sync_cursor),
        limit: i64 = Limit::new(limit)
    );
    Task task put_away Archive(message_id: MessageId = message_id);
    Task task put_back Unarchive(message_id: MessageId = message_id);
    Task task move_task SetPosition(
        message_id: MessageId = message_id, section_id: SectionId = section_id,
        prev_message_id: Option<MessageId> = prev_message_id
    );
}

pub(super) fn add_todo(message: &str) -> ClientEvent {
    let event = my_message::AddTodo { message: text(message), attachment_urls: None };
    ClientEvent::MyMessage(my_message::Event::AddTodo(event))
}

pub(super) fn add_canned(name: &str, message: &str) -> ClientEvent {
    let event =
        my_message::AddCanned { canned_name: text(name), message: text(message), attachment_urls: None };
    ClientEvent::MyMessage(my_message::Event::AddCanned(event))
}

pub(super) fn edit_canned(message_id: MessageId, name: &str, message: &str) -> ClientEvent {
    let event = my_message::EditCanned {
        canned_name: text(name),
        message: text(message),
        message_id,
        attachment_urls: None,
    };
    ClientEvent::MyMessage(my_message::Event::EditCanned(event))
}

fn add_section(name: &str, prev_section_id: Option<SectionId>) -> ClientEvent {
    let event = my_section::TaskAdd {
        section_name: text(name),
        prev_section_id,
        mk_section_type: rill_proto::classificator::MySectionType::MyTask,
    };
    ClientEvent::MySection(my_section::Event::TaskAdd(event))
}
