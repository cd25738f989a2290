//! Inside a line: bold and italic, emoticons, links, mentions, as §5.4 has them.

use crate::{assert_paragraphs, paragraph, xml};
use rill_proto::markup::{plain_text, render};

#[test]
fn bold_and_italic() {
    let bold = |text: &str| format!(r#"<b flp="*" fls="*">{text}</b>"#);
    let italic = |text: &str| format!(r#"<i flp="_" fls="_">{text}</i>"#);
    assert_paragraphs(&[
        ("*a*", &bold("a")),
        ("*a b* c", &format!("{} c", bold("a b"))),
        ("x *a*, _b_!", &format!("x {}, {}!", bold("a"), italic("b"))),
        ("*a* *b*", &format!("{} {}", bold("a"), bold("b"))),
        ("*_a_*", &bold(&italic("a"))),
        ("_a *b* c_", &italic(&format!("a {} c", bold("b")))),
        ("*a *b* c*", &format!("{} c*", bold("a *b"))),
        ("*_*a*_*", &bold(&italic("*a*"))),
        ("> *a*", &format!("<q>&gt; {}</q>", bold("a"))),
        ("*a", "*a"),
        ("* a*", "* a*"),
        ("*a *", "*a *"),
        ("a*b*", "a*b*"),
        ("*a*b", "*a*b"),
        ("*a\nb*", "*a<br/>b*"),
        ("**", "**"),
        ("snake_case_name", "snake_case_name"),
        ("*a :)*", &bold(r#"a <emo kind="esmile">:)</emo>"#)),
    ]);
}

#[test]
fn emoticons() {
    let emo = |kind: &str, typed: &str| format!(r#"<emo kind="{kind}">{typed}</emo>"#);
    for (kind, typed) in [
        ("esmile", ":) :-) :=)"),
        ("esad", ":( :-( :=("),
        ("elaugh", ":D :d :-D :=D"),
        ("ewink", ";) ;-) ;=)"),
        ("esurprise", ":O :o :-o :=o"),
        ("etongue", ":P :p :-p :=p"),
        ("eworried", ":S :s :-s"),
        ("eangry", ":@ :-@ :=@ X( x-( X=("),
        ("edontcare", ":/ :-/"),
        ("eup", "(y) (Y) ((y)) ((Y))"),
        ("edown", "(n)"),
        ("eheart", "(h) (l) (heart) (love) (Love)"),
        ("ebeer", "(beer) (Beer) ((beer))"),
        ("ecoffee", "(coffee) (tea)"),
        ("ecoctail", "(d) (drink)"),
        ("eparty", "(party)"),
        ("egift", "(gift)"),
        ("ecandy", "(candy)"),
        ("esun", "(sun) (sunny)"),
        ("ephone", "(phone)"),
        ("emobile", "(mobile)"),
        ("eidea", "(i) (idea)"),
        ("eclock", "(o) (clock)"),
        ("ecat", "(cat)"),
        ("ebug", "(bug)"),
        ("edone", "(done)"),
        ("etodo", "(todo)"),
        ("ework", "(work) (gwb)"),
        ("epoop", "(poop)"),
        ("eflower", "(f) (flower)"),
        ("eumbrella", "(umbrella)"),
        ("esanta", "(santa) (kraana)"),
        ("esnowman", "(snowman)"),
        ("eandroid", "(android)"),
    ] {
        let expected: Vec<String> = typed.split(' ').map(|typed| emo(kind, typed)).collect();
        assert_paragraphs(&[(typed, &expected.join(" "))]);
    }
    assert_paragraphs(&[
        ("ha:)", &format!("ha{}", emo("esmile", ":)"))),
        ("a(beer)b", &format!("a{}b", emo("ebeer", "(beer)"))),
        ("((beer)", &format!("({}", emo("ebeer", "(beer)"))),
        ("(õ) (bEER) (beer ((", "(õ) (bEER) (beer (("),
        (":)a :).", ":)a :)."),
        ("😀", "😀"),
    ]);
}

#[test]
fn links() {
    let link = |link: &str| format!(r#"<a href="{link}">{link}</a>"#);
    let www = |link: &str| format!(r#"<a href="http://{link}">{link}</a>"#);
    for url in [
        "http://a.ee",
        "https://a.ee/b?c=d#e",
        "ftp://a",
        "itms-services://?action=x",
        "skype://echo",
        "mailto://a@b.ee",
        "http://a/(b)",
        "http://a/[b]{c}",
        "HTTP://A",
        "http://õ.ee/ä",
        "http://a/_b_",
        "http://a/~b'c",
    ] {
        assert_paragraphs(&[(url, &link(url)), (&format!("x {url} y"), &format!("x {} y", link(url)))]);
    }
    assert_paragraphs(&[
        ("(http://a.ee)", &format!("({})", link("http://a.ee"))),
        ("<http://a.ee>", &format!("&lt;{}&gt;", link("http://a.ee"))),
        ("http://a/b)c.", &format!("{})c.", link("http://a/b"))),
        ("http://a/(b))", &format!("{})", link("http://a/(b)"))),
        ("http://a.ee.!?;,-", &format!("{}.!?;,-", link("http://a.ee"))),
        ("http://a.ee, www.b.ee.", &format!("{}, {}.", link("http://a.ee"), www("www.b.ee"))),
        ("www.a.ee/B?c www.a.ee:80/b", &format!("{} {}", www("www.a.ee/B?c"), www("www.a.ee:80/b"))),
        ("*http://a.ee*", &format!(r#"<b flp="*" fls="*">{}</b>"#, link("http://a.ee"))),
        (
            "http:// http://. www. www.A awww.a xhttp://a gopher://a mailto:a@b",
            "http:// http://. www. www.A awww.a xhttp://a gopher://a mailto:a@b",
        ),
        ("javascript://alert(1)", "javascript://alert(1)"),
    ]);
}

#[test]
fn described_links() {
    assert_paragraphs(&[
        (
            "see www.a.ee<<the *site*>>!",
            r#"see <a flp="www.a.ee&lt;&lt;" fls="&gt;&gt;" href="http://www.a.ee">the *site*</a>!"#,
        ),
        ("http://a <<b>>", r#"<a href="http://a">http://a</a> &lt;&lt;b&gt;&gt;"#),
        ("http://a<<b", r#"<a href="http://a">http://a</a>&lt;&lt;b"#),
        ("http://a<<>>", r#"<a href="http://a">http://a</a>&lt;&lt;&gt;&gt;"#),
        ("http://a<< >>", r#"<a href="http://a">http://a</a>&lt;&lt; &gt;&gt;"#),
        ("http://a<<b\nc>>", r#"<a href="http://a">http://a</a>&lt;&lt;b<br/>c&gt;&gt;"#),
    ]);
}

#[test]
fn mentions() {
    for (typed, names) in [
        ("@ann", &["ann"][..]),
        ("hi @ann, @Bob. (@carl) @ann", &["ann", "Bob", "carl"]),
        ("@j.doe-x_1... @õnne @ann@fleep.io. @ann@", &["j.doe-x_1", "õnne", "ann@fleep.io", "ann"]),
        ("*@ann* _@bob_", &["ann", "bob"]),
        ("> @ann\n\n@bob", &["ann", "bob"]),
        ("a@b.ee @ @. @@ann a.@b", &[]),
        ("http://a/@ann www.b.ee<<@bob>>", &[]),
        (":::\n@ann\n:::", &[]),
        (":@ ann", &[]),
    ] {
        assert_eq!(render(typed, &[]).mentions, names, "for {typed:?}");
        assert_eq!(plain_text(&xml(typed)), typed);
    }
    assert_eq!(paragraph("hi @ann!"), "hi @ann!");
}
