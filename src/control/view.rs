//! How programs see a job: the one shape of its task, and what every job has.

use serde_json::{Value, json};

use crate::model::JobRecord;

/// Makes the one shape of a result or an error.
pub type Document = fn(&JobRecord) -> Value;

/// A job, and where it stands among others.
pub fn job(document: Document, job: &JobRecord) -> Value {
    let mut view = document(job);
    view["queue"] = json!(job.queue);
    view["key"] = json!(job.key);
    view["priority"] = json!(job.priority);
    view["enqueued_at"] = json!(job.enqueued_at.to_string());
    view
}

/// The same in a list: without what it came to, which can be long.
pub fn line(document: Document, record: &JobRecord) -> Value {
    let mut view = job(document, record);
    if let Value::Object(fields) = &mut view {
        fields.remove("result");
    }
    view
}

/// The same with everything that is known of it.
pub fn whole(document: Document, record: &JobRecord) -> Value {
    let mut view = job(document, record);
    view["args"] = record.args.clone();
    view["max_attempts"] = json!(record.max_attempts);
    view["run_at"] = json!(record.run_at.to_string());
    view["children_pending"] = json!(record.children_pending);
    view["errors"] = json!(record.errors);
    view["rollup"] = json!(record.rollup);
    view
}
