//! A lane: the bounded queue in front of one session's sink, and the frames that are made of it (websocket.md, "Frames
//! from the server").
//!
//! Records leave in the order in which they were put in. Everything between the answers of two client frames becomes
//! one push. The answers of a frame with several events are held together: from its first answer to its last nothing
//! leaves, and then one frame carries all that was queued in between, so that no record overtakes another.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use actix::Addr;
use bytes::Bytes;
use rill_proto::id::ConversationId;

use super::frame::{Composer, Tail, separate, wire, write_list};
use super::queued::Queued;
use super::{CloseCode, Fanout, Sink};
use crate::account::board::Placements;
use crate::account::contact::ContactBook;
use crate::conversation::Token;
use crate::piece::{Piece, Viewer};
use crate::presence::Lane;
use crate::session::{Answered, Level, Renew, Session};
use crate::store::Stamp;

/// How many bytes may wait for a client that does not read. A megabyte is a thousand messages: half a minute of a busy
/// room for a client that stalls, and small enough that a thousand stalled ones do not hurt. Full: the session ends with
/// 4429 and catches up when it comes back; a long poll's queue is dropped and its next poll catches up.
pub const LANE_BYTES_MAX: usize = 1 << 20;

/// A push grows up to this size before another one is begun: large enough that framing costs nothing, small enough for
/// every client's frame limit.
pub(super) const PUSH_BYTES_MAX: usize = 256 * 1024;

/// From so many entries on a lane skips the middle: of a conversation's headers that leave together only the last is written, since it says
/// all that those before it said. A lane that keeps up shows every step.
const SKIPS_FROM: usize = 8;

/// The progress of a sync that is not complete: only its last frame says 1 (websocket.md, "Opening").
const PROGRESS_MAX: f32 = 0.99;

/// An answer to a poll may be lost on its way, and the next poll shows that by the horizon that it presents. So no two answers
/// tell the same one: those that reach as far tell this many microseconds less, and one more each time. What is told less is told
/// twice to whoever comes back with it; a tenth of a second of news costs nothing, and so many answers are never given meanwhile.
const POLL_STEPS: i64 = 100_000;

/// Which transport a lane serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A WebSocket: answers and pushes go the same way.
    Socket,
    /// HTTP: answers go to their own response, and everything goes to the poll as well.
    Http,
}

/// A frame that runs alone, whose answers are being collected.
struct Collecting {
    frame: u64,
    requests: Vec<Option<Bytes>>,
    /// HTTP only: the records for its own response.
    pieces: Vec<Piece>,
    /// Socket only: the place of its `Begin` in the queue, counted from the first entry ever queued.
    begin: Option<u64>,
}

enum Phase {
    /// Nothing was asked for: an HTTP session that only stores events.
    Silent,
    /// The initial sync or a catch-up is under way.
    Syncing {
        base: Stamp,
        progress: f32,
        chunk: i64,
        /// The client was live before, and does not notice.
        is_quiet: bool,
    },
    Live,
}

/// A lane's queue.
pub(super) struct Queue {
    lane: Lane,
    kind: Kind,
    session: Addr<Session>,
    sink: Box<dyn Sink>,
    book: Option<Arc<ContactBook>>,
    places: Option<Arc<Placements>>,
    entries: VecDeque<Queued>,
    /// How many of the last entries have come since the lane was flushed.
    fresh: usize,
    /// How many entries have ever left, so that places in the queue stay valid.
    left: u64,
    bytes: usize,
    phase: Phase,
    /// How far everything has been told.
    horizon: Stamp,
    /// HTTP only: what the next poll presents if the last answer has arrived; nothing while that could not be seen.
    expected: Option<i64>,
    /// The sync that is, or was last, under way.
    syncs: u32,
    collecting: Option<Collecting>,
    under_way: usize,
    dirty: bool,
    ended: bool,
}

impl Queue {
    pub(super) fn new(lane: Lane, kind: Kind, session: Addr<Session>, sink: Box<dyn Sink>) -> Self {
        Self {
            lane,
            kind,
            session,
            sink,
            book: None,
            places: None,
            entries: VecDeque::new(),
            fresh: 0,
            left: 0,
            bytes: 0,
            phase: Phase::Silent,
            horizon: 0,
            expected: None,
            syncs: 0,
            collecting: None,
            under_way: 0,
            dirty: false,
            ended: false,
        }
    }

