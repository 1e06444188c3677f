//! The page: as a file that needs nothing else, or as the part of another page.

use std::fmt::{self, Write};

use askama::Template;

use super::chart::{self, Dots};
use super::figures::{COMEBACK, LANE_COMEBACK, calendar};
use super::games::Companion;
use super::kills::KillPhase;
use super::leads::{LeadMinute, Quartiles};
use super::ranks::RankLine;
use super::recap::{name_of, recap};
use super::text::{clock, counted, day, grouped, initials, percent, shown, signed};
use super::year::{Best, GameGroup, Tally, Year, ratio};

/// The style of a page with a year in it.
pub const STYLE: &str = include_str!("style.css");

/// Rows of a table at most; beyond them stands how many there are.
const ROWS_MAX: usize = 20;
/// The same where a link leads to all of them.
const ROWS_MAX_LINKED: usize = 12;
/// Each minute up to here has a place in the curves, and of those after it each third one.
const MINUTES_WHOLE: u64 = 15;
const MINUTES_STEP: u64 = 3;
/// Hours and patches of a year have room.
const LINES_MAX: usize = 32;

/// The path of a match's page.
pub trait ToMatch: Fn(&str) -> String {}
impl<F: Fn(&str) -> String> ToMatch for F {}
/// The path of the page of somebody with this name, if there can be one.
pub trait ToPlayer: Fn(&str) -> Option<String> {}
impl<F: Fn(&str) -> Option<String>> ToPlayer for F {}

/// How a page is shown among others: where its links go, and whether its lists are whole.
#[derive(Clone, Copy, Default)]
pub struct View<'v> {
    /// The page of a match. None: there are no links.
    pub to_match: Option<&'v dyn ToMatch>,
    /// The page of a player's year, of somebody with a name.
    pub to_player: Option<&'v dyn ToPlayer>,
    /// Lists to their ends.
    pub is_whole: bool,
    /// Where they are whole.
    pub to_whole: Option<&'v str>,
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("View")
            .field("is_whole", &self.is_whole)
            .field("to_whole", &self.to_whole)
            .finish_non_exhaustive()
    }
}

/// The year as one HTML file: style within, no script, nothing that is fetched.
pub fn file(year: &Year) -> String {
    let page = File {
        title: title(year),
        body: body(year, View::default()),
    };
    // It fails only where it cannot be written to, and a string always can.
    page.render().unwrap_or_else(|error| error.to_string())
}

/// The year as a part of a page that has [`STYLE`].
pub fn body(year: &Year, view: View<'_>) -> String {
    Body { year, view }
        .render()
        .unwrap_or_else(|error| error.to_string())
}

fn title(year: &Year) -> String {
    format!("{} in {}", name_of(year), year.year)
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
    view: View<'y>,
}

/// A table of lines, with what its first column is called.
#[derive(Template)]
#[template(path = "lines.html")]
struct GroupTable<'y> {
    view: View<'y>,
    caption: &'static str,
    first: &'static str,
    lines: &'y [GameGroup],
    left_out: usize,
    shape: Shape,
}

/// What a table of lines has beside games and wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The numbers of a chart.
    Plain,
    /// The rate as a bar too.
    Bars,
    /// Kills, minions, damage and lead too.
    Whole,
    /// Of champions, with their tiles.
    Champions,
}

impl Shape {
    fn is_whole(self) -> bool {
        matches!(self, Self::Whole | Self::Champions)
    }
}

