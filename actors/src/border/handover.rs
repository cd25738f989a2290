//! From one view to the next: what moves is brought to rest, and then everything that was under way is begun anew.

use std::sync::{Arc, PoisonError};

use rill_proto::refusal::Refusal;

use super::order::Order;
use super::{Border, Gate, lock};
use crate::conversation::{Part, Token};
use crate::link::View;
use crate::node::Node;
use crate::presence::Lane;
use crate::store::Aggregate;
use crate::watermark::Issued;

/// Says that everybody who moves has come to rest.
#[derive(Debug)]
struct AtRest(std::sync::Mutex<Option<tokio::sync::oneshot::Sender<()>>>);

impl Part for AtRest {}

impl Drop for AtRest {
    fn drop(&mut self) {
        if let Some(waiting) = lock(&self.0).take() {
            // Whoever waited may have given up.
            let _gone = waiting.send(());
        }
    }
}

impl Border {
    /// A view is to follow: from now on nothing is done for whom it gives to another node. Ends when everything that those
    /// have decided is durable and has left, so that whoever owns them next reads all of it.
    pub async fn prepare(&self, next: Arc<View>) {
        let Some(node) = self.node.upgrade() else { return };
        self.change(|gate| gate.next = Some(Arc::clone(&next)));
        let (at_rest, rested) = tokio::sync::oneshot::channel();
        let token: Token = Arc::new(AtRest(std::sync::Mutex::new(Some(at_rest))));
        let me = self.me;
        node.hand_over(&|aggregate: Aggregate| next.owner(aggregate) != me, &token);
        drop((token, node));
        // It ends in any case: an append succeeds or fails.
        let _ended = rested.await;
    }

    /// What became of some appends here is not known, and was told to nobody. Until the nodes have agreed anew nothing is done here
    /// that could be told before it, and nobody is told these stamps.
    pub(crate) fn doubt(&self, stamps: Vec<Issued>) {
        lock(&self.doubtful).extend(stamps);
        self.change(|gate| gate.is_closed = true);
        if let Some(carrier) = self.carrier.get() {
            carrier.renew();
        }
    }

    /// This node has left: nothing is done here any more, and whoever waits may try again elsewhere.
    pub fn leave(&self) {
        self.change(|gate| *gate = Gate::default());
        if let Some(node) = self.node.upgrade() {
            self.give_up(&node);
        }
        drop(std::mem::take(&mut lock(&self.replies).with));
    }

    /// A view is everybody's. To be called where letters are received, so that none comes meanwhile.
    pub fn install(self: &Arc<Self>, view: Arc<View>) {
        let Some(node) = self.node.upgrade() else { return };
        self.change(|gate| *gate = Gate { view: Some(Arc::clone(&view)), next: None, is_closed: true });
        let tokens = std::mem::take(&mut lock(&self.tokens).with);
        let replies = std::mem::take(&mut lock(&self.replies).with);
        node.presence.forget_others();
        self.others.clear();
        self.noted.clear();
        self.leave_what_is_others(&node, &view);
        for (_, token) in tokens.into_values() {
            token.fail();
        }
        // Whoever waits is told that he may try again.
        drop(replies);
        self.own.iter().for_each(|lane| lane.fall_behind());
        self.send_again(&node, &view);
        node.inboxes.renew_all(std::mem::take(&mut lock(&self.doubtful)));
        node.read_outbox();
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Gate)) {
        change(&mut self.gate.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Owners that another node has from now on, though they were not known to be about to leave.
    fn leave_what_is_others(&self, node: &Arc<Node>, view: &View) {
        let token: Token = Arc::new(AtRest(std::sync::Mutex::new(None)));
        node.hand_over(&|aggregate: Aggregate| view.owner(aggregate) != self.me, &token);
    }

    /// A session here has caught up: its events that nobody has answered go out again, in their order, and others behind them.
    pub(crate) fn resume(&self, node: &Arc<Node>, lane: &Lane) {
        for submit in self.pending.of(lane) {
            let fault = submit.answer(Err(&Refusal::unavailable()));
            if node.submit_again(submit).is_err() {
                node.inboxes.put(fault);
            }
        }
    }

    /// Sends events again that nobody has answered, in their order, and opens for others behind them. Sessions that are behind do
    /// so by themselves, once they have caught up.
    fn send_again(self: &Arc<Self>, node: &Arc<Node>, view: &View) {
        let mut sent = 0;
        loop {
            let waiting = self.pending.after(sent);
            if waiting.is_empty() && self.opens(sent) {
                return;
            }
            for (number, submit) in waiting {
                sent = number;
                if submit.lane.is_behind() {
                    continue;
                }
                let (aggregate, order) = (node.owner_of(&submit), Order::Submit(submit));
                match view.owner(aggregate) {
                    owner if owner == self.me => order.here(node, aggregate),
                    owner => self.send_order(owner, aggregate, order),
                }
            }
        }
    }

    /// Opens when nothing waits behind the event with this number. Nobody puts one in meanwhile.
    fn opens(&self, sent: u64) -> bool {
        let mut gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        gate.is_closed = !self.pending.after(sent).is_empty();
        !gate.is_closed
    }
}
