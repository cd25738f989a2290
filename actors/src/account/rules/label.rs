//! Making, changing and removing labels, and which of them a list is asked for (protocol.md §3.10, §6.4, conversations.md §11).

use std::collections::BTreeSet;

use bytes::Bytes;
use rill_proto::event::label::SyncConversations;
use rill_proto::id::LabelId;
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::{Decision, Facts, News, spread};
use crate::account::employment::team_label_id;
use crate::account::label::{self, Label, Labels, SystemLabel, Wanted, Wish};
use crate::account::listing::{Listed, Listing};
use crate::account::state::{Change, State};

/// How many labels an account may make: they are all in memory and in every initial sync, and nobody finds his way about in
/// more.
pub const LABELS_MAX: usize = 500;

/// How many rows of labels an account keeps, those that are gone included.
const ROWS_MAX: usize = 2 * LABELS_MAX;

/// How long a name may be, as that of a section.
const NAME_CHARS_MAX: usize = 256;

/// `index` of a label that is to be removed.
const REMOVED: i64 = -1;

/// Labels in the making.
struct Draft<'a> {
    state: &'a State,
    facts: &'a Facts,
    labels: Labels,
    changed: BTreeSet<LabelId>,
    /// What conversations must be told of.
    spread: BTreeSet<LabelId>,
}

/// Carries wishes out, all or none. Answers with the labels that they are about.
///
/// # Errors
/// `not_found` for a label that there is not, `invalid_call` for a name that cannot be one, `business_logic` for what may not
/// be changed and where there are too many.
pub fn store(
    state: &State,
    wishes: &[Wish],
    facts: &Facts,
) -> Result<(Decision, Vec<(LabelId, Bytes)>), Refusal> {
    let labels = state.labels.clone();
    let mut draft = Draft { state, facts, labels, changed: BTreeSet::new(), spread: BTreeSet::new() };
    let mut ids = Vec::with_capacity(wishes.len());
    for wish in wishes {
        ids.push(match wish {
            Wish::Named(name) => draft.named(name)?,
            Wish::Change(wanted) => draft.change(wanted)?,
        });
    }
    let account_id = state.account_id;
    let shown = ids.into_iter().filter_map(|id| {
        let set = draft.labels.get(&id).cloned();
        let label = set.or_else(|| SystemLabel::of(account_id, id).map(SystemLabel::unset))?;
        Some((id, label::record(account_id, id, &label, None)))
    });
    let shown = shown.collect();
    Ok((draft.decide(), shown))
}

/// The list that `label:sync_conversations` asks for.
///
/// # Errors
/// `not_found` for a label that the account does not have.
pub(super) fn list(state: &State, event: &SyncConversations) -> Result<Listing, Refusal> {
    let account_id = state.account_id;
    let mut teams = state.teams.iter().filter(|(_, row)| row.is_member);
    let team = teams.find(|(id, _)| team_label_id(account_id, **id) == event.label_id);
    let team = team.map(|(id, row)| Listed::Team(*id, row.clone()));
    let own = || label::active(&state.labels, account_id, event.label_id).map(Listed::Own);
    let label = team.or_else(own).ok_or_else(|| Refusal::not_found("Label"))?;
    let barring = |bars: fn(&Label) -> bool| -> BTreeSet<LabelId> {
        let settable = SystemLabel::ALL.into_iter().filter(|label| label.is_settable());
        let ids = settable.map(|label| label.id(account_id)).chain(state.labels.keys().copied());
        let is_barring =
            |id: &LabelId| label::active(&state.labels, account_id, *id).is_some_and(|label| bars(&label));
        ids.filter(is_barring).collect()
    };
    let system = SystemLabel::of(account_id, event.label_id);
    let barred = match system {
        Some(SystemLabel::Recent) => barring(|label| !label.is_in_recent),
        Some(SystemLabel::Muted) => barring(|label| !label.is_in_muted),
        Some(_) | None => BTreeSet::new(),
    };
    let dialogs = match system {
        Some(SystemLabel::OneToOne) => state.contacts.rows().filter_map(|(_, row)| row.dialog_id).collect(),
        Some(_) | None => BTreeSet::new(),
    };
    let after = event.sync_cursor.0.as_ref().map(|at| (at.acv_inbox_time.seconds() as i64, at.acv_conv_id));
    Ok(Listing {
        label_id: event.label_id,
        label,
        system,
        barred,
        dialogs,
        mode: event.mk_init_mode,
        after,
        limit: event.limit.get(),
    })
}

