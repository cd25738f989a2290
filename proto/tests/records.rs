//! The JSON of each record but `conv`, frozen: exact keys and explicit nulls.

use std::collections::BTreeSet;

use rill_proto::classificator::{
    AccountStatus, EmailInterval, LabelStatus, LabelSubtype, LabelType, MessageState, MessageType,
    PushNewMessage, SectionSubtype, UploadStatus,
};
use rill_proto::id::{AccountId, ConversationId, LabelId, MessageId, SectionId};
use rill_proto::record::{
    activity, close_for_profile, complete, contact, file, label, lastseen, lock, message, open, poke,
    request, section, upload, weight::Weight,
};
use serde_json::{Value, json};
use uuid::Uuid;

fn account(nr: u128) -> AccountId {
    AccountId(Uuid::from_u128(nr))
}

fn conversation() -> ConversationId {
    ConversationId(Uuid::from_u128(0xC))
}

fn id(nr: u128) -> String {
    Uuid::from_u128(nr).to_string()
}

fn parse(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).expect("records are UTF-8");
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    for key in value.as_object().expect("a record is an object").keys() {
        assert_eq!(text.matches(&format!("\"{key}\":")).count(), 1, "{key} comes once in {text}");
    }
    value
}

fn keys(record: &Value) -> BTreeSet<&str> {
    record.as_object().expect("a record is an object").keys().map(String::as_str).collect()
}

fn first_text() -> message::Shared<'static> {
    message::Shared {
        conversation_id: conversation(),
        message_nr: 2,
        message_id: MessageId(Uuid::from_u128(0xE)),
        account_id: account(1),
        message: "<msg><p>Hello</p></msg>",
        mk_message_type: MessageType::Text,
        mk_message_state: MessageState::Plain,
        tags: message::tags(MessageState::Plain, false),
        posted_time: 1_500_000_000,
        prev_message_nr: 1,
        inbox_nr: 1,
        flow_message_nr: None,
        ref_message_nr: None,
        reply_to_message_nr: None,
        edited_time: None,
        edit_account_id: None,
        subject: None,
        mention_ids: None,
        is_url_preview_disabled: None,
        pin_weight: None,
        pinned_account_id: None,
        section_id: None,
        task_weight: None,
        tasked_account_id: None,
        is_archived: None,
        assignee_ids: None,
        assigner_id: None,
        reactions: None,
        is_spam: None,
        lock_account_id: None,
    }
}

fn for_profile(shared: &message::Shared<'_>, viewer: AccountId) -> Value {
    let mut out = open(shared);
    close_for_profile(viewer, &mut out);
    parse(&out)
}

#[test]
fn message_has_the_minimal_keys_and_a_null_lock() {
    assert_eq!(
        for_profile(&first_text(), account(2)),
        json!({
            "mk_rec_type": "message", "conversation_id": id(0xC), "message_nr": 2, "message_id": id(0xE),
            "account_id": id(1), "profile_id": id(2), "message": "<msg><p>Hello</p></msg>",
            "mk_message_type": "text", "mk_message_state": "urn:fleep:message:mk_message_state:plain", "tags": [],
            "posted_time": 1_500_000_000, "prev_message_nr": 1, "inbox_nr": 1, "lock_account_id": null,
        })
    );
}

#[test]
fn message_that_was_deleted_keeps_its_numbers() {
    // T2, the deletion in slot 5.
    let deleted = message::Shared {
        message_nr: 3,
        prev_message_nr: 1,
        message: "",
        mk_message_state: MessageState::Deleted,
        tags: message::tags(MessageState::Deleted, false),
        flow_message_nr: Some(5),
        edited_time: Some(1_500_000_009),
        edit_account_id: Some(account(1)),
        ..first_text()
    };
    let record = for_profile(&deleted, account(2));
    assert_eq!(record["tags"], json!(["is_deleted", "is_deleted"]));
    assert_eq!((&record["message"], &record["flow_message_nr"]), (&json!(""), &json!(5)));
    assert_eq!((&record["inbox_nr"], &record["prev_message_nr"]), (&json!(1), &json!(1)));
    assert_eq!(keys(&record).len(), 14 + 3);
}

