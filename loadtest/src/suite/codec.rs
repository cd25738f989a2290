//! What reading a message's event costs, in this process and by the same code as the server's.
//!
//! Not here: the benches of the same, which show how sure the figure is.

use super::Suite;
use crate::failure::Failure;
use crate::report::Bar;
use rill_proto::envelope::ClientFrame;
use rill_proto::event::ClientEvent;
use serde_json::value::RawValue;
use std::hint::black_box;
use std::time::Instant;

/// The bars: a microsecond, and nothing allocated but the text.
const READ_US: f64 = 1.0;
const ALLOCATIONS: f64 = 1.0;

/// Readings in one timing, and timings, of which the median counts.
const READINGS: u32 = 10_000;
const TIMINGS: usize = 51;

const URN: &str = "urn:fleep:client:message:add_plain";
const PARAMS: &str = r#"{"conversation_id":"0f5a8f3e-6d1b-4c55-9d4e-5b8d9f6c1a27","message":"Soup at half past twelve, at the usual place?"}"#;
const REQUEST_ID: &str = "b07e2d0c-3f46-4b47-8f0e-5d7a1f1f9a10";

pub(super) fn measure(suite: &mut Suite) -> Result<(), Failure> {
    let frame = format!(
        r#"{{"stream":[{{"client_req_id":"{REQUEST_ID}","mk_event_type":"{URN}","params":{PARAMS}}}]}}"#
    );
    let params: &RawValue =
        serde_json::from_str(PARAMS).map_err(|error| Failure::Broken(error.to_string()))?;
    let event = || ClientEvent::decode(black_box(URN), black_box(params));
    event().map_err(|refusal| Failure::Broken(format!("an event cannot be read: {refusal:?}")))?;
    let (event_us, event_count) = (time_us(|| drop(black_box(event()))), allocations(|| drop(event())));
    let whole = || ClientFrame::parse(black_box(&frame));
    let (frame_us, frame_count) = (time_us(|| drop(black_box(whole()))), allocations(|| drop(whole())));
    let note = format!(
        "{} bytes of params; as part of its whole frame, with the request id and the list, {frame_us:.2} µs and {frame_count} allocations",
        PARAMS.len()
    );
    let name = "decode and validate an add_plain event";
    suite.tell(name, Some(event_us), "µs", Some(Bar::AtMost(READ_US)), note);
    let name = "allocations of it, the message's text among them";
    suite.tell(name, Some(event_count as f64), "allocations", Some(Bar::AtMost(ALLOCATIONS)), String::new());
    Ok(())
}

/// The median of what one call takes.
fn time_us(call: impl Fn()) -> f64 {
    let time = || {
        let begun = Instant::now();
        (0..READINGS).for_each(|_| call());
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(READINGS)
    };
    super::median((0..TIMINGS).map(|_| time())).unwrap_or(f64::NAN)
}

/// How often one call asks for memory.
fn allocations(call: impl FnOnce()) -> u64 {
    allocation_counter::measure(call).count_total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_counted() {
        assert_eq!(allocations(|| ()), 0);
        assert_eq!(allocations(|| drop(black_box(vec![1_u8, 2]))), 1);
    }
}
