//! One participant of a match document, without who it is: two hundred numbers of a game.

use crate::challenges;
use crate::game::Era;
use crate::hash::Draw;
use crate::json::Json;
use crate::script::{ScoreLine, Script, Shape};
use crate::tables::{LANE_ROLES, LANES, POSITIONS, RUNES, SPELLS};

/// A bot's identity: `BOT` in place of ids, repeated for every bot.
pub fn bot_identity(json: &mut Json, line: &ScoreLine, era: Era) {
    json.int("profileIcon", 0).text("puuid", "BOT");
    match era {
        Era::RiotIds => {
            json.text("riotIdGameName", &format!("{} bot", line.champion.name))
                .text("riotIdTagline", "BOT");
        }
        Era::SummonerNames => {
            json.text("riotIdName", "").text("riotIdTagline", "");
        }
        Era::Milliseconds => {}
    }
    json.text("summonerName", &format!("{} bot", line.champion.name));
    json.int("summonerLevel", 1).text("summonerId", "BOT");
}

/// Everything but the identity, inside of the participant's object.
pub fn write(json: &mut Json, script: &Script, index: usize, era: Era) {
    let line = &script.lines[index];
    let mut draw = Draw::new(line.seed ^ 0x9A27);
    json.int("participantId", index as i64 + 1);
    json.int("championId", line.champion.id)
        .text("championName", line.champion.name);
    json.int("championTransform", 0)
        .int("champLevel", line.level())
        .int("champExperience", line.xp);
    outcome(json, script, line, era);
    combat(json, line, &mut draw);
    objectives(json, script, index);
    economy(json, line, &mut draw);
    vision(json, line);
    casts(json, script, line, &mut draw);
    runes(json, script, line, &mut draw);
    if era != Era::Milliseconds {
        pings(json, line, era, &mut draw);
        if !line.bot {
            challenges::write(json, script, line, era);
        }
    }
    if era == Era::RiotIds {
        modern(json, script, line, &mut draw);
    } else {
        json.int("bountyLevel", draw.below(4));
    }
}

fn outcome(json: &mut Json, script: &Script, line: &ScoreLine, era: Era) {
    let remake = script.shape == Shape::Remake;
    let arena = script.shape == Shape::Arena;
    json.flag("win", line.win)
        .int("teamId", if line.side == 0 { 100 } else { 200 });
    json.flag("gameEndedInEarlySurrender", remake)
        .flag("gameEndedInSurrender", script.surrendered);
    json.flag("teamEarlySurrendered", remake && !line.win);
    if era != Era::Milliseconds {
        json.flag("eligibleForProgression", !remake);
    }
    json.int("timePlayed", script.duration_s());
    let rift = !matches!(script.shape, Shape::Arena | Shape::Aram);
    json.text(
        "individualPosition",
        if rift {
            POSITIONS[line.role]
        } else {
            "Invalid"
        },
    );
    json.text("teamPosition", if rift { POSITIONS[line.role] } else { "" });
    json.text("lane", if rift { LANES[line.role] } else { "NONE" });
    json.text(
        "role",
        if rift {
            LANE_ROLES[line.role]
        } else if arena {
            "SUPPORT"
        } else {
            "DUO"
        },
    );
}

fn combat(json: &mut Json, line: &ScoreLine, draw: &mut Draw) {
    json.int("kills", line.kills)
        .int("deaths", line.deaths)
        .int("assists", line.assists);
    for (name, count) in ["doubleKills", "tripleKills", "quadraKills", "pentaKills"]
        .iter()
        .zip(line.multi)
    {
        json.int(name, count);
    }
    let largest = line
        .multi
        .iter()
        .rposition(|count| *count > 0)
        .map_or(u32::from(line.kills > 0), |i| i as u32 + 2);
    json.int("largestMultiKill", largest).int("unrealKills", 0);
    json.int("killingSprees", line.sprees);
    json.int(
        "largestKillingSpree",
        if line.spree_max > 1 {
            line.spree_max
        } else {
            0
        },
    );
    json.int(
        "largestCriticalStrike",
        if line.champion.magic {
            0
        } else {
            draw.between(0, 900)
        },
    );
    json.int("longestTimeSpentLiving", draw.between(200, 900))
        .int("totalTimeSpentDead", line.dead_s);
    for (list, suffix) in [
        (&line.damage_all, "DamageDealt"),
        (&line.damage, "DamageDealtToChampions"),
        (&line.taken, "DamageTaken"),
    ] {
        for (kind, amount) in ["magic", "physical", "true"].iter().zip(list) {
            json.int(&format!("{kind}{suffix}"), *amount);
        }
        json.int(&format!("total{suffix}"), list.iter().sum::<u32>());
    }
    json.int(
        "damageSelfMitigated",
        line.taken.iter().sum::<u32>() * (40 + draw.below(50)) / 100,
    );
    json.int(
        "totalHeal",
        line.damage_all.iter().sum::<u32>() * draw.below(10) / 100 + 300,
    );
    let support = line.role == 4 && line.champion.magic;
    json.int(
        "totalHealsOnTeammates",
        if support { draw.between(0, 8000) } else { 0 },
    );
    json.int(
        "totalDamageShieldedOnTeammates",
        if support { draw.between(0, 5000) } else { 0 },
    );
    json.int("totalUnitsHealed", 1 + draw.below(4));
    json.int("timeCCingOthers", draw.between(2, 60))
        .int("totalTimeCCDealt", draw.between(40, 600));
}

