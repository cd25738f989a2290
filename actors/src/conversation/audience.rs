//! Who gets to see what of a conversation, and in which form: from a rule's news to the pieces that lie in lanes.
//!
//! Pure. What all viewers share is encoded once per piece of news ([`template`]); for each viewer there is a decision
//! ([`may_see`]) and at most a handful of numbers ([`Views`]). The bytes of a viewer's part are written on his worker, not
//! here. Not here either: who is online, and how far a piece of news reaches (`rules::Reach`).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rill_proto::classificator::{AccountStatus, ConvType, InitMode, SectionSubtype};
use rill_proto::id::{AccountId, ConversationId, SectionId};
use rill_proto::record::conv::{Facts, FilesEdge, Links, Named, PinCursor, Pins, Shared};
use rill_proto::record::message::is_shared;
use rill_proto::record::{self, activity, lock, section};
use serde::Serialize;
use uuid::Uuid;

use crate::account::contact::Known;
use crate::conversation::open;
use crate::conversation::rules::{DrawerEdge, Header, Keys, News, Shown, board};
use crate::conversation::state;
use crate::conversation::state::{Frozen, Head, Member, State};
use crate::file::Host;
use crate::piece::Piece;
use crate::weight::Weight;

mod message;
mod org_conv;
mod view;

pub use org_conv::org_conv;
pub use view::{Views, view};

/// Characters of a conversation's mail address after `conv.`: 70 bits, too many to guess or to meet twice.
const CMAIL_CHARS: u32 = 14;

/// What the installation is called from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// `https://HOST`, without a slash at its end.
    pub public_url: String,
    /// The domain of its mail addresses.
    pub mail_host: String,
}

/// A piece of news, encoded as far as all viewers share it.
#[derive(Clone, Debug)]
pub enum Template {
    /// The piece is the same for everybody who may see it.
    Same(Piece),
    /// A header: each viewer's [`View`] completes it.
    PerViewer {
        /// The open object.
        shared: Bytes,
        /// Which form of it.
        header: Header,
        /// Who is named where a topic is missing; `None` when the form has no names or there is a topic.
        named: Option<Arc<[Named]>>,
        /// It says nothing but how things stand in this conversation: a later one that does makes it superfluous.
        standing: Option<ConversationId>,
    },
}

impl Template {
    /// The conversation, of a header that says nothing but how things stand there.
    #[must_use]
    pub fn standing(&self) -> Option<ConversationId> {
        match self {
            Self::Same(_) => None,
            Self::PerViewer { standing, .. } => *standing,
        }
    }

    /// About how many bytes one viewer's record takes, without names and labels.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        /// An ordinary viewer part.
        const VIEW_BYTES: usize = 512;
        match self {
            Self::Same(piece) => piece.size_hint(),
            Self::PerViewer { shared, .. } => shared.len() + VIEW_BYTES,
        }
    }
}

/// Encodes a piece of news for those who are members. `pens` holds whose pen is on (its owner takes out what has expired), `locks` who edits which
/// message. `None` when the news is of something that the state does not have.
#[must_use]
pub fn template(
    state: &State,
    pens: &BTreeMap<AccountId, i64>,
    locks: &BTreeMap<u64, AccountId>,
    site: &Site,
    news: &News,
) -> Option<Template> {
    encode(state, pens, locks, site, news, None)
}

/// [`template`] for one viewer, who may have left: what he sees of the conversation's facts stands still with the rest.
#[must_use]
pub fn template_for(
    viewer: AccountId,
    state: &State,
    pens: &BTreeMap<AccountId, i64>,
    locks: &BTreeMap<u64, AccountId>,
    site: &Site,
    news: &News,
) -> Option<Template> {
    encode(state, pens, locks, site, news, frozen(state, viewer))
}

