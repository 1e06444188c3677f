//! A limiter that is a member of the machine's board. Its calls block.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Myself;
use super::files::{self, Content, MemberFiles, RowFile, members, private_folder, trouble};
use crate::model::board_claim::{claim, confirm, fold, lost, lost_is_over};
use crate::model::budget_share::{BoardEntry, BoardGrant, BoardReport, BoardRow};

/// More rows of engines that ended are made one.
const ENDED_MAX: usize = 32;
/// Others that write while we read are not ahead of us by so much.
const TOGETHER_MS: i64 = 60_000;

/// See the module. Dropped: others know that nobody has it any more.
#[derive(Debug)]
pub(super) struct Member {
    folder: PathBuf,
    /// What the files of its board begin with.
    board: String,
    files: MemberFiles,
    me: Arc<Myself>,
    lock: File,
}

/// A row of another.
struct Found {
    files: MemberFiles,
    row: BoardRow,
    is_lost: bool,
    /// The member is gone: its lock, which is ours as long as this is.
    gone: Option<File>,
}

impl Member {
    pub(super) fn open(folders: &[PathBuf], board: &str, me: &Arc<Myself>) -> Result<Self, String> {
        let mut causes = Vec::new();
        for folder in folders {
            match Self::open_in(folder.clone(), board, me.clone()) {
                Ok(member) => return Ok(member),
                Err(error) => causes.push(trouble(folder, &error)),
            }
        }
        Err(format!(
            "{}. Set TMPDIR, for all of them the same, to a folder that you can write to",
            causes.join("; ")
        ))
    }

    fn open_in(folder: PathBuf, board: &str, me: Arc<Myself>) -> io::Result<Self> {
        private_folder(&folder)?;
        let board = format!("{}{board}-", files::ALL);
        let files = MemberFiles::new(&folder, format!("{board}{:016x}", fastrand::u64(..)));
        let lock = files.take()?;
        // What others left on boards that nobody looks at any more.
        sweep(&folder, &board)?;
        Ok(Self {
            folder,
            board,
            files,
            me,
            lock,
        })
    }

    /// Its folder is not there any more.
    pub(super) fn is_gone(&self) -> bool {
        std::fs::symlink_metadata(&self.folder).is_err()
    }

    pub(super) fn exchange(&mut self, report: &BoardReport) -> Result<BoardGrant, String> {
        let path = self.files.alive_path();
        self.exchanged(report)
            .map_err(|error| trouble(&path, &error))
    }

    fn exchanged(&mut self, report: &BoardReport) -> io::Result<BoardGrant> {
        if !self.files.is_taken_by(&self.lock)? {
            // Somebody removed it. Our row would not be looked at.
            self.lock = self.files.take()?;
        }
        let now = now();
        let mut found = self.read(report, now)?;
        self.clean(&mut found, now)?;
        let me = self.files.name().to_owned();
        let rows: Vec<BoardRow> = found.into_iter().map(|found| found.row).collect();
        let claimed = claim(&rows, &me, report, now);
        self.write(&claimed, now)?;
        let found = self.read(report, now)?;
        let rows: Vec<BoardRow> = found.into_iter().map(|found| found.row).collect();
        let (entry, grant, is_less) = confirm(&rows, &me, report, now, &claimed);
        if is_less {
            self.write(&entry, now)?;
        }
        Ok(grant)
    }

    fn write(&self, entry: &BoardEntry, now: i64) -> io::Result<()> {
        let row = RowFile {
            database: self.me.database.clone(),
            pid: std::process::id(),
            reported_at: now,
            ended_at: None,
            entry: entry.clone(),
        };
        self.files.write(&row, &self.files)
    }

