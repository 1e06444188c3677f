//! What one job's end means for others: parents count it, successors may run; and the verbs by which
//! a person ends or revives a job.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::fault::Fault;
use super::job_statements as own;
use super::locks::Class;
use super::transaction::Transaction;
use crate::sql::jobs as sql;
use crate::store::rows::{append_error, dependency_failed, from_json, to_json, to_u32};
use crate::store::{Cancelled, Retried, StoreError};
use riftsync_basics::attempt::{BATCH_KIND, cancelled_on_request};
use riftsync_basics::rollup::FailedChild;
use riftsync_basics::{Failure, JobId, JobState, Rollup, Timestamp};

/// The child or predecessor, who waits for it, and how.
pub(super) type Link = (i64, i64, String);

/// A job that is final now.
#[derive(Debug)]
pub(super) struct Ended {
    id: JobId,
    state: JobState,
    counts: Counts,
    now: Timestamp,
}

/// What its parents count.
#[derive(Debug)]
enum Counts {
    /// The job itself: done, or failed for a reason.
    Itself {
        kind: String,
        key: Option<String>,
        why: Option<Failure>,
    },
    /// Its children: it was counted itself when its own work was done.
    Children(Rollup),
}

impl Ended {
    pub(super) fn by_itself(
        id: JobId,
        state: JobState,
        kind: String,
        key: Option<String>,
        why: Option<Failure>,
        now: Timestamp,
    ) -> Self {
        let counts = Counts::Itself { kind, key, why };
        Self {
            id,
            state,
            counts,
            now,
        }
    }

    /// A job that completed with the last of its children.
    pub(super) fn parent(id: JobId, rollup: Rollup, now: Timestamp) -> Self {
        Self {
            id,
            state: JobState::Completed,
            counts: Counts::Children(rollup),
            now,
        }
    }
}

