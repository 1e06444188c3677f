//! league-v4 and league-exp-v4: who stands where in the two ranked queues.
//!
//! Everybody on a platform has a place in a queue's ladder, in an order that is drawn once. The top
//! of the ladder is Challenger (5 %), Grandmaster (10 %) and Master (10 %), far more than in the real
//! ladder, so that small worlds have all leagues too; below, tiers and divisions by weight.

use std::str::FromStr;

use crate::hash::{Draw, hash};
use crate::json::Json;
use crate::people::{KeyScope, People, Player};
use riftsync_model::{Platform, Timestamp, Year};

/// Who is asked about, by whom, and when.
#[derive(Debug, Clone, Copy)]
pub struct View<'w> {
    pub people: &'w People,
    pub scope: KeyScope,
    pub now: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    Solo,
    Flex,
}

impl Queue {
    const ALL: [Self; 2] = [Self::Solo, Self::Flex];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Solo => "RANKED_SOLO_5x5",
            Self::Flex => "RANKED_FLEX_SR",
        }
    }
}

impl FromStr for Queue {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|queue| queue.as_str() == text)
            .ok_or(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Challenger,
    Grandmaster,
    Master,
    Diamond,
    Emerald,
    Platinum,
    Gold,
    Silver,
    Bronze,
    Iron,
}

impl Tier {
    /// From the top, with each one's share of the ladder in hundredths.
    const ALL: [(Self, &'static str, u32); 10] = [
        (Self::Challenger, "CHALLENGER", 5),
        (Self::Grandmaster, "GRANDMASTER", 10),
        (Self::Master, "MASTER", 10),
        (Self::Diamond, "DIAMOND", 6),
        (Self::Emerald, "EMERALD", 10),
        (Self::Platinum, "PLATINUM", 13),
        (Self::Gold, "GOLD", 22),
        (Self::Silver, "SILVER", 14),
        (Self::Bronze, "BRONZE", 8),
        (Self::Iron, "IRON", 2),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The tiers without divisions.
    pub fn is_apex(self) -> bool {
        matches!(self, Self::Challenger | Self::Grandmaster | Self::Master)
    }
}

impl FromStr for Tier {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(tier, ..)| *tier)
            .ok_or(())
    }
}

pub const DIVISIONS: [&str; 4] = ["I", "II", "III", "IV"];
/// Each division's share of its tier in hundredths.
const DIVISION_SHARE: [u32; 4] = [10, 15, 25, 50];
const DAY_MS: i64 = 86_400_000;
const PAGE_ENTRIES: usize = 205;
/// A page begins with the last entries of the one before (developer-relations issue 685).
const PAGE_OVERLAP: usize = 5;

/// Numbers of all players of a platform, the best first.
fn ladder(people: &People, platform: Platform, queue: Queue) -> Vec<Player> {
    let mut players: Vec<Player> = (0..people.count(platform))
        .map(|number| Player { platform, number })
        .collect();
    players.sort_by_cached_key(|player| people.hash_of(*player, 20 + queue as u64));
    players
}

/// The places of a tier, or of one of its divisions, in a ladder of so many.
fn places(tier: Tier, division: Option<usize>, count: usize) -> std::ops::Range<usize> {
    let share = |parts: u32, whole: usize| whole * parts as usize / 100;
    let above = |index: usize| {
        Tier::ALL[..index]
            .iter()
            .map(|(.., parts)| parts)
            .sum::<u32>()
    };
    let from = share(above(tier as usize), count);
    let to = share(above(tier as usize + 1), count);
    let Some(division) = division.filter(|_| !tier.is_apex()) else {
        return from..to;
    };
    let above = |index: usize| DIVISION_SHARE[..index].iter().sum::<u32>();
    from + share(above(division), to - from)..from + share(above(division + 1), to - from)
}

