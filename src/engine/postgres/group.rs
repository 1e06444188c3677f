//! A group of commands in as few transactions as can be, those of one kind together in one statement each.
//!
//! Commands of a group were all waiting at the same time, so they may be carried out in any order; this is the
//! order: verbs that stand alone, ends that bring many jobs, then in one transaction progress, ends of attempts, new jobs,
//! claims. A claim so finds what came free and what came in with its own commit.

use std::collections::HashSet;

use super::coming::Coming;
use super::command::{Command, Progress, Verb};
use super::enqueue::{Call, From};
use super::fault::Fault;
use super::locks::{Lessons, Touched};
use super::seam::{PostgresJobs, guarded, guarded_now};
use super::settle::End;
use super::transaction::Transaction;
use crate::store::Effect;
use riftsync_basics::{Lease, NewJob, Timestamp};

/// An end that brings more jobs than these is worth a transaction of its own: it locks more than others should wait for.
const SPAWNS_MANY: usize = 16;

/// The commands by transaction, in the order in which they are to be carried out.
pub(super) fn parts<E: Effect>(commands: Vec<Command<E>>) -> Vec<Vec<Command<E>>> {
    let (mut parts, mut placed, mut keyed, mut together) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let has_key = |jobs: &[NewJob]| jobs.iter().any(|job| job.key.is_some());
    let mut spawns_keys = false;
    for command in commands {
        match &command.verb {
            Verb::Own(_, Some(_)) => placed.push(command),
            Verb::Enqueue(jobs, ..) | Verb::EnqueueBatch(jobs, ..) if has_key(jobs) => {
                keyed.push(command);
            }
            Verb::Settle(_, completion, ..) if completion.children.len() > SPAWNS_MANY => {
                parts.push(vec![command]);
            }
            Verb::Settle(_, completion, ..) => {
                spawns_keys |= has_key(&completion.children);
                together.push(command);
            }
            Verb::Enqueue(..) | Verb::EnqueueBatch(..) | Verb::Progress(..) | Verb::Claim(..) => {
                together.push(command);
            }
            _ => parts.push(vec![command]),
        }
    }
    placed.sort_by(|a, b| place(a).cmp(&place(b)));
    parts.push(placed);
    if spawns_keys {
        // The keys of new jobs are taken in one statement, in their order.
        parts.push(keyed);
    } else {
        together.extend(keyed);
    }
    parts.push(together);
    parts.retain(|part| !part.is_empty());
    parts
}

/// The place that a program's own work needs for it alone.
fn place<E>(command: &Command<E>) -> Option<&str> {
    match &command.verb {
        Verb::Own(_, place) => place.as_deref(),
        _ => None,
    }
}

/// Runs the commands of a part and keeps their results in them. `begin` opens the transaction. After a fault it is to be
/// rolled back.
pub(super) async fn run<J: PostgresJobs>(
    tx: &mut Transaction<'_>,
    commands: &mut [Command<J::Effect>],
    begin: &str,
) -> Result<(), Fault> {
    let (mut begin, mut rows) = (Some(begin), J::default());
    if !commands.iter().all(|command| command.verb.is_many()) {
        tx.begin(begin.take()).await?;
        for command in &mut *commands {
            run_alone(tx, &mut rows, &mut command.verb).await?;
        }
    }
    let lessons = tx.lessons.clone();
    let ends = ends_of(commands, &lessons);
    let (reports, calls) = (reports_of(commands), calls_of(commands));
    let coming = Coming::of(&ends, &calls);
    let mut bring = those_that_bring(commands, &lessons);
    guarded_now(|| rows.outset(tx, &effects_of(&bring)))?;
    // All that can be known before anything is written, in one message.
    let look = &*tx;
    let leases: Vec<Lease> = bring.iter().map(|bring| bring.lease).collect();
    let ((), touched, held, (), suspects) = tokio::try_join!(
        biased;
        look.begin(begin),
        look.jobs_of_group(&reports, &ends, &coming),
        look.still_held(&leases),
        guarded(rows.look(look)),
        look.suspects_in(queues_of(commands)),
    )?;
    // Whether they hold their jobs still is found out when these are locked.
    bring.retain(|bring| held.contains(&bring.lease));
    if !bring.is_empty() {
        tx.written.extend(bring.iter().map(|bring| bring.lease));
        tx.after.wrote = true;
        guarded(rows.write(tx, &effects_of(&bring))).await?;
    }
    lock_jobs(tx, &mut rows, touched, &coming).await?;
    drop((ends, bring));
    run_progress(tx, commands).await?;
    run_ends(tx, commands, &lessons).await?;
    tx.flush_parents().await?;
    run_calls(tx, commands).await?;
    tx.flush_parents().await?;
    run_claims(tx, commands, &suspects).await
}

