//! Two years side by side: of two players, or two of one. The figures are those of the year's page.

use askama::Template;

use super::chart;
use super::figures::{COMEBACK, LANE_COMEBACK};
use super::page::tile;
use super::recap::name_of;
use super::text::{clock, counted, day, grouped, percent, shown, signed};
use super::year::{Best, GameGroup, Tally, Wholeness, Year, ratio};

/// Rows of a table at most; beyond them stands how many there are.
const ROWS_MAX: usize = 20;

/// Where the pages of the two years are; none: they have none.
#[derive(Debug, Clone, Copy, Default)]
pub struct ComparedPaths<'p> {
    pub paths: [Option<&'p str>; 2],
}

/// Both years as one HTML file that needs nothing else.
pub fn compared_file(years: [&Year; 2]) -> String {
    let [one, other] = years.map(title);
    let page = File {
        title: format!("{one} and {other}"),
        body: compared_body(years, ComparedPaths::default()),
    };
    // It fails only where it cannot be written to, and a string always can.
    page.render().unwrap_or_else(|error| error.to_string())
}

/// Both years as a part of a page that has [`STYLE`](super::STYLE).
pub fn compared_body(years: [&Year; 2], paths: ComparedPaths<'_>) -> String {
    let body = Body {
        years,
        paths: paths.paths,
    };
    body.render().unwrap_or_else(|error| error.to_string())
}

/// Who, and when.
fn title(year: &Year) -> String {
    format!("{} {}", name_of(year), year.year)
}

#[derive(Template)]
#[template(path = "file.html")]
struct File {
    title: String,
    body: String,
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Body<'y> {
    years: [&'y Year; 2],
    paths: [Option<&'y str>; 2],
}

/// A figure of both.
#[derive(Debug, PartialEq, Eq)]
struct FigureRow {
    name: String,
    values: [String; 2],
}

/// Games of both that have something in common.
#[derive(Debug)]
struct Group<'y> {
    name: &'y str,
    of: [Option<&'y Tally>; 2],
}

/// A table of them.
#[derive(Debug)]
struct Groups<'y> {
    title: &'static str,
    first: &'static str,
    has_tiles: bool,
    rows: Vec<Group<'y>>,
    left_out: usize,
}

impl Groups<'_> {
    fn tile(&self, row: &Group<'_>) -> String {
        if self.has_tiles {
            tile(row.name) + " "
        } else {
            String::new()
        }
    }
}

impl Group<'_> {
    fn games(&self) -> u64 {
        let games = self.of.iter().flatten().map(|tally| tally.games);
        games.sum()
    }

    fn shown(&self) -> String {
        shown(self.name)
    }

    /// Games, win rate and KDA of each; a dash where there was no game.
    fn cells(&self) -> Vec<String> {
        let of_one = |tally: Option<&Tally>| match tally.filter(|tally| tally.games > 0) {
            Some(tally) => [
                grouped(tally.games),
                percent(tally.win_rate()),
                format!("{:.2}", tally.kda()),
            ],
            None => ["–"; 3].map(str::to_owned),
        };
        self.of.into_iter().flat_map(of_one).collect()
    }
}

#[allow(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "a template calls methods, and with references to fields"
)]
impl<'y> Body<'y> {
    fn titles(&self) -> [String; 2] {
        self.years.map(title)
    }

    /// The two, and where their pages are.
    fn heads(&self) -> Vec<(String, i16, Option<&str>)> {
        let heads = self.years.iter().zip(self.paths);
        let heads = heads.map(|(year, path)| (name_of(year), year.year, path));
        heads.collect()
    }

    fn line(&self, name: &str, value: impl Fn(&Year) -> String) -> FigureRow {
        FigureRow {
            name: name.to_owned(),
            values: self.years.map(value),
        }
    }