    pub(super) fn sync(&mut self, base: Stamp) -> u32 {
        self.clear();
        self.horizon = base;
        self.expected = Some(wire(base));
        self.syncs = self.lane.begin_sync();
        self.phase = Phase::Syncing { base, progress: 0.0, chunk: 0, is_quiet: false };
        self.syncs
    }

    /// Something may be missing from now on: the horizon stands, and the session is asked to begin a sync, one after the other so
    /// that not all of them read the store at once. A client that polls may have a session on another node next, and come back with a
    /// horizon of that one, which says nothing of what was told here: so his next poll here begins anew.
    pub(super) fn call_to_renew(&mut self, place: usize) {
        if self.kind == Kind::Http {
            self.end(CloseCode::Overloaded, "the nodes agree anew");
            return self.level(self.lane.sync());
        }
        match self.phase {
            Phase::Live if !self.ended => {
                self.phase = Phase::Syncing { base: self.horizon, progress: 0.0, chunk: 0, is_quiet: true };
            }
            Phase::Syncing { .. } if !self.ended => {}
            Phase::Silent | Phase::Live | Phase::Syncing { .. } => return self.level(self.lane.sync()),
        }
        // The end of the sync that was under way counts no more.
        self.syncs = self.lane.sync();
        self.let_go();
        self.tell_session(Renew { place });
    }

    /// Nothing is missing any more: the session goes on.
    #[expect(clippy::disallowed_methods, reason = "bounded: one for each view of the nodes")]
    fn level(&self, number: u32) {
        let was_behind = self.lane.is_behind();
        self.lane.catch_up(number);
        if was_behind && !self.lane.is_behind() {
            self.session.do_send(Level);
        }
    }

    pub(super) fn renew(&mut self) -> Option<(u32, Stamp)> {
        match self.phase {
            Phase::Syncing { base, .. } => {
                self.syncs = self.lane.begin_sync();
                Some((self.syncs, base))
            }
            Phase::Silent => {
                self.level(self.lane.sync());
                None
            }
            // It has been through one meanwhile.
            Phase::Live => None,
        }
    }