fn encode(
    state: &State,
    pens: &BTreeMap<AccountId, i64>,
    locks: &BTreeMap<u64, AccountId>,
    site: &Site,
    news: &News,
    frozen: Option<&Frozen>,
) -> Option<Template> {
    let conversation_id = state.conversation_id;
    let piece = match news {
        News::Header(header) => {
            let pins = (header.keys == Keys::Init(InitMode::Full))
                .then(|| pins(state, board::rest_of_pins(state).filter(|_| frozen.is_none())));
            return Some(Template::PerViewer {
                shared: shared(state, site, header.keys, frozen, pins)?,
                header: *header,
                named: named(state, header.keys, frozen),
                standing: (*header == Header::UPDATE).then_some(conversation_id),
            });
        }
        News::Pins { rest } => {
            let shared = shared(state, site, Keys::Update, frozen, Some(pins(state, *rest)))?;
            return Some(Template::PerViewer { shared, header: Header::UPDATE, named: None, standing: None });
        }
        News::Message { message, flow } => {
            let lock = locks.get(&message.message_nr).copied();
            Piece::Message(message.message_id, message::bytes(state, message, *flow, lock))
        }
        News::Withdrawn { message, flow } => {
            let gone = message::gone(message);
            Piece::Message(message.message_id, message::bytes(state, &gone, Some(*flow), None))
        }
        News::Drawer(edge) => {
            let mut open = shared(state, site, Keys::Update, frozen, None)?.to_vec();
            drawer_edge(state, *edge).append(&mut open);
            let (shared, header) = (open.into(), Header::UPDATE);
            return Some(Template::PerViewer { shared, header, named: None, standing: None });
        }
        News::File(shown) => {
            let host = Host::Conversation {
                conversation_id,
                message_nr: shown.message_nr,
                message_id: shown.message_id,
            };
            Piece::Shared(shown.file.record(host).into())
        }
        News::Activity(account_id) => {
            let member = state.members.get(account_id)?;
            let record = activity::Activity {
                conversation_id,
                account_id: *account_id,
                join_message_nr: member.join_message_nr,
                read_message_nr: member.shown_read(),
                is_writing: Some(pens.contains_key(account_id)),
                activity_time: None,
            };
            Piece::Shared(record::complete(&record).into())
        }
        News::Contact(account_id) => {
            let member = state.members.get(account_id)?;
            Piece::Contact(Arc::new(Known::new(*account_id, &member.profile)))
        }
        News::Section(section_id) => Piece::Shared(section_bytes(state, *section_id, None)?),
        News::Tasks { section_id, rest } => Piece::Shared(section_bytes(state, *section_id, *rest)?),
        News::Label(record) => Piece::Shared(record.clone()),
        News::Lock { message_nr, holder } => {
            let record = lock::Lock { conversation_id, message_nr: *message_nr, lock_account_id: *holder };
            Piece::Shared(record::complete(&record).into())
        }
    };
    Some(Template::Same(piece))
}

fn drawer_edge(state: &State, edge: DrawerEdge) -> FilesEdge {
    let conversation_id = state.conversation_id;
    match edge {
        DrawerEdge::Cursor(rest) => FilesEdge::Cursor { conversation_id, rest },
        DrawerEdge::State { newest, rest } => FilesEdge::State { conversation_id, newest, rest },
    }
}

/// Whether a viewer may see what the news tells (conversations.md §4.3, §8). A pure question of membership: how far the
/// news reaches is the rule's to say.
#[must_use]
pub fn may_see(state: &State, viewer: AccountId, news: &News) -> bool {
    state.members.get(&viewer).is_some_and(|member| may_member_see(state, viewer, member, news))
}

/// [`may_see`] where the viewer's row is at hand.
#[must_use]
pub fn may_member_see(state: &State, viewer: AccountId, member: &Member, news: &News) -> bool {
    let Some(head) = &state.head else {
        return false;
    };
    match news {
        News::Header(_) | News::Drawer(_) | News::Label(_) => true,
        News::Message { message, flow } => {
            let is_shared = is_shared(message.state);
            may_see_message(head, member, message.message_nr, is_shared, *flow)
        }
        News::Withdrawn { message, .. } => member.is_present() && !open::is_open(member, message),
        News::File(shown) => may_see_message(head, member, shown.message_nr, shown.is_shared, shown.flow),
        News::Activity(account_id) => {
            let other = state.members.get(account_id);
            let is_private = member.profile.is_private || other.is_some_and(|other| other.profile.is_private);
            member.is_present() && *account_id != viewer && !is_private
        }
        News::Contact(account_id) => {
            // Who has left met nobody who came later.
            let other = state.members.get(account_id);
            let has_met = |frozen: &Frozen| other.is_some_and(|other| other.had_come_by(frozen.message_nr));
            *account_id != viewer && member.frozen.as_ref().is_none_or(has_met)
        }
        News::Section(_) | News::Tasks { .. } | News::Pins { .. } => member.is_present(),
        News::Lock { message_nr, .. } => member.is_present() && state.shows(member, *message_nr),
    }
}

