//! Which conversations a label lists, page by page, the newest first (conversations.md §11).
//!
//! Read from the rows of the conversations as they are stored; it wakes no owner. Not here: the records (each conversation
//! shows itself), and which labels there are.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use bytes::Bytes;
use rill_proto::classificator::{AccountStatus, InitMode};
use rill_proto::event::label::ConversationsCursor;
use rill_proto::field::{Cursor, Timestamp};
use rill_proto::id::{AccountId, ConversationId, LabelId, TeamId};

use super::employment::Enlistment;
use super::label::{self, Label, SystemLabel};
use crate::conversation::glance::Glance;
use crate::conversation::rows::decode;
use crate::conversation::state::{Head, Member};
use crate::store::{Aggregate, RowKey, Store, StoreFault};

/// How many conversations are read whole for one page, to see who is in them: some thousand members each at worst. A page
/// that ends for this has fewer conversations, and says where it goes on.
const WHOLE_MAX: usize = 200;

/// A page of a list that somebody asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct Listing {
    /// The label.
    pub label_id: LabelId,
    /// As it is.
    pub label: Listed,
    /// Which one, when it is one of those that every account has.
    pub system: Option<SystemLabel>,
    /// Labels that keep a conversation out of the list.
    pub barred: BTreeSet<LabelId>,
    /// The account's dialogs, where they are what is listed.
    pub dialogs: BTreeSet<ConversationId>,
    /// In which form the conversations are shown.
    pub mode: InitMode,
    /// The last one of the page before: its `inbox_time` and id.
    pub after: Option<(i64, ConversationId)>,
    /// How many are listed.
    pub limit: usize,
}

/// A label whose conversations are listed.
#[derive(Clone, PartialEq, Debug)]
pub enum Listed {
    /// The account's own, or one that every account has.
    Own(Label),
    /// That of a team that it is in.
    Team(TeamId, Enlistment),
}

impl Listed {
    /// Its record, with the place where the list goes on.
    pub(super) fn record(&self, account_id: AccountId, label_id: LabelId, cursor: &str) -> Bytes {
        match self {
            Self::Own(label) => label::record(account_id, label_id, label, Some(cursor)),
            Self::Team(id, enlistment) => enlistment.label(account_id, *id, Some(cursor)),
        }
    }
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Page {
    /// In the order in which they are shown.
    pub(super) ids: Vec<ConversationId>,
    /// The last one that was looked at; `None` when there are no more behind it.
    pub(super) rest: Option<(i64, ConversationId)>,
}

impl Page {
    /// Where the list goes on, as JSON text; `{}` at its end.
    pub(super) fn cursor(&self) -> String {
        let at = self.rest.map(|(time, acv_conv_id)| ConversationsCursor {
            acv_conv_id,
            acv_inbox_time: Timestamp(time.saturating_mul(1_000_000)),
        });
        let text = serde_json::to_value(Cursor(at)).expect("ids and numbers are always JSON");
        text.as_str().unwrap_or("{}").to_owned()
    }
}

impl Listing {
    /// Whether a conversation is in the list, as far as its head and the account's row in it tell.
    fn has(&self, id: ConversationId, glance: &Glance) -> bool {
        let bars = || glance.label_ids.iter().any(|label| self.barred.contains(label));
        if glance.is_deleted {
            return false;
        }
        if let Listed::Team(team_id, _) = &self.label {
            return glance.teams.contains(team_id);
        }
        match self.system {
            None | Some(SystemLabel::Starred | SystemLabel::Spam) => {
                glance.label_ids.contains(&self.label_id)
            }
            Some(SystemLabel::Recent) => !glance.is_hidden && !glance.is_muted && !bars(),
            Some(SystemLabel::Muted) => glance.is_muted && !bars(),
            Some(SystemLabel::Unread) => glance.is_unread,
            Some(SystemLabel::OneToOne) => self.dialogs.contains(&id),
            Some(SystemLabel::Archived) => glance.is_hidden,
            // Who is in it is not known yet.
            Some(SystemLabel::Email) => true,
        }
    }
}

/// Finds the next page among an account's conversations.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn page(
    store: &dyn Store,
    viewer: AccountId,
    among: Vec<ConversationId>,
    listing: &Listing,
) -> Result<Page, StoreFault> {
    let mut listed = Vec::new();
    for id in among {
        let here = Aggregate::Conversation(id);
        let Some(member) = store.row(here, RowKey::Member(viewer)).await? else { continue };
        let Some(head) = store.row(here, RowKey::Head).await? else { continue };
        let glance = Glance::of(&decode::<Head>(&head)?, &decode::<Member>(&member)?);
        if listing.has(id, &glance) {
            listed.push((Reverse(glance.inbox_time), id));
        }
    }
    listed.sort_unstable();
    let after = listing.after.map(|(time, id)| (Reverse(time), id));
    let begin = after.map_or(0, |after| listed.partition_point(|at| *at <= after));
    let mut page = Page::default();
    for (looked, (Reverse(time), id)) in listed[begin..].iter().copied().enumerate() {
        if page.ids.len() == listing.limit || (listing.is_by_people() && looked == WHOLE_MAX) {
            return Ok(page);
        }
        if !listing.is_by_people() || has_guests(store, id).await? {
            page.ids.push(id);
        }
        page.rest = Some((time, id));
    }
    page.rest = None;
    Ok(page)
}

