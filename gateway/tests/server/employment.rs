//! An organisation's letters: who is known by his address alone is invited by one, and answers by it; and whose organisation
//! wants no passwords is sent none.
//!
//! Not here: what registered people are told, which are scenarios.

use std::path::PathBuf;

use rill_loadtest::record::Record;
use rill_loadtest::session::Session;
use rill_loadtest::user::{HttpAnswer, User, http_post};
use serde_json::{Value, json};

use crate::letter;
use crate::world::{FACT_WAIT, PASSWORD, World, await_fact};

/// An organisation of Ann's.
struct Acme {
    world: World,
    ann: User,
    id: String,
}

impl Acme {
    fn found() -> Self {
        let world = World::start(&[]);
        let ann = world.person("Ann");
        let made = ann.http_post("/api/business/create", json!({"organisation_name": "Acme"})).unwrap();
        assert_eq!(made.status, 200, "{}", made.body);
        let id = records(&made, "org_header")[0]["organisation_id"].as_str().unwrap().to_owned();
        Self { world, ann, id }
    }

    /// A call of Ann's about her organisation.
    fn admin(&self, path: &str, body: Value) -> HttpAnswer {
        let answer = self.ann.http_post(&format!("/api/business/{path}/{}", self.id), body).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }

    /// A call of somebody who is not logged in.
    fn anybody(&self, path: &str, body: &Value) -> HttpAnswer {
        http_post(&self.world.server.url(), &format!("/api/{path}"), &[], body).unwrap()
    }

    fn letters(&self) -> PathBuf {
        self.world.server.data_dir().join("mail")
    }

    /// Invites an address, and waits for what its letter's link carries; another one than before.
    fn invite(&self, email: &str, before: Option<&str>) -> String {
        self.admin("configure", json!({"emails": email}));
        self.linked(email, before)
    }

    fn linked(&self, email: &str, before: Option<&str>) -> String {
        let mut found = None;
        await_fact("an invitation", FACT_WAIT, || {
            let letter = letter::newest(&[self.letters()], email, "invited you into Acme");
            found = letter.as_deref().and_then(letter::link);
            found.is_some() && found.as_deref() != before
        });
        found.unwrap()
    }

    /// What the changelog says newest.
    fn newest_entry(&self) -> Record {
        records(&self.admin("sync_changelog", json!({})), "org_changelog").remove(0)
    }

    /// Waits until the changelog says something newest.
    fn await_entry(&self, event_type: &str) -> Record {
        await_fact(event_type, FACT_WAIT, || self.newest_entry()["event_type"] == event_type);
        self.newest_entry()
    }
}

fn records(answer: &HttpAnswer, kind: &str) -> Vec<Record> {
    let stream = answer.json["stream"].as_array().unwrap().iter();
    stream.filter(|record| record["mk_rec_type"] == kind).filter_map(|it| it.as_object().cloned()).collect()
}

fn assert_refused(answer: &HttpAnswer, text: &str) {
    assert_eq!((answer.status, answer.json["error_message"].as_str()), (431, Some(text)), "{}", answer.body);
}

fn registering(link: &str) -> Value {
    json!({"notification_id": link, "display_name": "Newt", "password": PASSWORD})
}

#[test]
fn who_registers_by_the_invitation_is_in_the_organisation_in_the_same_step() {
    let acme = Acme::found();
    let link = acme.invite("new@example.com", None);
    let prepared = acme.anybody("account/prepare/v2", &json!({"notification_id": link}));
    assert_eq!(prepared.json["email"], "new@example.com", "{}", prepared.body);
    let confirmed = acme.anybody("account/confirm/v2", &registering(&link));
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    assert_eq!(confirmed.json["profiles"][0]["organisation_id"], *acme.id);
    let entry = acme.await_entry("activate_member");
    let account_id = confirmed.json["account_id"].as_str().unwrap();
    assert_eq!(entry["event_data"]["member_account_id"], account_id);
    assert_eq!(entry["event_data"]["email_account_id"], account_id, "he came by the letter");
    let header = &records(&acme.admin("sync", json!({})), "org_header")[0];
    assert_eq!(header["active_member_count"], 2);
    let newt = User::login(&acme.world.server.url(), "new@example.com", PASSWORD).unwrap();
    let asked = newt.http_post("/api/account/sync_reminders", json!({})).unwrap();
    assert_eq!(asked.json["stream"], json!([]), "there is nothing left to answer");
    let prepared = acme.anybody("account/prepare/v2", &json!({"notification_id": link}));
    assert_refused(&prepared, "Link has already been used.");
    let declined = acme.anybody("business/decline_invite", &json!({"notification_id": link}));
    assert_refused(&declined, "Link has already been used.");
    acme.world.assert_no_errors();
}

