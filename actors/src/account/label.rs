//! The labels of an account: those that every account has, and those that its owner made (protocol.md §3.10, §4.9,
//! conversations.md §11).
//!
//! The ids of the former are derived from the account's, so that nobody needs to store or to ask for them. A label that is
//! removed stays as a row for clients that do not know it yet. Not here: which conversations a label lists (`listing`), and
//! what may be changed of one (`rules::label`).

use std::collections::BTreeMap;

use actix::Message;
use bytes::Bytes;
use rill_proto::classificator::{LabelStatus, LabelSubtype, LabelType};
use rill_proto::id::{AccountId, LabelId};
use rill_proto::record::{self, label};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::login::OrderReply;
use crate::conversation::rows::decode;
use crate::store::{Aggregate, RowKey, Stamp, Store, StoreFault};

/// The labels of an account, those excepted that every account has and that it left as they are.
pub type Labels = BTreeMap<LabelId, Label>;

/// A label that its owner made; or, of one that every account has, how he set it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Label {
    /// Trimmed, not empty.
    pub name: String,
    /// Its place among the account's labels.
    pub index: i32,
    /// Shown on the left pane.
    pub is_on_left_pane: bool,
    /// Its conversations are listed under Recent.
    pub is_in_recent: bool,
    /// Its conversations are listed under Muted.
    pub is_in_muted: bool,
    /// It is gone.
    #[serde(default)]
    pub is_removed: bool,
    /// When it last changed.
    pub stamp: Stamp,
}

/// Makes and changes labels, all or none. Told their ids and records when it is durable, in the order of the wishes.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct StoreLabels {
    /// What is wanted.
    pub wishes: Vec<Wish>,
    /// Told what came of it.
    pub reply: OrderReply<Vec<(LabelId, Bytes)>>,
}

/// What somebody wants of his labels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Wish {
    /// The label of this name, which is made where there is none.
    Named(String),
    /// Another one, or the named one otherwise.
    Change(Wanted),
}

/// How a label is wanted; what is missing stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// Which one; a new one is made otherwise.
    pub label_id: Option<LabelId>,
    /// Its name.
    pub name: Option<String>,
    /// Its place; -1 removes it.
    pub index: Option<i64>,
    /// Shown on the left pane.
    pub is_on_left_pane: Option<bool>,
    /// Its conversations are listed under Recent.
    pub is_in_recent: Option<bool>,
    /// Its conversations are listed under Muted.
    pub is_in_muted: Option<bool>,
}

/// A label that every account has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SystemLabel {
    /// Set with a star.
    Starred,
    /// Conversations that are neither muted nor archived.
    Recent,
    /// Muted conversations.
    Muted,
    /// Conversations with something unread.
    Unread,
    /// Topicless conversations of two.
    OneToOne,
    /// Conversations with e-mail-only members.
    Email,
    /// Set by the owner; mutes.
    Spam,
    /// Conversations that the owner put away.
    Archived,
}

impl SystemLabel {
    /// In the order in which clients show them.
    pub const ALL: [Self; 8] = [
        Self::Starred,
        Self::Recent,
        Self::Muted,
        Self::Unread,
        Self::OneToOne,
        Self::Email,
        Self::Spam,
        Self::Archived,
    ];

    /// Its id for an account.
    #[must_use]
    pub fn id(self, account_id: AccountId) -> LabelId {
        LabelId(Uuid::new_v5(&account_id.0, self.seed()))
    }

