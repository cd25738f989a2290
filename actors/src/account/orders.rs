//! Orders from the gateway: opening and closing login sessions, showing the own record.

use actix::Context;
use rill_proto::refusal::Refusal;
use serde::Serialize;

use super::Account;
use super::label::StoreLabels;
use super::login::{AskOwnContact, CloseSession, Login, OpenSession, OrderReply, ticket_name, token_name};
use super::rules::{label, registration};
use super::upload::{self, AskRoom, KeepUploads};
use crate::journal::{Departure, Reply};

impl Account {
    pub(super) fn open(&mut self, order: OpenSession, ctx: &mut Context<Self>) {
        let (issued, facts) = self.facts();
        let token = token_name(&self.desk.node, order.token_id);
        let ticket = ticket_name(&self.desk.node, &order.ticket);
        let login = Login { account_id: self.id, token, ticket };
        let decided = registration::open_session(&self.state, &login, order.verified.as_deref(), &facts);
        match decided {
            Ok(decision) => {
                let own = self.own_contact().ok_or_else(|| Refusal::not_found("Account"));
                self.change(&decision, told(order.reply, own), issued, ctx);
            }
            Err(refusal) => self.desk.journal.pass(Departure::reply(told(order.reply, Err(refusal)))),
        }
    }

    pub(super) fn close(&mut self, order: CloseSession, ctx: &mut Context<Self>) {
        let (issued, _) = self.facts();
        let decision = registration::close_session(&self.state, order.token);
        self.change(&decision, told(order.reply, Ok(())), issued, ctx);
    }

    pub(super) fn keep_uploads(&mut self, order: KeepUploads, ctx: &mut Context<Self>) {
        let (issued, facts) = self.facts();
        match upload::keep(&self.state, order.brought, &facts) {
            Ok(decision) => self.change(&decision, told(order.reply, Ok(())), issued, ctx),
            Err(refusal) => self.desk.journal.pass(Departure::reply(told(order.reply, Err(refusal)))),
        }
    }

    pub(super) fn store_labels(&mut self, order: StoreLabels, ctx: &mut Context<Self>) {
        let (issued, facts) = self.facts();
        match label::store(&self.state, &order.wishes, &facts) {
            Ok((decision, labels)) => {
                self.change(&decision, told(order.reply, Ok(labels)), issued, ctx);
            }
            Err(refusal) => self.desk.journal.pass(Departure::reply(told(order.reply, Err(refusal)))),
        }
    }

    pub(super) fn show_room(&mut self, order: AskRoom) {
        let (_, facts) = self.facts();
        let room = upload::room(&self.state, &facts);
        self.desk.journal.pass(Departure::reply(told(order.reply, Ok(room))));
    }

    pub(super) fn show_own(&mut self, order: AskOwnContact) {
        let own = self.own_contact().ok_or_else(|| Refusal::not_found("Account"));
        self.desk.journal.pass(Departure::reply(told(order.reply, own)));
    }
}

/// Tells the outcome of an order once it is durable, or that it may be tried again.
pub(crate) fn told<T: Serialize + Send + 'static>(
    reply: OrderReply<T>,
    outcome: Result<T, Refusal>,
) -> Reply {
    Reply::Order(Box::new(move |ok| {
        let outcome = if ok { outcome } else { Err(Refusal::unavailable()) };
        reply.send(outcome);
    }))
}

pub(super) fn refuse_order<T: Serialize>(reply: OrderReply<T>) {
    reply.send(Err(Refusal::unavailable()));
}
