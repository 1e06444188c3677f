//! The yearly rows, as a table a person likes to read.

use crate::store::YearlyStats;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

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
