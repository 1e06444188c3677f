//! The match-v5 document of a match: `GET /lol/match/v5/matches/{id}`.
//!
//! Per request only the head (moments, ids), who the participants are, and the tail are written;
//! all else is the script's text. The part about a person is always equally long within an era,
//! which is what lets the texts around it be compressed together: the old summoner id, a run of
//! random letters of no fixed length in the real API too, takes up the slack.

use crate::game::{Era, GameKind};
use crate::gzip::{self, Gap, Stencil};
use crate::hash::Draw;
use crate::json::Json;
use crate::participant;
use crate::people::{KeyScope, Player};
use crate::script::{Beast, BuildingKind, Script, Shape};
use crate::tables::CHAMPIONS;
use crate::world::{Found, World};
use riftsync_model::Puuid;

/// Letters of a player's name, tag, icon, level and summoner id together.
const PERSON_CHARS: usize = 62;
const SUMMONER_ID_CHARS_MIN: usize = 10;

/// The document as gzip or as it is; none if it is a 404.
pub fn write(world: &World, found: &Found<'_>, scope: KeyScope, gzip: bool) -> Option<Vec<u8>> {
    if !found.facts.has_match {
        return None;
    }
    let GameKind::Played(shape) = found.facts.kind else {
        let text = empty(world, found, scope);
        return Some(if gzip {
            gzip::gzip(text.as_bytes())
        } else {
            text.into_bytes()
        });
    };
    let era = found.game.era();
    let roster = world.roster(found.platform, found.game);
    let mut fits = true;
    let mut gaps: Vec<Vec<u8>> = Vec::with_capacity(roster.len() + 1);
    for player in &roster {
        let (person, fit) = person(world, *player, scope, found);
        fits &= fit;
        gaps.push(person.into_bytes());
    }
    let mut first = head(world, found, scope, &roster).into_bytes();
    first.append(&mut gaps[0]);
    gaps[0] = first;
    gaps.push(tail(found).into_bytes());
    if gzip && fits {
        let slices: Vec<&[u8]> = gaps.iter().map(Vec::as_slice).collect();
        return Some(
            world
                .library()
                .match_text(shape, era, found.facts.script)
                .fill(&slices),
        );
    }
    let fixed = fixed_texts(&world.library().script(shape, found.facts.script), era);
    let mut text = Vec::with_capacity(80_000);
    for (index, gap) in gaps.iter().enumerate() {
        text.extend_from_slice(gap);
        text.extend_from_slice(fixed.get(index).map_or(&[], String::as_bytes));
    }
    Some(if gzip { gzip::gzip(&text) } else { text })
}

pub fn stencil(script: &Script, era: Era) -> Stencil {
    let texts = fixed_texts(script, era);
    let parts: Vec<(Gap, &str)> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            (
                if index == 0 {
                    Gap::Any
                } else {
                    Gap::Exact(person_length(era))
                },
                text.as_str(),
            )
        })
        .collect();
    Stencil::new(&parts)
}

/// Names and ids of a participant, and whether they have the length that all should have. Long
/// names do not fit; such a document is compressed anew for every request.
fn person(world: &World, player: Player, scope: KeyScope, found: &Found<'_>) -> (String, bool) {
    let (people, era) = (world.people(), found.game.era());
    let riot_id = people.riot_id_at(player, found.game.start);
    let mut json = Json::new();
    json.int("profileIcon", people.icon(player));
    json.text("puuid", &ascii(&people.puuid_bytes(player, scope)));
    if era == Era::RiotIds {
        json.text("riotIdGameName", riot_id.game_name())
            .text("riotIdTagline", riot_id.tag_line());
        json.text("summonerName", "");
    } else {
        if era == Era::SummonerNames {
            json.text("riotIdName", "").text("riotIdTagline", "");
        }
        json.text("summonerName", riot_id.game_name());
    }
    json.int("summonerLevel", people.level(player));
    json.key("summonerId");
    // The two quotes are still to come.
    let room = person_length(era).saturating_sub(json.bytes() + 2);
    let mut summoner_id = vec![0; room.max(SUMMONER_ID_CHARS_MIN)];
    people.summoner_id(player, scope, &mut summoner_id);
    json.text_value(&ascii(&summoner_id));
    (json.into_text(), room >= SUMMONER_ID_CHARS_MIN)
}

