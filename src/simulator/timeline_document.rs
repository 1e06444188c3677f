//! The match-v5 timeline of a match: `GET /lol/match/v5/matches/{id}/timeline`.
//!
//! One frame a minute, and one at the end of the game. All of it is the script's text but the head,
//! the last event's ids and the list of participants.

use crate::game::{Era, GameKind};
use crate::gzip::{self, Gap, Stencil};
use crate::hash::Draw;
use crate::json::Json;
use crate::match_document::metadata;
use crate::people::{KeyScope, Player};
use crate::script::{ScoreLine, Script, Shape};
use crate::tables::level_at;
use crate::timeline_events::{self, Event};
use crate::world::{Found, World};

/// The document as gzip or as it is; none if it is a 404.
pub fn write(world: &World, found: &Found<'_>, scope: KeyScope, gzip: bool) -> Option<Vec<u8>> {
    if !found.facts.has_timeline {
        return None;
    }
    let roster = world.roster(found.platform, found.game);
    let GameKind::Played(shape) = found.facts.kind else {
        let text = empty(world, found, scope, &roster);
        return Some(if gzip {
            gzip::gzip(text.as_bytes())
        } else {
            text.into_bytes()
        });
    };
    let gaps = [
        head(world, found, scope, &roster),
        game_end(found),
        tail(world, found, scope, &roster),
    ];
    if gzip {
        let slices: Vec<&[u8]> = gaps.iter().map(String::as_bytes).collect();
        return Some(
            world
                .library()
                .timeline_text(shape, found.facts.script)
                .fill(&slices),
        );
    }
    let fixed = fixed_texts(&world.library().script(shape, found.facts.script));
    Some(
        [&gaps[0], &fixed[0], &gaps[1], &fixed[1], &gaps[2]]
            .map(String::as_str)
            .concat()
            .into_bytes(),
    )
}

pub fn stencil(script: &Script) -> Stencil {
    let [frames, end] = fixed_texts(script);
    Stencil::new(&[(Gap::Any, &frames), (Gap::Any, &end)])
}

fn head(world: &World, found: &Found<'_>, scope: KeyScope, roster: &[Player]) -> String {
    let mut json = Json::new();
    json.open();
    metadata(&mut json, world, found, scope, roster);
    json.key("info").open();
    if found.game.era() == Era::RiotIds {
        json.text(
            "endOfGameResult",
            if found.facts.aborted {
                "Abort_Unexpected"
            } else {
                "GameComplete"
            },
        );
    }
    json.int("frameInterval", 60_000)
        .key("frames")
        .open_list()
        .open()
        .key("events")
        .open_list();
    json.open()
        .int("realTimestamp", found.game.start.as_millis())
        .int("timestamp", 0)
        .text("type", "PAUSE_END")
        .close();
    json.into_text()
}

/// The beginning of the last event.
fn game_end(found: &Found<'_>) -> String {
    let mut json = Json::new();
    json.open().int("gameId", found.game.id as i64);
    json.int("realTimestamp", found.game.end(&found.facts).as_millis());
    json.into_text()
}

fn tail(world: &World, found: &Found<'_>, scope: KeyScope, roster: &[Player]) -> String {
    let mut json = Json::new();
    json.raw(",")
        .int("gameId", found.game.id as i64)
        .key("participants")
        .open_list();
    let people = roster
        .iter()
        .map(|player| world.people().puuid(*player, scope).to_string());
    let bots = usize::from(found.facts.kind == GameKind::Played(Shape::Bots)) * 5;
    for (id, puuid) in (1..).zip(people.chain(std::iter::repeat_n("BOT".to_owned(), bots))) {
        json.open()
            .int("participantId", id)
            .text("puuid", &puuid)
            .close();
    }
    json.close_list().close().close();
    json.into_text()
}

/// The timeline of a match that never began.
fn empty(world: &World, found: &Found<'_>, scope: KeyScope, roster: &[Player]) -> String {
    let mut json = Json::new();
    json.open();
    metadata(&mut json, world, found, scope, roster);
    json.key("info")
        .open()
        .text("endOfGameResult", "Abort_Unexpected")
        .int("frameInterval", 0);
    json.key("frames")
        .open_list()
        .open()
        .key("events")
        .open_list()
        .open();
    json.int("gameId", found.game.id as i64)
        .int("realTimestamp", found.game.start.as_millis() + 14);
    json.int("timestamp", 0)
        .text("type", "GAME_END")
        .int("winningTeam", 0)
        .close()
        .close_list();
    json.key("participantFrames")
        .raw("null")
        .int("timestamp", 0)
        .close()
        .close_list();
    json.int("gameId", 0)
        .key("participants")
        .open_list()
        .close_list()
        .close()
        .close();
    json.into_text()
}

/// When a frame was taken: each minute a little late, as real ones are, and never after the end.
fn frame_ms(script: &Script, frame: u32) -> u32 {
    if frame > script.minutes() {
        script.length_ms
    } else {
        frame * 60_000 + frame * 7
    }
}

