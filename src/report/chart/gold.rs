//! A match: whose gold was ahead, and when the teams took what.

use std::fmt::Write;

use super::{Safe, lead, picture};

const LEFT: f64 = 84.0;
const RIGHT: f64 = 950.0;

/// The gold of the blue team before that of the red one, minute by minute.
pub(crate) fn gold(id: &str, title: &str, leads: &[i64]) -> String {
    const SIZE: (usize, usize) = (960, 220);
    const TOP: f64 = 10.0;
    const FLOOR: f64 = 198.0;
    let most = leads.iter().map(|lead| lead.unsigned_abs()).max();
    let Some(most) = most else {
        return String::new();
    };
    let most = lead::round_up(u32::try_from(most).unwrap_or(u32::MAX));
    let last = leads.len() - 1;
    let x = |minute: usize| LEFT + minute as f64 * (RIGHT - LEFT) / last.max(1) as f64;
    let y = |lead: f64| TOP + (f64::from(most) - lead) * (FLOOR - TOP) / (2.0 * f64::from(most));
    let zero = y(0.0);
    let mut shapes = format!(
        "<defs><clipPath id=\"{id}-b\"><path d=\"M0 0H960V{zero:.0}H0z\"/></clipPath>\
         <clipPath id=\"{id}-r\"><path d=\"M0 {zero:.0}H960V220H0z\"/></clipPath></defs>"
    );
    let mut line = String::new();
    for (minute, lead) in leads.iter().enumerate() {
        let _ = write!(
            line,
            "{}{:.0} {:.0}",
            if minute == 0 { "" } else { " " },
            x(minute),
            y(*lead as f64)
        );
    }
    for (class, clip) in [("blue", "b"), ("red", "r")] {
        let _ = write!(
            shapes,
            "<path class=\"{class}\" clip-path=\"url(#{id}-{clip})\" d=\"M{LEFT} {zero:.0} {line} {:.0} {zero:.0}z\"/>",
            x(last)
        );
    }
    for part in [-2_i32, -1, 0, 1, 2] {
        let lead = f64::from(part) * f64::from(most) / 2.0;
        let (at, class) = (y(lead), if part == 0 { "half" } else { "grid" });
        let of = ["Red", "", "Blue"][usize::try_from(part.signum() + 1).unwrap_or(1)];
        let _ = write!(
            shapes,
            "<path class=\"{class}\" d=\"M{LEFT} {at:.0}H{RIGHT}\"/><text class=\"left\" x=\"80\" y=\"{:.0}\">{of} {}</text>",
            at + 4.0,
            lead.abs()
        );
    }
    for minute in (0..=last).step_by(5) {
        let _ = write!(
            shapes,
            "<text x=\"{:.0}\" y=\"213\">{minute}</text>",
            x(minute)
        );
    }
    let says = "Gold of the blue team before that of the red one by minute: above the line the blue team was ahead, \
                below it the red one.";
    picture(id, SIZE, title, says, &shapes).replacen("class=\"chart ", "class=\"chart broad ", 1)
}

/// When the blue team (above) and the red one took what: the letter of each, with its minute.
pub(crate) fn events(id: &str, title: &str, seconds: u64, taken: &[(i64, i32, char)]) -> String {
    const SIZE: (usize, usize) = (960, 110);
    /// Letters nearer than that stand above each other, in so many lines.
    const NEAR: f64 = 12.0;
    const LINES: usize = 3;
    let last_ms = taken.iter().map(|(at, ..)| *at).max().unwrap_or(0);
    let whole = (seconds as f64 * 1_000.0).max(last_ms as f64).max(1.0);
    let x = |at_ms: f64| LEFT + at_ms * (RIGHT - LEFT) / whole;
    let mut shapes = format!(
        "<path class=\"half\" d=\"M{LEFT} 55H{RIGHT}\"/><text class=\"left\" x=\"78\" y=\"34\">Blue</text>\
         <text class=\"left\" x=\"78\" y=\"84\">Red</text>"
    );
    let mut ends = [[f64::NEG_INFINITY; LINES]; 2];
    for (at_ms, team, letter) in taken {
        let at = x((*at_ms).max(0) as f64);
        let (side, class) = if *team == 100 {
            (0, "blue")
        } else {
            (1, "red")
        };
        let free = ends[side].iter().position(|end| at - end >= NEAR);
        let line = free.unwrap_or(LINES - 1);
        ends[side][line] = at;
        let y = if side == 0 {
            48 - 15 * line
        } else {
            72 + 15 * line
        };
        let letter = letter.to_string();
        let _ = write!(
            shapes,
            "<text class=\"{class}\" x=\"{at:.0}\" y=\"{y}\">{}</text>",
            Safe(&letter)
        );
    }
    let says = "Letters of what the blue team took above the line, and of what the red one took below it, in the order of the \
                minutes.";
    picture(id, SIZE, title, says, &shapes).replacen("class=\"chart ", "class=\"chart broad ", 1)
}
