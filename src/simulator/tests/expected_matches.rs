use std::collections::HashSet;

use super::{ALPHA, BETA, config, riot_id, world};
use crate::{GameKind, Shape, World, WorldConfig};
use riftsync_model::{RiotId, Timestamp};

#[test]
fn a_player_owns_exactly_so_many_matches_a_year_and_is_a_guest_in_a_few() {
    let world = world(300);
    for year in 2021..=2025 {
        for player in [ALPHA, BETA] {
            let matches = world.player_matches(&riot_id(player), year);
            let owned = matches.iter().filter(|m| m.owned).count();
            assert_eq!(owned, 300, "{player} {year}");
            assert!(
                (1..60).contains(&(matches.len() - owned)),
                "{}",
                matches.len()
            );
            assert!(matches.iter().any(|m| m.kind == GameKind::Empty));
        }
    }
    assert!(
        world
            .player_matches(&riot_id("Nobody#SIM"), 2025)
            .is_empty()
    );
}

#[test]
fn ids_increase_with_time_and_belong_to_one_match() {
    let world = world(500);
    let all: Vec<_> = (2021..=2026)
        .flat_map(|year| world.player_matches(&riot_id(ALPHA), year))
        .collect();
    assert!(all.is_sorted_by_key(|m| m.start_ms));
    assert!(all.is_sorted_by(|a, b| a.id.game_id() < b.id.game_id()));
    assert!(all.iter().all(|m| {
        world
            .find(m.id)
            .is_some_and(|found| found.game.start.as_millis() == m.start_ms)
    }));
}

#[test]
fn nothing_ended_after_now_and_the_last_year_is_cut_there() {
    let now = Timestamp::from_millis(1_772_323_200_000); // 2026-03-01
    let world = World::new(WorldConfig { now, ..config(365) });
    let this_year = world.player_matches(&riot_id(ALPHA), 2026);
    let owned = this_year.iter().filter(|m| m.owned).count();
    assert!((57..=60).contains(&owned), "{owned}");
    assert!(
        this_year
            .iter()
            .all(|m| m.start_ms + i64::from(m.duration_ms) <= now.as_millis())
    );
}

#[test]
fn some_matches_begin_minutes_before_new_year_and_none_run_into_the_next() {
    let world = world(300);
    let all = |player: &str| -> Vec<_> {
        (2021..=2026)
            .flat_map(|y| world.player_matches(&riot_id(player), y))
            .collect()
    };
    let mut before = 0;
    for player in [ALPHA, BETA, "감마#KR1"] {
        let owned: Vec<_> = all(player).into_iter().filter(|m| m.owned).collect();
        for pair in owned.windows(2) {
            assert!(
                pair[0].start_ms + i64::from(pair[0].duration_ms) < pair[1].start_ms,
                "{pair:?}"
            );
        }
        before += owned
            .iter()
            .filter(|m| {
                let start = Timestamp::from_millis(m.start_ms);
                start.year() != (start + std::time::Duration::from_mins(15)).year()
            })
            .count();
    }
    assert!(before >= 3, "{before}");
}

#[test]
fn every_oddity_is_there_and_a_plain_world_has_none() {
    let odd = world(2000);
    let matches: Vec<_> = (2024..=2026)
        .flat_map(|year| odd.player_matches(&riot_id(ALPHA), year))
        .collect();
    let kinds: HashSet<GameKind> = matches.iter().map(|m| m.kind).collect();
    assert!(
        Shape::ALL
            .iter()
            .all(|shape| kinds.contains(&GameKind::Played(*shape))),
        "{kinds:?}"
    );
    let share = |test: fn(&crate::ExpectedMatch) -> bool| {
        matches.iter().filter(|m| test(m)).count() * 1000 / matches.len()
    };
    assert!(
        (1..=6).contains(&share(|m| !m.has_match)),
        "{}",
        share(|m| !m.has_match)
    );
    assert!((6..=15).contains(&share(|m| !m.has_timeline)));
    assert!((20..=40).contains(&share(|m| m.kind == GameKind::Played(Shape::Remake))));
    let plain = World::new(WorldConfig {
        plain: true,
        ..config(300)
    });
    let matches = plain.player_matches(&riot_id(ALPHA), 2025);
    assert!(
        matches
            .iter()
            .all(|m| m.kind == GameKind::Played(Shape::Classic) && m.has_match && m.has_timeline)
    );
}

#[test]
fn old_documents_are_gone_where_retention_is_on() {
    let world = World::new(WorldConfig {
        retention: true,
        ..config(100)
    });
    let of = |year| world.player_matches(&riot_id(ALPHA), year);
    assert!(of(2023).iter().all(|m| !m.has_match && !m.has_timeline));
    assert!(of(2025).iter().filter(|m| m.has_match).count() > 90);
    assert!(of(2025).iter().filter(|m| !m.has_timeline).count() > 50);
}

#[test]
fn the_same_configuration_is_the_same_world_and_another_seed_another() {
    let ids = |seed| {
        let world = World::new(WorldConfig { seed, ..config(50) });
        world
            .player_matches(&riot_id(ALPHA), 2025)
            .iter()
            .map(|m| (m.id, m.kind, m.has_match))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}

#[test]
fn a_match_has_different_people_and_each_one_has_the_match() {
    let world = world(40);
    for found in (2024..=2025)
        .flat_map(|year| world.player_matches(&riot_id(ALPHA), year))
        .map(|m| world.find(m.id).unwrap())
    {
        let roster = world.roster(found.platform, found.game);
        assert_eq!(roster.iter().collect::<HashSet<_>>().len(), roster.len());
        for player in roster {
            assert!(
                world
                    .matches_of(player)
                    .any(|other| other.id() == found.id())
            );
        }
    }
    let stranger: RiotId = world.people().riot_id(crate::people::Player {
        platform: riftsync_model::Platform::Euw1,
        number: 7,
    });
    assert!(
        (2021..=2026)
            .map(|year| world.player_matches(&stranger, year).len())
            .sum::<usize>()
            > 5
    );
}
