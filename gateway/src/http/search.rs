//! `search` and `conversation/list` (protocol.md §6.2, §6.4): what is found among the caller's conversations, shown by the
//! events that show it to everybody.
//!
//! Not here: looking ([`rill_actors::search`]).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use rill_actors::account::memberships::memberships;
use rill_actors::search::{Found, Question, search as look};
use rill_proto::id::ConversationId;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::legacy::{Given, Legacy, Stopped, without_window};
use super::{Call, json as answer};
use crate::refuse::Refused;
use crate::routes::post;

/// How many searches look at once: one on every second core of a small machine, so that messages never wait for them.
pub(crate) const SEARCHES_MAX: usize = 2;

/// How long a search waits for its turn before its caller is told to come again.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// How many conversations a page of the list has: what a client shows at once, in one event.
const PAGE: usize = 50;

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/search", search));
    config.service(post("/api/conversation/list", list));
}

async fn search(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let found = found(&call, &legacy, question(&given)?).await?;
    match show(&legacy, &found).await {
        Ok(body) => Ok(answer(body.to_string())),
        Err(stopped) => stopped.into_response(),
    }
}

/// What is looked for: everywhere, unless the call says where.
fn question(given: &Given) -> Result<Question, Refused> {
    let mut question = Question::new(given.text("keywords")?.unwrap_or_default());
    question.within = given.id("conversation_id")?.map(ConversationId);
    question.ignored = given.ids("ignore_conversation_ids")?.into_iter().map(ConversationId).collect();
    let types = given.texts("search_types")?;
    let is_wanted = |of: fn(&&str) -> bool| types.as_ref().is_none_or(|types| types.iter().any(of));
    question.is_of_topics = question.within.is_none() && is_wanted(|kind| *kind == "topic");
    // Pins and tasks are found as the messages that they are.
    question.is_of_texts = is_wanted(|kind| *kind != "topic");
    Ok(question)
}

/// Looks on a thread of its own: reading blocks.
async fn found(call: &Call, legacy: &Legacy<'_>, question: Question) -> Result<Found, Refused> {
    let shared = &call.worker.shared;
    let turn = timeout(TURN_WAIT, Arc::clone(&shared.searches).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(Refused::unavailable("Too many searches; try again later."));
    };
    let (store, viewer) = (Arc::clone(&shared.node.store), legacy.login.account_id);
    let runtime = tokio::runtime::Handle::current();
    let looked = web::block(move || {
        let _turn = turn;
        runtime.block_on(look(&*store, viewer, &question))
    });
    let looked = looked.await.map_err(|error| Refused::fault("a search did not end", error))?;
    looked.map_err(Refused::from)
}

/// `headers` are the conversations that were found, `matches` the messages, and the stream what is needed to show both.
async fn show(legacy: &Legacy<'_>, found: &Found) -> Result<Value, Stopped> {
    let mut shown: Vec<ConversationId> = found.conversations.clone();
    let of_messages: BTreeSet<ConversationId> = found.messages.iter().map(|(id, _)| *id).collect();
    shown.extend(of_messages.into_iter().filter(|id| !found.conversations.contains(id)));
    let ids: Vec<String> = shown.iter().map(ToString::to_string).collect();
    let conversations = json!({ "conversation_ids": ids, "mk_init_mode": "ic_header" });
    let mut stream = legacy.aside("account:sync_conversations", conversations).await?.stream;
    let messages = found.messages.iter().map(|(id, nr)| {
        ("message:load_context", json!({ "conversation_id": id.to_string(), "message_nr": nr }))
    });
    let context = legacy.aside_all(messages.collect()).await?;
    let is_match = |record: &Value| {
        found
            .messages
            .iter()
            .position(|(id, nr)| record["conversation_id"] == *id.to_string() && record["message_nr"] == *nr)
    };
    let (messages, rest): (Vec<Value>, Vec<Value>) =
        context.into_iter().partition(|record| record["mk_rec_type"] == "message");
    let mut matches: Vec<(usize, Value)> = Vec::new();
    for message in messages {
        // A message next to another one comes with it as well.
        if let Some(at) = is_match(&message).filter(|at| matches.iter().all(|(known, _)| known != at)) {
            matches.push((at, message));
        }
    }
    matches.sort_by_key(|(at, _)| *at);
    let matches: Vec<Value> = matches.into_iter().map(|(_, message)| message).collect();
    for record in rest {
        if !stream.contains(&record) {
            stream.push(record);
        }
    }
    stream.iter_mut().for_each(without_window);
    let headers: Vec<Value> = found.conversations.iter().filter_map(|id| header(&stream, *id)).collect();
    Ok(json!({ "headers": headers, "matches": matches, "stream": stream, "suggestions": null }))
}

