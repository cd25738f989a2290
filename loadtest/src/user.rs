//! A registered person: login, plain HTTP calls, and the way to a session.
//!
//! Not here: what a session does once it is open ([`crate::socket`], [`crate::poll`]).

use crate::failure::Failure;
use crate::picture::Picture;
use crate::poll::PollSession;
use crate::record;
use crate::socket::Socket;
use serde_json::{Value, json};
use std::time::Duration;

/// What this client says it speaks (protocol.md §1.1).
pub const API_VERSION: u64 = 4;

/// The longest wait for an ordinary HTTP answer. A login hashes a password, slowly on purpose, behind others that do.
pub const HTTP_WAIT: Duration = Duration::from_secs(60);

/// The largest body that is read: an initial sync of a full account is a few megabytes.
const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// An account and one login of it (cookie `token_id` and ticket).
#[derive(Debug, Clone)]
pub struct User {
    base_url: String,
    agent: ureq::Agent,
    /// The address that logs in.
    pub email: String,
    /// Its password.
    pub password: String,
    /// The account.
    pub account_id: String,
    /// The value of the cookie `token_id`.
    pub token_id: String,
    /// The ticket that belongs to the token.
    pub ticket: String,
}

/// An HTTP answer, whatever its status.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status line's number.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, null when it is not JSON.
    pub json: Value,
    /// The body as text; what is no UTF-8 is replaced.
    pub body: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl HttpAnswer {
    /// The first header of that name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of the cookie that this answer sets.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let set = self.headers.iter().filter(|(key, _)| key == "set-cookie");
        set.filter_map(|(_, value)| value.split(';').next()?.split_once('='))
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
    }

    /// Itself, or any other status than 200 as a failure.
    pub fn ok(self, path: &str) -> Result<Self, Failure> {
        if self.status == 200 {
            return Ok(self);
        }
        Err(Failure::Http { path: path.to_owned(), status: self.status, body: self.body })
    }
}