/// A whole league of the top: one object, not paged.
pub fn list(view: View<'_>, platform: Platform, queue: Queue, tier: Tier) -> String {
    let ladder = ladder(view.people, platform, queue);
    let mut json = Json::new();
    json.open().text("tier", tier.as_str());
    if !ladder.is_empty() {
        json.text("leagueId", &league_id(platform, queue, tier))
            .text("queue", queue.as_str())
            .text("name", "Simulated Legion");
    }
    json.key("entries").open_list();
    for player in &ladder[places(tier, None, ladder.len())] {
        json.open();
        entry(&mut json, view, *player, queue, 0);
        json.close();
    }
    json.close_list().close();
    json.into_text()
}

/// One page of a division, counted from 1. The divisions below I of a tier without divisions are empty.
pub fn page(
    view: View<'_>,
    platform: Platform,
    queue: Queue,
    tier: Tier,
    division: usize,
    page: usize,
) -> String {
    let ladder = ladder(view.people, platform, queue);
    let all = if tier.is_apex() && division > 0 {
        &[]
    } else {
        &ladder[places(tier, Some(division), ladder.len())]
    };
    let from = (page - 1).saturating_mul(PAGE_ENTRIES - PAGE_OVERLAP);
    // The overlap alone is no page.
    let more = page == 1 || from + PAGE_OVERLAP < all.len();
    let mut json = Json::new();
    json.open_list();
    for player in all
        .iter()
        .skip(from)
        .take(if more { PAGE_ENTRIES } else { 0 })
    {
        full_entry(&mut json, view, *player, queue, tier, division);
    }
    json.close_list();
    json.into_text()
}

/// A player's places in all queues.
pub fn of_player(view: View<'_>, player: Player) -> String {
    let mut json = Json::new();
    json.open_list();
    let count = view.people.count(player.platform) as usize;
    for queue in Queue::ALL {
        let place = place_of(view.people, player, queue);
        for (tier, ..) in Tier::ALL {
            for division in 0..if tier.is_apex() { 1 } else { DIVISIONS.len() } {
                if places(tier, Some(division), count).contains(&place) {
                    full_entry(&mut json, view, player, queue, tier, division);
                }
            }
        }
    }
    json.close_list();
    json.into_text()
}

/// A player's place in the ladder, without putting all the others in order.
fn place_of(people: &People, player: Player, queue: Queue) -> usize {
    let key = |player| people.hash_of(player, 20 + queue as u64);
    let own = (key(player), player.number);
    let all = (0..people.count(player.platform)).map(|number| Player { number, ..player });
    all.filter(|other| (key(*other), other.number) < own)
        .count()
}

fn full_entry(
    json: &mut Json,
    view: View<'_>,
    player: Player,
    queue: Queue,
    tier: Tier,
    division: usize,
) {
    json.open()
        .text("leagueId", &league_id(player.platform, queue, tier));
    json.text("queueType", queue.as_str())
        .text("tier", tier.as_str());
    entry(json, view, player, queue, division);
    json.close();
}

/// Points change from day to day, and games add up in a year.
fn entry(json: &mut Json, view: View<'_>, player: Player, queue: Queue, division: usize) {
    let person = view.people.hash_of(player, 30 + queue as u64);
    let days = view.now.as_millis().div_euclid(DAY_MS);
    let of_year = view
        .now
        .year()
        .and_then(|year| Year::new(year, view.now).ok());
    let begun = of_year.map_or(0, |year| year.start().as_millis().div_euclid(DAY_MS));
    let mut draw = Draw::new(person);
    let (wins, losses) = (draw.between(5, 60), draw.between(5, 60));
    let (won, lost) = (draw.between(0, 200), draw.between(0, 200));
    let (veteran, fresh) = (draw.chance(300), draw.chance(100));
    let hundredths = |a_day: i64| a_day * (days - begun) / 100;
    let mut today = Draw::new(hash(&[person, days.unsigned_abs()]));
    json.text("rank", DIVISIONS[division])
        .text("puuid", view.people.puuid(player, view.scope).as_str());
    json.int("leaguePoints", today.below(100))
        .int("wins", wins + hundredths(won))
        .int("losses", losses + hundredths(lost));
    json.flag("veteran", veteran)
        .flag("inactive", false)
        .flag("freshBlood", fresh)
        .flag("hotStreak", today.chance(150));
}

