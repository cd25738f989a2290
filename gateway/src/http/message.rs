//! `message/send/ID` and `message/store/ID` (protocol.md §6.3), as the events that say the same.

use actix_web::{HttpResponse, web};
use rill_proto::id::RequestId;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Call;
use super::legacy::Legacy;
use crate::refuse::Refused;
use crate::routes::post;

/// The tag with which a message is deleted.
const IS_DELETED: &str = "is_deleted";

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/message/send/{id}", send));
    config.service(post("/api/message/store/{id}", store));
}

/// What both calls take. What an event has no place for (weights, assignees, reactions) is not carried out, and said so.
#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    message_nr: Option<u64>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    attachments: Option<Vec<String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    from_message_nr: Option<u64>,
    #[serde(default)]
    client_req_id: Option<RequestId>,
}

async fn send(call: Call) -> Result<HttpResponse, Refused> {
    let params: Params = call.params()?;
    let legacy = Legacy::admit(&call, params.client_req_id).await?;
    let (urn, event) = post_event(call.path_id()?, &params);
    legacy.carry_out(urn, &event).await
}

async fn store(call: Call) -> Result<HttpResponse, Refused> {
    let params: Params = call.params()?;
    let legacy = Legacy::admit(&call, params.client_req_id).await?;
    let (urn, event) = store_event(call.path_id()?, &params)?;
    legacy.carry_out(urn, &event).await
}

fn post_event(conversation_id: Uuid, params: &Params) -> (&'static str, Value) {
    let event = json!({
        "conversation_id": conversation_id,
        "message": params.message.as_deref().unwrap_or_default(),
        "subject": params.subject,
        "attachment_urls": params.attachments,
        "from_message_nr": params.from_message_nr,
    });
    ("urn:fleep:client:message:add_plain", event)
}

/// A new message, another text of one, or its deletion.
fn store_event(conversation_id: Uuid, params: &Params) -> Result<(&'static str, Value), Refused> {
    let tags = params.tags.as_deref().unwrap_or_default();
    if let Some(tag) = tags.iter().find(|tag| *tag != IS_DELETED) {
        return Err(Refused::bad_request(format!("Tag '{}' is not supported by this server.", clip(tag))));
    }
    match (params.message_nr, &params.message, tags.is_empty()) {
        (None, _, true) => Ok(post_event(conversation_id, params)),
        (Some(message_nr), Some(_), true) => {
            let (_, mut event) = post_event(conversation_id, params);
            event["message_nr"] = message_nr.into();
            // Only what is given changes; the event that sets all of it would remove the rest.
            let is_all = params.subject.is_some() || params.attachments.is_some();
            Ok((
                if is_all { "urn:fleep:client:message:edit" } else { "urn:fleep:client:message:edit_body" },
                event,
            ))
        }
        (Some(message_nr), _, false) => {
            let event = json!({
                "conversation_id": conversation_id,
                "message_nr": message_nr,
                "from_message_nr": params.from_message_nr,
            });
            Ok(("urn:fleep:client:message:delete", event))
        }
        (None, _, false) => Err(Refused::bad_request("message_nr is missing.")),
        (Some(_), None, true) => Err(Refused::bad_request("There is nothing to change.")),
    }
}

fn clip(text: &str) -> String {
    text.chars().take(rill_proto::limits::ECHO_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::store_event;

    #[test]
    fn storing_is_one_of_three_events() {
        let urn = |params: serde_json::Value| {
            let params = serde_json::from_value(params).unwrap();
            store_event(Uuid::nil(), &params).ok().map(|(urn, _)| urn.rsplit(':').next().unwrap_or_default())
        };
        assert_eq!(urn(json!({"message": "a"})), Some("add_plain"));
        assert_eq!(urn(json!({"message": "a", "message_nr": 3})), Some("edit_body"));
        assert_eq!(urn(json!({"message": "a", "message_nr": 3, "subject": "s"})), Some("edit"));
        assert_eq!(urn(json!({"message_nr": 3, "tags": ["is_deleted"]})), Some("delete"));
        assert_eq!(urn(json!({"tags": ["is_deleted"]})), None);
        assert_eq!(urn(json!({"message_nr": 3})), None);
        assert_eq!(urn(json!({"message_nr": 3, "tags": ["pin"]})), None);
    }
}