fn objectives(json: &mut Json, script: &Script, index: usize) {
    let line = &script.lines[index];
    let first = script.kills.first();
    json.flag(
        "firstBloodKill",
        first.is_some_and(|kill| kill.killer == index),
    );
    json.flag(
        "firstBloodAssist",
        first.is_some_and(|kill| kill.assists.contains(&index)),
    );
    json.flag(
        "firstTowerKill",
        script
            .buildings
            .first()
            .is_some_and(|building| building.killer == Some(index)),
    );
    json.flag("firstTowerAssist", false);
    let lost = |inhibitors| {
        let mine = script
            .buildings
            .iter()
            .filter(|building| building.loser == line.side);
        mine.filter(|b| (b.kind == crate::script::BuildingKind::Inhibitor) == inhibitors)
            .count() as i64
    };
    json.int("turretKills", line.turrets)
        .int("turretTakedowns", line.turrets)
        .int("turretsLost", lost(false));
    json.int("inhibitorKills", line.inhibitors)
        .int("inhibitorTakedowns", line.inhibitors)
        .int("inhibitorsLost", lost(true));
    let nexus_fell = script.winner.is_some_and(|winner| winner != line.side) && !script.surrendered;
    json.int("nexusKills", 0)
        .int("nexusTakedowns", 0)
        .int("nexusLost", i32::from(nexus_fell));
    json.int("dragonKills", line.dragons)
        .int("baronKills", line.barons);
    json.int("objectivesStolen", 0)
        .int("objectivesStolenAssists", 0);
    let turrets = line.turrets * 2100;
    json.int("damageDealtToTurrets", turrets)
        .int("damageDealtToBuildings", turrets + line.inhibitors * 1800);
    json.int(
        "damageDealtToObjectives",
        turrets + line.dragons * 5600 + line.barons * 8900 + line.neutral * 6,
    );
}

fn economy(json: &mut Json, line: &ScoreLine, draw: &mut Draw) {
    json.int("goldEarned", line.gold)
        .int("goldSpent", line.gold - line.gold * draw.below(12) / 100);
    json.int("totalMinionsKilled", line.minions)
        .int("neutralMinionsKilled", line.neutral);
    for (slot, item) in line.items.iter().enumerate() {
        json.int(&format!("item{slot}"), *item);
    }
    json.int("itemsPurchased", 12 + draw.below(18))
        .int("consumablesPurchased", draw.below(9));
}

fn vision(json: &mut Json, line: &ScoreLine) {
    json.int(
        "visionScore",
        line.wards + line.wards_killed * 2 + line.control_wards * 2,
    );
    json.int("wardsPlaced", line.wards)
        .int("wardsKilled", line.wards_killed);
    json.int("detectorWardsPlaced", line.control_wards)
        .int("visionWardsBoughtInGame", line.control_wards);
    json.int("sightWardsBoughtInGame", 0);
}