    /// The rows of all others.
    fn read(&self, report: &BoardReport, now: i64) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for files in members(&self.folder, &self.board)? {
            if files.name() != self.files.name()
                && let Some(row) = self.look(files, report, now)?
            {
                found.push(row);
            }
        }
        Ok(found)
    }

    fn look(
        &self,
        files: MemberFiles,
        report: &BoardReport,
        now: i64,
    ) -> io::Result<Option<Found>> {
        // Before the row: what somebody wrote who is gone is the last of it.
        let gone = match files.lock_of_gone() {
            Ok(gone) => gone,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let name = files.name().to_owned();
        let (row, is_lost) = match files.read()? {
            Content::Nothing => {
                if gone.is_some() {
                    files.remove();
                }
                return Ok(None);
            }
            Content::Damaged(age) => {
                let row = lost(name, report, now.saturating_sub(age), gone.is_some());
                (row, true)
            }
            Content::Row(mut row) => {
                if gone.is_none() && !row.entry.last && !row.database.is_empty() {
                    self.me.see(&row.database);
                }
                if gone.is_some() && !row.entry.last && row.ended_at.is_none() {
                    row.ended_at = Some(now);
                    // If it cannot be written, who looks next takes the end for later.
                    let _ = files.write(&row, &self.files);
                }
                (row_of(name, row), false)
            }
        };
        Ok(Some(Found {
            files,
            row,
            is_lost,
            gone,
        }))
    }

    /// Rows that count no more are removed, and many that ended are made one.
    fn clean(&self, found: &mut Vec<Found>, now: i64) -> io::Result<()> {
        found.retain(|one| {
            let is_over = if one.is_lost {
                lost_is_over(one.row.reported_at, now)
            } else {
                one.row.is_over(now)
            };
            let is_over = is_over || (one.gone.is_some() && is_of_before(one.row.reported_at, now));
            if is_over && one.gone.is_some() {
                one.files.remove();
            }
            !is_over
        });
        let is_ended = |one: &Found| one.gone.is_some() && !one.is_lost;
        if found.iter().filter(|one| is_ended(one)).count() <= ENDED_MAX {
            return Ok(());
        }
        let ended: Vec<Found> = found.extract_if(.., |one| is_ended(one)).collect();
        let name = format!("{}{:016x}", self.board, fastrand::u64(..));
        let files = MemberFiles::new(&self.folder, name.clone());
        let rows: Vec<BoardRow> = ended.iter().map(|one| one.row.clone()).collect();
        let row = fold(&rows, name, now);
        let file = RowFile {
            database: String::new(),
            pid: 0,
            reported_at: row.reported_at,
            ended_at: row.ended_at,
            entry: row.entry.clone(),
        };
        // Who reads between these finds places twice, which is safe.
        files.write(&file, &self.files)?;
        files.leave_empty()?;
        for one in &ended {
            one.files.remove();
        }
        found.push(Found {
            files,
            row,
            is_lost: false,
            gone: None,
        });
        Ok(())
    }
}

/// Removes what is over on all other boards.
fn sweep(folder: &Path, but: &str) -> io::Result<()> {
    let now = now();
    for files in members(folder, files::ALL)? {
        if files.name().starts_with(but) {
            continue;
        }
        // While it is looked at, others take it for one that is there.
        let Ok(Some(_lock)) = files.lock_of_gone() else {
            continue;
        };
        let is_over = match files.read() {
            Ok(Content::Nothing) => true,
            Ok(Content::Damaged(age)) => lost_is_over(now.saturating_sub(age), now),
            Ok(Content::Row(row)) => {
                let mut row = row_of(String::new(), row);
                row.ended_at = row.ended_at.or(Some(row.reported_at));
                is_of_before(row.reported_at, now) || row.is_over(now)
            }
            Err(_) => false,
        };
        if is_over {
            files.remove();
        }
    }
    files::remove_unfinished(folder)
}

/// A row of the time before the machine was started says nothing.
fn is_of_before(reported_at: i64, now: i64) -> bool {
    reported_at > now + TOGETHER_MS
}

fn row_of(engine: String, row: RowFile) -> BoardRow {
    BoardRow {
        engine,
        entry: row.entry,
        reported_at: row.reported_at,
        ended_at: row.ended_at,
    }
}

/// Milliseconds since the machine was started. It stands still while the machine sleeps, as everybody on it does.
pub(super) fn now() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
}
