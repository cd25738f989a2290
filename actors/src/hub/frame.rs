//! The frames that a lane's queue becomes (websocket.md, "Frames from the server").
//!
//! Not here: what is in the queue, and when it leaves (`lane`).

use std::ops::Range;

use bytes::Bytes;
use rill_proto::record::conv::View;

use super::lane::PUSH_BYTES_MAX;
use crate::conversation::audience::Template;
use crate::piece::{Piece, Viewer};
use crate::store::Stamp;

/// Room in front of each frame: the longest header that a WebSocket server writes (RFC 6455 §5.2). So the frame is written where it was
/// made.
pub const FRAME_ROOM: usize = 10;

/// A stamp as clients see it. Stamps fit in 53 bits.
pub(super) fn wire(stamp: Stamp) -> i64 {
    i64::try_from(stamp).unwrap_or(i64::MAX)
}

/// What stands behind the records of a frame.
pub(super) struct Tail {
    pub(super) horizon: i64,
    pub(super) progress: Option<f32>,
}

impl Tail {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"event_horizon\":");
        out.extend_from_slice(self.horizon.to_string().as_bytes());
        if let Some(progress) = self.progress {
            out.extend_from_slice(format!(",\"sync_progress\":{progress:.2}").as_bytes());
        }
        out.push(b'}');
    }
}

/// Writes records into frames. A frame is `{"stream":[…],"requests":[…],"event_horizon":n}`, the requests in answers only.
pub(super) struct Composer<'a> {
    bytes: &'a mut Vec<u8>,
    pub(super) frames: &'a mut Vec<Range<usize>>,
    start: Option<usize>,
    records: usize,
    pub(super) in_answer: bool,
}

impl<'a> Composer<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>, frames: &'a mut Vec<Range<usize>>) -> Self {
        Self { bytes, frames, start: None, records: 0, in_answer: false }
    }

    pub(super) fn is_open(&self) -> bool {
        self.start.is_some()
    }

    pub(super) fn is_large(&self) -> bool {
        !self.in_answer && self.start.is_some_and(|start| self.bytes.len() - start > PUSH_BYTES_MAX)
    }

    pub(super) fn open(&mut self) {
        if self.start.is_none() {
            self.bytes.extend_from_slice(&[0; FRAME_ROOM]);
            self.start = Some(self.bytes.len());
            self.records = 0;
            self.bytes.extend_from_slice(b"{\"stream\":[");
        }
    }

    fn next_record(&mut self) {
        self.open();
        separate(self.bytes, self.records == 0);
        self.records += 1;
    }

    #[cfg(not(feature = "broken"))]
    pub(super) fn piece(&mut self, piece: &Piece, viewer: &Viewer<'_>) {
        self.record(piece, viewer);
    }

    #[cfg(feature = "broken")]
    pub(super) fn piece(&mut self, piece: &Piece, viewer: &Viewer<'_>) {
        for piece in super::broken::in_place_of(piece, viewer.account_id) {
            self.record(&piece, viewer);
        }
    }

    fn record(&mut self, piece: &Piece, viewer: &Viewer<'_>) {
        self.next_record();
        piece.write(viewer, self.bytes);
    }

    #[cfg(not(feature = "broken"))]
    fn header(&mut self, shared: &Bytes, view: &View, viewer: &Viewer<'_>) {
        self.next_record();
        crate::piece::write_header(shared, view, viewer, self.bytes);
    }

    #[cfg(feature = "broken")]
    fn header(&mut self, shared: &Bytes, view: &View, viewer: &Viewer<'_>) {
        let view = std::sync::Arc::new(view.clone());
        self.piece(&Piece::Conv { shared: shared.clone(), view }, viewer);
    }

    pub(super) fn batch(&mut self, batch: &[Template], view: Option<&View>, viewer: &Viewer<'_>) {
        for template in batch {
            match (template, view) {
                (Template::Same(piece), _) => self.piece(piece, viewer),
                (Template::PerViewer { shared, .. }, Some(view)) => self.header(shared, view, viewer),
                (Template::PerViewer { .. }, None) => {}
            }
        }
    }

    pub(super) fn finish(&mut self, requests: &[Bytes], tail: &Tail) {
        self.open();
        self.bytes.push(b']');
        if self.in_answer {
            self.bytes.extend_from_slice(b",\"requests\":");
            write_list(requests, self.bytes);
        }
        tail.write(self.bytes);
        if let Some(start) = self.start.take() {
            self.frames.push(start..self.bytes.len());
        }
        self.in_answer = false;
    }
}

pub(super) fn write_list(records: &[Bytes], out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, record) in records.iter().enumerate() {
        separate(out, at == 0);
        out.extend_from_slice(record);
    }
    out.push(b']');
}

pub(super) fn separate(out: &mut Vec<u8>, first: bool) {
    if !first {
        out.push(b',');
    }
}
