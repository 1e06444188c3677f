//! Where the player killed and died on Summoner's Rift, by the phase of the game.

use serde::{Deserialize, Serialize};

use super::games::Kill;

/// From this minute on, and how the phase is called.
const PHASES: [(i64, &str); 3] = [
    (0, "to minute 14"),
    (14, "minute 14 to 25"),
    (25, "from minute 25"),
];
/// Units of the game a step of the drawn map.
pub(crate) const STEP: i32 = 100;
/// Steps of the drawn map's side.
pub(crate) const SIDE: i32 = 150;
/// Where x and y add up to less, the ground is that of the team in the lower left.
pub(crate) const HALF: i32 = 14_850;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KillMap {
    /// The last games of which there are events.
    pub games: u64,
    pub phases: Vec<KillPhase>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KillPhase {
    pub name: String,
    pub kills: Spots,
    pub deaths: Spots,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spots {
    /// How many of them were on the half of the player's team.
    pub own_half: u64,
    /// On a map of 150 by 150 from the lower left.
    pub at: Vec<[u8; 2]>,
}

impl KillMap {
    /// Of so many games.
    pub fn of(games: u64, kills: &[Kill]) -> Self {
        let mut phases = PHASES.map(|(_, name)| KillPhase {
            name: name.to_owned(),
            ..KillPhase::default()
        });
        for kill in kills {
            let phase = PHASES
                .iter()
                .rposition(|(from, _)| kill.at_ms >= from * 60_000);
            let phase = &mut phases[phase.unwrap_or(0)];
            let spots = if kill.is_death {
                &mut phase.deaths
            } else {
                &mut phase.kills
            };
            let lower_left = kill.x.saturating_add(kill.y) < HALF;
            spots.own_half += u64::from(lower_left == (kill.team_id == 100));
            spots.at.push([spot(kill.x), spot(kill.y)]);
        }
        Self {
            games,
            phases: phases.into(),
        }
    }
}

/// A step of the drawn map; what is beside the map is at its edge.
pub(crate) fn spot(units: i32) -> u8 {
    u8::try_from((units / STEP).clamp(0, SIDE)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_in_the_phase_of_its_minute_and_on_the_half_of_the_players_team_or_the_others() {
        let kill = |minute: i64, x, y, team_id, is_death| Kill {
            at_ms: minute * 60_000,
            x,
            y,
            team_id,
            is_death,
        };
        let map = KillMap::of(
            2,
            &[
                kill(0, 1_000, 2_000, 100, false),
                kill(13, 1_000, 2_000, 200, false),
                kill(14, 14_000, i32::MAX, 200, true),
                kill(90, -500, 99_999, 100, true),
            ],
        );
        let told: Vec<_> = (map.phases.iter())
            .map(|one| (one.kills.at.len(), one.kills.own_half, one.deaths.own_half))
            .collect();
        assert_eq!(told, [(2, 1, 0), (0, 0, 1), (0, 0, 0)]);
        assert_eq!(map.phases[0].kills.at, [[10, 20], [10, 20]]);
        assert_eq!(map.phases[2].deaths.at, [[0, 150]]);
    }
}
