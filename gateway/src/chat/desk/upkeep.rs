//! What the client does without being asked: it loads what is missing, marks what is shown as read, and keeps the
//! activation, the pen and the edit lock alive.
//!
//! Owns the intervals. Everything here happens while the link is live only: a late pen would be a lie, and the rest is
//! due again after a reconnect anyway.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rill_proto::id::ConversationId;
use serde_json::json;

use super::{Desk, Mode};
use crate::chat::connection::Link;
use crate::chat::picture::{Conversation, Picture};

/// An activation lasts for ten minutes (conversations.md §8); renewed a minute before.
const ACTIVATE_AGAIN: Duration = Duration::from_secs(9 * 60);

/// A pen lasts for 30 s; three renewals in that time survive a slow network.
const PEN_AGAIN: Duration = Duration::from_secs(10);

/// An edit lock lasts for 30 s after it was last asked for.
const LOCK_AGAIN: Duration = Duration::from_secs(20);

/// A header may come a moment before its messages; a hole that lasts longer is one.
const HOLE_PATIENCE: Duration = Duration::from_millis(500);

/// What was asked for on this connection.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    pub(super) pen: Option<(ConversationId, Instant)>,
    activated: Option<(ConversationId, Instant)>,
    read: HashMap<ConversationId, u64>,
    initial: HashSet<ConversationId>,
    older: HashMap<ConversationId, u64>,
    hole: Option<Hole>,
}

/// A place from which newer messages are missing. Asked for once for each place: an answer that does not move the place
/// would come for ever.
#[derive(Debug)]
struct Hole {
    conversation: ConversationId,
    fw: u64,
    since: Instant,
    is_asked: bool,
}

impl Desk {
    /// Does what is due at `now`.
    pub(crate) fn tick(&mut self, picture: &Picture, now: Instant) {
        if self.link != Link::Live {
            return;
        }
        if self.shown(picture).is_none() {
            self.leave_editing();
            self.chosen = None;
            match picture.list().first() {
                Some(first) => self.choose(first.id),
                None => return,
            }
        }
        let Some(shown) = self.shown(picture) else { return };
        self.activate(shown.id, now);
        if self.is_complete(shown, now) {
            self.mark_read(shown);
        }
        self.keep_lock(now);
    }

    /// The line has changed: the pen moves, or is laid down when nothing is left.
    pub(super) fn move_pen(&mut self, now: Instant) {
        if self.line().text().is_empty() {
            self.end_pen();
            return;
        }
        let Some(conversation) = self.chosen.filter(|_| self.link == Link::Live) else {
            return;
        };
        let is_fresh = self.upkeep.pen.is_some_and(|(held, since)| {
            held == conversation && now.saturating_duration_since(since) < PEN_AGAIN
        });
        if !is_fresh {
            self.ask("conv:set_writing", json!({ "conversation_id": conversation }));
            self.upkeep.pen = Some((conversation, now));
        }
    }

    /// Lays the pen down, if it is held.
    pub(super) fn end_pen(&mut self) {
        if let Some((conversation, _)) = self.upkeep.pen.take() {
            self.ask("conv:end_writing", json!({ "conversation_id": conversation }));
        }
    }

    /// Asks for older messages, once for each place in the past.
    pub(super) fn load_older(&mut self, picture: &Picture) {
        let Some(shown) = self.shown(picture) else { return };
        let Some(from) = shown.older_from().filter(|_| self.link == Link::Live) else {
            return;
        };
        if self.upkeep.older.insert(shown.id, from) != Some(from) {
            self.ask("conv:sync_backward", json!({ "conversation_id": shown.id, "bw_message_nr": from }));
        }
    }

    fn activate(&mut self, id: ConversationId, now: Instant) {
        let is_active = self.upkeep.activated.is_some_and(|(active, since)| {
            active == id && now.saturating_duration_since(since) < ACTIVATE_AGAIN
        });
        if !is_active {
            self.ask("conv:activate", json!({ "conversation_id": id }));
            self.upkeep.activated = Some((id, now));
        }
    }

    /// Asks for what is missing at the newer end. True when nothing is missing and nothing is being loaded.
    fn is_complete(&mut self, shown: &Conversation, now: Instant) -> bool {
        if shown.is_partial && self.upkeep.initial.insert(shown.id) {
            self.ask("conv:sync_initial", json!({ "conversation_id": shown.id }));
        }
        if self.unanswered.values().any(|event| matches!(*event, "conv:sync_initial" | "conv:sync_forward")) {
            return false;
        }
        let Some(fw) = shown.newer_from() else {
            self.upkeep.hole = None;
            return true;
        };
        let hole = match &mut self.upkeep.hole {
            Some(hole) if hole.conversation == shown.id && hole.fw == fw => hole,
            hole => hole.insert(Hole { conversation: shown.id, fw, since: now, is_asked: false }),
        };
        if !hole.is_asked && now.saturating_duration_since(hole.since) >= HOLE_PATIENCE {
            hole.is_asked = true;
            self.ask("conv:sync_forward", json!({ "conversation_id": shown.id, "fw_message_nr": fw }));
            return false;
        }
        hole.is_asked
    }

    /// Marks the newest message as read, unless the person looks at older ones.
    fn mark_read(&mut self, shown: &Conversation) {
        if self.anchor.is_some() || !shown.can_post {
            return;
        }
        let Some(newest) = shown.newest().filter(|newest| *newest > shown.read_message_nr) else {
            return;
        };
        if self.upkeep.read.get(&shown.id).is_none_or(|asked| *asked < newest) {
            self.upkeep.read.insert(shown.id, newest);
            self.ask("message:mark_read", json!({ "conversation_id": shown.id, "message_nr": newest }));
        }
    }

    fn keep_lock(&mut self, now: Instant) {
        let Mode::Edit(editing) = &mut self.mode else {
            return;
        };
        if now.saturating_duration_since(editing.locked_at) >= LOCK_AGAIN {
            editing.locked_at = now;
            let params = json!({ "conversation_id": editing.conversation, "message_nr": editing.message_nr });
            self.ask("message:set_editing", params);
        }
    }
}
