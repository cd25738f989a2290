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
    }

    /// Fetch one contact.
    "get" Get {
        account_id: AccountId,
    }

    /// Open the one-to-one conversation with an account; it is created if there is none.
    "get_dialog" GetDialog [Dialog account_id] {
        account_id: AccountId,
        mk_conv_type: Option<DialogType>,
    }

    /// Hide a contact from the caller's list.
    "hide" Hide {
        account_id: AccountId,
    }

    /// Hide several contacts from the caller's list.
    "hide_contacts" HideContacts {
        account_ids: Vec<AccountId>,
    }

    /// Import a list of contacts.
    "import" Import {
        contacts: Vec<ImportedContact>,
    }

    /// Look an account up by its e-mail address.
    "lookup_by_email" LookupByEmail {
        email: Text<1024>,
    }

    /// Set a contact's name as only the caller sees it.
    "set_name" SetName {
        account_id: AccountId,
        name: Text<1024>,
    }

    /// Set a contact's phone number as only the caller sees it.
    "set_phone" SetPhone {
        account_id: AccountId,
        phone_nr: Text<1024>,
    }

    /// Fetch the next batch of contacts by sort rank.
    "sync" Sync {
        sync_cursor: Cursor<SyncCursor> = "NULL",
        limit: Limit<100>,
    }

    /// Fetch when the given accounts were last seen.
    "sync_activity" SyncActivity {
        account_ids: Vec<AccountId>,
    }

    /// Fetch the next batch of the caller's canned responses.
    "sync_canned" SyncCanned {
        sync_cursor: Cursor<CannedCursor> = "NULL",
        /// Batch size between 1 and 100.
        limit: Limit<20>,
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
