//! The events on a conversation's messages, pins and tasks (conversations.md §9 and §10).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::field::Text;
use crate::id::{AccountId, ConversationId, SectionId, TeamId};

events! {
    "message", owner [Conversation conversation_id];

    /// Post a pinned message.
    "add_pinned" AddPinned {
        conversation_id: ConversationId,
        message: Text<307_200> = "",
        subject: Option<Text<1024>>,
        attachment_urls: Option<Vec<String>>,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message file? preview?",
        others: "members: conv(U) message file activity",
    }

    /// Post a message.
    "add_plain" AddPlain {
        conversation_id: ConversationId,
        message: Text<307_200> = "",
        subject: Option<Text<1024>>,
        attachment_urls: Option<Vec<String>>,
        from_message_nr: Option<i64>,
        reply_to_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message file? preview?",
        others: "members: conv(U) message file activity",
        refused: "430 not_found: the message that it answers",
    }

    /// Add the caller's reaction to a message.
    "add_reaction" AddReaction {
        conversation_id: ConversationId,
        message_nr: i64,
        reaction: Text<1024>,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Post a task.
    "add_todo" AddTodo {
        conversation_id: ConversationId,
        message: Text<307_200> = "",
        subject: Option<Text<1024>>,
        attachment_urls: Option<Vec<String>>,
        assignee_ids: Option<Vec<AccountId>>,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message file? preview?",
        others: "members: conv(U) message file activity; assignees: the place on their own boards",
    }

    /// Archive a task.
    "archive" Archive {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same; assignees: the place on their own boards",
        refused: "430 not_found: no such message; 400 invalid_call: no task",
    }

    /// Copy a message from one conversation into another.
    "copy" Copy {
        /// The conversation that gets the copy.
        conversation_id: ConversationId,
        /// The conversation that the copy is taken from.
        copy_conversation_id: ConversationId,
        /// The number of the message to copy.
        copy_message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message file? preview?",
        others: "members of the destination: conv(U) message file activity",
        refused: "430 not_found: the original; 431 invalid_copy: the original is deleted",
    }

    /// Delete a message; its number stays and its content goes.
    "delete" Delete {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id message_nr", answer: "conv(U) message file?",
        others: "members: the same; assignees: the place on their own boards",
        refused: "430 not_found: no such message; 400 invalid_call: a system message",
    }

    /// Delete some of a message's files.
    "delete_attachments" DeleteAttachments {
        conversation_id: ConversationId,
        message_nr: i64,
        attachment_urls: Option<Vec<String>>,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id message_nr", answer: "conv(U) message file?",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Take the caller's own reaction back.
    "delete_reaction" DeleteReaction {
        conversation_id: ConversationId,
        message_nr: i64,
        reaction: Text<1024>,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Drop the link previews of one message.
    "disable_preview" DisablePreview {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Disclose the history from one message on to given members or teams.
    "disclose" Disclose {
        conversation_id: ConversationId,
        account_ids: Option<Vec<AccountId>>,
        team_ids: Option<Vec<TeamId>>,
        message_nr: i64,
    } => {
        by: Member, identifier: "conversation_id message_nr", system: "discloseV2",
        answer: "conv(F) message? activity?",
        others: "members: the same; those disclosed to: conv(N) message activity",
        refused: "431 business_logic: no admin of a managed conversation; 430 not_found: no such message, no member, no such team",
    }

    /// Replace a message's content; params that are missing or null are removed from it.
    "edit" Edit {
        conversation_id: ConversationId,
        message_nr: i64,
        message: Text<307_200>,
        subject: Option<Text<1024>>,
        attachment_urls: Option<Vec<String>>,
        from_message_nr: Option<i64>,
    } => {
        by: Editor, identifier: "conversation_id message_nr", answer: "conv(U) message file? preview?",
        others: "members: the same",
        refused: "430 not_found: no such message; 431 invalid_edit: somebody else's plain message; 431 message_locked: somebody else edits it; 400 invalid_call: a system message",
    }

    /// Replace a message's files.
    "edit_attachments" EditAttachments {
        conversation_id: ConversationId,
        message_nr: i64,
        attachment_urls: Option<Vec<String>>,
        from_message_nr: Option<i64>,
    } => {
        by: Editor, identifier: "conversation_id message_nr", answer: "conv(U) message file? preview?",
        others: "members: the same",
        refused: "430 not_found: no such message; 431 invalid_edit: somebody else's plain message; 431 message_locked: somebody else edits it; 400 invalid_call: a system message",
    }

    /// Replace a message's text.
    "edit_body" EditBody {
        conversation_id: ConversationId,
        message_nr: i64,
        message: Text<307_200> = "",
        from_message_nr: Option<i64>,
    } => {
        by: Editor, identifier: "conversation_id message_nr", answer: "conv(U) message file? preview?",
        others: "members: the same",
        refused: "430 not_found: no such message; 431 invalid_edit: somebody else's plain message; 431 message_locked: somebody else edits it; 400 invalid_call: a system message",
    }

    /// Replace a message's subject; null removes it.
    "edit_subject" EditSubject {
        conversation_id: ConversationId,
        message_nr: i64,
        subject: Option<Text<1024>>,
        from_message_nr: Option<i64>,
    } => {
        by: Editor, identifier: "conversation_id message_nr", answer: "conv(U) message file? preview?",
        others: "members: the same",
        refused: "430 not_found: no such message; 431 invalid_edit: somebody else's plain message; 431 message_locked: somebody else edits it; 400 invalid_call: a system message",
    }

    /// Give up the edit lock of a message.
    "end_editing" EndEditing {
        conversation_id: ConversationId,
        message_nr: i64,
    } => {
        by: Editor, identifier: "conversation_id message_nr", others: "activated sessions: lock",
        refused: "430 not_found: no such message",
    }

    /// Fetch the messages round a message.
    "load_context" LoadContext {
        conversation_id: ConversationId,
        message_nr: i64,
    } => {
        by: Viewer, identifier: "conversation_id message_nr", answer: "contact? message? file?",
        refused: "430 not_found: no such message",
    }

    /// Fetch the messages after a message, to fill a gap.
    "load_next" LoadNext {
        conversation_id: ConversationId,
        message_nr: i64,
    } => {
        by: Viewer, identifier: "conversation_id message_nr", answer: "contact? message? file?",
        refused: "430 not_found: no such message",
    }

    /// Fetch the messages before a message, to fill a gap.
    "load_previous" LoadPrevious {
        conversation_id: ConversationId,
        message_nr: i64,
    } => {
        by: Viewer, identifier: "conversation_id message_nr", answer: "contact? message? file?",
        refused: "430 not_found: no such message",
    }

    /// Mark the conversation read up to a message; never moves the mark backward.
    "mark_read" MarkRead {
        conversation_id: ConversationId,
        message_nr: i64,
        old_message_nr: Option<i64>,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id message_nr", answer: "conv(U)",
        others: "own sessions: the same; members, when it moves on: activity",
    }

    /// Mark a message as spam.
    "mark_spam" MarkSpam {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Make a message the first unread one.
    "mark_unread" MarkUnread {
        conversation_id: ConversationId,
        message_nr: i64,
        old_message_nr: Option<i64>,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id message_nr", answer: "conv(U)",
        others: "own sessions: the same",
    }

    /// Move a pin on the pinboard.
    "pin:set_position" PinSetPosition {
        conversation_id: ConversationId,
        message_nr: i64,
        /// The message after which to put the pin; 0 puts it first.
        prev_message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message, or none to stand behind; 400 invalid_call: not pinned",
    }

    /// Replace a task's assignees.
    "set_assignees" SetAssignees {
        conversation_id: ConversationId,
        message_nr: i64,
        assignee_ids: Option<Vec<AccountId>>,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same; assignees, those who are none any more among them: the place on their own boards",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Turn a message into a done task.
    "set_done" SetDone {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", system: "task_completed",
        answer: "conv(U) message", others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Lock a message for editing.
    "set_editing" SetEditing {
        conversation_id: ConversationId,
        message_nr: i64,
    } => {
        by: Editor, identifier: "conversation_id message_nr", others: "activated sessions: lock",
        refused: "430 not_found: no such message; 431 invalid_edit: somebody else's plain message; 431 message_locked: somebody else edits it; 400 invalid_call: a system message",
    }

    /// Pin a message.
    "set_pinned" SetPinned {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Turn a pin or a task back into a plain message.
    "set_plain" SetPlain {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same; assignees: the place on their own boards",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Set whether a message is spam.
    "set_spam" SetSpam {
        conversation_id: ConversationId,
        message_nr: i64,
        is_spam: bool,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Turn a message into a task to do.
    "set_todo" SetTodo {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same; assignees: the place on their own boards",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }

    /// Take a message off the pinboard.
    "set_unpinned" SetUnpinned {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: not pinned",
    }

    /// Move a task on the task board.
    "task:set_position" TaskSetPosition {
        conversation_id: ConversationId,
        message_nr: i64,
        section_id: SectionId,
        /// The message after which to put the task; 0 puts it first.
        prev_message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message, no such section, or no task to stand behind; 400 invalid_call: no task",
    }

    /// Put an archived task back on the board.
    "unarchive" Unarchive {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Writer, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same; assignees: the place on their own boards",
        refused: "430 not_found: no such message; 400 invalid_call: no task",
    }

    /// Take the spam mark off a message.
    "unmark_spam" UnmarkSpam {
        conversation_id: ConversationId,
        message_nr: i64,
        from_message_nr: Option<i64>,
    } => {
        by: Member, identifier: "conversation_id message_nr", answer: "conv(U) message",
        others: "members: the same",
        refused: "430 not_found: no such message; 400 invalid_call: a system message or a deleted one",
    }
}
