//! The end of every scenario: a client that lived through it all holds what a fresh client is given.
//!
//! Owns: the few differences that the protocol leaves open. Not here: the comparison itself (the harness's picture has it).

use crate::complaint::Complaint;
use crate::person::Person;
use rill_loadtest::picture::Picture;
use rill_loadtest::record::{Record, flag, number, text};
use serde_json::{Value, json};

/// What the person was sent, with the rest loaded, comes to the same as an initial sync of his account, which is given back.
pub(crate) fn equals_fresh_sync(
    person: &mut Person,
    conversation_ids: &[String],
) -> Result<Picture, Complaint> {
    person.connect()?;
    person.settle(conversation_ids)?;
    person.settle_account()?;
    Picture::complete(person.session()?)?;
    if person.has_dropped {
        // The events that answer with an init form bring no activity (conversations.md §7); activating does.
        for conversation_id in conversation_ids.iter().filter(|owner| !owner.contains('/')) {
            person.ask("conv:activate", json!({"conversation_id": conversation_id}), false)?;
        }
    }
    let fresh = fresh_sync(person)?;
    let live = person.picture()?;
    let violations = live.verify().into_iter().chain(fresh.verify());
    let mut broken: Vec<String> = violations.map(|violation| violation.to_string()).collect();
    let differences = live.difference(&fresh).into_iter();
    broken.extend(differences.filter(|line| !is_left_open(line, live)));
    if broken.is_empty() {
        return Ok(fresh);
    }
    Err(Complaint::new(
        "the live picture (first) and the fresh one (second) to be the same",
        broken.join("\n"),
    ))
}

/// What a fresh client is not given any more, or otherwise. Pens are ephemeral, and who has read nothing has nothing else to show.
pub(crate) fn lost(before: &Picture, after: &Picture) -> Vec<String> {
    let lines = before.difference(after).into_iter();
    lines.filter(|line| !is_pen(line, before)).collect()
}

fn is_pen(line: &str, picture: &Picture) -> bool {
    let activity =
        line.strip_prefix("activity ").and_then(|rest| rest.strip_suffix(": only in the first picture"));
    let activity = activity.and_then(|key| picture.record("activity", key));
    activity.is_some_and(|activity| !activity.contains_key("read_message_nr"))
}

/// Everything that a client without a past is given.
fn fresh_sync(person: &Person) -> Result<Picture, Complaint> {
    let mut fresh = person.user.connect(0)?;
    Picture::complete(&mut fresh)?;
    Picture::complete_board(&mut fresh)?;
    Ok(fresh.abandon())
}

/// A difference that the protocol allows: `KIND KEY: WHAT`.
fn is_left_open(line: &str, live: &Picture) -> bool {
    let Some((record, what)) = line.split_once(": ") else {
        return false;
    };
    let (kind, key) = record.split_once(' ').unwrap_or((record, ""));
    let is_extra = what == "only in the first picture";
    match kind {
        // What was revised after he left is shown as it is now wherever an ex-member fetches it anew (conversations.md §7).
        "message" => {
            let (conversation_id, nr) = key.split_once('/').unwrap_or((key, ""));
            let is_of_then = what.contains(" in the first picture, ") && !is_member(live, conversation_id);
            is_of_then || (is_extra && was_on_a_board(live, conversation_id, nr.parse().unwrap_or(0)))
        }
        "file" => {
            let of = live
                .record("file", key)
                .and_then(|file| Some((text(file, "conversation_id"), number(file, "message_nr")?)));
            let is_of_then = what.contains(" in the first picture, ")
                && of.is_some_and(|(conversation_id, _)| !is_member(live, conversation_id));
            is_of_then
                || (is_extra
                    && of.is_some_and(|(conversation_id, nr)| was_on_a_board(live, conversation_id, nr)))
        }
        // It says something only while there is no topic, and is not taken back (conversations.md §5.1).
        "conv" => {
            what.starts_with("default_topic is")
                && live.conv(key).is_some_and(|conv| !text(conv, "topic").is_empty())
        }
        // Who has left is not sent the board and the activity again (§7), and keeps what he had.
        "section" => {
            let section = live.record("section", key);
            is_extra && section.is_some_and(|section| !is_member(live, text(section, "conversation_id")))
        }
        "activity" => {
            let (conversation_id, account_id) = key.split_once('/').unwrap_or((key, ""));
            let is_gone = !has_member(live, conversation_id, account_id);
            // That somebody came or wrote is news, and not said again once it is old.
            let says_little = !live
                .record("activity", key)
                .is_some_and(|activity| activity.contains_key("read_message_nr"));
            (is_extra && (is_gone || says_little)) || !is_member(live, conversation_id)
        }
        // Looking somebody up does not put him in the list (accounts.md §5.1). Who has left is not told of again, either.
        "contact" => {
            let is_listed =
                live.record("contact", key).is_some_and(|contact| contact.contains_key("sort_rank"));
            let mut conversations = live.records("conv").map(|conv| text(conv, "conversation_id"));
            is_extra
                && (!is_listed || !conversations.any(|id| is_member(live, id) && has_member(live, id, key)))
        }
        // What somebody was shown of an organisation or a team that he is in no more is not taken back (accounts.md §9.4, §8.5).
        "org_header" => {
            is_extra && !live.record("org_header", key).is_some_and(|header| flag(header, "is_member"))
        }
        "org_member" => {
            let member = live.record("org_member", key);
            let status = member.map(|member| text(member, "mk_member_status")).unwrap_or_default();
            let is_out = matches!(status, "bms_removed" | "bms_declined");
            let organisation_id = key.split('/').next().unwrap_or_default();
            let header = live.record("org_header", organisation_id);
            is_extra && (is_out || !header.is_some_and(|header| flag(header, "is_admin")))
        }
        "team" => {
            // One that the viewer was shown as an admin of its organisation is none that he is told of.
            let is_known = |team: &Record| {
                !(flag(team, "is_tiny") || flag(team, "is_deleted") || team.contains_key("managed_time"))
            };
            is_extra && !live.record("team", key).is_some_and(is_known)
        }
        "reminder" => is_extra && !live.record("reminder", key).is_some_and(|one| flag(one, "is_active")),
        _ => false,
    }
}

/// A message from before his time, from while he was away, or from before he deleted the conversation, that a board showed him
/// (§4.3): it is gone when it lies on none any more, or he has left. A fresh client never hears of it.
fn was_on_a_board(live: &Picture, conversation_id: &str, message_nr: u64) -> bool {
    let says = |key: &str| live.conv(conversation_id).and_then(|conv| number(conv, key)).unwrap_or(0);
    let begin = says("begin_message_nr").max(says("delete_message_nr") + 1);
    let message = live.message(conversation_id, message_nr);
    let is_gone = message.is_some_and(|message| {
        text(message, "mk_message_state") == "urn:fleep:message:mk_message_state:deleted"
    });
    message_nr < begin && (is_gone || !is_member(live, conversation_id))
}

fn is_member(live: &Picture, conversation_id: &str) -> bool {
    live.conv(conversation_id).is_some_and(|conv| flag(conv, "can_post"))
}

fn has_member(live: &Picture, conversation_id: &str, account_id: &str) -> bool {
    let members = live.conv(conversation_id).and_then(|conv| conv.get("members"));
    members.and_then(Value::as_array).is_some_and(|members| members.iter().any(|member| member == account_id))
}
