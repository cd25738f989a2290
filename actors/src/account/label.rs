//! The system labels that every account has (protocol.md §4.9, conversations.md §11).
//!
//! Their ids are derived from the account's, so nobody needs to store or to ask for them. Not here: labels that the owner
//! makes, and which conversations a label lists.

use bytes::Bytes;
use rill_proto::classificator::{LabelStatus, LabelSubtype, LabelType};
use rill_proto::id::{AccountId, LabelId};
use rill_proto::record::{self, label};
use uuid::Uuid;

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

/// Where the conversations of a label are shown.
struct Places {
    is_on_left_pane: bool,
    is_in_recent: bool,
    is_in_muted: bool,
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

    /// Its `label` record.
    #[must_use]
    pub fn record(self, account_id: AccountId) -> Bytes {
        let places = self.places();
        record::complete(&label::Label {
            label_id: self.id(account_id),
            label: Some(self.name()),
            index: self as i32 + 1,
            mk_label_type: LabelType::System,
            mk_label_subtype: self.subtype(),
            mk_label_status: LabelStatus::Active,
            is_on_left_pane: places.is_on_left_pane,
            is_in_recent: places.is_in_recent,
            is_in_muted: places.is_in_muted,
            team_id: None,
            sync_cursor: None,
            sync_inbox_time: None,
        })
        .into()
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

    fn places(self) -> Places {
        let (is_on_left_pane, is_in_recent, is_in_muted) = match self {
            Self::Starred | Self::Spam | Self::Archived => (true, false, false),
            Self::Recent => (true, true, false),
            Self::Muted => (true, false, true),
            Self::Unread | Self::OneToOne | Self::Email => (false, true, true),
        };
        Places { is_on_left_pane, is_in_recent, is_in_muted }
    }
}

/// The names of those labels that their owner sets himself, among his labels on a conversation.
#[must_use]
pub fn settable_names(account_id: AccountId, label_ids: &[LabelId]) -> Vec<String> {
    let settable = SystemLabel::ALL.into_iter().filter(|label| label.is_settable());
    settable
        .filter(|label| label_ids.contains(&label.id(account_id)))
        .map(|label| label.name().to_owned())
        .collect()
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
            let record: serde_json::Value = serde_json::from_slice(&label.record(ALICE)).unwrap();
            let expected = serde_json::json!({
                "mk_rec_type": "label", "label_id": label.id(ALICE), "label": name, "index": index,
                "mk_label_type": "system_label", "mk_label_subtype": subtype, "mk_label_status": "active",
                "is_on_left_pane": is_on_left_pane, "is_in_recent": is_in_recent, "is_in_muted": is_in_muted,
            });
            assert_eq!(record, expected);
            assert_eq!(label.seed(), format!("label:{subtype}").as_bytes());
        }
    }
}
