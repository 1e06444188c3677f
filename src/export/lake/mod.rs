//! A lake: all tables as Parquet files in folders by platform, year and month, which an export brings up to date.
//!
//! # What has changed
//!
//! The data is cut into partitions (`matches|kr|2026|11`). Of each the database keeps a stamp, a random number that
//! triggers replace in the transaction that stores, changes or deletes a row of the partition. The manifest of a lake
//! holds the stamp that its export read, *before* it read the rows. The next export writes the partitions whose stamp
//! is another one, and no others. Why that loses nothing:
//! - A change is seen with its stamp, for they are one commit. If it was committed before the stamp was read, the rows
//!   that were read after it have it. If not, however long ago its transaction began, the stamp that was read is not
//!   its own, and the next export finds another one. No moment, sequence or snapshot is kept that a late commit
//!   could fall behind: on PostgreSQL, where transactions write side by side, each takes a row of the partition that no
//!   other one holds, and the stamp is the sum of all rows.
//! - Deleted and changed rows leave a stamp as new ones do. A partition whose last row went has a stamp and no file.
//! - Stamps are random, so none comes back: a database that was restored from a backup has the old stamps where it has
//!   the old rows, and new ones that no lake has seen where it went on. An export writes nothing to the database, and
//!   one database fills any number of lakes.
//!
//! What is committed while an export runs may be in some tables of a partition and not yet in others, until the next
//! export; a match has the ids that were listed first, so one that comes meanwhile is in none.
//!
//! # What a reader sees
//!
//! Files are never written over: each has a name that no file had. `manifest.json` names those that belong together,
//! and replacing it is the one moment at which a lake becomes another. `lake.sql`, which is written after it, has the
//! same for `DuckDB`. What the generation before had stays until the next one stands, for those who are reading it. A
//! killed export leaves files that no manifest names; the next one takes them away.

mod bucket;
mod dictionary;
mod error;
mod folder;
mod manifest;
mod matches;
mod place;
mod sink;
mod sql;
mod there;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use self::bucket::InBucket;
pub use self::error::{LakeError, LakeFailure};
use self::folder::Folder;
use self::manifest::{File, Manifest, Partition};
use self::matches::Passes;
use self::place::Place;
use crate::config::{LakeAddress, LakeSettings};
use crate::model::fingerprint;
use crate::store::Store;
use crate::store::lake::{DATABASE, Group, LakeTable, TABLES};

/// The version of the tables, as migrations count.
const SCHEMA_VERSION: u32 = 18;

/// A file that is larger is followed by another one: it is sent in one request, and takes room for temporary files
/// until then.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Times that a file beside the manifest may be found replaced meanwhile.
const PUTS_MAX: u32 = 5;

/// What stands in every lake, for who gets it from somebody else.
const NOTICE: &str = "The data is of the Riot Games API and under Riot's policies for developers \
(developer.riotgames.com/policies): whoever uses or passes it on keeps to them. riftsync is not endorsed by Riot Games \
and does not reflect the views or opinions of Riot Games or anyone officially involved in producing or managing Riot \
Games properties. Riot Games and all associated properties are trademarks or registered trademarks of Riot Games, Inc.";

/// How to read it, and what is in it.
const README: &str = include_str!("README.md");

/// How far an export is.
#[derive(Debug, Default)]
pub struct LakeProgress {
    pub rows: AtomicU64,
    /// Partitions to write, and those that are written.
    pub wanted: AtomicU64,
    pub done: AtomicU64,
}

/// What an export came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LakeExported {
    pub lake: String,
    pub generation: u64,
    /// Partitions that were written anew, and that are as they were.
    pub written: Vec<String>,
    /// Partitions that have no row any more.
    pub emptied: Vec<String>,
    pub unchanged: usize,
    /// Tables of which nothing was made yet of the matches that are there: an older version stored them.
    pub unmade: Vec<&'static str>,
    /// Partitions of those written that had lost a file.
    pub restored: usize,
    pub files: usize,
    pub rows: u64,
    pub bytes: u64,
    /// Files of former generations, or of killed exports, that were taken away.
    pub removed: usize,
}

/// Where a lake is to be.
#[derive(Debug, Clone)]
pub struct LakePlace {
    address: LakeAddress,
    settings: LakeSettings,
}