fn may_see_message(head: &Head, member: &Member, nr: u64, is_shared: bool, flow: Option<u64>) -> bool {
    let is_open = member.is_present() && is_shared;
    // What was revised after somebody left is as closed to him as what was written then.
    let is_in_time = flow.is_none_or(|flow| flow <= member.top(head));
    is_in_time && (is_open || member.sees(nr))
}

/// The files of a message that is told of: they follow it wherever it goes.
pub fn files_of(news: &News) -> impl Iterator<Item = News> + '_ {
    let told = match news {
        News::Message { message, flow } => Some((message, *flow, false)),
        News::Withdrawn { message, flow } => Some((message, Some(*flow), true)),
        News::Header(_)
        | News::File(_)
        | News::Drawer(_)
        | News::Activity(_)
        | News::Contact(_)
        | News::Label(_)
        | News::Section(_)
        | News::Tasks { .. }
        | News::Pins { .. }
        | News::Lock { .. } => None,
    };
    told.into_iter().flat_map(|(message, flow, is_gone)| {
        message.files.iter().cloned().map(move |mut file| {
            if is_gone {
                file.delete(None);
            }
            News::File(Box::new(Shown::of(message, flow, file)))
        })
    })
}

/// A viewer's own piece of a template. Whether he may see it has been asked before; `None` when he never was a member.
#[must_use]
pub fn piece(template: &Template, state: &State, viewer: AccountId) -> Option<Piece> {
    match template {
        Template::Same(piece) => state.members.contains_key(&viewer).then(|| piece.clone()),
        Template::PerViewer { shared, .. } => {
            let view = Arc::new(Views::of(template, state)?.of_viewer(viewer)?);
            Some(Piece::Conv { shared: shared.clone(), view })
        }
    }
}

/// At what the view of somebody who has left stands still.
fn frozen(state: &State, viewer: AccountId) -> Option<&Frozen> {
    state.members.get(&viewer)?.frozen.as_ref()
}

fn was_in(member: &Member, frozen: Option<&Frozen>) -> bool {
    frozen.map_or_else(|| member.is_present(), |frozen| member.was_present_at(frozen.message_nr))
}

fn was_out(member: &Member, frozen: Option<&Frozen>) -> bool {
    !was_in(member, frozen) && frozen.is_none_or(|frozen| member.had_come_by(frozen.message_nr))
}

fn shared(
    state: &State,
    site: &Site,
    keys: Keys,
    frozen: Option<&Frozen>,
    pins: Option<Pins>,
) -> Option<Bytes> {
    let head = state.head.as_ref()?;
    let boards = frozen.map_or_else(|| state.boards(), |frozen| frozen.boards);
    let settings = frozen.map_or(&head.settings, |frozen| &frozen.settings);
    let record = Shared {
        conversation_id: state.conversation_id,
        has_done_notifications: settings.has_done_notifications,
        has_pinboard: boards.has_pinboard,
        has_taskboard: boards.has_taskboard,
        has_task_archive: boards.has_task_archive,
        is_list: settings.mk_conv_type == ConvType::List,
        // Who left is not told of it any more.
        passive: if frozen.is_none() { passive(state) } else { Vec::new() },
        pending: if frozen.is_none() { state.pending() } else { Vec::new() },
        facts: (keys != Keys::Update).then(|| facts(state, head, frozen)),
        links: matches!(keys, Keys::Init(_)).then(|| links(state, site)),
        pins,
    };
    Some(record::open(&record).into())
}

/// Where the pins go on.
fn pins(state: &State, rest: Option<Weight>) -> Pins {
    let cursor = |weight: Weight| {
        let at = PinCursor {
            conversation_id: state.conversation_id,
            pin_weight: record::weight::Weight(weight.get()),
        };
        cursor_text(&at)
    };
    Pins { pin_cursor: rest.map(cursor), pin_sync_state: () }
}

/// Cursors travel as texts that hold JSON.
fn cursor_text(cursor: &impl Serialize) -> String {
    serde_json::to_string(cursor).expect("ids and numbers are always JSON")
}

