//! The rows of a partition on their way into files, and which matches a partition has.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::manifest::File;
use super::place::{Draft, Place};
use super::sink::LakeSink;
use super::{LakeError, LakeFailure, LakeProgress};
use crate::store::lake::{Batch, LakeTable, Rows};
use crate::store::{Store, StoreResult};

/// Matches of which one pass keeps the ids: eight bytes each.
const IDS_MAX: usize = 4_000_000;
/// Ids that are asked for at once.
const IDS_PAGE: usize = 10_000;
/// Batches that are asked for at once: each on a connection of its own.
const AT_ONCE: usize = 2;
/// Batches that are read ahead of the writer.
const AHEAD: usize = 1;
/// Rows of a table that is not read by matches, in one batch.
const ROWS: usize = 5_000;

/// Matches of one partition, in the order of their ids.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// What the ids begin with; their numbers.
    before: String,
    numbers: Vec<u64>,
    /// Those that do not look so, behind the others.
    odd: Vec<String>,
}

impl Ids {
    fn push(&mut self, id: String) {
        let parts = id.rsplit_once('_');
        let read = parts.and_then(|(before, number)| Some((before, number.parse::<u64>().ok()?)));
        match read {
            Some((before, number)) if id == format!("{before}_{number}") => {
                if self.numbers.is_empty() {
                    before.clone_into(&mut self.before);
                }
                if self.before == before {
                    self.numbers.push(number);
                    return;
                }
            }
            _ => {}
        }
        self.odd.push(id);
    }

    fn len(&self) -> usize {
        self.numbers.len() + self.odd.len()
    }

    /// So many at a time.
    fn chunks(&self, step: usize) -> impl Iterator<Item = Vec<String>> {
        let id = |number: &u64| format!("{}_{number}", self.before);
        let usual = self.numbers.chunks(step);
        let usual = usual.map(move |numbers| numbers.iter().map(id).collect());
        usual.chain(self.odd.chunks(step).map(<[String]>::to_vec))
    }
}

/// Finds the matches of partitions, by as few walks through all ids as memory allows.
#[derive(Debug)]
pub(super) struct Passes {
    left: BTreeSet<String>,
}

impl Passes {
    pub(super) fn of(partitions: impl Iterator<Item = String>) -> Self {
        Self {
            left: partitions.collect(),
        }
    }

    /// Some of the partitions that are left, with their matches; none: there is none left.
    pub(super) async fn next(
        &mut self,
        store: &dyn Store,
    ) -> StoreResult<Option<BTreeMap<String, Ids>>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let mut found: BTreeMap<String, Ids> = (self.left.iter())
            .map(|name| (name.clone(), Ids::default()))
            .collect();
        let (mut count, mut after) = (0, String::new());
        loop {
            let page = store.lake_matches(&after, IDS_PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            for (id, partition) in page {
                if let Some(ids) = found.get_mut(&partition) {
                    ids.push(id);
                    count += 1;
                }
            }
            // Those have to wait for the next walk.
            while count > IDS_MAX && found.len() > 1 {
                let (_, ids) = found.pop_last().expect("more than one");
                count -= ids.len();
            }
        }
        self.left.retain(|name| !found.contains_key(name));
        Ok(Some(found))
    }
}

/// A file to be.
pub(super) struct Target<'t> {
    pub(super) store: &'t dyn Store,
    pub(super) place: &'t dyn Place,
    pub(super) table: &'static LakeTable,
    pub(super) partition: &'t str,
    pub(super) path: String,
    pub(super) told: &'t Arc<LakeProgress>,
}

/// How many matches of a table are about as many rows.
fn step(table: &LakeTable) -> usize {
    match table.name {
        "matches" | "match_timelines" => 1_000,
        "match_teams" | "match_bans" => 500,
        "participant_minutes" => 30,
        "participant_purchases" => 50,
        "match_events" => 5,
        _ => 150,
    }
}

type Batches = mpsc::Sender<Option<Batch>>;

