//! WebSocket frames as a client writes and reads them (RFC 6455 §5), without a buffer of its own for each connection.
//!
//! Pure. Not here: the handshake ([`super::seat`]) and the text inside ([`super::wire`]).

/// What a server may send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    Text(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// The close code; 1005 stands for none.
    Close(u16),
}

/// The bytes are no frame that this client can take.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// The opcodes that a client sends, each with the bit that says that it is whole.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8A;

/// Puts a text frame behind `out`. `key` masks it; it need not be secret here, only varied.
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8], key: u32) {
    put(out, TEXT, text, key);
}

/// Puts the answer to a ping behind `out`.
pub(super) fn put_pong(out: &mut Vec<u8>, payload: &[u8], key: u32) {
    put(out, PONG, payload, key);
}

/// Puts a close frame with 1000 behind `out`.
pub(super) fn put_close(out: &mut Vec<u8>, key: u32) {
    put(out, CLOSE, &1000_u16.to_be_bytes(), key);
}

fn put(out: &mut Vec<u8>, opcode: u8, payload: &[u8], key: u32) {
    out.push(opcode);
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=65_535 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let key = key.to_be_bytes();
    out.extend_from_slice(&key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The first whole frame of `bytes` and its length; none when it has not arrived whole.
pub(super) fn next(bytes: &[u8]) -> Result<Option<(Incoming<'_>, usize)>, Malformed> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let (length, header) = match (second, rest) {
        (0..=125, _) => (u64::from(*second), 2),
        (126, [high, low, ..]) => (u64::from(u16::from_be_bytes([*high, *low])), 4),
        (127, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10),
        (126 | 127, _) => return Ok(None),
        (128.., _) => return Err(Malformed("a masked frame")),
    };
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(header));
    let end = end.ok_or(Malformed("a frame of impossible length"))?;
    let Some(payload) = bytes.get(header..end) else {
        return Ok(None);
    };
    let incoming = match first {
        0x81 => Incoming::Text(payload),
        0x88 => Incoming::Close(match payload {
            [high, low, ..] => u16::from_be_bytes([*high, *low]),
            [] | [_] => 1005,
        }),
        0x89 => Incoming::Ping(payload),
        0x8A => Incoming::Pong,
        _ => return Err(Malformed("a frame that is neither whole text nor control")),
    };
    Ok(Some((incoming, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            length @ 0..=125 => out.push(u8::try_from(length).unwrap()),
            length @ 126..=65_535 => {
                out.push(126);
                out.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                out.push(127);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn frames_are_taken_one_after_the_other_and_only_when_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let text = vec![b'x'; length];
            let mut bytes = served(0x81, &text);
            let whole = bytes.len();
            for part in [0, 1, 2, whole - 1] {
                if part < whole {
                    assert_eq!(next(&bytes[..part]), Ok(None), "{part} of {whole}");
                }
            }
            bytes.extend(served(0x89, b"p"));
            assert_eq!(next(&bytes), Ok(Some((Incoming::Text(&text), whole))));
            assert_eq!(next(&bytes[whole..]), Ok(Some((Incoming::Ping(b"p"), 3))));
        }
        assert_eq!(next(&served(0x88, &[0x03, 0xF4, b'd'])), Ok(Some((Incoming::Close(1012), 5))));
        assert_eq!(next(&served(0x88, &[])), Ok(Some((Incoming::Close(1005), 2))));
        assert!(next(&served(0x82, b"binary")).is_err());
        assert!(next(&[0x81, 0x85, 0, 0]).is_err());
    }

    #[test]
    fn what_a_client_writes_is_masked() {
        for length in [3, 300, 70_000] {
            let text = vec![b'a'; length];
            let mut out = Vec::new();
            put_text(&mut out, &text, 0x0102_0304);
            let body = &out[out.len() - length..];
            let unmasked: Vec<u8> =
                body.iter().zip([1_u8, 2, 3, 4].iter().cycle()).map(|(a, b)| a ^ b).collect();
            assert_eq!(unmasked, text);
            assert_eq!(out[0], 0x81);
            assert!(out[1] & 0x80 != 0);
        }
    }
}
