//! The numbers that a member's `conv` record shows, derived from the rows (conversations.md §2.3).
//!
//! Nothing here is stored, so a post costs no row per member. Not here: who changes which row (`rules`), and the record
//! itself (`audience`).

use rill_proto::id::AccountId;

use crate::conversation::state::{Head, Member, State};

/// What one viewer's `conv` record says in numbers. The names are those of the record, without `_message_nr` where
/// nothing else of the name exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counters {
    /// `last_message_nr`: the newest slot; for an ex-member his leave or kick message.
    pub last: u64,
    /// `show_message_nr`: the newest visible message up to `last`.
    pub show: u64,
    /// `last_inbox_nr`: the inbox counter at `show`.
    pub last_inbox: u64,
    /// `join_message_nr`: from where history is open.
    pub join: u64,
    /// `begin_message_nr`: what started the current run.
    pub begin: u64,
    /// `send_message_nr`: the last change of membership.
    pub send: u64,
    /// `read_message_nr`: the read horizon.
    pub read: u64,
    /// `read_inbox_nr`: the inbox counter at the read horizon.
    pub read_inbox: u64,
    /// `unread_count`.
    pub unread: u64,
    /// `inbox_message_nr`: the first unread inbox message, else the newest, else the one that brought the member in.
    pub inbox_message_nr: u64,
    /// `is_mark_unread`: absent until the member reads or acts.
    pub is_mark_unread: Option<bool>,
    /// `my_message_nr`: absent until somebody mentions the member.
    pub my_message_nr: Option<u64>,
    /// `inbox_time`: post time of the newest inbox message if the member sees it, else of the one that brought him in.
    pub inbox_time: i64,
    /// `last_message_time`: post time of the message `show`.
    pub last_message_time: i64,
    /// `can_post`.
    pub can_post: bool,
}

impl Counters {
    /// The numbers of a member row, which may be newer than the one in the state.
    #[must_use]
    pub fn of(state: &State, head: &Head, member: &Member) -> Self {
        let (last_inbox, last_inbox_time) = match &member.frozen {
            Some(frozen) => (frozen.last_inbox_nr, frozen.last_inbox_time),
            None => (head.last_inbox_nr, head.last_inbox_time),
        };
        // What somebody deleted is no more to be read, whether he had read it or not.
        let read_inbox = member.read_inbox_nr.max(member.delete_inbox_nr);
        let wanted = last_inbox.min(read_inbox + 1);
        Self {
            last: member.top(head),
            show: member.frozen.as_ref().map_or(head.show_message_nr, |frozen| frozen.message_nr),
            last_inbox,
            join: member.join_message_nr,
            begin: member.begin_message_nr,
            send: member.send_message_nr,
            read: member.read_message_nr.max(member.delete_message_nr.unwrap_or(0)),
            read_inbox,
            unread: last_inbox.saturating_sub(read_inbox),
            inbox_message_nr: seen_inbox(state, member, wanted).unwrap_or_else(|| arrival(member)),
            is_mark_unread: member.is_mark_unread,
            my_message_nr: member.my_message_nr,
            inbox_time: seen_inbox(state, member, last_inbox).map_or(member.join_time, |_| last_inbox_time),
            last_message_time: member.frozen.as_ref().map_or(head.last_message_time, |frozen| frozen.time),
            can_post: member.is_present(),
        }
    }
}

/// The numbers of an account; `None` when it never was a member.
#[must_use]
pub fn counters(state: &State, account_id: AccountId) -> Option<Counters> {
    Some(Counters::of(state, state.head.as_ref()?, state.members.get(&account_id)?))
}

/// The message with an inbox number, if there is one and the member sees it.
fn seen_inbox(state: &State, member: &Member, inbox_nr: u64) -> Option<u64> {
    state.message_of_inbox(inbox_nr).filter(|nr| member.sees(*nr))
}

/// The message that brought the member in: the first one, or after a rejoin the latest.
fn arrival(member: &Member) -> u64 {
    if member.has_rejoined() { member.begin_message_nr } else { member.join_message_nr }
}
