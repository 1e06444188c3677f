//! The order of locks, for all transactions of all engines.
//!
//! A transaction that waits for a lock holds only locks that come before it in this order. So those that meet wait in a
//! line, and never in a circle. A lock is whatever another transaction may have to wait for: a row, the key of a new
//! row (who inserts the same key waits), an advisory lock. By class, and within a class by key:
//!
//! | | what | by | who |
//! |---|---|---|---|
//! | 1 | places of the program | | who has rows that engines share, and no job brings ([`Locks::place`]) |
//! | 2 | `schedules` | name | ticks, changes of schedules |
//! | 3 | what effects write | class, key | the program's own order ([`RowClass`]) |
//! | 4 | `engines` | id | who buries the dead |
//! | 5 | `jobs` that are there, with their `job_links` | id | everybody |
//! | 6 | the lock of circles | | who links a job to one that waits |
//! | 7 | the keys of jobs | kind, key | who brings in jobs |
//!
//! What follows from it:
//! - What jobs write comes before the jobs. Whether an attempt still holds its job is first asked without a lock,
//!   and once more when the job is locked; in between a lease is hardly ever lost, and then all is rolled back.
//! - All jobs of a transaction are locked in one pass: those that end, those above them that count them or come after
//!   them, open ones that new jobs join. They are looked up without locks first. What turns out to be missing may be locked
//!   only behind the last; else the transaction is rolled back and run again, and knows it from the start.
//! - What is locked long should come before what many need.
//! - Verbs that stand alone, and jobs that spawn many, have transactions of their own.
//!
//! Apart from all this: rows that are passed over when others hold them (claims, what is due, what is pruned) and locks
//! that are only tried are not waited for. A program may have a lock of its own that keeps all others from writing; who
//! has it writes as he likes ([`Locks::exclusive`]). A heartbeat locks its own engine's row and the leadership, and waits
//! for nobody who waits for more.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel_async::RunQueryDsl;

use super::coming::Coming;
use super::command::Progress;
use super::fault::Fault;
use super::job_statements as sql;
use super::settle::End;
use super::transaction::Transaction;
use riftsync_basics::Lease;

/// What is locked together, in the order of the module.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Schedules,
    Rows(RowClass),
    Engines,
    Jobs,
    Circles,
    Keys,
}

/// Rows of a program: those of a class of a lower number come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowClass {
    pub number: u8,
    pub name: &'static str,
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Schedules => "Schedules",
            Self::Rows(class) => class.name,
            Self::Engines => "Engines",
            Self::Jobs => "Jobs",
            Self::Circles => "Circles",
            Self::Keys => "Keys",
        })
    }
}

/// What one run of a group found too late, for the next one to know from the start.
#[derive(Debug, Clone, Default)]
pub struct Lessons {
    /// Jobs to lock with the others.
    jobs: BTreeSet<i64>,
    /// Attempts that do not hold their jobs any more, or whose end is refused: they write nothing.
    without: HashSet<Lease>,
    /// Ends that have to be in a transaction of their own.
    alone: HashSet<Lease>,
}

impl Lessons {
    fn of_jobs(jobs: BTreeSet<i64>) -> Fault {
        let jobs = Self {
            jobs,
            ..Self::default()
        };
        Fault::Lesson(Box::new(jobs))
    }

    pub(super) fn without(without: HashSet<Lease>) -> Fault {
        let without = Self {
            without,
            ..Self::default()
        };
        Fault::Lesson(Box::new(without))
    }

    pub(super) fn alone(alone: HashSet<Lease>) -> Fault {
        let alone = Self {
            alone,
            ..Self::default()
        };
        Fault::Lesson(Box::new(alone))
    }

