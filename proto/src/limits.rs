//! The bounds and times that the wire states. Not here: what a setting can change, and the limits of single params
//! (they stand in the table of events).

/// The largest frame or request body, in bytes. The largest message body is 307,200 characters; a mebibyte leaves room for
/// characters of three bytes and for escapes in most texts.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// The most events of one frame. Clients send a handful; without a bound a frame of a million bytes could hold 500,000
/// empty events, each of which wants an answer many times its size.
pub const EVENTS_PER_FRAME_MAX: usize = 100;

/// The range of the `limit` params; what lies outside is moved to its nearer end.
pub const BATCH_RANGE: std::ops::RangeInclusive<i64> = 1..=100;

/// How much of a client's own bad value a refusal or a request record repeats, in characters: enough to recognise a URN or
/// an id, too little for a large value to come back many times.
pub const ECHO_CHARS_MAX: usize = 200;

/// How long a new connection may take to send its hello.
pub const HELLO_WAIT_MS: u64 = 10_000;

/// How long a long poll may stay open before it is answered with nothing.
pub const POLL_WAIT_MS: u64 = 75_000;

/// How long a `client_req_id` is remembered.
pub const REQUEST_MEMORY_MS: u64 = 24 * 60 * 60 * 1000;

/// How long a writing pen shows after the last `conv:set_writing`.
pub const PEN_MS: u64 = 30_000;

/// How long an edit lock holds after the last `message:set_editing`.
pub const EDIT_LOCK_MS: u64 = 30_000;

/// How long a session receives a conversation's activity after `conv:activate`.
pub const ACTIVATION_MS: u64 = 10 * 60 * 1000;
