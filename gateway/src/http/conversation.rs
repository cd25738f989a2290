//! `conversation/create`, `sync/ID` and `poke/ID` (protocol.md §6.2), as the events that say the same.

use actix_web::{HttpResponse, web};
use rill_actors::hub::Item;
use rill_actors::piece::Piece;
use rill_proto::id::RequestId;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::legacy::{Legacy, Stopped};
use super::{Call, json as answer};
use crate::refuse::Refused;
use crate::routes::post;

/// How many addresses one `conversation/create` may name. Each is looked up by itself; a longer list is a mailing, not a
/// conversation.
const EMAILS_MAX: usize = 100;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/conversation/create", create));
    config.service(post("/api/conversation/sync/{id}", sync));
    config.service(post("/api/conversation/poke/{id}", poke));
}

#[derive(Deserialize)]
struct CreateParams {
    #[serde(default)]
    topic: Option<String>,
    /// A `To:` line: addresses with commas, each with a name or not.
    #[serde(default)]
    emails: Option<String>,
    #[serde(default)]
    account_ids: Option<Vec<Uuid>>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    is_invite: Option<bool>,
    #[serde(default)]
    is_autojoin: Option<bool>,
    #[serde(default)]
    is_disclose: Option<bool>,
    #[serde(default)]
    is_list: Option<bool>,
    #[serde(default)]
    is_managed: Option<bool>,
    #[serde(default)]
    mk_conv_type: Option<String>,
    #[serde(default)]
    client_req_id: Option<RequestId>,
}

async fn create(call: Call) -> Result<HttpResponse, Refused> {
    let params: CreateParams = call.params()?;
    let legacy = Legacy::admit(&call, params.client_req_id).await?;
    match create_and_post(&legacy, params).await {
        Ok(response) => Ok(response),
        Err(stopped) => stopped.into_response(),
    }
}

async fn create_and_post(legacy: &Legacy<'_>, params: CreateParams) -> Result<HttpResponse, Stopped> {
    let mut account_ids = params.account_ids.clone().unwrap_or_default();
    let emails = addresses(params.emails.as_deref().unwrap_or_default());
    if emails.len() > EMAILS_MAX {
        return Err(Refused::bad_request(format!("emails: at most {EMAILS_MAX} addresses.")).into());
    }
    for email in emails {
        let found =
            legacy.aside("urn:fleep:client:contact:lookup_by_email", &json!({ "email": email })).await?;
        let account_id =
            found.account_id.ok_or_else(|| Refused::invalid_value(format!("{email}: not found.")))?;
        account_ids.push(account_id);
    }
    let mut outcome =
        legacy.submit("urn:fleep:client:conv:create", &create_event(&params, &account_ids)).await?;
    if let (Some(message), Some(conversation_id)) = (params.message, outcome.conversation_id)
        && !message.is_empty()
    {
        let event = json!({ "conversation_id": conversation_id, "message": message });
        outcome.extend(legacy.follow("urn:fleep:client:message:add_plain", &event).await?);
    }
    Ok(legacy.respond(outcome))
}

fn create_event(params: &CreateParams, account_ids: &[Uuid]) -> Value {
    let mut event = json!({
        "topic": params.topic.as_deref().unwrap_or_default(),
        "account_ids": account_ids,
        "is_invite": params.is_invite,
        "is_autojoin": params.is_autojoin,
        "is_disclose": params.is_disclose,
        "is_list": params.is_list,
        "is_managed": params.is_managed,
        "mk_conv_type": params.mk_conv_type,
    });
    // What the caller did not say has the event's own default.
    if let Some(event) = event.as_object_mut() {
        event.retain(|_, value| !value.is_null());
    }
    event
}

/// The addresses of a `To:` line.
fn addresses(line: &str) -> Vec<String> {
    let bare = |one: &str| match (one.rfind('<'), one.rfind('>')) {
        (Some(open), Some(close)) if open < close => one[open + 1..close].trim().to_lowercase(),
        (_, _) => one.trim().to_lowercase(),
    };
    line.split([',', ';', '\n']).map(bare).filter(|address| !address.is_empty()).collect()
}