    pub(super) fn submitted(&mut self, frame: u64, events: usize, alone: bool) {
        self.under_way += 1;
        if alone {
            self.collecting =
                Some(Collecting { frame, requests: vec![None; events], pieces: Vec::new(), begin: None });
        }
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    pub(super) fn is_syncing(&self) -> bool {
        matches!(self.phase, Phase::Syncing { is_quiet: false, .. })
    }

    pub(super) fn expected_horizon(&self) -> Option<i64> {
        self.expected.filter(|_| !matches!(self.phase, Phase::Silent))
    }

    /// True the first time since the last flush.
    pub(super) fn mark_dirty(&mut self) -> bool {
        !std::mem::replace(&mut self.dirty, true)
    }

    pub(super) fn contacts(&mut self, book: Arc<ContactBook>) {
        self.book = Some(book);
    }

    pub(super) fn placements(&mut self, places: Arc<Placements>) {
        self.places = Some(places).filter(|places| !places.is_empty());
    }

    pub(super) fn progress(&mut self, progress: f32, token: Token) {
        if matches!(self.phase, Phase::Syncing { .. }) {
            self.push(Queued::Progress(progress, token));
        }
    }

    pub(super) fn live(&mut self, number: u32, stamp: Stamp) {
        // What belonged to it may have been dropped if another one is to begin.
        let counts = number == self.syncs && number == self.lane.sync();
        if counts && matches!(self.phase, Phase::Syncing { .. }) {
            self.push(Queued::Live(number, stamp));
            self.level(number);
        }
    }

    /// News for many, of so many bytes for each; the lane's part is at a place.
    pub(super) fn batch(&mut self, fanout: &Arc<Fanout>, place: usize, bytes: usize) {
        if self.listens() {
            self.bytes += bytes;
            self.push(Queued::Shared(Arc::clone(fanout), place));
        }
    }

    pub(super) fn pieces(&mut self, pieces: Vec<Piece>) {
        if self.listens() {
            self.extend(pieces);
        }
    }

    pub(super) fn answer(&mut self, frame: u64, index: u16, request: Bytes, pieces: Vec<Piece>) {
        match self.collecting.take() {
            Some(collecting) if collecting.frame == frame => self.collect(collecting, index, request, pieces),
            other => {
                self.collecting = other;
                self.complete(frame, vec![request], pieces);
            }
        }
    }

    /// Records of an answer that is being collected.
    pub(super) fn part(&mut self, frame: u64, pieces: Vec<Piece>) {
        if let Some(mut collecting) = self.collecting.take_if(|collecting| collecting.frame == frame) {
            self.gather(&mut collecting, pieces);
            self.collecting = Some(collecting);
        }
    }

    fn gather(&mut self, collecting: &mut Collecting, pieces: Vec<Piece>) {
        match self.kind {
            // The poll gets them now, in the order in which they took effect; only the response waits for the frame's end.
            Kind::Http => {
                self.pieces(pieces.clone());
                collecting.pieces.extend(pieces);
            }
            Kind::Socket => {
                // While it catches up nothing waits: what brings it the rest may be behind this.
                if collecting.begin.is_none() && !self.lane.is_behind() {
                    collecting.begin = Some(self.left + self.entries.len() as u64);
                    self.push(Queued::Begin);
                }
                self.extend(pieces);
            }
        }
    }

    fn collect(&mut self, mut collecting: Collecting, index: u16, request: Bytes, pieces: Vec<Piece>) {
        if let Some(slot) = collecting.requests.get_mut(usize::from(index)) {
            *slot = Some(request);
        }
        self.gather(&mut collecting, pieces);
        let frame = collecting.frame;
        self.tell(Answered::Event(frame));
        if collecting.requests.iter().all(Option::is_some) {
            let requests = collecting.requests.into_iter().flatten().collect();
            match self.kind {
                Kind::Http => self.respond(collecting.frame, requests, &collecting.pieces),
                Kind::Socket => {
                    if collecting.begin.is_none() {
                        self.push(Queued::Begin);
                    }
                    self.push(Queued::End(requests));
                }
            }
            self.finished(frame);
        } else {
            self.collecting = Some(collecting);
        }
    }

    /// All events of a frame are answered.
    pub(super) fn complete(&mut self, frame: u64, requests: Vec<Bytes>, pieces: Vec<Piece>) {
        match self.kind {
            Kind::Socket => {
                self.push(Queued::Begin);
                self.extend(pieces);
                self.push(Queued::End(requests));
            }
            Kind::Http => {
                self.pieces(pieces.clone());
                self.respond(frame, requests, &pieces);
            }
        }
        self.finished(frame);
    }

    /// Answers an `event/store` call. The poll gets the request records behind everything that the events caused.
    fn respond(&mut self, frame: u64, requests: Vec<Bytes>, pieces: &[Piece]) {
        let mut body = Vec::from(b"{\"requests\":".as_slice());
        write_list(&requests, &mut body);
        body.extend_from_slice(b",\"stream\":[");
        let viewer = self.viewer();
        for (at, piece) in pieces.iter().enumerate() {
            separate(&mut body, at == 0);
            piece.write(&viewer, &mut body);
        }
        body.extend_from_slice(b"]}");
        self.sink.answer(frame, &body);
        self.pieces(requests.into_iter().map(Piece::Shared).collect());
    }

    fn viewer(&self) -> Viewer<'_> {
        Viewer {
            account_id: self.lane.account_id(),
            contacts: self.book.as_deref(),
            placements: self.places.as_deref(),
        }
    }

    fn finished(&mut self, frame: u64) {
        self.under_way = self.under_way.saturating_sub(1);
        self.sink.resume();
        if self.under_way == 0 {
            self.tell(Answered::Frame(frame));
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "bounded: a session has at most a frame's events under way"
    )]
    fn tell(&self, answered: Answered) {
        self.session.do_send(answered);
    }

