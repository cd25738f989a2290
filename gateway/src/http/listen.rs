//! `account/listen`: what a notifier must know, without records (protocol.md §1.7).
//!
//! It is told what a poll would be told, through a session of its own, so that a client that polls with the same login is
//! not in its way. It keeps nothing: how many conversations are unread is said wherever a header came, and once at the
//! beginning. Not here: what is told to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use rill_actors::account::memberships::unread;
use rill_actors::node::Node;
use rill_actors::session::{POLL_WAIT, PollCall};
use rill_proto::compact;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::legacy::{Legacy, Stopped};
use super::{Call, json as answer};
use crate::refuse::Refused;
use crate::routes::post;
use crate::worker::Purpose;

/// How many messages one answer has, the newest: more than anybody reads in a notification; the count says that there are more.
const MESSAGES_MAX: usize = 20;

/// How long a call may take when it does not want to wait: what was missed is read from the store.
const CATCH_UP_WAIT: Duration = Duration::from_secs(10);

/// How often it is looked whether everything so far has been told: nodes tell each other four times a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The paths of this family.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/account/listen", listen));
}

async fn listen(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let mut legacy = Legacy::admit(&call, &given).await?;
    // What it asks beside goes the same way: a session that nobody polls does not know what the caller calls others.
    legacy.purpose = Purpose::Listening;
    let shared = &call.worker.shared;
    if shared.is_draining() {
        return Err(Refused::unavailable("This server is about to stop."));
    }
    let _waiting = Arc::clone(&shared.polls);
    let horizon = given.number("event_horizon")?.unwrap_or(0);
    let told = if horizon > 0 {
        let news = wait_for_news(&legacy, horizon, given.flag("wait")?.unwrap_or(true)).await?;
        tell(&legacy, news).await
    } else {
        // It begins now: what is unread is counted, not told.
        let horizon = beginning(&shared.node).await;
        tell(&legacy, News { horizon, is_changed: true, ..News::default() }).await
    };
    match told {
        Ok(body) => Ok(answer(body.to_string())),
        Err(stopped) => stopped.into_response(),
    }
}

/// A horizon that everything lies below that was answered before: else what is counted now would be told once more.
async fn beginning(node: &Node) -> i64 {
    let now = node.issue().stamp();
    let deadline = Instant::now() + CATCH_UP_WAIT;
    while node.horizon() < now && Instant::now() < deadline {
        sleep(LOOK_INTERVAL).await;
    }
    i64::try_from(node.horizon()).unwrap_or(i64::MAX)
}

/// What an answer to a poll has.
#[derive(Deserialize)]
struct Polled {
    event_horizon: i64,
    stream: Vec<Map<String, Value>>,
    /// Below 1 while more is to come of what was missed.
    #[serde(default)]
    sync_progress: Option<f64>,
}

/// What has come since a horizon.
#[derive(Default)]
struct News {
    horizon: i64,
    /// A header came, so that another conversation may be unread, or one is not any more.
    is_changed: bool,
    /// What was told of conversations, the newest of each field.
    headers: BTreeMap<String, Map<String, Value>>,
    /// Messages that alert somebody, by conversation and number.
    messages: BTreeMap<(String, i64), Map<String, Value>>,
}

impl News {
    /// Takes in the records of a poll.
    fn take(&mut self, caller: &str, since: i64, polled: Polled) {
        self.horizon = polled.event_horizon;
        for record in polled.stream {
            let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
            let id = text("conversation_id").to_owned();
            match text("mk_rec_type") {
                "conv" => {
                    self.is_changed = true;
                    self.headers.entry(id).or_default().extend(record);
                }
                "message" if text("account_id") != caller && is_new(&record, since) => {
                    self.messages.insert((id, integer(&record, "message_nr")), record);
                }
                _ => {}
            }
        }
    }

    /// What is to be shown, in the order in which it was written: what alerts the caller and what he has not read.
    fn shown(&mut self) -> Vec<Map<String, Value>> {
        let headers = &self.headers;
        let is_shown = |id: &str, nr: i64| {
            headers.get(id).is_none_or(|header| {
                let is_muted = header.get("is_muted").and_then(Value::as_bool).unwrap_or(false);
                !is_muted && nr > integer(header, "read_message_nr")
            })
        };
        let messages = std::mem::take(&mut self.messages).into_iter();
        let mut shown: Vec<_> =
            messages.filter(|((id, nr), _)| is_shown(id, *nr)).map(|(_, message)| message).collect();
        shown.sort_by_key(|message| integer(message, "posted_time"));
        shown.split_off(shown.len().saturating_sub(MESSAGES_MAX))
    }
}