#[derive(Deserialize)]
struct SyncParams {
    #[serde(default)]
    from_message_nr: Option<i64>,
    #[serde(default)]
    mk_direction: Option<String>,
}

async fn sync(call: Call) -> Result<HttpResponse, Refused> {
    let params: SyncParams = call.params()?;
    let legacy = Legacy::admit(&call, None).await?;
    let (urn, event) = sync_event(call.path_id()?, &params)?;
    legacy.carry_out(urn, &event).await
}

/// The event of a direction (protocol.md §4.2; conversations.md, "older calls").
fn sync_event(id: Uuid, params: &SyncParams) -> Result<(&'static str, Value), Refused> {
    let whole = json!({ "conversation_id": id });
    let around = |name: &str| {
        let mut event = whole.clone();
        event[name] = params.from_message_nr.unwrap_or(0).into();
        event
    };
    match params.mk_direction.as_deref() {
        Some("ic_header" | "ic_tiny") => Ok(("urn:fleep:client:conv:get", whole)),
        Some("ic_full" | "ic_end") => Ok(("urn:fleep:client:conv:sync_initial", whole)),
        None | Some("forward") if params.from_message_nr.is_none() => {
            Ok(("urn:fleep:client:conv:sync_initial", whole))
        }
        None | Some("forward") => Ok(("urn:fleep:client:conv:sync_forward", around("fw_message_nr"))),
        Some("ic_backward") => Ok(("urn:fleep:client:conv:sync_backward", around("bw_message_nr"))),
        Some("ic_forward") => Ok(("urn:fleep:client:message:load_next", around("message_nr"))),
        Some("ic_flow") => Ok(("urn:fleep:client:message:load_context", around("message_nr"))),
        Some(_) => Err(Refused::bad_request("This mk_direction is not supported by this server.")),
    }
}

#[derive(Deserialize)]
struct PokeParams {
    #[serde(default)]
    message_nr: Option<i64>,
}

/// Comes back by poll as a `poke` record, behind everything of the conversation that was in flight. A read goes through
/// the conversation first: its answer is put in behind what was decided before it, and the poke behind the answer.
async fn poke(call: Call) -> Result<HttpResponse, Refused> {
    let params: PokeParams = call.params()?;
    let legacy = Legacy::admit(&call, None).await?;
    let conversation_id = call.path_id()?;
    let barrier =
        legacy.submit("urn:fleep:client:conv:get", &json!({ "conversation_id": conversation_id })).await;
    if let Err(stopped) = barrier {
        return stopped.into_response();
    }
    let record = json!({
        "mk_rec_type": "poke",
        "account_id": legacy.login.account_id,
        "conversation_id": conversation_id,
        "message_nr": params.message_nr,
    });
    let shared = &call.worker.shared;
    let lane = call.worker.http_session(&legacy.login).lane;
    shared.node.inboxes.put(Item::Pieces(lane, vec![Piece::Shared(record.to_string().into())]));
    Ok(answer(r#"{"stream":[]}"#))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{addresses, sync_event};

    #[test]
    fn a_to_line_has_names_or_not() {
        let line = "Ada <ada@Example.org>, bob@example.org,, \"C\" <c@example.org>";
        assert_eq!(addresses(line), ["ada@example.org", "bob@example.org", "c@example.org"]);
        assert!(addresses(" ").is_empty());
        assert_eq!(addresses("a> <b"), ["a> <b"]);
    }

    #[test]
    fn a_direction_is_an_event() {
        let event = |params: Value| {
            let params = serde_json::from_value(params).unwrap();
            sync_event(Uuid::nil(), &params).ok().map(|(urn, _)| urn.trim_start_matches("urn:fleep:client:"))
        };
        assert_eq!(event(json!({})), Some("conv:sync_initial"));
        assert_eq!(event(json!({"from_message_nr": 3})), Some("conv:sync_forward"));
        assert_eq!(event(json!({"mk_direction": "ic_header"})), Some("conv:get"));
        assert_eq!(
            event(json!({"mk_direction": "ic_backward", "from_message_nr": 3})),
            Some("conv:sync_backward")
        );
        assert_eq!(event(json!({"mk_direction": "ic_files"})), None);
    }
}