#[test]
fn who_declines_by_the_letter_need_not_be_anybody_and_does_so_once() {
    let acme = Acme::found();
    let link = acme.invite("new@example.com", None);
    let decline = |link: &str| acme.anybody("business/decline_invite", &json!({"notification_id": link}));
    assert_refused(&decline("nonsense"), "Notification expired.");
    let declined = decline(&link);
    assert_eq!(declined.status, 200, "{}", declined.body);
    let entry = acme.await_entry("member_declines");
    let account_id = entry["event_data"]["member_account_id"].clone();
    let members = records(&acme.admin("configure", json!({})), "org_member");
    assert!(members.iter().all(|member| member["account_id"] != account_id), "he is on no list");
    assert_refused(&decline(&link), "Link has already been used.");

    // Asked once more he may change his mind, by the new letter.
    let again = acme.invite("new@example.com", Some(&link));
    assert_eq!(acme.anybody("account/confirm/v2", &registering(&again)).status, 200);
    acme.await_entry("activate_member");
    acme.world.assert_no_errors();
}

#[test]
fn an_older_letter_is_worth_nothing_once_a_newer_one_was_answered() {
    let acme = Acme::found();
    let first = acme.invite("new@example.com", None);
    let account_id = records(&acme.admin("sync", json!({})), "org_member")
        .into_iter()
        .find(|member| member["mk_member_status"] == "bms_pending")
        .map(|member| member["account_id"].clone())
        .unwrap();
    acme.admin("configure", json!({"reinvite_account_ids": [account_id]}));
    let second = acme.linked("new@example.com", Some(&first));
    assert_eq!(acme.anybody("account/confirm/v2", &registering(&second)).status, 200);
    for path in ["account/confirm/v2", "business/decline_invite"] {
        assert_eq!(acme.anybody(path, &registering(&first)).status, 431, "{path}");
    }
    acme.world.assert_no_errors();
}

#[test]
fn where_members_have_no_passwords_none_is_reset() {
    let acme = Acme::found();
    let bob = acme.world.person("Bob");
    acme.admin("configure", json!({"add_account_ids": [bob.account_id]}));
    let mut reminder = None;
    await_fact("a reminder", FACT_WAIT, || {
        let asked = bob.http_post("/api/account/sync_reminders", json!({})).unwrap();
        reminder = records(&asked, "reminder").pop();
        reminder.is_some()
    });
    // A letter from before is good no more either.
    let reset = |email: &str| acme.anybody("account/reset_password", &json!({"email": email}));
    assert_eq!(reset(&bob.email).status, 200);
    let mut link = None;
    await_fact("a link", FACT_WAIT, || {
        link =
            letter::newest(&[acme.letters()], &bob.email, "new password").as_deref().and_then(letter::link);
        link.is_some()
    });
    let joined = bob
        .http_post(
            &format!("/api/business/join/{}", acme.id),
            json!({"reminder_id": reminder.unwrap()["reminder_id"]}),
        )
        .unwrap();
    assert_eq!(joined.status, 200, "{}", joined.body);
    let mut session = acme.ann.connect(0).unwrap();
    let on = json!({"organisation_id": acme.id});
    session.request("organisation:enable_enforce_no_password", on).unwrap().done().unwrap();
    let refused = "Members of your organisation log in without a password.";
    await_fact("what binds him", FACT_WAIT, || reset(&bob.email).json["error_message"] == refused);
    let set = json!({"notification_id": link, "password": "another one"});
    assert_refused(&acme.anybody("account/confirm_password", &set), refused);
    let old = json!({"email": bob.email, "password": PASSWORD});
    assert_eq!(acme.anybody("account/login", &old).status, 431);

    let off = json!({"organisation_id": acme.id});
    session.request("organisation:disable_enforce_no_password", off).unwrap().done().unwrap();
    await_fact("his freedom", FACT_WAIT, || acme.anybody("account/login", &old).status == 200);
    assert_eq!(acme.anybody("account/confirm_password", &set).status, 200, "it changed nothing before");
    acme.world.assert_no_errors();
}