#[test]
fn message_optional_fields_are_there_only_when_set() {
    let mentioned = [account(2)];
    let message = message::Shared {
        ref_message_nr: Some(Some(1)),
        reply_to_message_nr: Some(1),
        subject: Some("Subject"),
        mention_ids: Some(&mentioned),
        is_url_preview_disabled: Some(true),
        lock_account_id: Some(account(2)),
        inbox_nr: -3,
        ..first_text()
    };
    let record = for_profile(&message, account(2));
    assert_eq!(record["mention_ids"], json!([id(2)]));
    assert_eq!(record["lock_account_id"], id(2));
    assert_eq!(record["inbox_nr"], -3);
    assert_eq!(keys(&record).len(), 14 + 5);
}

#[test]
fn message_that_has_lost_its_place_says_null() {
    let unpinned = message::Shared {
        mk_message_state: MessageState::Unpinned,
        tags: message::tags(MessageState::Unpinned, false),
        ref_message_nr: Some(Some(2)),
        pin_weight: Some(None),
        pinned_account_id: Some(None),
        ..first_text()
    };
    let record = for_profile(&unpinned, account(2));
    assert_eq!(record["tags"], json!(["is_archived", "is_shared", "unpin"]));
    assert_eq!((&record["pin_weight"], &record["pinned_account_id"]), (&Value::Null, &Value::Null));
    assert_eq!(keys(&record).len(), 14 + 3);
}

#[test]
fn message_that_is_a_task_says_where_and_whose() {
    let (assignees, reactions) = ([account(2)], [("+1".to_owned(), vec![account(1)])].into());
    let task = message::Shared {
        mk_message_state: MessageState::Todo,
        tags: message::tags(MessageState::Todo, true),
        pin_weight: Some(Some(Weight(4_295_131_136.0))),
        section_id: Some(Some(SectionId(Uuid::from_u128(0x5)))),
        task_weight: Some(Some(Weight(0.5))),
        tasked_account_id: Some(Some(account(1))),
        is_archived: Some(true),
        assignee_ids: Some(&assignees),
        assigner_id: Some(Some(account(1))),
        reactions: Some(&reactions),
        is_spam: Some(false),
        ..first_text()
    };
    let record = for_profile(&task, account(2));
    assert_eq!(record["tags"], json!(["is_shared", "is_task", "is_todo", "is_archived"]));
    assert_eq!(record["pin_weight"].to_string(), "4295131136", "whole weights have no fraction");
    assert_eq!(record["task_weight"].to_string(), "0.5");
    assert_eq!((&record["assignee_ids"], &record["reactions"]), (&json!([id(2)]), &json!({"+1": [id(1)]})));
    assert_eq!(keys(&record).len(), 14 + 9);
}

#[test]
fn activity_leaves_out_what_is_not_known() {
    let mut record = activity::Activity {
        conversation_id: conversation(),
        account_id: account(2),
        join_message_nr: 1,
        read_message_nr: None,
        is_writing: None,
        activity_time: None,
    };
    let minimal = json!({"mk_rec_type": "activity", "conversation_id": id(0xC), "account_id": id(2), "join_message_nr": 1});
    assert_eq!(parse(&complete(&record)), minimal);
    record.read_message_nr = Some(4);
    record.is_writing = Some(false);
    let told = parse(&complete(&record));
    assert_eq!((&told["read_message_nr"], &told["is_writing"]), (&json!(4), &json!(false)));
}

#[test]
fn lock_and_poke() {
    let free = lock::Lock { conversation_id: conversation(), message_nr: 2, lock_account_id: None };
    assert_eq!(
        parse(&complete(&free)),
        json!({"mk_rec_type": "lock", "conversation_id": id(0xC), "message_nr": 2, "lock_account_id": null})
    );
    let poke = poke::Poke { conversation_id: conversation(), message_nr: 7, account_id: account(1) };
    assert_eq!(
        parse(&complete(&poke)),
        json!({"mk_rec_type": "poke", "conversation_id": id(0xC), "message_nr": 7, "account_id": id(1)})
    );
}