impl Target<'_> {
    /// Writes the rows of the partition. `ids`: of its matches, if they are of matches. None: there is no row.
    pub(super) async fn write(
        &self,
        ids: Option<&Ids>,
        about: &[(&'static str, String)],
    ) -> Result<Option<File>, LakeFailure> {
        let (send, batches) = mpsc::channel(AHEAD);
        let writing = async {
            let (table, told, about) = (self.table, self.told.clone(), about.to_vec());
            let (wish, mut wishes) = mpsc::channel(1);
            let writer =
                tokio::task::spawn_blocking(move || write(table, &about, batches, &wish, &told));
            // The file is not made before its first row is there.
            if let Some(answer) = wishes.recv().await {
                let answer: tokio::sync::oneshot::Sender<_> = answer;
                let _ = answer.send(self.place.draft(&self.path));
            }
            let written = writer.await;
            written.unwrap_or_else(|panic| Err(io::Error::other(panic.to_string())))
        };
        let reading = async {
            let read = match ids {
                Some(ids) => self.read_matches(ids, &send).await,
                None => self.read_keys(&send).await,
            };
            // One that was not the last must not make a whole file.
            if read.is_ok() {
                let _ = send.send(None).await;
            }
            drop(send);
            read
        };
        let (read, written) = tokio::join!(reading, writing);
        read?;
        let failed = |error: io::Error| LakeError::of_file(&self.place.name(), &error);
        let Some((draft, rows)) = written.map_err(failed)? else {
            return Ok(None);
        };
        let path = draft.path.clone();
        let bytes = self.place.keep(draft).await?;
        Ok(Some(File {
            table: self.table.name.to_owned(),
            partition: self.partition.to_owned(),
            path,
            rows,
            bytes,
        }))
    }

    async fn read_matches(&self, ids: &Ids, send: &Batches) -> StoreResult<()> {
        let parts = stream::iter(ids.chunks(step(self.table)));
        // While the rows of one part are taken out of their answer, the database looks for those of the next.
        let batches = parts.map(|ids| self.store.lake_rows(self.table, Rows::OfMatches(ids)));
        let mut batches = pin!(batches.buffered(AT_ONCE));
        while let Some(batch) = batches.try_next().await? {
            if send.send(Some(batch)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn read_keys(&self, send: &Batches) -> StoreResult<()> {
        let mut key = None;
        loop {
            let rows = Rows::After {
                partition: self.partition.to_owned(),
                key,
                limit: ROWS,
            };
            let batch = self.store.lake_rows(self.table, rows).await?;
            key = batch.last_key(self.table);
            if key.is_none() || send.send(Some(batch)).await.is_err() {
                return Ok(());
            }
        }
    }
}

type Wish = tokio::sync::oneshot::Sender<io::Result<Draft>>;

/// Writes batches as they come. None: there was no row.
fn write(
    table: &LakeTable,
    about: &[(&'static str, String)],
    mut batches: mpsc::Receiver<Option<Batch>>,
    wish: &mpsc::Sender<Wish>,
    told: &LakeProgress,
) -> io::Result<Option<(Draft, u64)>> {
    let mut open: Option<(LakeSink, String)> = None;
    loop {
        match batches.blocking_recv() {
            Some(Some(batch)) if batch.rows == 0 => {}
            Some(Some(batch)) => {
                let rows = batch.rows as u64;
                if open.is_none() {
                    let (answer, answered) = tokio::sync::oneshot::channel();
                    let gone = || io::Error::other("nobody waits for it any more");
                    wish.blocking_send(answer).map_err(|_| gone())?;
                    let draft = answered.blocking_recv().map_err(|_| gone())??;
                    open = Some((LakeSink::new(draft.file, table, about)?, draft.path));
                }
                let (sink, _) = open.as_mut().expect("opened just now");
                sink.write(batch)?;
                told.rows.fetch_add(rows, Ordering::Relaxed);
            }
            Some(None) => break,
            None => return Err(io::Error::other("it was not read to its end")),
        }
    }
    let Some((sink, path)) = open else {
        return Ok(None);
    };
    let (file, rows) = sink.finish()?;
    Ok(Some((Draft { file, path }, rows)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_out_as_they_went_in_the_odd_ones_last() {
        let mut ids = Ids::default();
        for id in ["KR_7", "KR_10", "KR_007", "EUW1_1", "KR_11", "KR_x"] {
            ids.push(id.to_owned());
        }
        let all: Vec<Vec<String>> = ids.chunks(2).collect();
        assert_eq!(
            all.concat(),
            ["KR_7", "KR_10", "KR_11", "KR_007", "EUW1_1", "KR_x"]
        );
        assert_eq!(ids.len(), 6);
        assert!(all.iter().all(|part| part.len() <= 2));
    }
}
