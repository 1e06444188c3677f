//! The world: which matches were played by whom and when, and the truth to check a client against.
//!
//! A world is a function of its configuration. Each listed player owns exactly `matches_per_year`
//! matches in every year, spread over it, and is a guest in a few matches of the other listed
//! players of the same platform. What is kept of a match is 40 bytes; its documents are made when
//! they are asked for.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::model::{MatchId, Platform, Puuid, RiotId, Timestamp, Year};
use crate::simulator::game::{Facts, Game, GameKind};
use crate::simulator::hash::hash;
use crate::simulator::library::Library;
use crate::simulator::people::{KeyScope, People, Player};
use crate::simulator::script::Shape;

/// What a world is made of. The same configuration gives the same world on every machine, for ever.
#[derive(Debug, Clone)]
pub struct WorldConfig {
    pub seed: u64,
    /// The listed players, and where each one lives. Only their platforms have any people.
    pub players: Vec<(RiotId, Platform)>,
    /// Other players per platform.
    pub population: usize,
    /// Matches that each listed player owns in every year; at most 100,000.
    pub matches_per_year: u32,
    /// 2021 or later.
    pub first_year: i16,
    pub last_year: i16,
    /// No match ended later than this, so the last year may be short of matches.
    pub now: Timestamp,
    /// Only ordinary ten-player games, every document of which is there: for benchmarks.
    pub plain: bool,
    /// Match documents are gone after two years and timelines after one, counted back from `now`.
    pub retention: bool,
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            players: Vec::new(),
            population: 2000,
            matches_per_year: 300,
            first_year: Year::FIRST,
            last_year: 2026,
            now: DEFAULT_NOW,
            plain: false,
            retention: false,
        }
    }
}

/// 2026-11-01T00:00:00Z. Fixed: a default that read the clock would be another world every day.
const DEFAULT_NOW: Timestamp = Timestamp::from_millis(1_793_491_200_000);
/// 2021-01-01T00:00:00Z, where match numbers begin.
const FIRST_MOMENT_MS: i64 = 1_609_459_200_000;
/// 2021-06-16T00:00:00Z: the time filter of the match list knows no earlier match.
pub const TIME_FILTER_SINCE: Timestamp = Timestamp::from_millis(1_623_801_600_000);
const FIRST_ID: u64 = 4_000_000_000;
const MATCHES_PER_YEAR_MAX: u32 = 100_000;
/// Longer than any game with its lobby: matches of one player keep this distance if the year has room.
const GAME_MS_MAX: i64 = 50 * 60_000;
const DAY: std::time::Duration = std::time::Duration::from_hours(24);

/// What is true of one match of one player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TruthMatch {
    pub id: MatchId,
    pub start_ms: i64,
    pub duration_ms: u32,
    pub kind: GameKind,
    pub queue_id: u32,
    /// The match document is served; otherwise it is a 404 for ever.
    pub has_match: bool,
    pub has_timeline: bool,
    /// A list asked for with `startTime` or `endTime` can hold it.
    pub in_time_filter: bool,
    /// Made for this player, not for another one who met him.
    pub owned: bool,
}

