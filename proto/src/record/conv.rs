//! `conv`: a conversation in the eyes of one viewer (protocol.md §3.2, conversations.md §5.1).
//!
//! Three key sets: U (an update: 31 keys), F (U and the facts), N (F and what a fresh client needs). Fields that are the
//! same for every present member are in [`Shared`]; the viewer's own, and those that stand still for an ex-member, are in
//! [`View`]. Not here: how a counter is derived.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::classificator::{AlertLevel, ConvType, InitMode};
use crate::id::{AccountId, ConversationId, LabelId, OrganisationId, TeamId};
use crate::record::weight::Weight;
use crate::record::write::Fields;

/// `default_topic` of somebody who is alone.
const ALONE: &str = "Monologue with myself";

/// What is the same for every present member, in any key set.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "mk_rec_type", rename = "conv")]
pub struct Shared<'a> {
    /// Key.
    pub conversation_id: ConversationId,
    /// Completing a task posts a system message.
    pub has_done_notifications: bool,
    /// There is a pinned message.
    pub has_pinboard: bool,
    /// There is a task that is not archived.
    pub has_taskboard: bool,
    /// There is an archived task.
    pub has_task_archive: bool,
    /// It is an announcement list.
    pub is_list: bool,
    /// Members who are notified of mentions only.
    pub passive: Vec<AccountId>,
    /// Members whose organisation's invitation is unanswered.
    pub pending: Vec<AccountId>,
    /// What F adds to U.
    #[serde(flatten)]
    pub facts: Option<Facts<'a>>,
    /// What N adds to F.
    #[serde(flatten)]
    pub links: Option<Links>,
    /// What N adds in the mode `ic_full`, and the answer to a sync of the pins to U.
    #[serde(flatten)]
    pub pins: Option<Pins>,
}

/// The shared fields that F adds to U. Lists of people are in the order of their joining.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Facts<'a> {
    /// Its topic; empty when unset.
    pub topic: &'a str,
    /// The slot in which the topic was last stated.
    pub topic_message_nr: u64,
    /// Who created it.
    pub creator_id: AccountId,
    /// Present members.
    pub members: Vec<AccountId>,
    /// Those who left or were removed.
    pub leavers: Vec<AccountId>,
    /// Present members who take part by e-mail only.
    pub guests: Vec<AccountId>,
    /// Who may change a managed conversation.
    pub admins: &'a [AccountId],
    /// Which kind it is.
    pub mk_conv_type: ConvType,
    /// Clients should offer a subject: somebody takes part by e-mail.
    pub has_email_subject: bool,
    /// An organisation manages it.
    pub is_managed: bool,
    /// A member's organisation pays.
    pub is_premium: bool,
    /// The organisation that manages it; `null` when none does.
    pub organisation_id: Option<OrganisationId>,
    /// Anybody with the link may join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_autojoin: Option<bool>,
    /// Newcomers see the earlier history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_disclose: Option<bool>,
    /// No link previews are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_url_preview_disabled: Option<bool>,
    /// Only admins may post.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_admin_write_only: Option<bool>,
    /// Where its members call each other; empty when that was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_call_room: Option<&'a str>,
}

/// The shared fields that N adds to F.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Links {
    /// Where to join, once that is allowed.
    pub autojoin_url: String,
    /// The address whose mail is posted here.
    pub cmail: String,
}

/// How much of the pinboard came along.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Pins {
    /// JSON text of a [`PinCursor`] from which the pins go on; `null` when there are no more.
    pub pin_cursor: Option<String>,
    /// Always `null`.
    pub pin_sync_state: (),
}

/// Where the pins go on.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PinCursor {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The last one sent.
    pub pin_weight: Weight,
}

