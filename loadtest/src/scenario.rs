//! What a load is to be: sizes, pace and mix, read from a TOML file and changed by flags.
//!
//! Owns: the names of the bundled scenarios. Not here: who writes what when ([`crate::engine`]).

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

macro_rules! bundled {
    ($($name:literal),+ $(,)?) => {
        /// Every bundled scenario: its name and its file.
        const BUNDLED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../scenarios/", $name, ".toml")))),+];
    };
}

bundled!(
    "idle",
    "burst",
    "rooms",
    "mixed",
    "hot-room",
    "presence",
    "reconnect",
    "slow-readers",
    "drain",
    "soak",
    "find-max",
);

/// A kind of event that a load sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `message:add_plain`.
    Post,
    /// `message:edit` of the writer's last message.
    Edit,
    /// `conv:set_writing`.
    Pen,
    /// `message:set_editing` of the writer's last message.
    Lock,
    /// `message:mark_read` up to the newest message.
    Read,
    /// `message:add_todo`.
    Task,
    /// `message:set_done` of the writer's last task.
    Done,
    /// `message:add_reaction` to the newest message.
    Reaction,
    /// `conv:sync_backward`: a page of older messages.
    Sync,
}

impl Kind {
    /// Its name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Edit => "edit",
            Self::Pen => "pen",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Task => "task",
            Self::Done => "done",
            Self::Reaction => "reaction",
            Self::Sync => "sync",
        }
    }
}

/// How fast events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Not at all: sessions are held.
    Idle,
    /// So many events a second over everything, at times fixed in advance (open loop).
    Open {
        /// Events a second.
        rate: f64,
    },
    /// Each writer keeps so many events unanswered (closed loop): as fast as the server goes. Latencies of such a run say how long the
    /// queue is, not how fast the server answers.
    Saturate {
        /// Unanswered events of each writer in each of his conversations.
        in_flight: usize,
    },
}

/// What happens beside the events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Nothing: warm up, measure, settle.
    #[default]
    Steady,
    /// All but the keepers lose their connections, miss something, and come back at once.
    Storm {
        /// Changes that each of them misses.
        missed: f64,
        /// Seconds over which they are dropped; 0 means all at once.
        over_s: f64,
    },
    /// The server is told to end while everybody writes, and started again.
    Drain,
    /// So many messages come to every session after a while of silence: what does a burst leave behind?
    Burst {
        /// Messages in each conversation.
        messages: f64,
        /// Seconds after it, before memory is looked at again.
        rest_s: f64,
    },
}

/// What a load is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Its name in reports.
    pub name: String,
    /// One sentence: what it shows.
    pub about: String,
    /// Conversations.
    pub conversations: usize,
    /// Members of each.
    pub members: usize,
    /// Accounts, one session each; 0 means a session for each member of each conversation. With fewer, every session is in several
    /// conversations.
    pub sessions: usize,
    /// How many of the sessions connect; 0 means all. The others are members that are away.
    pub online: usize,
    /// How many of the sessions keep their connections in a storm. Each conversation has one of them, who writes while the others are away.
    pub keepers: usize,
    /// How many of the sessions do not read while the load is on.
    pub slow: usize,
    /// Messages in each conversation, about, before the load begins.
    pub stored: f64,
    /// Sessions a second that lose their connection and come back.
    pub churn: f64,
    /// What happens beside the events.
    pub shape: Shape,
    /// How many of a conversation's online members write; 0 means all.
    pub writers: usize,
    /// How fast.
    pub pace: Pace,
    /// How often each kind of event is sent, as weights.
    pub mix: BTreeMap<Kind, f64>,
    /// The length of each message's text, at least what the load writes into it.
    pub message_bytes: usize,
    /// Seconds of load that are not measured: connections, caches and the store's files have to warm up.
    pub warm_up_s: f64,
    /// Seconds that are measured.
    pub measure_s: f64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            about: String::new(),
            conversations: 0,
            members: 1,
            sessions: 0,
            online: 0,
            keepers: 0,
            slow: 0,
            stored: 0.0,
            churn: 0.0,
            shape: Shape::Steady,
            writers: 0,
            pace: Pace::Idle,
            mix: BTreeMap::from([(Kind::Post, 1.0)]),
            message_bytes: 0,
            warm_up_s: 2.0,
            measure_s: 10.0,
        }
    }
}