fn integer(record: &Map<String, Value>, key: &str) -> i64 {
    record.get(key).and_then(Value::as_i64).unwrap_or(0)
}

/// Whether a message is one that alerts, and no revision of one that was there at the horizon already.
fn is_new(message: &Map<String, Value>, since: i64) -> bool {
    const MICROS: i64 = 1_000_000;
    let is_revised = message.contains_key("flow_message_nr");
    integer(message, "inbox_nr") > 0 && (!is_revised || integer(message, "posted_time") > since / MICROS)
}

/// Polls until there is something that concerns a notifier, or nothing comes for as long as a poll waits.
async fn wait_for_news(legacy: &Legacy<'_>, since: i64, is_wanted: bool) -> Result<News, Refused> {
    let deadline = Instant::now() + if is_wanted { POLL_WAIT } else { CATCH_UP_WAIT };
    let caller = legacy.caller().to_string();
    let mut news = News { horizon: since, ..News::default() };
    loop {
        let Some(polled) = poll(legacy, news.horizon, is_wanted, deadline).await? else { return Ok(news) };
        let is_level = polled.sync_progress.is_none_or(|progress| progress >= 1.0);
        let is_still = is_level && polled.event_horizon == news.horizon && polled.stream.is_empty();
        news.take(&caller, since, polled);
        let is_over = is_still || Instant::now() >= deadline;
        if is_level && (news.is_changed || !news.messages.is_empty() || is_over) {
            return Ok(news);
        }
    }
}

/// One poll; nothing when the time is over, or the session has ended: whoever asks again catches up from where he was.
async fn poll(
    legacy: &Legacy<'_>,
    horizon: i64,
    wait: bool,
    deadline: Instant,
) -> Result<Option<Polled>, Refused> {
    let (reply, polled) = oneshot::channel();
    let call = PollCall { horizon, wait, skip_hidden: false, reply };
    legacy.call.worker.to_session_for(legacy.purpose, &legacy.login, call)?;
    let Ok(Ok(body)) = timeout_at(deadline, polled).await else { return Ok(None) };
    let polled =
        serde_json::from_slice(&body).map_err(|error| Refused::fault("a poll is not of its own form", error));
    polled.map(Some)
}

/// The answer: how far this was, how much is unread, and what came.
async fn tell(legacy: &Legacy<'_>, mut news: News) -> Result<Value, Stopped> {
    let mut body = Map::new();
    body.insert("event_horizon".to_owned(), news.horizon.into());
    if news.is_changed {
        let (store, caller) = (Arc::clone(&legacy.call.worker.shared.node.store), legacy.caller());
        // On a thread of its own: reading blocks.
        let runtime = tokio::runtime::Handle::current();
        let counted = web::block(move || runtime.block_on(unread(&*store, caller))).await;
        let counted = counted.map_err(|error| Refused::fault("a count did not end", error))?;
        body.insert("conv_count".to_owned(), counted.map_err(Refused::from)?.into());
    }
    let messages = news.shown();
    let topics = topics(legacy, &messages).await?;
    let authors = authors(legacy, &messages).await?;
    let messages = messages.iter().map(|message| notice(legacy, message, &topics, &authors));
    body.insert("messages".to_owned(), messages.collect());
    Ok(body.into())
}

/// A message as a notification shows it.
fn notice(
    legacy: &Legacy<'_>,
    message: &Map<String, Value>,
    topics: &BTreeMap<String, Value>,
    authors: &BTreeMap<String, Value>,
) -> Value {
    let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
    let id = text("conversation_id");
    let public_url = &legacy.call.worker.shared.node.site.public_url;
    let place = Uuid::try_parse(id).map(compact::write).unwrap_or_default();
    json!({
        "conv_url": format!("{public_url}/chat?cid={place}"),
        "conversation_id": id,
        "topic": topics.get(id),
        "message": text("message"),
        "author_name": authors.get(text("account_id")),
    })
}

