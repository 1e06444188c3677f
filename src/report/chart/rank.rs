//! A rank over a year.

use std::fmt::Write;

use jiff::civil::Date;

use super::picture;
use crate::ranks::RankPoint;
use crate::year::YearSpan;

const SIZE: (usize, usize) = (960, 190);
const LEFT: f64 = 76.0;
const RIGHT: f64 = 950.0;
const TOP: f64 = 12.0;
const FLOOR: f64 = 168.0;
const TIERS: [&str; 8] = [
    "Iron", "Bronze", "Silver", "Gold", "Platinum", "Emerald", "Diamond", "Master",
];

/// A line in steps: a rank stands until another is seen.
pub(crate) fn rank(id: &str, title: &str, span: &YearSpan, seen: &[RankPoint]) -> String {
    let told: Vec<i32> = seen.iter().filter_map(|one| one.points).collect();
    let (Some(lowest), Some(highest)) = (told.iter().min(), told.iter().max()) else {
        return String::new();
    };
    let (Ok(first), Ok(last)) = (span.first.parse::<Date>(), span.last.parse::<Date>()) else {
        return String::new();
    };
    let days = |date: Date| f64::from((date - first).get_days());
    let x =
        |date: Date| (LEFT + days(date) * (RIGHT - LEFT) / days(last).max(1.0)).clamp(LEFT, RIGHT);
    // A division more on both sides, and at least a tier.
    let (low, high) = (lowest - 100, (highest + 100).max(lowest + 300));
    let y = |points: i32| FLOOR - f64::from(points - low) * (FLOOR - TOP) / f64::from(high - low);
    let mut shapes = String::new();
    for (name, points) in TIERS.iter().zip((0..).step_by(400)) {
        if (low..=high).contains(&points) {
            let at = y(points);
            let _ = write!(
                shapes,
                "<path class=\"grid\" d=\"M{LEFT} {at:.0}H{RIGHT}\"/><text class=\"left\" x=\"70\" y=\"{:.0}\">{name}</text>",
                at + 4.0
            );
        }
    }
    for month in (1..=12_i8).step_by(2) {
        if let Ok(day) = Date::new(last.year(), month, 1) {
            let _ = write!(
                shapes,
                "<text x=\"{:.0}\" y=\"184\">{}</text>",
                x(day) + 8.0,
                day.strftime("%b")
            );
        }
    }
    let mut path = String::new();
    let mut stands = false;
    for one in seen {
        let Ok(date) = one.date.parse::<Date>() else {
            continue;
        };
        let at = x(date);
        match (one.points, stands) {
            (Some(points), true) => {
                let _ = write!(path, "H{at:.0}V{:.0}", y(points));
            }
            (Some(points), false) => {
                let _ = write!(path, "M{at:.0} {:.0}", y(points));
            }
            (None, true) => {
                let _ = write!(path, "H{at:.0}");
            }
            (None, false) => {}
        }
        stands = one.points.is_some();
    }
    let _ = write!(shapes, "<path class=\"line\" d=\"{path}h4\"/>");
    let says = format!(
        "From {} to {}: the rank as it was seen, and as it stood until the next was seen; lines where tiers begin.",
        seen.first().map_or("", |one| &one.date),
        seen.last().map_or("", |one| &one.date)
    );
    picture(id, SIZE, title, &says, &shapes).replacen("class=\"chart ", "class=\"chart broad ", 1)
}
