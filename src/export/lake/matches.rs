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
use super::sink::{self, LakeSink};
use super::{LakeError, LakeFailure, LakeProgress};
use crate::model::table::RowBatch;
use crate::store::lake::{LakeTable, Rows, last_key};
use crate::store::{Store, StoreResult};

/// Matches of which one pass keeps the ids: eight bytes each.
const IDS_MAX: usize = 4_000_000;
/// Ids that are asked for at once.
const IDS_PAGE: usize = 10_000;
/// Batches that are asked for at once, each on a connection of its own. Those that wait for the writer keep theirs: an
/// engine has two, and needs one.
const AT_ONCE: usize = 2;
/// Batches that are read ahead of the writer, which takes its time for a full group.
const AHEAD: usize = 16;
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
    /// Of its first file.
    pub(super) path: String,
    pub(super) told: &'t Arc<LakeProgress>,
    /// A file that has so many bytes is followed by another one.
    pub(super) file_bytes_max: u64,
}

/// How many matches of a table are about as many rows.
fn step(table: &LakeTable) -> usize {
    match table.name {
        "matches" | "match_timelines" => 2_000,
        "match_teams" | "match_bans" => 1_000,
        "participant_minutes" => 30,
        "participant_purchases" => 50,
        "match_events" => 5,
        _ => 250,
    }
}

type Batches = mpsc::Sender<Option<RowBatch>>;

