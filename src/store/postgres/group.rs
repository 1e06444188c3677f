//! A group of commands in one transaction, those of one kind together in one statement each.
//!
//! Commands of a group were all waiting at the same time, so they may be carried out in any order; this is the
//! order: verbs that stand alone, progress, ends of attempts, new jobs, claims. A claim so finds what
//! came free and what came in with its own commit.

use std::collections::HashSet;

use super::command::{Command, Progress, Verb};
use super::enqueue::{Call, From};
use super::fault::Fault;
use super::settle::End;
use super::transaction::Transaction;

/// Runs all commands and keeps their results in them. After a fault the transaction is to be rolled back.
pub(super) async fn run(tx: &mut Transaction<'_>, commands: &mut [Command]) -> Result<(), Fault> {
    for command in &mut *commands {
        run_alone(tx, &mut command.verb).await?;
    }
    run_progress(tx, commands).await?;
    run_ends(tx, commands).await?;
    tx.flush_parents().await?;
    run_calls(tx, commands).await?;
    tx.flush_parents().await?;
    run_claims(tx, commands).await
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
            let (seat, report, holder) = &**asked;
            answer.set(Ok(tx.share_budget(seat, report, holder.as_deref()).await?));
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
    let reports: Vec<&Progress> = commands
        .iter()
        .filter_map(|command| match &command.verb {
            Verb::Progress(report, _) => Some(report),
            _ => None,
        })
        .collect();
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

async fn run_ends(tx: &mut Transaction<'_>, commands: &mut [Command]) -> Result<(), Fault> {
    let ends: Vec<End<'_>> = commands
        .iter()
        .filter_map(|command| match &command.verb {
            Verb::Settle(lease, completion, now, _) => Some(End {
                lease: *lease,
                completion,
                now: *now,
            }),
            _ => None,
        })
        .collect();
    if ends.is_empty() {
        return Ok(());
    }
    let mut results = tx.settle(&ends).await?.into_iter();
    for command in commands {
        if let Verb::Settle(.., answer) = &mut command.verb {
            answer.set(results.next().expect("a result for every end"));
        }
    }
    Ok(())
}

async fn run_calls(tx: &mut Transaction<'_>, commands: &mut [Command]) -> Result<(), Fault> {
    let calls: Vec<Call<'_>> = commands
        .iter()
        .filter_map(|command| match &command.verb {
            Verb::Enqueue(jobs, now, _) => Some(Call {
                jobs,
                now: *now,
                from: From::Person,
            }),
            Verb::EnqueueBatch(jobs, now, _) => Some(Call {
                jobs,
                now: *now,
                from: From::Batch,
            }),
            _ => None,
        })
        .collect();
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

async fn run_claims(tx: &mut Transaction<'_>, commands: &mut [Command]) -> Result<(), Fault> {
    let queues: HashSet<&String> = commands
        .iter()
        .filter_map(|command| match &command.verb {
            Verb::Claim(claim, _) => Some(&claim.queue),
            _ => None,
        })
        .collect();
    if queues.is_empty() {
        return Ok(());
    }
    let queues = queues.into_iter().cloned().collect();
    let suspects = tx.suspects_in(queues).await?;
    for command in commands {
        if let Verb::Claim(claim, answer) = &mut command.verb {
            let suspects = suspects.contains(&claim.queue);
            answer.set(Ok(tx.claim(claim, suspects).await?));
        }
    }
    Ok(())
}
