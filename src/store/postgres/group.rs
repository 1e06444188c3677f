//! A group of commands in as few transactions as can be, those of one kind together in one statement each.
//!
//! Commands of a group were all waiting at the same time, so they may be carried out in any order; this is the
//! order: verbs that stand alone, ends that bring many jobs, then in one transaction progress, ends of attempts, new jobs,
//! claims. A claim so finds what came free and what came in with its own commit.

use std::collections::HashSet;

use super::coming::Coming;
use super::command::{Command, Progress, Verb};
use super::data::Outset;
use super::enqueue::{Call, From};
use super::fault::Fault;
use super::locks::Lessons;
use super::settle::{End, effects_of};
use super::transaction::Transaction;
use crate::model::NewJob;

/// An end that brings more jobs than these is worth a transaction of its own: it locks more than others should wait for.
const SPAWNS_MANY: usize = 16;

/// The commands by transaction, in the order in which they are to be carried out.
pub(super) fn parts(commands: Vec<Command>) -> Vec<Vec<Command>> {
    let (mut parts, mut budgets, mut keyed, mut together) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let has_key = |jobs: &[NewJob]| jobs.iter().any(|job| job.key.is_some());
    let mut spawns_keys = false;
    for command in commands {
        match &command.verb {
            Verb::ShareBudget(..) => budgets.push(command),
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
    budgets.sort_by(|a, b| place(a).cmp(&place(b)));
    parts.push(budgets);
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

/// Where the limits stand that engines share.
fn place(command: &Command) -> Option<(&str, &str)> {
    match &command.verb {
        Verb::ShareBudget(asked, _) => Some((&asked.0.key_fingerprint, asked.0.route)),
        _ => None,
    }
}

/// Runs the commands of a part and keeps their results in them. `begin` opens the transaction. After a fault it is to be
/// rolled back.
pub(super) async fn run(
    tx: &mut Transaction<'_>,
    commands: &mut [Command],
    begin: &str,
) -> Result<(), Fault> {
    let mut begin = Some(begin);
    if !commands.iter().all(|command| command.verb.is_many()) {
        tx.begin(begin.take()).await?;
        for command in &mut *commands {
            run_alone(tx, &mut command.verb).await?;
        }
    }
    let lessons = tx.lessons.clone();
    let ends = ends_of(commands, &lessons);
    let (reports, calls) = (reports_of(commands), calls_of(commands));
    let coming = Coming::of(&ends, &calls);
    let bring = tx.that_bring(&ends);
    let outset = Outset::of(&effects_of(&bring));
    tx.pass_players(&outset);
    // All that can be known before anything is written, in one message.
    let look = &*tx;
    let ((), touched, held, (), cleaned, suspects) = tokio::try_join!(
        biased;
        look.begin(begin),
        look.jobs_of_group(&reports, &ends, &coming),
        look.still_held(&bring),
        look.keep_players(&outset),
        look.cleaned_among(&outset),
        look.suspects_in(queues_of(commands)),
    )?;
    tx.write_effects(&bring, &held, &cleaned).await?;
    if !touched.jobs.is_empty() {
        tx.go_in().await;
    }
    tx.above = touched.above;
    tx.lock_group(touched.jobs, &coming).await?;
    drop((ends, bring));
    run_progress(tx, commands).await?;
    run_ends(tx, commands, &lessons).await?;
    tx.flush_parents().await?;
    run_calls(tx, commands).await?;
    tx.flush_parents().await?;
    run_claims(tx, commands, &suspects).await
}

/// The queues of which jobs are claimed.
fn queues_of(commands: &[Command]) -> Vec<String> {
    let queues = commands.iter().filter_map(|command| match &command.verb {
        Verb::Claim(claim, _) => Some(claim.queue.as_str()),
        _ => None,
    });
    let queues: HashSet<&str> = queues.collect();
    queues.into_iter().map(str::to_owned).collect()
}

fn reports_of(commands: &[Command]) -> Vec<&Progress> {
    let reports = commands.iter().filter_map(|command| match &command.verb {
        Verb::Progress(report, _) => Some(report),
        _ => None,
    });
    reports.collect()
}

/// All but those that are left to transactions of their own.
fn ends_of<'c>(commands: &'c [Command], lessons: &Lessons) -> Vec<End<'c>> {
    let ends = commands.iter().filter_map(|command| match &command.verb {
        Verb::Settle(lease, completion, now, _) if !lessons.leaves_out(*lease) => Some(End {
            lease: *lease,
            completion,
            now: *now,
        }),
        _ => None,
    });
    ends.collect()
}

fn calls_of(commands: &[Command]) -> Vec<Call<'_>> {
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
async fn run_alone(tx: &mut Transaction<'_>, verb: &mut Verb) -> Result<(), Fault> {
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
            answer.set(Ok(tx.rescue(alive, gone, *now).await?));
            tx.flush_parents().await?;
        }
        Verb::Release(order, answer) => {
            answer.set(Ok(tx.release(order).await?));
            tx.flush_parents().await?;
        }
        Verb::ShareBudget(asked, answer) => {
            let (member, report, holder) = &**asked;
            answer.set(Ok(tx
                .share_budget(member, report, holder.as_deref())
                .await?));
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
        Verb::Track(players, tracked, answer) => {
            answer.set(Ok(tx.track(players, *tracked).await?));
        }
        Verb::Lose(player, why, now, answer) => {
            answer.set(Ok(tx.lose(*player, why, *now).await?));
        }
        Verb::Probe(engine, answer) => answer.set(Ok(tx.probe(engine).await?)),
        #[cfg(test)]
        Verb::Panic(_) => panic!("a bug in a command"),
        Verb::Enqueue(..)
        | Verb::EnqueueBatch(..)
        | Verb::Settle(..)
        | Verb::Progress(..)
        | Verb::Claim(..) => {}
    }
    Ok(())
}

async fn run_progress(tx: &mut Transaction<'_>, commands: &mut [Command]) -> Result<(), Fault> {
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

async fn run_ends(
    tx: &mut Transaction<'_>,
    commands: &mut [Command],
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

async fn run_calls(tx: &mut Transaction<'_>, commands: &mut [Command]) -> Result<(), Fault> {
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

async fn run_claims(
    tx: &mut Transaction<'_>,
    commands: &mut [Command],
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