fn person_length(era: Era) -> usize {
    const COMMON: usize =
        r#""profileIcon":,"puuid":"","summonerName":"","summonerLevel":,"summonerId":"""#.len();
    let names = match era {
        Era::Milliseconds => 0,
        Era::SummonerNames => r#""riotIdName":"","riotIdTagline":"","#.len(),
        Era::RiotIds => r#""riotIdGameName":"","riotIdTagline":"","#.len(),
    };
    COMMON + names + Puuid::LEN + PERSON_CHARS
}

fn ascii(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The text up to the first participant.
fn head(world: &World, found: &Found<'_>, scope: KeyScope, roster: &[Player]) -> String {
    let (game, facts) = (found.game, &found.facts);
    let mut json = Json::new();
    json.open();
    metadata(&mut json, world, found, scope, roster);
    json.key("info").open();
    let era = game.era();
    if era == Era::RiotIds {
        json.text(
            "endOfGameResult",
            if facts.aborted {
                "Abort_Unexpected"
            } else {
                "GameComplete"
            },
        );
    }
    json.int("gameCreation", game.creation().as_millis());
    if era == Era::Milliseconds {
        json.int("gameDuration", facts.length_ms);
    } else {
        json.int("gameDuration", facts.length_ms / 1000);
        json.int("gameEndTimestamp", game.written(facts).as_millis());
    }
    json.int("gameId", game.id as i64);
    json.text("gameMode", game_mode(facts.kind));
    json.text("gameName", &format!("teambuilder-match-{}", game.id));
    json.int("gameStartTimestamp", game.start.as_millis());
    json.text("gameType", "MATCHED_GAME");
    json.text("gameVersion", &game_version(found));
    json.int(
        "mapId",
        match facts.kind {
            GameKind::Played(Shape::Aram) => 12,
            GameKind::Played(Shape::Arena) => 30,
            _ => 11,
        },
    );
    json.key("participants").open_list().open();
    json.into_text()
}

pub(super) fn metadata(
    json: &mut Json,
    world: &World,
    found: &Found<'_>,
    scope: KeyScope,
    roster: &[Player],
) {
    json.key("metadata").open();
    json.text("dataVersion", "2")
        .text("matchId", &found.id().to_string());
    json.key("participants").open_list();
    for player in roster {
        json.text_value(&ascii(&world.people().puuid_bytes(*player, scope)));
    }
    json.close_list().close();
}

fn tail(found: &Found<'_>) -> String {
    let mut json = Json::new();
    json.raw(",").text("platformId", &found.platform.upper());
    json.int("queueId", found.facts.queue_id);
    json.text("tournamentCode", "").close().close();
    json.into_text()
}

fn game_mode(kind: GameKind) -> &'static str {
    match kind {
        GameKind::Empty => "",
        GameKind::Played(Shape::Aram) => "ARAM",
        GameKind::Played(Shape::Arena) => "CHERRY",
        GameKind::Played(_) => "CLASSIC",
    }
}

/// Season and patch of the day: a season a year, a patch a fortnight.
fn game_version(found: &Found<'_>) -> String {
    let start = found.game.start;
    let year = i64::from(start.year().unwrap_or(2021));
    // Day of the year without a calendar: leap days shift a patch by a day at most.
    let day = (start.as_millis() / 86_400_000 - (year - 1970) * 1461 / 4).max(0);
    let patch = (1 + day * 10 / 146).min(24);
    format!(
        "{}.{patch}.{}.{}",
        year - 2010,
        400 + day,
        1000 + day * 17 % 8000
    )
}

/// A match that never began: only the puuids of those who waited, and the moment it was given up.
fn empty(world: &World, found: &Found<'_>, scope: KeyScope) -> String {
    let roster = world.roster(found.platform, found.game);
    let old = found.game.era() == Era::Milliseconds;
    let mut json = Json::new();
    json.open();
    metadata(&mut json, world, found, scope, &roster);
    json.key("info").open();
    json.text("endOfGameResult", "Abort_Unexpected")
        .int("gameCreation", 0);
    // In 2021 the field that should be 0 held the moment of the failure.
    json.int(
        "gameDuration",
        if old { found.game.start.as_millis() } else { 0 },
    );
    if !old {
        json.int("gameEndTimestamp", found.game.start.as_millis());
    }
    json.int("gameId", 0)
        .text("gameMode", "")
        .text("gameName", "")
        .int("gameStartTimestamp", 0);
    json.text("gameType", "")
        .text("gameVersion", "")
        .int("mapId", 0);
    json.key("participants").open_list().close_list();
    json.text("platformId", "")
        .int("queueId", 0)
        .key("teams")
        .open_list()
        .close_list();
    json.text("tournamentCode", "").close().close();
    json.into_text()
}

