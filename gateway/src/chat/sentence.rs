//! System messages as sentences.
//!
//! Owns the wording for the kinds of protocol.md §5.6 that carry no text of their own, and the filling in of the
//! placeholders where the body brings a `sysmsg_text`. A kind that is not known is told by its `sysmsg_text`, else by
//! its name: a newer server never makes a message invisible.

use rill_proto::id::AccountId;
use serde_json::Value;
use uuid::Uuid;

/// The sentence for a system message of `kind` (`mk_message_type`) with the JSON text `body`, done by `author`.
pub(crate) fn sentence(kind: &str, body: &str, author: &str, name: &dyn Fn(AccountId) -> String) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    if !text("sysmsg_text").is_empty() {
        return filled(text("sysmsg_text"), &body, author, name);
    }
    let members = members(&body, name);
    match kind {
        "create" => created(author, &members, text("topic")),
        "add" => format!("{author} added {members}."),
        "kick" | "kickV2" => format!("{author} removed {members}."),
        "leave" => format!("{author} left the conversation."),
        "topic" if text("topic").is_empty() => format!("{author} removed the topic."),
        "topic" => format!("{author} set the topic to “{}”.", text("topic")),
        "disclose" | "discloseV2" => format!("{author} opened earlier messages to {members}."),
        "hook" => format!("{author} added the integration {}.", text("hook_name")),
        "unhook" => format!("{author} removed the integration {}.", text("hook_name")),
        "add_teamV2" => format!("{author} added {members} using {}.", text("team_name")),
        "kick_team" => format!("{author} removed {members} using {}.", text("team_name")),
        "task_completed" => format!("{author} completed a task."),
        "joinV1" | "autojoin" => format!("{author} joined the conversation."),
        other => format!("{author}: {other}"),
    }
}

fn created(author: &str, members: &str, topic: &str) -> String {
    let with = if members.is_empty() { String::new() } else { format!(" with {members}") };
    let about = if topic.is_empty() { String::new() } else { format!(": “{topic}”") };
    format!("{author} started the conversation{with}{about}.")
}

fn members(body: &Value, name: &dyn Fn(AccountId) -> String) -> String {
    let ids = body.get("members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names: Vec<String> = ids
        .iter()
        .filter_map(|id| Uuid::parse_str(id.as_str()?).ok())
        .map(|id| name(AccountId(id)))
        .collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// One pass over the template, so that a placeholder inside somebody's name is not filled in again.
fn filled(template: &str, body: &Value, author: &str, name: &dyn Fn(AccountId) -> String) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((key, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        match key {
            "author" => out.push_str(author),
            "members" => out.push_str(&members(body, name)),
            "teamsAndMembers" => out.push_str(&teams_and_members(body, name)),
            _ => match body.get(key) {
                Some(Value::String(value)) => out.push_str(value),
                Some(Value::Number(value)) => out.push_str(&value.to_string()),
                _ => {
                    out.push('{');
                    out.push_str(key);
                    out.push('}');
                }
            },
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn teams_and_members(body: &Value, name: &dyn Fn(AccountId) -> String) -> String {
    let teams = body.get("team_names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut parts: Vec<String> = teams.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let members = members(body, name);
    if !members.is_empty() {
        parts.push(members);
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: &str = "00000000-0000-0000-0000-00000000000b";
    const CY: &str = "00000000-0000-0000-0000-00000000000c";

    fn told(kind: &str, body: &str) -> String {
        let name = |id: AccountId| {
            if id.to_string() == BOB { "Bob".to_owned() } else { "Cy {author}".to_owned() }
        };
        sentence(kind, body, "Ann", &name)
    }

    #[test]
    fn the_kinds_without_a_text_are_told_in_our_words() {
        let body = format!(r#"{{"members":["{BOB}"],"topic":"lunch"}}"#);
        assert_eq!(told("create", &body), "Ann started the conversation with Bob: “lunch”.");
        assert_eq!(told("add", &body), "Ann added Bob.");
        assert_eq!(told("leave", ""), "Ann left the conversation.");
        assert_eq!(told("topic", r#"{"topic":""}"#), "Ann removed the topic.");
        assert_eq!(told("topic", r#"{"topic":"x"}"#), "Ann set the topic to “x”.");
    }

    #[test]
    fn a_text_of_the_server_is_filled_in_once() {
        let body = format!(
            r#"{{"members":["{BOB}","{CY}"],"team_name":"Core","sysmsg_text":"{{author}} added {{members}} using {{team_name}} {{odd}}{{"}}"#
        );
        assert_eq!(told("add_teamV2", &body), "Ann added Bob and Cy {author} using Core {odd}{");
    }

    #[test]
    fn an_unknown_kind_and_an_odd_body_are_still_told() {
        assert_eq!(told("moonwalk", "[]"), "Ann: moonwalk");
        assert_eq!(told("moonwalk", r#"{"sysmsg_text":"{author} danced."}"#), "Ann danced.");
        assert_eq!(told("add", r#"{"members":[1,null,"no uuid"]}"#), "Ann added .");
    }
}
