//! Files over HTTP: uploading in both forms, reading in parts, bounds, and what a crash leaves.
//!
//! Not here: who sees which file, and what attaching one does, which are the scenarios' part.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use rill_loadtest::session::Session;
use rill_loadtest::user::{HttpAnswer, User};
use serde_json::{Value, json};

use crate::world::{FACT_WAIT, World, assert_like_a_fresh_sync, await_fact, create};

fn uploaded(user: &User, name: &str, bytes: &[u8]) -> Value {
    let answer = user.upload(name, bytes).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json["files"][0].clone()
}

fn url(file: &Value) -> String {
    file["upload_url"].as_str().unwrap().to_owned()
}

fn part(user: &User, url: &str, range: &str) -> HttpAnswer {
    user.get(url, &[("Range", range)]).unwrap()
}

/// How many files lie below the folder of blobs, incomplete ones included.
fn blobs(data: &Path) -> usize {
    let shelves = std::fs::read_dir(data.join("files")).unwrap();
    shelves.map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count()).sum()
}

fn incoming(data: &Path) -> usize {
    std::fs::read_dir(data.join("files/incoming")).unwrap().count()
}

#[test]
fn a_file_is_read_in_parts_and_not_again_when_it_is_known() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let url = url(&uploaded(&ann, "data.bin", &bytes));
    let whole = ann.get(&url, &[]).unwrap();
    assert_eq!((whole.status, whole.bytes.len()), (200, bytes.len()));
    assert!(whole.bytes == bytes, "the bytes come back");
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(whole.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    assert!(whole.header("cache-control").unwrap().starts_with("private"));
    let etag = whole.header("etag").unwrap().to_owned();
    for (range, expected) in
        [("bytes=0-9", 0..10), ("bytes=199990-", 199_990..200_000), ("bytes=-5", 199_995..200_000)]
    {
        let answer = part(&ann, &url, range);
        assert_eq!((answer.status, &answer.bytes[..]), (206, &bytes[expected.clone()]), "{range}");
        let said = format!("bytes {}-{}/200000", expected.start, expected.end - 1);
        assert_eq!(answer.header("content-range"), Some(&said[..]));
    }
    let several = part(&ann, &url, "bytes=0-1,10-11");
    let kind = several.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let head = |range: &str| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {range}/200000\r\n\r\n"
        )
    };
    let expected = [
        head("0-1").as_bytes(),
        &bytes[..2],
        head("10-11").as_bytes(),
        &bytes[10..12],
        format!("\r\n--{boundary}--\r\n").as_bytes(),
    ]
    .concat();
    assert_eq!((several.status, several.bytes == expected), (206, true), "{}", several.body);
    for range in ["bytes=5-1", "bytes=200000-", "lines=0-1", "bytes="] {
        let answer = part(&ann, &url, range);
        assert_eq!((answer.status, answer.header("content-range")), (416, Some("bytes */200000")), "{range}");
    }
    assert_eq!(ann.get(&url, &[("If-None-Match", &etag)]).unwrap().status, 304);
    let other = ann.get(&url, &[("If-Range", "\"other\""), ("Range", "bytes=0-1")]).unwrap();
    assert_eq!((other.status, other.bytes.len()), (200, bytes.len()), "the rest would be of other bytes");
    let head = ann.send("HEAD", &url, &[], &[]).unwrap();
    assert_eq!((head.status, head.header("content-length"), head.bytes.len()), (200, Some("200000"), 0));
    world.assert_no_errors();
}

#[test]
fn a_picture_is_shown_and_what_only_says_so_is_saved() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let png = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x90\0\0\x01\x2c\x08\x06\0\0\0\0\0\0\0"[..], &[0; 64]]
        .concat();
    let file = uploaded(&ann, "photo.png", &png);
    assert_eq!(
        (&file["width"], &file["height"], &file["is_animated"]),
        (&json!(400), &json!(300), &json!(false))
    );
    let shown = ann.get(&url(&file), &[]).unwrap();
    assert_eq!(
        (shown.header("content-type"), shown.header("content-disposition")),
        (Some("image/png"), None)
    );
    for (name, bytes) in
        [("a.png", &b"<script>alert(1)</script>"[..]), ("a.html", b"<html>"), ("a.svg", b"<svg/>")]
    {
        let saved = ann.get(&url(&uploaded(&ann, name, bytes)), &[]).unwrap();
        assert_eq!(saved.header("content-type"), Some("application/octet-stream"), "{name}");
        assert!(saved.header("content-disposition").unwrap().starts_with("attachment"), "{name}");
    }
    world.assert_no_errors();
}