    /// The one that an id names, if it is one of these.
    #[must_use]
    pub fn of(account_id: AccountId, label_id: LabelId) -> Option<Self> {
        Self::ALL.into_iter().find(|label| label.id(account_id) == label_id)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starred => "starred",
            Self::Recent => "Recent",
            Self::Muted => "Muted",
            Self::Unread => "Unread",
            Self::OneToOne => "1:1 Conversations",
            Self::Email => "Email",
            Self::Spam => "Spam",
            Self::Archived => "Archived",
        }
    }

    /// Whether its owner sets it himself; the conversations of the others are computed.
    #[must_use]
    pub fn is_settable(self) -> bool {
        matches!(self, Self::Starred | Self::Spam)
    }

    /// As it is before its owner sets anything of it.
    #[must_use]
    pub fn unset(self) -> Label {
        let (is_on_left_pane, is_in_recent, is_in_muted) = match self {
            Self::Starred | Self::Spam | Self::Archived => (true, false, false),
            Self::Recent => (true, true, false),
            Self::Muted => (true, false, true),
            Self::Unread | Self::OneToOne | Self::Email => (false, true, true),
        };
        let (name, index) = (self.name().to_owned(), self as i32 + 1);
        Label { name, index, is_on_left_pane, is_in_recent, is_in_muted, is_removed: false, stamp: 0 }
    }

    /// `label:` and the subtype's word.
    fn seed(self) -> &'static [u8] {
        match self {
            Self::Starred => b"label:starred",
            Self::Recent => b"label:recent",
            Self::Muted => b"label:muted",
            Self::Unread => b"label:unread",
            Self::OneToOne => b"label:1:1 conversations",
            Self::Email => b"label:email",
            Self::Spam => b"label:spam",
            Self::Archived => b"label:archived",
        }
    }

    fn subtype(self) -> LabelSubtype {
        match self {
            Self::Starred => LabelSubtype::Starred,
            Self::Recent => LabelSubtype::Recent,
            Self::Muted => LabelSubtype::Muted,
            Self::Unread => LabelSubtype::Unread,
            Self::OneToOne => LabelSubtype::OneToOne,
            Self::Email => LabelSubtype::Email,
            Self::Spam => LabelSubtype::Spam,
            Self::Archived => LabelSubtype::Archived,
        }
    }
}

/// A label of an account as it is; `None` when the account has no such label, or has it no longer.
#[must_use]
pub fn active(labels: &Labels, account_id: AccountId, label_id: LabelId) -> Option<Label> {
    match (labels.get(&label_id), SystemLabel::of(account_id, label_id)) {
        (Some(label), _) => Some(label.clone()).filter(|label| !label.is_removed),
        (None, system) => system.map(SystemLabel::unset),
    }
}

/// The `label` record of an account's label, removed or not; with the cursor, where it is the answer to a sync.
#[must_use]
pub fn record(account_id: AccountId, label_id: LabelId, label: &Label, sync_cursor: Option<&str>) -> Bytes {
    let system = SystemLabel::of(account_id, label_id);
    record::complete(&label::Label {
        label_id,
        label: (!label.is_removed).then_some(&label.name),
        index: label.index,
        mk_label_type: if system.is_some() { LabelType::System } else { LabelType::User },
        mk_label_subtype: system.map_or(LabelSubtype::User, SystemLabel::subtype),
        mk_label_status: if label.is_removed { LabelStatus::Removed } else { LabelStatus::Active },
        is_on_left_pane: label.is_on_left_pane,
        is_in_recent: label.is_in_recent,
        is_in_muted: label.is_in_muted,
        team_id: None,
        sync_cursor,
        sync_inbox_time: sync_cursor.map(|_| 0),
    })
    .into()
}

/// The records that a client with a horizon lacks; with none it has nothing, and is not told of what is gone.
#[must_use]
pub fn records_since(labels: &Labels, account_id: AccountId, horizon: Stamp) -> Vec<Bytes> {
    let system = SystemLabel::ALL.into_iter().filter(|_| horizon == 0).map(|label| label.id(account_id));
    let made = labels.iter().filter(|(_, label)| label.stamp > horizon && (horizon > 0 || !label.is_removed));
    let made = made.map(|(id, _)| *id).filter(|id| horizon > 0 || SystemLabel::of(account_id, *id).is_none());
    let shown = system.chain(made).filter_map(|id| {
        let set = labels.get(&id).cloned();
        let label = set.or_else(|| SystemLabel::of(account_id, id).map(SystemLabel::unset))?;
        Some(record(account_id, id, &label, None))
    });
    shown.collect()
}

/// What a conversation must know of a label that its member puts on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settable {
    /// Its name.
    pub name: String,
    /// Its record.
    pub record: Bytes,
}

