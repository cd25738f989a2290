//! A web server somewhere else, from which the server under test fetches files, or should refuse to.
//!
//! Not here: what is fetched for whom.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The one address of this machine that the server under test may fetch from.
pub(crate) const ALLOWED: &str = "127.0.0.2";

/// The setting that says so.
pub(crate) const SETTING: [&str; 2] = ["--fetch-networks", "127.0.0.2/32"];

/// Serves until the process ends.
pub(crate) struct Elsewhere {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Elsewhere {
    /// Listens on a free port of an address.
    pub(crate) fn start(address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for line in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::Relaxed);
                // A client that goes away in the middle is the client's business.
                std::thread::spawn(move || drop(answer(line)));
            }
        });
        Ok(Self { address, connections })
    }

    /// `http://ADDRESS:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn answer(line: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(line.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or("/");
    let mut line = line;
    let with = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    };
    // `/to/URL` sends on to an url; `/hops/N` to itself, N times.
    if let Some(url) = path.strip_prefix("/to/") {
        return line.write_all(with("302 Found", &format!("Location: {url}\r\n"), "").as_bytes());
    }
    if let Some(hops) = path.strip_prefix("/hops/").and_then(|hops| hops.parse::<u32>().ok()) {
        let next = hops.checked_sub(1).map_or("/a.txt".to_owned(), |left| format!("/hops/{left}"));
        return line.write_all(with("302 Found", &format!("Location: {next}\r\n"), "").as_bytes());
    }
    match path {
        "/a.txt" => line.write_all(with("200 OK", "Content-Type: image/png\r\n", "from elsewhere").as_bytes()),
        "/pixel.gif" => {
            line.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nGIF89a\x02\0\x03\0\0\0\0\x2c\0\0\0\0\x02\0\x03\0\0\x02\x02\x44\x01\0\x3b")
        }
        // Says how large it is, and sends nothing of it.
        "/large" => line.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"),
        "/endless" => {
            line.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                line.write_all(&[b'x'; 65_536])?;
            }
        }
        "/half" => line.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
        // Takes the request and never answers.
        "/silent" => reader.read_line(&mut header).map(drop),
        _ => line.write_all(with("404 Not Found", "", "no").as_bytes()),
    }
}
