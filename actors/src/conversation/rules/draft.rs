//! A decision in the making: rows that change, what they cause, and whom it is told.
//!
//! Owned here: what every visible message and every revision does to the numbers (conversations.md §1, §2.2), and the
//! order in which its records go out (§5.2). Not here: which event does what.

use std::collections::BTreeMap;

use rill_proto::classificator::{AlertLevel, MessageState};
use rill_proto::id::{AccountId, SectionId, TeamId};
use rill_proto::record::message::is_shared;
use rill_proto::refusal::Refusal;
use serde_json::json;
use uuid::Uuid;

use crate::conversation::board::Place;
use crate::conversation::rules::alert;
use crate::conversation::rules::flow::Flow;
use crate::conversation::rules::{Decision, Facts, Header, Judged, Keys, News, Reach, Soft};
use crate::conversation::state::{Change, Head, Member, Message, MessageKind, Run, Section, Slot, State};
use crate::effect::Effect;
use crate::file::Attached;
use crate::store::Aggregate;
use crate::team::roster::Roster;

mod people;
mod places;
mod stored;
mod teams;

/// How many slots an answer with `from_message_nr` covers. As many as an active conversation holds in memory, so that
/// hardly any answer waits for the store; who is further behind sees it by `fw_message_nr` and syncs forward.
const ANSWER_SLOTS_MAX: usize = crate::conversation::state::RECENT_SLOTS_MAX;

/// A decision in the making.
pub(super) struct Draft<'a> {
    pub(super) state: &'a State,
    pub(super) facts: &'a Facts,
    pub(super) caller: AccountId,
    /// The head as it will be.
    pub(super) head: Head,
    members: BTreeMap<AccountId, Member>,
    slots: BTreeMap<u64, Slot>,
    runs: Vec<Run>,
    sections: Vec<(SectionId, Section)>,
    places: BTreeMap<u64, Option<Place>>,
    teams: BTreeMap<TeamId, Option<Roster>>,
    /// The sections that are told of, changed or not.
    pub(super) sections_told: Vec<SectionId>,
    /// Consequences for other aggregates.
    pub(super) effects: Vec<(Aggregate, Effect)>,
    /// What happens to pens and locks.
    pub(super) soft: Vec<Soft>,
    /// Accounts that the others may not know yet.
    pub(super) contacts: Vec<AccountId>,
    /// Members whose join is told.
    pub(super) joined: Vec<AccountId>,
    /// The caller's read horizon moved forward, which the others are told.
    pub(super) has_read_on: bool,
    /// The message that the event names or makes, for the identifier.
    pub(super) about: Option<u64>,
    /// What only some are told, behind the rest.
    pub(super) aside: Vec<(Reach, News)>,
    /// The messages that this decision tells of, and the revision's slot of each.
    told: Vec<(u64, Option<u64>)>,
    facts_changed: bool,
    /// What the full header says to the caller alone changed.
    own_facts_changed: bool,
}

/// What is said in a new message.
#[derive(Default)]
pub(super) struct Post {
    pub(super) message: String,
    pub(super) subject: Option<String>,
    pub(super) reply_to_message_nr: Option<u64>,
    pub(super) mention_ids: Vec<AccountId>,
    pub(super) attached: Attached,
}

impl<'a> Draft<'a> {
    /// Nothing decided yet.
    pub(super) fn new(state: &'a State, head: Head, caller: AccountId, facts: &'a Facts) -> Self {
        Self {
            state,
            facts,
            caller,
            head,
            members: BTreeMap::new(),
            slots: BTreeMap::new(),
            runs: Vec::new(),
            sections: Vec::new(),
            places: BTreeMap::new(),
            teams: BTreeMap::new(),
            sections_told: Vec::new(),
            effects: Vec::new(),
            soft: Vec::new(),
            contacts: Vec::new(),
            joined: Vec::new(),
            has_read_on: false,
            about: None,
            aside: Vec::new(),
            told: Vec::new(),
            facts_changed: false,
            own_facts_changed: false,
        }
    }

