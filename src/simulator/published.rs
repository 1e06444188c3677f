//! The files that Riot publishes for everybody, below `/static`: a small made-up set, which changes with the world's
//! time. No key is asked for; one that comes is counted, for it should not.

use serde_json::{Value, json};

use crate::hash::hash;
use crate::reply::Reply;
use crate::tables::{CHAMPIONS, RUNES, SPELLS};
use riftsync_model::{Timestamp, Year};

/// What the paths begin with, without the slash.
pub const PREFIX: &str = "/static/";

/// A file, as it is at that moment; 304 if the one that is known is the same. `path`: behind `PREFIX`.
pub fn answer(now: Timestamp, path: &str, known: Option<&str>) -> Reply {
    let Some(body) = file(now, path) else {
        return Reply::error(403, "Forbidden");
    };
    let body = body.to_string();
    let etag = format!("\"{:016x}\"", digest(body.as_bytes()));
    let mut reply = if known == Some(&*etag) {
        Reply::json(304, "")
    } else {
        Reply::json(200, body)
    };
    reply.headers.push(("etag", etag));
    reply
}

fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(7, |sum, byte| hash(&[sum, u64::from(*byte)]))
}

/// A patch each fortnight, as `16.4.1`; the newest first.
fn versions(now: Timestamp) -> Vec<String> {
    let year = now.year().unwrap_or(Year::FIRST);
    let begun = Year::new(year, now).map_or(now, Year::start);
    let newest = 1 + now.since(begun).as_secs() / (14 * 24 * 3_600);
    let patches = (1..=newest).rev().take(5);
    patches
        .map(|patch| format!("{}.{patch}.1", year - 2010))
        .collect()
}

fn file(now: Timestamp, path: &str) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["api", "versions.json"] => Some(json!(versions(now))),
        ["cdn", version, "data", language, file]
            if versions(now).contains(&(*version).to_owned()) =>
        {
            of_version(file, language)
        }
        ["docs", "queues.json"] => Some(json!([
            { "queueId": 0, "map": "Custom games", "description": null, "notes": null },
            { "queueId": 420, "map": "Simulated Rift", "description": "Simulated Ranked games", "notes": null },
        ])),
        ["docs", "maps.json"] => {
            Some(json!([{ "mapId": 11, "mapName": "Simulated Rift", "notes": "" }]))
        }
        ["docs", "gameModes.json"] => {
            Some(json!([{ "gameMode": "CLASSIC", "description": "Simulated Classic games" }]))
        }
        _ => None,
    }
}

fn of_version(file: &str, language: &str) -> Option<Value> {
    let suffix = if language == "en_US" { "" } else { " (other)" };
    let image = |name: &str| json!({ "full": format!("{name}.png") });
    let entries: serde_json::Map<String, Value> = match file {
        "champion.json" => CHAMPIONS
            .iter()
            .flat_map(|of_position| of_position.iter())
            .map(|champion| {
                let entry = json!({
                    "id": champion.name, "key": champion.id.to_string(),
                    "name": format!("{}{suffix}", spoken(champion.name)), "image": image(champion.name),
                });
                (champion.name.to_owned(), entry)
            })
            .collect(),
        "summoner.json" => SPELLS
            .iter()
            .map(|spell| {
                let name = format!("Spell{spell}");
                let entry = json!({ "key": spell.to_string(), "name": name, "image": image(&name) });
                (name, entry)
            })
            .collect(),
        "item.json" => [1001, 3006, 3340]
            .iter()
            .map(|item| {
                let entry = json!({ "name": format!("Item {item}{suffix}"), "image": image(&item.to_string()) });
                (item.to_string(), entry)
            })
            .collect(),
        "runesReforged.json" => {
            let paths = RUNES.iter().map(|(path, keystones, _)| {
                let rune = |id: &u32| json!({ "id": id, "key": id.to_string(), "icon": format!("perk-images/{id}.png"), "name": format!("Rune {id}") });
                let runes: Vec<Value> = keystones.iter().map(rune).collect();
                json!({ "id": path, "name": format!("Path {path}"), "icon": format!("perk-images/{path}.png"), "slots": [{ "runes": runes }] })
            });
            return Some(Value::Array(paths.collect()));
        }
        _ => return None,
    };
    Some(json!({ "version": "any", "data": entries }))
}

/// `LeeSin` as `Lee Sin`.
fn spoken(name: &str) -> String {
    let mut spoken = String::new();
    let mut before = None;
    for letter in name.chars() {
        if letter.is_uppercase() && before.is_some_and(char::is_lowercase) {
            spoken.push(' ');
        }
        spoken.push(letter);
        before = Some(letter);
    }
    spoken
}
