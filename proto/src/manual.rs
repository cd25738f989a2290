//! What the table of events says of an event beside its params, for whoever writes a client: who may ask for it, what it is
//! answered with, who else is told, and what it is refused for. `EVENTS.md` is made of it.
//!
//! Words only: the rules are with the owners of the state, and the wire scenarios hold them to these words.

/// Who may ask for an event (conversations.md §4.2 and §15).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum By {
    /// The account itself; whatever the event is about is its own.
    Account,
    /// Every account.
    Anybody,
    /// Who is or was a member.
    Viewer,
    /// A present member.
    Member,
    /// A present member who may post.
    Writer,
    /// A present member who may change the conversation.
    Manager,
    /// As a manager, who has a right to the team as well.
    TeamManager,
    /// An admin of a managed conversation.
    Admin,
    /// A present member who belongs to an organisation.
    Employee,
    /// Who may edit the message.
    Editor,
    /// An admin of the organisation.
    OrganisationAdmin,
    /// Who may know of the team.
    TeamViewer,
}

impl By {
    /// Each of them, in the order in which they are explained.
    pub const ALL: [Self; 12] = [
        Self::Account,
        Self::Anybody,
        Self::Viewer,
        Self::Member,
        Self::Writer,
        Self::Manager,
        Self::TeamManager,
        Self::Admin,
        Self::Employee,
        Self::Editor,
        Self::OrganisationAdmin,
        Self::TeamViewer,
    ];

    /// A short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "the account itself",
            Self::Anybody => "anybody",
            Self::Viewer => "members and those who left",
            Self::Member => "members",
            Self::Writer => "who may post",
            Self::Manager => "who may change the conversation",
            Self::TeamManager => "who may change the conversation and has a right to the team",
            Self::Admin => "admins of a managed conversation",
            Self::Employee => "members who belong to an organisation",
            Self::Editor => "who may edit the message",
            Self::OrganisationAdmin => "admins of the organisation",
            Self::TeamViewer => "who may know of the team",
        }
    }

    /// What that means.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Account => "Any account, about what is its own; what is somebody else's is not found.",
            Self::Anybody => "Any account.",
            Self::Viewer => {
                "Whoever is or was a member. For who has left the conversation stands still at that moment."
            }
            Self::Member => {
                "Present members, passive ones among them. Others are refused with 431 not_member, or has_left."
            }
            Self::Writer => "Present members; where only admins may write, its admins.",
            Self::Manager => "Present members; in a managed conversation its admins.",
            Self::TeamManager => {
                "As for those who may change the conversation; besides, a member of the team, or for a managed team one of its admins."
            }
            Self::Admin => "Admins of a conversation that an organisation manages.",
            Self::Employee => "Present members who are active members of an organisation.",
            Self::Editor => "The author; any present member where the message is pinned or a task.",
            Self::OrganisationAdmin => {
                "Active admins of the organisation; others are refused with 403 forbidden."
            }
            Self::TeamViewer => {
                "Members of the team, members of a conversation that has it, its organisation's admins; anybody where autojoin is on."
            }
        }
    }
}

/// What is said of one event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manual {
    /// Who may ask for it.
    pub by: By,
    /// The keys of `identifier` in its request record.
    pub identifier: &'static str,
    /// The types of the system messages that it may write.
    pub system: &'static str,
    /// The kinds of records in its answer, in their order; a `?` behind one says that it may be missing, letters in
    /// parentheses which key set of `conv` it is.
    pub answer: &'static str,
    /// Who else is told, and of which records: `who: records; who: records`.
    pub others: &'static str,
    /// What it is refused for, beside bad params and missing rights.
    pub refused: &'static str,
}

impl Manual {
    /// Nothing beyond a request record.
    pub const NOTHING: Self =
        Self { by: By::Account, identifier: "", system: "", answer: "", others: "", refused: "" };

    /// The kinds of records that may be in the answer.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.answer.split_whitespace().map(|word| word.split(['(', '?']).next().unwrap_or(word))
    }
}