impl Target<'_> {
    /// Writes the rows of the partition, into as many files as they take. `ids`: of its matches, if it has some.
    pub(super) async fn write(
        &self,
        ids: Option<&Ids>,
        about: &[(&'static str, String)],
    ) -> Result<Vec<File>, LakeFailure> {
        let (send, batches) = mpsc::channel(AHEAD);
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
        let (read, written) = tokio::join!(reading, self.write_files(batches, about));
        // Who reads ends with an error of its own, or because nobody writes any more.
        read?;
        Ok(written?)
    }

    async fn write_files(
        &self,
        batches: mpsc::Receiver<Option<RowBatch>>,
        about: &[(&'static str, String)],
    ) -> Result<Vec<File>, LakeError> {
        let mut files = Vec::new();
        let mut left = Some(batches);
        while let Some(batches) = left.take() {
            let path = self.path_of_file(files.len());
            let (written, more) = self.write_file(batches, &path, about).await?;
            left = more;
            if let Some((draft, rows)) = written {
                let bytes = self.place.keep(draft).await?;
                files.push(File {
                    table: self.table.name.to_owned(),
                    partition: self.partition.to_owned(),
                    path,
                    rows,
                    bytes,
                });
            }
        }
        Ok(files)
    }

    fn path_of_file(&self, number: usize) -> String {
        match (number, self.path.strip_suffix(".parquet")) {
            (1.., Some(begin)) => format!("{begin}-{number}.parquet"),
            _ => self.path.clone(),
        }
    }

    /// Writes a file, of a thread's own: a reader of rows does not wait for the disk.
    async fn write_file(
        &self,
        batches: mpsc::Receiver<Option<RowBatch>>,
        path: &str,
        about: &[(&'static str, String)],
    ) -> Result<Written, LakeError> {
        let (table, told, about) = (self.table, self.told.clone(), about.to_vec());
        let bytes_max = self.file_bytes_max;
        let (wish, mut wishes) = mpsc::channel(1);
        let writer = tokio::task::spawn_blocking(move || {
            write(table, &about, batches, &wish, &told, bytes_max)
        });
        // The file is not made before its first row is there.
        if let Some(answer) = wishes.recv().await {
            let answer: Wish = answer;
            let _ = answer.send(self.place.draft(path));
        }
        let written = writer.await;
        let written = written.unwrap_or_else(|panic| Err(io::Error::other(panic.to_string())));
        written.map_err(|error| self.place.failed(&error))
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
            key = last_key(&batch, self.table);
            if key.is_none() || send.send(Some(batch)).await.is_err() {
                return Ok(());
            }
        }
    }
}

type Wish = tokio::sync::oneshot::Sender<io::Result<Draft>>;

/// A file with its rows, if there was one, and where more rows come from, if they do.
type Written = (
    Option<(Draft, u64)>,
    Option<mpsc::Receiver<Option<RowBatch>>>,
);

/// Writes batches as they come, until they end or the file is large enough.
fn write(
    table: &LakeTable,
    about: &[(&'static str, String)],
    mut batches: mpsc::Receiver<Option<RowBatch>>,
    wish: &mpsc::Sender<Wish>,
    told: &LakeProgress,
    bytes_max: u64,
) -> io::Result<Written> {
    let mut open: Option<(LakeSink, String)> = None;
    let mut is_large = false;
    while !is_large {
        match batches.blocking_recv() {
            Some(Some(batch)) if batch.rows == 0 => {}
            Some(Some(batch)) => {
                let rows = batch.rows as u64;
                if open.is_none() {
                    let (answer, answered) = tokio::sync::oneshot::channel();
                    let gone = || io::Error::other("nobody waits for it any more");
                    wish.blocking_send(answer).map_err(|_| gone())?;
                    let draft = answered.blocking_recv().map_err(|_| gone())??;
                    open = Some((sink::open(draft.file, table, about)?, draft.path));
                }
                let (sink, _) = open.as_mut().expect("opened just now");
                sink.write(batch)?;
                is_large = sink.bytes() >= bytes_max;
                told.rows.fetch_add(rows, Ordering::Relaxed);
            }
            Some(None) => break,
            None => return Err(io::Error::other("it was not read to its end")),
        }
    }
    let file = match open {
        Some((sink, path)) => {
            let (file, rows) = sink.finish()?;
            Some((Draft { file, path }, rows))
        }
        None => None,
    };
    Ok((file, is_large.then_some(batches)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::table::Values;
    use crate::store::lake::TABLES;

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

    /// So many rows that all say the same.
    fn batch(table: &LakeTable, rows: usize) -> RowBatch {
        let mut batch = RowBatch::of(&table.columns);
        batch.rows = rows;
        for (cells, column) in batch.columns.iter_mut().zip(&table.columns) {
            if column.optional {
                cells.present = vec![1; rows];
            }
            match &mut cells.values {
                Values::Int(values) => values.resize(rows, 7),
                Values::Long(values) => values.resize(rows, 7),
                Values::Double(values) => values.resize(rows, 7.0),
                Values::Bool(values) => values.resize(rows, true),
                Values::Text(texts, ends) => {
                    texts.push_str(&"x".repeat(rows));
                    ends.extend(1..=rows);
                }
            }
        }
        batch
    }

    /// The rows of each file of these batches.
    fn files(batches: &[usize], bytes_max: u64) -> Vec<u64> {
        let table = TABLES.iter().find(|one| one.name == "match_bans").unwrap();
        let (send, receive) = mpsc::channel(batches.len() + 1);
        for rows in batches {
            send.try_send(Some(batch(table, *rows))).unwrap();
        }
        send.try_send(None).unwrap();
        let (wish, mut wishes) = mpsc::channel::<Wish>(1);
        let drafts = std::thread::spawn(move || {
            while let Some(answer) = wishes.blocking_recv() {
                let (file, path) = (tempfile::tempfile().unwrap(), String::new());
                answer.send(Ok(Draft { file, path })).unwrap();
            }
        });
        let told = LakeProgress::default();
        let (mut left, mut files) = (Some(receive), Vec::new());
        while let Some(receive) = left.take() {
            let (file, more) = write(table, &[], receive, &wish, &told, bytes_max).unwrap();
            files.extend(file.map(|(_, rows)| rows));
            left = more;
        }
        drop(wish);
        drafts.join().unwrap();
        files
    }

    #[test]
    fn rows_that_are_too_many_for_a_file_go_on_in_the_next_and_none_is_lost() {
        let batches = [60_000, 60_000, 60_000, 60_000, 9];
        assert_eq!(files(&batches, u64::MAX), [240_009]);
        assert_eq!(files(&batches, 1_000), [120_000, 120_000, 9]);
        assert_eq!(files(&[], 1), [0; 0]);
        assert_eq!(files(&[0, 5], 1), [5]);
        // A file that is full with the last row is the last.
        assert_eq!(files(&[100_000], 1_000), [100_000]);
    }
}
