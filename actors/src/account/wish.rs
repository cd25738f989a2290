//! What somebody wants of an account without being one of its sessions: to register, to log in again, to answer a letter,
//! and what only the older HTTP calls can ask for.
//!
//! Decided by the same rules and in the same way as events; whoever waits is told once it is durable.

use actix::{Context, Message};
use rill_proto::id::OrganisationId;
use rill_proto::refusal::Refusal;
use uuid::Uuid;

use super::Account;
use super::facts::NoFact;
use super::login::OrderReply;
use super::notice::Applicant;
use super::orders::told;
use super::owner::Work;
use super::rules;
use super::rules::letters::{self, Prepare};
pub use super::rules::letters::{Answer, Confirmation, Prepared};
use super::rules::registration::{self, Entry};
use super::rules::{Decision, Facts, Judged, Stop, alias, settings};
use super::settings::Switches;
use super::state::State;
use crate::file::Content;
use crate::journal::{Departure, Reply};
use crate::store::Stamp;
use crate::watermark::Issued;
use serde::{Deserialize, Serialize};

/// Carries a wish out.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Grant {
    /// What is wanted.
    pub wish: Wish,
    /// Told when it is durable.
    pub reply: OrderReply<()>,
}

/// What somebody wants.
#[derive(Debug, Serialize, Deserialize)]
pub enum Wish {
    /// To register at once, his address unchecked.
    Enrol {
        /// With what; the password's hash is there.
        applicant: Applicant,
        /// Lower case, 6 to 30 characters; claimed for good.
        fleep_address: Option<String>,
    },
    /// To be sent what he needs to register.
    Register {
        /// With what, as far as it was said.
        applicant: Applicant,
        /// A code to type in; a link otherwise.
        by_code: bool,
    },
    /// To register, with the letter in his hand.
    Confirm {
        /// Of the letter.
        secret: Uuid,
        /// With what.
        confirmation: Confirmation,
    },
    /// To be sent what he needs to set a new password.
    Reset,
    /// To set a new password, with the letter in his hand.
    SetPassword {
        /// Of the letter.
        secret: Uuid,
        /// As argon2 writes it.
        password_hash: String,
    },
    /// To make an organisation and be in it.
    Found {
        /// The organisation's id.
        organisation_id: OrganisationId,
        /// Trimmed.
        organisation_name: String,
    },
    /// To join the organisation that a reminder invites him into.
    Join {
        /// The organisation.
        organisation_id: OrganisationId,
        /// The reminder.
        reminder_id: Uuid,
    },
    /// To have another password, as an admin of the account's organisation wants it.
    GivePassword {
        /// The organisation.
        organisation_id: OrganisationId,
        /// As argon2 writes it.
        password_hash: String,
    },
    /// To decline an organisation's invitation, with the letter in his hand.
    Decline {
        /// Of the letter.
        secret: Uuid,
    },
    /// To answer the invitation that a reminder is about.
    Dismiss {
        /// The reminder.
        reminder_id: Uuid,
    },
    /// To set switches that have no event.
    Switch(Switches),
    /// To have another address, in lower case: its mailbox is asked.
    AddAlias(String),
    /// To have an address of which the letter is in hand, by its secret.
    ConfirmAlias(Uuid),
    /// To have an address no more.
    RemoveAlias(String),
    /// To be known by this one of its addresses first.
    Prefer(String),
    /// To have this picture, or none.
    SetAvatar(Option<Content>),
    /// To be known by a Fleep address: lower case, 6 to 30 characters; claimed for good.
    TakeAddress(String),
    /// To close the account: with the letter in his hand, or at once.
    Close {
        /// Of the letter.
        secret: Option<Uuid>,
    },
}

/// Asks whether a letter is good for registering.
#[derive(Message, Debug, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct PrepareLetter {
    /// What was typed in, or followed.
    pub answer: Answer,
    /// Told what the next step needs.
    pub reply: OrderReply<Prepared>,
}

