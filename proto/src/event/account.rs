//! The events on the caller's own account (accounts.md §4).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::classificator::{DeviceType, EmailInterval, InitMode};
use crate::field::Text;
use crate::id::ConversationId;

events! {
    "account", owner [Caller];

    /// Add a free-form flag to the caller's own set; a flag that is there already is a success.
    "add_flag" AddFlag {
        client_flag: Text<1024>,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
    }

    /// Change the caller's password; the right old one is needed, and the other sessions end.
    "change_password" ChangePassword {
        password: Text<128>,
        old_password: Text<1024>,
    } => {
        by: Account, identifier: "account_id", answer: "contact",
        others: "own sessions: contact; all but the one that asks end with 1008",
        refused: "431 business_logic: the old password is wrong, or the organisation allows none",
    }

    /// Merge client settings (JSON text of an object) into the stored ones.
    "change_settings" ChangeSettings {
        client_settings: Text<1024>,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
        refused: "400 invalid_call: not the text of a JSON object",
    }

    /// Ask for the mail whose link closes the caller's account.
    "delete" Delete {} => {
        by: Account, identifier: "account_id",
        others: "nobody; a letter with a link goes out, and what the link does closes the account",
        refused: "430 not_possible: a member of an organisation; 431 business_logic: five letters within the hour",
    }

    /// Take a flag out of the caller's own set; a flag that is not there is a success.
    "remove_flag" RemoveFlag {
        client_flag: Text<1024>,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
    }

    /// Set the push token of this login session's device; it replaces the former one.
    "set_device_token" SetDeviceToken {
        mk_device_type: DeviceType,
        device_token: Text<1024>,
    } => {
        by: Account, identifier: "account_id",
    }

    /// Set how often the caller is mailed about unread messages.
    "set_email_interval" SetEmailInterval {
        mk_email_interval: EmailInterval,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
    }

    /// Set which new messages are pushed to the caller's devices: `first` or `all`.
    "set_mk_push_new_message" SetMkPushNewMessage {
        mk_push_new_message: Text<1024>,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
    }

    /// Set the caller's display name, which others see and search.
    "set_name" SetName {
        name: Text<128>,
    } => {
        by: Account, identifier: "account_id", answer: "contact",
        others: "own sessions: the same; whoever knows the account: contact, and conv(F) where a missing topic is made of names",
    }

    /// Set the caller's phone number, which others see and search; an empty one clears it.
    "set_phone" SetPhone {
        phone_nr: Text<16>,
    } => {
        by: Account, identifier: "account_id", answer: "contact",
        others: "own sessions: the same; whoever knows the account: contact",
    }

    /// Set after how many minutes without activity an open conversation is not read any more: 0 (never) to 60.
    "set_sleep_interval" SetSleepInterval {
        sleep_interval: i64,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
        refused: "400 invalid_call: not from 0 to 60",
    }

    /// Fetch some of the caller's conversations; ids that he may not see are passed over.
    "sync_conversations" SyncConversations {
        conversation_ids: Vec<ConversationId>,
        mk_init_mode: InitMode = "ic_header",
    } => {
        by: Account, identifier: "account_id", answer: "contact? conv(N) message? section? activity? file?",
        refused: "400 invalid_call: more than 500 ids",
    }

    /// Set the caller's status emoji and text; both empty clear it.
    "update_status_message" UpdateStatusMessage {
        status_emoji: Text<1024>,
        status_message: Text<1024>,
    } => {
        by: Account, identifier: "account_id", answer: "contact",
        others: "own sessions: the same; whoever knows the account: contact",
    }

    /// Have the server fetch a file as a private upload; the `upload` record follows by poll.
    "upload_external" UploadExternal {
        file_url: Text<2048>,
        file_name: Text<2048>,
        file_size: i64 = "0",
        file_origin: Option<Text<1024>>,
        upload_id: Option<Text<1024>>,
    } => {
        by: Account, identifier: "account_id",
        answer: "contact?", others: "own sessions: upload, when it is here or has failed",
        refused: "400 invalid_call: no address of the web; 507 quota_full: no room left",
    }
}