/// How large a world is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorldCounts {
    pub listed_players: u64,
    pub people: u64,
    pub matches: u64,
    pub match_documents: u64,
    pub timelines: u64,
}

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
            config,
        };
        for platform in world.people.platforms() {
            let games = world.games_of(platform);
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
    pub fn player_matches(&self, riot_id: &RiotId, year: i16) -> Vec<TruthMatch> {
        let Some(player) = self.people.by_riot_id(riot_id) else {
            return Vec::new();
        };
        self.matches_of(player)
            .filter(|found| found.game.start.year() == Some(year))
            .map(|found| TruthMatch {
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
            counts.matches += games.games.len() as u64;
            for game in &games.games {
                let facts = self.facts(game);
                counts.match_documents += u64::from(facts.has_match);
                counts.timelines += u64::from(facts.has_timeline);
            }
        }
        counts
    }

    pub fn find(&self, id: MatchId) -> Option<Found<'_>> {
        let games = &self.platforms.get(&id.platform())?.games;
        let position = games
            .binary_search_by_key(&id.game_id(), |game| game.id)
            .ok()?;
        Some(self.found(id.platform(), &games[position]))
    }

    /// All matches of a player, oldest first.
    pub fn matches_of(&self, player: Player) -> impl DoubleEndedIterator<Item = Found<'_>> {
        let positions = self.positions_of(player);
        positions.iter().filter_map(move |position| {
            let games = &self.platforms.get(&player.platform)?.games;
            Some(self.found(player.platform, &games[*position as usize]))
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
            facts.has_match &= game.start >= self.config.now - 2 * 365 * DAY;
            facts.has_timeline &= game.start >= self.config.now - 365 * DAY;
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

    /// All matches of a platform in the order of their ids.
    fn games_of(&self, platform: Platform) -> Vec<Game> {
        let owners = self.people.focus_count(platform);
        let mut games = Vec::new();
        for owner in 0..owners {
            let seed = self.people.hash_of(
                Player {
                    platform,
                    number: owner,
                },
                10,
            );
            for year in self.config.first_year.max(Year::FIRST)..=self.config.last_year {
                self.games_of_year(seed, owner, year, &mut games);
            }
        }
        // The owner in the number keeps ids apart that begin in one second, and time stays first.
        for game in &mut games {
            let second = (game.start.as_millis() - FIRST_MOMENT_MS) / 1000;
            let second = u64::try_from(second).expect("no match is older than 2021");
            game.id = FIRST_ID + second * u64::from(owners) + u64::from(game.owner);
        }
        games.retain(|game| {
            game.end(&game.facts(self.config.seed, self.config.plain)) <= self.config.now
        });
        games.sort_by_key(|game| game.id);
        games
    }

    /// One match in each of `matches_per_year` equal parts of the year.
    fn games_of_year(&self, seed: u64, owner: u32, year: i16, games: &mut Vec<Game>) {
        let count = i64::from(self.config.matches_per_year);
        let far_future = Timestamp::from_millis(253_370_764_800_000);
        let Ok(year) = Year::new(year, far_future) else {
            return;
        };
        let (from_ms, to_ms) = (year.start().as_millis(), year.end().as_millis());
        let number = year.get().unsigned_abs();
        let empty_at =
            i64::try_from(hash(&[seed, u64::from(number), 1]) >> 1).unwrap_or(0) % count.max(1);
        // At each New Year either a match begins minutes before it, or its lobby is of the old year.
        let before_new_year = |year: u16| hash(&[seed, u64::from(year), 2]).is_multiple_of(2);
        let part_ms = (to_ms - from_ms) / count.max(1);
        let wide = part_ms > 3 * GAME_MS_MAX;
        for k in 0..count {
            let mut game = Game {
                start: Timestamp::EPOCH,
                id: 0,
                owner,
                seed: hash(&[seed, u64::from(number), 3, k.unsigned_abs()]),
                surely_empty: count >= 100 && k == empty_at,
            };
            let start_ms = if wide && k == 0 && !before_new_year(number - 1) {
                from_ms + 5_000 + i64::from(game.draw(5).below(30_000))
            } else if wide && k == count - 1 && before_new_year(number) {
                to_ms - 60_000 - i64::from(game.draw(5).below(12 * 60_000))
            } else {
                let latest_ms = if wide {
                    part_ms - GAME_MS_MAX
                } else {
                    part_ms / 2
                };
                // The first hour of a year may belong to the last match of the year before.
                let earliest_ms = if wide && k == 0 { GAME_MS_MAX } else { 0 };
                from_ms
                    + k * part_ms
                    + game
                        .draw(5)
                        .between(earliest_ms, latest_ms.max(earliest_ms))
            };
            game.start = Timestamp::from_millis(start_ms);
            games.push(game);
        }
    }
}