impl Wish {
    fn judge(&self, state: &State, facts: &Facts) -> Judged<Decision> {
        match self {
            Self::Enrol { applicant, fleep_address } => {
                let entry = Entry {
                    email: &applicant.email,
                    password_hash: applicant.password_hash.as_deref().unwrap_or_default(),
                    display_name: applicant.display_name.as_deref().unwrap_or_default(),
                    fleep_address: fleep_address.as_deref(),
                };
                registration::register(state, entry, facts)
            }
            Self::Register { applicant, by_code } => {
                Ok(letters::register(state, applicant.clone(), *by_code, facts)?)
            }
            Self::Confirm { secret, confirmation } => letters::confirm(state, *secret, confirmation, facts),
            Self::Reset => Ok(letters::reset(state, facts)?),
            Self::SetPassword { secret, password_hash } => {
                Ok(letters::set_password(state, *secret, password_hash, facts)?)
            }
            Self::Found { organisation_id, organisation_name } => {
                Ok(rules::employment::found(state, *organisation_id, organisation_name, facts)?)
            }
            Self::Join { organisation_id, reminder_id } => {
                Ok(rules::employment::join(state, *organisation_id, *reminder_id, facts)?)
            }
            Self::GivePassword { organisation_id, password_hash } => {
                Ok(rules::employment::set_password(state, *organisation_id, password_hash, facts)?)
            }
            Self::Decline { secret } => Ok(letters::decline(state, *secret, facts)?),
            Self::Dismiss { reminder_id } => Ok(rules::employment::dismiss(state, *reminder_id, facts)?),
            Self::Switch(wanted) => settings::switch(state, *wanted, facts),
            Self::AddAlias(email) => alias::add(state, email, facts),
            Self::ConfirmAlias(secret) => alias::confirm(state, *secret, facts),
            Self::RemoveAlias(email) => alias::remove(state, email, facts),
            Self::Prefer(email) => alias::prefer(state, email, facts),
            Self::SetAvatar(content) => settings::set_avatar(state, content.as_ref(), facts),
            Self::TakeAddress(address) => registration::take_address(state, address, facts),
            Self::Close { secret: Some(secret) } => Ok(letters::close(state, *secret, facts)?),
            Self::Close { secret: None } => Ok(registration::close(state, facts)?),
        }
    }
}

impl Account {
    pub(super) fn grant(&mut self, grant: Grant, ctx: &mut Context<Self>) {
        let (issued, facts) = self.facts();
        self.try_granting(grant, facts, issued, ctx);
    }

    fn try_granting(&mut self, grant: Grant, facts: Facts, issued: Issued, ctx: &mut Context<Self>) {
        match grant.wish.judge(&self.state, &facts) {
            Ok(decision) => self.change(&decision, told(grant.reply, Ok(())), issued, ctx),
            Err(Stop::Refused(refusal)) => self.turn_down(grant.reply, refusal),
            Err(Stop::Needs(need)) => {
                self.learn(None, need, facts, ctx, move |owner, facts, ctx| match facts {
                    Ok(facts) => owner.try_granting(grant, facts, issued, ctx),
                    Err(NoFact::Store(fault)) => owner.meet(&fault, Work::Grant(grant)),
                    Err(NoFact::Refused(refusal)) => owner.turn_down(grant.reply, refusal),
                })
            }
        }
    }

    fn turn_down<T: Serialize + Send + 'static>(&mut self, reply: OrderReply<T>, refusal: Refusal) {
        self.desk.journal.pass(Departure::reply(told(reply, Err(refusal))));
    }

    pub(super) fn prepare(&mut self, order: PrepareLetter, ctx: &mut Context<Self>) {
        let (issued, facts) = self.facts();
        let secret_of = |stamp: Stamp| self.secret(stamp);
        let Prepare { decision, outcome } = letters::prepare(&self.state, &order.answer, &secret_of, &facts);
        let reply: Reply = told(order.reply, outcome);
        self.change(&decision, reply, issued, ctx);
    }

    /// From what the letters of a change follow.
    pub(super) fn secret(&self, stamp: Stamp) -> Uuid {
        let mut name = [0; 24];
        name[..16].copy_from_slice(self.id.0.as_bytes());
        name[16..].copy_from_slice(&stamp.to_be_bytes());
        self.desk.node.derived_id("letter", &name)
    }
}