    /// The flow as it will be.
    pub(super) fn flow(&self) -> Flow<'_> {
        Flow { state: self.state, facts: self.facts, fresh: &self.slots }
    }

    /// A member as he will be.
    pub(super) fn member(&self, account_id: AccountId) -> Option<&Member> {
        self.members.get(&account_id).or_else(|| self.state.members.get(&account_id))
    }

    /// A member to be changed.
    ///
    /// # Errors
    /// `not_member` when there is no such row; callers know better.
    pub(super) fn change(&mut self, account_id: AccountId) -> Result<&mut Member, Refusal> {
        if !self.members.contains_key(&account_id) {
            let member = self.state.members.get(&account_id).ok_or_else(Refusal::not_member)?;
            self.members.insert(account_id, member.clone());
        }
        let member = self.members.get_mut(&account_id).ok_or_else(Refusal::not_member)?;
        member.stamp = self.facts.stamp;
        Ok(member)
    }

    /// Puts a member's row in.
    pub(super) fn put_member(&mut self, account_id: AccountId, member: Member) {
        self.members.insert(account_id, member);
    }

    /// Puts a section's row in.
    pub(super) fn put_section(&mut self, section_id: SectionId, section: Section) {
        self.sections.push((section_id, section));
    }

    /// Everybody as he will be.
    pub(super) fn everybody(&self) -> impl Iterator<Item = (AccountId, &Member)> {
        let kept = self.state.members.iter().filter(|(id, _)| !self.members.contains_key(id));
        kept.chain(&self.members).map(|(id, member)| (*id, member))
    }

    /// A fact of the full header changed; everybody gets the key set F.
    pub(super) fn change_facts(&mut self) {
        self.facts_changed = true;
        self.head.facts_stamp = self.facts.stamp;
    }

    /// What the full header says to the caller alone changed; he gets the key set F, now and when he comes back.
    pub(super) fn change_own_facts(&mut self) {
        self.own_facts_changed = true;
        self.head.facts_stamp = self.facts.stamp;
    }

    /// Posts a message by the caller and moves his marks to it. A person's text takes an inbox number.
    ///
    /// # Errors
    /// As [`Draft::change`].
    pub(super) fn post(&mut self, kind: MessageKind, post: Post) -> Judged<u64> {
        let nr = self.announce(kind, post);
        self.read_to(nr)?;
        Ok(nr)
    }

    /// [`Draft::post`], of something that happened without the caller's looking: his marks stay.
    pub(super) fn announce(&mut self, kind: MessageKind, post: Post) -> u64 {
        let nr = self.head.last_message_nr + 1;
        let is_inbox = kind.is_inbox();
        let is_text = kind == MessageKind::Text;
        if is_inbox {
            self.head.last_inbox_nr += 1;
            self.head.last_inbox_time = self.facts.now;
            self.head.inbox_message_nr = nr;
            self.runs.extend(self.state.run_for(self.head.last_inbox_nr, nr));
            self.bring_back();
        }
        let inbox_nr = i64::try_from(self.head.last_inbox_nr).unwrap_or(i64::MAX);
        self.use_up(post.attached.uploads);
        let message = Message {
            message_nr: nr,
            message_id: self.state.message_id(nr),
            account_id: self.caller,
            kind,
            state: if is_text { MessageState::Plain } else { MessageState::System },
            message: post.message,
            posted_time: self.facts.now,
            edited_time: None,
            edit_account_id: None,
            prev_message_nr: self.head.show_message_nr,
            flow_message_nr: None,
            ref_message_nr: None,
            reply_to_message_nr: post.reply_to_message_nr,
            inbox_nr: if is_inbox { inbox_nr } else { -inbox_nr },
            subject: post.subject,
            mention_ids: post.mention_ids,
            is_url_preview_disabled: is_text && self.head.settings.is_url_preview_disabled == Some(true),
            extras: None,
            files: post.attached.files,
            stamp: self.facts.stamp,
        };
        self.head.last_message_nr = nr;
        self.head.show_message_nr = nr;
        self.head.last_message_time = self.facts.now;
        self.slots.insert(nr, Slot::Message(Box::new(message)));
        self.told.push((nr, None));
        nr
    }

    /// Posts a system message by the caller, who may act from outside: an organisation's admin, or somebody who changed a team.
    ///
    /// # Errors
    /// As [`Draft::change`].
    pub(super) fn say(&mut self, kind: MessageKind, message: String) -> Judged<u64> {
        let post = Post { message, ..Post::default() };
        let is_in = self.member(self.caller).is_some_and(Member::is_present);
        if is_in { self.post(kind, post) } else { Ok(self.announce(kind, post)) }
    }

    /// Posts a text by the caller: those whom it mentions are noted, his pen is put down, and the decision is about it.
    ///
    /// # Errors
    /// As [`Draft::change`].
    pub(super) fn post_text(&mut self, post: Post) -> Judged<u64> {
        let mention_ids = post.mention_ids.clone();
        let nr = self.post(MessageKind::Text, post)?;
        self.mention(nr, &[], &mention_ids)?;
        self.soft.push(Soft::PenOff(self.caller));
        self.about = Some(nr);
        Ok(nr)
    }

    /// Tells the caller's account that uploads of its are attached now.
    pub(super) fn use_up(&mut self, uploads: Vec<Uuid>) {
        if !uploads.is_empty() {
            self.effects.push((Aggregate::Account(self.caller), Effect::Attached { uploads }));
        }
    }

    /// Moves the caller's read horizon and clears what reading clears. The caller keeps it within bounds and forward.
    ///
    /// # Errors
    /// As [`Draft::change`].
    pub(super) fn read_to(&mut self, nr: u64) -> Result<(), Refusal> {
        let (show, stamp) = (self.head.show_message_nr, self.facts.stamp);
        let read_inbox_nr = self.inbox_at(nr);
        let member = self.change(self.caller)?;
        let has_moved = member.read_message_nr != nr || !member.has_read;
        member.read_message_nr = nr;
        member.read_inbox_nr = read_inbox_nr;
        member.is_mark_unread = Some(false);
        member.has_read = true;
        if nr >= show && member.alert_level == AlertLevel::UntilRead {
            alert::rest(member);
        }
        if has_moved {
            member.shown_read_nr = None;
            member.shown_stamp = stamp;
            self.has_read_on = true;
        }
        Ok(())
    }

    /// How many inbox messages lie at or below a slot, the one that this decision posts included.
    pub(super) fn inbox_at(&self, nr: u64) -> u64 {
        if nr >= self.head.show_message_nr { self.head.last_inbox_nr } else { self.state.inbox_at(nr) }
    }

    /// Changes a message that this decision posts.
    ///
    /// # Errors
    /// `not_found` when it posts no such message.
    pub(super) fn amend(&mut self, nr: u64, change: impl FnOnce(&mut Message)) -> Result<(), Refusal> {
        match self.slots.get_mut(&nr) {
            Some(Slot::Message(message)) => {
                change(message);
                Ok(())
            }
            Some(Slot::Revision { .. }) | None => Err(Refusal::not_found("Message")),
        }
    }

    /// Revises a message in a slot of its own, by the caller; nobody's read horizon moves.
    ///
    /// # Errors
    /// [`Stop::Needs`](super::Stop::Needs) when the message is not in memory.
    pub(super) fn revise(&mut self, nr: u64, revision: impl FnOnce(&mut Message)) -> Judged<u64> {
        let (caller, now) = (self.caller, self.facts.now);
        self.revise_quietly(nr, |message| {
            revision(message);
            message.edited_time = Some(now);
            message.edit_account_id = Some(caller);
        })
    }

    /// [`Draft::revise`] without saying who did it when.
    ///
    /// # Errors
    /// As [`Draft::revise`].
    pub(super) fn revise_quietly(&mut self, nr: u64, revision: impl FnOnce(&mut Message)) -> Judged<u64> {
        let mut message = self.flow().message(nr)?.ok_or_else(|| Refusal::not_found("Message"))?;
        let slot = self.head.last_message_nr + 1;
        let was_shared = is_shared(message.state);
        revision(&mut message);
        if was_shared && !is_shared(message.state) {
            message.extras_mut().closed_message_nr = Some(slot);
        }
        message.flow_message_nr = Some(slot);
        self.slots.insert(nr, Slot::Message(Box::new(message)));
        self.slots.insert(slot, Slot::Revision { of: nr, stamp: self.facts.stamp });
        self.head.last_message_nr = slot;
        self.told.push((nr, Some(slot)));
        Ok(slot)
    }

    /// Takes whatever lock lies on a message away.
    pub(super) fn unlock(&mut self, message_nr: u64) {
        if self.facts.locks.contains_key(&message_nr) {
            self.soft.push(Soft::Unlock(message_nr));
            self.aside.push((Reach::Activated, News::Lock { message_nr, holder: None }));
        }
    }

    fn has_changes(&self) -> bool {
        self.facts_changed
            || !(self.members.is_empty()
                && self.slots.is_empty()
                && self.sections.is_empty()
                && self.places.is_empty()
                && self.teams.is_empty())
    }

    fn tell_message(&self, nr: u64, flow: Option<u64>, news: &mut Vec<News>) -> Judged<()> {
        let message = self.flow().message(nr)?.ok_or_else(|| Refusal::not_found("Message"))?;
        let message = Box::new(message);
        let closed = flow.filter(|flow| message.extras().closed_message_nr == Some(*flow));
        let is_hidden = || self.everybody().any(|(_, member)| member.is_present() && !member.sees(nr));
        let withdrawn = closed.filter(|_| is_hidden());
        let withdrawn = withdrawn.map(|flow| News::Withdrawn { message: message.clone(), flow });
        news.push(News::Message { message, flow });
        news.extend(withdrawn);
        Ok(())
    }

    /// What is told, in the key sets U or F: contacts, sections, header, messages, joins. `from` asks for a forward sync in place
    /// of the messages that this decision touches.
    ///
    /// # Errors
    /// [`Stop::Needs`](super::Stop::Needs) when a slot of the forward sync is not in memory.
    pub(super) fn finish(self, from_message_nr: Option<i64>) -> Judged<Decision> {
        let is_full = self.facts_changed || self.own_facts_changed;
        let keys = if is_full { Keys::Full } else { Keys::Update };
        let mut records: Vec<News> = self.contacts.iter().map(|id| News::Contact(*id)).collect();
        records.extend(self.sections_told.iter().map(|id| News::Section(*id)));
        let mut answer = records.clone();
        let plain = Header { keys, fw: None, bw: None, is_reset: false };
        // What concerns nothing but sections leaves the header as it was.
        if self.sections_told.is_empty() || !self.told.is_empty() {
            records.push(News::Header(plain));
        }
        for (nr, flow) in &self.told {
            self.tell_message(*nr, *flow, &mut records)?;
        }
        records.extend(self.joined.iter().map(|id| News::Activity(*id)));
        match from_message_nr {
            None => answer.clone_from(&records),
            Some(from) => self.answer_forward(number(from), plain, &mut answer)?,
        }
        Ok(self.into_decision(answer, records))
    }

    fn answer_forward(&self, above: u64, plain: Header, answer: &mut Vec<News>) -> Judged<()> {
        let member = self.member(self.caller).ok_or_else(Refusal::not_member)?;
        let top = member.top(&self.head);
        let forward = self.flow().forward(member, above, top, ANSWER_SLOTS_MAX)?;
        let fw = forward.fw;
        let keys = if forward.changes_facts() { Keys::Full } else { plain.keys };
        answer.push(News::Header(Header { keys, fw: Some(fw), ..plain }));
        answer.extend(forward.news());
        for (nr, flow) in &self.told {
            let slot = flow.unwrap_or(*nr);
            if slot > fw || slot <= above {
                self.tell_message(*nr, *flow, answer)?;
            }
        }
        answer.extend(self.joined.iter().map(|id| News::Activity(*id)));
        Ok(())
    }

    /// The decision with an answer of its own; `records` go to the caller's other sessions and, when the flow moved or a fact
    /// changed, to the other members.
    pub(super) fn into_decision(self, answer: Vec<News>, records: Vec<News>) -> Decision {
        let mut news = Vec::new();
        if self.has_changes() {
            news.extend(records.iter().map(|record| (Reach::Own, record.clone())));
            if self.facts_changed || !(self.told.is_empty() && self.sections_told.is_empty()) {
                news.extend(records.into_iter().map(|record| (Reach::Others, record)));
            }
            if self.has_read_on && self.member(self.caller).is_some_and(Member::is_present) {
                news.push((Reach::Others, News::Activity(self.caller)));
            }
        }
        news.extend(self.aside.iter().cloned());
        let mut identifier = json!({ "conversation_id": self.state.conversation_id });
        if let Some(message_nr) = self.about {
            identifier["message_nr"] = message_nr.into();
        }
        let effects = self.effects.iter().cloned().chain(self.assignments()).chain(self.stored());
        let effects = effects.chain(self.placed()).collect();
        let soft = self.soft.clone();
        Decision { changes: self.into_changes(), effects, soft, identifier, answer, news }
    }

    fn into_changes(mut self) -> Vec<Change> {
        if !self.has_changes() {
            return Vec::new();
        }
        self.head.stamp = self.facts.stamp;
        let filed = self.filed();
        let mut changes = vec![Change::Head(self.head)];
        changes.extend(self.members.into_iter().map(|(id, member)| Change::Member(id, member)));
        changes.extend(self.runs.into_iter().map(Change::Run));
        changes.extend(self.slots.into_iter().map(|(nr, slot)| Change::Slot(nr, slot)));
        changes.extend(self.sections.into_iter().map(|(id, section)| Change::Section(id, section)));
        changes.extend(filed);
        changes.extend(self.places.into_iter().map(|(nr, place)| Change::Place(nr, place)));
        changes.extend(self.teams.into_iter().map(|(id, roster)| Change::Team(id, roster)));
        changes
    }
}

/// A number that a client gave; what lies below the first message counts as 0.
pub(super) fn number(given: i64) -> u64 {
    u64::try_from(given).unwrap_or(0)
}