    /// Of all games of each.
    fn facts(&self) -> Vec<FigureRow> {
        let of_all = |name: &str, value: fn(&Tally) -> String| {
            self.line(name, |year| match year.all.games {
                0 => "–".to_owned(),
                _ => value(&year.all),
            })
        };
        let mut lines = vec![
            self.line("Games", |year| grouped(year.all.games)),
            self.line("Won – lost", |year| {
                format!(
                    "{} – {}",
                    grouped(year.all.wins),
                    grouped(year.all.losses())
                )
            }),
            of_all("Win rate", |all| percent(all.win_rate())),
            self.line("Played", |year| {
                let seconds = year.all.seconds;
                format!(
                    "{} h {:02} min",
                    grouped(seconds / 3_600),
                    seconds % 3_600 / 60
                )
            }),
            self.line("Days with a game", |year| grouped(year.days.len() as u64)),
            of_all("KDA", |all| format!("{:.2}", all.kda())),
            of_all("Kills / deaths / assists", |all| {
                let average = |sum: u64| format!("{:.1}", ratio(sum, all.games));
                [all.kills, all.deaths, all.assists]
                    .map(average)
                    .join(" / ")
            }),
            of_all("CS / min", |all| format!("{:.1}", all.cs_per_minute())),
            of_all("Gold a game", |all| {
                format!("{:.0}", ratio(all.gold, all.games))
            }),
            of_all("Damage share", |all| percent(all.damage_share())),
            of_all("Vision a game", |all| {
                format!("{:.1}", ratio(all.vision, all.games))
            }),
            of_all("Gold lead at 15", |all| {
                all.lead().map_or_else(|| "–".to_owned(), signed)
            }),
            self.line("Champions played", |year| {
                grouped(year.champions.len() as u64)
            }),
            self.line("Longest winning streak", |year| grouped(year.won.games)),
            self.line("Longest losing streak", |year| grouped(year.lost.games)),
            self.line("Remakes", |year| grouped(year.remakes)),
        ];
        lines.extend(self.ranks());
        lines
    }

    /// The highest rank in each queue in which one of them had any.
    fn ranks(&self) -> Vec<FigureRow> {
        let mut queues: Vec<&str> = Vec::new();
        for line in self.years.iter().flat_map(|year| &year.ranks) {
            if !queues.contains(&&*line.queue) {
                queues.push(&line.queue);
            }
        }
        let highest = |queue: &str| {
            self.line(&format!("{}, highest", shown(queue)), |year| {
                let mut lines = year.ranks.iter();
                let line = lines.find(|line| line.queue == queue);
                line.map_or_else(|| "–".to_owned(), |line| shown(&line.best.rank))
            })
        };
        queues.into_iter().map(highest).collect()
    }

    fn records(&self) -> Vec<FigureRow> {
        let [one, other] = self.years;
        let mut names: Vec<&str> = Vec::new();
        for best in one.records.iter().chain(&other.records) {
            if best.value > 0 && !names.contains(&&*best.name) {
                names.push(&best.name);
            }
        }
        let of = |name: &&str| {
            self.line(name, |year| {
                let mut records = year.records.iter();
                let best = records.find(|best| best.name == **name && best.value > 0);
                best.map_or_else(|| "–".to_owned(), |best| record(best, year.year))
            })
        };
        names.iter().map(of).collect()
    }

    /// The same groups of both, side by side.
    fn groups(&self) -> Vec<Groups<'y>> {
        let table = |title, first, of: fn(&Year) -> &[GameGroup], is_sorted: bool| {
            let mut rows = joint(self.years.map(of));
            if is_sorted {
                rows.sort_by_key(|row| std::cmp::Reverse(row.games()));
            }
            rows.retain(|row| row.games() > 0);
            let left_out = rows.len().saturating_sub(ROWS_MAX);
            rows.truncate(ROWS_MAX);
            Groups {
                title,
                first,
                has_tiles: title == "Champions",
                rows,
                left_out,
            }
        };
        let tables = [
            table("Champions", "Champion", |year| &year.champions, true),
            table("Roles", "Role", |year| &year.roles, true),
            table("Queues", "Queue", |year| &year.queues, true),
            table("Sides", "Side", |year| &year.sides, true),
            table("Game length", "Length", |year| &year.lengths, false),
            table("Weekdays", "Weekday", |year| &year.weekdays, false),
        ];
        let tables = tables.into_iter();
        tables.filter(|table| !table.rows.is_empty()).collect()
    }

    fn months(&self, at: &usize) -> String {
        let (id, year) = (
            ["months-a", "months-b"][(*at).min(1)],
            self.years[(*at).min(1)],
        );
        chart::bars(
            id,
            &format!("Games by month: {}", title(year)),
            &year.months,
        )
    }

    fn curve(&self, at: &usize) -> String {
        let (id, year) = (
            ["curve-a", "curve-b"][(*at).min(1)],
            self.years[(*at).min(1)],
        );
        let title = format!("Win rate over the year: {}", title(year));
        chart::curve(id, &title, year.rolling_games, &year.rolling)
    }

    fn month_lines(&self) -> Vec<FigureRow> {
        let months = joint(self.years.map(|year| &*year.months));
        let won = |tally: Option<&Tally>| match tally.filter(|tally| tally.games > 0) {
            Some(tally) => format!("{} / {}", grouped(tally.wins), grouped(tally.games)),
            None => "–".to_owned(),
        };
        let line = |row: &Group<'_>| FigureRow {
            name: row.name.to_owned(),
            values: row.of.map(won),
        };
        months.iter().map(line).collect()
    }

    fn rates(&self, year: &Year) -> Vec<(String, u64, String)> {
        let rate = |wins| percent(ratio(100 * wins, year.rolling_games));
        let points = year.rolling.iter();
        points
            .map(|point| (point.date.clone(), point.game, rate(point.wins)))
            .collect()
    }

    /// What each of them lacks.
    fn wholeness(&self) -> Vec<String> {
        let lack = |year: &&Year| {
            let who = title(year);
            let never =
                "Riot was never asked for the list of this year, so nobody knows what it lacks.";
            let text = |one: &Wholeness| match &*one.text {
                "" => format!("{who}: {}: {never}", one.platform),
                text => format!("{who}: {text}."),
            };
            let mut told: Vec<String> = year.wholeness.iter().map(text).collect();
            if told.is_empty() {
                told.push(format!("{who}: {never}"));
            }
            if year.cleaned > 0 {
                let games = grouped(year.cleaned);
                told.push(format!(
                    "{who}: {games} games were cleaned away, and no figure here counts them."
                ));
            }
            told
        };
        self.years.iter().flat_map(lack).collect()
    }
}

