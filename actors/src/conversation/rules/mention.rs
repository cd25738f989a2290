//! Whom a text mentions (conversations.md §9.2): names after `@`, resolved among the members.

use rill_proto::id::AccountId;

use crate::account::profile::Profile;
use crate::conversation::rules::draft::Draft;
use crate::conversation::state::Member;

/// The present members whom the names mean and who see the message: `None` of the number for one that is being posted.
pub(super) fn resolve(draft: &Draft<'_>, names: &[String], message_nr: Option<u64>) -> Vec<AccountId> {
    if names.is_empty() {
        return Vec::new();
    }
    let sees = |member: &Member| message_nr.is_none_or(|nr| member.sees(nr));
    let present = draft.everybody().filter(|(_, member)| member.is_present() && sees(member));
    let mut meant: Vec<_> = present
        .filter(|(_, member)| names.iter().any(|name| means(name, &member.profile)))
        .map(|(id, member)| (member.place, id))
        .collect();
    meant.sort_unstable();
    meant.into_iter().map(|(_, id)| id).collect()
}

/// Fleep address or display name, whatever the case; a display name's blanks cannot be typed, so they do not count.
fn means(name: &str, profile: &Profile) -> bool {
    let name = name.to_lowercase();
    let display_name: String = profile.display_name.split_whitespace().collect();
    profile.fleep_address.as_ref().is_some_and(|address| address.to_lowercase() == name)
        || display_name.to_lowercase() == name
}
