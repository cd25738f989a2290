//! What the person is doing: the chosen conversation, the line being typed, the question being asked.
//!
//! Owns the meaning of every action and of every answer, and collects the events that follow from them. Pure: the caller
//! brings the picture and the time, and carries the events away. Not here: what is done without being asked for
//! (`upkeep`), the looking up of people (`invitation`), which messages are in sight (`sight`), drawing.

mod invitation;
mod sight;
mod upkeep;

use std::collections::HashMap;
use std::time::Instant;

use rill_proto::id::{ConversationId, RequestId};
use serde_json::{Value, json};

use super::connection::Link;
use super::input::{Action, Line};
use super::outbox::Outgoing;
use super::picture::{Conversation, Message, Picture};
use super::record::{conversation, number, text, uuid};
use super::text::typed;
use invitation::{Goal, Invitation};
pub(crate) use sight::{Drawn, Place};
use upkeep::Upkeep;

/// What the line at the bottom is for.
#[derive(Debug)]
pub(crate) enum Mode {
    /// A new message.
    Write,
    /// Another text for an old message.
    Edit(Editing),
    /// The answer to a question.
    Ask(Question, Line),
    /// The keys are shown; the next key closes them.
    Help,
}

/// A message of one's own being edited.
#[derive(Debug)]
pub(crate) struct Editing {
    /// Where it is.
    pub(crate) conversation: ConversationId,
    /// Which one.
    pub(crate) message_nr: u64,
    /// The text as it is now.
    pub(crate) line: Line,
    /// When the lock was last asked for.
    locked_at: Instant,
}

/// A question to the person.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// Which e-mail addresses?
    People(Goal),
    /// Which topic for the conversation with these people?
    TopicOfNew(String),
    /// Which topic?
    Topic(ConversationId),
    /// Really delete this message?
    Delete(ConversationId, u64),
}

impl Question {
    /// The words of it.
    pub(crate) fn prompt(&self) -> String {
        match self {
            Self::People(Goal::Create(_)) => "E-mail addresses for a new conversation".to_owned(),
            Self::People(Goal::Add(_)) => "E-mail addresses to add".to_owned(),
            Self::TopicOfNew(_) => "Topic of the new conversation (may be empty)".to_owned(),
            Self::Topic(_) => "Topic".to_owned(),
            Self::Delete(_, nr) => format!("Delete message {nr}? Enter deletes, Esc keeps"),
        }
    }
}

/// A text that the server has not confirmed yet.
#[derive(Debug)]
pub(crate) struct Sending {
    id: RequestId,
    /// Where it goes.
    pub(crate) conversation: ConversationId,
    /// The text.
    pub(crate) text: String,
    /// A new message, not another text for an old one.
    pub(crate) is_new: bool,
}

/// The person's side of the client.
#[derive(Debug)]
pub(crate) struct Desk {
    /// The state of the link.
    pub(crate) link: Link,
    /// The last horizon seen.
    pub(crate) event_horizon: i64,
    /// The last thing that the person has to be told.
    pub(crate) notice: String,
    /// What the line is for.
    pub(crate) mode: Mode,
    /// The conversation being shown.
    pub(crate) chosen: Option<ConversationId>,
    /// The marked message.
    pub(crate) selected: Option<u64>,
    /// The last row on the screen; `None` follows the newest message.
    pub(crate) anchor: Option<Place>,
    /// Texts on their way.
    pub(crate) sending: Vec<Sending>,
    line: Line,
    drafts: HashMap<ConversationId, Line>,
    drawn: Drawn,
    unanswered: HashMap<RequestId, &'static str>,
    invitations: Vec<Invitation>,
    creating: Option<RequestId>,
    is_leaving: bool,
    upkeep: Upkeep,
    out: Vec<Outgoing>,
}

impl Desk {
    /// Nothing chosen, nothing typed.
    pub(crate) fn new() -> Self {
        Self {
            link: Link::Connecting,
            event_horizon: 0,
            notice: String::new(),
            mode: Mode::Write,
            chosen: None,
            selected: None,
            anchor: None,
            sending: Vec::new(),
            line: Line::default(),
            drafts: HashMap::new(),
            drawn: Drawn::default(),
            unanswered: HashMap::new(),
            invitations: Vec::new(),
            creating: None,
            is_leaving: false,
            upkeep: Upkeep::default(),
            out: Vec::new(),
        }
    }