#[test]
fn section_weights_are_whole_numbers_where_they_can_be() {
    let mut to_do = section::Section {
        conversation_id: conversation(),
        section_id: SectionId(Uuid::from_u128(5)),
        name: "To Do",
        weight: Weight(4_294_967_296.0),
        is_deleted: false,
        mk_section_type: section::BoardOfConversation::Task,
        mk_section_subtype: SectionSubtype::Default,
        sync_cursor: None,
        sync_state: (),
    };
    assert_eq!(
        parse(&complete(&to_do)),
        json!({
            "mk_rec_type": "section", "conversation_id": id(0xC), "section_id": id(5), "name": "To Do",
            "weight": 4_294_967_296_i64, "is_deleted": false,
            "mk_section_type": "urn:fleep:section:mk_section_type:task",
            "mk_section_subtype": "urn:fleep:section:mk_section_subtype:default",
            "sync_cursor": null, "sync_state": null,
        })
    );
    to_do.weight = Weight(65_536.5);
    assert_eq!(parse(&complete(&to_do))["weight"], json!(65_536.5));
}

#[test]
fn label_without_name_is_a_removed_one() {
    let mut starred = label::Label {
        label_id: LabelId(Uuid::from_u128(6)),
        label: Some("starred"),
        index: 1,
        mk_label_type: LabelType::System,
        mk_label_subtype: LabelSubtype::Starred,
        mk_label_status: LabelStatus::Active,
        is_on_left_pane: true,
        is_in_recent: false,
        is_in_muted: false,
        team_id: None,
        sync_cursor: None,
        sync_inbox_time: None,
    };
    assert_eq!(
        parse(&complete(&starred)),
        json!({
            "mk_rec_type": "label", "label_id": id(6), "label": "starred", "index": 1,
            "mk_label_type": "system_label", "mk_label_subtype": "starred", "mk_label_status": "active",
            "is_on_left_pane": true, "is_in_recent": false, "is_in_muted": false,
        })
    );
    starred.label = None;
    starred.mk_label_status = LabelStatus::Removed;
    starred.sync_cursor = Some("{}");
    let removed = parse(&complete(&starred));
    assert!(!keys(&removed).contains("label"));
    assert_eq!((&removed["mk_label_status"], &removed["sync_cursor"]), (&json!("removed"), &json!("{}")));
}

#[test]
fn request_says_what_came_of_an_event() {
    let identifier = json!({"conversation_id": id(0xC), "message_nr": 2});
    let done = request::Request {
        client_req_id: Some("req"),
        mk_event_type: Some("urn:fleep:client:message:add_plain"),
        status_code: Some(200),
        error_id: None,
        error_message: None,
        identifier: Some(&identifier),
        conversation_id: None,
        sync_cursor: None,
        result_message_nr: None,
    };
    assert_eq!(
        parse(&complete(&done)),
        json!({
            "mk_rec_type": "request", "client_req_id": "req",
            "mk_event_type": "urn:fleep:client:message:add_plain", "status_code": 200, "identifier": identifier,
        })
    );
    let refused = request::Request {
        status_code: Some(430),
        error_id: Some("not_found"),
        error_message: Some("Message not found."),
        identifier: None,
        ..done.clone()
    };
    let expected =
        ["mk_rec_type", "client_req_id", "mk_event_type", "status_code", "error_id", "error_message"];
    assert_eq!(keys(&parse(&complete(&refused))), expected.into_iter().collect());
    let echo = request::Request {
        mk_event_type: None,
        status_code: None,
        identifier: None,
        conversation_id: Some(conversation()),
        sync_cursor: None,
        result_message_nr: Some(2),
        ..done
    };
    let expected = ["mk_rec_type", "client_req_id", "conversation_id", "result_message_nr"];
    assert_eq!(keys(&parse(&complete(&echo))), expected.into_iter().collect());
}

fn known(status: AccountStatus) -> contact::Shared<'static> {
    contact::Shared {
        account_id: account(2),
        email: "bob@example.org",
        fleep_address: (status == AccountStatus::Active).then_some("bob"),
        mk_account_status: status,
        organisation_id: None,
        status_emoji: None,
        status_message: None,
        avatar_urls: None,
    }
}

