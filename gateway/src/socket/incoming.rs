//! Bytes of one client become messages (RFC 6455 §5).
//!
//! Pure. A message that has arrived whole is decoded where it was read; only the rest of one that has not is kept, in a
//! buffer of the connection's own. What is too long is refused from its header, before it is kept. Not here: what the
//! text says.

use actix_codec::Decoder;
use actix_http::ws::{Codec, Item};
use actix_web_actors::ws::{CloseReason, Frame};
use bytes::{Bytes, BytesMut};

/// The longest payload of a control frame (RFC 6455 §5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// One whole message.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// UTF-8, checked.
    Text(Bytes),
    /// To be answered with the same payload.
    Ping(Bytes),
    /// The client is there.
    Pong,
    /// The client goes.
    Close(Option<CloseReason>),
}

/// What a client may not send (websocket.md, "Closing").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Violation {
    /// Not a WebSocket frame, or one that may not come now.
    Protocol(&'static str),
    /// A binary frame.
    Binary,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A message above the limit.
    TooLarge,
}

/// A connection's decoder.
pub(super) struct Incoming {
    codec: Codec,
    bytes_max: usize,
    /// The rest of a frame that has not arrived whole.
    rest: BytesMut,
    /// The fragments of a message so far; `None` between messages.
    fragments: Option<Vec<u8>>,
}

impl Incoming {
    /// A decoder for messages of at most so many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { codec: Codec::new().max_size(bytes_max), bytes_max, rest: BytesMut::new(), fragments: None }
    }

    /// Bytes were read into `read`: they belong behind those that are kept. Afterwards [`Incoming::next`] looks at the
    /// right ones.
    pub(super) fn join(&mut self, read: &mut BytesMut) {
        if !self.rest.is_empty() {
            self.rest.extend_from_slice(read);
            read.clear();
        }
    }

    /// Keeps what has not been decoded. Nothing of `read` is left.
    pub(super) fn keep(&mut self, read: &mut BytesMut) {
        if !read.is_empty() {
            self.rest.extend_from_slice(read);
            read.clear();
        } else if self.rest.is_empty() && self.rest.capacity() > 0 {
            self.rest = BytesMut::new();
        }
    }

    /// The next whole message of `read`, or of what is kept.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> Result<Option<Said>, Violation> {
        loop {
            let source = if self.rest.is_empty() { &mut *read } else { &mut self.rest };
            check_header(source, self.bytes_max - self.fragments.as_ref().map_or(0, Vec::len))?;
            let frame = self.codec.decode(source).map_err(|_| Violation::Protocol("malformed frame"))?;
            let Some(frame) = frame else { return Ok(None) };
            if let Some(said) = self.message(frame)? {
                return Ok(Some(said));
            }
        }
    }

    fn message(&mut self, frame: Frame) -> Result<Option<Said>, Violation> {
        match frame {
            Frame::Text(text) => checked(text).map(Some),
            Frame::Binary(_) | Frame::Continuation(Item::FirstBinary(_)) => Err(Violation::Binary),
            Frame::Continuation(Item::FirstText(part)) => {
                self.fragments = Some(part.to_vec());
                Ok(None)
            }
            Frame::Continuation(Item::Continue(part)) => {
                self.fragments.get_or_insert_default().extend_from_slice(&part);
                Ok(None)
            }
            Frame::Continuation(Item::Last(part)) => {
                let mut whole = self.fragments.take().unwrap_or_default();
                whole.extend_from_slice(&part);
                checked(whole.into()).map(Some)
            }
            Frame::Ping(payload) => Ok(Some(Said::Ping(payload))),
            Frame::Pong(_) => Ok(Some(Said::Pong)),
            Frame::Close(reason) => Ok(Some(Said::Close(reason))),
        }
    }
}

fn checked(text: Bytes) -> Result<Said, Violation> {
    match std::str::from_utf8(&text) {
        Ok(_) => Ok(Said::Text(text)),
        Err(_) => Err(Violation::NotUtf8),
    }
}

