//! The page: as a file that needs nothing else, or as the part of another page.

use askama::Template;

use super::chart;
use super::games::Companion;
use super::text::{clock, counted, day, grouped, initials, percent, shown};
use super::year::{Best, GameGroup, Streak, Year, ratio};

/// The style of a page with a year in it.
pub const STYLE: &str = include_str!("style.css");

/// Rows of a table at most; beyond them stands how many there are.
const ROWS_MAX: usize = 20;
/// Hours and patches of a year have room.
const LINES_MAX: usize = 32;
/// Games from which on a rate is worth a sentence.
const TOLD_FROM: u64 = 10;

/// The year as one HTML file: style within, no script, nothing that is fetched.
pub fn file(year: &Year) -> String {
    let page = File {
        title: title(year),
        body: body(year),
    };
    // It fails only where it cannot be written to, and a string always can.
    page.render().unwrap_or_else(|error| error.to_string())
}

/// The year as a part of a page that has [`STYLE`].
pub fn body(year: &Year) -> String {
    Body { year }
        .render()
        .unwrap_or_else(|error| error.to_string())
}

fn title(year: &Year) -> String {
    format!("{} in {}", name_of(year), year.year)
}

fn name_of(year: &Year) -> String {
    let name = year.player.riot_id.as_deref().map(shown);
    name.unwrap_or_else(|| "A player".to_owned())
}

#[derive(Template)]
#[template(path = "file.html")]
struct File {
    title: String,
    body: String,
}

#[derive(Template)]
#[template(path = "body.html")]
struct Body<'y> {
    year: &'y Year,
}

/// A table of lines, with what its first column is called.
#[derive(Template)]
#[template(path = "lines.html")]
struct GroupTable<'y> {
    caption: &'static str,
    first: &'static str,
    lines: &'y [GameGroup],
    left_out: usize,
    /// With kills, minions and damage too.
    whole: bool,
    tiles: bool,
}

#[allow(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "a template calls methods, and with references to fields"
)]
impl Body<'_> {
    fn name(&self) -> String {
        name_of(self.year)
    }

    fn former(&self) -> Vec<String> {
        self.year
            .player
            .former_names
            .iter()
            .map(|name| shown(name))
            .collect()
    }

    fn sync_command(&self) -> String {
        let platform = self
            .year
            .wholeness
            .first()
            .map_or("kr", |one| &*one.platform);
        format!(
            "riftsync sync \"{}\" --platform {platform} --year {}",
            self.name(),
            self.year.year
        )
    }

    fn days(&self) -> String {
        let title = format!("Games by day in {}", self.year.year);
        chart::days("days", &title, &self.year.span, &self.year.days)
    }

    fn key(&self) -> String {
        chart::key("days")
    }

    fn curve(&self) -> String {
        chart::curve(
            "curve",
            "Win rate over the year",
            self.year.rolling_games,
            &self.year.rolling,
        )
    }

    fn bars(&self, id: &str, title: &str, lines: &[GameGroup]) -> String {
        chart::bars(id, title, lines)
    }

    fn table(&self, caption: &'static str, first: &'static str, lines: &[GameGroup]) -> String {
        table(caption, first, lines, (false, false))
    }

    fn rows(&self, caption: &'static str, first: &'static str, lines: &[GameGroup]) -> String {
        table(caption, first, lines, (true, false))
    }

    fn champions(&self, caption: &'static str, first: &'static str, lines: &[GameGroup]) -> String {
        table(caption, first, lines, (true, true))
    }

    fn rate(&self, wins: &u64, games: &u64) -> String {
        percent(ratio(100 * wins, *games))
    }

    fn who(&self, companion: &Companion) -> String {
        companion
            .riot_id
            .as_deref()
            .map_or_else(|| "unknown".to_owned(), shown)
    }

    fn value(&self, best: &Best) -> String {
        if best.name == "Longest game" {
            clock(best.value)
        } else {
            grouped(best.value)
        }
    }

    fn day(&self, date: &str) -> String {
        day(date, self.year.year)
    }

    fn hours_played(&self) -> String {
        let all = &self.year.all;
        format!(
            "{} h {:02} min",
            grouped(all.seconds / 3_600),
            all.seconds % 3_600 / 60
        )
    }

    fn average(&self, sum: &u64) -> String {
        format!("{:.1}", ratio(*sum, self.year.all.games))
    }

    fn grouped(&self, number: &u64) -> String {
        grouped(*number)
    }

    fn losses(&self) -> String {
        grouped(self.year.all.losses())
    }

    fn has_multikills(&self) -> bool {
        self.year.multikills.iter().any(|fact| fact.count > 0)
    }

    fn has_objectives(&self) -> bool {
        self.year
            .objectives
            .iter()
            .any(|objective| objective.first + objective.other > 0)
    }

    fn recap(&self) -> Vec<String> {
        recap(self.year)
    }
}

