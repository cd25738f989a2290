//! A conversation at a glance: what lists of conversations ask of it, from its head and one member's row alone.
//!
//! Not here: what else the member's header says (`counters`, `audience`).

use rill_proto::id::{LabelId, TeamId};

use super::state::{Head, Member};

/// What a list must know of a conversation in the eyes of a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glance {
    /// As in the header: unix seconds, the order of lists.
    pub inbox_time: i64,
    /// He is not alerted.
    pub is_muted: bool,
    /// He has put it away.
    pub is_hidden: bool,
    /// Something in it is unread, or marked so.
    pub is_unread: bool,
    /// He has it no longer in his list.
    pub is_deleted: bool,
    /// The labels that he put on it.
    pub label_ids: Vec<LabelId>,
    /// The teams that are in it, while he is.
    pub teams: Vec<TeamId>,
}

impl Glance {
    /// From the two rows.
    #[must_use]
    pub fn of(head: &Head, member: &Member) -> Self {
        let (last_inbox, newest_time) = match &member.frozen {
            Some(frozen) => (frozen.last_inbox_nr, frozen.last_inbox_time),
            None if member.sees(head.inbox_message_nr) => (head.last_inbox_nr, head.last_inbox_time),
            None => (head.last_inbox_nr, 0),
        };
        let read_inbox = member.read_inbox_nr.max(member.delete_inbox_nr);
        Self {
            inbox_time: if newest_time > 0 { newest_time } else { member.join_time },
            is_muted: member.is_muted(),
            is_hidden: member.is_hidden(head),
            is_unread: last_inbox > read_inbox || member.is_mark_unread == Some(true),
            is_deleted: member.is_deleted,
            label_ids: member.label_ids.clone(),
            teams: if member.is_present() { head.teams.clone() } else { Vec::new() },
        }
    }
}