    #[expect(clippy::disallowed_methods, reason = "bounded: one for each view of the nodes")]
    fn tell_session(&self, renew: Renew) {
        self.session.do_send(renew);
    }

    /// The client must come again. Over HTTP there is no connection that could end: his next poll catches up, unless he may not ask
    /// any more.
    pub(super) fn end(&mut self, code: CloseCode, reason: &str) {
        if self.ended {
            return;
        }
        // With another code nobody is answered: who holds the call begins it anew.
        if code == CloseCode::Draining {
            self.tell_progress();
        }
        self.fall_silent();
        self.ended = self.kind == Kind::Socket || code == CloseCode::Policy;
        self.sink.close(code, reason);
    }

    fn fall_silent(&mut self) {
        self.clear();
        self.phase = Phase::Silent;
    }

    /// Whoever polls in the middle of a sync and is not to wait any longer is told how far it is: that there is nothing new would look
    /// like its end.
    pub(super) fn tell_progress(&mut self) {
        if self.kind == Kind::Http && self.is_syncing() && self.sink.is_ready() {
            let (mut bytes, mut frames) = (Vec::new(), Vec::new());
            let tail = self.tail(None);
            Composer::new(&mut bytes, &mut frames).finish(&[], &tail);
            self.sink.send(&mut bytes, &frames);
        }
    }

    fn listens(&self) -> bool {
        !self.ended && !matches!(self.phase, Phase::Silent)
    }

