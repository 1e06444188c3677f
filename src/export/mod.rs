//! Tables as files: Parquet or CSV, for `DuckDB`, Polars, pandas and spreadsheets.
//!
//! One task reads pages of the store, one thread writes them; a few pages are all that is in memory. The file has its
//! name once it is complete: before that, it stands beside it with `.riftsync-part` at its end. Or the table goes to
//! stdout as it is read.

mod csv;
mod file;
mod format;
pub mod lake;
mod parquet;
mod place;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, TryStreamExt};
use serde::Serialize;
use tokio::sync::mpsc;

use self::file::Output;
pub use self::format::Format;
pub use self::place::OpenPlace;
use crate::model::records::PayloadKind;
use crate::model::table::{Column, RowBatch};
use crate::riot::timeline_rows::{self, timeline_events, timeline_frames};
use crate::riot::{Odd, RiotError, document_of};
use crate::store::export::{ExportFilter, MatchTable, PAGE_MAX, mastery, names, ranks, stats};
use crate::store::{Store, StoreError};

/// Ids of matches that are read at once.
const IDS: usize = 10_000;
/// Pages that are asked for at once: one waits, so that whoever reads has the next at once.
const AT_ONCE: usize = 3;
/// Pages that are read ahead of the writer, which takes its time for a full group.
const AHEAD: usize = 4;

/// Which table. Also by the name that it has in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum What {
    Matches,
    #[value(alias = "match_participants")]
    Participants,
    #[value(alias = "match_teams")]
    Teams,
    #[value(alias = "match_bans")]
    Bans,
    #[value(alias = "participant_damage")]
    Damage,
    #[value(alias = "participant_combat")]
    Combat,
    #[value(alias = "participant_vision")]
    Vision,
    #[value(alias = "participant_loadout")]
    Loadout,
    #[value(alias = "participant_minutes")]
    Minutes,
    #[value(alias = "participant_purchases")]
    Purchases,
    TimelineFrames,
    TimelineEvents,
    #[value(alias = "player_yearly_stats")]
    Stats,
    #[value(alias = "rank_history")]
    Ranks,
    #[value(alias = "mastery_history")]
    Mastery,
    #[value(alias = "static_names")]
    Names,
}

impl What {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Matches => "matches",
            Self::Participants => "participants",
            Self::Teams => "teams",
            Self::Bans => "bans",
            Self::Damage => "damage",
            Self::Combat => "combat",
            Self::Vision => "vision",
            Self::Loadout => "loadout",
            Self::Minutes => "minutes",
            Self::Purchases => "purchases",
            Self::TimelineFrames => "timeline_frames",
            Self::TimelineEvents => "timeline_events",
            Self::Stats => "stats",
            Self::Ranks => "ranks",
            Self::Mastery => "mastery",
            Self::Names => "names",
        }
    }

    pub fn columns(self) -> &'static [Column] {
        if let Some(table) = self.match_table() {
            return &table.columns;
        }
        match self {
            Self::TimelineFrames => timeline_frames::COLUMNS,
            Self::TimelineEvents => timeline_events::COLUMNS,
            Self::Ranks => ranks::COLUMNS,
            Self::Mastery => mastery::COLUMNS,
            Self::Names => names::COLUMNS,
            _ => stats::COLUMNS,
        }
    }

    /// The table of the database whose rows these are, if they belong to matches.
    fn match_table(self) -> Option<&'static MatchTable> {
        let name = match self {
            Self::Matches => "matches",
            Self::Participants => "match_participants",
            Self::Teams => "match_teams",
            Self::Bans => "match_bans",
            Self::Damage => "participant_damage",
            Self::Combat => "participant_combat",
            Self::Vision => "participant_vision",
            Self::Loadout => "participant_loadout",
            Self::Minutes => "participant_minutes",
            Self::Purchases => "participant_purchases",
            Self::TimelineFrames
            | Self::TimelineEvents
            | Self::Stats
            | Self::Ranks
            | Self::Mastery
            | Self::Names => return None,
        };
        Some(MatchTable::named(name).expect("listed with the others"))
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wanted, and where to.
#[derive(Debug, Clone)]
pub struct Export {
    pub what: What,
    pub format: Format,
    pub filter: ExportFilter,
    pub out: Out,
    /// CSV only: texts as they are, also those that a spreadsheet would run as a formula.
    pub raw: bool,
}

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// A regular file, or a new one.
    File {
        path: PathBuf,
        /// Makes its folder if there is none.
        make_folder: bool,
    },
    Stdout,
}

