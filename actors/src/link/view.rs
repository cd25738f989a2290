//! A set of nodes that all of them have agreed on, and who of them owns what.
//!
//! Pure. Not here: how they come to agree (`membership`).

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::store::{Aggregate, Epoch};

/// Everybody draws with it. Another one would be as good, but has to be everybody's.
const DRAW_SEED: u64 = 0x72_69_6c_6c;

/// The nodes that agreed, by the epochs that the store gave to their openings, and the round in which they did.
///
/// Of two views of the same round that are installed anywhere, both have the same nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// It rises with every view. Whatever one node sends to another belongs to one round and is lost with it.
    pub round: u64,
    /// Whoever belongs to it, the asking node included. Never empty.
    pub nodes: BTreeSet<Epoch>,
}

impl View {
    /// Who owns an aggregate under this view: the node with the highest draw (rendezvous hashing), so that a node that
    /// comes or goes moves only what becomes, or was, its own. Everybody who has the view finds the same one.
    #[must_use]
    pub fn owner(&self, aggregate: Aggregate) -> Epoch {
        let drawn = self.nodes.iter().max_by_key(|epoch| (draw(**epoch, aggregate), **epoch));
        drawn.copied().unwrap_or_default()
    }
}

/// The same on every machine and in every version: nodes must not disagree on it.
fn draw(node: Epoch, aggregate: Aggregate) -> u64 {
    let (kind, id) = match aggregate {
        Aggregate::Conversation(id) => (b'c', id.0),
        Aggregate::Account(id) => (b'a', id.0),
        Aggregate::Team(id) => (b't', id.0),
        Aggregate::Organisation(id) => (b'o', id.0),
    };
    let mut ticket = [0; 25];
    ticket[..8].copy_from_slice(&node.to_be_bytes());
    ticket[8] = kind;
    ticket[9..].copy_from_slice(id.as_bytes());
    xxh3_64_with_seed(&ticket, DRAW_SEED)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rill_proto::id::{AccountId, ConversationId};
    use uuid::Uuid;

    use super::*;

    fn view(nodes: &[Epoch]) -> View {
        View { round: 1, nodes: nodes.iter().copied().collect() }
    }

    fn chat(number: u128) -> Aggregate {
        Aggregate::Conversation(ConversationId(Uuid::from_u128(number)))
    }

    #[test]
    fn each_node_owns_its_share_and_a_leaving_one_moves_only_its_own() {
        let (all, without) = (view(&[1, 2, 3]), view(&[1, 2]));
        let mut counts = BTreeMap::<Epoch, usize>::new();
        for number in 0..3_000 {
            let owner = all.owner(chat(number));
            *counts.entry(owner).or_default() += 1;
            if owner != 3 {
                assert_eq!(without.owner(chat(number)), owner);
            }
        }
        assert!(counts.values().all(|count| (900..1_100).contains(count)), "a third each: {counts:?}");
    }

    #[test]
    fn the_draw_is_the_same_in_every_version() {
        let owners = (0..12).map(|number| view(&[1, 2, 3]).owner(chat(number)));
        assert_eq!(owners.collect::<Vec<_>>(), [2, 1, 2, 3, 1, 3, 3, 2, 1, 3, 3, 2]);
        let accounts = (0..6).map(|number| Aggregate::Account(AccountId(Uuid::from_u128(number))));
        let owners = accounts.map(|account| view(&[1, 2, 3]).owner(account));
        assert_eq!(owners.collect::<Vec<_>>(), [2, 3, 1, 3, 3, 2]);
    }
}