#[test]
fn contact_of_a_user_in_the_list_and_out_of_it() {
    let listed = contact::Listed { dialog_id: None, is_hidden_for_add: false, sort_rank: 1 };
    let mut view = contact::View {
        display_name: "Bob Brown",
        full_name: None,
        contact_name: None,
        phone_nr: None,
        listed: Some(listed),
    };
    let mut out = open(&known(AccountStatus::Active));
    view.write(&mut out);
    assert_eq!(
        parse(&out),
        json!({
            "mk_rec_type": "contact", "account_id": id(2), "display_name": "Bob Brown", "email": "bob@example.org",
            "fleep_address": "bob", "mk_account_status": "active", "organisation_id": null,
            "dialog_id": null, "is_hidden_for_add": false, "sort_rank": 1,
        })
    );
    view.listed = None;
    let mut out = open(&known(AccountStatus::New));
    view.write(&mut out);
    let expected =
        ["mk_rec_type", "account_id", "display_name", "email", "mk_account_status", "organisation_id"];
    assert_eq!(keys(&parse(&out)), expected.into_iter().collect());
}

#[test]
fn contact_with_private_texts() {
    let view = contact::View {
        display_name: "Bobby",
        full_name: Some("Bob Brown"),
        contact_name: Some("Bobby"),
        phone_nr: Some("+1"),
        listed: Some(contact::Listed {
            dialog_id: Some(conversation()),
            is_hidden_for_add: true,
            sort_rank: 0,
        }),
    };
    let mut out = open(&known(AccountStatus::Active));
    view.write(&mut out);
    let record = parse(&out);
    assert_eq!((&record["display_name"], &record["full_name"]), (&json!("Bobby"), &json!("Bob Brown")));
    assert_eq!((&record["contact_name"], &record["phone_nr"]), (&json!("Bobby"), &json!("+1")));
    assert_eq!((&record["dialog_id"], &record["is_hidden_for_add"]), (&json!(id(0xC)), &json!(true)));
}

#[test]
fn contact_of_oneself_and_of_a_stranger() {
    let own = contact::Own {
        account_id: account(1),
        display_name: "Alice",
        email: "alice@example.org",
        fleep_address: Some("alice"),
        fleep_autogen: Some("alice"),
        mk_account_status: AccountStatus::Active,
        organisation_id: None,
        dialog_id: (),
        is_hidden_for_add: true,
        phone_nr: None,
        status_emoji: None,
        status_message: Some("away"),
        avatar_urls: Some("{}"),
        client_flags: &BTreeSet::from(["show_onboarding".to_owned()]),
        client_settings: None,
        mk_email_interval: EmailInterval::Hourly,
        mk_push_new_message: PushNewMessage::First,
        sleep_interval: 1,
        connected_email: "",
        activated_time: 1_500_000_000,
        trial_end_time: 0,
        has_password: true,
        is_automute_enabled: true,
        is_premium: false,
        is_full_privacy: None,
        is_newsletter_disabled: Some(true),
        alias_account_ids: None,
        storage_quota_bytes: 10_737_418_240,
        storage_used_bytes: 0,
        export_progress: "1",
        export_files: &[],
    };
    assert_eq!(
        parse(&complete(&own)),
        json!({
            "mk_rec_type": "contact", "account_id": id(1), "display_name": "Alice", "email": "alice@example.org",
            "fleep_address": "alice", "fleep_autogen": "alice", "mk_account_status": "active",
            "organisation_id": null, "dialog_id": null, "is_hidden_for_add": true,
            "client_flags": ["show_onboarding"], "mk_email_interval": "hourly", "sleep_interval": 1,
            "mk_push_new_message": "first", "status_message": "away", "avatar_urls": "{}", "is_newsletter_disabled": true,
            "connected_email": "", "activated_time": 1_500_000_000, "trial_end_time": 0, "has_password": true,
            "is_automute_enabled": true, "is_premium": false, "storage_quota_bytes": 10_737_418_240_u64,
            "storage_used_bytes": 0, "export_progress": "1", "export_files": [],
        })
    );
    let stranger = contact::Stranger {
        account_id: account(2),
        display_name: "Bob",
        fleep_address: Some("bob"),
        mk_account_status: AccountStatus::Active,
        organisation_id: None,
        is_in_org: false,
        avatar_urls: None,
    };
    assert_eq!(
        parse(&complete(&stranger)),
        json!({
            "mk_rec_type": "contact", "account_id": id(2), "display_name": "Bob", "fleep_address": "bob",
            "mk_account_status": "active", "organisation_id": null, "is_in_org": false, "avatar_urls": null,
        })
    );
}