impl Listing {
    /// Whether only the members of a conversation tell that it is in the list.
    fn is_by_people(&self) -> bool {
        self.system == Some(SystemLabel::Email)
    }
}

/// Whether somebody is in it who is known by an e-mail address only.
async fn has_guests(store: &dyn Store, id: ConversationId) -> Result<bool, StoreFault> {
    let rows = store.load(Aggregate::Conversation(id)).await?.map(|loaded| loaded.rows).unwrap_or_default();
    for (key, bytes) in rows {
        if let RowKey::Member(_) = key {
            let member: Member = decode(&bytes)?;
            if member.is_present() && member.profile.status == AccountStatus::New {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ALICE: AccountId = AccountId(Uuid::from_u128(1));
    const HERE: ConversationId = ConversationId(Uuid::from_u128(7));

    fn listing(system: SystemLabel) -> Listing {
        Listing {
            label_id: system.id(ALICE),
            label: Listed::Own(system.unset()),
            system: Some(system),
            barred: BTreeSet::new(),
            dialogs: BTreeSet::new(),
            mode: InitMode::Tiny,
            after: None,
            limit: 30,
        }
    }

    fn plain() -> Glance {
        Glance {
            inbox_time: 5,
            is_muted: false,
            is_hidden: false,
            is_unread: false,
            is_deleted: false,
            label_ids: Vec::new(),
            teams: Vec::new(),
        }
    }

    fn lists(glance: &Glance) -> Vec<&'static str> {
        let found = SystemLabel::ALL.into_iter().filter(|label| listing(*label).has(HERE, glance));
        found.filter(|label| *label != SystemLabel::Email).map(SystemLabel::name).collect()
    }

    #[test]
    fn the_computed_labels_list_what_the_table_says() {
        assert_eq!(lists(&plain()), ["Recent"]);
        assert_eq!(lists(&Glance { is_muted: true, ..plain() }), ["Muted"]);
        assert_eq!(lists(&Glance { is_unread: true, ..plain() }), ["Recent", "Unread"]);
        assert_eq!(lists(&Glance { is_hidden: true, ..plain() }), ["Archived"]);
        let starred = Glance { label_ids: vec![SystemLabel::Starred.id(ALICE)], ..plain() };
        assert_eq!(lists(&starred), ["starred", "Recent"], "the bars are the owner's to say");
        let barred = BTreeSet::from([SystemLabel::Starred.id(ALICE)]);
        assert!(!Listing { barred: barred.clone(), ..listing(SystemLabel::Recent) }.has(HERE, &starred));
        let muted = Glance { is_muted: true, ..starred };
        assert!(!Listing { barred, ..listing(SystemLabel::Muted) }.has(HERE, &muted));
        let dialogs = BTreeSet::from([HERE]);
        assert!(Listing { dialogs, ..listing(SystemLabel::OneToOne) }.has(HERE, &plain()));
        assert!(lists(&Glance { is_deleted: true, is_unread: true, ..plain() }).is_empty());
    }

    #[test]
    fn a_teams_label_lists_the_conversations_that_have_it() {
        let team_id = TeamId(Uuid::from_u128(0x7E));
        let enlistment = Enlistment { team_name: "Core".to_owned(), is_member: true, version: 1, stamp: 1 };
        let label = Listed::Team(team_id, enlistment);
        let listing = Listing { label, system: None, ..listing(SystemLabel::Recent) };
        let with = Glance { teams: vec![team_id], ..plain() };
        assert!(listing.has(HERE, &with) && !listing.has(HERE, &plain()));
        assert!(!listing.has(HERE, &Glance { is_deleted: true, ..with }));
        let record = listing.label.record(ALICE, listing.label_id, "{}");
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        assert_eq!((&record["label"], &record["sync_cursor"]), (&"Core".into(), &"{}".into()));
    }

    #[test]
    fn a_cursor_names_the_last_one_and_is_empty_at_the_end() {
        assert_eq!(Page::default().cursor(), "{}");
        let page = Page { ids: Vec::new(), rest: Some((7, HERE)) };
        let cursor: serde_json::Value = serde_json::from_str(&page.cursor()).unwrap();
        assert_eq!(cursor["acv_conv_id"], serde_json::json!(HERE));
        assert_eq!(cursor["acv_inbox_time"].as_f64(), Some(7.0));
    }
}
