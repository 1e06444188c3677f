//! The events of a timeline: what the script tells, and the shopping, warding and learning around it.

use crate::hash::Draw;
use crate::json::Json;
use crate::script::{Beast, BuildingKind, Kill, Script, Shape};
use crate::tables::{LEVEL_XP, PARTS};
use crate::timeline_document::moment_of;

#[derive(Debug)]
pub struct Event {
    pub at_ms: u32,
    pub json: String,
}

const LANES: [&str; 3] = ["TOP_LANE", "MID_LANE", "BOT_LANE"];
/// Fights are remembered blow by blow; this many kinds of blow for dealing and for taking.
const BLOWS_DEALT_MAX: u32 = 8;
const BLOWS_TAKEN_MAX: u32 = 18;

/// All events between the first (`PAUSE_END`) and the last (`GAME_END`), in the order of time.
pub fn all(script: &Script) -> Vec<Event> {
    let mut events = Vec::with_capacity(1200);
    for index in 0..script.lines.len() {
        learning(&mut events, script, index);
        shopping(&mut events, script, index);
        warding(&mut events, script, index);
    }
    for (number, kill) in script.kills.iter().enumerate() {
        killing(&mut events, script, number, kill);
    }
    buildings(&mut events, script);
    monsters(&mut events, script);
    events.sort_by_key(|event| event.at_ms);
    events
}

fn push(events: &mut Vec<Event>, at_ms: u32, kind: &str, write: impl FnOnce(&mut Json)) {
    let mut json = Json::new();
    json.open();
    write(&mut json);
    json.int("timestamp", at_ms).text("type", kind).close();
    events.push(Event {
        at_ms,
        json: json.into_text(),
    });
}

fn id(index: usize) -> i64 {
    index as i64 + 1
}

fn position(json: &mut Json, draw: &mut Draw) {
    json.key("position")
        .open()
        .int("x", draw.between(500, 14_300))
        .int("y", draw.between(500, 14_300))
        .close();
}

fn learning(events: &mut Vec<Event>, script: &Script, index: usize) {
    // Which spell is learnt at which level: the fourth at 6, 11 and 16.
    const ORDER: [u32; 18] = [1, 2, 3, 1, 1, 4, 1, 2, 1, 2, 4, 2, 2, 3, 3, 4, 3, 3];
    let line = &script.lines[index];
    for level in 1..=line.level() {
        let at_ms = if level == 1 {
            4_000
        } else {
            // A moment after the frame's rounding would show it.
            let needed = f64::from(LEVEL_XP[level as usize - 2]) / f64::from(line.xp);
            moment_of(script, needed).min(script.length_ms - 1_500)
        };
        if level > 1 {
            push(events, at_ms, "LEVEL_UP", |json| {
                json.int("level", level).int("participantId", id(index));
            });
        }
        push(events, at_ms + 900, "SKILL_LEVEL_UP", |json| {
            json.text("levelUpType", "NORMAL")
                .int("participantId", id(index))
                .int("skillSlot", ORDER[level as usize - 1]);
        });
    }
}

fn shopping(events: &mut Vec<Event>, script: &Script, index: usize) {
    let line = &script.lines[index];
    let mut draw = Draw::new(line.seed ^ 0x5409);
    let item = |events: &mut Vec<Event>, at_ms: u32, kind: &str, item: u32| {
        push(events, at_ms, kind, |json| {
            json.int("itemId", item).int("participantId", id(index));
        });
    };
    item(
        events,
        6_000 + draw.below(9_000),
        "ITEM_PURCHASED",
        line.items[6],
    );
    let whole: Vec<u32> = line.items[..6]
        .iter()
        .copied()
        .filter(|item| *item != 0)
        .collect();
    let room_ms = script.length_ms.saturating_sub(130_000);
    for (slot, bought) in (1_u32..).zip(&whole) {
        let visit_ms = 100_000 + room_ms / (whole.len() as u32 + 1) * slot;
        // Parts first, then what is made of them; the shop takes a second for each.
        let parts: Vec<u32> = (0..3).map(|_| *draw.pick(&PARTS)).collect();
        for (nth, part) in (0_u32..).zip(&parts) {
            item(
                events,
                visit_ms - 90_000 / (nth + 1),
                "ITEM_PURCHASED",
                *part,
            );
        }
        for part in &parts {
            item(events, visit_ms, "ITEM_DESTROYED", *part);
        }
        item(events, visit_ms, "ITEM_PURCHASED", *bought);
        if draw.chance(400) {
            item(events, visit_ms + 2_000, "ITEM_PURCHASED", 2055);
            item(events, visit_ms + 20_000, "ITEM_DESTROYED", 2055);
        }
        if draw.chance(60) {
            push(events, visit_ms + 4_000, "ITEM_UNDO", |json| {
                json.int("afterId", 0)
                    .int("beforeId", 2031)
                    .int("goldGain", 150)
                    .int("participantId", id(index));
            });
        }
    }
}

fn warding(events: &mut Vec<Event>, script: &Script, index: usize) {
    const KINDS: [&str; 4] = [
        "YELLOW_TRINKET",
        "YELLOW_TRINKET",
        "CONTROL_WARD",
        "SIGHT_WARD",
    ];
    let line = &script.lines[index];
    let mut draw = Draw::new(line.seed ^ 0x3A2D);
    let room_ms = script.length_ms - 40_000;
    for _ in 0..line.wards {
        let ward = *draw.pick(&KINDS);
        push(
            events,
            30_000 + draw.below(room_ms),
            "WARD_PLACED",
            |json| {
                json.int("creatorId", id(index)).text("wardType", ward);
            },
        );
    }
    for _ in 0..line.wards_killed {
        let ward = *draw.pick(&KINDS);
        push(events, 35_000 + draw.below(room_ms), "WARD_KILL", |json| {
            json.int("killerId", id(index)).text("wardType", ward);
        });
    }
}

