//! The ids of paths: a UUID as 22 characters of URL-safe base64 without padding (protocol.md §3.6, §6.6).

use uuid::Uuid;

/// How long it is.
pub const CHARS: usize = 22;

/// The bits of one character.
const BITS: u32 = 6;

/// The bits of the last character that are beyond the UUID's 128; they are 0.
const SURPLUS_BITS: u32 = 4;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes an id as a part of a path.
#[must_use]
pub fn write(id: Uuid) -> String {
    let bits = id.as_u128();
    let place = |at: u32| {
        let shift = u128::BITS.checked_sub((at + 1) * BITS);
        let sextet = shift.map_or(bits << SURPLUS_BITS, |shift| bits >> shift) & 0x3F;
        char::from(ALPHABET[usize::try_from(sextet).unwrap_or_default()])
    };
    (0..).take(CHARS).map(place).collect()
}

/// Reads what [`write`] wrote; `None` for any other text.
#[must_use]
pub fn read(text: &str) -> Option<Uuid> {
    if text.len() != CHARS {
        return None;
    }
    let mut bits: u128 = 0;
    for (at, byte) in text.bytes().enumerate() {
        let sextet = ALPHABET.iter().position(|known| *known == byte)? as u128;
        bits = if at + 1 < CHARS {
            bits << BITS | sextet
        } else {
            let surplus = sextet & ((1 << SURPLUS_BITS) - 1);
            (surplus == 0).then_some(())?;
            bits << (BITS - SURPLUS_BITS) | sextet >> SURPLUS_BITS
        };
    }
    Some(Uuid::from_u128(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_and_nothing_else_is_one() {
        for id in [Uuid::nil(), Uuid::max(), Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)] {
            assert_eq!(read(&write(id)), Some(id));
        }
        assert_eq!(write(Uuid::max()), "_____________________w");
        for other in ["", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
