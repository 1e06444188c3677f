//! Charts as SVG, made here, so that they need no script and print well. Pure.
//!
//! Colours are classes of the style; what colours say is said by patterns too. The same numbers stand in a table beside
//! each chart: that is the page's part.

use std::fmt::{self, Write};

use askama::filters::{Html, escape};

use super::figures::calendar;
use super::text::shown;
use super::year::{Day, GameGroup, Point, YearSpan, ratio};

/// A picture with its title and what it shows. `id` is its own on the page.
fn picture(id: &str, size: (usize, usize), title: &str, says: &str, shapes: &str) -> String {
    let (width, height) = size;
    format!(
        "<svg class=\"chart {id}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{shapes}</svg>",
        Safe(title),
        Safe(says)
    )
}

/// A text as it stands in a picture.
struct Safe<'t>(&'t str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match escape(self.0, Html) {
            Ok(safe) => safe.fmt(out),
            Err(never) => match never {},
        }
    }
}

/// The lines of games that were lost, beside the colour.
fn hatch(id: &str, class: &str, gap: usize) -> String {
    format!(
        "<pattern id=\"{id}\" width=\"{gap}\" height=\"{gap}\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect class=\"{class}\" width=\"{gap}\" height=\"{gap}\"/><path class=\"{class}-line\" d=\"M0 0V{gap}\"/></pattern>"
    )
}

/// Games of each line: those that were won below, those that were lost on top of them.
pub(crate) fn bars(id: &str, title: &str, lines: &[GameGroup]) -> String {
    const HEIGHT: usize = 150;
    const FOOT: usize = 18;
    let step = 460 / lines.len().max(1);
    let width = step * lines.len() + 20;
    let top = lines.iter().map(|line| line.tally.games).max();
    let room = (HEIGHT - FOOT - 14) as f64;
    let high = |games: u64| ratio(games, top.unwrap_or(0).max(1)) * room;
    let floor = (HEIGHT - FOOT) as f64;
    let mut shapes = format!("<defs>{}</defs>", hatch(&format!("{id}-lost"), "lost", 4));
    for (at, line) in lines.iter().enumerate() {
        let (x, wide) = (10 + at * step, step - step / 5);
        let middle = x + wide / 2;
        let (won, lost) = (high(line.tally.wins), high(line.tally.losses()));
        let name = &shown(&line.name);
        let label = format!(
            "{name}: {} won, {} lost",
            line.tally.wins,
            line.tally.losses()
        );
        let (won_top, lost_top) = (floor - won, floor - won - lost);
        let _ = write!(
            shapes,
            "<g><title>{}</title><rect class=\"won\" x=\"{x}\" y=\"{won_top:.1}\" width=\"{wide}\" height=\"{won:.1}\"/>\
             <rect fill=\"url(#{id}-lost)\" x=\"{x}\" y=\"{lost_top:.1}\" width=\"{wide}\" height=\"{lost:.1}\"/>",
            Safe(&label)
        );
        if line.tally.games > 0 {
            let above = lost_top - 3.0;
            let _ = write!(
                shapes,
                "<text class=\"count\" x=\"{middle}\" y=\"{above:.1}\">{}</text>",
                line.tally.games
            );
        }
        let _ = write!(
            shapes,
            "<text x=\"{middle}\" y=\"{}\">{}</text></g>",
            HEIGHT - 5,
            Safe(name)
        );
    }
    let says = format!(
        "A bar for each of {}: games that were won, and hatched on top of them those that were lost.",
        lines.len()
    );
    picture(id, (width, HEIGHT), title, &says, &shapes)
}

