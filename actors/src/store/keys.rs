//! How the stores' keys look as bytes, both ways.
//!
//! Owned here: the bytes of every key, and of the few values that the embedded store itself writes. These layouts are
//! frozen: a change is a migration of either store. Deliberately not here: what rows contain.
//!
//! An aggregate's id leads all of its keys (16 bytes of id, one of kind), numbers are big-endian, so that the engine's
//! byte order is the order that [`RowKey`] promises.

use bytes::Bytes;
use rill_proto::id::{AccountId, ConversationId, LabelId, MessageId, OrganisationId, TeamId};
use uuid::Uuid;

use crate::store::{Aggregate, EffectId, OutboxEntry, RowKey, Stamp, StoreFault, UniqueKey};

/// Bytes of an aggregate's prefix: its id and its kind.
pub(super) const AGGREGATE_BYTES: usize = 17;

/// Bytes of an outbox key: source, version, index.
const EFFECT_BYTES: usize = AGGREGATE_BYTES + 8 + 2;

/// Bytes of a remembered request: its stamp, and the key of its holder (a kind, two ids).
const REQUEST_TIME_BYTES: usize = 8 + 1 + 16 + 16;

/// The longest e-mail or Fleep address that can be claimed; an engine takes 2,700 and more, an address has 254 at most.
pub(super) const UNIQUE_KEY_BYTES_MAX: usize = 1024;

/// Kind byte of the row that holds an aggregate's version; it sorts before all rows of the owner.
const VERSION: u8 = 0;

/// The first bytes of all keys of an aggregate.
pub(super) fn aggregate(aggregate: Aggregate) -> [u8; AGGREGATE_BYTES] {
    let (id, kind) = owner(aggregate);
    let mut key = [0; AGGREGATE_BYTES];
    key[..16].copy_from_slice(id.as_bytes());
    key[16] = kind;
    key
}

/// An aggregate's id and the number of its kind.
pub(super) fn owner(aggregate: Aggregate) -> (Uuid, u8) {
    match aggregate {
        Aggregate::Conversation(ConversationId(id)) => (id, 1),
        Aggregate::Account(AccountId(id)) => (id, 2),
        Aggregate::Organisation(OrganisationId(id)) => (id, 3),
        Aggregate::Team(TeamId(id)) => (id, 4),
    }
}

/// The aggregate of an id and a kind.
pub(super) fn owned(id: Uuid, kind: u8) -> Option<Aggregate> {
    match kind {
        1 => Some(Aggregate::Conversation(ConversationId(id))),
        2 => Some(Aggregate::Account(AccountId(id))),
        3 => Some(Aggregate::Organisation(OrganisationId(id))),
        4 => Some(Aggregate::Team(TeamId(id))),
        _ => None,
    }
}

fn parse_aggregate(bytes: &[u8]) -> Option<(Aggregate, &[u8])> {
    let (id, rest) = split_uuid(bytes)?;
    let (kind, rest) = rest.split_first()?;
    Some((owned(id, *kind)?, rest))
}

/// Reads the aggregate that the key of a version or of a row begins with.
pub(super) fn parse_owner(key: &[u8]) -> Result<Aggregate, StoreFault> {
    parse_aggregate(key).map(|(aggregate, _)| aggregate).ok_or_else(|| unreadable("owner", key))
}

fn split_uuid(bytes: &[u8]) -> Option<(Uuid, &[u8])> {
    let (id, rest) = bytes.split_first_chunk::<16>()?;
    Some((Uuid::from_bytes(*id), rest))
}

fn split_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}

/// The key of the row that holds an aggregate's version.
pub(super) fn version(owner: Aggregate) -> Vec<u8> {
    let mut key = aggregate(owner).to_vec();
    key.push(VERSION);
    key
}

/// Whether a key of the rows' keyspace is a version's.
pub(super) fn is_version(key: &[u8]) -> bool {
    key.len() == AGGREGATE_BYTES + 1 && key.last() == Some(&VERSION)
}

