//! What one job's end means for others: parents count it, successors may run; and the verbs by which
//! a person ends or revives a job. What is decided for that is in `store::relations`.

use diesel::prelude::*;

use super::job_statements as own;
use super::transaction::Transaction;
use crate::sql::jobs as sql;
use crate::store::relations::{
    CHILD, CancelledJob, Cancelling, Ended, JobToCancel, JobToRetry, LinkedChild, WaitingJob,
};
use crate::store::{Cancelled, Retried, StoreResult};
use riftsync_basics::{JobId, JobState, Timestamp};

impl Transaction<'_> {
    /// Tells parents and successors, and those of successors that end by it. The links go: all that
    /// they were for is in the rows now.
    pub(super) fn ended(&mut self, first: Ended) -> StoreResult<()> {
        let links = self.take_links(first.id)?;
        self.ended_for(first, links)
    }

    /// The same for a job that did its work, and whose name is not known yet: most are nobody's child.
    pub(super) fn completed(&mut self, id: JobId, now: Timestamp) -> StoreResult<()> {
        let links = self.take_links(id)?;
        if links.is_empty() {
            return Ok(());
        }
        let (kind, key) = own::NameOf { id: id.0 }.get_result(self.conn)?;
        let job = Ended::by_itself(id, JobState::Completed, kind, key, None, now);
        self.ended_for(job, links)
    }

    /// Who waited for a job: nobody any more.
    fn take_links(&mut self, of: JobId) -> StoreResult<Vec<(i64, String)>> {
        let links: Vec<(i64, String)> = own::WaitingFor { child: of.0 }.load(self.conn)?;
        if !links.is_empty() {
            own::DropLinksOf { child: of.0 }.execute(self.conn)?;
        }
        Ok(links)
    }

    fn ended_for(&mut self, first: Ended, links: Vec<(i64, String)>) -> StoreResult<()> {
        let mut work = vec![(first, links)];
        while let Some((job, links)) = work.pop() {
            for (other, relation) in links {
                if relation == CHILD {
                    self.parent(JobId(other), job.now).child_ended(&job);
                } else {
                    let cancels = job.cancels(&relation);
                    let waiter = self.predecessor_ended(JobId(other), &job, cancels)?;
                    if let Some(waiter) = waiter {
                        let links = self.take_links(waiter.id)?;
                        work.push((waiter, links));
                    }
                }
            }
        }
        Ok(())
    }

    /// One of the jobs that `waiter` comes after is final. Returns the waiter if that ends it.
    fn predecessor_ended(
        &mut self,
        waiter: JobId,
        job: &Ended,
        cancels: bool,
    ) -> StoreResult<Option<Ended>> {
        let row: Option<WaitingJob> = sql::Waiter { id: waiter.0 }
            .get_result(self.conn)
            .optional()?;
        let Some(waiting) = row else {
            return Ok(None);
        };
        if cancels {
            let (errors, ended) = waiting.cancelled_by(waiter, job)?;
            sql::CancelNow {
                errors: &errors,
                now: job.now.as_millis(),
                id: waiter.0,
            }
            .execute(self.conn)?;
            sql::DropLinksTo { parent: waiter.0 }.execute(self.conn)?;
            return Ok(Some(ended));
        }
        let state = waiting.next_state(job.now);
        sql::WaitsLess {
            state: state.as_str(),
            id: waiter.0,
        }
        .execute(self.conn)?;
        self.note_state(state, &waiting.queue);
        Ok(None)
    }

    /// Cancels a job, and with it the children that nobody else waits for or asked for.
    pub(super) fn cancel(&mut self, id: JobId, now: Timestamp) -> StoreResult<Cancelled> {
        self.catch_up()?;
        let mut outcome = None;
        let mut work = vec![id];
        while let Some(id) = work.pop() {
            let row: Option<JobToCancel> = sql::JobToCancel { id: id.0 }
                .get_result(self.conn)
                .optional()?;
            let now_ms = now.as_millis();
            let mut job = match JobToCancel::how(row, id, now)? {
                Cancelling::Not(why) => {
                    outcome.get_or_insert(why);
                    continue;
                }
                Cancelling::Ask => {
                    let (id, now) = (id.0, now_ms);
                    sql::RequestCancel { now, id }.execute(self.conn)?;
                    self.note_cancels();
                    outcome.get_or_insert(Cancelled::Requested);
                    continue;
                }
                Cancelling::AtOnce(job) => job,
            };
            sql::CancelNow {
                errors: &job.errors,
                now: now_ms,
                id: id.0,
            }
            .execute(self.conn)?;
            outcome.get_or_insert(Cancelled::Now);
            work.extend(self.let_children_go(&mut job)?);
            if let Some(rollup) = &job.rollup_to_write()? {
                sql::SetRollup { rollup, id: id.0 }.execute(self.conn)?;
            }
            self.ended(job.ended(now))?;
        }
        Ok(outcome.unwrap_or(Cancelled::Unknown))
    }

    /// Unlinks what a cancelled job waits for. Children that are to be cancelled too are returned.
    fn let_children_go(&mut self, job: &mut CancelledJob) -> StoreResult<Vec<JobId>> {
        let parent = job.id.0;
        let children: Vec<LinkedChild> = sql::ChildrenOf { parent }.load(self.conn)?;
        sql::DropLinksTo { parent }.execute(self.conn)?;
        let mut alone = Vec::new();
        for child in children {
            let id = child.id;
            let parents: i64 = sql::CountParents { child: id }.get_result(self.conn)?;
            if job.lets_go(child, parents) {
                alone.push(JobId(id));
            }
        }
        Ok(alone)
    }

    /// Gives a cancelled or discarded job all its attempts again.
    pub(super) fn retry(&mut self, id: JobId, now: Timestamp) -> StoreResult<Retried> {
        self.catch_up()?;
        let row: Option<JobToRetry> = sql::JobToRetry { id: id.0 }
            .get_result(self.conn)
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
        .get_result(self.conn)
        .optional()?;
        if let Some(open) = open {
            return Ok(Retried::Joined(JobId(open)));
        }
        let turn: Option<i64> = own::NextTurn {
            queue: &job.queue,
            priority: job.priority,
        }
        .get_result(self.conn)
        .optional()?;
        sql::Revive {
            now: now.as_millis(),
            turn: turn.unwrap_or(0),
            id: id.0,
        }
        .execute(self.conn)?;
        self.note_ready(&job.queue);
        Ok(Retried::Available)
    }
}
