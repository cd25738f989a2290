//! One conversation, three kinds of viewer (member, ex-member, stranger), every kind of news: what they share.

use rill_proto::classificator::{AlertLevel, InitMode, MessageState};
use rill_proto::id::{ConversationId, LabelId, MessageId, OrganisationId, TeamId};
use serde_json::{Value, json};

use super::*;
use crate::account::contact::{ContactBook, ContactRow};
use crate::account::profile::Profile;
use crate::conversation::state::{
    Boards, Change, Frozen, Message, MessageKind, Run, Section, Settings, Span, Standing,
};
use crate::piece::Viewer;

mod header;
mod records;

const UPDATE: Header = Header::UPDATE;
const FULL: Header = Header { keys: Keys::Full, ..UPDATE };

const ALICE: AccountId = AccountId(Uuid::from_u128(1));
const BOB: AccountId = AccountId(Uuid::from_u128(2));
const CHARLIE: AccountId = AccountId(Uuid::from_u128(3));
const STRANGER: AccountId = AccountId(Uuid::from_u128(9));

fn id(nr: u128) -> String {
    Uuid::from_u128(nr).to_string()
}

fn site() -> Site {
    Site { public_url: "https://rill.example".to_owned(), mail_host: "rill.example".to_owned() }
}

fn head() -> Head {
    Head {
        creator_id: ALICE,
        topic: String::new(),
        topic_message_nr: 1,
        settings: Settings::default(),
        managed: vec![],
        is_deletable: false,
        teams: vec![TeamId(Uuid::from_u128(0x7E))],
        last_message_nr: 6,
        show_message_nr: 6,
        last_inbox_nr: 4,
        last_message_time: 1_006,
        last_inbox_time: 1_006,
        inbox_message_nr: 0,
        facts_stamp: 5,
        stamp: 6_000_000,
    }
}

fn member(name: &str, place: u32) -> Member {
    Member {
        profile: Profile {
            version: 1,
            display_name: name.to_owned(),
            email: format!("{}@example.org", name.to_lowercase().replace(' ', ".")),
            fleep_address: Some(name.to_lowercase()),
            status: AccountStatus::Active,
            organisation_id: None,
            organisation_name: None,
            is_org_admin: None,
            invited_into: [].into(),
            phone_nr: None,
            status_emoji: None,
            status_message: None,
            alias_of: None,
            is_private: false,
            avatar: None,
        },
        standing: Standing::Active,
        is_by_team: false,
        place,
        join_message_nr: 1,
        begin_message_nr: 1,
        send_message_nr: 1,
        read_message_nr: 0,
        read_inbox_nr: 0,
        has_read: false,
        shown_read_nr: None,
        join_time: 1_001,
        is_mark_unread: None,
        my_message_nr: None,
        mentions: vec![],
        hide_message_nr: None,
        delete_message_nr: None,
        delete_inbox_nr: 0,
        is_deleted: false,
        no_notifications: None,
        spans: vec![],
        revoked: vec![],
        frozen: None,
        alert_level: AlertLevel::Default,
        snooze_interval: 0,
        snooze_time: 0,
        label_ids: vec![],
        label_names: None,
        init_stamp: 1,
        shown_stamp: 1,
        profile_stamp: 1,
        stamp: 1,
    }
}

/// T1 up to Alice's post in slot 6: she created with Bob and Charlie, posted 2 to 4; Charlie left with 5. Bob has read
/// nothing.
fn conversation() -> State {
    let mut state = State::new(ConversationId(Uuid::from_u128(0xC)));
    let alice = Member {
        read_message_nr: 6,
        read_inbox_nr: 4,
        has_read: true,
        is_mark_unread: Some(false),
        ..member("Alice Adams", 0)
    };
    let charlie = Member {
        standing: Standing::Left,
        send_message_nr: 5,
        read_message_nr: 5,
        read_inbox_nr: 3,
        has_read: true,
        is_mark_unread: Some(false),
        spans: vec![Span::of_membership(1, 5)],
        frozen: Some(Frozen {
            message_nr: 5,
            last_inbox_nr: 3,
            last_inbox_time: 1_004,
            time: 1_005,
            topic: String::new(),
            topic_message_nr: 1,
            settings: Settings::default(),
            boards: Boards::default(),
        }),
        ..member("Charlie Chaplin", 2)
    };
    for change in [
        Change::Head(head()),
        Change::Member(ALICE, alice),
        Change::Member(BOB, member("Bob Brown", 1)),
        Change::Member(CHARLIE, charlie),
        Change::Run(Run { inbox_nr: 1, message_nr: 2 }),
        Change::Run(Run { inbox_nr: 4, message_nr: 6 }),
    ] {
        state.fold(&change);
    }
    state
}

fn text(message_nr: u64) -> Message {
    Message {
        message_nr,
        message_id: MessageId(Uuid::from_u128(0xE)),
        account_id: ALICE,
        kind: MessageKind::Text,
        state: MessageState::Plain,
        message: "<msg><p>Hello</p></msg>".to_owned(),
        posted_time: 1_000 + i64::try_from(message_nr).unwrap(),
        edited_time: None,
        edit_account_id: None,
        prev_message_nr: message_nr - 1,
        flow_message_nr: None,
        ref_message_nr: None,
        reply_to_message_nr: None,
        inbox_nr: 1,
        subject: None,
        mention_ids: vec![],
        is_url_preview_disabled: false,
        extras: None,
        files: Vec::new(),
        stamp: 1,
    }
}

fn said(message: Message, flow: Option<u64>) -> News {
    News::Message { message: Box::new(message), flow }
}

fn encoded(state: &State, news: &News) -> Option<Template> {
    template(state, &BTreeMap::from([(BOB, 1_030)]), &BTreeMap::from([(2, BOB)]), &site(), news)
}

/// What a viewer is sent of some news, if anything.
fn told(state: &State, viewer: AccountId, news: &News) -> Option<Value> {
    told_with(state, viewer, news, &ContactBook::default())
}

fn told_with(state: &State, viewer: AccountId, news: &News, book: &ContactBook) -> Option<Value> {
    if !may_see(state, viewer, news) {
        return None;
    }
    let piece = piece(&encoded(state, news)?, state, viewer)?;
    let mut out = Vec::new();
    piece.write(&Viewer { account_id: viewer, contacts: Some(book), placements: None }, &mut out);
    let hint = piece.size_hint();
    assert!(out.len() <= hint * 3 / 2 && hint <= out.len() * 3, "{} bytes for a hint of {hint}", out.len());
    Some(serde_json::from_slice(&out).unwrap())
}

fn to_do() -> Section {
    Section {
        name: "To Do".to_owned(),
        subtype: state::SectionSubtype::Default,
        weight: Weight::FIRST,
        is_deleted: false,
        stamp: 1,
    }
}
