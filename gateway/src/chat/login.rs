//! The HTTP calls that open a session: login and, where asked for, registration.
//!
//! Owns the server's address and the reading of the answers (protocol.md §1.2, §1.3). Passwords and tokens never appear
//! in an error or a log.

use std::time::Duration;

use rill_proto::id::AccountId;
use serde_json::{Value, json};
use tungstenite::http::Uri;

use super::record::{account, text};

/// A server that has not answered a login after this time is treated as not there: the slowest step is one password hash.
const CALL_WAIT: Duration = Duration::from_secs(15);

/// Who logs in.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// The e-mail address.
    pub(crate) email: String,
    /// The password.
    pub(crate) password: String,
}

/// What a login gives: the token goes into the cookie, the ticket into the hello.
#[derive(Clone)]
pub(crate) struct Pass {
    /// Who is logged in.
    pub(crate) account_id: AccountId,
    /// The cookie's value.
    pub(crate) token_id: String,
    /// The other half of the secret.
    pub(crate) ticket: String,
    /// The owner's own contact record.
    pub(crate) profile: Option<Value>,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The server said no, with this text for the person.
    #[error("{0}")]
    Refused(String),
    /// The server could not be asked, or answered something else than the protocol says.
    #[error("{0}")]
    Fault(String),
}

/// A server's address.
pub(crate) struct Server {
    base: String,
    host: String,
    port: u16,
}

impl Server {
    /// Reads an address of the form `http://host[:port][/prefix]`; `None` for anything else.
    pub(crate) fn at(url: &str) -> Option<Self> {
        let base = url.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().ok()?;
        if uri.scheme_str() != Some("http") || uri.query().is_some() {
            return None;
        }
        let host = uri.host().filter(|host| !host.is_empty())?.to_owned();
        Some(Self { port: uri.port_u16().unwrap_or(80), host, base })
    }

    /// The address of the WebSocket.
    pub(crate) fn socket_url(&self) -> String {
        format!("ws{}/api/ws", self.base.trim_start_matches("http"))
    }

    /// What to open a TCP connection to.
    pub(crate) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// `account/login`.
    pub(crate) fn login(&self, credentials: &Credentials) -> Result<Pass, LoginError> {
        let body = json!({ "email": credentials.email, "password": credentials.password });
        self.session_from("account/login", &body)
    }

    /// `account/register`, which logs in as well.
    pub(crate) fn register(&self, credentials: &Credentials, name: &str) -> Result<Pass, LoginError> {
        let body = json!({
            "email": credentials.email,
            "password": credentials.password,
            "display_name": name,
        });
        self.session_from("account/register", &body)
    }

    fn session_from(&self, method: &str, body: &Value) -> Result<Pass, LoginError> {
        let fault = |error: ureq::Error| LoginError::Fault(format!("{}: {error}", self.host_and_port()));
        let config =
            ureq::Agent::config_builder().timeout_global(Some(CALL_WAIT)).http_status_as_error(false).build();
        let agent: ureq::Agent = config.into();
        let mut response =
            agent.post(format!("{}/api/{method}", self.base)).send_json(body).map_err(fault)?;
        let status = response.status().as_u16();
        let cookies = response.headers().get_all("set-cookie");
        let token_id = cookies.iter().filter_map(|value| value.to_str().ok()).find_map(token);
        let answer: Value = response.body_mut().read_json().unwrap_or(Value::Null);
        read_answer(status, token_id, &answer)
    }
}

fn read_answer(status: u16, token_id: Option<String>, answer: &Value) -> Result<Pass, LoginError> {
    if status != 200 {
        let reason = text(answer, "error_message").or_else(|| text(answer, "error_id"));
        let reason = reason.map_or_else(|| format!("the server answers {status}"), str::to_owned);
        let passes = status >= 500 || status == 429;
        return Err(if passes { LoginError::Fault(reason) } else { LoginError::Refused(reason) });
    }
    let profile = answer.get("profiles").and_then(|profiles| profiles.get(0)).cloned();
    let parts = (account(answer, "account_id"), token_id, text(answer, "ticket"));
    let (Some(account_id), Some(token_id), Some(ticket)) = parts else {
        return Err(LoginError::Fault("the server's answer to the login opens no session".to_owned()));
    };
    Ok(Pass { account_id, token_id, ticket: ticket.to_owned(), profile })
}

fn token(cookie: &str) -> Option<String> {
    let value = cookie.split(';').next()?.trim().strip_prefix("token_id=")?;
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "00000000-0000-0000-0000-00000000000a";

    #[test]
    fn an_address_is_plain_http_and_gives_the_sockets_address() {
        let server = Server::at("http://127.0.0.1:8080/").unwrap();
        assert_eq!(server.socket_url(), "ws://127.0.0.1:8080/api/ws");
        assert_eq!(server.host_and_port(), "127.0.0.1:8080");
        assert_eq!(Server::at("http://[::1]").unwrap().host_and_port(), "[::1]:80");
        for odd in ["https://example.org", "example.org", "", "http://", "http://h?x=1"] {
            assert!(Server::at(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_login_needs_its_three_parts() {
        let answer = json!({ "account_id": ANN, "ticket": "t", "profiles": [{ "display_name": "Ann" }] });
        let cookie = token("token_id=abc; Path=/; HttpOnly");
        let pass = read_answer(200, cookie.clone(), &answer).unwrap();
        assert_eq!((pass.account_id.to_string().as_str(), pass.token_id.as_str()), (ANN, "abc"));
        assert!(matches!(read_answer(200, None, &answer), Err(LoginError::Fault(_))));
        assert!(matches!(read_answer(200, cookie, &json!([])), Err(LoginError::Fault(_))));
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words_and_a_fault_is_none() {
        let answer = json!({ "error_message": "Incorrect email or password" });
        let refused = read_answer(431, None, &answer).err().unwrap();
        assert!(matches!(&refused, LoginError::Refused(text) if text == "Incorrect email or password"));
        assert!(matches!(read_answer(503, None, &Value::Null), Err(LoginError::Fault(_))));
    }
}
