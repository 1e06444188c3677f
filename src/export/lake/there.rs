//! What is there already: the lake of before, and files of somebody else.

use super::manifest::{self, Manifest};
use super::place::Place;
use super::{LakeError, README, dictionary, generation_of, sql};

/// The manifest that is there, and the generation that this export goes on from.
pub(super) async fn former(
    place: &dyn Place,
    full: bool,
) -> Result<(Option<Manifest>, u64), LakeError> {
    if let Some(bytes) = place.read(manifest::NAME).await? {
        match Manifest::read(&bytes) {
            Ok(former) => {
                let generation = former.generation;
                return Ok((Some(former), generation));
            }
            // No lake is there that it could be of.
            Err(_) if generation_beside(place).await?.is_none() => {
                return Err(LakeError::of_stranger(place.name(), manifest::NAME));
            }
            // What it named is taken away with the rest.
            Err(_) if full => {}
            Err(cause) => return Err(LakeError::of_manifest(place.name(), cause)),
        }
    }
    check_beside(place).await?;
    let mut generation = generation_beside(place).await?.unwrap_or(0);
    // Files of killed exports may lie there, and those of one that writes just now.
    if !place.is_alone() {
        let found = place.list().await?;
        generation = found
            .iter()
            .filter_map(|path| generation_of(path))
            .fold(generation, u64::max);
    }
    Ok((None, generation))
}

/// The generation that the statements beside a manifest are of. Those of a lake whose manifest is lost are not taken
/// for those of a later one.
async fn generation_beside(place: &dyn Place) -> Result<Option<u64>, LakeError> {
    let there = place.read(sql::NAME).await?;
    Ok(there.and_then(|sql| sql::generation_of(&String::from_utf8_lossy(&sql))))
}

/// What stands beside a manifest is replaced: that nothing does that somebody else wrote.
async fn check_beside(place: &dyn Place) -> Result<(), LakeError> {
    for name in [sql::NAME, "README.md", "DICTIONARY.md"] {
        let Some(there) = place.read(name).await? else {
            continue;
        };
        let there = String::from_utf8_lossy(&there);
        let begins_as = |own: &str| there.lines().next() == own.lines().next();
        let is_own = match name {
            "README.md" => begins_as(README),
            "DICTIONARY.md" => begins_as(dictionary::TITLE),
            _ => sql::generation_of(&there).is_some(),
        };
        if !is_own {
            return Err(LakeError::of_stranger(place.name(), name));
        }
    }
    Ok(())
}
