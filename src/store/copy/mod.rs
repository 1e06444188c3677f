//! A whole database from one place to another, so that who outgrows a file need not fetch again.
//!
//! Table by table in the order of the keys, a batch in a transaction: what the target has of its range is
//! compared with the source; if it differs it is replaced, read back and compared once more. So what is committed is
//! verified, and a copy that was cut off goes on by being run again: what is there is compared, and what is
//! missing, or was changed meanwhile on either side, is copied. One that is run again after its end compares all rows,
//! and is done if none differs.
//!
//! Invariants: a target under copy bears a mark, and no engine works on it until the mark goes, in the
//! transaction that finds all tables to be of equal size. The source is one moment of its database, kept
//! from engines.
//!
//! Deliberately absent: what tables and columns mean; the databases tell their columns, and `tables` which
//! tables there are.

mod postgres;
mod rows;
mod side;
mod sqlite;
mod tables;

use std::sync::Arc;

use diesel::QueryableByName;
use diesel::sql_types::Text;
use tokio::sync::{Notify, oneshot, watch};

use self::postgres::PostgresSide;
use self::rows::Row;
use self::side::{Bounds, Range, Side};
use self::sqlite::SqliteSide;
use self::tables::Plan;
pub use self::tables::{COPIED, LEFT_OUT, Table};
use super::postgres::PostgresStore;
use super::{Database as _, EngineState, FleetStore as _, Location, StoreError, StoreResult};

/// The table that marks the target of an unfinished copy, with the name of the source.
pub(super) const MARK_TABLE: &str = "copy_in_progress";

/// A batch: small enough for the memory of a small machine and for the patience of one who presses Ctrl-C.
const BATCH: Bounds = Bounds {
    rows: 1_000,
    bytes: 4 << 20,
};

/// A text of a row of one column.
#[derive(Debug, QueryableByName)]
struct Word {
    #[diesel(sql_type = Text)]
    value: String,
}

/// What was done to a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    pub name: &'static str,
    /// Rows that the source has.
    pub rows: u64,
    /// Of those done so far, what they hold.
    pub bytes: u64,
    /// Rows done so far: written, or there already.
    pub done: u64,
    /// Rows written.
    pub written: u64,
    /// Rows that were there in batches that differed from the source: an earlier run wrote them, and one of
    /// the sides has changed since.
    pub replaced: u64,
}

/// How far a copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyProgress {
    pub tables: Vec<Copied>,
    /// It goes on where an earlier run was cut off.
    pub resumed: bool,
    /// An earlier run had done it all: every row was compared, and none was written.
    pub complete: bool,
}

/// A copy at work on a thread of its own: it waits for disks as much as for sockets.
#[derive(Debug)]
pub struct Copy {
    pub progress: watch::Receiver<CopyProgress>,
    stop: Arc<Notify>,
    done: oneshot::Receiver<StoreResult<bool>>,
}