/// Locks the jobs of a group. What effects still have to write, and what new jobs will need, goes with it: these locks
/// are those that all engines wait for.
async fn lock_jobs<J: PostgresJobs>(
    tx: &mut Transaction<'_>,
    rows: &mut J,
    touched: Touched,
    coming: &Coming<'_>,
) -> Result<(), Fault> {
    if !touched.jobs.is_empty() {
        tx.door.go_in().await;
    }
    tx.above = touched.above;
    let missing = tx.locks.missing(touched.jobs)?;
    let look = &*tx;
    let (stock, (), ()) = tokio::try_join!(
        biased;
        look.stock_for(coming),
        guarded(rows.finish(look)),
        look.lock(&missing),
    )?;
    tx.locks.locked(missing);
    tx.stock = stock;
    Ok(())
}

/// What an attempt wrote.
struct Bring<'c, E> {
    lease: Lease,
    effects: &'c [E],
    now: Timestamp,
}

/// The ends that bring something to write, each attempt once.
fn those_that_bring<'c, E>(commands: &'c [Command<E>], lessons: &Lessons) -> Vec<Bring<'c, E>> {
    let mut leases = HashSet::new();
    let bring = commands.iter().filter_map(|command| match &command.verb {
        Verb::Settle(lease, completion, now, _)
            if !lessons.leaves_out(*lease)
                && leases.insert(*lease)
                && !completion.effects.is_empty()
                && lessons.writes(*lease) =>
        {
            Some(Bring {
                lease: *lease,
                effects: &completion.effects,
                now: *now,
            })
        }
        _ => None,
    });
    bring.collect()
}

/// With the moment of each.
fn effects_of<'c, E>(bring: &[Bring<'c, E>]) -> Vec<(&'c E, Timestamp)> {
    let each = |bring: &Bring<'c, E>| {
        let now = bring.now;
        bring.effects.iter().map(move |effect| (effect, now))
    };
    bring.iter().flat_map(each).collect()
}

/// The queues of which jobs are claimed.
fn queues_of<E>(commands: &[Command<E>]) -> Vec<String> {
    let queues = commands.iter().filter_map(|command| match &command.verb {
        Verb::Claim(claim, _) => Some(claim.queue.as_str()),
        _ => None,
    });
    let queues: HashSet<&str> = queues.collect();
    queues.into_iter().map(str::to_owned).collect()
}

fn reports_of<E>(commands: &[Command<E>]) -> Vec<&Progress> {
    let reports = commands.iter().filter_map(|command| match &command.verb {
        Verb::Progress(report, _) => Some(report),
        _ => None,
    });
    reports.collect()
}

/// All but those that are left to transactions of their own.
fn ends_of<'c, E: Effect>(commands: &'c [Command<E>], lessons: &Lessons) -> Vec<End<'c>> {
    let ends = commands.iter().filter_map(|command| match &command.verb {
        Verb::Settle(lease, completion, now, _) if !lessons.leaves_out(*lease) => {
            Some(End::of(*lease, &**completion, *now))
        }
        _ => None,
    });
    ends.collect()
}

fn calls_of<E>(commands: &[Command<E>]) -> Vec<Call<'_>> {
    let calls = commands.iter().filter_map(|command| {
        let (jobs, now, from) = match &command.verb {
            Verb::Enqueue(jobs, now, _) => (jobs, *now, From::Person),
            Verb::EnqueueBatch(jobs, now, _) => (jobs, *now, From::Batch),
            _ => return None,
        };
        Some(Call { jobs, now, from })
    });
    calls.collect()
}

