//! How far the player was ahead, minute by minute.

use std::fmt::Write;

use super::picture;
use crate::leads::Quartiles;

const SIZE: (usize, usize) = (460, 220);
const LEFT: f64 = 46.0;
const RIGHT: f64 = 452.0;
const TOP: f64 = 10.0;
const FLOOR: f64 = 198.0;

/// Medians as lines in bands of the middle half of the games: of those that were won, and hatched and dashed of those
/// that were lost. Of each minute.
pub(crate) fn lead(
    id: &str,
    title: &str,
    unit: &str,
    minutes: &[(u64, [Option<Quartiles>; 2])],
) -> String {
    let all = minutes.iter().flat_map(|(_, ends)| ends).flatten();
    let most = all
        .flat_map(|one| [one.low, one.high])
        .map(i32::unsigned_abs)
        .max();
    let (Some(most), Some((last, _))) = (most, minutes.last()) else {
        return String::new();
    };
    let most = round_up(most);
    let x = |minute: u64| LEFT + minute as f64 * (RIGHT - LEFT) / (*last).max(1) as f64;
    let y = |lead: f64| TOP + (f64::from(most) - lead) * (FLOOR - TOP) / f64::from(2 * most);
    let mut shapes = format!(
        "<defs>{}</defs>",
        super::hatch(&format!("{id}-lost"), "lost", 5)
    );
    shapes += &grid(most, y);
    for minute in (0..=*last).step_by(if *last > 30 { 10 } else { 5 }) {
        let _ = write!(
            shapes,
            "<text x=\"{:.0}\" y=\"213\">{minute}</text>",
            x(minute)
        );
    }
    for (end, class, paint) in [
        (1, "ends-lost", format!("fill=\"url(#{id}-lost)\"")),
        (0, "ends-won", "class=\"band\"".to_owned()),
    ] {
        let told = minutes
            .iter()
            .filter_map(|(minute, ends)| Some((x(*minute), ends[end]?)));
        let told: Vec<(f64, Quartiles)> = told.collect();
        let line = |of: fn(&Quartiles) -> i32, back: bool| {
            let point =
                |(x, one): &(f64, Quartiles)| format!("{x:.0} {:.0}", y(f64::from(of(one))));
            let mut points: Vec<String> = told.iter().map(point).collect();
            if back {
                points.reverse();
            }
            points.join(" ")
        };
        if told.is_empty() {
            continue;
        }
        let _ = write!(
            shapes,
            "<path {paint} d=\"M{} {}z\"/><path class=\"{class}\" d=\"M{}\"/>",
            line(|one| one.high, false),
            line(|one| one.low, true),
            line(|one| one.middle, false)
        );
    }
    let says = format!(
        "{unit} before the opponent by minute, to minute {last}. Games that were won: a line at the median in a plain band of \
         the middle half of them. Games that were lost: a dashed line in a hatched band."
    );
    picture(id, SIZE, title, &says, &shapes)
}

/// Lines at no lead, at the most, and halfway.
fn grid(most: u32, y: impl Fn(f64) -> f64) -> String {
    let mut shapes = String::new();
    for part in [-2_i32, -1, 0, 1, 2] {
        let lead = f64::from(part) * f64::from(most) / 2.0;
        let class = if part == 0 { "half" } else { "grid" };
        let sign = if part > 0 { "+" } else { "" };
        let at = y(lead);
        let _ = write!(
            shapes,
            "<path class=\"{class}\" d=\"M{LEFT} {at:.0}H{RIGHT}\"/><text class=\"left\" x=\"42\" y=\"{:.0}\">{sign}{lead}</text>",
            at + 4.0
        );
    }
    shapes
}

/// One, two or four with zeros, so that a half of it is a good number too.
pub(super) fn round_up(most: u32) -> u32 {
    let mut round = 100;
    while round < most {
        // 1, 2, 4, 10, 20, ...
        round = match round.to_string().as_bytes()[0] {
            b'4' => round / 4 * 10,
            _ => round * 2,
        };
        if round >= 1_000_000_000 {
            break;
        }
    }
    round
}