/// What completes a [`Shared`] for one viewer. For U it owns no memory of its own unless the viewer has labels here or
/// the conversation has teams.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct View {
    /// Whose view this is.
    pub profile_id: AccountId,
    /// The newest slot; for an ex-member his leave or kick message.
    pub last_message_nr: u64,
    /// The newest message that is visible to him.
    pub show_message_nr: u64,
    /// Unix seconds of that message.
    pub last_message_time: i64,
    /// The inbox counter at that message.
    pub last_inbox_nr: u64,
    /// Lowest number from which history is open to him.
    pub join_message_nr: u64,
    /// His last change of membership.
    pub send_message_nr: u64,
    /// His read horizon.
    pub read_message_nr: u64,
    /// The inbox counter at his read horizon.
    pub read_inbox_nr: u64,
    /// Inbox messages above his read horizon.
    pub unread_count: u64,
    /// What a conversation list shows of it: his first unread inbox message, else the newest.
    pub inbox_message_nr: u64,
    /// Unix seconds; the order of conversation lists.
    pub inbox_time: i64,
    /// Left out until he reads or acts.
    pub is_mark_unread: Option<bool>,
    /// How he is alerted.
    pub mk_alert_level: AlertLevel,
    /// He is not alerted now.
    pub is_muted: bool,
    /// It was muted for him when it was created.
    pub is_automute: bool,
    /// Seconds; negative values as in conversations.md §6.4.
    pub snooze_interval: i64,
    /// Unix seconds at which a timed snooze ends; 0 for none.
    pub snooze_time: i64,
    /// His labels on it.
    pub label_ids: Vec<LabelId>,
    /// Its teams; empty for an ex-member.
    pub teams: Vec<TeamId>,
    /// Archived up to here; left out when never archived.
    pub hide_message_nr: Option<u64>,
    /// Newest live mention of him, 0 when it is gone; left out when never mentioned.
    pub my_message_nr: Option<u64>,
    /// Deleted from his own list up to here; left out when never deleted.
    pub delete_message_nr: Option<u64>,
    /// The lowest number that others opened to him; left out when nobody did.
    pub disclose_message_nr: Option<u64>,
    /// It is gone from his list: the client drops it.
    pub is_deleted: bool,
    /// He wants neither push nor mail; left out until he says so.
    pub no_notifications: Option<bool>,
    /// Upper edge of what this answer lets him hold, where it says one.
    pub fw_message_nr: Option<u64>,
    /// Lower edge of what this answer lets him hold, where it says one.
    pub bw_message_nr: Option<u64>,
    /// His membership was cut off or begun anew.
    pub is_reset: bool,
    /// What F adds.
    pub full: Option<Box<Full>>,
}

/// The viewer's fields that F adds to U, and N to F.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Full {
    /// He is a member now.
    pub can_post: bool,
    /// Whom `default_topic` and `default_members` name besides the viewer; `None` when there is a topic.
    #[serde(with = "named")]
    pub named: Option<Arc<[Named]>>,
    /// Names of those of his labels that he may set himself; left out when there are none.
    pub labels: Option<Vec<String>>,
    /// What N adds.
    pub init: Option<Init>,
}

/// A present member by his public name, which for somebody known by his e-mail address only is that address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Named {
    /// The member.
    pub account_id: AccountId,
    /// His public name.
    pub display_name: String,
}

/// Names that many views share, written for each.
mod named {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Named;

    pub(super) fn serialize<S: Serializer>(named: &Option<Arc<[Named]>>, to: S) -> Result<S::Ok, S::Error> {
        named.as_deref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<[Named]>>, D::Error> {
        Ok(Option::<Vec<Named>>::deserialize(from)?.map(Into::into))
    }
}

/// The viewer's fields that N adds to F.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Init {
    /// How much of the conversation comes with it.
    pub mode: InitMode,
    /// What started his current membership.
    pub begin_message_nr: u64,
}

impl View {
    /// Completes an open [`Shared`] of the same key set. `private_name` is the viewer's own name for somebody.
    pub fn write<'n>(&self, private_name: impl Fn(AccountId) -> Option<&'n str>, out: &mut Vec<u8>) {
        let mut fields = Fields::new(out);
        self.write_update(&mut fields);
        if let Some(full) = &self.full {
            full.write(self.profile_id, private_name, &mut fields);
        }
        fields.close();
    }

    /// About how many bytes [`View::write`] adds.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        /// The keys of U with ordinary numbers.
        const UPDATE_BYTES: usize = 512;
        /// The keys of F and N with short names.
        const FULL_BYTES: usize = 256;
        /// An id with its quotes and comma.
        const ID_BYTES: usize = 39;
        let ids = self.label_ids.len() + self.teams.len();
        let full = self.full.as_ref().map_or(0, |full| {
            let names = full.named.iter().flat_map(|named| named.iter());
            FULL_BYTES + names.map(|named| ID_BYTES + named.display_name.len()).sum::<usize>()
        });
        UPDATE_BYTES + ids * ID_BYTES + full
    }

    fn write_update(&self, fields: &mut Fields<'_>) {
        fields.id("profile_id", self.profile_id.0);
        fields.number("last_message_nr", self.last_message_nr);
        fields.number("show_message_nr", self.show_message_nr);
        fields.signed("last_message_time", self.last_message_time);
        fields.number("last_inbox_nr", self.last_inbox_nr);
        fields.number("join_message_nr", self.join_message_nr);
        fields.number("send_message_nr", self.send_message_nr);
        fields.number("read_message_nr", self.read_message_nr);
        fields.number("read_inbox_nr", self.read_inbox_nr);
        fields.number("unread_count", self.unread_count);
        fields.number("inbox_message_nr", self.inbox_message_nr);
        fields.signed("inbox_time", self.inbox_time);
        fields.flag_if("is_mark_unread", self.is_mark_unread);
        fields.word("mk_alert_level", self.mk_alert_level.wire());
        fields.flag("is_muted", self.is_muted);
        fields.flag("is_automute", self.is_automute);
        fields.signed("snooze_interval", self.snooze_interval);
        fields.signed("snooze_time", self.snooze_time);
        fields.ids("label_ids", self.label_ids.iter().map(|id| id.0));
        fields.ids("teams", self.teams.iter().map(|id| id.0));
        // An export is its viewer's own; while there is no event that starts one, none is under way.
        fields.literal(r#","export_files":[],"export_progress":"1""#);
        fields.number_if("hide_message_nr", self.hide_message_nr);
        fields.number_if("my_message_nr", self.my_message_nr);
        fields.number_if("delete_message_nr", self.delete_message_nr);
        fields.number_if("disclose_message_nr", self.disclose_message_nr);
        fields.flag_if("is_deleted", self.is_deleted.then_some(true));
        fields.flag_if("no_notifications", self.no_notifications);
        fields.number_if("fw_message_nr", self.fw_message_nr);
        fields.number_if("bw_message_nr", self.bw_message_nr);
        fields.flag_if("is_reset", self.is_reset.then_some(true));
    }
}

