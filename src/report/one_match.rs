//! A match as its page tells it. What is not told is empty, so that it can come from an older program.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::kills::{HALF, spot};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OneMatch {
    pub match_id: String,
    pub platform: String,
    pub queue_id: i32,
    pub patch: Option<String>,
    /// Eleven is that of Summoner's Rift.
    pub map_id: i32,
    /// The calendar year (UTC).
    pub year: i16,
    /// Milliseconds since 1970 in UTC.
    pub started_ms: i64,
    /// In the reader's zone.
    pub started_at: String,
    pub timezone: String,
    /// Zero: it never took place.
    pub seconds: u64,
    pub is_remake: bool,
    /// Its timeline is stored, whether or not rows were made of it.
    pub has_timeline: bool,
    /// As the document has them.
    pub participants: Vec<Participant>,
    pub teams: Vec<Team>,
    /// In the order of the document.
    pub events: Vec<Event>,
    /// Of the items that are told of, where they have one.
    pub item_names: BTreeMap<i32, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Participant {
    pub id: i32,
    /// None: the name is not known, or nobody has one.
    pub riot_id: Option<String>,
    pub is_bot: bool,
    pub team_id: i32,
    /// Arena's teams of two or three.
    pub subteam_id: Option<i32>,
    pub placement: Option<i32>,
    pub win: bool,
    pub champion: String,
    pub champion_id: i32,
    /// As Riot writes it; empty: none.
    pub position: String,
    pub level: i32,
    pub kills: i32,
    pub deaths: i32,
    pub assists: i32,
    pub cs: i32,
    pub gold: i32,
    pub vision: i32,
    /// To champions.
    pub damage: i32,
    /// Physical, magic and true damage to champions; none: the match does not tell.
    pub damage_kinds: [Option<i32>; 3],
    pub taken: Option<i32>,
    /// Items at the end; zero: none.
    pub items: Vec<i32>,
    /// Gold so far at each minute, and when the game ended. Empty: no rows were made.
    pub gold_by_minute: Vec<Option<i32>>,
    /// What was bought and not taken back: the item, and milliseconds since the game began.
    pub purchases: Vec<(i32, Option<i64>)>,
}

/// None: the match does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Team {
    pub team_id: i32,
    pub towers: Option<i32>,
    pub inhibitors: Option<i32>,
    pub dragons: Option<i32>,
    pub heralds: Option<i32>,
    pub grubs: Option<i32>,
    pub barons: Option<i32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    pub at_ms: i64,
    /// As Riot writes it.
    pub kind: String,
    /// Who did it; zero or none: nobody, or minions.
    pub participant_id: Option<i32>,
    pub victim_id: Option<i32>,
    pub team_id: Option<i32>,
    /// Those who helped, as `2;5`.
    pub assists: String,
    pub x: Option<i32>,
    pub y: Option<i32>,
    /// The monster or the building, and which of them.
    pub about: String,
    pub about_more: String,
    pub lane: String,
}

impl OneMatch {
    /// Tells when it began in a zone.
    pub fn set_zone(&mut self, zone: &TimeZone) {
        let at = Timestamp::from_millisecond(self.started_ms).unwrap_or_default();
        let at = at.to_zoned(zone.clone());
        self.started_at = at.strftime("%Y-%m-%d %H:%M").to_string();
        zone.iana_name()
            .unwrap_or("UTC")
            .clone_into(&mut self.timezone);
    }

    /// Calls champions and items by their names where these are known, by their numbers.
    pub fn set_names(&mut self, champions: &HashMap<i32, String>, items: &HashMap<i32, String>) {
        for one in &mut self.participants {
            if let Some(name) = champions.get(&one.champion_id) {
                one.champion.clone_from(name);
            }
            let bought = one.purchases.iter().map(|(item, _)| item);
            for item in one.items.iter().chain(bought) {
                if let Some(name) = items.get(item) {
                    self.item_names.insert(*item, name.clone());
                }
            }
        }
    }

    pub fn participant(&self, id: Option<i32>) -> Option<&Participant> {
        self.participants.iter().find(|one| Some(one.id) == id)
    }

    /// It has two teams: those of Arena are many.
    pub fn has_two_teams(&self) -> bool {
        let of = |id| self.participants.iter().any(|one| one.team_id == id);
        let others = self
            .participants
            .iter()
            .any(|one| ![100, 200].contains(&one.team_id));
        let parts = self
            .participants
            .iter()
            .any(|one| one.subteam_id.is_some_and(|id| id > 0));
        of(100) && of(200) && !others && !parts
    }

    /// Gold of the blue team before that of the red one at each minute, the last of them when the game ended. Empty:
    /// no rows were made, or there are other teams.
    pub fn gold_leads(&self) -> Vec<i64> {
        if !self.has_two_teams() {
            return Vec::new();
        }
        let minutes = self.participants.iter().map(|one| one.gold_by_minute.len());
        let minutes = minutes.min().unwrap_or(0);
        let lead = |minute: usize| {
            let gold = |one: &Participant| {
                let gold = i64::from(one.gold_by_minute[minute].unwrap_or(0));
                if one.team_id == 100 { gold } else { -gold }
            };
            self.participants.iter().map(gold).sum()
        };
        (0..minutes).map(lead).collect()
    }