fn distinct(messages: &[Map<String, Value>], key: &str) -> BTreeSet<String> {
    messages.iter().filter_map(|message| message.get(key)?.as_str().map(str::to_owned)).collect()
}

/// What the conversations of some messages are called, as the caller sees it.
async fn topics(
    legacy: &Legacy<'_>,
    messages: &[Map<String, Value>],
) -> Result<BTreeMap<String, Value>, Stopped> {
    let ids = distinct(messages, "conversation_id");
    let get = |id| ("conv:get", json!({ "conversation_id": id }));
    let shown = legacy.aside_all(ids.into_iter().map(get).collect()).await?;
    Ok(by_id(&shown, "conv", "conversation_id", |header| {
        let names = ["topic", "default_topic"].into_iter().map(|key| &header[key]);
        names.into_iter().find(|name| name.as_str().is_some_and(|name| !name.is_empty())).cloned()
    }))
}

/// What their authors are called, as the caller sees it.
async fn authors(
    legacy: &Legacy<'_>,
    messages: &[Map<String, Value>],
) -> Result<BTreeMap<String, Value>, Stopped> {
    let get = |id| ("contact:get", json!({ "account_id": id }));
    let ids = distinct(messages, "account_id");
    let shown = legacy.aside_all(ids.into_iter().map(get).collect()).await?;
    Ok(by_id(&shown, "contact", "account_id", |contact| Some(contact["display_name"].clone())))
}

fn by_id(
    stream: &[Value],
    kind: &str,
    key: &str,
    name: impl Fn(&Value) -> Option<Value>,
) -> BTreeMap<String, Value> {
    let shown = stream.iter().filter(|record| record["mk_rec_type"] == kind);
    shown.filter_map(|record| Some((record[key].as_str()?.to_owned(), name(record)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MESSAGES_MAX, News, Polled};

    const SINCE: i64 = 1_700_000_000_000_000;

    fn taken(stream: Value) -> News {
        let polled =
            Polled { event_horizon: 7, stream: serde_json::from_value(stream).unwrap(), sync_progress: None };
        let mut news = News::default();
        news.take("me", SINCE, polled);
        news
    }

    fn message(nr: i64, changes: Value) -> Value {
        let mut message = json!({"mk_rec_type": "message", "conversation_id": "c", "message_nr": nr, "inbox_nr": nr,
            "account_id": "other", "posted_time": 1_700_000_001});
        message.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap());
        message
    }

    fn shown(stream: Value) -> Vec<Value> {
        taken(stream).shown().into_iter().map(|message| message["message_nr"].clone()).collect()
    }

    #[test]
    fn what_others_wrote_and_the_caller_has_not_read_is_shown() {
        let header =
            json!({"mk_rec_type": "conv", "conversation_id": "c", "read_message_nr": 2, "is_muted": false});
        let own = message(4, json!({"account_id": "me"}));
        let system = message(5, json!({"inbox_nr": -4}));
        let stream = json!([header, message(2, json!({})), message(3, json!({})), own, system]);
        assert_eq!(shown(stream), [3]);
        let muted =
            json!({"mk_rec_type": "conv", "conversation_id": "c", "read_message_nr": 2, "is_muted": true});
        assert!(shown(json!([muted, message(3, json!({}))])).is_empty());
        assert!(taken(json!([message(3, json!({}))])).headers.is_empty());
    }

    #[test]
    fn a_revision_of_what_was_there_before_is_no_news() {
        let before = json!({"flow_message_nr": 9, "posted_time": 1_700_000_000});
        let since = json!({"flow_message_nr": 9, "posted_time": 1_700_000_001});
        assert!(shown(json!([message(3, before)])).is_empty());
        assert_eq!(shown(json!([message(3, since)])), [3]);
    }

    #[test]
    fn only_the_newest_are_shown() {
        let many: Vec<Value> =
            (1..=30).map(|nr| message(nr, json!({"posted_time": 1_700_000_000 + nr}))).collect();
        let shown = shown(many.into());
        assert_eq!((shown.len(), &shown[MESSAGES_MAX - 1]), (MESSAGES_MAX, &json!(30)));
    }
}
