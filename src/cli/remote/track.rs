//! `track`, `untrack` and `tracked`: who is synced again by schedule.

use serde_json::{Value, json};

use super::table::table;
use super::{Ask as _, Reach, text};
use crate::cli::CliError;
use crate::control::{track_document, tracked_document};
use crate::model::Whom;
use crate::store::people;

/// Players that a list names at most.
const LISTED_MAX: usize = 10_000;

pub async fn set_tracked(reach: &Reach, whom: &Whom, tracked: bool) -> Result<(), CliError> {
    let method = if tracked {
        "player.track"
    } else {
        "player.untrack"
    };
    let answer = if let Some(mut engine) = reach.engine_if_any().await? {
        engine.ask(method, json!(whom)).await?
    } else {
        let store = reach.database.open_present().await?;
        let outcome = async {
            let found = people::find(&*store, whom, &reach.place()).await?;
            let (player, note) = found.map_err(CliError::JobFailed)?;
            store.track(vec![player.id], tracked).await?;
            Ok::<_, CliError>(track_document(&player, note.as_deref(), tracked))
        };
        let outcome = outcome.await;
        store.close().await?;
        outcome?
    };
    if let (false, Value::String(note)) = (reach.json, &answer["note"]) {
        crate::errln!("{note}");
    }
    reach.show(&answer, |answer| {
        let who = match &answer["riot_id"] {
            Value::String(riot_id) => riot_id.clone(),
            _ => whom.to_string(),
        };
        if tracked {
            format!("{who} is synced again by schedule, while `riftsync serve` runs")
        } else {
            format!("{who} is synced no more by schedule; what is stored stays")
        }
    });
    Ok(())
}

pub async fn show_tracked(reach: &Reach) -> Result<(), CliError> {
    let answer = if let Some(mut engine) = reach.engine_if_any().await? {
        engine.ask("player.tracked", json!({})).await?
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
                match (&player["lost"]["since"], &player["last_sync"]["at"]) {
                    (Value::String(since), _) => {
                        format!("not found since {since}: {}", text(&player["lost"]["why"]))
                    }
                    (_, at) => text(at),
                },
            ]
        };
        table(
            &["player", "platform", "last played", "last synced"],
            players.iter().map(row),
        )
    });
    Ok(())
}
