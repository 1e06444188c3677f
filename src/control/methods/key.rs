//! `key.*`. What comes in here goes to the key ring and nowhere else.

use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::control::desk::Desk;
use crate::control::rpc::{Params, RpcError};

/// No `Debug`: nobody prints a key by mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    key: String,
}

pub(super) fn set(desk: &Desk, params: Params<'_>) -> Answer {
    // What serde says could repeat what was sent.
    let set = params
        .read::<Set>()
        .map_err(|_| RpcError::invalid("write the key as {\"key\": \"RGAPI-...\"}"))?;
    let replaced = desk.key.replace(&set.key).map_err(RpcError::invalid)?;
    Ok(json!({ "replaced": replaced }))
}