/// Rates over the games of a year, with a line at one half.
pub(crate) fn curve(id: &str, title: &str, of: u64, points: &[Point]) -> String {
    const SIZE: (usize, usize) = (960, 190);
    const LEFT: f64 = 40.0;
    const FLOOR: f64 = 168.0;
    const ROOM: f64 = 156.0;
    let (first, last) = match points {
        [first, .., last] => (first, last),
        [one] => (one, one),
        [] => return String::new(),
    };
    let across = (last.game - first.game).max(1);
    let x = |point: &Point| LEFT + ratio(point.game - first.game, across) * 910.0;
    let y = |rate: f64| FLOOR - rate * ROOM;
    let mut shapes = String::new();
    for rate in [0, 25, 50, 75, 100] {
        let at = y(f64::from(rate) / 100.0);
        let class = if rate == 50 { "half" } else { "grid" };
        let _ = write!(
            shapes,
            "<path class=\"{class}\" d=\"M{LEFT} {at}H950\"/><text class=\"left\" x=\"34\" y=\"{}\">{rate} %</text>",
            at + 4.0
        );
    }
    let mut line = String::new();
    let mut month = "";
    let mut labelled = f64::NEG_INFINITY;
    for point in points {
        let at = x(point);
        let _ = write!(line, " {at:.0},{:.0}", y(ratio(point.wins, of)));
        let of_point = point.date.get(..7).unwrap_or_default();
        // Months that are short of games have no room for their name.
        if of_point != month && at - labelled > 46.0 && at < 935.0 {
            let _ = write!(
                shapes,
                "<text x=\"{at:.0}\" y=\"184\">{}</text>",
                Safe(of_point)
            );
            labelled = at;
        }
        month = of_point;
    }
    let _ = write!(
        shapes,
        "<polyline class=\"curve\" points=\"{}\"/>",
        line.trim_start()
    );
    let _ = write!(
        shapes,
        "<circle class=\"curve-end\" cx=\"{:.0}\" cy=\"{:.0}\" r=\"4\"/>",
        x(last),
        y(ratio(last.wins, of))
    );
    let says = format!(
        "The win rate of the last {of} games, from game {} on {} to game {} on {}.",
        first.game, first.date, last.game, last.date
    );
    picture(id, SIZE, title, &says, &shapes)
}

/// From which win rate in percent on, and the class of such a day.
const RATES: [(u64, &str); 5] = [(0, "l2"), (30, "l1"), (45, "even"), (56, "w1"), (71, "w2")];

/// A square for each day of the year: the larger, the more games; its colour and its pattern tell the win rate.
pub(crate) fn days(id: &str, title: &str, span: &YearSpan, played: &[Day]) -> String {
    const CELL: usize = 17;
    let (left, top) = (34, 20);
    let all = calendar(span);
    let weeks = all.last().map_or(1, |(_, week, _)| week + 1);
    let mut shapes = format!(
        "<defs>{}{}<pattern id=\"{id}-w2\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">\
         <rect class=\"w2\" width=\"4\" height=\"4\"/><circle class=\"w2-line\" cx=\"2\" cy=\"2\" r=\"0.9\"/></pattern></defs>",
        hatch(&format!("{id}-l2"), "l2", 3),
        hatch(&format!("{id}-l1"), "l1", 6),
    );
    for (row, name) in [(0, "Mon"), (2, "Wed"), (4, "Fri"), (6, "Sun")] {
        let y = top + row * CELL + 12;
        let _ = write!(
            shapes,
            "<text class=\"left\" x=\"28\" y=\"{y}\">{name}</text>"
        );
    }
    let mut free = String::new();
    let mut played = played.iter().peekable();
    for (date, week, row) in all {
        let (x, y) = (left + week * CELL, top + row * CELL);
        if date.day() == 1 {
            let name = date.strftime("%b");
            let _ = write!(
                shapes,
                "<text class=\"month\" x=\"{x}\" y=\"13\">{name}</text>"
            );
        }
        let date = date.to_string();
        while played.next_if(|day| day.date < date).is_some() {}
        match played.next_if(|day| day.date == date) {
            Some(day) => shapes += &square(id, day, x, y, CELL - 2),
            None => {
                let _ = write!(free, "M{} {}h3v3h-3z", x + 6, y + 6);
            }
        }
    }
    let _ = write!(shapes, "<path class=\"free\" d=\"{free}\"/>");
    let says = "A column for each week and a square for each day with a game: the larger, the more games. Days that were \
                lost are hatched, those that were won are plain, and dotted where nearly all was won.";
    picture(
        id,
        (left + weeks * CELL + 4, top + 7 * CELL + 2),
        title,
        says,
        &shapes,
    )
}

fn square(id: &str, day: &Day, x: usize, y: usize, room: usize) -> String {
    let side = side(day.games, room);
    let paint = paint(id, 100 * day.wins / day.games.max(1));
    let (x, y) = (x + (room - side) / 2, y + (room - side) / 2);
    let label = format!("{}: {} won of {}", day.date, day.wins, day.games);
    format!(
        "<path {paint} d=\"M{x} {y}h{side}v{side}h-{side}z\"><title>{}</title></path>",
        Safe(&label)
    )
}

fn side(games: u64, room: usize) -> usize {
    match games {
        0 | 1 => 7,
        2 | 3 => 9,
        4 | 5 => 11,
        6..=8 => 13,
        _ => room,
    }
}

