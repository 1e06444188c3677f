//! `data.*`: how much there is of everything.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::Answer;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::model::Timestamp;
use crate::store::{Store, StoreResult};

/// A measurement looks at a whole file, so it is not made again before.
const KEPT: Duration = Duration::from_mins(5);
/// How long an answer waits for one. After that it says that one is under way.
const WAITS: Duration = Duration::from_millis(500);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What was measured last, and the measurement under way. One at a time.
#[derive(Debug, Default)]
pub(in crate::control) struct Measured(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<(Instant, Value)>,
    under_way: Option<JoinHandle<StoreResult<Value>>>,
}

pub(super) async fn sizes(control: &ControlState, params: Params<'_>) -> Answer {
    params.read::<Nothing>()?;
    let mut state = control.measured.0.lock().await;
    let is_old = state
        .last
        .as_ref()
        .is_none_or(|(at, _)| at.elapsed() >= KEPT);
    if is_old && state.under_way.is_none() {
        state.under_way = Some(tokio::spawn(measure(control.engine.store.clone())));
    }
    if let Some(task) = &mut state.under_way
        && let Ok(ended) = timeout(WAITS, task).await
    {
        state.under_way = None;
        let sizes = ended.map_err(|error| RpcError::new(RpcError::INTERNAL, error.to_string()))?;
        state.last = Some((Instant::now(), sizes?));
    }
    let sizes = state.last.as_ref().map(|(_, sizes)| sizes.clone());
    Ok(json!({ "measuring": state.under_way.is_some(), "sizes": sizes }))
}

async fn measure(store: Arc<dyn Store>) -> StoreResult<Value> {
    let at = Timestamp::now();
    let census = store.census().await?;
    let [unread_matches, unread_timelines] = store.count_unread().await?;
    let documents = store.document_sizes().await?;
    let documents = documents.iter().map(|one| {
        json!({ "kind": one.kind, "repacked": one.repacked, "documents": one.documents, "bytes": one.bytes })
    });
    let documents: Vec<Value> = documents.collect();
    let tables = store.table_sizes().await?;
    let tables = tables
        .iter()
        .map(|one| json!({ "table": one.table, "bytes": one.bytes }));
    let tables: Vec<Value> = tables.collect();
    Ok(json!({
        "measured_at": at.to_string(), "bytes": store.size_bytes().await?,
        "players": census.players, "matches": census.matches, "timelines": census.timelines,
        "open_jobs": census.open_jobs, "unread_matches": unread_matches, "unread_timelines": unread_timelines,
        "documents": documents, "tables": tables,
    }))
}
