//! Typed text to message XML: the samples of the format, and what nobody may smuggle in.

#[path = "markup/blocks.rs"]
mod blocks;
#[path = "markup/inlines.rs"]
mod inlines;
#[path = "markup/promises.rs"]
mod promises;
#[path = "markup/well_formed.rs"]
mod well_formed;

use rill_proto::markup::{FileRef, plain_text, render, with_files};
use well_formed::check;

fn xml(text: &str) -> String {
    let xml = render(text, &[]).xml;
    check(&xml).unwrap_or_else(|fault| panic!("{fault} in {xml}"));
    xml
}

/// What stands inside the only paragraph.
fn paragraph(text: &str) -> String {
    let xml = xml(text);
    let inside = xml.strip_prefix("<msg><p>").and_then(|xml| xml.strip_suffix("</p></msg>"));
    inside.unwrap_or_else(|| panic!("{xml} is not one paragraph")).to_owned()
}

fn assert_paragraphs(cases: &[(&str, &str)]) {
    for (typed, inside) in cases {
        assert_eq!(paragraph(typed), *inside, "for {typed:?}");
        assert_eq!(plain_text(&xml(typed)), *typed, "back from {inside}");
    }
}

const fn file<'a>(key: &'a str, name: &'a str) -> FileRef<'a> {
    FileRef { key, name, is_deleted: false }
}

#[test]
fn samples() {
    assert_eq!(xml("PlainMessage"), "<msg><p>PlainMessage</p></msg>");
    assert_eq!(
        xml("text: www.google.com"),
        r#"<msg><p>text: <a href="http://www.google.com">www.google.com</a></p></msg>"#
    );
    assert_eq!(xml("body\n\n-- \nHelmo"), "<msg><p>body</p><p><q>-- <br/>Helmo</q></p></msg>");
    assert_paragraphs(&[
        ("_love_", r#"<i flp="_" fls="_">love</i>"#),
        (":)", r#"<emo kind="esmile">:)</emo>"#),
        (
            "https://google.com<<google.com>>",
            r#"<a flp="https://google.com&lt;&lt;" fls="&gt;&gt;" href="https://google.com">google.com</a>"#,
        ),
    ]);
}

#[test]
fn files_stand_after_the_last_paragraph() {
    let one = [file("K1", "avatar1.jpg")];
    assert_eq!(render("", &one).xml, r#"<msg><file key="K1">avatar1.jpg</file></msg>"#);
    let two = [file("K1", "a.txt"), file("K2", "b.txt")];
    assert_eq!(
        render("two", &two).xml,
        r#"<msg><p>two</p><file key="K1">a.txt</file><file key="K2">b.txt</file></msg>"#
    );
    let gone = [FileRef { is_deleted: true, ..file("K1", "a.txt") }];
    assert_eq!(render("", &gone).xml, r#"<msg><file key="K1" is_deleted="true"/></msg>"#);
    assert_eq!(plain_text(&render("two", &gone).xml), "two");
    assert_eq!(plain_text(&render("two", &two).xml), "two");
    assert_eq!(plain_text(&render("", &two).xml), "");
}

#[test]
fn other_files_leave_the_text_alone() {
    let (before, after) = ([file("K1", "a.txt")], [file("K2", "b <file x")]);
    for text in ["", "one\n\ntwo <file > & *b*"] {
        let told = with_files(&render(text, &before).xml, &after);
        assert_eq!(told, render(text, &after).xml);
        assert_eq!(with_files(&told, &before), render(text, &before).xml);
    }
    assert_eq!(with_files(&render("", &before).xml, &[]), "<msg/>");
    assert_eq!(with_files("<msg/>", &after), render("", &after).xml);
}

#[test]
fn dropped_characters() {
    assert_eq!(paragraph("a\r\nb\rc"), "a<br/>bc");
    assert_eq!(paragraph("\u{0}\u{8}\u{b}\u{c}\u{1f}x\ty\u{fffe}\u{ffff}"), "x\ty");
    assert_eq!(xml("\r"), xml(""));
    let files = [file("K\u{0}1", "a\u{1}.txt")];
    assert_eq!(render("\r", &files).xml, r#"<msg><file key="K1">a.txt</file></msg>"#);
}

#[test]
fn nothing_typed_becomes_markup() {
    assert_paragraphs(&[
        ("</p></msg><msg>", "&lt;/p&gt;&lt;/msg&gt;&lt;msg&gt;"),
        (r#"<file key="K">x</file>"#, r#"&lt;file key="K"&gt;x&lt;/file&gt;"#),
        ("&lt; &amp; &#60; &", "&amp;lt; &amp;amp; &amp;#60; &amp;"),
        ("<!-- a --> <![CDATA[ b ]]> <?c?>", "&lt;!-- a --&gt; &lt;![CDATA[ b ]]&gt; &lt;?c?&gt;"),
        (
            r#"http://a/?b=c&d="onclick="x"#,
            r#"<a href="http://a/?b=c&amp;d=">http://a/?b=c&amp;d=</a>"onclick="x"#,
        ),
        (
            r#"http://a&b<<"><x/>&>>"#,
            r#"<a flp="http://a&amp;b&lt;&lt;" fls="&gt;&gt;" href="http://a&amp;b">"&gt;&lt;x/&gt;&amp;</a>"#,
        ),
        ("*<b>*", r#"<b flp="*" fls="*">&lt;b&gt;</b>"#),
        (":::\n</pre>&\n:::", "<pre flp=\":::&#10;\" fls=\":::\">&lt;/pre&gt;&amp;\n</pre>"),
    ]);
    let files = [file("\"><x a='\n&", "</file><&\">")];
    let with_file = render("", &files).xml;
    check(&with_file).expect("a file name is text");
    assert_eq!(
        with_file,
        r#"<msg><file key="&quot;&gt;&lt;x a='&#10;&amp;">&lt;/file&gt;&lt;&amp;"&gt;</file></msg>"#
    );
}

#[test]
fn plain_text_of_what_others_wrote() {
    assert_eq!(
        plain_text("<msg><p>a&#x41;&apos;&quot;&nbsp;&</p><p/>b<mark>c</mark><hr/></msg>"),
        "aA'\"&nbsp;&\n\nbc"
    );
    assert_eq!(plain_text("<msg><p>a</p><file key='>'>x<b flp='*'>y</b></file><br/></msg>"), "a\n");
    assert_eq!(plain_text("<msg></b></msg></msg><p flp=\"1\" x"), "<p flp=\"1\" x");
}