/// A JSON POST without a session. `path` is the whole path (`/api/account/login`).
pub fn http_post(
    base_url: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Result<HttpAnswer, Failure> {
    // Nothing is kept open: ten thousand users that log in would otherwise hold ten thousand idle connections.
    let once = ureq::Agent::config_builder().max_idle_connections(0).http_status_as_error(false).build();
    post_with(&once.new_agent(), base_url, path, headers, &body.to_string(), HTTP_WAIT)
}

/// A POST of any text, for input that is no JSON, over the given agent.
pub(crate) fn post_with(
    agent: &ureq::Agent,
    base_url: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
    wait: Duration,
) -> Result<HttpAnswer, Failure> {
    let mut request = agent.post(format!("{base_url}{path}")).header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let failed = |error: ureq::Error| {
        if matches!(error, ureq::Error::Timeout(_)) {
            return Failure::timed_out(format!("answer to {path}"), wait);
        }
        Failure::Io(format!("{path}: {error}"))
    };
    let response = request.config().timeout_global(Some(wait)).build().send(body).map_err(failed)?;
    answer_of(response).map_err(failed)
}

fn answer_of(mut response: ureq::http::Response<ureq::Body>) -> Result<HttpAnswer, ureq::Error> {
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let status = response.status().as_u16();
    let bytes = response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec()?;
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(HttpAnswer {
        status,
        headers,
        json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        body,
        bytes,
    })
}

/// The value of an `Authorization` header for HTTP Basic (RFC 7617).
#[must_use]
pub fn basic_auth(user: &str, password: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::from("Basic ");
    for group in format!("{user}:{password}").into_bytes().chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 63;
            // A group of n bytes fills n + 1 places; the rest is padding.
            encoded.push(if place <= group.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
    encoded
}

impl User {
    /// Registers an account by the open registration and logs it in.
    pub fn register(base_url: &str, email: &str, password: &str, name: &str) -> Result<Self, Failure> {
        let path = "/api/account/register";
        let body = json!({"email": email, "password": password, "display_name": name});
        http_post(base_url, path, &[], &body)?.ok(path)?;
        Self::login(base_url, email, password)
    }

    /// Registers an account by the provisioning call and logs it in. `basic` is a [`basic_auth`] value.
    pub fn provision(
        base_url: &str,
        basic: &str,
        email: &str,
        password: &str,
        name: &str,
    ) -> Result<Self, Failure> {
        let path = "/sys/account/register";
        let body = json!({"email": email, "password": password, "display_name": name});
        http_post(base_url, path, &[("Authorization", basic)], &body)?.ok(path)?;
        Self::login(base_url, email, password)
    }

    /// Logs in: one more session of the account.
    pub fn login(base_url: &str, email: &str, password: &str) -> Result<Self, Failure> {
        let path = "/api/account/login";
        let base_url = base_url.trim_end_matches('/');
        let answer =
            http_post(base_url, path, &[], &json!({"email": email, "password": password}))?.ok(path)?;
        let field = |name: &str| {
            let value = answer.json.as_object().map(|body| record::text(body, name)).unwrap_or_default();
            if value.is_empty() {
                return Err(Failure::Broken(format!("{path} answered without {name}: {}", answer.body)));
            }
            Ok(value.to_owned())
        };
        let token_id = answer.cookie("token_id").map(str::to_owned);
        Ok(Self {
            base_url: base_url.to_owned(),
            agent: ureq::Agent::config_builder().http_status_as_error(false).build().new_agent(),
            email: email.to_owned(),
            password: password.to_owned(),
            account_id: field("account_id")?,
            ticket: field("ticket")?,
            token_id: token_id.ok_or_else(|| Failure::Broken(format!("{path} set no cookie token_id")))?,
        })
    }

    /// The server, without a path.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The same login at another server address: another node, or the same one restarted elsewhere.
    #[must_use]
    pub fn at(&self, base_url: &str) -> Self {
        Self { base_url: base_url.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    /// A POST of this session; `ticket` and `api_version` are added unless the caller gave a ticket.
    pub fn http_post(&self, path: &str, body: Value) -> Result<HttpAnswer, Failure> {
        self.http_post_within(path, body, HTTP_WAIT)
    }

    /// As [`Self::http_post`], with a time-out of its own.
    pub fn http_post_within(
        &self,
        path: &str,
        mut body: Value,
        wait: Duration,
    ) -> Result<HttpAnswer, Failure> {
        if let Some(body) = body.as_object_mut()
            && !body.contains_key("ticket")
        {
            body.insert("ticket".into(), self.ticket.clone().into());
            body.insert("api_version".into(), API_VERSION.into());
        }
        self.http_post_text(path, &body.to_string(), wait)
    }

    /// A POST of this session's cookie with a body as given, for input that no client should send.
    pub fn http_post_text(&self, path: &str, body: &str, wait: Duration) -> Result<HttpAnswer, Failure> {
        let cookie = format!("token_id={}", self.token_id);
        post_with(&self.agent, &self.base_url, path, &[("Cookie", &cookie)], body, wait)
    }

    /// Uploads a file as a raw body.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> Result<HttpAnswer, Failure> {
        let disposition = format!("attachment; filename=\"{name}\"");
        let headers = [("Content-Type", "application/octet-stream"), ("Content-Disposition", &disposition)];
        self.send("PUT", &format!("/api/file/upload?ticket={}", self.ticket), &headers, bytes)
    }

    /// A GET of this session's cookie.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<HttpAnswer, Failure> {
        self.send("GET", path, headers, &[])
    }

    /// A call of this session's cookie, whatever its verb and its body.
    pub fn send(
        &self,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        bytes: &[u8],
    ) -> Result<HttpAnswer, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Io(format!("{path}: {error}"));
        let request = ureq::http::Request::builder().method(verb).uri(format!("{}{path}", self.base_url));
        let request = request.header("Cookie", format!("token_id={}", self.token_id));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = if bytes.is_empty() {
            let request = request.body(()).map_err(|error| broken(&error))?;
            self.agent.run(self.agent.configure_request(request).timeout_global(Some(HTTP_WAIT)).build())
        } else {
            let request = request.body(bytes).map_err(|error| broken(&error))?;
            self.agent.run(self.agent.configure_request(request).timeout_global(Some(HTTP_WAIT)).build())
        };
        answer.and_then(answer_of).map_err(|error| broken(&error))
    }

    /// Connects by WebSocket, says hello with `horizon` and reads until the sync is complete. The picture begins empty.
    pub fn connect(&self, horizon: i64) -> Result<Socket, Failure> {
        self.reconnect(Picture::at(horizon))
    }

    /// Connects by WebSocket with a picture from an earlier connection and catches up from its horizon.
    pub fn reconnect(&self, picture: Picture) -> Result<Socket, Failure> {
        let mut socket = Socket::open(self, picture)?;
        socket.hello(&[])?;
        socket.read_sync()?;
        Ok(socket)
    }

    /// Opens a long-poll session and polls until the initial sync is complete.
    pub fn poll_session(&self) -> Result<PollSession, Failure> {
        self.poll_again(Picture::at(0))
    }

    /// Opens a long-poll session with a picture from an earlier one and catches up from its horizon.
    pub fn poll_again(&self, picture: Picture) -> Result<PollSession, Failure> {
        let mut session = PollSession::new(self, picture);
        session.poll_sync()?;
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_those_of_the_rfc() {
        assert_eq!(basic_auth("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(basic_auth("a", "b"), "Basic YTpi");
    }

    #[test]
    fn a_cookie_is_found_among_its_attributes() {
        let headers = vec![("set-cookie".into(), "token_id=abc; HttpOnly; Path=/".into())];
        let answer =
            HttpAnswer { status: 200, headers, json: Value::Null, body: String::new(), bytes: Vec::new() };
        assert_eq!(answer.cookie("token_id"), Some("abc"));
        assert_eq!(answer.cookie("ticket"), None);
    }
}
