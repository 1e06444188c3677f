//! What jobs and queues wait for, put into what programs see of them.

use serde_json::{Value, json};

use super::state::ControlState;
use crate::model::JobRecord;
use crate::model::waiting::Tally;

/// Gives each job `waiting`: `reason`, `text`, `for` and `left_s`; null: it works, is over, or waits for its children.
pub(super) async fn of_jobs(control: &ControlState, records: &[JobRecord], jobs: &mut [Value]) {
    let waits = control.waiting.of_each(records).await;
    for (job, waiting) in jobs.iter_mut().zip(waits) {
        job["waiting"] = json!(waiting.map(|waiting| waiting.document()));
    }
}

/// Gives each queue `working` and `waits`: of the jobs that this engine holds, how many work, and how many wait for
/// what. Returns the same of all queues.
pub(super) async fn of_queues(control: &ControlState, queues: &mut [Value]) -> Tally {
    let mut of_queues = control.waiting.of_queues().await;
    let mut all = Tally::default();
    for queue in queues {
        let name = queue["queue"].as_str().unwrap_or_default();
        let tally = of_queues.remove(name).unwrap_or_default();
        put(queue, &tally);
        all.add(tally);
    }
    all
}

pub(super) fn put(document: &mut Value, tally: &Tally) {
    let waits = tally.waits.iter().map(|(waiting, jobs)| {
        let mut wait = waiting.document();
        wait["jobs"] = json!(jobs);
        wait
    });
    document["working"] = json!(tally.working);
    document["waits"] = waits.collect();
}
