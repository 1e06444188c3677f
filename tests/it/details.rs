//! The tables beside the first rows of a match: every column of every real document is what its JSON says, read here on
//! its own, on both databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use riftsync::model::MatchId;
use riftsync::riot::{parse_match, understand_match};
use riftsync::store::Effect;
use serde_json::{Value, json};

use crate::data::write;
use crate::place::Place;
use crate::samples::{payload, samples};

/// Each table, its columns, and where the document has them: in the participant, or in the team.
const COLUMNS: &str = "
    participant_damage
        to_champions_magic magicDamageDealtToChampions
        to_champions_physical physicalDamageDealtToChampions
        to_champions_true trueDamageDealtToChampions
        dealt totalDamageDealt
        dealt_magic magicDamageDealt
        dealt_physical physicalDamageDealt
        dealt_true trueDamageDealt
        taken totalDamageTaken
        taken_magic magicDamageTaken
        taken_physical physicalDamageTaken
        taken_true trueDamageTaken
        self_mitigated damageSelfMitigated
        to_buildings damageDealtToBuildings
        to_turrets damageDealtToTurrets
        to_objectives damageDealtToObjectives
        to_epic_monsters damageDealtToEpicMonsters
        healed totalHeal
        healed_teammates totalHealsOnTeammates
        shielded_teammates totalDamageShieldedOnTeammates
        units_healed totalUnitsHealed
        largest_critical_strike largestCriticalStrike
        time_ccing_others_s timeCCingOthers
        cc_dealt_s totalTimeCCDealt
    participant_combat
        double_kills doubleKills
        triple_kills tripleKills
        quadra_kills quadraKills
        penta_kills pentaKills
        killing_sprees killingSprees
        largest_killing_spree largestKillingSpree
        largest_multi_kill largestMultiKill
        first_blood_kill firstBloodKill
        first_blood_assist firstBloodAssist
        first_tower_kill firstTowerKill
        first_tower_assist firstTowerAssist
        solo_kills challenges/soloKills
        outnumbered_kills challenges/outnumberedKills
        kills_near_enemy_turret challenges/killsNearEnemyTurret
        kills_under_own_turret challenges/killsUnderOwnTurret
        pick_kills challenges/pickKillWithAlly
        saved_allies challenges/saveAllyFromDeath
        max_kill_deficit challenges/maxKillDeficit
        skillshots_hit challenges/skillshotsHit
        skillshots_dodged challenges/skillshotsDodged
        immobilizations challenges/enemyChampionImmobilizations
        ability_uses challenges/abilityUses
        spell1_casts spell1Casts
        spell2_casts spell2Casts
        spell3_casts spell3Casts
        spell4_casts spell4Casts
        longest_time_living_s longestTimeSpentLiving
        time_dead_s totalTimeSpentDead
        time_played_s timePlayed
        turret_kills turretKills
        turret_takedowns turretTakedowns
        turrets_lost turretsLost
        turret_plates challenges/turretPlatesTaken
        inhibitor_kills inhibitorKills
        inhibitor_takedowns inhibitorTakedowns
        inhibitors_lost inhibitorsLost
        nexus_kills nexusKills
        dragon_kills dragonKills
        dragon_takedowns challenges/dragonTakedowns
        baron_kills baronKills
        baron_takedowns challenges/baronTakedowns
        herald_takedowns challenges/riftHeraldTakedowns
        grub_kills challenges/voidMonsterKill
        scuttle_crab_kills challenges/scuttleCrabKills
        buffs_stolen challenges/buffsStolen
        objectives_stolen objectivesStolen
        objectives_stolen_assists objectivesStolenAssists
        ally_jungle_minions totalAllyJungleMinionsKilled
        enemy_jungle_minions totalEnemyJungleMinionsKilled
        lane_minions_10 challenges/laneMinionsFirst10Minutes
        max_level_lead challenges/maxLevelLeadLaneOpponent
        experience champExperience
        gold_spent goldSpent
        bounty_level bountyLevel
        items_purchased itemsPurchased
        consumables_purchased consumablesPurchased
        ended_in_surrender gameEndedInSurrender
        team_early_surrendered teamEarlySurrendered
    participant_vision
        wards_placed wardsPlaced
        wards_killed wardsKilled
        control_wards_placed detectorWardsPlaced
        control_wards_bought visionWardsBoughtInGame
        sight_wards_bought sightWardsBoughtInGame
        stealth_wards_placed challenges/stealthWardsPlaced
        ward_takedowns challenges/wardTakedowns
        ward_takedowns_20 challenges/wardTakedownsBefore20M
        wards_guarded challenges/wardsGuarded
        unseen_recalls challenges/unseenRecalls
        pings_all_in allInPings
        pings_assist_me assistMePings
        pings_bait baitPings
        pings_basic basicPings
        pings_command commandPings
        pings_danger dangerPings
        pings_enemy_missing enemyMissingPings
        pings_enemy_vision enemyVisionPings
        pings_get_back getBackPings
        pings_hold holdPings
        pings_need_vision needVisionPings
        pings_on_my_way onMyWayPings
        pings_push pushPings
        pings_retreat retreatPings
        pings_vision_cleared visionClearedPings
    participant_loadout
        spell1_casts summoner1Casts
        spell2_casts summoner2Casts
        stat_offense perks/statPerks/offense
        stat_flex perks/statPerks/flex
        stat_defense perks/statPerks/defense
        rune0 perks/styles/0/selections/0/perk
        rune1 perks/styles/0/selections/1/perk
        rune2 perks/styles/0/selections/2/perk
        rune3 perks/styles/0/selections/3/perk
        rune4 perks/styles/1/selections/0/perk
        rune5 perks/styles/1/selections/1/perk
        rune0_var1 perks/styles/0/selections/0/var1
        rune0_var2 perks/styles/0/selections/0/var2
        rune0_var3 perks/styles/0/selections/0/var3
        rune1_var1 perks/styles/0/selections/1/var1
        rune1_var2 perks/styles/0/selections/1/var2
        rune1_var3 perks/styles/0/selections/1/var3
        rune2_var1 perks/styles/0/selections/2/var1
        rune2_var2 perks/styles/0/selections/2/var2
        rune2_var3 perks/styles/0/selections/2/var3
        rune3_var1 perks/styles/0/selections/3/var1
        rune3_var2 perks/styles/0/selections/3/var2
        rune3_var3 perks/styles/0/selections/3/var3
        rune4_var1 perks/styles/1/selections/0/var1
        rune4_var2 perks/styles/1/selections/0/var2
        rune4_var3 perks/styles/1/selections/0/var3
        rune5_var1 perks/styles/1/selections/1/var1
        rune5_var2 perks/styles/1/selections/1/var2
        rune5_var3 perks/styles/1/selections/1/var3
        augment1 playerAugment1
        augment2 playerAugment2
        augment3 playerAugment3
        augment4 playerAugment4
        augment5 playerAugment5
        augment6 playerAugment6
        subteam_placement subteamPlacement
        role_bound_item roleBoundItem
        champion_transform championTransform
    match_teams
        win win
        champion_first objectives/champion/first
        champion_kills objectives/champion/kills
        tower_first objectives/tower/first
        tower_kills objectives/tower/kills
        inhibitor_first objectives/inhibitor/first
        inhibitor_kills objectives/inhibitor/kills
        dragon_first objectives/dragon/first
        dragon_kills objectives/dragon/kills
        herald_first objectives/riftHerald/first
        herald_kills objectives/riftHerald/kills
        grub_first objectives/horde/first
        grub_kills objectives/horde/kills
        baron_first objectives/baron/first
        baron_kills objectives/baron/kills
        atakhan_first objectives/atakhan/first
        atakhan_kills objectives/atakhan/kills
        feat_first_blood feats/FIRST_BLOOD/featState
        feat_first_turret feats/FIRST_TURRET/featState
        feat_epic_monsters feats/EPIC_MONSTER_KILL/featState