/// Verbs that decide by what stands in the rows, and are few.
async fn run_alone<J: PostgresJobs>(
    tx: &mut Transaction<'_>,
    rows: &mut J,
    verb: &mut Verb<J::Effect>,
) -> Result<(), Fault> {
    match verb {
        Verb::Cancel(id, now, answer) => {
            answer.set(Ok(tx.cancel(*id, *now).await?));
            tx.flush_parents().await?;
        }
        Verb::Retry(id, now, answer) => answer.set(Ok(tx.retry(*id, *now).await?)),
        Verb::Prune(before, limit, answer) => answer.set(Ok(tx.prune(*before, *limit).await?)),
        Verb::Stage(now, answer) => answer.set(Ok(tx.stage(*now).await?)),
        Verb::RunsAlone(lease, answer) => answer.set(Ok(tx.runs_alone(*lease).await?)),
        Verb::Died(engine, death, answer) => answer.set(Ok(tx.died(engine, *death).await?)),
        Verb::Rescue(alive, gone, now, answer) => {
            let ended = tx.bury(alive, gone).await?;
            if !ended.is_empty() {
                guarded(rows.engines_ended(tx, &ended)).await?;
            }
            answer.set(Ok(tx.rescue(alive, &ended, *now).await?));
            tx.flush_parents().await?;
        }
        Verb::Release(order, answer) => {
            answer.set(Ok(tx.release(order).await?));
            tx.flush_parents().await?;
        }
        Verb::EngineStarted(engine, answer) => {
            tx.engine_started(engine).await?;
            answer.set(Ok(()));
        }
        Verb::EngineStopped(engine, answer) => {
            tx.engine_stopped(engine).await?;
            answer.set(Ok(()));
        }
        Verb::PutSchedule(schedule, now, answer) => {
            answer.set(tx.put_schedule(schedule, *now).await?);
        }
        Verb::RemoveSchedule(name, answer) => answer.set(tx.remove_schedule(name).await?),
        Verb::AdoptSchedules(schedules, now, answer) => {
            answer.set(Ok(tx.adopt_schedules(schedules, *now).await?));
        }
        Verb::Tick(tick, now, answer) => answer.set(Ok(tx.tick(tick, *now).await?)),
        Verb::Probe(engine, answer) => answer.set(Ok(tx.probe(engine).await?)),
        Verb::Own(work, place) => {
            if let Some(place) = place {
                tx.locks.place(place);
            }
            tx.after.wrote = true;
            work.run(tx).await?;
            tx.flush_parents().await?;
        }
        Verb::Enqueue(..)
        | Verb::EnqueueBatch(..)
        | Verb::Settle(..)
        | Verb::Progress(..)
        | Verb::Claim(..) => {}
    }
    Ok(())
}

async fn run_progress<E: Effect>(
    tx: &mut Transaction<'_>,
    commands: &mut [Command<E>],
) -> Result<(), Fault> {
    let reports = reports_of(commands);
    if reports.is_empty() {
        return Ok(());
    }
    let mut fenced = tx.progress(&reports).await?.into_iter();
    for command in commands {
        if let Verb::Progress(_, answer) = &mut command.verb {
            answer.set(Ok(fenced.next().expect("a result for every report")));
        }
    }
    Ok(())
}

async fn run_ends<E: Effect>(
    tx: &mut Transaction<'_>,
    commands: &mut [Command<E>],
    lessons: &Lessons,
) -> Result<(), Fault> {
    let ends = ends_of(commands, lessons);
    if ends.is_empty() {
        return Ok(());
    }
    let mut results = tx.settle(&ends).await?.into_iter();
    for command in commands {
        if let Verb::Settle(lease, .., answer) = &mut command.verb
            && !lessons.leaves_out(*lease)
        {
            answer.set(results.next().expect("a result for every end"));
        }
    }
    Ok(())
}

async fn run_calls<E: Effect>(
    tx: &mut Transaction<'_>,
    commands: &mut [Command<E>],
) -> Result<(), Fault> {
    let calls = calls_of(commands);
    if calls.is_empty() {
        return Ok(());
    }
    let mut results = tx.bring_in(&calls).await?.into_iter();
    for command in commands {
        match &mut command.verb {
            Verb::Enqueue(.., answer) => {
                let brought = results.next().expect("a result for every call");
                answer.set(brought.map(|brought| brought.enqueued()));
            }
            Verb::EnqueueBatch(.., answer) => {
                let brought = results.next().expect("a result for every call");
                answer.set(brought.map(super::enqueue::Brought::into_batch));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn run_claims<E: Effect>(
    tx: &mut Transaction<'_>,
    commands: &mut [Command<E>],
    suspects: &HashSet<String>,
) -> Result<(), Fault> {
    for command in commands {
        if let Verb::Claim(claim, answer) = &mut command.verb {
            let suspects = suspects.contains(&claim.queue);
            answer.set(Ok(tx.claim(claim, suspects).await?));
        }
    }
    Ok(())
}