impl Draft<'_> {
    fn named(&mut self, name: &str) -> Result<LabelId, Refusal> {
        let name = name.trim();
        let known = self.id_of(name);
        known.map_or_else(|| self.make(name), Ok)
    }

    /// The active label of a name.
    fn id_of(&self, name: &str) -> Option<LabelId> {
        let system = SystemLabel::ALL.into_iter().find(|label| label.name() == name);
        let made = || self.labels.iter().find(|(_, label)| !label.is_removed && label.name == name);
        system.map(|label| label.id(self.state.account_id)).or_else(|| made().map(|(id, _)| *id))
    }

    fn make(&mut self, name: &str) -> Result<LabelId, Refusal> {
        let name = named(name)?;
        let account_id = self.state.account_id;
        let is_made = |id: &LabelId| SystemLabel::of(account_id, *id).is_none();
        let active = self.labels.iter().filter(|(id, label)| is_made(id) && !label.is_removed);
        if active.count() >= LABELS_MAX {
            let what = format!("An account has at most {LABELS_MAX} labels; remove one first.");
            return Err(Refusal::no_permission(what));
        }
        let gone = self.labels.iter().filter(|(_, label)| label.is_removed);
        let again = gone.clone().find(|(_, label)| label.name == name).map(|(id, _)| *id);
        let oldest = gone.min_by_key(|(_, label)| label.stamp).map(|(id, _)| *id);
        let label_id = again.unwrap_or_else(|| {
            let seed = format!("label:user:{}:{}", self.facts.stamp, self.changed.len());
            LabelId(Uuid::new_v5(&account_id.0, seed.as_bytes()))
        });
        if let Some(oldest) = oldest.filter(|_| again.is_none() && self.labels.len() >= ROWS_MAX) {
            self.labels.remove(&oldest);
            self.changed.insert(oldest);
        }
        let highest = self.labels.values().map(|label| label.index).max().unwrap_or(0);
        let label = Label {
            name: name.to_owned(),
            index: highest.max(SystemLabel::ALL.len() as i32).saturating_add(1),
            is_on_left_pane: true,
            is_in_recent: true,
            is_in_muted: true,
            is_removed: false,
            stamp: self.facts.stamp,
        };
        self.labels.insert(label_id, label);
        self.changed.insert(label_id);
        Ok(label_id)
    }

    fn change(&mut self, wanted: &Wanted) -> Result<LabelId, Refusal> {
        let label_id = match wanted.label_id {
            Some(label_id) => label_id,
            None => self.named(wanted.name.as_deref().unwrap_or_default())?,
        };
        let account_id = self.state.account_id;
        let old = label::active(&self.labels, account_id, label_id);
        let old = old.ok_or_else(|| Refusal::not_found("Label"))?;
        let label = self.changed(label_id, &old, wanted)?;
        if label != old {
            if label.name != old.name || label.is_removed {
                self.spread.insert(label_id);
            }
            self.changed.insert(label_id);
            self.labels.insert(label_id, Label { stamp: self.facts.stamp, ..label });
        }
        Ok(label_id)
    }

    fn changed(&self, label_id: LabelId, old: &Label, wanted: &Wanted) -> Result<Label, Refusal> {
        let mut label = old.clone();
        if let Some(name) = &wanted.name {
            let name = named(name.trim())?;
            if self.id_of(name).is_some_and(|known| known != label_id) {
                return Err(Refusal::no_permission("There is a label of this name already."));
            }
            name.clone_into(&mut label.name);
        }
        label.is_on_left_pane = wanted.is_on_left_pane.unwrap_or(label.is_on_left_pane);
        label.is_in_recent = wanted.is_in_recent.unwrap_or(label.is_in_recent);
        label.is_in_muted = wanted.is_in_muted.unwrap_or(label.is_in_muted);
        match wanted.index {
            Some(REMOVED) => label.is_removed = true,
            Some(index) => {
                let index = i32::try_from(index).ok().filter(|index| *index >= 0);
                label.index =
                    index.ok_or_else(|| Refusal::invalid_call("index", "-1 or a place is allowed"))?;
            }
            None => {}
        }
        let fixed =
            |label: &Label| (label.name.clone(), label.is_in_recent, label.is_in_muted, label.is_removed);
        if SystemLabel::of(self.state.account_id, label_id).is_some() && fixed(&label) != fixed(old) {
            return Err(Refusal::no_permission("A system label can only be moved and shown elsewhere."));
        }
        Ok(label)
    }

    fn decide(self) -> Decision {
        let told: Vec<News> = self.changed.iter().map(|id| News::Label(*id)).collect();
        let effects =
            self.spread.iter().flat_map(|id| spread::label(self.state, &self.labels, *id, self.facts));
        let effects = effects.collect();
        let changes =
            self.changed.iter().map(|id| Change::Label(*id, self.labels.get(id).cloned())).collect();
        Decision { changes, effects, news: told, ..Decision::default() }
    }
}