/// Refuses a frame by its header: the codec would wait for the whole of it first.
fn check_header(bytes: &[u8], data_bytes_max: usize) -> Result<(), Violation> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(());
    };
    if second & 0x80 == 0 {
        return Err(Violation::Protocol("unmasked frame"));
    }
    let length = match (second & 0x7F, rest) {
        (126, [high, low, ..]) => u64::from(u16::from_be_bytes([*high, *low])),
        (127, [a, b, c, d, e, f, g, h, ..]) => u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        (126 | 127, _) => return Ok(()),
        (length, _) => u64::from(length),
    };
    let is_control = first & 0x08 != 0;
    if is_control && (length > CONTROL_BYTES_MAX || first & 0x80 == 0) {
        return Err(Violation::Protocol("control frame too long or in fragments"));
    }
    // A binary frame is refused as such whatever its length.
    if first & 0x0F == 0x02 {
        return Err(Violation::Binary);
    }
    if !is_control && length > data_bytes_max as u64 {
        return Err(Violation::TooLarge);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use actix_web_actors::ws::CloseCode;
    use bytes::{Bytes, BytesMut};

    use super::{Incoming, Said, Violation};

    /// A masked frame, as clients send it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            length @ 0..=125 => out.push(0x80 | u8::try_from(length).unwrap()),
            length @ 126..=65_535 => {
                out.push(0x80 | 126);
                out.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                out.push(0x80 | 127);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    }

    fn text(text: &str) -> Said {
        Said::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// Feeds the bytes in steps and collects what comes out.
    fn feed(bytes: &[u8], step: usize, bytes_max: usize) -> Result<Vec<Said>, Violation> {
        let mut incoming = Incoming::new(bytes_max);
        let mut said = Vec::new();
        for chunk in bytes.chunks(step) {
            let mut read = BytesMut::from(chunk);
            incoming.join(&mut read);
            while let Some(message) = incoming.next(&mut read)? {
                said.push(message);
            }
            incoming.keep(&mut read);
            assert!(read.is_empty());
        }
        assert_eq!(incoming.rest.capacity(), 0, "nothing is kept when all has arrived");
        Ok(said)
    }

    #[test]
    fn messages_come_out_however_the_bytes_arrive() {
        let long = "ä".repeat(40_000);
        let bytes = [
            frame(0x81, b"one"),
            frame(0x01, "fr\u{e4}g".as_bytes()),
            frame(0x89, b"ping"),
            frame(0x00, b"men"),
            frame(0x80, b"ted"),
            frame(0x81, long.as_bytes()),
            frame(0x8A, b""),
            frame(0x88, &[3, 232, b'b', b'y', b'e']),
        ]
        .concat();
        for step in [1, 2, 7, 1_000, bytes.len()] {
            let said = feed(&bytes, step, 100_000).unwrap();
            let expected = [
                text("one"),
                Said::Ping(Bytes::from_static(b"ping")),
                text("frägmented"),
                text(&long),
                Said::Pong,
                Said::Close(Some((CloseCode::Normal, "bye").into())),
            ];
            assert_eq!(said, expected, "in steps of {step}");
        }
    }

    #[test]
    fn a_message_too_large_is_refused_by_its_header() {
        let header = [0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0x20, 0, 0];
        assert_eq!(feed(&header, header.len(), 1 << 20), Err(Violation::TooLarge));
        let endless = [0x81, 0x80 | 127, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(feed(&endless, endless.len(), 1 << 20), Err(Violation::TooLarge));
    }

    #[test]
    fn fragments_count_together() {
        let bytes = [frame(0x01, &[b'a'; 60]), frame(0x80, &[b'a'; 60])].concat();
        assert_eq!(feed(&bytes, bytes.len(), 100), Err(Violation::TooLarge));
        assert!(feed(&bytes, bytes.len(), 120).is_ok());
    }

    #[test]
    fn violations_have_their_names() {
        let fault = |bytes: &[u8]| feed(bytes, bytes.len(), 1_000).unwrap_err();
        assert_eq!(fault(&frame(0x82, b"x")), Violation::Binary);
        assert_eq!(fault(&frame(0x02, b"x")), Violation::Binary);
        assert_eq!(fault(&frame(0x81, &[0xFF])), Violation::NotUtf8);
        assert_eq!(fault(&[0x81, 1, b'x']), Violation::Protocol("unmasked frame"));
        for malformed in [
            frame(0xC1, b"x"),
            frame(0x83, b"x"),
            frame(0x80, b"continues nothing"),
            [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
            frame(0x09, b"a ping in fragments"),
            frame(0x89, &[0; 126]),
            frame(0x88, &[3]),
        ] {
            assert!(matches!(fault(&malformed), Violation::Protocol(_)), "{malformed:?}");
        }
    }
}
