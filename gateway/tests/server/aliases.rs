//! Another address for an account: asked for, confirmed by its mailbox, logged in with, preferred, given up (accounts.md §3.3);
//! and the Fleep address, which is taken once.
//!
//! Not here: the rules one by one, which are beside them.

use rill_loadtest::record::{list, text};
use rill_loadtest::session::Session;
use rill_loadtest::user::User;
use serde_json::{Value, json};

use crate::letter;
use crate::world::{FACT_WAIT, PASSWORD, World, assert_like_a_fresh_sync, await_fact, create, post};

const OTHER: &str = "other@example.com";

fn link_to(world: &World, email: &str) -> String {
    let mut link = None;
    await_fact(&format!("letter to {email}"), FACT_WAIT, || {
        let newest = letter::newest(&[world.server.data_dir().join("mail")], email, "another address");
        link = newest.as_deref().and_then(letter::link);
        link.is_some()
    });
    link.unwrap()
}

fn refused(user: &User, path: &str, body: Value, text: &str) {
    let answer = user.http_post(&format!("/api/{path}"), body).unwrap();
    assert_eq!((answer.status, answer.json["error_message"].as_str()), (431, Some(text)), "{}", answer.body);
}

fn done(user: &User, path: &str, body: Value) -> Value {
    user.http_post(&format!("/api/{path}"), body).unwrap().ok(path).unwrap().json
}

#[test]
fn another_address_is_the_accounts_with_everything_that_was_written_to_it() {
    let world = World::start(&[]);
    let (ann, bob) = (world.person("Ann"), world.person("Bob"));
    let (mut of_ann, mut of_bob) = (ann.connect(0).unwrap(), bob.connect(0).unwrap());
    let found = of_bob.request("contact:lookup_by_email", json!({ "email": OTHER })).unwrap();
    let alias_id = found.request["identifier"]["account_id"].as_str().unwrap().to_owned();
    let room = create(&mut of_bob, "Tea", &[]);
    let add = json!({"conversation_id": room, "account_ids": [alias_id]});
    of_bob.request("conv:add_members", add).unwrap().done().unwrap();
    let hello = post(&mut of_bob, &room, "hello");

    refused(&ann, "alias/add", json!({"emails": bob.email}), "This address belongs to another account.");
    refused(&ann, "alias/add", json!({"emails": ann.email}), "This address is yours already.");
    done(&ann, "alias/add", json!({"emails": format!("Me <{OTHER}>")}));
    let id = json!({"notification_id": link_to(&world, OTHER)});
    let confirmed = done(&ann, "alias/confirm", id.clone());
    assert_eq!(confirmed["failed"], Value::Null);
    let stream = list(&confirmed, "stream");
    assert_eq!(
        (text(&stream[0], "account_id"), text(&stream[0], "mk_account_status")),
        (&*alias_id, "alias")
    );
    assert_eq!(stream[1]["alias_account_ids"], json!([alias_id]));
    refused(&ann, "alias/confirm", id, "Link has already been used.");
    assert_eq!(list(&done(&ann, "alias/sync", json!({})), "stream").len(), 2);

    // What was written to it is hers, unread as it was, and who wrote it finds her there.
    of_ann
        .wait_for("the conversation of her other address", FACT_WAIT, &mut |picture| {
            picture.message(&room, hello).is_some()
                && picture.conv(&room).is_some_and(|conv| conv["unread_count"] == 1)
        })
        .unwrap();
    of_bob
        .wait_for("her in its place", FACT_WAIT, &mut |picture| {
            picture.conv(&room).is_some_and(|conv| conv["members"] == json!([bob.account_id, ann.account_id]))
        })
        .unwrap();
    let found = of_bob.request("contact:lookup_by_email", json!({ "email": OTHER })).unwrap();
    assert_eq!(found.request["identifier"]["account_id"], *ann.account_id);
    assert_eq!(User::login(&world.server.url(), OTHER, PASSWORD).unwrap().account_id, ann.account_id);

    // It becomes the first address, and the first another one.
    refused(
        &ann,
        "account/configure_primary_email",
        json!({"primary_email": bob.email}),
        "This address is none of yours.",
    );
    let own = done(&ann, "account/configure_primary_email", json!({ "primary_email": OTHER }));
    assert_eq!((&own["email"], &own["alias_account_ids"]), (&json!(OTHER), &json!([alias_id])));
    of_bob
        .wait_for("her new first address", FACT_WAIT, &mut |picture| {
            picture.record("contact", &ann.account_id).is_some_and(|contact| contact["email"] == OTHER)
        })
        .unwrap();
    for email in [OTHER, &ann.email] {
        assert_eq!(User::login(&world.server.url(), email, PASSWORD).unwrap().account_id, ann.account_id);
    }
    let given_up = done(&ann, "alias/remove", json!({"emails": ann.email}));
    assert_eq!(list(&given_up, "stream")[0]["alias_account_ids"], json!([]));
    assert!(User::login(&world.server.url(), &ann.email, PASSWORD).is_err());
    for session in [&mut of_ann, &mut of_bob] {
        assert_like_a_fresh_sync(session);
    }
    world.assert_no_errors();
}

#[test]
fn the_mailbox_need_not_be_logged_in_and_nobody_registers_under_what_is_taken() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    done(&ann, "alias/add", json!({ "emails": OTHER }));
    let id = json!({"notification_id": link_to(&world, OTHER)});
    let call = |path: &str, body: &Value| {
        rill_loadtest::user::http_post(&world.server.url(), &format!("/api/{path}"), &[], body).unwrap()
    };
    let confirmed = call("alias/confirm", &id);
    assert_eq!((confirmed.status, &confirmed.json), (200, &json!({"failed": null, "stream": []})));
    await_fact("the address among hers", FACT_WAIT, || {
        list(&done(&ann, "alias/sync", json!({})), "stream").len() == 2
    });
    let registered =
        call("account/register", &json!({"email": OTHER, "display_name": "X", "password": PASSWORD}));
    assert_eq!(registered.json["error_message"], "Account already active");
    assert_eq!(
        call("alias/confirm", &json!({"notification_id": "x"})).json["error_message"],
        "Notification expired."
    );
    world.assert_no_errors();
}

#[test]
fn a_fleep_address_is_taken_once_and_by_one() {
    let world = World::start(&[]);
    let (ann, bob) = (world.person("Ann"), world.person("Bob"));
    let own = done(&ann, "fleep_address/add", json!({"fleep_address": "Ann.Other"}));
    assert_eq!(own["fleep_address"], "ann.other");
    assert_eq!(User::login(&world.server.url(), "ann.other", PASSWORD).unwrap().account_id, ann.account_id);
    refused(&ann, "account/configure", json!({"fleep_address": "another"}), "Fleep address limit exceeded!");
    refused(&bob, "fleep_address/add", json!({"fleep_address": "ann.other"}), "Fleep address not available!");
    world.assert_no_errors();
}
