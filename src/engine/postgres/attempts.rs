//! The life of attempts but their ends: claimed, under way, handed back or rescued.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use diesel_async::RunQueryDsl;

use super::claim_cursors::Place;
use super::command::{Claim, Progress, Release};
use super::fault::Fault;
use super::job_statements as own;
use super::locks::Class;
use super::presence::UNSEEN_MAX;
use super::settle::End;
use super::transaction::{Transaction, Walk};
use crate::sql::jobs as sql;
use crate::store::attempts::{CancelRequest, ClaimedRow, LostJob, cancelled_attempts, rescues};
use crate::store::rows::to_i32;
use crate::store::{DEAD_AFTER, EngineInfo, Fenced, Rescued, Staged};
use riftsync_basics::suspicion::{ALONE_FROM, Death};
use riftsync_basics::{ClaimedJob, Lease, Priority, Timestamp};

/// Jobs that one look at the schedule moves; the next look follows at once.
const STAGED_MAX: i64 = 5_000;

impl Transaction<'_> {
    /// `suspects`: jobs of this queue ran when an engine died.
    pub(super) async fn claim(
        &mut self,
        claim: &Claim,
        suspects: bool,
    ) -> Result<Vec<ClaimedJob>, Fault> {
        let token = fastrand::i64(0..=i64::MAX);
        let mut limit = i64::try_from(claim.limit).unwrap_or(i64::MAX);
        let mut rows: Vec<ClaimedRow> = Vec::new();
        let mut alone: Vec<i64> = Vec::new();
        if suspects && limit > 0 {
            (rows, alone) = self.claim_suspects(claim, token, limit).await?;
            limit -= i64::try_from(rows.len()).unwrap_or(0);
        }
        if limit > 0 {
            let (start, began) = (self.start(&claim.queue), Instant::now());
            let priorities = claim.from..claim.before.min(Priority::LAST.get() + 1);
            let others: Vec<ClaimedRow> = own::ClaimJobs {
                priorities: priorities.clone().map(i32::from).collect(),
                turns: priorities.clone().map(|at| start.at(at.into()).0).collect(),
                ids: priorities.map(|at| start.at(at.into()).1).collect(),
                queue: &claim.queue,
                closed: &claim.closed,
                limit,
                of_all: limit,
                token,
                engine: &claim.engine,
                now: claim.now.as_millis(),
            }
            .load(&mut self.conn)
            .await?;
            // One that passed over closed lanes left jobs behind it.
            let passed_over = !claim.closed.is_empty();
            self.after.claims.push(Walk {
                queue: claim.queue.clone(),
                start,
                last: if passed_over {
                    Vec::new()
                } else {
                    last_of(&others)
                },
                began,
                took: began.elapsed(),
            });
            rows.extend(others);
        }
        self.after.wrote |= !rows.is_empty();
        rows.sort_unstable_by_key(ClaimedRow::place);
        let job = |row: ClaimedRow| {
            let alone = alone.contains(&row.id);
            row.into_job(alone)
        };
        Ok(rows.into_iter().map(job).collect())
    }

    /// Suspects that have room in their group; which of them run alone.
    async fn claim_suspects(
        &mut self,
        claim: &Claim,
        token: i64,
        limit: i64,
    ) -> Result<(Vec<ClaimedRow>, Vec<i64>), Fault> {
        let engine = &claim.engine;
        let lock = own::LockSuspects { engine };
        if !lock.get_result(&mut self.conn).await? {
            return Ok((Vec::new(), Vec::new()));
        }
        let rows: Vec<ClaimedRow> = own::ClaimSuspects {
            queue: &claim.queue,
            from: i32::from(claim.from),
            before: i32::from(claim.before),
            closed: &claim.closed,
            here: engine,
            limit,
            token,
            engine,
            now: claim.now.as_millis(),
        }
        .load(&mut self.conn)
        .await?;
        let from = to_i32(ALONE_FROM);
        let ids = rows.iter().map(|row| row.id).collect();
        let alone = own::RunAlone { ids, from }.load(&mut self.conn).await?;
        Ok((rows, alone))
    }

    /// Which of the queues have jobs that ran when an engine died.
    pub(super) async fn suspects_in(&self, queues: Vec<String>) -> Result<HashSet<String>, Fault> {
        if queues.is_empty() {
            return Ok(HashSet::new());
        }
        let suspects = own::SuspectsIn { queues };
        let found: Vec<String> = suspects.load(&mut { self.conn }).await?;
        Ok(found.into_iter().collect())
    }

    /// Of several reports of one attempt the last stands.
    pub(super) async fn progress(&mut self, reports: &[&Progress]) -> Result<Vec<Fenced>, Fault> {
        let mut last: Vec<&Progress> = Vec::with_capacity(reports.len());
        let mut seen = HashSet::new();
        for report in reports.iter().rev() {
            if seen.insert(report.lease) {
                last.push(report);
            }
        }
        last.sort_unstable_by_key(|report| report.lease.job);
        let ids = last.iter().map(|report| report.lease.job.0);
        let ids: Vec<i64> = ids.collect();
        self.locks.missing(ids.iter().copied())?;
        self.locks.locked(ids);
        let held: Vec<(i64, i64)> = own::ProgressAll {
            ids: last.iter().map(|report| report.lease.job.0).collect(),
            tokens: last.iter().map(|report| report.lease.token).collect(),
            steps: last.iter().map(|report| report.step).collect(),
            percents: last
                .iter()
                .map(|report| i32::from(report.percent))
                .collect(),
            progress: last.iter().map(|report| report.counters.as_str()).collect(),
        }
        .load(&mut self.conn)
        .await?;
        self.after.wrote |= !held.is_empty();
        let held: HashSet<(i64, i64)> = held.into_iter().collect();
        let fenced = |report: &&Progress| {
            let held = held.contains(&(report.lease.job.0, report.lease.token));
            if held { Fenced::Applied } else { Fenced::Stale }
        };
        let fenced: Vec<Fenced> = reports.iter().map(fenced).collect();
        self.count_stale(&fenced);
        Ok(fenced)
    }

    pub(super) fn count_stale(&mut self, fenced: &[Fenced]) {
        let stale = fenced.iter().filter(|one| **one == Fenced::Stale).count();
        self.after.stale += stale as u64;
    }

    pub(super) async fn stage(&mut self, now: Timestamp) -> Result<Staged, Fault> {
        let queues: Vec<String> = own::Stage {
            now: now.as_millis(),
            limit: STAGED_MAX,
        }
        .load(&mut self.conn)
        .await?;
        self.after.wrote |= !queues.is_empty();
        for queue in &queues {
            self.note_ready(queue);
        }
        let next: Option<i64> = sql::NextDue {}.get_result(&mut self.conn).await?;
        Ok(Staged {
            moved: queues.len(),
            next_due: next.map(Timestamp::from_millis),
        })
    }

    /// Takes engines for dead: all but `alive` that were silent too long, or are among those that are `gone`, without a
    /// session, and since when, by the clock of the database. Of the latter it says which are, and when they ended for
    /// certain.
    pub(super) async fn bury(
        &mut self,
        alive: &str,
        gone: &[(String, i64)],
    ) -> Result<Vec<(String, i64)>, Fault> {
        self.locks.pass::<()>(Class::Engines, &[]);
        let _locked: Vec<String> = own::LockEngines {
            alive,
            silence_ms: millis(DEAD_AFTER),
            gone: gone.iter().map(|(id, _)| id.as_str()).collect(),
        }
        .load(&mut self.conn)
        .await?;
        let silent: Vec<String> = own::BuryEngines {
            alive,
            silence_ms: millis(DEAD_AFTER),
        }
        .load(&mut self.conn)
        .await?;
        let ended = self.bury_gone(gone).await?;
        self.after.wrote |= !(ended.is_empty() && silent.is_empty());
        Ok(ended)
    }

    /// Returns the running jobs of all engines but `alive` that are not known to be alive. `ended`: those that were
    /// just buried for want of a session.
    pub(super) async fn rescue(
        &mut self,
        alive: &str,
        ended: &[(String, i64)],
        now: Timestamp,
    ) -> Result<Rescued, Fault> {
        if !ended.is_empty() {
            let engines = ended.iter().map(|(engine, _)| engine.clone()).collect();
            own::EndLead { engines }.execute(&mut self.conn).await?;
        }
        let ids: Vec<i64> = own::JobsOfDead { alive }.load(&mut self.conn).await?;
        self.lock_with_those_above(ids.clone()).await?;
        // What came in meanwhile is left to the next rescue: to wait for it now would be out of order.
        let running = own::RunningOfDead { ids, alive };
        let lost: Vec<LostJob> = running.load(&mut self.conn).await?;
        if lost.is_empty() {
            return Ok(Rescued::default());
        }
        let engines: HashSet<String> = lost.iter().map(|job| job.engine.clone()).collect();
        let ids = engines.iter().cloned().collect();
        let deaths: Vec<(String, i32)> = own::Deaths { ids }.load(&mut self.conn).await?;
        let deaths: HashMap<String, i32> = deaths.into_iter().collect();
        let mut rescued = Rescued::default();
        let mut known = own::Suspect {
            ids: Vec::new(),
            levels: Vec::new(),
            lone: Vec::new(),
            quiet: Vec::new(),
        };
        let mut completions = Vec::with_capacity(lost.len());
        for engine in engines {
            let death = deaths.get(&engine).copied().unwrap_or(0);
            let death = Death::of_number(death);
            let left = lost.iter().filter(|job| job.engine == engine);
            let left: Vec<&LostJob> = left.collect();
            for rescue in rescues(&left, death, now) {
                rescued.count(rescue.end.settlement.state);
                known.ids.push(rescue.lease.job.0);
                known.levels.push(to_i32(rescue.known.level));
                known.lone.push(to_i32(rescue.known.lone_deaths));
                known.quiet.push(to_i32(rescue.known.quiet_deaths));
                completions.push((rescue.lease, rescue.end));
            }
        }
        self.after.wrote = true;
        known.execute(&mut self.conn).await?;
        let ends: Vec<End<'_>> = completions
            .iter()
            .map(|(lease, completion)| End::of(*lease, completion, now))
            .collect();
        self.settle(&ends).await?;
        self.after.scheduled = true;
        Ok(rescued)
    }

    /// Takes engines for dead whose sessions are gone, unless they have come back. What they may have done since is
    /// over a moment after that, for an engine that others cannot see starts nothing.
    async fn bury_gone(&mut self, gone: &[(String, i64)]) -> Result<Vec<(String, i64)>, Fault> {
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let ids = gone.iter().map(|(id, _)| id.clone()).collect();
        let engines: Vec<String> = own::BuryGone { ids }.load(&mut self.conn).await?;
        let ended = gone.iter().filter(|(id, _)| engines.contains(id));
        let ended = ended.map(|(id, since)| (id.clone(), since + millis(UNSEEN_MAX)));
        Ok(ended.collect())
    }

    pub(super) async fn runs_alone(&mut self, lease: Lease) -> Result<Fenced, Fault> {
        let (id, token) = (lease.job.0, lease.token);
        let marks = sql::RunsAlone { id, token };
        let fenced = match marks.execute(&mut self.conn).await? {
            0 => Fenced::Stale,
            _ => Fenced::Applied,
        };
        self.after.wrote |= fenced == Fenced::Applied;
        self.count_stale(&[fenced]);
        Ok(fenced)
    }

    pub(super) async fn died(&mut self, engine: &str, death: Death) -> Result<bool, Fault> {
        self.after.wrote = true;
        let death = death.number();
        Ok(sql::Died { death, engine }.execute(&mut self.conn).await? > 0)
    }

    pub(super) async fn release(&mut self, order: &Release) -> Result<usize, Fault> {
        let Release {
            engine,
            queue,
            keep,
            now,
        } = order;
        let running = own::RunningOf {
            engine,
            queue: queue.as_deref(),
        };
        let running: Vec<i64> = running.load(&mut self.conn).await?;
        self.lock_with_those_above(running.clone()).await?;
        let asked: Vec<CancelRequest> = sql::CancelRequests { engine }.load(&mut self.conn).await?;
        let completions = cancelled_attempts(asked, queue.as_deref(), keep, *now);
        let ends: Vec<End<'_>> = completions
            .iter()
            .map(|(lease, completion)| End::of(*lease, completion, *now))
            .collect();
        self.settle(&ends).await?;
        let queues: Vec<String> = own::HandBack {
            now: now.as_millis(),
            engine,
            queue: queue.as_deref(),
            keep: keep.iter().map(|lease| lease.token).collect(),
            locked: running,
        }
        .load(&mut self.conn)
        .await?;
        self.after.wrote |= !queues.is_empty();
        for queue in &queues {
            self.note_ready(queue);
        }
        Ok(queues.len())
    }

    pub(super) async fn prune(&mut self, before: Timestamp, limit: usize) -> Result<usize, Fault> {
        self.after.wrote = true;
        let pruned = sql::Prune {
            before: before.as_millis(),
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        }
        .execute(&mut self.conn)
        .await?;
        own::DropOldMarks {
            before: before.as_millis(),
        }
        .execute(&mut self.conn)
        .await?;
        Ok(pruned)
    }

    pub(super) async fn engine_started(&mut self, engine: &EngineInfo) -> Result<(), Fault> {
        self.after.wrote = true;
        own::EngineStarted {
            id: &engine.id,
            pid: i64::from(engine.pid),
            host: &engine.host,
            version: engine.version,
        }
        .execute(&mut self.conn)
        .await?;
        Ok(())
    }

    pub(super) async fn engine_stopped(&mut self, engine: &str) -> Result<(), Fault> {
        self.after.wrote = true;
        let stopped = own::EngineStopped { id: engine };
        stopped.execute(&mut self.conn).await?;
        let stepped_down = own::StepDown { id: engine };
        stepped_down.execute(&mut self.conn).await?;
        Ok(())
    }
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The last place among rows of each priority.
fn last_of(rows: &[ClaimedRow]) -> Vec<(usize, Place)> {
    let mut last: Vec<(usize, Place)> = Vec::new();
    for row in rows {
        let (priority, place) = (
            usize::try_from(row.priority).unwrap_or(0),
            (row.turn, row.id),
        );
        match last.iter_mut().find(|one| one.0 == priority) {
            Some((_, there)) => *there = (*there).max(place),
            None => last.push((priority, place)),
        }
    }
    last
}
