//! The events on a conversation as a whole: which rule decides which.

use rill_proto::event::conv::Event;
use rill_proto::id::AccountId;

use crate::conversation::rules::alert::Wish;
use crate::conversation::rules::setting::{AUTOJOIN, DISCLOSE, DONE_NOTIFICATIONS, URL_PREVIEWS};
use crate::conversation::rules::{
    Decision, Facts, Judged, alert, autojoin, board, create, disclosure, files, fork, label, managed, marks,
    membership, presence, setting, shelf, sync, team, topic,
};
use crate::conversation::state::State;

/// Decides an event on a conversation.
pub(super) fn decide(state: &State, caller: AccountId, event: &Event, facts: &Facts) -> Judged<Decision> {
    match event {
        Event::Create(event) => create::create(state, caller, event, facts),
        Event::AddMembers(event) => membership::add(state, caller, event, facts),
        Event::RemoveMembers(event) => membership::remove(state, caller, event, facts),
        Event::Leave(_) => membership::leave(state, caller, facts),
        Event::SetTopic(event) => topic::set(state, caller, event, facts),
        Event::Get(_) => sync::get(state, caller, facts),
        Event::SyncInitial(_) => sync::initial(state, caller, facts),
        Event::SyncForward(event) => sync::forward(state, caller, event, facts),
        Event::SyncBackward(event) => sync::backward(state, caller, event, facts),
        Event::Activate(_) => presence::activate(state, caller, facts),
        Event::SetWriting(_) => presence::set_writing(state, caller),
        Event::EndWriting(_) => presence::end_writing(state, caller),
        Event::MarkRead(event) => marks::conv_mark_read(state, caller, event, facts),
        Event::MarkUnread(event) => marks::conv_mark_unread(state, caller, event, facts),
        Event::SetReadMessageNr(event) => marks::set_read_message_nr(state, caller, event, facts),
        Event::SyncFiles(event) => files::sync_files(state, caller, event, facts),
        Event::SyncFiles2(event) => files::sync_files_2(state, caller, event, facts),
        Event::PinSync(event) => board::sync_pins(state, caller, event, facts),
        Event::UploadExternal(event) => files::upload_external(state, caller, event, facts),
        Event::AddAdmins(event) => managed::add_admins(state, caller, event, facts),
        Event::RemoveAdmins(event) => managed::remove_admins(state, caller, event, facts),
        Event::KickMembers(event) => managed::kick(state, caller, event, facts),
        Event::SetManaged(_) => managed::set_managed(state, caller, facts),
        Event::SetUnmanaged(_) => managed::set_unmanaged(state, caller, facts),
        Event::EnableAdminWriteOnly(_) => managed::admin_write_only(true, state, caller, facts),
        Event::DisableAdminWriteOnly(_) => managed::admin_write_only(false, state, caller, facts),
        Event::ConvDeletedByAdmin(_) => managed::delete(state, caller, facts),
        Event::SetLabels(event) => label::set(state, caller, event, facts),
        Event::Autojoin(_) => autojoin::join(state, caller, facts),
        Event::Fork(event) => fork::fork(state, caller, event, facts),
        Event::Disclose(event) => disclosure::conversation(state, caller, event, facts),
        Event::SetType(event) => setting::set_type(state, caller, event, facts),
        Event::SetDefaultCallRoom(event) => setting::set_default_call_room(state, caller, event, facts),
        Event::ConvEnableAutojoin(_) => AUTOJOIN.turn(true, state, caller, facts),
        Event::ConvDisableAutojoin(_) => AUTOJOIN.turn(false, state, caller, facts),
        Event::ConvEnableDisclose(_) => DISCLOSE.turn(true, state, caller, facts),
        Event::ConvDisableDisclose(_) => DISCLOSE.turn(false, state, caller, facts),
        Event::ConvEnableUrlPreview(_) => URL_PREVIEWS.turn(true, state, caller, facts),
        Event::ConvDisableUrlPreviw(_) => URL_PREVIEWS.turn(false, state, caller, facts),
        Event::EnableDoneNotifications(_) => DONE_NOTIFICATIONS.turn(true, state, caller, facts),
        Event::DisableDoneNotifications(_) => DONE_NOTIFICATIONS.turn(false, state, caller, facts),
        Event::Archive(event) => shelf::archive(state, caller, event, facts),
        Event::Unarchive(_) => shelf::unarchive(state, caller, facts),
        Event::Delete(_) => shelf::delete(state, caller, facts),
        Event::Mute(_) => alert::set(state, caller, Wish::Never, facts),
        Event::MuteUntilRead(_) => alert::set(state, caller, Wish::UntilRead, facts),
        Event::Unmute(_) => alert::set(state, caller, Wish::Default, facts),
        Event::SetPassive(_) => alert::set(state, caller, Wish::Passive, facts),
        Event::SetAlertLevel(event) => alert::set(state, caller, event.mk_alert_level.into(), facts),
        Event::MuteUntil(event) => alert::snooze(state, caller, event.snooze_interval, facts),
        Event::SetSnooze(event) => alert::snooze(state, caller, event.snooze_interval, facts),
        Event::EnableNotifications(_) => alert::notify(state, caller, true, facts),
        Event::DisableNotifications(_) => alert::notify(state, caller, false, facts),
        Event::AddTeam(event) => team::add(state, caller, event.team_id, facts),
        Event::RemoveTeam(event) => team::remove(state, caller, event.team_id, facts),
    }
}
