//! `queue.*`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Answer;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::control::waits;
use crate::engine::{QueueControl, SLOTS_MAX, express_slots};
use crate::model::{JobState, Rate, Timestamp};
use crate::store::{StoreError, StoreResult, question};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// A queue's name, or `all`.
    queue: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    queue: String,
    #[serde(default)]
    slots: Option<usize>,
    /// `100/m`, or `none`.
    #[serde(default)]
    rate: Option<String>,
}

/// Open jobs of each queue by state.
pub(in crate::control) type Counts = HashMap<(String, JobState), u64>;

/// What was counted last, and when that began.
#[derive(Debug, Default)]
pub(in crate::control) struct Counted {
    turn: tokio::sync::Mutex<()>,
    last: Mutex<Option<Count>>,
}

/// One count.
#[derive(Debug, Clone)]
pub(super) struct Count {
    begun: Instant,
    at: Timestamp,
    pub(super) counts: Arc<Counts>,
}

impl Count {
    /// When it was made, as documents have it.
    pub(super) fn at(count: Option<&Self>) -> Value {
        count.map_or(Value::Null, |count| json!(count.at.to_string()))
    }
}

impl Counted {
    fn last(&self) -> MutexGuard<'_, Option<Count>> {
        // A plain value cannot be left half written.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn list(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    let count = count(control).await?;
    let queues = control.engine.queues.all();
    let mut queues: Vec<Value> = queues
        .iter()
        .map(|queue| document(control, queue, Some(&count.counts)))
        .collect();
    waits::of_queues(control, &mut queues).await;
    Ok(json!({ "queues": queues, "counted_at": Count::at(Some(&count)) }))
}

/// Counts what is open; where the database cannot be asked, what was counted last.
pub(super) async fn count(control: &ControlState) -> Result<Count, RpcError> {
    let counted = question::in_time(count_anew(control)).await;
    match counted.unwrap_or_else(|| Err(StoreError::Busy("the counts take it too long".to_owned())))
    {
        Ok(count) => Ok(count),
        Err(error) => match &*control.counted.last() {
            Some(last) => Ok(last.clone()),
            None => Err(error.into()),
        },
    }
}

/// Once for all who ask meanwhile. Nobody gets a count that began before the question: who has submitted a job finds
/// it in there.
async fn count_anew(control: &ControlState) -> StoreResult<Count> {
    let asked = Instant::now();
    let _turn = control.counted.turn.lock().await;
    if let Some(last) = &*control.counted.last()
        && last.begun >= asked
    {
        return Ok(last.clone());
    }
    let (begun, at) = (Instant::now(), Timestamp::now());
    let counts = control.engine.store.open_counts().await?;
    let counts: Counts = counts
        .into_iter()
        .map(|count| ((count.queue, count.state), count.jobs))
        .collect();
    let count = Count {
        begun,
        at,
        counts: Arc::new(counts),
    };
    *control.counted.last() = Some(count.clone());
    Ok(count)
}

/// A queue as it stands, with its counts in the database if they are known.
pub(super) fn document(
    control: &ControlState,
    queue: &QueueControl,
    counts: Option<&Counts>,
) -> Value {
    let settings = queue.settings();
    let mut document = json!({
        "queue": queue.name, "slots": settings.slots, "express_slots": express_slots(settings.slots),
        "rate": settings.rate.map(|rate| rate.to_string()),
        "running": queue.running(), "paused": settings.paused, "held": control.engine.queues.is_held(queue),
    });
    if let Some(counts) = counts {
        let waiting = [
            JobState::Available,
            JobState::Scheduled,
            JobState::Retryable,
            JobState::Blocked,
        ];
        for state in waiting {
            let jobs = counts.get(&(queue.name.to_owned(), state)).copied();
            document[state.as_str()] = json!(jobs.unwrap_or(0));
        }
    }
    document
}

pub(super) async fn pause(control: &ControlState, params: Params<'_>) -> Answer {
    set_paused(control, params, true).await
}

pub(super) async fn resume(control: &ControlState, params: Params<'_>) -> Answer {
    set_paused(control, params, false).await
}

/// Queues that were changed, as they stand now.
async fn changed(control: &ControlState, queues: Vec<&Arc<QueueControl>>) -> Answer {
    // They are changed, whether the database can be asked for their counts or not.
    let count = count(control).await.ok();
    let counts = count.as_ref().map(|count| &*count.counts);
    let mut queues: Vec<Value> = queues
        .into_iter()
        .map(|queue| document(control, queue, counts))
        .collect();
    waits::of_queues(control, &mut queues).await;
    Ok(json!({ "queues": queues, "counted_at": Count::at(count.as_ref()) }))
}

async fn set_paused(control: &ControlState, params: Params<'_>, paused: bool) -> Answer {
    let which = params.read::<Which>()?.queue;
    let queues = named(control, &which)?;
    for queue in &queues {
        queue.set(|settings| settings.paused = paused);
    }
    changed(control, queues).await
}

pub(super) async fn set(control: &ControlState, params: Params<'_>) -> Answer {
    let set = params.read::<Set>()?;
    if let Some(slots) = set.slots
        && !(1..=SLOTS_MAX).contains(&slots)
    {
        return Err(RpcError::invalid(format!(
            "slots is {slots}; it must be 1 to {SLOTS_MAX}"
        )));
    }
    let rate = match set.rate.as_deref() {
        None => None,
        Some("none") => Some(None),
        Some(text) => Some(Some(Rate::parse(text).map_err(RpcError::invalid)?)),
    };
    let queues = named(control, &set.queue)?;
    for queue in &queues {
        queue.set(|settings| {
            if let Some(slots) = set.slots {
                settings.slots = slots;
                settings.prefetch = slots;
            }
            if let Some(rate) = rate {
                settings.rate = rate;
            }
        });
    }
    changed(control, queues).await
}

fn named<'d>(
    control: &'d ControlState,
    name: &str,
) -> Result<Vec<&'d Arc<QueueControl>>, RpcError> {
    let queues = &control.engine.queues;
    if name == "all" {
        return Ok(queues.all().iter().collect());
    }
    queues.named(name).map(|queue| vec![queue]).ok_or_else(|| {
        let known: Vec<&str> = queues.all().iter().map(|queue| queue.name).collect();
        let name: String = name.chars().take(100).collect();
        let text = format!(
            "there is no queue '{name}'. Known: {}, all",
            known.join(", ")
        );
        RpcError::new(RpcError::NOT_FOUND, text)
    })
}