fn named(name: &str) -> Result<&str, Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid_call("label", "a name is needed, blanks alone are none"));
    }
    if name.chars().count() > NAME_CHARS_MAX {
        let what = format!("at most {NAME_CHARS_MAX} characters are allowed");
        return Err(Refusal::invalid_call("label", what));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use rill_proto::id::ConversationId;

    use super::*;
    use crate::account::rules::replay::*;
    use crate::account::state::Membership;
    use crate::effect::Effect;

    fn stored(state: &mut State, wishes: &[Wish]) -> Result<(Decision, Vec<LabelId>), Refusal> {
        let (decision, labels) = store(state, wishes, &facts())?;
        decision.changes.iter().for_each(|change| state.fold(change));
        Ok((decision, labels.into_iter().map(|(id, _)| id).collect()))
    }

    fn by_name(name: &str) -> Wish {
        Wish::Named(name.to_owned())
    }

    fn of(label_id: LabelId) -> Wanted {
        Wanted { label_id: Some(label_id), ..Wanted::default() }
    }

    #[test]
    fn a_label_is_made_when_it_is_first_named() {
        let mut state = known(ALICE, "alice");
        let (decision, ids) =
            stored(&mut state, &[by_name(" Work "), by_name("starred"), by_name("Work")]).unwrap();
        assert_eq!(ids[1], SystemLabel::Starred.id(ALICE));
        assert_eq!((ids[0], decision.changes.len()), (ids[2], 1));
        assert_eq!(decision.news, [News::Label(ids[0])]);
        let work = &state.labels[&ids[0]];
        assert_eq!((work.name.as_str(), work.index), ("Work", 9));
        assert!(work.is_on_left_pane && work.is_in_recent && work.is_in_muted && !work.is_removed);
        let (decision, again) = stored(&mut state, &[by_name("Work")]).unwrap();
        assert!(decision.changes.is_empty());
        assert_eq!(again, [ids[0]]);
    }

    #[test]
    fn conversations_are_told_of_another_name_and_of_the_end() {
        let mut state = known(ALICE, "alice");
        let here = ConversationId(Uuid::from_u128(7));
        state.fold(&Change::Membership(here, Membership { by: ALICE, version: 1, stamp: 1 }));
        let (_, ids) = stored(&mut state, &[by_name("Work")]).unwrap();
        let told = |decision: &Decision| match &decision.effects[..] {
            [(_, Effect::Labelled { label_id, name, .. })] if *label_id == ids[0] => name.clone(),
            other => panic!("{other:?}"),
        };
        let renamed = Wanted { name: Some("Play".to_owned()), ..of(ids[0]) };
        let (decision, _) = stored(&mut state, &[Wish::Change(renamed)]).unwrap();
        assert_eq!(told(&decision), Some("Play".to_owned()));
        let moved = Wanted { index: Some(3), is_in_recent: Some(false), ..of(ids[0]) };
        let (decision, _) = stored(&mut state, &[Wish::Change(moved)]).unwrap();
        assert!(decision.effects.is_empty());
        let removed = Wish::Change(Wanted { index: Some(-1), ..of(ids[0]) });
        let (decision, _) = stored(&mut state, std::slice::from_ref(&removed)).unwrap();
        assert_eq!(told(&decision), None);
        assert_eq!(decision.news, [News::Label(ids[0])]);
        assert_eq!(stored(&mut state, &[removed]), Err(Refusal::not_found("Label")));
        let (_, again) = stored(&mut state, &[by_name("Play")]).unwrap();
        assert_eq!(again, ids, "it is the same label again");
        assert!(state.labels[&ids[0]].is_in_recent, "as new");
    }

    #[test]
    fn a_system_label_can_only_be_moved() {
        let mut state = known(ALICE, "alice");
        let id = SystemLabel::Muted.id(ALICE);
        let moved = Wanted { index: Some(30), is_on_left_pane: Some(false), ..of(id) };
        stored(&mut state, &[Wish::Change(moved)]).unwrap();
        assert_eq!((state.labels[&id].index, state.labels[&id].is_on_left_pane), (30, false));
        for wanted in [
            Wanted { name: Some("Silent".to_owned()), ..of(id) },
            Wanted { index: Some(-1), ..of(id) },
            Wanted { is_in_recent: Some(true), ..of(id) },
            Wanted { is_in_muted: Some(false), ..of(id) },
        ] {
            let refused = stored(&mut state, &[Wish::Change(wanted)]).unwrap_err();
            assert_eq!((refused.status, refused.error_id), (431, "business_logic"));
        }
    }

    #[test]
    fn names_are_names_and_there_is_one_label_of_each() {
        let mut state = known(ALICE, "alice");
        let (_, ids) = stored(&mut state, &[by_name("Work"), by_name("Play")]).unwrap();
        for name in [" ".to_owned(), "x".repeat(NAME_CHARS_MAX + 1)] {
            let refused = stored(&mut state, &[by_name(&name)]).unwrap_err();
            assert!(refused.status == 400 && refused.error_message.starts_with("params.label"));
        }
        for name in ["Play", "Spam"] {
            let wanted = Wanted { name: Some(name.to_owned()), ..of(ids[0]) };
            let refused = stored(&mut state, &[Wish::Change(wanted)]).unwrap_err();
            assert_eq!(refused.error_message, "There is a label of this name already.");
        }
        let wanted = Wanted { index: Some(-2), ..of(ids[0]) };
        assert_eq!(stored(&mut state, &[Wish::Change(wanted)]).unwrap_err().status, 400);
    }

    #[test]
    fn an_account_has_not_too_many() {
        let mut state = known(ALICE, "alice");
        let names: Vec<Wish> = (0..LABELS_MAX).map(|nr| by_name(&nr.to_string())).collect();
        let (_, ids) = stored(&mut state, &names).unwrap();
        assert_eq!(stored(&mut state, &[by_name("one more")]).unwrap_err().error_id, "business_logic");
        let end = |id: &LabelId| Wish::Change(Wanted { index: Some(-1), ..of(*id) });
        stored(&mut state, &ids.iter().map(end).collect::<Vec<_>>()).unwrap();
        let others: Vec<Wish> = (0..LABELS_MAX).map(|nr| by_name(&format!("other {nr}"))).collect();
        let mut later = facts();
        later.stamp += 1;
        for wishes in [&others[..], &[by_name("0")]] {
            let refused = store(&state, wishes, &later).map(|(decision, _)| decision);
            if let Ok(decision) = refused {
                decision.changes.iter().for_each(|change| state.fold(change));
            }
        }
        assert_eq!(state.labels.len(), ROWS_MAX);
        let end = Wish::Change(Wanted {
            index: Some(-1),
            ..of(*state.labels.iter().find(|(_, l)| !l.is_removed).unwrap().0)
        });
        later.stamp += 1;
        let (decision, _) = store(&state, &[end, by_name("the last")], &later).unwrap();
        decision.changes.iter().for_each(|change| state.fold(change));
        assert_eq!(state.labels.len(), ROWS_MAX, "one that had long been gone made place");
    }
}
