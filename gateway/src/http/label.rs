//! The labels of the caller in the older calls, where there is no event for what they do: making and changing labels, and
//! naming them (protocol.md §6.4).
//!
//! Not here: which conversations a label lists, and setting labels by id; those are events.

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use rill_actors::account::label::{StoreLabels, Wanted, Wish};
use rill_proto::id::LabelId;
use serde_json::{Value, json};

use super::legacy::{Legacy, Stopped};
use super::{Call, json as answer, order};
use crate::refuse::Refused;
use crate::routes::post;

/// The paths of this family that are no events.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config.service(post("/api/label/store", store));
}

/// `label/store`: makes a label, or changes one that there is; index -1 removes it.
async fn store(call: Call) -> Result<HttpResponse, Refused> {
    let given = call.given()?;
    let legacy = Legacy::admit(&call, &given).await?;
    let wanted = Wanted {
        label_id: given.id("label_id")?.map(LabelId),
        name: given.text("label")?.map(str::to_owned),
        index: given.number("index")?,
        is_on_left_pane: given.flag("is_on_left_pane")?,
        is_in_recent: given.flag("is_in_recent")?,
        is_in_muted: given.flag("is_in_muted")?,
    };
    let labels = legacy.store_labels(vec![Wish::Change(wanted)]).await?;
    let records = labels.iter().map(|(_, record)| serde_json::from_slice(record));
    let records: Vec<Value> = records
        .collect::<Result<_, _>>()
        .map_err(|error| Refused::fault("a record is not of its own form", error))?;
    Ok(answer(json!({ "stream": records }).to_string()))
}

impl Legacy<'_> {
    /// The ids of the labels with these names; those that there are not are made.
    pub(super) async fn labels(&self, names: Vec<String>) -> Result<Vec<Value>, Stopped> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let labels = self.store_labels(names.into_iter().map(Wish::Named).collect()).await?;
        Ok(labels.into_iter().map(|(id, _)| id.0.to_string().into()).collect())
    }

    async fn store_labels(&self, wishes: Vec<Wish>) -> Result<Vec<(LabelId, Bytes)>, Refused> {
        let node = &self.call.worker.shared.node;
        order(|reply| node.to_account(self.login.account_id, StoreLabels { wishes, reply })).await
    }
}
