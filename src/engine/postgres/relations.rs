//! What one job's end means for others: parents count it, successors may run; and the verbs by which
//! a person ends or revives a job. What is decided for that is in `store::relations`.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use diesel::result::OptionalExtension;
use diesel_async::RunQueryDsl;

use super::fault::Fault;
use super::job_statements as own;
use super::locks::Class;
use super::transaction::Transaction;
use crate::sql::jobs as sql;
use crate::store::relations::{
    CHILD, CancelledJob, Cancelling, Ended, JobToCancel, JobToRetry, LinkedChild, WaitingJob,
};
use crate::store::{Cancelled, Retried};
use riftsync_basics::{JobId, Timestamp};

/// The child or predecessor, who waits for it, and how.
pub(super) type Link = (i64, i64, String);

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
                if relation == CHILD {
                    self.parent(JobId(other), job.now).child_ended(job);
                } else {
                    let cancels = job.cancels(&relation);
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
            if relation != CHILD {
                next.extend(
                    self.predecessor_ended(JobId(other), jobs[&child], false)
                        .await?,
                );
            }
        }
        self.ended(next).await
    }

    /// One of the jobs that `waiter` comes after is final. Returns the waiter if that ends it.
    async fn predecessor_ended(
        &mut self,
        waiter: JobId,
        job: &Ended,
        cancels: bool,
    ) -> Result<Option<Ended>, Fault> {
        self.lock_jobs([waiter.0]).await?;
        let row: Option<WaitingJob> = sql::Waiter { id: waiter.0 }
            .get_result(&mut self.conn)
            .await
            .optional()?;
        let Some(waiting) = row else {
            return Ok(None);
        };
        self.after.wrote = true;
        if cancels {
            let (errors, ended) = waiting.cancelled_by(waiter, job)?;
            sql::CancelNow {
                errors: &errors,
                now: job.now.as_millis(),
                id: waiter.0,
            }
            .execute(&mut self.conn)
            .await?;
            sql::DropLinksTo { parent: waiter.0 }
                .execute(&mut self.conn)
                .await?;
            return Ok(Some(ended));
        }
        let state = waiting.next_state(job.now);
        sql::WaitsLess {
            state: state.as_str(),
            id: waiter.0,
        }
        .execute(&mut self.conn)
        .await?;
        self.note_state(state, &waiting.queue);
        Ok(None)
    }

    /// Cancels a job, and with it the children that nobody else waits for or asked for.
    pub(super) async fn cancel(
        &mut self,
        first: JobId,
        now: Timestamp,
    ) -> Result<Cancelled, Fault> {
        let around = own::Around { id: first.0 };
        let mut around: Vec<i64> = around.load(&mut self.conn).await?;
        around.extend(self.lessons.jobs());
        self.lock_jobs(around).await?;
        let mut outcome = None;
        let mut work = vec![first];
        while let Some(id) = work.pop() {
            self.lock_jobs([id.0]).await?;
            let row: Option<JobToCancel> = sql::JobToCancel { id: id.0 }
                .get_result(&mut self.conn)
                .await
                .optional()?;
            let now_ms = now.as_millis();
            let mut job = match JobToCancel::how(row, id, now)? {
                Cancelling::Not(why) => {
                    outcome.get_or_insert(why);
                    continue;
                }
                Cancelling::Ask => {
                    let (id, now) = (id.0, now_ms);
                    let ask = sql::RequestCancel { now, id };
                    ask.execute(&mut self.conn).await?;
                    self.after.wrote = true;
                    self.after.cancels = true;
                    outcome.get_or_insert(Cancelled::Requested);
                    continue;
                }
                Cancelling::AtOnce(job) => job,
            };
            self.after.wrote = true;
            sql::CancelNow {
                errors: &job.errors,
                now: now_ms,
                id: id.0,
            }
            .execute(&mut self.conn)
            .await?;
            outcome.get_or_insert(Cancelled::Now);
            work.extend(self.let_children_go(&mut job).await?);
            if let Some(rollup) = &job.rollup_to_write()? {
                let write = sql::SetRollup { rollup, id: id.0 };
                write.execute(&mut self.conn).await?;
            }
            self.ended(vec![job.ended(now)]).await?;
        }
        Ok(outcome.unwrap_or(Cancelled::Unknown))
    }

    /// Unlinks what a cancelled job waits for. Children that are to be cancelled too are returned.
    async fn let_children_go(&mut self, job: &mut CancelledJob) -> Result<Vec<JobId>, Fault> {
        let parent = job.id.0;
        let children: Vec<LinkedChild> = sql::ChildrenOf { parent }.load(&mut self.conn).await?;
        let unlink = sql::DropLinksTo { parent };
        unlink.execute(&mut self.conn).await?;
        let mut alone = Vec::new();
        for child in children {
            let id = child.id;
            let parents: i64 = sql::CountParents { child: id }
                .get_result(&mut self.conn)
                .await?;
            if job.lets_go(child, parents) {
                alone.push(JobId(id));
            }
        }
        Ok(alone)
    }

    /// Gives a cancelled or discarded job all its attempts again.
    pub(super) async fn retry(&mut self, id: JobId, now: Timestamp) -> Result<Retried, Fault> {
        self.locks.missing([id.0])?;
        self.locks.locked([id.0]);
        let row: Option<JobToRetry> = sql::JobToRetry { id: id.0 }
            .get_result(&mut self.conn)
            .await
            .optional()?;
        let Some(job) = row else {
            return Ok(Retried::Unknown);
        };
        if let Some(refused) = job.refusal(id)? {
            return Ok(refused);
        }
        let open: Option<i64> = sql::OpenByKey {
            kind: &job.kind,
            key: job.key.as_deref(),
        }
        .get_result(&mut self.conn)
        .await
        .optional()?;
        if let Some(open) = open {
            return Ok(Retried::Joined(JobId(open)));
        }
        let turns = self
            .next_turns(&[(job.queue.as_str(), job.priority)])
            .await?;
        self.after.wrote = true;
        self.locks.pass(Class::Keys, &[&job.key]);
        sql::Revive {
            now: now.as_millis(),
            turn: turns[0],
            id: id.0,
        }
        .execute(&mut self.conn)
        .await?;
        self.note_ready(&job.queue);
        Ok(Retried::Available)
    }
}
