//! What a match document tells of a participant and of a team beyond the rows that everything counts with: a table for
//! each subject, here once with the names of its columns and where the document has them. Readers, statements and tests
//! are made of these lists.

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 32 bits.
    Int,
    /// 16 bits: a count of a game.
    Small,
    /// 0 or 1.
    Flag,
}

/// A column, and the name of its value in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub key: &'static str,
}

/// A table with a row for each participant.
#[derive(Debug, Clone, Copy)]
pub struct Sheet {
    pub table: &'static str,
    pub columns: &'static [Column],
    /// Where its cells begin among those of a participant.
    pub first: usize,
}

/// Hands the tables of participants to a macro: name, type, number, key, and of each column its kind and its name in
/// the document. `challenges/` is the object of that name; `rune/` and `perks/` are its reader's own.
#[macro_export]
macro_rules! participant_sheets {
    ($use:ident) => {
        $use! {
            participant_damage Damage 10 participant_id {
                to_champions_magic: int = "magicDamageDealtToChampions",
                to_champions_physical: int = "physicalDamageDealtToChampions",
                to_champions_true: int = "trueDamageDealtToChampions",
                dealt: int = "totalDamageDealt",
                dealt_magic: int = "magicDamageDealt",
                dealt_physical: int = "physicalDamageDealt",
                dealt_true: int = "trueDamageDealt",
                taken: int = "totalDamageTaken",
                taken_magic: int = "magicDamageTaken",
                taken_physical: int = "physicalDamageTaken",
                taken_true: int = "trueDamageTaken",
                self_mitigated: int = "damageSelfMitigated",
                to_buildings: int = "damageDealtToBuildings",
                to_turrets: int = "damageDealtToTurrets",
                to_objectives: int = "damageDealtToObjectives",
                to_epic_monsters: int = "damageDealtToEpicMonsters",
                healed: int = "totalHeal",
                healed_teammates: int = "totalHealsOnTeammates",
                shielded_teammates: int = "totalDamageShieldedOnTeammates",
                units_healed: small = "totalUnitsHealed",
                largest_critical_strike: int = "largestCriticalStrike",
                time_ccing_others_s: int = "timeCCingOthers",
                cc_dealt_s: int = "totalTimeCCDealt",
            }
            participant_combat Combat 11 participant_id {
                double_kills: small = "doubleKills",
                triple_kills: small = "tripleKills",
                quadra_kills: small = "quadraKills",
                penta_kills: small = "pentaKills",
                killing_sprees: small = "killingSprees",
                largest_killing_spree: small = "largestKillingSpree",
                largest_multi_kill: small = "largestMultiKill",
                first_blood_kill: flag = "firstBloodKill",
                first_blood_assist: flag = "firstBloodAssist",
                first_tower_kill: flag = "firstTowerKill",
                first_tower_assist: flag = "firstTowerAssist",
                solo_kills: small = "challenges/soloKills",
                outnumbered_kills: small = "challenges/outnumberedKills",
                kills_near_enemy_turret: small = "challenges/killsNearEnemyTurret",
                kills_under_own_turret: small = "challenges/killsUnderOwnTurret",
                pick_kills: small = "challenges/pickKillWithAlly",
                saved_allies: small = "challenges/saveAllyFromDeath",
                max_kill_deficit: small = "challenges/maxKillDeficit",
                skillshots_hit: small = "challenges/skillshotsHit",
                skillshots_dodged: small = "challenges/skillshotsDodged",
                immobilizations: small = "challenges/enemyChampionImmobilizations",
                ability_uses: small = "challenges/abilityUses",
                spell1_casts: small = "spell1Casts",
                spell2_casts: small = "spell2Casts",
                spell3_casts: small = "spell3Casts",
                spell4_casts: small = "spell4Casts",
                longest_time_living_s: int = "longestTimeSpentLiving",
                time_dead_s: int = "totalTimeSpentDead",
                time_played_s: int = "timePlayed",
                turret_kills: small = "turretKills",
                turret_takedowns: small = "turretTakedowns",
                turrets_lost: small = "turretsLost",
                turret_plates: small = "challenges/turretPlatesTaken",
                inhibitor_kills: small = "inhibitorKills",
                inhibitor_takedowns: small = "inhibitorTakedowns",
                inhibitors_lost: small = "inhibitorsLost",
                nexus_kills: small = "nexusKills",
                dragon_kills: small = "dragonKills",
                dragon_takedowns: small = "challenges/dragonTakedowns",
                baron_kills: small = "baronKills",
                baron_takedowns: small = "challenges/baronTakedowns",
                herald_takedowns: small = "challenges/riftHeraldTakedowns",
                grub_kills: small = "challenges/voidMonsterKill",
                scuttle_crab_kills: small = "challenges/scuttleCrabKills",
                buffs_stolen: small = "challenges/buffsStolen",
                objectives_stolen: small = "objectivesStolen",
                objectives_stolen_assists: small = "objectivesStolenAssists",
                ally_jungle_minions: small = "totalAllyJungleMinionsKilled",
                enemy_jungle_minions: small = "totalEnemyJungleMinionsKilled",
                lane_minions_10: small = "challenges/laneMinionsFirst10Minutes",
                max_level_lead: small = "challenges/maxLevelLeadLaneOpponent",
                experience: int = "champExperience",
                gold_spent: int = "goldSpent",
                bounty_level: small = "bountyLevel",
                items_purchased: small = "itemsPurchased",
                consumables_purchased: small = "consumablesPurchased",
                ended_in_surrender: flag = "gameEndedInSurrender",
                team_early_surrendered: flag = "teamEarlySurrendered",
            }
            participant_vision Vision 12 participant_id {
                wards_placed: small = "wardsPlaced",
                wards_killed: small = "wardsKilled",
                control_wards_placed: small = "detectorWardsPlaced",
                control_wards_bought: small = "visionWardsBoughtInGame",
                sight_wards_bought: small = "sightWardsBoughtInGame",
                stealth_wards_placed: small = "challenges/stealthWardsPlaced",
                ward_takedowns: small = "challenges/wardTakedowns",
                ward_takedowns_20: small = "challenges/wardTakedownsBefore20M",
                wards_guarded: small = "challenges/wardsGuarded",
                unseen_recalls: small = "challenges/unseenRecalls",
                pings_all_in: small = "allInPings",
                pings_assist_me: small = "assistMePings",
                pings_bait: small = "baitPings",
                pings_basic: small = "basicPings",
                pings_command: small = "commandPings",
                pings_danger: small = "dangerPings",
                pings_enemy_missing: small = "enemyMissingPings",
                pings_enemy_vision: small = "enemyVisionPings",
                pings_get_back: small = "getBackPings",
                pings_hold: small = "holdPings",
                pings_need_vision: small = "needVisionPings",
                pings_on_my_way: small = "onMyWayPings",
                pings_push: small = "pushPings",
                pings_retreat: small = "retreatPings",
                pings_vision_cleared: small = "visionClearedPings",
            }
            participant_loadout Loadout 13 participant_id {
                spell1_casts: small = "summoner1Casts",
                spell2_casts: small = "summoner2Casts",
                stat_offense: int = "perks/offense",
                stat_flex: int = "perks/flex",
                stat_defense: int = "perks/defense",
                rune0: int = "rune/0/perk",
                rune1: int = "rune/1/perk",
                rune2: int = "rune/2/perk",
                rune3: int = "rune/3/perk",
                rune4: int = "rune/4/perk",
                rune5: int = "rune/5/perk",
                rune0_var1: int = "rune/0/var1",
                rune0_var2: int = "rune/0/var2",
                rune0_var3: int = "rune/0/var3",
                rune1_var1: int = "rune/1/var1",
                rune1_var2: int = "rune/1/var2",
                rune1_var3: int = "rune/1/var3",
                rune2_var1: int = "rune/2/var1",
                rune2_var2: int = "rune/2/var2",
                rune2_var3: int = "rune/2/var3",
                rune3_var1: int = "rune/3/var1",
                rune3_var2: int = "rune/3/var2",
                rune3_var3: int = "rune/3/var3",
                rune4_var1: int = "rune/4/var1",
                rune4_var2: int = "rune/4/var2",
                rune4_var3: int = "rune/4/var3",
                rune5_var1: int = "rune/5/var1",
                rune5_var2: int = "rune/5/var2",
                rune5_var3: int = "rune/5/var3",
                augment1: int = "playerAugment1",
                augment2: int = "playerAugment2",
                augment3: int = "playerAugment3",
                augment4: int = "playerAugment4",
                augment5: int = "playerAugment5",
                augment6: int = "playerAugment6",
                subteam_placement: small = "subteamPlacement",
                role_bound_item: int = "roleBoundItem",
                champion_transform: small = "championTransform",
            }
        }
    };
}