    /// Carries out one action. False when it was to leave.
    pub(crate) fn act(&mut self, action: Action, picture: &Picture, now: Instant) -> bool {
        if matches!(self.mode, Mode::Help) && action != Action::Leave {
            self.mode = Mode::Write;
            return true;
        }
        self.is_leaving &= action == Action::Leave;
        let asking = matches!(self.mode, Mode::Ask(..));
        match action {
            Action::Leave => return !self.leave(),
            Action::Type(character) => {
                self.change(now, |line| line.insert(character.encode_utf8(&mut [0; 4])))
            }
            Action::Paste(text) => self.change(now, |line| line.insert(&text)),
            Action::Edit(edit) => self.change(now, |line| line.edit(edit)),
            Action::Enter => self.enter(picture),
            Action::Escape => self.escape(),
            Action::Help => self.help(),
            Action::PageUp => self.page_up(picture),
            Action::PageDown => self.page_down(),
            // A question is answered or left before anything else is begun.
            _ if asking => {}
            Action::EditOlder => self.edit_older(picture, now),
            Action::EditNewer => self.edit_newer(picture, now),
            Action::SelectOlder => self.select(picture, true),
            Action::SelectNewer => self.select(picture, false),
            Action::NextConversation => self.step(picture, true),
            Action::PreviousConversation => self.step(picture, false),
            Action::NewConversation => self.ask_person(Question::People(Goal::Create(String::new()))),
            Action::AddMembers => self.ask_about_chosen(picture, |id| Question::People(Goal::Add(id))),
            Action::SetTopic => self.ask_about_chosen(picture, Question::Topic),
            Action::DeleteMessage => self.ask_deletion(),
        }
        true
    }

    /// The link changed.
    pub(crate) fn link_changed(&mut self, link: Link) {
        if link == Link::Live || matches!(link, Link::Waiting(..)) {
            // What was asked of the last connection says nothing about this one.
            self.upkeep = Upkeep::default();
        }
        self.link = link;
    }

    /// A request record came, with the records of its frame.
    pub(crate) fn answered(&mut self, request: &Value, stream: &[Value]) {
        let Some(id) = uuid(request, "client_req_id").map(RequestId) else {
            return;
        };
        let event = self.unanswered.remove(&id);
        let status = number(request, "status_code").unwrap_or(200);
        if status != 200 {
            let code = format!("status {status}");
            let words = text(request, "error_message").or_else(|| text(request, "error_id")).unwrap_or(&code);
            self.refused(id, &format!("Refused: {words} ({})", event.unwrap_or("unknown event")));
            if event == Some("message:set_editing") && matches!(self.mode, Mode::Edit(_)) {
                self.mode = Mode::Write;
            }
            return;
        }
        self.sending.retain(|sending| sending.id != id);
        self.invited(id, request, stream);
        if self.creating == Some(id) {
            self.creating = None;
            if let Some(new) = request.get("identifier").and_then(conversation) {
                self.choose(new);
            }
        }
    }

    /// Events that will get no answer.
    pub(crate) fn given_up(&mut self, ids: &[RequestId], reason: &str) {
        for id in ids {
            self.unanswered.remove(id);
            if !reason.is_empty() {
                self.refused(*id, reason);
            }
        }
    }