impl LakePlace {
    /// Nothing is asked of it yet. `settings`: of a storage.
    pub fn new(address: &LakeAddress, settings: &LakeSettings) -> Result<Self, LakeError> {
        let place = Self {
            address: address.clone(),
            settings: settings.clone(),
        };
        place.open().map(|_| place)
    }

    /// For one export: what it holds there, it holds until it ends.
    fn open(&self) -> Result<Box<dyn Place>, LakeError> {
        Ok(match &self.address {
            LakeAddress::Folder(path) => Box::new(Folder::new(path)),
            LakeAddress::Bucket { bucket, prefix } => {
                Box::new(InBucket::new((bucket, prefix), &self.settings)?)
            }
        })
    }

    pub fn name(&self) -> String {
        self.address.to_string()
    }
}

fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name)
}

/// Whether a path is of a file that an export gave its name: `TABLE/.../part-000007-0123456789abcdef.parquet`.
fn is_ours(path: &str) -> bool {
    let mut parts = path.split('/');
    let known = parts
        .next()
        .is_some_and(|table| tables().any(|one| one == table));
    let name = parts.next_back().unwrap_or_default();
    let Some(number) = name
        .strip_prefix("part-")
        .and_then(|rest| rest.strip_suffix(".parquet"))
    else {
        return false;
    };
    known && !number.is_empty() && number.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// The generation that a file was made for.
fn generation_of(path: &str) -> Option<u64> {
    let (_, name) = path.rsplit_once("/part-")?;
    name.split('-').next()?.parse().ok()
}

/// The path of a new file.
fn path_of(table: &LakeTable, partition: &str, run: &str) -> String {
    let mut path = table.name.to_owned();
    let values = partition.split('|').skip(1);
    for (key, value) in table.group.keys().iter().zip(values) {
        let value =
            percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
        path += "/";
        path += key;
        path += "=";
        path.extend(value);
    }
    path + "/part-" + run + ".parquet"
}

/// What the columns of a group's tables are, in short: other columns are another content.
fn layout_of(group: Group) -> String {
    let told: Vec<String> = (group.tables())
        .map(|table| format!("{} {:?}", table.name, table.columns))
        .collect();
    fingerprint(told.join("\n").as_bytes())
}

/// Brings a lake up to date. `full`: writes all of it anew. Dropping the future leaves the lake as it was.
pub async fn export_lake(
    store: &dyn Store,
    place: &LakePlace,
    full: bool,
    told: &Arc<LakeProgress>,
) -> Result<LakeExported, LakeFailure> {
    let place = &*place.open()?;
    place.begin().await?;
    let found = there::former(place, full).await;
    if found.is_err() {
        place.leave().await;
    }
    let (former, generation) = found?;
    let mut stamps: BTreeMap<String, String> =
        store.partition_stamps().await?.into_iter().collect();
    let database = stamps.remove(DATABASE).unwrap_or_default();
    let mut made = Manifest::new(database, SCHEMA_VERSION, NOTICE);
    made.generation = generation;
    if let Some(former) = &former
        && former.database != made.database
        && !full
    {
        let cause = "this lake was made of another database".to_owned();
        return Err(LakeError::of_manifest(place.name(), cause).into());
    }
    let lost = match &former {
        Some(former) => place.lacks(&former.files).await?,
        None => BTreeSet::new(),
    };
    let mut work = Work {
        store,
        place,
        told,
        run: run_name(generation),
        manifest: made,
        written: Vec::new(),
        unchanged: 0,
        lost,
        restored: 0,
        emptied: Vec::new(),
        replaced: former
            .as_ref()
            .map_or(Vec::new(), |former| former.former.clone()),
    };
    let changed = work.compare(former.as_ref(), &stamps, full);
    told.wanted.store(changed.len() as u64, Ordering::Relaxed);
    work.write(&changed).await?;
    work.publish(former.as_ref()).await?;
    Ok(work.told().await?)
}

/// Tables that every match has rows of, and this lake none.
fn unmade(manifest: &Manifest) -> Vec<&'static str> {
    let is_there = |table: &str| manifest.files.iter().any(|file| file.table == table);
    let made_later = ["match_teams", "participant_damage", "participant_combat"];
    let made_later = made_later.into_iter();
    made_later
        .filter(|table| is_there("match_participants") && !is_there(table))
        .collect()
}

