//! Orders from the gateway: registering, opening and closing login sessions, showing the own record.

use actix::Context;
use bytes::Bytes;
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::Account;
use super::login::{
    AskOwnContact, CloseSession, Login, OpenSession, OrderReply, Register, ticket_name, token_name,
};
use super::rules;
use super::upload::{self, AskRoom, KeepUploads};
use crate::conversation::rows::encode;
use crate::hub::{CloseCode, Item};
use crate::journal::{Departure, Reply, Rows};
use crate::store::UniqueKey;

impl Account {
    pub(super) fn register(&mut self, order: Register, ctx: &mut Context<Self>) {
        let (issued, given) = self.given(Uuid::nil());
        let entry = rules::Entry {
            email: &order.email,
            password_hash: &order.password_hash,
            display_name: &order.display_name,
            fleep_address: order.fleep_address.as_deref(),
        };
        match rules::register(&self.state, entry, given) {
            Ok(decision) => {
                self.take_in(&decision);
                let mut claim = self.email_claim(order.email);
                let id = Bytes::copy_from_slice(self.id.0.as_bytes());
                claim.extend(order.fleep_address.map(|address| (UniqueKey::Address(address), id)));
                let reply = told(order.reply, Ok(self.id));
                self.write(
                    &decision,
                    claim,
                    Departure { issued: Some(issued), ..Departure::reply(reply) },
                    ctx,
                );
            }
            Err(refusal) => self.desk.journal.pass(Departure::reply(told(order.reply, Err(refusal)))),
        }
    }

    pub(super) fn open(&mut self, order: OpenSession, ctx: &mut Context<Self>) {
        let (issued, given) = self.given(Uuid::nil());
        let token = token_name(&self.desk.node, order.token_id);
        let ticket = ticket_name(&self.desk.node, &order.ticket);
        let login = Login { account_id: self.id, token, ticket };
        match rules::open_session(&self.state, &login, given) {
            Ok(decision) => {
                self.take_in(&decision);
                let own = self.own_contact().ok_or_else(|| Refusal::not_found("Account"));
                let claim = vec![(UniqueKey::Token(token), encode(&login))];
                let departure =
                    Departure { issued: Some(issued), ..Departure::reply(told(order.reply, own)) };
                self.write(&decision, claim, departure, ctx);
            }
            Err(refusal) => self.desk.journal.pass(Departure::reply(told(order.reply, Err(refusal)))),
        }
    }

    pub(super) fn close(&mut self, order: CloseSession, ctx: &mut Context<Self>) {
        let (issued, _) = self.given(Uuid::nil());
        let decision = rules::close_session(&self.state, order.token);
        self.take_in(&decision);
        let lanes =
            self.desk.node.presence.of(self.id).into_iter().filter(|lane| lane.token() == order.token);
        let reason = "the session logged out";
        let items = lanes.map(|lane| Item::Close(lane, CloseCode::Policy, reason.to_owned())).collect();
        let departure =
            Departure { items, reply: told(order.reply, Ok(())), settles: None, issued: Some(issued) };
        let rows = Rows { release: vec![UniqueKey::Token(order.token)], ..Rows::default() };
        self.write_rows(rows, &decision, departure, ctx);
    }

    pub(super) fn keep_uploads(&mut self, order: KeepUploads, ctx: &mut Context<Self>) {
        let (issued, given) = self.given(Uuid::nil());
        match upload::keep(&self.state, order.brought, given) {
            Ok(decision) => {
                self.take_in(&decision);
                let reply = told(order.reply, Ok(()));
                let departure = Departure { issued: Some(issued), ..Departure::reply(reply) };
                self.write(&decision, Vec::new(), departure, ctx);
            }
            Err(refusal) => self.desk.journal.pass(Departure::reply(told(order.reply, Err(refusal)))),
        }
    }

    pub(super) fn show_room(&mut self, order: AskRoom) {
        let (_, given) = self.given(Uuid::nil());
        let room = upload::room(&self.state, given);
        self.desk.journal.pass(Departure::reply(told(order.reply, Ok(room))));
    }

    pub(super) fn show_own(&mut self, order: AskOwnContact) {
        let own = self.own_contact().ok_or_else(|| Refusal::not_found("Account"));
        self.desk.journal.pass(Departure::reply(told(order.reply, own)));
    }
}

/// Tells the outcome of an order once it is durable, or that it may be tried again.
fn told<T: Send + 'static>(reply: OrderReply<T>, outcome: Result<T, Refusal>) -> Reply {
    Reply::Order(Box::new(move |ok| {
        let outcome = if ok { outcome } else { Err(Refusal::unavailable()) };
        // A caller who has gone away does not want to know.
        let _gone = reply.send(outcome);
    }))
}

pub(super) fn refuse_order<T>(reply: OrderReply<T>) {
    let _gone = reply.send(Err(Refusal::unavailable()));
}
