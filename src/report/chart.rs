//! Charts as SVG, made here, so that they need no script and print well. Pure.
//!
//! Colours are classes of the style; what colours say is said by patterns too. The same numbers stand in a table beside
//! each chart: that is the page's part.

use std::fmt::{self, Write};

use askama::filters::{Html, escape};

mod gold;
mod lead;
mod map;
mod rank;

pub(crate) use gold::{events, gold};
pub(crate) use lead::lead;
pub(crate) use map::{Dots, kill_map};
pub(crate) use rank::rank;

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
    let (mut won_bars, mut lost_bars) = (String::new(), String::new());
    let (mut counts, mut names) = (String::new(), String::new());
    for (at, line) in lines.iter().enumerate() {
        let (x, wide) = (10 + at * step, step - step / 5);
        let middle = x + wide / 2;
        let won_top = floor - high(line.tally.wins);
        let lost_top = won_top - high(line.tally.losses());
        if line.tally.wins > 0 {
            let _ = write!(won_bars, "M{x} {floor}V{won_top:.0}h{wide}V{floor}z");
        }
        if line.tally.losses() > 0 {
            let _ = write!(
                lost_bars,
                "M{x} {won_top:.0}V{lost_top:.0}h{wide}V{won_top:.0}z"
            );
        }
        if line.tally.games > 0 {
            let (y, games) = (lost_top - 3.0, line.tally.games);
            let _ = write!(counts, "<text x=\"{middle}\" y=\"{y:.0}\">{games}</text>");
        }
        let (y, name) = (HEIGHT - 5, shown(&line.name));
        let _ = write!(
            names,
            "<text x=\"{middle}\" y=\"{y}\">{}</text>",
            Safe(&name)
        );
    }
    let shapes = format!(
        "<defs>{}</defs><path class=\"won\" d=\"{won_bars}\"/><path fill=\"url(#{id}-lost)\" d=\"{lost_bars}\"/>\
         <g class=\"count\">{counts}</g>{names}",
        hatch(&format!("{id}-lost"), "lost", 4)
    );
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
    let mut shapes = patterns(id);
    for (row, name) in [(0, "Mon"), (2, "Wed"), (4, "Fri"), (6, "Sun")] {
        let y = top + row * CELL + 12;
        let _ = write!(
            shapes,
            "<text class=\"left\" x=\"28\" y=\"{y}\">{name}</text>"
        );
    }
    let mut free = Spots::default();
    let mut squares =
        [[(); SIDES.len()]; RATES.len()].map(|sizes| sizes.map(|()| Spots::default()));
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
            Some(day) => {
                let rate = 100 * day.wins / day.games.max(1);
                let at = SIDES.iter().rposition(|(from, _)| day.games >= *from);
                let of_paint = &mut squares[paint_of(rate)][at.unwrap_or(0)];
                of_paint.add(x + 7, y + 7);
            }
            None => {
                free.add(x + 7, y + 7);
            }
        }
    }
    let _ = write!(
        shapes,
        "<path class=\"free\" stroke-width=\"3\" d=\"{}\"/>",
        free.path
    );
    // Squares are dots with square ends: a path for all of a kind.
    for (sizes, (rate, _)) in squares.iter().zip(RATES) {
        for (dots, (_, side)) in sizes
            .iter()
            .zip(SIDES)
            .filter(|(dots, _)| !dots.path.is_empty())
        {
            let paint = paint(id, rate);
            let _ = write!(
                shapes,
                "<path {paint} stroke-width=\"{side}\" d=\"{}\"/>",
                dots.path
            );
        }
    }
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

/// What days that were lost, and those on which nearly all was won, are painted with.
fn patterns(id: &str) -> String {
    format!(
        "<defs>{}{}<pattern id=\"{id}-w2\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">\
         <rect class=\"w2\" width=\"4\" height=\"4\"/><circle class=\"w2-line\" cx=\"2\" cy=\"2\" r=\"0.9\"/></pattern></defs>",
        hatch(&format!("{id}-l2"), "l2", 3),
        hatch(&format!("{id}-l1"), "l1", 6),
    )
}

/// Dots, each told from the one before it, which is short.
#[derive(Debug, Default)]
struct Spots {
    path: String,
    before: (usize, usize),
}

impl Spots {
    fn add(&mut self, x: usize, y: usize) {
        let from = |before: usize, at: usize| at.checked_signed_diff(before).unwrap_or(0);
        let (across, down) = (from(self.before.0, x), from(self.before.1, y));
        let _ = write!(self.path, "m{across} {down}h0");
        self.before = (x, y);
    }
}

/// From so many games on, and the side of the square.
const SIDES: [(u64, usize); 5] = [(0, 7), (2, 9), (4, 11), (6, 13), (9, 15)];

/// Which of [`RATES`] a win rate in percent is.
fn paint_of(rate: u64) -> usize {
    RATES
        .iter()
        .rposition(|(from, _)| rate >= *from)
        .unwrap_or(0)
}

/// What a win rate in percent looks like.
fn paint(id: &str, rate: u64) -> String {
    match RATES[paint_of(rate)].1 {
        class @ ("even" | "w1") => format!("class=\"{class}\""),
        class => format!("stroke=\"url(#{id}-{class})\""),
    }
}

/// What the squares of [`days`] mean: sizes in a line, paints in another.
pub(crate) fn key(id: &str) -> String {
    const GAMES: [&str; 5] = ["1", "2–3", "4–5", "6–8", "9 and more games"];
    const WON: [(u64, &str); 5] = [
        (0, "under 30 %"),
        (30, "30–44 %"),
        (45, "45–55 %"),
        (56, "56–70 %"),
        (71, "over 70 % won"),
    ];
    let one = |side: usize, rate: u64, name: &str| {
        let paint = paint(id, rate);
        format!(
            "<span><svg class=\"chart days\" viewBox=\"0 0 15 15\" aria-hidden=\"true\"><path {paint} stroke-width=\"{side}\" d=\"M7 7h0\"/></svg> {name}</span> "
        )
    };
    let sizes = SIDES
        .iter()
        .zip(GAMES)
        .map(|((_, side), name)| one(*side, 50, name));
    let sizes: String = sizes.collect();
    let paints = WON.map(|(rate, name)| one(15, rate, name));
    format!(
        "<p class=\"keys\">{}</p><p class=\"keys\">{}</p>",
        sizes,
        paints.concat()
    )
}

#[cfg(test)]
mod tests;