fn killing(events: &mut Vec<Event>, script: &Script, number: usize, kill: &Kill) {
    let mut draw = Draw::new(script.seed ^ 0x6B11 ^ (number as u64) << 20);
    push(events, kill.at_ms, "CHAMPION_KILL", |json| {
        if !kill.assists.is_empty() {
            json.key("assistingParticipantIds").open_list();
            for assist in &kill.assists {
                json.value(id(*assist));
            }
            json.close_list();
        }
        json.int("bounty", 300 - i64::from(draw.below(3)) * 13)
            .int("killStreakLength", kill.streak)
            .int("killerId", id(kill.killer));
        position(json, &mut draw);
        json.int("shutdownBounty", if kill.streak > 3 { 150 } else { 0 });
        let mut attackers = vec![kill.killer];
        attackers.extend(&kill.assists);
        json.key("victimDamageDealt").open_list();
        for _ in 0..draw.below(BLOWS_DEALT_MAX) {
            let target = *draw.pick(&attackers);
            blow(json, script, kill.victim, target, &mut draw);
        }
        json.close_list().key("victimDamageReceived").open_list();
        for _ in 0..5 + draw.below(BLOWS_TAKEN_MAX - 5) {
            let attacker = *draw.pick(&attackers);
            blow(json, script, attacker, attacker, &mut draw);
        }
        json.close_list().int("victimId", id(kill.victim));
    });
    let mut special = |kind: &str, multi: u32| {
        push(events, kill.at_ms, "CHAMPION_SPECIAL_KILL", |json| {
            json.text("killType", kind).int("killerId", id(kill.killer));
            if multi > 1 {
                json.int("multiKillLength", multi);
            }
            position(json, &mut draw);
        });
    };
    if number == 0 {
        special("KILL_FIRST_BLOOD", 0);
    }
    if kill.multi > 1 {
        special("KILL_MULTI", kill.multi);
    }
}

/// One spell's or attack's damage in a fight, under the name of the champion that dealt it.
fn blow(json: &mut Json, script: &Script, dealer: usize, participant: usize, draw: &mut Draw) {
    let champion = script.lines[dealer].champion;
    let slot = draw.below(5);
    let spell =
        champion.name.to_ascii_lowercase() + ["q", "w", "e", "r", "basicattack"][slot as usize];
    let basic = slot == 4;
    let amount = 20 + draw.below(260);
    let magic = champion.magic && !basic;
    json.open()
        .flag("basic", basic)
        .int("magicDamage", if magic { amount } else { 0 });
    json.text("name", champion.name)
        .int("participantId", id(participant));
    json.int("physicalDamage", if magic { 0 } else { amount })
        .text("spellName", &spell);
    json.int("spellSlot", if basic { 64 } else { slot })
        .int("trueDamage", 0)
        .text("type", "OTHER")
        .close();
}

fn buildings(events: &mut Vec<Event>, script: &Script) {
    let mut draw = Draw::new(script.seed ^ 0xB01D);
    for building in &script.buildings {
        let aram = script.shape == Shape::Aram;
        let lane = if aram {
            "MID_LANE"
        } else {
            LANES[building.lane]
        };
        let team = if building.loser == 0 { 100 } else { 200 };
        let killer = building.killer.map_or(0, id);
        // A tower loses its plates in the minutes before it falls.
        if building.kind == BuildingKind::OuterTurret && !aram {
            for plate in 1..=draw.below(5) {
                push(
                    events,
                    building.at_ms.saturating_sub(plate * 35_000).max(90_000),
                    "TURRET_PLATE_DESTROYED",
                    |json| {
                        json.int("killerId", killer).text("laneType", lane);
                        position(json, &mut draw);
                        json.int("teamId", team);
                    },
                );
            }
        }
        push(events, building.at_ms, "BUILDING_KILL", |json| {
            let inhibitor = building.kind == BuildingKind::Inhibitor;
            json.int("bounty", 0).text(
                "buildingType",
                if inhibitor {
                    "INHIBITOR_BUILDING"
                } else {
                    "TOWER_BUILDING"
                },
            );
            json.int("killerId", killer).text("laneType", lane);
            position(json, &mut draw);
            json.int("teamId", team);
            match building.kind {
                BuildingKind::OuterTurret => {
                    json.text("towerType", "OUTER_TURRET");
                }
                BuildingKind::InnerTurret => {
                    json.text("towerType", "INNER_TURRET");
                }
                BuildingKind::BaseTurret => {
                    json.text("towerType", "BASE_TURRET");
                }
                BuildingKind::NexusTurret => {
                    json.text("towerType", "NEXUS_TURRET");
                }
                BuildingKind::Inhibitor => {}
            }
        });
    }
}

fn monsters(events: &mut Vec<Event>, script: &Script) {
    let mut draw = Draw::new(script.seed ^ 0x0D4A);
    for monster in &script.monsters {
        push(events, monster.at_ms, "ELITE_MONSTER_KILL", |json| {
            json.int("bounty", 0).int("killerId", id(monster.killer));
            json.int("killerTeamId", if monster.side == 0 { 100 } else { 200 });
            match monster.beast {
                Beast::Dragon(kind) => {
                    json.text("monsterSubType", kind)
                        .text("monsterType", "DRAGON");
                }
                Beast::Herald => {
                    json.text("monsterType", "RIFTHERALD");
                }
                Beast::Baron => {
                    json.text("monsterType", "BARON_NASHOR");
                }
            }
            position(json, &mut draw);
        });
    }
}
