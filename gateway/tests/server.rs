//! The server as a process: what it promises about crashes, abuse, memory, sessions, order and repeats.
//!
//! Each test starts the real binary and talks to it over real connections. Not here: what single events do, which are the
//! scenarios' part.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that fails here says so, and prints its figures"
)]

#[path = "server/alarm.rs"]
mod alarm;
#[path = "server/aliases.rs"]
mod aliases;
#[path = "server/avatars.rs"]
mod avatars;
#[path = "server/backup.rs"]
mod backup;
#[path = "server/boards.rs"]
mod boards;
#[path = "server/crash.rs"]
mod crash;
#[path = "wire/elsewhere.rs"]
mod elsewhere;
#[path = "server/employment.rs"]
mod employment;
#[path = "server/ends.rs"]
mod ends;
#[path = "server/fetch.rs"]
mod fetch;
#[path = "server/files.rs"]
mod files;
#[path = "wire/letter.rs"]
mod letter;
#[path = "server/mail.rs"]
mod mail;
#[path = "server/malformed.rs"]
mod malformed;
#[path = "server/older.rs"]
mod older;
#[path = "server/once.rs"]
mod once;
#[path = "server/order.rs"]
mod order;
#[path = "server/passivation.rs"]
mod passivation;
#[path = "server/poll.rs"]
mod poll;
#[path = "server/postgres.rs"]
mod postgres;
#[path = "server/rng.rs"]
mod rng;
#[path = "server/sessions.rs"]
mod sessions;
#[path = "server/slow.rs"]
mod slow;
#[path = "server/watched.rs"]
mod watched;
#[path = "server/world.rs"]
mod world;
