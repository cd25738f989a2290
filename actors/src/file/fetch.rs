//! Files that the server fetches for somebody: what is asked for, and what a fetcher promises.
//!
//! Not here: the network (the gateway has it) and what becomes of the outcome (the account).

use rill_proto::id::ConversationId;
use rill_proto::refusal::Refusal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Content, clean_name};

/// What an account has the server fetch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Wanted {
    /// What the server calls it; the upload's id.
    pub request_id: Uuid,
    /// Where it lies.
    pub file_url: String,
    /// What it shall be called.
    pub name: String,
    /// The conversation that it is for.
    #[serde(default)]
    pub conversation_id: Option<ConversationId>,
    /// What the client calls it.
    #[serde(default)]
    pub upload_id: Option<String>,
}

/// One file to fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// Where it lies: [`check_url`] has been asked.
    pub file_url: String,
    /// What it is called.
    pub name: String,
    /// More bytes than this are too many.
    pub bytes_max: u64,
}

/// What came of an order: the bytes, kept; or why not, in words for people that tell nothing of our own network.
pub type Outcome = Result<Content, String>;

/// Told what came of an order, once, on any thread.
pub type Done = Box<dyn FnOnce(Outcome) + Send>;

/// The fetcher has too much to do; the order may come again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the fetcher has too much to do")]
pub struct Busy;

/// Fetches files from elsewhere, and from nowhere that it must not reach.
pub trait Fetch: Send + Sync + 'static {
    /// Begins to fetch. `done` is called when the bytes are durable in [`Blobs`](crate::blobs::Blobs), or it is clear
    /// that they will not come.
    ///
    /// # Errors
    /// Too much waits already; `done` is not called.
    fn begin(&self, order: Order, done: Done) -> Result<(), Busy>;
}

/// Checks an url as far as that needs no network: http or https, a host, nobody's password.
///
/// # Errors
/// 400, naming `params.file_url`.
pub fn check_url(url: &str) -> Result<(), Refusal> {
    let refuse = |what: &str| Err(Refusal::invalid_call("file_url", what));
    let Some((scheme, rest)) = url.split_once("://") else {
        return refuse("an absolute URL is needed");
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return refuse("only http and https are fetched");
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("blanks and other than ASCII characters have to be encoded");
    }
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.contains('@') {
        return refuse("no user and no password are sent");
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if host.is_empty() || rest.contains('\\') { refuse("there is no host in it") } else { Ok(()) }
}

/// The name that a client gives, or else the last part of the path.
#[must_use]
pub fn name_of(given: &str, url: &str) -> String {
    let given = given.trim();
    if !given.is_empty() {
        return clean_name(given);
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    clean_name(path.split_once('/').map_or("", |(_, path)| path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_has_a_host_and_one_of_two_schemes() {
        for url in
            ["http://example.org", "HTTPS://example.org:8443/a?b#c", "http://[2001:db8::1]/", "http://a/@b"]
        {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "example.org/a",
            "ftp://example.org/a",
            "file:///etc/passwd",
            "http://",
            "http:///a",
            "http://:80/",
            "http://user:pw@example.org/",
            "http://a@b",
            "http://exa mple.org",
            "http://ü.example",
            "http://a\n",
            "http://a\\b",
            "gopher://example.org",
            "javascript:alert(1)",
        ] {
            assert_eq!(check_url(url).unwrap_err().status, 400, "{url}");
        }
    }

    #[test]
    fn a_file_without_a_name_is_called_after_its_url() {
        assert_eq!(name_of("a.txt", "http://example.org/b.txt"), "a.txt");
        assert_eq!(name_of(" ", "http://example.org/x/b.txt?c/d"), "b.txt");
        assert_eq!(name_of("", "http://example.org"), "file");
    }
}