fn league_id(platform: Platform, queue: Queue, tier: Tier) -> String {
    let bits = hash(&[platform as u64, queue as u64, tier as u64]);
    format!(
        "{:08x}-{:04x}-3a00-8000-{:012x}",
        bits >> 32,
        bits & 0xffff,
        bits >> 16
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn people() -> People {
        People::new(2, &[("Listed#ONE".parse().unwrap(), Platform::Kr)], 10_000)
    }

    fn view(people: &People) -> View<'_> {
        View {
            people,
            scope: KeyScope::SHARED,
            now: Timestamp::from_millis(1_780_000_000_000),
        }
    }

    fn puuids(text: &str) -> Vec<String> {
        let page: Vec<Value> = serde_json::from_str(text).unwrap();
        page.iter()
            .map(|entry| entry["puuid"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn everybody_has_one_place_in_each_queue() {
        let mut places_taken = vec![0; 10_001];
        for (tier, ..) in Tier::ALL {
            for division in 0..if tier.is_apex() { 1 } else { 4 } {
                places(tier, Some(division), 10_001).for_each(|place| places_taken[place] += 1);
            }
        }
        assert!(places_taken.iter().all(|count| *count == 1));
    }

    #[test]
    fn pages_overlap_by_five_and_end_with_an_empty_one() {
        let people = people();
        let page = |number| {
            puuids(&page(
                view(&people),
                Platform::Kr,
                Queue::Solo,
                Tier::Gold,
                3,
                number,
            ))
        };
        let (first, second) = (page(1), page(2));
        assert_eq!(first.len(), 205);
        assert_eq!(first[200..], second[..5]);
        let whole = places(Tier::Gold, Some(3), 10_001).len();
        let mut seen: Vec<String> = (1..20).flat_map(page).collect();
        assert_eq!(page(whole / 200 + 2), Vec::<String>::new());
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), whole);
    }

    #[test]
    fn a_player_is_found_in_the_league_he_is_told_to_be_in() {
        let people = people();
        let player = Player {
            platform: Platform::Kr,
            number: 0,
        };
        let places: Vec<Value> = serde_json::from_str(&of_player(view(&people), player)).unwrap();
        assert_eq!(places.len(), 2);
        for place in places {
            let queue: Queue = place["queueType"].as_str().unwrap().parse().unwrap();
            let tier: Tier = place["tier"].as_str().unwrap().parse().unwrap();
            let division = DIVISIONS.iter().position(|d| place["rank"] == **d).unwrap();
            let found = (1..=20)
                .flat_map(|n| puuids(&page(view(&people), Platform::Kr, queue, tier, division, n)));
            let mine = people.puuid(player, KeyScope::SHARED).to_string();
            assert_eq!(found.filter(|puuid| *puuid == mine).count(), 1);
        }
    }

    #[test]
    fn a_platform_without_players_has_an_empty_league_without_a_name() {
        let text = list(
            view(&people()),
            Platform::Jp1,
            Queue::Solo,
            Tier::Challenger,
        );
        assert_eq!(text, r#"{"tier":"CHALLENGER","entries":[]}"#);
    }

    #[test]
    fn points_change_from_day_to_day_and_games_add_up() {
        let people = people();
        let player = Player {
            platform: Platform::Kr,
            number: 0,
        };
        let on = |day: i64| {
            let now = Timestamp::from_millis(1_780_000_000_000 + day * DAY_MS);
            let view = View {
                now,
                ..view(&people)
            };
            let told: Vec<Value> = serde_json::from_str(&of_player(view, player)).unwrap();
            let games = |of: &Value| of["wins"].as_i64().unwrap() + of["losses"].as_i64().unwrap();
            (told[0]["leaguePoints"].as_i64().unwrap(), games(&told[0]))
        };
        assert_eq!(on(3), on(3));
        let days: Vec<(i64, i64)> = (0..30).map(on).collect();
        assert!(
            days.windows(2)
                .filter(|pair| pair[0].0 != pair[1].0)
                .count()
                > 20
        );
        assert!(days.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        assert!(days[0].1 < days[29].1);
    }
}
