//! What a client may rely on, checked through the same functions and sockets that serve it.

mod api;
mod documents;
mod expected_matches;
mod faults;
mod oddities;
mod over_http;
mod throughput;

use crate::{World, WorldConfig};
use riftsync_model::{Platform, RiotId};

pub fn riot_id(text: &str) -> RiotId {
    text.parse().unwrap()
}

pub const ALPHA: &str = "Alpha Player#SIM";
pub const BETA: &str = "Beta#SIM";

pub fn config(matches_per_year: u32) -> WorldConfig {
    WorldConfig {
        seed: 42,
        players: vec![
            (riot_id(ALPHA), Platform::Euw1),
            (riot_id(BETA), Platform::Euw1),
            (riot_id("감마#KR1"), Platform::Kr),
        ],
        population: 200,
        matches_per_year,
        ..WorldConfig::default()
    }
}

pub fn world(matches_per_year: u32) -> World {
    World::new(config(matches_per_year))
}