/// What a list of found conversations shows of one.
fn header(stream: &[Value], id: ConversationId) -> Option<Value> {
    let id = id.to_string();
    let conv =
        stream.iter().find(|record| record["mk_rec_type"] == "conv" && record["conversation_id"] == id)?;
    let shown = ["mk_rec_type", "conversation_id", "topic", "default_topic", "members"];
    let fields = shown.iter().filter_map(|key| Some(((*key).to_owned(), conv.get(*key)?.clone())));
    Some(Value::Object(fields.collect()))
}

/// The caller's conversations as they came to him, a page at a time; the horizon is 0 again on the last one.
async fn list(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let horizon = u64::try_from(given.number("sync_horizon")?.unwrap_or(0)).unwrap_or(0);
    let store = Arc::clone(&call.worker.shared.node.store);
    let mut left = memberships(&*store, legacy.login.account_id).await?;
    left.retain(|(_, stamp)| *stamp > horizon);
    let page = &left[..left.len().min(PAGE)];
    let next = page.last().filter(|_| left.len() > PAGE).map_or(0, |(_, stamp)| *stamp);
    let ids: Vec<String> = page.iter().map(|(id, _)| id.to_string()).collect();
    let conversations = json!({ "conversation_ids": &ids, "mk_init_mode": "ic_header" });
    match legacy.aside("account:sync_conversations", conversations).await {
        Ok(shown) => {
            let mut conversations: Vec<Value> =
                shown.stream.into_iter().filter(|record| record["mk_rec_type"] == "conv").collect();
            conversations.retain(|conv| conv["is_deleted"] != true);
            // Each conversation answers for itself, in no order.
            conversations
                .sort_by_key(|conv| ids.iter().position(|id| conv["conversation_id"] == *id.as_str()));
            conversations.iter_mut().for_each(without_window);
            Ok(answer(json!({ "conversations": conversations, "sync_horizon": next }).to_string()))
        }
        Err(stopped) => stopped.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::{header, question};
    use crate::http::legacy::Given;

    #[test]
    fn a_search_is_for_topics_and_texts_unless_it_says_otherwise() {
        let where_to = |body: serde_json::Value| {
            let question = question(&Given::new(None, body.as_object().cloned().unwrap())).unwrap();
            (question.is_of_topics, question.is_of_texts)
        };
        assert_eq!(where_to(json!({"keywords": "a"})), (true, true));
        assert_eq!(where_to(json!({"keywords": "a", "search_types": ["topic"]})), (true, false));
        assert_eq!(where_to(json!({"keywords": "a", "search_types": ["chat", "pin"]})), (false, true));
        assert_eq!(where_to(json!({"keywords": "a", "conversation_id": Uuid::nil()})), (false, true));
    }

    #[test]
    fn a_header_says_little() {
        let id = rill_proto::id::ConversationId(Uuid::nil());
        let conv = json!({"mk_rec_type": "conv", "conversation_id": id.to_string(), "topic": "t", "unread_count": 3});
        let expected = json!({"mk_rec_type": "conv", "conversation_id": id.to_string(), "topic": "t"});
        assert_eq!(header(&[conv], id), Some(expected));
    }
}