fn table(
    caption: &'static str,
    first: &'static str,
    lines: &[GameGroup],
    (whole, tiles): (bool, bool),
) -> String {
    let shown = lines.len().min(if tiles { ROWS_MAX } else { LINES_MAX });
    let table = GroupTable {
        caption,
        first,
        lines: &lines[..shown],
        left_out: lines.len() - shown,
        whole,
        tiles,
    };
    table.render().unwrap_or_else(|error| error.to_string())
}

#[allow(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "a template calls methods, and with references to fields"
)]
impl GroupTable<'_> {
    fn initials(&self, name: &str) -> String {
        initials(name)
    }

    /// One of eight colours, always the same for a name.
    fn hue(&self, name: &str) -> u8 {
        name.bytes()
            .fold(7_u8, |hue, byte| hue.wrapping_mul(31).wrapping_add(byte))
            % 8
    }

    fn percent(&self, value: f64) -> String {
        percent(value)
    }

    fn decimal(&self, value: f64) -> String {
        format!("{value:.1}")
    }

    fn kda(&self, value: f64) -> String {
        format!("{value:.2}")
    }

    fn name(&self, name: &str) -> String {
        shown(name)
    }
}

/// The year in sentences.
fn recap(year: &Year) -> Vec<String> {
    let all = &year.all;
    let name = name_of(year);
    let mut told = vec![format!(
        "In {} {name} played {} on {}: {} won, {} lost.",
        year.year,
        counted(all.games, "game", "games"),
        counted(year.days.len() as u64, "day", "days"),
        grouped(all.wins),
        grouped(all.losses()),
    )];
    if let Some(line) = year.champions.first() {
        told.push(format!(
            "The champion played most was {}, with {} and a win rate of {}; {} played in all.",
            shown(&line.name),
            counted(line.tally.games, "game", "games"),
            percent(line.tally.win_rate()),
            match year.champions.len() {
                1 => "1 champion was".to_owned(),
                many => format!("{many} champions were"),
            },
        ));
    }
    // Of several that are as good, the first one.
    let busiest = year.days.iter().rev().max_by_key(|day| day.games);
    if let Some(busiest) = busiest.filter(|day| day.games > 1) {
        told.push(format!(
            "The busiest day was {}: {}, {} won.",
            day(&busiest.date, year.year),
            counted(busiest.games, "game", "games"),
            busiest.wins
        ));
    }
    if year.won.games > 1 {
        told.push(format!(
            "{}.",
            streak(year, &year.won, "The longest winning streak was")
        ));
    }
    if year.lost.games > 1 {
        told.push(format!(
            "{}.",
            streak(year, &year.lost, "The longest losing streak was")
        ));
    }
    told.extend(habits(year));
    told
}

/// When games were won and played, and with whom.
fn habits(year: &Year) -> Vec<String> {
    let mut told = Vec::new();
    let worth = |line: &&GameGroup| line.tally.games >= TOLD_FROM;
    let by_rate = |one: &&GameGroup, other: &&GameGroup| {
        one.tally.win_rate().total_cmp(&other.tally.win_rate())
    };
    if let Some(best) = year.months.iter().rev().filter(worth).max_by(by_rate) {
        told.push(format!(
            "The best month was {}: {} of {} won.",
            best.name,
            percent(best.tally.win_rate()),
            counted(best.tally.games, "game", "games")
        ));
    }
    let often = year.hours.iter().rev().max_by_key(|hour| hour.tally.games);
    if let Some(often) = often.filter(|hour| hour.tally.games > 1) {
        told.push(format!(
            "Most games began between {}:00 and {}:59, {} of them.",
            often.name, often.name, often.tally.games
        ));
    }
    if let Some((duo, riot_id)) = year
        .duos
        .first()
        .and_then(|duo| Some((duo, duo.riot_id.as_ref()?)))
    {
        told.push(format!(
            "The partner of most games was {}: {}, {} won.",
            shown(riot_id),
            counted(duo.games, "game", "games"),
            grouped(duo.wins)
        ));
    }
    told
}

fn streak(year: &Year, streak: &Streak, begin: &str) -> String {
    let (from, to) = (day(&streak.from, year.year), day(&streak.to, year.year));
    let when = if from == to {
        format!("on {from}")
    } else {
        format!("from {from} to {to}")
    };
    format!("{begin} {}, {when}", streak.games)
}
