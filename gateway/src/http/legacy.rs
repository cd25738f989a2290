//! The older HTTP calls: which call is which events (conversations.md §13, accounts.md §11).
//!
//! A call has no rules of its own: its events go through the same session as everybody's, and its answer is what they
//! changed, in the form of protocol.md §6. Not here: how a plan is carried out (`legacy/carry.rs`), and the calls that are
//! more than a row of the table (they are with their families).

use actix_web::web;
use rill_actors::account::wish::Wish;
use rill_proto::classificator::DeviceType;
use serde_json::{Map, Value};

use super::Call;
use super::contact::{self, on_contact};
use super::conversation::{self, END};
use super::message::{self, on_message};
use super::settings;
use crate::refuse::Refused;
use crate::routes::post;

mod carry;
mod given;
mod plan;

pub(super) use carry::{Legacy, Stopped, without_window};
pub(super) use given::Given;
pub(super) use plan::{Blank, Form, Plan, Planned, Step, Wanted};

/// One call.
pub(super) struct Row {
    /// Below `/api/`.
    path: &'static str,
    /// What it comes to.
    plan: fn(&Given) -> Planned<'_>,
}

const fn row(path: &'static str, plan: fn(&Given) -> Planned<'_>) -> Row {
    Row { path, plan }
}

/// Every call and the events that it stands for.
#[rustfmt::skip]
const CALLS: &[Row] = &[
    row("conversation/create", conversation::create),
    row("conversation/store/{id}", conversation::store),
    row("conversation/add_members/{id}", |given| Ok(given.event("conv:add_members").people(&["account_ids"], &["emails"])?.into())),
    row("conversation/remove_members/{id}", |given| Ok(given.event("conv:remove_members").people(&["account_ids"], &["emails"])?.into())),
    row("conversation/add_team/{id}", |given| Ok(given.event("conv:add_team").takes(&["team_id"]).into())),
    row("conversation/remove_team/{id}", |given| Ok(given.event("conv:remove_team").takes(&["team_id"]).into())),
    row("conversation/leave/{id}", |given| Ok(given.event("conv:leave").into())),
    row("conversation/delete/{id}", |given| Ok(given.event("conv:delete").into())),
    row("conversation/set_topic/{id}", |given| Ok(given.event("conv:set_topic").takes(&["topic"]).into())),
    row("conversation/disclose/{id}", conversation::disclose),
    row("conversation/disclose_all/{id}", conversation::disclose),
    row("conversation/autojoin", conversation::autojoin),
    row("conversation/label/{id}", conversation::labels),
    row("conversation/update_labels/{id}", conversation::labels),
    row("conversation/hide/{id}", |given| Ok(given.event("conv:archive").blank(Blank::Shown).into())),
    row("conversation/unhide/{id}", |given| Ok(given.event("conv:unarchive").into())),
    row("conversation/mark_read/{id}", conversation::mark_read),
    row("conversation/set_alerts/{id}", |given| Ok(conversation::alerts(given)?.into())),
    row("conversation/show_activity/{id}", conversation::show_activity),
    row("conversation/sync/{id}", conversation::sync),
    row("conversation/sync_backward/{id}", |given| Ok(given.event("conv:sync_backward").with("bw_message_nr", END).takes_as("from_message_nr", "bw_message_nr").into())),
    row("conversation/sync_files/{id}", conversation::sync_files),
    row("conversation/sync_pins/{id}", conversation::sync_pins),
    row("account/sync_pinboard", conversation::sync_pinboard),
    row("account/sync_taskboard", conversation::sync_taskboard),

    row("message/send/{id}", |given| Ok(given.event("message:add_plain").takes(&["message", "subject", "reply_to_message_nr", "from_message_nr"]).takes_as("attachments", "attachment_urls").into())),
    row("message/store/{id}", message::store),
    row("message/edit/{id}", |given| Ok(message::edit(given).into())),
    row("message/delete/{id}", message::delete),
    row("message/copy/{id}", |given| Ok(given.event("message:copy").takes_as("to_conv_id", "conversation_id").with("copy_conversation_id", given.id.map(|id| id.to_string())).takes_as("message_nr", "copy_message_nr").into())),
    row("message/mark_read/{id}", |given| Ok(on_message(given, "message:mark_read").into())),
    row("message/mark_unread/{id}", |given| Ok(on_message(given, "message:mark_unread").into())),
    row("message/pin/{id}", |given| message::pin(given, Some("message:set_pinned"))),
    row("message/repin/{id}", |given| message::pin(given, None)),
    row("message/unpin/{id}", |given| message::pin(given, Some("message:set_unpinned"))),
    row("message/snooze/{id}", |given| Ok(given.event("conv:set_snooze").takes(&["snooze_interval"]).into())),

    row("account/configure", settings::configure),
    row("account/configure_email_interval", settings::email_interval),
    row("account/configure_apn", |given| settings::device(given, DeviceType::Ios, "apn_token")),
    row("account/configure_android", |given| settings::device(given, DeviceType::Android, "registration_id")),
    row("account/set_flag", settings::set_flag),
    row("account/sync_conversations", settings::sync_conversations),
    row("fleep_address/add", settings::add_address),
    row("avatar/delete", settings::drop_avatar),
    row("account/configure_primary_email", settings::configure_primary_email),
    row("alias/add", |given| settings::aliases(given, Wish::AddAlias)),
    row("alias/remove", |given| settings::aliases(given, Wish::RemoveAlias)),
    row("alias/sync", settings::sync_aliases),
    row("account/lookup", contact::lookup),
    row("account/dialog", |given| Ok(on_contact(given, "contact:get_dialog").into())),
    row("contact/describe", contact::describe),
    row("contact/hide", contact::hide),
    row("contact/import", contact::import),
    row("contact/sync", |given| Ok(Plan::from(on_contact(given, "contact:get")).answered(Form::Contact))),
    row("contact/sync/list", contact::sync_list),
    row("contact/sync/all", contact::sync_all),
    row("contact/sync/activity", |given| Ok(Plan::from(given.event("contact:sync_activity").takes_as("contacts", "account_ids")).without_header())),
    // There are no placeholders of dialogs here that could be dropped.
    row("contact/unlist", |given| Ok(Plan::from(on_contact(given, "contact:get")).answered(Form::Contact))),

    row("label/sync_conversations", |given| Ok(Plan::from(given.event("label:sync_conversations").takes(&["label_id", "mk_init_mode", "sync_cursor", "limit"])).without_header())),
];

/// The paths of the table.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    for row in CALLS {
        let path = format!("/api/{}", row.path);
        config.service(post(&path, move |call: Call| carry::carry_out(call, row)));
    }
}

impl Call {
    /// What the call was given.
    pub(super) fn given(&self) -> Result<Given, Refused> {
        let id = match self.request.match_info().get("id") {
            Some(_) => Some(self.path_id()?),
            None => None,
        };
        let body: Map<String, Value> = self.params()?;
        Ok(Given::new(id, body))
    }
}