#[allow(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
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

    /// The games of each day, a week in a row.
    fn weeks(&self) -> String {
        let mut rows = String::new();
        let mut played = self.year.days.iter().peekable();
        let mut row = String::new();
        let mut has_games = false;
        let all = calendar(&self.year.span);
        for (at, (date, _, weekday)) in all.iter().enumerate() {
            let name = date.to_string();
            if row.is_empty() {
                let _ = write!(row, "<tr><th>{name}");
                row += &"<td>".repeat(*weekday);
            }
            row += "<td>";
            while played.next_if(|day| day.date < name).is_some() {}
            if let Some(day) = played.next_if(|day| day.date == name) {
                has_games = true;
                let _ = write!(row, "{}/{}", day.wins, day.games);
            }
            if *weekday == 6 || at + 1 == all.len() {
                // Weeks without a game are left out.
                if has_games {
                    rows += &row;
                }
                row.clear();
                has_games = false;
            }
        }
        rows
    }

    fn table(&self, caption: &'static str, first: &'static str, lines: &[GameGroup]) -> String {
        self.lines(caption, first, lines, Shape::Plain)
    }

    fn rated(&self, caption: &'static str, first: &'static str, lines: &[GameGroup]) -> String {
        self.lines(caption, first, lines, Shape::Bars)
    }

    fn rows(&self, caption: &'static str, first: &'static str, lines: &[GameGroup]) -> String {
        self.lines(caption, first, lines, Shape::Whole)
    }

    fn champions(&self, caption: &'static str, first: &'static str, lines: &[GameGroup]) -> String {
        self.lines(caption, first, lines, Shape::Champions)
    }

    fn lines(
        &self,
        caption: &'static str,
        first: &'static str,
        lines: &[GameGroup],
        shape: Shape,
    ) -> String {
        let room = match shape {
            _ if self.view.is_whole => usize::MAX,
            Shape::Champions if self.view.to_whole.is_some() => ROWS_MAX_LINKED,
            Shape::Champions => ROWS_MAX,
            _ => LINES_MAX,
        };
        let shown = lines.len().min(room);
        let table = GroupTable {
            view: self.view,
            caption,
            first,
            lines: &lines[..shown],
            left_out: lines.len() - shown,
            shape,
        };
        table.render().unwrap_or_else(|error| error.to_string())
    }

    fn lead(&self, of_xp: bool) -> String {
        let minutes = self.minutes().into_iter();
        let minutes: Vec<_> = minutes
            .map(|one| (one.minute, if of_xp { one.xp } else { one.gold }))
            .collect();
        if of_xp {
            chart::lead("xp", "Lead in experience by minute", "Experience", &minutes)
        } else {
            chart::lead("gold", "Lead in gold by minute", "Gold", &minutes)
        }
    }

    /// The minutes that are told: the first and the last are among them.
    fn minutes(&self) -> Vec<&LeadMinute> {
        let all = &self.year.leads.minutes;
        let last = all.last().map(|one| one.minute);
        let chosen = all.iter().filter(|one| {
            let past = one.minute.saturating_sub(MINUTES_WHOLE);
            past.is_multiple_of(MINUTES_STEP) || Some(one.minute) == last
        });
        chosen.collect()
    }

    /// The middle half of the games.
    fn quartiles(&self, one: &Option<Quartiles>) -> String {
        one.map_or_else(
            || "–".to_owned(),
            |one| {
                let [low, middle, high] = [one.low, one.middle, one.high].map(|n| signed(n.into()));
                format!("{middle} ({low} to {high})")
            },
        )
    }

    fn kill_map(&self, at: &usize, phase: &KillPhase) -> String {
        let id = ["map-a", "map-b", "map-c"][(*at).min(2)];
        let title = format!("Kills and deaths {}", phase.name);
        let says = "The map of Summoner's Rift, the blue team's base in the lower left: a round dot where the player killed, a \
                    square one where the player died.";
        let dots = [
            Dots {
                class: "kill",
                at: &phase.kills.at,
            },
            Dots {
                class: "death",
                at: &phase.deaths.at,
            },
        ];
        chart::kill_map(id, &title, says, true, &dots)
    }

    fn rank(&self, at: &usize, line: &RankLine) -> String {
        let id = format!("rank-{at}");
        let title = format!("{} over the year", shown(&line.queue));
        chart::rank(&id, &title, &self.year.span, &line.seen)
    }

    fn to_match(&self, match_id: &str) -> Option<String> {
        Some(self.view.to_match?(match_id))
    }

    fn to_player(&self, companion: &Companion) -> Option<String> {
        self.view.to_player?(companion.riot_id.as_ref()?)
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
        match &*best.name {
            "Longest game" => clock(best.value),
            COMEBACK => counted(best.value, "kill behind", "kills behind"),
            LANE_COMEBACK => format!("{} gold behind", grouped(best.value)),
            _ => grouped(best.value),
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

    fn counted(&self, number: &u64, one: &str, many: &str) -> String {
        counted(*number, one, many)
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

#[allow(
    clippy::unused_self,
    clippy::trivially_copy_pass_by_ref,
    reason = "a template calls methods, and with references to fields"
)]
impl GroupTable<'_> {
    fn tile(&self, name: &str) -> String {
        tile(name)
    }

    fn percent(&self, value: f64) -> String {
        percent(value)
    }

    /// Of a bar of twenty-five parts, each a class of the style.
    fn share(&self, value: f64) -> String {
        format!("{:.0}", value / 4.0)
    }

    fn lead(&self, tally: &Tally) -> String {
        let lead = tally.lead();
        lead.map_or_else(|| "–".to_owned(), signed)
    }

    fn has_leads(&self) -> bool {
        self.shape.is_whole() && self.lines.iter().any(|line| line.tally.lead_games > 0)
    }

    fn has_bars(&self) -> bool {
        self.shape != Shape::Plain
    }

    fn has_tiles(&self) -> bool {
        self.shape == Shape::Champions
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

/// A champion without a picture: its letters, in one of eight colours that is always the same for a name.
pub(crate) fn tile(name: &str) -> String {
    let hue = name
        .bytes()
        .fold(7_u8, |hue, byte| hue.wrapping_mul(31).wrapping_add(byte))
        % 8;
    // Letters and digits alone, or a question mark.
    let letters = initials(name);
    format!("<b class=\"tile t{hue}\" aria-hidden=\"true\">{letters}</b>")
}

#[cfg(test)]
mod tests;