    pub(super) fn learn(&mut self, more: Self) {
        self.jobs.extend(more.jobs);
        self.without.extend(more.without);
        self.alone.extend(more.alone);
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = i64> {
        self.jobs.iter().copied()
    }

    pub(super) fn writes(&self, lease: Lease) -> bool {
        !self.without.contains(&lease)
    }

    /// Whether the end of this attempt is left to a transaction of its own.
    pub(super) fn leaves_out(&self, lease: Lease) -> bool {
        self.alone.contains(&lease)
    }
}

/// The jobs that a group touches.
#[derive(Debug)]
pub(super) struct Touched {
    /// To be locked in one pass.
    pub(super) jobs: BTreeSet<i64>,
    /// Of these the ones that may be told of ends.
    pub(super) above: BTreeSet<i64>,
}

impl Touched {
    fn these(jobs: BTreeSet<i64>) -> Self {
        let above = BTreeSet::new();
        Self { jobs, above }
    }
}

/// What a transaction has locked.
#[derive(Debug, Default)]
pub struct Locks {
    last: Option<Class>,
    /// The last place that was taken.
    place: Option<String>,
    /// Nobody else writes what effects write.
    exclusive: bool,
    jobs: BTreeSet<i64>,
    /// Jobs that this transaction has made: nobody else sees them.
    own: HashSet<i64>,
}

impl Locks {
    /// The next locks are of this class, with these keys. Checked in debug builds.
    pub fn pass<K: PartialOrd>(&mut self, class: impl Into<Class>, keys: &[K]) {
        let class = class.into();
        debug_assert!(
            keys.is_sorted(),
            "the order of locks: {class:?} not by their keys"
        );
        let free = self.exclusive && class < Class::Engines;
        debug_assert!(
            free || self.last.is_none_or(|last| last < class),
            "the order of locks: {class:?} after {:?}",
            self.last
        );
        self.last = self.last.max(Some(class));
    }

    /// Places that engines share are taken first of all, one after the other.
    pub fn place(&mut self, place: &str) {
        debug_assert!(
            self.place.as_deref() <= Some(place) && self.last.is_none(),
            "the order of locks: the place {place:?}"
        );
        self.place = Some(place.to_owned());
    }

    /// By a lock of this class, this transaction alone writes what effects write from here on.
    pub fn exclusive(&mut self, class: impl Into<Class>) {
        self.pass::<()>(class, &[]);
        self.exclusive = true;
    }

    pub(super) fn made(&mut self, id: i64) {
        self.own.insert(id);
    }

    /// The jobs of these that are not locked; a lesson, if it is too late for that.
    pub(super) fn missing(
        &self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<BTreeSet<i64>, Fault> {
        let known = |id: &i64| self.jobs.contains(id) || self.own.contains(id);
        let missing: BTreeSet<i64> = ids.into_iter().filter(|id| !known(id)).collect();
        let late = match (BTreeSet::first(&missing), BTreeSet::last(&self.jobs)) {
            (Some(first), Some(last)) => first < last || self.last > Some(Class::Jobs),
            (Some(_), None) => self.last > Some(Class::Jobs),
            (None, _) => false,
        };
        if late {
            return Err(Lessons::of_jobs(missing));
        }
        Ok(missing)
    }

    /// Whether all of these are locked, or made by this transaction.
    pub(super) fn hold_all(&self, ids: impl IntoIterator<Item = i64>) -> bool {
        let mut ids = ids.into_iter();
        ids.all(|id| self.jobs.contains(&id) || self.own.contains(&id))
    }

    /// These jobs are locked now: in the order of their ids, and after a look at what is missing.
    pub fn locked(&mut self, ids: impl IntoIterator<Item = i64>) {
        let before = self.jobs.len();
        self.jobs.extend(ids);
        if self.jobs.len() > before {
            debug_assert!(
                self.last <= Some(Class::Jobs),
                "the order of locks: Jobs after {:?}",
                self.last
            );
            self.last = Some(Class::Jobs);
        }
    }

    /// The last locked job; others may be locked behind it.
    pub(super) fn last_job(&self) -> Option<i64> {
        BTreeSet::last(&self.jobs).copied()
    }

    pub(super) fn jobs(&self) -> Vec<i64> {
        self.jobs.iter().copied().collect()
    }
}

impl Transaction<'_> {
    /// Locks jobs in the order of their ids, those that are not yet.
    pub(super) async fn lock_jobs(
        &mut self,
        ids: impl IntoIterator<Item = i64>,
    ) -> Result<(), Fault> {
        let missing = self.locks.missing(ids)?;
        if missing.is_empty() {
            return Ok(());
        }
        self.lock(&missing).await?;
        self.locks.locked(missing);
        Ok(())
    }

    pub(super) async fn lock(&self, missing: &BTreeSet<i64>) -> Result<(), Fault> {
        if !missing.is_empty() {
            let ids = missing.iter().copied().collect();
            let lock = sql::LockJobs { ids };
            let _locked: i64 = lock.get_result(&mut { self.conn }).await?;
        }
        Ok(())
    }