/// What a win rate in percent looks like.
fn paint(id: &str, rate: u64) -> String {
    let class = RATES.iter().rfind(|(from, _)| rate >= *from);
    match class.map_or("even", |(_, class)| class) {
        class @ ("even" | "w1") => format!("class=\"{class}\""),
        class => format!("fill=\"url(#{id}-{class})\""),
    }
}

/// What the squares of [`days`] mean.
pub(crate) fn key(id: &str) -> String {
    let mut shapes = String::new();
    let mut x = 0;
    let mut add = |side: usize, paint: &str, name: &str| {
        let inset = (15 - side) / 2;
        let _ = write!(
            shapes,
            "<path {paint} d=\"M{} {}h{side}v{side}h-{side}z\"/><text class=\"key\" x=\"{}\" y=\"14\">{name}</text>",
            x + inset,
            2 + inset,
            x + 19
        );
        x += 30 + 7 * name.chars().count();
    };
    for (games, name) in [
        (1, "1"),
        (3, "2–3"),
        (5, "4–5"),
        (8, "6–8"),
        (9, "9 and more games"),
    ] {
        add(side(games, 15), &paint(id, 50), name);
    }
    for (rate, name) in [
        (0, "under 30 %"),
        (30, "30–44 %"),
        (45, "45–55 %"),
        (56, "56–70 %"),
        (71, "over 70 % won"),
    ] {
        add(15, &paint(id, rate), name);
    }
    format!("<svg class=\"chart keys\" viewBox=\"0 0 {x} 20\" aria-hidden=\"true\">{shapes}</svg>")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::year::Tally;

    fn line(name: &str, games: u64, wins: u64) -> GameGroup {
        let tally = Tally {
            games,
            wins,
            ..Tally::default()
        };
        GameGroup {
            name: name.to_owned(),
            tally,
        }
    }

    fn day(date: &str, games: u64, wins: u64) -> Day {
        let date = date.to_owned();
        Day { date, games, wins }
    }

    fn span() -> YearSpan {
        YearSpan {
            first: "2025-01-01".to_owned(),
            last: "2025-12-31".to_owned(),
        }
    }

    /// A picture is what it was. With `RIFTSYNC_SNAPSHOTS` set, what it is now is written down.
    #[track_caller]
    fn check(name: &str, picture: &str) {
        let path = format!("{}/snapshots/{name}.svg", env!("CARGO_MANIFEST_DIR"));
        let picture = picture.replace("><", ">\n<") + "\n";
        if std::env::var_os("RIFTSYNC_SNAPSHOTS").is_some() {
            std::fs::write(&path, &picture).unwrap();
        }
        assert_eq!(picture, std::fs::read_to_string(&path).unwrap());
    }

    #[test]
    fn bars_are_what_they_were() {
        let lines = [line("Mon", 12, 7), line("Tue", 0, 0), line("<Wed>", 3, 0)];
        check("bars", &bars("bars", "Games by weekday", &lines));
    }

    #[test]
    fn a_curve_is_what_it_was() {
        let point = |game, wins, date: &str| Point {
            date: date.to_owned(),
            game,
            wins,
        };
        let points = [
            point(20, 10, "2025-01-30"),
            point(40, 15, "2025-03-02"),
            point(45, 0, "2025-03-09"),
        ];
        check("curve", &curve("curve", "Win rate", 20, &points));
        assert_eq!(curve("curve", "Win rate", 20, &[]), "");
    }

    #[test]
    fn a_calendar_is_what_it_was() {
        let played = [
            day("2025-01-01", 1, 1),
            day("2025-03-09", 4, 2),
            day("2025-12-31", 12, 1),
        ];
        check("days", &days("days", "Games by day", &span(), &played));
        check("key", &key("days"));
    }

    #[test]
    fn every_day_with_a_game_has_a_square() {
        let played: Vec<Day> = calendar(&span())
            .iter()
            .map(|(date, ..)| day(&date.to_string(), 5, 3))
            .collect();
        let picture = days("days", "Games by day", &span(), &played);
        assert_eq!(picture.matches("3 won of 5").count(), 365);
        assert!(picture.len() < 45_000, "{} bytes", picture.len());
    }

    proptest! {
        #[test]
        fn no_text_gets_out_of_its_place(text in ".*") {
            let picture = bars("bars", &text, &[line(&text, 1, 1)]);
            let of_ours = bars("bars", "", &[line("", 1, 1)]);
            for mark in ['<', '>', '"'] {
                prop_assert_eq!(picture.matches(mark).count(), of_ours.matches(mark).count());
            }
        }
    }
}