/// What the files of an export are called by that goes on from a generation; no other one has the same.
fn run_name(generation: u64) -> String {
    format!("{:06}-{:016x}", generation + 1, fastrand::u64(..))
}

/// One export.
struct Work<'e> {
    store: &'e dyn Store,
    place: &'e dyn Place,
    told: &'e Arc<LakeProgress>,
    run: String,
    /// What the lake is going to be.
    manifest: Manifest,
    written: Vec<File>,
    unchanged: usize,
    /// Files of the lake before that somebody took away.
    lost: BTreeSet<String>,
    restored: usize,
    emptied: Vec<String>,
    /// Files that the former manifest kept for its readers.
    replaced: Vec<String>,
}

impl Work<'_> {
    /// Takes over what has not changed. Returns what has.
    fn compare(
        &mut self,
        former: Option<&Manifest>,
        stamps: &BTreeMap<String, String>,
        full: bool,
    ) -> BTreeSet<String> {
        let layouts = Group::ALL.map(layout_of);
        let files = former.map_or(&[][..], |former| &former.files);
        let has_lost: BTreeSet<&str> = (files.iter())
            .filter(|file| self.lost.contains(&file.path))
            .map(|file| &*file.partition)
            .collect();
        let mut changed = BTreeSet::new();
        for (name, stamp) in stamps {
            let Some(group) = Group::of(name) else {
                continue;
            };
            let version = format!("{stamp}/{}", layouts[group as usize]);
            let known = former.and_then(|former| former.version_of(name));
            let has_lost = has_lost.contains(&**name);
            if full || has_lost || known != Some(&version) {
                changed.insert(name.clone());
                self.restored += usize::from(has_lost);
            }
            let name = name.clone();
            self.manifest.partitions.push(Partition { name, version });
        }
        self.unchanged = self.manifest.partitions.len() - changed.len();
        let same = |file: &&File| {
            stamps.contains_key(&file.partition) && !changed.contains(&file.partition)
        };
        self.manifest.files = files.iter().filter(same).cloned().collect();
        changed
    }

    async fn write(&mut self, changed: &BTreeSet<String>) -> Result<(), LakeFailure> {
        let is_of_matches = |one: &&String| Group::of(one) == Some(Group::Matches);
        let (of_matches, others): (Vec<&String>, Vec<&String>) =
            changed.iter().partition(is_of_matches);
        let mut passes = Passes::of(of_matches.into_iter().cloned());
        while let Some(found) = passes.next(self.store).await? {
            for (partition, ids) in found {
                self.write_partition(Group::Matches, &partition, Some(&ids))
                    .await?;
            }
        }
        for partition in others {
            let group = Group::of(partition).expect("looked at when it was compared");
            self.write_partition(group, partition, None).await?;
        }
        Ok(())
    }

    async fn write_partition(
        &mut self,
        group: Group,
        partition: &str,
        ids: Option<&matches::Ids>,
    ) -> Result<(), LakeFailure> {
        for table in group.tables() {
            let target = matches::Target {
                store: self.store,
                place: self.place,
                table,
                partition,
                path: path_of(table, partition, &self.run),
                told: self.told,
                file_bytes_max: FILE_BYTES_MAX,
            };
            let files = target.write(ids, &self.about(table, partition)).await?;
            self.written.extend(files);
        }
        self.told.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// What a file says of itself.
    fn about(&self, table: &LakeTable, partition: &str) -> Vec<(&'static str, String)> {
        vec![
            ("table", table.name.to_owned()),
            ("partition", partition.to_owned()),
            ("schema_version", self.manifest.schema_version.to_string()),
            ("source", "Riot Games API, kept by riftsync".to_owned()),
            ("notice", NOTICE.to_owned()),
        ]
    }

    /// The lake becomes what was written, if that is another one.
    async fn publish(&mut self, former: Option<&Manifest>) -> Result<(), LakeError> {
        let manifest = &mut self.manifest;
        manifest.files.extend(self.written.iter().cloned());
        manifest
            .files
            .sort_by(|one, other| one.path.cmp(&other.path));
        let filled = |files: &[File]| -> BTreeSet<String> {
            files.iter().map(|file| file.partition.clone()).collect()
        };
        let before = former.map_or(&[][..], |former| &former.files);
        let emptied = &filled(before) - &filled(&manifest.files);
        self.emptied = emptied.into_iter().collect();
        let same = former.is_some_and(|former| {
            former.partitions == manifest.partitions && former.files == manifest.files
        });
        if same {
            manifest.former = former.map_or(Vec::new(), |former| former.former.clone());
        } else {
            let now: BTreeSet<&str> = manifest.files.iter().map(|file| &*file.path).collect();
            let before = before.iter().map(|file| &file.path);
            manifest.former = before
                .filter(|path| !now.contains(&***path) && !self.lost.contains(*path))
                .cloned()
                .collect();
            manifest.generation += 1;
            if !self.place.publish(manifest.write()).await? {
                return Err(LakeError::overtaken(self.place.name()));
            }
        }
        let sql = sql::statements(&self.manifest, &self.place.prefix());
        for (name, text) in [
            (sql::NAME, &*sql),
            ("README.md", README),
            ("DICTIONARY.md", dictionary::of_lake()),
        ] {
            self.put_beside(name, text).await?;
        }
        Ok(())
    }

    /// Writes what stands beside the manifest, unless an export that came after this one has.
    async fn put_beside(&self, name: &'static str, text: &str) -> Result<(), LakeError> {
        for _ in 0..PUTS_MAX {
            let there = self.place.read(name).await?;
            let there = there.as_deref().map(String::from_utf8_lossy);
            let is_newer = |there: &str| sql::generation_of(there) > Some(self.manifest.generation);
            let is_done = there.is_some_and(|there| there == text || is_newer(&there));
            if is_done || self.place.replace(name, text.into()).await? {
                break;
            }
        }
        Ok(())
    }

    /// Takes away what nobody reads any more, and tells what was done.
    async fn told(self) -> Result<LakeExported, LakeError> {
        let kept: BTreeSet<&str> = self.manifest.kept().collect();
        let found = self.place.list().await?;
        // Another export may be writing files of a later generation. Those of this one and of earlier ones that the
        // manifest does not name, none ever will: whoever writes them finds another manifest than it began with.
        let is_past =
            |path: &str| generation_of(path).is_none_or(|of| of <= self.manifest.generation);
        let alone = self.place.is_alone();
        let old: Vec<String> = (found.into_iter())
            .chain(self.replaced.iter().cloned())
            .filter(|path| !kept.contains(&**path) && (alone || is_past(path)))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let removed = old.len();
        self.place.remove(old).await?;
        let mut written: Vec<String> = (self.written.iter())
            .map(|file| file.partition.clone())
            .collect();
        written.dedup();
        Ok(LakeExported {
            lake: self.place.name(),
            generation: self.manifest.generation,
            written,
            unmade: unmade(&self.manifest),
            emptied: self.emptied,
            unchanged: self.unchanged,
            restored: self.restored,
            files: self.written.len(),
            rows: self.written.iter().map(|file| file.rows).sum(),
            bytes: self.written.iter().map(|file| file.bytes).sum(),
            removed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_an_export_is_known_by_its_path_and_nothing_else_is() {
        let table = &TABLES[0];
        let path = path_of(table, "matches|kr|2026|11", &run_name(0));
        assert!(path.starts_with("matches/platform=kr/year=2026/month=11/part-000001-"));
        assert!(is_ours(&path));
        assert_eq!(generation_of(&path), Some(1));
        for other in [
            "matches/mine.parquet",
            "matches/part-.parquet",
            "matches/part-x.parquet",
            "other/part-000001-00.parquet",
            "part-000001-00.parquet",
            "manifest.json",
        ] {
            assert!(!is_ours(other), "{other}");
        }
        // Whatever is stored stays below the lake.
        let odd = path_of(table, "matches|../..|2026|11", "1");
        assert!(!odd.contains(".."), "{odd}");
    }

    #[test]
    fn the_version_of_the_tables_is_that_of_the_newest_migration() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let count = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(count, SCHEMA_VERSION as usize);
    }
}
