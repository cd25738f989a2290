//! The older calls on a conversation that are more than one event of the same shape (protocol.md §6.2), and `poke`, which
//! is none.
//!
//! Not here: which call each of these is (that is in the table, [`super::legacy`]).

use actix_web::{HttpResponse, web};
use rill_actors::hub::Item;
use rill_actors::piece::Piece;
use rill_proto::classificator::InitMode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::legacy::{Blank, Given, Legacy, Plan, Planned, Step};
use super::{Call, json as answer};
use crate::refuse::Refused;
use crate::routes::post;

/// A message number above all that there are: "up to the end", in the words of events that are given a number.
pub(super) const END: i64 = i64::MAX;

/// How many pins or tasks one page of the older calls has, as they said themselves.
const PAGE: i64 = 30;

/// The paths of this family that are no events.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/conversation/poke/{id}", poke));
}

/// `conversation/create`: a new conversation, or one forked from a dialog, and perhaps its first message.
pub(super) fn create(given: &Given) -> Planned<'_> {
    let made = match given.id("fork_conversation_id")? {
        Some(dialog) => given.event("conv:fork").with("conversation_id", dialog.to_string()),
        None => {
            given.event("conv:create").takes(&["topic", "is_invite", "is_autojoin", "is_disclose", "is_list"])
        }
    };
    let made = made.people(&["account_ids"], &["emails"])?.takes(&["team_ids", "is_managed", "mk_conv_type"]);
    // Members of an organisation who say nothing make groups for it (accounts.md §12).
    let made =
        if made.urn == "conv:create" && !given.has("is_managed") { made.blank(Blank::Managed) } else { made };
    let mut steps = vec![made];
    let says = |key| Ok::<bool, Refused>(given.text(key)?.is_some_and(|text| !text.is_empty()));
    if given.has("fork_conversation_id") && says("topic")? {
        steps.push(given.follow("conv:set_topic").takes(&["topic"]));
    }
    if given.has("fwd_message_nr") {
        steps.push(forwarded(given.follow("message:copy")));
    }
    if says("message")? || given.has("attachments") {
        steps.push(
            given.follow("message:add_plain").takes(&["message"]).takes_as("attachments", "attachment_urls"),
        );
    }
    Ok(steps.into())
}

/// The origin of a message that is copied here.
pub(super) fn forwarded(step: Step<'_>) -> Step<'_> {
    step.takes_as("fwd_conversation_id", "copy_conversation_id").takes_as("fwd_message_nr", "copy_message_nr")
}

/// `conversation/store`: any mix of changes. What widens rights and membership comes first and what gives them up last, so
/// that one call can do both.
pub(super) fn store(given: &Given) -> Planned<'_> {
    let mut steps = Vec::new();
    if given.flag("is_managed")? == Some(true) {
        steps.push(given.event("conv:set_managed"));
    }
    steps.extend(given.has("topic").then(|| given.event("conv:set_topic").takes(&["topic"])));
    switches(given, &mut steps)?;
    membership(given, &mut steps)?;
    if given.flag("is_managed")? == Some(false) {
        steps.push(given.event("conv:set_unmanaged"));
    }
    own_view(given, &mut steps)?;
    if given.flag("is_deleted_by_admin")? == Some(true) {
        steps.push(given.event("conv:conv_deleted_by_admin"));
    }
    if given.flag("is_deleted")? == Some(true) {
        steps.push(given.event("conv:delete"));
    }
    if given.flag("can_post")? == Some(false) {
        steps.push(given.event("conv:leave"));
    }
    if steps.is_empty() {
        // It stores nothing and shows what there is.
        steps.push(given.event("conv:get"));
    }
    Ok(steps.into())
}