impl Transaction<'_> {
    /// Tells parents and successors, and those of successors that end by it. The links go: all that
    /// they were for is in the rows now, or in what waits for `flush_parents`.
    pub(super) async fn ended(&mut self, first: Vec<Ended>) -> Result<(), Fault> {
        let children = first.iter().map(|job| job.id.0).collect();
        let links = self.take_links_of(children).await?;
        self.ended_with(first, links).await
    }

    /// The same, with the links that are taken already.
    pub(super) async fn ended_with(
        &mut self,
        first: Vec<Ended>,
        links: Vec<Link>,
    ) -> Result<(), Fault> {
        let (mut work, mut links) = (first, links);
        while !work.is_empty() {
            links.sort_unstable();
            if !links.is_empty() {
                self.door.house.linked.store(true, Ordering::Relaxed);
            }
            let jobs: HashMap<i64, &Ended> = work.iter().map(|job| (job.id.0, job)).collect();
            let mut next = Vec::new();
            for (child, other, relation) in links {
                let job = jobs[&child];
                if relation == "child" {
                    self.count_child(JobId(other), job);
                } else {
                    let cancels = relation == "after_cancel" && job.state != JobState::Completed;
                    next.extend(self.predecessor_ended(JobId(other), job, cancels).await?);
                }
            }
            work = next;
            let children = work.iter().map(|job| job.id.0).collect();
            links = self.take_links_of(children).await?;
        }
        Ok(())
    }

    pub(super) async fn take_links_of(&self, children: Vec<i64>) -> Result<Vec<Link>, Fault> {
        if children.is_empty() {
            return Ok(Vec::new());
        }
        let links = own::TakeLinksOf { children };
        Ok(links.load(&mut { self.conn }).await?)
    }

    /// The same of parents that `flush_parents` has ended, and counted where they are children themselves.
    pub(super) async fn ended_with_their_children(
        &mut self,
        ended: Vec<Ended>,
    ) -> Result<(), Fault> {
        if ended.is_empty() {
            return Ok(());
        }
        let children = ended.iter().map(|job| job.id.0).collect();
        let mut links = self.take_links_of(children).await?;
        links.sort_unstable();
        let jobs: HashMap<i64, &Ended> = ended.iter().map(|job| (job.id.0, job)).collect();
        let mut next = Vec::new();
        for (child, other, relation) in links {
            if relation != "child" {
                next.extend(
                    self.predecessor_ended(JobId(other), jobs[&child], false)
                        .await?,
                );
            }
        }
        self.ended(next).await
    }

    fn count_child(&mut self, parent: JobId, job: &Ended) {
        let delta = self.parent(parent, job.now);
        delta.pending -= 1;
        match &job.counts {
            Counts::Children(rollup) => delta.rollup.merge(rollup),
            Counts::Itself {
                kind, why: None, ..
            } => delta.rollup.child_completed(kind),
            Counts::Itself {
                kind,
                key,
                why: Some(why),
            } => delta
                .rollup
                .child_failed(FailedChild::new(kind.clone(), key.clone(), why)),
        }
    }

    /// One of the jobs that `waiter` comes after is final. Returns the waiter if that ends it.
    async fn predecessor_ended(
        &mut self,
        waiter: JobId,
        job: &Ended,
        cancels: bool,
    ) -> Result<Option<Ended>, Fault> {
        type Row = (String, Option<String>, String, i32, i64, String);
        let now = job.now;
        self.lock_jobs([waiter.0]).await?;
        let row: Option<Row> = sql::Waiter { id: waiter.0 }
            .get_result(&mut self.conn)
            .await
            .optional()?;
        let Some((kind, key, queue, waits_for, run_at, errors)) = row else {
            return Ok(None);
        };
        self.after.wrote = true;
        if cancels {
            let failure = dependency_failed(job.id, job.state);
            sql::CancelNow {
                errors: &append_error(&errors, 0, &failure, now)?,
                now: now.as_millis(),
                id: waiter.0,
            }
            .execute(&mut self.conn)
            .await?;
            sql::DropLinksTo { parent: waiter.0 }
                .execute(&mut self.conn)
                .await?;
            let why = Some(failure);
            return Ok(Some(Ended::by_itself(
                waiter,
                JobState::Cancelled,
                kind,
                key,
                why,
                now,
            )));
        }
        let state = if waits_for > 1 {
            JobState::Blocked
        } else if run_at > now.as_millis() {
            JobState::Scheduled
        } else {
            JobState::Available
        };
        sql::WaitsLess {
            state: state.as_str(),
            id: waiter.0,
        }
        .execute(&mut self.conn)
        .await?;
        self.note_state(state, &queue);
        Ok(None)
    }

    /// Cancels a job, and with it the children that nobody else waits for or asked for.
    pub(super) async fn cancel(
        &mut self,
        first: JobId,
        now: Timestamp,
    ) -> Result<Cancelled, Fault> {
        type Row = (
            String,
            Option<String>,
            String,
            String,
            i32,
            String,
            Option<i64>,
        );
        let around = own::Around { id: first.0 };
        let mut around: Vec<i64> = around.load(&mut self.conn).await?;
        around.extend(self.lessons.jobs());
        self.lock_jobs(around).await?;
        let mut outcome = None;
        let mut work = vec![first];
        while let Some(id) = work.pop() {
            self.lock_jobs([id.0]).await?;
            let row: Option<Row> = sql::JobToCancel { id: id.0 }
                .get_result(&mut self.conn)
                .await
                .optional()?;
            let Some((kind, key, state, errors, attempt, rollup, worked_at)) = row else {
                outcome.get_or_insert(Cancelled::Unknown);
                continue;
            };
            let state: JobState = state.parse().map_err(StoreError::Unexpected)?;
            if state.is_final() {
                outcome.get_or_insert(Cancelled::Final(state));
                continue;
            }
            self.after.wrote = true;
            if state == JobState::Running {
                sql::RequestCancel {
                    now: now.as_millis(),
                    id: id.0,
                }
                .execute(&mut self.conn)
                .await?;
                self.after.cancels = true;
                outcome.get_or_insert(Cancelled::Requested);
                continue;
            }
            let failure = cancelled_on_request();
            sql::CancelNow {
                errors: &append_error(&errors, to_u32(attempt), &failure, now)?,
                now: now.as_millis(),
                id: id.0,
            }
            .execute(&mut self.conn)
            .await?;
            outcome.get_or_insert(Cancelled::Now);
            let mut rollup: Rollup = from_json(&rollup)?;
            work.extend(self.let_children_go(id, &mut rollup).await?);
            let ended = if worked_at.is_some() {
                sql::SetRollup {
                    rollup: &to_json(&rollup)?,
                    id: id.0,
                }
                .execute(&mut self.conn)
                .await?;
                Ended {
                    id,
                    state: JobState::Cancelled,
                    counts: Counts::Children(rollup),
                    now,
                }
            } else {
                let why = Some(failure);
                Ended::by_itself(id, JobState::Cancelled, kind, key, why, now)
            };
            self.ended(vec![ended]).await?;
        }
        Ok(outcome.unwrap_or(Cancelled::Unknown))
    }

    /// Unlinks what a cancelled job waits for. Children count as failed in its rollup; those that
    /// nobody else waits for are returned, to be cancelled too.
    async fn let_children_go(
        &mut self,
        parent: JobId,
        rollup: &mut Rollup,
    ) -> Result<Vec<JobId>, Fault> {
        type Row = (i64, String, Option<String>, i32, Option<i64>);
        let children: Vec<Row> = sql::ChildrenOf { parent: parent.0 }
            .load(&mut self.conn)
            .await?;
        sql::DropLinksTo { parent: parent.0 }
            .execute(&mut self.conn)
            .await?;
        let mut alone = Vec::new();
        for (id, kind, key, submitted, worked_at) in children {
            if worked_at.is_none() {
                let why = Failure::new("cancelled", "cancelled with its parent");
                rollup.child_failed(FailedChild::new(kind, key, &why));
            }
            let wanted: i64 = sql::CountParents { child: id }
                .get_result(&mut self.conn)
                .await?;
            if submitted == 0 && wanted == 0 {
                alone.push(JobId(id));
            }
        }
        Ok(alone)
    }

    /// Gives a cancelled or discarded job all its attempts again.
    pub(super) async fn retry(&mut self, id: JobId, now: Timestamp) -> Result<Retried, Fault> {
        type Row = (String, Option<String>, String, String, i32);
        self.locks.missing([id.0])?;
        self.locks.locked([id.0]);
        let row: Option<Row> = sql::JobToRetry { id: id.0 }
            .get_result(&mut self.conn)
            .await
            .optional()?;
        let Some((kind, key, queue, state, priority)) = row else {
            return Ok(Retried::Unknown);
        };
        let state: JobState = state.parse().map_err(StoreError::Unexpected)?;
        if !matches!(state, JobState::Cancelled | JobState::Discarded) {
            return Ok(Retried::NotFailed(state));
        }
        if kind == BATCH_KIND {
            let why =
                format!("job {id} is a batch, which has no work of its own: retry the jobs in it");
            return Err(StoreError::Refused(why).into());
        }
        let open: Option<i64> = sql::OpenByKey {
            kind: &kind,
            key: key.as_deref(),
        }
        .get_result(&mut self.conn)
        .await
        .optional()?;
        if let Some(open) = open {
            return Ok(Retried::Joined(JobId(open)));
        }
        let turns = self.next_turns(&[(queue.as_str(), priority)]).await?;
        self.after.wrote = true;
        self.locks.pass(Class::Keys, &[&key]);
        sql::Revive {
            now: now.as_millis(),
            turn: turns[0],
            id: id.0,
        }
        .execute(&mut self.conn)
        .await?;
        self.note_ready(&queue);
        Ok(Retried::Available)
    }
}
