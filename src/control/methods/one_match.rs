//! `match.get`: a match as its page tells it.

use serde::Deserialize;
use serde_json::json;

use super::Answer;
use super::year::{names_of, time_zone};
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::model::MatchId;
use crate::model::names::NamedKind;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    match_id: MatchId,
    #[serde(default)]
    timezone: Option<String>,
}

pub(super) async fn get(control: &ControlState, params: Params<'_>) -> Answer {
    let asked: Asked = params.read()?;
    let zone = time_zone(asked.timezone.as_deref())
        .map_err(|why| RpcError::new(RpcError::INVALID_PARAMS, why))?;
    let store = &*control.engine.store;
    let Some(mut told) = store.one_match(asked.match_id).await? else {
        return Err(RpcError::new(
            RpcError::NOT_FOUND,
            format!(
                "match {} is not stored. A sync of a player who was in it brings it",
                asked.match_id
            ),
        ));
    };
    told.set_zone(&zone);
    let champions = names_of(store, NamedKind::Champion).await?;
    let items = names_of(store, NamedKind::Item).await?;
    told.set_names(&champions, &items);
    Ok(json!({ "match": told }))
}