    /// Champions that were killed, with the team that killed them where it was one, and where they fell.
    pub(crate) fn kills(&self) -> impl Iterator<Item = (&Event, i32, [u8; 2])> {
        self.events.iter().filter_map(|event| {
            let victim = self.participant(event.victim_id)?;
            if event.kind != "CHAMPION_KILL" {
                return None;
            }
            // A tower's kill is one of the victim's enemies.
            let by = self.participant(event.participant_id);
            let team = by.map_or(other_team(victim.team_id), |by| by.team_id);
            Some((event, team, [spot(event.x?), spot(event.y?)]))
        })
    }

    /// Kills of a team, and those of them on its own half of the map.
    pub(crate) fn kills_of(&self, team: i32) -> (usize, usize) {
        let of_team = self.kills().filter(|(_, by, _)| *by == team);
        let on_own_half = |event: &Event| {
            let sum = event.x.unwrap_or(0).saturating_add(event.y.unwrap_or(0));
            (sum < HALF) == (team == 100)
        };
        of_team.fold((0, 0), |(all, own), (event, ..)| {
            (all + 1, own + usize::from(on_own_half(event)))
        })
    }

    /// What the event line tells: towers, inhibitors and large monsters.
    pub(crate) fn objectives(&self) -> impl Iterator<Item = &Event> {
        const TOLD: [&str; 3] = ["BUILDING_KILL", "ELITE_MONSTER_KILL", "DRAGON_SOUL_GIVEN"];
        self.events
            .iter()
            .filter(|event| TOLD.contains(&&*event.kind))
    }

    /// The team that an objective went to. Riot's document names the team that lost a building.
    pub(crate) fn team_of(&self, event: &Event) -> Option<i32> {
        if let Some(by) = self.participant(event.participant_id) {
            return Some(by.team_id);
        }
        match (&*event.kind, event.team_id) {
            ("BUILDING_KILL", Some(lost)) => Some(other_team(lost)),
            (_, team) => team,
        }
    }
}

/// Of the blue team the red one, and the other way round.
fn other_team(team: i32) -> i32 {
    match team {
        100 => 200,
        200 => 100,
        other => other,
    }
}

/// An objective in words.
pub(crate) fn objective_name(event: &Event) -> String {
    let spoken = |word: &str| word.to_lowercase().replace('_', " ");
    let lane = match &*event.lane {
        "TOP_LANE" => "top ",
        "MID_LANE" => "middle ",
        "BOT_LANE" => "bottom ",
        _ => "",
    };
    match (&*event.kind, &*event.about) {
        ("DRAGON_SOUL_GIVEN", soul) => format!("{} soul", spoken(soul)),
        (_, "TOWER_BUILDING") => match &*event.about_more {
            "OUTER_TURRET" => format!("{lane}outer tower"),
            "INNER_TURRET" => format!("{lane}inner tower"),
            "BASE_TURRET" => format!("{lane}base tower"),
            "NEXUS_TURRET" => "nexus tower".to_owned(),
            _ => format!("{lane}tower"),
        },
        (_, "INHIBITOR_BUILDING") => format!("{lane}inhibitor"),
        (_, "DRAGON") => match &*event.about_more {
            "AIR_DRAGON" => "cloud dragon".to_owned(),
            "EARTH_DRAGON" => "mountain dragon".to_owned(),
            "FIRE_DRAGON" => "infernal dragon".to_owned(),
            "WATER_DRAGON" => "ocean dragon".to_owned(),
            "" => "dragon".to_owned(),
            other => spoken(other),
        },
        (_, "BARON_NASHOR") => "Baron".to_owned(),
        (_, "RIFTHERALD") => "Rift Herald".to_owned(),
        (_, "HORDE") => "void grub".to_owned(),
        (_, "ATAKHAN") => "Atakhan".to_owned(),
        (_, "") => "objective".to_owned(),
        (_, other) => spoken(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn participant(id: i32, team_id: i32, gold: &[i32]) -> Participant {
        Participant {
            id,
            team_id,
            gold_by_minute: gold.iter().copied().map(Some).collect(),
            ..Participant::default()
        }
    }

    #[test]
    fn a_lead_is_that_of_the_blue_team_and_of_minutes_that_all_have() {
        let mut one = OneMatch {
            participants: vec![
                participant(1, 100, &[500, 900, 1_500]),
                participant(2, 200, &[500, 800, 1_900, 7]),
            ],
            ..OneMatch::default()
        };
        assert_eq!(one.gold_leads(), [0, 100, -400]);
        one.participants[0].subteam_id = Some(3);
        assert_eq!(one.gold_leads(), [] as [i64; 0]);
    }

    #[test]
    fn a_kill_and_an_objective_are_of_the_team_that_has_the_good_of_it() {
        let event = |kind: &str, by: i32, victim: i32, team: Option<i32>| Event {
            kind: kind.to_owned(),
            participant_id: Some(by),
            victim_id: Some(victim),
            team_id: team,
            x: Some(1_000),
            y: Some(1_000),
            ..Event::default()
        };
        let one = OneMatch {
            participants: vec![participant(1, 100, &[]), participant(2, 200, &[])],
            events: vec![
                event("CHAMPION_KILL", 1, 2, None),
                event("CHAMPION_KILL", 0, 1, None),
                event("CHAMPION_KILL", 1, 9, None),
                event("BUILDING_KILL", 0, 0, Some(100)),
                event("ELITE_MONSTER_KILL", 2, 0, Some(100)),
                event("WARD_PLACED", 2, 0, None),
            ],
            ..OneMatch::default()
        };
        assert_eq!((one.kills_of(100), one.kills_of(200)), ((1, 1), (1, 0)));
        let teams: Vec<_> = one.objectives().map(|event| one.team_of(event)).collect();
        assert_eq!(teams, [Some(200), Some(200)]);
    }
}
