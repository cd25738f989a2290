//! The labels of the caller in the older calls: by name (protocol.md §6.4).
//!
//! Not here: which conversations a label lists, and setting labels by id; those are events.

use rill_actors::account::label::SystemLabel;
use serde_json::Value;

use super::legacy::{Legacy, Stopped};
use crate::refuse::Refused;

impl Legacy<'_> {
    /// The ids of the labels with these names.
    pub(super) async fn labels(&self, names: Vec<String>) -> Result<Vec<Value>, Stopped> {
        let mut ids = Vec::with_capacity(names.len());
        for name in names {
            let system = SystemLabel::ALL.into_iter().find(|label| label.name() == name);
            let label = system.ok_or_else(|| Refused::not_found("Label"))?;
            ids.push(label.id(self.login.account_id).0.to_string().into());
        }
        Ok(ids)
    }
}
