//! The yearly rows, as a table a person likes to read.

use super::follow::{counted, games_text, shell_quoted};
use crate::store::{Store, StoreResult, StoredPlayer, YearCoverage, YearlyStats};
use crate::tasks::{PlayerReport, PlayerSyncArgs, coverage};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

/// The end of a sync: what became of the matches, and the yearly row.
pub fn show_year(
    json: bool,
    order: &PlayerSyncArgs,
    report: &PlayerReport,
    rows: &[YearlyStats],
    aborted: u64,
) {
    let stored = report.existing_matches + u64::from(report.processed_matches);
    if let Some(text) = games_text(stored, rows, aborted) {
        eprintln!("{text}");
    }
    if !json && report.total_matches + stored > 0 {
        crate::outln!("{}", year_text(&order.who(), Some(order.year.get()), rows));
    }
}

/// Says how far back Riot lists the player's matches, if that is not to the year's beginning.
pub async fn show_list_end(
    store: &dyn Store,
    player_id: i64,
    order: &PlayerSyncArgs,
) -> StoreResult<()> {
    let years = store.coverage(player_id, None).await?;
    let of_year = years
        .iter()
        .find(|one| one.year == order.year.get() && one.platform == order.platform.as_str());
    if let Some(text) = of_year.and_then(coverage::list_end) {
        eprintln!("{text}");
    }
    Ok(())
}

/// The rows as a table, or that there are none.
pub fn year_text(player: &str, year: Option<i16>, rows: &[YearlyStats]) -> String {
    let has_games = |row: &&YearlyStats| row.tally.total_matches() > 0 || row.tally.remakes > 0;
    let rows: Vec<YearlyStats> = rows.iter().filter(has_games).cloned().collect();
    if rows.is_empty() {
        let year = year.map(|year| format!(" for {year}")).unwrap_or_default();
        return format!("no match of {player} is stored{year}");
    }
    table(&rows)
}

/// That years of a player came with the matches of others, and how they are brought in whole. None: they did not.
pub fn met_text(
    player: &StoredPlayer,
    rows: &[YearlyStats],
    years: &[YearCoverage],
) -> Option<String> {
    let listed = |row: &YearlyStats| {
        years.iter().any(|year| {
            year.listed.is_some() && (year.year, &year.platform) == (row.year, &row.platform)
        })
    };
    // One who was synced by an older version, which kept no lists, has a level.
    let was_synced =
        player.summoner_level.is_some() && years.iter().all(|year| year.listed.is_none());
    let met: Vec<&YearlyStats> = rows.iter().filter(|row| !listed(row)).collect();
    let riot_id = player.riot_id.as_ref()?;
    if met.is_empty() || was_synced {
        return None;
    }
    let name = shell_quoted(&riot_id.to_string());
    let lines = met.iter().map(|row| {
        let games = row.tally.total_matches() + row.tally.remakes;
        let games = counted(u64::try_from(games).unwrap_or(0), "game", "games");
        format!(
            "{riot_id} was only met in others' matches in {} on {}: {games}; `riftsync sync {name} --platform {} --year {}` \
             brings the year",
            row.year, row.platform, row.platform, row.year
        )
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// A column a year and platform.
pub fn table(rows: &[YearlyStats]) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    let mut header = vec![String::new()];
    header.extend(
        rows.iter()
            .map(|row| format!("{} {}", row.year, row.platform)),
    );
    table.set_header(header);
    let mut line = |name: &str, value: &dyn Fn(&YearlyStats) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(rows.iter().map(value));
        table.add_row(cells);
    };
    line("matches", &|row| row.tally.total_matches().to_string());
    line("wins / losses", &|row| {
        format!("{} / {}", row.tally.wins, row.tally.losses)
    });
    line("win rate", &|row| format!("{:.1} %", row.tally.win_rate()));
    line("remakes", &|row| row.tally.remakes.to_string());
    line("KDA", &|row| format!("{:.2}", row.tally.kda_ratio()));
    line("kills / deaths / assists", &|row| {
        let tally = &row.tally;
        let [kills, deaths, assists] =
            [tally.kills, tally.deaths, tally.assists].map(|sum| tally.per_match(sum));
        format!("{kills:.1} / {deaths:.1} / {assists:.1}")
    });
    line("gold a match", &|row| {
        format!("{:.0}", row.tally.per_match(row.tally.gold_earned))
    });
    line("minions a match", &|row| {
        format!("{:.1}", row.tally.average_cs())
    });
    line("champions played", &|row| {
        row.tally.counts.champions.len().to_string()
    });
    line("most played", &|row| {
        row.tally.most_played_champion().map_or_else(
            || "-".to_owned(),
            |(name, games)| format!("{name} ({games})"),
        )
    });
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