fn casts(json: &mut Json, script: &Script, line: &ScoreLine, draw: &mut Draw) {
    let minutes = i64::from(script.minutes()) + 1;
    for (spell, per_minute) in (1..=4).zip([5, 3, 2, 1]) {
        json.int(
            &format!("spell{spell}Casts"),
            draw.between(minutes * per_minute / 2, minutes * per_minute * 2),
        );
    }
    let (first, second) = match (line.bot, script.shape) {
        (true, _) => (0, 0),
        (_, Shape::Arena) => (2202, 2201),
        (_, Shape::Aram) => (4, 32),
        _ => (4, SPELLS[line.role]),
    };
    json.int("summoner1Id", first)
        .int("summoner1Casts", draw.between(0, 1 + minutes / 5));
    json.int("summoner2Id", second)
        .int("summoner2Casts", draw.between(0, 1 + minutes / 4));
}

fn runes(json: &mut Json, script: &Script, line: &ScoreLine, draw: &mut Draw) {
    let none = script.shape == Shape::Arena || line.bot;
    let number = |value: u32| if none { 0 } else { value };
    let first = draw.below(4) as usize;
    let second = (first + 1 + draw.below(3) as usize) % 4;
    json.key("perks").open();
    json.key("statPerks").open();
    json.int("defense", number(5001))
        .int("flex", number(5008))
        .int("offense", number(5005))
        .close();
    json.key("styles").open_list();
    for (description, tree, count) in [
        ("primaryStyle", RUNES[first], 4),
        ("subStyle", RUNES[second], 2),
    ] {
        json.open()
            .text("description", description)
            .key("selections")
            .open_list();
        for row in 0..count {
            let perk = if row == 0 && count == 4 {
                *draw.pick(&tree.1)
            } else {
                tree.2[row * 2 % 6 + draw.below(2) as usize]
            };
            let vars = [
                draw.below(1500),
                if draw.chance(300) { draw.below(400) } else { 0 },
            ];
            json.open()
                .int("perk", number(perk))
                .int("var1", number(vars[0]))
                .int("var2", number(vars[1]))
                .int("var3", 0)
                .close();
        }
        json.close_list().int("style", number(tree.0)).close();
    }
    json.close_list().close();
}

fn pings(json: &mut Json, line: &ScoreLine, era: Era, draw: &mut Draw) {
    // What was sent once in a while, and what nobody sends.
    for (name, per_mille, most) in [
        ("allInPings", 100, 3),
        ("assistMePings", 470, 12),
        ("basicPings", 0, 1),
        ("commandPings", 800, 25),
        ("dangerPings", 0, 1),
        ("enemyMissingPings", 750, 20),
        ("enemyVisionPings", 520, 10),
        ("getBackPings", 480, 12),
        ("holdPings", 0, 1),
        ("needVisionPings", 170, 3),
        ("onMyWayPings", 800, 35),
        ("pushPings", 70, 2),
        ("visionClearedPings", 0, 1),
    ] {
        let sent = if !line.bot && draw.chance(per_mille) {
            draw.below(most) + 1
        } else {
            0
        };
        json.int(name, sent);
    }
    json.int(
        if era == Era::RiotIds {
            "retreatPings"
        } else {
            "baitPings"
        },
        0,
    );
}

/// Fields that came with Arena, Swarm and the patches since.
fn modern(json: &mut Json, script: &Script, line: &ScoreLine, draw: &mut Draw) {
    json.key("PlayerBehavior")
        .open()
        .int("PlayerBehavior_IsHeroInCombat", 0)
        .close();
    json.key("missions").open();
    for n in 0..12 {
        json.int(&format!("playerScore{n}"), 0);
    }
    json.close();
    let arena = script.shape == Shape::Arena;
    for n in 0..if arena { 9 } else { 0 } {
        json.float(
            &format!("PlayerScore{n}"),
            f64::from(draw.below(50_000)) / 16.0,
        );
    }
    json.int("placement", line.placement)
        .int("subteamPlacement", line.placement)
        .int("playerSubteamId", line.subteam);
    for n in 1..=6 {
        let augment = if arena && n <= 4 {
            1 + draw.below(250)
        } else {
            0
        };
        json.int(&format!("playerAugment{n}"), augment);
    }
    json.int(
        "roleBoundItem",
        if arena {
            0
        } else {
            1200 + line.role as i64 * 3
        },
    );
    json.int(
        "damageDealtToEpicMonsters",
        line.dragons * 5600 + line.barons * 8900,
    );
    let enemy = line.neutral * draw.below(20) / 100;
    json.int("totalEnemyJungleMinionsKilled", enemy)
        .int("totalAllyJungleMinionsKilled", line.neutral - enemy);
}
