//! What inputs are made from: documents of a simulated world, and real ones where they are at hand.

use std::path::Path;

use riftsync::model::MatchId;
use riftsync::model::records::PayloadKind;
use riftsync::riot::unpack;
use riftsync::simulator::{World, WorldConfig};
use serde_json::Value;

use super::json::Json;

/// Entries of a list that a document keeps which is made short: most tries are to go where the reader looks.
const SHORT: usize = 3;

/// A document of a match.
#[derive(Debug)]
pub struct Document {
    pub id: MatchId,
    pub json: Json,
}

/// See the module.
#[derive(Debug)]
pub struct Corpus {
    /// Short ones first.
    pub matches: Vec<Document>,
    pub timelines: Vec<Document>,
    /// How many of each are short.
    pub short: [usize; 2],
    /// A file of settings, as the program ships it.
    pub settings: String,
}

impl Corpus {
    /// `samples`: a folder with real documents in `matches` and `timelines`, each named by its match.
    pub fn new(samples: Option<&Path>) -> Self {
        let name = "Fuzz#SIM".parse().expect("a Riot ID");
        let world = World::new(WorldConfig {
            players: vec![(
                "Fuzz#SIM".parse().expect("a Riot ID"),
                "euw1".parse().expect("a platform"),
            )],
            population: 100,
            matches_per_year: 30,
            first_year: 2025,
            ..WorldConfig::default()
        });
        let truths = world.player_matches(&name, 2025);
        let read = |kind: PayloadKind, folder: &str| {
            let simulated = truths.iter().filter_map(|truth| {
                let body = world.document(truth.id, kind)?;
                Some((truth.id, unpack(&body).ok()?))
            });
            let mut whole: Vec<(MatchId, Vec<u8>)> = simulated.take(12).collect();
            whole.extend(
                samples
                    .into_iter()
                    .flat_map(|path| files(&path.join(folder))),
            );
            let short = whole.iter().map(|(id, text)| (*id, shortened(text)));
            let all: Vec<_> = short.chain(whole.clone()).collect();
            let documents = all.into_iter().map(|(id, text)| Document {
                id,
                json: Json::of(text),
            });
            (documents.collect::<Vec<_>>(), whole.len())
        };
        let (matches, short_matches) = read(PayloadKind::Match, "matches");
        let (timelines, short_timelines) = read(PayloadKind::Timeline, "timelines");
        Self {
            matches,
            timelines,
            short: [short_matches, short_timelines],
            settings: include_str!("../../config/default.toml").to_owned(),
        }
    }
}

fn files(folder: &Path) -> Vec<(MatchId, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.path();
            let id = path.file_stem()?.to_str()?.parse().ok()?;
            Some((id, std::fs::read(path).ok()?))
        })
        .collect();
    files.sort();
    files
}

/// The same document with a few entries in each list, and without what no reader looks at.
fn shortened(text: &[u8]) -> Vec<u8> {
    fn cut(value: &mut Value) {
        match value {
            Value::Array(entries) => {
                entries.truncate(SHORT);
                entries.iter_mut().for_each(cut);
            }
            Value::Object(entries) => {
                entries.retain(|name, _| {
                    !["challenges", "missions", "teams"].contains(&name.as_str())
                });
                if entries.keys().all(|name| name.parse::<u32>().is_ok()) {
                    entries.retain(|name, _| name.len() < 2 && name.as_str() <= "3");
                }
                entries.values_mut().for_each(cut);
            }
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_slice(text).expect("a document is JSON");
    cut(&mut value);
    serde_json::to_vec(&value).expect("a value is JSON")
}
