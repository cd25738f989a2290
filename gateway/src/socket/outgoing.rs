//! What a socket could not take at once: the rest of what was to be written, in whole frames and in the right order.
//!
//! Pure. Control frames go ahead of data, but never into the middle of a frame that has begun.

use std::ops::Range;

use rill_actors::hub::FRAME_ROOM;

/// The payload above which a frame's length takes two bytes, and the one above which it takes eight (RFC 6455 §5.2).
const SHORT_MAX: usize = 125;
const MEDIUM_MAX: usize = 65_535;

/// The kinds of frames that a server sends, each with the bit that says that it is whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Opcode {
    /// UTF-8 text.
    Text = 0x81,
    /// Goodbye.
    Close = 0x88,
    /// Are you there?
    Ping = 0x89,
    /// Here.
    Pong = 0x8A,
}

/// Puts a frame behind `out`.
pub(super) fn put_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let (header, length) = header(opcode, payload.len());
    out.extend_from_slice(&header[..length]);
    out.extend_from_slice(payload);
}

/// The header of a frame, and how many of its bytes there are.
fn header(opcode: Opcode, payload: usize) -> ([u8; FRAME_ROOM], usize) {
    let mut header = [0; FRAME_ROOM];
    header[0] = opcode as u8;
    let length = if payload <= SHORT_MAX {
        header[1] = u8::try_from(payload).unwrap_or_default();
        2
    } else if payload <= MEDIUM_MAX {
        header[1] = 126;
        header[2..4].copy_from_slice(&u16::try_from(payload).unwrap_or_default().to_be_bytes());
        4
    } else {
        header[1] = 127;
        header[2..].copy_from_slice(&(payload as u64).to_be_bytes());
        FRAME_ROOM
    };
    (header, length)
}

/// Makes frames of texts where they lie, each with [`FRAME_ROOM`] bytes in front of it, and moves them together. Where all of them are
/// afterwards: one text, the usual case, stays where it is.
pub(super) fn frame_in_place(bytes: &mut [u8], texts: &[Range<usize>]) -> Range<usize> {
    let mut all = 0..0;
    for (place, text) in texts.iter().enumerate() {
        let (header, length) = header(Opcode::Text, text.len());
        let start = text.start - length;
        bytes[start..text.start].copy_from_slice(&header[..length]);
        if place == 0 {
            all = start..text.end;
        } else {
            bytes.copy_within(start..text.end, all.end);
            all.end += text.end - start;
        }
    }
    all
}

/// The length of the first of our own frames in `bytes`, header included.
fn frame_length(bytes: &[u8]) -> usize {
    let be = |bytes: &[u8]| bytes.iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
    match bytes {
        [_, 127, rest @ ..] => 10 + be(&rest[..8.min(rest.len())]),
        [_, 126, rest @ ..] => 4 + be(&rest[..2.min(rest.len())]),
        [_, length, ..] => 2 + usize::from(*length),
        [_] | [] => bytes.len(),
    }
}

/// The rest of what was to be written.
#[derive(Default)]
pub(super) struct Outgoing {
    data: Vec<u8>,
    /// How much of `data` is written.
    written: usize,
    /// Where the frame ends that `written` is in; equal to `written` between two frames.
    frame_end: usize,
    control: Vec<u8>,
    control_written: usize,
}

impl Outgoing {
    /// Whether all is written.
    pub(super) fn is_empty(&self) -> bool {
        self.data.is_empty() && self.control.is_empty()
    }

    /// How many bytes of control frames wait.
    pub(super) fn control_bytes(&self) -> usize {
        self.control.len() - self.control_written
    }

    /// Whole frames, of which the first `written` bytes have left already.
    pub(super) fn put_data(&mut self, frames: &[u8], written: usize) {
        debug_assert!(self.data.is_empty() || written == 0, "only the first frames can have begun");
        self.data.extend_from_slice(frames);
        self.advance(written);
    }

    /// A frame that goes ahead of the data.
    pub(super) fn put_control(&mut self, opcode: Opcode, payload: &[u8]) {
        put_frame(&mut self.control, opcode, payload);
    }

    /// Forgets everything but the frame that has begun, which has to be finished for anything to be understood.
    pub(super) fn drop_queue(&mut self) {
        self.data.truncate(self.frame_end);
        if self.control_written == 0 {
            self.control.clear();
        }
        self.tidy();
    }

    /// What is to be written next; empty when nothing is left.
    pub(super) fn next(&self) -> &[u8] {
        if self.written < self.frame_end {
            &self.data[self.written..self.frame_end]
        } else if self.control.is_empty() {
            &self.data[self.written..]
        } else {
            &self.control[self.control_written..]
        }
    }