/// A version or a stamp as a value.
pub(super) fn number(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

/// Reads a value written by [`number`].
pub(super) fn parse_number(value: &[u8]) -> Result<u64, StoreFault> {
    match split_u64(value) {
        Some((number, [])) => Ok(number),
        _ => Err(unreadable("number", value)),
    }
}

/// The key of a row.
pub(super) fn row(owner: Aggregate, row: RowKey) -> Vec<u8> {
    let mut key = Vec::with_capacity(AGGREGATE_BYTES + 17);
    key.extend_from_slice(&aggregate(owner));
    put_within(&mut key, row);
    key
}

/// The key of a row among the rows of its aggregate.
pub(super) fn within(row: RowKey) -> Vec<u8> {
    let mut key = Vec::with_capacity(17);
    put_within(&mut key, row);
    key
}

fn put_within(key: &mut Vec<u8>, row: RowKey) {
    let mut put = |kind: u8, rest: &[u8]| {
        key.push(kind);
        key.extend_from_slice(rest);
    };
    match row {
        RowKey::Head => put(1, &[]),
        RowKey::Member(AccountId(id)) => put(2, id.as_bytes()),
        RowKey::Run(number) => put(3, &number.to_be_bytes()),
        RowKey::Section(id) => put(4, id.as_bytes()),
        RowKey::Slot(number) => put(5, &number.to_be_bytes()),
        RowKey::Token(id) => put(6, id.as_bytes()),
        RowKey::Contact(AccountId(id)) => put(7, id.as_bytes()),
        RowKey::Membership(ConversationId(id)) => put(8, id.as_bytes()),
        RowKey::Task(MessageId(id)) => put(9, id.as_bytes()),
        RowKey::Text(MessageId(id)) => put(10, id.as_bytes()),
        RowKey::Watcher(AccountId(id)) => put(11, id.as_bytes()),
        RowKey::Notice(id) => put(12, id.as_bytes()),
        RowKey::Place(number) => put(15, &number.to_be_bytes()),
        RowKey::Filed(number) => put(20, &number.to_be_bytes()),
        RowKey::Upload(id) => put(21, id.as_bytes()),
        RowKey::Stored(ConversationId(id)) => put(22, id.as_bytes()),
        RowKey::Label(LabelId(id)) => put(30, id.as_bytes()),
        RowKey::Employment(OrganisationId(id)) => put(31, id.as_bytes()),
        RowKey::Team(TeamId(id)) => put(32, id.as_bytes()),
    }
}

/// Reads the key of a row behind its aggregate's prefix.
pub(super) fn parse_row(key: &[u8]) -> Result<RowKey, StoreFault> {
    parse_within(key.get(AGGREGATE_BYTES..).ok_or_else(|| unreadable("row key", key))?)
}

/// Reads a key written by [`within`].
pub(super) fn parse_within(key: &[u8]) -> Result<RowKey, StoreFault> {
    let parse = || {
        let (kind, rest) = key.split_first()?;
        let (row, rest) = match kind {
            1 => (RowKey::Head, rest),
            2 => split_uuid(rest).map(|(id, rest)| (RowKey::Member(AccountId(id)), rest))?,
            3 => split_u64(rest).map(|(number, rest)| (RowKey::Run(number), rest))?,
            4 => split_uuid(rest).map(|(id, rest)| (RowKey::Section(id), rest))?,
            5 => split_u64(rest).map(|(number, rest)| (RowKey::Slot(number), rest))?,
            6 => split_uuid(rest).map(|(id, rest)| (RowKey::Token(id), rest))?,
            7 => split_uuid(rest).map(|(id, rest)| (RowKey::Contact(AccountId(id)), rest))?,
            8 => split_uuid(rest).map(|(id, rest)| (RowKey::Membership(ConversationId(id)), rest))?,
            9 => split_uuid(rest).map(|(id, rest)| (RowKey::Task(MessageId(id)), rest))?,
            10 => split_uuid(rest).map(|(id, rest)| (RowKey::Text(MessageId(id)), rest))?,
            11 => split_uuid(rest).map(|(id, rest)| (RowKey::Watcher(AccountId(id)), rest))?,
            12 => split_uuid(rest).map(|(id, rest)| (RowKey::Notice(id), rest))?,
            15 => split_u64(rest).map(|(number, rest)| (RowKey::Place(number), rest))?,
            20 => split_u64(rest).map(|(number, rest)| (RowKey::Filed(number), rest))?,
            21 => split_uuid(rest).map(|(id, rest)| (RowKey::Upload(id), rest))?,
            22 => split_uuid(rest).map(|(id, rest)| (RowKey::Stored(ConversationId(id)), rest))?,
            30 => split_uuid(rest).map(|(id, rest)| (RowKey::Label(LabelId(id)), rest))?,
            31 => split_uuid(rest).map(|(id, rest)| (RowKey::Employment(OrganisationId(id)), rest))?,
            32 => split_uuid(rest).map(|(id, rest)| (RowKey::Team(TeamId(id)), rest))?,
            _ => return None,
        };
        rest.is_empty().then_some(row)
    };
    parse().ok_or_else(|| unreadable("row key", key))
}

/// The number of a slot, from its row's key.
pub(super) fn parse_slot(key: &[u8]) -> Result<u64, StoreFault> {
    let RowKey::Slot(number) = parse_row(key)? else {
        return Err(unreadable("slot key", key));
    };
    Ok(number)
}

/// The key under which a unique key's holder stands.
pub(super) fn unique(key: &UniqueKey) -> Result<Vec<u8>, StoreFault> {
    let bytes = match key {
        UniqueKey::Request(AccountId(account), request) => {
            [&[1][..], account.as_bytes(), request.as_bytes()].concat()
        }
        UniqueKey::Email(address) => [&[2][..], address.as_bytes()].concat(),
        UniqueKey::Address(address) => [&[3][..], address.as_bytes()].concat(),
        UniqueKey::Token(id) => [&[4][..], id.as_bytes()].concat(),
        UniqueKey::Device(id) => [&[5][..], id.as_bytes()].concat(),
    };
    if bytes.len() > UNIQUE_KEY_BYTES_MAX {
        return Err(StoreFault(format!(
            "a unique key has {} bytes, at most {UNIQUE_KEY_BYTES_MAX} fit",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// What stands under a unique key: when it was claimed, and the holder's value.
pub(super) fn holder(stamp: Stamp, value: &[u8]) -> Bytes {
    [&stamp.to_be_bytes()[..], value].concat().into()
}

/// Reads a value written by [`holder`].
pub(super) fn parse_holder(value: &[u8]) -> Result<(Stamp, Bytes), StoreFault> {
    let (stamp, value) = split_u64(value).ok_or_else(|| unreadable("holder", value))?;
    Ok((stamp, Bytes::copy_from_slice(value)))
}

/// A row of the time-ordered index over remembered requests: when some of them were claimed, and the keys of their holders. The first one is
/// the key, so that a row of one request has no value.
pub(super) fn request_times<'a>(
    first: &(Stamp, Vec<u8>),
    others: impl Iterator<Item = &'a (Stamp, Vec<u8>)>,
) -> (Vec<u8>, Bytes) {
    let key = [&first.0.to_be_bytes()[..], &first.1].concat();
    let mut value = Vec::new();
    for (stamp, unique) in others {
        value.extend_from_slice(&stamp.to_be_bytes());
        value.extend_from_slice(unique);
    }
    (key, value.into())
}

/// Reads a row written by [`request_times`].
pub(super) fn parse_request_times<'a>(
    key: &'a [u8],
    value: &'a [u8],
) -> Result<Vec<(Stamp, &'a [u8])>, StoreFault> {
    let (others, []) = value.as_chunks::<REQUEST_TIME_BYTES>() else {
        return Err(unreadable("request times", value));
    };
    let all = std::iter::once(key).chain(others.iter().map(|other| &other[..]));
    all.map(|one| split_u64(one).ok_or_else(|| unreadable("request time", one))).collect()
}

/// The key of an outbox entry.
pub(super) fn effect(id: EffectId) -> Vec<u8> {
    let mut key = Vec::with_capacity(EFFECT_BYTES);
    key.extend_from_slice(&aggregate(id.source));
    key.extend_from_slice(&id.version.to_be_bytes());
    key.extend_from_slice(&id.index.to_be_bytes());
    key
}

/// An outbox entry's value: its target and what it says.
pub(super) fn consequence(target: Aggregate, payload: &[u8]) -> Bytes {
    [&aggregate(target)[..], payload].concat().into()
}

/// Reads an outbox entry.
pub(super) fn parse_outbox(key: &[u8], value: &[u8]) -> Result<OutboxEntry, StoreFault> {
    let parse = || {
        let (source, rest) = parse_aggregate(key)?;
        let (version, rest) = split_u64(rest)?;
        let index = u16::from_be_bytes(rest.try_into().ok()?);
        let (target, payload) = parse_aggregate(value)?;
        let payload = Bytes::copy_from_slice(payload);
        Some(OutboxEntry { id: EffectId { source, version, index }, target, payload })
    };
    parse().ok_or_else(|| unreadable("outbox entry", key))
}

/// What the store says of bytes that it did not write. Only the length is told: content never enters a log.
pub(super) fn unreadable(what: &str, bytes: &[u8]) -> StoreFault {
    StoreFault(format!("an unreadable {what} of {} bytes", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    const CHAT: Aggregate = Aggregate::Conversation(ConversationId(ID));

    fn every_row() -> Vec<RowKey> {
        vec![
            RowKey::Head,
            RowKey::Member(AccountId(ID)),
            RowKey::Run(7),
            RowKey::Run(256),
            RowKey::Section(ID),
            RowKey::Slot(1),
            RowKey::Slot(u64::MAX),
            RowKey::Token(ID),
            RowKey::Contact(AccountId(ID)),
            RowKey::Membership(ConversationId(ID)),
            RowKey::Task(MessageId(ID)),
            RowKey::Text(MessageId(ID)),
            RowKey::Watcher(AccountId(ID)),
            RowKey::Notice(ID),
            RowKey::Place(7),
            RowKey::Filed(7),
            RowKey::Upload(ID),
            RowKey::Stored(ConversationId(ID)),
            RowKey::Employment(OrganisationId(ID)),
            RowKey::Team(TeamId(ID)),
        ]
    }

    #[test]
    fn a_row_key_comes_back_as_it_was() {
        for key in every_row() {
            assert_eq!(parse_row(&row(CHAT, key)).unwrap(), key);
        }
    }

    #[test]
    fn bytes_are_ordered_as_the_keys_are_and_the_version_comes_first() {
        let mut bytes = vec![version(CHAT)];
        bytes.extend(every_row().into_iter().map(|key| row(CHAT, key)));
        assert!(bytes.is_sorted());
        assert!(every_row().is_sorted());
        assert!(is_version(&version(CHAT)));
        assert!(!is_version(&row(CHAT, RowKey::Head)));
    }

    #[test]
    fn the_layout_on_disk_is_frozen() {
        let id: Vec<u8> = (1..=16).collect();
        let account = Aggregate::Account(AccountId(ID));
        assert_eq!(version(account), [&id[..], &[2, 0]].concat());
        assert_eq!(row(CHAT, RowKey::Slot(258)), [&id[..], &[1, 5, 0, 0, 0, 0, 0, 0, 1, 2]].concat());
        assert_eq!(row(CHAT, RowKey::Membership(ConversationId(ID))), [&id[..], &[1, 8], &id].concat());
        assert_eq!(row(account, RowKey::Task(MessageId(ID))), [&id[..], &[2, 9], &id].concat());
        assert_eq!(row(account, RowKey::Text(MessageId(ID))), [&id[..], &[2, 10], &id].concat());
        assert_eq!(row(CHAT, RowKey::Filed(258)), [&id[..], &[1, 20, 0, 0, 0, 0, 0, 0, 1, 2]].concat());
        assert_eq!(row(account, RowKey::Upload(ID)), [&id[..], &[2, 21], &id].concat());
        assert_eq!(row(account, RowKey::Stored(ConversationId(ID))), [&id[..], &[2, 22], &id].concat());
        assert_eq!(row(account, RowKey::Employment(OrganisationId(ID))), [&id[..], &[2, 31], &id].concat());
        assert_eq!(row(account, RowKey::Team(TeamId(ID))), [&id[..], &[2, 32], &id].concat());
        assert_eq!(version(Aggregate::Organisation(OrganisationId(ID))), [&id[..], &[3, 0]].concat());
        assert_eq!(version(Aggregate::Team(TeamId(ID))), [&id[..], &[4, 0]].concat());
        assert_eq!(unique(&UniqueKey::Email("a@b".into())).unwrap(), b"\x02a@b");
        assert_eq!(unique(&UniqueKey::Address("a".into())).unwrap(), b"\x03a");
        assert_eq!(unique(&UniqueKey::Token(ID)).unwrap(), [&[4][..], &id].concat());
        let request = unique(&UniqueKey::Request(AccountId(ID), ID)).unwrap();
        assert_eq!(request, [&[1][..], &id, &id].concat());
        let effect = effect(EffectId { source: CHAT, version: 1, index: 2 });
        assert_eq!(effect, [&id[..], &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2]].concat());
    }

    #[test]
    fn mangled_bytes_are_a_fault_and_no_panic() {
        for len in 0..AGGREGATE_BYTES + 20 {
            let bytes = vec![u8::MAX; len];
            assert!(parse_row(&bytes).is_err());
            assert!(parse_outbox(&bytes, &bytes).is_err());
        }
        assert!(parse_number(b"1234567").is_err());
        assert!(parse_holder(b"1234567").is_err());
        assert!(parse_request_times(b"1234567", b"").is_err());
        assert!(parse_request_times(b"12345678", b"9").is_err());
    }

    #[test]
    fn a_row_of_request_times_comes_back_and_one_request_has_the_key_alone() {
        let request = |n| unique(&UniqueKey::Request(AccountId(ID), Uuid::from_u128(n))).unwrap();
        let claims = [(9, request(1)), (7, request(2)), (8, request(3))];
        let (key, value) = request_times(&claims[0], claims[1..].iter());
        let read = parse_request_times(&key, &value).unwrap();
        assert_eq!(read, claims.each_ref().map(|(stamp, unique)| (*stamp, &unique[..])));
        let (key, value) = request_times(&claims[0], [].iter());
        assert_eq!(
            (&key[..8], &key[8..], &value[..]),
            (&[0, 0, 0, 0, 0, 0, 0, 9][..], &claims[0].1[..], &b""[..])
        );
    }

    #[test]
    fn an_endless_address_is_a_fault() {
        assert!(unique(&UniqueKey::Email("a".repeat(UNIQUE_KEY_BYTES_MAX))).is_err());
    }
}