    fn extend(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            self.bytes += piece.size_hint();
            self.push(Queued::Piece(piece));
        }
    }

    fn push(&mut self, entry: Queued) {
        if !self.ended {
            self.entries.push_back(entry);
            self.fresh += 1;
        }
    }

    fn clear(&mut self) {
        self.left += self.entries.len() as u64;
        self.entries = VecDeque::new();
        self.fresh = 0;
        self.bytes = 0;
    }

    /// What has to wait must not keep the other lanes' parts in memory: the bound of this lane does not know of them.
    fn settle(&mut self) {
        let fresh = std::mem::take(&mut self.fresh).min(self.entries.len());
        for entry in self.entries.iter_mut().rev().take(fresh) {
            if let Queued::Shared(fanout, place) = entry {
                let view = fanout.lanes.get(*place).and_then(|told| told.view.clone());
                *entry = Queued::Kept(Arc::clone(&fanout.batch), view.map(Box::new));
            }
        }
    }

    /// Gives everything that may leave to the sink, if it can take it.
    pub(super) fn flush(&mut self, watermark: Stamp, bytes: &mut Vec<u8>, frames: &mut Vec<Range<usize>>) {
        self.dirty = false;
        if self.entries.is_empty() || self.ended {
            return;
        }
        if !self.sink.is_ready() {
            if self.bytes > LANE_BYTES_MAX {
                self.overflow();
            }
            self.settle();
            return;
        }
        bytes.clear();
        frames.clear();
        self.compose(watermark, bytes, frames);
        self.settle();
        if !frames.is_empty() {
            self.sink.send(bytes, frames);
        }
    }

    fn overflow(&mut self) {
        match self.kind {
            Kind::Socket => self.end(CloseCode::TooFast, "slow reader: the queue of this session is full"),
            Kind::Http => self.fall_silent(),
        }
    }

    /// What is held for an answer leaves as a push: the rest of the answer comes behind the sync, which would wait for it in turn.
    fn let_go(&mut self) {
        let begin = self.collecting.as_mut().and_then(|collecting| collecting.begin.take());
        if let Some(place) = begin.and_then(|begin| usize::try_from(begin - self.left).ok()) {
            drop(self.entries.remove(place));
        }
    }

    /// The first place in the queue that must not leave yet.
    fn held_from(&self) -> u64 {
        self.collecting
            .as_ref()
            .and_then(|collecting| collecting.begin)
            .unwrap_or(self.left + self.entries.len() as u64)
    }

    /// Headers that a later one makes superfluous are not written. Nothing else is left out, and nothing changes its place.
    fn skip_the_middle(&mut self, held: u64) {
        let leaving = usize::try_from(held - self.left).unwrap_or(usize::MAX).min(self.entries.len());
        if leaving < SKIPS_FROM {
            return;
        }
        // A lane has news of a handful of conversations at a time.
        let mut told: Vec<ConversationId> = Vec::new();
        for entry in self.entries.range_mut(..leaving).rev() {
            let Some(id) = entry.standing() else {
                continue;
            };
            if told.contains(&id) {
                entry.skip_header();
            } else {
                told.push(id);
            }
        }
    }

    fn compose(&mut self, watermark: Stamp, bytes: &mut Vec<u8>, frames: &mut Vec<Range<usize>>) {
        let held = self.held_from();
        self.skip_the_middle(held);
        let mut frame = Composer::new(bytes, frames);
        // An HTTP response is one frame; what does not fit into it waits for the next poll.
        while self.left < held && (self.kind == Kind::Socket || frame.frames.is_empty()) {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            self.left += 1;
            let viewer = self.viewer();
            match entry {
                Queued::Piece(piece) => frame.piece(&piece, &viewer),
                Queued::Shared(fanout, place) => {
                    let view = fanout.lanes.get(place).and_then(|told| told.view.as_ref());
                    frame.batch(&fanout.batch, view, &viewer);
                }
                Queued::Kept(batch, view) => frame.batch(&batch, view.as_deref(), &viewer),
                Queued::Begin => {
                    if frame.is_open() {
                        frame.finish(&[], &self.tail(None));
                    }
                    frame.open();
                    frame.in_answer = true;
                }
                Queued::End(requests) => {
                    let mut tail = self.tail(self.is_last(held).then_some(watermark));
                    tail.progress = None;
                    frame.finish(&requests, &tail);
                }
                Queued::Progress(now, token) => {
                    if let Phase::Syncing { progress, .. } = &mut self.phase {
                        *progress = now;
                    }
                    drop(token);
                }
                // Another sync has begun since, and goes as far.
                Queued::Live(number, _) if number != self.syncs => {}
                Queued::Live(_, stamp) => {
                    let is_quiet = matches!(self.phase, Phase::Syncing { is_quiet: true, .. });
                    self.phase = Phase::Live;
                    self.horizon = self.horizon.max(stamp);
                    if !is_quiet || frame.is_open() {
                        let horizon = self.reached();
                        frame.finish(&[], &Tail { horizon, progress: (!is_quiet).then_some(1.0) });
                    }
                }
            }
            if frame.is_large() {
                frame.finish(&[], &self.tail(None));
            }
        }
        if frame.is_open() {
            frame.finish(&[], &self.tail(self.is_last(held).then_some(watermark)));
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
            self.bytes = 0;
        }
    }

    /// Nothing waits behind what has been taken out, so a frame that ends here may carry the watermark.
    fn is_last(&self, held: u64) -> bool {
        self.left >= held && self.entries.is_empty()
    }

    fn tail(&mut self, watermark: Option<Stamp>) -> Tail {
        match &mut self.phase {
            Phase::Syncing { is_quiet: true, .. } => Tail { horizon: self.reached(), progress: None },
            Phase::Syncing { base, progress, chunk, .. } => {
                *chunk += 1;
                let horizon = match (self.kind, *base) {
                    (Kind::Socket, base) => wire(base),
                    // A poll that is not complete yet has a horizon below zero (protocol.md §1.4).
                    (Kind::Http, 0) => -*chunk,
                    (Kind::Http, base) => wire(base) - POLL_STEPS + (*chunk).min(POLL_STEPS),
                };
                self.expected = Some(horizon);
                Tail { horizon, progress: Some(progress.min(PROGRESS_MAX)) }
            }
            Phase::Live | Phase::Silent => {
                self.horizon = self.horizon.max(watermark.unwrap_or(0));
                Tail { horizon: self.reached(), progress: None }
            }
        }
    }

    /// The horizon that the next frame tells.
    fn reached(&mut self) -> i64 {
        let reached = wire(self.horizon);
        if self.kind == Kind::Socket {
            return reached;
        }
        let lowest = (reached - POLL_STEPS).max(1);
        let next = self.expected.map_or(lowest, |last| lowest.max(last + 1));
        self.expected = Some(next).filter(|next| *next <= reached);
        next.min(reached)
    }
}
