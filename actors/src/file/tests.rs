//! Files and their urls.

use uuid::Uuid;

use super::*;

const ALICE: AccountId = AccountId(Uuid::from_u128(1));
const HERE: Host = Host::Conversation {
    conversation_id: ConversationId(Uuid::from_u128(0xC)),
    message_nr: 7,
    message_id: MessageId(Uuid::from_u128(0xE)),
};

fn content(size: u64) -> Content {
    Content { sha256: Digest([7; 32]), size, file_type: "text/plain".into(), picture: None }
}

/// Every url that says `upload` is an upload of ten bytes; nothing else is anything.
fn found(url: &str) -> Option<Found> {
    match Reference::parse(url)? {
        Reference::Upload(id) => {
            Some(Found { name: format!("{}.txt", id.as_u128()), content: content(10), upload_id: Some(id) })
        }
        Reference::Attached { .. } | Reference::Private { .. } => None,
    }
}

fn upload(nr: u128) -> String {
    Reference::Upload(Uuid::from_u128(nr)).url("a b.txt")
}

fn replace(earlier: &[File], urls: &[String]) -> Result<Attached, Refusal> {
    Attaching { host: HERE, earlier, caller: ALICE, now: 1_000 }.replace(urls, found)
}

fn named(files: &[File]) -> Vec<(&str, bool)> {
    files.iter().map(|file| (file.name.as_str(), file.is_deleted)).collect()
}

#[test]
fn an_url_is_read_as_it_was_written_whatever_the_name_is() {
    let (one, other) = (Uuid::from_u128(3), Uuid::max());
    let references = [
        Reference::Upload(one),
        Reference::Attached { conversation_id: ConversationId(one), message_nr: 12, attachment_id: other },
        Reference::Private { message_id: MessageId(one), attachment_id: other },
    ];
    for reference in references {
        for name in ["a.txt", "a b/ü?#%.txt", "..", ""] {
            let url = reference.url(name);
            assert_eq!(Reference::parse(&url), Some(reference), "{url}");
            assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
        }
    }
    let id = compact::write(one);
    for other in ["", "/", "upload/x", "/upload/x/a", "https://example.org/a", "/avatar/x/y"] {
        assert_eq!(Reference::parse(other), None, "{other}");
    }
    for other in [format!("/upload/{id}"), format!("/file/{id}/x/{id}/a"), format!("/file/{id}/-1/{id}/a")] {
        assert_eq!(Reference::parse(&other), None, "{other}");
    }
}

#[test]
fn a_digest_is_its_hexadecimal_text() {
    let text = "ab".repeat(32);
    assert_eq!(text.parse(), Ok(Digest([0xab; 32])));
    assert_eq!(Digest([0xab; 32]).to_string(), text);
    for other in
        ["", &text[1..], &text.to_uppercase(), &format!("{}zz", &text[2..]), &format!("+1{}", &text[2..])]
    {
        assert_eq!(other.parse::<Digest>(), Err(NoDigest));
    }
}

#[test]
fn a_name_is_the_last_part_of_a_path_and_can_be_stored() {
    for (given, name) in [
        ("a.txt", "a.txt"),
        ("C:\\docs\\a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        (" a\u{0}\n b ", "a b"),
        ("..", "file"),
        ("", "file"),
        ("a/", "file"),
    ] {
        assert_eq!(clean_name(given), name);
    }
    assert_eq!(clean_name(&"ü".repeat(400)).chars().count(), NAME_CHARS_MAX);
}

#[test]
fn a_new_list_keeps_what_it_names_and_lets_go_of_the_rest() {
    let first = replace(&[], &[upload(1), upload(2), upload(1)]).unwrap();
    assert_eq!(named(&first.files), [("1.txt", false), ("2.txt", false)]);
    assert_eq!(first.uploads, [Uuid::from_u128(1), Uuid::from_u128(2)]);
    let kept = first.files[1].url(HERE);
    let again = kept.replace("2.txt", "other-name");
    let second = replace(&first.files, &[upload(3), kept, again]).unwrap();
    assert_eq!(named(&second.files), [("3.txt", false), ("2.txt", false), ("1.txt", true)]);
    assert_eq!(second.files[1], first.files[1]);
    assert_eq!(second.uploads, [Uuid::from_u128(3)]);
    let third = replace(&second.files, &[upload(4)]).unwrap();
    let mut ids: Vec<Uuid> = third.files.iter().map(|file| file.attachment_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4, "no id comes twice");
    assert_eq!(bytes_of(&third.files), 10);
}

#[test]
fn what_is_gone_is_not_brought_back_by_its_url() {
    let first = replace(&[], &[upload(1)]).unwrap();
    let url = first.files[0].url(HERE);
    let none = replace(&first.files, &[]).unwrap();
    assert_eq!(replace(&none.files, &[url]), Err(Refusal::not_found("File")));
}

#[test]
fn a_list_has_bounds_and_only_our_own_urls() {
    let urls: Vec<String> = (0..=FILES_MAX as u128).map(upload).collect();
    assert_eq!(check_urls(&urls[1..]), Ok(()));
    assert_eq!(check_urls(&urls).unwrap_err().status, 400);
    let refused = check_urls(&[upload(1), "https://example.org/a".into()]).unwrap_err();
    assert!(refused.error_message.contains("attachment_urls[1]"), "{refused}");
    let earlier = replace(&[], &urls[1..]).unwrap().files;
    let more = replace(&earlier, &urls[1..]).unwrap().files;
    assert_eq!(more.len(), FILES_EVER_MAX);
    assert_eq!(replace(&more, &urls[1..2]).unwrap_err().status, 400);
}

#[test]
fn a_row_of_a_file_survives_its_store() {
    let mut file = replace(&[], &[upload(1)]).unwrap().files.remove(0);
    file.content.picture = Some(Picture { width: 1, height: 2, is_animated: true, orientation: Some(6) });
    file.delete(Some(ALICE));
    let bytes = serde_json::to_vec(&file).unwrap();
    assert_eq!(serde_json::from_slice::<File>(&bytes).unwrap(), file);
    file.delete(None);
    assert_eq!(file.deleter_id, Some(ALICE), "it is gone once");
}