";

/// A table and its columns with their places.
type Listed = (&'static str, Vec<(&'static str, &'static str)>);

fn listed() -> Vec<Listed> {
    let mut tables: Vec<Listed> = Vec::new();
    for line in COLUMNS
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        match line.split_once(' ') {
            None => tables.push((line, Vec::new())),
            Some(column) => tables.last_mut().unwrap().1.push(column),
        }
    }
    tables
}

/// What stands at a place, as a column has it.
fn told(object: &Value, place: &str) -> Option<String> {
    let found = place.split('/').fold(object, |value, name| match value {
        Value::Array(list) => list
            .get(name.parse::<usize>().unwrap())
            .unwrap_or(&Value::Null),
        value => &value[name],
    });
    match found {
        Value::Null => None,
        Value::Bool(flag) => Some(i32::from(*flag).to_string()),
        Value::Number(number) => Some(number.to_string().trim_end_matches(".0").to_owned()),
        other => panic!("{place}: {other}"),
    }
}

/// A row with the match's id and one number before the cells.
fn row(
    id: MatchId,
    number: &Value,
    cells: impl Iterator<Item = Option<String>>,
) -> Vec<Option<String>> {
    let key = [Some(id.to_string()), Some(number.to_string())];
    key.into_iter().chain(cells).collect()
}