/// What an organisation's admin changes of a conversation: who is in it, what it is called, whose it is.
pub(super) fn govern(given: &Given) -> Result<Vec<Step<'_>>, Refused> {
    let mut steps = Vec::new();
    if given.flag("is_managed")? == Some(true) {
        steps.push(given.event("conv:set_managed"));
    }
    steps.extend(given.has("topic").then(|| given.event("conv:set_topic").takes(&["topic"])));
    membership(given, &mut steps)?;
    if given.flag("is_managed")? == Some(false) {
        steps.push(given.event("conv:set_unmanaged"));
    }
    if given.flag("is_deleted_by_admin")? == Some(true) {
        steps.push(given.event("conv:conv_deleted_by_admin"));
    }
    Ok(steps)
}

fn switches<'a>(given: &'a Given, steps: &mut Vec<Step<'a>>) -> Result<(), Refused> {
    let switches = [
        ("is_autojoin", "conv:conv_enable_autojoin", "conv:conv_disable_autojoin"),
        ("is_disclose", "conv:conv_enable_disclose", "conv:conv_disable_disclose"),
        // The older name says the opposite of the events'.
        ("is_url_preview_disabled", "conv:conv_disable_url_previw", "conv:conv_enable_url_preview"),
    ];
    for (key, on, off) in switches {
        steps.extend(given.flag(key)?.map(|is_on| given.event(if is_on { on } else { off })));
    }
    Ok(())
}

fn membership<'a>(given: &'a Given, steps: &mut Vec<Step<'a>>) -> Result<(), Refused> {
    let any = |keys: &[&str]| keys.iter().any(|key| given.has(key));
    if any(&["add_account_ids", "add_ids", "add_emails"]) {
        steps.push(given.event("conv:add_members").people(&["add_account_ids", "add_ids"], &["add_emails"])?);
    }
    let team = |urn: &'static str, id: Uuid| given.event(urn).with("team_id", id.to_string());
    steps.extend(given.ids("add_team_ids")?.into_iter().map(|id| team("conv:add_team", id)));
    if given.has("add_admins") {
        steps.push(given.event("conv:add_admins").takes_as("add_admins", "account_ids"));
    }
    if any(&["disclose_account_ids", "disclose_ids", "disclose_emails", "disclose_team_ids"]) {
        let people = given
            .event("conv:disclose")
            .people(&["disclose_account_ids", "disclose_ids"], &["disclose_emails"])?;
        steps.push(people.takes_as("disclose_team_ids", "team_ids"));
    }
    if given.has("remove_admins") {
        steps.push(given.event("conv:remove_admins").takes_as("remove_admins", "account_ids"));
    }
    if any(&["remove_account_ids", "remove_ids", "remove_emails"]) {
        steps.push(
            given
                .event("conv:remove_members")
                .people(&["remove_account_ids", "remove_ids"], &["remove_emails"])?,
        );
    }
    if given.has("kick_account_ids") {
        steps.push(given.event("conv:kick_members").takes_as("kick_account_ids", "account_ids"));
    }
    steps.extend(given.ids("remove_team_ids")?.into_iter().map(|id| team("conv:remove_team", id)));
    Ok(())
}

fn own_view<'a>(given: &'a Given, steps: &mut Vec<Step<'a>>) -> Result<(), Refused> {
    if let Some(names) = given.texts("labels")? {
        steps.push(labelled(given, &names));
    }
    if given.has("mk_alert_level") {
        steps.push(alerts(given)?);
    }
    if given.has("snooze_interval") {
        steps.push(given.event("conv:set_snooze").takes(&["snooze_interval"]));
    }
    if given.has("read_message_nr") {
        steps.push(
            given
                .event("conv:set_read_message_nr")
                .takes_as("read_message_nr", "message_nr")
                .takes(&["from_message_nr"]),
        );
    }
    match given.number("hide_message_nr")? {
        None => {}
        Some(0) => steps.push(given.event("conv:unarchive")),
        Some(_) => steps.push(given.event("conv:archive").takes_as("hide_message_nr", "show_message_nr")),
    }
    Ok(())
}

/// `conversation/label` and `conversation/update_labels`: older forms of storing labels, of which one may come alone.
pub(super) fn labels(given: &Given) -> Planned<'_> {
    let one = given.text("label")?.map(|name| vec![name]);
    let names = given.texts("labels")?.or(one).unwrap_or_default();
    Ok(labelled(given, &names).into())
}

