//! A point in time as params carry it. Not here: a clock.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use super::{Kind, Param};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time in microseconds since 1970, UTC. On the wire unix seconds, with a fraction if there is one; a text like
/// `2015-12-23 22:19:24.871181+00` is taken as well.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The point in time of a number of unix seconds; what is out of range stops at the end of the range.
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * MICROS_PER_SECOND as f64).round() as i64)
    }

    /// Unix seconds with their fraction; exact to the microsecond for some centuries.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / MICROS_PER_SECOND as f64
    }

    /// Reads `YYYY-MM-DD`, a blank or `T`, `HH:MM:SS`, perhaps a fraction, perhaps `Z` or an offset; or unix seconds as text.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite()) {
            return Some(Self::from_seconds(seconds));
        }
        let (date, time) = text.split_once([' ', 'T'])?;
        let mut date = date.split('-').map(number);
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let (time, offset_s) = match time.find(['Z', '+', '-']) {
            None => (time, 0),
            Some(at) => (&time[..at], offset(&time[at..])?),
        };
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let mut time = time.split(':').map(number);
        let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
        let valid = date.next().is_none()
            && time.next().is_none()
            && (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60
            && fraction.bytes().all(|digit| digit.is_ascii_digit());
        if !valid {
            return None;
        }
        let micros =
            number(fraction.get(..6).unwrap_or(fraction))? * 10_i64.pow(6 - fraction.len().min(6) as u32);
        let seconds =
            days(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset_s;
        Some(Self(seconds * MICROS_PER_SECOND + micros))
    }
}

/// Reads up to six decimal digits, so that no sum of them overflows.
fn number(digits: &str) -> Option<i64> {
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

/// Reads `Z`, `+HH`, `+HH:MM` or `+HHMM` (or with a minus), in seconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at(1) {
        ("Z", "") => return Some(0),
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The days from 1970-01-01 to a date of the Gregorian calendar. The year is made to begin in March, so that the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

impl Param for Timestamp {
    const KIND: Kind = Kind::TimestampTz;
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimestampVisitor;

        impl Visitor<'_> for TimestampVisitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("unix seconds or a time as text")
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Timestamp, E> {
                Ok(Timestamp(seconds.saturating_mul(MICROS_PER_SECOND)))
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Timestamp, E> {
                self.visit_i64(i64::try_from(seconds).unwrap_or(i64::MAX))
            }

            fn visit_f64<E: Error>(self, seconds: f64) -> Result<Timestamp, E> {
                Ok(Timestamp::from_seconds(seconds))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(TimestampVisitor)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_the_original_service_and_of_rfc_3339_are_read() {
        let at = Some(Timestamp(1_450_909_164_871_181));
        assert_eq!(Timestamp::parse("2015-12-23 22:19:24.871181+00"), at);
        assert_eq!(Timestamp::parse("2015-12-23T22:19:24.871181Z"), at);
        assert_eq!(Timestamp::parse("2015-12-24 00:49:24.8711813+02:30"), at);
        assert_eq!(Timestamp::parse("1970-01-01 00:00:00"), Some(Timestamp(0)));
        assert_eq!(Timestamp::parse("2000-02-29 00:00:00.5-0100"), Some(Timestamp(951_786_000_500_000)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[0-9]{0,5}-?[0-9]{0,3}-?[0-9]{0,3}[ T]?[0-9:.é]{0,16}[Z+-]?[0-9:é]{0,6}|.{0,30}") {
            let _ = Timestamp::parse(&text);
        }
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "",
            "now",
            "2015-12-23",
            "2015-13-23 00:00:00",
            "2015-12-23 25:00:00",
            "2015-12-23 00:00:00+é0",
            "2015-12-23 00:00:00.1234567x",
            "é T é",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
