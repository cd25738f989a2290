//! A viewer's part of a header: the numbers and marks that are his own.
//!
//! Pure. What is the same for all viewers of one header is found once ([`Views::of`]); for each viewer his row is enough. Not here: the
//! part that all share, and how either is written (`rill_proto::record::conv`).

use std::sync::Arc;

use rill_proto::id::{AccountId, LabelId, TeamId};
use rill_proto::record::conv::{Full, Init, Named, View};

use super::{Template, frozen, named};
use crate::account::employment::team_label_id;
use crate::account::label::SystemLabel;
use crate::conversation::counters::Counters;
use crate::conversation::rules::{Header, Keys, dialog};
use crate::conversation::state::{Head, Member, State};

/// All viewers' parts of one header, made one by one.
pub struct Views<'a> {
    state: &'a State,
    head: &'a Head,
    header: Header,
    named: Option<&'a Arc<[Named]>>,
    is_dialog: bool,
}

impl<'a> Views<'a> {
    /// Those of a template that is a header; `None` for a piece that has none.
    #[must_use]
    pub fn of(template: &'a Template, state: &'a State) -> Option<Self> {
        match template {
            Template::Same(_) => None,
            Template::PerViewer { header, named, .. } => Self::naming(state, *header, named.as_ref()),
        }
    }

    fn naming(state: &'a State, header: Header, named: Option<&'a Arc<[Named]>>) -> Option<Self> {
        let head = state.head.as_ref()?;
        let members = state.members.iter().map(|(account_id, member)| (*account_id, member));
        let is_dialog = dialog::pair(&head.topic, members).is_some();
        Some(Self { state, head, header, named, is_dialog })
    }

    /// The part of a viewer; `None` for somebody who never was a member.
    #[must_use]
    pub fn of_viewer(&self, viewer: AccountId) -> Option<View> {
        self.state.members.get(&viewer).map(|member| self.of_member(viewer, member))
    }

    /// The part of a viewer whose row is at hand.
    #[must_use]
    pub fn of_member(&self, viewer: AccountId, member: &Member) -> View {
        let (state, head, header) = (self.state, self.head, self.header);
        let counters = Counters::of(state, head, member);
        View {
            profile_id: viewer,
            last_message_nr: counters.last,
            show_message_nr: counters.show,
            last_message_time: counters.last_message_time,
            last_inbox_nr: counters.last_inbox,
            join_message_nr: counters.join,
            send_message_nr: counters.send,
            read_message_nr: counters.read,
            read_inbox_nr: counters.read_inbox,
            unread_count: counters.unread,
            inbox_message_nr: counters.inbox_message_nr,
            inbox_time: counters.inbox_time,
            is_mark_unread: counters.is_mark_unread,
            mk_alert_level: member.alert_level,
            is_muted: member.is_muted(),
            // Only mail from unknown senders starts muted, and no mail comes in yet.
            is_automute: false,
            snooze_interval: member.snooze_interval,
            snooze_time: member.snooze_time,
            full: self.full(member, &counters),
            label_ids: self.label_ids(viewer, member),
            teams: if member.is_present() { head.teams.clone() } else { Vec::new() },
            hide_message_nr: member.hide_message_nr,
            my_message_nr: counters.my_message_nr,
            delete_message_nr: member.delete_message_nr,
            disclose_message_nr: member.disclosed_from(),
            is_deleted: member.is_deleted,
            no_notifications: member.no_notifications,
            fw_message_nr: header.fw,
            bw_message_nr: header.bw,
            is_reset: header.is_reset,
        }
    }

    fn label_ids(&self, viewer: AccountId, member: &Member) -> Vec<LabelId> {
        let mut label_ids = member.label_ids.clone();
        if member.is_present() {
            label_ids.extend(self.is_dialog.then(|| SystemLabel::OneToOne.id(viewer)));
            let has_him =
                |id: &&TeamId| self.state.teams.get(id).is_some_and(|team| team.members.contains(&viewer));
            let teams = self.head.teams.iter().filter(has_him);
            label_ids.extend(teams.map(|id| team_label_id(viewer, *id)));
        }
        label_ids
    }

    fn full(&self, member: &Member, counters: &Counters) -> Option<Box<Full>> {
        let init = match self.header.keys {
            Keys::Update => return None,
            Keys::Full => None,
            Keys::Init(mode) => Some(Init { mode, begin_message_nr: counters.begin }),
        };
        Some(Box::new(Full {
            can_post: counters.can_post,
            named: self.named.cloned(),
            labels: member.label_names.clone(),
            init,
        }))
    }
}

/// The fields of a viewer's `conv` record that are his own; `None` for somebody who never was a member.
#[must_use]
pub fn view(state: &State, viewer: AccountId, header: Header) -> Option<View> {
    let named = named(state, header.keys, frozen(state, viewer));
    Views::naming(state, header, named.as_ref())?.of_viewer(viewer)
}
