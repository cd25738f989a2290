//! A generator's connections: how they are opened, read, dropped and lost.
//!
//! Not here: one connection's bytes ([`super::seat`]), what the frames say ([`super::intake`]).

use super::frame::{self, Incoming};
use super::generator::Generator;
use super::seat::{self, Ended, Stage};
use crate::failure::Failure;
use crate::user::API_VERSION;
use mio::{Events, Poll, Token};
use serde_json::json;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Connections that are being opened at once: enough to keep a server busy, few enough for its backlog.
const OPENING_MAX: usize = 128;

/// What one read takes at most. A sync's frames are up to 256 KB; larger ones make it grow.
const SCRATCH_BYTES: usize = 512 * 1024;

/// Below so much room behind what was left over, the scratch grows.
const SCRATCH_ROOM_MIN: usize = 64 * 1024;

/// The codes by which a server may let a session go that the scenario makes too slow, or that outlives the server.
const TOO_SLOW: u16 = 4429;
const DRAINING: u16 = 1012;

/// What all connections of a generator share.
#[derive(Debug)]
pub(super) struct Lines {
    poll: Poll,
    /// Seats that are to be connected.
    pub(super) to_open: VecDeque<u32>,
    opening: usize,
    scratch: Vec<u8>,
}

impl Lines {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { poll: Poll::new()?, to_open: VecDeque::new(), opening: 0, scratch: vec![0; SCRATCH_BYTES] })
    }

    /// Waits until a connection can be read or written, or the time is over.
    pub(super) fn wait(&mut self, events: &mut Events, wait: Duration) -> Result<(), Failure> {
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error.into()),
            Err(_) => {
                // An interrupted wait leaves the reports of the one before.
                events.clear();
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Generator {
    pub(super) fn open_some(&mut self) {
        while self.lines.opening < OPENING_MAX
            && let Some(place) = self.lines.to_open.pop_front()
        {
            let now_us = self.now_us();
            let seat = &mut self.seats[place as usize];
            seat.begun_us = now_us;
            self.lines.opening += 1;
            let account = &self.shared.accounts[seat.session as usize];
            let (server, host) = self.shared.server_of(seat.session);
            seat.ask_upgrade(host, account);
            if let Err(ended) = seat.connect(*server, self.lines.poll.registry(), Token(place as usize)) {
                self.end(place as usize, &ended);
            }
        }
    }

    /// Writes what is left and reads until there is nothing more. `to_the_end` asks the kernel until it says so: an end that came together
    /// with the last bytes is not announced again.
    pub(super) fn serve(&mut self, place: usize, to_the_end: bool) {
        if self.seats[place].is_slow {
            return;
        }
        let mut scratch = std::mem::take(&mut self.lines.scratch);
        if let Err(ended) = self.exchange(place, to_the_end, &mut scratch) {
            self.end(place, &ended);
        }
        self.lines.scratch = scratch;
    }

    fn exchange(&mut self, place: usize, to_the_end: bool, scratch: &mut Vec<u8>) -> Result<(), Ended> {
        self.seats[place].flush()?;
        loop {
            let wanted = self.seats[place].kept() + SCRATCH_ROOM_MIN;
            if scratch.len() < wanted {
                scratch.resize(wanted * 2, 0);
            }
            let (length, may_be_more) = self.seats[place].read(scratch)?;
            if length > 0 {
                self.take_in(place, &scratch[..length])?;
            }
            if length == 0 || !may_be_more && !to_the_end {
                return Ok(());
            }
        }
    }

    fn take_in(&mut self, place: usize, bytes: &[u8]) -> Result<(), Ended> {
        let mut at = 0;
        if self.seats[place].stage == Stage::Upgrading {
            match seat::upgraded(bytes)? {
                Some(length) => at = length,
                None => {
                    self.seats[place].keep(bytes);
                    return Ok(());
                }
            }
            self.greet(place)?;
        }
        loop {
            let next = frame::next(&bytes[at..]).map_err(|bad| Ended::Broken(bad.0.to_owned()))?;
            let Some((incoming, length)) = next else {
                if at < bytes.len() {
                    self.seats[place].keep(&bytes[at..]);
                }
                return Ok(());
            };
            at += length;
            match incoming {
                Incoming::Text(text) => {
                    self.tally.counts.frames += 1;
                    self.tally.counts.bytes += length as u64;
                    self.shared.progress.bytes.fetch_add(length as u64, Ordering::Relaxed);
                    self.take(place, text)?;
                }
                Incoming::Ping(payload) => {
                    let key = self.dice.key();
                    self.seats[place].pong(payload, key)?;
                }
                Incoming::Pong => {}
                Incoming::Close(code) => return Err(Ended::Closed(code)),
            }
        }
    }

    fn greet(&mut self, place: usize) -> Result<(), Ended> {
        let seat = &mut self.seats[place];
        let account = &self.shared.accounts[seat.session as usize];
        let hello = json!({
            "ticket": account.ticket, "api_version": API_VERSION, "event_horizon": seat.horizon,
            "poll_flags": ["skip_hidden"],
        });
        seat.stage = Stage::Syncing;
        let key = self.dice.key();
        self.seats[place].send(&hello.to_string(), key)
    }

    /// A session's sync is complete.
    pub(super) fn came_live(&mut self, place: usize) {
        let took_us = self.now_us() - self.seats[place].begun_us;
        let seat = &mut self.seats[place];
        let is_again = std::mem::replace(&mut seat.was_live, true);
        seat.stage = Stage::Live;
        self.lines.opening -= 1;
        let times = if is_again { &mut self.tally.reconnects } else { &mut self.tally.connects };
        times.record(took_us);
        self.shared.progress.live.fetch_add(1, Ordering::Relaxed);
        if is_again {
            self.send_again(place);
            self.load_gaps(place);
        }
    }

    /// Drops a connection as a lost network does. What it waits for is sent again when it is back.
    pub(super) fn hang_up(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        if seat.stage == Stage::Live {
            seat.hang_up();
            seat.stage = Stage::Away;
            self.shared.progress.live.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A connection ended by the other side.
    pub(super) fn end(&mut self, place: usize, ended: &Ended) {
        let (stage, was_slow) = (self.seats[place].stage, self.seats[place].was_slow);
        if let Ended::Closed(code) = ended {
            *self.tally.closes.entry(*code).or_default() += 1;
        }
        match stage {
            Stage::Away | Stage::Lost => return,
            Stage::Upgrading | Stage::Syncing => self.lines.opening -= 1,
            Stage::Live => drop(self.shared.progress.live.fetch_sub(1, Ordering::Relaxed)),
        }
        self.seats[place].hang_up();
        let is_let_go = match ended {
            // Whoever did not read may have lost the close frame to a reset.
            Ended::Closed(code) => {
                self.may_end && *code == DRAINING || was_slow && [TOO_SLOW, 1006].contains(code)
            }
            Ended::Broken(_) => was_slow,
        };
        if is_let_go {
            self.seats[place].stage = Stage::Away;
            self.shared.progress.let_go.fetch_add(1, Ordering::Relaxed);
            self.tally.counts.let_go += 1;
            return;
        }
        let seat = &mut self.seats[place];
        seat.stage = Stage::Lost;
        let session = seat.session;
        self.shared.progress.lost.fetch_add(1, Ordering::Relaxed);
        self.tally.counts.disconnected += 1;
        self.tally.example(match ended {
            Ended::Closed(code) => format!("session {session} was closed with {code}"),
            Ended::Broken(why) => format!("session {session} was lost: {why}"),
        });
        self.give_up(place as u32);
    }
}
