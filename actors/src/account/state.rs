//! An account as its owner holds it: the rows, and `fold`, the only way in which they change.

use std::collections::{BTreeMap, BTreeSet};

use rill_proto::id::{AccountId, ConversationId, LabelId, MessageId, OrganisationId, SectionId, TeamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::board::{self, Board};
use crate::account::contact::{ContactBook, ContactRow};
use crate::account::employment::{self, Duty, Enlistment};
use crate::account::label::Label;
use crate::account::notice::Notice;
use crate::account::profile::Profile;
use crate::account::settings::{Alias, Device, Registration, Settings};
use crate::file::{Content, Upload};
use crate::store::Stamp;

/// The account's own facts; one row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// What everybody may know.
    pub profile: Profile,
    /// The bytes of its picture.
    #[serde(default)]
    pub avatar: Option<Box<Content>>,
    /// Its other addresses; `None` until there was one.
    #[serde(default)]
    pub aliases: Option<Vec<Alias>>,
    /// As argon2 writes it; `None` when it has no password.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// What only it knows of itself.
    pub registration: Registration,
    /// What its clients set.
    #[serde(default)]
    pub settings: Settings,
    /// What binds it as long as it is in an organisation.
    #[serde(default)]
    pub duty: Duty,
    /// Unix seconds at which it last posted or read, as of the end of its last session; 0 for never.
    #[serde(default)]
    pub activity_time: i64,
    /// When anything of the own record last changed.
    pub stamp: Stamp,
}

impl Head {
    /// Whether others may see when it writes and what it reads: as it wants, unless its organisation wants otherwise.
    pub fn settle_privacy(&mut self) {
        self.profile.is_private = self.settings.is_full_privacy == Some(true) && !self.duty.is_present;
    }

    /// With everything but the profile as it is in the beginning.
    #[must_use]
    pub fn of(profile: Profile, stamp: Stamp) -> Self {
        Self {
            profile,
            avatar: None,
            aliases: None,
            password_hash: None,
            registration: Registration::default(),
            settings: Settings::default(),
            duty: Duty::default(),
            activity_time: 0,
            stamp,
        }
    }

    /// Its other addresses.
    #[must_use]
    pub fn aliases(&self) -> &[Alias] {
        self.aliases.as_deref().unwrap_or_default()
    }
}

/// A login session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// The name of its ticket.
    pub ticket: Uuid,
    /// Unix seconds.
    pub opened_time: i64,
    /// Where it can be pushed to.
    #[serde(default)]
    pub device: Option<Device>,
}

/// A conversation that the account can see.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Membership {
    /// Who brought it in last.
    pub by: AccountId,
    /// The conversation's version then.
    pub version: u64,
    /// When this became known here: a client with an older horizon is told all of the conversation.
    pub stamp: Stamp,
}

/// How much an account's files take in one conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stored {
    /// Of all files that it sees there.
    pub bytes: u64,
    /// The conversation's version then.
    pub version: Stamp,
    /// When this became known here.
    pub stamp: Stamp,
}

/// One new row value, or (`None`) a row that goes.
#[expect(
    clippy::large_enum_variant,
    reason = "a change lives as long as its decision, and there are few at a time"
)]
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The head.
    Head(Head),
    /// A login session, by its token's name.
    Token(Uuid, Option<Token>),
    /// A contact.
    Contact(AccountId, ContactRow),
    /// A membership.
    Membership(ConversationId, Membership),
    /// A section of the own board.
    MySection(SectionId, Option<board::Section>),
    /// A task on the own board, or a canned response.
    Task(MessageId, Option<board::Task>),
    /// What one of them says; not held in memory.
    Text(MessageId, Option<board::Text>),
    /// Another account has this one in its list.
    Watcher(AccountId),
    /// A letter that waits for an answer, by its name.
    Notice(Uuid, Option<Notice>),
    /// A file that it brought here.
    Upload(Uuid, Option<Upload>),
    /// How much its files take in a conversation.
    Stored(ConversationId, Stored),
    /// An organisation that it is in, or was asked into.
    Employment(OrganisationId, employment::Row),
    /// A team that it is in, or was.
    Team(TeamId, Enlistment),
    /// A label.
    Label(LabelId, Option<Label>),
}

/// Everything that an active account holds in memory.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    /// Its id.
    pub account_id: AccountId,
    /// Its own facts; `None` while it does not exist.
    pub head: Option<Head>,
    /// Login sessions by their token's name.
    pub tokens: BTreeMap<Uuid, Token>,
    /// Contacts about which it keeps something of its own.
    pub contacts: ContactBook,
    /// Conversations that it can see.
    pub memberships: BTreeMap<ConversationId, Membership>,
    /// Its own board, without what the tasks say.
    pub board: Board,
    /// Accounts that have it in their lists: they are told what changes of its profile.
    pub watchers: BTreeSet<AccountId>,
    /// Letters that wait for an answer, by their name.
    pub notices: BTreeMap<Uuid, Notice>,
    /// Files that it brought here, by what their urls name.
    pub uploads: BTreeMap<Uuid, Upload>,
    /// How much its files take, by conversation.
    pub stored: BTreeMap<ConversationId, Stored>,
    /// Organisations that it is in, or was asked into.
    pub employments: BTreeMap<OrganisationId, employment::Row>,
    /// Teams that it is in, or was.
    pub teams: BTreeMap<TeamId, Enlistment>,
    /// Labels that it made, and what it set of those that every account has.
    pub labels: BTreeMap<LabelId, Label>,
}

impl State {
    /// An account that does not exist yet.
    #[must_use]
    pub fn new(account_id: AccountId) -> Self {
        Self {
            account_id,
            head: None,
            tokens: BTreeMap::new(),
            contacts: ContactBook::default(),
            memberships: BTreeMap::new(),
            board: Board::new(account_id),
            watchers: BTreeSet::new(),
            notices: BTreeMap::new(),
            uploads: BTreeMap::new(),
            stored: BTreeMap::new(),
            employments: BTreeMap::new(),
            teams: BTreeMap::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Puts one change in.
    pub fn fold(&mut self, change: &Change) {
        match change {
            Change::Head(head) => self.head = Some(head.clone()),
            Change::Token(name, Some(token)) => {
                self.tokens.insert(*name, token.clone());
            }
            Change::Token(name, None) => {
                self.tokens.remove(name);
            }
            Change::Contact(id, row) => {
                self.contacts.put(*id, row.clone());
            }
            Change::Membership(id, membership) => {
                self.memberships.insert(*id, membership.clone());
            }
            Change::MySection(id, section) => self.board.fold_section(*id, section.as_ref()),
            Change::Task(id, task) => self.board.fold_task(*id, task.as_ref()),
            Change::Text(..) => {}
            Change::Watcher(id) => {
                self.watchers.insert(*id);
            }
            Change::Notice(name, Some(notice)) => {
                self.notices.insert(*name, notice.clone());
            }
            Change::Notice(name, None) => {
                self.notices.remove(name);
            }
            Change::Upload(id, Some(upload)) => {
                self.uploads.insert(*id, upload.clone());
            }
            Change::Stored(id, stored) => {
                self.stored.insert(*id, *stored);
            }
            Change::Upload(id, None) => {
                self.uploads.remove(id);
            }
            Change::Employment(id, row) => {
                self.employments.insert(*id, row.clone());
            }
            Change::Team(id, row) => {
                self.teams.insert(*id, row.clone());
            }
            Change::Label(id, Some(label)) => {
                self.labels.insert(*id, label.clone());
            }
            Change::Label(id, None) => {
                self.labels.remove(id);
            }
        }
    }
}