#[test]
fn a_form_brings_several_files_and_old_parameters() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let form = "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nPUT\r\n\
        --x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.txt\"\r\nContent-Type: text/html\r\n\r\naaa\r\n\
        --x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"../b\u{fc}.txt\"\r\n\r\n\r\n--x--\r\n";
    let send = |ticket: &str, kind: &str, body: &[u8]| {
        let path = format!("/api/file/upload/?ticket={ticket}");
        ann.send("POST", &path, &[("Content-Type", kind)], body).unwrap()
    };
    let kind = "multipart/form-data; boundary=x";
    let answer = send(&ann.ticket, kind, form.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let files = answer.json["files"].as_array().unwrap();
    let told: Vec<_> =
        files.iter().map(|file| (file["name"].as_str().unwrap(), file["size"].as_u64())).collect();
    assert_eq!(told, [("a.txt", Some(3)), ("b\u{fc}.txt", Some(0))]);
    assert_eq!(files[0]["file_type"], "text/plain", "what the client says of it is not believed");
    assert_eq!(ann.get(&url(&files[0]), &[]).unwrap().body, "aaa");
    assert_eq!(ann.get(&url(&files[1]), &[]).unwrap().status, 200);
    for (kind, body) in [(kind, "--x--\r\n"), (kind, "rubbish"), ("text/plain", form)] {
        assert_eq!(send(&ann.ticket, kind, body.as_bytes()).status, 400, "{kind} {body}");
    }
    assert_eq!(send("wrong", kind, form.as_bytes()).status, 401);
    assert_eq!(incoming(world.server.data_dir()), 0);
    world.assert_no_errors();
}

#[test]
fn nobody_reads_or_writes_without_a_login() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let url = url(&uploaded(&ann, "a.txt", b"mine"));
    assert_eq!(world.get(&url).unwrap().0, 401);
    let answer = ann.send("PUT", "/api/file/upload", &[], b"x").unwrap();
    assert_eq!((answer.status, answer.json["error_id"].as_str()), (401, Some("unauthorized")));
    assert_eq!(ann.send("POST", &url, &[], b"x").unwrap().status, 405);
    assert_eq!(world.person("Bea").get(&url, &[]).unwrap().status, 404);
}

#[test]
fn files_have_bounds_and_so_have_accounts() {
    let world = World::start(&["--file-bytes-max", "1000", "--storage-quota-bytes", "2500"]);
    let (ann, bea) = (world.person("Ann"), world.person("Bea"));
    let too_large = ann.upload("a", &[0; 1001]).unwrap();
    assert_eq!((too_large.status, too_large.json["error_id"].as_str()), (413, Some("too_large")));
    uploaded(&ann, "a", &[1; 1000]);
    uploaded(&ann, "a", &[1; 1000]);
    let full = ann.upload("a", &[2; 501]).unwrap();
    assert_eq!((full.status, full.json["error_id"].as_str()), (507, Some("quota_full")));
    uploaded(&ann, "a", &[2; 500]);
    uploaded(&bea, "a", &[2; 501]);
    assert_eq!(incoming(world.server.data_dir()), 0, "what was refused left nothing");
    world.assert_no_errors();
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let world = World::start(&[]);
    let ann = world.person("Ann");
    let data = world.server.data_dir();
    uploaded(&ann, "a", b"whole");
    let before = blobs(data);
    let address = world.server.url().strip_prefix("http://").unwrap().to_owned();
    let mut line = TcpStream::connect(&address).unwrap();
    let head = format!(
        "PUT /api/file/upload?ticket={} HTTP/1.1\r\nHost: {address}\r\nCookie: token_id={}\r\nContent-Length: 9000000\r\n\r\n",
        ann.ticket, ann.token_id
    );
    line.write_all(head.as_bytes()).unwrap();
    line.write_all(&vec![7; 2_000_000]).unwrap();
    await_fact("bytes on the disk", FACT_WAIT, || incoming(data) == 1);
    drop(line);
    await_fact("end of what was on its way", FACT_WAIT, || incoming(data) == 0);
    assert_eq!(blobs(data), before);
    world.assert_no_errors();
}

