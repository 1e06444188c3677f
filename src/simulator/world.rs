//! The world: which matches were played by whom and when, and the truth to check a client against.
//!
//! A world is a function of its configuration. Each listed player owns exactly `matches_per_year`
//! matches in every year, spread over it, and is a guest in a few matches of the other listed
//! players of the same platform. What is kept of a match is 40 bytes; its documents are made when
//! they are asked for.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::calendar;
use crate::game::{Facts, Game, GameKind};
use crate::library::Library;
use crate::people::{KeyScope, People, Player};
use crate::script::Shape;
use crate::world_config::{ExpectedMatch, WorldConfig, WorldCounts};
use riftsync_model::{MatchId, Platform, Puuid, RiotId, Timestamp};

/// 2021-06-16T00:00:00Z: the time filter of the match list knows no earlier match.
pub const TIME_FILTER_SINCE: Timestamp = Timestamp::from_millis(1_623_801_600_000);
const MATCHES_PER_YEAR_MAX: u32 = 100_000;
/// How long Riot keeps the documents.
pub const MATCHES_KEPT: Duration = Duration::from_hours(24 * 365 * 2);
pub const TIMELINES_KEPT: Duration = Duration::from_hours(24 * 365);

#[derive(Debug)]
struct PlatformGames {
    /// In the order of time, which is that of their ids.
    games: Vec<Game>,
    /// For each listed player, positions in `games`.
    of_focus: Vec<Vec<u32>>,
    /// For each player of the population; made when somebody first asks for one.
    of_population: OnceLock<Vec<Vec<u32>>>,
}

#[derive(Debug)]
pub struct World {
    config: WorldConfig,
    /// Milliseconds since 1970: `WorldConfig::now` until the clock is set.
    now_ms: AtomicI64,
    people: People,
    platforms: HashMap<Platform, PlatformGames>,
    library: Library,
}

/// A match and where it was played.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    pub platform: Platform,
    pub game: &'a Game,
    pub facts: Facts,
}

impl Found<'_> {
    pub fn id(&self) -> MatchId {
        MatchId::new(self.platform, self.game.id)
    }
}