    /// Locks these jobs and all that may hear of their ends, and what an earlier run found missing.
    pub(super) async fn lock_with_those_above(&mut self, ids: Vec<i64>) -> Result<(), Fault> {
        let mut all: BTreeSet<i64> = ids.iter().copied().collect();
        if !ids.is_empty() {
            let above: Vec<i64> = sql::Above { ids }.load(&mut self.conn).await?;
            all.extend(above);
        }
        all.extend(self.lessons.jobs());
        self.lock_jobs(all).await
    }

    /// The jobs that the commands of a group touch, as far as is known without a lock; none, if one statement locks all of
    /// them in their order.
    pub(super) async fn jobs_of_group(
        &self,
        reports: &[&Progress],
        ends: &[End<'_>],
        coming: &Coming<'_>,
    ) -> Result<Touched, Fault> {
        let mut jobs: BTreeSet<i64> = (coming.jobs.iter())
            .flat_map(|job| job.after.jobs.iter().map(|id| id.0))
            .collect();
        jobs.extend(self.lessons.jobs());
        let keys = coming.keys();
        let ending: Vec<i64> = ends.iter().map(|end| end.lease.job.0).collect();
        let quick = ends.iter().any(End::is_quick);
        let careful = ends.iter().any(|end| !end.is_quick());
        // Statements that lock jobs by themselves.
        let passes = [quick, careful, !reports.is_empty(), !keys.is_empty()];
        let passes = passes.into_iter().filter(|pass| *pass).count();
        let nothing = ending.is_empty() && (keys.is_empty() || passes + jobs.len() < 2);
        let related: Vec<i64> = if nothing {
            Vec::new()
        } else if keys.is_empty() {
            // Jobs that nobody waits for are locked by the statement that ends them.
            if passes < 2
                && jobs.is_empty()
                && !AtomicBool::load(&self.door.house.linked, Ordering::Relaxed)
            {
                return Ok(Touched::these(jobs));
            }
            let ids = ending.clone();
            let above: Vec<i64> = sql::Above { ids }.load(&mut { self.conn }).await?;
            let linked = !above.is_empty();
            self.door.house.linked.store(linked, Ordering::Relaxed);
            above
        } else {
            let (kinds, keys) = keys.into_iter().unzip();
            let ids = ending.clone();
            let related = sql::Related { ids, kinds, keys };
            related.load(&mut { self.conn }).await?
        };
        let above: BTreeSet<i64> = related.into_iter().collect();
        jobs.extend(&above);
        if jobs.is_empty() && passes < 2 {
            return Ok(Touched::these(jobs));
        }
        jobs.extend(ending);
        jobs.extend(reports.iter().map(|report| report.lease.job.0));
        Ok(Touched { jobs, above })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Class = Class::Rows(RowClass {
        number: 0,
        name: "Letters",
    });

    fn ids(ids: &[i64]) -> BTreeSet<i64> {
        ids.iter().copied().collect()
    }

    #[test]
    fn jobs_are_locked_behind_those_that_are_or_the_next_run_knows_of_them() {
        let mut locks = Locks::default();
        locks.pass(ROWS, &["a", "b"]);
        assert_eq!(locks.missing([3, 1]).unwrap(), ids(&[1, 3]));
        locks.locked([1, 3]);
        locks.made(2);
        assert_eq!(locks.missing([1, 2, 3]).unwrap(), ids(&[]));
        assert_eq!(locks.missing([3, 4]).unwrap(), ids(&[4]));
        let Err(Fault::Lesson(lesson)) = locks.missing([2, 0, 4]) else {
            panic!("0 was left out");
        };
        assert_eq!(lesson.jobs, ids(&[0, 4]));
        locks.pass::<()>(Class::Keys, &[]);
        assert!(locks.missing([5]).is_err(), "keys come after all jobs");
        assert_eq!(locks.missing([1]).unwrap(), ids(&[]));
    }

    #[test]
    #[should_panic(expected = "the order of locks: Letters after Some(Jobs)")]
    fn rows_after_jobs_are_out_of_order() {
        let mut locks = Locks::default();
        locks.locked([1]);
        locks.pass(ROWS, &["a"]);
    }

    #[test]
    #[should_panic(expected = "the order of locks: the place \"a\"")]
    fn places_come_in_their_order() {
        let mut locks = Locks::default();
        locks.place("b");
        locks.place("a");
    }
}