fn labelled<'a>(given: &'a Given, names: &[&str]) -> Step<'a> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    given.event("conv:set_labels").blank(Blank::Labels(names))
}

/// How the caller is alerted: two of the levels have events of their own.
pub(super) fn alerts(given: &Given) -> Result<Step<'_>, Refused> {
    Ok(match given.text("mk_alert_level")? {
        Some("never") => given.event("conv:mute"),
        Some("passive") => given.event("conv:set_passive"),
        Some(_) | None => given.event("conv:set_alert_level").takes(&["mk_alert_level"]),
    })
}

/// `conversation/mark_read`: read to the end; and the conversation in a mode of which the client wants to begin anew.
pub(super) fn mark_read(given: &Given) -> Planned<'_> {
    let read = given.event("conv:mark_read").with("show_message_nr", END).takes(&["from_message_nr"]);
    Ok(match given.text("mk_init_mode")? {
        // What it brings comes by poll as well, where it would end what a client holds.
        Some(mode) => vec![read, in_mode(given, mode.to_owned())].into(),
        None => read.into(),
    })
}

/// The conversation as lists of conversations show it.
fn in_mode(given: &Given, mode: String) -> Step<'_> {
    let ids: Vec<Value> = given.id.iter().map(|id| id.to_string().into()).collect();
    // Not on the conversation, but about it: the event is the account's.
    let step = Step::new(given, "account:sync_conversations", None);
    step.with("conversation_ids", ids).with("mk_init_mode", mode)
}

/// `conversation/disclose` and `disclose_all`: from a message on, or everything.
pub(super) fn disclose(given: &Given) -> Planned<'_> {
    let step = match given.number("message_nr")? {
        Some(_) => given.event("message:disclose").takes(&["message_nr"]),
        None => given.event("conv:disclose"),
    };
    Ok(step.people(&["account_ids"], &["emails"])?.takes(&["team_ids"]).into())
}

/// `conversation/show_activity`: what the caller does, and what the others do.
pub(super) fn show_activity(given: &Given) -> Planned<'_> {
    let is_writing = given.flag("is_writing")?;
    let own = match (given.has("message_nr"), is_writing) {
        (true, Some(false)) => Some(given.event("message:end_editing").takes(&["message_nr"])),
        (true, Some(true) | None) => Some(given.event("message:set_editing").takes(&["message_nr"])),
        (false, Some(true)) => Some(given.event("conv:set_writing")),
        (false, Some(false)) => Some(given.event("conv:end_writing")),
        (false, None) => None,
    };
    let others = given.event("conv:activate");
    Ok(Plan::from(own.into_iter().chain([others]).collect::<Vec<_>>()).without_header())
}

/// `conversation/autojoin`: by the last part of the link, or by all of it.
pub(super) fn autojoin(given: &Given) -> Planned<'_> {
    let link = given.text("conv_url_key")?.unwrap_or_default();
    let key = link.trim_end_matches('/').rsplit('/').next().and_then(|key| Uuid::try_parse(key).ok());
    let id = key.ok_or_else(|| {
        Refused::bad_request("conv_url_key: the last part of a conversation's link is needed.")
    })?;
    Ok(given.event("conv:autojoin").with("conversation_id", id.to_string()).into())
}

/// `conversation/sync`: the event of a direction (protocol.md §4.2).
pub(super) fn sync(given: &Given) -> Planned<'_> {
    let from = |urn, key| given.event(urn).takes_as("from_message_nr", key);
    let step = match given.text("mk_direction")? {
        None | Some("forward") if !given.has("from_message_nr") => given.event("conv:sync_initial"),
        None | Some("forward") => from("conv:sync_forward", "fw_message_nr"),
        Some("ic_full") => given.event("conv:sync_initial"),
        Some("ic_header") => given.event("conv:get"),
        Some("ic_tiny") => in_mode(given, InitMode::Tiny.wire().to_owned()),
        Some("ic_end") => given.event("conv:sync_backward").with("bw_message_nr", END),
        Some("ic_flow") => from("message:load_context", "message_nr"),
        Some("ic_forward") => from("message:load_next", "message_nr"),
        Some("ic_backward") => from("message:load_previous", "message_nr"),
        Some("ic_files") => return sync_files(given),
        Some("ic_pinboard") => return sync_pins(given),
        Some("ic_tasks") => return sync_tasks(given),
        Some(_) => return Err(Refused::bad_request("mk_direction: there is no such direction.")),
    };
    Ok(step.into())
}

