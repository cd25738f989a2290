//! `rill health`: whether a server takes sessions, for containers and scripts that have nothing else to ask with.
//!
//! Not here: what makes a server ready (`/readyz`).

use std::time::Duration;

use ureq::Agent;

/// How long a server may take to say that it is ready. Less than whoever asks waits for this command (30 s in containers, unless
/// they are told otherwise), so that he gets the reason as well.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// Ask a server whether it is ready.
#[derive(Debug, clap::Args)]
pub(crate) struct HealthArgs {
    /// The server's address
    #[arg(long, env = "RILL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

/// Why a server counts as not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HealthError {
    /// It says so.
    #[error("{url} is not ready: it answers {status}, and 200 is asked for")]
    NotReady {
        /// The server.
        url: String,
        /// Its answer.
        status: u16,
    },
    /// It says nothing that can be understood.
    #[error("{url} cannot be asked: {source}")]
    Unreachable {
        /// The server.
        url: String,
        /// What went wrong.
        source: ureq::Error,
    },
}

/// Asks once.
pub(crate) fn ask(args: HealthArgs) -> Result<(), HealthError> {
    let config = Agent::config_builder()
        // The node is asked, not whatever stands before it.
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(ANSWER_WAIT));
    let url = format!("{}/readyz", args.url.trim_end_matches('/'));
    match config.build().new_agent().get(&url).call() {
        Ok(response) if response.status().as_u16() == 200 => Ok(()),
        Ok(response) => Err(HealthError::NotReady { url, status: response.status().as_u16() }),
        Err(source) => Err(HealthError::Unreachable { url, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::{HealthArgs, HealthError, ask};

    /// What is said of a server that answers one call with these bytes.
    fn of(answer: &'static str) -> Result<(), HealthError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = head.next().unwrap().unwrap();
            assert!(head.any(|line| line.unwrap().is_empty()), "a whole head");
            stream.write_all(answer.as_bytes()).unwrap();
            first
        });
        let outcome = ask(HealthArgs { url });
        assert_eq!(server.join().unwrap(), "GET /readyz HTTP/1.1");
        outcome
    }

    #[test]
    fn a_server_is_ready_when_it_says_200_and_not_otherwise() {
        assert!(of("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nready\n").is_ok());
        for (answer, status) in [
            ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", 503),
            ("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", 302),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        ] {
            let error = of(answer).unwrap_err();
            assert!(matches!(error, HealthError::NotReady { status: said, .. } if said == status), "{error}");
        }
    }

    #[test]
    fn a_server_that_makes_no_sense_or_is_not_there_is_not_ready() {
        for answer in ["", "SSH-2.0-OpenSSH\r\n\r\n"] {
            let error = of(answer).unwrap_err();
            assert!(matches!(error, HealthError::Unreachable { .. }), "{error}");
            assert_eq!(error.to_string().lines().count(), 1, "one line: {error}");
        }
        for url in ["http://127.0.0.1:1", "nonsense"] {
            assert!(matches!(ask(HealthArgs { url: url.into() }), Err(HealthError::Unreachable { .. })));
        }
    }
}
