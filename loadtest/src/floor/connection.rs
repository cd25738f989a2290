//! One connection of the floor: handshake, frames in, bytes out.
//!
//! Not here: what the text says ([`super::world`]).

use mio::net::TcpStream;
use std::io::{ErrorKind, Read, Write};
use tungstenite::handshake::derive_accept_key;

/// Takes a client's text: the account that speaks, what it says, and where the answer goes.
pub(super) type Take<'a> = dyn FnMut(&str, &[u8], &mut Vec<u8>) + 'a;

/// A connection and what is left over of reading and writing.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Whose it is, once the handshake is done: the cookie is the account's id.
    account: Option<String>,
    unsent: Vec<u8>,
    rest: Vec<u8>,
    is_gone: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, account: None, unsent: Vec::new(), rest: Vec::new(), is_gone: false }
    }

    /// Sends frames behind those that wait: at once when none do.
    pub(super) fn send(&mut self, frames: &[u8]) {
        if self.is_gone {
            return;
        }
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(frames);
            return;
        }
        match self.stream.write(frames) {
            Ok(written) => self.unsent.extend_from_slice(&frames[written..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.unsent.extend_from_slice(frames),
            Err(_) => self.is_gone = true,
        }
    }

    /// Puts frames behind those that wait; [`Self::flush`] sends them.
    pub(super) fn queue(&mut self, frames: &[u8]) {
        self.unsent.extend_from_slice(frames);
    }

    pub(super) fn flush(&mut self) {
        while !self.unsent.is_empty() && !self.is_gone {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.is_gone = true,
            }
        }
    }

    pub(super) fn read(&mut self, scratch: &mut [u8], take: &mut Take<'_>) {
        while !self.is_gone {
            let kept = self.rest.len();
            scratch[..kept].copy_from_slice(&self.rest);
            match self.stream.read(&mut scratch[kept..]) {
                Ok(0) => self.is_gone = true,
                Ok(read) => {
                    let length = kept + read;
                    let is_full = length == scratch.len();
                    self.rest.clear();
                    self.take_in(&mut scratch[..length], take);
                    if !is_full {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.is_gone = true,
            }
        }
    }

    fn take_in(&mut self, bytes: &mut [u8], take: &mut Take<'_>) {
        let mut at = 0;
        if self.account.is_none() {
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                self.rest.extend_from_slice(bytes);
                return;
            };
            at = end + 4;
            self.shake_hands(&String::from_utf8_lossy(&bytes[..at]));
        }
        let mut answer = Vec::new();
        while let Some((payload, end)) = unmask(&mut bytes[at..]) {
            if let Some(account) = &self.account {
                take(account, &bytes[at..][payload], &mut answer);
            }
            at += end;
        }
        self.rest.extend_from_slice(&bytes[at..]);
        if !answer.is_empty() {
            self.send(&answer);
        }
    }

    fn shake_hands(&mut self, head: &str) {
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let key = header("sec-websocket-key").unwrap_or_default();
        let cookie = header("cookie").unwrap_or_default();
        self.account = Some(cookie.trim_start_matches("token_id=").to_owned());
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.send(answer.as_bytes());
    }
}

/// Unmasks the first whole frame in place: where its payload lies, and where it ends. A control frame has an empty payload.
fn unmask(bytes: &mut [u8]) -> Option<(std::ops::Range<usize>, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, at) = match second & 0x7F {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => {
            let eight: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            (usize::try_from(u64::from_be_bytes(eight)).ok()?, 10)
        }
        short => (usize::from(short), 2),
    };
    let (begin, end) = (at + 4, at + 4 + length);
    if bytes.len() < end {
        return None;
    }
    let key: [u8; 4] = bytes[at..begin].try_into().ok()?;
    for (byte, key) in bytes[begin..end].iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
    let is_text = first & 0x0F == 1;
    Some((if is_text { begin..end } else { begin..begin }, end))
}