impl Copy {
    pub fn start(from: Location, to: Location) -> StoreResult<Self> {
        let (told, progress) = watch::channel(CopyProgress::default());
        let (answer, done) = oneshot::channel();
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let unable = |error: std::io::Error| {
            StoreError::CopyStopped(format!("there is no thread for it: {error}"))
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(unable)?;
        let work = move || {
            let outcome = runtime.block_on(async {
                tokio::select! {
                    done = run(&from, &to, &told) => done.map(|()| true),
                    () = stopped.notified() => Ok(false),
                }
            });
            let _ = answer.send(outcome.map_err(|error| for_people(error, &from, &to)));
        };
        std::thread::Builder::new()
            .name("copy".to_owned())
            .spawn(work)
            .map_err(unable)?;
        Ok(Self {
            progress,
            stop,
            done,
        })
    }

    /// Ends it where it stands; the batch under way is undone.
    pub fn stop(&self) {
        self.stop.notify_one();
    }

    /// Whether it came to its end, or was stopped.
    pub async fn done(&mut self) -> StoreResult<bool> {
        let panicked = || StoreError::CopyStopped("its thread panicked".to_owned());
        (&mut self.done).await.map_err(|_| panicked())?
    }
}

/// An engine waits until an outage is over; a copy ends, and is run again. What is damaged is the source: the
/// target is written and read back here.
fn for_people(error: StoreError, from: &Location, to: &Location) -> StoreError {
    match (error, from, to) {
        (StoreError::Unavailable(why) | StoreError::Full(why), ..) => StoreError::CopyStopped(why),
        (error, Location::Sqlite(path), _) | (error, _, Location::Sqlite(path)) => {
            error.located(path)
        }
        (error, ..) => error,
    }
}

async fn run(
    from: &Location,
    to: &Location,
    told: &watch::Sender<CopyProgress>,
) -> StoreResult<()> {
    if from.is_shown_as(&to.to_string()) {
        return Err(StoreError::Refused(format!(
            "{from} cannot be copied to itself. Name another database with --to"
        )));
    }
    let mut source = open_source(from).await?;
    let mut target = open_target(to).await?;
    let name = name_of(from);
    from.refuse_other_world(to).await?;
    let taken = take_target(&mut *target, to, &name).await?;
    if !matches!(taken, Taken::Filled(_)) {
        from.hand_on_world(to).await?;
    }
    let mut plans = Vec::new();
    for table in COPIED {
        let columns = source.columns(table.name).await?;
        let plan = Plan::agreed(*table, columns, target.columns(table.name).await?)?;
        let rows = source.count(table.name).await?;
        let counted = Copied {
            name: table.name,
            rows,
            ..Copied::default()
        };
        told.send_modify(|progress| {
            progress.resumed = taken == Taken::Resumed;
            progress.tables.push(counted);
        });
        plans.push((plan, rows));
    }
    if let Taken::Filled(table) = taken {
        if is_copied(&mut *source, &mut *target, &plans, told).await? {
            // An older version handed on no mark.
            from.hand_on_world(to).await?;
            told.send_modify(|progress| progress.complete = true);
            return Ok(());
        }
        return Err(StoreError::Refused(format!(
            "a copy goes into an empty database, and {to} has data (in {table}) that is not the same as that of {from}. Name another one with --to; nothing was changed"
        )));
    }
    for (place, (plan, _)) in plans.iter().enumerate() {
        let tell = |change: &dyn Fn(&mut Copied)| {
            told.send_modify(|progress| change(&mut progress.tables[place]));
        };
        copy_table(&mut *source, &mut *target, plan, tell).await?;
    }
    finish(&mut *source, &mut *target, &plans).await
}

async fn open_source(from: &Location) -> StoreResult<Box<dyn Side>> {
    match from {
        Location::Sqlite(path) => Ok(Box::new(SqliteSide::source(path)?)),
        Location::Postgres(settings) => {
            let side = PostgresSide::source(settings).await?;
            refuse_engines(from).await?;
            Ok(Box::new(side))
        }
    }
}

async fn open_target(to: &Location) -> StoreResult<Box<dyn Side>> {
    match to {
        Location::Sqlite(path) => Ok(Box::new(SqliteSide::target(path)?)),
        Location::Postgres(settings) => {
            let side = PostgresSide::target(settings).await?;
            refuse_engines(to).await?;
            Ok(Box::new(side))
        }
    }
}

/// A file has its lock; engines of a PostgreSQL database are known by their heartbeats.
async fn refuse_engines(database: &Location) -> StoreResult<()> {
    let Location::Postgres(settings) = database else {
        return Ok(());
    };
    let store = PostgresStore::open_target((**settings).clone()).await?;
    let engines = store.engines().await?;
    store.close().await?;
    let mut alive = engines
        .iter()
        .filter(|engine| engine.state == EngineState::Alive);
    match alive.next() {
        Some(engine) => Err(StoreError::Refused(format!(
            "an engine works on {database} (pid {} on {}, {} in all). Stop it with `riftsync engine stop`, and copy then",
            engine.pid,
            engine.host,
            1 + alive.count()
        ))),
        None => Ok(()),
    }
}

/// The same database has one name, wherever it is named from.
fn name_of(location: &Location) -> String {
    match location {
        Location::Sqlite(path) => sqlite::name_of(path).display().to_string(),
        Location::Postgres(_) => location.to_string(),
    }
}

/// What a target was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Empty,
    /// An unfinished copy of the same source.
    Resumed,
    /// It has rows, in this table first, and no mark.
    Filled(&'static str),
}

/// Marks an empty target, or finds the mark of the same copy there.
async fn take_target(target: &mut dyn Side, to: &Location, source: &str) -> StoreResult<Taken> {
    match target.mark().await? {
        Some(marked) if marked == source => return Ok(Taken::Resumed),
        Some(marked) => {
            return Err(StoreError::UnfinishedCopy {
                database: to.to_string(),
                source_name: marked,
            });
        }
        None => {}
    }
    for table in COPIED {
        if !target.is_empty(table.name).await? {
            return Ok(Taken::Filled(table.name));
        }
    }
    target.begin().await?;
    target.set_mark(source).await?;
    target.commit().await?;
    Ok(Taken::Empty)
}

/// Whether each row of the source is in the target as it is, and no other. Nothing is written.
async fn is_copied(
    source: &mut dyn Side,
    target: &mut dyn Side,
    plans: &[(Plan, u64)],
    told: &watch::Sender<CopyProgress>,
) -> StoreResult<bool> {
    for (plan, rows) in plans {
        if target.count(plan.table.name).await? != *rows {
            return Ok(false);
        }
    }
    for (place, (plan, _)) in plans.iter().enumerate() {
        let mut after: Option<String> = None;
        loop {
            let batch = source.batch(plan, after.as_deref(), BATCH).await?;
            let Some(last) = batch.last() else { break };
            let to = plan.key_of(last);
            let range = Range {
                after: after.as_deref(),
                to: Some(&to),
            };
            if target.rows(plan, range, batch.len() + 1).await? != batch {
                return Ok(false);
            }
            let bytes: u64 = batch
                .iter()
                .map(|row| rows::bytes(&plan.columns, row))
                .sum();
            told.send_modify(|progress| {
                let copied = &mut progress.tables[place];
                copied.done += batch.len() as u64;
                copied.bytes += bytes;
            });
            after = Some(to);
            tokio::task::yield_now().await;
        }
    }
    Ok(true)
}

async fn copy_table(
    source: &mut dyn Side,
    target: &mut dyn Side,
    plan: &Plan,
    tell: impl Fn(&dyn Fn(&mut Copied)),
) -> StoreResult<()> {
    let mut after: Option<String> = None;
    loop {
        let batch = source.batch(plan, after.as_deref(), BATCH).await?;
        let Some(last) = batch.last() else { break };
        let to = plan.key_of(last);
        let range = Range {
            after: after.as_deref(),
            to: Some(&to),
        };
        let (written, replaced) = put(target, plan, range, &batch).await?;
        let bytes: u64 = batch
            .iter()
            .map(|row| rows::bytes(&plan.columns, row))
            .sum();
        tell(&|copied| {
            copied.done += batch.len() as u64;
            copied.bytes += bytes;
            copied.written += written;
            copied.replaced += replaced;
        });
        after = Some(to);
        // Between two files nothing is ever waited for: a stop would not be heard.
        tokio::task::yield_now().await;
    }
    // What the source lost after an earlier run.
    let rest = Range {
        after: after.as_deref(),
        to: None,
    };
    if !target.rows(plan, rest, 1).await?.is_empty() {
        target.begin().await?;
        target.delete(plan, rest).await?;
        target.commit().await?;
    }
    Ok(())
}

/// Makes a range of the target what the batch is, in one transaction. Returns how many rows were written, and
/// how many were there that are not now, or not so.
async fn put(
    target: &mut dyn Side,
    plan: &Plan,
    range: Range<'_>,
    batch: &[Row],
) -> StoreResult<(u64, u64)> {
    target.begin().await?;
    let there = target.rows(plan, range, batch.len() + 1).await?;
    if there == batch {
        target.commit().await?;
        return Ok((0, 0));
    }
    if !there.is_empty() {
        let to = if plan.table.numbered { None } else { range.to };
        target.delete(plan, Range { to, ..range }).await?;
    }
    target.insert(plan, batch).await?;
    let written = target.rows(plan, range, batch.len() + 1).await?;
    if written != batch {
        return Err(differs(plan, batch, &written));
    }
    target.commit().await?;
    let changed = there.iter().filter(|row| !batch.contains(row)).count();
    Ok((batch.len() as u64, changed as u64))
}

/// The first row that did not arrive as it was sent. Its values may be long; its key tells enough.
fn differs(plan: &Plan, sent: &[Row], written: &[Row]) -> StoreError {
    let mut pairs = sent.iter().zip(written);
    let first = pairs.find(|(sent, written)| sent != written);
    let row = first.map_or_else(|| "a missing row".to_owned(), |(sent, _)| plan.key_of(sent));
    StoreError::Unexpected(format!(
        "{row} of {} reads in the new database other than it was written; that batch was taken back",
        plan.table.name
    ))
}

/// Compares the tables' sizes and takes the mark away: from now on it is a database like any other.
async fn finish(
    source: &mut dyn Side,
    target: &mut dyn Side,
    plans: &[(Plan, u64)],
) -> StoreResult<()> {
    target.begin().await?;
    for (plan, here) in plans {
        let name = plan.table.name;
        // Counted in the source at the beginning: it is one moment of it.
        let there = target.count(name).await?;
        if there != *here {
            return Err(StoreError::CopyStopped(format!(
                "{name} has {there} rows in the new database instead of {here}: another program writes there"
            )));
        }
        if plan.table.numbered {
            let highest = source.highest_id(name).await?;
            target.number_from(name, highest).await?;
        }
    }
    target.drop_mark().await?;
    target.commit().await?;
    target.begin().await?;
    target.analyze().await?;
    target.commit().await
}

#[cfg(test)]
mod tests {
    use diesel::Connection;
    use diesel::connection::SimpleConnection;
    use diesel::sqlite::SqliteConnection;

    use super::*;
    use crate::store::synthetic::Synthetic;

    #[tokio::test]
    async fn a_copy_between_files_hears_that_it_is_to_stop_and_goes_on_later() {
        let folder = tempfile::TempDir::new().unwrap();
        let [from, to] = ["from.db", "to.db"].map(|name| Location::file(folder.path().join(name)));
        let made_up = Synthetic {
            matches: 50,
            of_player: 20,
            finished_jobs: 5,
        };
        made_up.fill(&from).await.unwrap();
        to.open().await.unwrap().close().await.unwrap();
        // Nothing is written before it is told to stop.
        let mut held = SqliteConnection::establish(&to.to_string()).unwrap();
        held.batch_execute("BEGIN IMMEDIATE").unwrap();
        let lock = folder.path().join("to.db.lock");
        std::fs::remove_file(&lock).unwrap();
        let mut copy = Copy::start(from.clone(), to.clone()).unwrap();
        while !lock.exists() {
            tokio::task::yield_now().await;
        }
        copy.stop();
        held.batch_execute("ROLLBACK").unwrap();
        assert!(!copy.done().await.unwrap(), "it was stopped");
        let mut again = Copy::start(from, to).unwrap();
        assert!(again.done().await.unwrap());
    }
}
