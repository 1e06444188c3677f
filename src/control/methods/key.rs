//! `key.*`. What comes in here goes to the key ring and nowhere else.

use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::control::rpc::{Params, RpcError};
use crate::control::state::ControlState;
use crate::model::{Route, Share};

/// No `Debug`: nobody prints a key by mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    key: String,
}

pub(super) fn set(control: &ControlState, params: Params<'_>) -> Answer {
    // What serde says could repeat what was sent.
    let set = params
        .read::<Set>()
        .map_err(|_| RpcError::invalid("write the key as {\"key\": \"RGAPI-...\"}"))?;
    let replaced = control.key.replace(&set.key).map_err(RpcError::invalid)?;
    Ok(json!({ "replaced": replaced }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetShare {
    /// None: it is only asked for.
    #[serde(default)]
    share: Option<String>,
    /// None: all routes that have none of their own.
    #[serde(default)]
    route: Option<String>,
}

/// The part of the key's limits that is used; sets it if one is named. It lasts until the engine ends.
pub(super) fn share(control: &ControlState, params: Params<'_>) -> Answer {
    let asked = params.read::<SetShare>()?;
    let route = asked.route.map(Route::try_from).transpose();
    let route = route.map_err(RpcError::invalid)?;
    if let Some(share) = asked.share {
        let share = share.parse::<Share>().map_err(RpcError::invalid)?;
        control.key.set_share(route, share);
    }
    let (share, routes) = control.key.shares();
    Ok(json!({ "share": share, "routes": routes }))
}
