//! The `challenges` object: a hundred counters, most of them 0, whose number types are loose.
//!
//! The names and how often each is not 0 follow real documents of 2024 to 2026. What can be worked
//! out from the rest of the participant (kda, shares, per minute) is; the others are drawn.

use crate::game::Era;
use crate::hash::Draw;
use crate::json::Json;
use crate::script::{ScoreLine, Script};

/// Name, how many times in a thousand it is not 0, and then at most how much.
#[rustfmt::skip] // a table reads by rows
const COUNTERS: [(&str, u32, u32); 86] = [
    ("12AssistStreakCount", 70, 1), ("abilityUses", 1000, 500), ("acesBefore15Minutes", 5, 1),
    ("alliedJungleMonsterKills", 320, 70), ("baronTakedowns", 380, 2), ("blastConeOppositeOpponentCount", 5, 1),
    ("buffsStolen", 150, 3), ("completeSupportQuestInTime", 170, 1), ("controlWardsPlaced", 680, 7),
    ("dancedWithRiftHerald", 5, 1), ("dodgeSkillShotsSmallWindow", 430, 12), ("doubleAces", 5, 1),
    ("dragonTakedowns", 620, 4), ("earlyLaningPhaseGoldExpAdvantage", 130, 1), ("elderDragonKillsWithOpposingSoul", 0, 1),
    ("elderDragonMultikills", 0, 1), ("enemyChampionImmobilizations", 780, 60), ("enemyJungleMonsterKills", 300, 20),
    ("epicMonsterKillsNearEnemyJungler", 80, 2), ("epicMonsterKillsWithin30SecondsOfSpawn", 70, 2),
    ("epicMonsterSteals", 20, 1), ("epicMonsterStolenWithoutSmite", 5, 1), ("firstTurretKilled", 500, 1),
    ("flawlessAces", 170, 1), ("fullTeamTakedown", 500, 3), ("getTakedownsInAllLanesEarlyJungleAsLaner", 10, 1),
    ("hadOpenNexus", 10, 1), ("immobilizeAndKillWithAlly", 750, 10), ("initialBuffCount", 200, 3),
    ("initialCrabCount", 150, 2), ("junglerTakedownsNearDamagedEpicMonster", 80, 2),
    ("kTurretsDestroyedBeforePlatesFall", 120, 1), ("killAfterHiddenWithAlly", 550, 5),
    ("killedChampTookFullTeamDamageSurvived", 20, 1), ("killsNearEnemyTurret", 570, 6),
    ("killsOnOtherLanesEarlyJungleAsLaner", 120, 2), ("killsOnRecentlyHealedByAramPack", 0, 1),
    ("killsUnderOwnTurret", 300, 3), ("killsWithHelpFromEpicMonster", 130, 1), ("knockEnemyIntoTeamAndKill", 330, 8),
    ("landSkillShotsEarlyGame", 750, 12), ("laneMinionsFirst10Minutes", 930, 80), ("laningPhaseGoldExpAdvantage", 170, 1),
    ("legendaryCount", 30, 1), ("lostAnInhibitor", 10, 1), ("maxKillDeficit", 420, 5), ("maxLevelLeadLaneOpponent", 950, 3),
    ("mejaisFullStackInTime", 5, 1), ("multiKillOneSpell", 50, 1), ("multiTurretRiftHeraldCount", 0, 1),
    ("multikillsAfterAggressiveFlash", 30, 1), ("outerTurretExecutesBefore10Minutes", 0, 1), ("outnumberedKills", 500, 3),
    ("outnumberedNexusKill", 0, 1), ("perfectDragonSoulsTaken", 80, 1), ("perfectGame", 5, 1), ("pickKillWithAlly", 980, 17),
    ("playedChampSelectPosition", 1000, 1), ("poroExplosions", 0, 1), ("quickCleanse", 20, 1), ("quickFirstTurret", 10, 1),
    ("quickSoloKills", 50, 1), ("riftHeraldTakedowns", 250, 1), ("saveAllyFromDeath", 50, 1), ("scuttleCrabKills", 280, 6),
    ("skillshotsDodged", 1000, 80), ("skillshotsHit", 820, 70), ("snowballsHit", 0, 1), ("soloBaronKills", 0, 1),
    ("soloKills", 550, 3), ("stealthWardsPlaced", 1000, 15), ("survivedSingleDigitHpCount", 70, 1),
    ("survivedThreeImmobilizesInFight", 550, 7), ("takedownOnFirstTurret", 130, 1),
    ("takedownsAfterGainingLevelAdvantage", 30, 1), ("takedownsBeforeJungleMinionSpawn", 80, 1),
    ("takedownsFirstXMinutes", 930, 10), ("takedownsInAlcove", 170, 1), ("takedownsInEnemyFountain", 30, 1),
    ("teamBaronKills", 500, 2), ("teamElderDragonKills", 0, 1), ("teamRiftHeraldKills", 500, 1),
    ("tookLargeDamageSurvived", 20, 1), ("turretPlatesTaken", 500, 8), ("twoWardsOneSweeperCount", 100, 2),
    ("wardsGuarded", 200, 3),
];

