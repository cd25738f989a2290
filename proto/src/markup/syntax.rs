//! The syntax as `markup/get_syntax` publishes it (protocol.md §5.4), written from the tables by which it is converted here.
//!
//! The keys are the protocol's; what stands behind them is evidenced nowhere. Expressions match at the beginning of what they
//! are tried on; what a marker swallows is their first group.

use serde_json::{Map, Value, json};

use super::block::State;
use super::line::Line;
use super::{emoticon, inline, link};

/// What ends the text, in the place of a line.
const END: &str = "end";

/// All of it.
#[must_use]
pub fn syntax() -> Value {
    let line_types: Map<String, Value> =
        Line::ALL.into_iter().map(|line| (line.name().to_owned(), line.pattern().into())).collect();
    let line_states: Map<String, Value> =
        State::ALL.into_iter().map(|state| (state.name().to_owned(), transitions(state))).collect();
    let tags: Map<String, Value> =
        inline::STYLES.into_iter().map(|(marker, tag)| (marker.to_string(), tag.into())).collect();
    let emoticons: Map<String, Value> =
        emoticon::all().into_iter().map(|(typed, kind)| (typed, kind.into())).collect();
    json!({
        "end_token": END,
        "start_state": State::Start.name(),
        "line_types": line_types,
        "line_states": line_states,
        "multi_word_start": r"(?:^|\s)([*_])\S",
        "multi_word_end": r"\S([*_])(?:$|[\s.,!?;])",
        "multi_word_tags": tags,
        "single_word_markup": [link::pattern()],
        "single_word_tags": ["a"],
        "emoticon_names": emoticons,
        "href_schemas": link::SCHEMES,
        "open_parens": "({[<",
        "close_parens": ")}]>",
        "link_strip_punct": link::STRIPPED.into_iter().collect::<String>(),
        "url_desc_start": link::DESCRIPTION_BEGIN,
        "url_desc_end": link::DESCRIPTION_END,
        "drop_chars": r"[\u0000-\u0008\u000B-\u001F\uFFFE\uFFFF]",
    })
}

/// `[line type, actions, next state]` in the order in which they are tried, and the actions at the end of the text.
fn transitions(state: State) -> Value {
    let begins = |actions: Vec<&'static str>| {
        if state == State::Start { [vec!["msg"], actions].concat() } else { actions }
    };
    let lines = state.transitions().iter().map(|(line, acts, next)| {
        json!([line.name(), begins(acts.iter().map(|act| act.name()).collect()), next.name()])
    });
    let end = [begins(state.end().iter().map(|act| act.name()).collect()), vec!["/msg"]].concat();
    lines.chain([json!([END, end, null])]).collect()
}

#[cfg(test)]
mod tests {
    use regex::Regex;
    use serde_json::json;

    use super::syntax;
    use crate::markup::is_dropped;
    use crate::markup::line::{Line, Place};
    use crate::markup::{emoticon, link};

    /// Beginnings of texts that are of one type of line or another, or nearly.
    const TEXTS: &[&str] = &[
        "",
        " ",
        "\t\nx",
        "\n",
        "x",
        ":::",
        ":::\n",
        ":::  \nx",
        ":::x\n",
        ":::\n\nx",
        ":::\nx",
        "> x",
        ">",
        " > x",
        "Ann wrote:\n> x",
        "Ann wrote:\n\n> x",
        "Ann wrote: \n\n \n> x",
        "Ann wrote:\n\n\n\n> x",
        "Ann wrote:\nx",
        "Ann wrote: x\n> x",
        "Il a écrit :\n> x",
        "Am 5. Mai schrieb Ann:\n> x",
        "Am 5. Mai scrieb:\n>",
        "Am 5. Mai sang Ann:\n> x",
        "-- ",
        "-- \nx",
        "-- x",
        "--",
        "---",
        "----\nx",
        "---x",
        "--- Forwarded message ---",
        "---original message---\nx",
        "--- forwarded message --",
        "From: x",
        "*From*: x",
        "From x",
    ];

    #[test]
    fn a_line_is_of_a_type_where_its_expression_matches() {
        for line in Line::ALL {
            let expression = Regex::new(&format!("^(?:{})", line.pattern())).unwrap();
            for text in TEXTS {
                let place = Place::at(text);
                assert_eq!(expression.is_match(text), place.is(line), "{} for {text:?}", line.name());
                let swallowed = expression.captures(text).and_then(|found| found.get(1));
                let swallowed = swallowed.map_or("", |found| found.as_str());
                if place.is(line) {
                    assert_eq!(swallowed, place.captured(line), "{} for {text:?}", line.name());
                }
            }
        }
    }

    #[test]
    fn the_published_table_is_that_of_the_format() {
        let syntax = syntax();
        assert_eq!(syntax["start_state"], "START");
        let start = &syntax["line_states"]["START"];
        assert_eq!(start[0], json!(["pre", ["msg", "p", "pre%"], "PRE"]));
        assert_eq!(start[6], json!(["end", ["msg", "p", "/p", "/msg"], null]));
        let quote = &syntax["line_states"]["QUOTE"];
        assert_eq!(quote[0], json!(["pre", ["br", "/q", "pre%"], "PRE"]));
        assert_eq!(syntax["line_states"]["PRE"][0], json!(["pre_end1", ["/pre%"], "PRE_TAIL"]));
        assert_eq!(syntax["line_states"].as_object().map(serde_json::Map::len), Some(9));
        assert_eq!(syntax["multi_word_tags"], json!({"*": "b", "_": "i"}));
        assert_eq!(syntax["link_strip_punct"], ".!?;,-");
    }

    #[test]
    fn every_published_emoticon_is_one() {
        for (typed, kind) in emoticon::all() {
            assert_eq!(emoticon::at(&typed), Some((kind, typed.len())), "{typed}");
        }
        assert_eq!(syntax()["emoticon_names"]["((Beer))"], "ebeer");
    }

    #[test]
    fn what_may_begin_a_link_and_what_is_dropped_is_published_as_it_is() {
        let expression = Regex::new(&format!("^(?:{})", link::pattern())).unwrap();
        for text in ["http://a", "HTTPS://a", "mailto://a", "www.a", "gopher://a", "http:/a", "www", "WWW.a"]
        {
            assert_eq!(expression.is_match(text), link::at(text).is_some(), "{text}");
        }
        let dropped = syntax()["drop_chars"].as_str().unwrap().to_owned();
        let dropped = Regex::new(&dropped).unwrap();
        for character in (0..=0xffff).filter_map(char::from_u32) {
            assert_eq!(dropped.is_match(&character.to_string()), is_dropped(character), "{character:?}");
        }
    }
}
