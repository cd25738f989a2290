//! The events on a conversation as a whole: its life, members, settings, own view, presence and syncs (conversations.md §6 to §8).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::classificator::{AlertLevel, ConvType};
use crate::field::{Cursor, Limit, Text};
use crate::id::{AccountId, ConversationId, LabelId, TeamId};

events! {
    "conv", owner [Conversation conversation_id];

    /// Receive the others' activity in a conversation for ten minutes.
    "activate" Activate {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", answer: "activity?",
    }

    /// Make members of a managed conversation its admins.
    "add_admins" AddAdmins {
        conversation_id: ConversationId,
        account_ids: Vec<AccountId>,
    } => {
        by: Admin, identifier: "conversation_id", answer: "conv(F)", others: "members: the same",
        refused: "430 not_found: no member",
    }

    /// Add members; an account that is a member already is passed over.
    "add_members" AddMembers {
        conversation_id: ConversationId,
        account_ids: Vec<AccountId>,
        is_business: Option<bool>,
    } => {
        by: Manager, identifier: "conversation_id", system: "add create",
        answer: "contact? conv(F) message? activity?",
        others: "members: the same; newcomers: contact conv(N) message section activity",
    }

    /// Add a team, and with it all of its members.
    "add_team" AddTeam {
        conversation_id: ConversationId,
        team_id: TeamId,
    } => {
        by: TeamManager, identifier: "conversation_id", system: "add_teamV2 manage",
        answer: "contact? conv(F) message? team? label? activity?",
        others: "members: the same; newcomers: contact conv(N) message section activity; members of the team: label",
        refused: "430 not_found: no such team",
    }

    /// Hide the conversation from the caller's list until something newer is posted; what lies before counts as read.
    "archive" Archive {
        conversation_id: ConversationId,
        show_message_nr: i64,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "conv(U)",
        others: "own sessions: the same; members, when the read mark moves on: activity",
    }

    /// Join, or rejoin, a conversation that has autojoin enabled.
    "autojoin" Autojoin {
        conversation_id: ConversationId,
    } => {
        by: Anybody, identifier: "conversation_id", system: "autojoin",
        answer: "contact? conv(N) message? section? activity? file?",
        others: "members: conv(F) message activity",
        refused: "431 not_member: no such conversation; 431 business_logic: autojoin is off",
    }

    /// Delete a managed conversation for everybody; only an admin can.
    "conv_deleted_by_admin" ConvDeletedByAdmin {
        conversation_id: ConversationId,
    } => {
        by: Admin, identifier: "conversation_id", system: "kick_team deleteV1", answer: "conv message",
        others: "members and those who left: the same",
        refused: "431 business_logic: made without an organisation",
    }

    /// Disable autojoin: the link no longer lets anyone in.
    "conv_disable_autojoin" ConvDisableAutojoin {
        conversation_id: ConversationId,
    } => {
        by: Manager, identifier: "conversation_id", system: "unshare", answer: "conv(F) message?",
        others: "members: the same",
    }

    /// Stop disclosing the history to new members of itself.
    "conv_disable_disclose" ConvDisableDisclose {
        conversation_id: ConversationId,
    } => {
        by: Manager, identifier: "conversation_id", system: "unshow", answer: "conv(F) message?",
        others: "members: the same",
    }

    /// Disable link previews. The wire name is spelt like this.
    "conv_disable_url_previw" ConvDisableUrlPreviw {
        conversation_id: ConversationId,
    } => {
        by: Manager, identifier: "conversation_id", system: "no_url_previews", answer: "conv(F) message?",
        others: "members: the same",
    }

    /// Enable autojoin: anyone with the link can join.
    "conv_enable_autojoin" ConvEnableAutojoin {
        conversation_id: ConversationId,
    } => {
        by: Manager, identifier: "conversation_id", system: "share", answer: "conv(F) message?",
        others: "members: the same",
    }

    /// Disclose the conversation's history to every new member.
    "conv_enable_disclose" ConvEnableDisclose {
        conversation_id: ConversationId,
    } => {
        by: Manager, identifier: "conversation_id", system: "show", answer: "conv(F) message?",
        others: "members: the same",
    }

    /// Enable link previews.
    "conv_enable_url_preview" ConvEnableUrlPreview {
        conversation_id: ConversationId,
    } => {
        by: Manager, identifier: "conversation_id", system: "url_previews", answer: "conv(F) message?",
        others: "members: the same",
    }

    /// Create a conversation.
    "create" Create [NewConversation] {
        topic: Text<256> = "",
        account_ids: Option<Vec<AccountId>>,
        team_ids: Option<Vec<TeamId>>,
        /// Anyone can join by the conversation's autojoin link.
        is_autojoin: bool = "False",
        /// Earlier content is disclosed to everybody who joins.
        is_disclose: bool = "False",
        is_invite: bool = "False",
        is_list: bool = "False",
        /// The organisation's admins can manage this conversation.
        is_managed: bool = "False",
        mk_conv_type: ConvType = "cct_default",
        is_business: bool = "False",
    } => {
        by: Anybody, identifier: "conversation_id", system: "create add_teamV2",
        answer: "contact? conv(N) message section activity? team? label?",
        others: "newcomers: contact conv(N) message section activity",
        refused: "430 not_found: no such team; 431 business_logic: managed without an organisation",
    }

    /// Drop the conversation and its history so far from the caller's own list; what is written next brings it back.
    "delete" Delete {
        conversation_id: ConversationId,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "conv(U)", others: "own sessions: the same",
    }

    /// Let every member write again.
    "disable_admin_write_only" DisableAdminWriteOnly {
        conversation_id: ConversationId,
    } => {
        by: Admin, identifier: "conversation_id", answer: "conv(F)", others: "members: the same",
    }

    /// Stop telling the conversation when a task is done.
    "disable_done_notifications" DisableDoneNotifications {
        conversation_id: ConversationId,
    } => {
        by: Manager, identifier: "conversation_id", system: "disable_done_notifs",
        answer: "conv(F) message?", others: "members: the same",
    }

    /// Switch off the caller's push and e-mail notifications of a conversation.
    "disable_notifications" DisableNotifications {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", answer: "conv(U)", others: "own sessions: the same",
    }

    /// Disclose the conversation's history to given members or teams.
    "disclose" Disclose {
        conversation_id: ConversationId,
        account_ids: Option<Vec<AccountId>>,
        team_ids: Option<Vec<TeamId>>,
    } => {
        by: Member, identifier: "conversation_id", system: "discloseV2", answer: "conv(F) message? activity?",
        others: "members: the same; those disclosed to: conv(N) message activity",
        refused: "431 business_logic: no admin of a managed conversation; 430 not_found: somebody who is no member, no such team",
    }

    /// Let only admins write.
    "enable_admin_write_only" EnableAdminWriteOnly {
        conversation_id: ConversationId,
    } => {
        by: Admin, identifier: "conversation_id", answer: "conv(F)", others: "members: the same",
    }

    /// Tell the conversation when a task is done.
    "enable_done_notifications" EnableDoneNotifications {
        conversation_id: ConversationId,
    } => {
        by: Manager, identifier: "conversation_id", system: "enable_done_notifs",
        answer: "conv(F) message?", others: "members: the same",
    }

    /// Switch on the caller's push and e-mail notifications of a conversation.
    "enable_notifications" EnableNotifications {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", answer: "conv(U)", others: "own sessions: the same",
    }

    /// Put the caller's writing pen away.
    "end_writing" EndWriting {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", others: "activated sessions: activity",
    }

    /// Make a new conversation of a dialog's members and others; the dialog stays as it is.
    "fork" Fork [NewConversation] {
        /// The dialog that is forked into a larger conversation.
        conversation_id: ConversationId,
        account_ids: Option<Vec<AccountId>>,
        team_ids: Option<Vec<TeamId>>,
        is_managed: bool = "False",
        mk_conv_type: ConvType = "cct_no_mail",
    } => {
        by: Member, identifier: "conversation_id", system: "create add_teamV2",
        answer: "contact? conv(N) message section activity? team? label?",
        others: "newcomers: contact conv(N) message section activity",
        refused: "431 business_logic: no conversation of two without a topic, managed without an organisation; 430 not_found: no such team",
    }

    /// Fetch the conversation's header, contacts and sections, without messages.
    "get" Get {
        conversation_id: ConversationId,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "contact? conv(N) section?",
    }

    /// Remove members of a managed conversation together with their access to its content.
    "kick_members" KickMembers {
        conversation_id: ConversationId,
        account_ids: Vec<AccountId>,
    } => {
        by: Admin, identifier: "conversation_id", system: "kickV2", answer: "conv(F) message?",
        others: "members: the same; kicked: conv(N) message",
        refused: "431 business_logic: no organisation manages the conversation",
    }

    /// Leave the conversation.
    "leave" Leave {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", system: "leave", answer: "conv(F) message",
        others: "members: the same",
    }

    /// Mark the whole conversation read, up to the last message that the client shows.
    "mark_read" MarkRead {
        conversation_id: ConversationId,
        show_message_nr: i64,
        old_message_nr: Option<i64>,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id", answer: "contact? conv(U|N) message?",
        others: "own sessions: conv(U); members: activity",
    }

    /// Mark the conversation unread from a message on.
    "mark_unread" MarkUnread {
        conversation_id: ConversationId,
        inbox_message_nr: i64,
        old_message_nr: Option<i64>,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id", answer: "conv(U)", others: "own sessions: the same",
    }

    /// Mute the conversation until the caller unmutes it.
    "mute" Mute {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", answer: "conv(U)", others: "own sessions: the same",
    }

    /// Mute the conversation for a number of seconds, a year at most; 0 and the negative values are as in set_snooze.
    "mute_until" MuteUntil {
        conversation_id: ConversationId,
        snooze_interval: i64,
    } => {
        by: Member, identifier: "conversation_id", system: "passiveV1 joinV1", answer: "conv(U) message?",
        others: "own sessions: the same, and conv(U) when it ends; members, when passivity begins or ends: conv(U) message",
    }

    /// Mute the conversation until the caller has read it.
    "mute_until_read" MuteUntilRead {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", answer: "conv(U)", others: "own sessions: the same",
    }

    /// Fetch the next batch of pinned messages.
    "pin:sync" PinSync {
        conversation_id: ConversationId,
        sync_cursor: Cursor<PinCursor> = "NULL",
        /// Batch size between 1 and 100.
        limit: Limit<20>,
    } => {
        by: Member, identifier: "conversation_id", answer: "contact? conv(U) message? file?",
    }

    /// Take the admin role from members of a managed conversation.
    "remove_admins" RemoveAdmins {
        conversation_id: ConversationId,
        account_ids: Vec<AccountId>,
    } => {
        by: Admin, identifier: "conversation_id", answer: "conv(F)", others: "members: the same",
        refused: "431 business_logic: oneself; 430 not_found: no member",
    }

    /// Remove members; they keep what they could read.
    "remove_members" RemoveMembers {
        conversation_id: ConversationId,
        account_ids: Vec<AccountId>,
    } => {
        by: Manager, identifier: "conversation_id", system: "kick leave", answer: "conv(F) message?",
        others: "members: the same; removed: conv(N) message",
    }

    /// Remove a team, and the members who are in only through it.
    "remove_team" RemoveTeam {
        conversation_id: ConversationId,
        team_id: TeamId,
    } => {
        by: TeamManager, identifier: "conversation_id", system: "kick_team",
        answer: "conv(F) message? team? label?", others: "members: the same; removed: conv(N) message",
        refused: "430 not_found: no such team",
    }

    /// Set how the caller is alerted to new messages of a conversation.
    "set_alert_level" SetAlertLevel {
        conversation_id: ConversationId,
        mk_alert_level: AlertLevel,
    } => {
        by: Member, identifier: "conversation_id", system: "passiveV1 joinV1", answer: "conv(U) message?",
        others: "own sessions: the same; members, when passivity begins or ends: conv(U) message",
    }

    /// Set the name of the conversation's call room.
    "set_default_call_room" SetDefaultCallRoom {
        conversation_id: ConversationId,
        default_call_room: Text<1024>,
    } => {
        by: Manager, identifier: "conversation_id", answer: "conv(F)", others: "members: the same",
    }

    /// Replace the caller's own labels on a conversation.
    "set_labels" SetLabels {
        conversation_id: ConversationId,
        label_ids: Vec<LabelId>,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "conv(F) label?",
        others: "own sessions: the same", refused: "430 not_found: no such label",
    }

    /// Let only admins manage the conversation's settings and members.
    "set_managed" SetManaged {
        conversation_id: ConversationId,
    } => {
        by: Employee, identifier: "conversation_id", system: "manage", answer: "conv(F) message?",
        others: "members: the same",
        refused: "431 business_logic: in no organisation, or another one manages it",
    }

    /// Become a passive member, who is alerted to mentions only.
    "set_passive" SetPassive {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", system: "passiveV1", answer: "conv(U) message?",
        others: "members: the same",
    }

    /// Set the caller's read mark to a message, forward or backward.
    "set_read_message_nr" SetReadMessageNr {
        conversation_id: ConversationId,
        message_nr: i64,
        old_message_nr: Option<i64>,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id", answer: "conv(U)",
        others: "own sessions: the same; members, when it moves on: activity",
    }

    /// Set the snooze interval in seconds, a year at most; 0 unmutes, -1, -2, -3 stand for never, until read, passive.
    "set_snooze" SetSnooze {
        conversation_id: ConversationId,
        snooze_interval: i64,
    } => {
        by: Member, identifier: "conversation_id", system: "passiveV1 joinV1", answer: "conv(U) message?",
        others: "own sessions: the same, and conv(U) when it ends; members, when passivity begins or ends: conv(U) message",
    }

    /// Set the conversation's topic.
    "set_topic" SetTopic {
        conversation_id: ConversationId,
        topic: Text<1024>,
    } => {
        by: Manager, identifier: "conversation_id", system: "topic create", answer: "conv(F) message?",
        others: "members: the same",
    }

    /// Set how the conversation deals with mail.
    "set_type" SetType {
        conversation_id: ConversationId,
        mk_conv_type: ConvType,
    } => {
        by: Manager, identifier: "conversation_id", answer: "conv(F)", others: "members: the same",
    }

    /// Give the conversation's settings back to all members; only an admin can.
    "set_unmanaged" SetUnmanaged {
        conversation_id: ConversationId,
    } => {
        by: Admin, identifier: "conversation_id", system: "unmanage", answer: "conv(F) message",
        others: "members: the same",
    }

    /// Show the caller's writing pen to the others for 30 seconds.
    "set_writing" SetWriting {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", others: "activated sessions: activity",
    }

    /// Fetch older messages, those below an edge.
    "sync_backward" SyncBackward {
        conversation_id: ConversationId,
        bw_message_nr: i64,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "contact? conv(U) message? file?",
    }

    /// Fetch the next batch of the file drawer, newest first.
    "sync_files" SyncFiles {
        conversation_id: ConversationId,
        sync_cursor: Cursor<FilesCursor> = "NULL",
        /// Batch size between 1 and 100.
        limit: Limit<20>,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "contact? conv(U) file?",
    }

    /// Fetch the next batch of the file drawer; the state also says what is held already.
    "sync_files:2" SyncFiles2 {
        conversation_id: ConversationId,
        file_sync_state: Option<FileSyncState>,
        /// Batch size between 1 and 100.
        limit: Limit<20>,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "contact? conv(U) file?",
    }

    /// Fetch what happened after an edge, revisions included.
    "sync_forward" SyncForward {
        conversation_id: ConversationId,
        fw_message_nr: i64,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "contact? conv(U|F) message? file?",
    }

    /// Fetch the conversation with the messages round the caller's read mark.
    "sync_initial" SyncInitial {
        conversation_id: ConversationId,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "contact? conv(N) message? section? file?",
    }

    /// Show an archived conversation in the caller's list again.
    "unarchive" Unarchive {
        conversation_id: ConversationId,
    } => {
        by: Viewer, identifier: "conversation_id", answer: "conv(U)", others: "own sessions: the same",
    }

    /// Undo every kind of mute.
    "unmute" Unmute {
        conversation_id: ConversationId,
    } => {
        by: Member, identifier: "conversation_id", system: "joinV1", answer: "conv(U) message?",
        others: "own sessions: the same; members, when it ends passivity: conv(U) message",
    }

    /// Have the server fetch a file for a conversation; the `upload` record follows by poll.
    "upload_external" UploadExternal {
        conversation_id: ConversationId,
        file_url: Text<2048>,
        file_name: Text<2048>,
        file_size: i64 = "0",
        file_origin: Option<Text<1024>>,
        upload_id: Option<Text<1024>>,
    } => {
        by: Member, identifier: "conversation_id upload_id",
        others: "own sessions: upload, when it is here or has failed",
        refused: "400 invalid_call: no address of the web",
    }
}

params! {
    /// Where [`PinSync`] goes on.
    PinCursor {
        conversation_id: ConversationId,
        pin_weight: Option<f64>,
    }
}

params! {
    /// Where [`SyncFiles`] goes on.
    FilesCursor {
        conversation_id: ConversationId,
        message_nr: Option<i64>,
    }
}

params! {
    /// How much of the file drawer the client holds.
    FileSyncState {
        limit: FilesHeld,
        sync_cursor: Cursor<Files2Cursor>,
    }
}

params! {
    /// The newest end of what the client holds.
    FilesHeld {
        message_nr: i64,
    }
}

params! {
    /// Where [`SyncFiles2`] goes on.
    Files2Cursor {
        conversation_id: ConversationId,
        message_nr: i64,
    }
}