#[test]
fn file_has_explicit_nulls_where_it_is_no_picture() {
    let record = file::File {
        conversation_id: Some(conversation()),
        message_nr: Some(2),
        message_id: MessageId(Uuid::from_u128(0xE)),
        attachment_id: "AAAAAAAAAAAAAAAAAAAAAA",
        account_id: account(1),
        file_url: "/file/C/2/A/a.txt",
        file_name: "a.txt",
        file_type: "text/plain",
        file_size: 3,
        file_sha256: "00",
        width: None,
        height: None,
        orientation: None,
        is_animated: None,
        thumbs: file::Thumbs::default(),
        posted_time: 1_500_000_000,
        sender_name: None,
        is_deleted: false,
        is_hidden: false,
        deleter_id: "",
    };
    let expected = json!({
        "mk_rec_type": "file", "conversation_id": id(0xC), "message_nr": 2, "message_id": id(0xE),
        "attachment_id": "AAAAAAAAAAAAAAAAAAAAAA", "account_id": id(1), "file_url": "/file/C/2/A/a.txt",
        "file_name": "a.txt", "file_type": "text/plain", "file_size": 3, "file_sha256": "00", "width": null,
        "height": null, "orientation": null, "is_animated": null, "posted_time": 1_500_000_000,
        "sender_name": null, "is_deleted": false, "is_hidden": false, "deleter_id": "",
    });
    assert_eq!(parse(&complete(&record)), expected);
    let thumbs = file::Thumbs { thumb_url_50: Some("/thumb/C/2/A/thumb50"), ..file::Thumbs::default() };
    let smaller = parse(&complete(&file::File { thumbs, ..record }));
    assert_eq!(smaller["thumb_url_50"], "/thumb/C/2/A/thumb50");
    assert_eq!(smaller.get("thumb_url_100"), None);
}

#[test]
fn upload_says_where_it_can_be_attached_from() {
    let record = upload::Upload {
        conversation_id: Some(conversation()),
        upload_id: Some("mine"),
        request_id: Uuid::from_u128(0xF),
        status: UploadStatus::Pending,
        progress: Some(0),
        name: "a.txt",
        file: None,
        error: "",
    };
    let pending = json!({
        "mk_rec_type": "upload", "conversation_id": id(0xC), "upload_id": "mine", "request_id": id(0xF),
        "status": "pending", "progress": 0, "name": "a.txt", "error": "",
    });
    assert_eq!(parse(&complete(&record)), pending);
    let file = upload::Fetched {
        upload_url: "/upload/A/a.txt",
        size: 3,
        file_type: "text/plain",
        file_sha256: "00",
        width: None,
        height: None,
        is_animated: None,
    };
    let done = upload::Upload { status: UploadStatus::Success, progress: None, file: Some(file), ..record };
    let success = json!({
        "mk_rec_type": "upload", "conversation_id": id(0xC), "upload_id": "mine", "request_id": id(0xF),
        "status": "success", "name": "a.txt", "error": "", "upload_url": "/upload/A/a.txt", "size": 3,
        "file_type": "text/plain", "file_sha256": "00", "width": null, "height": null, "is_animated": null,
    });
    assert_eq!(parse(&complete(&done)), success);
}

#[test]
fn lastseen_has_two_keys() {
    let seen = lastseen::Lastseen { account_id: account(2), activity_time: 1_500_000_000 };
    let expected = json!({ "mk_rec_type": "lastseen", "account_id": id(2), "activity_time": 1_500_000_000 });
    assert_eq!(parse(&complete(&seen)), expected);
}