async fn check(place: Place, documents: &BTreeMap<MatchId, (Vec<u8>, Value)>) {
    let store = place.open().await;
    for (id, (text, _)) in documents {
        let record = Arc::new(parse_match(*id, text).unwrap());
        let effect = Effect::Match {
            record,
            payload: payload(text),
            key_fingerprint: "f".into(),
        };
        write(&*store, vec![vec![effect]]).await;
    }
    store.close().await.unwrap();
    let (mut cells, mut present) = (0, 0);
    for (table, columns) in listed() {
        let (list, key) = match table {
            "match_teams" => ("teams", "teamId"),
            _ => ("participants", "participantId"),
        };
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let id = if list == "teams" {
            "team_id"
        } else {
            "participant_id"
        };
        let query = format!(
            "SELECT match_id, {id}, {} FROM {table} ORDER BY match_id, {id}",
            names.join(", ")
        );
        let stored = place.rows(&query);
        let mut expected = Vec::new();
        for (id, (_, document)) in documents {
            let mut objects: Vec<&Value> =
                document["info"][list].as_array().unwrap().iter().collect();
            objects.sort_by_key(|object| object[key].as_i64());
            for object in objects {
                expected.push(row(
                    *id,
                    &object[key],
                    columns.iter().map(|(_, place)| told(object, place)),
                ));
            }
        }
        expected.sort_by_key(|row| {
            (
                row[0].clone(),
                row[1].as_ref().unwrap().parse::<i64>().unwrap(),
            )
        });
        assert_eq!(stored.len(), expected.len(), "{table}");
        for (stored, expected) in stored.iter().zip(&expected) {
            for (at, name) in ["match_id", id].iter().chain(&names).enumerate() {
                assert_eq!(
                    stored[at], expected[at],
                    "{table}.{name} of {:?} {:?}",
                    stored[0], stored[1]
                );
                cells += 1;
                present += u32::from(stored[at].is_some());
            }
        }
    }
    assert!(present > 30_000 && present < cells, "{present} of {cells}");
    check_bans_and_patches(&place, documents);
}

fn check_bans_and_patches(place: &Place, documents: &BTreeMap<MatchId, (Vec<u8>, Value)>) {
    let (mut bans, mut patches, mut runes) = (Vec::new(), Vec::new(), 0);
    for (id, (_, document)) in documents {
        let info = &document["info"];
        let teams = info["teams"].as_array().unwrap();
        let of_match = teams.iter().flat_map(|team| {
            let list = team["bans"].as_array().unwrap().iter();
            list.map(move |ban| [&team["teamId"], &ban["pickTurn"], &ban["championId"]])
        });
        for (at, ban) in of_match.enumerate() {
            let cells = ban.map(|number| Some(number.to_string())).into_iter();
            bans.push(row(*id, &json!(at + 1), cells));
        }
        let version: Vec<&str> = info["gameVersion"].as_str().unwrap().split('.').collect();
        let patch = (version.len() > 1).then(|| version[..2].join("."));
        patches.push(vec![Some(id.to_string()), patch]);
        for one in info["participants"].as_array().unwrap() {
            let styles = one["perks"]["styles"].as_array().unwrap().iter();
            let chosen = styles.flat_map(|style| style["selections"].as_array().unwrap());
            runes += chosen.filter(|rune| rune["perk"] != 0).count();
        }
    }
    // As the database sorts, and not as ids of matches do.
    bans.sort_by_key(|row| {
        (
            row[0].clone(),
            row[1].as_ref().unwrap().parse::<i64>().unwrap(),
        )
    });
    patches.sort();
    let stored = place.rows(
        "SELECT match_id, ban, team_id, turn, champion_id FROM match_bans ORDER BY match_id, ban",
    );
    assert_eq!(stored, bans);
    assert!(bans.len() > 200);
    assert_eq!(
        place.rows("SELECT match_id, patch FROM matches ORDER BY match_id"),
        patches
    );
    let count = place
        .rows("SELECT count(*) FROM match_runes")
        .remove(0)
        .remove(0);
    assert_eq!(count.unwrap(), runes.to_string());
}