/// The same for the table of teams. Names with a slash are those of `objectives`; the last are `feats`.
#[macro_export]
macro_rules! team_sheet {
    ($use:ident) => {
        $use! {
            match_teams Teams 14 team_id {
                win: flag = "win",
                champion_first: flag = "champion/first",
                champion_kills: small = "champion/kills",
                tower_first: flag = "tower/first",
                tower_kills: small = "tower/kills",
                inhibitor_first: flag = "inhibitor/first",
                inhibitor_kills: small = "inhibitor/kills",
                dragon_first: flag = "dragon/first",
                dragon_kills: small = "dragon/kills",
                herald_first: flag = "riftHerald/first",
                herald_kills: small = "riftHerald/kills",
                grub_first: flag = "horde/first",
                grub_kills: small = "horde/kills",
                baron_first: flag = "baron/first",
                baron_kills: small = "baron/kills",
                atakhan_first: flag = "atakhan/first",
                atakhan_kills: small = "atakhan/kills",
                feat_first_blood: small = "FIRST_BLOOD",
                feat_first_turret: small = "FIRST_TURRET",
                feat_epic_monsters: small = "EPIC_MONSTER_KILL",
            }
        }
    };
}

macro_rules! kind {
    (int) => {
        Kind::Int
    };
    (small) => {
        Kind::Small
    };
    (flag) => {
        Kind::Flag
    };
}

