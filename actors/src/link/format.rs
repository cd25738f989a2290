//! What nodes say to one another, as bytes: a version, then `postcard`.
//!
//! Letters are not copied: those of one frame share the bytes in which it came. Not here: what is in a letter, and over
//! which channel it goes (`carrier`).
//!
//! A node that does not know the version hears nothing of it. So a new version is spoken only when all nodes read it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::membership::{Beat, Frame};
use crate::store::Epoch;

/// The first byte of everything.
const VERSION: u8 = 1;

/// What is said to all.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// A node lives.
    Beat(Beat),
    /// A node has ended its epoch itself.
    Bye(Epoch),
}

/// A frame without its letters, which follow in the order of their lengths.
#[derive(Serialize, Deserialize)]
struct Head {
    from: Epoch,
    round: u64,
    number: u64,
    lengths: Vec<u32>,
}

/// Why something cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum FormatError {
    /// Another version of this server, or nothing of this server's.
    #[error("version {0:?}, not {VERSION}")]
    Version(Option<u8>),
    /// It breaks off, or goes on.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl From<postcard::Error> for FormatError {
    fn from(error: postcard::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

pub(super) fn encode_said(said: &Said) -> Vec<u8> {
    // Numbers and sets of numbers in memory: there is nothing that could fail.
    postcard::to_extend(said, vec![VERSION]).unwrap_or_default()
}

pub(super) fn decode_said(bytes: &[u8]) -> Result<Said, FormatError> {
    Ok(postcard::from_bytes(body(bytes)?)?)
}

pub(super) fn encode_frame(frame: &Frame) -> Vec<u8> {
    let length = |letter: &Bytes| u32::try_from(letter.len()).unwrap_or(u32::MAX);
    let lengths: Vec<u32> = frame.letters.iter().map(length).collect();
    let head = Head { from: frame.from, round: frame.round, number: frame.number, lengths };
    let letters = frame.letters.iter().map(Bytes::len).sum::<usize>();
    // The numbers take at most ten bytes each, the lengths five.
    let mut bytes = Vec::with_capacity(64 + frame.letters.len() * 5 + letters);
    bytes.push(VERSION);
    let mut bytes = postcard::to_extend(&head, bytes).unwrap_or_default();
    frame.letters.iter().for_each(|letter| bytes.extend_from_slice(letter));
    bytes
}

pub(super) fn decode_frame(bytes: &Bytes) -> Result<Frame, FormatError> {
    let (head, rest) = postcard::take_from_bytes::<Head>(body(bytes)?)?;
    let mut rest = bytes.slice(bytes.len() - rest.len()..);
    let mut letters = Vec::with_capacity(head.lengths.len());
    for length in head.lengths {
        let length = length as usize;
        if length > rest.len() {
            return Err(FormatError::Damaged("a letter breaks off".into()));
        }
        letters.push(rest.split_to(length));
    }
    if !rest.is_empty() {
        return Err(FormatError::Damaged("something follows the last letter".into()));
    }
    Ok(Frame { from: head.from, round: head.round, number: head.number, letters })
}

fn body(bytes: &[u8]) -> Result<&[u8], FormatError> {
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok(body),
        other => Err(FormatError::Version(other.map(|(version, _)| *version))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    fn frame() -> Frame {
        let letters = ["one", "", "three"].map(Bytes::from).to_vec();
        Frame { from: 7, round: 1 << 33, number: 300, letters }
    }

    fn beat() -> Said {
        Said::Beat(Beat {
            from: 2,
            nodes: [1, 2].into(),
            round: 9,
            consents: true,
            has_view: true,
            watermark: 1_800_000_000_000_000,
            sent: [(1, 4)].into(),
        })
    }

    #[test]
    fn what_was_said_is_read() {
        let bytes = Bytes::from(encode_frame(&frame()));
        assert_eq!(decode_frame(&bytes), Ok(frame()));
        for said in [beat(), Said::Bye(3)] {
            assert_eq!(decode_said(&encode_said(&said)), Ok(said));
        }
    }

    #[test]
    fn the_bytes_of_version_1_stay() {
        assert_eq!(encode_said(&Said::Bye(3)), [1, 1, 3]);
        assert_eq!(
            &encode_frame(&Frame { round: 5, ..frame() })[..],
            b"\x01\x07\x05\xac\x02\x03\x03\x00\x05onethree"
        );
    }

    #[test]
    fn what_breaks_off_goes_on_or_is_of_another_version_is_refused() {
        let (frame, said) = (encode_frame(&frame()), encode_said(&beat()));
        for end in 0..frame.len() {
            assert!(decode_frame(&Bytes::copy_from_slice(&frame[..end])).is_err());
        }
        (0..said.len()).for_each(|end| assert!(decode_said(&said[..end]).is_err()));
        assert!(decode_frame(&Bytes::from([&frame[..], b"x"].concat())).is_err());
        assert_eq!(decode_said(&[9, 1, 3]), Err(FormatError::Version(Some(9))));
        assert_eq!(decode_said(&[]), Err(FormatError::Version(None)));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(mut bytes in any::<Vec<u8>>(), versioned in any::<bool>()) {
            if versioned {
                bytes.insert(0, VERSION);
            }
            let _ = decode_said(&bytes);
            let _ = decode_frame(&Bytes::from(bytes));
        }
    }
}