#[test]
fn an_upload_larger_than_memory_should_hold_is_streamed() {
    /// Far more than a server may take for one client.
    const BYTES: usize = 192 * 1024 * 1024;
    let world = World::start_alone(&[]);
    let ann = world.person("Ann");
    uploaded(&ann, "warm", &[1; 1_000_000]);
    let before = world.server.resident_bytes().unwrap();
    let address = world.server.url().strip_prefix("http://").unwrap().to_owned();
    let mut line = TcpStream::connect(&address).unwrap();
    let head = format!(
        "PUT /api/file/upload?ticket={} HTTP/1.1\r\nHost: {address}\r\nCookie: token_id={}\r\nContent-Length: {BYTES}\r\nConnection: close\r\n\r\n",
        ann.ticket, ann.token_id
    );
    line.write_all(head.as_bytes()).unwrap();
    let mut most = before;
    for _ in 0..BYTES / (1024 * 1024) {
        line.write_all(&[9; 1024 * 1024]).unwrap();
        most = most.max(world.server.resident_bytes().unwrap());
    }
    let mut answer = String::new();
    line.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    println!("files: {} MB streamed with {} kB more memory", BYTES >> 20, most.saturating_sub(before) >> 10);
    assert!(most - before < 16 * 1024 * 1024, "{} bytes more", most - before);
}

#[test]
fn what_was_answered_survives_a_kill() {
    let mut world = World::start(&[]);
    let ann = world.person("Ann");
    let mut session = ann.connect(0).unwrap();
    let room = create(&mut session, "Kept", &[]);
    let mut urls = Vec::new();
    for round in 0..5 {
        for n in 0..5 {
            let bytes = format!("file {n} of round {round}");
            urls.push((url(&uploaded(&ann, "a.txt", bytes.as_bytes())), bytes));
        }
        world.server.kill9().unwrap();
        world.server.restart().unwrap();
        for (url, bytes) in &urls {
            assert_eq!(&ann.get(url, &[]).unwrap().body, bytes);
        }
    }
    let mut session = ann.connect(0).unwrap();
    let params = json!({"conversation_id": room, "message": "all", "attachment_urls": urls.iter().map(|(url, _)| url).collect::<Vec<_>>()});
    session.request("message:add_plain", params).unwrap().done().unwrap();
    let first = session.picture().records("file").next().unwrap()["file_url"].as_str().unwrap().to_owned();
    world.server.kill9().unwrap();
    world.server.restart().unwrap();
    assert!(ann.get(&first, &[]).unwrap().body.starts_with("file "));
    let mut session = ann.connect(0).unwrap();
    assert_eq!(session.picture().records("file").count(), urls.len());
    assert_like_a_fresh_sync(&mut session);
    world.assert_no_errors();
}

#[test]
fn bytes_that_nobody_has_any_more_are_dropped_and_no_others() {
    let world = World::start(&["--file-collect-ms", "20"]);
    let (ann, data) = (world.person("Ann"), world.server.data_dir());
    let mut session = ann.connect(0).unwrap();
    let room = create(&mut session, "Files", &[]);
    let mut send = |bytes: &[u8]| {
        let uploaded = url(&uploaded(&ann, "a.txt", bytes));
        let sent = json!({"conversation_id": room, "message": "x", "attachment_urls": [uploaded]});
        let sent = session.request("message:add_plain", sent).unwrap();
        let identifier = sent.request["identifier"].clone();
        (identifier["message_nr"].clone(), sent.stream[2]["file_url"].as_str().unwrap().to_owned())
    };
    let (_, stays) = send(b"stays");
    let waits = url(&uploaded(&ann, "b.txt", b"waits to be attached"));
    // The row of an upload names its bytes for a week, so this one never had one.
    let nobodys = data.join("files/ab").join(format!("ab{}", "0".repeat(62)));
    std::fs::create_dir_all(nobodys.parent().unwrap()).unwrap();
    std::fs::write(&nobodys, "nobody's").unwrap();
    let young = nobodys.with_file_name(format!("ab{}", "1".repeat(62)));
    std::fs::write(&young, "nobody's, but new").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 24 * 60 * 60);
    for shelf in std::fs::read_dir(data.join("files")).unwrap() {
        for blob in std::fs::read_dir(shelf.unwrap().path()).unwrap().map(|blob| blob.unwrap().path()) {
            if blob != young {
                std::fs::File::options().append(true).open(blob).unwrap().set_modified(long_ago).unwrap();
            }
        }
    }
    await_fact("end of what nobody has", FACT_WAIT, || !nobodys.exists());
    assert!(young.exists(), "somebody may be about to name it");
    assert_eq!(ann.get(&stays, &[]).unwrap().body, "stays");
    assert_eq!(ann.get(&waits, &[]).unwrap().body, "waits to be attached");
    world.assert_no_errors();
}
