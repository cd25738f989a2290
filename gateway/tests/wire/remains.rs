//! What is left when a scenario has ended, and what a server that was killed in the meantime makes of it.
//!
//! Owns: the judgement that nothing is lost by a crash. Not here: the scenarios, which have ended well ([`crate::play`]).

use crate::compare;
use crate::complaint::Complaint;
use crate::person::{Parting, Person};
use rill_loadtest::picture::Picture;

/// A person at the end of a scenario, no longer connected.
pub(crate) struct Remains {
    /// The scenario and the transport, for complaints.
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) person: Person,
    /// What another client of his held that went away during the scenario.
    pub(crate) parting: Option<Parting>,
    /// What a fresh client was given in the end.
    pub(crate) fresh: Picture,
    pub(crate) conversation_ids: Vec<String>,
}

impl Remains {
    /// A fresh client is given what one was given before the crash; a client that lived through the scenario and one that
    /// went away during it come to the same by catching up. Answers with the number of pictures compared.
    pub(crate) fn outlive_the_crash(self) -> Result<usize, Complaint> {
        let Self { place, name, mut person, parting, fresh, conversation_ids } = self;
        let at = |what: &str| format!("after kill -9: {name}, {what}");
        let earlier = parting.map(|parting| person.as_of(parting));
        let again = compare::equals_fresh_sync(&mut person, &conversation_ids)
            .map_err(|complaint| complaint.at(place.clone(), &at("from his last horizon")))?;
        let lost = compare::lost(&fresh, &again);
        if !lost.is_empty() {
            let complaint = Complaint::new(
                "the fresh picture from before the crash (first) and the one after it (second) to be the same",
                lost.join("\n"),
            );
            return Err(complaint.at(place, &at("afresh")));
        }
        let Some(mut earlier) = earlier else {
            return Ok(2);
        };
        compare::equals_fresh_sync(&mut earlier, &conversation_ids)
            .map_err(|complaint| complaint.at(place, &at("from a horizon during the scenario")))?;
        Ok(3)
    }
}
