//! The events on the caller's contacts (accounts.md §5).
//!
//! Not here: the rules that these events obey; they are with the owner of the state.

use crate::classificator::DialogType;
use crate::field::{Cursor, Limit, Text, Timestamp};
use crate::id::{AccountId, MessageId};

events! {
    "contact", owner [Caller];

    /// Add a contact by e-mail address.
    "add" Add {
        email: Text<1024>,
        name: Option<Text<1024>>,
        phone_nr: Option<Text<1024>>,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
        refused: "400 invalid_call: no e-mail address; 431 business_logic: the own one",
    }

    /// Fetch one contact.
    "get" Get {
        account_id: AccountId,
    } => {
        by: Anybody, identifier: "account_id", answer: "contact", refused: "430 not_found: no such account",
    }

    /// Open the one-to-one conversation with an account; it is created if there is none.
    "get_dialog" GetDialog [Dialog account_id] {
        account_id: AccountId,
        mk_conv_type: Option<DialogType>,
    } => {
        by: Account, identifier: "account_id conversation_id",
        answer: "contact? conv(N) message? section? activity? file?",
        others: "own sessions: the same; the other one is told with the first message",
        refused: "430 not_found: no such account; 431 business_logic: the own or a closed account",
    }

    /// Hide a contact from the caller's list.
    "hide" Hide {
        account_id: AccountId,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
        refused: "430 not_found: no such account; 431 business_logic: the own one",
    }

    /// Hide several contacts from the caller's list.
    "hide_contacts" HideContacts {
        account_ids: Vec<AccountId>,
    } => {
        by: Account, identifier: "account_id", answer: "contact?", others: "own sessions: the same",
    }

    /// Import a list of contacts.
    "import" Import {
        contacts: Vec<ImportedContact>,
    } => {
        by: Account, identifier: "account_id", answer: "contact?", others: "own sessions: the same",
        refused: "400 invalid_call: an empty list",
    }

    /// Look an account up by its e-mail address.
    "lookup_by_email" LookupByEmail {
        email: Text<1024>,
    } => {
        by: Anybody, identifier: "account_id", answer: "contact",
        refused: "400 invalid_call: no e-mail address",
    }

    /// Set a contact's name as only the caller sees it.
    "set_name" SetName {
        account_id: AccountId,
        name: Text<1024>,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
        refused: "430 not_found: no such account; 431 business_logic: the own one",
    }

    /// Set a contact's phone number as only the caller sees it.
    "set_phone" SetPhone {
        account_id: AccountId,
        phone_nr: Text<1024>,
    } => {
        by: Account, identifier: "account_id", answer: "contact", others: "own sessions: the same",
        refused: "430 not_found: no such account; 431 business_logic: the own one",
    }

    /// Fetch the next batch of contacts by sort rank.
    "sync" Sync {
        sync_cursor: Cursor<SyncCursor> = "NULL",
        limit: Limit<100>,
    } => {
        by: Account, identifier: "account_id", answer: "contact?",
    }

    /// Fetch when the given accounts were last seen.
    "sync_activity" SyncActivity {
        account_ids: Vec<AccountId>,
    } => {
        by: Account, identifier: "account_id", answer: "lastseen?",
    }

    /// Fetch the next batch of the caller's canned responses.
    "sync_canned" SyncCanned {
        sync_cursor: Cursor<CannedCursor> = "NULL",
        /// Batch size between 1 and 100.
        limit: Limit<20>,
    } => {
        by: Account, identifier: "account_id", answer: "my_message? file?",
    }
}

params! {
    /// One contact of [`Import`].
    ImportedContact {
        email: Text<1024>,
        name: Option<Text<1024>>,
        phone_nr: Option<Text<1024>>,
    }
}

params! {
    /// Where [`Sync`] goes on.
    SyncCursor {
        account_id: AccountId,
        sort_rank: i64,
    }
}

params! {
    /// Where [`SyncCanned`] goes on.
    CannedCursor {
        message_id: MessageId,
        store_time: Timestamp,
    }
}