/// As above, since 2024.
#[rustfmt::skip] // a table reads by rows
const LATER: [(&str, u32, u32); 12] = [
    ("InfernalScalePickup", 20, 8), ("fistBumpParticipation", 140, 2), ("voidMonsterKill", 600, 4),
    ("SWARM_DefeatAatrox", 0, 1), ("SWARM_DefeatBriar", 0, 1), ("SWARM_DefeatMiniBosses", 0, 1),
    ("SWARM_EvolveWeapon", 0, 1), ("SWARM_Have3Passives", 0, 1), ("SWARM_KillEnemy", 0, 1), ("SWARM_PickupGold", 0, 1),
    ("SWARM_ReachLevel50", 0, 1), ("SWARM_WinWith5EvolvedWeapons", 0, 1),
];

/// Fields that are missing where they have no value: name, how many times in a thousand it is there,
/// and the range. Floats of single precision, as the game server writes them.
const RARE: [(&str, u32, f64, f64); 7] = [
    ("controlWardTimeCoverageInRiverOrEnemyHalf", 570, 0.25, 0.85),
    ("earliestBaron", 400, 1230.0, 1720.0),
    ("earliestDragonTakedown", 620, 400.0, 1700.0),
    ("fastestLegendary", 30, 900.0, 1400.0),
    ("firstTurretKilledTime", 500, 600.0, 970.0),
    ("shortestTimeToAceFromFirstTakedown", 100, 10.0, 30.0),
    ("teleportTakedowns", 60, 1.0, 3.0),
];

pub fn write(json: &mut Json, script: &Script, line: &ScoreLine, era: Era) {
    let mut draw = Draw::new(line.seed ^ 0xC4A1);
    json.key("challenges").open();
    let later = if era == Era::RiotIds { &LATER[..] } else { &[] };
    for (name, per_mille, most) in COUNTERS.iter().chain(later) {
        json.int(
            name,
            if draw.chance(*per_mille) {
                1 + draw.below(*most)
            } else {
                0
            },
        );
    }
    for (name, per_mille, low, high) in RARE {
        let value = low + (high - low) * draw.unit();
        if draw.chance(per_mille) {
            json.float(name, single(value));
        }
    }
    worked_out(json, script, line);
    drawn_floats(json, line, &mut draw);
    json.key("legendaryItemUsed").open_list();
    for item in line.items[1..6].iter().filter(|item| **item > 2999) {
        json.value(*item);
    }
    json.close_list().close();
}

fn worked_out(json: &mut Json, script: &Script, line: &ScoreLine) {
    let clock_s = f64::from(script.length_ms) / 1000.0;
    let minutes = clock_s / 60.0;
    let takedowns = line.kills + line.assists;
    let damage: u32 = line.damage.iter().sum();
    let team = script.lines.iter().filter(|other| other.side == line.side);
    let of_team = |mine: u32, whole: u32| f64::from(mine) / f64::from(whole.max(1));
    let team_damage: u32 = team
        .clone()
        .map(|other| other.damage.iter().sum::<u32>())
        .sum();
    let team_taken: u32 = team.map(|other| other.taken.iter().sum::<u32>()).sum();
    let vision = line.wards + line.wards_killed * 2 + line.control_wards * 2;
    json.float("gameLength", clock_s);
    json.float("kda", f64::from(takedowns) / f64::from(line.deaths.max(1)));
    json.int("takedowns", takedowns)
        .int("deathsByEnemyChamps", line.deaths);
    json.float(
        "killParticipation",
        of_team(takedowns, script.side_kills(line.side)),
    );
    json.float("goldPerMinute", f64::from(line.gold) / minutes);
    json.float("damagePerMinute", f64::from(damage) / minutes);
    json.float("visionScorePerMinute", f64::from(vision) / minutes);
    json.float("teamDamagePercentage", of_team(damage, team_damage));
    json.float(
        "damageTakenOnTeamPercentage",
        of_team(line.taken.iter().sum(), team_taken),
    );
    json.int("multikills", line.multi.iter().sum::<u32>())
        .int("killingSprees", line.sprees);
    json.int("turretTakedowns", line.turrets)
        .int("turretsTakenWithRiftHerald", 0);
    json.int("wardTakedowns", line.wards_killed)
        .int("wardTakedownsBefore20M", line.wards_killed / 2);
    json.int("twentyMinionsIn3SecondsCount", 0)
        .int("unseenRecalls", 0);
}

/// Integers in one game and floats in the next, and numbers below 0.
fn drawn_floats(json: &mut Json, line: &ScoreLine, draw: &mut Draw) {
    let bounty = if draw.chance(400) {
        draw.unit() * 900.0
    } else {
        0.0
    };
    json.float("bountyGold", single(bounty));
    json.float(
        "HealFromMapSources",
        if draw.chance(530) {
            single(draw.unit() * 700.0)
        } else {
            0.0
        },
    );
    let support = line.role == 4 && line.champion.magic;
    json.float(
        "effectiveHealAndShielding",
        if support {
            single(draw.unit() * 6000.0)
        } else {
            0.0
        },
    );
    let jungler = line.role == 1;
    json.float(
        "jungleCsBefore10Minutes",
        if jungler {
            single(40.0 + draw.unit() * 32.0)
        } else {
            0.0
        },
    );
    json.float(
        "moreEnemyJungleThanOpponent",
        if jungler {
            single(draw.unit() * 60.0 - 30.0)
        } else {
            0.0
        },
    );
    json.float("maxCsAdvantageOnLaneOpponent", f64::from(draw.below(60)));
    json.float(
        "visionScoreAdvantageLaneOpponent",
        single(draw.unit() * 1.5 - 0.5),
    );
}

/// The nearest number of single precision: what the game server had before it was written as JSON.
#[allow(clippy::cast_possible_truncation)] // that is the point
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}
