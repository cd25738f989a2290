//! What a client holds of a conversation that it hears of by its news alone.

use std::collections::BTreeMap;

use crate::conversation::rules::News;
use crate::conversation::state::Message;
use crate::store::Stamp;

/// A client that catches up by [`crate::conversation::rules::visit::catch_up`] and then syncs forward to the end.
#[derive(Default)]
pub(super) struct Client {
    pub(super) horizon: Stamp,
    pub(super) messages: BTreeMap<u64, Message>,
    pub(super) fw: u64,
    pub(super) bw: u64,
}

impl Client {
    pub(super) fn apply(&mut self, news: &[News]) {
        for news in news {
            match news {
                News::Header(header) => {
                    if let Some(bw) = header.bw {
                        self.messages.clear();
                        self.bw = bw;
                    }
                    self.fw = header.fw.unwrap_or(self.fw);
                }
                News::Message { message, flow } => {
                    self.messages.insert(message.message_nr, (**message).clone());
                    if flow.unwrap_or(message.message_nr) == self.fw + 1 {
                        self.fw += 1;
                    }
                }
                News::Withdrawn { message, flow } => {
                    self.messages.remove(&message.message_nr);
                    if *flow == self.fw + 1 {
                        self.fw += 1;
                    }
                }
                News::File(_)
                | News::Drawer(_)
                | News::Activity(_)
                | News::Contact(_)
                | News::Label(_)
                | News::Section(_)
                | News::Tasks { .. }
                | News::Pins { .. }
                | News::Lock { .. } => {}
            }
        }
    }
}
