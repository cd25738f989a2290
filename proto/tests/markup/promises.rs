//! What holds for any text: well-formed output, and the way back to what was typed.

use crate::well_formed::check;
use proptest::prelude::*;
use rill_proto::markup::{FileRef, plain_text, render};

/// Text made of what the format gives a meaning to.
fn marked_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "*",
            "_",
            " ",
            "\n",
            "\n\n",
            ">",
            "> ",
            ":::",
            ":::\n",
            "\n:::\n",
            "-- ",
            "---",
            "\n---\n",
            "From: ",
            "A wrote:\n",
            "http://",
            "www.",
            "www.a.ee",
            "<<",
            ">>",
            "(",
            ")",
            "[",
            "]",
            "(beer)",
            ":)",
            ":",
            "@",
            "@a",
            ".",
            "<",
            "&",
            "\"",
            "'",
            "</p>",
            "\t",
            "\r",
            "\u{0}",
            "\u{a0}",
            "\u{fffe}",
            "õ",
            "x",
            "X(",
            ";",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Lines that the format promises to give back: none of blanks alone (the blanks go), and no rule of dashes alone (after
/// a quote and a blank line its newline moves).
fn kept_text() -> impl Strategy<Value = String> {
    let dropped = |c: char| c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{fffe}' | '\u{ffff}');
    marked_text().prop_map(move |text| {
        let text = text.replace(dropped, "");
        let is_kept = |line: &&str| {
            line.is_empty()
                || !line.trim_matches([' ', '\t']).is_empty() && !line.trim_matches('-').is_empty()
        };
        text.split('\n').filter(is_kept).collect::<Vec<_>>().join("\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn output_is_well_formed(text in marked_text(), key in ".*", name in ".*", is_deleted: bool) {
        let files = [FileRef { key: &key, name: &name, is_deleted }];
        let xml = render(&text, &files).xml;
        prop_assert_eq!(check(&xml), Ok(()), "in {}", xml);
    }

    #[test]
    fn kept_text_comes_back(text in kept_text()) {
        let xml = render(&text, &[]).xml;
        prop_assert_eq!(plain_text(&xml), text, "from {}", xml);
    }

    #[test]
    fn nothing_visible_is_ever_lost(text in marked_text()) {
        let dropped = |c: &char| matches!(c, '\0'..=' ' | '\u{fffe}' | '\u{ffff}');
        let visible = |text: &str| text.chars().filter(|c| !dropped(c)).collect::<String>();
        prop_assert_eq!(visible(&plain_text(&render(&text, &[]).xml)), visible(&text));
    }

    #[test]
    fn mentions_are_typed_names(text in marked_text()) {
        let mentions = render(&text, &[]).mentions;
        for (at, name) in mentions.iter().enumerate() {
            prop_assert!(text.replace('\r', "").contains('@') && !name.is_empty());
            prop_assert!(!mentions[..at].contains(name));
        }
    }

    #[test]
    fn any_xml_has_a_plain_text(xml in marked_text()) {
        plain_text(&xml);
        plain_text(&format!("<msg>{xml}"));
    }
}