#[tokio::test]
async fn every_column_of_every_real_match_is_what_its_json_says_on_both_databases() {
    let documents: BTreeMap<MatchId, (Vec<u8>, Value)> = samples("matches")
        .into_iter()
        .map(|(id, text)| {
            let document = serde_json::from_slice(&text).unwrap();
            (id, (text, document))
        })
        .collect();
    if documents.is_empty() {
        return;
    }
    assert!(documents.len() >= 37);
    check(Place::sqlite(), &documents).await;
    check(Place::postgres(), &documents).await;
}

/// A document whose teams and numbers are as nobody expects them.
fn odd_match() -> Value {
    let participant = json!({ "participantId": 1, "championName": "Ryze", "teamId": 100, "totalDamageDealt": "12",
        "wardsPlaced": 70_000, "firstBloodKill": 1, "doubleKills": null, "tripleKills": [3], "timePlayed": 9e99, "totalHeal": i32::MIN,
        "challenges": [], "perks": { "statPerks": 5, "styles": [{ "description": "primaryStyle", "style": 8_000,
            "selections": [{ "perk": 8_005, "var1": "7" }, null, 7] }] } });
    json!({ "metadata": { "matchId": "EUW1_7" }, "info": { "gameDuration": 1_500, "gameStartTimestamp": 1_741_000_000_000_i64,
        "gameEndTimestamp": 1_741_001_500_000_i64, "gameMode": "CLASSIC", "gameVersion": "16.4\u{7}.1",
        "participants": [participant], "teams": [
            { "teamId": 100, "win": "true", "bans": [{ "championId": -1, "pickTurn": 1 }, null, { "championId": {} }],
              "objectives": { "baron": { "first": 7, "kills": 2 }, "dragon": null }, "feats": [] },
            { "teamId": 100, "bans": 5 }, null, 7, { "teamId": "x", "bans": [{ "championId": 13 }] }] } })
}

#[tokio::test]
async fn odd_values_of_teams_and_details_are_nothing_and_cost_no_match() {
    let id: MatchId = "EUW1_7".parse().unwrap();
    let text = serde_json::to_vec(&odd_match()).unwrap();
    let understood = understand_match(id, &text).unwrap();
    for name in [
        "totalDamageDealt",
        "wardsPlaced",
        "firstBloodKill",
        "tripleKills",
        "totalHeal",
        "challenges",
        "statPerks",
        "teamId",
        "bans",
    ] {
        assert!(
            understood.odd.names().contains(&name),
            "{name}: {:?}",
            understood.odd
        );
    }
    for place in [Place::sqlite(), Place::postgres()] {
        let store = place.open().await;
        let effect = Effect::Match {
            record: Arc::new(understood.record.clone()),
            payload: payload(&text),
            key_fingerprint: "f".into(),
        };
        write(&*store, vec![vec![effect]]).await;
        store.close().await.unwrap();
        let is = |query: &str, expected: &[&[&str]]| {
            let rows = place.rows(query);
            let rows: Vec<Vec<&str>> = rows
                .iter()
                .map(|row| {
                    row.iter()
                        .map(|cell| cell.as_deref().unwrap_or("-"))
                        .collect()
                })
                .collect();
            assert_eq!(rows, expected, "{query}");
        };
        is("SELECT patch FROM matches", &[&["16.4"]]);
        is(
            "SELECT dealt, taken, healed FROM participant_damage",
            &[&["12", "-", "-"]],
        );
        is(
            "SELECT double_kills, triple_kills, first_blood_kill, time_played_s, solo_kills FROM participant_combat",
            &[&["-", "-", "1", "-", "-"]],
        );
        is("SELECT wards_placed FROM participant_vision", &[&["-"]]);
        is(
            "SELECT stat_offense, rune0, rune0_var1, rune1, rune4 FROM participant_loadout",
            &[&["-", "8005", "7", "-", "-"]],
        );
        is(
            "SELECT team_id, win, baron_first, baron_kills, dragon_kills, feat_first_blood FROM match_teams",
            &[&["100", "1", "-", "2", "-", "-"]],
        );
        is(
            "SELECT ban, team_id, turn, champion_id FROM match_bans ORDER BY ban",
            &[
                &["1", "100", "1", "-1"],
                &["2", "100", "-", "-"],
                &["3", "-", "-", "13"],
            ],
        );
    }
}