/// The text after the first event up to the last event's ids, and from there to the end of the frames.
fn fixed_texts(script: &Script) -> [String; 2] {
    let events = timeline_events::all(script);
    let mut events = events.iter().peekable();
    let mut json = Json::new();
    let last = script.minutes() + 1;
    for frame in 0..=last {
        let until_ms = frame_ms(script, frame);
        if frame == 0 {
            json.close_list();
        } else {
            json.open().key("events").open_list();
        }
        while let Some(Event { json: text, .. }) =
            events.next_if(|event| frame == last || event.at_ms <= until_ms)
        {
            json.raw(text);
        }
        if frame < last {
            if frame > 0 {
                json.close_list();
            }
            frame_rest(&mut json, script, until_ms);
        }
    }
    let mut frames = json.into_text();
    // The gap begins with an object: it needs its comma if events stand before it.
    if !frames.ends_with('[') {
        frames.push(',');
    }
    let mut json = Json::new();
    json.raw(",")
        .int("timestamp", script.length_ms)
        .text("type", "GAME_END");
    json.int(
        "winningTeam",
        script
            .winner
            .map_or(0, |side| if side == 0 { 100 } else { 200 }),
    )
    .close()
    .close_list();
    frame_rest(&mut json, script, script.length_ms);
    json.close_list();
    [frames, json.into_text()]
}

/// A frame behind its events.
fn frame_rest(json: &mut Json, script: &Script, at_ms: u32) {
    json.key("participantFrames").open();
    for (index, line) in script.lines.iter().enumerate() {
        json.key(&(index + 1).to_string());
        participant_frame(json, script, line, index as u32 + 1, at_ms);
    }
    json.close().int("timestamp", at_ms).close();
}

/// How much of a game's total a participant has by then, in parts of 1: slow at first. Chosen so
/// that it can be undone with a square root, which every machine computes alike.
fn progress(script: &Script, at_ms: u32) -> f64 {
    let x = f64::from(at_ms) / f64::from(script.length_ms);
    0.7 * x + 0.3 * x * x
}

/// The moment at which that much is reached.
pub(super) fn moment_of(script: &Script, part: f64) -> u32 {
    let x = ((0.49 + 1.2 * part).sqrt() - 0.7) / 0.6;
    whole(x * f64::from(script.length_ms))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // products of a count and a part of 1
fn whole(value: f64) -> u32 {
    value as u32
}

fn participant_frame(json: &mut Json, script: &Script, line: &ScoreLine, id: u32, at_ms: u32) {
    let mut draw = Draw::new(line.seed ^ u64::from(at_ms));
    let done = progress(script, at_ms);
    let part = |total: u32| whole(f64::from(total) * done);
    let level = level_at(part(line.xp));
    let (magic, grown) = (line.champion.magic, level - 1);
    let health_max = 600 + grown * 95 + part(line.gold) / 30;
    let power_max = 300 + grown * 45;
    json.open();
    json.key("championStats").open();
    json.int("abilityHaste", part(line.gold) / 700 * 5);
    json.int("abilityPower", if magic { part(line.gold) / 30 } else { 0 });
    json.int("armor", 30 + grown * 4)
        .int("armorPen", 0)
        .int("armorPenPercent", if done > 0.7 && !magic { 30 } else { 0 });
    json.int(
        "attackDamage",
        58 + grown * 3 + if magic { 0 } else { part(line.gold) / 80 },
    );
    json.int("attackSpeed", 100 + grown * 3)
        .int("bonusArmorPenPercent", 0)
        .int("bonusMagicPenPercent", 0);
    json.int("ccReduction", if level > 6 { 10 } else { 0 })
        .int("cooldownReduction", 0);
    json.int(
        "health",
        if at_ms == 0 {
            health_max
        } else {
            health_max * (25 + draw.below(76)) / 100
        },
    );
    json.int("healthMax", health_max)
        .int("healthRegen", 8 + grown)
        .int("lifesteal", 0);
    json.int("magicPen", if magic && level > 8 { 18 } else { 0 })
        .int("magicPenPercent", 0)
        .int("magicResist", 32 + grown * 2);
    json.int("movementSpeed", if level < 4 { 335 } else { 380 })
        .int("omnivamp", 0)
        .int("physicalVamp", 0);
    json.int("power", power_max * (20 + draw.below(81)) / 100)
        .int("powerMax", power_max)
        .int("powerRegen", 8 + grown);
    json.int("spellVamp", 0).close();
    json.int(
        "currentGold",
        if at_ms == 0 {
            500
        } else {
            i64::from(draw.below(1400)) - 20
        },
    );
    json.key("damageStats").open();
    for (list, suffix) in [
        (&line.damage_all, "DamageDone"),
        (&line.damage, "DamageDoneToChampions"),
        (&line.taken, "DamageTaken"),
    ] {
        let so_far = list.map(part);
        for (kind, amount) in ["magic", "physical", "true"].iter().zip(so_far) {
            json.int(&format!("{kind}{suffix}"), amount);
        }
        json.int(&format!("total{suffix}"), so_far.iter().sum::<u32>());
    }
    json.close();
    json.int("goldPerSecond", 0)
        .int("jungleMinionsKilled", part(line.neutral))
        .int("level", level);
    json.int("minionsKilled", part(line.minions))
        .int("participantId", id);
    let home = if line.side == 0 { 500 } else { 14_300 };
    let roam = if at_ms == 0 {
        0
    } else {
        i64::from(draw.below(9_000))
    };
    let (x, y) = if line.side == 0 {
        (home + roam, home + draw.between(0, roam))
    } else {
        (home - roam, home - draw.between(0, roam))
    };
    json.key("position").open().int("x", x).int("y", y).close();
    json.int(
        "timeEnemySpentControlled",
        part(line.deaths * 9_000 + 20_000),
    );
    json.int("totalGold", 500 + part(line.gold - 500))
        .int("xp", part(line.xp))
        .close();
}