impl Scenario {
    /// Reads one from a file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::Plan(format!("{}: {error}", path.display())))?;
        Self::parse(&text).map_err(|reason| Failure::Plan(format!("{}: {reason}", path.display())))
    }

    /// A bundled one.
    pub fn bundled(name: &str) -> Result<Self, Failure> {
        let found = BUNDLED.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| Failure::Plan(format!("there is no scenario {name}")))?;
        Self::parse(text).map_err(|reason| Failure::Plan(format!("{name}: {reason}")))
    }

    /// The names of the bundled ones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUNDLED.iter().map(|(name, _)| *name)
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// How many sessions there are, connected or not.
    #[must_use]
    pub fn sessions(&self) -> usize {
        let ordinary = self.members - self.members.min(self.keepers.min(1));
        if self.sessions == 0 { self.keepers + self.conversations * ordinary } else { self.sessions }
    }

    /// How many sessions connect.
    #[must_use]
    pub fn online(&self) -> usize {
        if self.online == 0 { self.sessions() } else { self.online.min(self.sessions()) }
    }

    /// The session of a conversation's member. Neighbouring conversations have neighbouring members, so that all sessions are used.
    #[must_use]
    pub fn session_of(&self, conversation: usize, member: usize) -> usize {
        let keepers = self.keepers;
        match (keepers, member) {
            (0, _) => (conversation * self.members + member) % self.sessions(),
            (_, 0) => conversation % keepers,
            (_, _) => {
                keepers + (conversation * (self.members - 1) + member - 1) % (self.sessions() - keepers)
            }
        }
    }

    /// The sessions of a conversation's members that connect.
    pub fn online_members(&self, conversation: usize) -> impl Iterator<Item = usize> + '_ {
        let members = (0..self.members).map(move |member| self.session_of(conversation, member));
        members.filter(|session| *session < self.online())
    }

    /// The sessions that write in a conversation.
    pub fn writers(&self, conversation: usize) -> impl Iterator<Item = usize> + '_ {
        let most = if self.writers == 0 { usize::MAX } else { self.writers };
        self.online_members(conversation).take(most)
    }

    /// The sessions that create the conversations.
    #[must_use]
    pub fn founders(&self) -> BTreeSet<usize> {
        (0..self.conversations).filter_map(|of| self.online_members(of).next()).collect()
    }

    /// Whether the conversations are created before anybody but their founders is connected: in large ones each addition would tell
    /// everybody who is there of a thousand people, faster than he can read.
    #[must_use]
    pub fn founds_first(&self) -> bool {
        self.conversations > 0 && self.online() < self.sessions()
    }

    /// Whether a catch-up of this load may show messages that have been revised since.
    #[must_use]
    pub fn replays_revised(&self) -> bool {
        let is_cut = self.churn > 0.0 || self.slow > 0 || self.shape != Shape::Steady;
        let revises = [Kind::Edit, Kind::Done, Kind::Reaction].iter().any(|kind| self.mix.contains_key(kind));
        is_cut && revises
    }

    /// Whether somebody looks for pens, locks and read marks.
    #[must_use]
    pub fn has_activity(&self) -> bool {
        [Kind::Pen, Kind::Lock, Kind::Read].iter().any(|kind| self.mix.contains_key(kind))
    }

    /// Says what cannot be carried out.
    pub fn check(&self) -> Result<(), Failure> {
        let wrong = |what: &str| Err(Failure::Plan(format!("{}: {what}", self.name)));
        if self.sessions() == 0 {
            return wrong("it has no sessions");
        }
        if self.keepers > 0 && (self.sessions() <= self.keepers || self.members < 2) {
            return wrong("keepers want others to be kept for");
        }
        if self.slow > self.online() {
            return wrong("it has more slow sessions than sessions");
        }
        if self.conversations > 0 && !(1..=self.sessions()).contains(&self.members) {
            return wrong("members are from 1 to the number of sessions");
        }
        if (0..self.conversations).any(|conversation| self.online_members(conversation).next().is_none()) {
            return wrong("a conversation has no member that is online");
        }
        let is_sound = match self.pace {
            Pace::Idle => true,
            Pace::Open { rate } => rate > 0.0 && self.conversations > 0,
            Pace::Saturate { in_flight } => in_flight > 0 && self.conversations > 0,
        };
        if !is_sound {
            return wrong("a pace wants conversations and a number above 0");
        }
        let weights = self.mix.values().copied();
        if weights.clone().any(|weight| weight < 0.0) || weights.sum::<f64>() <= 0.0 {
            return wrong("weights are above 0");
        }
        if self.stored < 0.0 || self.stored > 0.0 && self.shape != Shape::Steady {
            return wrong("messages are stored before a steady load");
        }
        if self.warm_up_s < 0.0 || self.measure_s <= 0.0 {
            return wrong("it measures for no time");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_scenario_is_sound_and_has_its_file_name() {
        for name in Scenario::names() {
            let scenario = Scenario::bundled(name).unwrap();
            scenario.check().unwrap();
            assert_eq!(scenario.name, name);
            assert!(!scenario.about.is_empty());
        }
        assert!(Scenario::bundled("nothing").is_err());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), BUNDLED.len());
    }

    #[test]
    fn an_unknown_key_is_refused_and_impossible_sizes_too() {
        assert!(Scenario::parse("conversation = 3\npace = \"idle\"").is_err());
        let scenario = Scenario { conversations: 3, members: 2, sessions: 5, ..Scenario::default() };
        assert!(scenario.check().is_ok());
        assert!(Scenario { members: 6, ..scenario.clone() }.check().is_err());
        assert!(Scenario { online: 1, ..scenario.clone() }.check().is_err());
        assert!(Scenario { pace: Pace::Open { rate: 0.0 }, ..scenario }.check().is_err());
    }

    #[test]
    fn conversations_with_members_that_are_away_are_founded_first() {
        let scenario = Scenario { conversations: 2, members: 4, sessions: 8, ..Scenario::default() };
        assert!(!scenario.founds_first());
        let scenario = Scenario { online: 5, ..scenario };
        assert!(scenario.founds_first());
        assert_eq!(scenario.founders().into_iter().collect::<Vec<_>>(), [0, 4]);
    }

    #[test]
    fn conversations_share_sessions_when_there_are_fewer() {
        let scenario = Scenario { conversations: 3, members: 2, sessions: 5, ..Scenario::default() };
        let members: Vec<Vec<usize>> =
            (0..3).map(|conversation| scenario.online_members(conversation).collect()).collect();
        assert_eq!(members, [[0, 1], [2, 3], [4, 0]]);
        let kept = Scenario { sessions: 0, keepers: 2, ..scenario.clone() };
        let members: Vec<Vec<usize>> =
            (0..3).map(|conversation| kept.online_members(conversation).collect()).collect();
        assert_eq!((kept.sessions(), members), (5, vec![vec![0, 2], vec![1, 3], vec![0, 4]]));
        let own = Scenario { sessions: 0, writers: 1, ..scenario };
        assert_eq!(
            (own.sessions(), own.session_of(2, 1), own.writers(2).collect::<Vec<_>>()),
            (6, 5, vec![4])
        );
    }
}