/// The texts between people: a participant's numbers each, the last with the bots and the teams.
fn fixed_texts(script: &Script, era: Era) -> Vec<String> {
    let mut texts = Vec::with_capacity(script.lines.len());
    let mut json = Json::new();
    for (index, line) in script.lines.iter().enumerate() {
        if line.bot {
            participant::bot_identity(&mut json, line, era);
        } else {
            json.raw(",");
        }
        participant::write(&mut json, script, index, era);
        let next = script.lines.get(index + 1);
        if next.is_some() {
            json.close().open();
        }
        if next.is_some_and(|line| !line.bot) {
            texts.push(std::mem::take(&mut json).into_text());
        }
    }
    json.close().close_list();
    teams(&mut json, script, era);
    texts.push(json.into_text());
    texts
}

fn teams(json: &mut Json, script: &Script, era: Era) {
    let mut draw = Draw::new(script.seed ^ 0x7EA3);
    let arena = script.shape == Shape::Arena;
    json.key("teams").open_list();
    for side in 0..2_usize {
        json.open();
        json.key("bans").open_list();
        let bans = match script.shape {
            Shape::Arena if side == 0 => 16,
            Shape::Classic | Shape::NoWinner | Shape::Remake => 5,
            _ => 0,
        };
        for turn in 1..=bans {
            let role = draw.below(5) as usize;
            let banned = i64::from(draw.pick(CHAMPIONS[role]).id);
            let champion = if draw.chance(60) { -1 } else { banned };
            json.open()
                .int("championId", champion)
                .int("pickTurn", turn + 5 * i64::try_from(side).unwrap_or(0))
                .close();
        }
        json.close_list();
        if era == Era::RiotIds {
            json.key("feats").open();
            for feat in ["EPIC_MONSTER_KILL", "FIRST_BLOOD", "FIRST_TURRET"] {
                json.key(feat).open().int("featState", 0).close();
            }
            json.close();
        }
        objectives(json, script, era, side);
        json.int(
            "teamId",
            if side == 0 {
                100
            } else if arena {
                0
            } else {
                200
            },
        );
        json.flag("win", !arena && script.winner == Some(side))
            .close();
    }
    json.close_list();
}

fn objectives(json: &mut Json, script: &Script, era: Era, side: usize) {
    // For each kind: the sides that took one, in the order of time.
    let monsters = |which: fn(Beast) -> bool| -> Vec<usize> {
        script
            .monsters
            .iter()
            .filter(|monster| which(monster.beast))
            .map(|monster| monster.side)
            .collect()
    };
    let buildings = |inhibitors: bool| -> Vec<usize> {
        let wanted = script
            .buildings
            .iter()
            .filter(|b| (b.kind == BuildingKind::Inhibitor) == inhibitors);
        wanted.map(|building| 1 - building.loser).collect()
    };
    let kills = script
        .kills
        .iter()
        .map(|kill| script.lines[kill.killer].side)
        .collect();
    let modern = era == Era::RiotIds;
    json.key("objectives").open();
    for (name, takers) in [
        ("atakhan", modern.then(Vec::new)),
        ("baron", Some(monsters(|beast| beast == Beast::Baron))),
        ("champion", Some(kills)),
        (
            "dragon",
            Some(monsters(|beast| matches!(beast, Beast::Dragon(_)))),
        ),
        ("horde", modern.then(Vec::new)),
        ("inhibitor", Some(buildings(true))),
        ("riftHerald", Some(monsters(|beast| beast == Beast::Herald))),
        ("tower", Some(buildings(false))),
    ] {
        if let Some(takers) = takers {
            let count = takers.iter().filter(|taker| **taker == side).count();
            json.key(name)
                .open()
                .flag("first", takers.first() == Some(&side))
                .int("kills", count as i64)
                .close();
        }
    }
    json.close();
}