impl Full {
    fn write<'n>(
        &self,
        viewer: AccountId,
        private_name: impl Fn(AccountId) -> Option<&'n str>,
        fields: &mut Fields<'_>,
    ) {
        fields.flag("can_post", self.can_post);
        let others =
            || self.named.iter().flat_map(|named| named.iter()).filter(|named| named.account_id != viewer);
        fields.ids("default_members", others().map(|named| named.account_id.0));
        if self.named.is_some() {
            let names: Vec<&str> =
                others().map(|named| private_name(named.account_id).unwrap_or(&named.display_name)).collect();
            fields.value("default_topic", &default_topic(&names));
        }
        if let Some(labels) = &self.labels {
            fields.value("labels", labels);
        }
        if let Some(init) = self.init {
            fields.number("begin_message_nr", init.begin_message_nr);
            fields.word("mk_init_mode", init.mode.wire());
            fields.flag("is_init", true);
            fields.flag("is_full", true);
            fields.flag("is_tiny", init.mode == InitMode::Tiny);
        }
    }
}

/// What stands for a topic while there is none, made of the names of the others (conversations.md §4.1): one in full,
/// several by their first names. An e-mail address has no first name and stays whole.
#[must_use]
pub fn default_topic(names: &[&str]) -> String {
    let first = |name: &&'_ str| name.split_whitespace().next().unwrap_or(name).to_owned();
    match names {
        [] => ALONE.to_owned(),
        [one] => (*one).to_owned(),
        [firsts @ .., last] => {
            let firsts: Vec<String> = firsts.iter().map(first).collect();
            format!("{} and {}", firsts.join(", "), first(last))
        }
    }
}

/// Where the file drawer goes on: what the answer to a batch of it adds to a [`Shared`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FilesEdge {
    /// `file_cursor`, as `conv:sync_files` takes it.
    Cursor {
        /// The conversation.
        conversation_id: ConversationId,
        /// The last message of the batch; `None` when there are no files below.
        rest: Option<u64>,
    },
    /// `file_sync_state`, as `conv:sync_files:2` takes it.
    State {
        /// The conversation.
        conversation_id: ConversationId,
        /// The newest message whose files the client holds now.
        newest: u64,
        /// As the cursor.
        rest: Option<u64>,
    },
}

impl FilesEdge {
    /// Goes on with a record that was left open.
    pub fn append(self, open: &mut Vec<u8>) {
        /// What a cursor is made of.
        #[derive(Serialize)]
        struct At {
            conversation_id: ConversationId,
            message_nr: u64,
        }
        let text = |at: At| serde_json::to_string(&at).expect("ids and numbers are always JSON");
        let mut fields = Fields::new(open);
        match self {
            Self::Cursor { conversation_id, rest } => match rest {
                Some(message_nr) => fields.value("file_cursor", &text(At { conversation_id, message_nr })),
                None => fields.null("file_cursor"),
            },
            Self::State { conversation_id, newest, rest } => {
                let rest = rest.map(|message_nr| text(At { conversation_id, message_nr }));
                // An empty cursor can be given back as it is.
                let cursor = rest.unwrap_or_else(|| "{}".to_owned());
                let state = serde_json::json!({ "limit": { "message_nr": newest }, "sync_cursor": cursor });
                fields.value("file_sync_state", &state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_other_stands_with_his_full_name_and_several_with_their_first_names() {
        assert_eq!(default_topic(&[]), "Monologue with myself");
        assert_eq!(default_topic(&["Bill Clinton"]), "Bill Clinton");
        assert_eq!(default_topic(&["Bill Clinton", "Meg Ryan"]), "Bill and Meg");
        assert_eq!(default_topic(&["A B", "b@example.org", "C"]), "A, b@example.org and C");
    }
}