/// A label that an account may put on conversations, as it is stored; `None` when there is none.
///
/// # Errors
/// The store cannot be read.
pub async fn settable(
    store: &dyn Store,
    account_id: AccountId,
    label_id: LabelId,
) -> Result<Option<Settable>, StoreFault> {
    let system = SystemLabel::of(account_id, label_id);
    if system.is_some_and(|label| !label.is_settable()) {
        return Ok(None);
    }
    let row = store.row(Aggregate::Account(account_id), RowKey::Label(label_id)).await?;
    let stored: Option<Label> = row.map(|row| decode(&row)).transpose()?;
    let label = stored.or_else(|| system.map(SystemLabel::unset)).filter(|label| !label.is_removed);
    Ok(label.map(|label| Settable { record: record(account_id, label_id, &label, None), name: label.name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: AccountId = AccountId(Uuid::from_u128(1));

    #[test]
    fn every_account_has_eight_labels_of_its_own() {
        let ids: Vec<LabelId> = SystemLabel::ALL.map(|label| label.id(ALICE)).to_vec();
        let distinct: std::collections::BTreeSet<LabelId> = ids.iter().copied().collect();
        assert_eq!(distinct.len(), 8);
        assert_eq!(SystemLabel::OneToOne.id(ALICE).0, Uuid::new_v5(&ALICE.0, b"label:1:1 conversations"));
        assert_ne!(SystemLabel::OneToOne.id(AccountId(Uuid::from_u128(2))), SystemLabel::OneToOne.id(ALICE));
    }

    #[test]
    fn records_say_what_the_table_of_system_labels_says() {
        let table = [
            ("starred", "starred", true, false, false),
            ("Recent", "recent", true, true, false),
            ("Muted", "muted", true, false, true),
            ("Unread", "unread", false, true, true),
            ("1:1 Conversations", "1:1 conversations", false, true, true),
            ("Email", "email", false, true, true),
            ("Spam", "spam", true, false, false),
            ("Archived", "archived", true, false, false),
        ];
        for ((label, row), index) in SystemLabel::ALL.into_iter().zip(table).zip(1..) {
            let (name, subtype, is_on_left_pane, is_in_recent, is_in_muted) = row;
            let bytes = record(ALICE, label.id(ALICE), &label.unset(), None);
            let record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            let expected = serde_json::json!({
                "mk_rec_type": "label", "label_id": label.id(ALICE), "label": name, "index": index,
                "mk_label_type": "system_label", "mk_label_subtype": subtype, "mk_label_status": "active",
                "is_on_left_pane": is_on_left_pane, "is_in_recent": is_in_recent, "is_in_muted": is_in_muted,
            });
            assert_eq!(record, expected);
            assert_eq!(label.seed(), format!("label:{subtype}").as_bytes());
        }
    }

    #[test]
    fn who_has_nothing_is_told_of_what_there_is_and_who_has_something_of_what_changed() {
        let made = |name: &str, is_removed, stamp| Label {
            name: name.to_owned(),
            is_removed,
            stamp,
            ..SystemLabel::OneToOne.unset()
        };
        let id = |nr| LabelId(Uuid::from_u128(nr));
        let mut labels = Labels::new();
        labels.insert(id(1), made("Work", false, 5));
        labels.insert(id(2), made("Old", true, 7));
        let starred = Label { index: 99, stamp: 8, ..SystemLabel::Starred.unset() };
        labels.insert(SystemLabel::Starred.id(ALICE), starred);
        let told = |horizon| -> Vec<(String, i64)> {
            let records = records_since(&labels, ALICE, horizon);
            let read = |bytes: &Bytes| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
            let records = records.iter().map(read);
            let name = |record: &serde_json::Value| record["label"].as_str().unwrap_or("(gone)").to_owned();
            records.map(|record| (name(&record), record["index"].as_i64().unwrap())).collect()
        };
        assert_eq!(told(0).len(), 9);
        assert_eq!(told(0)[0], ("starred".to_owned(), 99));
        assert_eq!(told(0)[8], ("Work".to_owned(), 5));
        let mut since = told(5);
        since.sort();
        assert_eq!(since, [("(gone)".to_owned(), 5), ("starred".to_owned(), 99)]);
        assert!(told(8).is_empty());
    }
}
