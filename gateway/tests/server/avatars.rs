//! Pictures of accounts: set, shown beside the name to whoever knows the account, served to whoever has logged in, taken away.
//!
//! Not here: how files are served, which is the same for all of them.

use rill_loadtest::session::Session;
use serde_json::{Value, json};

use crate::world::{FACT_WAIT, World, assert_like_a_fresh_sync, create};

fn png(width: u8) -> Vec<u8> {
    let head =
        [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01"[..], &[width], b"\0\0\x01\x2c\x08\x06\0\0\0\0\0\0\0"]
            .concat();
    [head, vec![0; 64]].concat()
}

#[test]
fn a_picture_is_shown_to_whoever_knows_the_account_until_it_is_taken_away() {
    let world = World::start(&["--file-collect-ms", "20"]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let (mut of_ann, mut of_bea) = (ann.connect(0).unwrap(), bea.connect(0).unwrap());
    create(&mut of_ann, "Faces", &[&bea]);
    let upload = |verb: &str, headers: &[(&str, &str)], bytes: &[u8]| {
        ann.send(verb, &format!("/api/avatar/upload?ticket={}", ann.ticket), headers, bytes).unwrap()
    };
    let set = upload("PUT", &[], &png(0x90));
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(
        (&set.json["files"][0]["width"], &set.json["account_id"]),
        (&json!(400), &json!(ann.account_id))
    );
    let urls: Value = serde_json::from_str(set.json["avatar_urls"].as_str().unwrap()).unwrap();
    assert_eq!(urls.as_object().unwrap().len(), 3, "{urls}");
    let url = urls["size_50"].as_str().unwrap();
    let shows = |text: &str, session: &mut dyn Session| {
        session.wait_for("the picture beside the name", FACT_WAIT, &mut |picture| {
            picture
                .record("contact", &ann.account_id)
                .is_some_and(|contact| contact.get("avatar_urls") == Some(&json!(text)))
        })
    };
    let text = set.json["avatar_urls"].as_str().unwrap();
    shows(text, &mut of_bea).unwrap();
    shows(text, &mut of_ann).unwrap();
    let read = bea.get(url, &[]).unwrap();
    assert_eq!((read.status, read.header("content-type")), (200, Some("image/png")));
    assert!(read.bytes == png(0x90));
    assert_eq!(world.get(url).unwrap().0, 401);
    assert_eq!(bea.get("/avatar/x/y/thumb50", &[]).unwrap().status, 404);

    let refused = upload("PUT", &[], b"no picture");
    assert_eq!((refused.status, refused.json["error_message"].as_str()), (431, Some("This is no picture.")));
    assert_eq!(upload("PUT", &[], &vec![0; 5 * 1024 * 1024 + 1]).status, 413);
    let form = [
        &b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n"[..],
        &png(0x91),
        b"\r\n--x--\r\n",
    ]
    .concat();
    let again = upload("POST", &[("Content-Type", "multipart/form-data; boundary=x")], &form);
    assert_eq!((again.status, &again.json["files"][0]["width"]), (200, &json!(401)), "{}", again.body);
    assert_eq!(bea.get(url, &[]).unwrap().status, 404, "it is another picture now");

    let gone = ann.http_post("/api/avatar/delete", json!({})).unwrap();
    assert_eq!((gone.status, &gone.json["avatar_urls"]), (200, &json!("{}")));
    shows("{}", &mut of_bea).unwrap();
    for session in [&mut of_ann, &mut of_bea] {
        assert_like_a_fresh_sync(session);
    }
    world.assert_no_errors();
}
