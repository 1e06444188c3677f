//! The yearly rows, as a table a person likes to read.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::Value;

use super::follow::{games_text, list_end, shell_quoted};
use super::terminal::output_columns;
use crate::model::counted;
use crate::store::{StoredPlayer, YearCoverage, YearlyStats};
use crate::tasks::{PlayerReport, PlayerSyncArgs};

/// The end of a sync, from what the engine tells of the player's year: what became of the matches, the yearly row, and
/// how far back Riot lists them if that is not to the year's beginning.
pub fn show_year(json: bool, order: &PlayerSyncArgs, report: &PlayerReport, told: &Value) {
    let stored = report.existing_matches + u64::from(report.processed_matches);
    if let Some(text) = games_text(stored, told) {
        crate::errln!("{text}");
    }
    if !json && report.total_matches + stored > 0 {
        let year = order.year.get();
        crate::outln!("{}", year_text(&order.who(), Some(year), told));
    }
    let mut years = array(&told["coverage"]).iter();
    let of_year = years
        .find(|one| one["year"] == order.year.get() && one["platform"] == order.platform.as_str());
    if let Some(year) = of_year
        && let Some(text) = list_end(
            year["list_ends_at"].as_str(),
            year["listed_from"].as_str(),
            &order.year.to_string(),
        )
    {
        crate::errln!("{text}");
    }
}

/// The rows as a table, or that there are none.
pub fn year_text(player: &str, year: Option<i16>, told: &Value) -> String {
    let has_games = |row: &&Value| count(row, "total_matches") + count(row, "remakes") > 0;
    let rows: Vec<&Value> = array(&told["years"]).iter().filter(has_games).collect();
    if rows.is_empty() {
        let year = year.map(|year| format!(" for {year}")).unwrap_or_default();
        return format!("no match of {player} is stored{year}");
    }
    tables(&rows, output_columns())
}

/// One below the other where they are wider than that together.
fn tables(rows: &[&Value], width: Option<usize>) -> String {
    let Some(width) = width else {
        return table(rows).to_string();
    };
    let fits = |text: &str| {
        let lines = text.lines().map(console::measure_text_width);
        lines.max() <= Some(width)
    };
    let (mut told, mut rest) = (Vec::new(), rows);
    while !rest.is_empty() {
        let most = (1..=rest.len())
            .rev()
            .find(|count| fits(&table(&rest[..*count]).to_string()));
        let (first, others) = rest.split_at(most.unwrap_or(1));
        let mut table = table(first);
        if most.is_none() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            // A terminal of fewer columns than this has no room for any table.
            table.set_width(u16::try_from(width.max(20)).unwrap_or(u16::MAX));
        }
        told.push(table.to_string());
        rest = others;
    }
    told.join("\n")
}

/// That years of a player came with the matches of others, and how they are brought in whole: `more` are the options of
/// the same database, none if nothing brings them in. None: they did not.
pub fn met_text(
    player: &StoredPlayer,
    rows: &[YearlyStats],
    years: &[YearCoverage],
    more: Option<&str>,
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
        let (year, platform) = (row.year, &row.platform);
        let brought = more.map(|more| {
            format!(
                "; `riftsync sync {name} --platform {platform} --year {year}{more}` brings the year"
            )
        });
        format!(
            "{riot_id} was only met in others' matches in {year} on {platform}: {games}{}",
            brought.unwrap_or_default()
        )
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn count(row: &Value, name: &str) -> u64 {
    row[name].as_u64().unwrap_or(0)
}

/// A column a year and platform.
fn table(rows: &[&Value]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    let mut header = vec![String::new()];
    header.extend(
        rows.iter()
            .map(|row| format!("{} {}", row["year"], word(row, "platform"))),
    );
    table.set_header(header);
    let mut line = |name: &str, value: &dyn Fn(&Value) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(rows.iter().map(|row| value(row)));
        table.add_row(cells);
    };
    let part = |row: &Value, name: &str| row[name].as_f64().unwrap_or(0.0);
    line("matches", &|row| count(row, "total_matches").to_string());
    line("wins / losses", &|row| {
        format!("{} / {}", count(row, "wins"), count(row, "losses"))
    });
    line("win rate", &|row| format!("{:.1} %", part(row, "win_rate")));
    line("remakes", &|row| count(row, "remakes").to_string());
    line("KDA", &|row| format!("{:.2}", part(row, "kda_ratio")));
    line("kills / deaths / assists", &|row| {
        let games = count(row, "total_matches").max(1) as f64;
        let [kills, deaths, assists] = ["total_kills", "total_deaths", "total_assists"]
            .map(|name| count(row, name) as f64 / games);
        format!("{kills:.1} / {deaths:.1} / {assists:.1}")
    });
    line("gold a match", &|row| {
        format!("{:.0}", part(row, "average_gold_per_match"))
    });
    line("minions a match", &|row| {
        format!("{:.1}", part(row, "average_cs_per_match"))
    });
    line("champions played", &|row| {
        count(row, "unique_champions_played").to_string()
    });
    line("most played", &|row| {
        let champion = match row["most_played_name"].as_str() {
            Some(name) => name.to_owned(),
            None => word(row, "most_played_champion"),
        };
        // An older engine does not say how often.
        match row["most_played_champion_games"].as_u64() {
            Some(games) => format!("{champion} ({games})"),
            None => champion,
        }
    });
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn years_stand_beside_each_other_as_far_as_the_terminal_is_wide() {
        let years: Vec<Value> = (2022..2026)
            .map(|year| json!({ "year": year, "platform": "euw1", "total_matches": 120, "most_played_champion": "Aurelion Sol" }))
            .collect();
        let rows: Vec<&Value> = years.iter().collect();
        let widest = |text: &str| text.lines().map(console::measure_text_width).max().unwrap();
        let whole = tables(&rows, None);
        assert_eq!(tables(&rows, Some(widest(&whole))), whole);
        for width in [30, 40, 60, widest(&whole) - 1] {
            let text = tables(&rows, Some(width));
            assert!(widest(&text) <= width, "{width}:\n{text}");
            for year in 2022..2026 {
                assert!(text.contains(&year.to_string()), "{width}:\n{text}");
            }
        }
        assert_eq!(tables(&rows, Some(65)).matches("win rate").count(), 2);
    }
}
