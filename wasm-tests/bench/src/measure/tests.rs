//! The arithmetic of the figures.

use super::{Rounds, Spread, ratio};
use crate::scene::Scene;
use crate::variants::BASE;

#[test]
fn a_ratio_is_taken_round_by_round() {
    let rounds: Rounds = [(BASE, [10.0, 20.0, 10.0]), ("ours", [14.0, 28.0, 16.0]), ("theirs", [12.0, 22.0, 12.0])]
        .into_iter()
        .map(|(name, rounds)| ((Scene::Plain, name.to_owned()), rounds.to_vec()))
        .collect();
    assert_eq!(ratio(&rounds, Scene::Plain, "ours", "theirs"), Some(Spread { low: 2.0, middle: 3.0, high: 4.0 }));
    assert_eq!(ratio(&rounds, Scene::Inbound, "ours", "theirs"), None);
}

#[test]
fn a_spread_of_nothing_is_zero() {
    assert_eq!(Spread::of(Vec::new()), Spread::default());
}