impl World {
    pub fn new(config: WorldConfig) -> Self {
        assert!(
            config.matches_per_year <= MATCHES_PER_YEAR_MAX,
            "a year has no room for so many matches"
        );
        let people = People::new(config.seed, &config.players, config.population);
        let mut world = Self {
            library: Library::new(config.seed),
            platforms: HashMap::new(),
            people,
            now_ms: AtomicI64::new(config.now.as_millis()),
            config,
        };
        for platform in world.people.platforms() {
            let games = calendar::games_of(&world.config, &world.people, platform);
            let mut of_focus = vec![Vec::new(); world.people.focus_count(platform) as usize];
            for (position, game) in (0_u32..).zip(&games) {
                for player in world.roster(platform, game) {
                    if let Some(list) = of_focus.get_mut(player.number as usize) {
                        list.push(position);
                    }
                }
            }
            world.platforms.insert(
                platform,
                PlatformGames {
                    games,
                    of_focus,
                    of_population: OnceLock::new(),
                },
            );
        }
        world
    }

    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// What time it is in the world.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms.load(Ordering::Relaxed))
    }

    /// Sets the world's clock. What ended later was not played yet: it is not listed, and 404.
    pub fn set_now(&self, now: Timestamp) {
        self.now_ms.store(now.as_millis(), Ordering::Relaxed);
    }

    fn is_played(&self, found: &Found<'_>) -> bool {
        found.game.end(&found.facts) <= self.now()
    }

    pub fn people(&self) -> &People {
        &self.people
    }

    pub(super) fn library(&self) -> &Library {
        &self.library
    }

    /// Writes and compresses everything the documents are made of, which otherwise happens at the
    /// first request for each: about a second and a half of CPU. For benchmarks.
    pub fn warm_up(&self) {
        for games in self.platforms.values() {
            for game in &games.games {
                let facts = self.facts(game);
                if let GameKind::Played(shape) = facts.kind {
                    self.library.match_text(shape, game.era(), facts.script);
                    self.library.timeline_text(shape, facts.script);
                }
            }
        }
    }

    /// The matches of a listed player that started in a year, oldest first: the truth to check against.
    pub fn player_matches(&self, riot_id: &RiotId, year: i16) -> Vec<ExpectedMatch> {
        let Some(player) = self.people.by_riot_id(riot_id) else {
            return Vec::new();
        };
        self.matches_of(player)
            .filter(|found| found.game.start.year() == Some(year))
            .map(|found| ExpectedMatch {
                id: found.id(),
                start_ms: found.game.start.as_millis(),
                duration_ms: found.facts.length_ms,
                kind: found.facts.kind,
                queue_id: found.facts.queue_id,
                has_match: found.facts.has_match,
                has_timeline: found.facts.has_timeline,
                in_time_filter: found.game.start >= TIME_FILTER_SINCE,
                owned: found.game.owner == player.number,
            })
            .collect()
    }

    /// The puuid of a player as the holder of a key sees it.
    pub fn puuid(&self, riot_id: &RiotId, scope: KeyScope) -> Option<Puuid> {
        Some(self.people.puuid(self.people.by_riot_id(riot_id)?, scope))
    }

    /// Counts everything: a walk over all matches.
    pub fn counts(&self) -> WorldCounts {
        let mut counts = WorldCounts::default();
        for (platform, games) in &self.platforms {
            counts.listed_players += u64::from(self.people.focus_count(*platform));
            counts.people += u64::from(self.people.count(*platform));
            let found = games.games.iter().map(|game| self.found(*platform, game));
            for found in found.filter(|found| self.is_played(found)) {
                counts.matches += 1;
                counts.match_documents += u64::from(found.facts.has_match);
                counts.timelines += u64::from(found.facts.has_timeline);
            }
        }
        counts
    }

    pub fn find(&self, id: MatchId) -> Option<Found<'_>> {
        let games = &self.platforms.get(&id.platform())?.games;
        let position = games
            .binary_search_by_key(&id.game_id(), |game| game.id)
            .ok()?;
        Some(self.found(id.platform(), &games[position])).filter(|found| self.is_played(found))
    }

    /// All matches of a player that were played by now, oldest first.
    pub fn matches_of(&self, player: Player) -> impl DoubleEndedIterator<Item = Found<'_>> {
        let positions = self.positions_of(player);
        positions.iter().filter_map(move |position| {
            let games = &self.platforms.get(&player.platform)?.games;
            let found = self.found(player.platform, &games[*position as usize]);
            self.is_played(&found).then_some(found)
        })
    }

    fn positions_of(&self, player: Player) -> &[u32] {
        let Some(games) = self.platforms.get(&player.platform) else {
            return &[];
        };
        if let Some(list) = games.of_focus.get(player.number as usize) {
            return list;
        }
        let focus = games.of_focus.len();
        let lists = games.of_population.get_or_init(|| {
            let mut lists = vec![Vec::new(); self.people.count(player.platform) as usize - focus];
            for (position, game) in (0_u32..).zip(&games.games) {
                for guest in self.roster(player.platform, game) {
                    if let Some(list) = (guest.number as usize)
                        .checked_sub(focus)
                        .and_then(|i| lists.get_mut(i))
                    {
                        list.push(position);
                    }
                }
            }
            lists
        });
        lists
            .get(player.number as usize - focus)
            .map_or(&[], Vec::as_slice)
    }

    fn found<'a>(&self, platform: Platform, game: &'a Game) -> Found<'a> {
        Found {
            platform,
            game,
            facts: self.facts(game),
        }
    }

    fn facts(&self, game: &Game) -> Facts {
        let mut facts = game.facts(self.config.seed, self.config.plain);
        if self.config.retention {
            facts.has_match &= game.start >= self.now() - MATCHES_KEPT;
            facts.has_timeline &= game.start >= self.now() - TIMELINES_KEPT;
        }
        facts
    }

    /// The people of a match in the order of their participant numbers; bots come after them.
    pub fn roster(&self, platform: Platform, game: &Game) -> Vec<Player> {
        let kind = game.facts(self.config.seed, self.config.plain).kind;
        let people = match kind {
            GameKind::Played(shape) => shape.people(),
            GameKind::Empty => Shape::Classic.people(),
        };
        let mut draw = game.draw(2);
        let focus = self.people.focus_count(platform);
        let mut numbers = vec![game.owner];
        // One match in fourteen is met by another listed player, rarely by two.
        let guests = if draw.chance(70) {
            1 + u32::from(draw.chance(200))
        } else {
            0
        };
        for _ in 0..guests {
            let guest = draw.below(focus);
            if !numbers.contains(&guest) {
                numbers.push(guest);
            }
        }
        while numbers.len() < people {
            let stranger = focus + draw.below(self.people.count(platform) - focus);
            if !numbers.contains(&stranger) {
                numbers.push(stranger);
            }
        }
        for last in (1..numbers.len()).rev() {
            numbers.swap(last, draw.below(last as u32 + 1) as usize);
        }
        numbers
            .into_iter()
            .map(|number| Player { platform, number })
            .collect()
    }
}
