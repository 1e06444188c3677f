//! `track`, `untrack` and `tracked`: who is synced again by schedule.

use serde_json::{Value, json};

use super::table::table;
use super::{Reach, text};
use crate::cli::CliError;
use crate::control::tracked_document;
use crate::model::RiotId;

/// Players that a list names at most.
const LISTED_MAX: usize = 10_000;

pub async fn set_tracked(reach: &Reach, riot_id: &str, tracked: bool) -> Result<(), CliError> {
    let riot_id: RiotId = riot_id.parse()?;
    let method = if tracked {
        "player.track"
    } else {
        "player.untrack"
    };
    let answer = if let Some(mut engine) = reach.engine_if_any().await? {
        engine.call(method, json!({ "riot_id": riot_id })).await?
    } else {
        let store = reach.database.open().await?;
        let outcome = async {
            let Some(player) = store.player(&riot_id).await? else {
                return Err(CliError::JobFailed(format!(
                    "the database has no player '{riot_id}'. Bring the player in with: riftsync sync \"{riot_id}\" --platform ..."
                )));
            };
            store.track(vec![player.id], tracked).await?;
            Ok(json!({ "riot_id": riot_id, "platform": player.platform, "tracked": tracked }))
        };
        let outcome = outcome.await;
        store.close().await?;
        outcome?
    };
    reach.show(&answer, |_| {
        if tracked {
            format!("{riot_id} is synced again by schedule, while `riftsync serve` runs")
        } else {
            format!("{riot_id} is synced no more by schedule; what is stored stays")
        }
    });
    Ok(())
}

pub async fn show_tracked(reach: &Reach) -> Result<(), CliError> {
    let answer = if let Some(mut engine) = reach.engine_if_any().await? {
        engine.call("player.tracked", json!({})).await?
    } else {
        let store = reach.read_only().await?;
        tracked_document(&store.tracked_players(LISTED_MAX).await?)
    };
    reach.show(&answer, |answer| {
        let players = answer["players"].as_array().map_or(&[][..], Vec::as_slice);
        if players.is_empty() {
            return "no player is tracked. `riftsync sync` tracks whom it syncs".to_owned();
        }
        let row = |player: &Value| {
            vec![
                text(&player["riot_id"]),
                text(&player["platform"]),
                text(&player["last_played"]),
            ]
        };
        table(
            &["player", "platform", "last played"],
            players.iter().map(row),
        )
    });
    Ok(())
}
