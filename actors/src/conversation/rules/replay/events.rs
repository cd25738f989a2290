//! The events that the rules' tests ask for, by short names.

use rill_proto::classificator::{AlertLevel, ConvType};
use rill_proto::event::{ClientEvent, conv, message};
use rill_proto::field::Text;
use rill_proto::id::{AccountId, LabelId};

use super::CONVERSATION;

pub(in crate::conversation::rules) fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

pub(in crate::conversation::rules) fn create(topic: &str, others: &[AccountId]) -> ClientEvent {
    ClientEvent::Conv(conv::Event::Create(founding(topic, others)))
}

pub(in crate::conversation::rules) fn founding(topic: &str, others: &[AccountId]) -> conv::Create {
    conv::Create {
        topic: text(topic),
        account_ids: Some(others.to_vec()),
        team_ids: None,
        is_autojoin: false,
        is_disclose: false,
        is_invite: false,
        is_list: false,
        is_managed: false,
        mk_conv_type: ConvType::Default,
        is_business: false,
    }
}

macro_rules! conv_events {
    ($($make:ident $event:ident ($($param:ident: $type:ty = $value:expr),*);)+) => {$(
        pub(in crate::conversation::rules) fn $make($($param: $type),*) -> ClientEvent {
            ClientEvent::Conv(conv::Event::$event(conv::$event {
                conversation_id: CONVERSATION, $($param: $value),*
            }))
        }
    )+};
}

conv_events! {
    remove RemoveMembers(account_ids: &[AccountId] = account_ids.to_vec());
    leave Leave();
    set_topic SetTopic(topic: &str = text(topic));
    get Get();
    sync_initial SyncInitial();
    sync_forward SyncForward(fw_message_nr: i64 = fw_message_nr);
    sync_backward SyncBackward(bw_message_nr: i64 = bw_message_nr);
    activate Activate();
    set_writing SetWriting();
    end_writing EndWriting();
    set_labels SetLabels(label_ids: &[LabelId] = label_ids.to_vec());
    archive Archive(show_message_nr: i64 = show_message_nr);
    unarchive Unarchive();
    delete_conv Delete();
    mute Mute();
    mute_until MuteUntil(snooze_interval: i64 = snooze_interval);
    mute_until_read MuteUntilRead();
    unmute Unmute();
    set_snooze SetSnooze(snooze_interval: i64 = snooze_interval);
    set_alert_level SetAlertLevel(mk_alert_level: AlertLevel = mk_alert_level);
    set_passive SetPassive();
    enable_notifications EnableNotifications();
    disable_notifications DisableNotifications();
}

macro_rules! mark_events {
    ($($make:ident $noun:ident $module:ident $event:ident $nr:ident;)+) => {$(
        pub(in crate::conversation::rules) fn $make($nr: i64, old: Option<i64>, from: Option<i64>) -> ClientEvent {
            ClientEvent::$noun($module::Event::$event($module::$event {
                conversation_id: CONVERSATION,
                $nr,
                old_message_nr: old,
                from_message_nr: from,
            }))
        }
    )+};
}

mark_events! {
    conv_mark_read Conv conv MarkRead show_message_nr;
    conv_mark_unread Conv conv MarkUnread inbox_message_nr;
    set_read Conv conv SetReadMessageNr message_nr;
    mark_read Message message MarkRead message_nr;
    mark_unread Message message MarkUnread message_nr;
}

macro_rules! message_events {
    ($($make:ident $event:ident;)+) => {$(
        pub(in crate::conversation::rules) fn $make(message_nr: i64) -> ClientEvent {
            ClientEvent::Message(message::Event::$event(message::$event {
                conversation_id: CONVERSATION, message_nr
            }))
        }
    )+};
}

message_events! {
    set_editing SetEditing;
    end_editing EndEditing;
    load_context LoadContext;
    load_next LoadNext;
    load_previous LoadPrevious;
}

pub(in crate::conversation::rules) fn add(account_ids: &[AccountId]) -> ClientEvent {
    ClientEvent::Conv(conv::Event::AddMembers(conv::AddMembers {
        conversation_id: CONVERSATION,
        account_ids: account_ids.to_vec(),
        is_business: None,
    }))
}

pub(in crate::conversation::rules) fn plain(body: &str) -> message::AddPlain {
    message::AddPlain {
        conversation_id: CONVERSATION,
        message: text(body),
        subject: None,
        attachment_urls: None,
        from_message_nr: None,
        reply_to_message_nr: None,
    }
}

pub(in crate::conversation::rules) fn add_plain(body: &str) -> ClientEvent {
    posting(plain(body))
}

pub(in crate::conversation::rules) fn posting(event: message::AddPlain) -> ClientEvent {
    ClientEvent::Message(message::Event::AddPlain(event))
}

pub(in crate::conversation::rules) fn edit(message_nr: i64, body: &str) -> ClientEvent {
    editing(message::Edit {
        conversation_id: CONVERSATION,
        message_nr,
        message: text(body),
        subject: None,
        attachment_urls: None,
        from_message_nr: None,
    })
}

pub(in crate::conversation::rules) fn editing(event: message::Edit) -> ClientEvent {
    ClientEvent::Message(message::Event::Edit(event))
}

pub(in crate::conversation::rules) fn edit_body(message_nr: i64, body: &str) -> ClientEvent {
    ClientEvent::Message(message::Event::EditBody(message::EditBody {
        conversation_id: CONVERSATION,
        message_nr,
        message: text(body),
        from_message_nr: None,
    }))
}

pub(in crate::conversation::rules) fn delete(message_nr: i64) -> ClientEvent {
    ClientEvent::Message(message::Event::Delete(message::Delete {
        conversation_id: CONVERSATION,
        message_nr,
        from_message_nr: None,
    }))
}