    /// The events that wait to be carried away.
    pub(crate) fn take_out(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.out)
    }

    /// How many events have no answer yet.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// The line as it is being typed.
    pub(crate) fn line(&self) -> &Line {
        match &self.mode {
            Mode::Edit(editing) => &editing.line,
            Mode::Ask(_, answer) => answer,
            Mode::Write | Mode::Help => &self.line,
        }
    }

    /// Lets go of everything held. False when the person has to ask again, for a text would be lost.
    fn leave(&mut self) -> bool {
        if !self.sending.is_empty() && !self.is_leaving {
            self.is_leaving = true;
            "A text is not confirmed yet; Ctrl-C again leaves all the same.".clone_into(&mut self.notice);
            return false;
        }
        self.leave_editing();
        self.end_pen();
        true
    }

    fn ask(&mut self, event: &'static str, params: Value) -> RequestId {
        let outgoing = Outgoing::new(event, params);
        let id = outgoing.id;
        self.unanswered.insert(id, event);
        self.out.push(outgoing);
        id
    }

    fn shown<'a>(&self, picture: &'a Picture) -> Option<&'a Conversation> {
        self.chosen.and_then(|id| picture.conversation(id))
    }

    fn change(&mut self, now: Instant, change: impl FnOnce(&mut Line)) {
        match &mut self.mode {
            Mode::Edit(editing) => change(&mut editing.line),
            // Nothing is typed as an answer to yes or no.
            Mode::Ask(Question::Delete(..), _) => {}
            Mode::Ask(_, answer) => change(answer),
            Mode::Write | Mode::Help => {
                let before = self.line.text().len();
                change(&mut self.line);
                if self.line.text().len() != before {
                    self.move_pen(now);
                }
            }
        }
    }

    fn enter(&mut self, picture: &Picture) {
        self.notice.clear();
        match std::mem::replace(&mut self.mode, Mode::Write) {
            Mode::Write | Mode::Help => self.post(picture),
            Mode::Edit(editing) => self.store_edit(editing),
            Mode::Ask(question, answer) => self.person_answered(question, answer.text().trim()),
        }
    }

    fn post(&mut self, picture: &Picture) {
        if self.line.is_blank() {
            return;
        }
        let Some(shown) = self.shown(picture) else {
            "Choose a conversation with Tab, or begin one with Ctrl-N.".clone_into(&mut self.notice);
            return;
        };
        if !shown.can_post {
            "You are not a member of this conversation any more.".clone_into(&mut self.notice);
            return;
        }
        let conversation = shown.id;
        let text = self.line.take();
        let id = self.ask("message:add_plain", json!({ "conversation_id": conversation, "message": text }));
        self.sending.push(Sending { id, conversation, text, is_new: true });
        // The server takes the pen away with the message.
        self.upkeep.pen = None;
        self.anchor = None;
    }

    fn store_edit(&mut self, editing: Editing) {
        if editing.line.is_blank() {
            "A message cannot be edited to nothing; Ctrl-D deletes it.".clone_into(&mut self.notice);
            self.mode = Mode::Edit(editing);
            return;
        }
        let (conversation, text) = (editing.conversation, editing.line.text().to_owned());
        let params =
            json!({ "conversation_id": conversation, "message_nr": editing.message_nr, "message": text });
        let id = self.ask("message:edit_body", params);
        self.sending.push(Sending { id, conversation, text, is_new: false });
    }

    fn person_answered(&mut self, question: Question, answer: &str) {
        match question {
            Question::People(Goal::Create(_)) => {
                self.ask_person(Question::TopicOfNew(answer.to_owned()));
            }
            Question::People(goal @ Goal::Add(_)) => self.invite(answer, goal),
            Question::TopicOfNew(people) => self.invite(&people, Goal::Create(answer.to_owned())),
            Question::Topic(conversation) => {
                self.ask("conv:set_topic", json!({ "conversation_id": conversation, "topic": answer }));
            }
            Question::Delete(conversation, message_nr) => {
                self.ask(
                    "message:delete",
                    json!({ "conversation_id": conversation, "message_nr": message_nr }),
                );
                self.selected = None;
            }
        }
    }

    fn escape(&mut self) {
        self.notice.clear();
        match self.mode {
            Mode::Write if self.selected.is_none() => self.anchor = None,
            Mode::Write => self.selected = None,
            Mode::Edit(_) => self.leave_editing(),
            Mode::Ask(..) | Mode::Help => self.mode = Mode::Write,
        }
    }

    fn help(&mut self) {
        self.leave_editing();
        self.mode = Mode::Help;
    }

    fn ask_person(&mut self, question: Question) {
        self.leave_editing();
        self.mode = Mode::Ask(question, Line::default());
    }

    fn ask_about_chosen(&mut self, picture: &Picture, question: impl FnOnce(ConversationId) -> Question) {
        let Some(shown) = self.shown(picture) else {
            "Choose a conversation first.".clone_into(&mut self.notice);
            return;
        };
        let (question, topic) = (question(shown.id), shown.topic.clone());
        let answer =
            if matches!(question, Question::Topic(_)) { Line::holding(topic) } else { Line::default() };
        self.leave_editing();
        self.mode = Mode::Ask(question, answer);
    }

    fn ask_deletion(&mut self) {
        let edited = match &self.mode {
            Mode::Edit(editing) => Some(editing.message_nr),
            Mode::Write | Mode::Ask(..) | Mode::Help => None,
        };
        match (self.chosen, edited.or(self.selected)) {
            (Some(conversation), Some(nr)) => self.ask_person(Question::Delete(conversation, nr)),
            _ => "Mark a message first, with Alt-Up.".clone_into(&mut self.notice),
        }
    }

    fn edit_older(&mut self, picture: &Picture, now: Instant) {
        let below = match &self.mode {
            Mode::Edit(editing) => editing.message_nr,
            Mode::Write | Mode::Ask(..) | Mode::Help => u64::MAX,
        };
        let Some(shown) = self.shown(picture) else { return };
        let older = shown.flow().rev().find(|message| message.nr < below && may_edit(message, picture));
        if let Some(message) = older {
            self.edit(shown.id, message, picture, now);
        }
    }

    fn edit_newer(&mut self, picture: &Picture, now: Instant) {
        let Mode::Edit(editing) = &self.mode else { return };
        let above = editing.message_nr;
        let newer = self.shown(picture).and_then(|shown| {
            let message = shown.flow().find(|message| message.nr > above && may_edit(message, picture))?;
            Some((shown.id, message))
        });
        match newer {
            Some((conversation, message)) => self.edit(conversation, message, picture, now),
            None => self.leave_editing(),
        }
    }

    fn edit(&mut self, conversation: ConversationId, message: &Message, picture: &Picture, now: Instant) {
        if let Some(holder) = message.locked_by.filter(|holder| *holder != picture.me) {
            self.notice = format!("{} is editing message {}.", picture.name(holder), message.nr);
            return;
        }
        self.leave_editing();
        self.ask("message:set_editing", json!({ "conversation_id": conversation, "message_nr": message.nr }));
        let line = Line::holding(typed(&message.body));
        self.mode = Mode::Edit(Editing { conversation, message_nr: message.nr, line, locked_at: now });
        self.show_message(message.nr);
    }

    fn leave_editing(&mut self) {
        let Mode::Edit(editing) = &self.mode else { return };
        let params = json!({ "conversation_id": editing.conversation, "message_nr": editing.message_nr });
        self.ask("message:end_editing", params);
        self.mode = Mode::Write;
    }

    fn step(&mut self, picture: &Picture, down: bool) {
        let list = picture.list();
        if list.is_empty() {
            return;
        }
        let at = list.iter().position(|conv| Some(conv.id) == self.chosen);
        let next = match (at, down) {
            (None, _) => 0,
            (Some(at), true) => (at + 1) % list.len(),
            (Some(at), false) => (at + list.len() - 1) % list.len(),
        };
        self.choose(list[next].id);
    }

    fn choose(&mut self, id: ConversationId) {
        if self.chosen == Some(id) {
            return;
        }
        self.leave_editing();
        self.end_pen();
        if let Some(left) = self.chosen {
            self.drafts.insert(left, std::mem::take(&mut self.line));
        }
        self.line = self.drafts.remove(&id).unwrap_or_else(|| std::mem::take(&mut self.line));
        self.chosen = Some(id);
        self.selected = None;
        self.anchor = None;
    }

    fn refused(&mut self, id: RequestId, notice: &str) {
        notice.clone_into(&mut self.notice);
        self.invitations.retain(|invitation| !invitation.waits_for(id));
        if let Some(place) = self.sending.iter().position(|sending| sending.id == id) {
            // What was typed is not lost: it goes back where it came from, unless something else stands there now.
            let Sending { conversation, text, .. } = self.sending.remove(place);
            let is_shown = self.chosen == Some(conversation);
            let line = if is_shown { &mut self.line } else { self.drafts.entry(conversation).or_default() };
            if line.is_blank() {
                *line = Line::holding(text);
            }
        }
    }
}

fn may_edit(message: &Message, picture: &Picture) -> bool {
    message.author == Some(picture.me) && !message.is_system() && !message.is_deleted()
}

#[cfg(test)]
mod tests;