/// `conversation/sync_files`: below a message.
pub(super) fn sync_files(given: &Given) -> Planned<'_> {
    let step = given.event("conv:sync_files").takes_as("from_message_nr", "sync_cursor");
    let cursor =
        given.number("from_message_nr")?.map(|nr| json!({"conversation_id": given.id, "message_nr": nr}));
    Ok(at(step, cursor).into())
}

/// `conversation/sync_pins`: below a pin, which the call names by its message.
pub(super) fn sync_pins(given: &Given) -> Planned<'_> {
    let step = given.event("conv:pin:sync").takes_as("from_message_nr", "sync_cursor").with("limit", PAGE);
    Ok(match given.number("from_message_nr")? {
        Some(nr) => at(step, None).blank(Blank::PinsBelow(nr)).into(),
        None => step.into(),
    })
}

fn sync_tasks(given: &Given) -> Planned<'_> {
    let step = given.event("section:task:sync").with("limit", PAGE);
    Ok(if given.has("section_id") { step.takes(&["section_id"]) } else { step.blank(Blank::DefaultSection) }
        .into())
}

/// `account/sync_pinboard`: below a weight.
pub(super) fn sync_pinboard(given: &Given) -> Planned<'_> {
    let id = given.value("conversation_id");
    let cursor =
        given.weight("pin_weight")?.map(|weight| json!({"conversation_id": id, "pin_weight": weight}));
    let step = given
        .event("conv:pin:sync")
        .with("limit", PAGE)
        .takes(&["conversation_id"])
        .takes_as("pin_limit", "limit");
    Ok(Plan::from(at(step, cursor)).without_header())
}

/// `account/sync_taskboard`: below a weight in a section.
pub(super) fn sync_taskboard(given: &Given) -> Planned<'_> {
    let (id, section_id) = (given.value("conversation_id"), given.value("section_id"));
    let cursor = given
        .weight("task_weight")?
        .map(|weight| json!({"conversation_id": id, "section_id": section_id, "task_weight": weight}));
    let step = given.event("section:task:sync").with("limit", PAGE);
    let step = step.takes(&["conversation_id", "section_id"]).takes_as("task_limit", "limit");
    Ok(Plan::from(at(step, cursor)).without_header())
}

/// A cursor in the place of whatever stood there.
fn at(mut step: Step<'_>, cursor: Option<Value>) -> Step<'_> {
    step.params.remove("sync_cursor");
    match cursor {
        Some(cursor) => step.with("sync_cursor", cursor.to_string()),
        None => step,
    }
}

/// Comes back by poll as a `poke` record, behind everything of the conversation that was in flight. A read goes through
/// the conversation first: its answer is put in behind what was decided before it, and the poke behind the answer.
async fn poke(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let message_nr = given.number("message_nr")?;
    let legacy = Legacy::admit(&call, &given).await?;
    let conversation_id = call.path_id()?;
    let barrier = legacy.aside("conv:get", json!({ "conversation_id": conversation_id })).await;
    if let Err(stopped) = barrier {
        return stopped.into_response();
    }
    let record = json!({
        "mk_rec_type": "poke",
        "account_id": legacy.login.account_id,
        "conversation_id": conversation_id,
        "message_nr": message_nr,
    });
    let shared = &call.worker.shared;
    let lane = call.worker.http_session(&legacy.login).lane;
    shared.node.inboxes.put_on_worker(Item::Pieces(lane, vec![Piece::Shared(record.to_string().into())]));
    Ok(answer(r#"{"stream":[]}"#))
}
