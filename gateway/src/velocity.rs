//! How often one address of the network may ask for what is mailed, and guess at what was (accounts.md §3).
//!
//! Kept in memory: whoever restarts the server forgives. Not here: how often one account is written to (its own rules).

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use rill_proto::refusal::Refusal;

use crate::refuse::Refused;

/// The window of all limits.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// How many callers are remembered: more than can be honest within an hour, and a few megabytes.
const CALLERS_MAX: usize = 100_000;

/// Of an IPv6 address, what one subscriber has for himself: the first 64 bits.
const SUBSCRIBER_MASK: u128 = !0 << 64;

/// What is limited.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    /// Confirmation mails.
    Codes,
    /// Password resets, wrong ones among them.
    Resets,
    /// Codes and links that are tried.
    Tries,
}

impl Kind {
    /// How often within the window.
    fn max(self) -> usize {
        match self {
            Self::Codes => 10,
            Self::Resets => 5,
            // Somebody who mistypes a code five times, for himself and a few behind the same address.
            Self::Tries => 30,
        }
    }

    fn refusal(self) -> Refusal {
        let text = match self {
            Self::Codes => "Too many confirmation mails per hour!",
            Self::Resets => "Too many password reset attempts per hour!",
            Self::Tries => "Too many attempts per hour!",
        };
        Refusal::no_permission(text)
    }
}

/// Who asked for what, within the last hour.
#[derive(Default)]
pub(crate) struct Velocity(Mutex<HashMap<(Kind, IpAddr), VecDeque<Instant>>>);

impl Velocity {
    /// Counts one more, unless there were too many.
    pub(crate) fn count(&self, kind: Kind, caller: IpAddr) -> Result<(), Refused> {
        self.count_at(kind, caller, Instant::now()).map_err(Refused::from)
    }

    fn count_at(&self, kind: Kind, caller: IpAddr, now: Instant) -> Result<(), Refusal> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Instant| now.duration_since(*at) < WINDOW;
        if known.len() >= CALLERS_MAX {
            known.retain(|_, times| times.back().is_some_and(is_recent));
        }
        if known.len() >= CALLERS_MAX {
            // Whoever has so many addresses is not to lock everybody else out: the oldest state goes.
            known.clear();
        }
        let times = known.entry((kind, subscriber(caller))).or_default();
        while times.front().is_some_and(|at| !is_recent(at)) {
            times.pop_front();
        }
        if times.len() >= kind.max() {
            return Err(kind.refusal());
        }
        times.push_back(now);
        Ok(())
    }
}

fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & SUBSCRIBER_MASK).into()),
        address @ IpAddr::V4(_) => address,
    }
}

/// The network address of whoever calls: the connection's, or the last one in the header that a proxy in front sets.
pub(crate) fn caller(request: &HttpRequest, header: &str) -> IpAddr {
    let named = request.headers().get_all(header).last().and_then(|value| value.to_str().ok());
    let named = named.and_then(|value| value.rsplit(',').next()).and_then(|last| last.trim().parse().ok());
    let peer = request.peer_addr().map(|peer| peer.ip());
    named.filter(|_| !header.is_empty()).or(peer).unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_resets_an_hour_and_the_sixth_later() {
        let (velocity, now) = (Velocity::default(), Instant::now());
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        for _ in 0..5 {
            velocity.count_at(Kind::Resets, one, now).unwrap();
        }
        let refused = velocity.count_at(Kind::Resets, one, now).unwrap_err();
        assert_eq!(refused.error_message, "Too many password reset attempts per hour!");
        velocity.count_at(Kind::Codes, one, now).unwrap();
        velocity.count_at(Kind::Resets, "192.0.2.2".parse().unwrap(), now).unwrap();
        velocity.count_at(Kind::Resets, one, now + WINDOW).unwrap();
    }

    #[test]
    fn a_subscriber_is_one_caller_with_all_of_his_addresses() {
        let of = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn a_proxys_header_counts_only_where_the_operator_named_it() {
        let request = actix_web::test::TestRequest::default()
            .peer_addr("192.0.2.9:1".parse().unwrap())
            .insert_header(("X-Forwarded-For", "198.51.100.1, 198.51.100.2"))
            .to_http_request();
        assert_eq!(caller(&request, "").to_string(), "192.0.2.9");
        assert_eq!(caller(&request, "X-Forwarded-For").to_string(), "198.51.100.2");
        assert_eq!(caller(&request, "X-Real-IP").to_string(), "192.0.2.9");
    }
}
