//! Several nodes with faults by turns, many times over. What is checked is in `world`.
//!
//! `RILL_SEEDS` runs more of them, `RILL_SEED` a single one again.

use super::world::World;

/// How many seeds are run unless more are asked for: some seconds on a slow machine.
const SEEDS: u64 = 12;

/// How long each goes on: a minute of ten milliseconds each.
const STEPS: u64 = 6_000;

/// How long it may take until a network that is whole again has one view: everybody who is silent is put out by then, twice.
const HEALING_STEPS: u64 = 1_500;

const NODES_MAX: usize = 4;

/// What may happen.
#[derive(Clone, Copy)]
struct Chances {
    /// One fault in so many steps; 0: none.
    fault: u64,
    /// Single messages may be lost, which Redis does not do while it is connected.
    single_losses: bool,
}

fn some_fault(world: &mut World, chances: Chances) {
    let count = world.nodes.len() as u64;
    let place = usize::try_from(world.rng.below(count)).unwrap();
    let step = world.step;
    match world.rng.below(12) {
        0 | 1 if world.nodes.len() < NODES_MAX => world.join(),
        2 if count > 1 => world.kill(place),
        3 if count > 1 => world.leave(place),
        4 => world.nodes[place].paused_until = step + 10 + world.rng.below(100),
        5 | 6 => world.nodes[place].paused_until = step + 100 + world.rng.below(500),
        7 => world.nodes[place].cut_until = step + 1 + world.rng.below(400),
        8 => world.restart_redis(),
        9 => {
            let steps = 50 + world.rng.below(400);
            world.take_store_away(steps);
        }
        10 => world.flood(place),
        _ if chances.single_losses => world.lose(place),
        _ => world.renew(place),
    }
}

fn play(seed: u64, chances: Chances) -> World {
    let mut world = World::new(seed);
    (0..1 + world.rng.below(3)).for_each(|_| world.join());
    for _ in 0..STEPS {
        if chances.fault > 0 && world.rng.one_in(chances.fault) {
            some_fault(&mut world, chances);
        }
        if world.rng.one_in(3) {
            let place = usize::try_from(world.rng.below(world.nodes.len() as u64)).unwrap();
            world.change(place);
        }
        world.nodes.retain(|node| !node.is_over || node.epoch % 2 == 0);
        if world.nodes.iter().all(|node| node.is_over) {
            world.join();
        }
        world.advance();
    }
    for node in &mut world.nodes {
        (node.paused_until, node.cut_until) = (0, 0);
    }
    world.take_store_away(0);
    (0..HEALING_STEPS).for_each(|_| world.advance());
    if world.nodes.iter().all(|node| node.is_over) {
        world.join();
        (0..HEALING_STEPS).for_each(|_| world.advance());
    }
    world
}

fn play_all(chances: Chances) {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("RILL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("RILL_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let world = std::panic::catch_unwind(|| play(seed, chances));
        let world = world.unwrap_or_else(|_| panic!("RILL_SEED={seed}"));
        assert_eq!(world.complaint(), None, "RILL_SEED={seed}, {:?}", world.counts);
        assert!(world.counts.views > 0 && world.counts.changes > 100, "{:?}", world.counts);
    }
}

#[test]
fn without_faults_there_is_one_view_and_nobody_is_put_out() {
    for seed in 1..10 {
        let world = play(seed, Chances { fault: 0, single_losses: false });
        assert_eq!(world.complaint(), None, "{seed}");
        assert_eq!((world.counts.gaps, world.counts.fences), (0, 0), "{seed}: {:?}", world.counts);
        assert!(world.counts.views < 20, "{seed}: {:?}", world.counts);
    }
}

#[test]
fn nobody_misses_anything_whatever_nodes_redis_and_the_store_do() {
    play_all(Chances { fault: 150, single_losses: false });
}

#[test]
fn nobody_misses_anything_when_single_messages_are_lost_as_well() {
    play_all(Chances { fault: 60, single_losses: true });
}
