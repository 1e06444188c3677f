//! champion-mastery-v4: what players have come to with their champions. Made up, and no sum of their matches.

use crate::hash::{Draw, hash};
use crate::json::Json;
use crate::league::View;
use crate::people::Player;
use crate::tables::CHAMPIONS;

const DAY_MS: i64 = 86_400_000;
/// Days in a thousand on which a player takes one of them.
const LIKED: u32 = 200;

/// All champions that a player ever took, those with the most points first.
pub fn of_player(view: View<'_>, player: Player) -> String {
    let person = view.people.hash_of(player, 40);
    let today = view.now.as_millis().div_euclid(DAY_MS);
    let champions = CHAMPIONS.iter().flat_map(|of_position| of_position.iter());
    let mut all: Vec<(i64, i64, i64)> = champions
        .filter_map(|champion| {
            let own = hash(&[person, u64::from(champion.id)]);
            let mut draw = Draw::new(own);
            if !draw.chance(300) {
                return None;
            }
            let before = draw.between(200, 90_000);
            let taken = |day: &i64| Draw::new(hash(&[own, day.unsigned_abs()])).chance(LIKED);
            let grown: i64 = (1..=(today - FIRST_DAY).clamp(0, DAYS_MAX))
                .map(|ago| today - ago)
                .filter(taken)
                .count()
                .try_into()
                .unwrap_or(0);
            let last = (1..=DAYS_MAX).map(|ago| today - ago).find(taken);
            let last = last.unwrap_or(FIRST_DAY) * DAY_MS;
            Some((before + 700 * grown, i64::from(champion.id), last))
        })
        .collect();
    all.sort_unstable_by_key(|(points, id, _)| (-points, *id));
    all.dedup_by_key(|(_, id, _)| *id);
    let mut json = Json::new();
    json.open_list();
    for (points, id, last) in all {
        json.open()
            .text("puuid", view.people.puuid(player, view.scope).as_str())
            .int("championId", id)
            .int("championLevel", 1 + points / 10_000)
            .int("championPoints", points)
            .int("lastPlayTime", last)
            .int("championPointsSinceLastLevel", points % 10_000)
            .int("championPointsUntilNextLevel", 10_000 - points % 10_000)
            .int("tokensEarned", 0);
        json.close();
    }
    json.close_list();
    json.into_text()
}

/// 2024-01-01, since when points grow; and how far back is looked.
const FIRST_DAY: i64 = 19_723;
const DAYS_MAX: i64 = 3_650;