fn facts<'a>(state: &State, head: &'a Head, frozen: Option<&'a Frozen>) -> Facts<'a> {
    let guests = in_place_order(state, |member| was_in(member, frozen) && is_by_email_only(member));
    let settings = frozen.map_or(&head.settings, |frozen| &frozen.settings);
    Facts {
        topic: frozen.map_or(&head.topic, |frozen| &frozen.topic),
        topic_message_nr: frozen.map_or(head.topic_message_nr, |frozen| frozen.topic_message_nr),
        creator_id: head.creator_id,
        members: in_place_order(state, |member| was_in(member, frozen)),
        leavers: in_place_order(state, |member| was_out(member, frozen)),
        has_email_subject: !guests.is_empty(),
        guests,
        admins: &settings.admins,
        mk_conv_type: settings.mk_conv_type,
        is_managed: settings.organisation_id.is_some(),
        is_premium: false,
        organisation_id: settings.organisation_id,
        is_autojoin: settings.is_autojoin,
        is_disclose: settings.is_disclose,
        is_url_preview_disabled: settings.is_url_preview_disabled,
        is_admin_write_only: settings.is_admin_write_only,
        default_call_room: settings.default_call_room.as_deref(),
    }
}

fn links(state: &State, site: &Site) -> Links {
    let id = state.conversation_id.0;
    let mut bits = Uuid::new_v5(&id, b"cmail").as_u128();
    let mut key = String::new();
    for _ in 0..CMAIL_CHARS {
        // Base 32, since mail systems do not keep the case of letters.
        let digit = u32::try_from(bits % 32).expect("less than 32");
        key.push(char::from_digit(digit, 32).expect("a digit of base 32"));
        bits /= 32;
    }
    Links {
        autojoin_url: format!("{}/chat/{}", site.public_url, id.simple()),
        cmail: format!("conv.{key}@{}", site.mail_host),
    }
}

fn is_by_email_only(member: &Member) -> bool {
    member.profile.status == AccountStatus::New
}

fn passive(state: &State) -> Vec<AccountId> {
    let place = |account_id| state.members.get(account_id).map(|member| (member.place, *account_id));
    let mut places: Vec<(u32, AccountId)> = state.passive.iter().filter_map(place).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, account_id)| account_id).collect()
}

fn in_place_order(state: &State, wanted: impl Fn(&Member) -> bool) -> Vec<AccountId> {
    let mut places: Vec<(u32, AccountId)> = state
        .members
        .iter()
        .filter(|(_, member)| wanted(member))
        .map(|(account_id, member)| (member.place, *account_id))
        .collect();
    places.sort_unstable();
    places.into_iter().map(|(_, account_id)| account_id).collect()
}

fn named(state: &State, keys: Keys, frozen: Option<&Frozen>) -> Option<Arc<[Named]>> {
    let head = state.head.as_ref()?;
    let topic = frozen.map_or(&head.topic, |frozen| &frozen.topic);
    if keys == Keys::Update || !topic.is_empty() {
        return None;
    }
    let present = in_place_order(state, |member| was_in(member, frozen));
    let names = present.into_iter().filter_map(|account_id| {
        let display_name = state.members.get(&account_id)?.profile.display_name.clone();
        Some(Named { account_id, display_name })
    });
    Some(names.collect())
}

fn section_bytes(state: &State, section_id: SectionId, rest: Option<Weight>) -> Option<Bytes> {
    let of = state.sections.get(&section_id)?;
    let wire = |weight: Weight| record::weight::Weight(weight.get());
    let conversation_id = state.conversation_id;
    let cursor = rest.map(|weight| {
        cursor_text(&section::Cursor { conversation_id, section_id, task_weight: wire(weight) })
    });
    let record = section::Section {
        conversation_id,
        section_id,
        name: &of.name,
        weight: wire(of.weight),
        is_deleted: of.is_deleted,
        mk_section_type: section::BoardOfConversation::Task,
        mk_section_subtype: match of.subtype {
            state::SectionSubtype::Default => SectionSubtype::Default,
            state::SectionSubtype::Archived => SectionSubtype::Archived,
            state::SectionSubtype::User => SectionSubtype::User,
        },
        sync_cursor: cursor.as_deref(),
        sync_state: (),
    };
    Some(record::complete(&record).into())
}

#[cfg(test)]
mod tests;
