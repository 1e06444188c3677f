//! `player.*`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use crate::control::desk::Desk;
use crate::control::rpc::{Params, RpcError};
use crate::model::RiotId;
use crate::store::YearlyStats;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stats {
    riot_id: RiotId,
    #[serde(default)]
    year: Option<i16>,
}

pub(super) async fn stats(desk: &Desk, params: Params<'_>) -> Answer {
    let asked = params.read::<Stats>()?;
    let store = &desk.engine.store;
    let Some(player) = store.player(&asked.riot_id).await? else {
        return Err(RpcError::new(
            RpcError::NOT_FOUND,
            format!("the database has no player '{}'", asked.riot_id),
        ));
    };
    let rows = store.yearly_stats(player.id, asked.year).await?;
    Ok(stats_document(&asked.riot_id, &rows))
}

/// A player's yearly rows, as every program sees them.
pub fn stats_document(riot_id: &RiotId, rows: &[YearlyStats]) -> Value {
    let years: Vec<Value> = rows.iter().map(year).collect();
    json!({ "riot_id": riot_id, "years": years })
}

fn year(row: &YearlyStats) -> Value {
    let tally = &row.tally;
    json!({
        "year": row.year, "platform": row.platform, "total_matches": tally.total_matches(), "wins": tally.wins,
        "losses": tally.losses, "remakes": tally.remakes, "win_rate": tally.win_rate(), "kda_ratio": tally.kda_ratio(),
        "total_kills": tally.kills, "total_deaths": tally.deaths, "total_assists": tally.assists,
        "average_gold_per_match": tally.per_match(tally.gold_earned), "average_cs_per_match": tally.average_cs(),
        "unique_champions_played": tally.counts.champions.len(),
        "most_played_champion": tally.most_played_champion().map(|(name, _)| name),
    })
}