/// A record with its champion and day.
fn record(best: &Best, year: i16) -> String {
    let value = match &*best.name {
        "Longest game" => clock(best.value),
        COMEBACK => counted(best.value, "kill behind", "kills behind"),
        LANE_COMEBACK => format!("{} gold behind", grouped(best.value)),
        _ => grouped(best.value),
    };
    format!(
        "{value} ({}, {})",
        shown(&best.champion),
        day(&best.date, year)
    )
}

/// Groups of the first in its order, and then those that only the other has.
fn joint<'y>([one, other]: [&'y [GameGroup]; 2]) -> Vec<Group<'y>> {
    let find = |groups: &'y [GameGroup], name: &str| {
        let found = groups.iter().find(|group| group.name == name);
        found.map(|group| &group.tally)
    };
    let first = one.iter().map(|group| Group {
        name: &group.name,
        of: [Some(&group.tally), find(other, &group.name)],
    });
    let rest = other
        .iter()
        .filter(|group| find(one, &group.name).is_none());
    let rest = rest.map(|group| Group {
        name: &group.name,
        of: [None, Some(&group.tally)],
    });
    first.chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::year::Player;

    fn group(name: &str, games: u64, wins: u64) -> GameGroup {
        GameGroup {
            name: name.to_owned(),
            tally: Tally {
                games,
                wins,
                kills: games,
                deaths: 2 * games,
                ..Tally::default()
            },
        }
    }

    fn year(name: &str, champions: Vec<GameGroup>) -> Year {
        let all = champions.iter().fold(Tally::default(), |all, one| Tally {
            games: all.games + one.tally.games,
            wins: all.wins + one.tally.wins,
            ..all
        });
        Year {
            year: 2025,
            player: Player {
                riot_id: Some(name.to_owned()),
                ..Player::default()
            },
            all,
            champions,
            ..Year::default()
        }
    }

    #[test]
    fn groups_of_both_stand_in_one_row_the_most_games_first_and_a_dash_where_one_has_none() {
        let one = year("A#1", vec![group("Ahri", 5, 2), group("Zed", 1, 1)]);
        let other = year("B#2", vec![group("Lux", 9, 9), group("Ahri", 5, 5)]);
        let body = Body {
            years: [&one, &other],
            paths: [None; 2],
        };
        let tables = body.groups();
        let rows: Vec<_> = tables[0]
            .rows
            .iter()
            .map(|row| (row.name, row.cells()))
            .collect();
        let cells = |cells: [&str; 6]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            rows,
            [
                (
                    "Ahri",
                    cells(["5", "40.0 %", "0.50", "5", "100.0 %", "0.50"])
                ),
                ("Lux", cells(["–", "–", "–", "9", "100.0 %", "0.50"])),
                ("Zed", cells(["1", "100.0 %", "0.50", "–", "–", "–"])),
            ]
        );
        let facts = body.facts();
        assert_eq!(facts[1].values, ["3 – 3", "14 – 0"]);
    }

    #[test]
    fn a_year_without_games_and_a_hostile_name_can_be_compared() {
        let names = ["<script>alert(1)</script>#\u{202e}X", "\"'>&#B"];
        let many = (0..500)
            .map(|n| group(&format!("<b>{n}"), 500 - n, 1))
            .collect();
        let (one, other) = (year(names[0], many), year(names[1], Vec::new()));
        let file = compared_file([&one, &other]);
        assert!(!file.contains("<script") && !file.contains("<b>0") && !file.contains('\u{202e}'));
        assert!(file.contains("and 480 more"), "{file}");
        assert!(!file.contains("NaN"), "{file}");
        assert!(file.len() < 60_000, "{}", file.len());
        let nothing = Year::default();
        assert!(compared_body([&nothing, &nothing], ComparedPaths::default()).contains("No game"));
    }
}