impl Out {
    /// What a person calls it.
    fn name(&self) -> PathBuf {
        match self {
            Self::File { path, .. } => path.clone(),
            Self::Stdout => PathBuf::from("stdout"),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// `stdout` for that.
    pub file: PathBuf,
    pub rows: u64,
    pub bytes: u64,
    /// Matches whose stored timeline is broken.
    pub unreadable: Vec<String>,
    /// Fields of timelines that are not as they should be: read as far as they can be, and empty else.
    pub odd_fields: Vec<&'static str>,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{path} cannot be written: {cause}. Choose another place with --out FILE")]
    File { path: PathBuf, cause: String },
    /// Of stdout: no failure, as with `| head`.
    #[error("whoever read stdout has had enough")]
    ReaderGone,
}

/// Some rows of a table.
enum Page {
    Rows(RowBatch),
    /// Of matches: the id and the stored timeline.
    Timelines(Vec<(String, crate::model::records::Payload)>),
}

/// A file's writer.
trait Sink: Send {
    fn write(&mut self, rows: RowBatch) -> io::Result<()>;
    /// Completes the file.
    fn finish(self: Box<Self>) -> io::Result<Output>;
}

/// Writes the table. Dropping the future leaves no file behind.
pub async fn export(store: &dyn Store, export: &Export) -> Result<Exported, ExportError> {
    export_telling(store, export, &Arc::default()).await
}

/// The same, with the rows that are written so far told by `told`.
pub async fn export_telling(
    store: &dyn Store,
    export: &Export,
    told: &Arc<AtomicU64>,
) -> Result<Exported, ExportError> {
    let file_error = |cause: String| ExportError::File {
        path: export.out.name(),
        cause,
    };
    // First, so that nothing is read for a place that cannot be written.
    let out = export.out.clone();
    let opened = tokio::task::spawn_blocking(move || Output::open(&out)).await;
    let output = match opened {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(file_error(error.to_string())),
        Err(error) => return Err(file_error(error.to_string())),
    };
    let (pages, waiting) = mpsc::channel(AHEAD);
    let (order, told) = (export.clone(), told.clone());
    let writer = tokio::task::spawn_blocking(move || write(output, &order, waiting, &told));
    let read = read(store, export, &pages).await;
    // The writer ends with the last page; one that was not the last must not make a whole file.
    if read.is_ok() {
        let _ = pages.send(None).await;
    }
    drop(pages);
    let written = writer.await;
    read?;
    match written {
        Ok(Ok(exported)) => Ok(exported),
        Ok(Err(error))
            if export.out == Out::Stdout && error.kind() == io::ErrorKind::BrokenPipe =>
        {
            Err(ExportError::ReaderGone)
        }
        Ok(Err(error)) => Err(file_error(error.to_string())),
        Err(error) => Err(file_error(error.to_string())),
    }
}

type Pages = mpsc::Sender<Option<Page>>;

/// Matches whose rows are one page.
fn step(what: What) -> usize {
    match what {
        // As large as the rows of many matches.
        What::TimelineFrames | What::TimelineEvents => 4,
        What::Minutes => 30,
        What::Purchases => 50,
        _ => 250,
    }
}

/// Reads pages until there are no more, or nobody takes them.
async fn read(store: &dyn Store, export: &Export, pages: &Pages) -> Result<(), StoreError> {
    let filter = export.filter;
    if export.what == What::Names {
        return read_names(store, pages).await;
    }
    if matches!(export.what, What::Stats | What::Ranks | What::Mastery) {
        return read_of_players(store, export, pages).await;
    }
    let timelines = matches!(export.what, What::TimelineFrames | What::TimelineEvents);
    let step = step(export.what);
    let ids = stream::try_unfold(String::new(), |after| async move {
        let ids = store.match_page(filter, &after, timelines, IDS).await?;
        let last = ids.last().cloned();
        Ok::<_, StoreError>(last.map(|last| (ids, last)))
    });
    let parts = ids
        .map_ok(|ids| {
            let parts: Vec<Vec<String>> = ids.chunks(step).map(<[String]>::to_vec).collect();
            stream::iter(parts.into_iter().map(Ok))
        })
        .try_flatten();
    // While the rows of one part are taken out of their answer, the database looks for those of the next.
    let mut read = pin!(
        parts
            .map_ok(|ids| page_of(store, export.what, ids))
            .try_buffered(AT_ONCE)
    );
    while let Some(page) = read.try_next().await? {
        if pages.send(Some(page)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Tables of players, which are read in the order of their keys.
async fn read_of_players(
    store: &dyn Store,
    export: &Export,
    pages: &Pages,
) -> Result<(), StoreError> {
    let filter = export.filter;
    let mut after = (0, String::new(), 0, i64::MIN);
    loop {
        let (player, queue, champion, seen_at) = &after;
        let (page, last) = match export.what {
            What::Ranks => {
                let after = (*player, queue.as_str(), *seen_at);
                let rows = store.export_ranks(filter, after, PAGE_MAX).await?;
                let last = rows
                    .last()
                    .map(|row| (row.0.0, row.0.5.clone(), 0, row.0.7));
                (batch_of(&rows, ranks::COLUMNS, ranks::push), last)
            }
            What::Mastery => {
                let after = (*player, *champion, *seen_at);
                let rows = store.export_mastery(filter, after, PAGE_MAX).await?;
                let last = rows.last();
                let last = last.map(|row| (row.0.0, String::new(), row.0.5, row.0.8));
                (batch_of(&rows, mastery::COLUMNS, mastery::push), last)
            }
            _ => {
                let rows = store.export_stats(filter, *player, PAGE_MAX).await?;
                let last = rows.last().map(|row| (row.0.0, String::new(), 0, 0));
                (batch_of(&rows, stats::COLUMNS, stats::push), last)
            }
        };
        let Some(last) = last else { return Ok(()) };
        if pages.send(Some(Page::Rows(page))).await.is_err() {
            return Ok(());
        }
        after = last;
    }
}

async fn read_names(store: &dyn Store, pages: &Pages) -> Result<(), StoreError> {
    let mut after: [String; 4] = Default::default();
    loop {
        let rows = store
            .export_names(after.each_ref().map(String::as_str), PAGE_MAX)
            .await?;
        let Some((last,)) = rows.last() else {
            return Ok(());
        };
        after = [&last.0, &last.1, &last.2, &last.3].map(String::clone);
        let page = batch_of(&rows, names::COLUMNS, names::push);
        if pages.send(Some(Page::Rows(page))).await.is_err() {
            return Ok(());
        }
    }
}

/// Rows that were read one by one.
fn batch_of<R>(rows: &[R], columns: &[Column], push: fn(&R, &mut RowBatch)) -> RowBatch {
    let mut batch = RowBatch::of(columns);
    for row in rows {
        push(row, &mut batch);
    }
    batch
}

async fn page_of(store: &dyn Store, what: What, ids: Vec<String>) -> Result<Page, StoreError> {
    Ok(match what.match_table() {
        Some(table) => Page::Rows(store.export_rows(table, &ids).await?),
        None => Page::Timelines(timelines_of(store, &ids).await?),
    })
}

async fn timelines_of(
    store: &dyn Store,
    ids: &[String],
) -> Result<Vec<(String, crate::model::records::Payload)>, StoreError> {
    let mut timelines = Vec::with_capacity(ids.len());
    for id in ids {
        let parsed = id
            .parse()
            .map_err(|_| StoreError::Unexpected(format!("a match id '{id}'")))?;
        if let Some(payload) = store.payload(PayloadKind::Timeline, parsed).await? {
            timelines.push((id.clone(), payload));
        }
    }
    Ok(timelines)
}

/// Writes pages as they come; nothing is left of a file whose end does not come.
fn write(
    file: Output,
    order: &Export,
    mut pages: mpsc::Receiver<Option<Page>>,
    told: &AtomicU64,
) -> io::Result<Exported> {
    let columns = order.what.columns();
    let mut sink: Box<dyn Sink> = match order.format {
        Format::Csv => Box::new(csv::CsvSink::new(file, columns, order.raw)),
        Format::Parquet => Box::new(parquet::file(file, order.what, columns)?),
    };
    let mut rows = 0;
    let mut left = Left::default();
    loop {
        match pages.blocking_recv() {
            Some(Some(page)) => {
                rows += write_page(page, order.what, &mut *sink, &mut left)?;
                told.store(rows, Ordering::Relaxed);
            }
            Some(None) => break,
            None => return Err(io::Error::other("it was not read to its end")),
        }
    }
    let bytes = sink.finish()?.keep()?;
    Ok(Exported {
        file: order.out.name(),
        rows,
        bytes,
        unreadable: left.unreadable,
        odd_fields: left.odd.names().to_vec(),
    })
}

/// What could not be written as it should be.
#[derive(Default)]
struct Left {
    unreadable: Vec<String>,
    odd: Odd,
}

fn write_page(page: Page, what: What, sink: &mut dyn Sink, left: &mut Left) -> io::Result<u64> {
    let batch = match page {
        Page::Rows(batch) => batch,
        Page::Timelines(timelines) => {
            let mut batch = RowBatch::of(what.columns());
            for (id, payload) in timelines {
                if let Err(error) = read_timeline(what, &id, &payload, &mut batch, left) {
                    tracing::warn!("the stored timeline of {id} is broken: {error}");
                    left.unreadable.push(id);
                }
            }
            batch
        }
    };
    let rows = batch.rows as u64;
    sink.write(batch)?;
    Ok(rows)
}

fn read_timeline(
    what: What,
    id: &str,
    payload: &crate::model::records::Payload,
    batch: &mut RowBatch,
    left: &mut Left,
) -> Result<(), RiotError> {
    let text = document_of(payload)?;
    if what == What::TimelineFrames {
        let read = timeline_rows::read_frames(id, &text)?;
        left.odd.note_all(&read.odd);
        batch.append(batch_of(
            &read.rows,
            timeline_frames::COLUMNS,
            timeline_frames::push,
        ));
    } else {
        let read = timeline_rows::read_events(id, &text)?;
        left.odd.note_all(&read.odd);
        batch.append(batch_of(
            &read.rows,
            timeline_events::COLUMNS,
            timeline_events::push,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