macro_rules! columns {
    ($($table:ident $name:ident $number:literal $id:ident { $($column:ident: $kind:ident = $key:literal,)* })*) => {
        [$((
            stringify!($table),
            &[$(Column { name: stringify!($column), kind: kind!($kind), key: $key }),*],
        )),*]
    };
}

type Listed = (&'static str, &'static [Column]);

const OF_PARTICIPANTS: [Listed; 4] = participant_sheets!(columns);
const OF_TEAMS: [Listed; 1] = team_sheet!(columns);

/// The tables of participants.
pub const SHEETS: [Sheet; 4] = {
    let mut sheets = [Sheet {
        table: "",
        columns: &[],
        first: 0,
    }; 4];
    let (mut at, mut first) = (0, 0);
    while at < sheets.len() {
        let (table, columns) = OF_PARTICIPANTS[at];
        sheets[at] = Sheet {
            table,
            columns,
            first,
        };
        first += columns.len();
        at += 1;
    }
    sheets
};

/// Cells of a participant.
pub const CELLS: usize = SHEETS[3].first + SHEETS[3].columns.len();

/// The table of teams.
pub const TEAMS: Sheet = Sheet {
    table: OF_TEAMS[0].0,
    columns: OF_TEAMS[0].1,
    first: 0,
};

/// Cells of a team.
pub const TEAM_CELLS: usize = TEAMS.columns.len();

/// A value of the document; none: it does not tell. Never [`NONE`].
pub type Cell = Option<i32>;

/// What no cell holds: statements send it where there is nothing.
pub const NONE: i32 = i32::MIN;

/// All cells of a participant, or none at all: then it has no row in these tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details(Vec<Cell>);

impl Details {
    /// As many as [`CELLS`], in the order of the tables.
    pub fn new(cells: Vec<Cell>) -> Self {
        debug_assert_eq!(cells.len(), CELLS);
        Self(cells)
    }

    /// The cells of a table; none: there is no row.
    pub fn of(&self, sheet: &Sheet) -> Option<&[Cell]> {
        self.0.get(sheet.first..sheet.first + sheet.columns.len())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes a row of a table over what is there.
    pub fn set(&mut self, sheet: &Sheet, cells: &[Cell]) {
        if self.0.is_empty() {
            self.0 = vec![None; CELLS];
        }
        let range = sheet.first..sheet.first + sheet.columns.len();
        self.0[range].copy_from_slice(cells);
    }
}

/// A team of a match, known by its number there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamRecord {
    pub team_id: i32,
    /// As many as [`TEAM_CELLS`].
    pub cells: Vec<Cell>,
}

/// A ban, known by its place among those of its match, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BanRecord {
    pub ban: i32,
    pub team_id: Cell,
    pub turn: Cell,
    pub champion_id: Cell,
}

/// The patch of a game's version: `16.4` of `16.4.749.9999`. None: it does not begin with two numbers.
pub fn patch_of(game_version: &str) -> Option<String> {
    let is_number = |text: &&str| {
        (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut parts = game_version.split('.');
    let season = parts.next().filter(is_number)?;
    let patch = parts.next().filter(is_number)?;
    Some(format!("{season}.{patch}"))
}

/// Which tables of participants have a row, and the cells of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredDetails {
    pub details: Details,
    /// One for each table of [`SHEETS`].
    pub rows: [bool; SHEETS.len()],
}

impl StoredDetails {
    /// As it is once it is stored; none: without a row.
    pub fn told(details: &Details) -> Option<Self> {
        (!details.is_empty()).then(|| Self {
            details: details.clone(),
            rows: [true; SHEETS.len()],
        })
    }
}

/// A match with nothing but what these tables hold of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatchDetails {
    pub patch: Option<String>,
    pub participants: std::collections::BTreeMap<i32, StoredDetails>,
    pub teams: Vec<TeamRecord>,
    pub bans: Vec<BanRecord>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_what_people_call_it() {
        for (version, patch) in [
            ("16.4.749.9999", Some("16.4")),
            ("9.24.300.1", Some("9.24")),
            ("15.1", Some("15.1")),
            ("", None),
            ("16", None),
            ("16.", None),
            ("a.b", None),
            ("16.4\u{1b}[31m", None),
            ("99999.1", None),
        ] {
            assert_eq!(patch_of(version).as_deref(), patch, "{version}");
        }
    }

    #[test]
    fn each_table_has_its_own_cells_and_no_column_twice() {
        let mut next = 0;
        for sheet in SHEETS {
            assert_eq!(sheet.first, next, "{}", sheet.table);
            next += sheet.columns.len();
            let mut names: Vec<&str> = sheet.columns.iter().map(|column| column.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), sheet.columns.len(), "{}", sheet.table);
        }
        assert_eq!(next, CELLS);
        let mut details = Details::default();
        assert_eq!(details.of(&SHEETS[1]), None);
        details.set(&SHEETS[1], &vec![Some(7); SHEETS[1].columns.len()]);
        assert_eq!(details.of(&SHEETS[1]).unwrap()[0], Some(7));
        assert_eq!(details.of(&SHEETS[2]).unwrap()[0], None);
    }
}