    /// So many bytes of [`Outgoing::next`] have left.
    pub(super) fn wrote(&mut self, bytes: usize) {
        if self.written < self.frame_end || self.control.is_empty() {
            self.advance(bytes);
        } else {
            self.control_written += bytes;
        }
        self.tidy();
    }

    fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        while self.frame_end < self.written {
            self.frame_end += frame_length(&self.data[self.frame_end..]);
        }
    }

    /// Gives buffers back that are done with.
    fn tidy(&mut self) {
        if self.written == self.data.len() {
            self.data = Vec::new();
            self.written = 0;
            self.frame_end = 0;
        }
        if self.control_written == self.control.len() {
            self.control = Vec::new();
            self.control_written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FRAME_ROOM, Opcode, Outgoing, frame_in_place, put_frame};

    fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_frame(&mut out, opcode, payload);
        out
    }

    fn drain(outgoing: &mut Outgoing, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !outgoing.is_empty() {
            let next = outgoing.next();
            assert!(!next.is_empty());
            let bytes = step.min(next.len());
            all.extend_from_slice(&next[..bytes]);
            outgoing.wrote(bytes);
        }
        all
    }

    #[test]
    fn headers_have_three_lengths() {
        assert_eq!(frame(Opcode::Text, b"hi"), [0x81, 2, b'h', b'i']);
        assert_eq!(frame(Opcode::Text, &[0; 126])[..4], [0x81, 126, 0, 126]);
        assert_eq!(frame(Opcode::Text, &[0; 65_535])[..4], [0x81, 126, 255, 255]);
        assert_eq!(frame(Opcode::Text, &[0; 65_536])[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn texts_become_frames_where_they_lie() {
        let lengths = [[3, 0, 0], [125, 126, 2], [126, 65_536, 7], [70_000, 0, 65_535]];
        for texts in lengths.map(|lengths| lengths.map(|length| vec![b'a' + (length % 7) as u8; length])) {
            for count in 0..=texts.len() {
                let (mut bytes, mut places, mut expected) = (Vec::new(), Vec::new(), Vec::new());
                for text in &texts[..count] {
                    bytes.extend_from_slice(&[0xFF; FRAME_ROOM]);
                    places.push(bytes.len()..bytes.len() + text.len());
                    bytes.extend_from_slice(text);
                    put_frame(&mut expected, Opcode::Text, text);
                }
                let all = frame_in_place(&mut bytes, &places);
                assert!(bytes[all] == expected, "{count} of {:?}", texts.each_ref().map(Vec::len));
            }
        }
    }

    #[test]
    fn a_pong_overtakes_data_but_not_the_frame_that_has_begun() {
        for length in [0, 5, 126, 70_000] {
            for written in [1, 2, 3] {
                let (first, second) =
                    (frame(Opcode::Text, &vec![b'a'; length]), frame(Opcode::Text, b"second"));
                if written >= first.len() {
                    continue;
                }
                let mut outgoing = Outgoing::default();
                outgoing.put_data(&[first.clone(), second.clone()].concat(), written);
                outgoing.put_control(Opcode::Pong, b"x");
                let pong = frame(Opcode::Pong, b"x");
                assert_eq!(drain(&mut outgoing, 3), [&first[written..], &pong[..], &second[..]].concat());
            }
        }
    }

    #[test]
    fn dropping_the_queue_leaves_the_begun_frame_whole() {
        let (first, second) = (frame(Opcode::Text, b"first"), frame(Opcode::Text, b"second"));
        let mut outgoing = Outgoing::default();
        outgoing.put_data(&[first.clone(), second].concat(), 4);
        outgoing.drop_queue();
        let close = frame(Opcode::Close, &[3, 232]);
        outgoing.put_data(&close, 0);
        assert_eq!(drain(&mut outgoing, 100), [&first[4..], &close[..]].concat());
    }

    #[test]
    fn dropping_the_queue_between_frames_leaves_nothing() {
        let (first, second) = (frame(Opcode::Text, b"first"), frame(Opcode::Text, b"second"));
        let mut outgoing = Outgoing::default();
        outgoing.put_data(&[first.clone(), second].concat(), first.len());
        outgoing.drop_queue();
        assert!(outgoing.is_empty());
    }

    #[test]
    fn a_begun_control_frame_is_finished_first() {
        let mut outgoing = Outgoing::default();
        outgoing.put_control(Opcode::Ping, b"1234");
        outgoing.wrote(3);
        outgoing.put_data(&frame(Opcode::Text, b"data"), 0);
        let rest = [&frame(Opcode::Ping, b"1234")[3..], &frame(Opcode::Text, b"data")[..]].concat();
        assert_eq!(drain(&mut outgoing, 2), rest);
    }
}
